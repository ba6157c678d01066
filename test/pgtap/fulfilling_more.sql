-- Fulfillments merged, picked short, and sent another way: stock, units and the
-- log after each, and what is refused.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, if_short) VALUES ('web', 'Web', 'refuse'), ('late', 'Late', 'hold');
INSERT INTO shop.locations (code, name, kind, priority) VALUES ('a', 'A', 'warehouse', 1), ('b', 'B', 'store', 2);
INSERT INTO shop.skus (code, name) SELECT 'hat' || n, 'Hat' FROM generate_series(1, 40) AS n UNION ALL SELECT 'cup' || n, 'Cup' FROM generate_series(1, 40) AS n;
CREATE TEMP SEQUENCE turn;

-- an order of 3 hats and 2 cups, of SKUs of its own, of which A and B have so many
CREATE FUNCTION pg_temp.place(at_a bigint, at_b bigint, more jsonb DEFAULT '{}') RETURNS uuid LANGUAGE plpgsql
AS $$
DECLARE
	n text := nextval('turn');
BEGIN
	INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT s || n, l, 'receipt', q
		FROM unnest(ARRAY['hat', 'cup']) s, (VALUES ('a', at_a), ('b', at_b)) v(l, q) WHERE q > 0;
	RETURN (SELECT order_id FROM oms.place_order('shop', jsonb_build_object('channel', 'web', 'currency', 'EUR', 'ship_to', '{"city": "Ghent"}'::jsonb, 'lines', jsonb_build_array(
		jsonb_build_object('sku', 'hat' || n, 'quantity', 3, 'unit_price', 10), jsonb_build_object('sku', 'cup' || n, 'quantity', 2, 'unit_price', 10))) || more));
END $$;
CREATE FUNCTION pg_temp.f(order_id uuid, n integer DEFAULT 1) RETURNS uuid LANGUAGE sql AS $$ SELECT f.id FROM shop.fulfillments f JOIN shop.orders o ON o.id = f.order_id WHERE o.id = $1 AND f.number = o.number || '-' || $2 $$;
CREATE FUNCTION pg_temp.units(VARIADIC units bigint[]) RETURNS jsonb LANGUAGE sql
AS $$ SELECT jsonb_agg(jsonb_build_object('line', n, 'quantity', u)) FROM unnest($1) WITH ORDINALITY x(u, n) WHERE u > 0 $$;
-- each fulfillment: its place, state, location and units by line; then the stock of hats and what is reserved of them
CREATE FUNCTION pg_temp.look(order_id uuid) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(line, '; ' ORDER BY n) FROM (
	SELECT substring(f.number, '\d+$')::int AS n, concat_ws(' ', substring(f.number, '\d+$'), f.status, f.location, nullif(f.method, 'ship'), f.pickup_location, nullif(a.city, 'Ghent'),
		(SELECT string_agg(l.quantity::text, '+' ORDER BY l.sku DESC) FROM shop.fulfillment_lines l WHERE l.fulfillment_id = f.id)) AS line
	FROM shop.fulfillments f LEFT JOIN shop.addresses a ON a.id = f.ship_to_id WHERE f.order_id = $1
	UNION ALL SELECT 1000, string_agg(format('%s %s/%s/%s', s.location, s.on_hand, s.unavailable, s.reserved), ', ' ORDER BY s.location)
	FROM shop.order_lines l JOIN shop.stock s ON s.sku = l.sku WHERE l.order_id = $1 AND l.line_no = 1
	UNION ALL SELECT 1001, nullif(format('%s short', units_short), '0 short') FROM shop.orders o WHERE o.id = $1) x $$;
CREATE FUNCTION pg_temp.fault(statement text) RETURNS text LANGUAGE plpgsql
AS $$
DECLARE
	state text;
	message text;
BEGIN
	EXECUTE statement;
	RETURN 'none';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
	RETURN state || ' ' || message;
END $$;
CREATE FUNCTION pg_temp.sound(what text) RETURNS text LANGUAGE sql
AS $$ SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL, 'verify_store: ' || what) $$;

-- ---- merge

