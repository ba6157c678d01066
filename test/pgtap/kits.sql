-- Kits that are not whole: what gives way and waits together, what fills give,
-- what can be canceled of the rest.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, if_short) VALUES ('web', 'Web', 'hold');
INSERT INTO shop.locations (code, name, priority) VALUES ('a', 'A', 1), ('b', 'B', 2);
INSERT INTO shop.skus (code, name) VALUES ('cam', 'Camera'), ('lens', 'Lens'), ('bag', 'Bag');
INSERT INTO shop.skus (code, name, kind) VALUES ('kit', 'Kit', 'bundle'), ('set', 'Set', 'bundle'), ('loose', 'Loose set', 'bundle'), ('care', 'Care', 'warranty');
INSERT INTO shop.bundle_items VALUES ('kit', 'cam', 1, 3), ('kit', 'lens', 2, 1), ('set', 'bag', 1, NULL), ('set', 'cam', 1, NULL), ('loose', 'bag', 1, NULL), ('loose', 'lens', 1, NULL);
UPDATE shop.skus SET ship_together = false WHERE code = 'loose';

CREATE FUNCTION pg_temp.place(lines text, more jsonb DEFAULT '{}') RETURNS uuid LANGUAGE sql
AS $$ SELECT order_id FROM oms.place_order('shop', jsonb_build_object('channel', 'web', 'currency', 'EUR', 'lines', lines::jsonb) || more) $$;
CREATE FUNCTION pg_temp.move(kind text, sku text, location text, units bigint) RETURNS void LANGUAGE sql
AS $$ INSERT INTO shop.stock_movements (kind, sku, location, quantity) VALUES (kind, sku, location, units) $$;
CREATE FUNCTION pg_temp.lines(o uuid) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(format('%s: %s', sku, concat_ws(', ', nullif(canceled, 0) || ' canceled', nullif(allocated, 0) || ' allocated', nullif(backordered, 0) || ' backordered',
	nullif(short, 0) || ' short', nullif(shipped, 0) || ' shipped')), '; ' ORDER BY line_no) FROM shop.order_lines WHERE order_id = o AND NOT expanded $$;
CREATE FUNCTION pg_temp.carried(o uuid) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(format('%s %s: %s', location, status, items), '; ' ORDER BY number) FROM shop.fulfillments f, LATERAL (SELECT string_agg(sku || ' ' || quantity, ', ' ORDER BY sku) AS items
	FROM shop.fulfillment_lines l WHERE l.fulfillment_id = f.id) l WHERE f.order_id = o $$;
CREATE FUNCTION pg_temp.cancel(o uuid, lines jsonb) RETURNS bigint LANGUAGE sql AS $$ SELECT oms.cancel_lines('shop', o, lines) $$;
CREATE FUNCTION pg_temp.broken() RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(rule || ': ' || violations, E'\n') FROM oms.verify_store('shop') WHERE violations > 0 $$;

-- ---- giving way

SELECT pg_temp.move('receipt', 'cam', 'a', 3), pg_temp.move('receipt', 'lens', 'a', 6);
SELECT pg_temp.place('[{"sku": "kit", "quantity": 3, "unit_price": 8}, {"sku": "care", "quantity": 3, "unit_price": 1, "parent": 1}]') AS o \gset
SELECT pg_temp.move('count', 'lens', 'a', 5);
SELECT is(pg_temp.lines(:'o'), 'care: 2 allocated, 1 short; cam: 2 allocated, 1 short; lens: 4 allocated, 2 short', 'a lens is lost: a whole kit waits, with its warranty');
SELECT is(pg_temp.carried(:'o'), 'a released: cam 2, care 2, lens 4; a rejected: cam 1, care 1, lens 2', 'and the others stay whole');
SELECT is((SELECT string_agg(sku || available, ' ' ORDER BY sku) FROM shop.stock WHERE location = 'a'), 'cam1 lens1', 'its units are free');
SELECT is((SELECT array_agg(DISTINCT rerouted = gave_way) FROM shop.fulfillments WHERE order_id = :'o'), '{t}', 'its location has not refused it');
SELECT is(pg_temp.broken(), NULL, 'everything agrees');
SELECT is((SELECT orders_filled FROM oms.tick('shop')), 0::bigint, 'a camera alone is not given back');
SELECT pg_temp.move('receipt', 'lens', 'a', 1);
SELECT is(pg_temp.lines(:'o'), 'care: 3 allocated; cam: 3 allocated; lens: 6 allocated', 'what arrives there completes it, and takes along what was free');
SELECT is((SELECT string_agg(DISTINCT location || status, ' ') FROM shop.fulfillments WHERE order_id = :'o' AND stock_state = 'reserved'), 'areleased', 'in the same place');
SELECT pg_temp.move('receipt', 'cam', 'b', 1), pg_temp.move('receipt', 'lens', 'b', 2);
SELECT pg_temp.move('damage', 'cam', 'a', 1);
SELECT is((SELECT string_agg(location || ' ' || sku || sum, ', ' ORDER BY location, sku) FROM (SELECT location, sku, sum(quantity) FROM shop.fulfillments f JOIN shop.fulfillment_lines l ON l.fulfillment_id = f.id
	WHERE order_id = :'o' AND stock_state = 'reserved' GROUP BY 1, 2) s), 'a cam2, a care2, a lens4, b cam1, b care1, b lens2', 'a whole kit goes to another location');
