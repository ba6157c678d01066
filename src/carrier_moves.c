/*
 * carrier_moves.c
 *	  Fulfillments move as all their packages say.
 *
 * Delivered takes a fulfillment's move that does deliver, returned the one that
 * does restock, and an event may name the status to go to.  These are UPDATEs of
 * status like any other; one that is refused is undone by itself and reported,
 * since the carrier is right whatever the workflow says.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "carrier.h"
#include "document.h"
#include "machine.h"
#include "oms.h"
#include "plan.h"

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

/* A fulfillment that is to move. */
typedef struct Follower
{
	pg_uuid_t	id;
	const char *number;
	const char *from;
	const char *to;
	const char *reason;
} Follower;

/*
 * note_unmoved notes a fulfillment that cannot follow.
 */
static void
note_unmoved(Following *following, const char *number, const char *why)
{
	MemoryContext caller = MemoryContextSwitchTo(following->context);

	if (following->nunmoved++ == 0)
	{
		following->first = pstrdup(number);
		following->why = pstrdup(why);
	}
	if (following->unmoved.data)
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
 * make_moves makes moves that arrays say, for oms_try.
 */
static void
make_moves(Store *store, void *args)
{
	(void) oms_run(store, &move_fulfillments, args);
}

/*
 * try_moves makes moves, all or none.  Returns why they cannot be made, or NULL.
 */
static const char *
try_moves(Store *store, const Follower *followers, int count)
{
	Array	   *arrays[4] = {oms_array(UUIDOID, count), oms_array(TEXTOID, count), oms_array(TEXTOID, count), oms_array(TEXTOID, count)};
	Datum		args[4];
	ErrorData  *error;

	for (int i = 0; i < count; i++)
	{
		oms_array_add_uuid(arrays[0], &followers[i].id);
		oms_array_add_text(arrays[1], followers[i].from);
		oms_array_add_text(arrays[2], followers[i].to);
		oms_array_add_text(arrays[3], followers[i].reason);
	}
	for (int i = 0; i < 4; i++)
		args[i] = oms_array_datum(arrays[i]);
	error = oms_try(make_moves, store, args);
	if (!error)
		return NULL;
	if (error->elevel > ERROR || error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
		ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_TRANSACTION_ROLLBACK ||
		ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_INSUFFICIENT_RESOURCES)
		ReThrowError(error);
	return error->message;
}

/*
 * move_apart makes moves together, or where that fails those of each half, and so
 * on: all but those that fail are made.
 */
static void
move_apart(Store *store, Following *following, const Follower *followers, int count)
{
	const char *why;

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
