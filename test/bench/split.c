/*
 * split.c
 *	  What the kernel of oms.solve_split costs, alone: a benchmark of
 *	  src/split*.c, without a server.
 *
 * Built and called by test/bench/split.  Reads problems, in the format that its
 * instances are handed around in:
 *
 *	 I id family lines locations most	(most: locations that may ship; 0: all)
 *	 L line quantity penalty
 *	 J location fixed_cost capacity priority distance	(capacity -1: no limit)
 *	 A line location available cost
 *	 E
 *
 * split MODE NODES [TRUTH]: solves them, MODE cost or shipments, and prints one
 * line: how many are proven, how many have the objective that the file TRUTH
 * says (id objective shipments unfilled status), how many cost more than a
 * common rule's plan, and median, 99th percentile and maximum of CPU time.
 * split sql: writes them as rows of arrays, for COPY.
 *
 * The common rules walk the locations in some order and take what each has: by
 * priority; nearest first; the one with most of what is wanted first; the nearest
 * of those that have everything, else nearest first.
 */
#include <stdio.h>
#include <time.h>

#include "split.h"

#define RULES 4

enum
{
	BY_PRIORITY, NEAREST, MOST_STOCK, NEAREST_COMPLETE
};

static SplitProblem problem;
static int	id;
static int64 *quantity;
static int64 *penalty;
static int64 *fixed_cost;
static int64 *capacity;
static int32 *priority;
static int64 *distance;
static int32 *arc_line;
static int32 *arc_location;
static int64 *arc_available;
static int64 *arc_cost;

/* ---- memory: as cheap as a server's, and forgotten after each problem */

static char *pool;
static size_t pool_used;
static size_t pool_size = (size_t) 1 << 30;

void *
bench_palloc(size_t size)
{
	void	   *place = pool + pool_used;

	pool_used += (size + 15) & ~(size_t) 15;
	if (pool_used > pool_size)
	{
		fprintf(stderr, "split: out of memory\n");
		exit(1);
	}
	return place;
}

void *
bench_palloc0(size_t size)
{
	return memset(bench_palloc(size), 0, size);
}

static double
cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

/* ---- reading */

static void
make_room(void)
{
	quantity = calloc(SPLIT_MAX_LINES, sizeof(int64));
	penalty = calloc(SPLIT_MAX_LINES, sizeof(int64));
	fixed_cost = calloc(SPLIT_MAX_LOCATIONS, sizeof(int64));
	capacity = calloc(SPLIT_MAX_LOCATIONS, sizeof(int64));
	priority = calloc(SPLIT_MAX_LOCATIONS, sizeof(int32));
	distance = calloc(SPLIT_MAX_LOCATIONS, sizeof(int64));
	arc_line = calloc(SPLIT_MAX_ARCS, sizeof(int32));
	arc_location = calloc(SPLIT_MAX_ARCS, sizeof(int32));
	arc_available = calloc(SPLIT_MAX_ARCS, sizeof(int64));
	arc_cost = calloc(SPLIT_MAX_ARCS, sizeof(int64));
	pool = malloc(pool_size);
	/* pages that are there, as a server's are */
	memset(pool, 0, (size_t) 1 << 25);
	problem.quantity = quantity;
	problem.penalty = penalty;
	problem.fixed_cost = fixed_cost;
	problem.capacity = capacity;
	problem.priority = priority;
	problem.arc_line = arc_line;
	problem.arc_location = arc_location;
	problem.arc_available = arc_available;
	problem.arc_cost = arc_cost;
	problem.forced = -1;
}

static void
bad_input(const char *line)
{
	fprintf(stderr, "split: cannot read: %s", line);
	exit(1);
}

/* read_problem reads the next one. */
static bool
read_problem(void)
{
	char		line[256];

	problem.narcs = 0;
	while (fgets(line, sizeof(line), stdin))
	{
		long		n[5] = {0};
		int			count = sscanf(line + 1, "%ld %ld %ld %ld %ld", &n[0], &n[1], &n[2], &n[3], &n[4]);

		switch (line[0])
		{
			case 'I':
				if (sscanf(line, "I %d %*s %d %d %d", &id, &problem.nlines, &problem.nlocations, &problem.max_shipments) != 4 ||
					problem.nlines > SPLIT_MAX_LINES || problem.nlocations > SPLIT_MAX_LOCATIONS)
					bad_input(line);
				break;
			case 'L':
				if (count != 3 || n[0] < 0 || n[0] >= problem.nlines)
					bad_input(line);
				quantity[n[0]] = n[1];
				penalty[n[0]] = n[2];
				break;
			case 'J':
				if (count != 5 || n[0] < 0 || n[0] >= problem.nlocations)
					bad_input(line);
				fixed_cost[n[0]] = n[1];
				capacity[n[0]] = n[2];
				priority[n[0]] = n[3];
				distance[n[0]] = n[4];
				break;
			case 'A':
				if (count != 4 || problem.narcs >= SPLIT_MAX_ARCS)
					bad_input(line);
				arc_line[problem.narcs] = n[0];
				arc_location[problem.narcs] = n[1];
				arc_available[problem.narcs] = n[2];
				arc_cost[problem.narcs++] = n[3];
				break;
			case 'E':
				return true;
			default:
				bad_input(line);
		}
	}
	return false;
}

