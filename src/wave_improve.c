/*
 * wave_improve.c
 *	  Plans of all orders: made one by one, and made better one by one, against
 *	  what is left.
 */
#include "wave_parts.h"

/*
 * oms_wave_pass solves orders that have nothing yet, in sequence (NULL: as they
 * stand), each against what those before it have left.
 */
void
oms_wave_pass(Wave *w, WaveState *state, const int *sequence, const WaveTerms *terms)
{
	WaveSolution *solution = oms_wave_solution(w);

	for (int n = 0; n < w->norders; n++)
	{
		int			o = sequence ? sequence[n] : n;

		if (!oms_wave_goes_on(w))
			return;
		oms_wave_order(w, o, terms, solution);
		oms_wave_take(w, state, o, solution);
	}
}

/*
 * oms_wave_fits tells whether an order can have a plan, of what is left.
 */
bool
oms_wave_fits(const Wave *w, WaveState *state, int order, const WaveSolution *solution)
{
	const WaveOrder *from = &w->problem->orders[order];
	bool		fits = true;

	oms_wave_take(w, state, order, solution);
	for (int k = 0; k < solution->nflows && fits; k++)
	{
		const WaveArc *arc = &w->arcs[solution->flows[k].arc];
		int			c = arc->first_cell;

		for (int p = from->first_part[arc->line]; p < from->first_part[arc->line + 1]; p++)
			fits &= state->free[w->cells[c++]] >= 0;
		fits &= state->room[from->location[arc->location]] >= 0;
	}
	oms_wave_release(w, state, order);
	return fits;
}

/*
 * oms_wave_again solves an order anew.  Returns whether that was better.  before
 * and now are room to work.
 */
bool
oms_wave_again(Wave *w, WaveState *state, int order, WaveSolution *before, WaveSolution *now)
{
	WaveTerms	terms = {.free = state->free, .room = state->room, .node_limit = GUIDED_NODES};

	oms_wave_keep(w, state, order, before);
	oms_wave_release(w, state, order);
	oms_wave_order(w, order, &terms, now);
	oms_wave_take(w, state, order, now->cost < before->cost ? now : before);
	return now->cost < before->cost;
}

/*
 * oms_wave_polish solves orders anew, one at a time, until that makes none
 * better.
 */
void
oms_wave_polish(Wave *w, WaveState *state)
{
	WaveSolution *before = oms_wave_solution(w);
	WaveSolution *now = oms_wave_solution(w);

	for (bool better = true; better;)
	{
		better = false;
		for (int o = 0; o < w->norders; o++)
		{
			if (!oms_wave_goes_on(w))
				return;
			better |= oms_wave_again(w, state, o, before, now);
		}
	}
}
