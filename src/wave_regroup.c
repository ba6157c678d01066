/*
 * wave_regroup.c
 *	  Plans made better by taking groups of orders out and planning them anew.
 *
 * By the best prices each order has a wish: what would be cheapest for it.  What
 * it costs more than that, with what it holds at the prices, is its regret; all
 * regrets together are what the plan lacks to the bound, but for stock that is
 * left over.  So the order that regrets most is taken out, with some of those that
 * hold what it wishes, and some of those that hold what they wish, and so on; those
 * first that hold it and wish something else.  One after the other they are given
 * the best that is left, first by prices, then by costs alone, and keep that if
 * together they cost less.
 *
 * Once small groups find little more, larger ones do, as long as there is time.
 */
#include "wave_parts.h"

#define FIRST_GROUP 16			/* orders in a group, at the beginning ... */
#define MOST_OF_GROUP 36		/* ... and at the end */
#define HOLDERS 3				/* taken of each cell that is wished ... */
#define MOST_LOOKED_AT 100		/* ... of so many */
#define MOST_ROUNDS 60
#define LEAST_GROUPS 16			/* of a round, where there are as many orders */
#define LEAST_SAVING 5000		/* after a round that saves less than this
								 * part of all groups grow; two with the
								 * largest ones are the last */

typedef struct Regret
{
	int64		regret;
	int			order;
} Regret;

typedef struct Regroup
{
	WaveState  *state;
	WaveState  *wish;			/* only its flows */
	Regret	   *regrets;		/* of each order, the highest first */
	int		   *first_holder;	/* of each cell, in holders; one more at the
								 * end */
	int		   *holders;		/* orders, as of the beginning of a round */
	int			group[MOST_OF_GROUP];
	int			sequence[MOST_OF_GROUP];
	int			count;
	int			most;			/* orders in a group, in this round */
	WaveSolution *before[MOST_OF_GROUP];
	WaveSolution *again;
	WaveSolution *now;
	uint32		random;
} Regroup;

static bool note_wishes(Wave *w, Regroup *r);
static void list_holders(const Wave *w, Regroup *r);
static void form_group(const Wave *w, Regroup *r, int order);
static void plan_group(Wave *w, Regroup *r);

static int
compare_regrets(const void *a, const void *b)
{
	const Regret *left = a;
	const Regret *right = b;

	if (left->regret != right->regret)
		return left->regret > right->regret ? -1 : 1;
	return left->order - right->order;
}

/*
 * below returns some number from 0 up to, not with, count: the same ones with
 * every run.
 */
static int
below(Regroup *r, int count)
{
	r->random ^= r->random << 13;
	r->random ^= r->random >> 17;
	r->random ^= r->random << 5;
	return (int) (r->random % (uint32) count);
}

/*
 * oms_wave_regroup makes a plan better, round by round: in each, groups are formed
 * around a fourth of all orders.
 */
void
oms_wave_regroup(Wave *w, WaveState *state)
{
	Regroup		r = {.state = state, .most = FIRST_GROUP, .random = 2463534242};

	r.wish = oms_wave_state(w);
	r.regrets = palloc((w->norders + 1) * sizeof(Regret));
	r.first_holder = palloc((w->ncells + 2) * sizeof(int));
	r.holders = palloc(((size_t) oms_wave_most_held(w) + 1) * sizeof(int));
	r.again = oms_wave_solution(w);
	r.now = oms_wave_solution(w);
	for (int k = 0; k < MOST_OF_GROUP; k++)
		r.before[k] = oms_wave_solution(w);
	for (int round = 0, poor = 0; round < MOST_ROUNDS && poor < 2; round++)
	{
		int64		total = state->total;

		if (!note_wishes(w, &r))
			return;
		list_holders(w, &r);
		for (int n = 0; n < Min(w->norders, w->norders / 4 + LEAST_GROUPS) && r.regrets[n].regret > 0; n++)
		{
			form_group(w, &r, r.regrets[n].order);
			for (int k = 0; k < r.count; k++)
				r.sequence[k] = r.group[k];
			plan_group(w, &r);
			/* and once more, in another sequence */
			for (int k = r.count - 1; k > 0; k--)
			{
				int			other = below(&r, k + 1);
				int			order = r.sequence[k];

				r.sequence[k] = r.sequence[other];
				r.sequence[other] = order;
			}
			plan_group(w, &r);
			if (w->is_over)
				return;
			oms_wave_report(w, state);
		}
		poor = total - state->total <= total / LEAST_SAVING ? poor + 1 : 0;
		if (poor > 0 && r.most < MOST_OF_GROUP)
		{
			r.most = Min(MOST_OF_GROUP, r.most + r.most / 2);
			poor = 0;
		}
	}
}

/*
 * worth_of returns what an order's flows are worth at the best prices.
 */
static int64
worth_of(const Wave *w, int order, const WaveFlow *flows, int nflows)
{
	const WaveOrder *from = &w->problem->orders[order];
	int64		sum = 0;

	for (int k = 0; k < nflows; k++)
	{
		const WaveArc *arc = &w->arcs[flows[k].arc];
		int			c = arc->first_cell;
		int64		each = w->best_toll[from->location[arc->location]] * w->size[w->first_line[order] + arc->line];

		for (int p = from->first_part[arc->line]; p < from->first_part[arc->line + 1]; p++)
			each += w->best_price[w->cells[c++]] * from->parts[p].units;
		sum += each * flows[k].units;
	}
	return sum;
}

/*
 * note_wishes notes what each order wishes, and regrets.
 */
