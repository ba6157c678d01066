/*
 * sourcing.c
 *	  From units that are wanted to stock that is taken and fulfillments.
 *
 * Reached by the actions reserve and reroute, and wherever units are sourced
 * anew.  First a plan (sourcing_plan.c), then the taking: one conditional UPDATE of
 * stock.  The plan is advice and the UPDATE the guarantee: where a row had
 * less by then, the UPDATE is rolled back, which also lets go of the rows it
 * had locked, and a new plan is made on a fresh snapshot.  The last try locks
 * the stock first, in order, so that what it says is true.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "backorder.h"
#include "loads.h"
#include "oms.h"
#include "plan.h"
#include "queue.h"
#include "rows.h"
#include "sourcing.h"
#include "sourcing_cost.h"
#include "stock_hold.h"

#define TRIES 5					/* without locking stock first */
#define MOST_QUEUES 32			/* stock rows that one stands in line for */

static StockChanges *changes_of_plan(const Sourcing *sourcing, bool *takes);
static void stand_in_line(const Store *store, const StockChanges *changes);
static bool take_in_subtransaction(Store *store, const Sourcing *sourcing, const StockChanges *changes);
static bool is_refused(const Sourcing *sourcing);
static void refuse_short(Store *store, const Sourcing *sourcing);
static void require_true_shortage(Store *store, Sourcing *sourcing);

/*
 * oms_read_demand reads what the queries for demands have in common: columns 1
 * to 13 of a row.
 */
void
oms_read_demand(Demand *demand, uint64 row)
{
	demand->order_id = oms_column_uuid(row, 1);
	demand->line_id = oms_column_uuid(row, 2);
	demand->line_no = (int) oms_column_int64(row, 3);
	demand->sku = oms_column_text(row, 4);
	demand->tracked = oms_column_bool(row, 5);
	demand->quantity = oms_column_int64(row, 6);
	demand->method = oms_column_text(row, 7);
	demand->workflow = oms_column_text(row, 8);
	demand->by_partner = demand->method && oms_column_bool(row, 9);
	demand->location = oms_column_text(row, 10);
	demand->pickup_location = oms_column_text(row, 11);
	demand->ship_group = oms_column_text(row, 12);
	demand->has_ship_to = !oms_column_is_null(row, 13);
	if (demand->has_ship_to)
		demand->ship_to = oms_column_uuid(row, 13);
}

/*
 * oms_read_kit reads KIT_COLUMNS, which begin at a column.
 */
void
oms_read_kit(Demand *demand, uint64 row, int column)
{
	demand->per_kit = oms_column_is_null(row, column) ? 0 : oms_column_int64(row, column);
	if (!oms_column_is_null(row, column + 1))
		*(demand->per_kit > 0 ? &demand->bundle_line : &demand->goods_line) = (int) oms_column_int64(row, column + 1);
}

/*
 * oms_read_requested reads from a column when the customer wants it, or NULL.
 */
void
oms_read_requested(Demand *demand, uint64 row, int column)
{
	bool		isnull;
	Datum		at = oms_column(row, column, TIMESTAMPTZOID, &isnull);

	demand->has_requested_at = !isnull;
	demand->requested_at = isnull ? 0 : DatumGetTimestampTz(at);
}

/*
 * oms_same_request tells whether two demands are wanted at the same time.
 */
bool
oms_same_request(const Demand *a, const Demand *b)
{
	return a->has_requested_at == b->has_requested_at && a->requested_at == b->requested_at;
}

/*
 * is_limited tells whether any place of the plan has a daily capacity, or room of
 * a day is given back.
 */
static bool
is_limited(const Sourcing *sourcing)
{
	for (int i = 0; i < sourcing->npieces; i++)
	{
		if (sourcing->pieces[i].is_limited)
			return true;
	}
	return sourcing->loads_back && sourcing->loads_back->count > 0;
}

/*
 * oms_source_take plans and takes the stock; each demand then knows what it
 * found.  Raises OM003 where a demand that may not be short would be.  The
 * caller acts as the owner and holds the orders.
 */
void
oms_source_take(Store *store, Sourcing *sourcing)
{
	for (int attempt = 0;; attempt++)
	{
		bool		lock = attempt == TRIES;
		bool		takes;
		StockChanges *changes;

		oms_plan_sourcing(store, sourcing, lock);
		if (oms_reclaim(store, sourcing))
			oms_plan_sourcing(store, sourcing, lock);
		oms_backorder_plan(store, sourcing, lock || sourcing->never_waits);
		if (sourcing->never_waits)
			require_true_shortage(store, sourcing);
		if (is_refused(sourcing))
			oms_require_reclaimed(store, sourcing);
		refuse_short(store, sourcing);
		changes = changes_of_plan(sourcing, &takes);
		if (attempt == 0 && !sourcing->never_waits)
		{
			stand_in_line(store, changes);
			if (sourcing->takes_policies)
				oms_backorder_queue(store, sourcing);
		}
		if (lock || sourcing->never_waits || (!takes && !sourcing->takes_policies && !is_limited(sourcing)))
		{
			if (!oms_stock_apply(store, changes) || !oms_loads_apply(store, oms_loads_of_plan(sourcing)) ||
				!oms_backorder_take(store, sourcing))
				ereport(ERROR,
						(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
						 errmsg("stock that is locked and enough cannot be taken"),
						 errhint("A trigger on table stock, location_loads or backorder_policies of store \"%s\" keeps the engine from writing it.", store->name)));
			return;
		}
		if (take_in_subtransaction(store, sourcing, changes))
			return;
	}
}

