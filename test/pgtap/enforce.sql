-- oms.enforce_workflow on tables of one's own, in a schema that is no store.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

CREATE SCHEMA desk;
CREATE FUNCTION pg_temp.fault(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text, OUT table_name text, OUT column_name text) LANGUAGE plpgsql
AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT,
		table_name = TABLE_NAME, column_name = COLUMN_NAME;
END $$;

-- ---- a plain one, on columns of several types

CREATE TABLE desk.tickets (id integer PRIMARY KEY, status text, note text);
CREATE TRIGGER flow BEFORE INSERT OR UPDATE ON desk.tickets FOR EACH ROW
	EXECUTE FUNCTION oms.enforce_workflow('status', 'initial open; open -> working -> closed; working -> open; open -> dropped; final closed, dropped');
INSERT INTO desk.tickets (id) VALUES (1);
SELECT is((SELECT status FROM desk.tickets WHERE id = 1), 'open', 'a row without status begins in the initial state');
SELECT lives_ok($$ INSERT INTO desk.tickets VALUES (2, 'open') $$, 'which may be named');
SELECT throws_ok(format($$ INSERT INTO desk.tickets VALUES (3, %L) $$, status), 'OM001', format('"status" of table "tickets" cannot begin in "%s", only in "open"', status), 'not to begin in: ' || status)
FROM unnest(ARRAY['working', 'closed', 'nonsense', 'OPEN', '']) AS status;
SELECT lives_ok($$ UPDATE desk.tickets SET status = 'working' WHERE id = 1 $$, 'a move');
SELECT throws_ok($$ UPDATE desk.tickets SET status = 'dropped' WHERE id = 1 $$, 'OM001', '"status" of table "tickets" cannot move from "working" to "dropped"', 'what is none');
SELECT is((pg_temp.fault($$ UPDATE desk.tickets SET status = 'dropped' WHERE id = 1 $$)).hint, 'From there it can move to "closed", "open".', 'the hint lists the open ones');
SELECT is((SELECT table_name || '.' || column_name FROM pg_temp.fault($$ UPDATE desk.tickets SET status = 'dropped' WHERE id = 1 $$)), 'tickets.status', 'table and column are attached');
SELECT throws_ok(format($$ UPDATE desk.tickets SET status = %L WHERE id = 1 $$, status), 'OM001', NULL, 'no state: ' || status) FROM unnest(ARRAY['nonsense', 'WORKING', '']) AS status;
SELECT throws_ok($$ UPDATE desk.tickets SET status = NULL WHERE id = 1 $$, 'OM001', NULL, 'nor is NULL');
SELECT lives_ok($$ UPDATE desk.tickets SET status = 'working', note = 'same' WHERE id = 1 $$, 'the same status again');
SELECT lives_ok($$ UPDATE desk.tickets SET note = 'other' $$, 'an update of something else');
SELECT throws_ok($$ UPDATE desk.tickets SET status = 'closed' $$, 'OM001', NULL, 'of two rows one cannot move');
SELECT is((SELECT string_agg(status, ' ' ORDER BY id) FROM desk.tickets), 'working open', 'so neither does');
UPDATE desk.tickets SET status = 'closed' WHERE id = 1;
SELECT is((pg_temp.fault($$ UPDATE desk.tickets SET status = 'open' WHERE id = 1 $$)).hint, 'No move leaves this state.', 'final is final');
SELECT throws_ok($$ INSERT INTO desk.tickets VALUES (2, 'working') ON CONFLICT (id) DO UPDATE SET status = excluded.status $$, 'OM001', NULL, 'ON CONFLICT inserts first');
SELECT lives_ok($$ INSERT INTO desk.tickets VALUES (2, 'open') ON CONFLICT (id) DO UPDATE SET status = 'working' $$, 'and then updates');
SELECT lives_ok($$ DELETE FROM desk.tickets WHERE id = 2 $$, 'deleting is not its business');

