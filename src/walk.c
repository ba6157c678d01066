/*
 * walk.c
 *	  The plan: which location serves which units, by priority.
 *
 * Lines of an order that go the same way (method, pickup location, address,
 * ship group) are a group.  The first location in order of priority that has
 * all of a group serves it; where none has, each line walks the locations by
 * priority and takes what is there; of bundles, whole kits first.  Pickup prefers the pickup location.
 *
 * The plan is advice, made on a snapshot; sourcing.c takes the stock, and asks
 * again where it was faster than the snapshot.
 *
 * Where a channel may not take a SKU, or must leave so many, channel_rules.c
 * says; stores have few such rules or none.
 *
 * A location that keeps its own books (not tracked) has no limit here, and so
 * serves only lines that name it and lines whose method is a partner's.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "oms.h"
#include "plan.h"
#include "rows.h"
#include "sourcing.h"

#define SUPPLY_COLUMNS \
	"SELECT s.sku, s.location, s.available, l.priority::pg_catalog.int8, l.kind" EQ "'supplier' OR l.kind" EQ "'third_party'"
#define SUPPLY_TABLES \
	" FROM @.stock s JOIN @.locations l ON l.code" EQ "s.location" \
	" WHERE s.sku" EQ "ANY ($1) AND l.active AND l.tracked"

static const StoreQuery read_supply = {
	SUPPLY_COLUMNS SUPPLY_TABLES " AND s.available" GT "0", 1, {TEXTARRAYOID}
};

/* As it will be once units have arrived. */
static const StoreQuery read_arriving = {
	"SELECT s.sku, s.location, pg_catalog.sum(s.available)::pg_catalog.int8, l.priority::pg_catalog.int8,"
	" l.kind" EQ "'supplier' OR l.kind" EQ "'third_party'"
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
#define IS_PARTNER(l) l ".kind" EQ "'supplier' OR " l ".kind" EQ "'third_party'"
#define FIRST_PLACES(some, order) \
	"ARRAY(SELECT f.code FROM @.locations f WHERE f.active AND f.tracked" some " ORDER BY " order "f.priority, f.code LIMIT $2)"

static const StoreQuery read_places = {
	"SELECT l.code, l.priority::pg_catalog.int8, l.tracked, " IS_PARTNER("l")
	" FROM @.locations l WHERE l.active AND (l.code" EQ "ANY ($1) OR NOT l.tracked OR l.code" EQ
	"ANY (" FIRST_PLACES("", IS_PARTNER("f") ", ") ") OR l.code" EQ
	"ANY (" FIRST_PLACES(" AND $3 AND (" IS_PARTNER("f") ")", "") "))",
	3, {TEXTARRAYOID, INT8OID, BOOLOID}
};

typedef struct Place
{
	const char *code;
	int64		priority;
	bool		tracked;
	bool		is_partner;
} Place;

typedef struct Supply
{
	const char *sku;
	const char *location;		/* until places are sorted */
	int			place;			/* its rank */
	int64		left;
	int64		held;			/* more than that, for the order alone */
} Supply;

typedef struct World
{
	Place	   *places;			/* by priority, then code */
	int			nplaces;
	Supply	   *supplies;		/* by SKU, then place */
	int			nsupplies;
} World;

static void read_world(Store *store, Sourcing *sourcing, bool lock, World *world);
static Supply *find_supply(const World *world, const char *sku, int place);
static void plan_order(Sourcing *sourcing, World *world, int first, int next, Demand **group, bool *done);
static void add_back(const Sourcing *sourcing, World *world);
static void join_pieces(Sourcing *sourcing);
static void plan_group(Sourcing *sourcing, World *world, Demand **group, int count);

/*
 * same_text compares two texts that may be NULL.
 */
static bool
same_text(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a, b) == 0;
}

/*
 * same_group tells whether two demands go the same way.
 */
static bool
same_group(const Demand *a, const Demand *b)
{
	return oms_uuid_cmp(&a->order_id, &b->order_id) == 0 &&
		strcmp(a->method, b->method) == 0 &&
		same_text(a->location, b->location) &&
		same_text(a->pickup_location, b->pickup_location) &&
		same_text(a->ship_group, b->ship_group) &&
		a->has_ship_to == b->has_ship_to &&
		(!a->has_ship_to || oms_uuid_cmp(&a->ship_to, &b->ship_to) == 0);
}

