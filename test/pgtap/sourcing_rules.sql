-- What a shipment costs and which location may serve what, as oms.explain_source
-- says: which rows count, which are refused, and all of it against plain SQL.
BEGIN;
SET client_min_messages = error;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, default_method) VALUES ('web', 'Web', 'ship'), ('b2b', 'B2B', NULL);
INSERT INTO shop.locations (code, name, country, region, postal_code, fixed_cost, pick_cost, latitude, longitude) VALUES
	('north', 'North', 'DE', 'HH', '20095', 1, 0.5, 53.5503, 9.9920), ('south', 'South', 'de', 'BY', '80331', 2, 0.25, 48.1372, 11.5755), ('nowhere', 'Nowhere', NULL, NULL, NULL, 0, 0, NULL, NULL);
INSERT INTO shop.locations (code, name, kind, active) VALUES ('closed', 'Closed', 'warehouse', false), ('maker', 'Maker', 'supplier', true);
INSERT INTO shop.skus (code, name, weight_grams, tags, default_method) VALUES ('mug', 'Mug', 350, '{fragile,fragile,small}', NULL), ('lamp', 'Lamp', NULL, '{fragile}', 'pickup'), ('nail', 'Nail', 500, '{}', NULL);

-- fixed, per_unit and transit_days, or why not
CREATE FUNCTION pg_temp.ask(sku text, location text, method text DEFAULT NULL, channel text DEFAULT NULL, country text DEFAULT NULL, region text DEFAULT NULL, postal_code text DEFAULT NULL, at timestamptz DEFAULT now()) RETURNS text LANGUAGE sql
AS $$ SELECT CASE WHEN allowed THEN concat_ws(' ', trim_scale(fixed), trim_scale(per_unit), transit_days) ELSE 'no: ' || regexp_replace(why, '[0-9a-f-]{36}', 'X') END FROM oms.explain_source('shop', $1, $2, $3, $4, $5, $6, $7, $8) $$;
CREATE FUNCTION pg_temp.zone(country text, region text, postal_code text) RETURNS text LANGUAGE sql
AS $$ SELECT zone FROM oms.explain_source('shop', 'mug', 'north', country => $1, region => $2, postal_code => $3) $$;

SELECT is(pg_temp.ask('mug', 'north'), '1 0.5', 'without rows: what the location says of itself');
SELECT is(pg_temp.ask('mug', 'nowhere'), '0 0', 'which may be nothing');

-- ---- what can be saved

