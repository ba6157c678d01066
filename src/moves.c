/*
 * moves.c
 *	  What follows when orders or fulfillments have moved.
 *
 * Reached by the AFTER STATEMENT triggers oms_act_insert and oms_act_update
 * through lifecycle.c, after judge.c has let each row pass.  The transition
 * tables say which rows to look at, never what to do: the rows are locked and
 * read again, guards are asked about what they are now, and actions claim what
 * they consume by conditional updates.  All of it is set-based: a fixed number
 * of statements, whatever the number of rows.
 *
 * In order: lock the orders, ask the guards, log the events, run the actions
 * (in the order in which each move names them), then make the automatic moves
 * that have become possible.  Those are UPDATEs of status like any other and
 * come back here by the same triggers.
 */
#include "postgres.h"

#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "chain.h"
#include "event.h"
#include "import.h"
#include "moves.h"
#include "oms.h"
#include "placing.h"
#include "plan.h"
#include "replace.h"

/* What the transition tables say. */
typedef struct Transition
{
	Mover	   *movers;			/* rows that moved or are new, in their order */
	int			nmovers;
	Events	   *edits;			/* what people edited */
	Array	   *waiting;		/* rows that may have an automatic move open */
	Array	   *waiting_orders; /* and their orders */
	Array	   *wakers;			/* orders whose fulfillments may go on */
} Transition;

/* What is followed up, as a link of the chain of moves knows it. */
typedef struct Followed
{
	EntityKind	entity;
	const Transition *t;
	const Mover *movers;		/* sorted */
} Followed;

static void read_transition(Store *store, TriggerData *trigger, EntityKind entity,
							Transition *t);
static bool may_go_on(EntityKind entity, const Mover *mover);
static void look_at_row(Store *store, TriggerData *trigger, EntityKind entity, const Shape *shape,
						const RowValues *old, const RowValues *new, Transition *t);
static void require_still(EntityKind entity, const Mover *movers, int count);
static void log_moves(Store *store, EntityKind entity, const Transition *t);

/*
 * tell_moves says what a statement did, for the chain of moves.
 */
static void
tell_moves(StringInfo text, const MoveLink *link)
{
	const Followed *followed = link->what;
	const Transition *t = followed->t;

	appendStringInfoString(text, oms_entity_name(followed->entity));
	if (t->nmovers == 0 && t->waiting->count > 0)
		appendStringInfo(text, " %s may move by itself", oms_uuid_out(DatumGetUUIDP(t->waiting->values[0])));
	else if (t->nmovers == 0)
		appendStringInfoString(text, "s were written");
	else
		appendStringInfo(text, " \"%s\" from \"%s\" to \"%s\"",
						 followed->movers[0].number, followed->movers[0].from ? followed->movers[0].from : "", followed->movers[0].to);
	if (t->nmovers + t->waiting->count > 1)
		appendStringInfo(text, " (and %d more)", t->nmovers + t->waiting->count - 1);
}

/*
 * run_actions runs the actions of moves.  An order's automatic moves come after
 * all actions of the move before: the first action's writes may open one.
 */
static void
run_actions(Store *store, EntityKind entity, Mover *sorted, int count, Postponement *waiting)
{
	bool		wait = false;

	for (int i = 0; entity == ENTITY_ORDER && i < count; i++)
		wait |= sorted[i].move && sorted[i].move->nactions > 1;
	if (!wait)
	{
		oms_run_actions(store, entity, sorted, count);
		return;
	}
	oms_postpone(waiting, store, true);
	PG_TRY();
	{
		oms_run_actions(store, entity, sorted, count);
	}
	PG_FINALLY();
	{
		oms_postpone_no_more(waiting);
	}
	PG_END_TRY();
}

/*
 * follow_up does, as the owner, what rows that moved, or may, entail; sorted
 * are those that moved.
 */
