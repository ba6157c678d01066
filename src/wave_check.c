/*
 * wave_check.c
 *	  What a wave must keep to be solved: orders that can be, numbers that mean
 *	  something, and plans that the stock is enough for.
 *
 * Whoever calls oms_wave_solve has asked oms_wave_check before.
 */
#include "wave_parts.h"

#define MOST_SUM (PG_INT64_MAX / 8)

/* What the check adds up, and room to work. */
typedef struct Sums
{
	int64		cost;
	int64		units;
	int		   *seen_location;	/* by which order last, from 1 */
	int		   *seen_sku;		/* by which line last, of all, from 1 */
	int			nlines;			/* of the orders before */
	int64		nlocations;		/* likewise */
	int64		nitems;			/* pairs, by the parts of their lines */
} Sums;

static WaveFault check_stock(const WaveProblem *problem, int *element);
static WaveFault check_order(const WaveProblem *problem, int o, Sums *sums, int *element, SplitFault *split);
static WaveFault check_parts(const WaveProblem *problem, const WaveOrder *order, Sums *sums, int *element);
static WaveFault check_flows(const WaveProblem *problem, int *order, int *element);

/*
 * oms_wave_check says what is wrong.
 */
WaveFault
oms_wave_check(const WaveProblem *problem, int *order, int *element, SplitFault *split)
{
	Sums		sums = {0};
	WaveFault	fault;

	*order = -1;
	*element = -1;
	*split = SPLIT_SOUND;
	fault = check_stock(problem, element);
	sums.seen_location = palloc0((problem->nlocations + 1) * sizeof(int));
	sums.seen_sku = palloc0((problem->nskus + 1) * sizeof(int));
	for (int o = 0; o < problem->norders && fault == WAVE_SOUND; o++)
	{
		CHECK_FOR_INTERRUPTS();
		*order = o;
		fault = check_order(problem, o, &sums, element, split);
	}
	pfree(sums.seen_location);
	pfree(sums.seen_sku);
	if (fault == WAVE_SOUND && problem->is_planned)
		fault = check_flows(problem, order, element);
	return fault;
}

static int
compare_stock(const void *a, const void *b)
{
	const WaveStock *left = *(const WaveStock *const *) a;
	const WaveStock *right = *(const WaveStock *const *) b;

	if (left->sku != right->sku)
		return left->sku < right->sku ? -1 : 1;
	return left->location < right->location ? -1 : left->location > right->location;
}

/*
 * sort_stock returns the wave's stock by SKU and location.
 */
static const WaveStock **
sort_stock(const WaveProblem *problem)
{
	const WaveStock **sorted = palloc((problem->nstock + 1) * sizeof(WaveStock *));

	for (int c = 0; c < problem->nstock; c++)
		sorted[c] = &problem->stock[c];
	qsort(sorted, problem->nstock, sizeof(WaveStock *), compare_stock);
	return sorted;
}

static WaveFault
check_stock(const WaveProblem *problem, int *element)
{
	const WaveStock **sorted;
	WaveFault	fault = WAVE_SOUND;

	for (int c = 0; c < problem->nstock; c++)
	{
		const WaveStock *stock = &problem->stock[c];

		*element = c;
		if (stock->sku < 0 || stock->sku >= problem->nskus)
			return WAVE_NO_SUCH_SKU;
		if (stock->location < 0 || stock->location >= problem->nlocations)
			return WAVE_NO_SUCH_LOCATION;
		if (stock->units < 0)
			return WAVE_NEGATIVE_STOCK;
	}
	for (int j = 0; problem->capacity && j < problem->nlocations; j++)
	{
		*element = j;
		if (problem->capacity[j] < SPLIT_UNLIMITED)
			return WAVE_NEGATIVE_CAPACITY;
	}
	sorted = sort_stock(problem);
	for (int c = 1; c < problem->nstock && fault == WAVE_SOUND; c++)
	{
		*element = (int) (sorted[c] - problem->stock);
		if (compare_stock(&sorted[c - 1], &sorted[c]) == 0)
			fault = WAVE_STOCK_TWICE;
	}
	pfree(sorted);
	return fault;
}

