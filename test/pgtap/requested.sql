-- When the customer wants it: requested_at of orders, lines and fulfillments, and
-- guard due, which waits for it.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name) VALUES ('web', 'Web');
INSERT INTO shop.locations (code, name, priority) VALUES ('a', 'A', 1), ('b', 'B', 2);
INSERT INTO shop.skus (code, name, kind) VALUES ('cake', 'Cake', 'physical'), ('candle', 'Candle', 'physical'), ('tuning', 'Tuning', 'service'),
	('care', 'Care', 'warranty'), ('party', 'Party box', 'bundle'), ('rare', 'Rare', 'physical');
INSERT INTO shop.bundle_items (bundle, sku, quantity) VALUES ('party', 'cake', 1), ('party', 'candle', 5);
INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT sku, location, 'receipt', 500
	FROM unnest('{cake,candle}'::text[]) AS sku, unnest('{a,b}'::text[]) AS location;

CREATE FUNCTION pg_temp.place(ref text, lines jsonb, more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql
AS $$ SELECT status FROM oms.place_order('shop', jsonb_build_object('channel', 'web', 'external_ref', ref, 'currency', 'EUR', 'lines', lines) || more) $$;
CREATE FUNCTION pg_temp.line(sku text, quantity bigint, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql
AS $$ SELECT jsonb_build_object('sku', $1, 'quantity', $2, 'unit_price', 10) || $3 $$;
-- what is in each fulfillment, and for when
CREATE FUNCTION pg_temp.parts(ref text) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(format('%s for %s', w.what, coalesce(to_char(f.requested_at AT TIME ZONE 'UTC', 'MM-DD HH24:MI'), 'any time')), ', ' ORDER BY f.id)
	FROM shop.fulfillments f JOIN shop.orders o ON o.id = f.order_id CROSS JOIN LATERAL (SELECT string_agg(l.quantity || ' ' || l.sku, ' + ' ORDER BY l.sku) AS what
	FROM shop.fulfillment_lines l WHERE l.fulfillment_id = f.id) w WHERE o.external_ref = ref AND NOT f.rerouted $$;
CREATE FUNCTION pg_temp.status(ref text) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(f.status, ', ' ORDER BY f.id) FROM shop.fulfillments f JOIN shop.orders o ON o.id = f.order_id WHERE o.external_ref = ref $$;
CREATE FUNCTION pg_temp.id(ref text) RETURNS uuid LANGUAGE sql
AS $$ SELECT f.id FROM shop.fulfillments f JOIN shop.orders o ON o.id = f.order_id WHERE o.external_ref = ref ORDER BY f.id DESC LIMIT 1 $$;
CREATE FUNCTION pg_temp.sound(what text) RETURNS text LANGUAGE sql
AS $$ SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL, 'verify_store: ' || what) $$;

-- ---- from the document to the fulfillment

SELECT pg_temp.place('order', jsonb_build_array(pg_temp.line('cake', 1), pg_temp.line('candle', 2)), '{"requested_at": "2027-01-12T10:00:00Z"}');
SELECT is(pg_temp.parts('order'), '1 cake + 2 candle for 01-12 10:00', 'the order says when');
SELECT pg_temp.place('lines', jsonb_build_array(pg_temp.line('cake', 1), pg_temp.line('candle', 2, '{"requested_at": "2027-01-11T10:00:00Z"}'),
	pg_temp.line('cake', 3, '{"requested_at": "2027-01-11T11:00:00+01:00"}'), pg_temp.line('cake', 4, '{"requested_at": null}')), '{"requested_at": "2027-01-12T10:00:00Z"}');
SELECT is(pg_temp.parts('lines'), '1 cake + 4 cake for 01-12 10:00, 3 cake + 2 candle for 01-11 10:00', 'a line says it for itself, in whatever zone; others of the order share nothing with it');
SELECT pg_temp.place('some', jsonb_build_array(pg_temp.line('cake', 1), pg_temp.line('candle', 2, '{"requested_at": "2000-01-01T00:00:00Z"}')));
SELECT is(pg_temp.parts('some'), '1 cake for any time, 2 candle for 01-01 00:00', 'a time long ago is a time');
SELECT is((SELECT string_agg(concat_ws(' ', line_no, requested_at AT TIME ZONE 'UTC'), ', ' ORDER BY line_no) FROM shop.order_line_facts WHERE order_number = (SELECT number FROM shop.orders WHERE external_ref = 'lines')),
	'1 2027-01-12 10:00:00, 2 2027-01-11 10:00:00, 3 2027-01-11 10:00:00, 4 2027-01-12 10:00:00', 'order_line_facts has it');
SELECT is((SELECT string_agg(DISTINCT (requested_at AT TIME ZONE 'UTC')::date::text, ', ') FROM shop.fulfillment_facts WHERE order_number = (SELECT number FROM shop.orders WHERE external_ref = 'lines')),
	'2027-01-11, 2027-01-12', 'fulfillment_facts too');
SELECT pg_temp.place('party', jsonb_build_array(pg_temp.line('party', 1, '{"requested_at": "2027-01-20T15:00:00Z"}'), pg_temp.line('care', 1, '{"parent": 1}'), pg_temp.line('candle', 1)));
SELECT is(pg_temp.parts('party'), '1 cake + 5 candle + 1 care for 01-20 15:00, 1 candle for any time', 'components and warranties have it of their line');
SELECT is((SELECT count(*) FROM shop.order_lines WHERE per_kit IS NOT NULL AND requested_at = '2027-01-20T15:00:00Z'), 2::bigint, 'it stands on the components'' lines');

INSERT INTO shop.orders (channel, external_ref, currency, requested_at) VALUES ('web', 'plain', 'EUR', '2027-02-01T08:00:00Z');
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, requested_at) SELECT id, n, 'cake', n, 1, CASE n WHEN 2 THEN timestamptz '2027-02-02T08:00:00Z' END
	FROM shop.orders, generate_series(1, 2) AS n WHERE external_ref = 'plain';
