-- The views of those who run locations, fulfillment_performance and backlog, with
-- values made out by hand, and orders.fewest_shipments, which they go by.
BEGIN;
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT no_plan();
CREATE FUNCTION pg_temp.row(query text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE list text; BEGIN EXECUTE format('SELECT string_agg(r::text, '' '') FROM (%s) AS r', query) INTO list; RETURN list; END $$;

SELECT oms.create_store('shop');
SELECT is((SELECT count(*) FROM shop.fulfillment_performance) + (SELECT count(*) FROM shop.backlog), 0::bigint, 'an empty store has no rows');

-- ---- in how few shipments it could have left

INSERT INTO shop.channels (code, name, if_short) VALUES ('web', 'Web', 'hold'), ('strict', 'Strict', 'refuse');
INSERT INTO shop.locations (code, name, priority, fixed_cost) VALUES ('a', 'A', 1, 1), ('b', 'B', 2, 1), ('c', 'C', 3, 100);
INSERT INTO shop.skus (code, name) SELECT s, s FROM unnest('{hat,shirt,mug,pen,late}'::text[]) s;
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('hat', 'a', 'receipt', 50), ('shirt', 'b', 'receipt', 50), ('hat', 'c', 'receipt', 50), ('shirt', 'c', 'receipt', 50),
	('mug', 'a', 'receipt', 9), ('pen', 'b', 'receipt', 9);
CREATE FUNCTION pg_temp.place(lines text, ref text DEFAULT NULL, more jsonb DEFAULT '{}') RETURNS uuid LANGUAGE sql AS $$
	SELECT order_id FROM oms.place_order('shop', jsonb_build_object('channel', 'web', 'currency', 'EUR', 'external_ref', $2, 'lines',
		(SELECT jsonb_agg(jsonb_build_object('sku', split_part(l, ' ', 1), 'quantity', split_part(l, ' ', 2)::bigint, 'unit_price', 1)) FROM unnest(string_to_array($1, ', ')) l)) || $3) $$;
-- the same in steps
CREATE FUNCTION pg_temp.step(lines text) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
	o uuid;
BEGIN
	INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR') RETURNING id INTO o;
	INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price)
		SELECT o, n, split_part(l, ' ', 1), split_part(l, ' ', 2)::bigint, 1 FROM unnest(string_to_array(lines, ', ')) WITH ORDINALITY AS t(l, n);
	IF (SELECT fewest_shipments FROM shop.orders WHERE id = o) IS NOT NULL THEN RAISE 'a draft has some'; END IF;
	UPDATE shop.orders SET status = 'placed' WHERE id = o;
	RETURN o;
