/*
 * judge.c
 *	  Judging a row of orders or fulfillments: BEFORE it is written, and AFTER.
 *
 * Reached by triggers oms_guard (BEFORE ROW) and oms_recheck (AFTER ROW)
 * through lifecycle.c.  Both ask the same questions, since a user's BEFORE
 * trigger that fires after ours may have changed the row: is the change of
 * status a move of the row's workflow, are engine columns as they were, are
 * fixed columns as they were?  Guards are not asked here but in moves.c, on
 * the row as it is after the statement, with the order locked.
 *
 * Who writes is told by revision: the engine adds one, and may change engine
 * columns; a person leaves it alone, and may not.
 *
 * judge_fill.c fills in what follows from the row itself, axes.c an order's axes
 * when the engine changed its counters.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "axes.h"
#include "facts.h"
#include "import.h"
#include "judge.h"
#include "judge_case.h"
#include "oms.h"
#include "placing.h"
#include "plan.h"
#include "replace.h"
#include "rows.h"

#define BUSY(table) \
	"(SELECT pg_catalog.count(*) FROM @." table " t WHERE t.order_id" EQ "$1)" \
	MINUS "(SELECT pg_catalog.count(*) FROM (SELECT FROM @." table " t WHERE t.order_id" EQ "$1 FOR UPDATE SKIP LOCKED) x)"

/* How many rows that a draft would take with it are locked by others. */
static const StoreQuery count_busy = {
	"SELECT " BUSY("order_lines") PLUS BUSY("order_charges") PLUS BUSY("order_holds"), 1, {UUIDOID}
};

static void begin_case(Case *c, Store *store, TriggerData *trigger, EntityKind entity);
static void judge_insert(Case *c, bool is_recheck);
static void judge_update(Case *c, bool is_recheck);
static void judge_delete(Case *c);
static Placing *placing_of(const Case *c);
static bool is_migrated(const Case *c);
static void require_closed(const Case *c);

/*
 * oms_guard_row judges a row BEFORE it is written and fills in what follows
 * from it.  Returns the row to write.
 */
HeapTuple
oms_guard_row(Store *store, TriggerData *trigger, EntityKind entity)
{
	Case		c;

	begin_case(&c, store, trigger, entity);
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		judge_delete(&c);
	else if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
	{
		Placing    *placing = entity == ENTITY_ORDER ? placing_of(&c) : NULL;

		if (placing)
			oms_fill_placed(&c, placing);
		if (entity == ENTITY_ORDER)
			oms_fill_order(&c);
		if (placing)
			oms_require_form(&c);
		else
			judge_insert(&c, false);
		if (oms_is_importing(store))
			oms_fill_import(&c);
		else if (!placing)
			oms_fill_closed(&c, GetCurrentTransactionStartTimestamp());
	}
	else
	{
		bool		by_engine = oms_row_int64(c.shape, &c.new, c.revision) !=
			oms_row_int64(c.shape, &c.old, c.revision);
		char	   *from = oms_row_text(c.shape, &c.old, c.status);
		char	   *to = oms_row_text(c.shape, &c.new, c.status);

		judge_update(&c, false);
		if (is_migrated(&c))
			return c.new_tuple;
		if (to && strcmp(from, to) != 0)
			oms_fill_move(&c);
		else if (by_engine && entity == ENTITY_ORDER)
			oms_move_by_itself(&c);
		if (by_engine && entity == ENTITY_ORDER)
			oms_fill_axes(c.shape, &c.new, RelationGetDescr(c.rel), &c.new_tuple);
	}
	return c.new_tuple;
}

/*
 * is_migrated tells whether the engine has a row follow a workflow that is
 * being replaced.
 */
static bool
is_migrated(const Case *c)
{
	int			workflow = c->entity == ENTITY_ORDER ? (int) ORDER_WORKFLOW : (int) FULFILLMENT_WORKFLOW;
	char	   *to = oms_row_text(c->shape, &c->new, c->status);

	return to && oms_row_int64(c->shape, &c->new, c->revision) != oms_row_int64(c->shape, &c->old, c->revision) &&
		oms_is_migrated(c->store, oms_row_text(c->shape, &c->new, workflow), oms_row_text(c->shape, &c->old, c->status), to);
}

