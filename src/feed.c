/*
 * feed.c
 *	  oms.set_stock: the stock of a location becomes what a feed says.
 *
 * A feed is a count by people or a message of whoever keeps the goods.  Its
 * effect is movements of kind count, inserted as the caller, for those SKUs
 * alone that differ (feed_levels.c); allocations give way and waiting orders
 * are filled as by any count (movement.c).
 *
 * Feeds of one location take turns: each locks the location's row first, which
 * nobody needs who holds anything else.  So which feed is newer is asked of a
 * log that stands still: an item is ignored if a feed newer than this one told
 * of its SKU, or of all SKUs at once.  At the higher isolation levels a feed that
 * came in meanwhile is not seen, and this one has to be sent again (40001).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

#include "document.h"
#include "feed.h"
#include "giveway.h"
#include "import.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"

PG_FUNCTION_INFO_V1(oms_set_stock);

static const StoreQuery lock_location = {
	"SELECT l.tracked FROM @.locations l WHERE l.code" EQ "$1 FOR NO KEY UPDATE", 1, {TEXTOID}
};

static const StoreQuery last_feed = {
	"SELECT COALESCE((SELECT f.id FROM @.stock_feeds f WHERE f.location" EQ "$1 ORDER BY f.id DESC LIMIT 1), 0)",
	1, {TEXTOID}
};

static const StoreQuery find_feed = {
	"SELECT f.document_hash FROM @.stock_feeds f WHERE f.location" EQ "$1 AND f.ref" EQ "$2", 2, {TEXTOID, TEXTOID}
};

static const StoreQuery find_unknown_sku = {
	"SELECT w.sku FROM ROWS FROM (pg_catalog.unnest($1)) AS w(sku)"
	" WHERE NOT EXISTS (SELECT FROM @.skus s WHERE s.code" EQ "w.sku) LIMIT 1",
	1, {TEXTARRAYOID}
};

/* Whether row t of a feed is newer than the one that $2 and $3 tell of. */
#define IS_NEWER "(CASE WHEN t.sequence" GE "0 AND $3" GE "0 THEN t.sequence" GT "$3 ELSE t.as_of" GT "$2 END)"

/* Two questions, each of an index of its own. */
static const StoreQuery find_newer_full = {
	"(SELECT t.ref, pg_catalog.to_jsonb(t.as_of)::pg_catalog.text, t.sequence::pg_catalog.text FROM @.stock_feeds t"
	" WHERE t.location" EQ "$1 AND t.is_full AND t.sequence" GT "$3 LIMIT 1) UNION ALL"
	" (SELECT t.ref, pg_catalog.to_jsonb(t.as_of)::pg_catalog.text, t.sequence::pg_catalog.text FROM @.stock_feeds t"
	" WHERE t.location" EQ "$1 AND t.is_full AND t.as_of" GT "$2 AND " IS_NEWER " LIMIT 1) LIMIT 1",
	3, {TEXTOID, TIMESTAMPTZOID, INT8OID}
};

static const StoreQuery find_newer_named = {
	"SELECT t.sku, t.ref, pg_catalog.to_jsonb(t.as_of)::pg_catalog.text, t.sequence::pg_catalog.text"
	" FROM ROWS FROM (pg_catalog.unnest($4)) AS w(sku) JOIN @.stock_feed_items t ON t.location" EQ "$1 AND t.sku" EQ "w.sku"
	" WHERE " IS_NEWER " ORDER BY t.sku",
	4, {TEXTOID, TIMESTAMPTZOID, INT8OID, TEXTARRAYOID}
};

static const StoreQuery find_newer = {
	"SELECT t.sku, t.ref, pg_catalog.to_jsonb(t.as_of)::pg_catalog.text, t.sequence::pg_catalog.text"
	" FROM @.stock_feed_items t WHERE t.location" EQ "$1 AND " IS_NEWER " ORDER BY t.sku",
	3, {TEXTOID, TIMESTAMPTZOID, INT8OID}
};

/* As the caller. */
static const StoreQuery insert_counts = {
	"INSERT INTO @.stock_movements (sku, location, kind, quantity, external_ref)"
	" SELECT w.sku, $3, 'count', w.quantity, $4"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS w(sku, quantity)",
	4, {TEXTARRAYOID, INT8ARRAYOID, TEXTOID, TEXTOID}
};

