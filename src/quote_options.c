/*
 * quote_options.c
 *	  In which ways all of a cart could go, and what each would come to.
 *
 * One for each method that a location offers; of one by which customers collect, one
 * for each location where they could.  Each is planned like the cart itself (quote.c).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "machine.h"
#include "oms.h"
#include "plan.h"
#include "quote.h"
#include "rows.h"

#define MOST_PICKUPS 20			/* locations that are offered */
#define PICKUP_STATE "ready_for_pickup" /* of workflows by which customers
										 * collect */

static const StoreQuery read_methods = {
	"SELECT m.code, m.workflow, m.by_partner FROM @.methods m ORDER BY m.code", 0, {0}
};

#define STOCK_AT(held) \
	"SELECT pg_catalog.jsonb_object_agg(x.sku, x.units)::pg_catalog.text FROM (SELECT s.sku, GREATEST(s.available, 0)" PLUS held \
	" AS units FROM @.stock s WHERE s.location" EQ "$1 AND s.sku" EQ "ANY ($2)) x WHERE x.units" GT "0"

static const StoreQuery read_stock_at = {STOCK_AT("0"), 2, {TEXTOID, TEXTARRAYOID}};

/* The same of a cart for which units are held. */
static const StoreQuery read_held_stock_at = {
	STOCK_AT("COALESCE((SELECT pg_catalog.sum(h.quantity) FROM @.stock_holds h WHERE h.ref" EQ "$3 AND h.sku" EQ "s.sku"
			 " AND h.location" EQ "s.location), 0)::pg_catalog.int8"),
	3, {TEXTOID, TEXTARRAYOID, TEXTOID}
};

/* A way in which all of the cart could go. */
typedef struct Way
{
	const char *method;
	const char *workflow;
	bool		by_partner;
	const char *pickup_location;	/* or NULL */
	double		km;				/* to it; -1: unknown */
} Way;

/*
 * offers tells whether a location offers a method.
 */
static bool
offers(const SourceLocation *location, const Way *way)
{
	if (!location->is_active)
		return false;
	for (int i = 0; i < location->nmethods; i++)
	{
		if (strcmp(location->methods[i], way->method) == 0)
			return true;
	}
	return location->nmethods < 0;
}

/*
 * is_offered tells whether any location that could serve a method offers it.
 */
static bool
is_offered(const Cart *cart, const Way *way)
{
	int			count;
	const SourceLocation *locations = oms_source_locations(cart->book, &count);

	for (int i = 0; i < count; i++)
	{
		if (offers(&locations[i], way) && (locations[i].is_partner || !way->by_partner))
			return true;
	}
	return false;
}

/*
 * kilometers returns how far a location is from where the cart goes, -1 unknown.
 */
static double
kilometers(const Cart *cart, const SourceLocation *location)
{
	Target		target = {0};
	Terms		terms;

	if (cart->doc->ship_to < 0)
		return -1;
	target.has_point = cart->addresses[cart->doc->ship_to].has_point;
	target.latitude = cart->addresses[cart->doc->ship_to].latitude;
	target.longitude = cart->addresses[cart->doc->ship_to].longitude;
	oms_terms(cart->book, location, &target, &terms);
	return terms.km;
}

/*
 * compare_ways orders the nearest first, those of which that is not known last.
 */
static int
compare_ways(const void *a, const void *b)
{
	const Way  *left = a;
	const Way  *right = b;

	if ((left->km < 0) != (right->km < 0))
		return left->km < 0 ? 1 : -1;
	if (left->km != right->km)
		return left->km < right->km ? -1 : 1;
	return strcmp(left->pickup_location, right->pickup_location);
}

/*
 * pickups returns where a customer could collect, the nearest first.
 */
static Way *
pickups(const Cart *cart, const Way *way, int *npickups)
{
	int			count;
	const SourceLocation *locations = oms_source_locations(cart->book, &count);
	Way		   *list = palloc_extended((count + 1) * sizeof(Way), MCXT_ALLOC_HUGE);

	*npickups = 0;
	for (int i = 0; i < count; i++)
	{
		if (!offers(&locations[i], way) || !locations[i].tracked)
			continue;
		list[*npickups] = *way;
		list[*npickups].pickup_location = locations[i].code;
		list[(*npickups)++].km = kilometers(cart, &locations[i]);
	}
	qsort(list, *npickups, sizeof(Way), compare_ways);
	*npickups = Min(*npickups, MOST_PICKUPS);
	return list;
}