SELECT is(pg_temp.broken(), NULL, 'everything agrees');
SELECT oms.cancel_lines('shop', :'o');
SELECT pg_temp.move('count', sku, location, 0) FROM shop.stock;

SELECT pg_temp.move('receipt', 'bag', 'a', 1), pg_temp.move('receipt', 'lens', 'a', 1), pg_temp.move('receipt', 'cam', 'a', 2);
SELECT pg_temp.place('[{"sku": "loose", "quantity": 1, "unit_price": 8}, {"sku": "cam", "quantity": 2, "unit_price": 1}, {"sku": "care", "quantity": 1, "unit_price": 1, "parent": 2}]') AS o \gset
SELECT pg_temp.move('damage', 'lens', 'a', 1), pg_temp.move('damage', 'cam', 'a', 1);
SELECT is(pg_temp.lines(:'o'), 'cam: 1 allocated, 1 short; care: 1 allocated; bag: 1 allocated; lens: 1 short', 'parts that may travel alone stay, and a warranty that has goods left');
SELECT pg_temp.move('damage', 'cam', 'a', 1);
SELECT is(pg_temp.lines(:'o'), 'cam: 2 short; care: 1 short; bag: 1 allocated; lens: 1 short', 'until they are gone');
SELECT pg_temp.move('receipt', 'cam', 'a', 1);
SELECT is(pg_temp.lines(:'o'), 'cam: 1 allocated, 1 short; care: 1 allocated; bag: 1 allocated; lens: 1 short', 'goods that come bring it along');
SELECT is(pg_temp.broken(), NULL, 'everything agrees');
SELECT oms.cancel_lines('shop', :'o');
SELECT pg_temp.move('count', sku, location, 0) FROM shop.stock;

-- ---- filling

SELECT pg_temp.place('[{"sku": "kit", "quantity": 2, "unit_price": 8}]') AS first \gset
SELECT pg_temp.place('[{"sku": "set", "quantity": 1, "unit_price": 8}]') AS second \gset
SELECT pg_temp.place('[{"sku": "cam", "quantity": 2, "unit_price": 8}]') AS third \gset
SELECT pg_temp.move('receipt', 'bag', 'a', 1);
SELECT is(pg_temp.lines(:'second'), 'bag: 1 short; cam: 1 short', 'a bag completes no set');
SELECT pg_temp.move('receipt', 'lens', 'a', 3);
SELECT pg_temp.move('receipt', 'cam', 'b', 1);
SELECT is(pg_temp.lines(:'first'), 'cam: 1 allocated, 1 short; lens: 2 allocated, 2 short', 'a camera completes a kit of the first order, which takes two lenses, not three');
SELECT pg_temp.move('receipt', 'cam', 'a', 2);
SELECT is(pg_temp.lines(:'first'), 'cam: 1 allocated, 1 short; lens: 2 allocated, 2 short', 'the next completes none of it');
SELECT is(pg_temp.lines(:'second') || '; ' || pg_temp.lines(:'third'), 'bag: 1 allocated; cam: 1 allocated; cam: 1 allocated, 1 short', 'but serves those behind');
SELECT pg_temp.move('receipt', 'lens', 'b', 1);
SELECT is((SELECT orders_filled FROM oms.tick('shop')), 0::bigint, 'lenses alone are left alone');
SELECT pg_temp.move('receipt', 'cam', 'b', 2);
SELECT is(pg_temp.lines(:'first') || '; ' || pg_temp.lines(:'third'), 'cam: 2 allocated; lens: 4 allocated; cam: 2 allocated', 'all are served');
SELECT is((SELECT string_agg(DISTINCT status, ' ') FROM shop.fulfillments WHERE stock_state = 'reserved'), 'released', 'and go');
SELECT is(pg_temp.broken(), NULL, 'everything agrees');
SELECT oms.cancel_lines('shop', id) FROM shop.orders WHERE closed_at IS NULL;
SELECT pg_temp.move('count', sku, location, 0) FROM shop.stock;

