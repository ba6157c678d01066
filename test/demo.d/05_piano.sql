-- A piano and a T-shirt in one order: they cannot go the same way
\i test/demo.d/style

\echo 'Ben collects the piano in the old town, gets the T-shirt by mail, and has the piano tuned.'
SELECT number, status, total FROM shop.place_order('{
	"channel": "web", "external_ref": "W-2", "currency": "EUR",
	"customer": {"code": "C-2", "name": "Ben"}, "ship_to": {"name": "Ben", "city": "Bonn"},
	"lines": [{"sku": "PIANO", "quantity": 1, "unit_price": 3200, "pickup_location": "oldtown"},
	          {"sku": "TSHIRT", "quantity": 1, "unit_price": 19.90, "method": "ship"},
	          {"sku": "TUNING", "quantity": 1, "unit_price": 120}]}');

\set ECHO none
SELECT max(f.number) FILTER (WHERE method = 'pickup') AS piano, max(f.number) FILTER (WHERE method = 'ship') AS parcel,
	max(f.number) FILTER (WHERE method = 'service') AS tuning
FROM shop.fulfillments f JOIN shop.orders o ON o.id = f.order_id WHERE o.external_ref = 'W-2' \gset
\set ECHO queries

\echo 'Each part follows a life of its own. By noon:'
UPDATE shop.fulfillments SET status = 'picking' WHERE number IN (:'piano', :'parcel');
UPDATE shop.fulfillments SET status = 'ready_for_pickup' WHERE number = :'piano';
UPDATE shop.fulfillments SET status = 'shipped', carrier = 'DHL', tracking_number = '00340' WHERE number = :'parcel';
UPDATE shop.fulfillments SET status = 'scheduled', promised_at = '2026-12-01 10:00' WHERE number = :'tuning';

\echo
\echo 'What Ben is told, if he asks:'
SELECT s.name AS item, m.name AS way, f.status, coalesce(f.tracking_number, f.pickup_location, f.promised_at::date::text) AS "where, when"
FROM shop.orders o JOIN shop.fulfillments f ON f.order_id = o.id JOIN shop.fulfillment_lines l ON l.fulfillment_id = f.id
	JOIN shop.skus s ON s.code = l.sku JOIN shop.methods m ON m.code = f.method
WHERE o.external_ref = 'W-2' ORDER BY f.number;
SELECT status, fulfillment_status FROM shop.order_summary WHERE external_ref = 'W-2';

\set ECHO none
DO $$ BEGIN
	ASSERT (SELECT array_agg(f.status ORDER BY f.number) FROM shop.fulfillments f JOIN shop.orders o ON o.id = f.order_id
		WHERE o.external_ref = 'W-2') = '{ready_for_pickup,shipped,scheduled}', 'the parts are not as told';
	ASSERT (SELECT status || ' ' || fulfillment_status FROM shop.orders WHERE external_ref = 'W-2') = 'confirmed partial',
		'the order is not as told';
END $$;
