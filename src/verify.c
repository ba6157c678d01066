/*
 * verify.c
 *	  oms.verify_store: recounting everything from its source.
 *
 * A rule is a query that returns what breaks it, and of a counter what it must
 * be, which repair.c writes.  Whoever adds a counter or
 * anything else that is derived adds its rule here.  All rules are counted in
 * the caller's snapshot and with the caller's rights.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "carrier.h"
#include "loads.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"
#include "store.h"
#include "verify.h"
#include "workflow.h"

PG_FUNCTION_INFO_V1(oms_verify_store);
PG_FUNCTION_INFO_V1(oms_workflow_is_readable);

typedef struct Rule
{
	const char *name;
	const char *query;			/* see spell */
} Rule;

static const Rule rules[] = {
	{"stock on hand is the sum of its movements",
		"SELECT coalesce(s.sku, m.sku) AS sku, coalesce(s.location, m.location) AS location, s.on_hand,"
		" coalesce(m.on_hand, 0) AS counted FROM @.stock s"
		" FULL JOIN (SELECT sku, location, sum(on_hand_change) AS on_hand FROM @.stock_movements GROUP BY sku, location) m"
	" ON m.sku = s.sku AND m.location = s.location WHERE coalesce(s.on_hand, 0) <> coalesce(m.on_hand, 0)"},
	{"stock unavailable is the sum of its movements",
		"SELECT coalesce(s.sku, m.sku) AS sku, coalesce(s.location, m.location) AS location, s.unavailable,"
		" coalesce(m.unavailable, 0) AS counted FROM @.stock s"
		" FULL JOIN (SELECT sku, location, sum(unavailable_change) AS unavailable FROM @.stock_movements GROUP BY sku, location) m"
	" ON m.sku = s.sku AND m.location = s.location WHERE coalesce(s.unavailable, 0) <> coalesce(m.unavailable, 0)"},
	{"stock reserved is what fulfillments and stock holds hold",
		"SELECT coalesce(s.sku, f.sku) AS sku, coalesce(s.location, f.location) AS location, s.reserved,"
		" coalesce(f.reserved, 0) AS counted FROM @.stock s"
		" FULL JOIN (SELECT r.sku, r.location, sum(r.quantity) AS reserved FROM (SELECT l.sku, f.location, l.quantity"
		" FROM @.fulfillments f JOIN @.fulfillment_lines l ON l.fulfillment_id = f.id WHERE f.stock_state = 'reserved' AND l.tracked"
		" UNION ALL SELECT h.sku, h.location, h.quantity FROM @.stock_holds h) r"
		" GROUP BY r.sku, r.location) f ON f.sku = s.sku AND f.location = s.location"
	" WHERE coalesce(s.reserved, 0) <> coalesce(f.reserved, 0)"},
	{LOADS_RULE,
		"SELECT coalesce(d.location, f.location) AS location, coalesce(d.day, f.day) AS day, coalesce(f.units, 0) AS units,"
		" d.units AS was FROM @.location_loads d FULL JOIN (SELECT f.location, f.load_day AS day, sum(l.quantity)::bigint AS units"
		" FROM @.fulfillments f JOIN @.fulfillment_lines l ON l.fulfillment_id = f.id WHERE f.load_day IS NOT NULL"
		" AND (f.stock_state = 'reserved' OR f.shipped_at IS NOT NULL) GROUP BY f.location, f.load_day) f"
	" ON f.location = d.location AND f.day = d.day WHERE coalesce(d.units, 0) <> coalesce(f.units, 0)"},
	{"stock is never oversold",
		"SELECT sku, location, on_hand, unavailable, reserved FROM @.stock"
	" WHERE unavailable < 0 OR reserved < 0 OR reserved > on_hand - unavailable"},
	{"every movement was applied",
	"SELECT id, kind, sku, location FROM @.stock_movements WHERE on_hand_change IS NULL OR unavailable_change IS NULL"},
	{"every change that a feed reports is in the ledger",
		"SELECT f.location, f.ref FROM @.stock_feeds f WHERE f.applied + f.emptied <> (SELECT count(*) FROM @.stock_movements m"
	" WHERE m.external_ref = 'feed:' || f.ref AND m.kind = 'count' AND m.location = f.location)"},
	{"the feed that last told of a SKU is in the log",
		"SELECT i.location, i.sku FROM @.stock_feed_items i WHERE NOT EXISTS (SELECT FROM @.stock_feeds f WHERE f.location = i.location"
	" AND f.ref = i.ref AND f.as_of = i.as_of AND f.sequence IS NOT DISTINCT FROM i.sequence)"},
	{"what is on its way is counted by its movements",
		"SELECT i.ref, i.sku, i.id, v.* FROM @.inbound i LEFT JOIN (SELECT m.entity_id, m.sku, m.location,"
		" coalesce(sum(m.quantity) FILTER (WHERE m.kind = 'transfer_out'), 0) AS gone,"
		" coalesce(sum(m.quantity) FILTER (WHERE m.kind IN ('receipt', 'transfer_in', 'adjustment')), 0) AS come"
		" FROM @.stock_movements m WHERE m.entity = 'inbound' GROUP BY m.entity_id, m.sku, m.location) here"
		" ON here.entity_id = i.id AND here.sku = i.sku AND here.location = i.location"
		" LEFT JOIN (SELECT m.entity_id, m.sku, m.location,"
		" coalesce(sum(m.quantity) FILTER (WHERE m.kind = 'transfer_out'), 0) AS gone,"
		" coalesce(sum(m.quantity) FILTER (WHERE m.kind = 'transfer_in'), 0) AS come"
		" FROM @.stock_movements m WHERE m.entity = 'inbound' GROUP BY m.entity_id, m.sku, m.location) there"
		" ON there.entity_id = i.id AND there.sku = i.sku AND there.location = i.from_location"
		" CROSS JOIN LATERAL (SELECT coalesce(there.gone, 0) AS sent, coalesce(here.come, 0) AS received,"
		" coalesce(there.come, 0) AS returned) v WHERE (i.sent, i.received, i.returned) IS DISTINCT FROM"
	" (v.sent, v.received, v.returned)"},
	{"a movement that names what is on its way is of its SKU and locations",
		"SELECT m.id, m.entity_id, m.sku, m.location FROM @.stock_movements m WHERE m.entity = 'inbound'"
		" AND NOT EXISTS (SELECT FROM @.inbound i WHERE i.id = m.entity_id AND i.sku = m.sku"
	" AND m.location IN (i.location, i.from_location))"},
	/* a delivery that was canceled has no movement: when, nobody knows */
	{"what has left or is done with says since when",
		"SELECT i.ref, i.sku, i.id, v.* FROM @.inbound i CROSS JOIN LATERAL (SELECT min(m.at) FILTER"
		" (WHERE m.kind = 'transfer_out') AS left_at, max(m.at) AS last_at FROM @.stock_movements m WHERE m.entity_id = i.id"
		" AND m.entity = 'inbound') m CROSS JOIN LATERAL (SELECT CASE WHEN i.sent > 0 THEN coalesce(i.sent_at, m.left_at) END AS sent_at,"
		" CASE WHEN i.status IN ('received', 'canceled') THEN coalesce(i.closed_at, m.last_at, now()) END AS closed_at) v"
	" WHERE (i.sent_at, i.closed_at) IS DISTINCT FROM (v.sent_at, v.closed_at)"},
	{"what is on its way has left, arrived or been given up as its status says",
		"SELECT i.id, i.ref, i.status FROM @.inbound i"
		" WHERE i.from_location IS NOT NULL AND i.status IN ('in_transit', 'received') AND i.sent = 0"
		" OR i.status = 'expected' AND i.sent > 0 OR i.closed_at IS NULL AND i.outstanding = 0"
	" OR i.status = 'canceled' AND i.sent > 0 AND i.sent > i.received + i.returned + i.missing"},
	{"units of a placed line are all accounted for",
		"SELECT o.number, l.line_no FROM @.order_lines l JOIN @.orders o ON o.id = l.order_id WHERE o.placed_at IS NOT NULL"
	" AND NOT l.expanded AND l.canceled + l.allocated + l.backordered + l.short + l.shipped <> l.quantity"},
	{"lines of a draft hold nothing",
		"SELECT o.number, l.line_no FROM @.order_lines l JOIN @.orders o ON o.id = l.order_id WHERE o.placed_at IS NULL"
	" AND l.canceled + l.allocated + l.backordered + l.short + l.shipped + l.delivered + l.returned <> 0"},
	{"an order that has fulfillments was placed",
		"SELECT o.number, o.id, (SELECT min(f.created_at) FROM @.fulfillments f WHERE f.order_id = o.id) AS placed_at"
	" FROM @.orders o WHERE o.placed_at IS NULL AND EXISTS (SELECT FROM @.fulfillments f WHERE f.order_id = o.id)"},

	/*
	 * what was canceled before it came in is in no log; the log also says how
	 * many units could at most be backordered, and short
	 */
	{"a line's units are what its fulfillments carry",
		"SELECT o.number, l.line_no, l.id, v.* FROM @.order_lines l JOIN @.orders o ON o.id = l.order_id LEFT JOIN"
		" (SELECT fl.order_line_id, sum(fl.quantity) FILTER (WHERE f.stock_state = 'reserved') AS allocated,"
		" sum(fl.quantity) FILTER (WHERE f.shipped_at IS NOT NULL) AS shipped,"
		" sum(fl.quantity) FILTER (WHERE f.delivered_at IS NOT NULL) AS delivered,"
		" sum(fl.quantity) FILTER (WHERE f.shipped_at IS NOT NULL AND f.stock_state = 'released') AS returned,"
		" sum(fl.quantity) FILTER (WHERE f.shipped_at IS NULL AND f.stock_state = 'released' AND NOT f.rerouted) AS canceled"
		" FROM @.fulfillment_lines fl JOIN @.fulfillments f ON f.id = fl.fulfillment_id GROUP BY fl.order_line_id) c"
		" ON c.order_line_id = l.id LEFT JOIN (SELECT e.entity_id,"
		" sum(u.units) FILTER (WHERE e.event = 'canceled_units') AS canceled,"
		" sum(CASE e.event WHEN 'shorted' THEN u.units WHEN 'filled' THEN -u.units END) FILTER (WHERE e.detail ? 'policy') AS backordered,"
		" sum(CASE e.event WHEN 'shorted' THEN u.units WHEN 'filled' THEN -u.units END) FILTER (WHERE NOT e.detail ? 'policy') AS short"
		" FROM @.order_events e CROSS JOIN LATERAL (SELECT (e.detail ->> 'quantity')::bigint AS units) u"
		" WHERE e.event IN ('canceled_units', 'shorted', 'filled') GROUP BY e.entity_id) e ON e.entity_id = l.id"
		" CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM @.order_events i WHERE i.order_id = o.id"
		" AND i.entity_id = o.id AND i.event = 'imported') AS imported) past"
		" CROSS JOIN LATERAL (SELECT CASE WHEN o.placed_at IS NULL OR l.expanded THEN 0"
		" ELSE l.quantity - coalesce(c.allocated, 0) - coalesce(c.shipped, 0) END AS units) rest"
		" CROSS JOIN LATERAL (SELECT least(rest.units, CASE WHEN past.imported THEN greatest(l.canceled, c.canceled)"
		" ELSE coalesce(e.canceled, 0) END) AS canceled) gone"
		" CROSS JOIN LATERAL (SELECT rest.units - gone.canceled AS units) waiting"
		" CROSS JOIN LATERAL (SELECT CASE WHEN past.imported THEN least(l.backordered, waiting.units) ELSE least(waiting.units,"
		" coalesce(e.backordered, 0), greatest(l.backordered, waiting.units - coalesce(e.short, 0))) END AS units) later"
		" CROSS JOIN LATERAL (SELECT gone.canceled, coalesce(c.allocated, 0) AS allocated,"
		" later.units AS backordered, waiting.units - later.units AS short,"
		" coalesce(c.shipped, 0) AS shipped, coalesce(c.delivered, 0) AS delivered, coalesce(c.returned, 0) AS returned) v"
		" WHERE (l.canceled, l.allocated, l.backordered, l.short, l.shipped, l.delivered, l.returned) IS DISTINCT FROM"
	" (v.canceled, v.allocated, v.backordered, v.short, v.shipped, v.delivered, v.returned)"},
	{"a fulfillment carries lines of its own order, by their SKU",
		"SELECT f.number, l.sku FROM @.fulfillment_lines l JOIN @.fulfillments f ON f.id = l.fulfillment_id"
	" JOIN @.order_lines ol ON ol.id = l.order_line_id WHERE ol.order_id <> f.order_id OR ol.sku <> l.sku"},
	{"a fulfillment whose goods have left says since when",
		"SELECT f.number, f.id, m.shipped_at FROM @.fulfillments f LEFT JOIN (SELECT m.entity_id, min(m.at) AS shipped_at"
		" FROM @.stock_movements m WHERE m.entity = 'fulfillment' AND m.kind = 'issue' GROUP BY m.entity_id) m"
	" ON m.entity_id = f.id WHERE f.stock_state = 'issued' AND f.shipped_at IS NULL"},
	/* people may tell of more by movements of theirs */
	{"what fulfillments have sent, and got back, is in the ledger",
		"SELECT c.number, c.sku, c.units, m.issued, m.returned FROM (SELECT f.id, f.order_id, f.number, f.location, l.sku,"
		" f.stock_state = 'released' AS is_back, sum(l.quantity) AS units FROM @.fulfillments f"
		" JOIN @.fulfillment_lines l ON l.fulfillment_id = f.id WHERE l.tracked AND f.shipped_at IS NOT NULL GROUP BY f.id, l.sku) c"
		" LEFT JOIN (SELECT m.entity_id, m.sku, m.location, sum(m.quantity) FILTER (WHERE m.kind = 'issue') AS issued,"
		" sum(m.quantity) FILTER (WHERE m.kind = 'return') AS returned FROM @.stock_movements m WHERE m.entity = 'fulfillment'"
		" GROUP BY m.entity_id, m.sku, m.location) m ON m.entity_id = c.id AND m.sku = c.sku AND m.location = c.location"
		" WHERE (coalesce(m.issued, 0) < c.units OR c.is_back AND coalesce(m.returned, 0) < c.units) AND NOT EXISTS"
	" (SELECT FROM @.order_events e WHERE e.order_id = c.order_id AND e.entity_id = c.id AND e.event = 'imported')"},
	{"what became of a fulfillment's stock agrees with its times",
		"SELECT f.number, f.id FROM @.fulfillments f WHERE f.stock_state = 'issued' AND f.shipped_at IS NULL"
		" OR f.shipped_at IS NOT NULL AND f.stock_state NOT IN ('issued', 'released')"
		" OR f.delivered_at IS NOT NULL AND f.shipped_at IS NULL"
	" OR f.rerouted AND (f.stock_state <> 'released' OR f.shipped_at IS NOT NULL) OR f.gave_way AND NOT f.rerouted"},
	{"a fulfillment without units was emptied into others, and has ended",
		"SELECT f.number FROM @.fulfillments f CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM @.fulfillment_lines l"
		" WHERE l.fulfillment_id = f.id) AS carries, EXISTS (SELECT FROM @.order_events e WHERE e.order_id = f.order_id"
		" AND e.entity_id = f.id AND e.event = 'emptied') AS emptied, EXISTS (SELECT FROM @.order_events e"
		" WHERE e.order_id = f.order_id AND e.entity_id = f.id AND e.event = 'imported') AS imported) v"
	" WHERE v.carries = v.emptied AND NOT (v.imported AND NOT v.emptied) OR v.emptied AND (f.stock_state <> 'released' OR f.rerouted)"},
	{"a fulfillment's packed units are those of its packages",
		"SELECT f.number, l.sku, l.id, coalesce(p.packed, 0) AS packed FROM @.fulfillment_lines l"
		" JOIN @.fulfillments f ON f.id = l.fulfillment_id FULL JOIN (SELECT p.fulfillment_id, pl.order_line_id, sum(pl.quantity) AS packed"
		" FROM @.packages p JOIN @.package_lines pl ON pl.package_id = p.id WHERE p.voided_at IS NULL"
		" GROUP BY p.fulfillment_id, pl.order_line_id) p ON p.fulfillment_id = l.fulfillment_id AND p.order_line_id = l.order_line_id"
	" WHERE l.packed IS DISTINCT FROM coalesce(p.packed, 0) OR l.packed > l.quantity"},
	{"a package is where its carrier's last event says",
		"SELECT p.carrier, p.tracking_number, p.id, v.* FROM @.packages p LEFT JOIN LATERAL (SELECT e.code, e.at, e.id"
		" FROM @.carrier_events e WHERE e.package_id = p.id ORDER BY e.at DESC, " CARRIER_RANK("e.code") " DESC, e.id DESC LIMIT 1) last ON true"
		" LEFT JOIN (SELECT e.package_id, min(e.at) AS shipped_at, min(e.at) FILTER (WHERE e.code = 'delivered') AS delivered_at"
		" FROM @.carrier_events e GROUP BY e.package_id) t ON t.package_id = p.id"
		" CROSS JOIN LATERAL (SELECT coalesce(last.code, 'packed') AS status, t.shipped_at, t.delivered_at,"
		" last.at AS last_event_at, last.id AS last_event_id) v"
		" WHERE (p.status, p.shipped_at, p.delivered_at, p.last_event_at, p.last_event_id) IS DISTINCT FROM"
	" (v.status, v.shipped_at, v.delivered_at, v.last_event_at, v.last_event_id)"},
	{"an order's units are the sum of its lines",
		"SELECT o.number, o.id, v.* FROM @.orders o LEFT JOIN (SELECT order_id, sum(quantity) AS units, sum(canceled) AS canceled,"
		" sum(allocated) AS allocated, sum(backordered) AS backordered, sum(short) AS short, sum(shipped) AS shipped,"
		" sum(delivered) AS delivered, sum(returned) AS returned FROM @.order_lines WHERE NOT expanded GROUP BY order_id) l ON l.order_id = o.id"
		" CROSS JOIN LATERAL (SELECT coalesce(l.units, 0) AS units, coalesce(l.canceled, 0) AS units_canceled,"
		" coalesce(l.allocated, 0) AS units_allocated, coalesce(l.backordered, 0) AS units_backordered,"
		" coalesce(l.short, 0) AS units_short, coalesce(l.shipped, 0) AS units_shipped,"
		" coalesce(l.delivered, 0) AS units_delivered, coalesce(l.returned, 0) AS units_returned) v"
		" WHERE (o.units, o.units_canceled, o.units_allocated, o.units_backordered, o.units_short, o.units_shipped,"
		" o.units_delivered, o.units_returned) IS DISTINCT FROM (v.units, v.units_canceled, v.units_allocated,"
	" v.units_backordered, v.units_short, v.units_shipped, v.units_delivered, v.units_returned)"},
	{"an order's fewest shipments are not more than were made",
		"SELECT o.number, o.id, CASE WHEN o.placed_at IS NOT NULL THEN least(greatest(o.fewest_shipments, least(v.made, 1)), v.made)"
		" END AS fewest_shipments FROM @.orders o LEFT JOIN (SELECT order_id, count(*) AS made FROM @.fulfillments GROUP BY order_id) f"
		" ON f.order_id = o.id CROSS JOIN LATERAL (SELECT coalesce(f.made, 0) AS made) v WHERE o.fewest_shipments IS NOT NULL"
	" AND (o.placed_at IS NULL OR o.fewest_shipments NOT BETWEEN least(v.made, 1) AND v.made)"},
	{"backordered units were sold under the policy that the log says, of their SKU",
		"SELECT o.number, l.line_no, l.id, v.* FROM @.order_lines l JOIN @.orders o ON o.id = l.order_id"
		" LEFT JOIN (SELECT DISTINCT ON (e.entity_id) e.entity_id, e.detail ->> 'policy' AS policy FROM @.order_events e"
		" WHERE e.event = 'shorted' AND e.detail ? 'policy' ORDER BY e.entity_id, e.id DESC) e ON e.entity_id = l.id"
		" LEFT JOIN @.backorder_policies p ON p.id::text = e.policy AND p.sku = l.sku JOIN @.skus s ON s.code = l.sku"
		" CROSS JOIN LATERAL (SELECT CASE WHEN e.entity_id IS NOT NULL THEN coalesce(p.id,"
		" CASE WHEN s.kind <> 'warranty' THEN l.backorder_policy_id END)"
		" WHEN EXISTS (SELECT FROM @.order_events i WHERE i.order_id = o.id AND i.entity_id = o.id AND i.event = 'imported')"
		" THEN l.backorder_policy_id END AS backorder_policy_id) v"
		" WHERE l.backorder_policy_id IS DISTINCT FROM v.backorder_policy_id OR l.backordered > 0 AND s.kind <> 'warranty'"
	" AND NOT EXISTS (SELECT FROM @.backorder_policies f WHERE f.id = l.backorder_policy_id AND f.sku = l.sku)"},
	{"a policy's backordered units are those of its lines",
		"SELECT p.sku, v.* FROM @.backorder_policies p FULL JOIN (SELECT backorder_policy_id,"
		" sum(backordered) AS backordered FROM @.order_lines WHERE backordered > 0 AND backorder_policy_id IS NOT NULL"
		" GROUP BY backorder_policy_id) l"
		" ON l.backorder_policy_id = p.id CROSS JOIN LATERAL (SELECT coalesce(p.id, l.backorder_policy_id) AS id,"
		" coalesce(l.backordered, 0) AS backordered) v WHERE p.backordered IS DISTINCT FROM v.backordered"
	" OR p.backordered > p.limit_units"},
	{"an order's total is the sum of its lines and charges",
		"SELECT o.number, o.id, v.total FROM @.orders o CROSS JOIN LATERAL (SELECT coalesce((SELECT sum(l.quantity * l.unit_price"
		" - l.discount + CASE WHEN o.tax_included THEN 0 ELSE l.tax END) FROM @.order_lines l WHERE l.order_id = o.id AND NOT l.expanded), 0)"
		" + coalesce((SELECT sum(CASE WHEN c.kind = 'discount' THEN -1 ELSE 1 END * (c.amount + CASE WHEN o.tax_included THEN 0"
		" ELSE c.tax END)) FROM @.order_charges c WHERE c.order_id = o.id), 0) AS total) v"
	" WHERE o.total <> v.total"},
	{"what is credited is the value of canceled units",
		"SELECT o.number, o.id, c.credited FROM @.orders o CROSS JOIN LATERAL (SELECT coalesce((SELECT sum("
		"CASE WHEN l.canceled = l.quantity"
		" THEN v.value ELSE round(v.value * l.canceled / l.quantity, 4) END) FROM @.order_lines l CROSS JOIN LATERAL"
		" (SELECT l.quantity * l.unit_price - l.discount + CASE WHEN o.tax_included THEN 0 ELSE l.tax END AS value) v"
		" WHERE l.order_id = o.id), 0) + CASE WHEN o.units_canceled = o.units AND (o.units > 0 OR o.canceled_at IS NOT NULL)"
		" THEN coalesce((SELECT sum(CASE WHEN c.kind = 'discount' THEN -1 ELSE 1 END * (c.amount + CASE WHEN o.tax_included THEN 0"
		" ELSE c.tax END)) FROM @.order_charges c WHERE c.order_id = o.id), 0) ELSE 0 END AS credited) c"
	" WHERE o.credited <> c.credited"},
	/* components are numbered after all other lines */
	{"a line is a bundle's or a component's as the log says",
		"SELECT o.number, l.line_no, l.id, v.* FROM @.order_lines l JOIN @.orders o ON o.id = l.order_id"
		" LEFT JOIN (SELECT DISTINCT e.entity_id FROM @.order_events e WHERE e.event = 'expanded') b ON b.entity_id = l.id"
		" LEFT JOIN (SELECT c.id, c.quantity / b.quantity AS units, row_number() OVER (PARTITION BY b.id ORDER BY c.line_no DESC)"
		" <= (e.detail ->> 'components')::bigint AS is_component FROM @.order_events e JOIN @.order_lines b ON b.id = e.entity_id"
		" JOIN @.order_lines c ON c.parent_line_id = b.id AND c.order_id = b.order_id WHERE e.event = 'expanded') c ON c.id = l.id"
		" CROSS JOIN LATERAL (SELECT b.entity_id IS NOT NULL AS expanded, CASE WHEN c.is_component THEN c.units END AS per_kit) v"
		" WHERE (l.expanded, l.per_kit) IS DISTINCT FROM (v.expanded, v.per_kit) AND NOT EXISTS (SELECT FROM @.order_events i"
	" WHERE i.order_id = o.id AND i.entity_id = o.id AND i.event = 'imported')"},
	{"a bundle's line in a placed order has lines of its components, so many units a kit",
		"SELECT o.number, l.line_no FROM @.order_lines l JOIN @.orders o ON o.id = l.order_id LEFT JOIN @.order_lines b"
		" ON b.id = l.parent_line_id WHERE l.per_kit IS NOT NULL AND (b.expanded AND b.order_id = l.order_id"
		" AND l.quantity = b.quantity * l.per_kit) IS NOT TRUE UNION ALL SELECT o.number, b.line_no FROM @.order_lines b"
		" JOIN @.orders o ON o.id = b.order_id WHERE b.expanded AND (o.placed_at IS NULL"
	" OR NOT EXISTS (SELECT FROM @.order_lines l WHERE l.parent_line_id = b.id AND l.per_kit IS NOT NULL))"},
	{"the components of a bundle's line carry its price and its tax",
		"SELECT o.number, b.line_no FROM @.order_lines b JOIN @.orders o ON o.id = b.order_id WHERE b.expanded AND"
		" (b.quantity * b.unit_price - b.discount, b.tax) IS DISTINCT FROM (SELECT ROW(sum(l.quantity * l.unit_price - l.discount),"
	" sum(l.tax)) FROM @.order_lines l WHERE l.parent_line_id = b.id AND l.per_kit IS NOT NULL)"},
	{"a warranty is for a line of its order, and for no more units than that has",
		"SELECT o.number, l.line_no FROM @.order_lines l JOIN @.skus s ON s.code = l.sku JOIN @.orders o ON o.id = l.order_id"
		" LEFT JOIN @.order_lines p ON p.id = l.parent_line_id LEFT JOIN @.skus g ON g.code = p.sku"
		" WHERE s.kind = 'warranty' AND l.per_kit IS NULL AND o.placed_at IS NOT NULL"
		" AND (p.order_id = l.order_id AND g.kind <> 'warranty' AND l.quantity <= p.quantity) IS NOT TRUE"
	" AND NOT EXISTS (SELECT FROM @.order_events i WHERE i.order_id = o.id AND i.entity_id = o.id AND i.event = 'imported')"},
	{"what bundles come to follows from their items",
		"WITH RECURSIVE item AS (SELECT i.bundle, i.sku, i.quantity, CASE WHEN sum(coalesce(i.price_share, i.quantity)) OVER b = 0"
		" THEN i.quantity / sum(i.quantity) OVER b ELSE coalesce(i.price_share, i.quantity)"
		" / sum(coalesce(i.price_share, i.quantity)) OVER b END AS share FROM @.bundle_items i WINDOW b AS (PARTITION BY i.bundle)),"
		" way(bundle, sku, quantity, share, level) AS (SELECT i.bundle, i.sku, i.quantity::numeric, i.share, 1 FROM item i"
		" UNION ALL SELECT w.bundle, i.sku, w.quantity * i.quantity, round(w.share * i.share, 40), w.level + 1 FROM way w"
		" JOIN item i ON i.bundle = w.sku WHERE w.level <= 8), counted AS (SELECT w.bundle, w.sku, sum(w.quantity) AS quantity,"
		" sum(w.share) AS share, max(w.level) AS level FROM way w"
		" JOIN @.skus s ON s.code = w.sku WHERE s.kind <> 'bundle' OR w.level > 8 GROUP BY w.bundle, w.sku)"
		" SELECT coalesce(c.bundle, n.bundle) AS bundle, coalesce(c.sku, n.sku) AS sku, n.quantity, n.share"
		" FROM @.bundle_components c FULL JOIN counted n ON n.bundle = c.bundle AND n.sku = c.sku"
		" WHERE c.quantity IS DISTINCT FROM n.quantity OR n.level > 8 OR abs(c.share - n.share) > 1e-9"
		" UNION ALL SELECT i.bundle, i.sku, i.quantity, NULL FROM @.bundle_items i JOIN @.skus s ON s.code = i.bundle"
	" WHERE s.kind <> 'bundle'"},
	{"open holds are counted",
		"SELECT o.number, o.id, h.open_holds FROM @.orders o CROSS JOIN LATERAL (SELECT count(*) AS open_holds"
		" FROM @.order_holds h WHERE h.order_id = o.id AND h.released_at IS NULL) h"
	" WHERE o.open_holds <> h.open_holds"},
	{"a payment's money and requests are its transactions'",
		"SELECT p.id, o.number, v.* FROM @.payments p JOIN @.orders o ON o.id = p.order_id LEFT JOIN (SELECT t.payment_id,"
		" sum(CASE t.kind WHEN 'authorize' THEN t.amount WHEN 'capture' THEN -t.amount WHEN 'void' THEN -t.amount END)"
		" FILTER (WHERE t.outcome = 'succeeded') AS authorized,"
		" sum(t.amount) FILTER (WHERE t.outcome = 'succeeded' AND t.kind IN ('capture', 'sale')) AS captured,"
		" sum(t.amount) FILTER (WHERE t.outcome = 'succeeded' AND t.kind = 'void') AS voided,"
		" sum(t.amount) FILTER (WHERE t.outcome = 'succeeded' AND t.kind = 'refund') AS refunded,"
		" sum(CASE t.kind WHEN 'chargeback' THEN t.amount WHEN 'chargeback_reversal' THEN -t.amount END)"
		" FILTER (WHERE t.outcome = 'succeeded') AS charged_back,"
		" sum(t.amount) FILTER (WHERE t.is_open AND t.kind IN ('capture', 'void')) AS capture_requested,"
		" sum(t.amount) FILTER (WHERE t.is_open AND t.kind = 'refund') AS refund_requested,"
		" count(*) FILTER (WHERE t.is_open) AS open_requests, count(*) FILTER (WHERE t.outcome = 'failed') AS failures"
		" FROM (SELECT r.*, r.outcome = 'requested' AND NOT EXISTS (SELECT FROM @.payment_transactions a"
		" WHERE a.payment_id = r.payment_id AND a.kind = r.kind AND a.gateway_ref = r.gateway_ref"
		" AND a.outcome IN ('succeeded', 'failed')) AS is_open FROM @.payment_transactions r) t GROUP BY t.payment_id) c"
		" ON c.payment_id = p.id CROSS JOIN LATERAL (SELECT coalesce(c.authorized, 0) AS authorized,"
		" coalesce(c.captured, 0) AS captured, coalesce(c.voided, 0) AS voided, coalesce(c.refunded, 0) AS refunded,"
		" coalesce(c.charged_back, 0) AS charged_back, coalesce(c.capture_requested, 0) AS capture_requested,"
		" coalesce(c.refund_requested, 0) AS refund_requested, coalesce(c.open_requests, 0) AS open_requests,"
		" coalesce(c.failures, 0) AS failures) v"
		" WHERE (p.authorized, p.captured, p.voided, p.refunded, p.charged_back, p.capture_requested,"
		" p.refund_requested, p.open_requests, p.failures) IS DISTINCT FROM (v.authorized, v.captured,"
	" v.voided, v.refunded, v.charged_back, v.capture_requested, v.refund_requested, v.open_requests, v.failures)"},
	{"no more is captured than authorized, refunded than captured, reversed than charged back",
		"SELECT p.id, o.number FROM @.payments p JOIN @.orders o ON o.id = p.order_id"
		" WHERE least(p.authorized, p.captured, p.voided, p.refunded, p.charged_back, p.capture_requested, p.refund_requested) < 0"
	" OR p.capture_requested > p.authorized OR p.refunded + p.refund_requested > p.captured"},
	{"a payment's status follows from its money",
		"SELECT p.id, v.status FROM @.payments p CROSS JOIN LATERAL (SELECT CASE WHEN p.charged_back > 0 THEN 'charged_back'"
		" WHEN p.refunded > 0 AND p.refunded >= p.captured THEN 'refunded' WHEN p.refunded > 0 THEN 'partially_refunded'"
		" WHEN p.captured > 0 AND p.captured >= p.amount THEN 'captured' WHEN p.captured > 0 THEN 'partially_captured'"
		" WHEN p.authorized > 0 THEN 'authorized' WHEN p.voided > 0 THEN 'voided'"
	" WHEN p.failures > 0 AND p.open_requests = 0 THEN 'failed' ELSE 'pending' END AS status) v WHERE p.status <> v.status"},
	{"an order's money is the sum of its payments",
		"SELECT o.number, o.id, v.* FROM @.orders o LEFT JOIN (SELECT order_id, sum(authorized) AS authorized,"
		" sum(captured) AS captured, sum(refunded) AS refunded, sum(charged_back) AS charged_back FROM @.payments GROUP BY order_id) p"
		" ON p.order_id = o.id CROSS JOIN LATERAL (SELECT coalesce(p.authorized, 0) AS authorized, coalesce(p.captured, 0) AS captured,"
		" coalesce(p.refunded, 0) AS refunded, coalesce(p.charged_back, 0) AS charged_back) v"
		" WHERE (o.authorized, o.captured, o.refunded, o.charged_back) IS DISTINCT FROM"
	" (v.authorized, v.captured, v.refunded, v.charged_back)"},
	{"every transaction of a payment is logged",
		"SELECT t.id FROM @.payment_transactions t WHERE NOT EXISTS (SELECT FROM @.payments p JOIN @.order_events e"
		" ON e.order_id = p.order_id AND e.event = 'payment' AND (e.detail ->> 'transaction')::bigint = t.id"
	" WHERE p.id = t.payment_id)"},
	{"every payment's transaction that is logged is there as it was",
		"SELECT e.id FROM @.order_events e WHERE e.event = 'payment' AND NOT EXISTS (SELECT FROM @.payment_transactions t"
		" WHERE t.id::text = e.detail ->> 'transaction' AND t.payment_id = e.entity_id AND e.detail @> jsonb_build_object("
	"'kind', t.kind, 'outcome', t.outcome, 'amount', t.amount))"},
	{"credit is approved for a customer, or by releasing a hold",
		"SELECT o.number FROM @.orders o WHERE o.credit_approved AND o.closed_at IS NULL AND o.customer_id IS NULL"
	" AND NOT EXISTS (SELECT FROM @.order_holds h WHERE h.order_id = o.id AND h.kind = 'credit' AND h.released_at IS NOT NULL)"},
	{"a transaction is for a fulfillment of its payment's order",
		"SELECT t.id, f.number FROM @.payment_transactions t JOIN @.payments p ON p.id = t.payment_id"
	" JOIN @.fulfillments f ON f.id = t.fulfillment_id WHERE f.order_id <> p.order_id"},
	{"an order's axes follow from its counters",
		"SELECT o.number, o.id, v.* FROM @.orders o CROSS JOIN LATERAL (SELECT CASE WHEN o.units_shipped = 0 THEN 'unfulfilled'"
		" WHEN o.units_shipped < o.units - o.units_canceled THEN 'partial'"
		" WHEN o.units_delivered >= o.units - o.units_canceled THEN 'delivered' ELSE 'fulfilled' END AS fulfillment_status,"
		" CASE WHEN o.units_returned = 0 THEN 'none' WHEN o.units_returned < o.units_shipped THEN 'partial'"
		" ELSE 'returned' END AS return_status, CASE WHEN o.charged_back > 0 THEN 'charged_back'"
		" WHEN o.captured > 0 AND o.refunded >= o.captured THEN 'refunded' WHEN o.captured > 0 AND o.refunded > 0 THEN 'partially_refunded'"
		" WHEN o.captured > 0 AND o.captured >= o.total - o.credited THEN 'paid' WHEN o.captured > 0 THEN 'partially_paid'"
		" WHEN o.authorized > 0 THEN 'authorized' WHEN o.placed_at IS NOT NULL AND o.total = 0 THEN 'paid'"
		" ELSE 'unpaid' END AS payment_status) v WHERE o.revision > 0 AND (o.fulfillment_status, o.return_status, o.payment_status)"
	" IS DISTINCT FROM (v.fulfillment_status, v.return_status, v.payment_status)"},
	{"moves of the store to other servers follow each other in the log",
		"SELECT s.moved_after FROM @.settings s WHERE s.moved_after IS DISTINCT FROM"
		" ARRAY(SELECT DISTINCT m FROM unnest(s.moved_after) m ORDER BY m)"
	" OR s.moved_after[cardinality(s.moved_after)] > (SELECT coalesce(max(e.id), 0) FROM @.order_events e)"},
	{"every workflow can be read",
	"SELECT w.name FROM @.workflows w WHERE NOT oms.workflow_is_readable(w.definition)"},
	{"every workflow is sound",
		"SELECT w.name, l.message FROM @.workflows w,"
		" oms.lint(CASE WHEN oms.workflow_is_readable(w.definition) THEN w.definition::oms.workflow END, w.entity) l"
	" WHERE l.severity = 'error'"},
	{"every row is in a state of its workflow",
		"WITH s AS MATERIALIZED (SELECT w.name, w.entity, s.state FROM @.workflows w,"
		" oms.states(CASE WHEN oms.workflow_is_readable(w.definition) THEN w.definition::oms.workflow END) s)"
		" SELECT o.number, o.status FROM @.orders o"
		" WHERE NOT EXISTS (SELECT FROM s WHERE s.name = o.workflow AND s.entity = 'order' AND s.state = o.status)"
		" UNION ALL SELECT f.number, f.status FROM @.fulfillments f"
	" WHERE NOT EXISTS (SELECT FROM s WHERE s.name = f.workflow AND s.entity = 'fulfillment' AND s.state = f.status)"},
	{"closed orders are in a final state, others are not",
		"WITH s AS MATERIALIZED (SELECT w.name, s.state, s.is_final FROM @.workflows w,"
		" oms.states(CASE WHEN oms.workflow_is_readable(w.definition) THEN w.definition::oms.workflow END) s)"
		" SELECT o.number, o.status, o.id, CASE WHEN s.is_final THEN (SELECT max(e.at) FROM @.order_events e WHERE e.order_id = o.id"
		" AND e.entity_id = o.id AND e.to_status = o.status) END AS closed_at"
		" FROM @.orders o JOIN s ON s.name = o.workflow AND s.state = o.status"
	" WHERE s.is_final <> (o.closed_at IS NOT NULL)"},
	{"closed fulfillments are in a final state, others are not",
		"WITH s AS MATERIALIZED (SELECT w.name, s.state, s.is_final FROM @.workflows w,"
		" oms.states(CASE WHEN oms.workflow_is_readable(w.definition) THEN w.definition::oms.workflow END) s)"
		" SELECT f.number, f.status, f.id, CASE WHEN s.is_final THEN (SELECT max(e.at) FROM @.order_events e"
		" WHERE e.order_id = f.order_id AND e.entity_id = f.id AND e.to_status = f.status) END AS closed_at"
		" FROM @.fulfillments f JOIN s ON s.name = f.workflow AND s.state = f.status"
	" WHERE s.is_final <> (f.closed_at IS NOT NULL)"},
	{"no automatic move is left undone",
		"WITH m AS MATERIALIZED (SELECT w.name, w.entity, m.from_state, m.to_state, m.guards FROM @.workflows w,"
		" oms.moves(CASE WHEN oms.workflow_is_readable(w.definition) THEN w.definition::oms.workflow END) m WHERE m.automatic)"
		" SELECT o.number, o.status, m.to_state FROM @.orders o JOIN @.channels n ON n.code = o.channel"
		" JOIN m ON m.name = o.workflow AND m.entity = 'order' AND m.from_state = o.status"
		" WHERE m.guards <@ ARRAY['unheld', 'payable', 'paid', 'fulfilled', 'unshipped', 'allocated', 'all_canceled']"
		" AND ('unheld' <> ALL (m.guards) OR o.open_holds = 0)"
		" AND (NOT m.guards && ARRAY['payable', 'paid'] OR NOT CASE WHEN o.placed_at IS NULL THEN n.payment_required"
		" ELSE o.payment_required END OR ('payable' <> ALL (m.guards) OR o.credit_approved OR o.authorized + o.captured >= o.total - o.credited)"
		" AND ('paid' <> ALL (m.guards) OR o.captured >= o.total - o.credited)"
		" AND (o.placed_at IS NOT NULL OR o.units > 0 OR o.total <> 0 OR 'paid' <> ALL (m.guards) AND o.credit_approved))"
		" AND ('fulfilled' <> ALL (m.guards) OR o.units = 0 OR o.units_shipped > 0 AND o.units_canceled + o.units_shipped = o.units)"
		" AND ('unshipped' <> ALL (m.guards) OR o.units_shipped = 0)"
		" AND ('allocated' <> ALL (m.guards) OR o.placed_at IS NOT NULL AND o.units_backordered + o.units_short = 0)"
		" AND ('all_canceled' <> ALL (m.guards) OR o.units > 0 AND o.units_canceled = o.units)"
		" UNION ALL SELECT f.number, f.status, m.to_state FROM @.fulfillments f JOIN @.orders o ON o.id = f.order_id"
		" JOIN m ON m.name = f.workflow AND m.entity = 'fulfillment' AND m.from_state = f.status"
		" WHERE m.guards <@ ARRAY['order_confirmed', 'order_unheld', 'group_complete', 'due']"
		/* what time has opened since oms.tick may still have to make */
		" AND ('due' <> ALL (m.guards) OR f.requested_at IS NULL OR f.requested_at <= f.created_at)"
		" AND ('order_confirmed' <> ALL (m.guards) OR o.confirmed_at IS NOT NULL)"
		" AND ('order_unheld' <> ALL (m.guards) OR o.open_holds = 0)"
		" AND ('group_complete' <> ALL (m.guards) OR o.units_backordered + o.units_short = 0 OR NOT o.ship_complete AND NOT EXISTS"
		" (SELECT FROM @.fulfillment_lines l JOIN @.order_lines own ON own.id = l.order_line_id JOIN @.order_lines g"
	" ON g.order_id = f.order_id AND g.ship_group = own.ship_group WHERE l.fulfillment_id = f.id AND g.backordered + g.short > 0))"},
	{"the log's last word is the status",
		"SELECT o.number, o.status, e.to_status FROM @.orders o LEFT JOIN (SELECT DISTINCT ON (e.entity_id) e.entity_id, e.to_status"
		" FROM @.order_events e WHERE e.event IN ('created', 'moved', 'imported') ORDER BY e.entity_id, e.id DESC) e"
	" ON e.entity_id = o.id WHERE e.to_status IS DISTINCT FROM o.status"},
	{"the log's last word on fulfillments is the status",
		"SELECT f.number, f.status, e.to_status FROM @.fulfillments f LEFT JOIN (SELECT DISTINCT ON (e.entity_id) e.entity_id, e.to_status"
		" FROM @.order_events e WHERE e.event IN ('created', 'moved', 'imported') ORDER BY e.entity_id, e.id DESC) e"
	" ON e.entity_id = f.id WHERE e.to_status IS DISTINCT FROM f.status"},
	{"the store's triggers are there and enabled",
	"SELECT object, statement FROM oms.layout_repairs(@) WHERE kind = 'trigger'"},
	{"the store's functions, defaults and column compiled are there",
	"SELECT object, statement FROM oms.layout_repairs(@) WHERE kind <> 'trigger'"},
	{"foreign keys are enforced",
		"SELECT k.conrelid::pg_catalog.regclass AS relation, k.conname FROM pg_catalog.pg_constraint k WHERE k.contype = 'f'"
		" AND k.connamespace = '@'::pg_catalog.regnamespace AND EXISTS (SELECT FROM pg_catalog.pg_trigger t"
	" WHERE t.tgconstraint = k.oid AND t.tgenabled <> 'O')"},
	{"what belongs to an order has one",
		"SELECT 'order_lines' AS table_name, l.id FROM @.order_lines l WHERE NOT EXISTS (SELECT FROM @.orders o WHERE o.id = l.order_id)"
		" UNION ALL SELECT 'order_charges', c.id FROM @.order_charges c WHERE NOT EXISTS (SELECT FROM @.orders o WHERE o.id = c.order_id)"
		" UNION ALL SELECT 'order_holds', h.id FROM @.order_holds h WHERE NOT EXISTS (SELECT FROM @.orders o WHERE o.id = h.order_id)"
		" UNION ALL SELECT 'fulfillments', f.id FROM @.fulfillments f WHERE NOT EXISTS (SELECT FROM @.orders o WHERE o.id = f.order_id)"
		" UNION ALL SELECT 'packages', p.id FROM @.packages p WHERE NOT EXISTS (SELECT FROM @.fulfillments f WHERE f.id = p.fulfillment_id)"
		" UNION ALL SELECT 'package_lines', l.package_id FROM @.package_lines l WHERE NOT EXISTS (SELECT FROM @.packages p"
		" JOIN @.fulfillments f ON f.id = p.fulfillment_id JOIN @.order_lines ol ON ol.order_id = f.order_id"
		" WHERE p.id = l.package_id AND ol.id = l.order_line_id)"
		" UNION ALL SELECT 'carrier_events', e.package_id FROM @.carrier_events e"
		" WHERE NOT EXISTS (SELECT FROM @.packages p WHERE p.id = e.package_id)"
		" UNION ALL SELECT 'payments', p.id FROM @.payments p WHERE NOT EXISTS (SELECT FROM @.orders o WHERE o.id = p.order_id)"
		" UNION ALL SELECT 'payment_transactions', t.payment_id FROM @.payment_transactions t"
		" WHERE NOT EXISTS (SELECT FROM @.payments p WHERE p.id = t.payment_id)"
		" UNION ALL SELECT 'fulfillment_lines', l.id FROM @.fulfillment_lines l WHERE NOT EXISTS"
		" (SELECT FROM @.fulfillments f JOIN @.order_lines ol ON ol.order_id = f.order_id"
		" WHERE f.id = l.fulfillment_id AND ol.id = l.order_line_id)"
		" UNION ALL SELECT DISTINCT 'order_events', e.entity_id FROM @.order_events e WHERE e.entity = 'fulfillment'"
	" AND NOT EXISTS (SELECT FROM @.fulfillments f WHERE f.id = e.entity_id)"},
	{"every method that a location offers exists",
		"SELECT l.code, m.code AS method FROM @.locations l CROSS JOIN LATERAL unnest(l.methods) AS m(code)"
	" WHERE NOT EXISTS (SELECT FROM @.methods k WHERE k.code = m.code)"},
	{"no table is a part of another, past whose triggers it could be written",
		"SELECT i.inhrelid::pg_catalog.regclass AS child, i.inhparent::pg_catalog.regclass AS parent FROM pg_catalog.pg_inherits i"
		" WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid IN (i.inhrelid, i.inhparent)"
		" AND c.relnamespace = '@'::pg_catalog.regnamespace AND c.relname IN ('settings', 'workflows', 'methods', 'channels',"
		" 'locations', 'skus', 'reasons', 'customers', 'addresses', 'stock', 'stock_movements', 'backorder_policies', 'stock_holds', 'channel_stock_rules', 'zones', 'shipping_rates', 'sourcing_rules', 'sourcing_policies', 'inbound', 'stock_feeds', 'stock_feed_items', 'repairs', 'orders', 'order_lines',"
	" 'order_charges', 'order_holds', 'order_events', 'fulfillments', 'fulfillment_lines', 'packages', 'package_lines', 'carrier_events', 'location_loads', 'payments', 'payment_transactions', 'bundle_items', 'bundle_components'))"},
};

