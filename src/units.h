/*
 * units.h
 *	  Changing the counters of lines and orders.
 */
#ifndef OMS_UNITS_H
#define OMS_UNITS_H

#include "store.h"
#include "utils/uuid.h"

/* What becomes of units of one order line; each is added to its counter. */
typedef struct UnitChange
{
	pg_uuid_t	line_id;		/* first: sorted by it */
	pg_uuid_t	order_id;
	int64		canceled;
	int64		allocated;
	int64		backordered;	/* policy_id says under which, where more; 0:
								 * none */
	int64		short_units;
	int64		shipped;
	int64		delivered;
	int64		returned;
	pg_uuid_t	policy_id;
} UnitChange;

/* What else happens to an order in the same statement. */
typedef struct OrderStamp
{
	pg_uuid_t	order_id;
	bool		is_placed;		/* placed_at, payment_required */
	bool		is_canceled;	/* canceled_at */
	bool		is_approved;	/* credit_approved */
	int64		units;			/* added to units: components, less bundles */
	int64		fewest;			/* added to fewest_shipments, which begins
								 * when the order is placed */
} OrderStamp;

typedef struct UnitChanges
{
	bool		lines_are_ours; /* nobody else can see the lines yet */
	int			count;
	int			capacity;
	UnitChange *changes;
	int			nstamps;
	int			stamps_capacity;
	OrderStamp *stamps;
} UnitChanges;

extern UnitChanges *oms_unit_changes(int capacity);
extern UnitChange *oms_unit_change(UnitChanges *list, const pg_uuid_t *order_id,
								   const pg_uuid_t *line_id);
extern OrderStamp *oms_order_stamp(UnitChanges *list, const pg_uuid_t *order_id);
extern void oms_units_apply(Store *store, UnitChanges *list);

#endif							/* OMS_UNITS_H */
