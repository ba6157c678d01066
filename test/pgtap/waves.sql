-- Many orders planned together: what is saved, what must stay as it is, and that
-- costs are what the rows say.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, default_method) VALUES ('web', 'Web', 'ship'), ('b2b', 'B2B', 'ship');
INSERT INTO shop.locations (code, name, priority, fixed_cost, pick_cost) VALUES ('A', 'A', 1, 5, 1), ('B', 'B', 2, 5, 2), ('C', 'C', 3, 50, 9);
INSERT INTO shop.skus (code, name) VALUES ('X', 'X'), ('Y', 'Y'), ('Z', 'Z');
INSERT INTO shop.skus (code, name, kind) VALUES ('W', 'Two years more', 'warranty');
INSERT INTO shop.skus (code, name, kind) VALUES ('K', 'Two of a kind', 'bundle');
INSERT INTO shop.bundle_items (bundle, sku, quantity) VALUES ('K', 'Y', 2);
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('X', 'A', 'receipt', 1), ('X', 'B', 'receipt', 10), ('Y', 'A', 'receipt', 10), ('Z', 'C', 'receipt', 10), ('X', 'C', 'receipt', 10);

-- an order on hold: its fulfillments stay open
CREATE FUNCTION pg_temp.place(lines jsonb, fields jsonb DEFAULT '{}') RETURNS uuid LANGUAGE sql
AS $$ SELECT order_id FROM oms.place_order('shop', jsonb_build_object('channel', 'web', 'currency', 'EUR', 'holds', '[{"kind": "fraud"}]'::jsonb,
	'lines', (SELECT jsonb_agg(jsonb_build_object('quantity', 1, 'unit_price', 1) || l) FROM jsonb_array_elements(lines) l)) || fields) $$;
-- from where units come: order by order
CREATE VIEW pg_temp.sources AS
SELECT o.id, o.number || ':' || string_agg(format(' %s %s %s', l.quantity, l.sku, f.location), ',' ORDER BY l.sku, f.location) AS line
FROM shop.orders o JOIN shop.fulfillments f ON f.order_id = o.id JOIN shop.fulfillment_lines l ON l.fulfillment_id = f.id GROUP BY o.id;
CREATE FUNCTION pg_temp.sources() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(line, '; ' ORDER BY line COLLATE "C") FROM pg_temp.sources $$;
CREATE FUNCTION pg_temp.broken(store text DEFAULT 'shop') RETURNS text LANGUAGE sql AS $$ SELECT string_agg(rule || ' ' || violations, '; ') FROM oms.verify_store(store) WHERE violations > 0 $$;
-- what a wave says, money without zeros
CREATE FUNCTION pg_temp.wave(ids uuid[] DEFAULT NULL, budget interval DEFAULT '10 s') RETURNS text LANGUAGE sql
AS $$ SELECT format('%s -> %s, %s changed', trim_scale(cost_before), trim_scale(cost_after), orders_changed) || CASE WHEN lower_bound > cost_after OR cost_after > cost_before THEN ' BOUND' ELSE '' END FROM oms.plan_wave('shop', $1, $2) $$;
-- everything that a wave could write
CREATE FUNCTION pg_temp.all_rows() RETURNS text LANGUAGE sql AS $$
SELECT md5(string_agg(t, '|' ORDER BY t)) FROM (
	SELECT f::text FROM shop.fulfillments f UNION ALL SELECT l::text FROM shop.fulfillment_lines l UNION ALL SELECT o::text FROM shop.orders o
	UNION ALL SELECT l::text FROM shop.order_lines l UNION ALL SELECT s::text FROM shop.stock s UNION ALL SELECT e::text FROM shop.order_events e UNION ALL SELECT d::text FROM shop.location_loads d) r(t) $$;

-- ---- an early order took what a later one needs more

