-- What is on its way here: purchase orders, shipping notices, transfers.
-- inbound.c judges the rows and moves units by them, receiving.c counts the
-- movements that name one.

CREATE FUNCTION oms.layout_inbound() RETURNS void
LANGUAGE plpgsql
AS $layout$
BEGIN
	CREATE TABLE inbound (
		id uuid PRIMARY KEY,
		ref text COLLATE "C" CHECK (length(ref) BETWEEN 1 AND 200),
		sku text COLLATE "C" NOT NULL REFERENCES skus,
		location text COLLATE "C" NOT NULL REFERENCES locations,
		from_location text COLLATE "C" REFERENCES locations,
		quantity bigint NOT NULL CHECK (quantity BETWEEN 1 AND 1000000000000),
		missing bigint NOT NULL DEFAULT 0,
		expected_at timestamptz CHECK (isfinite(expected_at)),
		status text COLLATE "C" NOT NULL DEFAULT 'expected' CHECK (status IN ('expected', 'in_transit', 'received', 'canceled')),
		reason text,
		sent bigint NOT NULL DEFAULT 0,
		received bigint NOT NULL DEFAULT 0,
		returned bigint NOT NULL DEFAULT 0,
		created_at timestamptz NOT NULL DEFAULT clock_timestamp() CHECK (isfinite(created_at)),
		sent_at timestamptz,
		closed_at timestamptz,
		outstanding bigint GENERATED ALWAYS AS (CASE WHEN closed_at IS NULL THEN greatest(0,
			CASE sent WHEN 0 THEN quantity ELSE sent END - received - returned - missing) ELSE 0 END) STORED,
		attributes jsonb NOT NULL DEFAULT '{}',
		revision bigint NOT NULL DEFAULT 0,
		CHECK (from_location <> location),
		CHECK (missing BETWEEN 0 AND quantity),
		CHECK (least(sent, received, returned) >= 0 AND returned <= sent),
		CHECK (from_location IS NOT NULL OR sent_at IS NULL AND sent = 0),
		CONSTRAINT inbound_missing_is_at_most_sent CHECK (from_location IS NULL OR missing <= sent)
	) WITH (fillfactor = 80);
	CREATE UNIQUE INDEX inbound_replay ON inbound (ref, sku, location, from_location) NULLS NOT DISTINCT WHERE ref IS NOT NULL;
	-- what is open of a SKU, however long its history is
	CREATE INDEX ON inbound (sku, closed_at);
	CREATE INDEX ON inbound (location);
	CREATE INDEX ON inbound (from_location) WHERE from_location IS NOT NULL;
	COMMENT ON TABLE inbound IS 'Units that are on their way to a location, a row each SKU: of purchase orders, of shipping notices, and, with from_location, of transfers between locations. Set status when they are sent, have come, or will not come';
	COMMENT ON COLUMN inbound.id IS 'Key, oms.uuid7() unless the INSERT gives one; fixed (OM006). A movement that belongs to the row has it as entity_id, with entity inbound';
	COMMENT ON COLUMN inbound.ref IS 'What people call the delivery: a purchase order''s number, a shipping notice''s, a truck; fixed (OM006). A row with the same one, sku, location and from_location as an earlier row is left out, and is OM007 if its quantity differs';
	COMMENT ON COLUMN inbound.sku IS 'What is coming; fixed (OM006)';
	COMMENT ON COLUMN inbound.location IS 'Where it is to arrive; fixed (OM006)';
	COMMENT ON COLUMN inbound.from_location IS 'A transfer: where it leaves stock; NULL: it comes from outside; fixed (OM006)';
	COMMENT ON COLUMN inbound.quantity IS 'Units that are to come, in the SKU''s smallest unit; more or less may arrive. People may change it until the row is closed';
	COMMENT ON COLUMN inbound.missing IS 'Units that will not come any more though the rest does: not delivered, or of a transfer lost on the way, and so written off, at most those that have left (23514). People write it until the row is closed; when nothing is outstanding any more, that closes it';
	COMMENT ON COLUMN inbound.expected_at IS 'By when it will be there; NULL: nobody knows, and nothing is promised from it. Past: late, and nothing is promised from it until it has another date';
	COMMENT ON COLUMN inbound.status IS 'expected; in_transit: it has left where it comes from, of a transfer by this taken off stock there; received: all that comes has come, by this put into stock; canceled: no more comes, and what a transfer has sent is put back where it came from. The last two are final';
	COMMENT ON COLUMN inbound.reason IS 'Why it is late, short or canceled, in words for people';
	COMMENT ON COLUMN inbound.sent IS 'Units of a transfer that have left from_location: the sum of its movements of kind transfer_out; kept by the engine';
	COMMENT ON COLUMN inbound.received IS 'Units that have arrived at location: the sum of its movements there of kinds receipt, transfer_in and adjustment; may exceed quantity; kept by the engine';
	COMMENT ON COLUMN inbound.returned IS 'Units of sent that are back at from_location: the sum of its movements there of kind transfer_in; kept by the engine';
	COMMENT ON COLUMN inbound.created_at IS 'When the row was inserted, unless the INSERT says';
	COMMENT ON COLUMN inbound.sent_at IS 'When the first units of a transfer left; NULL: not yet, or no transfer; kept by the engine';
	COMMENT ON COLUMN inbound.closed_at IS 'When it became received or canceled; NULL: open; kept by the engine';
	COMMENT ON COLUMN inbound.outstanding IS 'Units that are still to come: quantity, or of a transfer that has left, sent, without received, returned and missing; 0 once closed';
	COMMENT ON COLUMN inbound.attributes IS 'Whatever else people want to note, a JSON object; the engine does not read it';
	COMMENT ON COLUMN inbound.revision IS 'How often the engine has written the row; a change by hand must leave it as it is (OM005)';

	CREATE VIEW in_transit WITH (security_invoker = true) AS
	SELECT i.id::text AS inbound_id, i.ref, i.sku, i.from_location, i.location, i.sent, i.received, i.returned, i.missing,
		i.outstanding AS in_transit, i.sent_at, i.expected_at
	FROM inbound i
	WHERE i.closed_at IS NULL AND i.sent_at IS NOT NULL;
	COMMENT ON VIEW in_transit IS 'One row a transfer''s SKU that has left one location and is not wholly at the other; basis: units, now';
	COMMENT ON COLUMN in_transit.inbound_id IS 'inbound.id';
	COMMENT ON COLUMN in_transit.ref IS 'What people call the transfer';
	COMMENT ON COLUMN in_transit.sku IS 'Code of what is on the way';
	COMMENT ON COLUMN in_transit.from_location IS 'Code of where it left';
	COMMENT ON COLUMN in_transit.location IS 'Code of where it is to arrive';
	COMMENT ON COLUMN in_transit.sent IS 'Units that have left';
	COMMENT ON COLUMN in_transit.received IS 'Units that have arrived';
	COMMENT ON COLUMN in_transit.returned IS 'Units of sent that are back where they came from';
	COMMENT ON COLUMN in_transit.missing IS 'Units of sent that have been written off';
	COMMENT ON COLUMN in_transit.in_transit IS 'Units that are in no location now: sent - received - returned - missing; on hand nowhere';
	COMMENT ON COLUMN in_transit.sent_at IS 'When the first of them left';
	COMMENT ON COLUMN in_transit.expected_at IS 'By when they will be there; NULL: nobody knows';
