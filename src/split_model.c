/*
 * split_model.c
 *	  The kernel's view of a problem: checked, sorted, scaled, and without what
 *	  cannot matter.
 */
#include "split_parts.h"

/* Sums of costs stay below this, so that twice one can be added to another. */
#define MOST_COST	(PG_INT64_MAX / 4)
#define FINEST_UNIT 64

static void rank_locations(const SplitProblem *problem, const uint8 *used, Model *m, int32 *rank);
static void place_arcs(const SplitProblem *problem, const uint8 *kept, const int32 *rank, bool counts, Model *m);
static void sort_line(Arc *arcs, int count);
static void note_limits(const SplitProblem *problem, Model *m);
static int64 finest_unit(const SplitProblem *problem, const int64 *penalty, bool counts);
static SplitFault check_arcs(const SplitProblem *problem, int *element);
static SplitFault check_arcs_once(const SplitProblem *problem, int *element);
static SplitFault check_sums(const SplitProblem *problem, int *element);

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
		m->penalty[i] = penalty[i] * m->unit;
	}
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
	for (int a = 0; a < problem->narcs; a++)
	{
		Arc		   *arc;
		int			line = problem->arc_line[a];

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
		for (int a = m->location_arcs[j]; a < m->location_arcs[j + 1]; a++)
		{
			Arc		   *arc = &m->by_line[next[m->by_location[a].other]++];

			*arc = m->by_location[a];
			arc->other = j;
		}
	}
	for (int i = 0; !counts && i < m->nlines; i++)
	{
		CHECK_FOR_INTERRUPTS();
		sort_line(m->by_line + m->line_arcs[i], m->line_arcs[i + 1] - m->line_arcs[i]);
	}
	pfree(next);
}

static int
compare_arcs(const void *a, const void *b)
{
	const Arc  *left = a;
	const Arc  *right = b;

	if (left->cost != right->cost)
		return left->cost < right->cost ? -1 : 1;
	return left->other - right->other;
}

/*
 * sort_line sorts a line's pairs by cost, then location.
 */
static void
sort_line(Arc *arcs, int count)
{
	if (count > 40)
	{
		qsort(arcs, count, sizeof(Arc), compare_arcs);
		return;
	}
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

		for (int a = m->location_arcs[j]; a < m->location_arcs[j + 1]; a++)
			has += m->by_location[a].units;
		m->capacity[j] = most == SPLIT_UNLIMITED ? has : Min(has, most);
		m->is_limited |= m->capacity[j] < has;
	}
}

/*
 * all_costs returns the most that a plan could cost, or -1 where that is more
 * than fits; element is then the line, or, past the lines, the location.
 */
static int64
all_costs(const SplitProblem *problem, const int64 *penalty, bool counts, int *element)
{
	/* a bound adds up what each location saves, which is less than this */
	int64		most = MOST_COST / (problem->nlocations + 2);
	int64		sum = 0;

	for (int i = 0; i < problem->nlines; i++)
	{
		*element = i;
		if (penalty[i] > 0 && problem->quantity[i] > (most - sum) / penalty[i])
			return -1;
		sum += problem->quantity[i] * penalty[i];
	}
	for (int j = 0; j < problem->nlocations; j++)
	{
		int64		fixed = counts ? 1 : problem->fixed_cost[j];

		*element = problem->nlines + j;
		if (fixed > most - sum)
			return -1;
		sum += fixed;
	}
	return sum;
}

/*
 * finest_unit returns what costs may be multiplied by.
 */
static int64
finest_unit(const SplitProblem *problem, const int64 *penalty, bool counts)
{
	int			element;
	int64		sum = all_costs(problem, penalty, counts, &element);
	int64		most = MOST_COST / (problem->nlocations + 2);
	int64		unit = FINEST_UNIT;

	Assert(sum >= 0);
	while (unit > 1 && sum > most / unit)
		unit /= 2;
	return unit;
}

/*
 * oms_split_dearest returns a penalty that is worth more than all else a plan
 * could cost, or -1 where it would be too high for the problem.
 */
int64
oms_split_dearest(const SplitProblem *problem, int max_open)
{
	int64		most = MOST_COST / (problem->nlocations + 2);
	int64		dearest_location = 0;
	int64		dearest_unit = 0;
	int64		units = 0;
	int64		sum;

	for (int j = 0; j < problem->nlocations; j++)
		dearest_location = Max(dearest_location, problem->fixed_cost[j]);
	for (int a = 0; a < problem->narcs; a++)
		dearest_unit = Max(dearest_unit, problem->arc_cost[a]);
	for (int i = 0; i < problem->nlines; i++)
	{
		if (problem->quantity[i] > most - units)
			return -1;
		units += problem->quantity[i];
	}
	max_open = Max(1, max_open);
	if (units == 0)
		return 1;
	if (dearest_location > most / max_open || dearest_unit > most / units)
		return -1;
	sum = dearest_location * max_open;
	if (dearest_unit * units > most - sum - 1)
		return -1;
	sum += dearest_unit * units + 1;
	return sum > most / units / 2 ? -1 : sum;
}

