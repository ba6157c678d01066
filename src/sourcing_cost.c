/*
 * sourcing_cost.c
 *	  What it costs to serve a demand from a place, and who may.
 *
 * Between the plan (sourcing_price.c), which knows demands and places, and the
 * book of rules (rulebook.c), which knows channels, methods, zones and SKUs.  In
 * a store without rules and costs none of this is read.
 *
 * What is collected goes to the pickup location, whatever address the order has.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "channel_rules.h"
#include "loads.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"
#include "sourcing_cost.h"

static const StoreQuery read_skus = {
	"SELECT s.code, COALESCE(s.weight_grams, 0), s.tags FROM @.skus s WHERE s.code" EQ "ANY ($1) ORDER BY s.code",
	1, {TEXTARRAYOID}
};

static const StoreQuery read_addresses = {
	"SELECT a.id, a.country::pg_catalog.text, a.region, a.postal_code, a.latitude, a.longitude"
	" FROM @.addresses a WHERE a.id" EQ "ANY ($1) ORDER BY a.id",
	1, {UUIDARRAYOID}
};

/* All that could ever serve anything. */
static const StoreQuery read_all_places = {
	"SELECT l.code, l.tracked, " IS_PARTNER("l") " FROM @.locations l WHERE l.active ORDER BY l.code", 0, {0}
};

static void read_facts(Store *store, const Sourcing *sourcing, Costs *costs);
static void read_destinations(Store *store, const Sourcing *sourcing, Costs *costs);

/*
 * oms_read_costs reads what costs and rules depend on, NULL where there are no
 * rules.  Whoever plans for somebody else than the owner has had the book read
 * before (sourcing->book).
 */
Costs *
oms_read_costs(Store *store, const Sourcing *sourcing, const World *world)
{
	Costs	   *costs;

	if (oms_rules_are_empty(sourcing->book))
		return NULL;
	costs = palloc0(sizeof(Costs));
	costs->book = sourcing->book;
	costs->at = GetCurrentTransactionStartTimestamp();
	costs->locations = palloc_extended((world->nplaces + 1) * sizeof(SourceLocation *), MCXT_ALLOC_HUGE);
	for (int place = 0; place < world->nplaces; place++)
		costs->locations[place] = oms_location_of(world, place, costs->book);
	costs->terms = palloc((world->nplaces + 1) * sizeof(Terms));
	costs->has_terms = palloc0((world->nplaces + 1) * sizeof(bool));
	read_facts(store, sourcing, costs);
	if (oms_rules_ask_where_to(costs->book))
		read_destinations(store, sourcing, costs);
	return costs;
}

/*
 * texts_of returns the elements of a text array that are not NULL.
 */
static const char **
texts_of(Datum array, int *count)
{
	Datum	   *values;
	bool	   *nulls;
	int			nvalues;
	const char **texts;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &nvalues);
	texts = palloc((nvalues + 1) * sizeof(char *));
	*count = 0;
	for (int i = 0; i < nvalues; i++)
	{
		if (!nulls[i])
			texts[(*count)++] = TextDatumGetCString(values[i]);
	}
	return texts;
}

/*
 * read_facts reads the SKUs that are wanted.
 */
static void
read_facts(Store *store, const Sourcing *sourcing, Costs *costs)
{
	Array	   *codes = oms_array(TEXTOID, sourcing->count);
	uint64		count;

	for (int i = 0; i < sourcing->count; i++)
		oms_array_add_text(codes, sourcing->demands[i].sku);
	count = oms_run(store, &read_skus, (Datum[]) {oms_array_datum(codes)});
	costs->skus = palloc_extended((count + 1) * sizeof(SkuFacts), MCXT_ALLOC_HUGE);
	costs->nskus = (int) count;
	for (uint64 i = 0; i < count; i++)
	{
		bool		isnull;
		Datum		tags = oms_column(i, 3, TEXTARRAYOID, &isnull);

		costs->skus[i].sku = oms_column_text(i, 1);
		costs->skus[i].weight_grams = oms_column_int64(i, 2);
		costs->skus[i].ntags = 0;
		costs->skus[i].tags = isnull ? NULL : texts_of(tags, &costs->skus[i].ntags);
	}
}

/*
 * take_destinations takes those of a cart, which come with it.
 */
