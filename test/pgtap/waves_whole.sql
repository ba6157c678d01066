-- Many orders planned together, of which parts belong together: kits, ship groups,
-- warranties go as a whole; and which orders are skipped, and why.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, default_method) VALUES ('web', 'Web', 'ship'), ('b2b', 'B2B', 'ship');
INSERT INTO shop.locations (code, name, priority, fixed_cost, pick_cost) VALUES ('A', 'A', 1, 5, 1), ('B', 'B', 2, 5, 2);
INSERT INTO shop.skus (code, name) VALUES ('X', 'X'), ('Y', 'Y'), ('Z', 'Z');
INSERT INTO shop.skus (code, name, kind) VALUES ('W', 'Two years more', 'warranty'), ('K', 'One of each', 'bundle'), ('S', 'Wrapping', 'service');
INSERT INTO shop.bundle_items (bundle, sku, quantity) VALUES ('K', 'X', 1), ('K', 'Y', 2);
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('X', 'A', 'receipt', 1), ('X', 'B', 'receipt', 10), ('Y', 'A', 'receipt', 10), ('Y', 'B', 'receipt', 10), ('Z', 'A', 'receipt', 10);

-- an order on hold: its fulfillments stay open
CREATE FUNCTION pg_temp.place(lines jsonb, fields jsonb DEFAULT '{}') RETURNS uuid LANGUAGE sql
AS $$ SELECT order_id FROM oms.place_order('shop', jsonb_build_object('channel', 'web', 'currency', 'EUR', 'holds', '[{"kind": "fraud"}]'::jsonb,
	'lines', (SELECT jsonb_agg(jsonb_build_object('quantity', 1, 'unit_price', 1) || l) FROM jsonb_array_elements(lines) l)) || fields) $$;
-- from where units come: each fulfillment that has any
CREATE FUNCTION pg_temp.sources() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(line, '; ' ORDER BY line COLLATE "C") FROM (
	SELECT 'o' || dense_rank() OVER (ORDER BY o.id) || ' ' || f.location || ': ' || string_agg(format('%s %s', l.quantity, l.sku), ', ' ORDER BY l.sku) AS line
	FROM shop.orders o JOIN shop.fulfillments f ON f.order_id = o.id JOIN shop.fulfillment_lines l ON l.fulfillment_id = f.id WHERE f.stock_state = 'reserved' GROUP BY o.id, f.id) s $$;