SELECT throws_ok('INSERT INTO shop.' || what, state, NULL, what) FROM (VALUES
	($$zones (code, country) VALUES ('x', 'de')$$, '23514'), ($$zones (code, country) VALUES ('x', 'D')$$, '23514'), ($$zones (code, region) VALUES ('x', 'BY')$$, '23514'), ($$zones (code, postal_prefix) VALUES ('x', '8')$$, '23514'),
	($$zones (code, country, postal_prefix) VALUES ('x', 'GB', 'SW1 2')$$, '23514'), ($$zones (code, country, postal_prefix) VALUES ('x', 'GB', 'sw1')$$, '23514'), ($$zones (code, country, postal_prefix) VALUES ('x', 'GB', '')$$, '23514'),
	($$zones (code, country, postal_prefix) VALUES ('x', 'GB', '12345678901234567')$$, '23514'), ($$zones (code, country, region) VALUES ('x', 'DE', '')$$, '23514'), ($$zones (code) VALUES ('')$$, '23514'),
	($$zones (code, country) VALUES ('x', 'DE'), ('y', 'DE')$$, '23505'), ($$zones (code) VALUES ('x'), ('y')$$, '23505'), ($$zones (code, country, postal_prefix) VALUES ('x', 'DE', '8'), ('y', 'DE', '8')$$, '23505'),
	($$shipping_rates (fixed) VALUES (-1)$$, '23514'), ($$shipping_rates (fixed) VALUES ('NaN')$$, '23514'), ($$shipping_rates (per_unit) VALUES ('NaN')$$, '23514'), ($$shipping_rates (per_kg) VALUES (-0.0001)$$, '23514'),
	($$shipping_rates (fixed) VALUES (100000000000.0001)$$, '23514'), ($$shipping_rates (fixed) VALUES (1e15)$$, '22003'), ($$shipping_rates (fixed) VALUES ('Infinity')$$, '22003'), ($$shipping_rates (transit_days) VALUES (-1)$$, '23514'),
	($$shipping_rates (method) VALUES ('nix')$$, '23503'), ($$shipping_rates (location) VALUES ('nix')$$, '23503'), ($$shipping_rates (origin_zone) VALUES ('nix')$$, '23503'), ($$shipping_rates (destination_zone) VALUES ('nix')$$, '23503'),
	($$shipping_rates (fixed) VALUES (1), (2)$$, '23505'), ($$shipping_rates (method, location, fixed) VALUES ('ship', 'north', 1), ('ship', 'north', 2)$$, '23505'),
	($$sourcing_rules (effect) VALUES ('deny')$$, '23514'), ($$sourcing_rules (location, effect) VALUES ('north', 'prefer')$$, '23514'), ($$sourcing_rules (location, effect, cost) VALUES ('north', 'deny', 1)$$, '23514'),
	($$sourcing_rules (location, effect, cost) VALUES ('north', 'allow', 1)$$, '23514'), ($$sourcing_rules (sku, effect) VALUES ('mug', 'allow')$$, '23514'), ($$sourcing_rules (sku, effect, cost) VALUES ('mug', 'prefer', 1)$$, '23514'),
	($$sourcing_rules (location, effect, cost) VALUES ('north', 'prefer', -1)$$, '23514'), ($$sourcing_rules (location, effect, cost) VALUES ('north', 'prefer', 'NaN')$$, '23514'), ($$sourcing_rules (location, effect) VALUES ('north', 'only')$$, '23514'),
	($$sourcing_rules (location, effect, valid_from, valid_until) VALUES ('north', 'deny', '2030-01-01', '2030-01-01')$$, '23514'), ($$sourcing_rules (location, effect) VALUES ('north', 'deny'), ('north', 'deny')$$, '23505'),
	($$sourcing_rules (tag, effect) VALUES ('', 'deny')$$, '23514'), ($$sourcing_rules (sku, effect) VALUES ('nix', 'deny')$$, '23503'), ($$sourcing_rules (channel, effect) VALUES ('nix', 'deny')$$, '23503'),
	($$sourcing_policies (objective) VALUES ('speed')$$, '23514'), ($$sourcing_policies (max_shipments) VALUES (0)$$, '23514'), ($$sourcing_policies (node_limit) VALUES (0)$$, '23514'), ($$sourcing_policies (unfilled_penalty) VALUES (-1)$$, '23514'),
	($$sourcing_policies (unfilled_penalty) VALUES ('NaN')$$, '23514'), ($$sourcing_policies (per_km_cost) VALUES ('NaN')$$, '23514'), ($$sourcing_policies (channel) VALUES (NULL), (NULL)$$, '23505'), ($$sourcing_policies (channel) VALUES ('nix')$$, '23503'),
	($$locations (code, name, fixed_cost) VALUES ('x', 'X', -1)$$, '23514'), ($$locations (code, name, pick_cost) VALUES ('x', 'X', 'NaN')$$, '23514'), ($$locations (code, name, daily_capacity) VALUES ('x', 'X', -1)$$, '23514'),
	($$locations (code, name, methods) VALUES ('x', 'X', '{ship,nix}')$$, '23503'), ($$locations (code, name, methods) VALUES ('x', 'X', '{ship,NULL}')$$, '23514'), ($$locations (code, name, methods) VALUES ('x', 'X', '{{ship}}')$$, '23514'),
	($$locations (code, name, time_zone) VALUES ('x', 'X', 'Mars/Phobos')$$, '22023'), ($$locations (code, name, time_zone) VALUES ('x', 'X', '')$$, '22023'), ($$locations (code, name, time_zone) SELECT 'x', 'X', repeat('x', 100000)$$, '22023')) AS t(what, state);
