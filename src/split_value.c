/*
 * split_value.c
 *	  What a set of open locations costs, what one more would save, and making
 *	  a set better by opening, closing and exchanging locations.
 *
 * With the locations given, lines without limits do not touch each other: each
 * takes the cheapest units that there are.  Where locations have limits, that
 * is a flow (split_flow.c).
 *
 * What a location saves shrinks as others open: locations stand in for each
 * other.  So one that saves no more than it costs need never be opened, whatever
 * else will be.
 */
#include "split_parts.h"

/*
 * fixed_costs adds up what the open locations cost by themselves.
 */
static int64
fixed_costs(const Model *m, const uint8 *open)
{
	int64		sum = 0;

	for (int j = 0; j < m->nlocations; j++)
	{
		if (open[j])
			sum += m->fixed[j];
	}
	return sum;
}

/*
 * oms_split_value returns the cost of the best plan that ships from open
 * locations only, all of which are paid for.
 */
int64
oms_split_value(Search *s, const uint8 *open)
{
	const Model *m = s->m;
	int64		value = fixed_costs(m, open);

	if (m->is_limited)
		return value + oms_split_flow(s->flow, m, open, NULL, NULL);
	for (int i = 0; i < m->nlines; i++)
	{
		int64		left = m->wanted[i];
		int			end = m->line_arcs[i + 1];

		for (int a = m->line_arcs[i]; a < end && left > 0; a++)
		{
			const Arc  *arc = &m->by_line[a];
			int64		units;

			if (!open[arc->other])
				continue;
			units = Min(left, arc->units);
			value += units * arc->cost;
			left -= units;
		}
		value += left * m->penalty[i];
	}
	return value;
}

/*
 * oms_split_layers does the same, and notes what each line's units cost, for
 * oms_split_gain.
 */
int64
oms_split_layers(Search *s, const uint8 *open)
{
	const Model *m = s->m;
	int64		value = fixed_costs(m, open);

	if (m->is_limited)
		return value + oms_split_flow(s->flow, m, open, s->price, NULL);
	for (int i = 0; i < m->nlines; i++)
	{
		Layer	   *layers = s->layers + m->line_arcs[i] + i;
		int64		left = m->wanted[i];
		int			end = m->line_arcs[i + 1];
		int			count = 0;

		for (int a = m->line_arcs[i]; a < end && left > 0; a++)
		{
			const Arc  *arc = &m->by_line[a];
			int64		units;

			if (!open[arc->other])
				continue;
			units = Min(left, arc->units);
			layers[count].cost = arc->cost;
			layers[count++].units = units;
			value += units * arc->cost;
			left -= units;
		}
		if (left > 0)
		{
			layers[count].cost = m->penalty[i];
			layers[count++].units = left;
			value += left * m->penalty[i];
		}
		s->nlayers[i] = count;
	}
	return value;
}

/*
 * part puts the margins above a pivot first, then those equal to it: so many of
 * each.  Returns the units of those above.
 */
static int64
part(Layer *margins, int count, int64 pivot, int *nabove, int *nequal)
{
	int64		units = 0;
	int			above = 0;
	int			below = count;

	for (int i = 0; i < below;)
	{
		Layer		margin = margins[i];

		if (margin.cost == pivot)
			i++;
		else if (margin.cost > pivot)
		{
			units += margin.units;
			margins[i++] = margins[above];
			margins[above++] = margin;
		}
		else
		{
			margins[i] = margins[--below];
			margins[below] = margin;
		}
	}
	*nabove = above;
	*nequal = below - above;
	return units;
}

/*
 * oms_split_fill takes the dearest margins, as far as a location can ship, and
 * leaves them first, the one that is taken in part last of them.  Returns what
 * they come to.
 */
int64
oms_split_fill(Layer *margins, int count, int64 capacity)
{
	int64		sum = 0;

	while (count > 0 && capacity > 0)
	{
		int			nabove;
		int			nequal;
		int64		units;

		CHECK_FOR_INTERRUPTS();
		units = part(margins, count, margins[count / 2].cost, &nabove, &nequal);
		if (units >= capacity)
		{
			count = nabove;
			continue;
		}
		for (int i = 0; i < nabove + nequal && capacity > 0; i++)
		{
			int64		some = Min(margins[i].units, capacity);

			sum += margins[i].cost * some;
			capacity -= some;
		}
		margins += nabove + nequal;
		count -= nabove + nequal;
	}
	return sum;
}

/*
 * limited_gain bounds what a location saves by the prices of the flow.
 */
static int64
limited_gain(const Search *s, int location)
{
	const Model *m = s->m;
	int			count = 0;

	for (int a = m->location_arcs[location]; a < m->location_arcs[location + 1]; a++)
	{
		const Arc  *arc = &m->by_location[a];

		if (s->price[arc->other] > arc->cost)
		{
			s->margins[count].cost = s->price[arc->other] - arc->cost;
			s->margins[count++].units = arc->units;
		}
	}
	return oms_split_fill(s->margins, count, m->capacity[location]);
}

/*
 * oms_split_gain returns what the units of a location save, its own cost not
 * counted, after oms_split_layers; where limited, no less than that.
 */
