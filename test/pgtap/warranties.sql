-- Warranties wait with their goods: placed, filled, rerouted, canceled.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name) VALUES ('web', 'Web');
INSERT INTO shop.locations (code, name, priority) VALUES ('a', 'A', 1), ('b', 'B', 2);
INSERT INTO shop.skus (code, name) VALUES ('cam', 'Camera'), ('lens', 'Lens');
INSERT INTO shop.skus (code, name, kind) VALUES ('kit', 'Kit', 'bundle'), ('care', 'Care', 'warranty');
INSERT INTO shop.bundle_items VALUES ('kit', 'cam', 1), ('kit', 'lens', 2);
INSERT INTO shop.backorder_policies (sku, policy, limit_units, expected_at) VALUES ('cam', 'backorder', 10, '2030-01-01');

CREATE FUNCTION pg_temp.place(lines text, more jsonb DEFAULT '{}') RETURNS uuid LANGUAGE sql
AS $$ SELECT order_id FROM oms.place_order('shop', jsonb_build_object('channel', 'web', 'currency', 'EUR', 'lines', lines::jsonb) || more) $$;
CREATE FUNCTION pg_temp.receive(sku text, location text, units bigint) RETURNS void LANGUAGE sql
AS $$ INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES (sku, location, 'receipt', units) $$;
CREATE FUNCTION pg_temp.lines(o uuid) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(format('%s: %s', sku, concat_ws(', ', nullif(canceled, 0) || ' canceled', nullif(allocated, 0) || ' allocated', nullif(backordered, 0) || ' backordered',
	nullif(short, 0) || ' short', nullif(shipped, 0) || ' shipped')), '; ' ORDER BY line_no) FROM shop.order_lines WHERE order_id = o AND NOT expanded $$;
CREATE FUNCTION pg_temp.carried(o uuid) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(format('%s %s %s: %s', location, status, method, items), '; ' ORDER BY number) FROM shop.fulfillments f, LATERAL (SELECT string_agg(sku || ' ' || quantity, ', ' ORDER BY sku) AS items
	FROM shop.fulfillment_lines l WHERE l.fulfillment_id = f.id) l WHERE f.order_id = o $$;
CREATE FUNCTION pg_temp.broken() RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(rule || ': ' || violations, E'\n') FROM oms.verify_store('shop') WHERE violations > 0 $$;

-- nothing is there: nothing leaves
SELECT pg_temp.place('[{"sku": "cam", "quantity": 3, "unit_price": 3}, {"sku": "care", "quantity": 3, "unit_price": 1, "parent": 1}]') AS o \gset
SELECT is(pg_temp.lines(:'o'), 'cam: 3 backordered; care: 3 backordered', 'a warranty is backordered with its goods');
SELECT is(pg_temp.carried(:'o'), NULL, 'and leaves in no parcel');
SELECT is((SELECT status || units_backordered || (SELECT count(*) FROM shop.order_holds) FROM shop.orders WHERE id = :'o'), 'confirmed60', 'the order goes on');
SELECT is((SELECT array_agg(backorder_policy_id IS NULL ORDER BY line_no) FROM shop.order_lines WHERE order_id = :'o'), '{f,t}', 'under no policy of its own');
SELECT is((SELECT backordered FROM shop.backorder_policies), 3::bigint, 'and counts in none');
SELECT is((SELECT string_agg(sku || quantity || coalesce(policy, '-'), ' ' ORDER BY sku) FROM shop.backorders), 'cam3backorder care3-', 'it is listed among backorders');
SELECT is(pg_temp.broken(), NULL, 'everything agrees');
SELECT pg_temp.receive('cam', 'b', 2);
SELECT is(pg_temp.lines(:'o'), 'cam: 2 allocated, 1 backordered; care: 2 allocated, 1 backordered', 'of a part its part');
SELECT is(pg_temp.carried(:'o'), 'b released ship: cam 2, care 2', 'in the same parcel');
UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = :'o';
SELECT is((SELECT fulfillment_status FROM shop.orders WHERE id = :'o'), 'partial', 'a part has left');
SELECT pg_temp.receive('cam', 'a', 1);
UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = :'o' AND status = 'released';
SELECT is(pg_temp.carried(:'o'), 'b shipped ship: cam 2, care 2; a shipped ship: cam 1, care 1', 'the rest with the rest');
SELECT is((SELECT status FROM shop.orders WHERE id = :'o'), 'completed', 'completed');
SELECT is(pg_temp.broken(), NULL, 'everything agrees');

-- fewer warranties than goods, which go another way
SELECT pg_temp.receive('cam', 'a', 1);
SELECT pg_temp.place('[{"sku": "cam", "quantity": 3, "unit_price": 3}, {"sku": "care", "quantity": 2, "unit_price": 1, "parent": 1, "method": "digital"}]') AS o \gset
SELECT is(pg_temp.carried(:'o'), 'a released ship: cam 1; a delivered digital: care 1', 'sent by wire, as many as there are goods');
SELECT is(pg_temp.lines(:'o'), 'cam: 1 allocated, 2 backordered; care: 1 backordered, 1 shipped', 'the other waits');
SELECT is(oms.cancel_lines('shop', :'o', '[{"line": 1, "quantity": 1}]'), 1::bigint, 'goods enough are left for it');
SELECT pg_temp.receive('cam', 'b', 1);
SELECT is(pg_temp.lines(:'o'), 'cam: 1 canceled, 2 allocated; care: 2 shipped', 'and follows');
SELECT oms.cancel_lines('shop', :'o');