static void
follow_up(Store *store, EntityKind entity, const Transition *t, Mover *sorted)
{
	Array	   *ids = oms_array(UUIDOID, t->nmovers + t->waiting->count);
	Array	   *order_ids = oms_array(UUIDOID, t->nmovers + t->waiting->count);
	Postponement waiting = {NULL};

	if (t->nmovers > 0)
	{
		bool		known = true;

		for (int i = 0; i < t->nmovers; i++)
			known &= sorted[i].order != NULL;
		if (!known)
			oms_learn(store, entity, sorted, t->nmovers);
		oms_choose_moves(store, entity, sorted, t->nmovers);
		require_still(entity, sorted, t->nmovers);
	}
	log_moves(store, entity, t);
	run_actions(store, entity, sorted, t->nmovers, &waiting);

	for (int i = 0; waiting.orders && i < waiting.orders->count; i++)
	{
		oms_array_add(ids, waiting.orders->values[i]);
		oms_array_add(order_ids, waiting.orders->values[i]);
	}
	for (int i = 0; i < t->nmovers; i++)
	{
		if (!may_go_on(entity, &sorted[i]))
			continue;
		oms_array_add_uuid(ids, &sorted[i].id);
		oms_array_add_uuid(order_ids, &sorted[i].order_id);
	}
	for (int i = 0; i < t->waiting->count; i++)
	{
		oms_array_add(ids, t->waiting->values[i]);
		oms_array_add(order_ids, t->waiting_orders->values[i]);
	}
	oms_settle_or_postpone(store, entity, ids, order_ids);
	oms_wake_fulfillments(store, t->wakers);
}

/*
 * oms_act_moves does all that a statement on orders or fulfillments entails.
 */
void
oms_act_moves(Store *store, TriggerData *trigger, EntityKind entity)
{
	Transition	t;
	OwnerScope	scope;

	check_stack_depth();
	oms_spi_begin();
	read_transition(store, trigger, entity, &t);
	if (t.nmovers > 0 || t.edits->order_ids->count > 0 || t.waiting->count > 0 || t.wakers->count > 0)
	{
		Mover	   *sorted = palloc_extended(Max(1, t.nmovers) * sizeof(Mover), MCXT_ALLOC_HUGE);
		Followed	followed = {entity, &t, sorted};
		MoveLink	link = {.tell = tell_moves, .what = &followed};

		oms_become_owner(store, &scope);
		memcpy(sorted, t.movers, t.nmovers * sizeof(Mover));
		qsort(sorted, t.nmovers, sizeof(Mover), oms_uuid_cmp);
		oms_chain_enter(&link);
		PG_TRY();
		{
			follow_up(store, entity, &t, sorted);
		}
		PG_FINALLY();
		{
			oms_chain_leave(&link);
		}
		PG_END_TRY();
		oms_leave_owner(&scope);
	}
	oms_spi_end();
}

/*
 * may_go_on tells whether an automatic move may be open to a row after its
 * actions.  Actions that write the order's row have had its automatic moves
 * made or looked for in that write; otherwise the order is as it was read.
 */
static bool
may_go_on(EntityKind entity, const Mover *mover)
{
	int			state = mover->machine ? oms_machine_state(mover->machine, mover->to) : -1;

	if (state < 0 || !mover->machine->has_automatic[state])
		return false;
	if (entity != ENTITY_ORDER || !mover->move || !mover->order)
		return true;
	for (int i = 0; i < mover->move->nactions; i++)
	{
		const Action *action = mover->move->actions[i].action;

		if (!action)
			return true;
		if (strcmp(action->name, "confirm") != 0)
			return false;
	}
	return !mover->order->is_confirmed || mover->machine->asks_functions[state] ||
		oms_open_automatic_move(mover->machine, state, mover) != NULL;
}

/*
 * read_transition walks the transition tables side by side.
 */
