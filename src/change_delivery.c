/*
 * change_delivery.c
 *	  oms.change_delivery: units that have not left go another way, or elsewhere.
 *
 * The fulfillments that hold the units, or what is divided off them, give their
 * stock back, and the units are sourced anew for the new method, address or
 * pickup location: by one change of stock, so that they are nobody else's in
 * between.  The location they were at may be chosen again, since it has not
 * refused them; what cannot be found is an error, and all stays as it was.  The
 * emptied fulfillments end as merged ones do (merge.c).
 *
 * Lines say how units go that still wait for stock.  People cannot change that
 * once the order is placed; here the engine does, where all of a line's units
 * that have not left go the new way.
 *
 * Who may update the order's status may call this.  The order is held from the
 * start, so fulfillments are not waited for (40001).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"

#include "document.h"
#include "event.h"
#include "facts.h"
#include "fulfillment.h"
#include "giveway.h"
#include "loads.h"
#include "machine.h"
#include "oms.h"
#include "order.h"
#include "plan.h"
#include "sourcing.h"
#include "units.h"

PG_FUNCTION_INFO_V1(oms_change_delivery);

/* As the caller. */
static const StoreQuery lock_order = {
	"SELECT o.id FROM @.orders o WHERE o.id" EQ "$1 FOR NO KEY UPDATE", 1, {UUIDOID}
};

static const StoreQuery find_address = {
	"SELECT a.id FROM @.addresses a WHERE a.id" EQ "$1", 1, {UUIDOID}
};

static const StoreQuery find_codes = {
	"SELECT EXISTS (SELECT FROM @.methods m WHERE m.code" EQ "$1),"
	" EXISTS (SELECT FROM @.locations l WHERE l.code" EQ "$2 AND l.active), EXISTS (SELECT FROM @.reasons r WHERE r.code" EQ "$3)",
	3, {TEXTOID, TEXTOID, TEXTOID}
};

static const StoreQuery read_lines = {
	"SELECT l.id, l.line_no::pg_catalog.int8, l.allocated, l.short" PLUS "l.backordered, l.expanded, l.parent_line_id, l.per_kit, s.kind"
	" FROM @.order_lines l JOIN @.skus s ON s.code" EQ "l.sku WHERE l.order_id" EQ "$1 ORDER BY l.id",
	1, {UUIDOID}
};

/*
 * What holds units, and whether it goes the new way already.  A package that says
 * nothing of what it holds may hold all of them.
 */
static const StoreQuery read_reserved = {
	"WITH locked AS (SELECT f.id FROM @.fulfillments f WHERE f.order_id" EQ "$1 AND f.stock_state" EQ "'reserved'"
	" ORDER BY f.id FOR NO KEY UPDATE SKIP LOCKED)"
	" SELECT f.id, f.number, f.workflow, f.status, l.order_line_id, l.quantity,"
	" CASE WHEN EXISTS (SELECT FROM @.packages p WHERE p.fulfillment_id" EQ "f.id AND p.voided_at IS NULL"
	" AND NOT EXISTS (SELECT FROM @.package_lines c WHERE c.package_id" EQ "p.id)) THEN l.quantity ELSE l.packed END,"
	" NOT EXISTS (SELECT FROM locked k WHERE k.id" EQ "f.id),"
	" f.method" EQ "COALESCE($2, f.method) AND f.ship_to_id IS NOT DISTINCT FROM COALESCE($3, f.ship_to_id)"
	" AND (NOT $5 OR f.pickup_location IS NOT DISTINCT FROM $4)"
	" FROM @.fulfillments f JOIN @.fulfillment_lines l ON l.fulfillment_id" EQ "f.id"
	" WHERE f.order_id" EQ "$1 AND f.stock_state" EQ "'reserved'",
	5, {UUIDOID, TEXTOID, UUIDOID, TEXTOID, BOOLOID}
};

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

