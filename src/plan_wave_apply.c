/*
 * plan_wave_apply.c
 *	  A plan for many orders, carried out as far as it still holds.
 *
 * While the plan was made nothing was locked.  Now the fulfillments and orders
 * that it changes are, those that another session has at the moment left out,
 * with what has changed meanwhile; then the stock.  By the stock as it is then,
 * orders are left out until the rest can have what they are to get: so the one
 * UPDATE that gives back and takes cannot fail, and nobody else ever sees a unit
 * free in between.
 *
 * Fulfillments from which all goes as before stay.  The others are emptied, as
 * merged ones are (merge.c), and new ones made.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "facts.h"
#include "fulfillment.h"
#include "loads.h"
#include "oms.h"
#include "plan.h"
#include "plan_wave.h"
#include "rows.h"

/* As the caller: those that nobody has. */
static const StoreQuery lock_fulfillments = {
	"SELECT f.id FROM @.fulfillments f WHERE f.id" EQ "ANY ($1) ORDER BY f.id FOR NO KEY UPDATE SKIP LOCKED", 1, {UUIDARRAYOID}
};

static const StoreQuery lock_orders = {
	"SELECT o.id FROM @.orders o WHERE o.id" EQ "ANY ($1) ORDER BY o.id FOR NO KEY UPDATE SKIP LOCKED", 1, {UUIDARRAYOID}
};

static const StoreQuery lock_stock = {
	"SELECT s.sku, s.location, s.available FROM @.stock s"
	" JOIN ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS w(sku, location)"
	" ON s.sku" EQ "w.sku AND s.location" EQ "w.location JOIN @.locations l ON l.code" EQ "s.location"
	" WHERE l.active AND l.tracked ORDER BY s.sku, s.location FOR NO KEY UPDATE OF s",
	2, {TEXTARRAYOID, TEXTARRAYOID}
};

static const StoreQuery lock_loads = {
	"SELECT l.units FROM @.location_loads l"
	" JOIN ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS w(location, day)"
	" ON l.location" EQ "w.location AND l.day" EQ "w.day ORDER BY l.location, l.day FOR NO KEY UPDATE OF l",
	2, {TEXTARRAYOID, DATEARRAYOID}
};

/* Units of a demand at a place, before and after. */
typedef struct Move
{
	int			demand;			/* of the way */
	int			place;
	int			cell;			/* supply of the world */
	int64		before;
	int64		after;
	int64		money;			/* a unit */
	bool		stays;			/* all that comes from the place does */
} Move;

/* A way that is to change. */
typedef struct WayChange
{
	const WaveWay *way;
	Move	   *moves;			/* by place */
	int			nmoves;
	int64		gain;
	bool		is_out;			/* it stays as it is after all */
} WayChange;

/* A supply that changes touch, all added up. */
typedef struct Cell
{
	bool		is_touched;
	bool		is_there;		/* its row is locked */
	int64		available;
	int64		net;			/* units that are taken more */
	int			takers;			/* moves that get more there than before */
	int64		leaves;			/* what the channels of those must leave */
} Cell;

typedef struct Applier
{
	JointPlan  *joint;
	WayChange  *changes;
	int			count;
	Cell	   *cells;			/* of each supply */
	int64	   *loads;			/* of each place: units that its day gets more */
} Applier;

/*
 * oms_wave_money returns what flows cost, in 1/10,000.
 */
int64
oms_wave_money(const WaveWay *way, const WaveOrder *order, const SplitFlow *flows, int nflows)
{
	int64		sum = 0;

	for (int k = 0; k < nflows; k++)
	{
		if (k == 0 || flows[k - 1].location != flows[k].location)
			sum += way->fixed_money[flows[k].location];
		for (int p = 0; p < order->split.narcs; p++)
		{
			if (order->split.arc_line[p] == flows[k].line && order->split.arc_location[p] == flows[k].location)
				sum += way->pair_money[p] * flows[k].quantity;
		}
	}
	return sum;
}

/*
 * compare_flows orders flows by location, then line.
 */
static int
compare_flows(const SplitFlow *left, const SplitFlow *right)
{
	return left->location != right->location ? left->location - right->location : left->line - right->line;
}

