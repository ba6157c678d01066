/*
 * payment.h
 *	  Payments, their transactions, and credit.
 */
#ifndef OMS_PAYMENT_H
#define OMS_PAYMENT_H

#include "commands/trigger.h"
#include "rows.h"
#include "store.h"

/* What becomes of orders of customers on terms that are being placed. */
typedef struct Credit
{
	Array	   *approved;		/* ids: within the limit */
	Array	   *refused;		/* ids: beyond it, to be held */
} Credit;

/* payment.c */
extern HeapTuple oms_guard_payment(Store *store, TriggerData *trigger);
extern HeapTuple oms_guard_transaction(Store *store, TriggerData *trigger);
extern void oms_recheck_payment(Store *store, TriggerData *trigger);

/* transactions.c */
extern void oms_act_transactions(Store *store, TriggerData *trigger);

/* replay.c */
extern bool oms_is_payment_replay(Store *store, TriggerData *trigger);

/* credit.c */
extern Credit oms_judge_credit(Store *store, const Array *order_ids);
extern void oms_hold_credit(Store *store, const Array *order_ids);
extern bool oms_is_on_terms(Store *store, const char *customer);

#endif							/* OMS_PAYMENT_H */
