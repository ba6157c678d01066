/*
 * merge.c
 *	  oms.merge_fulfillments, and the end of fulfillments that were emptied.
 *
 * The reverse of a division: fulfillments that go the same way become one, the
 * one that is numbered first.  A row that carries nothing any more stays, since
 * the log and payments point to it; it ends by its own move that does release,
 * which finds no unit to release.  So its workflow has its say, whoever waits
 * for such a move hears of it, and the event emptied tells why.
 *
 * Reached as the caller, who holds the fulfillments; the rest is done as the
 * owner, with their order locked.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "actions.h"
#include "document.h"
#include "event.h"
#include "facts.h"
#include "fulfillment.h"
#include "moves.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"

PG_FUNCTION_INFO_V1(oms_merge_fulfillments);

/* As the caller: who may not change one, or see it, does not find it. */
static const StoreQuery lock_fulfillments = {
	"SELECT f.id FROM @.fulfillments f WHERE f.id" EQ "ANY ($1) ORDER BY f.id FOR NO KEY UPDATE", 1, {UUIDARRAYOID}
};

static const StoreQuery order_of = {
	"SELECT DISTINCT f.order_id FROM @.fulfillments f WHERE f.id" EQ "ANY ($1) ORDER BY f.order_id", 1, {UUIDARRAYOID}
};

/* In order of their numbers: S-1-9 is before S-1-10. */
static const StoreQuery read_fulfillments = {
	"SELECT f.id, f.number, f.stock_state, f.order_id::pg_catalog.text, f.location, f.pickup_location, f.method,"
	" f.ship_to_id::pg_catalog.text, f.workflow, f.status, f.requested_at::pg_catalog.text, f.load_day::pg_catalog.text FROM @.fulfillments f WHERE f.id" EQ "ANY ($1)"
	" ORDER BY pg_catalog.length(f.number), f.number",
	1, {UUIDARRAYOID}
};

/* What cannot be told apart again: units of two ship groups, or some counted in stock and some not. */
static const StoreQuery find_unlike = {
	"SELECT pg_catalog.count(DISTINCT l.ship_group)" PLUS "CASE WHEN pg_catalog.bool_or(l.ship_group IS NULL) THEN 1 ELSE 0 END" GT "1,"
	" COALESCE(pg_catalog.bool_or(l.differs), false) FROM (SELECT ol.ship_group, pg_catalog.bool_or(fl.tracked)" NE "pg_catalog.bool_and(fl.tracked) AS differs"
	" FROM @.fulfillment_lines fl JOIN @.order_lines ol ON ol.id" EQ "fl.order_line_id WHERE fl.fulfillment_id" EQ "ANY ($1)"
	" GROUP BY ol.id) l",
	1, {UUIDARRAYOID}
};

static const StoreQuery move_lines = {
	"WITH gone AS (DELETE FROM @.fulfillment_lines g WHERE g.fulfillment_id" EQ "ANY ($2)"
	" RETURNING g.order_line_id, g.sku, g.quantity, g.tracked, g.packed)"
	" INSERT INTO @.fulfillment_lines AS l (fulfillment_id, order_line_id, sku, quantity, tracked, packed)"
	" SELECT $1, g.order_line_id, pg_catalog.min(g.sku), pg_catalog.sum(g.quantity)::pg_catalog.int8, pg_catalog.bool_and(g.tracked),"
	" pg_catalog.sum(g.packed)::pg_catalog.int8 FROM gone g GROUP BY g.order_line_id ORDER BY g.order_line_id"
	" ON CONFLICT (fulfillment_id, order_line_id) DO UPDATE SET quantity = l.quantity" PLUS "excluded.quantity,"
	" packed = l.packed" PLUS "excluded.packed",
	2, {UUIDOID, UUIDARRAYOID}
};

static const StoreQuery move_packages = {
	"UPDATE @.packages p SET fulfillment_id = $1, revision = p.revision" PLUS "1 WHERE p.fulfillment_id" EQ "ANY ($2)",
	2, {UUIDOID, UUIDARRAYOID}
};

static const StoreQuery delete_lines = {
	"DELETE FROM @.fulfillment_lines l WHERE l.fulfillment_id" EQ "ANY ($1)", 1, {UUIDARRAYOID}
};

/* Who waits for the order does not act on what a fulfillment had. */
static const StoreQuery touch_orders = {
	"UPDATE @.orders o SET revision = o.revision" PLUS "1 WHERE o.id" EQ "ANY ($1)", 1, {UUIDARRAYOID}
};

/* Columns of read_fulfillments in which all must agree, and how messages call them. */
static const struct
{
	int			column;
	const char *name;
}			kinds[] = {

	{4, "order"}, {5, "location"}, {6, "pickup location"}, {7, "method"}, {8, "address"}, {9, "workflow"}, {10, "status"},
	{11, "requested time"}, {12, "day of work"}
};

