-- What availability says, place_order and hold_stock do: in random worlds of
-- stock, holds, rules, policies, partners and nested bundles, exactly so many
-- units are sold, and not one more; and what is promised is there by then.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

CREATE TEMPORARY TABLE lies_told (lie text);
SELECT oms.create_store('worlds');
INSERT INTO worlds.methods (code, name, workflow, by_partner) VALUES ('abroad', 'By a partner', 'dropship', true);
CREATE FUNCTION pg_temp.some(most int) RETURNS int LANGUAGE sql AS $$ SELECT floor(random() * (most + 1))::int $$;
CREATE FUNCTION pg_temp.one_of(VARIADIC list text[]) RETURNS text LANGUAGE sql AS $$ SELECT list[1 + pg_temp.some(array_length(list, 1) - 1)] $$;

-- make_world fills the empty store
CREATE FUNCTION pg_temp.make_world() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	place record;
BEGIN
	INSERT INTO worlds.locations (code, name, kind, priority, tracked)
	SELECT 'l' || i, 'Location', pg_temp.one_of('warehouse', 'warehouse', 'store', 'supplier', 'third_party'), pg_temp.some(3), random() < 0.8 FROM generate_series(1, 4) AS i;
	INSERT INTO worlds.channels (code, name, default_method) SELECT 'c' || i, 'Channel', pg_temp.one_of('ship', 'ship', 'abroad') FROM generate_series(1, 3) AS i;
	INSERT INTO worlds.skus (code, name, default_method) SELECT 's' || i, 'Thing', pg_temp.one_of(NULL, NULL, NULL, 'ship', 'abroad') FROM generate_series(1, 4) AS i;
	INSERT INTO worlds.skus (code, name, kind) VALUES ('song', 'Song', 'digital');
	INSERT INTO worlds.skus (code, name, kind, default_method) SELECT 'b' || i, 'Bundle', 'bundle', pg_temp.one_of(NULL, NULL, NULL, 'ship', 'abroad') FROM generate_series(1, 3) AS i;
	INSERT INTO worlds.bundle_items (bundle, sku, quantity, price_share)
	SELECT 'b1', 's' || i, 1 + pg_temp.some(1), 0.5 FROM generate_series(1, 4) AS i WHERE i <= 1 OR random() < 0.4;
	INSERT INTO worlds.bundle_items (bundle, sku, quantity, price_share) SELECT * FROM (VALUES ('b2', 'b1', 1 + pg_temp.some(1), 0.5), ('b2', pg_temp.one_of('s1', 's2', 's3', 'song'), 1, 0.5), ('b3', 's4', 1, 0.5),
		('b3', 'song', 1 + pg_temp.some(2), 0.5)) AS v;
	INSERT INTO worlds.stock_movements (sku, location, kind, quantity)
	SELECT 's' || s, l.code, 'receipt', 1 + pg_temp.some(6) FROM generate_series(1, 4) AS s, worlds.locations l WHERE l.tracked AND random() < 0.7;
	UPDATE worlds.stock SET safety_stock = pg_temp.some(4) WHERE random() < 0.4;
	INSERT INTO worlds.stock_movements (sku, location, kind, quantity) SELECT sku, location, 'quarantine', 1 FROM worlds.stock WHERE random() < 0.2;
	FOR place IN SELECT sku, location, available FROM worlds.stock WHERE available > 0
	LOOP
		PERFORM oms.hold_stock('worlds', 'live ' || place.sku || place.location, jsonb_build_array(jsonb_build_object('sku', place.sku, 'location', place.location, 'quantity', 1)), '1 hour') WHERE random() < 0.2;
		PERFORM oms.hold_stock('worlds', 'over ' || i || place.sku || place.location, jsonb_build_array(jsonb_build_object('sku', place.sku, 'location', place.location, 'quantity', 1)), '1 microsecond')
		FROM generate_series(1, least(place.available - 1, pg_temp.some(3))) AS i WHERE random() < 0.5;
	END LOOP;
	UPDATE worlds.stock SET safety_stock = safety_stock + pg_temp.some(3) WHERE random() < 0.2;
	INSERT INTO worlds.channel_stock_rules (channel, sku, location, effect, units)
	SELECT pg_temp.one_of('c1', 'c2', 'c3'), pg_temp.one_of(NULL, 's1', 's2', 'song'), CASE WHEN e = 'only' OR random() < 0.8 THEN pg_temp.one_of('l1', 'l2', 'l3', 'l4') END, e, CASE WHEN e LIKE 'keep%' THEN 1 + pg_temp.some(2) END
	FROM (SELECT pg_temp.one_of('deny', 'only', 'keep_from', 'keep_for') AS e FROM generate_series(1, pg_temp.some(6))) AS r ON CONFLICT DO NOTHING;
	INSERT INTO worlds.backorder_policies (sku, policy, limit_units, valid_from, valid_until)
	SELECT 's' || s, 'backorder', CASE WHEN random() < 0.7 THEN pg_temp.some(4) END, now() + from_when * interval '1 day', CASE WHEN random() < 0.3 THEN now() + (from_when + 2) * interval '1 day' END
	FROM generate_series(1, 4) AS s, generate_series(-3, 1) AS from_when WHERE random() < 0.15;
	UPDATE worlds.locations SET active = false WHERE random() < 0.15;
	UPDATE worlds.skus SET active = false WHERE random() < 0.05;
	UPDATE worlds.channels SET active = false WHERE random() < 0.05;
