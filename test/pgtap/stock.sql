-- Stock and its ledger: what each movement does, what is refused, and how
-- allocations give way to physical facts.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, if_short) VALUES ('web', 'Web', 'refuse'), ('late', 'Web, may be late', 'hold');
INSERT INTO shop.locations (code, name, priority, tracked) VALUES
	('north', 'North', 1, true), ('south', 'South', 2, true), ('supplier', 'Supplier', 3, false);
INSERT INTO shop.skus (code, name) SELECT 'sku' || n, 'SKU ' || n FROM generate_series(1, 30) AS n;

CREATE FUNCTION pg_temp.level(sku text, location text DEFAULT 'north') RETURNS text LANGUAGE sql
AS $$ SELECT format('on hand %s, unavailable %s, reserved %s, available %s', on_hand, unavailable, reserved, available)
	FROM shop.stock s WHERE s.sku = $1 AND s.location = $2 $$;
CREATE FUNCTION pg_temp.move(sku text, kind text, quantity bigint, location text DEFAULT 'north') RETURNS bigint LANGUAGE sql
AS $$ INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ($1, $4, $2, $3) RETURNING id $$;
CREATE FUNCTION pg_temp.place(sku text, quantity bigint, more jsonb DEFAULT '{}') RETURNS uuid LANGUAGE sql
AS $$ SELECT order_id FROM oms.place_order('shop', jsonb_build_object('channel', 'web', 'currency', 'EUR', 'lines',
	jsonb_build_array(jsonb_build_object('sku', $1, 'quantity', $2, 'unit_price', 10))) || $3) $$;
-- where a line's units are, and which of its fulfillments are where
CREATE FUNCTION pg_temp.units(order_id uuid, line_no integer DEFAULT 1) RETURNS text LANGUAGE sql
AS $$ SELECT concat_ws(', ', 'canceled ' || nullif(canceled, 0), 'allocated ' || nullif(allocated, 0),
	'backordered ' || nullif(backordered, 0), 'short ' || nullif(short, 0), 'shipped ' || nullif(shipped, 0))
	FROM shop.order_lines l WHERE l.order_id = $1 AND l.line_no = $2 $$;
CREATE FUNCTION pg_temp.fulfillments(order_id uuid) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(format('%s %s at %s', f.status, (SELECT sum(l.quantity) FROM shop.fulfillment_lines l
	WHERE l.fulfillment_id = f.id), f.location), ', ' ORDER BY f.id) FROM shop.fulfillments f WHERE f.order_id = $1 $$;
CREATE FUNCTION pg_temp.sound(what text) RETURNS text LANGUAGE sql
AS $$ SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL,
	'verify_store: ' || what) $$;
