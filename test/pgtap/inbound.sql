-- What is on its way: purchase orders, transfers in two steps, movements that
-- belong to a row, what is refused.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, if_short) VALUES ('web', 'Web', 'refuse'), ('late', 'Web, may be late', 'hold');
INSERT INTO shop.locations (code, name, priority, tracked) VALUES
	('north', 'North', 1, true), ('south', 'South', 2, true), ('supplier', 'Supplier', 3, false);
INSERT INTO shop.skus (code, name) SELECT 'sku' || n, 'SKU ' || n FROM generate_series(1, 30) AS n;

-- on hand here and there, and what a row has counted
CREATE FUNCTION pg_temp.units(sku text) RETURNS text LANGUAGE sql
AS $$ SELECT coalesce(string_agg(format('%s %s/%s', location, on_hand, available), ', ' ORDER BY location), 'nothing') FROM shop.stock s WHERE s.sku = $1 $$;
CREATE FUNCTION pg_temp.row(ref text, sku text DEFAULT NULL) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(concat_ws(', ', i.status, 'sent ' || nullif(sent, 0), 'received ' || nullif(received, 0), 'returned ' || nullif(returned, 0),
	'missing ' || nullif(missing, 0), 'outstanding ' || nullif(outstanding, 0), CASE WHEN closed_at IS NOT NULL THEN 'closed' END), '; ' ORDER BY i.sku)
	FROM shop.inbound i WHERE i.ref = $1 AND ($2 IS NULL OR i.sku = $2) $$;
CREATE FUNCTION pg_temp.id(ref text, sku text DEFAULT NULL) RETURNS uuid LANGUAGE sql
AS $$ SELECT i.id FROM shop.inbound i WHERE i.ref = $1 AND ($2 IS NULL OR i.sku = $2) $$;
CREATE FUNCTION pg_temp.sound(what text) RETURNS text LANGUAGE sql
AS $$ SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL,
	'verify_store: ' || what) $$;
CREATE FUNCTION pg_temp.place(sku text, quantity bigint, channel text DEFAULT 'web') RETURNS uuid LANGUAGE sql
AS $$ SELECT order_id FROM oms.place_order('shop', jsonb_build_object('channel', $3, 'currency', 'EUR', 'lines',
	jsonb_build_array(jsonb_build_object('sku', $1, 'quantity', $2, 'unit_price', 10)))) $$;

-- ---- a purchase order, a notice, its receipt: one statement each

INSERT INTO shop.inbound (ref, sku, location, quantity, expected_at) VALUES
	('PO-1', 'sku1', 'north', 10, '2090-01-01'), ('PO-1', 'sku2', 'north', 5, '2090-01-01'), ('PO-1', 'sku3', 'south', 7, '2090-01-02');
SELECT is(pg_temp.row('PO-1'), 'expected, outstanding 10; expected, outstanding 5; expected, outstanding 7', 'a purchase order of three SKUs');
SELECT is(pg_temp.units('sku1'), 'nothing', 'nothing is there yet');
UPDATE shop.inbound SET status = 'in_transit', expected_at = '2090-01-03' WHERE ref = 'PO-1';
SELECT is(pg_temp.row('PO-1', 'sku1'), 'in_transit, outstanding 10', 'it has been shipped: nothing moves here');
UPDATE shop.inbound SET status = 'received' WHERE ref = 'PO-1';
SELECT is(pg_temp.row('PO-1'), 'received, received 10, closed; received, received 5, closed; received, received 7, closed', 'it has come, all of it');
SELECT is(pg_temp.units('sku1') || '; ' || pg_temp.units('sku2') || '; ' || pg_temp.units('sku3'), 'north 10/10; north 5/5; south 7/7', 'and is in stock');
SELECT is((SELECT string_agg(format('%s %s %s %s', sku, location, kind, quantity), ', ' ORDER BY sku) FROM shop.stock_movements WHERE entity = 'inbound'),
	'sku1 north receipt 10, sku2 north receipt 5, sku3 south receipt 7', 'by movements that name it');
