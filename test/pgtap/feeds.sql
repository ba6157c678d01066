-- set_stock: what partners and counts say of a location, in any order and as
-- often as they like; and putting returns away.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, if_short) VALUES ('web', 'Web', 'hold');
INSERT INTO shop.locations (code, name, kind, priority, tracked, active) VALUES
	('3pl', '3PL', 'warehouse', 1, true, true), ('own', 'Own', 'warehouse', 2, true, true), ('books', 'Own books', 'supplier', 3, false, true),
	('returns', 'Returns', 'warehouse', 4, true, false);
INSERT INTO shop.skus (code, name) SELECT chr(96 + n), 'SKU ' || n FROM generate_series(1, 10) AS n;

CREATE FUNCTION pg_temp.feed(more jsonb, VARIADIC units text[] DEFAULT '{}') RETURNS jsonb LANGUAGE sql
AS $$ SELECT '{"location": "3pl", "basis": "on_hand"}' || jsonb_build_object('items', coalesce((SELECT jsonb_agg(jsonb_build_object('sku', split_part(u, ' ', 1), 'quantity', split_part(u, ' ', 2)::bigint))
	FROM unnest(units) u), '[]')) || $1 $$;
-- applied, emptied, unchanged, ignored, and repeated where it is
CREATE FUNCTION pg_temp.set(more jsonb, VARIADIC units text[] DEFAULT '{}') RETURNS text LANGUAGE sql
AS $$ SELECT concat_ws(' ', applied, emptied, unchanged, ignored, CASE WHEN repeated THEN 'repeated' END) FROM shop.set_stock(pg_temp.feed(more, VARIADIC units)) $$;
CREATE FUNCTION pg_temp.stock(location text DEFAULT '3pl') RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(concat_ws('/', sku || ' ' || on_hand, nullif(unavailable, 0) || 'u', nullif(reserved, 0) || 'r'), ', ' ORDER BY sku) FROM shop.stock s WHERE s.location = $1 AND on_hand > 0 $$;
CREATE FUNCTION pg_temp.place(sku text, quantity bigint, more jsonb DEFAULT '{}') RETURNS uuid LANGUAGE sql
AS $$ SELECT order_id FROM oms.place_order('shop', jsonb_build_object('channel', 'web', 'currency', 'EUR', 'lines',
	jsonb_build_array(jsonb_build_object('sku', $1, 'quantity', $2, 'unit_price', 10))) || $3) $$;
CREATE FUNCTION pg_temp.sound(what text) RETURNS text LANGUAGE sql
AS $$ SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL,
	'verify_store: ' || what) $$;
CREATE FUNCTION pg_temp.fault(statement text, OUT state text, OUT message text, OUT path text) LANGUAGE plpgsql AS $$
DECLARE details text;
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, details = PG_EXCEPTION_DETAIL;
	IF state = 'OM012' THEN path := details::jsonb -> 0 ->> 'path'; END IF;
END $$;

-- ---- one after the other

