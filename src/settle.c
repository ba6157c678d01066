/*
 * settle.c
 *	  Moves that the engine makes: automatic ones, and those that an action on
 *	  one row makes of another.
 *
 * They are UPDATEs of status like anybody's, which the triggers judge and
 * follow up; each carries the status it expects, so that a row which has moved
 * on meanwhile is left alone.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "moves.h"
#include "oms.h"
#include "plan.h"

static const StoreQuery move_rows[] = {
	{
		"UPDATE @.orders o SET status = m.to_status, revision = o.revision" PLUS "1"
		" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3)) AS m(id, from_status, to_status)"
		" WHERE o.id" EQ "m.id AND o.status" EQ "m.from_status",
		3, {UUIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID}
	},
	{
		"UPDATE @.fulfillments f SET status = m.to_status, revision = f.revision" PLUS "1"
		" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3)) AS m(id, from_status, to_status)"
		" WHERE f.id" EQ "m.id AND f.status" EQ "m.from_status",
		3, {UUIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID}
	}
};

static const StoreQuery move_with_reason = {
	"UPDATE @.fulfillments f SET status = m.to_status, status_reason = m.reason, revision = f.revision" PLUS "1"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4))"
	" AS m(id, from_status, to_status, reason)"
	" WHERE f.id" EQ "m.id AND f.status" EQ "m.from_status AND f.stock_state" EQ "'reserved'",
	4, {UUIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID}
};

static const StoreQuery fulfillments_of_orders = {
	"SELECT f.id, f.order_id, f.number, f.workflow, f.status"
	" FROM ROWS FROM (pg_catalog.unnest($1)) AS w(id) JOIN @.fulfillments f ON f.order_id" EQ "w.id ORDER BY f.id",
	1, {UUIDARRAYOID}
};

static const StoreQuery lock_fulfillments = {
	"SELECT f.id FROM @.fulfillments f WHERE f.id" EQ "ANY ($1) ORDER BY f.id FOR NO KEY UPDATE SKIP LOCKED",
	1, {UUIDARRAYOID}
};

/* those whose automatic moves wait for their fulfillments, of each store that makes some */
static Postponement *postponements = NULL;

/*
 * oms_postpone has the automatic moves of a store's orders wait, all of them or
 * those that do more than confirm, and their ids noted.  The caller ends it by
 * oms_postpone_no_more, after an error too.
 */
void
oms_postpone(Postponement *postponement, const Store *store, bool all)
{
	postponement->store = store;
	postponement->all = all;
	postponement->orders = oms_array(UUIDOID, 4);
	postponement->context = CurrentMemoryContext;
	postponement->outer = postponements;
	postponements = postponement;
}

/*
 * oms_postpone_no_more has them made at once again.
 */
void
oms_postpone_no_more(const Postponement *postponement)
{
	postponements = postponement->outer;
}

/*
 * postponement_of returns where a store's orders are noted; NULL: they do not
 * wait.  A trigger of a user's may move orders of another store meanwhile.
 */
static Postponement *
postponement_of(const Store *store)
{
	Postponement *postponement = postponements;

	while (postponement && postponement->store != store)
		postponement = postponement->outer;
	return postponement;
}

/*
 * oms_is_postponed tells whether an automatic move of an order waits.
 */
bool
oms_is_postponed(const Store *store, const MachineMove *move)
{
	bool		is_postponing = false;

	for (const Postponement *p = postponements; p; p = p->outer)
	{
		if (p->store == store && p->all)
			return true;
		is_postponing |= p->store == store;
	}
	for (int i = 0; is_postponing && i < move->nactions; i++)
	{
		if (strcmp(move->actions[i].name, "confirm") != 0)
			return true;
	}
	return false;
}

/*
 * oms_settle_or_postpone makes the automatic moves that are open to rows now, or
 * notes them for later.
 */
void
oms_settle_or_postpone(Store *store, EntityKind entity, const Array *ids, const Array *order_ids)
{
	Postponement *postponement = entity == ENTITY_ORDER ? postponement_of(store) : NULL;
	MemoryContext caller;

	if (!postponement)
	{
		oms_settle(store, entity, ids, order_ids);
		return;
	}
	/* the trigger that we are in closes SPI, and with it goes its memory */
	caller = MemoryContextSwitchTo(postponement->context);
	for (int i = 0; i < ids->count; i++)
		oms_array_add_uuid(postponement->orders, DatumGetUUIDP(ids->values[i]));
	MemoryContextSwitchTo(caller);
}

/*
 * oms_choose_automatic_move returns the automatic move that a row is to make: of
 * those from its state the first whose guards hold, or NULL.
 */
