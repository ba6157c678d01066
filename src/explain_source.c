/*
 * explain_source.c
 *	  oms.explain_source: may a location serve a SKU, and what would it cost.
 *
 * What the plan asks the store's book (rulebook.c) of one location, for people.
 * The book is read as the store's owner; so who asks is first made to read the
 * same columns with their own rights.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "channel_rules.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"
#include "rulebook.h"
#include "store.h"

PG_FUNCTION_INFO_V1(oms_explain_source);

/* Its arguments, the store aside. */
enum
{
	ARG_SKU = 1, ARG_LOCATION, ARG_METHOD, ARG_CHANNEL, ARG_COUNTRY, ARG_REGION, ARG_POSTAL_CODE, ARG_AT,
		ARG_LATITUDE, ARG_LONGITUDE
	};

static const StoreQuery may_read = {
	"SELECT 1 FROM (SELECT r.method, r.location, r.origin_zone, r.destination_zone, r.fixed, r.per_unit, r.per_kg, r.transit_days"
	" FROM @.shipping_rates r) r, (SELECT z.code, z.country, z.region, z.postal_prefix FROM @.zones z) z,"
	" (SELECT u.id, u.channel, u.sku, u.tag, u.method, u.destination_zone, u.location, u.effect, u.cost, u.valid_from, u.valid_until"
	" FROM @.sourcing_rules u) u, (SELECT l.code, l.country, l.region, l.postal_code, l.methods, l.fixed_cost, l.pick_cost"
	" FROM @.locations l) l WHERE false",
	0, {0}
};

static const StoreQuery read_case = {
	"SELECT k.code IS NOT NULL, l.code IS NOT NULL, c.code IS NOT NULL, m.code, k.tags, COALESCE(k.weight_grams, 0),"
	" l.active, m.by_partner IS TRUE AND NOT " IS_PARTNER("l") ", k.tracked"
	" FROM (SELECT $1 AS sku, $2 AS location, $3 AS method, $4 AS channel) w LEFT JOIN @.skus k ON k.code" EQ "w.sku"
	" LEFT JOIN @.locations l ON l.code" EQ "w.location LEFT JOIN @.channels c ON c.code" EQ "w.channel"
	" LEFT JOIN @.methods m ON m.code" EQ "COALESCE(w.method, k.default_method, c.default_method)",
	4, {TEXTOID, TEXTOID, TEXTOID, TEXTOID}
};

/* What is asked, as the store knows it. */
typedef struct Inquiry
{
	const char *sku;
	const char **tags;
	int			ntags;
	int64		weight_grams;
	bool		is_free;		/* not counted in stock: a unit costs nothing */
	const char *location;
	bool		is_active;
	bool		wants_partner;	/* which the location is not */
	Target		target;
} Inquiry;

/*
 * text_argument returns an argument, NULL for NULL.
 */
static const char *
text_argument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

/*
 * refuse_unknown refuses a code that the store does not know.
 */
static void
refuse_unknown(const char *what, const char *code)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown %s \"%s\"", what, oms_clip(code))));
}

/*
 * read_tags reads a SKU's tags.
 */
static void
read_tags(Inquiry *inquiry, Datum tags)
{
	Datum	   *values;
	bool	   *nulls;
	int			count;

	deconstruct_array(DatumGetArrayTypeP(tags), TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
	inquiry->tags = palloc(Max(1, count) * sizeof(char *));
	for (int i = 0; i < count; i++)
	{
		if (!nulls[i])
			inquiry->tags[inquiry->ntags++] = TextDatumGetCString(values[i]);
	}
}

/*
 * read_inquiry reads what the store says of the codes that are asked about.
 */
static void
read_inquiry(Store *store, FunctionCallInfo fcinfo, Inquiry *inquiry)
{
	Datum		args[4];
	char		nulls[5] = {0};
	bool		isnull;
	Datum		tags;

	for (int i = 0; i < 4; i++)
	{
		args[i] = fcinfo->args[ARG_SKU + i].value;
		nulls[i] = PG_ARGISNULL(ARG_SKU + i) ? 'n' : ' ';
	}
	(void) oms_run_reading(store, &may_read, NULL);
	if (oms_run_reading_nulls(store, &read_case, args, nulls) != 1)
		elog(ERROR, "a SKU, a location, a channel or a method is there twice");
	inquiry->sku = text_argument(fcinfo, ARG_SKU);
	inquiry->location = text_argument(fcinfo, ARG_LOCATION);
	inquiry->target.channel = text_argument(fcinfo, ARG_CHANNEL);
	inquiry->target.method = oms_column_text(0, 4);
	if (!oms_column_bool(0, 1))
		refuse_unknown("sku", inquiry->sku);
	if (!oms_column_bool(0, 2))
		refuse_unknown("location", inquiry->location);
	if (inquiry->target.channel && !oms_column_bool(0, 3))
		refuse_unknown("channel", inquiry->target.channel);
	if (!inquiry->target.method && !PG_ARGISNULL(ARG_METHOD))
		refuse_unknown("method", text_argument(fcinfo, ARG_METHOD));
	tags = oms_column(0, 5, TEXTARRAYOID, &isnull);
	if (!isnull)
		read_tags(inquiry, tags);
	inquiry->weight_grams = oms_column_int64(0, 6);
	inquiry->is_active = oms_column_bool(0, 7);
	inquiry->wants_partner = oms_column_bool(0, 8);
	inquiry->is_free = !oms_column_bool(0, 9);
}

/*
 * read_point reads where the address is; degrees that are none are refused.
 */
static void
read_point(FunctionCallInfo fcinfo, Target *target)
{
	target->has_point = !PG_ARGISNULL(ARG_LATITUDE) && !PG_ARGISNULL(ARG_LONGITUDE);
	if (!target->has_point)
		return;
	target->latitude = PG_GETARG_FLOAT8(ARG_LATITUDE);
	target->longitude = PG_GETARG_FLOAT8(ARG_LONGITUDE);
	/* NaN is not between anything */
	if (!(fabs(target->latitude) <= 90 && fabs(target->longitude) <= 180))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("latitude must be between -90 and 90, longitude between -180 and 180")));
}

