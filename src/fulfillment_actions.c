/*
 * fulfillment_actions.c
 *	  What a fulfillment's moves do: issue, deliver, release, reroute, restock.
 *
 * Reached from moves.c for all rows of a statement at once, as the owner, with
 * the fulfillments and their orders locked.  An action first claims its rows
 * by a conditional UPDATE of stock_state: units leave it once, whatever path
 * leads here twice.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "actions.h"
#include "event.h"
#include "giveway.h"
#include "loads.h"
#include "oms.h"
#include "plan.h"
#include "sourcing.h"
#include "stock.h"
#include "units.h"

static void act_issue(Store *store, Mover **rows, int count);
static void act_deliver(Store *store, Mover **rows, int count);
static void act_release(Store *store, Mover **rows, int count);
static void act_reroute(Store *store, Mover **rows, int count);
static void act_restock(Store *store, Mover **rows, int count);

const Action oms_fulfillment_actions[] = {
	{"issue", act_issue},
	{"deliver", act_deliver},
	{"release", act_release},
	{"reroute", act_reroute},
	{"restock", act_restock},
	{NULL, NULL}
};

#define CLAIM(assignments, condition) \
	"UPDATE @.fulfillments f SET " assignments ", revision = f.revision" PLUS "1" \
	" WHERE f.id" EQ "ANY ($1) AND " condition
#define IS_RESERVED "f.stock_state" EQ "'reserved'"
#define HAS_LEFT "f.stock_state" EQ "'issued'"

static const StoreQuery claim_issue = {
	CLAIM("stock_state = 'issued', shipped_at = pg_catalog.now()", IS_RESERVED), 1, {UUIDARRAYOID}
};
static const StoreQuery claim_deliver = {
	CLAIM("delivered_at = pg_catalog.now()", HAS_LEFT " AND f.delivered_at IS NULL"), 1, {UUIDARRAYOID}
};
static const StoreQuery claim_release = {
	CLAIM("stock_state = 'released'", IS_RESERVED), 1, {UUIDARRAYOID}
};
static const StoreQuery claim_reroute = {
	CLAIM("stock_state = 'released', rerouted = true", IS_RESERVED), 1, {UUIDARRAYOID}
};
static const StoreQuery claim_restock = {
	CLAIM("stock_state = 'released'", HAS_LEFT), 1, {UUIDARRAYOID}
};

static const StoreQuery read_units = {
	"SELECT l.fulfillment_id, l.order_line_id, l.sku, l.quantity, l.tracked, f.location, ol.line_no::pg_catalog.int8,"
	" f.load_day FROM ROWS FROM (pg_catalog.unnest($1)) AS w(id) JOIN @.fulfillments f ON f.id" EQ "w.id"
	" JOIN @.fulfillment_lines l ON l.fulfillment_id" EQ "f.id JOIN @.order_lines ol ON ol.id" EQ "l.order_line_id"
	" ORDER BY w.id, ol.line_no",
	1, {UUIDARRAYOID}
};

static const StoreQuery read_rerouted = {
	"SELECT f.order_id, l.order_line_id, ol.line_no::pg_catalog.int8, l.sku, s.tracked, l.quantity, m.code, m.workflow,"
	" m.by_partner, ol.location, f.pickup_location, ol.ship_group, f.ship_to_id, o.number, " KIT_COLUMNS("ol") ", o.channel, f.requested_at"
	" FROM ROWS FROM (pg_catalog.unnest($1)) AS w(id) JOIN @.fulfillments f ON f.id" EQ "w.id"
	" JOIN @.fulfillment_lines l ON l.fulfillment_id" EQ "f.id JOIN @.order_lines ol ON ol.id" EQ "l.order_line_id JOIN @.skus s ON s.code" EQ "l.sku"
	" JOIN @.methods m ON m.code" EQ "f.method JOIN @.orders o ON o.id" EQ "f.order_id"
	" ORDER BY f.order_id, ol.line_no, f.id",
	1, {UUIDARRAYOID}
};

static const StoreQuery insert_returns = {
	"INSERT INTO @.stock_movements (sku, location, kind, quantity, reason, entity, entity_id, actor)"
	" SELECT m.sku, m.location, m.kind, m.quantity, m.reason, 'fulfillment', m.entity_id, $7"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4),"
	" pg_catalog.unnest($5), pg_catalog.unnest($6)) AS m(sku, location, kind, quantity, reason, entity_id)",
	7, {TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, TEXTARRAYOID, UUIDARRAYOID, TEXTOID}
};

/* One line of a fulfillment. */
typedef struct Unit
{
	const Mover *row;
	pg_uuid_t	line_id;
	int			line_no;
	const char *sku;
	const char *location;
	int64		quantity;
	bool		tracked;
	bool		has_load_day;
	DateADT		load_day;
} Unit;

