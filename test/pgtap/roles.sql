-- Who may do what: roles of the levels that oms.grant_store grants, each
-- statement as each of them. The rows of the matrix are what docs/security.md
-- shows, by test/security_matrix. Then row level security.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

CREATE ROLE t_owner;
CREATE ROLE t_nobody;
CREATE ROLE t_reader;
CREATE ROLE t_clerk;
CREATE ROLE t_manager;
SELECT format('GRANT CREATE ON DATABASE %I TO t_owner', current_database()) \gexec
SET ROLE t_owner;
SELECT oms.create_store('shop');
SELECT lives_ok(format('SELECT oms.grant_store(''shop'', ''t_%s'', %L)', level, level), 'grants ' || level) FROM unnest(ARRAY['reader', 'clerk', 'manager']) AS level;

INSERT INTO shop.channels (code, name) VALUES ('web', 'Web'), ('phone', 'Phone');
INSERT INTO shop.locations (code, name) VALUES ('north', 'North'), ('empty', 'Empty');
INSERT INTO shop.skus (code, name) VALUES ('mug', 'Mug'), ('cup', 'Cup'), ('ewer', 'Ewer');
INSERT INTO shop.backorder_policies (sku, policy, valid_from) VALUES ('ewer', 'backorder', '2020-01-01');
INSERT INTO shop.skus (code, name, kind) VALUES ('set', 'Set', 'bundle');
INSERT INTO shop.bundle_items (bundle, sku) VALUES ('set', 'mug');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('mug', 'north', 'receipt', 100);
INSERT INTO shop.inbound (sku, location, quantity) VALUES ('mug', 'north', 5);
SELECT FROM shop.place_order('{"channel": "web", "currency": "EUR", "customer": {"code": "ada", "name": "Ada"}, "ship_to": {"city": "Ghent"}, "external_ref": "1",
	"lines": [{"sku": "mug", "quantity": 5, "unit_price": 2}], "charges": [{"kind": "fee", "amount": 1}]}');
INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR');
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) SELECT id, 1, 'mug', 1, 1 FROM shop.orders WHERE number = 'S-1001';
INSERT INTO shop.order_charges (order_id, kind, amount) SELECT id, 'fee', 1 FROM shop.orders WHERE number = 'S-1001';
INSERT INTO shop.order_holds (order_id, kind) SELECT id, 'manual' FROM shop.orders WHERE number = 'S-1001';
SELECT FROM shop.hold_stock('cart 1', '[{"sku": "mug", "quantity": 2}]');
INSERT INTO shop.payments (order_id, method, amount) SELECT id, 'card', 5 FROM shop.orders WHERE number = 'S-1000';
INSERT INTO shop.packages (fulfillment_id) SELECT id FROM shop.fulfillments, generate_series(1, 2);
INSERT INTO shop.package_lines SELECT p.id, l.order_line_id, 1 FROM shop.packages p JOIN shop.fulfillment_lines l ON l.fulfillment_id = p.fulfillment_id;
INSERT INTO shop.carrier_events (package_id, carrier, code, at) SELECT id, 'dhl', 'in_transit', now() FROM shop.packages ORDER BY id DESC LIMIT 1;
INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount) SELECT id, 'authorize', 'succeeded', 5 FROM shop.payments;
RESET ROLE;

CREATE FUNCTION pg_temp.try(who text, statement text, OUT state text, OUT message text) LANGUAGE plpgsql
AS $$
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', who);
	EXECUTE statement;
	RAISE SQLSTATE 'OKOKO';
EXCEPTION WHEN OTHERS THEN
	state := CASE SQLSTATE WHEN 'OKOKO' THEN 'ok' ELSE SQLSTATE END;
	message := SQLERRM;
END $$;

-- ---- the matrix

