/*
 * stock_hold.c
 *	  Units set aside before there is an order: oms.hold_stock, oms.extend_hold,
 *	  oms.release_hold, and giving a hold's units to an order.
 *
 * A hold is the rows of stock_holds with one ref.  Its units are taken by the
 * same plan and the same conditional UPDATE as an order's (sourcing.c).  What
 * it wants is read by hold_items.c.  An order that names a hold deletes its
 * rows and has their units given back and taken by one UPDATE, so that there is
 * no moment at which they are free.
 *
 * Who calls with one ref stands in line for it, and so finds what the others
 * have left.  The rows are locked before stock rows are, in order of their
 * ids; who has stock rows locked never waits for them (reclaim.c).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "document.h"
#include "oms.h"
#include "plan.h"
#include "queue.h"
#include "rows.h"
#include "stock_hold.h"

#define LONGEST_DAYS 366		/* that a hold can last */

PG_FUNCTION_INFO_V1(oms_hold_stock);
PG_FUNCTION_INFO_V1(oms_extend_hold);
PG_FUNCTION_INFO_V1(oms_release_hold);

static const StoreQuery lock_rows = {
	"SELECT h.id, h.sku, h.location, h.quantity, h.expires_at, h.items_hash FROM @.stock_holds h WHERE h.ref" EQ "$1"
	" ORDER BY h.id FOR UPDATE",
	1, {TEXTOID}
};

static const StoreQuery find_rows = {
	"SELECT 1 FROM @.stock_holds h WHERE h.ref" EQ "$1 LIMIT 1", 1, {TEXTOID}
};

static const StoreQuery delete_rows = {
	"DELETE FROM @.stock_holds h WHERE h.id" EQ "ANY ($1)", 1, {UUIDARRAYOID}
};

static const StoreQuery extend_rows = {
	"UPDATE @.stock_holds h SET expires_at = GREATEST(h.expires_at, $2) WHERE h.id" EQ "ANY ($1) RETURNING h.expires_at",
	2, {UUIDARRAYOID, TIMESTAMPTZOID}
};

static const StoreQuery insert_rows = {
	"INSERT INTO @.stock_holds (ref, sku, location, quantity, expires_at, items_hash)"
	" SELECT $1, u.sku, u.location, u.quantity, $5, $6"
	" FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4)) AS u(sku, location, quantity)",
	6, {TEXTOID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, TIMESTAMPTZOID, BYTEAOID}
};

/* The rows of a hold, locked. */
typedef struct Hold
{
	Array	   *ids;
	StockChanges *given_back;	/* what giving its units back does to stock */
	int64		units;
	TimestampTz expires_at;
	bytea	   *hash;
} Hold;

static const PendingHold *pending = NULL;

static void lock_hold(Store *store, const char *ref, Hold *hold);

/*
 * reference_argument returns a hold's ref.
 */
static char *
reference_argument(FunctionCallInfo fcinfo)
{
	char	   *ref = text_to_cstring(PG_GETARG_TEXT_PP(1));
	int			length = DatumGetInt32(DirectFunctionCall1(textlen, PG_GETARG_DATUM(1)));

	if (length < 1 || length > 200)
		oms_document_fault("ref", NULL, "must have 1 to 200 characters");
	return ref;
}

/*
 * expiry returns when a hold ends that lasts for so long from now on.
 */
static TimestampTz
expiry(Interval *ttl)
{
	Interval	longest = {.day = LONGEST_DAYS};
	Interval	none = {0};
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz end = now;

	if (DatumGetBool(DirectFunctionCall2(interval_gt, IntervalPGetDatum(ttl), IntervalPGetDatum(&none))) &&
		DatumGetBool(DirectFunctionCall2(interval_le, IntervalPGetDatum(ttl), IntervalPGetDatum(&longest))))
		end = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(now),
													  IntervalPGetDatum(ttl)));
	if (end <= now)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a hold must last for more than no time and at most %d days, not %s", LONGEST_DAYS,
						DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(ttl)))),
				 errhint("Give an interval such as '15 minutes'; oms.release_hold ends a hold.")));
	return end;
}

/*
 * lock_hold locks the rows of a hold and reads them.  A snapshot from before
 * they were made would not show them.
 */
