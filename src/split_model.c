/*
 * split_model.c
 *	  The kernel's view of a problem: sorted, scaled, and without what cannot
 *	  matter.
 */
#include "split_parts.h"

#define FINEST_UNIT 64
#define PAIRS_BETWEEN 16384		/* two checks for interrupts */
#define SHORT_RUN 16			/* pairs, sorted one by one */

static void rank_locations(const SplitProblem *problem, const uint8 *used, Model *m, int32 *rank);
static void place_arcs(const SplitProblem *problem, const uint8 *kept, const int32 *rank, bool counts, Model *m);
static void sort_lines(Model *m);
static void note_limits(const SplitProblem *problem, Model *m);
static int64 finest_unit(const SplitProblem *problem, const int64 *penalty, bool counts);

/*
 * oms_split_model makes the model of a problem, with these penalties.  counts:
 * every location costs 1, and units nothing.
 */
Model *
oms_split_model(const SplitProblem *problem, const int64 *penalty, bool counts, int max_open)
{
	Model	   *m = palloc0(sizeof(Model));
	uint8	   *kept = palloc0(problem->narcs + 1);
	uint8	   *used = palloc0(problem->nlocations + 1);
	int32	   *rank = palloc((problem->nlocations + 1) * sizeof(int32));

	m->unit = finest_unit(problem, penalty, counts);
	m->nlines = problem->nlines;
	m->wanted = palloc((m->nlines + 1) * sizeof(int64));
	m->penalty = palloc((m->nlines + 1) * sizeof(int64));
	for (int i = 0; i < m->nlines; i++)
	{
		m->wanted[i] = problem->quantity[i];
		/* of what nobody wants, any penalty would do, and some are too high */
		m->penalty[i] = m->wanted[i] == 0 ? 0 : penalty[i] * m->unit;
	}
	CHECK_FOR_INTERRUPTS();
	for (int a = 0; a < problem->narcs; a++)
	{
		int			line = problem->arc_line[a];
		int			location = problem->arc_location[a];

		if (problem->arc_available[a] == 0 || problem->quantity[line] == 0 ||
			(problem->capacity && problem->capacity[location] == 0) ||
			(!counts && problem->arc_cost[a] >= penalty[line]))
			continue;
		kept[a] = used[location] = 1;
		m->narcs++;
	}
	if (problem->forced >= 0)
		used[problem->forced] = 1;
	rank_locations(problem, used, m, rank);
	m->fixed = palloc((m->nlocations + 1) * sizeof(int64));
	for (int j = 0; j < m->nlocations; j++)
		m->fixed[j] = (counts ? 1 : problem->fixed_cost[m->given[j]]) * m->unit;
	place_arcs(problem, kept, rank, counts, m);
	note_limits(problem, m);
	m->forced = problem->forced >= 0 ? rank[problem->forced] : -1;
	m->max_open = max_open > 0 ? Min(max_open, m->nlocations) : m->nlocations;
	pfree(kept);
	pfree(used);
	pfree(rank);
	return m;
}

/* A location on its way to its place. */
typedef struct Ranked
{
	int32		priority;
	int32		position;
} Ranked;

static int
compare_ranked(const void *a, const void *b)
{
	const Ranked *left = a;
	const Ranked *right = b;

	if (left->priority != right->priority)
		return left->priority < right->priority ? -1 : 1;
	return left->position - right->position;
}

/*
 * rank_locations numbers the locations that are used by priority, then position.
 */
static void
rank_locations(const SplitProblem *problem, const uint8 *used, Model *m, int32 *rank)
{
	Ranked	   *list = palloc((problem->nlocations + 1) * sizeof(Ranked));
	int			count = 0;
	bool		sorted = true;

	for (int j = 0; j < problem->nlocations; j++)
	{
		rank[j] = -1;
		if (!used[j])
			continue;
		list[count].priority = problem->priority ? problem->priority[j] : j;
		list[count].position = j;
		sorted &= count == 0 || list[count - 1].priority <= list[count].priority;
		count++;
	}
	if (!sorted)
		qsort(list, count, sizeof(Ranked), compare_ranked);
	m->nlocations = count;
	m->given = palloc((count + 1) * sizeof(int));
	for (int j = 0; j < count; j++)
	{
		m->given[j] = list[j].position;
		rank[list[j].position] = j;
	}
	pfree(list);
}

/*
 * place_arcs writes the pairs by location, and by line and cost.
 */
