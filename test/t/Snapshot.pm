# What must hold in every snapshot of a store that is being soaked (Soak.pm).
#
# A glance is one statement about stock, asked again and again.  A recount is one
# REPEATABLE READ transaction: the same, oms.verify_store, the log, and the facts
# that the account of what was acknowledged is compared with.  Both return rows
# (check, rule, what breaks it), or ('fact', what, value).
#
# What verify_store recounts, the glance recounts by queries of its own.

package Snapshot;

use strict;
use warnings;

# Snapshot->new
sub new
{
	my ($class) = @_;
	return bless {}, $class;
}

# stock: what there is, what the ledger says, what fulfillments and holds have
sub glance
{
	my ($self) = @_;
	return <<END;
WITH carried AS MATERIALIZED (
	SELECT f.id, l.sku, f.location, f.stock_state, f.shipped_at IS NOT NULL AS has_left, sum(l.quantity) AS quantity
	FROM shop.fulfillments f JOIN shop.fulfillment_lines l ON l.fulfillment_id = f.id WHERE l.tracked GROUP BY f.id, l.sku),
moved AS MATERIALIZED (
	SELECT *, CASE WHEN kind IN ('receipt', 'return', 'transfer_in', 'adjustment') THEN quantity
		WHEN kind IN ('issue', 'damage', 'transfer_out') THEN -quantity WHEN kind IN ('quarantine', 'unquarantine') THEN 0
		ELSE on_hand_change END AS does FROM shop.stock_movements),
wanted AS (
	SELECT sku, location, sum(quantity) AS reserved FROM
		(SELECT sku, location, quantity FROM carried WHERE stock_state = 'reserved' UNION ALL SELECT sku, location, quantity FROM shop.stock_holds) r GROUP BY 1, 2),
ledger AS (
	SELECT sku, location, sum(does) AS on_hand, sum(unavailable_change) AS unavailable FROM moved GROUP BY 1, 2),
handled AS (
	SELECT entity_id, sku, sum(quantity) FILTER (WHERE kind = 'issue') AS issued, sum(quantity) FILTER (WHERE kind = 'return') AS returned
	FROM moved WHERE entity = 'fulfillment' AND kind IN ('issue', 'return') GROUP BY 1, 2)
SELECT 'snapshot', rule, format('%s at %s: %s', sku, location, detail) FROM (
	SELECT 'reserved units are those of fulfillments and holds' AS rule, sku, location,
		format('%s reserved, %s wanted', s.reserved, w.reserved) AS detail
	FROM shop.stock s FULL JOIN wanted w USING (sku, location) WHERE coalesce(s.reserved, 0) <> coalesce(w.reserved, 0)
	UNION ALL
	SELECT 'no location has promised more than it has', sku, location, format('%s of %s, %s unavailable', reserved, on_hand, unavailable)
	FROM shop.stock WHERE NOT (0 <= reserved AND reserved <= on_hand - unavailable AND unavailable >= 0)
	UNION ALL
	SELECT 'units on hand are what the ledger says', sku, location, format('%s, %s; %s, %s', s.on_hand, s.unavailable, l.on_hand, l.unavailable)
	FROM shop.stock s FULL JOIN ledger l USING (sku, location)
	WHERE (coalesce(s.on_hand, 0), coalesce(s.unavailable, 0)) IS DISTINCT FROM (coalesce(l.on_hand, 0), coalesce(l.unavailable, 0))
	UNION ALL
	SELECT 'the ledger has issued and taken back each fulfillment once', coalesce(c.sku, h.sku), c.location,
		format('%s: %s carried, %s issued, %s returned', coalesce(c.id, h.entity_id), c.quantity, h.issued, h.returned)
	FROM carried c FULL JOIN handled h ON h.entity_id = c.id AND h.sku = c.sku
	WHERE CASE WHEN c.has_left THEN c.quantity ELSE 0 END <> coalesce(h.issued, 0)
		OR CASE WHEN c.has_left AND c.stock_state = 'released' THEN c.quantity ELSE 0 END <> coalesce(h.returned, 0) OR c.id IS NULL
	UNION ALL
	SELECT 'what a policy counts is what waits under it, within its limit', p.sku, p.policy,
		format('%s of %s, %s wait', p.backordered, p.limit_units, l.waiting)
	FROM shop.backorder_policies p LEFT JOIN (SELECT backorder_policy_id AS id, sum(backordered) AS waiting FROM shop.order_lines GROUP BY 1) l USING (id)
	WHERE p.backordered <> coalesce(l.waiting, 0) OR p.backordered > p.limit_units
	UNION ALL
	SELECT 'what is on its way has left, come and come back by the ledger', i.sku, i.location,
		format('%s: %s sent, %s received, %s returned', i.ref, i.sent, i.received, i.returned)
	FROM shop.inbound i LEFT JOIN (SELECT entity_id, sku, location, sum(does) AS does, sum(quantity) FILTER (WHERE kind = 'transfer_out') AS gone
		FROM moved WHERE entity = 'inbound' GROUP BY 1, 2, 3) t ON t.entity_id = i.id AND t.sku = i.sku AND t.location = i.location
		LEFT JOIN (SELECT entity_id, sku, location, sum(does) AS does, sum(quantity) FILTER (WHERE kind = 'transfer_out') AS gone
		FROM moved WHERE entity = 'inbound' GROUP BY 1, 2, 3) f ON f.entity_id = i.id AND f.sku = i.sku AND f.location = i.from_location
	WHERE i.received <> coalesce(t.does, 0) OR i.sent <> coalesce(f.gone, 0) OR i.sent - i.returned <> -coalesce(f.does, 0)
		OR i.sent > 0 AND i.returned + i.received > i.sent AND i.status = 'canceled'
	UNION ALL
	SELECT 'packed units are those of packages that are not voided', coalesce(f.number, p.fulfillment_id::text), f.location,
		format('%s: %s packed, %s in packages, of %s', l.sku, l.packed, p.units, l.quantity)
	FROM shop.fulfillment_lines l JOIN shop.fulfillments f ON f.id = l.fulfillment_id FULL JOIN (SELECT p.fulfillment_id, c.order_line_id, sum(c.quantity) AS units
		FROM shop.packages p JOIN shop.package_lines c ON c.package_id = p.id WHERE p.voided_at IS NULL GROUP BY 1, 2) p
		ON p.fulfillment_id = l.fulfillment_id AND p.order_line_id = l.order_line_id
	WHERE l.packed IS DISTINCT FROM coalesce(p.units, 0) OR l.packed > l.quantity
	UNION ALL
	SELECT 'what is taken of a day is what its fulfillments hold or have sent', day::text, location, format('%s, %s counted', l.units, f.units)
	FROM shop.location_loads l FULL JOIN (SELECT f.location, f.load_day AS day, sum(c.quantity) AS units FROM shop.fulfillments f
		JOIN shop.fulfillment_lines c ON c.fulfillment_id = f.id WHERE f.load_day IS NOT NULL AND (f.stock_state = 'reserved' OR f.shipped_at IS NOT NULL)
		GROUP BY 1, 2) f USING (location, day)
	WHERE coalesce(l.units, 0) <> coalesce(f.units, 0)
	UNION ALL
	SELECT 'no day is given more than it can do', l.day::text, l.location, format('%s of %s', l.units, p.daily_capacity)
	FROM shop.location_loads l JOIN shop.locations p ON p.code = l.location WHERE l.location IN ('E', 'F') AND l.units > p.daily_capacity
	UNION ALL
	SELECT 'kits are whole: components go with them', o.number, b.sku, format('%s of %s, %s canceled, %s a kit', l.sku, b.quantity, l.canceled, l.per_kit)
	FROM shop.order_lines b JOIN shop.orders o ON o.id = b.order_id JOIN shop.order_lines l ON l.parent_line_id = b.id AND l.per_kit IS NOT NULL
	WHERE l.quantity <> b.quantity * l.per_kit OR l.canceled + l.allocated + l.backordered + l.short + l.shipped <> l.quantity
	UNION ALL
	SELECT 'a feed does not undo a later one', sku, location, format('%s after %s', sequence, before)
	FROM (SELECT m.sku, m.location, d.sequence, lag(d.sequence) OVER (PARTITION BY m.sku, m.location ORDER BY m.id) AS before
		FROM shop.stock_movements m JOIN shop.stock_feeds d ON m.external_ref = 'feed:' || d.ref AND m.location = d.location WHERE m.kind = 'count') n
	WHERE before > sequence
	UNION ALL
	SELECT 'no order waits that may go on', o.number, o.status, format('%s held', o.open_holds) FROM shop.orders o
	WHERE o.open_holds = 0 AND o.status = 'placed'
		AND (NOT o.payment_required OR o.credit_approved OR o.authorized + o.captured >= o.total - o.credited)
	UNION ALL
	SELECT 'no fulfillment waits that may go on', f.number, f.status, f.location
	FROM shop.fulfillments f JOIN shop.orders o ON o.id = f.order_id
	WHERE f.status = 'open' AND o.confirmed_at IS NOT NULL AND o.open_holds = 0 AND o.units_short + o.units_backordered = 0
	) broken LIMIT 5
END
}