SELECT pg_temp.place(9, 0) AS o \gset
SELECT oms.split_fulfillment('shop', pg_temp.f(:'o'), pg_temp.units(1, 1)) AS two \gset
SELECT oms.split_fulfillment('shop', :'two', pg_temp.units(1)) AS three \gset
SELECT is(oms.merge_fulfillments('shop', ARRAY[:'three'::uuid, pg_temp.f(:'o'), :'two'::uuid]), pg_temp.f(:'o'), 'the one numbered first remains');
SELECT is(pg_temp.look(:'o'), '1 released a 3+2; 2 canceled a; 3 canceled a; a 9/0/3', 'with all units; the others have ended with none');
SELECT is((SELECT units_canceled || ' ' || units_allocated FROM shop.orders WHERE id = :'o'), '0 5', 'none was canceled');
SELECT is((SELECT string_agg(concat_ws(' ', event, from_status, to_status, detail), ', ' ORDER BY id) FROM shop.order_events WHERE order_id = :'o' AND entity_id = :'two'),
	'created released {"split_from": "S-1000-1"}, emptied {"merged_into": "S-1000-1"}, moved released canceled', 'the log tells why');
SELECT is((SELECT detail::text FROM shop.order_events WHERE event = 'merged'), '{"from": ["S-1000-2", "S-1000-3"]}', 'and from which');
SELECT is((SELECT count(*) FROM oms.next_moves('shop', 'fulfillment', :'two')), 0::bigint, 'an emptied one can go nowhere');
SELECT matches(pg_temp.fault(format('SELECT oms.merge_fulfillments(%L, %L)', 'shop', ARRAY[:'two'::uuid, :'three'::uuid])), '^OM002 fulfillment .* cannot be merged: its units are released$', 'nor be merged again');
SELECT lives_ok(format('UPDATE shop.fulfillments SET status = ''shipped'' WHERE id = %L', pg_temp.f(:'o')), 'the one that remains ships');
SELECT is((SELECT status FROM shop.orders WHERE id = :'o'), 'completed', 'which is the whole order');
SELECT pg_temp.sound('merged');

SELECT pg_temp.place(3, 3) AS o \gset
SELECT oms.split_fulfillment('shop', pg_temp.f(:'o'), pg_temp.units(1)) AS two \gset
SELECT pg_temp.place(9, 0) AS other \gset
SELECT matches(pg_temp.fault(format('SELECT oms.merge_fulfillments(%L, %L)', 'shop', ARRAY[:'two'::uuid, pg_temp.f(:'other')])), '^OM002 fulfillments .* cannot be merged: they differ in order$', 'not of two orders');
UPDATE shop.fulfillments SET status = 'picking' WHERE id = :'two';
SELECT is(pg_temp.fault(format('SELECT oms.merge_fulfillments(%L, %L)', 'shop', ARRAY[:'two'::uuid, pg_temp.f(:'o')])), 'OM002 fulfillments "S-1001-1" and "S-1001-2" cannot be merged: they differ in status', 'nor in two states');
UPDATE shop.fulfillments SET status = 'picking' WHERE id = pg_temp.f(:'o');
UPDATE shop.fulfillments SET ship_to_id = NULL WHERE id = :'two';
SELECT is(pg_temp.fault(format('SELECT oms.merge_fulfillments(%L, %L)', 'shop', ARRAY[:'two'::uuid, pg_temp.f(:'o')])), 'OM002 fulfillments "S-1001-1" and "S-1001-2" cannot be merged: they differ in address', 'nor to two addresses');
UPDATE shop.fulfillments SET status = 'packed' WHERE order_id = :'o';
UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = :'o';
SELECT is(pg_temp.fault(format('SELECT oms.merge_fulfillments(%L, %L)', 'shop', ARRAY[:'two'::uuid, pg_temp.f(:'o')])), 'OM002 fulfillment "S-1001-1" cannot be merged: its units are issued', 'nor what has left');
SELECT pg_temp.place(9, 0, '{"lines": [{"sku": "hat1", "quantity": 2, "unit_price": 1, "ship_group": "x"}, {"sku": "hat1", "quantity": 1, "unit_price": 1, "ship_group": "y"}]}') AS o \gset
SELECT matches(pg_temp.fault(format('SELECT oms.merge_fulfillments(%L, %L)', 'shop', ARRAY[pg_temp.f(:'o'), pg_temp.f(:'o', 2)])), '^OM012 fulfillment_ids: their units are of different ship groups', 'nor two ship groups');
-- partners are asked; what they have accepted is not changed behind them
UPDATE shop.locations SET active = false WHERE code = 'b';
INSERT INTO shop.locations (code, name, kind, tracked, priority) VALUES ('s', 'Supplier', 'supplier', false, 3);
SELECT pg_temp.place(9, 0, '{"lines": [{"sku": "hat2", "quantity": 2, "unit_price": 1, "method": "dropship"}]}') AS o \gset
SELECT oms.split_fulfillment('shop', pg_temp.f(:'o'), pg_temp.units(1)) AS two \gset
SELECT is(pg_temp.fault(format('SELECT oms.merge_fulfillments(%L, %L)', 'shop', ARRAY[:'two'::uuid, pg_temp.f(:'o')])), format('OM002 fulfillment %s cannot be released from "requested"', (SELECT to_json(number) FROM shop.fulfillments WHERE id = :'two')), 'nor past a workflow');
SELECT is(pg_temp.fault(format('SELECT * FROM oms.short_pick(%L, %L, %L)', 'shop', pg_temp.f(:'o'), pg_temp.units(5))), format('OM012 lines[0].quantity: fulfillment %s has 1 units of line 1, not 5', (SELECT to_json(number) FROM shop.fulfillments WHERE id = pg_temp.f(:'o'))), 'no more is short than there is');
UPDATE shop.locations SET active = code <> 's';