CREATE FUNCTION pg_temp.list(query text) RETURNS text LANGUAGE plpgsql
AS $$ DECLARE list text; BEGIN EXECUTE format('SELECT string_agg(r::text, '' '') FROM (%s) AS r', query) INTO list; RETURN list; END $$;
-- message, detail and hint of what a statement raises
CREATE FUNCTION pg_temp.fault(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql
AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;

-- ---- what each kind does

SELECT pg_temp.move('sku1', 'receipt', 10) AS id \gset
SELECT is(pg_temp.level('sku1'), 'on hand 10, unavailable 0, reserved 0, available 10', 'receipt: on hand + q, and the row is made');
SELECT results_eq($$ SELECT on_hand_change, unavailable_change FROM shop.stock_movements WHERE id = $$ || :id,
	$$ VALUES (10::bigint, 0::bigint) $$, 'the ledger says what it did');
SELECT pg_temp.move('sku1', 'return', 3);
SELECT is(pg_temp.level('sku1'), 'on hand 13, unavailable 0, reserved 0, available 13', 'return: on hand + q');
SELECT pg_temp.move('sku1', 'transfer_in', 2);
SELECT is(pg_temp.level('sku1'), 'on hand 15, unavailable 0, reserved 0, available 15', 'transfer_in: on hand + q');
SELECT pg_temp.move('sku1', 'issue', 1);
SELECT is(pg_temp.level('sku1'), 'on hand 14, unavailable 0, reserved 0, available 14', 'issue: on hand - q');
SELECT pg_temp.move('sku1', 'damage', 1);
SELECT is(pg_temp.level('sku1'), 'on hand 13, unavailable 0, reserved 0, available 13', 'damage: on hand - q');
SELECT pg_temp.move('sku1', 'transfer_out', 3);
SELECT is(pg_temp.level('sku1'), 'on hand 10, unavailable 0, reserved 0, available 10', 'transfer_out: on hand - q');
SELECT pg_temp.move('sku1', 'adjustment', -2);
SELECT is(pg_temp.level('sku1'), 'on hand 8, unavailable 0, reserved 0, available 8', 'adjustment down: on hand + q, signed');
SELECT pg_temp.move('sku1', 'adjustment', 4);
SELECT is(pg_temp.level('sku1'), 'on hand 12, unavailable 0, reserved 0, available 12', 'adjustment up');
SELECT pg_temp.move('sku1', 'quarantine', 5);
SELECT is(pg_temp.level('sku1'), 'on hand 12, unavailable 5, reserved 0, available 7', 'quarantine: unavailable + q');
SELECT pg_temp.move('sku1', 'unquarantine', 2);
SELECT is(pg_temp.level('sku1'), 'on hand 12, unavailable 3, reserved 0, available 9', 'unquarantine: unavailable - q');
SELECT pg_temp.move('sku1', 'count', 11);
SELECT is(pg_temp.level('sku1'), 'on hand 11, unavailable 3, reserved 0, available 8', 'count: on hand = q');
SELECT pg_temp.move('sku1', 'count', 2) AS id \gset
SELECT is(pg_temp.level('sku1'), 'on hand 2, unavailable 2, reserved 0, available 0', 'count below unavailable lowers that too');
SELECT results_eq($$ SELECT on_hand_change, unavailable_change FROM shop.stock_movements WHERE id = $$ || :id,
	$$ VALUES (-9::bigint, -1::bigint) $$, 'both changes are in the ledger');
SELECT pg_temp.move('sku1', 'count', 0);
SELECT is(pg_temp.level('sku1'), 'on hand 0, unavailable 0, reserved 0, available 0', 'count of nothing');
SELECT is((SELECT sum(on_hand_change) FROM shop.stock_movements WHERE sku = 'sku1'), 0::numeric, 'on hand is the fold of the ledger');
SELECT pg_temp.sound('after every kind of movement');

-- ---- what is not: below zero, more unquarantined than there is

SELECT pg_temp.move('sku2', 'receipt', 5);
SELECT pg_temp.move('sku2', 'quarantine', 2);
SELECT throws_ok(format($$ SELECT pg_temp.move('sku2', %L, %s) $$, kind, quantity), 'OM003', NULL, format('%s of %s below zero', kind, quantity))
FROM (VALUES ('issue', 6), ('damage', 6), ('transfer_out', 6), ('adjustment', -6), ('quarantine', 4), ('unquarantine', 3)) AS v(kind, quantity);
SELECT throws_ok($$ SELECT pg_temp.move('sku3', 'issue', 1) $$, 'OM003', NULL, 'nor of what has never been there');
SELECT alike((pg_temp.fault($$ SELECT pg_temp.move('sku2', 'issue', 6) $$)).message, 'not enough stock: %"sku2"%"north"%', 'the message names sku and location');
SELECT throws_ok(format($$ SELECT pg_temp.move('sku2', %L, %s) $$, kind, quantity), '23514', NULL, format('%s of %s is no quantity', kind, quantity))
FROM (VALUES ('receipt', 0), ('receipt', -1), ('issue', 0), ('issue', -3), ('damage', -1), ('return', -1), ('transfer_in', 0),
	('transfer_out', 0), ('adjustment', 0), ('count', -1), ('quarantine', 0), ('unquarantine', -1), ('gift', 1)) AS v(kind, quantity);
SELECT throws_ok($$ SELECT pg_temp.move('nothing', 'receipt', 1) $$, '23503', NULL, 'an unknown sku');
SELECT throws_ok($$ SELECT pg_temp.move('sku2', 'receipt', 1, 'nowhere') $$, '23503', NULL, 'an unknown location');
SELECT throws_ok($$ SELECT pg_temp.move('sku2', 'receipt', 1, 'supplier') $$, 'OM003', NULL, 'a location that keeps its own books');
SELECT is(pg_temp.level('sku2'), 'on hand 5, unavailable 2, reserved 0, available 3', 'and nothing was changed by any of these');

-- ---- a statement of several rows folds them in their order

INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES
	('sku4', 'north', 'receipt', 10), ('sku4', 'south', 'receipt', 1), ('sku4', 'north', 'issue', 4), ('sku4', 'north', 'count', 20),
	('sku4', 'north', 'quarantine', 15), ('sku4', 'north', 'count', 12), ('sku4', 'north', 'receipt', 1);
SELECT is(pg_temp.level('sku4'), 'on hand 13, unavailable 12, reserved 0, available 1', 'receipt, issue, count, quarantine, count, receipt');
SELECT is(pg_temp.level('sku4', 'south'), 'on hand 1, unavailable 0, reserved 0, available 1', 'another location meanwhile');
SELECT is(pg_temp.list($$ SELECT kind, on_hand_change, unavailable_change FROM shop.stock_movements WHERE sku = 'sku4' AND location = 'north' ORDER BY id $$),
	'(receipt,10,0) (issue,-4,0) (count,14,0) (quarantine,0,15) (count,-8,-3) (receipt,1,0)',
	'each row knows its own effect');
SELECT throws_ok($$ INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES
	('sku5', 'north', 'issue', 1), ('sku5', 'north', 'receipt', 1) $$, 'OM003', NULL, 'issue before its receipt');
SELECT lives_ok($$ INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES
	('sku5', 'north', 'receipt', 1), ('sku5', 'north', 'issue', 1) $$, 'receipt before its issue');
SELECT throws_ok($$ INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES
	('sku6', 'north', 'receipt', 1), ('sku6', 'south', 'issue', 1) $$, 'OM003', NULL, 'one that fails ...');
SELECT is_empty($$ SELECT FROM shop.stock WHERE sku = 'sku6' $$, '... takes the others with it');

-- ---- external_ref: the same again is a replay

INSERT INTO shop.stock_movements (sku, location, kind, quantity, external_ref) VALUES ('sku7', 'north', 'receipt', 5, 'asn-1');
SELECT lives_ok($$ INSERT INTO shop.stock_movements (sku, location, kind, quantity, external_ref)
	VALUES ('sku7', 'north', 'receipt', 5, 'asn-1') $$, 'a replay is accepted');
SELECT is(pg_temp.level('sku7'), 'on hand 5, unavailable 0, reserved 0, available 5', 'without effect');
SELECT is((SELECT count(*) FROM shop.stock_movements WHERE sku = 'sku7'), 1::bigint, 'and without a row');
SELECT throws_ok($$ INSERT INTO shop.stock_movements (sku, location, kind, quantity, external_ref)
	VALUES ('sku7', 'north', 'receipt', 6, 'asn-1') $$, 'OM007', 'external_ref "asn-1" was used before, for a quantity of 5', 'for another quantity it is not');
INSERT INTO shop.stock_movements (sku, location, kind, quantity, external_ref) VALUES
	('sku7', 'south', 'receipt', 6, 'asn-1'), ('sku8', 'north', 'receipt', 6, 'asn-1'), ('sku7', 'north', 'damage', 1, 'asn-1');
SELECT is(pg_temp.level('sku7'), 'on hand 4, unavailable 0, reserved 0, available 4', 'another kind is another movement');
SELECT is(pg_temp.level('sku7', 'south'), 'on hand 6, unavailable 0, reserved 0, available 6', 'another location too');
SELECT is(pg_temp.level('sku8'), 'on hand 6, unavailable 0, reserved 0, available 6', 'another sku too');
SELECT lives_ok($$ INSERT INTO shop.stock_movements (sku, location, kind, quantity, external_ref) VALUES
	('sku9', 'north', 'receipt', 2, 'asn-2'), ('sku9', 'north', 'receipt', 2, 'asn-2') $$, 'a file that has a movement twice');
SELECT is(pg_temp.level('sku9'), 'on hand 2, unavailable 0, reserved 0, available 2', 'moves it once');
SELECT throws_ok($$ INSERT INTO shop.stock_movements (sku, location, kind, quantity, external_ref) VALUES
	('sku9', 'north', 'receipt', 2, 'asn-3'), ('sku9', 'north', 'receipt', 3, 'asn-3') $$, 'OM007', NULL, 'unless the quantities differ');

-- ---- the ledger is written by the engine, once

SELECT throws_ok($$ INSERT INTO shop.stock_movements (sku, location, kind, quantity, on_hand_change) VALUES ('sku1', 'north', 'receipt', 1, 1) $$,
	'OM005', NULL, 'on_hand_change by hand');
SELECT throws_ok($$ INSERT INTO shop.stock_movements (sku, location, kind, quantity, unavailable_change) VALUES ('sku1', 'north', 'receipt', 1, 0) $$,
	'OM005', NULL, 'unavailable_change by hand');
SELECT throws_ok($$ UPDATE shop.stock_movements SET quantity = 1 $$, 'OM005', NULL, 'UPDATE of the ledger');
SELECT throws_ok($$ UPDATE shop.stock_movements SET reason = 'none' $$, 'OM005', NULL, 'of any column');
SELECT throws_ok($$ UPDATE shop.stock_movements SET on_hand_change = 0 $$, 'OM005', NULL, 'of its effect');
SELECT throws_ok($$ DELETE FROM shop.stock_movements $$, 'OM005', NULL, 'DELETE from the ledger');
SELECT throws_ok($$ TRUNCATE shop.stock_movements $$, 'OM005', NULL, 'TRUNCATE of the ledger');
SELECT is((SELECT actor FROM shop.stock_movements ORDER BY id DESC LIMIT 1), current_user::text, 'who acted is the current user');
SET LOCAL oms.actor = 'scanner 4';
SELECT pg_temp.move('sku10', 'receipt', 10);
RESET oms.actor;
SELECT is((SELECT actor FROM shop.stock_movements WHERE sku = 'sku10'), 'scanner 4', 'or oms.actor');
SELECT is((SELECT xid FROM shop.stock_movements WHERE sku = 'sku10'), pg_current_xact_id(), 'and in which transaction');

-- ---- rows of stock

SELECT throws_ok($$ INSERT INTO shop.stock (sku, location, on_hand) VALUES ('sku11', 'north', 1) $$, 'OM005', NULL, 'INSERT with units');
SELECT throws_ok($$ INSERT INTO shop.stock (sku, location, unavailable) VALUES ('sku11', 'north', 1) $$, 'OM005', NULL, 'INSERT with unavailable units');
SELECT throws_ok($$ INSERT INTO shop.stock (sku, location, reserved) VALUES ('sku11', 'north', 1) $$, 'OM005', NULL, 'INSERT with reserved units');
SELECT throws_ok($$ INSERT INTO shop.stock (sku, location, revision) VALUES ('sku11', 'north', 1) $$, 'OM005', NULL, 'INSERT with a revision');
SELECT lives_ok($$ INSERT INTO shop.stock (sku, location, safety_stock) VALUES ('sku11', 'north', 4) $$, 'INSERT with safety stock');
SELECT throws_ok(format($$ UPDATE shop.stock SET %s WHERE sku = 'sku10' $$, change), 'OM005', NULL, 'UPDATE of ' || change)
FROM unnest(ARRAY['on_hand = 11', 'on_hand = 9', 'unavailable = 1', 'reserved = 1', 'revision = revision + 2', 'revision = revision - 1',
	'on_hand = 11, revision = revision + 2', 'on_hand = on_hand + 1, safety_stock = 1']) AS change;
SELECT alike((pg_temp.fault($$ UPDATE shop.stock SET on_hand = 11 WHERE sku = 'sku10' $$)).hint, '%stock_movements%', 'the hint says what to do instead');
SELECT lives_ok($$ UPDATE shop.stock SET safety_stock = 3 WHERE sku = 'sku10' $$, 'UPDATE of safety_stock is for people');
SELECT is(pg_temp.level('sku10'), 'on hand 10, unavailable 0, reserved 0, available 7', 'and lowers what is available');
SELECT throws_ok($$ UPDATE shop.stock SET safety_stock = -1 WHERE sku = 'sku10' $$, '23514', NULL, 'below zero it makes no sense');
SELECT throws_ok($$ UPDATE shop.stock SET available = 100 WHERE sku = 'sku10' $$, '428C9', NULL, 'available is generated');
SELECT throws_ok($$ UPDATE shop.stock SET sku = 'sku12' WHERE sku = 'sku10' $$, 'OM006', NULL, 'sku is fixed');
SELECT throws_ok($$ UPDATE shop.stock SET location = 'south' WHERE sku = 'sku10' $$, 'OM006', NULL, 'location is fixed');
SELECT throws_ok($$ DELETE FROM shop.stock WHERE sku = 'sku10' $$, 'OM005', NULL, 'DELETE of a row with units');
SELECT lives_ok($$ DELETE FROM shop.stock WHERE sku = 'sku11' $$, 'DELETE of an empty one');
SELECT throws_ok($$ TRUNCATE shop.stock $$, 'OM005', NULL, 'TRUNCATE of stock');

-- ---- sales leave safety stock alone; facts do not

SELECT throws_ok($$ SELECT pg_temp.place('sku10', 8) $$, 'OM003', 'not enough stock: sku "sku10" wants 8, 7 available', 'safety stock is not sold');
SELECT lives_ok($$ SELECT pg_temp.place('sku10', 7) $$, 'the rest is');
SELECT is(pg_temp.level('sku10'), 'on hand 10, unavailable 0, reserved 7, available 0', 'and reserved');
SELECT lives_ok($$ UPDATE shop.stock SET safety_stock = 5 WHERE sku = 'sku10' $$, 'more safety stock than is left');
SELECT is(pg_temp.level('sku10'), 'on hand 10, unavailable 0, reserved 7, available -2', 'is no oversale');
SELECT throws_ok($$ SELECT pg_temp.place('sku10', 1) $$, 'OM003', 'not enough stock: sku "sku10" wants 1, 0 available', 'but nothing more is sold');
SELECT pg_temp.sound('with safety stock');

-- ---- movements that leave less than is reserved: who gives way

-- the least advanced first (most moves away from leaving), then the youngest; sourced elsewhere where there is some, else short
SELECT pg_temp.move('sku13', 'receipt', 12), pg_temp.move('sku13', 'receipt', 3, 'south');
UPDATE shop.skus SET default_method = 'pickup' WHERE code = 'sku13';
SELECT pg_temp.place('sku13', 4) AS old \gset
SELECT pg_temp.place('sku13', 4) AS young \gset
SELECT pg_temp.place('sku13', 4) AS advanced \gset
UPDATE shop.fulfillments SET status = 'picking' WHERE order_id = :'advanced';
SELECT is(pg_temp.level('sku13'), 'on hand 12, unavailable 0, reserved 12, available 0', 'all twelve are promised');
SELECT lives_ok($$ SELECT pg_temp.move('sku13', 'damage', 2) $$, 'two are damaged');
SELECT is(pg_temp.level('sku13'), 'on hand 10, unavailable 0, reserved 10, available 0', 'what is reserved follows');
SELECT is(pg_temp.fulfillments(:'young'), 'released 2 at north, rejected 2 at north, released 2 at south', 'the youngest gives way, to the south');
SELECT is(pg_temp.fulfillments(:'old'), 'released 4 at north', 'the older does not');
SELECT is(pg_temp.units(:'young'), 'allocated 4', 'and loses nothing');
SELECT pg_temp.sound('rerouted by damage');
SELECT lives_ok($$ SELECT pg_temp.move('sku13', 'count', 5) $$, 'only five are found');
SELECT is(pg_temp.fulfillments(:'young'), 'rejected 2 at north, rejected 2 at north, released 2 at south', 'the youngest is next');
SELECT is(pg_temp.units(:'young'), 'allocated 2, short 2', 'of four two are short');
SELECT is(pg_temp.fulfillments(:'old'), 'released 1 at north, rejected 3 at north, released 1 at south', 'then the older, first in line for the last one elsewhere');
SELECT is(pg_temp.units(:'old'), 'allocated 2, short 2', 'whose other units are short');
SELECT is(pg_temp.fulfillments(:'advanced'), 'picking 4 at north', 'what is being picked stays');
SELECT is(pg_temp.level('sku13'), 'on hand 5, unavailable 0, reserved 5, available 0', 'and the rest is promised still');
SELECT is(pg_temp.level('sku13', 'south'), 'on hand 3, unavailable 0, reserved 3, available 0', 'as is what the south had');
SELECT is(pg_temp.list(format($$ SELECT entity, event, to_status, detail - 'split_from' FROM shop.order_events WHERE order_id = %L ORDER BY id DESC LIMIT 6 $$, :'old')),
	'(fulfillment,moved,released,) (fulfillment,created,open,) (order_line,shorted,,"{""line"": 1, ""quantity"": 2}")'
	' (order,allocated,,"{""lines"": [{""line"": 1, ""location"": ""south"", ""quantity"": 1}], ""units"": 1}")'
	' (fulfillment,moved,rejected,) (fulfillment,created,released,{})', 'the log tells, last first');
SELECT lives_ok($$ SELECT pg_temp.move('sku13', 'quarantine', 5) $$, 'the last five are set aside');
SELECT is(pg_temp.fulfillments(:'advanced'), 'rejected 4 at north', 'even what was being picked');
SELECT is(pg_temp.level('sku13'), 'on hand 5, unavailable 5, reserved 0, available 0', 'nothing is promised of what is set aside');
SELECT is((SELECT units_short FROM shop.orders WHERE id = :'advanced'), 4::bigint, 'the order counts what it lacks');
SELECT pg_temp.sound('with short units');

-- only the units of that sku leave a fulfillment of several
SELECT pg_temp.move('sku14', 'receipt', 5), pg_temp.move('sku15', 'receipt', 5);
SELECT order_id AS mixed FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [
	{"sku": "sku14", "quantity": 2, "unit_price": 1}, {"sku": "sku15", "quantity": 2, "unit_price": 1}, {"sku": "sku14", "quantity": 3, "unit_price": 1}]}') \gset
