/*
 * order_actions.c
 *	  What an order's moves do: reserve, confirm, release.
 *
 * Reached from moves.c for all rows of a statement at once, as the owner, with
 * the orders locked and read.  Each action claims what it consumes: reserve
 * orders without placed_at, confirm those without confirmed_at, release
 * fulfillments whose stock is reserved.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "actions.h"
#include "bundle.h"
#include "document.h"
#include "event.h"
#include "giveway.h"
#include "lines.h"
#include "moves.h"
#include "oms.h"
#include "payment.h"
#include "plan.h"
#include "sourcing.h"
#include "stock_hold.h"
#include "units.h"

static void act_reserve(Store *store, Mover **rows, int count);
static void act_confirm(Store *store, Mover **rows, int count);
static void act_release(Store *store, Mover **rows, int count);

const Action oms_order_actions[] = {
	{"reserve", act_reserve},
	{"confirm", act_confirm},
	{"release", act_release},
	{NULL, NULL}
};

static const StoreQuery read_demands = {
	"SELECT l.order_id, l.id, l.line_no::pg_catalog.int8, l.sku, s.tracked, l.quantity, m.code, m.workflow, m.by_partner,"
	" l.location, l.pickup_location, l.ship_group, COALESCE(l.ship_to_id, o.ship_to_id), s.active, c.active, c.code, s.kind,"
	" COALESCE(l.requested_at, o.requested_at), (SELECT p.active FROM @.locations p WHERE p.code" EQ "l.pickup_location)"
	" FROM ROWS FROM (pg_catalog.unnest($1)) AS w(id) JOIN @.orders o ON o.id" EQ "w.id"
	" JOIN @.order_lines l ON l.order_id" EQ "o.id JOIN @.skus s ON s.code" EQ "l.sku"
	" JOIN @.channels c ON c.code" EQ "o.channel"
	" LEFT JOIN @.methods m ON m.code" EQ "COALESCE(l.method, s.default_method, c.default_method)"
	" ORDER BY o.priority, o.id, l.line_no",
	1, {UUIDARRAYOID}
};

static const StoreQuery orders_of_nothing = {
	"SELECT o.number FROM @.orders o WHERE o.id" EQ "ANY ($1) AND o.units" EQ "0"
	" AND NOT EXISTS (SELECT FROM @.order_charges c WHERE c.order_id" EQ "o.id) LIMIT 1",
	1, {UUIDARRAYOID}
};

static const StoreQuery confirm_orders = {
	"UPDATE @.orders o SET confirmed_at = pg_catalog.now(), revision = o.revision" PLUS "1"
	" WHERE o.id" EQ "ANY ($1) AND o.confirmed_at IS NULL",
	1, {UUIDARRAYOID}
};

static const StoreQuery lock_reserved = {
	"WITH locked AS (SELECT f.id FROM @.fulfillments f WHERE f.order_id" EQ "ANY ($1) AND f.stock_state" EQ "'reserved'"
	" FOR NO KEY UPDATE SKIP LOCKED)"
	" SELECT f.id, f.order_id, f.number, f.workflow, f.status, NOT EXISTS (SELECT FROM locked k WHERE k.id" EQ "f.id)"
	" FROM ROWS FROM (pg_catalog.unnest($1)) AS w(id) JOIN @.fulfillments f ON f.order_id" EQ "w.id"
	" WHERE f.stock_state" EQ "'reserved' ORDER BY f.id",
	1, {UUIDARRAYOID}
};

static const StoreQuery read_waiting_lines = {
	"SELECT l.order_id, l.id, l.line_no::pg_catalog.int8, l.backordered, l.short"
	" FROM ROWS FROM (pg_catalog.unnest($1)) AS w(id) JOIN @.order_lines l ON l.order_id" EQ "w.id"
	" WHERE l.backordered" GT "0 OR l.short" GT "0",
	1, {UUIDARRAYOID}
};

/*
 * oms_mover_ids returns the rows' ids as an array.
 */
Array *
oms_mover_ids(Mover **rows, int count)
{
	Array	   *ids = oms_array(UUIDOID, count);

	for (int i = 0; i < count; i++)
		oms_array_add_uuid(ids, &rows[i]->id);
	return ids;
}

/*
 * find_row finds a row of the action by id; rows are sorted by it.
 */
