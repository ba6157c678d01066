/*
 * split_improve.c
 *	  First plans: opening locations one after the other, and making a set better
 *	  by closing, exchanging and opening some.
 */
#include "split_parts.h"

/* hundredths of what a search may take, after which first plans grow no further,
 * and are not made better */
#define PART_OF_GROWTH 40
#define PART_OF_EXCHANGES 60

/*
 * best_addition returns the location whose opening saves most after
 * oms_split_layers, or -1 where none saves anything.
 */
static int
best_addition(const Search *s, const uint8 *open, int without, int64 *net)
{
	const Model *m = s->m;
	int			best = -1;

	*net = 0;
	for (int j = 0; j < m->nlocations; j++)
	{
		int64		gain;

		if (open[j] || j == without)
			continue;
		CHECK_FOR_INTERRUPTS();
		gain = oms_split_gain(s, j);
		if (gain - m->fixed[j] <= *net)
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
 * note_gains notes what each location would save.
 */
static void
note_gains(Search *s, const uint8 *open)
{
	(void) oms_split_layers(s, open);
	for (int j = 0; j < s->m->nlocations; j++)
	{
		CHECK_FOR_INTERRUPTS();
		s->amounts[j] = open[j] ? 0 : oms_split_gain(s, j);
	}
}

/*
 * worth_of says what a location's gain is worth: net, or compared with what it
 * costs; 0 where it saves nothing.
 */
static double
worth_of(const Search *s, const uint8 *open, int location, bool by_ratio)
{
	int64		gain = s->amounts[location];
	int64		fixed = s->m->fixed[location];

	if (open[location] || gain <= fixed)
		return 0;
	return by_ratio ? (double) gain / (double) Max(1, fixed) : (double) (gain - fixed);
}

/*
 * best_of_shrinking returns the location that is worth most, or -1 where none
 * saves anything.  As gains only shrink while locations open, one that was worth
 * less when last looked at need not be looked at again.
 */
static int
best_of_shrinking(Search *s, const uint8 *open, bool by_ratio)
{
	int			first = -1;
	int			best = -1;
	double		most = 0;

	for (int j = 0; j < s->m->nlocations; j++)
	{
		double		worth = worth_of(s, open, j, by_ratio);

		if (worth > most)
		{
			most = worth;
			first = j;
		}
	}
	if (first < 0)
		return -1;
	s->amounts[first] = oms_split_gain(s, first);
	most = worth_of(s, open, first, by_ratio);
	best = most > 0 ? first : -1;
	for (int j = 0; j < s->m->nlocations; j++)
	{
		double		worth = worth_of(s, open, j, by_ratio);

		if (j == first || worth == 0 || worth < most || (worth == most && j > best))
			continue;
		CHECK_FOR_INTERRUPTS();
		s->amounts[j] = oms_split_gain(s, j);
		worth = worth_of(s, open, j, by_ratio);
		if (worth > most || (worth == most && worth > 0 && j < best))
		{
			most = worth;
			best = j;
		}
	}
	return best;
}

/*
 * grow opens locations one after the other while that saves something.
 */
static void
grow(Search *s, uint8 *open, bool by_ratio)
{
	bool		first = true;

	for (int count = count_open(s->m, open); count < s->m->max_open && !oms_split_is_spent(s, PART_OF_GROWTH); count++)
	{
		int			next;

		CHECK_FOR_INTERRUPTS();
		if (s->m->is_limited || first)
			note_gains(s, open);
		else
			(void) oms_split_layers(s, open);
		first = false;
		next = best_of_shrinking(s, open, by_ratio);
		if (next < 0)
			return;
		open[next] = 1;
	}
}

/*
 * close_location returns what lines pay more without a location, which has just
 * been closed, and notes how much more each other one would save.  Only lines
 * that it served can tell, so this costs little where many are open.
 */
static int64
close_location(Search *s, const uint8 *open, int location)
{
	const Model *m = s->m;
	int64		more = 0;

	memset(s->eased, 0, m->nlocations * sizeof(int64));
	for (int a = m->location_arcs[location]; a < m->location_arcs[location + 1]; a++)
	{
		int			i = m->by_location[a].other;
		const Layer *layers = s->layers + s->line_arcs[i] + i;
		int			count = s->nlayers[i];
		int			beside;
		bool		served = false;

		for (int k = 0; k < count && !served; k++)
			served = layers[k].line == location;
		if (!served)
			continue;
		CHECK_FOR_INTERRUPTS();
		beside = oms_split_line(s, open, i, s->beside, &more);
		for (int k = 0; k < count; k++)
			more -= layers[k].cost * layers[k].units;
		for (int b = s->line_arcs[i]; b < s->line_arcs[i + 1]; b++)
		{
			const Arc  *arc = &s->by_line[b];

			if (!open[arc->other])
				s->eased[arc->other] += oms_split_saving(arc, s->beside, beside) - oms_split_saving(arc, layers, count);
		}
	}
	return more;
}

/*
 * best_instead returns the location that saves most instead of one that
 * close_location has closed, or -1 where none saves anything.
 */
static int
best_instead(const Search *s, const uint8 *open, int closed, int64 *net)
{
	const Model *m = s->m;
	int			best = -1;

	*net = 0;
	for (int j = 0; j < m->nlocations; j++)
	{
		int64		now = s->amounts[j] + s->eased[j] - m->fixed[j];

		if (open[j] || j == closed || now <= *net)
			continue;
		*net = now;
		best = j;
	}
	return best;
}

/*
 * exchange closes a location, and opens another instead if that is better
 * still.  Returns the value of what is better, or else value, and leaves the
 * set as it was.  Without limits, note_gains has been called of this set.
 */
static int64
exchange(Search *s, uint8 *open, int location, int64 value)
{
	int64		without;
	int64		with;
	int64		net;
	int			next;

	open[location] = 0;
	if (s->m->is_limited)
	{
		without = oms_split_layers(s, open);
		next = best_addition(s, open, location, &net);
	}
	else
	{
		without = value - s->m->fixed[location] + close_location(s, open, location);
		next = best_instead(s, open, location, &net);
	}
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
		if (!m->is_limited && s->exchanges > 0)
			note_gains(s, open);
		for (int j = m->nlocations - 1; j >= 0 && s->exchanges > 0 && !oms_split_is_spent(s, PART_OF_EXCHANGES); j--)
		{
			bool		changed;
			int64		other;

			if (!open[j] || j == m->forced)
				continue;
			CHECK_FOR_INTERRUPTS();
			s->exchanges--;
			other = exchange(s, open, j, value);
			changed = other < value || !open[j];
			better |= other < value;
			value = other;
			if (changed && !m->is_limited)
				note_gains(s, open);
		}
		if (s->exchanges > 0 && count_open(m, open) < m->max_open && !oms_split_is_spent(s, PART_OF_EXCHANGES))
		{
			int64		net;
			int			next;

			(void) oms_split_layers(s, open);
			next = best_addition(s, open, -1, &net);
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
	return best_addition(s, s->set, -1, &net);
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
