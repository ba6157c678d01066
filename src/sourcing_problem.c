/*
 * sourcing_problem.c
 *	  A round of a problem, as the kernel wants it: lines, the locations that any of
 *	  them could come from, and how many units from where.
 *
 * What they cost is set in sourcing_price.c; the solution becomes pieces in
 * sourcing_apply.c.  Where a problem is larger than the kernel takes, the best
 * locations and the first lines are asked for; the rest is left to the next round.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "sourcing_plan.h"

#define MOST_WORK 10000000		/* nodes of a search times pairs */

/* Pairs of a line and a place, on their way to the kernel. */
typedef struct Pairs
{
	int			count;
	int			capacity;
	int32	   *lines;
	int32	   *places;			/* then the kernel's locations */
	int64	   *available;
} Pairs;

static void number_places(const Planner *planner, PlanProblem *problem, Pairs *pairs);
static int64 set_limits(const Planner *planner, PlanProblem *problem);

/*
 * add_pair adds a pair, unless there is nothing; there is room.
 */
static void
add_pair(Pairs *pairs, int line, int place, int64 available)
{
	if (available <= 0)
		return;
	pairs->lines[pairs->count] = line;
	pairs->places[pairs->count] = place;
	pairs->available[pairs->count++] = available;
}

/*
 * widened returns a list with room for more.
 */
static void *
widened(void *list, Size size)
{
	return list ? repalloc_huge(list, size) : palloc_extended(size, MCXT_ALLOC_HUGE);
}

/*
 * make_room makes room for so many pairs more.
 */
static void
make_room(Pairs *pairs, int more)
{
	if (pairs->count + more <= pairs->capacity)
		return;
	pairs->capacity = Max(pairs->count + more, pairs->capacity * 2);
	pairs->lines = widened(pairs->lines, pairs->capacity * sizeof(int32));
	pairs->places = widened(pairs->places, pairs->capacity * sizeof(int32));
	pairs->available = widened(pairs->available, pairs->capacity * sizeof(int64));
}

/*
 * named_at returns how many units of a SKU lines that name a place want there:
 * these stand before the line that may have it from anywhere.
 */
static int64
named_at(const Planner *planner, const PlanProblem *problem, int line, int place)
{
	const Demand *demand = problem->lines[line].members[0];
	int64		units = 0;

	for (int i = line - 1; i >= 0 && !demand->location; i--)
	{
		const PlanLine *other = &problem->lines[i];

		if (other->kind != LINE_UNITS || strcmp(other->members[0]->sku, demand->sku) != 0)
			break;
		if (strcmp(other->members[0]->location, planner->world->places[place].code) == 0)
			units += other->quantity;
	}
	return units;
}

/*
 * count_at returns how many of a line a place has; supply: what it has of the
 * line's SKU, or NULL.
 */
static int64
count_at(const Planner *planner, const PlanProblem *problem, int line, int place, const Supply *supply)
{
	const PlanLine *asked = &problem->lines[line];
	int64		units;

	if (asked->kind == LINE_TOGETHER)
		return oms_can_give_all(planner, place, asked->members, asked->nmembers) ? 1 : 0;
	if (asked->kind == LINE_KITS)
		return oms_kits_at(planner, asked, place);
	if (!oms_may_serve(planner, place, asked->members[0]))
		return 0;
	if (!planner->world->places[place].tracked)
		return asked->quantity;
	units = oms_given_by(planner, place, asked->members[0], supply);
	return Min(asked->quantity, units - Min(units, named_at(planner, problem, line, place)));
}

/*
 * pair_line adds the places that a line may come from: those with stock of its
 * first SKU that is counted, and those that keep their own books; or any.
 */
