/*
 * companions.c
 *	  What gives way together: kits whose components ship together, warranties,
 *	  and all of a fulfillment where a parcel would have to be opened.
 *
 * Reached from giveway.c once it has chosen which units give way and locked
 * their fulfillments.  A kit that has lost a component is of no use where it is:
 * the units of its other components in the fulfillment give way as well, so that
 * the whole is sourced anew, or waits as a whole.  So do warranties of which more
 * would be left than of what they are for.
 *
 * Who counts holds one stock row and is about to write those of components: as
 * others lock them in order, none is waited for.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "giveway.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"

static const StoreQuery read_lines = {
	"SELECT l.fulfillment_id, l.order_line_id, l.quantity, l.sku, l.tracked, o.parent_line_id,"
	" CASE WHEN o.ship_group IS NOT NULL THEN o.per_kit END, s.kind" EQ "'warranty' AND o.per_kit IS NULL, l.packed"
	" FROM (SELECT DISTINCT u.id FROM ROWS FROM (pg_catalog.unnest($1)) AS u(id)) AS n"
	" JOIN @.fulfillment_lines l ON l.fulfillment_id" EQ "n.id JOIN @.order_lines o ON o.id" EQ "l.order_line_id"
	" JOIN @.skus s ON s.code" EQ "l.sku ORDER BY l.fulfillment_id, l.order_line_id",
	1, {UUIDARRAYOID}
};

static const StoreQuery find_busy = {
	"WITH locked AS (SELECT s.sku FROM @.stock s WHERE s.location" EQ "$1 AND s.sku" EQ "ANY ($2) ORDER BY s.sku"
	" FOR NO KEY UPDATE SKIP LOCKED) SELECT s.sku FROM @.stock s WHERE s.location" EQ "$1 AND s.sku" EQ "ANY ($2)"
	" AND NOT (s.sku" EQ "ANY (SELECT k.sku FROM locked k)) LIMIT 1",
	2, {TEXTOID, TEXTARRAYOID}
};

/* A line of a fulfillment of which units give way. */
typedef struct Carried
{
	pg_uuid_t	fulfillment_id; /* first: sorted by it */
	pg_uuid_t	line_id;
	int64		quantity;
	char	   *sku;
	bool		tracked;
	bool		has_parent;
	pg_uuid_t	parent_id;
	int64		per_kit;		/* of a component that ships with the others;
								 * or 0 */
	bool		is_warranty;	/* of the parent */
	int64		packed;			/* units that are in packages */
	int64		taken;
} Carried;

/*
 * read_carried reads all lines of the fulfillments, those of one together.
 */
static Carried *
read_carried(Store *store, const Allocation *list, int count, int *found)
{
	Array	   *ids = oms_array(UUIDOID, count);
	Carried    *lines;

	for (int i = 0; i < count; i++)
		oms_array_add_uuid(ids, &list[i].fulfillment_id);
	*found = (int) oms_run(store, &read_lines, (Datum[]) {oms_array_datum(ids)});
	lines = palloc_extended(Max(1, *found) * sizeof(Carried), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < *found; i++)
	{
		Carried    *line = &lines[i];

		line->fulfillment_id = oms_column_uuid(i, 1);
		line->line_id = oms_column_uuid(i, 2);
		line->quantity = oms_column_int64(i, 3);
		line->sku = oms_column_text(i, 4);
		line->tracked = oms_column_bool(i, 5);
		line->has_parent = !oms_column_is_null(i, 6);
		if (line->has_parent)
			line->parent_id = oms_column_uuid(i, 6);
		line->per_kit = oms_column_is_null(i, 7) ? 0 : oms_column_int64(i, 7);
		line->is_warranty = oms_column_bool(i, 8);
		line->packed = oms_column_int64(i, 9);
	}
	return lines;
}

/*
 * is_of tells whether a line has another as its parent.
 */
static bool
is_of(const Carried *line, const pg_uuid_t *parent_id)
{
	return line->has_parent && oms_uuid_cmp(&line->parent_id, parent_id) == 0;
}

/*
 * take_companions has what belongs to a line's units give way with them; lines
 * are all of its fulfillment.
 */
