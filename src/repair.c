/*
 * repair.c
 *	  oms.repair_store: counters become what they must be.
 *
 * What that is, verify.c's rules say: each that is about a counter returns,
 * beside the row that is wrong, the right value of each of its columns.  Here
 * stands which columns a rule mends, in the order in which one follows from the
 * other; whoever adds a counter adds a line.
 *
 * A superuser may have written anything past the triggers; so the mending
 * goes past them too: it is the one place that writes a store without its
 * triggers.  Writers are kept out meanwhile.  What a CHECK refuses, since its source
 * is corrupt itself, is left for verify_store to report.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/proc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"

#include "event.h"
#include "loads.h"
#include "oms.h"
#include "plan.h"
#include "repair.h"
#include "tick.h"
#include "verify.h"

#define MOST_COLUMNS 9
#define MOST_PASSES 4			/* one mends what another could not yet */
#define MOST_TRIES 50			/* to keep writers out */

PG_FUNCTION_INFO_V1(oms_repair_store);

/* Lines of these are not counted: who has their units must be said first. */
#define UNCLEAR_FULFILLMENTS "what became of a fulfillment's stock agrees with its times"

/* What a rule mends. */
typedef struct Mend
{
	const char *rule;			/* NULL: oms_repair_stock_source */
	const char *table;
	const char *columns[MOST_COLUMNS + 1];
} Mend;

static const Mend mends[] = {
	{NULL, "stock", {"on_hand", "unavailable", "reserved"}},
	{"a fulfillment whose goods have left says since when", "fulfillments", {"shipped_at"}},
	{"an order that has fulfillments was placed", "orders", {"placed_at"}},
	{"a line is a bundle's or a component's as the log says", "order_lines", {"expanded", "per_kit"}},
	{"a line's units are what its fulfillments carry", "order_lines", {
			"canceled", "allocated", "backordered", "short", "shipped", "delivered", "returned"
	}},
	{"a fulfillment's packed units are those of its packages", "fulfillment_lines", {"packed"}},
	{"a package is where its carrier's last event says", "packages", {
			"status", "shipped_at", "delivered_at", "last_event_at", "last_event_id"
	}},
	{"backordered units were sold under the policy that the log says, of their SKU", "order_lines", {"backorder_policy_id"}},
	{"a policy's backordered units are those of its lines", "backorder_policies", {"backordered"}},
	{"what is on its way is counted by its movements", "inbound", {"sent", "received", "returned"}},
	{"what has left or is done with says since when", "inbound", {"sent_at", "closed_at"}},
	{LOADS_RULE, "location_loads", {"units"}},
	{"a payment's money and requests are its transactions'", "payments", {
			"authorized", "captured", "voided", "refunded", "charged_back", "capture_requested", "refund_requested",
			"open_requests", "failures"
	}},
	{"a payment's status follows from its money", "payments", {"status"}},
	{"an order's units are the sum of its lines", "orders", {
			"units", "units_canceled", "units_allocated", "units_backordered", "units_short", "units_shipped",
			"units_delivered", "units_returned"
	}},
	{"an order's fewest shipments are not more than were made", "orders", {"fewest_shipments"}},
	{"an order's total is the sum of its lines and charges", "orders", {"total"}},
	{"what is credited is the value of canceled units", "orders", {"credited"}},
	{"open holds are counted", "orders", {"open_holds"}},
	{"an order's money is the sum of its payments", "orders", {"authorized", "captured", "refunded", "charged_back"}},
	{"an order's axes follow from its counters", "orders", {"fulfillment_status", "return_status", "payment_status"}},
	{"closed orders are in a final state, others are not", "orders", {"closed_at"}},
	{"closed fulfillments are in a final state, others are not", "fulfillments", {"closed_at"}},
};