CREATE TEMP TABLE matrix (place serial, what text, statement text, outcomes text);
INSERT INTO matrix (what, statement, outcomes) VALUES
-- outcomes: nobody reader clerk manager owner
('orders: SELECT', $$SELECT number, units FROM shop.orders$$, '42501 ok ok ok ok'),
('orders: INSERT', $$INSERT INTO shop.orders (channel, currency, attributes) VALUES ('web', 'EUR', '{"a": 1}')$$, '42501 42501 ok ok ok'),
('orders: INSERT in a later state', $$INSERT INTO shop.orders (channel, currency, status) VALUES ('web', 'EUR', 'placed')$$, '42501 42501 OM001 OM001 OM001'),
('orders: INSERT of an engine column', $$INSERT INTO shop.orders (channel, currency, captured) VALUES ('web', 'EUR', 5)$$, '42501 42501 42501 42501 OM005'),
('orders: UPDATE of status, a move', $$UPDATE shop.orders SET status = 'placed' WHERE number = 'S-1001'$$, '42501 42501 ok ok ok'),
('orders: UPDATE of status, no move', $$UPDATE shop.orders SET status = 'completed' WHERE number = 'S-1001'$$, '42501 42501 OM001 OM001 OM001'),
('orders: UPDATE of people''s columns', $$UPDATE shop.orders SET po_number = '1', priority = 2, attributes = '{}' WHERE number = 'S-1000'$$, '42501 42501 ok ok ok'),
('orders: UPDATE of fixed columns', $$UPDATE shop.orders SET currency = 'USD' WHERE number = 'S-1000'$$, '42501 42501 42501 42501 OM006'),
('orders: UPDATE of engine columns', $$UPDATE shop.orders SET captured = 5 WHERE number = 'S-1000'$$, '42501 42501 42501 42501 OM005'),
('orders: the same with revision', $$UPDATE shop.orders SET captured = 5, revision = revision + 1 WHERE number = 'S-1000'$$, '42501 42501 42501 42501 OM005'),
('orders: DELETE of a placed one', $$DELETE FROM shop.orders WHERE number = 'S-1000'$$, '42501 42501 42501 42501 OM006'),
('orders: DELETE of a draft', $$DELETE FROM shop.orders WHERE number = 'S-1001'$$, '42501 42501 42501 42501 ok'),
('orders: TRUNCATE', $$TRUNCATE shop.orders CASCADE$$, '42501 42501 42501 42501 OM006'),
('order_lines: SELECT', $$SELECT quantity, allocated FROM shop.order_lines$$, '42501 ok ok ok ok'),
('order_lines: INSERT, of a draft', $$INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) SELECT id, 2, 'mug', 1, 1 FROM shop.orders WHERE number = 'S-1001'$$, '42501 42501 ok ok ok'),
('order_lines: INSERT, of a placed order', $$INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) SELECT id, 2, 'mug', 1, 1 FROM shop.orders WHERE number = 'S-1000'$$, '42501 42501 OM006 OM006 OM006'),
('order_lines: INSERT of an engine column', $$INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, shipped) SELECT id, 2, 'mug', 1, 1, 1 FROM shop.orders WHERE number = 'S-1001'$$, '42501 42501 42501 42501 OM005'),
('order_lines: UPDATE of people''s columns', $$UPDATE shop.order_lines SET description = 'x'$$, '42501 42501 42501 42501 ok'),
('order_lines: UPDATE of quantity, placed', $$UPDATE shop.order_lines l SET quantity = 6 FROM shop.orders o WHERE o.id = order_id AND number = 'S-1000'$$, '42501 42501 42501 42501 OM006'),
('order_lines: UPDATE of engine columns', $$UPDATE shop.order_lines SET allocated = 0$$, '42501 42501 42501 42501 OM005'),
('order_lines: DELETE, of a placed order', $$DELETE FROM shop.order_lines l USING shop.orders o WHERE o.id = order_id AND number = 'S-1000'$$, '42501 42501 42501 42501 OM006'),
('order_lines: TRUNCATE', $$TRUNCATE shop.order_lines CASCADE$$, '42501 42501 42501 42501 OM006'),
('order_charges: SELECT', $$SELECT amount FROM shop.order_charges$$, '42501 ok ok ok ok'),
('order_charges: INSERT, of a draft', $$INSERT INTO shop.order_charges (order_id, kind, amount) SELECT id, 'fee', 1 FROM shop.orders WHERE number = 'S-1001'$$, '42501 42501 ok ok ok'),
('order_charges: INSERT, of a placed order', $$INSERT INTO shop.order_charges (order_id, kind, amount) SELECT id, 'fee', 1 FROM shop.orders WHERE number = 'S-1000'$$, '42501 42501 OM006 OM006 OM006'),
('order_charges: UPDATE, of a placed order', $$UPDATE shop.order_charges SET amount = 0$$, '42501 42501 42501 42501 OM006'),
('order_charges: DELETE, of a placed order', $$DELETE FROM shop.order_charges$$, '42501 42501 42501 42501 OM006'),
('order_charges: TRUNCATE', $$TRUNCATE shop.order_charges$$, '42501 42501 42501 42501 OM006'),
('order_holds: SELECT', $$SELECT kind FROM shop.order_holds$$, '42501 ok ok ok ok'),
('order_holds: INSERT', $$INSERT INTO shop.order_holds (order_id, kind) SELECT id, 'fraud' FROM shop.orders$$, '42501 42501 ok ok ok'),
('order_holds: UPDATE, releasing it', $$UPDATE shop.order_holds SET released_at = now()$$, '42501 42501 ok ok ok'),
('order_holds: UPDATE of what it is', $$UPDATE shop.order_holds SET kind = 'fraud'$$, '42501 42501 42501 42501 OM006'),
('order_holds: DELETE', $$DELETE FROM shop.order_holds$$, '42501 42501 42501 42501 OM005'),
('order_holds: TRUNCATE', $$TRUNCATE shop.order_holds$$, '42501 42501 42501 42501 OM005'),
('fulfillments: SELECT', $$SELECT number, stock_state FROM shop.fulfillments$$, '42501 ok ok ok ok'),
('fulfillments: INSERT', $$INSERT INTO shop.fulfillments (number, order_id, location, method, workflow, status) SELECT 'X', id, 'north', 'ship', 'ship', 'open' FROM shop.orders$$, '42501 42501 42501 42501 OM005'),
('fulfillments: UPDATE of status, a move', $$UPDATE shop.fulfillments SET status = 'shipped'$$, '42501 42501 ok ok ok'),
('fulfillments: UPDATE of status, no move', $$UPDATE shop.fulfillments SET status = 'delivered'$$, '42501 42501 OM001 OM001 OM001'),
('fulfillments: UPDATE of people''s columns', $$UPDATE shop.fulfillments SET carrier = 'x', tracking_number = 'y', promised_at = now()$$, '42501 42501 ok ok ok'),
('fulfillments: UPDATE of fixed columns', $$UPDATE shop.fulfillments SET location = 'empty'$$, '42501 42501 42501 42501 OM006'),
('fulfillments: UPDATE of engine columns', $$UPDATE shop.fulfillments SET stock_state = 'released'$$, '42501 42501 42501 42501 OM005'),
('fulfillments: the same with revision', $$UPDATE shop.fulfillments SET stock_state = 'released', revision = revision + 1$$, '42501 42501 42501 42501 OM005'),
('fulfillments: DELETE', $$DELETE FROM shop.fulfillments$$, '42501 42501 42501 42501 OM006'),
('fulfillments: TRUNCATE', $$TRUNCATE shop.fulfillments CASCADE$$, '42501 42501 42501 42501 OM006'),
('fulfillment_lines: SELECT', $$SELECT quantity FROM shop.fulfillment_lines$$, '42501 ok ok ok ok'),
('fulfillment_lines: INSERT', $$INSERT INTO shop.fulfillment_lines (fulfillment_id, order_line_id, sku, quantity, tracked) SELECT f.id, l.id, 'mug', 1, true FROM shop.fulfillments f, shop.order_lines l$$, '42501 42501 42501 42501 OM005'),
('location_loads: SELECT', $$SELECT units FROM shop.location_loads$$, '42501 ok ok ok ok'),
('location_loads: INSERT', $$INSERT INTO shop.location_loads VALUES ('a', '2026-01-01', 1)$$, '42501 42501 42501 42501 OM005'),
('location_loads: UPDATE', $$UPDATE shop.location_loads SET units = 2$$, '42501 42501 42501 42501 OM005'),
('location_loads: DELETE', $$DELETE FROM shop.location_loads$$, '42501 42501 42501 42501 OM005'),
('location_loads: TRUNCATE', $$TRUNCATE shop.location_loads$$, '42501 42501 42501 42501 OM005'),
('fulfillment_lines: UPDATE', $$UPDATE shop.fulfillment_lines SET quantity = 1$$, '42501 42501 42501 42501 OM005'),
('fulfillment_lines: DELETE', $$DELETE FROM shop.fulfillment_lines$$, '42501 42501 42501 42501 OM006'),
('fulfillment_lines: TRUNCATE', $$TRUNCATE shop.fulfillment_lines$$, '42501 42501 42501 42501 OM006'),
('packages: SELECT', $$SELECT status FROM shop.packages$$, '42501 ok ok ok ok'),
('packages: INSERT', $$INSERT INTO shop.packages (fulfillment_id, carrier, tracking_number) SELECT id, 'dhl', '1' FROM shop.fulfillments LIMIT 1$$, '42501 42501 ok ok ok'),
('packages: INSERT of an engine column', $$INSERT INTO shop.packages (fulfillment_id, status) SELECT id, 'lost' FROM shop.fulfillments$$, '42501 42501 42501 42501 OM005'),
('packages: UPDATE of people''s columns', $$UPDATE shop.packages SET carrier = 'ups', weight_grams = 5, voided_at = now() WHERE status = 'packed'$$, '42501 42501 ok ok ok'),
('packages: UPDATE of engine columns', $$UPDATE shop.packages SET status = 'delivered'$$, '42501 42501 42501 42501 OM005'),
('packages: DELETE', $$DELETE FROM shop.packages$$, '42501 42501 42501 42501 OM006'),
('packages: TRUNCATE', $$TRUNCATE shop.packages CASCADE$$, '42501 42501 42501 42501 OM006'),
('package_lines: SELECT', $$SELECT quantity FROM shop.package_lines$$, '42501 ok ok ok ok'),
('package_lines: INSERT', $$WITH p AS (INSERT INTO shop.packages (fulfillment_id) SELECT id FROM shop.fulfillments LIMIT 1 RETURNING id, fulfillment_id) INSERT INTO shop.package_lines SELECT p.id, l.order_line_id, 1 FROM p JOIN shop.fulfillment_lines l ON l.fulfillment_id = p.fulfillment_id$$, '42501 42501 ok ok ok'),
('package_lines: UPDATE', $$UPDATE shop.package_lines l SET quantity = 2 FROM shop.packages p WHERE p.id = l.package_id AND p.status = 'packed'$$, '42501 42501 ok ok ok'),
('package_lines: DELETE', $$DELETE FROM shop.package_lines l USING shop.packages p WHERE p.id = l.package_id AND p.status = 'packed'$$, '42501 42501 ok ok ok'),
('package_lines: TRUNCATE', $$TRUNCATE shop.package_lines$$, '42501 42501 42501 42501 OM006'),
('carrier_events: SELECT', $$SELECT code FROM shop.carrier_events$$, '42501 ok ok ok ok'),
('carrier_events: INSERT', $$INSERT INTO shop.carrier_events (package_id, carrier, code, at) SELECT id, 'dhl', 'in_transit', now() FROM shop.packages$$, '42501 42501 ok ok ok'),
('carrier_events: UPDATE', $$UPDATE shop.carrier_events SET code = 'lost'$$, '42501 42501 42501 42501 OM005'),
('carrier_events: DELETE', $$DELETE FROM shop.carrier_events$$, '42501 42501 42501 42501 OM005'),
('carrier_events: TRUNCATE', $$TRUNCATE shop.carrier_events$$, '42501 42501 42501 42501 OM005'),
('payments: SELECT', $$SELECT status, captured FROM shop.payments$$, '42501 ok ok ok ok'),
('payments: INSERT', $$INSERT INTO shop.payments (order_id, method, amount) SELECT id, 'card', 5 FROM shop.orders$$, '42501 42501 ok ok ok'),
('payments: INSERT of an engine column', $$INSERT INTO shop.payments (order_id, method, amount, captured) SELECT id, 'card', 5, 5 FROM shop.orders$$, '42501 42501 42501 42501 OM005'),
('payments: UPDATE of engine columns', $$UPDATE shop.payments SET captured = 5$$, '42501 42501 42501 42501 OM005'),
('payments: UPDATE of what it is', $$UPDATE shop.payments SET amount = 6$$, '42501 42501 42501 42501 OM006'),
('payments: DELETE', $$DELETE FROM shop.payments$$, '42501 42501 42501 42501 OM006'),
('payments: TRUNCATE', $$TRUNCATE shop.payments CASCADE$$, '42501 42501 42501 42501 OM006'),
('payment_transactions: SELECT', $$SELECT kind, outcome FROM shop.payment_transactions$$, '42501 ok ok ok ok'),
('payment_transactions: INSERT', $$INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount) SELECT id, 'sale', 'succeeded', 5 FROM shop.payments$$, '42501 42501 ok ok ok'),
('payment_transactions: UPDATE', $$UPDATE shop.payment_transactions SET amount = 1$$, '42501 42501 42501 42501 OM005'),
('payment_transactions: DELETE', $$DELETE FROM shop.payment_transactions$$, '42501 42501 42501 42501 OM005'),
('payment_transactions: TRUNCATE', $$TRUNCATE shop.payment_transactions$$, '42501 42501 42501 42501 OM005'),
('order_events: SELECT', $$SELECT event FROM shop.order_events$$, '42501 ok ok ok ok'),
('order_events: INSERT', $$INSERT INTO shop.order_events (order_id, entity, entity_id, event, actor) SELECT id, 'order', id, 'created', 'me' FROM shop.orders$$, '42501 42501 42501 42501 OM005'),
('order_events: UPDATE', $$UPDATE shop.order_events SET actor = 'x'$$, '42501 42501 42501 42501 OM005'),
('order_events: DELETE', $$DELETE FROM shop.order_events$$, '42501 42501 42501 42501 OM005'),
('order_events: TRUNCATE', $$TRUNCATE shop.order_events$$, '42501 42501 42501 42501 OM005'),
('stock: SELECT', $$SELECT available FROM shop.stock$$, '42501 ok ok ok ok'),
('stock: INSERT', $$INSERT INTO shop.stock (sku, location) VALUES ('cup', 'north')$$, '42501 42501 42501 42501 ok'),
('stock: INSERT with units', $$INSERT INTO shop.stock (sku, location, on_hand) VALUES ('cup', 'north', 5)$$, '42501 42501 42501 42501 OM005'),
('stock: UPDATE of safety_stock', $$UPDATE shop.stock SET safety_stock = 1$$, '42501 42501 42501 ok ok'),
('stock: UPDATE of engine columns', $$UPDATE shop.stock SET on_hand = 1000$$, '42501 42501 42501 42501 OM005'),
('stock: UPDATE of the key', $$UPDATE shop.stock SET location = 'empty'$$, '42501 42501 42501 42501 OM006'),
('stock: DELETE with units', $$DELETE FROM shop.stock$$, '42501 42501 42501 42501 OM005'),
('stock: TRUNCATE', $$TRUNCATE shop.stock$$, '42501 42501 42501 42501 OM005'),
('channel_stock_rules: SELECT', $$SELECT units FROM shop.channel_stock_rules$$, '42501 ok ok ok ok'),
('channel_stock_rules: INSERT', $$INSERT INTO shop.channel_stock_rules (channel, effect, units) VALUES ('web', 'keep_from', 1)$$, '42501 42501 42501 ok ok'),
('channel_stock_rules: UPDATE', $$UPDATE shop.channel_stock_rules SET units = 2$$, '42501 42501 42501 ok ok'),
('channel_stock_rules: DELETE', $$DELETE FROM shop.channel_stock_rules$$, '42501 42501 42501 ok ok'),
('channel_stock_rules: TRUNCATE', $$TRUNCATE shop.channel_stock_rules$$, '42501 42501 42501 42501 ok'),
('zones: SELECT', $$SELECT country FROM shop.zones$$, '42501 ok ok ok ok'),
('zones: INSERT', $$INSERT INTO shop.zones (code, country) VALUES ('de', 'DE')$$, '42501 42501 42501 ok ok'),
('zones: UPDATE', $$UPDATE shop.zones SET name = 'x'$$, '42501 42501 42501 ok ok'),
('zones: DELETE', $$DELETE FROM shop.zones$$, '42501 42501 42501 ok ok'),
('zones: TRUNCATE', $$TRUNCATE shop.zones CASCADE$$, '42501 42501 42501 42501 ok'),
('shipping_rates: SELECT', $$SELECT fixed FROM shop.shipping_rates$$, '42501 ok ok ok ok'),
('shipping_rates: INSERT', $$INSERT INTO shop.shipping_rates (fixed) VALUES (5)$$, '42501 42501 42501 ok ok'),
('shipping_rates: UPDATE', $$UPDATE shop.shipping_rates SET fixed = 6$$, '42501 42501 42501 ok ok'),
('shipping_rates: DELETE', $$DELETE FROM shop.shipping_rates$$, '42501 42501 42501 ok ok'),
('shipping_rates: TRUNCATE', $$TRUNCATE shop.shipping_rates$$, '42501 42501 42501 42501 ok'),
('sourcing_rules: SELECT', $$SELECT effect FROM shop.sourcing_rules$$, '42501 ok ok ok ok'),
('sourcing_rules: INSERT', $$INSERT INTO shop.sourcing_rules (channel, effect) VALUES ('phone', 'deny')$$, '42501 42501 42501 ok ok'),
('sourcing_rules: UPDATE', $$UPDATE shop.sourcing_rules SET channel = 'web'$$, '42501 42501 42501 ok ok'),
('sourcing_rules: DELETE', $$DELETE FROM shop.sourcing_rules$$, '42501 42501 42501 ok ok'),
('sourcing_rules: TRUNCATE', $$TRUNCATE shop.sourcing_rules$$, '42501 42501 42501 42501 ok'),
('sourcing_policies: SELECT', $$SELECT objective FROM shop.sourcing_policies$$, '42501 ok ok ok ok'),
('sourcing_policies: INSERT', $$INSERT INTO shop.sourcing_policies (objective) VALUES ('shipments')$$, '42501 42501 42501 ok ok'),
('sourcing_policies: UPDATE', $$UPDATE shop.sourcing_policies SET node_limit = 10$$, '42501 42501 42501 ok ok'),
('sourcing_policies: DELETE', $$DELETE FROM shop.sourcing_policies$$, '42501 42501 42501 ok ok'),
('sourcing_policies: TRUNCATE', $$TRUNCATE shop.sourcing_policies$$, '42501 42501 42501 42501 ok'),
('stock_holds: SELECT', $$SELECT quantity FROM shop.stock_holds$$, '42501 ok ok ok ok'),
('stock_holds: INSERT', $$INSERT INTO shop.stock_holds (ref, sku, location, quantity, expires_at, items_hash) VALUES ('x', 'mug', 'north', 1, now(), '')$$, '42501 42501 42501 42501 OM005'),
('stock_holds: UPDATE', $$UPDATE shop.stock_holds SET quantity = 2$$, '42501 42501 42501 42501 OM005'),
('stock_holds: DELETE', $$DELETE FROM shop.stock_holds$$, '42501 42501 42501 42501 OM005'),
('stock_holds: TRUNCATE', $$TRUNCATE shop.stock_holds$$, '42501 42501 42501 42501 OM005'),
('backorder_policies: SELECT', $$SELECT limit_units FROM shop.backorder_policies$$, '42501 ok ok ok ok'),
('backorder_policies: INSERT', $$INSERT INTO shop.backorder_policies (sku, policy, limit_units) VALUES ('cup', 'preorder', 5)$$, '42501 42501 42501 ok ok'),
('backorder_policies: INSERT with units', $$INSERT INTO shop.backorder_policies (sku, policy, backordered) VALUES ('cup', 'preorder', 5)$$, '42501 42501 42501 42501 OM005'),
('backorder_policies: UPDATE of its terms', $$UPDATE shop.backorder_policies SET policy = 'preorder', limit_units = 5, valid_until = '2099-01-01', expected_at = '2099-02-01'$$, '42501 42501 42501 ok ok'),
('backorder_policies: UPDATE of the SKU', $$UPDATE shop.backorder_policies SET sku = 'cup'$$, '42501 42501 42501 42501 OM006'),
('backorder_policies: UPDATE of engine columns', $$UPDATE shop.backorder_policies SET backordered = 5$$, '42501 42501 42501 42501 OM005'),
('backorder_policies: DELETE of one not used', $$DELETE FROM shop.backorder_policies$$, '42501 42501 42501 ok ok'),
('backorder_policies: TRUNCATE', $$TRUNCATE shop.backorder_policies CASCADE$$, '42501 42501 42501 42501 OM005'),
('stock_movements: SELECT', $$SELECT quantity FROM shop.stock_movements$$, '42501 ok ok ok ok'),
('stock_movements: INSERT', $$INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('cup', 'north', 'receipt', 5)$$, '42501 42501 42501 ok ok'),
('stock_movements: INSERT of its effect', $$INSERT INTO shop.stock_movements (sku, location, kind, quantity, on_hand_change) VALUES ('cup', 'north', 'receipt', 5, 50)$$, '42501 42501 42501 42501 OM005'),
('stock_movements: UPDATE', $$UPDATE shop.stock_movements SET quantity = 1$$, '42501 42501 42501 42501 OM005'),
('stock_movements: DELETE', $$DELETE FROM shop.stock_movements$$, '42501 42501 42501 42501 OM005'),
('stock_movements: TRUNCATE', $$TRUNCATE shop.stock_movements$$, '42501 42501 42501 42501 OM005'),
('inbound: SELECT', $$SELECT quantity FROM shop.inbound$$, '42501 ok ok ok ok'),
('inbound: INSERT', $$INSERT INTO shop.inbound (sku, location, quantity, status) VALUES ('cup', 'north', 5, 'received')$$, '42501 42501 42501 ok ok'),
('inbound: INSERT of engine columns', $$INSERT INTO shop.inbound (sku, location, quantity, received) VALUES ('cup', 'north', 5, 5)$$, '42501 42501 42501 42501 OM005'),
('inbound: UPDATE of status', $$UPDATE shop.inbound SET status = 'received'$$, '42501 42501 42501 ok ok'),
('inbound: UPDATE of engine columns', $$UPDATE shop.inbound SET received = 5$$, '42501 42501 42501 42501 OM005'),
('inbound: UPDATE of fixed columns', $$UPDATE shop.inbound SET sku = 'cup'$$, '42501 42501 42501 42501 OM006'),
('inbound: DELETE', $$DELETE FROM shop.inbound$$, '42501 42501 42501 42501 OM006'),
('inbound: TRUNCATE', $$TRUNCATE shop.inbound$$, '42501 42501 42501 42501 OM006'),
('stock_feeds: SELECT', $$SELECT ref, as_of FROM shop.stock_feeds$$, '42501 ok ok ok ok'),
('stock_feeds: INSERT', $$INSERT INTO shop.stock_feeds (location, ref) VALUES ('north', '1')$$, '42501 42501 42501 42501 OM005'),
('stock_feeds: UPDATE', $$UPDATE shop.stock_feeds SET as_of = now()$$, '42501 42501 42501 42501 OM005'),
('stock_feeds: DELETE', $$DELETE FROM shop.stock_feeds$$, '42501 42501 42501 42501 OM005'),
('stock_feeds: TRUNCATE', $$TRUNCATE shop.stock_feeds$$, '42501 42501 42501 42501 OM005'),
('stock_feed_items: SELECT', $$SELECT ref, as_of FROM shop.stock_feed_items$$, '42501 ok ok ok ok'),
('stock_feed_items: INSERT', $$INSERT INTO shop.stock_feed_items (location, sku, as_of, ref) VALUES ('north', 'mug', now(), '1')$$, '42501 42501 42501 42501 OM005'),
('stock_feed_items: UPDATE', $$UPDATE shop.stock_feed_items SET as_of = now()$$, '42501 42501 42501 42501 OM005'),
('stock_feed_items: DELETE', $$DELETE FROM shop.stock_feed_items$$, '42501 42501 42501 42501 OM005'),
('stock_feed_items: TRUNCATE', $$TRUNCATE shop.stock_feed_items$$, '42501 42501 42501 42501 OM005'),
('repairs: SELECT', $$SELECT was, became FROM shop.repairs$$, '42501 ok ok ok ok'),
('repairs: INSERT', $$INSERT INTO shop.repairs (table_name, key) VALUES ('stock', 'x')$$, '42501 42501 42501 42501 OM005'),
('repairs: UPDATE', $$UPDATE shop.repairs SET was = '1'$$, '42501 42501 42501 42501 OM005'),
('repairs: DELETE', $$DELETE FROM shop.repairs$$, '42501 42501 42501 42501 OM005'),
('repairs: TRUNCATE', $$TRUNCATE shop.repairs$$, '42501 42501 42501 42501 OM005'),
('customers: SELECT', $$SELECT name FROM shop.customers$$, '42501 ok ok ok ok'),
('customers: INSERT', $$INSERT INTO shop.customers (code) VALUES ('bob')$$, '42501 42501 ok ok ok'),
('customers: UPDATE', $$UPDATE shop.customers SET name = NULL, email = NULL$$, '42501 42501 ok ok ok'),
('customers: UPDATE of the key', $$UPDATE shop.customers SET id = oms.uuid7()$$, '42501 42501 OM006 OM006 OM006'),
('customers: DELETE of one with orders', $$DELETE FROM shop.customers$$, '42501 42501 42501 42501 23503'),
('customers: TRUNCATE', $$TRUNCATE shop.customers$$, '42501 42501 42501 42501 0A000'),
('addresses: SELECT', $$SELECT city FROM shop.addresses$$, '42501 ok ok ok ok'),
('addresses: INSERT', $$INSERT INTO shop.addresses (city) VALUES ('Bruges')$$, '42501 42501 ok ok ok'),
('addresses: UPDATE', $$UPDATE shop.addresses SET city = 'Bruges'$$, '42501 42501 42501 42501 OM006'),
('addresses: UPDATE, erasing it', $$UPDATE shop.addresses SET city = NULL$$, '42501 42501 42501 42501 ok'),
('addresses: DELETE of one in use', $$DELETE FROM shop.addresses$$, '42501 42501 42501 42501 23503'),
('addresses: TRUNCATE', $$TRUNCATE shop.addresses$$, '42501 42501 42501 42501 0A000'),
('channels: SELECT', $$SELECT name FROM shop.channels$$, '42501 ok ok ok ok'),
('channels: INSERT', $$INSERT INTO shop.channels (code, name) VALUES ('app', 'App')$$, '42501 42501 42501 ok ok'),
('channels: UPDATE', $$UPDATE shop.channels SET if_short = 'hold'$$, '42501 42501 42501 ok ok'),
('channels: UPDATE of the key', $$UPDATE shop.channels SET code = 'x' WHERE code = 'phone'$$, '42501 42501 42501 OM006 OM006'),
('channels: DELETE', $$DELETE FROM shop.channels WHERE code = 'phone'$$, '42501 42501 42501 ok ok'),
('channels: TRUNCATE', $$TRUNCATE shop.channels$$, '42501 42501 42501 42501 0A000'),
('locations: SELECT', $$SELECT name FROM shop.locations$$, '42501 ok ok ok ok'),
('locations: INSERT', $$INSERT INTO shop.locations (code, name) VALUES ('south', 'South')$$, '42501 42501 42501 ok ok'),
('locations: UPDATE', $$UPDATE shop.locations SET priority = 3$$, '42501 42501 42501 ok ok'),
('locations: UPDATE of the key', $$UPDATE shop.locations SET code = 'x' WHERE code = 'empty'$$, '42501 42501 42501 OM006 OM006'),
('locations: DELETE', $$DELETE FROM shop.locations WHERE code = 'empty'$$, '42501 42501 42501 ok ok'),
('locations: TRUNCATE', $$TRUNCATE shop.locations$$, '42501 42501 42501 42501 0A000'),
('methods: SELECT', $$SELECT name FROM shop.methods$$, '42501 ok ok ok ok'),
('methods: INSERT', $$INSERT INTO shop.methods (code, name, workflow) VALUES ('bike', 'Bicycle', 'ship')$$, '42501 42501 42501 ok ok'),
('methods: UPDATE', $$UPDATE shop.methods SET name = 'x'$$, '42501 42501 42501 ok ok'),
('methods: UPDATE of the key', $$UPDATE shop.methods SET code = 'x' WHERE code = 'service'$$, '42501 42501 42501 OM006 OM006'),
('methods: DELETE', $$DELETE FROM shop.methods WHERE code = 'service'$$, '42501 42501 42501 ok ok'),
('methods: TRUNCATE', $$TRUNCATE shop.methods$$, '42501 42501 42501 42501 0A000'),
('bundle_items: SELECT', $$SELECT quantity FROM shop.bundle_items$$, '42501 ok ok ok ok'),
('bundle_items: INSERT', $$INSERT INTO shop.bundle_items (bundle, sku) VALUES ('set', 'cup')$$, '42501 42501 42501 ok ok'),
('bundle_items: UPDATE', $$UPDATE shop.bundle_items SET quantity = 2$$, '42501 42501 42501 ok ok'),
('bundle_items: DELETE', $$DELETE FROM shop.bundle_items$$, '42501 42501 42501 ok ok'),
('bundle_items: TRUNCATE', $$TRUNCATE shop.bundle_items$$, '42501 42501 42501 42501 OM005'),
('bundle_components: SELECT', $$SELECT quantity FROM shop.bundle_components$$, '42501 ok ok ok ok'),
('bundle_components: INSERT', $$INSERT INTO shop.bundle_components VALUES ('set', 'cup', 1, 1)$$, '42501 42501 42501 42501 OM005'),
('bundle_components: UPDATE', $$UPDATE shop.bundle_components SET quantity = 2$$, '42501 42501 42501 42501 OM005'),
('bundle_components: DELETE', $$DELETE FROM shop.bundle_components$$, '42501 42501 42501 42501 OM005'),
('bundle_components: TRUNCATE', $$TRUNCATE shop.bundle_components$$, '42501 42501 42501 42501 OM005'),
('skus: SELECT', $$SELECT name FROM shop.skus$$, '42501 ok ok ok ok'),
('skus: INSERT', $$INSERT INTO shop.skus (code, name) VALUES ('jug', 'Jug')$$, '42501 42501 42501 ok ok'),
('skus: UPDATE', $$UPDATE shop.skus SET name = 'x'$$, '42501 42501 42501 ok ok'),
('skus: UPDATE of the key', $$UPDATE shop.skus SET code = 'x' WHERE code = 'cup'$$, '42501 42501 42501 OM006 OM006'),
('skus: DELETE', $$DELETE FROM shop.skus WHERE code = 'cup'$$, '42501 42501 42501 ok ok'),
('skus: TRUNCATE', $$TRUNCATE shop.skus$$, '42501 42501 42501 42501 0A000'),
('reasons: SELECT', $$SELECT description FROM shop.reasons$$, '42501 ok ok ok ok'),
('reasons: INSERT', $$INSERT INTO shop.reasons (code, description) VALUES ('late', 'Too late')$$, '42501 42501 42501 ok ok'),
('reasons: UPDATE', $$UPDATE shop.reasons SET description = 'x'$$, '42501 42501 42501 ok ok'),
('reasons: UPDATE of the key', $$UPDATE shop.reasons SET code = 'x' WHERE code = 'other'$$, '42501 42501 42501 OM006 OM006'),
('reasons: DELETE', $$DELETE FROM shop.reasons WHERE code = 'other'$$, '42501 42501 42501 ok ok'),
('reasons: TRUNCATE', $$TRUNCATE shop.reasons$$, '42501 42501 42501 42501 0A000'),
('workflows: SELECT', $$SELECT compiled FROM shop.workflows$$, '42501 ok ok ok ok'),
('workflows: INSERT', $$INSERT INTO shop.workflows (name, entity, definition) VALUES ('own', 'order', 'initial a; a -> b do reserve; b -> c do release; final c')$$, '42501 42501 42501 ok ok'),
('workflows: UPDATE', $$UPDATE shop.workflows SET definition = definition || '-- x'$$, '42501 42501 42501 ok ok'),
('workflows: UPDATE, losing a state in use', $$UPDATE shop.workflows SET definition = 'initial a; final a' WHERE name = 'standard'$$, '42501 42501 42501 OM004 OM004'),
('workflows: UPDATE of the key', $$UPDATE shop.workflows SET name = 'x' WHERE name = 'counter'$$, '42501 42501 42501 42501 OM006'),
('workflows: DELETE of one in use', $$DELETE FROM shop.workflows$$, '42501 42501 42501 23503 23503'),
('workflows: TRUNCATE', $$TRUNCATE shop.workflows$$, '42501 42501 42501 42501 0A000'),
('settings: SELECT', $$SELECT number_prefix FROM shop.settings$$, '42501 ok ok ok ok'),
('settings: INSERT', $$INSERT INTO shop.settings (id, layout_version) VALUES (2, 1)$$, '42501 42501 42501 42501 23514'),
('settings: UPDATE', $$UPDATE shop.settings SET number_prefix = 'X-'$$, '42501 42501 42501 42501 ok'),
('settings: DELETE', $$DELETE FROM shop.settings$$, '42501 42501 42501 42501 OM006'),
('settings: TRUNCATE', $$TRUNCATE shop.settings$$, '42501 42501 42501 42501 OM006'),
('views: SELECT', $$SELECT FROM shop.order_summary, shop.order_line_facts, shop.fulfillment_facts, shop.fulfillment_performance, shop.backlog, shop.package_facts, shop.stock_position, shop.order_timeline, shop.workflow_paths, shop.workflow_dwell, shop.workflow_conformance$$, '42501 ok ok ok ok'),
('sequences: nextval(order_number)', $$SELECT nextval('shop.order_number')$$, '42501 42501 42501 42501 ok'),
('oms.place_order', $$SELECT FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "customer": {"code": "ada", "phone": "1"}, "ship_to": {"city": "Lier"}, "lines": [{"sku": "mug", "quantity": 1, "unit_price": 1}], "charges": [{"kind": "fee", "amount": 1}], "holds": [{"kind": "fraud"}]}')$$, '42501 42501 ok ok ok'),
('oms.place_order, the same again', $$SELECT FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "customer": {"code": "ada", "name": "Ada"}, "ship_to": {"city": "Ghent"}, "external_ref": "1", "lines": [{"sku": "mug", "quantity": 5, "unit_price": 2}], "charges": [{"kind": "fee", "amount": 1}]}')$$, '42501 42501 ok ok ok'),
('oms.hold_stock', $$SELECT oms.hold_stock('shop', 'cart 2', '[{"sku": "mug", "quantity": 1}]')$$, '42501 42501 ok ok ok'),
('oms.extend_hold', $$SELECT oms.extend_hold('shop', 'cart 1')$$, '42501 42501 ok ok ok'),
('oms.release_hold', $$SELECT oms.release_hold('shop', 'cart 1')$$, '42501 42501 ok ok ok'),
('oms.cancel_lines', $$SELECT oms.cancel_lines('shop', id, '[{"line": 1, "quantity": 1}]') FROM (SELECT order_id AS id FROM shop_ids) o$$, '42501 42501 ok ok ok'),
('oms.split_fulfillment', $$SELECT oms.split_fulfillment('shop', id, '[{"line": 1, "quantity": 1}]') FROM (SELECT fulfillment_id AS id FROM shop_ids) f$$, '42501 42501 ok ok ok'),
('oms.change_delivery', $$SELECT oms.change_delivery('shop', order_id, '[{"line": 1, "quantity": 2}]', ship_to => '{"city": "Lier"}') FROM shop_ids$$, '42501 42501 ok ok ok'),
('oms.merge_fulfillments', $$SELECT oms.merge_fulfillments('shop', ARRAY[fulfillment_id, oms.split_fulfillment('shop', fulfillment_id, '[{"line": 1, "quantity": 1}]')]) FROM shop_ids$$, '42501 42501 ok ok ok'),
('oms.short_pick', $$SELECT oms.short_pick('shop', fulfillment_id, '[{"line": 1, "quantity": 1}]', 'not_found') FROM shop_ids$$, '42501 42501 ok ok ok'),
('oms.record_carrier_events', $$SELECT oms.record_carrier_events('shop', '{"carrier": "dhl", "events": []}')$$, '42501 42501 ok ok ok'),
('oms.replace_workflow', $$SELECT oms.replace_workflow('shop', 'counter', definition || 'open -> void do release; final void', '{"rejected": "void"}') FROM shop.workflows WHERE name = 'counter'$$, '42501 42501 42501 ok ok'),
('oms.next_moves', $$SELECT FROM oms.next_moves('shop', 'order', (SELECT order_id FROM shop_ids LIMIT 1))$$, '42501 ok ok ok ok'),
('oms.plan_order', $$SELECT FROM oms.plan_order('shop', (SELECT order_id FROM shop_ids LIMIT 1))$$, '42501 ok ok ok ok'),
('oms.plan_wave', $$SELECT FROM oms.plan_wave('shop')$$, '42501 42501 ok ok ok'),
('oms.wave_progress', $$SELECT FROM oms.wave_progress('shop')$$, 'ok ok ok ok ok'),
('oms.explain_plan', $$SELECT FROM oms.explain_plan('shop', (SELECT order_id FROM shop_ids LIMIT 1))$$, '42501 ok ok ok ok'),
('oms.quote', $$SELECT oms.quote('shop', '{"channel": "web", "lines": [{"sku": "mug", "quantity": 1, "method": "ship"}]}')$$, '42501 ok ok ok ok'),
('oms.receive_inbound', $$SELECT oms.receive_inbound('shop', (SELECT id FROM shop.inbound LIMIT 1), 2)$$, '42501 42501 42501 ok ok'),
('oms.availability', $$SELECT FROM oms.availability('shop', '{mug}', 'web')$$, '42501 ok ok ok ok'),
('oms.available_to_promise', $$SELECT oms.available_to_promise('shop', 'mug', 200)$$, '42501 ok ok ok ok'),
('oms.explain_source', $$SELECT oms.explain_source('shop', 'mug', 'north')$$, '42501 ok ok ok ok'),
('oms.tick', $$SELECT oms.tick('shop')$$, '42501 42501 ok ok ok'),
('oms.set_stock', $$SELECT oms.set_stock('shop', '{"ref": "1", "location": "north", "sequence": 1, "basis": "sellable", "items": [{"sku": "mug", "quantity": 7}]}')$$, '42501 42501 42501 ok ok'),
('oms.repair_store', $$SELECT oms.repair_store('shop')$$, '42501 42501 42501 42501 ok'),
('oms.verify_store', $$SELECT FROM oms.verify_store('shop')$$, '42501 ok ok ok ok'),
('oms.events_after', $$SELECT FROM oms.events_after('shop')$$, '42501 ok ok ok ok'),
('oms.to_mermaid', $$SELECT oms.to_mermaid('shop', 'standard')$$, '42501 ok ok ok ok'),
('oms.begin_import', $$SELECT oms.begin_import('shop')$$, '42501 42501 42501 42501 ok'),
('oms.grant_store', $$SELECT oms.grant_store('shop', 't_nobody', 'manager')$$, '42501 42501 42501 42501 ok'),
('oms.create_store', $$SELECT oms.create_store('another')$$, '42501 42501 42501 42501 ok');

