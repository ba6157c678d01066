/*
 * giveway.c
 *	  Setting stock to what it is, and what must give way to it.
 *
 * Reached from movement.c with the stock rows locked.  Where fewer units are
 * left than are reserved, stock holds give way (reclaim.c), then allocations,
 * until the rest is covered: of these the least advanced first (most moves away
 * from leaving, by the workflow's graph), then the youngest.  Their units are
 * divided off, with what must go along (companions.c), and take their
 * fulfillment's own move that does reroute, so they are sourced elsewhere or
 * become short, and the log tells.
 *
 * Fulfillments and orders are locked before stock everywhere else; here it is
 * the other way round, so nothing is waited for: what is busy raises 40001,
 * and sourcing passes over stock rows that are locked (oms_stock_is_locked).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "facts.h"
#include "fulfillment.h"
#include "giveway.h"
#include "machine.h"
#include "moves.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"
#include "stock.h"
#include "stock_hold.h"

static const StoreQuery read_allocations = {
	"SELECT f.id, f.order_id, f.number, f.workflow, f.status, l.order_line_id, l.quantity,"
	" (SELECT pg_catalog.sum(a.quantity)::pg_catalog.int8 FROM @.fulfillment_lines a WHERE a.fulfillment_id" EQ "f.id)"
	" FROM @.fulfillments f JOIN @.fulfillment_lines l ON l.fulfillment_id" EQ "f.id"
	" WHERE f.location" EQ "$2 AND f.stock_state" EQ "'reserved' AND l.sku" EQ "$1 AND l.tracked",
	2, {TEXTOID, TEXTOID}
};

static const StoreQuery lock_allocations = {
	"SELECT f.id FROM @.fulfillments f WHERE f.id" EQ "ANY ($1) ORDER BY f.id FOR NO KEY UPDATE SKIP LOCKED",
	1, {UUIDARRAYOID}
};

static const StoreQuery lock_their_orders = {
	"SELECT o.id FROM @.orders o WHERE o.id" EQ "ANY ($1) ORDER BY o.id FOR NO KEY UPDATE SKIP LOCKED",
	1, {UUIDARRAYOID}
};

static const StoreQuery read_reserved = {
	"SELECT s.reserved FROM @.stock s WHERE s.sku" EQ "$1 AND s.location" EQ "$2", 2, {TEXTOID, TEXTOID}
};

/*
 * Set once they have been rerouted, since until then their location, where
 * their units still are, is not to have them again.
 */
static const StoreQuery mark_gave_way = {
	"UPDATE @.fulfillments f SET gave_way = true, revision = f.revision" PLUS "1 WHERE f.id" EQ "ANY ($1)", 1, {UUIDARRAYOID}
};

/* A level that allocations are giving way to. */
typedef struct GivingWay
{
	const Store *store;
	const StockLevel *level;
	struct GivingWay *outer;
} GivingWay;

static bool stock_is_locked = false;
static GivingWay *giving_way = NULL;

static void move_allocations(Store *store, const StockLevel *level, int64 missing);
static void make_way(Store *store, StockLevel *level);

/*
 * oms_stock_is_locked tells sourcing that stock rows are held already, so that
 * it must not wait for others.
 */
bool
oms_stock_is_locked(void)
{
	return stock_is_locked;
}

/*
 * oms_set_stock_locked says so, and returns what was said before; the caller
 * restores that, after an error too.
 */
bool
oms_set_stock_locked(bool locked)
{
	bool		before = stock_is_locked;

	stock_is_locked = locked;
	return before;
}

/*
 * oms_is_giving_way tells whether units that are free at a location are only so
 * because they are about to be gone.
 */
bool
oms_is_giving_way(const Store *store, const char *sku, const char *location)
{
	for (const GivingWay *way = giving_way; way; way = way->outer)
	{
		if (way->store == store && strcmp(way->level->sku, sku) == 0 && strcmp(way->level->location, location) == 0)
			return true;
	}
	return false;
}

/*
 * is_undercut tells whether a level leaves less than is reserved.
 */
static bool
is_undercut(const StockLevel *level)
{
	return level->on_hand - level->unavailable < level->reserved;
}

/*
 * add_level adds what is to be written for a level.
 */
static void
add_level(StockChanges *changes, const StockLevel *level)
{
	StockChange *change = oms_stock_change(changes, level->sku, level->location);

	change->on_hand = level->on_hand - level->old_on_hand;
	change->unavailable = level->unavailable - level->old_unavailable;
	change->reserved = -level->given;
}

/*
 * write_levels writes changes to rows that are locked.
 */
static void
write_levels(Store *store, StockChanges *changes)
{
	oms_stock_merge(changes);
	if (!oms_stock_apply(store, changes))
		oms_refuse_interference("stock");
}

