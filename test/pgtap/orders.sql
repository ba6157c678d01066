-- Orders in plain SQL: where they begin, how they move, what of them is fixed
-- or the engine's, what they cost, and what may be deleted.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, if_short, priority) VALUES ('web', 'Web', 'refuse', 7), ('late', 'May be late', 'hold', 100);
INSERT INTO shop.locations (code, name) VALUES ('a', 'A');
INSERT INTO shop.skus (code, name) VALUES ('shirt', 'Shirt'), ('hat', 'Hat');
INSERT INTO shop.customers (code) VALUES ('c1');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('shirt', 'a', 'receipt', 100), ('hat', 'a', 'receipt', 100);

CREATE FUNCTION pg_temp.draft(tax_included boolean DEFAULT false) RETURNS uuid LANGUAGE sql
AS $$ INSERT INTO shop.orders (channel, currency, tax_included) VALUES ('web', 'EUR', $1) RETURNING id $$;
CREATE FUNCTION pg_temp.with_line(quantity bigint DEFAULT 2) RETURNS uuid LANGUAGE sql
AS $$ INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) VALUES (pg_temp.draft(), 1, 'shirt', $1, 10) RETURNING order_id $$;
CREATE FUNCTION pg_temp.set(order_id uuid, status text) RETURNS void LANGUAGE sql AS $$ UPDATE shop.orders SET status = $2 WHERE id = $1 $$;
CREATE FUNCTION pg_temp.total(order_id uuid) RETURNS text LANGUAGE sql
AS $$ SELECT format('%s, %s units', total, units) FROM shop.orders WHERE id = $1 $$;
CREATE FUNCTION pg_temp.events(order_id uuid) RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM shop.order_events e WHERE e.order_id = $1 $$;
CREATE FUNCTION pg_temp.sound(what text) RETURNS text LANGUAGE sql
AS $$ SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL,
	'verify_store: ' || what) $$;
CREATE FUNCTION pg_temp.fault(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text, OUT table_name text, OUT column_name text) LANGUAGE plpgsql
AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT,
		table_name = TABLE_NAME, column_name = COLUMN_NAME;
END $$;

-- ---- how an order begins

INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR') RETURNING id AS o \gset
SELECT is((SELECT format('%s %s %s %s %s %s', number, status, workflow, priority, if_short, revision) FROM shop.orders WHERE id = :'o'),
	'S-1000 draft standard 7 refuse 0', 'number, status, workflow, priority and if_short are filled in');
SELECT is((SELECT format('%s %s %s', payment_status, fulfillment_status, return_status) FROM shop.orders WHERE id = :'o'), 'unpaid unfulfilled none', 'and the axes');
SELECT is((SELECT concat(placed_at, confirmed_at, closed_at, canceled_at) FROM shop.orders WHERE id = :'o'), '', 'nothing has happened yet');
SELECT pg_temp.draft() AS next \gset
SELECT is((SELECT number FROM shop.orders WHERE id = :'next'), 'S-1001', 'numbers count up');
UPDATE shop.settings SET number_prefix = 'EU-';
SELECT pg_temp.draft() AS eu \gset
SELECT is((SELECT number FROM shop.orders WHERE id = :'eu'), 'EU-1002', 'their prefix is a setting, in force at once');
UPDATE shop.settings SET number_prefix = 'S-';
SELECT lives_ok($$ INSERT INTO shop.orders (channel, currency, number) VALUES ('web', 'EUR', 'LEGACY-7') $$, 'a number may be given');
SELECT throws_ok($$ INSERT INTO shop.orders (channel, currency, number) VALUES ('web', 'EUR', 'LEGACY-7') $$, '23505', NULL, 'once');
SELECT lives_ok($$ INSERT INTO shop.orders (channel, currency, status) VALUES ('web', 'EUR', 'draft') $$, 'the initial state may be named');
SELECT throws_ok(format($$ INSERT INTO shop.orders (channel, currency, status, number) VALUES ('web', 'EUR', %L, 'N') $$, status), 'OM001',
	format('order "N" cannot begin in "%s", only in "draft"', status), 'not to begin in: ' || status)
