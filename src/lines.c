/*
 * lines.c
 *	  Lines and charges: every write of one updates its order.
 *
 * Reached by the statement triggers on INSERT and DELETE, which read the
 * transition table, and by the row trigger on a person's UPDATE.  The order's
 * total and units change by the difference, in an UPDATE that also asks
 * whether the order is still open to change: that is what makes a line that
 * is added while the order is being placed fail, at every isolation level,
 * where a mere lock would lose it.
 *
 * A new line may wait for its order.  A change or removal has locked the line
 * already, and orders are locked before lines: it does not wait (40001).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/numeric.h"
#include "utils/rel.h"

#include "import.h"
#include "lines.h"
#include "oms.h"
#include "placing.h"
#include "plan.h"
#include "rows.h"
#include "transition.h"

static const StoreQuery lock_orders_at_once = {
	"WITH locked AS (SELECT o.id FROM @.orders o WHERE o.id" EQ "ANY ($1) ORDER BY o.id FOR NO KEY UPDATE SKIP LOCKED)"
	" SELECT o.number FROM @.orders o LEFT JOIN locked k ON k.id" EQ "o.id WHERE o.id" EQ "ANY ($1) AND k.id IS NULL LIMIT 1",
	1, {UUIDARRAYOID}
};

#define CHANGE_TOTAL \
	"UPDATE @.orders o SET total = o.total" PLUS "CASE WHEN o.tax_included THEN c.net ELSE c.gross END," \
	" units = o.units" PLUS "c.units, revision = o.revision" PLUS "1" \
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4))" \
	" AS c(id, units, net, gross) WHERE o.id" EQ "c.id"

static const StoreQuery change_total = {
	CHANGE_TOTAL " AND o.placed_at IS NULL",
	4, {UUIDARRAYOID, INT8ARRAYOID, NUMERICARRAYOID, NUMERICARRAYOID}
};

static const StoreQuery touch_orders = {
	CHANGE_TOTAL, 4, {UUIDARRAYOID, INT8ARRAYOID, NUMERICARRAYOID, NUMERICARRAYOID}
};

static const StoreQuery find_placed = {
	"SELECT o.number FROM @.orders o WHERE o.id" EQ "ANY ($1) AND o.placed_at IS NOT NULL LIMIT 1",
	1, {UUIDARRAYOID}
};

static const StoreQuery count_orders = {
	"SELECT pg_catalog.count(*) FROM @.orders o WHERE o.id" EQ "ANY ($1)", 1, {UUIDARRAYOID}
};

static void refuse_fixed(const char *what, const char *number);

/*
 * plus and minus, on numerics.
 */
static Datum
plus(Datum a, Datum b)
{
	return DirectFunctionCall2(numeric_add, a, b);
}

static Datum
minus(Datum a, Datum b)
{
	return DirectFunctionCall2(numeric_sub, a, b);
}

/*
 * oms_worth_of_line returns what a line adds: quantity x price - discount, and tax.
 */
Worth
oms_worth_of_line(pg_uuid_t order_id, int64 quantity, Datum unit_price, Datum discount, Datum tax)
{
	Worth		worth;

	worth.order_id = order_id;
	worth.units = quantity;
	worth.net = minus(DirectFunctionCall2(numeric_mul, DirectFunctionCall1(int8_numeric, Int64GetDatum(quantity)),
										  unit_price), discount);
	worth.gross = plus(worth.net, tax);
	return worth;
}

/*
 * oms_worth_of_charge returns what a charge adds; a discount subtracts.
 */
Worth
oms_worth_of_charge(pg_uuid_t order_id, const char *kind, Datum amount, Datum tax)
{
	Worth		worth;

	worth.order_id = order_id;
	worth.units = 0;
	worth.net = amount;
	worth.gross = plus(amount, tax);
	if (strcmp(kind, "discount") == 0)
	{
		worth.net = DirectFunctionCall1(numeric_uminus, worth.net);
		worth.gross = DirectFunctionCall1(numeric_uminus, worth.gross);
	}
	return worth;
}

/*
 * read_worths reads the transition table.
 */
