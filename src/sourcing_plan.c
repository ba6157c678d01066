/*
 * sourcing_plan.c
 *	  The plan: which location serves which units.
 *
 * What one order wants to go the same way, by method and destination, is a
 * problem.  The kernel (split.c) finds the cheapest set of locations; without
 * costs that is the first by priority that has everything, or else the fewest.
 * What an order's own stock hold keeps for it comes from where it is held.
 *
 * Orders, and problems of one order, are planned one after the other against one
 * world (supply.c): each takes from it, in thought.  Every problem is solved in
 * rounds: ship groups and kits whole, then what those did not get line by line,
 * where a location that ships already costs nothing more to open.
 *
 * The plan is advice, made on a snapshot; sourcing.c takes the stock, and asks
 * again where it was faster than the snapshot.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "oms.h"
#include "sourcing_plan.h"

static void plan_order(Planner *planner, int first, int next);

/*
 * oms_plan_sourcing fills in the sourcing's pieces and what each demand found.
 */
void
oms_plan_sourcing(Store *store, Sourcing *sourcing, bool lock)
{
	World		world;
	Planner		planner;

	oms_read_world(store, sourcing, lock, &world);
	oms_plan_begin(&planner, store, sourcing, &world);
	for (int i = 0, next; i < sourcing->count; i = next)
	{
		for (next = i + 1; next < sourcing->count &&
			 oms_uuid_cmp(&sourcing->demands[i].order_id, &sourcing->demands[next].order_id) == 0; next++)
			;
		CHECK_FOR_INTERRUPTS();
		plan_order(&planner, i, next);
	}
	MemoryContextDelete(planner.scratch);
}

/*
 * oms_plan_begin begins a plan of nothing yet.
 */
void
oms_plan_begin(Planner *planner, Store *store, Sourcing *sourcing, World *world)
{
	sourcing->npieces = 0;
	for (int i = 0; i < sourcing->count; i++)
		sourcing->demands[i].found = sourcing->demands[i].fewest = 0;
	planner->store = store;
	planner->sourcing = sourcing;
	planner->world = world;
	planner->context = CurrentMemoryContext;
	planner->scratch = AllocSetContextCreate(CurrentMemoryContext, "oms plan", ALLOCSET_DEFAULT_SIZES);
	planner->untracked = palloc((world->nplaces + 1) * sizeof(int));
	planner->costs = oms_read_costs(store, sourcing, world);
	planner->counts_places = false;
	planner->nuntracked = 0;
	for (int place = 0; place < world->nplaces; place++)
	{
		if (!world->places[place].tracked)
			planner->untracked[planner->nuntracked++] = place;
	}
}

/*
 * oms_compare_ways tells demands of an order apart that go another way.
 */
int
oms_compare_ways(const Demand *a, const Demand *b)
{
	int			order = oms_compare_optional(a->method, b->method);

	if (order == 0)
		order = oms_compare_optional(a->pickup_location, b->pickup_location);
	if (order == 0)
		order = (int) a->has_ship_to - (int) b->has_ship_to;
	if (order == 0)
		order = (int) a->has_requested_at - (int) b->has_requested_at;
	if (order == 0 && a->requested_at != b->requested_at)
		order = a->requested_at < b->requested_at ? -1 : 1;
	return order == 0 && a->has_ship_to ? oms_uuid_cmp(&a->ship_to, &b->ship_to) : order;
}

/*
 * oms_is_same_way tells whether demands of an order go the same way.
 */
bool
oms_is_same_way(const Demand *a, const Demand *b)
{
	return oms_compare_ways(a, b) == 0;
}

/*
 * compare_demands sorts demands by the way they go, then as they stand.
 */
static int
compare_demands(const void *a, const void *b)
{
	const Demand *left = *(Demand *const *) a;
	const Demand *right = *(Demand *const *) b;
	int			order = oms_compare_ways(left, right);

	return order != 0 ? order : left < right ? -1 : left > right;
}

/*
 * compare_problems orders problems as their first lines stand.
 */
static int
compare_problems(const void *a, const void *b)
{
	const Demand *left = ((const PlanProblem *) a)->demands[0];
	const Demand *right = ((const PlanProblem *) b)->demands[0];

	return left < right ? -1 : left > right;
}

/*
 * oms_plan_problems sorts the demands of one order, from first on, into problems,
 * of which nothing is planned yet.
 */