static const Mover *
find_row(Mover **rows, int count, const pg_uuid_t *id)
{
	int			low = 0;
	int			high = count - 1;

	while (low <= high)
	{
		int			middle = (low + high) / 2;
		int			order = oms_uuid_cmp(id, &rows[middle]->id);

		if (order == 0)
			return rows[middle];
		if (order < 0)
			high = middle - 1;
		else
			low = middle + 1;
	}
	elog(ERROR, "an order that is not the action's was found");
}

/*
 * oms_require_content refuses orders with neither line nor charge, and such as
 * would cost less than nothing.
 */
void
oms_require_content(Store *store, Mover **rows, int count, const Array *ids)
{
	Datum		zero = DirectFunctionCall1(int4_numeric, Int32GetDatum(0));
	bool		all_have_units = true;

	for (int i = 0; i < count; i++)
	{
		const OrderFacts *order = rows[i]->order;

		all_have_units &= order->units > 0;
		if (DatumGetBool(DirectFunctionCall2(numeric_lt, order->total, zero)))
			oms_document_fault("total", NULL,
							   psprintf("order \"%s\" would cost %s: discounts exceed what they are given on", order->number,
										DatumGetCString(DirectFunctionCall1(numeric_out, order->total))));
	}
	if (!all_have_units && oms_run(store, &orders_of_nothing, (Datum[]) {oms_array_datum(ids)}) > 0)
		oms_document_fault("lines", NULL,
						   psprintf("order \"%s\" has neither line nor charge", oms_column_text(0, 1)));
}

/*
 * require_method refuses a demand that could not be sent in any way.
 */
static void
require_method(const Demand *demand)
{
	if (demand->method)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OMS_NO_LOCATION),
			 errmsg("line %d of order \"%s\" has no method", demand->line_no, demand->order_number),
			 errdetail_internal("[{\"line\":%d,\"sku\":%s,\"location\":null,\"wanted\":" INT64_FORMAT ",\"available\":0}]",
								demand->line_no, oms_json_text(demand->sku), demand->quantity),
			 errhint("Give the line a method, its SKU a default_method or its channel a default_method.")));
}

/*
 * read_demand_rows reads what the orders want, bundles as their components, whose
 * lines it returns; NULL: there are no bundles.  A warranty may have its method from
 * its goods.
 */
