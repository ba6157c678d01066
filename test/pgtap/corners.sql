-- What people seldom do, and what must hold then too: lists longer than the
-- engine makes room for at first, rows that have become inactive, functions that
-- are gone, triggers in the engine's way.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, if_short) VALUES ('web', 'Web', 'hold');
INSERT INTO shop.locations (code, name, priority) VALUES ('b', 'B', 1), ('a', 'A', 1), ('c', 'C', 2);
INSERT INTO shop.skus (code, name) SELECT 'sku' || n, 'SKU ' || n FROM generate_series(1, 60) AS n;
INSERT INTO shop.skus (code, name, kind) VALUES ('song', 'A song', 'digital'), ('wrap', 'Gift wrapping', 'service');
INSERT INTO shop.stock_movements (sku, location, kind, quantity)
SELECT 'sku' || n, CASE WHEN n <= 30 THEN 'a' ELSE 'b' END, 'receipt', 100 FROM generate_series(1, 60) AS n;

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
CREATE FUNCTION pg_temp.place(lines jsonb, more jsonb DEFAULT '{}') RETURNS uuid LANGUAGE sql
AS $$ SELECT order_id FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR"}' || more || jsonb_build_object('lines', lines)) $$;
CREATE FUNCTION pg_temp.line(sku text, quantity bigint DEFAULT 1) RETURNS jsonb LANGUAGE sql
AS $$ SELECT jsonb_build_object('sku', sku, 'quantity', quantity, 'unit_price', 1) $$;
CREATE FUNCTION pg_temp.draft(number text, sku text DEFAULT 'sku1', channel text DEFAULT 'web') RETURNS uuid LANGUAGE plpgsql
AS $$
DECLARE
	made uuid;
BEGIN
	INSERT INTO shop.orders (number, channel, currency) VALUES (number, channel, 'EUR') RETURNING id INTO made;
	INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) VALUES (made, 1, sku, 1, 1);
	RETURN made;
END $$;
CREATE FUNCTION pg_temp.parcels(order_id uuid) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(location || ': ' || skus, ', ' ORDER BY location, skus DESC) FROM (
	SELECT f.location, string_agg(fl.sku || ' ' || fl.quantity, ' ' ORDER BY fl.sku) AS skus
	FROM shop.fulfillments f JOIN shop.fulfillment_lines fl ON fl.fulfillment_id = f.id WHERE f.order_id = $1 GROUP BY f.id) p $$;

-- ---- many at once

SELECT pg_temp.place((SELECT jsonb_agg(pg_temp.line('sku' || n, 2)) FROM generate_series(1, 60) AS n)) AS large \gset
SELECT is((SELECT string_agg(f.location || ' ' || (SELECT count(*) FROM shop.fulfillment_lines fl WHERE fl.fulfillment_id = f.id), ', ' ORDER BY f.location)
	FROM shop.fulfillments f WHERE order_id = :'large'), 'a 30, b 30', 'sixty lines from two places');
UPDATE shop.fulfillments SET status = 'rejected' WHERE order_id = :'large' AND location = 'a';
SELECT is((SELECT units_short FROM shop.orders WHERE id = :'large'), 60::bigint, 'thirty lines are rejected in one statement, and found nowhere else');
SELECT pg_temp.sound('after a large reject');
UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = :'large' AND location = 'b';
UPDATE shop.fulfillments SET status = 'returned_to_sender' WHERE order_id = :'large' AND location = 'b';
SELECT is((SELECT format('%s %s %s', units_short, units_shipped, units_returned) FROM shop.orders WHERE id = :'large'), '60 60 60', 'thirty are shipped, and come back');
SELECT pg_temp.sound('after a large parcel');

SELECT pg_temp.place((SELECT jsonb_agg(pg_temp.line('sku' || n)) FROM generate_series(3, 30) AS n)) AS burnt \gset
UPDATE shop.fulfillments SET status = 'canceled', status_reason = 'damaged' WHERE order_id = :'burnt';
SELECT is((SELECT count(*) || ' ' || sum(on_hand_change) FROM shop.stock_movements WHERE kind = 'damage'), '28 -28', 'twenty-eight lines are canceled as damaged, and written off');
SELECT pg_temp.sound('after a large loss');

