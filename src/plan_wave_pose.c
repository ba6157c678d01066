/*
 * plan_wave_pose.c
 *	  Orders that are planned together, as the kernel of waves wants them.
 *
 * Who may serve what, and at what cost, is asked as for an order alone
 * (sourcing_cost.c, sourcing_pieces.c).  What the orders share is said by
 * plan_wave_share.c, what they cost by plan_wave_price.c.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "oms.h"
#include "plan_wave.h"

/* Pairs of a way, on their way to the kernel. */
typedef struct Pair
{
	int			line;
	int			place;
	int64		money;
} Pair;

typedef struct Poser
{
	JointPlan  *joint;
	int		   *local;			/* of each place: the way's location, or -1 */
	Pair	   *pairs;
	int			npairs;
	int			capacity;
	int64		all_pairs;		/* of ways that are posed */
} Poser;

/*
 * holds_at tells whether a demand has units at a place now.
 */
static bool
holds_at(const WaveWay *way, int demand, int place)
{
	int			low = 0;
	int			high = way->nholdings;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (way->holdings[middle].demand < demand)
			low = middle + 1;
		else
			high = middle;
	}
	for (int k = low; k < way->nholdings && way->holdings[k].demand == demand; k++)
	{
		if (way->holdings[k].place == place)
			return true;
	}
	return false;
}

/*
 * oms_wave_pair returns the pair of a line and a location of an order, -1 where there
 * is none.  Pairs stand by line, then location.
 */
