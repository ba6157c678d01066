/*
 * order_write.c
 *	  Writing what belongs to an order: customer, addresses, lines, charges,
 *	  holds, payments.
 *
 * order.c calls these as the caller of oms.place_order; each is one statement,
 * whatever the number of rows.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "oms.h"
#include "order.h"
#include "plan.h"
#include "rows.h"
#include "uuid7.h"

static const StoreQuery find_source = {
	"SELECT o.id FROM @.orders o WHERE o.number" EQ "$1", 1, {TEXTOID}
};

static const StoreQuery find_customer = {
	"SELECT c.id, ($2 IS NULL OR c.name IS NOT DISTINCT FROM $2) AND ($3 IS NULL OR c.email IS NOT DISTINCT FROM $3)"
	" AND ($4 IS NULL OR c.phone IS NOT DISTINCT FROM $4)"
	" AND ($5 IS NULL OR c.attributes" EQ "$5::pg_catalog.jsonb)"
	" FROM @.customers c WHERE c.code" EQ "$1",
	5, {TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID}
};

static const StoreQuery upsert_customer = {
	"INSERT INTO @.customers AS c (code, name, email, phone, attributes)"
	" VALUES ($1, $2, $3, $4, COALESCE($5::pg_catalog.jsonb, '{}'))"
	" ON CONFLICT (code) DO UPDATE SET name = COALESCE($2, c.name), email = COALESCE($3, c.email),"
	" phone = COALESCE($4, c.phone), attributes = COALESCE($5::pg_catalog.jsonb, c.attributes) RETURNING c.id",
	5, {TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID}
};

static const StoreQuery insert_order = {
	"INSERT INTO @.orders (id, channel, external_ref, customer_id, workflow, currency, tax_included, po_number, priority,"
	" ship_complete, if_short, source_order_id, source_kind, ship_to_id, bill_to_id, document_hash, ordered_at, attributes,"
	" requested_at)"
	" VALUES ($1, $2, $3, $4, $5, $6::pg_catalog.bpchar, COALESCE($7, false), $8, $9, COALESCE($10, false), $11, $12, $13, $14, $15, $16,"
	" COALESCE($17, pg_catalog.now()), COALESCE($18::pg_catalog.jsonb, '{}'), $19) ON CONFLICT (channel, external_ref) DO NOTHING"
	" RETURNING id, number, status, total, units_short, units_backordered, false",
	19, {
		UUIDOID, TEXTOID, TEXTOID, UUIDOID, TEXTOID, TEXTOID, BOOLOID, TEXTOID, INT4OID, BOOLOID, TEXTOID, UUIDOID,
		TEXTOID, UUIDOID, UUIDOID, BYTEAOID, TIMESTAMPTZOID, TEXTOID, TIMESTAMPTZOID
	}
};

static const StoreQuery insert_addresses = {
	"INSERT INTO @.addresses (id, name, company, line1, line2, city, region, postal_code, country, latitude, longitude,"
	" phone, email) SELECT a.* FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3),"
	" pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8),"
	" pg_catalog.unnest($9), pg_catalog.unnest($10), pg_catalog.unnest($11), pg_catalog.unnest($12), pg_catalog.unnest($13)) AS a",
	13, {
		UUIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
		TEXTARRAYOID, TEXTARRAYOID, FLOAT8ARRAYOID, FLOAT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID
	}
};

static const StoreQuery delete_addresses = {
	"DELETE FROM @.addresses a WHERE a.id" EQ "ANY ($1)", 1, {UUIDARRAYOID}
};

#define INTO_LINES \
	"INSERT INTO @.order_lines (id, order_id, line_no, external_ref, parent_line_id, sku, quantity, unit_price, discount, tax," \
	" description, method, location, pickup_location, ship_to_id, ship_group, attributes, requested_at)"

static const StoreQuery insert_lines = {
	INTO_LINES " SELECT l.id, $1, l.line_no::pg_catalog.int4, l.external_ref, l.parent_line_id, l.sku, l.quantity, l.unit_price,"
	" COALESCE(l.discount, 0), COALESCE(l.tax, 0), l.description, l.method, l.location, l.pickup_location, l.ship_to_id,"
	" l.ship_group, COALESCE(l.attributes::pg_catalog.jsonb, '{}'), l.requested_at FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3),"
	" pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8),"
	" pg_catalog.unnest($9), pg_catalog.unnest($10), pg_catalog.unnest($11), pg_catalog.unnest($12), pg_catalog.unnest($13),"
	" pg_catalog.unnest($14), pg_catalog.unnest($15), pg_catalog.unnest($16), pg_catalog.unnest($17), pg_catalog.unnest($18))"
	" AS l(id, line_no, external_ref, parent_line_id, sku, quantity, unit_price, discount, tax, description, method, location,"
	" pickup_location, ship_to_id, ship_group, attributes, requested_at)",
	18, {
		UUIDOID, UUIDARRAYOID, INT8ARRAYOID, TEXTARRAYOID, UUIDARRAYOID, TEXTARRAYOID, INT8ARRAYOID, NUMERICARRAYOID,
		NUMERICARRAYOID, NUMERICARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, UUIDARRAYOID,
		TEXTARRAYOID, TEXTARRAYOID, TIMESTAMPTZARRAYOID
	}
};

/* The same with what most lines say: each array costs a function scan. */
static const StoreQuery insert_plain_lines = {
	INTO_LINES " SELECT l.id, $1, l.line_no::pg_catalog.int4, NULL, NULL, l.sku, l.quantity, l.unit_price, COALESCE(l.discount, 0),"
	" COALESCE(l.tax, 0), l.description, NULL, NULL, NULL, NULL, NULL, '{}', NULL FROM ROWS FROM (pg_catalog.unnest($2),"
	" pg_catalog.unnest($3), pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8), pg_catalog.unnest($9),"
	" pg_catalog.unnest($10), pg_catalog.unnest($11)) AS l(id, line_no, sku, quantity, unit_price, discount, tax, description)",
	18, {
		UUIDOID, UUIDARRAYOID, INT8ARRAYOID, TEXTARRAYOID, UUIDARRAYOID, TEXTARRAYOID, INT8ARRAYOID, NUMERICARRAYOID,
		NUMERICARRAYOID, NUMERICARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, UUIDARRAYOID,
		TEXTARRAYOID, TEXTARRAYOID, TIMESTAMPTZARRAYOID
	}
};

