/*
 * fewest.c
 *	  From how few locations an order could have been shipped.
 *
 * The cheapest plan may open more locations than need be; later rejects may add
 * others.  To tell these from splits that stock forced, each order keeps how many
 * shipments the stock of that moment needed for what it was given: the problems of
 * its plan, solved for the fewest locations, by the same rules and rounds.
 *
 * That costs nothing where a plan uses one location, or goes for the fewest
 * anyway; else one location that has everything settles it, and only then the
 * kernel is asked.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "oms.h"
#include "sourcing_plan.h"

/*
 * count_places returns how many places pieces come from, from first on.
 */
static int
count_places(const Planner *planner, int first)
{
	const Sourcing *sourcing = planner->sourcing;
	uint8	   *is_used = palloc0(planner->world->nplaces + 1);
	int			count = 0;

	for (int i = first; i < sourcing->npieces; i++)
	{
		count += !is_used[sourcing->pieces[i].place];
		is_used[sourcing->pieces[i].place] = 1;
	}
	pfree(is_used);
	return count;
}

/*
 * is_fewest tells whether a plan that was made so has the fewest places already.
 */
static bool
is_fewest(const Planner *planner, const PlanProblem *problem, int first)
{
	for (int i = first; i < planner->sourcing->npieces; i++)
	{
		if (planner->sourcing->pieces[i].held > 0)
			return false;
	}
	return !planner->costs || planner->costs->policy->by_shipments;
}

/*
 * serve_all finds places for all that the demands want, as few as it can.
 * Returns how many, or more than there are where it does not find all.
 */
static int
serve_all(Planner *planner, PlanProblem *problem, int first)
{
	for (int place = 0; place < planner->world->nplaces; place++)
	{
		if (oms_take_all(planner, problem->demands, problem->count, place))
			return 1;
	}
	planner->counts_places = true;
	oms_plan_rounds(planner, problem, first);
	planner->counts_places = false;
	for (int i = 0; i < problem->count; i++)
	{
		if (problem->demands[i]->found < problem->demands[i]->quantity)
			return planner->world->nplaces + 1;
	}
	return count_places(planner, first);
}

/*
 * oms_plan_fewest returns from how few places what a problem was given could come:
 * its pieces are those of the plan from first on, which is as before in the end.
 */
int
oms_plan_fewest(Planner *planner, PlanProblem *problem, int first)
{
	Sourcing   *sourcing = planner->sourcing;
	int			npieces = sourcing->npieces - first;
	int			planned = count_places(planner, first);
	Piece	   *pieces;
	int64	   *wanted;
	int			fewest;

	if (planned < 2 || is_fewest(planner, problem, first))
		return planned;
	CHECK_FOR_INTERRUPTS();
	pieces = palloc_extended(npieces * sizeof(Piece), MCXT_ALLOC_HUGE);
	memcpy(pieces, sourcing->pieces + first, npieces * sizeof(Piece));
	wanted = palloc(problem->count * sizeof(int64));
	for (int i = 0; i < problem->count; i++)
	{
		wanted[i] = problem->demands[i]->quantity;
		problem->demands[i]->quantity = problem->demands[i]->found;
	}
	oms_take_back(planner, first);
	fewest = serve_all(planner, problem, first);
	oms_take_back(planner, first);
	for (int i = 0; i < problem->count; i++)
		problem->demands[i]->quantity = wanted[i];
	oms_take_again(planner, pieces, npieces);
	return Min(fewest, planned);
}

/*
 * shipments_of returns how many shipments pieces of one order leave in, counted up
 * to a most.
 */
static int64
shipments_of(const Piece *pieces, int npieces, int64 most)
{
	const Piece **shipments = palloc((Min(npieces, most) + 1) * sizeof(Piece *));
	int			count = 0;

	for (int i = 0; i < npieces && count < most; i++)
	{
		int			j = 0;

		while (j < count && (shipments[j]->place != pieces[i].place || !oms_is_same_way(shipments[j]->demand, pieces[i].demand)))
			j++;
		if (j == count)
			shipments[count++] = &pieces[i];
	}
	pfree(shipments);
	return count;
}

/*
 * oms_fewest_shipments returns in how few shipments what was planned for one order
 * alone could leave: not more than are made, as pieces may have been dropped since.
 */
int64
oms_fewest_shipments(const Sourcing *sourcing)
{
	int64		fewest = 0;

	for (int i = 0; i < sourcing->count; i++)
		fewest += sourcing->demands[i].fewest;
	return shipments_of(sourcing->pieces, sourcing->npieces, fewest);
}

/*
 * oms_sum_fewest adds up what the plan says of each of several orders, by order.
 */
OrderStamp *
oms_sum_fewest(const Sourcing *sourcing, int *count)
{
	OrderStamp *sums = palloc_extended((sourcing->count + 1) * sizeof(OrderStamp), MCXT_ALLOC_HUGE);
	int			found = 0;

	*count = 0;
	for (int i = 0; i < sourcing->count; i++)
	{
		if (sourcing->demands[i].fewest > 0)
			sums[found++] = (OrderStamp) {.order_id = sourcing->demands[i].order_id, .fewest = sourcing->demands[i].fewest};
	}
	qsort(sums, found, sizeof(OrderStamp), oms_uuid_cmp);
	for (int i = 0; i < found; i++)
	{
		if (*count > 0 && oms_uuid_cmp(&sums[*count - 1].order_id, &sums[i].order_id) == 0)
			sums[*count - 1].fewest += sums[i].fewest;
		else
			sums[(*count)++] = sums[i];
	}
	return sums;
}

/*
 * oms_stamp_fewest notes of each order whose pieces are planned, which stand together,
 * in how few shipments they could leave: sums of all that were planned with them.
 */
void
oms_stamp_fewest(const Sourcing *sourcing, const OrderStamp *sums, int count, UnitChanges *units)
{
	for (int i = 0, next; i < sourcing->npieces; i = next)
	{
		const pg_uuid_t *order_id = &sourcing->pieces[i].demand->order_id;
		const OrderStamp *sum = bsearch(order_id, sums, count, sizeof(OrderStamp), oms_uuid_cmp);

		for (next = i + 1; next < sourcing->npieces && oms_uuid_cmp(&sourcing->pieces[next].demand->order_id, order_id) == 0; next++)
			;
		if (sum)
			oms_order_stamp(units, order_id)->fewest = shipments_of(&sourcing->pieces[i], next - i, sum->fewest);
	}
}
