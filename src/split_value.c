/*
 * split_value.c
 *	  What a set of open locations costs, and what one more would save.
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
fixed_costs(const Search *s, const uint8 *open)
{
	int64		sum = 0;

	for (int k = 0; k < s->nkept; k++)
	{
		if (open[s->kept[k]])
			sum += s->m->fixed[s->kept[k]];
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
	int64		value = fixed_costs(s, open);

	if (m->is_limited)
		return value + oms_split_flow(s->flow, m, open, NULL, NULL);
	for (int i = 0; i < m->nlines; i++)
	{
		int64		left = m->wanted[i];
		int			end = s->line_arcs[i + 1];

		for (int a = s->line_arcs[i]; a < end && left > 0; a++)
		{
			const Arc  *arc = &s->by_line[a];
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
 * oms_split_line notes what the units of a line cost, from open locations,
 * without limits; adds that to value.  Returns how many layers there are.
 */
int
oms_split_line(const Search *s, const uint8 *open, int line, Layer *layers, int64 *value)
{
	const Model *m = s->m;
	int64		left = m->wanted[line];
	int			end = s->line_arcs[line + 1];
	int			count = 0;

	for (int a = s->line_arcs[line]; a < end && left > 0; a++)
	{
		const Arc  *arc = &s->by_line[a];
		int64		units;

		if (!open[arc->other])
			continue;
		units = Min(left, arc->units);
		layers[count].cost = arc->cost;
		layers[count].line = arc->other;
		layers[count++].units = units;
		*value += units * arc->cost;
		left -= units;
	}
	if (left > 0)
	{
		layers[count].cost = m->penalty[line];
		layers[count].line = -1;
		layers[count++].units = left;
		*value += left * m->penalty[line];
	}
	return count;
}

/*
 * oms_split_layers does the same, and notes what each line's units cost, for
 * oms_split_gain.
 */
int64
oms_split_layers(Search *s, const uint8 *open)
{
	const Model *m = s->m;
	int64		value = fixed_costs(s, open);

	if (m->is_limited)
		return value + oms_split_flow(s->flow, m, open, s->price, NULL);
	s->steps += s->narcs;
	for (int i = 0; i < m->nlines; i++)
	{
		CHECK_FOR_INTERRUPTS();
		s->nlayers[i] = oms_split_line(s, open, i, s->layers + s->line_arcs[i] + i, &value);
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
 * oms_split_saving returns what the units of a pair save where those of its line
 * cost so.
 */
int64
oms_split_saving(const Arc *arc, const Layer *layers, int count)
{
	int64		saving = 0;
	int64		left = arc->units;

	for (int k = count - 1; k >= 0 && left > 0 && layers[k].cost > arc->cost; k--)
	{
		int64		units = Min(left, layers[k].units);

		saving += units * (layers[k].cost - arc->cost);
		left -= units;
	}
	return saving;
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
		const Layer *layers = s->layers + s->line_arcs[arc->other] + arc->other;

		gain += oms_split_saving(arc, layers, s->nlayers[arc->other]);
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
