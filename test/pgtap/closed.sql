-- closed_at of orders and fulfillments: whoever is in a final state has it,
-- however the row came there; tick looks at all others, wherever their units are.
BEGIN;
SET client_min_messages = error;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name) VALUES ('web', 'Web');
INSERT INTO shop.locations (code, name) VALUES ('a', 'A');
INSERT INTO shop.skus (code, name) VALUES ('shirt', 'Shirt');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('shirt', 'a', 'receipt', 1000);
CREATE FUNCTION pg_temp.place(method text) RETURNS uuid LANGUAGE sql AS $$
	SELECT shop.place_order(jsonb_build_object('channel', 'web', 'currency', 'EUR', 'lines',
		jsonb_build_array(jsonb_build_object('sku', 'shirt', 'quantity', 2, 'unit_price', 10, 'method', method))));
	SELECT id FROM shop.fulfillments ORDER BY id DESC LIMIT 1 $$;
CREATE FUNCTION pg_temp.show(f uuid) RETURNS text LANGUAGE sql
AS $$ SELECT concat_ws(' ', status, stock_state, CASE WHEN closed_at = now() THEN 'closed' WHEN closed_at IS NULL THEN 'open' ELSE 'wrong' END) FROM shop.fulfillments WHERE id = f $$;
CREATE FUNCTION pg_temp.sound(what text) RETURNS text LANGUAGE sql
AS $$ SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL, 'verify_store: ' || what) $$;

-- ---- an initial state that is final: an archive

SELECT lives_ok($$ INSERT INTO shop.workflows (name, entity, definition) VALUES ('archive', 'order', 'initial kept; final kept') $$, 'a workflow of one state');
SELECT lives_ok($$ INSERT INTO shop.orders (number, channel, currency, workflow) VALUES ('A-1', 'web', 'EUR', 'archive') $$, 'an order in it');
SELECT ok(closed_at = now(), 'is closed from the beginning') FROM shop.orders WHERE number = 'A-1';
SELECT throws_ok(format('INSERT INTO shop.orders (number, channel, currency, workflow, closed_at) VALUES (''A-2'', ''web'', ''EUR'', %L, %L)', w, t), 'OM005', NULL, 'closed_at is not for people: ' || w || ' ' || t)
FROM (VALUES ('archive', '2020-01-01'), ('standard', '2020-01-01'), ('standard', now()::text)) v(w, t);
SELECT throws_ok($$ UPDATE shop.orders SET closed_at = NULL WHERE number = 'A-1' $$, 'OM005', NULL, 'nor to be taken back');
SELECT pg_temp.sound('an archive');
-- a trigger of the store's after ours
CREATE FUNCTION shop.spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.closed_at := CASE NEW.po_number WHEN 'open' THEN NULL WHEN 'now' THEN now() END; RETURN NEW; END $$;
CREATE TRIGGER zz_spoil BEFORE INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.spoil();
SELECT throws_ok($$ INSERT INTO shop.orders (channel, currency, workflow, po_number) VALUES ('web', 'EUR', 'archive', 'open') $$, 'OM001', NULL, 'a trigger cannot open it');
SELECT throws_ok($$ INSERT INTO shop.orders (channel, currency, po_number) VALUES ('web', 'EUR', 'now') $$, 'OM001', NULL, 'nor close a draft');
DROP TRIGGER zz_spoil ON shop.orders;
DELETE FROM shop.orders WHERE number = 'A-1';

-- ---- fulfillments are closed by their last move

SELECT pg_temp.place('ship') AS f \gset
SELECT pg_temp.place('ship') AS g \gset
SELECT is(pg_temp.show(:'f'), 'released reserved open', 'a new one is open');
UPDATE shop.fulfillments SET status = 'shipped' WHERE id = :'f';
SELECT is(pg_temp.show(:'f'), 'shipped issued open', 'one under way too');
UPDATE shop.fulfillments SET status = 'delivered' WHERE id = :'f';
SELECT is(pg_temp.show(:'f'), 'delivered issued closed', 'one that is delivered is closed');
SELECT shop.cancel_lines(order_id) FROM shop.fulfillments WHERE id = :'g';
SELECT is(pg_temp.show(:'g'), 'canceled released closed', 'one that the engine cancels as well');
SELECT throws_ok(format('UPDATE shop.fulfillments SET closed_at = %s WHERE id = %L', t, f), 'OM005', NULL, 'closed_at is not for people: ' || t)
FROM unnest(ARRAY['NULL', 'now() - interval ''1 day''']) t, unnest(ARRAY[:'f', :'g']) f;
CREATE TRIGGER zz_bend BEFORE UPDATE ON shop.fulfillments FOR EACH ROW WHEN (NEW.carrier = 'bend') EXECUTE FUNCTION shop.spoil();
CREATE OR REPLACE FUNCTION shop.spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.status := 'lost'; RETURN NEW; END $$;
SELECT pg_temp.place('ship') AS h \gset
UPDATE shop.fulfillments SET status = 'shipped' WHERE id = :'h';
SELECT throws_ok(format('UPDATE shop.fulfillments SET status = ''delivered'', carrier = ''bend'' WHERE id = %L', :'h'), 'OM001', NULL, 'a trigger cannot bend one back that is closed');
DROP TRIGGER zz_bend ON shop.fulfillments;
SELECT pg_temp.sound('fulfillments');

