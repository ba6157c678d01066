-- Random stores, rules and orders: oms.plan_order says what reserve does, from no
-- place that is denied, at no more cost than common rules, whatever order rows
-- are in.  Each trial is undone.  psql -v trials=2000: so many of each kind, not 100.
\if :{?trials}
\else
\set trials 100
\endif
BEGIN;
SET client_min_messages = error;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, default_method) VALUES ('web', 'Web', 'ship');
INSERT INTO shop.zones (code, country) VALUES ('near', 'DE'), ('far', 'FR');
INSERT INTO shop.locations (code, name, country) SELECT l, l, CASE WHEN l < 'd' THEN 'DE' ELSE 'FR' END FROM unnest('{a,b,c,d,e,f}'::text[]) l;
INSERT INTO shop.skus (code, name, tags, weight_grams) SELECT s, s, CASE WHEN s < 'r' THEN '{small}'::text[] ELSE '{large}' END, 100 * ascii(s) FROM unnest('{p,q,r,s}'::text[]) s;
INSERT INTO shop.skus (code, name, kind) VALUES ('help', 'Help', 'service');
INSERT INTO shop.addresses (id, name, country) VALUES ('00000000-0000-0000-0000-000000000001', 'N', 'DE'), ('00000000-0000-0000-0000-000000000002', 'F', 'FR');
DO $$ BEGIN PERFORM setseed(0.42); END $$;

-- some_rows(): what the store says in one trial
CREATE FUNCTION pg_temp.some_rows() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE shop.locations SET priority = (random() * 3)::int, fixed_cost = (random() * 8)::int, pick_cost = (random() * 2)::int,
		methods = CASE WHEN random() < 0.1 THEN '{pickup}'::text[] END;
	INSERT INTO shop.shipping_rates (location, destination_zone, fixed, per_unit, per_kg)
		SELECT l.code, z.code, (random() * 6)::int, (random() * 3)::int, (random() * 2)::int FROM shop.locations l, shop.zones z WHERE random() < 0.6;
	INSERT INTO shop.sourcing_rules (sku, tag, destination_zone, location, effect, cost)
		SELECT CASE WHEN random() < 0.5 THEN (ARRAY['p', 'q', 'r', 's'])[1 + floor(random() * 4)] END, NULL, CASE WHEN random() < 0.5 THEN 'near' END, code, 'deny', NULL::numeric
		FROM shop.locations WHERE random() < 0.15
		UNION ALL SELECT NULL, 'large', NULL, code, 'allow', NULL FROM shop.locations WHERE random() < 0.1
		UNION ALL SELECT NULL, 'small', NULL, code, 'prefer', 1 + (random() * 2)::int FROM shop.locations WHERE random() < 0.2;
	INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT s.code, l.code, 'receipt', 1 + floor(random() * 6)
		FROM shop.skus s, shop.locations l WHERE s.tracked AND random() < 0.6;
END $$;

-- plan(order): what plan_order says; taken(order): what the order has
CREATE FUNCTION pg_temp.plan(o uuid) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', line_no, coalesce(location, '-'), quantity), ', ' ORDER BY line_no, location) FROM shop.plan_order(o) $$;
CREATE FUNCTION pg_temp.taken(o uuid) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', line_no, coalesce(location, '-'), units), ', ' ORDER BY line_no, location) FROM (
		SELECT l.line_no, f.location, sum(c.quantity) AS units FROM shop.fulfillments f JOIN shop.fulfillment_lines c ON c.fulfillment_id = f.id
			JOIN shop.order_lines l ON l.id = c.order_line_id WHERE f.order_id = o GROUP BY 1, 2
		UNION ALL SELECT line_no, NULL, short FROM shop.order_lines WHERE order_id = o AND short > 0) x $$;

-- What each pair costs and has, for the order at hand.
CREATE TEMP TABLE pair (sku text, location text, allowed boolean, fixed numeric, per_unit numeric, units bigint, priority int, PRIMARY KEY (sku, location));