/*
 * oms_source_try raises what oms_source_take would for want of stock, on a
 * snapshot, and takes nothing.
 */
void
oms_source_try(Store *store, Sourcing *sourcing)
{
	oms_source_in_thought(store, sourcing);
	refuse_short(store, sourcing);
}

/*
 * oms_source_in_thought finds out what each demand would find, on a snapshot.
 */
void
oms_source_in_thought(Store *store, Sourcing *sourcing)
{
	oms_plan_sourcing(store, sourcing, false);
	if (oms_reclaim_in_thought(store, sourcing))
		oms_plan_sourcing(store, sourcing, false);
	oms_backorder_plan(store, sourcing, false);
}

/*
 * add_changes adds changes to those of a plan.
 */
static void
add_changes(StockChanges *changes, const StockChanges *more)
{
	for (int i = 0; more && i < more->count; i++)
		*oms_stock_change(changes, more->changes[i].sku, more->changes[i].location) = more->changes[i];
}

/*
 * changes_of_plan returns what the plan and what is given back do to stock.
 */
static StockChanges *
changes_of_plan(const Sourcing *sourcing, bool *takes)
{
	StockChanges *changes = oms_stock_changes(sourcing->npieces);

	*takes = false;
	add_changes(changes, sourcing->given_back);
	add_changes(changes, sourcing->held);
	add_changes(changes, sourcing->expired);
	for (int i = 0; i < sourcing->npieces; i++)
	{
		const Piece *piece = &sourcing->pieces[i];
		StockChange *change;

		if (!piece->tracked)
			continue;
		if (piece->held > 0)
		{
			change = oms_stock_change(changes, piece->demand->sku, piece->location);
			change->reserved = piece->held;
			change->converts = true;
		}
		if (piece->quantity == piece->held)
			continue;
		change = oms_stock_change(changes, piece->demand->sku, piece->location);
		change->reserved = piece->quantity - piece->held;
		change->takes = *takes = true;
		change->leaves = piece->leaves;
	}
	oms_stock_merge(changes);
	return changes;
}

/*
 * stand_in_line waits for those who are taking from the same stock rows.  It is
 * skipped where there are many.
 */
static void
stand_in_line(const Store *store, const StockChanges *changes)
{
	if (changes->count > MOST_QUEUES)
		return;
	for (int i = 0; i < changes->count; i++)
	{
		if (changes->changes[i].takes || changes->changes[i].converts)
			(void) oms_stand_in_line(store, QUEUE_STOCK, changes->changes[i].sku, changes->changes[i].location);
	}
}

/*
 * take_in_subtransaction takes the stock, or leaves no trace, not even locks:
 * a new plan may need rows that come before those.
 */
static bool
take_in_subtransaction(Store *store, const Sourcing *sourcing, const StockChanges *changes)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool taken = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		taken = oms_stock_apply(store, changes) && oms_loads_apply(store, oms_loads_of_plan(sourcing)) &&
			oms_backorder_take(store, sourcing);
		if (taken)
			ReleaseCurrentSubTransaction();
		else
			RollbackAndReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContext error_context = MemoryContextSwitchTo(context);
		ErrorData  *error = CopyErrorData();

		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		(void) error_context;
		ReThrowError(error);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return taken;
}

/*
 * oms_lacking returns how many units of a demand neither stock nor a policy
 * serves.
 */
int64
oms_lacking(const Demand *demand)
{
	return demand->quantity - demand->found - demand->backordered;
}

/*
 * lacks tells whether a demand may not be short and is.
 */
static bool
lacks(const Demand *demand)
{
	return !demand->may_be_short && oms_lacking(demand) > 0;
}

/*
 * asked_line returns the number of the line that a customer knows: a component's
 * bundle's.
 */
static int
asked_line(const Demand *demand)
{
	return demand->bundle_line > 0 ? demand->bundle_line : demand->line_no;
}

/*
 * is_refused tells whether any demand may not be short and is.
 */
static bool
is_refused(const Sourcing *sourcing)
{
	for (int i = 0; i < sourcing->count; i++)
	{
		if (lacks(&sourcing->demands[i]))
			return true;
	}
	return false;
}

/*
 * refuse_short raises OM003 for what may not be short; OM009 where a line that
 * takes no stock finds no location.
 */
