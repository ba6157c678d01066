/*
 * enforce.c
 *	  oms.enforce_workflow: a workflow on a table of one's own.
 *
 *	  CREATE TRIGGER ... BEFORE INSERT OR UPDATE ON tickets FOR EACH ROW
 *		EXECUTE FUNCTION oms.enforce_workflow('status', 'initial open; ...');
 *
 * BEFORE ROW it gives a new row its initial state, refuses what is no move and
 * asks the guards.  AFTER ROW the same function judges the row as it was
 * written and runs the actions: side effects only ever happen AFTER.  Guards
 * and actions are functions in the table's schema that take its row type and
 * belong to the table's owner; they run as whoever made the change, like the
 * body of any trigger.  Definitions are compiled once a backend.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "chain.h"
#include "oms.h"
#include "store.h"
#include "workflow.h"

PG_FUNCTION_INFO_V1(oms_enforce_workflow);

typedef struct Compiled
{
	Oid			trigger_oid;	/* key */
	char	   *definition;
	Workflow   *workflow;
} Compiled;

/* A guard or action that is called, and what for. */
typedef struct Called
{
	Relation	rel;
	const char *name;
	bool		is_guard;
	const char *from;
	const char *to;
} Called;

static HTAB *compiled = NULL;

/*
 * workflow_of returns the trigger's workflow, compiled anew where its
 * definition has changed.
 */
static Workflow *
workflow_of(const Trigger *trigger)
{
	Compiled   *entry;
	bool		found;
	Workflow   *workflow;
	MemoryContext caller;

	if (!compiled)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(Oid);
		control.entrysize = sizeof(Compiled);
		compiled = hash_create("oms enforced workflows", 16, &control, HASH_ELEM | HASH_BLOBS);
	}
	entry = hash_search(compiled, &trigger->tgoid, HASH_FIND, NULL);
	if (entry && strcmp(entry->definition, trigger->tgargs[1]) == 0)
		return entry->workflow;

	workflow = oms_workflow_from_text(cstring_to_text(trigger->tgargs[1]));
	entry = hash_search(compiled, &trigger->tgoid, HASH_ENTER, &found);
	/* what an older definition was is left alone: an action may be using it */
	caller = MemoryContextSwitchTo(TopMemoryContext);
	entry->definition = pstrdup(trigger->tgargs[1]);
	entry->workflow = palloc(VARSIZE(workflow));
	memcpy(entry->workflow, workflow, VARSIZE(workflow));
	MemoryContextSwitchTo(caller);
	return entry->workflow;
}

/*
 * state_of returns the state in a row, without the blanks that pad char(n).
 */
static char *
state_of(Relation rel, HeapTuple row, int column)
{
	char	   *state = SPI_getvalue(row, RelationGetDescr(rel), column);

	if (state && TupleDescAttr(RelationGetDescr(rel), column - 1)->atttypid == BPCHAROID)
	{
		int			length = strlen(state);

		while (length > 0 && state[length - 1] == ' ')
			state[--length] = '\0';
	}
	return state;
}

/*
 * tell_called says which move a function is called for, for the chain of moves.
 */
static void
tell_called(StringInfo text, const MoveLink *link)
{
	const Called *called = link->what;

	appendStringInfo(text, "table \"%s\" from \"%s\" to \"%s\"", RelationGetRelationName(called->rel),
					 called->from, called->to);
}

/*
 * tell_context adds to an error where the function was called from.
 */
static void
tell_context(void *arg)
{
	const Called *called = arg;

	errcontext("%s \"%s\" of move \"%s -> %s\" of table \"%s\"", called->is_guard ? "guard" : "action",
			   called->name, called->from, called->to, RelationGetRelationName(called->rel));
}

/*
 * find_function returns the guard's or action's OID.
 */
static Oid
find_function(const Called *called)
{
	Relation	rel = called->rel;
	Oid			row_type = rel->rd_rel->reltype;
	oidvector  *arguments = buildoidvector(&row_type, 1);
	HeapTuple	tuple = SearchSysCache3(PROCNAMEARGSNSP, CStringGetDatum(called->name), PointerGetDatum(arguments),
										ObjectIdGetDatum(RelationGetNamespace(rel)));
	Form_pg_proc form = HeapTupleIsValid(tuple) ? (Form_pg_proc) GETSTRUCT(tuple) : NULL;
	Oid			function;

	if (!form || form->prorettype != (called->is_guard ? BOOLOID : VOIDOID) || form->proretset ||
		form->proowner != rel->rd_rel->relowner)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_WORKFLOW_UNSOUND),
				 errmsg("%s \"%s\" does not exist", called->is_guard ? "guard" : "action", called->name),
				 errhint("Create a function %s(%s) returning %s that belongs to the table's owner.",
						 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)), called->name),
						 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
													RelationGetRelationName(rel)),
						 called->is_guard ? "boolean" : "void")));
	function = form->oid;
	ReleaseSysCache(tuple);
	return function;
}

