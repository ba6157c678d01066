/*
 * split_count.c
 *	  A lower bound by counting: as many locations as a better plan can still
 *	  pay for may be too few, even those that have most.
 *
 * It decides where prices cannot: where lines must be split because nobody has
 * enough of them.
 */
#include "split_parts.h"

#define MOST_OF_LINE 16			/* locations looked at line by line */

/*
 * What would be if all locations that are left opened for nothing.
 */
typedef struct Plenty
{
	int64		base;			/* cost of that, and of those that are open */
	int64		wanting;		/* units that locations still to open must
								 * bring */
	int64		least_loss;		/* that one of them costs more where it lacks */
	int			most;			/* locations that may still open */
	int64	   *loss;			/* by number of locations: what all lines
								 * lose; or NULL: not looked at */
	int64		loss_beside;	/* what they lose with one location fewer */
} Plenty;

static int
compare_up(const void *a, const void *b)
{
	int64		left = *(const int64 *) a;
	int64		right = *(const int64 *) b;

	return left < right ? -1 : left > right;
}

static int
compare_down(const void *a, const void *b)
{
	return compare_up(b, a);
}

/*
 * keep_largest puts a number among the largest so far.
 */
static void
keep_largest(int64 *largest, int *count, int most, int64 number)
{
	int			at = *count;

	if (at == most)
	{
		if (number <= largest[at - 1])
			return;
		at--;
	}
	else
		(*count)++;
	for (; at > 0 && largest[at - 1] < number; at--)
		largest[at] = largest[at - 1];
	largest[at] = number;
}

/*
 * cost_with_plenty returns what a line costs with plenty, and notes what a unit
 * loses at least where it goes without.
 */
static int64
cost_with_plenty(Search *s, int line)
{
	const Model *m = s->m;
	int64		left = m->wanted[line];
	int64		cost = 0;
	int64		dearest = 0;

	for (int a = s->line_arcs[line]; a < s->line_arcs[line + 1] && left > 0; a++)
	{
		const Arc  *arc = &s->by_line[a];

		if (s->state[arc->other] == SHUT)
			continue;
		dearest = arc->cost;
		cost += Min(left, arc->units) * dearest;
		left -= Min(left, arc->units);
	}
	s->slope[line] = m->penalty[line] - dearest;
	return cost + left * m->penalty[line];
}

/*
 * look_beside adds what a line loses where one of the locations that open is
 * not among those that have most of it: for all, and less what each has.
 */
static void
look_beside(Search *s, int line, const int64 *largest, int nlargest, int64 wanting, Plenty *plenty)
{
	int64		lacking = wanting;
	int64		all;

	for (int n = 0; n < Min(nlargest, plenty->most - 1); n++)
		lacking -= largest[n];
	if (lacking <= 0)
		return;
	all = nlargest < plenty->most ? 0 : Max(0, lacking - largest[plenty->most - 1]);
	plenty->loss_beside += lacking * s->slope[line];
	for (int a = s->line_arcs[line]; a < s->line_arcs[line + 1]; a++)
	{
		const Arc  *arc = &s->by_line[a];

		if (s->state[arc->other] == FREE)
			s->eased[arc->other] += Min(lacking - all, arc->units) * s->slope[line];
	}
}

/*
 * look_at_line adds what a line wants of locations still to open, and what it
 * loses with few of them.  Each location's amount grows by what it could bring.
 */
static void
look_at_line(Search *s, int line, Plenty *plenty)
{
	const Model *m = s->m;
	int64		largest[MOST_OF_LINE];
	int			nlargest = 0;
	int64		wanting = m->wanted[line];
	int64		offered = 0;

	for (int a = s->line_arcs[line]; a < s->line_arcs[line + 1] && wanting > 0; a++)
	{
		if (s->state[s->by_line[a].other] == OPEN)
			wanting -= Min(wanting, s->by_line[a].units);
	}
	if (wanting == 0)
		return;
	for (int a = s->line_arcs[line]; a < s->line_arcs[line + 1]; a++)
	{
		const Arc  *arc = &s->by_line[a];
		int64		units = Min(wanting, arc->units);

		if (s->state[arc->other] != FREE)
			continue;
		offered += units;
		s->amounts[arc->other] += units;
		if (plenty->loss && plenty->most > 0)
			keep_largest(largest, &nlargest, plenty->most, units);
	}
	wanting = Min(wanting, offered);
	if (wanting == 0)
		return;
	plenty->wanting += wanting;
	plenty->least_loss = Min(plenty->least_loss, s->slope[line]);
	if (!plenty->loss)
		return;
	if (plenty->most > 0)
		look_beside(s, line, largest, nlargest, wanting, plenty);
	for (int n = 0; n <= plenty->most; n++)
	{
		plenty->loss[n] += Max(0, wanting) * s->slope[line];
		if (n < nlargest)
			wanting -= largest[n];
	}
}

/*
 * add_up_to adds up costs, the cheapest first, in sums, as far as they are no more
 * than the budget.  Returns how many that are.
 */
static int
add_up_to(int64 *sums, int count, int64 budget)
{
	int			most;

	sums[0] = 0;
	for (most = 0; most < count; most++)
	{
		sums[most + 1] += sums[most];
		if (sums[most + 1] > budget)
			break;
	}
	return most;
}

/*
 * most_affordable returns how many locations a better plan could still open,
 * and leaves the costs of the cheapest ones added up in sums.  Mostly they are
 * few: then not all are sorted.
 */
