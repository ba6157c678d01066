-- The views for analysts: their columns and types, and that what they say is true.
BEGIN;
SET client_min_messages = warning;
SET timezone = 'UTC';
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, if_short) VALUES ('web', 'Web', 'hold');
INSERT INTO shop.locations (code, name, priority) VALUES ('a', 'A', 1), ('b', 'B', 2);
INSERT INTO shop.skus (code, name, default_method) VALUES ('shirt', 'Shirt', NULL), ('hat', 'Hat', 'pickup');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('shirt', 'a', 'receipt', 5), ('hat', 'b', 'receipt', 2), ('shirt', 'a', 'quarantine', 1);
UPDATE shop.stock SET safety_stock = 1 WHERE sku = 'shirt';

-- ---- columns: those of the design, in their order, others between or after them

CREATE FUNCTION pg_temp.columns(view text, wanted text) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(column_name || ' ' || CASE data_type WHEN 'timestamp with time zone' THEN 'timestamptz' ELSE data_type END, ', ' ORDER BY ordinal_position) FROM information_schema.columns
	WHERE table_schema = 'shop' AND table_name = $1 AND column_name = ANY (regexp_split_to_array(regexp_replace($2, ' [a-z]+(?=,|$)', '', 'g'), ', ')) $$;
SELECT is(pg_temp.columns(view, columns), columns, 'columns of ' || view)
FROM (VALUES
	('order_summary', 'order_id text, number text, channel text, external_ref text, customer_name text, status text, payment_status text, fulfillment_status text, return_status text, currency text, total numeric, credited numeric, due numeric, units bigint, ordered_at timestamptz, placed_at timestamptz, closed_at timestamptz'),
	('order_line_facts', 'order_line_id text, order_number text, channel text, order_date date, sku text, sku_name text, method text, canceled bigint, allocated bigint, backordered bigint, short bigint, shipped bigint, delivered bigint, returned bigint, unit_price numeric, net_amount numeric, tax numeric, requested_at timestamptz'),
	('fulfillment_facts', 'number text, order_number text, location text, method text, status text, units bigint, requested_at timestamptz, promised_at timestamptz, shipped_at timestamptz, delivered_at timestamptz, hours_open_to_shipped numeric, hours_shipped_to_delivered numeric'),
	('stock_position', 'sku text, location text, on_hand bigint, unavailable bigint, reserved bigint, safety_stock bigint, held bigint, available bigint'),
	('order_timeline', 'order_number text, at timestamptz, entity text, number text, event text, from_status text, to_status text, actor text, reason text')) AS v(view, columns);
SELECT is((SELECT string_agg(table_name || '.' || column_name || ' ' || data_type, ', ' ORDER BY table_name, ordinal_position) FROM information_schema.columns JOIN information_schema.views USING (table_schema, table_name)
	WHERE table_schema = 'shop' AND data_type NOT IN ('text', 'numeric', 'bigint', 'boolean', 'date', 'timestamp with time zone')), NULL, 'plain types only');
SELECT is((SELECT string_agg(relname, ' ') FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relkind = 'v' AND NOT coalesce(reloptions @> '{security_invoker=true}', false)), NULL, 'views read as whoever asks');

-- ---- values

SELECT order_id AS o, number AS number FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "external_ref": "r1", "ordered_at": "2026-03-01T23:30:00Z", "customer": {"code": "c", "name": "Ann"}, "lines": [
	{"sku": "shirt", "quantity": 4, "unit_price": 10, "discount": 1, "tax": 2}, {"sku": "hat", "quantity": 1, "unit_price": 5.5}], "charges": [{"kind": "shipping", "amount": 3, "tax": 0.5}]}') \gset