SELECT lives_ok($$ SELECT pg_temp.move('sku14', 'adjustment', -4) $$, 'a sku that stands on two lines of one fulfillment');
SELECT is((SELECT string_agg(l.allocated || ' + ' || l.short, ', ' ORDER BY line_no) FROM shop.order_lines l WHERE l.order_id = :'mixed' AND sku = 'sku15'),
	'2 + 0', 'leaves the other sku alone');
SELECT is((SELECT sum(l.allocated) || ' + ' || sum(l.short) FROM shop.order_lines l WHERE l.order_id = :'mixed' AND sku = 'sku14'), '1 + 4', 'and loses what is not there');
SELECT is(pg_temp.level('sku14'), 'on hand 1, unavailable 0, reserved 1, available 0', 'the books agree');
SELECT pg_temp.sound('of two lines of one sku');

-- movements in one statement over several rows that all undercut
SELECT pg_temp.move('sku16', 'receipt', 4), pg_temp.move('sku16', 'receipt', 4, 'south'), pg_temp.move('sku17', 'receipt', 4);
SELECT pg_temp.place('sku16', 4) AS first \gset
SELECT pg_temp.place('sku17', 4) AS second \gset
SELECT lives_ok($$ INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('sku17', 'north', 'count', 1), ('sku16', 'north', 'count', 0),
	('sku16', 'south', 'count', 3) $$, 'a stocktaking');
