/*
 * supply.c
 *	  What there is to plan by: who has how much of what is wanted.
 *
 * sourcing_plan.c reads it before it plans, on a snapshot or with the stock rows locked,
 * and takes from it as it goes.  Units that stock holds give back are counted
 * in, and so is what is about to arrive.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "giveway.h"
#include "loads.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"
#include "supply.h"

#define SUPPLY_COLUMNS \
	"SELECT s.sku, s.location, s.available, l.priority::pg_catalog.int8, " IS_PARTNER("l")
#define SUPPLY_TABLES \
	" FROM @.stock s JOIN @.locations l ON l.code" EQ "s.location" \
	" WHERE s.sku" EQ "ANY ($1) AND l.active AND l.tracked"

static const StoreQuery read_supply = {
	SUPPLY_COLUMNS SUPPLY_TABLES " AND s.available" GT "0", 1, {TEXTARRAYOID}
};

/* As it will be once units have arrived. */
static const StoreQuery read_arriving = {
	"SELECT s.sku, s.location, pg_catalog.sum(s.available)::pg_catalog.int8, l.priority::pg_catalog.int8,"
	" " IS_PARTNER("l")
	" FROM (SELECT t.sku, t.location, t.available FROM @.stock t WHERE t.sku" EQ "ANY ($1) UNION ALL"
	" SELECT a.sku, a.location, a.units FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4))"
	" AS a(sku, location, units)) s JOIN @.locations l ON l.code" EQ "s.location WHERE l.active AND l.tracked"
	" GROUP BY s.sku, s.location, l.priority, l.kind HAVING pg_catalog.sum(s.available)" GT "0",
	4, {TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID}
};

static const StoreQuery lock_supply = {
	SUPPLY_COLUMNS SUPPLY_TABLES " ORDER BY s.sku, s.location FOR NO KEY UPDATE OF s",
	1, {TEXTARRAYOID}
};

static const StoreQuery lock_supply_at_hand = {
	SUPPLY_COLUMNS SUPPLY_TABLES " AND s.available" GT "0"
	" ORDER BY s.sku, s.location FOR NO KEY UPDATE OF s SKIP LOCKED",
	1, {TEXTARRAYOID}
};

/* The same where units of stock holds come back, also to rows without any. */
static const StoreQuery read_all_supply = {
	SUPPLY_COLUMNS SUPPLY_TABLES, 1, {TEXTARRAYOID}
};

static const StoreQuery lock_all_supply_at_hand = {
	SUPPLY_COLUMNS SUPPLY_TABLES " ORDER BY s.sku, s.location FOR NO KEY UPDATE OF s SKIP LOCKED",
	1, {TEXTARRAYOID}
};

/*
 * Locations that matter without stock: named, untracked, and the first that have
 * stock, our own before partners, as many as may be left over when some have
 * refused an order; with $3 the first partners too.
 */
#define FIRST_PLACES(some, order) \
	"ARRAY(SELECT f.code FROM @.locations f WHERE f.active AND f.tracked" some " ORDER BY " order "f.priority, f.code LIMIT $2)"

static const StoreQuery read_places = {
	"SELECT l.code, l.priority::pg_catalog.int8, l.tracked, " IS_PARTNER("l")
	" FROM @.locations l WHERE l.active AND (l.code" EQ "ANY ($1) OR NOT l.tracked OR l.code" EQ
	"ANY (" FIRST_PLACES("", IS_PARTNER("f") ", ") ") OR l.code" EQ
	"ANY (" FIRST_PLACES(" AND $3 AND " IS_PARTNER("f"), "") "))",
	3, {TEXTARRAYOID, INT8OID, BOOLOID}
};

static void add_back(const Sourcing *sourcing, World *world);

/*
 * compare_places orders by priority, then code.
 */
static int
compare_places(const void *a, const void *b)
{
	const Place *left = a;
	const Place *right = b;

	if (left->priority != right->priority)
		return left->priority < right->priority ? -1 : 1;
	return strcmp(left->code, right->code);
}

/*
 * compare_codes orders by code alone.
 */
static int
compare_codes(const void *a, const void *b)
{
	return strcmp(((const Place *) a)->code, ((const Place *) b)->code);
}

/*
 * compare_supplies orders by SKU, then place.
 */
static int
compare_supplies(const void *a, const void *b)
{
	const Supply *left = a;
	const Supply *right = b;
	int			order = strcmp(left->sku, right->sku);

	return order != 0 ? order : left->place - right->place;
}

/*
 * add_places adds the locations that matter beside those with stock.
 */
