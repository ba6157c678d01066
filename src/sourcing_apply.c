/*
 * sourcing_apply.c
 *	  A solution of a problem becomes pieces of the plan.
 */
#include "postgres.h"

#include "sourcing_plan.h"

/*
 * take_units has the members of a line of units have so many from a place.
 */
static int64
take_units(Planner *planner, const PlanLine *line, int place, int64 units)
{
	int64		left = units;

	for (int i = 0; i < line->nmembers && left > 0; i++)
		left -= oms_take_piece(planner, line->members[i], place, left, false);
	return units - left;
}

/*
 * take_flow takes so many of a line from a place, as far as they are there still.
 * Returns how many units.
 */
static int64
take_flow(Planner *planner, const PlanLine *line, int place, int64 quantity)
{
	int64		units = 0;

	if (line->kind == LINE_UNITS)
		return take_units(planner, line, place, quantity);
	if (line->kind == LINE_TOGETHER)
		return oms_take_all(planner, line->members, line->nmembers, place) ? 1 : 0;
	quantity = Min(quantity, oms_kits_at(planner, line, place));
	for (int i = 0; i < line->nmembers; i++)
		units += oms_take_piece(planner, line->members[i], place, quantity * line->members[i]->per_kit, false);
	return units;
}

/* A flow of a solution, about to be taken. */
typedef struct Taking
{
	int			turn;			/* those that have no choice come first */
	const PlanLine *line;
	int			location;
	int64		quantity;
} Taking;

/*
 * compare_takings orders them by turn, then as the lines stand in the order, the
 * first of which is served first where not all can be.
 */
static int
compare_takings(const void *a, const void *b)
{
	const Taking *left = a;
	const Taking *right = b;

	if (left->turn != right->turn)
		return left->turn - right->turn;
	if (left->line != right->line)
		return left->line->members[0] < right->line->members[0] ? -1 : 1;
	return left->location - right->location;
}

/*
 * turn_of says when a line's turn is: lines that name a place, ship groups, kits,
 * the rest.
 */
static int
turn_of(const PlanLine *line)
{
	if (line->kind == LINE_UNITS)
		return line->members[0]->location ? 0 : 3;
	return line->kind == LINE_TOGETHER ? 1 : 2;
}

/*
 * oms_plan_apply takes what a solution says.  Lines share stock where one names
 * its place or is taken whole, which the kernel does not know; what a line does
 * not get for that is asked for in the next round.  Returns whether anything was
 * taken.
 */
bool
oms_plan_apply(Planner *planner, PlanProblem *problem, const SplitPlan *plan)
{
	Taking	   *takings = palloc((plan->nflows + 1) * sizeof(Taking));
	bool		taken = false;

	for (int i = 0; i < plan->nflows; i++)
	{
		const PlanLine *line = &problem->lines[plan->flows[i].line];

		takings[i] = (Taking) {turn_of(line), line, plan->flows[i].location, plan->flows[i].quantity};
	}
	qsort(takings, plan->nflows, sizeof(Taking), compare_takings);
	for (int i = 0; i < plan->nflows; i++)
	{
		int			place = problem->places[takings[i].location];

		if (take_flow(planner, takings[i].line, place, takings[i].quantity) == 0)
			continue;
		problem->nopen += !problem->is_open[place];
		problem->is_open[place] = 1;
		taken = true;
	}
	return taken;
}
