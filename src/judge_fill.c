/*
 * judge_fill.c
 *	  Filling in what follows from a row of orders or fulfillments.
 *
 * Called by judge.c BEFORE the row is written: defaults of a new order, all that
 * the engine keeps of one that place_order is writing, what a move brings with
 * it, and an order's automatic move.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "axes.h"
#include "facts.h"
#include "judge.h"
#include "judge_case.h"
#include "moves.h"
#include "number.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"

static const StoreQuery read_channel = {
	"SELECT c.order_workflow, c.priority, c.if_short FROM @.channels c WHERE c.code" EQ "$1",
	1, {TEXTOID}
};

/*
 * set_values writes columns of the row that is being judged.
 */
static void
set_values(Case *c, int count, const int *columns, const Datum *values, const bool *nulls)
{
	int			numbers[16];

	Assert(count <= (int) lengthof(numbers));
	for (int i = 0; i < count; i++)
	{
		numbers[i] = c->shape->number[columns[i]];
		c->new.values[numbers[i] - 1] = values[i];
		c->new.nulls[numbers[i] - 1] = nulls[i];
	}
	c->new_tuple = heap_modify_tuple_by_cols(c->new_tuple, RelationGetDescr(c->rel), count,
											 numbers, (Datum *) values, (bool *) nulls);
}

/*
 * oms_fill_closed notes when a row came into a final state, if it is in one.
 */
void
oms_fill_closed(Case *c, TimestampTz at)
{
	char	   *workflow = oms_row_text(c->shape, &c->new, c->workflow);
	char	   *status = oms_row_text(c->shape, &c->new, c->status);
	Machine    *machine = workflow && status ? oms_machine(c->store, workflow, c->entity) : NULL;
	int			state = machine ? oms_machine_state(machine, status) : -1;
	bool		is_final = state >= 0 && oms_workflow_is_final(machine->workflow, state);

	if (is_final || !oms_row_is_null(c->shape, &c->new, c->closed_at))
		set_values(c, 1, &c->closed_at, (Datum[]) {TimestampTzGetDatum(at)}, (bool[]) {!is_final});
}

/*
 * oms_fill_move fills in what a move brings with it.  A reason belongs to the move
 * that it is given with, so one from an earlier move does not stay.
 */
void
oms_fill_move(Case *c)
{
	if (!bms_is_member(c->shape->number[c->status_reason] - FirstLowInvalidHeapAttributeNumber,
					   c->trigger->tg_updatedcols))
		set_values(c, 1, &c->status_reason, (Datum[]) {(Datum) 0}, (bool[]) {true});
	oms_fill_closed(c, GetCurrentTransactionStartTimestamp());
}

/*
 * oms_move_by_itself makes an order's automatic move in the write of counters that
 * has opened it, which spares a second write of the row; moves.c then finds a
 * row that has moved, asks the guards as ever and runs the actions.  That of
 * confirm is to write a time, so it is done here too.
 */
void
oms_move_by_itself(Case *c)
{
	OrderFacts	facts;
	Mover		mover = {0};
	const MachineMove *move;
	Machine    *machine = oms_machine(c->store, oms_row_text(c->shape, &c->new, ORDER_WORKFLOW), c->entity);
	int			state = oms_machine_state(machine, oms_row_text(c->shape, &c->new, ORDER_STATUS));

	if (state < 0 || !machine->has_automatic[state])
		return;
	oms_order_facts(c->shape, &c->new, &facts);
	if (!facts.is_placed)
		return;					/* moves.c looks: the row does not say whether
								 * it is to be paid */
	mover.order = &facts;
	move = oms_open_automatic_move(machine, state, &mover);
	if (!move || oms_is_postponed(c->store, move))
		return;
	set_values(c, 1, (int[]) {ORDER_STATUS},
			   (Datum[]) {CStringGetTextDatum(oms_machine_state_name(machine, move->to))}, (bool[]) {false});
	oms_fill_move(c);
	for (int i = 0; i < move->nactions; i++)
	{
		if (strcmp(move->actions[i].name, "confirm") == 0 && !facts.is_confirmed)
			set_values(c, 1, (int[]) {ORDER_CONFIRMED_AT},
					   (Datum[]) {TimestampTzGetDatum(GetCurrentTransactionStartTimestamp())}, (bool[]) {false});
	}
}

