/*
 * fill.c
 *	  Giving units that are there to the orders that wait for them.
 *
 * Reached from movement.c when a movement brings units, and from tick.c for
 * those that have become free otherwise.  Short units come first, then
 * backordered ones; within each the order's priority decides, then its age.  An
 * order that must ship complete is given all that it waits for or nothing, so
 * that it does not keep units that others could send, and a kit what completes it
 * (fill_kits.c).
 *
 * Orders are locked before stock rows are, as everywhere.  So the plan (sourcing_plan.c)
 * is made twice: on a snapshot, with what is about to arrive, to know which
 * orders to lock, and then for these.  A movement that the engine itself writes
 * (a return) holds other orders already, and tick shares its work with others:
 * they pass over orders that are busy, which the next movement or tick serves.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "backorder.h"
#include "event.h"
#include "fill.h"
#include "lines.h"
#include "oms.h"
#include "plan.h"
#include "sourcing.h"
#include "units.h"

#define MOST_SKUS 100			/* that tick looks at together */

#define WAITS "l.backordered" PLUS "l.short" GT "0"

static const StoreQuery find_waiting = {
	"SELECT DISTINCT l.order_id FROM ROWS FROM (pg_catalog.unnest($1)) AS w(sku) JOIN @.order_lines l ON l.sku" EQ "w.sku"
	" WHERE " WAITS,
	1, {TEXTARRAYOID}
};

/* From one SKU to the next, however many lines wait for each. */
#define NEXT_SKU(last) \
	"SELECT l.sku FROM @.order_lines l WHERE " WAITS " AND l.sku" GT last " ORDER BY l.sku LIMIT 1"

static const StoreQuery find_skus = {
	"WITH RECURSIVE w AS ((" NEXT_SKU("$1") ") UNION ALL SELECT (" NEXT_SKU("w.sku") ") FROM w WHERE w.sku IS NOT NULL)"
	" SELECT w.sku FROM w WHERE w.sku IS NOT NULL"
	" AND EXISTS (SELECT FROM @.stock s WHERE s.sku" EQ "w.sku AND s.available" GT "0) LIMIT $2",
	2, {TEXTOID, INT8OID}
};

static const StoreQuery find_available = {
	"SELECT FROM @.stock s WHERE s.sku" EQ "ANY ($1) AND s.available" GT "0 LIMIT 1", 1, {TEXTARRAYOID}
};

static const StoreQuery find_skus_of_order = {
	"SELECT DISTINCT l.sku FROM @.order_lines l WHERE l.order_id" EQ "$1 AND " WAITS, 1, {UUIDOID}
};

static const StoreQuery lock_orders = {
	"SELECT o.id FROM @.orders o WHERE o.id" EQ "ANY ($1) ORDER BY o.id FOR NO KEY UPDATE", 1, {UUIDARRAYOID}
};

static const StoreQuery lock_orders_at_hand = {
	"SELECT o.id FROM @.orders o WHERE o.id" EQ "ANY ($1) ORDER BY o.id FOR NO KEY UPDATE SKIP LOCKED", 1, {UUIDARRAYOID}
};

#define IS_WARRANTY "s.kind" EQ "'warranty' AND l.per_kit IS NULL"
#define IS_OF_KIT "l.per_kit IS NOT NULL AND l.ship_group IS NOT NULL"

/*
 * In the order in which they are served.  Of an order that must ship complete
 * all is asked for, and together; so are components of a kit, and a warranty with
 * its goods, whose way it goes.
 */
static const StoreQuery read_waiting = {
	"SELECT l.order_id, l.id, l.line_no::pg_catalog.int8, l.sku, s.tracked, k.units, m.code, m.workflow, m.by_partner,"
	" COALESCE(l.location, p.location), COALESCE(l.pickup_location, p.pickup_location), l.ship_group,"
	" COALESCE(l.ship_to_id, p.ship_to_id, o.ship_to_id), o.number, k.is_backordered,"
	" o.ship_complete, l.backorder_policy_id, o.channel, " KIT_COLUMNS("l") ", l.quantity" MINUS "l.backordered" MINUS "l.short"
	", COALESCE(l.requested_at, o.requested_at)"
	" FROM (SELECT DISTINCT u.id FROM ROWS FROM (pg_catalog.unnest($1)) AS u(id)) AS w JOIN @.orders o ON o.id" EQ "w.id"
	" JOIN @.order_lines l ON l.order_id" EQ "o.id AND " WAITS
	" CROSS JOIN LATERAL (VALUES (false, l.short), (true, l.backordered)) AS k(is_backordered, units)"
	" JOIN @.skus s ON s.code" EQ "l.sku JOIN @.channels c ON c.code" EQ "o.channel"
	" LEFT JOIN @.order_lines p ON p.id" EQ "l.parent_line_id AND " IS_WARRANTY " LEFT JOIN @.skus ps ON ps.code" EQ "p.sku"
	" JOIN @.methods m ON m.code" EQ "COALESCE(l.method, p.method, ps.default_method, CASE WHEN p.id IS NULL THEN s.default_method END,"
	" c.default_method, s.default_method)"
	" WHERE k.units" GT "0 AND (o.ship_complete OR l.sku" EQ "ANY ($2) OR (" IS_WARRANTY " OR " IS_OF_KIT ")"
	" AND EXISTS (SELECT FROM @.order_lines g WHERE g.order_id" EQ "o.id AND g.sku" EQ "ANY ($2)"
	" AND (g.id" EQ "l.parent_line_id OR g.parent_line_id" EQ "l.parent_line_id AND g.per_kit IS NOT NULL)))"
	" ORDER BY CASE WHEN o.ship_complete THEN o.units_short" EQ "0 ELSE k.is_backordered END, o.priority, o.placed_at, o.id,"
	" l.line_no, k.is_backordered",
	2, {UUIDARRAYOID, TEXTARRAYOID}
};