static void
add_places(Store *store, const Sourcing *sourcing, World *world)
{
	Array	   *named = oms_array(TEXTOID, 8);
	bool		needed = false;
	bool		by_partner = false;
	int64		first = 1;
	uint64		count;

	for (int i = 0; i < sourcing->count; i++)
	{
		const Demand *demand = &sourcing->demands[i];

		needed |= !demand->tracked || demand->by_partner || demand->location;
		by_partner |= !demand->tracked && demand->by_partner;
		first = Max(first, demand->nexcluded + 1);
		if (demand->location)
			oms_array_add_text(named, demand->location);
		if (demand->pickup_location)
			oms_array_add_text(named, demand->pickup_location);
	}
	if (!needed)
		return;
	if (sourcing->rules || !oms_rules_are_empty(sourcing->book))
		first = PG_INT32_MAX;	/* any of them may be denied, or be the best */
	count = oms_run(store, &read_places, (Datum[]) {oms_array_datum(named), Int64GetDatum(first), BoolGetDatum(by_partner)});
	world->places = repalloc_huge(world->places, (world->nplaces + count + 1) * sizeof(Place));
	for (uint64 i = 0; i < count; i++)
	{
		Place	   *place = &world->places[world->nplaces++];

		memset(place, 0, sizeof(Place));
		place->code = oms_column_text(i, 1);
		place->priority = oms_column_int64(i, 2);
		place->tracked = oms_column_bool(i, 3);
		place->is_partner = oms_column_bool(i, 4);
	}
}

/*
 * rank_places sorts the places and leaves each once.
 */
static void
rank_places(World *world)
{
	int			kept = 0;

	qsort(world->places, world->nplaces, sizeof(Place), compare_codes);
	for (int i = 0; i < world->nplaces; i++)
	{
		if (kept == 0 || strcmp(world->places[kept - 1].code, world->places[i].code) != 0)
			world->places[kept++] = world->places[i];
	}
	world->nplaces = kept;
	for (int i = 0; i < world->nsupplies; i++)
	{
		Place		key = {.code = world->supplies[i].location};
		Place	   *place = bsearch(&key, world->places, kept, sizeof(Place), compare_codes);

		world->supplies[i].place = place - world->places;
	}
}

/*
 * arriving_datums returns what arrives as arguments of read_arriving.
 */
static void
arriving_datums(const StockChanges *arriving, Datum *args)
{
	Array	   *skus = oms_array(TEXTOID, arriving->count);
	Array	   *locations = oms_array(TEXTOID, arriving->count);
	Array	   *units = oms_array(INT8OID, arriving->count);

	for (int i = 0; i < arriving->count; i++)
	{
		oms_array_add_text(skus, arriving->changes[i].sku);
		oms_array_add_text(locations, arriving->changes[i].location);
		oms_array_add_int64(units, arriving->changes[i].on_hand);
	}
	args[1] = oms_array_datum(skus);
	args[2] = oms_array_datum(locations);
	args[3] = oms_array_datum(units);
}

/*
 * rules_on reads the channels' rules on what is wanted.
 */
static ChannelRules *
rules_on(Store *store, const Sourcing *sourcing)
{
	Array	   *skus = oms_array(TEXTOID, sourcing->count);

	for (int i = 0; i < sourcing->count; i++)
		oms_array_add_text(skus, sourcing->demands[i].sku);
	return oms_channel_rules(store, skus);
}

/*
 * order_places sorts the places by priority, code breaking ties, and tells
 * supplies their ranks, which were those of codes.
 */
static void
order_places(World *world)
{
	int		   *ranks = palloc(Max(1, world->nplaces) * sizeof(int));
	Place	   *by_code = palloc(Max(1, world->nplaces) * sizeof(Place));

	for (int i = 0; i < world->nsupplies; i++)
		world->supplies[i].location = world->places[world->supplies[i].place].code;
	qsort(world->places, world->nplaces, sizeof(Place), compare_places);
	for (int i = 0; i < world->nplaces; i++)
	{
		by_code[i] = world->places[i];
		by_code[i].priority = i;
	}
	qsort(by_code, world->nplaces, sizeof(Place), compare_codes);
	for (int i = 0; i < world->nplaces; i++)
		ranks[i] = by_code[i].priority;
	for (int i = 0; i < world->nsupplies; i++)
		world->supplies[i].place = ranks[world->supplies[i].place];
}

/*
 * oms_read_world reads who has what.  With lock, all stock rows of the SKUs are
 * locked first, in their order, so that the plan cannot be overtaken.
 */
