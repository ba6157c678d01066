/*
 * plan_wave.c
 *	  oms.plan_wave: many orders' units, allocated but not released, planned anew
 *	  and together.
 *
 * Orders are sourced one by one as they come, so an early one may have taken what
 * a later one needs more.  Here the kernel of waves (wave.c) plans them together,
 * from what they hold and what is free, for as long as it is given; then the
 * plan is carried out at once (plan_wave_apply.c).  Nothing is locked or written
 * before that, so a session that is canceled meanwhile leaves all as it was.
 *
 * How far it is can be read in pg_stat_activity, where the statement's text is
 * otherwise: oms.wave_progress reads it there.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/tcopprot.h"
#include "tcop/utility.h"
#include "utils/array.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "document.h"
#include "oms.h"
#include "plan.h"
#include "plan_wave.h"
#include "rows.h"

PG_FUNCTION_INFO_V1(oms_plan_wave);

#define LONGEST_BUDGET ((double) USECS_PER_DAY * 366)

/* As the caller, who must see them. */
static const StoreQuery find_unknown = {
	"SELECT w.id FROM ROWS FROM (pg_catalog.unnest($1)) AS w(id) WHERE NOT EXISTS (SELECT FROM @.orders o WHERE o.id" EQ "w.id) LIMIT 1",
	1, {UUIDARRAYOID}
};

static const StoreQuery find_all = {
	"SELECT f.id FROM @.fulfillments f WHERE f.stock_state" EQ "'reserved'", 0, {0}
};

static const StoreQuery find_some = {
	"SELECT f.id FROM @.fulfillments f WHERE f.order_id" EQ "ANY ($1) AND f.stock_state" EQ "'reserved'", 1, {UUIDARRAYOID}
};

/* What is told while it goes on. */
typedef struct Progress
{
	const JointPlan *joint;
	const WavePlan *plan;
	TimestampTz began;
	TimestampTz ends;
	TimestampTz told;			/* 0: not yet */
	int64		budget;			/* microseconds */
} Progress;

/*
 * money_of returns what a cost of the kernel's is in money, in 1/10,000.
 */
static int64
money_of(const JointPlan *joint, int64 cost)
{
	return cost / joint->scale;
}

/*
 * bound_of returns what no plan is below.  What shipments add to break ties is not
 * money: no plan has more than there can be.
 */
static int64
bound_of(const JointPlan *joint, int64 bound)
{
	if (joint->scale == 1)
		return Max(0, bound);
	bound -= joint->most_shipments;
	return bound <= 0 ? 0 : (bound - 1) / joint->scale + 1;
}

/*
 * tell has other sessions see how far this one is.
 */
static void
tell(const Progress *progress, TimestampTz now)
{
	int64		before = money_of(progress->joint, progress->plan->cost_before) / 100;
	int64		after = money_of(progress->joint, progress->plan->cost_after) / 100;
	int64		bound = bound_of(progress->joint, progress->plan->lower_bound) / 100;

	pgstat_report_activity(STATE_RUNNING,
						   psprintf("oms.plan_wave %s: %d orders, " INT64_FORMAT " of " INT64_FORMAT " s, cost " INT64_FORMAT ".%02d -> "
									INT64_FORMAT ".%02d, bound " INT64_FORMAT ".%02d",
									progress->joint->store->name, progress->joint->norders, (now - progress->began) / USECS_PER_SEC,
									progress->budget / USECS_PER_SEC, before / 100, (int) (before % 100), after / 100,
									(int) (after % 100), bound / 100, (int) (bound % 100)));
}

/*
 * go_on tells the kernel whether there is time left.
 */
static bool
go_on(void *arg)
{
	Progress   *progress = arg;
	TimestampTz now = GetCurrentTimestamp();

	CHECK_FOR_INTERRUPTS();
	if (progress->told == 0 || now - progress->told >= USECS_PER_SEC)
	{
		tell(progress, now);
		progress->told = now;
	}
	return now < progress->ends;
}

/*
 * budget_of returns the budget in microseconds; 22023 unless it is some time.
 */
static int64
budget_of(const Interval *budget)
{
	double		total = ((double) budget->month * DAYS_PER_MONTH + budget->day) * USECS_PER_DAY + budget->time;

	if (total <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("budget must be more than no time"),
				 errhint("Give the time that planning may take, such as '60 seconds'.")));
	return (int64) Min(total, LONGEST_BUDGET);
}

/*
 * find_fulfillments returns those of the orders, NULL: all, that hold stock.
 */
