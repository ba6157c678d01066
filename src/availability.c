/*
 * availability.c
 *	  oms.availability: what there is of SKUs, and what could be sold now.
 *
 * It only reads, as the caller and in the snapshot of the calling statement.
 * Where units may come from is what sourcing_plan.c plans by: active locations whose
 * stock is counted, partners' alone where the method is theirs, or the one
 * location that is asked about.  What keeps its own books has no limit.  A
 * channel's rules say where it may take, and how much it must leave.
 *
 * A bundle is what can be made of its components, down to those that are no
 * bundles themselves.
 *
 * The query is one kept plan: a shop asks this for every page it shows.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "availability.h"
#include "backorder.h"
#include "oms.h"
#include "plan.h"

PG_FUNCTION_INFO_V1(oms_availability);

static const StoreQuery read_channel = {
	"SELECT c.active, c.default_method FROM @.channels c WHERE c.code" EQ "$1", 1, {TEXTOID}
};

static const StoreQuery read_location = {
	"SELECT l.active, l.tracked FROM @.locations l WHERE l.code" EQ "$1", 1, {TEXTOID}
};

/*
 * What there is of a SKU, in all locations; of it could be sold now what is
 * available where it may come from.
 */
#define COUNTED(may_serve, kept) \
	"COALESCE(pg_catalog.sum(s.on_hand), 0)::pg_catalog.int8 AS on_hand," \
	" COALESCE(pg_catalog.sum(s.reserved), 0)::pg_catalog.int8 AS reserved," \
	" COALESCE(pg_catalog.sum(s.safety_stock), 0)::pg_catalog.int8 AS safety_stock," \
	" COALESCE(pg_catalog.sum(CASE WHEN l.active AND l.tracked" may_serve \
	" THEN GREATEST(0, s.available" PLUS EXPIRED kept ") END), 0)::pg_catalog.int8 AS available" \
	" FROM @.stock s JOIN @.locations l ON l.code" EQ "s.location"

/* units that holds keep, their time not having passed */
#define HELD_UNITS(sku, where) \
	"CASE WHEN t.reserved" EQ "0 THEN 0 ELSE COALESCE((SELECT pg_catalog.sum(h.quantity)::pg_catalog.int8" \
	" FROM @.stock_holds h WHERE h.sku" EQ sku where " AND h.expires_at" GT "pg_catalog.clock_timestamp()), 0) END"

/*
 * Units that could be sold for later, NULL without limit, by the policy that
 * backorder.c would ask; whether it may have parts.
 */
#define LATER(sku) \
	"(SELECT CASE WHEN pg_catalog.count(*)" EQ "0 THEN 0 WHEN pg_catalog.bool_or(p.limit_units IS NULL) THEN NULL" \
	" ELSE pg_catalog.sum(GREATEST(0, p.limit_units" MINUS "p.backordered))::pg_catalog.int8 END" \
	" FROM (SELECT b.limit_units, b.backordered FROM @.backorder_policies b WHERE b.sku" EQ sku \
	" AND " IN_FORCE("b") \
	" ORDER BY b.valid_from DESC LIMIT 1) p), k.kind" EQ "'bundle'"

#define NUMBERS(held) "t.on_hand, t.reserved, " held ", t.safety_stock, t.available"
#define NEXT(sku) "(SELECT pg_catalog.min(i.expected_at) FROM @.inbound i WHERE i.sku" EQ sku " AND " IS_COMING

/*
 * What a shop asks most is one SKU, in all locations, that goes as its channel
 * says: so little that making ready more would be what costs.
 */
static const StoreQuery read_one = {
	"SELECT k.code, k.active AND (k.tracked OR k.kind" EQ "'bundle' OR EXISTS (SELECT FROM @.locations l WHERE l.active AND l.tracked)),"
	" k.tracked, false, " NUMBERS(HELD_UNITS("k.code", "")) ", " NEXT("k.code") "), false, " LATER("k.code")
	" FROM @.skus k CROSS JOIN LATERAL (SELECT " COUNTED("", "") " WHERE s.sku" EQ "k.code) t"
	" WHERE k.code" EQ "$1 AND k.default_method IS NULL",
	1, {TEXTOID}
};

