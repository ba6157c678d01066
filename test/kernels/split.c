/*
 * split.c
 *	  What the kernel that splits orders (src/split*.c) is asked only by other
 *	  kernels and by C: a location that must ship, and locations that are much alike,
 *	  compared with what is found by trying all; and that a limit of nodes is one of
 *	  time.
 *
 * Built and run by test/t/025_kernels.pl; prints what TAP wants.
 *
 * split COUNT: so many problems of each kind.
 */
#include <stdio.h>
#include <time.h>

#include "split.h"

#define MOST_LINES 3
#define MOST_LOCATIONS 3
#define MOST_ARCS (MOST_LINES * MOST_LOCATIONS)

#define ALIKE 12				/* locations that are much alike */
#define ALIKE_LINES MOST_LINES

/* A problem with room for what it points to. */
typedef struct Room
{
	SplitProblem problem;
	int64		quantity[MOST_LINES];
	int64		penalty[MOST_LINES];
	int64		fixed_cost[MOST_LOCATIONS];
	int64		capacity[MOST_LOCATIONS];
	int32		arc_line[MOST_ARCS];
	int32		arc_location[MOST_ARCS];
	int64		arc_available[MOST_ARCS];
	int64		arc_cost[MOST_ARCS];
} Room;

/* What a plan comes to: units left count only where shipments come first. */
typedef struct Value
{
	int64		unfilled;
	int			shipments;
	int64		cost;
}			Value;

/* All plans, tried pair by pair. */
typedef struct Trial
{
	const SplitProblem *problem;
	int64		left[MOST_LINES];
	int64		ships[ALIKE];	/* or fewer locations */
	int64		cost;			/* of units */
	bool		has_best;
	Value		best;
}			Trial;

static uint32_t random_state = 1;

static int
below(int count)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % count;
}

static void
make_problem(Room *room, bool is_limited, int money)
{
	SplitProblem *p = &room->problem;

	memset(room, 0, sizeof(Room));
	p->nlines = below(MOST_LINES + 1);
	p->nlocations = 1 + below(MOST_LOCATIONS);
	for (int i = 0; i < p->nlines; i++)
	{
		room->quantity[i] = below(4);
		room->penalty[i] = below(money * 2);
		for (int j = 0; j < p->nlocations; j++)
		{
			if (below(4) == 0)
				continue;
			room->arc_line[p->narcs] = i;
			room->arc_location[p->narcs] = j;
			room->arc_available[p->narcs] = below(4);
			room->arc_cost[p->narcs++] = below(money);
		}
	}
	for (int j = 0; j < p->nlocations; j++)
	{
		room->fixed_cost[j] = below(money * 2);
		room->capacity[j] = below(4) == 0 ? SPLIT_UNLIMITED : below(5);
	}
	p->quantity = room->quantity;
	p->penalty = room->penalty;
	p->fixed_cost = room->fixed_cost;
	p->capacity = is_limited ? room->capacity : NULL;
	p->arc_line = room->arc_line;
	p->arc_location = room->arc_location;
	p->arc_available = room->arc_available;
	p->arc_cost = room->arc_cost;
	p->max_shipments = below(2) ? 0 : 1 + below(2);
	p->node_limit = PG_INT32_MAX;
	p->forced = below(p->nlocations + 1) - 1;
}

static bool
is_better(const Value * a, const Value * b)
{
	if (a->unfilled != b->unfilled)
		return a->unfilled < b->unfilled;
	if (a->shipments != b->shipments)
		return a->shipments < b->shipments;
	return a->cost < b->cost;
}

/* value_of adds up a plan; false: it is none. */
static bool
value_of(const Trial * trial, Value * value)
{
	const SplitProblem *p = trial->problem;
	int			shipments = 0;

	memset(value, 0, sizeof(Value));
	value->cost = trial->cost;
	for (int j = 0; j < p->nlocations; j++)
	{
		if (trial->ships[j] == 0)
			continue;
		if (p->capacity && p->capacity[j] >= 0 && trial->ships[j] > p->capacity[j])
			return false;
		shipments++;
		value->cost += p->fixed_cost[j];
	}
	for (int i = 0; i < p->nlines; i++)
	{
		if (p->by_shipments)
			value->unfilled += trial->left[i];
		else
			value->cost += trial->left[i] * p->penalty[i];
	}
	value->shipments = p->by_shipments ? shipments : 0;
	if (p->max_shipments > 0 && shipments > p->max_shipments)
		return false;
	return p->forced < 0 || trial->ships[p->forced] > 0;
}