/*
 * oms_recheck_row judges the row again AFTER it was written.
 */
void
oms_recheck_row(Store *store, TriggerData *trigger, EntityKind entity)
{
	Case		c;

	begin_case(&c, store, trigger, entity);
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
	{
		Placing    *placing = entity == ENTITY_ORDER ? placing_of(&c) : NULL;

		/* no trigger but ours fires where there is one: nobody has changed it */
		if (placing)
			placing->row_is_due = false;
		else
			judge_insert(&c, true);
	}
	else
		judge_update(&c, true);
}

/*
 * begin_case takes apart what the trigger was given.
 */
static void
begin_case(Case *c, Store *store, TriggerData *trigger, EntityKind entity)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);

	c->store = store;
	c->trigger = trigger;
	c->rel = trigger->tg_relation;
	c->entity = entity;
	c->shape = oms_shape(c->rel, entity);
	c->rules = oms_column_rules(entity, &c->ncolumns);
	c->workflow = entity == ENTITY_ORDER ? (int) ORDER_WORKFLOW : (int) FULFILLMENT_WORKFLOW;
	c->status = entity == ENTITY_ORDER ? (int) ORDER_STATUS : (int) FULFILLMENT_STATUS;
	c->status_reason = entity == ENTITY_ORDER ? (int) ORDER_STATUS_REASON : (int) FULFILLMENT_STATUS_REASON;
	c->closed_at = entity == ENTITY_ORDER ? (int) ORDER_CLOSED_AT : (int) FULFILLMENT_CLOSED_AT;
	c->revision = entity == ENTITY_ORDER ? (int) ORDER_REVISION : (int) FULFILLMENT_REVISION;

	c->old.values = NULL;
	c->old.nulls = NULL;
	c->new_tuple = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event)
		? trigger->tg_newtuple : trigger->tg_trigtuple;
	c->new = oms_row_values(c->new_tuple, tupdesc);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		c->old = oms_row_values(trigger->tg_trigtuple, tupdesc);
}

/*
 * row_name returns how messages call the row: its number.
 */
static char *
row_name(const Case *c)
{
	int			column = c->entity == ENTITY_ORDER ? (int) ORDER_NUMBER : (int) FULFILLMENT_NUMBER;
	const RowValues *row = c->old.values ? &c->old : &c->new;
	char	   *number = oms_row_text(c->shape, row, column);

	return number ? number : "";
}

/*
 * placing_of tells whether the new order is one that place_order is writing.
 */
static Placing *
placing_of(const Case *c)
{
	if (oms_row_is_null(c->shape, &c->new, ORDER_ID))
		return NULL;
	return oms_placing_of(DatumGetUUIDP(oms_row_value(c->shape, &c->new, ORDER_ID)));
}

/*
 * is_start tells whether an engine column has the value that a new row has.
 */
static bool
is_start(const Case *c, int column)
{
	const ColumnRule *rule = &c->rules[column];
	Datum		value;

	if (oms_row_is_null(c->shape, &c->new, column))
		return true;			/* or NOT NULL refuses it */
	value = oms_row_value(c->shape, &c->new, column);
	if (rule->start)
		return strcmp(TextDatumGetCString(value), rule->start) == 0;
	switch (TupleDescAttr(RelationGetDescr(c->rel), c->shape->number[column] - 1)->atttypid)
	{
		case BOOLOID:
			return !DatumGetBool(value);
		case INT4OID:
			return DatumGetInt32(value) == 0;
		case INT8OID:
			return DatumGetInt64(value) == 0;
		case NUMERICOID:
			return DatumGetBool(DirectFunctionCall2(numeric_eq, value,
													DirectFunctionCall1(int4_numeric, Int32GetDatum(0))));
		default:
			return false;
	}
}

/*
 * refuse_engine_column says that a column is the engine's.
 */
