/*
 * receiving.c
 *	  Movements that belong to a row of inbound, and oms.receive_inbound.
 *
 * A movement with entity inbound belongs to the row that its entity_id names.
 * Reached from movement.c, before it locks orders and stock, to lock those rows
 * and judge the movements, and again once stock is written, to count them.  The
 * row's counters are nothing but sums of such movements, whoever inserts them:
 * people who receive a part, or inbound.c where they set status.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "document.h"
#include "inbound.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"
#include "transition.h"

PG_FUNCTION_INFO_V1(oms_receive_inbound);

static const StoreQuery lock_named = {
	"SELECT i.id, i.sku, i.location, i.from_location, i.status, i.sent, i.closed_at IS NOT NULL, i.received, i.returned, i.missing"
	" FROM ROWS FROM (pg_catalog.unnest($1)) AS w(id) JOIN @.inbound i ON i.id" EQ "w.id"
	" ORDER BY i.id FOR NO KEY UPDATE OF i",
	1, {UUIDARRAYOID}
};

/* a row of which nothing is outstanding any more is closed */
#define LEFT \
	"(CASE WHEN i.from_location IS NULL THEN i.quantity ELSE i.sent" PLUS "c.sent END" \
	MINUS "i.received" MINUS "c.received" MINUS "i.returned" MINUS "c.returned" MINUS "i.missing)"

static const StoreQuery count_named = {
	"UPDATE @.inbound i SET sent = i.sent" PLUS "c.sent, received = i.received" PLUS "c.received,"
	" returned = i.returned" PLUS "c.returned, revision = i.revision" PLUS "1,"
	" sent_at = CASE WHEN c.sent" GT "0 THEN COALESCE(i.sent_at, pg_catalog.clock_timestamp()) ELSE i.sent_at END,"
	" closed_at = CASE WHEN i.closed_at IS NULL AND " LEFT LE "0 THEN pg_catalog.clock_timestamp() ELSE i.closed_at END,"
	" status = CASE WHEN i.closed_at IS NOT NULL THEN i.status"
	" WHEN " LEFT GT "0 THEN CASE WHEN c.sent" GT "0 THEN 'in_transit' ELSE i.status END"
	" WHEN i.received" PLUS "c.received" EQ "0 AND i.from_location IS NOT NULL THEN 'canceled' ELSE 'received' END"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4))"
	" AS c(id, sent, received, returned) WHERE i.id" EQ "c.id",
	4, {UUIDARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID}
};

/* As the caller. */
static const StoreQuery lock_one = {
	"SELECT i.sku, i.location, CASE WHEN i.from_location IS NULL THEN 'receipt' ELSE 'transfer_in' END, i.outstanding"
	" FROM @.inbound i WHERE i.id" EQ "$1 FOR NO KEY UPDATE",
	1, {UUIDOID}
};

static const StoreQuery find_receipt = {
	"SELECT m.quantity FROM @.stock_movements m WHERE m.external_ref" EQ "$1 AND m.kind" EQ "$2 AND m.sku" EQ "$3"
	" AND m.location" EQ "$4 AND m.entity" EQ "'inbound' AND m.entity_id" EQ "$5",
	5, {TEXTOID, TEXTOID, TEXTOID, TEXTOID, UUIDOID}
};

static const StoreQuery insert_receipt = {
	"INSERT INTO @.stock_movements (sku, location, kind, quantity, entity, entity_id, external_ref)"
	" VALUES ($1, $2, $3, $4, 'inbound', $5, $6)",
	6, {TEXTOID, TEXTOID, TEXTOID, INT8OID, UUIDOID, TEXTOID}
};

/* A row of inbound, and what a statement's movements add to its counters. */
typedef struct NamedRow
{
	pg_uuid_t	id;				/* first: searched by it */
	const char *sku;
	const char *location;
	const char *from_location;	/* or NULL */
	const char *status;
	int64		sent_before;
	bool		is_closed;
	int64		received_before;
	int64		returned_before;
	int64		missing;
	int64		sent;
	int64		received;
	int64		returned;
} NamedRow;

struct Named
{
	int			count;
	NamedRow   *rows;			/* by id */
};

/* A movement that names one. */
typedef struct NamingMovement
{
	pg_uuid_t	id;
	const char *sku;
	const char *location;
	const char *kind;
	int64		quantity;
} NamingMovement;

static int	read_naming(TriggerData *trigger, NamingMovement **list);
static void add_movement(NamedRow *row, const NamingMovement *movement);
static void judge_row(const NamedRow *row);

/*
 * oms_named_lock locks the rows of inbound that a statement's movements name,
 * and refuses movements that cannot belong to theirs.  Returns NULL where none
 * is named.
 */
