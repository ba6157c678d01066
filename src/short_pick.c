/*
 * short_pick.c
 *	  oms.short_pick: the picker has not found some units of a fulfillment.
 *
 * They are divided off and rejected, by the fulfillment's own move that does
 * reroute: sourced elsewhere, never again at this location, else short.  What
 * was found stays as it is and ships.  The reason's stock_effect says that what
 * is not there is not sold again.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"

#include "document.h"
#include "fulfillment.h"
#include "machine.h"
#include "moves.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"

PG_FUNCTION_INFO_V1(oms_short_pick);

static const StoreQuery find_reason = {
	"SELECT r.code FROM @.reasons r WHERE r.code" EQ "$1", 1, {TEXTOID}
};

static const StoreQuery count_short = {
	"SELECT COALESCE(pg_catalog.sum(l.short), 0)::pg_catalog.int8 FROM @.order_lines l WHERE l.id" EQ "ANY ($1)", 1, {UUIDARRAYOID}
};

/*
 * short_units returns how many units of the lines are short now.
 */
static int64
short_units(Store *store, const Division *division)
{
	Array	   *lines = oms_array(UUIDOID, division->count);

	for (int i = 0; i < division->count; i++)
		oms_array_add_uuid(lines, &division->parts[i].line_id);
	(void) oms_run(store, &count_short, (Datum[]) {oms_array_datum(lines)});
	return oms_column_int64(0, 1);
}

/*
 * rejecting_state returns the state to which a move that does reroute leads;
 * OM002 where there is none.
 */
static const char *
rejecting_state(Store *store, const Division *division)
{
	Machine    *machine;
	const MachineMove *move;

	oms_keep_workflows(store, ENTITY_FULFILLMENT);
	machine = oms_machine(store, division->workflow, ENTITY_FULFILLMENT);
	move = oms_machine_move_by_action(machine, oms_machine_state(machine, division->status), "reroute");
	if (!move)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_GUARD_REFUSED),
				 errmsg("fulfillment \"%s\" cannot be picked short in \"%s\"", division->number, division->status),
				 errdetail("No move of workflow \"%s\" leaves that state and does reroute.", machine->name),
				 errhint("Move the fulfillment to a state from which it can be rejected first, or cancel the units with oms.cancel_lines.")));
	return oms_machine_state_name(machine, move->to);
}

/*
 * reject has the units that were not found leave and be sourced elsewhere.
 * Returns the fulfillment that they were rejected in.
 */
static pg_uuid_t
reject(Store *store, const Division *division, const pg_uuid_t *id, const char *reason)
{
	const char *target = rejecting_state(store, division);
	Array	   *ids = oms_array(UUIDOID, 1);
	Array	   *from = oms_array(TEXTOID, 1);
	Array	   *to = oms_array(TEXTOID, 1);
	Array	   *reasons = oms_array(TEXTOID, 1);
	pg_uuid_t	rejected = *id;

	if (division->left > 0)
	{
		oms_split(store, division->parts, division->count);
		rejected = division->parts[0].new_id;
	}
	oms_array_add_uuid(ids, &rejected);
	oms_array_add_text(from, division->status);
	oms_array_add_text(to, target);
	oms_array_add_text(reasons, reason);
	oms_move_fulfillments(store, ids, from, to, reasons);
	return rejected;
}

/*
 * oms_short_pick is oms.short_pick(store, fulfillment_id, lines, reason).
 */
Datum
oms_short_pick(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 3);
	pg_uuid_t  *id = PG_GETARG_UUID_P(1);
	char	   *reason = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));
	LineQuantity *wanted;
	int			count;
	Division	division;
	OwnerScope	scope;
	TupleDesc	tupdesc;
	pg_uuid_t	rejected;
	int64		units = 0;
	int64		before;
	int64		lacking;
	int			guc_level;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "short_pick must return a row");
	wanted = oms_parse_line_quantities(PG_GETARG_JSONB_P(2), &count);
	oms_require_status(store, "fulfillments");
	guc_level = oms_pin_search_path(store);
	oms_spi_begin();
	oms_hold_parts(store, id, wanted, count, "picked short", &scope, &division);
	if (reason && oms_run(store, &find_reason, (Datum[]) {CStringGetTextDatum(reason)}) == 0)
		oms_document_fault("reason", NULL, psprintf("unknown reason \"%s\"", oms_clip(reason)));
	before = short_units(store, &division);
	rejected = reject(store, &division, id, reason);
	lacking = short_units(store, &division) - before;
	for (int i = 0; i < count; i++)
		units += wanted[i].quantity;
	/* a function of the store's may have changed them too */
	lacking = Max(0, Min(lacking, units));
	oms_leave_owner(&scope);
	oms_spi_end();
	AtEOXact_GUC(true, guc_level);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), (Datum[]) {
		UUIDPGetDatum(&rejected), Int64GetDatum(units), Int64GetDatum(units - lacking), Int64GetDatum(lacking)
	}, (bool[4]) {false})));
}