static void
refuse_engine_column(const Case *c, int column)
{
	ereport(ERROR,
			(errcode(ERRCODE_OMS_ENGINE_COLUMN),
			 errmsg("column \"%s\" of %s \"%s\" is kept by the engine and cannot be written by hand",
					c->rules[column].name, oms_entity_name(c->entity), row_name(c)),
			 errhint("Insert the row or set the status that brings it about instead: lines, charges, "
					 "holds, stock_movements, orders.status, fulfillments.status."),
			 errtablecol(c->rel, c->shape->number[column])));
}

/*
 * is_closed_now tells whether closed_at is what oms_fill_closed made it.
 */
static bool
is_closed_now(const Case *c)
{
	return oms_row_is_null(c->shape, &c->new, c->closed_at) ||
		DatumGetTimestampTz(oms_row_value(c->shape, &c->new, c->closed_at)) ==
		GetCurrentTransactionStartTimestamp();
}

/*
 * judge_insert judges a new row: it begins in its workflow's initial state,
 * with engine columns as they start, and closed where that state is final.  Only
 * the engine makes fulfillments.
 */
static void
judge_insert(Case *c, bool is_recheck)
{
	Machine    *machine;
	char	   *status;
	const char *initial;

	if (oms_is_importing(c->store))
	{
		oms_judge_import(c);
		return;
	}
	if (c->entity == ENTITY_FULFILLMENT && oms_in_engine(c->store))
		return;
	if (c->entity == ENTITY_FULFILLMENT)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_ENGINE_COLUMN),
				 errmsg("fulfillments are made by the engine and cannot be inserted by hand"),
				 errhint("Place an order, or divide a fulfillment with oms.split_fulfillment; "
						 "those of the past come in after oms.begin_import."),
				 errtable(c->rel)));

	status = oms_row_text(c->shape, &c->new, c->status);
	if (status && !oms_row_is_null(c->shape, &c->new, c->workflow))
	{
		machine = oms_machine(c->store, oms_row_text(c->shape, &c->new, c->workflow), c->entity);
		initial = oms_machine_state_name(machine, machine->workflow->initial);
		if (strcmp(status, initial) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_OMS_ILLEGAL_MOVE),
					 errmsg("%s \"%s\" cannot begin in \"%s\", only in \"%s\"",
							oms_entity_name(c->entity), row_name(c), oms_clip(status), initial),
					 errdetail("\"%s\" is the initial state of workflow \"%s\".", initial, machine->name),
					 errhint("Insert it there, or leave the status out, and move it by UPDATE."),
					 errtablecol(c->rel, c->shape->number[c->status])));
	}
	for (int i = 0; i < c->ncolumns; i++)
	{
		if (is_recheck && i == c->closed_at && is_closed_now(c))
			continue;
		if (c->rules[i].owner == ENGINE && !is_start(c, i))
			refuse_engine_column(c, i);
	}
	if (is_recheck)
		require_closed(c);
	oms_require_form(c);
}

/*
 * differs tells whether the update changes a column.
 */
static bool
differs(const Case *c, int column)
{
	int			i = c->shape->number[column] - 1;
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(c->rel), i);

	if (c->old.nulls[i] != c->new.nulls[i])
		return true;
	if (c->old.nulls[i])
		return false;
	return !datum_image_eq(c->old.values[i], c->new.values[i],
						   attribute->attbyval, attribute->attlen);
}

/*
 * refuse_move says which moves there are instead of the one that is not.
 */
static void
refuse_move(const Case *c, const Machine *machine, const char *from, const char *to)
{
	int			state = oms_machine_state(machine, from);
	StringInfoData open;
	bool		listed[WORKFLOW_MAX_STATES] = {false};

	initStringInfo(&open);
	for (int i = 0; state >= 0 && i < machine->workflow->nmoves; i++)
	{
		const MachineMove *move = &machine->moves[i];

		if (move->from != state || listed[move->to])
			continue;
		listed[move->to] = true;
		appendStringInfo(&open, "%s\"%s\"", open.len == 0 ? "" : ", ",
						 oms_machine_state_name(machine, move->to));
	}
	ereport(ERROR,
			(errcode(ERRCODE_OMS_ILLEGAL_MOVE),
			 errmsg("%s \"%s\" cannot move from \"%s\" to \"%s\"", oms_entity_name(c->entity),
					row_name(c), from, oms_clip(to)),
			 errdetail("It is in state \"%s\" of workflow \"%s\".", from, machine->name),
			 open.len == 0 ? errhint("No move leaves this state.")
			 : errhint("From there it can move to %s.", open.data),
			 errtablecol(c->rel, c->shape->number[c->status])));
}

