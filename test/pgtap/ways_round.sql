-- Ways round the rules that somebody may try: each as a clerk, as a manager and
-- as the store's owner. What is not refused must leave a store in which
-- verify_store finds nothing, or be damage that it sees ("seen").
-- test/t/007_ways_round.pl has those that need transactions of their own.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

CREATE ROLE t_owner;
CREATE ROLE t_clerk;
CREATE ROLE t_manager;
CREATE ROLE t_other;
SELECT format('GRANT CREATE, TEMP ON DATABASE %I TO t_owner, t_clerk, t_manager, t_other', current_database()) \gexec
SET ROLE t_owner;
SELECT oms.create_store('shop');
SELECT shop.grant_store('t_clerk', 'clerk'), shop.grant_store('t_manager', 'manager');
INSERT INTO shop.channels (code, name) VALUES ('web', 'Web'), ('phone', 'Phone');
INSERT INTO shop.locations (code, name) VALUES ('north', 'North'), ('south', 'South');
INSERT INTO shop.skus (code, name) VALUES ('mug', 'Mug'), ('cup', 'Cup');
INSERT INTO shop.stock_movements (sku, location, kind, quantity, external_ref) VALUES ('mug', 'north', 'receipt', 100, 'r1');
-- S-1000 is confirmed with one parcel of 5, S-1001 a draft
SELECT order_id AS o, number FROM shop.place_order('{"channel": "web", "currency": "EUR", "customer": {"code": "ada"}, "external_ref": "1", "lines": [{"sku": "mug", "quantity": 5, "unit_price": 2}]}') \gset
INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR');
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) SELECT id, 1, 'mug', 2, 1 FROM shop.orders WHERE number = 'S-1001';
RESET ROLE;

-- attempt runs the owner's preparations, then the statement as somebody, says
-- what came of it, and undoes it all. The store is found by its OID, as it may
-- be renamed meanwhile.
CREATE FUNCTION pg_temp.attempt(who text, setup text, statement text, store oid, OUT outcome text, OUT message text) LANGUAGE plpgsql
AS $$
DECLARE
	stage text := 'setup ';
BEGIN
	SET LOCAL ROLE t_owner;
	EXECUTE setup;
	stage := '';
	EXECUTE format('SET LOCAL ROLE %I', who);
	EXECUTE statement;
	SET CONSTRAINTS ALL IMMEDIATE;
	stage := 'verify_store ';
	SET LOCAL ROLE NONE;
	SET LOCAL search_path = public, pg_catalog;
	SELECT string_agg(rule, '; ') INTO message FROM oms.verify_store((SELECT nspname::text FROM pg_namespace WHERE oid = store)) WHERE violations <> 0;
	RAISE SQLSTATE 'OKOKO' USING MESSAGE = coalesce(message, '');
EXCEPTION WHEN OTHERS THEN
	message := SQLERRM;
	outcome := CASE WHEN SQLSTATE <> 'OKOKO' THEN stage || SQLSTATE WHEN message <> '' THEN 'seen' ELSE 'ok' END;
END $$;

CREATE FUNCTION pg_temp.trigger(name text, tables text, moment text, body text) RETURNS text LANGUAGE sql
AS $$ SELECT format('CREATE FUNCTION shop.%1$s() RETURNS trigger LANGUAGE plpgsql AS %4$L; CREATE TRIGGER %1$s %3$s ON shop.%2$s FOR EACH ROW EXECUTE FUNCTION shop.%1$s()', name, tables, moment, 'BEGIN ' || body || ' END') $$;
CREATE FUNCTION pg_temp.definer(body text) RETURNS text LANGUAGE sql
AS $$ SELECT format('CREATE FUNCTION shop.wrapper() RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, shop, pg_temp AS %L', body) $$;
-- operators that catch whoever looks names up in a schema
CREATE FUNCTION pg_temp.operators(schema text) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(format('CREATE FUNCTION %1$s.hijack_%7$s(%2$s, %3$s) RETURNS %4$s LANGUAGE plpgsql AS %5$L; CREATE OPERATOR %1$s.%6$s (FUNCTION = %1$s.hijack_%7$s, LEFTARG = %2$s, RIGHTARG = %3$s)', schema, l, r, result,
	'BEGIN RAISE EXCEPTION SQLSTATE ''HIJAK''; END', op, CASE op WHEN '=' THEN 'eq' WHEN '<>' THEN 'ne' WHEN '+' THEN 'plus' WHEN '-' THEN 'minus' ELSE 'ge' END), '; ')
	FROM (VALUES ('text', 'text', '=', 'boolean'), ('uuid', 'uuid', '=', 'boolean'), ('bigint', 'bigint', '+', 'bigint'), ('bigint', 'numeric', '<>', 'boolean'), ('numeric', 'bigint', '<>', 'boolean'), ('integer', 'numeric', '=', 'boolean'),
		('bigint', 'integer', '+', 'bigint'), ('integer', 'bigint', '+', 'bigint'), ('numeric', 'numeric', '+', 'numeric'), ('uuid', 'text', '=', 'boolean'), ('text', 'name', '=', 'boolean'), ('bigint', 'integer', '-', 'bigint'),
		('bigint', 'bigint', '>=', 'boolean'), ('numeric', 'integer', '<>', 'boolean'), ('bpchar', 'text', '=', 'boolean'), ('xid8', 'bigint', '=', 'boolean')) AS v(l, r, op, result) $$;
-- what a day consists of
CREATE FUNCTION pg_temp.day(store text) RETURNS text LANGUAGE sql
AS $f$ SELECT replace($$ SELECT FROM oms.place_order(@L, '{"channel": "web", "currency": "EUR", "external_ref": "day", "customer": {"code": "bob", "name": "Bob"}, "ship_to": {"city": "Lier"}, "lines": [{"sku": "mug", "quantity": 9, "unit_price": 2, "tax": 1}],
	"charges": [{"kind": "fee", "amount": 1}], "holds": [{"kind": "fraud"}]}');
	SELECT FROM oms.place_order(@L, '{"channel": "web", "currency": "EUR", "external_ref": "day", "customer": {"code": "bob", "name": "Bob"}, "ship_to": {"city": "Lier"}, "lines": [{"sku": "mug", "quantity": 9, "unit_price": 2, "tax": 1}],
	"charges": [{"kind": "fee", "amount": 1}], "holds": [{"kind": "fraud"}]}');
	UPDATE @I.order_holds SET released_at = pg_catalog.now();
	SELECT oms.split_fulfillment(@L, f.id, '[{"line": 1, "quantity": 4}]') FROM @I.fulfillments f JOIN @I.orders o ON o.id OPERATOR(pg_catalog.=) f.order_id WHERE o.external_ref OPERATOR(pg_catalog.=) 'day';
	SELECT oms.cancel_lines(@L, o.id, '[{"line": 1, "quantity": 2}]', 'other') FROM @I.orders o WHERE o.external_ref OPERATOR(pg_catalog.=) 'day';
	UPDATE @I.fulfillments SET status = 'rejected', status_reason = 'damaged' WHERE number OPERATOR(pg_catalog.=) 'S-1000-1';
	UPDATE @I.fulfillments SET status = 'shipped' WHERE status OPERATOR(pg_catalog.=) 'released';
	SELECT FROM oms.verify_store(@L) $$, '@L', quote_literal(store)) $f$;
CREATE FUNCTION pg_temp.named(script text, store text) RETURNS text LANGUAGE sql AS $$ SELECT replace(script, '@I', quote_ident(store)) $$;

