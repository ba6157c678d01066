-- oms.explain_plan: each verdict once, by hand.
BEGIN;
SET client_min_messages = error;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, default_method, if_short) VALUES ('web', 'Web', 'ship', 'hold');
INSERT INTO shop.locations (code, name, priority) VALUES ('a', 'A', 1), ('b', 'B', 2), ('c', 'C', 3), ('d', 'D', 4), ('e', 'E', 5), ('f', 'F', 6), ('gone', 'Gone', 7);
UPDATE shop.locations SET active = false WHERE code = 'gone';
INSERT INTO shop.skus (code, name, kind) SELECT s, s, 'physical' FROM unnest('{mug,cup,s1,s2,s3,s4,s5,s6,s7,s8}'::text[]) s UNION ALL VALUES ('fit', 'Fitting', 'service');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('mug', 'a', 'receipt', 4), ('mug', 'b', 'receipt', 9), ('mug', 'c', 'receipt', 9), ('cup', 'a', 'receipt', 5), ('cup', 'd', 'receipt', 5);

CREATE FUNCTION pg_temp.draft(lines text) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE o uuid;
BEGIN
	INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR') RETURNING id INTO o;
	INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, ship_group, location)
	SELECT o, n, split_part(l, ' ', 1), split_part(l, ' ', 2)::bigint, 1, nullif(split_part(l, ' ', 3), ''), nullif(split_part(l, ' ', 4), '') FROM unnest(string_to_array(lines, ', ')) WITH ORDINALITY AS u(l, n);
	RETURN o;
END $$;
CREATE FUNCTION pg_temp.say(o uuid) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', location, verdict, trim_scale(forced_cost), '(' || detail || ')'), E'\n' ORDER BY method, location) FROM oms.explain_plan('shop', o) $$;

-- ---- without a row that costs anything

