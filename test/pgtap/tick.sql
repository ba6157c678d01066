-- tick: holds that expire, automatic moves that something outside has opened.
BEGIN;
SET client_min_messages = error;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name) VALUES ('web', 'Web');
INSERT INTO shop.locations (code, name) VALUES ('a', 'A');
INSERT INTO shop.skus (code, name) VALUES ('shirt', 'Shirt');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('shirt', 'a', 'receipt', 1000);

CREATE FUNCTION pg_temp.place(more jsonb DEFAULT '{}') RETURNS uuid LANGUAGE sql
AS $$ SELECT order_id FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "shirt", "quantity": 2, "unit_price": 10}]}' || $1) $$;
CREATE FUNCTION pg_temp.show(order_id uuid) RETURNS text LANGUAGE sql
AS $$ SELECT concat_ws(' ', o.status, o.open_holds, (SELECT string_agg(f.status, ' ' ORDER BY f.id) FROM shop.fulfillments f WHERE f.order_id = o.id)) FROM shop.orders o WHERE id = $1 $$;
CREATE FUNCTION pg_temp.sound(what text) RETURNS text LANGUAGE sql
AS $$ SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL,
	'verify_store: ' || what) $$;

-- ---- holds that expire

SELECT is((oms.tick('shop')).moves, 0::bigint, 'an empty store has nothing due');
SELECT pg_temp.place('{"holds": [{"kind": "remorse", "expires_at": "2020-01-01"}]}') AS past \gset
SELECT pg_temp.place('{"holds": [{"kind": "remorse", "expires_at": "2999-01-01"}]}') AS future \gset
SELECT pg_temp.place('{"holds": [{"kind": "remorse", "expires_at": "2020-01-01"}, {"kind": "fraud"}]}') AS two \gset
SELECT is(pg_temp.show(:'past'), 'placed 1 open', 'a hold whose time has come holds until tick');
SELECT is(oms.tick('shop')::text, '(2,0,0,2)', 'tick returns the holds that it released and the moves it made: of the order and its parcel');
SELECT is(pg_temp.show(:'past'), 'confirmed 0 released', 'the order goes on');
SELECT is(pg_temp.show(:'future'), 'placed 1 open', 'one whose time has not come holds');
SELECT is(pg_temp.show(:'two'), 'placed 1 open', 'another hold of the order too');
SELECT is((SELECT string_agg(DISTINCT released_by, ' ') FROM shop.order_holds WHERE released_at IS NOT NULL), 'tick', 'tick has released them');
SELECT is((SELECT count(*) FROM shop.order_events WHERE event = 'unheld' AND reason = 'remorse'), 2::bigint, 'which the log tells');
SELECT is((oms.tick('shop')).moves, 0::bigint, 'a second tick finds nothing');
UPDATE shop.order_holds SET expires_at = clock_timestamp() WHERE order_id = :'future';
SELECT is((shop.tick()).moves, 2::bigint, 'by the wrapper, after an earlier end was set');
UPDATE shop.order_holds SET released_at = now() WHERE order_id = :'two' AND released_at IS NULL;
SELECT pg_temp.sound('holds');

-- ---- what a function of the store lets through later

CREATE TABLE shop.weather (fine boolean);
CREATE FUNCTION shop.fine_weather(o shop.orders) RETURNS boolean LANGUAGE sql AS $$ SELECT fine FROM shop.weather $$;
CREATE FUNCTION shop.fine_weather(f shop.fulfillments) RETURNS boolean LANGUAGE sql AS $$ SELECT fine FROM shop.weather $$;
UPDATE shop.workflows SET definition = replace(definition, 'when unheld, payable do', 'when unheld, payable, fine_weather do') WHERE name = 'standard';
SELECT pg_temp.place() AS o FROM generate_series(1, 30);
SELECT is((SELECT count(*) FROM shop.orders WHERE status = 'placed'), 30::bigint, 'in no weather at all they wait');
SELECT is((oms.tick('shop')).moves, 0::bigint, 'and a tick moves none');
INSERT INTO shop.weather VALUES (true);
SELECT throws_ok($$ SELECT oms.tick('shop', 0) $$, '22023', NULL, 'max_rows is 1 or more');
SELECT throws_ok($$ SELECT oms.tick('shop', NULL) $$, '22004', NULL, 'and not NULL');
SELECT is((oms.tick('shop', 10)).moves, 20::bigint, 'at most so many rows begin to move');
SELECT is((SELECT string_agg(number, ' ' ORDER BY number) FROM shop.orders WHERE status = 'confirmed' AND number > 'S-1002'), 'S-1003 S-1004 S-1005 S-1006 S-1007 S-1008 S-1009 S-1010 S-1011 S-1012', 'the oldest first');
SELECT is((oms.tick('shop')).moves, 40::bigint, 'then the rest');
SELECT is((SELECT count(*) FROM shop.fulfillments WHERE status = 'released'), 33::bigint, 'with their parcels');
SELECT pg_temp.sound('weather');

-- fulfillments, in states before and after their goods have left
UPDATE shop.workflows SET definition = replace(replace(definition, 'released -> picking -> packed;', 'released -> picking -> packed; released -> picking when fine_weather auto;'),
	'lost -> delivered do deliver;', 'lost -> delivered do deliver; shipped -> delivered when fine_weather do deliver auto;') WHERE name = 'ship';
