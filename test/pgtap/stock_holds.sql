-- Stock holds: units set aside before there is an order.
BEGIN;
SET client_min_messages = error;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, if_short) VALUES ('web', 'Web', 'refuse'), ('late', 'Late', 'hold');
INSERT INTO shop.locations (code, name, priority, kind, tracked) VALUES ('a', 'A', 1, 'warehouse', true), ('b', 'B', 2, 'store', true), ('s', 'Supplier', 3, 'supplier', false);
INSERT INTO shop.skus (code, name, kind) SELECT s, s, CASE s WHEN 'song' THEN 'digital' ELSE 'physical' END FROM unnest('{shirt,hat,cap,song}'::text[]) AS s;
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('shirt', 'a', 'receipt', 5), ('shirt', 'b', 'receipt', 5), ('hat', 'b', 'receipt', 10), ('cap', 'a', 'receipt', 4);

CREATE FUNCTION pg_temp.place(sku text, quantity bigint, more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql
AS $$ SELECT order_id FROM oms.place_order('shop', jsonb_build_object('channel', 'web', 'currency', 'EUR', 'lines', jsonb_build_array(jsonb_build_object('sku', sku, 'quantity', quantity, 'unit_price', 1))) || more) $$;
CREATE FUNCTION pg_temp.item(sku text, quantity bigint) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_array(jsonb_build_object('sku', sku, 'quantity', quantity)) $$;
CREATE FUNCTION pg_temp.held(which text) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(sku || '@' || location || ' ' || quantity, ', ' ORDER BY sku, location) FROM shop.stock_holds WHERE ref = which $$;
CREATE FUNCTION pg_temp.stock(which text) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(location || ' ' || reserved || '/' || on_hand, ', ' ORDER BY location) FROM shop.stock WHERE sku = which $$;
CREATE FUNCTION pg_temp.parcels(which text) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(l.sku || '@' || f.location || ' ' || l.quantity, ', ' ORDER BY l.sku, f.location) FROM shop.fulfillments f JOIN shop.fulfillment_lines l ON l.fulfillment_id = f.id WHERE f.order_id = which::uuid $$;
CREATE FUNCTION pg_temp.sound(what text) RETURNS text LANGUAGE sql
AS $$ SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL, 'verify_store: ' || what) $$;
CREATE FUNCTION pg_temp.fault(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;

-- ---- making, repeating, extending, releasing

SELECT results_eq($$ SELECT expires_at > now() + '14 minutes', units, repeated FROM oms.hold_stock('shop', 'c1', '[{"sku": "shirt", "quantity": 3}, {"sku": "shirt", "quantity": 1, "location": "b"}, {"sku": "song", "quantity": 9}]') $$,
	$$ VALUES (true, 4::bigint, false) $$, 'a hold takes units for a quarter of an hour; what is not counted needs none');
SELECT is(pg_temp.held('c1'), 'shirt@b 4', 'where an order would: all from one place, if an item names it');
SELECT is(pg_temp.stock('shirt'), 'a 0/5, b 4/5', 'they are reserved');
SELECT is((SELECT string_agg(concat_ws(' ', location, held, reserved, available), ', ' ORDER BY location) FROM shop.stock_position WHERE sku = 'shirt'), 'a 0 0 5, b 4 4 1', 'which stock_position tells');
SELECT results_eq($$ SELECT units, repeated FROM shop.hold_stock('c1', '[{"quantity": 3, "sku": "shirt"}, {"sku": "shirt", "quantity": 1, "location": "b"}, {"sku": "song", "quantity": 9}]', '2 hours') $$,
	$$ VALUES (4::bigint, true) $$, 'the same again is the same hold');
SELECT ok((SELECT min(expires_at) > now() + '119 minutes' FROM shop.stock_holds WHERE ref = 'c1'), 'which lasts longer then');
SELECT ok((SELECT expires_at > now() + '119 minutes' FROM oms.hold_stock('shop', 'c1', '[{"quantity": 3, "sku": "shirt"}, {"sku": "shirt", "quantity": 1, "location": "b"}, {"sku": "song", "quantity": 9}]', '1 minute')), 'and never shorter');
SELECT is(pg_temp.stock('shirt'), 'a 0/5, b 4/5', 'nothing is held twice');
SELECT is((SELECT state || ' ' || message FROM pg_temp.fault($$ SELECT oms.hold_stock('shop', 'c1', '[{"sku": "shirt", "quantity": 1}]') $$)),
	'OM007 stock hold "c1" is there already, with other items', 'other items need another ref');
SELECT results_eq($$ SELECT expires_at > now() + '179 minutes', units FROM shop.extend_hold('c1', '3 hours') $$, $$ VALUES (true, 4::bigint) $$, 'extend_hold');
SELECT results_eq($$ SELECT expires_at, units FROM oms.extend_hold('shop', 'nobody', '3 hours') $$, $$ VALUES (NULL::timestamptz, 0::bigint) $$, 'of a hold that is gone: nothing');
SELECT is(shop.release_hold('c1'), 4::bigint, 'release_hold returns the units');
SELECT is(shop.release_hold('c1'), 0::bigint, 'once');
SELECT is(pg_temp.stock('shirt'), 'a 0/5, b 0/5', 'they are free');
SELECT results_eq($$ SELECT units, repeated FROM shop.hold_stock('c1', '[{"sku": "song", "quantity": 1}]') $$, $$ VALUES (0::bigint, false) $$, 'a hold of what is not counted');
SELECT pg_temp.sound('made and released');

-- ---- all or nothing, and faults

SELECT is((SELECT concat_ws(' | ', state, message, detail, hint) FROM pg_temp.fault($$ SELECT oms.hold_stock('shop', 'c2', '[{"sku": "hat", "quantity": 1}, {"sku": "shirt", "quantity": 11}, {"sku": "hat", "quantity": 1, "location": "a"}]') $$)),
	'OM003 | not enough stock: sku "shirt" wants 11, 10 available (and 1 more) | [{"line":2,"sku":"shirt","location":null,"wanted":11,"available":10},{"line":3,"sku":"hat","location":"a","wanted":1,"available":0}] | Hold what is available.',
	'too much of anything is refused whole, line being the item''s place');
SELECT is(pg_temp.stock('hat'), 'b 0/10', 'and takes nothing');
SELECT is(state || ' ' || message, expected, call) FROM (VALUES
	($$'', '[{"sku": "hat", "quantity": 1}]'$$, 'OM012 ref: must have 1 to 200 characters'),
	($$repeat('x', 201), '[{"sku": "hat", "quantity": 1}]'$$, 'OM012 ref: must have 1 to 200 characters'),
	($$NULL, '[{"sku": "hat", "quantity": 1}]'$$, '22004 argument 2 of function oms.hold_stock(text,text,jsonb,interval,text) must not be null'),
	($$'x', NULL$$, '22004 argument 3 of function oms.hold_stock(text,text,jsonb,interval,text) must not be null'),
	($$'x', '[{"sku": "hat", "quantity": 1}]', NULL$$, '22004 argument 4 of function oms.hold_stock(text,text,jsonb,interval,text) must not be null'),
	($$'x', '{}'$$, 'OM012 items: must be an array'), ($$'x', '[]'$$, 'OM012 items: is empty'), ($$'x', '[1]'$$, 'OM012 items[0]: must be an object'),
	($$'x', '[{"sku": "hat"}]'$$, 'OM012 items[0].quantity: is required'), ($$'x', '[{"sku": "hat", "quantity": 0}]'$$, 'OM012 items[0].quantity: 0 is less than 1'),
	($$'x', '[{"sku": "hat", "quantity": 1, "color": "red"}]'$$, 'OM012 items[0].color: unknown key'),
	($$'x', '[{"sku": "hat", "quantity": 1}, {"sku": "gone", "quantity": 1}]'$$, 'OM012 items[1].sku: unknown sku "gone"'),
	($$'x', '[{"sku": "hat", "quantity": 1, "location": "z"}]'$$, 'OM012 items[0].location: unknown location "z"'),
	($$'x', '[{"sku": "hat", "quantity": 1}]', '1 hour', 'z'$$, 'OM012 channel: unknown channel "z"'),
	($$'x', '[{"sku": "hat", "quantity": 1}]', '0'$$, '22023 a hold must last for more than no time and at most 366 days, not 00:00:00'),
	($$'x', '[{"sku": "hat", "quantity": 1}]', '-1 day'$$, '22023 a hold must last for more than no time and at most 366 days, not -1 days'),
	($$'x', '[{"sku": "hat", "quantity": 1}]', '178000000 years'$$, '22023 a hold must last for more than no time and at most 366 days, not 178000000 years')
	) AS v(call, expected), pg_temp.fault('SELECT oms.hold_stock(''shop'', ' || call || ')');
SELECT throws_ok($$ SELECT oms.hold_stock('nowhere', 'x', '[{"sku": "hat", "quantity": 1}]') $$, 'OM010', NULL, 'no such store');
SELECT throws_ok($$ SELECT oms.extend_hold('shop', 'x', '-1 hour') $$, '22023', NULL, 'extend_hold has the same bounds');
SELECT throws_ok($$ INSERT INTO shop.stock_holds (ref, sku, location, quantity, expires_at, items_hash) VALUES ('x', 'hat', 'b', 1, now(), '') $$, 'OM005', NULL, 'nobody inserts a hold by hand');
SELECT oms.hold_stock('shop', 'hat 1', pg_temp.item('hat', 1));
SELECT throws_ok($$ UPDATE shop.stock_holds SET quantity = 2 $$, 'OM005', NULL, 'or changes one');
SELECT throws_ok($$ DELETE FROM shop.stock_holds $$, 'OM005', NULL, 'or deletes one');
SELECT throws_ok($$ TRUNCATE shop.stock_holds $$, 'OM005', NULL, 'or all');
SELECT oms.release_hold('shop', 'hat 1');

-- ---- an order gets what was held for it

SELECT oms.hold_stock('shop', 'c3', pg_temp.item('shirt', 8));
SELECT is(pg_temp.held('c3'), 'shirt@a 5, shirt@b 3', 'a hold over two locations');
SELECT throws_ok($$ SELECT pg_temp.place('shirt', 3) $$, 'OM003', NULL, 'others do not get its units');
SELECT pg_temp.place('shirt', 8, '{"stock_hold": "c3"}') AS o \gset
SELECT is(pg_temp.parcels(:'o'), 'shirt@a 5, shirt@b 3', 'its order does');
SELECT is(pg_temp.held('c3'), NULL, 'the hold is over');
SELECT is(pg_temp.stock('shirt'), 'a 5/5, b 3/5', 'and its units are reserved once');
UPDATE shop.orders SET status = 'canceled' WHERE id = :'o';

SELECT oms.hold_stock('shop', 'c4', '[{"sku": "shirt", "quantity": 2, "location": "b"}, {"sku": "hat", "quantity": 2}]');
SELECT pg_temp.place('shirt', 3, '{"stock_hold": "c4"}') AS o \gset
SELECT is(pg_temp.parcels(:'o'), 'shirt@b 3', 'an order goes where units are held for it, not where else it would');
SELECT is(pg_temp.stock('shirt') || '; ' || pg_temp.stock('hat'), 'a 0/5, b 3/5; b 0/10', 'what it does not want of the hold is free');
UPDATE shop.orders SET status = 'canceled' WHERE id = :'o';

SELECT oms.hold_stock('shop', 'c5', '[{"sku": "cap", "quantity": 4}]');
UPDATE shop.stock SET safety_stock = 2 WHERE sku = 'cap';
SELECT pg_temp.place('cap', 4, '{"stock_hold": "c5"}') AS o \gset
SELECT is(pg_temp.parcels(:'o'), 'cap@a 4', 'safety stock that is raised meanwhile takes nothing from a hold');
UPDATE shop.orders SET status = 'canceled' WHERE id = :'o';
UPDATE shop.stock SET safety_stock = 0 WHERE sku = 'cap';

SELECT isnt(pg_temp.place('cap', 1, '{"stock_hold": "never made"}'), NULL, 'an order that names a hold that is gone finds its own units');
SELECT is((SELECT message FROM pg_temp.fault($$ SELECT pg_temp.place('cap', 4, '{"stock_hold": "never made"}') $$)), 'not enough stock: sku "cap" wants 4, 3 available', 'if there are any');
SELECT oms.hold_stock('shop', 'c6', pg_temp.item('cap', 2));
SELECT is((SELECT message FROM pg_temp.fault($$ SELECT pg_temp.place('cap', 4, '{"stock_hold": "c6"}') $$)), 'not enough stock: sku "cap" wants 4, 3 available', 'a hold of too little does not add up to more');
SELECT is(pg_temp.held('c6'), 'cap@a 2', 'and stays when its order is refused');
SELECT pg_temp.place('cap', 3, '{"stock_hold": "c6"}') AS o \gset
SELECT is(pg_temp.parcels(:'o'), 'cap@a 3', 'one line of a parcel for both');
SELECT is(pg_temp.stock('cap'), 'a 4/4', 'a hold and what else there is');
UPDATE shop.orders SET status = 'canceled' WHERE status <> 'canceled';
SELECT oms.hold_stock('shop', 'c8', '[{"sku": "shirt", "quantity": 2, "location": "a"}, {"sku": "shirt", "quantity": 2, "location": "b"}]');
SELECT pg_temp.place('shirt', 7, '{"stock_hold": "c8"}') AS o \gset
SELECT is(pg_temp.parcels(:'o'), 'shirt@a 5, shirt@b 2', 'also where no place has all: what is held, then the rest in order of priority');
UPDATE shop.orders SET status = 'canceled' WHERE status <> 'canceled';
SELECT pg_temp.sound('orders from holds');

-- in steps, with a trigger that watches
CREATE FUNCTION shop.watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER watch AFTER UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.watch();
SELECT oms.hold_stock('shop', 'c7', '[{"sku": "shirt", "quantity": 2, "location": "b"}, {"sku": "shirt", "quantity": 5, "location": "a"}, {"sku": "shirt", "quantity": 3, "location": "b"}]');
SELECT throws_ok($$ SELECT pg_temp.place('shirt', 1) $$, 'OM003', NULL, 'all shirts are held');
SELECT pg_temp.place('shirt', 9, '{"stock_hold": "c7"}') AS o \gset
SELECT is(pg_temp.parcels(:'o'), 'shirt@a 5, shirt@b 4', 'in steps too an order gets what was held for it');
SELECT is(pg_temp.held('c7'), NULL, 'and ends the hold');
DROP TRIGGER watch ON shop.orders;
UPDATE shop.orders SET status = 'canceled' WHERE status <> 'canceled';
SELECT pg_temp.sound('in steps');

-- ---- expired holds

SELECT oms.hold_stock('shop', 'e' || n, pg_temp.item('hat', 3), '1 millisecond') FROM generate_series(1, 3) AS n;
SELECT pg_sleep(0.003);
SELECT is(pg_temp.stock('hat'), 'b 9/10', 'a hold that expired is still reserved');
SELECT pg_temp.place('hat', 1) AS o \gset
SELECT is((SELECT count(*) FROM shop.stock_holds), 3::bigint, 'as long as others do not need its units');
SELECT pg_temp.place('hat', 2) AS o2 \gset
SELECT is(pg_temp.held('e1'), NULL, 'who does takes the one that expired first');
SELECT is(pg_temp.held('e3'), 'hat@b 3', 'and no more than that');
SELECT is(pg_temp.stock('hat'), 'b 9/10', 'what he does not need is free');
SELECT results_eq($$ SELECT units, repeated, expires_at > now() FROM oms.hold_stock('shop', 'e3', pg_temp.item('hat', 3)) $$, $$ VALUES (3::bigint, true, true) $$, 'one that expired and is still there is revived');
SELECT throws_ok($$ SELECT oms.hold_stock('shop', 'e4', pg_temp.item('hat', 5)) $$, 'OM003', NULL, 'a live hold is not taken');
SELECT results_eq($$ SELECT units, repeated FROM oms.hold_stock('shop', 'e4', pg_temp.item('hat', 4)) $$, $$ VALUES (4::bigint, false) $$, 'a hold takes expired ones as well');
SELECT is(pg_temp.held('e2'), NULL, 'which are gone then');
SELECT pg_temp.sound('expired holds');
SELECT oms.release_hold('shop', 'e4');
SELECT oms.hold_stock('shop', 'e5', pg_temp.item('hat', 4), '1 millisecond');
SELECT pg_sleep(0.003);
SELECT results_eq($$ SELECT units, repeated FROM oms.hold_stock('shop', 'e5', pg_temp.item('hat', 2)) $$, $$ VALUES (2::bigint, false) $$, 'the ref of one that expired can have other items');
SELECT is(pg_temp.held('e5'), 'hat@b 2', 'and has those alone');
SELECT oms.release_hold('shop', 'e5');
SELECT oms.hold_stock('shop', 'e6', pg_temp.item('hat', 4), '1 millisecond');
SELECT pg_sleep(0.003);
SELECT pg_temp.place('hat', 4, '{"stock_hold": "e6"}') AS o3 \gset
SELECT is(pg_temp.stock('hat'), 'b 10/10', 'an order gets what was held for it after it expired, if it is there');
UPDATE shop.orders SET status = 'canceled' WHERE id = :'o3';
SELECT oms.hold_stock('shop', 'e7', pg_temp.item('hat', 4), '1 millisecond');
-- a draft, asked on a snapshot
INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR') RETURNING id AS draft \gset
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) VALUES (:'draft', 1, 'hat', 4, 1);
SELECT pg_sleep(0.003);
SELECT results_eq(format($$ SELECT to_state, allowed, why_not FROM oms.next_moves('shop', 'order', %L) WHERE to_state = 'placed' $$, :'draft'), $$ VALUES ('placed', true, NULL::text) $$, 'next_moves counts on expired holds');
SELECT is(pg_temp.held('e7'), 'hat@b 4', 'and leaves them');
UPDATE shop.orders SET status = 'placed' WHERE id = :'draft';
SELECT is(pg_temp.held('e7'), NULL, 'an UPDATE takes them');
UPDATE shop.orders SET status = 'canceled' WHERE id = :'draft';