static Expansion *
read_demand_rows(Store *store, Mover **rows, int count, const Array *ids, Sourcing *sourcing)
{
	uint64		found = oms_run(store, &read_demands, (Datum[]) {oms_array_datum(ids)});
	Expansion  *expansion;

	sourcing->demands = palloc_extended(Max(1, found) * sizeof(Demand), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	sourcing->count = (int) found;
	for (uint64 i = 0; i < found; i++)
	{
		Demand	   *demand = &sourcing->demands[i];
		const Mover *row;

		oms_read_demand(demand, i);
		oms_read_requested(demand, i, 18);
		row = find_row(rows, count, &demand->order_id);
		demand->order_number = row->order->number;
		demand->channel = oms_column_text(i, 16);
		demand->may_be_short = row->order->hold_if_short;
		demand->is_bundle = strcmp(oms_column_text(i, 17), "bundle") == 0;
		demand->is_warranty = strcmp(oms_column_text(i, 17), "warranty") == 0;
		demand->may_be_backordered = true;
		if (!demand->is_bundle && !demand->is_warranty)
			require_method(demand);
		if (!oms_column_bool(i, 14))
			oms_document_fault(psprintf("lines[%d]", demand->line_no - 1), "sku",
							   psprintf("sku \"%s\" is not active", demand->sku));
		if (!oms_column_is_null(i, 19) && !oms_column_bool(i, 19))
			oms_document_fault(psprintf("lines[%d]", demand->line_no - 1), "pickup_location",
							   psprintf("location \"%s\" is not active", demand->pickup_location));
		if (!oms_column_bool(i, 15))
			oms_document_fault("channel", NULL, psprintf("channel \"%s\" is not active", oms_column_text(i, 16)));
	}
	expansion = oms_expand_demands(store, sourcing);
	for (int i = 0; i < sourcing->count; i++)
		require_method(&sourcing->demands[i]);
	return expansion;
}

/*
 * oms_read_draft_demands reads what a draft wants.
 */
void
oms_read_draft_demands(Store *store, const pg_uuid_t *id, Sourcing *sourcing)
{
	Mover		mover = {.id = *id, .order_id = *id};
	Mover	   *row = &mover;

	oms_peek(store, ENTITY_ORDER, row, 1);
	if (row->order)
		(void) read_demand_rows(store, &row, 1, oms_mover_ids(&row, 1), sourcing);
}

/*
 * hold_and_finish holds the orders that are short or beyond their customer's
 * credit, then counts what all of them have.  Until that is counted, an order
 * looks as if nothing had to be paid for it, so no automatic move is judged by
 * the writes of the holds.
 */
static void
hold_and_finish(Store *store, const Array *held, const Array *beyond, UnitChanges *units, Sourcing *sourcing,
				Events *events)
{
	Postponement waiting;

	oms_postpone(&waiting, store, true);
	PG_TRY();
	{
		if (held->count > 0)
			oms_place_holds(store, held, "stock", SHORT_REASON);
		if (beyond->count > 0)
			oms_hold_credit(store, beyond);
	}
	PG_FINALLY();
	{
		oms_postpone_no_more(&waiting);
	}
	PG_END_TRY();
	oms_source_finish(store, units, sourcing, events);
	if (waiting.orders->count > 0)
		oms_settle_or_postpone(store, ENTITY_ORDER, waiting.orders, waiting.orders);
}

/*
 * act_reserve takes stock for orders: lines are fixed from here on.  What is
 * not found is refused (OM003), or becomes short and holds the order.
 */
static void
act_reserve(Store *store, Mover **rows, int count)
{
	Mover	  **claimed = palloc(Max(1, count) * sizeof(Mover *));
	int			nclaimed = 0;
	Sourcing	sourcing = {.is_first = true, .counts_fewest = true};
	OrderStamp *fewest;
	int			nfewest;
	UnitChanges *units;
	Events	   *events = oms_events(count);
	Array	   *held = oms_array(UUIDOID, 4);
	Array	   *ids;
	Credit		credit;
	Expansion  *expansion;

	for (int i = 0; i < count; i++)
	{
		if (rows[i]->order && !rows[i]->order->is_placed)
			claimed[nclaimed++] = rows[i];
	}
	if (nclaimed == 0)
		return;
	ids = oms_mover_ids(claimed, nclaimed);
	oms_require_content(store, claimed, nclaimed, ids);
	expansion = read_demand_rows(store, claimed, nclaimed, ids, &sourcing);
	credit = oms_judge_credit(store, ids);	/* locks customers, before stock */
	units = oms_unit_changes(sourcing.count);
	if (expansion)
		oms_expansion_write(store, expansion, units, events);
	sourcing.never_waits = oms_stock_is_locked();
	for (int i = 0; i < nclaimed; i++)
		oms_take_pending_hold(store, &claimed[i]->id, &sourcing);
	oms_source_take(store, &sourcing);

	units->lines_are_ours = true;
	for (int i = 0; i < nclaimed; i++)
	{
		units->lines_are_ours &= claimed[i]->order->is_new;
		oms_order_stamp(units, &claimed[i]->id)->is_placed = true;
	}
	fewest = oms_sum_fewest(&sourcing, &nfewest);
	oms_stamp_fewest(&sourcing, fewest, nfewest, units);
	for (int i = 0; i < credit.approved->count; i++)
		oms_order_stamp(units, DatumGetUUIDP(credit.approved->values[i]))->is_approved = true;
	for (int i = 0; i < sourcing.count; i++)
	{
		Demand	   *demand = &sourcing.demands[i];
		UnitChange *change = oms_unit_change(units, &demand->order_id, &demand->line_id);

		change->allocated = demand->found;
		change->backordered = demand->backordered;
		change->policy_id = demand->policy_id;
		change->short_units = oms_lacking(demand);
		if (change->short_units > 0 &&
			(held->count == 0 || oms_uuid_cmp(DatumGetUUIDP(held->values[held->count - 1]), &demand->order_id) != 0))
			oms_array_add_uuid(held, &demand->order_id);
	}
	oms_source_events(&sourcing, true, events);
	if (held->count + credit.refused->count > 0)
	{
		oms_events_write(store, events);
		events = oms_events(4);
	}
	hold_and_finish(store, held, credit.refused, units, &sourcing, events);
	oms_keep_methods(store, &sourcing);
}

/*
 * oms_try_reserve raises what act_reserve would refuse an order for, on a snapshot.
 */
void
oms_try_reserve(Store *store, Mover *row)
{
	Sourcing	sourcing = {.is_first = true};
	Array	   *ids = oms_mover_ids(&row, 1);

	oms_require_content(store, &row, 1, ids);
	(void) read_demand_rows(store, &row, 1, ids, &sourcing);
	oms_source_try(store, &sourcing);
}

/*
 * act_confirm says when the order was confirmed.
 */
static void
act_confirm(Store *store, Mover **rows, int count)
{
	Mover	  **open = palloc(Max(1, count) * sizeof(Mover *));
	int			nopen = 0;

	for (int i = 0; i < count; i++)
	{
		if (rows[i]->order && !rows[i]->order->is_confirmed)
			open[nopen++] = rows[i];
	}
	if (nopen > 0)
		(void) oms_run(store, &confirm_orders, (Datum[]) {oms_array_datum(oms_mover_ids(open, nopen))});
}

/*
 * oms_releasing_move returns the move by which a fulfillment gives its units back,
 * OM002 where it has none.
 */
const MachineMove *
oms_releasing_move(const Machine *machine, const char *number, const char *status)
{
	const MachineMove *move = oms_machine_move_by_action(machine, oms_machine_state(machine, status), "release");

	if (!move)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_GUARD_REFUSED),
				 errmsg("fulfillment \"%s\" cannot be released from \"%s\"", number, status),
				 errdetail("No move of workflow \"%s\" leaves that state and does release.", machine->name),
				 errhint("Move the fulfillment to a state from which it can be released first.")));
	return move;
}

