-- What analysts read: plain types, one view a question.

CREATE FUNCTION oms.layout_views() RETURNS void
LANGUAGE plpgsql
AS $layout$
BEGIN
	CREATE VIEW order_summary WITH (security_invoker = true) AS
	SELECT o.id::text AS order_id, o.number, o.channel, o.external_ref, c.name AS customer_name, o.status,
		o.payment_status, o.fulfillment_status, o.return_status, o.currency::text AS currency, o.total, o.credited,
		o.total - o.credited AS due, o.units, o.ordered_at, o.placed_at, o.closed_at
	FROM orders o LEFT JOIN customers c ON c.id = o.customer_id;
	COMMENT ON VIEW order_summary IS 'One row an order; basis: the order, as it is now';
	COMMENT ON COLUMN order_summary.order_id IS 'orders.id';
	COMMENT ON COLUMN order_summary.number IS 'What people call the order';
	COMMENT ON COLUMN order_summary.channel IS 'Code of the channel it comes from';
	COMMENT ON COLUMN order_summary.external_ref IS 'What the channel calls it';
	COMMENT ON COLUMN order_summary.customer_name IS 'The customer''s name as it is now; NULL: a guest, or a customer without one';
	COMMENT ON COLUMN order_summary.status IS 'State in its workflow';
	COMMENT ON COLUMN order_summary.payment_status IS 'How far the money has come, see orders';
	COMMENT ON COLUMN order_summary.fulfillment_status IS 'How far the goods have come, see orders';
	COMMENT ON COLUMN order_summary.return_status IS 'How much of what left came back, see orders';
	COMMENT ON COLUMN order_summary.currency IS 'ISO 4217 code of total, credited and due';
	COMMENT ON COLUMN order_summary.total IS 'Money: lines and charges as ordered, with all tax; do not add up over currencies';
	COMMENT ON COLUMN order_summary.credited IS 'Money of total that is not owed any more, such as for canceled units';
	COMMENT ON COLUMN order_summary.due IS 'Money that the order costs in the end: total - credited, whether paid or not';
	COMMENT ON COLUMN order_summary.units IS 'Units ordered, canceled ones included';
	COMMENT ON COLUMN order_summary.ordered_at IS 'When the customer ordered';
	COMMENT ON COLUMN order_summary.placed_at IS 'When stock was taken; NULL: never, a draft';
	COMMENT ON COLUMN order_summary.closed_at IS 'When it entered the final state that it is in; NULL: it is open';

	CREATE VIEW order_line_facts WITH (security_invoker = true) AS
	SELECT l.id::text AS order_line_id, o.id::text AS order_id, o.number AS order_number, o.channel, (o.ordered_at AT TIME ZONE 'UTC')::date AS order_date, l.line_no::bigint AS line_no,
		l.sku, s.name AS sku_name, coalesce(l.method, s.default_method, c.default_method) AS method, l.quantity,
		l.canceled, l.allocated, l.backordered, l.short, l.shipped, l.delivered, l.returned, l.unit_price,
		l.quantity * l.unit_price - l.discount - CASE WHEN o.tax_included THEN l.tax ELSE 0 END AS net_amount, l.tax,
		o.currency::text AS currency, (SELECT b.sku FROM order_lines b WHERE b.id = l.parent_line_id AND l.per_kit IS NOT NULL) AS bundle,
		CASE WHEN l.backordered > 0 THEN p.expected_at END AS expected_at, coalesce(l.requested_at, o.requested_at) AS requested_at
	FROM order_lines l JOIN orders o ON o.id = l.order_id JOIN skus s ON s.code = l.sku
		JOIN channels c ON c.code = o.channel LEFT JOIN backorder_policies p ON p.id = l.backorder_policy_id
	WHERE NOT l.expanded;
	COMMENT ON VIEW order_line_facts IS 'One row an order line; basis: the order date. Of bundles in placed orders the components, which carry the units and the money; see bundle_lines for what the customer ordered';
	COMMENT ON COLUMN order_line_facts.order_line_id IS 'order_lines.id';
	COMMENT ON COLUMN order_line_facts.order_id IS 'orders.id';
	COMMENT ON COLUMN order_line_facts.order_number IS 'What people call the order';
	COMMENT ON COLUMN order_line_facts.channel IS 'Code of the channel that the order comes from';
	COMMENT ON COLUMN order_line_facts.order_date IS 'Day of orders.ordered_at in UTC';
	COMMENT ON COLUMN order_line_facts.line_no IS 'The line''s number in its order';
	COMMENT ON COLUMN order_line_facts.sku IS 'Code of what was ordered';
	COMMENT ON COLUMN order_line_facts.sku_name IS 'Its name as it is now';
	COMMENT ON COLUMN order_line_facts.method IS 'How the line goes: its own method, else what SKU and channel say now, which may not be what they said when it was placed';
	COMMENT ON COLUMN order_line_facts.quantity IS 'Units ordered, canceled ones included; drafts'' units too, which no counter counts';
	COMMENT ON COLUMN order_line_facts.canceled IS 'Units of quantity that will not be sent';
	COMMENT ON COLUMN order_line_facts.allocated IS 'Units of quantity that fulfillments hold now';
	COMMENT ON COLUMN order_line_facts.backordered IS 'Units of quantity sold for later, now';
	COMMENT ON COLUMN order_line_facts.short IS 'Units of quantity owed without stock now';
	COMMENT ON COLUMN order_line_facts.shipped IS 'Units of quantity that have left, returned ones included';
	COMMENT ON COLUMN order_line_facts.delivered IS 'Units of shipped that the customer has had';
	COMMENT ON COLUMN order_line_facts.returned IS 'Units of shipped that came back';
	COMMENT ON COLUMN order_line_facts.unit_price IS 'Money for one unit, before discount; with tax where the order''s prices include it';
	COMMENT ON COLUMN order_line_facts.net_amount IS 'Money for quantity, canceled units included: quantity x unit_price - discount, without tax';
	COMMENT ON COLUMN order_line_facts.tax IS 'Money, the tax on net_amount';
	COMMENT ON COLUMN order_line_facts.currency IS 'ISO 4217 code of unit_price, net_amount and tax';
	COMMENT ON COLUMN order_line_facts.bundle IS 'Code of the bundle that it was sold in, whose price it carries a part of; NULL: it was sold by itself';
	COMMENT ON COLUMN order_line_facts.expected_at IS 'When the policy of its backordered units says now that they come; NULL: none wait, or nobody knows';
	COMMENT ON COLUMN order_line_facts.requested_at IS 'When the customer wanted it, at the earliest, as ordered: the line''s time, else the order''s; NULL: as soon as may be';

	CREATE VIEW fulfillment_facts WITH (security_invoker = true) AS
	SELECT f.id::text AS fulfillment_id, f.number, o.number AS order_number, f.location, f.pickup_location, f.method,
		coalesce(f.carrier, (SELECT min(p.carrier) FROM packages p WHERE p.fulfillment_id = f.id AND p.voided_at IS NULL)) AS carrier, f.status,
		coalesce((SELECT sum(l.quantity) FROM fulfillment_lines l WHERE l.fulfillment_id = f.id), 0)::bigint AS units,
		(SELECT count(*) FROM packages p WHERE p.fulfillment_id = f.id AND p.voided_at IS NULL) AS packages,
		f.created_at, f.requested_at, f.promised_at, f.shipped_at, f.delivered_at,
		round(extract(epoch FROM f.shipped_at - f.created_at) / 3600, 2) AS hours_open_to_shipped,
		round(extract(epoch FROM f.delivered_at - f.shipped_at) / 3600, 2) AS hours_shipped_to_delivered,
		round(extract(epoch FROM f.delivered_at - f.promised_at) / 3600, 2) AS hours_late
	FROM fulfillments f JOIN orders o ON o.id = f.order_id;
	COMMENT ON VIEW fulfillment_facts IS 'One row a fulfillment; basis: the fulfillment, as it is now';
	COMMENT ON COLUMN fulfillment_facts.fulfillment_id IS 'fulfillments.id';
	COMMENT ON COLUMN fulfillment_facts.number IS 'What people call the fulfillment';
	COMMENT ON COLUMN fulfillment_facts.order_number IS 'What people call its order';
	COMMENT ON COLUMN fulfillment_facts.location IS 'Code of where its units leave';
	COMMENT ON COLUMN fulfillment_facts.pickup_location IS 'Code of where the customer collects it; NULL: it is not collected';
	COMMENT ON COLUMN fulfillment_facts.method IS 'Code of how it goes';
	COMMENT ON COLUMN fulfillment_facts.carrier IS 'Who transports it: fulfillments.carrier, else that of its packages which are not voided, the first by name; NULL: nobody says';
	COMMENT ON COLUMN fulfillment_facts.status IS 'State in its workflow';
	COMMENT ON COLUMN fulfillment_facts.units IS 'Units that it carries, or carried before they were canceled, rerouted or came back: do not add up over statuses; 0: they have gone into others';
	COMMENT ON COLUMN fulfillment_facts.packages IS 'Packages that it leaves in, without voided ones';
	COMMENT ON COLUMN fulfillment_facts.created_at IS 'When it was made, by placing, rerouting or going another way; one divided off keeps that of the one it comes from';
	COMMENT ON COLUMN fulfillment_facts.requested_at IS 'When the customer wants it, at the earliest; NULL: as soon as may be';
	COMMENT ON COLUMN fulfillment_facts.promised_at IS 'When the customer may expect it';
	COMMENT ON COLUMN fulfillment_facts.shipped_at IS 'When its goods left; NULL: they have not';
	COMMENT ON COLUMN fulfillment_facts.delivered_at IS 'When the customer had it; NULL: not yet';
	COMMENT ON COLUMN fulfillment_facts.hours_open_to_shipped IS 'Hours from created_at to shipped_at, to 2 decimals; NULL: not shipped';
	COMMENT ON COLUMN fulfillment_facts.hours_shipped_to_delivered IS 'Hours from shipped_at to delivered_at, to 2 decimals; NULL: not delivered';
	COMMENT ON COLUMN fulfillment_facts.hours_late IS 'Hours from promised_at to delivered_at, to 2 decimals: less than 0 where it came early; NULL: not delivered, or nothing was promised';

	CREATE VIEW stock_position WITH (security_invoker = true) AS
	SELECT s.sku, s.location, s.on_hand, s.unavailable, s.reserved, s.safety_stock,
		coalesce((SELECT sum(h.quantity) FROM stock_holds h WHERE h.sku = s.sku AND h.location = s.location), 0)::bigint AS held,
		s.available
	FROM stock s;
	COMMENT ON VIEW stock_position IS 'One row a SKU and location; basis: units, now';
	COMMENT ON COLUMN stock_position.sku IS 'Code of what is counted';
	COMMENT ON COLUMN stock_position.location IS 'Code of where it is';
	COMMENT ON COLUMN stock_position.on_hand IS 'Units that are there, sold or not';
	COMMENT ON COLUMN stock_position.unavailable IS 'Units of on_hand that cannot be sold';
	COMMENT ON COLUMN stock_position.reserved IS 'Units of on_hand that fulfillments hold, or stock holds: held is part of it';
	COMMENT ON COLUMN stock_position.safety_stock IS 'Units that orders must leave alone';
	COMMENT ON COLUMN stock_position.held IS 'Units of reserved that stock_holds sets aside before there is an order; expired ones count until whoever needs them, or oms.tick, takes them back';
	COMMENT ON COLUMN stock_position.available IS 'Units that orders can take: on_hand - unavailable - reserved - safety_stock; less than 0 where safety_stock exceeds what is left';

	CREATE VIEW order_timeline WITH (security_invoker = true) AS
	SELECT o.number AS order_number, e.at, e.entity, coalesce(f.number, o.number) AS number, e.event, e.from_status,
		e.to_status, e.actor, e.reason, e.id AS position
	FROM order_events e JOIN orders o ON o.id = e.order_id LEFT JOIN fulfillments f ON f.id = e.entity_id;
	COMMENT ON VIEW order_timeline IS 'What happened to orders, one row an event; sort by position; basis: the event''s time';
	COMMENT ON COLUMN order_timeline.order_number IS 'What people call the order; deleted drafts are not listed';
	COMMENT ON COLUMN order_timeline.at IS 'When it happened, by the clock';
	COMMENT ON COLUMN order_timeline.entity IS 'What it happened to: order, order_line, fulfillment or payment';
	COMMENT ON COLUMN order_timeline.number IS 'The fulfillment''s number, else the order''s';
	COMMENT ON COLUMN order_timeline.event IS 'What happened, see order_events.event';
	COMMENT ON COLUMN order_timeline.from_status IS 'What status was before, of moved';
	COMMENT ON COLUMN order_timeline.to_status IS 'What status was after, of created and moved';
	COMMENT ON COLUMN order_timeline.actor IS 'Who did it';
	COMMENT ON COLUMN order_timeline.reason IS 'Code of a reason, or the kind of hold, see order_events.reason';
	COMMENT ON COLUMN order_timeline.position IS 'order_events.id: sorts events of one order as they happened';
END
$layout$;
COMMENT ON FUNCTION oms.layout_views() IS 'Creates the store''s views in the first schema of search_path; called by oms.create_store';