-- safety stock that holds units back
UPDATE shop.stock SET safety_stock = 8 WHERE sku = 'shirt' AND location = 'a';
UPDATE shop.stock SET safety_stock = 5 WHERE sku = 'shirt' AND location = 'b';
SELECT throws_ok($$ SELECT pg_temp.place('shirt', 1) $$, 'OM003', NULL, 'safety stock');
UPDATE shop.stock SET safety_stock = 0 WHERE sku = 'shirt' AND location = 'a';
SELECT oms.hold_stock('shop', 'f' || n, pg_temp.item('shirt', 1), '1 millisecond') FROM generate_series(1, 5) AS n;
UPDATE shop.stock SET safety_stock = 3 WHERE sku = 'shirt' AND location = 'a';
SELECT pg_sleep(0.003);
SELECT isnt(pg_temp.place('shirt', 2), NULL, 'units of expired holds beyond what safety stock lacks');
SELECT is((SELECT available FROM shop.stock WHERE sku = 'shirt' AND location = 'a'), 0::bigint, 'which is left alone');
UPDATE shop.stock SET safety_stock = 0 WHERE sku = 'shirt';
UPDATE shop.orders SET status = 'canceled' WHERE status NOT IN ('canceled', 'draft');

-- tick
SELECT oms.hold_stock('shop', 'g' || n, pg_temp.item('cap', 1), CASE WHEN n = 3 THEN '1 hour' ELSE '1 millisecond' END::interval) FROM generate_series(1, 3) AS n;
SELECT pg_sleep(0.003);
SELECT oms.tick('shop', 1);
SELECT is((SELECT string_agg(ref, ' ' ORDER BY ref) FROM shop.stock_holds WHERE ref LIKE 'g%'), 'g2 g3', 'tick removes so many of those that expired, the oldest first');
SELECT oms.tick('shop');
SELECT is((SELECT string_agg(ref, ' ' ORDER BY ref) FROM shop.stock_holds), 'e3 g3', 'then the others, but none that is live');
SELECT pg_temp.sound('tick');

