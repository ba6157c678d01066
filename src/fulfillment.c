/*
 * fulfillment.c
 *	  Numbering and dividing fulfillments; oms.split_fulfillment.
 *
 * A fulfillment moves as a whole.  Partial shipping, short picks and partial
 * cancels are a division followed by a move: the new fulfillment has the same
 * location, method, state and hold on stock, so a division changes no counter.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"

#include "document.h"
#include "event.h"
#include "facts.h"
#include "fulfillment.h"
#include "machine.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"
#include "uuid7.h"

PG_FUNCTION_INFO_V1(oms_split_fulfillment);

static const StoreQuery count_fulfillments = {
	"SELECT o.id, o.number, (SELECT GREATEST(pg_catalog.count(*), pg_catalog.max(CASE WHEN f.number OPERATOR(pg_catalog.~) '-[0-9]{1,9}$'"
	" AND pg_catalog.starts_with(f.number, o.number" CONCAT "'-')"
	" THEN pg_catalog.substring(f.number, '[0-9]+$')::pg_catalog.int8 END)) FROM @.fulfillments f WHERE f.order_id" EQ "o.id)"
	" FROM @.orders o WHERE o.id" EQ "ANY ($1) ORDER BY o.id",
	1, {UUIDARRAYOID}
};

static const StoreQuery split_fulfillments = {
	"WITH part AS (SELECT p.* FROM ROWS FROM (pg_catalog.unnest($4), pg_catalog.unnest($5), pg_catalog.unnest($6),"
	" pg_catalog.unnest($7)) AS p(fulfillment_id, new_id, line_id, quantity)),"
	" made AS (INSERT INTO @.fulfillments (id, number, order_id, location, pickup_location, method, workflow, status,"
	" stock_state, ship_to_id, requested_at, promised_at, carrier, partner_ref, created_at, attributes, load_day)"
	" SELECT n.id, n.number, f.order_id, f.location, f.pickup_location, f.method, f.workflow, f.status,"
	" f.stock_state, f.ship_to_id, f.requested_at, f.promised_at, f.carrier, f.partner_ref, f.created_at, f.attributes, f.load_day"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3)) AS n(id, number, old_id)"
	" JOIN @.fulfillments f ON f.id" EQ "n.old_id),"
	" less AS (UPDATE @.fulfillment_lines l SET quantity = l.quantity" MINUS "p.quantity FROM part p"
	" WHERE l.fulfillment_id" EQ "p.fulfillment_id AND l.order_line_id" EQ "p.line_id AND l.quantity" GT "p.quantity),"
	" gone AS (DELETE FROM @.fulfillment_lines l USING part p"
	" WHERE l.fulfillment_id" EQ "p.fulfillment_id AND l.order_line_id" EQ "p.line_id AND l.quantity" EQ "p.quantity)"
	" INSERT INTO @.fulfillment_lines (fulfillment_id, order_line_id, sku, quantity, tracked)"
	" SELECT p.new_id, l.order_line_id, l.sku, p.quantity, l.tracked FROM part p JOIN @.fulfillment_lines l"
	" ON l.fulfillment_id" EQ "p.fulfillment_id AND l.order_line_id" EQ "p.line_id AND l.quantity" GE "p.quantity",
	7, {
		UUIDARRAYOID, TEXTARRAYOID, UUIDARRAYOID, UUIDARRAYOID, UUIDARRAYOID, UUIDARRAYOID, INT8ARRAYOID
	}
};

static const StoreQuery find_packed = {
	"SELECT f.number, ol.line_no::pg_catalog.int8, l.packed, l.quantity, p.quantity"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3)) AS p(fulfillment_id, line_id, quantity)"
	" JOIN @.fulfillment_lines l ON l.fulfillment_id" EQ "p.fulfillment_id AND l.order_line_id" EQ "p.line_id"
	" JOIN @.fulfillments f ON f.id" EQ "p.fulfillment_id JOIN @.order_lines ol ON ol.id" EQ "p.line_id"
	" WHERE l.packed" GT "0 AND l.quantity" MINUS "p.quantity" LT "l.packed LIMIT 1",
	3, {UUIDARRAYOID, UUIDARRAYOID, INT8ARRAYOID}
};

static const StoreQuery read_originals = {
	"SELECT f.id, f.number, f.status FROM @.fulfillments f WHERE f.id" EQ "ANY ($1)", 1, {UUIDARRAYOID}
};

/* A count of fulfillments is true in every snapshot that sees the order's row. */
static const StoreQuery touch_orders = {
	"UPDATE @.orders o SET revision = o.revision" PLUS "1 WHERE o.id" EQ "ANY ($1)", 1, {UUIDARRAYOID}
};

/* As the caller: who may not change it, or see it, does not find it. */
static const StoreQuery lock_fulfillment = {
	"SELECT f.order_id FROM @.fulfillments f WHERE f.id" EQ "$1 FOR NO KEY UPDATE", 1, {UUIDOID}
};

