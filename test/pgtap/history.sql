-- oms.begin_import: rows of the past come in as they are, by the owner's hand,
-- in that transaction alone; verify_store judges them. Committed, since
-- transactions are what this is about; what is made is dropped at the end.
SET client_min_messages = warning;
SELECT no_plan();

DROP ROLE IF EXISTS oms_test_partner, oms_test_keeper, oms_test_history_clerk;
CREATE ROLE oms_test_keeper;
CREATE ROLE oms_test_partner IN ROLE oms_test_keeper;
CREATE ROLE oms_test_history_clerk;
SELECT current_database() AS database \gset
GRANT CREATE ON DATABASE :"database" TO oms_test_keeper;
SET ROLE oms_test_keeper;
SELECT oms.create_store('past'), oms.create_store('present');
SELECT oms.grant_store(s, 'oms_test_history_clerk', 'manager') FROM unnest(ARRAY['past', 'present']) AS s;
INSERT INTO past.channels (code, name) VALUES ('web', 'Web');
INSERT INTO past.locations (code, name) VALUES ('a', 'A');
INSERT INTO past.skus (code, name) VALUES ('shirt', 'Shirt'), ('hat', 'Hat');
INSERT INTO present.channels (code, name) VALUES ('web', 'Web');

CREATE FUNCTION pg_temp.insert(store text, number text, status text, more text DEFAULT '', more_values text DEFAULT '') RETURNS text LANGUAGE sql
AS $$ SELECT format('INSERT INTO %I.orders (channel, currency, number, status%s) VALUES (''web'', ''EUR'', %L, %L%s)', store, more, number, status, more_values) $$;
CREATE FUNCTION pg_temp.broken() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(rule || ': ' || violations, ', ') FROM past.verify_store() WHERE violations > 0 $$;

-- ---- who, and where

SELECT throws_ok(pg_temp.insert('past', 'X', 'completed'), 'OM001', NULL, 'without it an order begins in the initial state');
RESET ROLE;
SET ROLE oms_test_history_clerk;
SELECT throws_ok($$ SELECT past.begin_import() $$, '42501', 'must be owner of schema past', 'the owner alone begins');
SET ROLE oms_test_keeper;
SELECT throws_ok($$ SELECT oms.begin_import(NULL) $$, '22004', NULL, 'store NULL');
SELECT throws_ok($$ SELECT oms.begin_import('nowhere') $$, 'OM010', NULL, 'no such store');
SELECT past.begin_import();
SELECT throws_ok(pg_temp.insert('past', 'X', 'completed'), 'OM001', NULL, 'it ends with its transaction, here a single statement');
UPDATE past.settings SET import_xid = NULL;
BEGIN;
UPDATE past.settings SET import_xid = pg_current_xact_id();
SELECT throws_ok(pg_temp.insert('past', 'X', 'completed'), 'OM001', NULL, 'import_xid by hand means nothing, so none from a dump does');
COMMIT;

BEGIN;
SELECT lives_ok('SELECT past.begin_import()', 'begun');
SELECT is(import_xid, pg_current_xact_id(), 'import_xid') FROM past.settings;
SELECT lives_ok($$ SELECT oms.begin_import('past') $$, 'twice is once');
SELECT throws_ok(pg_temp.insert('present', 'X', 'completed'), 'OM001', NULL, 'it is for that store alone');
SET ROLE oms_test_partner;
SELECT lives_ok(pg_temp.insert('past', 'P-1', 'canceled', ', closed_at', ', now()'), 'who may be the owner is the owner');
SET ROLE oms_test_history_clerk;
SELECT throws_ok(pg_temp.insert('past', 'X', 'completed'), 'OM001', NULL, 'another role is judged as ever');
SELECT throws_ok($$ INSERT INTO past.stock (sku, location, on_hand) VALUES ('shirt', 'a', 1) $$, '42501', NULL, 'and may not more');
SET ROLE oms_test_keeper;
SELECT lives_ok(pg_temp.insert('past', 'P-2', 'canceled', ', closed_at', ', now()'), 'the owner goes on');
SELECT throws_ok($$ SELECT past.place_order('{"channel": "web", "currency": "EUR", "lines": [{"sku": "shirt", "quantity": 1, "unit_price": 1}]}') $$, '55000', NULL, 'orders are placed in other transactions');
SAVEPOINT s;
SELECT present.begin_import();
SELECT lives_ok(pg_temp.insert('present', 'P-3', 'canceled', ', closed_at', ', now()'), 'into two stores at a time');
ROLLBACK TO s;
SELECT throws_ok(pg_temp.insert('present', 'X', 'canceled', ', closed_at', ', now()'), 'OM001', NULL, 'a savepoint that is rolled back takes its import along');
SELECT lives_ok(pg_temp.insert('past', 'P-4', 'completed', ', closed_at', ', now()'), 'and no other');
SAVEPOINT t;
SELECT present.begin_import();
RELEASE t;
SELECT lives_ok(pg_temp.insert('present', 'P-5', 'canceled', ', closed_at', ', now()'), 'one that is released leaves it');
COMMIT;
SELECT throws_ok(pg_temp.insert('past', 'X', 'completed'), 'OM001', NULL, 'over');
SELECT is(pg_temp.broken(), NULL, 'verify_store is clean');

