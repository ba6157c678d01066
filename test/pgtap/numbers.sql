-- Numbers that people and imports give are passed over by those that the engine gives.
BEGIN;
SET client_min_messages = error;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name) VALUES ('web', 'Web');
INSERT INTO shop.locations (code, name) VALUES ('a', 'A');
INSERT INTO shop.skus (code, name) VALUES ('shirt', 'Shirt');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('shirt', 'a', 'receipt', 1000);
CREATE FUNCTION pg_temp.place(more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql
AS $$ SELECT number FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "shirt", "quantity": 2, "unit_price": 10}]}' || $1) $$;

INSERT INTO shop.orders (number, channel, currency) VALUES ('S-1000', 'web', 'EUR'), ('S-1001', 'web', 'EUR'), ('S-1003', 'web', 'EUR'), ('S-01004', 'web', 'EUR'), ('1005', 'web', 'EUR');
SELECT is(pg_temp.place(), 'S-1002', 'an order placed directly passes over numbers that are taken');
SELECT is(pg_temp.place('{"payments": [{"method": "card", "kind": "sale", "amount": 20}]}'), 'S-1004', 'as does one in steps');
INSERT INTO shop.orders (number, channel, currency) VALUES ('S-1006', 'web', 'EUR');
INSERT INTO shop.orders (channel, currency) SELECT 'web', 'EUR' FROM generate_series(1, 2);
SELECT bag_eq($$ SELECT number FROM shop.orders WHERE number > 'S-1004' AND number ~ '^S' $$, $$ VALUES ('S-1005'), ('S-1006'), ('S-1007') $$, 'and those that are inserted');
UPDATE shop.settings SET number_prefix = '';
ALTER SEQUENCE shop.order_number RESTART 1004;
SELECT is(ARRAY[pg_temp.place(), pg_temp.place()], '{1004,1006}', 'by the prefix of now');
UPDATE shop.settings SET number_prefix = 'S-';
SELECT throws_ok($$ INSERT INTO shop.orders (number, channel, currency) VALUES ('S-1002', 'web', 'EUR') $$, '23505', NULL, 'a number given twice is the giver''s fault');

-- an import, which does not set the sequence
SELECT oms.begin_import('shop');
INSERT INTO shop.orders (number, channel, currency, status) SELECT 'S-' || n, 'web', 'EUR', 'draft' FROM generate_series(1007, 4000) n WHERE n <> 1007;
SELECT throws_ok($$ SELECT pg_temp.place() $$, '55000', NULL, 'this transaction imports');
INSERT INTO shop.orders (channel, currency, status) VALUES ('web', 'EUR', 'draft') RETURNING number AS next \gset
SELECT is(:'next'::text, 'S-4001', 'after an import the numbers go on');

-- fulfillments of the past
INSERT INTO shop.orders (number, channel, currency, status, placed_at, confirmed_at, units, units_allocated, total) VALUES ('P-1', 'web', 'EUR', 'confirmed', now(), now(), 4, 4, 40) RETURNING id AS o \gset
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, allocated) VALUES (:'o', 1, 'shirt', 4, 10, 4) RETURNING id AS line \gset
INSERT INTO shop.fulfillments (id, number, order_id, location, method, workflow, status, stock_state) VALUES (oms.uuid7(), 'P-1-2', :'o', 'a', 'ship', 'ship', 'open', 'reserved') RETURNING id AS f \gset
INSERT INTO shop.fulfillment_lines (fulfillment_id, order_line_id, sku, quantity, tracked) VALUES (:'f', :'line', 'shirt', 4, true);
SELECT lives_ok(format('SELECT oms.split_fulfillment(''shop'', %L, ''[{"line": 1, "quantity": 1}]'')', :'f'), 'one whose number is not the first is divided');
SELECT is((SELECT string_agg(number, ' ' ORDER BY number) FROM shop.fulfillments WHERE order_id = :'o'), 'P-1-2 P-1-3', 'and the numbers go on after it');

SELECT * FROM finish();
ROLLBACK;