END $$;
CREATE FUNCTION pg_temp.fewest(o uuid) RETURNS text LANGUAGE sql AS $$ SELECT concat_ws(' of ', fewest_shipments, (SELECT count(*) FROM shop.fulfillments f WHERE f.order_id = o.id)) FROM shop.orders o WHERE id = $1 $$;
SELECT unnest(ARRAY[is(pg_temp.fewest(pg_temp.place(lines)), wanted, 'directly: ' || lines), is(pg_temp.fewest(pg_temp.step(lines)), wanted, 'in steps: ' || lines)])
FROM (VALUES ('hat 1', '1 of 1'), ('hat 1, shirt 1', '1 of 2'), ('mug 1, pen 1', '2 of 2'), ('mug 1, pen 1, hat 1, shirt 1', '2 of 2'), ('late 1', '0 of 0'), ('hat 1, late 2', '1 of 1')) AS t(lines, wanted);
SELECT is(pg_temp.fewest(pg_temp.place('hat 1, shirt 1', NULL, '{"lines": [{"sku": "hat", "quantity": 1, "unit_price": 1}, {"sku": "hat", "quantity": 1, "unit_price": 1, "method": "pickup"}]}')), '2 of 2', 'each way for itself');
SELECT oms.hold_stock('shop', 'cart', '[{"sku": "hat", "quantity": 1, "location": "a"}, {"sku": "shirt", "quantity": 1, "location": "b"}]');
SELECT is(pg_temp.fewest(pg_temp.place('hat 1, shirt 1', NULL, '{"stock_hold": "cart"}')), '1 of 2', 'where units were held does not count');
SELECT pg_temp.place('shirt 1, late 1') AS filled \gset
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('late', 'a', 'receipt', 20);
SELECT is(pg_temp.fewest(:'filled'), '2 of 2', 'units that come later are another shipment');
SELECT is((SELECT string_agg(fewest_shipments::text, ' ' ORDER BY id) FROM shop.orders WHERE number IN (SELECT o.number FROM shop.orders o JOIN shop.order_lines l ON l.order_id = o.id WHERE l.sku = 'late')), '1 1 2 2 2', 'of all who waited');
INSERT INTO shop.sourcing_policies (objective) VALUES ('shipments');
SELECT is(pg_temp.fewest(pg_temp.place('hat 1, shirt 1')), '1 of 1', 'a policy may ask for the fewest itself');
UPDATE shop.sourcing_policies SET objective = 'cost', unfilled_penalty = 0.5;
SELECT is(pg_temp.fewest(pg_temp.place('hat 1, shirt 1')), '0 of 0', 'what is left for its cost is in no shipment');
DELETE FROM shop.sourcing_policies;
INSERT INTO shop.sourcing_rules (sku, location, effect) VALUES ('hat', 'c', 'deny');
SELECT is(pg_temp.fewest(pg_temp.place('hat 1, shirt 1')), '2 of 2', 'nor could it have come from where it may not');
DELETE FROM shop.sourcing_rules;
UPDATE shop.locations SET daily_capacity = 1 WHERE code = 'c';
SELECT is(pg_temp.fewest(pg_temp.place('hat 1, shirt 1')), '2 of 2', 'nor from where the day is full');
UPDATE shop.locations SET daily_capacity = NULL WHERE code = 'c';

-- against all sets of locations, one by one
INSERT INTO shop.locations (code, name, priority, fixed_cost, pick_cost) SELECT 'r' || n, 'R', 9, n * 3 % 7, n % 3 FROM generate_series(1, 5) n;
INSERT INTO shop.skus (code, name) SELECT 's' || n, 'S' FROM generate_series(1, 5) n;
SELECT setseed(0.6);
INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT 's' || s, 'r' || r, 'receipt', 5 + floor(random() * 25) FROM generate_series(1, 5) s, generate_series(1, 5) r WHERE random() < 0.6;
CREATE FUNCTION pg_temp.truly(wanted jsonb) RETURNS integer LANGUAGE sql AS $$
	SELECT min(length(replace(places::text, '0', ''))) FROM (SELECT n::bit(5) AS places, n FROM generate_series(1, 31) n) p
	WHERE NOT EXISTS (SELECT FROM jsonb_each_text(wanted) w WHERE w.value::bigint > (SELECT coalesce(sum(s.available), 0) FROM shop.stock s WHERE s.sku = w.key AND s.location ~ '^r' AND n >> (right(s.location, 1)::integer - 1) & 1 = 1)) $$;
CREATE FUNCTION pg_temp.try(n integer) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	wanted jsonb := (SELECT jsonb_object_agg('s' || s, 1 + floor(random() * 9)) FROM generate_series(1, 5) s WHERE random() < 0.7);
	truth integer := pg_temp.truly(wanted);
	lines text := (SELECT string_agg(key || ' ' || value, ', ') FROM jsonb_each_text(wanted));
	o uuid;
BEGIN
	IF truth IS NULL THEN RETURN; END IF;
	o := CASE WHEN n % 2 = 0 THEN pg_temp.place(lines) ELSE pg_temp.step(lines) END;
	RETURN QUERY SELECT truth || CASE WHEN fewest_shipments = truth THEN ' true' ELSE ' wrong' END FROM shop.orders WHERE id = o;
	RETURN QUERY SELECT 'avoidable' FROM shop.fulfillments f WHERE f.order_id = o HAVING count(DISTINCT f.location) > truth;