SELECT is(pg_temp.set('{"ref": "1", "as_of": "2026-01-01 10:00Z"}', 'b 5', 'a 10', 'c 0'), '2 0 1 0', 'a feed: two SKUs have other units, one has none as before');
SELECT is(pg_temp.stock(), 'a 10, b 5', 'units on hand are what it says');
SELECT is((SELECT string_agg(concat_ws(' ', sku, kind, quantity, on_hand_change, external_ref), ', ' ORDER BY sku) FROM shop.stock_movements), 'a count 10 10 feed:1, b count 5 5 feed:1', 'by counts in the ledger, of what differed');
SELECT is(pg_temp.set('{"ref": "1", "as_of": "2026-01-01 10:00Z"}', 'b 5', 'a 10', 'c 0'), '2 0 1 0 repeated', 'the same again: the same answer');
SELECT is((SELECT count(*) FROM shop.stock_movements), 2::bigint, 'and no movement');
SELECT throws_ok($$ SELECT pg_temp.set('{"ref": "1", "as_of": "2026-01-01 10:00Z"}', 'b 6') $$, 'OM007', 'ref "1" of location "3pl" was used before, with another feed', 'its ref with another feed');
SELECT is(pg_temp.set('{"ref": "1", "as_of": "2026-01-01 10:00Z", "location": "own"}', 'a 3'), '1 0 0 0', 'another location has refs of its own');
SELECT is(pg_temp.set('{"ref": "2", "as_of": "2026-01-03Z"}', 'a 8', 'b 5'), '1 0 1 0', 'the next one');
SELECT is(pg_temp.set('{"ref": "3", "as_of": "2026-01-02Z"}', 'a 9', 'b 6', 'd 4'), '1 0 0 2', 'one that comes late: older items are left out, what none has told of is not');
SELECT is(pg_temp.stock(), 'a 8, b 5, d 4', 'the newer stay');
SELECT is((SELECT jsonb_agg(i - 'as_of') FROM shop.stock_feeds, jsonb_array_elements(ignored_items) i WHERE ref = '3'),
	'[{"sku": "a", "quantity": 9, "ref": "2", "sequence": null}, {"sku": "b", "quantity": 6, "ref": "2", "sequence": null}]', 'which the answer and the log tell, with the feed that was newer');
SELECT is((SELECT (i ->> 'as_of')::timestamptz FROM shop.set_stock(pg_temp.feed('{"ref": "4", "as_of": "2026-01-02Z"}', 'a 1')), jsonb_array_elements(ignored_items) i), '2026-01-03Z', 'and its moment');
SELECT is(pg_temp.set('{"ref": "5", "as_of": "2026-01-03Z"}', 'a 7'), '1 0 0 0', 'of the same moment is not older');
SELECT is(pg_temp.set('{"ref": "1", "as_of": "2026-01-01 10:00Z"}', 'b 5', 'a 10', 'c 0'), '2 0 1 0 repeated', 'the first once more, long after: nothing');
SELECT is(pg_temp.stock(), 'a 7, b 5, d 4', 'indeed');

-- by sequence
SELECT is(pg_temp.set('{"ref": "s7", "sequence": 7}', 'e 7'), '1 0 0 0', 'a feed with a sequence alone');
SELECT is(pg_temp.set('{"ref": "s9", "sequence": 9, "as_of": "2026-01-01Z"}', 'e 9'), '1 0 0 0', 'between two of them the sequence decides, not the moment');
SELECT is(pg_temp.set('{"ref": "s8", "sequence": 8}', 'e 8'), '0 0 0 1', 'it comes late');
SELECT is(pg_temp.set('{"ref": "t1", "as_of": "2025-12-31Z"}', 'e 1'), '0 0 0 1', 'against one without, the moment does');
SELECT is(pg_temp.set('{"ref": "t2", "as_of": "2026-01-02Z"}', 'e 2'), '1 0 0 0', 'both ways');
SELECT pg_temp.sound('one after the other');

-- ---- all that there is