UPDATE shop.inbound SET status = 'received', reason = 'again' WHERE ref = 'PO-1';
SELECT is(pg_temp.units('sku1'), 'north 10/10', 'the same status again moves nothing');
INSERT INTO shop.inbound (ref, sku, location, quantity, status) VALUES ('PO-2', 'sku1', 'north', 1, 'received');
SELECT is(pg_temp.units('sku1') || '; ' || pg_temp.row('PO-2'), 'north 11/11; received, received 1, closed', 'a row that is received from the start');
SELECT pg_temp.sound('after receipts');

-- ---- the same again

INSERT INTO shop.inbound (ref, sku, location, quantity) VALUES ('PO-1', 'sku1', 'north', 10), ('PO-1', 'sku4', 'north', 4), ('PO-1', 'sku4', 'north', 4);
SELECT is((SELECT count(*) FROM shop.inbound WHERE ref = 'PO-1'), 4::bigint, 'a row that was there is left out, one of the same statement too');
SELECT throws_ok($$ INSERT INTO shop.inbound (ref, sku, location, quantity) VALUES ('PO-1', 'sku4', 'north', 5) $$, 'OM007', NULL, 'with another quantity it is refused');
SELECT throws_ok($$ INSERT INTO shop.inbound (ref, sku, location, quantity, status) VALUES ('PO-1', 'sku4', 'south', -5, 'expected') $$, '23514', NULL, 'a quantity that is none');
INSERT INTO shop.inbound (ref, sku, location, from_location, quantity) VALUES ('PO-1', 'sku4', 'north', 'south', 9);
SELECT is((SELECT count(*) FROM shop.inbound WHERE ref = 'PO-1'), 5::bigint, 'from elsewhere it is another');
INSERT INTO shop.inbound (sku, location, quantity) VALUES ('sku4', 'north', 1), ('sku4', 'north', 1);
SELECT is((SELECT count(*) FROM shop.inbound WHERE ref IS NULL), 2::bigint, 'without a ref no row is known again');

-- ---- a part, more, less: movements that name the row

INSERT INTO shop.inbound (ref, sku, location, quantity) VALUES ('PO-3', 'sku5', 'north', 10);
INSERT INTO shop.stock_movements (sku, location, kind, quantity, entity, entity_id, external_ref)
	VALUES ('sku5', 'north', 'receipt', 4, 'inbound', pg_temp.id('PO-3'), 'lorry 1'), ('sku5', 'north', 'receipt', 4, 'inbound', pg_temp.id('PO-3'), 'lorry 1');
SELECT is(pg_temp.row('PO-3') || '; ' || pg_temp.units('sku5'), 'expected, received 4, outstanding 6; north 4/4', 'a part, once');
SELECT is(shop.receive_inbound(pg_temp.id('PO-3'), 2, 'lorry 2'), 2::bigint, 'another part by the verb');
SELECT is(shop.receive_inbound(pg_temp.id('PO-3'), 2, 'lorry 2'), 0::bigint, 'which is idempotent by its reference');
SELECT is(shop.receive_inbound(pg_temp.id('PO-3'), ref => 'lorry 2'), 0::bigint, 'also for all that is outstanding');
SELECT throws_ok($$ SELECT shop.receive_inbound(pg_temp.id('PO-3'), 3, 'lorry 2') $$, 'OM007', NULL, 'another quantity by the same reference');
SELECT is(pg_temp.row('PO-3'), 'expected, received 6, outstanding 4', 'so far');
SELECT is(oms.receive_inbound('shop', pg_temp.id('PO-3')), 4::bigint, 'the rest');
SELECT is(pg_temp.row('PO-3') || '; ' || pg_temp.units('sku5'), 'received, received 10, closed; north 10/10', 'closes the row by itself');
SELECT is(shop.receive_inbound(pg_temp.id('PO-3')), 0::bigint, 'nothing is outstanding then');
SELECT is(shop.receive_inbound(pg_temp.id('PO-3'), 3), 3::bigint, 'more may come');
SELECT is(pg_temp.row('PO-3') || '; ' || pg_temp.units('sku5'), 'received, received 13, closed; north 13/13', 'and is counted');
INSERT INTO shop.stock_movements (sku, location, kind, quantity, entity, entity_id, reason)
	VALUES ('sku5', 'north', 'adjustment', -2, 'inbound', pg_temp.id('PO-3'), 'counted twice');