/*
 * judge_status asks whether a change of status is a move of the workflow.
 */
static void
judge_status(const Case *c)
{
	int			workflow = c->entity == ENTITY_ORDER ? (int) ORDER_WORKFLOW : (int) FULFILLMENT_WORKFLOW;
	char	   *from = oms_row_text(c->shape, &c->old, c->status);
	char	   *to = oms_row_text(c->shape, &c->new, c->status);
	Machine    *machine;
	int			from_state;
	int			to_state;

	if (!to || strcmp(from, to) == 0 || is_migrated(c))
		return;
	machine = oms_machine(c->store, oms_row_text(c->shape, &c->new, workflow), c->entity);
	from_state = oms_machine_state(machine, from);
	to_state = oms_machine_state(machine, to);
	if (from_state < 0 || to_state < 0 ||
		oms_workflow_find_move(machine->workflow, from_state, to_state, -1) < 0)
		refuse_move(c, machine, from, to);
}

/*
 * require_closed refuses a move that a later trigger bent: closed_at was
 * filled in for the state that was asked for.
 */
static void
require_closed(const Case *c)
{
	Machine    *machine = oms_machine(c->store, oms_row_text(c->shape, &c->new, c->workflow), c->entity);
	char	   *to = oms_row_text(c->shape, &c->new, c->status);
	int			state = oms_machine_state(machine, to);

	if (state >= 0 && oms_workflow_is_final(machine->workflow, state) !=
		oms_row_is_null(c->shape, &c->new, c->closed_at))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OMS_ILLEGAL_MOVE),
			 errmsg("%s \"%s\" was bent to \"%s\" after its move was judged", oms_entity_name(c->entity), row_name(c), to),
			 errhint("A BEFORE trigger that changes status must have a name that sorts before \"oms_guard\"."),
			 errtablecol(c->rel, c->shape->number[c->status])));
}

/*
 * require_debtor refuses to give an open order on credit to another customer:
 * the limit would be free for the next order.
 */
static void
require_debtor(const Case *c)
{
	if (DatumGetBool(oms_row_value(c->shape, &c->old, ORDER_CREDIT_APPROVED)) &&
		oms_row_is_null(c->shape, &c->old, ORDER_CLOSED_AT))
		ereport(ERROR,
				(errcode(ERRCODE_OMS_IMMUTABLE),
				 errmsg("the customer of order \"%s\" cannot change: it is on credit", row_name(c)),
				 errhint("It counts against that customer's credit_limit until it is closed."),
				 errtablecol(c->rel, c->shape->number[ORDER_CUSTOMER_ID])));
}

/*
 * require_open_request refuses to change when the customer wants it of an order
 * that is placed, whose fulfillments have the time by then, and of goods that
 * have left.
 */
static void
require_open_request(const Case *c)
{
	bool		is_order = c->entity == ENTITY_ORDER;

	if (oms_row_is_null(c->shape, &c->old, is_order ? (int) ORDER_PLACED_AT : (int) FULFILLMENT_SHIPPED_AT))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OMS_IMMUTABLE),
			 errmsg("requested_at of %s \"%s\" cannot change: %s", oms_entity_name(c->entity), row_name(c),
					is_order ? "it is placed" : "its goods have left"),
			 is_order ? errhint("Set requested_at of its fulfillments, which have the time now.") : 0,
			 errtablecol(c->rel, c->shape->number[is_order ? (int) ORDER_REQUESTED_AT : (int) FULFILLMENT_REQUESTED_AT])));
}

