-- oms.lint: faulty workflows of every kind, each caught with a true witness;
-- sound ones, and plausible edits of the default ones, left alone.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');

CREATE FUNCTION pg_temp.path(message text) RETURNS text LANGUAGE sql AS $$ SELECT substring($1 FROM '\(([a-z0-9_]+( -> [a-z0-9_]+)*)\)') $$;
-- a path from the initial state, each of whose steps is a move
CREATE FUNCTION pg_temp.is_walk(w oms.workflow, path text) RETURNS boolean LANGUAGE sql AS $$
	SELECT s[1] = (SELECT state FROM oms.states(w) WHERE is_initial) AND NOT EXISTS (SELECT FROM generate_series(2, cardinality(s)) n
		WHERE NOT EXISTS (SELECT FROM oms.moves(w) m WHERE m.from_state = s[n - 1] AND m.to_state = s[n]))
	FROM string_to_array($2, ' -> ') AS s $$;
CREATE FUNCTION pg_temp.faults(definition text, entity text, severity text) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(concat_ws(' ', code, subject, '(' || pg_temp.path(message) || ')'), '; '), 'none') FROM oms.lint(definition::oms.workflow, $2) l WHERE l.severity = $3 $$;

-- ---- each kind in several shapes: what is said, and nothing else

CREATE TEMP TABLE faulty (n serial, entity text, definition text, severity text, expected text);
INSERT INTO faulty (entity, definition, severity, expected) VALUES
-- a state that nothing leads to
(NULL, 'initial a; a -> b; x -> b; final b', 'warning', 'unreachable_state x'),
(NULL, 'initial a; a -> b; x -> y -> x; final b', 'warning', 'unreachable_state x; unreachable_state y'),
(NULL, 'initial a; a -> b; final b, x', 'warning', 'unreachable_state x'),
('order', 'initial draft; draft -> done; old -> done; final done', 'warning', 'unreachable_state old'),
-- where a row stays for good
(NULL, 'initial a', 'error', 'dead_end a (a)'),
(NULL, 'initial a; a -> b; a -> limbo; final b', 'error', 'dead_end limbo (a -> limbo)'),
(NULL, 'initial a; a -> b -> limbo; a -> limbo2; b -> c; final c', 'error', 'dead_end limbo (a -> b -> limbo); dead_end limbo2 (a -> limbo2)'),
(NULL, 'initial a; a -> b -> c -> d -> e; b -> e; d -> z; final z', 'error', 'dead_end e (a -> b -> e)'),
-- an end that is none
(NULL, 'initial a; a -> b; b -> a; final b', 'error', 'final_with_exit b (a -> b -> a)'),
(NULL, 'initial a; a -> b -> c; b -> a; final a, c', 'error', 'final_with_exit a (a -> b)'),
('fulfillment', 'initial open; open -> shipped do issue; shipped -> back do restock; final shipped, back', 'error', 'final_with_exit shipped (open -> shipped -> back)'),
(NULL, 'initial a; a -> b -> c -> d; * -> x; x -> a; final d, x', 'error', 'final_with_exit x (a -> x -> a)'),
-- moves that never come to an end
(NULL, 'initial a; a -> b -> a', 'error', 'no_path_to_final a (a); no_path_to_final b (a -> b)'),
(NULL, 'initial a; a -> z; a -> b -> c -> b; final z', 'error', 'no_path_to_final b (a -> b); no_path_to_final c (a -> b -> c)'),
(NULL, 'initial a; a -> b -> c; a -> z; final z', 'error', 'dead_end c (a -> b -> c); no_path_to_final b (a -> b)'),
(NULL, 'initial a; a -> b; x -> z; b -> a; final z', 'error', 'no_path_to_final a (a); no_path_to_final b (a -> b)'),
-- automatic moves in a circle
(NULL, 'initial a; a -> b -> z; b -> c auto; c -> b auto; final z', 'error', 'auto_loop b (a -> b -> c -> b)'),
(NULL, 'initial a; a -> b auto; b -> c auto; c -> d auto; d -> b auto; a -> z; final z; d -> z', 'error', 'auto_loop b (a -> b -> c -> d -> b)'),
('order', 'initial a; a -> b when unheld auto; b -> a when unheld auto; b -> z; final z', 'error', 'auto_loop a (a -> b -> a)'),
('order', 'initial a; a -> b when unheld auto; b -> a when payable auto; b -> z; final z', 'error', 'auto_loop a (a -> b -> a)'),
('fulfillment', 'initial a; a -> b when order_unheld auto; b -> a auto; a, b -> z do release; b -> y do issue; final y, z', 'error', 'auto_loop a (a -> b -> a)'),
('order', 'initial a; a -> b auto; b -> c when payable auto; b -> a when unheld auto; c -> z; final z', 'error', 'auto_loop a (a -> b -> a)'),
-- an end with stock held
('fulfillment', 'initial open; open -> done; final done', 'error', 'stock_leak done (open -> done)'),
('fulfillment', 'initial open; final open', 'error', 'stock_leak open (open)'),
('fulfillment', 'initial open; open -> packed -> shipped; open, packed -> canceled do release; final shipped, canceled', 'error', 'stock_leak shipped (open -> packed -> shipped)'),
('fulfillment', 'initial open; open -> packed; packed -> out do issue; open -> out; out -> delivered; final delivered', 'error', 'stock_leak delivered (open -> out -> delivered)'),
('fulfillment', 'initial open; open -> out do issue; open -> gone when anybody_knows do tell; final out, gone', 'error', 'stock_leak gone (open -> gone)'),
('fulfillment', 'initial open; open -> delivered do deliver; final delivered', 'error', 'stock_leak delivered (open -> delivered); stock_twice open -> delivered (open -> delivered)'),
-- actions with nothing to act on
('fulfillment', 'initial open; open -> shipped do issue; shipped -> canceled do release; final canceled', 'error', 'stock_twice shipped -> canceled (open -> shipped -> canceled)'),
('fulfillment', 'initial open; open -> packed do issue; packed -> shipped do issue; final shipped', 'error', 'stock_twice packed -> shipped (open -> packed -> shipped)'),
('fulfillment', 'initial open; open -> a do release; a -> b do reroute; final b', 'error', 'stock_twice a -> b (open -> a -> b)'),
('fulfillment', 'initial open; open -> out do issue, release; final out', 'error', 'stock_twice open -> out (open -> out)'),
('fulfillment', 'initial open; open -> out do issue; open -> problem; out -> problem; problem -> canceled do release; final canceled', 'error', 'stock_twice problem -> canceled (open -> out -> problem -> canceled)'),
('fulfillment', 'initial open; open -> packed -> open; packed -> out do issue; out -> packed; packed -> lost do release; final lost', 'error',
	'stock_twice packed -> out (open -> packed -> out -> packed -> out); stock_twice packed -> lost (open -> packed -> out -> packed -> lost)'),