/*
 * oms_set_levels writes stock levels: first those that leave reservations
 * alone, then, one by one, those that allocations must give way to.
 */
void
oms_set_levels(Store *store, StockLevel *levels, int count)
{
	StockChanges *changes = oms_stock_changes(count);

	for (int i = 0; i < count; i++)
	{
		if (!is_undercut(&levels[i]))
			add_level(changes, &levels[i]);
	}
	write_levels(store, changes);

	for (int i = 0; i < count; i++)
	{
		StockLevel *level = &levels[i];
		GivingWay	way = {store, level, giving_way};
		bool		before = stock_is_locked;

		if (!is_undercut(level))
			continue;
		stock_is_locked = true;
		giving_way = &way;
		PG_TRY();
		{
			/* rerouting for another level may have reserved units here */
			(void) oms_run(store, &read_reserved, (Datum[]) {
				CStringGetTextDatum(level->sku), CStringGetTextDatum(level->location)
			});
			level->reserved = oms_column_int64(0, 1);
			make_way(store, level);
		}
		PG_FINALLY();
		{
			stock_is_locked = before;
			giving_way = way.outer;
		}
		PG_END_TRY();
		changes->count = 0;
		add_level(changes, level);
		write_levels(store, changes);
	}
}

/*
 * compare_allocations puts those first that give way first.
 */
static int
compare_allocations(const void *a, const void *b)
{
	const Allocation *left = a;
	const Allocation *right = b;

	if (left->distance != right->distance)
		return left->distance > right->distance ? -1 : 1;
	if (oms_uuid_cmp(&left->fulfillment_id, &right->fulfillment_id) != 0)
		return -oms_uuid_cmp(&left->fulfillment_id, &right->fulfillment_id);
	return -oms_uuid_cmp(&left->line_id, &right->line_id);
}

/*
 * find_allocations reads what is reserved at a level, in the order in which it
 * gives way.
 */
static Allocation *
find_allocations(Store *store, const StockLevel *level, int *count)
{
	uint64		found;
	Allocation *list;

	oms_keep_workflows(store, ENTITY_FULFILLMENT);
	found = oms_run(store, &read_allocations, (Datum[]) {
		CStringGetTextDatum(level->sku), CStringGetTextDatum(level->location)
	});
	list = palloc_extended(Max(1, found) * sizeof(Allocation), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint64 i = 0; i < found; i++)
	{
		Allocation *allocation = &list[i];
		Machine    *machine = oms_machine(store, oms_column_name(i, 4), ENTITY_FULFILLMENT);
		int			state;
		const MachineMove *move;

		allocation->fulfillment_id = oms_column_uuid(i, 1);
		allocation->order_id = oms_column_uuid(i, 2);
		allocation->number = oms_column_name(i, 3);
		allocation->status = oms_column_name(i, 5);
		allocation->line_id = oms_column_uuid(i, 6);
		allocation->quantity = oms_column_int64(i, 7);
		allocation->whole = oms_column_int64(i, 8);
		state = oms_machine_state(machine, allocation->status);
		move = oms_machine_move_by_action(machine, state, "reroute");
		allocation->target = move ? oms_machine_state_name(machine, move->to) : NULL;
		allocation->distance = state < 0 ? 0 : machine->distance[state];
	}
	qsort(list, found, sizeof(Allocation), compare_allocations);
	*count = (int) found;
	return list;
}

/*
 * refuse_undercut raises OM003 and names what is in the way.
 */
static void
refuse_undercut(const StockLevel *level, const Allocation *list, int count)
{
	StringInfoData names;
	int64		held = level->reserved - level->given;

	initStringInfo(&names);
	for (int i = 0; i < count; i++)
	{
		held -= list[i].quantity;
		if (i < 10)
			appendStringInfo(&names, "%s\"%s\" (" INT64_FORMAT ", %s)", i == 0 ? "fulfillments " : ", ", list[i].number,
							 list[i].quantity, list[i].status);
	}
	if (count > 10)
		appendStringInfo(&names, " and %d more", count - 10);
	if (held > 0)
		appendStringInfo(&names, "%sstock holds (" INT64_FORMAT ")", count > 0 ? " and " : "", held);
	ereport(ERROR,
			(errcode(ERRCODE_OMS_INSUFFICIENT_STOCK),
			 errmsg("not enough stock: " INT64_FORMAT " units of sku \"%s\" would be left at location \"%s\", but "
					INT64_FORMAT " are reserved by %s",
					level->on_hand - level->unavailable, level->sku, level->location, level->reserved - level->given, names.data),
			 count > 0 ? errhint("Cancel, reject or ship those fulfillments first.") : errhint("Release those stock holds first.")));
}

/*
 * lock_without_waiting locks what gives way: fulfillments, then orders.
 */