static WaveFault
check_order(const WaveProblem *problem, int o, Sums *sums, int *element, SplitFault *split)
{
	const WaveOrder *order = &problem->orders[o];
	SplitProblem alone = order->split;
	int64		planned;
	int64		most;

	/* what is not read must not be wrong either */
	alone.arc_available = alone.arc_cost;
	alone.capacity = NULL;
	alone.forced = -1;
	*split = oms_split_check(&alone, element);
	if (*split != SPLIT_SOUND || order->split.by_shipments)
		return WAVE_BAD_ORDER;
	for (int j = 0; j < order->split.nlocations; j++)
	{
		int			location = order->location[j];

		*element = j;
		if (location < 0 || location >= problem->nlocations)
			return WAVE_NO_SUCH_LOCATION;
		if (sums->seen_location[location] == o + 1)
			return WAVE_LOCATION_TWICE;
		sums->seen_location[location] = o + 1;
	}
	most = oms_split_costs(&order->split, order->split.penalty, false, element);
	planned = problem->is_planned ? oms_wave_planned(order) : 0;
	*element = -1;
	sums->nlocations += order->split.nlocations;
	if (sums->nlocations > WAVE_MAX_ITEMS || sums->nlines > WAVE_MAX_ITEMS - order->split.nlines)
		return WAVE_TOO_LARGE;
	if (planned < 0 || most > MOST_SUM - planned || most + planned > MOST_SUM - sums->cost)
		return WAVE_OVERFLOWS;
	sums->cost += most + planned;
	return check_parts(problem, order, sums, element);
}

static WaveFault
check_parts(const WaveProblem *problem, const WaveOrder *order, Sums *sums, int *element)
{
	for (int i = 0; i < order->split.nlines; i++)
	{
		int64		size = 0;

		*element = i;
		sums->nlines++;
		if (order->first_part[i + 1] <= order->first_part[i])
			return WAVE_BAD_PART;
		for (int k = order->first_part[i]; k < order->first_part[i + 1]; k++)
		{
			const WavePart *part = &order->parts[k];

			if (part->sku < 0 || part->sku >= problem->nskus)
				return WAVE_NO_SUCH_SKU;
			if (part->units < 1 || sums->seen_sku[part->sku] == sums->nlines)
				return WAVE_BAD_PART;
			sums->seen_sku[part->sku] = sums->nlines;
			if (part->units > MOST_SUM - size)
				return WAVE_OVERFLOWS;
			size += part->units;
		}
		if (order->split.quantity[i] > (MOST_SUM - sums->units) / size)
			return WAVE_OVERFLOWS;
		sums->units += order->split.quantity[i] * size;
	}
	for (int a = 0; a < order->split.narcs; a++)
		sums->nitems += order->first_part[order->split.arc_line[a] + 1] - order->first_part[order->split.arc_line[a]];
	*element = -1;
	return sums->nitems > WAVE_MAX_ITEMS ? WAVE_TOO_LARGE : WAVE_SOUND;
}

static int
compare_flows(const void *a, const void *b)
{
	const SplitFlow *left = *(const SplitFlow *const *) a;
	const SplitFlow *right = *(const SplitFlow *const *) b;

	if (left->line != right->line)
		return left->line < right->line ? -1 : 1;
	return left->location < right->location ? -1 : left->location > right->location;
}

/*
 * sort_flows returns what is planned now of an order by line and location.
 */
static const SplitFlow **
sort_flows(const WaveOrder *order)
{
	const SplitFlow **sorted = palloc((order->nflows + 1) * sizeof(SplitFlow *));

	for (int k = 0; k < order->nflows; k++)
		sorted[k] = &order->flows[k];
	qsort(sorted, order->nflows, sizeof(SplitFlow *), compare_flows);
	return sorted;
}

/*
 * find_flow returns the place of a pair's flow, or -1.
 */
static int
find_flow(const WaveOrder *order, const SplitFlow **sorted, int arc)
{
	SplitFlow	pair = {.line = order->split.arc_line[arc], .location = order->split.arc_location[arc]};
	const SplitFlow *key = &pair;
	const SplitFlow **found = bsearch(&key, sorted, order->nflows, sizeof(SplitFlow *), compare_flows);

	return found ? (int) (found - sorted) : -1;
}

/*
 * oms_wave_planned returns what the units that are planned now cost, or -1 where
 * that is more than fits.
 */
int64
oms_wave_planned(const WaveOrder *order)
{
	const SplitFlow **sorted = sort_flows(order);
	int64		sum = 0;

	for (int a = 0; order->nflows > 0 && a < order->split.narcs && sum >= 0; a++)
	{
		int			at = find_flow(order, sorted, a);

		if (at < 0 || sorted[at]->quantity < 1)
			continue;
		if (order->split.arc_cost[a] > (MOST_SUM - sum) / sorted[at]->quantity)
			sum = -1;
		else
			sum += sorted[at]->quantity * order->split.arc_cost[a];
	}
	pfree(sorted);
	return sum;
}

