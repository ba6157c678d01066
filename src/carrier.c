/*
 * carrier.c
 *	  Carrier events: packages follow them, and fulfillments their packages.
 *
 * Reached by the triggers on carrier_events.  A package has the code of the event
 * that is last by its own time, whatever order events come in: the fold is an
 * UPDATE that compares with what the row says once it is locked.  One that is
 * voided by then follows nothing.
 *
 * A fulfillment moves when all its packages say the same: delivered takes its
 * move that does deliver, returned the one that does restock, and an event may
 * name the status to go to.  These are UPDATEs of status like any other; one that
 * is refused is undone by itself and reported, since the carrier is right
 * whatever the workflow says.
 *
 * Fulfillments are locked first, then packages, then, by the moves, orders.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "carrier.h"
#include "document.h"
#include "import.h"
#include "machine.h"
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

/*
 * What the packages of fulfillments say: their code where it is one and no unit
 * is in none of them, unless none says what it holds; and what the last event
 * wants.
 */
static const StoreQuery read_followers = {
	"SELECT f.id, f.number, f.workflow, f.status, f.stock_state, f.delivered_at IS NOT NULL, s.code, s.status, s.reason"
	" FROM @.fulfillments f CROSS JOIN LATERAL (SELECT CASE WHEN pg_catalog.min(p.status)" EQ "pg_catalog.max(p.status)"
	" THEN pg_catalog.min(p.status) END AS code,"
	" (pg_catalog.array_agg(e.status ORDER BY p.last_event_at DESC, p.last_event_id DESC))[1] AS status,"
	" (pg_catalog.array_agg(e.reason ORDER BY p.last_event_at DESC, p.last_event_id DESC))[1] AS reason"
	" FROM @.packages p LEFT JOIN @.carrier_events e ON e.id" EQ "p.last_event_id"
	" WHERE p.fulfillment_id" EQ "f.id AND p.voided_at IS NULL) s"
	" WHERE f.id IN (SELECT p.fulfillment_id FROM @.packages p WHERE p.id" EQ "ANY ($1)) AND s.code IS NOT NULL"
	" AND (NOT EXISTS (SELECT FROM @.fulfillment_lines l WHERE l.fulfillment_id" EQ "f.id AND l.packed" LT "l.quantity)"
	" OR NOT EXISTS (SELECT FROM @.fulfillment_lines l WHERE l.fulfillment_id" EQ "f.id AND l.packed" GT "0)) ORDER BY f.id",
	1, {UUIDARRAYOID}
};

static const StoreQuery move_fulfillments = {
	"UPDATE @.fulfillments f SET status = m.to_status, status_reason = m.reason, revision = f.revision" PLUS "1"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4))"
	" AS m(id, from_status, to_status, reason) WHERE f.id" EQ "m.id AND f.status" EQ "m.from_status",
	4, {UUIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID}
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

/* A fulfillment that is to move. */
typedef struct Follower
{
	pg_uuid_t	id;
	const char *number;
	const char *from;
	const char *to;
	const char *reason;
} Follower;

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

/*
 * note_unmoved notes a fulfillment that cannot follow.  Whoever asks reads it when
 * the trigger has closed SPI, whose memory goes then.
 */
static void
note_unmoved(Following *following, const char *number, const char *why)
{
	MemoryContext caller = MemoryContextSwitchTo(following == report ? GetMemoryChunkContext(following->unmoved.data)
												 : CurrentMemoryContext);

	if (following->nunmoved++ == 0)
	{
		following->first = pstrdup(number);
		following->why = pstrdup(why);
	}
	if (following == report)
		appendStringInfo(&following->unmoved, "%s{\"fulfillment\": %s, \"why\": %s}", following->nunmoved == 1 ? "" : ", ",
						 oms_json_text(number), oms_json_text(why));
	MemoryContextSwitchTo(caller);
}

/*
 * choose_target finds the status that a fulfillment, a row of read_followers, is to
 * move to; NULL where it need not, or cannot.
 */