SELECT is(pg_temp.units(:'first'), 'allocated 3, short 1', 'one order goes to what the south really has');
SELECT is(pg_temp.units(:'second'), 'allocated 1, short 3', 'another one stays with what there is');
SELECT is(pg_temp.level('sku16', 'south'), 'on hand 3, unavailable 0, reserved 3, available 0', 'no unit of the south is promised twice');
SELECT pg_temp.sound('after a stocktaking');

-- a transfer is a wish, not a fact: it is refused and names who is in the way
SELECT pg_temp.move('sku18', 'receipt', 5);
SELECT pg_temp.place('sku18', 3) AS kept \gset
SELECT number AS number FROM shop.fulfillments WHERE order_id = :'kept' \gset
SELECT throws_ok($$ SELECT pg_temp.move('sku18', 'transfer_out', 3) $$, 'OM003', NULL, 'transfer_out of promised units');
SELECT ok(strpos((pg_temp.fault($$ SELECT pg_temp.move('sku18', 'transfer_out', 3) $$)).message, '"' || :'number' || '"') > 0, 'the message names the fulfillment');
SELECT lives_ok($$ SELECT pg_temp.move('sku18', 'transfer_out', 2) $$, 'transfer_out of the others');
SELECT is(pg_temp.fulfillments(:'kept'), 'released 3 at north', 'and nobody gave way');

