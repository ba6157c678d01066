/*
 * expand.c
 *	  Placing bundles: lines of their components, and warranties with their goods.
 *
 * Reached by action reserve with the orders' demands read.  The demand of a
 * bundle's line gives way to those of its components, in its place, so that all
 * an order wants is judged together.  Then the components' lines are inserted,
 * which carry the bundle's money to the last digit: each gets the difference of
 * what all up to it and all before it come to, rounded.  The bundle's line stays
 * as what the customer ordered and counts no more (expanded).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/json.h"

#include "bundle.h"
#include "document.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"
#include "uuid7.h"

static const StoreQuery read_components = {
	"SELECT w.place, c.sku, c.quantity, c.share, pg_catalog.sum(c.share) OVER (PARTITION BY w.place ORDER BY c.sku),"
	" pg_catalog.sum(c.share) OVER (PARTITION BY w.place), s.tracked, s.active, m.code, m.workflow, m.by_partner, b.ship_together"
	" FROM ROWS FROM (pg_catalog.unnest($1)) WITH ORDINALITY AS w(id, place) JOIN @.order_lines l ON l.id" EQ "w.id"
	" JOIN @.orders o ON o.id" EQ "l.order_id JOIN @.channels n ON n.code" EQ "o.channel JOIN @.skus b ON b.code" EQ "l.sku"
	" JOIN @.bundle_components c ON c.bundle" EQ "b.code JOIN @.skus s ON s.code" EQ "c.sku"
	" LEFT JOIN @.methods m ON m.code" EQ "COALESCE(l.method, b.default_method, s.default_method, n.default_method)"
	" ORDER BY w.place, c.sku",
	1, {UUIDARRAYOID}
};

static const StoreQuery read_parents = {
	"SELECT w.place, p.line_no::pg_catalog.int8, p.quantity, s.kind" EQ "'warranty', l.method IS NULL, l.location IS NULL,"
	" l.pickup_location IS NULL, l.ship_to_id IS NULL, l.ship_group IS NULL, l.requested_at IS NULL"
	" FROM ROWS FROM (pg_catalog.unnest($1)) WITH ORDINALITY AS w(id, place) JOIN @.order_lines l ON l.id" EQ "w.id"
	" LEFT JOIN @.order_lines p ON p.id" EQ "l.parent_line_id AND p.order_id" EQ "l.order_id LEFT JOIN @.skus s ON s.code" EQ "p.sku"
	" ORDER BY w.place",
	1, {UUIDARRAYOID}
};

#define NET "(l.quantity" TIMES "l.unit_price" MINUS "l.discount)"
#define UP_TO(amount, share) "pg_catalog.round(" amount TIMES share OVER "c.total, 4)"
#define PART(amount) "(" UP_TO(amount, "c.upto") MINUS UP_TO(amount, "(c.upto" MINUS "c.share)") ")"

/*
 * A price is rounded up to 4 decimals, and what that is too much is discount:
 * div divides whole numbers, so neither is ever off.
 */
static const StoreQuery insert_components = {
	"INSERT INTO @.order_lines (id, order_id, line_no, parent_line_id, sku, quantity, unit_price, discount, tax, method, location,"
	" pickup_location, ship_to_id, ship_group, requested_at, per_kit)"
	" SELECT c.id, l.order_id, c.line_no::pg_catalog.int4, l.id, c.sku, c.quantity, u.price, u.price" TIMES "c.quantity" MINUS "a.net,"
	" a.tax, COALESCE(l.method, b.default_method), l.location, l.pickup_location, l.ship_to_id, c.ship_group, l.requested_at, c.per_kit"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4),"
	" pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8), pg_catalog.unnest($9),"
	" pg_catalog.unnest($10)) AS c(id, line_id, line_no, sku, quantity, per_kit, ship_group, share, upto, total)"
	" JOIN @.order_lines l ON l.id" EQ "c.line_id JOIN @.skus b ON b.code" EQ "l.sku"
	" CROSS JOIN LATERAL (SELECT " PART(NET) " AS net, " PART("l.tax") " AS tax) a"
	" CROSS JOIN LATERAL (SELECT pg_catalog.div(a.net" TIMES "10000" PLUS "c.quantity" MINUS "1, c.quantity)" TIMES "0.0001 AS price) u",
	10, {
		UUIDARRAYOID, UUIDARRAYOID, INT8ARRAYOID, TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID, TEXTARRAYOID, NUMERICARRAYOID,
		NUMERICARRAYOID, NUMERICARRAYOID
	}
};