/* How units are to go. */
typedef struct Change
{
	pg_uuid_t	order_id;
	const char *order_number;
	const char *method;			/* NULL: as they do */
	const char *pickup_location;
	bool		sets_pickup;
	pg_uuid_t	ship_to;
	bool		has_ship_to;
	const char *reason;			/* or NULL */
} Change;

/* A line of the order. */
typedef struct Line
{
	pg_uuid_t	id;				/* first: searched by it */
	int64		line_no;
	int64		allocated;
	int64		waiting;
	bool		is_bundle;
	bool		has_parent;
	pg_uuid_t	parent_id;
	int64		per_kit;		/* of a component; or 0 */
	bool		is_parcel;		/* it can be sent and collected, as no
								 * download or appointment can */
	bool		is_warranty;
	int64		asked;			/* units, of a bundle kits */
	int64		wanted;			/* units that are to go the new way */
	bool		is_whole;		/* these are all that have not left */
} Line;

/* A line of a fulfillment that holds units. */
typedef struct Holding
{
	pg_uuid_t	fulfillment_id; /* first: sorted by it */
	pg_uuid_t	line_id;
	const char *number;
	const char *workflow;
	const char *status;
	bool		may_leave;		/* a move that does release leaves the status */
	bool		is_right;		/* goes that way already */
	int			distance;
	int64		quantity;
	int64		packed;
	int64		taken;
} Holding;

static void choose_units(Store *store, const Change *change, Jsonb *wanted, Line *lines, int count);

/*
 * way_args are the arguments that say which way, from the second on.
 */
static const char *
way_args(const Change *change, Datum *args)
{
	args[1] = change->method ? CStringGetTextDatum(change->method) : (Datum) 0;
	args[2] = UUIDPGetDatum(&change->ship_to);
	args[3] = change->pickup_location ? CStringGetTextDatum(change->pickup_location) : (Datum) 0;
	args[4] = BoolGetDatum(change->sets_pickup);
	return psprintf(" %c%c%c ", change->method ? ' ' : 'n', change->has_ship_to ? ' ' : 'n',
					change->pickup_location ? ' ' : 'n');
}

/*
 * read_address finds or inserts the address, as the caller.
 */
static void
read_address(Store *store, Change *change, Jsonb *ship_to)
{
	JsonbValue	scalar;

	if (!ship_to)
		return;
	change->has_ship_to = true;
	if (!JB_ROOT_IS_SCALAR(ship_to))
	{
		OrderDocument *document = oms_parse_ship_to(ship_to);

		change->ship_to = oms_write_addresses(store, document)[document->ship_to];
		return;
	}
	if (!JsonbExtractScalar(&ship_to->root, &scalar) || scalar.type != jbvString || scalar.val.string.len != 36)
		oms_document_fault("ship_to", NULL, "must be an address or the id of one");
	change->ship_to = *DatumGetUUIDP(DirectFunctionCall1(uuid_in,
														 CStringGetDatum(pnstrdup(scalar.val.string.val, scalar.val.string.len))));
	if (oms_run(store, &find_address, (Datum[]) {UUIDPGetDatum(&change->ship_to)}) == 0)
		oms_document_fault("ship_to", NULL, psprintf("unknown address \"%s\"", oms_uuid_out(&change->ship_to)));
}

/*
 * require_codes refuses codes that the store does not know.
 */
static void
require_codes(Store *store, const Change *change)
{
	const char *codes[] = {change->method, change->pickup_location, change->reason};
	static const char *const names[] = {"method", "pickup_location", "reason"};
	static const char *const kinds[] = {"method", "location", "reason"};
	Datum		args[3];
	char		nulls[4] = "   ";

	for (int i = 0; i < 3; i++)
	{
		args[i] = codes[i] ? CStringGetTextDatum(codes[i]) : (Datum) 0;
		nulls[i] = codes[i] ? ' ' : 'n';
	}
	(void) oms_run_nulls(store, &find_codes, args, nulls);
	for (int i = 0; i < 3; i++)
	{
		if (codes[i] && !oms_column_bool(0, i + 1))
			oms_document_fault(names[i], NULL, psprintf("unknown %s \"%s\"", kinds[i], oms_clip(codes[i])));
	}
}

