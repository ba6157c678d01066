/*
 * tick.c
 *	  oms.tick: doing what becomes due without a statement to do it in.
 *
 * Holds end when their time has come, and automatic moves open when something
 * changes that no trigger of ours sees: what a function of the store reads,
 * or the workflow itself.  Somebody calls this every now and then.  It finds
 * holds by the index of those that are open and expire, orders and fulfillments
 * by those of rows not closed, wherever their units are: history makes none of
 * them longer.
 *
 * Guards are asked before anything is locked.  Rows that others have locked are
 * left to them, so several ticks share the work; and a row that fails is passed
 * over, so that it does not keep the others back.
 *
 * Stock holds that expired are removed (reclaim.c), and orders that wait are given
 * units (fill.c), last: both have stock rows locked until the end.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "fill.h"
#include "moves.h"
#include "oms.h"
#include "plan.h"
#include "stock_hold.h"
#include "tick.h"

/* rows that are looked at together */
#define BATCH 1000

PG_FUNCTION_INFO_V1(oms_tick);

static const StoreQuery find_expired = {
	"SELECT h.id, h.order_id, o.number, h.expires_at FROM @.order_holds h JOIN @.orders o ON o.id" EQ "h.order_id"
	" WHERE h.released_at IS NULL AND h.expires_at" LE "$4"
	" AND ROW(h.expires_at, h.id)" GT "ROW($1, $2) ORDER BY h.expires_at, h.id LIMIT $3 FOR NO KEY UPDATE OF h SKIP LOCKED",
	4, {TIMESTAMPTZOID, UUIDOID, INT8OID, TIMESTAMPTZOID}
};

static const StoreQuery end_holds = {
	"UPDATE @.order_holds h SET released_at = pg_catalog.clock_timestamp(), released_by = 'tick'"
	" WHERE h.id" EQ "ANY ($1) AND h.released_at IS NULL",
	1, {UUIDARRAYOID}
};

/* A state's name has no blank, so that each pair has one text. */
static const StoreQuery find_candidates[] = {
	{
		"SELECT o.id, o.id, o.number, o.ordered_at FROM @.orders o WHERE o.closed_at IS NULL"
		" AND ROW(o.ordered_at, o.id)" GT "ROW($1, $2) AND (o.status" CONCAT "' '" CONCAT "o.workflow)" EQ "ANY ($4)"
		" ORDER BY o.ordered_at, o.id LIMIT $3",
		4, {TIMESTAMPTZOID, UUIDOID, INT8OID, TEXTARRAYOID}
	},
	{
		"SELECT f.id, f.order_id, f.number, f.created_at FROM @.fulfillments f"
		" WHERE f.closed_at IS NULL AND ROW(f.created_at, f.id)" GT "ROW($1, $2) AND (f.status" CONCAT "' '" CONCAT "f.workflow)" EQ "ANY ($4)"
		" ORDER BY f.created_at, f.id LIMIT $3",
		4, {TIMESTAMPTZOID, UUIDOID, INT8OID, TEXTARRAYOID}
	}
};

static const StoreQuery lock_at_hand[] = {
	{"SELECT o.id FROM @.orders o WHERE o.id" EQ "ANY ($1) ORDER BY o.id FOR NO KEY UPDATE SKIP LOCKED", 1, {UUIDARRAYOID}},
	{"SELECT f.id FROM @.fulfillments f WHERE f.id" EQ "ANY ($1) ORDER BY f.id FOR NO KEY UPDATE SKIP LOCKED", 1, {UUIDARRAYOID}}
};

/* Rows that something is done to, or holds of orders. */
typedef struct Task
{
	Store	   *store;
	EntityKind	entity;
	Array	   *ids;
	Array	   *order_ids;
	Array	   *skus;			/* that the orders are given units of, or NULL */
	const char **numbers;
	bool	   *is_open;		/* out, of ask */
	void		(*run) (struct Task *task, int first, int count);
	bool		keep;			/* what it writes; else it is rolled back */
	int64		moves;			/* out: that were made */
	int64		done;			/* out: rows that did not fail */

	/* where the last batch ended */
	Datum		last_at;
	pg_uuid_t	last_id;
} Task;

