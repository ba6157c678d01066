/*
 * quote_demands.c
 *	  What a cart wants: the demands that placing it would have.
 *
 * As direct.c and expand.c make them of an order's lines, but of a document alone:
 * nothing is written, and no id is made that anybody could see.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "bundle.h"
#include "oms.h"
#include "plan.h"
#include "quote.h"
#include "rows.h"

static const StoreQuery read_kinds = {
	"SELECT w.place, s.kind, s.ship_together FROM ROWS FROM (pg_catalog.unnest($1)) WITH ORDINALITY AS w(sku, place) JOIN @.skus s ON s.code" EQ "w.sku",
	1, {TEXTARRAYOID}
};

static const StoreQuery read_components = {
	"SELECT w.place, c.sku, c.quantity, s.tracked, s.active, m.code, m.workflow, m.by_partner"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) WITH ORDINALITY AS w(sku, method, place)"
	" JOIN @.skus b ON b.code" EQ "w.sku AND b.kind" EQ "'bundle' JOIN @.bundle_components c ON c.bundle" EQ "b.code"
	" JOIN @.skus s ON s.code" EQ "c.sku LEFT JOIN @.channels n ON n.code" EQ "$3"
	" LEFT JOIN @.methods m ON m.code" EQ "COALESCE(w.method, b.default_method, s.default_method, n.default_method)"
	" ORDER BY w.place, c.sku",
	3, {TEXTARRAYOID, TEXTARRAYOID, TEXTOID}
};

static const StoreQuery read_hold = {
	"SELECT h.sku, h.location, h.quantity FROM @.stock_holds h WHERE h.ref" EQ "$1 ORDER BY h.sku, h.location", 1, {TEXTOID}
};

/* A line's number, and where it stands in the document. */
typedef struct Numbered
{
	int64		number;
	int			position;
} Numbered;

/*
 * id_of makes an id of a number, which only this cart knows.
 */
static pg_uuid_t
id_of(int number)
{
	pg_uuid_t	id = {{0}};

	for (int i = 0; i < 4; i++)
		id.data[UUID_LEN - 1 - i] = (number >> (8 * i)) & 0xff;
	return id;
}

/*
 * take_addresses takes the addresses of the document.
 */
static void
take_addresses(Cart *cart)
{
	cart->naddresses = cart->doc->naddresses;
	cart->addresses = palloc0((cart->naddresses + 1) * sizeof(CartAddress));
	for (int i = 0; i < cart->naddresses; i++)
	{
		const FieldValue *values = cart->doc->addresses[i];
		CartAddress *address = &cart->addresses[i];

		address->id = id_of(i + 1);
		address->country = values[ADDRESS_COUNTRY].text;
		address->region = values[ADDRESS_REGION].text;
		address->postal_code = values[ADDRESS_POSTAL_CODE].text;
		address->has_point = values[ADDRESS_LATITUDE].is_set && values[ADDRESS_LONGITUDE].is_set;
		if (!address->has_point)
			continue;
		address->latitude = DatumGetFloat8(DirectFunctionCall1(numeric_float8, values[ADDRESS_LATITUDE].number));
		address->longitude = DatumGetFloat8(DirectFunctionCall1(numeric_float8, values[ADDRESS_LONGITUDE].number));
	}
}

/*
 * demand_of makes the demand of a line.
 */
static Demand
demand_of(const Cart *cart, int i)
{
	const FieldValue *line = cart->doc->lines[i];
	const LineFrame *frame = &cart->frame->lines[i];
	int			address = cart->doc->line_ship_to[i] >= 0 ? cart->doc->line_ship_to[i] : cart->doc->ship_to;
	const FieldValue *request = line[LINE_REQUESTED_AT].is_set ? &line[LINE_REQUESTED_AT] : &cart->doc->fields[DOC_REQUESTED_AT];
	Demand		demand = {
		.order_number = "cart", .channel = cart->doc->fields[DOC_CHANNEL].text, .line_no = (int) line[LINE_LINE].integer,
		.sku = line[LINE_SKU].text, .tracked = frame->tracked, .quantity = line[LINE_QUANTITY].integer,
		.method = frame->method, .workflow = frame->workflow, .by_partner = frame->by_partner,
		.location = line[LINE_LOCATION].text, .pickup_location = line[LINE_PICKUP_LOCATION].text,
		.ship_group = line[LINE_SHIP_GROUP].text, .has_ship_to = address >= 0, .may_be_short = true, .may_be_backordered = true
	};

	demand.line_id = id_of(demand.line_no);
	if (address >= 0)
		demand.ship_to = id_of(address + 1);
	demand.has_requested_at = request->is_set;
	demand.requested_at = request->is_set ? request->time : 0;
	return demand;
}

/*
 * learn_kinds says which of the demands, which are the document's lines, are bundles
 * and warranties, and in which ship group a bundle goes.
 */
