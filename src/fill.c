/*
 * fill.c
 *	  Giving units that have arrived to the orders that wait for them.
 *
 * Reached from movement.c when a movement brings units.  Orders with short
 * lines are served by priority, then age.  They are locked before the stock
 * rows are, as everywhere; a movement that the engine itself writes (a return)
 * holds other orders already and passes over those that are busy, which the
 * next movement will serve.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "event.h"
#include "fill.h"
#include "lines.h"
#include "oms.h"
#include "plan.h"
#include "sourcing.h"
#include "units.h"

/*
 * The orders that so many units of each SKU can serve, in the order in which
 * they are served: those before whom others wait for less than that.
 */
#define SERVABLE \
	"(SELECT q.order_id FROM (SELECT l.order_id, l.sku, pg_catalog.sum(l.short) OVER (PARTITION BY l.sku" \
	" ORDER BY o.priority, o.placed_at, o.id, l.line_no)" MINUS "l.short AS before" \
	" FROM @.order_lines l JOIN @.orders o ON o.id" EQ "l.order_id WHERE l.sku" EQ "ANY ($1) AND l.short" GT "0) q" \
	" JOIN ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS w(sku, units) ON w.sku" EQ "q.sku" \
	" WHERE q.before" LT "(w.units" PLUS "COALESCE((SELECT pg_catalog.sum(s.available) FROM @.stock s" \
	" WHERE s.sku" EQ "q.sku AND s.available" GT "0), 0)))"

static const StoreQuery lock_waiting = {
	"SELECT o.id FROM @.orders o WHERE o.id" EQ "ANY " SERVABLE " ORDER BY o.id FOR NO KEY UPDATE OF o",
	2, {TEXTARRAYOID, INT8ARRAYOID}
};

static const StoreQuery lock_waiting_at_hand = {
	"SELECT o.id FROM @.orders o WHERE o.id" EQ "ANY " SERVABLE " ORDER BY o.id FOR NO KEY UPDATE OF o SKIP LOCKED",
	2, {TEXTARRAYOID, INT8ARRAYOID}
};

static const StoreQuery read_waiting = {
	"SELECT l.order_id, l.id, l.line_no::pg_catalog.int8, l.sku, s.tracked, l.short, m.code, m.workflow, m.by_partner,"
	" l.location, l.pickup_location, l.ship_group, COALESCE(l.ship_to_id, o.ship_to_id), o.number"
	" FROM ROWS FROM (pg_catalog.unnest($1)) AS w(id) JOIN @.orders o ON o.id" EQ "w.id"
	" JOIN @.order_lines l ON l.order_id" EQ "o.id JOIN @.skus s ON s.code" EQ "l.sku"
	" JOIN @.channels c ON c.code" EQ "o.channel"
	" JOIN @.methods m ON m.code" EQ "COALESCE(l.method, s.default_method, c.default_method)"
	" WHERE l.sku" EQ "ANY ($2) AND l.short" GT "0"
	" ORDER BY o.priority, o.placed_at, o.id, l.line_no",
	2, {UUIDARRAYOID, TEXTARRAYOID}
};

/*
 * The holds that reserve placed because of short units, where none is short
 * any more.  People lock a hold before its order, so it is not waited for.
 */
static const StoreQuery lock_stock_holds = {
	"WITH locked AS (SELECT h.id FROM @.order_holds h WHERE h.order_id" EQ "ANY ($1) AND h.kind" EQ "'stock'"
	" AND h.reason" EQ "'" SHORT_REASON "' AND h.released_at IS NULL FOR NO KEY UPDATE SKIP LOCKED)"
	" SELECT h.id, o.number, NOT EXISTS (SELECT FROM locked k WHERE k.id" EQ "h.id)"
	" FROM ROWS FROM (pg_catalog.unnest($1)) AS w(id) JOIN @.order_holds h ON h.order_id" EQ "w.id"
	" JOIN @.orders o ON o.id" EQ "w.id"
	" WHERE h.kind" EQ "'stock' AND h.reason" EQ "'" SHORT_REASON "' AND h.released_at IS NULL"
	" AND NOT EXISTS (SELECT FROM @.order_lines l WHERE l.order_id" EQ "w.id AND l.short" GT "0)",
	1, {UUIDARRAYOID}
};

