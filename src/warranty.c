/*
 * warranty.c
 *	  Warranties wait with what they are for.
 *
 * A warranty takes no stock, so every plan finds a place for it; but it must
 * not be sent, and begin, ahead of its goods.  So while units of those wait,
 * a plan keeps only as many of the warranty as there are of the goods, in it
 * and before; of a bundle as many as there are whole kits.  The others wait
 * with the goods: backordered where policies serve all that these lack, though
 * under none of their own, else short.  They leave with the goods, since fill.c
 * reads the lines together.
 *
 * Reached by every plan that is to be taken, once stock and policies have had
 * their say (backorder.c).
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "backorder.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"
#include "sourcing.h"

/* Of a bundle's line its components' lines. */
static const StoreQuery read_goods = {
	"SELECT w.id, w.allocated" PLUS "w.shipped, g.id, g.allocated" PLUS "g.shipped, g.backordered" PLUS "g.short,"
	" COALESCE(g.per_kit, 1)"
	" FROM (SELECT DISTINCT u.id FROM ROWS FROM (pg_catalog.unnest($1)) AS u(id)) AS n JOIN @.order_lines w ON w.id" EQ "n.id"
	" JOIN @.order_lines p ON p.id" EQ "w.parent_line_id JOIN @.order_lines g ON g.order_id" EQ "p.order_id"
	" WHERE CASE WHEN p.expanded THEN g.parent_line_id" EQ "p.id AND g.per_kit IS NOT NULL ELSE g.id" EQ "p.id END"
	" ORDER BY w.id",
	1, {UUIDARRAYOID}
};

/* What a plan has for a line. */
typedef struct LineSum
{
	pg_uuid_t	line_id;		/* first: sorted by it */
	int64		wanted;
	int64		found;
	int64		lacking;		/* and no policy serves it */
} LineSum;

/* What there will be of a warranty's goods. */
typedef struct Goods
{
	uint64		first;			/* rows of read_goods */
	uint64		next;
	int64		units;			/* or kits, that have stock or have left */
	bool		wait;
	bool		are_short;		/* no policy serves some that wait */
} Goods;

static LineSum *sum_lines(const Sourcing *sourcing, int *count);
static void look_at_goods(const Sourcing *sourcing, const LineSum *sums, int count, Goods *goods);
static void keep_back(Sourcing *sourcing, const LineSum *warranty, const Goods *goods, int64 excess);

/*
 * oms_warranties_wait takes out of a plan what warranties have in it ahead of
 * their goods.
 */
void
oms_warranties_wait(Store *store, Sourcing *sourcing)
{
	Array	   *ids = oms_array(UUIDOID, 4);
	LineSum    *sums;
	Goods		goods = {0};
	int			count;
	uint64		rows;

	for (int i = 0; i < sourcing->count; i++)
	{
		if (sourcing->demands[i].goods_line > 0 && sourcing->demands[i].found > 0)
			oms_array_add_uuid(ids, &sourcing->demands[i].line_id);
	}
	if (ids->count == 0)
		return;
	rows = oms_run(store, &read_goods, (Datum[]) {oms_array_datum(ids)});
	sums = sum_lines(sourcing, &count);
	for (; goods.first < rows; goods.first = goods.next)
	{
		pg_uuid_t	id = oms_column_uuid(goods.first, 1);
		int64		has = oms_column_int64(goods.first, 2);
		const LineSum *warranty = bsearch(&id, sums, count, sizeof(LineSum), oms_uuid_cmp);

		for (goods.next = goods.first + 1; goods.next < rows; goods.next++)
		{
			pg_uuid_t	other = oms_column_uuid(goods.next, 1);

			if (oms_uuid_cmp(&id, &other) != 0)
				break;
		}
		look_at_goods(sourcing, sums, count, &goods);
		if (sourcing->given_back)
			has -= warranty->wanted;
		if (goods.wait && warranty->found > Max(0, goods.units - has))
			keep_back(sourcing, warranty, &goods, warranty->found - Max(0, goods.units - has));
	}
	oms_drop_empty_pieces(sourcing);
}

/*
 * sum_lines adds up the demands of each line, which may be several: what is
 * short and what is backordered.
 */