-- ---- movements that leave too little

SELECT oms.release_hold('shop', 'e3'), oms.release_hold('shop', 'g3');
SELECT oms.hold_stock('shop', 'h1', pg_temp.item('cap', 1), '1 millisecond'), pg_sleep(0.003);
SELECT oms.hold_stock('shop', 'h2', pg_temp.item('cap', 2), '1 hour');
SELECT oms.hold_stock('shop', 'h3', pg_temp.item('cap', 1), '2 hours');
SELECT is((SELECT message FROM pg_temp.fault($$ INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('cap', 'a', 'transfer_out', 2) $$)),
	'not enough stock: 2 units of sku "cap" would be left at location "a", but 3 are reserved by stock holds (3)', 'a transfer takes no live hold');
SELECT lives_ok($$ INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('cap', 'a', 'transfer_out', 1) $$, 'but one that expired');
SELECT is(pg_temp.held('h1'), NULL, 'which is gone');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('cap', 'a', 'receipt', 1), ('cap', 'b', 'receipt', 5);
SELECT pg_temp.place('cap', 1) AS o \gset
SELECT is(pg_temp.parcels(:'o'), 'cap@a 1', 'and an order');
SELECT lives_ok($$ INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('cap', 'a', 'count', 2) $$, 'a count leaves 2 of 4 reserved');
SELECT is(concat_ws('; ', pg_temp.held('h2'), pg_temp.held('h3'), pg_temp.parcels(:'o')), 'cap@a 1; cap@a 1', 'holds give way before orders, those first that would last longest, as far as needed');
SELECT results_eq($$ SELECT units FROM oms.extend_hold('shop', 'h2') $$, $$ VALUES (1::bigint) $$, 'of which extend_hold tells');
SELECT results_eq($$ SELECT units, repeated FROM oms.hold_stock('shop', 'h2', pg_temp.item('cap', 2)) $$, $$ VALUES (2::bigint, true) $$, 'and which the same call makes whole');
SELECT is(pg_temp.held('h2'), 'cap@a 1, cap@b 1', 'keeping what it has');
SELECT lives_ok($$ INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('cap', 'a', 'count', 0) $$, 'a count of nothing');
SELECT is((SELECT location || ' ' || stock_state FROM shop.fulfillments WHERE order_id = :'o' AND stock_state = 'reserved'), 'b reserved', 'takes the hold, then the order''s unit, which is found elsewhere');
SELECT is(pg_temp.held('h2'), 'cap@b 1', 'the hold has less again');
SELECT pg_temp.sound('movements');

