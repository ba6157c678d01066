/*
 * carrier.h
 *	  What carriers tell of packages, and who follows.
 */
#ifndef OMS_CARRIER_H
#define OMS_CARRIER_H

#include "commands/trigger.h"
#include "lib/stringinfo.h"

#include "rows.h"
#include "store.h"

/*
 * What a carrier tells, in the order in which it comes to pass.  Carriers tell
 * the minute, if that: of events of one time the one that is later here is last.
 */
#define CARRIER_CODES \
	"'{in_transit,exception,out_for_delivery,attempted,lost,delivered,returned}'::pg_catalog.text[]"
#define CARRIER_RANK(code) "pg_catalog.array_position(" CARRIER_CODES ", " code ")"

/* What came of following packages. */
typedef struct Following
{
	int64		moved;			/* fulfillments */
	int64		nunmoved;
	StringInfoData unmoved;		/* those that could not, as JSON objects; or
								 * nothing, where nobody asks */
	const char *first;			/* number of the first of them */
	const char *why;
	MemoryContext context;		/* of these: whoever asks reads them when the
								 * trigger has closed SPI */
} Following;

/* carrier.c */
extern int	oms_carrier_rank(const char *code);
extern HeapTuple oms_guard_carrier_event(Store *store, TriggerData *trigger);
extern void oms_act_carrier_events(Store *store, TriggerData *trigger);
extern Following *oms_report_following(Following *following);

/* carrier_moves.c */
extern void oms_follow_packages(Store *store, const Array *package_ids, Following *following);

#endif							/* OMS_CARRIER_H */
