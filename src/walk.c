/*
 * walk.c
 *	  The plan: which location serves which units, by priority.
 *
 * Lines of an order that go the same way (method, pickup location, address,
 * ship group) are a group.  The first location in order of priority that has
 * all of a group serves it; where none has, each line walks the locations by
 * priority and takes what is there; of bundles, whole kits first.  Pickup
 * prefers the pickup location.
 *
 * The plan is advice, made on a snapshot; sourcing.c takes the stock, and asks
 * again where it was faster than the snapshot.  supply.c reads what there is.
 *
 * Where a channel may not take a SKU, or must leave so many, channel_rules.c
 * says; stores have few such rules or none.
 *
 * A location that keeps its own books (not tracked) has no limit here, and so
 * serves only lines that name it and lines whose method is a partner's.
 */
#include "postgres.h"

#include "oms.h"
#include "supply.h"

static void plan_order(Sourcing *sourcing, World *world, int first, int next, Demand **group, bool *done);
static void join_pieces(Sourcing *sourcing);
static void plan_group(Sourcing *sourcing, World *world, Demand **group, int count);

/*
 * same_text compares two texts that may be NULL.
 */
static bool
same_text(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a, b) == 0;
}

/*
 * same_group tells whether two demands go the same way.
 */
static bool
same_group(const Demand *a, const Demand *b)
{
	return oms_uuid_cmp(&a->order_id, &b->order_id) == 0 &&
		strcmp(a->method, b->method) == 0 &&
		same_text(a->location, b->location) &&
		same_text(a->pickup_location, b->pickup_location) &&
		same_text(a->ship_group, b->ship_group) &&
		oms_same_request(a, b) &&
		a->has_ship_to == b->has_ship_to &&
		(!a->has_ship_to || oms_uuid_cmp(&a->ship_to, &b->ship_to) == 0);
}

/*
 * oms_walk_plan fills in the sourcing's pieces and what each demand found.
 */
void
oms_walk_plan(Store *store, Sourcing *sourcing, bool lock)
{
	World		world;
	bool	   *done = palloc0(Max(1, sourcing->count) * sizeof(bool));
	Demand	  **group = palloc(Max(1, sourcing->count) * sizeof(Demand *));

	oms_read_world(store, sourcing, lock, &world);
	sourcing->npieces = 0;
	for (int i = 0; i < sourcing->count; i++)
	{
		sourcing->demands[i].found = 0;
		sourcing->demands[i].last_piece = -1;
	}

	for (int i = 0, next; i < sourcing->count; i = next)
	{
		for (next = i + 1; next < sourcing->count &&
			 oms_uuid_cmp(&sourcing->demands[i].order_id, &sourcing->demands[next].order_id) == 0; next++)
			;
		plan_order(sourcing, &world, i, next, group, done);
	}
	join_pieces(sourcing);
}

/*
 * take_back takes pieces out of the plan again, all since there were so many.
 */
static void
take_back(Sourcing *sourcing, World *world, int before)
{
	while (sourcing->npieces > before)
	{
		Piece	   *piece = &sourcing->pieces[--sourcing->npieces];

		piece->demand->found -= piece->quantity;
		if (piece->tracked)
		{
			Supply	   *supply = oms_find_supply(world, piece->demand->sku, piece->place);

			supply->held += piece->held;
			supply->left += piece->quantity - piece->held;
		}
	}
}

/*
 * plan_order finds places for the demands of one order, group by group; where it
 * wants all or nothing and there is not all, it leaves the plan as it was.
 */
static void
plan_order(Sourcing *sourcing, World *world, int first, int next, Demand **group, bool *done)
{
	int			before = sourcing->npieces;
	bool		is_complete = true;

	for (int i = first; i < next; i++)
	{
		int			members = 0;

		for (int j = i; j < next && !done[i]; j++)
		{
			if (done[j] || !same_group(&sourcing->demands[i], &sourcing->demands[j]))
				continue;
			if (j > i)
				done[j] = true;
			group[members++] = &sourcing->demands[j];
		}
		done[i] = true;
		if (members > 0)
			plan_group(sourcing, world, group, members);
	}
	for (int i = first; i < next; i++)
		is_complete &= sourcing->demands[i].found == sourcing->demands[i].quantity;
	if (sourcing->demands[first].is_whole && !is_complete)
		take_back(sourcing, world, before);
}

/*
 * join_pieces makes one piece of what a demand gets from one place: units that
 * were held for it, kits, and the rest.
 */