/*
 * is_complete tells whether a plan serves all that the order has now.
 */
static bool
is_complete(const WaveOrder *order, const WaveOrderPlan *plan)
{
	int64		before = 0;
	int64		after = 0;

	for (int k = 0; k < order->nflows; k++)
		before += order->flows[k].quantity;
	for (int k = 0; k < plan->nflows; k++)
		after += plan->flows[k].quantity;
	return before == after;
}

/*
 * money_of returns what a unit of a pair costs.
 */
static int64
money_of(const WaveWay *way, const WaveOrder *order, const SplitFlow *flow)
{
	for (int p = 0; p < order->split.narcs; p++)
	{
		if (order->split.arc_line[p] == flow->line && order->split.arc_location[p] == flow->location)
			return way->pair_money[p];
	}
	return 0;
}

/*
 * mark_staying marks the moves of places from which all goes as before.
 */
static void
mark_staying(WayChange *change)
{
	for (int i = 0, next; i < change->nmoves; i = next)
	{
		bool		stays = true;

		for (next = i; next < change->nmoves && change->moves[next].place == change->moves[i].place; next++)
			stays &= change->moves[next].before == change->moves[next].after;
		for (int k = i; k < next; k++)
			change->moves[k].stays = stays;
	}
}

/*
 * compare_ways says what a way's units do: it merges what it has and what it is to
 * have, both by location and line.
 */
static void
compare_ways(const JointPlan *joint, int number, const WaveOrderPlan *plan, WayChange *change)
{
	const WaveOrder *order = &joint->problem.orders[number];
	const WaveWay *way = &joint->ways[number];
	int			b = 0;
	int			a = 0;

	change->way = way;
	change->moves = palloc((order->nflows + plan->nflows + 1) * sizeof(Move));
	change->nmoves = 0;
	change->is_out = false;
	change->gain = oms_wave_money(way, order, order->flows, order->nflows) - oms_wave_money(way, order, plan->flows, plan->nflows);
	while (b < order->nflows || a < plan->nflows)
	{
		const SplitFlow *before = b < order->nflows ? &order->flows[b] : NULL;
		const SplitFlow *after = a < plan->nflows ? &plan->flows[a] : NULL;
		int			which = !before ? 1 : !after ? -1 : compare_flows(before, after);
		const SplitFlow *flow = which <= 0 ? before : after;
		Move	   *move = &change->moves[change->nmoves++];

		move->demand = flow->line;
		move->place = way->places[flow->location];
		move->cell = (int) (oms_find_supply(&joint->world, way->demands[flow->line].sku, move->place) - joint->world.supplies);
		move->before = which <= 0 ? before->quantity : 0;
		move->after = which >= 0 ? after->quantity : 0;
		move->money = money_of(way, order, flow);
		b += which <= 0;
		a += which >= 0;
	}
	mark_staying(change);
}

/*
 * list_changes lists the ways that the plan changes.
 */
static void
list_changes(Applier *applier, const WavePlan *plan)
{
	JointPlan  *joint = applier->joint;

	applier->changes = palloc_extended((plan->nchanged + 1) * sizeof(WayChange), MCXT_ALLOC_HUGE);
	applier->count = 0;
	for (int i = 0; i < joint->nways; i++)
	{
		if (plan->orders[i].changed && is_complete(&joint->problem.orders[i], &plan->orders[i]))
			compare_ways(joint, i, &plan->orders[i], &applier->changes[applier->count++]);
	}
}

/*
 * keep_locked leaves out ways with an id that is not among the rows that were
 * locked, which are sorted.
 */
static void
keep_locked(Applier *applier, uint64 count, bool by_order)
{
	pg_uuid_t  *locked = palloc_extended((count + 1) * sizeof(pg_uuid_t), MCXT_ALLOC_HUGE);

	for (uint64 i = 0; i < count; i++)
		locked[i] = oms_column_uuid(i, 1);
	for (int i = 0; i < applier->count; i++)
	{
		WayChange  *change = &applier->changes[i];

		for (int k = 0; k < change->way->nholdings && !change->is_out; k++)
			change->is_out = !bsearch(by_order ? &change->way->demands[0].order_id : &change->way->holdings[k].fulfillment_id,
									  locked, count, sizeof(pg_uuid_t), oms_uuid_cmp);
	}
}

