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
	COMMENT ON COLUMN stock.sku IS 'What is counted; never changes (OM006)';
	COMMENT ON COLUMN stock.location IS 'Where it is; never changes (OM006)';
	COMMENT ON COLUMN stock.on_hand IS 'Units that are there, sold or not: the sum of on_hand_change of its movements; kept by the engine';
	COMMENT ON COLUMN stock.unavailable IS 'Units on hand that cannot be sold, such as quarantined ones: the sum of unavailable_change of its movements; kept by the engine';
	COMMENT ON COLUMN stock.reserved IS 'Units on hand that fulfillments with stock_state reserved hold, and those of stock_holds, expired ones too; kept by the engine';
	COMMENT ON COLUMN stock.safety_stock IS 'Units that orders must leave alone; people write it';
	COMMENT ON COLUMN stock.available IS 'Units that orders can take: on_hand - unavailable - reserved - safety_stock, less than 0 where safety_stock exceeds what is left';
	COMMENT ON COLUMN stock.revision IS 'How often the engine has written the row; a change by hand must leave it as it is (OM005)';

	CREATE TABLE stock_movements (
		id bigserial PRIMARY KEY,
		at timestamptz NOT NULL DEFAULT clock_timestamp() CHECK (isfinite(at)),
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
		actor text NOT NULL,
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
	COMMENT ON COLUMN stock_movements.id IS 'Key, ascending; movements of one statement on one stock row are applied in its order';
	COMMENT ON COLUMN stock_movements.at IS 'When it happened: the clock at the INSERT unless the INSERT says';
	COMMENT ON COLUMN stock_movements.sku IS 'What moved';
	COMMENT ON COLUMN stock_movements.location IS 'Where it moved';
	COMMENT ON COLUMN stock_movements.kind IS 'receipt, return, transfer_in, adjustment: quantity is added to on hand; issue, damage, transfer_out: taken off it; count: on hand becomes quantity; quarantine: added to unavailable; unquarantine: taken off that';
	COMMENT ON COLUMN stock_movements.quantity IS 'Units, more than 0; an adjustment may be less than 0 but not 0, a count may be 0';
	COMMENT ON COLUMN stock_movements.on_hand_change IS 'Units by which the movement changed stock.on_hand; written by the engine';
	COMMENT ON COLUMN stock_movements.unavailable_change IS 'Units by which it changed stock.unavailable, a count included that finds fewer than were unavailable; written by the engine';
	COMMENT ON COLUMN stock_movements.reason IS 'Why, in the words of whoever inserted it; in rows that a fulfillment''s move caused, its status_reason if the units came back';
	COMMENT ON COLUMN stock_movements.entity IS 'What caused it: fulfillment where the engine wrote the row, else what people say';
	COMMENT ON COLUMN stock_movements.entity_id IS 'Which one caused it: fulfillments.id where the engine wrote the row';
	COMMENT ON COLUMN stock_movements.external_ref IS 'The sender''s reference. A row with the same one, kind, sku and location as an earlier row is left out, and is OM007 if its quantity differs';
	COMMENT ON COLUMN stock_movements.actor IS 'Who did it: setting oms.actor, else the user, unless the INSERT says';
	COMMENT ON COLUMN stock_movements.xid IS 'The transaction that inserted it, unless the INSERT says, so that readers of the ledger need not miss rows that commit late';
	COMMENT ON SEQUENCE stock_movements_id_seq IS 'Numbers the movements';
END
$layout$;
COMMENT ON FUNCTION oms.layout_stock() IS 'Creates stock and its ledger in the first schema of search_path; called by oms.create_store';

CREATE FUNCTION oms.layout_stock_triggers(OUT relation text, OUT name text, OUT fires text, OUT does text, OUT comment text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE
AS $layout$
VALUES
	('stock', 'oms_insert', 'BEFORE INSERT', $$FOR EACH ROW WHEN (NEW.on_hand <> 0 OR NEW.unavailable <> 0 OR NEW.reserved <> 0 OR NEW.revision <> 0)
			EXECUTE FUNCTION oms.refuse('engine', 'insert a row into stock_movements instead')$$,
		'Refuses a row that begins with units (OM005)'),
	('stock', 'oms_engine', 'AFTER UPDATE', $$FOR EACH ROW WHEN (NEW.revision <> OLD.revision + 1
			AND (OLD.on_hand IS DISTINCT FROM NEW.on_hand OR OLD.unavailable IS DISTINCT FROM NEW.unavailable
			OR OLD.reserved IS DISTINCT FROM NEW.reserved OR OLD.revision IS DISTINCT FROM NEW.revision))
			EXECUTE FUNCTION oms.refuse('engine', 'insert a row into stock_movements instead')$$,
		'Refuses to change by hand what the engine keeps (OM005)'),
	('stock', 'oms_fixed', 'AFTER UPDATE', $$FOR EACH ROW WHEN (OLD.sku <> NEW.sku OR OLD.location <> NEW.location)
			EXECUTE FUNCTION oms.refuse('key', 'sku and location')$$,
		'Refuses another sku or location (OM006)'),
	('stock', 'oms_keep', 'BEFORE DELETE', $$FOR EACH ROW WHEN (OLD.on_hand <> 0 OR OLD.unavailable <> 0 OR OLD.reserved <> 0)
			EXECUTE FUNCTION oms.refuse('engine', 'count the units to zero first: INSERT INTO stock_movements (sku, location, kind, quantity) VALUES (..., ''count'', 0)')$$,
		'Refuses to remove a row that has units (OM005)'),
	('stock', 'oms_truncate', 'BEFORE TRUNCATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('engine', 'insert rows into stock_movements instead')$$,
		'Refuses TRUNCATE (OM005)'),
	('stock_movements', 'oms_guard', 'BEFORE INSERT OR DELETE OR UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.guard('movement')$$,
		'Leaves out replays (OM007), refuses to write effects or to change the ledger (OM005)'),
	('stock_movements', 'oms_act', 'AFTER INSERT', $$REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION oms.act('movement')$$,
		'Applies the movements of a statement to stock (OM003)'),
	('stock_movements', 'oms_truncate', 'BEFORE TRUNCATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('log')$$,
		'Refuses TRUNCATE (OM005)')
$layout$;
COMMENT ON FUNCTION oms.layout_stock_triggers() IS 'The triggers of stock and its ledger; see oms.layout_triggers';
