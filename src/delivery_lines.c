/*
 * delivery_lines.c
 *	  Which units of an order's lines go another way, for oms.change_delivery.
 *
 * All that have not left, or so many of the lines that are named.  Of bundles
 * whole kits go, and warranties with what they are for.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "utils/builtins.h"

#include "change_delivery.h"
#include "document.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"

static const StoreQuery read_lines = {
	"SELECT l.id, l.line_no::pg_catalog.int8, l.allocated, l.short" PLUS "l.backordered, l.expanded, l.parent_line_id, l.per_kit, s.kind"
	" FROM @.order_lines l JOIN @.skus s ON s.code" EQ "l.sku WHERE l.order_id" EQ "$1 ORDER BY l.id",
	1, {UUIDOID}
};

/*
 * read_order_lines reads the order's lines.
 */
static DeliveryLine *
read_order_lines(Store *store, const DeliveryChange *change, int *count)
{
	DeliveryLine *lines;

	*count = (int) oms_run(store, &read_lines, (Datum[]) {UUIDPGetDatum(&change->order_id)});
	lines = palloc0(Max(1, *count) * sizeof(DeliveryLine));
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
want(DeliveryLine *line, int64 units, int position)
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
choose_all(const DeliveryChange *change, DeliveryLine *lines, int count)
{
	bool		has_parcels = false;

	for (int i = 0; i < count; i++)
		has_parcels |= lines[i].is_parcel && lines[i].allocated + lines[i].waiting > 0;
	for (int i = 0; i < count; i++)
	{
		if (lines[i].is_parcel || !change->way.sets_pickup || !has_parcels)
			want(&lines[i], lines[i].allocated + lines[i].waiting, i);
	}
}

/*
 * is_part_of tells whether a line is a component of a bundle's line.
 */
static bool
is_part_of(const DeliveryLine *line, const DeliveryLine *bundle)
{
	return line->per_kit > 0 && line->has_parent && oms_uuid_cmp(&line->parent_id, &bundle->id) == 0;
}

/*
 * choose_asked has the units of a line go, of a bundle's those of whole kits.
 */
static void
choose_asked(DeliveryLine *lines, int count, const LineQuantity *asked, int position)
{
	const char *path = psprintf("lines[%d]", position);
	DeliveryLine *line = NULL;

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
left_of(const DeliveryLine *line, const DeliveryLine *lines, int count)
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
choose_warranties(DeliveryLine *lines, int count)
{
	for (int i = 0; i < count; i++)
	{
		DeliveryLine *line = &lines[i];
		DeliveryLine *goods = line->has_parent ? bsearch(&line->parent_id, lines, count, sizeof(DeliveryLine), oms_uuid_cmp) : NULL;
		int64		most = line->allocated + line->waiting;
		int64		units;

		if (!line->is_warranty || line->asked > 0 || !goods || goods->asked == 0)
			continue;
		units = Max(0, most - (left_of(goods, lines, count) - goods->asked));
		want(line, units < most ? Min(units, line->allocated) : most, i);
	}
}

/*
 * oms_delivery_lines reads the order's lines and sets what is wanted of each.
 */
DeliveryLine *
oms_delivery_lines(Store *store, const DeliveryChange *change, Jsonb *wanted, int *count)
{
	DeliveryLine *lines = read_order_lines(store, change, count);
	int			nasked = 0;
	LineQuantity *asked = wanted ? oms_parse_line_quantities(wanted, &nasked) : NULL;
	int64		all = 0;

	if (!wanted)
		choose_all(change, lines, *count);
	for (int i = 0; i < nasked; i++)
		choose_asked(lines, *count, &asked[i], i);
	choose_warranties(lines, *count);
	for (int i = 0; i < *count; i++)
		all += lines[i].wanted;
	if (all == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_GUARD_REFUSED),
				 errmsg("no unit of order \"%s\" is left that could go another way", change->order_number),
				 errhint("What has left is returned or sent on; what is canceled is ordered again.")));
	return lines;
}