static void
read_transition(Store *store, TriggerData *trigger, EntityKind entity, Transition *t)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	const Shape *shape = oms_shape(trigger->tg_relation, entity);
	Tuplestorestate *olds = trigger->tg_oldtable;
	Tuplestorestate *news = trigger->tg_newtable;
	TupleTableSlot *old_slot = MakeSingleTupleTableSlot(tupdesc, &TTSOpsMinimalTuple);
	TupleTableSlot *new_slot = MakeSingleTupleTableSlot(tupdesc, &TTSOpsMinimalTuple);

	memset(t, 0, sizeof(Transition));
	t->edits = oms_events(4);
	t->waiting = oms_array(UUIDOID, 4);
	t->waiting_orders = oms_array(UUIDOID, 4);
	t->wakers = oms_array(UUIDOID, 4);
	t->movers = palloc_extended(Max(1, tuplestore_tuple_count(news)) * sizeof(Mover),
								MCXT_ALLOC_HUGE);

	if (olds)
		tuplestore_rescan(olds);
	tuplestore_rescan(news);
	while (tuplestore_gettupleslot(news, true, false, new_slot))
	{
		RowValues	old = {NULL, NULL};
		RowValues	new;

		slot_getallattrs(new_slot);
		new.values = new_slot->tts_values;
		new.nulls = new_slot->tts_isnull;
		if (olds)
		{
			if (!tuplestore_gettupleslot(olds, true, false, old_slot))
				elog(ERROR, "transition tables differ in length");
			slot_getallattrs(old_slot);
			old.values = old_slot->tts_values;
			old.nulls = old_slot->tts_isnull;
		}
		look_at_row(store, trigger, entity, shape, olds ? &old : NULL, &new, t);
	}
	ExecDropSingleTupleTableSlot(old_slot);
	ExecDropSingleTupleTableSlot(new_slot);
}

/*
 * may_move_by_itself asks whether an automatic move may be open to an order as
 * it was written, without a query: most writes of counters end here.
 */
static bool
may_move_by_itself(Store *store, const Shape *shape, const RowValues *row)
{
	OrderFacts	facts;
	Mover		mover = {.order = &facts};
	Machine    *machine = oms_machine(store, oms_row_text(shape, row, ORDER_WORKFLOW), ENTITY_ORDER);
	int			state = oms_machine_state(machine, oms_row_text(shape, row, ORDER_STATUS));

	if (state < 0 || !machine->has_automatic[state])
		return false;
	if (machine->asks_functions[state])
		return true;
	oms_order_facts(shape, row, &facts);
	return oms_open_automatic_move(machine, state, &mover) != NULL;
}

/*
 * was_rescheduled tells whether a person has changed when a fulfillment is wanted.
 */
static bool
was_rescheduled(const Shape *shape, const RowValues *old, const RowValues *new)
{
	bool		was_null = oms_row_is_null(shape, old, FULFILLMENT_REQUESTED_AT);

	if (was_null || oms_row_is_null(shape, new, FULFILLMENT_REQUESTED_AT))
		return was_null != oms_row_is_null(shape, new, FULFILLMENT_REQUESTED_AT);
	return DatumGetTimestampTz(oms_row_value(shape, old, FULFILLMENT_REQUESTED_AT)) !=
		DatumGetTimestampTz(oms_row_value(shape, new, FULFILLMENT_REQUESTED_AT));
}

/*
 * edit_may_open tells whether what a person has written may open an automatic
 * move to a fulfillment: one that asks a function of the store, which may read any
 * of its columns, or guard due, which reads requested_at.  Other built-in guards
 * read its order's row alone.
 */
static bool
edit_may_open(Store *store, const Shape *shape, const RowValues *old, const RowValues *new)
{
	Machine    *machine = oms_machine(store, oms_row_text(shape, new, FULFILLMENT_WORKFLOW), ENTITY_FULFILLMENT);
	int			state = oms_machine_state(machine, oms_row_text(shape, new, FULFILLMENT_STATUS));

	return state >= 0 && (machine->asks_functions[state] ||
						  (machine->has_automatic[state] && was_rescheduled(shape, old, new)));
}

/*
 * wakes tells whether a change of an order may let its fulfillments go on.
 */
static bool
wakes(const Shape *shape, const RowValues *old, const RowValues *new)
{
	int64		before = oms_row_int64(shape, old, ORDER_UNITS_BACKORDERED) +
		oms_row_int64(shape, old, ORDER_UNITS_SHORT);
	int64		after = oms_row_int64(shape, new, ORDER_UNITS_BACKORDERED) +
		oms_row_int64(shape, new, ORDER_UNITS_SHORT);

	if (oms_row_is_null(shape, old, ORDER_PLACED_AT))
		return false;			/* it has no fulfillments before this write */
	return (oms_row_is_null(shape, old, ORDER_CONFIRMED_AT) &&
			!oms_row_is_null(shape, new, ORDER_CONFIRMED_AT)) ||
		(DatumGetInt32(oms_row_value(shape, old, ORDER_OPEN_HOLDS)) > 0 &&
		 DatumGetInt32(oms_row_value(shape, new, ORDER_OPEN_HOLDS)) == 0) ||
		after < before ||
		(DatumGetBool(oms_row_value(shape, old, ORDER_SHIP_COMPLETE)) &&
		 !DatumGetBool(oms_row_value(shape, new, ORDER_SHIP_COMPLETE)));
}

