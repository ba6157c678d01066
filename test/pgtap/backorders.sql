-- Backorder and preorder policies: what may be sold without stock, how it is
-- counted, and how those who wait are served.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();
SELECT oms.create_store('shop');

INSERT INTO shop.channels (code, name, if_short, default_method) VALUES ('web', 'Web', 'refuse', 'ship'), ('late', 'May be late', 'hold', 'ship');
INSERT INTO shop.locations (code, name, priority) VALUES ('a', 'A', 1), ('b', 'B', 2);
INSERT INTO shop.skus (code, name) VALUES ('lamp', 'Lamp'), ('game', 'Game'), ('rug', 'Rug'), ('pin', 'Pin'), ('cup', 'Cup'), ('jar', 'Jar');
INSERT INTO shop.skus (code, name, kind, default_method) VALUES ('song', 'Song', 'digital', 'digital');

CREATE FUNCTION pg_temp.arrive(sku text, quantity bigint, location text DEFAULT 'a') RETURNS void LANGUAGE sql
AS $$ INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES (sku, location, 'receipt', quantity) $$;
-- an order of one line a SKU, as ["lamp", 3]
CREATE FUNCTION pg_temp.place(ref text, lines jsonb, fields jsonb DEFAULT '{}') RETURNS text LANGUAGE sql
AS $$ SELECT format('%s: %s short, %s backordered', status, short, backordered) FROM shop.place_order(jsonb_build_object('channel', 'web', 'external_ref', ref, 'currency', 'EUR',
	'lines', (SELECT jsonb_agg(jsonb_build_object('sku', l ->> 0, 'quantity', l -> 1, 'unit_price', 1) || coalesce(l -> 2, '{}')) FROM jsonb_array_elements(lines) l)) || fields) $$;
CREATE FUNCTION pg_temp.lines(ref text) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(concat_ws(' ', l.sku, nullif(l.canceled, 0) || ' canceled', nullif(l.allocated, 0) || ' allocated', nullif(l.backordered, 0) || ' backordered',
	nullif(l.short, 0) || ' short', nullif(l.shipped, 0) || ' shipped'), ', ' ORDER BY line_no) FROM shop.order_lines l JOIN shop.orders o ON o.id = order_id WHERE o.external_ref = ref $$;
CREATE FUNCTION pg_temp.parcels(ref text) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(concat_ws(' ', substring(f.number FROM '-[0-9]+$'), f.status, f.location, (SELECT string_agg(fl.sku || ' ' || fl.quantity, ' ' ORDER BY fl.sku)
	FROM shop.fulfillment_lines fl WHERE fulfillment_id = f.id)), ', ' ORDER BY f.id) FROM shop.fulfillments f JOIN shop.orders o ON o.id = order_id WHERE o.external_ref = ref $$;
CREATE FUNCTION pg_temp.waiting(wanted text) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(format('%s %s of %s', policy, backordered, coalesce(limit_units::text, 'any')), ', ' ORDER BY valid_from) FROM shop.backorder_policies p WHERE p.sku = wanted $$;
CREATE FUNCTION pg_temp.id(ref text) RETURNS uuid LANGUAGE sql AS $$ SELECT id FROM shop.orders WHERE external_ref = ref $$;
CREATE FUNCTION pg_temp.broken() RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(rule || ': ' || violations, E'\n') FROM shop.verify_store() WHERE violations > 0 $$;

-- ---- none, and whose each column is

