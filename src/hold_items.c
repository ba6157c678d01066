/*
 * hold_items.c
 *	  What a stock hold is to set aside: the items of oms.hold_stock.
 *
 * stock_hold.c comes here with the argument, and gets demands as an order's,
 * for the same plan.  A bundle is held as its components, those of a kit
 * together where one place has them: what an order of it will want.  What takes
 * no stock is passed over.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "bundle.h"
#include "document.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"
#include "stock_hold.h"

static const StoreQuery look_up = {
	"SELECT w.place, COALESCE(s.active, false), COALESCE(s.tracked, true), COALESCE(m.by_partner, false),"
	" w.location IS NULL OR COALESCE(l.active, false), COALESCE(l.tracked, true), $3 IS NULL OR COALESCE(c.active, false),"
	" s.kind" EQ "'bundle'"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) WITH ORDINALITY AS w(sku, location, place)"
	" LEFT JOIN @.skus s ON s.code" EQ "w.sku LEFT JOIN @.locations l ON l.code" EQ "w.location"
	" LEFT JOIN @.channels c ON c.code" EQ "$3"
	" LEFT JOIN @.methods m ON m.code" EQ "COALESCE(s.default_method, c.default_method)",
	3, {TEXTARRAYOID, TEXTARRAYOID, TEXTOID}
};

/* of bundles, by the methods that expand.c would give them */
static const StoreQuery read_components = {
	"SELECT w.place, c.sku, c.quantity, s.tracked, s.active, COALESCE(m.by_partner, false), b.ship_together"
	" FROM ROWS FROM (pg_catalog.unnest($1)) WITH ORDINALITY AS w(sku, place) JOIN @.skus b ON b.code" EQ "w.sku"
	" JOIN @.bundle_components c ON c.bundle" EQ "b.code JOIN @.skus s ON s.code" EQ "c.sku"
	" LEFT JOIN @.channels n ON n.code" EQ "$2"
	" LEFT JOIN @.methods m ON m.code" EQ "COALESCE(b.default_method, s.default_method, n.default_method)"
	" ORDER BY w.place, c.sku",
	2, {TEXTARRAYOID, TEXTOID}
};

static const Field item_fields[ITEM_FIELDS] = {
	[ITEM_SKU] = {"sku", FIELD_CODE, true},
	[ITEM_QUANTITY] = {"quantity", FIELD_QUANTITY, true},
	[ITEM_LOCATION] = {"location", FIELD_CODE},
};

/*
 * oms_parse_hold reads what is to be held.
 */
void
oms_parse_hold(HoldRequest *request, Jsonb *items)
{
	JsonbContainer *array = oms_document_root(items, "items", true);

	request->hash = oms_document_hash(items);	/* and is not too large */
	request->nitems = oms_array_length(array, "items", MAX_LINES);
	if (request->nitems == 0)
		oms_document_fault("items", NULL, "is empty");
	request->items = palloc_extended(request->nitems * sizeof(ItemValues), MCXT_ALLOC_HUGE);
	for (int i = 0; i < request->nitems; i++)
		oms_parse_object(oms_array_object(array, i, "items"), psprintf("items[%d]", i), item_fields, ITEM_FIELDS,
						 request->items[i]);
}

/*
 * read_item makes out what an item wants.
 */
static void
read_item(HoldRequest *request, uint64 row)
{
	int			i = (int) oms_column_int64(row, 1) - 1;
	const FieldValue *item = request->items[i];
	bool		is_counted = oms_column_bool(row, 3) && oms_column_bool(row, 6);
	Demand	   *demand = &request->demands[i];

	if (!oms_column_bool(row, 2))
		oms_document_fault(psprintf("items[%d]", i), "sku", psprintf("unknown sku \"%s\"", item[ITEM_SKU].text));
	if (!oms_column_bool(row, 5))
		oms_document_fault(psprintf("items[%d]", i), "location", psprintf("unknown location \"%s\"", item[ITEM_LOCATION].text));
	if (!oms_column_bool(row, 7))
		oms_document_fault("channel", NULL, psprintf("unknown channel \"%s\"", oms_clip(request->channel)));
	demand->order_number = demand->method = "";
	demand->channel = request->channel;
	demand->line_no = i + 1;
	demand->sku = item[ITEM_SKU].text;
	demand->is_bundle = oms_column_bool(row, 8);
	demand->tracked = is_counted && !demand->is_bundle;
	request->is_counted[i] = oms_column_bool(row, 6);
	demand->quantity = item[ITEM_QUANTITY].integer;
	demand->by_partner = oms_column_bool(row, 4);
	demand->location = item[ITEM_LOCATION].text;
}

