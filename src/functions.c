/*
 * functions.c
 *	  Guards and actions that are functions of the store.
 *
 * Such a function takes the row's type and returns boolean or void.  It is
 * found by its name and argument's type, so that no overload gets in between,
 * and called by its OID with the row as it is now: as the store's owner, with
 * search_path pinned, and no more as the engine.  A statement makes each of its
 * functions ready once, however many rows it is asked for.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "chain.h"
#include "functions.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"
#include "transition.h"

/* bytes of a guard's comment that its refusal tells */
#define MOST_WORDS 200

/* a column of that name would be taken for the row */
static const StoreQuery read_row[] = {
	{"SELECT oms_whole_row FROM @.orders oms_whole_row WHERE oms_whole_row.id" EQ "$1", 1, {UUIDOID}},
	{"SELECT oms_whole_row FROM @.fulfillments oms_whole_row WHERE oms_whole_row.id" EQ "$1", 1, {UUIDOID}}
};

/* A function of the store that a statement has made ready. */
typedef struct FunctionCall
{
	struct FunctionCall *next;
	const char *name;
	Oid			result;			/* its type */
	FmgrInfo	info;
} FunctionCall;

/* What a function is being called for, as an error's context says. */
typedef struct Errand
{
	const char *what;			/* guard or action */
	const char *name;
	EntityKind	entity;
	const Mover *row;
	const char *from;
	const char *to;
} Errand;

/*
 * oms_store_function returns the store's own function of that name that takes
 * a row of the entity and returns the type; InvalidOid where there is none.
 * A function that is not the store owner's does not count: the engine would
 * lend its author the owner's rights.
 */
Oid
oms_store_function(Store *store, EntityKind entity, const char *name, Oid result)
{
	Oid			relid = get_relname_relid(oms_entity_table(entity), store->namespace_oid);
	Oid			row_type = OidIsValid(relid) ? get_rel_type_id(relid) : InvalidOid;
	oidvector  *arguments;
	HeapTuple	tuple;
	Form_pg_proc form;
	Oid			function = InvalidOid;

	if (!OidIsValid(row_type))
		return InvalidOid;
	arguments = buildoidvector(&row_type, 1);
	tuple = SearchSysCache3(PROCNAMEARGSNSP, CStringGetDatum(name),
							PointerGetDatum(arguments),
							ObjectIdGetDatum(store->namespace_oid));
	if (!HeapTupleIsValid(tuple))
		return InvalidOid;
	form = (Form_pg_proc) GETSTRUCT(tuple);
	if (form->prorettype == result && form->prokind == PROKIND_FUNCTION &&
		!form->proretset && form->proowner == store->owner)
		function = form->oid;
	ReleaseSysCache(tuple);
	return function;
}

/*
 * made_ready returns the function, looked up once a statement; NULL where there
 * is none.
 */
static FunctionCall *
made_ready(Store *store, FunctionCalls *calls, EntityKind entity, const char *name, Oid result)
{
	FunctionCall *call;
	Oid			function;

	for (call = calls->first; call; call = call->next)
	{
		if (call->result == result && strcmp(call->name, name) == 0)
			return call;
	}
	function = oms_store_function(store, entity, name, result);
	if (!OidIsValid(function))
		return NULL;
	call = palloc0(sizeof(FunctionCall));
	fmgr_info(function, &call->info);
	call->name = name;
	call->result = result;
	call->next = calls->first;
	calls->first = call;
	return call;
}

/*
 * oms_suppose_row returns the row as an UPDATE of its status would leave it.
 */
Datum
oms_suppose_row(Datum row, const Mover *mover)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(row);
	TupleDesc	tupdesc = lookup_rowtype_tupdesc_copy(HeapTupleHeaderGetTypeId(header),
													  HeapTupleHeaderGetTypMod(header));
	HeapTupleData tuple = {0};
	int			columns[3];
	Datum		values[3] = {CStringGetTextDatum(mover->to), (Datum) 0};
	bool		nulls[3] = {false, true, true};

	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	tuple.t_data = header;
	columns[0] = oms_require_column(tupdesc, "status", TEXTOID);
	columns[1] = oms_require_column(tupdesc, "status_reason", TEXTOID);
	columns[2] = oms_require_column(tupdesc, "closed_at", TIMESTAMPTZOID);
	values[2] = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	nulls[2] = !oms_workflow_is_final(mover->machine->workflow, oms_machine_state(mover->machine, mover->to));
	return heap_copy_tuple_as_datum(heap_modify_tuple_by_cols(&tuple, tupdesc, lengthof(columns), columns, values, nulls), tupdesc);
}

