/*
 * redirect.c
 *	  Units leave their fulfillments and are sourced anew for another way.
 *
 * The fulfillments that hold them, or what is divided off them, give their stock
 * back, and the units are sourced anew for the new method, address or pickup
 * location: by one change of stock, so that they are nobody else's in between.
 * The location they were at may be chosen again, since it has not refused them;
 * what cannot be found is an error, and all stays as it was.  The emptied
 * fulfillments end as merged ones do (merge.c).
 *
 * Lines say how units go that still wait for stock.  People cannot change that
 * once the order is placed; here the engine does, where all of a line's units
 * that have not left go the new way.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "change_delivery.h"
#include "event.h"
#include "fulfillment.h"
#include "giveway.h"
#include "loads.h"
#include "oms.h"
#include "plan.h"
#include "sourcing.h"
#include "units.h"

static const StoreQuery read_held = {
	"SELECT l.sku, f.location, l.quantity, l.tracked, f.load_day FROM @.fulfillments f"
	" JOIN @.fulfillment_lines l ON l.fulfillment_id" EQ "f.id WHERE f.id" EQ "ANY ($1)",
	1, {UUIDARRAYOID}
};

/* Units of one line that go one way are one demand. */
static const StoreQuery read_demands = {
	"SELECT w.order_id, w.order_line_id, ol.line_no::pg_catalog.int8, ol.sku, s.tracked, w.quantity, m.code, m.workflow,"
	" m.by_partner, ol.location, w.pickup_location, ol.ship_group, w.ship_to_id, o.number, " KIT_COLUMNS("ol") ", o.channel, w.requested_at"
	" FROM (SELECT f.order_id, l.order_line_id, f.requested_at, COALESCE($2, f.method) AS method, COALESCE($3, f.ship_to_id) AS ship_to_id,"
	" CASE WHEN $5 THEN $4 ELSE f.pickup_location END AS pickup_location,"
	" pg_catalog.sum(l.quantity)::pg_catalog.int8 AS quantity FROM @.fulfillments f"
	" JOIN @.fulfillment_lines l ON l.fulfillment_id" EQ "f.id WHERE f.id" EQ "ANY ($1) GROUP BY 1, 2, 3, 4, 5, 6) w"
	" JOIN @.orders o ON o.id" EQ "w.order_id JOIN @.order_lines ol ON ol.id" EQ "w.order_line_id"
	" JOIN @.skus s ON s.code" EQ "ol.sku JOIN @.methods m ON m.code" EQ "w.method ORDER BY ol.line_no, m.code, w.requested_at",
	5, {UUIDARRAYOID, TEXTOID, UUIDOID, TEXTOID, BOOLOID}
};

static const StoreQuery change_lines = {
	"UPDATE @.order_lines l SET method = COALESCE($2, l.method), ship_to_id = COALESCE($3, l.ship_to_id),"
	" pickup_location = CASE WHEN $5 THEN $4 ELSE l.pickup_location END, revision = l.revision" PLUS "1"
	" FROM ROWS FROM (pg_catalog.unnest($1)) AS w(id) WHERE l.id" EQ "w.id"
	" AND (l.method IS DISTINCT FROM COALESCE($2, l.method) OR l.ship_to_id IS DISTINCT FROM COALESCE($3, l.ship_to_id)"
	" OR ($5 AND l.pickup_location IS DISTINCT FROM $4)) RETURNING l.id, l.short" PLUS "l.backordered",
	5, {UUIDARRAYOID, TEXTOID, UUIDOID, TEXTOID, BOOLOID}
};

static const StoreQuery change_order = {
	"UPDATE @.orders o SET ship_to_id = $2, revision = o.revision" PLUS "1 WHERE o.id" EQ "$1", 2, {UUIDOID, UUIDOID}
};

/*
 * refuse_stuck raises OM002 for units that a fulfillment cannot let go of.
 */