CREATE TEMP TABLE ways (place serial, what text, setup text, statement text, outcomes text);

-- ---- forms of INSERT, UPDATE and DELETE

INSERT INTO ways (what, setup, statement, outcomes) VALUES
('INSERT in a later state', '', $$INSERT INTO shop.orders (channel, currency, status) VALUES ('web', 'EUR', 'confirmed')$$, 'OM001 OM001 OM001'),
('INSERT in a state that is not', '', $$INSERT INTO shop.orders (channel, currency, status) VALUES ('web', 'EUR', 'Draft')$$, 'OM001 OM001 OM001'),
('INSERT under a fulfillment''s workflow', '', $$INSERT INTO shop.orders (channel, currency, workflow, status) VALUES ('web', 'EUR', 'ship', 'open')$$, 'OM004 OM004 OM004'),
('INSERT with counters', '', $$INSERT INTO shop.orders (channel, currency, units, placed_at) VALUES ('web', 'EUR', 5, now())$$, '42501 42501 OM005'),
('INSERT with revision', '', $$INSERT INTO shop.orders (channel, currency, revision) VALUES ('web', 'EUR', 5)$$, '42501 42501 OM005'),
('INSERT of another number', '', $$INSERT INTO shop.orders (channel, currency, number) VALUES ('web', 'EUR', 'S-1000')$$, '23505 23505 23505'),
('INSERT of a fulfillment', '', $$INSERT INTO shop.fulfillments (number, order_id, location, method, workflow, status, stock_state) SELECT 'x', id, 'north', 'ship', 'ship', 'released', 'reserved' FROM shop.orders$$, '42501 42501 OM005'),
('INSERT of an event', '', $$INSERT INTO shop.order_events (order_id, entity, entity_id, event, actor) SELECT id, 'order', id, 'moved', 'x' FROM shop.orders$$, '42501 42501 OM005'),
('INSERT of a movement with its effect', '', $$INSERT INTO shop.stock_movements (sku, location, kind, quantity, on_hand_change, unavailable_change) VALUES ('mug', 'north', 'receipt', 1, 100, 0)$$, '42501 42501 OM005'),
('INSERT of a movement that came before', '', $$INSERT INTO shop.stock_movements (sku, location, kind, quantity, external_ref) VALUES ('mug', 'north', 'receipt', 100, 'r1')$$, '42501 ok ok'),
('INSERT of a movement below zero', '', $$INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('mug', 'north', 'issue', 1000)$$, '42501 OM003 OM003'),
('UPDATE of status to completed, unshipped', '', $$UPDATE shop.orders SET status = 'completed' WHERE number = 'S-1000'$$, 'OM002 OM002 OM002'),
('UPDATE of status back', '', $$UPDATE shop.orders SET status = 'draft' WHERE number = 'S-1000'$$, 'OM001 OM001 OM001'),
('UPDATE of status where a guard refuses', 'INSERT INTO shop.order_holds (order_id, kind) SELECT id, ''fraud'' FROM shop.orders', $$UPDATE shop.fulfillments SET status = 'shipped'$$, 'OM002 OM002 OM002'),
('UPDATE to the same status', '', $$UPDATE shop.orders SET status = status; UPDATE shop.fulfillments SET status = status$$, 'ok ok ok'),
('UPDATE of engine columns', '', $$UPDATE shop.orders SET captured = 5$$, '42501 42501 OM005'),
('UPDATE of engine columns with revision', '', $$UPDATE shop.orders SET captured = 5, revision = revision + 1$$, '42501 42501 OM005'),
('UPDATE of revision alone', '', $$UPDATE shop.orders SET revision = revision + 1$$, '42501 42501 OM005'),
('UPDATE of a fulfillment''s stock_state', '', $$UPDATE shop.fulfillments SET stock_state = 'released'$$, '42501 42501 OM005'),
('UPDATE of it with revision', '', $$UPDATE shop.fulfillments SET stock_state = 'released', revision = revision + 1$$, '42501 42501 OM005'),
('UPDATE of stock', '', $$UPDATE shop.stock SET on_hand = 1000$$, '42501 42501 OM005'),
('UPDATE of stock with another revision', '', $$UPDATE shop.stock SET on_hand = 1000, revision = revision + 2$$, '42501 42501 OM005'),
('UPDATE of stock with the engine''s', '', $$UPDATE shop.stock SET on_hand = 1000, revision = revision + 1$$, '42501 42501 seen'),
('and beyond what there is', '', $$UPDATE shop.stock SET reserved = 1000, revision = revision + 1$$, '42501 42501 23514'),
('UPDATE of a line''s counters', '', $$UPDATE shop.order_lines SET allocated = 0, short = allocated$$, '42501 42501 OM005'),
('UPDATE of them with revision', '', $$UPDATE shop.order_lines SET allocated = 0, short = allocated, revision = revision + 1$$, '42501 42501 seen'),
('UPDATE of keys', '', $$UPDATE shop.orders SET id = oms.uuid7()$$, '42501 42501 OM006'),
('UPDATE of a placed line', '', $$UPDATE shop.order_lines SET quantity = 6 WHERE allocated > 0$$, '42501 42501 OM006'),
('UPDATE of a placed line''s order', '', $$UPDATE shop.order_lines SET order_id = (SELECT id FROM shop.orders WHERE number = 'S-1001'), line_no = 9 WHERE allocated > 0$$, '42501 42501 OM006'),
('UPDATE of the log', '', $$UPDATE shop.order_events SET actor = 'x'$$, '42501 42501 OM005'),
('UPDATE of the ledger', '', $$UPDATE shop.stock_movements SET quantity = 1$$, '42501 42501 OM005'),
('UPDATE of a released hold', 'INSERT INTO shop.order_holds (order_id, kind, released_at) SELECT id, ''fraud'', now() FROM shop.orders', $$UPDATE shop.order_holds SET released_at = NULL$$, 'OM006 OM006 OM006'),
('ON CONFLICT DO UPDATE, no move', '', $$INSERT INTO shop.orders AS o (channel, currency, number) VALUES ('web', 'EUR', 'S-1000') ON CONFLICT (number) DO UPDATE SET status = 'draft'$$, 'OM001 OM001 OM001'),
('ON CONFLICT DO UPDATE, a move', '', $$INSERT INTO shop.orders AS o (channel, currency, number) VALUES ('web', 'EUR', 'S-1001') ON CONFLICT (number) DO UPDATE SET status = 'placed'$$, 'ok ok ok'),
('ON CONFLICT DO UPDATE of engine columns', '', $$INSERT INTO shop.orders AS o (channel, currency, number) VALUES ('web', 'EUR', 'S-1000') ON CONFLICT (number) DO UPDATE SET captured = 5, revision = o.revision + 1$$, '42501 42501 OM005'),
('ON CONFLICT DO UPDATE of stock', '', $$INSERT INTO shop.stock (sku, location) VALUES ('mug', 'north') ON CONFLICT (sku, location) DO UPDATE SET on_hand = 1000$$, '42501 42501 OM005'),
('ON CONFLICT DO NOTHING', '', $$INSERT INTO shop.orders (channel, currency, number) VALUES ('web', 'EUR', 'S-1000') ON CONFLICT DO NOTHING$$, 'ok ok ok'),
('ON CONFLICT DO NOTHING, a movement', '', $$INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('mug', 'north', 'receipt', 1) ON CONFLICT DO NOTHING$$, '42501 ok ok'),
('MERGE, no move', '', $$MERGE INTO shop.orders o USING (SELECT 'S-1000' AS n) x ON o.number = x.n WHEN MATCHED THEN UPDATE SET status = 'draft'$$, 'OM001 OM001 OM001'),
('MERGE, a move', '', $$MERGE INTO shop.orders o USING (SELECT 'S-1001' AS n) x ON o.number = x.n WHEN MATCHED THEN UPDATE SET status = 'placed'$$, 'ok ok ok'),
('MERGE of engine columns', '', $$MERGE INTO shop.orders o USING (SELECT 'S-1000' AS n) x ON o.number = x.n WHEN MATCHED THEN UPDATE SET captured = 5, revision = o.revision + 1$$, '42501 42501 OM005'),
('MERGE with DELETE', '', $$MERGE INTO shop.orders o USING (SELECT 'S-1000' AS n) x ON o.number = x.n WHEN MATCHED THEN DELETE$$, '42501 42501 OM006'),
('MERGE with INSERT in a later state', '', $$MERGE INTO shop.orders o USING (SELECT 'new' AS n) x ON o.number = x.n WHEN NOT MATCHED THEN INSERT (channel, currency, status) VALUES ('web', 'EUR', 'placed')$$, 'OM001 OM001 OM001'),
('MERGE that inserts and moves', '', $$MERGE INTO shop.orders o USING (VALUES ('S-1001'), ('new')) x(n) ON o.number = x.n WHEN MATCHED THEN UPDATE SET status = 'placed' WHEN NOT MATCHED THEN INSERT (channel, currency) VALUES ('web', 'EUR')$$, 'ok ok ok'),
('DELETE of a placed order', '', $$DELETE FROM shop.orders WHERE number = 'S-1000'$$, '42501 42501 OM006'),
('DELETE of its lines', '', $$DELETE FROM shop.order_lines$$, '42501 42501 OM006'),
('DELETE of fulfillments and lines', '', $$DELETE FROM shop.fulfillment_lines$$, '42501 42501 OM006'),
('DELETE of the log', '', $$DELETE FROM shop.order_events$$, '42501 42501 OM005'),
('DELETE of stock', '', $$DELETE FROM shop.stock$$, '42501 42501 OM005'),
('DELETE of a draft', '', $$DELETE FROM shop.orders WHERE number = 'S-1001'$$, '42501 42501 ok'),
('TRUNCATE of all', '', $$TRUNCATE shop.orders, shop.order_lines, shop.order_charges, shop.order_holds, shop.fulfillments, shop.fulfillment_lines, shop.packages, shop.package_lines, shop.carrier_events, shop.payments, shop.payment_transactions$$, '42501 42501 OM006'),
('TRUNCATE CASCADE from a customer', '', $$TRUNCATE shop.customers CASCADE$$, '42501 42501 OM006'),
('TRUNCATE CASCADE from a SKU', '', $$TRUNCATE shop.skus RESTART IDENTITY CASCADE$$, '42501 42501 OM005'),
('a CTE that moves a row twice', '', $$WITH a AS (UPDATE shop.orders SET status = 'placed' WHERE number = 'S-1001' RETURNING id), b AS (UPDATE shop.orders SET status = 'canceled' WHERE number = 'S-1001' RETURNING id) SELECT * FROM a, b$$, 'ok ok ok'),
('a CTE that ships and cancels', '', $$WITH a AS (UPDATE shop.fulfillments SET status = 'shipped' RETURNING id) UPDATE shop.orders SET status = 'canceled' WHERE number = 'S-1000'$$, 'OM002 OM002 OM002'),
('a CTE that cancels and ships', '', $$WITH a AS (UPDATE shop.orders SET status = 'canceled' WHERE number = 'S-1000' RETURNING id) UPDATE shop.fulfillments SET status = 'shipped'$$, 'OM002 OM002 OM002'),
('a CTE that places and adds a line', '', $$WITH a AS (UPDATE shop.orders SET status = 'placed' WHERE number = 'S-1001' RETURNING id) INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) SELECT id, 7, 'mug', 1, 1 FROM shop.orders WHERE number = 'S-1001'$$, '27000 27000 27000'),
('a CTE that holds and ships', '', $$WITH a AS (INSERT INTO shop.order_holds (order_id, kind) SELECT id, 'fraud' FROM shop.orders) UPDATE shop.fulfillments SET status = 'shipped'$$, 'ok ok ok'),
('a cursor, no move', '', $$DO $d$ DECLARE c CURSOR FOR SELECT number FROM shop.orders WHERE number = 'S-1000' FOR UPDATE; BEGIN OPEN c; MOVE c; UPDATE shop.orders SET status = 'draft' WHERE CURRENT OF c; END $d$ $$, 'OM001 OM001 OM001'),
('a cursor, engine columns', '', $$DO $d$ DECLARE c CURSOR FOR SELECT number FROM shop.orders WHERE number = 'S-1000' FOR UPDATE; BEGIN OPEN c; MOVE c; UPDATE shop.orders SET captured = 5, revision = revision + 1 WHERE CURRENT OF c; END $d$ $$, '42501 42501 OM005'),
('a cursor on a row that moves meanwhile', '', $$DO $d$ DECLARE c CURSOR FOR SELECT number FROM shop.orders WHERE number = 'S-1001' FOR UPDATE; BEGIN OPEN c; MOVE c; UPDATE shop.orders SET status = 'placed' WHERE number = 'S-1001'; UPDATE shop.orders SET status = 'placed' WHERE CURRENT OF c; END $d$ $$, 'OM001 OM001 OM001'),
('a subtransaction that is rolled back', '', $$DO $d$ BEGIN BEGIN UPDATE shop.orders SET status = 'placed' WHERE number = 'S-1001'; UPDATE shop.fulfillments SET status = 'shipped'; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END; UPDATE shop.orders SET status = 'placed' WHERE number = 'S-1001'; END $d$ $$, 'ok ok ok'),
('an error inside the engine, then on', '', $$DO $d$ BEGIN FOR i IN 1..3 LOOP BEGIN PERFORM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "mug", "quantity": 1000, "unit_price": 1}]}'); EXCEPTION WHEN SQLSTATE 'OM003' THEN NULL; END; END LOOP; UPDATE shop.stock SET reserved = 1001, revision = revision + 1; END $d$ $$, '42501 42501 23514');