SELECT is(pg_temp.row('PO-3') || '; ' || pg_temp.units('sku5'), 'received, received 11, closed; north 11/11', 'a receipt that was wrong is taken back by an adjustment');
INSERT INTO shop.inbound (ref, sku, location, quantity) VALUES ('PO-4', 'sku6', 'north', 10), ('PO-5', 'sku6', 'north', 10);
SELECT shop.receive_inbound(pg_temp.id('PO-4'), 7, 'lorry 3');
UPDATE shop.inbound SET missing = quantity - received, reason = 'not delivered' WHERE ref = 'PO-4';
SELECT is(pg_temp.row('PO-4') || '; ' || pg_temp.units('sku6'), 'received, received 7, missing 3, closed; north 7/7', 'what will not come is written off, which closes the row');
SELECT throws_ok($$ SELECT shop.receive_inbound(pg_temp.id('PO-5'), 7, 'lorry 3') $$, 'OM007', NULL, 'one reference is not for two rows of a SKU');
SELECT shop.receive_inbound(pg_temp.id('PO-5'), 1);
UPDATE shop.inbound SET quantity = 1 WHERE ref = 'PO-5';
SELECT is(pg_temp.row('PO-5'), 'received, received 1, closed', 'so does a lower quantity');
INSERT INTO shop.inbound (ref, sku, location, quantity) VALUES ('PO-6', 'sku7', 'north', 10);
SELECT shop.receive_inbound(pg_temp.id('PO-6'), 4);
UPDATE shop.inbound SET status = 'canceled' WHERE ref = 'PO-6';
SELECT is(pg_temp.row('PO-6') || '; ' || pg_temp.units('sku7'), 'canceled, received 4, closed; north 4/4', 'canceled: no more comes');
SELECT throws_ok($$ SELECT shop.receive_inbound(pg_temp.id('PO-6'), 1) $$, 'OM002', NULL, 'nor is received by it');
SELECT pg_temp.sound('after parts, too many and too few');

-- ---- receipts serve those who wait

SELECT pg_temp.place('sku8', 5, 'late') AS waits \gset
INSERT INTO shop.inbound (ref, sku, location, quantity) VALUES ('PO-7', 'sku8', 'south', 8);
UPDATE shop.inbound SET status = 'received' WHERE ref = 'PO-7';
SELECT is((SELECT format('%s allocated, %s short', units_allocated, units_short) FROM shop.orders WHERE id = :'waits'), '5 allocated, 0 short', 'units that come go to those who wait');
SELECT is(pg_temp.units('sku8'), 'south 8/3', 'the rest is available');

-- ---- a transfer: sent here, on its way, received there

INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT 'sku' || n, 'north', 'receipt', 20 FROM generate_series(10, 25) AS n;
INSERT INTO shop.inbound (ref, sku, location, from_location, quantity, status) SELECT 'T-1', sku, 'south', 'north', 5, 'in_transit' FROM unnest('{sku10,sku11}'::text[]) AS sku;
SELECT is(pg_temp.units('sku10') || '; ' || pg_temp.row('T-1'), 'north 15/15; in_transit, sent 5, outstanding 5; in_transit, sent 5, outstanding 5', 'inserting it as in_transit sends it');
SELECT is((SELECT string_agg(format('%s %s>%s %s', sku, from_location, location, in_transit), ', ' ORDER BY sku) FROM shop.in_transit), 'sku10 north>south 5, sku11 north>south 5', 'what is on the way shows');
INSERT INTO shop.inbound (ref, sku, location, from_location, quantity, status) SELECT 'T-1', sku, 'south', 'north', 5, 'in_transit' FROM unnest('{sku10,sku11}'::text[]) AS sku;
SELECT is(pg_temp.units('sku10'), 'north 15/15', 'sent again by the same reference it is left out');
UPDATE shop.inbound SET status = 'received' WHERE ref = 'T-1' AND sku = 'sku10';
SELECT is(pg_temp.units('sku10') || '; ' || pg_temp.row('T-1', 'sku10'), 'north 15/15, south 5/5; received, sent 5, received 5, closed', 'receiving it');
SELECT shop.receive_inbound(pg_temp.id('T-1', 'sku11'), 3);
SELECT is((SELECT format('%s sent, %s received, %s in transit', sent, received, in_transit) FROM shop.in_transit WHERE ref = 'T-1'), '5 sent, 3 received, 2 in transit', 'a part of it');
UPDATE shop.inbound SET missing = sent - received, reason = 'fell off' WHERE ref = 'T-1' AND sku = 'sku11';
SELECT is(pg_temp.units('sku11') || '; ' || pg_temp.row('T-1', 'sku11'), 'north 15/15, south 3/3; received, sent 5, received 3, missing 2, closed', 'what was lost is written off');
SELECT is((SELECT count(*) FROM shop.in_transit), 0::bigint, 'nothing is on the way any more');

