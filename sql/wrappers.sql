-- One-line functions in the store itself, for whoever has it in search_path or
-- sees one schema only.

CREATE FUNCTION oms.layout_wrappers(store text) RETURNS void
LANGUAGE plpgsql
AS $layout$
BEGIN
	EXECUTE format($sql$
		CREATE FUNCTION place_order(document jsonb, OUT order_id uuid, OUT number text, OUT status text,
			OUT total numeric, OUT short bigint, OUT backordered bigint, OUT repeated boolean)
		LANGUAGE sql VOLATILE AS %L$sql$,
		format('SELECT * FROM oms.place_order(%L, document)', store));
	COMMENT ON FUNCTION place_order(jsonb) IS 'oms.place_order on this store: places an order from a document';

	EXECUTE format($sql$
		CREATE FUNCTION cancel_lines(order_id uuid, lines jsonb DEFAULT NULL, reason text DEFAULT NULL) RETURNS bigint
		LANGUAGE sql VOLATILE AS %L$sql$,
		format('SELECT oms.cancel_lines(%L, order_id, lines, reason)', store));
	COMMENT ON FUNCTION cancel_lines(uuid, jsonb, text) IS 'oms.cancel_lines on this store: cancels units that have not shipped, returns how many';

	EXECUTE format($sql$
		CREATE FUNCTION split_fulfillment(fulfillment_id uuid, lines jsonb) RETURNS uuid
		LANGUAGE sql VOLATILE AS %L$sql$,
		format('SELECT oms.split_fulfillment(%L, fulfillment_id, lines)', store));
	COMMENT ON FUNCTION split_fulfillment(uuid, jsonb) IS 'oms.split_fulfillment on this store: divides units off a fulfillment, returns the new one''s id';

	EXECUTE format($sql$
		CREATE FUNCTION verify_store(OUT rule text, OUT violations bigint, OUT query text) RETURNS SETOF record
		LANGUAGE sql VOLATILE AS %L$sql$,
		format('SELECT * FROM oms.verify_store(%L)', store));
	COMMENT ON FUNCTION verify_store() IS 'oms.verify_store on this store: recounts everything, one row a rule';
END
$layout$;
COMMENT ON FUNCTION oms.layout_wrappers(text) IS 'Creates the store''s own functions in the first schema of search_path; called by oms.create_store';