-- COPY, from a program so that it can be one statement among others
GRANT pg_execute_server_program TO t_owner, t_clerk, t_manager;
INSERT INTO ways (what, setup, statement, outcomes) VALUES
('COPY in a later state', '', $$COPY shop.orders (channel, currency, status) FROM PROGRAM 'echo web,EUR,confirmed' CSV$$, 'OM001 OM001 OM001'),
('COPY of a draft', '', $$COPY shop.orders (channel, currency) FROM PROGRAM 'echo web,EUR' CSV$$, 'ok ok ok'),
('COPY of engine columns', '', $$COPY shop.orders (channel, currency, captured) FROM PROGRAM 'echo web,EUR,5' CSV$$, '42501 42501 OM005'),
('COPY of lines with counters', '', $$COPY shop.order_lines (order_id, line_no, sku, quantity, unit_price, shipped) FROM PROGRAM 'echo 00000000-0000-7000-8000-000000000000,1,mug,1,1,1' CSV$$, '42501 42501 OM005'),
('COPY into the log', '', $$COPY shop.order_events (order_id, entity, entity_id, event, actor) FROM PROGRAM 'echo 00000000-0000-7000-8000-000000000000,order,00000000-0000-7000-8000-000000000000,created,x' CSV$$, '42501 42501 OM005'),
('COPY into stock', '', $$COPY shop.stock (sku, location, on_hand) FROM PROGRAM 'echo cup,north,5' CSV$$, '42501 42501 OM005'),
('COPY into the ledger, replays in it', '', $$COPY shop.stock_movements (sku, location, kind, quantity, external_ref) FROM PROGRAM 'echo mug,north,receipt,100,r1; echo mug,north,receipt,1,r2; echo mug,north,receipt,1,r2' CSV$$, '42501 ok ok'),
('COPY FREEZE past the triggers', '', $$COPY shop.orders (channel, currency, status) FROM PROGRAM 'echo web,EUR,confirmed' (FORMAT csv, FREEZE)$$, '55000 55000 55000');

