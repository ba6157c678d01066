/*
 * facts.c
 *	  Reading orders and fulfillments as guards and actions see them.
 *
 * Locks are taken in one order everywhere: fulfillments, orders, lines, stock.
 * Whoever moved a fulfillment has locked it and may wait for its order here.
 * Whoever moved an order has locked that and must not wait for a fulfillment:
 * one that is busy raises 40001, which clients retry.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "facts.h"
#include "oms.h"
#include "plan.h"

/* the channel says whether a draft is to be paid, until placing copies that */
#define PAYMENT_REQUIRED \
	"CASE WHEN o.placed_at IS NULL THEN (SELECT n.payment_required FROM @.channels n WHERE n.code" EQ "o.channel)" \
	" ELSE o.payment_required END"

#define ORDER_FACTS \
	"SELECT o.id, o.number, o.workflow, o.status, o.status_reason, o.placed_at IS NOT NULL, o.confirmed_at IS NOT NULL," \
	" o.ship_complete, o.if_short" EQ "'hold', " PAYMENT_REQUIRED ", o.credit_approved, o.priority::pg_catalog.int8," \
	" o.open_holds::pg_catalog.int8, o.units, o.units_canceled, o.units_allocated, o.units_backordered, o.units_short," \
	" o.units_shipped, o.total, o.credited, o.authorized, o.captured, o.created_at" EQ "pg_catalog.now()" \
	" FROM @.orders o WHERE o.id" EQ "ANY ($1) ORDER BY o.id"

static const StoreQuery lock_orders = {ORDER_FACTS " FOR NO KEY UPDATE", 1, {UUIDARRAYOID}};
static const StoreQuery read_orders = {ORDER_FACTS, 1, {UUIDARRAYOID}};

static const StoreQuery read_fulfillments = {
	"SELECT f.id, f.status, f.stock_state" EQ "'reserved', f.status_reason, r.stock_effect, f.location, f.number, f.workflow,"
	" CASE WHEN o.units_backordered" PLUS "o.units_short" EQ "0 THEN true WHEN o.ship_complete THEN false"
	" ELSE NOT EXISTS (SELECT FROM (SELECT DISTINCT own.ship_group FROM @.fulfillment_lines l"
	" JOIN @.order_lines own ON own.id" EQ "l.order_line_id WHERE l.fulfillment_id" EQ "f.id AND own.ship_group IS NOT NULL) s"
	" JOIN @.order_lines g ON g.order_id" EQ "f.order_id AND g.ship_group" EQ "s.ship_group"
	" WHERE g.backordered" GT "0 OR g.short" GT "0) END,"
	" " IS_DUE("f.requested_at", "f.method") ", f.requested_at::pg_catalog.text"
	" FROM ROWS FROM (pg_catalog.unnest($1)) AS w(id) JOIN @.fulfillments f ON f.id" EQ "w.id"
	" JOIN @.orders o ON o.id" EQ "f.order_id LEFT JOIN @.reasons r ON r.code" EQ "f.status_reason",
	1, {UUIDARRAYOID}
};

/*
 * facts_of_orders reads orders, in order of their ids.
 */
static OrderFactsList *
facts_of_orders(Store *store, const StoreQuery *query, const Array *ids)
{
	OrderFactsList *list = palloc(sizeof(OrderFactsList));

	list->count = (int) oms_run(store, query, (Datum[]) {oms_array_datum(ids)});
	list->orders = palloc_extended(Max(1, list->count) * sizeof(OrderFacts), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < list->count; i++)
	{
		OrderFacts *facts = &list->orders[i];

		facts->id = oms_column_uuid(i, 1);
		facts->number = oms_column_name(i, 2);
		facts->workflow = oms_column_name(i, 3);
		facts->status = oms_column_name(i, 4);
		facts->status_reason = oms_column_text(i, 5);
		facts->is_placed = oms_column_bool(i, 6);
		facts->is_confirmed = oms_column_bool(i, 7);
		facts->ship_complete = oms_column_bool(i, 8);
		facts->hold_if_short = oms_column_bool(i, 9);
		facts->payment_required = oms_column_bool(i, 10);
		facts->credit_approved = oms_column_bool(i, 11);
		facts->priority = (int) oms_column_int64(i, 12);
		facts->open_holds = (int) oms_column_int64(i, 13);
		facts->units = oms_column_int64(i, 14);
		facts->units_canceled = oms_column_int64(i, 15);
		facts->units_allocated = oms_column_int64(i, 16);
		facts->units_backordered = oms_column_int64(i, 17);
		facts->units_short = oms_column_int64(i, 18);
		facts->units_shipped = oms_column_int64(i, 19);
		facts->total = oms_column_numeric(i, 20);
		facts->credited = oms_column_numeric(i, 21);
		facts->authorized = oms_column_numeric(i, 22);
		facts->captured = oms_column_numeric(i, 23);
		facts->is_new = oms_column_bool(i, 24);
	}
	return list;
}

/*
 * oms_lock_orders locks orders, in order of their ids, and reads them.
 */
OrderFactsList *
oms_lock_orders(Store *store, const Array *ids)
{
	return facts_of_orders(store, &lock_orders, ids);
}

/*
 * oms_read_orders reads orders that the caller has written, and so holds, in
 * order of their ids.
 */
OrderFactsList *
oms_read_orders(Store *store, const Array *ids)
{
	return facts_of_orders(store, &read_orders, ids);
}

/*
 * oms_find_order finds an order among those locked, or returns NULL.
 */
const OrderFacts *
oms_find_order(const OrderFactsList *list, const pg_uuid_t *id)
{
	return bsearch(id, list->orders, list->count, sizeof(OrderFacts), oms_uuid_cmp);
}