sub recount
{
	my ($self) = @_;
	return 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ' . $self->glance . <<'END' . ';' . facts() . '; COMMIT';
;
SELECT 'verify_store', rule, violations::text FROM oms.verify_store('shop') WHERE violations > 0;
SELECT 'availability', 'what is told of a SKU is what its stock rows, holds and policies say', format('%s: %s on hand, %s reserved, %s available, %s backorderable',
	a.sku, a.on_hand, a.reserved, a.available, a.backorderable)
FROM shop.availability a JOIN shop.skus k ON k.code = a.sku AND k.kind = 'physical'
	LEFT JOIN (SELECT sku, sum(on_hand) AS on_hand, sum(reserved) AS reserved, sum(on_hand - unavailable - reserved) AS free FROM shop.stock GROUP BY 1) s USING (sku)
	LEFT JOIN (SELECT sku, sum(quantity) AS units FROM shop.stock_holds WHERE expires_at <= clock_timestamp() + interval '10 s' GROUP BY 1) h USING (sku)
	LEFT JOIN (SELECT DISTINCT ON (sku) sku, limit_units - backordered AS units FROM shop.backorder_policies
		WHERE valid_from <= now() AND (valid_until IS NULL OR valid_until > now()) ORDER BY sku, valid_from DESC) p USING (sku)
WHERE (a.on_hand, a.reserved) IS DISTINCT FROM (coalesce(s.on_hand, 0), coalesce(s.reserved, 0)) OR a.available > coalesce(s.free, 0) + coalesce(h.units, 0)
	OR p.sku IS NOT NULL AND a.backorderable IS DISTINCT FROM p.units OR p.sku IS NULL AND a.backorderable <> 0 LIMIT 5;
SELECT 'log', 'each move begins where the one before ended', format('%s %s: from %s to %s after %s', entity, entity_id, from_status, to_status, before)
FROM (SELECT *, lag(to_status) OVER (PARTITION BY entity_id ORDER BY id) AS before, row_number() OVER (PARTITION BY entity_id ORDER BY id) AS place
	FROM shop.order_events WHERE event IN ('created', 'moved')) e
WHERE (event = 'created') <> (place = 1) OR event = 'moved' AND from_status IS DISTINCT FROM before LIMIT 5;
SELECT 'log', 'units that are canceled are logged once', format('%s: %s, %s in the log', l.id, l.canceled, e.canceled)
FROM shop.order_lines l LEFT JOIN (SELECT entity_id, sum((detail ->> 'quantity')::bigint) AS canceled FROM shop.order_events
	WHERE event = 'canceled_units' GROUP BY 1) e ON e.entity_id = l.id WHERE l.canceled <> coalesce(e.canceled, 0) LIMIT 5;
SELECT 'log', 'a fulfillment without lines was emptied, once, and holds nothing', format('%s: %s, %s, %s times', f.number, f.status, f.stock_state, e.times)
FROM shop.fulfillments f LEFT JOIN (SELECT entity_id, count(*) AS times FROM shop.order_events WHERE event = 'emptied' GROUP BY 1) e ON e.entity_id = f.id
WHERE EXISTS (SELECT FROM shop.fulfillment_lines l WHERE l.fulfillment_id = f.id) <> (e.times IS NULL) OR e.times > 1 OR e.times = 1 AND f.stock_state <> 'released' LIMIT 5;
SELECT 'packages', 'a package is where the last of its events says', format('%s: %s, %s', p.tracking_number, p.status, e.codes)
FROM shop.packages p LEFT JOIN (SELECT package_id, array_agg(code ORDER BY at DESC, array_position('{in_transit,exception,out_for_delivery,attempted,lost,delivered,returned}', code) DESC, id DESC) AS codes FROM shop.carrier_events GROUP BY 1) e ON e.package_id = p.id
WHERE p.status <> coalesce(e.codes[1], 'packed') OR (p.delivered_at IS NULL) = ('delivered' = ANY (coalesce(e.codes, '{}'))) LIMIT 5;
SELECT 'log', 'each transaction of a payment is logged once', detail ->> 'transaction' FROM shop.order_events
WHERE event = 'payment' GROUP BY 3 HAVING count(*) > 1 LIMIT 5;
SELECT 'account', 'each transaction of a payment is known by a reference', id::text FROM shop.payment_transactions WHERE gateway_ref IS NULL LIMIT 5;
SELECT 'credit', 'no customer owes more than is allowed', c.code || ' ' || sum(greatest(o.total - o.credited - o.captured, 0))
FROM shop.customers c JOIN shop.orders o ON o.customer_id = c.id WHERE o.credit_approved AND o.closed_at IS NULL
AND NOT EXISTS (SELECT FROM shop.order_holds h WHERE h.order_id = o.id AND h.kind = 'credit')
GROUP BY c.id HAVING sum(greatest(o.total - o.credited - o.captured, 0)) > c.credit_limit
END
}

