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

#define SUPPLY "SELECT s.sku, s.location, s.available FROM @.stock s"
#define WANTED " WHERE s.sku" EQ "ANY ($1)"
#define AT_HAND " AND s.available" GT "0"
#define LOCKED SUPPLY " JOIN @.locations l ON l.code" EQ "s.location" WANTED " AND l.active AND l.tracked"
#define IN_ORDER " ORDER BY s.sku, s.location FOR NO KEY UPDATE OF s"

static const StoreQuery read_supply = {SUPPLY WANTED AT_HAND, 1, {TEXTARRAYOID}};

/* As it will be once units have arrived. */
static const StoreQuery read_arriving = {
	"SELECT s.sku, s.location, pg_catalog.sum(s.available)::pg_catalog.int8"
	" FROM (SELECT t.sku, t.location, t.available FROM @.stock t WHERE t.sku" EQ "ANY ($1) UNION ALL"
	" SELECT a.sku, a.location, a.units FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4))"
	" AS a(sku, location, units)) s GROUP BY s.sku, s.location HAVING pg_catalog.sum(s.available)" GT "0",
	4, {TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID}
};

static const StoreQuery lock_supply = {LOCKED IN_ORDER, 1, {TEXTARRAYOID}};

static const StoreQuery lock_supply_at_hand = {LOCKED AT_HAND IN_ORDER " SKIP LOCKED", 1, {TEXTARRAYOID}};

/* The same where units of stock holds come back, also to rows without any. */
static const StoreQuery read_all_supply = {SUPPLY WANTED, 1, {TEXTARRAYOID}};

static const StoreQuery lock_all_supply_at_hand = {LOCKED IN_ORDER " SKIP LOCKED", 1, {TEXTARRAYOID}};

/* Stock rows on their way into a world. */
typedef struct Intake
{
	const Store *store;
	const RuleBook *book;
	World	   *world;
	int			capacity;
	int		   *marks;			/* of each location, by rank: has any */
	StringInfoData sku;			/* of the row */
	StringInfoData location;
	bool		by_sku;			/* they came in the order of their SKUs */
} Intake;

static void add_named(const Sourcing *sourcing, int *marks);
static void add_first(const SourceLocation *locations, int count, bool of_partners, int64 first, int *marks);
static void add_back(const Sourcing *sourcing, World *world);

/*
 * compare_supplies orders by SKU, then place.
 */
static int
compare_supplies(const void *a, const void *b)
{
	const Supply *left = a;
	const Supply *right = b;
	int			order = left->sku == right->sku ? 0 : strcmp(left->sku, right->sku);

	return order != 0 ? order : left->place - right->place;
}

/*
 * add_places adds the locations that matter without stock: named, untracked, and
 * the first that count stock, our own before partners, as many as may be left over
 * when some have refused an order; and the first partners, for what they do.
 */
static void
add_places(const Sourcing *sourcing, int *marks)
{
	int			count;
	const SourceLocation *locations = oms_source_locations(sourcing->book, &count);
	bool		needed = sourcing->all_places;
	bool		by_partner = false;
	int64		first = 1;

	for (int i = 0; i < sourcing->count; i++)
	{
		const Demand *demand = &sourcing->demands[i];

		needed |= !demand->tracked || demand->by_partner || demand->location;
		by_partner |= !demand->tracked && demand->by_partner;
		first = Max(first, demand->nexcluded + 1);
	}
	if (!needed)
		return;
	if (sourcing->rules || sourcing->all_places || !oms_rules_are_empty(sourcing->book))
		first = count;			/* any of them may be denied, or be the best */
	add_named(sourcing, marks);
	for (int i = 0; i < count; i++)
	{
		if (locations[i].is_active && !locations[i].tracked)
			marks[i] = 1;
	}
	add_first(locations, count, false, first, marks);
	if (by_partner)
		add_first(locations, count, true, first, marks);
}

/*
 * add_named adds the locations that are named.
 */
static void
add_named(const Sourcing *sourcing, int *marks)
{
	for (int i = 0; i < sourcing->count; i++)
	{
		const char *names[] = {sourcing->demands[i].location, sourcing->demands[i].pickup_location};

		for (int k = 0; k < (int) lengthof(names); k++)
		{
			const SourceLocation *location = names[k] ? oms_source_location(sourcing->book, names[k]) : NULL;

			if (location && location->is_active)
				marks[location->rank] = 1;
		}
	}
}

/*
 * add_first adds the first so many that count stock, partners after our own, or of
 * partners alone.
 */
static void
add_first(const SourceLocation *locations, int count, bool of_partners, int64 first, int *marks)
{
	for (int partners = of_partners ? 1 : 0; partners < 2; partners++)
	{
		for (int i = 0; i < count && first > 0; i++)
		{
			if (!locations[i].is_active || !locations[i].tracked || locations[i].is_partner != (partners == 1))
				continue;
			marks[i] = 1;
			first--;
		}
	}
}

