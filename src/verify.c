/*
 * verify.c
 *	  oms.verify_store: recounting everything from its source.
 *
 * A rule is a query that returns what breaks it.  Whoever adds a counter or
 * anything else that is derived adds its rule here.  All rules are counted in
 * the caller's snapshot and with the caller's rights.
 */
#include "postgres.h"

#include "commands/extension.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "oms.h"
#include "plan.h"
#include "rows.h"
#include "store.h"

PG_FUNCTION_INFO_V1(oms_verify_store);
PG_FUNCTION_INFO_V1(oms_require_no_extension_script);

typedef struct Rule
{
	const char *name;
	const char *query;			/* "@." stands for the store */
} Rule;

static const Rule rules[] = {
	{"stock on hand is the sum of its movements",
		"SELECT s.sku, s.location, s.on_hand, m.on_hand AS counted FROM @.stock s"
		" FULL JOIN (SELECT sku, location, sum(on_hand_change) AS on_hand FROM @.stock_movements GROUP BY sku, location) m"
	" ON m.sku = s.sku AND m.location = s.location WHERE coalesce(s.on_hand, 0) <> coalesce(m.on_hand, 0)"},
	{"stock unavailable is the sum of its movements",
		"SELECT s.sku, s.location, s.unavailable, m.unavailable AS counted FROM @.stock s"
		" FULL JOIN (SELECT sku, location, sum(unavailable_change) AS unavailable FROM @.stock_movements GROUP BY sku, location) m"
	" ON m.sku = s.sku AND m.location = s.location WHERE coalesce(s.unavailable, 0) <> coalesce(m.unavailable, 0)"},
	{"stock reserved is what fulfillments hold",
		"SELECT s.sku, s.location, s.reserved, f.reserved AS counted FROM @.stock s"
		" FULL JOIN (SELECT l.sku, f.location, sum(l.quantity) AS reserved FROM @.fulfillments f"
		" JOIN @.fulfillment_lines l ON l.fulfillment_id = f.id WHERE f.stock_state = 'reserved' AND l.tracked"
		" GROUP BY l.sku, f.location) f ON f.sku = s.sku AND f.location = s.location"
	" WHERE coalesce(s.reserved, 0) <> coalesce(f.reserved, 0)"},
	{"stock is never oversold",
		"SELECT sku, location, on_hand, unavailable, reserved FROM @.stock"
	" WHERE unavailable < 0 OR reserved < 0 OR reserved > on_hand - unavailable"},
	{"every movement was applied",
	"SELECT id, kind, sku, location FROM @.stock_movements WHERE on_hand_change IS NULL OR unavailable_change IS NULL"},
	{"units of a placed line are all accounted for",
		"SELECT o.number, l.line_no FROM @.order_lines l JOIN @.orders o ON o.id = l.order_id WHERE o.placed_at IS NOT NULL"
	" AND l.canceled + l.allocated + l.backordered + l.short + l.shipped <> l.quantity"},
	{"lines of a draft hold nothing",
		"SELECT o.number, l.line_no FROM @.order_lines l JOIN @.orders o ON o.id = l.order_id WHERE o.placed_at IS NULL"
	" AND l.canceled + l.allocated + l.backordered + l.short + l.shipped + l.delivered + l.returned <> 0"},
	{"a line's units are what its fulfillments carry",
		"SELECT o.number, l.line_no FROM @.order_lines l JOIN @.orders o ON o.id = l.order_id LEFT JOIN"
		" (SELECT fl.order_line_id, sum(fl.quantity) FILTER (WHERE f.stock_state = 'reserved') AS allocated,"
		" sum(fl.quantity) FILTER (WHERE f.shipped_at IS NOT NULL) AS shipped,"
		" sum(fl.quantity) FILTER (WHERE f.delivered_at IS NOT NULL) AS delivered,"
		" sum(fl.quantity) FILTER (WHERE f.shipped_at IS NOT NULL AND f.stock_state = 'released') AS returned,"
		" sum(fl.quantity) FILTER (WHERE f.shipped_at IS NULL AND f.stock_state = 'released' AND NOT f.rerouted) AS canceled"
		" FROM @.fulfillment_lines fl JOIN @.fulfillments f ON f.id = fl.fulfillment_id GROUP BY fl.order_line_id) c"
		" ON c.order_line_id = l.id WHERE l.allocated <> coalesce(c.allocated, 0) OR l.shipped <> coalesce(c.shipped, 0)"
	" OR l.delivered <> coalesce(c.delivered, 0) OR l.returned <> coalesce(c.returned, 0) OR l.canceled < coalesce(c.canceled, 0)"},
	{"an order's units are the sum of its lines",
		"SELECT o.number FROM @.orders o LEFT JOIN (SELECT order_id, sum(quantity) AS units, sum(canceled) AS canceled,"
		" sum(allocated) AS allocated, sum(backordered) AS backordered, sum(short) AS short, sum(shipped) AS shipped,"
		" sum(delivered) AS delivered, sum(returned) AS returned FROM @.order_lines GROUP BY order_id) l ON l.order_id = o.id"
		" WHERE (o.units, o.units_canceled, o.units_allocated, o.units_backordered, o.units_short, o.units_shipped,"
		" o.units_delivered, o.units_returned) IS DISTINCT FROM (coalesce(l.units, 0), coalesce(l.canceled, 0),"
		" coalesce(l.allocated, 0), coalesce(l.backordered, 0), coalesce(l.short, 0), coalesce(l.shipped, 0),"
	" coalesce(l.delivered, 0), coalesce(l.returned, 0))"},
	{"an order's total is the sum of its lines and charges",
		"SELECT o.number, o.total FROM @.orders o WHERE o.total <> coalesce((SELECT sum(l.quantity * l.unit_price - l.discount"
		" + CASE WHEN o.tax_included THEN 0 ELSE l.tax END) FROM @.order_lines l WHERE l.order_id = o.id), 0)"
		" + coalesce((SELECT sum(CASE WHEN c.kind = 'discount' THEN -1 ELSE 1 END * (c.amount + CASE WHEN o.tax_included THEN 0"
	" ELSE c.tax END)) FROM @.order_charges c WHERE c.order_id = o.id), 0)"},
	{"what is credited is the value of canceled units",
		"SELECT o.number, o.credited FROM @.orders o WHERE o.credited <> coalesce((SELECT sum(CASE WHEN l.canceled = l.quantity"
		" THEN v.value ELSE round(v.value * l.canceled / l.quantity, 4) END) FROM @.order_lines l CROSS JOIN LATERAL"
		" (SELECT l.quantity * l.unit_price - l.discount + CASE WHEN o.tax_included THEN 0 ELSE l.tax END AS value) v"
		" WHERE l.order_id = o.id), 0) + CASE WHEN o.units_canceled = o.units AND (o.units > 0 OR o.canceled_at IS NOT NULL)"
		" THEN coalesce((SELECT sum(CASE WHEN c.kind = 'discount' THEN -1 ELSE 1 END * (c.amount + CASE WHEN o.tax_included THEN 0"
	" ELSE c.tax END)) FROM @.order_charges c WHERE c.order_id = o.id), 0) ELSE 0 END"},
	{"open holds are counted",
		"SELECT o.number, o.open_holds FROM @.orders o WHERE o.open_holds <>"
	" (SELECT count(*) FROM @.order_holds h WHERE h.order_id = o.id AND h.released_at IS NULL)"},
	{"an order's axes follow from its counters",
		"SELECT o.number FROM @.orders o WHERE o.revision > 0 AND (o.fulfillment_status <> CASE WHEN o.units_shipped = 0 THEN 'unfulfilled'"
		" WHEN o.units_shipped < o.units - o.units_canceled THEN 'partial'"
		" WHEN o.units_delivered >= o.units - o.units_canceled THEN 'delivered' ELSE 'fulfilled' END"
		" OR o.return_status <> CASE WHEN o.units_returned = 0 THEN 'none' WHEN o.units_returned < o.units_shipped THEN 'partial'"
		" ELSE 'returned' END"
		" OR o.payment_status <> CASE WHEN o.charged_back > 0 THEN 'charged_back'"
		" WHEN o.captured > 0 AND o.refunded >= o.captured THEN 'refunded' WHEN o.captured > 0 AND o.refunded > 0 THEN 'partially_refunded'"
		" WHEN o.captured > 0 AND o.captured >= o.total - o.credited THEN 'paid' WHEN o.captured > 0 THEN 'partially_paid'"
	" WHEN o.authorized > 0 THEN 'authorized' WHEN o.placed_at IS NOT NULL AND o.total = 0 THEN 'paid' ELSE 'unpaid' END)"},
	{"every row is in a state of its workflow",
		"SELECT o.number, o.status FROM @.orders o JOIN @.workflows w ON w.name = o.workflow"
		" WHERE w.entity <> 'order' OR NOT EXISTS (SELECT FROM oms.states(w.compiled) s WHERE s.state = o.status)"
		" UNION ALL SELECT f.number, f.status FROM @.fulfillments f JOIN @.workflows w ON w.name = f.workflow"
	" WHERE w.entity <> 'fulfillment' OR NOT EXISTS (SELECT FROM oms.states(w.compiled) s WHERE s.state = f.status)"},
	{"closed orders are in a final state, others are not",
		"SELECT o.number, o.status FROM @.orders o JOIN @.workflows w ON w.name = o.workflow JOIN LATERAL oms.states(w.compiled) s"
	" ON s.state = o.status WHERE s.is_final <> (o.closed_at IS NOT NULL)"},
	{"the log's last word is the status",
		"SELECT o.number, o.status, e.to_status FROM @.orders o LEFT JOIN LATERAL (SELECT e.to_status FROM @.order_events e"
		" WHERE e.order_id = o.id AND e.entity_id = o.id AND e.event IN ('created', 'moved', 'imported') ORDER BY e.id DESC LIMIT 1) e ON true"
	" WHERE e.to_status IS DISTINCT FROM o.status"},
	{"the log's last word on fulfillments is the status",
		"SELECT f.number, f.status, e.to_status FROM @.fulfillments f LEFT JOIN LATERAL (SELECT e.to_status FROM @.order_events e"
		" WHERE e.order_id = f.order_id AND e.entity_id = f.id AND e.event IN ('created', 'moved', 'imported') ORDER BY e.id DESC LIMIT 1) e ON true"
	" WHERE e.to_status IS DISTINCT FROM f.status"},
	{"the store's triggers are there and enabled",
		"SELECT v.relname, v.tgname FROM (VALUES "
		"('addresses','oms_guard'), ('channels','oms_fixed'), ('channels','oms_guard'), "
		"('customers','oms_fixed'), ('fulfillment_lines','oms_guard'), ('fulfillment_lines','oms_truncate'), "
		"('fulfillments','oms_act_insert'), ('fulfillments','oms_act_update'), ('fulfillments','oms_guard'), "
		"('fulfillments','oms_recheck'), ('fulfillments','oms_truncate'), ('locations','oms_fixed'), "
		"('methods','oms_fixed'), ('methods','oms_guard'), ('order_charges','oms_act_delete'), "
		"('order_charges','oms_act_insert'), ('order_charges','oms_recheck'), "
		"('order_charges','oms_truncate'), ('order_events','oms_insert'), ('order_events','oms_log'), "
		"('order_events','oms_truncate'), ('order_holds','oms_act_delete'), "
		"('order_holds','oms_act_insert'), ('order_holds','oms_act_update'), ('order_holds','oms_guard'), "
		"('order_holds','oms_truncate'), ('order_lines','oms_act_delete'), ('order_lines','oms_act_insert'), "
		"('order_lines','oms_engine'), ('order_lines','oms_guard'), ('order_lines','oms_insert'), "
		"('order_lines','oms_recheck'), ('order_lines','oms_truncate'), ('orders','oms_act_insert'), "
		"('orders','oms_act_update'), ('orders','oms_guard'), ('orders','oms_recheck'), "
		"('orders','oms_truncate'), ('reasons','oms_fixed'), ('settings','oms_invalidate'), "
		"('settings','oms_keep'), ('settings','oms_truncate'), ('skus','oms_fixed'), ('skus','oms_guard'), "
		"('stock','oms_engine'), ('stock','oms_fixed'), ('stock','oms_insert'), ('stock','oms_keep'), "
		"('stock','oms_truncate'), ('stock_movements','oms_act'), ('stock_movements','oms_guard'), "
		"('stock_movements','oms_truncate'), ('workflows','oms_guard'), ('workflows','oms_invalidate')"
		") v(relname, tgname) LEFT JOIN (pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid"
		" AND c.relnamespace = '@'::pg_catalog.regnamespace) ON c.relname = v.relname AND t.tgname = v.tgname"
	" WHERE t.oid IS NULL OR t.tgenabled = 'D' OR (t.tgname = 'oms_invalidate' AND t.tgenabled <> 'A')"},
};

/*
 * spell writes the store's name into a rule: "@." as a schema, '@' as a text.
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
		else
			appendStringInfoChar(&buffer, *text);
	}
	return buffer.data;
}

/*
 * oms_verify_store is oms.verify_store(store).
 */
Datum
oms_verify_store(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 1);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
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
	return (Datum) 0;
}

/*
 * oms_require_no_extension_script refuses to make a store's tables while an
 * extension's script runs: they would become members of that extension.
 */
Datum
oms_require_no_extension_script(PG_FUNCTION_ARGS)
{
	if (creating_extension)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a store cannot be made by an extension's script"),
				 errhint("Its tables would belong to the extension; make it afterwards.")));
	PG_RETURN_VOID();
}
