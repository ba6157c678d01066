/*
 * refusals.c
 *	  Locations that are not asked again for an order.
 *
 * A fulfillment whose units were rerouted is a refusal of its location, unless it gave
 * way to a movement of stock: something is wrong there with the goods, or with the
 * order, and asking once more would only cost a day.  It holds for the order and all its
 * SKUs, until people say otherwise (ask_again), and for a SKU until units of it come in
 * there: what was on the shelf then is no longer what is.
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
	"SELECT f.order_id, f.location, f.refused_after FROM @.fulfillments f WHERE f.order_id" EQ "ANY ($1)"
	" AND f.rerouted AND NOT f.gave_way AND NOT f.ask_again ORDER BY f.order_id, f.location",
	1, {UUIDARRAYOID}
};

static const StoreQuery find_received = {
	"SELECT w.place FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3))"
	" WITH ORDINALITY AS w(sku, location, refused_after, place) WHERE EXISTS (SELECT FROM @.stock_movements m"
	" WHERE m.sku" EQ "w.sku AND m.location" EQ "w.location AND m.id" GT "w.refused_after"
	" AND m.kind" EQ "ANY ('{receipt,return,transfer_in}')) ORDER BY w.place",
	3, {TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID}
};

/* A location that has refused an order. */
typedef struct Refusal
{
	pg_uuid_t	order_id;		/* first: searched by it */
	const char *location;
	Datum		refused_after;	/* id of a movement: later ones lift it ... */
	bool		is_final;		/* ... or there is none, and only people do */
} Refusal;

/*
 * read_refusals_of reads which locations have refused the orders of demands, by order.
 */
static Refusal *
read_refusals_of(Store *store, const Sourcing *sourcing, int *count)
{
	Array	   *orders = oms_array(UUIDOID, sourcing->count);
	Refusal    *refusals;

	for (int i = 0; i < sourcing->count; i++)
		oms_array_add_uuid(orders, &sourcing->demands[i].order_id);
	*count = (int) oms_run(store, &read_refusals, (Datum[]) {oms_array_datum(orders)});
	refusals = palloc_extended(Max(1, *count) * sizeof(Refusal), MCXT_ALLOC_HUGE);
	for (int i = 0; i < *count; i++)
	{
		refusals[i].order_id = oms_column_uuid(i, 1);
		refusals[i].location = oms_column_text(i, 2);
		refusals[i].refused_after = oms_column(i, 3, INT8OID, &refusals[i].is_final);
	}
	return refusals;
}

/*
 * first_refusal returns the first of an order's refusals, or NULL.
 */
static const Refusal *
first_refusal(const Refusal *refusals, int count, const pg_uuid_t *order_id)
{
	const Refusal *refusal = bsearch(order_id, refusals, count, sizeof(Refusal), oms_uuid_cmp);

	while (refusal && refusal > refusals && oms_uuid_cmp(refusal - 1, order_id) == 0)
		refusal--;
	return refusal;
}

/*
 * exclude adds a location to those that will not do for a demand.
 */
static void
exclude(Demand *demand, const char *location)
{
	if (demand->nexcluded > 0 && strcmp(demand->excluded[demand->nexcluded - 1], location) == 0)
		return;
	demand->excluded[demand->nexcluded++] = location;
}

/*
 * oms_source_exclude tells each demand which locations have refused its order: units
 * do not go back to one of those, but for what has been received there since.
 */
void
oms_source_exclude(Store *store, Sourcing *sourcing)
{
	int			count;
	int			asked = 0;
	uint64		nreceived;
	uint64		next = 0;
	Refusal    *refusals = read_refusals_of(store, sourcing, &count);
	const Refusal *end = refusals + count;
	Array	   *skus = oms_array(TEXTOID, count);
	Array	   *locations = oms_array(TEXTOID, count);
	Array	   *afters = oms_array(INT8OID, count);

	if (count == 0)
		return;
	for (int i = 0; i < sourcing->count; i++)
	{
		Demand	   *demand = &sourcing->demands[i];
		const Refusal *first = first_refusal(refusals, count, &demand->order_id);
		const Refusal *r;

		for (r = first; r && r < end && oms_uuid_cmp(r, &demand->order_id) == 0; r++)
		{
			oms_array_add_text(skus, demand->sku);
			oms_array_add_text(locations, r->location);
			if (r->is_final)
				oms_array_add_null(afters);
			else
				oms_array_add(afters, r->refused_after);
		}
		demand->excluded = r > first ? palloc((r - first) * sizeof(char *)) : NULL;
	}
	nreceived = oms_run(store, &find_received, (Datum[]) {oms_array_datum(skus), oms_array_datum(locations), oms_array_datum(afters)});
	for (int i = 0; i < sourcing->count; i++)
	{
		Demand	   *demand = &sourcing->demands[i];
		const Refusal *r = first_refusal(refusals, count, &demand->order_id);

		for (; r && r < end && oms_uuid_cmp(r, &demand->order_id) == 0; r++)
		{
			asked++;
			if (next < nreceived && oms_column_int64(next, 1) == asked)
				next++;
			else
				exclude(demand, r->location);
		}
	}
}