FROM unnest(ARRAY['placed', 'confirmed', 'completed', 'canceled', 'Draft', 'nonsense', '']) AS status;
SELECT throws_ok($$ INSERT INTO shop.orders (channel, currency) VALUES ('nowhere', 'EUR') $$, '23502', NULL, 'an unknown channel gives no workflow');
SELECT throws_ok($$ INSERT INTO shop.orders (channel, currency) VALUES ('web', 'eur') $$, '23514', NULL, 'currencies are three capitals');
SELECT throws_ok($$ INSERT INTO shop.orders (channel, currency, workflow) VALUES ('web', 'EUR', 'ship') $$, 'OM004', NULL, 'a parcel''s workflow is none for an order');
SELECT throws_ok($$ INSERT INTO shop.orders (channel, currency, workflow) VALUES ('web', 'EUR', 'unheard_of') $$, 'OM004', NULL, 'nor is one that does not exist');
SELECT throws_ok(format($$ INSERT INTO shop.orders (channel, currency, %I) VALUES ('web', 'EUR', %L) $$, name, value), 'OM005', NULL, 'not to insert: ' || name)
FROM (VALUES ('payment_required', 'true'), ('credit_approved', 'true'), ('units', '1'), ('units_canceled', '1'), ('units_allocated', '1'), ('units_backordered', '1'),
	('units_short', '1'), ('units_shipped', '1'), ('units_delivered', '1'), ('units_returned', '1'), ('fewest_shipments', '1'), ('total', '1'), ('credited', '1'), ('authorized', '1'),
	('captured', '0.0001'), ('refunded', '1'), ('charged_back', '1'), ('open_holds', '1'), ('payment_status', 'paid'), ('fulfillment_status', 'fulfilled'),
	('return_status', 'returned'), ('placed_at', '2026-01-01'), ('confirmed_at', '2026-01-01'), ('closed_at', '2026-01-01'), ('canceled_at', '2026-01-01'),
	('revision', '1')) AS v(name, value);
SELECT is_empty($$ SELECT FROM shop.orders WHERE placed_at IS NOT NULL $$, 'nothing was placed by any of it');

-- ---- moves

SELECT pg_temp.with_line() AS m \gset
SELECT number AS mn FROM shop.orders WHERE id = :'m' \gset
SELECT throws_ok(format($$ SELECT pg_temp.set(%L, %L) $$, :'m', status), 'OM001', format('order "%s" cannot move from "draft" to "%s"', :'mn', status), 'from draft to ' || status)
FROM unnest(ARRAY['confirmed', 'completed', 'shipped', 'DRAFT', '']) AS status;
SELECT is((pg_temp.fault(format($$ SELECT pg_temp.set(%L, 'completed') $$, :'m'))).hint, 'From there it can move to "placed", "canceled".', 'the hint lists the open moves');
SELECT is((pg_temp.fault(format($$ SELECT pg_temp.set(%L, 'completed') $$, :'m'))).detail, 'It is in state "draft" of workflow "standard".', 'the detail the state now');
SELECT is((SELECT table_name || '.' || column_name FROM pg_temp.fault(format($$ SELECT pg_temp.set(%L, 'completed') $$, :'m'))), 'orders.status', 'table and column are attached');
SELECT throws_ok(format($$ UPDATE shop.orders SET status = NULL WHERE id = %L $$, :'m'), '23502', NULL, 'an order has a status');
SELECT pg_temp.set(:'m', 'placed');
SELECT is((SELECT status FROM shop.orders WHERE id = :'m'), 'confirmed', 'placed, and by itself confirmed');
SELECT ok(placed_at = now() AND confirmed_at = now() AND closed_at IS NULL AND canceled_at IS NULL, 'at this time') FROM shop.orders WHERE id = :'m';
SELECT throws_ok(format($$ SELECT pg_temp.set(%L, %L) $$, :'m', status), 'OM001', format('order "%s" cannot move from "confirmed" to "%s"', :'mn', status), 'from confirmed to ' || status)
FROM unnest(ARRAY['draft', 'placed']) AS status;
SELECT throws_ok(format($$ SELECT pg_temp.set(%L, 'completed') $$, :'m'), 'OM002',
	format('order "%s" cannot move from "confirmed" to "completed": guard "fulfilled" refuses, because 0 of 2 units are shipped, 0 canceled', :'mn'), 'a guard says why');