/*
 * oms_walk_plan fills in the sourcing's pieces and what each demand found.
 */
void
oms_walk_plan(Store *store, Sourcing *sourcing, bool lock)
{
	World		world;
	bool	   *done = palloc0(Max(1, sourcing->count) * sizeof(bool));
	Demand	  **group = palloc(Max(1, sourcing->count) * sizeof(Demand *));

	read_world(store, sourcing, lock, &world);
	sourcing->npieces = 0;
	for (int i = 0; i < sourcing->count; i++)
	{
		sourcing->demands[i].found = 0;
		sourcing->demands[i].last_piece = -1;
	}

	for (int i = 0, next; i < sourcing->count; i = next)
	{
		for (next = i + 1; next < sourcing->count &&
			 oms_uuid_cmp(&sourcing->demands[i].order_id, &sourcing->demands[next].order_id) == 0; next++)
			;
		plan_order(sourcing, &world, i, next, group, done);
	}
	join_pieces(sourcing);
}

/*
 * take_back takes pieces out of the plan again, all since there were so many.
 */
static void
take_back(Sourcing *sourcing, World *world, int before)
{
	while (sourcing->npieces > before)
	{
		Piece	   *piece = &sourcing->pieces[--sourcing->npieces];

		piece->demand->found -= piece->quantity;
		if (piece->tracked)
		{
			Supply	   *supply = find_supply(world, piece->demand->sku, piece->place);

			supply->held += piece->held;
			supply->left += piece->quantity - piece->held;
		}
	}
}

/*
 * plan_order finds places for the demands of one order, group by group; where it
 * wants all or nothing and there is not all, it leaves the plan as it was.
 */
static void
plan_order(Sourcing *sourcing, World *world, int first, int next, Demand **group, bool *done)
{
	int			before = sourcing->npieces;
	bool		is_complete = true;

	for (int i = first; i < next; i++)
	{
		int			members = 0;

		for (int j = i; j < next && !done[i]; j++)
		{
			if (done[j] || !same_group(&sourcing->demands[i], &sourcing->demands[j]))
				continue;
			if (j > i)
				done[j] = true;
			group[members++] = &sourcing->demands[j];
		}
		done[i] = true;
		if (members > 0)
			plan_group(sourcing, world, group, members);
	}
	for (int i = first; i < next; i++)
		is_complete &= sourcing->demands[i].found == sourcing->demands[i].quantity;
	if (sourcing->demands[first].is_whole && !is_complete)
		take_back(sourcing, world, before);
}

/*
 * join_pieces makes one piece of what a demand gets from one place: units that
 * were held for it, kits, and the rest.
 */
static void
join_pieces(Sourcing *sourcing)
{
	int			kept = 0;

	for (int i = 0; i < sourcing->npieces; i++)
	{
		const Piece *piece = &sourcing->pieces[i];
		Demand	   *demand = piece->demand;
		int			same = demand->last_piece;

		while (same >= 0 && sourcing->pieces[same].place != piece->place)
			same = sourcing->pieces[same].previous;
		if (same >= 0)
		{
			sourcing->pieces[same].quantity += piece->quantity;
			sourcing->pieces[same].held += piece->held;
			sourcing->pieces[same].leaves = Max(sourcing->pieces[same].leaves, piece->leaves);
			continue;
		}
		sourcing->pieces[kept] = *piece;
		sourcing->pieces[kept].previous = demand->last_piece;
		demand->last_piece = kept++;
	}
	sourcing->npieces = kept;
}

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
 * find_place returns a place's rank, -1 where it is none.
 */