static const StoreQuery read_fulfillment = {
	"SELECT f.number, f.stock_state, ol.line_no::pg_catalog.int8, ol.id, l.quantity, f.workflow, f.status FROM @.fulfillments f"
	" LEFT JOIN @.fulfillment_lines l ON l.fulfillment_id" EQ "f.id LEFT JOIN @.order_lines ol ON ol.id" EQ "l.order_line_id"
	" WHERE f.id" EQ "$1 ORDER BY ol.line_no",
	1, {UUIDOID}
};

/*
 * oms_number_fulfillments returns numbers for so many new fulfillments of the
 * orders given, which are locked: S-1042-1, S-1042-2 and so on.  Rows of the past
 * may have numbers that are higher than there are rows.
 */
char	  **
oms_number_fulfillments(Store *store, const pg_uuid_t *order_ids, int count)
{
	char	  **numbers = palloc(Max(1, count) * sizeof(char *));
	Array	   *ids = oms_array(UUIDOID, count);
	uint64		found;
	pg_uuid_t  *known;
	int64	   *next;

	for (int i = 0; i < count; i++)
		oms_array_add_uuid(ids, &order_ids[i]);
	found = oms_run(store, &count_fulfillments, (Datum[]) {oms_array_datum(ids)});
	known = palloc(Max(1, found) * sizeof(pg_uuid_t));
	next = palloc(Max(1, found) * sizeof(int64));
	for (uint64 i = 0; i < found; i++)
	{
		known[i] = oms_column_uuid(i, 1);
		next[i] = oms_column_int64(i, 3) + 1;
	}
	for (int i = 0; i < count; i++)
	{
		pg_uuid_t  *order = bsearch(&order_ids[i], known, found, sizeof(pg_uuid_t), oms_uuid_cmp);
		int			row = order - known;

		numbers[i] = psprintf("%s-" INT64_FORMAT, oms_column_text(row, 2), next[row]++);
	}
	return numbers;
}

/*
 * log_splits tells which fulfillments are made and which they are divided off.
 */
static void
log_splits(Store *store, const SplitPart *parts, int count, Datum originals)
{
	uint64		found = oms_run(store, &read_originals, (Datum[]) {originals});
	Events	   *events = oms_events(found);

	for (int i = 0; i < count; i++)
	{
		if (i > 0 && oms_uuid_cmp(&parts[i].new_id, &parts[i - 1].new_id) == 0)
			continue;
		for (uint64 j = 0; j < found; j++)
		{
			pg_uuid_t	id = oms_column_uuid(j, 1);

			if (oms_uuid_cmp(&id, &parts[i].fulfillment_id) == 0)
				oms_event_add(events, &parts[i].order_id, "fulfillment", &parts[i].new_id, "created", NULL,
							  oms_column_text(j, 3), NULL,
							  psprintf("{\"split_from\": %s}", oms_json_text(oms_column_text(j, 2))));
		}
	}
	oms_events_write(store, events);
}

/*
 * require_unpacked refuses to divide off units that are in packages: which goods
 * leave in a parcel that is closed is settled.
 */
static void
require_unpacked(Store *store, Datum fulfillments, Datum lines, Datum quantities)
{
	if (oms_run(store, &find_packed, (Datum[]) {fulfillments, lines, quantities}) == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OMS_GUARD_REFUSED),
			 errmsg("fulfillment \"%s\" cannot give up " INT64_FORMAT " of its " INT64_FORMAT " units of line " INT64_FORMAT ": "
					INT64_FORMAT " are in packages", oms_column_text(0, 1), oms_column_int64(0, 5), oms_column_int64(0, 4),
					oms_column_int64(0, 2), oms_column_int64(0, 3)),
			 errhint("Unpack them first: delete their package_lines, or set packages.voided_at.")));
}

/*
 * oms_split moves the parts into new fulfillments, one for each that they come
 * from; parts of one stand together.  The caller acts as the owner and holds
 * the fulfillments and their orders; parts leave something behind.
 */
void
oms_split(Store *store, SplitPart *parts, int count)
{
	static const Oid types[7] = {UUIDOID, TEXTOID, UUIDOID, UUIDOID, UUIDOID, UUIDOID, INT8OID};
	pg_uuid_t  *order_ids = palloc(Max(1, count) * sizeof(pg_uuid_t));
	int		   *first = palloc(Max(1, count) * sizeof(int));
	int			made = 0;
	char	  **numbers;
	Array	   *arrays[7];
	Array	   *orders = oms_array(UUIDOID, count);
	Datum		args[7];

	if (count == 0)
		return;
	for (int i = 0; i < count; i++)
	{
		if (i > 0 && oms_uuid_cmp(&parts[i].fulfillment_id, &parts[i - 1].fulfillment_id) == 0)
			parts[i].new_id = parts[i - 1].new_id;
		else
		{
			oms_uuid7(&parts[i].new_id);
			order_ids[made] = parts[i].order_id;
			first[made++] = i;
		}
	}
	numbers = oms_number_fulfillments(store, order_ids, made);
	for (int i = 0; i < 7; i++)
		arrays[i] = oms_array(types[i], count);
	for (int i = 0; i < made; i++)
	{
		oms_array_add_uuid(arrays[0], &parts[first[i]].new_id);
		oms_array_add_text(arrays[1], numbers[i]);
		oms_array_add_uuid(arrays[2], &parts[first[i]].fulfillment_id);
		oms_array_add_uuid(orders, &order_ids[i]);
	}
	for (int i = 0; i < count; i++)
	{
		oms_array_add_uuid(arrays[3], &parts[i].fulfillment_id);
		oms_array_add_uuid(arrays[4], &parts[i].new_id);
		oms_array_add_uuid(arrays[5], &parts[i].line_id);
		oms_array_add_int64(arrays[6], parts[i].quantity);
	}
	for (int i = 0; i < 7; i++)
		args[i] = oms_array_datum(arrays[i]);
	require_unpacked(store, args[3], args[5], args[6]);
	(void) oms_run(store, &touch_orders, (Datum[]) {oms_array_datum(orders)});
	log_splits(store, parts, count, args[2]);
	if (oms_run(store, &split_fulfillments, args) != count)
		oms_refuse_interference("fulfillment_lines");
}