static void
learn_kinds(const Cart *cart, Demand *demands)
{
	Array	   *skus = oms_array(TEXTOID, cart->doc->nlines);
	bool		is_needed = false;
	uint64		found;

	for (int i = 0; i < cart->doc->nlines; i++)
	{
		oms_array_add_text(skus, demands[i].sku);
		is_needed |= cart->frame->lines[i].needs_steps;
	}
	if (!is_needed)
		return;
	found = oms_run(cart->store, &read_kinds, (Datum[]) {oms_array_datum(skus)});
	for (uint64 i = 0; i < found; i++)
	{
		Demand	   *demand = &demands[oms_column_int64(i, 1) - 1];

		demand->is_bundle = strcmp(oms_column_text(i, 2), "bundle") == 0;
		if (demand->is_bundle && !demand->ship_group && oms_column_bool(i, 3))
			demand->ship_group = psprintf("bundle line %d", demand->line_no);
		demand->is_warranty = strcmp(oms_column_text(i, 2), "warranty") == 0;
	}
}

/*
 * tie_warranty has a warranty go where the line goes that it is for.
 */
static void
tie_warranty(const Cart *cart, Demand *demands, int i)
{
	const FieldValue *line = cart->doc->lines[i];
	const char *path = psprintf("lines[%d]", i);
	Demand	   *warranty = &demands[i];
	const Demand *goods = line[LINE_PARENT].is_set ? &demands[line[LINE_PARENT].integer] : NULL;

	if (!goods)
		oms_document_fault(path, "parent",
						   psprintf("sku \"%s\" is a warranty and needs the line of the order that it is for", warranty->sku));
	if (goods->is_warranty)
		oms_document_fault(path, "parent", psprintf("line %d is a warranty itself", goods->line_no));
	if (goods->quantity < warranty->quantity)
		oms_document_fault(path, "quantity",
						   psprintf("is more than the " INT64_FORMAT " units of line %d, which the warranty is for",
									goods->quantity, goods->line_no));
	warranty->goods_line = goods->line_no;
	if (!line[LINE_METHOD].is_set && goods->method)
	{
		warranty->method = goods->method;
		warranty->workflow = goods->workflow;
		warranty->by_partner = goods->by_partner;
	}
	warranty->location = warranty->location ? warranty->location : goods->location;
	warranty->pickup_location = warranty->pickup_location ? warranty->pickup_location : goods->pickup_location;
	warranty->ship_group = warranty->ship_group ? warranty->ship_group : goods->ship_group;
	if (cart->doc->line_ship_to[i] < 0)
	{
		warranty->has_ship_to = goods->has_ship_to;
		warranty->ship_to = goods->ship_to;
	}
	if (!line[LINE_REQUESTED_AT].is_set)
	{
		warranty->has_requested_at = goods->has_requested_at;
		warranty->requested_at = goods->requested_at;
	}
}

/*
 * require_method refuses a demand that could not be sent in any way.
 */
static void
require_method(const Demand *demand)
{
	if (!demand->method)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_NO_LOCATION),
				 errmsg("line %d has no method for sku \"%s\"", demand->bundle_line > 0 ? demand->bundle_line : demand->line_no, demand->sku),
				 errhint("Give the line a method, its SKU a default_method or its channel a default_method.")));
}

/*
 * component_of makes the demand of a bundle's component from a row of read_components.
 */
static Demand
component_of(const Demand *bundle, int i, uint64 row)
{
	Demand		demand = *bundle;
	const char *path = psprintf("lines[%d]", i);

	demand.is_bundle = false;
	demand.bundle_line = bundle->line_no;
	demand.sku = oms_column_text(row, 2);
	demand.per_kit = oms_column_int64(row, 3);
	if (bundle->quantity > MOST_LINE_UNITS / demand.per_kit)
		oms_document_fault(path, "quantity",
						   psprintf(INT64_FORMAT " of bundle \"%s\" hold more than " INT64_FORMAT " units of sku \"%s\"",
									bundle->quantity, bundle->sku, MOST_LINE_UNITS, demand.sku));
	if (!oms_column_bool(row, 5))
		oms_document_fault(path, "sku", psprintf("sku \"%s\", which bundle \"%s\" holds, is not active", demand.sku, bundle->sku));
	demand.quantity = bundle->quantity * demand.per_kit;
	demand.tracked = oms_column_bool(row, 4);
	demand.method = oms_column_text(row, 6);
	demand.workflow = oms_column_text(row, 7);
	demand.by_partner = demand.method && oms_column_bool(row, 8);
	return demand;
}

/*
 * compare_numbered orders lines by number.
 */
static int
compare_numbered(const void *a, const void *b)
{
	const Numbered *left = a;
	const Numbered *right = b;

	return left->number < right->number ? -1 : left->number > right->number;
}

/*
 * sort_lines returns the lines by number, as they are served.
 */
