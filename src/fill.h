/*
 * fill.h
 *	  Giving units that have arrived to the orders that wait for them.
 */
#ifndef OMS_FILL_H
#define OMS_FILL_H

#include "rows.h"
#include "store.h"

extern Array *oms_fill_lock(Store *store, const Array *skus, const Array *units, bool may_wait);
extern void oms_release_stock_holds(Store *store, const Array *order_ids);
extern void oms_fill(Store *store, const Array *skus, const Array *order_ids);

#endif							/* OMS_FILL_H */
