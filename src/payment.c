/*
 * payment.c
 *	  Judging rows of payments and of their transactions.
 *
 * Reached by triggers oms_guard (BEFORE ROW) and oms_recheck (AFTER ROW)
 * through lifecycle.c.  People insert a payment and then what happened to it;
 * the payment's counters are the engine's, which transactions.c writes.  Who
 * writes is told by revision, as with orders.  A payment's status follows from
 * its counters alone and is filled in here whenever the row is written.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/numeric.h"
#include "utils/rel.h"

#include "oms.h"
#include "payment.h"
#include "queue.h"
#include "transition.h"
#include "uuid7.h"

typedef struct PaymentColumn
{
	const char *name;
	Oid			type;
	bool		is_fixed;		/* else the engine's */
} PaymentColumn;

static const PaymentColumn columns[] = {
	{"id", UUIDOID, true}, {"order_id", UUIDOID, true}, {"method", TEXTOID, true}, {"amount", NUMERICOID, true},
	{"status", TEXTOID, false}, {"authorized", NUMERICOID, false}, {"captured", NUMERICOID, false},
	{"voided", NUMERICOID, false}, {"refunded", NUMERICOID, false}, {"charged_back", NUMERICOID, false},
	{"capture_requested", NUMERICOID, false}, {"refund_requested", NUMERICOID, false},
	{"open_requests", INT4OID, false}, {"failures", INT4OID, false}, {"revision", INT8OID, false},
};

static void refuse_engine_column(TriggerData *trigger, const char *name);
static void judge_new(TriggerData *trigger, HeapTuple row);
static void judge_change(Store *store, TriggerData *trigger);
static const char *status_of(TupleDesc tupdesc, HeapTuple row);
static void require_amount(TriggerData *trigger);

/*
 * oms_guard_payment judges a payment BEFORE it is written and fills in its
 * status.
 */
HeapTuple
oms_guard_payment(Store *store, TriggerData *trigger)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	bool		is_insert = TRIGGER_FIRED_BY_INSERT(trigger->tg_event);
	HeapTuple	row = is_insert ? trigger->tg_trigtuple : trigger->tg_newtuple;
	int			status = oms_require_column(tupdesc, "status", TEXTOID);

	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_OMS_IMMUTABLE),
				 errmsg("payments cannot be deleted"),
				 errhint("A payment of which nothing comes stays as it is; insert another one."),
				 errtable(trigger->tg_relation)));
	if (is_insert)
	{
		require_amount(trigger);
		judge_new(trigger, row);
		return row;
	}
	judge_change(store, trigger);
	return heap_modify_tuple_by_cols(row, tupdesc, 1, &status,
									 (Datum[]) {CStringGetTextDatum(status_of(tupdesc, row))}, (bool[]) {false});
}

/*
 * oms_recheck_payment judges the row again AFTER it was written.
 */
void
oms_recheck_payment(Store *store, TriggerData *trigger)
{
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		judge_new(trigger, trigger->tg_trigtuple);
	else
	{
		TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
		bool		isnull;

		judge_change(store, trigger);
		if (strcmp(TextDatumGetCString(oms_field(tupdesc, trigger->tg_newtuple, "status", TEXTOID, &isnull)),
				   status_of(tupdesc, trigger->tg_newtuple)) != 0)
			refuse_engine_column(trigger, "status");
	}
}

/*
 * refuse_engine_column says that a column is the engine's.
 */
static void
refuse_engine_column(TriggerData *trigger, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_OMS_ENGINE_COLUMN),
			 errmsg("column \"%s\" of a payment is kept by the engine and cannot be written by hand", name),
			 errhint("Insert a row into payment_transactions instead."),
			 errtablecol(trigger->tg_relation, SPI_fnumber(RelationGetDescr(trigger->tg_relation), name))));
}

/*
 * judge_new judges a new payment: what the engine keeps begins as nothing.
 */
static void
judge_new(TriggerData *trigger, HeapTuple row)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);

	for (int i = 0; i < (int) lengthof(columns); i++)
	{
		bool		isnull;
		Datum		value = oms_field(tupdesc, row, columns[i].name, columns[i].type, &isnull);
		bool		is_start = true;

		if (columns[i].is_fixed || isnull)
			continue;			/* NOT NULL refuses it */
		switch (columns[i].type)
		{
			case TEXTOID:
				is_start = strcmp(TextDatumGetCString(value), "pending") == 0;
				break;
			case NUMERICOID:
				is_start = DatumGetBool(DirectFunctionCall2(numeric_eq, value, DirectFunctionCall1(int4_numeric, Int32GetDatum(0))));
				break;
			case INT4OID:
				is_start = DatumGetInt32(value) == 0;
				break;
			default:
				is_start = DatumGetInt64(value) == 0;
		}
		if (!is_start)
			refuse_engine_column(trigger, columns[i].name);
	}
}

/*
 * judge_change judges a change: fixed columns stay, the others of ours change
 * only by the engine's hand.
 */