-- what arrives fills short units from expired holds too
SELECT pg_temp.place('cap', 10, '{"channel": "late"}') AS o \gset
SELECT oms.release_hold('shop', 'h2');
SELECT oms.hold_stock('shop', 'i1', pg_temp.item('cap', 1), '1 millisecond'), pg_sleep(0.003);
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('cap', 'a', 'receipt', 1);
SELECT is((SELECT units_short FROM shop.orders WHERE id = :'o'), 5::bigint, 'a receipt gives waiting orders what expired as well');
SELECT pg_temp.sound('fill');

-- a trigger that swallows what the engine writes would have units given back twice
SELECT oms.hold_stock('shop', 'kept', pg_temp.item('hat', 1), '1 hour');
CREATE FUNCTION pg_temp.swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER swallow BEFORE INSERT OR UPDATE OR DELETE ON shop.stock_holds FOR EACH ROW EXECUTE FUNCTION pg_temp.swallow();
SELECT throws_ok($$ SELECT oms.release_hold('shop', 'kept') $$, '27000', NULL, 'a trigger that keeps the rows of a hold');
SELECT throws_ok($$ SELECT oms.extend_hold('shop', 'kept', '2 hours') $$, '27000', NULL, 'or leaves them as they are');
SELECT throws_ok($$ SELECT oms.hold_stock('shop', 'another', pg_temp.item('hat', 1)) $$, '27000', NULL, 'or lets none be made');
SELECT throws_ok($$ INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT sku, location, 'count', 0 FROM shop.stock_holds WHERE ref = 'kept' $$, '27000', NULL, 'or would not have one give way');
DROP TRIGGER swallow ON shop.stock_holds;
SELECT pg_temp.sound('swallowed');

