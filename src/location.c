/*
 * location.c
 *	  What a row of locations cannot say.
 *
 * Reached by trigger oms_recheck on locations and methods through lifecycle.c.
 * The methods that a location offers are a list, which has no foreign key, so
 * what one would do is done here: who names a method locks it against removal,
 * and who has removed one looks for names with the latest snapshot.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "pgtime.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"

#include "location.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"
#include "transition.h"

static const StoreQuery lock_methods = {
	"SELECT m.code FROM (SELECT DISTINCT u.code FROM ROWS FROM (pg_catalog.unnest($1)) AS u(code)) w"
	" JOIN @.methods m ON m.code" EQ "w.code ORDER BY m.code FOR KEY SHARE OF m",
	1, {TEXTARRAYOID}
};

static const StoreQuery find_offers = {
	"SELECT l.code FROM @.locations l WHERE $1" EQ "ANY (l.methods) ORDER BY l.code LIMIT 1", 1, {TEXTOID}
};

/*
 * require_time_zone refuses a name that is no time zone's.
 */
static void
require_time_zone(const TriggerData *trigger, HeapTuple row)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	int			column = SPI_fnumber(tupdesc, "time_zone");
	char	   *name = SPI_getvalue(row, tupdesc, column);
	pg_tz	   *zone = name ? pg_tzset(name) : NULL;

	if (name && (!zone || !pg_tz_acceptable(zone)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" not recognized", oms_clip(name)),
				 errhint("SELECT name FROM pg_timezone_names lists those that are."),
				 errtablecol(trigger->tg_relation, column)));
}

/*
 * is_found tells whether a method is among the rows that a query returned.
 */
static bool
is_found(const char *method, uint64 count)
{
	for (uint64 i = 0; i < count; i++)
	{
		if (strcmp(oms_column_name(i, 1), method) == 0)
			return true;
	}
	return false;
}

/*
 * require_methods refuses a list that names a method which does not exist.
 */
static void
require_methods(Store *store, const TriggerData *trigger, HeapTuple row, Datum methods)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	OwnerScope	scope;
	uint64		found;
	Datum	   *names;
	bool	   *nulls;
	int			count;

	deconstruct_array(DatumGetArrayTypeP(methods), TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls, &count);
	oms_become_owner(store, &scope);
	oms_spi_begin();
	found = oms_write_latest(store, &lock_methods, &methods);
	for (int i = 0; i < count; i++)
	{
		if (!nulls[i] && !is_found(TextDatumGetCString(names[i]), found))
			ereport(ERROR,
					(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
					 errmsg("location \"%s\" offers method \"%s\", which does not exist",
							SPI_getvalue(row, tupdesc, SPI_fnumber(tupdesc, "code")), oms_clip(TextDatumGetCString(names[i]))),
					 errhint("Insert it into methods first; NULL says that the location offers all."),
					 errtablecol(trigger->tg_relation, SPI_fnumber(tupdesc, "methods"))));
	}
	oms_spi_end();
	oms_leave_owner(&scope);
}

/*
 * oms_recheck_location judges a row of locations once it is written.
 */
void
oms_recheck_location(Store *store, TriggerData *trigger)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	bool		is_update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	HeapTuple	row = is_update ? trigger->tg_newtuple : trigger->tg_trigtuple;
	int			column = oms_require_column(tupdesc, "methods", TEXTARRAYOID);
	bool		isnull;
	bool		was_null = true;
	Datum		methods = SPI_getbinval(row, tupdesc, column, &isnull);
	Datum		before = is_update ? SPI_getbinval(trigger->tg_trigtuple, tupdesc, column, &was_null) : (Datum) 0;

	require_time_zone(trigger, row);
	if (!isnull && (was_null || !datum_image_eq(methods, before, false, -1)))
		require_methods(store, trigger, row, methods);
}

/*
 * oms_recheck_method refuses to remove a method that a location offers.
 */
void
oms_recheck_method(Store *store, TriggerData *trigger)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	char	   *code = SPI_getvalue(trigger->tg_trigtuple, tupdesc, SPI_fnumber(tupdesc, "code"));
	OwnerScope	scope;

	oms_become_owner(store, &scope);
	oms_spi_begin();
	if (oms_run_latest(store, &find_offers, (Datum[]) {CStringGetTextDatum(code)}) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("method \"%s\" cannot be removed: location \"%s\" offers it", code, oms_column_name(0, 1)),
				 errhint("Take it out of locations.methods first."),
				 errtable(trigger->tg_relation)));
	oms_spi_end();
	oms_leave_owner(&scope);
}
