/*
 * order.c
 *	  oms.place_order: a document becomes an order, in one call.
 *
 * It does as the caller what the caller could do in SQL: INSERT the order as a
 * draft, its lines, charges, holds and payments, UPDATE its status.  Privileges, row
 * level security, defaults and triggers apply by themselves; the engine's part
 * happens in the triggers.  The number of statements does not depend on the
 * number of lines.  Where nobody could tell the difference, direct.c writes
 * each row once instead, as it ends up.
 *
 * (channel, external_ref) makes a call repeatable: whoever comes second, even
 * at the same moment, stands in line behind the first and gets its order.
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

#include "import.h"
#include "machine.h"
#include "oms.h"
#include "order.h"
#include "plan.h"
#include "queue.h"
#include "rows.h"
#include "stock_hold.h"
#include "uuid7.h"

PG_FUNCTION_INFO_V1(oms_place_order);

static const StoreQuery find_order = {
	"SELECT o.id, o.document_hash FROM @.orders o WHERE o.channel" EQ "$1 AND o.external_ref" EQ "$2 FOR KEY SHARE",
	2, {TEXTOID, TEXTOID}
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
static bool is_there(Store *store, const OrderDocument *doc);
static bool set_status_with_hold(Store *store, const OrderDocument *doc, const pg_uuid_t *id, const char *status);
static bool place_in_steps(Store *store, const OrderDocument *doc, const OrderFrame *frame, const pg_uuid_t *id);

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
	bool		may_be_direct;
	bool		is_known = false;
	pg_uuid_t	id;
	HeapTuple	row;
	int			guc_level;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "place_order must return a row");
	tupdesc = BlessTupleDesc(tupdesc);
	oms_require_no_import(store);
	guc_level = oms_pin_search_path(store);
	oms_spi_begin();
	may_be_direct = !doc->fields[DOC_EXTERNAL_REF].is_set ||
		oms_stand_in_line(store, QUEUE_REFERENCE, doc->fields[DOC_CHANNEL].text, doc->fields[DOC_EXTERNAL_REF].text);
	repeated = find_repeated(store, doc, &id);
	if (!repeated)
	{
		OrderFrame *frame = oms_look_up_codes(store, doc);

		oms_require_status(store, "orders");
		oms_keep_workflows(store, ENTITY_ORDER);
		oms_keep_workflows(store, ENTITY_FULFILLMENT);
		oms_uuid7(&id);
		if (may_be_direct && oms_is_direct(store, doc, frame))
			is_known = oms_place_directly(store, doc, frame, &id, &row);
		else if (!place_in_steps(store, doc, frame, &id))
		{
			repeated = find_repeated(store, doc, &id);
			if (!repeated && is_there(store, doc))
				oms_refuse_hidden("read");
			if (!repeated)
				oms_refuse_meanwhile(doc);
		}
	}
	if (!is_known)
	{
		if (oms_run(store, &read_result, (Datum[]) {UUIDPGetDatum(&id), BoolGetDatum(repeated)}) != 1)
			oms_refuse_hidden("read");
		oms_require_types(tupdesc);
		row = SPI_copytuple(SPI_tuptable->vals[0]);
	}
	heap_deform_tuple(row, tupdesc, values, nulls);
	MemoryContextSwitchTo(caller);
	row = heap_form_tuple(tupdesc, values, nulls);
	oms_spi_end();
	AtEOXact_GUC(true, guc_level);
	PG_RETURN_DATUM(HeapTupleGetDatum(row));
}

/*
 * oms_refuse_hidden says that what was written is out of the caller's reach: of an
 * order that stays a draft nobody must think that it is placed.
 */
void
oms_refuse_hidden(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("the order cannot be %s", what),
			 errhint("A policy, a rule or a trigger on table orders keeps it from the role that places it.")));
}

/*
 * oms_refuse_meanwhile says that an order with the document's reference has come
 * from elsewhere, and that it cannot be seen yet.
 */
void
oms_refuse_meanwhile(const OrderDocument *doc)
{
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("order \"%s\" of channel \"%s\" is being placed by another session",
					doc->fields[DOC_EXTERNAL_REF].text, doc->fields[DOC_CHANNEL].text),
			 errhint("Retry the transaction.")));
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
	hash = oms_column(0, 2, BYTEAOID, &isnull);
	if (isnull || !DatumGetBool(DirectFunctionCall2(byteaeq, hash, PointerGetDatum(doc->hash))))
		ereport(ERROR,
				(errcode(ERRCODE_OMS_REFERENCE_REUSED),
				 errmsg("external_ref \"%s\" of channel \"%s\" was used before, with another document",
						fields[DOC_EXTERNAL_REF].text, fields[DOC_CHANNEL].text),
				 errhint("The same document may be sent again; another order needs another reference.")));
	return true;
}

