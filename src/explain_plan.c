/*
 * explain_plan.c
 *	  oms.explain_plan: why an order's units come from where they do.
 *
 * The order is planned as oms.plan_order plans it (plan_order.c).  Then each
 * location that could ship and does not is made to ship: the best plan in which
 * it does is made by the same code, and is taken back again.  Each problem finds
 * what those before it have left, as in the plan.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "explain_plan.h"
#include "oms.h"
#include "plan.h"

PG_FUNCTION_INFO_V1(oms_explain_plan);

/* What is said of one place. */
typedef struct Opinion
{
	const char *verdict;
	bool		has_cost;
	int64		cost;
	const char *detail;
} Opinion;

/* What is explained. */
typedef struct Explanation
{
	Planner		planner;
	World		world;
	bool		gives_nothing;	/* the order wants all or nothing, and there
								 * is not all */
	ReturnSetInfo *result;
} Explanation;

/*
 * begin_explanation reads all that the plan is made by.
 */
static void
begin_explanation(Explanation *e, Store *store, Sourcing *sourcing)
{
	sourcing->all_places = true;
	oms_read_world(store, sourcing, false, &e->world);
	oms_plan_begin(&e->planner, store, sourcing, &e->world);
}

/*
 * plan_with plans a problem with a place that must ship something, -1: none, and
 * says what that comes to.
 */
static void
plan_with(Explanation *e, const PlanProblem *problem, int place, Outcome *outcome)
{
	MemoryContext before = MemoryContextSwitchTo(e->planner.scratch);
	int			first = e->planner.sourcing->npieces;
	PlanProblem attempt = *problem;

	attempt.forced = place;
	oms_solve_problem(&e->planner, &attempt);
	MemoryContextSwitchTo(before);
	MemoryContextReset(e->planner.scratch);
	oms_read_outcome(&e->planner, problem, first, outcome);
}

/*
 * gives_nothing tells whether an order that wants all or nothing gets nothing.
 */
static bool
gives_nothing(Explanation *e, const PlanProblem *problems, int count)
{
	Sourcing   *sourcing = e->planner.sourcing;
	bool		is_complete = true;
	Outcome		outcome;

	if (!sourcing->demands[0].is_whole)
		return false;
	for (int i = 0; i < count; i++)
	{
		plan_with(e, &problems[i], -1, &outcome);
		is_complete &= outcome.unfilled == 0;
	}
	oms_take_back(&e->planner, 0);
	return !is_complete;
}

/*
 * judge_apart judges what a place could do by itself.  Returns false where it could
 * ship something.
 */
static bool
judge_apart(const Explanation *e, const Standing *standing, int place, Opinion *opinion)
{
	const Place *at = &e->world.places[place];

	if (!standing->may_serve)
	{
		opinion->verdict = "denied";
		opinion->detail = standing->why;
	}
	else if (!standing->has)
		opinion->verdict = "no_stock";
	else if (standing->is_full)
	{
		opinion->verdict = "no_capacity";
		opinion->detail = psprintf("its day %s is full", DatumGetCString(DirectFunctionCall1(date_out, DateADTGetDatum(at->day))));
	}
	else if (e->gives_nothing)
	{
		opinion->verdict = "no_stock";
		opinion->detail = "the order ships complete, and not all that it waits for is there";
	}
	return opinion->verdict != NULL;
}

/*
 * judge_forced says what it would cost to have a place ship.
 */
static void
judge_forced(Explanation *e, const PlanProblem *problem, const Standing *standings, const Outcome *plan, int place, Opinion *opinion)
{
	int			first = e->planner.sourcing->npieces;
	int			instead = oms_dominator(&e->planner, problem, standings, plan->ships, place);
	Outcome		forced;

	plan_with(e, problem, place, &forced);
	oms_take_back(&e->planner, first);
	opinion->has_cost = forced.ships[place];
	opinion->cost = forced.cost;
	opinion->verdict = instead >= 0 ? "dominated" : "costlier";
	opinion->detail = instead >= 0 ? psprintf("location \"%s\" has all it has, at no higher cost", e->world.places[instead].code)
		: opinion->has_cost ? oms_compare_outcomes(&e->planner, plan, &forced)
		: "no plan that the search could make ships anything from it";
}

/*
 * put_row returns what is said of a place.
 */
static void
put_row(const Explanation *e, const PlanProblem *problem, int place, const Opinion *opinion)
{
	const Demand *demand = problem->demands[0];
	Datum		values[8];
	bool		nulls[8] = {false};

	values[0] = CStringGetTextDatum(e->world.places[place].code);
	values[1] = CStringGetTextDatum(demand->method);
	nulls[2] = demand->pickup_location == NULL;
	values[2] = demand->pickup_location ? CStringGetTextDatum(demand->pickup_location) : (Datum) 0;
	nulls[3] = !demand->has_ship_to;
	values[3] = UUIDPGetDatum(&demand->ship_to);
	nulls[4] = !demand->has_requested_at;
	values[4] = TimestampTzGetDatum(demand->requested_at);
	values[5] = CStringGetTextDatum(opinion->verdict);
	nulls[6] = !opinion->has_cost;
	values[6] = opinion->has_cost ? NumericGetDatum(int64_div_fast_to_numeric(opinion->cost, 4)) : (Datum) 0;
	nulls[7] = opinion->detail == NULL;
	values[7] = opinion->detail ? CStringGetTextDatum(opinion->detail) : (Datum) 0;
	tuplestore_putvalues(e->result->setResult, e->result->setDesc, values, nulls);
}

/*
 * explain_problem says of each place what it is to a problem, and leaves that
 * planned.
 */
static void
explain_problem(Explanation *e, const PlanProblem *problem)
{
	int			first = e->planner.sourcing->npieces;
	Standing   *standings;
	Outcome		plan;

	if (e->planner.costs)
		oms_aim_costs(e->planner.costs, &e->world, problem->demands[0]);
	standings = oms_read_standings(&e->planner, problem);
	plan_with(e, problem, -1, &plan);
	oms_take_back(&e->planner, first);
	for (int place = 0; place < e->world.nplaces; place++)
	{
		Opinion		opinion = {0};

		CHECK_FOR_INTERRUPTS();
		if (plan.ships[place] && !e->gives_nothing)
			opinion = (Opinion) {"chosen", true, plan.cost, psprintf("ships " INT64_FORMAT " %s", plan.units[place],
																	 plan.units[place] == 1 ? "unit" : "units")};
		else if (!judge_apart(e, &standings[place], place, &opinion))
			judge_forced(e, problem, standings, &plan, place, &opinion);
		put_row(e, problem, place, &opinion);
	}
	plan_with(e, problem, -1, &plan);
}

/*
 * oms_explain_plan is oms.explain_plan(store, order_id).
 */
Datum
oms_explain_plan(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 2);
	Explanation e = {0};
	Sourcing	sourcing = {0};
	bool		is_placed;
	PlanProblem *problems;
	int			count;

	InitMaterializedSRF(fcinfo, 0);
	e.result = (ReturnSetInfo *) fcinfo->resultinfo;
	oms_spi_begin();
	if (oms_plan_in_thought(store, PG_GETARG_UUID_P(1), &sourcing, &is_placed) && sourcing.count > 0)
	{
		begin_explanation(&e, store, &sourcing);
		problems = oms_plan_problems(&e.planner, 0, sourcing.count, &count);
		e.gives_nothing = gives_nothing(&e, problems, count);
		for (int i = 0; i < count; i++)
			explain_problem(&e, &problems[i]);
		MemoryContextDelete(e.planner.scratch);
	}
	oms_spi_end();
	return (Datum) 0;
}
