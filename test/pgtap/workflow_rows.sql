-- Workflows as rows of a store: what is refused when one is saved, and that an
-- edit is in force at the next statement, with states and guards of people's own.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name) VALUES ('web', 'Web');
INSERT INTO shop.locations (code, name, priority) VALUES ('a', 'A', 1), ('b', 'B', 2);
INSERT INTO shop.skus (code, name) VALUES ('shirt', 'Shirt');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('shirt', 'a', 'receipt', 100), ('shirt', 'b', 'receipt', 100);

CREATE FUNCTION pg_temp.place(more jsonb DEFAULT '{}') RETURNS uuid LANGUAGE sql
AS $$ SELECT order_id FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "shirt", "quantity": 2, "unit_price": 10}]}' || $1) $$;
CREATE FUNCTION pg_temp.fault(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql
AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;
CREATE FUNCTION pg_temp.sound(what text) RETURNS text LANGUAGE sql
AS $$ SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL,
	'verify_store: ' || what) $$;
CREATE FUNCTION pg_temp.save(name text, definition text) RETURNS text LANGUAGE sql AS $$ SELECT format('UPDATE shop.workflows SET definition = %L WHERE name = %L', $2, $1) $$;
CREATE FUNCTION pg_temp.insert(name text, entity text, definition text) RETURNS text LANGUAGE sql
AS $$ SELECT format('INSERT INTO shop.workflows (name, entity, definition) VALUES (%L, %L, %L)', $1, $2, $3) $$;

-- ---- what cannot be saved

SELECT throws_ok(pg_temp.insert('w', 'order', definition), '22P02', NULL, 'no workflow: ' || definition)
FROM unnest(ARRAY['', 'initial', 'draft -> placed', 'initial draft; draft => placed', 'initial draft; draft -> placed when', 'initial draft; final draft; draft -> x auto auto']) AS definition;
SELECT alike((pg_temp.fault(pg_temp.insert('w', 'order', E'initial a;\na -> ;'))).message || (pg_temp.fault(pg_temp.insert('w', 'order', E'initial a;\na -> ;'))).detail, '%line 2%', 'a syntax error says the line');
SELECT throws_ok(pg_temp.save('standard', 'initial draft; draft ->'), '22P02', NULL, 'nor in an update');
SELECT throws_ok(pg_temp.insert('w', entity, definition), 'OM004', NULL, format('no %s workflow: %s', entity, definition))
FROM (VALUES ('order', 'initial a; a -> b when unheard; final b'), ('order', 'initial a; a -> b do unheard; final b'), ('order', 'initial a; a -> b do issue; final b'), ('order', 'initial a; a -> b when order_unheld; final b'),
	('fulfillment', 'initial a; a -> b do reserve; final b'), ('fulfillment', 'initial a; a -> b when unheld; final b'), ('order', 'initial a; a -> b do unheld; final b'), ('order', 'initial a; a -> b when reserve; final b')) AS v(entity, definition);
SELECT is((SELECT state FROM pg_temp.fault(pg_temp.insert('w', 'order', 'initial a; a -> b when g1, unheld, g2 do x1, reserve; b -> c when g1, fulfilled do x2; final c'))), 'OM004', 'four unknown names at once');
SELECT is((SELECT string_agg(n, ' ' ORDER BY n) FROM pg_temp.fault(pg_temp.insert('w', 'order', 'initial a; a -> b when g1, unheld, g2 do x1, reserve; b -> c when g1, fulfilled do x2; final c')) AS f,
	unnest(ARRAY['guard "g1"', 'guard "g2"', 'action "x1"', 'action "x2"']) AS n WHERE strpos(f.detail, n) > 0), 'action "x1" action "x2" guard "g1" guard "g2"', 'all of them stand in DETAIL');