/* ---- the common rules */

/* is_before tells whether a rule asks one location before another. */
static bool
is_before(int rule, const int64 *stock, int a, int b)
{
	int64		difference = rule == BY_PRIORITY ? priority[a] - priority[b] :
		rule == MOST_STOCK ? stock[b] - stock[a] : distance[a] - distance[b];

	return difference < 0 || (difference == 0 && a < b);
}

/* rank_locations puts them in the order in which a rule asks them. */
static void
rank_locations(int rule, int *rank)
{
	static int64 stock[SPLIT_MAX_LOCATIONS];
	static int	lines[SPLIT_MAX_LOCATIONS];
	int			n = problem.nlocations;
	int			first = 0;

	memset(stock, 0, sizeof(stock));
	memset(lines, 0, sizeof(lines));
	for (int a = 0; a < problem.narcs; a++)
	{
		stock[arc_location[a]] += Min(arc_available[a], quantity[arc_line[a]]);
		lines[arc_location[a]] += arc_available[a] >= quantity[arc_line[a]];
	}
	for (int j = 0; j < n; j++)
	{
		int			at = j;

		for (; at > 0 && is_before(rule, stock, j, rank[at - 1]); at--)
			rank[at] = rank[at - 1];
		rank[at] = j;
	}
	for (int k = 0; rule == NEAREST_COMPLETE && k < n && first == 0; k++)
	{
		int			j = rank[k];

		if (lines[j] < problem.nlines || (capacity[j] >= 0 && capacity[j] < stock[j]))
			continue;
		memmove(rank + 1, rank, k * sizeof(int));
		rank[0] = j;
		first = 1;
	}
}

/* What a plan comes to. */
typedef struct Result
{
	int64		unfilled;
	int			shipments;
	int64		cost;			/* with penalties where cost comes first */
} Result;

/* by_rule is what a common rule's plan comes to. */
static Result
by_rule(int rule)
{
	static int64 wanted[SPLIT_MAX_LINES];
	static int	first[SPLIT_MAX_LOCATIONS + 1];
	static int	arcs[SPLIT_MAX_ARCS];
	static int	rank[SPLIT_MAX_LOCATIONS];
	Result		result = {0};

	memcpy(wanted, quantity, problem.nlines * sizeof(int64));
	memset(first, 0, sizeof(first));
	for (int a = 0; a < problem.narcs; a++)
		first[arc_location[a]]++;
	for (int j = 1; j <= problem.nlocations; j++)
		first[j] += first[j - 1];
	for (int a = 0; a < problem.narcs; a++)
		arcs[--first[arc_location[a]]] = a;
	rank_locations(rule, rank);
	for (int k = 0; k < problem.nlocations; k++)
	{
		int			j = rank[k];
		int64		room = capacity[j] < 0 ? INT64_MAX : capacity[j];
		int64		ships = 0;

		if (problem.max_shipments > 0 && result.shipments == problem.max_shipments)
			break;
		for (int n = first[j]; n < (j + 1 < problem.nlocations ? first[j + 1] : problem.narcs); n++)
		{
			int			a = arcs[n];
			int64		units = Min(Min(wanted[arc_line[a]], arc_available[a]), room - ships);

			wanted[arc_line[a]] -= units;
			ships += units;
			result.cost += units * arc_cost[a];
		}
		result.shipments += ships > 0;
		result.cost += ships > 0 ? fixed_cost[j] : 0;
	}
	for (int i = 0; i < problem.nlines; i++)
	{
		result.unfilled += wanted[i];
		result.cost += problem.by_shipments ? 0 : wanted[i] * penalty[i];
	}
	return result;
}

/* is_better tells whether a plan is better than another. */
static bool
is_better(const Result *a, const Result *b)
{
	if (problem.by_shipments && a->unfilled != b->unfilled)
		return a->unfilled < b->unfilled;
	if (problem.by_shipments && a->shipments != b->shipments)
		return a->shipments < b->shipments;
	return a->cost < b->cost;
}

