/*
 * sourcing_pieces.c
 *	  The pieces of a plan: taking units from what places have, in thought.
 *
 * Whatever the plan decides is taken here, so that no unit is planned twice and
 * none from where its demand may not have it: a place that has refused the
 * order, one that a rule denies its channel, another than the one that is named.
 * A place that keeps its own books (not tracked) has no limit, and so serves
 * only lines that name it and lines whose method is a partner's.
 */
#include "postgres.h"

#include "oms.h"
#include "sourcing_plan.h"

/*
 * oms_may_serve tells whether a place is allowed for a demand at all.
 */
bool
oms_may_serve(const Planner *planner, int place, const Demand *demand)
{
	const Place *at = &planner->world->places[place];
	const ChannelRules *rules = planner->sourcing->rules;

	for (int i = 0; i < demand->nexcluded; i++)
	{
		if (strcmp(demand->excluded[i], at->code) == 0)
			return false;
	}
	if (!oms_is_fit(at, demand))
		return false;
	if (rules && !oms_channel_may_take(rules, demand->channel, demand->sku, at->code))
		return false;
	return !planner->costs || !oms_denies(planner->costs, place, demand, NULL);
}

/*
 * leaves_at returns how many units a demand's channel must leave at a place.
 */
static int64
leaves_at(const Planner *planner, int place, const Demand *demand)
{
	const ChannelRules *rules = planner->sourcing->rules;

	return rules ? oms_channel_leaves(rules, demand->channel, demand->sku, planner->world->places[place].code) : 0;
}

/*
 * oms_given_by returns how many units of a demand a place could give of what it has.
 */
int64
oms_given_by(const Planner *planner, int place, const Demand *demand, const Supply *supply)
{
	return supply ? supply->held + Max(0, supply->left - leaves_at(planner, place, demand)) : 0;
}

/*
 * oms_can_give returns how many units of a demand a place could give, which is
 * allowed to; without limit where no stock is counted.
 */
int64
oms_can_give(const Planner *planner, int place, const Demand *demand)
{
	if (!demand->tracked || !planner->world->places[place].tracked)
		return PG_INT64_MAX;
	return oms_given_by(planner, place, demand, oms_find_supply(planner->world, demand->sku, place));
}

/*
 * oms_can_give_all tells whether a place could give all that demands, sorted by
 * SKU, still want.
 */
bool
oms_can_give_all(const Planner *planner, int place, Demand **demands, int count)
{
	const Place *at = &planner->world->places[place];
	int64		wanted = 0;
	int64		all = 0;

	for (int i = 0; i < count; i++)
	{
		const Demand *demand = demands[i];

		if (!oms_may_serve(planner, place, demand))
			return false;
		if (i == 0 || strcmp(demands[i - 1]->sku, demand->sku) != 0)
			wanted = 0;
		wanted += demand->quantity - demand->found;
		all += demand->quantity - demand->found;
		if (oms_can_give(planner, place, demand) < wanted)
			return false;
	}
	return !at->is_limited || all <= at->room;
}

/*
 * oms_kits_at returns how many whole kits of a line a place has.
 */
int64
oms_kits_at(const Planner *planner, const PlanLine *line, int place)
{
	const Place *at = &planner->world->places[place];
	int64		kits = line->quantity;
	int64		units = 0;		/* in a kit */

	for (int i = 0; i < line->nmembers && kits > 0; i++)
	{
		const Demand *demand = line->members[i];
		int64		has;

		units += demand->per_kit;
		if (!oms_may_serve(planner, place, demand))
			return 0;
		has = oms_can_give(planner, place, demand);
		kits = Min(kits, has / demand->per_kit);
	}
	return at->is_limited && units > 0 ? Min(kits, at->room / units) : kits;
}

/*
 * new_piece makes room for one piece more.
 */
static Piece *
new_piece(Planner *planner)
{
	Sourcing   *sourcing = planner->sourcing;

	if (sourcing->npieces == sourcing->capacity)
	{
		sourcing->capacity = Max(16, sourcing->capacity * 2);
		sourcing->pieces = sourcing->pieces
			? repalloc_huge(sourcing->pieces, sourcing->capacity * sizeof(Piece))
			: MemoryContextAlloc(planner->context, sourcing->capacity * sizeof(Piece));
	}
	return &sourcing->pieces[sourcing->npieces++];
}

/*
 * oms_take_piece adds a piece to the plan: at most so many of the units that a
 * demand still wants from a place, which is allowed to, as far as the place has
 * them; those that are held for the order first, or with only_held none but
 * those.  Returns how many.
 */
