/*
 * sourcing_problem.c
 *	  A round of a problem, as the kernel wants it, and its solution as pieces.
 *
 * Ties are broken by costs far below the least money: of plans that cost the
 * same that with the fewest locations is best, then the one whose locations are
 * preferred: where the customer collects, then by priority and code.  Without
 * costs that is all there is.
 *
 * Where a problem is larger than the kernel takes, the best locations and the
 * first lines are asked for; the rest is left to the next round.
 */
#include "postgres.h"

#include "common/int.h"
#include "miscadmin.h"

#include "oms.h"
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
static bool price(const Planner *planner, PlanProblem *problem, int64 most, bool breaks_ties, int *line, int *location);
static void refuse_overflow(const Planner *planner, const PlanProblem *problem, int line, int location);

/*
 * costs_count tells whether it matters what a plan costs.
 */
static bool
costs_count(const Planner *planner)
{
	return planner->costs && !planner->counts_places;
}

/*
 * add_pair adds a pair, unless there is nothing.
 */
static void
add_pair(Pairs *pairs, int line, int place, int64 available)
{
	if (available <= 0)
		return;
	if (pairs->count == pairs->capacity)
	{
		pairs->capacity = Max(64, pairs->capacity * 2);
		pairs->lines = pairs->lines ? repalloc(pairs->lines, pairs->capacity * sizeof(int32))
			: palloc(pairs->capacity * sizeof(int32));
		pairs->places = pairs->places ? repalloc(pairs->places, pairs->capacity * sizeof(int32))
			: palloc(pairs->capacity * sizeof(int32));
		pairs->available = pairs->available ? repalloc(pairs->available, pairs->capacity * sizeof(int64))
			: palloc(pairs->capacity * sizeof(int64));
	}
	pairs->lines[pairs->count] = line;
	pairs->places[pairs->count] = place;
	pairs->available[pairs->count++] = available;
}

/*
 * kits_at returns how many whole kits of a line a place has.
 */
