-- repair_store: whatever a superuser plants past the triggers is mended from its
-- source; what has no source stays reported.
SET client_min_messages = error;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT oms.create_store('shop');
\set ON_ERROR_STOP 0
SELECT shop.repair_store();
\set ON_ERROR_STOP 1
\set snapshot :LAST_ERROR_SQLSTATE
ROLLBACK;

BEGIN;
SET client_min_messages = error;
SELECT no_plan();
SELECT is(:'snapshot'::text, '55000', 'not in a snapshot from before');

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, if_short, payment_required) VALUES ('web', 'Web', 'hold', false), ('paid', 'Paid', 'hold', true);
INSERT INTO shop.locations (code, name, priority) VALUES ('north', 'North', 1), ('south', 'South', 2);
INSERT INTO shop.skus (code, name) SELECT 'sku' || n, 'SKU ' || n FROM generate_series(1, 4) AS n;
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('sku1', 'north', 'receipt', 20), ('sku1', 'south', 'receipt', 10), ('sku2', 'north', 'receipt', 10),
	('sku2', 'north', 'quarantine', 2), ('sku3', 'north', 'receipt', 5);
CREATE FUNCTION pg_temp.place(more jsonb, lines text) RETURNS uuid LANGUAGE sql
AS $$ SELECT order_id FROM oms.place_order('shop', jsonb_build_object('channel', 'web', 'currency', 'EUR', 'lines', (SELECT jsonb_agg(jsonb_build_object('sku', split_part(l, ' ', 1), 'quantity',
	split_part(l, ' ', 2)::int, 'unit_price', 10, 'tax', 2)) FROM unnest(string_to_array(lines, ', ')) l)) || more) $$;
CREATE FUNCTION pg_temp.broken() RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0 $$;

-- orders of every kind: shipped, delivered, returned, canceled in part, short, held, paid, refunded, a draft
SELECT pg_temp.place('{"charges": [{"kind": "shipping", "amount": 5}]}', 'sku1 3, sku2 2') AS shipped \gset
UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = :'shipped';
UPDATE shop.fulfillments SET status = 'delivered' WHERE order_id = :'shipped';
SELECT pg_temp.place('{}', 'sku1 2') AS returned \gset
UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = :'returned';
UPDATE shop.fulfillments SET status = 'returned_to_sender' WHERE order_id = :'returned';
SELECT pg_temp.place('{}', 'sku1 5, sku3 8') AS part \gset
SELECT oms.cancel_lines('shop', :'part', '[{"line": 1, "quantity": 2}, {"line": 2, "quantity": 1}]');
SELECT pg_temp.place('{"holds": [{"kind": "fraud"}, {"kind": "address"}]}', 'sku1 1') AS held \gset
UPDATE shop.order_holds SET released_at = now() WHERE order_id = :'held' AND kind = 'address';
SELECT pg_temp.place('{"channel": "paid", "payments": [{"method": "card", "kind": "authorize", "amount": 50, "gateway_ref": "x"}]}', 'sku2 4') AS money \gset
INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount) SELECT p.id, v.kind, v.outcome, v.amount FROM shop.payments p, (VALUES ('capture', 'succeeded', 30), ('refund', 'succeeded', 5), ('refund', 'requested', 1),
	('capture', 'requested', 4), ('void', 'succeeded', 3), ('capture', 'failed', 2), ('chargeback', 'succeeded', 2)) v(kind, outcome, amount);
SELECT pg_temp.place('{}', 'sku1 1') AS gone \gset
UPDATE shop.orders SET status = 'canceled' WHERE id = :'gone';
INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR');
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) SELECT id, 1, 'sku1', 1, 1 FROM shop.orders WHERE placed_at IS NULL;
SELECT is(pg_temp.broken(), NULL, 'all is right');

-- all that the engine keeps, as text
CREATE FUNCTION pg_temp.kept() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(row, E'\n' ORDER BY row) FROM (SELECT 'o' || (to_jsonb(o) - 'revision')::text FROM shop.orders o UNION ALL SELECT 'l' || (to_jsonb(l) - 'revision')::text FROM shop.order_lines l
		UNION ALL SELECT 's' || (to_jsonb(s) - 'revision')::text FROM shop.stock s UNION ALL SELECT 'p' || (to_jsonb(p) - 'revision')::text FROM shop.payments p) k(row) $$;
SELECT pg_temp.kept() AS right \gset
SELECT is((SELECT count(*) FROM shop.repair_store()), 0::bigint, 'there is nothing to mend');
SELECT is(pg_temp.kept(), :'right', 'nothing is changed');
SELECT is((SELECT count(*) FROM shop.repairs), 0::bigint, 'or logged');

-- ---- each counter by itself, in every row that its CHECK lets have another value

-- writes the first of these that a CHECK lets in, past the triggers
CREATE FUNCTION pg_temp.plant(table_name text, column_name text, expressions text[], condition text DEFAULT 'true') RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	id text;
	expression text;
	planted bigint := 0;
