/*
 * holdings.h
 *	  What an order's fulfillments hold, and dividing off what is to leave them.
 */
#ifndef OMS_HOLDINGS_H
#define OMS_HOLDINGS_H

#include "store.h"
#include "utils/uuid.h"

/* How units are to go. */
typedef struct Way
{
	const char *method;			/* NULL: as they do */
	const char *pickup_location;
	bool		sets_pickup;
	pg_uuid_t	ship_to;
	bool		has_ship_to;
} Way;

/* A line of a fulfillment that holds units. */
typedef struct Holding
{
	pg_uuid_t	fulfillment_id; /* first: sorted by it */
	pg_uuid_t	line_id;
	const char *number;
	const char *workflow;
	const char *status;
	const char *target;			/* of its move that does release; NULL: none */
	bool		is_right;		/* goes the way that was asked for */
	int			distance;
	int64		quantity;
	int64		packed;			/* or may be */
	int64		taken;			/* in: what is to leave */
} Holding;

/* A fulfillment that has come to hold just what was taken. */
typedef struct Portion
{
	pg_uuid_t	id;
	const Holding *from;		/* its first line, before it was divided */
} Portion;

extern const char *oms_way_args(const Way *way, Datum *args);
extern Holding *oms_read_holdings(Store *store, const pg_uuid_t *order_id, const Way *way, int *count);
extern Portion *oms_divide_holdings(Store *store, const pg_uuid_t *order_id, const Holding *list, int count, int *nportions);

#endif							/* OMS_HOLDINGS_H */
