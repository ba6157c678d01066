/*
 * fill_write.c
 *	  Writing what orders were given that waited for units.
 *
 * Reached from fill.c once the stock is taken.  What was served is written so many
 * lines at a time, an order's always together, in a few statements: what one part
 * takes of memory the next uses again, which costs less than memory that is new,
 * and 50,000 lines take no more than 1,000.
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

#define PART 1000				/* lines that are written together */

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
 * oms_is_same_order tells whether two demands are of one order.
 */
bool
oms_is_same_order(const Demand *a, const Demand *b)
{
	return oms_uuid_cmp(&a->order_id, &b->order_id) == 0;
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
 * compare_demands orders demands by order and line.
 */
static int
compare_demands(const void *a, const void *b)
{
	const Demand *left = *(Demand *const *) a;
	const Demand *right = *(Demand *const *) b;
	int			order = oms_uuid_cmp(&left->order_id, &right->order_id);

	if (order == 0)
		order = left->line_no - right->line_no;
	return order != 0 ? order : left->is_backordered - right->is_backordered;
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
 * find_served returns the demands that found units, in order of their orders.
 */
static Demand **
find_served(const Sourcing *sourcing, int *count)
{
	Demand	  **served = palloc_extended(Max(1, sourcing->count) * sizeof(Demand *), MCXT_ALLOC_HUGE);

	*count = 0;
	for (int i = 0; i < sourcing->count; i++)
	{
		if (sourcing->demands[i].found > 0)
			served[(*count)++] = &sourcing->demands[i];
	}
	qsort(served, *count, sizeof(Demand *), compare_demands);
	return served;
}

/*
 * write_part writes what some orders were given: their demands, which were served,
 * and the pieces of the plan that are theirs.
 */
static void
write_part(Store *store, Demand *const *served, int count, Sourcing *part, const OrderStamp *fewest, int nfewest)
{
	Array	   *were_short = oms_array(UUIDOID, 8);
	UnitChanges *changes = oms_unit_changes(count);
	Events	   *events = oms_events(2 * count);

	for (int i = 0; i < count; i++)
	{
		const Demand *demand = served[i];
		UnitChange *change = oms_unit_change(changes, &demand->order_id, &demand->line_id);

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
	oms_stamp_fewest(part, fewest, nfewest, changes);
	oms_source_events(part, false, events);
	oms_source_finish(store, changes, part, events);
	if (were_short->count > 0)
		oms_release_stock_holds(store, were_short);
}

/*
 * oms_fill_write writes what all were given.
 */
void
oms_fill_write(Store *store, Sourcing *sourcing)
{
	int			count;
	Demand	  **served = find_served(sourcing, &count);
	int			nfewest;
	OrderStamp *fewest = oms_sum_fewest(sourcing, &nfewest);
	int			piece = 0;

	gather_pieces(sourcing);
	for (int first = 0, next; first < count; first = next)
	{
		Sourcing	part = *sourcing;
		int			first_piece = piece;

		/* an order's lines are not divided */
		for (next = Min(first + PART, count); next < count && oms_is_same_order(served[next - 1], served[next]); next++)
			;
		while (piece < sourcing->npieces &&
			   (next == count || oms_uuid_cmp(&sourcing->pieces[piece].demand->order_id, &served[next]->order_id) < 0))
			piece++;
		part.pieces += first_piece;
		part.npieces = piece - first_piece;
		oms_spi_begin();
		write_part(store, &served[first], next - first, &part, fewest, nfewest);
		oms_spi_end();
	}
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
