/*
 * plan_wave_choose.c
 *	  Of a plan for many orders, what still holds.
 *
 * While the plan was made nothing was locked.  Now the fulfillments and orders
 * that it changes are, those that another session has at the moment left out,
 * with what has changed meanwhile; then the stock.  With all locks taken, so that
 * nothing is waited for any more, rules and costs are read once more, and who is to
 * get something that they would not give him, or at other costs than the plan was
 * made by, is left out (plan_wave_check.c).  By the stock as it is then, orders are
 * left out until the rest can have what they are to get: so the one UPDATE that
 * gives back and takes (plan_wave_apply.c) cannot fail.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "loads.h"
#include "machine.h"
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

/*
 * leave_out has a way stay as it is.
 */
static void
leave_out(WayChange *change, WaveSkip why)
{
	change->is_out = true;
	change->why = why;
}

/*
 * keep_locked leaves out ways with an id that is not among the rows that were
 * locked, which are sorted.
 */
static void
keep_locked(WaveApplier *applier, uint64 count, bool by_order)
{
	pg_uuid_t  *locked = palloc_extended((count + 1) * sizeof(pg_uuid_t), MCXT_ALLOC_HUGE);

	for (uint64 i = 0; i < count; i++)
		locked[i] = oms_column_uuid(i, 1);
	for (int i = 0; i < applier->count; i++)
	{
		WayChange  *change = &applier->changes[i];

		for (int k = 0; k < change->way->nholdings && !change->is_out; k++)
		{
			if (!bsearch(by_order ? &change->way->demands[0].order_id : &change->way->holdings[k].fulfillment_id,
						 locked, count, sizeof(pg_uuid_t), oms_uuid_cmp))
				leave_out(change, SKIP_BUSY);
		}
	}
}

/*
 * ids_of returns the fulfillments of the ways that are still in, or their orders.
 */
static Array *
ids_of(const WaveApplier *applier, bool orders)
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
 * oms_compare_wave_holdings orders by fulfillment, then line.
 */
int
oms_compare_wave_holdings(const void *a, const void *b)
{
	const WaveHolding *left = a;
	const WaveHolding *right = b;
	int			order = oms_uuid_cmp(&left->fulfillment_id, &right->fulfillment_id);

	return order != 0 ? order : oms_uuid_cmp(&left->line_id, &right->line_id);
}

/*
 * is_unchanged tells whether what a fulfillment holds, found again, is what it was.
 * What people write adds nothing to a revision.
 */
static bool
is_unchanged(const WaveHolding *then, const Demand *wanted, const WaveHolding *now, const Demand *demands)
{
	return now->skip == SKIP_NONE && now->quantity == then->quantity && now->revision == then->revision &&
		now->order_revision == then->order_revision && now->promised_at == then->promised_at &&
		oms_is_same_way(&demands[now->demand], wanted);
}

/*
 * keep_unchanged leaves out ways whose fulfillments are not what they were.
 */
static void
keep_unchanged(WaveApplier *applier)
{
	int			count;
	Demand	   *demands;
	WaveHolding *now = oms_read_wave_holdings(applier->joint->store, ids_of(applier, false), &demands, NULL, &count);

	qsort(now, count, sizeof(WaveHolding), oms_compare_wave_holdings);
	for (int i = 0; i < applier->count; i++)
	{
		WayChange  *change = &applier->changes[i];

		for (int k = 0; k < change->way->nholdings && !change->is_out; k++)
		{
			const WaveHolding *then = &change->way->holdings[k];
			const WaveHolding *found = bsearch(then, now, count, sizeof(WaveHolding), oms_compare_wave_holdings);

			if (!found || !is_unchanged(then, &change->way->demands[then->demand], found, demands))
				leave_out(change, SKIP_CHANGED);
		}
	}
}

/*
 * add_up adds what a way does to cells and days, or takes it off again.
 */
static void
add_up(WaveApplier *applier, const WayChange *change, int sign)
{
	JointPlan  *joint = applier->joint;

	for (int k = 0; k < change->nmoves; k++)
	{
		const WaveMove *move = &change->moves[k];

		if (move->cell >= 0)
		{
			applier->cells[move->cell].net += sign * (move->after - move->before);
			applier->cells[move->cell].takers += move->after > move->before ? sign : 0;
		}
		if (!move->stays && joint->world.places[move->place].is_limited)
			applier->loads[move->place] += sign * move->after;
	}
	for (int k = 0; k < change->way->nholdings; k++)
	{
		const WaveHolding *holding = &change->way->holdings[k];
		const Place *place = &joint->world.places[holding->place];

		if (!place->is_limited || !holding->has_day || holding->day != place->day)
			continue;
		for (int m = 0; m < change->nmoves; m++)
		{
			if (change->moves[m].place == holding->place && change->moves[m].demand == holding->demand && !change->moves[m].stays)
				applier->loads[holding->place] -= sign * holding->quantity;
		}
	}
}

/*
 * lock_cells locks the stock that the ways touch, and reads what there is.
 */
