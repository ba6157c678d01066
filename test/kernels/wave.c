/*
 * wave.c
 *	  Tiny waves, made up, whose best plan is found by trying all: what the wave
 *	  (src/wave*.c) must keep of them.
 *
 * Built and run by test/t/025_kernels.pl; prints what TAP wants.
 *
 * wave COUNT: so many waves of each kind.
 */
#include <stdio.h>

#include "wave.h"

#define MOST_ORDERS 4
#define MOST_LINES 2
#define MOST_PLACES 3
#define MOST_SKUS 3
#define MOST_ARCS (MOST_LINES * MOST_PLACES)

/* A wave with room for what it points to. */
typedef struct Room
{
	WaveProblem wave;
	WaveOrder	orders[MOST_ORDERS];
	WaveStock	stock[MOST_SKUS * MOST_PLACES];
	int64		capacity[MOST_PLACES];
	int32		location[MOST_ORDERS][MOST_PLACES];
	int64		quantity[MOST_ORDERS][MOST_LINES];
	int64		penalty[MOST_ORDERS][MOST_LINES];
	int64		fixed_cost[MOST_ORDERS][MOST_PLACES];
	int32		arc_line[MOST_ORDERS][MOST_ARCS];
	int32		arc_location[MOST_ORDERS][MOST_ARCS];
	int64		arc_cost[MOST_ORDERS][MOST_ARCS];
	int			first_part[MOST_ORDERS][MOST_LINES + 1];
	WavePart	parts[MOST_ORDERS][MOST_LINES * 2];
	SplitFlow	flows[MOST_ORDERS][MOST_ARCS];
} Room;

/* What is left while all plans are tried, and the least that one costs. */
typedef struct Trial
{
	const WaveProblem *wave;
	int64		left[MOST_SKUS][MOST_PLACES];
	int64		room[MOST_PLACES];
	int			ships[MOST_PLACES]; /* flows of the order in hand */
	int64		best;
}			Trial;

static uint32_t random_state = 1;
static int	calls_left;

static int
below(int count)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % count;
}

/* ---- made-up waves */

static void
make_order(Room *room, int o, int money)
{
	WaveOrder  *order = &room->orders[o];
	int			nlines = below(MOST_LINES + 1);
	int			nparts = 0;

	order->split.nlines = nlines;
	order->split.nlocations = room->wave.nlocations;
	order->split.max_shipments = below(2) ? 0 : 1 + below(2);
	order->split.node_limit = 5000;
	for (int j = 0; j < order->split.nlocations; j++)
	{
		/* its own order of locations */
		room->location[o][j] = (j + o) % room->wave.nlocations;
		room->fixed_cost[o][j] = below(money * 2);
	}
	for (int i = 0; i < nlines; i++)
	{
		int			kinds = 1 + (below(4) == 0);
		int			sku = below(MOST_SKUS);

		room->quantity[o][i] = below(3);
		room->penalty[o][i] = below(money * 5);
		for (int k = 0; k < kinds; k++)
		{
			room->parts[o][nparts].sku = (sku + k) % MOST_SKUS;
			room->parts[o][nparts++].units = 1 + (below(5) == 0);
		}
		room->first_part[o][i + 1] = nparts;
		for (int j = 0; j < order->split.nlocations; j++)
		{
			int			a = order->split.narcs;

			if (below(5) == 0)
				continue;
			room->arc_line[o][a] = i;
			room->arc_location[o][a] = j;
			room->arc_cost[o][a] = below(money);
			order->split.narcs++;
		}
	}
	order->split.quantity = room->quantity[o];
	order->split.penalty = room->penalty[o];
	order->split.fixed_cost = room->fixed_cost[o];
	order->split.arc_line = room->arc_line[o];
	order->split.arc_location = room->arc_location[o];
	order->split.arc_cost = room->arc_cost[o];
	order->location = room->location[o];
	order->first_part = room->first_part[o];
	order->parts = room->parts[o];
	order->flows = room->flows[o];
}