SELECT count(pg_temp.draft('N-' || n, 'sku' || n)) FROM generate_series(1, 40) AS n \gset
UPDATE shop.orders SET status = 'placed' WHERE number LIKE 'N-%';
SELECT is((SELECT string_agg(status || ' ' || n, ', ') FROM (SELECT status, count(*) AS n FROM shop.orders WHERE number LIKE 'N-%' GROUP BY 1) s), 'confirmed 40', 'forty orders are placed in one statement');
UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id IN (SELECT id FROM shop.orders WHERE number LIKE 'N-1%');
UPDATE shop.orders SET status = 'canceled' WHERE number LIKE 'N-%' AND number NOT LIKE 'N-1%';
SELECT is((SELECT string_agg(status || ' ' || n, ', ' ORDER BY status) FROM (SELECT status, count(*) AS n FROM shop.orders WHERE number LIKE 'N-%' GROUP BY 1) s), 'canceled 29, completed 11',
	'eleven are shipped in one, the others canceled in one');
SELECT pg_temp.sound('after many orders');

-- ---- where to take from

SELECT pg_temp.place(jsonb_build_array(pg_temp.line('song'))) AS equals \gset
SELECT is(pg_temp.parcels(:'equals'), 'a: song 1', 'of locations of one priority the first by code serves');
SELECT pg_temp.place(jsonb_build_array(pg_temp.line('sku32'), pg_temp.line('wrap'), pg_temp.line('sku2'))) AS wrapped \gset
SELECT is(pg_temp.parcels(:'wrapped'), 'a: sku2 1, b: sku32 1 wrap 1', 'a service goes with the goods of the first parcel');
SELECT pg_temp.place(jsonb_build_array(pg_temp.line('sku2') || '{"pickup_location": "b", "method": "pickup"}', pg_temp.line('sku32') || '{"pickup_location": "b", "method": "pickup"}')) AS pickup \gset
SELECT is(pg_temp.parcels(:'pickup'), 'a: sku2 1, b: sku32 1', 'what the pickup location lacks comes from another');
SELECT pg_temp.sound('after services and pickup');
UPDATE shop.locations SET active = false;
SELECT is((f).state, 'OM009', 'where no location is active, not even a service finds one') FROM pg_temp.fault($$ SELECT pg_temp.place(jsonb_build_array(pg_temp.line('wrap')), '{"if_short": "refuse"}') $$) AS f;
UPDATE shop.locations SET active = true;

-- ---- what was active when the draft was made

SELECT pg_temp.draft('D-1') AS draft \gset
UPDATE shop.skus SET active = false WHERE code = 'sku1';
SELECT is(f.state || ' ' || f.message, 'OM012 lines[0].sku: sku "sku1" is not active', 'a SKU that is no longer sold') FROM pg_temp.fault($$ UPDATE shop.orders SET status = 'placed' WHERE number = 'D-1' $$) AS f;
UPDATE shop.skus SET active = true WHERE code = 'sku1';
UPDATE shop.channels SET active = false;
SELECT is(f.state || ' ' || f.message, 'OM012 channel: channel "web" is not active', 'a channel that is closed') FROM pg_temp.fault($$ UPDATE shop.orders SET status = 'placed' WHERE number = 'D-1' $$) AS f;
UPDATE shop.channels SET active = true;

-- ---- the form of an order's columns, by plain INSERT and UPDATE

SELECT is(f.state || ' ' || f.message, expected, expected)
FROM (VALUES ('if_short', '''perhaps''', '23514 if_short of an order cannot be "perhaps"'),
	('source_kind', '''gift''', '23514 source_kind of an order cannot be "gift"'),
	('number', '''''', '23514 number of an order must have 1 to 64 characters'),
	('ordered_at', '''infinity''', '23514 ordered_at of an order must be finite')) AS v(name, value, expected),
	pg_temp.fault(format('INSERT INTO shop.orders (channel, currency, %I) VALUES (''web'', ''EUR'', %s)', name, value)) AS f;
