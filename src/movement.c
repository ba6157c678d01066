/*
 * movement.c
 *	  The ledger: people insert what happened to units, this applies it.
 *
 * Reached by the triggers on stock_movements.  A statement's rows are sorted
 * by stock row and folded in their order on the counters as they are once the
 * rows are locked; one UPDATE writes the result, and the ledger's rows learn
 * what each of them did.  Physical facts are not refused because somebody was
 * promised the units: allocations give way (giveway.c).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/xid8.h"

#include "fill.h"
#include "giveway.h"
#include "import.h"
#include "inbound.h"
#include "oms.h"
#include "plan.h"
#include "queue.h"
#include "rows.h"
#include "stock.h"
#include "transition.h"

static const StoreQuery make_stock_rows = {
	"INSERT INTO @.stock (sku, location) SELECT s.sku, s.location"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS s(sku, location)"
	" WHERE NOT EXISTS (SELECT FROM @.stock t WHERE t.sku" EQ "s.sku AND t.location" EQ "s.location)"
	" ON CONFLICT DO NOTHING",
	2, {TEXTARRAYOID, TEXTARRAYOID}
};

static const StoreQuery lock_stock_rows = {
	"SELECT s.on_hand, s.unavailable, s.reserved, l.tracked"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) WITH ORDINALITY AS w(sku, location, place)"
	" JOIN @.stock s ON s.sku" EQ "w.sku AND s.location" EQ "w.location JOIN @.locations l ON l.code" EQ "s.location"
	" ORDER BY w.place FOR NO KEY UPDATE OF s",
	2, {TEXTARRAYOID, TEXTARRAYOID}
};

static const StoreQuery write_changes = {
	"UPDATE @.stock_movements m SET on_hand_change = c.on_hand, unavailable_change = c.unavailable"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3)) AS c(id, on_hand, unavailable)"
	" WHERE m.id" EQ "c.id",
	3, {INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID}
};

/* A movement that is to be applied. */
typedef struct Fact
{
	int64		id;
	char	   *sku;
	char	   *location;
	char	   *kind;
	int64		quantity;
	int64		on_hand_change; /* out */
	int64		unavailable_change; /* out */
} Fact;

static int	read_facts(TriggerData *trigger, Fact **facts);
static void write_results(Store *store, const Fact *facts, int count);

/*
 * oms_guard_movement judges a row of the ledger BEFORE it is written.  People
 * append and leave the effect to the engine; a replay is left out.
 */
HeapTuple
oms_guard_movement(Store *store, TriggerData *trigger)
{
	char	   *external_ref;

	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) && oms_in_engine(store) &&
		oms_text_field(trigger, "on_hand_change") == NULL)
		return trigger->tg_newtuple;
	if (!TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_OMS_ENGINE_COLUMN),
				 errmsg("table \"stock_movements\" is append-only"),
				 errhint("Insert a movement that sets it right, such as an adjustment or a count."),
				 errtable(trigger->tg_relation)));
	if (oms_in_engine(store))
		return trigger->tg_trigtuple;
	if ((oms_text_field(trigger, "on_hand_change") || oms_text_field(trigger, "unavailable_change")) && !oms_is_importing(store))
		ereport(ERROR,
				(errcode(ERRCODE_OMS_ENGINE_COLUMN),
				 errmsg("on_hand_change and unavailable_change of a movement are written by the engine"),
				 errhint("Give kind and quantity; their effect follows."),
				 errtable(trigger->tg_relation)));
	external_ref = oms_text_field(trigger, "external_ref");
	if (external_ref)
	{
		/* of two who look at once neither would find the other's row */
		(void) oms_stand_in_line(store, QUEUE_MOVEMENT, "", external_ref);
		if (oms_is_replay(store, trigger))
			return NULL;
	}
	/* readers that follow commits rely on xid, so it is nobody's to give */
	return heap_modify_tuple_by_cols(trigger->tg_trigtuple, RelationGetDescr(trigger->tg_relation), 1,
									 (int[]) {oms_require_column(RelationGetDescr(trigger->tg_relation), "xid", XID8OID)},
									 (Datum[]) {FullTransactionIdGetDatum(GetTopFullTransactionId())}, (bool[]) {false});
}

/*
 * compare_facts orders by stock row, then by id.
 */
