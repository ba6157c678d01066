/*
 * queue.h
 *	  Standing in line, by advisory locks of our own.
 */
#ifndef OMS_QUEUE_H
#define OMS_QUEUE_H

#include "store.h"

/* What sessions stand in line for. */
typedef enum Queue
{
	QUEUE_REFERENCE,			/* placing a channel's external_ref */
	QUEUE_STOCK,				/* taking from a stock row */
	QUEUE_WORKFLOWS,			/* editing workflows */
	QUEUE_HOLD,					/* a stock hold's ref */
	QUEUE_TRANSACTION,			/* recording a payment's gateway_ref */
	QUEUE_MOVEMENT,				/* recording a movement's external_ref */
	QUEUE_INBOUND,				/* announcing what is on its way by a ref */
	QUEUE_LOAD					/* making the row of a location's day */
} Queue;

extern bool oms_stand_in_line(const Store *store, Queue queue, const char *first, const char *second);
extern bool oms_step_in_line(const Store *store, Queue queue, const char *first, const char *second);

#endif							/* OMS_QUEUE_H */
