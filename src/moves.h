/*
 * moves.h
 *	  What follows when orders or fulfillments have moved.
 */
#ifndef OMS_MOVES_H
#define OMS_MOVES_H

#include "facts.h"
#include "machine.h"

extern void oms_act_moves(Store *store, TriggerData *trigger, EntityKind entity);
extern void oms_choose_moves(Store *store, EntityKind entity, Mover *movers, int count);
extern void oms_run_actions(Store *store, EntityKind entity, Mover *movers, int count);
extern int64 oms_count_moves(int64 more);
extern const MachineMove *oms_choose_automatic_move(Store *store, FunctionCalls *calls, EntityKind entity,
													const Mover *mover);
extern void oms_settle(Store *store, EntityKind entity, const Array *ids,
					   const Array *order_ids);
extern Array *oms_postpone(Array *list);
extern bool oms_is_postponing(void);
extern void oms_settle_or_postpone(Store *store, EntityKind entity, const Array *ids, const Array *order_ids);
extern void oms_wake_fulfillments(Store *store, const Array *order_ids);
extern void oms_move_fulfillments(Store *store, const Array *ids, const Array *from,
								  const Array *to, const Array *reasons);

#endif							/* OMS_MOVES_H */
