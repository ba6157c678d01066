/*
 * carrier.c
 *	  Carrier events: packages follow them, and fulfillments their packages.
 *
 * Reached by the triggers on carrier_events.  A package has the code of the event
 * that is last by its own time, whatever order events come in: the fold is an
 * UPDATE that compares with what the row says once it is locked.  One that is
 * voided by then follows nothing.
 *
 * A fulfillment moves when all its packages say the same (carrier_moves.c).
 * Fulfillments are locked first, then packages, then, by the moves, orders.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "carrier.h"
#include "document.h"
#include "import.h"
#include "oms.h"
#include "packages.h"
#include "plan.h"
#include "transition.h"

#define MOST_AHEAD (INT64CONST(24) * USECS_PER_HOUR)	/* of a carrier's clock */

static const StoreQuery find_package = {
	"SELECT p.id FROM @.packages p WHERE p.carrier" EQ "$1 AND p.tracking_number" EQ "$2 AND p.voided_at IS NULL"
	" ORDER BY (p.delivered_at IS NULL) DESC, p.created_at DESC, p.id DESC LIMIT 1",
	2, {TEXTOID, TEXTOID}
};

static const StoreQuery read_package = {
	"SELECT p.carrier, p.tracking_number FROM @.packages p WHERE p.id" EQ "$1", 1, {UUIDOID}
};

#define IS_LAST \
	"(p.last_event_at IS NULL OR ROW(e.at, " CARRIER_RANK("e.code") ", e.id)" GT \
	"ROW(p.last_event_at, " CARRIER_RANK("p.status") ", p.last_event_id))"

static const StoreQuery fold_events = {
	"UPDATE @.packages p SET status = CASE WHEN " IS_LAST " THEN e.code ELSE p.status END,"
	" last_event_at = CASE WHEN " IS_LAST " THEN e.at ELSE p.last_event_at END,"
	" last_event_id = CASE WHEN " IS_LAST " THEN e.id ELSE p.last_event_id END,"
	" shipped_at = LEAST(p.shipped_at, e.first_at), delivered_at = LEAST(p.delivered_at, e.delivered_at),"
	" revision = p.revision" PLUS "1"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4),"
	" pg_catalog.unnest($5), pg_catalog.unnest($6)) AS e(package_id, id, at, code, first_at, delivered_at)"
	" WHERE p.id" EQ "e.package_id AND p.voided_at IS NULL",
	6, {UUIDARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID, TEXTARRAYOID, TIMESTAMPTZARRAYOID, TIMESTAMPTZARRAYOID}
};

static const StoreQuery find_voided = {
	"SELECT COALESCE(p.tracking_number, p.id::pg_catalog.text) FROM @.packages p WHERE p.id" EQ "ANY ($1) AND p.voided_at IS NOT NULL"
	" ORDER BY p.id LIMIT 1",
	1, {UUIDARRAYOID}
};

/* An event of a statement. */
typedef struct Event
{
	pg_uuid_t	package_id;		/* first: sorted by it */
	TimestampTz at;
	int64		id;
	const char *code;
	int			rank;			/* of the code */
	bool		moves;			/* its package's fulfillment may follow */
} Event;

/* Where the feed that is being recorded wants its outcome; NULL: nobody asks. */
static Following *report = NULL;

/*
 * oms_report_following says where events that are inserted from now on report
 * to, and returns what was said before; the caller restores that, after an
 * error too.
 */
Following *
oms_report_following(Following *following)
{
	Following  *before = report;

	report = following;
	return before;
}

/*
 * oms_carrier_rank returns which code is later of events of one time; -1: it is
 * none.
 */
int
oms_carrier_rank(const char *code)
{
	static const char *const codes[] = {
		"in_transit", "exception", "out_for_delivery", "attempted", "lost", "delivered", "returned"
	};

	for (int i = 0; i < (int) lengthof(codes); i++)
	{
		if (strcmp(codes[i], code) == 0)
			return i;
	}
	return -1;
}