# facts: what is there of what was sent
sub facts
{
	return <<'END';
SELECT 'fact', 'order ' || o.external_ref, (SELECT string_agg(l.sku || ':' || l.quantity, ' ' ORDER BY l.sku) FROM shop.order_lines l
	WHERE l.order_id = o.id AND l.parent_line_id IS NULL) FROM shop.orders o WHERE o.external_ref IS NOT NULL
UNION ALL SELECT 'fact', concat_ws(' ', 'movement', external_ref, kind, sku, location), quantity::text FROM shop.stock_movements WHERE external_ref IS NOT NULL
UNION ALL SELECT 'fact', 'feed ' || ref, location FROM shop.stock_feeds
UNION ALL SELECT 'fact', concat_ws(' ', 'inbound', ref, sku, location), quantity::text FROM shop.inbound
UNION ALL SELECT 'fact', 'package ' || tracking_number, carrier FROM shop.packages p WHERE EXISTS (SELECT FROM shop.package_lines l WHERE l.package_id = p.id)
UNION ALL SELECT 'fact', 'told ' || external_ref, tracking_number || ' ' || code FROM shop.carrier_events
UNION ALL SELECT 'fact', concat_ws(' ', 'transaction', kind, outcome, gateway_ref), trim_scale(amount)::text FROM shop.payment_transactions
	WHERE gateway_ref LIKE 'g%'
UNION ALL SELECT 'fact', concat_ws(' ', 'moved', entity_id, to_status), '1' FROM shop.order_events
	WHERE event = 'moved' AND to_status IN ('shipped', 'canceled', 'rejected', 'returned_to_sender')
END
}

1;
