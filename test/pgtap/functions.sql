-- Guards and actions that are functions of the store: what they see, whose
-- words a refusal has, and moves that lead to each other without end.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name) VALUES ('web', 'Web');
INSERT INTO shop.locations (code, name) VALUES ('a', 'A');
INSERT INTO shop.skus (code, name) VALUES ('shirt', 'Shirt');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('shirt', 'a', 'receipt', 100);

CREATE FUNCTION pg_temp.fault(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text, OUT context text) LANGUAGE plpgsql
AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT,
		context = PG_EXCEPTION_CONTEXT;
END $$;
CREATE FUNCTION pg_temp.draft(number text, workflow text) RETURNS void LANGUAGE sql
AS $$ INSERT INTO shop.orders (number, channel, currency, workflow) VALUES (number, 'web', 'EUR', workflow) $$;
CREATE FUNCTION pg_temp.status(numbers text) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(status, ' ' ORDER BY number) FROM shop.orders WHERE number LIKE numbers $$;
CREATE FUNCTION pg_temp.sound(what text) RETURNS text LANGUAGE sql
AS $$ SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL,
	'verify_store: ' || what) $$;

-- ---- the function that takes the row, whatever others have its name

CREATE TABLE shop.said (id bigserial PRIMARY KEY, line text);
CREATE FUNCTION shop.fits(o shop.orders) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT o.po_number IS NOT NULL $$;
CREATE FUNCTION shop.fits(o shop.orders, more integer DEFAULT 1) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
CREATE FUNCTION shop.fits(o anyelement) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
CREATE FUNCTION shop.say(o shop.orders) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO shop.said (line) VALUES (concat_ws(' ', o.number, o.status, o.units_canceled, o.attributes ->> 'n', current_user, current_setting('search_path')));
END $$;
CREATE FUNCTION shop.say(o shop.orders, more text DEFAULT '') RETURNS void LANGUAGE sql AS $$ INSERT INTO shop.said (line) VALUES ('wrong') $$;
CREATE FUNCTION shop.count_it(o shop.orders) RETURNS void LANGUAGE sql AS $$
	UPDATE shop.orders SET attributes = attributes || jsonb_build_object('n', 1 + coalesce((attributes ->> 'n')::int, 0)) WHERE id = o.id $$;
CREATE FUNCTION shop.tell(o shop.orders) RETURNS void LANGUAGE sql AS $$ INSERT INTO shop.said (line) VALUES (concat(o.number, ' has ', o.attributes)) $$;
INSERT INTO shop.workflows (name, entity, definition) VALUES ('fits', 'order', 'initial a; a -> b when fits do say, count_it, tell; b -> a; final c; b -> c');
SELECT pg_temp.draft('F-' || n, 'fits') FROM generate_series(1, 3) n;
SELECT is(f.state || ' ' || f.message, 'OM002 order "F-1" cannot move from "a" to "b": guard "fits" refuses, because shop.fits says no',
	'an overload with a default, or for any type, is not asked') FROM pg_temp.fault($$ UPDATE shop.orders SET status = 'b' WHERE number = 'F-1' $$) AS f;
COMMENT ON FUNCTION shop.fits(shop.orders) IS 'it has no purchase order';
SELECT is((pg_temp.fault($$ UPDATE shop.orders SET status = 'b' WHERE number = 'F-1' $$)).message,
	'order "F-1" cannot move from "a" to "b": guard "fits" refuses, because it has no purchase order', 'its comment is the reason');