/*
 * channel_denies tells whether the stock rules of the channel keep it away.
 */
static bool
channel_denies(Store *store, const Inquiry *inquiry)
{
	Array	   *skus = oms_array(TEXTOID, 1);
	ChannelRules *rules;

	oms_array_add_text(skus, inquiry->sku);
	rules = oms_channel_rules(store, skus);
	return rules && !oms_channel_may_take(rules, inquiry->target.channel, inquiry->sku, inquiry->location);
}

/*
 * judge asks everything that can deny a location, whatever its stock.
 */
static void
judge(Store *store, const RuleBook *book, const SourceLocation *location, const Inquiry *inquiry, TimestampTz at, Verdict *verdict)
{
	const char *why = NULL;

	oms_judge_source(book, location, &inquiry->target, inquiry->sku, inquiry->tags, inquiry->ntags, at, verdict);
	if (!inquiry->is_active)
		why = "the location is not active";
	else if (inquiry->wants_partner)
		why = "partners alone serve the method, and the location is none";
	else if (channel_denies(store, inquiry))
		why = "channel_stock_rules deny it to the channel";
	if (why)
	{
		verdict->denied = true;
		verdict->why = why;
		verdict->prefer = 0;
	}
}

/*
 * money returns an amount as SQL does.
 */
static Datum
money(int64 amount)
{
	return NumericGetDatum(int64_div_fast_to_numeric(amount, 4));
}

/*
 * oms_explain_source is oms.explain_source(store, sku, location, method,
 * channel, country, region, postal_code, at, latitude, longitude).
 */
Datum
oms_explain_source(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 3);
	TimestampTz at = PG_ARGISNULL(ARG_AT) ? GetCurrentTransactionStartTimestamp() : PG_GETARG_TIMESTAMPTZ(ARG_AT);
	Inquiry		inquiry = {0};
	const RuleBook *book;
	const SourceLocation *location;
	const char *zone;
	Terms		terms;
	Verdict		verdict;
	TupleDesc	tupdesc;
	Datum		values[6];
	bool		nulls[6] = {false};
	MemoryContext caller = CurrentMemoryContext;
	HeapTuple	row;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	tupdesc = BlessTupleDesc(tupdesc);
	oms_spi_begin();
	read_inquiry(store, fcinfo, &inquiry);
	book = oms_rule_book(store);
	location = oms_source_location(book, inquiry.location);
	if (!location)
		refuse_unknown("location", inquiry.location);	/* removed just now */
	zone = oms_zone_of(book, text_argument(fcinfo, ARG_COUNTRY), text_argument(fcinfo, ARG_REGION), text_argument(fcinfo, ARG_POSTAL_CODE));
	inquiry.target.destination_zone = zone;
	read_point(fcinfo, &inquiry.target);
	judge(store, book, location, &inquiry, at, &verdict);
	oms_terms(book, location, &inquiry.target, &terms);

	nulls[1] = !verdict.why;
	nulls[2] = !zone;
	nulls[5] = terms.transit_days < 0;
	values[0] = BoolGetDatum(!verdict.denied);
	values[1] = verdict.why ? CStringGetTextDatum(verdict.why) : (Datum) 0;
	values[2] = zone ? CStringGetTextDatum(zone) : (Datum) 0;
	values[3] = money(terms.fixed);
	values[4] = money(inquiry.is_free ? 0 : oms_unit_cost(&terms, location, inquiry.sku, inquiry.weight_grams, verdict.prefer));
	values[5] = Int32GetDatum(terms.transit_days);
	MemoryContextSwitchTo(caller);
	row = heap_form_tuple(tupdesc, values, nulls);
	oms_spi_end();
	PG_RETURN_DATUM(HeapTupleGetDatum(row));
}