UPDATE shop.orders SET requested_at = requested_at + interval '1 hour' WHERE external_ref = 'plain';
UPDATE shop.orders SET status = 'placed' WHERE external_ref = 'plain';
SELECT is(pg_temp.parts('plain'), '1 cake for 02-01 09:00, 2 cake for 02-02 08:00', 'in plain SQL as well');

-- ---- what is refused

SELECT throws_ok(format($$ SELECT pg_temp.place('bad', %L, %L) $$, jsonb_build_array(pg_temp.line('cake', 1, line)), document), 'OM012', NULL, document::text || line)
	FROM (VALUES ('{"requested_at": "soon"}'::jsonb, '{}'::jsonb), ('{"requested_at": 5}', '{}'), ('{"requested_at": "infinity"}', '{}'), ('{"requested_at": {}}', '{}'),
	('{}', '{"requested_at": "2027-02-30"}'), ('{}', '{"requested_at": "-infinity"}')) AS v(document, line);
SELECT throws_ok($$ UPDATE shop.orders SET requested_at = now() WHERE external_ref = 'order' $$, 'OM006', NULL, 'an order''s time is fixed once it is placed');
SELECT throws_ok($$ UPDATE shop.orders SET requested_at = now() WHERE external_ref = 'some' $$, 'OM006', NULL, 'also where it says none');
SELECT throws_ok($$ UPDATE shop.order_lines SET requested_at = now() $$, 'OM006', NULL, 'so is a line''s');
SELECT throws_ok(format($$ UPDATE shop.methods SET lead_time = %L $$, v), '23514', NULL, 'lead_time ' || v) FROM (VALUES ('-1 second'), ('2 years')) AS v(v);

-- ---- on its way

UPDATE shop.fulfillments SET requested_at = '2027-03-01T10:00:00Z' WHERE id = pg_temp.id('order');
SELECT is(pg_temp.parts('order'), '1 cake + 2 candle for 03-01 10:00', 'the customer calls: what has not left can be put off');
SELECT lives_ok($$ SELECT oms.split_fulfillment('shop', pg_temp.id('order'), '[{"line": 2, "quantity": 1}]') $$, 'it is divided');
SELECT is(pg_temp.parts('order'), '1 cake + 1 candle for 03-01 10:00, 1 candle for 03-01 10:00', 'both parts have the time');
UPDATE shop.fulfillments SET status = 'rejected' WHERE id = pg_temp.id('order');
SELECT is(pg_temp.parts('order'), '1 cake + 1 candle for 03-01 10:00, 1 candle for 03-01 10:00', 'what is sourced anew keeps it');
UPDATE shop.fulfillments SET status = 'shipped' WHERE id = pg_temp.id('order');
SELECT throws_ok($$ UPDATE shop.fulfillments SET requested_at = NULL WHERE id = pg_temp.id('order') $$, 'OM006', NULL, 'what has left is not put off any more');
INSERT INTO shop.backorder_policies (sku, policy) VALUES ('rare', 'backorder');
SELECT pg_temp.place('later', jsonb_build_array(pg_temp.line('rare', 2, '{"requested_at": "2027-04-01T10:00:00Z"}'), pg_temp.line('rare', 1)));
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('rare', 'a', 'receipt', 3);
SELECT is(pg_temp.parts('later'), '2 rare for 04-01 10:00, 1 rare for any time', 'what was backordered has it once it is there');
SELECT pg_temp.sound('with times');

-- ---- guard due

