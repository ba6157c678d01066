/*
 * plan_wave_check.c
 *	  Whether a plan for many orders still obeys the rules, which may have changed
 *	  while it was made.
 *
 * What is applied obeys rules, policies and channels' rules as they are then, keeps
 * what was promised by the days that it takes then, and costs what it was planned
 * at: an order that something else is true of stays as it is.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "oms.h"
#include "plan_wave.h"
#include "rows.h"

/*
 * read_rules reads the rules as they are now.
 */
static void
read_rules(JointPlan *joint)
{
	Sourcing   *sourcing = &joint->sourcing;
	Array	   *skus = oms_array(TEXTOID, sourcing->count);

	for (int i = 0; i < sourcing->count; i++)
		oms_array_add_text(skus, sourcing->demands[i].sku);
	sourcing->book = oms_rule_book(joint->store);
	sourcing->rules = oms_has_channel_rules(joint->store) ? oms_channel_rules(joint->store, skus) : NULL;
	joint->planner.costs = oms_read_costs(joint->store, sourcing, &joint->world);
}

/*
 * planned_shipment returns what a shipment of a way from a place was planned at.
 */
static int64
planned_shipment(const WaveWay *way, int place)
{
	int			location = 0;

	while (way->places[location] != place)
		location++;
	return way->fixed_money[location];
}

/*
 * costs_as_planned tells whether what a way has and is to have costs what it did.
 */
static bool
costs_as_planned(const JointPlan *joint, const WayChange *change)
{
	for (int k = 0; k < change->nmoves; k++)
	{
		const WaveMove *move = &change->moves[k];

		if (oms_demand_cost(joint->planner.costs, move->place, &change->way->demands[move->demand]) != move->money)
			return false;
		if ((k == 0 || move[-1].place != move->place) &&
			oms_shipment_cost(joint->planner.costs, move->place) != planned_shipment(change->way, move->place))
			return false;
	}
	return true;
}

/*
 * is_few_enough tells whether a way gets no more shipments than the policy wants,
 * or than it has.
 */
static bool
is_few_enough(const SourcingPolicy *policy, const WayChange *change)
{
	int			before = 0;
	int			after = 0;

	for (int k = 0, next; k < change->nmoves; k = next)
	{
		bool		was = false;
		bool		is = false;

		for (next = k; next < change->nmoves && change->moves[next].place == change->moves[k].place; next++)
		{
			was |= change->moves[next].before > 0;
			is |= change->moves[next].after > 0;
		}
		before += was;
		after += is;
	}
	return policy->max_shipments <= 0 || after <= Max(before, policy->max_shipments);
}

/*
 * is_allowed tells whether a way may have what it is to get, at the costs that it
 * was planned at.
 */
static bool
is_allowed(const JointPlan *joint, const WayChange *change)
{
	const WaveWay *way = change->way;

	if (!joint->planner.costs)
		return false;			/* nothing costs anything any more */
	oms_aim_costs(joint->planner.costs, &joint->world, &way->demands[0]);
	if (joint->planner.costs->policy->by_shipments || !is_few_enough(joint->planner.costs->policy, change))
		return false;
	for (int k = 0; k < change->nmoves; k++)
	{
		const WaveMove *move = &change->moves[k];

		if (!move->stays && move->after > 0 &&
			(!oms_may_serve(&joint->planner, move->place, &way->demands[move->demand]) ||
			 !oms_wave_keeps_promise(joint, way, move->demand, move->place)))
			return false;
	}
	return costs_as_planned(joint, change);
}

/*
 * note_leaves notes what the channels of those who get more of a cell must leave.
 */
static void
note_leaves(WaveApplier *applier, const WayChange *change)
{
	const JointPlan *joint = applier->joint;

	for (int k = 0; k < change->nmoves && joint->sourcing.rules; k++)
	{
		const WaveMove *move = &change->moves[k];
		const Demand *demand = &change->way->demands[move->demand];
		WaveCell   *cell = move->cell < 0 ? NULL : &applier->cells[move->cell];

		if (cell && move->after > move->before)
			cell->leaves = Max(cell->leaves, oms_channel_leaves(joint->sourcing.rules, demand->channel, demand->sku,
																joint->world.places[move->place].code));
	}
}

/*
 * oms_wave_check_rules leaves out ways that rules, as they are now, do not let have
 * what they are to get.
 */
void
oms_wave_check_rules(WaveApplier *applier)
{
	read_rules(applier->joint);
	for (int i = 0; i < applier->count; i++)
	{
		WayChange  *change = &applier->changes[i];

		if (change->is_out)
			continue;
		if (is_allowed(applier->joint, change))
			note_leaves(applier, change);
		else
		{
			change->is_out = true;
			change->why = SKIP_RULES;
		}
	}
}
