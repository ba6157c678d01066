/*
 * fill_kits.c
 *	  Giving units to kits that wait: as many as make them whole.
 *
 * A kit whose components ship together cannot go before the last of them is
 * there, so units that do not complete one are better left to others.  fill.c
 * reads all that such a kit waits for; here what it asks for is limited to what
 * completes as many as can be.  What that leaves may complete others, so a new
 * plan is made, until nothing is taken in vain.
 *
 * Where stock changes before the plan is taken, the units that have come to
 * complete nothing are taken out of it again.
 */
#include "postgres.h"

#include "fill.h"
#include "oms.h"
#include "rows.h"
#include "sourcing.h"

#define MOST_ROUNDS 20			/* plans */

/* Demands of a bundle's line that wait, sorted by line; short before backordered. */
typedef struct KitLine
{
	Demand	  **demands;
	int			count;
	int64		kits;			/* that are whole once the plan is taken */
	bool		lacks;			/* some are not */
	bool		exceeds;		/* it has units that complete none */
} KitLine;

/* Units of a SKU that the plan has for kits which they do not complete. */
typedef struct IdleUnits
{
	const char *sku;			/* first: sorted by it */
	int64		units;
} IdleUnits;

/*
 * compare_components puts together what is of one bundle's line, and of a
 * component.
 */
static int
compare_components(const void *a, const void *b)
{
	const Demand *left = *(const Demand *const *) a;
	const Demand *right = *(const Demand *const *) b;
	int			order = oms_uuid_cmp(&left->order_id, &right->order_id);

	if (order == 0)
		order = left->bundle_line < right->bundle_line ? -1 : left->bundle_line > right->bundle_line;
	if (order == 0)
		order = left->line_no < right->line_no ? -1 : left->line_no > right->line_no;
	return order != 0 ? order : (int) left->is_backordered - (int) right->is_backordered;
}

/*
 * compare_idle orders by SKU.
 */
static int
compare_idle(const void *a, const void *b)
{
	return strcmp(((const IdleUnits *) a)->sku, ((const IdleUnits *) b)->sku);
}

/*
 * line_end returns where the demands of the component that begins there end.
 */
static int
line_end(const KitLine *kit, int from)
{
	int			next = from + 1;

	while (next < kit->count && kit->demands[next]->line_no == kit->demands[from]->line_no)
		next++;
	return next;
}

/*
 * found_of returns how many units the plan has for a component.
 */
static int64
found_of(const KitLine *kit, int from, int next)
{
	int64		found = 0;

	for (int i = from; i < next; i++)
		found += kit->demands[i]->found;
	return found;
}

/*
 * needed_of returns how many units of a component complete kits.
 */
static int64
needed_of(const KitLine *kit, int from)
{
	return Max(0, kit->kits * kit->demands[from]->per_kit - kit->demands[from]->ready);
}

/*
 * judge_kit sees how many kits a plan completes.  What does not wait is not
 * among the demands, and there for all of them.
 */
static void
judge_kit(KitLine *kit)
{
	kit->kits = PG_INT64_MAX;
	kit->lacks = kit->exceeds = false;
	for (int i = 0, next; i < kit->count; i = next)
	{
		next = line_end(kit, i);
		kit->kits = Min(kit->kits, (kit->demands[i]->ready + found_of(kit, i, next)) / kit->demands[i]->per_kit);
		for (int j = i; j < next; j++)
			kit->lacks |= kit->demands[j]->found < kit->demands[j]->quantity;
	}
	for (int i = 0, next; i < kit->count; i = next)
	{
		next = line_end(kit, i);
		kit->exceeds |= found_of(kit, i, next) > needed_of(kit, i);
	}
}

/*
 * oms_is_kit_part tells whether a component's units ship with the rest of its kit
 * only.  An order that must ship complete gets all or nothing anyway.
 */
bool
oms_is_kit_part(const Demand *demand)
{
	return demand->per_kit > 0 && demand->ship_group && !demand->is_whole;
}

/*
 * find_kits returns the bundles' lines that units are asked for.
 */
static KitLine *
find_kits(Sourcing *sourcing, int *count)
{
	Demand	  **list = palloc_extended(Max(1, sourcing->count) * sizeof(Demand *), MCXT_ALLOC_HUGE);
	KitLine    *kits;
	int			found = 0;

	*count = 0;
	for (int i = 0; i < sourcing->count; i++)
	{
		Demand	   *demand = &sourcing->demands[i];

		if (oms_is_kit_part(demand))
			list[found++] = demand;
	}
	if (found == 0)
		return NULL;
	qsort(list, found, sizeof(Demand *), compare_components);
	kits = palloc_extended(found * sizeof(KitLine), MCXT_ALLOC_HUGE);
	for (int i = 0; i < found; i++)
	{
		KitLine    *kit = &kits[Max(0, *count - 1)];

		if (i == 0 || oms_uuid_cmp(&list[i - 1]->order_id, &list[i]->order_id) != 0 ||
			list[i - 1]->bundle_line != list[i]->bundle_line)
		{
			kit = &kits[(*count)++];
			*kit = (KitLine) {.demands = &list[i]};
		}
		kit->count++;
	}
	for (int i = 0; i < *count; i++)
		judge_kit(&kits[i]);
	return kits;
}