-- a workflow that cannot reroute from a state keeps its units
INSERT INTO shop.workflows (name, entity, definition) VALUES ('stubborn', 'fulfillment',
	'initial open; open -> released when order_confirmed auto; released -> gone do issue; released -> canceled do release; final gone, canceled');
INSERT INTO shop.methods (code, name, workflow) VALUES ('stubborn', 'Stubborn', 'stubborn');
SELECT pg_temp.move('sku19', 'receipt', 6);
SELECT pg_temp.place('sku19', 3) AS yields \gset
SELECT order_id AS stays FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [
	{"sku": "sku19", "quantity": 3, "unit_price": 1, "method": "stubborn"}]}') \gset
SELECT lives_ok($$ SELECT pg_temp.move('sku19', 'damage', 3) $$, 'whoever can give way does');
SELECT is(pg_temp.units(:'yields') || '; ' || pg_temp.units(:'stays'), 'short 3; allocated 3', 'although it is the older one');
SELECT throws_ok($$ SELECT pg_temp.move('sku19', 'damage', 1) $$, 'OM003', NULL, 'where nobody can, the movement is refused');
SELECT pg_temp.move('sku19', 'receipt', 3);
SELECT is(pg_temp.units(:'yields'), 'allocated 3', 'what comes where it had to give way is given back');
SELECT oms.cancel_lines('shop', :'yields');
SELECT pg_temp.place('sku19', 3) AS ship2 \gset
SELECT pg_temp.move('sku19', 'receipt', 2);
SELECT order_id AS stays2 FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [
	{"sku": "sku19", "quantity": 2, "unit_price": 1, "method": "stubborn"}]}') \gset