SELECT pg_temp.place('[{"sku": "X"}]') AS o1 \gset
SELECT pg_temp.place('[{"sku": "X"}, {"sku": "Y"}]') AS o2 \gset
SELECT is(pg_temp.sources(), 'S-1000: 1 X A; S-1001: 1 X B, 1 Y A', 'one by one');
SAVEPOINT early;
SELECT is(pg_temp.wave(), '19 -> 14, 2 changed', 'together they cost less');
SELECT is(pg_temp.sources(), 'S-1000: 1 X B; S-1001: 1 X A, 1 Y A', 'each has what it needs most');
SELECT is(pg_temp.broken(), NULL, 'and all adds up');
SELECT is((SELECT string_agg(number || ' ' || status || ' ' || stock_state, ', ' ORDER BY number COLLATE "C") FROM shop.fulfillments), 'S-1000-1 canceled released, S-1000-2 open reserved, S-1001-1 canceled released, S-1001-2 canceled released, S-1001-3 open reserved',
	'the old fulfillments end, new ones wait as those did');
SELECT is((SELECT string_agg(event || ' ' || detail, ', ' ORDER BY id) FROM shop.order_events WHERE order_id = :'o1' AND event IN ('allocated', 'emptied')),
	'allocated {"lines": [{"line": 1, "location": "A", "quantity": 1}], "units": 1}, emptied {"planned_anew": true}, allocated {"lines": [{"line": 1, "location": "B", "quantity": 1}], "units": 1}', 'the log tells');
SELECT is((SELECT string_agg(sku || location || ' ' || reserved, ', ' ORDER BY sku, location) FROM shop.stock WHERE reserved > 0), 'XA 1, XB 1, YA 1', 'stock');
SELECT pg_temp.all_rows() AS before \gset
SELECT is(pg_temp.wave(), '14 -> 14, 0 changed', 'again: there is nothing left to do');
SELECT is(pg_temp.all_rows(), :'before', 'and nothing is written');
UPDATE shop.order_holds SET released_at = now();
SELECT is((SELECT string_agg(number || ' ' || status, ', ' ORDER BY number COLLATE "C") FROM shop.fulfillments WHERE status <> 'canceled'), 'S-1000-2 released, S-1001-3 released', 'the new ones go on as any');
SELECT is(pg_temp.wave(), '0 -> 0, 0 changed', 'what is released is not planned any more');
ROLLBACK TO early;
SELECT is(pg_temp.wave(ARRAY[:'o1'::uuid]), '6 -> 6, 0 changed', 'of one of them alone there is nothing to gain');
SELECT is(pg_temp.wave(ARRAY[:'o1', :'o2', :'o2']::uuid[]), '19 -> 14, 2 changed', 'both named, one twice');
ROLLBACK TO early;
SELECT is(pg_temp.wave('{}'), '0 -> 0, 0 changed', 'none');
SELECT is(pg_temp.wave(budget => '1 microsecond') ~ '^19 -> (19, 0|14, 2) changed$', true, 'a budget that is over at once');
ROLLBACK TO early;
SELECT is((SELECT (cost_before, cost_after, orders_changed)::text FROM shop.plan_wave()), '(19.0000,14.0000,2)', 'the wrapper');
ROLLBACK TO early;
-- fulfillments from which all goes as before stay
SELECT pg_temp.place('[{"sku": "X"}, {"sku": "Y"}, {"sku": "Z"}]') AS o3 \gset
UPDATE shop.locations SET pick_cost = 0 WHERE code = 'C';
SELECT is(pg_temp.wave(), '82 -> 70, 3 changed', 'an order of three');
SELECT is((SELECT string_agg(number || ' ' || location || ' ' || status, ', ' ORDER BY number COLLATE "C") FROM shop.fulfillments WHERE order_id = :'o3'), 'S-1002-1 B canceled, S-1002-2 A open, S-1002-3 C canceled, S-1002-4 C open', 'of whose fulfillments one stays');
SELECT is(pg_temp.broken(), NULL, 'all adds up');
ROLLBACK TO early;

-- ---- what is left as it is