static void
lock_hold(Store *store, const char *ref, Hold *hold)
{
	Datum		args[1] = {CStringGetTextDatum(ref)};
	uint64		rows = oms_run(store, &lock_rows, args);
	bool		isnull;

	memset(hold, 0, sizeof(Hold));
	hold->ids = oms_array(UUIDOID, rows);
	hold->given_back = oms_stock_changes(rows);
	for (uint64 i = 0; i < rows; i++)
	{
		pg_uuid_t	id = oms_column_uuid(i, 1);
		StockChange *change = oms_stock_change(hold->given_back, oms_column_text(i, 2), oms_column_text(i, 3));
		int64		quantity = oms_column_int64(i, 4);
		TimestampTz expires_at = DatumGetTimestampTz(oms_column(i, 5, TIMESTAMPTZOID, &isnull));

		oms_array_add_uuid(hold->ids, &id);
		change->reserved = -quantity;
		hold->units += quantity;
		hold->expires_at = i == 0 ? expires_at : Min(hold->expires_at, expires_at);
		hold->hash = DatumGetByteaPP(oms_column(i, 6, BYTEAOID, &isnull));
	}
	oms_stock_merge(hold->given_back);
	if (rows == 0 && IsolationUsesXactSnapshot() && oms_run_latest(store, &find_rows, args) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("stock hold \"%s\" was made by another session meanwhile", ref),
				 errhint("Retry the transaction.")));
}

/*
 * oms_require_hold_rows raises an error where fewer rows of stock_holds were
 * written than had to be: their units would be counted twice, or not at all.
 */
void
oms_require_hold_rows(uint64 written, uint64 wanted)
{
	if (written != wanted)
		oms_refuse_interference("stock_holds");
}

/*
 * delete_hold removes the rows; whoever calls it gives the units back.
 */
static void
delete_hold(Store *store, const Hold *hold)
{
	if (hold->ids->count > 0)
		oms_require_hold_rows(oms_run(store, &delete_rows, (Datum[]) {oms_array_datum(hold->ids)}), hold->ids->count);
}

/*
 * oms_take_hold ends a hold and has its units go into what is about to be taken.
 * One that is gone, for it expired and others needed the units, leaves the order
 * to find its own.
 */
void
oms_take_hold(Store *store, const char *ref, Sourcing *sourcing)
{
	Hold		hold;

	lock_hold(store, ref, &hold);
	delete_hold(store, &hold);
	sourcing->held = hold.given_back;
}

/*
 * oms_set_pending_hold says which order, placed in steps, is to get which hold's
 * units once it reserves, and returns what was said before; the caller restores
 * that, after an error too.
 */
const PendingHold *
oms_set_pending_hold(const PendingHold *hold)
{
	const PendingHold *before = pending;

	pending = hold;
	return before;
}

/*
 * oms_take_pending_hold takes that hold, if it is for this order.
 */
void
oms_take_pending_hold(Store *store, const pg_uuid_t *order_id, Sourcing *sourcing)
{
	if (!pending || oms_uuid_cmp(&pending->order_id, order_id) != 0)
		return;
	/* holds come before stock in the order of locks */
	if (sourcing->never_waits)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("stock hold \"%s\" cannot be turned into allocations while a movement has stock locked", pending->ref),
				 errhint("Place the order in a statement of its own, not by what the movement sets off.")));
	oms_take_hold(store, pending->ref, sourcing);
}

/*
 * extend has a hold last until then, if it ends earlier.
 */
static void
extend(Store *store, Hold *hold, TimestampTz until)
{
	bool		isnull;

	if (hold->ids->count == 0)
		return;
	oms_require_hold_rows(oms_run(store, &extend_rows, (Datum[]) {oms_array_datum(hold->ids), TimestampTzGetDatum(until)}),
						  hold->ids->count);
	hold->expires_at = DatumGetTimestampTz(oms_column(0, 1, TIMESTAMPTZOID, &isnull));
}

/*
 * insert_hold writes a hold of what the plan took.  A partner that keeps its own
 * books has nothing to hold.
 */
static void
insert_hold(Store *store, HoldRequest *request, const Sourcing *sourcing, TimestampTz until)
{
	StockChanges *list = oms_stock_changes(sourcing->npieces);
	Array	   *skus = oms_array(TEXTOID, sourcing->npieces);
	Array	   *locations = oms_array(TEXTOID, sourcing->npieces);
	Array	   *units = oms_array(INT8OID, sourcing->npieces);

	request->units = 0;
	for (int i = 0; i < sourcing->npieces; i++)
	{
		const Piece *piece = &sourcing->pieces[i];

		if (!piece->tracked)
			continue;
		oms_stock_change(list, piece->demand->sku, piece->location)->reserved = piece->quantity;
		request->units += piece->quantity;
	}
	oms_stock_merge(list);
	for (int i = 0; i < list->count; i++)
	{
		oms_array_add_text(skus, list->changes[i].sku);
		oms_array_add_text(locations, list->changes[i].location);
		oms_array_add_int64(units, list->changes[i].reserved);
	}
	if (list->count > 0)
		oms_require_hold_rows(oms_run(store, &insert_rows, (Datum[]) {
			CStringGetTextDatum(request->ref), oms_array_datum(skus), oms_array_datum(locations),
			oms_array_datum(units), TimestampTzGetDatum(until), PointerGetDatum(request->hash)
		}), list->count);
}

