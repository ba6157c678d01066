/*
 * giveway.h
 *	  Setting stock to what it is, and allocations that must give way to it.
 */
#ifndef OMS_GIVEWAY_H
#define OMS_GIVEWAY_H

#include "store.h"

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

extern void oms_set_levels(Store *store, StockLevel *levels, int count);
extern bool oms_stock_is_locked(void);
extern bool oms_set_stock_locked(bool locked);

#endif							/* OMS_GIVEWAY_H */
