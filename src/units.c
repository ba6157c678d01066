/*
 * units.c
 *	  Changing the counters of lines and orders.
 *
 * An action says what becomes of which units; here that is merged by line and
 * by order and written by two statements, lines first, whatever their number.
 * The orders are locked by then, and nobody changes a line's counters without
 * holding its order; a person who edits a line does hold the line first, so
 * lines are not waited for (40001).  The order's row comes after: its trigger
 * may make automatic moves, which must find everything else in place.  What does
 * not wait any more is taken off its policy last, as policies are locked last.
 *
 * Canceled units are credited in proportion to their line; the last unit takes
 * the rounding.  Charges are credited when every unit is canceled.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "backorder.h"
#include "plan.h"
#include "rows.h"
#include "units.h"

/* What is credited of an amount when so many units of the line are canceled. */
#define CREDIT(amount, units) \
	"CASE WHEN " units EQ "l.quantity THEN " amount \
	" ELSE pg_catalog.round(" amount TIMES units OVER "l.quantity, 4) END"
#define NET "(l.quantity" TIMES "l.unit_price" MINUS "l.discount)"
#define GROSS "(l.quantity" TIMES "l.unit_price" MINUS "l.discount" PLUS "l.tax)"
#define BEFORE "(l.canceled" MINUS "c.canceled)"

#define CHANGE_LINES(assignment, array, column) \
	"UPDATE @.order_lines l SET canceled" " = l.canceled" PLUS "c.canceled, allocated = l.allocated" PLUS "c.allocated," \
	" backordered = l.backordered" PLUS "c.backordered, short = l.short" PLUS "c.short, shipped = l.shipped" PLUS "c.shipped," \
	" delivered = l.delivered" PLUS "c.delivered, returned = l.returned" PLUS "c.returned, revision = l.revision" PLUS "1" \
	assignment \
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4)," \
	" pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8)" array ")" \
	" AS c(id, canceled, allocated, backordered, short, shipped, delivered, returned" column ")" \
	" WHERE l.id" EQ "c.id" \
	" RETURNING l.order_id," \
	" CASE WHEN c.canceled" EQ "0 THEN 0 ELSE (" CREDIT(NET, "l.canceled") ")" MINUS "(" CREDIT(NET, BEFORE) ") END," \
	" CASE WHEN c.canceled" EQ "0 THEN 0 ELSE (" CREDIT(GROSS, "l.canceled") ")" MINUS "(" CREDIT(GROSS, BEFORE) ") END," \
	" l.backorder_policy_id, c.backordered"

/* Where units become backordered, and everywhere else. */
static const StoreQuery backorder_lines = {
	CHANGE_LINES(", backorder_policy_id = COALESCE(c.policy, l.backorder_policy_id)", ", pg_catalog.unnest($9)", ", policy"),
	9, {
		UUIDARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID,
		INT8ARRAYOID, INT8ARRAYOID, UUIDARRAYOID
	}
};

static const StoreQuery change_lines = {
	CHANGE_LINES("", "", ""),
	8, {
		UUIDARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID,
		INT8ARRAYOID, INT8ARRAYOID
	}
};

static const StoreQuery lock_lines = {
	"SELECT l.id FROM @.order_lines l WHERE l.id" EQ "ANY ($1) ORDER BY l.id FOR NO KEY UPDATE SKIP LOCKED",
	1, {UUIDARRAYOID}
};