/*
 * oms_emptied makes an empty list.
 */
Emptied *
oms_emptied(int capacity)
{
	Emptied    *list = palloc(sizeof(Emptied));

	list->ids = oms_array(UUIDOID, capacity);
	list->order_ids = oms_array(UUIDOID, capacity);
	list->from = oms_array(TEXTOID, capacity);
	list->to = oms_array(TEXTOID, capacity);
	list->reasons = oms_array(TEXTOID, capacity);
	list->details = oms_array(TEXTOID, capacity);
	return list;
}

/*
 * oms_emptied_add adds a fulfillment that is to be left without units; OM002 where
 * no move that does release leaves its state.
 */
void
oms_emptied_add(Store *store, Emptied *list, const pg_uuid_t *id, const pg_uuid_t *order_id, const char *number,
				const char *workflow, const char *status, const char *reason, const char *detail)
{
	Machine    *machine = oms_machine(store, workflow, ENTITY_FULFILLMENT);
	const MachineMove *move = oms_releasing_move(machine, number, status);

	oms_array_add_uuid(list->ids, id);
	oms_array_add_uuid(list->order_ids, order_id);
	oms_array_add_text(list->from, status);
	oms_array_add_text(list->to, oms_machine_state_name(machine, move->to));
	oms_array_add_text(list->reasons, reason);
	oms_array_add_text(list->details, detail);
}

/*
 * oms_end_emptied takes what lines the fulfillments still have, tells why, and
 * has each make its move.  The caller acts as the owner and holds the orders.
 */
void
oms_end_emptied(Store *store, const Emptied *list)
{
	Events	   *events = oms_events(list->ids->count);

	for (int i = 0; i < list->ids->count; i++)
		oms_event_add(events, DatumGetUUIDP(list->order_ids->values[i]), "fulfillment", DatumGetUUIDP(list->ids->values[i]),
					  "emptied", NULL, NULL, NULL, TextDatumGetCString(list->details->values[i]));
	(void) oms_run(store, &touch_orders, (Datum[]) {oms_array_datum(list->order_ids)});
	(void) oms_run(store, &delete_lines, (Datum[]) {oms_array_datum(list->ids)});
	oms_events_write(store, events);
	oms_move_fulfillments(store, list->ids, list->from, list->to, list->reasons);
}

/*
 * parse_ids reads the argument: two ids or more, each once.
 */
static Array *
parse_ids(ArrayType *argument)
{
	Array	   *ids;
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	pg_uuid_t  *sorted;

	deconstruct_array(argument, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR, &elements, &nulls, &count);
	if (count < 2)
		oms_document_fault("fulfillment_ids", NULL, "must name two fulfillments or more");
	if (count > MAX_LINES)
		oms_document_fault("fulfillment_ids", NULL, psprintf("names more than %d fulfillments", MAX_LINES));
	ids = oms_array(UUIDOID, count);
	sorted = palloc(count * sizeof(pg_uuid_t));
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			oms_document_fault(psprintf("fulfillment_ids[%d]", i), NULL, "must not be null");
		sorted[i] = *DatumGetUUIDP(elements[i]);
		oms_array_add_uuid(ids, &sorted[i]);
	}
	qsort(sorted, count, sizeof(pg_uuid_t), oms_uuid_cmp);
	for (int i = 1; i < count; i++)
	{
		if (oms_uuid_cmp(&sorted[i], &sorted[i - 1]) == 0)
			oms_document_fault("fulfillment_ids", NULL,
							   psprintf("fulfillment \"%s\" is there twice", oms_uuid_out(&sorted[i])));
	}
	return ids;
}

/*
 * require_found refuses an id that the caller finds no fulfillment of.
 */
static void
require_found(const Array *ids, uint64 found)
{
	for (int i = 0; found < ids->count && i < ids->count; i++)
	{
		bool		is_there = false;

		for (uint64 j = 0; j < found && !is_there; j++)
		{
			pg_uuid_t	id = oms_column_uuid(j, 1);

			is_there = oms_uuid_cmp(&id, DatumGetUUIDP(ids->values[i])) == 0;
		}
		if (!is_there)
			oms_document_fault(psprintf("fulfillment_ids[%d]", i), NULL,
							   psprintf("unknown fulfillment \"%s\"", oms_uuid_out(DatumGetUUIDP(ids->values[i]))));
	}
}

/*
 * refuse_merge raises OM002 for two fulfillments that cannot be one.
 */
static void
refuse_merge(const char *first, const char *second, const char *why, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_OMS_GUARD_REFUSED),
			 errmsg("fulfillments \"%s\" and \"%s\" cannot be merged: %s", first, second, why),
			 errhint("%s", hint)));
}