SELECT lives_ok($$ INSERT INTO shop.orders (channel, currency, if_short, source_kind) VALUES ('web', 'EUR', 'refuse', 'reorder') $$, 'words that there are');
SELECT throws_ok($$ INSERT INTO shop.workflows (name, entity, definition) VALUES ('none', 'order', NULL) $$, '23502', NULL, 'a workflow has a definition');
SELECT throws_ok($$ INSERT INTO shop.stock_movements (sku, location, kind, quantity, external_ref) VALUES (NULL, 'a', 'receipt', 1, 'r1') $$, '23502', NULL, 'a movement has a SKU');
SELECT throws_ok($$ INSERT INTO shop.stock_movements (sku, location, kind, quantity, external_ref) VALUES ('sku1', 'a', 'receipt', NULL, 'r1') $$, '23502', NULL, 'and a quantity');

-- ---- the same document again, but for one key of an address

SELECT pg_temp.place(jsonb_build_array(pg_temp.line('sku1')), '{"external_ref": "again", "ship_to": {"name": "Ada", "city": "Ghent", "country": "BE"}}') AS first \gset
SELECT is(pg_temp.place(jsonb_build_array(pg_temp.line('sku1')), '{"external_ref": "again", "ship_to": {"country": "BE", "city": "Ghent", "name": "Ada"}}'), :'first', 'in another sequence');
SELECT throws_ok($$ SELECT pg_temp.place(jsonb_build_array(pg_temp.line('sku1')), '{"external_ref": "again", "ship_to": {"name": "Ada", "country": "BE"}}') $$, 'OM007', NULL, 'an address without its city is another document');
SELECT pg_temp.place(jsonb_build_array(pg_temp.line('sku1') || '{"ship_to": {"name": "Ada"}}', pg_temp.line('sku1') || '{"ship_to": {"name": "Ada", "city": "Ghent"}}', pg_temp.line('sku1') || '{"ship_to": {"name": "Ada"}}')) AS two \gset
SELECT is(pg_temp.parcels(:'two'), 'a: sku1 1 sku1 1, a: sku1 1', 'and in one document, another address');

-- ---- guards and actions of people's own

CREATE FUNCTION shop.gift_ready(o shop.orders) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN o.attributes ? 'card'; END $$;
CREATE TABLE shop.gifts (number text PRIMARY KEY);
CREATE FUNCTION shop.note_gift(o shop.orders) RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO shop.gifts VALUES (o.number); END $$;
INSERT INTO shop.workflows (name, entity, definition) VALUES ('gift', 'order',
	'initial draft; draft -> placed do reserve; placed -> ready when gift_ready do note_gift auto; placed, ready -> canceled do release, note_gift; final canceled');
INSERT INTO shop.channels (code, name, order_workflow) VALUES ('gift', 'Gifts', 'gift');
SELECT count(pg_temp.draft('G-' || n, 'sku1', 'gift')) FROM generate_series(1, 4) AS n \gset
UPDATE shop.orders SET status = 'placed' WHERE channel = 'gift';
SELECT is((SELECT string_agg(DISTINCT status, ' ') FROM shop.orders WHERE channel = 'gift'), 'placed', 'an automatic move waits for its guard');
UPDATE shop.orders SET po_number = '17' WHERE channel = 'gift';
SELECT is((SELECT string_agg(DISTINCT status, ' ') FROM shop.orders WHERE channel = 'gift'), 'placed', 'also after an edit of something else');
UPDATE shop.orders SET attributes = '{"card": "Happy birthday"}' WHERE number IN ('G-1', 'G-2');
SELECT is((SELECT string_agg(number || ' ' || status, ', ' ORDER BY number) FROM shop.orders WHERE channel = 'gift'), 'G-1 ready, G-2 ready, G-3 placed, G-4 placed',
	'an edit that makes the guard true moves the order');
SELECT is((SELECT string_agg(number, ' ' ORDER BY number) FROM shop.gifts), 'G-1 G-2', 'and its action runs once for each');
DROP FUNCTION shop.note_gift;
SELECT is(f.state || ' ' || f.message || ' ' || f.hint,
	'OM004 action "note_gift" of workflow "gift" does not exist Create a function shop.note_gift(shop.orders) that returns void and belongs to the store''s owner.',
	'an action that is gone') FROM pg_temp.fault($$ UPDATE shop.orders SET status = 'canceled' WHERE number = 'G-3' $$) AS f;
SELECT is((SELECT status FROM shop.orders WHERE number = 'G-3'), 'placed', 'leaves the order as it was');

-- ---- an action that finds nothing to act on