static int
find_place(const World *world, const char *code)
{
	for (int i = 0; i < world->nplaces; i++)
	{
		if (strcmp(world->places[i].code, code) == 0)
			return i;
	}
	return -1;
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
	if (sourcing->rules)
		first = PG_INT32_MAX;	/* any of them may be denied */
	count = oms_run(store, &read_places, (Datum[]) {oms_array_datum(named), Int64GetDatum(first), BoolGetDatum(by_partner)});
	world->places = repalloc_huge(world->places, (world->nplaces + count + 1) * sizeof(Place));
	for (uint64 i = 0; i < count; i++)
	{
		Place	   *place = &world->places[world->nplaces++];

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
 * read_world reads who has what.  With lock, all stock rows of the SKUs are
 * locked first, in their order, so that the plan cannot be overtaken.
 */
static void
read_world(Store *store, Sourcing *sourcing, bool lock, World *world)
{
	Array	   *skus = oms_array(TEXTOID, sourcing->count);
	const StockChanges *arriving = sourcing->arriving;
	bool		all = (sourcing->held && sourcing->held->count > 0) || sourcing->expired;
	const StoreQuery *query = arriving ? &read_arriving
		: sourcing->never_waits ? (all ? &lock_all_supply_at_hand : &lock_supply_at_hand)
		: lock ? &lock_supply : all ? &read_all_supply : &read_supply;
	Datum		args[4];
	int		   *ranks;
	uint64		count = 0;

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

	world->places = palloc_extended((count + 1) * sizeof(Place), MCXT_ALLOC_HUGE);
	world->supplies = palloc_extended((count + 1) * sizeof(Supply), MCXT_ALLOC_HUGE);
	world->nplaces = world->nsupplies = count;
	for (uint64 i = 0; i < count; i++)
	{
		world->supplies[i].sku = oms_column_text(i, 1);
		world->supplies[i].location = oms_column_text(i, 2);
		world->supplies[i].left = oms_column_int64(i, 3);
		world->supplies[i].held = 0;
		world->places[i].code = world->supplies[i].location;
		world->places[i].priority = oms_column_int64(i, 4);
		world->places[i].tracked = true;
		world->places[i].is_partner = oms_column_bool(i, 5);
	}
	add_places(store, sourcing, world);
	rank_places(world);

	/* from order of code to order of priority; code breaks ties */
	for (int i = 0; i < world->nsupplies; i++)
		world->supplies[i].location = world->places[world->supplies[i].place].code;
	qsort(world->places, world->nplaces, sizeof(Place), compare_places);
	ranks = palloc(Max(1, world->nplaces) * sizeof(int));
	{
		Place	   *by_code = palloc(Max(1, world->nplaces) * sizeof(Place));

		for (int i = 0; i < world->nplaces; i++)
		{
			by_code[i] = world->places[i];
			by_code[i].priority = i;
		}
		qsort(by_code, world->nplaces, sizeof(Place), compare_codes);
		for (int i = 0; i < world->nplaces; i++)
			ranks[i] = by_code[i].priority;
	}
	for (int i = 0; i < world->nsupplies; i++)
		world->supplies[i].place = ranks[world->supplies[i].place];
	qsort(world->supplies, world->nsupplies, sizeof(Supply), compare_supplies);
	add_back(sourcing, world);
}

/*
 * may_serve tells whether a place is allowed for a demand at all.
 */
static bool
may_serve(const Sourcing *sourcing, const Place *place, const Demand *demand)
{
	for (int i = 0; i < demand->nexcluded; i++)
	{
		if (strcmp(demand->excluded[i], place->code) == 0)
			return false;
	}
	if (sourcing->rules && !oms_channel_may_take(sourcing->rules, demand->channel, demand->sku, place->code))
		return false;
	if (demand->location)
		return strcmp(demand->location, place->code) == 0;
	if (demand->by_partner)
		return place->is_partner;
	return place->tracked;
}

/*
 * find_supply returns what a place has of a SKU, or NULL.
 */
static Supply *
find_supply(const World *world, const char *sku, int place)
{
	Supply		key = {.sku = sku, .place = place};

	return bsearch(&key, world->supplies, world->nsupplies, sizeof(Supply), compare_supplies);
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
			int			place = find_place(world, back->location);
			Supply	   *supply = place < 0 ? NULL : find_supply(world, back->sku, place);

			if (supply && k == 0)
				supply->held -= back->reserved;
			else if (supply)
				supply->left -= back->reserved;
		}
	}
}

