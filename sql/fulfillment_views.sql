-- What those read who run locations: how well each does, and what waits there.

CREATE FUNCTION oms.layout_fulfillment_views() RETURNS void
LANGUAGE plpgsql
AS $layout$
BEGIN
	CREATE VIEW fulfillment_performance WITH (security_invoker = true) AS
	WITH spread AS (
		SELECT f.order_id FROM fulfillments f WHERE f.shipped_at IS NOT NULL GROUP BY f.order_id HAVING min(f.location) <> max(f.location)
	), ways AS (
		SELECT f.order_id, f.method, f.pickup_location, f.ship_to_id, f.requested_at, count(DISTINCT f.location) AS locations, count(*) AS shipped
		FROM spread JOIN fulfillments f ON f.order_id = spread.order_id WHERE f.shipped_at IS NOT NULL
		GROUP BY f.order_id, f.method, f.pickup_location, f.ship_to_id, f.requested_at
	), orders_spread AS (
		SELECT w.order_id, greatest(least(sum(w.locations) - o.fewest_shipments, sum(w.locations - 1)), 0)
			/ nullif(sum(w.shipped) FILTER (WHERE w.locations > 1), 0) AS avoidable
		FROM ways w JOIN orders o ON o.id = w.order_id
		WHERE o.fewest_shipments IS NOT NULL	-- least passes over NULL
		GROUP BY w.order_id, o.fewest_shipments
	), rejected AS (
		-- divided off by the transaction that rejected it; no EXISTS, which could read the whole log
		SELECT f.id, coalesce((SELECT true FROM order_events c JOIN order_events m ON m.order_id = c.order_id AND m.entity_id = c.entity_id AND m.xid = c.xid
			WHERE c.order_id = f.order_id AND c.entity_id = f.id AND c.event = 'created' AND c.detail ? 'split_from'
				AND m.event = 'moved' AND m.to_status = f.status LIMIT 1), false) AS is_short_pick
		FROM fulfillments f WHERE f.rerouted AND NOT f.gave_way
	), facts AS (
		SELECT f.location, f.method, coalesce(f.carrier, p.carrier) AS carrier, l.units, f.shipped_at, f.delivered_at, f.promised_at,
			date_part('epoch', f.shipped_at - f.created_at) / 3600 AS hours_to_ship,
			date_part('epoch', f.delivered_at - f.shipped_at) / 3600 AS hours_to_deliver,
			f.promised_at < now() AND f.delivered_at IS NULL AND f.closed_at IS NULL AND f.stock_state IN ('reserved', 'issued') AS is_overdue,
			r.is_short_pick, w.order_id IS NOT NULL AS is_split, s.avoidable
		FROM fulfillments f
			LEFT JOIN (SELECT fulfillment_id, sum(quantity)::bigint AS units FROM fulfillment_lines GROUP BY fulfillment_id) l ON l.fulfillment_id = f.id
			LEFT JOIN (SELECT fulfillment_id, min(carrier) AS carrier FROM packages WHERE voided_at IS NULL GROUP BY fulfillment_id) p ON p.fulfillment_id = f.id
			LEFT JOIN rejected r ON r.id = f.id
			LEFT JOIN ways w ON w.order_id = f.order_id AND f.shipped_at IS NOT NULL AND w.locations > 1 AND w.method = f.method
				AND w.pickup_location IS NOT DISTINCT FROM f.pickup_location AND w.ship_to_id IS NOT DISTINCT FROM f.ship_to_id
				AND w.requested_at IS NOT DISTINCT FROM f.requested_at
			LEFT JOIN orders_spread s ON s.order_id = w.order_id
		WHERE l.units IS NOT NULL OR f.stock_state <> 'released'
	), counted AS (
		SELECT location, method, carrier, count(*) AS fulfillments, coalesce(sum(units), 0)::bigint AS units, count(shipped_at) AS shipped,
			count(delivered_at) AS delivered,
			percentile_cont(ARRAY[0.5::double precision, 0.9::double precision]) WITHIN GROUP (ORDER BY hours_to_ship) AS hours_to_ship,
			percentile_cont(ARRAY[0.5::double precision, 0.9::double precision]) WITHIN GROUP (ORDER BY hours_to_deliver) AS hours_to_deliver,
			count(*) FILTER (WHERE delivered_at IS NOT NULL AND promised_at IS NOT NULL) AS promised,
			count(*) FILTER (WHERE delivered_at <= promised_at) AS on_time, count(*) FILTER (WHERE is_overdue) AS overdue,
			count(*) FILTER (WHERE is_short_pick) AS short_picks, count(*) FILTER (WHERE NOT is_short_pick) AS rejects,
			count(*) FILTER (WHERE is_split) AS splits, count(*) FILTER (WHERE is_split AND avoidable IS NULL) AS unknown,
			coalesce(sum(avoidable), 0) AS avoidable
		FROM facts GROUP BY location, method, carrier
	)
	SELECT location, method, carrier, fulfillments, units, shipped, delivered,
		round(hours_to_ship[1]::numeric, 2) AS median_hours_to_ship, round(hours_to_ship[2]::numeric, 2) AS p90_hours_to_ship,
		round(hours_to_deliver[1]::numeric, 2) AS median_hours_to_deliver, round(hours_to_deliver[2]::numeric, 2) AS p90_hours_to_deliver,
		promised, on_time, overdue, round(on_time::numeric / nullif(promised + overdue, 0), 4) AS on_time_rate,
		short_picks, rejects, round(rejects::numeric / fulfillments, 4) AS reject_rate,
		splits, round(splits::numeric / nullif(shipped, 0), 4) AS split_rate,
		round(avoidable, 2) AS avoidable_splits, round(avoidable / nullif(shipped - unknown, 0), 4) AS avoidable_split_rate
	FROM counted;
	COMMENT ON VIEW fulfillment_performance IS 'One row a location, method and carrier; basis: all fulfillments, as they are now. Rates are from 0 to 1. Counts add up over rows, rates and hours do not';
	COMMENT ON COLUMN fulfillment_performance.location IS 'Code of where the units leave';
	COMMENT ON COLUMN fulfillment_performance.method IS 'Code of how they go';
	COMMENT ON COLUMN fulfillment_performance.carrier IS 'Who transports them: fulfillments.carrier, else that of its packages which are not voided, the first by name; NULL: nobody says, as of most that were rejected';
	COMMENT ON COLUMN fulfillment_performance.fulfillments IS 'Fulfillments, whatever became of them, also canceled and rejected ones and what was divided off; without those that gave all their units to others';
	COMMENT ON COLUMN fulfillment_performance.units IS 'Units that these carry, or carried before they were canceled, rerouted or came back';
	COMMENT ON COLUMN fulfillment_performance.shipped IS 'Fulfillments whose goods left, also those that came back';
	COMMENT ON COLUMN fulfillment_performance.delivered IS 'Of shipped, those that the customer had';
	COMMENT ON COLUMN fulfillment_performance.median_hours_to_ship IS 'Hours from created_at to shipped_at of shipped: half of them took no longer; NULL: none shipped';
	COMMENT ON COLUMN fulfillment_performance.p90_hours_to_ship IS 'The same hours: nine in ten took no longer';
	COMMENT ON COLUMN fulfillment_performance.median_hours_to_deliver IS 'Hours from shipped_at to delivered_at of delivered: half of them took no longer; NULL: none delivered';
	COMMENT ON COLUMN fulfillment_performance.p90_hours_to_deliver IS 'The same hours: nine in ten took no longer';
	COMMENT ON COLUMN fulfillment_performance.promised IS 'Of delivered, those with promised_at';
	COMMENT ON COLUMN fulfillment_performance.on_time IS 'Of promised, those delivered at promised_at or before';
	COMMENT ON COLUMN fulfillment_performance.overdue IS 'Fulfillments that are late already: promised_at has passed, they are neither delivered nor in a final state, and their units were not given back';
	COMMENT ON COLUMN fulfillment_performance.on_time_rate IS 'on_time / (promised + overdue), to 4 decimals; NULL: there are none';
	COMMENT ON COLUMN fulfillment_performance.short_picks IS 'Fulfillments that oms.short_pick divided off, since the picker did not find their units, and rejected: parts that one transaction divided off and rejected. Where nothing was found, it is a reject';
	COMMENT ON COLUMN fulfillment_performance.rejects IS 'Other fulfillments whose units were rerouted since the location, or its partner, would not do it; without those that gave way to a movement of stock';
	COMMENT ON COLUMN fulfillment_performance.reject_rate IS 'rejects / fulfillments, to 4 decimals';
	COMMENT ON COLUMN fulfillment_performance.splits IS 'Of shipped, those whose order shipped from another location too, in the same way: method, pickup location, address, requested time';
	COMMENT ON COLUMN fulfillment_performance.split_rate IS 'splits / shipped, to 4 decimals; NULL: none shipped';
	COMMENT ON COLUMN fulfillment_performance.avoidable_splits IS 'Shipments beyond orders.fewest_shipments, which stock did not ask for but costs, rules, rejects or days that were full: of each order spread evenly over its splits, to 2 decimals';
	COMMENT ON COLUMN fulfillment_performance.avoidable_split_rate IS 'avoidable_splits / shipped, without splits of orders that have no fewest_shipments (history), to 4 decimals; NULL: there are none';

	CREATE VIEW backlog WITH (security_invoker = true) AS
	WITH waiting AS (
		SELECT f.order_id, f.id AS fulfillment_id, f.location, f.method, f.created_at AS since, l.time_zone, f.promised_at, f.requested_at,
			(SELECT sum(u.quantity) FROM fulfillment_lines u WHERE u.fulfillment_id = f.id) AS units
		FROM fulfillments f JOIN locations l ON l.code = f.location WHERE f.stock_state = 'reserved'
		UNION ALL
		SELECT w.order_id, NULL::uuid AS fulfillment_id, NULL::text AS location, coalesce(w.method, s.default_method, c.default_method) AS method,
			o.placed_at AS since, NULL::text AS time_zone, NULL::timestamptz AS promised_at, coalesce(w.requested_at, o.requested_at) AS requested_at,
			w.backordered + w.short AS units
		FROM order_lines w JOIN orders o ON o.id = w.order_id JOIN skus s ON s.code = w.sku JOIN channels c ON c.code = o.channel
		WHERE w.backordered + w.short > 0
	), aged AS (
		SELECT w.*, CASE WHEN age < interval '4 hours' THEN 1 WHEN age < interval '24 hours' THEN 2 WHEN age < interval '72 hours' THEN 3 ELSE 4 END AS age_rank
		FROM waiting w CROSS JOIN LATERAL (SELECT now() - w.since AS age) a
	), counted AS (
		SELECT location, method, age_rank, count(fulfillment_id) AS fulfillments, count(DISTINCT order_id) AS orders,
			coalesce(sum(units), 0)::bigint AS units, min(since) AS oldest_at,
			count(fulfillment_id) FILTER (WHERE promised_at < now()) AS overdue,
			count(fulfillment_id) FILTER (WHERE promised_at >= now()
				AND (promised_at AT TIME ZONE time_zone)::date = (now() AT TIME ZONE time_zone)::date) AS due_today,
			count(*) FILTER (WHERE requested_at > now()) AS scheduled
		FROM aged GROUP BY location, method, age_rank
	)
	SELECT c.location, c.method, (ARRAY['0-4 h', '4-24 h', '1-3 d', 'over 3 d'])[c.age_rank] AS age, c.age_rank::bigint AS age_rank, c.fulfillments, c.orders,
		c.units, c.oldest_at, c.overdue, c.due_today, c.scheduled,
		CASE WHEN l.daily_capacity IS NOT NULL THEN coalesce(d.units, 0) END AS load_today, l.daily_capacity,
		round(coalesce(d.units, 0)::numeric / nullif(l.daily_capacity, 0), 4) AS load_share
	FROM counted c LEFT JOIN locations l ON l.code = c.location
		LEFT JOIN location_loads d ON d.location = l.code AND d.day = (now() AT TIME ZONE l.time_zone)::date;
	COMMENT ON VIEW backlog IS 'What waits to leave, one row a location, method and age; basis: now. Rows without location are units that wait for stock, short and backordered ones';
	COMMENT ON COLUMN backlog.location IS 'Code of where the units are, reserved in a fulfillment that has not left; NULL: there is no stock for them yet';
	COMMENT ON COLUMN backlog.method IS 'Code of how they go; of what waits for stock NULL where neither line, SKU nor channel says';
	COMMENT ON COLUMN backlog.age IS 'How long ago the fulfillment was made, or the order placed whose units wait for stock: 0-4 h, 4-24 h, 1-3 d, over 3 d, each from its lower bound until before its upper one; a day is 24 hours';
	COMMENT ON COLUMN backlog.age_rank IS 'Sorts age: 1 the youngest, 4 the oldest';
	COMMENT ON COLUMN backlog.fulfillments IS 'Fulfillments that wait; 0 where location is NULL';
	COMMENT ON COLUMN backlog.orders IS 'Orders that these are of; one that waits in several rows is in each: do not add up';
	COMMENT ON COLUMN backlog.units IS 'Units that wait';
	COMMENT ON COLUMN backlog.oldest_at IS 'When the oldest of them was made, or its order placed';
	COMMENT ON COLUMN backlog.overdue IS 'Fulfillments whose promised_at has passed';
	COMMENT ON COLUMN backlog.due_today IS 'Fulfillments whose promised_at is still to come and on this day, in the location''s time_zone';
	COMMENT ON COLUMN backlog.scheduled IS 'Fulfillments, where location is NULL order lines, that are wanted later: requested_at is still to come';
	COMMENT ON COLUMN backlog.load_today IS 'Units of this day that the location was given, in its time_zone, sent ones included (location_loads); the same in each of its rows: do not add up; NULL: it has no daily_capacity';
	COMMENT ON COLUMN backlog.daily_capacity IS 'Units that can leave the location in a day, the same in each of its rows; NULL: no limit';
	COMMENT ON COLUMN backlog.load_share IS 'load_today / daily_capacity, to 4 decimals; more than 1 where the capacity was lowered; NULL: no limit, or 0';

	CREATE VIEW package_facts WITH (security_invoker = true) AS
	SELECT p.id::text AS package_id, o.number AS order_number, f.number AS fulfillment_number, f.location, f.method,
		coalesce(p.carrier, f.carrier) AS carrier, p.tracking_number, p.status, e.description AS last_event, p.last_event_at,
		(SELECT sum(l.quantity) FROM package_lines l WHERE l.package_id = p.id)::bigint AS units, p.weight_grams,
		p.created_at AS packed_at, p.shipped_at, p.delivered_at, f.promised_at,
		round(extract(epoch FROM p.delivered_at - p.shipped_at) / 3600, 2) AS hours_in_transit,
		round(extract(epoch FROM p.delivered_at - f.promised_at) / 3600, 2) AS hours_late,
		coalesce(f.promised_at < now() AND p.delivered_at IS NULL AND f.delivered_at IS NULL AND f.closed_at IS NULL
			AND f.stock_state IN ('reserved', 'issued'), false) AS overdue
	FROM packages p JOIN fulfillments f ON f.id = p.fulfillment_id JOIN orders o ON o.id = f.order_id
		LEFT JOIN carrier_events e ON e.id = p.last_event_id AND e.package_id = p.id
	WHERE p.voided_at IS NULL;
	COMMENT ON VIEW package_facts IS 'One row a package that is not voided; basis: the package, as its carrier tells, now';
	COMMENT ON COLUMN package_facts.package_id IS 'packages.id';
	COMMENT ON COLUMN package_facts.order_number IS 'What people call the order; it may have several packages';
	COMMENT ON COLUMN package_facts.fulfillment_number IS 'What people call the fulfillment that leaves in it, perhaps in others too';
	COMMENT ON COLUMN package_facts.location IS 'Code of where it leaves';
	COMMENT ON COLUMN package_facts.method IS 'Code of how it goes';
	COMMENT ON COLUMN package_facts.carrier IS 'Who transports it: packages.carrier, else fulfillments.carrier; NULL: nobody says';
	COMMENT ON COLUMN package_facts.tracking_number IS 'What the carrier calls it; NULL: it has no label yet';
	COMMENT ON COLUMN package_facts.status IS 'What the carrier told last: in_transit, out_for_delivery, attempted, exception, lost, returned, delivered; packed: nothing yet';
	COMMENT ON COLUMN package_facts.last_event IS 'That in the carrier''s words; NULL: there are none';
	COMMENT ON COLUMN package_facts.last_event_at IS 'When that happened, as the carrier says; NULL: nothing yet';
	COMMENT ON COLUMN package_facts.units IS 'Units in it; NULL: nobody says what it holds';
	COMMENT ON COLUMN package_facts.weight_grams IS 'What it weighs, in grams; NULL: nobody says';
	COMMENT ON COLUMN package_facts.packed_at IS 'When it was packed';
	COMMENT ON COLUMN package_facts.shipped_at IS 'When the carrier first told of it; NULL: not yet';
	COMMENT ON COLUMN package_facts.delivered_at IS 'When it was first delivered, as the carrier says; NULL: not yet';
	COMMENT ON COLUMN package_facts.promised_at IS 'When the customer may expect its fulfillment; NULL: nobody has promised';
	COMMENT ON COLUMN package_facts.hours_in_transit IS 'Hours from shipped_at to delivered_at, to 2 decimals; NULL: not delivered';
	COMMENT ON COLUMN package_facts.hours_late IS 'Hours from promised_at to delivered_at, to 2 decimals: less than 0 where it came early; NULL: not delivered, or nothing was promised';
	COMMENT ON COLUMN package_facts.overdue IS 'Whether it is late already: promised_at has passed, neither it nor its fulfillment is delivered, and that is not in a final state, nor were its units given back';
END
$layout$;
COMMENT ON FUNCTION oms.layout_fulfillment_views() IS 'Creates the views of how locations do in the first schema of search_path; called by oms.create_store';