static void
lock_without_waiting(Store *store, const Allocation *list, int count)
{
	Array	   *ids = oms_array(UUIDOID, count);
	Array	   *orders = oms_array(UUIDOID, count);

	for (int pass = 0; pass < 2; pass++)
	{
		const StoreQuery *query = pass == 0 ? &lock_allocations : &lock_their_orders;
		Array	   *wanted = pass == 0 ? ids : orders;
		pg_uuid_t  *locked;
		uint64		found;

		for (int i = 0; i < count; i++)
			oms_array_add_uuid(wanted, pass == 0 ? &list[i].fulfillment_id : &list[i].order_id);
		found = oms_run(store, query, (Datum[]) {oms_array_datum(wanted)});
		locked = palloc_extended(Max(1, found) * sizeof(pg_uuid_t), MCXT_ALLOC_HUGE);
		for (uint64 j = 0; j < found; j++)
			locked[j] = oms_column_uuid(j, 1);
		for (int i = 0; i < count; i++)
		{
			if (!bsearch(DatumGetUUIDP(wanted->values[i]), locked, found, sizeof(pg_uuid_t), oms_uuid_cmp))
				oms_busy(list[i].number);
		}
	}
}

/*
 * require_unchanged raises 40001 where an allocation was divided or moved
 * between its reading and its locking.
 */
static void
require_unchanged(Store *store, const StockLevel *level, const Allocation *list, int count)
{
	int			nnow;
	Allocation *now = find_allocations(store, level, &nnow);

	for (int i = 0; i < count; i++)
	{
		const Allocation *same = bsearch(&list[i], now, nnow, sizeof(Allocation), compare_allocations);

		if (!same || same->quantity != list[i].quantity || same->whole != list[i].whole ||
			strcmp(same->status, list[i].status) != 0)
			oms_busy(list[i].number);
	}
}

/*
 * make_way has stock holds, then allocations give way until the level covers
 * what is reserved.
 */
static void
make_way(Store *store, StockLevel *level)
{
	int64		missing = level->reserved - (level->on_hand - level->unavailable);

	if (missing > 0)
		level->given = oms_give_holds(store, level, missing);
	if (level->given < missing)
		move_allocations(store, level, missing - level->given);
}

/*
 * move_allocations has allocations of so many units give way.
 */
static void
move_allocations(Store *store, const StockLevel *level, int64 missing)
{
	int			count;
	int			used = 0;
	Allocation *all = find_allocations(store, level, &count);
	Allocation *list = palloc_extended(Max(1, count) * sizeof(Allocation), MCXT_ALLOC_HUGE);
	SplitPart  *parts;
	int			nparts = 0;
	Array	   *ids = oms_array(UUIDOID, count);
	Array	   *from = oms_array(TEXTOID, count);
	Array	   *to = oms_array(TEXTOID, count);
	Array	   *reasons = oms_array(TEXTOID, count);

	for (int i = 0; i < count && missing > 0 && !level->refuses; i++)
	{
		if (!all[i].target)
			continue;
		list[used] = all[i];
		list[used].taken = Min(missing, all[i].quantity);
		missing -= list[used++].taken;
	}
	if (missing > 0)
		refuse_undercut(level, all, count);
	lock_without_waiting(store, list, used);
	require_unchanged(store, level, list, used);
	list = oms_add_companions(store, level, list, &used);
	parts = palloc0(Max(1, used) * sizeof(SplitPart));

	for (int i = 0, next; i < used; i = next)
	{
		int64		taken = 0;

		for (next = i; next < used && oms_uuid_cmp(&list[next], &list[i]) == 0; next++)
			taken += list[next].taken;
		for (int j = i; j < next && taken < list[i].whole; j++)
		{
			SplitPart  *part = &parts[nparts++];

			part->fulfillment_id = list[j].fulfillment_id;
			part->order_id = list[j].order_id;
			part->line_id = list[j].line_id;
			part->quantity = list[j].taken;
		}
	}
	oms_split(store, parts, nparts);

	nparts = 0;
	for (int i = 0; i < used; i++)
	{
		const pg_uuid_t *id = &list[i].fulfillment_id;
		bool		is_part = nparts < used && oms_uuid_cmp(&parts[nparts].fulfillment_id, id) == 0;
		bool		is_new = i == 0 || oms_uuid_cmp(&list[i], &list[i - 1]) != 0;

		if (is_new)
		{
			oms_array_add_uuid(ids, is_part ? &parts[nparts].new_id : id);
			oms_array_add_text(from, list[i].status);
			oms_array_add_text(to, list[i].target);
			oms_array_add_null(reasons);
		}
		if (is_part)
			nparts++;
	}
	oms_move_fulfillments(store, ids, from, to, reasons);
	if (oms_run(store, &mark_gave_way, (Datum[]) {oms_array_datum(ids)}) != ids->count)
		oms_refuse_interference("fulfillments");
}
