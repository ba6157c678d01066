/*
 * actions.h
 *	  The built-in actions, in two files: an order's and a fulfillment's.
 */
#ifndef OMS_ACTIONS_H
#define OMS_ACTIONS_H

#include "facts.h"
#include "machine.h"
#include "sourcing.h"

extern const Action oms_order_actions[];
extern const Action oms_fulfillment_actions[];

extern Array *oms_mover_ids(Mover **rows, int count);
extern void oms_require_content(Store *store, Mover **rows, int count, const Array *ids);
extern void oms_try_reserve(Store *store, Mover *row);
extern void oms_read_draft_demands(Store *store, const pg_uuid_t *id, Sourcing *sourcing);
extern const MachineMove *oms_releasing_move(const Machine *machine, const char *number, const char *status);
extern void oms_refuse_claim(const Mover *row, int count, const char *what);

#endif							/* OMS_ACTIONS_H */
