/*
 * refusals.c
 *	  Locations that are not asked again for an order.
 *
 * A fulfillment whose units were rerouted is a refusal of its location, unless it gave
 * way to a movement of stock: something is wrong there with the goods, or with the
 * order, and asking once more would only cost a day.  It holds for the order and all its
 * SKUs, until people say otherwise (ask_again).
 *
 * Asked by whoever plans for orders that are placed.  Like the plan, it is advice.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "oms.h"
#include "plan.h"
#include "rows.h"
#include "sourcing.h"

static const StoreQuery read_refusals = {
	"SELECT DISTINCT f.order_id, f.location FROM @.fulfillments f WHERE f.order_id" EQ "ANY ($1)"
	" AND f.rerouted AND NOT f.gave_way AND NOT f.ask_again ORDER BY f.order_id, f.location",
	1, {UUIDARRAYOID}
};

/* A location that has refused an order. */
typedef struct Refusal
{
	pg_uuid_t	order_id;		/* first: searched by it */
	const char *location;
} Refusal;

/*
 * oms_source_exclude tells each demand which locations have refused its order: units
 * do not go back to one of those.
 */
void
oms_source_exclude(Store *store, Sourcing *sourcing)
{
	Array	   *orders = oms_array(UUIDOID, sourcing->count);
	uint64		count;
	Refusal    *refusals;
	const char **locations;

	for (int i = 0; i < sourcing->count; i++)
		oms_array_add_uuid(orders, &sourcing->demands[i].order_id);
	count = oms_run(store, &read_refusals, (Datum[]) {oms_array_datum(orders)});
	if (count == 0)
		return;
	refusals = palloc_extended(count * sizeof(Refusal), MCXT_ALLOC_HUGE);
	locations = palloc_extended(count * sizeof(char *), MCXT_ALLOC_HUGE);
	for (uint64 i = 0; i < count; i++)
	{
		refusals[i].order_id = oms_column_uuid(i, 1);
		refusals[i].location = locations[i] = oms_column_text(i, 2);
	}
	for (int i = 0; i < sourcing->count; i++)
	{
		Demand	   *demand = &sourcing->demands[i];
		Refusal    *refusal = bsearch(&demand->order_id, refusals, count, sizeof(Refusal), oms_uuid_cmp);

		if (!refusal)
			continue;
		while (refusal > refusals && oms_uuid_cmp(refusal - 1, &demand->order_id) == 0)
			refusal--;
		demand->excluded = &locations[refusal - refusals];
		for (; refusal < refusals + count && oms_uuid_cmp(refusal, &demand->order_id) == 0; refusal++)
			demand->nexcluded++;
	}
}
