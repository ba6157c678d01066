-- A shelf that is empty although the books say otherwise
\i test/demo.d/style

\echo 'Dora wants three T-shirts. The warehouse is to send them.'
SELECT number, status FROM shop.place_order('{"channel": "web", "external_ref": "W-4", "currency": "EUR",
	"lines": [{"sku": "TSHIRT", "quantity": 3, "unit_price": 19.90}]}');

\set ECHO none
SELECT number AS "order" FROM shop.orders WHERE external_ref = 'W-4' \gset
\set parcel :order -1
\set ECHO queries

\echo 'The picker does not find them and says so. The harbor sends them instead.'
UPDATE shop.fulfillments SET status = 'rejected', status_reason = 'not_found' WHERE number = :'parcel';
SELECT f.number, f.location, f.status, f.status_reason, f.stock_state
FROM shop.fulfillments f JOIN shop.orders o ON o.id = f.order_id WHERE o.number = :'order' ORDER BY f.number;

\echo 'What was not found is set aside, so that it is not sold again before somebody has looked.'
SELECT sku, location, on_hand, unavailable, reserved, available FROM shop.stock_position WHERE sku = 'TSHIRT' ORDER BY location;

\set ECHO none
DO $$ BEGIN
	ASSERT (SELECT array_agg(location || ' ' || f.status ORDER BY f.number) FROM shop.fulfillments f JOIN shop.orders o
		ON o.id = f.order_id WHERE o.external_ref = 'W-4') = '{warehouse rejected,harbor released}', 'it was not rerouted';
	ASSERT (SELECT unavailable FROM shop.stock WHERE sku = 'TSHIRT' AND location = 'warehouse') = 3, 'it is still for sale';
END $$;