/*
 * facts_of_row returns what guards need of an order that the engine has just
 * moved: it holds the row, so what it wrote is what there is.
 */
static OrderFacts *
facts_of_row(const Shape *shape, const RowValues *row)
{
	OrderFacts *facts = palloc(sizeof(OrderFacts));

	oms_order_facts(shape, row, facts);
	facts->total = datumCopy(facts->total, false, -1);
	facts->credited = datumCopy(facts->credited, false, -1);
	facts->authorized = datumCopy(facts->authorized, false, -1);
	facts->captured = datumCopy(facts->captured, false, -1);
	return facts;
}

/*
 * look_at_row decides what one row of the transition tables means.
 */
static void
look_at_row(Store *store, TriggerData *trigger, EntityKind entity, const Shape *shape,
			const RowValues *old, const RowValues *new, Transition *t)
{
	bool		is_order = entity == ENTITY_ORDER;
	int			status = is_order ? (int) ORDER_STATUS : (int) FULFILLMENT_STATUS;
	int			revision = is_order ? (int) ORDER_REVISION : (int) FULFILLMENT_REVISION;
	int			workflow = is_order ? (int) ORDER_WORKFLOW : (int) FULFILLMENT_WORKFLOW;
	pg_uuid_t	id = *DatumGetUUIDP(oms_row_value(shape, new, is_order ? (int) ORDER_ID : (int) FULFILLMENT_ID));
	pg_uuid_t	order_id = *DatumGetUUIDP(oms_row_value(shape, new, is_order ? (int) ORDER_ID : (int) FULFILLMENT_ORDER_ID));
	char	   *from = old ? oms_row_text(shape, old, status) : NULL;
	char	   *to = oms_row_text(shape, new, status);

	if (old && oms_row_int64(shape, old, revision) != oms_row_int64(shape, new, revision) &&
		oms_is_migrated(store, oms_row_text(shape, new, workflow), from, to))
		return;					/* it follows its workflow: replace.c does the
								 * rest */
	if (!old && oms_is_importing(store))
	{
		oms_event_add(t->edits, &order_id, oms_entity_name(entity), &id, "imported", NULL, to,
					  oms_row_text(shape, new, is_order ? (int) ORDER_STATUS_REASON : (int) FULFILLMENT_STATUS_REASON), NULL);
		return;
	}
	if (!old && is_order && oms_placing_of(&id))
		return;					/* written as it ends up: direct.c does the
								 * rest */
	if (!old && !is_order)
	{
		/* whoever made it has told so: see making.c and fulfillment.c */
		Machine    *machine = oms_machine(store, oms_row_text(shape, new, workflow), entity);
		int			state = oms_machine_state(machine, to);

		if (state >= 0 && machine->has_automatic[state])
		{
			oms_array_add_uuid(t->waiting, &id);
			oms_array_add_uuid(t->waiting_orders, &order_id);
		}
	}
	else if (!from || strcmp(from, to) != 0)
	{
		Mover	   *mover = &t->movers[t->nmovers++];

		memset(mover, 0, sizeof(Mover));
		mover->id = id;
		mover->order_id = order_id;
		mover->number = oms_row_text(shape, new, is_order ? (int) ORDER_NUMBER : (int) FULFILLMENT_NUMBER);
		mover->from = from;
		mover->to = to;
		mover->machine = oms_machine(store, oms_row_text(shape, new, workflow), entity);
		if (is_order && old && oms_row_int64(shape, old, revision) != oms_row_int64(shape, new, revision) &&
			!oms_row_is_null(shape, new, ORDER_PLACED_AT))
		{
			mover->order = facts_of_row(shape, new);
			mover->status = to;
		}
		mover->reason = oms_row_text(shape, new, is_order ? (int) ORDER_STATUS_REASON : (int) FULFILLMENT_STATUS_REASON);
	}
	else if (oms_row_int64(shape, old, revision) == oms_row_int64(shape, new, revision))
	{
		char	   *detail = oms_edited_columns(trigger->tg_relation, old, new);

		if (detail)
			oms_event_add(t->edits, &order_id, oms_entity_name(entity), &id, "edited", NULL, NULL, NULL, detail);
		if (!is_order && edit_may_open(store, shape, old, new))
		{
			oms_array_add_uuid(t->waiting, &id);
			oms_array_add_uuid(t->waiting_orders, &order_id);
		}
	}
	if (is_order && old)
	{
		if (strcmp(from, to) == 0 && may_move_by_itself(store, shape, new))
		{
			oms_array_add_uuid(t->waiting, &id);
			oms_array_add_uuid(t->waiting_orders, &id);
		}
		if (wakes(shape, old, new))
			oms_array_add_uuid(t->wakers, &id);
	}
}

