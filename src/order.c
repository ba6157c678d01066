/*
 * order.c
 *	  oms.place_order: a document becomes an order, in one call.
 *
 * It does as the caller what the caller could do in SQL: INSERT the order as a
 * draft, its lines, charges and holds, UPDATE its status.  Privileges, row
 * level security, defaults and triggers apply by themselves; the engine's part
 * happens in the triggers.  The number of statements does not depend on the
 * number of lines.
 *
 * (channel, external_ref) makes a call repeatable: whoever comes second, even
 * at the same moment, waits for the first and gets its order.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "machine.h"
#include "oms.h"
#include "order.h"
#include "plan.h"
#include "rows.h"
#include "uuid7.h"

PG_FUNCTION_INFO_V1(oms_place_order);

static const StoreQuery find_order = {
	"SELECT o.id, o.document_hash FROM @.orders o WHERE o.channel" EQ "$1 AND o.external_ref" EQ "$2 FOR KEY SHARE",
	2, {TEXTOID, TEXTOID}
};

#define MISSING(kind, condition) \
	"(w.kind" EQ "'" kind "' AND NOT EXISTS (SELECT FROM @." condition "))"

/* The channel, and the first code that is not there, or not active. */
static const StoreQuery read_codes = {
	"SELECT c.order_workflow, c.if_short, c.priority::pg_catalog.int8, c.active, (SELECT pg_catalog.min(w.place)"
	" FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) WITH ORDINALITY AS w(kind, code, place)"
	" WHERE " MISSING("sku", "skus s WHERE s.code" EQ "w.code AND s.active")
	" OR " MISSING("method", "methods m WHERE m.code" EQ "w.code")
	" OR " MISSING("location", "locations l WHERE l.code" EQ "w.code AND l.active")
	" OR " MISSING("pickup_location", "locations l WHERE l.code" EQ "w.code AND l.active")
	") FROM @.channels c WHERE c.code" EQ "$1",
	3, {TEXTOID, TEXTARRAYOID, TEXTARRAYOID}
};

/* What a channel says of its orders. */
typedef struct ChannelFacts
{
	char	   *workflow;
	char	   *if_short;
	int64		priority;
} ChannelFacts;

static const StoreQuery insert_order = {
	"INSERT INTO @.orders (id, channel, external_ref, customer_id, workflow, currency, tax_included, po_number, priority,"
	" ship_complete, if_short, source_order_id, source_kind, ship_to_id, bill_to_id, document_hash, ordered_at, attributes)"
	" VALUES ($1, $2, $3, $4, $5, $6::pg_catalog.bpchar, COALESCE($7, false), $8, $9, COALESCE($10, false), $11, $12, $13, $14, $15, $16,"
	" COALESCE($17, pg_catalog.now()), COALESCE($18::pg_catalog.jsonb, '{}')) ON CONFLICT (channel, external_ref) DO NOTHING",
	18, {
		UUIDOID, TEXTOID, TEXTOID, UUIDOID, TEXTOID, TEXTOID, BOOLOID, TEXTOID, INT4OID, BOOLOID, TEXTOID, UUIDOID,
		TEXTOID, UUIDOID, UUIDOID, BYTEAOID, TIMESTAMPTZOID, TEXTOID
	}
};

static const StoreQuery check_total = {
	"SELECT o.total FROM @.orders o WHERE o.id" EQ "$1", 1, {UUIDOID}
};

static const StoreQuery set_status = {
	"UPDATE @.orders SET status = $2 WHERE id" EQ "$1", 2, {UUIDOID, TEXTOID}
};

static const StoreQuery read_result = {
	"SELECT o.id, o.number, o.status, o.total, o.units_short, o.units_backordered, $2 FROM @.orders o WHERE o.id" EQ "$1",
	2, {UUIDOID, BOOLOID}
};

static bool find_repeated(Store *store, const OrderDocument *doc, pg_uuid_t *id);
static ChannelFacts check_codes(Store *store, const OrderDocument *doc);
static bool write_order(Store *store, const OrderDocument *doc, const ChannelFacts *channel, const pg_uuid_t *id,
						const char **status);
static void check_total_of(Store *store, const OrderDocument *doc, const pg_uuid_t *id);
static void refuse_hidden(const char *what);

/*
 * oms_place_order is oms.place_order(store, document).
 */