void
oms_read_world(Store *store, Sourcing *sourcing, bool lock, World *world)
{
	Array	   *skus = oms_array(TEXTOID, sourcing->count);
	const StockChanges *arriving = sourcing->arriving;
	bool		all = (sourcing->held && sourcing->held->count > 0) || sourcing->expired;
	const StoreQuery *query = arriving ? &read_arriving
		: sourcing->never_waits ? (all ? &lock_all_supply_at_hand : &lock_supply_at_hand)
		: lock ? &lock_supply : all ? &read_all_supply : &read_supply;
	Datum		args[4];
	uint64		count = 0;

	if (!sourcing->book)
		sourcing->book = oms_rule_book(store);
	sourcing->rules = oms_has_channel_rules(store) ? rules_on(store, sourcing) : NULL;
	for (int i = 0; i < sourcing->count; i++)
	{
		if (sourcing->demands[i].tracked)
			oms_array_add_text(skus, sourcing->demands[i].sku);
	}
	/* what the order does not want of its hold is written too */
	for (int i = 0; lock && sourcing->held && i < sourcing->held->count; i++)
		oms_array_add_text(skus, sourcing->held->changes[i].sku);
	args[0] = oms_array_datum(skus);
	if (arriving)
		arriving_datums(arriving, args);
	if (skus->count > 0)
		count = oms_run(store, query, args);

	world->places = palloc_extended((count + 1) * sizeof(Place), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	world->supplies = palloc_extended((count + 1) * sizeof(Supply), MCXT_ALLOC_HUGE);
	world->nplaces = world->nsupplies = count;
	for (uint64 i = 0; i < count; i++)
	{
		world->supplies[i].sku = oms_column_text(i, 1);
		world->supplies[i].location = oms_column_text(i, 2);
		world->supplies[i].left = oms_is_giving_way(store, world->supplies[i].sku, world->supplies[i].location)
			? 0 : oms_column_int64(i, 3);
		world->supplies[i].held = 0;
		world->places[i].code = world->supplies[i].location;
		world->places[i].priority = oms_column_int64(i, 4);
		world->places[i].tracked = true;
		world->places[i].is_partner = oms_column_bool(i, 5);
	}
	add_places(store, sourcing, world);
	rank_places(world);

	order_places(world);
	qsort(world->supplies, world->nsupplies, sizeof(Supply), compare_supplies);
	add_back(sourcing, world);
	oms_read_loads(store, sourcing, world, lock ? LOADS_LOCK : sourcing->never_waits ? LOADS_LOCK_AT_HAND : LOADS_READ);
}

/*
 * add_back counts in what stock holds give back: units of the order's own hold,
 * and of others that have expired.
 */
static void
add_back(const Sourcing *sourcing, World *world)
{
	const StockChanges *lists[] = {sourcing->held, sourcing->expired};

	for (int k = 0; k < (int) lengthof(lists); k++)
	{
		for (int i = 0; lists[k] && i < lists[k]->count; i++)
		{
			const StockChange *back = &lists[k]->changes[i];
			int			place = oms_find_place(world, back->location);
			Supply	   *supply = place < 0 ? NULL : oms_find_supply(world, back->sku, place);

			if (supply && k == 0)
				supply->held -= back->reserved;
			else if (supply)
				supply->left -= back->reserved;
		}
	}
}

/*
 * oms_is_fit tells whether a place is one of those that a demand may come from: the
 * one that is named, a partner for a partner's method, else any that counts stock.
 */
bool
oms_is_fit(const Place *place, const Demand *demand)
{
	if (demand->location)
		return strcmp(demand->location, place->code) == 0;
	return demand->by_partner ? place->is_partner : place->tracked;
}

/*
 * oms_find_place returns a place's rank, -1 where it is none.
 */
int
oms_find_place(const World *world, const char *code)
{
	for (int i = 0; i < world->nplaces; i++)
	{
		if (strcmp(world->places[i].code, code) == 0)
			return i;
	}
	return -1;
}

/*
 * oms_find_supply returns what a place has of a SKU, or NULL.
 */
Supply *
oms_find_supply(const World *world, const char *sku, int place)
{
	Supply		key = {.sku = sku, .place = place};

	return bsearch(&key, world->supplies, world->nsupplies, sizeof(Supply), compare_supplies);
}

/*
 * oms_first_supply returns where the supplies of a SKU begin, or would.
 */
int
oms_first_supply(const World *world, const char *sku)
{
	int			low = 0;
	int			high = world->nsupplies;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (strcmp(world->supplies[middle].sku, sku) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
