-- The log: append-only, an event for whatever happens, who did it and when.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, if_short) VALUES ('web', 'Web', 'hold');
INSERT INTO shop.locations (code, name, priority) VALUES ('a', 'A', 1), ('b', 'B', 2);
INSERT INTO shop.skus (code, name) VALUES ('shirt', 'Shirt');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('shirt', 'a', 'receipt', 3), ('shirt', 'b', 'receipt', 1);

CREATE FUNCTION pg_temp.log(order_id uuid, after bigint DEFAULT 0) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(concat_ws(' ', entity, event, CASE WHEN from_status IS NOT NULL THEN from_status || ' ->' END, to_status, 'because ' || reason, detail #- '{hold}'), E'\n' ORDER BY id)
	FROM shop.order_events e WHERE e.order_id = $1 AND e.id > $2 $$;
CREATE FUNCTION pg_temp.last() RETURNS bigint LANGUAGE sql AS $$ SELECT coalesce(max(id), 0) FROM shop.order_events $$;

-- ---- each kind

SET LOCAL oms.actor = 'web shop';
INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR') RETURNING id AS o, number AS number \gset
RESET oms.actor;
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) VALUES (:'o', 1, 'shirt', 5, 10);
SELECT is(pg_temp.log(:'o'), 'order created draft', 'created');
UPDATE shop.orders SET po_number = 'secret name', attributes = '{"for": "Ann"}' WHERE id = :'o';
SELECT is(pg_temp.log(:'o'), 'order created draft
order edited {"columns": ["po_number", "attributes"]}', 'edited');
SELECT pg_temp.last() AS last \gset
UPDATE shop.orders SET status = 'placed' WHERE id = :'o';
SELECT is(pg_temp.log(:'o', :last), 'order moved draft -> placed
order allocated {"lines": [{"line": 1, "location": "a", "quantity": 3}, {"line": 1, "location": "b", "quantity": 1}], "units": 4}
order_line shorted {"line": 1, "quantity": 1}
order held because stock {}
fulfillment created open
fulfillment created open', 'moved, allocated, shorted, held and two fulfillments created');
SELECT pg_temp.last() AS last \gset
UPDATE shop.order_holds SET released_at = clock_timestamp() WHERE order_id = :'o';
SELECT is(pg_temp.log(:'o', :last), 'order unheld because stock {}
order moved placed -> confirmed
fulfillment moved open -> released
fulfillment moved open -> released', 'unheld, and what follows by itself');
SELECT pg_temp.last() AS last \gset
SELECT oms.cancel_lines('shop', :'o', '[{"line": 1, "quantity": 2}]', 'customer_request');
SELECT is((SELECT string_agg(concat_ws(' ', entity, event, to_status, reason, detail ->> 'quantity'), ', ' ORDER BY id) FROM shop.order_events WHERE order_id = :'o' AND id > :last AND event = 'canceled_units'),
	'order_line canceled_units customer_request 1, order_line canceled_units customer_request 1', 'canceled_units, for each line and fulfillment');
SELECT is((SELECT count(*) FROM shop.order_events WHERE order_id = :'o' AND id > :last AND entity = 'fulfillment' AND to_status = 'canceled' AND reason = 'customer_request'), 1::bigint, 'the fulfillment has moved for that reason');
SELECT pg_temp.last() AS last \gset
UPDATE shop.fulfillments SET status = 'rejected', status_reason = 'closed' WHERE order_id = :'o' AND location = 'a' AND status = 'released';
SELECT is((SELECT string_agg(concat_ws(' ', event, to_status, reason), ', ' ORDER BY id) FROM shop.order_events WHERE order_id = :'o' AND id > :last AND event IN ('moved', 'allocated', 'shorted', 'created')),
	'moved rejected closed, allocated, shorted, created open, moved released', 'a reject: moved, allocated anew, shorted');
SELECT is((SELECT string_agg(DISTINCT event, ' ' ORDER BY event) FROM shop.order_events), 'allocated canceled_units created edited held moved shorted unheld', 'these are all there are');
SELECT is((SELECT to_status FROM shop.order_events WHERE entity_id = :'o' AND event = 'moved' ORDER BY id DESC LIMIT 1), (SELECT status FROM shop.orders WHERE id = :'o'), 'the last move is the status');
SELECT is_empty($$ SELECT FROM shop.order_events WHERE detail::text ~ 'secret|Ann' $$, 'no personal data');
SELECT is_empty($$ SELECT FROM shop.order_events e WHERE NOT EXISTS (SELECT FROM shop.orders o WHERE o.id = e.order_id) OR (entity = 'order' AND entity_id <> order_id)
	OR (entity = 'fulfillment' AND NOT EXISTS (SELECT FROM shop.fulfillments f WHERE f.id = entity_id)) OR (entity = 'order_line' AND NOT EXISTS (SELECT FROM shop.order_lines l WHERE l.id = entity_id)) $$, 'each names its order and its entity');

-- ---- who, when, in which transaction

SELECT is((SELECT actor FROM shop.order_events WHERE order_id = :'o' ORDER BY id LIMIT 1), 'web shop', 'oms.actor where it is set');
SELECT is((SELECT string_agg(DISTINCT actor, ' ') FROM shop.order_events WHERE event IN ('edited', 'unheld')), current_user::text, 'else the current user');
SELECT is((SELECT string_agg(DISTINCT xid::text, ' ') FROM shop.order_events), pg_current_xact_id()::text, 'xid is the transaction''s');
SELECT ok(bool_and(at BETWEEN now() AND clock_timestamp()), 'at is the clock''s') FROM shop.order_events;
SELECT ok(bool_and(at >= before), 'and never goes back') FROM (SELECT at, lag(at) OVER (ORDER BY id) AS before FROM shop.order_events) AS x;
CREATE ROLE oms_test_clerk;
GRANT USAGE ON SCHEMA shop TO oms_test_clerk;
GRANT SELECT, UPDATE (status, status_reason) ON shop.orders, shop.fulfillments TO oms_test_clerk;
SELECT order_id AS c FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "shirt", "quantity": 1, "unit_price": 1}]}') \gset
SET ROLE oms_test_clerk;
UPDATE shop.orders SET status = 'canceled' WHERE id = :'c';
RESET ROLE;
SELECT is((SELECT string_agg(DISTINCT actor, ' ') FROM shop.order_events WHERE order_id = :'c' AND to_status = 'canceled'), 'oms_test_clerk', 'the clerk, not the owner whom the engine acts as');
SELECT is((SELECT status FROM shop.orders WHERE id = :'c'), 'canceled', 'who may update the status alone');

-- ---- append-only

SELECT throws_ok($$ INSERT INTO shop.order_events (order_id, entity, entity_id, event, actor) VALUES (oms.uuid7(), 'order', oms.uuid7(), 'moved', 'me') $$, 'OM005', NULL, 'INSERT');
SELECT throws_ok($$ UPDATE shop.order_events SET actor = 'nobody' $$, 'OM005', NULL, 'UPDATE');
SELECT throws_ok($$ DELETE FROM shop.order_events $$, 'OM005', NULL, 'DELETE');
SELECT throws_ok($$ TRUNCATE shop.order_events $$, 'OM005', NULL, 'TRUNCATE');

-- ---- the timeline

SELECT is((SELECT string_agg(concat_ws(' ', order_number, entity, number, event, to_status), ', ' ORDER BY at) FROM (SELECT * FROM shop.order_timeline WHERE order_number = :'number' ORDER BY at LIMIT 3) AS t),
	format('%1$s order %1$s created draft, %1$s order %1$s edited, %1$s order %1$s moved placed', :'number'), 'tells an order''s story');
SELECT is((SELECT count(*) FROM shop.order_timeline), (SELECT count(*) FROM shop.order_events), 'all of it');
SELECT is((SELECT string_agg(DISTINCT number, ' ') FROM shop.order_timeline WHERE order_number = :'number' AND entity = 'fulfillment' AND event = 'created'), (SELECT string_agg(number, ' ' ORDER BY number) FROM shop.fulfillments WHERE order_id = :'o'), 'fulfillments by their number');

SELECT * FROM finish();
ROLLBACK;
