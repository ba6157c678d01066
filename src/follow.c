/*
 * follow.c
 *	  oms.events_after: reading the log to its end, each event once.
 *
 * Events are numbered as they are written and seen as their transactions
 * commit, so "greater than the last id" misses those that commit late.  Here
 * they are delivered by (xid, id), and only up to the oldest transaction that
 * still runs: all before it has ended, so nothing can come in before what was
 * delivered.  A position is the (xid, id) of the last one delivered.
 *
 * That holds as long as xids count up.  A store that is restored on another
 * server keeps the xids of its events, while that server counts from where it
 * is.  So settings.server says where the store is written, and the first who
 * writes an event elsewhere notes the last id that was there in
 * settings.moved_after (ids go on after a restore).  The ids between two such
 * notes are one era with one count of xids: eras are delivered one after the
 * other, and all of them but that of this server are complete.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/xid8.h"

#include "follow.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"

#define MAX_EVENTS 100000

PG_FUNCTION_INFO_V1(oms_events_after);

static const StoreQuery lock_settings = {
	"SELECT s.server FROM @.settings s FOR NO KEY UPDATE SKIP LOCKED", 0, {0}
};

static const StoreQuery note_move = {
	"UPDATE @.settings SET server = $1, moved_after = moved_after" CONCAT
	"ARRAY(SELECT e.id FROM @.order_events e ORDER BY e.id DESC LIMIT 1)", 1, {TEXTOID}
};

static const StoreQuery read_eras = {
	"SELECT s.server, s.moved_after FROM @.settings s", 0, {0}
};

static const StoreQuery find_subscription = {
	"SELECT FROM pg_catalog.pg_subscription_rel r WHERE r.srrelid" EQ "$1 LIMIT 1", 1, {OIDOID}
};

/* "+ 0" keeps the planner from walking the primary key instead, and sorting */
#define EVENTS(more) \
	"SELECT e.xid::pg_catalog.text" CONCAT "'/'" CONCAT "e.id::pg_catalog.text, e.id, e.at, e.order_id, e.entity, e.entity_id," \
	" e.event, e.from_status, e.to_status, e.reason, e.actor, e.detail FROM @.order_events e" \
	" WHERE (e.xid, e.id) OPERATOR(pg_catalog.>) ($1, $2) AND e.id" PLUS "0" GT "$3 AND e.id" PLUS "0" LE "$4" more \
	" ORDER BY e.xid, e.id LIMIT $5"

static const StoreQuery read_past_era = {
	EVENTS(""), 5, {XID8OID, INT8OID, INT8OID, INT8OID, INT8OID}
};

static const StoreQuery read_this_era = {
	EVENTS(" AND e.xid" LT "pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())"),
	5, {XID8OID, INT8OID, INT8OID, INT8OID, INT8OID}
};

/* Where a reader of the log is. */
typedef struct Position
{
	uint64		xid;
	int64		id;
} Position;

/* The eras of a store's log: after each of these ids one begins. */
typedef struct Eras
{
	int64	   *last_ids;
	int			count;
	bool		is_here;		/* the last one is this server's */
} Eras;

static Position parse_position(const char *text);
static void read_the_eras(Store *store, Eras *eras);
static void require_no_subscription(Store *store);

/*
 * oms_server returns how settings.server calls this server: what pg_controldata
 * calls the database system identifier.
 */
char *
oms_server(void)
{
	return psprintf(INT64_FORMAT, (int64) GetSystemIdentifier());
}

/*
 * oms_move_in notes that from here on events are this server's.  The caller
 * acts as the owner and is about to write the first of them; others who are
 * about to as well do not wait, as they hold what the first may want next.
 */
void
oms_move_in(Store *store)
{
	char	   *here = oms_server();
	char	   *server;

	if (oms_run(store, &lock_settings, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("another session is the first to write to store \"%s\" on this server", store->name),
				 errhint("Retry the transaction.")));
	server = oms_column_text(0, 1);
	if (!server || strcmp(server, here) != 0)
		(void) oms_run(store, &note_move, (Datum[]) {CStringGetTextDatum(here)});
}

/*
 * oms_events_after is oms.events_after(store, position, max_rows).
 */