SELECT is((SELECT status || revision FROM shop.orders WHERE id = :'m'), (SELECT status || revision FROM shop.orders WHERE id = :'m'), 'nothing has changed');
UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = :'m';
SELECT ok(status = 'completed' AND closed_at = now(), 'shipped, it is completed and closed') FROM shop.orders WHERE id = :'m';
SELECT throws_ok(format($$ SELECT pg_temp.set(%L, %L) $$, :'m', status), 'OM001', NULL, 'from completed to ' || status) FROM unnest(ARRAY['canceled', 'confirmed', 'draft']) AS status;
SELECT is((pg_temp.fault(format($$ SELECT pg_temp.set(%L, 'draft') $$, :'m'))).hint, 'No move leaves this state.', 'a final state is final');
SELECT pg_temp.with_line() AS d \gset
SELECT pg_temp.set(:'d', 'canceled');
SELECT ok(status = 'canceled' AND closed_at = now() AND placed_at IS NULL, 'a draft may be canceled') FROM shop.orders WHERE id = :'d';

-- of several rows in one statement all move or none
SELECT pg_temp.with_line(1) AS m1 \gset
SELECT pg_temp.with_line(2) AS m2 \gset
SELECT pg_temp.with_line(1000) AS m3 \gset
SELECT throws_ok(format($$ UPDATE shop.orders SET status = 'placed' WHERE id IN (%L, %L, %L) $$, :'m1', :'m2', :'m3'), 'OM003', NULL, 'three orders, one too large');
SELECT is_empty(format($$ SELECT FROM shop.orders WHERE id IN (%L, %L, %L) AND (status <> 'draft' OR placed_at IS NOT NULL) $$, :'m1', :'m2', :'m3'), 'none is placed');
UPDATE shop.orders SET status = 'placed' WHERE id IN (:'m1', :'m2');
SELECT is((SELECT count(*) FROM shop.orders WHERE id IN (:'m1', :'m2') AND status = 'confirmed' AND units_allocated = units), 2::bigint, 'the two are');
SELECT is((SELECT reserved FROM shop.stock WHERE sku = 'shirt'), 3::bigint, 'three units are reserved');

-- the same status again is a no-op
SELECT pg_temp.events(:'m1') AS before, (SELECT max(id) FROM shop.stock_movements) AS ledger, revision AS rev FROM shop.orders WHERE id = :'m1' \gset
SELECT lives_ok(format($$ UPDATE shop.orders SET status = 'confirmed' WHERE id = %L $$, :'m1'), 'the same status again');
SELECT lives_ok(format($$ UPDATE shop.orders SET status = status WHERE id = %L $$, :'m1'), 'or itself');
UPDATE shop.fulfillments SET status = status WHERE order_id = :'m1';
SELECT is(pg_temp.events(:'m1'), :before::bigint, 'has no events');
SELECT is((SELECT reserved FROM shop.stock WHERE sku = 'shirt'), 3::bigint, 'takes nothing again');
SELECT is((SELECT revision FROM shop.orders WHERE id = :'m1'), :rev::bigint, 'and changes nothing');

-- status_reason belongs to the move that it comes with
UPDATE shop.orders SET status = 'canceled', status_reason = 'fraud' WHERE id = :'m1';
SELECT is((SELECT status_reason FROM shop.orders WHERE id = :'m1'), 'fraud', 'a reason is kept');
SELECT is((SELECT reason FROM shop.order_events WHERE order_id = :'m1' AND entity = 'order' AND to_status = 'canceled'), 'fraud', 'and is in the event');
SELECT pg_temp.with_line() AS r \gset
UPDATE shop.orders SET status_reason = 'other' WHERE id = :'r';
SELECT pg_temp.set(:'r', 'canceled');
SELECT is((SELECT status_reason FROM shop.orders WHERE id = :'r'), NULL, 'an older reason is cleared by a move without one');
SELECT pg_temp.with_line() AS r2 \gset
UPDATE shop.orders SET status = 'placed', status_reason = 'other' WHERE id = :'r2';
SELECT is((SELECT status_reason FROM shop.orders WHERE id = :'r2'), NULL, 'by an automatic one too');
SELECT is((SELECT string_agg(to_status || coalesce(' ' || reason, ''), ', ' ORDER BY id) FROM shop.order_events WHERE order_id = :'r2' AND entity = 'order' AND event = 'moved'),
	'placed other, confirmed', 'the log has each where it was given');
SELECT throws_ok(format($$ UPDATE shop.orders SET status = 'canceled', status_reason = 'whim' WHERE id = %L $$, :'r2'), '23503', NULL, 'a reason must be known');