/*
 * ids_of returns the fulfillments of the ways that are still in, or their orders.
 */
static Array *
ids_of(const Applier *applier, bool orders)
{
	Array	   *ids = oms_array(UUIDOID, applier->count);

	for (int i = 0; i < applier->count; i++)
	{
		const WayChange *change = &applier->changes[i];

		for (int k = 0; k < (orders ? 1 : change->way->nholdings) && !change->is_out; k++)
			oms_array_add_uuid(ids, orders ? &change->way->demands[0].order_id : &change->way->holdings[k].fulfillment_id);
	}
	return ids;
}

/*
 * compare_holdings orders by fulfillment, then line.
 */
static int
compare_holdings(const void *a, const void *b)
{
	const WaveHolding *left = a;
	const WaveHolding *right = b;
	int			order = oms_uuid_cmp(&left->fulfillment_id, &right->fulfillment_id);

	return order != 0 ? order : oms_uuid_cmp(&left->line_id, &right->line_id);
}

/*
 * keep_unchanged leaves out ways whose fulfillments are not what they were.
 */
static void
keep_unchanged(Applier *applier)
{
	int			count;
	WaveHolding *now = oms_read_wave_holdings(applier->joint->store, ids_of(applier, false), NULL, NULL, &count);

	qsort(now, count, sizeof(WaveHolding), compare_holdings);
	for (int i = 0; i < applier->count; i++)
	{
		WayChange  *change = &applier->changes[i];

		for (int k = 0; k < change->way->nholdings && !change->is_out; k++)
		{
			const WaveHolding *then = &change->way->holdings[k];
			const WaveHolding *found = bsearch(then, now, count, sizeof(WaveHolding), compare_holdings);

			change->is_out = !found || found->quantity != then->quantity || found->revision != then->revision ||
				found->order_revision != then->order_revision;
		}
	}
}

/*
 * keep_allowed leaves out ways that rules, which may have changed meanwhile, deny
 * what they are to get.
 */
static void
keep_allowed(Applier *applier)
{
	JointPlan  *joint = applier->joint;
	Sourcing   *sourcing = &joint->sourcing;
	Array	   *skus = oms_array(TEXTOID, sourcing->count);

	for (int i = 0; i < sourcing->count; i++)
		oms_array_add_text(skus, sourcing->demands[i].sku);
	sourcing->book = oms_rule_book(joint->store);
	sourcing->rules = oms_has_channel_rules(joint->store) ? oms_channel_rules(joint->store, skus) : NULL;
	joint->planner.costs = oms_read_costs(joint->store, sourcing, &joint->world);
	for (int i = 0; i < applier->count; i++)
	{
		WayChange  *change = &applier->changes[i];

		if (joint->planner.costs && !change->is_out)
			oms_aim_costs(joint->planner.costs, &joint->world, &change->way->demands[0]);
		for (int k = 0; k < change->nmoves && !change->is_out; k++)
			change->is_out = !change->moves[k].stays && change->moves[k].after > 0 &&
				!oms_may_serve(&joint->planner, change->moves[k].place, &change->way->demands[change->moves[k].demand]);
	}
}

/*
 * add_up adds what a way does to cells and days, or takes it off again.
 */
static void
add_up(Applier *applier, const WayChange *change, int sign)
{
	JointPlan  *joint = applier->joint;

	for (int k = 0; k < change->nmoves; k++)
	{
		const Move *move = &change->moves[k];
		Cell	   *cell = &applier->cells[move->cell];

		cell->net += sign * (move->after - move->before);
		cell->takers += move->after > move->before ? sign : 0;
		if (!move->stays && joint->world.places[move->place].is_limited)
			applier->loads[move->place] += sign * move->after;
	}
	for (int k = 0; k < change->way->nholdings; k++)
	{
		const WaveHolding *holding = &change->way->holdings[k];
		const Place *place = &joint->world.places[holding->place];

		for (int m = 0; m < change->nmoves; m++)
		{
			if (change->moves[m].place == holding->place && change->moves[m].demand == holding->demand && !change->moves[m].stays &&
				place->is_limited && holding->has_day && holding->day == place->day)
				applier->loads[holding->place] -= sign * holding->quantity;
		}
	}
}