static void
make_wave(Room *room, bool is_limited, int money)
{
	WaveProblem *wave = &room->wave;

	memset(room, 0, sizeof(Room));
	wave->nskus = MOST_SKUS;
	wave->nlocations = 1 + below(MOST_PLACES);
	wave->norders = below(MOST_ORDERS + 1);
	for (int s = 0; s < MOST_SKUS; s++)
	{
		for (int j = 0; j < wave->nlocations; j++)
		{
			if (below(4) == 0)
				continue;
			room->stock[wave->nstock].sku = s;
			room->stock[wave->nstock].location = j;
			room->stock[wave->nstock++].units = below(4);
		}
	}
	for (int j = 0; j < wave->nlocations; j++)
		room->capacity[j] = below(4) == 0 ? SPLIT_UNLIMITED : below(5);
	for (int o = 0; o < wave->norders; o++)
		make_order(room, o, money);
	wave->stock = room->stock;
	wave->orders = room->orders;
	wave->capacity = is_limited ? room->capacity : NULL;
}

/* ---- trying all plans */

static void
start_trial(Trial * trial, const WaveProblem *wave)
{
	memset(trial, 0, sizeof(Trial));
	trial->wave = wave;
	trial->best = INT64_MAX;
	for (int c = 0; c < wave->nstock; c++)
		trial->left[wave->stock[c].sku][wave->stock[c].location] = wave->stock[c].units;
	for (int j = 0; j < wave->nlocations; j++)
		trial->room[j] = wave->capacity && wave->capacity[j] >= 0 ? wave->capacity[j] : INT64_MAX / 2;
}

/* draw takes a unit of a line from a location, or gives it back. */
static bool
draw(Trial * trial, const WaveOrder *order, int line, int place, int units)
{
	bool		fits = true;

	for (int k = order->first_part[line]; k < order->first_part[line + 1]; k++)
	{
		trial->left[order->parts[k].sku][place] -= units * order->parts[k].units;
		trial->room[place] -= units * order->parts[k].units;
		fits &= trial->left[order->parts[k].sku][place] >= 0 && trial->room[place] >= 0;
	}
	return fits;
}

static int
count_ships(const Trial * trial)
{
	int			count = 0;

	for (int j = 0; j < MOST_PLACES; j++)
		count += trial->ships[j] > 0;
	return count;
}

static void try_orders(Trial * trial, int o, int64 cost);

/* try_pairs tries all amounts of an order's pairs from one on; lines have so
 * many units left. */
static void
try_pairs(Trial * trial, int o, int arc, int64 *left, int64 cost)
{
	const WaveOrder *order = &trial->wave->orders[o];
	const SplitProblem *split = &order->split;
	int			units;

	if (arc == split->narcs)
	{
		int			ships[MOST_PLACES];

		for (int i = 0; i < split->nlines; i++)
			cost += left[i] * split->penalty[i];
		if (split->max_shipments > 0 && count_ships(trial) > split->max_shipments)
			return;
		memcpy(ships, trial->ships, sizeof(ships));
		memset(trial->ships, 0, sizeof(ships));
		try_orders(trial, o + 1, cost);
		memcpy(trial->ships, ships, sizeof(ships));
		return;
	}
	try_pairs(trial, o, arc + 1, left, cost);
	for (units = 1; units <= left[split->arc_line[arc]]; units++)
	{
		int			line = split->arc_line[arc];
		int			place = order->location[split->arc_location[arc]];
		int64		more = split->arc_cost[arc] * units;

		if (draw(trial, order, line, place, units))
		{
			if (trial->ships[place]++ == 0)
				more += split->fixed_cost[split->arc_location[arc]];
			left[line] -= units;
			try_pairs(trial, o, arc + 1, left, cost + more);
			left[line] += units;
			trial->ships[place]--;
		}
		(void) draw(trial, order, line, place, -units);
	}
}

static void
try_orders(Trial * trial, int o, int64 cost)
{
	int64		left[MOST_LINES];

	if (cost >= trial->best)
		return;
	if (o == trial->wave->norders)
	{
		trial->best = cost;
		return;
	}
	memcpy(left, trial->wave->orders[o].split.quantity, trial->wave->orders[o].split.nlines * sizeof(int64));
	try_pairs(trial, o, 0, left, cost);
}