static void
refuse_short(Store *store, const Sourcing *sourcing)
{
	const Demand *first = NULL;
	int			count = 0;
	StringInfoData detail;

	initStringInfo(&detail);
	for (int i = 0; i < sourcing->count; i++)
	{
		const Demand *demand = &sourcing->demands[i];

		if (!lacks(demand))
			continue;
		if (!first)
			first = demand;
		oms_require_allowed(store, sourcing, demand, asked_line(demand));
		appendStringInfo(&detail, "%s{\"line\":%d,\"sku\":", count++ == 0 ? "[" : ",", asked_line(demand));
		escape_json(&detail, demand->sku);
		appendStringInfoString(&detail, ",\"location\":");
		if (demand->location)
			escape_json(&detail, demand->location);
		else
			appendStringInfoString(&detail, "null");
		appendStringInfo(&detail, ",\"wanted\":" INT64_FORMAT ",\"available\":" INT64_FORMAT,
						 demand->quantity, demand->found);
		if (demand->backordered > 0)
			appendStringInfo(&detail, ",\"backorderable\":" INT64_FORMAT, demand->backordered);
		appendStringInfoChar(&detail, '}');
	}
	if (!first)
		return;
	appendStringInfoChar(&detail, ']');
	if (!first->tracked)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_NO_LOCATION),
				 errmsg("no location can serve sku \"%s\" of order \"%s\", line %d",
						first->sku, first->order_number, asked_line(first)),
				 errdetail_internal("%s", detail.data),
				 errhint("Insert an active location, or name one on the line.")));
	ereport(ERROR,
			(errcode(ERRCODE_OMS_INSUFFICIENT_STOCK),
			 errmsg("not enough stock: sku \"%s\" wants " INT64_FORMAT ", " INT64_FORMAT " available%s%s",
					first->sku, first->quantity, first->found,
					first->backordered > 0 ? psprintf(", " INT64_FORMAT " can be backordered", first->backordered) : "",
					count > 1 ? psprintf(" (and %d more)", count - 1) : ""),
			 errdetail_internal("%s", detail.data),
			 sourcing->is_hold ? errhint("Hold what is available.") :
			 errhint("Order what is available, or set if_short to 'hold' to wait for the rest.")));
}

/*
 * require_true_shortage raises 40001 where units are lacking only because
 * stock rows that were passed over, being locked, may have them.
 */
static void
require_true_shortage(Store *store, Sourcing *sourcing)
{
	if (!is_refused(sourcing))
		return;
	sourcing->never_waits = false;
	oms_source_in_thought(store, sourcing);
	sourcing->never_waits = true;
	if (is_refused(sourcing))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("stock that order \"%s\" wants is being changed by another session",
					sourcing->demands[0].order_number),
			 errhint("Retry the transaction.")));
}

/*
 * oms_waiting_detail returns the detail of an event on units of a line that have
 * no stock, or have got some; policy_id is that of backordered ones, 0 where they
 * are of a warranty, else NULL.
 */
char *
oms_waiting_detail(int line_no, int64 quantity, const pg_uuid_t *policy_id)
{
	if (!policy_id)
		return psprintf("{\"line\": %d, \"quantity\": " INT64_FORMAT "}", line_no, quantity);
	if (oms_uuid_is_nil(policy_id))
		return psprintf("{\"line\": %d, \"quantity\": " INT64_FORMAT ", \"policy\": null}", line_no, quantity);
	return psprintf("{\"line\": %d, \"quantity\": " INT64_FORMAT ", \"policy\": \"%s\"}", line_no, quantity,
					oms_uuid_out(policy_id));
}

/*
 * oms_source_events tells what was allocated, an event an order, and with
 * shorted what has no stock, an event a line for what is short and one for what
 * is backordered.
 */
void
oms_source_events(const Sourcing *sourcing, bool shorted, Events *events)
{
	for (int i = 0; i < sourcing->npieces;)
	{
		const Demand *demand = sourcing->pieces[i].demand;
		StringInfoData detail;
		int64		units = 0;
		int			j = i;

		initStringInfo(&detail);
		for (; j < sourcing->npieces &&
			 oms_uuid_cmp(&sourcing->pieces[j].demand->order_id, &demand->order_id) == 0; j++)
		{
			const Piece *piece = &sourcing->pieces[j];

			appendStringInfo(&detail, "%s{\"line\": %d, \"location\": ", j == i ? "" : ", ", piece->demand->line_no);
			escape_json(&detail, piece->location);
			appendStringInfo(&detail, ", \"quantity\": " INT64_FORMAT "}", piece->quantity);
			units += piece->quantity;
		}
		oms_event_add(events, &demand->order_id, "order", &demand->order_id, "allocated", NULL, NULL, NULL,
					  psprintf("{\"units\": " INT64_FORMAT ", \"lines\": [%s]}", units, detail.data));
		i = j;
	}
	for (int i = 0; shorted && i < sourcing->count; i++)
	{
		const Demand *demand = &sourcing->demands[i];

		if (oms_lacking(demand) > 0)
			oms_event_add(events, &demand->order_id, "order_line", &demand->line_id, "shorted", NULL, NULL, NULL,
						  oms_waiting_detail(demand->line_no, oms_lacking(demand), NULL));
		if (demand->backordered > 0)
			oms_event_add(events, &demand->order_id, "order_line", &demand->line_id, "shorted", NULL, NULL, NULL,
						  oms_waiting_detail(demand->line_no, demand->backordered, &demand->policy_id));
	}
}