/*
 * go has all that is counted in stock, and what goes with it, go one way.
 */
static Demand *
go(const Cart *cart, const Way *way)
{
	Demand	   *demands = palloc_extended((cart->count + 1) * sizeof(Demand), MCXT_ALLOC_HUGE);

	memcpy(demands, cart->demands, cart->count * sizeof(Demand));
	for (int i = 0; i < cart->count; i++)
	{
		Demand	   *demand = &demands[i];

		if (!demand->tracked && demand->goods_line == 0)
			continue;
		demand->method = way->method;
		demand->workflow = way->workflow;
		demand->by_partner = way->by_partner;
		demand->pickup_location = way->pickup_location;
	}
	return demands;
}

/*
 * write_stock_at writes what a location has now of what is wanted, for the cart.
 */
static void
write_stock_at(const Cart *cart, const char *location, StringInfo json)
{
	Array	   *skus = oms_array(TEXTOID, cart->count);
	bool		has_hold = cart->held && cart->held->count > 0;

	for (int i = 0; i < cart->count; i++)
		oms_array_add_text(skus, cart->demands[i].sku);
	(void) oms_run(cart->store, has_hold ? &read_held_stock_at : &read_stock_at, (Datum[]) {
		CStringGetTextDatum(location), oms_array_datum(skus),
		has_hold ? CStringGetTextDatum(cart->doc->fields[DOC_STOCK_HOLD].text) : (Datum) 0
	});
	appendStringInfo(json, ",\"in_stock\":%s", oms_column_is_null(0, 1) ? "{}" : oms_column_text(0, 1));
}

/*
 * write_option writes what one way comes to.
 */
static void
write_option(const Cart *cart, const Way *way, StringInfo json)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "oms quote option", ALLOCSET_DEFAULT_SIZES);
	MemoryContext before = MemoryContextSwitchTo(scratch);
	Quote		quote;

	CHECK_FOR_INTERRUPTS();
	oms_plan_cart(cart, go(cart, way), &quote);
	appendStringInfo(json, "%s{\"possible\":%s", json->data[json->len - 1] == '[' ? "" : ",", quote.lacking ? "false" : "true");
	oms_add_text(json, "method", way->method);
	oms_add_text(json, "why_not", quote.lacking ?
				 psprintf(INT64_FORMAT " of " INT64_FORMAT " units of sku \"%s\" are at no location that may serve them so",
						  quote.lacking->quantity - quote.lacking->found, quote.lacking->quantity, quote.lacking->sku) : NULL);
	if (quote.lacking)
		appendStringInfoString(json, ",\"cost\":null,\"shipments\":null");
	else
	{
		oms_add_money(json, "cost", quote.cost);
		appendStringInfo(json, ",\"shipments\":%d", quote.shipments);
	}
	oms_add_time(json, "promised_at", quote.has_promise, quote.promised_at);
	oms_add_text(json, "pickup_location", way->pickup_location);
	if (way->pickup_location && way->km >= 0)
		appendStringInfo(json, ",\"distance_km\":%.1f", way->km);
	else
		appendStringInfoString(json, ",\"distance_km\":null");
	if (way->pickup_location)
		write_stock_at(cart, way->pickup_location, json);
	appendStringInfoChar(json, '}');
	MemoryContextSwitchTo(before);
	MemoryContextDelete(scratch);
}

/*
 * oms_write_options writes in which ways all of the cart could go.
 */
void
oms_write_options(const Cart *cart, StringInfo json)
{
	uint64		found = oms_run(cart->store, &read_methods, NULL);
	Way		   *ways = palloc0((found + 1) * sizeof(Way));

	for (uint64 i = 0; i < found; i++)
	{
		ways[i].method = oms_column_text(i, 1);
		ways[i].workflow = oms_column_text(i, 2);
		ways[i].by_partner = oms_column_bool(i, 3);
	}
	for (uint64 i = 0; i < found; i++)
	{
		Machine    *machine = oms_machine(cart->store, ways[i].workflow, ENTITY_FULFILLMENT);
		int			npickups = 0;
		Way		   *list;

		if (!is_offered(cart, &ways[i]))
			continue;
		if (oms_machine_state(machine, PICKUP_STATE) < 0)
		{
			write_option(cart, &ways[i], json);
			continue;
		}
		list = pickups(cart, &ways[i], &npickups);
		for (int k = 0; k < npickups; k++)
			write_option(cart, &list[k], json);
	}
}