-- ---- short pick

SELECT pg_temp.place(3, 2) AS o \gset
UPDATE shop.fulfillments SET status = 'picking' WHERE order_id = :'o';
SELECT is((SELECT format('%s units, %s elsewhere, %s short, %s', units, allocated, short, rejected_fulfillment_id <> pg_temp.f(:'o')) FROM oms.short_pick('shop', pg_temp.f(:'o'), pg_temp.units(3, 1), 'not_found')), '4 units, 3 elsewhere, 1 short, t', 'what was not found is sourced elsewhere, else short');
SELECT is(pg_temp.look(:'o'), '1 picking a 1; 2 rejected a 3+1; 3 released b 2+1; a 3/3/0, b 2/0/2; 1 short', 'never where it was, and what is not there is not sold again');
UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = :'o' AND status = 'picking';
INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT sku, 'a', 'receipt', 5 FROM shop.order_lines WHERE order_id = :'o' AND line_no = 1;
SELECT pg_temp.sound('picked short');
SELECT pg_temp.place(3, 5) AS o \gset
SELECT is((SELECT format('%s units, %s elsewhere, %s short, %s', units, allocated, short, rejected_fulfillment_id = pg_temp.f(:'o')) FROM oms.short_pick('shop', pg_temp.f(:'o'), pg_temp.units(3, 2))), '5 units, 5 elsewhere, 0 short, t', 'of a whole one nothing is divided off');
SELECT is(pg_temp.look(:'o'), '1 rejected a 3+2; 2 released b 3+2; a 3/0/0, b 5/0/3', 'it is rejected');
SELECT is(pg_temp.fault(format('SELECT * FROM oms.short_pick(%L, %L, %L)', 'shop', pg_temp.f(:'o'), pg_temp.units(1))), (SELECT format('OM002 fulfillment %s cannot be picked short: its units are released', to_json(number)) FROM shop.fulfillments WHERE id = pg_temp.f(:'o')), 'once');
UPDATE shop.workflows SET definition = 'initial open; open -> released when order_confirmed auto; released -> shipped do issue; released -> canceled do release; final shipped, canceled' WHERE name = 'service';
INSERT INTO shop.methods (code, name, workflow) VALUES ('plain', 'Plain', 'service');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('hat30', 'a', 'receipt', 9);
SELECT pg_temp.place(3, 5, '{"lines": [{"sku": "hat30", "quantity": 2, "unit_price": 1, "method": "plain"}]}') AS o \gset
SELECT matches(pg_temp.fault(format('SELECT * FROM oms.short_pick(%L, %L, %L)', 'shop', pg_temp.f(:'o'), pg_temp.units(1))), '^OM002 fulfillment ".*" cannot be picked short in "released"$', 'a workflow that rejects nothing has its say');
SELECT pg_temp.sound('rejected');

