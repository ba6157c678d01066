-- One round of backorders.sql's receipt.  Variable round.
--
-- rows: the rows that it writes, written by one statement each, by hand, into
-- tables without our triggers.  update: the lines alone.
\set ON_ERROR_STOP 1
\set QUIET 1
SET client_min_messages = warning;
SET synchronous_commit = off;

INSERT INTO shop.orders (channel, currency, external_ref) SELECT 'web', 'EUR', format('wanted %s %s', :round, i) FROM generate_series(1, 10000) i;
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price)
	SELECT id, 1, 'WANTED', 1, 1 FROM shop.orders WHERE external_ref LIKE format('wanted %s %%', :round);
UPDATE shop.orders SET status = 'placed' WHERE external_ref LIKE format('wanted %s %%', :round);
CREATE TEMP TABLE waiting AS SELECT l.id, l.order_id FROM shop.order_lines l WHERE l.sku = 'WANTED' AND l.backordered > 0 ORDER BY l.id;
TRUNCATE bench.order_lines, plain.fulfillment_lines, plain.fulfillments, plain.order_events, plain.order_lines, plain.orders CASCADE;
INSERT INTO bench.order_lines SELECT l.* FROM shop.order_lines l JOIN waiting USING (id);
INSERT INTO plain.skus SELECT * FROM shop.skus WHERE code = 'WANTED' ON CONFLICT DO NOTHING;
INSERT INTO plain.backorder_policies SELECT * FROM shop.backorder_policies WHERE sku = 'WANTED' ON CONFLICT DO NOTHING;
INSERT INTO plain.orders SELECT o.* FROM shop.orders o JOIN waiting w ON w.order_id = o.id;
INSERT INTO plain.order_lines SELECT l.* FROM shop.order_lines l JOIN waiting USING (id);
VACUUM ANALYZE shop.orders, shop.order_lines, shop.fulfillments, shop.fulfillment_lines, bench.order_lines, plain.orders, plain.order_lines, waiting;

SELECT cpu AS a FROM bench.used() \gset
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('WANTED', 'east', 'receipt', 10000);
SELECT cpu AS b FROM bench.used() \gset
UPDATE bench.order_lines SET allocated = allocated + 1, backordered = backordered - 1, revision = revision + 1 WHERE backordered > 0;
SELECT cpu AS c FROM bench.used() \gset
BEGIN;
UPDATE plain.order_lines SET allocated = allocated + 1, backordered = backordered - 1, revision = revision + 1 WHERE backordered > 0;
UPDATE plain.orders SET units_allocated = units_allocated + 1, units_backordered = units_backordered - 1, revision = revision + 1 WHERE units_backordered > 0;
INSERT INTO plain.fulfillments (id, number, order_id, location, method, workflow, status, stock_state)
	SELECT w.id, o.number || '-1', o.id, 'east', 'ship', 'ship', 'released', 'reserved' FROM waiting w JOIN plain.orders o ON o.id = w.order_id;
INSERT INTO plain.fulfillment_lines (id, fulfillment_id, order_line_id, sku, quantity, tracked) SELECT id, id, id, 'WANTED', 1, true FROM waiting;
INSERT INTO plain.order_events (order_id, entity, entity_id, event, from_status, to_status, actor, detail)
	SELECT order_id, e.entity, id, e.event, e.from_status, e.to_status, oms.actor(), e.detail FROM waiting, (VALUES
		('order_line', 'filled', NULL, NULL, '{"line": 1, "quantity": 1, "policy": "00000000-0000-7000-8000-000000000000"}'::jsonb),
		('order', 'allocated', NULL, NULL, '{"units": 1, "lines": [{"line": 1, "location": "east", "quantity": 1}]}'),
		('fulfillment', 'created', NULL, 'open', NULL), ('fulfillment', 'moved', 'open', 'released', NULL)) AS e(entity, event, from_status, to_status, detail);
COMMIT;
SELECT cpu AS d FROM bench.used() \gset
INSERT INTO bench.backorders VALUES ('ours', :round, :b - :a), ('update', :round, :c - :b), ('rows', :round, :d - :c);