-- nobody can save such a workflow
SET LOCAL session_replication_role = replica;
INSERT INTO shop.workflows (name, entity, definition) VALUES ('twice', 'fulfillment', 'initial open; open -> left do issue; left -> gone do issue; final gone');
SET LOCAL session_replication_role = origin;
INSERT INTO shop.methods (code, name, workflow) VALUES ('twice', 'Twice', 'twice');
SELECT pg_temp.place(jsonb_build_array(pg_temp.line('sku1') || '{"method": "twice"}', pg_temp.line('sku32') || '{"method": "twice"}')) AS twice \gset
UPDATE shop.fulfillments SET status = 'left' WHERE order_id = :'twice';
SELECT is(f.state || ' ' || f.message, format('OM002 fulfillment "%s" cannot move from "left" to "gone": it has nothing to issue', number), 'goods that left do not leave again')
FROM shop.fulfillments, pg_temp.fault(format('UPDATE shop.fulfillments SET status = ''gone'' WHERE id = %L', id)) AS f WHERE order_id = :'twice' AND location = 'a';
SELECT is((pg_temp.fault(format('UPDATE shop.fulfillments SET status = ''gone'' WHERE order_id = %L', :'twice'))).state, 'OM002', 'nor do those of two parcels');
SELECT is((SELECT violations FROM oms.verify_store('shop') WHERE rule = 'every workflow is sound'), 1::bigint, 'verify_store names such a workflow');
UPDATE shop.workflows SET definition = 'initial open; open -> left do issue; left -> gone; final gone' WHERE name = 'twice';
INSERT INTO shop.workflows (name, entity, definition) VALUES ('again', 'order', 'initial draft; draft -> placed do reserve; placed -> placed_again do reserve; placed_again -> gone do release; final gone');
INSERT INTO shop.channels (code, name, order_workflow) VALUES ('again', 'Again', 'again');
SELECT pg_temp.draft('A-1', 'sku35', 'again') AS draft \gset
UPDATE shop.orders SET status = 'placed' WHERE number = 'A-1';
UPDATE shop.orders SET status = 'placed_again' WHERE number = 'A-1';
SELECT is((SELECT status || ' ' || units_allocated FROM shop.orders WHERE number = 'A-1') || ' ' || (SELECT reserved FROM shop.stock WHERE sku = 'sku35'), 'placed_again 1 1', 'reserve takes nothing where the order is placed already');
SELECT pg_temp.sound('after actions that were refused');

-- ---- why an order waits

INSERT INTO shop.workflows (name, entity, definition) VALUES ('cash', 'order', 'initial draft; draft -> placed do reserve; placed -> packable when allocated; placed -> closed when paid; packable, closed -> gone do release; final gone');
INSERT INTO shop.channels (code, name, order_workflow, payment_required, if_short) VALUES ('cash', 'Cash', 'cash', true, 'hold');
SELECT pg_temp.place(jsonb_build_array(pg_temp.line('sku1', 1000)), '{"channel": "cash"}') AS cash \gset
SELECT is(f.state || ' ' || substring(f.message FROM 'guard.*'), expected, expected)
FROM (VALUES ('closed', 'OM002 guard "paid" refuses, because 0.0000 of the 1000.0000 due is captured'),
	('packable', 'OM002 guard "allocated" refuses, because 0 units are backordered, 910 short')) AS v(status, expected),
	pg_temp.fault(format('UPDATE shop.orders SET status = %L WHERE id = %L', status, :'cash')) AS f;
SELECT pg_temp.place(jsonb_build_array(pg_temp.line('sku33', 10)), '{"channel": "cash"}') AS cash \gset
SELECT lives_ok(format('UPDATE shop.orders SET status = ''packable'' WHERE id = %L', :'cash'), 'with all its stock it may go on');

-- ---- how far the money has come follows from its counters

SELECT pg_temp.place(jsonb_build_array(pg_temp.line('sku33', 10)), '{"channel": "cash"}') AS cash \gset
CREATE FUNCTION pg_temp.paid(order_id uuid, authorized numeric, captured numeric, refunded numeric, charged_back numeric) RETURNS text LANGUAGE plpgsql
AS $$
DECLARE
	result text;
