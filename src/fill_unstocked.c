/*
 * fill_unstocked.c
 *	  Units that wait though no stock is counted for them.
 *
 * Whoever keeps its own books serves whatever it is asked for, and services and
 * downloads take no stock: such units become short where all who could do it have
 * refused.  Nothing arrives that would tell when that is over.  So oms.tick asks here
 * whether there is a location by now that has not refused.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "channel_rules.h"
#include "fill.h"
#include "plan.h"
#include "rows.h"

#define MOST_SKUS 100			/* that tick looks at together */

/*
 * Which location may serve a line is said as in sourcing.  A line that waits has
 * its method (keep_method.c).
 */
static const StoreQuery find_skus = {
	"SELECT DISTINCT l.sku FROM @.order_lines l JOIN @.skus s ON s.code" EQ "l.sku JOIN @.methods m ON m.code" EQ "l.method"
	" WHERE l.backordered" PLUS "l.short" GT "0 AND l.sku" GT "$1 AND (NOT s.tracked OR m.by_partner OR l.location IS NOT NULL)"
	" AND EXISTS (SELECT FROM @.locations p WHERE p.active AND (NOT s.tracked OR NOT p.tracked)"
	" AND CASE WHEN l.location IS NOT NULL THEN l.location" EQ "p.code WHEN m.by_partner THEN " IS_PARTNER("p") " ELSE p.tracked END"
	" AND NOT EXISTS (SELECT FROM @.fulfillments f WHERE f.order_id" EQ "l.order_id AND f.rerouted AND f.location" EQ "p.code))"
	" ORDER BY l.sku LIMIT $2",
	2, {TEXTOID, INT8OID}
};

/*
 * oms_fill_unstocked_skus returns some such SKUs, after the one given, and moves on
 * to the last of them.
 */
Array *
oms_fill_unstocked_skus(Store *store, char **last)
{
	uint64		count = oms_run(store, &find_skus, (Datum[]) {CStringGetTextDatum(*last), Int64GetDatum(MOST_SKUS)});
	Array	   *skus = oms_array(TEXTOID, count);

	for (uint64 i = 0; i < count; i++)
		oms_array_add_text(skus, *last = oms_column_text(i, 1));
	return skus;
}