int64
oms_take_piece(Planner *planner, Demand *demand, int place, int64 most, bool only_held)
{
	Place	   *at = &planner->world->places[place];
	bool		tracked = demand->tracked && at->tracked;
	int64		quantity = Min(most, demand->quantity - demand->found);
	int64		held = 0;
	Piece	   *piece;

	if (at->is_limited)
		quantity = Min(quantity, at->room);
	if (tracked)
	{
		Supply	   *supply = oms_find_supply(planner->world, demand->sku, place);
		int64		has = oms_given_by(planner, place, demand, supply);

		held = supply ? Min(quantity, supply->held) : 0;
		quantity = only_held ? held : Min(quantity, has);
		if (quantity > 0)
		{
			supply->held -= held;
			supply->left -= quantity - held;
		}
	}
	if (quantity <= 0 || (only_held && !tracked))
		return 0;
	piece = new_piece(planner);
	piece->demand = demand;
	piece->location = at->code;
	piece->place = place;
	piece->tracked = tracked;
	piece->quantity = quantity;
	piece->held = held;
	piece->leaves = tracked ? leaves_at(planner, place, demand) : 0;
	piece->unit_cost = planner->costs ? oms_demand_cost(planner->costs, place, demand) : 0;
	piece->shipment_cost = planner->costs ? oms_shipment_cost(planner->costs, place) : 0;
	piece->is_limited = at->is_limited;
	piece->load_day = at->day;
	piece->most = at->most;
	piece->is_first_load = at->is_limited && !at->has_row;
	piece->has_promise = planner->costs && oms_promise(planner->costs, place, demand, &piece->promised_at);
	at->room -= quantity;
	demand->found += quantity;
	return quantity;
}

/*
 * oms_take_back takes pieces out of the plan again, all since there were so many.
 */
void
oms_take_back(Planner *planner, int before)
{
	Sourcing   *sourcing = planner->sourcing;

	while (sourcing->npieces > before)
	{
		Piece	   *piece = &sourcing->pieces[--sourcing->npieces];

		piece->demand->found -= piece->quantity;
		planner->world->places[piece->place].room += piece->quantity;
		if (piece->tracked)
		{
			Supply	   *supply = oms_find_supply(planner->world, piece->demand->sku, piece->place);

			supply->held += piece->held;
			supply->left += piece->quantity - piece->held;
		}
	}
}

/*
 * oms_take_again puts pieces that were taken back into the plan once more.
 */
void
oms_take_again(Planner *planner, const Piece *pieces, int count)
{
	for (int i = 0; i < count; i++)
	{
		Piece	   *piece = new_piece(planner);

		*piece = pieces[i];
		piece->demand->found += piece->quantity;
		planner->world->places[piece->place].room -= piece->quantity;
		if (piece->tracked)
		{
			Supply	   *supply = oms_find_supply(planner->world, piece->demand->sku, piece->place);

			supply->held -= piece->held;
			supply->left -= piece->quantity - piece->held;
		}
	}
}

/*
 * oms_take_all has one place give all that demands still want, or leaves the
 * plan as it was.
 */
bool
oms_take_all(Planner *planner, Demand **demands, int count, int place)
{
	int			before = planner->sourcing->npieces;

	for (int i = 0; i < count; i++)
	{
		if (oms_may_serve(planner, place, demands[i]))
			(void) oms_take_piece(planner, demands[i], place, PG_INT64_MAX, false);
		if (demands[i]->found < demands[i]->quantity)
		{
			oms_take_back(planner, before);
			return false;
		}
	}
	return true;
}

/*
 * compare_pieces orders an order's pieces by line, then place, the one where the
 * customer collects first.
 */
static int
compare_pieces(const void *a, const void *b)
{
	const Piece *left = a;
	const Piece *right = b;
	const char *pickup = left->demand->pickup_location;

	if (left->demand != right->demand)
		return left->demand < right->demand ? -1 : 1;
	if (left->place == right->place)
		return 0;
	if (pickup && strcmp(left->location, pickup) == 0)
		return -1;
	if (pickup && strcmp(right->location, pickup) == 0)
		return 1;
	return left->place - right->place;
}

/*
 * oms_join_pieces makes one piece of what a demand gets from one place: units
 * that were held for it, kits, and the rest; of the pieces from first on.
 */
void
oms_join_pieces(Sourcing *sourcing, int first)
{
	int			kept = first;

	if (sourcing->npieces - first < 2)
		return;
	qsort(sourcing->pieces + first, sourcing->npieces - first, sizeof(Piece), compare_pieces);
	for (int i = first; i < sourcing->npieces; i++)
	{
		Piece	   *piece = &sourcing->pieces[i];
		Piece	   *last = kept > first ? &sourcing->pieces[kept - 1] : NULL;

		if (!last || compare_pieces(last, piece) != 0)
		{
			sourcing->pieces[kept++] = *piece;
			continue;
		}
		last->quantity += piece->quantity;
		last->held += piece->held;
		last->leaves = Max(last->leaves, piece->leaves);
	}
	sourcing->npieces = kept;
}