/*
 * The holds that reserve placed because of short units, where none is short
 * any more.  People lock a hold before its order, so it is not waited for.
 */
static const StoreQuery lock_stock_holds = {
	"WITH locked AS (SELECT h.id FROM @.order_holds h WHERE h.order_id" EQ "ANY ($1) AND h.kind" EQ "'stock'"
	" AND h.reason" EQ "'" SHORT_REASON "' AND h.released_at IS NULL FOR NO KEY UPDATE SKIP LOCKED)"
	" SELECT h.id, o.number, NOT (h.id" EQ "ANY (SELECT k.id FROM locked k))"
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
 * read_demands reads what orders wait for.
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
		oms_read_requested(demand, i, 22);
		demand->order_number = oms_column_text(i, 14);
		demand->is_backordered = oms_column_bool(i, 15);
		demand->is_whole = oms_column_bool(i, 16);
		if (demand->is_backordered && !oms_column_is_null(i, 17))
			demand->policy_id = oms_column_uuid(i, 17);
		demand->channel = oms_column_text(i, 18);
		oms_read_kit(demand, i, 19);
		demand->ready = oms_column_int64(i, 21);
		demand->may_be_short = true;
	}
	oms_source_exclude(store, sourcing);
}

/*
 * oms_read_waiting_demands reads what an order waits for.
 */
void
oms_read_waiting_demands(Store *store, const pg_uuid_t *id, Sourcing *sourcing)
{
	Array	   *ids = oms_array(UUIDOID, 1);
	Array	   *skus = oms_array(TEXTOID, 8);
	uint64		count = oms_run(store, &find_skus_of_order, (Datum[]) {UUIDPGetDatum(id)});

	for (uint64 i = 0; i < count; i++)
		oms_array_add_text(skus, oms_column_text(i, 1));
	oms_array_add_uuid(ids, id);
	read_demands(store, skus, ids, sourcing);
}

/*
 * ids_of_rows returns the ids that a query has just found.
 */
static Array *
ids_of_rows(uint64 count)
{
	Array	   *ids = oms_array(UUIDOID, count);

	for (uint64 i = 0; i < count; i++)
	{
		pg_uuid_t	id = oms_column_uuid(i, 1);

		oms_array_add_uuid(ids, &id);
	}
	return ids;
}

/*
 * choose_orders returns the orders that would be given units of these SKUs, in
 * the order in which they are served, some twice; numbers as well unless NULL.
 */
static Array *
choose_orders(Store *store, const Array *skus, const StockChanges *arriving, int most, const char **numbers)
{
	Sourcing	sourcing = {.arriving = arriving};
	Array	   *chosen = oms_array(UUIDOID, 8);
	Array	   *waiting;

	if (skus->count == 0)
		return chosen;
	waiting = ids_of_rows(oms_run(store, &find_waiting, (Datum[]) {oms_array_datum(skus)}));
	if (waiting->count == 0)
		return chosen;
	read_demands(store, skus, waiting, &sourcing);
	oms_limit_kits(store, &sourcing);
	oms_plan_sourcing(store, &sourcing, false);
	for (int i = 0; i < sourcing.count && chosen->count < most; i++)
	{
		const Demand *demand = &sourcing.demands[i];

		if (demand->found == 0 || demand->goods_line > 0 ||
			(chosen->count > 0 && oms_uuid_cmp(DatumGetUUIDP(chosen->values[chosen->count - 1]), &demand->order_id) == 0))
			continue;
		if (numbers)
			numbers[chosen->count] = demand->order_number;
		oms_array_add_uuid(chosen, &demand->order_id);
	}
	return chosen;
}

/*
 * oms_fill_lock locks the orders that are to be given units of these SKUs once
 * those that are arriving are there, and returns their ids.
 */
