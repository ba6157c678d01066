/*
 * plan.c
 *	  Queries and their kept plans: the SPI ceremony, in one place.
 *
 * A plan is prepared once a store and backend, as a generic plan, and kept in
 * the store's handle.  Generic plans made while tables are small would keep
 * sequential scans and hash joins for good, and a hash-joined UPDATE locks
 * rows out of order: so planning happens with those turned off, and as if the
 * tables had grown, and only planning does.  PostgreSQL may plan anew at any
 * time that somebody's ANALYZE or DDL comes to its ears, also as the query is
 * being started; so that is done where it plans (see plan_ours).
 *
 * Queries are never read-only for SPI: in a trigger, after a wait for a lock,
 * a read-only query would see the world as it was before the wait.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "nodes/pathnodes.h"
#include "optimizer/cost.h"
#include "optimizer/plancat.h"
#include "optimizer/planner.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "plan.h"

/* the size that tables are planned for, at least */
#define GROWN_TUPLES 1e5
#define GROWN_PAGES 2000

typedef struct PlanEntry
{
	uintptr_t	key;			/* see key_of */
	SPIPlanPtr	plan;
	const char *text;			/* the plan's own copy, by which it is known */
} PlanEntry;

static get_relation_info_hook_type previous_hook = NULL;
static planner_hook_type previous_planner = NULL;

/* the query that we are running, and whether it is being planned */
static const char *running = NULL;
static bool is_planning = false;

static void expect_growth(PlannerInfo *root, Oid relid, bool inhparent, RelOptInfo *rel);
static PlannedStmt *plan_ours(Query *parse, const char *text, int cursor_options, ParamListInfo params);

/*
 * oms_spi_begin opens SPI for one call of ours.
 */
