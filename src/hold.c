/*
 * hold.c
 *	  Holds: what an order waits for, counted into its open_holds.
 *
 * People insert a row to hold an order and set released_at to let it go on;
 * the history stays.  The order's guards read the count, which changes in the
 * same statement, so the order's trigger makes the automatic move that the
 * last hold's release opens.  Where people release a hold of kind credit, they
 * approve the order's credit.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"

#include "event.h"
#include "import.h"
#include "lines.h"
#include "oms.h"
#include "placing.h"
#include "plan.h"
#include "rows.h"
#include "transition.h"

static const StoreQuery count_holds = {
	"UPDATE @.orders o SET status = o.status, open_holds = o.open_holds" PLUS "c.change::pg_catalog.int4,"
	" credit_approved = (o.credit_approved OR c.approves), revision = o.revision" PLUS "1"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3)) AS c(id, change, approves) WHERE o.id" EQ "c.id",
	3, {UUIDARRAYOID, INT8ARRAYOID, BOOLARRAYOID}
};

static const StoreQuery insert_holds = {
	"INSERT INTO @.order_holds (order_id, kind, reason, placed_by) SELECT h.id, $2, $3, $4"
	" FROM ROWS FROM (pg_catalog.unnest($1)) AS h(id)",
	4, {UUIDARRAYOID, TEXTOID, TEXTOID, TEXTOID}
};

static const StoreQuery find_orders = {
	"SELECT o.number FROM @.orders o WHERE o.id" EQ "ANY ($1) LIMIT 1", 1, {UUIDARRAYOID}
};

/* How the open holds of an order change. */
typedef struct HoldChange
{
	pg_uuid_t	order_id;		/* first: sorted by it */
	int64		change;
	bool		approves;		/* a person released a credit hold */
} HoldChange;

/*
 * field returns a column of a row that the trigger was given.
 */
static Datum
field(TupleDesc tupdesc, HeapTuple row, const char *name, bool *isnull)
{
	return SPI_getbinval(row, tupdesc, SPI_fnumber(tupdesc, name), isnull);
}

/*
 * require_same refuses an update of what is written once.
 */
static void
require_same(TriggerData *trigger, const char *name)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	int			column = SPI_fnumber(tupdesc, name);
	Form_pg_attribute attribute = TupleDescAttr(tupdesc, column - 1);
	bool		old_null;
	bool		new_null;
	Datum		old = field(tupdesc, trigger->tg_trigtuple, name, &old_null);
	Datum		new = field(tupdesc, trigger->tg_newtuple, name, &new_null);

	if (old_null == new_null &&
		(old_null || datum_image_eq(old, new, attribute->attbyval, attribute->attlen)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OMS_IMMUTABLE),
			 errmsg("column \"%s\" of a hold cannot change", name),
			 errhint("Release this hold and insert another."),
			 errtablecol(trigger->tg_relation, column)));
}

/*
 * oms_guard_hold judges a hold BEFORE it is written: once released it stays
 * so.  Who released it is filled in.
 */
HeapTuple
oms_guard_hold(Store *store, TriggerData *trigger)
{
	static const char *const kept[] = {"id", "order_id", "kind", "placed_by", "placed_at"};
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	bool		is_update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	HeapTuple	row = is_update ? trigger->tg_newtuple : trigger->tg_trigtuple;
	bool		is_open;
	bool		is_anonymous;
	int			released_by = oms_require_column(tupdesc, "released_by", TEXTOID);

	(void) oms_require_column(tupdesc, "id", UUIDOID);
	(void) oms_require_column(tupdesc, "order_id", UUIDOID);
	(void) oms_require_column(tupdesc, "kind", TEXTOID);
	(void) oms_require_column(tupdesc, "placed_by", TEXTOID);
	(void) oms_require_column(tupdesc, "placed_at", TIMESTAMPTZOID);
	(void) oms_require_column(tupdesc, "released_at", TIMESTAMPTZOID);

	(void) field(tupdesc, row, "released_at", &is_open);
	(void) field(tupdesc, row, "released_by", &is_anonymous);
	if (is_update)
	{
		bool		was_open;

		for (int i = 0; i < (int) lengthof(kept); i++)
			require_same(trigger, kept[i]);
		(void) field(tupdesc, trigger->tg_trigtuple, "released_at", &was_open);
		if (!was_open)
		{
			require_same(trigger, "released_at");
			require_same(trigger, "released_by");
		}
	}
	if (is_open || !is_anonymous)
		return row;
	return heap_modify_tuple_by_cols(row, tupdesc, 1, &released_by,
									 (Datum[]) {CStringGetTextDatum(oms_current_actor())},
									 (bool[]) {false});
}

/*
 * add_changes walks a transition table and notes each open hold: plus one for
 * those that are there now, minus one for those that were.
 */
static void
add_changes(TriggerData *trigger, Tuplestorestate *rows, int64 weight, HoldChange *list, int *count)
{
	Walk		walk;
	int			order_id;
	int			released_at;

	oms_walk_begin(&walk, trigger, rows);
	order_id = oms_walk_column(&walk, "order_id", UUIDOID);
	released_at = oms_walk_column(&walk, "released_at", TIMESTAMPTZOID);
	while (oms_walk_next(&walk))
	{
		bool		is_open;

		(void) oms_walk_value(&walk, released_at, &is_open);
		list[*count].order_id = oms_walk_uuid(&walk, order_id);
		list[*count].approves = false;
		list[(*count)++].change = is_open ? weight : 0;
	}
	oms_walk_end(&walk);
}