/* How the rows of a table are found, called and told to an order, as o. */
static const struct
{
	const char *table;
	const char *same;			/* row o is the one that rule row c is about */
	const char *itself;			/* and row t is row o */
	const char *key;
	const char *order_id;
}			kinds[] = {

	{"stock", "o.sku = c.sku AND o.location = c.location", "t.sku = o.sku AND t.location = o.location",
	"o.sku || ' at ' || o.location", "NULL::uuid"},
	{"orders", "o.id = c.id", "t.id = o.id", "o.number", "o.id"},
	{"order_lines", "o.id = c.id", "t.id = o.id",
	"(SELECT r.number FROM %1$s.orders r WHERE r.id = o.order_id) || ' line ' || o.line_no", "o.order_id"},
	{"payments", "o.id = c.id", "t.id = o.id", "o.id::text", "o.order_id"},
	{"fulfillments", "o.id = c.id", "t.id = o.id", "o.number", "o.order_id"},
	{"fulfillment_lines", "o.id = c.id", "t.id = o.id",
		"(SELECT f.number FROM %1$s.fulfillments f WHERE f.id = o.fulfillment_id) || ' ' || o.sku",
	"(SELECT f.order_id FROM %1$s.fulfillments f WHERE f.id = o.fulfillment_id)"},
	{"packages", "o.id = c.id", "t.id = o.id", "o.id::text",
	"(SELECT f.order_id FROM %1$s.fulfillments f WHERE f.id = o.fulfillment_id)"},
	{"backorder_policies", "o.id = c.id", "t.id = o.id", "o.id::text", "NULL::uuid"},
	{"inbound", "o.id = c.id", "t.id = o.id", "o.id::text", "NULL::uuid"},
	{"location_loads", "o.location = c.location AND o.day = c.day", "t.location = o.location AND t.day = o.day",
	"o.location || ' on ' || o.day", "NULL::uuid"},
};

static const StoreQuery log_repairs = {
	"INSERT INTO @.repairs (table_name, key, column_name, was, became, actor)"
	" SELECT w.table_name, w.key, w.column_name, w.was, w.became, $6"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4),"
	" pg_catalog.unnest($5)) AS w(table_name, key, column_name, was, became)",
	6, {TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTOID}
};

static void keep_writers_out(Store *store);
static void mend_all(Store *store, Repairs *repairs);
static void write_log(Store *store, const Repairs *repairs);

/*
 * oms_repair_store is oms.repair_store(store).
 */
Datum
oms_repair_store(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 1);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Repairs		repairs;
	Array	  **arrays[] = {&repairs.tables, &repairs.keys, &repairs.columns, &repairs.was, &repairs.became};
	TickResult	due = {0};
	OwnerScope	scope;

	oms_require_owner_of(store);
	if (IsolationUsesXactSnapshot())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a store is repaired in isolation level READ COMMITTED only"),
				 errhint("A snapshot from before writers were kept out would have it count what has changed.")));
	InitMaterializedSRF(fcinfo, 0);
	oms_spi_begin();
	for (int i = 0; i < (int) lengthof(arrays); i++)
		*arrays[i] = oms_array(TEXTOID, 64);
	repairs.order_ids = oms_array(UUIDOID, 64);
	oms_become_owner(store, &scope);
	keep_writers_out(store);
	mend_all(store, &repairs);
	oms_repair_give_way(store, &repairs);
	write_log(store, &repairs);
	oms_do_due(store, PG_INT64_MAX, &due);
	oms_leave_owner(&scope);
	for (int i = 0; i < repairs.keys->count; i++)
	{
		Datum		values[lengthof(arrays)];
		bool		nulls[lengthof(arrays)];

		for (int j = 0; j < (int) lengthof(arrays); j++)
		{
			values[j] = (*arrays[j])->values[i];
			nulls[j] = (*arrays[j])->nulls[i];
		}
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	oms_spi_end();
	return (Datum) 0;
}

/*
 * oms_repair_quietly has no trigger fire until oms_repair_aloud, and has names
 * looked up as in verify_store.  An error undoes both.
 */
