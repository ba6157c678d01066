/*
 * transactions.c
 *	  Folding a statement's transactions into their payments: reading, locking
 *	  and judging.
 *
 * Reached by trigger oms_act on payment_transactions through lifecycle.c, once
 * a statement; requests.c counts the requests that are open then, ledger.c
 * writes what comes of it.  Orders are locked first, then payments, each by id: so what an
 * order's money is changes in one session at a time, and whoever comes second
 * sees all that the first wrote, or gets 40001.  Every payment concerned is
 * written, also where no money has moved, so that this is so at REPEATABLE
 * READ too.  Rules are judged in C for the sake of what the error says; CHECK
 * constraints on payments say the same.  The orders come last, since their
 * trigger makes the automatic moves that the money opens.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/rel.h"

#include "ledger.h"
#include "machine.h"
#include "oms.h"
#include "payment.h"
#include "plan.h"
#include "rows.h"
#include "transition.h"

static const Kind kinds[] = {
	{"authorize", {[AUTHORIZED] = 1}, MONEYS},
	{"capture", {[AUTHORIZED] = -1,[CAPTURED] = 1}, CAPTURE_REQUESTED},
	{"sale", {[CAPTURED] = 1}, MONEYS},
	{"void", {[AUTHORIZED] = -1,[VOIDED] = 1}, CAPTURE_REQUESTED},
	{"refund", {[REFUNDED] = 1}, REFUND_REQUESTED},
	{"chargeback", {[CHARGED_BACK] = 1}, MONEYS},
	{"chargeback_reversal", {[CHARGED_BACK] = -1}, MONEYS},
};

static const StoreQuery lock_orders = {
	"SELECT o.id FROM @.orders o WHERE o.id" EQ "ANY (ARRAY(SELECT p.order_id FROM @.payments p WHERE p.id" EQ "ANY ($1)))"
	" ORDER BY o.id FOR NO KEY UPDATE",
	1, {UUIDARRAYOID}
};

static const StoreQuery lock_payments = {
	"SELECT p.id, p.order_id, o.number, p.authorized, p.captured, p.voided, p.refunded, p.charged_back, p.capture_requested,"
	" p.refund_requested, p.open_requests::pg_catalog.int8 FROM @.payments p JOIN @.orders o ON o.id" EQ "p.order_id WHERE p.id" EQ "ANY ($1)"
	" ORDER BY p.id FOR NO KEY UPDATE OF p",
	1, {UUIDARRAYOID}
};

static const StoreQuery find_strangers = {
	"SELECT f.number, o.number FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS w(payment_id, fulfillment_id)"
	" JOIN @.payments p ON p.id" EQ "w.payment_id JOIN @.fulfillments f ON f.id" EQ "w.fulfillment_id"
	" JOIN @.orders o ON o.id" EQ "p.order_id WHERE f.order_id" NE "p.order_id LIMIT 1",
	2, {UUIDARRAYOID, UUIDARRAYOID}
};

static void read_rows(Ledger *ledger);
static void lock_and_read(Ledger *ledger);
static void require_own_fulfillments(Ledger *ledger);
static void add_effects(Ledger *ledger);
static void require_rules(const Payment *payment);

/*
 * less compares amounts, zero is nothing, out says how much.
 */
static bool
less(Datum a, Datum b)
{
	return DatumGetBool(DirectFunctionCall2(numeric_lt, a, b));
}

static Datum
zero(void)
{
	return DirectFunctionCall1(int4_numeric, Int32GetDatum(0));
}

static char *
out(Datum amount)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, amount));
}

/*
 * oms_act_transactions counts a statement's transactions.
 */
void
oms_act_transactions(Store *store, TriggerData *trigger)
{
	Ledger		ledger = {.store = store, .trigger = trigger};
	OwnerScope	scope;

	oms_spi_begin();
	read_rows(&ledger);
	if (ledger.count > 0)
	{
		oms_become_owner(store, &scope);
		oms_keep_workflows(store, ENTITY_ORDER);
		lock_and_read(&ledger);
		require_own_fulfillments(&ledger);
		add_effects(&ledger);
		oms_ledger_add_requests(&ledger);
		for (int i = 0; i < ledger.npayments; i++)
			require_rules(&ledger.payments[i]);
		oms_ledger_write_events(&ledger);
		oms_ledger_write_payments(&ledger);
		oms_ledger_write_orders(&ledger);
		oms_leave_owner(&scope);
	}
	oms_spi_end();
}

/*
 * oms_find_kind returns what a kind of transaction does.
 */
const Kind *
oms_find_kind(const char *name)
{
	for (int i = 0; i < (int) lengthof(kinds); i++)
	{
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	}
	elog(ERROR, "unknown kind of transaction \"%s\"", name);
}