Datum
oms_events_after(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_with_gaps(fcinfo, 1);
	Position	position = {0, 0};
	int64		wanted = PG_ARGISNULL(2) ? 0 : PG_GETARG_INT32(2);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Eras		eras;
	int			era = 0;
	int			guc_level;

	if (!PG_ARGISNULL(1))
		position = parse_position(text_to_cstring(PG_GETARG_TEXT_PP(1)));
	if (wanted < 1 || wanted > MAX_EVENTS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_rows must be 1 to %d", MAX_EVENTS)));
	InitMaterializedSRF(fcinfo, 0);

	guc_level = oms_pin_search_path(store);
	oms_spi_begin();
	read_the_eras(store, &eras);
	while (era < eras.count && position.id > eras.last_ids[era])
		era++;
	for (; era <= eras.count && wanted > 0; era++)
	{
		bool		is_last = era == eras.count;
		uint64		count = oms_run_reading(store, is_last && eras.is_here ? &read_this_era : &read_past_era, (Datum[]) {
			UInt64GetDatum(position.xid), Int64GetDatum(position.id), Int64GetDatum(era == 0 ? 0 : eras.last_ids[era - 1]),
			Int64GetDatum(is_last ? PG_INT64_MAX : eras.last_ids[era]), Int64GetDatum(wanted)
		});

		oms_require_types(result->setDesc);
		for (uint64 i = 0; i < count; i++)
			tuplestore_puttuple(result->setResult, SPI_tuptable->vals[i]);
		wanted -= count;
		position = (Position) {0, 0};
	}
	oms_spi_end();
	AtEOXact_GUC(true, guc_level);
	return (Datum) 0;
}

/*
 * parse_position reads what an earlier call returned; an empty one is the
 * beginning.
 */
static Position
parse_position(const char *text)
{
	Position	position = {0, 0};
	const char *digit = text;
	bool		is_good;

	if (*text == '\0')
		return position;
	while (*digit >= '0' && *digit <= '9' && position.xid < PG_UINT64_MAX / 10 - 1)
		position.xid = position.xid * 10 + (*digit++ - '0');
	is_good = digit > text && *digit == '/' && digit[1] != '\0';
	if (is_good)
		digit++;
	while (is_good && *digit >= '0' && *digit <= '9' && position.id < PG_INT64_MAX / 10 - 1)
		position.id = position.id * 10 + (*digit++ - '0');
	if (!is_good || *digit != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%.64s\" is no position", text),
				 errhint("Pass the position of the last event that oms.events_after returned, or NULL to begin.")));
	return position;
}

/*
 * read_the_eras reads where the log's eras end, as the owner: whoever may read
 * the log need not be allowed to read settings.
 */
static void
read_the_eras(Store *store, Eras *eras)
{
	OwnerScope	scope;
	char	   *server;
	bool		isnull;
	Datum	   *ids;

	oms_become_owner(store, &scope);
	if (oms_run_reading(store, &read_eras, NULL) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_STORE_LAYOUT),
				 errmsg("store \"%s\" has no row in its table settings", store->name),
				 errhint("Restore the row, or run SELECT oms.upgrade_store(%s).", quote_literal_cstr(store->name))));
	server = oms_column_text(0, 1);
	deconstruct_array(DatumGetArrayTypeP(oms_column(0, 2, INT8ARRAYOID, &isnull)), INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
					  TYPALIGN_DOUBLE, &ids, NULL, &eras->count);
	eras->last_ids = palloc(Max(1, eras->count) * sizeof(int64));
	for (int i = 0; i < eras->count; i++)
		eras->last_ids[i] = DatumGetInt64(ids[i]);
	eras->is_here = server && strcmp(server, oms_server()) == 0;
	if (!eras->is_here)
		require_no_subscription(store);
	oms_leave_owner(&scope);
}

/*
 * require_no_subscription refuses to read a log that another server is still
 * writing: rows come in here as transactions commit there, which their xids
 * do not tell.
 */
static void
require_no_subscription(Store *store)
{
	Oid			relid = get_relname_relid("order_events", store->namespace_oid);

	if (oms_run_reading(store, &find_subscription, (Datum[]) {ObjectIdGetDatum(relid)}) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the events of store \"%s\" are replicated from another server", store->name),
				 errhint("Follow them there, or on a physical standby of it. Once this server has taken over, drop the subscription.")));
}