END
$layout$;
COMMENT ON FUNCTION oms.layout_inbound() IS 'Creates inbound in the first schema of search_path; called by oms.create_store';

CREATE FUNCTION oms.layout_inbound_triggers(OUT relation text, OUT name text, OUT fires text, OUT does text, OUT comment text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE
AS $layout$
VALUES
	('inbound', 'oms_guard', 'BEFORE INSERT OR DELETE OR UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.guard('inbound')$$,
		'Leaves out replays (OM007); refuses engine and fixed columns (OM005, OM006), moves that are none (OM001), and removing a row'),
	('inbound', 'oms_recheck', 'AFTER INSERT OR UPDATE', $$FOR EACH ROW EXECUTE FUNCTION oms.recheck('inbound')$$,
		'Judges the row again as later triggers left it (OM001, OM005, OM006)'),
	('inbound', 'oms_act_insert', 'AFTER INSERT', $$REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION oms.act('inbound')$$,
		'Moves the units that rows say have been sent, received or canceled (OM003)'),
	('inbound', 'oms_act_update', 'AFTER UPDATE', $$REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION oms.act('inbound')$$,
		'Moves the units that rows say have been sent, received or canceled (OM003)'),
	('inbound', 'oms_truncate', 'BEFORE TRUNCATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('keep')$$,
		'Refuses TRUNCATE (OM006)')
$layout$;
COMMENT ON FUNCTION oms.layout_inbound_triggers() IS 'The triggers of what is on its way; see oms.layout_triggers';

CREATE FUNCTION oms.receive_inbound(store text, inbound_id uuid, quantity bigint DEFAULT NULL, ref text DEFAULT NULL)
RETURNS bigint
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_receive_inbound';
COMMENT ON FUNCTION oms.receive_inbound(text, uuid, bigint, text) IS 'Puts units that have come in of one row of inbound into stock and returns how many; quantity NULL means all that are outstanding. With ref, which becomes the movement''s external_ref, the same call again does nothing and returns 0. Needs INSERT on stock_movements and UPDATE on inbound. Errors: OM012 no such row; OM007 ref was used for another receipt; OM002 it is canceled, or a transfer that has not left; OM003 a location that keeps its own books; 22023 a quantity below 1; OM010 no such store';