/*
 * compare_rows orders by payment, then kind, then reference, then as written.
 */
static int
compare_rows(const void *a, const void *b)
{
	const Transaction *left = a;
	const Transaction *right = b;
	int			order = oms_uuid_cmp(&left->payment_id, &right->payment_id);

	if (order == 0 && left->kind != right->kind)
		order = left->kind < right->kind ? -1 : 1;
	if (order == 0)
		order = strcmp(left->gateway_ref ? left->gateway_ref : "", right->gateway_ref ? right->gateway_ref : "");
	if (order == 0)
		order = left->id < right->id ? -1 : 1;
	return order;
}

/*
 * oms_compare_ids orders ids.
 */
int
oms_compare_ids(const void *a, const void *b)
{
	int64		left = *(const int64 *) a;
	int64		right = *(const int64 *) b;

	return left < right ? -1 : left > right;
}

/*
 * read_rows reads the statement's rows, sorted.
 */
static void
read_rows(Ledger *ledger)
{
	Walk		walk;
	int			columns[7];
	int64		most = tuplestore_tuple_count(ledger->trigger->tg_newtable);

	ledger->rows = palloc_extended(Max(1, most) * sizeof(Transaction), MCXT_ALLOC_HUGE);
	ledger->ids = palloc_extended(Max(1, most) * sizeof(int64), MCXT_ALLOC_HUGE);
	ledger->paying = oms_array(UUIDOID, 4);
	ledger->fulfillments = oms_array(UUIDOID, 4);
	oms_walk_begin(&walk, ledger->trigger, ledger->trigger->tg_newtable);
	columns[0] = oms_walk_column(&walk, "payment_id", UUIDOID);
	columns[1] = oms_walk_column(&walk, "kind", TEXTOID);
	columns[2] = oms_walk_column(&walk, "gateway_ref", TEXTOID);
	columns[3] = oms_walk_column(&walk, "id", INT8OID);
	columns[4] = oms_walk_column(&walk, "outcome", TEXTOID);
	columns[5] = oms_walk_column(&walk, "amount", NUMERICOID);
	columns[6] = oms_walk_column(&walk, "fulfillment_id", UUIDOID);
	while (oms_walk_next(&walk))
	{
		Transaction *row = &ledger->rows[ledger->count];
		bool		isnull;
		Datum		fulfillment = oms_walk_value(&walk, columns[6], &isnull);

		row->payment_id = oms_walk_uuid(&walk, columns[0]);
		row->kind = oms_find_kind(oms_walk_text(&walk, columns[1]));
		row->gateway_ref = oms_walk_text(&walk, columns[2]);
		row->id = ledger->ids[ledger->count++] = oms_walk_int64(&walk, columns[3]);
		row->outcome = oms_walk_text(&walk, columns[4]);
		if (!isnull)
		{
			oms_array_add_uuid(ledger->paying, &row->payment_id);
			oms_array_add(ledger->fulfillments, fulfillment);
		}
		row->amount = oms_walk_value(&walk, columns[5], &isnull);
	}
	oms_walk_end(&walk);
	qsort(ledger->rows, ledger->count, sizeof(Transaction), compare_rows);
	qsort(ledger->ids, ledger->count, sizeof(int64), oms_compare_ids);
}

/*
 * lock_and_read locks the orders, then the payments, and reads those.
 */
static void
lock_and_read(Ledger *ledger)
{
	Array	   *ids = oms_array(UUIDOID, ledger->count);
	Datum		arg;

	for (int i = 0; i < ledger->count; i++)
	{
		if (i == 0 || oms_uuid_cmp(&ledger->rows[i - 1].payment_id, &ledger->rows[i].payment_id) != 0)
			oms_array_add_uuid(ids, &ledger->rows[i].payment_id);
	}
	arg = oms_array_datum(ids);
	(void) oms_run(ledger->store, &lock_orders, &arg);
	ledger->npayments = (int) oms_run(ledger->store, &lock_payments, &arg);
	if (ledger->npayments != ids->count)
		elog(ERROR, "%d of %d payments are there", ledger->npayments, ids->count);
	ledger->payments = palloc_extended(ledger->npayments * sizeof(Payment), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < ledger->npayments; i++)
	{
		Payment    *payment = &ledger->payments[i];

		payment->id = oms_column_uuid(i, 1);
		payment->order_id = oms_column_uuid(i, 2);
		payment->order_number = oms_column_text(i, 3);
		for (int k = 0; k < MONEYS; k++)
		{
			payment->now[k] = oms_column_numeric(i, 4 + k);
			payment->change[k] = zero();
		}
		payment->open_before = oms_column_int64(i, 4 + MONEYS);
	}
}