CREATE TEMP TABLE shop_ids AS SELECT o.id AS order_id, f.id AS fulfillment_id FROM shop.orders o JOIN shop.fulfillments f ON f.order_id = o.id;
GRANT SELECT ON shop_ids TO PUBLIC;
SELECT is(state, outcome, concat_ws(' ', role, what, CASE WHEN state <> outcome THEN message END))
FROM matrix, unnest(ARRAY['nobody', 'reader', 'clerk', 'manager', 'owner'], string_to_array(outcomes, ' ')) WITH ORDINALITY AS x(role, outcome, n), pg_temp.try('t_' || role, statement)
ORDER BY place, n;
SELECT is((SELECT string_agg(what, ', ') FROM matrix WHERE array_length(string_to_array(outcomes, ' '), 1) <> 5), NULL, 'an outcome for each role');
SELECT is((SELECT string_agg(tablename || ' ' || word, ', ') FROM pg_tables, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS word WHERE schemaname = 'shop'
	AND NOT EXISTS (SELECT FROM matrix WHERE what LIKE tablename || ': ' || word || '%')), NULL, 'the matrix has every table');
SELECT is((SELECT string_agg(proname, ', ') FROM pg_proc WHERE pronamespace = 'shop'::regnamespace AND NOT EXISTS (SELECT FROM matrix WHERE what LIKE 'oms.' || proname || '%')), NULL, 'and every verb');
SELECT is((SELECT string_agg(rule, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL, 'nothing was damaged');
\set generated `sh test/security_matrix`
\set documented `sed -n '/^| Statement/,/^$/{/^|/p}' docs/security.md`
SELECT is(:'documented'::text, :'generated'::text, 'docs/security.md has this matrix; if not: sh test/security_matrix write');

-- the wrapper of each verb does no more and no less
SELECT is(state, CASE WHEN role = 'owner' THEN 'ok' ELSE '42501' END, role || ' shop.grant_store') FROM unnest(ARRAY['nobody', 'reader', 'clerk', 'manager', 'owner']) AS role, pg_temp.try('t_' || role, $$SELECT shop.grant_store('t_nobody', 'reader')$$);
SELECT is(state, CASE WHEN role IN ('nobody', 'reader') THEN '42501' ELSE 'ok' END, role || ' shop.place_order') FROM unnest(ARRAY['nobody', 'reader', 'clerk', 'manager', 'owner']) AS role,
	pg_temp.try('t_' || role, $$SELECT FROM shop.place_order('{"channel": "web", "currency": "EUR", "lines": [{"sku": "mug", "quantity": 1, "unit_price": 1}]}')$$);

-- ---- grants, column by column: the comments say whose a column is

CREATE FUNCTION pg_temp.granted(who text, tables text, privilege text) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(a.attname, ' ' ORDER BY a.attname) FROM pg_attribute a WHERE attrelid = ('shop.' || tables)::regclass AND attnum > 0 AND NOT attisdropped AND has_column_privilege(who, attrelid, attnum, privilege) $$;
CREATE FUNCTION pg_temp.columns(tables text, without text) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(a.attname, ' ' ORDER BY a.attname) FROM pg_attribute a WHERE attrelid = ('shop.' || tables)::regclass AND attnum > 0 AND NOT attisdropped AND col_description(attrelid, attnum) !~ without $$;
SELECT is(pg_temp.granted('t_clerk', 'orders', 'INSERT'), pg_temp.columns('orders', 'kept by the engine|How often the engine'), 'a clerk inserts all of orders that the engine does not keep');
SELECT is(pg_temp.granted('t_clerk', 'orders', 'UPDATE'), pg_temp.columns('orders', 'kept by the engine|How often the engine|fixed \(OM006\)'), 'and updates what is not fixed either');
SELECT is(pg_temp.granted('t_clerk', 'fulfillments', 'UPDATE'), pg_temp.columns('fulfillments', 'kept by the engine|How often the engine|fixed \(OM006\)'), 'so in fulfillments');
SELECT is(pg_temp.granted('t_clerk', 'order_lines', 'INSERT'), pg_temp.columns('order_lines', 'kept by the engine|How often the engine'), 'and lines');
SELECT is(pg_temp.granted('t_clerk', 'order_holds', 'UPDATE'), 'released_at released_by', 'a hold''s release');
SELECT is(pg_temp.granted('t_manager', 'stock', 'UPDATE'), 'safety_stock', 'a manager''s columns of stock');
SELECT is(pg_temp.granted('t_manager', 'workflows', 'UPDATE'), 'definition description', 'of workflows');
SELECT is((SELECT string_agg(concat_ws(' ', who, c.relname, privilege), ', ') FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND attname = 'revision', unnest(ARRAY['t_reader', 't_clerk', 't_manager']) AS who,
	unnest(ARRAY['INSERT', 'UPDATE']) AS privilege WHERE relnamespace = 'shop'::regnamespace AND relkind = 'r' AND has_column_privilege(who, c.oid, attnum, privilege)), NULL, 'nobody is granted revision');
SELECT is((SELECT string_agg(concat_ws(' ', who, c.oid::regclass, privilege), ', ') FROM pg_class c, unnest(ARRAY['t_reader', 't_clerk', 't_manager']) AS who, unnest(ARRAY['TRUNCATE', 'TRIGGER', 'REFERENCES', 'SELECT WITH GRANT OPTION']) AS privilege
	WHERE relnamespace = 'shop'::regnamespace AND relkind IN ('r', 'v') AND has_table_privilege(who, c.oid, privilege)), NULL, 'nor TRUNCATE, TRIGGER, REFERENCES or the right to grant');
SELECT is((SELECT string_agg(concat_ws(' ', who, c.relname), ', ' ORDER BY who, c.relname) FROM pg_class c, unnest(ARRAY['t_reader', 't_clerk', 't_manager']) AS who WHERE relnamespace = 'shop'::regnamespace AND relkind = 'S' AND has_sequence_privilege(who, c.oid, 'USAGE, UPDATE')),
	't_clerk carrier_events_id_seq, t_clerk payment_transactions_id_seq, t_manager carrier_events_id_seq, t_manager payment_transactions_id_seq, t_manager stock_movements_id_seq', 'three sequences, for who inserts carrier events, transactions and movements');
SELECT is((SELECT string_agg(who, ' ') FROM unnest(ARRAY['t_nobody', 't_reader', 't_clerk', 't_manager']) AS who WHERE has_schema_privilege(who, 'shop', 'CREATE')), NULL, 'CREATE is the owner''s alone');

-- ---- what it refuses, and once more

SELECT throws_ok(call, state, message, call) FROM (VALUES
	($$ SELECT oms.grant_store('nowhere', 't_clerk', 'clerk') $$, 'OM010', 'store "nowhere" does not exist'),
	($$ SELECT oms.grant_store('public', 't_clerk', 'clerk') $$, 'OM010', 'schema "public" is not a store'),
	($$ SELECT oms.grant_store('shop', 't_clerk', 'boss') $$, '22023', 'unknown level "boss"'),
	($$ SELECT oms.grant_store('shop', 't_clerk', 'Clerk') $$, '22023', 'unknown level "Clerk"'),
	($$ SELECT oms.grant_store('shop', 't_clerk', '') $$, '22023', 'unknown level ""'),
	($$ SELECT oms.grant_store('shop', 't_unknown', 'clerk') $$, '42704', 'role "t_unknown" does not exist'),
	($$ SELECT oms.grant_store('shop', '', 'clerk') $$, '42704', 'role "" does not exist'),
	($$ SELECT oms.grant_store('shop', rpad('t_clerk', 64), 'clerk') $$, '42704', format('role "%s" does not exist', rpad('t_clerk', 64))),
	($$ SELECT oms.grant_store(NULL, 't_clerk', 'clerk') $$, '22004', 'store, role and level must not be null'),
	($$ SELECT oms.grant_store('shop', 't_clerk; DROP TABLE x', 'clerk') $$, '42704', 'role "t_clerk; DROP TABLE x" does not exist'),
	($$ SELECT oms.grant_store(NULL, 't_clerk', 'clerk') $$, '22004', NULL),
	($$ SELECT oms.grant_store('shop', NULL, 'clerk') $$, '22004', NULL),
	($$ SELECT oms.grant_store('shop', 't_clerk', NULL) $$, '22004', NULL)) AS v(call, state, message);
SET ROLE t_clerk;
SELECT throws_ok($$ SELECT oms.grant_store('shop', 't_nobody', 'reader') $$, '42501', 'must be owner of schema shop', 'somebody with rights does not hand them on');
RESET ROLE;
CREATE FUNCTION pg_temp.acls() RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(concat_ws(' ', relname, relacl::text, (SELECT string_agg(attname || attacl::text, ' ' ORDER BY attname) FROM pg_attribute WHERE attrelid = c.oid)), E'\n' ORDER BY relname) FROM pg_class c WHERE relnamespace = 'shop'::regnamespace $$;
SELECT pg_temp.acls() AS before \gset
SET ROLE t_owner;
SELECT oms.grant_store('shop', 't_clerk', 'clerk'), oms.grant_store('shop', 't_manager', 'manager'), oms.grant_store('shop', 't_manager', 'reader');
SELECT is(pg_temp.acls(), :'before', 'once more changes nothing, and a lower level takes nothing away');
ALTER TABLE shop.orders ADD COLUMN gift boolean;
CREATE VIEW shop.own_view AS SELECT 1;
SELECT shop.grant_store('t_clerk', 'clerk');
SELECT ok(has_column_privilege('t_clerk', 'shop.orders', 'gift', 'UPDATE') AND has_table_privilege('t_clerk', 'shop.own_view', 'SELECT'), 'repeated after columns and views were added it grants them');
DROP VIEW shop.own_view;
RESET ROLE;
-- a table of somebody else's in the store is passed over
GRANT CREATE ON SCHEMA shop TO t_reader;
SET ROLE t_reader;
CREATE TABLE shop.theirs ();
SET ROLE t_owner;
SELECT lives_ok($$ SELECT oms.grant_store('shop', 't_clerk', 'clerk') $$, 'a table of somebody else''s is no matter');
RESET ROLE;
SELECT ok(NOT has_table_privilege('t_clerk', 'shop.theirs', 'SELECT'), 'nor granted');
DROP TABLE shop.theirs;
REVOKE CREATE ON SCHEMA shop FROM t_reader;
-- a member of the owner is as good as the owner
CREATE ROLE t_member IN ROLE t_owner;
SET ROLE t_member;
SELECT lives_ok($$ SELECT oms.grant_store('shop', 't_clerk', 'clerk') $$, 'a member of the owner grants');
RESET ROLE;
-- names that need quoting
CREATE ROLE "t ""x""; --";
SET ROLE t_owner;
SELECT oms.create_store('we"ird; --');
SELECT lives_ok($$ SELECT oms.grant_store('we"ird; --', 't "x"; --', 'manager') $$, 'names that need quoting');
SELECT lives_ok($$ SELECT "we""ird; --".grant_store('t "x"; --', 'manager') $$, 'by the wrapper too');
RESET ROLE;
SELECT ok(has_column_privilege('t "x"; --', '"we""ird; --".stock', 'safety_stock', 'UPDATE'), 'are granted to');

-- ---- verbs ask for UPDATE of status, not of any column

CREATE ROLE t_notes;
GRANT USAGE ON SCHEMA shop TO t_notes;
GRANT SELECT, UPDATE (attributes) ON shop.orders, shop.fulfillments TO t_notes;
SELECT is((SELECT state || ' ' || message FROM pg_temp.try('t_notes', $$SELECT oms.cancel_lines('shop', order_id) FROM shop_ids$$)), '42501 permission denied for table orders', 'cancel_lines');
SELECT is((SELECT state || ' ' || message FROM pg_temp.try('t_notes', $$SELECT oms.split_fulfillment('shop', fulfillment_id, '[{"line": 1, "quantity": 1}]') FROM shop_ids$$)), '42501 permission denied for table fulfillments', 'split_fulfillment');
GRANT UPDATE (status) ON shop.orders, shop.fulfillments TO t_notes;
SELECT is((SELECT state FROM pg_temp.try('t_notes', $$SELECT oms.cancel_lines('shop', order_id) FROM shop_ids$$)), 'ok', 'cancel_lines with it');
SELECT is((SELECT state FROM pg_temp.try('t_notes', $$SELECT oms.split_fulfillment('shop', fulfillment_id, '[{"line": 1, "quantity": 1}]') FROM shop_ids$$)), 'ok', 'split_fulfillment with it');

-- ---- row level security

SET ROLE t_owner;
SELECT order_id AS phone_order FROM shop.place_order('{"channel": "phone", "currency": "EUR", "external_ref": "p1", "lines": [{"sku": "mug", "quantity": 5, "unit_price": 2}]}') \gset
SELECT id AS phone_fulfillment FROM shop.fulfillments WHERE order_id = :'phone_order' \gset
SELECT order_id AS web_order, fulfillment_id AS web_fulfillment FROM shop_ids \gset
ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE shop.fulfillments ENABLE ROW LEVEL SECURITY;
CREATE POLICY web ON shop.orders TO t_clerk USING (channel = 'web') WITH CHECK (channel = 'web');
CREATE POLICY web ON shop.fulfillments TO t_clerk USING (EXISTS (SELECT FROM shop.orders o WHERE o.id = order_id));
SET ROLE t_clerk;
SELECT is((SELECT string_agg(DISTINCT channel, ' ') FROM shop.orders), 'web', 'a clerk sees what the policy lets through');
SELECT is((SELECT count(*) FROM shop.order_summary WHERE channel <> 'web') + (SELECT count(*) FROM shop.fulfillment_facts f WHERE f.order_number NOT IN (SELECT number FROM shop.orders)), 0::bigint, 'views too');
UPDATE shop.orders SET status = 'canceled' WHERE channel = 'phone';
UPDATE shop.fulfillments SET status = 'shipped' WHERE id = :'phone_fulfillment';
RESET ROLE;
SELECT is((SELECT o.status || ' ' || f.status FROM shop.orders o JOIN shop.fulfillments f ON f.order_id = o.id WHERE f.id = :'phone_fulfillment'), 'confirmed released', 'moves and ships nothing else');
SET ROLE t_clerk;
SELECT throws_ok($$ INSERT INTO shop.orders (channel, currency) VALUES ('phone', 'EUR') $$, '42501', NULL, 'inserts nothing else');
SELECT throws_ok($$ SELECT FROM shop.place_order('{"channel": "phone", "currency": "EUR", "lines": [{"sku": "mug", "quantity": 1, "unit_price": 2}]}') $$, '42501', NULL, 'places nothing else');
SELECT throws_ok($$ SELECT FROM shop.place_order('{"channel": "phone", "currency": "EUR", "external_ref": "p1", "lines": [{"sku": "mug", "quantity": 5, "unit_price": 2}]}') $$, '42501', NULL, 'repeats nothing else');
SELECT throws_ok(format($$ SELECT shop.cancel_lines(%L) $$, :'phone_order'), 'OM012', NULL, 'cancels nothing else');
SELECT throws_ok(format($$ SELECT shop.split_fulfillment(%L, '[{"line": 1, "quantity": 1}]') $$, :'phone_fulfillment'), 'OM012', NULL, 'divides nothing else');
SELECT is((SELECT status FROM shop.place_order('{"channel": "web", "currency": "EUR", "lines": [{"sku": "mug", "quantity": 1, "unit_price": 2}]}')), 'confirmed', 'places its own');
SELECT is(shop.cancel_lines(:'web_order', '[{"line": 1, "quantity": 1}]'), 1::bigint, 'cancels its own');
SELECT lives_ok(format($$ SELECT shop.split_fulfillment(id, '[{"line": 1, "quantity": 1}]') FROM shop.fulfillments WHERE order_id = %L AND status = 'released' $$, :'web_order'), 'divides its own');
SELECT lives_ok(format($$ UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = %L AND status = 'released' $$, :'web_order'), 'ships its own');
SELECT is((SELECT units_shipped || ' ' || status FROM shop.orders WHERE id = :'web_order'), '4 completed', 'with all that follows');
RESET ROLE;
SELECT is((SELECT string_agg(rule, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL, 'verify_store');

-- an order that its role may not move is not left a draft
SET ROLE t_owner;
CREATE POLICY drafts ON shop.orders AS RESTRICTIVE FOR UPDATE TO t_clerk USING (status <> 'draft');
SELECT is((SELECT state FROM pg_temp.try('t_clerk', $$SELECT FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "mug", "quantity": 1, "unit_price": 2}]}')$$)), '42501', 'a policy on UPDATE that hides the draft');
DROP POLICY drafts ON shop.orders;
CREATE POLICY confirmed ON shop.orders AS RESTRICTIVE FOR SELECT TO t_clerk USING (status <> 'confirmed');
SELECT is((SELECT state FROM pg_temp.try('t_clerk', $$SELECT FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "mug", "quantity": 1, "unit_price": 2}]}')$$)), '42501', 'one on SELECT that hides what it becomes');
DROP POLICY confirmed ON shop.orders;

-- forced on the owner
ALTER TABLE shop.orders FORCE ROW LEVEL SECURITY;
ALTER TABLE shop.fulfillments FORCE ROW LEVEL SECURITY;
ALTER TABLE shop.stock ENABLE ROW LEVEL SECURITY;
ALTER TABLE shop.stock FORCE ROW LEVEL SECURITY;
ALTER TABLE shop.order_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE shop.order_events FORCE ROW LEVEL SECURITY;
ALTER TABLE shop.settings ENABLE ROW LEVEL SECURITY;
ALTER TABLE shop.settings FORCE ROW LEVEL SECURITY;
ALTER TABLE shop.workflows ENABLE ROW LEVEL SECURITY;
ALTER TABLE shop.workflows FORCE ROW LEVEL SECURITY;
SELECT is((SELECT count(*) FROM shop.orders) + (SELECT count(*) FROM shop.stock) + (SELECT count(*) FROM shop.order_events), 0::bigint, 'forced, the owner sees nothing');
SELECT throws_ok($$ SELECT FROM shop.place_order('{"channel": "web", "currency": "EUR", "lines": [{"sku": "mug", "quantity": 1, "unit_price": 2}]}') $$, '42501', NULL, 'and places nothing');
SELECT throws_ok(format($$ SELECT shop.cancel_lines(%L) $$, :'phone_order'), 'OM012', NULL, 'nor cancels');
CREATE POLICY owners ON shop.orders TO t_owner USING (channel = 'web');
SELECT is((SELECT status FROM shop.place_order('{"channel": "web", "currency": "EUR", "lines": [{"sku": "mug", "quantity": 1, "unit_price": 2}]}')), 'confirmed', 'with a policy it places, and the engine takes stock that the owner does not see');
SELECT throws_ok($$ SELECT FROM shop.place_order('{"channel": "phone", "currency": "EUR", "lines": [{"sku": "mug", "quantity": 1, "unit_price": 2}]}') $$, '42501', NULL, 'but only what the policy lets through');
SELECT throws_ok(format($$ SELECT shop.cancel_lines(%L) $$, :'phone_order'), 'OM012', NULL, 'still');
SET ROLE t_clerk;
SELECT order_id AS last_order FROM shop.place_order('{"channel": "web", "currency": "EUR", "external_ref": "w2", "lines": [{"sku": "mug", "quantity": 2, "unit_price": 2}]}') \gset
SELECT lives_ok(format($$ UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = %L $$, :'last_order'), 'a clerk ships');
SELECT is((SELECT status FROM shop.orders WHERE id = :'last_order'), 'completed', 'with all that follows');
SET ROLE t_manager;
SELECT lives_ok($$ INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('mug', 'north', 'count', 3) $$, 'a manager counts, and allocations give way');
RESET ROLE;
SELECT is((SELECT string_agg(rule, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL, 'verify_store');

SELECT * FROM finish();
ROLLBACK;