static int
compare_facts(const void *a, const void *b)
{
	const Fact *left = a;
	const Fact *right = b;
	int			order = strcmp(left->sku, right->sku);

	if (order == 0)
		order = strcmp(left->location, right->location);
	if (order == 0)
		order = left->id < right->id ? -1 : 1;
	return order;
}

/*
 * read_facts reads the rows whose effect is still to come, sorted.
 */
static int
read_facts(TriggerData *trigger, Fact **facts)
{
	Walk		walk;
	int			id;
	int			sku;
	int			location;
	int			kind;
	int			quantity;
	int			on_hand_change;
	int			count = 0;

	*facts = palloc_extended(Max(1, tuplestore_tuple_count(trigger->tg_newtable)) * sizeof(Fact),
							 MCXT_ALLOC_HUGE);
	oms_walk_begin(&walk, trigger, trigger->tg_newtable);
	id = oms_walk_column(&walk, "id", INT8OID);
	sku = oms_walk_column(&walk, "sku", TEXTOID);
	location = oms_walk_column(&walk, "location", TEXTOID);
	kind = oms_walk_column(&walk, "kind", TEXTOID);
	quantity = oms_walk_column(&walk, "quantity", INT8OID);
	on_hand_change = oms_walk_column(&walk, "on_hand_change", INT8OID);
	while (oms_walk_next(&walk))
	{
		Fact	   *fact = &(*facts)[count];
		bool		is_open;

		(void) oms_walk_value(&walk, on_hand_change, &is_open);
		if (!is_open)
			continue;
		fact->id = oms_walk_int64(&walk, id);
		fact->sku = oms_walk_text(&walk, sku);
		fact->location = oms_walk_text(&walk, location);
		fact->kind = oms_walk_text(&walk, kind);
		fact->quantity = oms_walk_int64(&walk, quantity);
		count++;
	}
	oms_walk_end(&walk);
	qsort(*facts, count, sizeof(Fact), compare_facts);
	return count;
}

/*
 * lock_levels makes the stock rows that are missing, locks all in order, and
 * reads them; one level for each distinct row of the facts.
 */
static StockLevel *
lock_levels(Store *store, const Fact *facts, int count, bool by_engine, int *nlevels)
{
	StockLevel *levels = palloc_extended(count * sizeof(StockLevel), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	Array	   *skus = oms_array(TEXTOID, count);
	Array	   *locations = oms_array(TEXTOID, count);
	Datum		args[2];
	int			kept = 0;

	for (int i = 0; i < count; i++)
	{
		if (kept > 0 && strcmp(levels[kept - 1].sku, facts[i].sku) == 0 &&
			strcmp(levels[kept - 1].location, facts[i].location) == 0)
			continue;
		levels[kept].sku = facts[i].sku;
		levels[kept].location = facts[i].location;
		kept++;
		oms_array_add_text(skus, facts[i].sku);
		oms_array_add_text(locations, facts[i].location);
	}
	args[0] = oms_array_datum(skus);
	args[1] = oms_array_datum(locations);
	(void) oms_run(store, &make_stock_rows, args);
	if (oms_run(store, &lock_stock_rows, args) != kept)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("a row of stock was deleted by another session meanwhile"),
				 errhint("Retry the transaction.")));
	for (int i = 0; i < kept; i++)
	{
		levels[i].on_hand = levels[i].old_on_hand = oms_column_int64(i, 1);
		levels[i].unavailable = levels[i].old_unavailable = oms_column_int64(i, 2);
		levels[i].reserved = oms_column_int64(i, 3);
		if (!oms_column_bool(i, 4) && !by_engine)
			ereport(ERROR,
					(errcode(ERRCODE_OMS_INSUFFICIENT_STOCK),
					 errmsg("location \"%s\" keeps its own books: its stock is not counted here", levels[i].location),
					 errhint("Movements are for locations with tracked = true.")));
	}
	*nlevels = kept;
	return levels;
}

/*
 * apply_fact does to a level what a movement says.
 */