SELECT alike((pg_temp.fault(pg_temp.insert('w', 'order', 'initial a; a -> b when g1, unheld, g2 do x1, reserve; b -> c when g1, fulfilled do x2; final c'))).message, '%"w"%guard "g1"%(and 3 more)%', 'the message names the first and counts the rest');
SELECT unalike((pg_temp.fault(pg_temp.insert('w', 'order', 'initial a; a -> b when g1, unheld, g2 do x1, reserve; b -> c when g1, fulfilled do x2; final c'))).detail, '%unheld%', 'known names are no finding');
SELECT is_empty($$ SELECT FROM shop.workflows WHERE name = 'w' $$, 'none of them was saved');
SELECT throws_ok($$ UPDATE shop.workflows SET name = 'default' WHERE name = 'standard' $$, 'OM006', NULL, 'a name is fixed');
SELECT throws_ok($$ UPDATE shop.workflows SET entity = 'fulfillment' WHERE name = 'standard' $$, 'OM006', NULL, 'an entity too');
SELECT throws_ok($$ INSERT INTO shop.workflows (name, entity, definition) VALUES ('standard', 'order', 'initial a; final a') $$, '23505', NULL, 'names are unique');
SELECT throws_ok($$ INSERT INTO shop.workflows (name, entity, definition) VALUES ('w', 'invoice', 'initial a; final a') $$, '23514', NULL, 'there are two entities');
SELECT throws_ok($$ UPDATE shop.workflows SET compiled = 'initial a; final a' WHERE name = 'standard' $$, '428C9', NULL, 'compiled is generated');
SELECT throws_ok($$ DELETE FROM shop.workflows WHERE name = 'standard' $$, '23503', NULL, 'one that a channel has stays');
SELECT lives_ok($$ UPDATE shop.workflows SET description = 'Ours' WHERE name = 'standard' $$, 'a description may change');
SELECT is((SELECT revision FROM shop.workflows WHERE name = 'standard'), 2::bigint, 'revisions are counted');
SELECT lives_ok(pg_temp.save('standard', (SELECT definition || ' -- the same' FROM shop.workflows WHERE name = 'standard')), 'a comment may be added');

-- ---- a state that rows are in stays

SELECT pg_temp.place('{"holds": [{"kind": "manual"}]}') AS held1 \gset
SELECT pg_temp.place('{"holds": [{"kind": "manual"}]}') AS held2 \gset
SELECT pg_temp.place() AS running \gset
INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR');
SELECT throws_ok(pg_temp.save('standard', 'initial draft; draft -> reserved do reserve; reserved -> gone do release; final gone'), 'OM004', NULL, 'states that orders are in cannot go');
SELECT alike((pg_temp.fault(pg_temp.save('standard', 'initial draft; draft -> reserved do reserve; reserved -> gone do release; final gone'))).message, '%1 in "confirmed", 2 in "placed"%', 'the message counts them');
SELECT throws_ok(pg_temp.save('ship', replace(definition, 'released', 'ready')), 'OM004', NULL, 'nor those that fulfillments are in') FROM shop.workflows WHERE name = 'ship';
SELECT lives_ok(pg_temp.save('pickup', replace(definition, 'released', 'ready')), 'others may be renamed') FROM shop.workflows WHERE name = 'pickup';
SELECT lives_ok(pg_temp.save('standard', $$initial draft; draft -> placed do reserve; placed -> confirmed when unheld, payable do confirm auto; confirmed -> done when fulfilled, paid auto;
	placed, confirmed -> canceled when unshipped do release; placed, confirmed -> canceled when all_canceled do release auto; final done, canceled$$), 'nobody is in completed: it may go');

-- ---- an edit is in force at once, in the same session

UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = :'running';
SELECT is((SELECT status FROM shop.orders WHERE id = :'running'), 'done', 'an order that was placed under the old one goes on by the new one');
SELECT ok(closed_at IS NOT NULL, 'and is closed there') FROM shop.orders WHERE id = :'running';
SELECT throws_ok(format($$ UPDATE shop.orders SET status = 'completed' WHERE id = %L $$, :'held1'), 'OM001', NULL, 'the old state is none');
SELECT throws_ok($$ UPDATE shop.orders SET status = 'canceled' WHERE status = 'draft' $$, 'OM001', NULL, 'a move that is gone is none');
SELECT lives_ok(pg_temp.save('standard', (SELECT definition || '; draft -> canceled' FROM shop.workflows WHERE name = 'standard')), 'put back');
SELECT lives_ok($$ UPDATE shop.orders SET status = 'canceled' WHERE status = 'draft' $$, 'it is there again');
SELECT pg_temp.sound('after edits');