-- ---- what the owner may add to the tables

INSERT INTO ways (what, setup, statement, outcomes) VALUES
('a BEFORE trigger ahead of ours sets status', pg_temp.trigger('aaa', 'orders', 'BEFORE UPDATE', 'NEW.status := ''draft''; RETURN NEW;'), $$UPDATE shop.orders SET po_number = 'x' WHERE number = 'S-1000'$$, 'OM001 OM001 OM001'),
('one after ours', pg_temp.trigger('zzz', 'orders', 'BEFORE UPDATE', 'NEW.status := ''draft''; RETURN NEW;'), $$UPDATE shop.orders SET po_number = 'x' WHERE number = 'S-1000'$$, 'OM001 OM001 OM001'),
('ahead, engine columns', pg_temp.trigger('aaa', 'orders', 'BEFORE UPDATE', 'NEW.captured := 5; RETURN NEW;'), $$UPDATE shop.orders SET po_number = 'x' WHERE number = 'S-1000'$$, 'OM005 OM005 OM005'),
('after, engine columns', pg_temp.trigger('zzz', 'orders', 'BEFORE UPDATE', 'NEW.captured := 5; RETURN NEW;'), $$UPDATE shop.orders SET po_number = 'x' WHERE number = 'S-1000'$$, 'OM005 OM005 OM005'),
('ahead, with revision', pg_temp.trigger('aaa', 'orders', 'BEFORE UPDATE', 'NEW.captured := 5; NEW.revision := OLD.revision + 1; RETURN NEW;'), $$UPDATE shop.orders SET po_number = 'x' WHERE number = 'S-1000'$$, 'OM005 OM005 OM005'),
('after, with revision', pg_temp.trigger('zzz', 'orders', 'BEFORE UPDATE', 'NEW.captured := 5; NEW.revision := OLD.revision + 1; RETURN NEW;'), $$UPDATE shop.orders SET po_number = 'x' WHERE number = 'S-1000'$$, 'OM005 OM005 OM005'),
('after, in a fulfillment', pg_temp.trigger('zzz', 'fulfillments', 'BEFORE UPDATE', 'NEW.stock_state := ''released''; NEW.revision := OLD.revision + 1; RETURN NEW;'), $$UPDATE shop.fulfillments SET carrier = 'x'$$, 'OM005 OM005 OM005'),
('after, at INSERT', pg_temp.trigger('zzz', 'orders', 'BEFORE INSERT', 'NEW.status := ''confirmed''; RETURN NEW;'), $$INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR')$$, 'OM001 OM001 OM001'),
('after, another currency', pg_temp.trigger('zzz', 'orders', 'BEFORE UPDATE', 'NEW.currency := ''USD''; RETURN NEW;'), $$UPDATE shop.orders SET po_number = 'x'$$, 'OM006 OM006 OM006'),
('a move to another state than asked for', pg_temp.trigger('zzz', 'orders', 'BEFORE UPDATE', 'IF NEW.status = ''placed'' AND OLD.status = ''draft'' THEN NEW.status := ''canceled''; END IF; RETURN NEW;'), $$UPDATE shop.orders SET status = 'placed' WHERE number = 'S-1001'$$, 'OM001 OM001 OM001'),
('a line''s quantity behind the engine', pg_temp.trigger('zzz', 'order_lines', 'BEFORE UPDATE', 'NEW.quantity := OLD.quantity + 1; RETURN NEW;'), $$SELECT oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "mug", "quantity": 1, "unit_price": 1}]}')$$, 'seen seen seen'),
('BEFORE UPDATE drops the order''s row', pg_temp.trigger('zzz', 'orders', 'BEFORE UPDATE', 'RETURN NULL;'), $$SELECT oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "mug", "quantity": 1, "unit_price": 1}]}')$$, '27000 27000 27000'),
('BEFORE INSERT drops the order', pg_temp.trigger('zzz', 'orders', 'BEFORE INSERT', 'RETURN NULL;'), $$SELECT oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "mug", "quantity": 1, "unit_price": 1}]}')$$, '42501 42501 42501'),
('BEFORE INSERT drops the customer', pg_temp.trigger('zzz', 'customers', 'BEFORE INSERT', 'RETURN NULL;'), $$SELECT oms.place_order('shop', '{"channel": "web", "currency": "EUR", "customer": {"code": "eve"}, "lines": [{"sku": "mug", "quantity": 1, "unit_price": 1}]}')$$, '42501 42501 42501'),
('BEFORE UPDATE drops the stock', pg_temp.trigger('zzz', 'stock', 'BEFORE UPDATE', 'RETURN NULL;'), $$SELECT oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "mug", "quantity": 1, "unit_price": 1}]}')$$, '27000 27000 27000'),
('BEFORE INSERT drops the event', pg_temp.trigger('zzz', 'order_events', 'BEFORE INSERT', 'RETURN NULL;'), $$UPDATE shop.orders SET status = 'placed' WHERE number = 'S-1001'$$, '27000 27000 27000'),
('an AFTER trigger that moves on', pg_temp.trigger('zzz', 'orders', 'AFTER UPDATE', 'IF NEW.status = ''placed'' AND OLD.status = ''draft'' THEN UPDATE shop.orders SET status = ''canceled'' WHERE id = NEW.id; END IF; RETURN NULL;'), $$UPDATE shop.orders SET status = 'placed' WHERE number = 'S-1001'$$, '27000 27000 27000'),
('one that moves on ahead of ours', pg_temp.trigger('aaa', 'orders', 'AFTER UPDATE', 'IF NEW.status = ''placed'' AND OLD.status = ''draft'' THEN UPDATE shop.orders SET status = ''canceled'' WHERE id = NEW.id; END IF; RETURN NULL;'), $$UPDATE shop.orders SET status = 'placed' WHERE number = 'S-1001'$$, '27000 27000 27000'),
('an AFTER trigger that writes stock', pg_temp.trigger('zzz', 'orders', 'AFTER UPDATE', 'UPDATE shop.stock SET on_hand = on_hand + 1; RETURN NULL;'), $$UPDATE shop.orders SET po_number = 'x' WHERE number = 'S-1000'$$, '42501 42501 OM005'),
('an AFTER trigger that ships what moves', pg_temp.trigger('aaa', 'fulfillments', 'AFTER UPDATE', 'UPDATE shop.fulfillments SET status = ''shipped'' WHERE id = NEW.id AND status <> ''shipped''; RETURN NULL;'), $$UPDATE shop.fulfillments SET status = 'picking'$$, '27000 27000 27000'),
('a rule that writes engine columns', 'CREATE RULE r AS ON INSERT TO shop.order_charges DO ALSO UPDATE shop.orders SET captured = 99, revision = revision + 1 WHERE id = NEW.order_id', $$INSERT INTO shop.order_charges (order_id, kind, amount) SELECT id, 'fee', 1 FROM shop.orders WHERE number = 'S-1001'$$, 'OM005 OM005 OM005'),
('a rule that moves', 'CREATE RULE r AS ON INSERT TO shop.order_charges DO ALSO UPDATE shop.orders SET status = ''completed'' WHERE id = NEW.order_id', $$INSERT INTO shop.order_charges (order_id, kind, amount) SELECT id, 'fee', 1 FROM shop.orders WHERE number = 'S-1001'$$, 'OM001 OM001 OM001'),
('a rule that loses writes of orders', 'CREATE RULE r AS ON UPDATE TO shop.orders DO INSTEAD NOTHING', $$SELECT oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "mug", "quantity": 1, "unit_price": 1}]}')$$, '0A000 0A000 0A000'),
('a rule that loses writes of stock', 'CREATE RULE r AS ON UPDATE TO shop.stock DO INSTEAD NOTHING', $$SELECT oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "mug", "quantity": 1, "unit_price": 1}]}')$$, '55000 55000 55000'),
('a rule that loses events', 'CREATE RULE r AS ON INSERT TO shop.order_events DO INSTEAD NOTHING', $$UPDATE shop.orders SET status = 'placed' WHERE number = 'S-1001'$$, '55000 55000 55000'),
('a view of the owner''s, no move', 'CREATE VIEW shop.v AS SELECT * FROM shop.orders; GRANT ALL ON shop.v TO PUBLIC', $$UPDATE shop.v SET status = 'draft' WHERE number = 'S-1000'$$, 'OM001 OM001 OM001'),
('a view of the owner''s, engine columns', 'CREATE VIEW shop.v AS SELECT * FROM shop.orders; GRANT ALL ON shop.v TO PUBLIC', $$UPDATE shop.v SET captured = 5, revision = revision + 1$$, 'OM005 OM005 OM005'),
('a view of the owner''s, INSERT', 'CREATE VIEW shop.v AS SELECT * FROM shop.orders; GRANT ALL ON shop.v TO PUBLIC', $$INSERT INTO shop.v (channel, currency, status) VALUES ('web', 'EUR', 'placed')$$, 'OM001 OM001 OM001'),
('a view of the owner''s, DELETE', 'CREATE VIEW shop.v AS SELECT * FROM shop.orders; GRANT ALL ON shop.v TO PUBLIC', $$DELETE FROM shop.v WHERE number = 'S-1000'$$, 'OM006 OM006 OM006'),
('a view of the owner''s on stock', 'CREATE VIEW shop.v AS SELECT * FROM shop.stock; GRANT ALL ON shop.v TO PUBLIC', $$UPDATE shop.v SET on_hand = 1000$$, 'OM005 OM005 OM005'),
('a view with the caller''s rights', 'CREATE VIEW shop.v WITH (security_invoker) AS SELECT * FROM shop.orders; GRANT ALL ON shop.v TO PUBLIC', $$UPDATE shop.v SET captured = 5$$, '42501 42501 OM005'),
('a foreign key that cascades into status', 'CREATE TABLE shop.names (s text COLLATE "C" PRIMARY KEY); INSERT INTO shop.names VALUES (''draft''), (''placed''), (''confirmed''), (''completed''), (''canceled''); ALTER TABLE shop.orders ADD FOREIGN KEY (status) REFERENCES shop.names ON UPDATE CASCADE; GRANT ALL ON shop.names TO PUBLIC',
	$$UPDATE shop.names SET s = 'done' WHERE s = 'confirmed'$$, 'OM001 OM001 OM001'),