SELECT throws_ok($$ SELECT pg_temp.place('x', '[["lamp", 1]]') $$, 'OM003', 'not enough stock: sku "lamp" wants 1, 0 available', 'no policy: nothing is sold without stock');
INSERT INTO shop.backorder_policies (sku, policy, limit_units, expected_at) VALUES ('lamp', 'backorder', 5, '2031-05-01 12:00Z');
SELECT throws_ok($$ INSERT INTO shop.backorder_policies (sku, policy, backordered) VALUES ('rug', 'backorder', 1) $$, 'OM005', NULL, 'a policy does not begin with units');
SELECT throws_ok($$ INSERT INTO shop.backorder_policies (sku, policy, revision) VALUES ('rug', 'backorder', 1) $$, 'OM005', NULL, 'nor with a revision');
SELECT throws_ok($$ INSERT INTO shop.backorder_policies (sku, policy) VALUES ('rug', 'maybe') $$, '23514', NULL, 'backorder and preorder are all there is');
SELECT throws_ok($$ INSERT INTO shop.backorder_policies (sku, policy) VALUES ('none', 'backorder') $$, '23503', NULL, 'of a SKU that exists');
SELECT throws_ok($$ INSERT INTO shop.backorder_policies (sku, policy, limit_units) VALUES ('rug', 'backorder', -1) $$, '23514', NULL, 'a limit is 0 or more');
SELECT throws_ok($$ INSERT INTO shop.backorder_policies (sku, policy, limit_units) VALUES ('rug', 'backorder', 9223372036854775807) $$, '23514', NULL, 'and not beyond all sense');
SELECT throws_ok($$ INSERT INTO shop.backorder_policies (sku, policy, valid_from, valid_until) VALUES ('rug', 'backorder', '2030-01-02', '2030-01-01') $$, '23514', NULL, 'it ends after it began');
SELECT throws_ok($$ INSERT INTO shop.backorder_policies (sku, policy) VALUES ('lamp', 'preorder') $$, '23505', NULL, 'no two that begin at one time');
SELECT throws_ok($$ UPDATE shop.backorder_policies SET backordered = 1 $$, 'OM005', NULL, 'backordered is the engine''s');
SELECT throws_ok($$ UPDATE shop.backorder_policies SET revision = revision + 2 $$, 'OM005', NULL, 'revision too');
SELECT throws_ok($$ UPDATE shop.backorder_policies SET sku = 'rug' $$, 'OM006', NULL, 'sku never changes');
SELECT throws_ok($$ UPDATE shop.backorder_policies SET id = oms.uuid7() $$, 'OM006', NULL, 'nor does id');
SELECT throws_ok($$ TRUNCATE shop.backorder_policies CASCADE $$, NULL, NULL, 'TRUNCATE');

-- ---- placing

SELECT pg_temp.arrive('lamp', 2);
SELECT is(pg_temp.place('1', '[["lamp", 3]]'), 'confirmed: 0 short, 1 backordered', 'stock first, then the policy; the order goes on');
SELECT is(pg_temp.lines('1') || '; ' || pg_temp.waiting('lamp'), 'lamp 2 allocated 1 backordered; backorder 1 of 5', 'both are counted');
SELECT is(pg_temp.parcels('1'), '-1 released a lamp 2', 'what is there is sent');
SELECT is((SELECT string_agg(concat_ws(' ', event, detail - 'policy'), ', ' ORDER BY e.id) FROM shop.order_events e WHERE order_id = pg_temp.id('1') AND event IN ('shorted', 'allocated', 'held')),
	'allocated {"lines": [{"line": 1, "location": "a", "quantity": 2}], "units": 2}, shorted {"line": 1, "quantity": 1}', 'the log tells, and no hold is placed');
