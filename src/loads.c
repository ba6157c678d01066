/*
 * loads.c
 *	  How much of a location's day is taken: table location_loads.
 *
 * Where a location has a daily_capacity, each fulfillment made there counts into
 * a row of the location and its day, its load_day: today by the location's
 * clock, or from its cutoff on tomorrow.  The plan gives a location no more than
 * what is left; the guarantee is the conditional UPDATE here, made when the
 * stock is taken, as that of stock is (sourcing.c).  Who gives units back before
 * they have left gives back the room as well.
 *
 * Rows are locked after stock and before backorder_policies, by location and
 * day.  Who makes one stands in line for it, so that whoever may not wait never
 * does for a row that is being made.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "loads.h"
#include "oms.h"
#include "plan.h"
#include "queue.h"
#include "rows.h"
#include "verify.h"

#define ASKED " FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) WITH ORDINALITY AS w(location, day, place)" \
	" JOIN @.location_loads l ON l.location" EQ "w.location AND l.day" EQ "w.day"

static const StoreQuery read_rows = {
	"SELECT w.place, l.units" ASKED, 2, {TEXTARRAYOID, DATEARRAYOID}
};

static const StoreQuery lock_rows = {
	"SELECT w.place, l.units" ASKED " ORDER BY w.place FOR NO KEY UPDATE OF l", 2, {TEXTARRAYOID, DATEARRAYOID}
};

static const StoreQuery lock_rows_at_hand = {
	"SELECT w.place, l.units" ASKED " ORDER BY w.place FOR NO KEY UPDATE OF l SKIP LOCKED", 2, {TEXTARRAYOID, DATEARRAYOID}
};

static const StoreQuery make_rows = {
	"INSERT INTO @.location_loads (location, day) SELECT w.location, w.day"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS w(location, day) ON CONFLICT DO NOTHING",
	2, {TEXTARRAYOID, DATEARRAYOID}
};

static const StoreQuery change_rows = {
	"UPDATE @.location_loads l SET units = l.units" PLUS "c.units, revision = l.revision" PLUS "1"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4))"
	" AS c(location, day, units, most) WHERE l.location" EQ "c.location AND l.day" EQ "c.day"
	" AND (c.most IS NULL OR l.units" PLUS "c.units" LE "c.most)",
	4, {TEXTARRAYOID, DATEARRAYOID, INT8ARRAYOID, INT8ARRAYOID}
};

/*
 * oms_day_of returns the day in which a location does what it is given now.
 */
DateADT
oms_day_of(const SourceLocation *location)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	pg_tz	   *zone = pg_tzset(location->time_zone ? location->time_zone : "UTC");
	struct pg_tm local;
	fsec_t		microseconds;
	int			offset;
	DateADT		day;

	if (!zone || timestamp2tm(now, &offset, &local, &microseconds, NULL, zone) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("location \"%s\" has an unknown time_zone \"%s\"", location->code, location->time_zone)));
	day = date2j(local.tm_year, local.tm_mon, local.tm_mday) - POSTGRES_EPOCH_JDATE;
	if (location->has_cutoff &&
		((local.tm_hour * MINS_PER_HOUR + local.tm_min) * SECS_PER_MINUTE + local.tm_sec) * USECS_PER_SEC + microseconds
		>= location->cutoff)
		day++;
	return day;
}

/*
 * oms_end_of_day returns the last second of a day by a location's clock.
 */