-- a trigger of somebody's that fires after ours
CREATE FUNCTION pg_temp.meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF NEW.po_number = 'status' THEN NEW.status := 'completed'; END IF;
	IF NEW.po_number = 'engine' THEN NEW.captured := 100; END IF;
	IF NEW.po_number = 'revision' THEN NEW.captured := 100; NEW.revision := OLD.revision + 1; END IF;
	IF NEW.po_number = 'closed' THEN NEW.closed_at := '2000-01-01'; END IF;
	RETURN NEW; END $$;
CREATE TRIGGER zzz BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION pg_temp.meddle();
SELECT pg_temp.with_line() AS z \gset
SELECT throws_ok(format($$ UPDATE shop.orders SET po_number = 'status' WHERE id = %L $$, :'z'), 'OM001', NULL, 'a later trigger cannot move it where no move leads');
SELECT throws_ok(format($$ UPDATE shop.orders SET po_number = 'engine' WHERE id = %L $$, :'z'), 'OM005', NULL, 'nor write what is the engine''s');
SELECT throws_ok(format($$ UPDATE shop.orders SET po_number = 'revision' WHERE id = %L $$, :'z'), 'OM005', NULL, 'nor pretend to be the engine');
SELECT throws_ok(format($$ UPDATE shop.orders SET po_number = 'closed' WHERE id = %L $$, :'z'), 'OM005', NULL, 'nor close it');
SELECT throws_ok(format($$ UPDATE shop.orders SET po_number = 'closed', status = 'canceled' WHERE id = %L $$, :'z'), 'OM005', NULL, 'nor say when it was closed');
DROP TRIGGER zzz ON shop.orders;

-- ---- the engine's columns, in a draft and in an order that is placed

CREATE TEMP TABLE engine AS SELECT * FROM (VALUES ('payment_required', 'NOT payment_required'), ('credit_approved', 'NOT credit_approved'), ('units', 'units + 1'),
	('units_canceled', 'units_canceled + 1'), ('units_allocated', 'units_allocated + 1'), ('units_backordered', 'units_backordered + 1'), ('units_short', 'units_short + 1'),
	('units_shipped', 'units_shipped + 1'), ('units_delivered', 'units_delivered + 1'), ('units_returned', 'units_returned + 1'), ('fewest_shipments', '7'), ('total', 'total + 0.0001'),
	('credited', 'credited + 1'), ('authorized', 'authorized + 1'), ('captured', 'captured + 1'), ('refunded', 'refunded + 1'), ('charged_back', 'charged_back + 1'),
	('open_holds', 'open_holds + 1'), ('payment_status', '''paid'''), ('fulfillment_status', '''delivered'''), ('return_status', '''returned'''),
	('placed_at', '''2020-01-01'''), ('confirmed_at', '''2020-01-01'''), ('closed_at', '''2020-01-01'''), ('canceled_at', '''2020-01-01''')) AS v(name, value);
SELECT throws_ok(format($$ UPDATE shop.orders SET %I = %s WHERE id = %L $$, name, value, o.id), 'OM005',
	format('column "%s" of order "%s" is kept by the engine and cannot be written by hand', name, number), format('%s of a %s order', name, status))
FROM engine, shop.orders o WHERE id IN (:'z', :'m2');
SELECT throws_ok(format($$ UPDATE shop.orders SET %I = %s, revision = revision + 1 WHERE id = %L $$, name, value, o.id), 'OM005', NULL,
	format('%s of a %s order, revision + 1', name, status))
FROM engine, shop.orders o WHERE id IN (:'z', :'m2');
SELECT throws_ok(format($$ UPDATE shop.orders SET revision = revision + %s WHERE id = %L $$, n, :'m2'), 'OM005', NULL, 'revision + ' || n) FROM unnest(ARRAY[1, 2, -1]) AS n;
SELECT throws_ok(format($$ UPDATE shop.orders SET status = 'canceled', units_canceled = 2 WHERE id = %L $$, :'m2'), 'OM005', NULL, 'with a move neither');
SELECT isnt((pg_temp.fault(format($$ UPDATE shop.orders SET total = 1 WHERE id = %L $$, :'m2'))).hint, '', 'the hint says what brings it about');
SELECT is((SELECT table_name || '.' || column_name FROM pg_temp.fault(format($$ UPDATE shop.orders SET total = 1 WHERE id = %L $$, :'m2'))), 'orders.total', 'table and column are attached');

-- ---- what is fixed, and what people may edit