Datum
oms_place_order(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 2);
	OrderDocument *doc = oms_parse_order(PG_GETARG_JSONB_P(1));
	MemoryContext caller = CurrentMemoryContext;
	TupleDesc	tupdesc;
	Datum		values[7];
	bool		nulls[7];
	bool		repeated;
	pg_uuid_t	id;
	HeapTuple	result;
	int			guc_level;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "place_order must return a row");
	tupdesc = BlessTupleDesc(tupdesc);
	guc_level = oms_pin_search_path(store);
	oms_spi_begin();
	repeated = find_repeated(store, doc, &id);
	if (!repeated)
	{
		ChannelFacts channel = check_codes(store, doc);
		const char *status;

		oms_uuid7(&id);
		repeated = !write_order(store, doc, &channel, &id, &status);
		if (repeated)
		{
			if (!find_repeated(store, doc, &id))
				ereport(ERROR,
						(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
						 errmsg("order \"%s\" of channel \"%s\" is being placed by another session",
								doc->fields[DOC_EXTERNAL_REF].text, doc->fields[DOC_CHANNEL].text),
						 errhint("Retry the transaction.")));
		}
		else if (oms_run(store, &set_status, (Datum[]) {UUIDPGetDatum(&id), CStringGetTextDatum(status)}) != 1)
			refuse_hidden("placed");
	}
	if (oms_run(store, &read_result, (Datum[]) {UUIDPGetDatum(&id), BoolGetDatum(repeated)}) != 1)
		refuse_hidden("read");
	for (int i = 0; i < 7; i++)
		values[i] = oms_column(0, i + 1, &nulls[i]);
	MemoryContextSwitchTo(caller);
	result = heap_form_tuple(tupdesc, values, nulls);
	oms_spi_end();
	AtEOXact_GUC(true, guc_level);
	PG_RETURN_DATUM(HeapTupleGetDatum(result));
}

/*
 * refuse_hidden says that what was written is out of the caller's reach: of an
 * order that stays a draft nobody must think that it is placed.
 */
static void
refuse_hidden(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("the order cannot be %s", what),
			 errhint("A policy, a rule or a trigger on table orders keeps it from the role that places it.")));
}

/*
 * find_repeated finds the order that this document made before.  Another
 * document with its reference is OM007.  The lock has it committed before it
 * is acknowledged again.
 */
static bool
find_repeated(Store *store, const OrderDocument *doc, pg_uuid_t *id)
{
	const FieldValue *fields = doc->fields;
	bool		isnull;
	Datum		hash;

	if (!fields[DOC_EXTERNAL_REF].is_set ||
		oms_run(store, &find_order, (Datum[]) {
			CStringGetTextDatum(fields[DOC_CHANNEL].text), CStringGetTextDatum(fields[DOC_EXTERNAL_REF].text)
		}) == 0)
		return false;
	*id = oms_column_uuid(0, 1);
	hash = oms_column(0, 2, &isnull);
	if (isnull || !DatumGetBool(DirectFunctionCall2(byteaeq, hash, PointerGetDatum(doc->hash))))
		ereport(ERROR,
				(errcode(ERRCODE_OMS_REFERENCE_REUSED),
				 errmsg("external_ref \"%s\" of channel \"%s\" was used before, with another document",
						fields[DOC_EXTERNAL_REF].text, fields[DOC_CHANNEL].text),
				 errhint("The same document may be sent again; another order needs another reference.")));
	return true;
}

/*
 * check_codes refuses codes that the store does not know, the first of them,
 * and returns what the channel says.
 */
static ChannelFacts
check_codes(Store *store, const OrderDocument *doc)
{
	static const struct
	{
		int			field;
		const char *name;
	}			kinds[] = {
		{LINE_SKU, "sku"}, {LINE_METHOD, "method"}, {LINE_LOCATION, "location"},
		{LINE_PICKUP_LOCATION, "pickup_location"}
	};
	Array	   *names = oms_array(TEXTOID, doc->nlines * 2);
	Array	   *codes = oms_array(TEXTOID, doc->nlines * 2);
	int		   *lines = palloc(Max(1, doc->nlines) * lengthof(kinds) * sizeof(int));
	ChannelFacts channel;

	for (int i = 0; i < doc->nlines; i++)
	{
		for (int k = 0; k < (int) lengthof(kinds); k++)
		{
			const FieldValue *value = &doc->lines[i][kinds[k].field];

			if (!value->is_set)
				continue;
			lines[names->count] = i;
			oms_array_add_text(names, kinds[k].name);
			oms_array_add_text(codes, value->text);
		}
	}
	if (oms_run(store, &read_codes, (Datum[]) {
			CStringGetTextDatum(doc->fields[DOC_CHANNEL].text), oms_array_datum(names), oms_array_datum(codes)
		}) == 0)
		oms_document_fault("channel", NULL, psprintf("unknown channel \"%s\"", doc->fields[DOC_CHANNEL].text));
	if (!oms_column_bool(0, 4))
		oms_document_fault("channel", NULL, psprintf("channel \"%s\" is not active", doc->fields[DOC_CHANNEL].text));
	if (!oms_column_is_null(0, 5))
	{
		int			i = (int) oms_column_int64(0, 5) - 1;
		char	   *name = TextDatumGetCString(names->values[i]);

		oms_document_fault(psprintf("lines[%d]", lines[i]), name,
						   psprintf("unknown %s \"%s\"", strcmp(name, "pickup_location") == 0 ? "location" : name,
									TextDatumGetCString(codes->values[i])));
	}
	channel.workflow = oms_column_text(0, 1);
	channel.if_short = oms_column_text(0, 2);
	channel.priority = oms_column_int64(0, 3);
	return channel;
}

