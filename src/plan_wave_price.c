/*
 * plan_wave_price.c
 *	  What orders that are planned together cost, as the kernel of waves counts.
 *
 * A shipment costs a little more, far below the least money, so that of plans
 * that cost the same the one with fewer shipments is better; unless costs are so
 * large that this would be too much to compute with.
 */
#include "postgres.h"

#include "common/int.h"

#include "plan_wave.h"

#define FINE_SCALE 100

/*
 * dearest_of returns what the dearest shipment of one unit costs, in money.
 */
static int64
dearest_of(const JointPlan *joint)
{
	int64		dearest = 0;

	for (int i = 0; i < joint->nways; i++)
	{
		const SplitProblem *split = &joint->problem.orders[i].split;
		int64		fixed = 0;
		int64		unit = 0;

		for (int j = 0; j < split->nlocations; j++)
			fixed = Max(fixed, joint->ways[i].fixed_money[j]);
		for (int p = 0; p < split->narcs; p++)
			unit = Max(unit, joint->ways[i].pair_money[p]);
		if (fixed > PG_INT64_MAX / 4 || unit > PG_INT64_MAX / 4)
			return PG_INT64_MAX;
		dearest = Max(dearest, fixed + unit);
	}
	return dearest;
}

/*
 * times multiplies money, and notes where that is too much.
 */
static int64
times(int64 money, int64 factor, bool *overflows)
{
	int64		product;

	if (pg_mul_s64_overflow(money, factor, &product) || product > PG_INT64_MAX / 8)
	{
		*overflows = true;
		return 0;
	}
	return product;
}

/*
 * set_costs has the problem's costs count so much of the least money.  A unit that
 * nobody ships costs more than any could.  Returns false where it is too much.
 */
static bool
set_costs(JointPlan *joint, WaveOrder *orders, int64 scale)
{
	bool		overflows = false;
	int64		penalty = times(times(dearest_of(joint), 10, &overflows), scale, &overflows) + 10;
	int			order;
	int			element;
	SplitFault	fault;

	joint->scale = scale;
	for (int i = 0; i < joint->nways; i++)
	{
		const WaveWay *way = &joint->ways[i];
		SplitProblem *split = &orders[i].split;
		int64	   *fixed = palloc((split->nlocations + 1) * sizeof(int64));
		int64	   *cost = palloc((split->narcs + 1) * sizeof(int64));
		int64	   *penalties = palloc((split->nlines + 1) * sizeof(int64));

		for (int j = 0; j < split->nlocations; j++)
			fixed[j] = times(way->fixed_money[j], scale, &overflows) + (scale > 1);
		for (int p = 0; p < split->narcs; p++)
			cost[p] = times(way->pair_money[p], scale, &overflows);
		for (int l = 0; l < split->nlines; l++)
			penalties[l] = penalty;
		split->fixed_cost = fixed;
		split->arc_cost = cost;
		split->penalty = penalties;
	}
	if (overflows)
		return false;
	switch (oms_wave_check(&joint->problem, &order, &element, &fault))
	{
		case WAVE_SOUND:
			return true;
		case WAVE_TOO_LARGE:
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("these are more orders than can be planned together"),
					 errhint("Name fewer orders in order_ids.")));
			break;
		case WAVE_OVERFLOWS:
		case WAVE_BAD_ORDER:
			return false;
		default:
			elog(ERROR, "orders cannot be planned together: fault %d of order %d, element %d",
				 oms_wave_check(&joint->problem, &order, &element, &fault), order, element);
	}
	return false;
}

/*
 * oms_wave_price has the kernel compute with what the ways' shipments and units cost.
 */
void
oms_wave_price(JointPlan *joint, WaveOrder *orders)
{
	if (!set_costs(joint, orders, FINE_SCALE) && !set_costs(joint, orders, 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("what the orders could cost together is more than can be computed with"),
				 errhint("Name fewer orders in order_ids, and see quantities, shipping_rates and sourcing_rules.cost.")));
}
