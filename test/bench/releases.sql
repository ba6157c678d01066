-- 10,000 fulfillments of one line, and a table like theirs without triggers
--
-- release.sql moves them all, as one statement, a few times.
\set ON_ERROR_STOP 1
\set QUIET 1
SET client_min_messages = warning;
SET synchronous_commit = off;

INSERT INTO shop.workflows (name, entity, definition) VALUES ('by hand', 'fulfillment', 'initial open; open -> released -> picking;
	picking -> packed when order_confirmed, order_unheld, group_complete; packed -> released; packed -> shipped do issue;
	open, released, picking, packed -> canceled do release; open, released, picking, packed -> rejected do reroute; shipped -> delivered do deliver;
	final delivered, canceled, rejected');
INSERT INTO shop.methods (code, name, workflow) VALUES ('by hand', 'By hand', 'by hand');
SELECT count(oms.place_order('shop', format('{"channel": "web", "currency": "EUR", "lines": [{"sku": "SKU-%s", "quantity": 1, "unit_price": 1, "method": "by hand"}]}',
	10001 + i % 2000)::jsonb)) FROM generate_series(1, 10000) AS i \g /dev/null
UPDATE shop.fulfillments SET status = 'released' WHERE method = 'by hand';

CREATE TABLE bench.fulfillments (LIKE shop.fulfillments INCLUDING ALL);
INSERT INTO bench.fulfillments SELECT * FROM shop.fulfillments WHERE method = 'by hand';
CREATE TABLE bench.order_events (LIKE shop.order_events INCLUDING ALL);
VACUUM ANALYZE;

CREATE TABLE bench.releases (what text, round integer, cpu_ns bigint);
