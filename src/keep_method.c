/*
 * keep_method.c
 *	  Units that wait go by the method that they were sold with.
 *
 * A line that names no method goes as its SKU says, else its channel.  What
 * waits is sent much later, and people change those defaults meanwhile: so the
 * line of units that found no stock is given the method that it had by then.
 * Lines that are served at once need no such write; their fulfillments have it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "plan.h"
#include "rows.h"
#include "sourcing.h"

static const StoreQuery keep_methods = {
	"UPDATE @.order_lines l SET method = w.method, revision = l.revision" PLUS "1"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS w(id, method) WHERE l.id" EQ "w.id AND l.method IS NULL",
	2, {UUIDARRAYOID, TEXTARRAYOID}
};

/*
 * oms_keep_methods writes the methods of lines that units of the demands wait for.
 * Their counters are written by then, so nobody else has the lines.
 */
void
oms_keep_methods(Store *store, const Sourcing *sourcing)
{
	Array	   *ids = oms_array(UUIDOID, 4);
	Array	   *methods = oms_array(TEXTOID, 4);

	for (int i = 0; i < sourcing->count; i++)
	{
		const Demand *demand = &sourcing->demands[i];

		if (demand->backordered + oms_lacking(demand) == 0)
			continue;
		oms_array_add_uuid(ids, &demand->line_id);
		oms_array_add_text(methods, demand->method);
	}
	if (ids->count > 0)
		(void) oms_run(store, &keep_methods, (Datum[]) {oms_array_datum(ids), oms_array_datum(methods)});
}