/* A store whose turn it is in this session. */
typedef struct Ticking
{
	Store	   *store;
	struct Ticking *outer;
} Ticking;

static Ticking *innermost = NULL;

/*
 * begin_task makes an empty one.
 */
static void
begin_task(Task *task, Store *store, EntityKind entity, void (*run) (Task *task, int first, int count), bool keep)
{
	memset(task, 0, sizeof(Task));
	task->store = store;
	task->entity = entity;
	task->ids = oms_array(UUIDOID, BATCH);
	task->order_ids = oms_array(UUIDOID, BATCH);
	task->numbers = palloc(BATCH * sizeof(char *));
	task->is_open = palloc0(BATCH * sizeof(bool));
	task->run = run;
	task->keep = keep;
	task->last_at = TimestampTzGetDatum(DT_NOBEGIN);
}

/*
 * read_batch reads the rows that come after the last batch; which is the query's
 * own argument.  Returns how many.
 */
static int
read_batch(Task *task, const StoreQuery *query, int64 most, Datum which)
{
	uint64		count = oms_run(task->store, query, (Datum[]) {
		task->last_at, UUIDPGetDatum(&task->last_id), Int64GetDatum(Min(most, BATCH)), which
	});

	task->ids->count = task->order_ids->count = 0;
	for (uint64 i = 0; i < count; i++)
	{
		bool		isnull;
		pg_uuid_t	id = oms_column_uuid(i, 1);
		pg_uuid_t	order_id = oms_column_uuid(i, 2);

		oms_array_add_uuid(task->ids, &id);
		oms_array_add_uuid(task->order_ids, &order_id);
		task->numbers[i] = oms_column_text(i, 3);
		task->last_at = oms_column(i, 4, TIMESTAMPTZOID, &isnull);
		task->last_id = id;
	}
	return (int) count;
}

/*
 * pass_over tells of a row that failed, unless others were in the way.
 */
static void
pass_over(const Task *task, int row, const ErrorData *error)
{
	if (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_TRANSACTION_ROLLBACK ||
		error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
		return;
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("%s \"%s\" is passed over: %s", oms_entity_name(task->entity), task->numbers[row], error->message)));
}

/*
 * try_some runs the task on some of its rows, in a subtransaction.  Returns
 * whether it did not fail.
 */
static bool
try_some(Task *task, int first, int count)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;
	int64		moves = oms_count_moves(0);

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		task->run(task, first, count);
		if (task->keep)
			ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	if (error || !task->keep)
		RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	if (!error)
	{
		task->moves += oms_count_moves(0) - moves;
		task->done += count;
		return true;
	}
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED || error->elevel > ERROR)
		ReThrowError(error);
	if (count == 1)
		pass_over(task, first, error);
	return false;
}

/*
 * run_apart runs the task on rows together, or where that fails on each half of
 * them, and so on: all but those that fail are done.
 */
static void
run_apart(Task *task, int first, int count)
{
	CHECK_FOR_INTERRUPTS();
	if (count == 0 || try_some(task, first, count) || count == 1)
		return;
	run_apart(task, first, count / 2);
	run_apart(task, first + count / 2, count - count / 2);
}

/*
 * part returns some of an array's elements.
 */
static Array *
part(const Array *array, int first, int count)
{
	Array	   *some = oms_array(array->type, count);

	for (int i = first; i < first + count; i++)
		oms_array_add(some, array->values[i]);
	return some;
}

/*
 * ask notes which rows have an automatic move open, as far as can be seen
 * without a lock.
 */
