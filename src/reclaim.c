/*
 * reclaim.c
 *	  Taking units of stock holds back: of those that expired, and of any where
 *	  a movement leaves too little.
 *
 * A hold that has expired stays in stock.reserved until somebody removes its
 * row: whoever finds too little without its units, or oms.tick.  The row is
 * deleted first, and whoever deleted it, and nobody else, gives its units back
 * in the UPDATE of stock that he is about to make anyway.
 *
 * Holds are locked before stock rows.  Who gets here may have stock rows
 * locked, or stand in line for them, so nothing is waited for: a hold that
 * another session has locked is passed over.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "oms.h"
#include "plan.h"
#include "rows.h"
#include "stock_hold.h"

#define MOST_PROBED 100			/* holds of a stock row, to see whether some
								 * are busy */

/*
 * At each location, expired holds of a SKU of so many units, and of as many more
 * as safety stock lacks there, the oldest first.  Each has a unit at least.
 */
#define WANTED "GREATEST(w.units, w.units" MINUS "s.available)"
#define EXPIRED(of_others, locked) \
	"SELECT e.id, s.sku, s.location, e.quantity" \
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS w(sku, units)" \
	" JOIN @.stock s ON s.sku" EQ "w.sku AND s.reserved" GT "0" \
	" CROSS JOIN LATERAL (SELECT h.id, h.quantity," \
	" (pg_catalog.sum(h.quantity) OVER (ROWS UNBOUNDED PRECEDING)" MINUS "h.quantity)::pg_catalog.int8 AS before" \
	" FROM (SELECT x.id, x.quantity FROM @.stock_holds x WHERE x.sku" EQ "s.sku AND x.location" EQ "s.location" \
	" AND x.expires_at" LE "$3" of_others " ORDER BY x.expires_at LIMIT " WANTED locked ") h) e WHERE e.before" LT WANTED

static const StoreQuery delete_expired = {
	"WITH expired AS MATERIALIZED (" EXPIRED("", " FOR UPDATE SKIP LOCKED") ")"
	" DELETE FROM @.stock_holds g USING expired e WHERE g.id" EQ "e.id RETURNING g.sku, g.location, g.quantity",
	3, {TEXTARRAYOID, INT8ARRAYOID, TIMESTAMPTZOID}
};

static const StoreQuery read_expired = {
	"SELECT b.sku, b.location, b.quantity FROM (" EXPIRED(" AND x.ref" NE "$4", "") ") b",
	4, {TEXTARRAYOID, INT8ARRAYOID, TIMESTAMPTZOID, TEXTOID}
};

/* The same for who has stock rows locked: only where those are free as well. */
static const StoreQuery delete_expired_at_hand = {
	"WITH expired AS MATERIALIZED (SELECT h.id FROM ROWS FROM (pg_catalog.unnest($1)) AS w(sku)"
	" JOIN @.stock s ON s.sku" EQ "w.sku AND s.reserved" GT "0"
	" JOIN @.stock_holds h ON h.sku" EQ "s.sku AND h.location" EQ "s.location AND h.expires_at" LE "$2"
	" LIMIT 1000 FOR NO KEY UPDATE OF s, h SKIP LOCKED)"
	" DELETE FROM @.stock_holds g USING expired e WHERE g.id" EQ "e.id RETURNING g.sku, g.location, g.quantity",
	2, {TEXTARRAYOID, TIMESTAMPTZOID}
};

/* Whether there are more expired holds of a SKU than can be locked now. */
#define PROBED(locked) \
	"(SELECT pg_catalog.count(*) FROM ROWS FROM (pg_catalog.unnest($1)) AS w(sku)" \
	" JOIN @.stock s ON s.sku" EQ "w.sku AND s.reserved" GT "0" \
	" CROSS JOIN LATERAL (SELECT x.id FROM @.stock_holds x WHERE x.sku" EQ "s.sku AND x.location" EQ "s.location" \
	" AND x.expires_at" LE "$2 ORDER BY x.expires_at LIMIT $3" locked ") e)"

static const StoreQuery probe_expired = {
	"SELECT " PROBED("") GT PROBED(" FOR UPDATE SKIP LOCKED"), 3, {TEXTARRAYOID, TIMESTAMPTZOID, INT8OID}
};

/* What has to give way at a stock row: first what expired first ... */
static const StoreQuery lock_expired_here = {
	"SELECT h.id, h.quantity FROM @.stock_holds h WHERE h.sku" EQ "$1 AND h.location" EQ "$2 AND h.expires_at" LE "$3"
	" ORDER BY h.expires_at LIMIT $4 FOR UPDATE SKIP LOCKED",
	4, {TEXTOID, TEXTOID, TIMESTAMPTZOID, INT8OID}
};

