/*
 * replay.c
 *	  Telling that a movement, or a payment's transaction, was recorded before.
 *
 * Reached from movement.c and payment.c, BEFORE a row with a reference is
 * written.  The question is the unique index's own: is the same
 * (external_ref, kind, sku, location) there, or (payment_id, kind, outcome,
 * gateway_ref), committed, ours, or about to be?  So it is asked in the same
 * way, with a dirty snapshot, which sees rows of this very statement and tells
 * which transaction to wait for.  A snapshot of any other kind would miss
 * those, and the insert fail on the index.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "oms.h"
#include "payment.h"
#include "stock.h"
#include "transition.h"

#define KEYS 4					/* columns of either index */

/* A log whose rows are known by a unique index. */
typedef struct ReplayLog
{
	const char *index;
	struct
	{
		const char *name;
		Oid			type;		/* text or uuid */
	}			keys[KEYS];
	const char *column;			/* what must agree as well */
	Oid			type;
} ReplayLog;

static const ReplayLog movements = {
	"stock_movements_replay",
	{{"external_ref", TEXTOID}, {"kind", TEXTOID}, {"sku", TEXTOID}, {"location", TEXTOID}},
	"quantity", INT8OID
};

static const ReplayLog transactions = {
	"payment_transactions_replay",
	{{"payment_id", UUIDOID}, {"kind", TEXTOID}, {"outcome", TEXTOID}, {"gateway_ref", TEXTOID}},
	"amount", NUMERICOID
};

/*
 * fill_keys makes the scan's keys of the row that is to be written; false where
 * a column is NULL, which NOT NULL refuses later.
 */
static bool
fill_keys(TupleDesc tupdesc, HeapTuple row, const ReplayLog *log, ScanKey keys)
{
	for (int i = 0; i < KEYS; i++)
	{
		bool		is_text = log->keys[i].type == TEXTOID;
		bool		isnull;
		Datum		value = SPI_getbinval(row, tupdesc, oms_require_column(tupdesc, log->keys[i].name, log->keys[i].type), &isnull);

		if (isnull)
			return false;
		ScanKeyEntryInitialize(&keys[i], 0, i + 1, BTEqualStrategyNumber, log->keys[i].type,
							   is_text ? C_COLLATION_OID : InvalidOid, is_text ? F_TEXTEQ : F_UUID_EQ, value);
	}
	return true;
}

/*
 * look scans once.  Returns true with the column's value where the row is there;
 * false otherwise, with the transaction to wait for where one is writing it.
 */
static bool
look(Relation rel, Relation index, ScanKey keys, int column, Datum *value, TransactionId *writer)
{
	SnapshotData dirty;
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	IndexScanDesc scan;
	bool		found;

	InitDirtySnapshot(dirty);
#if PG_VERSION_NUM >= 180000
	scan = index_beginscan(rel, index, &dirty, NULL, KEYS, 0);
#else
	scan = index_beginscan(rel, index, &dirty, KEYS, 0);
#endif
	index_rescan(scan, keys, KEYS, NULL, 0);
	found = index_getnext_slot(scan, ForwardScanDirection, slot);
	*writer = found ? dirty.xmin : InvalidTransactionId;
	if (found)
	{
		Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(rel), column - 1);
		bool		isnull;

		*value = datumCopy(slot_getattr(slot, column, &isnull), attribute->attbyval, attribute->attlen);
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return found && !TransactionIdIsValid(*writer);
}

/*
 * find tells whether a row is in its log already, and what the column says there
 * and in the row.
 */
static bool
find(Store *store, TriggerData *trigger, HeapTuple row, const ReplayLog *log, ScanKey keys, Datum *there, Datum *wanted)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	int			column = oms_require_column(tupdesc, log->column, log->type);
	Oid			index_oid = get_relname_relid(log->index, store->namespace_oid);
	Relation	index;
	TransactionId writer;
	bool		found;
	bool		isnull;

	*wanted = SPI_getbinval(row, tupdesc, column, &isnull);
	if (!OidIsValid(index_oid) || isnull || !fill_keys(tupdesc, row, log, keys))
		return false;
	index = index_open(index_oid, AccessShareLock);
	while (!(found = look(trigger->tg_relation, index, keys, column, there, &writer)) &&
		   TransactionIdIsValid(writer))
		XactLockTableWait(writer, trigger->tg_relation, NULL, XLTW_InsertIndex);
	index_close(index, AccessShareLock);
	return found;
}

/*
 * oms_is_replay tells whether a movement with an external_ref is there already;
 * the same reference for another quantity is OM007.
 */
bool
oms_is_replay(Store *store, TriggerData *trigger)
{
	ScanKeyData keys[KEYS];
	Datum		there;
	Datum		wanted;

	if (!find(store, trigger, trigger->tg_trigtuple, &movements, keys, &there, &wanted))
		return false;
	if (DatumGetInt64(there) != DatumGetInt64(wanted))
		ereport(ERROR,
				(errcode(ERRCODE_OMS_REFERENCE_REUSED),
				 errmsg("external_ref \"%s\" was used before, for a quantity of " INT64_FORMAT,
						TextDatumGetCString(keys[0].sk_argument), DatumGetInt64(there)),
				 errhint("The same movement may be sent again unchanged; another needs another reference."),
				 errtable(trigger->tg_relation)));
	return true;
}

/*
 * oms_is_payment_replay tells so of a payment's transaction with a gateway_ref;
 * the same reference for another amount is OM007.
 */
bool
oms_is_payment_replay(Store *store, TriggerData *trigger)
{
	ScanKeyData keys[KEYS];
	Datum		there;
	Datum		wanted;

	if (!find(store, trigger, trigger->tg_trigtuple, &transactions, keys, &there, &wanted))
		return false;
	if (!DatumGetBool(DirectFunctionCall2(numeric_eq, there, wanted)))
		ereport(ERROR,
				(errcode(ERRCODE_OMS_REFERENCE_REUSED),
				 errmsg("gateway_ref \"%s\" was used before, for %s %s of %s", TextDatumGetCString(keys[3].sk_argument),
						TextDatumGetCString(keys[1].sk_argument), TextDatumGetCString(keys[2].sk_argument),
						DatumGetCString(DirectFunctionCall1(numeric_out, there))),
				 errhint("The same transaction may be sent again unchanged; another needs another reference."),
				 errtable(trigger->tg_relation)));
	return true;
}