/*
 * lock_cells locks the stock that the ways touch, and reads what there is.
 */
static void
lock_cells(Applier *applier)
{
	JointPlan  *joint = applier->joint;
	Array	   *skus = oms_array(TEXTOID, 64);
	Array	   *locations = oms_array(TEXTOID, 64);
	uint64		count;

	for (int i = 0; i < applier->count; i++)
	{
		const WayChange *change = &applier->changes[i];

		for (int k = 0; k < change->nmoves && !change->is_out; k++)
		{
			const Move *move = &change->moves[k];
			const Demand *demand = &change->way->demands[move->demand];
			const char *location = joint->world.places[move->place].code;
			Cell	   *cell = &applier->cells[move->cell];

			if (joint->sourcing.rules && move->after > move->before)
				cell->leaves = Max(cell->leaves, oms_channel_leaves(joint->sourcing.rules, demand->channel, demand->sku, location));
			if (cell->is_touched)
				continue;
			cell->is_touched = true;
			oms_array_add_text(skus, demand->sku);
			oms_array_add_text(locations, location);
		}
	}
	count = oms_run(joint->store, &lock_stock, (Datum[]) {oms_array_datum(skus), oms_array_datum(locations)});
	for (uint64 i = 0; i < count; i++)
	{
		int			place = oms_find_place(&joint->world, oms_column_name(i, 2));
		Cell	   *cell = &applier->cells[oms_find_supply(&joint->world, oms_column_name(i, 1), place) - joint->world.supplies];

		cell->is_there = true;
		cell->available = oms_column_int64(i, 3);
	}
}

/*
 * lock_days locks the rows of the days that units go off and onto, the old ones
 * first, all in their order; then it reads how much room is left of today.
 */
static void
lock_days(Applier *applier)
{
	JointPlan  *joint = applier->joint;
	Array	   *locations = oms_array(TEXTOID, 16);
	Array	   *days = oms_array(DATEOID, 16);

	for (int place = 0; place < joint->world.nplaces; place++)
	{
		if (!joint->world.places[place].is_limited)
			continue;
		oms_array_add_text(locations, joint->world.places[place].code);
		oms_array_add(days, DateADTGetDatum(joint->world.places[place].day));
	}
	for (int i = 0; i < applier->count; i++)
	{
		const WaveWay *way = applier->changes[i].way;

		for (int k = 0; k < way->nholdings && !applier->changes[i].is_out; k++)
		{
			if (!way->holdings[k].has_day)
				continue;
			oms_array_add_text(locations, way->holdings[k].location);
			oms_array_add(days, DateADTGetDatum(way->holdings[k].day));
		}
	}
	if (locations->count == 0)
		return;
	(void) oms_run(joint->store, &lock_loads, (Datum[]) {oms_array_datum(locations), oms_array_datum(days)});
	oms_read_loads(joint->store, &joint->sourcing, &joint->world, LOADS_LOCK);
}

/*
 * fits tells whether all who get more of a cell, or of a place's day, can.
 */
static bool
fits(const Applier *applier, const Move *move)
{
	const Cell *cell = &applier->cells[move->cell];
	const Place *place = &applier->joint->world.places[move->place];
	int64		load = applier->loads[move->place];

	if (!cell->is_there || (cell->takers > 0 && cell->available - cell->net < cell->leaves))
		return false;
	return !place->is_limited || load <= 0 || load <= place->room;
}

/*
 * is_possible tells whether all that a way takes more of is there.
 */
static bool
is_possible(const Applier *applier, const WayChange *change)
{
	for (int k = 0; k < change->nmoves; k++)
	{
		const Move *move = &change->moves[k];

		if ((!move->stays && move->after > 0) || move->after > move->before || !applier->cells[move->cell].is_there)
		{
			if (!fits(applier, move))
				return false;
		}
	}
	return true;
}

/*
 * is_needed tells whether somebody needs what a way, which is out, would give.
 */