('a foreign key that cascades a removal', 'CREATE TABLE shop.tags (s text COLLATE "C" PRIMARY KEY); INSERT INTO shop.tags VALUES (''web''); ALTER TABLE shop.orders ADD FOREIGN KEY (channel) REFERENCES shop.tags ON DELETE CASCADE; GRANT ALL ON shop.tags TO PUBLIC', $$DELETE FROM shop.tags$$, 'OM006 OM006 OM006'),
('a foreign key that sets engine columns', 'CREATE TABLE shop.axes (s text COLLATE "C" PRIMARY KEY); INSERT INTO shop.axes VALUES (''unpaid''), (''paid''); ALTER TABLE shop.orders ADD FOREIGN KEY (payment_status) REFERENCES shop.axes ON UPDATE CASCADE; GRANT ALL ON shop.axes TO PUBLIC', $$UPDATE shop.axes SET s = 'free' WHERE s = 'unpaid'$$, 'OM005 OM005 OM005'),
('SECURITY DEFINER, INSERT in a later state', pg_temp.definer('INSERT INTO shop.orders (channel, currency, status) VALUES (''web'', ''EUR'', ''confirmed'')'), 'SELECT shop.wrapper()', 'OM001 OM001 OM001'),
('SECURITY DEFINER, INSERT with counters', pg_temp.definer('INSERT INTO shop.orders (channel, currency, captured) VALUES (''web'', ''EUR'', 5)'), 'SELECT shop.wrapper()', 'OM005 OM005 OM005'),
('SECURITY DEFINER, engine columns with revision', pg_temp.definer('UPDATE shop.orders SET captured = 5, revision = revision + 1'), 'SELECT shop.wrapper()', 'OM005 OM005 OM005'),
('SECURITY DEFINER, no move with revision', pg_temp.definer('UPDATE shop.orders SET status = ''completed'', revision = revision + 1'), 'SELECT shop.wrapper()', 'OM005 OM005 OM005'),
('SECURITY DEFINER, a fulfillment', pg_temp.definer('INSERT INTO shop.fulfillments (number, order_id, location, method, workflow, status) SELECT ''x'', id, ''north'', ''ship'', ''ship'', ''open'' FROM shop.orders'), 'SELECT shop.wrapper()', 'OM005 OM005 OM005'),
('SECURITY DEFINER, its lines', pg_temp.definer('UPDATE shop.fulfillment_lines SET quantity = 1'), 'SELECT shop.wrapper()', 'OM005 OM005 OM005'),
('SECURITY DEFINER, an event', pg_temp.definer('INSERT INTO shop.order_events (order_id, entity, entity_id, event, actor) SELECT id, ''order'', id, ''moved'', ''x'' FROM shop.orders'), 'SELECT shop.wrapper()', 'OM005 OM005 OM005'),
('SECURITY DEFINER, a movement''s effect', pg_temp.definer('INSERT INTO shop.stock_movements (sku, location, kind, quantity, on_hand_change, unavailable_change) VALUES (''mug'', ''north'', ''receipt'', 1, 100, 0)'), 'SELECT shop.wrapper()', 'OM005 OM005 OM005'),
('SECURITY DEFINER, a movement that came before', pg_temp.definer('INSERT INTO shop.stock_movements (sku, location, kind, quantity, external_ref) VALUES (''mug'', ''north'', ''receipt'', 100, ''r1'')'), 'SELECT shop.wrapper()', 'ok ok ok'),
('SECURITY DEFINER, a day', pg_temp.definer(pg_temp.named(pg_temp.day('shop'), 'shop')), 'SELECT shop.wrapper()', 'ok ok ok'),
('SECURITY DEFINER of the caller''s own', '', $$SET LOCAL search_path = pg_temp; CREATE FUNCTION pg_temp.w() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'UPDATE shop.orders SET captured = 5'; SELECT pg_temp.w()$$, '42501 42501 OM005');

-- ---- turning it off

