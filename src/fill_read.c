/*
 * fill_read.c
 *	  What orders wait for, in the order in which they are served.
 *
 * Read on a snapshot to know which orders to lock (fill.c), and again once they
 * are locked, unless none of what was read has been written since.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "fill.h"
#include "oms.h"
#include "plan.h"
#include "sourcing.h"

#define WAITS "l.backordered" PLUS "l.short" GT "0"

static const StoreQuery find_skus_of_order = {
	"SELECT DISTINCT l.sku FROM @.order_lines l WHERE l.order_id" EQ "$1 AND " WAITS, 1, {UUIDOID}
};

#define SERVED_FIRST(w) \
	w "is_later, " w "priority, " w "placed_at, " w "order_id, " w "line_no, " w "is_backordered"

#define IS_OF_KIT "l.per_kit IS NOT NULL AND l.ship_group IS NOT NULL"
#define IS_WARRANTY "l.per_kit IS NULL AND (SELECT k.kind FROM @.skus k WHERE k.code" EQ "l.sku)" EQ "'warranty'"

/*
 * Of an order that must ship complete all is asked for, and together; so are
 * components of a kit, and a warranty with its goods, whose way it goes.  Of lines
 * that belong to no other nothing more is read: OFFSET keeps the lookup of the
 * goods apart, so that it is only made for warranties.
 */
static const StoreQuery read_waiting = {
	"SELECT w.order_id, w.id, w.line_no::pg_catalog.int8, w.sku, s.tracked, w.units, m.code, m.workflow, m.by_partner,"
	" COALESCE(w.location, p.location), COALESCE(w.pickup_location, p.pickup_location), w.ship_group,"
	" COALESCE(w.ship_to_id, p.ship_to_id, w.order_ship_to_id), w.number, w.is_backordered, w.ship_complete,"
	" w.backorder_policy_id, w.channel, w.line_version, w.order_version, " KIT_COLUMNS("w") ", w.ready, w.requested_at"
	" FROM (SELECT l.order_id, l.id, l.line_no, l.sku, l.method, l.location, l.pickup_location, l.ship_group, l.backorder_policy_id,"
	" l.per_kit, l.parent_line_id, l.ship_to_id, k.is_backordered, k.units, o.ship_to_id AS order_ship_to_id, o.number, o.channel,"
	" o.ship_complete, o.priority, o.placed_at, l.ctid AS line_version, o.ctid AS order_version,"
	" l.quantity" MINUS "l.backordered" MINUS "l.short AS ready, COALESCE(l.requested_at, o.requested_at) AS requested_at,"
	" CASE WHEN o.ship_complete THEN o.units_short" EQ "0 ELSE k.is_backordered END AS is_later"
	" FROM (SELECT DISTINCT u.id FROM ROWS FROM (pg_catalog.unnest($1)) AS u(id)) AS a JOIN @.orders o ON o.id" EQ "a.id"
	" JOIN @.order_lines l ON l.order_id" EQ "o.id AND " WAITS
	" CROSS JOIN LATERAL (VALUES (false, l.short), (true, l.backordered)) AS k(is_backordered, units)"
	" WHERE k.units" GT "0 AND (o.ship_complete OR l.sku" EQ "ANY ($2) OR l.parent_line_id IS NOT NULL"
	" AND (" IS_OF_KIT " OR " IS_WARRANTY ") AND EXISTS (SELECT FROM @.order_lines g WHERE g.order_id" EQ "o.id AND g.sku" EQ "ANY ($2)"
	" AND (g.id" EQ "l.parent_line_id OR g.parent_line_id" EQ "l.parent_line_id AND g.per_kit IS NOT NULL)))"
	" ORDER BY " SERVED_FIRST("") " LIMIT $3) AS w"
	" JOIN @.skus s ON s.code" EQ "w.sku JOIN @.channels c ON c.code" EQ "w.channel"
	" LEFT JOIN LATERAL (SELECT g.id, g.method, g.location, g.pickup_location, g.ship_to_id, t.default_method"
	" FROM @.order_lines g JOIN @.skus t ON t.code" EQ "g.sku"
	" WHERE g.id" EQ "w.parent_line_id AND w.per_kit IS NULL AND s.kind" EQ "'warranty' OFFSET 0) AS p ON true"
	" JOIN @.methods m ON m.code" EQ "COALESCE(w.method, p.method, p.default_method, CASE WHEN p.id IS NULL THEN s.default_method END,"
	" c.default_method, s.default_method)"
	" ORDER BY " SERVED_FIRST("w."),
	3, {UUIDARRAYOID, TEXTARRAYOID, INT8OID}
};

