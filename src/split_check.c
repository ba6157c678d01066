/*
 * split_check.c
 *	  What a problem must keep to be solved: sizes, signs, pairs that stand once,
 *	  and sums that 64 bits can hold.
 *
 * Whoever calls oms_split_solve has asked oms_split_check before.
 */
#include "split_parts.h"

/* Sums of costs stay below this, so that twice one can be added to another. */
#define MOST_COST	(PG_INT64_MAX / 4)

static SplitFault check_arcs(const SplitProblem *problem, int *element);
static SplitFault check_arcs_once(const SplitProblem *problem, int *element);
static SplitFault check_sums(const SplitProblem *problem, int *element);

/*
 * oms_split_most returns the most that a plan may cost: a bound adds up what
 * each location saves, which is less than this.
 */
int64
oms_split_most(const SplitProblem *problem)
{
	return MOST_COST / (problem->nlocations + 2);
}

/*
 * oms_split_costs returns the most that a plan could cost, or -1 where that is
 * more than fits; element is then the line, or, past the lines, the location.
 */
int64
oms_split_costs(const SplitProblem *problem, const int64 *penalty, bool counts, int *element)
{
	int64		most = oms_split_most(problem);
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
 * oms_split_dearest returns a penalty that is worth more than all else a plan
 * could cost, or -1 where it would be too high for the problem.
 */
int64
oms_split_dearest(const SplitProblem *problem, int max_open)
{
	int64		most = oms_split_most(problem);
	int64		dearest_location = 0;
	int64		dearest_unit = 0;
	int64		units = 0;
	int64		sum;

	CHECK_FOR_INTERRUPTS();
	for (int j = 0; j < problem->nlocations; j++)
		dearest_location = Max(dearest_location, problem->fixed_cost[j]);
	for (int a = 0; a < problem->narcs; a++)
	{
		if (problem->arc_available[a] > 0 && problem->quantity[problem->arc_line[a]] > 0)
			dearest_unit = Max(dearest_unit, problem->arc_cost[a]);
	}
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

	CHECK_FOR_INTERRUPTS();
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
	CHECK_FOR_INTERRUPTS();
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
	int64		most = oms_split_most(problem);
	int64		units = 0;

	for (int i = 0; i < problem->nlines; i++)
	{
		*element = i;
		/* counted, a unit costs more than all locations, which cost 1 each */
		if (problem->quantity[i] > (most - problem->nlocations) / (problem->nlocations + 1) - units)
			return SPLIT_LINE_OVERFLOWS;
		units += problem->quantity[i];
	}
	if (oms_split_costs(problem, problem->penalty, false, element) < 0)
	{
		if (*element < problem->nlines)
			return SPLIT_LINE_OVERFLOWS;
		*element -= problem->nlines;
		return SPLIT_LOCATION_OVERFLOWS;
	}
	/* what must ship may cost more than its penalty */
	for (int a = 0; problem->forced >= 0 && a < problem->narcs; a++)
	{
		*element = problem->forced;
		if (problem->arc_location[a] == problem->forced && problem->arc_cost[a] > most)
			return SPLIT_LOCATION_OVERFLOWS;
	}
	*element = -1;
	return problem->by_shipments && oms_split_dearest(problem, problem->nlocations) < 0 ? SPLIT_LOCATION_OVERFLOWS : SPLIT_SOUND;
}
