-- Packages: the parcels that fulfillments leave in, and what carriers tell of
-- them. packages.c judges the rows, carrier.c has packages follow the events and
-- carrier_moves.c fulfillments follow their packages, carrier_feed.c
-- takes in many at once.

CREATE FUNCTION oms.layout_packages() RETURNS void
LANGUAGE plpgsql
AS $layout$
BEGIN
	CREATE TABLE packages (
		id uuid PRIMARY KEY,
		fulfillment_id uuid NOT NULL REFERENCES fulfillments,
		carrier text COLLATE "C" CHECK (length(carrier) BETWEEN 1 AND 64),
		tracking_number text COLLATE "C" CHECK (length(tracking_number) BETWEEN 1 AND 200),
		weight_grams bigint CHECK (weight_grams > 0),
		status text COLLATE "C" NOT NULL DEFAULT 'packed' CHECK (status IN ('packed', 'in_transit', 'out_for_delivery', 'attempted',
			'exception', 'lost', 'returned', 'delivered')),
		created_at timestamptz NOT NULL DEFAULT clock_timestamp() CHECK (isfinite(created_at)),
		voided_at timestamptz CHECK (isfinite(voided_at)),
		shipped_at timestamptz,
		delivered_at timestamptz,
		last_event_at timestamptz,
		last_event_id bigint,
		attributes jsonb NOT NULL DEFAULT '{}',
		revision bigint NOT NULL DEFAULT 0,
		CHECK (tracking_number IS NULL OR carrier IS NOT NULL),
		CHECK (voided_at IS NULL OR status = 'packed')
	) WITH (fillfactor = 70);
	CREATE INDEX ON packages (fulfillment_id);
	CREATE INDEX packages_tracking ON packages (carrier, tracking_number);
	-- carriers use a number again once its parcel has arrived
	CREATE UNIQUE INDEX packages_under_way ON packages (carrier, tracking_number)
		WHERE tracking_number IS NOT NULL AND delivered_at IS NULL AND voided_at IS NULL;
	COMMENT ON TABLE packages IS 'Parcels that fulfillments leave in: people and packing stations insert them, carrier_events moves them';
	COMMENT ON COLUMN packages.id IS 'Key, oms.uuid7(); fixed (OM006)';
	COMMENT ON COLUMN packages.fulfillment_id IS 'Which fulfillment leaves in it; fixed (OM006), but that oms.merge_fulfillments takes packages along';
	COMMENT ON COLUMN packages.carrier IS 'Who transports it; people write it until it is delivered (OM006)';
	COMMENT ON COLUMN packages.tracking_number IS 'What the carrier calls it, once among the packages that are neither delivered nor voided; people write it until it is delivered (OM006)';
	COMMENT ON COLUMN packages.weight_grams IS 'What it weighs, in grams; people write it until it is delivered (OM006)';
	COMMENT ON COLUMN packages.status IS 'packed: no carrier has told of it; else the code of the event that is last by its at, of several of one time the furthest on; kept by the engine';
	COMMENT ON COLUMN packages.created_at IS 'When it was packed: the clock at the INSERT unless the INSERT says; fixed (OM006)';
	COMMENT ON COLUMN packages.voided_at IS 'When it was given up, its units being unpacked; people set it, once (OM006), and only while no carrier has told of it (OM002)';
	COMMENT ON COLUMN packages.shipped_at IS 'When the carrier first told of it: the least at of its events; kept by the engine';
	COMMENT ON COLUMN packages.delivered_at IS 'When it was first delivered: the least at of its events delivered; kept by the engine';
	COMMENT ON COLUMN packages.last_event_at IS 'At of the event that status is the code of; kept by the engine';
	COMMENT ON COLUMN packages.last_event_id IS 'Id of the event that status is the code of; kept by the engine';
	COMMENT ON COLUMN packages.attributes IS 'Whatever else people want to note, such as a label''s address, a JSON object; the engine does not read it';
	COMMENT ON COLUMN packages.revision IS 'How often the engine has written the row; a change by hand must leave it as it is (OM005)';

	CREATE TABLE package_lines (
		package_id uuid NOT NULL REFERENCES packages,
		order_line_id uuid NOT NULL REFERENCES order_lines,
		quantity bigint NOT NULL CHECK (quantity BETWEEN 1 AND 1000000000000),
		PRIMARY KEY (package_id, order_line_id)
	);
	CREATE INDEX ON package_lines (order_line_id);
	COMMENT ON TABLE package_lines IS 'What a package holds: units of its fulfillment''s lines, never more than the fulfillment has of them (OM002); people write it until a carrier has told of the package, or it is voided (OM002)';
	COMMENT ON COLUMN package_lines.package_id IS 'The package that the units are in';
	COMMENT ON COLUMN package_lines.order_line_id IS 'Which line they are of, one that the package''s fulfillment carries';
	COMMENT ON COLUMN package_lines.quantity IS 'Units of the line, more than 0';

	CREATE TABLE carrier_events (
		id bigserial PRIMARY KEY,
		at timestamptz NOT NULL CHECK (isfinite(at)),
		package_id uuid NOT NULL REFERENCES packages,
		carrier text COLLATE "C" NOT NULL CHECK (length(carrier) BETWEEN 1 AND 64),
		tracking_number text COLLATE "C" CHECK (length(tracking_number) BETWEEN 1 AND 200),
		code text COLLATE "C" NOT NULL CHECK (code IN ('in_transit', 'out_for_delivery', 'attempted', 'exception', 'lost', 'returned',
			'delivered')),
		external_ref text COLLATE "C" CHECK (length(external_ref) BETWEEN 1 AND 200),
		description text CHECK (length(description) <= 1000),
		status text COLLATE "C" CHECK (length(status) BETWEEN 1 AND 63),
		reason text COLLATE "C" REFERENCES reasons,
		recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
	);
	-- some carriers number the events of each parcel from 1
	CREATE UNIQUE INDEX carrier_events_replay ON carrier_events (carrier, external_ref, tracking_number) NULLS NOT DISTINCT
		WHERE external_ref IS NOT NULL;
	CREATE INDEX ON carrier_events (package_id, at, id);
	CREATE INDEX ON carrier_events (reason) WHERE reason IS NOT NULL;
	COMMENT ON TABLE carrier_events IS 'What carriers tell of packages: append-only, people and feeds insert it, in any order';
	COMMENT ON COLUMN carrier_events.id IS 'Key, ascending as rows are written; transactions may commit in another order';
	COMMENT ON COLUMN carrier_events.at IS 'When it happened, as the carrier says; packages follow the last by this time';
	COMMENT ON COLUMN carrier_events.package_id IS 'Which package it is about; an INSERT may leave it out: then carrier and tracking_number say, and one not known is OM012; one that is voided is OM002';
	COMMENT ON COLUMN carrier_events.carrier IS 'Who tells; an INSERT may leave it out: then it is the package''s';
	COMMENT ON COLUMN carrier_events.tracking_number IS 'What the carrier calls the package; an INSERT may leave it out: then it is the package''s; NULL: that had none';
	COMMENT ON COLUMN carrier_events.code IS 'in_transit, out_for_delivery, attempted (nobody was there), exception (something is wrong), lost, returned (it is back where it left), delivered';
	COMMENT ON COLUMN carrier_events.external_ref IS 'What the carrier calls the event, once a carrier and tracking number; oms.record_carrier_events leaves out one that is there already; NULL: it has no name';
	COMMENT ON COLUMN carrier_events.description IS 'What the carrier says of it, in words for people';
	COMMENT ON COLUMN carrier_events.status IS 'Status that the fulfillment is to move to when all its packages say this code; NULL: delivered and returned do what the workflow does then, others nothing';
	COMMENT ON COLUMN carrier_events.reason IS 'Why, a status_reason of that move, whose stock_effect it obeys';
	COMMENT ON COLUMN carrier_events.recorded_at IS 'When it came in, by the clock';
	COMMENT ON SEQUENCE carrier_events_id_seq IS 'Numbers the events';
