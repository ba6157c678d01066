-- What could be sold now, and from when on so much could be: as place_order
-- would have it.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.methods (code, name, workflow, by_partner) VALUES ('abroad', 'By a partner', 'dropship', true);
INSERT INTO shop.channels (code, name, if_short, default_method) VALUES ('web', 'Web', 'refuse', 'ship'), ('late', 'May be late', 'hold', 'ship'),
	('partners', 'By partners', 'refuse', 'abroad'), ('shut', 'Shut', 'refuse', 'ship');
UPDATE shop.channels SET active = false WHERE code = 'shut';
INSERT INTO shop.locations (code, name, kind, priority, tracked, active) VALUES ('north', 'North', 'warehouse', 1, true, true), ('south', 'South', 'store', 2, true, true),
	('closed', 'Closed', 'warehouse', 3, true, false), ('helper', 'Helper', 'third_party', 4, true, true), ('own', 'Own books', 'warehouse', 5, false, true);
INSERT INTO shop.skus (code, name, kind) VALUES ('shirt', 'Shirt', 'physical'), ('hat', 'Hat', 'physical'), ('mug', 'Mug', 'physical'), ('song', 'Song', 'digital'), ('old', 'Old', 'physical'), ('new', 'New', 'physical');
UPDATE shop.skus SET active = false WHERE code = 'old';
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('shirt', 'north', 'receipt', 10), ('shirt', 'south', 'receipt', 5), ('shirt', 'closed', 'receipt', 7),
	('shirt', 'helper', 'receipt', 3), ('shirt', 'north', 'quarantine', 2), ('hat', 'north', 'receipt', 2), ('old', 'north', 'receipt', 9);
UPDATE shop.stock SET safety_stock = 6 WHERE sku = 'shirt' AND location = 'south';
CREATE FUNCTION pg_temp.place(sku text, quantity bigint, channel text DEFAULT 'web', more jsonb DEFAULT '{}') RETURNS uuid LANGUAGE sql
AS $$ SELECT order_id FROM oms.place_order('shop', jsonb_build_object('channel', $3, 'currency', 'EUR', 'lines',
	jsonb_build_array(jsonb_build_object('sku', $1, 'quantity', $2, 'unit_price', 10) || $4))) $$;
CREATE FUNCTION pg_temp.show(skus text[], channel text DEFAULT NULL, location text DEFAULT NULL) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(format('%s: %s on hand, %s reserved, %s held, %s safety, %s available, %s backorderable%s', sku, on_hand, reserved, held, safety_stock,
	coalesce(available::text, 'any'), backorderable, to_char(next_expected_at, ', YYYY')), '; ') FROM oms.availability('shop', $1, $2, $3) $$;
SELECT pg_temp.place('shirt', 4);

-- ---- now

SELECT is(pg_temp.show('{shirt}'), 'shirt: 25 on hand, 4 reserved, 0 held, 6 safety, 7 available, 0 backorderable', 'all locations; available where orders may take it');
SELECT is(pg_temp.show('{hat,shirt,hat}'), 'hat: 2 on hand, 0 reserved, 0 held, 0 safety, 2 available, 0 backorderable; shirt: 25 on hand, 4 reserved, 0 held, 6 safety, 7 available, 0 backorderable; hat: 2 on hand, 0 reserved, 0 held, 0 safety, 2 available, 0 backorderable', 'a row for each that is asked for, in that order');
SELECT is(pg_temp.show('{mug}'), 'mug: 0 on hand, 0 reserved, 0 held, 0 safety, 0 available, 0 backorderable', 'what has never been there');
SELECT is(pg_temp.show('{song}'), 'song: 0 on hand, 0 reserved, 0 held, 0 safety, any available, 0 backorderable', 'what takes no stock is without limit');
SELECT is(pg_temp.show('{old}'), 'old: 9 on hand, 0 reserved, 0 held, 0 safety, 0 available, 0 backorderable', 'what is not active is there and not sold');
SELECT is(pg_temp.show('{}'), NULL, 'nothing asked');
SELECT is((SELECT string_agg(available::text, ' ' ORDER BY location) FROM (VALUES ('north'), ('south'), ('closed'), ('helper')) AS l(location), oms.availability('shop', '{shirt}', location => l.location)), '0 3 4 0', 'in one location');
SELECT is(pg_temp.show('{shirt}', NULL, 'own'), 'shirt: 0 on hand, 0 reserved, 0 held, 0 safety, any available, 0 backorderable', 'in one that keeps its own books');
SELECT is(pg_temp.show('{shirt}', 'partners'), 'shirt: 25 on hand, 4 reserved, 0 held, 6 safety, 3 available, 0 backorderable', 'by a method of partners, theirs alone');
SELECT is(pg_temp.show('{shirt,song}', 'shut'), 'shirt: 25 on hand, 4 reserved, 0 held, 6 safety, 0 available, 0 backorderable; song: 0 on hand, 0 reserved, 0 held, 0 safety, 0 available, 0 backorderable', 'a channel that is not active sells nothing');
INSERT INTO shop.locations (code, name, kind, tracked) VALUES ('maker', 'Maker', 'supplier', false);
SELECT is(pg_temp.show('{shirt}', 'partners'), 'shirt: 25 on hand, 4 reserved, 0 held, 6 safety, any available, 0 backorderable', 'a partner that keeps its own books is without limit');
UPDATE shop.skus SET default_method = 'abroad' WHERE code = 'hat';
SELECT is((SELECT string_agg(format('%s %s %s %s %s %s %s', sku, on_hand, reserved, held, safety_stock, coalesce(available::text, 'any'), backorderable), ', ' ORDER BY sku) FROM shop.availability),
	'hat 2 0 0 0 any 0, mug 0 0 0 0 0 0, new 0 0 0 0 0 0, old 9 0 0 0 0 0, shirt 25 4 0 6 7 0, song 0 0 0 0 any 0', 'the view says so too');