SELECT throws_ok($$ UPDATE shop.locations SET time_zone = 'nix' WHERE code = 'north' $$, '22023', 'time zone "nix" not recognized', 'nor by an UPDATE');
SELECT throws_ok($$ UPDATE shop.locations SET methods = '{nix}' WHERE code = 'north' $$, '23503', 'location "north" offers method "nix", which does not exist', 'nor a method');
SELECT lives_ok($$ UPDATE shop.locations SET time_zone = 'Europe/Berlin', methods = '{}' WHERE code = 'north' $$, 'none at all is a list too');
SELECT is(pg_temp.ask('mug', 'north', 'ship'), 'no: the location does not offer the method', 'it then serves nothing');
UPDATE shop.locations SET methods = NULL WHERE code = 'north';
INSERT INTO shop.methods (code, name, workflow) VALUES ('bike', 'By bicycle', 'ship');
UPDATE shop.locations SET methods = '{pickup,bike}' WHERE code = 'south';
SELECT is(pg_temp.ask('mug', 'south', m), w, 'a list of methods: ' || m) FROM (VALUES ('ship', 'no: the location does not offer the method'), ('bike', '2 0.25'), ('pickup', '2 0.25')) AS t(m, w);
SELECT throws_ok($$ DELETE FROM shop.methods WHERE code = 'bike' $$, '23503', 'method "bike" cannot be removed: location "south" offers it', 'a method that is offered stays');
UPDATE shop.locations SET methods = NULL WHERE code = 'south';
SELECT lives_ok($$ DELETE FROM shop.methods WHERE code = 'bike' $$, 'one that is not goes');
SELECT is((SELECT count(*) FROM shop.zones) + (SELECT count(*) FROM shop.shipping_rates) + (SELECT count(*) FROM shop.sourcing_rules) + (SELECT count(*) FROM shop.sourcing_policies), 0::bigint, 'nothing of all that was saved');
SET LOCAL session_replication_role = replica;
UPDATE shop.locations SET methods = '{ship,nix}' WHERE code = 'south';
SET LOCAL session_replication_role = origin;
SELECT is((SELECT string_agg(rule || ' ' || violations, ', ') FROM oms.verify_store('shop') WHERE violations > 0), 'every method that a location offers exists 1', 'what got past that is found');
UPDATE shop.locations SET methods = NULL WHERE code = 'south';

-- ---- zones

INSERT INTO shop.zones (code, country, region, postal_prefix) VALUES ('de', 'DE', NULL, NULL), ('bayern', 'DE', 'BY', NULL), ('munich', 'DE', NULL, '80'), ('old town', 'DE', NULL, '8033'), ('bavarian 8', 'DE', 'BY', '8'), ('london', 'GB', NULL, 'SW1A');
SELECT is(pg_temp.zone(c, r, p), z, format('the zone of %s %s %s', c, r, p)) FROM (VALUES ('DE', NULL, NULL, 'de'), ('de', 'HH', '20095', 'de'), ('DE', 'BY', '90402', 'bayern'), ('DE', 'BY', '86150', 'bavarian 8'), ('DE', 'BY', '80999', 'munich'),
	('DE', NULL, '80331', 'old town'), ('DE', 'by', '86150', 'de'), ('GB', NULL, 'sw1a 1aa', 'london'), ('GB', 'London', ' S-W.1A', 'london'), ('GB', NULL, 'SW1', NULL), ('GB', NULL, NULL, NULL), (NULL, 'BY', '80331', NULL), ('AT', NULL, '8033', NULL),
	('DEU', NULL, NULL, NULL), ('', '', '', NULL), ('DE', '', repeat('8', 100000), 'de')) AS t(c, r, p, z);
INSERT INTO shop.zones (code, name) VALUES ('world', 'All the rest');
SELECT is(pg_temp.zone(c, NULL, p), z, format('with a zone of the rest, %s %s', c, p)) FROM (VALUES ('DE', NULL, 'de'), ('GB', 'SW1', 'world'), (NULL, NULL, 'world'), ('xxx', 'x', 'world')) AS t(c, p, z);
SELECT throws_ok($$ UPDATE shop.zones SET code = 'earth' WHERE code = 'world' $$, 'OM006', NULL, 'a zone keeps its code');

