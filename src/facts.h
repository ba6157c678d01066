/*
 * facts.h
 *	  Reading orders and fulfillments as guards and actions see them.
 */
#ifndef OMS_FACTS_H
#define OMS_FACTS_H

#include "machine.h"
#include "rows.h"
#include "shape.h"

/*
 * Whether it is time for what is wanted at a time by a method; compared so that
 * no time is too early to be asked about.
 */
#define IS_DUE(at, method) \
	"CASE WHEN " at " IS NULL THEN true ELSE " at LE "(pg_catalog.clock_timestamp()" PLUS \
	"(SELECT d.lead_time FROM @.methods d WHERE d.code" EQ method ")) END"

typedef struct OrderFactsList
{
	int			count;
	OrderFacts *orders;			/* sorted by id */
} OrderFactsList;

extern OrderFactsList *oms_lock_orders(Store *store, const Array *ids);
extern OrderFactsList *oms_read_orders(Store *store, const Array *ids);
extern const OrderFacts *oms_find_order(const OrderFactsList *list, const pg_uuid_t *id);
extern void oms_order_facts(const Shape *shape, const RowValues *row, OrderFacts *facts);
extern void oms_learn(Store *store, EntityKind entity, Mover *movers, int count);
extern void oms_peek(Store *store, EntityKind entity, Mover *movers, int count);
extern void oms_busy(const char *number);

#endif							/* OMS_FACTS_H */