/* ---- solving */

static int
compare_times(const void *a, const void *b)
{
	double		left = *(const double *) a;
	double		right = *(const double *) b;

	return left < right ? -1 : left > right;
}

/* is_true compares a plan with the next line of a file; -1: not known. */
static int
is_true(FILE *truths, const SplitPlan *plan)
{
	int			number;
	int			shipments;
	int			status;
	long		objective;
	long		unfilled;

	if (fscanf(truths, "%d %ld %d %ld %d", &number, &objective, &shipments, &unfilled, &status) != 5 || number != id || status != 0)
		return -1;
	return plan->objective == objective && (!problem.by_shipments || (plan->shipments == shipments && plan->unfilled == unfilled));
}

/* solve solves the problem: the least CPU time of some tries. */
static double
solve(SplitPlan *plan)
{
	double		least = 1e30;
	int			element;

	if (oms_split_check(&problem, &element) != SPLIT_SOUND)
	{
		fprintf(stderr, "split: problem %d is not sound\n", id);
		exit(1);
	}
	for (int n = 0; n < 3 && (n == 0 || least < 1e4); n++)
	{
		double		began;
		double		took;

		pool_used = 0;
		began = cpu_us();
		oms_split_solve(&problem, plan);
		took = cpu_us() - began;
		least = Min(least, took);
	}
	return least;
}

static void
solve_all(FILE *truths)
{
	double	   *times = NULL;
	int			count = 0;
	int			proven = 0;
	int			known = 0;
	int			equal = 0;
	int			costlier = 0;

	while (read_problem())
	{
		SplitPlan	plan;
		int			truth;
		Result		ours;

		times = realloc(times, (count + 1) * sizeof(double));
		times[count++] = solve(&plan);
		proven += plan.proven;
		truth = truths ? is_true(truths, &plan) : -1;
		known += truth >= 0;
		equal += truth > 0;
		ours = (Result) {plan.unfilled, plan.shipments, plan.objective};
		for (int rule = 0; rule < RULES; rule++)
		{
			Result		theirs = by_rule(rule);

			costlier += is_better(&theirs, &ours);
		}
	}
	if (count == 0)
	{
		fprintf(stderr, "split: no problems\n");
		exit(1);
	}
	qsort(times, count, sizeof(double), compare_times);
	printf("%5d solved, %5d proven, %5d of %5d as known, %d costlier than a rule; CPU us: median %.1f, p99 %.1f, most %.1f\n",
		   count, proven, equal, known, costlier, times[count / 2], times[Min(count - 1, count * 99 / 100)], times[count - 1]);
}

/* ---- writing for SQL */

static void
write_array(int count, const int64 *wide, const int32 *narrow, int plus)
{
	putchar('{');
	for (int n = 0; n < count; n++)
	{
		if (n > 0)
			putchar(',');
		if (wide && wide == capacity && wide[n] < 0)
			printf("NULL");
		else
			printf("%ld", (long) (wide ? wide[n] : narrow[n]) + plus);
	}
	putchar('}');
}

static void
write_all(void)
{
	while (read_problem())
	{
		printf("%d\t", id);
		write_array(problem.nlines, quantity, NULL, 0);
		putchar('\t');
		write_array(problem.nlines, penalty, NULL, 0);
		putchar('\t');
		write_array(problem.nlocations, fixed_cost, NULL, 0);
		putchar('\t');
		write_array(problem.narcs, NULL, arc_line, 1);
		putchar('\t');
		write_array(problem.narcs, NULL, arc_location, 1);
		putchar('\t');
		write_array(problem.narcs, arc_available, NULL, 0);
		putchar('\t');
		write_array(problem.narcs, arc_cost, NULL, 0);
		putchar('\t');
		write_array(problem.nlocations, capacity, NULL, 0);
		putchar('\t');
		write_array(problem.nlocations, NULL, priority, 0);
		putchar('\t');
		write_array(problem.nlocations, distance, NULL, 0);
		printf("\t%d\n", problem.max_shipments);
	}
}

int
main(int argc, char **argv)
{
	FILE	   *truths = NULL;

	make_room();
	if (argc == 2 && strcmp(argv[1], "sql") == 0)
	{
		write_all();
		return 0;
	}
	if (argc < 3 || argc > 4 || (argc == 4 && !(truths = fopen(argv[3], "r"))))
	{
		fprintf(stderr, "usage: split cost|shipments NODES [TRUTH] | split sql\n");
		return 2;
	}
	problem.by_shipments = strcmp(argv[1], "shipments") == 0;
	problem.node_limit = atoi(argv[2]);
	solve_all(truths);
	return 0;
}
