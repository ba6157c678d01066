-- What the catalog says: comments, indexes on foreign keys, how functions are
-- marked, who owns what.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();
SELECT oms.create_store('shop');

-- ---- every object has a comment

SELECT is((SELECT string_agg(p.oid::regprocedure::text, E'\n' ORDER BY p.oid::regprocedure::text) FROM pg_proc p WHERE pronamespace IN ('oms'::regnamespace, 'shop'::regnamespace) AND obj_description(p.oid, 'pg_proc') IS NULL), NULL, 'functions');
SELECT is((SELECT string_agg(t.oid::regtype::text, E'\n') FROM pg_type t WHERE typnamespace = 'oms'::regnamespace AND typelem = 0 AND obj_description(t.oid, 'pg_type') IS NULL), NULL, 'types');
SELECT is((SELECT string_agg(c.relkind::text || ' ' || c.oid::regclass, E'\n') FROM pg_class c WHERE relnamespace IN ('oms'::regnamespace, 'shop'::regnamespace) AND relkind IN ('r', 'v', 'S', 'm', 'p')
	AND obj_description(c.oid, 'pg_class') IS NULL), NULL, 'tables, views and sequences');
SELECT is((SELECT string_agg(c.relname || ': ' || n, E'\n' ORDER BY c.relname) FROM pg_class c, LATERAL (SELECT string_agg(attname, ' ' ORDER BY attnum) AS n FROM pg_attribute a WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
	AND col_description(c.oid, attnum) IS NULL) AS x WHERE relnamespace IN ('oms'::regnamespace, 'shop'::regnamespace) AND relkind IN ('r', 'v', 'c') AND n IS NOT NULL), NULL, 'columns of tables, views and types');
SELECT is((SELECT string_agg(oprname || ' ' || oprleft::regtype || ' ' || oprright::regtype, E'\n') FROM pg_operator o WHERE oprnamespace = 'oms'::regnamespace AND obj_description(o.oid, 'pg_operator') IS NULL), NULL, 'operators');
SELECT is((SELECT string_agg(opcname, ' ') FROM pg_opclass o WHERE opcnamespace = 'oms'::regnamespace AND obj_description(o.oid, 'pg_opclass') IS NULL), NULL, 'operator classes');
SELECT is((SELECT string_agg(opfname, ' ') FROM pg_opfamily o WHERE opfnamespace = 'oms'::regnamespace AND obj_description(o.oid, 'pg_opfamily') IS NULL), NULL, 'operator families');
SELECT isnt(obj_description(n::regnamespace, 'pg_namespace'), NULL, 'schema ' || n) FROM unnest(ARRAY['oms', 'shop']) AS n;
SELECT isnt((SELECT obj_description(oid, 'pg_extension') FROM pg_extension WHERE extname = 'oms'), NULL, 'the extension');
SELECT is((SELECT string_agg(d.description, E'\n') FROM pg_description d JOIN pg_class c ON c.oid = d.objoid AND d.classoid = 'pg_class'::regclass WHERE c.relnamespace = 'shop'::regnamespace AND d.objsubid > 0
	AND lower(d.description) = lower(replace((SELECT attname FROM pg_attribute WHERE attrelid = c.oid AND attnum = d.objsubid), '_', ' '))), NULL, 'no comment only repeats a name');

-- ---- every foreign key is the beginning of an index

SELECT is((SELECT string_agg(conrelid::regclass || ' ' || conname, E'\n') FROM pg_constraint k WHERE contype = 'f' AND connamespace = 'shop'::regnamespace AND NOT EXISTS (
	SELECT FROM pg_index i WHERE i.indrelid = k.conrelid AND i.indisvalid
	AND (SELECT array_agg(x ORDER BY x) FROM unnest((i.indkey::int2[])[0:cardinality(k.conkey) - 1]) AS x) = (SELECT array_agg(x ORDER BY x) FROM unnest(k.conkey) AS x)
	AND (i.indpred IS NULL OR cardinality(k.conkey) = 1 AND pg_get_expr(i.indpred, i.indrelid) = format('(%I IS NOT NULL)', (SELECT attname FROM pg_attribute WHERE attrelid = k.conrelid AND attnum = k.conkey[1]))))), NULL,
	'foreign keys without an index');
