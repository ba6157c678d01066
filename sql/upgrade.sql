-- What of a store depends on the extension or on the store's own name, and so
-- can get lost while its rows stay: made by oms.create_store and made again by
-- oms.upgrade_store through one list of statements, oms.layout_repairs.
-- upgrade.c lets the owner in.

CREATE FUNCTION oms.layout_triggers(OUT relation text, OUT name text, OUT fires text, OUT does text, OUT comment text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE
AS $layout$
SELECT * FROM oms.layout_reference_triggers()
UNION ALL SELECT * FROM oms.layout_stock_triggers()
UNION ALL SELECT * FROM oms.layout_feeds_triggers()
UNION ALL SELECT * FROM oms.layout_stock_holds_triggers()
UNION ALL SELECT * FROM oms.layout_backorders_triggers()
UNION ALL SELECT * FROM oms.layout_channel_rules_triggers()
UNION ALL SELECT * FROM oms.layout_sourcing_triggers()
UNION ALL SELECT * FROM oms.layout_inbound_triggers()
UNION ALL SELECT * FROM oms.layout_orders_triggers()
UNION ALL SELECT * FROM oms.layout_fulfillments_triggers()
UNION ALL SELECT * FROM oms.layout_packages_triggers()
UNION ALL SELECT * FROM oms.layout_payments_triggers()
UNION ALL SELECT * FROM oms.layout_repair_log_triggers()
UNION ALL SELECT * FROM oms.layout_bundles_triggers()
$layout$;
COMMENT ON FUNCTION oms.layout_triggers() IS 'A store''s triggers: CREATE TRIGGER name fires ON relation does. Those called oms_invalidate are enabled always';

CREATE FUNCTION oms.layout_column_defaults(OUT relation text, OUT attribute text, OUT expression text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE
AS $layout$
VALUES
	('customers', 'id', 'oms.uuid7()'),
	('addresses', 'id', 'oms.uuid7()'),
	('backorder_policies', 'id', 'oms.uuid7()'),
	('orders', 'id', 'oms.uuid7()'),
	('order_lines', 'id', 'oms.uuid7()'),
	('order_charges', 'id', 'oms.uuid7()'),
	('order_holds', 'id', 'oms.uuid7()'),
	('order_holds', 'placed_by', 'oms.actor()'),
	('payments', 'id', 'oms.uuid7()'),
	('stock_movements', 'actor', 'oms.actor()'),
	('stock_holds', 'id', 'oms.uuid7()'),
	('channel_stock_rules', 'id', 'oms.uuid7()'),
	('shipping_rates', 'id', 'oms.uuid7()'),
	('sourcing_rules', 'id', 'oms.uuid7()'),
	('sourcing_policies', 'id', 'oms.uuid7()'),
	('inbound', 'id', 'oms.uuid7()'),
	('fulfillments', 'id', 'oms.uuid7()'),
	('fulfillment_lines', 'id', 'oms.uuid7()'),
	('packages', 'id', 'oms.uuid7()')
$layout$;
COMMENT ON FUNCTION oms.layout_column_defaults() IS 'The defaults of a store''s columns that call functions of the extension';

-- A trigger's definition as written here and as PostgreSQL spells it differ in
-- case, spaces and parentheses.
CREATE FUNCTION oms.layout_plain(definition text) RETURNS text
LANGUAGE sql IMMUTABLE
AS $layout$
SELECT pg_catalog.translate(pg_catalog.lower(definition), E'() \t\r\n', '')
$layout$;
COMMENT ON FUNCTION oms.layout_plain(text) IS 'A definition without case, spaces and parentheses, to compare';

CREATE FUNCTION oms.layout_repairs(store text, OUT kind text, OUT object text, OUT statement text)
RETURNS SETOF record
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $layout$
WITH schema AS (
	SELECT n.oid FROM pg_namespace n WHERE n.nspname = store
), relations AS (
	SELECT c.oid, c.relname::text AS relation FROM pg_class c JOIN schema ON c.relnamespace = schema.oid
)
SELECT 'column', 'workflows.compiled',
	format('ALTER TABLE %1$I.workflows ADD COLUMN compiled oms.workflow GENERATED ALWAYS AS (definition::oms.workflow) STORED;'
		' COMMENT ON COLUMN %1$I.workflows.compiled IS %2$L', store,
		'The same as a value, computed from definition: for oms.moves, oms.to_mermaid and the like')
WHERE NOT EXISTS (
	SELECT FROM pg_attribute a JOIN relations r ON r.oid = a.attrelid
	WHERE r.relation = 'workflows' AND a.attname = 'compiled' AND a.attgenerated = 's' AND NOT a.attisdropped)
UNION ALL
-- a default of the owner's own stays
SELECT 'default', d.relation || '.' || d.attribute,
	format('ALTER TABLE %I.%I ALTER COLUMN %I SET DEFAULT %s', store, d.relation, d.attribute, d.expression)
FROM oms.layout_column_defaults() d
WHERE NOT EXISTS (
	SELECT FROM pg_attribute a JOIN relations r ON r.oid = a.attrelid
	WHERE r.relation = d.relation AND a.attname = d.attribute AND a.atthasdef)
UNION ALL
SELECT 'trigger', w.name || ' on ' || w.relation, repair.statement
FROM oms.layout_triggers() w
	CROSS JOIN LATERAL (SELECT
		format('CREATE TRIGGER %I %s ON %I.%I %s', w.name, w.fires, store, w.relation, w.does) AS definition,
		CASE w.name WHEN 'oms_invalidate' THEN 'A' ELSE 'O' END AS enabled) wanted
	LEFT JOIN (pg_trigger t JOIN relations r ON r.oid = t.tgrelid)
		ON r.relation = w.relation AND t.tgname = w.name AND NOT t.tgisinternal
	-- OFFSET: told once, not at each of the places below
	CROSS JOIN LATERAL (SELECT
		t.oid IS NOT NULL AND oms.layout_plain(pg_get_triggerdef(t.oid)) = oms.layout_plain(wanted.definition) AS is_there OFFSET 0) found
	CROSS JOIN LATERAL (SELECT concat_ws('; ',
		CASE WHEN NOT found.is_there THEN 'CREATE OR REPLACE' || substr(wanted.definition, length('CREATE ')) END,
		CASE WHEN t.tgenabled::text <> wanted.enabled OR NOT found.is_there AND wanted.enabled <> 'O'
			THEN format('ALTER TABLE %I.%I ENABLE %sTRIGGER %I', store, w.relation,
				CASE wanted.enabled WHEN 'A' THEN 'ALWAYS ' ELSE '' END, w.name) END,
		CASE WHEN NOT found.is_there OR obj_description(t.oid, 'pg_trigger') IS NULL
			THEN format('COMMENT ON TRIGGER %I ON %I.%I IS %L', w.name, store, w.relation, w.comment) END) AS statement OFFSET 0) repair
WHERE repair.statement <> ''
UNION ALL
SELECT 'function', w.signature, repair.statement
FROM oms.layout_wrappers(store) w
	LEFT JOIN pg_proc p ON p.oid = to_regprocedure(format('%I.%s', store, w.signature))
	CROSS JOIN LATERAL (SELECT concat_ws('; ',
		CASE WHEN p.prosrc IS DISTINCT FROM w.body
			THEN format('CREATE OR REPLACE FUNCTION %I.%s LANGUAGE sql VOLATILE AS %L', store, w.head, w.body) END,
		CASE WHEN p.oid IS NULL OR obj_description(p.oid, 'pg_proc') IS NULL
			THEN format('COMMENT ON FUNCTION %I.%s IS %L', store, w.signature, w.comment) END) AS statement) repair
WHERE repair.statement <> ''
UNION ALL
-- of those views some call functions of the extension; who reads the log reads them
SELECT 'view', v.name, concat(v.statement, readers.grants)
FROM (SELECT * FROM oms.layout_process_views(store) UNION ALL SELECT * FROM oms.layout_availability_views(store)) v
	CROSS JOIN LATERAL (
		SELECT string_agg(format('; GRANT SELECT ON %I.%I TO %s', store, v.name,
			CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END), '') AS grants
		FROM relations r JOIN pg_class c ON c.oid = r.oid CROSS JOIN LATERAL aclexplode(c.relacl) a
		WHERE r.relation = 'order_timeline' AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner) readers
WHERE NOT EXISTS (SELECT FROM relations r WHERE r.relation = v.name)
ORDER BY 1, 2
$layout$;
COMMENT ON FUNCTION oms.layout_repairs(text) IS 'What a store lacks of what it was made with, and the statements that make it again: column compiled, defaults, triggers and whether they are enabled, functions, and the comments on them, views that call functions of the extension';

CREATE FUNCTION oms.layout_repair(store text) RETURNS SETOF text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
	repair record;
	workflow record;
BEGIN
	FOR repair IN SELECT r.kind, r.object, r.statement FROM oms.layout_repairs(store) r LOOP
		IF repair.kind = 'column' THEN
			-- people may have written anything while nothing read it
			FOR workflow IN EXECUTE format('SELECT w.name, w.definition FROM %I.workflows w ORDER BY w.name', store) LOOP
				BEGIN
					PERFORM workflow.definition::oms.workflow;
				EXCEPTION WHEN OTHERS THEN
					RAISE EXCEPTION 'workflow "%" of store "%" cannot be read: %', workflow.name, store, SQLERRM
						USING ERRCODE = SQLSTATE, HINT = 'UPDATE its definition, then run oms.upgrade_store again.';
				END;
			END LOOP;
		END IF;
		EXECUTE repair.statement;
		RETURN NEXT repair.kind || ' ' || repair.object;
	END LOOP;
END
$function$;
COMMENT ON FUNCTION oms.layout_repair(text) IS 'Makes what oms.layout_repairs says is lacking and returns its names; called by oms.create_store and oms.upgrade_store';

CREATE FUNCTION oms.layout_version() RETURNS integer
LANGUAGE C IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'oms_layout_version';
COMMENT ON FUNCTION oms.layout_version() IS 'The layout of stores that this version of oms works on';

-- Layout N - 1 becomes N by oms.layout_step_N(), which finds the store first in
-- search_path. There is none before the first release.
CREATE FUNCTION oms.layout_upgrade(store text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
	newest CONSTANT integer := oms.layout_version();
	version integer;
	missing text;
	done text[];
BEGIN
	PERFORM oms.require_no_extension_script();
	-- one at a time
	EXECUTE format('LOCK TABLE %I.settings IN SHARE UPDATE EXCLUSIVE MODE', store);
	EXECUTE format('SELECT s.layout_version FROM %I.settings s', store) INTO version;
	IF version IS NULL THEN
		-- the oldest: a step that the store has seen already fails on what it
		-- finds, whereas one left out would go unnoticed
		EXECUTE format('INSERT INTO %I.settings (layout_version) VALUES (1)', store);
		version := 1;
		done := array_append(done, 'row of settings');
	ELSIF version > newest THEN
		RAISE EXCEPTION 'store "%" has layout %, but this version of oms works on layout %', store, version, newest
			USING ERRCODE = 'OM008', HINT = 'Install the version of oms that the store was upgraded by, then run ALTER EXTENSION oms UPDATE.';
	END IF;

	-- local to this function by its SET clause
	PERFORM set_config('search_path', format('%I, pg_temp', store), true);
	WHILE version < newest LOOP
		version := version + 1;
		IF to_regprocedure(format('oms.%I()', 'layout_step_' || version)) IS NULL THEN
			RAISE EXCEPTION 'there is no way from layout % to % of store "%"', version - 1, version, store
				USING ERRCODE = 'OM008', HINT = 'Run ALTER EXTENSION oms UPDATE first.';
		END IF;
		EXECUTE format('SELECT oms.%I()', 'layout_step_' || version);
		EXECUTE format('UPDATE %I.settings SET layout_version = %s', store, version);
		done := array_append(done, 'layout ' || version);
	END LOOP;
	PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);

	SELECT min(t.relation) INTO missing FROM oms.layout_triggers() t
	WHERE to_regclass(format('%I.%I', store, t.relation)) IS NULL;
	IF missing IS NOT NULL THEN
		RAISE EXCEPTION 'store "%" has no table "%"', store, missing
			USING ERRCODE = 'OM008', HINT = 'Rows are not made again; restore the table from a dump.';
	END IF;

	done := done || ARRAY(SELECT r FROM oms.layout_repair(store) r);
	IF done IS NULL OR done = '{}' THEN
		RAISE NOTICE 'store % is whole', quote_ident(store);
	ELSE
		RAISE NOTICE 'store % is whole again', quote_ident(store) USING DETAIL = 'It lacked: ' || array_to_string(done, ', ') || '.',
			HINT = format('Rows may have changed unguarded meanwhile; see SELECT * FROM oms.verify_store(%L).', store);
	END IF;
END
$function$;
COMMENT ON FUNCTION oms.layout_upgrade(text) IS 'The work of oms.upgrade_store, which calls it as the store''s owner';

CREATE FUNCTION oms.upgrade_store(store text) RETURNS void
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_upgrade_store';
COMMENT ON FUNCTION oms.upgrade_store(text) IS 'Brings a store to this version''s layout and makes again what it lacks: triggers (also disabled ones), the functions in it, defaults of ids and actors, workflows.compiled, views that call functions of the extension, the row of settings. Rows and what users added stay. Needs to own the store. Errors: OM010 no such store; OM008 a store of a newer version; 42501 not the owner; 55000 inside an extension script; 22P02, 54000 a workflow that cannot be read';