BEGIN
	SET LOCAL session_replication_role = replica;
	UPDATE shop.orders o SET authorized = $2, captured = $3, refunded = $4, charged_back = $5 WHERE id = $1;
	SET LOCAL session_replication_role = origin;
	INSERT INTO shop.order_holds (order_id, kind) VALUES ($1, 'manual');	-- the engine writes the order
	SELECT payment_status INTO result FROM shop.orders WHERE id = $1;
	RETURN result;
END $$;
SELECT is(pg_temp.paid(:'cash', a, c, r, b), expected, format('%s authorized, %s captured, %s refunded, %s charged back: %s', a, c, r, b, expected))
FROM (VALUES (0, 0, 0, 0, 'unpaid'), (10, 0, 0, 0, 'authorized'), (10, 4, 0, 0, 'partially_paid'), (10, 10, 0, 0, 'paid'), (10, 12, 0, 0, 'paid'), (10, 10, 3, 0, 'partially_refunded'),
	(10, 10, 10, 0, 'refunded'), (10, 10, 0, 10, 'charged_back')) AS v(a, c, r, b, expected);
SELECT lives_ok(format('UPDATE shop.orders SET status = ''closed'' WHERE id = %L', :'cash'), 'captured is paid');

-- ---- triggers in the engine's way, and the engine's where they do not belong

SELECT pg_temp.place(jsonb_build_array(pg_temp.line('sku34'))) AS hindered \gset
CREATE FUNCTION shop.swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER a BEFORE UPDATE ON shop.order_lines FOR EACH ROW EXECUTE FUNCTION shop.swallow();
SELECT is(f.state || ' ' || f.message, '27000 a trigger keeps the engine from writing table "order_lines"', 'a trigger that swallows what is written to lines')
FROM pg_temp.fault(format('UPDATE shop.orders SET status = ''canceled'' WHERE id = %L', :'hindered')) AS f;
DROP TRIGGER a ON shop.order_lines;
CREATE TRIGGER a BEFORE UPDATE OF units_shipped ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.swallow();
SELECT is(f.state || ' ' || f.message, '27000 a trigger keeps the engine from writing table "orders"', 'or to orders')
FROM pg_temp.fault(format('UPDATE shop.fulfillments SET status = ''shipped'' WHERE order_id = %L', :'hindered')) AS f;
DROP TRIGGER a ON shop.orders;
-- what lines and holds add is in their order, or nowhere
INSERT INTO shop.orders (channel, currency) SELECT channel, 'EUR' FROM shop.orders WHERE id = :'hindered' RETURNING id AS draft \gset
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) VALUES (:'draft', 1, 'sku34', 2, 1);
INSERT INTO shop.order_holds (order_id, kind) VALUES (:'draft', 'manual');
CREATE TRIGGER a BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.swallow();
SELECT is(f.state || ' ' || f.message, '27000 a trigger keeps the engine from writing table "orders"', statement) FROM unnest(ARRAY[
	$$INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) VALUES (%L, 2, 'sku34', 2, 1)$$, $$UPDATE shop.order_lines SET quantity = 1 WHERE order_id = %L$$,
	$$UPDATE shop.order_lines SET description = 'x' WHERE order_id = %L$$, $$DELETE FROM shop.order_lines WHERE order_id = %L$$, $$INSERT INTO shop.order_charges (order_id, kind, amount) VALUES (%L, 'fee', 1)$$,
	$$INSERT INTO shop.order_holds (order_id, kind) VALUES (%L, 'fraud')$$, $$UPDATE shop.order_holds SET released_at = now() WHERE order_id = %L$$]) AS statement, pg_temp.fault(format(statement, :'draft')) AS f;