/*
 * is_there tells whether an order has the document's reference that policies
 * hide from the caller: to retry would be in vain.
 */
static bool
is_there(Store *store, const OrderDocument *doc)
{
	OwnerScope	scope;
	bool		found;

	oms_become_owner(store, &scope);
	found = oms_run(store, &find_order, (Datum[]) {
		CStringGetTextDatum(doc->fields[DOC_CHANNEL].text), CStringGetTextDatum(doc->fields[DOC_EXTERNAL_REF].text)
	}) > 0;
	oms_leave_owner(&scope);
	return found;
}

/*
 * oms_reserving_move returns the move by which an order of this workflow is
 * placed: the first of a person's from the initial state that does reserve.
 */
const MachineMove *
oms_reserving_move(Store *store, const char *workflow)
{
	Machine    *machine = oms_machine(store, workflow, ENTITY_ORDER);
	const MachineMove *move = oms_machine_move_by_action(machine, machine->workflow->initial, "reserve");

	if (!move || move->is_automatic)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_WORKFLOW_UNSOUND),
				 errmsg("workflow \"%s\" has no move from \"%s\" that does reserve", workflow,
						oms_machine_state_name(machine, machine->workflow->initial)),
				 errhint("Give it one that is not automatic, such as \"draft -> placed do reserve\".")));
	return move;
}

/*
 * oms_require_total compares the total that the document gives with what its
 * lines and charges make.
 */
void
oms_require_total(const OrderDocument *doc, Datum real)
{
	const FieldValue *total = &doc->fields[DOC_TOTAL];

	if (total->is_set && !DatumGetBool(DirectFunctionCall2(numeric_eq, real, total->number)))
		oms_document_fault("total", NULL,
						   psprintf("lines and charges make %s, not %s",
									DatumGetCString(DirectFunctionCall1(numeric_out, real)),
									DatumGetCString(DirectFunctionCall1(numeric_out, total->number))));
}

/*
 * place_in_steps writes the order as a draft with all that belongs to it, and
 * then moves it.  Returns false where another session placed it first.
 */
static bool
place_in_steps(Store *store, const OrderDocument *doc, const OrderFrame *frame, const pg_uuid_t *id)
{
	Machine    *machine = oms_machine(store, frame->workflow, ENTITY_ORDER);
	const char *status = oms_machine_state_name(machine, oms_reserving_move(store, frame->workflow)->to);
	OrderBefore before;
	pg_uuid_t  *ids = palloc(Max(1, doc->nlines) * sizeof(pg_uuid_t));

	oms_write_before(store, doc, &before);
	if (!oms_write_row(store, doc, frame, id, &before))
	{
		if (!doc->fields[DOC_EXTERNAL_REF].is_set)
			oms_refuse_hidden("inserted");
		oms_forget_addresses(store, before.addresses, doc->naddresses);
		return false;
	}
	for (int i = 0; i < doc->nlines; i++)
		oms_uuid7(&ids[i]);
	oms_write_lines(store, doc, id, ids, before.addresses);
	oms_write_charges(store, doc, id);
	oms_write_holds(store, doc, id);
	oms_write_payments(store, doc, id);
	if (doc->fields[DOC_TOTAL].is_set && oms_run(store, &check_total, (Datum[]) {UUIDPGetDatum(id)}) > 0)
		oms_require_total(doc, oms_column_numeric(0, 1));
	if (!set_status_with_hold(store, doc, id, status))
		oms_refuse_hidden("placed");
	return true;
}

/*
 * set_status_with_hold moves the order; the stock hold that the document names
 * is for it and no other.
 */
static bool
set_status_with_hold(Store *store, const OrderDocument *doc, const pg_uuid_t *id, const char *status)
{
	PendingHold hold = {*id, doc->fields[DOC_STOCK_HOLD].text};
	const PendingHold *outer = oms_set_pending_hold(hold.ref ? &hold : NULL);
	volatile bool is_set = false;

	PG_TRY();
	{
		is_set = oms_run(store, &set_status, (Datum[]) {UUIDPGetDatum(id), CStringGetTextDatum(status)}) == 1;
	}
	PG_FINALLY();
	{
		(void) oms_set_pending_hold(outer);
	}
	PG_END_TRY();
	return is_set;
}