int64
oms_split_gain(const Search *s, int location)
{
	const Model *m = s->m;
	int64		gain = 0;

	if (m->is_limited)
		return limited_gain(s, location);
	for (int a = m->location_arcs[location]; a < m->location_arcs[location + 1]; a++)
	{
		const Arc  *arc = &m->by_location[a];
		const Layer *layers = s->layers + m->line_arcs[arc->other] + arc->other;
		int64		left = arc->units;

		for (int k = s->nlayers[arc->other] - 1; k >= 0 && left > 0 && layers[k].cost > arc->cost; k--)
		{
			int64		units = Min(left, layers[k].units);

			gain += units * (layers[k].cost - arc->cost);
			left -= units;
		}
	}
	return gain;
}

/*
 * oms_split_offer keeps a plan that is better than the best so far.
 */
void
oms_split_offer(Search *s, const uint8 *open, int64 value)
{
	if (value >= s->best)
		return;
	s->best = value;
	memcpy(s->best_open, open, s->m->nlocations);
}

/*
 * best_addition returns the location whose opening saves most after
 * oms_split_layers, or -1 where none saves anything.  by_ratio: compared with
 * what it costs.
 */
static int
best_addition(const Search *s, const uint8 *open, int without, bool by_ratio, int64 *net)
{
	const Model *m = s->m;
	int			best = -1;
	double		best_ratio = 0;

	*net = 0;
	for (int j = 0; j < m->nlocations; j++)
	{
		int64		gain;

		if (open[j] || j == without)
			continue;
		CHECK_FOR_INTERRUPTS();
		gain = oms_split_gain(s, j);
		if (gain <= m->fixed[j])
			continue;
		if (by_ratio)
		{
			double		ratio = (double) gain / (double) Max(1, m->fixed[j]);

			if (ratio <= best_ratio)
				continue;
			best_ratio = ratio;
		}
		else if (gain - m->fixed[j] <= *net)
			continue;
		*net = gain - m->fixed[j];
		best = j;
	}
	return best;
}

static int
count_open(const Model *m, const uint8 *open)
{
	int			count = 0;

	for (int j = 0; j < m->nlocations; j++)
		count += open[j];
	return count;
}

/*
 * grow opens locations one after the other while that saves something.
 */
static void
grow(Search *s, uint8 *open, bool by_ratio)
{
	for (int count = count_open(s->m, open); count < s->m->max_open; count++)
	{
		int64		net;
		int			next;

		CHECK_FOR_INTERRUPTS();
		(void) oms_split_layers(s, open);
		next = best_addition(s, open, -1, by_ratio, &net);
		if (next < 0)
			return;
		open[next] = 1;
	}
}

/*
 * exchange closes a location, and opens another instead if that is better
 * still.  Returns the value of what is better, or else value, and leaves the
 * set as it was.
 */
static int64
exchange(Search *s, uint8 *open, int location, int64 value)
{
	int64		without;
	int64		with;
	int64		net;
	int			next;

	open[location] = 0;
	without = oms_split_layers(s, open);
	next = best_addition(s, open, location, false, &net);
	if (next >= 0)
	{
		open[next] = 1;
		with = s->m->is_limited ? oms_split_value(s, open) : without - net;
		if (with < value && with <= without)
			return with;
		open[next] = 0;
	}
	if (without <= value)
		return without;
	open[location] = 1;
	return value;
}

/*
 * oms_split_improve makes a set better until no single step does, or there have
 * been too many, and offers it.
 */
void
oms_split_improve(Search *s, uint8 *open)
{
	const Model *m = s->m;
	int64		value = oms_split_value(s, open);

	for (bool better = true; better;)
	{
		better = false;
		for (int j = m->nlocations - 1; j >= 0 && s->exchanges > 0; j--)
		{
			int64		other;

			if (!open[j] || j == m->forced)
				continue;
			CHECK_FOR_INTERRUPTS();
			s->exchanges--;
			other = exchange(s, open, j, value);
			better |= other < value;
			value = other;
		}
		if (s->exchanges > 0 && count_open(m, open) < m->max_open)
		{
			int64		net;
			int			next;

			(void) oms_split_layers(s, open);
			next = best_addition(s, open, -1, false, &net);
			if (next < 0)
				continue;
			open[next] = 1;
			if (m->is_limited)
				net = value - oms_split_value(s, open);
			if (net > 0)
			{
				value -= net;
				better = true;
			}
			else
				open[next] = 0;
		}
	}
	oms_split_offer(s, open, value);
}

/*
 * best_single finds the one location that does best alone.
 */
static int
best_single(Search *s)
{
	const Model *m = s->m;
	int64		net;

	memset(s->set, 0, m->nlocations);
	if (m->forced >= 0)
		s->set[m->forced] = 1;
	oms_split_offer(s, s->set, oms_split_layers(s, s->set));
	if (m->forced >= 0 && m->max_open == 1)
		return -1;
	return best_addition(s, s->set, -1, false, &net);
}

/*
 * oms_split_begin finds a first plan.
 */
void
oms_split_begin(Search *s)
{
	int			single = best_single(s);

	if (single < 0)
		return;
	s->set[single] = 1;
	oms_split_offer(s, s->set, oms_split_value(s, s->set));
}

/*
 * oms_split_greedy finds better ones.
 */
void
oms_split_greedy(Search *s)
{
	const Model *m = s->m;

	for (int by_ratio = 0; by_ratio < 2; by_ratio++)
	{
		memset(s->set, 0, m->nlocations);
		if (m->forced >= 0)
			s->set[m->forced] = 1;
		grow(s, s->set, by_ratio);
		oms_split_improve(s, s->set);
	}
}