static void
place_arcs(const SplitProblem *problem, const uint8 *kept, const int32 *rank, bool counts, Model *m)
{
	int		   *next;

	m->line_arcs = palloc0((m->nlines + 2) * sizeof(int));
	m->location_arcs = palloc0((m->nlocations + 2) * sizeof(int));
	m->by_line = palloc((m->narcs + 1) * sizeof(Arc));
	m->by_location = palloc((m->narcs + 1) * sizeof(Arc));
	next = palloc((Max(m->nlines, m->nlocations) + 1) * sizeof(int));

	CHECK_FOR_INTERRUPTS();
	for (int a = 0; a < problem->narcs; a++)
	{
		if (!kept[a])
			continue;
		m->line_arcs[problem->arc_line[a] + 1]++;
		m->location_arcs[rank[problem->arc_location[a]] + 1]++;
	}
	for (int j = 0; j < m->nlocations; j++)
	{
		m->most_of_location = Max(m->most_of_location, m->location_arcs[j + 1]);
		m->location_arcs[j + 1] += m->location_arcs[j];
		next[j] = m->location_arcs[j];
	}
	CHECK_FOR_INTERRUPTS();
	for (int a = 0; a < problem->narcs; a++)
	{
		Arc		   *arc;
		int			line = problem->arc_line[a];

		/* pages are new here, and so take long */
		if (a % PAIRS_BETWEEN == 0)
			CHECK_FOR_INTERRUPTS();
		if (!kept[a])
			continue;
		arc = &m->by_location[next[rank[problem->arc_location[a]]]++];
		arc->other = line;
		arc->units = Min(problem->arc_available[a], m->wanted[line]);
		arc->cost = counts ? 0 : problem->arc_cost[a] * m->unit;
	}
	for (int i = 0; i < m->nlines; i++)
	{
		m->line_arcs[i + 1] += m->line_arcs[i];
		next[i] = m->line_arcs[i];
	}
	/* from the locations, in their order, so that only costs are to be sorted */
	for (int j = 0; j < m->nlocations; j++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int a = m->location_arcs[j]; a < m->location_arcs[j + 1]; a++)
		{
			Arc		   *arc = &m->by_line[next[m->by_location[a].other]++];

			*arc = m->by_location[a];
			arc->other = j;
		}
	}
	pfree(next);
	if (!counts)
		sort_lines(m);
}

/*
 * sort_run sorts a few pairs by cost and leaves those that cost the same as they
 * stand.
 */
static void
sort_run(Arc *arcs, int count)
{
	for (int i = 1; i < count; i++)
	{
		Arc			arc = arcs[i];
		int			j = i;

		for (; j > 0 && arcs[j - 1].cost > arc.cost; j--)
			arcs[j] = arcs[j - 1];
		arcs[j] = arc;
	}
}

/*
 * sort_line sorts a line's pairs by cost, then location, in whose order they
 * stand: runs of a few, then merged; half of them need room besides.
 */
static void
sort_line(Arc *arcs, int count, Arc *room)
{
	for (int first = 0; first < count; first += SHORT_RUN)
		sort_run(arcs + first, Min(SHORT_RUN, count - first));
	for (int run = SHORT_RUN; run < count; run *= 2)
	{
		CHECK_FOR_INTERRUPTS();
		for (int first = 0; first + run < count; first += 2 * run)
		{
			Arc		   *to = arcs + first;
			const Arc  *left = room;
			const Arc  *left_end = room + run;
			const Arc  *right = to + run;
			const Arc  *right_end = arcs + Min(count, first + 2 * run);

			if (right[-1].cost <= right->cost)
				continue;
			memcpy(room, to, run * sizeof(Arc));
			while (left < left_end)
				*to++ = right < right_end && right->cost < left->cost ? *right++ : *left++;
		}
	}
}

/*
 * sort_lines sorts the pairs of each line.
 */
static void
sort_lines(Model *m)
{
	int			most = 0;
	Arc		   *room;

	for (int i = 0; i < m->nlines; i++)
		most = Max(most, m->line_arcs[i + 1] - m->line_arcs[i]);
	room = palloc((most + 1) * sizeof(Arc));
	for (int i = 0; i < m->nlines; i++)
	{
		CHECK_FOR_INTERRUPTS();
		sort_line(m->by_line + m->line_arcs[i], m->line_arcs[i + 1] - m->line_arcs[i], room);
	}
	pfree(room);
}

/*
 * note_limits notes what locations can ship, and whether that is less than
 * they have.
 */
static void
note_limits(const SplitProblem *problem, Model *m)
{
	m->capacity = palloc((m->nlocations + 1) * sizeof(int64));
	m->is_limited = false;
	for (int j = 0; j < m->nlocations; j++)
	{
		int64		most = problem->capacity ? problem->capacity[m->given[j]] : SPLIT_UNLIMITED;
		int64		has = 0;

		CHECK_FOR_INTERRUPTS();
		for (int a = m->location_arcs[j]; a < m->location_arcs[j + 1]; a++)
			has += m->by_location[a].units;
		m->capacity[j] = most == SPLIT_UNLIMITED ? has : Min(has, most);
		m->is_limited |= m->capacity[j] < has;
	}
}

/*
 * finest_unit returns what costs may be multiplied by.
 */
static int64
finest_unit(const SplitProblem *problem, const int64 *penalty, bool counts)
{
	int			element;
	int64		sum = oms_split_costs(problem, penalty, counts, &element);
	int64		most = oms_split_most(problem);
	int64		unit = FINEST_UNIT;

	Assert(sum >= 0);
	while (unit > 1 && sum > most / unit)
		unit /= 2;
	return unit;
}