void
oms_spi_begin(void)
{
	int			code = SPI_connect();

	if (code != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect: %s", SPI_result_code_string(code));
}

/*
 * oms_spi_end closes it.
 */
void
oms_spi_end(void)
{
	int			code = SPI_finish();

	if (code != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish: %s", SPI_result_code_string(code));
}

/*
 * expand writes the store's name into a query's text.
 */
static char *
expand(const Store *store, const char *text)
{
	StringInfoData buffer;

	initStringInfo(&buffer);
	for (; *text; text++)
	{
		if (text[0] == '@' && text[1] == '.')
			appendStringInfoString(&buffer, store->quoted_name);
		else
			appendStringInfoChar(&buffer, *text);
	}
	return buffer.data;
}

/*
 * off turns a planner setting off until the GUC nest level ends.
 */
static void
off(const char *setting)
{
	(void) set_config_option(setting, "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

/*
 * oms_plan_init has the planner ask us about tables, and about our queries.
 */
void
oms_plan_init(void)
{
	previous_hook = get_relation_info_hook;
	get_relation_info_hook = expect_growth;
	previous_planner = planner_hook;
	planner_hook = plan_ours;
}

/*
 * expect_growth has our own plans made as if tables were large already: what
 * is right for a hundred million rows is good for ten, and not the other way
 * round.
 */
static void
expect_growth(PlannerInfo *root, Oid relid, bool inhparent, RelOptInfo *rel)
{
	ListCell   *cell;

	if (previous_hook)
		previous_hook(root, relid, inhparent, rel);
	if (!is_planning)
		return;
	rel->tuples = Max(rel->tuples, GROWN_TUPLES);
	rel->pages = Max(rel->pages, GROWN_PAGES);
	foreach(cell, rel->indexlist)
	{
		IndexOptInfo *index = lfirst(cell);

		index->tree_height = Max(index->tree_height, 3);
		if (index->indpred != NIL)
			continue;			/* what it is about stays few */
		index->tuples = rel->tuples;
		index->pages = Max(index->pages, GROWN_PAGES / 4);
	}
}

/*
 * plan_ours has our own queries planned for index scans and nested loops, and
 * leaves others alone, also those that our queries lead to.
 */
static PlannedStmt *
plan_ours(Query *parse, const char *text, int cursor_options, ParamListInfo params)
{
	planner_hook_type plan = previous_planner ? previous_planner : standard_planner;
	bool		was_planning = is_planning;
	PlannedStmt *volatile result = NULL;
	int			nest_level;

	is_planning = text != NULL && text == running;
	nest_level = is_planning ? NewGUCNestLevel() : 0;
	PG_TRY();
	{
		if (is_planning)
		{
			off("enable_seqscan");
			off("enable_hashjoin");
			off("enable_mergejoin");
			off("enable_bitmapscan");
			off("enable_material");
			off("enable_memoize");
			off("jit");
			/* queries name first what they start from, an array of ids */
			(void) set_config_option("join_collapse_limit", "1", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
		}
		result = plan(parse, text, cursor_options, params);
	}
	PG_FINALLY();
	{
		is_planning = was_planning;
	}
	PG_END_TRY();
	if (nest_level > 0)
		AtEOXact_GUC(true, nest_level);
	return result;
}

/*
 * key_of returns under what a query's plan is kept: its address, and whether
 * policies that are forced on the owner are passed over.  Those are part of a
 * plan, and the plan cache asks for the user only.
 */
static uintptr_t
key_of(const StoreQuery *query)
{
	return (uintptr_t) query | (InNoForceRLSOperation() ? 1 : 0);
}

/*
 * prepared returns the query's plan for this store.
 */
static const PlanEntry *
prepared(Store *store, const StoreQuery *query)
{
	uintptr_t	key = key_of(query);
	PlanEntry  *entry;
	bool		found;

	if (store->plans == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(uintptr_t);
		control.entrysize = sizeof(PlanEntry);
		control.hcxt = TopMemoryContext;
		store->plans = hash_create("oms plans", 64, &control,
								   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}

	entry = hash_search(store->plans, &key, HASH_FIND, NULL);
	if (entry == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare_cursor(expand(store, query->text), query->nargs,
											  (Oid *) query->args, CURSOR_OPT_GENERIC_PLAN);

		if (plan == NULL)
			elog(ERROR, "SPI_prepare_cursor: %s: %s",
				 SPI_result_code_string(SPI_result), query->text);
		SPI_keepplan(plan);
		entry = hash_search(store->plans, &key, HASH_ENTER, &found);
		entry->plan = plan;
		entry->text = ((CachedPlanSource *) linitial(SPI_plan_get_plan_sources(plan)))->query_string;
	}
	return entry;
}

/*
 * params_of returns a query's arguments as the executor takes them.
 */
static ParamListInfo
params_of(const StoreQuery *query, const Datum *args)
{
	ParamListInfo params = makeParamList(query->nargs);

	for (int i = 0; i < query->nargs; i++)
		params->params[i] = (ParamExternData) {
			.value = args[i], .pflags = PARAM_FLAG_CONST, .ptype = query->args[i]
		};
	return params;
}

/*
 * execute runs a query with its plan: in the snapshot given, or by the rules of
 * SPI; then its rows may go to a destination of their own.
 *
 * Foreign keys plan their checks when they are first asked, and keep the plan:
 * in a young store that would be a sequential scan, for good.  They are asked
 * inside this call, at the end of the statement.  The variable is set and
 * restored by hand, since a GUC nest level each time is dear.
 */
static int
execute(Store *store, const StoreQuery *query, const Datum *args, const char *nulls, Snapshot snapshot, bool reads, bool fires,
		DestReceiver *dest)
{
	const PlanEntry *entry = prepared(store, query);
	SPIPlanPtr	plan = entry->plan;
	const char *outer = running;
	bool		before = enable_seqscan;
	volatile int code = 0;

	running = entry->text;
	if (!reads)
		enable_seqscan = false;
	PG_TRY();
	{
		if (dest)
			code = SPI_execute_plan_extended(plan, &(SPIExecuteOptions) {
				.params = params_of(query, args), .read_only = reads, .dest = dest
			});
		else
			code = snapshot == InvalidSnapshot ? SPI_execute_plan(plan, (Datum *) args, nulls, reads, 0) :
				SPI_execute_snapshot(plan, (Datum *) args, nulls, snapshot, InvalidSnapshot, reads, fires, 0);
	}
	PG_FINALLY();
	{
		running = outer;
		enable_seqscan = before;
	}
	PG_END_TRY();
	if (code < 0)
		elog(ERROR, "a query failed: %s: %s", SPI_result_code_string(code), query->text);
	return code;
}

/*
 * oms_run runs a query with all its arguments given; its rows are in
 * SPI_tuptable until SPI is closed.  Returns how many rows it touched.
 */
uint64
oms_run(Store *store, const StoreQuery *query, const Datum *args)
{
	return oms_run_nulls(store, query, args, NULL);
}

/*
 * oms_run_nulls is oms_run with arguments that may be NULL: 'n' in nulls.
 */
uint64
oms_run_nulls(Store *store, const StoreQuery *query, const Datum *args, const char *nulls)
{
	int			code = execute(store, query, args, nulls, InvalidSnapshot, false, true, NULL);

	if (code == SPI_OK_REWRITTEN)
	{
		/* such a plan names no table, so nothing would ever invalidate it */
		uintptr_t	key = key_of(query);

		(void) hash_search(store->plans, &key, HASH_REMOVE, NULL);
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a rule on a table of store \"%s\" replaces what the engine writes", store->name),
				 errhint("Drop the rule; use a trigger or a view instead.")));
	}
	return SPI_processed;
}

/* A destination that hands each row to a function. */
typedef struct RowDest
{
	DestReceiver dest;			/* first: what the executor knows */
	RowReader	read;
	void	   *state;
	MemoryContext context;
} RowDest;

static bool
receive_row(TupleTableSlot *row, DestReceiver *dest)
{
	RowDest    *to = (RowDest *) dest;
	MemoryContext before = MemoryContextSwitchTo(to->context);

	to->read(row, to->state);
	MemoryContextSwitchTo(before);
	return true;
}

static void
begin_rows(DestReceiver *dest, int operation, TupleDesc type)
{
}

static void
end_rows(DestReceiver *dest)
{
}

/*
 * oms_run_each runs a query that reads, as oms_run does, but has each row read
 * as it comes (oms_field_...) rather than copied and kept, for where they are
 * thousands.  The reader runs in the caller's memory context, and no queries.
 */
uint64
oms_run_each(Store *store, const StoreQuery *query, const Datum *args, RowReader read, void *state)
{
	RowDest		to = {
		.dest = {receive_row, begin_rows, end_rows, end_rows, DestTuplestore},
		.read = read, .state = state, .context = CurrentMemoryContext
	};

	(void) execute(store, query, args, NULL, InvalidSnapshot, false, true, &to.dest);
	return SPI_processed;
}

/*
 * oms_refuse_interference raises an error where the engine's writes of a table did
 * not happen, or not as they were meant.
 */
void
oms_refuse_interference(const char *table)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("a trigger keeps the engine from writing table \"%s\"", table),
			 errhint("A BEFORE trigger on a store's table must let the engine's writes pass as they are.")));
}

