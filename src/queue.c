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
 * the transaction ends.  Returns false where it did not stand in line.
 */
bool
oms_stand_in_line(const Store *store, Queue queue, const char *first, const char *second)
{
	LOCKTAG		tag;
	uint64		key;

	if (owner != this_transaction())
	{
		owner = this_transaction();
		places = 0;
	}
	if (places >= MOST_PLACES)
		return false;
	key = hash_bytes_extended((const unsigned char *) first, strlen(first), store->namespace_oid);
	key = hash_bytes_extended((const unsigned char *) second, strlen(second), key);
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (key >> 32), (uint32) key, FIRST_QUEUE + queue);
	if (LockAcquire(&tag, ExclusiveLock, false, false) == LOCKACQUIRE_OK)
		places++;
	return true;
}