/*
 * spell writes the store's name into a rule: "@." as a schema, '@' as the same in
 * a text, "(@)" as the name itself.
 */
static char *
spell(const Store *store, const char *text)
{
	StringInfoData buffer;

	initStringInfo(&buffer);
	for (; *text; text++)
	{
		if (text[0] == '@' && text[1] == '.')
			appendStringInfoString(&buffer, store->quoted_name);
		else if (strncmp(text, "'@'", 3) == 0)
		{
			appendStringInfoString(&buffer, quote_literal_cstr(store->quoted_name));
			text += 2;
		}
		else if (strncmp(text, "(@)", 3) == 0)
		{
			appendStringInfo(&buffer, "(%s)", quote_literal_cstr(store->name));
			text += 2;
		}
		else
			appendStringInfoChar(&buffer, *text);
	}
	return buffer.data;
}

/*
 * oms_rule_query returns the query of the rule of that name.
 */
char *
oms_rule_query(const Store *store, const char *name)
{
	for (int i = 0; i < (int) lengthof(rules); i++)
	{
		if (strcmp(rules[i].name, name) == 0)
			return spell(store, rules[i].query);
	}
	elog(ERROR, "there is no rule \"%s\"", name);
}

/*
 * oms_verify_store is oms.verify_store(store).
 */
