/*
 * split.c
 *	  The kernel that splits orders: which location ships what.
 *
 * Reached from oms.solve_split (solve_split.c), and by whatever sources units.
 * A problem becomes a model (split_model.c), in which a search (split_search.c)
 * looks for the set of locations that is best to open; what a set costs is
 * computed in split_value.c and split_flow.c, first plans are made in
 * split_improve.c, and how much better anything could be is asked in
 * split_bound.c, split_count.c and split_outdo.c.
 *
 * Where the number of shipments comes first, the search runs twice: once for
 * the fewest units left and the fewest locations, where these are all that
 * costs; then for the least cost with as many.  Where a location must ship, a
 * unit of it at a time is set aside, and the rest searched for (split_forced.c).
 */
#include "split_parts.h"

static void search_costs(const SplitProblem *problem, const int64 *penalty, int max_open, int node_limit,
						 const uint8 *known, SplitPlan *plan, uint8 *open);
static void write_plan(const Model *m, const Search *s, SplitPlan *plan, uint8 *ships);
static void by_shipments(const SplitProblem *problem, SplitPlan *plan);

/*
 * oms_split_solve finds the best plan.  The problem has been checked.
 */
void
oms_split_solve(const SplitProblem *problem, SplitPlan *plan)
{
	if (problem->forced >= 0)
		oms_split_forced(problem, plan);
	else
		oms_split_open(problem, plan);
}

/*
 * oms_split_open finds the best plan with the forced location open, if there is
 * one, and paid for, whether it ships or not.
 */
void
oms_split_open(const SplitProblem *problem, SplitPlan *plan)
{
	memset(plan, 0, sizeof(SplitPlan));
	if (problem->by_shipments)
		by_shipments(problem, plan);
	else
		search_costs(problem, problem->penalty, problem->max_shipments, problem->node_limit, NULL, plan, NULL);
}

/*
 * begin_with offers a set that is known, of the problem's locations.
 */
static void
begin_with(Search *s, const uint8 *known)
{
	const Model *m = s->m;

	for (int j = 0; j < m->nlocations; j++)
		s->set[j] = known[m->given[j]];
	oms_split_improve(s, s->set);
}

/*
 * search_costs finds the plan that costs least.  known: a set of locations to
 * begin with, or NULL; open: out, those of the plan, or NULL.
 */
static void
search_costs(const SplitProblem *problem, const int64 *penalty, int max_open, int node_limit,
			 const uint8 *known, SplitPlan *plan, uint8 *open)
{
	Model	   *m = oms_split_model(problem, penalty, open != NULL, max_open);
	Search	   *s = oms_split_search(m, node_limit);
	uint8	   *ships = palloc0(m->nlocations + 1);

	if (known)
		begin_with(s, known);
	oms_split_run(s);
	plan->nodes += s->nodes;
	CHECK_FOR_INTERRUPTS();
	write_plan(m, s, plan, ships);
	plan->bound = s->bound <= 0 ? 0 : (s->bound - 1) / m->unit + 1;
	plan->proven = plan->bound >= plan->objective;
	for (int j = 0; open && j < m->nlocations; j++)
		open[m->given[j]] = ships[j];
}

/*
 * add_flow adds units to the plan.  Returns what they cost less than not being
 * shipped.
 */
static int64
add_flow(SplitPlan *plan, const Model *m, int line, int location, int64 quantity, int64 cost, uint8 *ships)
{
	SplitFlow  *flow = &plan->flows[plan->nflows++];

	flow->line = line;
	flow->location = m->given[location];
	flow->quantity = quantity;
	plan->unfilled -= quantity;
	ships[location] = 1;
	return quantity * (m->penalty[line] - cost);
}

/*
 * add_flows adds what the open locations ship.  Returns what that saves.
 */
static int64
add_flows(SplitPlan *plan, const Model *m, const Search *s, uint8 *ships)
{
	int64		saved = 0;

	if (m->is_limited)
	{
		int64	   *flows = palloc((m->narcs + 1) * sizeof(int64));

		(void) oms_split_flow(s->flow, m, s->best_open, NULL, flows);
		for (int j = 0; j < m->nlocations; j++)
		{
			for (int a = m->location_arcs[j]; a < m->location_arcs[j + 1]; a++)
			{
				if (flows[a] > 0)
					saved += add_flow(plan, m, m->by_location[a].other, j, flows[a], m->by_location[a].cost, ships);
			}
		}
		pfree(flows);
		return saved;
	}
	for (int i = 0; i < m->nlines; i++)
	{
		int64		left = m->wanted[i];

		for (int a = m->line_arcs[i]; a < m->line_arcs[i + 1] && left > 0; a++)
		{
			const Arc  *arc = &m->by_line[a];

			if (!s->best_open[arc->other])
				continue;
			saved += add_flow(plan, m, i, arc->other, Min(left, arc->units), arc->cost, ships);
			left -= Min(left, arc->units);
		}
	}
	return saved;
}

static int
compare_flows(const void *a, const void *b)
{
	const SplitFlow *left = a;
	const SplitFlow *right = b;

	if (left->location != right->location)
		return left->location - right->location;
	return left->line - right->line;
}

/*
 * write_plan says what the best set of locations ships and costs, and marks those
 * that ship.  The rest is not in the plan: the search may have ended before it
 * shut them.
 */
static void
write_plan(const Model *m, const Search *s, SplitPlan *plan, uint8 *ships)
{
	int64		cost = 0;

	plan->flows = palloc((m->narcs + 1) * sizeof(SplitFlow));
	plan->nflows = 0;
	plan->unfilled = 0;
	for (int i = 0; i < m->nlines; i++)
	{
		plan->unfilled += m->wanted[i];
		cost += m->wanted[i] * m->penalty[i];
	}
	if (m->forced >= 0)
		ships[m->forced] = 1;
	cost -= add_flows(plan, m, s, ships);
	qsort(plan->flows, plan->nflows, sizeof(SplitFlow), compare_flows);
	plan->shipments = 0;
	for (int j = 0; j < m->nlocations; j++)
	{
		if (!ships[j])
			continue;
		plan->shipments++;
		cost += m->fixed[j];
	}
	plan->objective = cost / m->unit;
}

/*
 * by_shipments finds the plan that leaves fewest units, then ships from fewest
 * locations, then costs least.
 */
static void
by_shipments(const SplitProblem *problem, SplitPlan *plan)
{
	int64	   *penalty = palloc((problem->nlines + 1) * sizeof(int64));
	uint8	   *open = palloc0(problem->nlocations + 1);
	SplitPlan	fewest = {0};
	int64		dearest;
	int64		left;

	for (int i = 0; i < problem->nlines; i++)
		penalty[i] = problem->nlocations + 1;
	search_costs(problem, penalty, problem->max_shipments, problem->node_limit, NULL, &fewest, open);
	left = fewest.unfilled * (problem->nlocations + 1);

	dearest = oms_split_dearest(problem, fewest.shipments);
	for (int i = 0; i < problem->nlines; i++)
		penalty[i] = dearest;
	search_costs(problem, penalty, Max(1, fewest.shipments), problem->node_limit, open, plan, NULL);
	plan->objective -= plan->unfilled * dearest;
	plan->nodes += fewest.nodes;
	plan->proven &= fewest.proven;
	plan->bound = fewest.proven ? plan->shipments : Max(0, fewest.bound - left);
	pfree(penalty);
	pfree(open);
}