END
$layout$;
COMMENT ON FUNCTION oms.layout_packages() IS 'Creates packages in the first schema of search_path; called by oms.create_store';

CREATE FUNCTION oms.layout_packages_triggers(OUT relation text, OUT name text, OUT fires text, OUT does text, OUT comment text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE
AS $layout$
VALUES
	('packages', 'oms_guard', 'BEFORE INSERT OR DELETE OR UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.guard('package')$$,
		'Refuses engine and fixed columns (OM005, OM006), voiding what is on its way (OM002), and removing one'),
	('packages', 'oms_recheck', 'AFTER INSERT OR UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.recheck('package')$$,
		'Judges the row again as later triggers left it (OM002, OM005, OM006)'),
	('packages', 'oms_act_update', 'AFTER UPDATE', $$REFERENCING OLD TABLE AS o NEW TABLE AS n
			FOR EACH STATEMENT EXECUTE FUNCTION oms.act('package')$$,
		'Unpacks the units of packages that were voided'),
	('packages', 'oms_truncate', 'BEFORE TRUNCATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('keep')$$,
		'Refuses TRUNCATE (OM006)'),
	('package_lines', 'oms_act_insert', 'AFTER INSERT', $$REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION oms.act('package_line')$$,
		'Counts a statement''s units as packed, no more than fulfillments have (OM002)'),
	('package_lines', 'oms_act_update', 'AFTER UPDATE', $$REFERENCING OLD TABLE AS o NEW TABLE AS n
			FOR EACH STATEMENT EXECUTE FUNCTION oms.act('package_line')$$,
		'Counts what a statement has packed otherwise (OM002)'),
	('package_lines', 'oms_act_delete', 'AFTER DELETE', $$REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION oms.act('package_line')$$,
		'Counts a statement''s units as unpacked, while their package is here (OM002)'),
	('package_lines', 'oms_truncate', 'BEFORE TRUNCATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('keep')$$,
		'Refuses TRUNCATE (OM006)'),
	('carrier_events', 'oms_guard', 'BEFORE INSERT', $$FOR EACH ROW EXECUTE FUNCTION oms.guard('carrier_event')$$,
		'Finds the package by its tracking number (OM012)'),
	('carrier_events', 'oms_act', 'AFTER INSERT', $$REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION oms.act('carrier_event')$$,
		'Has packages, and where all of one say so fulfillments, follow a statement''s events'),
	('carrier_events', 'oms_log', 'BEFORE DELETE OR UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.refuse('log')$$,
		'Refuses to change or remove events (OM005)'),
	('carrier_events', 'oms_truncate', 'BEFORE TRUNCATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('log')$$,
		'Refuses TRUNCATE (OM005)')
$layout$;
COMMENT ON FUNCTION oms.layout_packages_triggers() IS 'The triggers of packages and their events; see oms.layout_triggers';

CREATE FUNCTION oms.record_carrier_events(store text, feed jsonb, OUT recorded bigint, OUT repeated bigint, OUT unknown bigint,
	OUT moved bigint, OUT unknown_items jsonb, OUT unmoved_items jsonb)
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_record_carrier_events';
COMMENT ON FUNCTION oms.record_carrier_events(text, jsonb) IS 'Records what a carrier tells of many packages: {"carrier": code, "events": [{"tracking_number", "code", "at", "external_ref", "description", "status", "reason"}]}, inserted into carrier_events as the caller. recorded events are new; repeated ones were there, and have no effect but that their fulfillments are tried again; unknown ones name a tracking number of no package and are not kept: unknown_items are they, as events to send again. moved counts the fulfillments that moved; unmoved_items are those that could not, and why. Needs INSERT on carrier_events. Errors: OM012 a fault in the feed; OM010 no such store';
