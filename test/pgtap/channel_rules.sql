-- Channels' stock rules: from where a channel takes, what it leaves there.
BEGIN;
SET client_min_messages = error;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, if_short) VALUES ('web', 'Web', 'refuse'), ('pos', 'Tills', 'refuse'), ('late', 'Late', 'hold'), ('b2b', 'B2B', 'refuse');
INSERT INTO shop.locations (code, name, priority, kind, tracked) VALUES ('a', 'A', 1, 'warehouse', true), ('b', 'B', 2, 'store', true), ('c', 'C', 3, 'store', true), ('s', 'Supplier', 9, 'supplier', false);
INSERT INTO shop.skus (code, name, kind) SELECT s, s, CASE s WHEN 'song' THEN 'digital' ELSE 'physical' END FROM unnest('{shirt,hat,cap,song}'::text[]) AS s;
INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT s, l, 'receipt', 10 FROM unnest('{shirt,hat,cap}'::text[]) AS s, unnest('{a,b,c}'::text[]) AS l;

CREATE FUNCTION pg_temp.place(channel text, sku text, quantity bigint, more jsonb DEFAULT '{}') RETURNS uuid LANGUAGE sql
AS $$ SELECT order_id FROM oms.place_order('shop', jsonb_build_object('channel', channel, 'currency', 'EUR', 'lines', jsonb_build_array(jsonb_build_object('sku', sku, 'quantity', quantity, 'unit_price', 1) || more))) $$;
-- from where an order takes, or how it is refused; it leaves nothing behind
CREATE FUNCTION pg_temp.from(channel text, sku text, quantity bigint, more jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	placed uuid;
	result text;
BEGIN
	placed := pg_temp.place(channel, sku, quantity, more);
	SELECT string_agg(f.location || ' ' || l.quantity, ', ' ORDER BY f.location) INTO result FROM shop.fulfillments f JOIN shop.fulfillment_lines l ON l.fulfillment_id = f.id WHERE f.order_id = placed;
	RAISE SQLSTATE 'OKOKO' USING MESSAGE = coalesce(result, 'nowhere');
EXCEPTION WHEN OTHERS THEN
	RETURN CASE SQLSTATE WHEN 'OKOKO' THEN '' ELSE SQLSTATE || ' ' END || SQLERRM;
END $$;
CREATE FUNCTION pg_temp.held(channel text, sku text, quantity bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM oms.hold_stock('shop', 'x', jsonb_build_array(jsonb_build_object('sku', sku, 'quantity', quantity)), '1 hour', channel);
	SELECT string_agg(h.location || ' ' || h.quantity, ', ' ORDER BY h.location) INTO result FROM shop.stock_holds h WHERE ref = 'x';
	RAISE SQLSTATE 'OKOKO' USING MESSAGE = result;
EXCEPTION WHEN OTHERS THEN
	RETURN CASE SQLSTATE WHEN 'OKOKO' THEN '' ELSE SQLSTATE || ' ' END || SQLERRM;
END $$;
CREATE FUNCTION pg_temp.rule(channel text, effect text, sku text, location text, units bigint) RETURNS void LANGUAGE sql
AS $$ INSERT INTO shop.channel_stock_rules (channel, effect, sku, location, units) VALUES ($1, $2, $3, $4, $5) $$;

SELECT is(pg_temp.from('web', 'shirt', 3), 'a 3', 'without rules');

-- ---- what can be saved

SELECT throws_ok(format('SELECT pg_temp.rule(%s)', v), state, NULL, v) FROM (VALUES ($$'web', 'allow', NULL, 'a', NULL$$, '23514'), ($$'web', 'deny', NULL, 'a', 5$$, '23514'), ($$'web', 'keep_from', NULL, 'a', NULL$$, '23514'),
	($$'web', 'keep_for', NULL, 'a', 0$$, '23514'), ($$'web', 'keep_for', NULL, 'a', -1$$, '23514'), ($$'web', 'only', 'shirt', NULL, NULL$$, '23514'), ($$'nix', 'deny', NULL, 'a', NULL$$, '23503'), ($$'web', 'deny', 'nix', 'a', NULL$$, '23503'),
	($$'web', 'deny', NULL, 'nix', NULL$$, '23503'), ($$NULL, 'deny', NULL, 'a', NULL$$, '23502')) AS t(v, state);
SELECT pg_temp.rule('web', 'deny', NULL, 'a', NULL);
SELECT throws_ok($$ SELECT pg_temp.rule('web', 'deny', NULL, 'a', NULL) $$, '23505', NULL, 'a rule twice');

-- ---- deny

SELECT is(pg_temp.from('web', 'shirt', 3), 'b 3', 'deny: from the next location');
SELECT is(pg_temp.from('pos', 'shirt', 3), 'a 3', 'other channels as ever');
SELECT is(pg_temp.from('web', 'shirt', 3, '{"location": "a"}'), 'OM003 not enough stock: sku "shirt" wants 3, 0 available', 'not by naming it either');
SELECT is(pg_temp.from('web', 'shirt', 21), 'OM003 not enough stock: sku "shirt" wants 21, 20 available', 'what is there does not count');
SELECT alike(pg_temp.from('web', 'song', 1, '{"location": "a"}'), 'OM009 no location can serve sku "song" of order %, line 1', 'nor is anything else served from it');
SELECT is(pg_temp.from('web', 'song', 1), 'b 1', 'but from the next');
SELECT is(pg_temp.held('web', 'shirt', 3), 'b 3', 'a hold of the channel follows it');
SELECT is(pg_temp.held(NULL, 'shirt', 3), 'a 3', 'one of no channel does not');
UPDATE shop.channel_stock_rules SET sku = 'hat';
SELECT is(pg_temp.from('web', 'shirt', 3), 'a 3', 'a rule on another SKU');
SELECT is(pg_temp.from('web', 'hat', 3), 'b 3', 'and on this one');
UPDATE shop.channel_stock_rules SET location = NULL;
SELECT is(pg_temp.from('web', 'hat', 1), 'OM003 not enough stock: sku "hat" wants 1, 0 available', 'nowhere at all');
-- one order of both: they go apart
SELECT order_id AS o FROM oms.place_order('shop', '{"channel": "pos", "currency": "EUR", "lines": [{"sku": "hat", "quantity": 1, "unit_price": 1}, {"sku": "cap", "quantity": 1, "unit_price": 1}]}') \gset
SELECT is((SELECT count(*) FROM shop.fulfillments WHERE order_id = :'o'), 1::bigint, 'two SKUs from one place');
DELETE FROM shop.channel_stock_rules;
SELECT pg_temp.rule('pos', 'deny', 'hat', 'a', NULL);
SELECT order_id AS o FROM oms.place_order('shop', '{"channel": "pos", "currency": "EUR", "lines": [{"sku": "cap", "quantity": 1, "unit_price": 1}, {"sku": "hat", "quantity": 1, "unit_price": 1}]}') \gset
SELECT is((SELECT string_agg(location, ' ') FROM shop.fulfillments WHERE order_id = :'o'), 'b', 'from the first that may serve both');
UPDATE shop.fulfillments SET status = 'rejected' WHERE order_id = :'o';
SELECT is((SELECT string_agg(location, ' ') FROM shop.fulfillments WHERE order_id = :'o' AND stock_state = 'reserved'), 'c', 'a reject is sourced anew by the rules');
DELETE FROM shop.channel_stock_rules;

-- ---- only

SELECT pg_temp.rule('web', 'only', NULL, 'b', NULL), pg_temp.rule('web', 'only', 'hat', 'c', NULL);
SELECT is(pg_temp.from('web', 'shirt', 10), 'b 10', 'only: from there');
SELECT is(pg_temp.from('web', 'shirt', 11), 'OM003 not enough stock: sku "shirt" wants 11, 10 available', 'and from no other');
SELECT is(pg_temp.from('web', 'hat', 19), 'b 10, c 9', 'rules on the SKU and on all add their locations');
SELECT is(pg_temp.from('pos', 'hat', 10), 'b 10', 'others as ever: A lacks a hat');
SELECT pg_temp.rule('web', 'deny', 'hat', 'b', NULL);
SELECT is(pg_temp.from('web', 'hat', 10), 'OM003 not enough stock: sku "hat" wants 10, 9 available', 'deny goes before only');
DELETE FROM shop.channel_stock_rules;
SELECT pg_temp.rule('web', 'only', 'hat', 'c', NULL);
SELECT is(pg_temp.from('web', 'shirt', 1), 'a 1', 'only for one SKU limits no other');
DELETE FROM shop.channel_stock_rules;

-- ---- keep_from, keep_for

SELECT pg_temp.rule('web', 'keep_from', 'shirt', 'a', 4);
SELECT is(pg_temp.from('web', 'shirt', 6), 'a 6', 'keep_from: all but so many');
SELECT is(pg_temp.from('web', 'shirt', 7), 'b 7', 'more from elsewhere');
SELECT is(pg_temp.from('web', 'shirt', 26), 'a 6, b 10, c 10', 'or the rest');
SELECT is(pg_temp.from('web', 'shirt', 27), 'OM003 not enough stock: sku "shirt" wants 27, 26 available', 'but no more');
SELECT is(pg_temp.from('pos', 'shirt', 10), 'a 10', 'other channels need not leave them');
SELECT pg_temp.rule('web', 'keep_from', NULL, NULL, 2), pg_temp.rule('web', 'keep_from', NULL, 'a', 1);
SELECT is(pg_temp.from('web', 'shirt', 22), 'a 6, b 8, c 8', 'the largest of several counts, NULL meaning each');
SELECT pg_temp.rule('pos', 'keep_for', NULL, 'b', 3), pg_temp.rule('b2b', 'keep_for', 'shirt', NULL, 1);
SELECT is(pg_temp.from('web', 'shirt', 17), 'a 5, b 5, c 7', 'keep_for is for all others, the largest; keep_from and keep_for add up');
SELECT is(pg_temp.from('web', 'shirt', 18), 'OM003 not enough stock: sku "shirt" wants 18, 17 available', 'and no more');
SELECT is(pg_temp.from('pos', 'shirt', 28), 'OM003 not enough stock: sku "shirt" wants 28, 27 available', 'the channel itself leaves what is kept for another');
SELECT is(pg_temp.from('b2b', 'shirt', 27), 'a 10, b 7, c 10', 'and the other what is kept for it');
SELECT is(pg_temp.held(NULL, 'shirt', 25), 'a 9, b 7, c 9', 'a hold of no channel leaves what is kept for any');
SELECT is(pg_temp.held('web', 'shirt', 17), 'a 5, b 5, c 7', 'a hold of a channel as much as its orders');
UPDATE shop.stock SET safety_stock = 3 WHERE sku = 'shirt' AND location = 'a';
SELECT is(pg_temp.from('web', 'shirt', 14), 'a 2, b 5, c 7', 'safety stock is beyond that');
UPDATE shop.stock SET safety_stock = 0;

-- an order of a hold takes what it holds, whatever is to be left by now
SELECT oms.hold_stock('shop', 'h1', '[{"sku": "shirt", "quantity": 9, "location": "c"}]', '1 hour', 'pos');
SELECT order_id AS o FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "stock_hold": "h1", "lines": [{"sku": "shirt", "quantity": 9, "unit_price": 1}]}') \gset
SELECT is((SELECT string_agg(location, ' ') FROM shop.fulfillments WHERE order_id = :'o'), 'c', 'held units are the order''s');
UPDATE shop.orders SET status = 'canceled' WHERE id = :'o';

-- expired holds come back as far as rules let them
SELECT oms.hold_stock('shop', 'e' || n, '[{"sku": "shirt", "quantity": 1, "location": "a"}]', '1 millisecond', 'b2b') FROM generate_series(1, 10) AS n;
SELECT pg_sleep(0.003);
SELECT is(pg_temp.from('web', 'shirt', 17), 'a 5, b 5, c 7', 'expired holds, with what is to be left');
SELECT is((SELECT count(*) FROM shop.stock_holds), 10::bigint, 'nothing was taken');
SELECT oms.tick('shop');

-- several channels in one statement, from one row
UPDATE shop.orders SET status = 'canceled' WHERE status NOT IN ('canceled', 'draft');
DELETE FROM shop.channel_stock_rules;
SELECT pg_temp.rule('web', 'keep_from', 'cap', NULL, 9);
INSERT INTO shop.orders (channel, currency, number) SELECT c, 'EUR', 'C-' || c FROM unnest('{web,pos}'::text[]) AS c;
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, location) SELECT id, 1, 'cap', CASE channel WHEN 'web' THEN 1 ELSE 9 END, 1, 'c' FROM shop.orders WHERE number LIKE 'C-%';
UPDATE shop.orders SET priority = CASE channel WHEN 'web' THEN 1 ELSE 2 END WHERE number LIKE 'C-%';
SELECT lives_ok($$ UPDATE shop.orders SET status = 'placed' WHERE number LIKE 'C-%' $$, 'one leaves nine, the other takes them');
SELECT is((SELECT available FROM shop.stock WHERE sku = 'cap' AND location = 'c'), 0::bigint, 'all are taken');
UPDATE shop.orders SET status = 'canceled' WHERE status NOT IN ('canceled', 'draft');

