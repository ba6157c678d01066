/*
 * split_search.c
 *	  The search for the best plan: depth first, with an explicit stack.
 *
 * At each node some locations are open and some shut.  What is open is a plan.
 * Those that cannot save what they cost are shut for good, bounds show whether
 * anything better can follow at all, and they decide about more locations on
 * the way.  Of what is left the most promising location is taken, opened first
 * and shut afterwards.
 */
#include "split_parts.h"

#define ROOT_STEPS 120			/* of the bound, at the root */
#define STEPS 14				/* elsewhere */

/* exchanges tried while the first plans are made better: of any problem, and
 * pairs looked at of a small one */
#define MOST_EXCHANGES 200
#define MOST_PAIRS 20000000
#define MOST_LIMITED_PAIRS 400000	/* where each exchange is two flows */

/* what a search may take, by pairs looked at: of each pair, so that there is a
 * bound at all; and of each node, so that a limit of nodes is one of time */
#define STEPS_OF_PAIR 500
#define STEPS_OF_NODE 70000

/* A location that is being tried both ways. */
typedef struct Branch
{
	int			location;
	int			mark;			/* where the trail was before */
	bool		is_shut;		/* it has been open */
	int64		lower;			/* of what is below */
} Branch;

/*
 * oms_split_search makes a search that has found nothing yet.
 */
Search *
oms_split_search(const Model *m, int node_limit)
{
	Search	   *s = palloc0(sizeof(Search));
	int			n = m->nlocations + 1;
	int			lines = m->nlines + 1;

	s->m = m;
	s->node_limit = node_limit;
	s->most_steps = node_limit == PG_INT32_MAX ? PG_INT64_MAX : (int64) m->narcs * STEPS_OF_PAIR + (int64) node_limit * STEPS_OF_NODE;
	s->state = palloc0(n);
	s->open = palloc0(n);
	s->chosen = palloc0(n);
	s->tried = palloc0(n);
	s->best_open = palloc0(n);
	s->set = palloc0(n);
	s->trail = palloc(n * sizeof(int));
	s->live = palloc(n * sizeof(int));
	s->kept = palloc(n * sizeof(int));
	for (int j = 0; j < m->nlocations; j++)
		s->kept[j] = j;
	s->nkept = m->nlocations;
	s->narcs = m->narcs;
	s->line_arcs = m->line_arcs;
	s->by_line = m->by_line;
	s->rho = palloc0(n * sizeof(int64));
	s->amounts = palloc(n * sizeof(int64));
	s->sums = palloc((n + 1) * sizeof(int64));
	s->eased = palloc(n * sizeof(int64));
	s->u = palloc0(lines * sizeof(int64));
	s->best_u = palloc(lines * sizeof(int64));
	s->slope = palloc(lines * sizeof(int64));
	s->nlayers = palloc(lines * sizeof(int));
	s->layers = palloc((m->narcs + lines) * sizeof(Layer));
	s->margins = palloc((m->most_of_location + 1) * sizeof(Layer));
	s->beside = palloc((n + 1) * sizeof(Layer));
	s->best = PG_INT64_MAX;
	s->exchanges = MOST_EXCHANGES + MOST_PAIRS / (m->narcs + 1);
	if (m->is_limited)
	{
		s->exchanges = 1 + MOST_LIMITED_PAIRS / (m->narcs + 1);
		s->price = palloc(lines * sizeof(int64));
		s->flow = oms_split_flow_work(m);
	}
	if (m->forced >= 0)
		oms_split_decide(s, m->forced, OPEN);
	return s;
}

/*
 * oms_split_is_spent tells whether so many hundredths of what the search may take
 * have been taken.
 */
bool
oms_split_is_spent(const Search *s, int part)
{
	int64		steps = s->steps + (s->flow ? oms_split_flow_steps(s->flow) : 0);

	return steps >= s->most_steps / 100 * part;
}

/*
 * oms_split_decide opens or shuts a free location.
 */
void
oms_split_decide(Search *s, int location, int state)
{
	Assert(s->state[location] == FREE);
	s->state[location] = state;
	if (state == OPEN)
	{
		s->open[location] = 1;
		s->nopen++;
	}
	s->trail[s->ntrail++] = location;
}

/*
 * go_back undoes all that was decided since the trail was so long.
 */
static void
go_back(Search *s, int mark)
{
	while (s->ntrail > mark)
	{
		int			j = s->trail[--s->ntrail];

		s->nopen -= s->open[j];
		s->open[j] = 0;
		s->state[j] = FREE;
	}
}

/*
 * drop_shut leaves what is shut for good out of all that is still looked at.
 */