SELECT is((SELECT (detail ->> 'policy')::uuid FROM shop.order_events WHERE order_id = pg_temp.id('1') AND event = 'shorted'), (SELECT id FROM shop.backorder_policies), 'under which policy');
SELECT throws_ok($$ SELECT pg_temp.place('x', '[["lamp", 6]]') $$, 'OM003', 'not enough stock: sku "lamp" wants 6, 0 available, 4 can be backordered', 'beyond the limit: refused as a whole');
SELECT is(pg_temp.waiting('lamp'), 'backorder 1 of 5', 'and nothing is counted');
SELECT is(pg_temp.place('2', '[["lamp", 6]]', '{"channel": "late"}'), 'placed: 2 short, 4 backordered', 'or as far as the limit goes, the rest short');
SELECT is(pg_temp.lines('2') || '; ' || pg_temp.waiting('lamp'), 'lamp 4 backordered 2 short; backorder 5 of 5', 'counted');
SELECT is((SELECT string_agg(kind, ' ') FROM shop.order_holds WHERE order_id = pg_temp.id('2')), 'stock', 'that is held');
SELECT throws_ok($$ UPDATE shop.backorder_policies SET limit_units = 4 $$, '23514', NULL, 'the limit is not less than what waits');
SELECT lives_ok($$ UPDATE shop.backorder_policies SET limit_units = 7, expected_at = '2031-06-01 12:00Z' $$, 'but may rise');
SELECT throws_ok($$ DELETE FROM shop.backorder_policies $$, 'OM005', NULL, 'a policy that units wait under is not deleted');
SELECT is((SELECT format('%s %s %s %s %s', order_number, line_no, quantity, policy, expected_at AT TIME ZONE 'UTC') FROM shop.backorders ORDER BY since, order_number LIMIT 1),
	(SELECT number FROM shop.orders WHERE external_ref = '1') || ' 1 1 backorder 2031-06-01 12:00:00', 'the list of backorders');
SELECT is((SELECT count(*) FROM shop.order_line_facts WHERE expected_at = '2031-06-01 12:00Z'), 2::bigint, 'the line says when');

-- in steps too, two orders by one statement, and under whose limit
INSERT INTO shop.orders (channel, external_ref, currency, priority) VALUES ('web', '3', 'EUR', 1), ('web', '4', 'EUR', 2);
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) SELECT id, 1, 'lamp', 1, 1 FROM shop.orders WHERE external_ref IN ('3', '4');
SELECT lives_ok($$ UPDATE shop.orders SET status = 'placed' WHERE external_ref IN ('3', '4') $$, 'two by one statement');
SELECT is(pg_temp.lines('3') || ', ' || pg_temp.lines('4') || '; ' || pg_temp.waiting('lamp'), 'lamp 1 backordered, lamp 1 backordered; backorder 7 of 7', 'each is counted');
SELECT throws_ok(format($$ UPDATE shop.order_lines SET backorder_policy_id = NULL WHERE order_id = %L $$, pg_temp.id('3')), 'OM005', NULL, 'the line''s policy is the engine''s');
SELECT throws_ok(format($$ INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, backorder_policy_id) VALUES (%L, 2, 'lamp', 1, 1, (SELECT id FROM shop.backorder_policies)) $$, pg_temp.id('3')),
	'OM005', NULL, 'from the start');
SELECT is(pg_temp.broken(), NULL, 'all is counted');

-- which policy is in force
INSERT INTO shop.backorder_policies (sku, policy, valid_from, valid_until) VALUES
	('rug', 'backorder', '2020-01-01', NULL), ('rug', 'preorder', '2021-01-01', '2022-01-01'), ('rug', 'preorder', '2099-01-01', NULL), ('pin', 'backorder', '2020-01-01', '2021-01-01'),
	('song', 'backorder', '2020-01-01', NULL);