CREATE FUNCTION pg_temp.after(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE statement;
	result := pg_temp.wave();
	RAISE SQLSTATE 'OKOKO' USING MESSAGE = result || CASE WHEN result LIKE '% 0 changed' THEN '' ELSE coalesce(' ' || pg_temp.broken(), '') END;
EXCEPTION WHEN SQLSTATE 'OKOKO' THEN
	RETURN SQLERRM;
END $$;
SELECT is(pg_temp.after(statement), outcome, statement) FROM (VALUES
	($$UPDATE shop.fulfillments SET carrier = 'dhl' WHERE number = 'S-1000-1'$$, '13 -> 13, 0 changed'),
	($$UPDATE shop.fulfillments SET tracking_number = '1' WHERE number = 'S-1000-1'$$, '13 -> 13, 0 changed'),
	($$UPDATE shop.fulfillments SET partner_ref = '1' WHERE number = 'S-1000-1'$$, '13 -> 13, 0 changed'),
	($$UPDATE shop.fulfillments SET promised_at = '2030-01-01' WHERE number = 'S-1000-1'$$, '19 -> 19, 0 changed'),
	($$UPDATE shop.fulfillments SET attributes = '{"a": 1}' WHERE number = 'S-1000-1'$$, '13 -> 13, 0 changed'),
	($$INSERT INTO shop.packages (fulfillment_id) SELECT id FROM shop.fulfillments WHERE number = 'S-1000-1'$$, '13 -> 13, 0 changed'),
	($$UPDATE shop.order_holds SET released_at = now() WHERE order_id = (SELECT id FROM shop.orders WHERE number = 'S-1000')$$, '13 -> 13, 0 changed'),
	($$INSERT INTO shop.sourcing_rules (location, effect, sku) VALUES ('B', 'deny', 'X')$$, '6 -> 6, 0 changed'),
	($$INSERT INTO shop.sourcing_rules (location, effect, sku) VALUES ('A', 'deny', 'X')$$, '13 -> 13, 0 changed'),
	($$INSERT INTO shop.sourcing_policies (objective) VALUES ('shipments')$$, '0 -> 0, 0 changed'),
	($$INSERT INTO shop.channel_stock_rules (channel, sku, location, effect) VALUES ('web', 'X', 'B', 'deny')$$, '6 -> 6, 0 changed'),
	($$UPDATE shop.locations SET active = false WHERE code = 'B'$$, '6 -> 6, 0 changed'),
	($$UPDATE shop.locations SET methods = '{pickup}' WHERE code = 'B'$$, '6 -> 6, 0 changed'),
	($$UPDATE shop.locations SET fixed_cost = 0, pick_cost = 0$$, '0 -> 0, 0 changed'),
	($$UPDATE shop.locations SET daily_capacity = 0 WHERE code = 'B'$$, '19 -> 19, 0 changed'),
	($$INSERT INTO shop.sourcing_policies (max_shipments) VALUES (1)$$, '19 -> 14, 2 changed'),
	($$SELECT 1$$, '19 -> 14, 2 changed')) AS t(statement, outcome);
-- what was promised
SAVEPOINT promised;
INSERT INTO shop.shipping_rates (method, fixed, per_unit, transit_days) VALUES ('ship', 0, 0, 2);
UPDATE shop.fulfillments SET promised_at = now() + interval '10 days';
SELECT is(split_part(pg_temp.wave(), ', ', 2), '2 changed', 'what is there in time anyhow may come from elsewhere');
SELECT is((SELECT count(*) FROM shop.fulfillments WHERE status = 'open' AND promised_at = now() + interval '10 days'), 2::bigint, 'and is promised as before');
ROLLBACK TO promised;
INSERT INTO shop.shipping_rates (method, fixed, per_unit, transit_days) VALUES ('ship', 0, 0, 2);
UPDATE shop.fulfillments SET promised_at = now() + interval '1 hour';
SELECT is(split_part(pg_temp.wave(), ', ', 2), '0 changed', 'what would be late stays');
ROLLBACK TO promised;
-- orders of other sorts beside them
SELECT is(pg_temp.after(format($$SELECT pg_temp.place(%L, %L)$$, lines, fields)), outcome, lines || ' ' || fields) FROM (VALUES
	('[{"sku": "X", "location": "B"}]', '{}', '26 -> 21, 2 changed'), ('[{"sku": "X", "ship_group": "g"}]', '{}', '26 -> 21, 2 changed'),
	('[{"sku": "X"}, {"sku": "W", "parent": 1}]', '{}', '26 -> 21, 2 changed'), ('[{"sku": "K"}, {"sku": "X"}]', '{}', '33 -> 28, 2 changed'), ('[{"sku": "Z"}]', '{"channel": "b2b"}', '78 -> 73, 2 changed')) AS t(lines, fields, outcome);
ROLLBACK TO early;

-- ---- a day's room, and what channels must leave

SAVEPOINT days;
UPDATE shop.orders SET status = 'canceled';
UPDATE shop.locations SET daily_capacity = 2 WHERE code IN ('A', 'B');
SELECT count(pg_temp.place(lines)) AS n FROM (VALUES (1, '[{"sku": "X"}]'::jsonb), (2, '[{"sku": "X"}, {"sku": "Y"}]')) v(place, lines) \gset
SELECT is((SELECT string_agg(location || ' ' || units, ', ' ORDER BY location) FROM shop.location_loads), 'A 2, B 1', 'the north is full');
SELECT is(pg_temp.wave(), '19 -> 14, 2 changed', 'what they hold already goes within the day');
SELECT is((SELECT string_agg(location || ' ' || units, ', ' ORDER BY location) FROM shop.location_loads), 'A 2, B 1', 'a full day gets no more');
SELECT is(pg_temp.broken(), NULL, 'days add up');
ROLLBACK TO days;
INSERT INTO shop.channel_stock_rules (channel, sku, location, effect, units) VALUES ('web', 'X', 'B', 'keep_from', 10);
SELECT is(pg_temp.wave(), '19 -> 19, 0 changed', 'what one gives back is not for a channel that must leave it');
UPDATE shop.channel_stock_rules SET units = 9;
SELECT is(pg_temp.wave(), '19 -> 14, 2 changed', 'where enough is left it is');
ROLLBACK TO days;

-- ---- what goes wrong leaves all as it was

SELECT pg_temp.all_rows() AS before \gset
CREATE FUNCTION pg_temp.nap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(20); RETURN NULL; END $$;
CREATE TRIGGER nap AFTER INSERT ON shop.fulfillment_lines FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.nap();
CREATE FUNCTION pg_temp.canceled() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN pg_temp.wave(); EXCEPTION WHEN query_canceled THEN RETURN 'canceled'; END $$;
SET LOCAL statement_timeout = '500ms';
SELECT is(pg_temp.canceled(), 'canceled', 'canceled in the middle');
SET LOCAL statement_timeout = 0;
SELECT is(pg_temp.all_rows(), :'before', 'nothing is half done');
DROP TRIGGER nap ON shop.fulfillment_lines;
SELECT throws_ok(format('SELECT * FROM oms.plan_wave(%s)', arguments), state, message, arguments) FROM (VALUES
	($$'shop', budget => '0'$$, '22023', 'budget must be more than no time'), ($$'shop', budget => '-1 s'$$, '22023', NULL), ($$'shop', budget => NULL$$, '22004', NULL), ($$'shop', budget => '1 month -31 days'$$, '22023', NULL),
	($$'shop', '{00000000-0000-0000-0000-000000000000}'$$, 'OM012', 'order_ids: unknown order "00000000-0000-0000-0000-000000000000"'), ($$'shop', '{NULL}'$$, 'OM012', 'order_ids: must not have a null among them'),
	($$'nix'$$, 'OM010', NULL), ($$NULL$$, '22004', NULL)) AS t(arguments, state, message);
SELECT is(pg_temp.wave(budget => '178000000 years'), '19 -> 14, 2 changed', 'more time than there is');
ROLLBACK TO days;
UPDATE shop.locations SET fixed_cost = 90000000000, pick_cost = 90000000000 WHERE code <> 'C';
SELECT is(pg_temp.wave() ~ '^540000000000 -> 540000000000, 0|^\d+ -> \d+, 2 changed$', true, 'costs too large for ties');
ROLLBACK TO days;
SELECT is((SELECT count(*) FROM oms.wave_progress('shop')), 0::bigint, 'nobody is at it');
CREATE FUNCTION pg_temp.text_after() RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_temp.wave(); PERFORM pg_stat_clear_snapshot(); RETURN (SELECT query FROM pg_stat_activity WHERE pid = pg_backend_pid()); END $$;
SELECT matches(pg_temp.text_after(), 'as_before', 'the statement''s text is as_before');
ROLLBACK TO days;

-- ---- random orders: costs are what the rows say, and never more than before

CREATE FUNCTION pg_temp.cost() RETURNS numeric LANGUAGE sql AS $$
SELECT sum(f.cost) FROM (SELECT max(l.fixed_cost) + sum(fl.quantity * (l.pick_cost + CASE WHEN fl.sku = 'S3' AND l.code = 'L2' THEN 0.75 ELSE 0 END)) AS cost
	FROM shop.fulfillments f JOIN shop.fulfillment_lines fl ON fl.fulfillment_id = f.id JOIN shop.locations l ON l.code = f.location WHERE f.stock_state = 'reserved' GROUP BY f.order_id, f.location) f $$;
SELECT setseed(0.25);
UPDATE shop.order_holds SET released_at = now();
UPDATE shop.fulfillments SET status = 'canceled' WHERE status = 'released';
INSERT INTO shop.locations (code, name, priority, fixed_cost, pick_cost, daily_capacity) SELECT 'L' || i, 'L', i + 10, round((3 + random() * 5)::numeric, 2), round(random()::numeric, 4), CASE WHEN i > 4 THEN 60 END FROM generate_series(1, 6) i;
INSERT INTO shop.skus (code, name) SELECT 'S' || i, 'S' FROM generate_series(1, 12) i;
INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT 'S' || s, 'L' || l, 'receipt', 8 + floor(random() * 12) FROM generate_series(1, 12) s, generate_series(1, 6) l WHERE random() < 0.6;
INSERT INTO shop.sourcing_rules (sku, location, effect) VALUES ('S1', 'L1', 'deny'), ('S2', 'L2', 'deny');
INSERT INTO shop.sourcing_rules (sku, location, effect, cost) VALUES ('S3', 'L2', 'prefer', 0.75);
SELECT count(pg_temp.place(lines, '{"if_short": "hold"}')) AS n FROM (SELECT o, jsonb_agg(jsonb_build_object('sku', 'S' || s, 'quantity', 1 + (o + s) % 3)) AS lines
	FROM (SELECT o, s FROM generate_series(1, 60) o, generate_series(1, 12) s WHERE random() < 0.25) p GROUP BY o) q \gset
SELECT pg_temp.cost() AS before, (SELECT count(*) FROM shop.fulfillments WHERE stock_state = 'reserved') AS reserved, (SELECT sum(quantity) FROM shop.fulfillment_lines) AS units \gset
SELECT * FROM oms.plan_wave('shop', budget => '10 s') \gset w_
SELECT is(:w_cost_before::numeric, :before::numeric, 'cost_before is what the rows say');
SELECT is(:w_cost_after::numeric, pg_temp.cost(), 'cost_after too');
SELECT cmp_ok(:w_cost_after::numeric, '<', :w_cost_before::numeric, 'it is less');
SELECT cmp_ok(:w_lower_bound::numeric, '<=', :w_cost_after::numeric, 'not less than the bound');
SELECT cmp_ok(:w_orders_changed::bigint, '>', 0::bigint, 'orders changed');
SELECT is((SELECT sum(quantity) FROM shop.fulfillment_lines), :units::numeric, 'no unit is lost');
SELECT is((SELECT count(*) FROM shop.fulfillments f JOIN shop.fulfillment_lines l ON l.fulfillment_id = f.id WHERE (l.sku, f.location) IN (('S1', 'L1'), ('S2', 'L2'))), 0::bigint, 'never from where it is denied');
SELECT is(pg_temp.broken(), NULL, 'all adds up');
SELECT is((SELECT orders_changed FROM oms.plan_wave('shop', budget => '10 s')) < :w_orders_changed, true, 'the second time changes less, or nothing');

SELECT * FROM finish();
ROLLBACK;