UPDATE shop.weather SET fine = false;
SELECT is((oms.tick('shop')).moves, 0::bigint, 'in bad weather nobody picks');
UPDATE shop.fulfillments SET status = 'shipped' WHERE number IN ('S-1000-1', 'S-1001-1');
UPDATE shop.weather SET fine = true;
SELECT is((oms.tick('shop')).moves, 33::bigint, 'in fine weather all go on');
SELECT is((SELECT string_agg(status || ' ' || n, ', ' ORDER BY status) FROM (SELECT status, count(*) AS n FROM shop.fulfillments GROUP BY status) t), 'delivered 2, picking 31', 'those on their way arrive');
SELECT pg_temp.sound('fulfillments');

-- ---- a workflow that is edited opens moves

UPDATE shop.workflows SET definition = replace(definition, 'open -> released when order_confirmed', 'picking -> packed when order_confirmed auto; open -> released when order_confirmed') WHERE name = 'ship';
SELECT is((SELECT violations FROM oms.verify_store('shop') WHERE rule = 'no automatic move is left undone'), 31::bigint, 'an edit opens a move, which verify_store sees');
SELECT is((oms.tick('shop')).moves, 31::bigint, 'tick makes it');
SELECT pg_temp.sound('an edit');

-- ---- a row that fails is passed over

CREATE FUNCTION shop.choosy(o shop.orders) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF o.po_number = 'bad' THEN RAISE EXCEPTION 'bad %', o.number; END IF;
	RETURN o.po_number IS NOT NULL AND (SELECT fine FROM shop.weather);
END $$;
CREATE FUNCTION shop.fragile(o shop.orders) RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM 1 / nullif(length(o.po_number), 3); IF o.po_number = 'odd' THEN RAISE EXCEPTION 'odd %', o.number; END IF; END $$;
UPDATE shop.weather SET fine = false;
INSERT INTO shop.workflows (name, entity, definition) VALUES ('choosy', 'order', 'initial a; a -> b when choosy do fragile auto; final b');
SELECT throws_ok($$ INSERT INTO shop.orders (number, channel, currency, workflow, po_number) VALUES ('C-0', 'web', 'EUR', 'choosy', 'bad'); UPDATE shop.orders SET priority = 1 WHERE number = 'C-0' $$, 'P0001', 'bad C-0', 'a guard that raises');
INSERT INTO shop.orders (number, channel, currency, workflow) SELECT 'C-' || n, 'web', 'EUR', 'choosy' FROM generate_series(1, 60) n;
ALTER TABLE shop.orders DISABLE TRIGGER oms_act_update;
UPDATE shop.orders SET po_number = CASE number WHEN 'C-7' THEN 'bad' WHEN 'C-33' THEN 'odd' ELSE 'ok' END WHERE workflow = 'choosy';
ALTER TABLE shop.orders ENABLE TRIGGER oms_act_update;
UPDATE shop.weather SET fine = true;
SELECT is((oms.tick('shop')).moves, 58::bigint, 'tick makes the moves of the others');
SELECT is((SELECT string_agg(number, ' ' ORDER BY number) FROM shop.orders WHERE workflow = 'choosy' AND status = 'a'), 'C-33 C-7', 'whose guard or action raises stays');
SELECT is((oms.tick('shop', 1)).moves, 0::bigint, 'also by the next tick');
UPDATE shop.orders SET po_number = NULL WHERE number = 'C-33';
DELETE FROM shop.orders WHERE number = 'C-7';
SELECT pg_temp.sound('what fails');

-- ---- a guard that ticks

CREATE FUNCTION shop.tidy(o shop.orders) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM oms.tick('shop'); RETURN true; END $$;
SAVEPOINT tidy;
UPDATE shop.workflows SET definition = replace(definition, 'when unheld, payable', 'when tidy, unheld, payable') WHERE name = 'standard';
SELECT count(pg_temp.place('{"holds": [{"kind": "manual"}]}')) FROM generate_series(1, 3) \gset
SELECT is((oms.tick('shop')).moves, 0::bigint, 'a tick in a tick leaves it to that one');
SELECT alike(pg_temp.show(pg_temp.place()), 'confirmed 0 %', 'and one in a move ends');
ROLLBACK TO tidy;

-- ---- who may

CREATE ROLE t_clerk; CREATE ROLE t_reader; CREATE ROLE t_half;
SELECT shop.grant_store('t_clerk', 'clerk'), shop.grant_store('t_reader', 'reader'), shop.grant_store('t_half', 'reader');
GRANT UPDATE (status) ON shop.orders TO t_half;
SELECT pg_temp.place('{"holds": [{"kind": "remorse", "expires_at": "2020-01-01"}]}') AS due \gset
SET LOCAL ROLE t_reader;
SELECT throws_ok($$ SELECT shop.tick() $$, '42501', NULL, 'a reader may not');
SET LOCAL ROLE t_half;
SELECT throws_ok($$ SELECT shop.tick() $$, '42501', NULL, 'nor who moves orders alone');
SET LOCAL ROLE t_clerk;
SET LOCAL oms.actor = 'the clock';
SELECT is((shop.tick()).moves, 4::bigint, 'a clerk may');
RESET oms.actor;
RESET ROLE;
SELECT is((SELECT string_agg(DISTINCT actor, ' ') FROM shop.order_events WHERE order_id = :'due' AND event = 'unheld'), 'the clock', 'the actor is who calls');
SELECT pg_temp.sound('a clerk');

SELECT * FROM finish();
ROLLBACK;
