/*
 * wave.c
 *	  Splitting many orders at once: who gets what of the stock they share.
 *
 * Whoever plans a wave of orders calls oms_wave_solve.  It begins with what is
 * planned now, or with plans made one by one by the kernel (split.c).  Prices on
 * what is scarce (wave_price.c) then say how good a plan of all can be at best,
 * and guide new ones: an order that can well do without what others need finds it
 * dear.  The best plan so far is made better by solving orders anew, alone
 * (wave_improve.c) and in groups that want the same (wave_regroup.c).
 *
 * All of that works on two plans in memory, of which the better one is complete
 * at any moment.
 */
#include "wave_parts.h"

static void begin_with_planned(Wave *w, WaveState *state);
static void begin_one_by_one(Wave *w, WaveState *state);
static void give_back(Wave *w, WaveState *state, const WaveState *first);
static void write_plans(const Wave *w, const WaveState *state, const WaveState *first);

/*
 * oms_wave_solve plans all orders.
 */
void
oms_wave_solve(const WaveProblem *problem, WavePlan *plan)
{
	Wave	   *w;
	WaveState  *first;
	WaveState  *best;
	WaveState  *trial;

	memset(plan, 0, sizeof(WavePlan));
	w = oms_wave_model(problem);
	w->result = plan;
	first = oms_wave_state(w);
	if (problem->is_planned)
		begin_with_planned(w, first);
	else
		begin_one_by_one(w, first);
	best = oms_wave_state(w);
	trial = oms_wave_state(w);
	oms_wave_copy(w, best, first);
	plan->cost_before = first->total / w->scale;
	oms_wave_report(w, best);
	oms_wave_polish(w, best);
	if (!w->is_over)
		oms_wave_prices(w, best, trial);
	if (!w->is_over && best->total - w->bound >= w->scale)
		oms_wave_regroup(w, best);
	give_back(w, best, first);
	write_plans(w, best, first);
	MemoryContextDelete(w->scratch);
}

/*
 * oms_wave_report says what has been found so far, to whoever go_on asks.
 */
void
oms_wave_report(Wave *w, const WaveState *best)
{
	w->result->cost_after = best->total / w->scale;
	w->result->lower_bound = w->bound <= 0 ? 0 : (w->bound - 1) / w->scale + 1;
}

static int
compare_flows(const void *a, const void *b)
{
	const SplitFlow *left = a;
	const SplitFlow *right = b;

	if (left->location != right->location)
		return left->location - right->location;
	return left->line - right->line;
}

/*
 * begin_with_planned takes over what is planned now.
 */
static void
begin_with_planned(Wave *w, WaveState *state)
{
	WaveSolution *solution = oms_wave_solution(w);

	for (int o = 0; o < w->norders; o++)
	{
		const WaveOrder *order = &w->problem->orders[o];
		SplitFlow  *sorted = palloc((order->nflows + 1) * sizeof(SplitFlow));

		CHECK_FOR_INTERRUPTS();
		if (order->nflows > 0)
			memcpy(sorted, order->flows, order->nflows * sizeof(SplitFlow));
		qsort(sorted, order->nflows, sizeof(SplitFlow), compare_flows);
		for (int k = 0; k < order->nflows; k++)
		{
			solution->flows[k].arc = oms_wave_find(w, o, sorted[k].line, sorted[k].location);
			solution->flows[k].units = sorted[k].quantity;
		}
		solution->nflows = order->nflows;
		solution->cost = oms_wave_cost(w, o, solution->flows, solution->nflows);
		oms_wave_take(w, state, o, solution);
		pfree(sorted);
	}
}

/*
 * begin_one_by_one gives each order in turn the best plan that is left for it.
 */
static void
begin_one_by_one(Wave *w, WaveState *state)
{
	WaveTerms	terms = {.free = state->free, .room = state->room, .node_limit = SPLIT_MAX_ARCS};

	oms_wave_pass(w, state, NULL, &terms);
}

static bool
is_same(const Wave *w, int order, const WaveState *a, const WaveState *b)
{
	int			first = w->first_flow[order];

	if (a->nflows[order] != b->nflows[order])
		return false;
	for (int k = first; k < first + a->nflows[order]; k++)
	{
		if (a->flows[k].arc != b->flows[k].arc || a->flows[k].units != b->flows[k].units)
			return false;
	}
	return true;
}

/*
 * give_back gives orders what they began with, where that costs no more and is
 * left: an order is not to be changed for nothing.
 */
static void
give_back(Wave *w, WaveState *state, const WaveState *first)
{
	WaveSolution *now = oms_wave_solution(w);
	WaveSolution *before = oms_wave_solution(w);

	if (state->total == first->total)
		oms_wave_copy(w, state, first);
	for (int o = 0; o < w->norders; o++)
	{
		if (is_same(w, o, state, first) || first->cost[o] > state->cost[o])
			continue;
		CHECK_FOR_INTERRUPTS();
		oms_wave_keep(w, state, o, now);
		oms_wave_keep(w, first, o, before);
		oms_wave_release(w, state, o);
		oms_wave_take(w, state, o, oms_wave_fits(w, state, o, before) ? before : now);
	}
}

/*
 * write_plans says what each order has.
 */
static void
write_plans(const Wave *w, const WaveState *state, const WaveState *first)
{
	WavePlan   *plan = w->result;

	plan->cost_after = state->total / w->scale;
	plan->orders = palloc0((w->norders + 1) * sizeof(WaveOrderPlan));
	for (int o = 0; o < w->norders; o++)
	{
		WaveOrderPlan *order = &plan->orders[o];
		const WaveFlow *flows = state->flows + w->first_flow[o];

		CHECK_FOR_INTERRUPTS();
		order->cost = state->cost[o] / w->scale;
		order->changed = !is_same(w, o, state, first);
		plan->nchanged += order->changed;
		order->nflows = state->nflows[o];
		order->flows = palloc((order->nflows + 1) * sizeof(SplitFlow));
		for (int k = 0; k < order->nflows; k++)
		{
			order->flows[k].line = w->arcs[flows[k].arc].line;
			order->flows[k].location = w->arcs[flows[k].arc].location;
			order->flows[k].quantity = flows[k].units;
		}
	}
}