static const char *
choose_target(Store *store, Following *following, uint64 row, const char *number, const char *from)
{
	Machine    *machine = oms_machine(store, oms_column_name(row, 3), ENTITY_FULFILLMENT);
	int			state = oms_machine_state(machine, from);
	const char *stock_state = oms_column_name(row, 5);
	const char *code = oms_column_name(row, 7);
	const char *wanted = oms_column_text(row, 8);
	bool		is_delivered = strcmp(code, "delivered") == 0;
	const char *action = is_delivered ? "deliver" : "restock";
	const MachineMove *move;

	if (wanted)
	{
		int			to = oms_machine_state(machine, wanted);

		if (strcmp(wanted, from) == 0)
			return NULL;
		if (state >= 0 && to >= 0 && oms_workflow_find_move(machine->workflow, state, to, -1) >= 0)
			return wanted;
		note_unmoved(following, number, psprintf("it cannot move from \"%s\" to \"%s\"", from, oms_clip(wanted)));
		return NULL;
	}
	if (!is_delivered && strcmp(code, "returned") != 0)
		return NULL;
	if (is_delivered ? oms_column_bool(row, 6) : strcmp(stock_state, "released") == 0)
		return NULL;			/* it has been there */
	move = oms_machine_move_by_action(machine, state, action);
	if (move)
		return oms_machine_state_name(machine, move->to);
	note_unmoved(following, number, psprintf("no move of workflow \"%s\" leaves \"%s\" and does %s", machine->name, from, action));
	return NULL;
}

/*
 * try_moves makes moves in a subtransaction.  Returns why they cannot be made, or
 * NULL.
 */
static char *
try_moves(Store *store, const Follower *followers, int count)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;
	Array	   *arrays[4] = {oms_array(UUIDOID, count), oms_array(TEXTOID, count), oms_array(TEXTOID, count), oms_array(TEXTOID, count)};
	Datum		args[4];

	for (int i = 0; i < count; i++)
	{
		oms_array_add_uuid(arrays[0], &followers[i].id);
		oms_array_add_text(arrays[1], followers[i].from);
		oms_array_add_text(arrays[2], followers[i].to);
		oms_array_add_text(arrays[3], followers[i].reason);
	}
	for (int i = 0; i < 4; i++)
		args[i] = oms_array_datum(arrays[i]);
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		(void) oms_run(store, &move_fulfillments, args);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	if (error && (error->elevel > ERROR || error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
				  ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_TRANSACTION_ROLLBACK))
		ReThrowError(error);
	return error ? error->message : NULL;
}

/*
 * move_apart makes moves together, or where that fails those of each half, and so
 * on: all but those that fail are made.
 */
static void
move_apart(Store *store, Following *following, const Follower *followers, int count)
{
	char	   *why;

	CHECK_FOR_INTERRUPTS();
	if (count == 0)
		return;
	why = try_moves(store, followers, count);
	if (!why)
		following->moved += count;
	else if (count == 1)
		note_unmoved(following, followers[0].number, why);
	else
	{
		move_apart(store, following, followers, count / 2);
		move_apart(store, following, followers + count / 2, count - count / 2);
	}
}

/*
 * oms_follow_packages has fulfillments move as all their packages say.  The caller
 * acts as the owner and holds the fulfillments.
 */
void
oms_follow_packages(Store *store, const Array *package_ids, Following *following)
{
	uint64		found;
	Follower   *followers;
	int			count = 0;

	if (package_ids->count == 0)
		return;
	oms_keep_workflows(store, ENTITY_FULFILLMENT);
	found = oms_run(store, &read_followers, (Datum[]) {oms_array_datum(package_ids)});
	followers = palloc_extended(Max(1, found) * sizeof(Follower), MCXT_ALLOC_HUGE);
	for (uint64 i = 0; i < found; i++)
	{
		Follower   *follower = &followers[count];

		follower->id = oms_column_uuid(i, 1);
		follower->number = oms_column_name(i, 2);
		follower->from = oms_column_name(i, 4);
		follower->reason = oms_column_text(i, 9);
		follower->to = choose_target(store, following, i, follower->number, follower->from);
		count += follower->to != NULL;
	}
	move_apart(store, following, followers, count);
}