/* ---- what must hold */

/* fault_of says what is wrong with a plan by itself, or nothing. */
static const char *
fault_of(const WaveProblem *wave, const WavePlan *plan)
{
	Trial		trial;
	int64		total = 0;
	int			nchanged = 0;

	start_trial(&trial, wave);
	for (int o = 0; o < wave->norders; o++)
	{
		const WaveOrder *order = &wave->orders[o];
		const WaveOrderPlan *of = &plan->orders[o];
		int64		cost = 0;
		int64		left[MOST_LINES];

		memset(trial.ships, 0, sizeof(trial.ships));
		memcpy(left, order->split.quantity, order->split.nlines * sizeof(int64));
		for (int k = 0; k < of->nflows; k++)
		{
			const SplitFlow *flow = &of->flows[k];
			int			arc = 0;

			while (arc < order->split.narcs && (order->split.arc_line[arc] != flow->line || order->split.arc_location[arc] != flow->location))
				arc++;
			if (arc == order->split.narcs || flow->quantity < 1)
				return "a flow of no pair";
			if (k > 0 && (flow[-1].location > flow->location || (flow[-1].location == flow->location && flow[-1].line >= flow->line)))
				return "flows in no order";
			if (!draw(&trial, order, flow->line, order->location[flow->location], flow->quantity))
				return "more than there is";
			cost += order->split.arc_cost[arc] * flow->quantity;
			if (trial.ships[order->location[flow->location]]++ == 0)
				cost += order->split.fixed_cost[flow->location];
			left[flow->line] -= flow->quantity;
		}
		for (int i = 0; i < order->split.nlines; i++)
		{
			if (left[i] < 0)
				return "more than is wanted";
			cost += left[i] * order->split.penalty[i];
		}
		if (order->split.max_shipments > 0 && count_ships(&trial) > order->split.max_shipments)
			return "too many shipments";
		if (cost != of->cost)
			return "an order does not cost what it says";
		total += cost;
		nchanged += of->changed;
	}
	if (total != plan->cost_after)
		return "all do not cost what they say";
	if (nchanged != plan->nchanged)
		return "not as many changed";
	return plan->cost_after > plan->cost_before ? "worse than before" : NULL;
}

static bool
is_same(const WaveProblem *wave, const WavePlan *a, const WavePlan *b)
{
	for (int o = 0; o < wave->norders; o++)
	{
		if (a->orders[o].nflows != b->orders[o].nflows ||
			memcmp(a->orders[o].flows, b->orders[o].flows, a->orders[o].nflows * sizeof(SplitFlow)) != 0)
			return false;
	}
	return a->cost_after == b->cost_after && a->lower_bound == b->lower_bound;
}

static bool
has_calls(void *arg)
{
	(void) arg;
	return calls_left-- > 0;
}

/* give_plan says that a plan is what is planned now. */
static void
give_plan(Room *room, const WavePlan *plan)
{
	room->wave.is_planned = true;
	for (int o = 0; o < room->wave.norders; o++)
	{
		room->orders[o].nflows = plan->orders[o].nflows;
		memcpy(room->flows[o], plan->orders[o].flows, plan->orders[o].nflows * sizeof(SplitFlow));
	}
}

/* judge_rest plans once more from a plan, cut short and not: what is wrong. */
static const char *
judge_rest(Room *room, const WavePlan *plan, int64 best)
{
	WavePlan	again;
	const char *fault;
	int			order;
	int			element;
	SplitFault	split;

	give_plan(room, plan);
	if (oms_wave_check(&room->wave, &order, &element, &split) != WAVE_SOUND)
		return "its plan is no plan to begin with";
	oms_wave_solve(&room->wave, &again);
	fault = fault_of(&room->wave, &again);
	if (fault)
		return fault;
	if (again.cost_before != plan->cost_after)
		return "begins with something else than it was given";
	if (again.cost_after == again.cost_before && again.nchanged > 0)
		return "changes an order for nothing";
	if (again.lower_bound > best)
		return "a bound above the best, from a plan";
	return NULL;
}