/*
 * judge_update judges a change: fixed columns stay, engine columns change only
 * by the engine's hand, the status only by a move.
 */
static void
judge_update(Case *c, bool is_recheck)
{
	bool		by_engine = oms_row_int64(c->shape, &c->new, c->revision) !=
		oms_row_int64(c->shape, &c->old, c->revision);
	bool		moved = differs(c, c->status);

	if (!by_engine)
		oms_require_form(c);
	if (by_engine && (!oms_in_engine(c->store) ||
					  oms_row_int64(c->shape, &c->new, c->revision) !=
					  oms_row_int64(c->shape, &c->old, c->revision) + 1))
		refuse_engine_column(c, c->revision);

	for (int i = 0; i < c->ncolumns; i++)
	{
		const ColumnRule *rule = &c->rules[i];

		if (rule->owner == PEOPLE || !differs(c, i))
			continue;
		if (rule->owner == FIXED)
			ereport(ERROR,
					(errcode(ERRCODE_OMS_IMMUTABLE),
					 errmsg("column \"%s\" of %s \"%s\" cannot change", rule->name,
							oms_entity_name(c->entity), row_name(c)),
					 errhint("It is fixed when the row is made."),
					 errtablecol(c->rel, c->shape->number[i])));
		/* filled in by oms_guard_row, in a person's update too */
		if (is_recheck && moved && i == c->closed_at && is_closed_now(c))
			continue;
		if (!by_engine)
			refuse_engine_column(c, i);
	}
	if (c->entity == ENTITY_FULFILLMENT && differs(c, FULFILLMENT_SHIP_TO_ID) &&
		!oms_row_is_null(c->shape, &c->old, FULFILLMENT_SHIPPED_AT))
		ereport(ERROR,
				(errcode(ERRCODE_OMS_IMMUTABLE),
				 errmsg("the address of fulfillment \"%s\" cannot change: its goods have left", row_name(c)),
				 errtablecol(c->rel, c->shape->number[FULFILLMENT_SHIP_TO_ID])));
	if (differs(c, c->entity == ENTITY_ORDER ? (int) ORDER_REQUESTED_AT : (int) FULFILLMENT_REQUESTED_AT))
		require_open_request(c);
	if (c->entity == ENTITY_ORDER && differs(c, ORDER_CUSTOMER_ID))
		require_debtor(c);
	judge_status(c);
	if (is_recheck && moved)
		require_closed(c);
}

/*
 * require_idle raises 40001 where another session is changing what goes with
 * a draft: the foreign keys would wait for it, and it for the order.
 */
static void
require_idle(const Case *c)
{
	OwnerScope	scope;

	oms_become_owner(c->store, &scope);
	oms_spi_begin();
	(void) oms_run(c->store, &count_busy, (Datum[]) {oms_row_value(c->shape, &c->new, ORDER_ID)});
	if (oms_column_int64(0, 1) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("order \"%s\" is being changed by another session", row_name(c)),
				 errhint("Retry the transaction.")));
	oms_spi_end();
	oms_leave_owner(&scope);
}

/*
 * judge_delete lets drafts go: an order that is in its initial state and has
 * taken no stock.
 */
static void
judge_delete(Case *c)
{
	if (c->entity == ENTITY_ORDER && oms_row_is_null(c->shape, &c->new, ORDER_PLACED_AT))
	{
		Machine    *machine = oms_machine(c->store, oms_row_text(c->shape, &c->new, ORDER_WORKFLOW),
										  c->entity);
		int			state = oms_machine_state(machine, oms_row_text(c->shape, &c->new, ORDER_STATUS));

		if (state == machine->workflow->initial)
		{
			require_idle(c);
			return;
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_OMS_IMMUTABLE),
			 errmsg("%s \"%s\" cannot be deleted: it is in state \"%s\"", oms_entity_name(c->entity),
					row_name(c), oms_row_text(c->shape, &c->new, c->status)),
			 errhint("Only drafts can be deleted; cancel it instead."),
			 errtable(c->rel)));
}
