-- The type oms.workflow: its grammar, its canonical text, its errors, its
-- binary form, its order, and what can be asked of it.
BEGIN;
SELECT plan(307);

-- ---- the default workflows, their texts as people write them

CREATE TEMP TABLE defaults (name text PRIMARY KEY, definition text,
	workflow oms.workflow GENERATED ALWAYS AS (definition::oms.workflow) STORED);
INSERT INTO defaults VALUES
('standard', 'initial draft;
draft -> placed do reserve;
placed -> confirmed when unheld, payable do confirm auto;
confirmed -> completed when fulfilled, paid auto;
draft -> canceled;
placed, confirmed -> canceled when unshipped do release;
placed, confirmed -> canceled when all_canceled do release auto;
final completed, canceled;'),
('ship', 'initial open;
open -> released when order_confirmed, order_unheld, group_complete auto;
released -> picking -> packed;
packed -> picking -> released;
released, picking, packed -> shipped when order_unheld do issue;
shipped, lost -> delivered do deliver;
shipped -> lost;
shipped, lost -> returned_to_sender do restock;
open, released, picking, packed -> canceled do release;
open, released, picking, packed -> rejected do reroute;
final delivered, returned_to_sender, canceled, rejected;'),
('pickup', 'initial open;
open -> released when order_confirmed, order_unheld, group_complete auto;
released -> picking -> ready_for_pickup;
ready_for_pickup -> picking -> released;
ready_for_pickup -> collected when order_unheld do issue, deliver;
ready_for_pickup -> uncollected do release;
open, released, picking, ready_for_pickup -> canceled do release;
open, released, picking, ready_for_pickup -> rejected do reroute;
final collected, uncollected, canceled, rejected;'),
('curbside', 'initial open;
open -> released when order_confirmed, order_unheld, group_complete auto;
released -> picking -> ready_for_pickup;
ready_for_pickup -> picking -> released;
ready_for_pickup -> customer_waiting -> ready_for_pickup;
ready_for_pickup, customer_waiting -> collected when order_unheld do issue, deliver;
ready_for_pickup -> uncollected do release;
open, released, picking, ready_for_pickup, customer_waiting -> canceled do release;
open, released, picking, ready_for_pickup, customer_waiting -> rejected do reroute;
final collected, uncollected, canceled, rejected;'),
('local_delivery', 'initial open;
open -> released when order_confirmed, order_unheld, group_complete auto;
released -> picking -> packed;
packed -> picking -> released;
released, picking, packed -> out_for_delivery when order_unheld do issue;
out_for_delivery, attempted -> delivered do deliver;
out_for_delivery -> attempted -> out_for_delivery;
out_for_delivery, attempted -> returned_to_sender do restock;
open, released, picking, packed -> canceled do release;
open, released, picking, packed -> rejected do reroute;
final delivered, returned_to_sender, canceled, rejected;'),
('dropship', 'initial open;
open -> requested when order_confirmed, order_unheld, group_complete auto;
requested -> accepted;
requested, accepted, cancel_requested -> shipped do issue;
requested, accepted -> declined do reroute;
requested, accepted -> cancel_requested;
cancel_requested -> accepted;
cancel_requested -> declined do reroute;
open, cancel_requested -> canceled do release;
open -> rejected do reroute;
shipped, lost -> delivered do deliver;
shipped -> lost;
shipped, lost -> returned_to_sender do restock;
final delivered, returned_to_sender, declined, rejected, canceled;'),
('digital', 'initial open;
open -> delivered when order_confirmed, order_unheld do issue, deliver auto;
open -> canceled do release;
open -> rejected do reroute;
final delivered, canceled, rejected;'),
('counter', 'initial open;
open -> handed_over when order_confirmed do issue, deliver auto;
open -> canceled do release;
open -> rejected do reroute;
final handed_over, canceled, rejected;'),
('service', 'initial open;
open -> released when order_confirmed, order_unheld, group_complete auto;
released -> scheduled;
scheduled -> released;
scheduled -> performed do issue, deliver;
open, released, scheduled -> canceled do release;
open, released, scheduled -> rejected do reroute;
final performed, canceled, rejected;');
INSERT INTO defaults (name, definition) SELECT 'third_party', definition FROM defaults WHERE name = 'dropship';

SELECT is(workflow::text::oms.workflow::text, workflow::text, name || ': in(out(w)) = w') FROM defaults ORDER BY name;
SELECT ok(workflow::text::oms.workflow OPERATOR(oms.=) workflow, name || ': and they are equal') FROM defaults ORDER BY name;
SELECT is((SELECT array_agg(length(workflow::text) ORDER BY name) FROM defaults WHERE workflow::text ~ '[^a-z0-9_ ,;>\n-]'), NULL,
	'canonical text is plain ASCII');
SELECT is((SELECT array_agg(format('%s:%s:%s', name, (SELECT count(*) FROM oms.states(workflow)), (SELECT count(*) FROM oms.moves(workflow))) ORDER BY name) FROM defaults),
	'{counter:4:3,curbside:9:20,digital:4:3,dropship:11:19,local_delivery:10:22,pickup:8:15,service:6:10,ship:10:21,standard:5:8,third_party:11:19}',
	'how many states and moves each has');

SELECT is(workflow::text, 'initial draft;
draft -> placed do reserve;
placed -> confirmed when unheld, payable do confirm auto;
confirmed -> completed when fulfilled, paid auto;
draft -> canceled;
placed -> canceled when unshipped do release;
confirmed -> canceled when unshipped do release;
placed -> canceled when all_canceled do release auto;
confirmed -> canceled when all_canceled do release auto;
final completed, canceled;', 'the canonical text of the standard order') FROM defaults WHERE name = 'standard';

-- ---- grammar: a text, and its canonical one

CREATE TEMP TABLE readable (text text, canonical text, description text);
INSERT INTO readable VALUES
('initial a', 'initial a;', 'one state, no last semicolon'),
('initial a;', 'initial a;', 'a last semicolon'),
(E'\tinitial\r\n\f\x0ba ; ', 'initial a;', 'all kinds of white space'),
('initial a;final a', E'initial a;\nfinal a;', 'a state may be initial and final'),
('initial a;a->b', E'initial a;\na -> b;', 'no spaces, no final states'),
('initial a; a -> b; final b', E'initial a;\na -> b;\nfinal b;', 'final'),
('final b; a -> b; initial a', E'initial a;\na -> b;\nfinal b;', 'statements in any order'),
('initial a; final b', E'initial a;\nfinal b;', 'a state that only final names exists'),
('initial a; final b; final c', E'initial a;\nfinal b, c;', 'two final statements'),
('initial a; final c, b; a -> b; a -> c', E'initial a;\na -> b;\na -> c;\nfinal b, c;', 'final states follow the order of the states'),
('initial a; a -> b when g', E'initial a;\na -> b when g;', 'a guard'),
('initial a; a -> b when g, h,i', E'initial a;\na -> b when g, h, i;', 'guards keep their order'),
('initial a; a -> b do x', E'initial a;\na -> b do x;', 'an action'),
('initial a; a -> b do y, x', E'initial a;\na -> b do y, x;', 'actions keep their order'),
('initial a; a -> b auto', E'initial a;\na -> b auto;', 'an automatic move'),
('initial a; a -> b when g do x auto', E'initial a;\na -> b when g do x auto;', 'all of it'),
('initial a; a -> b when g do g', E'initial a;\na -> b when g do g;', 'a guard and an action of one name'),
('initial a; a -> b when a do b', E'initial a;\na -> b when a do b;', 'states, guards and actions share no namespace'),
('initial a; a -> b when g auto', E'initial a;\na -> b when g auto;', 'no action'),
('initial a; a -> b do x auto', E'initial a;\na -> b do x auto;', 'no guard'),
('initial a; a, b -> c', E'initial a;\na -> c;\nb -> c;', 'a list of sources'),
('initial a; b, a -> c when g do x auto', E'initial a;\nb -> c when g do x auto;\na -> c when g do x auto;', 'in the list''s order, each with the suffix'),
('initial a; a -> b -> c -> a', E'initial a;\na -> b;\nb -> c;\nc -> a;', 'a chain'),
('initial a; a -> b -> a', E'initial a;\na -> b;\nb -> a;', 'a chain there and back'),
('initial a; a, b -> c -> d', E'initial a;\na -> c;\nb -> c;\nc -> d;', 'a chain that begins with a list'),
('initial a; a -> b; * -> c; final c', E'initial a;\na -> b;\na -> c;\nb -> c;\nfinal c;', '* is every state but the target'),
('initial a; * -> c; a -> b; final c', E'initial a;\na -> c;\nb -> c;\na -> b;\nfinal c;', '* knows states named later, and makes its moves where it stands'),
('initial a; a -> b; * -> c; final b, c', E'initial a;\na -> b;\na -> c;\nfinal b, c;', '* leaves out final states'),
('initial a; final d; a -> b; * -> c when g do x auto', E'initial a;\na -> b;\na -> c when g do x auto;\nb -> c when g do x auto;\nfinal d;', '* with a suffix, target not final'),
('initial a; a -> b; b -> c; * -> a', E'initial a;\na -> b;\nb -> c;\nb -> a;\nc -> a;', '* to the initial state'),
('a -> b; * -> c; initial b; final c', E'initial b;\na -> b;\nb -> c;\na -> c;\nfinal c;', '* begins with the initial state, wherever that is said'),
('initial a; a -> b; * -> c -> d; final d', E'initial a;\na -> b;\na -> c;\nb -> c;\nc -> d;\nfinal d;', 'a chain that begins with *'),
('initial a; a -> b; a -> b auto', E'initial a;\na -> b;\na -> b auto;', 'a manual and an automatic move'),
('initial a; a -> b auto; a -> b', E'initial a;\na -> b auto;\na -> b;', 'in either order'),
('initial a; a -> b do x; * -> b auto', E'initial a;\na -> b do x;\na -> b auto;', 'one of them by *'),
('initial a; final b; b -> a', E'initial a;\nb -> a;\nfinal b;', 'a final state may have moves: that is for lint to say'),
(E'-- head\ninitial a; -- who\na -> b -- c -> d\n; -- end', E'initial a;\na -> b;', 'comments'),
(E'initial a --\r; a -> b', E'initial a;\na -> b;', 'a comment ends at a carriage return'),
('initial a; -- Grüße, ∞', 'initial a;', 'comments may say anything'),
('initial a--', 'initial a;', 'an empty comment at the end'),
('initial initially; initially -> finals -> when_ready -> doing -> automatic', E'initial initially;\ninitially -> finals;\nfinals -> when_ready;\nwhen_ready -> doing;\ndoing -> automatic;', 'names may begin with keywords'),
('initial a1_; a1_ -> ' || repeat('z', 63), E'initial a1_;\na1_ -> ' || repeat('z', 63) || ';', 'digits, underscores, 63 characters');
SELECT is(text::oms.workflow::text, canonical, description) FROM readable;
SELECT is(canonical::oms.workflow::text, canonical, 'canonical: ' || description) FROM readable;

-- ---- errors: a text, where it is wrong, and how

CREATE TEMP TABLE wrong (text text, line int, "column" int, message text);
INSERT INTO wrong VALUES
('', 1, 1, 'expected "initial", "final", a state name or "*", found the end of the text'),
(E' \n-- nothing\n', 3, 1, 'expected "initial", "final", a state name or "*", found the end of the text'),
(';', 1, 1, 'expected "initial", "final", a state name or "*", found ";"'),
('initial a;;', 1, 11, 'expected "initial", "final", a state name or "*", found ";"'),
('when', 1, 1, 'expected "initial", "final", a state name or "*", found "when"'),
('-> a', 1, 1, 'expected "initial", "final", a state name or "*", found "->"'),
('a -> b', 1, 7, 'expected an "initial" statement, found the end of the text'),
(E'a -> b;\n', 2, 1, 'expected an "initial" statement, found the end of the text'),
('initial', 1, 8, 'expected a state name, found the end of the text'),
('initial ;', 1, 9, 'expected a state name, found ";"'),
('initial final', 1, 9, 'expected a state name, found "final"'),
('initial auto', 1, 9, 'expected a state name, found "auto"'),
('initial Draft', 1, 9, 'expected a state name, found "Draft"'),
('initial aB', 1, 9, 'expected a state name, found "aB"'),
('initial _a', 1, 9, 'expected a state name, found "_a"'),
('initial 1a', 1, 9, 'expected a state name, found "1a"'),
('initial *', 1, 9, 'expected a state name, found "*"'),
('initial "a"', 1, 9, 'expected a state name, found """'),
('initial a, b', 1, 10, 'expected ";", found ","'),
('initial a b', 1, 11, 'expected ";", found "b"'),
(E'initial a;\ninitial a', 2, 1, 'a second "initial" statement, but a workflow has one initial state'),
('initial a; initial', 1, 12, 'a second "initial" statement, but a workflow has one initial state'),
('initial ' || repeat('a', 64), 1, 9, 'expected a state name, found "' || repeat('a', 63) || '..."'),
('initial a-b', 1, 10, 'expected ";", found "-"'),
('initial a.b', 1, 10, 'expected ";", found "."'),
('initial ä', 1, 9, 'expected a state name, found the byte 0xC3'),
(E'initial a\x01', 1, 10, 'expected ";", found the byte 0x01'),
(E'initial a;\x7f', 1, 11, 'expected "initial", "final", a state name or "*", found the byte 0x7F'),
(E'initial a; /* no */', 1, 12, 'expected "initial", "final", a state name or "*", found "/"'),
('initial a; final', 1, 17, 'expected a state name, found the end of the text'),
('initial a; final a,', 1, 20, 'expected a state name, found the end of the text'),
('initial a; final a b', 1, 20, 'expected "," or ";", found "b"'),
('initial a; final *', 1, 18, 'expected a state name, found "*"'),
('initial a; final b, b', 1, 21, 'state "b" is final twice'),
(E'initial a; final b;\n  final b', 2, 9, 'state "b" is final twice'),
('initial a; a', 1, 13, 'expected "," or "->", found the end of the text'),
('initial a; a b', 1, 14, 'expected "," or "->", found "b"'),
('initial a; a - > b', 1, 14, 'expected "," or "->", found "-"'),
('initial a; a => b', 1, 14, 'expected "," or "->", found "="'),
('initial a; a, -> b', 1, 15, 'expected a state name, found "->"'),
('initial a; a, * -> b', 1, 15, 'expected a state name, found "*"'),
('initial a; *, a -> b', 1, 13, 'expected "->", found ","'),
('initial a; * b', 1, 14, 'expected "->", found "b"'),
('initial a; a ->', 1, 16, 'expected a state name, found the end of the text'),
('initial a; a -> *', 1, 17, 'expected a state name, found "*"'),
('initial a; a -> when', 1, 17, 'expected a state name, found "when"'),
('initial a; a -> b, c', 1, 18, 'expected "->", "when", "do", "auto" or ";", found ","'),
('initial a; a -> b c', 1, 19, 'expected "->", "when", "do", "auto" or ";", found "c"'),
('initial a; a -> b when', 1, 23, 'expected the name of a guard, found the end of the text'),
('initial a; a -> b when do x', 1, 24, 'expected the name of a guard, found "do"'),
('initial a; a -> b when g,', 1, 26, 'expected the name of a guard, found the end of the text'),
('initial a; a -> b when g h', 1, 26, 'expected ",", "do", "auto" or ";", found "h"'),
('initial a; a -> b when g when h', 1, 26, 'expected ",", "do", "auto" or ";", found "when"'),
('initial a; a -> b when G', 1, 24, 'expected the name of a guard, found "G"'),
('initial a; a -> b when g, h, g', 1, 30, '"g" is in the list twice'),
('initial a; a -> b do', 1, 21, 'expected the name of an action, found the end of the text'),
('initial a; a -> b do auto', 1, 22, 'expected the name of an action, found "auto"'),
('initial a; a -> b do x y', 1, 24, 'expected ",", "auto" or ";", found "y"'),
('initial a; a -> b do x when g', 1, 24, 'expected ",", "auto" or ";", found "when"'),
('initial a; a -> b do x, x', 1, 25, '"x" is in the list twice'),
('initial a; a -> b auto auto', 1, 24, 'expected ";", found "auto"'),
('initial a; a -> b auto when g', 1, 24, 'expected ";", found "when"'),
('initial a; a -> b auto -> c', 1, 24, 'expected ";", found "->"'),
('initial a; a -> b when g -> c', 1, 26, 'expected ",", "do", "auto" or ";", found "->"'),
('initial a; a -> b -> c when g', 1, 24, 'expected "->" or ";", found "when"'),
('initial a; a -> b -> c do x', 1, 24, 'expected "->" or ";", found "do"'),
('initial a; a -> b -> c auto', 1, 24, 'expected "->" or ";", found "auto"'),
('initial a; a -> b -> c, d', 1, 23, 'expected "->" or ";", found ","'),
('initial a; a -> a', 1, 17, 'a move from "a" to itself'),
('initial a; a -> b -> b', 1, 22, 'a move from "b" to itself'),
('initial a; a, b -> b', 1, 20, 'a move from "b" to itself'),
(E'initial a; a -> b;\na -> b', 2, 1, 'a second manual move from "a" to "b"'),
('initial a; a -> b when g; a -> b when h', 1, 27, 'a second manual move from "a" to "b"'),
('initial a; a -> b auto; a -> b when g auto', 1, 25, 'a second automatic move from "a" to "b"'),
('initial a; a, c, a -> b', 1, 18, 'a second manual move from "a" to "b"'),
('initial a; a -> b -> a -> b', 1, 22, 'a second manual move from "a" to "b"'),
('initial a; a -> b; * -> b', 1, 20, 'a second manual move from "a" to "b"'),
('initial a; * -> b; * -> b', 1, 20, 'a second manual move from "a" to "b"'),
('initial a; * -> a', 1, 12, '"*" stands for no state here: every state but the target is final'),
('initial a; final a; * -> b', 1, 21, '"*" stands for no state here: every state but the target is final'),
(E'initial a;\r\n\r\n\tb ? c', 3, 4, 'expected "," or "->", found "?"'),
(E'initial a;\r\rb ? c', 3, 3, 'expected "," or "->", found "?"'),
(E'initial a; -- ein Gruß\nb ? c', 2, 3, 'expected "," or "->", found "?"');
SELECT throws_ok(format('SELECT %L::text::oms.workflow', text), '22P02',
	format('invalid workflow at line %s, column %s: %s', line, "column", message),
	'error: ' || left(regexp_replace(message, '[^ -~]', '?', 'g'), 70)) FROM wrong;

CREATE FUNCTION pg_temp.hint(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	hint text;
BEGIN
	EXECUTE statement;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN hint;
END $$;
SELECT matches(pg_temp.hint($$ SELECT 'initial Draft'::oms.workflow $$), '^A name is a lower-case letter', 'a wrong word: the hint says what a name is');
SELECT matches(pg_temp.hint($$ SELECT 'initial do'::oms.workflow $$), 'are keywords', 'a keyword for a name: the hint says so');
SELECT matches(pg_temp.hint($$ SELECT 'initial a; a -> b -> c when g'::oms.workflow $$), '^A chain', 'a suffix on a chain: the hint says what to do');
SELECT is(pg_temp.hint($$ SELECT 'initial a; a ? b'::oms.workflow $$), '', 'else no hint');

-- ---- limits

CREATE FUNCTION pg_temp.ring(n int) RETURNS text LANGUAGE sql
AS $$ SELECT 'initial s1; ' || string_agg('s' || i, ' -> ' ORDER BY i) FROM generate_series(1, n) AS i $$;
SELECT is((SELECT count(*) FROM oms.states(pg_temp.ring(64)::oms.workflow)), 64::bigint, '64 states');
SELECT ok((SELECT bool_and(is_final = (state IN ('s32', 's33', 's64'))) FROM oms.states((pg_temp.ring(64) || '; final s33, s64, s32')::oms.workflow)), 'any of them final');
SELECT throws_ok('SELECT pg_temp.ring(65)::oms.workflow', '54000', 'invalid workflow at line 1, column ' || length(pg_temp.ring(65)) - 2 || ': more than 64 states', '65 states');

-- 64 states, each with moves to the 16 that follow it
CREATE FUNCTION pg_temp.moves(n int) RETURNS text LANGUAGE sql
AS $$ SELECT 'initial s0; ' || string_agg(format('s%s -> s%s', i % 64, (i + 1 + i / 64) % 64), '; ' ORDER BY i) FROM generate_series(0, n - 1) AS i $$;
SELECT is((SELECT count(*) FROM oms.moves(pg_temp.moves(1024)::oms.workflow)), 1024::bigint, '1024 moves');
SELECT is(pg_temp.moves(1024)::oms.workflow::text::oms.workflow::text, pg_temp.moves(1024)::oms.workflow::text, 'and back');
SELECT throws_ok('SELECT pg_temp.moves(1025)::oms.workflow', '54000', NULL, '1025 moves');
SELECT throws_ok('SELECT (pg_temp.moves(1000) || ''; * -> t'')::oms.workflow', '54000', NULL, '1025 moves with * written out: too many states');
SELECT throws_ok('SELECT (pg_temp.moves(962) || ''; * -> s0 auto'')::oms.workflow', '54000', 'invalid workflow at line 1, column ' || length(pg_temp.moves(962)) + 3 || ': more than 1024 moves', '962 moves and 63 of *');
SELECT lives_ok('SELECT (pg_temp.moves(961) || ''; * -> s0 auto'')::oms.workflow', '961 moves and 63 of *');

SELECT lives_ok($$ SELECT rpad('initial a; --', 65536, '-')::oms.workflow $$, '64 KiB of text');
SELECT throws_ok($$ SELECT rpad('initial a; --', 65537, '-')::oms.workflow $$, '54000', 'invalid workflow at line 1, column 1: the text is longer than 65536 bytes', 'a byte more');
SELECT throws_ok($$ SELECT repeat('(', 65536)::oms.workflow $$, '22P02', NULL, 'nothing recurses');
SELECT throws_ok($$ SELECT repeat('initial a; ', 1000000)::oms.workflow $$, '54000', NULL, 'ten megabytes');

-- "*" repeats its suffix: what is written out must be readable again
CREATE FUNCTION pg_temp.suffix(length int) RETURNS text LANGUAGE sql
AS $$ SELECT pg_temp.ring(63) || '; * -> t when ' || left(string_agg('g' || to_char(i, 'FM0000000'), ', ' ORDER BY i), length) FROM generate_series(1, 7000) AS i $$;
SELECT throws_ok('SELECT pg_temp.suffix(1098)::oms.workflow', '54000', NULL, 'more than 64 KiB when written out');
SELECT is(length(pg_temp.suffix(998)::oms.workflow::text), 64611, 'nearly 64 KiB written out');
SELECT is(pg_temp.suffix(998)::oms.workflow::text::oms.workflow::text, pg_temp.suffix(998)::oms.workflow::text, 'and back');
CREATE FUNCTION pg_temp.listed(length int) RETURNS text LANGUAGE sql
AS $$ SELECT replace(pg_temp.suffix(length), '*', (SELECT string_agg('s' || i, ',') FROM generate_series(1, 63) AS i)) $$;
SELECT is(length(pg_temp.listed(1012)::oms.workflow::text), 65493, 'a list repeats it too');
SELECT throws_ok($$ SELECT (pg_temp.listed(1012) || E'\n; final ' || (SELECT string_agg('s' || i, ',') FROM generate_series(1, 63) AS i))::oms.workflow $$,
	'54000', 'invalid workflow at line 2, column 251: the workflow, written out move by move, is longer than 65536 bytes', 'the final statement counts too');

-- a list of one move may be as long as the text
SELECT is((SELECT cardinality(guards) FROM oms.moves(('initial a; a -> b when ' || (SELECT string_agg('g' || to_char(i, 'FM000000'), ', ') FROM generate_series(1, 7000) AS i))::oms.workflow)),
	7000, '7000 guards');
SELECT is((SELECT guards[7000] || actions[1] FROM oms.moves(('initial a; a -> b when ' || (SELECT string_agg('g' || to_char(i, 'FM000000'), ', ') FROM generate_series(1, 7000) AS i) || ' do x')::oms.workflow)),
	'g007000x', 'then actions');

-- ---- casts

CREATE TEMP TABLE casts (workflow oms.workflow, text text, varchar varchar(20));
SELECT lives_ok($$ INSERT INTO casts (workflow) VALUES ('initial a'::text) $$, 'assignment from text');
SELECT lives_ok($$ INSERT INTO casts (workflow) VALUES ('initial a'::varchar) $$, 'assignment from varchar');
SELECT lives_ok($$ UPDATE casts SET text = workflow, varchar = workflow $$, 'assignment to text and varchar');
SELECT results_eq('SELECT DISTINCT text, varchar::text FROM casts', $$ VALUES ('initial a;', 'initial a;') $$, 'is the canonical text');
SELECT throws_ok($$ INSERT INTO casts (workflow) VALUES ('initial'::text) $$, '22P02', NULL, 'a wrong text is refused there too');
SELECT throws_ok($$ UPDATE defaults SET definition = 'initial' WHERE name = 'ship' $$, '22P02', NULL, 'and in a generated column');
SELECT is(NULL::text::oms.workflow::text, NULL, 'NULL is NULL');
SELECT results_eq($$ SELECT castsource::regtype::text, casttarget::regtype::text, castcontext FROM pg_cast
	WHERE 'oms.workflow'::regtype IN (castsource, casttarget) ORDER BY 1, 2 $$,
	$$ VALUES ('character varying', 'oms.workflow', 'a'::"char"), ('oms.workflow', 'text', 'a'), ('text', 'oms.workflow', 'a') $$, 'the casts there are');

-- ---- the binary form

CREATE TEMP TABLE received (workflow oms.workflow);
CREATE FUNCTION pg_temp.receive(payload bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	file text := format('oms_test_workflow_%s', pg_backend_pid());	-- in the data directory
	object oid;
BEGIN
	object := lo_from_bytea(0, '\x5047434f50590aff0d0a00'::bytea || '\x0000000000000000'	-- COPY's head
		|| int2send(1::int2) || int4send(length(payload)) || payload || '\xffff'::bytea);
	PERFORM lo_export(object, file), lo_unlink(object);
	DELETE FROM received;
	BEGIN
		EXECUTE format('COPY received FROM %L (FORMAT binary)', file);
	EXCEPTION WHEN OTHERS THEN
		RETURN SQLSTATE;
	END;
	RETURN (SELECT workflow::text FROM received);
END $$;
SELECT is(pg_temp.receive(oms.workflow_send(workflow)), workflow::text, name || ': recv(send(w)) = w') FROM defaults ORDER BY name;
SELECT is(oms.workflow_send('initial a; a->b'), '\x01'::bytea || convert_to(E'initial a;\na -> b;', 'SQL_ASCII'), 'a version, then the canonical text');
SELECT is(pg_temp.receive('\x01'::bytea || 'initial a; a -> b -> c'::bytea), E'initial a;\na -> b;\nb -> c;', 'what is received need not be canonical');
SELECT is(pg_temp.receive(''), '22P03', 'nothing');
SELECT is(pg_temp.receive('\x00'), '22P03', 'version 0');
SELECT is(pg_temp.receive('\x02'::bytea || 'initial a'::bytea), '22P03', 'version 2');
SELECT is(pg_temp.receive('initial a'::bytea), '22P03', 'no version');
SELECT is(pg_temp.receive('\x01'), '22P02', 'no text');
SELECT is(pg_temp.receive('\x01'::bytea || 'initial a;'::bytea || '\x00'::bytea), '22P02', 'NUL at the end');
SELECT is(pg_temp.receive('\x01'::bytea || 'initial a'::bytea || '\x0062'::bytea), '22P02', 'NUL in a name');
SELECT is(pg_temp.receive('\x01'::bytea || 'initial '::bytea || '\xc3'::bytea), '22P02', 'half a character');
SELECT is(pg_temp.receive('\x01'::bytea || 'initial a -- '::bytea || '\xff00fe'::bytea), 'initial a;', 'a comment holds anything, and is dropped');
SELECT is(pg_temp.receive('\x01'::bytea || rpad('initial a --', 65537, '-')::bytea), '54000', 'too long');
SELECT is((SELECT count(*) FROM generate_series(1, 500) AS i,
	LATERAL pg_temp.receive(CASE WHEN i % 4 = 0 THEN ''::bytea ELSE '\x01'::bytea END
		|| substr(decode(md5(i::text) || md5((i * 7)::text), 'hex'), 1, i % 32)) AS answer
	WHERE answer NOT IN ('22P02', '22P03')), 0::bigint, '500 random messages are refused as they should');
-- the canonical text of a default with one byte changed: refused, or another workflow
SELECT is((SELECT count(*) FROM defaults, generate_series(1, 255, 2) AS i,
	LATERAL pg_temp.receive(set_byte(oms.workflow_send(workflow), 1 + (i * 37) % (length(workflow::text) - 1), i)) AS answer
	WHERE name IN ('standard', 'dropship') AND answer NOT IN ('22P02', '22P03') AND answer !~ '^initial '), 0::bigint, 'changed bytes are refused or read');
SELECT lives_ok(format('COPY (SELECT 1) TO PROGRAM %L', 'rm -f "' || current_setting('data_directory') || '/oms_test_workflow_' || pg_backend_pid() || '"'), 'the file goes away');

-- ---- equality and order

SELECT ok('initial a; a, b -> c; final c'::oms.workflow OPERATOR(oms.=) E'final c; -- x\ninitial a;a->c;b->c;'::oms.workflow, 'one machine, written twice');
SELECT ok('initial a; final b, c; a -> c; a -> b'::oms.workflow OPERATOR(oms.=) 'initial a; final c, b; a -> c; a -> b'::oms.workflow, 'the order of final states means nothing');
SELECT ok('initial a; a -> b; a -> c'::oms.workflow OPERATOR(oms.<>) 'initial a; a -> c; a -> b'::oms.workflow, 'the order of moves does');
SELECT ok('initial a; a -> b'::oms.workflow OPERATOR(oms.<>) 'initial a; a -> b auto'::oms.workflow, 'auto does');
SELECT ok('initial a; a -> b when g'::oms.workflow OPERATOR(oms.<>) 'initial a; a -> b do g'::oms.workflow, 'a guard is no action');
SELECT ok('initial a; final b'::oms.workflow OPERATOR(oms.<>) 'initial a; a -> b'::oms.workflow, 'final does');

CREATE TEMP TABLE many AS
SELECT i, format('initial s%s; s%s -> t%s when g', i % 100, i % 100, i % 7)::oms.workflow AS workflow FROM generate_series(1, 1400) AS i;
ANALYZE many;
SELECT is((SELECT count(DISTINCT workflow) FROM many), 700::bigint, 'count(DISTINCT)');
SELECT is((SELECT count(*) FROM (SELECT workflow FROM many GROUP BY workflow) AS g), 700::bigint, 'GROUP BY');
SELECT is((SELECT array_agg(workflow::text ORDER BY workflow, i) FROM many), (SELECT array_agg(workflow::text ORDER BY workflow::text COLLATE "C", i) FROM many),
	'ORDER BY is that of the canonical text');
SELECT is((SELECT count(*) FROM many AS a, many AS b WHERE a.i % 10 = 0 AND b.i % 10 = 3
	AND (a.workflow OPERATOR(oms.<) b.workflow) IS DISTINCT FROM (a.workflow::text COLLATE "C" < b.workflow::text COLLATE "C")), 0::bigint, '<');
SELECT is((SELECT count(*) FROM many AS a, many AS b WHERE a.i % 10 = 0 AND b.i % 10 = 3 AND (
	(a.workflow OPERATOR(oms.<=) b.workflow) = (a.workflow OPERATOR(oms.>) b.workflow) OR
	(a.workflow OPERATOR(oms.>=) b.workflow) = (a.workflow OPERATOR(oms.<) b.workflow) OR
	(a.workflow OPERATOR(oms.=) b.workflow) = (a.workflow OPERATOR(oms.<>) b.workflow) OR
	oms.workflow_cmp(a.workflow, b.workflow) <> -oms.workflow_cmp(b.workflow, a.workflow))), 0::bigint, 'each operator and its negator');
SELECT ok('initial a'::oms.workflow OPERATOR(oms.<=) 'initial a;'::oms.workflow AND 'initial a'::oms.workflow OPERATOR(oms.>=) 'initial a;'::oms.workflow
	AND oms.workflow_cmp('initial a', 'initial a;') = 0, 'equal is less or equal, and greater or equal');

CREATE FUNCTION pg_temp.plan(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	plan text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || statement LOOP
		plan := plan || line || E'\n';
	END LOOP;
	RETURN plan;
END $$;
SET LOCAL enable_nestloop = off;
SET LOCAL enable_mergejoin = off;
SELECT matches(pg_temp.plan('SELECT FROM many AS a JOIN many AS b ON a.workflow OPERATOR(oms.=) b.workflow'), 'Hash Join', 'a hash join is possible');
SELECT is((SELECT count(*) FROM many AS a JOIN many AS b ON a.workflow OPERATOR(oms.=) b.workflow), 2800::bigint, 'and right');
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = on;
SELECT matches(pg_temp.plan('SELECT FROM many AS a JOIN many AS b ON a.workflow OPERATOR(oms.=) b.workflow'), 'Merge Join', 'a merge join is possible');
SELECT is((SELECT count(*) FROM many AS a JOIN many AS b ON a.workflow OPERATOR(oms.=) b.workflow), 2800::bigint, 'and right');
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
CREATE INDEX many_btree ON many (workflow);
SELECT matches(pg_temp.plan($$ SELECT FROM many WHERE workflow OPERATOR(oms.=) 'initial s3; s3 -> t3 when g' $$), 'many_btree', 'a btree index is used');
SELECT is((SELECT count(*) FROM many WHERE workflow OPERATOR(oms.=) 'initial s3; s3 -> t3 when g'), 2::bigint, 'and right');
DROP INDEX many_btree;
CREATE INDEX many_hash ON many USING hash (workflow);
SELECT matches(pg_temp.plan($$ SELECT FROM many WHERE workflow OPERATOR(oms.=) 'initial s3; s3 -> t3 when g' $$), 'many_hash', 'a hash index is used');
SELECT is((SELECT count(*) FROM many WHERE workflow OPERATOR(oms.=) 'initial s3; s3 -> t3 when g'), 2::bigint, 'and right');
RESET enable_seqscan;
RESET enable_bitmapscan;
RESET enable_nestloop;
RESET enable_hashjoin;
SELECT is(oms.workflow_hash('initial a; a, b -> c'), oms.workflow_hash('initial a; a -> c; b -> c'), 'equal workflows hash alike');
SELECT is(oms.workflow_hash_extended('initial a', 0) & 4294967295, oms.workflow_hash('initial a')::bigint & 4294967295, 'the 64-bit hash begins with the other');
SELECT isnt(oms.workflow_hash_extended('initial a', 1), oms.workflow_hash_extended('initial a', 2), 'and heeds its seed');
CREATE TEMP TABLE parts (workflow oms.workflow) PARTITION BY HASH (workflow);
CREATE TEMP TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TEMP TABLE parts_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
SELECT lives_ok('INSERT INTO parts SELECT workflow FROM many', 'hash partitions');

-- values as they lie in tables: packed, compressed, out of line
CREATE TEMP TABLE stored (n int, workflow oms.workflow);
INSERT INTO stored VALUES (1, 'initial a; a -> b'), (2, pg_temp.moves(1024)::oms.workflow), (3, pg_temp.suffix(998)::oms.workflow);
SELECT is((SELECT sum(pg_column_size(workflow)) FROM stored WHERE n = 1), 35::bigint, 'a small one has a short header');
SELECT cmp_ok((SELECT pg_column_size(workflow) FROM stored WHERE n = 2), '<', 10000, 'a large one is compressed');
ALTER TABLE stored ALTER workflow SET STORAGE external;
INSERT INTO stored VALUES (4, pg_temp.moves(1024)::oms.workflow);
SELECT ok((SELECT a.workflow OPERATOR(oms.=) b.workflow FROM stored AS a, stored AS b WHERE a.n = 2 AND b.n = 4), 'and the same out of line');
SELECT is((SELECT array_agg((SELECT count(*) FROM oms.moves(workflow)) ORDER BY n) FROM stored), '{1,1024,125,1024}', 'all can be read');

-- ---- what can be asked of one

SELECT results_eq($$ SELECT s.* FROM defaults, oms.states(workflow) AS s WHERE name = 'standard' $$,
	$$ VALUES ('draft', true, false), ('placed', false, false), ('confirmed', false, false), ('completed', false, true), ('canceled', false, true) $$, 'states');
SELECT results_eq($$ SELECT * FROM oms.states('initial a; final a') $$, $$ VALUES ('a', true, true) $$, 'states: initial and final');
SELECT results_eq($$ SELECT m.* FROM defaults, oms.moves(workflow) AS m WHERE name = 'digital' $$,
	$$ VALUES ('open', 'delivered', '{order_confirmed,order_unheld}'::text[], '{issue,deliver}'::text[], true),
		('open', 'canceled', '{}', '{release}', false), ('open', 'rejected', '{}', '{reroute}', false) $$, 'moves');
SELECT is_empty($$ SELECT * FROM oms.moves('initial a') $$, 'moves: none');
SELECT is((SELECT count(*) FROM oms.states(NULL)), 0::bigint, 'states of NULL');
SELECT is((SELECT count(*) FROM oms.moves(NULL)), 0::bigint, 'moves of NULL');

SELECT ok(oms.allows(workflow, 'draft', 'placed'), 'allows: a manual move') FROM defaults WHERE name = 'standard';
SELECT ok(oms.allows(workflow, 'placed', 'confirmed'), 'allows: an automatic one') FROM defaults WHERE name = 'standard';
SELECT ok(NOT oms.allows(workflow, 'placed', 'draft'), 'allows: no such move') FROM defaults WHERE name = 'standard';
SELECT ok(NOT oms.allows(workflow, 'draft', 'completed'), 'allows: two moves are not one') FROM defaults WHERE name = 'standard';
SELECT ok(NOT oms.allows(workflow, 'draft', 'draft'), 'allows: no move to itself') FROM defaults WHERE name = 'standard';
SELECT is(oms.allows(workflow, 'draft', NULL), NULL, 'allows: NULL') FROM defaults WHERE name = 'standard';
SELECT is(oms.next_states(workflow, 'draft'), '{placed,canceled}', 'next_states: in move order') FROM defaults WHERE name = 'standard';
SELECT is(oms.next_states(workflow, 'placed'), '{confirmed,canceled}', 'next_states: automatic ones too, each once') FROM defaults WHERE name = 'standard';
SELECT is(oms.next_states(workflow, 'canceled'), '{}', 'next_states: none') FROM defaults WHERE name = 'standard';
SELECT is(oms.next_states('initial a; a -> c auto; a -> b; a -> c', 'a'), '{c,b}', 'next_states: where it first appears');
SELECT is(cardinality(oms.next_states((pg_temp.ring(63) || '; s1 -> t')::oms.workflow, 's1')), 2, 'next_states: of many');

SELECT throws_ok($$ SELECT oms.allows(workflow, 'nope', 'draft') FROM defaults WHERE name = 'standard' $$, '22023', 'workflow has no state "nope"', 'allows: an unknown source');
SELECT throws_ok($$ SELECT oms.allows(workflow, 'draft', 'nope') FROM defaults WHERE name = 'standard' $$, '22023', 'workflow has no state "nope"', 'allows: an unknown target');
SELECT throws_ok($$ SELECT oms.next_states(workflow, 'Draft') FROM defaults WHERE name = 'standard' $$, '22023', 'workflow has no state "Draft"', 'next_states: names are exact');
SELECT throws_ok($$ SELECT oms.next_states(workflow, 'dra') FROM defaults WHERE name = 'standard' $$, '22023', NULL, 'next_states: and whole');
SELECT throws_ok($$ SELECT oms.next_states(workflow, '') FROM defaults WHERE name = 'standard' $$, '22023', 'workflow has no state ""', 'next_states: nothing');
SELECT throws_ok($$ SELECT oms.next_states('initial a; a -> b when g do x', 'g') $$, '22023', NULL, 'next_states: a guard is no state');
SELECT is(pg_temp.hint($$ SELECT oms.next_states(workflow, 'nope') FROM defaults WHERE name = 'standard' $$),
	'Its states are: draft, placed, confirmed, completed, canceled.', 'the hint lists the states');

-- ---- drawings

SELECT is(oms.to_mermaid('initial open; open -> paid when unheld, payable do confirm auto; open -> closed do tell; paid -> closed when ok; paid -> open; final closed'),
'stateDiagram-v2
    [*] --> open
    open --> paid : auto [unheld, payable] / confirm
    open --> closed : / tell
    paid --> closed : [ok]
    paid --> open
    closed --> [*]', 'mermaid');
SELECT is(oms.to_mermaid('initial a; a -> b auto; a -> b'), E'stateDiagram-v2\n    [*] --> a\n    a --> b : auto\n    a --> b', 'mermaid: no final states');
SELECT is(oms.to_mermaid('initial note; note -> end when direction do direction; end -> lrx; final end'),
'stateDiagram-v2
    state "note" as S_note
    state "end" as S_end
    state "lrx" as S_lrx
    [*] --> S_note
    S_note --> S_end : [direction] / direction
    S_end --> S_lrx
    S_end --> [*]', 'mermaid: its own words get another id');
SELECT is(oms.to_dot('initial open; open -> paid when unheld, payable do confirm auto; open -> node do tell; paid -> open; final node'),
'digraph workflow {
    node [shape=box, style="rounded,filled", fillcolor="#e8f0fe", color="#3b5b92", fontname="Helvetica", fontsize=12];
    edge [color="#444444", fontname="Helvetica", fontsize=10];
    "" [shape=circle, style=filled, fillcolor=black, width=0.15, label=""];
    "open";
    "paid";
    "node" [peripheries=2, fillcolor="#dddddd", color="#555555"];
    "" -> "open";
    "open" -> "paid" [label="auto\n[unheld,\npayable]\n/ confirm", style=dashed, color="#1a73e8", fontcolor="#1a73e8"];
    "open" -> "node" [label="/ tell"];
    "paid" -> "open";
}', 'dot');
SELECT is((SELECT count(*) FROM defaults WHERE oms.to_mermaid(workflow) IS NULL OR oms.to_dot(workflow) IS NULL), 0::bigint, 'all defaults can be drawn');

-- ---- what the catalog says

SELECT is((SELECT array_agg(proname ORDER BY proname) FROM pg_proc WHERE pronamespace = 'oms'::regnamespace
	AND (proname ~ '^workflow_' OR proname IN ('states', 'moves', 'allows', 'next_states', 'to_mermaid', 'to_dot')) AND oid <> 'oms.to_mermaid(text, text)'::regprocedure
	AND (provolatile, proparallel, proisstrict) IS DISTINCT FROM ('i'::"char", 's'::"char", true)), NULL, 'functions are immutable, strict and parallel safe');
SELECT is((SELECT array_agg(d.classid::regclass::text || ' ' || d.objid) FROM pg_depend AS d
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
	AND (d.classid, d.objid) IN (
		SELECT 'pg_type'::regclass::oid, 'oms.workflow'::regtype::oid
		UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE pronamespace = 'oms'::regnamespace
			AND (proname ~ '^workflow_' OR proname IN ('states', 'moves', 'allows', 'next_states', 'to_mermaid', 'to_dot'))
		UNION ALL SELECT 'pg_operator'::regclass, oid FROM pg_operator WHERE oprleft = 'oms.workflow'::regtype
		UNION ALL SELECT 'pg_cast'::regclass, oid FROM pg_cast WHERE 'oms.workflow'::regtype IN (castsource, casttarget)
		UNION ALL SELECT 'pg_opclass'::regclass, oid FROM pg_opclass WHERE opcintype = 'oms.workflow'::regtype
		UNION ALL SELECT 'pg_opfamily'::regclass, opcfamily FROM pg_opclass WHERE opcintype = 'oms.workflow'::regtype)
	AND obj_description(d.objid, d.classid::regclass::name) IS NULL), NULL, 'every object is commented');
SELECT is((SELECT array_agg(format('%s %s', oprname, (oprcom <> 0 AND oprnegate <> 0 AND oprrest <> 0 AND oprjoin <> 0)) ORDER BY oprname COLLATE "C")
	FROM pg_operator WHERE oprleft = 'oms.workflow'::regtype), '{"< t","<= t","<> t","= t","> t",">= t"}', 'operators know their commutators, negators and estimators');

SELECT * FROM finish();
ROLLBACK;
