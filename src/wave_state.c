/*
 * wave_state.c
 *	  Plans in the making: what each order has, what that costs, and what is left
 *	  of stock and capacity.
 */
#include "wave_parts.h"

/*
 * oms_wave_state makes a plan in which nobody has anything yet.
 */
WaveState *
oms_wave_state(const Wave *w)
{
	WaveState  *state = palloc0(sizeof(WaveState));

	state->nflows = palloc((w->norders + 1) * sizeof(int));
	state->flows = palloc(((size_t) w->first_flow[w->norders] + 1) * sizeof(WaveFlow));
	state->cost = palloc((w->norders + 1) * sizeof(int64));
	state->free = palloc((w->ncells + 1) * sizeof(int64));
	state->room = palloc((w->nlocations + 1) * sizeof(int64));
	oms_wave_clear(w, state);
	return state;
}

/*
 * oms_wave_clear takes everything away from everybody.
 */
void
oms_wave_clear(const Wave *w, WaveState *state)
{
	memset(state->nflows, 0, w->norders * sizeof(int));
	memcpy(state->free, w->stock, w->ncells * sizeof(int64));
	memcpy(state->room, w->capacity, w->nlocations * sizeof(int64));
	state->total = 0;
	for (int o = 0; o < w->norders; o++)
	{
		state->cost[o] = oms_wave_cost(w, o, NULL, 0);
		state->total += state->cost[o];
	}
}

void
oms_wave_copy(const Wave *w, WaveState *to, const WaveState *from)
{
	memcpy(to->nflows, from->nflows, w->norders * sizeof(int));
	memcpy(to->flows, from->flows, w->first_flow[w->norders] * sizeof(WaveFlow));
	memcpy(to->cost, from->cost, w->norders * sizeof(int64));
	memcpy(to->free, from->free, w->ncells * sizeof(int64));
	memcpy(to->room, from->room, w->nlocations * sizeof(int64));
	to->total = from->total;
}

/*
 * draw takes units of a pair out of stock and capacity.
 */
static void
draw(const Wave *w, WaveState *state, int order, int arc, int64 units)
{
	const WaveOrder *from = &w->problem->orders[order];
	const WaveArc *pair = &w->arcs[arc];
	int			c = pair->first_cell;

	for (int k = from->first_part[pair->line]; k < from->first_part[pair->line + 1]; k++)
		state->free[w->cells[c++]] -= units * from->parts[k].units;
	state->room[from->location[pair->location]] -= units * w->size[w->first_line[order] + pair->line];
}

/*
 * oms_wave_take gives an order, which has nothing, what has been solved for it.
 */
void
oms_wave_take(const Wave *w, WaveState *state, int order, const WaveSolution *solution)
{
	Assert(state->nflows[order] == 0);
	for (int k = 0; k < solution->nflows; k++)
		draw(w, state, order, solution->flows[k].arc, solution->flows[k].units);
	memcpy(state->flows + w->first_flow[order], solution->flows, solution->nflows * sizeof(WaveFlow));
	state->nflows[order] = solution->nflows;
	state->total += solution->cost - state->cost[order];
	state->cost[order] = solution->cost;
}

/*
 * oms_wave_release takes from an order what it has.  It then costs its
 * penalties.
 */
void
oms_wave_release(const Wave *w, WaveState *state, int order)
{
	const WaveFlow *flows = state->flows + w->first_flow[order];
	int64		cost = oms_wave_cost(w, order, NULL, 0);

	for (int k = 0; k < state->nflows[order]; k++)
		draw(w, state, order, flows[k].arc, -flows[k].units);
	state->nflows[order] = 0;
	state->total += cost - state->cost[order];
	state->cost[order] = cost;
}

/*
 * oms_wave_keep notes what an order has, to give it back.
 */
void
oms_wave_keep(const Wave *w, const WaveState *state, int order, WaveSolution *solution)
{
	solution->nflows = state->nflows[order];
	solution->cost = state->cost[order];
	memcpy(solution->flows, state->flows + w->first_flow[order], solution->nflows * sizeof(WaveFlow));
}

/*
 * oms_wave_solution makes room for what any order may have.
 */
WaveSolution *
oms_wave_solution(const Wave *w)
{
	WaveSolution *solution = palloc0(sizeof(WaveSolution));
	int			most = 0;

	for (int o = 0; o < w->norders; o++)
		most = Max(most, w->first_flow[o + 1] - w->first_flow[o]);
	solution->flows = palloc((most + 1) * sizeof(WaveFlow));
	return solution;
}

/*
 * oms_wave_most_held returns how many cells all orders' flows can touch.
 */
int64
oms_wave_most_held(const Wave *w)
{
	int64		sum = 0;

	for (int o = 0; o < w->norders; o++)
	{
		const WaveOrder *order = &w->problem->orders[o];
		int			most = 0;

		for (int i = 0; i < order->split.nlines; i++)
			most = Max(most, order->first_part[i + 1] - order->first_part[i]);
		sum += (int64) most * (w->first_flow[o + 1] - w->first_flow[o]);
	}
	return sum;
}

/*
 * oms_wave_cost returns what an order's flows, which stand by location, cost,
 * penalties included.
 */
int64
oms_wave_cost(const Wave *w, int order, const WaveFlow *flows, int nflows)
{
	int			first = w->first_line[order];
	int64		cost = 0;
	int			last = -1;

	for (int line = first; line < w->first_line[order + 1]; line++)
		cost += w->quantity[line] * w->penalty[line];
	for (int k = 0; k < nflows; k++)
	{
		const WaveArc *arc = &w->arcs[flows[k].arc];

		cost -= flows[k].units * (w->penalty[first + arc->line] - arc->cost);
		if (arc->location != last)
			cost += w->fixed[w->first_source[order] + arc->location];
		last = arc->location;
	}
	return cost;
}