('fulfillment', 'initial open; open -> out do issue; out -> back do restock; back -> back2 do restock; final back2', 'error', 'stock_twice back -> back2 (open -> out -> back -> back2)'),
('fulfillment', 'initial open; open -> out do issue, deliver; out -> home do deliver; final home', 'error', 'stock_twice out -> home (open -> out -> home)'),
-- an order's end with stock held
('order', 'initial draft; draft -> placed do reserve; final placed', 'error', 'reservation_leak placed (draft -> placed)'),
('order', 'initial draft; draft -> placed do reserve; placed -> done when paid; placed -> canceled do release; final done, canceled', 'error', 'reservation_leak done (draft -> placed -> done)'),
('order', 'initial draft; draft -> placed do reserve; placed -> done when fulfilled; placed, draft -> canceled; final done, canceled', 'error', 'reservation_leak canceled (draft -> placed -> canceled)'),
('order', 'initial a; a -> b -> c; b -> d do reserve; d -> b; c -> z; d -> x do release; final z, x', 'error', 'reservation_leak z (a -> b -> d -> b -> c -> z)'),
('order', 'initial draft; draft -> placed do release, reserve; placed -> done when allocated, unshipped do confirm; final done', 'error', 'reservation_leak done (draft -> placed -> done)'),
-- stock that nothing could call back
('fulfillment', 'initial open; open -> packed; packed -> out do issue; open -> canceled do release; open -> rejected do reroute; final out, canceled, rejected', 'warning',
	'cannot_reroute packed (open -> packed); cannot_release packed (open -> packed)'),