Named *
oms_named_lock(Store *store, TriggerData *trigger)
{
	NamingMovement *list;
	int			count = read_naming(trigger, &list);
	Array	   *ids = oms_array(UUIDOID, count);
	Named	   *named;

	if (count == 0)
		return NULL;
	qsort(list, count, sizeof(NamingMovement), oms_uuid_cmp);
	for (int i = 0; i < count; i++)
	{
		if (i == 0 || oms_uuid_cmp(&list[i], &list[i - 1]) != 0)
			oms_array_add_uuid(ids, &list[i].id);
	}
	named = palloc(sizeof(Named));
	named->count = (int) oms_run(store, &lock_named, (Datum[]) {oms_array_datum(ids)});
	named->rows = palloc_extended(Max(1, named->count) * sizeof(NamedRow), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < named->count; i++)
	{
		NamedRow   *row = &named->rows[i];

		row->id = oms_column_uuid(i, 1);
		row->sku = oms_column_name(i, 2);
		row->location = oms_column_name(i, 3);
		row->from_location = oms_column_text(i, 4);
		row->status = oms_column_name(i, 5);
		row->sent_before = oms_column_int64(i, 6);
		row->is_closed = oms_column_bool(i, 7);
		row->received_before = oms_column_int64(i, 8);
		row->returned_before = oms_column_int64(i, 9);
		row->missing = oms_column_int64(i, 10);
	}
	for (int i = 0; i < count; i++)
	{
		NamedRow   *row = bsearch(&list[i], named->rows, named->count, sizeof(NamedRow), oms_uuid_cmp);

		if (!row)
			ereport(ERROR,
					(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
					 errmsg("inbound \"%s\", which a movement names, does not exist", oms_uuid_out(&list[i].id)),
					 errhint("entity_id of a movement with entity 'inbound' is the id of a row of inbound.")));
		add_movement(row, &list[i]);
	}
	for (int i = 0; i < named->count; i++)
		judge_row(&named->rows[i]);
	return named;
}

/*
 * read_naming reads the movements that name a row of inbound and whose effect
 * is still to come.
 */
static int
read_naming(TriggerData *trigger, NamingMovement **list)
{
	Walk		walk;
	int			entity;
	int			entity_id;
	int			on_hand_change;
	int			count = 0;
	int			capacity = 0;

	*list = NULL;
	oms_walk_begin(&walk, trigger, trigger->tg_newtable);
	entity = oms_walk_column(&walk, "entity", TEXTOID);
	entity_id = oms_walk_column(&walk, "entity_id", UUIDOID);
	on_hand_change = oms_walk_column(&walk, "on_hand_change", INT8OID);
	while (oms_walk_next(&walk))
	{
		const char *what = oms_walk_text(&walk, entity);
		NamingMovement *movement;
		bool		is_open;
		bool		isnull;

		(void) oms_walk_value(&walk, on_hand_change, &is_open);
		if (!is_open || !what || strcmp(what, "inbound") != 0)
			continue;
		(void) oms_walk_value(&walk, entity_id, &isnull);
		if (isnull)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a movement with entity \"inbound\" names no row of it"),
					 errhint("Give the row's id as entity_id.")));
		if (count == capacity)
		{
			capacity = Max(16, capacity * 2);
			*list = *list ? repalloc_huge(*list, capacity * sizeof(NamingMovement)) : palloc(capacity * sizeof(NamingMovement));
		}
		movement = &(*list)[count++];
		movement->id = oms_walk_uuid(&walk, entity_id);
		movement->sku = oms_walk_text(&walk, oms_walk_column(&walk, "sku", TEXTOID));
		movement->location = oms_walk_text(&walk, oms_walk_column(&walk, "location", TEXTOID));
		movement->kind = oms_walk_text(&walk, oms_walk_column(&walk, "kind", TEXTOID));
		movement->quantity = oms_walk_int64(&walk, oms_walk_column(&walk, "quantity", INT8OID));
	}
	oms_walk_end(&walk);
	return count;
}

/*
 * add_movement adds a movement to the counter that it is for.
 */
static void
add_movement(NamedRow *row, const NamingMovement *movement)
{
	bool		is_here = strcmp(movement->location, row->location) == 0;
	bool		is_there = row->from_location && strcmp(movement->location, row->from_location) == 0;
	const char *arrives = row->from_location ? "transfer_in" : "receipt";

	if (strcmp(movement->sku, row->sku) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a movement of sku \"%s\" cannot belong to inbound \"%s\", which is of sku \"%s\"",
						movement->sku, oms_uuid_out(&row->id), row->sku),
				 errhint("Name a row of the same sku, or none.")));
	if (is_here && (strcmp(movement->kind, arrives) == 0 || strcmp(movement->kind, "adjustment") == 0))
		row->received += movement->quantity;
	else if (is_there && strcmp(movement->kind, "transfer_out") == 0)
		row->sent += movement->quantity;
	else if (is_there && strcmp(movement->kind, "transfer_in") == 0)
		row->returned += movement->quantity;
	else
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a movement of kind \"%s\" at location \"%s\" cannot belong to inbound \"%s\"%s%s%s to \"%s\"",
						movement->kind, movement->location, oms_uuid_out(&row->id),
						row->from_location ? ", a transfer from \"" : ",", row->from_location ? row->from_location : "",
						row->from_location ? "\"" : "", row->location),
				 row->from_location ?
				 errhint("Of a transfer are transfer_out where it leaves, transfer_in where it arrives or goes back, and adjustment where it arrives.") :
				 errhint("Of a delivery are receipt and adjustment where it arrives.")));
}