static const StoreQuery change_orders = {
	"UPDATE @.orders o SET status = o.status, units = o.units" PLUS "c.units, units_canceled = o.units_canceled" PLUS "c.canceled,"
	" units_allocated = o.units_allocated" PLUS "c.allocated, units_backordered = o.units_backordered" PLUS "c.backordered,"
	" units_short = o.units_short" PLUS "c.short, units_shipped = o.units_shipped" PLUS "c.shipped,"
	" units_delivered = o.units_delivered" PLUS "c.delivered, units_returned = o.units_returned" PLUS "c.returned,"
	" credited = o.credited" PLUS "CASE WHEN o.tax_included THEN c.net ELSE c.gross END"
	PLUS "CASE WHEN (c.canceled" GT "0 AND o.units_canceled" PLUS "c.canceled" EQ "o.units)"
	" OR (c.is_canceled AND o.units" EQ "0 AND o.canceled_at IS NULL)"
	" THEN COALESCE((SELECT pg_catalog.sum(CASE WHEN h.kind" EQ "'discount' THEN -1 ELSE 1 END"
	TIMES "(h.amount" PLUS "CASE WHEN o.tax_included THEN 0 ELSE h.tax END)) FROM @.order_charges h WHERE h.order_id" EQ "o.id), 0)"
	" ELSE 0 END,"
	" placed_at = CASE WHEN c.is_placed THEN pg_catalog.now() ELSE o.placed_at END,"
	" payment_required = CASE WHEN c.is_placed THEN (SELECT n.payment_required FROM @.channels n WHERE n.code" EQ "o.channel)"
	" ELSE o.payment_required END,"
	" canceled_at = CASE WHEN c.is_canceled THEN pg_catalog.now() ELSE o.canceled_at END,"
	" credit_approved = (o.credit_approved OR c.is_approved),"
	" fewest_shipments = CASE WHEN c.is_placed THEN c.fewest ELSE o.fewest_shipments" PLUS "c.fewest END,"
	" revision = o.revision" PLUS "1"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4),"
	" pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8), pg_catalog.unnest($9),"
	" pg_catalog.unnest($10), pg_catalog.unnest($11), pg_catalog.unnest($12), pg_catalog.unnest($13), pg_catalog.unnest($14),"
	" pg_catalog.unnest($15))"
	" AS c(id, canceled, allocated, backordered, short, shipped, delivered, returned, net, gross, is_placed, is_canceled,"
	" is_approved, units, fewest)"
	" WHERE o.id" EQ "c.id AND NOT (c.is_placed AND o.placed_at IS NOT NULL)",
	15, {
		UUIDARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID,
		INT8ARRAYOID, INT8ARRAYOID, NUMERICARRAYOID, NUMERICARRAYOID, BOOLARRAYOID, BOOLARRAYOID, BOOLARRAYOID,
		INT8ARRAYOID, INT8ARRAYOID
	}
};

/*
 * The status is named as a target of the UPDATE because the BEFORE trigger may
 * make an automatic move in it: so a user's trigger ON UPDATE OF status fires.
 */

/* The sums of one order. */
typedef struct OrderChange
{
	UnitChange	sum;			/* line_id holds the order's id: sorted by it */
	Datum		net;
	Datum		gross;
	bool		is_placed;
	bool		is_canceled;
	bool		is_approved;
	int64		units;
	int64		fewest;
} OrderChange;

static PolicyUnits *apply_to_lines(Store *store, const UnitChanges *list, OrderChange *orders,
								   int count, int *npolicies);
static void apply_to_orders(Store *store, const OrderChange *orders, int count);

/*
 * oms_unit_changes makes an empty list.
 */
UnitChanges *
oms_unit_changes(int capacity)
{
	UnitChanges *list = palloc0(sizeof(UnitChanges));

	list->capacity = Max(capacity, 8);
	list->changes = palloc(list->capacity * sizeof(UnitChange));
	list->stamps_capacity = 8;
	list->stamps = palloc(list->stamps_capacity * sizeof(OrderStamp));
	return list;
}

/*
 * oms_unit_change adds a change of nothing yet to the list.
 */
UnitChange *
oms_unit_change(UnitChanges *list, const pg_uuid_t *order_id, const pg_uuid_t *line_id)
{
	UnitChange *change;

	if (list->count == list->capacity)
	{
		list->capacity *= 2;
		list->changes = repalloc_huge(list->changes, list->capacity * sizeof(UnitChange));
	}
	change = &list->changes[list->count++];
	memset(change, 0, sizeof(UnitChange));
	change->order_id = *order_id;
	change->line_id = *line_id;
	return change;
}

/*
 * oms_order_stamp adds a stamp of nothing yet to the list.
 */
OrderStamp *
oms_order_stamp(UnitChanges *list, const pg_uuid_t *order_id)
{
	OrderStamp *stamp;

	if (list->nstamps == list->stamps_capacity)
	{
		list->stamps_capacity *= 2;
		list->stamps = repalloc_huge(list->stamps, list->stamps_capacity * sizeof(OrderStamp));
	}
	stamp = &list->stamps[list->nstamps++];
	stamp->order_id = *order_id;
	stamp->is_placed = stamp->is_canceled = stamp->is_approved = false;
	stamp->units = stamp->fewest = 0;
	return stamp;
}