/*
 * read_component makes out what an item that is a bundle wants of a component.
 */
static void
read_component(HoldRequest *request, const Demand *bundle, Demand *demand, uint64 row)
{
	const char *path = psprintf("items[%d]", bundle->line_no - 1);
	int64		per_kit = oms_column_int64(row, 3);

	*demand = *bundle;
	demand->is_bundle = false;
	demand->bundle_line = bundle->line_no;
	demand->per_kit = per_kit;
	demand->sku = oms_column_text(row, 2);
	if (!oms_column_bool(row, 5))
		oms_document_fault(path, "sku", psprintf("sku \"%s\", which bundle \"%s\" holds, is not active", demand->sku, bundle->sku));
	if (bundle->quantity > MOST_LINE_UNITS / per_kit)
		oms_document_fault(path, "quantity",
						   psprintf(INT64_FORMAT " of bundle \"%s\" hold more than " INT64_FORMAT " units of sku \"%s\"",
									bundle->quantity, bundle->sku, MOST_LINE_UNITS, demand->sku));
	demand->quantity = bundle->quantity * per_kit;
	demand->tracked = oms_column_bool(row, 4) && request->is_counted[bundle->line_no - 1];
	demand->by_partner = oms_column_bool(row, 6);
	if (oms_column_bool(row, 7))
		demand->ship_group = psprintf("bundle line %d", bundle->line_no);
}

/*
 * put_components has components stand for the bundles among the demands, in
 * their places.
 */
static void
put_components(Store *store, HoldRequest *request, const Array *bundles)
{
	uint64		found = oms_run_nulls(store, &read_components, (Datum[]) {
		oms_array_datum(bundles), request->channel ? CStringGetTextDatum(request->channel) : (Datum) 0
	}, request->channel ? NULL : " n");
	Demand	   *demands;
	int			count = 0;
	int64		bundle = 0;
	uint64		next = 0;

	if (found > MOST_COMPONENTS)
		oms_document_fault("items", NULL,
						   psprintf("the bundles come to " UINT64_FORMAT " components, and %d are the most", found, MOST_COMPONENTS));
	demands = palloc_extended((request->count + found) * sizeof(Demand), MCXT_ALLOC_HUGE);
	for (int i = 0; i < request->count; i++)
	{
		const Demand *demand = &request->demands[i];
		uint64		first = next;

		if (!demand->is_bundle)
		{
			demands[count++] = *demand;
			continue;
		}
		bundle++;
		for (; next < found && oms_column_int64(next, 1) == bundle; next++)
			read_component(request, demand, &demands[count++], next);
		if (next == first)
			oms_document_fault(psprintf("items[%d]", i), "sku", psprintf("bundle \"%s\" has no items in bundle_items", demand->sku));
	}
	request->demands = demands;
	request->count = count;
}

/*
 * leave_out leaves out what is not counted in stock, and adds up the rest.
 */
static void
leave_out(HoldRequest *request)
{
	int			kept = 0;

	for (int i = 0; i < request->count; i++)
	{
		if (!request->demands[i].tracked)
			continue;
		request->units += request->demands[i].quantity;
		request->demands[kept++] = request->demands[i];
	}
	request->count = kept;
}

/*
 * oms_read_hold looks the items' codes up and makes demands of them.
 */
void
oms_read_hold(Store *store, HoldRequest *request)
{
	Array	   *skus = oms_array(TEXTOID, request->nitems);
	Array	   *locations = oms_array(TEXTOID, request->nitems);
	Array	   *bundles = oms_array(TEXTOID, 8);
	uint64		rows;

	for (int i = 0; i < request->nitems; i++)
	{
		oms_array_add_text(skus, request->items[i][ITEM_SKU].text);
		oms_array_add_text(locations, request->items[i][ITEM_LOCATION].text);
	}
	rows = oms_run_nulls(store, &look_up, (Datum[]) {
		oms_array_datum(skus), oms_array_datum(locations), request->channel ? CStringGetTextDatum(request->channel) : (Datum) 0
	}, request->channel ? NULL : "  n");
	request->demands = palloc0(request->nitems * sizeof(Demand));
	request->is_counted = palloc0(request->nitems * sizeof(bool));
	request->count = request->nitems;
	for (uint64 i = 0; i < rows; i++)
		read_item(request, i);
	for (int i = 0; i < request->count; i++)
	{
		if (request->demands[i].is_bundle)
			oms_array_add_text(bundles, request->demands[i].sku);
	}
	if (bundles->count > 0)
		put_components(store, request, bundles);
	leave_out(request);
}
