/*
 * split_fuzzer.c
 *	  Any bytes as a small problem of splitting: libFuzzer's way into the kernel.
 *
 * Built by test/fuzz/split from the files that the extension itself is made of.
 * Beyond what the sanitizers see, this holds for every problem that the kernel
 * does not refuse:
 *
 * - The plan can be shipped, and costs what it says.
 * - All sets of locations tried one after the other find nothing better than its
 *	 bound; and where it is proven, nothing better than the plan.
 * - Without a limit of nodes, it is proven.
 * - Solved again, it is the same.
 */
#include <stdio.h>

#include "split.h"

#define MOST_LINES 5
#define MOST_LOCATIONS 6
#define NONE ((Number) 1 << 120)

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* as large as any sum here */
typedef __int128 Number;

typedef struct Input
{
	const uint8_t *data;
	size_t		size;
} Input;

/* A problem with room for what it points to. */
typedef struct Room
{
	SplitProblem problem;
	int64		quantity[MOST_LINES];
	int64		penalty[MOST_LINES];
	int64		fixed_cost[MOST_LOCATIONS];
	int64		capacity[MOST_LOCATIONS];
	int32		priority[MOST_LOCATIONS];
	int32		arc_line[MOST_LINES * MOST_LOCATIONS];
	int32		arc_location[MOST_LINES * MOST_LOCATIONS];
	int64		arc_available[MOST_LINES * MOST_LOCATIONS];
	int64		arc_cost[MOST_LINES * MOST_LOCATIONS];
	int64		available[MOST_LINES][MOST_LOCATIONS];
	int64		cost[MOST_LINES][MOST_LOCATIONS];
	bool		is_limited;
} Room;

/* What is best: units left, locations, cost. */
typedef struct Truth
{
	Number		unfilled;
	int			shipments;
	Number		cost;
} Truth;

/* require ends the run where something does not hold. */
static void
require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "split_fuzzer: not so: %s\n", what);
	abort();
}

static int
byte(Input *input)
{
	if (input->size == 0)
		return 0;
	input->size--;
	return *input->data++;
}

/* amount reads a number, of a size that scale says: small ones make ties. */
static int64
amount(Input *input, int scale)
{
	int64		number = byte(input);

	switch (scale)
	{
		case 0:
			return number % 4;
		case 1:
			return number;
		case 2:
			return number * 1000003;
		default:
			return number % 8 == 0 ? number : (int64) ((uint64_t) number << (number % 56));
	}
}

/* read_problem makes a problem of bytes. */
static void
read_problem(Input *input, Room *room)
{
	SplitProblem *p = &room->problem;
	int			shape = byte(input);
	int			money = byte(input) % 4;
	int			units = shape & 1 ? 0 : byte(input) % 4;

	memset(room, 0, sizeof(Room));
	room->is_limited = shape & 1;
	p->nlines = byte(input) % (room->is_limited ? 4 : MOST_LINES + 1);
	p->nlocations = byte(input) % (room->is_limited ? 4 : MOST_LOCATIONS + 1);
	p->by_shipments = shape & 2;
	p->max_shipments = shape & 4 ? byte(input) % 3 : 0;
	p->node_limit = shape & 8 ? 1 + byte(input) % 4 : 1000000;
	p->forced = -1;
	for (int i = 0; i < p->nlines; i++)
	{
		room->quantity[i] = amount(input, units);
		room->penalty[i] = amount(input, money);
	}
	for (int j = 0; j < p->nlocations; j++)
	{
		room->fixed_cost[j] = amount(input, money);
		room->capacity[j] = room->is_limited ? byte(input) % 6 - 1 : SPLIT_UNLIMITED;
		room->priority[j] = byte(input) % 3;
	}
	for (int i = 0; i < p->nlines; i++)
	{
		for (int j = 0; j < p->nlocations; j++)
		{
			int			a = p->narcs;

			if (byte(input) % 4 == 0)
				continue;
			p->narcs++;
			room->arc_line[a] = i;
			room->arc_location[a] = j;
			room->available[i][j] = room->arc_available[a] = amount(input, units);
			room->cost[i][j] = room->arc_cost[a] = amount(input, money);
		}
	}
	p->quantity = room->quantity;
	p->penalty = room->penalty;
	p->fixed_cost = room->fixed_cost;
	p->capacity = shape & 16 && !room->is_limited ? NULL : room->capacity;
	p->priority = shape & 32 ? room->priority : NULL;
	p->arc_line = room->arc_line;
	p->arc_location = room->arc_location;
	p->arc_available = room->arc_available;
	p->arc_cost = room->arc_cost;
}

