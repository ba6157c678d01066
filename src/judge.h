/*
 * judge.h
 *	  Judging a row of orders or fulfillments.
 */
#ifndef OMS_JUDGE_H
#define OMS_JUDGE_H

#include "shape.h"

extern HeapTuple oms_guard_row(Store *store, TriggerData *trigger, EntityKind entity);
extern void oms_recheck_row(Store *store, TriggerData *trigger, EntityKind entity);

#endif							/* OMS_JUDGE_H */