INSERT INTO shop.inbound (ref, sku, location, from_location, quantity) VALUES ('T-2', 'sku12', 'south', 'north', 6);
SELECT is(pg_temp.units('sku12') || '; ' || pg_temp.row('T-2'), 'north 20/20; expected, outstanding 6', 'one that is planned moves nothing');
SELECT throws_ok($$ SELECT shop.receive_inbound(pg_temp.id('T-2'), 1) $$, 'OM002', NULL, 'it cannot arrive before it has left');
SELECT throws_ok($$ UPDATE shop.inbound SET missing = 1 WHERE ref = 'T-2' $$, '23514', NULL, 'nor be lost');
UPDATE shop.inbound SET status = 'in_transit' WHERE ref = 'T-2';
SELECT shop.receive_inbound(pg_temp.id('T-2'), 2);
UPDATE shop.inbound SET missing = 1 WHERE ref = 'T-2';
UPDATE shop.inbound SET status = 'canceled' WHERE ref = 'T-2';
SELECT is(pg_temp.units('sku12') || '; ' || pg_temp.row('T-2'), 'north 17/17, south 2/2; canceled, sent 6, received 2, returned 3, missing 1, closed', 'canceled: what is on the way is put back');
INSERT INTO shop.inbound (ref, sku, location, from_location, quantity, status) VALUES ('T-3', 'sku13', 'south', 'north', 6, 'received');
SELECT is(pg_temp.units('sku13') || '; ' || pg_temp.row('T-3'), 'north 14/14, south 6/6; received, sent 6, received 6, closed', 'sent and received at once');
INSERT INTO shop.inbound (ref, sku, location, from_location, quantity) VALUES ('T-4', 'sku14', 'south', 'north', 6), ('T-5', 'sku14', 'south', 'north', 6);
UPDATE shop.inbound SET status = 'canceled' WHERE ref = 'T-4';
SELECT is(pg_temp.units('sku14') || '; ' || pg_temp.row('T-4'), 'north 20/20; canceled, closed', 'canceled before it left: nothing comes back');
INSERT INTO shop.stock_movements (sku, location, kind, quantity, entity, entity_id) VALUES ('sku14', 'north', 'transfer_out', 4, 'inbound', pg_temp.id('T-5'));
SELECT is(pg_temp.units('sku14') || '; ' || pg_temp.row('T-5'), 'north 16/16; in_transit, sent 4, outstanding 4', 'a movement sends a part');
INSERT INTO shop.stock_movements (sku, location, kind, quantity, entity, entity_id) VALUES ('sku14', 'north', 'transfer_in', 1, 'inbound', pg_temp.id('T-5'));
INSERT INTO shop.stock_movements (sku, location, kind, quantity, entity, entity_id) VALUES ('sku14', 'north', 'transfer_out', 2, 'inbound', pg_temp.id('T-5'));
SELECT is(pg_temp.units('sku14') || '; ' || pg_temp.row('T-5'), 'north 15/15; in_transit, sent 6, returned 1, outstanding 5', 'brings a part back, sends more');
SELECT shop.receive_inbound(pg_temp.id('T-5'));
SELECT is(pg_temp.units('sku14') || '; ' || pg_temp.row('T-5'), 'north 15/15, south 5/5; received, sent 6, received 5, returned 1, closed', 'and what is left arrives');
-- a row that is done with is no way to count units twice
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('sku28', 'north', 'receipt', 60);
CREATE FUNCTION pg_temp.moves(location text, kind text, quantity bigint, ref text) RETURNS text LANGUAGE sql
AS $$ SELECT format('INSERT INTO shop.stock_movements (sku, location, kind, quantity, entity, entity_id) VALUES (''sku28'', %L, %L, %s, ''inbound'', %L)', location, kind, quantity, pg_temp.id(ref)) $$;
INSERT INTO shop.inbound (ref, sku, location, from_location, quantity) VALUES ('D-0', 'sku28', 'south', 'north', 10), ('D-1', 'sku28', 'south', 'north', 10), ('D-2', 'sku28', 'south', 'north', 10), ('D-3', 'sku28', 'south', 'north', 10);
UPDATE shop.inbound SET status = 'in_transit' WHERE ref IN ('D-1', 'D-3');
SELECT shop.receive_inbound(pg_temp.id('D-1'), 4);
UPDATE shop.inbound SET status = 'canceled' WHERE ref = 'D-1';
SELECT throws_ok(pg_temp.moves('north', 'transfer_in', 2, 'D-1'), 'OM002', format('inbound "%s" of sku "sku28" is canceled', pg_temp.id('D-1')), 'what a cancel has put back does not come back once more');
SELECT throws_ok(pg_temp.moves('north', 'transfer_in', 2, 'D-0'), 'OM002', format('inbound "%s" of sku "sku28" has not left yet', pg_temp.id('D-0')), 'nor what has not left');
SELECT throws_ok(pg_temp.moves('north', 'transfer_in', 11, 'D-3'), 'OM002', format('inbound "%s" of sku "sku28" has sent 10 units, and 11 cannot have come back', pg_temp.id('D-3')), 'nor more than has');
SELECT throws_ok(pg_temp.moves('south', 'adjustment', -1, 'D-3'), 'OM002', format('inbound "%s" of sku "sku28" has received 0 units, and 1 cannot be taken back', pg_temp.id('D-3')), 'more than was received is not taken back');
SELECT lives_ok(pg_temp.moves('north', 'transfer_out', 4, 'D-2'), 'a part leaves');
SELECT throws_ok($$ UPDATE shop.inbound SET missing = 8, status = 'canceled' WHERE ref = 'D-2' $$, '23514', NULL, 'no more of it is lost than has left');
SELECT shop.receive_inbound(pg_temp.id('D-3'), 8);
UPDATE shop.inbound SET missing = 5, status = 'canceled' WHERE ref = 'D-3';
SELECT is(pg_temp.row('D-3') || '; ' || pg_temp.units('sku28'), 'canceled, sent 10, received 8, missing 5, closed; north 42/42, south 12/12', 'lost and there after all: nothing goes back');
SELECT pg_temp.sound('after transfers');