/* whether there is a location that it may come from, for what takes no stock too */
#define SOMEWHERE(may_take) \
	"EXISTS (SELECT FROM @.locations l WHERE l.active AND CASE WHEN $3 IS NOT NULL THEN l.code" EQ "$3" \
	" WHEN m.by_partner THEN " IS_PARTNER("l") " ELSE l.tracked END" may_take ")"

/* $1 skus, $2 the channel's method, $3 the location, $4 the channel, $5 methods of the bundles that they are in */
#define MANY(from_where, may_take, kept) \
	"SELECT w.sku, k.active AND (k.kind" EQ "'bundle' OR " from_where "), k.tracked, COALESCE(m.by_partner AND $3 IS NULL, false), " \
	NUMBERS(HELD_UNITS("w.sku", " AND ($3 IS NULL OR h.location" EQ "$3)")) "," \
	" " NEXT("w.sku") " AND ($3 IS NULL OR i.location" EQ "$3))," \
	" COALESCE(m.by_partner AND $3 IS NULL AND EXISTS (SELECT FROM @.locations l" \
	" WHERE l.active AND NOT l.tracked AND " IS_PARTNER("l") may_take("w.sku", "l.code") "), false), " LATER("w.sku") \
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($5)) WITH ORDINALITY AS w(sku, method, place)" \
	" LEFT JOIN @.skus k ON k.code" EQ "w.sku" \
	" LEFT JOIN @.methods m ON m.code" EQ "COALESCE(w.method, k.default_method, $2) CROSS JOIN LATERAL (SELECT " \
	COUNTED(" AND (m.by_partner IS NOT TRUE OR $3 IS NOT NULL OR " IS_PARTNER("l") ")" may_take("s.sku", "s.location"), kept) \
	" WHERE s.sku" EQ "w.sku AND ($3 IS NULL OR s.location" EQ "$3)) t ORDER BY w.place"

#define ANYWHERE(sku, location) ""

static const StoreQuery read_many = {
	MANY("k.tracked OR " SOMEWHERE(""), ANYWHERE, ""), 5, {TEXTARRAYOID, TEXTOID, TEXTOID, TEXTOID, TEXTARRAYOID}
};

static const StoreQuery read_many_for_channel = {
	MANY("k.tracked AND NOT " IS_LIMITED("w.sku") " OR " SOMEWHERE(ALLOWED("w.sku", "l.code")), ALLOWED, MINUS KEPT("s.sku", "s.location")),
	5, {TEXTARRAYOID, TEXTOID, TEXTOID, TEXTOID, TEXTARRAYOID}
};

/* what bundles are made of in the end */
static const StoreQuery read_parts = {
	"SELECT c.bundle, c.sku, c.quantity, b.default_method FROM @.bundle_components c JOIN @.skus b ON b.code" EQ "c.bundle"
	" WHERE c.bundle" EQ "ANY ($1) ORDER BY c.bundle, c.sku",
	1, {TEXTARRAYOID}
};

/* The columns of oms.availability. */
enum
{
	SKU, ON_HAND, RESERVED, HELD, SAFETY_STOCK, AVAILABLE, BACKORDERABLE, NEXT_EXPECTED_AT, NCOLUMNS
};

static Answer *ask(Store *store, Datum skus, const Array *methods, const Question *question, int *count);
static void put_answer(ReturnSetInfo *result, const Answer *answer);
static bool is_single(ArrayType *array, Datum *only);
static void make_bundles(Store *store, const Question *question, Answer *answers, int count);
static void read_answer(uint64 row, const Question *question, Answer *answer);

/*
 * oms_availability is oms.availability(store, skus, channel, location).
 */
Datum
oms_availability(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 2);
	Question	question;
	Answer	   *answers;
	int			count;

	InitMaterializedSRF(fcinfo, 0);
	if (array_contains_nulls(PG_GETARG_ARRAYTYPE_P(1)))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("skus must not contain null"),
				 errhint("Leave it out.")));
	oms_spi_begin();
	oms_read_question(store, fcinfo, 2, &question);
	answers = oms_ask(store, PG_GETARG_DATUM(1), &question, &count);
	for (int i = 0; i < count; i++)
		put_answer((ReturnSetInfo *) fcinfo->resultinfo, &answers[i]);
	oms_spi_end();
	return (Datum) 0;
}

/*
 * put_answer adds a row to the result.
 */