SELECT throws_ok(format($$ UPDATE shop.orders SET %I = %s WHERE id = %L $$, name, value, o.id), 'OM006', NULL, format('%s of a %s order is fixed', name, status))
FROM (VALUES ('id', 'oms.uuid7()'), ('number', '''X'''), ('channel', '''late'''), ('workflow', '''other'''), ('currency', '''USD'''), ('tax_included', 'NOT tax_included'),
	('external_ref', '''ref'''), ('document_hash', '''x'''), ('created_at', '''2020-01-01''')) AS v(name, value), shop.orders o WHERE o.id IN (:'z', :'m2');
SELECT lives_ok(format($$ UPDATE shop.orders SET %I = %s WHERE id = %L $$, name, value, o.id), format('%s of a %s order may change', name, status))
FROM (VALUES ('po_number', '''4711'''), ('priority', '1'), ('customer_id', '(SELECT id FROM shop.customers)'), ('attributes', '''{"gift": true}'''), ('ship_complete', 'true'),
	('if_short', '''hold'''), ('ordered_at', '''2020-01-01''')) AS v(name, value), shop.orders o WHERE o.id IN (:'z', :'m2');
SELECT is((SELECT string_agg(detail::text, ' ' ORDER BY id) FROM shop.order_events WHERE order_id = :'z' AND event = 'edited'),
	'{"columns": ["po_number"]} {"columns": ["priority"]} {"columns": ["customer_id"]} {"columns": ["attributes"]} {"columns": ["ship_complete"]} {"columns": ["if_short"]} {"columns": ["ordered_at"]}',
	'an edit is logged by the columns'' names alone');

-- ---- lines and charges

SELECT pg_temp.draft() AS l \gset
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, discount, tax) VALUES (:'l', 1, 'shirt', 3, 9.99, 1.5, 2.1234), (:'l', 2, 'hat', 1, 0, 0, 0);
SELECT is(pg_temp.total(:'l'), '30.5934, 4 units', 'quantity x price - discount + tax');
INSERT INTO shop.order_charges (order_id, kind, amount, tax) VALUES (:'l', 'shipping', 4.9, 0.9), (:'l', 'fee', 1, 0), (:'l', 'tip', 1, 0), (:'l', 'duty', 1, 0);
SELECT is(pg_temp.total(:'l'), '39.3934, 4 units', 'charges add');
INSERT INTO shop.order_charges (order_id, kind, amount, tax) VALUES (:'l', 'discount', 5, 0.5);
SELECT is(pg_temp.total(:'l'), '33.8934, 4 units', 'a discount subtracts, tax and all');
UPDATE shop.order_lines SET quantity = 2 WHERE order_id = :'l' AND line_no = 1;
SELECT is(pg_temp.total(:'l'), '23.9034, 3 units', 'an update changes the total');
UPDATE shop.order_charges SET amount = 0 WHERE order_id = :'l' AND kind IN ('tip', 'duty');
SELECT is(pg_temp.total(:'l'), '21.9034, 3 units', 'of charges too');
UPDATE shop.order_charges SET kind = 'fee' WHERE order_id = :'l' AND kind = 'discount';
SELECT is(pg_temp.total(:'l'), '32.9034, 3 units', 'of their kind too');
DELETE FROM shop.order_lines WHERE order_id = :'l' AND line_no = 1;
DELETE FROM shop.order_charges WHERE order_id = :'l' AND kind <> 'shipping';
SELECT is(pg_temp.total(:'l'), '5.8000, 1 units', 'removals too');
SELECT pg_temp.draft(true) AS li \gset
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, discount, tax) VALUES (:'li', 1, 'shirt', 3, 9.99, 1.5, 2.1234);
INSERT INTO shop.order_charges (order_id, kind, amount, tax) VALUES (:'li', 'shipping', 4.9, 0.9), (:'li', 'discount', 5, 0.5);
SELECT is(pg_temp.total(:'li'), '28.3700, 3 units', 'with tax included tax is not added');
SELECT throws_ok(format($$ INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, %1$s) VALUES (%2$L, 9, 'shirt', 1, 10, 1) $$, name, :'l'), 'OM005', NULL, 'not to insert: ' || name)
FROM unnest(ARRAY['canceled', 'allocated', 'backordered', 'short', 'shipped', 'delivered', 'returned', 'revision']) AS name;
SELECT throws_ok(format($$ INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, backorder_policy_id) VALUES (%L, 9, 'shirt', 1, 10, oms.uuid7()) $$, :'l'), 'OM005', NULL, 'not to insert: backorder_policy_id');
SELECT throws_ok(format($$ INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, discount, tax) VALUES (%L, %s) $$, :'l', line), '23514', NULL, 'no line: ' || line)
FROM unnest(ARRAY['0, ''shirt'', 1, 1, 0, 0', '-1, ''shirt'', 1, 1, 0, 0', '9, ''shirt'', 0, 1, 0, 0', '9, ''shirt'', -1, 1, 0, 0', '9, ''shirt'', 1, -1, 0, 0', '9, ''shirt'', 1, ''NaN'', 0, 0',
	'9, ''shirt'', 1, 1, 2, 0', '9, ''shirt'', 1, 1, -1, 0', '9, ''shirt'', 1, 1, 0, -1', '9, ''shirt'', 1, 1, ''NaN'', 0', '9, ''shirt'', 1, 1, 0, ''NaN''']) AS line;