/*
 * release_fulfillments has every fulfillment that holds stock take its own
 * move that does release.
 */
static void
release_fulfillments(Store *store, Mover **rows, int count, const Array *orders)
{
	uint64		found;
	Array	   *ids = oms_array(UUIDOID, 4);
	Array	   *from = oms_array(TEXTOID, 4);
	Array	   *to = oms_array(TEXTOID, 4);
	Array	   *reasons = oms_array(TEXTOID, 4);

	oms_keep_workflows(store, ENTITY_FULFILLMENT);
	found = oms_run(store, &lock_reserved, (Datum[]) {oms_array_datum(orders)});

	for (uint64 i = 0; i < found; i++)
	{
		pg_uuid_t	id = oms_column_uuid(i, 1);
		pg_uuid_t	order_id = oms_column_uuid(i, 2);
		char	   *number = oms_column_name(i, 3);
		char	   *status = oms_column_name(i, 5);
		Machine    *machine = oms_machine(store, oms_column_name(i, 4), ENTITY_FULFILLMENT);
		const MachineMove *move;

		if (oms_column_bool(i, 6))
			oms_busy(number);
		move = oms_releasing_move(machine, number, status);
		oms_array_add_uuid(ids, &id);
		oms_array_add_text(from, status);
		oms_array_add_text(to, oms_machine_state_name(machine, move->to));
		oms_array_add_text(reasons, find_row(rows, count, &order_id)->reason);
	}
	oms_move_fulfillments(store, ids, from, to, reasons);
}

/*
 * act_release lets go of all that orders hold: stock by way of their
 * fulfillments, then what was still waited for.
 */
static void
act_release(Store *store, Mover **rows, int count)
{
	Array	   *ids = oms_mover_ids(rows, count);
	Events	   *events = oms_events(4);
	UnitChanges *units;
	uint64		found;

	release_fulfillments(store, rows, count, ids);

	found = oms_run(store, &read_waiting_lines, (Datum[]) {oms_array_datum(ids)});
	units = oms_unit_changes(found);
	for (int i = 0; i < count; i++)
		oms_order_stamp(units, &rows[i]->id)->is_canceled = true;
	for (uint64 i = 0; i < found; i++)
	{
		pg_uuid_t	order_id = oms_column_uuid(i, 1);
		pg_uuid_t	line_id = oms_column_uuid(i, 2);
		UnitChange *change = oms_unit_change(units, &order_id, &line_id);

		change->backordered = -oms_column_int64(i, 4);
		change->short_units = -oms_column_int64(i, 5);
		change->canceled = -change->backordered - change->short_units;
		oms_event_add(events, &order_id, "order_line", &line_id, "canceled_units", NULL, NULL,
					  find_row(rows, count, &order_id)->reason,
					  psprintf("{\"line\": " INT64_FORMAT ", \"quantity\": " INT64_FORMAT "}",
							   oms_column_int64(i, 3), change->canceled));
	}
	oms_events_write(store, events);
	oms_units_apply(store, units);
}
