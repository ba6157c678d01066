-- What oms.plan_order costs: orders of three lines over 50 locations with 2000 SKUs
-- each, and over 1000 locations with 200, against the plain join that reads the
-- stock of those SKUs.  Every location has costs of its own, each SKU is at each.
\set ON_ERROR_STOP 1
\set QUIET 1
SET client_min_messages = warning;
SET synchronous_commit = off;

CREATE EXTENSION oms;
CREATE SCHEMA bench;
\ir used.sql
SELECT oms.create_store('few'), oms.create_store('many') \g /dev/null

CREATE PROCEDURE bench.fill(store text, places int, goods int) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SET search_path = %I', store);
	INSERT INTO channels (code, name, default_method) VALUES ('web', 'Web shop', 'ship');
	INSERT INTO locations (code, name, priority, fixed_cost, pick_cost) SELECT 'L' || i, 'L', i, 3 + i * 7 % 11, (i * 13 % 17) / 10.0 FROM generate_series(1, places) i;
	SET session_replication_role = replica;
	INSERT INTO skus (code, name, tracked) SELECT 'S' || i, 'S', true FROM generate_series(1, goods) i;
	-- one unit in three places of four: orders are split
	INSERT INTO stock (sku, location, on_hand) SELECT 'S' || s, 'L' || l, (s * 31 + l * 17) % 4 FROM generate_series(1, goods) s, generate_series(1, places) l;
	RESET session_replication_role;
	INSERT INTO orders (channel, currency) SELECT 'web', 'EUR' FROM generate_series(1, 100);
	INSERT INTO order_lines (order_id, line_no, sku, quantity, unit_price)
		SELECT o.id, k, 'S' || 1 + (n * 37 + k * 101) % goods, 1 + (n + k) % 4, 5 FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM orders) o, generate_series(1, 3) k;
	RESET search_path;
END $$;
CALL bench.fill('few', 50, 2000);
CALL bench.fill('many', 1000, 200);
VACUUM ANALYZE;

CREATE TABLE bench.plan_costs (store text, what text, batch integer, cpu bigint);
PREPARE few_stock AS SELECT sum(s.available) FROM few.order_lines l JOIN few.stock s ON s.sku = l.sku JOIN few.locations c ON c.code = s.location WHERE l.order_id = $1 AND s.available > 0 AND c.active;
PREPARE many_stock AS SELECT sum(s.available) FROM many.order_lines l JOIN many.stock s ON s.sku = l.sku JOIN many.locations c ON c.code = s.location WHERE l.order_id = $1 AND s.available > 0 AND c.active;
PREPARE few_plan AS SELECT count(*) FROM few.plan_order($1);
PREPARE many_plan AS SELECT count(*) FROM many.plan_order($1);

-- in batches of 100, a statement an order: the kernel counts CPU when a process waits
\o /dev/null
SELECT CASE WHEN n IN (0, 101) THEN format('INSERT INTO bench.plan_costs SELECT %L, %L, %s, cpu FROM bench.used()', store, what, batch)
	ELSE format('EXECUTE %s_%s(%L)', store, what, id) END
FROM generate_series(1, 6) batch, (VALUES ('stock'), ('plan')) AS w(what),
	(SELECT 'few' AS store, row_number() OVER (ORDER BY id) AS n, id::text FROM few.orders
		UNION ALL SELECT 'many', row_number() OVER (ORDER BY id), id::text FROM many.orders
		UNION ALL VALUES ('few', 0, ''), ('few', 101, ''), ('many', 0, ''), ('many', 101, '')) AS o
ORDER BY batch, store, what, n \gexec
\o

\pset tuples_only on
\pset format unaligned
WITH cost AS (
	SELECT store, what, batch, (max(cpu) - min(cpu)) / 100000.0 AS us FROM bench.plan_costs WHERE batch > 1 GROUP BY store, what, batch
), typical AS (
	SELECT store, percentile_cont(0.5) WITHIN GROUP (ORDER BY us) FILTER (WHERE what = 'plan') AS plan,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY us) FILTER (WHERE what = 'stock') AS stock FROM cost GROUP BY store
)
SELECT format('plans: of an order of three lines over %s locations plan_order costs %s us of CPU, %s of them beyond a plain join that reads the stock (%s us)',
	CASE store WHEN 'few' THEN 50 ELSE 1000 END, round(plan::numeric), round((plan - stock)::numeric), round(stock::numeric))
FROM typical ORDER BY store DESC;
