-- oms.replace_workflow: a definition whose states differ from those that rows
-- are in, and the rows that follow it.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name) VALUES ('web', 'Web');
INSERT INTO shop.locations (code, name) VALUES ('a', 'A');
INSERT INTO shop.skus (code, name) VALUES ('hat', 'Hat');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('hat', 'a', 'receipt', 1000);

CREATE FUNCTION pg_temp.fault(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;
CREATE FUNCTION pg_temp.sound(what text) RETURNS text LANGUAGE sql
AS $$ SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL, 'verify_store: ' || what) $$;
CREATE FUNCTION pg_temp.place(more jsonb DEFAULT '{}') RETURNS uuid LANGUAGE sql
AS $$ SELECT order_id FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "hat", "quantity": 2, "unit_price": 10}]}' || $1) $$;
CREATE FUNCTION pg_temp.edited(name text, a text, b text) RETURNS text LANGUAGE sql AS $$ SELECT quote_literal(replace(definition, a, b)) FROM shop.workflows w WHERE w.name = $1 $$;
CREATE FUNCTION pg_temp.replace(name text, a text, b text, map text DEFAULT '{}') RETURNS text LANGUAGE sql
AS $$ SELECT format('SELECT oms.replace_workflow(''shop'', %L, %s, %L)', name, pg_temp.edited(name, a, b), map) $$;
CREATE FUNCTION pg_temp.states(entity text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	found text;
BEGIN
	EXECUTE format('SELECT string_agg(status || '' '' || n, '', '' ORDER BY status) FROM (SELECT status, count(*) AS n FROM shop.%ss GROUP BY 1) s', entity) INTO found;
	RETURN found;
END $$;

-- 2 drafts, 3 held, 4 running, 2 completed, 1 canceled
SELECT count(pg_temp.place('{"holds": [{"kind": "manual"}]}')) FROM generate_series(1, 3) \gset
SELECT count(pg_temp.place()) FROM generate_series(1, 7) \gset
INSERT INTO shop.orders (channel, currency) SELECT 'web', 'EUR' FROM generate_series(1, 2);
UPDATE shop.fulfillments SET status = 'shipped' WHERE number IN ('S-1008-1', 'S-1009-1');
UPDATE shop.fulfillments SET status = 'picking' WHERE number IN ('S-1004-1', 'S-1005-1');
UPDATE shop.orders SET status = 'canceled' WHERE number = 'S-1003';
SELECT is(pg_temp.states('order'), 'canceled 1, completed 2, confirmed 4, draft 2, placed 3', 'orders before');
SELECT is(pg_temp.states('fulfillment'), 'canceled 1, open 3, picking 2, released 2, shipped 2', 'fulfillments before');

-- ---- what is refused, and changes nothing

SELECT is((x.fault).state || ' ' || (x.fault).message, expected, expected) FROM (VALUES
	(pg_temp.replace('standard', 'placed', 'booked'), 'OM004 workflow "standard" must keep the states that orders are in: 3 in "placed"'),
	(pg_temp.replace('standard', 'placed', 'booked', '{"confirmed": "booked"}'), 'OM004 workflow "standard" must keep the states that orders are in: 3 in "placed"'),
	(pg_temp.replace('ship', 'picking', 'collecting', '{"packed": "collecting"}'), 'OM004 workflow "ship" must keep the states that fulfillments are in: 2 in "picking"'),
	(pg_temp.replace('standard', 'placed', 'booked', '{"plcaed": "booked"}'), '22023 workflow has no state "plcaed"'),
	(pg_temp.replace('standard', 'placed', 'booked', '{"placed": "bokoed"}'), '22023 workflow has no state "bokoed"'),
	(pg_temp.replace('standard', 'placed', 'booked', '{"placed": 1}'), '22023 map must say a state by name for "placed"'),
	(pg_temp.replace('standard', 'placed', 'booked', '["placed"]'), '22023 map must be an object'),
	(pg_temp.replace('standard', 'placed', 'booked', '{"placed": "completed"}'), 'OM004 workflow "standard" is unsound: reservation_leak: "completed" is final, and the order can still hold stock then (completed): have a move on the way do release, or guard it by fulfilled or all_canceled'),
	(pg_temp.replace('ship', 'picking', 'collecting', '{"picking": "canceled"}'), 'OM004 workflow "ship" is unsound: stock_leak: "canceled" is final, and stock can still be held then (canceled): have a move on the way do issue, release or reroute'),
	(pg_temp.replace('ship', 'shipped', 'sent', '{"shipped": "packed"}'), 'OM004 workflow "ship" is unsound: stock_twice: the move from "released" to "sent" does issue, but stock has left already (packed -> picking -> released -> sent): take the action out, or use two states instead of "released" (and 8 more)'),
	('SELECT oms.replace_workflow(''shop'', ''nix'', ''initial a'')', 'OM004 workflow "nix" does not exist in store "shop"')) AS v(statement, expected),
	LATERAL (SELECT pg_temp.fault(statement)) AS x(fault);
SELECT alike((pg_temp.fault(pg_temp.replace('standard', 'placed', 'booked'))).hint, '%map of oms.replace_workflow%', 'the hint says how');
SELECT is((pg_temp.fault($$ UPDATE shop.orders SET status = 'canceled' WHERE status = 'completed' $$)).state, 'OM001', 'moves are judged after a failure as ever');
SELECT is(pg_temp.states('order') || '; ' || pg_temp.states('fulfillment'), 'canceled 1, completed 2, confirmed 4, draft 2, placed 3; canceled 1, open 3, picking 2, released 2, shipped 2', 'nothing has changed');

-- ---- rows follow

CREATE TEMP TABLE before AS SELECT id, revision, to_jsonb(o) - 'status' - 'revision' AS rest FROM shop.orders o UNION ALL SELECT id, revision, to_jsonb(f) - 'status' - 'revision' FROM shop.fulfillments f;
SELECT coalesce(max(id), 0) AS last FROM shop.order_events \gset
SELECT is(oms.replace_workflow('shop', 'standard', replace(replace(definition, 'placed', 'booked'), 'confirmed', 'running'), '{"placed": "booked", "confirmed": "running"}'), 7::bigint, 'seven orders') FROM shop.workflows WHERE name = 'standard';
SELECT is(pg_temp.states('order'), 'booked 3, canceled 1, completed 2, draft 2, running 4', 'are where the map says');
SELECT is(shop.replace_workflow('ship', replace(definition, 'picking', 'collecting'), '{"picking": "collecting"}'), 2::bigint, 'two fulfillments, by the store''s own function') FROM shop.workflows WHERE name = 'ship';
SELECT is(pg_temp.states('fulfillment'), 'canceled 1, collecting 2, open 3, released 2, shipped 2', 'too');
SELECT is((SELECT string_agg(DISTINCT b.id::text, ' ') FROM before b JOIN (SELECT id, revision, to_jsonb(o) - 'status' - 'revision' AS rest FROM shop.orders o UNION ALL SELECT id, revision, to_jsonb(f) - 'status' - 'revision' FROM shop.fulfillments f) a USING (id)
	WHERE a.rest <> b.rest), NULL, 'nothing else of them has changed: times, counters, reasons');
SELECT is((SELECT count(*) FROM before b JOIN (SELECT id, revision FROM shop.orders UNION ALL SELECT id, revision FROM shop.fulfillments) a USING (id) WHERE a.revision <> b.revision), 9::bigint, 'only those were written');
SELECT is((SELECT string_agg(concat_ws(' ', n, entity, event, from_status, to_status, detail, actor = current_user), '; ' ORDER BY entity, from_status) FROM (SELECT count(*) AS n, entity, event, from_status, to_status, detail, actor FROM shop.order_events WHERE id > :last GROUP BY 2, 3, 4, 5, 6, 7) s),
	'2 fulfillment moved picking collecting {"workflow": "ship"} t; 4 order moved confirmed running {"workflow": "standard"} t; 3 order moved placed booked {"workflow": "standard"} t', 'each is logged as moved, by the workflow, and nothing else happened');
SELECT pg_temp.sound('after a replacement');
SELECT is((pg_temp.fault($$ UPDATE shop.orders SET status = 'confirmed' WHERE status = 'booked' $$)).state, 'OM001', 'the old states are gone');
UPDATE shop.order_holds SET released_at = now() WHERE order_id = (SELECT id FROM shop.orders WHERE number = 'S-1000');
SELECT is((SELECT o.status || ' ' || f.status FROM shop.orders o JOIN shop.fulfillments f ON f.order_id = o.id WHERE o.number = 'S-1000'), 'running released', 'they go on by the new ones');
UPDATE shop.fulfillments SET status = 'shipped' WHERE number = 'S-1004-1';
SELECT is((SELECT status FROM shop.orders WHERE number = 'S-1004'), 'completed', 'to the end');
SELECT is(oms.replace_workflow('shop', 'standard', definition), 0::bigint, 'the same again moves nobody') FROM shop.workflows WHERE name = 'standard';
SELECT is(oms.replace_workflow('shop', 'standard', definition, NULL), 0::bigint, 'no map is an empty one') FROM shop.workflows WHERE name = 'standard';

-- two states change places; two become one
SELECT is(oms.replace_workflow('shop', 'ship', definition, '{"released": "collecting", "collecting": "released"}'), 4::bigint, 'states change places') FROM shop.workflows WHERE name = 'ship';
SELECT is(pg_temp.states('fulfillment'), 'canceled 1, collecting 3, open 2, released 1, shipped 3', 'at once');
SELECT is(oms.replace_workflow('shop', 'ship', regexp_replace(definition, 'collecting(,| ->) ', '', 'g'), '{"collecting": "released"}'), 3::bigint, 'two states become one') FROM shop.workflows WHERE name = 'ship';
SELECT is(pg_temp.states('fulfillment'), 'canceled 1, open 2, released 4, shipped 3', 'with the rows of both');
SELECT pg_temp.sound('after more');

-- ---- closed_at follows

SELECT is((SELECT string_agg(number, ' ' ORDER BY number) FROM shop.orders WHERE closed_at IS NOT NULL), 'S-1003 S-1004 S-1008 S-1009', 'closed are');
SELECT is((pg_temp.fault($$ UPDATE shop.workflows SET definition = replace(definition, 'final completed', 'completed -> archived; final archived') WHERE name = 'standard' $$)).message,
	'workflow "standard" must keep whether a state that orders are in is final: 3 in "completed"', 'plainly saved, an end cannot be opened under orders that are closed');
SELECT is(oms.replace_workflow('shop', 'standard', replace(definition, 'final completed', 'completed -> archived; final archived')), 0::bigint, 'replaced, it can, and no status changes') FROM shop.workflows WHERE name = 'standard';
SELECT is((SELECT string_agg(number, ' ' ORDER BY number) FROM shop.orders WHERE closed_at IS NOT NULL), 'S-1003', 'they are open again');
SELECT pg_temp.sound('with orders opened');
UPDATE shop.orders SET status = 'archived' WHERE number = 'S-1008';
UPDATE shop.orders SET status_reason = 'other' WHERE number = 'S-1003';
SELECT closed_at AS closed FROM shop.orders WHERE number = 'S-1003' \gset
SELECT is(oms.replace_workflow('shop', 'standard', regexp_replace(replace(definition, 'completed -> archived; final archived', 'final completed'), '\ycanceled\y', 'void', 'g'), '{"archived": "completed", "canceled": "void"}'), 2::bigint, 'closed by a new end') FROM shop.workflows WHERE name = 'standard';
SELECT is((SELECT string_agg(number || ' ' || status, ', ' ORDER BY number) FROM shop.orders WHERE closed_at IS NOT NULL), 'S-1003 void, S-1004 completed, S-1008 completed, S-1009 completed', 'those who are there');
SELECT is((SELECT status_reason || ' ' || (closed_at = :'closed') FROM shop.orders WHERE number = 'S-1003'), 'other true', 'who was closed stays so since then, for the reason there was');
SELECT pg_temp.sound('with orders closed');

-- ---- no guard is asked, no action runs, nothing moves by itself

CREATE FUNCTION shop.never(shop.orders) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'a guard was asked'; END $$;
CREATE FUNCTION shop.cry(shop.orders) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'an action ran'; END $$;
SELECT lives_ok($$ SELECT oms.replace_workflow('shop', 'standard', replace(replace(definition, 'running', 'moving'), 'draft -> booked do reserve', 'draft -> booked when never do reserve, cry'), '{"running": "moving"}') FROM shop.workflows WHERE name = 'standard' $$, 'past guards and actions that would fail');
SELECT lives_ok($$ SELECT oms.replace_workflow('shop', 'standard', replace(definition, 'moving -> completed when fulfilled, paid auto', 'moving -> kept auto; kept -> completed when fulfilled, paid')
	|| 'kept -> void do release;') FROM shop.workflows WHERE name = 'standard' $$, 'an automatic move that is open at once');
SELECT is((SELECT count(*) FROM shop.orders WHERE status = 'moving'), 4::bigint, 'is not made by the replacement');
CREATE FUNCTION pg_temp.bend() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.status := 'void'; RETURN NEW; END $$;
CREATE TRIGGER z_bend BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION pg_temp.bend();
SELECT is((pg_temp.fault($$ SELECT oms.replace_workflow('shop', 'standard', replace(definition, 'moving', 'going'), '{"moving": "going"}') FROM shop.workflows WHERE name = 'standard' $$)).state, 'OM001', 'a trigger of a user''s cannot send rows elsewhere meanwhile');
DROP TRIGGER z_bend ON shop.orders;
SELECT is((oms.tick('shop')).moves, 4::bigint, 'but by the next tick');
SELECT is((SELECT count(*) FROM shop.workflow_conformance c JOIN shop.order_events e ON e.id = c.position WHERE e.detail ? 'workflow' AND c.problem = 'no such move'), 0::bigint, 'to follow a workflow is no move out of line');
SELECT cmp_ok((SELECT count(*) FROM shop.order_events e WHERE e.detail ? 'workflow'), '>', 4::bigint, 'and there were some');
SELECT pg_temp.sound('in the end');

-- ---- many at once: a fixed number of statements

INSERT INTO shop.orders (channel, currency) SELECT 'web', 'EUR' FROM generate_series(1, 500);
SELECT is(oms.replace_workflow('shop', 'standard', replace(definition, 'draft', 'cart'), '{"draft": "cart"}'), 502::bigint, 'five hundred drafts') FROM shop.workflows WHERE name = 'standard';
SELECT lives_ok($$ DELETE FROM shop.orders WHERE status = 'cart' $$, 'which are drafts still');
SELECT pg_temp.sound('after many');

-- ---- who may

CREATE ROLE oms_test_clerk;
CREATE ROLE oms_test_manager;
SELECT oms.grant_store('shop', 'oms_test_clerk', 'clerk'), oms.grant_store('shop', 'oms_test_manager', 'manager');
SET LOCAL ROLE oms_test_clerk;
SELECT is((pg_temp.fault($$ SELECT oms.replace_workflow('shop', 'ship', 'initial open; open -> x do release; final x') $$)).state, '42501', 'not a clerk');
SET LOCAL ROLE oms_test_manager;
SELECT lives_ok(pg_temp.replace('ship', 'released', 'free', '{"released": "free"}'), 'a manager');
SELECT is((SELECT DISTINCT actor FROM shop.order_events WHERE to_status = 'free'), 'oms_test_manager', 'who is in the log');
RESET ROLE;
SELECT pg_temp.sound('at last');

SELECT * FROM finish();
ROLLBACK;
