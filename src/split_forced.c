/*
 * split_forced.c
 *	  The best plan in which a given location ships something: what it costs not to
 *	  do without it.
 *
 * First the location is only open, and paid for.  If it then ships, that is the
 * plan.  Else some unit must come from there, of one line or another: for each,
 * the unit is set aside, and the rest is solved; the best of these plans is the
 * best of all.  Where nodes are limited, only the most promising lines are tried.
 */
#include "split_parts.h"

#ifndef OMS_STANDALONE
#include "utils/memutils.h"
#endif

#define MOST_TRIED 32			/* where nodes are limited */

/* A pair by which the location could ship a unit. */
typedef struct Candidate
{
	int			arc;
	int64		more;			/* what the unit seems to cost more */
} Candidate;

/* The problem without a unit, and the best plan so far. */
typedef struct Rest
{
	const SplitProblem *problem;
	SplitProblem rest;
	int64	   *quantity;
	int64	   *available;
	int64	   *capacity;
	MemoryContext scratch;
	int64		least;			/* no plan is better, by its cost */
	SplitPlan  *plan;			/* out */
	bool		has_plan;
	bool		has_all;		/* nothing was left untried or unproven */
	int64		bound;			/* the least of all that were tried */
} Rest;

static int	list_candidates(const SplitProblem *problem, const SplitPlan *open, Candidate *candidates);
static void start_rest(Rest *r, const SplitProblem *problem, SplitPlan *plan, int64 least);
static void try_candidate(Rest *r, int arc, int node_limit);

static bool
ships(const SplitPlan *plan, int location)
{
	for (int k = 0; k < plan->nflows; k++)
	{
		if (plan->flows[k].location == location)
			return true;
	}
	return false;
}

static int
compare_candidates(const void *a, const void *b)
{
	const Candidate *left = a;
	const Candidate *right = b;

	if (left->more != right->more)
		return left->more < right->more ? -1 : 1;
	return left->arc - right->arc;
}

/*
 * oms_split_forced finds the best plan in which the forced location ships.
 */