static bool
is_needed(const Applier *applier, const WayChange *change)
{
	for (int k = 0; k < change->nmoves; k++)
	{
		if (!fits(applier, &change->moves[k]))
			return true;
	}
	return false;
}

/*
 * compare_changes has those come first that are worth the least.
 */
static int
compare_changes(const void *a, const void *b)
{
	const WayChange *left = *(WayChange *const *) a;
	const WayChange *right = *(WayChange *const *) b;

	if (left->gain != right->gain)
		return left->gain < right->gain ? -1 : 1;
	return left < right ? -1 : left > right;
}

/*
 * choose leaves out ways until the rest can have what they are to get, then those
 * that cost more than before and that nobody needs, and all where it would not be
 * worth it.
 */
static void
choose(Applier *applier)
{
	WayChange **list = palloc_extended((applier->count + 1) * sizeof(WayChange *), MCXT_ALLOC_HUGE);
	int64		gain = 0;
	int			count = 0;
	bool		goes_on = true;

	for (int i = 0; i < applier->count; i++)
	{
		if (applier->changes[i].is_out)
			continue;
		list[count++] = &applier->changes[i];
		add_up(applier, &applier->changes[i], 1);
	}
	qsort(list, count, sizeof(WayChange *), compare_changes);
	while (goes_on)
	{
		goes_on = false;
		for (int i = 0; i < count; i++)
		{
			CHECK_FOR_INTERRUPTS();
			if (list[i]->is_out || is_possible(applier, list[i]))
				continue;
			list[i]->is_out = goes_on = true;
			add_up(applier, list[i], -1);
		}
	}
	for (int i = 0; i < count; i++)
	{
		if (list[i]->is_out || list[i]->gain >= 0)
			continue;
		list[i]->is_out = true;
		add_up(applier, list[i], -1);
		if (!is_needed(applier, list[i]))
			continue;
		list[i]->is_out = false;
		add_up(applier, list[i], 1);
	}
	for (int i = 0; i < count; i++)
		gain += list[i]->is_out ? 0 : list[i]->gain;
	for (int i = 0; i < count && gain <= 0; i++)
		list[i]->is_out = true;
}

/*
 * lock_all locks what the plan changes and leaves out what cannot be had.  Returns
 * with the ways that may be carried out.
 */
static void
lock_all(Applier *applier, OwnerScope *scope)
{
	Store	   *store = applier->joint->store;

	oms_leave_owner(scope);
	keep_locked(applier, oms_run(store, &lock_fulfillments, (Datum[]) {oms_array_datum(ids_of(applier, false))}), false);
	oms_become_owner(store, scope);
	keep_locked(applier, oms_run(store, &lock_orders, (Datum[]) {oms_array_datum(ids_of(applier, true))}), true);
	keep_unchanged(applier);
	keep_allowed(applier);
	lock_cells(applier);
	lock_days(applier);
	choose(applier);
}

/*
 * empty_holdings gives back what a way's fulfillments hold that do not stay.
 */
static void
empty_holdings(const Applier *applier, const WayChange *change, Emptied *emptied, Sourcing *sourcing)
{
	const pg_uuid_t *last = NULL;
	WaveHolding *holdings = palloc((change->way->nholdings + 1) * sizeof(WaveHolding));

	memcpy(holdings, change->way->holdings, change->way->nholdings * sizeof(WaveHolding));
	qsort(holdings, change->way->nholdings, sizeof(WaveHolding), compare_holdings);
	for (int k = 0; k < change->way->nholdings; k++)
	{
		const WaveHolding *holding = &holdings[k];
		bool		stays = true;

		for (int m = 0; m < change->nmoves; m++)
			stays &= change->moves[m].place != holding->place || change->moves[m].stays;
		if (stays)
			continue;
		if (holding->has_day)
			(void) oms_load(sourcing->loads_back, holding->location, holding->day, -holding->quantity);
		if (last && oms_uuid_cmp(last, &holding->fulfillment_id) == 0)
			continue;
		last = &holding->fulfillment_id;
		oms_emptied_add(applier->joint->store, emptied, last, &change->way->demands[0].order_id, holding->number, holding->workflow,
						holding->status, NULL, "{\"planned_anew\": true}");
	}
}