-- a warranty that waits is canceled with goods that wait
SELECT pg_temp.place('[{"sku": "cam", "quantity": 2, "unit_price": 3}, {"sku": "care", "quantity": 2, "unit_price": 1, "parent": 1}]') AS o \gset
SELECT is(pg_temp.lines(:'o'), 'cam: 2 allocated; care: 2 allocated', 'what was given back is sold again');
UPDATE shop.fulfillments SET status = 'rejected' WHERE order_id = :'o' AND location = 'a';
SELECT is(pg_temp.carried(:'o'), 'a rejected ship: cam 1, care 1; b released ship: cam 1, care 1', 'goods that find no other place wait, and so does their warranty');
SELECT is(pg_temp.lines(:'o'), 'cam: 1 allocated, 1 short; care: 1 allocated, 1 short', 'short both');
SELECT is(oms.cancel_lines('shop', :'o', '[{"line": 1, "quantity": 1}]'), 2::bigint, 'and is canceled with them');
SELECT is(pg_temp.lines(:'o'), 'cam: 1 canceled, 1 allocated; care: 1 canceled, 1 allocated', 'those that wait');
SELECT is(pg_temp.broken(), NULL, 'everything agrees');
UPDATE shop.orders SET status = 'canceled' WHERE id = :'o';

-- short goods: refused, or held until they come, by the way of the goods
UPDATE shop.backorder_policies SET limit_units = 0;
SELECT throws_ok($$ SELECT pg_temp.place('[{"sku": "care", "quantity": 9, "unit_price": 1, "parent": 2}, {"sku": "cam", "quantity": 9, "unit_price": 3}]') $$,
	'OM003', 'not enough stock: sku "cam" wants 9, 2 available', 'it is for the goods to be refused');
SELECT pg_temp.place('[{"sku": "cam", "quantity": 4, "unit_price": 3, "method": "pickup", "pickup_location": "b"}, {"sku": "care", "quantity": 4, "unit_price": 1, "parent": 1}]', '{"if_short": "hold"}') AS o \gset
SELECT is(pg_temp.lines(:'o'), 'cam: 2 allocated, 2 short; care: 2 allocated, 2 short', 'short with short goods');
SELECT pg_temp.receive('cam', 'b', 2);
SELECT is(pg_temp.carried(:'o'), 'b released pickup: cam 1, care 1; a released pickup: cam 1, care 1; b released pickup: cam 2, care 2', 'collected where they are');
SELECT is((SELECT open_holds FROM shop.orders WHERE id = :'o'), 0, 'the hold is gone');
SELECT oms.cancel_lines('shop', :'o');

-- of kits: as many as are whole
UPDATE shop.stock SET safety_stock = available + safety_stock;
SELECT pg_temp.place('[{"sku": "kit", "quantity": 2, "unit_price": 3}, {"sku": "care", "quantity": 2, "unit_price": 1, "parent": 1}]', '{"if_short": "hold"}') AS o \gset
SELECT is(pg_temp.lines(:'o'), 'care: 2 short; cam: 2 short; lens: 4 short', 'with a kit');
SELECT pg_temp.receive('lens', 'a', 3);
SELECT is((SELECT allocated FROM shop.order_lines WHERE order_id = :'o' AND sku = 'care'), 0::bigint, 'of which a part is there');
SELECT pg_temp.receive('cam', 'a', 1);
SELECT is((SELECT allocated FROM shop.order_lines WHERE order_id = :'o' AND sku = 'care'), 1::bigint, 'a kit is whole');
SELECT pg_temp.receive('lens', 'a', 1), pg_temp.receive('cam', 'a', 1);
SELECT is((SELECT string_agg(DISTINCT status, ' ') || sum(quantity) FILTER (WHERE sku = 'care') FROM shop.fulfillments f JOIN shop.fulfillment_lines l ON l.fulfillment_id = f.id WHERE order_id = :'o'), 'released2', 'all are');
SELECT is(pg_temp.broken(), NULL, 'everything agrees');

-- oms.next_moves and tick say and do nothing else
INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR') RETURNING id AS p \gset
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) VALUES (:'p', 1, 'cam', 1, 10);
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, parent_line_id) SELECT :'p', 2, 'care', 1, 10, id FROM shop.order_lines WHERE order_id = :'p';
SELECT is((SELECT why_not FROM oms.next_moves('shop', 'order', :'p') WHERE to_state = 'placed'), 'not enough stock: sku "cam" wants 1, 0 available', 'next_moves');
UPDATE shop.backorder_policies SET limit_units = NULL;
UPDATE shop.orders SET status = 'placed' WHERE id = :'p';
SELECT is((SELECT orders_filled FROM oms.tick('shop')), 0::bigint, 'tick gives nothing');
SELECT is(pg_temp.lines(:'p'), 'cam: 1 backordered; care: 1 backordered', 'placed by UPDATE');

SELECT * FROM finish();
ROLLBACK;