/*
 * choose_parts finds the lines that are to leave, which must be there; what is
 * left counts the units that stay.
 */
static void
choose_parts(Division *division, const pg_uuid_t *fulfillment_id, const LineQuantity *wanted, uint64 nlines)
{
	division->parts = palloc0(division->count * sizeof(SplitPart));
	division->left = 0;
	for (uint64 j = 0; j < nlines; j++)
		division->left += oms_column_is_null(j, 5) ? 0 : oms_column_int64(j, 5);
	for (int i = 0; i < division->count; i++)
	{
		SplitPart  *part = &division->parts[i];
		int64		there = 0;

		for (uint64 j = 0; j < nlines; j++)
		{
			if (oms_column_is_null(j, 3) || oms_column_int64(j, 3) != wanted[i].line)
				continue;
			there = oms_column_int64(j, 5);
			part->line_id = oms_column_uuid(j, 4);
		}
		if (there < wanted[i].quantity)
			oms_document_fault(psprintf("lines[%d]", i), "quantity",
							   psprintf("fulfillment \"%s\" has " INT64_FORMAT " units of line " INT64_FORMAT ", not " INT64_FORMAT,
										division->number, there, wanted[i].line, wanted[i].quantity));
		part->fulfillment_id = *fulfillment_id;
		part->order_id = division->order_id;
		part->quantity = wanted[i].quantity;
		division->left -= wanted[i].quantity;
	}
}

/*
 * oms_hold_parts locks a fulfillment, as the caller, and its order, as the owner
 * that it becomes, and finds the units that are to leave it; doing says what
 * is to be done to them.
 */
void
oms_hold_parts(Store *store, const pg_uuid_t *id, const LineQuantity *wanted, int count, const char *doing,
			   OwnerScope *scope, Division *division)
{
	Array	   *orders = oms_array(UUIDOID, 1);
	uint64		nlines;

	if (oms_run(store, &lock_fulfillment, (Datum[]) {UUIDPGetDatum(id)}) == 0)
		oms_document_fault("fulfillment_id", NULL, psprintf("unknown fulfillment \"%s\"", oms_uuid_out(id)));
	division->order_id = oms_column_uuid(0, 1);
	division->count = count;

	oms_become_owner(store, scope);
	oms_array_add_uuid(orders, &division->order_id);
	(void) oms_lock_orders(store, orders);
	nlines = oms_run(store, &read_fulfillment, (Datum[]) {UUIDPGetDatum(id)});
	division->number = oms_column_name(0, 1);
	division->workflow = oms_column_name(0, 6);
	division->status = oms_column_name(0, 7);
	if (strcmp(oms_column_text(0, 2), "reserved") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_GUARD_REFUSED),
				 errmsg("fulfillment \"%s\" cannot be %s: its units are %s", division->number, doing,
						oms_column_text(0, 2)),
				 errhint("Only units that are reserved can be %s.", doing)));
	choose_parts(division, id, wanted, nlines);
}

/*
 * oms_split_fulfillment is oms.split_fulfillment(store, fulfillment_id, lines).
 */
Datum
oms_split_fulfillment(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 3);
	pg_uuid_t  *id = PG_GETARG_UUID_P(1);
	pg_uuid_t  *result = palloc(sizeof(pg_uuid_t));
	LineQuantity *wanted;
	int			count;
	Division	division;
	OwnerScope	scope;
	int			guc_level;

	wanted = oms_parse_line_quantities(PG_GETARG_JSONB_P(2), &count);
	oms_require_status(store, "fulfillments");
	guc_level = oms_pin_search_path(store);
	oms_spi_begin();
	oms_hold_parts(store, id, wanted, count, "divided", &scope, &division);
	if (division.left == 0)
		oms_document_fault("lines", NULL,
						   psprintf("nothing would be left in fulfillment \"%s\": move the whole of it instead",
									division.number));
	oms_split(store, division.parts, division.count);
	*result = division.parts[0].new_id;
	oms_leave_owner(&scope);
	oms_spi_end();
	AtEOXact_GUC(true, guc_level);
	PG_RETURN_UUID_P(result);
}