-- many kits that nothing completes do not keep units from others; one statement
SELECT pg_temp.place('[{"sku": "kit", "quantity": 1, "unit_price": 8}]') FROM generate_series(1, 30);
SELECT pg_temp.place('[{"sku": "set", "quantity": 1, "unit_price": 8}, {"sku": "cam", "quantity": 5, "unit_price": 8}]') AS o \gset
INSERT INTO shop.stock_movements (kind, sku, location, quantity) VALUES ('receipt', 'cam', 'a', 8), ('receipt', 'bag', 'a', 1), ('receipt', 'lens', 'a', 5);
SELECT is((SELECT count(*) FROM shop.orders WHERE units_allocated = 3), 2::bigint, 'two kits are completed');
SELECT is(pg_temp.lines(:'o'), 'cam: 5 allocated; bag: 1 allocated; cam: 1 allocated', 'others get the rest');
SELECT is((SELECT string_agg(sku || available, ' ' ORDER BY sku) FROM shop.stock WHERE location = 'a'), 'bag0 cam0 lens1', 'that is all');
SELECT is(pg_temp.broken(), NULL, 'everything agrees');
SELECT oms.cancel_lines('shop', id) FROM shop.orders WHERE closed_at IS NULL;
SELECT pg_temp.move('count', sku, location, 0) FROM shop.stock;

-- an order that must ship complete, and parts that may travel alone
SELECT pg_temp.place('[{"sku": "kit", "quantity": 1, "unit_price": 8}, {"sku": "bag", "quantity": 1, "unit_price": 8}]', '{"ship_complete": true}') AS o \gset
SELECT pg_temp.place('[{"sku": "loose", "quantity": 1, "unit_price": 8}]') AS p \gset
SELECT pg_temp.move('receipt', 'lens', 'a', 2), pg_temp.move('receipt', 'cam', 'a', 1);
SELECT is(pg_temp.lines(:'o') || '; ' || pg_temp.lines(:'p'), 'bag: 1 short; cam: 1 short; lens: 2 short; bag: 1 short; lens: 1 allocated', 'all or nothing; and part by part');
SELECT pg_temp.move('receipt', 'lens', 'a', 1);
SELECT pg_temp.move('receipt', 'bag', 'a', 1);
SELECT is(pg_temp.lines(:'o'), 'bag: 1 allocated; cam: 1 allocated; lens: 2 allocated', 'all');
SELECT oms.cancel_lines('shop', id) FROM shop.orders WHERE closed_at IS NULL;

-- ---- canceling the rest of a kit

SELECT pg_temp.move('count', 'cam', 'a', 9), pg_temp.move('count', 'lens', 'a', 9);
SELECT pg_temp.place('[{"sku": "kit", "quantity": 3, "unit_price": 8}, {"sku": "care", "quantity": 3, "unit_price": 1, "parent": 1}]') AS o \gset
SELECT id AS f FROM shop.fulfillments WHERE order_id = :'o' \gset
SELECT oms.split_fulfillment('shop', :'f', '[{"line": 3, "quantity": 2}]') AS part \gset
UPDATE shop.fulfillments SET status = 'shipped' WHERE id = :'part';
SELECT throws_ok(format('SELECT pg_temp.cancel(%L, %L)', :'o', lines), 'OM012', message, what) FROM (VALUES
	('[{"line": 1, "quantity": 2}]', 'lines[0].quantity: only 1 kits of line 1 are whole, with no unit shipped or canceled, not 2: cancel what is left of the others by the lines of their components', 'kits that are not whole'),
	('[{"line": 3, "quantity": 1}]', 'lines[0].line: line 3 is a part of bundle line 1: cancel whole kits by that line''s number', 'a component of the whole kit'),
	('[{"line": 4, "quantity": 5}]', 'lines[0].quantity: only 4 units of line 4 are of kits that are not whole any more and neither shipped nor canceled, not 5: cancel whole kits by line 1', 'more than is left of the others')) v (lines, message, what);
