-- What may not happen does not: selling what is not there, steps that do not exist
\i test/demo.d/style
\set ECHO none
SELECT number AS "order" FROM shop.orders WHERE external_ref = 'W-1' \gset
\set parcel :order -1
\set ECHO queries
\set ON_ERROR_STOP off

\echo 'Somebody wants two pianos. There is one.'
SELECT number FROM shop.place_order('{"channel": "web", "currency": "EUR",
	"lines": [{"sku": "TSHIRT", "quantity": 1, "unit_price": 19.90},
	          {"sku": "PIANO", "quantity": 2, "unit_price": 3200}]}');
\set oversell :SQLSTATE
\echo 'SQLSTATE' :SQLSTATE '- and the T-shirt of that order is still for sale, too.'

\echo
\echo 'Somebody marks Ada''s parcel as delivered. It has not even left.'
UPDATE shop.fulfillments SET status = 'delivered' WHERE number = :'parcel';
\set skip :SQLSTATE
\echo 'SQLSTATE' :SQLSTATE

\echo
\echo 'And nobody writes stock by hand, the owner of the table neither.'
UPDATE shop.stock SET reserved = 0 WHERE sku = 'TSHIRT';
\set by_hand :SQLSTATE
\echo 'SQLSTATE' :SQLSTATE

\set ON_ERROR_STOP on
\set ECHO none
CALL expect_refusal(:'oversell', 'OM003');
CALL expect_refusal(:'skip', 'OM001');
CALL expect_refusal(:'by_hand', 'OM005');
DO $$ BEGIN
	ASSERT (SELECT sum(reserved) FROM shop.stock WHERE sku = 'TSHIRT') = 2, 'a refused order left a trace';
	ASSERT (SELECT count(*) FROM shop.orders) = 3, 'a refused order was written';
END $$;