static bool
note_wishes(Wave *w, Regroup *r)
{
	WaveTerms	terms = {.free = w->stock, .room = w->capacity, .price = w->best_price, .toll = w->best_toll, .node_limit = GUIDED_NODES, .is_bound = true};

	for (int o = 0; o < w->norders; o++)
	{
		int			first = w->first_flow[o];
		int64		costs = r->state->cost[o] + worth_of(w, o, r->state->flows + first, r->state->nflows[o]);

		if (!oms_wave_goes_on(w))
			return false;
		oms_wave_order(w, o, &terms, r->now);
		r->wish->nflows[o] = r->now->nflows;
		memcpy(r->wish->flows + first, r->now->flows, r->now->nflows * sizeof(WaveFlow));
		r->regrets[o].order = o;
		r->regrets[o].regret = costs - r->now->bound;
	}
	qsort(r->regrets, w->norders, sizeof(Regret), compare_regrets);
	return true;
}

/*
 * list_holders lists who holds what of each cell: counted first, then written.
 */
static void
list_holders(const Wave *w, Regroup *r)
{
	int		   *first = r->first_holder;

	memset(first, 0, (w->ncells + 2) * sizeof(int));
	for (int writes = 0; writes < 2; writes++)
	{
		for (int o = 0; o < w->norders; o++)
		{
			const WaveOrder *from = &w->problem->orders[o];

			CHECK_FOR_INTERRUPTS();
			for (int k = 0; k < r->state->nflows[o]; k++)
			{
				const WaveArc *arc = &w->arcs[r->state->flows[w->first_flow[o] + k].arc];
				int			nparts = from->first_part[arc->line + 1] - from->first_part[arc->line];

				for (int c = arc->first_cell; c < arc->first_cell + nparts; c++)
				{
					if (writes)
						r->holders[first[w->cells[c] + 1]++] = o;
					else
						first[w->cells[c] + 2]++;
				}
			}
		}
		for (int c = 2; !writes && c < w->ncells + 2; c++)
			first[c] += first[c - 1];
	}
}

/*
 * holds tells whether an order holds anything of a cell now.
 */
static bool
holds(const Wave *w, const WaveState *state, int order, int cell)
{
	const WaveOrder *from = &w->problem->orders[order];

	for (int k = 0; k < state->nflows[order]; k++)
	{
		const WaveArc *arc = &w->arcs[state->flows[w->first_flow[order] + k].arc];
		int			nparts = from->first_part[arc->line + 1] - from->first_part[arc->line];

		for (int c = arc->first_cell; c < arc->first_cell + nparts; c++)
		{
			if (w->cells[c] == cell)
				return true;
		}
	}
	return false;
}

static void
add_to_group(Regroup *r, int order)
{
	for (int k = 0; k < r->count; k++)
	{
		if (r->group[k] == order)
			return;
	}
	if (r->count < r->most)
		r->group[r->count++] = order;
}

/*
 * add_holders adds some of those who hold a cell: first who wishes something else.
 */
static void
add_holders(const Wave *w, Regroup *r, int cell)
{
	int			first = r->first_holder[cell];
	int			count = r->first_holder[cell + 1] - first;
	int			begin = count > 0 ? below(r, count) : 0;
	int			added = 0;

	for (int wishes = 0; wishes < 2; wishes++)
	{
		for (int n = 0; n < Min(count, MOST_LOOKED_AT) && added < HOLDERS; n++)
		{
			int			holder = r->holders[first + (begin + n) % count];

			if (!holds(w, r->state, holder, cell) || holds(w, r->wish, holder, cell) != (wishes == 1))
				continue;
			add_to_group(r, holder);
			added++;
		}
	}
}

/*
 * form_group takes an order, and some who hold what it wishes, and so on.
 */
static void
form_group(const Wave *w, Regroup *r, int order)
{
	r->count = 0;
	add_to_group(r, order);
	for (int m = 0; m < r->count && r->count < r->most; m++)
	{
		int			o = r->group[m];
		const WaveOrder *from = &w->problem->orders[o];

		for (int k = 0; k < r->wish->nflows[o]; k++)
		{
			const WaveArc *arc = &w->arcs[r->wish->flows[w->first_flow[o] + k].arc];
			int			nparts = from->first_part[arc->line + 1] - from->first_part[arc->line];

			for (int c = arc->first_cell; c < arc->first_cell + nparts; c++)
			{
				if (!holds(w, r->state, o, w->cells[c]))
					add_holders(w, r, w->cells[c]);
			}
		}
	}
}

/*
 * settle solves each of the group anew, by costs alone, until that makes none
 * better.
 */
static void
settle(Wave *w, Regroup *r)
{
	for (bool better = true; better;)
	{
		better = false;
		for (int k = 0; k < r->count; k++)
		{
			if (!oms_wave_goes_on(w))
				return;
			better |= oms_wave_again(w, r->state, r->sequence[k], r->again, r->now);
		}
	}
}

/*
 * plan_group plans the group anew, in sequence, and leaves it as it was where
 * that is worse.
 */
static void
plan_group(Wave *w, Regroup *r)
{
	WaveState  *state = r->state;
	WaveTerms	terms = {.free = state->free, .room = state->room, .price = w->best_price, .toll = w->best_toll, .node_limit = GUIDED_NODES};
	int64		total = state->total;

	for (int k = 0; k < r->count; k++)
	{
		oms_wave_keep(w, state, r->group[k], r->before[k]);
		oms_wave_release(w, state, r->group[k]);
	}
	for (int k = 0; k < r->count && oms_wave_goes_on(w); k++)
	{
		oms_wave_order(w, r->sequence[k], &terms, r->now);
		oms_wave_take(w, state, r->sequence[k], r->now);
	}
	settle(w, r);
	if (state->total <= total)
		return;
	for (int k = 0; k < r->count; k++)
		oms_wave_release(w, state, r->group[k]);
	for (int k = 0; k < r->count; k++)
		oms_wave_take(w, state, r->group[k], r->before[k]);
}