/* judge says what is wrong with what becomes of a wave. */
static const char *
judge(Room *room, bool *is_best)
{
	WaveProblem *wave = &room->wave;
	Trial		trial;
	WavePlan	plan;
	WavePlan	again;
	const char *fault;
	int			order;
	int			element;
	SplitFault	split;

	if (oms_wave_check(wave, &order, &element, &split) != WAVE_SOUND)
		return "not sound";
	start_trial(&trial, wave);
	try_orders(&trial, 0, 0);
	oms_wave_solve(wave, &plan);
	fault = fault_of(wave, &plan);
	if (fault)
		return fault;
	if (plan.cost_after < trial.best)
		return "better than the best";
	if (plan.lower_bound > trial.best)
		return "a bound above the best";
	*is_best = plan.cost_after == trial.best;
	oms_wave_solve(wave, &again);
	if (!is_same(wave, &plan, &again))
		return "not the same again";
	wave->go_on = has_calls;
	calls_left = below(6);
	oms_wave_solve(wave, &again);
	wave->go_on = NULL;
	fault = fault_of(wave, &again);
	if (fault || again.lower_bound > trial.best)
		return fault ? fault : "a bound above the best, cut short";
	fault = judge_rest(room, &again, trial.best);
	return fault ? fault : judge_rest(room, &plan, trial.best);
}

static void
print_wave(const Room *room)
{
	const WaveProblem *wave = &room->wave;

	for (int c = 0; c < wave->nstock; c++)
		printf("# stock of %d at %d: %ld\n", wave->stock[c].sku, wave->stock[c].location, (long) wave->stock[c].units);
	for (int j = 0; j < wave->nlocations && wave->capacity; j++)
		printf("# capacity of %d: %ld\n", j, (long) wave->capacity[j]);
	for (int o = 0; o < wave->norders; o++)
	{
		const WaveOrder *order = &wave->orders[o];

		printf("# order %d, most shipments %d\n", o, order->split.max_shipments);
		for (int j = 0; j < order->split.nlocations; j++)
			printf("#	location %d is %d, fixed cost %ld\n", j, order->location[j], (long) order->split.fixed_cost[j]);
		for (int i = 0; i < order->split.nlines; i++)
		{
			printf("#	line %d wants %ld, penalty %ld:", i, (long) order->split.quantity[i], (long) order->split.penalty[i]);
			for (int k = order->first_part[i]; k < order->first_part[i + 1]; k++)
				printf(" %ld of %d", (long) order->parts[k].units, order->parts[k].sku);
			printf("\n");
		}
		for (int a = 0; a < order->split.narcs; a++)
			printf("#	pair of %d and %d: %ld\n", order->split.arc_line[a], order->split.arc_location[a], (long) order->split.arc_cost[a]);
	}
}

int
main(int argc, char **argv)
{
	static const int money[] = {2, 10, 1000000};
	int			waves = argc > 1 ? atoi(argv[1]) : 300;
	int			number = 0;
	int			best = 0;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "waves", ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(context);
	static Room room;

	for (int kind = 0; kind < 6; kind++)
	{
		bool		is_limited = kind % 2;
		const char *fault = NULL;

		for (int n = 0; n < waves && !fault; n++)
		{
			bool		is_best = false;

			make_wave(&room, is_limited, money[kind / 2]);
			fault = judge(&room, &is_best);
			best += is_best;
			MemoryContextReset(context);
		}
		if (fault)
		{
			printf("# %s\n", fault);
			print_wave(&room);
		}
		printf("%sok %d - %d tiny waves, %s limits, costs below %d\n", fault ? "not " : "", ++number, waves, is_limited ? "with" : "without", money[kind / 2]);
	}
	/* it is no exact method, but with so little to decide it is seldom wrong */
	printf("%sok %d - of %d plans, nearly all are the best\n# %d are\n", best * 100 < waves * 6 * 97 ? "not " : "", ++number, waves * 6, best);
	printf("1..%d\n", number);
	MemoryContextSwitchTo(before);
	return 0;
}