static void
take_companions(Carried *lines, int count, const Carried *line)
{
	const pg_uuid_t *goods_id = line->per_kit > 0 ? &line->parent_id : &line->line_id;
	int64		whole = line->quantity;
	int64		gone = line->taken; /* units, or kits */

	if (line->is_warranty)
		return;
	if (line->per_kit > 0)
	{
		whole = PG_INT64_MAX;
		for (int i = 0; i < count; i++)
		{
			if (lines[i].per_kit > 0 && is_of(&lines[i], goods_id))
				whole = Min(whole, lines[i].quantity / lines[i].per_kit);
		}
		gone = whole - Min(whole, (line->quantity - line->taken) / line->per_kit);
		if (gone == 0)
			return;				/* the units were of no whole kit here */
	}
	for (int i = 0; i < count; i++)
	{
		if (!is_of(&lines[i], goods_id))
			continue;
		if (lines[i].per_kit > 0 && line->per_kit > 0)
			lines[i].taken = Max(lines[i].taken, gone * lines[i].per_kit);
		else if (lines[i].is_warranty)
			lines[i].taken = Max(lines[i].taken, Min(lines[i].quantity, lines[i].quantity - (whole - gone)));
	}
}

/*
 * take_parcels has all of a fulfillment give way where a parcel would have to be
 * opened otherwise; lines are all that it has.
 */
static void
take_parcels(Carried *lines, int count)
{
	bool		is_opened = false;

	for (int i = 0; i < count; i++)
		is_opened |= lines[i].taken > lines[i].quantity - lines[i].packed;
	for (int i = 0; i < count && is_opened; i++)
		lines[i].taken = lines[i].quantity;
}

/*
 * lock_companions locks the stock rows of what gives way besides the SKU that is
 * counted, or raises 40001.
 */
static void
lock_companions(Store *store, const StockLevel *level, const Carried *lines, int count)
{
	Array	   *skus = oms_array(TEXTOID, 4);
	const char *last = level->sku;

	for (int i = 0; i < count; i++)
	{
		if (lines[i].taken == 0 || !lines[i].tracked || strcmp(lines[i].sku, level->sku) == 0 || strcmp(lines[i].sku, last) == 0)
			continue;
		oms_array_add_text(skus, last = lines[i].sku);
	}
	if (skus->count > 0 &&
		oms_run(store, &find_busy, (Datum[]) {CStringGetTextDatum(level->location), oms_array_datum(skus)}) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("stock of sku \"%s\" at location \"%s\", which would give way too, is being changed by another session",
						oms_column_text(0, 1), level->location),
				 errhint("Retry the transaction.")));
}

/*
 * first_of finds the first line of a fulfillment.
 */
static int
first_of(const Carried *lines, int count, const pg_uuid_t *fulfillment_id)
{
	const Carried *line = bsearch(fulfillment_id, lines, count, sizeof(Carried), oms_uuid_cmp);

	if (!line)
		elog(ERROR, "a fulfillment that was locked has no lines");
	while (line > lines && oms_uuid_cmp(line - 1, fulfillment_id) == 0)
		line--;
	return line - lines;
}

/*
 * oms_add_companions returns what gives way, with what must go along.  The
 * fulfillments are locked and in their order, those of one together.
 */
Allocation *
oms_add_companions(Store *store, const StockLevel *level, const Allocation *list, int *count)
{
	int			nlines;
	Carried    *lines = read_carried(store, list, *count, &nlines);
	Allocation *all = palloc_extended(Max(1, nlines) * sizeof(Allocation), MCXT_ALLOC_HUGE);
	int			nall = 0;

	for (int i = 0, next; i < *count; i = next)
	{
		int			first = first_of(lines, nlines, &list[i].fulfillment_id);
		int			end;

		for (next = i + 1; next < *count && oms_uuid_cmp(&list[next], &list[i]) == 0; next++)
			;
		for (end = first; end < nlines && oms_uuid_cmp(&lines[end], &list[i]) == 0; end++)
		{
			for (int j = i; j < next; j++)
			{
				if (oms_uuid_cmp(&lines[end].line_id, &list[j].line_id) == 0)
					lines[end].taken = list[j].taken;
			}
		}
		/* which units those chosen take along depends on how many are chosen */
		for (int j = first; j < end; j++)
		{
			if (lines[j].taken > 0)
				take_companions(&lines[first], end - first, &lines[j]);
		}
		take_parcels(&lines[first], end - first);
		for (int j = first; j < end; j++)
		{
			if (lines[j].taken == 0)
				continue;
			all[nall] = list[i];
			all[nall].line_id = lines[j].line_id;
			all[nall].quantity = lines[j].quantity;
			all[nall++].taken = lines[j].taken;
		}
	}
	lock_companions(store, level, lines, nlines);
	*count = nall;
	return all;
}