SELECT is((SELECT string_agg(conrelid::regclass || ' ' || conname, ' ') FROM pg_constraint WHERE contype = 'f' AND connamespace = 'shop'::regnamespace AND confupdtype <> 'a'), NULL, 'no ON UPDATE CASCADE');
SELECT is((SELECT string_agg(conrelid::regclass || ' ' || conname, ' ') FROM pg_constraint WHERE connamespace = 'shop'::regnamespace AND NOT convalidated), NULL, 'all constraints are validated');

-- ---- how functions are marked

SELECT is((SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p WHERE pronamespace IN ('oms'::regnamespace, 'shop'::regnamespace) AND prosecdef), NULL, 'no SECURITY DEFINER');
SELECT is((SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p WHERE pronamespace = 'oms'::regnamespace AND prolang = (SELECT oid FROM pg_language WHERE lanname = 'c') AND prorettype = 'trigger'::regtype
	AND (provolatile <> 'v' OR pronargs > 0)), NULL, 'trigger functions are volatile and take nothing');
SELECT is((SELECT string_agg(p.proname || ' ' || provolatile::text || proparallel::text || CASE WHEN proisstrict THEN 's' ELSE '-' END, ', ' ORDER BY p.proname, p.oid) FROM pg_proc p WHERE pronamespace = 'oms'::regnamespace
	AND proname IN ('states', 'moves', 'allows', 'next_states', 'to_mermaid', 'to_dot', 'uuid7', 'uuid7_at', 'actor', 'place_order', 'cancel_lines', 'split_fulfillment', 'change_delivery', 'merge_fulfillments', 'short_pick', 'record_carrier_events', 'lint', 'replace_workflow', 'verify_store', 'create_store', 'grant_store', 'events_after', 'upgrade_store', 'begin_import', 'next_moves', 'plan_order', 'plan_wave', 'wave_progress', 'explain_plan', 'quote', 'tick', 'set_stock', 'repair_store', 'receive_inbound', 'availability', 'available_to_promise', 'explain_source', 'hold_stock', 'extend_hold', 'release_hold', 'solve_split')),
	'actor sr-, allows iss, availability vu-, available_to_promise vu-, begin_import vu-, cancel_lines vu-, change_delivery vu-, create_store vu-, events_after vu-, explain_plan vu-, explain_source vu-, extend_hold vu-, grant_store vu-, hold_stock vu-, lint is-, merge_fulfillments vu-, moves iss, next_moves vu-, next_states iss, place_order vu-, plan_order vu-, plan_wave vu-, quote vu-, receive_inbound vu-, record_carrier_events vu-, release_hold vu-, repair_store vu-, replace_workflow vu-, set_stock vu-, short_pick vu-, solve_split is-, split_fulfillment vu-, states iss, tick vu-, to_dot iss, to_mermaid iss, to_mermaid vu-, upgrade_store vu-, uuid7 vss, uuid7_at iss, verify_store vu-, wave_progress vu-',
	'volatility, parallel safety and strictness of what people call');
