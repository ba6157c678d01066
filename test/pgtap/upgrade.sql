-- oms.upgrade_store: what can get lost of a store is made again, nothing else
-- is touched, and layouts are climbed step by step.
BEGIN;
SET client_min_messages = error;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name) VALUES ('web', 'Web');
INSERT INTO shop.locations (code, name) VALUES ('a', 'A');
INSERT INTO shop.skus (code, name) VALUES ('hat', 'Hat');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('hat', 'a', 'receipt', 1000);

-- all that a store is beside its rows, one text each
CREATE FUNCTION pg_temp.things(store text) RETURNS SETOF text LANGUAGE sql AS $$
SELECT concat_ws(' | ', pg_get_triggerdef(t.oid), t.tgenabled, obj_description(t.oid, 'pg_trigger'))
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = quote_ident(store)::regnamespace AND NOT t.tgisinternal
UNION ALL SELECT concat_ws(' | ', pg_get_functiondef(p.oid), p.proowner::regrole, p.proacl, obj_description(p.oid, 'pg_proc'))
FROM pg_proc p WHERE p.pronamespace = quote_ident(store)::regnamespace
UNION ALL SELECT concat_ws(' | ', c.relkind, c.relname, c.relowner::regrole, c.relacl, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated, a.attacl,
	pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum), obj_description(c.oid, 'pg_class'))
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = quote_ident(store)::regnamespace AND c.relkind IN ('r', 'v', 'S') AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL SELECT pg_get_viewdef(c.oid) FROM pg_class c WHERE c.relnamespace = quote_ident(store)::regnamespace AND c.relkind = 'v'
UNION ALL SELECT concat_ws(' | ', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid)) FROM pg_constraint c WHERE c.connamespace = quote_ident(store)::regnamespace
UNION ALL SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = quote_ident(store)::regnamespace
UNION ALL SELECT concat_ws(' | ', p.polname, p.polrelid::regclass, pg_get_expr(p.polqual, p.polrelid)) FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
WHERE c.relnamespace = quote_ident(store)::regnamespace
ORDER BY 1 $$;
-- all of its rows
CREATE FUNCTION pg_temp.rows_of(store text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	t name;
BEGIN
	FOR t IN SELECT relname FROM pg_class WHERE relnamespace = quote_ident(store)::regnamespace AND relkind = 'r' ORDER BY 1 LOOP
		RETURN QUERY EXECUTE format('SELECT %L || (to_jsonb(t) - ''compiled'')::text FROM %I.%I t ORDER BY 1', t, store, t);
	END LOOP;
END $$;
CREATE FUNCTION pg_temp.broken(store text) RETURNS text LANGUAGE sql AS $$
SELECT string_agg(rule || ': ' || violations, '; ' ORDER BY rule) FROM oms.verify_store(store) WHERE violations > 0 $$;
CREATE FUNCTION pg_temp.place(store text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	hint text;
BEGIN
	RETURN (SELECT status FROM oms.place_order(store, '{"channel": "web", "currency": "EUR", "holds": [{"kind": "fraud"}], "ship_to": {"city": "x"}, "customer": {"code": "c"},
		"charges": [{"kind": "fee", "amount": 1}], "lines": [{"sku": "hat", "quantity": 1, "unit_price": 1}]}'));
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' ', SQLSTATE, CASE WHEN hint LIKE '%oms.upgrade_store%' THEN 'upgrade_store' END);
END $$;

-- ---- the lists say all that hangs on the extension

SELECT is((SELECT count(*) FROM oms.layout_repairs('shop')), 0::bigint, 'a new store lacks nothing');
SELECT set_eq($$ SELECT c.relname::text, t.tgname::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = 'shop'::regnamespace AND NOT t.tgisinternal $$,
	$$ SELECT relation, name FROM oms.layout_triggers() $$, 'its triggers are those of the list');
SELECT set_eq($$
	SELECT CASE WHEN t.oid IS NOT NULL THEN 'trigger ' || t.tgname || ' on ' || t.tgrelid::regclass
		WHEN d.oid IS NOT NULL THEN 'default ' || d.adrelid::regclass || '.' || (SELECT attname FROM pg_attribute WHERE attrelid = d.adrelid AND attnum = d.adnum)
		WHEN r.oid IS NOT NULL THEN 'view ' || r.ev_class::regclass
		WHEN x.refobjid IS NOT NULL THEN 'column ' || x.objid::regclass || '.' || (SELECT attname FROM pg_attribute WHERE attrelid = x.objid AND attnum = x.objsubid)
		END
	FROM pg_depend x JOIN pg_depend member ON member.deptype = 'e' AND (member.classid, member.objid) = (x.refclassid, x.refobjid) AND member.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'oms')
		LEFT JOIN pg_trigger t ON t.oid = x.objid AND x.classid = 'pg_trigger'::regclass
		LEFT JOIN pg_rewrite r ON r.oid = x.objid AND x.classid = 'pg_rewrite'::regclass
		LEFT JOIN pg_attrdef d ON d.oid = x.objid AND x.classid = 'pg_attrdef'::regclass
	WHERE x.classid NOT IN ('pg_type'::regclass, 'pg_proc'::regclass, 'pg_operator'::regclass, 'pg_cast'::regclass, 'pg_opclass'::regclass, 'pg_opfamily'::regclass, 'pg_amop'::regclass, 'pg_amproc'::regclass)
		AND NOT EXISTS (SELECT FROM pg_class c WHERE x.classid = 'pg_class'::regclass AND c.oid = x.objid AND c.relkind = 'c') $$,
	$$ SELECT 'trigger ' || name || ' on shop.' || relation FROM oms.layout_triggers()
		UNION ALL SELECT 'default shop.' || relation || '.' || attribute FROM oms.layout_column_defaults()
		UNION ALL VALUES ('column shop.workflows.compiled'), ('default shop.workflows.compiled'), ('view shop.workflow_paths'), ('view shop.workflow_conformance'), ('view shop.availability') $$,
	'what DROP EXTENSION CASCADE takes from a store is what the lists say');

-- ---- one thing after another gets lost

SELECT is(pg_temp.place('shop'), 'placed', 'an order');
-- what users have added
CREATE ROLE oms_upgrade_clerk;
ALTER TABLE shop.orders ADD COLUMN gift_note text DEFAULT 'none';
ALTER TABLE shop.workflows ADD COLUMN editor text DEFAULT current_user;
CREATE INDEX ON shop.orders (gift_note);
CREATE VIEW shop.gifts AS SELECT number, gift_note FROM shop.orders;
CREATE POLICY everything ON shop.orders USING (true);
GRANT SELECT, INSERT ON shop.orders TO oms_upgrade_clerk;
GRANT UPDATE (status) ON shop.orders TO oms_upgrade_clerk;
GRANT EXECUTE ON FUNCTION shop.place_order(jsonb) TO oms_upgrade_clerk;
REVOKE EXECUTE ON FUNCTION shop.place_order(jsonb) FROM PUBLIC;
ALTER TABLE shop.addresses ALTER COLUMN id SET DEFAULT gen_random_uuid();
COMMENT ON TRIGGER oms_guard ON shop.orders IS 'mine';
COMMENT ON FUNCTION shop.verify_store() IS 'mine too';
CREATE FUNCTION shop.place_order(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION shop.no_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a row of % was written', tg_relid::regclass; END $$;
-- whoever writes a row from here on is told
CREATE FUNCTION pg_temp.tripwires(make boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	t regclass;
BEGIN
	FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relkind = 'r' LOOP
		IF make THEN
			EXECUTE format('CREATE TRIGGER no_change BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION shop.no_change()', t);
		ELSE
			EXECUTE format('DROP TRIGGER no_change ON %s', t);
		END IF;
	END LOOP;
END $$;
SELECT pg_temp.tripwires(true);
CREATE TEMP TABLE things AS SELECT t FROM pg_temp.things('shop') AS t;
CREATE TEMP TABLE rows_before AS SELECT t FROM pg_temp.rows_of('shop') AS t;
SELECT cmp_ok((SELECT count(*) FROM things), '>', 400::bigint, 'there are things to lose');

CREATE FUNCTION pg_temp.damage(statement text, sees text, says text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RETURN NEXT isnt((SELECT count(*) FROM oms.layout_repairs('shop')), 0::bigint, 'it is missed: ' || statement);
	RETURN NEXT matches(pg_temp.broken('shop'), sees, 'verify_store says so');
	-- not asked: what would be placed is stopped by the tripwires
	RETURN NEXT matches(pg_temp.place('shop'), says, 'place_order');
	RETURN NEXT lives_ok($q$ SELECT oms.upgrade_store('shop') $q$, 'upgrade_store');
	RETURN NEXT set_eq('SELECT pg_temp.things(''shop'')', 'SELECT t FROM things', 'all is as before');
	RETURN NEXT is(pg_temp.broken('shop'), NULL, 'and verify_store is content');
END $$;
SELECT is(pg_temp.place('shop'), 'P0001', 'the store is asked and the tripwires work');

SELECT pg_temp.damage(s, '^the store''s triggers are there and enabled: 1$', '^OM008 upgrade_store$') FROM unnest(ARRAY[
	'DROP TRIGGER oms_act_update ON shop.orders',
	'DROP TRIGGER oms_fixed ON shop.reasons',
	'DROP TRIGGER oms_engine ON shop.stock',
	'ALTER TABLE shop.fulfillments DISABLE TRIGGER oms_recheck',
	'ALTER TABLE shop.fulfillments ENABLE REPLICA TRIGGER oms_recheck',
	'ALTER TABLE shop.settings DISABLE TRIGGER oms_invalidate']) AS s;
SELECT pg_temp.damage(s, '^the store''s triggers are there and enabled: 1$', '^P0001') FROM unnest(ARRAY[
	'ALTER TABLE shop.workflows ENABLE TRIGGER oms_invalidate',
	'ALTER TABLE shop.stock_movements ENABLE ALWAYS TRIGGER oms_act',
	'COMMENT ON TRIGGER oms_guard ON shop.channels IS NULL',
	'CREATE OR REPLACE TRIGGER oms_guard BEFORE INSERT ON shop.channels FOR EACH ROW EXECUTE FUNCTION oms.guard(''channel'')',
	'CREATE OR REPLACE TRIGGER oms_invalidate BEFORE INSERT ON shop.workflows FOR EACH ROW EXECUTE FUNCTION shop.no_change()',
	'CREATE OR REPLACE TRIGGER oms_engine AFTER UPDATE ON shop.stock FOR EACH ROW WHEN (false) EXECUTE FUNCTION oms.refuse(''engine'', ''insert a row into stock_movements instead'')']) AS s;
SELECT pg_temp.damage(s, '^the store''s functions, defaults and column compiled are there: 1$', '^OM008 upgrade_store$') FROM unnest(ARRAY[
	'ALTER TABLE shop.orders ALTER COLUMN id DROP DEFAULT',
	'ALTER TABLE shop.stock_movements ALTER COLUMN actor DROP DEFAULT',
	'ALTER TABLE shop.workflows DROP COLUMN compiled']) AS s;
SELECT pg_temp.damage(s, '^the store''s functions, defaults and column compiled are there: 1$', '^P0001') FROM unnest(ARRAY[
	'DROP VIEW shop.workflow_paths',
	'DROP FUNCTION shop.cancel_lines(uuid, jsonb, text)',
	'COMMENT ON FUNCTION shop.split_fulfillment(uuid, jsonb) IS NULL',
	'CREATE OR REPLACE FUNCTION shop.cancel_lines(order_id uuid, lines jsonb DEFAULT NULL, reason text DEFAULT NULL) RETURNS bigint LANGUAGE sql AS ''SELECT 0::bigint''']) AS s;

-- verbs miss every trigger and default
CREATE FUNCTION pg_temp.placing_without(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	outcome text;
BEGIN
	BEGIN
		EXECUTE statement;
		outcome := pg_temp.place('shop');
		RAISE 'undo';
	EXCEPTION WHEN raise_exception THEN
		RETURN outcome;
	END;
END $$;
SELECT is(pg_temp.placing_without(format('DROP TRIGGER %I ON shop.%I', name, relation)), 'OM008 upgrade_store', 'a store without ' || name || ' on ' || relation) FROM oms.layout_triggers();
SELECT is(pg_temp.placing_without(format('ALTER TABLE shop.%I ALTER COLUMN %I DROP DEFAULT', relation, attribute)), 'OM008 upgrade_store', 'a store without a default of ' || relation || '.' || attribute) FROM oms.layout_column_defaults();
SELECT is(pg_temp.place('shop'), 'P0001', 'all of that has been undone');

-- a renamed store: its functions call the new name, whoever has the old one now
ALTER SCHEMA shop RENAME TO "Shop, ""EU""";
SELECT oms.create_store('shop');
SELECT matches(pg_temp.broken('Shop, "EU"'), '^the store''s functions.*: \d+$', 'a renamed store''s functions spell its old name');
SELECT lives_ok($$ SELECT oms.upgrade_store('Shop, "EU"') $$, 'until it is upgraded');
SELECT is((SELECT count(*) FROM pg_proc WHERE pronamespace = '"Shop, ""EU"""'::regnamespace AND prosrc LIKE '%oms.%(''Shop, "EU"''%'), (SELECT count(*) FROM oms.layout_wrappers('x')), 'they spell the new one');
SELECT is((SELECT count(*) FROM "Shop, ""EU""".verify_store() WHERE violations > 0), 0::bigint, 'and work');
DROP SCHEMA shop CASCADE;
ALTER SCHEMA "Shop, ""EU""" RENAME TO shop;
SELECT lives_ok($$ SELECT oms.upgrade_store('shop') $$, 'and back');
SELECT set_eq('SELECT pg_temp.things(''shop'')', 'SELECT t FROM things', 'all is as before the journey');

-- ---- DROP EXTENSION CASCADE

SELECT pg_temp.tripwires(false);
UPDATE shop.addresses SET city = NULL;	-- fires what it can
SELECT pg_temp.tripwires(true);
CREATE TEMP TABLE rows_kept AS SELECT t FROM pg_temp.rows_of('shop') AS t;
SELECT oms.create_store(name) FROM unnest(ARRAY['o''hara', 'quo"te', 'we"ird; --', 'select', 'Größe', '%s %I', '$layout$', repeat('x', 63)]) AS name;
DROP EXTENSION oms CASCADE;
SELECT is((SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = 'shop'::regnamespace AND t.tgname LIKE 'oms\_%'), 0::bigint, 'DROP EXTENSION CASCADE takes the triggers');
CREATE EXTENSION oms;
SELECT is(pg_temp.place('shop'), 'OM008 upgrade_store', 'such a store is refused');
SELECT throws_like($$ SELECT oms.cancel_lines('shop', oms.uuid7()) $$, 'store "shop" has lost what it works by: table "%" lacks %', 'with a message that names what is lacking');
SELECT throws_ok(format($$ SELECT oms.split_fulfillment('shop', oms.uuid7(), '[]') $$), 'OM008', NULL, 'whatever the verb');
SELECT matches(pg_temp.broken('shop'), '^the store''s functions, defaults and column compiled are there: \d+; the store''s triggers are there and enabled: \d+$', 'verify_store works on it and says what is lacking');
SELECT lives_ok($$ SELECT oms.upgrade_store('shop') $$, 'upgrade_store');
SELECT set_eq('SELECT pg_temp.things(''shop'')', $$ SELECT CASE WHEN t LIKE '%EXECUTE FUNCTION oms.guard(''order'') | O | mine' THEN replace(t, 'mine', (SELECT comment FROM oms.layout_triggers() WHERE (relation, name) = ('orders', 'oms_guard'))) ELSE t END FROM things $$,
	'makes all again, but for a comment that people had changed');
SELECT set_eq('SELECT pg_temp.rows_of(''shop'')', 'SELECT t FROM rows_kept', 'no row changed');
SELECT ok(bool_and(compiled OPERATOR(oms.=) definition::oms.workflow), 'workflows are compiled') FROM shop.workflows;
SELECT pg_temp.tripwires(false);
SELECT is(pg_temp.place('shop'), 'placed', 'and orders are placed');
SELECT is(pg_temp.broken('shop'), NULL, 'and right');
SELECT throws_ok($$ UPDATE shop.orders SET status = 'completed' $$, 'OM001', NULL, 'and guarded');

SELECT is(pg_temp.place(name), 'OM008 upgrade_store', 'so with a store named ' || name) FROM unnest(ARRAY['o''hara', 'quo"te', 'we"ird; --', 'select', 'Größe', '%s %I', '$layout$', repeat('x', 63)]) AS name;
SELECT lives_ok(format('SELECT oms.upgrade_store(%L)', name), 'upgrade_store on ' || name) FROM unnest(ARRAY['o''hara', 'quo"te', 'we"ird; --', 'select', 'Größe', '%s %I', '$layout$', repeat('x', 63)]) AS name;
SELECT is((SELECT count(*) FROM oms.layout_repairs(name)), 0::bigint, name || ' lacks nothing') FROM unnest(ARRAY['o''hara', 'quo"te', 'we"ird; --', 'select', 'Größe', '%s %I', '$layout$', repeat('x', 63)]) AS name;
SELECT is(pg_temp.broken(name), NULL, name || ' is right') FROM unnest(ARRAY['o''hara', 'quo"te', 'we"ird; --', 'select', 'Größe', '%s %I', '$layout$', repeat('x', 63)]) AS name;

-- while nothing reads it, a workflow can become anything
ALTER TABLE shop.workflows DROP COLUMN compiled, DISABLE TRIGGER oms_guard;
UPDATE shop.workflows SET definition = 'initial; nowhere' WHERE name = 'pickup';
SELECT throws_ok($$ SELECT oms.upgrade_store('shop') $$, '22P02', NULL, 'a workflow that cannot be read');
SELECT alike(pg_temp.broken('shop'), '%every workflow can be read: 1;%', 'verify_store says so');
SELECT throws_like($$ SELECT oms.upgrade_store('shop') $$, 'workflow "pickup" of store "shop" cannot be read: %', 'is named');
UPDATE shop.workflows SET definition = (SELECT definition FROM "select".workflows WHERE name = 'pickup') WHERE name = 'pickup';
SELECT lives_ok($$ SELECT oms.upgrade_store('shop') $$, 'once it is mended, the store is');
SELECT is(pg_temp.broken('shop'), NULL, 'and is right');

-- a superuser can turn off foreign keys, which the owner cannot turn on again
ALTER TABLE shop.order_lines DISABLE TRIGGER ALL;
SELECT lives_ok($$ SELECT oms.upgrade_store('shop') $$, 'upgrade_store after DISABLE TRIGGER ALL');
SELECT matches(pg_temp.broken('shop'), '^foreign keys are enforced: \d+$', 'does not reach foreign keys, verify_store does');
ALTER TABLE shop.order_lines ENABLE TRIGGER ALL;
-- as a restore with --disable-triggers does, which undoes ENABLE ALWAYS
ALTER TABLE shop.settings DISABLE TRIGGER ALL, ENABLE TRIGGER ALL;
SELECT is(pg_temp.broken('shop'), 'the store''s triggers are there and enabled: 1', 'ENABLE TRIGGER ALL is too much for settings');
SELECT lives_ok($$ SELECT oms.upgrade_store('shop') $$, 'which upgrade_store mends');
SELECT is(pg_temp.broken('shop'), NULL, 'well');

-- ---- who may

CREATE ROLE oms_upgrade_owner;
CREATE ROLE oms_upgrade_member IN ROLE oms_upgrade_owner;
SELECT format('GRANT CREATE ON DATABASE %I TO oms_upgrade_owner', current_database()) \gexec
SET ROLE oms_upgrade_owner;
SELECT oms.create_store('owned');
GRANT USAGE ON SCHEMA owned TO oms_upgrade_clerk;
GRANT ALL ON ALL TABLES IN SCHEMA owned TO oms_upgrade_clerk;
DROP FUNCTION owned.verify_store();
SET ROLE oms_upgrade_clerk;
SELECT throws_ok($$ SELECT oms.upgrade_store('owned') $$, '42501', 'must be owner of schema owned', 'who does not own the store is refused');
SELECT throws_ok($$ SELECT oms.upgrade_store('shop') $$, '42501', NULL, 'also where the schema is closed to him');
SELECT throws_ok($$ SELECT oms.layout_upgrade('owned') $$, '42501', NULL, 'nor is there a side door');
SELECT throws_ok($$ SELECT oms.layout_repair('owned') $$, '42501', NULL, 'nor another');
SET ROLE oms_upgrade_member;
SELECT lives_ok($$ SELECT oms.upgrade_store('owned') $$, 'a member of the owner''s role is not');
RESET ROLE;
SELECT is((SELECT proowner::regrole::text FROM pg_proc WHERE oid = 'owned.verify_store()'::regprocedure), 'oms_upgrade_owner', 'what he makes is the owner''s');
DROP FUNCTION owned.verify_store();
-- an owner's trigger has the owner's rights, even if a superuser upgrades
CREATE TABLE pg_temp.seen (who text);
GRANT INSERT ON pg_temp.seen TO oms_upgrade_owner;
CREATE FUNCTION owned.spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO pg_temp.seen VALUES (current_user); RETURN NEW; END $$;
ALTER FUNCTION owned.spy() OWNER TO oms_upgrade_owner;
CREATE TRIGGER spy BEFORE UPDATE ON owned.settings FOR EACH ROW EXECUTE FUNCTION owned.spy();
CREATE FUNCTION oms.layout_step_1() RETURNS void LANGUAGE sql AS '';
UPDATE owned.settings SET layout_version = 0;
DELETE FROM pg_temp.seen;
SELECT lives_ok($$ SELECT oms.upgrade_store('owned') $$, 'a superuser is not refused');
SELECT is((SELECT string_agg(who, ' ') FROM pg_temp.seen), 'oms_upgrade_owner', 'and acts as the owner');
SELECT is((SELECT proowner::regrole::text FROM pg_proc WHERE oid = 'owned.verify_store()'::regprocedure), 'oms_upgrade_owner', 'so that what is made is the owner''s');
DROP FUNCTION oms.layout_step_1();
SELECT throws_ok(format('SELECT oms.upgrade_store(%L)', name), 'OM010', NULL, 'no store: ' || name) FROM unnest(ARRAY['nowhere', 'public', 'oms', '']) AS name;
SELECT throws_ok('SELECT oms.upgrade_store(NULL)', '22004', NULL, 'no name');

-- ---- layouts, by made-up steps: layout -1 has no column color, layout 0 no index on it

ALTER FUNCTION oms.layout_repair(text) RENAME TO layout_repair_;	-- the last thing that is done
CREATE FUNCTION oms.layout_repair(store text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN
	IF EXISTS (SELECT FROM shop.settings WHERE number_prefix = 'fail') THEN RAISE 'made to fail'; END IF;
	RETURN QUERY SELECT oms.layout_repair_(store); END $$;
SELECT is(layout_version, oms.layout_version(), 'a store has the layout of the extension') FROM shop.settings;
UPDATE shop.settings SET layout_version = oms.layout_version() + 1;
SELECT throws_ok($$ SELECT oms.upgrade_store('shop') $$, 'OM008', format('store "shop" has layout %s, but this version of oms works on layout %s', oms.layout_version() + 1, oms.layout_version()), 'a store of a newer extension is refused');
SELECT throws_ok($$ SELECT FROM oms.place_order('shop', '{}') $$, 'OM008', NULL, 'by verbs as well');
UPDATE shop.settings SET layout_version = -1;
SELECT is(pg_temp.place('shop'), 'OM008 upgrade_store', 'one of an older is refused by verbs');
SELECT throws_ok($$ SELECT oms.upgrade_store('shop') $$, 'OM008', 'there is no way from layout -1 to 0 of store "shop"', 'and by upgrade_store where a step is missing');
CREATE FUNCTION oms.layout_step_0() RETURNS void LANGUAGE plpgsql AS $$ BEGIN ALTER TABLE skus ADD COLUMN color text; END $$;
SELECT throws_ok($$ SELECT oms.upgrade_store('shop') $$, 'OM008', 'there is no way from layout 0 to 1 of store "shop"', 'of several as well');
SELECT hasnt_column('shop', 'skus', 'color', 'and nothing has happened');
CREATE FUNCTION oms.layout_step_1() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CREATE INDEX skus_color ON skus (color); DROP TRIGGER oms_guard ON skus; END $$;
UPDATE shop.settings SET number_prefix = 'fail';
SELECT throws_ok($$ SELECT oms.upgrade_store('shop') $$, 'P0001', 'made to fail', 'a failure');
SELECT is((SELECT layout_version FROM shop.settings), -1, 'leaves the store as it was');
SELECT hasnt_column('shop', 'skus', 'color', 'altogether');
UPDATE shop.settings SET number_prefix = 'S-';
SELECT lives_ok($$ SELECT oms.upgrade_store('shop') $$, 'two steps');
SELECT is((SELECT layout_version FROM shop.settings), 1, 'lead to the newest layout');
SELECT has_index('shop', 'skus', 'skus_color', 'and have been taken, one after the other');
SELECT hasnt_column('owned', 'skus', 'color', 'in this store alone');
SELECT is((SELECT count(*) FROM oms.layout_repairs('shop')), 0::bigint, 'what a step drops is made again');
SELECT lives_ok($$ SELECT oms.upgrade_store('shop') $$, 'again');
SELECT is((SELECT layout_version FROM shop.settings), 1, 'they are not taken twice');
SELECT is(pg_temp.place('shop'), 'placed', 'the store works');
SELECT is(pg_temp.broken('shop'), NULL, 'and is right');

-- no row of settings: the layout is not known, so it is the oldest
SELECT is(oms.layout_version(), 1, 'there is one layout');
ALTER TABLE shop.settings DISABLE TRIGGER oms_keep;
DELETE FROM shop.settings;
SELECT is(pg_temp.place('shop'), 'OM008 upgrade_store', 'without its row of settings a store is refused');
SELECT lives_ok($$ SELECT oms.upgrade_store('shop') $$, 'until it is upgraded');
SELECT is((SELECT to_jsonb(s) - 'import_xid' - 'server' - 'moved_after' FROM shop.settings s), '{"id": 1, "layout_version": 1, "number_prefix": "S-"}', 'it has one again');
SELECT is(pg_temp.place('shop'), 'placed', 'and works');

-- a view that is made again is read by those who read the log
CREATE ROLE "oms_test Reader";
SELECT oms.grant_store('shop', 'oms_test Reader', 'reader');
DROP VIEW shop.workflow_paths;
SELECT lives_ok($$ SELECT oms.upgrade_store('shop') $$, 'a view is made again');
SET ROLE "oms_test Reader";
SELECT lives_ok($$ SELECT * FROM shop.workflow_paths $$, 'and a reader reads it as before');
RESET ROLE;

-- rows are not made again
DROP TABLE shop.order_charges CASCADE;
SELECT throws_ok($$ SELECT oms.upgrade_store('shop') $$, 'OM008', 'store "shop" has no table "order_charges"', 'a table that was dropped');

SELECT * FROM finish();
ROLLBACK;
