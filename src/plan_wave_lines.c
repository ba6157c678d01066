/*
 * plan_wave_lines.c
 *	  What of an order goes one way, as lines that the kernel moves whole.
 *
 * A unit goes from anywhere by itself, but for what belongs together: a ship
 * group, all of which comes from one place, and kits, each of which does.  So a
 * line is units of one demand, kits of a bundle, or a ship group, of which there
 * is one.  Kits that are a ship group, but not all from one place, as none had so
 * many, are kits.  A warranty takes no stock, and goes with units of the line that
 * it is for.
 *
 * That is possible where units are like that now.  Where the parts of a kit come
 * from several places, since none had it whole, the way is left as it is.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "plan_wave.h"

/*
 * goes_with tells whether a demand is of the line that a warranty is for.
 */
static bool
goes_with(const Demand *demand, const Demand *warranty)
{
	return demand->tracked && warranty->goods_line > 0 &&
		(demand->per_kit > 0 ? demand->bundle_line : demand->line_no) == warranty->goods_line;
}

/*
 * belongs tells whether a demand belongs into the line that another began, being of
 * the line's kind.
 */
static bool
belongs(const WaveLine *line, const Demand *first, const Demand *demand)
{
	return line->kind == LINE_TOGETHER ? strcmp(first->ship_group, demand->ship_group) == 0
		: line->kind == LINE_KITS && demand->bundle_line == first->bundle_line;
}

/*
 * line_of returns the line that a demand belongs into, and makes one where there
 * is none yet.
 */
static int
line_of(WaveWay *way, int demand, bool is_scattered)
{
	const Demand *wanted = &way->demands[demand];
	bool		is_kit = wanted->per_kit > 0;
	PlanLineKind kind = wanted->ship_group && !(is_kit && is_scattered) ? LINE_TOGETHER : is_kit ? LINE_KITS : LINE_UNITS;

	for (int i = 0; i < way->nlines && kind != LINE_UNITS; i++)
	{
		if (way->lines[i].kind == kind && belongs(&way->lines[i], &way->demands[way->lines[i].first], wanted))
			return i;
	}
	way->lines[way->nlines] = (WaveLine) {.kind = kind, .first = demand};
	return way->nlines++;
}

/*
 * parcel_of returns the first demand with the same ship group: what is in none is
 * in another fulfillment.
 */
static int
parcel_of(const WaveWay *way, int demand)
{
	const char *group = way->demands[demand].ship_group;

	for (int i = 0; group && i < demand; i++)
	{
		if (way->demands[i].ship_group && strcmp(way->demands[i].ship_group, group) == 0)
			return i;
	}
	return group ? demand : -1;
}

/*
 * find_scattered tells of each parcel whether its units come from several places.
 */
static bool *
find_scattered(const WaveWay *way)
{
	bool	   *is_scattered = palloc0(way->ndemands + 1);
	int		   *places = palloc((way->ndemands + 1) * sizeof(int));

	for (int i = 0; i < way->ndemands; i++)
		places[i] = -1;
	for (int k = 0; k < way->nheld; k++)
	{
		const WaveUnits *held = &way->held[k];

		if (held->parcel < 0)
			continue;
		is_scattered[held->parcel] |= places[held->parcel] >= 0 && places[held->parcel] != held->place;
		places[held->parcel] = held->place;
	}
	pfree(places);
	return is_scattered;
}

/*
 * list_members lists what lines have, members first, then those that follow them.
 */
static void
list_members(WaveWay *way)
{
	int			next = 0;

	for (int l = 0; l < way->nlines; l++)
	{
		WaveLine   *line = &way->lines[l];

		line->members = way->members + next;
		next += line->nmembers + line->nfollowers;
		line->nmembers = line->nfollowers = 0;
	}
	for (int followers = 0; followers < 2; followers++)
	{
		for (int i = 0; i < way->ndemands; i++)
		{
			WaveLine   *line = &way->lines[way->line_of[i]];

			if (way->demands[i].tracked == (followers == 1))
				continue;
			line->members[line->nmembers + line->nfollowers] = i;
			*(followers ? &line->nfollowers : &line->nmembers) += 1;
		}
	}
}

