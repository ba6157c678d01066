/*
 * wave_model.c
 *	  The wave's view of a problem: orders one after the other, and each pair with
 *	  the cells that it draws on.
 */
#include "wave_parts.h"

#define FINEST_SCALE 64
#define MOST_SUM (PG_INT64_MAX / 8)

static void number_lines(Wave *w);
static void copy_costs(Wave *w);
static void place_arcs(Wave *w);
static void trim_stock(Wave *w);
static void make_room(Wave *w);
static int64 finest_scale(const WaveProblem *problem);

/*
 * oms_wave_model makes the model of a problem.
 */
Wave *
oms_wave_model(const WaveProblem *problem)
{
	Wave	   *w = palloc0(sizeof(Wave));

	w->problem = problem;
	w->norders = problem->norders;
	w->nlocations = problem->nlocations;
	w->ncells = problem->nstock;
	w->scale = finest_scale(problem);
	number_lines(w);
	copy_costs(w);
	place_arcs(w);
	trim_stock(w);
	make_room(w);
	return w;
}

/*
 * finest_scale returns what costs may be multiplied by: so that every order can
 * be solved, and all of them be added up.
 */
static int64
finest_scale(const WaveProblem *problem)
{
	int64		scale = FINEST_SCALE;
	int64		total = 0;
	int			element;

	for (int o = 0; o < problem->norders; o++)
	{
		const SplitProblem *split = &problem->orders[o].split;
		int64		sum = oms_split_costs(split, split->penalty, false, &element);

		while (scale > 1 && sum > oms_split_most(split) / scale)
			scale /= 2;
		total += sum + oms_wave_planned(&problem->orders[o]);
	}
	while (scale > 1 && total > MOST_SUM / scale)
		scale /= 2;
	return scale;
}

static void
number_lines(Wave *w)
{
	int			n = w->norders + 1;

	w->first_line = palloc0(n * sizeof(int));
	w->first_source = palloc0(n * sizeof(int));
	w->first_flow = palloc0(n * sizeof(int));
	for (int o = 0; o < w->norders; o++)
	{
		const SplitProblem *split = &w->problem->orders[o].split;
		int64		units = 0;

		for (int i = 0; i < split->nlines; i++)
			units += split->quantity[i];
		w->first_line[o + 1] = w->first_line[o] + split->nlines;
		w->first_source[o + 1] = w->first_source[o] + split->nlocations;
		w->first_flow[o + 1] = w->first_flow[o] + (int) Min(units, split->narcs);
	}
}

static void
copy_costs(Wave *w)
{
	int			nlines = w->first_line[w->norders];

	w->quantity = palloc((nlines + 1) * sizeof(int64));
	w->penalty = palloc((nlines + 1) * sizeof(int64));
	w->size = palloc0((nlines + 1) * sizeof(int64));
	w->wants = palloc0((w->norders + 1) * sizeof(int64));
	w->fixed = palloc((w->first_source[w->norders] + 1) * sizeof(int64));
	for (int o = 0; o < w->norders; o++)
	{
		const WaveOrder *order = &w->problem->orders[o];

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < order->split.nlines; i++)
		{
			int			line = w->first_line[o] + i;

			w->quantity[line] = order->split.quantity[i];
			/* of what nobody wants, any penalty would do */
			w->penalty[line] = w->quantity[line] == 0 ? 0 : order->split.penalty[i] * w->scale;
			for (int k = order->first_part[i]; k < order->first_part[i + 1]; k++)
				w->size[line] += order->parts[k].units;
			w->wants[o] += w->quantity[line] * w->size[line];
		}
		for (int j = 0; j < order->split.nlocations; j++)
			w->fixed[w->first_source[o] + j] = order->split.fixed_cost[j] * w->scale;
	}
}

static int
compare_stock(const void *a, const void *b)
{
	const WaveStock *left = a;
	const WaveStock *right = b;

	if (left->sku != right->sku)
		return left->sku < right->sku ? -1 : 1;
	return left->location - right->location;
}

/*
 * find_cell returns the place of a SKU's stock at a location, or -1.
 */