static void
refuse_stuck(const Holding *holding)
{
	if (holding->packed > 0 && holding->target)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_GUARD_REFUSED),
				 errmsg("units of fulfillment \"%s\" cannot go another way: " INT64_FORMAT " are in packages", holding->number,
						holding->packed),
				 errhint("Unpack them first: delete their package_lines, or set packages.voided_at.")));
	ereport(ERROR,
			(errcode(ERRCODE_OMS_GUARD_REFUSED),
			 errmsg("units of fulfillment \"%s\" cannot go another way from \"%s\"", holding->number, holding->status),
			 errhint("Move the fulfillment to a state from which it can be released first.")));
}

/*
 * take_units takes what is wanted from those that hold units; what goes that way
 * already stays.  Returns how many are taken.
 */
static int64
take_units(Holding *list, int nholdings, DeliveryLine *lines, int nlines)
{
	int64		taken = 0;

	for (int pass = 0; pass < 2; pass++)
	{
		for (int i = 0; i < nholdings; i++)
		{
			DeliveryLine *line = bsearch(&list[i].line_id, lines, nlines, sizeof(DeliveryLine), oms_uuid_cmp);
			int64		free = list[i].target ? list[i].quantity - list[i].packed : 0;
			int64		units = line ? Min(line->wanted, list[i].is_right ? list[i].quantity : free) : 0;

			/* those that are right first: nothing is done to them */
			if (list[i].is_right != (pass == 0) || units <= 0)
				continue;
			line->wanted -= units;
			if (pass == 1)
				taken += list[i].taken = units;
		}
	}
	for (int i = 0; i < nlines; i++)
	{
		int64		left = lines[i].wanted - (lines[i].is_whole ? lines[i].waiting : 0);

		for (int j = 0; j < nholdings && left > 0; j++)
		{
			if (oms_uuid_cmp(&list[j].line_id, &lines[i].id) == 0 && !list[j].is_right && list[j].taken < list[j].quantity)
				refuse_stuck(&list[j]);
		}
	}
	return taken;
}

/*
 * empty divides off what was taken and lists the fulfillments that are to be left
 * without units.
 */
static Emptied *
empty(Store *store, const DeliveryChange *change, const Holding *list, int count)
{
	const char *detail = psprintf("{\"changed\": [%s%s%s]}", change->way.method ? "\"method\"" : "",
								  change->way.method && change->way.has_ship_to ? ", " : "", change->way.has_ship_to ? "\"ship_to_id\"" :
								  change->way.method ? "" : "\"pickup_location\"");
	Emptied    *emptied = oms_emptied(4);
	int			nportions;
	Portion    *portions = oms_divide_holdings(store, &change->order_id, list, count, &nportions);

	for (int i = 0; i < nportions; i++)
		oms_emptied_add(store, emptied, &portions[i].id, &change->order_id, portions[i].from->number, portions[i].from->workflow,
						portions[i].from->status, change->reason, detail);
	return emptied;
}

/*
 * give_back notes what the rows of read_held are of, which the plan may count on as
 * on what is held for the order: stock, and room in locations' days.
 */
static void
give_back(Sourcing *sourcing, uint64 count)
{
	sourcing->held = oms_stock_changes((int) count);
	sourcing->loads_back = oms_loads(4);
	for (uint64 i = 0; i < count; i++)
	{
		const char *location = oms_column_text(i, 2);
		int64		quantity = oms_column_int64(i, 3);
		bool		isnull;

		if (oms_column_bool(i, 4))
			oms_stock_change(sourcing->held, oms_column_text(i, 1), location)->reserved = -quantity;
		if (!oms_column_is_null(i, 5))
			(void) oms_load(sourcing->loads_back, location, DatumGetDateADT(oms_column(i, 5, DATEOID, &isnull)), -quantity);
	}
	oms_stock_merge(sourcing->held);
}

/*
 * source_anew gives back what the fulfillments hold and takes it, or other units,
 * for the new way.
 */