/*
 * sort_demands says which line each demand belongs into, and lists what lines have.
 * Returns false where one takes no stock and has nothing to go with.
 */
static bool
sort_demands(WaveWay *way)
{
	bool	   *is_scattered = find_scattered(way);

	way->lines = palloc0((way->ndemands + 1) * sizeof(WaveLine));
	way->line_of = palloc((way->ndemands + 1) * sizeof(int));
	way->members = palloc((way->ndemands + 1) * sizeof(int));
	way->nlines = 0;
	for (int i = 0; i < way->ndemands; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!way->demands[i].tracked)
			continue;
		way->line_of[i] = line_of(way, i, way->parcels[i] >= 0 && is_scattered[way->parcels[i]]);
		way->lines[way->line_of[i]].nmembers++;
	}
	for (int i = 0; i < way->ndemands; i++)
	{
		int			goods = 0;

		if (way->demands[i].tracked)
			continue;
		while (goods < way->ndemands && !goes_with(&way->demands[goods], &way->demands[i]))
			goods++;
		if (goods == way->ndemands)
			return false;
		way->lines[way->line_of[i] = way->line_of[goods]].nfollowers++;
	}
	list_members(way);
	return true;
}

/*
 * oms_wave_units_in returns how many units of a demand are in one of its line.
 */
int64
oms_wave_units_in(const WaveWay *way, int demand)
{
	const WaveLine *line = &way->lines[way->line_of[demand]];
	const Demand *wanted = &way->demands[demand];

	return line->kind == LINE_UNITS ? 1 : line->kind == LINE_KITS ? wanted->per_kit : wanted->quantity;
}

/*
 * oms_compare_wave_units orders units by where they go together, then demand.
 */
int
oms_compare_wave_units(const void *a, const void *b)
{
	const WaveUnits *left = a;
	const WaveUnits *right = b;

	if (left->place != right->place)
		return left->place - right->place;
	if (left->parcel != right->parcel)
		return left->parcel - right->parcel;
	return left->demand - right->demand;
}

/*
 * find_units returns units of a demand at a place, NULL: none.
 */
static const WaveUnits *
find_units(const WaveWay *way, int demand, int place)
{
	WaveUnits	key = {place, way->parcels[demand], demand, 0};

	return bsearch(&key, way->held, way->nheld, sizeof(WaveUnits), oms_compare_wave_units);
}

/*
 * note_held notes from where the way's units come now.
 */
static void
note_held(WaveWay *way)
{
	way->parcels = palloc((way->ndemands + 1) * sizeof(int));
	for (int i = 0; i < way->ndemands; i++)
		way->parcels[i] = parcel_of(way, i);
	way->held = palloc((way->nholdings + 1) * sizeof(WaveUnits));
	way->nheld = 0;
	for (int k = 0; k < way->nholdings; k++)
	{
		const WaveHolding *holding = &way->holdings[k];

		way->held[k] = (WaveUnits) {holding->place, way->parcels[holding->demand], holding->demand, holding->quantity};
	}
	qsort(way->held, way->nholdings, sizeof(WaveUnits), oms_compare_wave_units);
	for (int k = 0; k < way->nholdings; k++)
	{
		WaveUnits  *last = way->nheld > 0 ? &way->held[way->nheld - 1] : NULL;

		if (last && oms_compare_wave_units(last, &way->held[k]) == 0)
			last->quantity += way->held[k].quantity;
		else
			way->held[way->nheld++] = way->held[k];
	}
}

/*
 * oms_wave_held_at returns how many units of a demand come from a place now.
 */
int64
oms_wave_held_at(const WaveWay *way, int demand, int place)
{
	const WaveUnits *units = find_units(way, demand, place);

	return units ? units->quantity : 0;
}

/*
 * is_whole tells whether units go with as many of all else in their line.
 */