static void
pair_line(const Planner *planner, const PlanProblem *problem, int line, Pairs *pairs)
{
	const World *world = planner->world;
	const PlanLine *asked = &problem->lines[line];
	const Demand *tracked = NULL;
	int			first;
	int			end;

	CHECK_FOR_INTERRUPTS();
	if (asked->quantity == 0)
		return;
	for (int i = 0; i < asked->nmembers && !tracked; i++)
		tracked = asked->members[i]->tracked ? asked->members[i] : NULL;
	if (!tracked)
	{
		make_room(pairs, world->nplaces);
		for (int place = 0; place < world->nplaces; place++)
			add_pair(pairs, line, place, count_at(planner, problem, line, place, NULL));
		return;
	}
	first = end = oms_first_supply(world, tracked->sku);
	if (first < world->nsupplies && strcmp(world->supplies[first].sku, tracked->sku) == 0)
	{
		while (end < world->nsupplies && world->supplies[end].sku_no == world->supplies[first].sku_no)
			end++;
	}
	make_room(pairs, end - first + planner->nuntracked);
	for (int i = first; i < end; i++)
		add_pair(pairs, line, world->supplies[i].place,
				 count_at(planner, problem, line, world->supplies[i].place, &world->supplies[i]));
	for (int i = 0; i < planner->nuntracked; i++)
		add_pair(pairs, line, planner->untracked[i], count_at(planner, problem, line, planner->untracked[i], NULL));
}

/*
 * force_place tells the kernel which location must ship, unless it does already.
 * Returns false where it serves nothing.
 */
static bool
force_place(PlanProblem *problem)
{
	SplitProblem *split = &problem->split;

	split->forced = -1;
	if (problem->forced < 0 || problem->is_open[problem->forced])
		return true;
	for (int j = 0; j < split->nlocations; j++)
	{
		if (problem->places[j] == problem->forced)
			split->forced = j;
	}
	return split->forced >= 0;
}

/*
 * oms_plan_pose puts a round's lines to the kernel.  Returns false where no place
 * has anything for any, or the one that must ship has nothing.
 */
bool
oms_plan_pose(const Planner *planner, PlanProblem *problem)
{
	SplitProblem *split = &problem->split;
	Pairs		pairs = {0};
	int64	   *quantity = palloc0((problem->nlines + 1) * sizeof(int64));

	memset(split, 0, sizeof(SplitProblem));
	split->node_limit = DEFAULT_NODE_LIMIT;
	for (int i = 0; i < Min(problem->nlines, SPLIT_MAX_LINES) && pairs.count + planner->world->nplaces <= SPLIT_MAX_ARCS; i++)
	{
		pair_line(planner, problem, i, &pairs);
		split->nlines = i + 1;
	}
	if (pairs.count == 0)
		return false;
	number_places(planner, problem, &pairs);
	if (pairs.count == 0 || !force_place(problem))
		return false;
	/* of what nobody has there is nothing to decide */
	for (int a = 0; a < pairs.count; a++)
	{
		const PlanLine *line = &problem->lines[pairs.lines[a]];
		int64	   *wanted = &quantity[pairs.lines[a]];

		*wanted += Min(line->quantity - *wanted, pairs.available[a]);
	}
	split->quantity = quantity;
	split->narcs = pairs.count;
	split->arc_line = pairs.lines;
	split->arc_location = pairs.places;
	split->arc_available = pairs.available;
	oms_plan_price(planner, problem, set_limits(planner, problem));
	return true;
}

/*
 * preferred returns the places in the order in which the plan prefers them: by
 * rank, but where the customer collects first.
 */
static int
preferred(const PlanProblem *problem, int n)
{
	if (problem->pickup < 0 || n > problem->pickup)
		return n;
	return n == 0 ? problem->pickup : n - 1;
}

/* A place that serves something. */
typedef struct Candidate
{
	int			order;			/* among all that are preferred */
	bool		is_open;
	int			serves;			/* lines that it has something of */
} Candidate;

/*
 * compare_candidates has the best come first where there are too many.
 */
