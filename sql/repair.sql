-- Mending counters, and the log of that. repair.c writes what verify.c's rules
-- say they must be.

CREATE FUNCTION oms.layout_repair_log() RETURNS void
LANGUAGE plpgsql
AS $layout$
BEGIN
	CREATE TABLE repairs (
		id bigserial PRIMARY KEY,
		at timestamptz NOT NULL DEFAULT clock_timestamp(),
		table_name text COLLATE "C" NOT NULL,
		key text NOT NULL,
		column_name text COLLATE "C" NOT NULL,
		was text,
		became text,
		actor text NOT NULL
	);
	COMMENT ON TABLE repairs IS 'What oms.repair_store has changed, one row a column of a row, append-only; written by the engine';
	COMMENT ON COLUMN repairs.id IS 'Key, ascending';
	COMMENT ON COLUMN repairs.at IS 'When it was mended, by the clock';
	COMMENT ON COLUMN repairs.table_name IS 'The table whose row was mended: stock, orders, order_lines, payments, fulfillments, backorder_policies, inbound, location_loads or bundle_components';
	COMMENT ON COLUMN repairs.key IS 'Which row: an order''s number, that and a line''s number, the id of a payment, policy or row of inbound, a fulfillment''s number, a SKU and its location, or the bundle that it is in';
	COMMENT ON COLUMN repairs.column_name IS 'Which column, one that the engine keeps';
	COMMENT ON COLUMN repairs.was IS 'What it held; NULL: nothing';
	COMMENT ON COLUMN repairs.became IS 'What it must be by its source, and holds since; NULL: nothing';
	COMMENT ON COLUMN repairs.actor IS 'Who called: setting oms.actor, else the user';
	COMMENT ON SEQUENCE repairs_id_seq IS 'Numbers the repairs';
END
$layout$;
COMMENT ON FUNCTION oms.layout_repair_log() IS 'Creates the log of repairs in the first schema of search_path; called by oms.create_store';

CREATE FUNCTION oms.layout_repair_log_triggers(OUT relation text, OUT name text, OUT fires text, OUT does text, OUT comment text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE
AS $layout$
VALUES
	('repairs', 'oms_guard', 'BEFORE INSERT OR DELETE OR UPDATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.guard('kept', 'Call oms.repair_store instead')$$,
		'Refuses repairs by hand and changes of the log (OM005)'),
	('repairs', 'oms_truncate', 'BEFORE TRUNCATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('log')$$,
		'Refuses TRUNCATE (OM005)')
$layout$;
COMMENT ON FUNCTION oms.layout_repair_log_triggers() IS 'The triggers of the log of repairs; see oms.layout_triggers';

CREATE FUNCTION oms.repair_store(store text, OUT table_name text, OUT key text, OUT column_name text, OUT was text, OUT became text)
RETURNS SETOF record
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_repair_store';
COMMENT ON FUNCTION oms.repair_store(text) IS 'Sets every counter and derived status to what follows from its source, by the rules of oms.verify_store, and returns what it changed, which table repairs keeps: on hand and unavailable by the ledger, reserved by fulfillments and stock holds, what is on its way by its movements, bundles'' components by their items, policies by lines, lines by fulfillments and the log, orders by lines, charges, holds and payments, payments by their transactions. Where less is on hand than is reserved, allocations give way. Then makes automatic moves that are open. No trigger fires for what it mends; writers wait until it commits. Needs to own the store. Errors: 42501 not the owner; 55000 another isolation level than READ COMMITTED; 55P03 writers do not let it in; OM008 a store that lacks something, see oms.upgrade_store; OM010 no such store';