static const StoreQuery log_feed = {
	"INSERT INTO @.stock_feeds (location, ref, as_of, sequence, basis, is_full, applied, emptied, unchanged, ignored,"
	" ignored_items, document_hash, actor)"
	" SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::pg_catalog.jsonb, $12, $13",
	13, {
		TEXTOID, TEXTOID, TIMESTAMPTZOID, INT8OID, TEXTOID, BOOLOID, INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID,
		BYTEAOID, TEXTOID
	}
};

static const StoreQuery keep_items = {
	"INSERT INTO @.stock_feed_items AS t (location, sku, as_of, sequence, ref)"
	" SELECT $1, w.sku, $2, $3, $5 FROM ROWS FROM (pg_catalog.unnest($4)) AS w(sku)"
	" ON CONFLICT (location, sku) DO UPDATE SET as_of = excluded.as_of, sequence = excluded.sequence, ref = excluded.ref",
	5, {TEXTOID, TIMESTAMPTZOID, INT8OID, TEXTARRAYOID, TEXTOID}
};

static const StoreQuery read_result = {
	"SELECT f.applied, f.emptied, f.unchanged, f.ignored, $3, f.ignored_items FROM @.stock_feeds f"
	" WHERE f.location" EQ "$1 AND f.ref" EQ "$2",
	3, {TEXTOID, TEXTOID, BOOLOID}
};

static void require_insert(const Store *store);
static bool begin_turn(Feed *feed);
static void take_in(Feed *feed, OwnerScope *scope);

/*
 * oms_set_stock is oms.set_stock(store, feed).
 */
Datum
oms_set_stock(PG_FUNCTION_ARGS)
{
	Feed		feed = {.store = oms_store_argument(fcinfo, 2)};
	MemoryContext caller = CurrentMemoryContext;
	TupleDesc	tupdesc;
	OwnerScope	scope;
	bool		repeated;
	Datum		values[6];
	bool		nulls[6];
	HeapTuple	row;
	int			guc_level;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "set_stock must return a row");
	tupdesc = BlessTupleDesc(tupdesc);
	if (oms_is_importing(feed.store))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this transaction imports into store \"%s\" and cannot set its stock", feed.store->name),
				 errhint("Do it in another transaction, or insert stock and stock_movements as they were.")));
	require_insert(feed.store);
	oms_parse_feed(&feed, PG_GETARG_JSONB_P(1));
	guc_level = oms_pin_search_path(feed.store);
	oms_spi_begin();
	oms_become_owner(feed.store, &scope);
	repeated = begin_turn(&feed);
	if (!repeated)
		take_in(&feed, &scope);
	if (oms_run(feed.store, &read_result, (Datum[]) {
		CStringGetTextDatum(feed.location), CStringGetTextDatum(feed.ref), BoolGetDatum(repeated)
	}) != 1)
		elog(ERROR, "feed \"%s\" is not in the log", feed.ref);
	oms_require_types(tupdesc);
	heap_deform_tuple(SPI_tuptable->vals[0], tupdesc, values, nulls);
	MemoryContextSwitchTo(caller);
	row = heap_form_tuple(tupdesc, values, nulls);
	oms_leave_owner(&scope);
	oms_spi_end();
	AtEOXact_GUC(true, guc_level);
	PG_RETURN_DATUM(HeapTupleGetDatum(row));
}

/*
 * require_insert refuses who may not insert the movements: a feed that changes
 * nothing inserts none and counts all the same.
 */
static void
require_insert(const Store *store)
{
	static const char *const columns[] = {"sku", "location", "kind", "quantity", "external_ref"};
	Oid			relid = get_relname_relid("stock_movements", store->namespace_oid);

	if (pg_class_aclcheck(relid, GetUserId(), ACL_INSERT) == ACLCHECK_OK)
		return;
	for (int i = 0; i < (int) lengthof(columns); i++)
	{
		if (pg_attribute_aclcheck(relid, get_attnum(relid, columns[i]), GetUserId(), ACL_INSERT) != ACLCHECK_OK)
			aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, "stock_movements");
	}
}