-- ---- bundles: what an order of them will want

UPDATE shop.orders SET status = 'canceled' WHERE status NOT IN ('canceled', 'draft');
SELECT oms.release_hold('shop', ref) FROM (SELECT DISTINCT ref FROM shop.stock_holds) h;
INSERT INTO shop.skus (code, name, kind) SELECT s, s, 'bundle' FROM unnest('{outfit,wardrobe,nothing}'::text[]) AS s;
INSERT INTO shop.bundle_items (bundle, sku, quantity) VALUES ('outfit', 'cap', 2), ('outfit', 'hat', 1), ('outfit', 'song', 1), ('wardrobe', 'outfit', 2), ('wardrobe', 'shirt', 1);
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('cap', 'a', 'count', 5), ('cap', 'b', 'count', 4), ('hat', 'a', 'count', 1), ('hat', 'b', 'count', 3), ('shirt', 'a', 'count', 5), ('shirt', 'b', 'count', 5);
SELECT results_eq($$ SELECT units, repeated FROM oms.hold_stock('shop', 'k1', '[{"sku": "shirt", "quantity": 1}, {"sku": "outfit", "quantity": 2, "location": "b"}]') $$, $$ VALUES (7::bigint, false) $$, 'a bundle is held as its components');
SELECT is(pg_temp.held('k1'), 'cap@b 4, hat@b 2, shirt@b 1', 'where the item says, and the others there too');
SELECT results_eq($$ SELECT units, repeated FROM oms.hold_stock('shop', 'k1', '[{"sku": "shirt", "quantity": 1}, {"sku": "outfit", "quantity": 2, "location": "b"}]') $$, $$ VALUES (7::bigint, true) $$, 'once');
SELECT throws_ok($$ SELECT pg_temp.place('outfit', 3) $$, 'OM003', NULL, 'others do not get them');
SELECT pg_temp.place('outfit', 2, '{"stock_hold": "k1"}') AS o \gset
SELECT is(pg_temp.parcels(:'o'), 'cap@b 4, hat@b 2, song@b 2', 'the order of the kits does, together');
SELECT is(pg_temp.stock('shirt'), 'a 0/5, b 0/5', 'what it does not want is free');
UPDATE shop.orders SET status = 'canceled' WHERE id = :'o';
SELECT oms.hold_stock('shop', 'k2', pg_temp.item('outfit', 3));
SELECT is(pg_temp.held('k2'), 'cap@a 2, cap@b 4, hat@a 1, hat@b 2', 'whole kits from each place');
SELECT oms.release_hold('shop', 'k2');
SELECT is((SELECT units FROM oms.hold_stock('shop', 'k3', pg_temp.item('wardrobe', 1))), 7::bigint, 'bundles of bundles');
SELECT oms.release_hold('shop', 'k3');
SELECT is((SELECT concat_ws(' | ', state, message, detail) FROM pg_temp.fault($$ SELECT oms.hold_stock('shop', 'k4', '[{"sku": "shirt", "quantity": 1}, {"sku": "outfit", "quantity": 5}]') $$)),
	'OM003 | not enough stock: sku "cap" wants 10, 9 available (and 1 more) | [{"line":2,"sku":"cap","location":null,"wanted":10,"available":9},{"line":2,"sku":"hat","location":null,"wanted":5,"available":4}]', 'too many are refused whole, line being the bundle''s place');
