-- Holds: counted, logged, released once, never deleted; what they stop.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name) VALUES ('web', 'Web');
INSERT INTO shop.locations (code, name) VALUES ('a', 'A');
INSERT INTO shop.skus (code, name) VALUES ('shirt', 'Shirt');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('shirt', 'a', 'receipt', 100);

CREATE FUNCTION pg_temp.place(more jsonb DEFAULT '{}') RETURNS uuid LANGUAGE sql
AS $$ SELECT order_id FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "shirt", "quantity": 2, "unit_price": 10}]}' || $1) $$;
CREATE FUNCTION pg_temp.show(order_id uuid) RETURNS text LANGUAGE sql
AS $$ SELECT concat_ws(' ', o.status, o.open_holds, (SELECT string_agg(f.status, ' ' ORDER BY f.id) FROM shop.fulfillments f WHERE f.order_id = o.id)) FROM shop.orders o WHERE id = $1 $$;
CREATE FUNCTION pg_temp.sound(what text) RETURNS text LANGUAGE sql
AS $$ SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL,
	'verify_store: ' || what) $$;
CREATE FUNCTION pg_temp.fault(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql
AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;

-- ---- a held order waits, and goes on when the last hold is released

SELECT pg_temp.place('{"holds": [{"kind": "fraud", "reason": "score 87"}, {"kind": "address"}]}') AS o \gset
SELECT is(pg_temp.show(:'o'), 'placed 2 open', 'held, it is not confirmed');
SELECT is((SELECT units_allocated FROM shop.orders WHERE id = :'o'), 2::bigint, 'but has its stock');
SELECT throws_ok(format($$ UPDATE shop.orders SET status = 'confirmed' WHERE id = %L $$, :'o'), 'OM002', NULL, 'by hand neither');
SELECT alike((pg_temp.fault(format($$ UPDATE shop.orders SET status = 'confirmed' WHERE id = %L $$, :'o'))).message, '%guard "unheld" refuses, because order "S-%" has 2 open holds', 'unheld says how many');
SELECT throws_ok(format($$ UPDATE shop.fulfillments SET status = 'released' WHERE order_id = %L $$, :'o'), 'OM002', NULL, 'nor its parcel');
UPDATE shop.order_holds SET released_at = clock_timestamp() WHERE order_id = :'o' AND kind = 'fraud';
SELECT is(pg_temp.show(:'o'), 'placed 1 open', 'one of two is released');
SET LOCAL oms.actor = 'Rita';
UPDATE shop.order_holds SET released_at = clock_timestamp() WHERE order_id = :'o' AND released_at IS NULL;
RESET oms.actor;
SELECT is(pg_temp.show(:'o'), 'confirmed 0 released', 'the other one: it goes on');
SELECT is((SELECT string_agg(kind || ' ' || placed_by || ' ' || released_by, ', ' ORDER BY kind) FROM shop.order_holds WHERE order_id = :'o'),
	format('address %1$s Rita, fraud %1$s %1$s', current_user), 'who placed and released them is filled in');
SELECT is((SELECT string_agg(concat_ws(' ', event, entity, reason, actor), ', ' ORDER BY id) FROM shop.order_events WHERE order_id = :'o' AND event IN ('held', 'unheld')),
	format('held order fraud %1$s, held order address %1$s, unheld order fraud %1$s, unheld order address Rita', current_user), 'an event for each');
SELECT is((SELECT count(*) FROM shop.order_events e JOIN shop.order_holds h ON h.order_id = e.order_id AND h.id = (e.detail ->> 'hold')::uuid WHERE e.order_id = :'o'), 4::bigint, 'which names the hold');
SELECT is_empty($$ SELECT FROM shop.order_events WHERE detail::text LIKE '%score%' OR reason LIKE '%score%' $$, 'what people wrote about it is not in the log');
SELECT pg_temp.sound('released');

-- ---- a hold on a confirmed order stops what leaves

INSERT INTO shop.order_holds (order_id, kind) VALUES (:'o', 'manual');
SELECT is(pg_temp.show(:'o'), 'confirmed 1 released', 'a confirmed order stays confirmed');
SELECT lives_ok(format($$ UPDATE shop.fulfillments SET status = 'picking' WHERE order_id = %L $$, :'o'), 'it may be picked');
SELECT lives_ok(format($$ UPDATE shop.fulfillments SET status = 'packed' WHERE order_id = %L $$, :'o'), 'and packed');
SELECT throws_ok(format($$ UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = %L $$, :'o'), 'OM002', NULL, 'but not shipped');
SELECT alike((pg_temp.fault(format($$ UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = %L $$, :'o'))).message, 'fulfillment "S-%-1" cannot move from "packed" to "shipped": guard "order_unheld" refuses, because order "S-%" has 1 open hold', 'the guard says why');
SELECT is((SELECT reserved || ' ' || on_hand FROM shop.stock), '2 100', 'nothing has left');
SELECT throws_ok(format($$ WITH h AS (UPDATE shop.order_holds SET released_at = NULL WHERE order_id = %L RETURNING id) SELECT FROM h $$, :'o'), 'OM006', NULL, 'released holds stay released');
UPDATE shop.order_holds SET released_at = clock_timestamp(), released_by = 'the boss' WHERE order_id = :'o' AND kind = 'manual';
SELECT is((SELECT released_by FROM shop.order_holds WHERE order_id = :'o' AND kind = 'manual'), 'the boss', 'who released it may be said');
SELECT lives_ok(format($$ UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = %L $$, :'o'), 'released, it ships');
SELECT is(pg_temp.show(:'o'), 'completed 0 shipped', 'and is complete');
SELECT pg_temp.place('{"lines": [{"sku": "shirt", "quantity": 1, "unit_price": 10, "method": "counter"}], "holds": [{"kind": "approval"}]}') AS till \gset
SELECT is(pg_temp.show(:'till'), 'placed 1 open', 'at the counter too');
UPDATE shop.order_holds SET released_at = clock_timestamp() WHERE order_id = :'till';
SELECT is(pg_temp.show(:'till'), 'completed 0 handed_over', 'its release hands it over');

-- ---- of a draft, and canceling what is held

INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR') RETURNING id AS d \gset
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) VALUES (:'d', 1, 'shirt', 1, 1);
INSERT INTO shop.order_holds (order_id, kind) SELECT :'d', unnest(ARRAY['fraud', 'payment', 'approval', 'address', 'credit', 'stock', 'manual', 'remorse']);
SELECT is(pg_temp.show(:'d'), 'draft 8', 'eight kinds');
SELECT throws_ok(format($$ INSERT INTO shop.order_holds (order_id, kind) VALUES (%L, 'boredom') $$, :'d'), '23514', NULL, 'and no other');
UPDATE shop.orders SET status = 'placed' WHERE id = :'d';
SELECT is(pg_temp.show(:'d'), 'placed 8 open', 'holds of a draft hold it when it is placed');
UPDATE shop.orders SET status = 'canceled' WHERE id = :'d';
SELECT is(pg_temp.show(:'d'), 'canceled 8 canceled', 'a held order can be canceled');
UPDATE shop.order_holds SET released_at = clock_timestamp() WHERE order_id = :'d';
SELECT is(pg_temp.show(:'d'), 'canceled 0 canceled', 'and stays so when its holds go');
INSERT INTO shop.order_holds (order_id, kind, released_at, released_by) VALUES (:'till', 'manual', '2026-01-01', 'import');
SELECT is(pg_temp.show(:'till'), 'completed 0 handed_over', 'a hold that is over when it is written is not counted');
SELECT throws_ok($$ INSERT INTO shop.order_holds (order_id, kind) VALUES (oms.uuid7(), 'manual') $$, '23503', NULL, 'an order that does not exist');