END $$;
CREATE TEMP TABLE tries AS SELECT t FROM generate_series(1, 40) n, pg_temp.try(n) t;
SELECT is((SELECT count(*) FROM tries WHERE t ~ 'wrong'), 0::bigint, 'no set of fewer locations has it all, and one of as many has');
SELECT cmp_ok((SELECT count(*) FROM tries WHERE t ~ '^[2-5]'), '>', 3::bigint, 'some orders needed several');
SELECT cmp_ok((SELECT count(*) FROM tries WHERE t = 'avoidable'), '>', 1::bigint, 'some came from more than that, being cheaper');

-- recounted, as far as that can be
SELECT is((SELECT string_agg(rule, ', ') FROM oms.verify_store('shop') WHERE violations > 0), NULL, 'it verifies');
SAVEPOINT broken;
SET LOCAL session_replication_role = replica;
UPDATE shop.orders SET fewest_shipments = 3 WHERE id = :'filled';
UPDATE shop.orders SET fewest_shipments = 0 WHERE id = (SELECT order_id FROM shop.fulfillments ORDER BY id LIMIT 1);
INSERT INTO shop.orders (id, number, channel, workflow, status, currency, priority, if_short, fewest_shipments) VALUES (oms.uuid7(), 'draft', 'web', 'standard', 'draft', 'EUR', 1, 'hold', 1);
SET LOCAL session_replication_role = origin;
SELECT is((SELECT violations FROM oms.verify_store('shop') WHERE rule = 'an order''s fewest shipments are not more than were made'), 3::bigint, 'too many, too few, or of a draft');
SELECT is((SELECT string_agg(column_name || ' ' || was || ' ' || coalesce(became, 'NULL'), ', ' ORDER BY was) FROM oms.repair_store('shop')), 'fewest_shipments 0 1, fewest_shipments 1 NULL, fewest_shipments 3 2', 'is mended');
ROLLBACK TO broken;

-- ---- fulfillment_performance

SELECT oms.create_store('perf');
INSERT INTO perf.channels (code, name, if_short) VALUES ('web', 'Web', 'hold');
INSERT INTO perf.locations (code, name, priority, fixed_cost) VALUES ('a', 'A', 1, 1), ('b', 'B', 2, 1), ('c', 'C', 3, 100);
INSERT INTO perf.skus (code, name) SELECT s, s FROM unnest('{hat,shirt,mug,pen}'::text[]) s;
INSERT INTO perf.stock_movements (sku, location, kind, quantity) VALUES ('hat', 'a', 'receipt', 50), ('shirt', 'b', 'receipt', 50), ('hat', 'c', 'receipt', 50), ('shirt', 'c', 'receipt', 50),
	('mug', 'a', 'receipt', 9), ('pen', 'b', 'receipt', 9);
CREATE FUNCTION pg_temp.perf(ref text, lines text, more text DEFAULT '') RETURNS void LANGUAGE sql AS $$
	SELECT oms.place_order('perf', jsonb_build_object('channel', 'web', 'currency', 'EUR', 'external_ref', $1, 'lines',
		(SELECT jsonb_agg(jsonb_build_object('sku', split_part(l, ' ', 1), 'quantity', split_part(l, ' ', 2)::bigint, 'unit_price', 1)) FROM unnest(string_to_array($2, ', ')) l))) $$;
CREATE FUNCTION pg_temp.f(ref text, location text) RETURNS uuid LANGUAGE sql AS $$
	SELECT f.id FROM perf.fulfillments f JOIN perf.orders o ON o.id = f.order_id WHERE o.external_ref = $1 AND f.location = $2 ORDER BY f.number LIMIT 1 $$;
