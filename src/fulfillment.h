/*
 * fulfillment.h
 *	  Numbering and dividing fulfillments.
 */
#ifndef OMS_FULFILLMENT_H
#define OMS_FULFILLMENT_H

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

extern char **oms_number_fulfillments(Store *store, const pg_uuid_t *order_ids, int count);
extern void oms_split(Store *store, SplitPart *parts, int count);

#endif							/* OMS_FULFILLMENT_H */