-- ---- what is judged all the same

BEGIN;
SELECT past.begin_import();
SELECT throws_ok(pg_temp.insert('past', 'X', 'sold'), 'OM001', 'order "X" cannot be imported in "sold": workflow "standard" has no such state', 'a state that the workflow lacks');
SELECT throws_ok(pg_temp.insert('past', 'X', 'draft', ', units_shipped', ', NULL'), '23502', NULL, 'a counter that is NULL');
SELECT throws_ok(pg_temp.insert('past', 'X', 'draft', ', payment_status', ', NULL'), '23502', NULL, 'an axis that is NULL');
SELECT throws_ok(pg_temp.insert('past', 'X', 'draft', ', units', ', -1'), '23514', NULL, 'a counter below 0');
SELECT throws_ok($$ INSERT INTO past.orders (channel, currency) VALUES ('web', 'euro') $$, '22001', NULL, 'a currency that is none');
SELECT throws_ok($$ INSERT INTO past.order_events (order_id, entity, entity_id, event, actor) VALUES (oms.uuid7(), 'order', oms.uuid7(), 'moved', 'me') $$, 'OM005', NULL, 'the log stays the engine''s');
SELECT throws_ok($$ UPDATE past.orders SET status = 'draft' WHERE number = 'P-4' $$, 'OM001', NULL, 'a move');
SELECT throws_ok($$ UPDATE past.orders SET total = 1 WHERE number = 'P-4' $$, 'OM005', NULL, 'a counter of a row that is there');
SELECT throws_ok($$ DELETE FROM past.orders WHERE number = 'P-4' $$, 'OM006', NULL, 'and its removal');
SELECT throws_ok($$ INSERT INTO past.stock_movements (sku, location, kind, quantity, on_hand_change, unavailable_change) SELECT 'shirt', 'a', 'receipt', 1, 1, 0 FROM past.orders WHERE false;
	DELETE FROM past.stock_movements; UPDATE past.settings SET id = 2 $$, '23514', NULL, 'settings too');
ROLLBACK;

-- ---- an order that shipped in part: nothing is counted, taken or moved