-- several orders and holds in one statement
SELECT pg_temp.place('{"holds": [{"kind": "fraud"}]}') AS p1 \gset
SELECT pg_temp.place('{"holds": [{"kind": "fraud"}, {"kind": "fraud"}]}') AS p2 \gset
UPDATE shop.order_holds SET released_at = clock_timestamp() WHERE order_id IN (:'p1', :'p2');
SELECT is(pg_temp.show(:'p1') || '; ' || pg_temp.show(:'p2'), 'confirmed 0 released; confirmed 0 released', 'all released at once');
SELECT pg_temp.sound('several at once');

-- ---- the history of holds is kept

SELECT throws_ok(format($$ UPDATE shop.order_holds SET %s WHERE order_id = %L $$, change, :'p1'), 'OM006', NULL, 'not of a released hold: ' || change)
FROM unnest(ARRAY['released_at = NULL', 'released_at = ''2020-01-01''', 'released_by = ''nobody''', 'kind = ''manual''', 'order_id = (SELECT id FROM shop.orders WHERE id <> order_id LIMIT 1)', 'placed_by = ''x''',
	'placed_at = ''2020-01-01''', 'id = oms.uuid7()']) AS change;
SELECT lives_ok(format($$ UPDATE shop.order_holds SET reason = 'checked twice' WHERE order_id = %L $$, :'p1'), 'a reason may be added');
INSERT INTO shop.order_holds (order_id, kind) VALUES (:'p1', 'manual');
SELECT lives_ok(format($$ UPDATE shop.order_holds SET expires_at = now() + interval '1 hour' WHERE order_id = %L AND released_at IS NULL $$, :'p1'), 'an open one may expire later');
SELECT throws_ok(format($$ UPDATE shop.order_holds SET %s WHERE order_id = %L AND released_at IS NULL $$, change, :'p1'), 'OM006', NULL, 'not of an open hold: ' || change)
FROM unnest(ARRAY['kind = ''fraud''', 'placed_by = ''x''', 'placed_at = ''2020-01-01''']) AS change;
SELECT throws_ok(format($$ DELETE FROM shop.order_holds WHERE order_id = %L AND released_at IS NULL $$, :'p1'), 'OM005', NULL, 'an open hold is not deleted');
SELECT throws_ok(format($$ DELETE FROM shop.order_holds WHERE order_id = %L AND released_at IS NOT NULL $$, :'p2'), 'OM005', NULL, 'a released one neither');
SELECT throws_ok($$ TRUNCATE shop.order_holds $$, 'OM005', NULL, 'nor all of them');
SELECT is(pg_temp.show(:'p1'), 'confirmed 1 released', 'it holds still');
SELECT pg_temp.sound('in the end');

SELECT * FROM finish();
ROLLBACK;