/*
 * begin_turn waits for the location's turn.  Returns whether the feed has come
 * before.
 */
static bool
begin_turn(Feed *feed)
{
	Datum		args[2] = {CStringGetTextDatum(feed->location), CStringGetTextDatum(feed->ref)};
	int64		last;
	bool		isnull;

	if (oms_run(feed->store, &lock_location, args) == 0)
		oms_document_fault("", "location", psprintf("unknown location \"%s\"", feed->location));
	if (!oms_column_bool(0, 1))
		oms_document_fault("", "location", psprintf("location \"%s\" keeps its own books (tracked is false)", feed->location));
	(void) oms_run_latest(feed->store, &last_feed, args);
	last = oms_column_int64(0, 1);
	if (oms_run(feed->store, &last_feed, args) != 1 || oms_column_int64(0, 1) != last)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("another session has set the stock of location \"%s\" meanwhile", feed->location),
				 errhint("Retry the transaction.")));
	if (oms_run(feed->store, &find_feed, args) == 0)
		return false;
	if (!DatumGetBool(DirectFunctionCall2(byteaeq, oms_column(0, 1, BYTEAOID, &isnull), PointerGetDatum(feed->hash))))
		ereport(ERROR,
				(errcode(ERRCODE_OMS_REFERENCE_REUSED),
				 errmsg("ref \"%s\" of location \"%s\" was used before, with another feed", feed->ref, feed->location),
				 errhint("The same feed may be sent again; another needs another ref.")));
	return true;
}

/*
 * skus_of lists the SKUs of the feed's items: all that it names, or those alone
 * that it has told of first.
 */
static Array *
skus_of(const Feed *feed, bool all)
{
	Array	   *skus = oms_array(TEXTOID, feed->count);

	for (int i = 0; i < feed->count; i++)
	{
		const FeedItem *item = &feed->items[i];

		if (item->place >= 0 && (all || !item->is_ignored))
			oms_array_add_text(skus, item->sku);
	}
	return skus;
}

/*
 * require_skus refuses a SKU that there is not.
 */
static void
require_skus(const Feed *feed)
{
	char	   *sku;

	if (oms_run(feed->store, &find_unknown_sku, (Datum[]) {oms_array_datum(skus_of(feed, true))}) == 0)
		return;
	sku = oms_column_text(0, 1);
	oms_document_fault(psprintf("items[%d]", oms_feed_item(feed, sku)->place), "sku", psprintf("unknown sku \"%s\"", sku));
}

/*
 * ignore notes that an item is older than what a row of the query, from this
 * column on, tells of its feed.
 */
static void
ignore(StringInfo list, FeedItem *item, uint64 row, int column)
{
	char	   *sequence = oms_column_text(row, column + 2);

	item->is_ignored = true;
	appendStringInfoString(list, list->len == 0 ? "[{\"sku\": " : ", {\"sku\": ");
	escape_json(list, item->sku);
	if (item->place >= 0)
		appendStringInfo(list, ", \"quantity\": " INT64_FORMAT, item->quantity);
	appendStringInfoString(list, ", \"ref\": ");
	escape_json(list, oms_column_text(row, column));
	appendStringInfo(list, ", \"as_of\": %s, \"sequence\": %s}", oms_column_text(row, column + 1),
					 sequence ? sequence : "null");
}

/*
 * is_outdated tells whether a newer feed has told of all SKUs; then every item is
 * ignored.
 */
static bool
is_outdated(Feed *feed, StringInfo ignored)
{
	Datum		args[3] = {CStringGetTextDatum(feed->location), TimestampTzGetDatum(feed->as_of), Int64GetDatum(feed->sequence)};

	if (oms_run_nulls(feed->store, &find_newer_full, args, feed->has_sequence ? "   " : "  n") == 0)
		return false;
	for (int i = 0; i < feed->count; i++)
		ignore(ignored, &feed->items[i], 0, 1);
	return true;
}

/*
 * leave_out_older ignores the items of which a newer feed has told.
 */