static void
ask(Task *task, int first, int count)
{
	Mover	   *movers = palloc0(count * sizeof(Mover));
	FunctionCalls calls = {NULL};

	for (int i = 0; i < count; i++)
	{
		movers[i].id = *DatumGetUUIDP(task->ids->values[first + i]);
		movers[i].order_id = *DatumGetUUIDP(task->order_ids->values[first + i]);
	}
	qsort(movers, count, sizeof(Mover), oms_uuid_cmp);
	oms_peek(task->store, task->entity, movers, count);
	for (int i = 0; i < count; i++)
	{
		const Mover *mover = bsearch(DatumGetUUIDP(task->ids->values[first + i]), movers, count, sizeof(Mover), oms_uuid_cmp);

		task->is_open[first + i] = oms_choose_automatic_move(task->store, &calls, task->entity, mover) != NULL;
	}
}

/*
 * go_on makes the automatic moves that are open to rows.
 */
static void
go_on(Task *task, int first, int count)
{
	oms_settle(task->store, task->entity, part(task->ids, first, count), part(task->order_ids, first, count));
}

/*
 * end ends holds.
 */
static void
end(Task *task, int first, int count)
{
	(void) oms_run(task->store, &end_holds, (Datum[]) {oms_array_datum(part(task->ids, first, count))});
}

/*
 * keep_locked locks the rows whose ids an array holds, and leaves those out of
 * the task that others have locked.
 */
static void
keep_locked(Task *task, EntityKind entity, const Array *array)
{
	uint64		count;
	pg_uuid_t  *locked;
	int			kept = 0;

	if (array->count == 0)
		return;
	count = oms_run(task->store, &lock_at_hand[entity], (Datum[]) {oms_array_datum(array)});
	locked = palloc(Max(1, count) * sizeof(pg_uuid_t));
	for (uint64 i = 0; i < count; i++)
		locked[i] = oms_column_uuid(i, 1);
	for (int i = 0; i < array->count; i++)
	{
		if (!bsearch(DatumGetUUIDP(array->values[i]), locked, count, sizeof(pg_uuid_t), oms_uuid_cmp))
			continue;
		task->numbers[kept] = task->numbers[i];
		task->order_ids->values[kept] = task->order_ids->values[i];
		task->ids->values[kept++] = task->ids->values[i];
	}
	task->ids->count = task->order_ids->count = kept;
}

/*
 * end_expired_holds releases holds whose time has come.
 */
static void
end_expired_holds(Store *store, int64 max_rows, TickResult *result)
{
	Datum		now = TimestampTzGetDatum(GetCurrentTimestamp());
	Task		task;

	begin_task(&task, store, ENTITY_ORDER, end, true);
	while (task.done < max_rows && read_batch(&task, &find_expired, max_rows - task.done, now) > 0)
	{
		keep_locked(&task, ENTITY_ORDER, task.order_ids);
		run_apart(&task, 0, task.ids->count);
	}
	result->holds_released += task.done;
	result->moves += task.moves;
}

/*
 * fill gives orders units that wait for them.
 */
static void
fill(Task *task, int first, int count)
{
	oms_fill(task->store, task->skus, &(Waiting) {.order_ids = part(task->ids, first, count)}, false);
}

/*
 * fill_waiting gives units that have become free, or that somebody has by now who
 * does not count them, to orders that wait for some.
 */
static void
fill_waiting(Store *store, Array *(*find_skus) (Store *store, char **last), int64 max_rows, TickResult *result)
{
	char	   *sku = "";
	Task		task;

	begin_task(&task, store, ENTITY_ORDER, fill, true);
	while (task.done < max_rows && (task.skus = find_skus(store, &sku))->count > 0)
	{
		task.ids = task.order_ids = oms_fill_orders(store, task.skus, (int) Min(max_rows - task.done, BATCH), task.numbers);
		keep_locked(&task, ENTITY_ORDER, task.ids);
		run_apart(&task, 0, task.ids->count);
	}
	result->orders_filled += task.done;
	result->moves += task.moves;
}