SELECT ok(strpos((pg_temp.fault($$ SELECT pg_temp.move('sku19', 'damage', 7) $$)).message, '"' || f.number || '"') > 0,
	'the message names ' || f.workflow || ' of ' || (SELECT sum(quantity) FROM shop.fulfillment_lines l WHERE l.fulfillment_id = f.id))
FROM shop.fulfillments f WHERE f.order_id IN (:'stays', :'ship2', :'stays2') AND f.stock_state = 'reserved' ORDER BY f.id;
SELECT is(pg_temp.units(:'ship2'), 'allocated 3', 'and nothing was changed');

-- an order that is not confirmed yet gives way too, and a canceled line after that is credited once
SELECT pg_temp.move('sku20', 'receipt', 3);
SELECT pg_temp.place('sku20', 3, '{"holds": [{"kind": "fraud"}]}') AS held \gset
SELECT is(pg_temp.fulfillments(:'held'), 'open 3 at north', 'a held order has an open fulfillment');
SELECT lives_ok($$ SELECT pg_temp.move('sku20', 'damage', 1) $$, 'a unit of it breaks');
SELECT is(pg_temp.units(:'held'), 'allocated 2, short 1', 'it is short');
SELECT is(oms.cancel_lines('shop', :'held'), 3::bigint, 'all is canceled');
SELECT is((SELECT status || ' ' || credited FROM shop.orders WHERE id = :'held'), 'canceled 30.0000', 'and credited once');
SELECT is(pg_temp.level('sku20'), 'on hand 2, unavailable 0, reserved 0, available 2', 'what was left is free');