SELECT is(pg_temp.place('r1', '[["rug", 1]]') || '; ' || pg_temp.waiting('rug'), 'confirmed: 0 short, 1 backordered; backorder 1 of any, preorder 0 of any, preorder 0 of any', 'neither one that has ended nor one to come');
UPDATE shop.backorder_policies SET valid_until = '2098-01-01' WHERE valid_from = '2021-01-01';
SELECT is(pg_temp.place('r2', '[["rug", 1]]') || '; ' || pg_temp.waiting('rug'), 'confirmed: 0 short, 1 backordered; backorder 1 of any, preorder 1 of any, preorder 0 of any', 'of two that which began last');
SELECT throws_ok($$ SELECT pg_temp.place('x', '[["pin", 1]]') $$, 'OM003', NULL, 'one that has ended: denied');
SELECT throws_ok($$ SELECT pg_temp.place('x', '[["song", 1]]', '{"lines": [{"sku": "song", "quantity": 1, "unit_price": 1, "location": "none"}]}') $$, 'OM012', NULL, 'what takes no stock is not backordered');
SELECT is(pg_temp.place('song', '[["song", 1]]'), 'completed: 0 short, 0 backordered', 'it is there');
SELECT is(pg_temp.waiting('song'), 'backorder 0 of any', 'whatever a policy says');
INSERT INTO shop.orders (channel, external_ref, currency) VALUES ('web', 'peek', 'EUR');
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) VALUES (pg_temp.id('peek'), 1, 'rug', 2, 1);
SELECT is((SELECT allowed FROM shop.next_moves('order', pg_temp.id('peek')) WHERE to_state = 'placed'), true, 'next_moves knows policies');
DELETE FROM shop.orders WHERE external_ref = 'peek';
SELECT lives_ok($$ DELETE FROM shop.backorder_policies WHERE sku = 'pin' $$, 'one that was not used can be deleted');

-- ---- canceling

SELECT is(shop.cancel_lines(pg_temp.id('2'), '[{"line": 1, "quantity": 3}]'), 3::bigint, 'canceled');
SELECT is(pg_temp.lines('2') || '; ' || pg_temp.waiting('lamp'), 'lamp 3 canceled 3 backordered; backorder 6 of 7', 'short first, then backordered, off its policy too');
SELECT is((SELECT open_holds FROM shop.orders WHERE external_ref = '2'), 0, 'the hold for short units has gone');
UPDATE shop.orders SET status = 'canceled' WHERE external_ref IN ('2', '3', '4');
SELECT is(pg_temp.lines('2') || ', ' || pg_temp.lines('3') || '; ' || pg_temp.waiting('lamp'), 'lamp 6 canceled, lamp 1 canceled; backorder 1 of 7', 'canceling orders takes them off');
SELECT is(shop.cancel_lines(pg_temp.id('1')), 3::bigint, 'all of one: what is allocated and what waits');
SELECT is(pg_temp.lines('1') || '; ' || (SELECT status FROM shop.orders WHERE external_ref = '1') || '; ' || pg_temp.waiting('lamp'), 'lamp 3 canceled; canceled; backorder 0 of 7', 'is gone');
SELECT throws_ok($$ DELETE FROM shop.backorder_policies WHERE sku = 'lamp' $$, '23503', NULL, 'a policy that was used stays, as its lines name it');
SELECT is(pg_temp.broken(), NULL, 'all is counted');

-- ---- receipts

INSERT INTO shop.backorder_policies (sku, policy) VALUES ('cup', 'backorder');
SELECT pg_temp.place('c1', '[["cup", 2]]'), pg_temp.place('c2', '[["cup", 2]]', '{"priority": 1}'), pg_temp.place('c3', '[["cup", 2]]', '{"ship_complete": true}'), pg_temp.place('c4', '[["cup", 1]]');
UPDATE shop.backorder_policies SET valid_until = '2099-01-01', limit_units = 7 WHERE sku = 'cup';
SELECT pg_temp.place('c5', '[["cup", 3]]', '{"channel": "late"}');
SELECT is(pg_temp.lines('c5') || '; ' || pg_temp.waiting('cup'), 'cup 3 short; backorder 7 of 7', 'one is short');
SELECT pg_temp.arrive('cup', 6);
SELECT is(concat_ws(', ', pg_temp.lines('c5'), pg_temp.lines('c2'), pg_temp.lines('c1'), pg_temp.lines('c3'), pg_temp.lines('c4')),
	'cup 3 allocated, cup 2 allocated, cup 1 allocated 1 backordered, cup 2 backordered, cup 1 backordered', 'short units first, then by priority, then age, in part too');