static void
apply_fact(Fact *fact, StockLevel *level)
{
	int64		on_hand = level->on_hand;
	int64		unavailable = level->unavailable;
	const char *kind = fact->kind;

	if (strcmp(kind, "count") == 0)
	{
		on_hand = fact->quantity;
		unavailable = Min(unavailable, on_hand);
	}
	else if (strcmp(kind, "quarantine") == 0)
		unavailable += fact->quantity;
	else if (strcmp(kind, "unquarantine") == 0)
		unavailable -= fact->quantity;
	else if (strcmp(kind, "issue") == 0 || strcmp(kind, "damage") == 0 || strcmp(kind, "transfer_out") == 0)
		on_hand -= fact->quantity;
	else
		on_hand += fact->quantity;

	if (on_hand < 0 || unavailable < 0 || unavailable > on_hand)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_INSUFFICIENT_STOCK),
				 errmsg("not enough stock: %s of " INT64_FORMAT " of sku \"%s\" at location \"%s\", where "
						INT64_FORMAT " are on hand and " INT64_FORMAT " of them unavailable",
						kind, fact->quantity, fact->sku, fact->location, level->on_hand, level->unavailable),
				 errhint("Count the location, or unquarantine units first.")));
	level->refuses |= strcmp(kind, "transfer_out") == 0;
	fact->on_hand_change = on_hand - level->on_hand;
	fact->unavailable_change = unavailable - level->unavailable;
	level->on_hand = on_hand;
	level->unavailable = unavailable;
}

/*
 * note_arrivals lists the SKUs of which there may be more afterwards, and where
 * how many units at most.
 */
static StockChanges *
note_arrivals(const Fact *facts, int count, Array *skus)
{
	StockChanges *arriving = oms_stock_changes(8);
	static const char *const kinds[] = {"receipt", "return", "transfer_in", "adjustment", "count", "unquarantine"};
	const char *last = NULL;

	for (int i = 0; i < count; i++)
	{
		for (int k = 0; k < (int) lengthof(kinds); k++)
		{
			if (strcmp(facts[i].kind, kinds[k]) != 0 || facts[i].quantity <= 0)
				continue;
			if (!last || strcmp(last, facts[i].sku) != 0)
			{
				last = facts[i].sku;
				oms_array_add_text(skus, last);
			}
			oms_stock_change(arriving, facts[i].sku, facts[i].location)->on_hand = facts[i].quantity;
		}
	}
	oms_stock_merge(arriving);
	return arriving;
}

/*
 * oms_act_movement applies the movements that a statement has inserted.
 */
void
oms_act_movement(Store *store, TriggerData *trigger)
{
	Fact	   *facts;
	int			count;

	oms_spi_begin();
	count = read_facts(trigger, &facts);
	if (count > 0)
	{
		OwnerScope	scope;
		StockLevel *levels;
		int			nlevels;
		int			level = -1;

		bool		by_engine = oms_in_engine(store);
		Array	   *arrived = oms_array(TEXTOID, 8);
		StockChanges *arriving;
		Waiting    *waiting;
		Named	   *named;

		oms_become_owner(store, &scope);
		named = oms_named_lock(store, trigger);
		arriving = note_arrivals(facts, count, arrived);
		/* a feed has locked the orders, and then the stock, before */
		waiting = oms_fill_lock(store, arrived, arriving, !by_engine && !oms_stock_is_locked());
		levels = lock_levels(store, facts, count, by_engine, &nlevels);
		for (int i = 0; i < count; i++)
		{
			if (level < 0 || strcmp(levels[level].sku, facts[i].sku) != 0 ||
				strcmp(levels[level].location, facts[i].location) != 0)
				level++;
			apply_fact(&facts[i], &levels[level]);
		}
		oms_set_levels(store, levels, nlevels);
		write_results(store, facts, count);
		oms_named_count(store, named);
		oms_fill(store, arrived, waiting, true);
		oms_leave_owner(&scope);
	}
	oms_spi_end();
}

/*
 * write_results tells the ledger what each movement did.
 */
static void
write_results(Store *store, const Fact *facts, int count)
{
	Array	   *ids = oms_array(INT8OID, count);
	Array	   *on_hand = oms_array(INT8OID, count);
	Array	   *unavailable = oms_array(INT8OID, count);

	for (int i = 0; i < count; i++)
	{
		oms_array_add_int64(ids, facts[i].id);
		oms_array_add_int64(on_hand, facts[i].on_hand_change);
		oms_array_add_int64(unavailable, facts[i].unavailable_change);
	}
	if (oms_run(store, &write_changes, (Datum[]) {
			oms_array_datum(ids), oms_array_datum(on_hand), oms_array_datum(unavailable)
		}) != ids->count)
		oms_refuse_interference("stock_movements");
}
