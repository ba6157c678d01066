/*
 * queue.c
 *	  Standing in line, by advisory locks of our own.
 *
 * Row locks have everybody who waits for a row woken when it is let go; here
 * one is, in order of arrival, and one can wait before there is a row.  What
 * is right never depends on it, so nobody stands in line who already has so
 * many places that the server's table of locks might fill up.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "storage/proc.h"

#include "queue.h"

#define MOST_PLACES 1000		/* of a transaction */
#define FIRST_QUEUE 78			/* clear of pg_advisory_lock's classes 1 and 2 */

/* places of this transaction */
static LocalTransactionId owner = InvalidLocalTransactionId;
static int	places = 0;
static bool has_record = false; /* one of QUEUE_TRANSACTION or QUEUE_MOVEMENT
								 * is among them */

static bool stand(const Store *store, Queue queue, const char *first, const char *second, bool waits);

/*
 * this_transaction returns what tells transactions of this backend apart.
 */
static LocalTransactionId
this_transaction(void)
{
#if PG_VERSION_NUM >= 170000
	return MyProc->vxid.lxid;
#else
	return MyProc->lxid;
#endif
}

/*
 * oms_stand_in_line waits for those who came first, and keeps the place until
 * the transaction ends.  Returns false where it did not stand in line.  References
 * of payments and movements come in any order, and two sessions that each wait with
 * one in hand would deadlock: only the first is waited for, any other is 40001.
 */
bool
oms_stand_in_line(const Store *store, Queue queue, const char *first, const char *second)
{
	return stand(store, queue, first, second, true);
}

/*
 * oms_step_in_line does so where nobody is there, and returns false elsewhere.
 */
bool
oms_step_in_line(const Store *store, Queue queue, const char *first, const char *second)
{
	return stand(store, queue, first, second, false);
}

/*
 * stand does the work of the two.
 */
static bool
stand(const Store *store, Queue queue, const char *first, const char *second, bool waits)
{
	LOCKTAG		tag;
	uint64		key;
	LockAcquireResult result;
	bool		is_record = queue == QUEUE_TRANSACTION || queue == QUEUE_MOVEMENT;

	if (owner != this_transaction())
	{
		owner = this_transaction();
		places = 0;
		has_record = false;
	}
	if (places >= MOST_PLACES)
		return false;
	key = hash_bytes_extended((const unsigned char *) first, strlen(first), store->namespace_oid);
	key = hash_bytes_extended((const unsigned char *) second, strlen(second), key);
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (key >> 32), (uint32) key, FIRST_QUEUE + queue);
	result = LockAcquire(&tag, ExclusiveLock, false, !waits || (is_record && has_record));
	if (result == LOCKACQUIRE_NOT_AVAIL && !waits)
		return false;
	if (result == LOCKACQUIRE_NOT_AVAIL)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("%s \"%s\" is being recorded by another session",
						queue == QUEUE_TRANSACTION ? "gateway_ref" : "external_ref", second),
				 errhint("Retry the transaction.")));
	places += result == LOCKACQUIRE_OK;
	has_record |= is_record;
	return true;
}