SELECT is(pg_temp.waiting('cup'), 'backorder 4 of 7', 'the policy counts who still waits');
SELECT is((SELECT status || ' ' || open_holds FROM shop.orders WHERE external_ref = 'c5') || '; ' || pg_temp.parcels('c5') || '; ' || pg_temp.parcels('c1'), 'confirmed 0; -1 released a cup 3; -1 released a cup 1',
	'the hold has gone, and what was made moves on');
SELECT is((SELECT string_agg(concat_ws(' ', event, detail - 'policy', detail ? 'policy'), ', ' ORDER BY e.id) FROM shop.order_events e WHERE order_id = pg_temp.id('c1') AND event IN ('filled')),
	'filled {"line": 1, "quantity": 1} t', 'the log tells');
SELECT pg_temp.arrive('cup', 2);
SELECT is(concat_ws(', ', pg_temp.lines('c1'), pg_temp.lines('c3'), pg_temp.lines('c4')), 'cup 2 allocated, cup 2 backordered, cup 1 allocated',
	'an order that must ship complete is passed over where there is not all that it waits for');
SELECT pg_temp.arrive('cup', 2, 'b');
SELECT is(pg_temp.lines('c3') || '; ' || pg_temp.parcels('c3') || '; ' || pg_temp.waiting('cup'), 'cup 2 allocated; -1 released b cup 2; backorder 0 of 7', 'and served once there is');
SELECT is(pg_temp.broken(), NULL, 'all is counted');

-- an order that must ship complete waits for several SKUs; one line is both short and backordered
INSERT INTO shop.backorder_policies (sku, policy, limit_units) VALUES ('jar', 'backorder', 4), ('game', 'preorder', NULL);
SELECT pg_temp.place('w', '[["jar", 3], ["game", 1], ["cup", 1]]', '{"channel": "late", "ship_complete": true}');
SELECT is(pg_temp.lines('w'), 'jar 3 backordered, game 1 backordered, cup 1 backordered', 'waits for three');
SELECT pg_temp.place('v', '[["jar", 5]]', '{"channel": "late"}');
SELECT is(pg_temp.lines('v'), 'jar 1 backordered 4 short', 'and another for one of them, in two ways');
SELECT pg_temp.arrive('jar', 3);
SELECT is(pg_temp.lines('w') || '; ' || pg_temp.lines('v'), 'jar 3 backordered, game 1 backordered, cup 1 backordered; jar 3 allocated 1 backordered 1 short', 'units go to who can use them');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('jar', 'a', 'receipt', 2), ('game', 'a', 'receipt', 1), ('cup', 'b', 'count', 3);
SELECT is(pg_temp.lines('v') || '; ' || pg_temp.parcels('v'), 'jar 5 allocated; -1 released a jar 3, -2 released a jar 2', 'short and backordered units of one line come in one fulfillment');
SELECT is(pg_temp.lines('w'), 'jar 3 backordered, game 1 backordered, cup 1 backordered', 'still not all');
SELECT pg_temp.arrive('jar', 3);
SELECT is(pg_temp.lines('w'), 'jar 3 allocated, game 1 allocated, cup 1 allocated', 'the last to arrive brings the others, which were there');
SELECT is(pg_temp.broken(), NULL, 'all is counted');

-- who cannot be served from where units are does not keep others from them
SELECT pg_temp.place('n', '[["rug", 2, {"location": "b"}]]'), pg_temp.place('m', '[["rug", 2]]');
UPDATE shop.orders SET status = 'canceled' WHERE external_ref IN ('r1', 'r2');
SELECT pg_temp.arrive('rug', 2, 'a');
SELECT is(pg_temp.lines('n') || ', ' || pg_temp.lines('m'), 'rug 2 backordered, rug 2 allocated', 'a line that waits for another location');
SELECT pg_temp.arrive('rug', 1, 'b');
SELECT is(pg_temp.lines('n'), 'rug 1 allocated 1 backordered', 'gets what arrives there');