/*
 * oms_guard_carrier_event finds the package of a new event, and the carrier.
 */
HeapTuple
oms_guard_carrier_event(Store *store, TriggerData *trigger)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	int			numbers[3] = {
		oms_require_column(tupdesc, "package_id", UUIDOID), oms_require_column(tupdesc, "carrier", TEXTOID),
		oms_require_column(tupdesc, "tracking_number", TEXTOID)
	};
	Datum		values[3];
	bool		nulls[3];
	bool		isnull;
	Datum		at = oms_field(tupdesc, trigger->tg_trigtuple, "at", TIMESTAMPTZOID, &isnull);
	OwnerScope	scope;
	HeapTuple	row;

	if (!isnull && !TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(at)) && !oms_is_importing(store) &&
		DatumGetTimestampTz(at) > GetCurrentTimestamp() + MOST_AHEAD)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a carrier event cannot be more than a day in the future"),
				 errtablecol(trigger->tg_relation, SPI_fnumber(tupdesc, "at"))));
	for (int i = 0; i < 3; i++)
		values[i] = SPI_getbinval(trigger->tg_trigtuple, tupdesc, numbers[i], &nulls[i]);
	if (!nulls[0] && !nulls[1] && !nulls[2])
		return trigger->tg_trigtuple;
	oms_become_owner(store, &scope);
	oms_spi_begin();
	if (nulls[0])
	{
		if (nulls[1] || nulls[2] || oms_run(store, &find_package, &values[1]) == 0)
			oms_document_fault("tracking_number", NULL, nulls[1] || nulls[2] ? "is required with carrier where there is no package_id" :
							   psprintf("no package of carrier \"%s\" has tracking number \"%s\"",
										oms_clip(TextDatumGetCString(values[1])), oms_clip(TextDatumGetCString(values[2]))));
		values[0] = oms_column(0, 1, UUIDOID, &nulls[0]);
	}
	else if (oms_run(store, &read_package, values) == 1)
	{
		if (nulls[1])
			values[1] = oms_column(0, 1, TEXTOID, &nulls[1]);
		if (nulls[2])
			values[2] = oms_column(0, 2, TEXTOID, &nulls[2]);
	}
	row = SPI_modifytuple(trigger->tg_relation, trigger->tg_trigtuple, 3, numbers, values,
						  (char[]) {nulls[0] ? 'n' : ' ', nulls[1] ? 'n' : ' ', nulls[2] ? 'n' : ' '});
	oms_spi_end();
	oms_leave_owner(&scope);
	return row;
}

/*
 * compare_events sorts by package and then as they happened.
 */
static int
compare_events(const void *a, const void *b)
{
	const Event *left = a;
	const Event *right = b;
	int			by_package = oms_uuid_cmp(a, b);

	if (by_package != 0)
		return by_package;
	if (left->at != right->at)
		return left->at < right->at ? -1 : 1;
	if (left->rank != right->rank)
		return left->rank - right->rank;
	return left->id < right->id ? -1 : left->id > right->id;
}

/*
 * read_events reads a statement's events, sorted.
 */
static Event *
read_events(TriggerData *trigger, int *count)
{
	Event	   *events = palloc_extended(Max(1, tuplestore_tuple_count(trigger->tg_newtable)) * sizeof(Event), MCXT_ALLOC_HUGE);
	Walk		walk;
	int			numbers[5];

	*count = 0;
	oms_walk_begin(&walk, trigger, trigger->tg_newtable);
	numbers[0] = oms_walk_column(&walk, "package_id", UUIDOID);
	numbers[1] = oms_walk_column(&walk, "at", TIMESTAMPTZOID);
	numbers[2] = oms_walk_column(&walk, "id", INT8OID);
	numbers[3] = oms_walk_column(&walk, "code", TEXTOID);
	numbers[4] = oms_walk_column(&walk, "status", TEXTOID);
	while (oms_walk_next(&walk))
	{
		Event	   *event = &events[(*count)++];

		event->package_id = oms_walk_uuid(&walk, numbers[0]);
		event->at = (TimestampTz) oms_walk_int64(&walk, numbers[1]);
		event->id = oms_walk_int64(&walk, numbers[2]);
		event->code = oms_walk_text(&walk, numbers[3]);
		event->rank = oms_carrier_rank(event->code);
		event->moves = strcmp(event->code, "delivered") == 0 || strcmp(event->code, "returned") == 0 ||
			oms_walk_text(&walk, numbers[4]);
	}
	oms_walk_end(&walk);
	qsort(events, *count, sizeof(Event), compare_events);
	return events;
}

