/*
 * explain_standing.c
 *	  What each location could do for an order, whatever the plan makes of it.
 *
 * By the same questions that the plan asks (sourcing_pieces.c), but with answers
 * in words; and which locations are not worth considering beside another.
 */
#include "postgres.h"

#include "explain_plan.h"
#include "oms.h"

/*
 * is_excluded tells whether a place has refused a demand's order.
 */
static bool
is_excluded(const Place *place, const Demand *demand)
{
	for (int i = 0; i < demand->nexcluded; i++)
	{
		if (strcmp(demand->excluded[i], place->code) == 0)
			return true;
	}
	return false;
}

/*
 * why_not says why a place may not serve a demand, NULL where it may.
 */
static const char *
why_not(const Planner *planner, int place, const Demand *demand)
{
	const Place *at = &planner->world->places[place];
	const char *why = NULL;

	if (oms_may_serve(planner, place, demand))
		return NULL;
	if (is_excluded(at, demand))
		return "it has refused the order before";
	if (demand->location && strcmp(demand->location, at->code) != 0)
		return psprintf("line %d names location \"%s\"", demand->bundle_line > 0 ? demand->bundle_line : demand->line_no,
						demand->location);
	if (!oms_is_fit(at, demand))
		return demand->by_partner ? "partners alone serve the method, and the location is none"
			: "it keeps its own books and serves lines that name it";
	if (planner->costs && oms_denies(planner->costs, place, demand, &why))
		return psprintf("sku \"%s\": %s", demand->sku, why);
	return psprintf("sku \"%s\": channel_stock_rules deny it to the channel", demand->sku);
}

/*
 * follows_goods tells whether a demand is a warranty that goes where its goods go.
 */
static bool
follows_goods(const PlanProblem *problem, const Demand *demand)
{
	for (int i = 0; demand->goods_line > 0 && i < problem->count; i++)
	{
		if (problem->demands[i]->line_no == demand->goods_line)
			return true;
	}
	return false;
}

/*
 * read_standing finds out what one place could do.
 */
static void
read_standing(const Planner *planner, const PlanProblem *problem, int place, Standing *standing)
{
	const Place *at = &planner->world->places[place];
	bool		is_denied_stock = false;

	standing->gives = palloc0((problem->count + 1) * sizeof(int64));
	standing->costs = palloc0((problem->count + 1) * sizeof(int64));
	standing->is_full = at->is_limited && at->room == 0;
	standing->shipment = planner->costs ? oms_shipment_cost(planner->costs, place) : 0;
	for (int i = 0; i < problem->count; i++)
	{
		const Demand *demand = problem->demands[i];
		const char *why = why_not(planner, place, demand);
		int64		gives = follows_goods(problem, demand) ? 0 : oms_can_give(planner, place, demand);

		if (why)
		{
			/* that of goods which are there says most */
			if (!standing->why || (gives > 0 && !is_denied_stock))
				standing->why = why;
			is_denied_stock |= gives > 0;
			continue;
		}
		standing->may_serve = true;
		standing->has |= gives > 0;
		standing->gives[i] = gives;
		standing->costs[i] = planner->costs ? oms_demand_cost(planner->costs, place, demand) : 0;
	}
	/* what it may serve it has not, what it has it may not serve */
	if (standing->may_serve && !standing->has && is_denied_stock)
		standing->may_serve = false;
}

/*
 * oms_read_standings finds out what all places could do for a problem.
 */
Standing *
oms_read_standings(const Planner *planner, const PlanProblem *problem)
{
	int			nplaces = planner->world->nplaces;
	Standing   *standings = palloc_extended((nplaces + 1) * sizeof(Standing), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (int place = 0; place < nplaces; place++)
		read_standing(planner, problem, place, &standings[place]);
	return standings;
}

/*
 * wanted_of returns how many units a problem wants of a demand's SKU.
 */
static int64
wanted_of(const PlanProblem *problem, const Demand *demand)
{
	int64		wanted = 0;

	for (int i = 0; i < problem->count; i++)
	{
		if (strcmp(problem->demands[i]->sku, demand->sku) == 0)
			wanted += problem->demands[i]->quantity - problem->demands[i]->found;
	}
	return wanted;
}

/*
 * covers tells whether a place has all that another has and is wanted, at no higher
 * cost.
 */
static bool
covers(const Planner *planner, const PlanProblem *problem, const int64 *wanted, const Standing *standings, int place, int other)
{
	const Place *at = &planner->world->places[place];
	const Place *instead = &planner->world->places[other];
	const Standing *a = &standings[place];
	const Standing *b = &standings[other];
	int64		all = 0;

	if (a->shipment > b->shipment)
		return false;
	for (int i = 0; i < problem->count; i++)
	{
		all += problem->demands[i]->quantity - problem->demands[i]->found;
		if (b->gives[i] > 0 && (a->gives[i] < Min(b->gives[i], wanted[i]) || a->costs[i] > b->costs[i]))
			return false;
	}
	return !at->is_limited || at->room >= all || (instead->is_limited && at->room >= instead->room);
}

/*
 * oms_dominator returns a place that makes another superfluous, -1 where none does:
 * one that ships anyway first.  Of two that are alike the one that the plan prefers
 * does so.
 */
int
oms_dominator(const Planner *planner, const PlanProblem *problem, const Standing *standings, const bool *ships, int place)
{
	int64	   *wanted = palloc((problem->count + 1) * sizeof(int64));
	int			found = -1;

	for (int i = 0; i < problem->count; i++)
		wanted[i] = wanted_of(problem, problem->demands[i]);
	for (int k = 0; k < planner->world->nplaces && (found < 0 || !ships[found]); k++)
	{
		if (k == place || !standings[k].has || standings[k].is_full || (found >= 0 && !ships[k]) ||
			!covers(planner, problem, wanted, standings, k, place))
			continue;
		if (!ships[k] && k > place && covers(planner, problem, wanted, standings, place, k))
			continue;
		found = k;
	}
	pfree(wanted);
	return found;
}