/*
 * refuse raises OM002 for a move whose guards say no.
 */
static void
refuse(EntityKind entity, const Mover *mover, const char *guard, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_OMS_GUARD_REFUSED),
			 errmsg("%s \"%s\" cannot move from \"%s\" to \"%s\": guard \"%s\" refuses, because %s",
					oms_entity_name(entity), mover->number, mover->from, mover->to, guard, why),
			 errdetail("It follows workflow \"%s\".", mover->machine->name),
			 errhint("Bring about what the guard asks for, or change the workflow.")));
}

/*
 * oms_choose_moves finds the move that each row took: of those between its two
 * states, the first whose guards hold.
 */
void
oms_choose_moves(Store *store, EntityKind entity, Mover *movers, int count)
{
	FunctionCalls calls = {NULL};

	for (int i = 0; i < count; i++)
	{
		Mover	   *mover = &movers[i];
		const char *first_guard = NULL;
		char	   *first_why = NULL;
		int			from;
		int			to;

		if (!mover->from || !mover->order)
			continue;
		from = oms_machine_state(mover->machine, mover->from);
		to = oms_machine_state(mover->machine, mover->to);
		for (int k = -1; (k = oms_workflow_find_move(mover->machine->workflow, from, to, k)) >= 0;)
		{
			const MachineMove *move = &mover->machine->moves[k];
			const char *guard;
			StringInfoData why;

			initStringInfo(&why);
			if (oms_guards_hold(store, &calls, move, mover, entity, &guard, &why))
			{
				mover->move = move;
				break;
			}
			if (!first_guard)
			{
				first_guard = guard;
				first_why = why.data;
			}
		}
		if (!mover->move && first_guard)
			refuse(entity, mover, first_guard, first_why);
	}
}

/*
 * require_still refuses a row that has moved on before this statement's end:
 * a trigger FOR EACH ROW or another part of the statement did it, with all
 * that follows, and the log would tell the two moves in the wrong order.
 */
static void
require_still(EntityKind entity, const Mover *movers, int count)
{
	for (int i = 0; i < count; i++)
	{
		const Mover *mover = &movers[i];

		if (!mover->order || !mover->status || strcmp(mover->status, mover->to) == 0)
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("%s \"%s\" moved on to \"%s\" before its move to \"%s\" was finished",
						oms_entity_name(entity), mover->number, mover->status, mover->to),
				 errhint("Move it on in a statement of its own, or in a trigger AFTER ... FOR EACH STATEMENT "
						 "whose name sorts after \"oms_act_update\".")));
	}
}

/*
 * oms_count_moves counts moves that this session has made, of rows that were there,
 * and returns how many there were.
 */
int64
oms_count_moves(int64 more)
{
	static int64 count = 0;

	return count += more;
}

/*
 * log_moves writes an event for each row that is new or moved, and for edits.
 */
static void
log_moves(Store *store, EntityKind entity, const Transition *t)
{
	for (int i = 0; i < t->nmovers; i++)
	{
		const Mover *mover = &t->movers[i];

		oms_event_add(t->edits, &mover->order_id, oms_entity_name(entity), &mover->id,
					  mover->from ? "moved" : "created", mover->from, mover->to, mover->reason, NULL);
		(void) oms_count_moves(mover->from ? 1 : 0);
	}
	oms_events_write(store, t->edits);
}
