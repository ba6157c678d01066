/*
 * fulfillment.h
 *	  Numbering, dividing and emptying fulfillments.
 */
#ifndef OMS_FULFILLMENT_H
#define OMS_FULFILLMENT_H

#include "document.h"
#include "rows.h"
#include "store.h"
#include "utils/uuid.h"

/* Units of a line that leave their fulfillment for a new one. */
typedef struct SplitPart
{
	pg_uuid_t	fulfillment_id;
	pg_uuid_t	order_id;
	pg_uuid_t	line_id;
	int64		quantity;
	pg_uuid_t	new_id;			/* out: the same for all parts of a
								 * fulfillment */
} SplitPart;

/* Units that are to leave a fulfillment, and what that is. */
typedef struct Division
{
	pg_uuid_t	order_id;
	const char *number;
	const char *workflow;
	const char *status;
	SplitPart  *parts;
	int			count;
	int64		left;			/* units that stay */
} Division;

/* Fulfillments whose units are in others now, a column an array. */
typedef struct Emptied
{
	Array	   *ids;
	Array	   *order_ids;
	Array	   *from;			/* status */
	Array	   *to;				/* that of the move that does release */
	Array	   *reasons;
	Array	   *details;		/* of the events, JSON */
} Emptied;

/* fulfillment.c */
extern char **oms_number_fulfillments(Store *store, const pg_uuid_t *order_ids, int count);
extern void oms_split(Store *store, SplitPart *parts, int count);
extern void oms_hold_parts(Store *store, const pg_uuid_t *id, const LineQuantity *wanted, int count, const char *doing,
						   OwnerScope *scope, Division *division);

/* merge.c */
extern Emptied *oms_emptied(int capacity);
extern void oms_emptied_add(Store *store, Emptied *list, const pg_uuid_t *id, const pg_uuid_t *order_id, const char *number,
							const char *workflow, const char *status, const char *reason, const char *detail);
extern void oms_end_emptied(Store *store, const Emptied *list);

#endif							/* OMS_FULFILLMENT_H */