CREATE FUNCTION pg_temp.broken() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(rule || ' ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations > 0 $$;
CREATE FUNCTION pg_temp.wave(ids uuid[] DEFAULT NULL) RETURNS text LANGUAGE sql
AS $$ SELECT format('%s -> %s, %s changed of %s, skipped %s %s', trim_scale(cost_before), trim_scale(cost_after), orders_changed, orders_planned, orders_skipped, skipped)
	|| CASE WHEN lower_bound > cost_after OR cost_after > cost_before THEN ' BOUND' ELSE '' END FROM oms.plan_wave('shop', $1, '10 s') $$;
-- what a wave does after a statement, of which nothing stays
CREATE FUNCTION pg_temp.after(statement text, OUT said text, OUT sources text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	said := pg_temp.wave();
	RAISE SQLSTATE 'OKOKO' USING MESSAGE = coalesce(pg_temp.broken(), ''), DETAIL = said, HINT = pg_temp.sources();
EXCEPTION WHEN SQLSTATE 'OKOKO' THEN
	GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL, sources = PG_EXCEPTION_HINT;
	IF SQLERRM <> '' THEN said := SQLERRM; END IF;
END $$;

-- ---- skipped, and why

SAVEPOINT empty;
SELECT pg_temp.place('[{"sku": "X"}]') AS o1 \gset
SELECT pg_temp.place('[{"sku": "X"}, {"sku": "Z"}]') AS o2 \gset
SAVEPOINT placed;
INSERT INTO shop.workflows (name, entity, definition) SELECT 'other', entity, definition FROM shop.workflows WHERE name = 'ship';
SELECT is((pg_temp.after(statement)).said, outcome, statement) FROM (VALUES
	($$UPDATE shop.fulfillments SET carrier = 'dhl' WHERE number = 'S-1000-1'$$, '13 -> 13, 0 changed of 1, skipped 1 {"written": 1}'),
	($$INSERT INTO shop.packages (fulfillment_id) SELECT id FROM shop.fulfillments WHERE number = 'S-1000-1'$$, '13 -> 13, 0 changed of 1, skipped 1 {"package": 1}'),
	($$INSERT INTO shop.packages (fulfillment_id) SELECT id FROM shop.fulfillments WHERE number = 'S-1001-1'; UPDATE shop.fulfillments SET carrier = 'dhl' WHERE number <> 'S-1001-1'$$, '0 -> 0, 0 changed of 0, skipped 2 {"package": 1, "written": 2}'),
	($$UPDATE shop.order_holds SET released_at = now() WHERE order_id = (SELECT id FROM shop.orders WHERE number = 'S-1000')$$, '13 -> 13, 0 changed of 1, skipped 1 {"released": 1}'),
	($$INSERT INTO shop.sourcing_rules (location, effect, sku) VALUES ('A', 'deny', 'X')$$, '13 -> 13, 0 changed of 1, skipped 1 {"location": 1}'),
	($$INSERT INTO shop.sourcing_policies (channel, objective) VALUES ('web', 'shipments')$$, '0 -> 0, 0 changed of 0, skipped 2 {"objective": 2}'),
	($$UPDATE shop.methods SET workflow = 'other' WHERE code = 'ship'$$, '0 -> 0, 0 changed of 0, skipped 2 {"workflow": 2}'),
	($$UPDATE shop.methods SET by_partner = true WHERE code = 'ship'$$, '0 -> 0, 0 changed of 0, skipped 2 {"partner": 2}'),
	($$UPDATE shop.skus SET tracked = false WHERE code = 'Z'$$, '6 -> 6, 0 changed of 1, skipped 1 {"no_stock": 1}'),
	($$SELECT 1$$, '19 -> 14, 2 changed of 2, skipped 0 {}')) AS t(statement, outcome);
-- a workflow that may refuse to give units back must not undo all of a wave
CREATE FUNCTION shop.may_end(shop.fulfillments) RETURNS boolean LANGUAGE sql AS $$ SELECT $1.number <> 'S-1000-1' $$;
SELECT lives_ok($$UPDATE shop.workflows SET definition = replace(definition, 'open, released, picking, packed -> canceled do release', 'open, released, picking, packed -> canceled when may_end do release') WHERE name = 'ship'$$, 'a guard of the store''s');
SELECT is(pg_temp.wave(), '0 -> 0, 0 changed of 0, skipped 2 {"workflow": 2}', 'is not asked');
ROLLBACK TO empty;

-- ---- an early order has what a later one needs more, and gives it up as a whole

SELECT is(a.said || ': ' || a.sources, t.said || ': ' || t.sources, early) FROM (VALUES
	('[{"sku": "K"}]', '21 -> 18, 2 changed of 2, skipped 0 {}', 'o1 B: 1 X, 2 Y; o2 A: 1 X, 1 Z'),
	('[{"sku": "X", "ship_group": "g"}, {"sku": "Y", "ship_group": "g"}]', '20 -> 16, 2 changed of 2, skipped 0 {}', 'o1 B: 1 X, 1 Y; o2 A: 1 X, 1 Z'),
	('[{"sku": "X"}, {"sku": "W", "parent": 1}]', '19 -> 14, 2 changed of 2, skipped 0 {}', 'o1 B: 1 W, 1 X; o2 A: 1 X, 1 Z'),
	('[{"sku": "K"}, {"sku": "W", "parent": 1}]', '21 -> 18, 2 changed of 2, skipped 0 {}', 'o1 B: 1 W, 1 X, 2 Y; o2 A: 1 X, 1 Z'),
	('[{"sku": "K", "ship_group": "g"}, {"sku": "W", "parent": 1, "ship_group": "g"}]', '21 -> 18, 2 changed of 2, skipped 0 {}', 'o1 B: 1 W, 1 X, 2 Y; o2 A: 1 X, 1 Z'),
	-- a group that stays is not made anew
	('[{"sku": "Y", "ship_group": "g"}, {"sku": "X"}, {"sku": "Z"}]', '21 -> 21, 0 changed of 2, skipped 0 {}', 'o1 A: 1 X, 1 Z; o1 A: 1 Y; o2 A: 1 Z; o2 B: 1 X'),
	-- what belongs together and comes from two places stays, and so does what takes no stock; their units are there for nobody
	('[{"sku": "X", "ship_group": "g"}, {"sku": "Z", "quantity": 2, "ship_group": "g"}, {"sku": "X", "ship_group": "g"}]', '13 -> 13, 0 changed of 1, skipped 1 {"apart": 1}', 'o1 A: 1 X, 2 Z; o1 B: 1 X; o2 A: 1 Z; o2 B: 1 X'),
	('[{"sku": "K", "quantity": 10}]', '13 -> 13, 0 changed of 1, skipped 1 {"apart": 1}', 'o1 A: 1 X, 10 Y; o1 B: 9 X, 10 Y; o2 A: 1 Z; o2 B: 1 X'),
	('[{"sku": "X"}, {"sku": "S"}]', '13 -> 13, 0 changed of 1, skipped 1 {"no_stock": 1}', 'o1 A: 1 S, 1 X; o2 A: 1 Z; o2 B: 1 X')) AS t(early, said, sources),
	pg_temp.after(format('SELECT pg_temp.place(%L), pg_temp.place(%L)', early, '[{"sku": "X"}, {"sku": "Z"}]')) a;

-- ---- what is refused at once

SET TRANSACTION READ ONLY;
SELECT throws_ok($$SELECT * FROM oms.plan_wave('shop')$$, '25006', 'cannot execute oms.plan_wave in a read-only transaction');
ROLLBACK TO empty;

-- ---- random orders

UPDATE shop.order_holds SET released_at = now();
UPDATE shop.fulfillments SET status = 'canceled' WHERE status = 'released';
INSERT INTO shop.locations (code, name, priority, fixed_cost, pick_cost, daily_capacity) SELECT 'L' || i, 'L', i + 10, round((3 + i * 0.7)::numeric, 2), round(0.3 * i::numeric, 4), CASE WHEN i > 4 THEN 60 END FROM generate_series(1, 6) i;
INSERT INTO shop.skus (code, name) SELECT 'S' || i, 'S' FROM generate_series(1, 8) i;
INSERT INTO shop.skus (code, name, kind) VALUES ('K1', 'K', 'bundle'), ('K2', 'K', 'bundle');
INSERT INTO shop.bundle_items (bundle, sku, quantity) VALUES ('K1', 'S1', 1), ('K1', 'S2', 2), ('K2', 'S3', 1), ('K2', 'S4', 1), ('K2', 'S5', 3);
SELECT setseed(0.75);
INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT 'S' || s, 'L' || l, 'receipt', 8 + floor(random() * 14) FROM generate_series(1, 8) s, generate_series(1, 6) l WHERE random() < 0.65;
SELECT count(pg_temp.place(lines, '{"if_short": "hold"}')) AS n FROM (SELECT o, jsonb_agg(line ORDER BY n) AS lines FROM generate_series(1, 50) o, LATERAL (VALUES
	(1, jsonb_build_object('sku', 'S' || 1 + o % 8, 'quantity', 1 + o % 2)), (2, CASE WHEN o % 3 = 0 THEN jsonb_build_object('sku', 'W', 'parent', 1) END),
	(3, CASE WHEN o % 4 < 2 THEN jsonb_build_object('sku', 'K' || 1 + o % 2, 'quantity', 1 + o % 3) END), (4, CASE WHEN o % 5 = 0 THEN jsonb_build_object('sku', 'S' || 1 + (o + 3) % 8, 'ship_group', 'g') END),
	(5, CASE WHEN o % 5 = 0 THEN jsonb_build_object('sku', 'S' || 1 + (o + 5) % 8, 'quantity', 2, 'ship_group', 'g') END), (6, jsonb_build_object('sku', 'S' || 1 + (o * 7) % 8))) l(n, line) WHERE line IS NOT NULL GROUP BY o) q \gset
-- parts of kits and groups that are from one place, and those that are not
CREATE VIEW pg_temp.units AS SELECT f.order_id, f.location, ol.line_no, ol.parent_line_id, ol.per_kit, ol.ship_group, fl.sku, sum(fl.quantity) AS q
	FROM shop.fulfillments f JOIN shop.fulfillment_lines fl ON fl.fulfillment_id = f.id JOIN shop.order_lines ol ON ol.id = fl.order_line_id WHERE f.stock_state = 'reserved' GROUP BY 1, 2, 3, 4, 5, 6, 7;
CREATE FUNCTION pg_temp.apart() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(t, ' ' ORDER BY t) FROM (
	SELECT 'kit ' || parent_line_id || location AS t FROM pg_temp.units u WHERE per_kit IS NOT NULL GROUP BY parent_line_id, location
		HAVING min(q / per_kit) <> max(q / per_kit) OR count(*) <> (SELECT count(DISTINCT k.line_no) FROM pg_temp.units k WHERE k.parent_line_id = u.parent_line_id)
	UNION ALL SELECT 'group ' || order_id || ship_group FROM pg_temp.units WHERE ship_group IS NOT NULL AND per_kit IS NULL GROUP BY order_id, ship_group HAVING count(DISTINCT location) > 1
	UNION ALL SELECT 'warranty ' || order_id FROM pg_temp.units w WHERE sku = 'W' AND q > (SELECT coalesce(sum(g.q), 0) FROM pg_temp.units g JOIN shop.order_lines l ON l.id = w.parent_line_id AND l.line_no = g.line_no WHERE g.order_id = w.order_id AND g.location = w.location)) a $$;
CREATE FUNCTION pg_temp.counts() RETURNS text LANGUAGE sql AS $$ SELECT format('%s units, %s of kits, %s of groups, %s warranties', sum(q), sum(q) FILTER (WHERE per_kit IS NOT NULL), sum(q) FILTER (WHERE ship_group IS NOT NULL), sum(q) FILTER (WHERE sku = 'W')) FROM pg_temp.units $$;
CREATE FUNCTION pg_temp.cost(ids uuid[]) RETURNS numeric LANGUAGE sql AS $$ SELECT sum(c) FROM (SELECT max(l.fixed_cost) + sum(CASE WHEN u.sku <> 'W' THEN u.q * l.pick_cost ELSE 0 END) AS c FROM pg_temp.units u JOIN shop.locations l ON l.code = u.location WHERE u.order_id = ANY (ids) GROUP BY u.order_id, u.location) s $$;
SELECT pg_temp.apart() AS apart, pg_temp.counts() AS counts, pg_temp.cost((SELECT array_agg(id) FROM shop.orders)) AS all_cost \gset
SELECT * FROM oms.plan_wave('shop', budget => '10 s') \gset w_
SELECT cmp_ok(:w_orders_planned::bigint, '>', 30::bigint, 'most orders are planned');
SELECT is(:w_orders_planned::bigint + :w_orders_skipped::bigint, (SELECT count(DISTINCT order_id) FROM pg_temp.units), 'each is planned or skipped');
SELECT is(:'w_skipped'::jsonb, CASE WHEN :w_orders_skipped > 0 THEN jsonb_build_object('apart', :w_orders_skipped) ELSE '{}' END, 'those whose parts were apart');
SELECT is(pg_temp.apart() IS NOT DISTINCT FROM nullif(:'apart', ''), true, 'what was together is, what was not stays as it was');
SELECT is(pg_temp.counts(), :'counts', 'no unit is lost');
SELECT is(:all_cost - pg_temp.cost((SELECT array_agg(id) FROM shop.orders)), :w_cost_before::numeric - :w_cost_after::numeric, 'what is saved is what the rows say');
SELECT cmp_ok(:w_cost_after::numeric, '<', :w_cost_before::numeric, 'something is');
SELECT cmp_ok(:w_lower_bound::numeric, '<=', :w_cost_after::numeric, 'not less than the bound');
SELECT is(EXISTS (SELECT FROM shop.order_events e JOIN pg_temp.units u USING (order_id) WHERE e.event = 'emptied' AND u.per_kit IS NOT NULL), true, 'kits moved');
SELECT is(EXISTS (SELECT FROM shop.order_events e JOIN pg_temp.units u USING (order_id) WHERE e.event = 'emptied' AND u.sku = 'W'), true, 'warranties too');
SELECT is(pg_temp.broken(), NULL, 'all adds up');

SELECT * FROM finish();
ROLLBACK;