-- cost(parts): of units from locations
CREATE FUNCTION pg_temp.cost(skus text[], locations text[], units bigint[]) RETURNS numeric LANGUAGE sql AS $$
	WITH part AS (SELECT * FROM unnest(skus, locations, units) AS u(sku, location, units))
	SELECT coalesce((SELECT sum(fixed) FROM (SELECT DISTINCT p.location, p.fixed FROM pair p JOIN part USING (location)) f), 0)
		+ coalesce((SELECT sum(part.units * p.per_unit) FROM part JOIN pair p USING (sku, location)), 0) $$;

-- by_rule(order, rule): what a common rule would cost: the first location that has everything, else each line
-- walks the locations, which rule puts in order; NULL where it finds fewer units than served
CREATE FUNCTION pg_temp.by_rule(o uuid, rule text, walks boolean, served bigint) RETURNS numeric LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	of_skus text[] = '{}'; of_locations text[] = '{}'; of_units bigint[] = '{}';
	places text[]; place text; line record; left_units bigint; taken bigint;
BEGIN
	SELECT array_agg(location ORDER BY CASE rule WHEN 'priority' THEN priority WHEN 'nearest' THEN fixed + per_unit ELSE -units END, location) INTO places
	FROM (SELECT location, min(priority) AS priority, min(fixed) AS fixed, avg(per_unit) AS per_unit, sum(units) AS units FROM pair GROUP BY location) p;
	FOREACH place IN ARRAY places LOOP
		EXIT WHEN walks;
		IF NOT EXISTS (SELECT FROM shop.order_lines l LEFT JOIN pair p ON p.sku = l.sku AND p.location = place AND p.allowed
			WHERE l.order_id = o AND coalesce(p.units, 0) < l.quantity) THEN
			RETURN pg_temp.cost((SELECT array_agg(sku ORDER BY line_no) FROM shop.order_lines WHERE order_id = o),
				(SELECT array_agg(place) FROM shop.order_lines WHERE order_id = o), (SELECT array_agg(quantity ORDER BY line_no) FROM shop.order_lines WHERE order_id = o));
		END IF;
	END LOOP;
	FOR line IN SELECT sku, quantity FROM shop.order_lines WHERE order_id = o ORDER BY line_no LOOP
		left_units := line.quantity;
		FOREACH place IN ARRAY places LOOP
			SELECT least(left_units, p.units) INTO taken FROM pair p WHERE p.sku = line.sku AND p.location = place AND p.allowed;
			CONTINUE WHEN coalesce(taken, 0) = 0;
			of_skus := of_skus || line.sku; of_locations := of_locations || place; of_units := of_units || taken; left_units := left_units - taken;
		END LOOP;
	END LOOP;
	RETURN CASE WHEN (SELECT sum(u) FROM unnest(of_units) u) = served THEN pg_temp.cost(of_skus, of_locations, of_units) END;
END $$;

-- trial(kind): what is wrong with a plan, '' if nothing, and how much it saves
CREATE FUNCTION pg_temp.trial(kind text, n int, OUT fault text, OUT spared numeric) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
	o uuid; planned text; again text; spent numeric; served bigint; other numeric; rule record;
