/*
 * tick.h
 *	  What becomes due without a statement to do it in.
 */
#ifndef OMS_TICK_H
#define OMS_TICK_H

#include "store.h"

/* What a tick did. */
typedef struct TickResult
{
	int64		holds_released; /* of orders, whose time had come */
	int64		stock_holds_expired;
	int64		orders_filled;	/* given units that they waited for */
	int64		moves;			/* of orders and fulfillments */
} TickResult;

extern void oms_do_due(Store *store, int64 max_rows, TickResult *result);

#endif							/* OMS_TICK_H */