/*
 * oms_order_facts takes the facts that guards need from a row of orders.  That of
 * one not placed does not know whether it is to be paid, and says no: guards
 * that hold of it need to be asked again of what oms_learn knows.
 */
void
oms_order_facts(const Shape *shape, const RowValues *row, OrderFacts *facts)
{
	memset(facts, 0, sizeof(OrderFacts));
	facts->id = *DatumGetUUIDP(oms_row_value(shape, row, ORDER_ID));
	facts->number = oms_row_text(shape, row, ORDER_NUMBER);
	facts->workflow = oms_row_text(shape, row, ORDER_WORKFLOW);
	facts->status = oms_row_text(shape, row, ORDER_STATUS);
	facts->status_reason = oms_row_text(shape, row, ORDER_STATUS_REASON);
	facts->is_placed = !oms_row_is_null(shape, row, ORDER_PLACED_AT);
	facts->is_confirmed = !oms_row_is_null(shape, row, ORDER_CONFIRMED_AT);
	facts->ship_complete = DatumGetBool(oms_row_value(shape, row, ORDER_SHIP_COMPLETE));
	facts->hold_if_short = strcmp(oms_row_text(shape, row, ORDER_IF_SHORT), "hold") == 0;
	facts->payment_required = DatumGetBool(oms_row_value(shape, row, ORDER_PAYMENT_REQUIRED));
	facts->credit_approved = DatumGetBool(oms_row_value(shape, row, ORDER_CREDIT_APPROVED));
	facts->open_holds = DatumGetInt32(oms_row_value(shape, row, ORDER_OPEN_HOLDS));
	facts->units = oms_row_int64(shape, row, ORDER_UNITS);
	facts->units_canceled = oms_row_int64(shape, row, ORDER_UNITS_CANCELED);
	facts->units_allocated = oms_row_int64(shape, row, ORDER_UNITS_ALLOCATED);
	facts->units_backordered = oms_row_int64(shape, row, ORDER_UNITS_BACKORDERED);
	facts->units_short = oms_row_int64(shape, row, ORDER_UNITS_SHORT);
	facts->units_shipped = oms_row_int64(shape, row, ORDER_UNITS_SHIPPED);
	facts->total = oms_row_value(shape, row, ORDER_TOTAL);
	facts->credited = oms_row_value(shape, row, ORDER_CREDITED);
	facts->authorized = oms_row_value(shape, row, ORDER_AUTHORIZED);
	facts->captured = oms_row_value(shape, row, ORDER_CAPTURED);
}

/*
 * learn_fulfillments reads the current rows of fulfillments.
 */
static void
learn_fulfillments(Store *store, Mover *movers, int count, const Array *ids)
{
	uint64		found = oms_run(store, &read_fulfillments, (Datum[]) {oms_array_datum(ids)});

	for (uint64 i = 0; i < found; i++)
	{
		pg_uuid_t	id = oms_column_uuid(i, 1);

		/* a row may have been moved more than once: tell each of its movers */
		Mover	   *mover = bsearch(&id, movers, count, sizeof(Mover), oms_uuid_cmp);

		if (!mover)
			continue;
		while (mover > movers && oms_uuid_cmp(mover - 1, &id) == 0)
			mover--;
		for (; mover < movers + count && oms_uuid_cmp(mover, &id) == 0; mover++)
		{
			mover->status = oms_column_name(i, 2);
			mover->is_reserved = oms_column_bool(i, 3);
			mover->reason = oms_column_text(i, 4);
			mover->stock_effect = oms_column_text(i, 5);
			mover->location = oms_column_text(i, 6);
			mover->number = oms_column_name(i, 7);
			mover->machine = oms_machine(store, oms_column_name(i, 8), ENTITY_FULFILLMENT);
			mover->group_complete = oms_column_bool(i, 9);
			mover->is_due = oms_column_bool(i, 10);
			mover->requested_at = oms_column_text(i, 11);
		}
	}
}

/*
 * learn reads the orders concerned by a query, and the current rows of movers.
 */
static void
learn(Store *store, const StoreQuery *query, EntityKind entity, Mover *movers, int count)
{
	Array	   *orders = oms_array(UUIDOID, count);
	Array	   *ids = oms_array(UUIDOID, count);
	OrderFactsList *list;

	for (int i = 0; i < count; i++)
	{
		oms_array_add_uuid(orders, &movers[i].order_id);
		oms_array_add_uuid(ids, &movers[i].id);
	}
	list = facts_of_orders(store, query, orders);
	for (int i = 0; i < count; i++)
	{
		movers[i].order = oms_find_order(list, &movers[i].order_id);
		movers[i].status = NULL;
		if (entity == ENTITY_ORDER && movers[i].order)
		{
			movers[i].status = movers[i].order->status;
			movers[i].number = movers[i].order->number;
			movers[i].reason = movers[i].order->status_reason;
			movers[i].machine = oms_machine(store, movers[i].order->workflow, ENTITY_ORDER);
		}
	}
	if (entity == ENTITY_FULFILLMENT)
		learn_fulfillments(store, movers, count, ids);
}

/*
 * oms_learn locks the orders concerned and reads the current rows of movers,
 * which are sorted by id.  A mover whose row is gone keeps status NULL.
 */
void
oms_learn(Store *store, EntityKind entity, Mover *movers, int count)
{
	learn(store, &lock_orders, entity, movers, count);
}

/*
 * oms_peek is oms_learn without locks: what is read may have changed already.
 */
void
oms_peek(Store *store, EntityKind entity, Mover *movers, int count)
{
	learn(store, &read_orders, entity, movers, count);
}

/*
 * oms_busy raises 40001 for a fulfillment that another session is changing.
 */
void
oms_busy(const char *number)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("fulfillment \"%s\" is being changed by another session", number),
			 errhint("Retry the transaction.")));
}