SELECT pg_temp.fault($$ COMMENT ON FUNCTION shop.fits(shop.orders) IS $$ || quote_literal(repeat('ä', 5000)));
SELECT cmp_ok(length((pg_temp.fault($$ UPDATE shop.orders SET status = 'b' WHERE number = 'F-1' $$)).message), '<', 250, 'cut where it is long');
SELECT set_config('search_path', 'pg_temp, public', true);
SELECT lives_ok($$ UPDATE shop.orders SET po_number = 'x', status = 'b' WHERE number IN ('F-1', 'F-2') $$, 'the guard sees the row as the UPDATE leaves it');
SELECT is((SELECT string_agg(line, E'\n' ORDER BY id) FROM shop.said), replace($$F-1 b 0 @
F-2 b 0 @
F-1 has {"n": 1}
F-2 has {"n": 1}$$, '@', current_user || ' pg_catalog, shop, pg_temp'), 'actions in their order, each with the row as the one before left it, as the owner');
ALTER TABLE shop.orders ADD COLUMN oms_whole_row text, ADD COLUMN gone integer, ADD COLUMN shade text DEFAULT 'red', ADD COLUMN twice bigint GENERATED ALWAYS AS (priority * 2) STORED;
ALTER TABLE shop.orders DROP COLUMN oms_whole_row, DROP COLUMN gone;
CREATE OR REPLACE FUNCTION shop.say(o shop.orders) RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO shop.said (line) VALUES (concat_ws(' ', o.number, o.shade, o.twice)); END $$;
UPDATE shop.orders SET status = 'a' WHERE number = 'F-1';
UPDATE shop.orders SET status = 'b', priority = 21 WHERE number = 'F-1';
SELECT is((SELECT line FROM shop.said WHERE line LIKE '%red%'), 'F-1 red 42', 'columns of people''s own, after others were dropped');
SELECT pg_temp.sound('functions');

-- ---- what raises

CREATE FUNCTION shop.strict_guard(o shop.orders) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF o.po_number IS NULL THEN
		RAISE EXCEPTION 'order % wants a purchase order', o.number USING ERRCODE = 'OM002', HINT = 'Ask the customer.';
	END IF;
	RETURN true;
END $$;
CREATE FUNCTION shop.break_it(o shop.orders) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO shop.said (line) VALUES ('half done');
	PERFORM 1 / (length(o.po_number) - 1);
END $$;
INSERT INTO shop.workflows (name, entity, definition) VALUES ('raises', 'order', 'initial a; a -> b when strict_guard do say, break_it; b -> c; final c');
SELECT pg_temp.draft('R-1', 'raises');
SELECT is(f.state || ' ' || f.message || ' ' || f.hint, 'OM002 order R-1 wants a purchase order Ask the customer.', 'a guard that raises refuses by its own error')
FROM pg_temp.fault($$ UPDATE shop.orders SET status = 'b' WHERE number = 'R-1' $$) AS f;
SELECT alike((pg_temp.fault($$ UPDATE shop.orders SET status = 'b' WHERE number = 'R-1' $$)).context, '%PL/pgSQL function shop.strict_guard(shop.orders)%
guard "strict_guard" of move "a -> b" of order "R-1"%', 'which says where it was called from');
DELETE FROM shop.said;
SELECT is(f.state || ' ' || f.message, '22012 division by zero', 'an action that fails has its own message')
FROM pg_temp.fault($$ UPDATE shop.orders SET status = 'b', po_number = 'x' WHERE number = 'R-1' $$) AS f;
SELECT alike((pg_temp.fault($$ UPDATE shop.orders SET status = 'b', po_number = 'x' WHERE number = 'R-1' $$)).context,
	'%PL/pgSQL function shop.break_it(shop.orders)%action "break_it" of move "a -> b" of order "R-1"%', 'and says where it was called from');
SELECT is(pg_temp.status('R-1') || (SELECT count(*) FROM shop.said), 'a0', 'it rolls back the move and what others did');
SELECT lives_ok($$ UPDATE shop.orders SET status = 'b', po_number = 'xyz' WHERE number = 'R-1' $$, 'later it may');
SELECT is((SELECT string_agg(line, ', ' ORDER BY id) FROM shop.said), 'R-1 red 200, half done', 'all of it');
SELECT pg_temp.sound('what raises');

-- ---- fulfillments

CREATE FUNCTION shop.weighed(f shop.fulfillments) RETURNS boolean LANGUAGE sql AS $$ SELECT f.attributes ? 'grams' $$;
CREATE FUNCTION shop.label(f shop.fulfillments) RETURNS void LANGUAGE sql AS $$ UPDATE shop.fulfillments SET tracking_number = 'T-' || f.number || '-' || f.stock_state WHERE id = f.id $$;
UPDATE shop.workflows SET definition = replace(definition, 'shipped when order_unheld do issue', 'shipped when order_unheld, weighed do issue, label') WHERE name = 'ship';
SELECT order_id AS o FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "shirt", "quantity": 2, "unit_price": 10}]}') \gset
SELECT throws_ok($$ UPDATE shop.fulfillments SET status = 'shipped' $$, 'OM002', NULL, 'a fulfillment''s guard');
UPDATE shop.fulfillments SET status = 'shipped', attributes = '{"grams": 300}';
SELECT is((SELECT tracking_number || ' ' || status FROM shop.fulfillments), 'T-S-1000-1-issued shipped', 'an action of its own sees what the built-in one before it did');
SELECT is(pg_temp.status('S-1000'), 'completed', 'and its order goes on');
SELECT pg_temp.sound('fulfillments');