static int
most_affordable(Search *s, int64 budget)
{
	const Model *m = s->m;
	int64		largest[MOST_OF_LINE + 1];	/* with a minus: the cheapest */
	int			few = 0;
	int			count = 0;
	int			may_open = m->max_open - s->nopen;
	int			most;

	for (int k = 0; k < s->nlive; k++)
	{
		if (s->state[s->live[k]] == FREE)
			keep_largest(largest, &few, MOST_OF_LINE + 1, -m->fixed[s->live[k]]);
	}
	for (int i = 0; i < few; i++)
		s->sums[1 + i] = -largest[i];
	most = add_up_to(s->sums, Min(few, may_open), budget);
	if (most < few || most == may_open)
		return most;
	for (int k = 0; k < s->nlive; k++)
	{
		if (s->state[s->live[k]] == FREE)
			s->sums[1 + count++] = m->fixed[s->live[k]];
	}
	if (count == few)
		return most;
	qsort(s->sums + 1, count, sizeof(int64), compare_up);
	return add_up_to(s->sums, Min(count, may_open), budget);
}

/*
 * bound_of returns the least cost over all numbers of locations, where those
 * that have most bring these amounts; without: one of them is left out, or -1.
 */
static int64
bound_of(const Search *s, const Plenty *plenty, const int64 *largest, int count, int without)
{
	int64		best = PG_INT64_MAX;
	int64		wanting = plenty->wanting;
	int			next = 0;

	for (int n = 0; n <= plenty->most; n++)
	{
		int64		loss = Max(0, wanting) * plenty->least_loss;

		best = Min(best, plenty->base + s->sums[n] + Max(loss, plenty->loss ? plenty->loss[n] : 0));
		if (next == without)
			next++;
		if (next < count)
			wanting -= largest[next++];
	}
	return best;
}

/*
 * list_largest lists what the locations that are left could bring, the most first,
 * as far as bound_of looks.  Returns how many that are.
 */
static int
list_largest(Search *s, const Plenty *plenty, int64 *largest)
{
	int			most = plenty->loss ? plenty->most + 2 : 0;
	int			count = 0;

	for (int k = 0; k < s->nlive; k++)
	{
		int			j = s->live[k];

		if (s->state[j] != FREE)
			continue;
		s->amounts[j] = Min(s->amounts[j], s->m->capacity[j]);
		if (most > 0)
			keep_largest(largest, &count, most, s->amounts[j]);
		else
			largest[count++] = s->amounts[j];
	}
	if (most == 0)
		qsort(largest, count, sizeof(int64), compare_down);
	return count;
}

/*
 * open_needed opens locations without which no better plan has enough.  Returns
 * whether there were any.
 */
static bool
open_needed(Search *s, const Plenty *plenty, const int64 *largest, int count)
{
	int64		least = PG_INT64_MAX;
	bool		opened = false;

	/* leaving out the first hurts most; so the needed ones come first */
	for (int i = 0; i < count && i < plenty->most; i++)
	{
		if (!is_beaten(s, bound_of(s, plenty, largest, count, i)))
			break;
		least = largest[i];
	}
	if (least == PG_INT64_MAX)
		return false;
	for (int k = 0; k < s->nlive; k++)
	{
		int			j = s->live[k];

		if (s->state[j] != FREE || s->amounts[j] < least)
			continue;
		oms_split_decide(s, j, OPEN);
		opened = true;
	}
	if (opened)
		oms_split_note_live(s);
	return opened;
}

/*
 * shut_poor shuts locations beside which no others have enough.
 */
static void
shut_poor(Search *s, const Plenty *plenty)
{
	bool		shut = false;

	for (int k = 0; plenty->loss && k < s->nlive; k++)
	{
		int			j = s->live[k];

		if (s->state[j] != FREE ||
			!is_beaten(s, plenty->base + s->m->fixed[j] + plenty->loss_beside - s->eased[j]))
			continue;
		oms_split_decide(s, j, SHUT);
		shut = true;
	}
	if (shut)
		oms_split_note_live(s);
}

/*
 * oms_split_count raises the lower bound by counting, and opens what must be.
 * Returns whether it opened anything.
 */
bool
oms_split_count(Search *s, int64 *lower)
{
	const Model *m = s->m;
	Plenty		plenty = {.least_loss = PG_INT64_MAX};
	int64		losses[MOST_OF_LINE + 1] = {0};
	int64	   *largest = s->rho;
	int64		least;
	int			count;

	for (int k = 0; k < s->nlive; k++)
	{
		s->amounts[s->live[k]] = s->eased[s->live[k]] = 0;
		if (s->open[s->live[k]])
			plenty.base += m->fixed[s->live[k]];
	}
	for (int i = 0; i < m->nlines; i++)
		plenty.base += cost_with_plenty(s, i);
	*lower = Max(*lower, plenty.base);
	if (is_beaten(s, *lower))
		return false;
	plenty.most = most_affordable(s, s->best - m->unit - plenty.base);
	s->most_affordable = plenty.most;
	if (plenty.most >= s->nfree)
		return false;
	plenty.loss = plenty.most <= MOST_OF_LINE ? losses : NULL;
	CHECK_FOR_INTERRUPTS();
	for (int i = 0; i < m->nlines; i++)
		look_at_line(s, i, &plenty);
	if (plenty.wanting == 0)
		return false;
	count = list_largest(s, &plenty, largest);
	least = bound_of(s, &plenty, largest, count, -1);
	*lower = Max(*lower, least);
	if (is_beaten(s, *lower))
		return false;
	if (open_needed(s, &plenty, largest, count))
		return true;
	shut_poor(s, &plenty);
	return false;
}