END $$;

-- order places one, of units that were held for it or others or none
CREATE FUNCTION pg_temp.order(sku text, units bigint, channel text, location text, hold text, OUT waiting bigint) LANGUAGE sql AS $$
	SELECT p.backordered FROM oms.place_order('worlds', jsonb_strip_nulls(jsonb_build_object('channel', channel, 'currency', 'EUR', 'stock_hold', hold, 'lines',
		jsonb_build_array(jsonb_build_object('sku', sku, 'quantity', units, 'unit_price', 10, 'location', location))))) AS p $$;
CREATE FUNCTION pg_temp.hold(sku text, units bigint, channel text, location text, ref text) RETURNS void LANGUAGE sql AS $$
	SELECT oms.hold_stock('worlds', ref, jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('sku', sku, 'quantity', units, 'location', location))), '1 hour', channel) $$;

-- sells tells what becomes of an order, with units that are held for it, which
-- others cannot have
CREATE FUNCTION pg_temp.sells(sku text, units bigint, channel text, location text, held bigint DEFAULT 0) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	waiting bigint;
BEGIN
	IF held > 0 THEN
		PERFORM pg_temp.hold(sku, held, channel, location, 'cart');
		UPDATE worlds.stock SET safety_stock = safety_stock + available WHERE held >= units AND available > 0;
	END IF;
	waiting := pg_temp.order(sku, units, channel, location, CASE WHEN held > 0 THEN 'cart' END);
	RAISE EXCEPTION 'sold' USING ERRCODE = 'ZZ001';
EXCEPTION WHEN SQLSTATE 'ZZ001' THEN RETURN CASE WHEN waiting > 0 THEN 'later' ELSE 'now' END; WHEN SQLSTATE 'OM003' OR SQLSTATE 'OM009' OR SQLSTATE 'OM012' THEN RETURN 'no';
END $$;