static Worth *
read_worths(TriggerData *trigger, bool are_charges, int *count)
{
	Tuplestorestate *rows = trigger->tg_newtable ? trigger->tg_newtable : trigger->tg_oldtable;
	Worth	   *worths = palloc_extended(Max(1, tuplestore_tuple_count(rows)) * sizeof(Worth),
										 MCXT_ALLOC_HUGE);
	Walk		walk;
	int			columns[5];
	int			per_kit = 0;
	static const char *const line_columns[] = {"order_id", "quantity", "unit_price", "discount", "tax"};
	static const char *const charge_columns[] = {"order_id", "kind", "amount", "tax"};
	static const Oid line_types[] = {UUIDOID, INT8OID, NUMERICOID, NUMERICOID, NUMERICOID};
	static const Oid charge_types[] = {UUIDOID, TEXTOID, NUMERICOID, NUMERICOID};

	oms_walk_begin(&walk, trigger, rows);
	for (int i = 0; i < (are_charges ? 4 : 5); i++)
		columns[i] = oms_walk_column(&walk, are_charges ? charge_columns[i] : line_columns[i],
									 are_charges ? charge_types[i] : line_types[i]);
	if (!are_charges)
		per_kit = oms_walk_column(&walk, "per_kit", INT8OID);
	*count = 0;
	while (oms_walk_next(&walk))
	{
		pg_uuid_t	order_id = oms_walk_uuid(&walk, columns[0]);
		bool		isnull = true;

		if (!are_charges)
			(void) oms_walk_value(&walk, per_kit, &isnull);
		if (!isnull)
			continue;			/* a component: it stands for its bundle's
								 * line, which is counted */
		if (are_charges)
			worths[(*count)++] = oms_worth_of_charge(order_id, oms_walk_text(&walk, columns[1]),
													 oms_walk_value(&walk, columns[2], &isnull),
													 oms_walk_value(&walk, columns[3], &isnull));
		else
			worths[(*count)++] = oms_worth_of_line(order_id, oms_walk_int64(&walk, columns[1]),
												   oms_walk_value(&walk, columns[2], &isnull),
												   oms_walk_value(&walk, columns[3], &isnull),
												   oms_walk_value(&walk, columns[4], &isnull));
	}
	oms_walk_end(&walk);
	return worths;
}

/*
 * merge sorts differences by order and leaves one for each; with remove, what
 * was added goes away.
 */
static int
merge(Worth *list, int count, bool remove)
{
	int			kept = 0;

	qsort(list, count, sizeof(Worth), oms_uuid_cmp);
	for (int i = 0; i < count; i++)
	{
		Worth		next = list[i];

		if (remove)
		{
			next.units = -next.units;
			next.net = DirectFunctionCall1(numeric_uminus, next.net);
			next.gross = DirectFunctionCall1(numeric_uminus, next.gross);
		}
		if (kept > 0 && oms_uuid_cmp(&list[kept - 1], &next) == 0)
		{
			list[kept - 1].units += next.units;
			list[kept - 1].net = plus(list[kept - 1].net, next.net);
			list[kept - 1].gross = plus(list[kept - 1].gross, next.gross);
		}
		else
			list[kept++] = next;
	}
	return kept;
}

/*
 * apply writes the differences to the orders.  Orders that are gone, their
 * lines going with them, do not matter; orders that are placed do.
 */
static void
apply(Store *store, const char *what, const Worth *list, int count, bool may_wait, bool changes)
{
	Array	   *ids = oms_array(UUIDOID, count);
	Array	   *units = oms_array(INT8OID, count);
	Array	   *nets = oms_array(NUMERICOID, count);
	Array	   *grosses = oms_array(NUMERICOID, count);
	Datum		args[4];
	uint64		written;

	for (int i = 0; i < count; i++)
	{
		oms_array_add_uuid(ids, &list[i].order_id);
		oms_array_add_int64(units, list[i].units);
		oms_array_add(nets, list[i].net);
		oms_array_add(grosses, list[i].gross);
	}
	args[0] = oms_array_datum(ids);
	args[1] = oms_array_datum(units);
	args[2] = oms_array_datum(nets);
	args[3] = oms_array_datum(grosses);

	if (!may_wait && oms_run(store, &lock_orders_at_once, args) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("order \"%s\" is being changed by another session", oms_column_text(0, 1)),
				 errhint("Retry the transaction.")));
	written = oms_run(store, changes ? &change_total : &touch_orders, args);
	if (written == count)
		return;
	if (changes && oms_run(store, &find_placed, args) > 0)
		refuse_fixed(what, oms_column_text(0, 1));
	(void) oms_run(store, &count_orders, args);
	if (oms_column_int64(0, 1) > (int64) written)
		oms_refuse_interference("orders");
}

/*
 * take_known takes out what the order that is being placed counts already.
 */
static int
take_known(Worth *list, int count)
{
	int			kept = 0;

	for (int i = 0; i < count; i++)
	{
		Placing    *placing = oms_placing_of(&list[i].order_id);

		if (!placing)
		{
			list[kept++] = list[i];
			continue;
		}
		oms_placing_counts(placing, list[i].units, placing->tax_included ? list[i].net : list[i].gross);
	}
	return kept;
}

/*
 * oms_act_lines follows the INSERT or DELETE of lines or charges.
 */
void
oms_act_lines(Store *store, TriggerData *trigger, bool are_charges)
{
	bool		inserted = TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
	OwnerScope	scope;
	Worth	   *list;
	int			count;

	if (inserted && oms_is_importing(store))
		return;					/* its order counts it already */
	oms_spi_begin();
	list = read_worths(trigger, are_charges, &count);
	if (count > 0)
	{
		count = merge(list, count, !inserted);
		if (inserted)
			count = take_known(list, count);
	}
	if (count > 0)
	{
		oms_become_owner(store, &scope);
		apply(store, are_charges ? "charges" : "lines", list, count, inserted, true);
		oms_leave_owner(&scope);
	}
	oms_spi_end();
}