-- ---- rates: the most specific counts, 1 a method, 2 a destination, 4 an origin, 8 a location

INSERT INTO shop.shipping_rates (method, destination_zone, origin_zone, location, fixed, transit_days)
SELECT CASE WHEN n & 1 > 0 THEN 'ship' END, CASE WHEN n & 2 > 0 THEN 'munich' END, CASE WHEN n & 4 > 0 THEN 'de' END, CASE WHEN n & 8 > 0 THEN 'north' END, n, n FROM generate_series(0, 15) n;
SELECT is(pg_temp.ask('nail', l, m, NULL, 'DE', NULL, p), w, format('rates of %s, %s, %s', l, m, p)) FROM (VALUES ('north', 'ship', '80', '16 0.5 15'), ('north', 'pickup', '80', '15 0.5 14'), ('north', 'ship', '9', '14 0.5 13'), ('north', 'pickup', '9', '13 0.5 12'),
	('south', 'ship', '80', '5 0.25 3'), ('nowhere', 'ship', '9', '1 0 1'), ('nowhere', 'pickup', '80', '2 0 2'), ('nowhere', 'pickup', NULL, '0 0 0'), ('nowhere', 'pickup', '8', '0 0 0')) AS t(l, m, p, w);
CREATE FUNCTION pg_temp.thinned() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text := '';
BEGIN
	FOR n IN REVERSE 15..0 LOOP
		said := concat_ws(' ', said, split_part(pg_temp.ask('nail', 'north', 'ship', NULL, 'DE', NULL, '80'), ' ', 3));
		DELETE FROM shop.shipping_rates WHERE transit_days = n;
	END LOOP;
	RETURN concat_ws(' ', trim(said), '/', pg_temp.ask('nail', 'north', 'ship', NULL, 'DE', NULL, '80'));
END $$;
SELECT is(pg_temp.thinned(), '15 14 13 12 11 10 9 8 7 6 5 4 3 2 1 0 / 1 0.5', 'as each is removed the next counts, in the same session');
SELECT is((SELECT zone FROM oms.explain_source('shop', 'nail', 'north', 'ship', country => 'DE', postal_code => '80')), 'munich', 'without rates a zone is a zone');
INSERT INTO shop.shipping_rates (destination_zone, per_unit, per_kg) VALUES ('de', 0.1, 2), ('munich', 0, 0.0001), ('old town', 0, 0.00009999), ('world', 1, 100000000000);
SELECT is(pg_temp.ask(s, 'nowhere', NULL, NULL, 'DE', NULL, p), w, 'by weight: ' || s) FROM (VALUES ('mug', NULL, '0 0.8'), ('lamp', NULL, '0 0.1'), ('nail', NULL, '0 1.1'), ('nail', '80', '0 0.0001'), ('mug', '80', '0 0')) AS t(s, p, w);
UPDATE shop.skus SET weight_grams = 9223372036854775807 WHERE code = 'nail';
SELECT throws_ok($$ SELECT oms.explain_source('shop', 'nail', 'south') $$, '22003', 'a unit of sku "nail" from location "south" costs too much to be counted', 'more than can be counted');
UPDATE shop.skus SET weight_grams = 92233720368 WHERE code = 'nail';
SELECT throws_ok($$ SELECT oms.explain_source('shop', 'nail', 'south') $$, '22003', NULL, 'nor a little more');
UPDATE shop.skus SET weight_grams = 9223371 WHERE code = 'nail';
SELECT is(pg_temp.ask('nail', 'south'), '2 922337100000001.25', 'a little less can be');
DELETE FROM shop.shipping_rates;

-- ---- by distance, where no rate fits

