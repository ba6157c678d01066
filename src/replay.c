/*
 * replay.c
 *	  Telling that a movement, what is on its way, or a payment's transaction was
 *	  recorded before.
 *
 * Reached from movement.c, inbound.c and payment.c, BEFORE a row with a
 * reference is written.  The question is the unique index's own: is the same
 * (external_ref, kind, sku, location) there, or (ref, sku, location,
 * from_location), or (payment_id, kind, outcome, gateway_ref), committed, ours,
 * or about to be?  So it is asked in the same
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
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "inbound.h"
#include "oms.h"
#include "payment.h"
#include "rows.h"
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
	bool		last_may_be_null;	/* and NULL is like any other value */
} ReplayLog;

static const ReplayLog movements = {
	"stock_movements_replay",
	{{"external_ref", TEXTOID}, {"kind", TEXTOID}, {"sku", TEXTOID}, {"location", TEXTOID}},
	false
};

static const ReplayLog inbounds = {
	"inbound_replay",
	{{"ref", TEXTOID}, {"sku", TEXTOID}, {"location", TEXTOID}, {"from_location", TEXTOID}},
	true
};

static const ReplayLog transactions = {
	"payment_transactions_replay",
	{{"payment_id", UUIDOID}, {"kind", TEXTOID}, {"outcome", TEXTOID}, {"gateway_ref", TEXTOID}},
	false
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

		if (isnull && !(log->last_may_be_null && i == KEYS - 1))
			return false;
		if (isnull)
			ScanKeyEntryInitialize(&keys[i], SK_ISNULL | SK_SEARCHNULL, i + 1, InvalidStrategy, InvalidOid, InvalidOid,
								   InvalidOid, (Datum) 0);
		else
			ScanKeyEntryInitialize(&keys[i], 0, i + 1, BTEqualStrategyNumber, log->keys[i].type,
								   is_text ? C_COLLATION_OID : InvalidOid, is_text ? F_TEXTEQ : F_UUID_EQ, value);
	}
	return true;
}

/*
 * look scans once.  Returns the row where it is there; NULL otherwise, with the
 * transaction to wait for where one is writing it.
 */
static HeapTuple
look(Relation rel, Relation index, ScanKey keys, TransactionId *writer)
{
	SnapshotData dirty;
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	IndexScanDesc scan;
	HeapTuple	row = NULL;

	*writer = InvalidTransactionId;
	InitDirtySnapshot(dirty);
#if PG_VERSION_NUM >= 180000
	scan = index_beginscan(rel, index, &dirty, NULL, KEYS, 0);
#else
	scan = index_beginscan(rel, index, &dirty, KEYS, 0);
#endif
	index_rescan(scan, keys, KEYS, NULL, 0);
	if (index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		*writer = dirty.xmin;
		if (!TransactionIdIsValid(*writer))
			row = ExecCopySlotHeapTuple(slot);
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return row;
}

/*
 * find returns the row that is in its log already, or NULL.
 */
static HeapTuple
find(Store *store, TriggerData *trigger, const ReplayLog *log)
{
	Oid			index_oid = get_relname_relid(log->index, store->namespace_oid);
	ScanKeyData keys[KEYS];
	Relation	index;
	TransactionId writer;
	HeapTuple	row;

	if (!OidIsValid(index_oid) || !fill_keys(RelationGetDescr(trigger->tg_relation), trigger->tg_trigtuple, log, keys))
		return NULL;
	index = index_open(index_oid, AccessShareLock);
	while (!(row = look(trigger->tg_relation, index, keys, &writer)) && TransactionIdIsValid(writer))
		XactLockTableWait(writer, trigger->tg_relation, NULL, XLTW_InsertIndex);
	index_close(index, AccessShareLock);
	return row;
}

/*
 * require_quantity raises OM007 where a reference was used for another quantity;
 * that it is NULL is left to NOT NULL.
 */
static bool
require_quantity(TriggerData *trigger, HeapTuple there, const char *ref, const char *what)
{
	bool		isnull;
	int64		wanted = DatumGetInt64(oms_field(RelationGetDescr(trigger->tg_relation), trigger->tg_trigtuple, "quantity", INT8OID, &isnull));
	bool		was_null;
	int64		found = DatumGetInt64(oms_field(RelationGetDescr(trigger->tg_relation), there, "quantity", INT8OID, &was_null));

	if (isnull || was_null)
		return false;
	if (wanted != found)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_REFERENCE_REUSED),
				 errmsg("%s \"%s\" was used before, for a quantity of " INT64_FORMAT, ref, oms_text_field(trigger, ref), found),
				 errhint("The same %s may be sent again unchanged; another needs another reference.", what),
				 errtable(trigger->tg_relation)));
	return true;
}

/*
 * oms_is_replay tells whether a movement with an external_ref is there already;
 * the same reference for another quantity, or for another row of inbound, is
 * OM007.
 */
bool
oms_is_replay(Store *store, TriggerData *trigger)
{
	HeapTuple	there = find(store, trigger, &movements);
	bool		isnull;
	bool		was_null;
	Datum		wanted;
	Datum		found;

	if (!there || !require_quantity(trigger, there, "external_ref", "movement"))
		return false;
	wanted = oms_field(RelationGetDescr(trigger->tg_relation), trigger->tg_trigtuple, "entity_id", UUIDOID, &isnull);
	found = oms_field(RelationGetDescr(trigger->tg_relation), there, "entity_id", UUIDOID, &was_null);
	if (!isnull && (was_null || oms_uuid_cmp(DatumGetUUIDP(wanted), DatumGetUUIDP(found)) != 0))
		ereport(ERROR,
				(errcode(ERRCODE_OMS_REFERENCE_REUSED),
				 errmsg("external_ref \"%s\" was used before, for another entity_id", oms_text_field(trigger, "external_ref")),
				 errhint("The same movement may be sent again unchanged; another needs another reference."),
				 errtable(trigger->tg_relation)));
	return true;
}

/*
 * oms_is_inbound_replay tells so of a row of inbound with a ref; the same
 * reference for another quantity is OM007.
 */
bool
oms_is_inbound_replay(Store *store, TriggerData *trigger)
{
	HeapTuple	there = find(store, trigger, &inbounds);

	return there && require_quantity(trigger, there, "ref", "row");
}

/*
 * oms_is_payment_replay tells so of a payment's transaction with a gateway_ref;
 * the same reference for another amount is OM007.
 */
bool
oms_is_payment_replay(Store *store, TriggerData *trigger)
{
	HeapTuple	there = find(store, trigger, &transactions);
	bool		isnull;
	bool		was_null;
	Datum		wanted = oms_field(RelationGetDescr(trigger->tg_relation), trigger->tg_trigtuple, "amount", NUMERICOID, &isnull);
	Datum		found;

	if (!there || isnull)
		return false;
	found = oms_field(RelationGetDescr(trigger->tg_relation), there, "amount", NUMERICOID, &was_null);
	if (was_null || !DatumGetBool(DirectFunctionCall2(numeric_eq, found, wanted)))
		ereport(ERROR,
				(errcode(ERRCODE_OMS_REFERENCE_REUSED),
				 errmsg("gateway_ref \"%s\" was used before, for %s %s of %s", oms_text_field(trigger, "gateway_ref"),
						oms_text_field(trigger, "kind"), oms_text_field(trigger, "outcome"),
						was_null ? "nothing" : DatumGetCString(DirectFunctionCall1(numeric_out, found))),
				 errhint("The same transaction may be sent again unchanged; another needs another reference."),
				 errtable(trigger->tg_relation)));
	return true;
}