/*
 * leaves_at returns how many units a demand's channel must leave at a place.
 */
static int64
leaves_at(const Sourcing *sourcing, const Demand *demand, const Place *place)
{
	return sourcing->rules ? oms_channel_leaves(sourcing->rules, demand->channel, demand->sku, place->code) : 0;
}

/*
 * take adds a piece to the plan: so many units of a demand from a place, as
 * far as the place has them, those that are held for the order first, or with
 * only_held none but those.  Returns how many.
 */
static int64
take(Sourcing *sourcing, World *world, Demand *demand, int place, bool only_held)
{
	bool		tracked = demand->tracked && world->places[place].tracked;
	int64		quantity = demand->quantity - demand->found;
	int64		held = 0;
	int64		leaves = 0;
	Piece	   *piece;

	if (tracked)
	{
		Supply	   *supply = find_supply(world, demand->sku, place);

		leaves = leaves_at(sourcing, demand, &world->places[place]);
		held = supply ? Min(quantity, supply->held) : 0;
		quantity = !supply ? 0 : only_held ? held : Min(quantity, held + Max(0, supply->left - leaves));
		if (quantity > 0)
		{
			supply->held -= held;
			supply->left -= quantity - held;
		}
	}
	else if (only_held)
		return 0;
	if (quantity == 0)
		return 0;
	if (sourcing->npieces == sourcing->capacity)
	{
		sourcing->capacity = Max(16, sourcing->capacity * 2);
		sourcing->pieces = sourcing->pieces
			? repalloc_huge(sourcing->pieces, sourcing->capacity * sizeof(Piece))
			: palloc(sourcing->capacity * sizeof(Piece));
	}
	piece = &sourcing->pieces[sourcing->npieces++];
	piece->demand = demand;
	piece->location = world->places[place].code;
	piece->place = place;
	piece->tracked = tracked;
	piece->quantity = quantity;
	piece->held = held;
	piece->leaves = leaves;
	demand->found += quantity;
	return quantity;
}

/*
 * take_some is take for at most so many units.
 */
static int64
take_some(Sourcing *sourcing, World *world, Demand *demand, int place, int64 most)
{
	int64		all = demand->quantity;
	int64		taken;

	demand->quantity = Min(all, demand->found + most);
	taken = take(sourcing, world, demand, place, false);
	demand->quantity = all;
	return taken;
}

/*
 * take_kits has a place serve whole kits of a bundle, as many as it can.
 */
static void
take_kits(Sourcing *sourcing, World *world, Demand **components, int count, int place)
{
	int64		kits = PG_INT64_MAX;

	for (int i = 0; i < count && kits > 0; i++)
	{
		const Demand *demand = components[i];

		if (!may_serve(sourcing, &world->places[place], demand))
			return;
		kits = Min(kits, (demand->quantity - demand->found) / demand->per_kit);
		if (demand->tracked && world->places[place].tracked)
		{
			const Supply *supply = find_supply(world, demand->sku, place);

			kits = Min(kits, supply ? (supply->held + Max(0, supply->left - leaves_at(sourcing, demand, &world->places[place])))
					   / demand->per_kit : 0);
		}
	}
	for (int i = 0; i < count && kits > 0; i++)
		(void) take_some(sourcing, world, components[i], place, kits * components[i]->per_kit);
}

/*
 * plan_kits has places serve whole kits of the bundles in a group, each kit from
 * one place: the pickup location first, then by priority.  What is left over is
 * sourced line by line, like everything else.
 */
static void
plan_kits(Sourcing *sourcing, World *world, Demand **group, int count, int pickup)
{
	for (int i = 0, next; i < count; i = next)
	{
		for (next = i + 1; next < count && group[next]->bundle_line == group[i]->bundle_line; next++)
			;
		if (group[i]->per_kit == 0)
			continue;
		if (pickup >= 0)
			take_kits(sourcing, world, &group[i], next - i, pickup);
		for (int place = 0; place < world->nplaces; place++)
			take_kits(sourcing, world, &group[i], next - i, place);
	}
}

/*
 * follow_goods has a warranty go where the units go that it is for.
 */
