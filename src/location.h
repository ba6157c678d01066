/*
 * location.h
 *	  What a row of locations cannot say.
 */
#ifndef OMS_LOCATION_H
#define OMS_LOCATION_H

#include "commands/trigger.h"

#include "store.h"

extern void oms_recheck_location(Store *store, TriggerData *trigger);
extern void oms_recheck_method(Store *store, TriggerData *trigger);

#endif							/* OMS_LOCATION_H */