/*
 * tell_errand adds to an error where the function was called from.
 */
static void
tell_errand(void *arg)
{
	const Errand *errand = arg;

	errcontext("%s \"%s\" of move \"%s -> %s\" of %s \"%s\"", errand->what, errand->name, errand->from, errand->to,
			   oms_entity_name(errand->entity), errand->row->number ? errand->row->number : oms_uuid_out(&errand->row->id));
}

/*
 * call calls a function with the row as it is now, and sees what the statement
 * has written so far.  Returns what it answers; NULL is false, as is a row that
 * is gone.
 */
static bool
call(Store *store, FunctionCall *function, Errand *errand)
{
	LOCAL_FCINFO(fcinfo, 1);
	ErrorContextCallback context;
	const char *before;
	int			sec_context;
	bool		isnull;
	Datum		row;
	Datum		answer;
	SPITupleTable *tuples;

	if (oms_run(store, &read_row[errand->entity], (Datum[]) {UUIDPGetDatum(&errand->row->id)}) != 1)
		return false;
	tuples = SPI_tuptable;
	row = SPI_getbinval(tuples->vals[0], tuples->tupdesc, 1, &isnull);
	if (errand->row->is_supposed)
		row = oms_suppose_row(row, errand->row);

	context.callback = tell_errand;
	context.arg = errand;
	context.previous = error_context_stack;
	error_context_stack = &context;
	before = oms_chain_call(errand->name);
	sec_context = oms_leave_engine();
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());

	InitFunctionCallInfoData(*fcinfo, &function->info, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = row;
	fcinfo->args[0].isnull = false;
	answer = FunctionCallInvoke(fcinfo);

	PopActiveSnapshot();
	oms_enter_engine(sec_context);
	(void) oms_chain_call(before);
	error_context_stack = context.previous;
	SPI_freetuptable(tuples);
	return function->result == BOOLOID && !fcinfo->isnull && DatumGetBool(answer);
}

/*
 * say_why tells why a guard refuses: its comment, if it has one.
 */
static void
say_why(const char *function, Oid oid, StringInfo why)
{
	char	   *comment = GetComment(oid, ProcedureRelationId, 0);
	int			length = comment ? pg_mbcliplen(comment, strlen(comment), MOST_WORDS) : 0;

	if (length > 0)
		appendStringInfo(why, "%.*s", length, comment);
	else
		appendStringInfo(why, "%s says no", function);
}

/*
 * oms_ask_function asks a guard that is a function of the store.  Where it
 * refuses, why says the reason.
 */
bool
oms_ask_function(Store *store, FunctionCalls *calls, EntityKind entity, const Mover *row, const MachineMove *move,
				 const char *name, StringInfo why)
{
	FunctionCall *function = made_ready(store, calls, entity, name, BOOLOID);
	Errand		errand = {"guard", name, entity, row, oms_machine_state_name(row->machine, move->from),
	oms_machine_state_name(row->machine, move->to)};

	if (!function)
	{
		appendStringInfo(why, "there is no function %s(%s) that returns boolean and belongs to the store's owner",
						 quote_qualified_identifier(store->name, name),
						 quote_qualified_identifier(store->name, oms_entity_table(entity)));
		return false;
	}
	if (call(store, function, &errand))
		return true;
	say_why(quote_qualified_identifier(store->name, name), function->info.fn_oid, why);
	return false;
}

/*
 * oms_call_function calls an action that is a function of the store.
 */
void
oms_call_function(Store *store, FunctionCalls *calls, EntityKind entity, const Mover *row, const char *name)
{
	FunctionCall *function = made_ready(store, calls, entity, name, VOIDOID);
	Errand		errand = {"action", name, entity, row, row->from, row->to};

	if (!function)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_WORKFLOW_UNSOUND),
				 errmsg("action \"%s\" of workflow \"%s\" does not exist", name, row->machine->name),
				 errhint("Create a function %s(%s) that returns void and belongs to the store's owner.",
						 quote_qualified_identifier(store->name, name),
						 quote_qualified_identifier(store->name, oms_entity_table(entity)))));
	(void) call(store, function, &errand);
}
