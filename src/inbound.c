/*
 * inbound.c
 *	  Units that are on their way: judging their rows, and moving the units that
 *	  the rows say have been sent, have come, or will not come.
 *
 * Reached by the triggers on inbound.  People set status; whether that has
 * been acted on is told by sent_at and closed_at, which one conditional UPDATE
 * claims.  What is claimed becomes movements, all of a statement's by one
 * INSERT, whose trigger (movement.c) applies them to stock in its order and
 * has receiving.c count them into the rows.  People may as well insert such
 * movements themselves.
 *
 * Rows of inbound are locked before all else: who sets status holds them when
 * this begins, and movements that name one lock it first.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"

#include "import.h"
#include "inbound.h"
#include "oms.h"
#include "plan.h"
#include "queue.h"
#include "rows.h"
#include "transition.h"

/* in_transit takes a transfer's units off where they are */
static const StoreQuery claim_sending = {
	"UPDATE @.inbound i SET sent_at = pg_catalog.clock_timestamp(), revision = i.revision" PLUS "1"
	" WHERE i.id" EQ "ANY ($1) AND i.status" EQ "'in_transit' AND i.from_location IS NOT NULL AND i.sent_at IS NULL"
	" RETURNING i.id, i.sku, i.from_location, i.quantity",
	1, {UUIDARRAYOID}
};

/* what is sent and received in one has not been sent before: sent is 0 */
static const StoreQuery claim_closing = {
	"UPDATE @.inbound i SET closed_at = pg_catalog.clock_timestamp(), revision = i.revision" PLUS "1,"
	" status = CASE WHEN i.status" EQ "'canceled' THEN i.status ELSE 'received' END,"
	" sent_at = CASE WHEN i.status" EQ "'received' AND i.from_location IS NOT NULL"
	" THEN COALESCE(i.sent_at, pg_catalog.clock_timestamp()) ELSE i.sent_at END"
	" WHERE i.id" EQ "ANY ($1) AND i.closed_at IS NULL"
	" AND (i.status" EQ "'received' OR i.status" EQ "'canceled' OR i.outstanding" EQ "0)"
	" RETURNING i.id, i.sku, i.location, i.from_location, i.status, i.quantity, i.sent, i.received, i.returned, i.missing",
	1, {UUIDARRAYOID}
};

/* what neither of them has claimed, though there is something to do for it */
static const StoreQuery find_unclaimed = {
	"SELECT 1 FROM @.inbound i WHERE i.id" EQ "ANY ($1) AND i.closed_at IS NULL"
	" AND (i.status" EQ "'received' OR i.status" EQ "'canceled' OR i.outstanding" EQ "0"
	" OR i.status" EQ "'in_transit' AND i.from_location IS NOT NULL AND i.sent_at IS NULL) LIMIT 1",
	1, {UUIDARRAYOID}
};

/* As the owner, but not the engine: movements like people's. */
static const StoreQuery insert_movements = {
	"INSERT INTO @.stock_movements (sku, location, kind, quantity, entity, entity_id)"
	" SELECT m.sku, m.location, m.kind, m.quantity, 'inbound', m.id FROM ROWS FROM (pg_catalog.unnest($1),"
	" pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5))"
	" AS m(sku, location, kind, quantity, id)",
	5, {TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, UUIDARRAYOID}
};

typedef struct InboundColumn
{
	const char *name;
	Oid			type;
	enum
	{
		FIXED, UNTIL_CLOSED, ENGINE
	}			whose;
} InboundColumn;

static const InboundColumn columns[] = {
	{"id", UUIDOID, FIXED}, {"ref", TEXTOID, FIXED}, {"sku", TEXTOID, FIXED}, {"location", TEXTOID, FIXED},
	{"from_location", TEXTOID, FIXED}, {"quantity", INT8OID, UNTIL_CLOSED}, {"missing", INT8OID, UNTIL_CLOSED},
	{"sent", INT8OID, ENGINE}, {"received", INT8OID, ENGINE}, {"returned", INT8OID, ENGINE},
	{"sent_at", TIMESTAMPTZOID, ENGINE}, {"closed_at", TIMESTAMPTZOID, ENGINE}, {"revision", INT8OID, ENGINE},
};