-- ---- what arrives goes to who waits: by priority, then age

SELECT pg_temp.place('sku21', 2, '{"if_short": "hold", "priority": 50}') AS third \gset
SELECT pg_temp.place('sku21', 2, '{"if_short": "hold", "priority": 10}') AS first \gset
SELECT pg_temp.place('sku21', 2, '{"if_short": "hold", "priority": 10}') AS second \gset
SELECT lives_ok($$ SELECT pg_temp.move('sku21', 'receipt', 3) $$, 'three units for six that are short');
SELECT is(concat_ws('; ', pg_temp.units(:'first'), pg_temp.units(:'second'), pg_temp.units(:'third')), 'allocated 2; allocated 1, short 1; short 2', 'by priority, then age');
SELECT is((SELECT status || ' ' || open_holds FROM shop.orders WHERE id = :'first'), 'confirmed 0', 'an order that lacks nothing any more goes on by itself');
SELECT is((SELECT status || ' ' || open_holds FROM shop.orders WHERE id = :'second'), 'placed 1', 'one that does waits');
SELECT is((SELECT string_agg(event, ' ' ORDER BY id) FROM shop.order_events WHERE order_id = :'first' AND event IN ('filled', 'unheld')), 'filled unheld', 'the log tells');
SELECT is(pg_temp.level('sku21'), 'on hand 3, unavailable 0, reserved 3, available 0', 'no unit is free');
SELECT throws_ok($$ SELECT pg_temp.place('sku21', 1) $$, 'OM003', NULL, 'for anybody else');
SELECT pg_temp.move('sku21', 'transfer_in', 1, 'south'), pg_temp.move('sku21', 'adjustment', 1);
SELECT is(concat_ws('; ', pg_temp.units(:'second'), pg_temp.units(:'third')), 'allocated 2; allocated 1, short 1', 'whatever brings the units');
SELECT pg_temp.move('sku21', 'count', 7);
SELECT is(pg_temp.units(:'third'), 'allocated 2', 'a count that finds some');
SELECT is(pg_temp.level('sku21'), 'on hand 7, unavailable 0, reserved 5, available 2', 'the rest is free');
SELECT pg_temp.place('sku22', 1, '{"if_short": "hold"}') AS q \gset
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('sku22', 'north', 'receipt', 1), ('sku22', 'north', 'quarantine', 1);
SELECT is(pg_temp.units(:'q'), 'short 1', 'a unit that came and was set aside fills nothing');
SELECT pg_temp.move('sku22', 'unquarantine', 1);
SELECT is(pg_temp.units(:'q'), 'allocated 1', 'until it is found good');
-- a location that refused an order does not get it back
SELECT pg_temp.move('sku23', 'receipt', 1);
SELECT pg_temp.place('sku23', 1) AS refused \gset
UPDATE shop.fulfillments SET status = 'rejected' WHERE order_id = :'refused';
SELECT is(pg_temp.units(:'refused'), 'short 1', 'rejected by the north');
SELECT pg_temp.move('sku23', 'receipt', 5);
SELECT is(pg_temp.units(:'refused'), 'short 1', 'it is not filled from there');
SELECT pg_temp.move('sku23', 'receipt', 5, 'south');
SELECT is(pg_temp.fulfillments(:'refused'), 'rejected 1 at north, released 1 at south', 'but from the south');
SELECT pg_temp.sound('in the end');

SELECT * FROM finish();
ROLLBACK;
