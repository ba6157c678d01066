/*
 * wave_price.c
 *	  Prices on what is scarce: a lower bound on what all orders cost, and a guide
 *	  to a plan of them.
 *
 * Let each unit of a cell have a price, and each unit that a location ships a
 * toll, and let every order have what is cheapest for it by these, as if it were
 * alone.  No plan of all costs less than that comes to, minus what all stock and
 * capacity are worth at the prices.  So prices are raised where more is wanted
 * than there is, and lowered where less is, step by step; the best bound stands.
 *
 * Sums are of integers, and so exact; only the length of a step is not.
 */
#include "wave_parts.h"

#define MOST_STEPS 300
#define STEPS_OF_STAGE 20		/* after which the bound must be better */
#define LEAST_GAIN 50			/* by more than this part of the gap */
#define STEPS_BETWEEN 20		/* two plans by prices */
#define PATIENCE 5				/* steps without a better bound */
#define INERTIA 0.8				/* of a step's direction in the next one */

/* The way that prices go. */
typedef struct Way
{
	int64	   *wanted;			/* of each cell, at the prices */
	int64	   *shipped;		/* of each location */
	double	   *cell_way;		/* of each scarce cell */
	double	   *location_way;	/* of each limited location */
	double		length;
	int			since;			/* the bound was better */
} Way;

static bool bound_at_prices(Wave *w, Way *way, WaveSolution *solution, int64 *bound);
static void keep_prices(Wave *w, int64 bound);
static bool step(Wave *w, Way *way, int64 gap);

/*
 * oms_wave_prices looks for prices, and now and then for a plan by them.
 */
void
oms_wave_prices(Wave *w, WaveState *best, WaveState *trial)
{
	Way			way = {.length = 0.3};
	int64		staged = 0;
	WaveSolution *solution = oms_wave_solution(w);
	WaveTerms	terms = {.free = trial->free, .room = trial->room, .price = w->price, .toll = w->toll, .node_limit = GUIDED_NODES};

	way.wanted = palloc((w->ncells + 1) * sizeof(int64));
	way.shipped = palloc((w->nlocations + 1) * sizeof(int64));
	way.cell_way = palloc0((w->nscarce + 1) * sizeof(double));
	way.location_way = palloc0((w->nlimited + 1) * sizeof(double));
	for (int n = 1; n <= MOST_STEPS; n++)
	{
		int64		bound;

		if (!bound_at_prices(w, &way, solution, &bound))
			return;
		if (bound > w->bound || n == 1)
		{
			keep_prices(w, bound);
			way.since = 0;
		}
		else if (++way.since >= PATIENCE)
		{
			way.length /= 2;
			way.since = 0;
		}
		oms_wave_report(w, best);
		if (n % STEPS_BETWEEN == 0 && n >= STEPS_OF_STAGE)
		{
			oms_wave_clear(w, trial);
			oms_wave_pass(w, trial, NULL, &terms);
			if (w->is_over)
				return;
			oms_wave_polish(w, trial);
			if (trial->total < best->total)
				oms_wave_copy(w, best, trial);
			oms_wave_report(w, best);
		}
		if (n == 1)
			staged = bound;
		if (n % STEPS_OF_STAGE == 0)
		{
			if (w->bound - staged <= (best->total - w->bound) / LEAST_GAIN)
				return;
			staged = w->bound;
		}
		if (best->total - w->bound < w->scale || !step(w, &way, best->total - bound))
			return;
	}
}

/*
 * bound_at_prices computes the bound, and what is wanted.  Returns false where
 * there is no time for it.
 */
static bool
bound_at_prices(Wave *w, Way *way, WaveSolution *solution, int64 *bound)
{
	WaveTerms	terms = {.free = w->stock, .room = w->capacity, .price = w->price, .toll = w->toll, .node_limit = GUIDED_NODES, .is_bound = true};

	memset(way->wanted, 0, w->ncells * sizeof(int64));
	memset(way->shipped, 0, w->nlocations * sizeof(int64));
	*bound = 0;
	for (int o = 0; o < w->norders; o++)
	{
		const WaveOrder *order = &w->problem->orders[o];

		if (!oms_wave_goes_on(w))
			return false;
		oms_wave_order(w, o, &terms, solution);
		*bound += solution->bound;
		for (int k = 0; k < solution->nflows; k++)
		{
			const WaveArc *arc = &w->arcs[solution->flows[k].arc];
			int64		units = solution->flows[k].units;
			int			c = arc->first_cell;

			for (int p = order->first_part[arc->line]; p < order->first_part[arc->line + 1]; p++)
				way->wanted[w->cells[c++]] += units * order->parts[p].units;
			way->shipped[order->location[arc->location]] += units * w->size[w->first_line[o] + arc->line];
		}
	}
	for (int k = 0; k < w->nscarce; k++)
		*bound -= w->price[w->scarce[k]] * w->stock[w->scarce[k]];
	for (int k = 0; k < w->nlimited; k++)
		*bound -= w->toll[w->limited[k]] * w->capacity[w->limited[k]];
	return true;
}

static void
keep_prices(Wave *w, int64 bound)
{
	w->bound = bound;
	memcpy(w->best_price, w->price, w->ncells * sizeof(int64));
	memcpy(w->best_toll, w->toll, w->nlocations * sizeof(int64));
}

/*
 * turn gives a price its way: where more is wanted than there is, up; and some
 * of the way before.  What costs nothing and is plenty stays so.
 */
static double
turn(double *way, int64 price, int64 wanted, int64 stock)
{
	*way = INERTIA * *way + (double) (wanted - stock);
	if (price == 0 && *way < 0)
		*way = 0;
	return *way * *way;
}

/*
 * move_price moves a price, which stays within its bounds.
 */
static void
move_price(const Wave *w, int64 *price, double by)
{
	double		to = (double) *price + by;

	*price = to <= 0 ? 0 : to >= (double) w->most_price ? w->most_price : (int64) (to + 0.5);
}

/*
 * step moves the prices.  Returns whether there was a way to go.
 */
static bool
step(Wave *w, Way *way, int64 gap)
{
	double		norm = 0;
	double		scale;

	for (int k = 0; k < w->nscarce; k++)
	{
		int			c = w->scarce[k];

		norm += turn(&way->cell_way[k], w->price[c], way->wanted[c], w->stock[c]);
	}
	for (int k = 0; k < w->nlimited; k++)
	{
		int			j = w->limited[k];

		norm += turn(&way->location_way[k], w->toll[j], way->shipped[j], w->capacity[j]);
	}
	if (norm == 0)
		return false;
	scale = way->length * (double) gap / norm;
	for (int k = 0; k < w->nscarce; k++)
		move_price(w, &w->price[w->scarce[k]], scale * way->cell_way[k]);
	for (int k = 0; k < w->nlimited; k++)
		move_price(w, &w->toll[w->limited[k]], scale * way->location_way[k]);
	return true;
}
