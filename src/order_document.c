/*
 * order_document.c
 *	  The order document: its fields, and what of it can be judged alone.
 *
 * oms.place_order comes here first.  Whatever needs no table is judged here:
 * keys, types, ranges, line numbers that repeat, parents that do not exist.
 * What needs the store (unknown codes, totals) is order.c's.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/numeric.h"

#include "order.h"

static const Field order_fields[DOC_FIELDS] = {
	[DOC_CHANNEL] = {"channel", FIELD_CODE, true},
	[DOC_EXTERNAL_REF] = {"external_ref", FIELD_REFERENCE},
	[DOC_ORDERED_AT] = {"ordered_at", FIELD_TIME},
	[DOC_CURRENCY] = {"currency", FIELD_CODE, true},
	[DOC_TAX_INCLUDED] = {"tax_included", FIELD_BOOLEAN},
	[DOC_CUSTOMER] = {"customer", FIELD_TEXT_OR_OBJECT},
	[DOC_SHIP_TO] = {"ship_to", FIELD_OBJECT},
	[DOC_BILL_TO] = {"bill_to", FIELD_OBJECT},
	[DOC_PO_NUMBER] = {"po_number", FIELD_REFERENCE},
	[DOC_PRIORITY] = {"priority", FIELD_INTEGER},
	[DOC_SHIP_COMPLETE] = {"ship_complete", FIELD_BOOLEAN},
	[DOC_IF_SHORT] = {"if_short", FIELD_CODE},
	[DOC_SOURCE_ORDER] = {"source_order", FIELD_CODE},
	[DOC_SOURCE_KIND] = {"source_kind", FIELD_CODE},
	[DOC_LINES] = {"lines", FIELD_ARRAY, true},
	[DOC_CHARGES] = {"charges", FIELD_ARRAY},
	[DOC_HOLDS] = {"holds", FIELD_ARRAY},
	[DOC_STOCK_HOLD] = {"stock_hold", FIELD_REFERENCE},
	[DOC_PAYMENTS] = {"payments", FIELD_ARRAY},
	[DOC_TOTAL] = {"total", FIELD_MONEY},
	[DOC_ATTRIBUTES] = {"attributes", FIELD_ATTRIBUTES},
	[DOC_REQUESTED_AT] = {"requested_at", FIELD_TIME},
};

static const Field line_fields[LINE_FIELDS] = {
	[LINE_LINE] = {"line", FIELD_INTEGER},
	[LINE_EXTERNAL_REF] = {"external_ref", FIELD_REFERENCE},
	[LINE_PARENT] = {"parent", FIELD_INTEGER},
	[LINE_SKU] = {"sku", FIELD_CODE, true},
	[LINE_QUANTITY] = {"quantity", FIELD_QUANTITY, true},
	[LINE_UNIT_PRICE] = {"unit_price", FIELD_MONEY, true},
	[LINE_DISCOUNT] = {"discount", FIELD_MONEY},
	[LINE_TAX] = {"tax", FIELD_MONEY},
	[LINE_DESCRIPTION] = {"description", FIELD_TEXT},
	[LINE_METHOD] = {"method", FIELD_CODE},
	[LINE_LOCATION] = {"location", FIELD_CODE},
	[LINE_PICKUP_LOCATION] = {"pickup_location", FIELD_CODE},
	[LINE_SHIP_TO] = {"ship_to", FIELD_OBJECT},
	[LINE_SHIP_GROUP] = {"ship_group", FIELD_CODE},
	[LINE_ATTRIBUTES] = {"attributes", FIELD_ATTRIBUTES},
	[LINE_REQUESTED_AT] = {"requested_at", FIELD_TIME},
};

static const Field customer_fields[CUSTOMER_FIELDS] = {
	[CUSTOMER_CODE] = {"code", FIELD_CODE, true},
	[CUSTOMER_NAME] = {"name", FIELD_TEXT},
	[CUSTOMER_EMAIL] = {"email", FIELD_TEXT},
	[CUSTOMER_PHONE] = {"phone", FIELD_TEXT},
	[CUSTOMER_ATTRIBUTES] = {"attributes", FIELD_ATTRIBUTES},
};

static const Field address_fields[ADDRESS_FIELDS] = {
	[ADDRESS_NAME] = {"name", FIELD_TEXT},
	[ADDRESS_COMPANY] = {"company", FIELD_TEXT},
	[ADDRESS_LINE1] = {"line1", FIELD_TEXT},
	[ADDRESS_LINE2] = {"line2", FIELD_TEXT},
	[ADDRESS_CITY] = {"city", FIELD_TEXT},
	[ADDRESS_REGION] = {"region", FIELD_TEXT},
	[ADDRESS_POSTAL_CODE] = {"postal_code", FIELD_TEXT},
	[ADDRESS_COUNTRY] = {"country", FIELD_CODE},
	[ADDRESS_LATITUDE] = {"latitude", FIELD_DEGREES},
	[ADDRESS_LONGITUDE] = {"longitude", FIELD_DEGREES},
	[ADDRESS_PHONE] = {"phone", FIELD_TEXT},
	[ADDRESS_EMAIL] = {"email", FIELD_TEXT},
};

static const Field charge_fields[CHARGE_FIELDS] = {
	[CHARGE_KIND] = {"kind", FIELD_CODE, true},
	[CHARGE_LABEL] = {"label", FIELD_TEXT},
	[CHARGE_AMOUNT] = {"amount", FIELD_MONEY, true},
	[CHARGE_TAX] = {"tax", FIELD_MONEY},
};

static const Field hold_fields[HOLD_FIELDS] = {
	[HOLD_KIND] = {"kind", FIELD_CODE, true},
	[HOLD_REASON] = {"reason", FIELD_TEXT},
	[HOLD_EXPIRES_AT] = {"expires_at", FIELD_TIME},
};

static const Field payment_fields[PAYMENT_FIELDS] = {
	[PAYMENT_METHOD] = {"method", FIELD_CODE, true},
	[PAYMENT_KIND] = {"kind", FIELD_CODE, true},
	[PAYMENT_AMOUNT] = {"amount", FIELD_MONEY, true},
	[PAYMENT_GATEWAY_REF] = {"gateway_ref", FIELD_REFERENCE},
};

static const char *const if_shorts[] = {"refuse", "hold", NULL};
static const char *const source_kinds[] = {"replacement", "exchange", "subscription", "reorder", NULL};
static const char *const charge_kinds[] = {"shipping", "fee", "tip", "duty", "discount", NULL};
static const char *const hold_kinds[] = {
	"fraud", "payment", "approval", "address", "credit", "stock", "manual", "remorse", NULL
};

static const char *const payment_kinds[] = {"authorize", "sale", NULL};

static void parse_payments(OrderDocument *doc);
static void add_to_total(OrderDocument *doc, Datum amount, const char *path, const char *name);
static void parse_lines(OrderDocument *doc, bool is_cart);
static void check_line_numbers(OrderDocument *doc);
static int	parse_address(OrderDocument *doc, const FieldValue *value, const char *path);

/*
 * require_one_of refuses a word that is none of a list.
 */