SELECT is((SELECT string_agg(DISTINCT p.proname || ' ' || provolatile::text || proparallel::text || CASE WHEN proisstrict THEN 's' ELSE '-' END, ', ' ORDER BY p.proname || ' ' || provolatile::text || proparallel::text || CASE WHEN proisstrict THEN 's' ELSE '-' END)
	FROM pg_proc p WHERE pronamespace = 'oms'::regnamespace AND prorettype <> 'trigger'::regtype AND proname NOT LIKE 'layout\_%' AND proname NOT LIKE 'workflow\_%' AND proname NOT IN ('states', 'moves', 'allows', 'next_states', 'to_mermaid', 'to_dot', 'uuid7', 'uuid7_at', 'actor',
	'place_order', 'cancel_lines', 'split_fulfillment', 'change_delivery', 'merge_fulfillments', 'short_pick', 'record_carrier_events', 'lint', 'replace_workflow', 'verify_store', 'create_store', 'grant_store', 'events_after', 'begin_import', 'next_moves', 'plan_order', 'plan_wave', 'wave_progress', 'explain_plan', 'quote', 'tick', 'set_stock', 'repair_store', 'receive_inbound', 'availability', 'available_to_promise', 'explain_source', 'hold_stock', 'extend_hold', 'release_hold', 'solve_split')), 'require_no_extension_script vu-, require_owner vu-, upgrade_store vu-', 'and of what the extension calls');
SELECT is((SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p WHERE pronamespace IN ('oms'::regnamespace, 'shop'::regnamespace) AND (prorettype = 'trigger'::regtype OR pronamespace = 'shop'::regnamespace)
	AND (provolatile <> 'v' OR proparallel <> 'u' OR proisstrict)), NULL, 'triggers and wrappers are volatile and not parallel safe');
SELECT is((SELECT string_agg(p.oid::regprocedure || ' ' || proconfig::text, ', ' ORDER BY p.oid::regprocedure::text) FROM pg_proc p WHERE pronamespace IN ('oms'::regnamespace, 'shop'::regnamespace) AND proconfig::text NOT LIKE '{"search\_path=pg\_catalog, %pg\_temp"}'), NULL,
	'a pinned search_path begins with pg_catalog and ends with pg_temp');
