/*
 * rulebook_read.c
 *	  Making the book of a store's sourcing rules from its rows.
 *
 * Called by oms_rule_book.  All is read: there are thousands of rows at most,
 * and they change rarely.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "channel_rules.h"
#include "plan.h"
#include "rows.h"
#include "rulebook.h"
#include "rulebook_parts.h"

/* Money as the book counts it. */
#define MONEY(column) "(" column TIMES "10000)::pg_catalog.int8"

static const StoreQuery read_zones = {
	"SELECT z.code, z.country::pg_catalog.text, z.region, z.postal_prefix FROM @.zones z", 0, {0}
};

static const StoreQuery read_locations = {
	"SELECT l.code, l.country::pg_catalog.text, l.region, l.postal_code, l.methods, " MONEY("l.fixed_cost") ", "
	MONEY("l.pick_cost") ", l.daily_capacity, l.cutoff, l.time_zone, l.latitude, l.longitude, l.active, l.tracked, " IS_PARTNER("l")
	" FROM @.locations l ORDER BY l.priority, l.code",
	0, {0}
};

static const StoreQuery read_rates = {
	"SELECT r.method, r.location, r.origin_zone, r.destination_zone, " MONEY("r.fixed") ", " MONEY("r.per_unit") ", "
	MONEY("r.per_kg") ", COALESCE(r.transit_days, '-1')::pg_catalog.int8 FROM @.shipping_rates r",
	0, {0}
};

/* the order is that in which they are asked */
static const StoreQuery read_rules = {
	"SELECT r.id, r.channel, r.sku, r.tag, r.method, r.destination_zone, r.location, r.effect, " MONEY("COALESCE(r.cost, 0)")
	", COALESCE(r.valid_from, '-infinity'), COALESCE(r.valid_until, 'infinity') FROM @.sourcing_rules r ORDER BY r.id DESC",
	0, {0}
};

static const StoreQuery read_policies = {
	"SELECT p.channel, p.objective" EQ "'shipments', COALESCE(p.max_shipments, 0)::pg_catalog.int8, p.node_limit::pg_catalog.int8, "
	MONEY("p.unfilled_penalty") ", p.per_km_cost::pg_catalog.float8 FROM @.sourcing_policies p",
	0, {0}
};

/* What is true of orders for which no row says otherwise. */
static const SourcingPolicy usual_policy = {
	.by_shipments = false, .max_shipments = 0, .node_limit = 5000, .unfilled_penalty = -1, .per_km_cost = 0
};

/*
 * find_code returns the entry of a code, which is made where it is new.
 */
static CodeEntry *
find_code(RuleBook *book, const char *text)
{
	bool		found;
	CodeEntry  *entry = codes_insert(book->codes, text, &found);

	if (!found)
	{
		entry->text = MemoryContextStrdup(book->context, text);
		entry->id = ++book->ncodes;
	}
	return entry;
}

/*
 * numbered returns the number of a text field, 0 where it is NULL.
 */
static int
numbered(RuleBook *book, uint64 row, int column)
{
	char	   *text = oms_column_text(row, column);

	return text ? find_code(book, text)->id : 0;
}

/*
 * add_row puts a row into an index by what it names, and returns the first of
 * those that name the same so far, or -1.
 */
static int
add_row(RuleBook *book, RowIndex *index, const int *things, int row)
{
	RowKey		key = {{0}};
	KeyEntry   *entry;
	bool		found;
	int			set = 0;
	int			before;
	int			at = 0;

	if (!index->keys)
		index->keys = keys_create(book->context, 64, NULL);
	for (int part = 0; part < INDEX_PARTS; part++)
	{
		key.part[part] = things[part];
		set |= (things[part] > 0) << part;
	}
	while (at < index->nsets && index->sets[at] > set)
		at++;
	if (at == index->nsets || index->sets[at] != set)
	{
		memmove(&index->sets[at + 1], &index->sets[at], (index->nsets - at) * sizeof(int));
		index->sets[at] = set;
		index->nsets++;
	}
	entry = keys_insert(index->keys, key, &found);
	before = found ? entry->first : -1;
	entry->first = row;
	return before;
}

/*
 * add_zones reads zones.
 */
static void
add_zones(Store *store, RuleBook *book)
{
	uint64		count = oms_run_latest(store, &read_zones, NULL);

	for (uint64 i = 0; i < count; i++)
	{
		char	   *prefix = oms_column_text(i, 4);
		int			things[INDEX_PARTS] = {0};
		size_t		length = prefix ? strlen(prefix) : 0;

		things[ZONE_COUNTRY] = numbered(book, i, 2);
		things[ZONE_REGION] = numbered(book, i, 3);
		things[ZONE_PREFIX] = numbered(book, i, 4);
		(void) add_row(book, &book->zones, things, find_code(book, oms_column_name(i, 1))->id);
		if (length <= MAX_PREFIX)
			book->has_length[length] = true;
	}
}