/* Movements that are to be inserted, a column an array. */
typedef struct Batch
{
	Array	   *skus;
	Array	   *locations;
	Array	   *kinds;
	Array	   *quantities;
	Array	   *ids;
} Batch;

static void judge_new(Store *store, TriggerData *trigger);
static void judge_change(Store *store, TriggerData *trigger);
static void judge_status(TriggerData *trigger);
static Array *find_due(TriggerData *trigger);
static void add_movement(Batch *batch, uint64 row, int location, const char *kind, int64 quantity);
static void move_closed(Batch *batch, uint64 row);

/*
 * oms_guard_inbound judges a row BEFORE it is written; a replay is left out.
 */
HeapTuple
oms_guard_inbound(Store *store, TriggerData *trigger)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	char	   *ref;

	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_OMS_IMMUTABLE),
				 errmsg("rows of table \"inbound\" cannot be deleted"),
				 errhint("Set status to 'canceled'."),
				 errtable(trigger->tg_relation)));
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
	{
		judge_change(store, trigger);
		return trigger->tg_newtuple;
	}
	judge_new(store, trigger);
	ref = SPI_getvalue(trigger->tg_trigtuple, tupdesc, oms_require_column(tupdesc, "ref", TEXTOID));
	if (!ref)
		return trigger->tg_trigtuple;
	/* of two who look at once neither would find the other's row */
	(void) oms_stand_in_line(store, QUEUE_INBOUND, "inbound", ref);
	return oms_is_inbound_replay(store, trigger) ? NULL : trigger->tg_trigtuple;
}

/*
 * oms_recheck_inbound judges the row again AFTER it was written.
 */
void
oms_recheck_inbound(Store *store, TriggerData *trigger)
{
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		judge_change(store, trigger);
	else
		judge_new(store, trigger);
}

/*
 * refuse_engine_column says that a column is the engine's.
 */
static void
refuse_engine_column(TriggerData *trigger, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_OMS_ENGINE_COLUMN),
			 errmsg("column \"%s\" of inbound is kept by the engine and cannot be written by hand", name),
			 errhint("Set status, or insert a movement with entity 'inbound' and the row's id as entity_id."),
			 errtablecol(trigger->tg_relation, SPI_fnumber(RelationGetDescr(trigger->tg_relation), name))));
}

/*
 * judge_new judges a new row: nothing has happened to it yet, unless it is
 * history.
 */
static void
judge_new(Store *store, TriggerData *trigger)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);

	if (oms_is_importing(store))
		return;
	for (int i = 0; i < (int) lengthof(columns); i++)
	{
		bool		isnull;
		Datum		value;

		if (columns[i].whose != ENGINE)
			continue;
		value = SPI_getbinval(trigger->tg_trigtuple, tupdesc,
							  oms_require_column(tupdesc, columns[i].name, columns[i].type), &isnull);
		/* a NULL count is refused by NOT NULL, a time is none yet */
		if (!isnull && (columns[i].type != INT8OID || DatumGetInt64(value) != 0))
			refuse_engine_column(trigger, columns[i].name);
	}
}

/*
 * judge_change judges a change: fixed columns stay, those of the engine change
 * by its hand, and a closed row is done with.
 */