BEGIN
	SET LOCAL session_replication_role = replica;
	FOR id IN EXECUTE format('SELECT ctid::text FROM shop.%I WHERE %s', table_name, condition) LOOP
		FOREACH expression IN ARRAY expressions LOOP
			BEGIN
				EXECUTE format('UPDATE shop.%I t SET %I = %s WHERE ctid = %L', table_name, column_name, expression, id);
				planted := planted + 1;
				EXIT;
			EXCEPTION WHEN check_violation THEN
			END;
		END LOOP;
	END LOOP;
	SET LOCAL session_replication_role = origin;
	RETURN planted;
END $$;
CREATE TEMP TABLE plants (table_name text, column_name text, expressions text[]);
INSERT INTO plants SELECT t, c, ARRAY[c || ' + 1', c || ' - 1'] FROM (VALUES ('stock', 'on_hand unavailable reserved'), ('order_lines', 'canceled allocated backordered short shipped delivered returned'),
	('orders', 'units units_canceled units_allocated units_backordered units_short units_shipped units_delivered units_returned total credited authorized captured refunded charged_back open_holds'),
	('payments', 'authorized captured voided refunded charged_back capture_requested refund_requested open_requests failures')) v(t, columns), regexp_split_to_table(columns, ' ') c;
INSERT INTO plants VALUES ('payments', 'status', '{"''pending''"}'), ('orders', 'payment_status', '{"CASE payment_status WHEN ''paid'' THEN ''unpaid'' ELSE ''paid'' END"}'),
	('orders', 'fulfillment_status', '{"CASE fulfillment_status WHEN ''partial'' THEN ''delivered'' ELSE ''partial'' END"}'), ('orders', 'return_status', '{''requested''}'), ('orders', 'closed_at', '{"CASE WHEN closed_at IS NULL THEN now() END"}');