/*
 * draw takes a flow's units out of stock and capacity, as far as there are any.
 */
static WaveFault
draw(const WaveProblem *problem, const WaveOrder *order, const SplitFlow *flow, const WaveStock **sorted, int64 *stock, int64 *room)
{
	int			location = order->location[flow->location];

	for (int k = order->first_part[flow->line]; k < order->first_part[flow->line + 1]; k++)
	{
		WaveStock	wanted = {.sku = order->parts[k].sku, .location = location};
		const WaveStock *key = &wanted;
		const WaveStock **found = bsearch(&key, sorted, problem->nstock, sizeof(WaveStock *), compare_stock);
		int64		units = flow->quantity * order->parts[k].units;

		if (!found || stock[found - sorted] < units)
			return WAVE_STOCK_EXCEEDED;
		stock[found - sorted] -= units;
		if (room && room[location] != SPLIT_UNLIMITED)
		{
			if (room[location] < units)
				return WAVE_CAPACITY_EXCEEDED;
			room[location] -= units;
		}
	}
	return WAVE_SOUND;
}

/*
 * check_amounts checks the flows of an order beside each other: none twice, and
 * no more than is wanted.
 */
static WaveFault
check_amounts(const WaveOrder *order, const SplitFlow **sorted, int *element)
{
	int64		left = 0;

	for (int k = 0; k < order->nflows; k++)
	{
		const SplitFlow *flow = sorted[k];

		*element = (int) (flow - order->flows);
		if (flow->line < 0 || flow->line >= order->split.nlines || flow->quantity < 1)
			return WAVE_BAD_FLOW;
		if (k == 0 || flow->line != sorted[k - 1]->line)
			left = order->split.quantity[flow->line];
		else if (flow->location == sorted[k - 1]->location)
			return WAVE_BAD_FLOW;
		if (flow->quantity > left)
			return WAVE_BAD_FLOW;
		left -= flow->quantity;
	}
	return WAVE_SOUND;
}

/*
 * check_pairs checks that each flow is of a pair, and how many locations there
 * are.
 */
static WaveFault
check_pairs(const WaveOrder *order, const SplitFlow **sorted, int *element)
{
	uint8	   *has_pair = palloc0(order->nflows + 1);
	uint8	   *ships = palloc0(order->split.nlocations + 1);
	WaveFault	fault = WAVE_SOUND;
	int			count = 0;

	for (int a = 0; order->nflows > 0 && a < order->split.narcs; a++)
	{
		int			at = find_flow(order, sorted, a);

		if (at < 0)
			continue;
		has_pair[at] = 1;
		count += !ships[sorted[at]->location];
		ships[sorted[at]->location] = 1;
	}
	for (int k = 0; k < order->nflows && fault == WAVE_SOUND; k++)
	{
		*element = (int) (sorted[k] - order->flows);
		if (!has_pair[k])
			fault = WAVE_BAD_FLOW;
	}
	if (fault == WAVE_SOUND && order->split.max_shipments > 0 && count > order->split.max_shipments)
		fault = WAVE_TOO_MANY_SHIPMENTS;
	pfree(has_pair);
	pfree(ships);
	return fault;
}

/*
 * check_flows checks what is planned now.
 */
static WaveFault
check_flows(const WaveProblem *problem, int *order, int *element)
{
	const WaveStock **sorted = sort_stock(problem);
	int64	   *stock = palloc((problem->nstock + 1) * sizeof(int64));
	int64	   *room = NULL;
	WaveFault	fault = WAVE_SOUND;

	for (int c = 0; c < problem->nstock; c++)
		stock[c] = sorted[c]->units;
	if (problem->capacity)
	{
		room = palloc((problem->nlocations + 1) * sizeof(int64));
		memcpy(room, problem->capacity, problem->nlocations * sizeof(int64));
	}
	for (int o = 0; o < problem->norders && fault == WAVE_SOUND; o++)
	{
		const WaveOrder *from = &problem->orders[o];
		const SplitFlow **flows = sort_flows(from);

		CHECK_FOR_INTERRUPTS();
		*order = o;
		fault = check_amounts(from, flows, element);
		if (fault == WAVE_SOUND)
			fault = check_pairs(from, flows, element);
		for (int k = 0; k < from->nflows && fault == WAVE_SOUND; k++)
		{
			*element = k;
			fault = draw(problem, from, &from->flows[k], sorted, stock, room);
		}
		pfree(flows);
	}
	pfree(sorted);
	pfree(stock);
	return fault;
}