void
oms_repair_quietly(Quiet *quiet)
{
	quiet->guc_level = NewGUCNestLevel();
	(void) set_config_option("session_replication_role", "replica", PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

void
oms_repair_aloud(const Quiet *quiet)
{
	AtEOXact_GUC(true, quiet->guc_level);
}

/*
 * oms_repair_note notes a change.
 */
void
oms_repair_note(Repairs *repairs, const char *table, const char *key, const char *column,
				const char *was, const char *became, const pg_uuid_t *order_id)
{
	oms_array_add_text(repairs->tables, table);
	oms_array_add_text(repairs->keys, key);
	oms_array_add_text(repairs->columns, column);
	oms_array_add_text(repairs->was, was);
	oms_array_add_text(repairs->became, became);
	if (order_id)
		oms_array_add_uuid(repairs->order_ids, order_id);
	else
		oms_array_add_null(repairs->order_ids);
}

/*
 * oms_repair_is_refusal tells whether an error says that what is to be written
 * cannot be right, its source being corrupt itself.
 */
bool
oms_repair_is_refusal(const ErrorData *error)
{
	int			category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	return category == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION || category == ERRCODE_DATA_EXCEPTION ||
		category == ERRCODE_PROGRAM_LIMIT_EXCEEDED;
}

/*
 * lock_tables locks out whoever writes a table or locks rows of it.
 */
static void
lock_tables(Store *store, void *argument)
{
	if (SPI_execute(argument, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "the tables of store \"%s\" cannot be locked", store->name);
}

/*
 * keep_writers_out waits until nobody writes.  It lets go of what it has before
 * anybody could find that the two wait for each other, and tries again.
 */
static void
keep_writers_out(Store *store)
{
	static const char *const tables[] = {
		"fulfillments", "fulfillment_lines", "packages", "package_lines", "carrier_events", "orders", "order_lines", "order_charges",
		"order_holds", "payments",
		"payment_transactions", "inbound", "stock", "stock_movements", "stock_holds", "location_loads", "backorder_policies", "bundle_items",
		"bundle_components"
	};
	StringInfoData command;
	ErrorData  *error = NULL;

	initStringInfo(&command);
	for (int i = 0; i < (int) lengthof(tables); i++)
		appendStringInfo(&command, "%s%s.%s", i == 0 ? "LOCK TABLE " : ", ", store->quoted_name, tables[i]);
	appendStringInfoString(&command, " IN EXCLUSIVE MODE");
	for (int i = 0; i < MOST_TRIES; i++)
	{
		int			guc_level = NewGUCNestLevel();

		(void) set_config_option("lock_timeout", psprintf("%d", Max(1, DeadlockTimeout / 2)), PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
		error = oms_try(lock_tables, store, command.data);
		AtEOXact_GUC(true, guc_level);
		if (!error)
			return;
		if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
			ReThrowError(error);
		CHECK_FOR_INTERRUPTS();
		pg_usleep(20000L);
	}
	ereport(ERROR,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg("other sessions keep writing to store \"%s\"", store->name),
			 errhint("Try again when there is less to do, or end transactions that have been open for long.")));
}

/* A mend on its way. */
typedef struct Mending
{
	const Mend *mend;
	int			kind;
	const char *source;
	const char *key;
	Array	   *rows;			/* keys; NULL: all */
	Repairs    *repairs;
} Mending;

/*
 * mend_rows writes the right values to rows that the rule finds, and notes what
 * has changed.
 */
static void
mend_rows(Store *store, void *argument)
{
	const Mending *m = argument;
	const char *table = m->mend->table;
	StringInfoData query;
	Datum		rows = (Datum) 0;
	int			ncolumns = 0;

	initStringInfo(&query);
	/* lines of fulfillments count no revisions */
	appendStringInfo(&query, "WITH c AS MATERIALIZED (%s) UPDATE %s.%s t SET %s", m->source, store->quoted_name, table,
					 strcmp(table, "fulfillment_lines") == 0 ? "sku = t.sku" : "revision = t.revision + 1");
	for (; m->mend->columns[ncolumns]; ncolumns++)
		appendStringInfo(&query, ", %1$s = c.%2$s", m->mend->columns[ncolumns], m->mend->columns[ncolumns]);
	appendStringInfo(&query, " FROM c JOIN %s.%s o ON %s WHERE %s AND ($1 IS NULL OR %s = ANY ($1)) RETURNING %s, %s",
					 store->quoted_name, table, kinds[m->kind].same, kinds[m->kind].itself, m->key, m->key,
					 psprintf(kinds[m->kind].order_id, store->quoted_name));
	for (int i = 0; i < ncolumns; i++)
		appendStringInfo(&query, ", o.%1$s::text, t.%1$s::text", m->mend->columns[i]);

	if (m->rows)
		rows = oms_array_datum(m->rows);
	if (SPI_execute_with_args(query.data, 1, (Oid[]) {TEXTARRAYOID}, &rows, m->rows ? " " : "n", false, 0) != SPI_OK_UPDATE_RETURNING)
		elog(ERROR, "table \"%s\" cannot be mended", table);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		has_order = !oms_column_is_null(i, 2);
		pg_uuid_t	order_id;

		if (has_order)
			order_id = oms_column_uuid(i, 2);
		for (int j = 0; j < ncolumns; j++)
		{
			char	   *was = oms_column_text(i, 3 + 2 * j);
			char	   *became = oms_column_text(i, 4 + 2 * j);

			if ((was == NULL) != (became == NULL) || (was && strcmp(was, became) != 0))
				oms_repair_note(m->repairs, table, oms_column_text(i, 1), m->mend->columns[j], was, became,
								has_order ? &order_id : NULL);
		}
	}
}

/*
 * mend_apart mends rows together, or where that fails each half of them.
 */
static void
mend_apart(Store *store, const Mending *mending, int first, int count)
{
	Mending		part = *mending;
	ErrorData  *error;

	CHECK_FOR_INTERRUPTS();
	if (count == 0)
		return;
	part.rows = oms_array(TEXTOID, count);
	for (int i = first; i < first + count; i++)
		oms_array_add(part.rows, mending->rows->values[i]);
	error = oms_try(mend_rows, store, &part);
	if (!error)
		return;
	if (!oms_repair_is_refusal(error))
		ReThrowError(error);
	if (count == 1)
		return;
	mend_apart(store, mending, first, count / 2);
	mend_apart(store, mending, first + count / 2, count - count / 2);
}

/*
 * mend_one mends by one rule: all rows at once, or where a CHECK refuses some,
 * the others.
 */
static void
mend_one(Store *store, const Mend *mend, Repairs *repairs)
{
	Mending		mending = {.mend = mend, .repairs = repairs};
	uint64		found;

	while (strcmp(kinds[mending.kind].table, mend->table) != 0)
		mending.kind++;
	mending.source = mend->rule ? oms_rule_query(store, mend->rule) : oms_repair_stock_source(store);
	if (strcmp(mend->table, "order_lines") == 0)
		mending.source = psprintf("SELECT * FROM (%s) r WHERE NOT EXISTS (SELECT FROM %s.fulfillment_lines l JOIN (%s) f"
								  " ON f.id = l.fulfillment_id WHERE l.order_line_id = r.id)",
								  mending.source, store->quoted_name, oms_rule_query(store, UNCLEAR_FULFILLMENTS));
	mending.key = psprintf(kinds[mending.kind].key, store->quoted_name);
	if (SPI_execute(psprintf("SELECT DISTINCT %s FROM (%s) c JOIN %s.%s o ON %s", mending.key, mending.source,
							 store->quoted_name, mend->table, kinds[mending.kind].same), false, 0) != SPI_OK_SELECT)
		elog(ERROR, "rule \"%s\" cannot be asked", mend->rule);
	found = SPI_processed;
	mending.rows = oms_array(TEXTOID, found);
	for (uint64 i = 0; i < found; i++)
		oms_array_add_text(mending.rows, oms_column_text(i, 1));
	mend_apart(store, &mending, 0, mending.rows->count);
}

/*
 * mend_all mends by each rule, and again as long as that changes something.
 */
static void
mend_all(Store *store, Repairs *repairs)
{
	Quiet		quiet;

	oms_repair_quietly(&quiet);
	oms_repair_make_stock(store);
	oms_make_missing_loads(store);
	oms_repair_bundles(store, repairs);
	for (int pass = 0; pass < MOST_PASSES; pass++)
	{
		int			before = repairs->keys->count;

		for (int i = 0; i < (int) lengthof(mends); i++)
			mend_one(store, &mends[i], repairs);
		if (repairs->keys->count == before)
			break;
	}
	oms_repair_aloud(&quiet);
}

/*
 * write_log keeps what was changed, and tells each order's log of it.
 */
static void
write_log(Store *store, const Repairs *repairs)
{
	Events	   *events = oms_events(8);

	if (repairs->keys->count == 0)
		return;
	(void) oms_run(store, &log_repairs, (Datum[]) {
		oms_array_datum(repairs->tables), oms_array_datum(repairs->keys), oms_array_datum(repairs->columns),
		oms_array_datum(repairs->was), oms_array_datum(repairs->became), CStringGetTextDatum(oms_current_actor())
	});
	for (int i = 0; i < repairs->keys->count; i++)
	{
		StringInfoData detail;
		const pg_uuid_t *order_id;

		if (repairs->order_ids->nulls[i])
			continue;
		order_id = DatumGetUUIDP(repairs->order_ids->values[i]);
		initStringInfo(&detail);
		appendStringInfoString(&detail, "{\"columns\": [");
		escape_json(&detail, TextDatumGetCString(repairs->columns->values[i]));
		appendStringInfoString(&detail, "], \"repaired\": {\"table\": ");
		escape_json(&detail, TextDatumGetCString(repairs->tables->values[i]));
		appendStringInfoString(&detail, ", \"key\": ");
		escape_json(&detail, TextDatumGetCString(repairs->keys->values[i]));
		appendStringInfoString(&detail, "}}");
		oms_event_add(events, order_id, "order", order_id, "edited", NULL, NULL, NULL, detail.data);
	}
	oms_events_write(store, events);
}