/* of_line ships a line from a set as cheaply as can be, without limits. */
static Number
of_line(const Room *room, int i, int set, Number penalty, Number *unfilled)
{
	Number		left = room->quantity[i];
	Number		cost = 0;

	while (left > 0)
	{
		Number		cheapest = penalty;
		Number		some = left;
		int			from = -1;

		for (int j = 0; j < room->problem.nlocations; j++)
		{
			if (set >> j & 1 && room->available[i][j] > 0 && room->cost[i][j] < cheapest)
			{
				cheapest = room->cost[i][j];
				from = j;
			}
		}
		if (from < 0)
			*unfilled += left;
		else if (room->available[i][from] < some)
			some = room->available[i][from];
		cost += cheapest * some;
		left -= some;
		set &= from < 0 ? 0 : ~(1 << from);
	}
	return cost;
}

/* of_units tries all ways to ship units one by one, within limits. */
static Number
of_units(const Room *room, int i, int j, int64 left, int set, int64 *capacity, Number penalty)
{
	Number		best = NONE;

	if (i == room->problem.nlines)
		return 0;
	if (j == room->problem.nlocations)
		return penalty * left + of_units(room, i + 1, 0, i + 1 < room->problem.nlines ? room->quantity[i + 1] : 0, set, capacity, penalty - room->penalty[i] + (i + 1 < room->problem.nlines ? room->penalty[i + 1] : 0));
	for (int64 some = 0; some <= left && some <= room->available[i][j]; some++)
	{
		Number		cost;

		if (some > 0 && (!(set >> j & 1) || (capacity[j] != SPLIT_UNLIMITED && capacity[j] < some)))
			break;
		if (capacity[j] != SPLIT_UNLIMITED)
			capacity[j] -= some;
		cost = some * (Number) room->cost[i][j] + of_units(room, i, j + 1, left - some, set, capacity, penalty);
		if (capacity[j] != SPLIT_UNLIMITED)
			capacity[j] += some;
		if (cost < best)
			best = cost;
	}
	return best;
}

/*
 * value_of returns what a set costs.  dearest: more than all else, added to each
 * penalty where units left come first.
 */
static Number
value_of(Room *room, int set, Number dearest, Number *unfilled)
{
	Number		cost = 0;

	*unfilled = 0;
	for (int j = 0; j < room->problem.nlocations; j++)
		cost += set >> j & 1 ? room->fixed_cost[j] : 0;
	if (room->is_limited)
	{
		if (room->problem.nlines > 0)
			cost += of_units(room, 0, 0, room->quantity[0], set, room->capacity, room->penalty[0] + dearest);
		if (dearest > 0)
		{
			*unfilled = cost / dearest;
			cost %= dearest;
		}
		return cost;
	}
	for (int i = 0; i < room->problem.nlines; i++)
		cost += of_line(room, i, set, room->penalty[i] + dearest, unfilled);
	return dearest > 0 ? cost - *unfilled * dearest : cost;
}

/* find_truth tries all sets. */
static Truth
find_truth(Room *room)
{
	const SplitProblem *p = &room->problem;
	Truth		best = {NONE, 0, NONE};
	Number		dearest = p->by_shipments ? (Number) 1 << 63 : 0;

	for (int set = 0; set < 1 << p->nlocations; set++)
	{
		Truth		truth = {.shipments = __builtin_popcount(set)};

		if (p->max_shipments > 0 && truth.shipments > p->max_shipments)
			continue;
		truth.cost = value_of(room, set, dearest, &truth.unfilled);
		if (p->by_shipments ? truth.unfilled < best.unfilled ||
			(truth.unfilled == best.unfilled && (truth.shipments < best.shipments ||
												 (truth.shipments == best.shipments && truth.cost < best.cost)))
			: truth.cost < best.cost)
			best = truth;
	}
	return best;
}

