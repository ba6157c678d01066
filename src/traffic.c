/*
 * traffic.c
 *	  oms.to_mermaid(store, name): a workflow with what has become of its rows.
 *
 * How many rows are in each state is read from their table, how often each move
 * was made from the log.  The log tells a move by its two states, so where a
 * pair has a manual and an automatic one, both show what they have together.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "oms.h"
#include "plan.h"
#include "rows.h"
#include "store.h"
#include "workflow_draw.h"

PG_FUNCTION_INFO_V1(oms_to_mermaid_of_store);

/*
 * read_counts runs a report as the caller; %s is the store's name.  Such reports
 * read whole tables, so they are planned for what there is and not kept.
 */
static uint64
read_counts(const Store *store, const char *query, Datum name)
{
	int			code = SPI_execute_with_args(query, 1, (Oid[]) {TEXTOID}, &name, NULL, true, 0);

	if (code != SPI_OK_SELECT)
		elog(ERROR, "workflow of store \"%s\" cannot be counted: %s", store->name, SPI_result_code_string(code));
	return SPI_processed;
}

/*
 * read_workflow reads a workflow and the table of its rows.
 */
static Workflow *
read_workflow(const Store *store, Datum name, const char **table)
{
	if (read_counts(store, psprintf("SELECT definition, entity FROM %s.workflows WHERE name = $1", store->quoted_name), name) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("store \"%s\" has no workflow \"%.64s\"", store->name, TextDatumGetCString(name)),
				 errhint("SELECT name FROM %s.workflows lists those that it has.", store->quoted_name)));
	*table = strcmp(oms_column_name(0, 2), "order") == 0 ? "orders" : "fulfillments";
	return oms_workflow_from_text(cstring_to_text(oms_column_name(0, 1)));
}

/*
 * count_rows counts the rows in each state.
 */
static void
count_rows(const Store *store, const char *table, Datum name, const Workflow *workflow, Traffic *traffic)
{
	uint64		count = read_counts(store, psprintf("SELECT status, count(*) FROM %s.%s WHERE workflow = $1 GROUP BY status",
													store->quoted_name, table), name);

	for (uint64 i = 0; i < count; i++)
	{
		char	   *status = oms_column_name(i, 1);
		int			state = oms_workflow_state(workflow, status, strlen(status));

		if (state >= 0)
			traffic->in_state[state] = oms_column_int64(i, 2);
	}
}

/*
 * count_moves counts how often each move was made.
 */
static void
count_moves(const Store *store, const char *table, Datum name, const Workflow *workflow, Traffic *traffic)
{
	uint64		count = read_counts(store, psprintf("SELECT e.event, coalesce(e.from_status, ''), e.to_status, count(*)"
													" FROM %1$s.order_events e JOIN %1$s.%2$s r ON r.id = e.entity_id"
													" WHERE e.event IN ('created', 'moved') AND r.workflow = $1 GROUP BY 1, 2, 3",
													store->quoted_name, table), name);

	for (uint64 i = 0; i < count; i++)
	{
		char	   *from = oms_column_name(i, 2);
		char	   *to = oms_column_name(i, 3);
		int			from_state = oms_workflow_state(workflow, from, strlen(from));
		int			to_state = oms_workflow_state(workflow, to, strlen(to));

		if (strcmp(oms_column_name(i, 1), "created") == 0)
			traffic->created += to_state == workflow->initial ? oms_column_int64(i, 4) : 0;
		else if (from_state >= 0 && to_state >= 0)
		{
			for (int k = -1; (k = oms_workflow_find_move(workflow, from_state, to_state, k)) >= 0;)
				traffic->moved[k] = oms_column_int64(i, 4);
		}
	}
}

/*
 * oms_to_mermaid_of_store is oms.to_mermaid(store, name).
 */
Datum
oms_to_mermaid_of_store(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_with_gaps(fcinfo, 2);
	Datum		name = PG_GETARG_DATUM(1);
	MemoryContext caller = CurrentMemoryContext;
	Traffic		traffic = {0};
	Workflow   *workflow;
	const char *table;
	char	   *drawing;
	int			guc_level = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	oms_spi_begin();
	workflow = read_workflow(store, name, &table);
	traffic.in_state = palloc0(workflow->nstates * sizeof(int64));
	traffic.moved = palloc0(Max(1, workflow->nmoves) * sizeof(int64));
	count_rows(store, table, name, workflow, &traffic);
	count_moves(store, table, name, workflow, &traffic);
	drawing = MemoryContextStrdup(caller, oms_draw_mermaid(workflow, &traffic));
	oms_spi_end();
	AtEOXact_GUC(true, guc_level);
	PG_RETURN_TEXT_P(cstring_to_text(drawing));
}
