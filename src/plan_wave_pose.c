/*
 * plan_wave_pose.c
 *	  Orders that are planned together, as the kernel of waves wants them.
 *
 * Who may serve what, and at what cost, is asked as for an order alone
 * (sourcing_cost.c, sourcing_pieces.c).  What the orders share is said by
 * plan_wave_share.c, what they cost by plan_wave_price.c.
 */
#include "postgres.h"

#include "common/int.h"
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
 * oms_wave_keeps_promise tells whether what a demand gets from a place is there by
 * when it was promised, as it is from where it comes now.
 */
bool
oms_wave_keeps_promise(const JointPlan *joint, const WaveWay *way, int demand, int place)
{
	TimestampTz at;

	return TIMESTAMP_IS_NOEND(way->promised_at[demand]) || oms_wave_held_at(way, demand, place) > 0 ||
		(oms_promise(joint->planner.costs, place, &way->demands[demand], &at) && at <= way->promised_at[demand]);
}

/*
 * may_come_from tells whether a demand may come from a place: one that has some, or
 * would if an order of the wave gave it back.
 */
static bool
may_come_from(const JointPlan *joint, const WaveWay *way, int number, int place)
{
	const Planner *planner = &joint->planner;
	const Demand *demand = &way->demands[number];
	const ChannelRules *rules = planner->sourcing->rules;
	const Supply *supply;

	supply = demand->tracked ? oms_find_supply(planner->world, demand->sku, place) : NULL;
	if (demand->tracked && (!supply || supply->held + Max(0, supply->left) <= 0))
		return false;
	if (!oms_may_serve(planner, place, demand) || !oms_wave_keeps_promise(joint, way, number, place))
		return false;
	/* what others give back is not for a channel that must leave more */
	return !supply || !rules || oms_wave_held_at(way, number, place) > 0 ||
		supply->left >= oms_channel_leaves(rules, demand->channel, demand->sku, planner->world->places[place].code);
}

/*
 * line_money returns what one of a line costs from a place; what is too much to
 * compute with is as much as can be.
 */
static int64
line_money(const JointPlan *joint, const WaveWay *way, const WaveLine *line, int place)
{
	int64		sum = 0;

	for (int m = 0; m < line->nmembers; m++)
	{
		int64		units = oms_wave_units_in(way, line->members[m]);
		int64		money = oms_demand_cost(joint->planner.costs, place, &way->demands[line->members[m]]);

		if (pg_mul_s64_overflow(money, units, &money) || pg_add_s64_overflow(sum, money, &sum))
			return PG_INT64_MAX;
	}
	return sum;
}

/*
 * add_pairs adds the places that a line may come from.
 */