TimestampTz
oms_end_of_day(const SourceLocation *location, DateADT day)
{
	pg_tz	   *zone = pg_tzset(location->time_zone ? location->time_zone : "UTC");
	struct pg_tm local = {.tm_hour = 23, .tm_min = 59, .tm_sec = 59};
	int			offset;
	TimestampTz end;

	j2date(day + POSTGRES_EPOCH_JDATE, &local.tm_year, &local.tm_mon, &local.tm_mday);
	offset = DetermineTimeZoneOffset(&local, zone ? zone : pg_tzset("UTC"));
	if (tm2timestamp(&local, 0, &offset, &end) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	return end;
}

/*
 * limit_places says which places have a daily capacity, and what it is.  Returns
 * whether there are any.
 */
static bool
limit_places(const Sourcing *sourcing, World *world)
{
	bool		any = false;

	for (int i = 0; i < world->nplaces; i++)
	{
		Place	   *place = &world->places[i];
		const SourceLocation *location = sourcing->is_hold || oms_rules_are_empty(sourcing->book) ? NULL
			: oms_location_of(world, i, sourcing->book);

		place->is_limited = location && location->daily_capacity >= 0;
		if (!place->is_limited)
			continue;
		any = true;
		place->day = oms_day_of(location);
		place->most = place->room = location->daily_capacity;
	}
	return any;
}

/*
 * compare_places orders places by code, as rows are locked.
 */
static int
compare_places(const void *a, const void *b)
{
	return strcmp((*(Place *const *) a)->code, (*(Place *const *) b)->code);
}

/*
 * make_missing makes the rows of days on which nothing was given yet.  Places whose
 * row is being made by another session are full where that may not be waited for.
 */
static void
make_missing(Store *store, Place **places, int count, bool waits)
{
	Array	   *locations = oms_array(TEXTOID, count);
	Array	   *days = oms_array(DATEOID, count);

	for (int i = 0; i < count; i++)
	{
		const char *day = psprintf("%d", places[i]->day);

		if (places[i]->has_row || !(waits ? oms_stand_in_line(store, QUEUE_LOAD, places[i]->code, day)
									: oms_step_in_line(store, QUEUE_LOAD, places[i]->code, day)))
			continue;
		oms_array_add_text(locations, places[i]->code);
		oms_array_add(days, DateADTGetDatum(places[i]->day));
	}
	if (locations->count > 0)
		(void) oms_run(store, &make_rows, (Datum[]) {oms_array_datum(locations), oms_array_datum(days)});
}

/*
 * read_rooms reads what is left of the places' days: less than nothing, where the
 * capacity was lowered since.
 */
static void
read_rooms(Store *store, const StoreQuery *query, Place **places, int count)
{
	Array	   *locations = oms_array(TEXTOID, count);
	Array	   *days = oms_array(DATEOID, count);
	uint64		found;

	for (int i = 0; i < count; i++)
	{
		oms_array_add_text(locations, places[i]->code);
		oms_array_add(days, DateADTGetDatum(places[i]->day));
		places[i]->has_row = false;
		places[i]->room = places[i]->most;
	}
	found = oms_run(store, query, (Datum[]) {oms_array_datum(locations), oms_array_datum(days)});
	for (uint64 i = 0; i < found; i++)
	{
		Place	   *place = places[oms_column_int64(i, 1) - 1];

		place->has_row = true;
		place->room = place->most - oms_column_int64(i, 2);
	}
}

/*
 * room_of returns how much room a place has once units are given back there, of which
 * read_rooms has read what is left.  An order whose own units these are may have as much
 * again, though its day has too much: it goes another way and stays there.
 */
static int64
room_of(const Sourcing *sourcing, const Place *place)
{
	const Loads *list = sourcing->loads_back;
	int64		back = 0;

	for (int i = 0; list && i < list->count; i++)
	{
		if (list->loads[i].day == place->day && strcmp(list->loads[i].location, place->code) == 0)
			back -= list->loads[i].units;
	}
	return Max(sourcing->held ? back : 0, place->room + back);
}

/*
 * oms_read_loads reads how much room places have for their day.  What the same
 * statement gives back there counts in.
 */
void
oms_read_loads(Store *store, const Sourcing *sourcing, World *world, LoadsLock lock)
{
	Place	  **places;
	int			count = 0;

	if (!limit_places(sourcing, world))
		return;
	places = palloc_extended((world->nplaces + 1) * sizeof(Place *), MCXT_ALLOC_HUGE);
	for (int i = 0; i < world->nplaces; i++)
	{
		if (world->places[i].is_limited)
			places[count++] = &world->places[i];
	}
	qsort(places, count, sizeof(Place *), compare_places);
	read_rooms(store, &read_rows, places, count);
	if (lock != LOADS_READ)
	{
		make_missing(store, places, count, lock == LOADS_LOCK);
		read_rooms(store, lock == LOADS_LOCK ? &lock_rows : &lock_rows_at_hand, places, count);
	}
	for (int i = 0; i < count; i++)
	{
		/* days that another session has locked are full */
		if (lock == LOADS_LOCK_AT_HAND && !places[i]->has_row)
			places[i]->room = 0;
		else
			places[i]->room = room_of(sourcing, places[i]);
	}
}

/*
 * oms_loads makes an empty list.
 */
Loads *
oms_loads(int capacity)
{
	Loads	   *list = palloc(sizeof(Loads));

	list->count = 0;
	list->capacity = Max(capacity, 4);
	list->loads = palloc(list->capacity * sizeof(Load));
	return list;
}

/*
 * oms_load adds units of a location's day to the list.
 */
Load *
oms_load(Loads *list, const char *location, DateADT day, int64 units)
{
	Load	   *load;

	if (list->count == list->capacity)
	{
		list->capacity *= 2;
		list->loads = repalloc_huge(list->loads, list->capacity * sizeof(Load));
	}
	load = &list->loads[list->count++];
	*load = (Load) {.location = location, .day = day, .units = units};
	return load;
}

/*
 * oms_loads_of_plan returns what a plan and what is given back do to days.
 */
Loads *
oms_loads_of_plan(const Sourcing *sourcing)
{
	Loads	   *list = oms_loads(4);

	for (int i = 0; sourcing->loads_back && i < sourcing->loads_back->count; i++)
	{
		const Load *back = &sourcing->loads_back->loads[i];

		(void) oms_load(list, back->location, back->day, back->units);
	}
	for (int i = 0; i < sourcing->npieces; i++)
	{
		const Piece *piece = &sourcing->pieces[i];
		Load	   *load;

		if (!piece->is_limited)
			continue;
		load = oms_load(list, piece->location, piece->load_day, piece->quantity);
		load->most = piece->most;
		load->is_limited = true;
		load->is_first = piece->is_first_load;
	}
	return list;
}

/*
 * compare_loads orders by row, as they are locked.
 */
static int
compare_loads(const void *a, const void *b)
{
	const Load *left = a;
	const Load *right = b;
	int			order = strcmp(left->location, right->location);

	return order != 0 ? order : left->day < right->day ? -1 : left->day > right->day;
}

/*
 * merge leaves one load for each row.
 */
static void
merge(Loads *list)
{
	int			kept = 0;

	qsort(list->loads, list->count, sizeof(Load), compare_loads);
	for (int i = 0; i < list->count; i++)
	{
		Load	   *to = kept > 0 ? &list->loads[kept - 1] : NULL;

		if (!to || compare_loads(to, &list->loads[i]) != 0)
		{
			list->loads[kept++] = list->loads[i];
			continue;
		}
		to->units += list->loads[i].units;
		to->most = Max(to->most, list->loads[i].most);
		to->is_limited |= list->loads[i].is_limited;
		to->is_first |= list->loads[i].is_first;
	}
	list->count = kept;
}

/*
 * make_first makes the rows of days on which nothing was given yet.
 */
static void
make_first(Store *store, const Loads *list)
{
	Array	   *locations = oms_array(TEXTOID, 4);
	Array	   *days = oms_array(DATEOID, 4);

	for (int i = 0; i < list->count; i++)
	{
		if (!list->loads[i].is_first)
			continue;
		(void) oms_stand_in_line(store, QUEUE_LOAD, list->loads[i].location, psprintf("%d", list->loads[i].day));
		oms_array_add_text(locations, list->loads[i].location);
		oms_array_add(days, DateADTGetDatum(list->loads[i].day));
	}
	if (locations->count > 0)
		(void) oms_run(store, &make_rows, (Datum[]) {oms_array_datum(locations), oms_array_datum(days)});
}

/*
 * oms_loads_apply writes a list.  Returns false where a day has no room; the others
 * are written then, and the caller rolls back.
 */
bool
oms_loads_apply(Store *store, Loads *list)
{
	Array	   *arrays[4];
	Datum		args[4];

	if (list->count == 0)
		return true;
	merge(list);
	make_first(store, list);
	for (int i = 0; i < 4; i++)
		arrays[i] = oms_array(i == 0 ? TEXTOID : i == 1 ? DATEOID : INT8OID, list->count);
	for (int i = 0; i < list->count; i++)
	{
		const Load *load = &list->loads[i];

		oms_array_add_text(arrays[0], load->location);
		oms_array_add(arrays[1], DateADTGetDatum(load->day));
		oms_array_add_int64(arrays[2], load->units);
		if (load->is_limited && load->units > 0)
			oms_array_add_int64(arrays[3], load->most);
		else
			oms_array_add_null(arrays[3]);
	}
	for (int i = 0; i < 4; i++)
		args[i] = oms_array_datum(arrays[i]);
	return oms_run(store, &change_rows, args) == list->count;
}

/*
 * oms_loads_give_back writes a list of what is given back; the rows exist.
 */
void
oms_loads_give_back(Store *store, Loads *list)
{
	if (!oms_loads_apply(store, list))
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("the day of location \"%s\" has no row in location_loads", list->loads[0].location),
				 errhint("Run SELECT * FROM oms.repair_store(%s).", quote_literal_cstr(store->name))));
}

/*
 * oms_make_missing_loads makes rows that fulfillments speak of and that are not
 * there, for repair.
 */
void
oms_make_missing_loads(const Store *store)
{
	if (SPI_execute(psprintf("INSERT INTO %s.location_loads (location, day) SELECT location, day FROM (%s) r ON CONFLICT DO NOTHING",
							 store->quoted_name, oms_rule_query(store, LOADS_RULE)), false, 0) != SPI_OK_INSERT)
		elog(ERROR, "rows of location_loads cannot be made");
}