static void
put_answer(ReturnSetInfo *result, const Answer *answer)
{
	Datum		values[NCOLUMNS];
	bool		nulls[NCOLUMNS] = {false};

	values[SKU] = CStringGetTextDatum(answer->sku);
	values[ON_HAND] = Int64GetDatum(answer->on_hand);
	values[RESERVED] = Int64GetDatum(answer->reserved);
	values[HELD] = Int64GetDatum(answer->held);
	values[SAFETY_STOCK] = Int64GetDatum(answer->safety_stock);
	nulls[AVAILABLE] = answer->is_unlimited && !answer->is_closed;
	values[AVAILABLE] = Int64GetDatum(answer->is_closed ? 0 : answer->available);
	nulls[BACKORDERABLE] = answer->has_no_limit;
	values[BACKORDERABLE] = Int64GetDatum(answer->backorderable);
	nulls[NEXT_EXPECTED_AT] = !answer->is_coming;
	values[NEXT_EXPECTED_AT] = TimestampTzGetDatum(answer->next_expected_at);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * refuse_unknown says that there is no such code.
 */
static void
refuse_unknown(const char *what, const char *code)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown %s \"%s\"", what, oms_clip(code)),
			 errhint("Table %ss lists those that there are.", what)));
}

/*
 * oms_read_question reads the arguments channel and location, of which the first is
 * so many-th.
 */
void
oms_read_question(Store *store, FunctionCallInfo fcinfo, int first, Question *question)
{
	memset(question, 0, sizeof(Question));
	question->is_particular = !PG_ARGISNULL(first) || !PG_ARGISNULL(first + 1);
	if (!PG_ARGISNULL(first))
	{
		bool		isnull;

		if (oms_run_reading(store, &read_channel, &fcinfo->args[first].value) == 0)
			refuse_unknown("channel", TextDatumGetCString(fcinfo->args[first].value));
		question->has_channel = true;
		question->channel = fcinfo->args[first].value;
		question->is_closed = !oms_column_bool(0, 1);
		question->method = oms_column(0, 2, TEXTOID, &isnull);
		question->has_method = !isnull;
	}
	if (!PG_ARGISNULL(first + 1))
	{
		question->has_location = true;
		question->location = fcinfo->args[first + 1].value;
		if (oms_run_reading(store, &read_location, &question->location) == 0)
			refuse_unknown("location", TextDatumGetCString(question->location));
		question->is_closed |= !oms_column_bool(0, 1);
		question->is_unlimited = !oms_column_bool(0, 2);
	}
}

/*
 * oms_ask reads what there is of SKUs, an answer each, in their order.
 */
Answer *
oms_ask(Store *store, Datum skus, const Question *question, int *count)
{
	return ask(store, skus, NULL, question, count);
}

/*
 * ask does so for SKUs on their own, or for the components of bundles, whose
 * methods go before theirs; NULL: the bundle has none.
 */
static Answer *
ask(Store *store, Datum skus, const Array *methods, const Question *question, int *count)
{
	char		nulls[] = {
		' ', question->has_method ? ' ' : 'n', question->has_location ? ' ' : 'n', question->has_channel ? ' ' : 'n',
		methods ? ' ' : 'n', '\0'
	};
	Datum		only;
	uint64		found = 0;
	Answer	   *answers;

	if (!methods && !question->is_particular && is_single(DatumGetArrayTypeP(skus), &only))
		found = oms_run_reading(store, &read_one, &only);
	if (found == 0)
		found = oms_run_reading_nulls(store, question->has_channel ? &read_many_for_channel : &read_many, (Datum[]) {
			skus, question->method, question->location, question->channel, methods ? oms_array_datum(methods) : (Datum) 0
		}, nulls);
	answers = palloc_extended(Max(1, found) * sizeof(Answer), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint64 i = 0; i < found; i++)
		read_answer(i, question, &answers[i]);
	*count = (int) found;
	make_bundles(store, question, answers, *count);
	return answers;
}

/*
 * is_single tells whether an array has one element, and which.
 */
static bool
is_single(ArrayType *array, Datum *only)
{
	if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] != 1 || ARR_HASNULL(array))
		return false;
	*only = PointerGetDatum(ARR_DATA_PTR(array));
	return true;
}

/*
 * read_answer reads a row of it; a SKU that does not exist is refused.
 */