/*
 * move_open_rows makes automatic moves of an entity.
 */
static void
move_open_rows(Store *store, EntityKind entity, int64 max_rows, TickResult *result)
{
	Array	   *states;
	Task		asked;
	Task		moved;
	int			count;

	oms_keep_workflows(store, entity);
	states = oms_automatic_states(store, entity);
	if (states->count == 0)
		return;
	begin_task(&asked, store, entity, ask, false);
	begin_task(&moved, store, entity, go_on, true);
	while (moved.done < max_rows && (count = read_batch(&asked, &find_candidates[entity], BATCH, oms_array_datum(states))) > 0)
	{
		memset(asked.is_open, 0, BATCH * sizeof(bool));
		run_apart(&asked, 0, count);
		moved.ids->count = moved.order_ids->count = 0;
		for (int i = 0; i < count && moved.done + moved.ids->count < max_rows; i++)
		{
			if (!asked.is_open[i])
				continue;
			moved.numbers[moved.ids->count] = asked.numbers[i];
			oms_array_add(moved.ids, asked.ids->values[i]);
			oms_array_add(moved.order_ids, asked.order_ids->values[i]);
		}
		/* fulfillments before their orders, as everywhere */
		if (entity == ENTITY_FULFILLMENT)
			keep_locked(&moved, entity, moved.ids);
		keep_locked(&moved, ENTITY_ORDER, moved.order_ids);
		run_apart(&moved, 0, moved.ids->count);
	}
	result->moves += moved.moves;
}

/*
 * do_due does what is due, a step after the other, each bounded by max_rows.
 */
static void
do_due(Store *store, int64 max_rows, TickResult *result)
{
	end_expired_holds(store, max_rows, result);
	move_open_rows(store, ENTITY_ORDER, max_rows, result);
	move_open_rows(store, ENTITY_FULFILLMENT, max_rows, result);
	/* these wait for no stock row, and so may come when some are held */
	result->stock_holds_expired += oms_end_stock_holds(store, max_rows);
	fill_waiting(store, oms_fill_skus, max_rows, result);
	fill_waiting(store, oms_fill_unstocked_skus, max_rows, result);
}

/*
 * oms_do_due does what is due in a store.  A guard or an action may call oms.tick
 * too: what is due is being done then.  The caller acts as the owner.
 */
void
oms_do_due(Store *store, int64 max_rows, TickResult *result)
{
	Ticking		ticking = {store, innermost};

	for (const Ticking *outer = innermost; outer; outer = outer->outer)
	{
		if (outer->store == store)
			return;
	}
	innermost = &ticking;
	PG_TRY();
	{
		do_due(store, max_rows, result);
	}
	PG_FINALLY();
	{
		innermost = ticking.outer;
	}
	PG_END_TRY();
}

/*
 * oms_tick is oms.tick(store, max_rows).
 */
Datum
oms_tick(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 2);
	int64		max_rows = PG_GETARG_INT64(1);
	TickResult	result = {0};
	TupleDesc	tupdesc;
	OwnerScope	scope;

	if (max_rows < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_rows must be 1 or more, not " INT64_FORMAT, max_rows),
				 errhint("It is how many rows each step may do; the default is 1000.")));
	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "tick must return a row");
	oms_require_status(store, "orders");
	oms_require_status(store, "fulfillments");
	oms_spi_begin();
	oms_become_owner(store, &scope);
	oms_do_due(store, max_rows, &result);
	oms_leave_owner(&scope);
	oms_spi_end();

	/* the columns of oms.tick, in its order */
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), (Datum[]) {
		Int64GetDatum(result.holds_released), Int64GetDatum(result.stock_holds_expired),
		Int64GetDatum(result.orders_filled), Int64GetDatum(result.moves)
	}, (bool[4]) {false})));
}
