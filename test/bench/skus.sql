-- Does placing cost more with many SKUs?  Two stores alike, few with 10,000 SKUs and
-- many with :skus; orders of three lines in each in turn, over the same 2,000 SKUs
-- of each, spread over all, so that what they touch is in memory.
\set ON_ERROR_STOP 1
\set QUIET 1
SET client_min_messages = warning;
SET synchronous_commit = off;

CREATE EXTENSION oms;
CREATE SCHEMA bench;
\ir used.sql
SELECT oms.create_store('few'), oms.create_store('many') \g /dev/null

CREATE PROCEDURE bench.fill(store text, skus bigint) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SET search_path = %I', store);
	INSERT INTO channels (code, name) VALUES ('web', 'Web shop');
	INSERT INTO locations (code, name, priority) VALUES ('east', 'East', 10);
	-- nothing is to be checked of these, and triggers would take minutes
	SET session_replication_role = replica;
	INSERT INTO skus (code, name, tracked) SELECT 'SKU-' || lpad(i::text, 8, '0'), 'Number ' || i, true FROM generate_series(1, skus) i;
	INSERT INTO stock (sku, location, on_hand) SELECT code, 'east', 1000000000 FROM skus;
	RESET session_replication_role;
	RESET search_path;
END $$;
CALL bench.fill('few', 10000);
CALL bench.fill('many', :skus);
VACUUM ANALYZE;

CREATE PROCEDURE bench.place_one(store text, skus bigint, n integer) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM oms.place_order(store, jsonb_build_object('channel', 'web', 'external_ref', n::text, 'currency', 'EUR', 'lines',
		(SELECT jsonb_agg(jsonb_build_object('sku', 'SKU-' || lpad((1 + ((n * 3 + i) * 7919 % 2000) * (skus / 2000))::text, 8, '0'),
			'quantity', 1, 'unit_price', 5)) FROM generate_series(0, 2) i)));
END $$;
CREATE TABLE bench.sku_costs (store text, batch integer, cpu bigint);

-- in batches of 100, a statement an order: the kernel counts CPU when a process waits
SELECT CASE WHEN n IN (0, 101) THEN format('INSERT INTO bench.sku_costs SELECT %L, %s, cpu FROM bench.used()', s.store, batch)
	ELSE format('CALL bench.place_one(%L, %s, %s)', s.store, s.skus, batch * 100 + n) END
FROM generate_series(1, 20) batch, (VALUES ('few', 10000), ('many', :skus)) AS s(store, skus), generate_series(0, 101) n
ORDER BY batch, s.store, n \gexec

\pset tuples_only on
\pset format unaligned
WITH cost AS (
	SELECT store, batch, max(cpu) - min(cpu) AS cpu FROM bench.sku_costs WHERE batch > 10 GROUP BY store, batch
)
SELECT format('skus: an order costs %s x the CPU in a store of %s SKUs that it does in one of 10,000',
	round((percentile_cont(0.5) WITHIN GROUP (ORDER BY cpu) FILTER (WHERE store = 'many')
		/ percentile_cont(0.5) WITHIN GROUP (ORDER BY cpu) FILTER (WHERE store = 'few'))::numeric, 2), :skus)
FROM cost;