static void
read_answer(uint64 row, const Question *question, Answer *answer)
{
	bool		isnull;

	answer->sku = oms_column_name(row, 1);
	if (oms_column_is_null(row, 2))
		refuse_unknown("sku", answer->sku);
	answer->is_closed = question->is_closed || !oms_column_bool(row, 2);

	/*
	 * a partner that keeps its own books has all that a method of partners
	 * wants
	 */
	answer->is_unlimited = question->is_unlimited || !oms_column_bool(row, 3) || oms_column_bool(row, 11);
	answer->by_partner = oms_column_bool(row, 4);
	answer->on_hand = oms_column_int64(row, 5);
	answer->reserved = oms_column_int64(row, 6);
	answer->held = oms_column_int64(row, 7);
	answer->safety_stock = oms_column_int64(row, 8);
	answer->available = oms_column_int64(row, 9);
	answer->next_expected_at = DatumGetTimestampTz(oms_column(row, 10, TIMESTAMPTZOID, &isnull));
	answer->is_coming = !isnull;
	answer->backorderable = DatumGetInt64(oms_column(row, 12, INT8OID, &answer->has_no_limit));
	answer->is_bundle = oms_column_bool(row, 13);
	if (answer->is_closed || answer->is_unlimited)
	{
		answer->backorderable = 0;
		answer->has_no_limit = false;
	}
}

/*
 * make_bundle says of a bundle how many can be made of what there is of its
 * parts, and how many more with what can be sold of them for later.
 */
static void
make_bundle(Answer *bundle)
{
	int64		most = PG_INT64_MAX;

	bundle->is_unlimited = bundle->has_no_limit = true;
	for (int i = 0; i < bundle->nparts; i++)
	{
		const Answer *part = bundle->parts[i].answer;
		int64		quantity = Max(1, bundle->parts[i].quantity);

		bundle->is_closed |= part->is_closed;
		if (part->is_unlimited)
			continue;
		bundle->available = bundle->is_unlimited ? part->available / quantity : Min(bundle->available, part->available / quantity);
		bundle->is_unlimited = false;
		if (part->has_no_limit)
			continue;
		bundle->has_no_limit = false;
		most = Min(most, (part->available + part->backorderable) / quantity);
	}
	bundle->has_no_limit &= !bundle->is_unlimited && !bundle->is_closed;
	bundle->backorderable = bundle->is_closed || bundle->is_unlimited || bundle->has_no_limit ? 0 : most - bundle->available;
}

/*
 * make_bundles does so for all answers that are of bundles.
 */
static void
make_bundles(Store *store, const Question *question, Answer *answers, int count)
{
	Array	   *bundles = oms_array(TEXTOID, 8);
	Array	   *skus = oms_array(TEXTOID, 8);
	Array	   *methods = oms_array(TEXTOID, 8);
	const char **of;
	Part	   *parts;
	uint64		found;
	int			nanswers;
	Answer	   *whole;

	for (int i = 0; i < count; i++)
	{
		if (answers[i].is_bundle)
			oms_array_add_text(bundles, answers[i].sku);
	}
	if (bundles->count == 0)
		return;
	found = oms_run_reading(store, &read_parts, (Datum[]) {oms_array_datum(bundles)});
	of = palloc_extended(Max(1, found) * sizeof(char *), MCXT_ALLOC_HUGE);
	parts = palloc_extended(Max(1, found) * sizeof(Part), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint64 i = 0; i < found; i++)
	{
		of[i] = oms_column_name(i, 1);
		oms_array_add_text(skus, oms_column_name(i, 2));
		parts[i].quantity = oms_column_int64(i, 3);
		if (oms_column_is_null(i, 4))
			oms_array_add_null(methods);
		else
			oms_array_add_text(methods, oms_column_name(i, 4));
	}
	/* in the order of skus, that of parts */
	whole = ask(store, oms_array_datum(skus), methods, question, &nanswers);
	for (uint64 i = 0; i < found; i++)
		parts[i].answer = &whole[i];
	for (int i = 0; i < count; i++)
	{
		uint64		first = 0;

		if (!answers[i].is_bundle)
			continue;
		while (first < found && strcmp(of[first], answers[i].sku) != 0)
			first++;
		answers[i].parts = &parts[first];
		while (first + answers[i].nparts < found && strcmp(of[first + answers[i].nparts], answers[i].sku) == 0)
			answers[i].nparts++;
		if (answers[i].nparts > 0)
			make_bundle(&answers[i]);
		else
			answers[i].is_closed = true;	/* of nothing, nothing is sold */
	}
}