static void
require_one_of(const FieldValue *value, const char *const *words, const char *path, const char *name)
{
	StringInfoData list;

	if (!value->is_set)
		return;
	initStringInfo(&list);
	for (; *words; words++)
	{
		if (strcmp(*words, value->text) == 0)
			return;
		appendStringInfo(&list, "%s%s", list.len == 0 ? "" : ", ", *words);
	}
	oms_document_fault(path, name, psprintf("\"%s\" is none of %s", value->text, list.data));
}

/*
 * require_upper_case refuses a code that is not so many letters A to Z.
 */
static void
require_upper_case(const FieldValue *value, int length, const char *path, const char *name)
{
	if (value->is_set &&
		(strlen(value->text) != length || strspn(value->text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != length))
		oms_document_fault(path, name, psprintf("\"%s\" is not a code of %d letters A to Z", value->text, length));
}

static OrderDocument *parse_document(Jsonb *document, bool is_cart);

/*
 * oms_parse_order parses a document, or raises OM012.
 */
OrderDocument *
oms_parse_order(Jsonb *document)
{
	return parse_document(document, false);
}

/*
 * oms_parse_cart parses what is not an order yet: without a currency and prices, if
 * need be.
 */
OrderDocument *
oms_parse_cart(Jsonb *document)
{
	return parse_document(document, true);
}

/*
 * parse_fields parses an object, in which a cart may lack a field that an order
 * needs.
 */
static void
parse_fields(JsonbContainer *object, const char *path, const Field *fields, int nfields, int optional, bool is_cart,
			 FieldValue *values)
{
	Field	   *own = palloc(nfields * sizeof(Field));

	memcpy(own, fields, nfields * sizeof(Field));
	own[optional].is_required &= !is_cart;
	oms_parse_object(object, path, own, nfields, values);
}

/*
 * parse_document parses a document of either.
 */
static OrderDocument *
parse_document(Jsonb *document, bool is_cart)
{
	OrderDocument *doc = palloc0(sizeof(OrderDocument));
	FieldValue *fields = doc->fields;
	JsonbContainer *root = oms_document_root(document, "", false);

	doc->total = DirectFunctionCall1(int4_numeric, Int32GetDatum(0));
	doc->hash = oms_document_hash(document);	/* and is not too large */
	parse_fields(root, "", order_fields, DOC_FIELDS, DOC_CURRENCY, is_cart, fields);
	require_upper_case(&fields[DOC_CURRENCY], 3, "", "currency");
	require_one_of(&fields[DOC_IF_SHORT], if_shorts, "", "if_short");
	require_one_of(&fields[DOC_SOURCE_KIND], source_kinds, "", "source_kind");
	if (fields[DOC_CUSTOMER].is_set && !fields[DOC_CUSTOMER].text)
		oms_parse_object(fields[DOC_CUSTOMER].container, "customer", customer_fields, CUSTOMER_FIELDS,
						 doc->customer);

	doc->nlines = oms_array_length(fields[DOC_LINES].container, "lines", MAX_LINES);
	doc->addresses = palloc_extended((doc->nlines + 2) * sizeof(AddressValues), MCXT_ALLOC_HUGE);
	doc->ship_to = parse_address(doc, &fields[DOC_SHIP_TO], "ship_to");
	doc->bill_to = parse_address(doc, &fields[DOC_BILL_TO], "bill_to");
	parse_lines(doc, is_cart);
	check_line_numbers(doc);

	if (fields[DOC_CHARGES].is_set)
		doc->ncharges = oms_array_length(fields[DOC_CHARGES].container, "charges", MAX_LINES);
	doc->charges = palloc(Max(1, doc->ncharges) * sizeof(ChargeValues));
	for (int i = 0; i < doc->ncharges; i++)
	{
		char	   *path = psprintf("charges[%d]", i);

		oms_parse_object(oms_array_object(fields[DOC_CHARGES].container, i, "charges"), path,
						 charge_fields, CHARGE_FIELDS, doc->charges[i]);
		require_one_of(&doc->charges[i][CHARGE_KIND], charge_kinds, path, "kind");
		add_to_total(doc, doc->charges[i][CHARGE_AMOUNT].number, path, "amount");
		if (doc->charges[i][CHARGE_TAX].is_set)
			add_to_total(doc, doc->charges[i][CHARGE_TAX].number, path, "tax");
	}
	if (fields[DOC_HOLDS].is_set)
		doc->nholds = oms_array_length(fields[DOC_HOLDS].container, "holds", 100);
	doc->holds = palloc(Max(1, doc->nholds) * sizeof(HoldValues));
	for (int i = 0; i < doc->nholds; i++)
	{
		char	   *path = psprintf("holds[%d]", i);

		oms_parse_object(oms_array_object(fields[DOC_HOLDS].container, i, "holds"), path,
						 hold_fields, HOLD_FIELDS, doc->holds[i]);
		require_one_of(&doc->holds[i][HOLD_KIND], hold_kinds, path, "kind");
	}
	parse_payments(doc);
	if (doc->nlines == 0 && doc->ncharges == 0)
		oms_document_fault("lines", NULL, "an order needs a line or a charge");
	return doc;
}

/*
 * parse_payments parses the payments: of each, what has succeeded by then.
 */
static void
parse_payments(OrderDocument *doc)
{
	const FieldValue *payments = &doc->fields[DOC_PAYMENTS];
	Datum		most = DirectFunctionCall1(int8_numeric, Int64GetDatum(MAX_TOTAL));
	Datum		sum = DirectFunctionCall1(int4_numeric, Int32GetDatum(0));

	if (payments->is_set)
		doc->npayments = oms_array_length(payments->container, "payments", 100);
	doc->payments = palloc(Max(1, doc->npayments) * sizeof(PaymentValues));
	for (int i = 0; i < doc->npayments; i++)
	{
		char	   *path = psprintf("payments[%d]", i);
		FieldValue *payment = doc->payments[i];

		oms_parse_object(oms_array_object(payments->container, i, "payments"), path, payment_fields, PAYMENT_FIELDS, payment);
		require_one_of(&payment[PAYMENT_KIND], payment_kinds, path, "kind");
		if (!DatumGetBool(DirectFunctionCall2(numeric_gt, payment[PAYMENT_AMOUNT].number,
											  DirectFunctionCall1(int4_numeric, Int32GetDatum(0)))))
			oms_document_fault(path, "amount", "must be more than 0");
		sum = DirectFunctionCall2(numeric_add, sum, payment[PAYMENT_AMOUNT].number);
		if (DatumGetBool(DirectFunctionCall2(numeric_gt, sum, most)))
			oms_document_fault(path, "amount", psprintf("the payments would come to more than " INT64_FORMAT, MAX_TOTAL));
	}
}

/*
 * add_to_total adds an amount to what the document may come to, and refuses
 * what no column could hold.
 */
static void
add_to_total(OrderDocument *doc, Datum amount, const char *path, const char *name)
{
	doc->total = DirectFunctionCall2(numeric_add, doc->total, amount);
	if (DatumGetBool(DirectFunctionCall2(numeric_gt, doc->total,
										 DirectFunctionCall1(int8_numeric, Int64GetDatum(MAX_TOTAL)))))
		oms_document_fault(path, name, psprintf("the order would come to more than " INT64_FORMAT, MAX_TOTAL));
}

/*
 * parse_lines parses the lines; a line without a number has its position's.
 */
static void
parse_lines(OrderDocument *doc, bool is_cart)
{
	doc->lines = palloc_extended(Max(1, doc->nlines) * sizeof(LineValues), MCXT_ALLOC_HUGE);
	doc->line_ship_to = palloc(Max(1, doc->nlines) * sizeof(int));
	for (int i = 0; i < doc->nlines; i++)
	{
		FieldValue *line = doc->lines[i];
		char	   *path = psprintf("lines[%d]", i);
		Datum		value;

		parse_fields(oms_array_object(doc->fields[DOC_LINES].container, i, "lines"), path, line_fields, LINE_FIELDS,
					 LINE_UNIT_PRICE, is_cart, line);
		if (!line[LINE_UNIT_PRICE].is_set)
			line[LINE_UNIT_PRICE].number = DirectFunctionCall1(int4_numeric, Int32GetDatum(0));
		if (!line[LINE_LINE].is_set)
			line[LINE_LINE].integer = i + 1;
		else if (line[LINE_LINE].integer < 1)
			oms_document_fault(path, "line", "must be 1 or more");
		value = DirectFunctionCall2(numeric_mul, line[LINE_QUANTITY].number, line[LINE_UNIT_PRICE].number);
		add_to_total(doc, value, path, "unit_price");
		if (line[LINE_TAX].is_set)
			add_to_total(doc, line[LINE_TAX].number, path, "tax");
		if (line[LINE_DISCOUNT].is_set)
		{
			if (DatumGetBool(DirectFunctionCall2(numeric_gt, line[LINE_DISCOUNT].number, value)))
				oms_document_fault(path, "discount", "is more than quantity x unit_price");
		}
		doc->line_ship_to[i] = parse_address(doc, &line[LINE_SHIP_TO], psprintf("%s.ship_to", path));
		pfree(path);
	}
}

/* A line's number and where it stands. */
typedef struct Numbered
{
	int64		number;
	int			position;
} Numbered;

/*
 * compare_numbers orders by number, then position.
 */
static int
compare_numbers(const void *a, const void *b)
{
	const Numbered *left = a;
	const Numbered *right = b;

	if (left->number != right->number)
		return left->number < right->number ? -1 : 1;
	return left->position - right->position;
}

/*
 * check_line_numbers refuses numbers that repeat and parents that are not
 * there or are children themselves.
 */
static void
check_line_numbers(OrderDocument *doc)
{
	Numbered   *numbers = palloc(Max(1, doc->nlines) * sizeof(Numbered));

	for (int i = 0; i < doc->nlines; i++)
	{
		numbers[i].number = doc->lines[i][LINE_LINE].integer;
		numbers[i].position = i;
	}
	qsort(numbers, doc->nlines, sizeof(Numbered), compare_numbers);
	for (int i = 1; i < doc->nlines; i++)
	{
		if (numbers[i].number == numbers[i - 1].number)
			oms_document_fault(psprintf("lines[%d]", numbers[i].position), "line",
							   psprintf("line " INT64_FORMAT " is there twice", numbers[i].number));
	}
	for (int i = 0; i < doc->nlines; i++)
	{
		FieldValue *parent = &doc->lines[i][LINE_PARENT];
		int			low = 0;
		int			high = doc->nlines - 1;
		int			found = -1;

		while (parent->is_set && low <= high)
		{
			int			middle = (low + high) / 2;

			if (numbers[middle].number == parent->integer)
			{
				found = numbers[middle].position;
				break;
			}
			if (numbers[middle].number < parent->integer)
				low = middle + 1;
			else
				high = middle - 1;
		}
		if (!parent->is_set)
			continue;
		if (found < 0 || found == i)
			oms_document_fault(psprintf("lines[%d]", i), "parent",
							   psprintf("there is no other line " INT64_FORMAT, parent->integer));
		if (doc->lines[found][LINE_PARENT].is_set)
			oms_document_fault(psprintf("lines[%d]", i), "parent",
							   psprintf("line " INT64_FORMAT " has a parent itself", parent->integer));
		parent->integer = found;	/* from a line number to a position */
	}
}

/*
 * same_address tells whether two addresses say the same.
 */
static bool
same_address(const FieldValue *a, const FieldValue *b)
{
	for (int i = 0; i < ADDRESS_FIELDS; i++)
	{
		if (a[i].is_set != b[i].is_set)
			return false;
		if (!a[i].is_set)
			continue;
		if (a[i].text ? strcmp(a[i].text, b[i].text) != 0
			: !DatumGetBool(DirectFunctionCall2(numeric_eq, a[i].number, b[i].number)))
			return false;
	}
	return true;
}

/*
 * parse_address parses an address and returns its place in the list; one that
 * was given just before, or for the order, is not repeated.
 */
static int
parse_address(OrderDocument *doc, const FieldValue *value, const char *path)
{
	FieldValue *address = doc->addresses[doc->naddresses];

	if (!value->is_set)
		return -1;
	oms_parse_object(value->container, path, address_fields, ADDRESS_FIELDS, address);
	require_upper_case(&address[ADDRESS_COUNTRY], 2, path, "country");
	if (address[ADDRESS_LATITUDE].is_set &&
		(DatumGetBool(DirectFunctionCall2(numeric_gt, address[ADDRESS_LATITUDE].number,
										  DirectFunctionCall1(int4_numeric, Int32GetDatum(90)))) ||
		 DatumGetBool(DirectFunctionCall2(numeric_lt, address[ADDRESS_LATITUDE].number,
										  DirectFunctionCall1(int4_numeric, Int32GetDatum(-90))))))
		oms_document_fault(path, "latitude", "is beyond 90 degrees");
	for (int i = 0; i < doc->naddresses; i++)
	{
		if ((i < 2 || i == doc->naddresses - 1) && same_address(doc->addresses[i], address))
			return i;
	}
	return doc->naddresses++;
}

/*
 * oms_parse_ship_to parses an address that stands by itself.
 */
OrderDocument *
oms_parse_ship_to(Jsonb *address)
{
	OrderDocument *doc = palloc0(sizeof(OrderDocument));
	FieldValue	value = {.is_set = true, .container = oms_document_root(address, "ship_to", false)};

	doc->addresses = palloc(sizeof(AddressValues));
	doc->ship_to = parse_address(doc, &value, "ship_to");
	return doc;
}