static void
judge_change(Store *store, TriggerData *trigger)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	int			revision = oms_require_column(tupdesc, "revision", INT8OID);
	bool		isnull;
	bool		is_open;
	int64		before = DatumGetInt64(SPI_getbinval(trigger->tg_trigtuple, tupdesc, revision, &isnull));
	int64		after = DatumGetInt64(SPI_getbinval(trigger->tg_newtuple, tupdesc, revision, &isnull));

	if (!isnull && after != before && (!oms_in_engine(store) || after != before + 1))
		refuse_engine_column(trigger, "revision");
	(void) SPI_getbinval(trigger->tg_trigtuple, tupdesc, oms_require_column(tupdesc, "closed_at", TIMESTAMPTZOID), &is_open);
	for (int i = 0; i < (int) lengthof(columns); i++)
	{
		int			number = oms_require_column(tupdesc, columns[i].name, columns[i].type);
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, number - 1);
		bool		old_null;
		bool		new_null;
		Datum		old = SPI_getbinval(trigger->tg_trigtuple, tupdesc, number, &old_null);
		Datum		new = SPI_getbinval(trigger->tg_newtuple, tupdesc, number, &new_null);

		if (old_null == new_null && (old_null || datum_image_eq(old, new, attribute->attbyval, attribute->attlen)))
			continue;
		if (columns[i].whose == ENGINE && after == before)
			refuse_engine_column(trigger, columns[i].name);
		if (columns[i].whose == FIXED || (columns[i].whose == UNTIL_CLOSED && !is_open))
			ereport(ERROR,
					(errcode(ERRCODE_OMS_IMMUTABLE),
					 errmsg("column \"%s\" of inbound cannot change%s", columns[i].name,
							columns[i].whose == FIXED ? "" : " once the row is received or canceled"),
					 columns[i].whose == FIXED ? errhint("Set status to 'canceled' and insert another row.")
					 : errhint("Insert an adjustment with entity 'inbound' and the row's id as entity_id."),
					 errtablecol(trigger->tg_relation, number)));
	}
	judge_status(trigger);
}

/*
 * judge_status refuses another status than one that can follow.
 */
static void
judge_status(TriggerData *trigger)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	int			number = oms_require_column(tupdesc, "status", TEXTOID);
	char	   *from = SPI_getvalue(trigger->tg_trigtuple, tupdesc, number);
	char	   *to = SPI_getvalue(trigger->tg_newtuple, tupdesc, number);
	char	   *name = SPI_getvalue(trigger->tg_trigtuple, tupdesc, oms_require_column(tupdesc, "ref", TEXTOID));
	bool		is_done = strcmp(from, "received") == 0 || strcmp(from, "canceled") == 0;

	/* NULL and what is no status are refused by the table */
	if (!to || strcmp(from, to) == 0 || (!is_done && strcmp(to, "expected") != 0))
		return;
	if (!name)
		name = SPI_getvalue(trigger->tg_trigtuple, tupdesc, oms_require_column(tupdesc, "id", UUIDOID));
	ereport(ERROR,
			(errcode(ERRCODE_OMS_ILLEGAL_MOVE),
			 errmsg("inbound \"%s\" of sku \"%s\" cannot move from \"%s\" to \"%s\"", name,
					SPI_getvalue(trigger->tg_trigtuple, tupdesc, oms_require_column(tupdesc, "sku", TEXTOID)), from, oms_clip(to)),
			 is_done ? errhint("It is done with; insert another row, or a movement that sets stock right.")
			 : errhint("It has left; set status to 'received' or 'canceled'."),
			 errtablecol(trigger->tg_relation, number)));
}

/*
 * oms_act_inbound moves the units of a statement's rows whose status says so.
 */
void
oms_act_inbound(Store *store, TriggerData *trigger)
{
	Array	   *ids;

	oms_spi_begin();
	ids = find_due(trigger);
	if (ids->count > 0 && !oms_is_importing(store))
	{
		OwnerScope	scope;
		uint64		count;
		int			sec_context;
		Batch		batch = {
			oms_array(TEXTOID, ids->count), oms_array(TEXTOID, ids->count), oms_array(TEXTOID, ids->count),
			oms_array(INT8OID, ids->count), oms_array(UUIDOID, ids->count)
		};

		oms_become_owner(store, &scope);
		count = oms_run(store, &claim_closing, (Datum[]) {oms_array_datum(ids)});
		for (uint64 i = 0; i < count; i++)
			move_closed(&batch, i);
		count = oms_run(store, &claim_sending, (Datum[]) {oms_array_datum(ids)});
		for (uint64 i = 0; i < count; i++)
			add_movement(&batch, i, 3, "transfer_out", oms_column_int64(i, 4));
		if (oms_run(store, &find_unclaimed, (Datum[]) {oms_array_datum(ids)}) > 0)
			oms_refuse_interference("inbound");
		if (batch.ids->count > 0)
		{
			sec_context = oms_leave_engine();
			if (oms_run(store, &insert_movements, (Datum[]) {
					oms_array_datum(batch.skus), oms_array_datum(batch.locations), oms_array_datum(batch.kinds),
					oms_array_datum(batch.quantities), oms_array_datum(batch.ids)
				}) != batch.ids->count)
				oms_refuse_interference("stock_movements");
			oms_enter_engine(sec_context);
		}
		oms_leave_owner(&scope);
	}
	oms_spi_end();
}