-- ---- what orders hold does not leave

SELECT pg_temp.place('sku15', 18) AS holds \gset
SELECT throws_ok($$ INSERT INTO shop.inbound (ref, sku, location, from_location, quantity, status) VALUES ('T-6', 'sku15', 'south', 'north', 3, 'in_transit') $$, 'OM003', NULL, 'reserved units do not leave');
SELECT throws_ok($$ INSERT INTO shop.inbound (ref, sku, location, from_location, quantity, status) VALUES ('T-6', 'sku15', 'south', 'north', 21, 'received') $$, 'OM003', NULL, 'nor more than there are');
SELECT is(pg_temp.row('T-6'), NULL, 'and no row is left');
SELECT lives_ok($$ INSERT INTO shop.inbound (ref, sku, location, from_location, quantity, status) VALUES ('T-6', 'sku15', 'south', 'north', 2, 'in_transit') $$, 'others do');
SELECT throws_ok($$ INSERT INTO shop.inbound (sku, location, quantity, status) VALUES ('sku15', 'supplier', 1, 'received') $$, 'OM003', NULL, 'a location that keeps its own books receives nothing here');
SELECT throws_ok($$ INSERT INTO shop.inbound (sku, location, from_location, quantity, status) VALUES ('sku15', 'north', 'supplier', 1, 'in_transit') $$, 'OM003', NULL, 'nor sends');

-- ---- what is refused

SELECT throws_ok(format('UPDATE shop.inbound SET %s WHERE ref = %L', change, 'T-6'), state, NULL, change) FROM (VALUES
	('id = oms.uuid7()', 'OM006'), ('ref = ''other''', 'OM006'), ('sku = ''sku1''', 'OM006'), ('location = ''north''', 'OM006'), ('from_location = NULL', 'OM006'),
	('sent = 1', 'OM005'), ('received = 1', 'OM005'), ('returned = 1', 'OM005'), ('sent_at = now()', 'OM005'), ('closed_at = now()', 'OM005'), ('revision = revision + 1', 'OM005'),
	('received = 1, revision = revision + 1', 'OM005'), ('status = ''expected''', 'OM001'), ('status = ''lost''', '23514'), ('status = NULL', '23502'), ('quantity = 0', '23514'), ('missing = 3', '23514')) AS v(change, state);
