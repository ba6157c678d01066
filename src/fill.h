/*
 * fill.h
 *	  Giving units that are there to the orders that wait for them.
 */
#ifndef OMS_FILL_H
#define OMS_FILL_H

#include "rows.h"
#include "sourcing.h"
#include "stock.h"
#include "store.h"

extern Array *oms_fill_lock(Store *store, const Array *skus, const StockChanges *arriving, bool may_wait);
extern Array *oms_fill_skus(Store *store, char **last);
extern Array *oms_fill_unstocked_skus(Store *store, char **last);
extern Array *oms_fill_orders(Store *store, const Array *skus, int most, const char **numbers);
extern void oms_read_waiting_demands(Store *store, const pg_uuid_t *id, Sourcing *sourcing);
extern void oms_release_stock_holds(Store *store, const Array *order_ids);
extern void oms_fill(Store *store, const Array *skus, const Array *order_ids, bool have_arrived);

/* fill_kits.c */
extern void oms_limit_kits(Store *store, Sourcing *sourcing);
extern void oms_keep_whole_kits(Sourcing *sourcing);

#endif							/* OMS_FILL_H */