/* A person who edits a line holds it before the order: it is not waited for. */
static const StoreQuery lock_lines = {
	"SELECT l.id FROM @.order_lines l WHERE l.id" EQ "ANY ($1) ORDER BY l.id FOR NO KEY UPDATE SKIP LOCKED",
	1, {UUIDARRAYOID}
};

static const StoreQuery mark_bundles = {
	"UPDATE @.order_lines l SET expanded = true, revision = l.revision" PLUS "1 WHERE l.id" EQ "ANY ($1)",
	1, {UUIDARRAYOID}
};

static const StoreQuery group_warranties = {
	"UPDATE @.order_lines l SET ship_group = w.ship_group, revision = l.revision" PLUS "1"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS w(id, ship_group) WHERE l.id" EQ "w.id",
	2, {UUIDARRAYOID, TEXTARRAYOID}
};

/* The line of a bundle. */
typedef struct BundleLine
{
	Demand		demand;			/* as it was */
	int			ncomponents;
} BundleLine;

/* A component's line, about to be inserted. */
typedef struct ComponentLine
{
	Demand		demand;
	pg_uuid_t	bundle_id;		/* the line of its bundle */
	Datum		share;			/* numeric; of the bundle's price ... */
	Datum		upto;			/* ... of this one and those before it ... */
	Datum		total;			/* ... and of all */
} ComponentLine;

static void tie_warranties(Store *store, Sourcing *sourcing, int count, Expansion *expansion);

/*
 * path_of names a line in a fault.
 */
static const char *
path_of(const Demand *demand)
{
	return psprintf("lines[%d]", demand->line_no - 1);
}

/*
 * require_component refuses a component that cannot be sold now.
 */
static void
require_component(const Demand *bundle, const Demand *component, bool is_active)
{
	if (!is_active)
		oms_document_fault(path_of(bundle), "sku",
						   psprintf("sku \"%s\", which bundle \"%s\" holds, is not active", component->sku, bundle->sku));
	if (!component->method)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_NO_LOCATION),
				 errmsg("line %d of order \"%s\" has no method for sku \"%s\", which bundle \"%s\" holds", bundle->line_no,
						bundle->order_number, component->sku, bundle->sku),
				 errdetail_internal("[{\"line\":%d,\"sku\":%s,\"location\":null,\"wanted\":" INT64_FORMAT ",\"available\":0}]",
									bundle->line_no, oms_json_text(component->sku), component->quantity),
				 errhint("Give the line a method, the bundle or the SKU a default_method or the channel a default_method.")));
}

/*
 * read_component makes the line of a component from a row of read_components.
 */
static void
read_component(ComponentLine *line, const Demand *bundle, uint64 row)
{
	Demand	   *demand = &line->demand;

	*demand = *bundle;
	oms_uuid7(&demand->line_id);
	demand->is_bundle = false;
	demand->bundle_line = bundle->line_no;
	demand->sku = oms_column_text(row, 2);
	demand->per_kit = oms_column_int64(row, 3);
	if (bundle->quantity > MOST_LINE_UNITS / demand->per_kit)
		oms_document_fault(path_of(bundle), "quantity",
						   psprintf(INT64_FORMAT " of bundle \"%s\" hold more than " INT64_FORMAT " units of sku \"%s\"",
									bundle->quantity, bundle->sku, MOST_LINE_UNITS, demand->sku));
	demand->quantity = bundle->quantity * demand->per_kit;
	demand->tracked = oms_column_bool(row, 7);
	demand->method = oms_column_text(row, 9);
	demand->workflow = oms_column_text(row, 10);
	demand->by_partner = demand->method && oms_column_bool(row, 11);
	if (!demand->ship_group && oms_column_bool(row, 12))
		demand->ship_group = psprintf("bundle line %d", bundle->line_no);
	line->bundle_id = bundle->line_id;
	line->share = oms_column_numeric(row, 4);
	line->upto = oms_column_numeric(row, 5);
	line->total = oms_column_numeric(row, 6);
	require_component(bundle, demand, oms_column_bool(row, 8));
}

