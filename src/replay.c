/*
 * replay.c
 *	  Telling that a movement was recorded before.
 *
 * Reached from movement.c, BEFORE a row with an external_ref is written.  The
 * question is the unique index's own: is the same (external_ref, kind, sku,
 * location) there, committed, ours, or about to be?  So it is asked in the same
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
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "oms.h"
#include "stock.h"
#include "transition.h"

#define KEYS 4					/* columns of index stock_movements_replay */

/*
 * fill_keys makes the scan's keys of the row that is to be written; false where
 * a column is NULL, which NOT NULL refuses later.
 */
static bool
fill_keys(TriggerData *trigger, ScanKey keys)
{
	static const char *const columns[KEYS] = {"external_ref", "kind", "sku", "location"};
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);

	for (int i = 0; i < KEYS; i++)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(trigger->tg_trigtuple, tupdesc, oms_require_column(tupdesc, columns[i], TEXTOID), &isnull);

		if (isnull)
			return false;
		ScanKeyEntryInitialize(&keys[i], 0, i + 1, BTEqualStrategyNumber, TEXTOID, C_COLLATION_OID, F_TEXTEQ, value);
	}
	return true;
}

/*
 * look scans once.  Returns true with the quantity where the movement is there;
 * false otherwise, with the transaction to wait for where one is writing it.
 */
static bool
look(Relation rel, Relation index, ScanKey keys, int column, int64 *quantity, TransactionId *writer)
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
		bool		isnull;

		*quantity = DatumGetInt64(slot_getattr(slot, column, &isnull));
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return found && !TransactionIdIsValid(*writer);
}

/*
 * oms_is_replay tells whether a movement with an external_ref is there already;
 * the same reference for another quantity is OM007.
 */
bool
oms_is_replay(Store *store, TriggerData *trigger)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	int			column = oms_require_column(tupdesc, "quantity", INT8OID);
	Oid			index_oid = get_relname_relid("stock_movements_replay", store->namespace_oid);
	ScanKeyData keys[KEYS];
	Relation	index;
	int64		quantity = 0;
	TransactionId writer;
	bool		found;
	bool		isnull;
	Datum		wanted = SPI_getbinval(trigger->tg_trigtuple, tupdesc, column, &isnull);

	if (!OidIsValid(index_oid) || isnull || !fill_keys(trigger, keys))
		return false;
	index = index_open(index_oid, AccessShareLock);
	while (!(found = look(trigger->tg_relation, index, keys, column, &quantity, &writer)) &&
		   TransactionIdIsValid(writer))
		XactLockTableWait(writer, trigger->tg_relation, NULL, XLTW_InsertIndex);
	index_close(index, AccessShareLock);

	if (found && quantity != DatumGetInt64(wanted))
		ereport(ERROR,
				(errcode(ERRCODE_OMS_REFERENCE_REUSED),
				 errmsg("external_ref \"%s\" was used before, for a quantity of " INT64_FORMAT,
						TextDatumGetCString(keys[0].sk_argument), quantity),
				 errhint("The same movement may be sent again unchanged; another needs another reference."),
				 errtable(trigger->tg_relation)));
	return found;
}
