/*
 * quote.c
 *	  oms.quote: what a cart would cost to send, from where, and when it is there.
 *
 * The cart is planned as placing it would (sourcing_plan.c), in thought; then once
 * more for each other way in which all of it could go.  It reads as the caller; only
 * the book of sourcing rules is read as the owner, as in plan_order.c.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "machine.h"
#include "oms.h"
#include "plan.h"
#include "quote.h"
#include "rows.h"

PG_FUNCTION_INFO_V1(oms_quote);

#define MOST_PICKUPS 20			/* locations that are offered */
#define PICKUP_STATE "ready_for_pickup" /* of workflows by which customers
										 * collect */

static const StoreQuery read_methods = {
	"SELECT m.code, m.workflow, m.by_partner FROM @.methods m ORDER BY m.code", 0, {0}
};

static const StoreQuery read_stock_at = {
	"SELECT pg_catalog.jsonb_object_agg(s.sku, s.available)::pg_catalog.text FROM @.stock s"
	" WHERE s.location" EQ "$1 AND s.sku" EQ "ANY ($2) AND s.available" GT "0",
	2, {TEXTOID, TEXTARRAYOID}
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

/* What the cart comes to. */
typedef struct Quote
{
	Sourcing	sourcing;
	int64		cost;			/* in 1/10,000 */
	int			shipments;
	bool		has_promise;
	TimestampTz promised_at;
	const Demand *lacking;		/* the first that has not all; NULL: none */
} Quote;

static void write_options(Cart *cart, StringInfo json);

/*
 * promise_all says when the last piece is there, if that is known of all.
 */
static void
promise_all(Quote *quote)
{
	const Sourcing *sourcing = &quote->sourcing;

	quote->has_promise = sourcing->npieces > 0 && !quote->lacking;
	for (int i = 0; i < sourcing->npieces; i++)
	{
		const Piece *piece = &sourcing->pieces[i];

		quote->has_promise &= piece->has_promise;
		if (i == 0 || piece->promised_at > quote->promised_at)
			quote->promised_at = piece->promised_at;
	}
}

/*
 * plan plans demands of the cart, which are changed, and adds up what that costs.
 */
static void
plan(const Cart *cart, Demand *demands, Quote *quote)
{
	Sourcing   *sourcing = &quote->sourcing;
	World		world;
	Planner		planner;
	PlanProblem *problems;
	int			count;

	memset(quote, 0, sizeof(Quote));
	if (cart->count == 0)
		return;
	sourcing->demands = demands;
	sourcing->count = cart->count;
	sourcing->book = cart->book;
	sourcing->addresses = cart->addresses;
	sourcing->naddresses = cart->naddresses;
	oms_source_in_thought(cart->store, sourcing);
	oms_read_world(cart->store, sourcing, false, &world);
	oms_plan_begin(&planner, cart->store, sourcing, &world);
	problems = oms_plan_problems(&planner, 0, sourcing->count, &count);
	for (int i = 0; i < count; i++)
	{
		int			first = sourcing->npieces;
		Outcome		outcome;

		oms_solve_problem(&planner, &problems[i]);
		oms_read_outcome(&planner, &problems[i], first, &outcome);
		quote->cost += outcome.cost;
		quote->shipments += outcome.shipments;
	}
	MemoryContextDelete(planner.scratch);
	oms_join_pieces(sourcing, 0);
	for (int i = 0; i < sourcing->count && !quote->lacking; i++)
	{
		if (demands[i].found < demands[i].quantity)
			quote->lacking = &demands[i];
	}
	promise_all(quote);
}

/*
 * add_money, add_time and add_text add members of a JSON object, null where there is
 * nothing.
 */
static void
add_money(StringInfo json, const char *name, int64 amount)
{
	appendStringInfo(json, ",\"%s\":%s", name,
					 DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(int64_div_fast_to_numeric(amount, 4)))));
}

static void
add_time(StringInfo json, const char *name, bool is_known, TimestampTz at)
{
	char		text[MAXDATELEN + 1];

	if (!is_known)
		appendStringInfo(json, ",\"%s\":null", name);
	else
		appendStringInfo(json, ",\"%s\":\"%s\"", name, JsonEncodeDateTime(text, TimestampTzGetDatum(at), TIMESTAMPTZOID, NULL));
}

static void
add_text(StringInfo json, const char *name, const char *text)
{
	appendStringInfo(json, ",\"%s\":%s", name, text ? oms_json_text(text) : "null");
}

/*
 * write_units writes units of a demand that come from one place, NULL: from none.
 */
