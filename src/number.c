/*
 * number.c
 *	  The numbers of new orders.
 *
 * They come from a sequence; but people may give an order a number of their
 * own, and rows of the past bring theirs, which may be one that the sequence has
 * still to come to.  Such numbers are passed over, so that no order of others
 * ends in 23505.  That is asked of the index that makes numbers unique, as it
 * asks itself: also rows that are not committed yet have taken their numbers.
 * It is a look at one page, without a query.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/tableam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "number.h"

/*
 * find finds a number in the index.
 */
static bool
find(Relation index, const char *number)
{
	Relation	table = relation_open(index->rd_index->indrelid, AccessShareLock);
	TupleTableSlot *slot = table_slot_create(table, NULL);
	SnapshotData dirty;
	ScanKeyData key;
	IndexScanDesc scan;
	bool		found;

	InitDirtySnapshot(dirty);
	ScanKeyEntryInitialize(&key, 0, 1, BTEqualStrategyNumber, InvalidOid, index->rd_indcollation[0], F_TEXTEQ,
						   CStringGetTextDatum(number));
	scan = index_beginscan(table, index, &dirty, 1, 0);
	index_rescan(scan, &key, 1, NULL, 0);
	found = index_getnext_slot(scan, ForwardScanDirection, slot);
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	relation_close(table, AccessShareLock);
	return found;
}

/*
 * is_taken tells whether an order has a number already.  Where somebody has made
 * another index of it, the number is taken as it comes.
 */
static bool
is_taken(const Store *store, const char *number)
{
	Oid			relid = get_relname_relid("orders_number_key", store->namespace_oid);
	Relation	index = OidIsValid(relid) ? try_relation_open(relid, AccessShareLock) : NULL;
	bool		found = false;

	if (!index)
		return false;
	if (index->rd_rel->relkind == RELKIND_INDEX && index->rd_rel->relam == BTREE_AM_OID &&
		index->rd_index->indisvalid && index->rd_index->indnkeyatts == 1 && index->rd_opcintype[0] == TEXTOID)
		found = find(index, number);
	relation_close(index, AccessShareLock);
	return found;
}

/*
 * oms_next_number returns a number for a new order.  Privileges on the sequence
 * are not asked: a number is the engine's to give.
 */
char *
oms_next_number(const Store *store)
{
	char	   *number;

	do
	{
		CHECK_FOR_INTERRUPTS();
		number = psprintf("%s" INT64_FORMAT, store->number_prefix, nextval_internal(store->number_sequence, false));
	} while (is_taken(store, number));
	return number;
}