static const StoreQuery release_stock_holds = {
	"UPDATE @.order_holds h SET released_at = pg_catalog.clock_timestamp(), released_by = $2 WHERE h.id" EQ "ANY ($1)",
	2, {UUIDARRAYOID, TEXTOID}
};

/*
 * oms_fill_lock locks the orders that wait for units of these SKUs, as many as
 * can be served, and returns their ids.
 */
Array *
oms_fill_lock(Store *store, const Array *skus, const Array *units, bool may_wait)
{
	uint64		count = oms_run(store, may_wait ? &lock_waiting : &lock_waiting_at_hand,
								(Datum[]) {oms_array_datum(skus), oms_array_datum(units)});
	Array	   *ids = oms_array(UUIDOID, count);

	for (uint64 i = 0; i < count; i++)
	{
		pg_uuid_t	id = oms_column_uuid(i, 1);

		oms_array_add_uuid(ids, &id);
	}
	return ids;
}

/*
 * read_demands reads what the orders wait for.
 */
static void
read_demands(Store *store, const Array *skus, const Array *order_ids, Sourcing *sourcing)
{
	uint64		count = oms_run(store, &read_waiting, (Datum[]) {
		oms_array_datum(order_ids), oms_array_datum(skus)
	});

	sourcing->demands = palloc_extended(Max(1, count) * sizeof(Demand), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	sourcing->count = (int) count;
	for (uint64 i = 0; i < count; i++)
	{
		Demand	   *demand = &sourcing->demands[i];

		oms_read_demand(demand, i);
		demand->order_number = oms_column_text(i, 14);
		demand->may_be_short = true;
	}
}

/*
 * oms_fill gives units of these SKUs to the orders, which are locked, as are
 * the stock rows that have just risen.
 */
void
oms_fill(Store *store, const Array *skus, const Array *order_ids)
{
	Sourcing	sourcing = {.never_waits = true};
	UnitChanges *changes;
	Events	   *events;

	if (order_ids->count == 0)
		return;
	read_demands(store, skus, order_ids, &sourcing);
	oms_source_exclude(store, &sourcing);
	oms_source_take(store, &sourcing);
	if (sourcing.npieces == 0)
		return;

	changes = oms_unit_changes(sourcing.count);
	events = oms_events(sourcing.count);
	for (int i = 0; i < sourcing.count; i++)
	{
		Demand	   *demand = &sourcing.demands[i];
		UnitChange *change;

		if (demand->found == 0)
			continue;
		change = oms_unit_change(changes, &demand->order_id, &demand->line_id);
		change->allocated = demand->found;
		change->short_units = -demand->found;
		oms_event_add(events, &demand->order_id, "order_line", &demand->line_id, "filled", NULL, NULL, NULL,
					  psprintf("{\"line\": %d, \"quantity\": " INT64_FORMAT "}", demand->line_no, demand->found));
	}
	oms_source_events(&sourcing, false, events);
	oms_source_finish(store, changes, &sourcing, events);
	oms_release_stock_holds(store, order_ids);
}

/*
 * oms_release_stock_holds releases the holds that short units had placed on
 * orders, where none is short any more.
 */
void
oms_release_stock_holds(Store *store, const Array *order_ids)
{
	uint64		count = oms_run(store, &lock_stock_holds, (Datum[]) {oms_array_datum(order_ids)});
	Array	   *ids = oms_array(UUIDOID, count);

	for (uint64 i = 0; i < count; i++)
	{
		pg_uuid_t	id = oms_column_uuid(i, 1);

		if (oms_column_bool(i, 3))
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("a hold of order \"%s\" is being changed by another session", oms_column_text(i, 2)),
					 errhint("Retry the transaction.")));
		oms_array_add_uuid(ids, &id);
	}
	if (count > 0)
		(void) oms_run(store, &release_stock_holds, (Datum[]) {
			oms_array_datum(ids), CStringGetTextDatum(oms_current_actor())
		});
}
