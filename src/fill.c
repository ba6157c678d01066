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
 * orders to lock, and then for these, which are read again where one has been
 * written since (fill_read.c).  A movement that the engine itself writes
 * (a return) holds other orders already, and tick shares its work with others:
 * they pass over orders that are busy, which the next movement or tick serves.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "backorder.h"
#include "fill.h"
#include "oms.h"
#include "plan.h"
#include "sourcing.h"

#define AHEAD 2					/* demands to look at for each order that is
								 * to be served */

#define WAITING_LINES "ROWS FROM (pg_catalog.unnest($1)) AS w(sku) JOIN @.order_lines l ON l.sku" EQ "w.sku"
#define WAITS "l.backordered" PLUS "l.short" GT "0"

static const StoreQuery find_waiting = {
	"SELECT DISTINCT l.order_id FROM " WAITING_LINES " WHERE " WAITS, 1, {TEXTARRAYOID}
};

/* Of so many lines, that are served first: the same demands are first of all. */
static const StoreQuery find_first = {
	"SELECT l.order_id FROM " WAITING_LINES " JOIN @.orders o ON o.id" EQ "l.order_id WHERE " WAITS
	" ORDER BY CASE WHEN o.ship_complete THEN o.units_short ELSE l.short END" EQ "0, o.priority, o.placed_at, o.id LIMIT $2",
	2, {TEXTARRAYOID, INT8OID}
};

static const StoreQuery find_available = {
	"SELECT FROM @.stock s WHERE s.sku" EQ "ANY ($1) AND s.available" GT "0 LIMIT 1", 1, {TEXTARRAYOID}
};

static const StoreQuery lock_orders = {
	"SELECT o.id FROM @.orders o WHERE o.id" EQ "ANY ($1) ORDER BY o.id FOR NO KEY UPDATE", 1, {UUIDARRAYOID}
};

static const StoreQuery lock_orders_at_hand = {
	"SELECT o.id FROM @.orders o WHERE o.id" EQ "ANY ($1) ORDER BY o.id FOR NO KEY UPDATE SKIP LOCKED", 1, {UUIDARRAYOID}
};

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
 * find_orders returns the orders that wait for units of these SKUs.
 */
static Array *
find_orders(Store *store, const Array *skus)
{
	return skus->count == 0 ? oms_array(UUIDOID, 0)
		: ids_of_rows(oms_run(store, &find_waiting, (Datum[]) {oms_array_datum(skus)}));
}

/*
 * has_kits tells whether parts of kits wait.
 */
static bool
has_kits(const Sourcing *sourcing)
{
	for (int i = 0; i < sourcing->count; i++)
	{
		if (oms_is_kit_part(&sourcing->demands[i]))
			return true;
	}
	return false;
}

/*
 * has_warranties tells whether warranties wait.
 */
static bool
has_warranties(const Sourcing *sourcing)
{
	for (int i = 0; i < sourcing->count; i++)
	{
		if (sourcing->demands[i].goods_line > 0)
			return true;
	}
	return false;
}

/*
 * plan plans on a snapshot what those who wait would be given.
 */
static void
plan(Store *store, Sourcing *sourcing)
{
	oms_limit_kits(store, sourcing);
	oms_plan_sourcing(store, sourcing, false);
}

/*
 * chosen returns the orders that were given units by a plan, at most so many, in the
 * order in which they are served, some twice.  A warranty alone is no reason: it
 * goes with its goods.
 */
static const Demand **
chosen(const Sourcing *sourcing, int most, int *count)
{
	const Demand **orders = palloc_extended(Max(1, sourcing->count) * sizeof(Demand *), MCXT_ALLOC_HUGE);

	*count = 0;
	for (int i = 0; i < sourcing->count && *count < most; i++)
	{
		const Demand *demand = &sourcing->demands[i];

		if (demand->found > 0 && demand->goods_line == 0 &&
			(*count == 0 || !oms_is_same_order(orders[*count - 1], demand)))
			orders[(*count)++] = demand;
	}
	return orders;
}

/*
 * keep_demands keeps of the demands that were read those of orders that are locked.
 */
static void
keep_demands(Waiting *waiting, const Sourcing *sourcing, DemandVersion *versions)
{
	int			norders = waiting->order_ids->count;
	pg_uuid_t  *ids = palloc_extended(Max(1, norders) * sizeof(pg_uuid_t), MCXT_ALLOC_HUGE);

	waiting->demands = sourcing->demands;
	waiting->versions = versions;
	for (int i = 0; i < norders; i++)
		ids[i] = *DatumGetUUIDP(waiting->order_ids->values[i]);
	for (int i = 0; i < sourcing->count; i++)
	{
		if (!bsearch(&sourcing->demands[i].order_id, ids, norders, sizeof(pg_uuid_t), oms_uuid_cmp))
			continue;
		waiting->versions[waiting->count] = versions[i];
		waiting->demands[waiting->count++] = sourcing->demands[i];
	}
}