('fulfillment', 'initial open; open -> out do issue; open -> canceled do release; final out, canceled', 'warning', 'cannot_reroute open (open)'),
('fulfillment', 'initial open; open -> out do issue; open -> rejected do reroute; final out, rejected', 'warning', 'cannot_release open (open)'),
('fulfillment', 'initial open; open -> a -> b; b -> out do issue; out -> c; c -> d; a -> x do release; b -> y do reroute; final x, y, d', 'warning', 'cannot_release b (open -> a -> b)'),
('fulfillment', 'initial open; open -> a -> b; a -> x do reroute; b -> out do issue; b -> y do release; final out, x, y', 'warning', 'cannot_reroute b (open -> a -> b)'),
('fulfillment', 'initial open; open -> a -> b -> a; a -> out do issue; b -> gone do release; open -> away do reroute; final out, gone, away', 'warning',
	'cannot_reroute a (open -> a); cannot_reroute b (open -> a -> b)'),
('fulfillment', 'initial open; open -> a when order_confirmed auto; a -> out do issue; out -> back do reroute; open, a -> gone do release; open -> away do reroute; final back, gone, away', 'warning',
	'cannot_reroute a (open -> a)'),
('order', 'initial draft; draft -> placed do reserve; placed -> done when fulfilled; final done', 'warning', 'cannot_release placed (draft -> placed)'),
('order', 'initial draft; draft -> placed do reserve; placed -> done when fulfilled; placed -> gone when all_canceled do release; final done, gone', 'warning', 'cannot_release placed (draft -> placed)'),
-- names that are not built in
('order', 'initial a; a -> b when weather_is_fine; final b', 'warning', 'unknown_guard a -> b (a -> b)'),
('order', 'initial a; a -> b -> a; b -> c when order_unheld do issue, confirm; final c', 'warning', 'unknown_guard b -> c (a -> b -> c); unknown_action b -> c (a -> b -> c)'),
('fulfillment', 'initial a; a -> b when unheld, order_unheld do issue, sing; a -> c when unheld do release, sing; a -> d do reroute; final b, c, d', 'warning', 'unknown_guard a -> b (a -> b); unknown_action a -> b (a -> b)'),
(NULL, 'initial a; a -> b when unheld, order_unheld, payble do issue, reserve, shout; final b', 'warning', 'unknown_guard a -> b (a -> b); unknown_action a -> b (a -> b)'),
(NULL, 'initial a; a -> b; x -> b do shout; final b', 'warning', 'unreachable_state x; unknown_action x -> b');

SELECT is(pg_temp.faults(definition, entity, severity), expected, format('%s %s', coalesce(entity, 'any'), definition)) FROM faulty ORDER BY n;
SELECT is((SELECT string_agg(code, ' ' ORDER BY code) FROM (SELECT DISTINCT code FROM faulty, oms.lint(definition::oms.workflow, entity)) AS c),
	'auto_loop cannot_release cannot_reroute dead_end final_with_exit no_path_to_final reservation_leak stock_leak stock_twice unknown_action unknown_guard unreachable_state', 'these are all codes');
SELECT is((SELECT string_agg(format('%s: %s', definition, message), E'\n') FROM faulty f, oms.lint(definition::oms.workflow, entity) AS l
	WHERE l.code <> 'unreachable_state' AND f.definition NOT LIKE '%x -> b do shout%' AND pg_temp.is_walk(definition::oms.workflow, pg_temp.path(message)) IS NOT TRUE), NULL, 'each witness is a walk from the initial state');
