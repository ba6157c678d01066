/*
 * lines.h
 *	  Lines, charges and holds: what they do to their order.
 */
#ifndef OMS_LINES_H
#define OMS_LINES_H

#include "commands/trigger.h"
#include "rows.h"
#include "store.h"

/* What lines or charges add to their order. */
typedef struct Worth
{
	pg_uuid_t	order_id;		/* first: sorted by it */
	int64		units;
	Datum		net;			/* without tax */
	Datum		gross;			/* with tax */
} Worth;

/* lines.c */
extern Worth oms_worth_of_line(pg_uuid_t order_id, int64 quantity, Datum unit_price, Datum discount, Datum tax);
extern Worth oms_worth_of_charge(pg_uuid_t order_id, const char *kind, Datum amount, Datum tax);
extern void oms_act_lines(Store *store, TriggerData *trigger, bool are_charges);
extern HeapTuple oms_guard_line(Store *store, TriggerData *trigger);
extern void oms_recheck_line(Store *store, TriggerData *trigger, bool is_charge);

/* hold.c */
#define SHORT_REASON "units are short"	/* of the hold that the engine places
										 * and releases itself */
extern void oms_place_holds(Store *store, const Array *order_ids, const char *kind, const char *reason);
extern HeapTuple oms_guard_hold(Store *store, TriggerData *trigger);
extern void oms_act_holds(Store *store, TriggerData *trigger);

#endif							/* OMS_LINES_H */
