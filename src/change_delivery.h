/*
 * change_delivery.h
 *	  Units that go another way: which of an order's, and how that is written.
 */
#ifndef OMS_CHANGE_DELIVERY_H
#define OMS_CHANGE_DELIVERY_H

#include "utils/jsonb.h"

#include "holdings.h"
#include "store.h"

typedef struct DeliveryChange
{
	pg_uuid_t	order_id;
	const char *order_number;
	Way			way;
	const char *reason;			/* or NULL */
} DeliveryChange;

/* A line of the order. */
typedef struct DeliveryLine
{
	pg_uuid_t	id;				/* first: searched by it */
	int64		line_no;
	int64		allocated;
	int64		waiting;
	bool		is_bundle;
	bool		has_parent;
	pg_uuid_t	parent_id;
	int64		per_kit;		/* of a component; or 0 */
	bool		is_parcel;		/* it can be sent and collected, as no
								 * download or appointment can */
	bool		is_warranty;
	int64		asked;			/* units, of a bundle kits */
	int64		wanted;			/* units that are to go the new way */
	bool		is_whole;		/* these are all that have not left */
} DeliveryLine;

/* delivery_lines.c */
extern DeliveryLine *oms_delivery_lines(Store *store, const DeliveryChange *change, Jsonb *wanted, int *count);

/* redirect.c */
extern int64 oms_redirect(Store *store, const DeliveryChange *change, DeliveryLine *lines, int count, bool all);

#endif							/* OMS_CHANGE_DELIVERY_H */