CREATE FUNCTION pg_temp.fixed(location text, channel text, latitude float8, longitude float8) RETURNS numeric LANGUAGE sql
AS $$ SELECT fixed FROM oms.explain_source('shop', 'mug', $1, 'ship', $2, latitude => $3, longitude => $4) $$;
INSERT INTO shop.sourcing_policies (channel, per_km_cost) VALUES (NULL, 0.01), ('b2b', 1);
SELECT is(round(pg_temp.fixed('north', 'b2b', 48.1372, 11.5755)), 613::numeric, 'Hamburg to Munich is 612 km');
SELECT is(round(pg_temp.fixed('north', 'web', 48.1372, 11.5755), 2), 7.12::numeric, 'another channel has the policy of the others');
SELECT is(pg_temp.fixed('north', 'b2b', 53.5503, 9.9920), 1::numeric, 'nothing to where it is');
SELECT is(pg_temp.fixed('nowhere', 'b2b', 53.5503, 9.9920), 0::numeric, 'nothing from where is unknown');
SELECT is(round(pg_temp.fixed('south', 'b2b', -48.1372, -168.4245)), 20017::numeric, 'to the other side of the earth');
SELECT throws_ok($$ SELECT pg_temp.fixed('south', 'b2b', 'NaN', 0) $$, '22023', NULL, 'degrees that are none');
INSERT INTO shop.shipping_rates (fixed) VALUES (3);
SELECT is(pg_temp.fixed('north', 'b2b', 48.1372, 11.5755), 4::numeric, 'a rate goes before distance');
DELETE FROM shop.shipping_rates;

-- ---- rules