/* Of how many demands the line and the order are where they were. */
static const StoreQuery count_unchanged = {
	"SELECT pg_catalog.count(*) FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3))"
	" AS w(id, line_version, order_version) JOIN @.order_lines l ON l.ctid" EQ "w.line_version AND l.id" EQ "w.id"
	" JOIN @.orders o ON o.ctid" EQ "w.order_version AND o.id" EQ "l.order_id",
	3, {UUIDARRAYOID, TIDARRAYOID, TIDARRAYOID}
};

/*
 * read_version reads where a row was.
 */
static ItemPointerData
read_version(uint64 row, int column)
{
	bool		isnull;

	return *(ItemPointer) DatumGetPointer(oms_column(row, column, TIDOID, &isnull));
}

/*
 * oms_fill_read reads what orders wait for, as far as it concerns these SKUs, the
 * first so many demands; and, unless versions is NULL, where each one's rows are.
 */
void
oms_fill_read(Store *store, const Array *skus, const Array *order_ids, int64 most, Sourcing *sourcing, DemandVersion **versions)
{
	uint64		count = oms_run(store, &read_waiting, (Datum[]) {
		oms_array_datum(order_ids), oms_array_datum(skus), Int64GetDatum(most)
	});

	sourcing->demands = palloc_extended(Max(1, count) * sizeof(Demand), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	sourcing->count = (int) count;
	if (versions)
		*versions = palloc_extended(Max(1, count) * sizeof(DemandVersion), MCXT_ALLOC_HUGE);
	for (uint64 i = 0; i < count; i++)
	{
		Demand	   *demand = &sourcing->demands[i];

		oms_read_demand(demand, i);
		demand->order_number = oms_column_text(i, 14);
		demand->is_backordered = oms_column_bool(i, 15);
		demand->is_whole = oms_column_bool(i, 16);
		if (demand->is_backordered && !oms_column_is_null(i, 17))
			demand->policy_id = oms_column_uuid(i, 17);
		demand->channel = oms_column_text(i, 18);
		if (versions)
			(*versions)[i] = (DemandVersion) {read_version(i, 19), read_version(i, 20)};
		oms_read_kit(demand, i, 21);
		demand->ready = oms_column_int64(i, 23);
		oms_read_requested(demand, i, 24);
		demand->may_be_short = true;
	}
	SPI_freetuptable(SPI_tuptable);
	oms_source_exclude(store, sourcing);
}

/*
 * oms_read_waiting_demands reads what an order waits for.
 */
void
oms_read_waiting_demands(Store *store, const pg_uuid_t *id, Sourcing *sourcing)
{
	Array	   *ids = oms_array(UUIDOID, 1);
	Array	   *skus = oms_array(TEXTOID, 8);
	uint64		count = oms_run(store, &find_skus_of_order, (Datum[]) {UUIDPGetDatum(id)});

	for (uint64 i = 0; i < count; i++)
		oms_array_add_text(skus, oms_column_text(i, 1));
	oms_array_add_uuid(ids, id);
	oms_fill_read(store, skus, ids, PG_INT64_MAX, sourcing, NULL);
}

/*
 * oms_fill_are_unchanged tells whether orders wait for what was read before they
 * were locked.
 */
bool
oms_fill_are_unchanged(Store *store, const Waiting *waiting)
{
	Array	   *ids = oms_array(UUIDOID, waiting->count);
	Array	   *lines = oms_array(TIDOID, waiting->count);
	Array	   *orders = oms_array(TIDOID, waiting->count);

	for (int i = 0; i < waiting->count; i++)
	{
		oms_array_add_uuid(ids, &waiting->demands[i].line_id);
		oms_array_add(lines, PointerGetDatum(&waiting->versions[i].line));
		oms_array_add(orders, PointerGetDatum(&waiting->versions[i].order));
	}
	(void) oms_run(store, &count_unchanged, (Datum[]) {
		oms_array_datum(ids), oms_array_datum(lines), oms_array_datum(orders)
	});
	return oms_column_int64(0, 1) == waiting->count;
}