-- a reject makes units short, not backordered, and they go first
UPDATE shop.fulfillments SET status = 'rejected', status_reason = 'not_found' WHERE order_id = pg_temp.id('m');
SELECT is(pg_temp.lines('m') || '; ' || (SELECT sum(backordered) FROM shop.backorder_policies WHERE sku = 'rug')::text, 'rug 2 short; 1', 'a reject');
SELECT pg_temp.arrive('rug', 2, 'b');
SELECT is(pg_temp.lines('m') || ', ' || pg_temp.lines('n'), 'rug 2 allocated, rug 1 allocated 1 backordered', 'short before backordered');
SELECT is(pg_temp.broken(), NULL, 'all is counted');

-- ---- units that become free otherwise: tick

SELECT is(shop.cancel_lines(pg_temp.id('m')), 2::bigint, 'units come back');
SELECT is(pg_temp.lines('n'), 'rug 1 allocated 1 backordered', 'nobody is given them by that');
SELECT lives_ok('SELECT shop.tick()', 'tick');
SELECT is(pg_temp.lines('n') || '; ' || pg_temp.parcels('n'), 'rug 2 allocated; -1 released b rug 1, -2 released b rug 1', 'gives them to who waits');
UPDATE shop.stock SET safety_stock = 1 WHERE sku = 'rug' AND location = 'b';
SELECT pg_temp.place('s' || i, '[["rug", 1]]', jsonb_build_object('priority', 9 - i)) FROM generate_series(1, 3) i;
UPDATE shop.stock SET safety_stock = 0 WHERE sku = 'rug' AND location = 'b';
SELECT pg_temp.arrive('rug', 1, 'a');
SELECT is((SELECT string_agg(pg_temp.lines('s' || i), ', ' ORDER BY i) FROM generate_series(1, 3) i), 'rug 1 backordered, rug 1 allocated, rug 1 allocated', 'a movement gives free units too, as the stock is read');
UPDATE shop.orders SET status = 'canceled' WHERE external_ref IN ('s2', 's3');
SELECT shop.tick(1);
SELECT is(pg_temp.lines('s1'), 'rug 1 allocated', 'and tick, in bounded steps');
SELECT is(pg_temp.broken(), NULL, 'all is counted');
SELECT lives_ok('SELECT shop.tick()', 'with nothing to do');

-- who fails is passed over
SELECT pg_temp.place('f' || i, '[["game", 1]]', jsonb_build_object('priority', i)) FROM generate_series(1, 3) i;
SET LOCAL session_replication_role = replica;
UPDATE shop.stock SET on_hand = on_hand + 2 WHERE sku = 'game';
INSERT INTO shop.stock_movements (sku, location, kind, quantity, on_hand_change, unavailable_change) VALUES ('game', 'a', 'receipt', 2, 2, 0);
SET LOCAL session_replication_role = origin;
CREATE FUNCTION shop.grumble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.external_ref = 'f1' THEN RAISE 'no'; END IF; RETURN NEW; END $$;
CREATE TRIGGER grumble BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.grumble();
SET LOCAL client_min_messages = error;
SELECT shop.tick();
SET LOCAL client_min_messages = warning;
SELECT is((SELECT string_agg(pg_temp.lines('f' || i), ', ' ORDER BY i) FROM generate_series(1, 3) i), 'game 1 backordered, game 1 allocated, game 1 backordered', 'f1 fails, f2 is served');
DROP TRIGGER grumble ON shop.orders;
SELECT shop.tick();
SELECT is(pg_temp.lines('f1') || '; ' || pg_temp.waiting('game'), 'game 1 allocated; preorder 1 of any', 'and served when it does not fail any more');
SELECT is(pg_temp.broken(), NULL, 'all is counted');

-- ---- what must not leave before its release: a guard of the store's

