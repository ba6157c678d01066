/*
 * rulebook.c
 *	  What a shipment from a location costs, and which may serve what.
 *
 * Asked by whoever plans from where an order is served, and by
 * oms.explain_source.  The rows, whose comments say what they mean, are read by
 * rulebook_read.c when they are first asked for, with the latest snapshot, and
 * kept with the store's handle until one of the tables changes (oms.invalidate,
 * through the relcache).  A book that is out of date stays until the end of
 * the transaction, since somebody further up the stack may still look at it.
 */
#include "postgres.h"

#include <math.h>

#include "common/int.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "oms.h"
#include "rows.h"
#include "rulebook.h"
#include "rulebook_parts.h"

#define EARTH_RADIUS_KM 6371.0088
#define MONEY_SCALE 10000
#define RADIANS(degrees) ((degrees) * (M_PI / 180.0))
#define NAMES(set, part) (((set) >> (part)) & 1)

/* More tags than a SKU has. */
#define USUAL_TAGS 32

/* What the rules that fit say. */
typedef struct Ruling
{
	const SourcingRule *denies;
	const SourcingRule *allows;
	int64		prefer;
} Ruling;

/*
 * oms_rule_book returns the store's book.  It lives until the transaction ends
 * or something changes, whichever comes last.
 */
const RuleBook *
oms_rule_book(Store *store)
{
	static const char *const tables[OMS_BOOK_TABLES] = {
		"locations", "zones", "shipping_rates", "sourcing_rules", "sourcing_policies"
	};
	uint64		changes;
	RuleBook   *book;

	/* a transaction that has all its locks hears of nothing by itself */
	AcceptInvalidationMessages();
	if (store->book_read)
		return store->book;
	for (int i = 0; i < OMS_BOOK_TABLES; i++)
		store->book_relids[i] = get_relname_relid(tables[i], store->namespace_oid);
	changes = store->book_changes;
	book = oms_read_rule_book(store);
	if (store->book)
		MemoryContextSetParent(store->book->context, TopTransactionContext);
	MemoryContextSetParent(book->context, TopMemoryContext);
	store->book = book;
	store->book_read = changes == store->book_changes;
	return book;
}

/*
 * oms_rules_are_empty tells whether there is nothing but defaults: no location
 * costs anything, and each may serve all.
 */
bool
oms_rules_are_empty(const RuleBook *book)
{
	return book->is_empty;
}

/*
 * oms_rules_ask_where_to tells whether it can matter where a shipment goes.
 */
bool
oms_rules_ask_where_to(const RuleBook *book)
{
	return book->asks_where_to;
}

/*
 * number_of returns the number of a code, -1 where no row names it.
 */
static int
number_of(const RuleBook *book, const char *code)
{
	CodeEntry  *entry = code ? codes_lookup(book->codes, code) : NULL;

	return entry ? entry->id : -1;
}

/*
 * first_row returns the first of the rows that name a set of things, these ones;
 * -1: there is none.
 */
static int
first_row(const RowIndex *index, int set, const int *things)
{
	RowKey		key = {{0}};
	KeyEntry   *entry;

	for (int part = 0; part < INDEX_PARTS; part++)
	{
		if (!NAMES(set, part))
			continue;
		if (things[part] < 0)
			return -1;
		key.part[part] = things[part];
	}
	entry = keys_lookup(index->keys, key);
	return entry ? entry->first : -1;
}

/*
 * plain_postal_code writes a postal code as zones do; what is longer than any
 * prefix is cut.
 */
static int
plain_postal_code(const char *postal_code, char *plain)
{
	int			length = 0;

	for (const char *at = postal_code ? postal_code : ""; *at && length < MAX_PREFIX; at++)
	{
		if (*at != ' ' && *at != '-' && *at != '.')
			plain[length++] = pg_ascii_toupper((unsigned char) *at);
	}
	plain[length] = '\0';
	return length;
}

/*
 * oms_zone_of returns the most specific zone that an address fits, or NULL.
 */