/*
 * oms_split_check says what is wrong with a problem, and with which element,
 * counted from 0.
 */
SplitFault
oms_split_check(const SplitProblem *problem, int *element)
{
	*element = 0;
	if (problem->nlines > SPLIT_MAX_LINES)
		return SPLIT_TOO_MANY_LINES;
	if (problem->nlocations > SPLIT_MAX_LOCATIONS)
		return SPLIT_TOO_MANY_LOCATIONS;
	if (problem->narcs > SPLIT_MAX_ARCS)
		return SPLIT_TOO_MANY_ARCS;
	if (problem->max_shipments < 0 || problem->node_limit < 0)
		return SPLIT_NEGATIVE_LIMIT;
	for (int i = 0; i < problem->nlines; i++)
	{
		*element = i;
		if (problem->quantity[i] < 0)
			return SPLIT_NEGATIVE_QUANTITY;
		if (problem->penalty[i] < 0)
			return SPLIT_NEGATIVE_PENALTY;
	}
	for (int j = 0; j < problem->nlocations; j++)
	{
		*element = j;
		if (problem->fixed_cost[j] < 0)
			return SPLIT_NEGATIVE_FIXED_COST;
		if (problem->capacity && problem->capacity[j] < SPLIT_UNLIMITED)
			return SPLIT_NEGATIVE_CAPACITY;
	}
	return check_arcs(problem, element);
}

static SplitFault
check_arcs(const SplitProblem *problem, int *element)
{
	SplitFault	fault;

	for (int a = 0; a < problem->narcs; a++)
	{
		*element = a;
		if (problem->arc_line[a] < 0 || problem->arc_line[a] >= problem->nlines)
			return SPLIT_NO_SUCH_LINE;
		if (problem->arc_location[a] < 0 || problem->arc_location[a] >= problem->nlocations)
			return SPLIT_NO_SUCH_LOCATION;
		if (problem->arc_available[a] < 0)
			return SPLIT_NEGATIVE_AVAILABLE;
		if (problem->arc_cost[a] < 0)
			return SPLIT_NEGATIVE_COST;
	}
	fault = check_arcs_once(problem, element);
	return fault != SPLIT_SOUND ? fault : check_sums(problem, element);
}

/*
 * check_arcs_once looks for a pair that stands twice: pairs are sorted into
 * lines, in which a location is marked by the line that had it last.
 */
static SplitFault
check_arcs_once(const SplitProblem *problem, int *element)
{
	int		   *first = palloc0((problem->nlines + 2) * sizeof(int));
	int		   *list = palloc((problem->narcs + 1) * sizeof(int));
	int		   *seen = palloc0((problem->nlocations + 1) * sizeof(int));
	SplitFault	fault = SPLIT_SOUND;

	for (int a = 0; a < problem->narcs; a++)
		first[problem->arc_line[a] + 2]++;
	for (int i = 0; i < problem->nlines; i++)
		first[i + 2] += first[i + 1];
	for (int a = 0; a < problem->narcs; a++)
		list[first[problem->arc_line[a] + 1]++] = a;
	for (int at = 0; at < problem->narcs && fault == SPLIT_SOUND; at++)
	{
		int			a = list[at];
		int		   *mark = &seen[problem->arc_location[a]];

		*element = a;
		if (*mark == problem->arc_line[a] + 1)
			fault = SPLIT_ARC_TWICE;
		*mark = problem->arc_line[a] + 1;
	}
	pfree(first);
	pfree(list);
	pfree(seen);
	return fault;
}

static SplitFault
check_sums(const SplitProblem *problem, int *element)
{
	int64		most = MOST_COST / (problem->nlocations + 2);
	int64		units = 0;

	for (int i = 0; i < problem->nlines; i++)
	{
		*element = i;
		if (problem->quantity[i] > most / (problem->nlocations + 1) - units)
			return SPLIT_LINE_OVERFLOWS;
		units += problem->quantity[i];
	}
	if (all_costs(problem, problem->penalty, false, element) < 0)
	{
		if (*element < problem->nlines)
			return SPLIT_LINE_OVERFLOWS;
		*element -= problem->nlines;
		return SPLIT_LOCATION_OVERFLOWS;
	}
	*element = -1;
	return problem->by_shipments && oms_split_dearest(problem, problem->nlocations) < 0 ? SPLIT_LOCATION_OVERFLOWS : SPLIT_SOUND;
}
