/*
 * split_bound.c
 *	  A lower bound: what a plan costs at least.
 *
 * Lines pay a price u for each unit, and locations then open where that pays
 * them: whatever the prices, no plan costs less than what lines pay minus what
 * locations earn.  Prices are raised as far as no location earns (the ascent),
 * then moved towards those at which as many units are offered as wanted.
 *
 * All of it is exact: prices are integers, in units that are fractions of the
 * caller's.
 */
#include "split_parts.h"

#define ROUNDS 12				/* of the ascent */
#define PATIENCE 6				/* steps without a better bound */

/*
 * raise_line raises the price of a line up to a limit, as far as no location
 * earns.  Returns whether it could be raised.
 */
static bool
raise_line(Search *s, int64 *slack, int line, int64 limit)
{
	const Model *m = s->m;
	int64		from = s->u[line];
	int64		to = limit;

	for (int a = s->line_arcs[line]; a < s->line_arcs[line + 1]; a++)
	{
		const Arc  *arc = &s->by_line[a];
		int64		begin = Max(from, arc->cost);

		if (arc->cost >= to)
			break;
		if (arc->units > 0 && s->state[arc->other] == FREE)
			to = Min(to, begin + slack[arc->other] / arc->units);
	}
	if (to <= from)
		return false;
	for (int a = s->line_arcs[line]; a < s->line_arcs[line + 1]; a++)
	{
		const Arc  *arc = &s->by_line[a];

		if (arc->cost >= to)
			break;
		if (s->state[arc->other] == FREE)
			slack[arc->other] -= arc->units * (to - Max(from, arc->cost));
	}
	s->u[line] = to;
	return to == limit && to < m->penalty[line];
}

/*
 * oms_split_ascend sets prices to begin with.
 */
void
oms_split_ascend(Search *s)
{
	const Model *m = s->m;

	memset(s->u, 0, m->nlines * sizeof(int64));
	for (int j = 0; j < m->nlocations; j++)
		s->amounts[j] = m->fixed[j];
	for (int round = 1; round <= ROUNDS; round++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < m->nlines; i++)
		{
			int			count = s->line_arcs[i + 1] - s->line_arcs[i];
			int			next = count * round / ROUNDS;
			int64		limit = next < count ? s->by_line[s->line_arcs[i] + next].cost : m->penalty[i];

			(void) raise_line(s, s->amounts, i, limit);
		}
	}
}

/*
 * earnings_of returns what a location earns at the prices; its own cost is not
 * counted.  offers: what it would ship is taken off the lines' slope.
 */
static int64
earnings_of(Search *s, int location, bool offers)
{
	const Model *m = s->m;
	const Arc  *arc = m->by_location + m->location_arcs[location];
	const Arc  *end = m->by_location + m->location_arcs[location + 1];
	int64		sum = 0;
	int64		units = 0;
	int			count = 0;

	if (!m->is_limited)
	{
		for (; arc < end; arc++)
		{
			int64		margin = s->u[arc->other] - arc->cost;

			if (margin <= 0)
				continue;
			sum += margin * arc->units;
			if (offers)
				s->slope[arc->other] -= arc->units;
		}
		return sum;
	}
	for (; arc < end; arc++)
	{
		if (s->u[arc->other] <= arc->cost)
			continue;
		s->margins[count].cost = s->u[arc->other] - arc->cost;
		s->margins[count].line = arc->other;
		s->margins[count++].units = arc->units;
		units += arc->units;
	}
	sum = oms_split_fill(s->margins, count, m->capacity[location]);
	units = m->capacity[location];
	for (int i = 0; offers && i < count && units > 0; i++)
	{
		int64		some = Min(units, s->margins[i].units);

		s->slope[s->margins[i].line] -= some;
		units -= some;
	}
	return sum;
}

/*
 * choose_few chooses, of the free locations that earn, as many as may still
 * open: those that earn most.
 */
static int64
choose_few(Search *s, int most)
{
	int64		sum = 0;

	for (int k = 0; k < s->nlive; k++)
		s->chosen[s->live[k]] = s->open[s->live[k]];
	for (int n = 0; n <= most; n++)
	{
		int			best = -1;

		for (int k = 0; k < s->nlive; k++)
		{
			int			j = s->live[k];

			if (!s->chosen[j] && s->rho[j] < 0 && (best < 0 || s->rho[j] < s->rho[best]))
				best = j;
		}
		if (best < 0)
		{
			s->last_in = s->first_out = 0;
			break;
		}
		if (n == most)
		{
			s->first_out = s->rho[best];
			break;
		}
		s->chosen[best] = 1;
		s->last_in = s->rho[best];
		sum += s->rho[best];
	}
	return sum;
}