static void
take_destinations(const Sourcing *sourcing, Costs *costs)
{
	costs->destinations = palloc((sourcing->naddresses + 1) * sizeof(Destination));
	costs->ndestinations = sourcing->naddresses;
	for (int i = 0; i < sourcing->naddresses; i++)
	{
		const CartAddress *address = &sourcing->addresses[i];

		costs->destinations[i] = (Destination) {
			.address_id = address->id,
			.zone = oms_zone_of(costs->book, address->country, address->region, address->postal_code),
			.has_point = address->has_point, .latitude = address->latitude, .longitude = address->longitude
		};
	}
}

/*
 * read_destinations reads the addresses that shipments go to.
 */
static void
read_destinations(Store *store, const Sourcing *sourcing, Costs *costs)
{
	Array	   *ids = oms_array(UUIDOID, sourcing->count);
	const pg_uuid_t *last = NULL;
	uint64		count;

	if (sourcing->addresses)
	{
		take_destinations(sourcing, costs);
		return;
	}
	for (int i = 0; i < sourcing->count; i++)
	{
		const Demand *demand = &sourcing->demands[i];

		if (!demand->has_ship_to || (last && oms_uuid_cmp(last, &demand->ship_to) == 0))
			continue;
		last = &demand->ship_to;
		oms_array_add_uuid(ids, last);
	}
	if (ids->count == 0)
		return;
	count = oms_run(store, &read_addresses, (Datum[]) {oms_array_datum(ids)});
	costs->destinations = palloc_extended((count + 1) * sizeof(Destination), MCXT_ALLOC_HUGE);
	costs->ndestinations = (int) count;
	for (uint64 i = 0; i < count; i++)
	{
		Destination *to = &costs->destinations[i];
		bool		no_latitude;
		bool		no_longitude;
		Datum		latitude = oms_column(i, 5, FLOAT8OID, &no_latitude);
		Datum		longitude = oms_column(i, 6, FLOAT8OID, &no_longitude);

		to->address_id = oms_column_uuid(i, 1);
		to->zone = oms_zone_of(costs->book, oms_column_text(i, 2), oms_column_text(i, 3), oms_column_text(i, 4));
		to->has_point = !no_latitude && !no_longitude;
		to->latitude = to->has_point ? DatumGetFloat8(latitude) : 0;
		to->longitude = to->has_point ? DatumGetFloat8(longitude) : 0;
	}
}

/*
 * aim_at_place has the target be where the customer collects.
 */
static void
aim_at_place(Target *target, const SourceLocation *pickup)
{
	if (!pickup)
		return;
	target->destination_zone = pickup->zone;
	target->has_point = pickup->has_point;
	target->latitude = pickup->latitude;
	target->longitude = pickup->longitude;
}

/*
 * oms_aim_costs has costs and rules be asked for what goes the way of a demand.
 */
void
oms_aim_costs(Costs *costs, const World *world, const Demand *demand)
{
	Target	   *target = &costs->target;
	Destination *to = NULL;

	memset(target, 0, sizeof(Target));
	memset(costs->has_terms, 0, world->nplaces * sizeof(bool));
	target->channel = demand->channel;
	target->method = demand->method && demand->method[0] != '\0' ? demand->method : NULL;
	costs->policy = oms_sourcing_policy(costs->book, demand->channel);
	if (demand->pickup_location)
	{
		aim_at_place(target, oms_source_location(costs->book, demand->pickup_location));
		return;
	}
	if (demand->has_ship_to && costs->ndestinations > 0)
		to = bsearch(&demand->ship_to, costs->destinations, costs->ndestinations, sizeof(Destination), oms_uuid_cmp);
	if (!to)
		return;
	target->destination_zone = to->zone;
	target->has_point = to->has_point;
	target->latitude = to->latitude;
	target->longitude = to->longitude;
}

/*
 * compare_facts orders by SKU.
 */
static int
compare_facts(const void *a, const void *b)
{
	return strcmp(((const SkuFacts *) a)->sku, ((const SkuFacts *) b)->sku);
}

/*
 * judge asks the rules about a demand and a place.  Returns what they ask of the
 * SKU, NULL where it is gone.
 */