static void
join_pieces(Sourcing *sourcing)
{
	int			kept = 0;

	for (int i = 0; i < sourcing->npieces; i++)
	{
		const Piece *piece = &sourcing->pieces[i];
		Demand	   *demand = piece->demand;
		int			same = demand->last_piece;

		while (same >= 0 && sourcing->pieces[same].place != piece->place)
			same = sourcing->pieces[same].previous;
		if (same >= 0)
		{
			sourcing->pieces[same].quantity += piece->quantity;
			sourcing->pieces[same].held += piece->held;
			sourcing->pieces[same].leaves = Max(sourcing->pieces[same].leaves, piece->leaves);
			continue;
		}
		sourcing->pieces[kept] = *piece;
		sourcing->pieces[kept].previous = demand->last_piece;
		demand->last_piece = kept++;
	}
	sourcing->npieces = kept;
}

/*
 * may_serve tells whether a place is allowed for a demand at all.
 */
static bool
may_serve(const Sourcing *sourcing, const Place *place, const Demand *demand)
{
	for (int i = 0; i < demand->nexcluded; i++)
	{
		if (strcmp(demand->excluded[i], place->code) == 0)
			return false;
	}
	if (sourcing->rules && !oms_channel_may_take(sourcing->rules, demand->channel, demand->sku, place->code))
		return false;
	if (demand->location)
		return strcmp(demand->location, place->code) == 0;
	if (demand->by_partner)
		return place->is_partner;
	return place->tracked;
}

/*
 * leaves_at returns how many units a demand's channel must leave at a place.
 */
static int64
leaves_at(const Sourcing *sourcing, const Demand *demand, const Place *place)
{
	return sourcing->rules ? oms_channel_leaves(sourcing->rules, demand->channel, demand->sku, place->code) : 0;
}

/*
 * take adds a piece to the plan: so many units of a demand from a place, as
 * far as the place has them, those that are held for the order first, or with
 * only_held none but those.  Returns how many.
 */
static int64
take(Sourcing *sourcing, World *world, Demand *demand, int place, bool only_held)
{
	bool		tracked = demand->tracked && world->places[place].tracked;
	int64		quantity = demand->quantity - demand->found;
	int64		held = 0;
	int64		leaves = 0;
	Piece	   *piece;

	if (tracked)
	{
		Supply	   *supply = oms_find_supply(world, demand->sku, place);

		leaves = leaves_at(sourcing, demand, &world->places[place]);
		held = supply ? Min(quantity, supply->held) : 0;
		quantity = !supply ? 0 : only_held ? held : Min(quantity, held + Max(0, supply->left - leaves));
		if (quantity > 0)
		{
			supply->held -= held;
			supply->left -= quantity - held;
		}
	}
	else if (only_held)
		return 0;
	if (quantity == 0)
		return 0;
	if (sourcing->npieces == sourcing->capacity)
	{
		sourcing->capacity = Max(16, sourcing->capacity * 2);
		sourcing->pieces = sourcing->pieces
			? repalloc_huge(sourcing->pieces, sourcing->capacity * sizeof(Piece))
			: palloc(sourcing->capacity * sizeof(Piece));
	}
	piece = &sourcing->pieces[sourcing->npieces++];
	piece->demand = demand;
	piece->location = world->places[place].code;
	piece->place = place;
	piece->tracked = tracked;
	piece->quantity = quantity;
	piece->held = held;
	piece->leaves = leaves;
	demand->found += quantity;
	return quantity;
}

/*
 * take_some is take for at most so many units.
 */
static int64
take_some(Sourcing *sourcing, World *world, Demand *demand, int place, int64 most)
{
	int64		all = demand->quantity;
	int64		taken;

	demand->quantity = Min(all, demand->found + most);
	taken = take(sourcing, world, demand, place, false);
	demand->quantity = all;
	return taken;
}

/*
 * take_kits has a place serve whole kits of a bundle, as many as it can.
 */
static void
take_kits(Sourcing *sourcing, World *world, Demand **components, int count, int place)
{
	int64		kits = PG_INT64_MAX;

	for (int i = 0; i < count && kits > 0; i++)
	{
		const Demand *demand = components[i];

		if (!may_serve(sourcing, &world->places[place], demand))
			return;
		kits = Min(kits, (demand->quantity - demand->found) / demand->per_kit);
		if (demand->tracked && world->places[place].tracked)
		{
			const Supply *supply = oms_find_supply(world, demand->sku, place);

			kits = Min(kits, supply ? (supply->held + Max(0, supply->left - leaves_at(sourcing, demand, &world->places[place])))
					   / demand->per_kit : 0);
		}
	}
	for (int i = 0; i < count && kits > 0; i++)
		(void) take_some(sourcing, world, components[i], place, kits * components[i]->per_kit);
}

/*
 * plan_kits has places serve whole kits of the bundles in a group, each kit from
 * one place: the pickup location first, then by priority.  What is left over is
 * sourced line by line, like everything else.
 */
