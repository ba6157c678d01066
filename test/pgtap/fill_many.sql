-- Filling more lines than are written together, and what changes between the
-- reading and the filling.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();
SELECT oms.create_store('shop');

INSERT INTO shop.channels (code, name, if_short, default_method) VALUES ('web', 'Web', 'refuse', 'ship');
INSERT INTO shop.locations (code, name, priority) VALUES ('a', 'A', 1), ('b', 'B', 2);
INSERT INTO shop.skus (code, name) VALUES ('lamp', 'Lamp'), ('game', 'Game'), ('rug', 'Rug');
INSERT INTO shop.backorder_policies (sku, policy) VALUES ('lamp', 'backorder'), ('game', 'backorder'), ('rug', 'backorder');

-- orders of so many lines of a unit each
CREATE FUNCTION pg_temp.wait_for(wanted text, first integer, last integer, lines integer DEFAULT 1, place text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
	INSERT INTO shop.orders (channel, currency, external_ref) SELECT 'web', 'EUR', wanted || ' ' || i FROM generate_series(first, last) i ORDER BY i;
	INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, location)
		SELECT o.id, n, wanted, 1, 1, place FROM shop.orders o, generate_series(1, lines) n WHERE placed_at IS NULL;
	UPDATE shop.orders SET status = 'placed' WHERE placed_at IS NULL;
$$;
CREATE FUNCTION pg_temp.broken() RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(rule || ': ' || violations, E'\n') FROM shop.verify_store() WHERE violations > 0 $$;

-- ---- an order's lines are written together, wherever a part would end

SELECT pg_temp.wait_for('lamp', 1, 998), pg_temp.wait_for('lamp', 999, 999, 4), pg_temp.wait_for('lamp', 1000, 1040, 2);
SELECT is((SELECT sum(units_backordered) FROM shop.orders), 1084::numeric, 'all wait');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('lamp', 'a', 'receipt', 1083);
SELECT is((SELECT count(*) || ' orders, ' || sum(units_allocated) || ' units' FROM shop.orders WHERE units_allocated > 0), '1040 orders, 1083 units', 'one receipt serves them in their order');
SELECT is((SELECT units_backordered FROM shop.orders WHERE external_ref = 'lamp 1040'), 1::bigint, 'and the last order waits for what is lacking');
SELECT is((SELECT string_agg(number || ' ' || n, ', ') FROM (SELECT o.number, count(*) AS n FROM shop.fulfillments f JOIN shop.orders o ON o.id = f.order_id GROUP BY 1 HAVING count(*) > 1) x),
	NULL, 'each in one fulfillment');
SELECT is((SELECT string_agg(DISTINCT f.status, ', ') FROM shop.fulfillments f), 'released', 'which goes on');
SELECT is((SELECT string_agg(event || ' ' || n, ', ' ORDER BY event) FROM (SELECT event, count(*) AS n FROM shop.order_events WHERE event IN ('filled', 'allocated')
	OR entity = 'fulfillment' GROUP BY 1) e), 'allocated 1040, created 1040, filled 1083, moved 1040', 'and all of it is told once');
SELECT is((SELECT backordered FROM shop.backorder_policies WHERE sku = 'lamp'), 1::bigint, 'the policy knows');
SELECT is(pg_temp.broken(), NULL, 'all is counted');

-- ---- who is changed after he was read is read again

INSERT INTO shop.addresses (id, country) VALUES ('00000000-0000-7000-8000-000000000001', 'DE');
CREATE FUNCTION pg_temp.moved() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	UPDATE shop.orders SET ship_to_id = '00000000-0000-7000-8000-000000000001' WHERE external_ref = 'game 2' AND ship_to_id IS NULL;
	RETURN NULL;
END $$;
SELECT pg_temp.wait_for('game', 1, 3);
CREATE TRIGGER moved AFTER UPDATE ON shop.stock FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.moved();
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('game', 'a', 'receipt', 3);
DROP TRIGGER moved ON shop.stock;
SELECT is((SELECT string_agg(o.external_ref || coalesce(' to ' || right(f.ship_to_id::text, 1), ''), ', ' ORDER BY o.external_ref)
	FROM shop.fulfillments f JOIN shop.orders o ON o.id = f.order_id WHERE o.external_ref LIKE 'game%'), 'game 1, game 2 to 1, game 3', 'a parcel goes where its order says by then');

-- ---- tick looks beyond those who come first and cannot be served

INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('rug', 'a', 'receipt', 2);
SELECT pg_temp.wait_for('rug', 1, 2), pg_temp.wait_for('rug', 3, 6, 1, 'b'), pg_temp.wait_for('rug', 7, 8);
UPDATE shop.orders SET status = 'canceled' WHERE external_ref IN ('rug 1', 'rug 2');
SELECT is((SELECT orders_filled FROM shop.tick(1)), 1::bigint, 'one at a time');
SELECT is((SELECT string_agg(external_ref, ', ' ORDER BY external_ref) FROM shop.orders WHERE external_ref LIKE 'rug%' AND units_allocated > 0), 'rug 7', 'the first that can be');
SELECT is((SELECT orders_filled FROM shop.tick()), 1::bigint, 'then all the others');
SELECT is((SELECT string_agg(external_ref, ', ' ORDER BY external_ref) FROM shop.orders WHERE external_ref LIKE 'rug%' AND units_allocated > 0), 'rug 7, rug 8', 'that can be');
SELECT is(pg_temp.broken(), NULL, 'all is still counted');

SELECT * FROM finish();
ROLLBACK;