SELECT is(pg_temp.set('{"ref": "f1", "as_of": "2026-01-04Z", "full": true}', 'a 1', 'b 5', 'f 2'), '2 2 1 0', 'full: what it does not name is not there');
SELECT is(pg_temp.stock(), 'a 1, b 5, f 2', 'no d, no e');
SELECT is(pg_temp.stock('own'), 'a 3', 'elsewhere nothing has changed');
SELECT is(pg_temp.set('{"ref": "f1", "as_of": "2026-01-04Z", "full": true}', 'a 1', 'b 5', 'f 2'), '2 2 1 0 repeated', 'again');
SELECT is(pg_temp.set('{"ref": "6", "as_of": "2026-01-03 12:00Z"}', 'd 4', 'g 1', 'a 1'), '0 0 0 3', 'what is older than that is ignored, a SKU that it did not name too');
SELECT is(pg_temp.set('{"ref": "7", "as_of": "2026-01-06Z"}', 'd 4', 'a 2'), '2 0 0 0', 'what is newer is not');
SELECT is(pg_temp.set('{"ref": "f2", "as_of": "2026-01-05Z", "full": true}', 'a 9', 'f 3'), '1 1 0 2', 'a full one that comes late leaves those alone, named or not');
SELECT is(pg_temp.stock(), 'a 2, d 4, f 3', 'and sets the others');
SELECT is((SELECT (ignored_items -> 1) - 'as_of' FROM shop.stock_feeds WHERE ref = 'f2'), '{"sku": "d", "ref": "7", "sequence": null}', 'one that it did not name has no quantity in the report');
SELECT is(pg_temp.set('{"ref": "f0", "as_of": "2026-01-01Z", "full": true}', 'a 9', 'h 3'), '0 0 0 2', 'a full one older than a full one does nothing');
SELECT is(pg_temp.set('{"ref": "f9", "as_of": "2026-01-07Z", "full": true}'), '0 3 0 0', 'nothing at all is there');
SELECT is(pg_temp.stock(), NULL, 'all gone');
SELECT pg_temp.sound('full');

-- ---- what the sender would still sell

SELECT is(pg_temp.set('{"ref": "p0", "as_of": "2026-02-01Z", "full": true}', 'a 10', 'b 10'), '2 0 0 0', 'ten of each');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('b', '3pl', 'quarantine', 2);
SELECT pg_temp.place('a', 3) AS known \gset
SELECT pg_temp.place('a', 2, '{"holds": [{"kind": "fraud"}]}') AS unknown \gset
SELECT clock_timestamp() AS before \gset
SELECT is(pg_temp.stock(), 'a 10/5r, b 10/2u', 'five of them are sold');
SELECT is((SELECT string_agg(f.status, ' ' ORDER BY f.id) FROM shop.fulfillments f WHERE order_id IN (:'known', :'unknown')), 'released open', 'the sender has been told of one');
SELECT is(pg_temp.set(jsonb_build_object('ref', 'p1', 'as_of', :'before', 'basis', 'sellable'), 'a 7', 'b 8'), '0 0 2 0', 'seven that it would still sell and three that it knows of make ten; two that are put aside count too');
SELECT is(pg_temp.set(jsonb_build_object('ref', 'p2', 'as_of', :'before', 'basis', 'sellable'), 'a 4'), '1 0 0 0', 'four are seven');
SELECT is(pg_temp.stock(), 'a 7/5r, b 10/2u', 'of which five are sold: it knows of three');
SELECT is((SELECT available FROM shop.stock WHERE sku = 'a' AND location = '3pl'), 2::bigint, 'so two are left, of the four');
UPDATE shop.order_holds SET released_at = now() WHERE order_id = :'unknown';
SELECT is(pg_temp.set(jsonb_build_object('ref', 'p3', 'as_of', :'before', 'basis', 'sellable'), 'a 4'), '0 0 1 0', 'what it was told of later is not what it knew then');
SELECT clock_timestamp() AS later \gset
SELECT is(pg_temp.set(jsonb_build_object('ref', 'p4', 'as_of', :'later', 'basis', 'sellable'), 'a 2'), '0 0 1 0', 'now it knows, and has two less');
SELECT oms.split_fulfillment('shop', f.id, '[{"line": 1, "quantity": 1}]') AS part FROM shop.fulfillments f WHERE order_id = :'known' \gset
SELECT is(pg_temp.set(jsonb_build_object('ref', 'p5', 'as_of', :'later', 'basis', 'sellable'), 'a 2'), '0 0 1 0', 'a part that was divided off since is of what it knew');
UPDATE shop.fulfillments SET status = 'shipped' WHERE id = :'part';
SELECT is(pg_temp.set(jsonb_build_object('ref', 'p6', 'as_of', :'later', 'basis', 'sellable'), 'a 2'), '0 0 1 0', 'one that has shipped since as well');
SELECT is(pg_temp.stock(), 'a 6/4r, b 10/2u', 'it is gone');
SELECT is(pg_temp.set('{"ref": "p7", "sequence": 1, "basis": "sellable"}', 'a 2'), '0 0 1 0', 'without a moment: what it knows now');
SELECT is(pg_temp.set(jsonb_build_object('ref', 'p8', 'as_of', clock_timestamp(), 'basis', 'sellable', 'full', true)), '0 2 0 0', 'nothing left to sell');
SELECT is(pg_temp.stock(), 'a 4/4r, b 2/2u', 'leaves what is sold and what is put aside');
SELECT pg_temp.sound('sellable');