/*
 * add_pieces adds what a way gets instead.
 */
static void
add_pieces(const Applier *applier, const WayChange *change, Sourcing *sourcing)
{
	for (int k = 0; k < change->nmoves; k++)
	{
		const Move *move = &change->moves[k];
		const Place *place = &applier->joint->world.places[move->place];
		Piece	   *piece;

		if (move->stays || move->after == 0)
			continue;
		piece = &sourcing->pieces[sourcing->npieces++];
		memset(piece, 0, sizeof(Piece));
		piece->demand = &change->way->demands[move->demand];
		piece->location = place->code;
		piece->place = move->place;
		piece->tracked = true;
		piece->quantity = move->after;
		piece->unit_cost = move->money;
		piece->is_limited = place->is_limited;
		piece->load_day = place->day;
		piece->most = place->most;
		piece->is_first_load = place->is_limited && !place->has_row;
	}
}

/*
 * take writes stock and days.
 */
static void
take(const Applier *applier, const Sourcing *sourcing)
{
	const World *world = &applier->joint->world;
	StockChanges *list = oms_stock_changes(64);

	for (int s = 0; s < world->nsupplies; s++)
	{
		const Cell *cell = &applier->cells[s];
		StockChange *change;

		if (cell->net == 0)
			continue;
		change = oms_stock_change(list, world->supplies[s].sku, world->places[world->supplies[s].place].code);
		change->reserved = cell->net;
		change->takes = cell->net > 0;
		change->leaves = cell->leaves;
	}
	oms_stock_merge(list);
	if (!oms_stock_apply(applier->joint->store, list) || !oms_loads_apply(applier->joint->store, oms_loads_of_plan(sourcing)))
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("stock that is locked and enough cannot be taken"),
				 errhint("A trigger on table stock or location_loads of store \"%s\" keeps the engine from writing it.",
						 applier->joint->store->name)));
}

/*
 * carry_out changes the ways that are left, all by the same statements.
 */
static void
carry_out(const Applier *applier, JointResult *result)
{
	Store	   *store = applier->joint->store;
	Sourcing	sourcing = {0};
	Events	   *events = oms_events(64);
	Emptied    *emptied = oms_emptied(64);
	const pg_uuid_t *last = NULL;
	int			npieces = 0;

	for (int i = 0; i < applier->count; i++)
		npieces += applier->changes[i].is_out ? 0 : applier->changes[i].nmoves;
	if (npieces == 0)
		return;
	sourcing.book = applier->joint->sourcing.book;
	sourcing.loads_back = oms_loads(4);
	sourcing.pieces = palloc_extended(npieces * sizeof(Piece), MCXT_ALLOC_HUGE);
	for (int i = 0; i < applier->count; i++)
	{
		const WayChange *change = &applier->changes[i];
		const pg_uuid_t *order_id = &change->way->demands[0].order_id;

		if (change->is_out)
			continue;
		empty_holdings(applier, change, emptied, &sourcing);
		add_pieces(applier, change, &sourcing);
		result->cost_after -= change->gain;
		result->orders_changed += !last || oms_uuid_cmp(last, order_id) != 0;
		last = order_id;
	}
	take(applier, &sourcing);
	oms_source_events(&sourcing, false, events);
	oms_end_emptied(store, emptied);
	oms_source_finish(store, oms_unit_changes(1), &sourcing, events);
}

/*
 * oms_apply_joint_plan carries a plan out.  The caller acts as the owner, in this
 * scope.  What was gained goes off the result's cost_after.
 */
void
oms_apply_joint_plan(JointPlan *joint, const WavePlan *plan, OwnerScope *scope, JointResult *result)
{
	Applier		applier = {.joint = joint};

	list_changes(&applier, plan);
	if (applier.count == 0)
		return;
	applier.cells = palloc_extended((joint->world.nsupplies + 1) * sizeof(Cell), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	applier.loads = palloc0((joint->world.nplaces + 1) * sizeof(int64));
	lock_all(&applier, scope);
	carry_out(&applier, result);
}