static Numbered *
sort_lines(const Cart *cart)
{
	int			nlines = cart->doc->nlines;
	Numbered   *sorted = palloc_extended((nlines + 1) * sizeof(Numbered), MCXT_ALLOC_HUGE);

	for (int i = 0; i < nlines; i++)
		sorted[i] = (Numbered) {cart->doc->lines[i][LINE_LINE].integer, i};
	qsort(sorted, nlines, sizeof(Numbered), compare_numbered);
	return sorted;
}

/*
 * find_components finds what bundles hold, by their places among the sorted lines.
 */
static uint64
find_components(const Cart *cart, const Demand *lines, const Numbered *sorted)
{
	int			nlines = cart->doc->nlines;
	Array	   *skus = oms_array(TEXTOID, nlines);
	Array	   *methods = oms_array(TEXTOID, nlines);
	uint64		found;

	for (int i = 0; i < nlines; i++)
	{
		oms_array_add_text(skus, lines[sorted[i].position].sku);
		oms_array_add_text(methods, cart->doc->lines[sorted[i].position][LINE_METHOD].text);
	}
	found = oms_run(cart->store, &read_components, (Datum[]) {
		oms_array_datum(skus), oms_array_datum(methods), CStringGetTextDatum(cart->doc->fields[DOC_CHANNEL].text)
	});
	if (found > MOST_COMPONENTS)
		oms_document_fault("lines", NULL, psprintf("the bundles come to " UINT64_FORMAT " lines, and %d are the most", found, MOST_COMPONENTS));
	if (sorted[nlines - 1].number > PG_INT32_MAX - (int64) found)
		oms_document_fault("lines", NULL,
						   psprintf("the components of bundle lines are numbered after line " INT64_FORMAT ", which leaves no numbers for them",
									sorted[nlines - 1].number));
	return found;
}

/*
 * take_lines takes the lines as demands, as they are served, with components in the
 * place of bundles.
 */
static void
take_lines(Cart *cart, const Demand *lines, bool has_bundles)
{
	int			nlines = cart->doc->nlines;
	Numbered   *sorted = sort_lines(cart);
	uint64		found = has_bundles ? find_components(cart, lines, sorted) : 0;
	uint64		row = 0;
	int			last = nlines > 0 ? (int) sorted[nlines - 1].number : 0;

	cart->demands = palloc_extended((nlines + found + 1) * sizeof(Demand), MCXT_ALLOC_HUGE);
	for (int i = 0; i < nlines; i++)
	{
		int			position = sorted[i].position;
		uint64		first = row;

		if (!lines[position].is_bundle)
		{
			cart->demands[cart->count++] = lines[position];
			continue;
		}
		for (; row < found && oms_column_int64(row, 1) == i + 1; row++)
		{
			Demand	   *component = &cart->demands[cart->count++];

			*component = component_of(&lines[position], position, row);
			component->line_no = ++last;
			component->line_id = id_of(last);
		}
		if (row == first)
			oms_document_fault(psprintf("lines[%d]", position), "sku",
							   psprintf("bundle \"%s\" has no items in bundle_items", lines[position].sku));
	}
}

/*
 * take_hold takes what is held for the cart, which it has again when it is placed.
 */
static void
take_hold(Cart *cart)
{
	const FieldValue *ref = &cart->doc->fields[DOC_STOCK_HOLD];
	uint64		count;

	if (!ref->is_set)
		return;
	count = oms_run(cart->store, &read_hold, (Datum[]) {CStringGetTextDatum(ref->text)});
	cart->held = oms_stock_changes(count);
	for (uint64 i = 0; i < count; i++)
		oms_stock_change(cart->held, oms_column_text(i, 1), oms_column_text(i, 2))->reserved = -oms_column_int64(i, 3);
	oms_stock_merge(cart->held);
}

/*
 * oms_read_cart reads what a cart wants, or refuses it as placing it would be.
 */
void
oms_read_cart(Store *store, Jsonb *document, Cart *cart)
{
	OwnerScope	scope;
	Demand	   *lines;
	bool		has_bundles = false;

	cart->store = store;
	cart->doc = oms_parse_cart(document);
	cart->frame = oms_look_up_codes(store, cart->doc);
	oms_become_owner(store, &scope);
	cart->book = oms_rule_book(store);
	oms_leave_owner(&scope);
	take_addresses(cart);
	lines = palloc_extended((cart->doc->nlines + 1) * sizeof(Demand), MCXT_ALLOC_HUGE);
	for (int i = 0; i < cart->doc->nlines; i++)
		lines[i] = demand_of(cart, i);
	learn_kinds(cart, lines);
	for (int i = 0; i < cart->doc->nlines; i++)
	{
		if (lines[i].is_warranty)
			tie_warranty(cart, lines, i);
		has_bundles |= lines[i].is_bundle;
	}
	take_lines(cart, lines, has_bundles);
	take_hold(cart);
	for (int i = 0; i < cart->count; i++)
		require_method(&cart->demands[i]);
}