CREATE FUNCTION pg_temp.mends(table_name text, column_name text, expressions text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	IF pg_temp.plant(table_name, column_name, expressions) = 0 THEN
		result := 'nothing could be planted';
	ELSIF NOT EXISTS (SELECT FROM shop.repair_store() r WHERE r.table_name = $1 AND r.column_name = $2) THEN
		result := 'not reported';
	ELSIF column_name = 'closed_at' THEN
		-- it was the start of a transaction, and is the event's time
		result := pg_temp.broken();
	ELSIF pg_temp.kept() <> current_setting('test.right') THEN
		result := 'not as it was';
	END IF;
	RAISE SQLSTATE 'DONE0' USING MESSAGE = coalesce(result, 'mended');
EXCEPTION WHEN SQLSTATE 'DONE0' THEN
	RETURN SQLERRM;
END $$;
SELECT set_config('test.right', :'right', true) IS NOT NULL AS set \gset
SELECT is(pg_temp.mends(table_name, column_name, expressions), 'mended', table_name || '.' || column_name) FROM plants;

-- ---- all of them at once, with rows of stock that are gone and a time of placing that is lost

SELECT bool_and(pg_temp.plant(table_name, column_name, expressions) >= 0) AS planted FROM plants \gset
SELECT pg_temp.plant('orders', 'placed_at', ARRAY['NULL'], 'EXISTS (SELECT FROM shop.fulfillments f WHERE f.order_id = orders.id)') AS unplaced \gset
SET LOCAL session_replication_role = replica;
DELETE FROM shop.stock WHERE sku IN ('sku2', 'sku3');
SET LOCAL session_replication_role = origin;
SELECT isnt(pg_temp.broken(), NULL, 'everything is wrong');
SET LOCAL oms.actor = 'the repairer';
CREATE TEMP TABLE repaired AS SELECT * FROM shop.repair_store();
RESET oms.actor;
SELECT is(pg_temp.broken(), NULL, 'verify_store is clean after repair_store');
SELECT is(regexp_replace(pg_temp.kept(), '"closed_at": "[^"]*"', '"closed_at": "then"', 'g'), regexp_replace(:'right', '"closed_at": "[^"]*"', '"closed_at": "then"', 'g'), 'all is as it was, safety stock aside');
SELECT is((SELECT string_agg(concat_ws(' ', table_name, key, column_name, was, became), E'\n' ORDER BY id) FROM shop.repairs), (SELECT string_agg(concat_ws(' ', table_name, key, column_name, was, became), E'\n') FROM repaired), 'the log keeps what was returned');
SELECT is((SELECT string_agg(DISTINCT actor, ' ') FROM shop.repairs), 'the repairer', 'and who did it');
SELECT is((SELECT count(*) FROM repaired WHERE table_name <> 'stock'), (SELECT count(*) FROM shop.order_events WHERE event = 'edited' AND detail ? 'repaired' AND actor = 'the repairer'), 'so do the logs of orders, of what is theirs');
SELECT is((SELECT DISTINCT was || ' -> ' || became FROM repaired WHERE key = 'sku1 at south' AND column_name = 'on_hand'), (SELECT on_hand + 1 || ' -> ' || on_hand FROM shop.stock WHERE sku = 'sku1' AND location = 'south'), 'was and became')
	WHERE EXISTS (SELECT FROM repaired WHERE key = 'sku1 at south' AND column_name = 'on_hand');
SELECT is((SELECT count(*) FROM shop.repair_store()), 0::bigint, 'a second one has nothing to do');

-- ---- what is open then is done

SELECT pg_temp.plant('orders', 'open_holds', '{2}', format('id = %L', :'held'));
UPDATE shop.order_holds SET released_at = now() WHERE order_id = :'held' AND released_at IS NULL;
SELECT is((SELECT status || ' ' || open_holds FROM shop.orders WHERE id = :'held'), 'placed 1', 'a wrong counter keeps an order back');
SELECT is((SELECT string_agg(concat_ws(' ', table_name, column_name, was, became), ', ') FROM shop.repair_store()), 'orders open_holds 1 0', 'once mended');
SELECT is((SELECT status FROM shop.orders WHERE id = :'held'), 'confirmed', 'it goes on');
SELECT is(pg_temp.broken(), NULL, 'all is right');

-- ---- the ledger leaves less than is reserved

SET LOCAL session_replication_role = replica;
INSERT INTO shop.stock_movements (sku, location, kind, quantity, on_hand_change, unavailable_change, actor) SELECT sku, location, 'damage', on_hand - 1, 1 - on_hand, 0, 'vandal' FROM shop.stock WHERE sku = 'sku1' AND location = 'north';
SET LOCAL session_replication_role = origin;
SELECT is((SELECT on_hand || ' ' || reserved FROM shop.stock WHERE sku = 'sku1' AND location = 'north'), '17 4', 'a movement that was not applied');
SELECT is((SELECT string_agg(concat_ws(' ', key, column_name, was, became), ', ') FROM shop.repair_store()), 'sku1 at north on_hand 17 1, sku1 at north reserved 4 1', 'the ledger is right');
SELECT is((SELECT sum(quantity) FROM shop.fulfillments f JOIN shop.fulfillment_lines l ON l.fulfillment_id = f.id WHERE f.location = 'south' AND f.stock_state = 'reserved'), 3::numeric, 'allocations give way');
SELECT is(pg_temp.broken(), NULL, 'all is right');
UPDATE shop.workflows SET definition = replace(definition, 'open, released, picking, packed -> rejected do reroute;', '') WHERE name = 'ship';
SET LOCAL session_replication_role = replica;
INSERT INTO shop.stock_movements (sku, location, kind, quantity, on_hand_change, unavailable_change, actor) VALUES ('sku1', 'south', 'damage', 8, -8, 0, 'vandal');
SET LOCAL session_replication_role = origin;
SELECT is((SELECT count(*) FROM shop.repair_store()), 0::bigint, 'what cannot give way stays');
SELECT is(pg_temp.broken(), 'stock on hand is the sum of its movements: 1', 'and stays reported');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('sku1', 'south', 'adjustment', 8);
SELECT is((SELECT string_agg(concat_ws(' ', key, column_name, was, became), ', ') FROM shop.repair_store()), 'sku1 at south on_hand 18 10', 'until the ledger is set right');
SELECT is(pg_temp.broken(), NULL, 'all is right');

-- ---- a source that is corrupt itself

SET LOCAL session_replication_role = replica;
UPDATE shop.fulfillment_lines SET quantity = 100 WHERE order_line_id = (SELECT id FROM shop.order_lines WHERE order_id = :'part' AND line_no = 1);
UPDATE shop.order_lines SET short = short + 1 WHERE order_id = :'part' AND line_no = 2 AND canceled + allocated + backordered + short + shipped < quantity;
UPDATE shop.orders SET open_holds = 7 WHERE id = :'part';
SET LOCAL session_replication_role = origin;
SELECT ok(EXISTS (SELECT FROM shop.repair_store() WHERE column_name = 'open_holds'), 'what can be mended is');
SELECT alike(pg_temp.broken(), '%a line''s units are what its fulfillments carry: 1%', 'the rest is reported');

-- ---- who may

CREATE ROLE t_manager;
SELECT shop.grant_store('t_manager', 'manager');
SET LOCAL ROLE t_manager;
SELECT throws_ok($$ SELECT shop.repair_store() $$, '42501', 'must be owner of schema shop', 'the owner alone');
RESET ROLE;
SELECT throws_ok($$ INSERT INTO shop.repairs (table_name, key, column_name, actor) VALUES ('x', 'x', 'x', 'x') $$, 'OM005', 'table "repairs" is written by the engine alone', 'the log is not written by hand');
SELECT throws_ok(statement, 'OM005', NULL, statement) FROM unnest(ARRAY['UPDATE shop.repairs SET was = NULL', 'DELETE FROM shop.repairs', 'TRUNCATE shop.repairs']) AS statement;

SELECT * FROM finish();
ROLLBACK;
