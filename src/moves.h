/*
 * moves.h
 *	  What follows when orders or fulfillments have moved.
 */
#ifndef OMS_MOVES_H
#define OMS_MOVES_H

#include "facts.h"
#include "machine.h"

/* Orders whose automatic moves wait; it lies where the caller's memory does. */
typedef struct Postponement
{
	const Store *store;
	bool		all;			/* those that only confirm too */
	Array	   *orders;			/* their ids, some more than once */
	MemoryContext context;
	struct Postponement *outer;
} Postponement;

extern void oms_act_moves(Store *store, TriggerData *trigger, EntityKind entity);
extern void oms_choose_moves(Store *store, EntityKind entity, Mover *movers, int count);
extern void oms_run_actions(Store *store, EntityKind entity, Mover *movers, int count);
extern int64 oms_count_moves(int64 more);
extern const MachineMove *oms_choose_automatic_move(Store *store, FunctionCalls *calls, EntityKind entity,
													const Mover *mover);
extern void oms_settle(Store *store, EntityKind entity, const Array *ids,
					   const Array *order_ids);
extern void oms_postpone(Postponement *postponement, const Store *store, bool all);
extern void oms_postpone_no_more(const Postponement *postponement);
extern bool oms_is_postponed(const Store *store, const MachineMove *move);
extern void oms_settle_or_postpone(Store *store, EntityKind entity, const Array *ids, const Array *order_ids);
extern void oms_wake_fulfillments(Store *store, const Array *order_ids);
extern void oms_move_fulfillments(Store *store, const Array *ids, const Array *from,
								  const Array *to, const Array *reasons);

#endif							/* OMS_MOVES_H */