SELECT throws_ok(format('UPDATE shop.inbound SET %s WHERE ref = %L', change, 'T-3'), state, NULL, 'closed: ' || change) FROM (VALUES
	('status = ''in_transit''', 'OM001'), ('status = ''canceled''', 'OM001'), ('quantity = 7', 'OM006'), ('missing = 1', 'OM006')) AS v(change, state);
SELECT throws_ok(format('INSERT INTO shop.inbound (sku, location, from_location, quantity, %s) VALUES (''sku1'', ''south'', ''north'', 1, %s)', "column", value), state, NULL, "column")
FROM (VALUES ('sent', '1', 'OM005'), ('received', '1', 'OM005'), ('returned', '1', 'OM005'), ('sent_at', 'now()', 'OM005'), ('closed_at', 'now()', 'OM005'), ('revision', '1', 'OM005'), ('missing', '1', '23514')) AS v("column", value, state);
SELECT throws_ok($$ INSERT INTO shop.inbound (sku, location, from_location, quantity) VALUES ('sku1', 'north', 'north', 1) $$, '23514', NULL, 'from where it goes');
SELECT throws_ok($$ DELETE FROM shop.inbound $$, 'OM006', NULL, 'DELETE');
SELECT throws_ok($$ TRUNCATE shop.inbound $$, 'OM006', NULL, 'TRUNCATE');
SELECT throws_ok(format($$ INSERT INTO shop.stock_movements (sku, location, kind, quantity, entity, entity_id) VALUES (%s, 'inbound', %L) $$, movement, pg_temp.id('T-6')), state, NULL, movement) FROM (VALUES
	('''sku15'', ''south'', ''receipt'', 1', '22023'), ('''sku15'', ''south'', ''transfer_out'', 1', '22023'), ('''sku15'', ''south'', ''damage'', 1', '22023'), ('''sku15'', ''north'', ''adjustment'', 1', '22023'),
	('''sku1'', ''south'', ''transfer_in'', 1', '22023'), ('''sku15'', ''south'', ''adjustment'', -1', 'OM002'), ('''sku15'', ''north'', ''transfer_in'', 3', 'OM002')) AS v(movement, state);
SELECT throws_ok($$ INSERT INTO shop.stock_movements (sku, location, kind, quantity, entity, entity_id) VALUES ('sku1', 'north', 'receipt', 1, 'inbound', oms.uuid7()) $$, '23503', NULL, 'a row that is not there');
SELECT throws_ok($$ INSERT INTO shop.stock_movements (sku, location, kind, quantity, entity) VALUES ('sku1', 'north', 'receipt', 1, 'inbound') $$, '22023', NULL, 'none at all');
SELECT throws_ok($$ INSERT INTO shop.stock_movements (sku, location, kind, quantity, entity, entity_id) VALUES ('sku13', 'north', 'transfer_out', 1, 'inbound', pg_temp.id('T-3')) $$, 'OM002', NULL, 'nothing leaves for what has arrived');
SELECT throws_ok($$ SELECT shop.receive_inbound(oms.uuid7()) $$, 'OM012', NULL, 'receive_inbound: an unknown row');
SELECT throws_ok(format($$ SELECT shop.receive_inbound(pg_temp.id('T-6'), %s) $$, q), '22023', NULL, 'receive_inbound: ' || q) FROM unnest('{0,-1,1000000000001,9223372036854775807}'::bigint[]) AS q;
SELECT throws_ok($$ SELECT shop.receive_inbound(NULL) $$, '22004', NULL, 'receive_inbound: NULL');
SELECT throws_ok($$ SELECT shop.receive_inbound(pg_temp.id('T-6'), 1, '') $$, '23514', NULL, 'receive_inbound: an empty reference');
SELECT is(pg_temp.row('T-6') || '; ' || pg_temp.units('sku15'), 'in_transit, sent 2, outstanding 2; north 18/0', 'all that has changed nothing');

-- ---- many rows by one statement; a statement that does several things

INSERT INTO shop.inbound (ref, sku, location, from_location, quantity, status)
	SELECT 'T-7', 'sku' || n, CASE n % 2 WHEN 0 THEN 'south' ELSE 'north' END, CASE n % 2 WHEN 0 THEN 'north' ELSE 'south' END, 1, CASE n % 3 WHEN 0 THEN 'expected' WHEN 1 THEN 'in_transit' ELSE 'received' END
	FROM generate_series(10, 14) AS n;
UPDATE shop.inbound SET status = CASE sku WHEN 'sku10' THEN 'canceled' ELSE 'received' END WHERE ref = 'T-7' AND closed_at IS NULL;
SELECT is((SELECT string_agg(format('%s %s sent %s received %s returned %s', sku, status, sent, received, returned), ', ' ORDER BY sku) FROM shop.inbound WHERE ref = 'T-7'),
	'sku10 canceled sent 1 received 0 returned 1, sku11 received sent 1 received 1 returned 0, sku12 received sent 1 received 1 returned 0, sku13 received sent 1 received 1 returned 0, sku14 received sent 1 received 1 returned 0', 'each row as its status says');
WITH a AS (UPDATE shop.inbound SET status = 'received' WHERE ref = 'T-6' RETURNING id)
INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT 'sku15', 'south', 'receipt', 1 FROM a;
SELECT is(pg_temp.units('sku15'), 'north 18/0, south 3/3', 'beside another in one statement');
SELECT pg_temp.sound('after many');

-- ---- who may

CREATE ROLE inbound_manager;
CREATE ROLE inbound_clerk;
SELECT oms.grant_store('shop', 'inbound_manager', 'manager'), oms.grant_store('shop', 'inbound_clerk', 'clerk');
SET ROLE inbound_clerk;
SELECT throws_ok($$ INSERT INTO shop.inbound (ref, sku, location, quantity) VALUES ('PO-8', 'sku20', 'north', 1) $$, '42501', NULL, 'a clerk orders nothing');
SELECT throws_ok($$ SELECT shop.receive_inbound((SELECT id FROM shop.inbound LIMIT 1)) $$, '42501', NULL, 'and receives nothing');
SELECT lives_ok($$ SELECT count(*) FROM shop.in_transit $$, 'but sees it');
SET ROLE inbound_manager;
SELECT lives_ok($$ INSERT INTO shop.inbound (ref, sku, location, quantity) VALUES ('PO-8', 'sku20', 'north', 3), ('PO-8', 'sku21', 'north', 3) $$, 'a manager does');
SELECT is(shop.receive_inbound((SELECT id FROM shop.inbound WHERE ref = 'PO-8' AND sku = 'sku20'), 2), 2::bigint, 'and receives');
SELECT lives_ok($$ UPDATE shop.inbound SET status = 'received' WHERE ref = 'PO-8' $$, 'sets status');
SELECT throws_ok($$ UPDATE shop.inbound SET received = 3 $$, '42501', NULL, 'and not what the engine keeps');
RESET ROLE;
SELECT is(pg_temp.row('PO-8'), 'received, received 3, closed; received, received 3, closed', 'it has come');
SELECT is((SELECT DISTINCT actor FROM shop.stock_movements WHERE entity_id = pg_temp.id('PO-8', 'sku20')), 'inbound_manager', 'by whom is in the ledger');

-- ---- history; corruption shows

SELECT oms.begin_import('shop');
INSERT INTO shop.inbound (ref, sku, location, quantity, status, closed_at) VALUES ('PO-0', 'sku30', 'north', 5, 'canceled', '2020-01-01');
SELECT is(pg_temp.row('PO-0'), 'canceled, closed', 'rows of the past come in as they are');
SELECT pg_temp.sound('with history');
ALTER TABLE shop.inbound DISABLE TRIGGER USER;
UPDATE shop.inbound SET received = received + 1 WHERE ref = 'PO-8' AND sku = 'sku20';
UPDATE shop.inbound SET status = 'expected' WHERE ref = 'PO-8' AND sku = 'sku21';
SELECT is((SELECT string_agg(violations::text, ' ') FROM oms.verify_store('shop') WHERE rule ~ '^what (is on its way|has left)'), '1 1 0', 'verify_store sees a counter and a status that are wrong');

SELECT * FROM finish();
ROLLBACK;