static bool
is_whole(const WaveWay *way, const WaveUnits *units)
{
	const WaveLine *line = &way->lines[way->line_of[units->demand]];
	int64		of_line = oms_wave_held_at(way, line->first, units->place);
	int64		in_one;

	if (of_line % oms_wave_units_in(way, line->first) != 0)
		return false;
	of_line /= oms_wave_units_in(way, line->first);
	if (!way->demands[units->demand].tracked)
		return line->kind == LINE_TOGETHER ? of_line > 0 : units->quantity <= of_line;
	/* so many of each member */
	in_one = oms_wave_units_in(way, units->demand);
	return units->quantity % in_one == 0 && units->quantity / in_one == of_line;
}

/*
 * oms_wave_sort_lines makes lines of what goes a way, whose places are known, and
 * says why that cannot be.
 */
WaveSkip
oms_wave_sort_lines(WaveWay *way)
{
	int		   *places;
	bool		is_apart = false;

	for (int k = 0; k < way->nholdings; k++)
	{
		if (way->holdings[k].place < 0)
			return SKIP_LOCATION;
	}
	note_held(way);
	if (!sort_demands(way))
		return SKIP_NO_STOCK;
	places = palloc0((way->ndemands + 1) * sizeof(int));
	for (int k = 0; k < way->nheld; k++)
	{
		is_apart |= !is_whole(way, &way->held[k]);
		places[way->held[k].demand]++;
	}
	for (int i = 0; i < way->ndemands; i++)
	{
		const WaveLine *line = &way->lines[way->line_of[i]];

		is_apart |= way->demands[i].tracked && places[i] != places[line->first];
		/* the rest of a group that somebody has begun with */
		is_apart |= line->kind == LINE_TOGETHER && way->is_partial;
	}
	pfree(places);
	return is_apart ? SKIP_APART : SKIP_NONE;
}

/*
 * add_units adds units to a list.
 */
static void
add_units(const WaveWay *way, WaveUnits *list, int *count, int demand, int place, int64 quantity)
{
	if (quantity > 0)
		list[(*count)++] = (WaveUnits) {place, way->parcels[demand], demand, quantity};
}

/*
 * follow has a warranty go with its line: first where it is now, then wherever
 * there is more.
 */
static void
follow(const WaveWay *way, int demand, const SplitFlow *flows, int nflows, WaveUnits *list, int *count)
{
	int			line = way->line_of[demand];
	bool		is_one = way->lines[line].kind == LINE_TOGETHER;
	int64		left = way->demands[demand].quantity;
	int64		kept = 0;

	for (int k = 0; k < nflows; k++)
	{
		if (flows[k].line == line)
			kept += Min(oms_wave_held_at(way, demand, way->places[flows[k].location]), is_one ? left : flows[k].quantity);
	}
	left -= Min(left, kept);
	for (int k = 0; k < nflows; k++)
	{
		int			place = way->places[flows[k].location];
		int64		most = is_one ? way->demands[demand].quantity : flows[k].quantity;
		int64		stays = Min(most, oms_wave_held_at(way, demand, place));

		if (flows[k].line != line)
			continue;
		add_units(way, list, count, demand, place, stays + Min(left, most - stays));
		left -= Min(left, most - stays);
	}
}

/*
 * oms_wave_units_of returns the units that lines' flows are, as held ones stand.
 */
WaveUnits *
oms_wave_units_of(const WaveWay *way, const SplitFlow *flows, int nflows, int *count)
{
	int			most = 0;
	WaveUnits  *list;

	for (int k = 0; k < nflows; k++)
		most += way->lines[flows[k].line].nmembers + way->lines[flows[k].line].nfollowers;
	list = palloc((most + 1) * sizeof(WaveUnits));
	*count = 0;
	for (int k = 0; k < nflows; k++)
	{
		const WaveLine *line = &way->lines[flows[k].line];

		for (int m = 0; m < line->nmembers; m++)
			add_units(way, list, count, line->members[m], way->places[flows[k].location],
					  flows[k].quantity * oms_wave_units_in(way, line->members[m]));
	}
	for (int i = 0; i < way->ndemands; i++)
	{
		if (!way->demands[i].tracked)
			follow(way, i, flows, nflows, list, count);
	}
	qsort(list, *count, sizeof(WaveUnits), oms_compare_wave_units);
	return list;
}
