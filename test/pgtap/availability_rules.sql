-- Availability with holds, a channel's rules, policies for later, and bundles.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name) VALUES ('web', 'Web'), ('market', 'Market'), ('till', 'Till');
INSERT INTO shop.locations (code, name, priority) VALUES ('north', 'North', 1), ('south', 'South', 2);
INSERT INTO shop.skus (code, name) VALUES ('shirt', 'Shirt'), ('hat', 'Hat'), ('cup', 'Cup'), ('plate', 'Plate'), ('spoon', 'Spoon');
INSERT INTO shop.skus (code, name, kind) VALUES ('song', 'Song', 'digital'), ('set', 'Set', 'bundle'), ('trousseau', 'Trousseau', 'bundle'), ('empty', 'Empty', 'bundle');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('shirt', 'north', 'receipt', 10), ('shirt', 'south', 'receipt', 6), ('hat', 'north', 'receipt', 5),
	('cup', 'north', 'receipt', 9), ('cup', 'south', 'receipt', 2), ('plate', 'north', 'receipt', 4), ('spoon', 'south', 'receipt', 30);
CREATE FUNCTION pg_temp.show(sku text, channel text DEFAULT NULL, location text DEFAULT NULL) RETURNS text LANGUAGE sql
AS $$ SELECT format('%s reserved, %s held, %s available, %s later', reserved, held, coalesce(available::text, 'any'), coalesce(backorderable::text, 'any')) FROM oms.availability('shop', ARRAY[$1], $2, $3) $$;
CREATE FUNCTION pg_temp.from(sku text, quantity bigint, channel text DEFAULT NULL, location text DEFAULT NULL) RETURNS text LANGUAGE sql
AS $$ SELECT CASE p WHEN now() THEN 'now' ELSE to_char(p AT TIME ZONE 'UTC', 'YYYY-MM-DD') END FROM oms.available_to_promise('shop', $1, $2, $3, $4) AS p $$;

-- ---- holds: live ones keep, expired ones do not

SELECT oms.hold_stock('shop', 'cart 1', '[{"sku": "hat", "location": "north", "quantity": 3}]', interval '1 hour');
SELECT is(pg_temp.show('hat'), '3 reserved, 3 held, 2 available, 0 later', 'a hold keeps its units');
SELECT oms.hold_stock('shop', 'cart 2', '[{"sku": "hat", "location": "north", "quantity": 1}]', interval '1 millisecond');
SELECT pg_sleep(0.01);
SELECT is(pg_temp.show('hat'), '4 reserved, 3 held, 2 available, 0 later', 'what an expired one keeps can be sold');
SELECT is(pg_temp.show('hat', 'web', 'north'), '4 reserved, 3 held, 2 available, 0 later', 'in every way of asking');
SELECT is(pg_temp.show('hat', NULL, 'south'), '0 reserved, 0 held, 0 available, 0 later', 'where it is');
SELECT is(pg_temp.from('hat', 2) || ', ' || coalesce(pg_temp.from('hat', 3), 'never'), 'now, never', 'and promised');

-- ---- a channel's rules

INSERT INTO shop.channel_stock_rules (channel, sku, location, effect) VALUES ('till', NULL, 'north', 'only'), ('market', 'shirt', 'south', 'deny');
SELECT is((SELECT string_agg(format('%s %s', c, a.available), ', ') FROM unnest('{web,market,till}'::text[]) AS c, oms.availability('shop', '{shirt}', c) AS a), 'web 16, market 10, till 10', 'deny and only');
SELECT is(pg_temp.show('shirt'), '0 reserved, 0 held, 16 available, 0 later', 'no channel, no rules');
SELECT is(pg_temp.show('shirt', 'market', 'south'), '0 reserved, 0 held, 0 available, 0 later', 'where it may not take there is nothing');
INSERT INTO shop.channel_stock_rules (channel, sku, location, effect, units) VALUES ('market', NULL, NULL, 'keep_from', 2), ('market', 'shirt', 'north', 'keep_from', 3), ('web', 'shirt', NULL, 'keep_for', 4), ('till', 'shirt', 'south', 'keep_for', 1);
SELECT is((SELECT string_agg(format('%s %s', c, a.available), ', ') FROM unnest('{web,market,till}'::text[]) AS c, oms.availability('shop', '{shirt}', c) AS a), 'web 15, market 3, till 6', 'the largest of each kind is kept at each location, both add up');
SELECT is((SELECT string_agg(format('%s %s', c, a.available), ', ') FROM unnest('{web,market,till}'::text[]) AS c, oms.availability('shop', '{hat}', c) AS a), 'web 2, market 0, till 2', 'never less than 0');
INSERT INTO shop.inbound (ref, sku, location, quantity, expected_at) VALUES ('p1', 'shirt', 'south', 50, '2090-01-01Z'), ('p2', 'shirt', 'north', 5, '2090-02-01Z'), ('p3', 'hat', 'north', 4, '2090-03-01Z');
SELECT is((SELECT string_agg(format('%s %s', c, coalesce(pg_temp.from('shirt', 8, c), 'never')), ', ') FROM unnest('{web,market,till}'::text[]) AS c), 'web now, market 2090-02-01, till 2090-02-01', 'what comes to where a channel may not take is not promised to it');
SELECT is(pg_temp.from('hat', 4, 'market') || ', ' || pg_temp.from('hat', 6), '2090-03-01, 2090-03-01', 'what is kept is filled up first');
INSERT INTO shop.inbound (ref, sku, location, quantity, expected_at) VALUES ('p6', 'spoon', 'north', 5, '2090-05-01Z');
SELECT is((SELECT string_agg(coalesce(pg_temp.from('spoon', q, 'market'), 'never'), ', ') FROM unnest('{28,29,31,32}'::int[]) AS q), 'now, 2090-05-01, 2090-05-01, never', 'also where it has never been');