void
oms_split_forced(const SplitProblem *problem, SplitPlan *plan)
{
	Candidate  *candidates = palloc((problem->narcs + 1) * sizeof(Candidate));
	bool		is_limited = problem->node_limit < PG_INT32_MAX;
	SplitPlan	open;
	Rest		r;
	int			count;
	int			most;

	memset(plan, 0, sizeof(SplitPlan));
	oms_split_open(problem, &open);
	count = list_candidates(problem, &open, candidates);
	if (count == 0)
	{
		plan->flows = palloc(sizeof(SplitFlow));
		plan->impossible = plan->proven = true;
		return;
	}
	if (ships(&open, problem->forced))
	{
		*plan = open;
		return;
	}
	start_rest(&r, problem, plan, problem->by_shipments ? 0 : open.bound);
	most = is_limited ? Min(count, MOST_TRIED) : count;
	for (int n = 0; n < most; n++)
		try_candidate(&r, candidates[n].arc, is_limited ? Max(1, problem->node_limit / most) : PG_INT32_MAX);
	MemoryContextDelete(r.scratch);
	r.has_all &= most == count;
	plan->nodes += open.nodes;
	if (problem->by_shipments)
	{
		plan->proven = r.has_all;
		plan->bound = plan->proven ? plan->shipments : most == count ? Min(r.bound, plan->shipments) : 1;
		return;
	}
	plan->bound = Min(plan->objective, most == count ? Max(r.least, r.bound) : r.least);
	plan->proven = plan->bound >= plan->objective;
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
 * note_dearest notes what each line's dearest unit costs in a plan.
 */
static void
note_dearest(const SplitProblem *problem, const SplitPlan *plan, int64 *dearest)
{
	int64	   *left = palloc((problem->nlines + 1) * sizeof(int64));

	for (int i = 0; i < problem->nlines; i++)
		left[i] = problem->quantity[i];
	for (int k = 0; k < plan->nflows; k++)
		left[plan->flows[k].line] -= plan->flows[k].quantity;
	for (int a = 0; a < problem->narcs; a++)
	{
		SplitFlow	pair = {.line = problem->arc_line[a], .location = problem->arc_location[a]};

		if (bsearch(&pair, plan->flows, plan->nflows, sizeof(SplitFlow), compare_flows))
			dearest[pair.line] = Max(dearest[pair.line], problem->arc_cost[a]);
	}
	for (int i = 0; i < problem->nlines; i++)
	{
		if (left[i] > 0)
			dearest[i] = problem->penalty[i];
	}
	pfree(left);
}

/*
 * list_candidates lists what the location could ship, the least dear first against
 * what the lines pay where it is only open.
 */
static int
list_candidates(const SplitProblem *problem, const SplitPlan *open, Candidate *candidates)
{
	int64	   *dearest = palloc0((problem->nlines + 1) * sizeof(int64));
	int			count = 0;

	note_dearest(problem, open, dearest);
	for (int a = 0; a < problem->narcs; a++)
	{
		if (problem->arc_location[a] != problem->forced || problem->arc_available[a] == 0 ||
			problem->quantity[problem->arc_line[a]] == 0 || (problem->capacity && problem->capacity[problem->forced] == 0))
			continue;
		candidates[count].arc = a;
		candidates[count++].more = problem->arc_cost[a] - dearest[problem->arc_line[a]];
	}
	qsort(candidates, count, sizeof(Candidate), compare_candidates);
	pfree(dearest);
	return count;
}

/*
 * start_rest makes a copy of the problem, of which units can be set aside.
 */
static void
start_rest(Rest *r, const SplitProblem *problem, SplitPlan *plan, int64 least)
{
	memset(r, 0, sizeof(Rest));
	r->problem = problem;
	r->rest = *problem;
	r->quantity = palloc((problem->nlines + 1) * sizeof(int64));
	r->available = palloc((problem->narcs + 1) * sizeof(int64));
	memcpy(r->quantity, problem->quantity, problem->nlines * sizeof(int64));
	memcpy(r->available, problem->arc_available, problem->narcs * sizeof(int64));
	r->rest.quantity = r->quantity;
	r->rest.arc_available = r->available;
	if (problem->capacity)
	{
		r->capacity = palloc((problem->nlocations + 1) * sizeof(int64));
		memcpy(r->capacity, problem->capacity, problem->nlocations * sizeof(int64));
		if (r->capacity[problem->forced] != SPLIT_UNLIMITED)
			r->capacity[problem->forced]--;
		r->rest.capacity = r->capacity;
	}
	r->scratch = AllocSetContextCreate(CurrentMemoryContext, "oms split", ALLOCSET_DEFAULT_SIZES);
	r->least = least;
	r->plan = plan;
	plan->flows = palloc((problem->narcs + 1) * sizeof(SplitFlow));
	r->has_all = true;
	r->bound = PG_INT64_MAX;
}

static bool
is_better(const SplitProblem *problem, const SplitPlan *a, const SplitPlan *b)
{
	if (problem->by_shipments && a->unfilled != b->unfilled)
		return a->unfilled < b->unfilled;
	if (problem->by_shipments && a->shipments != b->shipments)
		return a->shipments < b->shipments;
	return a->objective < b->objective;
}

/*
 * keep takes over a plan of the rest, and the unit that was set aside with it.
 */
static void
keep(Rest *r, const SplitPlan *plan, int arc)
{
	SplitFlow  *flows = r->plan->flows;
	SplitFlow	unit = {.line = r->problem->arc_line[arc], .location = r->problem->forced, .quantity = 1};
	SplitFlow  *with;
	int			nodes = r->plan->nodes;

	memcpy(flows, plan->flows, plan->nflows * sizeof(SplitFlow));
	*r->plan = *plan;
	r->plan->flows = flows;
	r->plan->nodes = nodes;
	r->has_plan = true;
	with = bsearch(&unit, flows, plan->nflows, sizeof(SplitFlow), compare_flows);
	if (with)
	{
		with->quantity++;
		return;
	}
	flows[r->plan->nflows++] = unit;
	qsort(flows, r->plan->nflows, sizeof(SplitFlow), compare_flows);
}

/*
 * try_candidate sets a unit of a pair aside, and solves the rest: unless no plan
 * with it can be better.  Without a unit a line costs no more than its penalty
 * less.
 */
static void
try_candidate(Rest *r, int arc, int node_limit)
{
	const SplitProblem *problem = r->problem;
	int			line = problem->arc_line[arc];
	int64		least = r->least + Max(0, problem->arc_cost[arc] - problem->penalty[line]);
	SplitPlan	plan;
	MemoryContext before;

	CHECK_FOR_INTERRUPTS();
	if (!problem->by_shipments && r->has_plan && least >= r->plan->objective)
	{
		r->bound = Min(r->bound, least);
		return;
	}
	r->quantity[line]--;
	r->available[arc]--;
	r->rest.node_limit = node_limit;
	before = MemoryContextSwitchTo(r->scratch);
	oms_split_open(&r->rest, &plan);
	(void) MemoryContextSwitchTo(before);
	r->quantity[line]++;
	r->available[arc]++;
	r->plan->nodes += plan.nodes;
	plan.objective += problem->arc_cost[arc];
	r->bound = Min(r->bound, problem->by_shipments ? plan.bound : Max(least, plan.bound + problem->arc_cost[arc]));
	r->has_all &= plan.proven;
	if (!r->has_plan || is_better(problem, &plan, r->plan))
		keep(r, &plan, arc);
	MemoryContextReset(r->scratch);
}