const char *
oms_zone_of(const RuleBook *book, const char *country, const char *region, const char *postal_code)
{
	char		plain[MAX_PREFIX + 1];
	char		capitals[3] = {0};
	int			things[INDEX_PARTS] = {0};
	int			zone = -1;

	if (book->zones.nsets == 0)
		return NULL;
	for (int i = 0; country && strlen(country) == 2 && i < 2; i++)
		capitals[i] = pg_ascii_toupper((unsigned char) country[i]);
	things[ZONE_COUNTRY] = number_of(book, capitals);
	things[ZONE_REGION] = number_of(book, region);
	for (int length = plain_postal_code(postal_code, plain); length >= 0 && zone < 0; length--)
	{
		if (!book->has_length[length])
			continue;
		plain[length] = '\0';
		things[ZONE_PREFIX] = number_of(book, plain);
		for (int i = 0; i < book->zones.nsets && zone < 0; i++)
		{
			if (NAMES(book->zones.sets[i], ZONE_PREFIX) == (length > 0))
				zone = first_row(&book->zones, book->zones.sets[i], things);
		}
	}
	return zone < 0 ? NULL : book->text_of[zone];
}

/*
 * oms_source_location returns a location, NULL where there is no such.
 */
const SourceLocation *
oms_source_location(const RuleBook *book, const char *code)
{
	int			number = number_of(book, code);

	return number < 0 ? NULL : book->location_of[number];
}

/*
 * oms_source_locations returns all locations, by priority, then code.
 */
const SourceLocation *
oms_source_locations(const RuleBook *book, int *count)
{
	*count = book->nlocations;
	return book->locations;
}

/*
 * oms_sourcing_policy returns the policy for a channel's orders.
 */
const SourcingPolicy *
oms_sourcing_policy(const RuleBook *book, const char *channel)
{
	int			number = number_of(book, channel);

	return number < 0 || !book->policy_of[number] ? &book->policy : book->policy_of[number];
}

/*
 * distance returns the kilometers between a location and a target as the crow
 * flies, -1 where either's place is unknown.
 */
static double
distance(const SourceLocation *location, const Target *target)
{
	double		north;
	double		east;
	double		h;

	if (!location->has_point || !target->has_point)
		return -1;
	north = sin(RADIANS(target->latitude - location->latitude) / 2);
	east = sin(RADIANS(target->longitude - location->longitude) / 2);
	h = north * north + cos(RADIANS(location->latitude)) * cos(RADIANS(target->latitude)) * east * east;
	return 2 * EARTH_RADIUS_KM * asin(sqrt(Min(1.0, h)));
}

/*
 * find_rate returns the most specific rate from a location to a target, or NULL.
 */
static const Rate *
find_rate(const RuleBook *book, const SourceLocation *location, const Target *target)
{
	int			things[INDEX_PARTS] = {0};

	if (book->rates.nsets == 0)
		return NULL;
	things[RATE_METHOD] = number_of(book, target->method);
	things[RATE_DESTINATION] = number_of(book, target->destination_zone);
	things[RATE_ORIGIN] = location->zone_id;
	things[RATE_LOCATION] = location->code_id;
	for (int i = 0; i < book->rates.nsets; i++)
	{
		int			row = first_row(&book->rates, book->rates.sets[i], things);

		if (row >= 0)
			return &book->rate[row];
	}
	return NULL;
}

/*
 * oms_terms says what it costs to send from a location to a target.
 */
void
oms_terms(const RuleBook *book, const SourceLocation *location, const Target *target, Terms *terms)
{
	const Rate *rate = find_rate(book, location, target);

	terms->fixed = location->fixed_cost;
	terms->pick = location->pick_cost;
	terms->per_unit = rate ? rate->per_unit : 0;
	terms->per_kg = rate ? rate->per_kg : 0;
	terms->transit_days = rate ? rate->transit_days : -1;
	terms->km = distance(location, target);
	if (rate)
		terms->fixed += rate->fixed;
	else if (terms->km > 0)
		terms->fixed += (int64) floor(oms_sourcing_policy(book, target->channel)->per_km_cost * terms->km * MONEY_SCALE + 0.5);
}

/*
 * offers tells whether a location sends by a method; where none is named, it
 * does.
 */
static bool
offers(const SourceLocation *location, const char *method)
{
	return location->nmethods < 0 || !method ||
		bsearch(&method, location->methods, location->nmethods, sizeof(char *), oms_compare_texts) != NULL;
}

/*
 * number_tags returns the numbers of a SKU's tags that rules name, each once.
 */
static int
number_tags(const RuleBook *book, const char *const *tags, int ntags, int *numbers)
{
	int			count = 0;

	for (int i = 0; i < ntags; i++)
	{
		int			number = number_of(book, tags[i]);
		int			at = 0;

		while (at < count && numbers[at] != number)
			at++;
		if (number > 0 && at == count)
			numbers[count++] = number;
	}
	return count;
}

/*
 * hear adds what the rules say that name one set of things, these ones.
 */