-- what arrives is given to waiting orders by the rules
DELETE FROM shop.channel_stock_rules;
SELECT pg_temp.rule('late', 'keep_from', NULL, 'a', 8), pg_temp.rule('late', 'deny', NULL, 'b', NULL);
SELECT pg_temp.place('late', 'hat', 20) AS o \gset
SELECT is((SELECT units_short FROM shop.orders WHERE id = :'o'), 8::bigint, 'short by what the rules keep');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('hat', 'b', 'receipt', 5);
SELECT is((SELECT units_short FROM shop.orders WHERE id = :'o'), 8::bigint, 'what arrives where it may not take is not for it');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('hat', 'a', 'receipt', 5);
SELECT is((SELECT units_short FROM shop.orders WHERE id = :'o'), 3::bigint, 'where it may, it is');
DELETE FROM shop.channel_stock_rules WHERE effect = 'keep_from';
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('hat', 'a', 'receipt', 1);
SELECT is((SELECT units_short FROM shop.orders WHERE id = :'o'), 0::bigint, 'without the rule all that is there');

-- in one call, directly and in steps: the plan and the UPDATE ask the same
CREATE FUNCTION shop.watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER watch AFTER UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.watch();
SELECT is(pg_temp.from('late', 'cap', 11), 'a 10, c 1', 'in steps');
DROP TRIGGER watch ON shop.orders;
TRUNCATE shop.channel_stock_rules;
SELECT is(pg_temp.from('late', 'cap', 11), 'a 10, b 1', 'after TRUNCATE');
SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL, 'verify_store');