static void
try_all(Trial * trial, int arc)
{
	const SplitProblem *p = trial->problem;
	Value		value;
	int64		most;

	if (arc == p->narcs)
	{
		if (value_of(trial, &value) && (!trial->has_best || is_better(&value, &trial->best)))
		{
			trial->best = value;
			trial->has_best = true;
		}
		return;
	}
	most = Min(trial->left[p->arc_line[arc]], p->arc_available[arc]);
	for (int64 units = 0; units <= most; units++)
	{
		trial->left[p->arc_line[arc]] -= units;
		trial->ships[p->arc_location[arc]] += units;
		trial->cost += units * p->arc_cost[arc];
		try_all(trial, arc + 1);
		trial->left[p->arc_line[arc]] += units;
		trial->ships[p->arc_location[arc]] -= units;
		trial->cost -= units * p->arc_cost[arc];
	}
}

static void
start_trial(Trial * trial, const SplitProblem *p)
{
	memset(trial, 0, sizeof(Trial));
	trial->problem = p;
	if (p->nlines > 0)
		memcpy(trial->left, p->quantity, p->nlines * sizeof(int64));
}

/* fault_of says what is wrong with a plan by itself, or nothing. */
static const char *
fault_of(const SplitProblem *p, const SplitPlan *plan)
{
	Trial		trial;
	Value		value;

	start_trial(&trial, p);
	for (int k = 0; k < plan->nflows; k++)
	{
		const SplitFlow *flow = &plan->flows[k];
		int			arc = 0;

		while (arc < p->narcs && (p->arc_line[arc] != flow->line || p->arc_location[arc] != flow->location))
			arc++;
		if (arc == p->narcs || flow->quantity < 1 || flow->quantity > p->arc_available[arc])
			return "a flow that cannot be";
		if (k > 0 && (flow[-1].location > flow->location || (flow[-1].location == flow->location && flow[-1].line >= flow->line)))
			return "flows in no order";
		trial.left[flow->line] -= flow->quantity;
		if (trial.left[flow->line] < 0)
			return "more than is wanted";
		trial.ships[flow->location] += flow->quantity;
		trial.cost += flow->quantity * p->arc_cost[arc];
	}
	if (!value_of(&trial, &value))
		return "no plan";
	if (value.cost != plan->objective)
		return "it does not cost what it says";
	if (p->by_shipments && (value.unfilled != plan->unfilled || value.shipments != plan->shipments))
		return "it does not come to what it says";
	return NULL;
}

static const char *
judge(Room *room)
{
	SplitProblem *p = &room->problem;
	Trial		trial;
	SplitPlan	plan;
	const char *fault;
	int			element;

	if (oms_split_check(p, &element) != SPLIT_SOUND)
		return "not sound";
	start_trial(&trial, p);
	try_all(&trial, 0);
	oms_split_solve(p, &plan);
	if (plan.impossible || !trial.has_best)
		return plan.impossible == !trial.has_best && plan.nflows == 0 ? NULL : "possible, or not";
	fault = fault_of(p, &plan);
	if (fault)
		return fault;
	if (!plan.proven || plan.objective != trial.best.cost ||
		(p->by_shipments && (plan.unfilled != trial.best.unfilled || plan.shipments != trial.best.shipments)))
		return "not the best";
	if (plan.bound != (p->by_shipments ? plan.shipments : plan.objective))
		return "not its bound";
	p->node_limit = 1;
	oms_split_solve(p, &plan);
	p->node_limit = PG_INT32_MAX;
	fault = fault_of(p, &plan);
	if (fault)
		return fault;
	if (plan.bound > (p->by_shipments ? trial.best.shipments : trial.best.cost))
		return "a bound above the best, cut short";
	return plan.proven && plan.objective != trial.best.cost ? "proves what is not so" : NULL;
}