/*
 * hold_units makes a hold, or makes the one there is what it is asked to be.
 * Returns whether there was one of these items.
 */
static bool
hold_units(Store *store, HoldRequest *request, Interval *ttl, TimestampTz *until)
{
	Sourcing	sourcing = {.is_hold = true};
	Hold		hold;
	bool		is_same;

	/* two that find no rows here could each make some, at other locations */
	if (!oms_stand_in_line(store, QUEUE_HOLD, request->ref, ""))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many stock holds in one transaction"),
				 errhint("Make the others in another transaction.")));
	lock_hold(store, request->ref, &hold);
	is_same = hold.hash && DatumGetBool(DirectFunctionCall2(byteaeq, PointerGetDatum(hold.hash), PointerGetDatum(request->hash)));
	if (hold.hash && !is_same && hold.expires_at > GetCurrentTimestamp())
		ereport(ERROR,
				(errcode(ERRCODE_OMS_REFERENCE_REUSED),
				 errmsg("stock hold \"%s\" is there already, with other items", request->ref),
				 errhint("Release it first, or use another ref.")));
	*until = expiry(ttl);
	if (is_same && hold.units == request->units)
	{
		extend(store, &hold, *until);
		*until = hold.expires_at;
		return true;
	}
	delete_hold(store, &hold);
	sourcing.held = hold.given_back;
	sourcing.demands = request->demands;
	sourcing.count = request->count;
	oms_source_take(store, &sourcing);
	*until = expiry(ttl);		/* it may have stood in line */
	insert_hold(store, request, &sourcing, *until);
	return is_same;
}

/*
 * row_result makes a function's row of values that are not NULL but the first.
 */
static Datum
row_result(FunctionCallInfo fcinfo, Datum *values, bool no_time)
{
	TupleDesc	tupdesc;
	bool		nulls[3] = {no_time, false, false};

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "a function on stock holds must return a row");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), values, nulls));
}

/*
 * oms_hold_stock is oms.hold_stock(store, ref, items, ttl, channel).
 */
Datum
oms_hold_stock(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 4);
	HoldRequest request = {.ref = reference_argument(fcinfo)};
	Interval   *ttl = PG_GETARG_INTERVAL_P(3);
	TimestampTz until;
	OwnerScope	scope;
	bool		repeated;

	(void) expiry(ttl);
	oms_parse_hold(&request, PG_GETARG_JSONB_P(2));
	if (!PG_ARGISNULL(4))
		request.channel = text_to_cstring(PG_GETARG_TEXT_PP(4));
	oms_require_status(store, "orders");
	oms_spi_begin();
	oms_become_owner(store, &scope);
	oms_read_hold(store, &request);
	repeated = hold_units(store, &request, ttl, &until);
	oms_leave_owner(&scope);
	oms_spi_end();
	return row_result(fcinfo, (Datum[]) {
		TimestampTzGetDatum(until), Int64GetDatum(request.units), BoolGetDatum(repeated)
	}, false);
}

/*
 * oms_extend_hold is oms.extend_hold(store, ref, ttl).
 */
Datum
oms_extend_hold(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 3);
	char	   *ref = reference_argument(fcinfo);
	Interval   *ttl = PG_GETARG_INTERVAL_P(2);
	OwnerScope	scope;
	Hold		hold;

	(void) expiry(ttl);
	oms_require_status(store, "orders");
	oms_spi_begin();
	oms_become_owner(store, &scope);
	(void) oms_stand_in_line(store, QUEUE_HOLD, ref, "");
	lock_hold(store, ref, &hold);
	extend(store, &hold, expiry(ttl));
	oms_leave_owner(&scope);
	oms_spi_end();
	return row_result(fcinfo, (Datum[]) {TimestampTzGetDatum(hold.expires_at), Int64GetDatum(hold.units)}, hold.units == 0);
}

/*
 * oms_release_hold is oms.release_hold(store, ref).
 */
Datum
oms_release_hold(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 2);
	char	   *ref = reference_argument(fcinfo);
	OwnerScope	scope;
	Hold		hold;

	oms_require_status(store, "orders");
	oms_spi_begin();
	oms_become_owner(store, &scope);
	(void) oms_stand_in_line(store, QUEUE_HOLD, ref, "");
	lock_hold(store, ref, &hold);
	delete_hold(store, &hold);
	if (!oms_stock_apply(store, hold.given_back))
		oms_refuse_interference("stock");
	oms_leave_owner(&scope);
	oms_spi_end();
	PG_RETURN_INT64(hold.units);
}
