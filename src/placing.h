/*
 * placing.h
 *	  What the triggers are told of an order that is written as it ends up.
 */
#ifndef OMS_PLACING_H
#define OMS_PLACING_H

#include "commands/trigger.h"
#include "machine.h"
#include "sourcing.h"

/* An order on its way into the tables; see placing.c. */
typedef struct Placing
{
	const OrderFacts *order;	/* as it ends up */
	bool		tax_included;
	bool		is_final;		/* its state: nothing leaves it */
	const Demand *const *demands;	/* its lines, as they are inserted */
	int			nlines;
	int64		fewest_shipments;

	MemoryContext context;		/* of total_due */

	/* what the triggers have still to see */
	bool		row_is_due;
	int			lines_filled;
	int64		units_due;
	int			holds_due;
	Datum		total_due;		/* numeric */
} Placing;

extern Placing *oms_placing_set(Placing *placing);
extern Placing *oms_placing_of(const pg_uuid_t *order_id);
extern void oms_placing_counts(Placing *placing, int64 units, Datum amount);
extern bool oms_placing_is_over(const Placing *placing);
extern HeapTuple oms_guard_new_line(Store *store, TriggerData *trigger);

#endif							/* OMS_PLACING_H */
