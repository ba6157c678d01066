/*
 * split_outdo.c
 *	  Locations that others outdo: they have all of its stock, at no higher cost.
 *
 * Where a location is outdone by so many that a better plan cannot open all of
 * these beside it, one of them stays shut, and would do better in its place: so
 * no best plan opens it.  Stores have many locations that are much alike, of which
 * a few are enough to look at.
 *
 * Who outdoes whom is noted at the root, once few are left, and asked at each node.
 */
#include "split_parts.h"

#define MOST_COMPARED 512		/* locations, each with each other */
#define MOST_NOTED 32			/* that outdo one */

/*
 * outdoes tells whether one location has all that another has, and whatever that
 * ships costs less from there.  Lines stand in the same order, or it says no.
 */
static bool
outdoes(const Model *m, int better, int worse)
{
	const Arc  *arc = m->by_location + m->location_arcs[better];
	const Arc  *end = m->by_location + m->location_arcs[better + 1];
	bool		is_less = m->fixed[better] < m->fixed[worse];
	bool		each_is_less = true;

	if (m->fixed[better] > m->fixed[worse] || m->capacity[better] < m->capacity[worse])
		return false;
	for (int a = m->location_arcs[worse]; a < m->location_arcs[worse + 1]; a++, arc++)
	{
		const Arc  *other = &m->by_location[a];

		while (arc < end && arc->other != other->other)
			arc++;
		if (arc == end || arc->units < other->units || arc->cost > other->cost)
			return false;
		each_is_less &= arc->cost < other->cost;
	}
	return is_less || each_is_less;
}

/*
 * oms_split_note_outdone notes by which others each live location is outdone.
 */
void
oms_split_note_outdone(Search *s)
{
	int		   *by;

	if (s->nlive > MOST_COMPARED)
		return;
	by = palloc((s->nlive + 1) * MOST_NOTED * sizeof(int));
	s->steps += (int64) s->nlive * s->nlive;
	s->outdone = palloc0((s->m->nlocations + 1) * sizeof(Outdone));
	for (int k = 0; k < s->nlive; k++)
	{
		Outdone    *outdone = &s->outdone[s->live[k]];

		CHECK_FOR_INTERRUPTS();
		outdone->by = by + k * MOST_NOTED;
		for (int l = 0; l < s->nlive && outdone->count < MOST_NOTED; l++)
		{
			if (l != k && outdoes(s->m, s->live[l], s->live[k]))
				outdone->by[outdone->count++] = s->live[l];
		}
	}
}

/*
 * oms_split_shut_outdone shuts free locations that as many free ones outdo as a
 * better plan may still open, as oms_split_count has found.
 */
void
oms_split_shut_outdone(Search *s)
{
	bool		shut = false;

	for (int k = 0; s->outdone && k < s->nlive; k++)
	{
		const Outdone *outdone = &s->outdone[s->live[k]];
		int			left = s->most_affordable;

		if (s->state[s->live[k]] != FREE || outdone->count < left)
			continue;
		for (int i = 0; i < outdone->count && left > 0; i++)
			left -= s->state[outdone->by[i]] == FREE;
		if (left > 0)
			continue;
		oms_split_decide(s, s->live[k], SHUT);
		shut = true;
	}
	if (shut)
		oms_split_note_live(s);
}