PlanProblem *
oms_plan_problems(const Planner *planner, int first, int next, int *count)
{
	Demand	  **demands = palloc((next - first) * sizeof(Demand *));
	PlanProblem *problems;
	bool		is_sorted = true;

	*count = 1;
	for (int i = first; i < next; i++)
	{
		demands[i - first] = &planner->sourcing->demands[i];
		is_sorted &= i == first || oms_compare_ways(demands[i - first - 1], demands[i - first]) <= 0;
	}
	if (!is_sorted)
		qsort(demands, next - first, sizeof(Demand *), compare_demands);
	for (int i = 1; i < next - first; i++)
		*count += oms_compare_ways(demands[i - 1], demands[i]) != 0;
	problems = palloc0(*count * sizeof(PlanProblem));
	for (int i = 0, n = -1; i < next - first; i++)
	{
		if (i == 0 || oms_compare_ways(demands[i - 1], demands[i]) != 0)
			problems[++n].demands = &demands[i];
		problems[n].count++;
	}
	if (*count > 1)
		qsort(problems, *count, sizeof(PlanProblem), compare_problems);
	for (int i = 0; i < *count; i++)
	{
		const Demand *demand = problems[i].demands[0];

		problems[i].forced = -1;
		problems[i].pickup = demand->pickup_location ? oms_find_place(planner->world, demand->pickup_location) : -1;
	}
	return problems;
}

/*
 * plan_order finds places for the demands of one order; where it wants all or
 * nothing and there is not all, it leaves the plan as it was.
 */
static void
plan_order(Planner *planner, int first, int next)
{
	MemoryContext before = MemoryContextSwitchTo(planner->scratch);
	Sourcing   *sourcing = planner->sourcing;
	int			npieces = sourcing->npieces;
	bool		is_complete = true;
	int			count;
	PlanProblem *problems = oms_plan_problems(planner, first, next, &count);

	for (int i = 0; i < count; i++)
	{
		int			before = sourcing->npieces;

		oms_solve_problem(planner, &problems[i]);
		if (sourcing->counts_fewest)
			problems[i].demands[0]->fewest = oms_plan_fewest(planner, &problems[i], before);
	}
	for (int i = first; i < next; i++)
		is_complete &= sourcing->demands[i].found == sourcing->demands[i].quantity;
	if (sourcing->demands[first].is_whole && !is_complete)
	{
		oms_take_back(planner, npieces);
		for (int i = first; i < next; i++)
			sourcing->demands[i].fewest = 0;
	}
	oms_join_pieces(sourcing, npieces);
	MemoryContextSwitchTo(before);
	MemoryContextReset(planner->scratch);
}

/*
 * is_held_at tells whether units that are wanted are held at a place.
 */
static bool
is_held_at(const Planner *planner, Demand **demands, int count, int place)
{
	for (int i = 0; i < count; i++)
	{
		const Supply *supply = demands[i]->tracked ? oms_find_supply(planner->world, demands[i]->sku, place) : NULL;

		if (supply && supply->held > 0)
			return true;
	}
	return false;
}

/*
 * take_where_held has demands get all they want from one place that holds some.
 */
static bool
take_where_held(Planner *planner, Demand **demands, int count)
{
	for (int place = 0; place < planner->world->nplaces; place++)
	{
		if (is_held_at(planner, demands, count, place) && oms_take_all(planner, demands, count, place))
			return true;
	}
	return false;
}

/*
 * take_group has the ship group that begins here get all from one place that
 * holds some of it.
 */
static void
take_group(Planner *planner, const PlanProblem *problem, int first)
{
	const char *group = problem->demands[first]->ship_group;
	Demand	  **members = palloc(problem->count * sizeof(Demand *));
	int			count = 0;

	for (int i = 0; i < first; i++)
	{
		if (oms_compare_optional(problem->demands[i]->ship_group, group) == 0)
			return;
	}
	for (int i = first; i < problem->count; i++)
	{
		if (oms_compare_optional(problem->demands[i]->ship_group, group) == 0)
			members[count++] = problem->demands[i];
	}
	(void) take_where_held(planner, members, count);
}

/*
 * is_lacking tells whether a problem wants more than it has.
 */
static bool
is_lacking(const PlanProblem *problem)
{
	for (int i = 0; i < problem->count; i++)
	{
		if (problem->demands[i]->found < problem->demands[i]->quantity)
			return true;
	}
	return false;
}

/*
 * plan_held has a problem get the units that are held for its order: together
 * from a place that can add what is lacking, else each ship group so, else each
 * line from where they are.
 */
static void
plan_held(Planner *planner, PlanProblem *problem)
{
	if (take_where_held(planner, problem->demands, problem->count))
		return;
	for (int i = 0; i < problem->count; i++)
	{
		if (problem->demands[i]->ship_group)
			take_group(planner, problem, i);
	}
	for (int i = 0; i < problem->count; i++)
	{
		for (int place = 0; place < planner->world->nplaces; place++)
		{
			if (oms_may_serve(planner, place, problem->demands[i]))
				(void) oms_take_piece(planner, problem->demands[i], place, PG_INT64_MAX, true);
		}
	}
}

