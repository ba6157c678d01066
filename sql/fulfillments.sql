-- Fulfillments: what one location does for one order by one method.

CREATE FUNCTION oms.layout_fulfillments() RETURNS void
LANGUAGE plpgsql
AS $layout$
BEGIN
	CREATE TABLE fulfillments (
		id uuid PRIMARY KEY,
		number text COLLATE "C" NOT NULL UNIQUE,
		order_id uuid NOT NULL REFERENCES orders,
		location text COLLATE "C" NOT NULL REFERENCES locations,
		pickup_location text COLLATE "C" REFERENCES locations,
		method text COLLATE "C" NOT NULL REFERENCES methods,
		workflow text COLLATE "C" NOT NULL REFERENCES workflows,
		status text COLLATE "C" NOT NULL,
		status_reason text COLLATE "C" REFERENCES reasons,
		stock_state text COLLATE "C" NOT NULL DEFAULT 'none'
			CHECK (stock_state IN ('none', 'reserved', 'issued', 'released')),
		rerouted boolean NOT NULL DEFAULT false,
		gave_way boolean NOT NULL DEFAULT false,
		ask_again boolean NOT NULL DEFAULT false,
		ship_to_id uuid REFERENCES addresses,
		requested_at timestamptz,
		promised_at timestamptz,
		carrier text,
		tracking_number text,
		partner_ref text,
		created_at timestamptz NOT NULL DEFAULT now(),
		shipped_at timestamptz,
		delivered_at timestamptz,
		closed_at timestamptz,
		load_day date,
		attributes jsonb NOT NULL DEFAULT '{}',
		revision bigint NOT NULL DEFAULT 0,
		CONSTRAINT fulfillments_ask_again CHECK (rerouted OR NOT ask_again)
	) WITH (fillfactor = 70);
	CREATE INDEX ON fulfillments (order_id);
	CREATE INDEX ON fulfillments (location);
	CREATE INDEX fulfillments_reserved ON fulfillments (location) WHERE stock_state = 'reserved';
	-- what oms.tick looks at
	CREATE INDEX fulfillments_open ON fulfillments (created_at, id) WHERE closed_at IS NULL;
	CREATE INDEX ON fulfillments (pickup_location) WHERE pickup_location IS NOT NULL;
	CREATE INDEX ON fulfillments (method);
	CREATE INDEX ON fulfillments (workflow);
	CREATE INDEX ON fulfillments (status_reason) WHERE status_reason IS NOT NULL;
	CREATE INDEX ON fulfillments (ship_to_id) WHERE ship_to_id IS NOT NULL;
	COMMENT ON TABLE fulfillments IS 'What one location does for one order by one method; it moves as a whole, oms.split_fulfillment divides it';
	COMMENT ON COLUMN fulfillments.id IS 'Key, oms.uuid7(); fixed (OM006)';
	COMMENT ON COLUMN fulfillments.number IS 'What people call it: the order''s number, a hyphen and its place among the order''s fulfillments; fixed (OM006)';
	COMMENT ON COLUMN fulfillments.order_id IS 'The order whose units it carries; fixed (OM006)';
	COMMENT ON COLUMN fulfillments.location IS 'Where its units leave; fixed (OM006)';
	COMMENT ON COLUMN fulfillments.pickup_location IS 'Where the customer collects it, perhaps not where its units leave; NULL: it is not collected, or where its units are; fixed (OM006)';
	COMMENT ON COLUMN fulfillments.method IS 'How it goes; fixed (OM006)';
	COMMENT ON COLUMN fulfillments.workflow IS 'Which workflow status follows: the method''s when it was made; fixed (OM006)';
	COMMENT ON COLUMN fulfillments.status IS 'State in its workflow. An UPDATE of it is a move, by people or, where it is automatic, by the engine: OM001 where there is no such move, OM002 where a guard refuses';
	COMMENT ON COLUMN fulfillments.status_reason IS 'Why it is in that status; people give it in the UPDATE of status, which clears it otherwise. Its stock_effect says what becomes of units that come back';
	COMMENT ON COLUMN fulfillments.stock_state IS 'reserved: its units are allocated, and in stock.reserved where tracked; issued: they have left; released: they were given back, before they left or after; none is not used; kept by the engine';
	COMMENT ON COLUMN fulfillments.rerouted IS 'true: action reroute took its units away, and sourcing does not ask its location again for this order, unless it gave way or ask_again says so; kept by the engine';
	COMMENT ON COLUMN fulfillments.gave_way IS 'true: rerouted because a movement left too few units, not because its location would not do it; kept by the engine';
	COMMENT ON COLUMN fulfillments.ask_again IS 'true: its location, which would not do it, may serve the order again after all, with whatever it has; people set it where rerouted is true (23514 elsewhere), and oms.tick gives what the order waits for';
	COMMENT ON COLUMN fulfillments.ship_to_id IS 'Where it goes: the line''s address, else the order''s, when it was made; people may change it until its goods have left (OM006)';
	COMMENT ON COLUMN fulfillments.requested_at IS 'When the customer wants it, at the earliest; of a service the appointment: the line''s time, else the order''s, when it was made. Guard due holds from then on, less methods.lead_time; people may change it until its goods have left (OM006)';
	COMMENT ON COLUMN fulfillments.promised_at IS 'When the customer may expect it: where the transit_days of its rate are known, the last second, by the location''s clock, of the day that is so many after the one in which the location ships it, and not before requested_at; people change it';
	COMMENT ON COLUMN fulfillments.carrier IS 'Who transports it; people write it';
	COMMENT ON COLUMN fulfillments.tracking_number IS 'What the carrier calls it; people write it, and a fulfillment divided off begins without';
	COMMENT ON COLUMN fulfillments.partner_ref IS 'What a supplier or logistics partner calls it; people write it';
	COMMENT ON COLUMN fulfillments.created_at IS 'When it was made, by placing, rerouting or going another way; one divided off keeps that of the one it comes from; fixed (OM006)';
	COMMENT ON COLUMN fulfillments.shipped_at IS 'When its goods left (action issue), as the start of that transaction; kept by the engine';
	COMMENT ON COLUMN fulfillments.delivered_at IS 'When the customer had it (action deliver), as the start of that transaction; kept by the engine';
	COMMENT ON COLUMN fulfillments.closed_at IS 'When it entered a final state, as the start of that transaction; NULL while it is in none; kept by the engine';
	COMMENT ON COLUMN fulfillments.load_day IS 'Day of its location, in its time_zone, whose daily_capacity its units take (location_loads); NULL: the location had none when it was made; kept by the engine';
	COMMENT ON COLUMN fulfillments.attributes IS 'Whatever else people want to note, a JSON object; the engine does not read it';
	COMMENT ON COLUMN fulfillments.revision IS 'How often the engine has written the row; a change by hand must leave it as it is (OM005)';

	-- what verify_store counts a day by
	CREATE INDEX fulfillments_load ON fulfillments (location, load_day) WHERE load_day IS NOT NULL;

	CREATE TABLE location_loads (
		location text COLLATE "C" NOT NULL REFERENCES locations,
		day date NOT NULL,
		units bigint NOT NULL DEFAULT 0 CHECK (units >= 0),
		revision bigint NOT NULL DEFAULT 0,
		PRIMARY KEY (location, day)
	) WITH (fillfactor = 50);
	COMMENT ON TABLE location_loads IS 'How much of a day''s daily_capacity a location has been given, a row for each day on which it was given anything while it had a daily_capacity';
	COMMENT ON COLUMN location_loads.location IS 'Who has to do it';
	COMMENT ON COLUMN location_loads.day IS 'The day, in the location''s time_zone; what came from its cutoff on is the next day''s';
	COMMENT ON COLUMN location_loads.units IS 'Units of fulfillments with that load_day that still have to leave, or have left; kept by the engine';
	COMMENT ON COLUMN location_loads.revision IS 'How often the engine has written the row';

	CREATE TABLE fulfillment_lines (
		id uuid PRIMARY KEY,
		fulfillment_id uuid NOT NULL REFERENCES fulfillments,
		order_line_id uuid NOT NULL REFERENCES order_lines,
		sku text COLLATE "C" NOT NULL,	-- the order line's, by whose foreign key it exists
		quantity bigint NOT NULL CHECK (quantity > 0),
		tracked boolean NOT NULL,
		packed bigint NOT NULL DEFAULT 0,
		UNIQUE (fulfillment_id, order_line_id),
		CHECK (packed BETWEEN 0 AND quantity)
	) WITH (fillfactor = 90);
	CREATE INDEX ON fulfillment_lines (order_line_id);
	COMMENT ON TABLE fulfillment_lines IS 'The units of an order line that a fulfillment carries';
	COMMENT ON COLUMN fulfillment_lines.id IS 'Key, oms.uuid7()';
	COMMENT ON COLUMN fulfillment_lines.fulfillment_id IS 'What carries the units';
	COMMENT ON COLUMN fulfillment_lines.order_line_id IS 'Which line of its order they are of';
	COMMENT ON COLUMN fulfillment_lines.sku IS 'What they are, as the line says';
	COMMENT ON COLUMN fulfillment_lines.quantity IS 'Units; less once some are divided off, more once others are merged into it, else the same for good, also when they are canceled or come back';
	COMMENT ON COLUMN fulfillment_lines.tracked IS 'Whether they were taken from stock: SKU and location were both tracked; false: no movement is written for them';
	COMMENT ON COLUMN fulfillment_lines.packed IS 'Units of quantity that are in packages which are not voided; kept by the engine';