/*
 * require_alike refuses fulfillments that do not go the same way, by the rows
 * that were read.
 */
static void
require_alike(uint64 count)
{
	for (uint64 i = 0; i < count; i++)
	{
		const char *first = oms_column_name(0, 2);
		const char *other = oms_column_name(i == 0 ? 1 : i, 2);

		if (strcmp(oms_column_name(i, 3), "reserved") != 0)
			ereport(ERROR,
					(errcode(ERRCODE_OMS_GUARD_REFUSED),
					 errmsg("fulfillment \"%s\" cannot be merged: its units are %s", oms_column_name(i, 2), oms_column_name(i, 3)),
					 errhint("Only units that are reserved can be merged.")));
		for (int k = 0; k < (int) lengthof(kinds); k++)
		{
			char	   *a = oms_column_text(0, kinds[k].column);
			char	   *b = oms_column_text(i, kinds[k].column);

			if (strcmp(a ? a : "", b ? b : "") == 0)
				continue;
			refuse_merge(first, other, psprintf("they differ in %s", kinds[k].name),
						 strcmp(kinds[k].name, "status") == 0 ? "Move them to the same status first."
						 : "Merge those that leave one location for one order in the same way.");
		}
	}
}

/*
 * merge moves the units of all into the first, by the rows that were read.
 */
static pg_uuid_t
merge(Store *store, const pg_uuid_t *order_id, uint64 count)
{
	pg_uuid_t	target = oms_column_uuid(0, 1);
	const char *number = oms_column_name(0, 2);
	char	   *detail = psprintf("{\"merged_into\": %s}", oms_json_text(number));
	Emptied    *others = oms_emptied((int) count);
	Events	   *events = oms_events(1);
	StringInfoData from;

	initStringInfo(&from);
	for (uint64 i = 1; i < count; i++)
	{
		pg_uuid_t	id = oms_column_uuid(i, 1);

		oms_emptied_add(store, others, &id, order_id, oms_column_name(i, 2), oms_column_name(i, 9), oms_column_name(i, 10),
						NULL, detail);
		appendStringInfo(&from, "%s%s", i == 1 ? "" : ", ", oms_json_text(oms_column_name(i, 2)));
	}
	oms_event_add(events, order_id, "fulfillment", &target, "merged", NULL, NULL, NULL,
				  psprintf("{\"from\": [%s]}", from.data));
	(void) oms_run(store, &move_packages, (Datum[]) {UUIDPGetDatum(&target), oms_array_datum(others->ids)});
	(void) oms_run(store, &move_lines, (Datum[]) {UUIDPGetDatum(&target), oms_array_datum(others->ids)});
	oms_events_write(store, events);
	oms_end_emptied(store, others);
	return target;
}

/*
 * oms_merge_fulfillments is oms.merge_fulfillments(store, fulfillment_ids).
 */
Datum
oms_merge_fulfillments(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 2);
	Array	   *ids = parse_ids(PG_GETARG_ARRAYTYPE_P(1));
	pg_uuid_t  *result = palloc(sizeof(pg_uuid_t));
	Array	   *orders = oms_array(UUIDOID, 1);
	OwnerScope	scope;
	uint64		count;
	pg_uuid_t	order_id;
	int			guc_level;

	oms_require_status(store, "fulfillments");
	guc_level = oms_pin_search_path(store);
	oms_spi_begin();
	require_found(ids, oms_run(store, &lock_fulfillments, (Datum[]) {oms_array_datum(ids)}));

	oms_become_owner(store, &scope);
	count = oms_run(store, &order_of, (Datum[]) {oms_array_datum(ids)});
	for (uint64 i = 0; i < count; i++)
	{
		order_id = oms_column_uuid(i, 1);
		oms_array_add_uuid(orders, &order_id);
	}
	(void) oms_lock_orders(store, orders);
	oms_keep_workflows(store, ENTITY_FULFILLMENT);
	count = oms_run(store, &find_unlike, (Datum[]) {oms_array_datum(ids)});
	if (orders->count == 1 && oms_column_bool(0, 1))
		oms_document_fault("fulfillment_ids", NULL, "their units are of different ship groups, which need not go together");
	if (orders->count == 1 && oms_column_bool(0, 2))
		ereport(ERROR,
				(errcode(ERRCODE_OMS_GUARD_REFUSED),
				 errmsg("fulfillments cannot be merged: only some of a line's units were taken from stock"),
				 errhint("Whether their location is tracked has changed meanwhile; ship them one by one.")));
	count = oms_run(store, &read_fulfillments, (Datum[]) {oms_array_datum(ids)});
	require_alike(count);
	*result = merge(store, &order_id, count);
	oms_leave_owner(&scope);
	oms_spi_end();
	AtEOXact_GUC(true, guc_level);
	PG_RETURN_UUID_P(result);
}