SELECT is(pg_temp.cancel(:'o', '[{"line": 4, "quantity": 1}]'), 1::bigint, 'a lens of a kit whose camera has left');
SELECT is(pg_temp.lines(:'o'), 'care: 3 allocated; cam: 1 allocated, 2 shipped; lens: 1 canceled, 5 allocated', 'and nothing else');
SELECT is((SELECT credited FROM shop.orders WHERE id = :'o'), 1.0000, 'its share of the price is credited');
SELECT is(pg_temp.cancel(:'o', '[{"line": 1, "quantity": 1}, {"line": 4, "quantity": 3}]'), 7::bigint, 'a whole kit with its warranty, and what is left of the others');
SELECT is(pg_temp.lines(:'o'), 'care: 1 canceled, 2 allocated; cam: 1 canceled, 2 shipped; lens: 6 canceled', 'warranties of cameras that have left stay');
SELECT is((SELECT credited FROM shop.orders WHERE id = :'o'), 13.0000, 'and so does their price');
SELECT throws_ok(format('SELECT pg_temp.cancel(%L, %L)', :'o', '[{"line": 4, "quantity": 1}]'), 'OM012',
	'lines[0].quantity: only 0 units of line 4 are of kits that are not whole any more and neither shipped nor canceled, not 1', 'nothing is left');
SELECT is(pg_temp.broken(), NULL, 'everything agrees');

-- what a fulfillment that was canceled has left of a kit
SELECT pg_temp.place('[{"sku": "kit", "quantity": 1, "unit_price": 8}, {"sku": "care", "quantity": 1, "unit_price": 1, "parent": 1, "method": "service"}]') AS o \gset
SELECT id AS f FROM shop.fulfillments WHERE order_id = :'o' AND method = 'ship' \gset
SELECT oms.split_fulfillment('shop', :'f', '[{"line": 3, "quantity": 1}]') AS part \gset
UPDATE shop.fulfillments SET status = 'canceled' WHERE id = :'part';
SELECT is(pg_temp.cancel(:'o', '[{"line": 4, "quantity": 2}]'), 3::bigint, 'the rest, and the warranty, as the kit is gone then');
SELECT is((SELECT status || credited FROM shop.orders WHERE id = :'o'), 'canceled9.0000', 'all of the order is');
SELECT is(pg_temp.broken(), NULL, 'everything agrees');

-- ---- tick looks at the first of those who wait, and at all that a kit waits for

SELECT oms.cancel_lines('shop', id) FROM shop.orders WHERE closed_at IS NULL;
SELECT pg_temp.move('count', sku, location, 0) FROM shop.stock;
INSERT INTO shop.backorder_policies (sku, policy) VALUES ('lens', 'backorder');
SELECT pg_temp.move('receipt', 'cam', 'a', 2);
SELECT pg_temp.place('[{"sku": "cam", "quantity": 2, "unit_price": 8}]') AS taken \gset
SELECT pg_temp.place('[{"sku": "kit", "quantity": 1, "unit_price": 8}]') AS o \gset
SELECT pg_temp.place('[{"sku": "cam", "quantity": 1, "unit_price": 8}]') AS p \gset
SELECT pg_temp.place('[{"sku": "cam", "quantity": 1, "unit_price": 8}]') AS q \gset
SELECT oms.cancel_lines('shop', :'taken');
SELECT is(pg_temp.lines(:'o'), 'cam: 1 short; lens: 2 backordered', 'a kit waits in two ways');
SELECT is((SELECT orders_filled FROM oms.tick('shop', 1)), 1::bigint, 'one order is served');
SELECT is(pg_temp.lines(:'o') || '; ' || pg_temp.lines(:'p'), 'cam: 1 short; lens: 2 backordered; cam: 1 allocated', 'the one behind the kit that lacks what comes later');
SELECT is(pg_temp.broken(), NULL, 'everything agrees');

SELECT * FROM finish();
ROLLBACK;