-- ---- another way

SELECT pg_temp.place(5, 5) AS o \gset
SELECT is(oms.change_delivery('shop', :'o', ship_to => '{"city": "Lier"}'), 5::bigint, 'the order goes elsewhere');
SELECT is(pg_temp.look(:'o'), '1 canceled a; 2 released a Lier 3+2; a 5/0/3, b 5/0/0', 'from the same location, which has not refused it');
SELECT is((SELECT string_agg(DISTINCT city, ', ') FROM shop.addresses a JOIN (SELECT ship_to_id FROM shop.orders WHERE id = :'o' UNION ALL SELECT ship_to_id FROM shop.order_lines WHERE order_id = :'o') x ON x.ship_to_id = a.id), 'Lier', 'the order and its lines say so');
SELECT is((SELECT bool_or(rerouted) FROM shop.fulfillments WHERE order_id = :'o'), false, 'nothing was rerouted');
SELECT is(oms.change_delivery('shop', :'o', pg_temp.units(2), method => 'pickup', pickup_location => 'b'), 2::bigint, 'two hats are collected');
SELECT is(pg_temp.look(:'o'), '1 canceled a; 2 released a Lier 1+2; 3 canceled a Lier; 4 released b pickup b Lier 2; a 5/0/1, b 5/0/2', 'where they are collected, if they are there');
SELECT is((SELECT string_agg(concat_ws(' ', line_no, method, pickup_location), ', ' ORDER BY line_no) FROM shop.order_lines WHERE order_id = :'o'), '1, 2', 'the line goes two ways, and says nothing');
SELECT is(oms.change_delivery('shop', :'o', pg_temp.units(3), method => 'pickup', pickup_location => 'b'), 1::bigint, 'what goes that way already stays');
SELECT is(pg_temp.look(:'o'), '1 canceled a; 2 released a Lier 2; 3 canceled a Lier; 4 released b pickup b Lier 2; 5 canceled a Lier; 6 released b pickup b Lier 1; a 5/0/0, b 5/0/3', 'the third follows');
SELECT is((SELECT string_agg(concat_ws(' ', line_no, method, pickup_location), ', ' ORDER BY line_no) FROM shop.order_lines WHERE order_id = :'o'), '1 pickup b, 2', 'and now the line says so');
SELECT is(oms.change_delivery('shop', :'o', pg_temp.units(3), method => 'pickup', pickup_location => 'b'), 0::bigint, 'nothing is left to change');
SELECT is((SELECT units_canceled || ' ' || units_allocated FROM shop.orders WHERE id = :'o'), '0 5', 'all units are still there');
SELECT pg_temp.sound('another way');
UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = :'o' AND status = 'released' AND method = 'ship';
SELECT is(pg_temp.fault(format('SELECT oms.change_delivery(%L, %L, %L, %L)', 'shop', :'o', pg_temp.units(0, 1), 'pickup')), 'OM012 lines[0].quantity: only 0 units of line 2 have not left and are not canceled, not 1', 'what has left goes on');