static int
compare_candidates(const void *a, const void *b)
{
	const Candidate *left = a;
	const Candidate *right = b;

	if (left->is_open != right->is_open)
		return left->is_open ? -1 : 1;
	if (left->serves != right->serves)
		return right->serves - left->serves;
	return left->order - right->order;
}

static int
compare_orders(const void *a, const void *b)
{
	return ((const Candidate *) a)->order - ((const Candidate *) b)->order;
}

/*
 * number_places makes the places that serve anything the kernel's locations, in
 * the order in which they are preferred.
 */
static void
number_places(const Planner *planner, PlanProblem *problem, Pairs *pairs)
{
	int			nplaces = planner->world->nplaces;
	int		   *serves = palloc0((nplaces + 1) * sizeof(int));
	Candidate  *list = palloc((nplaces + 1) * sizeof(Candidate));
	int			max_shipments = planner->costs ? planner->costs->policy->max_shipments : 0;
	bool		is_full = max_shipments > 0 && problem->nopen >= max_shipments;
	int			count = 0;
	int			kept = 0;

	for (int a = 0; a < pairs->count; a++)
		serves[pairs->places[a]]++;
	for (int n = 0; n < nplaces; n++)
	{
		int			place = preferred(problem, n);

		if (serves[place] > 0 && (!is_full || problem->is_open[place]))
			list[count++] = (Candidate) {n, problem->is_open[place], serves[place]};
	}
	if (count > SPLIT_MAX_LOCATIONS)
	{
		qsort(list, count, sizeof(Candidate), compare_candidates);
		count = SPLIT_MAX_LOCATIONS;
		qsort(list, count, sizeof(Candidate), compare_orders);
	}
	problem->places = palloc((count + 1) * sizeof(int));
	problem->split.nlocations = count;
	for (int place = 0; place < nplaces; place++)
		serves[place] = -1;
	for (int j = 0; j < count; j++)
	{
		problem->places[j] = preferred(problem, list[j].order);
		serves[problem->places[j]] = j;
	}
	for (int a = 0; a < pairs->count; a++)
	{
		int			location = serves[pairs->places[a]];

		if (location < 0)
			continue;
		pairs->lines[kept] = pairs->lines[a];
		pairs->places[kept] = location;
		pairs->available[kept++] = pairs->available[a];
	}
	pairs->count = kept;
}

/*
 * set_capacity tells the kernel how much room there is where days are limited.  Of
 * what is wanted whole it counts one: what does not fit is left to the next round.
 */
static void
set_capacity(const Planner *planner, PlanProblem *problem)
{
	SplitProblem *split = &problem->split;
	int64	   *capacity = palloc((split->nlocations + 1) * sizeof(int64));
	bool		any = false;

	for (int j = 0; j < split->nlocations; j++)
	{
		const Place *place = &planner->world->places[problem->places[j]];

		any |= place->is_limited;
		capacity[j] = place->is_limited ? place->room : SPLIT_UNLIMITED;
	}
	split->capacity = any ? capacity : NULL;
}

/*
 * set_limits tells the kernel what the policy limits.  Returns how many locations a
 * plan may open.
 */
static int64
set_limits(const Planner *planner, PlanProblem *problem)
{
	SplitProblem *split = &problem->split;
	const SourcingPolicy *policy = planner->costs ? planner->costs->policy : NULL;
	int64		most = 0;

	for (int i = 0; i < split->nlines && most < split->nlocations; i++)
		most = Min(split->nlocations, most + split->quantity[i]);
	set_capacity(planner, problem);
	if (policy)
		split->node_limit = policy->node_limit;
	split->node_limit = Min(split->node_limit, Max(1, MOST_WORK / split->narcs));
	if (policy && policy->max_shipments > problem->nopen)
	{
		split->max_shipments = policy->max_shipments - problem->nopen;
		most = Min(most, split->max_shipments);
	}
	return most;
}