/*
 * read_order_lines reads the order's lines.
 */
static Line *
read_order_lines(Store *store, const Change *change, int *count)
{
	Line	   *lines;

	*count = (int) oms_run(store, &read_lines, (Datum[]) {UUIDPGetDatum(&change->order_id)});
	lines = palloc0(Max(1, *count) * sizeof(Line));
	for (int i = 0; i < *count; i++)
	{
		lines[i].id = oms_column_uuid(i, 1);
		lines[i].line_no = oms_column_int64(i, 2);
		lines[i].allocated = oms_column_int64(i, 3);
		lines[i].waiting = oms_column_int64(i, 4);
		lines[i].is_bundle = oms_column_bool(i, 5);
		lines[i].has_parent = !oms_column_is_null(i, 6);
		if (lines[i].has_parent)
			lines[i].parent_id = oms_column_uuid(i, 6);
		lines[i].per_kit = oms_column_is_null(i, 7) ? 0 : oms_column_int64(i, 7);
		lines[i].is_parcel = strcmp(oms_column_text(i, 8), "digital") != 0 && strcmp(oms_column_text(i, 8), "service") != 0;
		lines[i].is_warranty = lines[i].per_kit == 0 && strcmp(oms_column_text(i, 8), "warranty") == 0;
	}
	return lines;
}

/*
 * want has so many units of a line go the new way: all that have not left, or
 * fewer, of those that have stock.
 */
static void
want(Line *line, int64 units, int position)
{
	int64		most = line->allocated + line->waiting;

	line->wanted = units;
	line->is_whole = units == most;
	if (units > most)
		oms_document_fault(psprintf("lines[%d]", position), "quantity",
						   psprintf("only " INT64_FORMAT " units of line " INT64_FORMAT " have not left and are not canceled, not " INT64_FORMAT,
									most, line->line_no, units));
	if (!line->is_whole && units > line->allocated)
		oms_document_fault(psprintf("lines[%d]", position), "quantity",
						   psprintf("only " INT64_FORMAT " units of line " INT64_FORMAT " have stock: name those, or all " INT64_FORMAT
									" that have not left", line->allocated, line->line_no, most));
}

/*
 * choose_all has all go that have not left.  Another method, or place of pickup, is
 * for parcels: where there are some, what is downloaded or done on a date keeps its
 * own unless it is named.
 */
static void
choose_all(const Change *change, Line *lines, int count)
{
	bool		has_parcels = false;

	for (int i = 0; i < count; i++)
		has_parcels |= lines[i].is_parcel && lines[i].allocated + lines[i].waiting > 0;
	for (int i = 0; i < count; i++)
	{
		if (lines[i].is_parcel || !change->sets_pickup || !has_parcels)
			want(&lines[i], lines[i].allocated + lines[i].waiting, i);
	}
}

/*
 * is_part_of tells whether a line is a component of a bundle's line.
 */
static bool
is_part_of(const Line *line, const Line *bundle)
{
	return line->per_kit > 0 && line->has_parent && oms_uuid_cmp(&line->parent_id, &bundle->id) == 0;
}

/*
 * choose_asked has the units of a line go, of a bundle's those of whole kits.
 */
static void
choose_asked(Line *lines, int count, const LineQuantity *asked, int position)
{
	const char *path = psprintf("lines[%d]", position);
	Line	   *line = NULL;

	for (int i = 0; i < count && !line; i++)
		line = lines[i].line_no == asked->line ? &lines[i] : NULL;
	if (!line)
		oms_document_fault(path, "line", psprintf("the order has no line " INT64_FORMAT, asked->line));
	if (line->per_kit > 0)
		oms_document_fault(path, "line",
						   psprintf("line " INT64_FORMAT " is a part of a bundle: name the bundle's line", asked->line));
	line->asked = asked->quantity;
	if (!line->is_bundle)
		want(line, asked->quantity, position);
	for (int i = 0; i < count && line->is_bundle; i++)
	{
		int64		units;

		if (!is_part_of(&lines[i], line))
			continue;
		if (pg_mul_s64_overflow(asked->quantity, lines[i].per_kit, &units))
			units = PG_INT64_MAX;
		want(&lines[i], units, position);
	}
}