static void
lock_cells(WaveApplier *applier)
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
			const WaveMove *move = &change->moves[k];
			const Demand *demand = &change->way->demands[move->demand];

			if (move->cell < 0 || applier->cells[move->cell].is_touched)
				continue;
			applier->cells[move->cell].is_touched = true;
			oms_array_add_text(skus, demand->sku);
			oms_array_add_text(locations, joint->world.places[move->place].code);
		}
	}
	count = oms_run(joint->store, &lock_stock, (Datum[]) {oms_array_datum(skus), oms_array_datum(locations)});
	for (uint64 i = 0; i < count; i++)
	{
		int			place = oms_find_place(&joint->world, oms_column_name(i, 2));
		WaveCell   *cell = &applier->cells[oms_find_supply(&joint->world, oms_column_name(i, 1), place) - joint->world.supplies];

		cell->is_there = true;
		cell->available = oms_column_int64(i, 3);
	}
}

/*
 * touched_places returns the places that the ways touch; which: of the world's they are.
 */
static World
touched_places(const WaveApplier *applier, int *which)
{
	const World *world = &applier->joint->world;
	bool	   *is_touched = palloc0(world->nplaces + 1);
	World		touched = {.places = palloc((world->nplaces + 1) * sizeof(Place))};

	for (int i = 0; i < applier->count; i++)
	{
		const WayChange *change = &applier->changes[i];

		for (int k = 0; k < change->nmoves && !change->is_out; k++)
			is_touched[change->moves[k].place] = true;
	}
	for (int place = 0; place < world->nplaces; place++)
	{
		if (!is_touched[place])
			continue;
		which[touched.nplaces] = place;
		touched.places[touched.nplaces++] = world->places[place];
	}
	return touched;
}

/*
 * lock_days locks the rows of the days that units go off and onto, the old ones
 * first, all in their order; then it reads how much room is left of today.  Which
 * locations are limited may have changed.
 */
static void
lock_days(WaveApplier *applier)
{
	JointPlan  *joint = applier->joint;
	Array	   *locations = oms_array(TEXTOID, 16);
	Array	   *days = oms_array(DATEOID, 16);
	int		   *which = palloc((joint->world.nplaces + 1) * sizeof(int));
	World		touched = touched_places(applier, which);

	joint->sourcing.book = oms_rule_book(joint->store);
	oms_read_loads(joint->store, &joint->sourcing, &touched, LOADS_READ);
	for (int place = 0; place < touched.nplaces; place++)
	{
		if (!touched.places[place].is_limited)
			continue;
		oms_array_add_text(locations, touched.places[place].code);
		oms_array_add(days, DateADTGetDatum(touched.places[place].day));
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
	if (locations->count > 0)
	{
		(void) oms_run(joint->store, &lock_loads, (Datum[]) {oms_array_datum(locations), oms_array_datum(days)});
		oms_read_loads(joint->store, &joint->sourcing, &touched, LOADS_LOCK);
	}
	for (int place = 0; place < touched.nplaces; place++)
		joint->world.places[which[place]] = touched.places[place];
}

/*
 * fits tells whether all who get more of a cell, or of a place's day, can.
 */
static bool
fits(const WaveApplier *applier, const WaveMove *move)
{
	const WaveCell *cell = move->cell < 0 ? NULL : &applier->cells[move->cell];
	const Place *place = &applier->joint->world.places[move->place];
	int64		load = applier->loads[move->place];

	if (cell && (!cell->is_there || (cell->takers > 0 && cell->available - cell->net < cell->leaves)))
		return false;
	return !place->is_limited || load <= 0 || load <= place->room;
}

/*
 * is_possible tells whether all that a way takes more of is there.
 */
static bool
is_possible(const WaveApplier *applier, const WayChange *change)
{
	for (int k = 0; k < change->nmoves; k++)
	{
		const WaveMove *move = &change->moves[k];

		bool		takes = (!move->stays && move->after > 0) || move->after > move->before;

		if ((takes || (move->cell >= 0 && !applier->cells[move->cell].is_there)) && !fits(applier, move))
			return false;
	}
	return true;
}

/*
 * is_needed tells whether somebody needs what a way, which is out, would give.
 */
static bool
is_needed(const WaveApplier *applier, const WayChange *change)
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
choose(WaveApplier *applier)
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
			goes_on = true;
			leave_out(list[i], SKIP_GONE);
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
 * oms_lock_joint_plan locks what the plan changes and leaves out what cannot be had.  The caller
 * acts as the owner, in this scope.
 */
void
oms_lock_joint_plan(WaveApplier *applier, OwnerScope *scope)
{
	Store	   *store = applier->joint->store;

	oms_leave_owner(scope);
	keep_locked(applier, oms_run(store, &lock_fulfillments, (Datum[]) {oms_array_datum(ids_of(applier, false))}), false);
	oms_become_owner(store, scope);
	keep_locked(applier, oms_run(store, &lock_orders, (Datum[]) {oms_array_datum(ids_of(applier, true))}), true);
	oms_keep_workflows(store, ENTITY_FULFILLMENT);
	keep_unchanged(applier);
	lock_cells(applier);
	lock_days(applier);
	oms_wave_check_rules(applier);
	choose(applier);
}