static void
print_problem(const SplitProblem *p)
{
	printf("# forced %d, most %d\n", p->forced, p->max_shipments);
	for (int i = 0; i < p->nlines; i++)
		printf("# line %d wants %ld, penalty %ld\n", i, (long) p->quantity[i], (long) p->penalty[i]);
	for (int j = 0; j < p->nlocations; j++)
		printf("# location %d costs %ld, capacity %ld\n", j, (long) p->fixed_cost[j], p->capacity ? (long) p->capacity[j] : -1L);
	for (int a = 0; a < p->narcs; a++)
		printf("# line %d at %d: %ld for %ld\n", p->arc_line[a], p->arc_location[a], (long) p->arc_available[a], (long) p->arc_cost[a]);
}

/* judge_large solves one of 300 lines and 100 locations that ship little. */
static const char *
judge_large(bool by_shipments)
{
	enum
	{
		LINES = 300, LOCATIONS = 100
	};
	static int64 quantity[LINES];
	static int64 penalty[LINES];
	static int64 fixed_cost[LOCATIONS];
	static int64 capacity[LOCATIONS];
	static int32 arc_line[LINES * LOCATIONS];
	static int32 arc_location[LINES * LOCATIONS];
	static int64 arc_available[LINES * LOCATIONS];
	static int64 arc_cost[LINES * LOCATIONS];
	SplitProblem p = {.nlines = LINES, .nlocations = LOCATIONS, .quantity = quantity, .penalty = penalty, .fixed_cost = fixed_cost,
		.capacity = capacity, .arc_line = arc_line, .arc_location = arc_location, .arc_available = arc_available, .arc_cost = arc_cost,
	.by_shipments = by_shipments, .node_limit = 5000, .forced = -1};
	SplitPlan	plan;
	clock_t		began;
	int			element;

	for (int j = 0; j < LOCATIONS; j++)
	{
		fixed_cost[j] = 400 + below(20000);
		capacity[j] = 30 + below(250);
	}
	for (int i = 0; i < LINES; i++)
	{
		quantity[i] = 1 + below(60);
		penalty[i] = 3000 + below(6000);
		for (int j = 0; j < LOCATIONS; j++)
		{
			arc_line[p.narcs] = i;
			arc_location[p.narcs] = j;
			arc_available[p.narcs] = below(80);
			arc_cost[p.narcs++] = 10 + below(900);
		}
	}
	if (oms_split_check(&p, &element) != SPLIT_SOUND)
		return "not sound";
	began = clock();
	oms_split_solve(&p, &plan);
	/* it takes one or two; without the limit, minutes */
	if ((clock() - began) / CLOCKS_PER_SEC > 20)
		return "it takes too long";
	if (plan.bound > (by_shipments ? plan.shipments : plan.objective) || plan.bound <= 0)
		return "no bound";
	return !by_shipments && plan.objective > plan.bound + plan.bound / 4 ? "far from its bound" : NULL;
}

/* A problem of locations that are much alike: what each has, and at which cost. */
typedef struct Alike
{
	int64		quantity[ALIKE_LINES];
	int64		penalty[ALIKE_LINES];
	int64		fixed_cost[ALIKE];
	int64		units[ALIKE_LINES][ALIKE];
	int64		cost[ALIKE_LINES][ALIKE];
} Alike;

/* value_of_set says what the best plan from a set of locations costs. */
static int64
value_of_set(const Alike * alike, int set)
{
	int64		value = 0;

	for (int j = 0; j < ALIKE; j++)
		value += set >> j & 1 ? alike->fixed_cost[j] : 0;
	for (int i = 0; i < ALIKE_LINES; i++)
	{
		int64		left = alike->quantity[i];

		for (int cost = 0; cost < alike->penalty[i] && left > 0; cost++)
		{
			for (int j = 0; j < ALIKE && left > 0; j++)
			{
				int64		units = Min(left, alike->units[i][j]);

				if (!(set >> j & 1) || alike->cost[i][j] != cost)
					continue;
				value += units * cost;
				left -= units;
			}
		}
		value += left * alike->penalty[i];
	}
	return value;
}