SELECT is((SELECT string_agg(code, ' ') FROM oms.lint('initial open; open -> gone when due do issue auto; open -> lost do release; final gone, lost', 'fulfillment') WHERE severity = 'error'), NULL, 'it is a guard of fulfillments');
SELECT throws_ok($$ UPDATE shop.workflows SET definition = replace(definition, 'when unheld, payable', 'when unheld, payable, due') WHERE name = 'standard' $$, 'OM004', NULL, 'not of orders');
UPDATE shop.workflows SET definition = replace(definition, 'group_complete auto', 'group_complete, due auto') WHERE name = 'ship';
CREATE FUNCTION pg_temp.order(ref text, requested interval) RETURNS text LANGUAGE sql
AS $$ SELECT pg_temp.place(ref, jsonb_build_array(pg_temp.line('cake', 1)), jsonb_strip_nulls(jsonb_build_object('requested_at', now() + requested))); SELECT pg_temp.status(ref) $$;
SELECT is(pg_temp.order('none', NULL), 'released', 'what is wanted at any time is due');
SELECT is(pg_temp.order('past', '-1 day'), 'released', 'what is wanted by now too');
SELECT is(pg_temp.order('future', '30 days'), 'open', 'what is wanted in a month is not');
SELECT is((SELECT allowed::text || ' ' || why_not FROM oms.next_moves('shop', 'fulfillment', pg_temp.id('future')) WHERE to_state = 'released'),
	format('false fulfillment "%s" cannot move from "open" to "released": guard "due" refuses, because fulfillment "%1$s" is wanted for %s and not due yet', number, now() + interval '30 days'), 'next_moves says why')
	FROM shop.fulfillments WHERE id = pg_temp.id('future');
SELECT throws_ok(format($$ UPDATE shop.fulfillments SET status = 'released' WHERE id = %L $$, pg_temp.id('future')), 'OM002', NULL, 'nor by hand');
SELECT is((SELECT moves FROM oms.tick('shop')), 0::bigint, 'tick leaves it');
SELECT pg_temp.sound('while it waits');

UPDATE shop.methods SET lead_time = '3 days' WHERE code = 'ship';
SELECT is(pg_temp.order('soon', '2 days'), 'released', 'a method that takes its time begins before');
SELECT is(pg_temp.order('not so soon', '4 days'), 'open', 'but not too early');
UPDATE shop.methods SET lead_time = '5 days' WHERE code = 'ship';
SELECT pg_temp.sound('when time alone has opened a move');
SELECT is((SELECT moves FROM oms.tick('shop')), 1::bigint, 'tick makes the move that has become due');
SELECT is(pg_temp.status('not so soon') || ' ' || pg_temp.status('future'), 'released open', 'and no other');
UPDATE shop.methods SET lead_time = '0' WHERE code = 'ship';
SELECT is(pg_temp.order('in a moment', '0'), 'released', 'in a moment');
SELECT is(pg_temp.place('blink', jsonb_build_array(pg_temp.line('cake', 1)), jsonb_build_object('requested_at', clock_timestamp() + interval '0.4 seconds')) || ' ' || pg_temp.status('blink'), 'confirmed open', 'one that waits for a blink');
SELECT pg_sleep(0.5);
SELECT is((SELECT moves FROM oms.tick('shop')), 1::bigint, 'is released');
SELECT is(pg_temp.status('blink'), 'released', 'when it is over');

-- putting it off, or not any more
SELECT is(pg_temp.order('moved', '30 days'), 'open', 'one for later');
UPDATE shop.fulfillments SET requested_at = requested_at + interval '1 day', carrier = 'owl' WHERE id = pg_temp.id('moved');
SELECT is(pg_temp.status('moved'), 'open', 'waits longer');
UPDATE shop.fulfillments SET requested_at = now() WHERE id = pg_temp.id('moved');
SELECT is(pg_temp.status('moved'), 'released', 'is wanted at once, and goes on at once');
UPDATE shop.fulfillments SET requested_at = NULL WHERE id = pg_temp.id('future');
SELECT is(pg_temp.status('future'), 'released', 'or at any time');
SELECT pg_temp.place('with a hold', jsonb_build_array(pg_temp.line('cake', 1, jsonb_build_object('requested_at', now() - interval '1 day')), pg_temp.line('cake', 1, jsonb_build_object('requested_at', now() + interval '1 day'))), '{"holds": [{"kind": "manual"}]}');
SELECT is(pg_temp.status('with a hold'), 'open, open', 'a hold holds both');
UPDATE shop.order_holds SET released_at = now();
SELECT is(pg_temp.status('with a hold'), 'released, open', 'without it one is due');
SELECT pg_temp.sound('in the end');

-- a manual move may ask for it too
UPDATE shop.workflows SET definition = replace(definition, 'scheduled -> performed do', 'scheduled -> performed when due do') WHERE name = 'service';
SELECT pg_temp.place('tuning', jsonb_build_array(pg_temp.line('tuning', 1, jsonb_build_object('method', 'service', 'requested_at', now() + interval '1 day'))));
UPDATE shop.fulfillments SET status = 'scheduled' WHERE id = pg_temp.id('tuning');
SELECT throws_ok(format($$ UPDATE shop.fulfillments SET status = 'performed' WHERE id = %L $$, pg_temp.id('tuning')), 'OM002', NULL, 'nobody performs it before the appointment');
UPDATE shop.fulfillments SET status = 'performed', requested_at = now() WHERE id = pg_temp.id('tuning');
SELECT is(pg_temp.status('tuning'), 'performed', 'but when it was moved');

SELECT * FROM finish();
ROLLBACK;