-- holds tells what becomes of a stock hold
CREATE FUNCTION pg_temp.holds(sku text, units bigint, channel text, location text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_temp.hold(sku, units, channel, location, 'cart');
	RAISE EXCEPTION 'held' USING ERRCODE = 'ZZ001';
EXCEPTION WHEN SQLSTATE 'ZZ001' THEN RETURN 'now'; WHEN SQLSTATE 'OM003' OR SQLSTATE 'OM012' THEN RETURN 'no';
END $$;

-- lies returns what is not as availability says it is
CREATE FUNCTION pg_temp.lies(OUT question text, OUT says text, OUT lie text) RETURNS SETOF record LANGUAGE sql AS $$
	SELECT format('%s by %s from %s', a.sku, c.code, coalesce(l.code, 'anywhere')), format('%s now, %s later', coalesce(a.available::text, 'any'), coalesce(a.backorderable::text, 'any')), x.lie
	FROM worlds.channels c, (SELECT code, tracked FROM worlds.locations UNION ALL SELECT NULL, NULL) l, oms.availability('worlds', ARRAY(SELECT code FROM worlds.skus), c.code, l.code) a, LATERAL (
		SELECT 'any is not sold' WHERE a.available IS NULL AND pg_temp.sells(a.sku, 1000, c.code, l.code) <> 'now'
		UNION ALL SELECT 'any is not held' WHERE a.available IS NULL AND pg_temp.holds(a.sku, 1000, c.code, l.code) <> 'now'
		UNION ALL SELECT 'what is available is not sold' WHERE a.available > 0 AND pg_temp.sells(a.sku, a.available, c.code, l.code) <> 'now'
		UNION ALL SELECT 'more is sold' WHERE pg_temp.sells(a.sku, a.available + a.backorderable + 1, c.code, l.code) <> 'no'
		UNION ALL SELECT 'what is for later is not' WHERE a.backorderable > 0 AND pg_temp.sells(a.sku, a.available + a.backorderable, c.code, l.code) <> 'later'
		UNION ALL SELECT 'the next is not for later' WHERE a.backorderable > 0 AND pg_temp.sells(a.sku, a.available + 1, c.code, l.code) <> 'later'
		UNION ALL SELECT 'without limit is limited' WHERE a.available IS NOT NULL AND a.backorderable IS NULL AND pg_temp.sells(a.sku, a.available + 1000, c.code, l.code) <> 'later'
		UNION ALL SELECT 'what is held is not sold' WHERE a.available > 0 AND pg_temp.sells(a.sku, a.available, c.code, l.code, a.available) <> 'now'
		UNION ALL SELECT 'what is held is not sold with the rest' WHERE a.available > 1 AND pg_temp.sells(a.sku, a.available, c.code, l.code, 1 + a.available / 3) <> 'now'
		UNION ALL SELECT 'with a hold more is sold' WHERE a.available > 0 AND pg_temp.sells(a.sku, a.available + a.backorderable + 1, c.code, l.code, 1 + a.available / 3) <> 'no'
		UNION ALL SELECT 'more is held' WHERE (a.available > 0 OR a.sku LIKE 's_' AND l.tracked IS NOT FALSE) AND pg_temp.holds(a.sku, a.available + 1, c.code, l.code) <> 'no'
	) x(lie) $$;

-- broken returns what is promised for a time and not there then, or there before
CREATE FUNCTION pg_temp.broken() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	arrival record;
BEGIN
	INSERT INTO worlds.inbound (ref, sku, location, quantity, expected_at)
	SELECT 'r' || i, 's' || (1 + pg_temp.some(3)), l.code, 1 + pg_temp.some(4), timestamptz '2090-01-01Z' + i * interval '1 day'
	FROM generate_series(1, 5) AS i, LATERAL (SELECT code FROM worlds.locations WHERE tracked AND i > 0 ORDER BY random() LIMIT 1) l;
	CREATE TEMPORARY TABLE promises ON COMMIT DROP AS
	SELECT k.code AS sku, c.code AS channel, l.code AS location, q, oms.available_to_promise('worlds', k.code, q, c.code, l.code) AS at
	FROM worlds.skus k, worlds.channels c, (SELECT code FROM worlds.locations UNION ALL SELECT NULL) l, unnest('{1,2,4,7,10}'::bigint[]) q;
	FOR arrival IN SELECT i.id, i.expected_at FROM worlds.inbound i ORDER BY i.expected_at
	LOOP
		UPDATE worlds.inbound SET status = 'received' WHERE id = arrival.id;
		RETURN QUERY SELECT format('on %s %s of %s by %s from %s: %s are available, promised for %s', arrival.expected_at::date, p.q, p.sku, p.channel, p.location, a.available, p.at::date)
		FROM promises p, oms.availability('worlds', ARRAY[p.sku], p.channel, p.location) a
		WHERE (coalesce(a.available, 1000) >= p.q) <> coalesce(p.at <= arrival.expected_at, false);
	END LOOP;
END $$;

-- deal holds and orders at random
CREATE FUNCTION pg_temp.deal() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	sku text;
	channel text;
	ref text;
BEGIN
	FOR i IN 1 .. 25
	LOOP
		sku := pg_temp.one_of('s1', 's2', 's3', 's4', 'b1', 'b2', 'b3');
		channel := pg_temp.one_of('c1', 'c2', 'c3');
		ref := 'deal ' || pg_temp.some(2);
		BEGIN
			IF random() < 0.5 THEN
				PERFORM pg_temp.hold(sku, 1 + pg_temp.some(2), channel, NULL, ref);
			ELSIF random() < 0.8 THEN
				PERFORM pg_temp.order(sku, 1 + pg_temp.some(3), channel, NULL, ref);
			ELSE
				PERFORM oms.release_hold('worlds', ref);
			END IF;
		EXCEPTION WHEN SQLSTATE 'OM003' OR SQLSTATE 'OM007' OR SQLSTATE 'OM009' OR SQLSTATE 'OM012' THEN
		END;
	END LOOP;
END $$;

CREATE PROCEDURE pg_temp.look_at_worlds(worlds int) LANGUAGE plpgsql AS $$
DECLARE
	lies text[];
BEGIN
	FOR world IN 1 .. worlds
	LOOP
		PERFORM setseed(world / 10000.0);
		PERFORM pg_temp.make_world();
		PERFORM pg_sleep(0.001);
		lies := lies || ARRAY(SELECT format('%s: %s, says %s, but %s', world, l.question, l.says, l.lie) FROM pg_temp.lies() l);
		lies := lies || ARRAY(SELECT format('%s: %s', world, b) FROM pg_temp.broken() b);
		PERFORM pg_temp.deal();
		lies := lies || ARRAY(SELECT format('%s: %s', world, v::text) FROM oms.verify_store('worlds') v WHERE violations <> 0);
		ROLLBACK;	-- to have places in line for more
	END LOOP;
	INSERT INTO pg_temp.lies_told SELECT unnest(lies);
END $$;
COMMIT;
CALL pg_temp.look_at_worlds(4);
SELECT is_empty('SELECT * FROM pg_temp.lies_told', 'what availability says is what is sold and held');

DROP SCHEMA worlds CASCADE;
SELECT * FROM finish();