-- nothing for the new way: nothing changes
SELECT pg_temp.place(5, 0) AS o \gset
UPDATE shop.locations SET active = false WHERE code = 'a';
SELECT pg_temp.look(:'o') AS before, (SELECT count(*) FROM shop.order_events) AS events \gset
SELECT matches(pg_temp.fault(format('SELECT oms.change_delivery(%L, %L, ship_to => %L)', 'shop', :'o', '{"city": "Lier"}')), '^OM003 not enough stock: sku "hat\d+" wants 3, 0 available', 'a location that is closed meanwhile is none');
SELECT is(pg_temp.look(:'o') || (SELECT count(*) FROM shop.order_events), :'before' || :events, 'and all is as it was');
UPDATE shop.locations SET active = true;
-- a location that has refused is not asked again
SELECT pg_temp.place(5, 5) AS o \gset
UPDATE shop.fulfillments SET status = 'rejected' WHERE order_id = :'o';
SELECT is(oms.change_delivery('shop', :'o', ship_to => to_jsonb((SELECT id FROM shop.addresses WHERE city = 'Lier' LIMIT 1)), reason => 'customer_request'), 5::bigint, 'to an address that is there');
SELECT is(pg_temp.look(:'o'), '1 rejected a 3+2; 2 canceled b; 3 released b Lier 3+2; a 5/0/0, b 5/0/3', 'still not from A');
SELECT is((SELECT status_reason FROM shop.fulfillments WHERE id = pg_temp.f(:'o', 2)), 'customer_request', 'for a reason');
-- what waits goes the new way once it has stock
SELECT pg_temp.place(2, 0, '{"channel": "late"}') AS o \gset
UPDATE shop.order_holds SET released_at = now() WHERE order_id = :'o';
SELECT is(oms.change_delivery('shop', :'o', method => 'local_delivery'), 5::bigint, 'short units too');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT sku, 'a', 'receipt', 1 FROM shop.order_lines WHERE order_id = :'o' AND line_no = 1;
SELECT is((SELECT string_agg(DISTINCT method, ' ') FROM shop.fulfillments WHERE order_id = :'o' AND stock_state = 'reserved'), 'local_delivery', 'all of it');
SELECT is((SELECT units_short FROM shop.orders WHERE id = :'o'), 0::bigint, 'none is short');
SELECT is(pg_temp.fault(format('SELECT oms.change_delivery(%L, %L)', 'shop', :'o')), 'OM012 method: nothing is to change: give a method, ship_to or pickup_location', 'something must change');
SELECT is(pg_temp.fault(format('SELECT oms.change_delivery(%L, %L, %s)', 'shop', :'o', argument)), fault, fault) FROM (VALUES
	('method => ''nix''', 'OM012 method: unknown method "nix"'), ('pickup_location => ''nix''', 'OM012 pickup_location: unknown location "nix"'),
	('method => ''ship'', reason => ''nix''', 'OM012 reason: unknown reason "nix"'), ('ship_to => ''5''', 'OM012 ship_to: must be an address or the id of one'),
	('ship_to => ''"00000000-0000-0000-0000-000000000000"''', 'OM012 ship_to: unknown address "00000000-0000-0000-0000-000000000000"'), ('ship_to => ''{"town": "x"}''', 'OM012 ship_to.town: unknown key'),
	('''[{"line": 9, "quantity": 1}]'', ''ship''', 'OM012 lines[0].line: the order has no line 9')) AS v(argument, fault);
INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR') RETURNING id AS draft \gset
SELECT matches(pg_temp.fault(format('SELECT oms.change_delivery(%L, %L, method => %L)', 'shop', :'draft', 'pickup')), '^OM002 order .* is not placed yet', 'a draft is edited instead');
-- packed units stay
SELECT pg_temp.place(5, 5) AS o \gset
INSERT INTO shop.packages (fulfillment_id) VALUES (pg_temp.f(:'o')) RETURNING id AS p \gset
INSERT INTO shop.package_lines SELECT :'p', id, 2 FROM shop.order_lines WHERE order_id = :'o' AND line_no = 1;
SELECT matches(pg_temp.fault(format('SELECT oms.change_delivery(%L, %L, method => %L)', 'shop', :'o', 'pickup')), '^OM002 units of fulfillment ".*" cannot go another way: 2 are in packages$', 'what is in a parcel stays');
UPDATE shop.packages SET voided_at = now() WHERE id = :'p';
SELECT is(oms.change_delivery('shop', :'o', method => 'pickup', pickup_location => 'a'), 5::bigint, 'until it is unpacked');
-- a parcel of which nobody says what it holds may hold all
INSERT INTO shop.packages (fulfillment_id) SELECT id FROM shop.fulfillments WHERE order_id = :'o' AND stock_state = 'reserved' RETURNING id AS p \gset
SELECT matches(pg_temp.fault(format('SELECT oms.change_delivery(%L, %L, method => %L)', 'shop', :'o', 'ship')), '^OM002 units of fulfillment ".*" cannot go another way: 3 are in packages$', 'nor does what may be in one');
UPDATE shop.packages SET voided_at = now() WHERE id = :'p';
-- what is no parcel goes its own way unless it is named; a warranty goes with what it is for
INSERT INTO shop.skus (code, name, kind, default_method, tracked) VALUES ('fitting', 'Fitting', 'service', 'service', false), ('care', 'Care', 'warranty', NULL, false);
SELECT pg_temp.place(9, 9, '{"lines": [{"line": 1, "sku": "hat30", "quantity": 3, "unit_price": 1}, {"line": 2, "sku": "care", "quantity": 2, "unit_price": 1, "parent": 1}, {"line": 3, "sku": "fitting", "quantity": 1, "unit_price": 1}]}') AS o \gset
SELECT is(oms.change_delivery('shop', :'o', pg_temp.units(1), method => 'pickup', pickup_location => 'a'), 1::bigint, 'one of three hats, two of which have a warranty');
SELECT is(oms.change_delivery('shop', :'o', pg_temp.units(2), method => 'pickup', pickup_location => 'a'), 2::bigint, 'another');
SELECT is((SELECT string_agg(f.method || ' ' || l.sku || ' ' || l.quantity, ', ' ORDER BY f.method, f.id, l.sku DESC) FROM shop.fulfillments f JOIN shop.fulfillment_lines l ON l.fulfillment_id = f.id WHERE f.order_id = :'o'), 'pickup hat30 1, pickup hat30 1, pickup care 1, service fitting 1, ship hat30 1, ship care 1', 'no more warranties stay than hats');
SELECT is(oms.change_delivery('shop', :'o', method => 'pickup', pickup_location => 'a'), 2::bigint, 'the rest, but not the fitter');
SELECT is((SELECT string_agg(DISTINCT f.method || ' ' || l.sku, ', ') FROM shop.fulfillments f JOIN shop.fulfillment_lines l ON l.fulfillment_id = f.id WHERE f.order_id = :'o'), 'pickup care, pickup hat30, service fitting', 'who comes as agreed');
SELECT is(oms.change_delivery('shop', :'o', ship_to => '{"city": "Lier"}'), 6::bigint, 'to another address, if it is one');
SELECT is(oms.change_delivery('shop', :'o', pg_temp.units(0, 0, 1), method => 'local_delivery'), 1::bigint, 'or another way, if he is named');
-- kits go whole
INSERT INTO shop.skus (code, name, kind) VALUES ('set', 'Set', 'bundle');
INSERT INTO shop.bundle_items (bundle, sku, quantity) VALUES ('set', 'hat40', 2), ('set', 'cup40', 1);
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('hat40', 'a', 'receipt', 9), ('cup40', 'a', 'receipt', 9);
SELECT pg_temp.place(1, 1, '{"lines": [{"sku": "set", "quantity": 2, "unit_price": 30}]}') AS o \gset
SELECT is(oms.change_delivery('shop', :'o', pg_temp.units(1), method => 'local_delivery'), 3::bigint, 'a kit goes with all its components');
SELECT is((SELECT string_agg(f.method || ' ' || l.sku || ' ' || l.quantity, ', ' ORDER BY f.method, l.sku) FROM shop.fulfillments f JOIN shop.fulfillment_lines l ON l.fulfillment_id = f.id WHERE f.order_id = :'o'), 'local_delivery cup40 1, local_delivery hat40 2, ship cup40 1, ship hat40 2', 'the other stays');
SELECT matches(pg_temp.fault(format('SELECT oms.change_delivery(%L, %L, %L, %L)', 'shop', :'o', '[{"line": 2, "quantity": 1}]', 'ship')), 'is a part of a bundle', 'and not a part of it');
SELECT pg_temp.sound('all');
SELECT is((SELECT count(*) FROM oms.repair_store('shop')), 0::bigint, 'there is nothing to repair');

SELECT * FROM finish();
ROLLBACK;
