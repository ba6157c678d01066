-- Stores of the same tables: shop, watched with a trigger of a user's, and plain
-- without our triggers
--
-- Variable skus: how many.  Two locations hold each of them.
\set ON_ERROR_STOP 1
\set QUIET 1
SET client_min_messages = warning;
SET synchronous_commit = off;

CREATE EXTENSION oms;
CREATE SCHEMA bench;
SELECT oms.create_store('shop'), oms.create_store('watched'), oms.create_store('plain') \g /dev/null

INSERT INTO shop.channels (code, name) VALUES ('web', 'Web shop');
INSERT INTO shop.locations (code, name, priority) VALUES ('east', 'East', 10), ('west', 'West', 20);
INSERT INTO shop.skus (code, name, tracked) SELECT 'SKU-' || 10000 + i, 'Number ' || i, true FROM generate_series(1, :skus) i;
INSERT INTO shop.skus (code, name, tracked) VALUES ('HOT', 'What everybody wants', true);
INSERT INTO shop.stock_movements (sku, location, kind, quantity)
	SELECT s.code, l.code, 'receipt', 1000000000 FROM shop.skus s, shop.locations l;

INSERT INTO plain.channels SELECT * FROM shop.channels;
INSERT INTO plain.locations SELECT * FROM shop.locations;
INSERT INTO plain.skus SELECT * FROM shop.skus;
INSERT INTO plain.stock_movements (sku, location, kind, quantity)
	SELECT s.code, l.code, 'receipt', 1000000000 FROM plain.skus s, plain.locations l;

INSERT INTO watched.channels SELECT * FROM shop.channels;
INSERT INTO watched.locations SELECT * FROM shop.locations;
INSERT INTO watched.skus SELECT * FROM shop.skus;
INSERT INTO watched.stock_movements (sku, location, kind, quantity)
	SELECT s.code, l.code, 'receipt', 1000000000 FROM watched.skus s, watched.locations l;

-- one that never fires, and yet orders are written in steps for it
CREATE FUNCTION watched.look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER look AFTER DELETE ON watched.orders FOR EACH ROW EXECUTE FUNCTION watched.look();

-- the triggers go, foreign keys' stay; so do defaults, checks and indexes
DO $$
DECLARE
	t record;
BEGIN
	FOR t IN SELECT tgname, tgrelid::regclass AS tab FROM pg_trigger
		JOIN pg_class c ON c.oid = tgrelid
		WHERE relnamespace = 'plain'::regnamespace AND NOT tgisinternal
	LOOP
		EXECUTE format('DROP TRIGGER %I ON %s', t.tgname, t.tab);
	END LOOP;
END $$;
DROP FUNCTION plain.place_order(jsonb);

\ir used.sql
CREATE UNLOGGED TABLE bench.samples (run text, n integer, cpu bigint);
CREATE FUNCTION bench.sample(run text, n integer) RETURNS void LANGUAGE sql AS $$
	INSERT INTO bench.samples SELECT run, n, cpu FROM bench.used()
$$;

-- what each order used
CREATE UNLOGGED TABLE bench.costs (plans text, round integer, what text, cpu bigint, elapsed bigint, wal bigint);

-- what pgbench says of its runs
CREATE UNLOGGED TABLE bench.results (
	what text,
	plans text,
	fsync text,
	clients integer,
	round integer,
	tps numeric,
	p50 numeric,
	p99 numeric
);