/*
 * oms_fill_lock locks the orders that are to be given units of these SKUs once
 * those that are arriving are there.
 */
Waiting *
oms_fill_lock(Store *store, const Array *skus, const StockChanges *arriving, bool may_wait)
{
	Waiting    *waiting = palloc0(sizeof(Waiting));
	Sourcing	sourcing = {.arriving = arriving};
	Array	   *order_ids = find_orders(store, skus);
	DemandVersion *versions;
	const Demand **orders;
	int			count;
	bool		keeps;

	waiting->order_ids = oms_array(UUIDOID, 0);
	if (order_ids->count == 0)
		return waiting;
	oms_fill_read(store, skus, order_ids, PG_INT64_MAX, &sourcing, &versions);
	/* a plan limits kits, and of a warranty its goods' line says the way */
	keeps = !has_kits(&sourcing) && !has_warranties(&sourcing);
	plan(store, &sourcing);
	orders = chosen(&sourcing, INT_MAX, &count);
	if (count == 0)
		return waiting;
	order_ids = oms_array(UUIDOID, count);
	for (int i = 0; i < count; i++)
		oms_array_add_uuid(order_ids, &orders[i]->order_id);
	waiting->order_ids = ids_of_rows(oms_run(store, may_wait ? &lock_orders : &lock_orders_at_hand,
											 (Datum[]) {oms_array_datum(order_ids)}));
	if (keeps)
		keep_demands(waiting, &sourcing, versions);
	return waiting;
}

/*
 * read_all reads all demands.
 */
static void
read_all(Store *store, const Array *skus, Sourcing *sourcing)
{
	*sourcing = (Sourcing) {0};
	oms_fill_read(store, skus, find_orders(store, skus), PG_INT64_MAX, sourcing, NULL);
}

/*
 * read_first reads the first so many demands, without the last order, of which
 * there may be more; all where parts of kits are among them, which may lack what
 * comes later.  Returns whether there are more.
 */
static bool
read_first(Store *store, const Array *skus, int64 most, Sourcing *sourcing)
{
	Array	   *order_ids = ids_of_rows(oms_run(store, &find_first, (Datum[]) {oms_array_datum(skus), Int64GetDatum(most)}));
	const Demand *last;

	oms_fill_read(store, skus, order_ids, most, sourcing, NULL);
	if (sourcing->count < most)
		return order_ids->count == most;	/* some have been served just now */
	if (has_kits(sourcing))
	{
		read_all(store, skus, sourcing);
		return false;
	}
	last = &sourcing->demands[--sourcing->count];
	while (sourcing->count > 0 && oms_is_same_order(&sourcing->demands[sourcing->count - 1], last))
		sourcing->count--;
	return true;
}

/*
 * oms_fill_orders returns orders that units of these SKUs can be given to, in the
 * order in which they are served, and their numbers; nothing is locked.
 */
Array *
oms_fill_orders(Store *store, const Array *skus, int most, const char **numbers)
{
	MemoryContext caller = CurrentMemoryContext;
	Array	   *ids = oms_array(UUIDOID, most);
	Sourcing	sourcing = {0};
	const Demand **orders;
	int			count;
	bool		has_more;

	oms_spi_begin();
	/* those who come first are often enough, however many wait */
	has_more = read_first(store, skus, AHEAD * (int64) most, &sourcing);
	plan(store, &sourcing);
	orders = chosen(&sourcing, most, &count);
	if (has_more && count < most)
	{
		read_all(store, skus, &sourcing);
		plan(store, &sourcing);
		orders = chosen(&sourcing, most, &count);
	}
	MemoryContextSwitchTo(caller);
	for (int i = 0; i < count; i++)
	{
		numbers[i] = pstrdup(orders[i]->order_number);
		oms_array_add_uuid(ids, &orders[i]->order_id);
	}
	oms_spi_end();
	return ids;
}

/*
 * fill gives units of these SKUs to the orders, which are locked; stock rows
 * that others have locked are passed over.
 */
static void
fill(Store *store, const Array *skus, const Waiting *waiting)
{
	Sourcing	sourcing = {
		.never_waits = true, .whole_kits = true, .counts_fewest = true, .demands = waiting->demands, .count = waiting->count
	};

	if (waiting->order_ids->count == 0)
		return;
	if (!waiting->demands || !oms_fill_are_unchanged(store, waiting))
		oms_fill_read(store, skus, waiting->order_ids, PG_INT64_MAX, &sourcing, NULL);
	oms_limit_kits(store, &sourcing);
	oms_source_take(store, &sourcing);
	if (sourcing.npieces > 0)
		oms_fill_write(store, &sourcing);
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
oms_fill(Store *store, const Array *skus, const Waiting *waiting, bool have_arrived)
{
	Deferral	deferral;

	oms_backorder_defer(&deferral, store);
	PG_TRY();
	{
		fill(store, skus, waiting);
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