CREATE FUNCTION pg_temp.row(query text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE list text; BEGIN EXECUTE format('SELECT string_agg(r::text, '' '') FROM (%s) AS r', query) INTO list; RETURN list; END $$;
SELECT is(pg_temp.row($$ SELECT channel, external_ref, customer_name, status, payment_status, fulfillment_status, return_status, currency, total, credited, due, units, ordered_at::date, placed_at = now(), closed_at FROM shop.order_summary $$),
	'(web,r1,Ann,placed,unpaid,unfulfilled,none,EUR,50.0000,0.0000,50.0000,5,2026-03-01,t,)', 'order_summary');
SELECT is(pg_temp.row($$ SELECT order_number, channel, order_date, sku, sku_name, method, canceled, allocated, backordered, short, shipped, delivered, returned, unit_price, net_amount, tax FROM shop.order_line_facts ORDER BY sku DESC $$),
	format('(%1$s,web,2026-03-01,shirt,Shirt,ship,0,3,0,1,0,0,0,10.0000,39.0000,2.0000) (%1$s,web,2026-03-01,hat,Hat,pickup,0,1,0,0,0,0,0,5.5000,5.5000,0.0000)', :'number'), 'order_line_facts');
SELECT is(pg_temp.row($$ SELECT sku, location, on_hand, unavailable, reserved, safety_stock, held, available FROM shop.stock_position ORDER BY sku DESC $$), '(shirt,a,5,1,3,1,0,0) (hat,b,2,0,1,0,0,1)', 'stock_position');
SELECT oms.cancel_lines('shop', :'o', '[{"line": 1, "quantity": 1}]');
UPDATE shop.order_holds SET released_at = clock_timestamp() WHERE released_at IS NULL;
UPDATE shop.fulfillments SET status = 'shipped' WHERE location = 'a';
SELECT is(pg_temp.row($$ SELECT status, fulfillment_status, total, credited, due FROM shop.order_summary $$), '(confirmed,partial,50.0000,10.2500,39.7500)', 'credited and due');
SELECT is(pg_temp.row($$ SELECT canceled, allocated, short, shipped FROM shop.order_line_facts WHERE sku = 'shirt' $$), '(1,0,0,3)', 'counters follow');
UPDATE shop.fulfillments SET promised_at = '2026-03-05T12:00:00Z';
SELECT is(pg_temp.row($$ SELECT number, order_number, location, method, status, units, promised_at::date, shipped_at = now(), delivered_at, hours_open_to_shipped, hours_shipped_to_delivered FROM shop.fulfillment_facts ORDER BY number $$),
	format('(%1$s-1,%1$s,a,ship,shipped,3,2026-03-05,t,,0.00,) (%1$s-2,%1$s,b,pickup,released,1,2026-03-05,,,,)', :'number'), 'fulfillment_facts');
-- hours: as if it had all taken its time
SET session_replication_role = replica;
UPDATE shop.fulfillments SET created_at = now() - interval '90 minutes', delivered_at = now() + interval '26 hours' WHERE location = 'a';
SET session_replication_role = origin;
SELECT is(pg_temp.row($$ SELECT hours_open_to_shipped, hours_shipped_to_delivered FROM shop.fulfillment_facts WHERE location = 'a' $$), '(1.50,26.00)', 'hours');
SELECT is((SELECT round(sum(net_amount + tax), 4) FROM shop.order_line_facts) + 3.5, (SELECT total FROM shop.order_summary), 'lines and charges make the total');
SELECT order_id AS t FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "tax_included": true, "lines": [{"sku": "hat", "quantity": 1, "unit_price": 12, "tax": 2}]}') \gset
SELECT is(pg_temp.row(format($$ SELECT net_amount, tax FROM shop.order_line_facts l JOIN shop.orders o ON o.number = l.order_number WHERE o.id = %L $$, :'t')), '(10.0000,2.0000)', 'net is without the tax that a price includes');
SELECT is(pg_temp.row(format($$ SELECT customer_name, total FROM shop.order_summary WHERE order_id::text = %L $$, :'t')), '(,12.0000)', 'a guest has no name');
SELECT is((SELECT count(*) FROM shop.order_line_facts) || ' ' || (SELECT count(*) FROM shop.order_summary) || ' ' || (SELECT count(*) FROM shop.fulfillment_facts), '3 2 3', 'a row for each line, order and fulfillment');

SELECT * FROM finish();
ROLLBACK;