static const StoreQuery insert_charges = {
	"INSERT INTO @.order_charges (order_id, kind, label, amount, tax) SELECT $1, c.kind, c.label, c.amount, COALESCE(c.tax, 0)"
	" FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5))"
	" AS c(kind, label, amount, tax)",
	5, {UUIDOID, TEXTARRAYOID, TEXTARRAYOID, NUMERICARRAYOID, NUMERICARRAYOID}
};

static const StoreQuery insert_holds = {
	"INSERT INTO @.order_holds (order_id, kind, reason, expires_at) SELECT $1, h.kind, h.reason, h.expires_at"
	" FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4)) AS h(kind, reason, expires_at)",
	4, {UUIDOID, TEXTARRAYOID, TEXTARRAYOID, TIMESTAMPTZARRAYOID}
};

static const StoreQuery insert_payments = {
	"INSERT INTO @.payments (id, order_id, method, amount) SELECT p.id, $1, p.method, p.amount"
	" FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4)) AS p(id, method, amount)",
	4, {UUIDOID, UUIDARRAYOID, TEXTARRAYOID, NUMERICARRAYOID}
};

static const StoreQuery insert_transactions = {
	"INSERT INTO @.payment_transactions (payment_id, kind, outcome, amount, gateway_ref)"
	" SELECT t.payment_id, t.kind, 'succeeded', t.amount, t.gateway_ref FROM ROWS FROM (pg_catalog.unnest($1),"
	" pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4)) AS t(payment_id, kind, amount, gateway_ref)",
	4, {UUIDARRAYOID, TEXTARRAYOID, NUMERICARRAYOID, TEXTARRAYOID}
};

/*
 * text_or_null returns a field's text for an argument.
 */
static Datum
text_or_null(const FieldValue *value, char *null)
{
	*null = value->is_set ? ' ' : 'n';
	return value->is_set ? CStringGetTextDatum(value->text ? value->text : value->json) : (Datum) 0;
}

/*
 * write_customer returns the customer's id, having written what the document
 * says of them where that is new.
 */
static bool
write_customer(Store *store, const OrderDocument *doc, pg_uuid_t *id)
{
	const FieldValue *customer = &doc->fields[DOC_CUSTOMER];
	const FieldValue *code = customer->text ? customer : &doc->customer[CUSTOMER_CODE];
	Datum		args[5];
	char		nulls[6] = "     ";

	if (!customer->is_set)
		return false;
	args[0] = CStringGetTextDatum(code->text);
	for (int i = 1; i < 5; i++)
		args[i] = text_or_null(&doc->customer[i], &nulls[i]);
	if (oms_run_nulls(store, &find_customer, args, nulls) > 0)
	{
		*id = oms_column_uuid(0, 1);
		if (oms_column_bool(0, 2))
			return true;
	}
	else if (customer->text)
		oms_document_fault("customer", NULL, psprintf("unknown customer \"%s\"", code->text));
	if (oms_run_nulls(store, &upsert_customer, args, nulls) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("customer \"%s\" cannot be written", code->text),
				 errhint("A rule or a trigger on table customers prevents it.")));
	*id = oms_column_uuid(0, 1);
	return true;
}

