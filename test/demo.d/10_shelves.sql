-- The stock room: a cart, a gift set, a piano that is on its way, and a partner's shelves
\i test/demo.d/style

\echo 'Fay has two mugs in her cart. For twenty minutes they are hers, whoever else wants them.'
SELECT units FROM shop.hold_stock('cart 17', '[{"sku": "MUG", "quantity": 2}]', '20 minutes');
SELECT sku, on_hand, reserved, held, available FROM shop.availability('{MUG}');
\echo 'She pays. The order names the cart and has its units, without a moment in between.'
SELECT number, status FROM shop.place_order('{"channel": "web", "external_ref": "W-6", "currency": "EUR",
	"stock_hold": "cart 17", "lines": [{"sku": "MUG", "quantity": 2, "unit_price": 12}]}');

\echo 'A gift set is a shirt and two mugs. It has no stock of its own, and can be sold as often as they last.'
INSERT INTO shop.skus (code, name, kind) VALUES ('GIFT', 'Gift set', 'bundle');
INSERT INTO shop.bundle_items (bundle, sku, quantity, price_share) VALUES ('GIFT', 'TSHIRT', 1, 2), ('GIFT', 'MUG', 2, 1);
SELECT number, status, total FROM shop.place_order('{"channel": "web", "external_ref": "W-7", "currency": "EUR",
	"lines": [{"sku": "GIFT", "quantity": 1, "unit_price": 36}]}');
SELECT sku, quantity, net_amount, bundle FROM shop.order_line_facts WHERE order_number = (SELECT number FROM shop.orders WHERE external_ref = 'W-7') ORDER BY sku;

\echo 'The piano is sold. Two more are ordered, so up to two may be sold ahead, and Gus is told when.'
INSERT INTO shop.inbound (ref, sku, location, quantity, expected_at) VALUES ('PO-9', 'PIANO', 'oldtown', 2, '2099-12-01');
INSERT INTO shop.backorder_policies (sku, policy, limit_units, expected_at) VALUES ('PIANO', 'backorder', 2, '2099-12-01');
SELECT number, status, backordered FROM shop.place_order('{"channel": "web", "external_ref": "W-8", "currency": "EUR",
	"lines": [{"sku": "PIANO", "quantity": 1, "unit_price": 3200, "pickup_location": "oldtown"}]}');
SELECT order_number, sku, quantity, expected_at::date FROM shop.backorders;
\echo 'They come early. One UPDATE puts them into stock, and one of them is Gus''s.'
UPDATE shop.inbound SET status = 'received' WHERE ref = 'PO-9';
SELECT f.number, f.location, f.status FROM shop.fulfillments f JOIN shop.orders o ON o.id = f.order_id WHERE o.external_ref = 'W-8';

\echo
\echo 'Three shirts go to the harbor by van. On the road they are in neither place.'
INSERT INTO shop.inbound (ref, sku, location, from_location, quantity, status) VALUES ('van 3', 'TSHIRT', 'harbor', 'warehouse', 3, 'in_transit');
SELECT ref, sku, from_location, location, in_transit FROM shop.in_transit;
UPDATE shop.inbound SET status = 'received' WHERE ref = 'van 3';

\echo
\echo 'A partner''s warehouse sends what it has, twice, and an older message late.'
INSERT INTO shop.locations (code, name, kind, priority) VALUES ('partner', 'Parcels Ltd', 'third_party', 50);
SELECT applied, ignored, repeated FROM shop.set_stock('{"ref": "m2", "location": "partner", "sequence": 2, "basis": "sellable", "items": [{"sku": "MUG", "quantity": 8}]}');
SELECT applied, ignored, repeated FROM shop.set_stock('{"ref": "m2", "location": "partner", "sequence": 2, "basis": "sellable", "items": [{"sku": "MUG", "quantity": 8}]}');
SELECT applied, ignored, repeated FROM shop.set_stock('{"ref": "m1", "location": "partner", "sequence": 1, "basis": "sellable", "items": [{"sku": "MUG", "quantity": 99}]}');
SELECT sku, on_hand, available FROM shop.availability('{MUG}');

\set ECHO none
DO $$ BEGIN
	ASSERT (SELECT array_agg(external_ref || ' ' || status || ' ' || units_allocated ORDER BY external_ref) FROM shop.orders
		WHERE external_ref IN ('W-6', 'W-7', 'W-8')) = '{"W-6 confirmed 2","W-7 confirmed 3","W-8 confirmed 1"}', 'the orders are not as told';
	ASSERT NOT EXISTS (SELECT FROM shop.stock_holds) AND NOT EXISTS (SELECT FROM shop.backorders) AND NOT EXISTS (SELECT FROM shop.in_transit), 'something is still waiting';
	ASSERT (SELECT on_hand FROM shop.stock WHERE sku = 'MUG' AND location = 'partner') = 8, 'the partner''s message went wrong';
END $$;