static int64
kits_at(const Planner *planner, const PlanLine *line, int place)
{
	const Place *at = &planner->world->places[place];
	int64		kits = line->quantity;
	int64		units = 0;		/* in a kit */

	for (int i = 0; i < line->nmembers && kits > 0; i++)
	{
		const Demand *demand = line->members[i];

		units += demand->per_kit;
		if (!oms_may_serve(planner, place, demand))
			return 0;
		kits = Min(kits, oms_can_give(planner, place, demand) / demand->per_kit);
	}
	return at->is_limited && units > 0 ? Min(kits, at->room / units) : kits;
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
		return kits_at(planner, asked, place);
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

	CHECK_FOR_INTERRUPTS();
	if (asked->quantity == 0)
		return;
	for (int i = 0; i < asked->nmembers && !tracked; i++)
		tracked = asked->members[i]->tracked ? asked->members[i] : NULL;
	if (!tracked)
	{
		for (int place = 0; place < world->nplaces; place++)
			add_pair(pairs, line, place, count_at(planner, problem, line, place, NULL));
		return;
	}
	for (int i = oms_first_supply(world, tracked->sku);
		 i < world->nsupplies && strcmp(world->supplies[i].sku, tracked->sku) == 0; i++)
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
	int64		most;
	int			line;
	int			location;

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
	most = set_limits(planner, problem);
	/* what is too much with ties may do without */
	if (!price(planner, problem, most, true, &line, &location) && !price(planner, problem, most, false, &line, &location))
		refuse_overflow(planner, problem, line, location);
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
 * refuse_overflow raises 22003 for what cannot be computed with.
 */
static void
refuse_overflow(const Planner *planner, const PlanProblem *problem, int line, int location)
{
	const char *number = problem->demands[0]->order_number;

	ereport(ERROR,
			(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
			 line >= 0 ? errmsg("what sku \"%s\" of order \"%s\" could cost is more than can be computed with",
								problem->lines[line].members[0]->sku, number)
			 : location >= 0 ? errmsg("what a shipment of order \"%s\" from location \"%s\" could cost is more than can be computed with",
									  number, planner->world->places[problem->places[location]].code)
			 : errmsg("what order \"%s\" could cost is more than can be computed with", number),
			 errhint("See quantities, shipping_rates, sourcing_rules.cost, sourcing_policies.unfilled_penalty and the costs of locations.")));
}

/*
 * counted returns an amount times a factor, -1 where it is too much.
 */
static int64
counted(int64 amount, int64 factor)
{
	int64		product;

	return amount < 0 || factor < 0 || pg_mul_s64_overflow(amount, factor, &product) || product > PG_INT64_MAX / 4 ? -1 : product;
}

/*
 * units_of returns how many units of a member are in one of a line.
 */
static int64
units_of(const PlanLine *line, const Demand *member)
{
	return line->kind == LINE_UNITS ? 1 : line->kind == LINE_KITS ? member->per_kit : member->quantity - member->found;
}

/*
 * line_cost returns what one of a line costs from a place, -1 where it is too much.
 */
static int64
line_cost(const Planner *planner, const PlanLine *line, int place)
{
	int64		sum = 0;

	if (line->kind == LINE_UNITS)
		return oms_demand_cost(planner->costs, place, line->members[0]);
	for (int i = 0; i < line->nmembers && sum >= 0; i++)
	{
		int64		cost = counted(oms_demand_cost(planner->costs, place, line->members[i]), units_of(line, line->members[i]));

		sum = cost < 0 ? -1 : counted(sum + cost, 1);
	}
	return sum;
}

/*
 * set_costs says what locations and pairs cost, and how much more for ties: scale
 * is what the least money counts, shipment what a location does, and with prefers
 * the locations' order besides.  Returns false, and where, if it is too much.
 */
static bool
set_costs(const Planner *planner, PlanProblem *problem, int64 shipment, bool prefers, int *line, int *location)
{
	SplitProblem *split = &problem->split;
	int64	   *fixed_cost = palloc0((split->nlocations + 1) * sizeof(int64));
	int64	   *arc_cost = palloc0((split->narcs + 1) * sizeof(int64));

	split->fixed_cost = fixed_cost;
	split->arc_cost = arc_cost;
	*line = *location = -1;
	for (int j = 0; j < split->nlocations; j++)
	{
		int64		money = costs_count(planner) ? oms_shipment_cost(planner->costs, problem->places[j]) : 0;

		if (problem->is_open[problem->places[j]])
			continue;
		*location = j;
		if ((money = counted(money, problem->scale)) < 0)
			return false;
		fixed_cost[j] = money + shipment + (prefers ? j : 0);
	}
	*location = -1;
	for (int a = 0; costs_count(planner) && a < split->narcs; a++)
	{
		*line = split->arc_line[a];
		arc_cost[a] = counted(line_cost(planner, &problem->lines[*line], problem->places[split->arc_location[a]]), problem->scale);
		if (arc_cost[a] < 0)
			return false;
	}
	*line = -1;
	return true;
}

/*
 * dearest_of says what the dearest location and the dearest pair cost.
 */
static void
dearest_of(const SplitProblem *split, int64 *location, int64 *unit)
{
	*location = *unit = 0;
	for (int j = 0; j < split->nlocations; j++)
		*location = Max(*location, split->fixed_cost[j]);
	for (int a = 0; a < split->narcs; a++)
		*unit = Max(*unit, split->arc_cost[a]);
}

/*
 * most_of_plan returns more than a plan could cost that opens so many locations,
 * or -1.
 */
static int64
most_of_plan(const SplitProblem *split, int64 most)
{
	int64		dearest_location;
	int64		dearest_unit;
	int64		units = 0;

	dearest_of(split, &dearest_location, &dearest_unit);
	for (int i = 0; i < split->nlines && units >= 0; i++)
		units = counted(units + split->quantity[i], 1);
	dearest_location = counted(dearest_location, most);
	dearest_unit = counted(dearest_unit, units);
	return dearest_location < 0 || dearest_unit < 0 ? -1 : counted(dearest_location + dearest_unit + 1, 1);
}

/*
 * set_penalties has a unit that nobody ships cost what the policy says, or else
 * more than it could cost from anywhere, so that none is left for its cost: one
 * location opens for it at most, and where these are limited other lines give way
 * in a chain, each at the difference of what it costs.  Returns false, and where,
 * if it is too much.
 */
static bool
set_penalties(const Planner *planner, PlanProblem *problem, int64 most, int *line)
{
	SplitProblem *split = &problem->split;
	int64	   *penalty = palloc0((split->nlines + 1) * sizeof(int64));
	int64		given = costs_count(planner) ? planner->costs->policy->unfilled_penalty : -1;
	int64		dearest_location;
	int64		dearest_unit;

	split->penalty = penalty;
	dearest_of(split, &dearest_location, &dearest_unit);
	if (split->capacity)
		dearest_unit = counted(dearest_unit, Min(split->nlines, split->nlocations) + 1);
	for (*line = 0; *line < split->nlines && !split->by_shipments; (*line)++)
	{
		const PlanLine *asked = &problem->lines[*line];
		int64		units = 0;

		for (int i = 0; i < asked->nmembers && units >= 0; i++)
			units = asked->kind == LINE_UNITS ? 1 : counted(units + units_of(asked, asked->members[i]), 1);
		penalty[*line] = given >= 0 ? counted(counted(given, units), problem->scale)
			: split->max_shipments > 0 ? most_of_plan(split, most)
			: dearest_unit < 0 ? -1 : counted(dearest_unit + dearest_location + 1, 1);
		if (penalty[*line] < 0)
			return false;
	}
	*line = -1;
	return true;
}

/*
 * price sets all costs.  Where the fewest shipments come first and some locations
 * are open already, which the kernel would count, a shipment costs more than
 * all else.  Returns false, and where, if it is too much.
 */
static bool
price(const Planner *planner, PlanProblem *problem, int64 most, bool breaks_ties, int *line, int *location)
{
	SplitProblem *split = &problem->split;
	int64		shipment = breaks_ties ? most * split->nlocations + 1 : 1;
	int64		dearest;

	problem->scale = breaks_ties ? most * (shipment + split->nlocations) + 1 : 1;
	if (!set_costs(planner, problem, shipment, breaks_ties, line, location))
		return false;
	if (costs_count(planner) && planner->costs->policy->by_shipments)
	{
		split->by_shipments = problem->nopen == 0;
		dearest = split->by_shipments ? 0 : most_of_plan(split, most);
		if (dearest < 0 || !set_costs(planner, problem, shipment + dearest, breaks_ties, line, location))
			return false;
	}
	if (!set_penalties(planner, problem, most, line))
		return false;
	if (oms_split_check(split, line) == SPLIT_SOUND)
		return true;
	if (*line >= split->nlines)
		*line = -1;
	return false;
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
	quantity = Min(quantity, kits_at(planner, line, place));
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