CREATE TYPE desk.stage AS ENUM ('open', 'closed', 'other');
CREATE DOMAIN desk.label AS text CHECK (VALUE <> 'forbidden');
CREATE TABLE desk.e (id integer PRIMARY KEY, s desk.stage);
CREATE TABLE desk.v (id integer PRIMARY KEY, s varchar(20));
CREATE TABLE desk.d (id integer PRIMARY KEY, s desk.label);
CREATE TABLE desk.c (id integer PRIMARY KEY, s char(10));
SELECT lives_ok(format($$ CREATE TRIGGER flow BEFORE INSERT OR UPDATE ON desk.%I FOR EACH ROW EXECUTE FUNCTION oms.enforce_workflow('s', 'initial open; open -> closed; final closed') $$, t), 'on ' || t) FROM unnest(ARRAY['e', 'v', 'd', 'c']) AS t;
SELECT lives_ok(format('INSERT INTO desk.%I VALUES (1), (2)', t), format('%s: a row', t)) FROM unnest(ARRAY['e', 'v', 'd', 'c']) AS t;
SELECT lives_ok(format($$ INSERT INTO desk.%I VALUES (3, 'open') $$, t), format('%s: a row with its state', t)) FROM unnest(ARRAY['e', 'v', 'd', 'c']) AS t;
SELECT lives_ok(format($$ UPDATE desk.%I SET s = 'closed' WHERE id = 1 $$, t), format('%s: a move', t)) FROM unnest(ARRAY['e', 'v', 'd', 'c']) AS t;
SELECT throws_ok(format($$ UPDATE desk.%I SET s = 'open' WHERE id = 1 $$, t), 'OM001', NULL, format('%s: no move', t)) FROM unnest(ARRAY['e', 'v', 'd', 'c']) AS t;
SELECT throws_ok($$ UPDATE desk.e SET s = 'other' WHERE id = 2 $$, 'OM001', NULL, 'a label that is no state');
SELECT is((SELECT string_agg(s::text, ' ' ORDER BY id) FROM desk.e) || ' ' || (SELECT string_agg(s, ' ' ORDER BY id) FROM desk.v), 'closed open open closed open open', 'as they stand');

-- ---- guards and actions: functions in the table's schema

CREATE TABLE desk.loans (id integer PRIMARY KEY, status text, amount numeric, log text DEFAULT '');
CREATE TABLE desk.journal (id serial, line text);
CREATE FUNCTION desk.small(desk.loans) RETURNS boolean LANGUAGE sql AS $$ SELECT ($1).amount < 100 $$;
CREATE FUNCTION desk.signed(desk.loans) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN ($1).log LIKE '%signed%'; END $$;
CREATE FUNCTION desk.pay(desk.loans) RETURNS void LANGUAGE sql AS $$ INSERT INTO desk.journal (line) VALUES ('pay ' || ($1).id || ' ' || ($1).status) $$;
CREATE FUNCTION desk.tell(desk.loans) RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO desk.journal (line) VALUES ('tell ' || ($1).id); END $$;
CREATE TRIGGER flow BEFORE INSERT OR UPDATE ON desk.loans FOR EACH ROW EXECUTE FUNCTION oms.enforce_workflow('status',
	'initial asked; asked -> granted when small do pay, tell; asked -> granted when signed do pay auto; asked -> refused do tell; granted -> repaid; final refused, repaid');
INSERT INTO desk.loans (id, amount) VALUES (1, 50), (2, 500), (3, NULL), (4, 5);
SELECT throws_ok($$ UPDATE desk.loans SET status = 'granted' WHERE id = 1 $$, 'OM004', NULL, 'actions that nothing would run are refused');
SELECT isnt((pg_temp.fault($$ UPDATE desk.loans SET status = 'granted' WHERE id = 1 $$)).hint, '', 'the hint says which trigger is missing');
CREATE TRIGGER flow_after AFTER INSERT OR UPDATE ON desk.loans FOR EACH ROW EXECUTE FUNCTION oms.enforce_workflow('status',
	'initial asked; asked -> granted when small do pay, tell; asked -> granted when signed do pay auto; asked -> refused do tell; granted -> repaid; final refused, repaid');
SELECT lives_ok($$ UPDATE desk.loans SET status = 'granted' WHERE id = 1 $$, 'with an AFTER trigger');
SELECT is((SELECT string_agg(line, ', ' ORDER BY id) FROM desk.journal), 'pay 1 granted, tell 1', 'they run, in their order, once');
SELECT throws_ok($$ UPDATE desk.loans SET status = 'granted' WHERE id = 2 $$, 'OM002', '"status" of table "loans" cannot move from "asked" to "granted": guard "small" refuses', 'a guard that says no');
SELECT throws_ok($$ UPDATE desk.loans SET status = 'granted' WHERE id = 3 $$, 'OM002', NULL, 'or nothing');
SELECT lives_ok($$ UPDATE desk.loans SET status = 'granted', log = 'signed' WHERE id = 2 $$, 'another move between the two states may hold');
SELECT is((SELECT string_agg(line, ', ' ORDER BY id) FROM desk.journal WHERE line LIKE '% 2%'), 'pay 2 granted', 'and has its own actions');
SELECT lives_ok($$ UPDATE desk.loans SET status = 'granted' WHERE id IN (1, 2) $$, 'the same status again');
SELECT lives_ok($$ UPDATE desk.loans SET amount = 1 $$, 'an update of something else');
SELECT is((SELECT count(*) FROM desk.journal), 3::bigint, 'has no side effects');
SELECT throws_ok($$ UPDATE desk.loans SET status = 'refused' WHERE id = 1 $$, 'OM001', NULL, 'a refused move');
SELECT is((SELECT count(*) FROM desk.journal), 3::bigint, 'has none either');