/*
 * number_places makes places of the locations that are marked, in their order, and
 * tells supplies theirs, which were ranks.
 */
static void
number_places(const Sourcing *sourcing, int *marks, World *world)
{
	int			count;
	const SourceLocation *locations = oms_source_locations(sourcing->book, &count);

	world->places = palloc_extended((count + 1) * sizeof(Place), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	world->nplaces = 0;
	for (int i = 0; i < count; i++)
	{
		Place	   *place = &world->places[world->nplaces];

		if (marks[i] == 0)
			continue;
		place->code = locations[i].code;
		place->location = &locations[i];
		place->tracked = locations[i].tracked;
		place->is_partner = locations[i].is_partner;
		marks[i] = world->nplaces++;
	}
	for (int i = 0; i < world->nsupplies; i++)
		world->supplies[i].place = marks[world->supplies[i].place];
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
 * take_row takes a row in, if its location serves; a RowReader.
 */
static void
take_row(TupleTableSlot *row, void *state)
{
	Intake	   *intake = state;
	World	   *world = intake->world;
	const Supply *last = world->nsupplies > 0 ? &world->supplies[world->nsupplies - 1] : NULL;
	Supply	   *supply;
	const SourceLocation *location;
	int			order;

	oms_field_name(row, 1, &intake->sku);
	oms_field_name(row, 2, &intake->location);
	location = oms_source_location(intake->book, intake->location.data);
	if (!location || !location->is_active || !location->tracked)
		return;
	if (world->nsupplies == intake->capacity)
	{
		intake->capacity *= 2;
		world->supplies = repalloc_huge(world->supplies, intake->capacity * sizeof(Supply));
		last = last ? &world->supplies[world->nsupplies - 1] : NULL;
	}
	order = last ? strcmp(last->sku, intake->sku.data) : -1;
	supply = &world->supplies[world->nsupplies++];
	supply->sku = order == 0 ? last->sku : pstrdup(intake->sku.data);
	supply->sku_no = order == 0 ? last->sku_no : last ? last->sku_no + 1 : 0;
	supply->place = location->rank;
	supply->left = oms_is_giving_way(intake->store, supply->sku, location->code) ? 0 : oms_field_int64(row, 3);
	supply->held = 0;
	intake->marks[location->rank] = 1;
	intake->by_sku &= order <= 0;
}

/*
 * distribute copies supplies into the order of a number, their SKU's or place.
 */
static void
distribute(const Supply *from, Supply *to, int count, int nnumbers, bool by_sku)
{
	int		   *next = palloc_extended((nnumbers + 1) * sizeof(int), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (int i = 0; i < count; i++)
		next[1 + (by_sku ? from[i].sku_no : from[i].place)]++;
	for (int n = 1; n < nnumbers; n++)
		next[n] += next[n - 1];
	for (int i = 0; i < count; i++)
		to[next[by_sku ? from[i].sku_no : from[i].place]++] = from[i];
	pfree(next);
}

/*
 * sort_supplies sorts them by SKU, then place, and numbers the SKUs.  Mostly they
 * come by SKU, being read through an index.
 */
static void
sort_supplies(World *world, bool by_sku)
{
	Supply	   *list = world->supplies;
	int			count = world->nsupplies;

	if (by_sku && count > 0)
	{
		Supply	   *by_place = palloc_extended(count * sizeof(Supply), MCXT_ALLOC_HUGE);

		distribute(list, by_place, count, world->nplaces, false);
		distribute(by_place, list, count, list[count - 1].sku_no + 1, true);
		pfree(by_place);
		return;
	}
	qsort(list, count, sizeof(Supply), compare_supplies);
	for (int i = 0; i < count; i++)
		list[i].sku_no = i == 0 ? 0 : list[i - 1].sku_no + (strcmp(list[i - 1].sku, list[i].sku) != 0);
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
	Intake		intake = {.store = store, .world = world, .capacity = 64, .by_sku = true};
	int			nlocations;

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
	(void) oms_source_locations(sourcing->book, &nlocations);
	intake.book = world->book = sourcing->book;
	intake.marks = palloc_extended((nlocations + 1) * sizeof(int), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	initStringInfo(&intake.sku);
	initStringInfo(&intake.location);
	world->supplies = palloc(intake.capacity * sizeof(Supply));
	world->nsupplies = 0;
	if (skus->count > 0)
		(void) oms_run_each(store, query, args, take_row, &intake);
	add_places(sourcing, intake.marks);
	number_places(sourcing, intake.marks, world);
	sort_supplies(world, intake.by_sku);
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
 * oms_location_of returns a place as a book has it, which may be newer than the
 * world's; NULL where it was made meanwhile.
 */
const SourceLocation *
oms_location_of(const World *world, int place, const RuleBook *book)
{
	return world->book == book ? world->places[place].location : oms_source_location(book, world->places[place].code);
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