static void
drop_shut(Search *s)
{
	const Model *m = s->m;
	int		   *line_arcs = palloc((m->nlines + 1) * sizeof(int));
	Arc		   *by_line;

	s->narcs = 0;
	for (int k = 0; k < s->nlive; k++)
		s->narcs += m->location_arcs[s->live[k] + 1] - m->location_arcs[s->live[k]];
	by_line = palloc((s->narcs + 1) * sizeof(Arc));
	line_arcs[0] = 0;
	for (int i = 0; i < m->nlines; i++)
	{
		int			count = line_arcs[i];

		CHECK_FOR_INTERRUPTS();
		for (int a = s->line_arcs[i]; a < s->line_arcs[i + 1]; a++)
		{
			if (s->state[s->by_line[a].other] != SHUT)
				by_line[count++] = s->by_line[a];
		}
		line_arcs[i + 1] = count;
	}
	if (s->by_line != m->by_line)
	{
		pfree(s->line_arcs);
		pfree(s->by_line);
	}
	s->line_arcs = line_arcs;
	s->by_line = by_line;
	memcpy(s->kept, s->live, s->nlive * sizeof(int));
	s->nkept = s->nlive;
}

/*
 * oms_split_note_live lists the locations that are not shut.
 */
void
oms_split_note_live(Search *s)
{
	s->nlive = s->nfree = 0;
	for (int k = 0; k < s->nkept; k++)
	{
		int			j = s->kept[k];

		if (s->state[j] == SHUT)
			continue;
		s->live[s->nlive++] = j;
		s->nfree += s->state[j] == FREE;
	}
	if (s->at_root && s->nlive <= s->nkept / 2)
		drop_shut(s);
}

static int
compare_down(const void *a, const void *b)
{
	int64		left = *(const int64 *) a;
	int64		right = *(const int64 *) b;

	return left > right ? -1 : left < right;
}

/*
 * shut_outdone shuts locations that save too little to be one of the few that
 * may still open: value is what there is now, together what the best of those
 * save, and least what the last of them does.
 */
static void
shut_outdone(Search *s, int64 value, int64 together, int64 least)
{
	for (int k = 0; k < s->nlive; k++)
	{
		int			j = s->live[k];

		if (s->state[j] == FREE && s->eased[j] < least &&
			is_beaten(s, value - together + least - s->eased[j]))
			oms_split_decide(s, j, SHUT);
	}
	oms_split_note_live(s);
}

/*
 * shut_useless shuts locations that save no more than they cost.  As what they
 * save together is no more than the sum, that gives a lower bound too.
 */
static int64
shut_useless(Search *s, int64 value)
{
	const Model *m = s->m;
	int			count = 0;
	int			most = m->max_open - s->nopen;
	int64		together = 0;

	for (int k = 0; k < s->nkept; k++)
	{
		int			j = s->kept[k];
		int64		net;

		if (s->state[j] != FREE)
			continue;
		CHECK_FOR_INTERRUPTS();
		net = oms_split_gain(s, j) - m->fixed[j];
		if (net <= 0)
			oms_split_decide(s, j, SHUT);
		else
			s->amounts[count++] = s->eased[j] = net;
	}
	oms_split_note_live(s);
	if (count > most)
		qsort(s->amounts, count, sizeof(int64), compare_down);
	for (int i = 0; i < Min(count, most); i++)
		together += s->amounts[i];
	if (count > most && !is_beaten(s, value - together))
		shut_outdone(s, value, together, s->amounts[most - 1]);
	return value - together;
}

/*
 * lose_without adds, for each location that a line's cheapest units come from,
 * what the line pays more without it, all others that are not shut being open:
 * its units come from whoever is next then, or from nobody.
 */
static void
lose_without(Search *s, int line)
{
	const Model *m = s->m;
	int			end = s->line_arcs[line + 1];
	int			last = s->line_arcs[line];
	int64		left = m->wanted[line];
	int64		rest = 0;		/* units of the last one that are not needed */

	for (int a = last; a < end && left > 0; a++)
	{
		if (s->state[s->by_line[a].other] == SHUT)
			continue;
		last = a;
		rest = Max(0, s->by_line[a].units - left);
		left -= Min(left, s->by_line[a].units);
	}
	for (int a = s->line_arcs[line]; a <= last && a < end; a++)
	{
		const Arc  *arc = &s->by_line[a];
		int64		units = arc->units - (a == last ? rest : 0);

		if (s->state[arc->other] != FREE)
			continue;
		s->amounts[arc->other] -= units * arc->cost;
		for (int b = last; b < end && units > 0; b++)
		{
			const Arc  *next = &s->by_line[b];
			int64		some = Min(units, b == last ? rest : next->units);

			if (b == a || s->state[next->other] == SHUT)
				continue;
			s->amounts[arc->other] += some * next->cost;
			units -= some;
		}
		s->amounts[arc->other] += units * m->penalty[line];
	}
}