/*
 * log_holds adds an event for each hold that was placed or released, and notes
 * which releases approve credit: those of an UPDATE by people.
 */
static void
log_holds(TriggerData *trigger, Events *events, bool by_engine, HoldChange *list, int *count)
{
	Walk		now;
	Walk		before;
	int			columns[4];

	if (!trigger->tg_newtable)
		return;
	oms_walk_begin(&now, trigger, trigger->tg_newtable);
	if (trigger->tg_oldtable)
		oms_walk_begin(&before, trigger, trigger->tg_oldtable);
	columns[0] = oms_walk_column(&now, "id", UUIDOID);
	columns[1] = oms_walk_column(&now, "order_id", UUIDOID);
	columns[2] = oms_walk_column(&now, "kind", TEXTOID);
	columns[3] = oms_walk_column(&now, "released_at", TIMESTAMPTZOID);
	while (oms_walk_next(&now) && (!trigger->tg_oldtable || oms_walk_next(&before)))
	{
		bool		is_open;
		bool		was_open = false;
		pg_uuid_t	id = oms_walk_uuid(&now, columns[0]);
		pg_uuid_t	order_id = oms_walk_uuid(&now, columns[1]);

		(void) oms_walk_value(&now, columns[3], &is_open);
		if (trigger->tg_oldtable)
			(void) oms_walk_value(&before, columns[3], &was_open);
		if (is_open != was_open)
			oms_event_add(events, &order_id, "order", &order_id, is_open ? "held" : "unheld", NULL, NULL,
						  oms_walk_text(&now, columns[2]),
						  psprintf("{\"hold\": \"%s\"}", oms_uuid_out(&id)));
		if (was_open && !is_open && trigger->tg_oldtable && !by_engine && strcmp(oms_walk_text(&now, columns[2]), "credit") == 0)
			list[(*count)++] = (HoldChange) {order_id, 0, true};
	}
	oms_walk_end(&now);
	if (trigger->tg_oldtable)
		oms_walk_end(&before);
}

/*
 * oms_act_holds counts the holds into their orders.
 */
void
oms_act_holds(Store *store, TriggerData *trigger)
{
	int64		most = (trigger->tg_newtable ? 2 * tuplestore_tuple_count(trigger->tg_newtable) : 0) +
		(trigger->tg_oldtable ? tuplestore_tuple_count(trigger->tg_oldtable) : 0);
	HoldChange *list;
	int			count = 0;
	int			kept = 0;
	Array	   *ids;
	Array	   *changes;
	Array	   *approvals;
	Events	   *events;
	OwnerScope	scope;

	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event) && oms_is_importing(store))
		return;					/* its order counts it already */
	oms_spi_begin();
	list = palloc_extended(Max(1, most) * sizeof(HoldChange), MCXT_ALLOC_HUGE);
	events = oms_events(4);
	if (trigger->tg_oldtable)
		add_changes(trigger, trigger->tg_oldtable, -1, list, &count);
	if (trigger->tg_newtable)
		add_changes(trigger, trigger->tg_newtable, 1, list, &count);
	log_holds(trigger, events, oms_in_engine(store), list, &count);

	qsort(list, count, sizeof(HoldChange), oms_uuid_cmp);
	for (int i = 0; i < count; i++)
	{
		if (kept > 0 && oms_uuid_cmp(&list[kept - 1], &list[i]) == 0)
		{
			list[kept - 1].change += list[i].change;
			list[kept - 1].approves |= list[i].approves;
		}
		else
			list[kept++] = list[i];
	}
	ids = oms_array(UUIDOID, kept);
	changes = oms_array(INT8OID, kept);
	approvals = oms_array(BOOLOID, kept);
	for (int i = 0; i < kept; i++)
	{
		Placing    *placing = oms_placing_of(&list[i].order_id);

		if (placing)
		{
			placing->holds_due -= (int) list[i].change;
			continue;
		}
		oms_array_add_uuid(ids, &list[i].order_id);
		oms_array_add_int64(changes, list[i].change);
		oms_array_add(approvals, BoolGetDatum(list[i].approves));
	}
	oms_become_owner(store, &scope);
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event) && ids->count > 0 &&
		oms_run(store, &find_orders, (Datum[]) {oms_array_datum(ids)}) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_ENGINE_COLUMN),
				 errmsg("a hold of order \"%s\" cannot be deleted", oms_column_text(0, 1)),
				 errhint("Set released_at instead; the history of holds is kept."),
				 errtable(trigger->tg_relation)));
	oms_events_write(store, events);
	if (ids->count > 0 && oms_run(store, &count_holds, (Datum[]) {
			oms_array_datum(ids), oms_array_datum(changes), oms_array_datum(approvals)
		}) != ids->count && !TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		oms_refuse_interference("orders");
	oms_leave_owner(&scope);
	oms_spi_end();
}

/*
 * oms_place_holds holds orders for a reason of the engine's.
 */
void
oms_place_holds(Store *store, const Array *order_ids, const char *kind, const char *reason)
{
	(void) oms_run(store, &insert_holds, (Datum[]) {
		oms_array_datum(order_ids), CStringGetTextDatum(kind), CStringGetTextDatum(reason),
		CStringGetTextDatum(oms_current_actor())
	});
}
