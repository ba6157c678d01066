/*
 * axes.c
 *	  An order's derived axes: payment, fulfillment and return status.
 *
 * They follow from the row's counters alone and are written by the BEFORE
 * trigger whenever the engine writes the row, so no statement of the engine
 * has to remember them.  verify.c says the same in SQL.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "axes.h"

/*
 * compare compares two amounts.
 */
static int
compare(Datum a, Datum b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, a, b));
}

/*
 * payment_status says how far the money has come.
 */
static const char *
payment_status(const Shape *shape, const RowValues *row)
{
	Datum		zero = DirectFunctionCall1(int4_numeric, Int32GetDatum(0));
	Datum		total = oms_row_value(shape, row, ORDER_TOTAL);
	Datum		captured = oms_row_value(shape, row, ORDER_CAPTURED);
	Datum		refunded = oms_row_value(shape, row, ORDER_REFUNDED);
	Datum		due = DirectFunctionCall2(numeric_sub, total, oms_row_value(shape, row, ORDER_CREDITED));

	if (compare(oms_row_value(shape, row, ORDER_CHARGED_BACK), zero) > 0)
		return "charged_back";
	if (compare(captured, zero) > 0)
	{
		if (compare(refunded, captured) >= 0)
			return "refunded";
		if (compare(refunded, zero) > 0)
			return "partially_refunded";
		return compare(captured, due) >= 0 ? "paid" : "partially_paid";
	}
	if (compare(oms_row_value(shape, row, ORDER_AUTHORIZED), zero) > 0)
		return "authorized";
	if (!oms_row_is_null(shape, row, ORDER_PLACED_AT) && compare(total, zero) == 0)
		return "paid";
	return "unpaid";
}

/*
 * fulfillment_status says how far the goods have come.
 */
static const char *
fulfillment_status(const Shape *shape, const RowValues *row)
{
	int64		shipped = oms_row_int64(shape, row, ORDER_UNITS_SHIPPED);
	int64		owed = oms_row_int64(shape, row, ORDER_UNITS) -
		oms_row_int64(shape, row, ORDER_UNITS_CANCELED);

	if (shipped == 0)
		return "unfulfilled";
	if (shipped < owed)
		return "partial";
	return oms_row_int64(shape, row, ORDER_UNITS_DELIVERED) >= owed ? "delivered" : "fulfilled";
}

/*
 * return_status says how much of what left came back.
 */
static const char *
return_status(const Shape *shape, const RowValues *row)
{
	int64		returned = oms_row_int64(shape, row, ORDER_UNITS_RETURNED);

	if (returned == 0)
		return "none";
	return returned < oms_row_int64(shape, row, ORDER_UNITS_SHIPPED) ? "partial" : "returned";
}

/*
 * oms_fill_axes writes the axes into the row where they have changed.
 */
void
oms_fill_axes(const Shape *shape, RowValues *row, TupleDesc tupdesc, HeapTuple *tuple)
{
	static const int columns[] = {ORDER_PAYMENT_STATUS, ORDER_FULFILLMENT_STATUS, ORDER_RETURN_STATUS};
	const char *wanted[] = {
		payment_status(shape, row), fulfillment_status(shape, row), return_status(shape, row)
	};
	int			numbers[3];
	Datum		values[3];
	bool		nulls[3] = {false, false, false};
	int			count = 0;

	for (int i = 0; i < 3; i++)
	{
		if (strcmp(oms_row_text(shape, row, columns[i]), wanted[i]) == 0)
			continue;
		numbers[count] = shape->number[columns[i]];
		values[count] = CStringGetTextDatum(wanted[i]);
		row->values[numbers[count] - 1] = values[count];
		count++;
	}
	if (count > 0)
		*tuple = heap_modify_tuple_by_cols(*tuple, tupdesc, count, numbers, values, nulls);
}
