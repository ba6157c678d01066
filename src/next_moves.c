/*
 * next_moves.c
 *	  oms.next_moves: where a row can go now, and why not elsewhere.
 *
 * Each state that a move leads to is tried as an UPDATE of status would try it,
 * by the same code where there is one: privilege, policies, guards, then what
 * the actions of the move would refuse.  Nothing is written or locked, so it works
 * where nothing may be written; and as functions of the store are asked, who
 * may write or raise, each try is a subtransaction that is rolled back.
 *
 * Not foreseen is what triggers and actions of the store's own will refuse, and
 * what other sessions are about to commit.  To run those actions here would not
 * foresee it: they come after what built-in ones have written, and they write,
 * also where nothing may be written, or to what no rollback takes back.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/resowner.h"

#include "actions.h"
#include "document.h"
#include "moves.h"
#include "oms.h"
#include "plan.h"
#include "policies.h"

PG_FUNCTION_INFO_V1(oms_next_moves);

/* As the caller: who may not see a row does not find it. */
static const StoreQuery find_row[] = {
	{"SELECT o.id, o.id FROM @.orders o WHERE o.id" EQ "$1", 1, {UUIDOID}},
	{"SELECT f.id, f.order_id FROM @.fulfillments f WHERE f.id" EQ "$1", 1, {UUIDOID}}
};

static const StoreQuery read_stock_state = {
	"SELECT f.stock_state, f.delivered_at IS NOT NULL FROM @.fulfillments f WHERE f.id" EQ "$1", 1, {UUIDOID}
};

static const StoreQuery read_reserved = {
	"SELECT f.id, f.number, f.workflow, f.status FROM @.fulfillments f"
	" WHERE f.order_id" EQ "$1 AND f.stock_state" EQ "'reserved' ORDER BY f.id",
	1, {UUIDOID}
};

/* A row that is being asked about in this session. */
typedef struct Asking
{
	pg_uuid_t	id;
	struct Asking *outer;
} Asking;

static Asking *innermost = NULL;

static void suppose_move(Store *store, EntityKind entity, Mover *mover);

/*
 * entity_argument returns the entity that an argument names.
 */
static EntityKind
entity_argument(const char *name)
{
	if (strcmp(name, "order") == 0)
		return ENTITY_ORDER;
	if (strcmp(name, "fulfillment") == 0)
		return ENTITY_FULFILLMENT;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown entity \"%s\"", oms_clip(name)),
			 errhint("The entities are order and fulfillment.")));
}

/*
 * suppose_release raises what would keep an order's fulfillments from being
 * released, each by its own move.
 */
static void
suppose_release(Store *store, const Mover *order)
{
	uint64		count = oms_run(store, &read_reserved, (Datum[]) {UUIDPGetDatum(&order->id)});
	Mover	   *movers = palloc0(Max(1, count) * sizeof(Mover));

	for (uint64 i = 0; i < count; i++)
	{
		Mover	   *mover = &movers[i];

		mover->machine = oms_machine(store, oms_column_text(i, 3), ENTITY_FULFILLMENT);
		mover->id = oms_column_uuid(i, 1);
		mover->order_id = order->id;
		mover->from = oms_column_text(i, 4);
		mover->to = oms_machine_state_name(mover->machine,
										   oms_releasing_move(mover->machine, oms_column_text(i, 2), mover->from)->to);
		mover->is_supposed = true;
	}
	oms_peek(store, ENTITY_FULFILLMENT, movers, (int) count);
	for (uint64 i = 0; i < count; i++)
	{
		movers[i].order = order->order;
		if (movers[i].status)
			suppose_move(store, ENTITY_FULFILLMENT, &movers[i]);
	}
}

/*
 * suppose_order raises what an order's actions would.
 */
static void
suppose_order(Store *store, const Mover *mover)
{
	OrderFacts	facts = *mover->order;
	Mover		later = *mover;

	later.order = &facts;
	for (int i = 0; i < mover->move->nactions; i++)
	{
		const char *name = mover->move->actions[i].name;

		if (!mover->move->actions[i].action)
			continue;
		if (strcmp(name, "reserve") == 0 && !facts.is_placed)
			oms_try_reserve(store, &later);
		else if (strcmp(name, "release") == 0)
			suppose_release(store, &later);
		facts.is_placed |= strcmp(name, "reserve") == 0;
		facts.is_confirmed |= strcmp(name, "confirm") == 0;
	}
}

/*
 * suppose_fulfillment raises what a fulfillment's actions would: each consumes
 * what the one before it left of stock_state.
 */