static LineSum *
sum_lines(const Sourcing *sourcing, int *count)
{
	LineSum    *sums = palloc_extended(sourcing->count * sizeof(LineSum), MCXT_ALLOC_HUGE);
	int			kept = 0;

	for (int i = 0; i < sourcing->count; i++)
	{
		const Demand *demand = &sourcing->demands[i];

		sums[i] = (LineSum) {demand->line_id, demand->quantity, demand->found, oms_lacking(demand)};
	}
	qsort(sums, sourcing->count, sizeof(LineSum), oms_uuid_cmp);
	for (int i = 0; i < sourcing->count; i++)
	{
		if (kept > 0 && oms_uuid_cmp(&sums[kept - 1], &sums[i]) == 0)
		{
			sums[kept - 1].wanted += sums[i].wanted;
			sums[kept - 1].found += sums[i].found;
			sums[kept - 1].lacking += sums[i].lacking;
		}
		else
			sums[kept++] = sums[i];
	}
	*count = kept;
	return sums;
}

/*
 * look_at_goods makes out what there will be of a warranty's goods once the plan
 * is taken.  Units that are rerouted still count as allocated, and units that
 * are given to who waits for them as waiting.
 */
static void
look_at_goods(const Sourcing *sourcing, const LineSum *sums, int count, Goods *goods)
{
	goods->units = PG_INT64_MAX;
	goods->wait = goods->are_short = false;
	for (uint64 i = goods->first; i < goods->next; i++)
	{
		pg_uuid_t	id = oms_column_uuid(i, 3);
		int64		ready = oms_column_int64(i, 4);
		int64		waiting = oms_column_int64(i, 5);
		const LineSum *sum = bsearch(&id, sums, count, sizeof(LineSum), oms_uuid_cmp);

		if (sum)
		{
			ready += sum->found - (sourcing->given_back ? sum->wanted : 0);
			waiting += (sourcing->given_back || sourcing->is_first ? sum->wanted : 0) - sum->found;
			goods->are_short |= sum->lacking > 0;
		}
		goods->units = Min(goods->units, ready / oms_column_int64(i, 6));
		goods->wait |= waiting > 0;
	}
}

/*
 * goods_at returns how many units, or kits, of a warranty's goods the plan takes
 * from a place.
 */
static int64
goods_at(const Sourcing *sourcing, const Goods *goods, int place)
{
	int64		units = PG_INT64_MAX;

	for (uint64 i = goods->first; i < goods->next; i++)
	{
		pg_uuid_t	id = oms_column_uuid(i, 3);
		int64		taken = 0;

		for (int j = 0; j < sourcing->npieces; j++)
		{
			if (sourcing->pieces[j].place == place && oms_uuid_cmp(&sourcing->pieces[j].demand->line_id, &id) == 0)
				taken += sourcing->pieces[j].quantity;
		}
		units = Min(units, taken / oms_column_int64(i, 6));
	}
	return units;
}

/*
 * keep_back takes so many units of a warranty out of the plan: those that would
 * go without goods first.
 */
static void
keep_back(Sourcing *sourcing, const LineSum *warranty, const Goods *goods, int64 excess)
{
	for (int pass = 0; pass < 2; pass++)
	{
		for (int i = sourcing->npieces - 1; i >= 0 && excess > 0; i--)
		{
			Piece	   *piece = &sourcing->pieces[i];
			Demand	   *demand = piece->demand;
			int64		units = piece->quantity;

			if (oms_uuid_cmp(&demand->line_id, &warranty->line_id) != 0)
				continue;
			if (pass == 0)
				units -= Min(units, goods_at(sourcing, goods, piece->place));
			units = Min(units, excess);
			piece->quantity -= units;
			demand->found -= units;
			excess -= units;
			/* where goods may not be short, it is for them to be refused */
			if (demand->may_be_backordered && !(goods->are_short && demand->may_be_short))
				demand->backordered += units;
		}
	}
}

/*
 * oms_drop_empty_pieces leaves only pieces that have units.
 */
void
oms_drop_empty_pieces(Sourcing *sourcing)
{
	int			kept = 0;

	for (int i = 0; i < sourcing->npieces; i++)
	{
		if (sourcing->pieces[i].quantity > 0)
			sourcing->pieces[kept++] = sourcing->pieces[i];
	}
	sourcing->npieces = kept;
}