/*
 * left_of returns how many units of a line, of a bundle's kits, have not left.
 */
static int64
left_of(const Line *line, const Line *lines, int count)
{
	int64		left = line->allocated + line->waiting;

	for (int i = 0; i < count && line->is_bundle; i++)
	{
		if (is_part_of(&lines[i], line))
			left = Max(left, (lines[i].allocated + lines[i].waiting + lines[i].per_kit - 1) / lines[i].per_kit);
	}
	return left;
}

/*
 * choose_warranties has those go that are not named, and for which nothing that
 * they are for would stay.
 */
static void
choose_warranties(Line *lines, int count)
{
	for (int i = 0; i < count; i++)
	{
		Line	   *line = &lines[i];
		Line	   *goods = line->has_parent ? bsearch(&line->parent_id, lines, count, sizeof(Line), oms_uuid_cmp) : NULL;
		int64		most = line->allocated + line->waiting;
		int64		units;

		if (!line->is_warranty || line->asked > 0 || !goods || goods->asked == 0)
			continue;
		units = Max(0, most - (left_of(goods, lines, count) - goods->asked));
		want(line, units < most ? Min(units, line->allocated) : most, i);
	}
}

/*
 * choose_units sets what is wanted of each line.
 */
static void
choose_units(Store *store, const Change *change, Jsonb *wanted, Line *lines, int count)
{
	int			nasked = 0;
	LineQuantity *asked = wanted ? oms_parse_line_quantities(wanted, &nasked) : NULL;
	int64		all = 0;

	if (!wanted)
		choose_all(change, lines, count);
	for (int i = 0; i < nasked; i++)
		choose_asked(lines, count, &asked[i], i);
	choose_warranties(lines, count);
	for (int i = 0; i < count; i++)
		all += lines[i].wanted;
	if (all == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_GUARD_REFUSED),
				 errmsg("no unit of order \"%s\" is left that could go another way", change->order_number),
				 errhint("What has left is returned or sent on; what is canceled is ordered again.")));
}

/*
 * compare_holdings puts first what is changed first: the least advanced, then the
 * youngest; lines of one fulfillment stand together.
 */
static int
compare_holdings(const void *a, const void *b)
{
	const Holding *left = a;
	const Holding *right = b;

	if (left->distance != right->distance)
		return left->distance > right->distance ? -1 : 1;
	if (oms_uuid_cmp(a, b) != 0)
		return -oms_uuid_cmp(a, b);
	return -oms_uuid_cmp(&left->line_id, &right->line_id);
}

/*
 * read_holdings reads what the order's fulfillments hold.
 */
static Holding *
read_holdings(Store *store, const Change *change, int *count)
{
	Datum		args[5] = {UUIDPGetDatum(&change->order_id)};
	Holding    *list;

	oms_keep_workflows(store, ENTITY_FULFILLMENT);
	*count = (int) oms_run_nulls(store, &read_reserved, args, way_args(change, args));
	list = palloc0(Max(1, *count) * sizeof(Holding));
	for (int i = 0; i < *count; i++)
	{
		Holding    *holding = &list[i];
		Machine    *machine = oms_machine(store, oms_column_name(i, 3), ENTITY_FULFILLMENT);
		int			state;

		holding->fulfillment_id = oms_column_uuid(i, 1);
		holding->number = oms_column_name(i, 2);
		holding->workflow = oms_column_name(i, 3);
		holding->status = oms_column_name(i, 4);
		holding->line_id = oms_column_uuid(i, 5);
		holding->quantity = oms_column_int64(i, 6);
		holding->packed = oms_column_int64(i, 7);
		if (oms_column_bool(i, 8))
			oms_busy(holding->number);
		holding->is_right = oms_column_bool(i, 9);
		state = oms_machine_state(machine, holding->status);
		holding->may_leave = oms_machine_move_by_action(machine, state, "release") != NULL;
		holding->distance = state < 0 ? 0 : machine->distance[state];
	}
	qsort(list, *count, sizeof(Holding), compare_holdings);
	return list;
}