/*
 * oms_write_addresses inserts the document's addresses and returns their ids.
 */
pg_uuid_t *
oms_write_addresses(Store *store, const OrderDocument *doc)
{
	pg_uuid_t  *ids = palloc(Max(1, doc->naddresses) * sizeof(pg_uuid_t));
	Array	   *arrays[ADDRESS_FIELDS + 1];
	Datum		args[ADDRESS_FIELDS + 1];

	if (doc->naddresses == 0)
		return ids;
	arrays[0] = oms_array(UUIDOID, doc->naddresses);
	for (int f = 0; f < ADDRESS_FIELDS; f++)
		arrays[f + 1] = oms_array(f == ADDRESS_LATITUDE || f == ADDRESS_LONGITUDE ? FLOAT8OID : TEXTOID,
								  doc->naddresses);
	for (int i = 0; i < doc->naddresses; i++)
	{
		oms_uuid7(&ids[i]);
		oms_array_add_uuid(arrays[0], &ids[i]);
		for (int f = 0; f < ADDRESS_FIELDS; f++)
		{
			const FieldValue *value = &doc->addresses[i][f];

			if (value->is_set && !value->text)
				oms_array_add(arrays[f + 1], DirectFunctionCall1(numeric_float8, value->number));
			else
				oms_array_add_text(arrays[f + 1], value->text);
		}
	}
	for (int f = 0; f <= ADDRESS_FIELDS; f++)
		args[f] = oms_array_datum(arrays[f]);
	(void) oms_run(store, &insert_addresses, args);
	return ids;
}

/*
 * oms_forget_addresses removes addresses that were just written for an order
 * that another session placed first; the caller need not have the right to
 * delete, so the owner does.
 */
void
oms_forget_addresses(Store *store, const pg_uuid_t *ids, int count)
{
	Array	   *array = oms_array(UUIDOID, count);
	OwnerScope	scope;

	if (count == 0)
		return;
	for (int i = 0; i < count; i++)
		oms_array_add_uuid(array, &ids[i]);
	oms_become_owner(store, &scope);
	(void) oms_run(store, &delete_addresses, (Datum[]) {oms_array_datum(array)});
	oms_leave_owner(&scope);
}

/*
 * find_source_order returns the order that this one follows.
 */
static bool
find_source_order(Store *store, const OrderDocument *doc, pg_uuid_t *id)
{
	const FieldValue *source = &doc->fields[DOC_SOURCE_ORDER];

	if (!source->is_set)
		return false;
	if (oms_run(store, &find_source, (Datum[]) {CStringGetTextDatum(source->text)}) == 0)
		oms_document_fault("source_order", NULL, psprintf("unknown order \"%s\"", source->text));
	*id = oms_column_uuid(0, 1);
	return true;
}

/*
 * oms_write_before writes what an order's row points to.
 */
void
oms_write_before(Store *store, const OrderDocument *doc, OrderBefore *before)
{
	before->has_customer = write_customer(store, doc, &before->customer);
	before->has_source = find_source_order(store, doc, &before->source);
	before->addresses = oms_write_addresses(store, doc);
}

/*
 * oms_write_row inserts the order's row; what became of it is in SPI_tuptable.
 * Returns false where another order has the reference.
 */