SELECT pg_temp.draft('mug 3') AS o \gset
SELECT is(pg_temp.say(:'o'), 'a chosen 0 (ships 3 units)
b dominated 0 (location "a" has all it has, at no higher cost)
c dominated 0 (location "a" has all it has, at no higher cost)
d no_stock
e no_stock
f no_stock', 'the first by priority that has everything');
SELECT pg_temp.draft('mug 3, cup 2') AS o \gset
SELECT alike(pg_temp.say(:'o'), '%d dominated 0 (location "a" has all it has, at no higher cost)%', 'a location that has part of it');
SELECT pg_temp.draft('mug 8, cup 5') AS o \gset
SELECT is(pg_temp.say(:'o'), 'a chosen 0 (ships 9 units)
b chosen 0 (ships 4 units)
c dominated 0 (location "b" has all it has, at no higher cost)
d dominated 0 (location "a" has all it has, at no higher cost)
e no_stock
f no_stock', 'two that share it');

-- ---- with costs, rules and days

UPDATE shop.locations SET fixed_cost = 4, pick_cost = 0.05 WHERE code = 'a';
UPDATE shop.locations SET fixed_cost = 1, pick_cost = 0.25 WHERE code = 'b';
UPDATE shop.locations SET fixed_cost = 1, pick_cost = 0.25, daily_capacity = 0 WHERE code = 'c';
UPDATE shop.locations SET methods = '{pickup}' WHERE code = 'd';
INSERT INTO shop.sourcing_rules (id, location, effect) VALUES ('00000000-0000-0000-0000-00000000000e', 'e', 'deny');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('mug', 'e', 'receipt', 5), ('cup', 'f', 'receipt', 1);
SELECT pg_temp.draft('mug 2') AS o \gset
SELECT is(regexp_replace(pg_temp.say(:'o'), '\d{4}-\d\d-\d\d', 'today'), 'a costlier 4.1 (the best plan with it costs 2.6000 more)
b chosen 1.5 (ships 2 units)
c no_capacity (its day today is full)
d denied (sku "mug": the location does not offer the method)
e denied (sku "mug": sourcing rule 00000000-0000-0000-0000-00000000000e denies it)
f no_stock', 'what each is, and why');
SELECT pg_temp.draft('mug 6') AS o \gset
SELECT matches(pg_temp.say(:'o'), E'^a costlier 5.7 \\(the best plan with it makes 1 shipment more, costs 3.2000 more\\)\nb chosen 2.5 \\(ships 6 units\\)', 'one unit from there, the rest from where it is cheapest');
SELECT pg_temp.draft('mug 1 g b, mug 1') AS o \gset
SELECT matches(pg_temp.say(:'o'), 'a costlier', 'a line that names a location leaves the other line to all');
SELECT pg_temp.draft('mug 1 g b') AS o \gset
SELECT matches(pg_temp.say(:'o'), 'a denied \(line 1 names location "b"\)', 'and none to others where it is alone');
INSERT INTO shop.channel_stock_rules (channel, location, effect) VALUES ('web', 'a', 'deny');
SELECT pg_temp.draft('mug 2') AS o \gset
SELECT matches(pg_temp.say(:'o'), 'a denied \(sku "mug": channel_stock_rules deny it to the channel\)', 'rules on what a channel may take');
DELETE FROM shop.channel_stock_rules;
SELECT pg_temp.draft('fit 1') AS o \gset
SELECT matches(pg_temp.say(:'o'), 'b costlier 1 |b dominated 1 ', 'what takes no stock costs its shipment');
SELECT is((SELECT count(*) FROM oms.explain_plan('shop', :'o') WHERE location = 'gone'), 0::bigint, 'a location that is not active is not told of');

-- ---- each way that units go; orders that wait; what it leaves

INSERT INTO shop.orders (id, channel, currency, if_short) VALUES ('00000000-0000-0000-0000-000000000001', 'web', 'EUR', 'hold');
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, method, pickup_location) VALUES
	('00000000-0000-0000-0000-000000000001', 1, 'mug', 9, 1, 'ship', NULL), ('00000000-0000-0000-0000-000000000001', 2, 'mug', 4, 1, 'pickup', 'b');
SELECT is((SELECT string_agg(concat_ws(' ', method, pickup_location, location, verdict, trim_scale(forced_cost)), ', ' ORDER BY line, location) FROM (SELECT *, method = 'pickup' AS line FROM oms.explain_plan('shop', '00000000-0000-0000-0000-000000000001')) x WHERE location IN ('a', 'b')),
	'ship a costlier 6.45, ship b chosen 3.25, pickup b a chosen 4.2, pickup b b no_stock', 'the second way finds what the first has left');
UPDATE shop.orders SET status = 'placed' WHERE id = :'o';
SELECT is(pg_temp.say(:'o'), NULL, 'nothing of a placed order that has all');
SELECT pg_temp.draft('s1 5') AS o \gset
UPDATE shop.orders SET status = 'placed', ship_complete = true WHERE id = :'o';
UPDATE shop.locations SET active = false WHERE code = 'a';
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('s1', 'a', 'receipt', 3);
UPDATE shop.locations SET active = true WHERE code = 'a';
SELECT matches(pg_temp.say(:'o'), '^a no_stock \(the order ships complete', 'all or nothing, and there is not all');
UPDATE shop.locations SET active = false WHERE code = 'b';
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('s1', 'b', 'receipt', 2);
UPDATE shop.locations SET active = true WHERE code = 'b';
SELECT matches(pg_temp.say(:'o'), E'^a chosen 5.65 \\(ships 3 units\\)\nb chosen 5.65 \\(ships 2 units\\)\n', 'until there is');
SELECT is((SELECT count(*) FROM shop.fulfillments WHERE order_id = :'o'), 0::bigint, 'nothing is made');

CREATE ROLE explain_reader;
SELECT oms.grant_store('shop', 'explain_reader', 'reader');
SET ROLE explain_reader;
SELECT matches(pg_temp.say(:'o'), '^a chosen 5.65', 'a reader may ask');
RESET ROLE;
SET transaction_read_only = on;
SELECT matches(pg_temp.say(:'o'), '^a chosen 5.65', 'in a transaction that only reads');
SELECT throws_ok($$SELECT oms.explain_plan('shop', '00000000-0000-0000-0000-0000000000ff')$$, 'OM012', NULL, 'an order that is not there');
SELECT * FROM finish();
ROLLBACK;