-- ---- names are people's: the same machine with other words

SELECT lives_ok(pg_temp.insert('kasse', 'order', $$initial entwurf; entwurf -> bestellt do reserve; bestellt -> bezahlt when unheld, payable do confirm auto; bezahlt -> fertig when fulfilled, paid auto;
	entwurf -> storniert; bestellt, bezahlt -> storniert when unshipped do release; bestellt, bezahlt -> storniert when all_canceled do release auto; final fertig, storniert$$), 'an order in German');
SELECT lives_ok(pg_temp.insert('paket', 'fulfillment', $$initial offen; offen -> bereit when order_confirmed, order_unheld, group_complete auto; bereit -> weg when order_unheld do issue; weg -> da do deliver;
	weg -> zurueck do restock; offen, bereit -> aus do release; offen, bereit -> abgelehnt do reroute; final da, zurueck, aus, abgelehnt$$), 'a parcel too');
INSERT INTO shop.methods (code, name, workflow) VALUES ('paket', 'Paket', 'paket');
INSERT INTO shop.channels (code, name, order_workflow, default_method) VALUES ('laden', 'Laden', 'kasse', 'paket');
CREATE FUNCTION pg_temp.show(order_id uuid) RETURNS text LANGUAGE sql
AS $$ SELECT concat_ws(' ', o.status, o.fulfillment_status, o.return_status, o.total - o.credited, (SELECT string_agg(f.status || ' ' || f.location, ' ' ORDER BY f.id) FROM shop.fulfillments f WHERE f.order_id = o.id))
	FROM shop.orders o WHERE id = $1 $$;
SELECT pg_temp.place('{"channel": "laden"}') AS de \gset
SELECT is(pg_temp.show(:'de'), 'bezahlt unfulfilled none 20.0000 bereit a', 'placed and confirmed');
UPDATE shop.fulfillments SET status = 'abgelehnt' WHERE order_id = :'de';
SELECT is(pg_temp.show(:'de'), 'bezahlt unfulfilled none 20.0000 abgelehnt a bereit b', 'rerouted');
UPDATE shop.fulfillments SET status = 'weg' WHERE order_id = :'de' AND status = 'bereit';
SELECT is(pg_temp.show(:'de'), 'fertig fulfilled none 20.0000 abgelehnt a weg b', 'shipped and completed');
UPDATE shop.fulfillments SET status = 'zurueck' WHERE order_id = :'de' AND status = 'weg';
SELECT is(pg_temp.show(:'de'), 'fertig fulfilled returned 20.0000 abgelehnt a zurueck b', 'returned');
SELECT pg_temp.place('{"channel": "laden"}') AS de2 \gset
UPDATE shop.orders SET status = 'storniert' WHERE id = :'de2';
SELECT is(pg_temp.show(:'de2'), 'storniert unfulfilled none 0.0000 aus a', 'canceled by its fulfillments'' own move');
SELECT throws_ok(format($$ UPDATE shop.orders SET status = 'canceled' WHERE id = %L $$, :'de2'), 'OM001', NULL, 'English words mean nothing there');
SELECT pg_temp.sound('in German');

-- ---- machines of another shape

