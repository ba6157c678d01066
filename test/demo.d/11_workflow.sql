-- Operations wants gift wrapping, and gets it without a release
\i test/demo.d/style

\echo 'The life of a parcel is a text in a row. Somebody in operations edits it:'
UPDATE shop.workflows SET definition = replace(replace(definition,
	'released -> picking -> packed;', 'released -> picking -> packed;
picking -> gift_wrapping -> packed;   -- Eve, for the holidays'),
	'picking, packed ->', 'picking, gift_wrapping, packed ->')
WHERE name = 'ship';
SELECT definition FROM shop.workflows WHERE name = 'ship';

\echo 'It is in force at the next statement, in every session.'
SELECT number, status FROM shop.place_order('{"channel": "web", "external_ref": "W-5", "currency": "EUR",
	"lines": [{"sku": "TSHIRT", "quantity": 1, "unit_price": 19.90}]}');
\set ECHO none
SELECT number AS "order" FROM shop.orders WHERE external_ref = 'W-5' \gset
\set parcel :order -1
\set ECHO queries
UPDATE shop.fulfillments SET status = 'picking' WHERE number = :'parcel';
UPDATE shop.fulfillments SET status = 'gift_wrapping' WHERE number = :'parcel' RETURNING number, status;

\set ON_ERROR_STOP off
\echo 'A bad edit does no harm. A guard that nobody has written:'
UPDATE shop.workflows SET definition = replace(definition, 'when order_unheld do issue', 'when weather_is_fine do issue')
	WHERE name = 'ship';
\set unknown :SQLSTATE
\echo 'SQLSTATE' :SQLSTATE

\echo
\echo 'The holidays are over, but a parcel is on the wrapping table:'
UPDATE shop.workflows SET definition = replace(replace(definition, 'picking -> gift_wrapping -> packed;', ''), 'gift_wrapping, ', '')
	WHERE name = 'ship';
\set in_use :SQLSTATE
\echo 'SQLSTATE' :SQLSTATE

\set ON_ERROR_STOP on
\set ECHO none
CALL expect_refusal(:'unknown', 'OM004');
CALL expect_refusal(:'in_use', 'OM004');
DO $$ BEGIN
	ASSERT (SELECT oms.allows(compiled, 'picking', 'gift_wrapping') FROM shop.workflows WHERE name = 'ship'),
		'the workflow was not edited';
	ASSERT (SELECT count(*) FROM shop.fulfillments WHERE status = 'gift_wrapping') = 1, 'nothing is wrapped';
END $$;