/*
 * judge_row refuses what cannot have happened to a row as it is.  inbound.c has
 * closed a row before its movements come, so that sent tells which it was, and
 * of a canceled one only what was on the way then goes back.
 */
static void
judge_row(const NamedRow *row)
{
	bool		is_canceled = strcmp(row->status, "canceled") == 0;
	int64		sent = row->sent_before + row->sent;
	int64		returned = row->returned_before + row->returned;
	const char *why = NULL;

	if ((row->received != 0 || row->returned > 0) && row->from_location && sent == 0)
		why = is_canceled ? "is canceled" : "has not left yet";
	else if (is_canceled && (row->received != 0 ||
							 (row->returned > 0 && row->received_before + returned + row->missing > sent)))
		why = "is canceled";
	else if (row->sent > 0 && row->is_closed && (row->sent_before > 0 || is_canceled))
		why = "is done with";
	else if (returned > sent)
		why = psprintf("has sent " INT64_FORMAT " units, and " INT64_FORMAT " cannot have come back", sent, returned);
	else if (row->received_before + row->received < 0)
		why = psprintf("has received " INT64_FORMAT " units, and " INT64_FORMAT " cannot be taken back",
					   row->received_before, -row->received);
	if (why)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_GUARD_REFUSED),
				 errmsg("inbound \"%s\" of sku \"%s\" %s", oms_uuid_out(&row->id), row->sku, why),
				 errhint("What happened all the same is a movement that names no row of inbound.")));
}

/*
 * oms_named_count counts the movements into their rows, which are locked; NULL
 * is none.
 */
void
oms_named_count(Store *store, const Named *named)
{
	Array	   *ids;
	Array	   *sent;
	Array	   *received;
	Array	   *returned;

	if (!named)
		return;
	ids = oms_array(UUIDOID, named->count);
	sent = oms_array(INT8OID, named->count);
	received = oms_array(INT8OID, named->count);
	returned = oms_array(INT8OID, named->count);
	for (int i = 0; i < named->count; i++)
	{
		oms_array_add_uuid(ids, &named->rows[i].id);
		oms_array_add_int64(sent, named->rows[i].sent);
		oms_array_add_int64(received, named->rows[i].received);
		oms_array_add_int64(returned, named->rows[i].returned);
	}
	if (oms_run(store, &count_named, (Datum[]) {
			oms_array_datum(ids), oms_array_datum(sent), oms_array_datum(received), oms_array_datum(returned)
		}) != named->count)
		oms_refuse_interference("inbound");
}

/*
 * oms_receive_inbound is oms.receive_inbound(store, inbound_id, quantity, ref).
 * The row is locked first, so that of two who receive all that is outstanding
 * the second finds nothing.
 */
Datum
oms_receive_inbound(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 2);
	Datum		id = PG_GETARG_DATUM(1);
	bool		is_all = PG_ARGISNULL(2);
	int64		quantity = is_all ? 0 : PG_GETARG_INT64(2);
	Datum		ref = PG_ARGISNULL(3) ? (Datum) 0 : PG_GETARG_DATUM(3);
	int			guc_level;
	Datum		sku;
	Datum		location;
	Datum		kind;

	if (!is_all && (quantity < 1 || quantity > INT64CONST(1000000000000)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("quantity must be between 1 and 1000000000000, not " INT64_FORMAT, quantity),
				 errhint("To take back what was received by mistake, insert an adjustment that names the row.")));
	guc_level = oms_pin_search_path(store);
	oms_spi_begin();
	if (oms_run(store, &lock_one, &id) == 0)
		oms_document_fault("inbound_id", NULL, psprintf("unknown inbound \"%s\"", oms_uuid_out(DatumGetUUIDP(id))));
	sku = CStringGetTextDatum(oms_column_name(0, 1));
	location = CStringGetTextDatum(oms_column_name(0, 2));
	kind = CStringGetTextDatum(oms_column_name(0, 3));
	if (is_all)
		quantity = oms_column_int64(0, 4);
	if (ref && oms_run(store, &find_receipt, (Datum[]) {ref, kind, sku, location, id}) > 0 &&
		(is_all || oms_column_int64(0, 1) == quantity))
		quantity = 0;
	if (quantity > 0)
		(void) oms_run_nulls(store, &insert_receipt, (Datum[]) {sku, location, kind, Int64GetDatum(quantity), id, ref},
							 ref ? NULL : "     n");
	oms_spi_end();
	AtEOXact_GUC(true, guc_level);
	PG_RETURN_INT64(quantity);
}
