/*
 * placing.c
 *	  Writing an order once, as it ends up.
 *
 * direct.c has taken the stock before it inserts the order and its lines, so
 * their rows need not be written again.  The INSERTs are the caller's: what
 * the engine keeps in those rows is filled in by the BEFORE triggers, which
 * find here what it is, and what the AFTER triggers would do is done.  Each
 * tells here what it has seen; at the end nothing may be due.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/rel.h"

#include "import.h"
#include "oms.h"
#include "placing.h"
#include "rows.h"
#include "transition.h"

/* The columns of order_lines that are asked for here. */
typedef enum LineColumn
{
	ID, ORDER, BACKORDER_POLICY, EXPANDED, PER_KIT,
	CANCELED, ALLOCATED, BACKORDERED, SHORT, SHIPPED, DELIVERED, RETURNED, REVISION, LINE_COLUMNS
} LineColumn;

#define FIRST_COUNTER CANCELED

static const struct
{
	const char *name;
	Oid			type;
}			line_columns[LINE_COLUMNS] = {
	[ID] = {"id", UUIDOID},
	[ORDER] = {"order_id", UUIDOID},
	[BACKORDER_POLICY] = {"backorder_policy_id", UUIDOID},
	[EXPANDED] = {"expanded", BOOLOID},
	[PER_KIT] = {"per_kit", INT8OID},
	[CANCELED] = {"canceled", INT8OID},
	[ALLOCATED] = {"allocated", INT8OID},
	[BACKORDERED] = {"backordered", INT8OID},
	[SHORT] = {"short", INT8OID},
	[SHIPPED] = {"shipped", INT8OID},
	[DELIVERED] = {"delivered", INT8OID},
	[RETURNED] = {"returned", INT8OID},
	[REVISION] = {"revision", INT8OID},
};

/* the order that this call of place_order is writing, or NULL */
static Placing *current = NULL;

/*
 * oms_placing_set says which order is being written, NULL for none; it returns
 * what was said before, to be restored also when an error passes.
 */
Placing *
oms_placing_set(Placing *placing)
{
	Placing    *before = current;

	current = placing;
	return before;
}

/*
 * oms_placing_of returns what is known of an order that is being written;
 * NULL for all others.
 */
Placing *
oms_placing_of(const pg_uuid_t *order_id)
{
	if (!current || oms_uuid_cmp(order_id, &current->order->id) != 0)
		return NULL;
	return current;
}

/*
 * oms_placing_counts notes that so many units and so much money have been seen.
 */
void
oms_placing_counts(Placing *placing, int64 units, Datum amount)
{
	MemoryContext caller = MemoryContextSwitchTo(placing->context);

	placing->units_due -= units;
	placing->total_due = DirectFunctionCall2(numeric_sub, placing->total_due, amount);
	MemoryContextSwitchTo(caller);
}

/*
 * oms_placing_is_over tells whether the triggers have seen all that there is.
 */
bool
oms_placing_is_over(const Placing *placing)
{
	return !placing->row_is_due && placing->lines_filled == placing->nlines &&
		placing->units_due == 0 && placing->holds_due == 0 &&
		DatumGetBool(DirectFunctionCall2(numeric_eq, placing->total_due,
										 DirectFunctionCall1(int4_numeric, Int32GetDatum(0))));
}

/*
 * demand_of finds what a new line wants, by its id: lines come in the order in
 * which they are known here.
 */
static const Demand *
demand_of(Placing *placing, const pg_uuid_t *line_id)
{
	const Demand *demand = placing->lines_filled < placing->nlines ? placing->demands[placing->lines_filled] : NULL;

	if (!demand || oms_uuid_cmp(&demand->line_id, line_id) != 0)
		return NULL;
	placing->lines_filled++;
	return demand;
}

/*
 * column finds a column of order_lines, first where it was the last time: these
 * are asked for at each line.
 */
static int
column(TupleDesc tupdesc, LineColumn which)
{
	static int	numbers[LINE_COLUMNS];
	const char *name = line_columns[which].name;
	int			number = numbers[which];

	if (number <= 0 || number > tupdesc->natts || strcmp(NameStr(TupleDescAttr(tupdesc, number - 1)->attname), name) != 0 ||
		TupleDescAttr(tupdesc, number - 1)->attisdropped || TupleDescAttr(tupdesc, number - 1)->atttypid != line_columns[which].type)
		numbers[which] = oms_require_column(tupdesc, name, line_columns[which].type);
	return numbers[which];
}

/*
 * require_no_counters refuses a line that begins with counters; the engine
 * inserts lines of components (expand.c), still without any.
 */
static void
require_no_counters(const Store *store, TriggerData *trigger)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	bool		isnull;
	bool		is_bare = true;

	for (int i = FIRST_COUNTER; i < LINE_COLUMNS; i++)
		is_bare &= DatumGetInt64(SPI_getbinval(trigger->tg_trigtuple, tupdesc, column(tupdesc, i), &isnull)) == 0;
	is_bare &= !DatumGetBool(SPI_getbinval(trigger->tg_trigtuple, tupdesc, column(tupdesc, EXPANDED), &isnull));
	(void) SPI_getbinval(trigger->tg_trigtuple, tupdesc, column(tupdesc, BACKORDER_POLICY), &isnull);
	is_bare &= isnull;
	(void) SPI_getbinval(trigger->tg_trigtuple, tupdesc, column(tupdesc, PER_KIT), &isnull);
	if (is_bare && (isnull || oms_in_engine(store)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OMS_ENGINE_COLUMN),
			 errmsg("what the engine keeps in table \"%s\" cannot be written by hand",
					RelationGetRelationName(trigger->tg_relation)),
			 errhint("Insert the line without its counters."),
			 errtable(trigger->tg_relation)));
}

/*
 * oms_guard_new_line judges a line BEFORE it is inserted: it begins without
 * counters, unless the stock for it has been taken.
 */
HeapTuple
oms_guard_new_line(Store *store, TriggerData *trigger)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	bool		no_order;
	bool		no_id;
	Datum		order_id = SPI_getbinval(trigger->tg_trigtuple, tupdesc,
										 column(tupdesc, ORDER), &no_order);
	Datum		id = SPI_getbinval(trigger->tg_trigtuple, tupdesc, column(tupdesc, ID), &no_id);
	Placing    *placing = no_order || no_id ? NULL : oms_placing_of(DatumGetUUIDP(order_id));
	const Demand *demand = placing ? demand_of(placing, DatumGetUUIDP(id)) : NULL;
	int			columns[4];

	if (!oms_is_importing(store))
		require_no_counters(store, trigger);
	if (!demand)
		return trigger->tg_trigtuple;
	columns[0] = column(tupdesc, ALLOCATED);
	columns[1] = column(tupdesc, SHORT);
	columns[2] = column(tupdesc, BACKORDERED);
	columns[3] = column(tupdesc, BACKORDER_POLICY);
	return heap_modify_tuple_by_cols(trigger->tg_trigtuple, tupdesc, demand->backordered > 0 ? 4 : 2, columns, (Datum[]) {
		Int64GetDatum(demand->found), Int64GetDatum(oms_lacking(demand)), Int64GetDatum(demand->backordered),
		UUIDPGetDatum(&demand->policy_id)
	}, (bool[]) {false, false, false, false});
}