/* judge_plan asks whether a plan can be shipped and adds up. */
static void
judge_plan(const Room *room, const SplitPlan *plan)
{
	const SplitProblem *p = &room->problem;
	Number		cost = 0;
	Number		unfilled = 0;
	int			shipments = 0;
	int64		from[MOST_LOCATIONS] = {0};
	int64		of[MOST_LINES] = {0};

	for (int k = 0; k < plan->nflows; k++)
	{
		const SplitFlow *flow = &plan->flows[k];

		require(flow->line >= 0 && flow->line < p->nlines && flow->location >= 0 && flow->location < p->nlocations, "a flow's pair");
		require(k == 0 || flow[-1].location < flow->location || (flow[-1].location == flow->location && flow[-1].line < flow->line), "flows in order");
		require(flow->quantity > 0 && flow->quantity <= room->available[flow->line][flow->location], "no more than there is");
		if (from[flow->location] == 0)
		{
			cost += room->fixed_cost[flow->location];
			shipments++;
		}
		from[flow->location] += flow->quantity;
		of[flow->line] += flow->quantity;
		cost += (Number) flow->quantity * room->cost[flow->line][flow->location];
	}
	for (int j = 0; j < p->nlocations && p->capacity; j++)
		require(room->capacity[j] == SPLIT_UNLIMITED || from[j] <= room->capacity[j], "no more than a location can ship");
	for (int i = 0; i < p->nlines; i++)
	{
		require(of[i] <= room->quantity[i], "no more than is wanted");
		unfilled += room->quantity[i] - of[i];
		if (!p->by_shipments)
			cost += (Number) (room->quantity[i] - of[i]) * room->penalty[i];
	}
	require(p->max_shipments == 0 || shipments <= p->max_shipments, "no more locations than may ship");
	require(cost == plan->objective, "the objective is what the flows cost");
	require(shipments == plan->shipments && unfilled == plan->unfilled, "shipments and units left");
}

/* judge_truth compares a plan with the truth. */
static void
judge_truth(const SplitProblem *p, const SplitPlan *plan, const Truth *truth)
{
	require(plan->proven || p->node_limit < 1000, "it is proven where nodes are enough");
	if (!p->by_shipments)
	{
		require(plan->bound <= truth->cost && truth->cost <= plan->objective, "bound <= truth <= objective");
		require(!plan->proven || plan->objective == truth->cost, "what is proven is true");
		return;
	}
	require(plan->unfilled >= truth->unfilled, "no fewer units are left than can be");
	require(plan->bound <= truth->shipments, "bound <= truth");
	if (plan->proven)
		require(plan->unfilled == truth->unfilled && plan->shipments == truth->shipments && plan->objective == truth->cost, "what is proven is true");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static Room room;
	Input		input = {data, size};
	SplitPlan	plan;
	SplitPlan	again;
	Truth		truth;
	int			element;

	read_problem(&input, &room);
	if (oms_split_check(&room.problem, &element) != SPLIT_SOUND)
		return 0;
	oms_split_solve(&room.problem, &plan);
	judge_plan(&room, &plan);
	/* where units left come first, penalties count for nothing */
	if (room.problem.by_shipments)
		memset(room.penalty, 0, sizeof(room.penalty));
	truth = find_truth(&room);
	judge_truth(&room.problem, &plan, &truth);
	oms_split_solve(&room.problem, &again);
	require(again.objective == plan.objective && again.bound == plan.bound && again.proven == plan.proven && again.nflows == plan.nflows &&
			memcmp(again.flows, plan.flows, plan.nflows * sizeof(SplitFlow)) == 0, "the same again");
	return 0;
}