SELECT is((SELECT string_agg(DISTINCT l.lanname, ' ' ORDER BY l.lanname) FROM pg_proc p JOIN pg_language l ON l.oid = prolang WHERE pronamespace IN ('oms'::regnamespace, 'shop'::regnamespace)), 'c plpgsql sql', 'languages');
SELECT is((SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p JOIN pg_language l ON l.oid = prolang WHERE pronamespace = 'oms'::regnamespace AND lanname = 'c' AND prosrc NOT LIKE 'oms\_%'), NULL, 'C symbols are named oms_');
SELECT is((SELECT string_agg(c.relname, ' ') FROM pg_class c WHERE relnamespace = 'shop'::regnamespace AND relkind = 'v' AND NOT 'security_invoker=true' = ANY (coalesce(reloptions, '{}'))), NULL, 'views are security_invoker');
SELECT is((SELECT string_agg(c.relname, ' ') FROM pg_class c WHERE relnamespace IN ('oms'::regnamespace, 'shop'::regnamespace) AND relacl IS NOT NULL), NULL, 'a new store''s tables are granted to nobody');
SELECT is((SELECT string_agg(c.relname || '.' || attname, ' ') FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE relnamespace = 'shop'::regnamespace AND attacl IS NOT NULL), NULL, 'nor columns');
SELECT is((SELECT nspacl::text FROM pg_namespace WHERE nspname = 'oms'), (SELECT format('{%1$s=UC/%1$s,=U/%1$s}', nspowner::regrole) FROM pg_namespace WHERE nspname = 'oms'), 'schema oms: USAGE for all and no more');
SELECT is((SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p WHERE pronamespace = 'oms'::regnamespace AND proowner <> (SELECT nspowner FROM pg_namespace WHERE nspname = 'oms')), NULL, 'all in it is its owner''s');
SELECT is((SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p WHERE pronamespace = 'oms'::regnamespace AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')), NULL, 'and a member of the extension');
SELECT is((SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p WHERE pronamespace = 'oms'::regnamespace AND 'oms.workflow'::regtype = ANY (proargtypes || prorettype) AND proname <> 'lint'
	AND (provolatile <> 'i' AND proname NOT IN ('workflow_recv', 'workflow_send') OR proparallel <> 's' OR NOT proisstrict)), NULL, 'the type''s functions are immutable, parallel safe and strict');
SELECT is((SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p WHERE pronamespace = 'oms'::regnamespace AND proacl IS NOT NULL AND NOT EXISTS (SELECT FROM aclexplode(proacl) AS a WHERE grantee = 0 AND privilege_type = 'EXECUTE')), NULL, 'EXECUTE stays public');
SELECT ok(has_schema_privilege('public', 'oms', 'USAGE'), 'USAGE of schema oms is public');
SELECT ok(NOT has_schema_privilege('public', 'oms', 'CREATE'), 'CREATE is not');
SELECT ok(NOT has_schema_privilege('public', 'shop', 'USAGE'), 'a store is its owner''s');
SELECT is((SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p JOIN pg_language l ON l.oid = prolang WHERE pronamespace = 'oms'::regnamespace AND lanname IN ('plpgsql', 'sql')
	AND proconfig IS NULL AND proname NOT LIKE 'layout\_%'), NULL, 'what is not in C pins its search_path, but for the layouts, which create_store calls');
SELECT is((SELECT extrelocatable FROM pg_extension WHERE extname = 'oms'), false, 'the extension is not relocatable');
SELECT is((SELECT string_agg(DISTINCT name || trusted::text, ' ') FROM pg_available_extension_versions WHERE name = 'oms'), 'omstrue', 'and is trusted');
-- wrappers say the same as the functions that they call
SELECT is((SELECT string_agg(w.proname, ' ') FROM pg_proc w LEFT JOIN pg_proc f ON f.proname = w.proname AND f.pronamespace = 'oms'::regnamespace AND f.pronargs = w.pronargs + 1 WHERE w.pronamespace = 'shop'::regnamespace
	AND (f.oid IS NULL OR pg_get_function_result(f.oid) <> pg_get_function_result(w.oid) OR f.provolatile <> w.provolatile OR pg_get_function_arguments(f.oid) NOT LIKE 'store text%' || pg_get_function_arguments(w.oid))), NULL, 'wrappers take and return the same');
SELECT set_eq($$ SELECT proname::text FROM pg_proc WHERE pronamespace = 'shop'::regnamespace $$, ARRAY['place_order', 'cancel_lines', 'split_fulfillment', 'change_delivery', 'merge_fulfillments', 'short_pick', 'record_carrier_events', 'replace_workflow', 'verify_store', 'grant_store', 'events_after', 'begin_import', 'next_moves', 'plan_order', 'plan_wave', 'wave_progress', 'explain_plan', 'quote', 'tick', 'to_mermaid', 'set_stock', 'repair_store', 'receive_inbound', 'availability', 'available_to_promise', 'explain_source', 'hold_stock', 'extend_hold', 'release_hold'], 'each verb has one');
-- text keys compare by bytes
SELECT is((SELECT string_agg(attrelid::regclass || '.' || attname, ' ') FROM pg_attribute a JOIN pg_index i ON i.indrelid = attrelid AND attnum = ANY (i.indkey) JOIN pg_class c ON c.oid = attrelid
	WHERE c.relnamespace = 'shop'::regnamespace AND c.relkind = 'r' AND atttypid = 'text'::regtype AND attcollation <> 'pg_catalog."C"'::regcollation), NULL, 'indexed texts are COLLATE "C"');
SELECT is((SELECT string_agg(tgrelid::regclass || ' ' || tgname || ' ' || tgenabled::text, ', ' ORDER BY tgrelid::regclass::text) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid WHERE relnamespace = 'shop'::regnamespace AND NOT tgisinternal AND tgenabled <> 'O'),
	'shop.channel_stock_rules oms_invalidate A, shop.locations oms_invalidate A, shop.settings oms_invalidate A, shop.shipping_rates oms_invalidate A, shop.sourcing_policies oms_invalidate A, shop.sourcing_rules oms_invalidate A, shop.workflows oms_invalidate A, shop.zones oms_invalidate A', 'what sessions keep is forgotten in replicas too');

SELECT * FROM finish();
ROLLBACK;
