-- oms.explain_plan over random costs, rules, days and orders: what it says it would
-- cost against oms.solve_split, which is told of nothing but arrays.  psql -v
-- trials=2000: so many, not 120.
\if :{?trials}
\else
\set trials 120
\endif
BEGIN;
SET client_min_messages = error;
SELECT no_plan();
SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, default_method, if_short) VALUES ('web', 'Web', 'ship', 'hold');
INSERT INTO shop.locations (code, name) SELECT l, l FROM unnest('{a,b,c,d,e,f}'::text[]) l;
INSERT INTO shop.skus (code, name) SELECT 's' || n, n FROM generate_series(1, 9) n;
DO $$ BEGIN PERFORM setseed(0.7); END $$;
INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT s.code, l.code, 'receipt', 1 + floor(random() * 5) FROM shop.skus s, shop.locations l WHERE random() < 0.5;

CREATE TEMP TABLE place (location text PRIMARY KEY, j int, fixed bigint, capacity bigint, denied boolean);
CREATE TEMP TABLE line (sku text PRIMARY KEY, i int, quantity bigint);
CREATE TEMP TABLE pair (i int, j int, allowed boolean, units bigint, cost bigint, PRIMARY KEY (i, j));

-- solved(penalty, most, i, j): what solve_split makes of it, with a unit of i from j set aside; NULL: none
CREATE FUNCTION pg_temp.solved(penalty bigint, fi int, fj int, OUT cost numeric, OUT unfilled bigint) LANGUAGE sql AS $$
	SELECT s.objective + coalesce((SELECT p.fixed FROM place p WHERE p.j = fj), 0) + coalesce((SELECT p.cost FROM pair p WHERE p.i = fi AND p.j = fj), 0), s.unfilled
	FROM oms.solve_split((SELECT array_agg(l.quantity - (l.i IS NOT DISTINCT FROM fi)::int ORDER BY l.i) FROM line l), (SELECT array_agg(penalty) FROM line),
		(SELECT array_agg(CASE WHEN p.j = fj THEN 0 ELSE p.fixed END ORDER BY p.j) FROM place p),
		(SELECT coalesce(array_agg(a.i ORDER BY a.i, a.j), '{}') FROM pair a WHERE allowed), (SELECT coalesce(array_agg(a.j ORDER BY a.i, a.j), '{}') FROM pair a WHERE allowed),
		(SELECT coalesce(array_agg(a.units - (a.i IS NOT DISTINCT FROM fi AND a.j IS NOT DISTINCT FROM fj)::int ORDER BY a.i, a.j), '{}') FROM pair a WHERE allowed),
		(SELECT coalesce(array_agg(a.cost ORDER BY a.i, a.j), '{}') FROM pair a WHERE allowed),
		(SELECT array_agg(p.capacity - (p.j IS NOT DISTINCT FROM fj)::int ORDER BY p.j) FROM place p)) s $$;