bool
oms_write_row(Store *store, const OrderDocument *doc, const OrderFrame *frame, const pg_uuid_t *id,
			  const OrderBefore *before)
{
	const FieldValue *f = doc->fields;
	Datum		args[19];
	char		nulls[20] = "                   ";
	int64		priority = f[DOC_PRIORITY].is_set ? f[DOC_PRIORITY].integer : frame->priority;

	nulls[3] = before->has_customer ? ' ' : 'n';
	nulls[11] = before->has_source ? ' ' : 'n';
	args[0] = UUIDPGetDatum(id);
	args[1] = CStringGetTextDatum(f[DOC_CHANNEL].text);
	args[2] = text_or_null(&f[DOC_EXTERNAL_REF], &nulls[2]);
	args[3] = UUIDPGetDatum(&before->customer);
	args[4] = CStringGetTextDatum(frame->workflow);
	args[5] = CStringGetTextDatum(f[DOC_CURRENCY].text);
	args[6] = BoolGetDatum(f[DOC_TAX_INCLUDED].boolean);
	args[7] = text_or_null(&f[DOC_PO_NUMBER], &nulls[7]);
	args[8] = Int32GetDatum((int32) priority);
	args[9] = BoolGetDatum(f[DOC_SHIP_COMPLETE].boolean);
	args[10] = CStringGetTextDatum(f[DOC_IF_SHORT].is_set ? f[DOC_IF_SHORT].text : frame->if_short);
	args[11] = UUIDPGetDatum(&before->source);
	args[12] = text_or_null(&f[DOC_SOURCE_KIND], &nulls[12]);
	args[13] = doc->ship_to < 0 ? (Datum) 0 : UUIDPGetDatum(&before->addresses[doc->ship_to]);
	nulls[13] = doc->ship_to < 0 ? 'n' : ' ';
	args[14] = doc->bill_to < 0 ? (Datum) 0 : UUIDPGetDatum(&before->addresses[doc->bill_to]);
	nulls[14] = doc->bill_to < 0 ? 'n' : ' ';
	args[15] = PointerGetDatum(doc->hash);
	args[16] = TimestampTzGetDatum(f[DOC_ORDERED_AT].time);
	nulls[16] = f[DOC_ORDERED_AT].is_set ? ' ' : 'n';
	args[17] = text_or_null(&f[DOC_ATTRIBUTES], &nulls[17]);
	args[18] = TimestampTzGetDatum(f[DOC_REQUESTED_AT].time);
	nulls[18] = f[DOC_REQUESTED_AT].is_set ? ' ' : 'n';
	return oms_run_nulls(store, &insert_order, args, nulls) > 0;
}

/*
 * is_plain tells whether a line says no more than insert_plain_lines writes.
 */
static bool
is_plain(const FieldValue *line)
{
	static const int others[] = {
		LINE_EXTERNAL_REF, LINE_PARENT, LINE_METHOD, LINE_LOCATION, LINE_PICKUP_LOCATION, LINE_SHIP_TO, LINE_SHIP_GROUP,
		LINE_ATTRIBUTES, LINE_REQUESTED_AT
	};

	for (int i = 0; i < (int) lengthof(others); i++)
	{
		if (line[others[i]].is_set)
			return false;
	}
	return true;
}

/*
 * oms_write_lines inserts the lines, with these ids.
 */
void
oms_write_lines(Store *store, const OrderDocument *doc, const pg_uuid_t *id, const pg_uuid_t *ids,
				const pg_uuid_t *addresses)
{
	static const int texts[] = {
		LINE_EXTERNAL_REF, LINE_SKU, LINE_DESCRIPTION, LINE_METHOD, LINE_LOCATION, LINE_PICKUP_LOCATION,
		LINE_SHIP_GROUP
	};
	static const int text_args[] = {3, 5, 10, 11, 12, 13, 15};
	static const int moneys[] = {LINE_UNIT_PRICE, LINE_DISCOUNT, LINE_TAX};
	Array	   *arrays[18];
	Datum		args[18];
	bool		are_plain = true;

	if (doc->nlines == 0)
		return;
	for (int i = 1; i < 18; i++)
		arrays[i] = oms_array(i == 1 || i == 4 || i == 14 ? UUIDOID : i == 2 || i == 6 ? INT8OID
							  : i >= 7 && i <= 9 ? NUMERICOID : i == 17 ? TIMESTAMPTZOID : TEXTOID, doc->nlines);
	for (int i = 0; i < doc->nlines; i++)
	{
		const FieldValue *line = doc->lines[i];
		int			address = doc->line_ship_to[i];

		are_plain &= is_plain(line);
		oms_array_add_uuid(arrays[1], &ids[i]);
		oms_array_add_int64(arrays[2], line[LINE_LINE].integer);
		oms_array_add_uuid(arrays[4], line[LINE_PARENT].is_set ? &ids[line[LINE_PARENT].integer] : NULL);
		oms_array_add_int64(arrays[6], line[LINE_QUANTITY].integer);
		oms_array_add_uuid(arrays[14], address < 0 ? NULL : &addresses[address]);
		oms_array_add_text(arrays[16], line[LINE_ATTRIBUTES].json);
		if (line[LINE_REQUESTED_AT].is_set)
			oms_array_add(arrays[17], TimestampTzGetDatum(line[LINE_REQUESTED_AT].time));
		else
			oms_array_add_null(arrays[17]);
		for (int k = 0; k < (int) lengthof(texts); k++)
			oms_array_add_text(arrays[text_args[k]], line[texts[k]].text);
		for (int k = 0; k < (int) lengthof(moneys); k++)
		{
			if (line[moneys[k]].is_set)
				oms_array_add(arrays[7 + k], line[moneys[k]].number);
			else
				oms_array_add_null(arrays[7 + k]);
		}
	}
	args[0] = UUIDPGetDatum(id);
	for (int i = 1; i < 18; i++)
		args[i] = oms_array_datum(arrays[i]);
	(void) oms_run(store, are_plain ? &insert_plain_lines : &insert_lines, args);
}

