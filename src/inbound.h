/*
 * inbound.h
 *	  Units that are on their way to a location.
 */
#ifndef OMS_INBOUND_H
#define OMS_INBOUND_H

#include "commands/trigger.h"

#include "store.h"

/* The rows of inbound that a statement's movements name. */
typedef struct Named Named;

/* inbound.c */
extern HeapTuple oms_guard_inbound(Store *store, TriggerData *trigger);
extern void oms_recheck_inbound(Store *store, TriggerData *trigger);
extern void oms_act_inbound(Store *store, TriggerData *trigger);

/* receiving.c */
extern Named *oms_named_lock(Store *store, TriggerData *trigger);
extern void oms_named_count(Store *store, const Named *named);

/* replay.c */
extern bool oms_is_inbound_replay(Store *store, TriggerData *trigger);

#endif							/* OMS_INBOUND_H */