SELECT throws_ok(format($$ INSERT INTO shop.order_charges (order_id, kind, amount) VALUES (%L, %s) $$, :'l', charge), '23514', NULL, 'no charge: ' || charge)
FROM unnest(ARRAY['''gift'', 1', '''fee'', -1', '''fee'', ''NaN''']) AS charge;
SELECT throws_ok(format($$ INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) VALUES (%L, 2, 'shirt', 1, 1) $$, :'l'), '23505', NULL, 'line numbers are unique in their order');
SELECT throws_ok(format($$ UPDATE shop.order_lines SET order_id = %L WHERE order_id = %L $$, :'z', :'l'), 'OM006', NULL, 'a line stays with its order');
SELECT throws_ok(format($$ UPDATE shop.order_charges SET order_id = %L WHERE order_id = %L $$, :'z', :'l'), 'OM006', NULL, 'a charge too');
SELECT pg_temp.sound('with drafts');

SELECT pg_temp.with_line() AS p \gset
INSERT INTO shop.order_charges (order_id, kind, amount) VALUES (:'p', 'fee', 1);
SELECT pg_temp.set(:'p', 'placed');
-- the id is refused by the foreign key of fulfillment_lines, whose trigger fires before ours
SELECT throws_ok(format($$ UPDATE shop.order_lines SET %s = %s WHERE order_id = %L $$, name, value, :'p'),
	CASE name WHEN 'id' THEN '23503' ELSE 'OM006' END, NULL, 'of a placed order''s line fixed: ' || name)
FROM (VALUES ('quantity', '3'), ('unit_price', '11'), ('discount', '1'), ('tax', '1'), ('sku', '''hat'''), ('line_no', '2'), ('method', '''pickup'''), ('location', '''a'''),
	('pickup_location', '''a'''), ('ship_group', '''x'''), ('id', 'oms.uuid7()')) AS v(name, value);
SELECT throws_ok(format($$ UPDATE shop.order_lines SET %s WHERE order_id = %L $$, change, :'p'), 'OM005', NULL, 'the engine''s on a line: ' || change)
FROM unnest(ARRAY['allocated = 1', 'allocated = 1, canceled = 1', 'allocated = 1, short = 1', 'allocated = 1, backordered = 1', 'allocated = 1, shipped = 1',
	'allocated = 0, shipped = 2, delivered = 1', 'allocated = 0, shipped = 2, returned = 1', 'revision = revision + 2', 'revision = 0']) AS change;
SELECT lives_ok(format($$ UPDATE shop.order_lines SET description = 'blue', external_ref = 'x', attributes = '{"a": 1}' WHERE order_id = %L $$, :'p'), 'people may note things on a line');
SELECT throws_ok(format($$ INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) VALUES (%L, 2, 'hat', 1, 1) $$, :'p'), 'OM006', NULL, 'no line comes to a placed order');
SELECT throws_ok(format($$ DELETE FROM shop.order_lines WHERE order_id = %L $$, :'p'), 'OM006', NULL, 'and none goes');
SELECT throws_ok(format($$ INSERT INTO shop.order_charges (order_id, kind, amount) VALUES (%L, 'fee', 1) $$, :'p'), 'OM006', NULL, 'no charge either');
SELECT throws_ok(format($$ UPDATE shop.order_charges SET %s WHERE order_id = %L $$, change, :'p'), 'OM006', NULL, 'of a placed order''s charge fixed: ' || change)
FROM unnest(ARRAY['amount = 2', 'tax = 1', 'kind = ''tip''', 'id = oms.uuid7()']) AS change;
SELECT lives_ok(format($$ UPDATE shop.order_charges SET label = 'Gift wrap' WHERE order_id = %L $$, :'p'), 'but a label may');
SELECT throws_ok(format($$ DELETE FROM shop.order_charges WHERE order_id = %L $$, :'p'), 'OM006', NULL, 'and none goes');
SELECT is(pg_temp.total(:'p'), '21.0000, 2 units', 'the total is as it was');
SELECT pg_temp.set(:'p', 'canceled');
SELECT throws_ok(format($$ INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) VALUES (%L, 2, 'hat', 1, 1) $$, :'p'), 'OM006', NULL, 'nor to a canceled one');

