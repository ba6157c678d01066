/*
 * wave.c
 *	  What planning many orders together saves, and takes: a benchmark of
 *	  src/wave*.c, without a server.
 *
 * Built and called by test/bench/wave.  Reads waves, in the format that they are
 * handed around in:
 *
 *	 W orders locations skus
 *	 J location dc capacity		(capacity -1: no limit)
 *	 S location sku units
 *	 O order lines
 *	 F fixed cost of each location, for this order
 *	 R rate of each location: cost of a unit for each of its weight
 *	 L sku quantity weight penalty
 *
 * wave [SECONDS]: plans it, for so many seconds of CPU at most, and prints one
 * line.  WAVE_TRACE=1: what has been found on the way, too.
 * wave head: what the columns are.
 */
#include <stdio.h>
#include <time.h>

#include "wave.h"

static WaveProblem problem;
static WaveOrder *orders;
static WaveStock *stock;
static int64 *capacity;
static double limit = 1e9;
static double began;

/* stock by SKU: where there is any */
static int *first_of_sku;
static int *by_sku;

static double
cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static long
number(void)
{
	long		n;

	if (scanf("%ld", &n) != 1)
	{
		fprintf(stderr, "wave: cannot read\n");
		exit(1);
	}
	return n;
}

static void
expect(char what)
{
	char		c;

	if (scanf(" %c", &c) != 1 || c != what)
	{
		fprintf(stderr, "wave: %c expected\n", what);
		exit(1);
	}
}

/* read_stock reads locations and stock, up to the first order. */
static void
read_stock(void)
{
	char		c;
	int			room = 1024;

	expect('W');
	problem.norders = number();
	problem.nlocations = number();
	problem.nskus = number();
	capacity = calloc(problem.nlocations, sizeof(int64));
	stock = malloc(room * sizeof(WaveStock));
	while (scanf(" %c", &c) == 1 && c != 'O')
	{
		int			location = number();

		if (c == 'J')
		{
			(void) number();
			capacity[location] = number();
			continue;
		}
		if (problem.nstock == room)
			stock = realloc(stock, (room *= 2) * sizeof(WaveStock));
		stock[problem.nstock].location = location;
		stock[problem.nstock].sku = number();
		stock[problem.nstock++].units = number();
	}
	first_of_sku = calloc(problem.nskus + 2, sizeof(int));
	by_sku = calloc(problem.nstock + 1, sizeof(int));
	for (int c = 0; c < problem.nstock; c++)
		first_of_sku[stock[c].sku + 2]++;
	for (int s = 0; s < problem.nskus; s++)
		first_of_sku[s + 2] += first_of_sku[s + 1];
	for (int c = 0; c < problem.nstock; c++)
		by_sku[first_of_sku[stock[c].sku + 1]++] = c;
}

/* read_lines reads an order's lines, and pairs them with all who have any. */
static void
read_lines(WaveOrder *order, const long *rate)
{
	int			nlines = order->split.nlines;
	int64	   *quantity = calloc(nlines, sizeof(int64));
	int64	   *penalty = calloc(nlines, sizeof(int64));
	int		   *first_part = calloc(nlines + 1, sizeof(int));
	WavePart   *parts = calloc(nlines, sizeof(WavePart));
	int32	   *arc_line = calloc(nlines * problem.nlocations, sizeof(int32));
	int32	   *arc_location = calloc(nlines * problem.nlocations, sizeof(int32));
	int64	   *arc_cost = calloc(nlines * problem.nlocations, sizeof(int64));

	for (int i = 0; i < nlines; i++)
	{
		long		weight;

		expect('L');
		parts[i].sku = number();
		parts[i].units = 1;
		first_part[i + 1] = i + 1;
		quantity[i] = number();
		weight = number();
		penalty[i] = number();
		for (int k = first_of_sku[parts[i].sku]; k < first_of_sku[parts[i].sku + 1]; k++)
		{
			int			a = order->split.narcs++;

			arc_line[a] = i;
			arc_location[a] = stock[by_sku[k]].location;
			arc_cost[a] = weight * rate[arc_location[a]];
		}
	}
	order->split.quantity = quantity;
	order->split.penalty = penalty;
	order->split.arc_line = arc_line;
	order->split.arc_location = arc_location;
	order->split.arc_cost = arc_cost;
	order->first_part = first_part;
	order->parts = parts;
}

static void
read_orders(void)
{
	int32	   *all = calloc(problem.nlocations, sizeof(int32));
	long	   *rate = calloc(problem.nlocations, sizeof(long));

	for (int j = 0; j < problem.nlocations; j++)
		all[j] = j;
	orders = calloc(problem.norders, sizeof(WaveOrder));
	for (int o = 0; o < problem.norders; o++)
	{
		WaveOrder  *order = &orders[o];
		int64	   *fixed_cost = calloc(problem.nlocations, sizeof(int64));

		if (o > 0)
			expect('O');
		(void) number();
		order->split.nlines = number();
		order->split.nlocations = problem.nlocations;
		order->split.node_limit = 5000;
		order->split.forced = -1;
		order->split.fixed_cost = fixed_cost;
		order->location = all;
		expect('F');
		for (int j = 0; j < problem.nlocations; j++)
			fixed_cost[j] = number();
		expect('R');
		for (int j = 0; j < problem.nlocations; j++)
			rate[j] = number();
		read_lines(order, rate);
	}
	problem.capacity = capacity;
	problem.stock = stock;
	problem.orders = orders;
}

static bool
has_time(void *arg)
{
	const WavePlan *plan = arg;

	if (getenv("WAVE_TRACE"))
		fprintf(stderr, "%.2f after %ld bound %ld solved %ld\n", cpu_seconds() - began, (long) plan->cost_after, (long) plan->lower_bound, (long) plan->solved);
	return cpu_seconds() - began < limit;
}

int
main(int argc, char **argv)
{
	WavePlan	plan;
	int			order;
	int			element;
	SplitFault	split;
	WaveFault	fault;

	if (argc > 1 && strcmp(argv[1], "head") == 0)
	{
		printf("%-26s%7s %12s %12s %7s %12s %7s %8s %9s %7s\n", "wave", "orders", "before", "after", "less", "bound", "gap", "changed", "solved", "CPU s");
		return 0;
	}
	if (argc > 1)
		limit = atof(argv[1]);
	read_stock();
	read_orders();
	fault = oms_wave_check(&problem, &order, &element, &split);
	if (fault != WAVE_SOUND)
	{
		fprintf(stderr, "wave: not sound: %d %d %d %d\n", fault, order, element, split);
		return 1;
	}
	problem.go_on = has_time;
	problem.arg = &plan;
	began = cpu_seconds();
	oms_wave_solve(&problem, &plan);
	printf("%7d %12ld %12ld %6.2f%% %12ld %6.2f%% %8d %9ld %7.1f\n", problem.norders, (long) plan.cost_before, (long) plan.cost_after,
		   100.0 * (plan.cost_before - plan.cost_after) / Max(1, plan.cost_before), (long) plan.lower_bound,
		   100.0 * (plan.cost_after - plan.lower_bound) / Max(1, plan.lower_bound), plan.nchanged, (long) plan.solved,
		   cpu_seconds() - began);
	return 0;
}
