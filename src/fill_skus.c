/*
 * fill_skus.c
 *	  Which SKUs oms.tick looks at: those that orders wait for and units may be had of.
 *
 * Of most SKUs units are had where stock is available.  But whoever keeps its own books
 * serves whatever it is asked for, and services and downloads take no stock: such
 * units become short where all who could do it have refused.  Nothing arrives that
 * would tell when that is over.  So oms.tick asks here whether there is a location by
 * now that has not refused.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "channel_rules.h"
#include "fill.h"
#include "plan.h"
#include "rows.h"

#define MOST_SKUS 100			/* that tick looks at together */

#define WAITS "l.backordered" PLUS "l.short" GT "0"

/* From one SKU to the next, however many lines wait for each. */
#define NEXT_SKU(last) \
	"SELECT l.sku FROM @.order_lines l WHERE " WAITS " AND l.sku" GT last " ORDER BY l.sku LIMIT 1"
#define WAITING_SKUS \
	"WITH RECURSIVE w AS ((" NEXT_SKU("$1") ") UNION ALL SELECT (" NEXT_SKU("w.sku") ") FROM w WHERE w.sku IS NOT NULL)"

static const StoreQuery find_skus = {
	WAITING_SKUS " SELECT w.sku FROM w WHERE w.sku IS NOT NULL"
	" AND EXISTS (SELECT FROM @.stock s WHERE s.sku" EQ "w.sku AND s.available" GT "0) LIMIT $2",
	2, {TEXTOID, INT8OID}
};

/*
 * Which location may serve a line is said as in sourcing.  A line that waits has
 * its method (keep_method.c).  Of goods only lines are looked at that may be served
 * from where nothing is counted: one that is named, or a partner's.
 */
static const StoreQuery find_unstocked_skus = {
	WAITING_SKUS " SELECT s.code FROM w JOIN @.skus s ON s.code" EQ "w.sku"
	" WHERE (NOT s.tracked OR (SELECT EXISTS (SELECT FROM @.locations u WHERE u.active AND NOT u.tracked)))"
	" AND EXISTS (SELECT FROM @.order_lines l JOIN @.methods m ON m.code" EQ "l.method JOIN @.locations p ON p.active"
	" AND (NOT s.tracked OR NOT p.tracked) AND CASE WHEN l.location IS NOT NULL THEN l.location" EQ "p.code"
	" WHEN m.by_partner THEN " IS_PARTNER("p") " ELSE p.tracked END"
	" WHERE l.sku" EQ "s.code AND " WAITS " AND (NOT s.tracked"
	" OR l.method" EQ "ANY (ARRAY (SELECT v.code FROM @.methods v WHERE v.by_partner))"
	" OR l.location" EQ "ANY (ARRAY (SELECT u.code FROM @.locations u WHERE u.active AND NOT u.tracked)))"
	" AND NOT EXISTS (SELECT FROM @.fulfillments f"
	" WHERE f.order_id" EQ "l.order_id AND f.rerouted AND NOT f.gave_way AND NOT f.ask_again AND f.location" EQ "p.code)) ORDER BY s.code LIMIT $2",
	2, {TEXTOID, INT8OID}
};

/*
 * run_finder returns some SKUs, after the one given, and moves on to the last of
 * them.
 */
static Array *
run_finder(Store *store, const StoreQuery *finder, char **last)
{
	uint64		count = oms_run(store, finder, (Datum[]) {CStringGetTextDatum(*last), Int64GetDatum(MOST_SKUS)});
	Array	   *skus = oms_array(TEXTOID, count);

	for (uint64 i = 0; i < count; i++)
		oms_array_add_text(skus, *last = oms_column_text(i, 1));
	return skus;
}

/*
 * oms_fill_skus returns some SKUs, after the one given, that orders wait for and
 * units are there of, and moves on to the last of them.
 */
Array *
oms_fill_skus(Store *store, char **last)
{
	return run_finder(store, &find_skus, last);
}

/*
 * oms_fill_unstocked_skus does so with SKUs that somebody may serve who counts no
 * stock.
 */
Array *
oms_fill_unstocked_skus(Store *store, char **last)
{
	return run_finder(store, &find_unstocked_skus, last);
}