-- ---- orders of charges only, of nothing, of less than nothing

SELECT pg_temp.draft() AS e \gset
SELECT throws_ok(format($$ SELECT pg_temp.set(%L, 'placed') $$, :'e'), 'OM012', NULL, 'an empty order is none');
SELECT is((SELECT status FROM shop.orders WHERE id = :'e'), 'draft', 'it stays a draft');
INSERT INTO shop.order_charges (order_id, kind, amount) VALUES (:'e', 'fee', 25);
SELECT pg_temp.set(:'e', 'placed');
SELECT is((SELECT concat_ws(' ', status, fulfillment_status, payment_status, total) FROM shop.orders WHERE id = :'e'), 'completed unfulfilled unpaid 25.0000', 'an order of charges has nothing to ship and is done');
SELECT pg_temp.draft() AS h \gset
INSERT INTO shop.order_charges (order_id, kind, amount) VALUES (:'h', 'fee', 25);
INSERT INTO shop.order_holds (order_id, kind) VALUES (:'h', 'manual');
SELECT pg_temp.set(:'h', 'placed');
SELECT pg_temp.set(:'h', 'canceled');
SELECT is((SELECT concat_ws(' ', status, total, credited, total - credited) FROM shop.orders WHERE id = :'h'), 'canceled 25.0000 25.0000 0.0000', 'canceled, its charges are credited');
SELECT pg_temp.with_line(1) AS neg \gset
INSERT INTO shop.order_charges (order_id, kind, amount) VALUES (:'neg', 'discount', 11);
SELECT throws_ok(format($$ SELECT pg_temp.set(%L, 'placed') $$, :'neg'), 'OM012', NULL, 'an order cannot cost less than nothing');
UPDATE shop.order_charges SET amount = 10 WHERE order_id = :'neg';
SELECT pg_temp.set(:'neg', 'placed');
SELECT is((SELECT concat_ws(' ', status, payment_status) FROM shop.orders WHERE id = :'neg'), 'confirmed paid', 'one that costs nothing is paid');
SELECT pg_temp.with_line(1) AS nf \gset
UPDATE shop.order_lines SET sku = 'hat', quantity = 101 WHERE order_id = :'nf';
SELECT throws_ok(format($$ SELECT pg_temp.set(%L, 'placed') $$, :'nf'), 'OM003', 'not enough stock: sku "hat" wants 101, 100 available', 'short stock refuses the order');
UPDATE shop.orders SET if_short = 'hold' WHERE id = :'nf';
SELECT pg_temp.set(:'nf', 'placed');
SELECT is((SELECT concat_ws(' ', status, units_allocated, units_short, open_holds) FROM shop.orders WHERE id = :'nf'), 'placed 100 1 1', 'or holds it, if the order says so');

-- payment_required is the channel's when the order is placed; nothing can be paid yet
INSERT INTO shop.channels (code, name, payment_required) VALUES ('prepaid', 'Prepaid', true);
INSERT INTO shop.orders (channel, currency) VALUES ('prepaid', 'EUR') RETURNING id AS pay \gset
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) VALUES (:'pay', 1, 'shirt', 1, 10);
SELECT is((SELECT payment_required FROM shop.orders WHERE id = :'pay'), false, 'a draft asks for no money');
SELECT pg_temp.set(:'pay', 'placed');
SELECT is((SELECT status || ' ' || payment_required FROM shop.orders WHERE id = :'pay'), 'placed true', 'placed, it waits for it');
SELECT throws_ok(format($$ SELECT pg_temp.set(%L, 'confirmed') $$, :'pay'), 'OM002', NULL, 'payable refuses');
SELECT is((pg_temp.fault(format($$ SELECT pg_temp.set(%L, 'confirmed') $$, :'pay'))).message,
	format('order "%s" cannot move from "placed" to "confirmed": guard "payable" refuses, because 0.0000 of the 10.0000 due is authorized or captured', (SELECT number FROM shop.orders WHERE id = :'pay')), 'and says why');