static Array *
find_fulfillments(Store *store, ArrayType *order_ids)
{
	Array	   *ids;
	uint64		count;

	if (order_ids && array_contains_nulls(order_ids))
		oms_document_fault("order_ids", NULL, "must not have a null among them");
	if (order_ids && oms_run(store, &find_unknown, (Datum[]) {PointerGetDatum(order_ids)}) > 0)
	{
		pg_uuid_t	id = oms_column_uuid(0, 1);

		oms_document_fault("order_ids", NULL, psprintf("unknown order \"%s\"", oms_uuid_out(&id)));
	}
	count = order_ids ? oms_run(store, &find_some, (Datum[]) {PointerGetDatum(order_ids)}) : oms_run(store, &find_all, NULL);
	ids = oms_array(UUIDOID, (int) count);
	for (uint64 i = 0; i < count; i++)
	{
		pg_uuid_t	id = oms_column_uuid(i, 1);

		oms_array_add_uuid(ids, &id);
	}
	return ids;
}

/*
 * solve plans as long as there is time.  Whatever comes of it, the statement has its
 * own text again in the end.
 */
static void
solve(JointPlan *joint, Progress *progress, WavePlan *plan)
{
	uint64		query_id = pgstat_get_my_query_id();

	memset(plan, 0, sizeof(WavePlan));
	progress->joint = joint;
	progress->plan = plan;
	joint->problem.go_on = go_on;
	joint->problem.arg = progress;
	PG_TRY();
	{
		oms_wave_solve(&joint->problem, plan);
	}
	PG_FINALLY();
	{
		pgstat_report_activity(STATE_RUNNING, debug_query_string ? debug_query_string : "");
		pgstat_report_query_id(query_id, true);
	}
	PG_END_TRY();
}

/*
 * plan_wave does it all: the caller's fulfillments, planned and changed as the owner.
 */
static void
plan_wave(Store *store, ArrayType *order_ids, Progress *progress, JointResult *result)
{
	JointPlan	joint = {.store = store};
	WavePlan	plan;
	OwnerScope	scope;
	char	   *skipped;
	Array	   *fulfillments = find_fulfillments(store, order_ids);

	oms_become_owner(store, &scope);
	joint.sourcing.book = oms_rule_book(store);
	/* where nothing costs anything there is nothing to save */
	if (fulfillments->count > 0 && !oms_rules_are_empty(joint.sourcing.book))
	{
		oms_read_joint_plan(&joint, fulfillments);
		oms_pose_joint_plan(&joint);
	}
	result->orders_planned = joint.norders;
	if (joint.nways > 0)
	{
		solve(&joint, progress, &plan);
		for (int i = 0; i < joint.nways; i++)
			result->cost_before += oms_wave_money(&joint.ways[i], &joint.problem.orders[i], joint.problem.orders[i].flows,
												  joint.problem.orders[i].nflows);
		result->cost_after = result->cost_before;
		oms_apply_joint_plan(&joint, &plan, &scope, result);
		result->lower_bound = Min(bound_of(&joint, plan.lower_bound), result->cost_after);
	}
	oms_leave_owner(&scope);
	result->orders_skipped = oms_wave_count_skipped(&joint, &skipped);
	/* it outlives SPI */
	result->skipped = strcpy(SPI_palloc(strlen(skipped) + 1), skipped);
}

/*
 * oms_plan_wave is oms.plan_wave(store, order_ids, budget).
 */
Datum
oms_plan_wave(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 1);
	JointResult result = {0};
	Progress	progress = {0};
	TupleDesc	description;
	Datum		values[7];
	bool		nulls[7] = {false};
	int			guc_level;

	if (get_call_result_type(fcinfo, NULL, &description) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("budget must not be null"),
				 errhint("Give the time that planning may take, such as '60 seconds'.")));
	PreventCommandIfReadOnly("oms.plan_wave");
	progress.budget = budget_of(PG_GETARG_INTERVAL_P(2));
	progress.began = GetCurrentTimestamp();
	progress.ends = progress.began + progress.budget;
	oms_require_status(store, "fulfillments");
	guc_level = oms_pin_search_path(store);
	oms_spi_begin();
	plan_wave(store, PG_ARGISNULL(1) ? NULL : PG_GETARG_ARRAYTYPE_P(1), &progress, &result);
	oms_spi_end();
	AtEOXact_GUC(true, guc_level);
	values[0] = NumericGetDatum(int64_div_fast_to_numeric(result.cost_before, 4));
	values[1] = NumericGetDatum(int64_div_fast_to_numeric(result.cost_after, 4));
	values[2] = NumericGetDatum(int64_div_fast_to_numeric(result.lower_bound, 4));
	values[3] = Int64GetDatum(result.orders_changed);
	values[4] = Int64GetDatum(result.orders_planned);
	values[5] = Int64GetDatum(result.orders_skipped);
	values[6] = DirectFunctionCall1(jsonb_in, CStringGetDatum(result.skipped));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(description), values, nulls)));
}
