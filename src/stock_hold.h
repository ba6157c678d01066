/*
 * stock_hold.h
 *	  Units set aside before there is an order, and taking them back.
 */
#ifndef OMS_STOCK_HOLD_H
#define OMS_STOCK_HOLD_H

#include "document.h"
#include "giveway.h"
#include "sourcing.h"

/* An order being placed in steps, and the hold whose units it is to get. */
typedef struct PendingHold
{
	pg_uuid_t	order_id;
	const char *ref;
} PendingHold;

enum ItemField
{
	ITEM_SKU, ITEM_QUANTITY, ITEM_LOCATION, ITEM_FIELDS
};

typedef FieldValue ItemValues[ITEM_FIELDS];

/* A call of oms.hold_stock. */
typedef struct HoldRequest
{
	char	   *ref;
	char	   *channel;		/* or NULL */
	bytea	   *hash;
	int			nitems;
	ItemValues *items;
	bool	   *is_counted;		/* where the item is to come from, stock is */
	Demand	   *demands;		/* of what is counted in stock */
	int			count;
	int64		units;
} HoldRequest;

/* hold_items.c */
extern void oms_parse_hold(HoldRequest *request, Jsonb *items);
extern void oms_read_hold(Store *store, HoldRequest *request);

/* stock_hold.c */
extern void oms_require_hold_rows(uint64 written, uint64 wanted);
extern void oms_take_hold(Store *store, const char *ref, Sourcing *sourcing);
extern const PendingHold *oms_set_pending_hold(const PendingHold *hold);
extern void oms_take_pending_hold(Store *store, const pg_uuid_t *order_id, Sourcing *sourcing);

/* reclaim.c */
extern bool oms_reclaim(Store *store, Sourcing *sourcing);
extern bool oms_reclaim_in_thought(Store *store, Sourcing *sourcing);
extern void oms_require_reclaimed(Store *store, const Sourcing *sourcing);
extern int64 oms_give_holds(Store *store, const StockLevel *level, int64 missing);
extern int64 oms_end_stock_holds(Store *store, int64 max_rows);

#endif							/* OMS_STOCK_HOLD_H */