CREATE FUNCTION pg_temp.import(total numeric DEFAULT 50, units int DEFAULT 5, allocated int DEFAULT 2, reserved int DEFAULT 2, status text DEFAULT 'shipped', on_hand int DEFAULT 10, holds int DEFAULT 0, closed timestamptz DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE broken text; BEGIN
	BEGIN
		INSERT INTO past.orders (id, number, channel, currency, status, total, units, units_allocated, units_shipped, units_delivered, open_holds, created_at, ordered_at, placed_at, confirmed_at, closed_at, fulfillment_status)
		VALUES ('00000000-0000-7000-8000-000000000001', 'P-9', 'web', 'EUR', 'confirmed', total, units, allocated, 3, 1, holds, '2001-01-01', '2001-01-01', '2001-01-02', '2001-01-03', closed, 'nonsense');
		INSERT INTO past.order_lines (id, order_id, line_no, sku, quantity, unit_price, allocated, shipped, delivered)
		VALUES ('00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000000001', 1, 'shirt', 5, 9, allocated, 3, 1);
		INSERT INTO past.order_charges (order_id, kind, amount) VALUES ('00000000-0000-7000-8000-000000000001', 'shipping', 5);
		INSERT INTO past.order_holds (order_id, kind, released_at) VALUES ('00000000-0000-7000-8000-000000000001', 'fraud', '2001-01-02');
		INSERT INTO past.fulfillments (id, number, order_id, location, method, workflow, status, stock_state, created_at, shipped_at, delivered_at, carrier, status_reason) VALUES
		('00000000-0000-7000-8000-000000000011', 'P-9-1', '00000000-0000-7000-8000-000000000001', 'a', 'ship', 'ship', 'delivered', 'issued', '2001-01-02', '2001-01-04', '2001-01-05', 'post', NULL),
		('00000000-0000-7000-8000-000000000012', 'P-9-2', '00000000-0000-7000-8000-000000000001', 'a', 'ship', 'ship', status, 'issued', '2001-01-02', '2001-01-04', NULL, 'post', NULL),
		('00000000-0000-7000-8000-000000000013', 'P-9-3', '00000000-0000-7000-8000-000000000001', 'a', 'ship', 'ship', 'packed', 'reserved', '2001-01-02', NULL, NULL, NULL, 'other');
		INSERT INTO past.fulfillment_lines (fulfillment_id, order_line_id, sku, quantity, tracked) SELECT ('00000000-0000-7000-8000-00000000001' || n)::uuid, '00000000-0000-7000-8000-000000000002', 'shirt', q, true
		FROM (VALUES (1, 1), (2, 2), (3, 2)) AS v(n, q);
		INSERT INTO past.stock (sku, location, on_hand, reserved) VALUES ('shirt', 'a', on_hand, reserved);
		INSERT INTO past.stock_movements (sku, location, kind, quantity, on_hand_change, unavailable_change) VALUES ('shirt', 'a', 'count', 13, 13, 0), ('shirt', 'a', 'issue', 3, -3, 0);
		broken := coalesce(pg_temp.broken(), 'clean');
		IF (total, units, allocated, reserved, status, on_hand, holds, closed) IS DISTINCT FROM (50, 5, 2, 2, 'shipped', 10, 0, NULL) THEN RAISE 'taken back'; END IF;
	EXCEPTION WHEN raise_exception THEN NULL; END;
	RETURN broken;
END $$;
BEGIN;
SELECT past.begin_import();
SELECT is(pg_temp.import(total => 49), 'an order''s total is the sum of its lines and charges: 1', 'a wrong total is found');
SELECT is(pg_temp.import(units => 6), 'an order''s units are the sum of its lines: 1', 'wrong units are');
SELECT is(pg_temp.import(allocated => 1), 'units of a placed line are all accounted for: 1, a line''s units are what its fulfillments carry: 1', 'units that nobody has are');
SELECT is(pg_temp.import(reserved => 3), 'stock reserved is what fulfillments and stock holds hold: 1', 'wrong reserved is');
SELECT is(pg_temp.import(on_hand => 9), 'stock on hand is the sum of its movements: 1', 'wrong on_hand is');
SELECT is(pg_temp.import(holds => 1), 'open holds are counted: 1', 'wrong open_holds is');
SELECT is(pg_temp.import(closed => '2001-01-09'), 'closed orders are in a final state, others are not: 1', 'a wrong closed_at is');
SELECT throws_ok($$ SELECT pg_temp.import(status => 'on the way') $$, 'OM001', NULL, 'a wrong state of a fulfillment is refused');
SELECT is(pg_temp.import(), 'clean', 'an order that agrees with itself');
COMMIT;
SELECT is((SELECT format('%s %s %s %s %s %s %s', status, total, units_shipped, ordered_at::date, placed_at::date, confirmed_at::date, revision) FROM past.orders WHERE number = 'P-9'), 'confirmed 50.0000 3 2001-01-01 2001-01-02 2001-01-03 0', 'an order as it was given');
SELECT is((SELECT format('%s %s %s', payment_status, fulfillment_status, return_status) FROM past.orders WHERE number = 'P-9'), 'unpaid partial none', 'but for its axes, which follow from the rest');
SELECT is((SELECT format('%s %s %s', number, status, revision) FROM past.fulfillments WHERE number = 'P-9-3'), 'P-9-3 packed 0', 'a fulfillment as it was given');
SELECT is((SELECT format('%s %s %s', on_hand, reserved, revision) FROM past.stock), '10 2 0', 'stock as it was given');
SELECT is((SELECT string_agg(concat_ws(' ', entity, event, from_status, to_status, reason), ', ' ORDER BY id) FROM past.order_events WHERE order_id = '00000000-0000-7000-8000-000000000001'),
	'order imported confirmed, fulfillment imported delivered, fulfillment imported shipped, fulfillment imported packed other', 'each is logged as imported, and nothing else is');
SELECT is((SELECT string_agg(DISTINCT actor, ' ') FROM past.order_events), 'oms_test_keeper oms_test_partner', 'by whom');
SELECT is((SELECT string_agg(DISTINCT released_by, ' ') FROM past.order_holds), 'oms_test_keeper', 'holds of the past are there too');

-- ---- and they live on

UPDATE past.fulfillments SET status = 'shipped' WHERE number = 'P-9-3';
UPDATE past.fulfillments SET status = 'delivered' WHERE number IN ('P-9-2', 'P-9-3');
SELECT is((SELECT format('%s %s %s', status, fulfillment_status, units_delivered) FROM past.orders WHERE number = 'P-9'), 'completed delivered 5', 'it ships and completes');
SELECT is((SELECT format('%s %s', on_hand, reserved) FROM past.stock), '8 0', 'and its units leave');
SELECT is(pg_temp.broken(), NULL, 'verify_store is clean');

-- movements without their effect have it as ever; what there was before stays
BEGIN;
SELECT past.begin_import();
INSERT INTO past.stock_movements (sku, location, kind, quantity, at) VALUES ('hat', 'a', 'receipt', 4, '2001-01-01');
INSERT INTO past.orders (id, number, channel, currency, status, placed_at, confirmed_at, units, units_allocated) VALUES ('00000000-0000-7000-8000-000000000021', 'P-10', 'web', 'EUR', 'confirmed', now(), now(), 3, 3);
INSERT INTO past.order_lines (id, order_id, line_no, sku, quantity, unit_price, allocated) VALUES ('00000000-0000-7000-8000-000000000022', '00000000-0000-7000-8000-000000000021', 1, 'hat', 3, 0, 3);
INSERT INTO past.fulfillments (id, number, order_id, location, method, workflow, status, stock_state) VALUES ('00000000-0000-7000-8000-000000000023', 'P-10-1', '00000000-0000-7000-8000-000000000021', 'a', 'ship', 'ship', 'released', 'reserved');
INSERT INTO past.fulfillment_lines (fulfillment_id, order_line_id, sku, quantity, tracked) VALUES ('00000000-0000-7000-8000-000000000023', '00000000-0000-7000-8000-000000000022', 'hat', 3, true);
UPDATE past.stock SET reserved = 3 WHERE sku = 'hat';
SELECT is(pg_temp.broken(), NULL, 'stock can be received and then reserved');
SELECT is((SELECT format('%s %s', on_hand, reserved) FROM past.stock WHERE sku = 'hat'), '4 3', 'as much as was given');
SELECT lives_ok($$ UPDATE past.fulfillments SET status = 'shipped' WHERE number = 'P-10-1' $$, 'in the same transaction what came in can move');
SELECT is((SELECT status FROM past.orders WHERE number = 'P-10'), 'completed', 'and the engine does its part');
SELECT is(pg_temp.broken(), NULL, 'verify_store is clean');
COMMIT;
SELECT throws_ok($$ UPDATE past.stock SET reserved = 1 WHERE sku = 'hat' $$, 'OM005', NULL, 'not so afterwards');

-- money of the past is counted as ever, and moves nothing that has ended
BEGIN;
SELECT past.begin_import();
INSERT INTO past.orders (id, number, channel, currency, status, placed_at, confirmed_at, closed_at, total, units, units_shipped, units_delivered)
	VALUES ('00000000-0000-7000-8000-000000000031', 'P-11', 'web', 'EUR', 'completed', '2001-01-01', '2001-01-01', '2001-02-01', 30, 3, 3, 3);
INSERT INTO past.order_lines (id, order_id, line_no, sku, quantity, unit_price, shipped, delivered) VALUES ('00000000-0000-7000-8000-000000000032', '00000000-0000-7000-8000-000000000031', 1, 'hat', 3, 10, 3, 3);
INSERT INTO past.fulfillments (id, number, order_id, location, method, workflow, status, stock_state, shipped_at, delivered_at)
	VALUES ('00000000-0000-7000-8000-000000000033', 'P-11-1', '00000000-0000-7000-8000-000000000031', 'a', 'ship', 'ship', 'delivered', 'issued', '2001-01-03', '2001-01-05');
INSERT INTO past.fulfillment_lines (fulfillment_id, order_line_id, sku, quantity, tracked) VALUES ('00000000-0000-7000-8000-000000000033', '00000000-0000-7000-8000-000000000032', 'hat', 3, false);
INSERT INTO past.payments (id, order_id, method, amount) VALUES ('00000000-0000-7000-8000-000000000034', '00000000-0000-7000-8000-000000000031', 'card', 30);
INSERT INTO past.payment_transactions (payment_id, kind, outcome, amount, gateway_ref, at) VALUES ('00000000-0000-7000-8000-000000000034', 'sale', 'succeeded', 30, 'past-1', '2001-01-02'),
	('00000000-0000-7000-8000-000000000034', 'refund', 'succeeded', 5, 'past-2', '2001-01-20');
COMMIT;
SELECT is((SELECT format('%s %s %s %s %s', status, captured, refunded, payment_status, closed_at::date) FROM past.orders WHERE number = 'P-11'), 'completed 30.0000 5.0000 partially_refunded 2001-02-01', 'payments are counted');
SELECT is((SELECT string_agg(at::date::text, ' ' ORDER BY id) FROM past.payment_transactions), '2001-01-02 2001-01-20', 'with their times');
SELECT is(pg_temp.broken(), NULL, 'verify_store is clean');

SELECT * FROM finish();
RESET ROLE;
DROP SCHEMA past, present CASCADE;
DROP OWNED BY oms_test_keeper, oms_test_history_clerk;
DROP ROLE oms_test_partner, oms_test_keeper, oms_test_history_clerk;