/*
 * reserving_state returns where an order of this workflow goes to be placed:
 * by the first move of a person's from the initial state that does reserve.
 */
static const char *
reserving_state(Store *store, const char *workflow)
{
	Machine    *machine = oms_machine(store, workflow, ENTITY_ORDER);
	const MachineMove *move = oms_machine_move_by_action(machine, machine->workflow->initial, "reserve");

	if (!move || move->is_automatic)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_WORKFLOW_UNSOUND),
				 errmsg("workflow \"%s\" has no move from \"%s\" that does reserve", workflow,
						oms_machine_state_name(machine, machine->workflow->initial)),
				 errhint("Give it one that is not automatic, such as \"draft -> placed do reserve\".")));
	return oms_machine_state_name(machine, move->to);
}

/*
 * write_order writes the order as a draft with all that belongs to it.
 * Returns false where another session placed it first.
 */
static bool
write_order(Store *store, const OrderDocument *doc, const ChannelFacts *channel, const pg_uuid_t *id,
			const char **status)
{
	const FieldValue *f = doc->fields;
	Datum		args[18];
	char		nulls[19] = "                  ";
	pg_uuid_t	customer;
	pg_uuid_t	source;
	pg_uuid_t  *addresses;
	int64		priority = f[DOC_PRIORITY].is_set ? f[DOC_PRIORITY].integer : channel->priority;

	*status = reserving_state(store, channel->workflow);
	nulls[3] = oms_write_customer(store, doc, &customer) ? ' ' : 'n';
	nulls[11] = oms_find_source_order(store, doc, &source) ? ' ' : 'n';
	addresses = oms_write_addresses(store, doc);
	args[0] = UUIDPGetDatum(id);
	args[1] = CStringGetTextDatum(f[DOC_CHANNEL].text);
	args[2] = oms_text_or_null(&f[DOC_EXTERNAL_REF], &nulls[2]);
	args[3] = UUIDPGetDatum(&customer);
	args[4] = CStringGetTextDatum(channel->workflow);
	args[5] = CStringGetTextDatum(f[DOC_CURRENCY].text);
	args[6] = BoolGetDatum(f[DOC_TAX_INCLUDED].boolean);
	args[7] = oms_text_or_null(&f[DOC_PO_NUMBER], &nulls[7]);
	args[8] = Int32GetDatum((int32) priority);
	args[9] = BoolGetDatum(f[DOC_SHIP_COMPLETE].boolean);
	args[10] = CStringGetTextDatum(f[DOC_IF_SHORT].is_set ? f[DOC_IF_SHORT].text : channel->if_short);
	args[11] = UUIDPGetDatum(&source);
	args[12] = oms_text_or_null(&f[DOC_SOURCE_KIND], &nulls[12]);
	args[13] = doc->ship_to < 0 ? (Datum) 0 : UUIDPGetDatum(&addresses[doc->ship_to]);
	nulls[13] = doc->ship_to < 0 ? 'n' : ' ';
	args[14] = doc->bill_to < 0 ? (Datum) 0 : UUIDPGetDatum(&addresses[doc->bill_to]);
	nulls[14] = doc->bill_to < 0 ? 'n' : ' ';
	args[15] = PointerGetDatum(doc->hash);
	args[16] = TimestampTzGetDatum(f[DOC_ORDERED_AT].time);
	nulls[16] = f[DOC_ORDERED_AT].is_set ? ' ' : 'n';
	args[17] = oms_text_or_null(&f[DOC_ATTRIBUTES], &nulls[17]);
	if (oms_run_nulls(store, &insert_order, args, nulls) == 0)
	{
		if (!f[DOC_EXTERNAL_REF].is_set)
			refuse_hidden("inserted");
		oms_forget_addresses(store, addresses, doc->naddresses);
		return false;
	}
	oms_write_lines(store, doc, id, addresses);
	oms_write_charges_and_holds(store, doc, id);
	check_total_of(store, doc, id);
	return true;
}

/*
 * check_total_of compares the total that the document gives with the order's.
 */
static void
check_total_of(Store *store, const OrderDocument *doc, const pg_uuid_t *id)
{
	const FieldValue *total = &doc->fields[DOC_TOTAL];
	bool		isnull;
	Datum		real;

	if (!total->is_set || oms_run(store, &check_total, (Datum[]) {UUIDPGetDatum(id)}) == 0)
		return;
	real = oms_column(0, 1, &isnull);
	if (!DatumGetBool(DirectFunctionCall2(numeric_eq, real, total->number)))
		oms_document_fault("total", NULL,
						   psprintf("lines and charges make %s, not %s",
									DatumGetCString(DirectFunctionCall1(numeric_out, real)),
									DatumGetCString(DirectFunctionCall1(numeric_out, total->number))));
}
