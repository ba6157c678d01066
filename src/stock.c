/*
 * stock.c
 *	  Changing stock, and writing what moved into the ledger.
 *
 * All of a statement's changes to stock are merged by SKU and location, sorted
 * by them, and written by one UPDATE, which a nested loop over the sorted
 * arrays makes lock rows in that order: so two statements never wait for each
 * other in a circle.  Whether there is enough is asked in the UPDATE's own
 * WHERE, on the row as it is once it is locked; how many rows passed is the
 * answer.  Nothing is ever checked first and taken later.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "oms.h"
#include "plan.h"
#include "rows.h"
#include "stock.h"

static const StoreQuery change_stock = {
	"UPDATE @.stock s SET on_hand = s.on_hand" PLUS "c.on_hand, unavailable = s.unavailable" PLUS "c.unavailable,"
	" reserved = s.reserved" PLUS "c.reserved, revision = s.revision" PLUS "1"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4),"
	" pg_catalog.unnest($5), pg_catalog.unnest($6)) AS c(sku, location, on_hand, unavailable, reserved, leaves)"
	" WHERE s.sku" EQ "c.sku AND s.location" EQ "c.location"
	" AND (c.leaves IS NULL OR s.available" PLUS "c.on_hand" MINUS "c.unavailable" MINUS "c.reserved" GE "c.leaves)",
	6, {TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID}
};

static const StoreQuery insert_movements = {
	"INSERT INTO @.stock_movements (sku, location, kind, quantity, on_hand_change, unavailable_change, reason, entity, entity_id, actor)"
	" SELECT m.sku, m.location, m.kind, m.quantity, m.on_hand, m.unavailable, m.reason, 'fulfillment', m.entity_id, $9"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4),"
	" pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8))"
	" AS m(sku, location, kind, quantity, on_hand, unavailable, reason, entity_id)",
	9, {
		TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID,
		TEXTARRAYOID, UUIDARRAYOID, TEXTOID
	}
};

/*
 * oms_stock_changes makes an empty list.
 */
StockChanges *
oms_stock_changes(int capacity)
{
	StockChanges *list = palloc(sizeof(StockChanges));

	list->count = 0;
	list->capacity = Max(capacity, 8);
	list->changes = palloc(list->capacity * sizeof(StockChange));
	return list;
}

/*
 * oms_stock_change adds a change of nothing yet to the list.
 */
StockChange *
oms_stock_change(StockChanges *list, const char *sku, const char *location)
{
	StockChange *change;

	if (list->count == list->capacity)
	{
		list->capacity *= 2;
		list->changes = repalloc_huge(list->changes, list->capacity * sizeof(StockChange));
	}
	change = &list->changes[list->count++];
	memset(change, 0, sizeof(StockChange));
	change->sku = sku;
	change->location = location;
	return change;
}

/*
 * compare_rows orders as the columns' collation "C" does.
 */
static int
compare_rows(const StockChange *left, const StockChange *right)
{
	int			order = strcmp(left->sku, right->sku);

	return order != 0 ? order : strcmp(left->location, right->location);
}

/*
 * compare_changes orders by stock row, then has those come first that must leave
 * most: what others take after them is no matter of theirs.
 */
static int
compare_changes(const void *a, const void *b)
{
	const StockChange *left = a;
	const StockChange *right = b;
	int			order = compare_rows(left, right);

	if (order == 0 && left->leaves != right->leaves)
		order = left->leaves > right->leaves ? -1 : 1;
	return order;
}

/*
 * oms_stock_merge sorts the list and leaves one change for each stock row.
 */
void
oms_stock_merge(StockChanges *list)
{
	int			kept = 0;

	qsort(list->changes, list->count, sizeof(StockChange), compare_changes);
	for (int i = 0; i < list->count; i++)
	{
		StockChange *change = &list->changes[i];

		if (kept > 0 && compare_rows(&list->changes[kept - 1], change) == 0)
		{
			StockChange *to = &list->changes[kept - 1];

			if (change->takes)
				to->leaves = Max(to->leaves - change->reserved, change->leaves);
			to->on_hand += change->on_hand;
			to->unavailable += change->unavailable;
			to->reserved += change->reserved;
			to->takes |= change->takes;
			to->converts |= change->converts;
		}
		else
			list->changes[kept++] = *change;
	}
	list->count = kept;
}