Array *
oms_fill_lock(Store *store, const Array *skus, const StockChanges *arriving, bool may_wait)
{
	Array	   *chosen = choose_orders(store, skus, arriving, INT_MAX, NULL);

	if (chosen->count == 0)
		return chosen;
	return ids_of_rows(oms_run(store, may_wait ? &lock_orders : &lock_orders_at_hand, (Datum[]) {oms_array_datum(chosen)}));
}

/*
 * oms_fill_skus returns some SKUs, after the one given, that orders wait for and
 * units are there of, and moves on to the last of them.
 */
Array *
oms_fill_skus(Store *store, char **last)
{
	uint64		count = oms_run(store, &find_skus, (Datum[]) {CStringGetTextDatum(*last), Int64GetDatum(MOST_SKUS)});
	Array	   *skus = oms_array(TEXTOID, count);

	for (uint64 i = 0; i < count; i++)
		oms_array_add_text(skus, *last = oms_column_text(i, 1));
	return skus;
}

/*
 * oms_fill_orders returns orders that units of these SKUs can be given to, in the
 * order in which they are served, and their numbers; nothing is locked.
 */
Array *
oms_fill_orders(Store *store, const Array *skus, int most, const char **numbers)
{
	return choose_orders(store, skus, NULL, most, numbers);
}

/*
 * compare_pieces orders pieces by order, line and place.
 */
static int
compare_pieces(const void *a, const void *b)
{
	const Piece *left = a;
	const Piece *right = b;
	int			order = oms_uuid_cmp(&left->demand->order_id, &right->demand->order_id);

	if (order == 0)
		order = left->demand->line_no - right->demand->line_no;
	return order != 0 ? order : left->place - right->place;
}

/*
 * gather_pieces puts an order's pieces together, that their fulfillments be as
 * few as can be: its short units were served before its backordered ones, and
 * others between.
 */
static void
gather_pieces(Sourcing *sourcing)
{
	int			kept = 0;

	qsort(sourcing->pieces, sourcing->npieces, sizeof(Piece), compare_pieces);
	for (int i = 0; i < sourcing->npieces; i++)
	{
		if (kept > 0 && compare_pieces(&sourcing->pieces[kept - 1], &sourcing->pieces[i]) == 0)
			sourcing->pieces[kept - 1].quantity += sourcing->pieces[i].quantity;
		else
			sourcing->pieces[kept++] = sourcing->pieces[i];
	}
	sourcing->npieces = kept;
}

/*
 * fill gives units of these SKUs to the orders, which are locked; stock rows
 * that others have locked are passed over.
 */
static void
fill(Store *store, const Array *skus, const Array *order_ids)
{
	Sourcing	sourcing = {.never_waits = true, .whole_kits = true};
	Array	   *were_short = oms_array(UUIDOID, 8);
	UnitChanges *changes;
	Events	   *events;

	if (order_ids->count == 0)
		return;
	read_demands(store, skus, order_ids, &sourcing);
	oms_limit_kits(store, &sourcing);
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
		if (demand->is_backordered)
			change->backordered = -demand->found;
		else
		{
			change->short_units = -demand->found;
			oms_array_add_uuid(were_short, &demand->order_id);
		}
		oms_event_add(events, &demand->order_id, "order_line", &demand->line_id, "filled", NULL, NULL, NULL,
					  oms_waiting_detail(demand->line_no, demand->found, demand->is_backordered ? &demand->policy_id : NULL));
	}
	gather_pieces(&sourcing);
	oms_source_events(&sourcing, false, events);
	oms_source_finish(store, changes, &sourcing, events);
	if (were_short->count > 0)
		oms_release_stock_holds(store, were_short);
}

/*
 * fill_rest gives units of these SKUs that are left to orders that were not known
 * to wait when the others were locked, as they are since, or as those have been
 * served by others meanwhile.  Stock is locked by now, so that none is waited
 * for.
 */
static void
fill_rest(Store *store, const Array *skus)
{
	if (skus->count > 0 && oms_run(store, &find_available, (Datum[]) {oms_array_datum(skus)}) > 0)
		fill(store, skus, oms_fill_lock(store, skus, NULL, false));
}

/*
 * oms_fill gives units of these SKUs to the orders, which are locked, and if they
 * have just arrived what is left to others.  Policies are written last.
 */
void
oms_fill(Store *store, const Array *skus, const Array *order_ids, bool have_arrived)
{
	Deferral	deferral;

	oms_backorder_defer(&deferral, store);
	PG_TRY();
	{
		fill(store, skus, order_ids);
		if (have_arrived)
			fill_rest(store, skus);
	}
	PG_FINALLY();
	{
		oms_backorder_defer_no_more(&deferral);
	}
	PG_END_TRY();
	oms_backorder_settle(store, &deferral, have_arrived);
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