int
oms_wave_pair(const WaveOrder *order, int line, int location)
{
	int			low = 0;
	int			high = order->split.narcs - 1;

	while (low <= high)
	{
		int			middle = low + (high - low) / 2;
		int			difference = order->split.arc_line[middle] - line;

		if (difference == 0)
			difference = order->split.arc_location[middle] - location;
		if (difference == 0)
			return middle;
		if (difference < 0)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return -1;
}

/*
 * keeps_promise tells whether what a demand gets from a place is there by when it
 * was promised, as it is from where it comes now.
 */
static bool
keeps_promise(const Poser *poser, const WaveWay *way, int line, int place)
{
	TimestampTz at;

	return TIMESTAMP_IS_NOEND(way->promised_at[line]) || holds_at(way, line, place) ||
		(oms_promise(poser->joint->planner.costs, place, &way->demands[line], &at) && at <= way->promised_at[line]);
}

/*
 * add_pairs adds the places that a demand may come from: those that have some, or
 * would if an order of the wave gave it back.
 */
static void
add_pairs(Poser *poser, const WaveWay *way, int line)
{
	const Planner *planner = &poser->joint->planner;
	const World *world = planner->world;
	const Demand *demand = &way->demands[line];

	for (int s = oms_first_supply(world, demand->sku);
		 s < world->nsupplies && strcmp(world->supplies[s].sku, demand->sku) == 0; s++)
	{
		const Supply *supply = &world->supplies[s];
		const char *location = world->places[supply->place].code;
		Pair	   *pair;

		/* what others give back is not for a channel that must leave more */
		if (supply->held + Max(0, supply->left) <= 0 || !oms_may_serve(planner, supply->place, demand) ||
			!keeps_promise(poser, way, line, supply->place) ||
			(planner->sourcing->rules && !holds_at(way, line, supply->place) &&
			 supply->left < oms_channel_leaves(planner->sourcing->rules, demand->channel, demand->sku, location)))
			continue;
		if (poser->npairs == poser->capacity)
		{
			poser->capacity = Max(256, poser->capacity * 2);
			poser->pairs = poser->pairs ? repalloc_huge(poser->pairs, poser->capacity * sizeof(Pair))
				: palloc(poser->capacity * sizeof(Pair));
		}
		pair = &poser->pairs[poser->npairs++];
		pair->line = line;
		pair->place = supply->place;
		pair->money = oms_demand_cost(planner->costs, supply->place, demand);
		poser->local[supply->place] = 0;
	}
}

/*
 * number_places makes the places of the pairs the way's locations, the best first.
 */
static int
number_places(Poser *poser, WaveWay *way)
{
	Costs	   *costs = poser->joint->planner.costs;
	int			nplaces = poser->joint->world.nplaces;
	int			count = 0;

	for (int place = 0; place < nplaces; place++)
		count += poser->local[place] >= 0;
	way->places = palloc((count + 1) * sizeof(int));
	way->fixed_money = palloc((count + 1) * sizeof(int64));
	count = 0;
	for (int place = 0; place < nplaces; place++)
	{
		if (poser->local[place] < 0)
			continue;
		way->places[count] = place;
		way->fixed_money[count] = oms_shipment_cost(costs, place);
		poser->local[place] = count++;
	}
	return count;
}

/*
 * compare_flows orders flows by location, then line.
 */
static int
compare_flows(const void *a, const void *b)
{
	const SplitFlow *left = a;
	const SplitFlow *right = b;

	return left->location != right->location ? left->location - right->location : left->line - right->line;
}

/*
 * set_flows says from where the way's units come now.  Returns false where one could
 * not be given again: its location is closed, or is denied meanwhile.
 */
static bool
set_flows(const Poser *poser, const WaveWay *way, WaveOrder *order)
{
	SplitFlow  *flows = palloc((way->nholdings + 1) * sizeof(SplitFlow));
	int			kept = 0;

	for (int k = 0; k < way->nholdings; k++)
	{
		const WaveHolding *holding = &way->holdings[k];

		if (holding->place < 0 || oms_wave_pair(order, holding->demand, poser->local[holding->place]) < 0)
			return false;
		flows[k] = (SplitFlow) {holding->demand, poser->local[holding->place], holding->quantity};
	}
	qsort(flows, way->nholdings, sizeof(SplitFlow), compare_flows);
	for (int k = 0; k < way->nholdings; k++)
	{
		if (kept > 0 && compare_flows(&flows[kept - 1], &flows[k]) == 0)
			flows[kept - 1].quantity += flows[k].quantity;
		else
			flows[kept++] = flows[k];
	}
	order->flows = flows;
	order->nflows = kept;
	return true;
}

/*
 * set_lines says what the way's lines want, and of which SKU.
 */
static void
set_lines(const Poser *poser, const WaveWay *way, WaveOrder *order)
{
	int64	   *quantity = palloc((way->ndemands + 1) * sizeof(int64));
	int		   *first_part = palloc((way->ndemands + 1) * sizeof(int));
	WavePart   *parts = palloc((way->ndemands + 1) * sizeof(WavePart));

	for (int i = 0; i < way->ndemands; i++)
	{
		quantity[i] = way->demands[i].quantity;
		first_part[i] = i;
		parts[i] = (WavePart) {poser->joint->sku_of[oms_first_supply(&poser->joint->world, way->demands[i].sku)], 1};
	}
	first_part[way->ndemands] = way->ndemands;
	order->split.nlines = way->ndemands;
	order->split.quantity = quantity;
	order->first_part = first_part;
	order->parts = parts;
}

/*
 * set_pairs says what units cost from where.
 */
static void
set_pairs(Poser *poser, WaveWay *way, WaveOrder *order)
{
	int32	   *lines = palloc((poser->npairs + 1) * sizeof(int32));
	int32	   *locations = palloc((poser->npairs + 1) * sizeof(int32));

	way->pair_money = palloc((poser->npairs + 1) * sizeof(int64));
	for (int p = 0; p < poser->npairs; p++)
	{
		lines[p] = poser->pairs[p].line;
		locations[p] = poser->local[poser->pairs[p].place];
		way->pair_money[p] = poser->pairs[p].money;
	}
	order->split.narcs = poser->npairs;
	order->split.arc_line = lines;
	order->split.arc_location = locations;
	order->location = (const int32 *) way->places;
}

/*
 * pose_way makes an order of the wave of a way.  Returns false where it is left as
 * it is.
 */
static bool
pose_way(Poser *poser, WaveWay *way, WaveOrder *order)
{
	JointPlan  *joint = poser->joint;
	Costs	   *costs = joint->planner.costs;
	int			shipments = 0;

	CHECK_FOR_INTERRUPTS();
	oms_aim_costs(costs, &joint->world, &way->demands[0]);
	if (costs->policy->by_shipments || way->ndemands > SPLIT_MAX_LINES)
		return false;
	for (int place = 0; place < joint->world.nplaces; place++)
		poser->local[place] = -1;
	poser->npairs = 0;
	for (int i = 0; i < way->ndemands; i++)
		add_pairs(poser, way, i);
	memset(order, 0, sizeof(WaveOrder));
	order->split.nlocations = number_places(poser, way);
	if (order->split.nlocations > SPLIT_MAX_LOCATIONS || poser->npairs > SPLIT_MAX_ARCS)
		return false;
	set_pairs(poser, way, order);
	if (!set_flows(poser, way, order))
		return false;
	poser->all_pairs += poser->npairs;
	if (poser->all_pairs > WAVE_MAX_ITEMS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the orders could be served in more than %d ways, each a line and a location", WAVE_MAX_ITEMS),
				 errhint("Name fewer orders in order_ids.")));
	set_lines(poser, way, order);
	order->split.forced = -1;
	order->split.node_limit = costs->policy->node_limit;
	for (int k = 0; k < order->nflows; k++)
		shipments += k == 0 || order->flows[k].location != order->flows[k - 1].location;
	if (costs->policy->max_shipments > 0)
		order->split.max_shipments = Max(costs->policy->max_shipments, shipments);
	joint->most_shipments += order->split.nlocations;
	return true;
}

/*
 * oms_pose_joint_plan poses the problem: ways that cannot be planned so are dropped.
 */
void
oms_pose_joint_plan(JointPlan *joint)
{
	WaveOrder  *orders = palloc_extended((joint->nways + 1) * sizeof(WaveOrder), MCXT_ALLOC_HUGE);
	Poser		poser = {.joint = joint, .local = palloc((joint->world.nplaces + 1) * sizeof(int))};
	int			kept = 0;

	oms_wave_number_skus(joint);
	joint->most_shipments = 0;
	joint->norders = 0;
	for (int i = 0; i < joint->nways; i++)
	{
		WaveWay    *way = &joint->ways[i];

		if (!pose_way(&poser, way, &orders[kept]))
			continue;
		joint->norders += kept == 0 || oms_uuid_cmp(&joint->ways[kept - 1].demands[0].order_id, &way->demands[0].order_id) != 0;
		joint->ways[kept++] = *way;
	}
	joint->nways = kept;
	joint->problem.norders = kept;
	joint->problem.orders = orders;
	joint->problem.is_planned = true;
	oms_wave_share(joint);
	oms_wave_price(joint, orders);
}
