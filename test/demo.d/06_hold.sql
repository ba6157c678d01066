-- An order that waits: a hold, and its release
\i test/demo.d/style

\echo 'Six mugs to an address nobody can read. The order is taken, its mugs are reserved, and it waits.'
SELECT number, status FROM shop.place_order('{"channel": "web", "external_ref": "W-3", "currency": "EUR",
	"ship_to": {"name": "C.", "line1": "?"},
	"lines": [{"sku": "MUG", "quantity": 6, "unit_price": 12}],
	"holds": [{"kind": "address", "reason": "street is missing"}]}');

\set ECHO none
SELECT number AS "order" FROM shop.orders WHERE external_ref = 'W-3' \gset
\set parcel :order -1
\set ECHO queries
\set ON_ERROR_STOP off
\echo 'Somebody is eager and confirms it by hand. The database is not.'
UPDATE shop.orders SET status = 'confirmed' WHERE number = :'order';
\set held :SQLSTATE
\set ON_ERROR_STOP on

\echo
\echo 'Support calls the customer. Releasing the hold is all it takes.'
UPDATE shop.order_holds SET released_at = now(), released_by = 'support'
	WHERE released_at IS NULL AND order_id = (SELECT id FROM shop.orders WHERE number = :'order');
\echo
\echo 'Order and parcel have gone on by themselves:'
SELECT number, event, from_status, to_status, reason FROM shop.order_timeline WHERE order_number = :'order' ORDER BY position;

\set ECHO none
CALL expect_refusal(:'held', 'OM002');
DO $$ BEGIN
	ASSERT (SELECT status FROM shop.orders WHERE external_ref = 'W-3') = 'confirmed', 'the order did not go on';
	ASSERT (SELECT f.status FROM shop.fulfillments f JOIN shop.orders o ON o.id = f.order_id
		WHERE o.external_ref = 'W-3') = 'released', 'the parcel did not go on';
END $$;
