/*
 * sourcing_price.c
 *	  What locations, pairs and units that nobody ships cost a problem, as the kernel
 *	  counts it.
 *
 * What money they cost is asked of sourcing_cost.c.  Ties are broken by costs far
 * below the least money: of plans that cost the same that with the fewest locations
 * is best, then the one whose locations are preferred: where the customer collects,
 * then by priority and code.  Without costs that is all there is.
 */
#include "postgres.h"

#include "common/int.h"

#include "oms.h"
#include "sourcing_plan.h"

/*
 * costs_count tells whether it matters what a plan costs.
 */
static bool
costs_count(const Planner *planner)
{
	return planner->costs && !planner->counts_places;
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
 * set_prices sets all costs.  Where the fewest shipments come first and some locations
 * are open already, which the kernel would count, a shipment costs more than
 * all else.  Returns false, and where, if it is too much.
 */
static bool
set_prices(const Planner *planner, PlanProblem *problem, int64 most, bool breaks_ties, int *line, int *location)
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
 * oms_plan_price has a problem that is posed cost what it does; a plan opens so many
 * locations at most.  What is too much with ties may do without.
 */
void
oms_plan_price(const Planner *planner, PlanProblem *problem, int64 most)
{
	int			line;
	int			location;

	if (!set_prices(planner, problem, most, true, &line, &location) &&
		!set_prices(planner, problem, most, false, &line, &location))
		refuse_overflow(planner, problem, line, location);
}
