/*
 * ledger.c
 *	  Writing what a statement's payment transactions come to.
 *
 * transactions.c has locked the orders and payments, and judged.  One statement
 * writes the events, one the payments, one the orders, whatever their number.
 * The orders come last: their trigger makes the automatic moves that the money
 * opens, and must find everything else in place.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "event.h"
#include "ledger.h"
#include "plan.h"

#define OF_ORDERS 4

static const Money of_orders[OF_ORDERS] = {AUTHORIZED, CAPTURED, REFUNDED, CHARGED_BACK};

static const StoreQuery change_payments = {
	"UPDATE @.payments p SET status = p.status, authorized = p.authorized" PLUS "c.authorized, captured = p.captured" PLUS "c.captured,"
	" voided = p.voided" PLUS "c.voided, refunded = p.refunded" PLUS "c.refunded, charged_back = p.charged_back" PLUS "c.charged_back,"
	" capture_requested = p.capture_requested" PLUS "c.capture_requested,"
	" refund_requested = p.refund_requested" PLUS "c.refund_requested,"
	" open_requests = p.open_requests" PLUS "c.open_requests::pg_catalog.int4,"
	" failures = p.failures" PLUS "c.failures::pg_catalog.int4, revision = p.revision" PLUS "1"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4),"
	" pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8), pg_catalog.unnest($9),"
	" pg_catalog.unnest($10)) AS c(id, authorized, captured, voided, refunded, charged_back, capture_requested,"
	" refund_requested, open_requests, failures) WHERE p.id" EQ "c.id"
	" RETURNING p.id, p.authorized, p.captured, p.voided, p.refunded, p.charged_back, p.capture_requested, p.refund_requested,"
	" p.open_requests::pg_catalog.int8",
	10, {
		UUIDARRAYOID, NUMERICARRAYOID, NUMERICARRAYOID, NUMERICARRAYOID, NUMERICARRAYOID, NUMERICARRAYOID,
		NUMERICARRAYOID, NUMERICARRAYOID, INT8ARRAYOID, INT8ARRAYOID
	}
};

/* status is a target of the UPDATE because the BEFORE trigger may move it */
static const StoreQuery change_orders = {
	"UPDATE @.orders o SET status = o.status, authorized = o.authorized" PLUS "c.authorized, captured = o.captured" PLUS "c.captured,"
	" refunded = o.refunded" PLUS "c.refunded, charged_back = o.charged_back" PLUS "c.charged_back, revision = o.revision" PLUS "1"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4),"
	" pg_catalog.unnest($5)) AS c(id, authorized, captured, refunded, charged_back) WHERE o.id" EQ "c.id",
	5, {UUIDARRAYOID, NUMERICARRAYOID, NUMERICARRAYOID, NUMERICARRAYOID, NUMERICARRAYOID}
};

/* What an order's payments add to it. */
typedef struct OrderMoney
{
	pg_uuid_t	order_id;		/* first: sorted by it */
	Datum		change[OF_ORDERS];
} OrderMoney;

/*
 * oms_plus and oms_minus calculate amounts.
 */
Datum
oms_plus(Datum a, Datum b)
{
	return DirectFunctionCall2(numeric_add, a, b);
}

Datum
oms_minus(Datum a, Datum b)
{
	return DirectFunctionCall2(numeric_sub, a, b);
}

/*
 * oms_ledger_write_events logs each transaction; what people wrote about it stays in its
 * own table.
 */
void
oms_ledger_write_events(const Ledger *ledger)
{
	Events	   *events = oms_events(ledger->count);
	const Transaction **sorted = palloc_extended(ledger->count * sizeof(Transaction *), MCXT_ALLOC_HUGE);

	for (int i = 0; i < ledger->count; i++)
	{
		const Transaction *row = &ledger->rows[i];
		int64	   *place = bsearch(&row->id, ledger->ids, ledger->count, sizeof(int64), oms_compare_ids);

		sorted[place - ledger->ids] = row;
	}
	for (int i = 0; i < ledger->count; i++)
	{
		const Payment *payment = oms_payment_of(ledger, sorted[i]);

		oms_event_add(events, &payment->order_id, "payment", &payment->id, "payment", NULL, NULL, NULL,
					  psprintf("{\"transaction\": " INT64_FORMAT ", \"kind\": \"%s\", \"outcome\": \"%s\", \"amount\": %s}",
							   sorted[i]->id, sorted[i]->kind->name, sorted[i]->outcome, DatumGetCString(DirectFunctionCall1(numeric_out, sorted[i]->amount))));
	}
	oms_events_write(ledger->store, events);
}

