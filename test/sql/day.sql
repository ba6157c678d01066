-- A day in a small shop, as psql shows it.
SET client_min_messages = warning;
SELECT oms.create_store('day');
RESET client_min_messages;
SET search_path = day;
INSERT INTO channels (code, name) VALUES ('web', 'Web shop');
INSERT INTO locations (code, name, priority) VALUES ('north', 'North', 1), ('south', 'South', 2);
INSERT INTO skus (code, name) VALUES ('TSHIRT', 'T-shirt');
INSERT INTO stock_movements (sku, location, kind, quantity) VALUES ('TSHIRT', 'north', 'receipt', 3), ('TSHIRT', 'south', 'receipt', 4);

-- an order by plain SQL: it is placed, confirmed and handed to a warehouse
INSERT INTO orders (channel, currency) VALUES ('web', 'EUR');
INSERT INTO order_lines (order_id, line_no, sku, quantity, unit_price) SELECT id, 1, 'TSHIRT', 2, 19.90 FROM orders;
UPDATE orders SET status = 'placed';
SELECT number, status, total, units_allocated FROM orders;
SELECT number, location, status FROM fulfillments;

-- and one by document, which no single location has
SELECT number, status, total, short, repeated FROM place_order('{"channel": "web", "external_ref": "A-17", "currency": "EUR",
	"lines": [{"sku": "TSHIRT", "quantity": 5, "unit_price": 19.90}]}');
SELECT number, location, status FROM fulfillments ORDER BY number;
SELECT sku, location, on_hand, reserved, available FROM stock_position ORDER BY location;

-- what does not exist is not promised, and no step is skipped
SELECT number FROM place_order('{"channel": "web", "currency": "EUR", "lines": [{"sku": "TSHIRT", "quantity": 1, "unit_price": 19.90}]}');
UPDATE fulfillments SET status = 'delivered' WHERE number = 'S-1000-1';
UPDATE orders SET units_shipped = 2 WHERE number = 'S-1000';

-- one is shipped and delivered, one rejected: it has nowhere else to go
UPDATE fulfillments SET status = 'shipped' WHERE number = 'S-1000-1';
UPDATE fulfillments SET status = 'delivered' WHERE number = 'S-1000-1';
UPDATE fulfillments SET status = 'rejected', status_reason = 'not_found' WHERE number = 'S-1001-2';
SELECT number, status, fulfillment_status, units_short FROM orders ORDER BY number;

-- the rest is canceled
UPDATE orders SET status = 'canceled', status_reason = 'customer_request' WHERE number = 'S-1001';
SELECT number, status, total, credited, due FROM order_summary ORDER BY number;
SELECT order_number, number, event, from_status, to_status, reason FROM order_timeline ORDER BY position;
SELECT rule, violations FROM verify_store() WHERE violations > 0;