/*
 * expand makes out what the bundles' lines come to, which are in expansion.
 */
static void
expand(Store *store, Expansion *expansion)
{
	Array	   *ids = oms_array(UUIDOID, expansion->nbundles);
	uint64		found;

	for (int i = 0; i < expansion->nbundles; i++)
		oms_array_add_uuid(ids, &expansion->bundles[i].demand.line_id);
	found = oms_run(store, &read_components, (Datum[]) {oms_array_datum(ids)});
	if (found > MOST_COMPONENTS)
		oms_document_fault("lines", NULL,
						   psprintf("the bundles come to " UINT64_FORMAT " lines, and %d are the most", found, MOST_COMPONENTS));
	expansion->lines = palloc_extended(Max(1, found) * sizeof(ComponentLine), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	expansion->count = (int) found;
	for (uint64 i = 0; i < found; i++)
	{
		BundleLine *bundle = &expansion->bundles[oms_column_int64(i, 1) - 1];

		read_component(&expansion->lines[i], &bundle->demand, i);
		bundle->ncomponents++;
	}
	for (int i = 0; i < expansion->nbundles; i++)
	{
		const Demand *bundle = &expansion->bundles[i].demand;

		if (expansion->bundles[i].ncomponents == 0)
			oms_document_fault(path_of(bundle), "sku", psprintf("bundle \"%s\" has no items in bundle_items", bundle->sku));
	}
}

/*
 * number_lines numbers the components' lines after the last of their order.
 */
static void
number_lines(const Sourcing *sourcing, Expansion *expansion)
{
	int			from = 0;
	int			last = 0;

	for (int i = 0; i < expansion->count; i++)
	{
		Demand	   *component = &expansion->lines[i].demand;

		if (i == 0 || oms_uuid_cmp(&component->order_id, &expansion->lines[i - 1].demand.order_id) != 0)
		{
			while (oms_uuid_cmp(&sourcing->demands[from].order_id, &component->order_id) != 0)
				from++;
			for (last = 0; from < sourcing->count &&
				 oms_uuid_cmp(&sourcing->demands[from].order_id, &component->order_id) == 0; from++)
				last = Max(last, sourcing->demands[from].line_no);
		}
		if (last == PG_INT32_MAX)
			oms_document_fault("lines", NULL,
							   psprintf("the components of bundle lines are numbered after line %d, which is the last possible number",
										last));
		component->line_no = ++last;
	}
}

/*
 * share_groups tells the bundles' demands in which ship_group their components
 * go, for what is tied to them.
 */
static void
share_groups(Sourcing *sourcing, const Expansion *expansion)
{
	int			next = 0;

	for (int i = 0; i < sourcing->count; i++)
	{
		if (!sourcing->demands[i].is_bundle)
			continue;
		sourcing->demands[i].ship_group = expansion->lines[next].demand.ship_group;
		while (next < expansion->count &&
			   oms_uuid_cmp(&expansion->lines[next].bundle_id, &sourcing->demands[i].line_id) == 0)
			next++;
	}
}

/*
 * put_components puts the components' demands in the place of their bundles'.
 */
static void
put_components(Sourcing *sourcing, const Expansion *expansion)
{
	Demand	   *demands = palloc_extended((sourcing->count + expansion->count) * sizeof(Demand), MCXT_ALLOC_HUGE);
	int			count = 0;
	int			next = 0;

	for (int i = 0; i < sourcing->count; i++)
	{
		const Demand *demand = &sourcing->demands[i];

		if (!demand->is_bundle)
			demands[count++] = *demand;
		for (; demand->is_bundle && next < expansion->count &&
			 oms_uuid_cmp(&expansion->lines[next].bundle_id, &demand->line_id) == 0; next++)
			demands[count++] = expansion->lines[next].demand;
	}
	sourcing->demands = demands;
	sourcing->count = count;
}

/*
 * oms_expand_demands has components stand for bundles in what orders want, and
 * warranties go with what they are for.  Returns the lines to be written, NULL
 * where there are none.
 */
Expansion *
oms_expand_demands(Store *store, Sourcing *sourcing)
{
	Expansion  *expansion = palloc0(sizeof(Expansion));
	int			nbundles = 0;
	int			nwarranties = 0;

	expansion->grouped = oms_array(UUIDOID, 4);
	expansion->groups = oms_array(TEXTOID, 4);
	for (int i = 0; i < sourcing->count; i++)
	{
		nbundles += sourcing->demands[i].is_bundle;
		nwarranties += sourcing->demands[i].is_warranty;
	}
	if (nbundles > 0)
	{
		expansion->bundles = palloc0(nbundles * sizeof(BundleLine));
		for (int i = 0; i < sourcing->count; i++)
		{
			if (sourcing->demands[i].is_bundle)
				expansion->bundles[expansion->nbundles++].demand = sourcing->demands[i];
		}
		expand(store, expansion);
		number_lines(sourcing, expansion);
		share_groups(sourcing, expansion);
	}
	if (nwarranties > 0)
		tie_warranties(store, sourcing, nwarranties, expansion);
	if (nbundles + expansion->grouped->count == 0)
		return NULL;
	put_components(sourcing, expansion);
	return expansion;
}

/*
 * parent_of finds the demand of a line by its number; demands of an order stand
 * together.
 */
static const Demand *
parent_of(const Sourcing *sourcing, int from, int line_no)
{
	const Demand *demands = sourcing->demands;
	int			first = from;

	while (first > 0 && oms_uuid_cmp(&demands[first - 1].order_id, &demands[from].order_id) == 0)
		first--;
	for (; first < sourcing->count; first++)
	{
		if (demands[first].line_no == line_no)
			return &demands[first];
	}
	elog(ERROR, "a line of the order was not read");
}

/*
 * tie_warranties has each warranty go where the line goes that it is for, where
 * its own line says nothing else.
 */
static void
tie_warranties(Store *store, Sourcing *sourcing, int count, Expansion *expansion)
{
	Array	   *ids = oms_array(UUIDOID, count);
	uint64		row = 0;

	for (int i = 0; i < sourcing->count; i++)
	{
		if (sourcing->demands[i].is_warranty)
			oms_array_add_uuid(ids, &sourcing->demands[i].line_id);
	}
	(void) oms_run(store, &read_parents, (Datum[]) {oms_array_datum(ids)});
	for (int i = 0; i < sourcing->count; i++)
	{
		Demand	   *warranty = &sourcing->demands[i];
		const Demand *parent;

		if (!warranty->is_warranty)
			continue;
		if (oms_column_is_null(row, 2))
			oms_document_fault(path_of(warranty), "parent",
							   psprintf("sku \"%s\" is a warranty and needs the line of the order that it is for", warranty->sku));
		if (oms_column_bool(row, 4))
			oms_document_fault(path_of(warranty), "parent",
							   psprintf("line " INT64_FORMAT " is a warranty itself", oms_column_int64(row, 2)));
		if (oms_column_int64(row, 3) < warranty->quantity)
			oms_document_fault(path_of(warranty), "quantity",
							   psprintf("is more than the " INT64_FORMAT " units of line " INT64_FORMAT ", which the warranty is for",
										oms_column_int64(row, 3), oms_column_int64(row, 2)));
		parent = parent_of(sourcing, i, (int) oms_column_int64(row, 2));
		warranty->goods_line = parent->line_no;
		if (oms_column_bool(row, 5) && parent->method)
		{
			warranty->method = parent->method;
			warranty->workflow = parent->workflow;
			warranty->by_partner = parent->by_partner;
		}
		if (oms_column_bool(row, 6))
			warranty->location = parent->location;
		if (oms_column_bool(row, 7))
			warranty->pickup_location = parent->pickup_location;
		if (oms_column_bool(row, 8))
		{
			warranty->has_ship_to = parent->has_ship_to;
			warranty->ship_to = parent->ship_to;
		}
		if (oms_column_bool(row, 10))
		{
			warranty->has_requested_at = parent->has_requested_at;
			warranty->requested_at = parent->requested_at;
		}
		if (oms_column_bool(row, 9) && parent->ship_group)
		{
			warranty->ship_group = parent->ship_group;
			oms_array_add_uuid(expansion->grouped, &warranty->line_id);
			oms_array_add_text(expansion->groups, warranty->ship_group);
		}
		row++;
	}
}

/*
 * insert_lines inserts the components' lines.
 */
static void
insert_lines(Store *store, const Expansion *expansion)
{
	static const Oid types[10] = {
		UUIDOID, UUIDOID, INT8OID, TEXTOID, INT8OID, INT8OID, TEXTOID, NUMERICOID, NUMERICOID, NUMERICOID
	};
	Array	   *arrays[10];
	Datum		args[10];

	for (int i = 0; i < 10; i++)
		arrays[i] = oms_array(types[i], expansion->count);
	for (int i = 0; i < expansion->count; i++)
	{
		const ComponentLine *line = &expansion->lines[i];

		oms_array_add_uuid(arrays[0], &line->demand.line_id);
		oms_array_add_uuid(arrays[1], &line->bundle_id);
		oms_array_add_int64(arrays[2], line->demand.line_no);
		oms_array_add_text(arrays[3], line->demand.sku);
		oms_array_add_int64(arrays[4], line->demand.quantity);
		oms_array_add_int64(arrays[5], line->demand.per_kit);
		oms_array_add_text(arrays[6], line->demand.ship_group);
		oms_array_add(arrays[7], line->share);
		oms_array_add(arrays[8], line->upto);
		oms_array_add(arrays[9], line->total);
	}
	for (int i = 0; i < 10; i++)
		args[i] = oms_array_datum(arrays[i]);
	if (oms_run(store, &insert_components, args) != expansion->count)
		oms_refuse_interference("order_lines");
}

/*
 * oms_expansion_write writes the lines, and notes what that does to the orders'
 * units: their totals stay.  The caller acts as the owner and holds the orders.
 */
void
oms_expansion_write(Store *store, const Expansion *expansion, UnitChanges *units, Events *events)
{
	Array	   *ids = oms_array(UUIDOID, expansion->nbundles);

	for (int i = 0; i < expansion->nbundles; i++)
	{
		const BundleLine *bundle = &expansion->bundles[i];
		const Demand *demand = &bundle->demand;

		oms_array_add_uuid(ids, &demand->line_id);
		oms_order_stamp(units, &demand->order_id)->units = -demand->quantity;
		oms_event_add(events, &demand->order_id, "order_line", &demand->line_id, "expanded", NULL, NULL, NULL,
					  psprintf("{\"line\": %d, \"quantity\": " INT64_FORMAT ", \"components\": %d}", demand->line_no,
							   demand->quantity, bundle->ncomponents));
	}
	for (int i = 0; i < expansion->grouped->count; i++)
		oms_array_add(ids, expansion->grouped->values[i]);
	for (int i = 0; i < expansion->count; i++)
		oms_order_stamp(units, &expansion->lines[i].demand.order_id)->units = expansion->lines[i].demand.quantity;
	if (oms_run(store, &lock_lines, (Datum[]) {oms_array_datum(ids)}) != ids->count)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("a line of the order is being changed by another session"),
				 errhint("Retry the transaction.")));
	ids->count = expansion->nbundles;
	(void) oms_run(store, &mark_bundles, (Datum[]) {oms_array_datum(ids)});
	(void) oms_run(store, &group_warranties, (Datum[]) {
		oms_array_datum(expansion->grouped), oms_array_datum(expansion->groups)
	});
	if (expansion->count > 0)
		insert_lines(store, expansion);
}