CREATE FUNCTION pg_temp.rule(effect text, location text, more jsonb DEFAULT '{}') RETURNS void LANGUAGE sql
AS $$ INSERT INTO shop.sourcing_rules SELECT (jsonb_populate_record(NULL::shop.sourcing_rules, more || jsonb_build_object('id', oms.uuid7(), 'effect', effect, 'location', location))).* $$;
SELECT pg_temp.rule('prefer', 'north', '{"cost": 0.3, "tag": "fragile"}');
SELECT is(pg_temp.ask('mug', 'north'), '1 0.8', 'prefer: a tag that the SKU has twice counts once');
SELECT is(pg_temp.ask('nail', 'north'), '1 0.5', 'a SKU without it');
SELECT pg_temp.rule('prefer', 'north', '{"cost": 1, "sku": "mug"}'), pg_temp.rule('prefer', 'north', '{"cost": 2, "tag": "small", "sku": "mug"}'), pg_temp.rule('prefer', 'north', '{"cost": 50, "tag": "small", "sku": "lamp"}');
SELECT is(pg_temp.ask('mug', 'north'), '1 3.8', 'all that fit add up');
SELECT is(pg_temp.ask('mug', 'south'), '2 0.25', 'from another location they say nothing');
SELECT pg_temp.rule('allow', 'south', '{"tag": "fragile"}');
SELECT is(pg_temp.ask(s, l), w, format('allow: %s from %s', s, l)) FROM (VALUES ('mug', 'south', '2 0.25'), ('mug', 'north', 'no: sourcing rule X allows it from other locations alone'), ('nail', 'north', '1 0.5')) AS t(s, l, w);
SELECT pg_temp.rule('allow', 'nowhere', '{"sku": "mug", "channel": "web"}');
SELECT is(pg_temp.ask('mug', l, NULL, c), w, format('allow of two kinds: %s for %s', l, c)) FROM (VALUES ('south', 'web', '2 0.25'), ('nowhere', 'web', '0 0'), ('nowhere', 'b2b', 'no: sourcing rule X allows it from other locations alone'), ('north', 'web', 'no: sourcing rule X allows it from other locations alone')) AS t(l, c, w);
SELECT pg_temp.rule('deny', 'south', '{"method": "ship", "destination_zone": "munich"}');
SELECT is(pg_temp.ask('mug', 'south', m, 'web', 'DE', NULL, p), w, format('deny beats allow: %s to %s', m, p)) FROM (VALUES ('ship', '80', 'no: sourcing rule X denies it'), ('pickup', '80', '2 0.25'), ('ship', '90', '2 0.25')) AS t(m, p, w);
SELECT is((SELECT why FROM oms.explain_source('shop', 'mug', 'south', 'ship', country => 'DE', postal_code => '80')), (SELECT format('sourcing rule %s denies it', id) FROM shop.sourcing_rules WHERE effect = 'deny'), 'it says which rule');
SAVEPOINT before;
SELECT pg_temp.rule('deny', NULL, '{"channel": "web"}');
SELECT is(pg_temp.ask('nail', 'north', NULL, c), w, 'deny from anywhere: ' || c) FROM (VALUES ('web', 'no: sourcing rule X denies it'), ('b2b', '1 0.5')) AS t(c, w);
ROLLBACK TO before;
SELECT is(pg_temp.ask('nail', 'north', NULL, 'web'), '1 0.5', 'what was rolled back is forgotten');
DELETE FROM shop.sourcing_rules;
SELECT pg_temp.rule('deny', 'north', '{"valid_from": "2030-01-01", "valid_until": "2030-02-01"}'), pg_temp.rule('prefer', 'north', '{"cost": 1, "valid_from": "2030-03-01"}'), pg_temp.rule('prefer', 'north', '{"cost": 2, "valid_until": "2029-01-01"}');
SELECT is(pg_temp.ask('nail', 'north', at => t), w, 'valid at ' || t) FROM (VALUES ('2029-12-31'::timestamptz, '1 0.5'), ('2030-01-01', 'no: sourcing rule X denies it'), ('2030-01-31 23:59:59', 'no: sourcing rule X denies it'), ('2030-02-01', '1 0.5'), ('2030-03-01', '1 1.5'), ('infinity', '1 1.5'), ('-infinity', '1 2.5'), ('2028-12-31', '1 2.5'), ('2029-01-01', '1 0.5')) AS t(t, w);
DELETE FROM shop.sourcing_rules;
SELECT is(pg_temp.ask(s, l, m, c), w, w) FROM (VALUES ('mug', 'closed', NULL, NULL, 'no: the location is not active'), ('mug', 'north', 'dropship', NULL, 'no: partners alone serve the method, and the location is none'), ('mug', 'maker', 'dropship', NULL, '0 0')) AS t(s, l, m, c, w);
INSERT INTO shop.channel_stock_rules (channel, effect, location, units) VALUES ('web', 'deny', 'north', NULL), ('b2b', 'keep_from', 'north', 1);
SELECT is(pg_temp.ask('mug', 'north', NULL, c), w, 'stock rules of ' || c) FROM (VALUES ('web', 'no: channel_stock_rules deny it to the channel'), ('b2b', '1 0.5')) AS t(c, w);
DELETE FROM shop.channel_stock_rules;
-- by which method, where none is given
INSERT INTO shop.shipping_rates (method, fixed) VALUES ('ship', 10), ('pickup', 20), (NULL, 30);
SELECT is(pg_temp.ask(s, 'nowhere', NULL, c), w, format('the method of %s for %s', s, c)) FROM (VALUES ('mug', 'web', '10 0'), ('mug', 'b2b', '30 0'), ('lamp', 'web', '20 0'), ('mug', NULL, '30 0')) AS t(s, c, w);
-- the owner reads the book for whoever asks: who may not read it is not told
CREATE ROLE t_asks;
GRANT USAGE ON SCHEMA shop TO t_asks;
GRANT SELECT ON shop.skus, shop.locations, shop.channels, shop.methods, shop.zones, shop.sourcing_rules, shop.channel_stock_rules TO t_asks;
SET ROLE t_asks;
SELECT throws_ok($$ SELECT oms.explain_source('shop', 'mug', 'north') $$, '42501', 'permission denied for table shipping_rates', 'without SELECT on rates');
RESET ROLE;
GRANT SELECT (method, location, origin_zone, destination_zone, fixed, per_unit, per_kg, transit_days) ON shop.shipping_rates TO t_asks;
SET ROLE t_asks;
SELECT lives_ok($$ SELECT oms.explain_source('shop', 'mug', 'north') $$, 'with it, on these columns');
RESET ROLE;

-- ---- many rows by chance, against plain SQL