/*
 * read_methods reads the methods that a location offers.
 */
static void
read_methods(RuleBook *book, SourceLocation *location, uint64 row, int column)
{
	bool		isnull;
	Datum		array = oms_column(row, column, TEXTARRAYOID, &isnull);
	Datum	   *values;
	bool	   *nulls;
	const char **methods;
	int			count;

	location->nmethods = -1;
	if (isnull)
		return;
	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
	methods = MemoryContextAlloc(book->context, Max(1, count) * sizeof(char *));
	location->nmethods = 0;
	for (int i = 0; i < count; i++)
	{
		if (!nulls[i])
			methods[location->nmethods++] = find_code(book, TextDatumGetCString(values[i]))->text;
	}
	qsort(methods, location->nmethods, sizeof(char *), oms_compare_texts);
	location->methods = methods;
}

/*
 * read_location reads a row of locations.
 */
static void
read_location(RuleBook *book, SourceLocation *location, uint64 row)
{
	bool		isnull;
	bool		lacks_latitude;
	bool		lacks_longitude;
	CodeEntry  *code = find_code(book, oms_column_name(row, 1));

	location->code = code->text;
	location->code_id = code->id;
	location->zone = oms_zone_of(book, oms_column_text(row, 2), oms_column_text(row, 3), oms_column_text(row, 4));
	location->zone_id = location->zone ? find_code(book, location->zone)->id : -1;
	read_methods(book, location, row, 5);
	location->fixed_cost = oms_column_int64(row, 6);
	location->pick_cost = oms_column_int64(row, 7);
	location->daily_capacity = DatumGetInt64(oms_column(row, 8, INT8OID, &isnull));
	if (isnull)
		location->daily_capacity = -1;
	location->cutoff = DatumGetTimeADT(oms_column(row, 9, TIMEOID, &isnull));
	location->has_cutoff = !isnull;
	location->time_zone = find_code(book, oms_column_name(row, 10))->text;
	location->latitude = DatumGetFloat8(oms_column(row, 11, FLOAT8OID, &lacks_latitude));
	location->longitude = DatumGetFloat8(oms_column(row, 12, FLOAT8OID, &lacks_longitude));
	location->has_point = !lacks_latitude && !lacks_longitude;
	location->is_active = oms_column_bool(row, 13);
	location->tracked = oms_column_bool(row, 14);
	location->is_partner = oms_column_bool(row, 15);
	location->rank = (int) row;
	book->is_empty &= location->nmethods < 0 && location->fixed_cost == 0 && location->pick_cost == 0 && location->daily_capacity < 0;
}

/*
 * add_locations reads locations, whose zones are known.
 */
static SourceLocation *
add_locations(Store *store, RuleBook *book, uint64 *count)
{
	SourceLocation *locations;

	*count = oms_run_latest(store, &read_locations, NULL);
	locations = MemoryContextAllocZero(book->context, Max(1, *count) * sizeof(SourceLocation));
	for (uint64 i = 0; i < *count; i++)
		read_location(book, &locations[i], i);
	return locations;
}

/*
 * add_rates reads shipping_rates.
 */
static void
add_rates(Store *store, RuleBook *book)
{
	uint64		count = oms_run_latest(store, &read_rates, NULL);

	book->rate = MemoryContextAllocExtended(book->context, Max(1, count) * sizeof(Rate), MCXT_ALLOC_HUGE);
	book->is_empty &= count == 0;
	for (uint64 i = 0; i < count; i++)
	{
		Rate	   *rate = &book->rate[i];
		int			things[INDEX_PARTS] = {0};

		things[RATE_METHOD] = numbered(book, i, 1);
		things[RATE_LOCATION] = numbered(book, i, 2);
		things[RATE_ORIGIN] = numbered(book, i, 3);
		things[RATE_DESTINATION] = numbered(book, i, 4);
		rate->fixed = oms_column_int64(i, 5);
		rate->per_unit = oms_column_int64(i, 6);
		rate->per_kg = oms_column_int64(i, 7);
		rate->transit_days = (int) oms_column_int64(i, 8);
		(void) add_row(book, &book->rates, things, (int) i);
		book->asks_where_to |= things[RATE_DESTINATION] > 0;
	}
}

/*
 * read_rule reads a row of sourcing_rules.
 */
static void
read_rule(RuleBook *book, SourcingRule *rule, uint64 row)
{
	pg_uuid_t	id = oms_column_uuid(row, 1);
	char	   *effect = oms_column_name(row, 8);
	bool		isnull;

	rule->effect = strcmp(effect, "deny") == 0 ? DENY : strcmp(effect, "allow") == 0 ? ALLOW : PREFER;
	rule->cost = oms_column_int64(row, 9);
	rule->valid_from = DatumGetTimestampTz(oms_column(row, 10, TIMESTAMPTZOID, &isnull));
	rule->valid_until = DatumGetTimestampTz(oms_column(row, 11, TIMESTAMPTZOID, &isnull));
	if (rule->effect != PREFER)
		rule->why = MemoryContextStrdup(book->context, psprintf(rule->effect == DENY ? "sourcing rule %s denies it"
																: "sourcing rule %s allows it from other locations alone",
																oms_uuid_out(&id)));
}

