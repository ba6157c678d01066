/*
 * guards.c
 *	  What may be asked before a move: the built-in guards, and functions of
 *	  the store.
 *
 * A built-in guard reads the order's row alone, which is locked by then: a
 * guard that read anything else would miss what another session is about to
 * commit, and an automatic move with it.  Counters on orders are there for
 * the guards.  Guard due reads its fulfillment, which is locked too, and the
 * clock: where time alone opens a move, oms.tick makes it.  A guard that is not built in is a function in the store that
 * takes the row's type: functions.c.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/numeric.h"

#include "functions.h"

/*
 * number_text returns a numeric as text.
 */
static char *
number_text(Datum value)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, value));
}

/*
 * at_least tells whether a >= b.
 */
static bool
at_least(Datum a, Datum b)
{
	return DatumGetBool(DirectFunctionCall2(numeric_ge, a, b));
}

/*
 * due returns what an order still costs.
 */
static Datum
due(const OrderFacts *order)
{
	return DirectFunctionCall2(numeric_sub, order->total, order->credited);
}

/*
 * is_empty tells whether an order is a draft that has nothing in it yet, and so
 * nothing to pay for: else it would look paid before its first line is there.
 */
static bool
is_empty(const OrderFacts *order, StringInfo why)
{
	if (order->is_placed || order->units > 0 ||
		DatumGetBool(DirectFunctionCall2(numeric_ne, order->total, DirectFunctionCall1(int4_numeric, Int32GetDatum(0)))))
		return false;
	appendStringInfo(why, "order \"%s\" has nothing to pay for yet", order->number);
	return true;
}

/*
 * guard_unheld holds when no hold is open.
 */
static bool
guard_unheld(const Mover *row, StringInfo why)
{
	if (row->order->open_holds == 0)
		return true;
	appendStringInfo(why, "order \"%s\" has %d open hold%s", row->order->number,
					 row->order->open_holds, row->order->open_holds == 1 ? "" : "s");
	return false;
}

/*
 * guard_payable holds when nothing need be paid, enough is authorized or
 * captured, or the customer's terms were approved.
 */
static bool
guard_payable(const Mover *row, StringInfo why)
{
	const OrderFacts *order = row->order;
	Datum		secured = DirectFunctionCall2(numeric_add, order->authorized, order->captured);

	if (!order->payment_required || order->credit_approved)
		return true;
	if (is_empty(order, why))
		return false;
	if (at_least(secured, due(order)))
		return true;
	appendStringInfo(why, "%s of the %s due is authorized or captured",
					 number_text(secured), number_text(due(order)));
	return false;
}

/*
 * guard_paid holds when nothing need be paid or all that is due is captured.
 */
static bool
guard_paid(const Mover *row, StringInfo why)
{
	const OrderFacts *order = row->order;

	if (!order->payment_required)
		return true;
	if (is_empty(order, why))
		return false;
	if (at_least(order->captured, due(order)))
		return true;
	appendStringInfo(why, "%s of the %s due is captured",
					 number_text(order->captured), number_text(due(order)));
	return false;
}

/*
 * guard_fulfilled holds when every unit is canceled or shipped, and not every
 * one canceled; of an order of charges only there is nothing to ship.
 */
static bool
guard_fulfilled(const Mover *row, StringInfo why)
{
	const OrderFacts *order = row->order;

	if (order->units == 0 || (order->units_canceled + order->units_shipped == order->units &&
							  order->units_shipped > 0))
		return true;
	appendStringInfo(why, INT64_FORMAT " of " INT64_FORMAT " units are shipped, " INT64_FORMAT " canceled",
					 order->units_shipped, order->units, order->units_canceled);
	return false;
}

/*
 * guard_unshipped holds while no unit has left.
 */
static bool
guard_unshipped(const Mover *row, StringInfo why)
{
	if (row->order->units_shipped == 0)
		return true;
	appendStringInfo(why, INT64_FORMAT " unit%s shipped already", row->order->units_shipped,
					 row->order->units_shipped == 1 ? " has" : "s have");
	return false;
}

/*
 * guard_allocated holds when no unit waits for stock.
 */