INSERT INTO ways (what, setup, statement, outcomes) VALUES
('DISABLE TRIGGER', '', $$ALTER TABLE shop.orders DISABLE TRIGGER oms_guard$$, '42501 42501 seen'),
('DISABLE TRIGGER USER, and a state past the moves', '', $$ALTER TABLE shop.orders DISABLE TRIGGER USER; UPDATE shop.orders SET status = 'completed' WHERE number = 'S-1000'; ALTER TABLE shop.orders ENABLE TRIGGER USER$$, '42501 42501 seen'),
('DISABLE TRIGGER ALL', '', $$ALTER TABLE shop.orders DISABLE TRIGGER ALL$$, '42501 42501 42501'),
('DISABLE TRIGGER USER on stock, and more units', '', $$ALTER TABLE shop.stock DISABLE TRIGGER USER; UPDATE shop.stock SET on_hand = 1000; ALTER TABLE shop.stock ENABLE TRIGGER USER$$, '42501 42501 seen'),
('and more reserved than there is', '', $$ALTER TABLE shop.stock DISABLE TRIGGER USER; UPDATE shop.stock SET reserved = 1000$$, '42501 42501 23514'),
('ENABLE REPLICA TRIGGER', '', $$ALTER TABLE shop.orders ENABLE REPLICA TRIGGER oms_guard$$, '42501 42501 seen'),
('DROP TRIGGER', '', $$DROP TRIGGER oms_recheck ON shop.orders$$, '42501 42501 seen'),
('ALTER TRIGGER RENAME', '', $$ALTER TRIGGER oms_guard ON shop.orders RENAME TO zzz$$, '42501 42501 seen'),
('CREATE OR REPLACE TRIGGER', '', $$CREATE OR REPLACE TRIGGER oms_guard BEFORE INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION oms.guard('order')$$, '42501 42501 seen'),
('session_replication_role', '', $$SET LOCAL session_replication_role = replica$$, '42501 42501 42501'),
('row_security off', 'ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY', $$SET LOCAL row_security = off; UPDATE shop.orders SET status = 'placed'$$, '42501 42501 OM001'),
('the engine''s functions called directly', '', $$SELECT oms.act()$$, '39P01 39P01 39P01'),
('a layout in one''s own schema', '', $$CREATE SCHEMA theirs; SET LOCAL search_path = theirs, pg_temp; SELECT oms.layout_reference()$$, 'ok ok ok'),
('ALTER EXTENSION', '', $$ALTER EXTENSION oms DROP FUNCTION oms.act()$$, '42501 42501 42501'),
('DROP FUNCTION of the engine', '', $$DROP FUNCTION oms.act() CASCADE$$, '42501 42501 42501'),
('CREATE OR REPLACE FUNCTION of the engine', '', $$CREATE OR REPLACE FUNCTION oms.guard() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'$$, '42501 42501 42501'),
('CREATE FUNCTION on the library', '', $$CREATE FUNCTION pg_temp.x() RETURNS void LANGUAGE c AS '$libdir/oms', 'oms_act'$$, '42501 42501 42501');

-- ---- names

INSERT INTO ways (what, setup, statement, outcomes)
SELECT 'operators of the caller''s, first in the path', '', 'CREATE SCHEMA evil; ' || pg_temp.operators('evil') || '; SET LOCAL search_path = evil, pg_catalog; ' || pg_temp.named(pg_temp.day('shop'), 'shop'), 'ok ok ok';
INSERT INTO ways (what, setup, statement, outcomes)
SELECT 'operators of the caller''s, that fit better', '', 'CREATE SCHEMA evil; ' || pg_temp.operators('evil') || '; SET LOCAL search_path = pg_catalog, evil; ' || pg_temp.named(pg_temp.day('shop'), 'shop'), 'ok ok ok';
INSERT INTO ways (what, setup, statement, outcomes)
SELECT 'operators in the store', pg_temp.operators('shop'), pg_temp.named(pg_temp.day('shop'), 'shop'), 'ok ok ok';
INSERT INTO ways (what, setup, statement, outcomes)
SELECT 'operators in public, verify_store as a superuser', 'CREATE SCHEMA evil; ' || pg_temp.operators('evil') || '; GRANT USAGE ON SCHEMA evil TO PUBLIC', 'SET LOCAL search_path = evil; SELECT FROM shop.verify_store()', 'ok ok ok';
INSERT INTO ways (what, setup, statement, outcomes)
SELECT 'temporary tables and functions of the same names', '', $$SET LOCAL search_path = pg_temp, shop; CREATE TEMP TABLE orders (id uuid, status text); CREATE TEMP TABLE stock (sku text, on_hand bigint); CREATE TEMP TABLE settings (x integer);
	CREATE FUNCTION pg_temp.uuid7() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'; CREATE FUNCTION pg_temp.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz'; $$ || pg_temp.named(pg_temp.day('shop'), 'shop'), 'ok ok ok';
INSERT INTO ways (what, setup, statement, outcomes) VALUES
('a function planted in schema oms', '', $$CREATE FUNCTION oms.place_order(text, text) RETURNS void LANGUAGE sql AS ''$$, '42501 42501 42501'),
('an operator planted in schema oms', '', $$CREATE OPERATOR oms.+ (FUNCTION = pg_catalog.int8pl, LEFTARG = bigint, RIGHTARG = bigint)$$, '42501 42501 42501'),
('a table planted in schema oms', '', $$CREATE TABLE oms.orders ()$$, '42501 42501 42501'),
('a function planted in the store', '', $$CREATE FUNCTION shop.gift_ready(shop.orders) RETURNS boolean LANGUAGE sql AS 'SELECT true'$$, '42501 42501 ok'),
('an overload planted in the store', '', $$CREATE FUNCTION shop.place_order(text) RETURNS void LANGUAGE sql AS ''; SELECT FROM shop.place_order('{"channel": "web", "currency": "EUR", "lines": [{"sku": "mug", "quantity": 1, "unit_price": 1}]}'::jsonb)$$, '42501 42501 ok'),
('a guard that is not the owner''s', 'GRANT CREATE ON SCHEMA shop TO PUBLIC', $$CREATE FUNCTION shop.gift_ready(shop.orders) RETURNS boolean LANGUAGE sql AS 'SELECT true'; SET LOCAL ROLE t_owner; UPDATE shop.workflows SET definition = replace(definition, 'draft -> placed do', 'draft -> placed when gift_ready do') WHERE name = 'standard'$$, 'OM004 OM004 ok'),
('a guard that changes hands', 'CREATE FUNCTION shop.gift_ready(shop.orders) RETURNS boolean LANGUAGE sql AS ''SELECT true''; UPDATE shop.workflows SET definition = replace(definition, ''draft -> placed do'', ''draft -> placed when gift_ready do'') WHERE name = ''standard''; DROP FUNCTION shop.gift_ready; GRANT CREATE ON SCHEMA shop TO PUBLIC',
	$$CREATE FUNCTION shop.gift_ready(shop.orders) RETURNS boolean LANGUAGE sql AS 'SELECT true'; UPDATE shop.orders SET status = 'placed' WHERE number = 'S-1001'$$, 'OM002 OM002 ok'),
('a guard with an overload for any row', 'CREATE FUNCTION shop.gift_ready(shop.orders) RETURNS boolean LANGUAGE sql AS ''SELECT false''; UPDATE shop.workflows SET definition = replace(definition, ''draft -> placed do'', ''draft -> placed when gift_ready do'') WHERE name = ''standard''; GRANT CREATE ON SCHEMA shop TO PUBLIC',
	$$CREATE FUNCTION shop.gift_ready(anyelement) RETURNS boolean LANGUAGE sql AS 'SELECT true'; UPDATE shop.orders SET status = 'placed' WHERE number = 'S-1001'$$, 'OM002 OM002 OM002'),
('a guard with an overload with a default', 'CREATE FUNCTION shop.gift_ready(shop.orders) RETURNS boolean LANGUAGE sql AS ''SELECT false''; UPDATE shop.workflows SET definition = replace(definition, ''draft -> placed do'', ''draft -> placed when gift_ready do'') WHERE name = ''standard''; GRANT CREATE ON SCHEMA shop TO PUBLIC',
	$$CREATE FUNCTION shop.gift_ready(shop.orders, integer DEFAULT 1) RETURNS boolean LANGUAGE sql AS 'SELECT true'; UPDATE shop.orders SET status = 'placed' WHERE number = 'S-1001'$$, 'OM002 OM002 OM002'),
('a guard that changes the role', 'CREATE FUNCTION shop.gift_ready(shop.orders) RETURNS boolean LANGUAGE plpgsql AS ''BEGIN SET ROLE t_owner; RETURN true; END''; UPDATE shop.workflows SET definition = replace(definition, ''draft -> placed do'', ''draft -> placed when gift_ready do'') WHERE name = ''standard''',
	$$UPDATE shop.orders SET status = 'placed' WHERE number = 'S-1001'$$, '42501 42501 42501'),
('a guard whose names the caller hijacks', 'CREATE FUNCTION shop.limit_of() RETURNS integer LANGUAGE sql AS ''SELECT 0''; CREATE FUNCTION shop.gift_ready(shop.orders) RETURNS boolean LANGUAGE plpgsql AS ''BEGIN RETURN limit_of() > 0; END''; UPDATE shop.workflows SET definition = replace(definition, ''draft -> placed do'', ''draft -> placed when gift_ready do'') WHERE name = ''standard''',
	$$CREATE SCHEMA evil; CREATE FUNCTION evil.limit_of() RETURNS integer LANGUAGE sql AS 'SELECT 1'; SET LOCAL search_path = evil; UPDATE shop.orders SET status = 'placed' WHERE number = 'S-1001'$$, 'OM002 OM002 OM002'),
('an old name after ALTER SCHEMA RENAME', 'ALTER SCHEMA shop RENAME TO shop2', $$SELECT oms.cancel_lines('shop', oms.uuid7())$$, 'OM010 OM010 OM010'),
('its wrappers', 'ALTER SCHEMA shop RENAME TO shop2', $$SELECT FROM shop2.verify_store()$$, 'OM010 OM010 OM010'),
('a row past the rules under the new name', 'ALTER SCHEMA shop RENAME TO shop2', $$UPDATE shop2.orders SET status = 'draft' WHERE number = 'S-1000'$$, 'OM001 OM001 OM001'),
('two stores that swap their names', 'SELECT oms.create_store(''other''); ALTER SCHEMA shop RENAME TO x; ALTER SCHEMA other RENAME TO shop; ALTER SCHEMA x RENAME TO other; SELECT oms.upgrade_store(''shop''), oms.upgrade_store(''other'')', $$UPDATE other.orders SET status = 'placed' WHERE number = 'S-1001'$$, 'ok ok ok');
INSERT INTO ways (what, setup, statement, outcomes) SELECT 'a day under the new name', 'ALTER SCHEMA shop RENAME TO shop2; SELECT oms.upgrade_store(''shop2'')', pg_temp.named(pg_temp.day('shop2'), 'shop2'), 'ok ok ok';
INSERT INTO ways (what, setup, statement, outcomes) SELECT 'a day under a name that needs quoting', 'ALTER SCHEMA shop RENAME TO "we""ird; --"; SELECT oms.upgrade_store(''we"ird; --'')', pg_temp.named(pg_temp.day('we"ird; --'), 'we"ird; --'), 'ok ok ok';

-- ---- tables of others

INSERT INTO ways (what, setup, statement, outcomes) SELECT format('oms.%s(%s) on a table elsewhere', function, subject), 'GRANT SELECT ON shop.orders TO PUBLIC',
	format($$CREATE SCHEMA theirs; CREATE TABLE theirs.orders (LIKE shop.orders INCLUDING DEFAULTS); CREATE TRIGGER t %s ON theirs.orders %s EXECUTE FUNCTION oms.%s(%L); INSERT INTO theirs.orders (number, channel, workflow, status, currency, priority, if_short) VALUES ('x', 'web', 'standard', 'draft', 'EUR', 1, 'hold')$$, moment, rows, function, subject), 'OM010 OM010 OM010'
FROM (VALUES ('guard', 'BEFORE INSERT', 'FOR EACH ROW'), ('recheck', 'AFTER INSERT', 'FOR EACH ROW'), ('act', 'AFTER INSERT', 'REFERENCING NEW TABLE AS n FOR EACH STATEMENT')) AS f(function, moment, rows), unnest(ARRAY['order', 'fulfillment', 'line', 'hold']) AS subject;
INSERT INTO ways (what, setup, statement, outcomes) SELECT format('oms.%s on a table of their own in the store', function), 'GRANT CREATE ON SCHEMA shop TO t_clerk, t_manager',
	format($$CREATE TABLE shop.fake (LIKE shop.orders INCLUDING DEFAULTS); CREATE TRIGGER t %s ON shop.fake %s EXECUTE FUNCTION oms.%s('order'); INSERT INTO shop.fake (id, number, channel, workflow, status, currency, priority, if_short, units, placed_at) SELECT id, number, channel, workflow, 'completed', currency, priority, if_short, 5, now() FROM shop.orders$$, moment, rows, function), outcomes
FROM (VALUES ('guard', 'BEFORE INSERT', 'FOR EACH ROW', 'OM010 OM010 OM001'), ('recheck', 'AFTER INSERT', 'FOR EACH ROW', 'OM010 OM010 OM001'), ('act', 'AFTER INSERT', 'REFERENCING NEW TABLE AS n FOR EACH STATEMENT', 'OM010 OM010 27000')) AS f(function, moment, rows, outcomes);
INSERT INTO ways (what, setup, statement, outcomes) VALUES
('oms.act on a temporary table', '', $$CREATE TEMP TABLE stock_movements (LIKE shop.stock_movements INCLUDING DEFAULTS); CREATE TRIGGER t AFTER INSERT ON pg_temp.stock_movements REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION oms.act('movement'); INSERT INTO pg_temp.stock_movements (id, sku, location, kind, quantity) VALUES (1, 'mug', 'north', 'receipt', 1)$$, 'OM010 OM010 OM010'),
('a trigger of theirs on a table of the store', '', $$CREATE TRIGGER t BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()$$, '42501 42501 ok'),
('the ledger applied twice', 'CREATE TRIGGER twice AFTER INSERT ON shop.stock_movements REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION oms.act(''movement'')', $$INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('mug', 'north', 'receipt', 1)$$, '42501 OM005 OM005'),
('moves acted on twice', 'CREATE TRIGGER twice AFTER UPDATE ON shop.orders REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION oms.act(''order'')', $$UPDATE shop.orders SET status = 'placed' WHERE number = 'S-1001'$$, '27000 27000 27000'),
('oms.guard at another moment', 'CREATE TRIGGER t AFTER INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION oms.guard(''order'')', $$INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR')$$, '39P01 39P01 39P01'),
('oms.guard with another subject', 'CREATE TRIGGER t BEFORE INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION oms.guard(''nonsense'')', $$INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR')$$, '39P01 39P01 39P01'),
('oms.guard without one', 'CREATE TRIGGER t BEFORE INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION oms.guard()', $$INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR')$$, '39P01 39P01 39P01'),
('orders as a partition of another table', 'CREATE TABLE shop.every (LIKE shop.orders) PARTITION BY LIST (channel); ALTER TABLE shop.every ATTACH PARTITION shop.orders DEFAULT; GRANT ALL ON shop.every TO PUBLIC', $$UPDATE shop.every SET status = 'placed' WHERE number = 'S-1001'$$, '55000 55000 55000'),
('the ledger as a partition', 'CREATE TABLE shop.every (LIKE shop.stock_movements) PARTITION BY LIST (kind); ALTER TABLE shop.every ATTACH PARTITION shop.stock_movements DEFAULT; GRANT ALL ON shop.every TO PUBLIC; GRANT USAGE ON SEQUENCE shop.stock_movements_id_seq TO PUBLIC',
	$$INSERT INTO shop.every (id, at, sku, location, kind, quantity, actor, xid) VALUES (99, now(), 'mug', 'north', 'receipt', 1, 'x', pg_current_xact_id())$$, '55000 55000 55000'),
('orders as a child of another table', 'CREATE TABLE shop.every (number text COLLATE "C" NOT NULL, status text COLLATE "C" NOT NULL); ALTER TABLE shop.orders INHERIT shop.every; GRANT ALL ON shop.every TO PUBLIC', $$UPDATE shop.every SET status = 'placed' WHERE number = 'S-1001'$$, '55000 55000 55000'),
('lines as a child of another table', 'CREATE TABLE shop.every (line_no integer NOT NULL); ALTER TABLE shop.order_lines INHERIT shop.every; GRANT ALL ON shop.every TO PUBLIC', $$SELECT FROM shop.every$$, 'seen seen seen'),
('a child of orders', 'CREATE TABLE shop.child () INHERITS (shop.orders); GRANT ALL ON shop.child TO PUBLIC', $$INSERT INTO shop.child (number, channel, workflow, status, currency, priority, if_short) VALUES ('x', 'web', 'standard', 'completed', 'EUR', 1, 'hold')$$, 'seen seen seen'),
('a child of stock', 'CREATE TABLE shop.child () INHERITS (shop.stock); GRANT ALL ON shop.child TO PUBLIC', $$INSERT INTO shop.child (sku, location, on_hand) VALUES ('mug', 'south', 1000)$$, 'seen seen seen'),
('a child by somebody else', '', $$CREATE SCHEMA theirs; CREATE TABLE theirs.child () INHERITS (shop.orders)$$, '42501 42501 seen'),
('a partition by somebody else', '', $$CREATE SCHEMA theirs; CREATE TABLE theirs.every (LIKE shop.orders) PARTITION BY LIST (channel); ALTER TABLE theirs.every ATTACH PARTITION shop.orders DEFAULT$$, '42501 42501 seen'),
('a store of their own', '', $$SELECT oms.create_store('mine'); INSERT INTO mine.channels (code, name) VALUES ('web', 'Web'); INSERT INTO mine.skus (code, name) VALUES ('mug', 'Mug'); INSERT INTO mine.locations (code, name) VALUES ('north', 'North');
	INSERT INTO mine.stock_movements (sku, location, kind, quantity) VALUES ('mug', 'north', 'receipt', 5); SELECT FROM mine.place_order('{"channel": "web", "currency": "EUR", "lines": [{"sku": "mug", "quantity": 1, "unit_price": 1}]}')$$, 'ok ok ok'),
('a schema that looks like a store', '', $$CREATE SCHEMA fake; CREATE TABLE fake.settings AS SELECT * FROM shop.settings; CREATE TABLE fake.workflows AS SELECT * FROM shop.workflows; CREATE TABLE fake.orders (LIKE shop.orders); SELECT oms.cancel_lines('fake', oms.uuid7())$$, 'OM008 OM008 OM008'),
('the schema in other hands than its tables', 'GRANT CREATE ON SCHEMA shop TO t_other; SET LOCAL ROLE NONE; ALTER SCHEMA shop OWNER TO t_other; GRANT USAGE ON SCHEMA shop TO t_owner', $$UPDATE shop.orders SET status = 'placed' WHERE number = 'S-1001'$$, '42501 42501 42501'),
('a table in other hands than the schema', 'GRANT CREATE ON SCHEMA shop TO t_other; SET LOCAL ROLE NONE; ALTER TABLE shop.orders OWNER TO t_other; GRANT ALL ON shop.orders TO PUBLIC', $$UPDATE shop.orders SET status = 'placed' WHERE number = 'S-1001'$$, 'OM010 OM010 OM010');

SELECT is(a.outcome, x.outcome, concat_ws(' ', substr(who, 3) || ':', what, CASE WHEN a.outcome <> x.outcome THEN '(' || message || ')' END))
FROM ways, unnest(ARRAY['t_clerk', 't_manager', 't_owner'], string_to_array(outcomes, ' ')) WITH ORDINALITY AS x(who, outcome, n), pg_temp.attempt(who, setup, statement, 'shop'::regnamespace) AS a
ORDER BY place, n;
SELECT is((SELECT string_agg(what, ', ') FROM ways WHERE array_length(string_to_array(outcomes, ' '), 1) <> 3), NULL, 'an outcome for each role');

-- a day changes what it should, seen from outside
CREATE FUNCTION pg_temp.whose() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(DISTINCT actor, ' ') FROM shop.order_events WHERE event = 'moved' AND to_status = 'placed' AND order_id = (SELECT id FROM shop.orders WHERE number = 'S-1001') $$;
SET ROLE t_clerk;
UPDATE shop.orders SET status = 'placed' WHERE number = 'S-1001';
RESET ROLE;
SELECT is(pg_temp.whose(), 't_clerk', 'the log names who asked, not the owner');

-- ---- code of one store's owner in another's hands

SET ROLE t_other;
SELECT oms.create_store('theirs');
INSERT INTO theirs.channels (code, name) VALUES ('web', 'Web');
CREATE TABLE theirs.heard (who text);
CREATE FUNCTION theirs.listen(theirs.orders) RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO theirs.heard VALUES (current_user); UPDATE shop.settings SET number_prefix = 'X-'; EXCEPTION WHEN insufficient_privilege THEN INSERT INTO theirs.heard VALUES (current_user || ' refused'); END $$;
UPDATE theirs.workflows SET definition = replace(definition, 'do reserve', 'do listen, reserve') WHERE name = 'standard';
SELECT theirs.grant_store('t_owner', 'clerk');
SET ROLE t_owner;
SELECT lives_ok($$ SELECT FROM theirs.place_order('{"channel": "web", "currency": "EUR", "lines": [], "charges": [{"kind": "fee", "amount": 1}]}') $$, 'an owner places in another''s store');
RESET ROLE;
SELECT is((SELECT string_agg(who, ', ') FROM theirs.heard), 't_other refused', 'whose action has its own owner''s rights alone');
SELECT is((SELECT number_prefix FROM shop.settings), 'S-', 'nothing happened to the first');
SELECT lives_ok($$ SELECT FROM theirs.place_order('{"channel": "web", "currency": "EUR", "lines": [], "charges": [{"kind": "fee", "amount": 2}]}') $$, 'a superuser places there');
SELECT is((SELECT string_agg(who, ', ') FROM theirs.heard), 't_other refused, t_other refused', 'and lends no rights either');
SELECT is(current_user::text, session_user::text, 'the user is who it was');

SELECT * FROM finish();
ROLLBACK;