/*
 * refuse_stuck raises OM002 for units that a fulfillment cannot let go of.
 */
static void
refuse_stuck(const Holding *holding)
{
	if (holding->packed > 0 && holding->may_leave)
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
take_units(Holding *list, int nholdings, Line *lines, int nlines)
{
	int64		taken = 0;

	for (int pass = 0; pass < 2; pass++)
	{
		for (int i = 0; i < nholdings; i++)
		{
			Line	   *line = bsearch(&list[i].line_id, lines, nlines, sizeof(Line), oms_uuid_cmp);
			int64		free = list[i].may_leave ? list[i].quantity - list[i].packed : 0;
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
 * divide lists the fulfillments whose units go another way, having divided off
 * those of which only a part does.
 */
static Emptied *
divide(Store *store, const Change *change, const Holding *list, int count)
{
	SplitPart  *parts = palloc0(Max(1, count) * sizeof(SplitPart));
	int			nparts = 0;
	int		   *first_part = palloc(Max(1, count) * sizeof(int));
	Emptied    *emptied = oms_emptied(4);
	const char *detail = psprintf("{\"changed\": [%s%s%s]}", change->method ? "\"method\"" : "",
								  change->method && change->has_ship_to ? ", " : "", change->has_ship_to ? "\"ship_to_id\"" :
								  change->method ? "" : "\"pickup_location\"");

	for (int i = 0, next; i < count; i = next)
	{
		bool		whole = true;
		int			before = nparts;
		int64		taken = 0;

		for (next = i; next < count && oms_uuid_cmp(&list[next], &list[i]) == 0; next++)
		{
			whole &= list[next].taken == list[next].quantity;
			taken += list[next].taken;
		}
		for (int j = i; j < next && !whole; j++)
		{
			if (list[j].taken > 0)
				parts[nparts++] = (SplitPart) {
					.fulfillment_id = list[j].fulfillment_id, .order_id = change->order_id, .line_id = list[j].line_id,
					.quantity = list[j].taken
				};
		}
		if (taken == 0)
			continue;
		first_part[emptied->ids->count] = nparts > before ? before : -1;
		oms_emptied_add(store, emptied, &list[i].fulfillment_id, &change->order_id, list[i].number, list[i].workflow, list[i].status,
						change->reason, detail);
	}
	oms_split(store, parts, nparts);
	for (int i = 0; i < emptied->ids->count; i++)
	{
		if (first_part[i] >= 0)
			emptied->ids->values[i] = UUIDPGetDatum(&parts[first_part[i]].new_id);
	}
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
source_anew(Store *store, const Change *change, const Emptied *emptied, Events *events)
{
	Sourcing	sourcing = {0};
	UnitChanges *changes;
	Datum		args[5] = {oms_array_datum(emptied->ids)};
	uint64		found = oms_run(store, &read_held, args);

	give_back(&sourcing, found);
	found = oms_run_nulls(store, &read_demands, args, way_args(change, args));
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
write_lines(Store *store, const Change *change, const Line *lines, int count, bool all, Events *events)
{
	Array	   *ids = oms_array(UUIDOID, count);
	Datum		args[5];
	int64		waiting = 0;
	uint64		changed = 0;
	const char *columns = psprintf("{\"columns\": [%s]}", change->sets_pickup && change->has_ship_to
								   ? "\"method\", \"pickup_location\", \"ship_to_id\"" : change->sets_pickup
								   ? "\"method\", \"pickup_location\"" : "\"ship_to_id\"");

	for (int i = 0; i < count; i++)
	{
		if (lines[i].is_whole && lines[i].allocated + lines[i].waiting > 0)
			oms_array_add_uuid(ids, &lines[i].id);
	}
	args[0] = oms_array_datum(ids);
	if (ids->count > 0)
		changed = oms_run_nulls(store, &change_lines, args, way_args(change, args));
	for (uint64 i = 0; i < changed; i++)
	{
		pg_uuid_t	id = oms_column_uuid(i, 1);

		waiting += oms_column_int64(i, 2);
		oms_event_add(events, &change->order_id, "order_line", &id, "edited", NULL, NULL, change->reason, columns);
	}
	if (!all || !change->has_ship_to)
		return waiting;
	(void) oms_run(store, &change_order, (Datum[]) {UUIDPGetDatum(&change->order_id), UUIDPGetDatum(&change->ship_to)});
	oms_event_add(events, &change->order_id, "order", &change->order_id, "edited", NULL, NULL, change->reason,
				  "{\"columns\": [\"ship_to_id\"]}");
	return waiting;
}

/*
 * change_units does it all, as the owner.  Returns how many units go the new way.
 */
static int64
change_units(Store *store, Change *change, Jsonb *wanted)
{
	Array	   *ids = oms_array(UUIDOID, 1);
	OrderFactsList *orders;
	Events	   *events = oms_events(8);
	Line	   *lines;
	Holding    *holdings;
	Emptied    *emptied;
	int			nlines;
	int			nholdings;
	int64		units;

	require_codes(store, change);
	oms_array_add_uuid(ids, &change->order_id);
	orders = oms_lock_orders(store, ids);
	change->order_number = orders->orders[0].number;
	if (!orders->orders[0].is_placed)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_GUARD_REFUSED),
				 errmsg("order \"%s\" is not placed yet, so nothing is on its way", change->order_number),
				 errhint("Change its ship_to_id and its lines instead.")));
	lines = read_order_lines(store, change, &nlines);
	choose_units(store, change, wanted, lines, nlines);
	holdings = read_holdings(store, change, &nholdings);
	units = take_units(holdings, nholdings, lines, nlines);
	emptied = divide(store, change, holdings, nholdings);
	units += write_lines(store, change, lines, nlines, wanted == NULL, events);
	if (emptied->ids->count > 0)
		source_anew(store, change, emptied, events);
	else
		oms_events_write(store, events);
	return units;
}

/*
 * oms_change_delivery is oms.change_delivery(store, order_id, lines, method,
 * ship_to, pickup_location, reason).
 */
Datum
oms_change_delivery(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 2);
	Change		change = {
		.order_id = *PG_GETARG_UUID_P(1),
		.method = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3)),
		.pickup_location = PG_ARGISNULL(5) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(5)),
		.reason = PG_ARGISNULL(6) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(6))
	};
	OwnerScope	scope;
	int64		units;
	int			guc_level;

	change.sets_pickup = change.method || change.pickup_location;
	if (!change.sets_pickup && PG_ARGISNULL(4))
		oms_document_fault("method", NULL, "nothing is to change: give a method, ship_to or pickup_location");
	oms_require_status(store, "orders");
	guc_level = oms_pin_search_path(store);
	oms_spi_begin();
	if (oms_run(store, &lock_order, (Datum[]) {UUIDPGetDatum(&change.order_id)}) == 0)
		oms_document_fault("order_id", NULL, psprintf("unknown order \"%s\"", oms_uuid_out(&change.order_id)));
	read_address(store, &change, PG_ARGISNULL(4) ? NULL : PG_GETARG_JSONB_P(4));
	oms_become_owner(store, &scope);
	units = change_units(store, &change, PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2));
	oms_leave_owner(&scope);
	oms_spi_end();
	AtEOXact_GUC(true, guc_level);
	PG_RETURN_INT64(units);
}