SELECT is((SELECT string_agg(format('%s: %s', definition, message), E'\n') FROM faulty f, oms.lint(definition::oms.workflow, entity) AS l, string_to_array(pg_temp.path(message), ' -> ') AS s
	WHERE s IS NOT NULL AND subject <> CASE WHEN code = 'final_with_exit' THEN s[cardinality(s) - 1] WHEN code IN ('stock_twice', 'unknown_guard', 'unknown_action') THEN concat_ws(' -> ', s[cardinality(s) - 1], s[cardinality(s)]) ELSE s[cardinality(s)] END),
	NULL, 'and ends where the fault is');
SELECT is((SELECT string_agg(format('%s: %s', code, shapes), ', ') FROM (SELECT code, count(DISTINCT definition) FILTER (WHERE expected LIKE '%' || code || '%') AS shapes
	FROM faulty, oms.lint(definition::oms.workflow, entity) GROUP BY code) AS c WHERE shapes < 4), NULL, 'each code in at least four shapes');
SELECT is((SELECT count(*) FROM faulty f, oms.lint(definition::oms.workflow, entity) AS l WHERE l.severity <> CASE WHEN code IN ('unreachable_state', 'unknown_guard', 'unknown_action', 'cannot_release', 'cannot_reroute') THEN 'warning' ELSE 'error' END), 0::bigint,
	'what is an error and what a warning');
SELECT is((SELECT string_agg(message, E'\n') FROM faulty f, oms.lint(definition::oms.workflow, entity) AS l WHERE message !~ ': (add|take|make|have|correct) ' OR message ~ '\n'), NULL, 'each message says in a line what to change');
SELECT is(pg_temp.is_walk('initial a; a -> b -> c', path), walks, 'the test can tell: ' || path) FROM (VALUES ('a -> b -> c', true), ('a -> c', false), ('b -> c', false)) AS v(path, walks);

-- ---- sound ones

SELECT is((SELECT count(*) FROM oms.lint(compiled, entity)), 0::bigint, 'the default ' || name) FROM shop.workflows ORDER BY name;
SELECT is((SELECT count(*) FROM oms.lint(compiled)), 0::bigint, name || ' on a table of one''s own') FROM shop.workflows ORDER BY name;
SELECT is((SELECT count(*) FROM oms.lint(NULL, 'order')), 0::bigint, 'nothing is wrong with nothing');
SELECT is(pg_temp.faults(definition, entity, 'error'), 'none', 'sound: ' || what) FROM (VALUES
	('order', 'no confirmation', 'initial cart; cart -> ordered do reserve, confirm; ordered -> closed when fulfilled auto; ordered -> canceled when unshipped do release; final canceled, closed'),
	('order', 'drafts are canceled by the same move', 'initial draft; draft -> placed do reserve; placed -> done when fulfilled auto; draft, placed -> canceled do release; final done, canceled'),
	('order', 'back to the draft', 'initial draft; draft -> placed do reserve; placed -> draft; placed -> done when fulfilled; * -> gone do release; final done, gone'),
	('order', 'a quote that nobody takes', 'initial quote; quote -> placed do reserve; quote -> expired; placed -> done when fulfilled, paid; placed -> gone do release; final done, expired, gone'),
	('order', 'nothing but a list', 'initial a; final a'),
	('order', 'review and back', 'initial draft; draft -> placed do reserve; placed -> review when is_odd auto; review -> placed when is_fine auto; placed, review -> gone do release; placed -> done when fulfilled; final done, gone'),
	('order', 'the two cannot hold at once', 'initial a; a -> b when fulfilled auto; b -> a when all_canceled auto; b -> z; final z'),
	('order', 'the way out comes first', 'initial a; a -> b auto; b -> z when unheld auto; b -> a when unheld auto; b -> y; final y, z'),
	('order', 'who has paid can pay', 'initial a; a -> b auto; b -> z when payable auto; b -> a when paid auto; b -> y; final y, z'),
	('order', 'a second approval', 'initial draft; draft -> placed do reserve; placed -> checked when unheld; checked -> approved when signed do confirm; approved -> done when fulfilled auto; placed, checked, approved -> gone do release; final done, gone'),
	('fulfillment', 'gone at the till', 'initial open; open -> out do issue, deliver auto; final out'),
	('fulfillment', 'there and back', 'initial open; open -> out do issue; out -> back do restock; out -> there do deliver; there -> back do restock; final back'),
	('fulfillment', 'released and kept for the file', 'initial open; open -> canceled do release; canceled -> filed; open -> out do issue; out -> filed; final filed'),
	(NULL, 'tickets', 'initial open; open -> answered -> open; answered -> closed; final closed')) AS v(entity, what, definition);