static Unit *read_unit_rows(Store *store, Mover **rows, int count, int *nunits);

/*
 * oms_refuse_claim raises OM002 for a move whose action finds nothing to act on.
 */
void
oms_refuse_claim(const Mover *row, int count, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_OMS_GUARD_REFUSED),
			 count == 1 ? errmsg("fulfillment \"%s\" cannot move from \"%s\" to \"%s\": it has nothing to %s",
								 row->number, row->from, row->to, what)
			 : errmsg("some of %d fulfillments have nothing to %s", count, what),
			 errhint("Units are issued or released once; look at stock_state.")));
}

/*
 * claim takes the rows for an action; any that has nothing left for it to
 * consume makes the move untrue, and it is refused.
 */
static void
claim(Store *store, const StoreQuery *query, Mover **rows, int count, const char *what)
{
	if (oms_run(store, query, (Datum[]) {oms_array_datum(oms_mover_ids(rows, count))}) != count)
		oms_refuse_claim(rows[0], count, what);
}

/*
 * read_unit_rows reads the lines of the rows, sorted by fulfillment.
 */
static Unit *
read_unit_rows(Store *store, Mover **rows, int count, int *nunits)
{
	uint64		found = oms_run(store, &read_units, (Datum[]) {oms_array_datum(oms_mover_ids(rows, count))});
	Unit	   *units = palloc_extended(Max(1, found) * sizeof(Unit), MCXT_ALLOC_HUGE);
	int			row = 0;

	for (uint64 i = 0; i < found; i++)
	{
		pg_uuid_t	id = oms_column_uuid(i, 1);
		bool		isnull;

		while (oms_uuid_cmp(&rows[row]->id, &id) != 0)
			row++;
		units[i].row = rows[row];
		units[i].line_id = oms_column_uuid(i, 2);
		units[i].sku = oms_column_text(i, 3);
		units[i].quantity = oms_column_int64(i, 4);
		units[i].tracked = oms_column_bool(i, 5);
		units[i].location = oms_column_text(i, 6);
		units[i].line_no = (int) oms_column_int64(i, 7);
		units[i].has_load_day = !oms_column_is_null(i, 8);
		if (units[i].has_load_day)
			units[i].load_day = DatumGetDateADT(oms_column(i, 8, DATEOID, &isnull));
	}
	*nunits = (int) found;
	return units;
}

/*
 * unit_change adds a change for a unit's line to the list.
 */
static UnitChange *
unit_change(UnitChanges *changes, const Unit *unit)
{
	return oms_unit_change(changes, &unit->row->order_id, &unit->line_id);
}

/*
 * apply_stock changes stock that the fulfillments hold; the rows exist.
 */
static void
apply_stock(Store *store, StockChanges *changes)
{
	oms_stock_merge(changes);
	if (!oms_stock_apply(store, changes))
		oms_refuse_interference("stock");
}

/*
 * act_issue: goods leave.  Reserved units become shipped ones, by the ledger.
 */
static void
act_issue(Store *store, Mover **rows, int count)
{
	int			nunits;
	Unit	   *units;
	StockChanges *stock;
	Movements  *movements;
	UnitChanges *changes;

	claim(store, &claim_issue, rows, count, "issue");
	units = read_unit_rows(store, rows, count, &nunits);
	stock = oms_stock_changes(nunits);
	movements = oms_movements(nunits);
	changes = oms_unit_changes(nunits);
	for (int i = 0; i < nunits; i++)
	{
		UnitChange *change = unit_change(changes, &units[i]);

		change->allocated = -units[i].quantity;
		change->shipped = units[i].quantity;
		if (units[i].tracked)
		{
			StockChange *left = oms_stock_change(stock, units[i].sku, units[i].location);
			Movement   *movement = oms_movement(movements, units[i].sku, units[i].location, "issue",
												units[i].quantity);

			left->on_hand = left->reserved = -units[i].quantity;
			movement->on_hand = -units[i].quantity;
			movement->entity_id = units[i].row->id;
		}
	}
	apply_stock(store, stock);
	oms_movements_write(store, movements);
	oms_units_apply(store, changes);
}