-- ---- moves that lead to each other without end

CREATE FUNCTION shop.to_and_fro(o shop.orders) RETURNS void LANGUAGE plpgsql AS $$ BEGIN UPDATE shop.orders SET status = CASE o.status WHEN 'x' THEN 'y' ELSE 'x' END WHERE id = o.id; END $$;
CREATE FUNCTION shop.other(o shop.orders) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE shop.orders SET status = CASE status WHEN 'p' THEN 'q' ELSE 'p' END WHERE workflow = o.workflow AND id <> o.id;
END $$;
CREATE FUNCTION shop.restless(o shop.orders) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	UPDATE shop.orders SET attributes = attributes || jsonb_build_object('n', coalesce(attributes ->> 'n', '0')::int + 1) WHERE id = o.id;
	RETURN false;
END $$;
CREATE FUNCTION shop.pushy(o shop.orders) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN UPDATE shop.orders SET status = CASE o.status WHEN 'v' THEN 'w' ELSE 'v' END WHERE id = o.id; RETURN true; END $$;
INSERT INTO shop.workflows (name, entity, definition) VALUES
	('fro', 'order', 'initial a; a -> x -> z; a -> y; x -> y do to_and_fro; y -> x do to_and_fro; final z'),
	('others', 'order', 'initial p; p -> q do other; q -> p do other; p -> z; final z'),
	('restless', 'order', 'initial a; a -> x; x -> y when restless auto; y -> z; final z'),
	('pushy', 'order', 'initial v; v -> w when pushy; w -> v when pushy; w -> z; final z');
SELECT pg_temp.draft('T-1', 'fro'), pg_temp.draft('O-1', 'others'), pg_temp.draft('O-2', 'others'), pg_temp.draft('W-1', 'restless'), pg_temp.draft('V-1', 'pushy');
UPDATE shop.orders SET status = 'x' WHERE number = 'T-1';
SELECT is(f.state || ' ' || f.message, 'OM004 moves lead to each other without end, at last: order "T-1" from "x" to "y", by function "to_and_fro"; order "T-1" from "y" to "x", by function "to_and_fro"; order "T-1" from "x" to "y"',
	'an action that moves its own row') FROM pg_temp.fault($$ UPDATE shop.orders SET status = 'y' WHERE number = 'T-1' $$) AS f;
SELECT alike(f.detail, E'Each led to the next:\norder "T-1" from "x" to "y", by function "to_and_fro"\n...\norder "T-1" from %', 'the detail has how it began')
FROM pg_temp.fault($$ UPDATE shop.orders SET status = 'y' WHERE number = 'T-1' $$) AS f;
SELECT alike(f.state || ' ' || f.message, 'OM004 moves lead to each other without end, at last: order "O-_" from "_" to "_", by function "other"; order "O-_" from %', 'rows that move each other')
FROM pg_temp.fault($$ UPDATE shop.orders SET status = 'q' WHERE number = 'O-1' $$) AS f;
SELECT is((pg_temp.fault($$ UPDATE shop.orders SET status = 'x' WHERE number = 'W-1' $$)).state, 'OM004', 'a guard that writes its own row');
SELECT is((pg_temp.fault($$ UPDATE shop.orders SET status = 'w' WHERE number = 'V-1' $$)).state, 'OM004', 'a guard that moves it');
SELECT is(pg_temp.status('T-1') || pg_temp.status('O-%') || pg_temp.status('W-1') || pg_temp.status('V-1'), 'xp pav', 'nothing has moved');
SET LOCAL max_stack_depth = '1MB';
SELECT is((pg_temp.fault($$ UPDATE shop.orders SET status = 'y' WHERE number = 'T-1' $$)).state, 'OM004', 'it ends before half of the stack is used');
RESET max_stack_depth;