/*
 * require_own_fulfillments refuses a transaction that is for another order's
 * goods.
 */
static void
require_own_fulfillments(Ledger *ledger)
{
	if (ledger->paying->count == 0 ||
		oms_run(ledger->store, &find_strangers, (Datum[]) {
			oms_array_datum(ledger->paying), oms_array_datum(ledger->fulfillments)
		}) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("fulfillment \"%s\" is not one of order \"%s\"", oms_column_text(0, 1), oms_column_text(0, 2)),
			 errhint("A transaction is for a fulfillment of the order that its payment pays, or for none."),
			 errtable(ledger->trigger->tg_relation)));
}

/*
 * oms_find_payment finds a payment by id, oms_payment_of a row's.
 */
Payment *
oms_find_payment(const Ledger *ledger, const pg_uuid_t *id)
{
	return bsearch(id, ledger->payments, ledger->npayments, sizeof(Payment), oms_uuid_cmp);
}

Payment *
oms_payment_of(const Ledger *ledger, const Transaction *row)
{
	return oms_find_payment(ledger, &row->payment_id);
}

/*
 * add_effects adds the money that has moved.
 */
static void
add_effects(Ledger *ledger)
{
	for (int i = 0; i < ledger->count; i++)
	{
		const Transaction *row = &ledger->rows[i];
		Payment    *payment = oms_payment_of(ledger, row);

		if (strcmp(row->outcome, "failed") == 0)
			payment->failures++;
		for (int k = 0; k < MONEYS && strcmp(row->outcome, "succeeded") == 0; k++)
		{
			if (row->kind->effect[k] != 0)
				payment->change[k] = row->kind->effect[k] > 0 ? oms_plus(payment->change[k], row->amount)
					: oms_minus(payment->change[k], row->amount);
		}
	}
}

/*
 * refuse says which rule a statement would break.
 */
static void
refuse(const Payment *payment, const char *fault, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_OMS_PAYMENT),
			 errmsg("payment of order \"%s\": %s", payment->order_number, fault),
			 errdetail("Payment %s before: %s authorized, %s captured, %s refunded, %s charged back; open requests would capture or void %s and refund %s.",
					   oms_uuid_out(&payment->id), out(payment->now[AUTHORIZED]), out(payment->now[CAPTURED]),
					   out(payment->now[REFUNDED]), out(payment->now[CHARGED_BACK]), out(payment->now[CAPTURE_REQUESTED]),
					   out(payment->now[REFUND_REQUESTED])),
			 errhint("%s", hint)));
}

/*
 * require_rules refuses (OM011) more captured and voided than authorized, more
 * refunded than captured, more returned than charged back, with what open
 * requests ask for.
 */
static void
require_rules(const Payment *payment)
{
	static const char *const answer = "Answer open requests first: insert them again with outcome succeeded or failed.";
	Datum		after[MONEYS];
	Datum		refunds;

	for (int k = 0; k < MONEYS; k++)
		after[k] = oms_plus(payment->now[k], payment->change[k]);
	refunds = oms_plus(after[REFUNDED], after[REFUND_REQUESTED]);
	if (less(after[AUTHORIZED], zero()))
		refuse(payment, psprintf("captures and voids exceed what is authorized by %s", out(oms_minus(zero(), after[AUTHORIZED]))),
			   "Record an authorization first, or a sale, which needs none.");
	if (less(after[AUTHORIZED], after[CAPTURE_REQUESTED]))
		refuse(payment, psprintf("requests to capture or void come to %s, but %s is authorized",
								 out(after[CAPTURE_REQUESTED]), out(after[AUTHORIZED])),
			   less(zero(), payment->now[CAPTURE_REQUESTED]) ? answer : "No more can be captured or voided than is authorized.");
	if (less(after[CAPTURED], after[REFUNDED]))
		refuse(payment, psprintf("refunds come to %s, but %s is captured", out(after[REFUNDED]), out(after[CAPTURED])),
			   "No more can be refunded than was captured.");
	if (less(after[CAPTURED], refunds))
		refuse(payment, psprintf("refunds and requests for some come to %s, but %s is captured", out(refunds), out(after[CAPTURED])),
			   less(zero(), payment->now[REFUND_REQUESTED]) ? answer : "No more can be refunded than was captured.");
	if (less(after[CHARGED_BACK], zero()))
		refuse(payment, psprintf("reversals exceed what is charged back by %s", out(oms_minus(zero(), after[CHARGED_BACK]))),
			   "Record the chargeback first.");
}