SELECT set_eq('SELECT * FROM shop.availability', $$ SELECT * FROM shop.availability(ARRAY(SELECT code FROM shop.skus)) $$, 'as the function does');
SELECT set_eq($$ SELECT * FROM shop.availability('{shirt}', 'web', 'south') $$, $$ SELECT * FROM oms.availability('shop', '{shirt}', 'web', 'south') $$, 'and its wrapper');

-- place_order takes exactly what is available, in every way of asking
CREATE FUNCTION pg_temp.takes(sku text, units bigint, channel text, location text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_temp.place(sku, units, channel, jsonb_strip_nulls(jsonb_build_object('location', location)));
	RAISE EXCEPTION 'taken' USING ERRCODE = 'ZZ001';
EXCEPTION WHEN SQLSTATE 'ZZ001' THEN RETURN true; WHEN SQLSTATE 'OM003' OR SQLSTATE 'OM012' THEN RETURN false;
END $$;
SELECT is((SELECT string_agg(format('%s %s %s: %s', s, c, l, a.available), ', ') FROM unnest('{shirt,mug,old,song,hat}'::text[]) AS s, unnest('{web,partners,shut}'::text[]) AS c, unnest('{north,south,closed,helper,own,NULL}'::text[]) AS l,
	oms.availability('shop', ARRAY[s], c, l) AS a WHERE NOT CASE WHEN a.available IS NULL THEN pg_temp.takes(s, 100000, c, l)
	ELSE NOT pg_temp.takes(s, a.available + 1, c, l) AND (a.available = 0 OR pg_temp.takes(s, a.available, c, l)) END), NULL, 'place_order takes what is available and no more');

SELECT throws_ok($$ SELECT * FROM oms.availability('shop', '{shirt,nothing}') $$, '22023', NULL, 'an unknown sku');
SELECT throws_ok($$ SELECT * FROM oms.availability('shop', '{shirt}', 'nothing') $$, '22023', NULL, 'an unknown channel');
SELECT throws_ok($$ SELECT * FROM oms.availability('shop', '{shirt}', NULL, 'nowhere') $$, '22023', NULL, 'an unknown location');
SELECT throws_ok($$ SELECT * FROM oms.availability('shop', '{shirt,NULL}') $$, '22004', NULL, 'NULL among them');
SELECT throws_ok($$ SELECT * FROM oms.availability('shop', NULL) $$, '22004', NULL, 'NULL');
SELECT throws_ok($$ SELECT * FROM oms.availability('nothing', '{shirt}') $$, 'OM010', NULL, 'an unknown store');

-- ---- from when on

CREATE FUNCTION pg_temp.from(sku text, quantity bigint, channel text DEFAULT NULL, location text DEFAULT NULL) RETURNS text LANGUAGE sql
AS $$ SELECT CASE p WHEN now() THEN 'now' ELSE to_char(p AT TIME ZONE 'UTC', 'YYYY-MM-DD') END FROM oms.available_to_promise('shop', $1, $2, $3, $4) AS p $$;
UPDATE shop.skus SET default_method = NULL WHERE code = 'hat';
INSERT INTO shop.inbound (ref, sku, location, quantity, expected_at, status) VALUES ('p1', 'shirt', 'north', 10, '2090-01-01Z', 'expected'), ('p2', 'shirt', 'south', 3, '2090-02-01Z', 'in_transit'),
	('p3', 'shirt', 'south', 4, '2090-03-01Z', 'expected'), ('p4', 'shirt', 'closed', 100, '2090-01-01Z', 'expected'), ('p5', 'shirt', 'north', 100, NULL, 'expected'), ('p6', 'shirt', 'north', 100, now() - interval '1 hour', 'in_transit'),
	('p7', 'shirt', 'helper', 2, '2090-04-01Z', 'expected'), ('p8', 'shirt', 'north', 100, '2089-01-01Z', 'canceled');
INSERT INTO shop.inbound (ref, sku, location, from_location, quantity, expected_at) VALUES ('t1', 'shirt', 'south', 'north', 1, '2090-01-15Z');
SELECT is((SELECT string_agg(q || ' ' || coalesce(pg_temp.from('shirt', q), 'never'), ', ' ORDER BY q) FROM unnest('{1,7,8,17,18,19,23,24,25,26}'::int[]) AS q),
	'1 now, 7 now, 8 2090-01-01, 17 2090-01-01, 18 2090-02-01, 19 2090-02-01, 23 2090-03-01, 24 2090-04-01, 25 2090-04-01, 26 never', 'as things arrive; safety stock is filled up first');
SELECT is(to_char((SELECT next_expected_at FROM oms.availability('shop', '{shirt}')) AT TIME ZONE 'UTC', 'YYYY-MM-DD'), '2090-01-01', 'the next arrival');
SELECT is(to_char((SELECT next_expected_at FROM oms.availability('shop', '{shirt}', location => 'south')) AT TIME ZONE 'UTC', 'YYYY-MM-DD'), '2090-02-01', 'the next arrival in one location');
SELECT is(pg_temp.from('shirt', 5, NULL, 'south'), '2090-03-01', 'in one location');
SELECT is(pg_temp.from('shirt', 8, NULL, 'south'), NULL, 'which never has so many');
SELECT is(pg_temp.from('shirt', 15, 'web'), '2090-01-01', 'for a channel');
SELECT is(pg_temp.from('shirt', 1000, 'partners'), 'now', 'without limit');
SELECT is(pg_temp.from('song', 1000), 'now', 'what takes no stock');
SELECT is(pg_temp.from('old', 1), NULL, 'what is not active');
SELECT is(pg_temp.from('shirt', 1, 'shut'), NULL, 'by a channel that is not');
SELECT is(pg_temp.from('mug', 1), NULL, 'what nobody has ordered');
UPDATE shop.locations SET active = false WHERE code = 'maker';
SELECT is(pg_temp.from('shirt', 5, 'partners'), '2090-04-01', 'by partners, what comes to them');
UPDATE shop.inbound SET status = 'in_transit' WHERE ref = 't1';
SELECT is(pg_temp.from('shirt', 7), '2090-01-01', 'what is on its way from one place to another is in neither');
UPDATE shop.inbound SET expected_at = '2090-05-01Z' WHERE ref = 'p6';
SELECT is(pg_temp.from('shirt', 100), '2090-05-01', 'what is late counts again once it has a date');

-- who waits is served first
SELECT pg_temp.place('hat', 5, 'late');
INSERT INTO shop.inbound (ref, sku, location, quantity, expected_at) VALUES ('h1', 'hat', 'north', 4, '2090-01-01Z'), ('h2', 'hat', 'south', 4, '2090-02-01Z');
SELECT is((SELECT string_agg(coalesce(pg_temp.from('hat', q), 'never'), ' ' ORDER BY q) FROM generate_series(1, 6) AS q), '2090-01-01 2090-02-01 2090-02-01 2090-02-01 2090-02-01 never', 'what orders wait for is not promised twice');
SELECT shop.receive_inbound(id) FROM shop.inbound WHERE ref = 'h1';
SELECT is((SELECT string_agg(coalesce(pg_temp.from('hat', q), 'never'), ' ' ORDER BY q) FROM unnest('{1,2,5,6}'::int[]) AS q), 'now 2090-02-01 2090-02-01 never', 'and the promise is kept');
SELECT throws_ok($$ SELECT oms.available_to_promise('shop', 'nothing', 1) $$, '22023', NULL, 'an unknown sku');
SELECT throws_ok($$ SELECT oms.available_to_promise('shop', 'shirt', 1, 'nothing') $$, '22023', NULL, 'an unknown channel');
SELECT throws_ok(format($$ SELECT shop.available_to_promise('shirt', %s) $$, q), '22023', NULL, 'no quantity: ' || q) FROM unnest('{0,-1,9223372036854775807}'::bigint[]) AS q;
SELECT throws_ok($$ SELECT oms.available_to_promise('shop', 'shirt', NULL) $$, '22004', NULL, 'NULL');

CREATE ROLE availability_nobody;
GRANT USAGE ON SCHEMA shop TO availability_nobody;
SET ROLE availability_nobody;
SELECT throws_ok($$ SELECT * FROM oms.availability('shop', '{shirt}') $$, '42501', NULL, 'who may not read stock learns nothing');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