static int
find_cell(const WaveStock *stock, int nstock, int sku, int location)
{
	WaveStock	key = {.sku = sku, .location = location};
	const WaveStock *found = bsearch(&key, stock, nstock, sizeof(WaveStock), compare_stock);

	return found ? (int) (found - stock) : -1;
}

static int
compare_arcs(const void *a, const void *b)
{
	const WaveArc *left = a;
	const WaveArc *right = b;

	if (left->line != right->line)
		return left->line - right->line;
	return left->location - right->location;
}

/*
 * draws_twice tells whether an order's lines draw a SKU more than once.
 */
static bool
draws_twice(const WaveOrder *order, int *seen, int mark)
{
	for (int k = 0; k < order->first_part[order->split.nlines]; k++)
	{
		if (seen[order->parts[k].sku] == mark)
			return true;
		seen[order->parts[k].sku] = mark;
	}
	return false;
}

/*
 * place_order writes an order's pairs, those that have stock at all: next is the
 * place of the first.  Returns that after the last.
 */
static int
place_order(Wave *w, int o, const WaveStock *stock, int next, int *ncells)
{
	const WaveOrder *order = &w->problem->orders[o];
	int			begin = next;

	for (int a = 0; a < order->split.narcs; a++)
	{
		int			line = order->split.arc_line[a];
		int			location = order->location[order->split.arc_location[a]];
		int			cells = *ncells;
		bool		has_all = order->split.quantity[line] > 0;

		for (int k = order->first_part[line]; has_all && k < order->first_part[line + 1]; k++)
		{
			int			cell = find_cell(stock, w->ncells, order->parts[k].sku, location);

			has_all = cell >= 0 && stock[cell].units >= order->parts[k].units;
			w->cells[cells++] = cell;
		}
		if (!has_all)
			continue;
		w->arcs[next].line = line;
		w->arcs[next].location = order->split.arc_location[a];
		/* one that costs so much is used by what is planned now, or by nobody */
		w->arcs[next].cost = Min(order->split.arc_cost[a], MOST_SUM / w->scale) * w->scale;
		w->arcs[next++].first_cell = *ncells;
		*ncells = cells;
	}
	qsort(w->arcs + begin, next - begin, sizeof(WaveArc), compare_arcs);
	for (int i = 0, a = begin; i < order->split.nlines; i++)
	{
		w->line_arcs[w->first_line[o] + i] = a;
		while (a < next && w->arcs[a].line == i)
			a++;
	}
	return next;
}

/*
 * place_arcs writes all pairs by order, line and location.
 */
static void
place_arcs(Wave *w)
{
	const WaveProblem *problem = w->problem;
	WaveStock  *stock = palloc((w->ncells + 1) * sizeof(WaveStock));
	int		   *seen = palloc0((problem->nskus + 1) * sizeof(int));
	int64		most = 0;
	int64		most_cells = 0;
	int			next = 0;
	int			ncells = 0;

	for (int o = 0; o < w->norders; o++)
	{
		const WaveOrder *order = &problem->orders[o];

		most += order->split.narcs;
		for (int a = 0; a < order->split.narcs; a++)
			most_cells += order->first_part[order->split.arc_line[a] + 1] - order->first_part[order->split.arc_line[a]];
	}
	memcpy(stock, problem->stock, w->ncells * sizeof(WaveStock));
	qsort(stock, w->ncells, sizeof(WaveStock), compare_stock);
	w->stock = palloc((w->ncells + 1) * sizeof(int64));
	for (int c = 0; c < w->ncells; c++)
		w->stock[c] = stock[c].units;
	w->line_arcs = palloc0((w->first_line[w->norders] + 1) * sizeof(int));
	w->arcs = palloc((most + 1) * sizeof(WaveArc));
	w->cells = palloc((most_cells + 1) * sizeof(int));
	w->is_tangled = palloc0(w->norders + 1);
	for (int o = 0; o < w->norders; o++)
	{
		CHECK_FOR_INTERRUPTS();
		w->is_tangled[o] = draws_twice(&problem->orders[o], seen, o + 1);
		next = place_order(w, o, stock, next, &ncells);
	}
	w->line_arcs[w->first_line[w->norders]] = next;
	pfree(stock);
	pfree(seen);
}

