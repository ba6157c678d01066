-- How workflows are lived: the process views and the picture with its traffic.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();
SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name) VALUES ('web', 'Web');
INSERT INTO shop.locations (code, name) VALUES ('a', 'A');
INSERT INTO shop.skus (code, name) VALUES ('shirt', 'Shirt');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('shirt', 'a', 'receipt', 100);
CREATE FUNCTION pg_temp.rows(query text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE list text; BEGIN EXECUTE format('SELECT string_agg(btrim(r::text, ''()''), E''\n'' ORDER BY r::text COLLATE "C") FROM (%s) AS r', query) INTO list; RETURN list; END $$;
CREATE FUNCTION pg_temp.place(n int) RETURNS void LANGUAGE sql AS $$ SELECT FROM generate_series(1, n) i, LATERAL oms.place_order('shop', ('{"channel": "web", "currency": "EUR", "external_ref": "' || clock_timestamp() || i || '", "lines": [{"sku": "shirt", "quantity": 1, "unit_price": 1}]}')::jsonb) $$;
CREATE FUNCTION pg_temp.move(VARIADIC states text[]) RETURNS void LANGUAGE plpgsql AS $$ DECLARE s text; BEGIN
	FOREACH s IN ARRAY states LOOP UPDATE shop.fulfillments SET status = s WHERE status NOT IN ('delivered', 'rejected', 'canceled'); END LOOP; END $$;
SELECT is(pg_temp.rows('SELECT * FROM shop.workflow_paths'), NULL, 'nothing has happened');
SELECT is(pg_temp.rows('SELECT * FROM shop.workflow_dwell'), NULL, 'nor stayed');

-- ---- three parcels go straight, one goes back and forth, one is still at it; a
-- step takes an hour, of the second one three

SELECT pg_temp.place(3);
SELECT pg_temp.move('picking', 'packed', 'shipped', 'delivered');
SELECT pg_temp.place(1);
SELECT pg_temp.move('picking', 'released', 'picking', 'packed', 'shipped', 'delivered');
SELECT pg_temp.place(1);
SELECT pg_temp.move('picking');
INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR');
ALTER TABLE shop.order_events DISABLE TRIGGER oms_log;
UPDATE shop.order_events e SET at = '2026-01-01 00:00Z'::timestamptz + n * CASE WHEN f.number LIKE '%-1' AND o.number = 'S-1001' THEN interval '3 hours' ELSE interval '1 hour' END
FROM (SELECT id, row_number() OVER (PARTITION BY entity_id ORDER BY id) AS n FROM shop.order_events WHERE event IN ('created', 'moved')) x,
	shop.order_events y LEFT JOIN shop.fulfillments f ON f.id = y.entity_id JOIN shop.orders o ON o.id = y.order_id WHERE x.id = e.id AND y.id = e.id;
ALTER TABLE shop.order_events ENABLE TRIGGER oms_log;

SELECT is(pg_temp.rows('SELECT workflow, path, is_final, rows, median_hours, p90_hours FROM shop.workflow_paths'),
'ship,"open -> released -> picking -> packed -> shipped -> delivered",t,3,5.0000,13.0000
ship,"open -> released -> picking -> released -> picking -> packed -> shipped -> delivered",t,1,7.0000,7.0000
ship,"open -> released -> picking",f,1,2.0000,2.0000
standard,"draft -> placed -> confirmed -> completed",t,4,3.0000,3.0000
standard,"draft -> placed -> confirmed",f,1,2.0000,2.0000
standard,draft,f,1,0.0000,0.0000', 'paths: how many took each, and how long');
SELECT is((SELECT string_agg(DISTINCT entity || ' ' || workflow, ', ' ORDER BY entity || ' ' || workflow) FROM shop.workflow_paths), 'fulfillment ship, order standard', 'of orders and fulfillments');
SELECT is(pg_temp.rows($$ SELECT state, visits, rows_now, median_hours, p90_hours FROM shop.workflow_dwell WHERE entity = 'fulfillment' $$),
'delivered,4,4,,
open,5,0,1.0000,2.2000
packed,4,0,1.0000,2.4000
picking,6,1,1.0000,2.2000
released,6,0,1.0000,2.0000
shipped,4,0,1.0000,2.4000', 'dwell: visits, who is there now, hours of stays that are over');
SELECT is(pg_temp.rows($$ SELECT entity, workflow, state, visits, rows_now FROM shop.workflow_dwell WHERE entity = 'order' $$),
'order,standard,completed,4,4
order,standard,confirmed,5,1
order,standard,draft,6,1
order,standard,placed,5,0', 'of orders');
SELECT is((SELECT string_agg(d.state || ' ' || d.rows_now, ', ') FROM shop.workflow_dwell d LEFT JOIN (SELECT workflow, status, count(*) AS n FROM (SELECT workflow, status FROM shop.orders UNION ALL SELECT workflow, status FROM shop.fulfillments) x GROUP BY 1, 2) r
	ON r.workflow = d.workflow AND r.status = d.state WHERE d.rows_now <> coalesce(r.n, 0)), NULL, 'rows_now is what the tables say');
SELECT is(pg_temp.rows('SELECT * FROM shop.workflow_conformance'), NULL, 'all of it conforms');

-- ---- the picture with its traffic

SELECT is(oms.to_mermaid('shop', 'standard'), 'stateDiagram-v2
    state "draft (1)" as draft
    state "placed (0)" as placed
    state "confirmed (1)" as confirmed
    state "completed (4)" as completed
    state "canceled (0)" as canceled
    [*] --> draft : 6x
    draft --> placed : / reserve 5x
    placed --> confirmed : auto [unheld, payable] / confirm 5x
    confirmed --> completed : auto [fulfilled, paid] 4x
    draft --> canceled : 0x
    placed --> canceled : [unshipped] / release 0x
    confirmed --> canceled : [unshipped] / release 0x
    placed --> canceled : auto [all_canceled] / release 0x
    confirmed --> canceled : auto [all_canceled] / release 0x
    completed --> [*]
    canceled --> [*]', 'rows and moves on the picture');
SELECT alike(shop.to_mermaid('ship'), '%picking --> released : 1x%', 'of fulfillments, by the store''s own function');
SELECT alike(shop.to_mermaid('ship'), '%released --> picking : 6x%', 'all moves of a pair');
SELECT alike(shop.to_mermaid('pickup'), '%state "open (0)" as open%[*] --> open : 0x%', 'of a workflow that nobody follows');
SELECT throws_ok($$ SELECT shop.to_mermaid('nothing') $$, '22023', 'store "shop" has no workflow "nothing"', 'of one that there is not');
SELECT throws_ok($$ SELECT oms.to_mermaid('nowhere', 'ship') $$, 'OM010', NULL, 'or no store');

-- ---- imported rows began at a time that the log does not know

SELECT shop.begin_import();
INSERT INTO shop.orders (channel, currency, status, placed_at, confirmed_at) VALUES ('web', 'EUR', 'confirmed', '2001-01-01', '2001-01-01');
SELECT is(pg_temp.rows($$ SELECT path, is_final, rows, median_hours FROM shop.workflow_paths WHERE path = 'confirmed' $$), 'confirmed,f,1,', 'an imported order has a path without hours');
UPDATE shop.orders SET status = 'canceled' WHERE id = (SELECT entity_id FROM shop.order_events WHERE event = 'imported');
SELECT is(pg_temp.rows($$ SELECT path, is_final, rows, median_hours FROM shop.workflow_paths WHERE path LIKE 'confirmed%' $$), '"confirmed -> canceled",t,1,', 'also when it goes on');
SELECT is(pg_temp.rows($$ SELECT visits, rows_now FROM shop.workflow_dwell WHERE state = 'confirmed' $$), '6,1', 'its stay counts');
SELECT is(pg_temp.rows($$ SELECT median_hours, p90_hours FROM shop.workflow_dwell WHERE state = 'confirmed' $$), '1.0000,1.0000', 'and its hours do not');
SELECT is(pg_temp.rows('SELECT * FROM shop.workflow_conformance'), NULL, 'it conforms');

-- ---- the workflow is edited: what was right is wrong by now

UPDATE shop.workflows SET definition = replace(definition, 'packed -> picking -> released;', 'packed -> picking;') WHERE name = 'ship';
SELECT is(pg_temp.rows('SELECT entity, workflow, event, from_status, to_status, problem, actor = current_user FROM shop.workflow_conformance'), 'fulfillment,ship,moved,picking,released,"no such move",t', 'a move that there is no more');
SELECT is((SELECT number || ' ' || position FROM shop.workflow_conformance), (SELECT f.number || ' ' || e.id FROM shop.fulfillments f JOIN shop.order_events e ON e.entity_id = f.id WHERE e.from_status = 'picking' AND e.to_status = 'released'), 'whose, and where in the log');
UPDATE shop.workflows SET definition = replace(replace(definition, 'released, picking, packed -> shipped', 'released, picking -> shipped'), 'packed', 'wrapped') WHERE name = 'ship';
SELECT is(pg_temp.rows('SELECT from_status, to_status, problem, count(*) FROM shop.workflow_conformance GROUP BY 1, 2, 3'), 'packed,shipped,"no such move",4
picking,packed,"no such state",4
picking,released,"no such move",1', 'a state that there is no more');
UPDATE shop.workflows SET definition = 'initial cart; cart -> draft;' || replace(definition, 'initial draft;', '') WHERE name = 'standard';
SELECT is(pg_temp.rows($$ SELECT to_status, problem, count(*) FROM shop.workflow_conformance WHERE entity = 'order' GROUP BY 1, 2 $$), 'draft,"not the initial state",6', 'another initial state');
SELECT is(pg_temp.rows($$ SELECT path, is_final FROM shop.workflow_paths WHERE workflow = 'standard' AND is_final $$), '"confirmed -> canceled",t
"draft -> placed -> confirmed -> completed",t', 'final states are those of now');
SELECT is(oms.to_mermaid('shop', 'ship') ~ 'wrapped \(0\)', true, 'the picture is of the workflow as it is now');

-- ---- a name that Mermaid keeps for itself; two moves between the same states

INSERT INTO shop.workflows (name, entity, definition) VALUES ('words', 'order', 'initial note; note -> end when unheld auto; note -> end do confirm; final end');
SELECT alike(shop.to_mermaid('words'), '%state "note (0)" as S_note%state "end (0)" as S_end%[*] --> S_note : 0x%S_note --> S_end : auto [unheld] 0x%S_note --> S_end : / confirm 0x%', 'names and labels');

-- ---- who may read them; they come again when they are lost

CREATE ROLE oms_test_analyst;
SELECT oms.grant_store('shop', 'oms_test_analyst', 'reader');
ALTER TABLE shop.order_events ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON shop.order_events FOR SELECT TO oms_test_analyst USING (entity = 'fulfillment');
SET ROLE oms_test_analyst;
SELECT is((SELECT string_agg(DISTINCT entity, ' ') FROM shop.workflow_paths), 'fulfillment', 'policies apply: to paths');
SELECT is((SELECT string_agg(DISTINCT entity, ' ') FROM shop.workflow_dwell), 'fulfillment', 'to dwell');
SELECT is((SELECT string_agg(DISTINCT entity, ' ') FROM shop.workflow_conformance), 'fulfillment', 'to conformance');
SELECT alike(shop.to_mermaid('standard'), '%completed (4)%[*] --> cart : 0x%', 'to the picture');
RESET ROLE;
DROP VIEW shop.workflow_paths, shop.workflow_dwell, shop.workflow_conformance;
SELECT is((SELECT string_agg(object, ' ' ORDER BY object) FROM oms.layout_repairs('shop') WHERE kind = 'view'), 'workflow_conformance workflow_dwell workflow_paths', 'a lost view is missed');
SELECT oms.upgrade_store('shop');
SELECT is((SELECT count(*) FROM shop.workflow_conformance), 15::bigint, 'and made again by upgrade_store');
SELECT is((SELECT string_agg(rule, ', ') FROM shop.verify_store() WHERE violations > 0), NULL, 'verify_store is clean');

SELECT * FROM finish();
ROLLBACK;