/*
 * lower_bound computes the bound at the prices, and where it slopes up.
 */
static int64
lower_bound(Search *s)
{
	const Model *m = s->m;
	int64		lower = 0;
	int64		earned = 0;
	int			most = m->max_open - s->nopen;
	int			earning = 0;

	s->steps += s->narcs;
	for (int i = 0; i < m->nlines; i++)
	{
		lower += s->u[i] * m->wanted[i];
		s->slope[i] = m->wanted[i];
	}
	for (int k = 0; k < s->nlive; k++)
	{
		int			j = s->live[k];

		CHECK_FOR_INTERRUPTS();
		s->rho[j] = m->fixed[j] - earnings_of(s, j, false);
		s->chosen[j] = 1;
		if (s->open[j])
			lower += s->rho[j];
		else if (s->rho[j] < 0)
		{
			earning++;
			earned += s->rho[j];
		}
		else
			s->chosen[j] = 0;
	}
	s->last_in = s->first_out = 0;
	if (earning > most)
		earned = choose_few(s, most);
	for (int k = 0; k < s->nlive; k++)
	{
		if (s->chosen[s->live[k]])
			(void) earnings_of(s, s->live[k], true);
	}
	return lower + earned;
}

/*
 * fix decides about locations that cannot be otherwise in a better plan.
 * Returns whether any must open.
 */
static bool
fix(Search *s, int64 lower)
{
	bool		opened = false;
	bool		shut = false;

	for (int k = 0; k < s->nlive; k++)
	{
		int			j = s->live[k];

		if (s->state[j] != FREE)
			continue;
		if (!s->chosen[j] && is_beaten(s, lower + s->rho[j] - s->last_in))
		{
			oms_split_decide(s, j, SHUT);
			shut = true;
		}
		else if (s->chosen[j] && is_beaten(s, lower - s->rho[j] + s->first_out))
		{
			oms_split_decide(s, j, OPEN);
			opened = true;
		}
	}
	if (shut || opened)
		oms_split_note_live(s);
	return opened;
}

/*
 * step moves the prices along the slope.  Returns whether there was one.
 */
static bool
step(Search *s, double length, int64 lower)
{
	const Model *m = s->m;
	double		norm = 0;
	double		scale;

	for (int i = 0; i < m->nlines; i++)
	{
		if ((s->u[i] == 0 && s->slope[i] < 0) || (s->u[i] == m->penalty[i] && s->slope[i] > 0))
			s->slope[i] = 0;
		norm += (double) s->slope[i] * (double) s->slope[i];
	}
	if (norm == 0)
		return false;
	scale = length * (double) (s->best - lower) / norm;
	for (int i = 0; i < m->nlines; i++)
	{
		double		to = (double) s->u[i] + scale * (double) s->slope[i];

		s->u[i] = to <= 0 ? 0 : to >= (double) m->penalty[i] ? m->penalty[i] : (int64) (to + 0.5);
	}
	return true;
}

/*
 * try_chosen tries what the bound opens as a plan.
 */
static void
try_chosen(Search *s)
{
	const Model *m = s->m;

	if (m->is_limited && oms_split_is_spent(s, 100))
		return;
	for (int k = 0; k < s->nlive; k++)
	{
		if (s->chosen[s->live[k]] != s->tried[s->live[k]])
		{
			memset(s->tried, 0, m->nlocations);
			for (int l = 0; l < s->nlive; l++)
				s->tried[s->live[l]] = s->chosen[s->live[l]];
			oms_split_offer(s, s->tried, oms_split_value(s, s->tried));
			return;
		}
	}
}

/*
 * oms_split_relax improves the bound by so many steps.  Returns false once no
 * plan here can be better than the best; else what the bound has decided stands.
 * It stops where something has been opened.
 */
bool
oms_split_relax(Search *s, int steps, int64 *lower)
{
	const Model *m = s->m;
	int64		highest = -PG_INT64_MAX;
	double		length = 1.5;
	int			since = 0;

	for (int n = 0; n <= steps; n++)
	{
		int64		now = lower_bound(s);

		CHECK_FOR_INTERRUPTS();
		if (now > highest)
		{
			highest = now;
			since = 0;
			memcpy(s->best_u, s->u, m->nlines * sizeof(int64));
		}
		else if (++since >= PATIENCE)
		{
			length /= 2;
			since = 0;
			if (length < 0.02)
				break;
		}
		*lower = Max(*lower, now);
		if (is_beaten(s, *lower))
			return false;
		try_chosen(s);
		if (is_beaten(s, *lower))
			return false;
		if (fix(s, now))
			break;
		if (s->nfree == 0 || n == steps || !step(s, length, now))
			break;
	}
	memcpy(s->u, s->best_u, m->nlines * sizeof(int64));
	return true;
}