/*
 * require_written refuses what a trigger of the user's made of the payments as
 * they were written.
 */
static void
require_written(const Ledger *ledger)
{
	for (int i = 0; i < ledger->npayments; i++)
	{
		pg_uuid_t	id = oms_column_uuid(i, 1);
		const Payment *payment = oms_find_payment(ledger, &id);

		for (int k = 0; k < MONEYS; k++)
		{
			if (!DatumGetBool(DirectFunctionCall2(numeric_eq, oms_column_numeric(i, 2 + k),
												  oms_plus(payment->now[k], payment->change[k]))))
				oms_refuse_interference("payments");
		}
		if (oms_column_int64(i, 2 + MONEYS) != payment->open_before + payment->open_requests)
			oms_refuse_interference("payments");
	}
}

/*
 * oms_ledger_write_payments writes what the payments count.
 */
void
oms_ledger_write_payments(const Ledger *ledger)
{
	Array	   *arrays[MONEYS + 3];
	Datum		args[MONEYS + 3];

	arrays[0] = oms_array(UUIDOID, ledger->npayments);
	for (int k = 0; k < MONEYS; k++)
		arrays[k + 1] = oms_array(NUMERICOID, ledger->npayments);
	arrays[MONEYS + 1] = oms_array(INT8OID, ledger->npayments);
	arrays[MONEYS + 2] = oms_array(INT8OID, ledger->npayments);
	for (int i = 0; i < ledger->npayments; i++)
	{
		const Payment *payment = &ledger->payments[i];

		oms_array_add_uuid(arrays[0], &payment->id);
		for (int k = 0; k < MONEYS; k++)
			oms_array_add(arrays[k + 1], payment->change[k]);
		oms_array_add_int64(arrays[MONEYS + 1], payment->open_requests);
		oms_array_add_int64(arrays[MONEYS + 2], payment->failures);
	}
	for (int k = 0; k < MONEYS + 3; k++)
		args[k] = oms_array_datum(arrays[k]);
	if (oms_run(ledger->store, &change_payments, args) != ledger->npayments)
		oms_refuse_interference("payments");
	require_written(ledger);
}

/*
 * sum_orders adds the payments' changes up by order, sorted by its id, and
 * leaves out orders whose money stays as it is.
 */
static OrderMoney *
sum_orders(const Ledger *ledger, int *count)
{
	OrderMoney *orders = palloc_extended(ledger->npayments * sizeof(OrderMoney), MCXT_ALLOC_HUGE);
	Datum		zero = DirectFunctionCall1(int4_numeric, Int32GetDatum(0));
	int			kept = 0;
	int			sums = 0;

	for (int i = 0; i < ledger->npayments; i++)
	{
		bool		has_changed = false;

		orders[kept].order_id = ledger->payments[i].order_id;
		for (int k = 0; k < OF_ORDERS; k++)
		{
			orders[kept].change[k] = ledger->payments[i].change[of_orders[k]];
			has_changed |= !DatumGetBool(DirectFunctionCall2(numeric_eq, orders[kept].change[k], zero));
		}
		kept += has_changed;
	}
	qsort(orders, kept, sizeof(OrderMoney), oms_uuid_cmp);
	for (int i = 0; i < kept; i++)
	{
		if (sums > 0 && oms_uuid_cmp(&orders[sums - 1], &orders[i]) == 0)
		{
			for (int k = 0; k < OF_ORDERS; k++)
				orders[sums - 1].change[k] = oms_plus(orders[sums - 1].change[k], orders[i].change[k]);
		}
		else
			orders[sums++] = orders[i];
	}
	*count = sums;
	return orders;
}

/*
 * oms_ledger_write_orders writes what the orders count, and has them move.
 */
void
oms_ledger_write_orders(const Ledger *ledger)
{
	Array	   *arrays[OF_ORDERS + 1];
	Datum		args[OF_ORDERS + 1];
	int			count;
	OrderMoney *orders = sum_orders(ledger, &count);

	if (count == 0)
		return;
	arrays[0] = oms_array(UUIDOID, count);
	for (int k = 0; k < OF_ORDERS; k++)
		arrays[k + 1] = oms_array(NUMERICOID, count);
	for (int i = 0; i < count; i++)
	{
		oms_array_add_uuid(arrays[0], &orders[i].order_id);
		for (int k = 0; k < OF_ORDERS; k++)
			oms_array_add(arrays[k + 1], orders[i].change[k]);
	}
	for (int k = 0; k <= OF_ORDERS; k++)
		args[k] = oms_array_datum(arrays[k]);
	if (oms_run(ledger->store, &change_orders, args) != count)
		oms_refuse_interference("orders");
}
