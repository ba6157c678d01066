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
 * Reached by every plan, once stock and policies have had their say
 * (backorder.c).  Of orders that are about to be placed all lines are in the plan,
 * and maybe nowhere else yet; of others the table says what was given before.
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

/* A line of a warranty's goods, or of their components. */
typedef struct GoodsLine
{
	pg_uuid_t	warranty_id;	/* the line of the warranty */
	int64		has;			/* of which so many units are served already */
	pg_uuid_t	line_id;
	int64		ready;			/* units of the goods' line that are */
	int64		waiting;
	int64		per_kit;
} GoodsLine;

/* What there will be of a warranty's goods. */
typedef struct Goods
{
	const GoodsLine *lines;
	int			count;
	int64		units;			/* or kits, that have stock or have left */
	bool		wait;
	bool		are_short;		/* no policy serves some that wait */
} Goods;

static GoodsLine *read_goods_lines(Store *store, const Sourcing *sourcing, int *count);
static GoodsLine *goods_of_plan(const Sourcing *sourcing, int *count);
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
	LineSum    *sums;
	GoodsLine  *lines;
	Goods		goods = {0};
	bool		any = false;
	int			nsums;
	int			count;

	for (int i = 0; i < sourcing->count && !any; i++)
		any = sourcing->demands[i].goods_line > 0 && sourcing->demands[i].found > 0;
	if (!any)
		return;
	lines = sourcing->is_first ? goods_of_plan(sourcing, &count) : read_goods_lines(store, sourcing, &count);
	sums = sum_lines(sourcing, &nsums);
	for (int first = 0; first < count; first += goods.count)
	{
		const LineSum *warranty = bsearch(&lines[first].warranty_id, sums, nsums, sizeof(LineSum), oms_uuid_cmp);
		int64		has = lines[first].has - (sourcing->given_back ? warranty->wanted : 0);

		goods.lines = &lines[first];
		for (goods.count = 1; first + goods.count < count &&
			 oms_uuid_cmp(&lines[first].warranty_id, &lines[first + goods.count].warranty_id) == 0; goods.count++)
			;
		look_at_goods(sourcing, sums, nsums, &goods);
		if (goods.wait && warranty->found > Max(0, goods.units - has))
			keep_back(sourcing, warranty, &goods, warranty->found - Max(0, goods.units - has));
	}
	oms_drop_empty_pieces(sourcing);
}

/*
 * read_goods_lines reads the goods of the warranties that the plan has units of, by
 * warranty.
 */
static GoodsLine *
read_goods_lines(Store *store, const Sourcing *sourcing, int *count)
{
	Array	   *ids = oms_array(UUIDOID, 4);
	GoodsLine  *lines;
	uint64		rows;

	for (int i = 0; i < sourcing->count; i++)
	{
		if (sourcing->demands[i].goods_line > 0 && sourcing->demands[i].found > 0)
			oms_array_add_uuid(ids, &sourcing->demands[i].line_id);
	}
	rows = oms_run(store, &read_goods, (Datum[]) {oms_array_datum(ids)});
	lines = palloc_extended((rows + 1) * sizeof(GoodsLine), MCXT_ALLOC_HUGE);
	for (uint64 i = 0; i < rows; i++)
		lines[i] = (GoodsLine) {
			oms_column_uuid(i, 1), oms_column_int64(i, 2), oms_column_uuid(i, 3), oms_column_int64(i, 4), oms_column_int64(i, 5),
			oms_column_int64(i, 6)
		};
	*count = (int) rows;
	return lines;
}

/*
 * compare_asked orders demands by order, then by the line that a customer knows.
 */
static int
compare_asked(const void *a, const void *b)
{
	const Demand *left = *(Demand *const *) a;
	const Demand *right = *(Demand *const *) b;
	int			order = oms_uuid_cmp(&left->order_id, &right->order_id);
	int			left_line = left->bundle_line > 0 ? left->bundle_line : left->line_no;
	int			right_line = right->bundle_line > 0 ? right->bundle_line : right->line_no;

	return order != 0 ? order : left_line < right_line ? -1 : left_line > right_line;
}

/*
 * first_asked returns where demands that a key is equal to begin, or would.
 */
static int
first_asked(const Demand **demands, int count, const Demand *key)
{
	int			low = 0;
	int			high = count;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (compare_asked(&demands[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * goods_of_plan returns the same of orders of which nothing was served yet.
 */
static GoodsLine *
goods_of_plan(const Sourcing *sourcing, int *count)
{
	const Demand **demands = palloc_extended(sourcing->count * sizeof(Demand *), MCXT_ALLOC_HUGE);
	GoodsLine  *lines = NULL;
	int			capacity = 0;

	*count = 0;
	for (int i = 0; i < sourcing->count; i++)
		demands[i] = &sourcing->demands[i];
	qsort(demands, sourcing->count, sizeof(Demand *), compare_asked);
	for (int i = 0; i < sourcing->count; i++)
	{
		const Demand *warranty = &sourcing->demands[i];
		const Demand *asked = &(Demand) {.order_id = warranty->order_id, .line_no = warranty->goods_line};
		int			at = first_asked(demands, sourcing->count, asked);

		if (warranty->goods_line == 0 || warranty->found == 0)
			continue;
		for (; at < sourcing->count && compare_asked(&demands[at], &asked) == 0; at++)
		{
			if (*count == capacity)
			{
				capacity = Max(16, capacity * 2);
				lines = lines ? repalloc_huge(lines, capacity * sizeof(GoodsLine)) : palloc(capacity * sizeof(GoodsLine));
			}
			lines[(*count)++] = (GoodsLine) {
				.warranty_id = warranty->line_id, .line_id = demands[at]->line_id, .per_kit = Max(1, demands[at]->per_kit)
			};
		}
	}
	return lines;
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
	for (int i = 0; i < goods->count; i++)
	{
		const GoodsLine *line = &goods->lines[i];
		const LineSum *sum = bsearch(&line->line_id, sums, count, sizeof(LineSum), oms_uuid_cmp);
		int64		ready = line->ready;
		int64		waiting = line->waiting;

		if (sum)
		{
			ready += sum->found - (sourcing->given_back ? sum->wanted : 0);
			waiting += (sourcing->given_back || sourcing->is_first ? sum->wanted : 0) - sum->found;
			goods->are_short |= sum->lacking > 0;
		}
		goods->units = Min(goods->units, ready / line->per_kit);
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

	for (int i = 0; i < goods->count; i++)
	{
		const GoodsLine *line = &goods->lines[i];
		int64		taken = 0;

		for (int j = 0; j < sourcing->npieces; j++)
		{
			if (sourcing->pieces[j].place == place && oms_uuid_cmp(&sourcing->pieces[j].demand->line_id, &line->line_id) == 0)
				taken += sourcing->pieces[j].quantity;
		}
		units = Min(units, taken / line->per_kit);
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