static void
hear(const RuleBook *book, int row, TimestampTz at, Ruling *ruling)
{
	for (; row >= 0 && !ruling->denies; row = book->rule[row].next)
	{
		const SourcingRule *rule = &book->rule[row];

		if (at < rule->valid_from || (at >= rule->valid_until && rule->valid_until != DT_NOEND))
			continue;
		if (rule->effect == DENY)
			ruling->denies = rule;
		else if (rule->effect == ALLOW && !ruling->allows)
			ruling->allows = rule;
		else if (rule->effect == PREFER && pg_add_s64_overflow(ruling->prefer, rule->cost, &ruling->prefer))
			ruling->prefer = PG_INT64_MAX;	/* oms_unit_cost refuses it */
	}
}

/*
 * consult asks all rules of an index that fit.
 */
static void
consult(const RuleBook *book, const RowIndex *index, int *things, const int *tags, int ntags, TimestampTz at, Ruling *ruling)
{
	for (int i = 0; i < index->nsets && !ruling->denies; i++)
	{
		int			set = index->sets[i];
		int			times = NAMES(set, RULE_TAG) ? ntags : 1;

		for (int k = 0; k < times && !ruling->denies; k++)
		{
			things[RULE_TAG] = k < ntags ? tags[k] : -1;
			hear(book, first_row(index, set, things), at, ruling);
		}
	}
}

/*
 * judge_by_rules is oms_judge_source for what sourcing_rules say.
 */
static void
judge_by_rules(const RuleBook *book, const SourceLocation *location, const Target *target, const char *sku,
			   const int *tags, int ntags, TimestampTz at, Verdict *verdict)
{
	Ruling		here = {0};
	Ruling		elsewhere = {0};
	int			things[INDEX_PARTS];

	things[RULE_CHANNEL] = number_of(book, target->channel);
	things[RULE_SKU] = number_of(book, sku);
	things[RULE_METHOD] = number_of(book, target->method);
	things[RULE_DESTINATION] = number_of(book, target->destination_zone);
	things[RULE_LOCATION] = location->code_id;
	consult(book, &book->rules, things, tags, ntags, at, &here);
	if (!here.denies && !here.allows)
		consult(book, &book->elsewhere, things, tags, ntags, at, &elsewhere);
	verdict->denied = here.denies || elsewhere.allows;
	verdict->why = here.denies ? here.denies->why : elsewhere.allows ? elsewhere.allows->why : NULL;
	verdict->prefer = verdict->denied ? 0 : here.prefer;
}

/*
 * oms_judge_source says whether a location may serve a SKU to a target at a
 * time, and what is added to the cost of each unit that it does.
 */
void
oms_judge_source(const RuleBook *book, const SourceLocation *location, const Target *target, const char *sku,
				 const char *const *tags, int ntags, TimestampTz at, Verdict *verdict)
{
	int			few[USUAL_TAGS];
	int		   *numbers = ntags > USUAL_TAGS ? palloc_extended(ntags * sizeof(int), MCXT_ALLOC_HUGE) : few;

	memset(verdict, 0, sizeof(Verdict));
	if (!offers(location, target->method))
	{
		verdict->denied = true;
		verdict->why = "the location does not offer the method";
	}
	else if (book->rules.nsets > 0)
		judge_by_rules(book, location, target, sku, numbers, number_tags(book, tags, ntags, numbers), at, verdict);
	if (numbers != few)
		pfree(numbers);
}

/*
 * oms_unit_cost returns what a unit of a SKU from a location costs, besides what
 * the shipment does; half a 1/10,000 counts as one.
 */
int64
oms_unit_cost(const Terms *terms, const SourceLocation *location, const char *sku, int64 weight_grams, int64 prefer)
{
	int64		cost;

	/* neither a product by less than 1000 nor its half can overflow */
	if (pg_mul_s64_overflow(terms->per_kg, weight_grams / 1000, &cost) ||
		pg_add_s64_overflow(cost, (terms->per_kg * (weight_grams % 1000) + 500) / 1000, &cost) ||
		pg_add_s64_overflow(cost, terms->per_unit, &cost) ||
		pg_add_s64_overflow(cost, terms->pick, &cost) ||
		pg_add_s64_overflow(cost, prefer, &cost))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("a unit of sku \"%s\" from location \"%s\" costs too much to be counted", sku, location->code),
				 errhint("See skus.weight_grams, shipping_rates.per_kg and sourcing_rules.cost.")));
	return cost;
}
