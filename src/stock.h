/*
 * stock.h
 *	  Changing stock, and the ledger of physical movements.
 */
#ifndef OMS_STOCK_H
#define OMS_STOCK_H

#include "commands/trigger.h"
#include "store.h"
#include "utils/uuid.h"

/* What is added to the counters of one SKU at one location. */
typedef struct StockChange
{
	const char *sku;
	const char *location;
	int64		on_hand;
	int64		unavailable;
	int64		reserved;
	bool		takes;			/* must find that many units available ... */
	int64		leaves;			/* ... and leave so many, by the channel's
								 * rules */
	bool		converts;		/* has an order get what was held for it */
} StockChange;

typedef struct StockChanges
{
	int			count;
	int			capacity;
	StockChange *changes;
} StockChanges;

/* A row for the ledger whose effect on stock the engine brings about itself. */
typedef struct Movement
{
	const char *sku;
	const char *location;
	const char *kind;
	int64		quantity;
	int64		on_hand;
	int64		unavailable;
	const char *reason;
	pg_uuid_t	entity_id;		/* a fulfillment */
} Movement;

typedef struct Movements
{
	int			count;
	int			capacity;
	Movement   *rows;
} Movements;

extern StockChanges *oms_stock_changes(int capacity);
extern StockChange *oms_stock_change(StockChanges *list, const char *sku, const char *location);
extern void oms_stock_merge(StockChanges *list);
extern bool oms_stock_apply(Store *store, const StockChanges *list);

extern Movements *oms_movements(int capacity);
extern Movement *oms_movement(Movements *list, const char *sku, const char *location,
							  const char *kind, int64 quantity);
extern void oms_movements_write(Store *store, const Movements *list);

/* replay.c */
extern bool oms_is_replay(Store *store, TriggerData *trigger);

/* movement.c */
extern HeapTuple oms_guard_movement(Store *store, TriggerData *trigger);
extern void oms_act_movement(Store *store, TriggerData *trigger);

#endif							/* OMS_STOCK_H */