-- ---- for later

INSERT INTO shop.backorder_policies (sku, policy, limit_units) VALUES ('hat', 'backorder', 20), ('shirt', 'backorder', NULL);
INSERT INTO shop.backorder_policies (sku, policy, limit_units, valid_from, valid_until) VALUES ('hat', 'preorder', 100, '2020-01-01', NULL), ('shirt', 'preorder', 3, '2020-01-01', NULL), ('spoon', 'preorder', 7, '2020-01-01', '2020-02-01'), ('plate', 'preorder', 7, '2020-01-01', '2090-01-01'), ('cup', 'preorder', 7, '2090-01-01', NULL);
SELECT is((SELECT string_agg(format('%s %s', sku, coalesce(backorderable::text, 'any')), ', ') FROM oms.availability('shop', '{hat,shirt,spoon,plate,cup,song}')), 'hat 20, shirt any, spoon 0, plate 7, cup 0, song 0', 'policies that are in force, of several the one that began last');

-- ---- bundles

INSERT INTO shop.bundle_items (bundle, sku, quantity, price_share) VALUES ('set', 'cup', 2, 0.5), ('set', 'plate', 1, 0.5), ('trousseau', 'set', 2, 0.6), ('trousseau', 'cup', 1, 0.3), ('trousseau', 'song', 1, 0.1);
SELECT is(pg_temp.show('set'), '0 reserved, 0 held, 4 available, 1 later', 'as many as its components make');
SELECT is(pg_temp.show('trousseau'), '0 reserved, 0 held, 2 available, 0 later', 'nested, with the same component twice');
SELECT is((SELECT string_agg(format('%s %s', sku, coalesce(available::text, 'any')), ', ') FROM oms.availability('shop', '{cup,set,trousseau,song,set}')), 'cup 11, set 4, trousseau 2, song any, set 4', 'beside others, more than once');
SELECT is(pg_temp.show('set', NULL, 'south'), '0 reserved, 0 held, 0 available, 1 later', 'in one location');
SELECT is(pg_temp.show('empty'), '0 reserved, 0 held, 0 available, 0 later', 'what has no components is like any other');
SELECT is((SELECT available FROM shop.availability WHERE sku = 'trousseau'), 2::bigint, 'the view says so too');
INSERT INTO shop.inbound (ref, sku, location, quantity, expected_at) VALUES ('p4', 'cup', 'north', 100, '2090-01-01Z'), ('p5', 'plate', 'north', 2, '2090-02-01Z');
SELECT is((SELECT string_agg(coalesce(pg_temp.from('set', q), 'never'), ', ' ORDER BY q) FROM unnest('{4,5,6,7}'::int[]) AS q), 'now, 2090-02-01, 2090-02-01, never', 'a bundle is promised when the last of its components is');
UPDATE shop.skus SET active = false WHERE code = 'plate';
SELECT is(pg_temp.show('trousseau'), '0 reserved, 0 held, 0 available, 0 later', 'one that is not sold lacks in all');


-- ---- where a channel may take nothing, nothing is sold for later either

CREATE FUNCTION pg_temp.place(sku text, channel text, more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql
AS $$ SELECT short || ' short, ' || backordered || ' backordered' FROM oms.place_order('shop', jsonb_build_object('channel', channel, 'currency', 'EUR', 'lines', jsonb_build_array(jsonb_build_object('sku', sku, 'quantity', 30, 'unit_price', 1) || more))) $$;
INSERT INTO shop.channel_stock_rules (channel, sku, effect) VALUES ('market', 'shirt', 'deny');
SELECT is(pg_temp.show('shirt', 'market') || '; ' || pg_temp.show('shirt', 'till', 'south'), '0 reserved, 0 held, 0 available, 0 later; 0 reserved, 0 held, 0 available, 0 later', 'by a policy without limit');
SELECT is(pg_temp.show('shirt', 'till'), '0 reserved, 0 held, 6 available, any later', 'elsewhere it is');
SELECT throws_ok($$ SELECT pg_temp.place('shirt', 'market') $$, 'OM003', 'not enough stock: sku "shirt" wants 30, 0 available', 'it could never be served');
SELECT throws_ok($$ SELECT pg_temp.place('shirt', 'till', '{"location": "south"}') $$, 'OM003', 'not enough stock: sku "shirt" wants 30, 0 available', 'at the location that is named');
UPDATE shop.channels SET if_short = 'hold' WHERE code = 'market';
SELECT is(pg_temp.place('shirt', 'market'), '30 short, 0 backordered', 'who may be short waits for the rule to change');
SELECT is(pg_temp.place('shirt', 'till'), '0 short, 24 backordered', 'others wait for units');

-- ---- what takes no stock needs a location too, the first that has stock
UPDATE shop.locations SET tracked = false WHERE code = 'south';
INSERT INTO shop.locations (code, name, tracked, priority) VALUES ('own', 'Own books', false, 0);
SELECT is(pg_temp.place('song', 'web'), '0 short, 0 backordered', 'also where one comes first that keeps its own books');
INSERT INTO shop.channel_stock_rules (channel, sku, effect) VALUES ('till', 'song', 'deny');
SELECT is(pg_temp.show('song', 'till') || '; ' || pg_temp.show('song', 'till', 'own') || '; ' || pg_temp.show('song', 'web'), '0 reserved, 0 held, 0 available, 0 later; 0 reserved, 0 held, 0 available, 0 later; 0 reserved, 0 held, any available, 0 later', 'which a rule may deny');
SELECT throws_ok($$ SELECT pg_temp.place('song', 'till') $$, 'OM009', NULL, 'as an order finds');

SELECT * FROM finish();
ROLLBACK;