/*
 * refuse_voided tells why packages could not follow.  A feed found none of them
 * voided: that is news, which it sees when it is sent again.
 */
static void
refuse_voided(Store *store, Datum packages)
{
	const char *name;

	if (oms_run(store, &find_voided, &packages) == 0)
		oms_refuse_interference("packages");
	name = oms_column_text(0, 1);
	if (report)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("package \"%s\" was voided by another session", name),
				 errhint("Retry the transaction.")));
	ereport(ERROR,
			(errcode(ERRCODE_OMS_GUARD_REFUSED),
			 errmsg("package \"%s\" is voided, so no carrier has it", name),
			 errhint("Record the event of the package that the units are in now.")));
}

/*
 * fold has the packages follow their events, which are sorted.
 */
static void
fold(Store *store, const Event *events, int count)
{
	static const Oid types[6] = {UUIDOID, INT8OID, TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	Array	   *arrays[6];
	Datum		args[6];

	for (int i = 0; i < 6; i++)
		arrays[i] = oms_array(types[i], count);
	for (int i = 0, next; i < count; i = next)
	{
		const Event *delivered = NULL;

		for (next = i; next < count && oms_uuid_cmp(&events[next], &events[i]) == 0; next++)
		{
			if (!delivered && strcmp(events[next].code, "delivered") == 0)
				delivered = &events[next];
		}
		oms_array_add_uuid(arrays[0], &events[next - 1].package_id);
		oms_array_add_int64(arrays[1], events[next - 1].id);
		oms_array_add(arrays[2], TimestampTzGetDatum(events[next - 1].at));
		oms_array_add_text(arrays[3], events[next - 1].code);
		oms_array_add(arrays[4], TimestampTzGetDatum(events[i].at));
		if (delivered)
			oms_array_add(arrays[5], TimestampTzGetDatum(delivered->at));
		else
			oms_array_add_null(arrays[5]);
	}
	for (int i = 0; i < 6; i++)
		args[i] = oms_array_datum(arrays[i]);
	if (oms_run(store, &fold_events, args) != arrays[0]->count)
		refuse_voided(store, args[0]);
}

/*
 * oms_act_carrier_events has packages and fulfillments follow a statement's events.
 */
void
oms_act_carrier_events(Store *store, TriggerData *trigger)
{
	Event	   *events;
	int			count;
	Array	   *packages;
	Following	following = {0};
	OwnerScope	scope;

	if (oms_is_importing(store))
		return;					/* its package says so already */
	oms_spi_begin();
	following.context = CurrentMemoryContext;
	events = read_events(trigger, &count);
	if (count > 0)
	{
		packages = oms_array(UUIDOID, 8);
		for (int i = 0; i < count; i++)
		{
			if (events[i].moves)
				oms_array_add_uuid(packages, &events[i].package_id);
		}
		oms_become_owner(store, &scope);
		if (packages->count > 0)
			oms_lock_packed(store, oms_array_datum(packages));
		fold(store, events, count);
		oms_follow_packages(store, packages, report ? report : &following);
		oms_leave_owner(&scope);
		if (!report && following.nunmoved > 0)
			ereport(WARNING,
					(errmsg(INT64_FORMAT " fulfillments could not follow what the carrier says, the first being \"%s\": %s",
							following.nunmoved, following.first, following.why)));
	}
	oms_spi_end();
}