DROP TRIGGER a ON shop.orders;
SELECT lives_ok(format('DELETE FROM shop.orders WHERE id = %L', :'draft'), 'a draft goes with all that is its');
-- a trigger that the engine's own writes fire sees an order half placed
CREATE FUNCTION shop.cancel_at_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM oms.cancel_lines('shop', NEW.id); RETURN NULL; END $$;
CREATE TRIGGER a AFTER UPDATE ON shop.orders FOR EACH ROW WHEN (OLD.units_allocated = 0 AND NEW.units_allocated > 0) EXECUTE FUNCTION shop.cancel_at_once();
SELECT is(f.state || ' ' || f.message, '27000 units of line 1 have stock, and no fulfillment yet', 'what has no fulfillment yet cannot be canceled')
FROM pg_temp.fault($$ SELECT pg_temp.place(jsonb_build_array(pg_temp.line('sku34'))) $$) AS f;
DROP TRIGGER a ON shop.orders;
-- nor is anything done that the ledger and the log do not have
CREATE FUNCTION pg_temp.hindered(relation text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('CREATE TRIGGER a BEFORE INSERT OR UPDATE OR DELETE ON shop.%I FOR EACH ROW WHEN (pg_trigger_depth() > 0) EXECUTE FUNCTION shop.swallow()', relation);
	SELECT f.state || ' ' || f.message INTO result FROM pg_temp.fault(statement) AS f;
	EXECUTE format('DROP TRIGGER a ON shop.%I', relation);
	RETURN result;
END $$;
INSERT INTO shop.skus (code, name, kind) VALUES ('hindered', 'Hindered', 'bundle');
INSERT INTO shop.inbound (ref, sku, location, quantity) SELECT 'hindered', 'sku34', location, 2 FROM shop.fulfillments WHERE order_id = :'hindered';
SELECT is(pg_temp.hindered(relation, format(statement, :'hindered')), format('27000 a trigger keeps the engine from writing table "%s"', relation), relation || ': ' || statement) FROM (VALUES
	('stock', 'UPDATE shop.fulfillments SET status = ''shipped'' WHERE order_id = %L'), ('stock_movements', 'UPDATE shop.fulfillments SET status = ''shipped'' WHERE order_id = %L'),
	('order_events', 'UPDATE shop.fulfillments SET status = ''shipped'' WHERE order_id = %L'), ('stock_movements', 'UPDATE shop.inbound SET status = ''received'' WHERE ref = ''hindered'''),
	('inbound', 'INSERT INTO shop.stock_movements (sku, location, kind, quantity, entity, entity_id) SELECT sku, location, ''receipt'', 1, ''inbound'', id FROM shop.inbound WHERE ref = ''hindered'''),
	('inbound', 'UPDATE shop.inbound SET status = ''received'' WHERE ref = ''hindered'''),
	('bundle_components', 'INSERT INTO shop.bundle_items (bundle, sku) VALUES (''hindered'', ''sku34'')')) AS v(relation, statement);
SELECT lives_ok(format('UPDATE shop.fulfillments SET status = ''shipped'' WHERE order_id = %L', :'hindered'), 'without it the same is written');

CREATE TABLE shop.notes (id bigint);
CREATE TRIGGER a BEFORE INSERT ON shop.notes FOR EACH ROW EXECUTE FUNCTION oms.guard('note');
CREATE TRIGGER b AFTER INSERT ON shop.notes FOR EACH ROW EXECUTE FUNCTION oms.recheck('note');
CREATE TRIGGER c AFTER INSERT ON shop.notes REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION oms.act('note');
SELECT is(f.state || ' ' || f.message, '39P01 trigger "a" names an unknown subject "note"', 'oms.guard knows its subjects') FROM pg_temp.fault('INSERT INTO shop.notes VALUES (1)') AS f;
DROP TRIGGER a ON shop.notes;
SELECT is(f.state || ' ' || f.message, '39P01 trigger "b" names an unknown subject "note"', 'oms.recheck') FROM pg_temp.fault('INSERT INTO shop.notes VALUES (1)') AS f;
DROP TRIGGER b ON shop.notes;
SELECT is(f.state || ' ' || f.message, '39P01 trigger "c" names an unknown subject "note"', 'and oms.act') FROM pg_temp.fault('INSERT INTO shop.notes VALUES (1)') AS f;
DROP TABLE shop.notes;

SELECT oms.create_store('narrow');
INSERT INTO narrow.channels (code, name) VALUES ('web', 'Web');
INSERT INTO narrow.skus (code, name) VALUES ('sku', 'SKU');
INSERT INTO narrow.orders (number, channel, currency) VALUES ('X', 'web', 'EUR');
ALTER TABLE narrow.order_lines RENAME unit_price TO price;
SELECT is(f.state, 'OM008', 'a store whose column has another name') FROM pg_temp.fault('INSERT INTO narrow.order_lines (order_id, line_no, sku, quantity, price) SELECT id, 1, ''sku'', 1, 1 FROM narrow.orders') AS f;

SELECT * FROM finish();
ROLLBACK;