CREATE FUNCTION pg_temp.try(name text, edit text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	text text := (SELECT w.definition FROM shop.workflows w WHERE w.name = $1);
BEGIN
	FOR n IN 1 .. array_length(edit, 1) BY 2 LOOP
		ASSERT strpos(text, edit[n]) > 0, edit[n];
		text := replace(text, edit[n], edit[n + 1]);
	END LOOP;
	UPDATE shop.workflows w SET definition = text WHERE w.name = $1;
	RETURN 'saved';
EXCEPTION WHEN SQLSTATE 'OM004' THEN
	RETURN SQLERRM;
END $$;
SELECT is(pg_temp.try(name, edit), 'saved', what) FROM (VALUES
	('gift wrapping', 'ship', ARRAY['released -> picking -> packed;', 'released -> picking -> packed; picking -> wrapping -> packed;', 'picking, packed ->', 'picking, wrapping, packed ->']),
	('a second approval', 'standard', ARRAY['placed -> confirmed when unheld, payable do confirm auto;', 'placed -> approved when unheld; approved -> confirmed when payable do confirm;', 'placed, confirmed ->', 'placed, approved, confirmed ->']),
	('no confirmation step', 'standard', ARRAY['do reserve;', 'do reserve, confirm;', 'placed -> approved when unheld; approved -> confirmed when payable do confirm;', '', 'confirmed -> completed', 'placed -> completed', 'placed, approved, confirmed ->', 'placed ->']),
	('renamed states', 'ship', ARRAY['released', 'frei', 'picking', 'gegriffen', 'packed', 'gepackt', 'shipped', 'weg', 'delivered', 'da']),
	('renamed states', 'pickup', ARRAY['ready_for_pickup', 'on_the_shelf', 'uncollected', 'left_behind'])) AS v(what, name, edit);
-- ---- saving says the same

CREATE FUNCTION pg_temp.fault(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;
CREATE TEMP TABLE saved AS SELECT f.n, f.entity, f.definition, x.* FROM faulty f, pg_temp.fault(format('INSERT INTO shop.workflows (name, entity, definition) VALUES (%L, %L, %L)', 'f' || n, entity, definition)) AS x WHERE entity IS NOT NULL;
SELECT is((SELECT string_agg(definition, E'\n') FROM saved WHERE (state IS NOT NULL) <> (EXISTS (SELECT FROM oms.lint(definition::oms.workflow, entity) WHERE severity = 'error') OR definition ~ 'weather|payble|sing|tell|is_odd|order_unheld do issue, confirm')), NULL,
	'what has an error is refused, what has a warning is not');
SELECT is((SELECT string_agg(DISTINCT state, ' ') FROM saved), 'OM004', 'by OM004');
SELECT is((SELECT string_agg(definition || ': ' || l.message, E'\n') FROM saved s, oms.lint(definition::oms.workflow, entity) AS l
	WHERE state IS NOT NULL AND code NOT LIKE 'unknown%' AND strpos(E'\n' || detail || E'\n', format(E'\n%s%s: %s\n', CASE l.severity WHEN 'warning' THEN 'warning ' END, code, l.message)) = 0), NULL, 'each finding is a line of DETAIL');
SELECT is((SELECT string_agg(message, E'\n') FROM saved WHERE message NOT LIKE format('workflow "f%s" is unsound: %s%%', n, split_part(detail, E'\n', 1))), NULL, 'the first is in the message');
SELECT alike((SELECT message FROM saved WHERE definition LIKE '%out -> packed; packed -> lost%'), '%(and 1 more)', 'which counts the others');

-- every name that the engine knows lint knows too
CREATE TEMP TABLE names AS SELECT v.entity, v.kind, name FROM (VALUES ('order', 'guard', '{unheld,payable,paid,fulfilled,unshipped,allocated,all_canceled}'::text[]), ('order', 'action', '{reserve,confirm,release}'),
	('fulfillment', 'guard', '{order_confirmed,order_unheld,group_complete,due}'), ('fulfillment', 'action', '{issue,deliver,release,reroute,restock}')) AS v(entity, kind, names), unnest(names) AS name;
SELECT is((SELECT string_agg(format('%s %s', entity, name), ', ') FROM (SELECT DISTINCT e.entity, n.kind, n.name FROM names n, unnest(ARRAY['order', 'fulfillment']) AS e(entity)) AS n,
	LATERAL (SELECT format('initial a; a -> b %s %s; final b', CASE kind WHEN 'guard' THEN 'when' ELSE 'do' END, name) AS definition) AS d,
	LATERAL (SELECT EXISTS (SELECT FROM oms.lint(definition::oms.workflow, entity) WHERE code = 'unknown_' || kind) AS by_lint) AS l,
	pg_temp.fault(format('INSERT INTO shop.workflows (name, entity, definition) VALUES (''n'', %L, %L); DELETE FROM shop.workflows WHERE name = ''n''', entity, definition)) AS f
	WHERE by_lint <> coalesce(f.detail LIKE format('%%unknown_%s: %s "%s"%%', kind, kind, name), false) OR by_lint <> NOT EXISTS (SELECT FROM names k WHERE k.entity = n.entity AND k.kind = n.kind AND k.name = n.name)), NULL, 'lint and the engine have the same names built in');

-- ---- rows that there are must get on too

INSERT INTO shop.channels (code, name) VALUES ('web', 'Web');
INSERT INTO shop.locations (code, name) VALUES ('a', 'A');
INSERT INTO shop.skus (code, name) VALUES ('hat', 'Hat');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('hat', 'a', 'receipt', 10);
SELECT order_id AS o FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "hat", "quantity": 1, "unit_price": 1, "method": "local_delivery"}]}') \gset
UPDATE shop.fulfillments SET status = 'picking' WHERE order_id = :'o';
UPDATE shop.fulfillments SET status = 'packed' WHERE order_id = :'o';
SELECT alike(pg_temp.try('local_delivery', ARRAY['final delivered', 'final packed, delivered', 'packed -> picking -> released;', '', 'released -> picking -> packed;', 'released -> picking; picking -> packed do issue;',
	'released, picking, packed -> out_for_delivery when order_unheld do issue;', 'released, picking -> out_for_delivery when order_unheld do issue;', 'open, released, picking, packed ->', 'open, released, picking ->']), '%stock_leak: "packed" is final%(packed)%', 'a new end must not catch rows that hold stock');
SELECT alike(pg_temp.try('local_delivery', ARRAY['released -> picking -> packed;', 'released -> picking;', 'packed -> picking -> released;', 'picking -> released; packed -> wrapped -> packed;', 'released, picking, packed ->', 'released, picking ->']),
	'%no_path_to_final: no way leads from "packed"%(packed)%', 'nor may rows be left where nothing leads from');
SELECT is(pg_temp.try('local_delivery', ARRAY['released -> picking -> packed;', 'released -> picking;', 'packed -> picking -> released;', 'packed -> picking -> released;']), 'saved', 'a state is on its way out: nothing leads there, but rows get on');
SELECT is((SELECT string_agg(rule || violations, ' ') FROM oms.verify_store('shop') WHERE violations > 0), NULL, 'verify_store');

SELECT * FROM finish();
ROLLBACK;