/*
 * find_idle returns what would be free if kits had only what completes them.
 */
static IdleUnits *
find_idle(const Sourcing *sourcing, const KitLine *kits, int nkits, int *count)
{
	IdleUnits  *idle = palloc_extended(Max(1, sourcing->count) * sizeof(IdleUnits), MCXT_ALLOC_HUGE);
	int			found = 0;

	for (int k = 0; k < nkits; k++)
	{
		for (int i = 0, next; i < kits[k].count; i = next)
		{
			int64		units;

			next = line_end(&kits[k], i);
			units = found_of(&kits[k], i, next) - needed_of(&kits[k], i);
			if (units > 0)
				idle[found++] = (IdleUnits) {kits[k].demands[i]->sku, units};
		}
	}
	qsort(idle, found, sizeof(IdleUnits), compare_idle);
	*count = found;
	return idle;
}

/*
 * is_hopeless tells whether a kit lacks what no other would leave to it.
 */
static bool
is_hopeless(const KitLine *kit, const IdleUnits *idle, int count)
{
	for (int i = 0, next; i < kit->count; i = next)
	{
		const Demand *demand = kit->demands[i];
		IdleUnits	key = {.sku = demand->sku};
		int64		found;
		int64		wanted = 0;

		next = line_end(kit, i);
		found = found_of(kit, i, next);
		for (int j = i; j < next; j++)
			wanted += kit->demands[j]->quantity;
		if (found < wanted && (demand->ready + found) / demand->per_kit == kit->kits &&
			!bsearch(&key, idle, count, sizeof(IdleUnits), compare_idle))
			return true;
	}
	return false;
}

/*
 * limit has a kit ask for no more than completes what the plan completes.
 */
static void
limit(KitLine *kit)
{
	for (int i = 0, next; i < kit->count; i = next)
	{
		int64		left = needed_of(kit, i);

		next = line_end(kit, i);
		for (int j = i; j < next; j++)
		{
			kit->demands[j]->quantity = Min(kit->demands[j]->found, left);
			left -= kit->demands[j]->quantity;
		}
	}
}

/*
 * oms_limit_kits has kits that ship together ask only for what completes them:
 * those that come first first.
 */
void
oms_limit_kits(Store *store, Sourcing *sourcing)
{
	bool		again = true;

	for (int round = 0; again && round < MOST_ROUNDS; round++)
	{
		int			count;
		int			nidle;
		int			kept = 0;
		KitLine    *kits = find_kits(sourcing, &count);
		IdleUnits  *idle;
		const Demand *first = NULL;

		if (count == 0)
			return;
		oms_plan_sourcing(store, sourcing, false);
		again = false;
		for (int i = 0; i < count; i++)
		{
			judge_kit(&kits[i]);
			/* who is served first lies first */
			if (kits[i].exceeds && (!first || kits[i].demands[0] < first))
				first = kits[i].demands[0];
		}
		idle = find_idle(sourcing, kits, count, &nidle);
		for (int i = 0; i < count; i++)
		{
			if (kits[i].lacks && (kits[i].demands[0] == first || is_hopeless(&kits[i], idle, nidle)))
			{
				again |= kits[i].exceeds;
				limit(&kits[i]);
			}
		}
		for (int i = 0; i < sourcing->count; i++)
		{
			if (sourcing->demands[i].quantity > 0)
				sourcing->demands[kept++] = sourcing->demands[i];
		}
		sourcing->count = kept;
		sourcing->npieces = 0;	/* they are of demands that have moved */
	}
}

/*
 * oms_keep_whole_kits takes units out of a plan that complete no kit.
 */
void
oms_keep_whole_kits(Sourcing *sourcing)
{
	int			count;
	KitLine    *kits = find_kits(sourcing, &count);
	bool		exceeds = false;

	for (int k = 0; k < count; k++)
	{
		exceeds |= kits[k].exceeds;
		for (int i = 0, next; kits[k].exceeds && i < kits[k].count; i = next)
		{
			int64		left = needed_of(&kits[k], i);

			next = line_end(&kits[k], i);
			for (int j = i; j < next; j++)
			{
				Demand	   *demand = kits[k].demands[j];
				int64		excess = demand->found - Min(demand->found, left);

				left -= demand->found - excess;
				for (int p = sourcing->npieces - 1; p >= 0 && excess > 0; p--)
				{
					Piece	   *piece = &sourcing->pieces[p];
					int64		units = piece->demand == demand ? Min(excess, piece->quantity) : 0;

					piece->quantity -= units;
					demand->found -= units;
					excess -= units;
				}
			}
		}
	}
	if (exceeds)
		oms_drop_empty_pieces(sourcing);
}