static bool
guard_allocated(const Mover *row, StringInfo why)
{
	const OrderFacts *order = row->order;

	if (order->is_placed && order->units_backordered + order->units_short == 0)
		return true;
	if (!order->is_placed)
		appendStringInfoString(why, "no stock is taken yet");
	else
		appendStringInfo(why, INT64_FORMAT " units are backordered, " INT64_FORMAT " short",
						 order->units_backordered, order->units_short);
	return false;
}

/*
 * guard_all_canceled holds when there were units and every one is canceled.
 */
static bool
guard_all_canceled(const Mover *row, StringInfo why)
{
	const OrderFacts *order = row->order;

	if (order->units > 0 && order->units_canceled == order->units)
		return true;
	appendStringInfo(why, INT64_FORMAT " of " INT64_FORMAT " units are canceled",
					 order->units_canceled, order->units);
	return false;
}

/*
 * guard_order_confirmed holds once the order is confirmed.
 */
static bool
guard_order_confirmed(const Mover *row, StringInfo why)
{
	if (row->order->is_confirmed)
		return true;
	appendStringInfo(why, "order \"%s\" is not confirmed", row->order->number);
	return false;
}

/*
 * guard_group_complete holds when nothing that must leave together with this
 * fulfillment is backordered or short.
 */
static bool
guard_group_complete(const Mover *row, StringInfo why)
{
	if (row->group_complete)
		return true;
	appendStringInfo(why, "units of order \"%s\" that must leave together are backordered or short",
					 row->order->number);
	return false;
}

/*
 * guard_due holds once it is time for a fulfillment: when the customer wants it,
 * less what its method takes.
 */
static bool
guard_due(const Mover *row, StringInfo why)
{
	if (row->is_due)
		return true;
	appendStringInfo(why, "fulfillment \"%s\" is wanted for %s and not due yet", row->number, row->requested_at);
	return false;
}

static const Guard order_guards[] = {
	{"unheld", guard_unheld},
	{"payable", guard_payable},
	{"paid", guard_paid},
	{"fulfilled", guard_fulfilled},
	{"unshipped", guard_unshipped},
	{"allocated", guard_allocated},
	{"all_canceled", guard_all_canceled},
	{NULL, NULL}
};

static const Guard fulfillment_guards[] = {
	{"order_confirmed", guard_order_confirmed},
	{"order_unheld", guard_unheld},
	{"group_complete", guard_group_complete},
	{"due", guard_due},
	{NULL, NULL}
};

/*
 * oms_find_guard returns an entity's built-in guard of that name, or NULL.
 */
const Guard *
oms_find_guard(EntityKind entity, const char *name)
{
	const Guard *guard = entity == ENTITY_ORDER ? order_guards : fulfillment_guards;

	for (; guard->name; guard++)
	{
		if (strcmp(guard->name, name) == 0)
			return guard;
	}
	return NULL;
}

/*
 * oms_guards_hold asks a move's guards in their order.  Where one refuses, its
 * name and the reason are returned.
 */
bool
oms_guards_hold(Store *store, FunctionCalls *calls, const MachineMove *move, const Mover *row, EntityKind entity,
				const char **guard, StringInfo why)
{
	for (int i = 0; i < move->nguards; i++)
	{
		const GuardUse *use = &move->guards[i];
		bool		holds = use->guard ? use->guard->holds(row, why)
			: oms_ask_function(store, calls, entity, row, move, use->name, why);

		if (!holds)
		{
			*guard = use->name;
			return false;
		}
	}
	return true;
}

/*
 * oms_open_automatic_move returns the automatic move that is open to a row in
 * a state, judged without a query: NULL where none is, and where a function of
 * the store would have to be asked first.
 */
const MachineMove *
oms_open_automatic_move(const Machine *machine, int state, const Mover *row)
{
	StringInfoData why;

	initStringInfo(&why);
	for (int i = 0; i < machine->workflow->nmoves; i++)
	{
		const MachineMove *move = &machine->moves[i];
		bool		open = true;

		if (move->from != state || !move->is_automatic)
			continue;
		for (int j = 0; open && j < move->nguards; j++)
		{
			if (!move->guards[j].guard)
				return NULL;
			open = move->guards[j].guard->holds(row, &why);
		}
		if (open)
			return move;
	}
	return NULL;
}
