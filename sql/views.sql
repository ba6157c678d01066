-- What analysts read: plain types, one view a question.

CREATE FUNCTION oms.layout_views() RETURNS void
LANGUAGE plpgsql
AS $layout$
BEGIN
	CREATE VIEW order_summary WITH (security_invoker = true) AS
	SELECT o.id AS order_id, o.number, o.channel, o.external_ref, c.name AS customer_name, o.status,
		o.payment_status, o.fulfillment_status, o.return_status, o.currency::text AS currency, o.total, o.credited,
		o.total - o.credited AS due, o.units, o.ordered_at, o.placed_at, o.closed_at
	FROM orders o LEFT JOIN customers c ON c.id = o.customer_id;
	COMMENT ON VIEW order_summary IS 'One row an order; basis: the order, as it is now';

	CREATE VIEW order_line_facts WITH (security_invoker = true) AS
	SELECT l.id AS order_line_id, o.id AS order_id, o.number AS order_number, o.channel, o.ordered_at::date AS order_date, l.line_no,
		l.sku, s.name AS sku_name, coalesce(l.method, s.default_method, c.default_method) AS method, l.quantity,
		l.canceled, l.allocated, l.backordered, l.short, l.shipped, l.delivered, l.returned, l.unit_price,
		l.quantity * l.unit_price - l.discount - CASE WHEN o.tax_included THEN l.tax ELSE 0 END AS net_amount, l.tax,
		o.currency::text AS currency
	FROM order_lines l JOIN orders o ON o.id = l.order_id JOIN skus s ON s.code = l.sku
		JOIN channels c ON c.code = o.channel;
	COMMENT ON VIEW order_line_facts IS 'One row an order line; basis: the order date';

	CREATE VIEW fulfillment_facts WITH (security_invoker = true) AS
	SELECT f.id AS fulfillment_id, f.number, o.number AS order_number, f.location, f.pickup_location, f.method, f.status,
		coalesce((SELECT sum(l.quantity) FROM fulfillment_lines l WHERE l.fulfillment_id = f.id), 0)::bigint AS units,
		f.created_at, f.promised_at, f.shipped_at, f.delivered_at,
		round(extract(epoch FROM f.shipped_at - f.created_at) / 3600, 2) AS hours_open_to_shipped,
		round(extract(epoch FROM f.delivered_at - f.shipped_at) / 3600, 2) AS hours_shipped_to_delivered
	FROM fulfillments f JOIN orders o ON o.id = f.order_id;
	COMMENT ON VIEW fulfillment_facts IS 'One row a fulfillment; basis: the fulfillment, as it is now';

	CREATE VIEW stock_position WITH (security_invoker = true) AS
	SELECT s.sku, s.location, s.on_hand, s.unavailable, s.reserved, s.safety_stock, 0::bigint AS held, s.available
	FROM stock s;
	COMMENT ON VIEW stock_position IS 'One row a SKU and location; basis: units, now';

	CREATE VIEW order_timeline WITH (security_invoker = true) AS
	SELECT o.number AS order_number, e.at, e.entity, coalesce(f.number, o.number) AS number, e.event, e.from_status,
		e.to_status, e.actor, e.reason, e.id AS position
	FROM order_events e JOIN orders o ON o.id = e.order_id LEFT JOIN fulfillments f ON f.id = e.entity_id;
	COMMENT ON VIEW order_timeline IS 'What happened to orders, one row an event; sort by position; basis: the event''s time';
END
$layout$;
COMMENT ON FUNCTION oms.layout_views() IS 'Creates the store''s views in the first schema of search_path; called by oms.create_store';
