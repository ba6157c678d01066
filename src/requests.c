/*
 * requests.c
 *	  Which requests to the gateway a statement opens, and which it answers.
 *
 * Reached from transactions.c with the payments locked.  A request is open until
 * a row succeeded or failed with the same payment_id, kind and gateway_ref is
 * there, whichever of them came first.  So what the statement changes is found
 * by looking at each such key as it is now and as it was without the
 * statement's rows.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "ledger.h"
#include "plan.h"

#define OUTCOME(t, outcome) \
	" LEFT JOIN @.payment_transactions " t " ON " t ".payment_id" EQ "w.payment_id AND " t ".kind" EQ "w.kind" \
	" AND " t ".outcome" EQ "'" outcome "' AND " t ".gateway_ref" EQ "w.gateway_ref"

static const StoreQuery read_requests = {
	"SELECT w.place, r.id, r.amount, COALESCE(s.id, 0), COALESCE(f.id, 0)"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3)) WITH ORDINALITY"
	" AS w(payment_id, kind, gateway_ref, place)"
	" JOIN @.payment_transactions r ON r.payment_id" EQ "w.payment_id AND r.kind" EQ "w.kind AND r.outcome" EQ "'requested'"
	" AND r.gateway_ref" EQ "w.gateway_ref" OUTCOME("s", "succeeded") OUTCOME("f", "failed"),
	3, {UUIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID}
};

/*
 * count_request counts a request that opens (1), or is answered (-1).
 */
static void
count_request(Payment *payment, const Kind *kind, int change, Datum amount)
{
	payment->open_requests += change;
	if (kind->requested != MONEYS && change != 0)
		payment->change[kind->requested] = change > 0 ? oms_plus(payment->change[kind->requested], amount)
			: oms_minus(payment->change[kind->requested], amount);
}

/*
 * is_older tells whether a row was there before the statement; 0 is none.
 */
static bool
is_older(const Ledger *ledger, int64 id)
{
	return id != 0 && !bsearch(&id, ledger->ids, ledger->count, sizeof(int64), oms_compare_ids);
}

/*
 * oms_ledger_add_requests compares which requests are open now with which were before the
 * statement.
 */
void
oms_ledger_add_requests(Ledger *ledger)
{
	Array	   *payments = oms_array(UUIDOID, ledger->count);
	Array	   *names = oms_array(TEXTOID, ledger->count);
	Array	   *refs = oms_array(TEXTOID, ledger->count);
	const Transaction **asked = palloc_extended(ledger->count * sizeof(Transaction *), MCXT_ALLOC_HUGE);
	uint64		found;

	for (int i = 0; i < ledger->count; i++)
	{
		const Transaction *row = &ledger->rows[i];
		const Transaction *last = payments->count > 0 ? asked[payments->count - 1] : NULL;

		if (!row->gateway_ref)
		{
			/* a trigger of the user's took the reference: it stays open */
			if (strcmp(row->outcome, "requested") == 0)
				count_request(oms_payment_of(ledger, row), row->kind, 1, row->amount);
			continue;
		}
		if (last && oms_uuid_cmp(&last->payment_id, &row->payment_id) == 0 && last->kind == row->kind &&
			strcmp(last->gateway_ref, row->gateway_ref) == 0)
			continue;
		asked[payments->count] = row;
		oms_array_add_uuid(payments, &row->payment_id);
		oms_array_add_text(names, row->kind->name);
		oms_array_add_text(refs, row->gateway_ref);
	}
	if (payments->count == 0)
		return;
	found = oms_run(ledger->store, &read_requests, (Datum[]) {
		oms_array_datum(payments), oms_array_datum(names), oms_array_datum(refs)
	});
	for (uint64 i = 0; i < found; i++)
	{
		const Transaction *row = asked[oms_column_int64(i, 1) - 1];
		int64		succeeded = oms_column_int64(i, 4);
		int64		failed = oms_column_int64(i, 5);
		int			is_open = succeeded == 0 && failed == 0;
		int			was_open = is_older(ledger, oms_column_int64(i, 2)) && !is_older(ledger, succeeded) && !is_older(ledger, failed);
		bool		isnull;

		count_request(oms_payment_of(ledger, row), row->kind, is_open - was_open, oms_column(i, 3, &isnull));
	}
}