CREATE FUNCTION shop.is_out(shop.fulfillments) RETURNS boolean LANGUAGE sql AS $$
	SELECT NOT EXISTS (SELECT FROM shop.fulfillment_lines l JOIN shop.backorder_policies p ON p.sku = l.sku
		WHERE l.fulfillment_id = $1.id AND p.policy = 'preorder' AND p.expected_at > now()) $$;
UPDATE shop.workflows SET definition = replace(definition,
	'when order_confirmed, order_unheld, group_complete auto', 'when order_confirmed, order_unheld, group_complete, is_out auto') WHERE name = 'ship';
UPDATE shop.backorder_policies SET expected_at = '2099-01-01' WHERE sku = 'game';
SELECT pg_temp.arrive('game', 1);
SELECT is(pg_temp.lines('f3') || '; ' || pg_temp.parcels('f3'), 'game 1 allocated; -1 open a game 1', 'a preorder has its unit, and waits for the date');
UPDATE shop.backorder_policies SET expected_at = now() WHERE sku = 'game';
SELECT cmp_ok((shop.tick()).moves, '>=', 1::bigint, 'which comes');
SELECT is(pg_temp.parcels('f3'), '-1 released a game 1', 'and it is released');
SELECT pg_temp.place('f4', '[["game", 1]]');

-- ---- numbers without measure

SELECT is(pg_temp.place('many', '[["game", 1000000000000], ["game", 1000000000000]]'), 'confirmed: 0 short, 2000000000000 backordered', 'as many as lines can have');
SELECT is(shop.cancel_lines(pg_temp.id('many')), 2000000000000, 'and back');
SELECT is(pg_temp.broken(), NULL, 'all is counted');

-- ---- what verify_store finds

SET LOCAL session_replication_role = replica;
UPDATE shop.backorder_policies SET backordered = backordered + 1 WHERE sku = 'game';
SELECT is(pg_temp.broken(), 'a policy''s backordered units are those of its lines: 1', 'a policy that counts too many');
UPDATE shop.backorder_policies SET backordered = backordered - 1 WHERE sku = 'game';
UPDATE shop.order_lines SET backorder_policy_id = (SELECT id FROM shop.backorder_policies WHERE sku = 'jar') WHERE order_id = pg_temp.id('f4');
SELECT is(pg_temp.broken(), E'backordered units were sold under the policy that the log says, of their SKU: 1\na policy''s backordered units are those of its lines: 2', 'another SKU''s policy');

SET LOCAL session_replication_role = origin;

SELECT oms.create_store('past'), oms.begin_import('past');
INSERT INTO past.channels (code, name) VALUES ('web', 'Web');
INSERT INTO past.skus (code, name) VALUES ('lamp', 'Lamp');
INSERT INTO past.backorder_policies (id, sku, policy, backordered) VALUES ('00000000-0000-7000-8000-000000000001', 'lamp', 'backorder', 2);
INSERT INTO past.orders (id, channel, currency, status, placed_at, confirmed_at, units, units_backordered, total)
	VALUES ('00000000-0000-7000-8000-000000000002', 'web', 'EUR', 'confirmed', '2020-01-01', '2020-01-01', 2, 2, 2);
INSERT INTO past.order_lines (order_id, line_no, sku, quantity, unit_price, backordered, backorder_policy_id)
	VALUES ('00000000-0000-7000-8000-000000000002', 1, 'lamp', 2, 1, 2, '00000000-0000-7000-8000-000000000001');
SELECT is((SELECT string_agg(rule, ', ') FROM oms.verify_store('past') WHERE violations > 0), NULL, 'backorders of the past come in');
SELECT is(oms.cancel_lines('past', '00000000-0000-7000-8000-000000000002'), 2::bigint, 'and live on');
SELECT is((SELECT backordered FROM past.backorder_policies), 0::bigint, 'counted');

SELECT * FROM finish();
ROLLBACK;