static void
follow_goods(Sourcing *sourcing, World *world, Demand *warranty, int first)
{
	int			end = sourcing->npieces;

	for (int i = first; i < end && warranty->found < warranty->quantity; i++)
	{
		const Piece *piece = &sourcing->pieces[i];

		if (piece->demand->line_no == warranty->goods_line)
			(void) take_some(sourcing, world, warranty, find_place(world, piece->location), piece->quantity);
	}
}

/*
 * take_all has one place serve a whole group, or leaves the plan as it was.
 */
static bool
take_all(Sourcing *sourcing, World *world, Demand **group, int count, int place)
{
	int			before = sourcing->npieces;
	bool		complete = true;

	for (int i = 0; complete && i < count; i++)
	{
		if (!may_serve(sourcing, &world->places[place], group[i]))
		{
			complete = false;
			break;
		}
		(void) take(sourcing, world, group[i], place, false);
		complete = group[i]->found == group[i]->quantity;
	}
	if (complete)
		return true;
	take_back(sourcing, world, before);
	return false;
}

/*
 * is_held_at tells whether units that a group wants are held at a place.
 */
static bool
is_held_at(const World *world, Demand **group, int count, int place)
{
	for (int i = 0; i < count; i++)
	{
		const Supply *supply = group[i]->tracked ? find_supply(world, group[i]->sku, place) : NULL;

		if (supply && supply->held > 0)
			return true;
	}
	return false;
}

/*
 * plan_held has a group get the units that are held for it: together from a
 * place that can add what is lacking, else each line from where they are.
 * Returns whether that is all it wants.
 */
static bool
plan_held(Sourcing *sourcing, World *world, Demand **group, int count)
{
	bool		complete = true;

	for (int place = 0; place < world->nplaces; place++)
	{
		if (is_held_at(world, group, count, place) && take_all(sourcing, world, group, count, place))
			return true;
	}
	for (int i = 0; i < count; i++)
	{
		for (int place = 0; place < world->nplaces; place++)
		{
			if (may_serve(sourcing, &world->places[place], group[i]))
				(void) take(sourcing, world, group[i], place, true);
		}
		complete &= group[i]->found == group[i]->quantity;
	}
	return complete;
}

/*
 * plan_group finds places for one group.  Excluded locations are the same for
 * all of it: they are the order's.
 */
static void
plan_group(Sourcing *sourcing, World *world, Demand **group, int count)
{
	int			pickup = group[0]->pickup_location ? find_place(world, group[0]->pickup_location) : -1;
	int			before = sourcing->npieces;

	if (pickup >= 0 && take_all(sourcing, world, group, count, pickup))
		return;
	if (sourcing->held && sourcing->held->count > 0 && plan_held(sourcing, world, group, count))
		return;
	for (int place = 0; place < world->nplaces; place++)
	{
		if (take_all(sourcing, world, group, count, place))
			return;
	}
	plan_kits(sourcing, world, group, count, pickup);
	for (int i = 0; i < count; i++)
	{
		if (!group[i]->tracked)
			continue;
		if (pickup >= 0 && may_serve(sourcing, &world->places[pickup], group[i]))
			(void) take(sourcing, world, group[i], pickup, false);
		for (int place = 0; place < world->nplaces && group[i]->found < group[i]->quantity; place++)
		{
			if (may_serve(sourcing, &world->places[place], group[i]))
				(void) take(sourcing, world, group[i], place, false);
		}
	}
	/* what takes no stock goes with the goods, where there are any */
	for (int i = 0; i < count; i++)
	{
		int			first = sourcing->npieces > before ? find_place(world, sourcing->pieces[before].location) : -1;

		if (group[i]->goods_line > 0)
			follow_goods(sourcing, world, group[i], before);
		if (!group[i]->tracked && first >= 0 &&
			(!sourcing->rules || may_serve(sourcing, &world->places[first], group[i])))
			(void) take(sourcing, world, group[i], first, false);
		for (int place = 0; !group[i]->tracked && place < world->nplaces &&
			 group[i]->found < group[i]->quantity; place++)
		{
			if (may_serve(sourcing, &world->places[place], group[i]))
				(void) take(sourcing, world, group[i], place, false);
		}
	}
}