SELECT lives_ok(pg_temp.insert('short', 'order', 'initial cart; cart -> ordered do reserve, confirm; ordered -> canceled when unshipped do release; ordered -> closed when fulfilled auto; final canceled, closed'), 'reserve and confirm in one move');
INSERT INTO shop.channels (code, name, order_workflow) VALUES ('till', 'Till', 'short');
SELECT pg_temp.place('{"channel": "till"}') AS t \gset
SELECT is(pg_temp.show(:'t'), 'ordered unfulfilled none 20.0000 released a', 'is confirmed as soon as it is placed');
UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = :'t';
SELECT is(pg_temp.show(:'t'), 'closed fulfilled none 20.0000 shipped a', 'and closed when shipped');
SELECT is((SELECT status FROM oms.place_order('shop', '{"channel": "till", "currency": "EUR", "lines": [{"sku": "shirt", "quantity": 1, "unit_price": 10, "method": "counter"}]}')), 'closed', 'at the till all in one call');
SELECT lives_ok(pg_temp.insert('never', 'order', 'initial cart; cart -> ordered do reserve; ordered -> closed when fulfilled auto; ordered -> canceled when unshipped do release; final closed, canceled'), 'a workflow without a confirm step');
INSERT INTO shop.channels (code, name, order_workflow) VALUES ('never', 'Never confirmed', 'never');
SELECT pg_temp.place('{"channel": "never"}') AS n \gset
SELECT is(pg_temp.show(:'n'), 'ordered unfulfilled none 20.0000 open a', 'leaves its parcels open, for they ask whether it is confirmed');
SELECT lives_ok(format($$ UPDATE shop.orders SET status = 'canceled' WHERE id = %L $$, :'n'), 'it can be canceled');
SELECT lives_ok(pg_temp.insert('asks', 'order', 'initial cart; cart -> ordered; ordered -> closed; final closed'), 'a workflow without reserve');
INSERT INTO shop.channels (code, name, order_workflow) VALUES ('asks', 'Asks', 'asks');
SELECT throws_ok($$ SELECT pg_temp.place('{"channel": "asks"}') $$, 'OM004', NULL, 'place_order cannot place by it');
SELECT throws_ok(pg_temp.insert('two', 'order', 'initial a; a -> b when allocated; a -> b do reserve; final b'), '22P02', NULL, 'two manual moves between two states');
SELECT lives_ok(pg_temp.insert('pair', 'order', 'initial a; a -> b do reserve; b -> c when all_canceled do release auto; b -> c when unshipped do confirm, release; final c'), 'one manual and one automatic');
SELECT throws_ok($$ INSERT INTO shop.channels (code, name, order_workflow) VALUES ('x', 'X', 'unheard') $$, 'OM004', NULL, 'a channel''s workflow must exist');
SELECT throws_ok($$ INSERT INTO shop.channels (code, name, order_workflow) VALUES ('x', 'X', 'ship') $$, 'OM004', NULL, 'and be one for orders');
SELECT throws_ok($$ INSERT INTO shop.methods (code, name, workflow) VALUES ('x', 'X', 'standard') $$, 'OM004', NULL, 'a method''s one for fulfillments');
SELECT pg_temp.sound('of other shapes');

-- ---- guards and actions of one's own

