/*
 * wave_order.c
 *	  One order of a wave, solved by the kernel against what is left, with or
 *	  without prices.
 */
#include "wave_parts.h"

#define WORK_BETWEEN 40000		/* pairs, before go_on is asked again */
#define WORK_OF_ORDER 400		/* pairs that an order counts as at least */

static void add_arc(Wave *w, int order, int arc, const WaveTerms *terms);
static void forget_drawn(Wave *w, int order);
static void set_limits(Wave *w, int order, const WaveTerms *terms);
static void read_plan(Wave *w, int order, const SplitPlan *plan, WaveSolution *solution);

/*
 * oms_wave_goes_on asks now and then whether to go on.
 */
bool
oms_wave_goes_on(Wave *w)
{
	CHECK_FOR_INTERRUPTS();
	if (w->is_over)
		return false;
	if (w->work < WORK_BETWEEN || !w->problem->go_on)
		return true;
	w->work = 0;
	w->is_over = !w->problem->go_on(w->problem->arg);
	return !w->is_over;
}

/*
 * oms_wave_order solves an order.
 */
void
oms_wave_order(Wave *w, int order, const WaveTerms *terms, WaveSolution *solution)
{
	const WaveOrder *from = &w->problem->orders[order];
	SplitProblem *split = &w->split;
	int			begin = w->line_arcs[w->first_line[order]];
	int			end = w->line_arcs[w->first_line[order + 1]];
	SplitPlan	plan = {0};
	MemoryContext before;

	split->nlines = from->split.nlines;
	split->quantity = w->quantity + w->first_line[order];
	split->penalty = w->penalty + w->first_line[order];
	split->nlocations = from->split.nlocations;
	split->fixed_cost = w->fixed + w->first_source[order];
	split->priority = from->split.priority;
	split->max_shipments = from->split.max_shipments;
	split->node_limit = Min(from->split.node_limit, terms->node_limit);
	split->forced = -1;
	split->arc_line = w->lines;
	split->arc_location = w->locations;
	split->arc_available = w->available;
	split->arc_cost = w->costs;
	split->narcs = 0;
	for (int a = begin; a < end; a++)
		add_arc(w, order, a, terms);
	if (w->is_tangled[order] && !terms->is_bound)
		forget_drawn(w, order);
	set_limits(w, order, terms);
	w->work += WORK_OF_ORDER + end - begin;
	w->result->solved++;
	if (split->narcs == 0)
	{
		solution->nflows = 0;
		solution->cost = solution->bound = oms_wave_cost(w, order, NULL, 0);
		return;
	}
	before = MemoryContextSwitchTo(w->scratch);
	oms_split_solve(split, &plan);
	read_plan(w, order, &plan, solution);
	MemoryContextSwitchTo(before);
	MemoryContextReset(w->scratch);
}

/*
 * add_arc adds a pair to the order's problem, if there is anything of it that is
 * worth its cost.
 */
static void
add_arc(Wave *w, int order, int arc, const WaveTerms *terms)
{
	const WaveOrder *from = &w->problem->orders[order];
	const WaveArc *pair = &w->arcs[arc];
	int			line = w->first_line[order] + pair->line;
	int			first = from->first_part[pair->line];
	int			end = from->first_part[pair->line + 1];
	const int  *cells = w->cells + pair->first_cell - first;
	int64		available = w->quantity[line];
	int64		cost = pair->cost;
	SplitProblem *split = &w->split;

	for (int k = first; k < end; k++)
	{
		int64		left = terms->free[cells[k]];

		if (w->is_tangled[order])
			left -= w->drawn[cells[k]];
		if (left < available * from->parts[k].units)
			available = left / from->parts[k].units;
		if (terms->price)
			cost += terms->price[cells[k]] * from->parts[k].units;
	}
	if (terms->toll)
		cost += terms->toll[from->location[pair->location]] * w->size[line];
	if (available <= 0 || cost >= w->penalty[line])
		return;
	for (int k = first; w->is_tangled[order] && !terms->is_bound && k < end; k++)
		w->drawn[cells[k]] += available * from->parts[k].units;
	w->lines[split->narcs] = pair->line;
	w->locations[split->narcs] = pair->location;
	w->available[split->narcs] = available;
	w->costs[split->narcs++] = cost;
}

/*
 * forget_drawn forgets what the lines of an order could draw: what two of them
 * want of the same cell was given to the first.
 */
static void
forget_drawn(Wave *w, int order)
{
	int			begin = w->line_arcs[w->first_line[order]];
	int			end = w->line_arcs[w->first_line[order + 1]];
	const WaveOrder *from = &w->problem->orders[order];

	for (int a = begin; a < end; a++)
	{
		const WaveArc *pair = &w->arcs[a];

		for (int k = from->first_part[pair->line]; k < from->first_part[pair->line + 1]; k++)
			w->drawn[w->cells[pair->first_cell + k - from->first_part[pair->line]]] = 0;
	}
}

/*
 * set_limits sets what locations can ship, where that is less than the order
 * wants.  The kernel counts units of lines; where some count for more, all are
 * taken for as large.  For a bound it is enough that they pay the toll.
 */
static void
set_limits(Wave *w, int order, const WaveTerms *terms)
{
	const WaveOrder *from = &w->problem->orders[order];
	int64		largest = 1;
	bool		is_limited = false;

	w->split.capacity = NULL;
	if (w->nlimited == 0 || terms->is_bound)
		return;
	for (int line = w->first_line[order]; line < w->first_line[order + 1]; line++)
		largest = Max(largest, w->size[line]);
	for (int j = 0; j < from->split.nlocations; j++)
	{
		int64		room = terms->room[from->location[j]];

		w->limits[j] = room >= w->wants[order] ? SPLIT_UNLIMITED : room / largest;
		is_limited |= room < w->wants[order];
	}
	if (is_limited)
		w->split.capacity = w->limits;
}

/*
 * oms_wave_find finds the pair of a line and a location of an order.
 */
int
oms_wave_find(const Wave *w, int order, int line, int location)
{
	int			low = w->line_arcs[w->first_line[order] + line];
	int			high = w->line_arcs[w->first_line[order] + line + 1] - 1;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (w->arcs[middle].location < location)
			low = middle + 1;
		else
			high = middle;
	}
	Assert(w->arcs[low].line == line && w->arcs[low].location == location);
	return low;
}

static void
read_plan(Wave *w, int order, const SplitPlan *plan, WaveSolution *solution)
{
	solution->nflows = plan->nflows;
	solution->bound = Min(plan->bound, plan->objective);
	for (int k = 0; k < plan->nflows; k++)
	{
		solution->flows[k].arc = oms_wave_find(w, order, plan->flows[k].line, plan->flows[k].location);
		solution->flows[k].units = plan->flows[k].quantity;
	}
	solution->cost = oms_wave_cost(w, order, solution->flows, solution->nflows);
}
