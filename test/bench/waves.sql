-- Many orders on hold in a store, then planned together: test/bench/waves.  psql variables:
-- orders, locations, skus, stock (times what is wanted), budget (seconds).
-- Orders are made as wavegen.py makes them: a few SKUs each, popular ones more often;
-- shipments cost by zone of distance, units by their weight as well.
\set ON_ERROR_STOP on
\pset tuples_only on
\pset format unaligned
SET client_min_messages = warning;
SELECT setseed(0.5) \g /dev/null
SELECT oms.create_store('waves') \g /dev/null
CREATE TEMP TABLE used AS SELECT 0::bigint AS ticks, now() AS at;
-- CPU of this session, in 1/100 s
CREATE FUNCTION pg_temp.ticks() RETURNS bigint LANGUAGE sql
AS $$ SELECT w[12]::bigint + w[13]::bigint FROM (SELECT string_to_array(regexp_replace(pg_read_file('/proc/' || pg_backend_pid() || '/stat'), '^.*\) ', ''), ' ') AS w) s $$;
INSERT INTO waves.channels (code, name, default_method) VALUES ('web', 'Web', 'ship');
CREATE TEMP TABLE places AS SELECT j, random() * 4500 AS x, random() * 2500 AS y, j <= greatest(2, :locations / 5) AS large FROM generate_series(1, :locations) j;
INSERT INTO waves.locations (code, name, priority, fixed_cost) SELECT 'L' || j, 'L', j, CASE WHEN large THEN 4.2 ELSE 5.2 END FROM places;
INSERT INTO waves.skus (code, name, weight_grams) SELECT 'S' || s, 'S', 1000 * ceil(exp(1.5 + 1.1 * (random() + random() + random() - 1.5) * 2)) FROM generate_series(1, :skus) s;
-- where orders go: 64 areas
INSERT INTO waves.zones (code, country, postal_prefix) SELECT 'Z' || z, 'US', lpad(z::text, 2, '0') FROM generate_series(0, 63) z;
INSERT INTO waves.shipping_rates (location, destination_zone, fixed, per_kg)
SELECT 'L' || j, 'Z' || z, 0.45 * n, 0.06 * n FROM places, generate_series(0, 63) z,
	LATERAL (SELECT 2 + width_bucket(sqrt((x - (z % 8 + 0.5) * 562.5) ^ 2 + (y - (z / 8 + 0.5) * 312.5) ^ 2), ARRAY[80, 250, 500, 1000, 1600, 2300, 3000]::float8[]) AS n) d;
-- SKU s is wanted in proportion to (s + 10) ^ -0.8
CREATE TEMP TABLE popular AS SELECT s, sum((s + 10) ^ -0.8) OVER (ORDER BY s) / sum((s + 10) ^ -0.8) OVER () AS upto FROM generate_series(1, :skus) s;
CREATE UNIQUE INDEX ON popular (upto);
CREATE TEMP TABLE wanted AS
SELECT o, s, max(1 + (r < 0.2)::int + (r < 0.04)::int) AS q, min(z) AS z FROM (SELECT o, floor(random() * 64)::int AS z, width_bucket(random(), ARRAY[0, 0.42, 0.66, 0.79, 0.87, 0.92, 0.95, 0.975]::float8[]) AS n FROM generate_series(1, :orders) o OFFSET 0) h,
	LATERAL (SELECT random() AS pick, random() AS r FROM generate_series(1, n)) p, LATERAL (SELECT s FROM popular WHERE upto >= pick ORDER BY upto LIMIT 1) c GROUP BY o, s;
INSERT INTO waves.stock_movements (sku, location, kind, quantity)
SELECT * FROM (SELECT 'S' || s, 'L' || j, 'receipt', floor(q * share / sum(share) OVER (PARTITION BY s) + random())::bigint AS units FROM (SELECT s, sum(q) * (:stock - 0.2 + 0.5 * random()) AS q FROM wanted GROUP BY s) w,
	LATERAL (SELECT j, (0.3 + random() * 0.7) * CASE WHEN large THEN 4 ELSE 1 END AS share FROM places WHERE random() < CASE WHEN large THEN 0.8 ELSE 0.35 END AND s > 0) p) q WHERE units > 0;
ANALYZE;
UPDATE used SET ticks = pg_temp.ticks(), at = clock_timestamp();
SELECT count(waves.place_order(jsonb_build_object('channel', 'web', 'currency', 'EUR', 'if_short', 'hold', 'holds', '[{"kind": "fraud"}]'::jsonb,
	'ship_to', jsonb_build_object('country', 'US', 'postal_code', lpad(z::text, 2, '0') || '000'), 'lines', lines))) FROM (SELECT o, min(z) AS z, jsonb_agg(jsonb_build_object('sku', 'S' || s, 'quantity', q, 'unit_price', 1)) AS lines FROM wanted GROUP BY o ORDER BY o) l \g /dev/null
SELECT format('%s orders placed one by one in %s s of CPU', (SELECT count(*) FROM waves.orders), round((pg_temp.ticks() - ticks) / 100.0, 2)) FROM used;
ANALYZE;
UPDATE used SET ticks = pg_temp.ticks(), at = clock_timestamp();
SELECT * FROM waves.plan_wave(budget => make_interval(secs => :budget)) \gset
SELECT format('cost %s -> %s (%s %% less), bound %s (gap %s %%), %s orders changed, %s s of CPU in %s s', round(:cost_before, 2), round(:cost_after, 2), round(100 - 100 * :cost_after / :cost_before, 2), round(:lower_bound, 2),
	round(100 * (:cost_after - :lower_bound) / :cost_after, 2), :orders_changed, round((pg_temp.ticks() - ticks) / 100.0, 2), round(extract(epoch FROM clock_timestamp() - at), 1)) FROM used;
SELECT coalesce('BROKEN: ' || string_agg(rule || ' ' || violations, '; '), 'verify_store finds nothing') FROM oms.verify_store('waves') WHERE violations > 0;
