-- Evening. The day in five views
\i test/demo.d/style
\set ECHO none
SELECT number AS dora FROM shop.orders WHERE external_ref = 'W-4' \gset
\set ECHO queries

\echo 'Orders:'
SELECT channel, count(*) AS orders, sum(total) AS ordered, sum(due) AS due FROM shop.order_summary GROUP BY channel ORDER BY channel;

\echo 'Lines:'
SELECT sku, sum(quantity) AS ordered, sum(canceled) AS canceled, sum(shipped) AS shipped, sum(returned) AS returned
	FROM shop.order_line_facts GROUP BY sku ORDER BY sku;

\echo 'Fulfillments:'
SELECT method, status, count(*), sum(units) AS units FROM shop.fulfillment_facts GROUP BY method, status ORDER BY method, status;

\echo 'Stock:'
SELECT sku, location, on_hand, unavailable, reserved, available FROM shop.stock_position ORDER BY sku, location;

\echo 'And whatever happened to Dora''s order:'
SELECT number, event, from_status, to_status, reason, actor FROM shop.order_timeline WHERE order_number = :'dora' ORDER BY position;

\set ECHO none
DO $$ BEGIN
	ASSERT (SELECT sum(quantity) FROM shop.order_line_facts) = (SELECT sum(units) FROM shop.orders), 'the views disagree';
	ASSERT (SELECT count(*) FROM shop.fulfillment_facts) = (SELECT count(*) FROM shop.fulfillments), 'a fulfillment is missing';
	ASSERT (SELECT count(*) FROM shop.order_timeline) = (SELECT count(*) FROM shop.order_events), 'an event is missing';
END $$;
