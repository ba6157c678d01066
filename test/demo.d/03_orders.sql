-- The first orders: a web shop, a marketplace and a till, each in its own way
\i test/demo.d/style

\echo 'The web shop sends a document. One call: order, lines, stock, fulfillment.'
SELECT number, status, total, short FROM shop.place_order('{
	"channel": "web", "external_ref": "W-1", "currency": "EUR",
	"customer": {"code": "C-1", "name": "Ada"}, "ship_to": {"name": "Ada", "city": "Ulm"},
	"lines": [{"sku": "TSHIRT", "quantity": 2, "unit_price": 19.90},
	          {"sku": "GIFTCARD", "quantity": 1, "unit_price": 50}],
	"charges": [{"kind": "shipping", "amount": 4.90}]}');

\echo 'The marketplace heard no answer and sends again. It gets the same order, not another one.'
SELECT number, status, repeated FROM shop.place_order('{"channel": "market", "external_ref": "M-77", "currency": "EUR",
	"lines": [{"sku": "MUG", "quantity": 4, "unit_price": 12}, {"sku": "CELLO", "quantity": 1, "unit_price": 900}]}');
SELECT number, status, repeated FROM shop.place_order('{"channel": "market", "external_ref": "M-77", "currency": "EUR",
	"lines": [{"sku": "MUG", "quantity": 4, "unit_price": 12}, {"sku": "CELLO", "quantity": 1, "unit_price": 900}]}');

\echo 'The till knows nothing of documents; plain SQL is as good. The customer leaves with the mug.'
BEGIN;
INSERT INTO shop.orders (channel, external_ref, currency) VALUES ('till', 'T-1', 'EUR');
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, location)
	SELECT id, 1, 'MUG', 1, 12, 'oldtown' FROM shop.orders WHERE external_ref = 'T-1';
UPDATE shop.orders SET status = 'placed' WHERE external_ref = 'T-1';
COMMIT;

SELECT number, channel, status, fulfillment_status, total FROM shop.order_summary ORDER BY number;
SELECT number, location, method, status, units FROM shop.fulfillment_facts ORDER BY number;

\set ECHO none
DO $$ BEGIN
	ASSERT (SELECT array_agg(channel || ' ' || status ORDER BY number) FROM shop.orders)
		= '{web confirmed,market confirmed,till completed}', 'the orders are not as told';
	ASSERT (SELECT array_agg(method || ' ' || status ORDER BY method) FROM shop.fulfillments)
		= '{counter handed_over,digital delivered,dropship requested,ship released,ship released}',
		'the fulfillments are not as told';
END $$;