Datum
oms_verify_store(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_with_gaps(fcinfo, 1);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int			guc_level;

	InitMaterializedSRF(fcinfo, 0);

	/*
	 * neither the caller's path nor the store, whose owner could have made an
	 * operator that fits better than PostgreSQL's own
	 */
	guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	oms_spi_begin();
	for (int i = 0; i < (int) lengthof(rules); i++)
	{
		char	   *query = spell(store, rules[i].query);
		Datum		values[3];
		bool		nulls[3] = {false, false, false};

		if (SPI_execute(psprintf("SELECT pg_catalog.count(*) FROM (%s) broken", query), true, 0) != SPI_OK_SELECT)
			elog(ERROR, "rule \"%s\" cannot be counted", rules[i].name);
		values[0] = CStringGetTextDatum(rules[i].name);
		values[1] = Int64GetDatum(oms_column_int64(0, 1));
		values[2] = CStringGetTextDatum(query);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	oms_spi_end();
	AtEOXact_GUC(true, guc_level);
	return (Datum) 0;
}

/*
 * oms_workflow_is_readable is oms.workflow_is_readable(definition): a cast to
 * the type would end the whole report with its error.
 */
Datum
oms_workflow_is_readable(PG_FUNCTION_ARGS)
{
	text	   *definition = PG_GETARG_TEXT_PP(0);
	WorkflowError error;

	PG_RETURN_BOOL(oms_workflow_parse(VARDATA_ANY(definition), VARSIZE_ANY_EXHDR(definition), &error) != NULL);
}