-- 1: hat from a, shirt from b, though c has both. 2: mug and pen are nowhere together. 3, 4, 5: a alone
SELECT pg_temp.perf(ref, lines) FROM (VALUES ('1', 'hat 2, shirt 1'), ('2', 'mug 1, pen 1'), ('3', 'hat 4'), ('4', 'hat 1'), ('5', 'hat 3'), ('6', 'hat 5'), ('7', 'hat 1')) AS t(ref, lines);
UPDATE perf.fulfillments SET carrier = 'post', promised_at = '2026-03-05T12:00:00Z' WHERE id NOT IN (pg_temp.f('6', 'a'), pg_temp.f('7', 'a'), pg_temp.f('5', 'a'));
INSERT INTO perf.packages (fulfillment_id, carrier) VALUES (pg_temp.f('5', 'a'), 'post'), (pg_temp.f('5', 'a'), 'ups');
UPDATE perf.fulfillments SET status = 'shipped' WHERE id IN (pg_temp.f('1', 'a'), pg_temp.f('1', 'b'), pg_temp.f('2', 'a'), pg_temp.f('2', 'b'), pg_temp.f('3', 'a'), pg_temp.f('5', 'a'));
UPDATE perf.fulfillments SET status = 'delivered' WHERE id IN (pg_temp.f('1', 'a'), pg_temp.f('2', 'a'), pg_temp.f('3', 'a'));
-- 6: two units are not found, the rest waits; 7: rejected as a whole, and sent from c, where it waits
SELECT oms.short_pick('perf', pg_temp.f('6', 'a'), '[{"line": 1, "quantity": 2}]');
UPDATE perf.fulfillments SET status = 'rejected' WHERE id = pg_temp.f('7', 'a');
-- divided, and merged again: what gave all its units away is not counted
SELECT oms.merge_fulfillments('perf', ARRAY[pg_temp.f('6', 'c'), oms.split_fulfillment('perf', pg_temp.f('6', 'c'), '[{"line": 1, "quantity": 1}]')]);
-- as if it had all taken its time
SET LOCAL session_replication_role = replica;
UPDATE perf.fulfillments SET created_at = '2026-03-01T00:00:00Z';
UPDATE perf.fulfillments f SET shipped_at = t.shipped, delivered_at = t.delivered FROM (VALUES
	('1', 'a', timestamptz '2026-03-01T10:00:00Z', timestamptz '2026-03-05T12:00:00Z'), ('2', 'a', '2026-03-01T20:00:00Z', '2026-03-05T12:00:01Z'), ('3', 'a', '2026-03-02T06:00:00Z', '2026-03-03T06:00:00Z'),
	('1', 'b', '2026-03-01T01:30:00Z', NULL), ('2', 'b', '2026-03-01T02:30:00Z', NULL), ('5', 'a', '2026-03-01T05:00:00Z', NULL)) AS t(ref, location, shipped, delivered) WHERE f.id = pg_temp.f(t.ref, t.location);
SET LOCAL session_replication_role = origin;
-- a by post: 1, 2 and 3 delivered, 4 waits and is late, 5 goes by post and another; 1 and 2 are split, 1 needlessly: one shipment too many, half of it here.
-- hours to ship 5, 10, 20, 30: median 15, p90 20 + 0.7 x 10. To deliver 98, 88, 24: median 88, p90 88 + 0.8 x 10; units 2 + 1 + 4 + 1 + 3
SELECT is(pg_temp.row($$ SELECT * FROM perf.fulfillment_performance WHERE location = 'a' AND carrier = 'post' $$), '(a,ship,post,5,11,4,3,15.00,27.00,88.00,96.00,3,2,1,0.5000,0,0,0.0000,2,0.5000,0.50,0.1250)', 'shipped, on time and split');
SELECT is(pg_temp.row($$ SELECT * FROM perf.fulfillment_performance WHERE location = 'b' $$), '(b,ship,post,2,2,2,0,2.00,2.40,,,0,0,2,0.0000,0,0,0.0000,2,1.0000,0.50,0.2500)', 'shipped and not delivered by the time: late');
-- a without carrier: what was left of 6 waits, what was not found of it, 7 rejected
SELECT is(pg_temp.row($$ SELECT * FROM perf.fulfillment_performance WHERE location = 'a' AND carrier IS NULL $$), '(a,ship,,3,6,0,0,,,,,0,0,0,,1,1,0.3333,0,,0.00,)', 'short picks are no rejects');
SELECT is(pg_temp.row($$ SELECT * FROM perf.fulfillment_performance WHERE location = 'c' $$), '(c,ship,,2,3,0,0,,,,,0,0,0,,0,0,0.0000,0,,0.00,)', 'what was merged away is not counted');
SELECT is((SELECT count(*) FROM perf.fulfillment_performance), 4::bigint, 'and no other rows');
SAVEPOINT more;
SET LOCAL session_replication_role = replica;
UPDATE perf.orders SET fewest_shipments = NULL WHERE external_ref = '1';
SET LOCAL session_replication_role = origin;
SELECT is(pg_temp.row($$ SELECT location, splits, split_rate, avoidable_splits, avoidable_split_rate FROM perf.fulfillment_performance WHERE carrier = 'post' ORDER BY 1 $$), '(a,2,0.5000,0.00,0.0000) (b,2,1.0000,0.00,0.0000)', 'of history nobody knows what could have been avoided');
SET LOCAL session_replication_role = replica;
UPDATE perf.fulfillments SET requested_at = '2026-03-01' WHERE id = pg_temp.f('1', 'b');
UPDATE perf.fulfillments SET gave_way = true WHERE id = pg_temp.f('7', 'a');
UPDATE perf.fulfillments SET closed_at = now() WHERE id = pg_temp.f('4', 'a');
SET LOCAL session_replication_role = origin;
SELECT is(pg_temp.row($$ SELECT location, carrier, splits, rejects, overdue FROM perf.fulfillment_performance WHERE location <> 'c' ORDER BY 1, 2 $$), '(a,post,1,0,0) (a,,0,0,0) (b,post,1,0,2)', 'another time is another way; what gave way was not rejected; what has ended waits for nothing');
ROLLBACK TO more;
SELECT is(pg_temp.row($$ SELECT carrier, packages, hours_late FROM perf.fulfillment_facts WHERE fulfillment_id IN (pg_temp.f('1', 'a')::text, pg_temp.f('2', 'a')::text, pg_temp.f('3', 'a')::text, pg_temp.f('5', 'a')::text, pg_temp.f('7', 'c')::text) ORDER BY number $$),
	'(post,0,0.00) (post,0,0.00) (post,0,-54.00) (post,2,) (,0,)', 'fulfillment_facts: carrier, packages and hours late');