/*
 * act_deliver: the customer has them.
 */
static void
act_deliver(Store *store, Mover **rows, int count)
{
	int			nunits;
	Unit	   *units;
	UnitChanges *changes;

	claim(store, &claim_deliver, rows, count, "deliver");
	units = read_unit_rows(store, rows, count, &nunits);
	changes = oms_unit_changes(nunits);
	for (int i = 0; i < nunits; i++)
		unit_change(changes, &units[i])->delivered = units[i].quantity;
	oms_units_apply(store, changes);
}

/*
 * give_back puts a unit's reservation back, as its reason says: free to sell,
 * set aside for a look, or written off.
 */
static void
give_back(const Unit *unit, StockChanges *stock, Movements *movements)
{
	StockChange *change;
	Movement   *movement;
	const char *effect = unit->row->stock_effect;

	if (!unit->tracked)
		return;
	change = oms_stock_change(stock, unit->sku, unit->location);
	change->reserved = -unit->quantity;
	if (!effect || strcmp(effect, "none") == 0)
		return;
	if (strcmp(effect, "quarantine") == 0)
	{
		movement = oms_movement(movements, unit->sku, unit->location, "quarantine", unit->quantity);
		movement->unavailable = change->unavailable = unit->quantity;
	}
	else
	{
		movement = oms_movement(movements, unit->sku, unit->location, "damage", unit->quantity);
		movement->on_hand = change->on_hand = -unit->quantity;
	}
	movement->reason = unit->row->reason;
	movement->entity_id = unit->row->id;
}

/*
 * loads_of_units returns what units that have not left take off locations' days.
 */
static Loads *
loads_of_units(const Unit *units, int count)
{
	Loads	   *loads = oms_loads(4);

	for (int i = 0; i < count; i++)
	{
		if (units[i].has_load_day)
			(void) oms_load(loads, units[i].location, units[i].load_day, -units[i].quantity);
	}
	return loads;
}

/*
 * act_release: units go back to stock and are canceled.
 */
static void
act_release(Store *store, Mover **rows, int count)
{
	int			nunits;
	Unit	   *units;
	StockChanges *stock;
	Movements  *movements;
	UnitChanges *changes;
	Events	   *events;

	claim(store, &claim_release, rows, count, "release");
	units = read_unit_rows(store, rows, count, &nunits);
	stock = oms_stock_changes(nunits);
	movements = oms_movements(4);
	changes = oms_unit_changes(nunits);
	events = oms_events(nunits);
	for (int i = 0; i < nunits; i++)
	{
		UnitChange *change = unit_change(changes, &units[i]);

		change->allocated = -units[i].quantity;
		change->canceled = units[i].quantity;
		give_back(&units[i], stock, movements);
		oms_event_add(events, &units[i].row->order_id, "order_line", &units[i].line_id, "canceled_units",
					  NULL, NULL, units[i].row->reason,
					  psprintf("{\"line\": %d, \"quantity\": " INT64_FORMAT "}", units[i].line_no, units[i].quantity));
	}
	apply_stock(store, stock);
	oms_loads_give_back(store, loads_of_units(units, nunits));
	oms_movements_write(store, movements);
	oms_events_write(store, events);
	oms_units_apply(store, changes);
}

/*
 * same_way tells whether units of one line can be sourced as one demand.
 */
static bool
same_way(const Demand *a, const Demand *b)
{
	return oms_uuid_cmp(&a->line_id, &b->line_id) == 0 &&
		strcmp(a->method, b->method) == 0 &&
		strcmp(a->pickup_location ? a->pickup_location : "", b->pickup_location ? b->pickup_location : "") == 0 &&
		oms_same_request(a, b) &&
		a->has_ship_to == b->has_ship_to &&
		(!a->has_ship_to || oms_uuid_cmp(&a->ship_to, &b->ship_to) == 0);
}

/*
 * read_reroute_demands reads what must be sourced anew, units of one line that
 * go the same way together.
 */