/*
 * judge_alike solves one and compares it with what any set of locations would cost.
 * Some are outdone by others, mostly by a little.
 */
static const char *
judge_alike(void)
{
	static int32 arc_line[ALIKE_LINES * ALIKE];
	static int32 arc_location[ALIKE_LINES * ALIKE];
	static int64 arc_available[ALIKE_LINES * ALIKE];
	static int64 arc_cost[ALIKE_LINES * ALIKE];
	Alike		alike;
	SplitProblem p = {.nlines = ALIKE_LINES, .nlocations = ALIKE, .quantity = alike.quantity, .penalty = alike.penalty,
		.fixed_cost = alike.fixed_cost, .arc_line = arc_line, .arc_location = arc_location, .arc_available = arc_available,
	.arc_cost = arc_cost, .node_limit = PG_INT32_MAX, .forced = -1, .max_shipments = below(3) ? 0 : 2 + below(3)};
	SplitPlan	plan;
	int64		best = PG_INT64_MAX;
	int			costs = 1 + below(4);
	int			element;

	for (int j = 0; j < ALIKE; j++)
		alike.fixed_cost[j] = 6 + below(1 + 2 * costs);
	for (int i = 0; i < ALIKE_LINES; i++)
	{
		alike.quantity[i] = 2 + below(5);
		alike.penalty[i] = 10 + below(10);
		for (int j = 0; j < ALIKE; j++)
		{
			alike.units[i][j] = below(4);
			alike.cost[i][j] = below(costs);
			arc_line[p.narcs] = i;
			arc_location[p.narcs] = j;
			arc_available[p.narcs] = alike.units[i][j];
			arc_cost[p.narcs++] = alike.cost[i][j];
		}
	}
	if (oms_split_check(&p, &element) != SPLIT_SOUND)
		return "not sound";
	for (int set = 0; set < 1 << ALIKE; set++)
	{
		int64		value;

		if (p.max_shipments > 0 && __builtin_popcount(set) > p.max_shipments)
			continue;
		value = value_of_set(&alike, set);
		best = Min(best, value);
	}
	oms_split_solve(&p, &plan);
	return !plan.proven || plan.objective != best ? "not the best" : fault_of(&p, &plan);
}

int
main(int argc, char **argv)
{
	static const int money[] = {2, 5, 1000000};
	int			problems = argc > 1 ? atoi(argv[1]) : 1000;
	int			number = 0;
	const char *alike_fault = NULL;
	static Room room;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "splits", ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);

	for (int kind = 0; kind < 12; kind++)
	{
		const char *fault = NULL;

		for (int n = 0; n < problems && !fault; n++)
		{
			make_problem(&room, kind & 1, money[kind / 4]);
			room.problem.by_shipments = kind & 2;
			fault = judge(&room);
			MemoryContextReset(context);
		}
		if (fault)
		{
			printf("# %s\n", fault);
			print_problem(&room.problem);
		}
		printf("%sok %d - %d tiny problems, objective %s, %s limits, costs below %d\n", fault ? "not " : "", ++number, problems,
			   kind & 2 ? "shipments" : "cost", kind & 1 ? "with" : "without", money[kind / 4]);
	}
	for (int n = 0; n < problems && !alike_fault; n++)
	{
		alike_fault = judge_alike();
		MemoryContextReset(context);
	}
	printf("%s%s%sok %d - %d problems of locations that are much alike\n", alike_fault ? "# " : "", alike_fault ? alike_fault : "",
		   alike_fault ? "\nnot " : "", ++number, problems);
	for (int by_shipments = 0; by_shipments < 2; by_shipments++)
	{
		const char *fault = judge_large(by_shipments);

		if (fault)
			printf("# %s\n", fault);
		printf("%sok %d - 300 lines, 100 locations that ship little, objective %s, end soon, with a bound\n", fault ? "not " : "", ++number,
			   by_shipments ? "shipments" : "cost");
		MemoryContextReset(context);
	}
	printf("1..%d\n", number);
	MemoryContextSwitchTo(before);
	return 0;
}