static void
suppose_fulfillment(Store *store, const Mover *mover)
{
	const char *stock_state;
	bool		is_delivered;

	if (oms_run(store, &read_stock_state, (Datum[]) {UUIDPGetDatum(&mover->id)}) != 1)
		return;
	stock_state = oms_column_text(0, 1);
	is_delivered = oms_column_bool(0, 2);
	for (int i = 0; i < mover->move->nactions; i++)
	{
		const char *name = mover->move->actions[i].name;
		bool		delivers = strcmp(name, "deliver") == 0;

		if (!mover->move->actions[i].action)
			continue;
		if (strcmp(stock_state, delivers || strcmp(name, "restock") == 0 ? "issued" : "reserved") != 0 || (delivers && is_delivered))
			oms_refuse_claim(mover, 1, name);
		is_delivered |= delivers;
		stock_state = strcmp(name, "issue") == 0 ? "issued" : delivers ? stock_state : "released";
	}
}

/*
 * suppose_move raises what an UPDATE that makes the move would.
 */
static void
suppose_move(Store *store, EntityKind entity, Mover *mover)
{
	oms_choose_moves(store, entity, mover, 1);
	if (!mover->move)
		return;
	if (entity == ENTITY_ORDER)
		suppose_order(store, mover);
	else
		suppose_fulfillment(store, mover);
}

/*
 * why_not tries a move and returns what it would be refused with, NULL where it
 * would not.
 */
static char *
why_not(Store *store, const OwnerScope *scope, EntityKind entity, const Mover *mover)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;
	Mover		tried = *mover;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		oms_suppose_policies(store, scope, entity, &tried);
		suppose_move(store, entity, &tried);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	if (error && (error->sqlerrcode == ERRCODE_QUERY_CANCELED || error->elevel > ERROR))
		ReThrowError(error);
	return error ? error->message : NULL;
}

/*
 * try_moves returns a row for each state that a move leads to from where the
 * mover is, in the order of moves.  denied says why the caller may make none.
 */
static void
try_moves(Store *store, const OwnerScope *scope, EntityKind entity, Mover *mover, const char *denied, ReturnSetInfo *result)
{
	bool		tried[WORKFLOW_MAX_STATES] = {false};
	int			state = oms_machine_state(mover->machine, mover->status);

	mover->from = mover->status;
	mover->is_supposed = true;
	for (int i = 0; state >= 0 && i < mover->machine->workflow->nmoves; i++)
	{
		const MachineMove *move = &mover->machine->moves[i];
		const char *why;
		Datum		values[3];
		bool		nulls[3] = {false, false, false};

		if (move->from != state || tried[move->to])
			continue;
		tried[move->to] = true;
		mover->to = oms_machine_state_name(mover->machine, move->to);
		why = denied ? denied : why_not(store, scope, entity, mover);
		values[0] = CStringGetTextDatum(mover->to);
		values[1] = BoolGetDatum(why == NULL);
		values[2] = why ? CStringGetTextDatum(why) : (Datum) 0;
		nulls[2] = why == NULL;
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

/*
 * ask tries a row's moves.  A guard that asks where the very row can go which it
 * is asked about would be asked again, and so on, by each of its moves.
 */
static void
ask(Store *store, const OwnerScope *scope, EntityKind entity, Mover *mover, const char *denied, ReturnSetInfo *result)
{
	Asking		asking = {mover->id, innermost};

	for (const Asking *outer = innermost; outer; outer = outer->outer)
	{
		if (oms_uuid_cmp(&outer->id, &mover->id) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_OMS_WORKFLOW_UNSOUND),
					 errmsg("where %s \"%s\" can go is being asked already", oms_entity_name(entity), mover->number),
					 errhint("Have the guard answer without oms.next_moves of the row that it is asked about.")));
	}
	innermost = &asking;
	PG_TRY();
	{
		try_moves(store, scope, entity, mover, denied, result);
	}
	PG_FINALLY();
	{
		innermost = asking.outer;
	}
	PG_END_TRY();
}

/*
 * oms_next_moves is oms.next_moves(store, entity, id).
 */
Datum
oms_next_moves(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 3);
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	EntityKind	entity = entity_argument(name);
	pg_uuid_t  *id = PG_GETARG_UUID_P(2);
	const char *table = oms_entity_table(entity);
	Mover		mover = {.id = *id};
	OwnerScope	scope;
	const char *denied = NULL;

	InitMaterializedSRF(fcinfo, 0);
	oms_spi_begin();
	if (oms_run(store, &find_row[entity], (Datum[]) {UUIDPGetDatum(id)}) == 0)
		oms_document_fault("id", NULL, psprintf("unknown %s \"%s\"", name, oms_uuid_out(id)));
	mover.order_id = oms_column_uuid(0, 2);
	if (!oms_may_update_status(store, table))
		denied = psprintf("permission denied for table %s", table);
	oms_become_owner(store, &scope);
	oms_peek(store, entity, &mover, 1);
	if (mover.status)
		ask(store, &scope, entity, &mover, denied, (ReturnSetInfo *) fcinfo->resultinfo);
	oms_leave_owner(&scope);
	oms_spi_end();
	return (Datum) 0;
}