END
$layout$;
COMMENT ON FUNCTION oms.layout_fulfillments() IS 'Creates fulfillments in the first schema of search_path; called by oms.create_store';

CREATE FUNCTION oms.layout_fulfillments_triggers(OUT relation text, OUT name text, OUT fires text, OUT does text, OUT comment text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE
AS $layout$
VALUES
	('fulfillments', 'oms_guard', 'BEFORE INSERT OR DELETE OR UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.guard('fulfillment')$$,
		'Refuses what is no move (OM001), engine and fixed columns (OM005, OM006), making one by hand and removing one'),
	('fulfillments', 'oms_recheck', 'AFTER INSERT OR UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.recheck('fulfillment')$$,
		'Judges the row again as later triggers left it (OM001, OM005, OM006)'),
	('fulfillments', 'oms_act_insert', 'AFTER INSERT', $$REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION oms.act('fulfillment')$$,
		'Logs new fulfillments and makes automatic moves'),
	('fulfillments', 'oms_act_update', 'AFTER UPDATE', $$REFERENCING OLD TABLE AS o NEW TABLE AS n
			FOR EACH STATEMENT EXECUTE FUNCTION oms.act('fulfillment')$$,
		'Asks guards (OM002), runs actions, logs, and makes automatic moves, of a statement''s fulfillments at once'),
	('fulfillments', 'oms_truncate', 'BEFORE TRUNCATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('keep')$$,
		'Refuses TRUNCATE (OM006)'),
	('location_loads', 'oms_guard', 'BEFORE INSERT OR DELETE OR UPDATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.guard('kept', 'Change locations.daily_capacity, or move fulfillments')$$,
		'Refuses changes by hand (OM005)'),
	('location_loads', 'oms_truncate', 'BEFORE TRUNCATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('engine', 'change locations.daily_capacity, or move fulfillments')$$,
		'Refuses TRUNCATE (OM005)'),
	('fulfillment_lines', 'oms_guard', 'BEFORE INSERT OR DELETE OR UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.guard('fulfillment_line')$$,
		'Refuses changes by hand (OM005, OM006)'),
	('fulfillment_lines', 'oms_truncate', 'BEFORE TRUNCATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('keep')$$,
		'Refuses TRUNCATE (OM006)')
$layout$;
COMMENT ON FUNCTION oms.layout_fulfillments_triggers() IS 'The triggers of fulfillments; see oms.layout_triggers';