SELECT is(state || ' ' || message, expected, items) FROM (VALUES
	('[{"sku": "shirt", "quantity": 1}, {"sku": "nothing", "quantity": 1}]', 'OM012 items[1].sku: bundle "nothing" has no items in bundle_items'),
	('[{"sku": "outfit", "quantity": 1000000000000}]', 'OM012 items[0].quantity: 1000000000000 of bundle "outfit" hold more than 1000000000000 units of sku "cap"')
	) AS v(items, expected), pg_temp.fault(format('SELECT oms.hold_stock(''shop'', ''k5'', %L)', items));
UPDATE shop.skus SET active = false WHERE code = 'cap';
SELECT is((SELECT state || ' ' || message FROM pg_temp.fault($$ SELECT oms.hold_stock('shop', 'k5', '[{"sku": "outfit", "quantity": 1}]') $$)), 'OM012 items[0].sku: sku "cap", which bundle "outfit" holds, is not active', 'a component that is not sold');
UPDATE shop.skus SET active = true WHERE code = 'cap';
SELECT pg_temp.sound('bundles');

-- a partner that keeps its own books has nothing to hold
INSERT INTO shop.methods (code, name, workflow, by_partner) VALUES ('abroad', 'By a partner', 'dropship', true);
INSERT INTO shop.channels (code, name, default_method) VALUES ('partners', 'By partners', 'abroad');
SELECT results_eq($$ SELECT units FROM oms.hold_stock('shop', 'own', pg_temp.item('cap', 1000), '1 hour', 'partners') $$, $$ VALUES (0::bigint) $$, 'what comes without limit needs no hold');
SELECT is(pg_temp.held('own'), NULL, 'and has none');