/*
 * field returns a column of a row that the trigger was given.
 */
static Datum
field(TriggerData *trigger, HeapTuple row, const char *name, Oid type)
{
	bool		isnull;
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);

	return SPI_getbinval(row, tupdesc, oms_require_column(tupdesc, name, type), &isnull);
}

/*
 * worth_of_row returns what a line or charge adds to its order.
 */
static Worth
worth_of_row(TriggerData *trigger, HeapTuple row, bool is_charge)
{
	pg_uuid_t	order_id = *DatumGetUUIDP(field(trigger, row, "order_id", UUIDOID));

	if (is_charge)
		return oms_worth_of_charge(order_id, TextDatumGetCString(field(trigger, row, "kind", TEXTOID)),
								   field(trigger, row, "amount", NUMERICOID), field(trigger, row, "tax", NUMERICOID));
	return oms_worth_of_line(order_id, DatumGetInt64(field(trigger, row, "quantity", INT8OID)),
							 field(trigger, row, "unit_price", NUMERICOID), field(trigger, row, "discount", NUMERICOID),
							 field(trigger, row, "tax", NUMERICOID));
}

/*
 * refuse_fixed says that what belongs to a placed order stays.
 */
static void
refuse_fixed(const char *what, const char *number)
{
	ereport(ERROR,
			(errcode(ERRCODE_OMS_IMMUTABLE),
			 errmsg("%s of order \"%s\" are fixed since it was placed", what, number),
			 errhint("Cancel units with oms.cancel_lines, or place another order.")));
}

/*
 * oms_guard_line refuses to remove a line of a placed order, before foreign
 * keys say so in their own words.
 */
HeapTuple
oms_guard_line(Store *store, TriggerData *trigger)
{
	Array	   *ids;
	OwnerScope	scope;

	oms_become_owner(store, &scope);
	oms_spi_begin();
	ids = oms_array(UUIDOID, 1);
	oms_array_add(ids, field(trigger, trigger->tg_trigtuple, "order_id", UUIDOID));
	if (oms_run(store, &find_placed, (Datum[]) {oms_array_datum(ids)}) > 0)
		refuse_fixed("lines", oms_column_text(0, 1));
	oms_spi_end();
	oms_leave_owner(&scope);
	return trigger->tg_trigtuple;
}

/*
 * require_term returns a column's number, of whatever type.
 */
static int
require_term(TupleDesc tupdesc, const char *name)
{
	int			column = SPI_fnumber(tupdesc, name);

	if (column <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_STORE_LAYOUT),
				 errmsg("the table has no column \"%s\"", name)));
	return column;
}

/*
 * changes_terms tells whether an update changes more than what people may
 * note on a line at any time; columns that users have added are theirs.
 */
static bool
changes_terms(TriggerData *trigger, bool is_charge)
{
	static const char *const line_terms[] = {
		"id", "order_id", "line_no", "parent_line_id", "source_line_id", "sku", "quantity", "unit_price",
		"discount", "tax", "method", "location", "pickup_location", "ship_to_id", "ship_group",
		"requested_at", NULL
	};
	static const char *const charge_terms[] = {"id", "order_id", "kind", "amount", "tax", NULL};
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);

	for (const char *const *term = is_charge ? charge_terms : line_terms; *term; term++)
	{
		int			column = require_term(tupdesc, *term);
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, column - 1);
		bool		old_null;
		bool		new_null;
		Datum		old = SPI_getbinval(trigger->tg_trigtuple, tupdesc, column, &old_null);
		Datum		new = SPI_getbinval(trigger->tg_newtuple, tupdesc, column, &new_null);

		if (old_null != new_null ||
			(!old_null && !datum_image_eq(old, new, attribute->attbyval, attribute->attlen)))
			return true;
	}
	return false;
}

/*
 * oms_recheck_line follows a person's UPDATE of a line or charge.
 */
void
oms_recheck_line(Store *store, TriggerData *trigger, bool is_charge)
{
	const char *what = is_charge ? "charges" : "lines";
	OwnerScope	scope;
	Worth		old;
	Worth		new;

	oms_spi_begin();
	old = worth_of_row(trigger, trigger->tg_trigtuple, is_charge);
	new = worth_of_row(trigger, trigger->tg_newtuple, is_charge);
	if (oms_uuid_cmp(&old, &new) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_IMMUTABLE),
				 errmsg("%s cannot change from one order to another", what),
				 errhint("Delete the row and insert it there."),
				 errtable(trigger->tg_relation)));
	new.units -= old.units;
	new.net = minus(new.net, old.net);
	new.gross = minus(new.gross, old.gross);
	oms_become_owner(store, &scope);
	apply(store, what, &new, 1, false, changes_terms(trigger, is_charge));
	oms_leave_owner(&scope);
	oms_spi_end();
}