/*
 * oms_fill_placed gives an order that place_order is writing what it ends up with.
 */
void
oms_fill_placed(Case *c, const Placing *placing)
{
	static const int columns[] = {
		ORDER_NUMBER, ORDER_STATUS, ORDER_PAYMENT_REQUIRED, ORDER_UNITS, ORDER_UNITS_ALLOCATED, ORDER_UNITS_BACKORDERED,
		ORDER_UNITS_SHORT, ORDER_FEWEST_SHIPMENTS, ORDER_TOTAL, ORDER_OPEN_HOLDS, ORDER_PLACED_AT, ORDER_CONFIRMED_AT, ORDER_CLOSED_AT
	};
	const OrderFacts *order = placing->order;
	Datum		now = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	int32		typmod = TupleDescAttr(RelationGetDescr(c->rel), c->shape->number[ORDER_TOTAL] - 1)->atttypmod;

	set_values(c, lengthof(columns), columns, (Datum[]) {
		CStringGetTextDatum(order->number), CStringGetTextDatum(order->status), BoolGetDatum(order->payment_required),
		Int64GetDatum(order->units), Int64GetDatum(order->units_allocated), Int64GetDatum(order->units_backordered),
		Int64GetDatum(order->units_short), Int64GetDatum(placing->fewest_shipments),
		DirectFunctionCall2(numeric, order->total, Int32GetDatum(typmod)), Int32GetDatum(order->open_holds), now, now, now
	}, (bool[]) {
		false, false, false, false, false, false, false, false, false, false, !order->is_placed, !order->is_confirmed, !placing->is_final
	});
	oms_fill_axes(c->shape, &c->new, RelationGetDescr(c->rel), &c->new_tuple);
}

/*
 * oms_fill_order gives a new order its number and what its channel says.
 */
void
oms_fill_order(Case *c)
{
	char	   *channel = oms_row_text(c->shape, &c->new, ORDER_CHANNEL);

	if (oms_row_is_null(c->shape, &c->new, ORDER_NUMBER))
		set_values(c, 1, (int[]) {ORDER_NUMBER}, (Datum[]) {CStringGetTextDatum(oms_next_number(c->store))}, (bool[]) {false});
	if (channel && (oms_row_is_null(c->shape, &c->new, ORDER_WORKFLOW) ||
					oms_row_is_null(c->shape, &c->new, ORDER_PRIORITY) ||
					oms_row_is_null(c->shape, &c->new, ORDER_IF_SHORT)))
	{
		static const int columns[] = {ORDER_WORKFLOW, ORDER_PRIORITY, ORDER_IF_SHORT};
		Datum		values[3];
		bool		nulls[3] = {false, false, false};
		OwnerScope	scope;
		MemoryContext caller = CurrentMemoryContext;

		oms_become_owner(c->store, &scope);
		oms_spi_begin();
		if (oms_run(c->store, &read_channel, (Datum[]) {CStringGetTextDatum(channel)}) == 1)
		{
			MemoryContextSwitchTo(caller);
			for (int i = 0; i < 3; i++)
			{
				bool		isnull;

				if (oms_row_is_null(c->shape, &c->new, columns[i]))
					values[i] = i == 1 ? oms_column(0, i + 1, INT4OID, &isnull)
						: CStringGetTextDatum(oms_column_name(0, i + 1));
				else
					values[i] = oms_row_value(c->shape, &c->new, columns[i]);
			}
			set_values(c, 3, columns, values, nulls);
		}
		oms_spi_end();
		oms_leave_owner(&scope);
	}
	if (oms_row_is_null(c->shape, &c->new, ORDER_STATUS) &&
		!oms_row_is_null(c->shape, &c->new, ORDER_WORKFLOW))
	{
		Machine    *machine = oms_machine(c->store, oms_row_text(c->shape, &c->new, ORDER_WORKFLOW),
										  c->entity);

		set_values(c, 1, (int[]) {ORDER_STATUS},
				   (Datum[]) {CStringGetTextDatum(oms_machine_state_name(machine, machine->workflow->initial))},
				   (bool[]) {false});
	}
}