SELECT oms.create_store('chance');
SELECT setseed(0.6);
CREATE FUNCTION pg_temp.pick(options text) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT o[1 + floor(random() * cardinality(o))::int] FROM (SELECT string_to_array(options, ',', '')) AS x(o) $$;
CREATE FUNCTION pg_temp.money() RETURNS numeric LANGUAGE sql VOLATILE AS $$ SELECT round((random() * 10)::numeric, 4) $$;
INSERT INTO chance.channels (code, name) VALUES ('a', 'A'), ('b', 'B');
INSERT INTO chance.zones (code, country, region, postal_prefix) SELECT DISTINCT ON (c, r, p) 'z' || n, c, CASE WHEN c <> '' THEN r END, CASE WHEN c <> '' THEN p END
FROM (SELECT n, pg_temp.pick('DE,FR,DE,FR,DE,FR,') AS c, pg_temp.pick('R1,R2,') AS r, pg_temp.pick('1,12,123,2,,') AS p FROM generate_series(1, 40) n) x ON CONFLICT DO NOTHING;
INSERT INTO chance.locations (code, name, country, region, postal_code, methods, fixed_cost, pick_cost)
SELECT 'l' || n, 'x', pg_temp.pick('DE,FR,IT,'), pg_temp.pick('R1,R2,'), pg_temp.pick('1,1-2,123,12 34,2,'), CASE WHEN random() < 0.3 THEN ARRAY['pickup', 'ship'] WHEN random() < 0.2 THEN ARRAY['pickup'] END, pg_temp.money(), pg_temp.money() FROM generate_series(1, 8) n;
INSERT INTO chance.skus (code, name, weight_grams, tags) SELECT 's' || n, 'x', floor(random() * 5000), (ARRAY['{}', '{t1}', '{t2,t1}', '{t3,t9}'])[1 + n % 4]::text[] FROM generate_series(1, 8) n;
INSERT INTO chance.shipping_rates (method, location, origin_zone, destination_zone, fixed, per_unit, per_kg, transit_days)
SELECT pg_temp.pick('ship,pickup,'), pg_temp.pick('l1,l2,l3,,,'), pg_temp.pick((SELECT string_agg(code, ',') FROM chance.zones) || ',,,,,,'), pg_temp.pick((SELECT string_agg(code, ',') FROM chance.zones) || ',,,,,,'),
	pg_temp.money(), pg_temp.money(), pg_temp.money(), CASE WHEN n % 5 > 0 THEN n END FROM generate_series(1, 150) n ON CONFLICT DO NOTHING;
INSERT INTO chance.sourcing_rules (channel, sku, tag, method, destination_zone, location, effect, cost, valid_from, valid_until)
SELECT c, s, t, m, z, l, CASE WHEN l IS NULL THEN 'deny' ELSE e END, CASE WHEN l IS NOT NULL AND e = 'prefer' THEN pg_temp.money() END, f, f + '1 year' FROM (SELECT pg_temp.pick('a,b,,,') AS c, pg_temp.pick('s1,s2,s3,s4,s5,,,,') AS s, pg_temp.pick('t1,t2,t3,,,,') AS t,
	pg_temp.pick('ship,pickup,,') AS m, pg_temp.pick((SELECT string_agg(code, ',') FROM chance.zones) || ',,,,,,') AS z, pg_temp.pick('l1,l2,l3,l4,l5,l6,l7,l8,') AS l, pg_temp.pick('deny,allow,prefer,prefer') AS e,
	pg_temp.pick('2030-01-01,2031-01-01,,')::timestamptz AS f FROM generate_series(1, 150)) x WHERE num_nonnulls(c, s, t, m, z, l) > 1 ON CONFLICT DO NOTHING;
CREATE TEMP TABLE asked AS SELECT row_number() OVER () AS n, s.code AS sku, l.code AS location, pg_temp.pick('ship,pickup') AS method, pg_temp.pick('a,b,') AS channel, pg_temp.pick('DE,fr,FR,IT,') AS country, pg_temp.pick('R1,R2,') AS region, pg_temp.pick('1,1 2,1.23,1-234,2,,9') AS postal_code,
	pg_temp.pick('2030-06-01,2031-06-01,2040-01-01')::timestamptz AS at FROM chance.skus s, chance.locations l, generate_series(1, 25);