UPDATE perf.packages SET voided_at = now() WHERE carrier = 'post';
SELECT is(pg_temp.row($$ SELECT carrier, packages FROM perf.fulfillment_facts WHERE fulfillment_id = pg_temp.f('5', 'a')::text $$), '(ups,1)', 'voided packages are none');

-- ---- backlog

SELECT oms.create_store('back');
INSERT INTO back.channels (code, name, if_short, default_method) VALUES ('web', 'Web', 'hold', 'ship');
INSERT INTO back.locations (code, name, priority, daily_capacity) VALUES ('a', 'A', 1, 20), ('b', 'B', 2, NULL);
INSERT INTO back.skus (code, name) SELECT s, s FROM unnest('{hat,mug,late}'::text[]) s;
INSERT INTO back.stock_movements (sku, location, kind, quantity) VALUES ('hat', 'a', 'receipt', 50), ('mug', 'b', 'receipt', 50);
INSERT INTO back.backorder_policies (sku, policy) VALUES ('late', 'backorder');
SELECT count(oms.place_order('back', jsonb_build_object('channel', 'web', 'currency', 'EUR', 'external_ref', ref, 'requested_at', requested, 'lines', lines)))
FROM (VALUES ('1', NULL, '[{"sku": "hat", "quantity": 2, "unit_price": 1}]'::jsonb), ('2', NULL, '[{"sku": "hat", "quantity": 3, "unit_price": 1}]'), ('3', NULL, '[{"sku": "hat", "quantity": 4, "unit_price": 1}]'),
	('4', NULL, '[{"sku": "hat", "quantity": 5, "unit_price": 1}]'), ('5', now() + interval '2 days', '[{"sku": "mug", "quantity": 1, "unit_price": 1}]'),
	('6', NULL, '[{"sku": "mug", "quantity": 60, "unit_price": 1}, {"sku": "late", "quantity": 7, "unit_price": 1, "method": "pickup"}]'), ('7', NULL, '[{"sku": "hat", "quantity": 1, "unit_price": 1}]')) AS t(ref, requested, lines);