/*
 * add adds the units of one change to another.
 */
static void
add(UnitChange *to, const UnitChange *from)
{
	to->canceled += from->canceled;
	to->allocated += from->allocated;
	if (from->backordered > 0)
		to->policy_id = from->policy_id;
	to->backordered += from->backordered;
	to->short_units += from->short_units;
	to->shipped += from->shipped;
	to->delivered += from->delivered;
	to->returned += from->returned;
}

/*
 * merge_lines sorts the changes by line and leaves one for each.
 */
static void
merge_lines(UnitChanges *list)
{
	int			kept = 0;

	qsort(list->changes, list->count, sizeof(UnitChange), oms_uuid_cmp);
	for (int i = 0; i < list->count; i++)
	{
		if (kept > 0 && oms_uuid_cmp(&list->changes[kept - 1], &list->changes[i]) == 0)
			add(&list->changes[kept - 1], &list->changes[i]);
		else
			list->changes[kept++] = list->changes[i];
	}
	list->count = kept;
}

/*
 * sum_orders returns one sum for each order in the list, sorted by its id.
 */
static OrderChange *
sum_orders(const UnitChanges *list, int *count)
{
	int			all = list->count + list->nstamps;
	OrderChange *orders = palloc0(Max(all, 1) * sizeof(OrderChange));
	Datum		zero = DirectFunctionCall1(int4_numeric, Int32GetDatum(0));
	int			kept = 0;

	for (int i = 0; i < all; i++)
	{
		OrderChange *order = &orders[i];

		order->net = order->gross = zero;
		if (i < list->count)
		{
			order->sum = list->changes[i];
			order->sum.line_id = list->changes[i].order_id;
		}
		else
		{
			const OrderStamp *stamp = &list->stamps[i - list->count];

			order->sum.line_id = stamp->order_id;
			order->is_placed = stamp->is_placed;
			order->is_canceled = stamp->is_canceled;
			order->is_approved = stamp->is_approved;
			order->units = stamp->units;
			order->fewest = stamp->fewest;
		}
	}
	qsort(orders, all, sizeof(OrderChange), oms_uuid_cmp);
	for (int i = 0; i < all; i++)
	{
		if (kept > 0 && oms_uuid_cmp(&orders[kept - 1], &orders[i]) == 0)
		{
			add(&orders[kept - 1].sum, &orders[i].sum);
			orders[kept - 1].is_placed |= orders[i].is_placed;
			orders[kept - 1].is_canceled |= orders[i].is_canceled;
			orders[kept - 1].is_approved |= orders[i].is_approved;
			orders[kept - 1].units += orders[i].units;
			orders[kept - 1].fewest += orders[i].fewest;
		}
		else
			orders[kept++] = orders[i];
	}
	*count = kept;
	return orders;
}

/*
 * oms_units_apply writes all changes.  The caller acts as the owner and holds
 * the orders.
 */
void
oms_units_apply(Store *store, UnitChanges *list)
{
	OrderChange *orders;
	int			count;
	PolicyUnits *policies = NULL;
	int			npolicies = 0;

	if (list->count + list->nstamps == 0)
		return;
	merge_lines(list);
	orders = sum_orders(list, &count);
	if (list->count > 0)
		policies = apply_to_lines(store, list, orders, count, &npolicies);
	apply_to_orders(store, orders, count);
	if (npolicies > 0)
		oms_backorder_give_back(store, policies, npolicies);
}

/*
 * add_counters appends the seven counters of a change to as many arrays.
 */
static void
add_counters(Array **arrays, const UnitChange *change)
{
	oms_array_add_int64(arrays[0], change->canceled);
	oms_array_add_int64(arrays[1], change->allocated);
	oms_array_add_int64(arrays[2], change->backordered);
	oms_array_add_int64(arrays[3], change->short_units);
	oms_array_add_int64(arrays[4], change->shipped);
	oms_array_add_int64(arrays[5], change->delivered);
	oms_array_add_int64(arrays[6], change->returned);
}

/*
 * apply_to_lines writes the lines' counters and adds up what is credited.
 * Returns what is to be taken off policies; units that are added to one are
 * counted in it already.
 */
