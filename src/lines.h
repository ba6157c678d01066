/*
 * lines.h
 *	  Lines, charges and holds: what they do to their order.
 */
#ifndef OMS_LINES_H
#define OMS_LINES_H

#include "store.h"

/* lines.c */
extern void oms_act_lines(Store *store, TriggerData *trigger, bool are_charges);
extern HeapTuple oms_guard_line(Store *store, TriggerData *trigger);
extern void oms_recheck_line(Store *store, TriggerData *trigger, bool is_charge);

/* hold.c */
extern HeapTuple oms_guard_hold(Store *store, TriggerData *trigger);
extern void oms_act_holds(Store *store, TriggerData *trigger);

#endif							/* OMS_LINES_H */