-- trial(): what is wrong with an explanation, '' if nothing; how many of its locations cost more
CREATE FUNCTION pg_temp.trial(n int, OUT fault text, OUT verdicts text[]) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	o uuid; given numeric := CASE WHEN random() < 0.4 THEN floor(random() * 12) END; penalty bigint := coalesce(given, 100000); row record; plan record; best record;
BEGIN
	fault := '';
	UPDATE shop.locations SET fixed_cost = floor(random() * 9), pick_cost = floor(random() * 3), priority = (random() * 3)::int,
		daily_capacity = CASE WHEN random() < 0.4 THEN floor(random() * 6) END;
	DELETE FROM shop.sourcing_rules;
	DELETE FROM shop.sourcing_policies;
	INSERT INTO shop.sourcing_policies (unfilled_penalty) VALUES (given);
	INSERT INTO shop.sourcing_rules (sku, location, effect, cost)
		SELECT CASE WHEN random() < 0.8 THEN s.code END, l.code, 'prefer', 1 + floor(random() * 4) FROM shop.locations l, shop.skus s WHERE random() < 0.2 ON CONFLICT DO NOTHING;
	INSERT INTO shop.sourcing_rules (sku, location, effect)
		SELECT CASE WHEN random() < 0.7 THEN s.code END, l.code, 'deny' FROM shop.locations l, shop.skus s WHERE random() < 0.06 ON CONFLICT DO NOTHING;
	INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR') RETURNING id INTO o;
	INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price)
		SELECT o, row_number() OVER (), code, 1 + floor(random() * 6), 1 FROM shop.skus WHERE code = 's1' OR random() < 0.3;

	DELETE FROM place; DELETE FROM line; DELETE FROM pair;
	INSERT INTO line SELECT sku, row_number() OVER (ORDER BY line_no), quantity FROM shop.order_lines WHERE order_id = o;
	INSERT INTO place SELECT code, row_number() OVER (ORDER BY code), fixed_cost, daily_capacity,
		EXISTS (SELECT FROM shop.sourcing_rules r WHERE r.location = code AND r.effect = 'deny' AND (r.sku IS NULL OR r.sku IN (SELECT sku FROM line))) FROM shop.locations;
	INSERT INTO pair SELECT l.i, p.j, NOT EXISTS (SELECT FROM shop.sourcing_rules r WHERE r.location = p.location AND r.effect = 'deny' AND (r.sku IS NULL OR r.sku = l.sku)), s.available,
		(SELECT pick_cost FROM shop.locations WHERE code = p.location)
			+ coalesce((SELECT sum(cost) FROM shop.sourcing_rules r WHERE r.location = p.location AND r.effect = 'prefer' AND (r.sku IS NULL OR r.sku = l.sku)), 0)
		FROM line l JOIN shop.stock s USING (sku) JOIN place p USING (location);

	plan := pg_temp.solved(penalty, NULL, NULL);
	IF (SELECT array_agg(DISTINCT location ORDER BY location) FROM shop.plan_order(o) WHERE disposition = 'allocate')
		IS DISTINCT FROM (SELECT array_agg(location ORDER BY location) FROM shop.explain_plan(o) WHERE verdict = 'chosen') THEN
		fault := fault || ' chosen are not those of the plan;';
	END IF;
	FOR row IN SELECT e.*, p.*, w.wanted FROM shop.explain_plan(o) e JOIN place p USING (location), (SELECT sum(quantity) AS wanted FROM line) w LOOP
		verdicts := verdicts || row.verdict;
		-- the truth, by each unit that could be had there
		SELECT x.cost, x.unfilled INTO best FROM pair a, pg_temp.solved(penalty, a.i, a.j) x
			WHERE a.j = row.j AND a.allowed AND a.units > 0 AND coalesce(row.capacity, 1) > 0 ORDER BY x.cost LIMIT 1;
		IF row.verdict = 'chosen' THEN
			best := plan;
		END IF;
		IF row.forced_cost IS DISTINCT FROM (best.cost - CASE WHEN given IS NULL THEN penalty * best.unfilled ELSE 0 END) THEN
			fault := fault || format(' %s %s costs %s, not %s;', row.location, row.verdict, row.forced_cost, best.cost);
		END IF;
		IF given IS NOT NULL AND row.forced_cost < plan.cost THEN
			fault := fault || format(' %s would be cheaper;', row.location);
		END IF;
		IF row.verdict = 'denied' AND (NOT row.denied OR EXISTS (SELECT FROM pair a WHERE a.j = row.j AND a.allowed AND a.units > 0))
			OR row.verdict = 'no_stock' AND EXISTS (SELECT FROM pair a WHERE a.j = row.j AND a.units > 0)
			OR row.verdict = 'no_capacity' AND row.capacity IS DISTINCT FROM 0
			OR (row.verdict = 'dominated') IS DISTINCT FROM (row.verdict IN ('dominated', 'costlier') AND EXISTS (SELECT FROM place k WHERE k.j <> row.j AND coalesce(k.capacity, 1) > 0
				AND k.fixed <= row.fixed AND (k.capacity IS NULL OR k.capacity >= row.wanted OR k.capacity >= row.capacity)
				AND (row.verdict = 'costlier' AND k.location IN (SELECT location FROM shop.plan_order(o)) OR k.location = substring(row.detail FROM 'location "(.*?)"'))
				AND EXISTS (SELECT FROM pair a WHERE a.j = k.j AND a.allowed AND a.units > 0)
				AND NOT EXISTS (SELECT FROM pair a JOIN line USING (i) LEFT JOIN pair b ON b.i = a.i AND b.j = k.j AND b.allowed
					WHERE a.j = row.j AND a.allowed AND a.units > 0 AND (coalesce(b.units, 0) < least(a.units, line.quantity) OR b.cost > a.cost)))) THEN
			fault := fault || format(' %s is not %s (%s);', row.location, row.verdict, row.detail);
		END IF;
	END LOOP;
	IF cardinality(verdicts) IS DISTINCT FROM 6 THEN
		fault := fault || ' not a row for each location';
	END IF;
END $$;

CREATE TEMP TABLE result AS SELECT n, t.* FROM generate_series(1, :trials) n, pg_temp.trial(n) t;
SELECT is((SELECT string_agg(format('%s:%s', n, fault), E'\n') FROM result WHERE fault <> ''), NULL, 'costs are those of a plan that is made without the engine, and verdicts are true');
SELECT set_eq('SELECT DISTINCT unnest(verdicts) FROM result', '{chosen,denied,no_stock,no_capacity,dominated,costlier}'::text[], 'every verdict was met');
SELECT cmp_ok((SELECT count(*) FROM result, unnest(verdicts) v WHERE v = 'costlier'), '>', 60::bigint, 'that a location costs more, often');
SELECT * FROM finish();
ROLLBACK;