/* ... then of the others the latest. */
static const StoreQuery lock_live_here = {
	"SELECT h.id, h.quantity FROM @.stock_holds h WHERE h.sku" EQ "$1 AND h.location" EQ "$2 AND h.expires_at" GT "$3"
	" ORDER BY h.expires_at DESC LIMIT $4 FOR UPDATE SKIP LOCKED",
	4, {TEXTOID, TEXTOID, TIMESTAMPTZOID, INT8OID}
};

static const StoreQuery find_here = {
	"SELECT h.ref FROM @.stock_holds h WHERE h.sku" EQ "$1 AND h.location" EQ "$2 AND h.expires_at" LE "$3"
	" ORDER BY h.expires_at LIMIT 1",
	3, {TEXTOID, TEXTOID, TIMESTAMPTZOID}
};

static const StoreQuery delete_holds = {
	"DELETE FROM @.stock_holds h WHERE h.id" EQ "ANY ($1)", 1, {UUIDARRAYOID}
};

static const StoreQuery lessen_hold = {
	"UPDATE @.stock_holds h SET quantity = h.quantity" MINUS "$2 WHERE h.id" EQ "$1", 2, {UUIDOID, INT8OID}
};

static const StoreQuery delete_due = {
	"WITH due AS MATERIALIZED (SELECT h.id FROM @.stock_holds h JOIN @.stock s ON s.sku" EQ "h.sku AND s.location" EQ "h.location"
	" WHERE h.expires_at" LE "$1 ORDER BY h.expires_at LIMIT $2 FOR NO KEY UPDATE OF h, s SKIP LOCKED)"
	" DELETE FROM @.stock_holds g USING due d WHERE g.id" EQ "d.id RETURNING g.sku, g.location, g.quantity",
	2, {TIMESTAMPTZOID, INT8OID}
};

/*
 * is_lacking tells whether the plan found too little of what a demand wants.
 */
static bool
is_lacking(const Demand *demand)
{
	return demand->tracked && demand->found < demand->quantity;
}

/*
 * lacking lists the SKUs of which the plan found too little, and how many units
 * of each have to come back, those included that a rule keeps where they are.
 */
static void
lacking(const Sourcing *sourcing, bool refused_only, Array *skus, Array *units)
{
	StockChanges *list = oms_stock_changes(8);

	for (int i = 0; i < sourcing->count; i++)
	{
		const Demand *demand = &sourcing->demands[i];

		if (is_lacking(demand) && !(refused_only && demand->may_be_short))
			oms_stock_change(list, demand->sku, "")->reserved = demand->quantity - demand->found +
				(sourcing->rules ? oms_channel_keeps(sourcing->rules, demand->sku) : 0);
	}
	oms_stock_merge(list);
	for (int i = 0; i < list->count; i++)
	{
		oms_array_add_text(skus, list->changes[i].sku);
		oms_array_add_int64(units, list->changes[i].reserved);
	}
}

/*
 * read_back adds units that a query returned to those that are given back.
 */
static void
read_back(StockChanges *list, uint64 rows)
{
	for (uint64 i = 0; i < rows; i++)
	{
		const char *sku = oms_column_text(i, 1);
		const char *location = oms_column_text(i, 2);

		oms_stock_change(list, sku, location)->reserved = -oms_column_int64(i, 3);
	}
	oms_stock_merge(list);
}

/*
 * reclaim does the work of the two below.
 */
static bool
reclaim(Store *store, Sourcing *sourcing, bool in_thought)
{
	Array	   *skus;
	Array	   *units;
	Datum		args[4];
	uint64		rows;
	int			first = 0;

	while (first < sourcing->count && !is_lacking(&sourcing->demands[first]))
		first++;
	if (first == sourcing->count)
		return false;
	skus = oms_array(TEXTOID, 8);
	units = oms_array(INT8OID, 8);
	lacking(sourcing, false, skus, units);
	args[0] = oms_array_datum(skus);
	args[1] = oms_array_datum(units);
	args[2] = TimestampTzGetDatum(GetCurrentTimestamp());
	args[3] = CStringGetTextDatum(in_thought && sourcing->own_hold ? sourcing->own_hold : "");
	if (sourcing->never_waits)
		rows = oms_run(store, &delete_expired_at_hand, (Datum[]) {args[0], args[2]});
	else
		rows = oms_run(store, in_thought ? &read_expired : &delete_expired, args);
	if (rows == 0)
		return false;
	if (!sourcing->expired)
		sourcing->expired = oms_stock_changes(rows);
	read_back(sourcing->expired, rows);
	return true;
}