BEGIN
	fault := '';
	BEGIN
		PERFORM pg_temp.some_rows();
		IF kind = 'policy' THEN
			INSERT INTO shop.sourcing_policies (objective, max_shipments, unfilled_penalty)
				VALUES (CASE WHEN random() < 0.5 THEN 'shipments' ELSE 'cost' END, CASE WHEN random() < 0.5 THEN 1 + (random() * 2)::int END, CASE WHEN random() < 0.3 THEN (random() * 9)::int END);
			UPDATE shop.locations SET daily_capacity = (random() * 9)::int WHERE random() < 0.5;
		END IF;
		INSERT INTO shop.orders (channel, currency, if_short, ship_to_id) VALUES ('web', 'EUR', 'hold', ('00000000-0000-0000-0000-00000000000' || 1 + (random())::int)::uuid) RETURNING id INTO o;
		INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, ship_group, location)
			SELECT o, row_number() OVER (ORDER BY random()), s, 1 + floor(random() * 5), 1, CASE WHEN kind = 'policy' AND random() < 0.3 THEN 'g' END,
				CASE WHEN kind = 'policy' AND random() < 0.1 THEN 'b' END
			FROM unnest(CASE WHEN kind = 'policy' THEN '{p,q,r,s,p,help}' ELSE '{p,q,r,s}' END::text[]) s WHERE random() < 0.7;
		planned := pg_temp.plan(o);
		IF kind = 'cost' THEN
			DELETE FROM pair;
			INSERT INTO pair SELECT s.sku, s.location, x.allowed, x.fixed, x.per_unit, s.available, l.priority FROM shop.stock s JOIN shop.locations l ON l.code = s.location
				CROSS JOIN oms.explain_source('shop', s.sku, s.location, 'ship', 'web', (SELECT country FROM shop.addresses a JOIN shop.orders r ON r.ship_to_id = a.id WHERE r.id = o)) x;
			SELECT coalesce(pg_temp.cost(array_agg(p.sku), array_agg(p.location), array_agg(p.quantity)), 0), coalesce(sum(p.quantity), 0) INTO spent, served
				FROM shop.plan_order(o) p WHERE p.disposition = 'allocate';
			SELECT string_agg('denied: ' || p.sku || ' from ' || p.location, '; ') INTO fault FROM shop.plan_order(o) p JOIN pair USING (sku, location) WHERE NOT pair.allowed;
			fault := coalesce(fault, '');
			IF EXISTS (SELECT FROM shop.plan_order(o) p JOIN pair USING (sku, location) WHERE p.unit_cost <> pair.per_unit) THEN
				fault := fault || ' unit_cost';
			END IF;
			-- nothing is left that may be had
			IF served <> (SELECT coalesce(sum(least(l.quantity, coalesce((SELECT sum(p.units) FROM pair p WHERE p.sku = l.sku AND p.allowed), 0))), 0) FROM shop.order_lines l WHERE l.order_id = o) THEN
				fault := fault || ' left units';
			END IF;
			FOR rule IN SELECT * FROM (VALUES ('priority', true), ('priority', false), ('nearest', true), ('nearest', false), ('stock', true), ('stock', false)) AS r(name, walks) LOOP
				other := pg_temp.by_rule(o, rule.name, rule.walks, served);
				spared := coalesce(spared, 0) + greatest(0, other - spent);
				IF other < spent THEN
					fault := fault || format(' %s would cost %s, not %s', rule.name, other, spent);
				END IF;
			END LOOP;
		END IF;
		-- other places in the tables, the same plan
		UPDATE shop.stock SET safety_stock = 0 WHERE random() < 0.5;
		UPDATE shop.locations SET name = name || '!' WHERE random() < 0.5;
		UPDATE shop.order_lines SET description = 'x' WHERE order_id = o AND random() < 0.5;
		again := pg_temp.plan(o);
		IF again IS DISTINCT FROM planned THEN
			fault := fault || ' another plan: ' || again || ' not ' || planned;
		END IF;
		IF planned IS NOT NULL THEN
			UPDATE shop.orders SET status = 'placed' WHERE id = o;
			IF pg_temp.taken(o) IS DISTINCT FROM planned THEN
				fault := fault || ' taken: ' || pg_temp.taken(o) || ' not ' || planned;
			END IF;
			IF random() < 0.05 THEN
				fault := fault || coalesce((SELECT string_agg(v.rule, '; ') FROM oms.verify_store('shop') v WHERE v.violations > 0), '');
			END IF;
		END IF;
		RAISE EXCEPTION USING ERRCODE = 'P0999';
	EXCEPTION WHEN SQLSTATE 'P0999' THEN
		NULL;
	END;
END $$;

CREATE TEMP TABLE result AS SELECT kind, n, t.* FROM unnest('{cost,policy}'::text[]) kind, generate_series(1, :trials) n, pg_temp.trial(kind, n) t;
SELECT is((SELECT string_agg(format('%s %s: %s', kind, n, fault), E'\n') FROM result WHERE fault <> ''), NULL, 'plans are kept, allowed, no dearer than by common rules, and always the same');
SELECT cmp_ok((SELECT count(*) FROM result WHERE spared > 0), '>', 30::bigint, 'and often cheaper');
SELECT * FROM finish();
ROLLBACK;