static void
leave_out_older(Feed *feed, StringInfo ignored)
{
	Datum		args[4] = {
		CStringGetTextDatum(feed->location), TimestampTzGetDatum(feed->as_of), Int64GetDatum(feed->sequence),
		oms_array_datum(skus_of(feed, true))
	};
	uint64		found = oms_run_nulls(feed->store, feed->is_full ? &find_newer : &find_newer_named, args,
									  feed->has_sequence ? "    " : "  n ");

	for (uint64 i = 0; i < found; i++)
	{
		FeedItem   *item = oms_feed_item(feed, oms_column_text(i, 1));

		if (item)
			ignore(ignored, item, i, 2);
	}
}

/*
 * write_counts inserts a movement for each item that differs.
 */
static void
write_counts(Feed *feed, OwnerScope *scope)
{
	Array	   *skus = oms_array(TEXTOID, 8);
	Array	   *quantities = oms_array(INT8OID, 8);
	bool		before;
	volatile uint64 written = 0;

	for (int i = 0; i < feed->count; i++)
	{
		if (!feed->items[i].is_changed)
			continue;
		oms_array_add_text(skus, feed->items[i].sku);
		oms_array_add_int64(quantities, oms_feed_target(feed, &feed->items[i]));
	}
	if (skus->count == 0)
		return;
	oms_leave_owner(scope);
	before = oms_set_stock_locked(true);
	PG_TRY();
	{
		written = oms_run(feed->store, &insert_counts, (Datum[]) {
			oms_array_datum(skus), oms_array_datum(quantities), CStringGetTextDatum(feed->location),
			CStringGetTextDatum(psprintf("feed:%s", feed->ref))
		});
	}
	PG_FINALLY();
	{
		(void) oms_set_stock_locked(before);
	}
	PG_END_TRY();
	oms_become_owner(feed->store, scope);
	if (written != skus->count)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("table \"stock_movements\" has not taken all movements of feed \"%s\"", feed->ref),
				 errhint("A trigger of yours leaves some out, or movements by hand have external_ref \"feed:%s\".", feed->ref)));
}

/*
 * log_outcome writes down what became of the feed.
 */
static void
log_outcome(Feed *feed, const char *ignored_items)
{
	int64		applied = 0;
	int64		emptied = 0;
	int64		unchanged = 0;
	int64		ignored = 0;
	Datum		sequence = Int64GetDatum(feed->sequence);

	for (int i = 0; i < feed->count; i++)
	{
		const FeedItem *item = &feed->items[i];

		ignored += item->is_ignored;
		applied += item->is_changed && item->place >= 0;
		emptied += item->is_changed && item->place < 0;
		unchanged += !item->is_changed && !item->is_ignored && item->place >= 0;
	}
	(void) oms_run_nulls(feed->store, &log_feed, (Datum[]) {
		CStringGetTextDatum(feed->location), CStringGetTextDatum(feed->ref), TimestampTzGetDatum(feed->as_of), sequence,
		CStringGetTextDatum(feed->is_sellable ? "sellable" : "on_hand"), BoolGetDatum(feed->is_full),
		Int64GetDatum(applied), Int64GetDatum(emptied), Int64GetDatum(unchanged), Int64GetDatum(ignored),
		CStringGetTextDatum(ignored_items), PointerGetDatum(feed->hash), CStringGetTextDatum(oms_current_actor())
	}, feed->has_sequence ? "             " : "   n         ");
	if (!feed->is_full)
		(void) oms_run_nulls(feed->store, &keep_items, (Datum[]) {
			CStringGetTextDatum(feed->location), TimestampTzGetDatum(feed->as_of), sequence,
			oms_array_datum(skus_of(feed, false)), CStringGetTextDatum(feed->ref)
		}, feed->has_sequence ? "     " : "  n  ");
}

/*
 * take_in does what the feed says, in its turn.
 */
static void
take_in(Feed *feed, OwnerScope *scope)
{
	StringInfoData ignored;

	initStringInfo(&ignored);
	require_skus(feed);
	if (!is_outdated(feed, &ignored))
	{
		oms_feed_read(feed);
		leave_out_older(feed, &ignored);
		oms_feed_compare(feed);
		oms_feed_lock(feed);
		write_counts(feed, scope);
	}
	appendStringInfoString(&ignored, ignored.len == 0 ? "[]" : "]");
	log_outcome(feed, ignored.data);
}