const MachineMove *
oms_choose_automatic_move(Store *store, FunctionCalls *calls, EntityKind entity, const Mover *mover)
{
	int			state = mover->status && mover->order ? oms_machine_state(mover->machine, mover->status) : -1;
	StringInfoData why;
	const char *guard;

	if (state < 0 || !mover->machine->has_automatic[state])
		return NULL;
	initStringInfo(&why);
	for (int k = 0; k < mover->machine->workflow->nmoves; k++)
	{
		const MachineMove *move = &mover->machine->moves[k];

		if (move->from == state && move->is_automatic &&
			oms_guards_hold(store, calls, move, mover, entity, &guard, &why))
			return move;
	}
	return NULL;
}

/*
 * oms_settle makes the automatic moves that are open to rows now: of each row
 * the first whose guards hold.  What follows comes by the triggers.
 */
void
oms_settle(Store *store, EntityKind entity, const Array *ids, const Array *order_ids)
{
	Mover	   *movers = palloc_extended(Max(1, ids->count) * sizeof(Mover),
										 MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	Array	   *moved = oms_array(UUIDOID, ids->count);
	Array	   *from = oms_array(TEXTOID, ids->count);
	Array	   *to = oms_array(TEXTOID, ids->count);
	FunctionCalls calls = {NULL};

	if (ids->count == 0)
		return;
	oms_keep_workflows(store, entity);
	for (int i = 0; i < ids->count; i++)
	{
		movers[i].id = *DatumGetUUIDP(ids->values[i]);
		movers[i].order_id = *DatumGetUUIDP(order_ids->values[i]);
	}
	qsort(movers, ids->count, sizeof(Mover), oms_uuid_cmp);
	oms_learn(store, entity, movers, ids->count);
	for (int i = 0; i < ids->count; i++)
	{
		Mover	   *mover = &movers[i];
		const MachineMove *move;

		if (i > 0 && oms_uuid_cmp(mover - 1, mover) == 0)
			continue;
		move = oms_choose_automatic_move(store, &calls, entity, mover);
		if (!move)
			continue;
		oms_array_add_uuid(moved, &mover->id);
		oms_array_add_text(from, mover->status);
		oms_array_add_text(to, oms_machine_state_name(mover->machine, move->to));
	}
	if (moved->count > 0)
		(void) oms_run(store, &move_rows[entity], (Datum[]) {
			oms_array_datum(moved), oms_array_datum(from), oms_array_datum(to)
		});
}

/*
 * oms_wake_fulfillments makes the automatic moves of fulfillments that a change of
 * their orders has opened.  Their orders are locked, so none is waited for.
 */
void
oms_wake_fulfillments(Store *store, const Array *order_ids)
{
	Array	   *ids = oms_array(UUIDOID, 8);
	Array	   *orders = oms_array(UUIDOID, 8);
	char	  **numbers;
	uint64		count;

	if (order_ids->count == 0)
		return;
	oms_keep_workflows(store, ENTITY_FULFILLMENT);
	count = oms_run(store, &fulfillments_of_orders, (Datum[]) {oms_array_datum(order_ids)});
	numbers = palloc(Max(1, count) * sizeof(char *));
	for (uint64 i = 0; i < count; i++)
	{
		Machine    *machine = oms_machine(store, oms_column_name(i, 4), ENTITY_FULFILLMENT);
		int			state = oms_machine_state(machine, oms_column_name(i, 5));
		pg_uuid_t	id = oms_column_uuid(i, 1);
		pg_uuid_t	order_id = oms_column_uuid(i, 2);

		if (state < 0 || !machine->has_automatic[state])
			continue;
		numbers[ids->count] = oms_column_name(i, 3);
		oms_array_add_uuid(ids, &id);
		oms_array_add_uuid(orders, &order_id);
	}
	if (ids->count == 0)
		return;
	count = oms_run(store, &lock_fulfillments, (Datum[]) {oms_array_datum(ids)});
	for (int i = 0; i < ids->count; i++)
	{
		pg_uuid_t	locked = {{0}};

		if (i < count)
			locked = oms_column_uuid(i, 1);
		if (i >= count || oms_uuid_cmp(&locked, DatumGetUUIDP(ids->values[i])) != 0)
			oms_busy(numbers[i]);
	}
	oms_settle(store, ENTITY_FULFILLMENT, ids, orders);
}

/*
 * oms_move_fulfillments moves fulfillments that hold stock, for a reason; one
 * that is not as it was read is busy.
 */
void
oms_move_fulfillments(Store *store, const Array *ids, const Array *from, const Array *to,
					  const Array *reasons)
{
	uint64		moved;

	if (ids->count == 0)
		return;
	moved = oms_run(store, &move_with_reason, (Datum[]) {
		oms_array_datum(ids), oms_array_datum(from), oms_array_datum(to), oms_array_datum(reasons)
	});
	if (moved != ids->count)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("a fulfillment was changed by another session meanwhile"),
				 errhint("Retry the transaction.")));
}