static void
read_reroute_demands(Store *store, Mover **rows, int count, Sourcing *sourcing)
{
	uint64		found = oms_run(store, &read_rerouted, (Datum[]) {oms_array_datum(oms_mover_ids(rows, count))});

	sourcing->demands = palloc_extended(Max(1, found) * sizeof(Demand), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint64 i = 0; i < found; i++)
	{
		Demand		next = {0};
		Demand	   *last = sourcing->count == 0 ? NULL : &sourcing->demands[sourcing->count - 1];

		oms_read_demand(&next, i);
		next.order_number = oms_column_text(i, 14);
		next.channel = oms_column_text(i, 17);
		next.may_be_short = true;
		oms_read_kit(&next, i, 15);
		oms_read_requested(&next, i, 18);
		if (last && same_way(last, &next))
			last->quantity += next.quantity;
		else
			sourcing->demands[sourcing->count++] = next;
	}
}

/*
 * act_reroute: a location cannot do it.  Its units go back, and are sourced
 * anew at a location that has not refused this order; what finds none becomes
 * short.
 */
static void
act_reroute(Store *store, Mover **rows, int count)
{
	Sourcing	sourcing = {0};
	int			nunits;
	Unit	   *units;
	Movements  *movements = oms_movements(4);
	UnitChanges *changes;
	Events	   *events = oms_events(4);

	claim(store, &claim_reroute, rows, count, "reroute");
	units = read_unit_rows(store, rows, count, &nunits);
	sourcing.given_back = oms_stock_changes(nunits);
	for (int i = 0; i < nunits; i++)
		give_back(&units[i], sourcing.given_back, movements);
	sourcing.loads_back = loads_of_units(units, nunits);
	read_reroute_demands(store, rows, count, &sourcing);
	oms_source_exclude(store, &sourcing);
	sourcing.never_waits = oms_stock_is_locked();
	oms_source_take(store, &sourcing);
	oms_movements_write(store, movements);

	changes = oms_unit_changes(sourcing.count);
	for (int i = 0; i < sourcing.count; i++)
	{
		Demand	   *demand = &sourcing.demands[i];
		UnitChange *change = oms_unit_change(changes, &demand->order_id, &demand->line_id);

		change->allocated = demand->found - demand->quantity;
		change->short_units = demand->quantity - demand->found;
	}
	oms_source_events(&sourcing, true, events);
	oms_source_finish(store, changes, &sourcing, events);
	oms_keep_methods(store, &sourcing);
}

/*
 * add_return adds a movement to the arrays that insert_returns takes.
 */
static void
add_return(Array **arrays, const Unit *unit, const char *kind)
{
	oms_array_add_text(arrays[0], unit->sku);
	oms_array_add_text(arrays[1], unit->location);
	oms_array_add_text(arrays[2], kind);
	oms_array_add_int64(arrays[3], unit->quantity);
	oms_array_add_text(arrays[4], unit->row->reason);
	oms_array_add_uuid(arrays[5], &unit->row->id);
}

/*
 * act_restock: what had left is back at its location.
 */
static void
act_restock(Store *store, Mover **rows, int count)
{
	static const Oid types[6] = {TEXTOID, TEXTOID, TEXTOID, INT8OID, TEXTOID, UUIDOID};
	int			nunits;
	Unit	   *units;
	UnitChanges *changes;
	Array	   *arrays[6];
	Datum		args[7];

	claim(store, &claim_restock, rows, count, "restock");
	units = read_unit_rows(store, rows, count, &nunits);
	changes = oms_unit_changes(nunits);
	for (int i = 0; i < 6; i++)
		arrays[i] = oms_array(types[i], nunits);
	for (int i = 0; i < nunits; i++)
	{
		const char *effect = units[i].row->stock_effect;

		unit_change(changes, &units[i])->returned = units[i].quantity;
		if (!units[i].tracked)
			continue;
		add_return(arrays, &units[i], "return");
		if (effect && strcmp(effect, "quarantine") == 0)
			add_return(arrays, &units[i], "quarantine");
		else if (effect && strcmp(effect, "write_off") == 0)
			add_return(arrays, &units[i], "damage");
	}
	oms_units_apply(store, changes);
	for (int i = 0; i < 6; i++)
		args[i] = oms_array_datum(arrays[i]);
	args[6] = CStringGetTextDatum(oms_current_actor());
	if (arrays[0]->count > 0 && oms_run(store, &insert_returns, args) != arrays[0]->count)
		oms_refuse_interference("stock_movements");
}
