/*
 * giveway.h
 *	  Setting stock to what it is, and allocations that must give way to it.
 */
#ifndef OMS_GIVEWAY_H
#define OMS_GIVEWAY_H

#include "store.h"
#include "utils/uuid.h"

/* A stock row, locked: as it was, and as it is to be. */
typedef struct StockLevel
{
	const char *sku;
	const char *location;
	int64		old_on_hand;
	int64		old_unavailable;
	int64		on_hand;
	int64		unavailable;
	int64		reserved;
	int64		given;			/* out: of it, units that stock holds gave */
	bool		refuses;		/* reservations may not give way: a transfer */
} StockLevel;

/* A line of a fulfillment that could give way. */
typedef struct Allocation
{
	pg_uuid_t	fulfillment_id; /* first: compared by it */
	pg_uuid_t	order_id;
	pg_uuid_t	line_id;
	const char *number;
	const char *status;
	const char *target;			/* of its move that does reroute; NULL: none */
	int			distance;
	int64		quantity;
	int64		whole;			/* units of its fulfillment, all lines */
	int64		taken;
} Allocation;

/* giveway.c */
extern void oms_set_levels(Store *store, StockLevel *levels, int count);
extern bool oms_stock_is_locked(void);
extern bool oms_set_stock_locked(bool locked);
extern bool oms_is_giving_way(const Store *store, const char *sku, const char *location);

/* companions.c */
extern Allocation *oms_add_companions(Store *store, const StockLevel *level, const Allocation *list, int *count);

#endif							/* OMS_GIVEWAY_H */
