-- Stock and its ledger. stock.c applies movements, actions.c reserves.

CREATE FUNCTION oms.layout_stock() RETURNS void
LANGUAGE plpgsql
AS $layout$
BEGIN
	CREATE TABLE stock (
		sku text COLLATE "C" NOT NULL REFERENCES skus,
		location text COLLATE "C" NOT NULL REFERENCES locations,
		on_hand bigint NOT NULL DEFAULT 0,
		unavailable bigint NOT NULL DEFAULT 0,
		reserved bigint NOT NULL DEFAULT 0,
		safety_stock bigint NOT NULL DEFAULT 0 CHECK (safety_stock BETWEEN 0 AND 1000000000000),
		available bigint GENERATED ALWAYS AS (on_hand - unavailable - reserved - safety_stock) STORED,
		revision bigint NOT NULL DEFAULT 0,
		PRIMARY KEY (sku, location),
		CHECK (on_hand BETWEEN 0 AND 1000000000000000),
		CHECK (unavailable >= 0 AND reserved >= 0 AND reserved <= on_hand - unavailable)
	) WITH (fillfactor = 80);
	CREATE INDEX ON stock (location);
	COMMENT ON TABLE stock IS 'Units of a SKU at a location, counted in its smallest unit; changed through stock_movements and by orders, safety_stock by hand';

	CREATE TABLE stock_movements (
		id bigserial PRIMARY KEY,
		at timestamptz NOT NULL DEFAULT clock_timestamp(),
		sku text COLLATE "C" NOT NULL REFERENCES skus,
		location text COLLATE "C" NOT NULL REFERENCES locations,
		kind text COLLATE "C" NOT NULL CHECK (kind IN ('receipt', 'return', 'transfer_in', 'issue', 'damage',
			'transfer_out', 'adjustment', 'count', 'quarantine', 'unquarantine')),
		quantity bigint NOT NULL CHECK (quantity BETWEEN -1000000000000 AND 1000000000000),
		on_hand_change bigint,
		unavailable_change bigint,
		reason text,
		entity text COLLATE "C",
		entity_id uuid,
		external_ref text COLLATE "C" CHECK (length(external_ref) BETWEEN 1 AND 200),
		actor text NOT NULL DEFAULT oms.actor(),
		xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
		CHECK (kind = 'adjustment' AND quantity <> 0 OR kind = 'count' AND quantity >= 0
			OR kind NOT IN ('adjustment', 'count') AND quantity > 0)
	);
	CREATE INDEX ON stock_movements (sku, location, id);
	CREATE INDEX ON stock_movements (location);
	CREATE INDEX ON stock_movements (entity_id) WHERE entity_id IS NOT NULL;
	CREATE UNIQUE INDEX stock_movements_replay ON stock_movements (external_ref, kind, sku, location)
		WHERE external_ref IS NOT NULL;
	COMMENT ON TABLE stock_movements IS 'The ledger of physical stock: append-only, people insert what happened, on hand is the sum of on_hand_change';

	CREATE TRIGGER oms_insert BEFORE INSERT ON stock
		FOR EACH ROW WHEN (NEW.on_hand <> 0 OR NEW.unavailable <> 0 OR NEW.reserved <> 0 OR NEW.revision <> 0)
		EXECUTE FUNCTION oms.refuse('engine', 'insert a row into stock_movements instead');
	CREATE TRIGGER oms_engine AFTER UPDATE ON stock
		FOR EACH ROW WHEN (NEW.revision <> OLD.revision + 1
			AND (OLD.on_hand, OLD.unavailable, OLD.reserved, OLD.revision)
				IS DISTINCT FROM (NEW.on_hand, NEW.unavailable, NEW.reserved, NEW.revision))
		EXECUTE FUNCTION oms.refuse('engine', 'insert a row into stock_movements instead');
	CREATE TRIGGER oms_fixed AFTER UPDATE ON stock
		FOR EACH ROW WHEN (OLD.sku <> NEW.sku OR OLD.location <> NEW.location)
		EXECUTE FUNCTION oms.refuse('key', 'sku and location');
	CREATE TRIGGER oms_keep BEFORE DELETE ON stock
		FOR EACH ROW WHEN (OLD.on_hand <> 0 OR OLD.unavailable <> 0 OR OLD.reserved <> 0)
		EXECUTE FUNCTION oms.refuse('engine', 'count the units to zero first: INSERT INTO stock_movements (sku, location, kind, quantity) VALUES (..., ''count'', 0)');
	CREATE TRIGGER oms_truncate BEFORE TRUNCATE ON stock
		FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('engine', 'insert rows into stock_movements instead');

	CREATE TRIGGER oms_guard BEFORE INSERT OR UPDATE OR DELETE ON stock_movements
		FOR EACH ROW EXECUTE FUNCTION oms.guard('movement');
	CREATE TRIGGER oms_act AFTER INSERT ON stock_movements REFERENCING NEW TABLE AS n
		FOR EACH STATEMENT EXECUTE FUNCTION oms.act('movement');
	CREATE TRIGGER oms_truncate BEFORE TRUNCATE ON stock_movements
		FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('log');
END
$layout$;
COMMENT ON FUNCTION oms.layout_stock() IS 'Creates stock and its ledger in the first schema of search_path; called by oms.create_store';
