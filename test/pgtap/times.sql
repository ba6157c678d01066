-- Times that people write are times: infinity is none, but where it means never.
BEGIN;
SET client_min_messages = error;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name) VALUES ('web', 'Web');
INSERT INTO shop.locations (code, name) VALUES ('a', 'A');
INSERT INTO shop.skus (code, name) VALUES ('shirt', 'Shirt');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('shirt', 'a', 'receipt', 1000);
SELECT order_id AS o FROM shop.place_order('{"channel": "web", "currency": "EUR", "lines": [{"sku": "shirt", "quantity": 2, "unit_price": 10}], "payments": [{"method": "card", "kind": "sale", "amount": 20}]}') \gset
SELECT id AS p FROM shop.payments \gset
INSERT INTO shop.order_holds (order_id, kind) VALUES (:'o', 'manual') RETURNING id AS h \gset

SELECT throws_ok(format(replace(statement, '?', quote_literal(t)), :'o', :'p', :'h'), '23514', NULL, left(statement, 60) || ' ' || t)
FROM unnest(ARRAY['infinity', '-infinity']) t, (VALUES
	('INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount, at) VALUES (%2$L, ''refund'', ''succeeded'', 1, ?)'),
	('INSERT INTO shop.stock_movements (sku, location, kind, quantity, at) VALUES (''shirt'', ''a'', ''receipt'', 1, ?)'),
	('INSERT INTO shop.inbound (sku, location, quantity, expected_at) VALUES (''shirt'', ''a'', 1, ?)'),
	('INSERT INTO shop.inbound (sku, location, quantity, created_at) VALUES (''shirt'', ''a'', 1, ?)'),
	('INSERT INTO shop.backorder_policies (sku, policy, valid_from) VALUES (''shirt'', ''backorder'', ?)'),
	('INSERT INTO shop.backorder_policies (sku, policy, valid_until) VALUES (''shirt'', ''backorder'', ?)'),
	('INSERT INTO shop.backorder_policies (sku, policy, expected_at) VALUES (''shirt'', ''backorder'', ?)'),
	('INSERT INTO shop.order_holds (order_id, kind, placed_at) VALUES (%1$L, ''fraud'', ?)'),
	('UPDATE shop.order_holds SET released_at = ? WHERE id = %3$L'),
	('INSERT INTO shop.orders (channel, currency, created_at) VALUES (''web'', ''EUR'', ?)'),
	('INSERT INTO shop.orders (channel, currency, ordered_at) VALUES (''web'', ''EUR'', ?)'),
	('UPDATE shop.orders SET ordered_at = ? WHERE id = %1$L'),
	('INSERT INTO shop.orders (channel, currency, requested_at) VALUES (''web'', ''EUR'', ?)'),
	('UPDATE shop.order_lines SET requested_at = ? WHERE order_id = %1$L'),
	('UPDATE shop.fulfillments SET requested_at = ? WHERE order_id = %1$L'),
	('SELECT oms.begin_import(''shop''); INSERT INTO shop.orders (channel, currency, status, closed_at) VALUES (''web'', ''EUR'', ''canceled'', ?)'),
	('SELECT oms.begin_import(''shop''); INSERT INTO shop.fulfillments (id, number, order_id, location, method, workflow, status, stock_state, shipped_at) VALUES (oms.uuid7(), ''X-1'', %1$L, ''a'', ''ship'', ''ship'', ''shipped'', ''issued'', ?)')
) v(statement);
SELECT throws_like(format('INSERT INTO shop.orders (channel, currency, created_at) VALUES (''web'', ''EUR'', %L)', 'infinity'), 'created_at of an order must be finite', 'which is said in words');

UPDATE shop.order_holds SET expires_at = 'infinity' WHERE id = :'h';
SELECT is((oms.tick('shop')).moves, 0::bigint, 'a hold that expires never');
SELECT ok(released_at IS NULL, 'is not released') FROM shop.order_holds WHERE id = :'h';

-- what docs/operations.md offers who wants lines to say where they are collected
ALTER TABLE shop.order_lines ADD CONSTRAINT collected_somewhere CHECK (pickup_location IS NOT NULL OR method NOT IN ('pickup', 'curbside'));
SELECT throws_ok($$ SELECT shop.place_order('{"channel": "web", "currency": "EUR", "lines": [{"sku": "shirt", "quantity": 2, "unit_price": 10, "method": "pickup"}]}') $$, '23514', NULL, 'a pickup nowhere');
SELECT lives_ok($$ SELECT shop.place_order('{"channel": "web", "currency": "EUR", "lines": [{"sku": "shirt", "quantity": 2, "unit_price": 10, "method": "pickup", "pickup_location": "a"}, {"sku": "shirt", "quantity": 2, "unit_price": 10}]}') $$, 'a pickup somewhere, and a parcel');
SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL, 'verify_store');

SELECT * FROM finish();
ROLLBACK;