/*
 * first_place returns the place that the first line's units come from, of the ship
 * group if it has any, -1 where there are none; pieces are those from first to end.
 */
static int
first_place(const Planner *planner, const Demand *demand, int first, int end)
{
	const Piece *best = NULL;
	bool		best_is_near = false;

	for (int k = first; k < end; k++)
	{
		const Piece *piece = &planner->sourcing->pieces[k];
		bool		is_near = oms_compare_optional(piece->demand->ship_group, demand->ship_group) == 0;

		if (!best || (is_near && !best_is_near) || (is_near == best_is_near && piece->demand < best->demand))
		{
			best = piece;
			best_is_near = is_near;
		}
	}
	return best ? best->place : -1;
}

/*
 * follow_goods has warranties go where the units go that they are for, and what
 * else takes no stock with the goods of the first line; those are pieces from
 * first on.
 */
static void
follow_goods(Planner *planner, PlanProblem *problem, int first)
{
	int			end = planner->sourcing->npieces;

	for (int i = 0; i < problem->count; i++)
	{
		Demand	   *demand = problem->demands[i];
		int			place;

		for (int k = first; demand->goods_line > 0 && k < end && demand->found < demand->quantity; k++)
		{
			const Piece *piece = &planner->sourcing->pieces[k];

			if (piece->demand->line_no == demand->goods_line && oms_may_serve(planner, piece->place, demand))
				(void) oms_take_piece(planner, demand, piece->place, piece->quantity, false);
		}
		if (planner->costs || demand->tracked || demand->found == demand->quantity ||
			(place = first_place(planner, demand, first, end)) < 0)
			continue;
		if (oms_may_serve(planner, place, demand))
			(void) oms_take_piece(planner, demand, place, PG_INT64_MAX, false);
	}
}

/*
 * oms_plan_problem turns to a problem, of which nothing is planned yet: costs and
 * rules are now asked for the way it goes.
 */
void
oms_plan_problem(Planner *planner, PlanProblem *problem)
{
	if (planner->costs)
		oms_aim_costs(planner->costs, planner->world, problem->demands[0]);
	problem->round = ROUND_WHOLE;
	problem->is_open = palloc0(planner->world->nplaces + 1);
	problem->nopen = 0;
}

/*
 * note_open notes the places of pieces that are planned already.
 */
static void
note_open(const Planner *planner, PlanProblem *problem, int first)
{
	memset(problem->is_open, 0, planner->world->nplaces + 1);
	problem->nopen = 0;
	for (int i = first; i < planner->sourcing->npieces; i++)
	{
		uint8	   *is_open = &problem->is_open[planner->sourcing->pieces[i].place];

		problem->nopen += !*is_open;
		*is_open = 1;
	}
}

/*
 * oms_plan_rounds plans what is lacking, in smaller and smaller parts.  Where a place
 * must ship, nothing is planned before the first round in which it can.
 */
void
oms_plan_rounds(Planner *planner, PlanProblem *problem, int first)
{
	problem->round = ROUND_WHOLE;
	note_open(planner, problem, first);
	while (is_lacking(problem))
	{
		SplitPlan	plan;
		bool		taken = false;

		oms_plan_lines(planner, problem);
		if (problem->nlines > 0 && oms_plan_pose(planner, problem))
		{
			oms_split_solve(&problem->split, &plan);
			taken = !plan.impossible && oms_plan_apply(planner, problem, &plan);
		}
		if (problem->round == ROUND_REST && !taken)
			return;
		if (!taken && ++problem->round == ROUND_REST)
			follow_goods(planner, problem, first);
	}
}

/*
 * oms_solve_problem finds places for one problem.  Without costs the first place that
 * has all of it is as good as any plan, if it is not another that must ship.
 */
void
oms_solve_problem(Planner *planner, PlanProblem *problem)
{
	Sourcing   *sourcing = planner->sourcing;
	int			first = sourcing->npieces;

	oms_plan_problem(planner, problem);
	if (!planner->costs && problem->pickup >= 0 && problem->forced < 0 &&
		oms_take_all(planner, problem->demands, problem->count, problem->pickup))
		return;
	if (sourcing->held && sourcing->held->count > 0)
		plan_held(planner, problem);
	for (int place = 0; !planner->costs && sourcing->npieces == first && place < planner->world->nplaces; place++)
	{
		if ((problem->forced < 0 || problem->forced == place) && oms_take_all(planner, problem->demands, problem->count, place))
			return;
	}
	oms_plan_rounds(planner, problem, first);
}
