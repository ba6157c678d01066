/*
 * packages.h
 *	  The parcels that fulfillments leave in.
 */
#ifndef OMS_PACKAGES_H
#define OMS_PACKAGES_H

#include "commands/trigger.h"

#include "store.h"

extern void oms_lock_packed(Store *store, Datum package_ids);
extern void oms_lock_packed_at_hand(Store *store, Datum package_ids);
extern HeapTuple oms_guard_package(Store *store, TriggerData *trigger);
extern void oms_recheck_package(Store *store, TriggerData *trigger);
extern void oms_act_packages(Store *store, TriggerData *trigger);
extern void oms_act_package_lines(Store *store, TriggerData *trigger);

#endif							/* OMS_PACKAGES_H */