/*
 * call calls a guard or action on a row; a guard's answer is returned.
 */
static bool
call(const Called *called, HeapTuple row)
{
	LOCAL_FCINFO(fcinfo, 1);
	FmgrInfo	info;
	MoveLink	link = {.tell = tell_called, .what = called};
	ErrorContextCallback context;
	volatile Datum answer = (Datum) 0;

	fmgr_info(find_function(called), &info);
	InitFunctionCallInfoData(*fcinfo, &info, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = heap_copy_tuple_as_datum(row, RelationGetDescr(called->rel));
	fcinfo->args[0].isnull = false;
	oms_chain_enter(&link);
	context.callback = tell_context;
	context.arg = (void *) called;
	context.previous = error_context_stack;
	error_context_stack = &context;
	PG_TRY();
	{
		(void) oms_chain_call(called->name);
		answer = FunctionCallInvoke(fcinfo);
	}
	PG_FINALLY();
	{
		oms_chain_leave(&link);
	}
	PG_END_TRY();
	error_context_stack = context.previous;
	return called->is_guard && !fcinfo->isnull && DatumGetBool(answer);
}

/*
 * refuse_move says which moves there are instead of the one that is not.
 */
static void
refuse_move(Relation rel, int column, const Workflow *workflow, const char *from, const char *to)
{
	int			state = oms_workflow_state(workflow, from, strlen(from));
	StringInfoData open;
	uint64		listed = 0;

	initStringInfo(&open);
	for (int i = 0; state >= 0 && i < workflow->nmoves; i++)
	{
		const WorkflowMove *move = oms_workflow_move(workflow, i);

		if (move->from != state || (listed & (UINT64CONST(1) << move->to)) != 0)
			continue;
		listed |= UINT64CONST(1) << move->to;
		appendStringInfo(&open, "%s\"%s\"", open.len == 0 ? "" : ", ", oms_workflow_state_name(workflow, move->to));
	}
	ereport(ERROR,
			(errcode(ERRCODE_OMS_ILLEGAL_MOVE),
			 errmsg("\"%s\" of table \"%s\" cannot move from \"%s\" to \"%s\"",
					NameStr(TupleDescAttr(RelationGetDescr(rel), column - 1)->attname),
					RelationGetRelationName(rel), oms_clip(from), oms_clip(to)),
			 open.len == 0 ? errhint("No move leaves this state.") : errhint("From there it can move to %s.", open.data),
			 errtablecol(rel, column)));
}

/*
 * choose finds the move between two states: the first whose guards hold.
 */
static const WorkflowMove *
choose(Relation rel, HeapTuple row, int column, const Workflow *workflow, const char *from, const char *to)
{
	int			from_state = oms_workflow_state(workflow, from, strlen(from));
	int			to_state = oms_workflow_state(workflow, to, strlen(to));
	const char *refusing = NULL;

	for (int k = -1; from_state >= 0 && to_state >= 0 &&
		 (k = oms_workflow_find_move(workflow, from_state, to_state, k)) >= 0;)
	{
		const WorkflowMove *move = oms_workflow_move(workflow, k);
		bool		open = true;

		for (int i = 0; open && i < move->nguards; i++)
		{
			open = call(&(Called) {rel, oms_workflow_guard(workflow, move, i), true, from, to}, row);
			if (!open && !refusing)
				refusing = oms_workflow_guard(workflow, move, i);
		}
		if (open)
			return move;
	}
	if (!refusing)
		refuse_move(rel, column, workflow, from, to);
	ereport(ERROR,
			(errcode(ERRCODE_OMS_GUARD_REFUSED),
			 errmsg("\"%s\" of table \"%s\" cannot move from \"%s\" to \"%s\": guard \"%s\" refuses",
					NameStr(TupleDescAttr(RelationGetDescr(rel), column - 1)->attname),
					RelationGetRelationName(rel), from, to, refusing),
			 errtablecol(rel, column)));
}

/*
 * has_after_trigger tells whether the same function fires AFTER ROW too, which
 * is where actions run.
 */
static bool
has_after_trigger(const TriggerData *trigger)
{
	const TriggerDesc *all = trigger->tg_relation->trigdesc;

	for (int i = 0; all && i < all->numtriggers; i++)
	{
		const Trigger *other = &all->triggers[i];

		if (other->tgfoid == trigger->tg_trigger->tgfoid && TRIGGER_FOR_ROW(other->tgtype) &&
			TRIGGER_FOR_AFTER(other->tgtype) && TRIGGER_FOR_UPDATE(other->tgtype) &&
			other->tgnargs == 2 && strcmp(other->tgargs[1], trigger->tg_trigger->tgargs[1]) == 0)
			return true;
	}
	return false;
}

/*
 * require_runnable refuses a definition with actions that nothing would run.
 */
static void
require_runnable(const TriggerData *trigger, const WorkflowMove *move)
{
	if (move->nactions > 0 && !has_after_trigger(trigger))
		ereport(ERROR,
				(errcode(ERRCODE_OMS_WORKFLOW_UNSOUND),
				 errmsg("the workflow of table \"%s\" has actions, which run AFTER, but no trigger to run them",
						RelationGetRelationName(trigger->tg_relation)),
				 errhint("Create the trigger once more as AFTER INSERT OR UPDATE ... FOR EACH ROW, with the same arguments.")));
}

/*
 * status_column returns the column that the trigger's first argument names.
 */
static int
status_column(const TriggerData *trigger)
{
	int			column;

	if (trigger->tg_trigger->tgnargs != 2)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" must give oms.enforce_workflow a column and a definition",
						trigger->tg_trigger->tgname)));
	column = SPI_fnumber(RelationGetDescr(trigger->tg_relation), trigger->tg_trigger->tgargs[0]);
	if (column <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("table \"%s\" has no column \"%s\"", RelationGetRelationName(trigger->tg_relation),
						trigger->tg_trigger->tgargs[0])));
	return column;
}

