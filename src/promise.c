/*
 * promise.c
 *	  oms.available_to_promise: from when on so many units could be sold.
 *
 * What is on its way is added, by the time when it is expected, to what is
 * available now (availability.c), at the location that it comes to: there it
 * fills up safety stock first.  Then come those who wait, since receipts are
 * given to them first: short units, and those sold for later.  What is left of
 * an arrival can be promised.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "availability.h"
#include "channel_rules.h"
#include "oms.h"
#include "plan.h"

PG_FUNCTION_INFO_V1(oms_available_to_promise);

/* $1 sku, $2 the location, $3 whether partners alone will do */
#define LEVELS(may_take, kept) \
	"SELECT s.location, s.available" PLUS EXPIRED kept \
	" FROM @.stock s JOIN @.locations l ON l.code" EQ "s.location" \
	" WHERE s.sku" EQ "$1 AND ($2 IS NULL OR s.location" EQ "$2) AND l.active AND l.tracked AND (NOT $3 OR " IS_PARTNER("l") ")" \
	may_take

#define ARRIVALS(may_take, kept) \
	"SELECT i.location, i.outstanding, i.expected_at, " kept " FROM @.inbound i JOIN @.locations l ON l.code" EQ "i.location" \
	" WHERE i.sku" EQ "$1 AND ($2 IS NULL OR i.location" EQ "$2) AND l.active AND l.tracked AND (NOT $3 OR " IS_PARTNER("l") ")" \
	" AND " IS_COMING may_take " ORDER BY i.expected_at, i.id"

/* without a channel and with one, $4 */
static const StoreQuery read_levels[] = {
	{LEVELS("", ""), 3, {TEXTOID, TEXTOID, BOOLOID}},
	{LEVELS(ALLOWED("s.sku", "s.location"), MINUS KEPT("s.sku", "s.location")), 4, {TEXTOID, TEXTOID, BOOLOID, TEXTOID}}
};

static const StoreQuery read_arrivals[] = {
	{ARRIVALS("", "0::pg_catalog.int8"), 3, {TEXTOID, TEXTOID, BOOLOID}},
	{ARRIVALS(ALLOWED("i.sku", "i.location"), KEPT("i.sku", "i.location")), 4, {TEXTOID, TEXTOID, BOOLOID, TEXTOID}}
};

/* units that are owed already, and so served before anybody new */
static const StoreQuery read_waiting = {
	"SELECT COALESCE(pg_catalog.sum(l.short), 0)::pg_catalog.int8"
	PLUS "COALESCE((SELECT pg_catalog.sum(p.backordered)::pg_catalog.int8 FROM @.backorder_policies p WHERE p.sku" EQ "$1), 0)"
	" FROM @.order_lines l WHERE l.sku" EQ "$1 AND l.short" GT "0 AND ($2 IS NULL OR l.location IS NULL OR l.location" EQ "$2)",
	2, {TEXTOID, TEXTOID}
};

/* A location's units, and those on their way there. */
typedef struct Level
{
	const char *location;
	int64		units;			/* less than 0 where safety stock, or what is
								 * to be left, is to be filled up */
} Level;

static TimestampTz promise(Store *store, const Question *question, const Answer *answer, int64 wanted);
static TimestampTz find_date(Store *store, Datum sku, const Question *question, const Answer *answer, int64 wanted);

/*
 * oms_available_to_promise is oms.available_to_promise(store, sku, quantity,
 * channel, location).
 */
Datum
oms_available_to_promise(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 3);
	Datum		sku = PG_GETARG_DATUM(1);
	int64		quantity = PG_GETARG_INT64(2);
	Array	   *skus = oms_array(TEXTOID, 1);
	Question	question;
	Answer	   *answer;
	int			count;
	TimestampTz date;

	if (quantity < 1 || quantity > INT64CONST(1000000000000))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("quantity must be between 1 and 1000000000000, not " INT64_FORMAT, quantity),
				 errhint("Ask for the units of one order line.")));
	oms_array_add(skus, sku);
	oms_spi_begin();
	oms_read_question(store, fcinfo, 3, &question);
	answer = oms_ask(store, oms_array_datum(skus), &question, &count);
	date = promise(store, &question, answer, quantity);
	oms_spi_end();
	if (date == 0)
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(date);
}

/*
 * promise returns from when on there are so many units, 0 where never.  A bundle
 * is there when the last of its parts is.
 */
static TimestampTz
promise(Store *store, const Question *question, const Answer *answer, int64 wanted)
{
	TimestampTz date = GetCurrentTransactionStartTimestamp();

	if (answer->is_closed)
		return 0;
	if (answer->is_unlimited || answer->available >= wanted)
		return date;
	if (answer->nparts == 0)
		return find_date(store, CStringGetTextDatum(answer->sku), question, answer, wanted);
	for (int i = 0; i < answer->nparts; i++)
	{
		const Part *part = &answer->parts[i];
		int64		units;
		TimestampTz of_part = pg_mul_s64_overflow(wanted, part->quantity, &units) ? 0
			: promise(store, question, part->answer, units);

		if (of_part == 0)
			return 0;
		date = Max(date, of_part);
	}
	return date;
}

/*
 * level_at returns the level of a location; where nothing has ever been, so much
 * is to be left of what comes first.
 */
static Level *
level_at(Level *levels, int *count, const char *location, int64 kept)
{
	for (int i = 0; i < *count; i++)
	{
		if (strcmp(levels[i].location, location) == 0)
			return &levels[i];
	}
	levels[*count].location = location;
	levels[*count].units = -kept;
	return &levels[(*count)++];
}

/*
 * find_date returns the date of the arrival with which there are so many units
 * besides those that are owed, 0 where there is none.  What is available now is
 * so because nobody who waits can take it; they take of what arrives.
 */
static TimestampTz
find_date(Store *store, Datum sku, const Question *question, const Answer *answer, int64 wanted)
{
	Datum		args[] = {sku, question->location, BoolGetDatum(answer->by_partner), question->channel};
	const char *nulls = question->has_location ? NULL : " n  ";
	uint64		count = oms_run_reading_nulls(store, &read_levels[question->has_channel], args, nulls);
	int			nlevels = 0;
	Level	   *levels = palloc_extended((count + 1) * sizeof(Level), MCXT_ALLOC_HUGE);
	int64		waiting;
	int64		gained = 0;

	for (uint64 i = 0; i < count; i++)
	{
		levels[nlevels].location = oms_column_name(i, 1);
		levels[nlevels++].units = oms_column_int64(i, 2);
	}
	(void) oms_run_reading_nulls(store, &read_waiting, args, nulls ? " n" : NULL);
	waiting = oms_column_int64(0, 1);
	count = oms_run_reading_nulls(store, &read_arrivals[question->has_channel], args, nulls);
	levels = repalloc_huge(levels, (nlevels + count + 1) * sizeof(Level));
	for (uint64 i = 0; i < count; i++)
	{
		Level	   *level = level_at(levels, &nlevels, oms_column_name(i, 1), oms_column_int64(i, 4));
		int64		before = Max(0, level->units);
		bool		isnull;

		CHECK_FOR_INTERRUPTS();
		level->units += oms_column_int64(i, 2);
		gained += Max(0, level->units) - before;
		if (answer->available + Max(0, gained - waiting) >= wanted)
			return DatumGetTimestampTz(oms_column(i, 3, TIMESTAMPTZOID, &isnull));
	}
	return 0;
}