static void
write_units(StringInfo json, const Demand *demand, const Piece *piece, const char *disposition, int64 quantity)
{
	if (quantity <= 0)
		return;
	appendStringInfo(json, "%s{\"line\":%d", json->data[json->len - 1] == '[' ? "" : ",",
					 demand->bundle_line > 0 ? demand->bundle_line : demand->line_no);
	add_text(json, "sku", demand->sku);
	appendStringInfo(json, ",\"quantity\":" INT64_FORMAT, quantity);
	add_text(json, "method", demand->method);
	add_text(json, "location", piece ? piece->location : NULL);
	add_text(json, "pickup_location", demand->pickup_location);
	add_text(json, "disposition", disposition);
	if (piece)
		add_money(json, "unit_cost", piece->unit_cost);
	else
		appendStringInfoString(json, ",\"unit_cost\":null");
	add_time(json, "promised_at", piece && piece->has_promise, piece ? piece->promised_at : 0);
	appendStringInfoChar(json, '}');
}

/*
 * write_lines writes from where the units come, as the lines stand.
 */
static void
write_lines(const Quote *quote, StringInfo json)
{
	const Sourcing *sourcing = &quote->sourcing;
	int			next = 0;

	for (int i = 0; i < sourcing->count; i++)
	{
		const Demand *demand = &sourcing->demands[i];

		for (; next < sourcing->npieces && sourcing->pieces[next].demand == demand; next++)
			write_units(json, demand, &sourcing->pieces[next], "allocate", sourcing->pieces[next].quantity);
		write_units(json, demand, NULL, "backorder", demand->backordered);
		write_units(json, demand, NULL, "short", oms_lacking(demand));
	}
}

/*
 * oms_quote is oms.quote(store, document).
 */
Datum
oms_quote(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 2);
	MemoryContext caller = CurrentMemoryContext;
	Cart		cart = {0};
	Quote		quote;
	Demand	   *demands;
	StringInfoData json;
	char	   *text;

	oms_spi_begin();
	oms_read_cart(store, PG_GETARG_JSONB_P(1), &cart);
	demands = palloc_extended((cart.count + 1) * sizeof(Demand), MCXT_ALLOC_HUGE);
	memcpy(demands, cart.demands, cart.count * sizeof(Demand));
	initStringInfo(&json);
	appendStringInfoString(&json, "{\"lines\":[");
	plan(&cart, demands, &quote);
	write_lines(&quote, &json);
	appendStringInfoChar(&json, ']');
	add_money(&json, "cost", quote.cost);
	appendStringInfo(&json, ",\"shipments\":%d", quote.shipments);
	add_time(&json, "promised_at", quote.has_promise, quote.promised_at);
	appendStringInfo(&json, ",\"complete\":%s,\"options\":[", quote.lacking ? "false" : "true");
	write_options(&cart, &json);
	appendStringInfoString(&json, "]}");
	MemoryContextSwitchTo(caller);
	text = pstrdup(json.data);
	oms_spi_end();
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
}

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
 * write_stock_at writes what a location has now of what is wanted.
 */
static void
write_stock_at(const Cart *cart, const char *location, StringInfo json)
{
	Array	   *skus = oms_array(TEXTOID, cart->count);

	for (int i = 0; i < cart->count; i++)
		oms_array_add_text(skus, cart->demands[i].sku);
	(void) oms_run(cart->store, &read_stock_at, (Datum[]) {CStringGetTextDatum(location), oms_array_datum(skus)});
	appendStringInfo(json, ",\"in_stock\":%s", oms_column_is_null(0, 1) ? "{}" : oms_column_text(0, 1));
}

/*
 * write_option writes what one way comes to.
 */
static void
write_option(const Cart *cart, const Way *way, StringInfo json)
{
	Quote		quote;

	CHECK_FOR_INTERRUPTS();
	plan(cart, go(cart, way), &quote);
	appendStringInfo(json, "%s{\"possible\":%s", json->data[json->len - 1] == '[' ? "" : ",", quote.lacking ? "false" : "true");
	add_text(json, "method", way->method);
	add_text(json, "why_not", quote.lacking ?
			 psprintf(INT64_FORMAT " of " INT64_FORMAT " units of sku \"%s\" are at no location that may serve them so",
					  quote.lacking->quantity - quote.lacking->found, quote.lacking->quantity, quote.lacking->sku) : NULL);
	if (quote.lacking)
		appendStringInfoString(json, ",\"cost\":null,\"shipments\":null");
	else
	{
		add_money(json, "cost", quote.cost);
		appendStringInfo(json, ",\"shipments\":%d", quote.shipments);
	}
	add_time(json, "promised_at", quote.has_promise, quote.promised_at);
	add_text(json, "pickup_location", way->pickup_location);
	if (way->pickup_location && way->km >= 0)
		appendStringInfo(json, ",\"distance_km\":%.1f", way->km);
	else
		appendStringInfoString(json, ",\"distance_km\":null");
	if (way->pickup_location)
		write_stock_at(cart, way->pickup_location, json);
	appendStringInfoChar(json, '}');
}

/*
 * write_options writes in which ways all of the cart could go.
 */
static void
write_options(Cart *cart, StringInfo json)
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