static void
source_anew(Store *store, const DeliveryChange *change, const Emptied *emptied, Events *events)
{
	Sourcing	sourcing = {0};
	UnitChanges *changes;
	Datum		args[5] = {oms_array_datum(emptied->ids)};
	uint64		found = oms_run(store, &read_held, args);

	give_back(&sourcing, found);
	found = oms_run_nulls(store, &read_demands, args, oms_way_args(&change->way, args));
	sourcing.count = (int) found;
	sourcing.demands = palloc0(Max(1, found) * sizeof(Demand));
	changes = oms_unit_changes((int) found);
	for (uint64 i = 0; i < found; i++)
	{
		Demand	   *demand = &sourcing.demands[i];

		oms_read_demand(demand, i);
		demand->order_number = oms_column_text(i, 14);
		demand->channel = oms_column_text(i, 17);
		oms_read_kit(demand, i, 15);
		oms_read_requested(demand, i, 18);
		/* counts nothing, and has who waits for the order see that it changed */
		(void) oms_unit_change(changes, &demand->order_id, &demand->line_id);
	}
	oms_source_exclude(store, &sourcing);
	sourcing.never_waits = oms_stock_is_locked();
	oms_source_take(store, &sourcing);
	oms_source_events(&sourcing, false, events);
	oms_end_emptied(store, emptied);
	oms_source_finish(store, changes, &sourcing, events);
}

/*
 * write_lines has the lines say the new way whose units all go it, and the order
 * its address where all of it does.
 */
static int64
write_lines(Store *store, const DeliveryChange *change, const DeliveryLine *lines, int count, bool all, Events *events)
{
	Array	   *ids = oms_array(UUIDOID, count);
	Datum		args[5];
	int64		waiting = 0;
	uint64		changed = 0;
	const char *columns = psprintf("{\"columns\": [%s]}", change->way.sets_pickup && change->way.has_ship_to
								   ? "\"method\", \"pickup_location\", \"ship_to_id\"" : change->way.sets_pickup
								   ? "\"method\", \"pickup_location\"" : "\"ship_to_id\"");

	for (int i = 0; i < count; i++)
	{
		if (lines[i].is_whole && lines[i].allocated + lines[i].waiting > 0)
			oms_array_add_uuid(ids, &lines[i].id);
	}
	args[0] = oms_array_datum(ids);
	if (ids->count > 0)
		changed = oms_run_nulls(store, &change_lines, args, oms_way_args(&change->way, args));
	for (uint64 i = 0; i < changed; i++)
	{
		pg_uuid_t	id = oms_column_uuid(i, 1);

		waiting += oms_column_int64(i, 2);
		oms_event_add(events, &change->order_id, "order_line", &id, "edited", NULL, NULL, change->reason, columns);
	}
	if (!all || !change->way.has_ship_to)
		return waiting;
	(void) oms_run(store, &change_order, (Datum[]) {UUIDPGetDatum(&change->order_id), UUIDPGetDatum(&change->way.ship_to)});
	oms_event_add(events, &change->order_id, "order", &change->order_id, "edited", NULL, NULL, change->reason,
				  "{\"columns\": [\"ship_to_id\"]}");
	return waiting;
}

/*
 * oms_redirect has the units that are wanted of lines go the new way; all: the
 * order does.  Returns how many do that did not.
 */
int64
oms_redirect(Store *store, const DeliveryChange *change, DeliveryLine *lines, int count, bool all)
{
	Events	   *events = oms_events(8);
	int			nholdings;
	Holding    *holdings = oms_read_holdings(store, &change->order_id, &change->way, &nholdings);
	int64		units = take_units(holdings, nholdings, lines, count);
	Emptied    *emptied = empty(store, change, holdings, nholdings);

	units += write_lines(store, change, lines, count, all, events);
	if (emptied->ids->count > 0)
		source_anew(store, change, emptied, events);
	else
		oms_events_write(store, events);
	return units;
}