/*
 * oms_write_charges inserts the charges.
 */
void
oms_write_charges(Store *store, const OrderDocument *doc, const pg_uuid_t *id)
{
	Array	   *kinds = oms_array(TEXTOID, doc->ncharges);
	Array	   *labels = oms_array(TEXTOID, doc->ncharges);
	Array	   *amounts = oms_array(NUMERICOID, doc->ncharges);
	Array	   *taxes = oms_array(NUMERICOID, doc->ncharges);

	for (int i = 0; i < doc->ncharges; i++)
	{
		const FieldValue *charge = doc->charges[i];

		oms_array_add_text(kinds, charge[CHARGE_KIND].text);
		oms_array_add_text(labels, charge[CHARGE_LABEL].text);
		oms_array_add(amounts, charge[CHARGE_AMOUNT].number);
		if (charge[CHARGE_TAX].is_set)
			oms_array_add(taxes, charge[CHARGE_TAX].number);
		else
			oms_array_add_null(taxes);
	}
	if (doc->ncharges > 0)
		(void) oms_run(store, &insert_charges, (Datum[]) {
			UUIDPGetDatum(id), oms_array_datum(kinds), oms_array_datum(labels), oms_array_datum(amounts),
			oms_array_datum(taxes)
		});
}

/*
 * oms_write_holds inserts the holds.
 */
void
oms_write_holds(Store *store, const OrderDocument *doc, const pg_uuid_t *id)
{
	Array	   *hold_kinds = oms_array(TEXTOID, doc->nholds);
	Array	   *reasons = oms_array(TEXTOID, doc->nholds);
	Array	   *expiries = oms_array(TIMESTAMPTZOID, doc->nholds);

	for (int i = 0; i < doc->nholds; i++)
	{
		const FieldValue *hold = doc->holds[i];

		oms_array_add_text(hold_kinds, hold[HOLD_KIND].text);
		oms_array_add_text(reasons, hold[HOLD_REASON].text);
		if (hold[HOLD_EXPIRES_AT].is_set)
			oms_array_add(expiries, TimestampTzGetDatum(hold[HOLD_EXPIRES_AT].time));
		else
			oms_array_add_null(expiries);
	}
	if (doc->nholds > 0)
		(void) oms_run(store, &insert_holds, (Datum[]) {
			UUIDPGetDatum(id), oms_array_datum(hold_kinds), oms_array_datum(reasons), oms_array_datum(expiries)
		});
}

/*
 * oms_write_payments inserts the payments, and of each the one transaction that
 * the document tells.
 */
void
oms_write_payments(Store *store, const OrderDocument *doc, const pg_uuid_t *id)
{
	Array	   *ids = oms_array(UUIDOID, doc->npayments);
	Array	   *methods = oms_array(TEXTOID, doc->npayments);
	Array	   *payment_kinds = oms_array(TEXTOID, doc->npayments);
	Array	   *amounts = oms_array(NUMERICOID, doc->npayments);
	Array	   *refs = oms_array(TEXTOID, doc->npayments);

	if (doc->npayments == 0)
		return;
	for (int i = 0; i < doc->npayments; i++)
	{
		const FieldValue *payment = doc->payments[i];
		pg_uuid_t	payment_id;

		oms_uuid7(&payment_id);
		oms_array_add_uuid(ids, &payment_id);
		oms_array_add_text(methods, payment[PAYMENT_METHOD].text);
		oms_array_add_text(payment_kinds, payment[PAYMENT_KIND].text);
		oms_array_add(amounts, payment[PAYMENT_AMOUNT].number);
		oms_array_add_text(refs, payment[PAYMENT_GATEWAY_REF].text);
	}
	(void) oms_run(store, &insert_payments, (Datum[]) {
		UUIDPGetDatum(id), oms_array_datum(ids), oms_array_datum(methods), oms_array_datum(amounts)
	});
	(void) oms_run(store, &insert_transactions, (Datum[]) {
		oms_array_datum(ids), oms_array_datum(payment_kinds), oms_array_datum(amounts), oms_array_datum(refs)
	});
}