/*
 * oms_reclaim takes back units of expired holds of what the plan lacks.  Returns
 * whether there were any, so that another plan may find more.
 */
bool
oms_reclaim(Store *store, Sourcing *sourcing)
{
	return reclaim(store, sourcing, false);
}

/*
 * oms_reclaim_in_thought does as if, and writes and locks nothing.
 */
bool
oms_reclaim_in_thought(Store *store, Sourcing *sourcing)
{
	return reclaim(store, sourcing, true);
}

/*
 * oms_require_reclaimed raises 40001 where what is about to be refused for want
 * of stock may only lack units of expired holds that others are removing: they
 * take no more of them than they need.
 */
void
oms_require_reclaimed(Store *store, const Sourcing *sourcing)
{
	Array	   *skus = oms_array(TEXTOID, 8);
	Array	   *units = oms_array(INT8OID, 8);

	lacking(sourcing, true, skus, units);
	if (skus->count == 0)
		return;
	(void) oms_run(store, &probe_expired, (Datum[]) {
		oms_array_datum(skus), TimestampTzGetDatum(GetCurrentTimestamp()), Int64GetDatum(MOST_PROBED)
	});
	if (oms_column_bool(0, 1))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("stock holds that expired are being changed by another session"),
				 errhint("Retry the transaction.")));
}

/*
 * give_some takes up to so many units from the holds that a query locks.
 * Returns how many.
 */
static int64
give_some(Store *store, const StoreQuery *query, const StockLevel *level, Datum now, int64 missing)
{
	uint64		rows = oms_run(store, query, (Datum[]) {
		CStringGetTextDatum(level->sku), CStringGetTextDatum(level->location), now, Int64GetDatum(missing)
	});
	Array	   *gone = oms_array(UUIDOID, rows);
	pg_uuid_t	last;
	int64		lessened = 0;
	int64		given = 0;

	for (uint64 i = 0; i < rows && given < missing; i++)
	{
		pg_uuid_t	id = oms_column_uuid(i, 1);
		int64		quantity = oms_column_int64(i, 2);

		if (query == &lock_live_here && quantity > missing - given)
		{
			last = id;
			lessened = missing - given;
			given = missing;
			break;
		}
		oms_array_add_uuid(gone, &id);
		given += quantity;
	}
	if (gone->count > 0)
		oms_require_hold_rows(oms_run(store, &delete_holds, (Datum[]) {oms_array_datum(gone)}), gone->count);
	if (lessened > 0)
		oms_require_hold_rows(oms_run(store, &lessen_hold, (Datum[]) {UUIDPGetDatum(&last), Int64GetDatum(lessened)}), 1);
	return given;
}

/*
 * oms_give_holds has holds give way at a stock row that is locked: expired ones
 * whole, then of the others as much as is missing, unless reservations may not
 * give way.  Returns how many units, which the caller takes off reserved.
 */
int64
oms_give_holds(Store *store, const StockLevel *level, int64 missing)
{
	Datum		now = TimestampTzGetDatum(GetCurrentTimestamp());
	int64		given = give_some(store, &lock_expired_here, level, now, missing);

	if (given < missing && !level->refuses)
		given += give_some(store, &lock_live_here, level, now, missing - given);
	if (given < missing && oms_run(store, &find_here, (Datum[]) {
			CStringGetTextDatum(level->sku), CStringGetTextDatum(level->location),
			level->refuses ? now : TimestampTzGetDatum(DT_NOEND)
		}) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("stock hold \"%s\" is being changed by another session", oms_column_text(0, 1)),
				 errhint("Retry the transaction.")));
	return given;
}

/*
 * oms_end_stock_holds removes holds that have expired, where nobody has them or
 * their stock rows locked: who calls it may hold others of those.  Returns how many.
 */
int64
oms_end_stock_holds(Store *store, int64 max_rows)
{
	StockChanges *changes = oms_stock_changes(8);
	uint64		count = oms_run(store, &delete_due, (Datum[]) {
		TimestampTzGetDatum(GetCurrentTimestamp()), Int64GetDatum(max_rows)
	});

	read_back(changes, count);
	if (!oms_stock_apply(store, changes))
		oms_refuse_interference("stock");
	return (int64) count;
}