static void
add_pairs(Poser *poser, const WaveWay *way, int number)
{
	JointPlan  *joint = poser->joint;
	const World *world = &joint->world;
	const WaveLine *line = &way->lines[number];
	const char *sku = way->demands[line->first].sku;

	for (int s = oms_first_supply(world, sku); s < world->nsupplies && strcmp(world->supplies[s].sku, sku) == 0; s++)
	{
		int			place = world->supplies[s].place;
		bool		may = true;

		for (int m = 0; m < line->nmembers + line->nfollowers && may; m++)
			may = may_come_from(joint, way, line->members[m], place);
		if (!may)
			continue;
		if (poser->npairs == poser->capacity)
		{
			poser->capacity = Max(256, poser->capacity * 2);
			poser->pairs = poser->pairs ? repalloc_huge(poser->pairs, poser->capacity * sizeof(Pair))
				: palloc(poser->capacity * sizeof(Pair));
		}
		poser->pairs[poser->npairs++] = (Pair) {number, place, line_money(joint, way, line, place)};
		poser->local[place] = 0;
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
 * set_flows says from where the way's lines come now, and how much of them.  Returns
 * false where one could not be given again: its location is denied meanwhile.
 */
static bool
set_flows(const Poser *poser, const WaveWay *way, WaveOrder *order)
{
	SplitFlow  *flows = palloc((way->nheld + 1) * sizeof(SplitFlow));
	int64	   *quantity = palloc0((way->nlines + 1) * sizeof(int64));
	int			count = 0;

	for (int k = 0; k < way->nheld; k++)
	{
		const WaveUnits *held = &way->held[k];
		int			line = way->line_of[held->demand];
		SplitFlow  *flow = &flows[count];

		if (held->demand != way->lines[line].first)
			continue;
		*flow = (SplitFlow) {line, poser->local[held->place], held->quantity / oms_wave_units_in(way, held->demand)};
		if (flow->location < 0 || oms_wave_pair(order, line, flow->location) < 0)
			return false;
		quantity[line] += flow->quantity;
		count++;
	}
	qsort(flows, count, sizeof(SplitFlow), compare_flows);
	order->flows = flows;
	order->nflows = count;
	order->split.nlines = way->nlines;
	order->split.quantity = quantity;
	return true;
}

/*
 * add_parts adds what one of a line draws, each SKU once.
 */
static void
add_parts(const JointPlan *joint, const WaveWay *way, const WaveLine *line, WavePart *parts, int *count)
{
	int			first = *count;

	for (int m = 0; m < line->nmembers; m++)
	{
		int			sku = joint->sku_of[oms_first_supply(&joint->world, way->demands[line->members[m]].sku)];
		int			at = first;

		while (at < *count && parts[at].sku != sku)
			at++;
		if (at == *count)
			parts[(*count)++] = (WavePart) {sku, 0};
		parts[at].units += oms_wave_units_in(way, line->members[m]);
	}
}

/*
 * set_parts says which SKUs the way's lines draw.
 */
static void
set_parts(const Poser *poser, const WaveWay *way, WaveOrder *order)
{
	int		   *first_part = palloc((way->nlines + 1) * sizeof(int));
	WavePart   *parts = palloc((way->ndemands + 1) * sizeof(WavePart));
	int			count = 0;

	for (int l = 0; l < way->nlines; l++)
	{
		first_part[l] = count;
		add_parts(poser->joint, way, &way->lines[l], parts, &count);
	}
	first_part[way->nlines] = count;
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
 * limit_order says how long an order may be searched for a plan, and how many
 * shipments it may have; as many as now at least.
 */
static void
limit_order(const SourcingPolicy *policy, WaveOrder *order)
{
	int			shipments = 0;

	order->split.forced = -1;
	order->split.node_limit = policy->node_limit;
	for (int k = 0; k < order->nflows; k++)
		shipments += k == 0 || order->flows[k].location != order->flows[k - 1].location;
	if (policy->max_shipments > 0)
		order->split.max_shipments = Max(policy->max_shipments, shipments);
}

/*
 * pose_way makes an order of the wave of a way, or says why it is left as it is.
 */
static WaveSkip
pose_way(Poser *poser, WaveWay *way, WaveOrder *order)
{
	JointPlan  *joint = poser->joint;
	Costs	   *costs = joint->planner.costs;
	WaveSkip	why;

	CHECK_FOR_INTERRUPTS();
	oms_aim_costs(costs, &joint->world, &way->demands[0]);
	if (costs->policy->by_shipments)
		return SKIP_OBJECTIVE;
	if (way->ndemands > SPLIT_MAX_LINES)
		return SKIP_LARGE;
	why = oms_wave_sort_lines(way);
	if (why != SKIP_NONE)
		return why;
	for (int place = 0; place < joint->world.nplaces; place++)
		poser->local[place] = -1;
	poser->npairs = 0;
	for (int l = 0; l < way->nlines; l++)
		add_pairs(poser, way, l);
	memset(order, 0, sizeof(WaveOrder));
	order->split.nlocations = number_places(poser, way);
	if (order->split.nlocations > SPLIT_MAX_LOCATIONS || poser->npairs > SPLIT_MAX_ARCS)
		return SKIP_LARGE;
	set_pairs(poser, way, order);
	if (!set_flows(poser, way, order))
		return SKIP_LOCATION;
	poser->all_pairs += poser->npairs;
	if (poser->all_pairs > WAVE_MAX_ITEMS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the orders could be served in more than %d ways, each a line and a location", WAVE_MAX_ITEMS),
				 errhint("Name fewer orders in order_ids.")));
	set_parts(poser, way, order);
	limit_order(costs->policy, order);
	joint->most_shipments += order->split.nlocations;
	return SKIP_NONE;
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

		WaveSkip	why = pose_way(&poser, way, &orders[kept]);

		if (why != SKIP_NONE)
		{
			oms_wave_skip(joint, &way->demands[0].order_id, why);
			continue;
		}
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