-- AFTER judges the row as it was written in the end
CREATE FUNCTION desk.meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF NEW.log = 'insert' THEN NEW.status := 'granted'; END IF;
	IF NEW.log = 'update' THEN NEW.status := 'repaid'; END IF;
	RETURN NEW; END $$;
CREATE TRIGGER zzz BEFORE INSERT OR UPDATE ON desk.loans FOR EACH ROW EXECUTE FUNCTION desk.meddle();
SELECT throws_ok($$ INSERT INTO desk.loans (id, log) VALUES (9, 'insert') $$, 'OM001', NULL, 'a later trigger cannot begin it elsewhere');
SELECT throws_ok($$ UPDATE desk.loans SET log = 'update' WHERE id = 4 $$, 'OM001', NULL, 'nor move it where no move leads');
DROP TRIGGER zzz ON desk.loans;

DROP FUNCTION desk.small(desk.loans);
SELECT throws_ok($$ UPDATE desk.loans SET status = 'granted' WHERE id = 4 $$, 'OM004', NULL, 'a guard that is not there');
CREATE FUNCTION desk.small(desk.loans) RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$;
SELECT throws_ok($$ UPDATE desk.loans SET status = 'granted' WHERE id = 4 $$, 'OM004', NULL, 'or returns something else');
CREATE ROLE oms_test_stranger;
DROP FUNCTION desk.small(desk.loans);
CREATE FUNCTION desk.small(desk.loans) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
GRANT CREATE ON SCHEMA desk TO oms_test_stranger;
ALTER FUNCTION desk.small(desk.loans) OWNER TO oms_test_stranger;
SELECT throws_ok($$ UPDATE desk.loans SET status = 'granted' WHERE id = 4 $$, 'OM004', NULL, 'or is not the table owner''s');
DROP FUNCTION desk.tell(desk.loans);
SELECT throws_ok($$ UPDATE desk.loans SET status = 'refused' WHERE id = 4 $$, 'OM004', NULL, 'an action that is not there');
SELECT is((SELECT status FROM desk.loans WHERE id = 4), 'asked', 'moves nothing');

-- ---- triggers that are made wrongly; definitions that change

CREATE TABLE desk.wrong (id integer PRIMARY KEY, status text);
CREATE FUNCTION pg_temp.try(moment text, arguments text) RETURNS text LANGUAGE plpgsql
AS $$
BEGIN
	EXECUTE format('DROP TRIGGER IF EXISTS flow ON desk.wrong; CREATE TRIGGER flow %s EXECUTE FUNCTION oms.enforce_workflow(%s)', moment, arguments);
	RETURN 'INSERT INTO desk.wrong VALUES (1, ''open''); UPDATE desk.wrong SET status = ''open''; DELETE FROM desk.wrong';
END $$;
SELECT throws_ok(pg_temp.try('BEFORE INSERT OR UPDATE ON desk.wrong FOR EACH ROW', arguments), state, NULL, 'arguments: ' || arguments)
FROM (VALUES ('', '39P01'), ('''status''', '39P01'), ('''status'', ''initial open; final open'', ''more''', '39P01'), ('''state'', ''initial open; final open''', '42703'), ('''status'', ''initial''', '22P02'),
	('''status'', ''''', '22P02')) AS v(arguments, state);
SELECT throws_ok(pg_temp.try(moment, '''status'', ''initial open; final open'''), '39P01', NULL, moment)
FROM unnest(ARRAY['BEFORE INSERT OR UPDATE ON desk.wrong FOR EACH STATEMENT', 'BEFORE DELETE ON desk.wrong FOR EACH ROW', 'AFTER INSERT ON desk.wrong FOR EACH STATEMENT']) AS moment;
SELECT lives_ok(pg_temp.try('BEFORE INSERT OR UPDATE ON desk.wrong FOR EACH ROW', '''status'', ''initial open; final open'''), 'and one that is right');
CREATE TRIGGER flow2 BEFORE INSERT OR UPDATE ON desk.wrong FOR EACH ROW EXECUTE FUNCTION oms.enforce_workflow('status', 'initial open; open -> shut; final shut');
DROP TRIGGER flow ON desk.wrong;
INSERT INTO desk.wrong VALUES (1);
SELECT lives_ok($$ UPDATE desk.wrong SET status = 'shut' $$, 'another definition is in force at once');
SELECT throws_ok($$ SELECT oms.enforce_workflow() $$, '39P01', NULL, 'a trigger function is not called');

SELECT * FROM finish();
ROLLBACK;