/*
 * judge_new judges a row that is inserted: it begins in the initial state,
 * which it is given where it has none.
 */
static HeapTuple
judge_new(TriggerData *trigger, const Workflow *workflow, int column)
{
	Relation	rel = trigger->tg_relation;
	HeapTuple	row = trigger->tg_trigtuple;
	char	   *status = state_of(rel, row, column);
	const char *initial = oms_workflow_state_name(workflow, workflow->initial);
	Oid			input;
	Oid			parameter;
	Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), column - 1);

	if (!status && TRIGGER_FIRED_BEFORE(trigger->tg_event))
	{
		getTypeInputInfo(attribute->atttypid, &input, &parameter);
		return heap_modify_tuple_by_cols(row, RelationGetDescr(rel), 1, &column, (Datum[]) {
			OidInputFunctionCall(input, (char *) initial, parameter, attribute->atttypmod)
		}, (bool[]) {false});
	}
	if (!status || strcmp(status, initial) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_ILLEGAL_MOVE),
				 errmsg("\"%s\" of table \"%s\" cannot begin in \"%s\", only in \"%s\"", NameStr(attribute->attname),
						RelationGetRelationName(rel), status ? oms_clip(status) : "", initial),
				 errhint("Insert the row there, or leave \"%s\" out, and move it by UPDATE.", NameStr(attribute->attname)),
				 errtablecol(rel, column)));
	return row;
}

/*
 * oms_enforce_workflow is trigger function oms.enforce_workflow(column,
 * definition).
 */
Datum
oms_enforce_workflow(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Relation	rel;
	Workflow   *workflow;
	int			column;
	char	   *from;
	char	   *to;
	const WorkflowMove *move;

	oms_require_trigger(fcinfo, "enforce_workflow");
	if (!TRIGGER_FIRED_FOR_ROW(trigger->tg_event) || TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("oms.enforce_workflow must be fired FOR EACH ROW by INSERT or UPDATE")));
	rel = trigger->tg_relation;
	column = status_column(trigger);
	workflow = workflow_of(trigger->tg_trigger);
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		return PointerGetDatum(judge_new(trigger, workflow, column));

	from = state_of(rel, trigger->tg_trigtuple, column);
	to = state_of(rel, trigger->tg_newtuple, column);
	if (from && to && strcmp(from, to) == 0)
		return PointerGetDatum(trigger->tg_newtuple);
	move = choose(rel, trigger->tg_newtuple, column, workflow, from ? from : "", to ? to : "");
	if (TRIGGER_FIRED_BEFORE(trigger->tg_event))
		require_runnable(trigger, move);
	else
	{
		for (int i = 0; i < move->nactions; i++)
			(void) call(&(Called) {rel, oms_workflow_action(workflow, move, i), false, from ? from : "", to}, trigger->tg_newtuple);
	}
	return PointerGetDatum(trigger->tg_newtuple);
}