static void
judge_change(Store *store, TriggerData *trigger)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	bool		isnull;
	int64		before = DatumGetInt64(oms_field(tupdesc, trigger->tg_trigtuple, "revision", INT8OID, &isnull));
	int64		after = DatumGetInt64(oms_field(tupdesc, trigger->tg_newtuple, "revision", INT8OID, &isnull));

	if (!isnull && after != before && (!oms_in_engine(store) || after != before + 1))
		refuse_engine_column(trigger, "revision");
	for (int i = 0; i < (int) lengthof(columns); i++)
	{
		bool		old_null;
		bool		new_null;
		Datum		old = oms_field(tupdesc, trigger->tg_trigtuple, columns[i].name, columns[i].type, &old_null);
		Datum		new = oms_field(tupdesc, trigger->tg_newtuple, columns[i].name, columns[i].type, &new_null);
		int			number = SPI_fnumber(tupdesc, columns[i].name);
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, number - 1);

		if (old_null == new_null && (old_null || datum_image_eq(old, new, attribute->attbyval, attribute->attlen)))
			continue;
		if (columns[i].is_fixed)
			ereport(ERROR,
					(errcode(ERRCODE_OMS_IMMUTABLE),
					 errmsg("column \"%s\" of a payment cannot change", columns[i].name),
					 errhint("Insert another payment; void or refund this one."),
					 errtablecol(trigger->tg_relation, number)));
		if (after == before)
			refuse_engine_column(trigger, columns[i].name);
	}
}

/*
 * status_of says how far a payment has come; the comment on payments.status
 * and verify.c say the same.
 */
static const char *
status_of(TupleDesc tupdesc, HeapTuple row)
{
	static const char *const names[] = {"charged_back", "captured", "refunded", "authorized", "voided", "amount"};
	Datum		zero = DirectFunctionCall1(int4_numeric, Int32GetDatum(0));
	Datum		money[lengthof(names)];
	bool		any[lengthof(names)];
	bool		isnull;

	for (int i = 0; i < (int) lengthof(names); i++)
	{
		money[i] = oms_field(tupdesc, row, names[i], NUMERICOID, &isnull);
		any[i] = !isnull && DatumGetBool(DirectFunctionCall2(numeric_gt, money[i], zero));
	}
	if (any[0])
		return "charged_back";
	if (any[1] && any[2])
		return DatumGetBool(DirectFunctionCall2(numeric_ge, money[2], money[1])) ? "refunded" : "partially_refunded";
	if (any[1])
		return DatumGetBool(DirectFunctionCall2(numeric_ge, money[1], money[5])) ? "captured" : "partially_captured";
	if (any[3])
		return "authorized";
	if (any[4])
		return "voided";
	if (DatumGetInt32(oms_field(tupdesc, row, "failures", INT4OID, &isnull)) > 0 &&
		DatumGetInt32(oms_field(tupdesc, row, "open_requests", INT4OID, &isnull)) == 0)
		return "failed";
	return "pending";
}

/*
 * require_amount refuses an amount that is no money.
 */
static void
require_amount(TriggerData *trigger)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	bool		isnull;
	Datum		amount = oms_field(tupdesc, trigger->tg_trigtuple, "amount", NUMERICOID, &isnull);
	bool		is_money = isnull ||	/* NOT NULL refuses it */
		(!numeric_is_nan(DatumGetNumeric(amount)) && !numeric_is_inf(DatumGetNumeric(amount)) &&
		 DatumGetBool(DirectFunctionCall2(numeric_gt, amount, DirectFunctionCall1(int4_numeric, Int32GetDatum(0)))));

	if (!is_money)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_PAYMENT),
				 errmsg("an amount must be more than 0, not %s", DatumGetCString(DirectFunctionCall1(numeric_out, amount))),
				 errhint("What takes money back is a kind of transaction (void, refund, chargeback), not an amount less than 0."),
				 errtablecol(trigger->tg_relation, SPI_fnumber(tupdesc, "amount"))));
}

/*
 * stand_in_line waits for whoever is recording the same reference: of two who
 * look at once neither would find the other's row, and one end in 23505.
 */
static void
stand_in_line(Store *store, TupleDesc tupdesc, HeapTuple row)
{
	char	   *payment = SPI_getvalue(row, tupdesc, SPI_fnumber(tupdesc, "payment_id"));
	char	   *kind = SPI_getvalue(row, tupdesc, SPI_fnumber(tupdesc, "kind"));
	char	   *outcome = SPI_getvalue(row, tupdesc, SPI_fnumber(tupdesc, "outcome"));
	char	   *gateway_ref = SPI_getvalue(row, tupdesc, SPI_fnumber(tupdesc, "gateway_ref"));

	if (payment && kind && outcome)
		(void) oms_stand_in_line(store, QUEUE_TRANSACTION, psprintf("%s %s %s", payment, kind, outcome), gateway_ref);
}

/*
 * oms_guard_transaction judges a transaction BEFORE it is written; a replay is
 * left out.  A request has a reference, so that it can be answered.
 */
HeapTuple
oms_guard_transaction(Store *store, TriggerData *trigger)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	int			gateway_ref = oms_require_column(tupdesc, "gateway_ref", TEXTOID);
	bool		is_anonymous;
	bool		isnull;
	Datum		outcome = oms_field(tupdesc, trigger->tg_trigtuple, "outcome", TEXTOID, &isnull);

	require_amount(trigger);
	(void) SPI_getbinval(trigger->tg_trigtuple, tupdesc, gateway_ref, &is_anonymous);
	if (is_anonymous && !isnull && strcmp(TextDatumGetCString(outcome), "requested") == 0)
	{
		pg_uuid_t	id;

		oms_uuid7(&id);
		return heap_modify_tuple_by_cols(trigger->tg_trigtuple, tupdesc, 1, &gateway_ref,
										 (Datum[]) {CStringGetTextDatum(oms_uuid_out(&id))}, (bool[]) {false});
	}
	if (is_anonymous)
		return trigger->tg_trigtuple;
	stand_in_line(store, tupdesc, trigger->tg_trigtuple);
	return oms_is_payment_replay(store, trigger) ? NULL : trigger->tg_trigtuple;
}