-- an order that a movement sets off finds its own units, and no hold's
CREATE FUNCTION shop.reorder(f shop.fulfillments) RETURNS void LANGUAGE sql
AS $$ SELECT oms.place_order('shop', (SELECT attributes -> 'then' FROM shop.orders o WHERE o.id = f.order_id)) $$;
UPDATE shop.workflows SET definition = replace(definition, 'rejected do reroute', 'rejected do reroute, reorder') WHERE name = 'ship';
INSERT INTO shop.skus (code, name) VALUES ('mug', 'Mug'), ('pen', 'Pen');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('mug', 'a', 'receipt', 1), ('pen', 'a', 'receipt', 1);
SELECT oms.hold_stock('shop', 'then', pg_temp.item('pen', 1), '1 hour');
SELECT pg_temp.place('mug', 1, '{"attributes": {"then": {"channel": "late", "currency": "EUR", "external_ref": "then", "stock_hold": "then", "lines": [{"sku": "pen", "quantity": 1, "unit_price": 1}]}}}') AS o \gset
SELECT is((f).state || (f).message || (f).hint, '55000stock hold "then" cannot be turned into allocations while a movement has stock locked' ||
	'Place the order in a statement of its own, not by what the movement sets off.', 'a hold is not left behind unnoticed')
FROM pg_temp.fault($$ INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('mug', 'a', 'count', 0) $$) f;
UPDATE shop.orders SET attributes = jsonb_set(attributes #- '{then,stock_hold}', '{then,lines,0,sku}', '"mug"') WHERE id = :'o';
SELECT lives_ok($$ INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('mug', 'a', 'count', 0) $$, 'without one it is placed');
SELECT is((SELECT units_short FROM shop.orders WHERE external_ref = 'then'), 1::bigint, 'and does not get the very units that are gone');
SELECT pg_temp.sound('placed by a movement');

-- as many as fit into a transaction's places in line
SELECT throws_ok($$ SELECT oms.hold_stock('shop', 'many' || n, pg_temp.item('song', 1)) FROM generate_series(1, 1001) AS n $$, '54000', NULL, 'holds of one transaction are limited');

SELECT * FROM finish();
ROLLBACK;