CREATE FUNCTION pg_temp.b(ref text) RETURNS uuid LANGUAGE sql AS $$ SELECT f.id FROM back.fulfillments f JOIN back.orders o ON o.id = f.order_id WHERE o.external_ref = $1 $$;
UPDATE back.fulfillments SET status = 'shipped' WHERE id = pg_temp.b('7');
UPDATE back.fulfillments SET promised_at = now() - interval '1 second' WHERE id = pg_temp.b('1');
UPDATE back.fulfillments SET promised_at = now() WHERE id = pg_temp.b('2');
UPDATE back.fulfillments SET promised_at = now() + interval '40 hours' WHERE id = pg_temp.b('3');
-- an age begins at its lower bound
SET LOCAL session_replication_role = replica;
UPDATE back.fulfillments f SET created_at = now() - t.age FROM (VALUES ('1', interval '4 hours' - interval '1 microsecond'), ('2', interval '4 hours'), ('3', '24 hours'), ('4', '72 hours')) AS t(ref, age) WHERE f.id = pg_temp.b(t.ref);
UPDATE back.orders SET placed_at = now() - interval '71 hours' WHERE external_ref = '6';
SET LOCAL session_replication_role = origin;
SELECT is(pg_temp.row($$ SELECT location, method, age, age_rank, fulfillments, orders, units, now() - oldest_at, overdue, due_today, scheduled, load_today, daily_capacity, load_share FROM back.backlog WHERE location = 'a' ORDER BY age_rank $$),
	'(a,ship,"0-4 h",1,1,1,2,03:59:59.999999,1,0,0,15,20,0.7500) (a,ship,"4-24 h",2,1,1,3,04:00:00,0,1,0,15,20,0.7500) (a,ship,"1-3 d",3,1,1,4,"1 day",0,0,0,15,20,0.7500) (a,ship,"over 3 d",4,1,1,5,"3 days",0,0,0,15,20,0.7500)', 'by age, with the location''s day');
SELECT is(pg_temp.row($$ SELECT location, method, age, age_rank, fulfillments, orders, units, oldest_at = now(), overdue, due_today, scheduled, load_today, daily_capacity, load_share FROM back.backlog WHERE location = 'b' $$),
	'(b,ship,"0-4 h",1,2,2,50,t,0,0,1,,,)', 'no limit is no load; what is wanted later waits as well');
SELECT is(pg_temp.row($$ SELECT location, method, age, age_rank, fulfillments, orders, units, now() - oldest_at, overdue, due_today, scheduled, load_today, daily_capacity, load_share FROM back.backlog WHERE location IS NULL ORDER BY method $$),
	'(,pickup,"1-3 d",3,0,1,7,"2 days 23:00:00",0,0,0,,,) (,ship,"1-3 d",3,0,1,11,"2 days 23:00:00",0,0,0,,,)', 'what waits for stock is nowhere');
SELECT is((SELECT sum(units) FROM back.backlog WHERE location IS NULL), (SELECT sum(units_short + units_backordered) FROM back.orders)::numeric, 'all of it')
UNION ALL SELECT is((SELECT sum(units) FROM back.backlog WHERE location IS NOT NULL), (SELECT sum(units_allocated) FROM back.orders)::numeric, 'and all that is allocated');
UPDATE back.locations SET daily_capacity = 0 WHERE code = 'a';
SELECT is(pg_temp.row($$ SELECT DISTINCT load_today, daily_capacity, load_share FROM back.backlog WHERE location = 'a' $$), '(15,0,)', 'of no capacity there is no share');
-- today is the location's
UPDATE back.locations SET time_zone = 'Pacific/Kiritimati' WHERE code = 'a';
UPDATE back.fulfillments SET promised_at = date_trunc('day', now(), 'Pacific/Kiritimati') + interval '1 day' - interval '1 microsecond' WHERE id = pg_temp.b('2');
UPDATE back.fulfillments SET promised_at = date_trunc('day', now(), 'Pacific/Kiritimati') + interval '1 day' WHERE id = pg_temp.b('3');
SELECT is(pg_temp.row($$ SELECT age, due_today FROM back.backlog WHERE location = 'a' AND age_rank IN (2, 3) ORDER BY age_rank $$), '("4-24 h",1) ("1-3 d",0)', 'due today by the clock there');
SELECT is((SELECT string_agg(rule, ', ') FROM unnest('{perf,back}'::text[]) s, oms.verify_store(s) WHERE violations > 0), NULL, 'both verify');

SELECT * FROM finish();
ROLLBACK;