/*
 * find_due lists the statement's rows that there may be something to do for,
 * by id.
 */
static Array *
find_due(TriggerData *trigger)
{
	Array	   *ids = oms_array(UUIDOID, 8);
	Walk		walk;
	int			id;
	int			status;
	int			from_location;
	int			sent_at;
	int			closed_at;
	int			outstanding;

	oms_walk_begin(&walk, trigger, trigger->tg_newtable);
	id = oms_walk_column(&walk, "id", UUIDOID);
	status = oms_walk_column(&walk, "status", TEXTOID);
	from_location = oms_walk_column(&walk, "from_location", TEXTOID);
	sent_at = oms_walk_column(&walk, "sent_at", TIMESTAMPTZOID);
	closed_at = oms_walk_column(&walk, "closed_at", TIMESTAMPTZOID);
	outstanding = oms_walk_column(&walk, "outstanding", INT8OID);
	while (oms_walk_next(&walk))
	{
		const char *state = oms_walk_text(&walk, status);
		bool		is_open;
		bool		is_here;

		(void) oms_walk_value(&walk, closed_at, &is_open);
		(void) oms_walk_value(&walk, sent_at, &is_here);
		if (!is_open || !state)
			continue;
		if (strcmp(state, "received") == 0 || strcmp(state, "canceled") == 0 || oms_walk_int64(&walk, outstanding) == 0 ||
			(strcmp(state, "in_transit") == 0 && is_here && oms_walk_text(&walk, from_location)))
		{
			pg_uuid_t	row = oms_walk_uuid(&walk, id);

			oms_array_add_uuid(ids, &row);
		}
	}
	oms_walk_end(&walk);
	return ids;
}

/*
 * add_movement adds a movement of a row of inbound.
 */
static void
add_movement(Batch *batch, uint64 row, int location, const char *kind, int64 quantity)
{
	pg_uuid_t	id = oms_column_uuid(row, 1);

	if (quantity <= 0)
		return;
	oms_array_add_text(batch->skus, oms_column_name(row, 2));
	oms_array_add_text(batch->locations, oms_column_name(row, location));
	oms_array_add_text(batch->kinds, kind);
	oms_array_add_int64(batch->quantities, quantity);
	oms_array_add_uuid(batch->ids, &id);
}

/*
 * move_closed adds what closing a row does: what is outstanding arrives, or
 * goes back where it came from.
 */
static void
move_closed(Batch *batch, uint64 row)
{
	bool		is_transfer = !oms_column_is_null(row, 4);
	bool		is_received = strcmp(oms_column_name(row, 5), "received") == 0;
	int64		quantity = oms_column_int64(row, 6);
	int64		sent = oms_column_int64(row, 7);
	bool		leaves_now = is_transfer && is_received && sent == 0;
	int64		left = (is_transfer && !leaves_now ? sent : quantity) - oms_column_int64(row, 8) - oms_column_int64(row, 9) -
		oms_column_int64(row, 10);

	if (leaves_now)
		add_movement(batch, row, 4, "transfer_out", quantity);
	if (is_received)
		add_movement(batch, row, 3, is_transfer ? "transfer_in" : "receipt", left);
	else if (is_transfer)
		add_movement(batch, row, 4, "transfer_in", left);
}