/*
 * oms_stock_apply writes a merged list.  Returns false where a row is missing
 * or has too little available; the others are written then, and the caller
 * rolls back.
 */
bool
oms_stock_apply(Store *store, const StockChanges *list)
{
	Array	   *skus = oms_array(TEXTOID, list->count);
	Array	   *locations = oms_array(TEXTOID, list->count);
	Array	   *on_hand = oms_array(INT8OID, list->count);
	Array	   *unavailable = oms_array(INT8OID, list->count);
	Array	   *reserved = oms_array(INT8OID, list->count);
	Array	   *leaves = oms_array(INT8OID, list->count);
	Datum		args[6];

	if (list->count == 0)
		return true;
	for (int i = 0; i < list->count; i++)
	{
		const StockChange *change = &list->changes[i];

		oms_array_add_text(skus, change->sku);
		oms_array_add_text(locations, change->location);
		oms_array_add_int64(on_hand, change->on_hand);
		oms_array_add_int64(unavailable, change->unavailable);
		oms_array_add_int64(reserved, change->reserved);
		if (change->takes)
			oms_array_add_int64(leaves, change->leaves);
		else
			oms_array_add_null(leaves);
	}
	args[0] = oms_array_datum(skus);
	args[1] = oms_array_datum(locations);
	args[2] = oms_array_datum(on_hand);
	args[3] = oms_array_datum(unavailable);
	args[4] = oms_array_datum(reserved);
	args[5] = oms_array_datum(leaves);
	return oms_run(store, &change_stock, args) == list->count;
}

/*
 * oms_movements makes an empty list.
 */
Movements *
oms_movements(int capacity)
{
	Movements  *list = palloc(sizeof(Movements));

	list->count = 0;
	list->capacity = Max(capacity, 8);
	list->rows = palloc(list->capacity * sizeof(Movement));
	return list;
}

/*
 * oms_movement adds a movement without effect yet to the list.
 */
Movement *
oms_movement(Movements *list, const char *sku, const char *location, const char *kind,
			 int64 quantity)
{
	Movement   *row;

	if (list->count == list->capacity)
	{
		list->capacity *= 2;
		list->rows = repalloc_huge(list->rows, list->capacity * sizeof(Movement));
	}
	row = &list->rows[list->count++];
	memset(row, 0, sizeof(Movement));
	row->sku = sku;
	row->location = location;
	row->kind = kind;
	row->quantity = quantity;
	return row;
}

/*
 * oms_movements_write writes the ledger's rows for changes that the engine
 * makes to stock itself.  The caller acts as the owner.
 */
void
oms_movements_write(Store *store, const Movements *list)
{
	Array	   *skus = oms_array(TEXTOID, list->count);
	Array	   *locations = oms_array(TEXTOID, list->count);
	Array	   *kinds = oms_array(TEXTOID, list->count);
	Array	   *quantities = oms_array(INT8OID, list->count);
	Array	   *on_hand = oms_array(INT8OID, list->count);
	Array	   *unavailable = oms_array(INT8OID, list->count);
	Array	   *reasons = oms_array(TEXTOID, list->count);
	Array	   *entity_ids = oms_array(UUIDOID, list->count);
	Datum		args[9];

	if (list->count == 0)
		return;
	for (int i = 0; i < list->count; i++)
	{
		const Movement *row = &list->rows[i];

		oms_array_add_text(skus, row->sku);
		oms_array_add_text(locations, row->location);
		oms_array_add_text(kinds, row->kind);
		oms_array_add_int64(quantities, row->quantity);
		oms_array_add_int64(on_hand, row->on_hand);
		oms_array_add_int64(unavailable, row->unavailable);
		oms_array_add_text(reasons, row->reason);
		oms_array_add_uuid(entity_ids, &row->entity_id);
	}
	args[0] = oms_array_datum(skus);
	args[1] = oms_array_datum(locations);
	args[2] = oms_array_datum(kinds);
	args[3] = oms_array_datum(quantities);
	args[4] = oms_array_datum(on_hand);
	args[5] = oms_array_datum(unavailable);
	args[6] = oms_array_datum(reasons);
	args[7] = oms_array_datum(entity_ids);
	args[8] = CStringGetTextDatum(oms_current_actor());
	if (oms_run(store, &insert_movements, args) != skus->count)
		oms_refuse_interference("stock_movements");
}