-- ---- deleting

SELECT pg_temp.with_line() AS x \gset
INSERT INTO shop.order_charges (order_id, kind, amount) VALUES (:'x', 'fee', 1);
INSERT INTO shop.order_holds (order_id, kind) VALUES (:'x', 'manual');
SELECT lives_ok(format($$ DELETE FROM shop.orders WHERE id = %L $$, :'x'), 'a draft can be deleted');
SELECT is((SELECT count(*) FROM shop.order_lines WHERE order_id = :'x') + (SELECT count(*) FROM shop.order_charges WHERE order_id = :'x')
	+ (SELECT count(*) FROM shop.order_holds WHERE order_id = :'x'), 0::bigint, 'with all that belongs to it');
SELECT cmp_ok(pg_temp.events(:'x'), '>', 0::bigint, 'but its log');
SELECT throws_ok(format($$ DELETE FROM shop.orders WHERE id = %L $$, id), 'OM006', format('order "%s" cannot be deleted: it is in state "%s"', number, status), status || ' orders are kept')
FROM shop.orders WHERE id IN (:'e', :'nf', :'neg', :'d', :'m1');
SELECT throws_ok($$ DELETE FROM shop.orders $$, 'OM006', NULL, 'a DELETE of everything');
SELECT throws_ok($$ TRUNCATE shop.orders CASCADE $$, 'OM006', NULL, 'TRUNCATE of orders');
SELECT throws_ok($$ TRUNCATE shop.order_charges $$, 'OM006', NULL, 'TRUNCATE of charges');
SELECT throws_ok($$ TRUNCATE shop.order_lines CASCADE $$, 'OM006', NULL, 'TRUNCATE of lines');
SELECT throws_ok($$ TRUNCATE shop.order_holds $$, 'OM005', NULL, 'TRUNCATE of holds');
SELECT throws_ok($$ TRUNCATE shop.order_events $$, 'OM005', NULL, 'TRUNCATE of events');

-- ---- keys and addresses

SELECT throws_ok(format('UPDATE shop.%I SET %I = %s', t, c, v), 'OM006', NULL, format('%s.%s never changes', t, c))
FROM (VALUES ('channels', 'code', 'code || ''x'''), ('locations', 'code', 'code || ''x'''), ('skus', 'code', 'code || ''x'''), ('methods', 'code', 'code || ''x'''), ('reasons', 'code', 'code || ''x'''),
	('workflows', 'name', 'name || ''x'''), ('customers', 'id', 'oms.uuid7()')) AS k(t, c, v);
SELECT throws_ok(format('INSERT INTO shop.%I (code, name) VALUES (%L, ''x'')', t, c), '23514', NULL, format('a code of %s characters in %s', length(c), t))
FROM unnest(ARRAY['channels', 'locations', 'skus']) AS t, unnest(ARRAY['', repeat('x', 65)]) AS c;
SELECT lives_ok(format('INSERT INTO shop.%I (code, name) VALUES (%L, ''x'')', t, repeat('é', 64)), '64 characters will do, of any length in bytes') FROM unnest(ARRAY['channels', 'locations', 'skus']) AS t;
INSERT INTO shop.addresses (name, line1, city, latitude) VALUES ('Ann', 'Main St 1', 'Ghent', 51.05) RETURNING id AS ad \gset
SELECT throws_ok(format('UPDATE shop.addresses SET %s WHERE id = %L', change, :'ad'), 'OM006', NULL, 'an address is not changed: ' || change)
FROM unnest(ARRAY['name = ''Bob''', 'company = ''Inc''', 'city = ''ghent''', 'latitude = 51.06', 'longitude = 3.7', 'id = oms.uuid7()', 'name = NULL, city = ''Bruges''']) AS change;
SELECT lives_ok(format('UPDATE shop.addresses SET name = NULL, line1 = NULL, latitude = NULL WHERE id = %L', :'ad'), 'but erased');
SELECT pg_temp.sound('in the end');

SELECT * FROM finish();
ROLLBACK;