static void
plan_kits(Sourcing *sourcing, World *world, Demand **group, int count, int pickup)
{
	for (int i = 0, next; i < count; i = next)
	{
		for (next = i + 1; next < count && group[next]->bundle_line == group[i]->bundle_line; next++)
			;
		if (group[i]->per_kit == 0)
			continue;
		if (pickup >= 0)
			take_kits(sourcing, world, &group[i], next - i, pickup);
		for (int place = 0; place < world->nplaces; place++)
			take_kits(sourcing, world, &group[i], next - i, place);
	}
}

/*
 * follow_goods has a warranty go where the units go that it is for.
 */
static void
follow_goods(Sourcing *sourcing, World *world, Demand *warranty, int first)
{
	int			end = sourcing->npieces;

	for (int i = first; i < end && warranty->found < warranty->quantity; i++)
	{
		const Piece *piece = &sourcing->pieces[i];

		if (piece->demand->line_no == warranty->goods_line)
			(void) take_some(sourcing, world, warranty, oms_find_place(world, piece->location), piece->quantity);
	}
}

/*
 * take_all has one place serve a whole group, or leaves the plan as it was.
 */
static bool
take_all(Sourcing *sourcing, World *world, Demand **group, int count, int place)
{
	int			before = sourcing->npieces;
	bool		complete = true;

	for (int i = 0; complete && i < count; i++)
	{
		if (!may_serve(sourcing, &world->places[place], group[i]))
		{
			complete = false;
			break;
		}
		(void) take(sourcing, world, group[i], place, false);
		complete = group[i]->found == group[i]->quantity;
	}
	if (complete)
		return true;
	take_back(sourcing, world, before);
	return false;
}

/*
 * is_held_at tells whether units that a group wants are held at a place.
 */
static bool
is_held_at(const World *world, Demand **group, int count, int place)
{
	for (int i = 0; i < count; i++)
	{
		const Supply *supply = group[i]->tracked ? oms_find_supply(world, group[i]->sku, place) : NULL;

		if (supply && supply->held > 0)
			return true;
	}
	return false;
}

/*
 * plan_held has a group get the units that are held for it: together from a
 * place that can add what is lacking, else each line from where they are.
 * Returns whether that is all it wants.
 */
static bool
plan_held(Sourcing *sourcing, World *world, Demand **group, int count)
{
	bool		complete = true;

	for (int place = 0; place < world->nplaces; place++)
	{
		if (is_held_at(world, group, count, place) && take_all(sourcing, world, group, count, place))
			return true;
	}
	for (int i = 0; i < count; i++)
	{
		for (int place = 0; place < world->nplaces; place++)
		{
			if (may_serve(sourcing, &world->places[place], group[i]))
				(void) take(sourcing, world, group[i], place, true);
		}
		complete &= group[i]->found == group[i]->quantity;
	}
	return complete;
}

/*
 * plan_group finds places for one group.  Excluded locations are the same for
 * all of it: they are the order's.
 */
static void
plan_group(Sourcing *sourcing, World *world, Demand **group, int count)
{
	int			pickup = group[0]->pickup_location ? oms_find_place(world, group[0]->pickup_location) : -1;
	int			before = sourcing->npieces;

	if (pickup >= 0 && take_all(sourcing, world, group, count, pickup))
		return;
	if (sourcing->held && sourcing->held->count > 0 && plan_held(sourcing, world, group, count))
		return;
	for (int place = 0; place < world->nplaces; place++)
	{
		if (take_all(sourcing, world, group, count, place))
			return;
	}
	plan_kits(sourcing, world, group, count, pickup);
	for (int i = 0; i < count; i++)
	{
		if (!group[i]->tracked)
			continue;
		if (pickup >= 0 && may_serve(sourcing, &world->places[pickup], group[i]))
			(void) take(sourcing, world, group[i], pickup, false);
		for (int place = 0; place < world->nplaces && group[i]->found < group[i]->quantity; place++)
		{
			if (may_serve(sourcing, &world->places[place], group[i]))
				(void) take(sourcing, world, group[i], place, false);
		}
	}
	/* what takes no stock goes with the goods, where there are any */
	for (int i = 0; i < count; i++)
	{
		int			first = sourcing->npieces > before ? oms_find_place(world, sourcing->pieces[before].location) : -1;

		if (group[i]->goods_line > 0)
			follow_goods(sourcing, world, group[i], before);
		if (!group[i]->tracked && first >= 0 &&
			(!sourcing->rules || may_serve(sourcing, &world->places[first], group[i])))
			(void) take(sourcing, world, group[i], first, false);
		for (int place = 0; !group[i]->tracked && place < world->nplaces &&
			 group[i]->found < group[i]->quantity; place++)
		{
			if (may_serve(sourcing, &world->places[place], group[i]))
				(void) take(sourcing, world, group[i], place, false);
		}
	}
}
