-- Making and checking stores.

CREATE FUNCTION oms.require_no_extension_script() RETURNS void
LANGUAGE C
AS 'MODULE_PATHNAME', 'oms_require_no_extension_script';
COMMENT ON FUNCTION oms.require_no_extension_script() IS 'Raises 55000 while an extension''s script runs, since what it creates would belong to the extension';

CREATE FUNCTION oms.create_store(store text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
	PERFORM oms.require_no_extension_script();
	IF store IS NULL OR store = '' THEN
		RAISE EXCEPTION 'a store needs a name' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF octet_length(store) > 63 THEN
		RAISE EXCEPTION 'the name of a store has at most 63 bytes' USING ERRCODE = 'name_too_long';
	END IF;
	EXECUTE format('CREATE SCHEMA %I', store);
	EXECUTE format('COMMENT ON SCHEMA %I IS %L', store, 'A store of oms: orders, stock and all that belongs to them');
	-- local to this function by its SET clause
	PERFORM set_config('search_path', format('%I, pg_temp', store), true);
	PERFORM oms.layout_reference();
	PERFORM oms.layout_stock();
	PERFORM oms.layout_stock_holds();
	PERFORM oms.layout_channel_rules();
	PERFORM oms.layout_sourcing();
	PERFORM oms.layout_backorders();
	PERFORM oms.layout_inbound();
	PERFORM oms.layout_feeds();
	PERFORM oms.layout_orders();
	PERFORM oms.layout_fulfillments();
	PERFORM oms.layout_packages();
	PERFORM oms.layout_payments();
	PERFORM oms.layout_bundles();
	PERFORM oms.layout_repair_log();
	PERFORM oms.layout_views();
	PERFORM oms.layout_backorders_views();
	PERFORM oms.layout_fulfillment_views();
	PERFORM oms.layout_repair(store);
	PERFORM oms.layout_defaults();
	RAISE NOTICE 'store % is ready', quote_ident(store) USING
		DETAIL = format('It has %s workflows and %s methods. Insert channels, locations and skus next.',
			(SELECT count(*) FROM workflows), (SELECT count(*) FROM methods));
END
$function$;
COMMENT ON FUNCTION oms.create_store(text) IS 'Creates a store: a schema of that name with tables, views, triggers, functions and default rows, all owned by the caller. Needs CREATE on the database. Errors: 42P06 where the schema exists, 55000 inside an extension script';
