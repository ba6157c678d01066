/*
 * fill.h
 *	  Giving units that are there to the orders that wait for them.
 */
#ifndef OMS_FILL_H
#define OMS_FILL_H

#include "storage/itemptr.h"

#include "rows.h"
#include "sourcing.h"
#include "stock.h"
#include "store.h"

/* Where a demand's rows were as it was read. */
typedef struct DemandVersion
{
	ItemPointerData line;
	ItemPointerData order;
} DemandVersion;

/* Orders that are to be given units, locked, and what they waited for before. */
typedef struct Waiting
{
	Array	   *order_ids;
	Demand	   *demands;		/* NULL: to be read */
	DemandVersion *versions;	/* of each */
	int			count;
} Waiting;

/* fill.c */
extern Waiting *oms_fill_lock(Store *store, const Array *skus, const StockChanges *arriving, bool may_wait);
extern Array *oms_fill_orders(Store *store, const Array *skus, int most, const char **numbers);
extern void oms_fill(Store *store, const Array *skus, const Waiting *waiting, bool have_arrived);

/* fill_skus.c */
extern Array *oms_fill_skus(Store *store, char **last);
extern Array *oms_fill_unstocked_skus(Store *store, char **last);

/* fill_read.c */
extern void oms_fill_read(Store *store, const Array *skus, const Array *order_ids, int64 most, Sourcing *sourcing,
						  DemandVersion **versions);
extern void oms_read_waiting_demands(Store *store, const pg_uuid_t *id, Sourcing *sourcing);
extern bool oms_fill_are_unchanged(Store *store, const Waiting *waiting);

/* fill_kits.c */
extern bool oms_is_kit_part(const Demand *demand);
extern void oms_limit_kits(Store *store, Sourcing *sourcing);
extern void oms_keep_whole_kits(Sourcing *sourcing);

/* fill_write.c */
extern bool oms_is_same_order(const Demand *a, const Demand *b);
extern void oms_fill_write(Store *store, Sourcing *sourcing);
extern void oms_release_stock_holds(Store *store, const Array *order_ids);

#endif							/* OMS_FILL_H */