static PolicyUnits *
apply_to_lines(Store *store, const UnitChanges *list, OrderChange *orders, int count, int *npolicies)
{
	Array	   *ids = oms_array(UUIDOID, list->count);
	Array	   *policy_ids = oms_array(UUIDOID, list->count);
	PolicyUnits *policies = NULL;
	Array	   *counters[7];
	Datum		args[9];
	uint64		changed;
	bool		adds = false;
	int			nfallen = 0;

	for (int i = 0; i < 7; i++)
		counters[i] = oms_array(INT8OID, list->count);
	for (int i = 0; i < list->count; i++)
	{
		oms_array_add_uuid(ids, &list->changes[i].line_id);
		add_counters(counters, &list->changes[i]);
		/* a warranty waits with its goods, under no policy */
		oms_array_add_uuid(policy_ids, list->changes[i].backordered > 0 && !oms_uuid_is_nil(&list->changes[i].policy_id)
						   ? &list->changes[i].policy_id : NULL);
		adds |= list->changes[i].backordered > 0;
		nfallen += list->changes[i].backordered < 0;
	}
	args[0] = oms_array_datum(ids);
	for (int i = 0; i < 7; i++)
		args[i + 1] = oms_array_datum(counters[i]);
	if (adds)
		args[8] = oms_array_datum(policy_ids);
	if (nfallen > 0)
		policies = palloc_extended(nfallen * sizeof(PolicyUnits), MCXT_ALLOC_HUGE);

	if (!list->lines_are_ours && oms_run(store, &lock_lines, args) != list->count)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("a line of the order is being changed by another session"),
				 errhint("Retry the transaction.")));
	changed = oms_run(store, adds ? &backorder_lines : &change_lines, args);
	if (changed != list->count)
		oms_refuse_interference("order_lines");
	for (uint64 i = 0; i < changed; i++)
	{
		pg_uuid_t	order_id = oms_column_uuid(i, 1);
		OrderChange *order = bsearch(&order_id, orders, count, sizeof(OrderChange), oms_uuid_cmp);

		order->net = DirectFunctionCall2(numeric_add, order->net, oms_column_numeric(i, 2));
		order->gross = DirectFunctionCall2(numeric_add, order->gross, oms_column_numeric(i, 3));
		if (nfallen > 0 && oms_column_int64(i, 5) < 0 && !oms_column_is_null(i, 4))
			policies[(*npolicies)++] = (PolicyUnits) {oms_column_uuid(i, 4), oms_column_int64(i, 5)};
	}
	return policies;
}

/*
 * apply_to_orders writes the orders' counters, money and stamps.
 */
static void
apply_to_orders(Store *store, const OrderChange *orders, int count)
{
	Array	   *ids = oms_array(UUIDOID, count);
	Array	   *counters[7];
	Array	   *nets = oms_array(NUMERICOID, count);
	Array	   *grosses = oms_array(NUMERICOID, count);
	Array	   *placed = oms_array(BOOLOID, count);
	Array	   *canceled = oms_array(BOOLOID, count);
	Array	   *approved = oms_array(BOOLOID, count);
	Array	   *units = oms_array(INT8OID, count);
	Array	   *fewest = oms_array(INT8OID, count);
	Datum		args[15];
	uint64		changed;

	for (int i = 0; i < 7; i++)
		counters[i] = oms_array(INT8OID, count);
	for (int i = 0; i < count; i++)
	{
		oms_array_add_uuid(ids, &orders[i].sum.line_id);
		add_counters(counters, &orders[i].sum);
		oms_array_add(nets, orders[i].net);
		oms_array_add(grosses, orders[i].gross);
		oms_array_add(placed, BoolGetDatum(orders[i].is_placed));
		oms_array_add(canceled, BoolGetDatum(orders[i].is_canceled));
		oms_array_add(approved, BoolGetDatum(orders[i].is_approved));
		oms_array_add_int64(units, orders[i].units);
		oms_array_add_int64(fewest, orders[i].fewest);
	}
	args[0] = oms_array_datum(ids);
	for (int i = 0; i < 7; i++)
		args[i + 1] = oms_array_datum(counters[i]);
	args[8] = oms_array_datum(nets);
	args[9] = oms_array_datum(grosses);
	args[10] = oms_array_datum(placed);
	args[11] = oms_array_datum(canceled);
	args[12] = oms_array_datum(approved);
	args[13] = oms_array_datum(units);
	args[14] = oms_array_datum(fewest);

	changed = oms_run(store, &change_orders, args);
	if (changed != count)
		oms_refuse_interference("orders");
}