/*
 * add_rules reads sourcing_rules; of an allow rule there is a copy in the index
 * of what is served elsewhere.
 */
static void
add_rules(Store *store, RuleBook *book)
{
	uint64		count = oms_run_latest(store, &read_rules, NULL);

	book->rule = MemoryContextAllocExtended(book->context, Max(1, 2 * count) * sizeof(SourcingRule), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	book->is_empty &= count == 0;
	for (uint64 i = 0; i < count; i++)
	{
		SourcingRule *rule = &book->rule[i];
		SourcingRule *copy = &book->rule[count + i];
		int			things[INDEX_PARTS];

		things[RULE_CHANNEL] = numbered(book, i, 2);
		things[RULE_SKU] = numbered(book, i, 3);
		things[RULE_TAG] = numbered(book, i, 4);
		things[RULE_METHOD] = numbered(book, i, 5);
		things[RULE_DESTINATION] = numbered(book, i, 6);
		things[RULE_LOCATION] = numbered(book, i, 7);
		read_rule(book, rule, i);
		rule->next = add_row(book, &book->rules, things, (int) i);
		book->asks_where_to |= things[RULE_DESTINATION] > 0;
		if (rule->effect != ALLOW)
			continue;
		*copy = *rule;
		things[RULE_LOCATION] = 0;
		copy->next = add_row(book, &book->elsewhere, things, (int) (count + i));
	}
}

/*
 * add_policies reads sourcing_policies, after all other codes are numbered.
 */
static void
add_policies(Store *store, RuleBook *book)
{
	uint64		count = oms_run_latest(store, &read_policies, NULL);
	int		   *channels = palloc(Max(1, count) * sizeof(int));

	book->is_empty &= count == 0;
	book->policy = usual_policy;
	for (uint64 i = 0; i < count; i++)
		channels[i] = numbered(book, i, 1);
	book->policy_of = MemoryContextAllocZero(book->context, (book->ncodes + 1) * sizeof(SourcingPolicy *));
	for (uint64 i = 0; i < count; i++)
	{
		SourcingPolicy *policy = &book->policy;
		bool		isnull;

		if (channels[i] > 0)
			policy = book->policy_of[channels[i]] = MemoryContextAlloc(book->context, sizeof(SourcingPolicy));
		policy->by_shipments = oms_column_bool(i, 2);
		policy->max_shipments = (int) oms_column_int64(i, 3);
		policy->node_limit = (int) oms_column_int64(i, 4);
		policy->unfilled_penalty = DatumGetInt64(oms_column(i, 5, INT8OID, &isnull));
		if (isnull)
			policy->unfilled_penalty = -1;
		policy->per_km_cost = DatumGetFloat8(oms_column(i, 6, FLOAT8OID, &isnull));
		book->asks_where_to |= policy->per_km_cost > 0;
	}
}

/*
 * note_zones has zones be found by their numbers; nothing but zones is numbered
 * by now.
 */
static void
note_zones(RuleBook *book)
{
	codes_iterator scan;
	CodeEntry  *entry;

	book->text_of = MemoryContextAllocZero(book->context, (book->ncodes + 1) * sizeof(char *));
	codes_start_iterate(book->codes, &scan);
	while ((entry = codes_iterate(book->codes, &scan)) != NULL)
		book->text_of[entry->id] = entry->text;
}

/*
 * oms_read_rule_book reads a store's book, in a memory context of its own below
 * the current one.
 */
RuleBook *
oms_read_rule_book(Store *store)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "oms rule book", ALLOCSET_DEFAULT_SIZES);
	RuleBook   *book = MemoryContextAllocZero(context, sizeof(RuleBook));
	SourceLocation *locations;
	uint64		count;
	OwnerScope	scope;

	book->context = context;
	book->codes = codes_create(context, 64, NULL);
	book->is_empty = true;
	oms_become_owner(store, &scope);
	oms_spi_begin();
	add_zones(store, book);
	note_zones(book);
	locations = add_locations(store, book, &count);
	add_rates(store, book);
	add_rules(store, book);
	add_policies(store, book);
	book->location_of = MemoryContextAllocZero(context, (book->ncodes + 1) * sizeof(SourceLocation *));
	book->locations = locations;
	book->nlocations = (int) count;
	for (uint64 i = 0; i < count; i++)
		book->location_of[locations[i].code_id] = &locations[i];
	oms_spi_end();
	oms_leave_owner(&scope);
	return book;
}