static const SkuFacts *
judge(Costs *costs, int place, const Demand *demand, Verdict *verdict)
{
	const SourceLocation *location = costs->locations[place];
	const SkuFacts *facts = costs->facts;

	/* it is the same for one place after the other */
	if (demand->sku != costs->asked)
	{
		SkuFacts	key = {.sku = demand->sku};

		facts = bsearch(&key, costs->skus, costs->nskus, sizeof(SkuFacts), compare_facts);
		costs->asked = demand->sku;
		costs->facts = facts;
	}
	if (location)
		oms_judge_source(costs->book, location, &costs->target, demand->sku, facts ? facts->tags : NULL,
						 facts ? facts->ntags : 0, costs->at, verdict);
	else
		memset(verdict, 0, sizeof(Verdict));
	return facts;
}

/*
 * oms_denies tells whether rules or its methods keep a place from serving a demand,
 * and why unless that is NULL.
 */
bool
oms_denies(Costs *costs, int place, const Demand *demand, const char **why)
{
	Verdict		verdict;

	(void) judge(costs, place, demand, &verdict);
	if (why)
		*why = verdict.why;
	return verdict.denied;
}

/*
 * terms_of returns what it costs to send from a place.
 */
static const Terms *
terms_of(Costs *costs, int place)
{
	if (!costs->has_terms[place])
	{
		memset(&costs->terms[place], 0, sizeof(Terms));
		if (costs->locations[place])
			oms_terms(costs->book, costs->locations[place], &costs->target, &costs->terms[place]);
		costs->has_terms[place] = true;
	}
	return &costs->terms[place];
}

/*
 * oms_shipment_cost returns what a shipment from a place costs, however much is
 * in it.
 */
int64
oms_shipment_cost(Costs *costs, int place)
{
	return terms_of(costs, place)->fixed;
}

/*
 * oms_demand_cost returns what a unit of a demand costs from a place.  What is not
 * counted in stock weighs nothing and is not picked.
 */
int64
oms_demand_cost(Costs *costs, int place, const Demand *demand)
{
	Verdict		verdict;
	const SkuFacts *facts;

	if (!demand->tracked || !costs->locations[place])
		return 0;
	facts = judge(costs, place, demand, &verdict);
	return oms_unit_cost(terms_of(costs, place), costs->locations[place], demand->sku, facts ? facts->weight_grams : 0,
						 verdict.prefer);
}

/*
 * oms_promise says when what a place ships now may be expected: at the end of the
 * day, by its clock, that is so many days in transit after the one in which it is
 * shipped, and not before it is wanted.  Returns false where that is unknown.
 */
bool
oms_promise(Costs *costs, int place, const Demand *demand, TimestampTz *at)
{
	const SourceLocation *location = costs->locations[place];
	const Terms *terms = terms_of(costs, place);

	if (!location || terms->transit_days < 0)
		return false;
	*at = oms_end_of_day(location, oms_day_of(location) + terms->transit_days);
	if (demand->has_requested_at)
		*at = Max(*at, demand->requested_at);
	return true;
}

/*
 * oms_require_allowed raises OM009 for a demand that rules or methods let no
 * location serve, whatever they have.
 */
void
oms_require_allowed(Store *store, const Sourcing *sourcing, const Demand *demand, int line_no)
{
	World		world = {0};
	Costs	   *costs;
	const char *why = NULL;
	uint64		count;

	if (oms_rules_are_empty(sourcing->book))
		return;
	count = oms_run(store, &read_all_places, NULL);
	world.places = palloc0((count + 1) * sizeof(Place));
	world.nplaces = (int) count;
	for (uint64 i = 0; i < count; i++)
	{
		world.places[i].code = oms_column_text(i, 1);
		world.places[i].tracked = oms_column_bool(i, 2);
		world.places[i].is_partner = oms_column_bool(i, 3);
	}
	costs = oms_read_costs(store, sourcing, &world);
	oms_aim_costs(costs, &world, demand);
	for (int place = 0; place < world.nplaces; place++)
	{
		const char *because;

		if (!oms_is_fit(&world.places[place], demand))
			continue;
		if (!oms_denies(costs, place, demand, &because))
			return;
		if (!why)
			why = because;
	}
	if (!why)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OMS_NO_LOCATION),
			 errmsg("no location may serve sku \"%s\" of order \"%s\", line %d: %s", demand->sku, demand->order_number, line_no, why),
			 errdetail_internal("[{\"line\":%d,\"sku\":%s,\"location\":%s,\"wanted\":" INT64_FORMAT ",\"available\":0}]", line_no,
								oms_json_text(demand->sku), demand->location ? oms_json_text(demand->location) : "null",
								demand->quantity),
			 errhint("See sourcing_rules and locations.methods; oms.explain_source tells of each location.")));
}
