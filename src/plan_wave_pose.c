/*
 * plan_wave_pose.c
 *	  Orders that are planned together, as the kernel of waves wants them.
 *
 * Who may serve what, and at what cost, is asked as for an order alone
 * (sourcing_cost.c, sourcing_pieces.c).  The stock is what is available, as far as
 * the channels that could take it may, and what the orders hold themselves; so
 * with the room in locations' days.
 *
 * A shipment costs a little more, far below the least money, so that of plans
 * that cost the same the one with fewer shipments is better; unless costs are so
 * large that this would be too much to compute with.
 */
#include "postgres.h"

#include "common/int.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "oms.h"
#include "plan_wave.h"

#define FINE_SCALE 100

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
	WaveOrder  *orders;
	int		   *sku_of;			/* of each supply, from 0 */
	int		   *local;			/* of each place: the way's location, or -1 */
	Pair	   *pairs;
	int			npairs;
	int			capacity;
	int64		all_pairs;		/* of ways that are posed */
	int64		dearest;		/* shipment and unit, in money */
} Poser;

/*
 * number_skus gives each SKU that there are supplies of a number.  Returns how many.
 */
static int
number_skus(const World *world, int *sku_of)
{
	int			count = 0;

	for (int s = 0; s < world->nsupplies; s++)
	{
		count += s == 0 || strcmp(world->supplies[s - 1].sku, world->supplies[s].sku) != 0;
		sku_of[s] = count - 1;
	}
	return count;
}

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
		parts[i] = (WavePart) {poser->sku_of[oms_first_supply(&poser->joint->world, way->demands[i].sku)], 1};
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
 * note_dearest notes what the way's dearest shipment of one unit costs.
 */
static void
note_dearest(Poser *poser, const WaveWay *way, const WaveOrder *order)
{
	int64		fixed = 0;
	int64		unit = 0;

	for (int j = 0; j < order->split.nlocations; j++)
		fixed = Max(fixed, way->fixed_money[j]);
	for (int p = 0; p < order->split.narcs; p++)
		unit = Max(unit, way->pair_money[p]);
	if (fixed > PG_INT64_MAX / 4 || unit > PG_INT64_MAX / 4)
		poser->dearest = PG_INT64_MAX;
	else
		poser->dearest = Max(poser->dearest, fixed + unit);
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
	note_dearest(poser, way, order);
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
 * kept_of returns how many units the channels of the wave must leave of a supply:
 * so many as the one that must leave most.
 */
static int64
kept_of(const JointPlan *joint, const Supply *supply, const char **channels, int count)
{
	int64		most = 0;

	for (int c = 0; c < count; c++)
		most = Max(most, oms_channel_leaves(joint->sourcing.rules, channels[c], supply->sku, joint->world.places[supply->place].code));
	return most;
}

/*
 * channels_of lists the channels of the wave's orders, each once.
 */
static const char **
channels_of(const JointPlan *joint, int *count)
{
	const char **channels = palloc((joint->nways + 1) * sizeof(char *));

	*count = 0;
	for (int i = 0; i < joint->nways; i++)
	{
		const char *channel = joint->ways[i].demands[0].channel;
		bool		found = i > 0 && channel && channels[*count - 1] && strcmp(channels[*count - 1], channel) == 0;

		for (int c = 0; c < *count && !found; c++)
			found = channel && channels[c] ? strcmp(channels[c], channel) == 0 : channel == channels[c];
		if (!found)
			channels[(*count)++] = channel;
	}
	return channels;
}

/*
 * set_stock says what the orders may have together: stock, and room in days.
 */
static void
set_stock(const Poser *poser)
{
	JointPlan  *joint = poser->joint;
	World	   *world = &joint->world;
	WaveStock  *stock = palloc_extended((world->nsupplies + 1) * sizeof(WaveStock), MCXT_ALLOC_HUGE);
	int64	   *capacity = palloc0((world->nplaces + 1) * sizeof(int64));
	bool		is_limited = false;
	int			nchannels;
	const char **channels = channels_of(joint, &nchannels);

	for (int s = 0; s < world->nsupplies; s++)
	{
		const Supply *supply = &world->supplies[s];
		int64		kept = joint->sourcing.rules ? kept_of(joint, supply, channels, nchannels) : 0;

		stock[s] = (WaveStock) {poser->sku_of[s], supply->place, Max(0, supply->left - kept)};
	}
	for (int i = 0; i < joint->nways; i++)
	{
		const WaveWay *way = &joint->ways[i];

		for (int k = 0; k < way->nholdings; k++)
		{
			const WaveHolding *holding = &way->holdings[k];

			stock[oms_find_supply(world, way->demands[holding->demand].sku, holding->place) - world->supplies].units += holding->quantity;
			capacity[holding->place] += holding->quantity;
		}
	}
	for (int place = 0; place < world->nplaces; place++)
	{
		is_limited |= world->places[place].is_limited;
		capacity[place] = world->places[place].is_limited ? capacity[place] + world->places[place].room : SPLIT_UNLIMITED;
	}
	joint->problem.capacity = is_limited ? capacity : NULL;
	joint->problem.nstock = world->nsupplies;
	joint->problem.stock = stock;
	joint->problem.nlocations = world->nplaces;
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
set_costs(const Poser *poser, int64 scale)
{
	JointPlan  *joint = poser->joint;
	bool		overflows = false;
	int64		penalty = times(times(poser->dearest, 10, &overflows), scale, &overflows) + 10;
	int			order;
	int			element;
	SplitFault	fault;

	joint->scale = scale;
	for (int i = 0; i < joint->nways; i++)
	{
		const WaveWay *way = &joint->ways[i];
		SplitProblem *split = &poser->orders[i].split;
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
 * oms_pose_joint_plan poses the problem: ways that cannot be planned so are dropped.
 */
void
oms_pose_joint_plan(JointPlan *joint)
{
	World	   *world = &joint->world;
	Poser		poser = {
		.joint = joint,
		.orders = palloc_extended((joint->nways + 1) * sizeof(WaveOrder), MCXT_ALLOC_HUGE),
		.sku_of = palloc_extended((world->nsupplies + 1) * sizeof(int), MCXT_ALLOC_HUGE),
		.local = palloc((world->nplaces + 1) * sizeof(int))
	};
	int			kept = 0;

	joint->problem.nskus = number_skus(world, poser.sku_of);
	joint->most_shipments = 0;
	joint->norders = 0;
	for (int i = 0; i < joint->nways; i++)
	{
		WaveWay    *way = &joint->ways[i];

		if (!pose_way(&poser, way, &poser.orders[kept]))
			continue;
		joint->norders += kept == 0 || oms_uuid_cmp(&joint->ways[kept - 1].demands[0].order_id, &way->demands[0].order_id) != 0;
		joint->ways[kept++] = *way;
	}
	joint->nways = kept;
	joint->problem.norders = kept;
	joint->problem.orders = poser.orders;
	joint->problem.is_planned = true;
	set_stock(&poser);
	if (!set_costs(&poser, FINE_SCALE) && !set_costs(&poser, 1))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("what the orders could cost together is more than can be computed with"),
				 errhint("Name fewer orders in order_ids, and see quantities, shipping_rates and sourcing_rules.cost.")));
}