-- ---- who was promised units, and who waits for some

SELECT is(pg_temp.set('{"ref": "o1", "location": "own", "as_of": "2026-02-01Z"}', 'a 1', 'h 1'), '2 0 0 0', 'one is elsewhere');
SELECT is(pg_temp.set(jsonb_build_object('ref', 'q1', 'as_of', clock_timestamp()), 'a 1'), '1 0 0 0', 'fewer are there than are sold');
SELECT is(pg_temp.stock() || '; ' || pg_temp.stock('own'), 'a 1/1r, b 2/2u; a 1/1r, h 1', 'allocations give way: one is sourced elsewhere');
SELECT is((SELECT sum(units_short) FROM shop.orders), 2::numeric, 'and two are short');
SELECT oms.cancel_lines('shop', o.id, jsonb_build_array(jsonb_build_object('line', 1, 'quantity', o.units_short))) FROM shop.orders o WHERE o.units_short > 0;
SELECT pg_temp.place('g', 2) AS first \gset
SELECT is(pg_temp.set(jsonb_build_object('ref', 'q2', 'as_of', clock_timestamp()), 'a 2', 'g 5'), '2 0 0 0', 'more');
SELECT is((SELECT concat_ws(' ', units_short, units_allocated) FROM shop.orders WHERE id = :'first'), '0 2', 'go to who waits');
SELECT pg_temp.place('h', 3, '{"external_ref": "waits"}') AS waits \gset
SELECT is(pg_temp.set(jsonb_build_object('ref', 'q3', 'as_of', clock_timestamp(), 'basis', 'sellable'), 'a 1', 'h 5'), '1 0 1 0', 'by what can be sold');
SELECT is((SELECT units_short FROM shop.orders WHERE id = :'waits'), 0::bigint, 'too');
SELECT is((SELECT available FROM shop.stock WHERE sku = 'h' AND location = '3pl'), 3::bigint, 'which leaves so many fewer to sell');
SELECT pg_temp.sound('promises');
UPDATE shop.workflows SET definition = replace(definition, 'open, released, picking, packed -> rejected do reroute;', 'open -> rejected do reroute;') WHERE name = 'ship';
SELECT throws_ok(format($$ SELECT pg_temp.set('{"ref": "q4", "as_of": "%s"}', 'a 0', 'h 9') $$, clock_timestamp()), 'OM003', NULL, 'what cannot give way is in the way');
SELECT is((SELECT count(*) FROM shop.stock_feeds WHERE ref = 'q4'), 0::bigint, 'the whole feed is refused, and can come again');
SELECT is((SELECT on_hand FROM shop.stock WHERE sku = 'h' AND location = '3pl'), 5::bigint, 'nothing of it happened');

-- ---- faults