-- ---- a state that becomes final, or is no more

SELECT throws_like($$ UPDATE shop.workflows SET definition = replace(definition, 'final delivered,', 'delivered -> kept; final kept,') WHERE name = 'ship' $$,
	'%must keep whether a state that fulfillments are in is final: 1 in "delivered"', 'not by a plain UPDATE');
SELECT is(shop.replace_workflow('ship', replace(definition, 'final delivered,', 'delivered -> kept; final kept,')), 0::bigint, 'but by replace_workflow') FROM shop.workflows WHERE name = 'ship';
SELECT is(pg_temp.show(:'f'), 'delivered issued open', 'which opens it');
SELECT pg_temp.sound('opened');
SELECT is(shop.replace_workflow('ship', replace(definition, 'delivered -> kept; final kept,', 'final delivered,')), 0::bigint, 'and back') FROM shop.workflows WHERE name = 'ship';
SELECT is(pg_temp.show(:'f'), 'delivered issued closed', 'closes it');
SELECT pg_temp.sound('closed again');

-- ---- tick finds what waits after delivery, and after units were given back

CREATE TABLE shop.weather (fine boolean);
CREATE FUNCTION shop.fine_weather(f shop.fulfillments) RETURNS boolean LANGUAGE sql AS $$ SELECT fine FROM shop.weather $$;
INSERT INTO shop.workflows (name, entity, definition) VALUES ('rented', 'fulfillment',
	'initial open; open -> sent do issue; sent -> there do deliver; there -> settled when fine_weather auto; sent, there -> back do restock; back -> cleaned when fine_weather auto;
	open -> given_up do release; given_up -> noted when fine_weather auto; final settled, cleaned, noted');
INSERT INTO shop.methods (code, name, workflow) VALUES ('rent', 'Rent', 'rented');
SELECT pg_temp.place('rent') AS there \gset
SELECT pg_temp.place('rent') AS back \gset
SELECT pg_temp.place('rent') AS given_up \gset
UPDATE shop.fulfillments SET status = 'sent' WHERE id IN (:'there', :'back');
UPDATE shop.fulfillments SET status = CASE id WHEN :'there' THEN 'there' WHEN :'back' THEN 'back' ELSE 'given_up' END WHERE workflow = 'rented';
SELECT is(array[pg_temp.show(:'there'), pg_temp.show(:'back'), pg_temp.show(:'given_up')], '{there issued open,back released open,given_up released open}', 'rows that are through with stock, and wait');
SELECT is((oms.tick('shop')).moves, 0::bigint, 'tick asks them');
INSERT INTO shop.weather VALUES (true);
SELECT is((oms.tick('shop')).moves, 3::bigint, 'and moves them when what they wait for is there');
SELECT is(array[pg_temp.show(:'there'), pg_temp.show(:'back'), pg_temp.show(:'given_up')], '{settled issued closed,cleaned released closed,noted released closed}', 'to their ends');
SELECT pg_temp.sound('tick');

-- ---- verify_store, and rows of the past

SET LOCAL session_replication_role = replica;
UPDATE shop.fulfillments SET closed_at = NULL WHERE id = :'f';
UPDATE shop.fulfillments SET closed_at = now() WHERE id = :'h';
SET LOCAL session_replication_role = origin;
SELECT is((SELECT violations FROM oms.verify_store('shop') WHERE rule = 'closed fulfillments are in a final state, others are not'), 2::bigint, 'verify_store sees both faults');
SET LOCAL session_replication_role = replica;
UPDATE shop.fulfillments SET closed_at = now() WHERE id = :'f';
UPDATE shop.fulfillments SET closed_at = NULL WHERE id = :'h';
SET LOCAL session_replication_role = origin;
SELECT oms.begin_import('shop');
INSERT INTO shop.fulfillments (id, number, order_id, location, method, workflow, status, stock_state, created_at, shipped_at, delivered_at)
SELECT oms.uuid7(), 'P-' || n, order_id, 'a', 'ship', 'ship', s, st, '2001-01-01', sh::timestamptz, d::timestamptz
FROM shop.fulfillments f, (VALUES (1, 'delivered', 'issued', '2001-01-02', '2001-01-03'), (2, 'returned_to_sender', 'released', '2001-01-02', NULL), (3, 'canceled', 'released', NULL, NULL), (4, 'shipped', 'issued', '2001-01-02', NULL)) v(n, s, st, sh, d)
WHERE f.id = :'f';
SELECT is((SELECT string_agg(coalesce(closed_at::date::text, 'open'), ' ' ORDER BY number) FROM shop.fulfillments WHERE number LIKE 'P-_'), '2001-01-03 2001-01-02 2001-01-01 open', 'those of the past are closed when they were last seen');

SELECT * FROM finish();
ROLLBACK;
