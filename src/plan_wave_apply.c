/*
 * plan_wave_apply.c
 *	  A plan for many orders, carried out as far as it still holds.
 *
 * What does is found under locks (plan_wave_choose.c).  All is given back and taken
 * by one UPDATE, so that nobody else ever sees a unit free in between.
 *
 * Fulfillments from which all goes as before stay.  The others are emptied, as
 * merged ones are (merge.c), and new ones made.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "fulfillment.h"
#include "loads.h"
#include "oms.h"
#include "plan.h"
#include "plan_wave.h"
#include "rows.h"

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
		sum += way->pair_money[oms_wave_pair(order, flows[k].line, flows[k].location)] * flows[k].quantity;
	}
	return sum;
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
 * is_same_parcel tells whether moves are of one fulfillment.
 */
static bool
is_same_parcel(const WaveMove *a, const WaveMove *b)
{
	return a->place == b->place && a->parcel == b->parcel;
}

/*
 * mark_staying marks the moves of parcels of which all goes as before.
 */
static void
mark_staying(WayChange *change)
{
	for (int i = 0, next; i < change->nmoves; i = next)
	{
		bool		stays = true;

		for (next = i; next < change->nmoves && is_same_parcel(&change->moves[next], &change->moves[i]); next++)
			stays &= change->moves[next].before == change->moves[next].after;
		for (int k = i; k < next; k++)
			change->moves[k].stays = stays;
	}
}

/*
 * compare_ways says what a way's units do: it merges what it has and what it is to
 * have.
 */
static void
compare_ways(const JointPlan *joint, int number, const WaveOrderPlan *plan, WayChange *change)
{
	const WaveOrder *order = &joint->problem.orders[number];
	const WaveWay *way = &joint->ways[number];
	int			count;
	WaveUnits  *planned = oms_wave_units_of(way, plan->flows, plan->nflows, &count);
	int			b = 0;
	int			a = 0;

	memset(change, 0, sizeof(WayChange));
	change->way = way;
	change->moves = palloc((way->nheld + count + 1) * sizeof(WaveMove));
	change->gain = oms_wave_money(way, order, order->flows, order->nflows) - oms_wave_money(way, order, plan->flows, plan->nflows);
	oms_aim_costs(joint->planner.costs, &joint->world, &way->demands[0]);
	while (b < way->nheld || a < count)
	{
		const WaveUnits *before = b < way->nheld ? &way->held[b] : NULL;
		const WaveUnits *after = a < count ? &planned[a] : NULL;
		int			which = !before ? 1 : !after ? -1 : oms_compare_wave_units(before, after);
		const WaveUnits *units = which <= 0 ? before : after;
		const Demand *demand = &way->demands[units->demand];
		WaveMove   *move = &change->moves[change->nmoves++];

		move->demand = units->demand;
		move->place = units->place;
		move->parcel = units->parcel;
		move->cell = demand->tracked ? (int) (oms_find_supply(&joint->world, demand->sku, move->place) - joint->world.supplies) : -1;
		move->before = which <= 0 ? before->quantity : 0;
		move->after = which >= 0 ? after->quantity : 0;
		move->money = oms_demand_cost(joint->planner.costs, move->place, demand);
		b += which <= 0;
		a += which >= 0;
	}
	mark_staying(change);
}

/*
 * list_changes lists the ways that the plan changes.
 */
static void
list_changes(WaveApplier *applier, const WavePlan *plan)
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
 * empty_holdings gives back what a way's fulfillments hold that do not stay.
 */
static void
empty_holdings(const WaveApplier *applier, const WayChange *change, Emptied *emptied, Sourcing *sourcing)
{
	const pg_uuid_t *last = NULL;
	WaveHolding *holdings = palloc((change->way->nholdings + 1) * sizeof(WaveHolding));

	memcpy(holdings, change->way->holdings, change->way->nholdings * sizeof(WaveHolding));
	qsort(holdings, change->way->nholdings, sizeof(WaveHolding), oms_compare_wave_holdings);
	for (int k = 0; k < change->way->nholdings; k++)
	{
		const WaveHolding *holding = &holdings[k];
		bool		stays = true;

		for (int m = 0; m < change->nmoves; m++)
			stays &= change->moves[m].place != holding->place || change->moves[m].parcel != change->way->parcels[holding->demand] ||
				change->moves[m].stays;
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
 * keep_promise has what goes in one parcel be promised as the first of it was.
 */
static void
keep_promise(const WayChange *change, Piece *pieces, int count)
{
	TimestampTz first = DT_NOEND;

	for (int i = 0; i < count; i++)
		first = Min(first, change->way->promised_at[pieces[i].demand - change->way->demands]);
	for (int i = 0; i < count; i++)
	{
		pieces[i].has_promise = !TIMESTAMP_IS_NOEND(first);
		pieces[i].promised_at = first;
	}
}

/*
 * add_piece adds what a way gets from a place.
 */
static void
add_piece(const WaveApplier *applier, const WayChange *change, const WaveMove *move, Sourcing *sourcing)
{
	const Place *place = &applier->joint->world.places[move->place];
	Piece	   *piece = &sourcing->pieces[sourcing->npieces++];

	memset(piece, 0, sizeof(Piece));
	piece->demand = &change->way->demands[move->demand];
	piece->location = place->code;
	piece->place = move->place;
	piece->tracked = piece->demand->tracked;
	piece->quantity = move->after;
	piece->unit_cost = move->money;
	piece->is_limited = place->is_limited;
	piece->load_day = place->day;
	piece->most = place->most;
	piece->is_first_load = place->is_limited && !place->has_row;
}

/*
 * add_pieces adds what a way gets instead.
 */
static void
add_pieces(const WaveApplier *applier, const WayChange *change, Sourcing *sourcing)
{
	for (int i = 0, next; i < change->nmoves; i = next)
	{
		int			first = sourcing->npieces;

		for (next = i; next < change->nmoves && is_same_parcel(&change->moves[next], &change->moves[i]); next++)
		{
			if (!change->moves[next].stays && change->moves[next].after > 0)
				add_piece(applier, change, &change->moves[next], sourcing);
		}
		keep_promise(change, &sourcing->pieces[first], sourcing->npieces - first);
	}
}

/*
 * take writes stock and days.
 */
static void
take(const WaveApplier *applier, const Sourcing *sourcing)
{
	const World *world = &applier->joint->world;
	StockChanges *list = oms_stock_changes(64);

	for (int s = 0; s < world->nsupplies; s++)
	{
		const WaveCell *cell = &applier->cells[s];
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
carry_out(const WaveApplier *applier, JointResult *result)
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
	WaveApplier applier = {.joint = joint};

	list_changes(&applier, plan);
	if (applier.count == 0)
		return;
	applier.cells = palloc_extended((joint->world.nsupplies + 1) * sizeof(WaveCell), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	applier.loads = palloc0((joint->world.nplaces + 1) * sizeof(int64));
	oms_lock_joint_plan(&applier, scope);
	for (int i = 0; i < applier.count; i++)
	{
		const WayChange *change = &applier.changes[i];

		if (change->is_out && change->why != SKIP_NONE)
			oms_wave_skip(joint, &change->way->demands[0].order_id, change->why);
	}
	carry_out(&applier, result);
}