CREATE TEMP TABLE faults (more jsonb, units text[], path text, message text);
INSERT INTO faults VALUES
('{"as_of": "2026-03-01Z"}', '{}', 'ref', 'ref: is required'),
('{"ref": "", "as_of": "2026-03-01Z"}', '{}', 'ref', 'ref: is empty'),
(jsonb_build_object('ref', repeat('é', 191), 'as_of', '2026-03-01Z'), '{}', 'ref', 'ref: is longer than 190 characters'),
('{"ref": "x"}', '{}', 'as_of', 'as_of: is required where there is no sequence'),
('{"ref": "x", "as_of": "2999-01-01Z"}', '{}', 'as_of', 'as_of: is in the future'),
('{"ref": "x", "as_of": "infinity"}', '{}', 'as_of', 'as_of: must be a finite time'),
('{"ref": "x", "sequence": -1}', '{}', 'sequence', 'sequence: -1 is less than 0'),
('{"ref": "x", "sequence": 9223372036854775808}', '{}', 'sequence', 'sequence: 9223372036854775808 is more than 9223372036854775807'),
('{"ref": "x", "sequence": 1.5}', '{}', 'sequence', 'sequence: 1.5 has more than 0 decimals'),
('{"ref": "x", "sequence": 1, "basis": "available"}', '{}', 'basis', 'basis: must be "on_hand" or "sellable"'),
('{"ref": "x", "sequence": 1, "basis": null}', '{}', 'basis', 'basis: is required'),
('{"ref": "x", "sequence": 1, "full": "yes"}', '{}', 'full', 'full: must be true or false'),
('{"ref": "x", "sequence": 1, "location": "moon"}', '{}', 'location', 'location: unknown location "moon"'),
('{"ref": "x", "sequence": 1, "location": "books"}', '{}', 'location', 'location: location "books" keeps its own books (tracked is false)'),
('{"ref": "x", "sequence": 1, "items": {}}', '{}', 'items', 'items: must be an array'),
('{"ref": "x", "sequence": 1, "items": [1]}', '{}', 'items[0]', 'items[0]: must be an object'),
('{"ref": "x", "sequence": 1, "items": [{"sku": "a"}]}', '{}', 'items[0].quantity', 'items[0].quantity: is required'),
('{"ref": "x", "sequence": 1, "items": [{"sku": "a", "quantity": 1, "units": 1}]}', '{}', 'items[0].units', 'items[0].units: unknown key'),
('{"ref": "x", "sequence": 1}', '{a 1,b -1}', 'items[1].quantity', 'items[1].quantity: -1 is less than 0'),
('{"ref": "x", "sequence": 1}', '{a 1,b 1000000000001}', 'items[1].quantity', 'items[1].quantity: 1000000000001 is more than 1000000000000'),
('{"ref": "x", "sequence": 1}', '{b 1,a 1,b 2}', 'items[2].sku', 'items[2].sku: sku "b" is there twice'),
('{"ref": "x", "sequence": 1}', '{a 1,zz 1}', 'items[1].sku', 'items[1].sku: unknown sku "zz"'),
('{"ref": "x", "sequence": 1, "store": "shop"}', '{}', 'store', 'store: unknown key');
SELECT is((f.state, f.path, f.message)::text, ('OM012', t.path, t.message)::text, t.message) FROM faults t, pg_temp.fault(format('SELECT pg_temp.set(%L, VARIADIC %L)', t.more, t.units)) f;
SELECT throws_ok(format('SELECT oms.set_stock(''shop'', %L)', d), 'OM012', NULL, 'no feed: ' || d) FROM unnest(ARRAY['[]', '1', 'null', '"x"']) d;
SELECT throws_ok('SELECT oms.set_stock(''shop'', NULL)', '22004', NULL, 'NULL');
SELECT throws_ok('SELECT oms.set_stock(''nowhere'', ''{}'')', 'OM010', NULL, 'no store');

-- ---- who may, and by hand

SELECT throws_ok($$ INSERT INTO shop.stock_feeds (location, ref, as_of, basis, is_full, applied, emptied, unchanged, ignored, ignored_items, document_hash, actor) SELECT 'own', 'z', now(), 'on_hand', true, 0, 0, 0, 0, '[]', '', '' $$, 'OM005', 'table "stock_feeds" is written by the engine alone', 'a feed by hand');
SELECT throws_ok(statement, 'OM005', NULL, statement) FROM unnest(ARRAY['UPDATE shop.stock_feeds SET as_of = now()', 'DELETE FROM shop.stock_feeds', 'TRUNCATE shop.stock_feeds CASCADE',
	'UPDATE shop.stock_feed_items SET as_of = ''1999-01-01''', 'DELETE FROM shop.stock_feed_items', 'TRUNCATE shop.stock_feed_items']) AS statement;
