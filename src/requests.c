/*
 * requests.c
 *	  How many requests to the gateway a payment has open.
 *
 * Reached from transactions.c with the payments locked.  A request is open until
 * a row succeeded or failed with the same payment_id, kind and gateway_ref is
 * there, whichever of them came first.  Payments of which a statement can have
 * opened or answered requests are counted anew.  What the statement adds could
 * not be told: a trigger of the user's on its rows may have inserted answers
 * to them already, in a statement that ends before this one.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "ledger.h"
#include "plan.h"

static const StoreQuery read_open = {
	"SELECT r.payment_id, r.kind, pg_catalog.count(*), pg_catalog.sum(r.amount) FROM @.payment_transactions r"
	" WHERE r.payment_id" EQ "ANY ($1) AND r.outcome" EQ "'requested' AND NOT EXISTS (SELECT FROM @.payment_transactions a"
	" WHERE a.payment_id" EQ "r.payment_id AND a.kind" EQ "r.kind AND a.outcome" EQ "ANY ('{succeeded,failed}')"
	" AND a.gateway_ref" EQ "r.gateway_ref) GROUP BY r.payment_id, r.kind",
	1, {UUIDARRAYOID}
};

/*
 * concerns tells whether a row can change which requests are open: it is one,
 * or may answer one.
 */
static bool
concerns(const Transaction *row, const Payment *payment)
{
	return strcmp(row->outcome, "requested") == 0 || (row->gateway_ref && payment->open_before > 0);
}

/*
 * oms_ledger_add_requests makes out how what is open differs from what the
 * payments say.
 */
void
oms_ledger_add_requests(Ledger *ledger)
{
	Array	   *ids = oms_array(UUIDOID, ledger->npayments);
	Payment    *last = NULL;
	uint64		found;

	for (int i = 0; i < ledger->count; i++)
	{
		Payment    *payment = oms_payment_of(ledger, &ledger->rows[i]);

		if (payment == last || !concerns(&ledger->rows[i], payment))
			continue;
		last = payment;
		oms_array_add_uuid(ids, &payment->id);
		payment->open_requests = -payment->open_before;
		payment->change[CAPTURE_REQUESTED] = oms_minus(payment->change[CAPTURE_REQUESTED], payment->now[CAPTURE_REQUESTED]);
		payment->change[REFUND_REQUESTED] = oms_minus(payment->change[REFUND_REQUESTED], payment->now[REFUND_REQUESTED]);
	}
	if (ids->count == 0)
		return;
	found = oms_run(ledger->store, &read_open, (Datum[]) {oms_array_datum(ids)});
	for (uint64 i = 0; i < found; i++)
	{
		pg_uuid_t	id = oms_column_uuid(i, 1);
		Payment    *payment = oms_find_payment(ledger, &id);
		Money		requested = oms_find_kind(oms_column_text(i, 2))->requested;

		payment->open_requests += oms_column_int64(i, 3);
		if (requested != MONEYS)
			payment->change[requested] = oms_plus(payment->change[requested], oms_column_numeric(i, 4));
	}
}