CREATE FUNCTION pg_temp.zone_of(c text, r text, p text) RETURNS text LANGUAGE sql AS $$
SELECT code FROM chance.zones WHERE (country IS NULL OR country = upper(c)) AND (region IS NULL OR region = r) AND (postal_prefix IS NULL OR starts_with(upper(translate(p, ' -.', '')), postal_prefix))
ORDER BY length(postal_prefix) DESC NULLS LAST, (region IS NOT NULL) DESC, (country IS NOT NULL) DESC LIMIT 1 $$;
CREATE TEMP TABLE expected AS SELECT a.*, d.zone, v.allowed,
	l.fixed_cost + coalesce(t.fixed, 0) AS fixed, l.pick_cost + coalesce(t.per_unit + round(t.per_kg * s.weight_grams / 1000, 4), 0) + CASE WHEN v.allowed THEN r.prefer ELSE 0 END AS per_unit, t.transit_days
FROM asked a JOIN chance.skus s ON s.code = a.sku JOIN chance.locations l ON l.code = a.location
	CROSS JOIN LATERAL (SELECT pg_temp.zone_of(a.country, a.region, a.postal_code) AS zone, pg_temp.zone_of(l.country::text, l.region, l.postal_code) AS origin) d
	LEFT JOIN LATERAL (SELECT * FROM chance.shipping_rates t WHERE (t.method IS NULL OR t.method = a.method) AND (t.location IS NULL OR t.location = a.location) AND (t.origin_zone IS NULL OR t.origin_zone = d.origin) AND (t.destination_zone IS NULL OR t.destination_zone = d.zone)
		ORDER BY t.location IS NOT NULL DESC, t.origin_zone IS NOT NULL DESC, t.destination_zone IS NOT NULL DESC, t.method IS NOT NULL DESC LIMIT 1) t ON true
	CROSS JOIN LATERAL (SELECT coalesce(bool_or(effect = 'deny' AND here), false) AS denied, coalesce(bool_or(effect = 'allow' AND here), false) AS allowed_here, coalesce(bool_or(effect = 'allow'), false) AS allowed_anywhere,
		coalesce(sum(cost) FILTER (WHERE here), 0) AS prefer FROM (SELECT u.*, u.location IS NULL OR u.location = a.location AS here FROM chance.sourcing_rules u WHERE (u.channel IS NULL OR u.channel = a.channel) AND (u.sku IS NULL OR u.sku = a.sku)
		AND (u.tag IS NULL OR u.tag = ANY (s.tags)) AND (u.method IS NULL OR u.method = a.method) AND (u.destination_zone IS NULL OR u.destination_zone = d.zone) AND (u.valid_from IS NULL OR u.valid_from <= a.at) AND (u.valid_until IS NULL OR a.at < u.valid_until)) u) r
	CROSS JOIN LATERAL (SELECT (l.methods IS NULL OR a.method = ANY (l.methods)) AND NOT r.denied AND (r.allowed_here OR NOT r.allowed_anywhere) AS allowed) v;
SELECT is((SELECT string_agg(format('%s: want %s %s %s %s %s, have %s', e.n, e.allowed, e.zone, e.fixed, e.per_unit, e.transit_days, x), E'\n') FROM (SELECT e.*, x FROM expected e, oms.explain_source('chance', sku, location, method, channel, country, region, postal_code, at) AS x
	WHERE (x.allowed, x.zone, x.fixed, x.per_unit, x.transit_days) IS DISTINCT FROM (e.allowed, e.zone, e.fixed, e.per_unit, e.transit_days) OR (x.why IS NULL) IS DISTINCT FROM x.allowed LIMIT 5) e), NULL, 'the book says what plain SQL says');
SELECT ok(count(*) FILTER (WHERE allowed) > 200 AND count(*) FILTER (WHERE NOT allowed) > 200 AND count(DISTINCT zone) > 8 AND count(DISTINCT transit_days) > 15, format('of questions that differ: %s allowed, %s not, %s zones, %s rates', count(*) FILTER (WHERE allowed), count(*) FILTER (WHERE NOT allowed), count(DISTINCT zone), count(DISTINCT transit_days))) FROM expected;

SELECT is((SELECT string_agg(rule || ' ' || violations, ', ') FROM unnest(ARRAY['shop', 'chance']) s, oms.verify_store(s) WHERE violations > 0), NULL, 'and nothing is broken');
SELECT * FROM finish();
ROLLBACK;