CREATE ROLE t_manager; CREATE ROLE t_clerk;
SELECT shop.grant_store('t_manager', 'manager'), shop.grant_store('t_clerk', 'clerk');
SET LOCAL ROLE t_clerk;
SELECT throws_ok($$ SELECT pg_temp.set('{"ref": "m1", "sequence": 5}', 'j 5') $$, '42501', 'permission denied for table stock_movements', 'a clerk may not');
SELECT throws_ok($$ SELECT pg_temp.set('{"ref": "m1", "sequence": 5}') $$, '42501', NULL, 'not even nothing');
SET LOCAL ROLE t_manager;
SET LOCAL oms.actor = 'the 3pl';
SELECT is(pg_temp.set('{"ref": "m1", "sequence": 5}', 'j 5'), '1 0 0 0', 'a manager may');
RESET ROLE;
SELECT is((SELECT string_agg(DISTINCT actor, ' ') FROM (SELECT actor FROM shop.stock_feeds WHERE ref = 'm1' UNION ALL SELECT actor FROM shop.stock_movements WHERE sku = 'j') a), 'the 3pl', 'both logs tell who');
RESET oms.actor;
SAVEPOINT import;
SELECT shop.begin_import();
SELECT throws_ok($$ SELECT pg_temp.set('{"ref": "m2", "sequence": 6}', 'j 6') $$, '55000', NULL, 'not among rows of the past');
ROLLBACK TO import;
INSERT INTO shop.stock_movements (sku, location, kind, quantity, external_ref) VALUES ('j', '3pl', 'count', 6, 'feed:m3');
SELECT throws_ok($$ SELECT pg_temp.set('{"ref": "m3", "sequence": 7}', 'j 7') $$, 'OM007', NULL, 'a movement by hand that took the feed''s reference');
SELECT pg_temp.sound('who may');

-- ---- a return: put aside, looked at, put away, a statement each

INSERT INTO shop.stock_movements (sku, location, kind, quantity, external_ref) VALUES
	('i', 'returns', 'return', 3, 'RMA 1'), ('i', 'returns', 'quarantine', 3, 'RMA 1');
SELECT is((SELECT concat_ws(' ', on_hand, unavailable, available) FROM shop.stock WHERE location = 'returns'), '3 3 0', 'three are back, none for sale');
SELECT pg_temp.place('i', 2) AS hopes \gset
SELECT is((SELECT units_short FROM shop.orders WHERE id = :'hopes'), 2::bigint, 'an order does not get them');
INSERT INTO shop.stock_movements (sku, location, kind, quantity, external_ref) VALUES
	('i', 'returns', 'unquarantine', 2, 'put away 1'), ('i', 'returns', 'transfer_out', 2, 'put away 1'), ('i', 'own', 'transfer_in', 2, 'put away 1');
SELECT is((SELECT concat_ws(' ', on_hand, unavailable, available) FROM shop.stock WHERE location = 'returns'), '1 1 0', 'two are put away');
SELECT is((SELECT string_agg(concat_ws(' ', f.location, f.status), ', ') FROM shop.fulfillments f WHERE order_id = :'hopes'), 'own released', 'and go to who waits, from where they are now');
INSERT INTO shop.stock_movements (sku, location, kind, quantity, reason) VALUES ('i', 'returns', 'unquarantine', 1, 'broken'), ('i', 'returns', 'damage', 1, 'broken');
SELECT is((SELECT concat_ws(' ', on_hand, unavailable, available) FROM shop.stock WHERE location = 'returns'), '0 0 0', 'one is written off');
SELECT pg_temp.sound('returns');

SELECT * FROM finish();
ROLLBACK;