/*
 * oms_run_latest reads with the latest snapshot, whatever the transaction's
 * isolation level: for what must not be stale, such as workflows.
 */
uint64
oms_run_latest(Store *store, const StoreQuery *query, const Datum *args)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

	(void) execute(store, query, args, NULL, snapshot, true, false, NULL);
	UnregisterSnapshot(snapshot);
	return SPI_processed;
}

/*
 * oms_write_latest does a query with the latest snapshot and may write: for what
 * follows from rows that sessions change one after the other.
 */
uint64
oms_write_latest(Store *store, const StoreQuery *query, const Datum *args)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

	(void) execute(store, query, args, NULL, snapshot, false, true, NULL);
	UnregisterSnapshot(snapshot);
	return SPI_processed;
}

/*
 * oms_run_reading reads in the snapshot of the statement that called us, each
 * time the same: for reports in several queries, not for triggers.
 */
uint64
oms_run_reading(Store *store, const StoreQuery *query, const Datum *args)
{
	return oms_run_reading_nulls(store, query, args, NULL);
}

/*
 * oms_run_reading_nulls is that with arguments that may be NULL.
 */
uint64
oms_run_reading_nulls(Store *store, const StoreQuery *query, const Datum *args, const char *nulls)
{
	(void) execute(store, query, args, nulls, InvalidSnapshot, true, true, NULL);
	return SPI_processed;
}

/*
 * oms_forget_plans abandons a store's plans, its name having changed.  They
 * are not freed, since one of them may be running; renaming a store is rare.
 */
void
oms_forget_plans(Store *store)
{
	store->plans = NULL;
}

/*
 * oms_try runs something in a subtransaction.  Returns NULL, or the error
 * that rolled it back, in the caller's memory; what it must not go on after, the
 * caller throws again.
 */
ErrorData *
oms_try(void (*run) (Store *store, void *argument), Store *store, void *argument)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		run(store, argument);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return error;
}
