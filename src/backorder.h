/*
 * backorder.h
 *	  Units that are sold without stock, counted in their policies.
 */
#ifndef OMS_BACKORDER_H
#define OMS_BACKORDER_H

#include "sourcing.h"

/* A policy under which units may be sold now; of several the one that began last. */
#define IN_FORCE(p) \
	p ".valid_from" LE "pg_catalog.now() AND (" p ".valid_until IS NULL OR " p ".valid_until" GT "pg_catalog.now())"

/* So many units are added to what waits under a policy. */
typedef struct PolicyUnits
{
	pg_uuid_t	policy_id;		/* first: sorted by it */
	int64		units;
} PolicyUnits;

/* What is to be taken off policies at the end; it lies where the caller's memory does. */
typedef struct Deferral
{
	const Store *store;
	PolicyUnits *list;
	int			count;
	int			capacity;
	struct Deferral *outer;
} Deferral;

extern void oms_backorder_plan(Store *store, Sourcing *sourcing, bool lock);
extern void oms_backorder_queue(const Store *store, const Sourcing *sourcing);
extern bool oms_backorder_take(Store *store, const Sourcing *sourcing);
extern void oms_backorder_give_back(Store *store, const PolicyUnits *list, int count);
extern void oms_backorder_defer(Deferral *deferral, const Store *store);
extern void oms_backorder_defer_no_more(const Deferral *deferral);
extern void oms_backorder_settle(Store *store, Deferral *deferral, bool may_wait);

/* warranty.c */
extern void oms_warranties_wait(Store *store, Sourcing *sourcing);

#endif							/* OMS_BACKORDER_H */