SELECT throws_ok(pg_temp.insert('gift', 'order', 'initial a; a -> b when gift_ready do reserve; final b'), 'OM004', NULL, 'a guard that is not there');
CREATE FUNCTION shop.gift_ready(shop.orders) RETURNS boolean LANGUAGE sql AS $$ SELECT CASE ($1).po_number WHEN 'ready' THEN true WHEN 'later' THEN false END $$;
CREATE FUNCTION shop.note_it(shop.orders) RETURNS void LANGUAGE sql AS $$ INSERT INTO shop.customers (code, name) VALUES (($1).number, ($1).status || ' ' || current_user) $$;
CREATE FUNCTION shop.wrong_type(shop.orders) RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$;
CREATE FUNCTION shop.wrong_row(shop.fulfillments) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
CREATE FUNCTION shop.many(shop.orders) RETURNS SETOF boolean LANGUAGE sql AS $$ SELECT true $$;
CREATE FUNCTION shop.packed_well(shop.fulfillments) RETURNS boolean LANGUAGE sql AS $$ SELECT ($1).carrier IS NOT NULL $$;
CREATE FUNCTION shop.label(shop.fulfillments) RETURNS void LANGUAGE sql AS $$ UPDATE shop.fulfillments SET tracking_number = 'T-' || ($1).number WHERE id = ($1).id $$;
SELECT throws_ok(pg_temp.insert('gift', 'order', format('initial a; a -> b when %s; final b', guard)), 'OM004', NULL, 'no guard: ' || guard) FROM unnest(ARRAY['wrong_type', 'wrong_row', 'many', 'note_it']) AS guard;
SELECT throws_ok(pg_temp.insert('gift', 'order', 'initial a; a -> b do gift_ready; final b'), 'OM004', NULL, 'a guard is no action');
CREATE ROLE oms_test_stranger;
CREATE FUNCTION shop.strange(shop.orders) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
GRANT CREATE ON SCHEMA shop TO oms_test_stranger;
ALTER FUNCTION shop.strange(shop.orders) OWNER TO oms_test_stranger;
SELECT throws_ok(pg_temp.insert('gift', 'order', 'initial a; a -> b when strange; final b'), 'OM004', NULL, 'nor a function that is not the store owner''s');
SELECT lives_ok(pg_temp.insert('gift', 'order', 'initial a; a -> b when gift_ready do reserve, note_it, confirm; b -> c when fulfilled do note_it auto; b -> x when unshipped do release; final c, x'), 'now they are there');
INSERT INTO shop.channels (code, name, order_workflow, default_method) VALUES ('gift', 'Gift', 'gift', 'ship');
INSERT INTO shop.orders (channel, currency, po_number) VALUES ('gift', 'EUR', 'later') RETURNING id AS g, number AS gn \gset
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) VALUES (:'g', 1, 'shirt', 1, 1);
SELECT throws_ok(format($$ UPDATE shop.orders SET status = 'b' WHERE id = %L $$, :'g'), 'OM002', NULL, 'false refuses');
SELECT alike((pg_temp.fault(format($$ UPDATE shop.orders SET status = 'b' WHERE id = %L $$, :'g'))).message, format('order "%s" cannot move from "a" to "b": guard "gift_ready" refuses%%', :'gn'), 'by name');
SELECT throws_ok(format($$ UPDATE shop.orders SET status = 'b', po_number = NULL WHERE id = %L $$, :'g'), 'OM002', NULL, 'NULL is no');
SELECT is_empty(format('SELECT FROM shop.customers WHERE code = %L', :'gn'), 'no action ran');
SELECT lives_ok(format($$ UPDATE shop.orders SET status = 'b', po_number = 'ready' WHERE id = %L $$, :'g'), 'true lets go, asked of the row as it is after the statement');
SELECT is((SELECT name FROM shop.customers WHERE code = :'gn'), 'b ' || current_user, 'the action ran, on the row as it is then');
SELECT is(pg_temp.show(:'g'), 'b unfulfilled none 1.0000 released a', 'among the built-in ones');
SELECT lives_ok(pg_temp.save('ship', (SELECT replace(definition, 'packed -> shipped when order_unheld do issue', 'packed -> shipped when order_unheld, packed_well do issue, label') FROM shop.workflows WHERE name = 'ship')), 'a parcel with guard and action');
SELECT throws_ok(format($$ UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = %L $$, :'g'), 'OM002', NULL, 'the guard of fulfillments');
DELETE FROM shop.customers WHERE code = :'gn';
UPDATE shop.fulfillments SET status = 'shipped', carrier = 'post' WHERE order_id = :'g';
SELECT is((SELECT tracking_number = 'T-' || number FROM shop.fulfillments WHERE order_id = :'g'), true, 'the action of fulfillments');
SELECT is(pg_temp.show(:'g') || ' ' || (SELECT name FROM shop.customers WHERE code = :'gn'), 'c fulfilled none 1.0000 shipped a c ' || current_user, 'and the order''s own on its automatic move');
DROP FUNCTION shop.gift_ready(shop.orders);
INSERT INTO shop.orders (channel, currency, po_number) VALUES ('gift', 'EUR', 'ready') RETURNING id AS g2 \gset
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) VALUES (:'g2', 1, 'shirt', 1, 1);
SELECT throws_ok(format($$ UPDATE shop.orders SET status = 'b' WHERE id = %L $$, :'g2'), 'OM002', NULL, 'a guard that was dropped refuses');
SELECT pg_temp.sound('with guards and actions of one''s own');

SELECT * FROM finish();
ROLLBACK;