-- ---- rules at random: what can be taken is what one expression over the rows says

CREATE FUNCTION pg_temp.takeable(which text, item text, place text) RETURNS bigint LANGUAGE sql AS $$
	SELECT CASE WHEN bool_or(r.effect = 'deny' AND r.channel = which AND r.is_here) OR bool_or(r.effect = 'only' AND r.channel = which)
			AND NOT bool_or(r.effect = 'only' AND r.channel = which AND r.is_here) THEN 0
		ELSE greatest(0, s.available - coalesce(max(r.units) FILTER (WHERE r.effect = 'keep_from' AND r.channel = which AND r.is_here), 0)
			- coalesce(max(r.units) FILTER (WHERE r.effect = 'keep_for' AND r.channel IS DISTINCT FROM which AND r.is_here), 0)) END
	FROM shop.stock s LEFT JOIN (SELECT *, location IS NULL OR location = place AS is_here FROM shop.channel_stock_rules) r ON r.sku IS NULL OR r.sku = s.sku
	WHERE s.sku = item AND s.location = place GROUP BY s.sku, s.location $$;
CREATE FUNCTION pg_temp.found(which text, item text, place text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	PERFORM oms.hold_stock('shop', 'much', jsonb_build_array(jsonb_build_object('sku', item, 'quantity', 1000000, 'location', place)), '1 hour', which);
EXCEPTION WHEN SQLSTATE 'OM003' THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN detail::jsonb -> 0 -> 'available';
END $$;
CREATE TEMP TABLE compared (trial integer, channel text, sku text, location text, expected bigint, found bigint);
DO $$
BEGIN
	PERFORM setseed(0.3);
	FOR trial IN 1 .. 40 LOOP
		DELETE FROM shop.channel_stock_rules;
		INSERT INTO shop.channel_stock_rules (channel, sku, location, effect, units)
		SELECT channel, CASE WHEN on_all < 0.5 THEN sku END, CASE WHEN everywhere < 0.3 AND effect <> 'only' THEN NULL ELSE location END, effect, CASE WHEN effect LIKE 'keep%' THEN units END
		FROM (SELECT (ARRAY['web', 'pos', 'b2b'])[1 + floor(random() * 3)::int] AS channel, (ARRAY['shirt', 'hat'])[1 + floor(random() * 2)::int] AS sku, (ARRAY['a', 'b', 'c'])[1 + floor(random() * 3)::int] AS location,
			(ARRAY['deny', 'only', 'keep_from', 'keep_from', 'keep_for', 'keep_for'])[1 + floor(random() * 6)::int] AS effect, 1 + floor(random() * 6)::bigint AS units, random() AS on_all, random() AS everywhere
			FROM generate_series(1, 1 + floor(random() * 6)::int)) r ON CONFLICT DO NOTHING;
		INSERT INTO compared SELECT trial, c, s, l, pg_temp.takeable(c, s, l), pg_temp.found(c, s, l)
			FROM unnest(ARRAY['web', 'pos', NULL]) AS c, unnest('{shirt,hat}'::text[]) AS s, unnest('{a,b,c}'::text[]) AS l;
	END LOOP;
END $$;
SELECT is((SELECT string_agg(format('%s %s %s at %s: %s, not %s', trial, channel, sku, location, found, expected), E'\n') FROM compared WHERE found IS DISTINCT FROM expected), NULL, 'plan and expression agree');
SELECT cmp_ok((SELECT count(DISTINCT expected) FROM compared), '>', 6::bigint, 'on all kinds of outcomes');

SELECT * FROM finish();
ROLLBACK;