-- as many automatic moves as a workflow can have in a row are no such chain
INSERT INTO shop.workflows (name, entity, definition) SELECT 'long', 'order', 'initial s0; s0 -> s1 do reserve; '
	|| string_agg(format('s%s -> s%s%s auto;', n, n + 1, CASE WHEN n = 62 THEN ' do release, say' WHEN n % 2 = 0 THEN ' do say' ELSE '' END), ' ') || ' final s63' FROM generate_series(1, 62) n;
UPDATE shop.channels SET order_workflow = 'long';
DELETE FROM shop.said;
SELECT is((SELECT status FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "shirt", "quantity": 2, "unit_price": 10}]}')), 's63', '62 automatic moves one after another');
SELECT is((SELECT count(*) FROM shop.said), 31::bigint, 'with their actions');
SELECT pg_temp.sound('chains');

-- ---- on a table of one's own

CREATE SCHEMA desk;
CREATE TABLE desk.loans (id integer PRIMARY KEY, status text);
CREATE FUNCTION desk.again(l desk.loans) RETURNS void LANGUAGE plpgsql AS $$ BEGIN UPDATE desk.loans SET status = CASE l.status WHEN 'b' THEN 'c' ELSE 'b' END WHERE id = l.id; END $$;
CREATE FUNCTION desk.broken(l desk.loans) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'out of order'; END $$;
CREATE TRIGGER w BEFORE INSERT OR UPDATE ON desk.loans FOR EACH ROW EXECUTE FUNCTION oms.enforce_workflow('status', 'initial a; a -> b; a -> d when broken; b -> c do again; c -> b do again; final d');
CREATE TRIGGER x AFTER INSERT OR UPDATE ON desk.loans FOR EACH ROW EXECUTE FUNCTION oms.enforce_workflow('status', 'initial a; a -> b; a -> d when broken; b -> c do again; c -> b do again; final d');
INSERT INTO desk.loans (id) VALUES (1), (2);
UPDATE desk.loans SET status = 'b' WHERE id = 1;
SELECT alike(f.state || ' ' || f.message, 'OM004 moves lead to each other without end, at last: %table "loans" from "c" to "b", by function "again"; %', 'actions that call each other')
FROM pg_temp.fault($$ UPDATE desk.loans SET status = 'c' WHERE id = 1 $$) AS f;
SELECT is((SELECT string_agg(status, ' ' ORDER BY id) FROM desk.loans), 'b a', 'change nothing');
SELECT is(f.state || ' ' || f.message || ' ' || split_part(f.context, E'\n', 2), 'P0001 out of order guard "broken" of move "a -> d" of table "loans"', 'an error there says where it comes from')
FROM pg_temp.fault($$ UPDATE desk.loans SET status = 'd' WHERE id = 2 $$) AS f;
SELECT lives_ok($$ UPDATE desk.loans SET status = 'b' WHERE id = 2 $$, 'others move on');

-- ---- a guard that asks where its row can go

CREATE FUNCTION shop.asks(o shop.orders) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN EXISTS (SELECT FROM oms.next_moves('shop', 'order', o.id)); END $$;
INSERT INTO shop.workflows (name, entity, definition) VALUES ('asking', 'order', 'initial a; a -> b when asks; a -> c when asks; a -> d when asks; final b, c, d');
SELECT pg_temp.draft('ASK', 'asking');
SELECT is((SELECT string_agg(m.to_state || ' ' || m.why_not, ', ') FROM shop.orders o, oms.next_moves('shop', 'order', o.id) m WHERE o.number = 'ASK'),
	(SELECT string_agg(s || ' where order "ASK" can go is being asked already', ', ') FROM unnest('{b,c,d}'::text[]) AS s), 'is not asked without end');

SELECT * FROM finish();
ROLLBACK;