/*
 * count_uses counts what the orders could use of each cell, and ship from each
 * location, if there were no others.
 */
static void
count_uses(const Wave *w, int64 *used, int64 *shipped)
{
	for (int o = 0; o < w->norders; o++)
	{
		const WaveOrder *order = &w->problem->orders[o];

		CHECK_FOR_INTERRUPTS();
		for (int a = w->line_arcs[w->first_line[o]]; a < w->line_arcs[w->first_line[o + 1]]; a++)
		{
			const WaveArc *arc = &w->arcs[a];
			int			line = w->first_line[o] + arc->line;
			int			c = arc->first_cell;

			for (int k = order->first_part[arc->line]; k < order->first_part[arc->line + 1]; k++)
				used[w->cells[c++]] += w->quantity[line] * order->parts[k].units;
			shipped[order->location[arc->location]] += w->quantity[line] * w->size[line];
		}
	}
}

/*
 * trim_stock leaves no more stock and capacity than the orders could use, and
 * lists what there is less of: only that can have a price.  Prices are bounded so
 * that all that is priced can be added up.
 */
static void
trim_stock(Wave *w)
{
	int64	   *used = palloc0((w->ncells + 1) * sizeof(int64));
	int64	   *shipped = palloc0((w->nlocations + 1) * sizeof(int64));
	double		priced = 1;

	count_uses(w, used, shipped);
	w->scarce = palloc((w->ncells + 1) * sizeof(int));
	w->limited = palloc((w->nlocations + 1) * sizeof(int));
	w->capacity = palloc((w->nlocations + 1) * sizeof(int64));
	for (int c = 0; c < w->ncells; c++)
	{
		if (w->stock[c] < used[c])
		{
			w->scarce[w->nscarce++] = c;
			priced += (double) w->stock[c];
		}
		w->stock[c] = Min(w->stock[c], used[c]);
	}
	for (int j = 0; j < w->nlocations; j++)
	{
		int64		most = w->problem->capacity ? w->problem->capacity[j] : SPLIT_UNLIMITED;

		w->capacity[j] = most == SPLIT_UNLIMITED ? shipped[j] : Min(most, shipped[j]);
		if (w->capacity[j] < shipped[j])
		{
			w->limited[w->nlimited++] = j;
			priced += (double) w->capacity[j];
		}
	}
	for (int line = 0; line < w->first_line[w->norders]; line++)
		priced = Max(priced, (double) w->size[line]);
	w->most_price = (int64) ((double) (MOST_SUM / 2) / priced);
	pfree(used);
	pfree(shipped);
}

/*
 * make_room makes room for prices, and for one order's problem.
 */
static void
make_room(Wave *w)
{
	int			arcs = 0;
	int			locations = 0;

	for (int o = 0; o < w->norders; o++)
	{
		arcs = Max(arcs, w->line_arcs[w->first_line[o + 1]] - w->line_arcs[w->first_line[o]]);
		locations = Max(locations, w->first_source[o + 1] - w->first_source[o]);
	}
	w->price = palloc0((w->ncells + 1) * sizeof(int64));
	w->toll = palloc0((w->nlocations + 1) * sizeof(int64));
	w->best_price = palloc0((w->ncells + 1) * sizeof(int64));
	w->best_toll = palloc0((w->nlocations + 1) * sizeof(int64));
	w->drawn = palloc0((w->ncells + 1) * sizeof(int64));
	w->costs = palloc((arcs + 1) * sizeof(int64));
	w->available = palloc((arcs + 1) * sizeof(int64));
	w->lines = palloc((arcs + 1) * sizeof(int32));
	w->locations = palloc((arcs + 1) * sizeof(int32));
	w->limits = palloc((locations + 1) * sizeof(int64));
	w->scratch = AllocSetContextCreate(CurrentMemoryContext, "oms wave", ALLOCSET_DEFAULT_SIZES);
}