/*
 * open_useful opens locations that save more than they cost even beside all
 * others: as savings shrink while others open, no plan is better without them.
 */
static void
open_useful(Search *s)
{
	const Model *m = s->m;
	bool		opened = false;

	if (m->is_limited || m->max_open - s->nopen < s->nfree)
		return;
	for (int k = 0; k < s->nlive; k++)
		s->amounts[s->live[k]] = 0;
	for (int i = 0; i < m->nlines; i++)
	{
		CHECK_FOR_INTERRUPTS();
		lose_without(s, i);
	}
	for (int k = 0; k < s->nlive; k++)
	{
		int			j = s->live[k];

		if (s->state[j] != FREE || s->amounts[j] <= m->fixed[j])
			continue;
		oms_split_decide(s, j, OPEN);
		opened = true;
	}
	if (opened)
		oms_split_note_live(s);
}

/*
 * most_promising returns the free location that the bound would rather open
 * than any other.
 */
static int
most_promising(const Search *s)
{
	int			best = -1;

	for (int k = 0; k < s->nlive; k++)
	{
		int			j = s->live[k];

		if (s->state[j] == FREE && (best < 0 || s->rho[j] < s->rho[best]))
			best = j;
	}
	return best;
}

/*
 * visit looks at a node.  Returns the location to try both ways, or -1 where
 * nothing better can follow.
 */
static int
visit(Search *s, int steps, int64 *lower)
{
	const Model *m = s->m;
	bool		is_root = steps == ROOT_STEPS;

	s->nodes++;
	for (bool ascended = false;;)
	{
		int64		value = oms_split_layers(s, s->open);
		int64		least;
		int			before;

		oms_split_offer(s, s->open, value);
		if (s->nopen >= m->max_open)
			return -1;
		least = shut_useless(s, value);
		*lower = Max(*lower, least);
		if (s->nfree == 0 || is_beaten(s, *lower))
			return -1;
		before = s->nopen;
		open_useful(s);
		if (s->nopen > before || oms_split_count(s, lower))
			continue;
		if (s->nfree == 0 || is_beaten(s, *lower))
			return -1;
		if (is_root && !ascended)
		{
			oms_split_ascend(s);
			ascended = true;
			if (!oms_split_relax(s, 0, lower))
				return -1;
			oms_split_greedy(s);
			s->at_root = true;
			/* with a better plan, less can be paid for */
			if (oms_split_count(s, lower))
				continue;
			if (s->nfree == 0 || is_beaten(s, *lower))
				return -1;
		}
		oms_split_shut_outdone(s);
		if (s->nfree == 0)
			return -1;
		before = s->nopen;
		if (!oms_split_relax(s, steps, lower))
			return -1;
		if (s->nfree == 0)
		{
			if (s->nopen > before)
				continue;
			return -1;
		}
		if (s->nopen == before)
			break;
		steps = Min(steps, STEPS);
	}
	if (is_root)
	{
		oms_split_note_outdone(s);
		oms_split_shut_outdone(s);
	}
	return most_promising(s);
}

/*
 * oms_split_run searches until the best plan is proven, or as many nodes have
 * been seen as may be.
 */
void
oms_split_run(Search *s)
{
	const Model *m = s->m;
	Branch	   *stack = palloc((m->nlocations + 1) * sizeof(Branch));
	int			depth = 0;
	int64		lower = 0;
	int			next;

	oms_split_begin(s);
	next = visit(s, ROOT_STEPS, &lower);
	s->at_root = false;
	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (next >= 0)
		{
			Branch	   *branch = &stack[depth++];

			branch->location = next;
			branch->mark = s->ntrail;
			branch->is_shut = false;
			branch->lower = lower;
			if (s->nodes >= s->node_limit || oms_split_is_spent(s, 100))
				break;
			oms_split_decide(s, next, OPEN);
		}
		else
		{
			while (depth > 0 && (stack[depth - 1].is_shut || is_beaten(s, stack[depth - 1].lower)))
				depth--;
			if (depth == 0)
				break;
			if (s->nodes >= s->node_limit || oms_split_is_spent(s, 100))
				break;
			go_back(s, stack[depth - 1].mark);
			lower = stack[depth - 1].lower;
			stack[depth - 1].is_shut = true;
			oms_split_decide(s, stack[depth - 1].location, SHUT);
		}
		next = visit(s, STEPS, &lower);
	}
	s->bound = s->best;
	for (int i = 0; i < depth; i++)
	{
		if (!stack[i].is_shut || i == depth - 1)
			s->bound = Min(s->bound, stack[i].lower);
	}
	pfree(stack);
}
