/*
 * transition.c
 *	  Walking a statement's transition table in C, column by name.
 *
 * For tables of which the engine needs a few columns of each row; moves.c,
 * which looks at whole rows, has its own loop.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "oms.h"
#include "transition.h"

/*
 * oms_walk_begin starts at the first row.
 */
void
oms_walk_begin(Walk *walk, const TriggerData *trigger, Tuplestorestate *rows)
{
	walk->tupdesc = RelationGetDescr(trigger->tg_relation);
	walk->rows = rows;
	walk->slot = MakeSingleTupleTableSlot(walk->tupdesc, &TTSOpsMinimalTuple);
	tuplestore_rescan(rows);
}

/*
 * oms_walk_next goes to the next row; false after the last.
 */
bool
oms_walk_next(Walk *walk)
{
	return tuplestore_gettupleslot(walk->rows, true, false, walk->slot);
}

/*
 * oms_walk_end lets go of the slot.
 */
void
oms_walk_end(Walk *walk)
{
	ExecDropSingleTupleTableSlot(walk->slot);
}

/*
 * oms_walk_column returns the number of a column that the layout promises.
 */
int
oms_walk_column(const Walk *walk, const char *name)
{
	int			number = SPI_fnumber(walk->tupdesc, name);

	if (number <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_STORE_LAYOUT),
				 errmsg("column \"%s\" is missing", name)));
	return number;
}

/*
 * oms_walk_value and the others return a field of the current row, the last
 * three of columns that are not NULL; a NULL text comes back as NULL.
 */
Datum
oms_walk_value(const Walk *walk, int column, bool *isnull)
{
	return slot_getattr(walk->slot, column, isnull);
}

char *
oms_walk_text(const Walk *walk, int column)
{
	bool		isnull;
	Datum		value = slot_getattr(walk->slot, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

int64
oms_walk_int64(const Walk *walk, int column)
{
	bool		isnull;

	return DatumGetInt64(slot_getattr(walk->slot, column, &isnull));
}

pg_uuid_t
oms_walk_uuid(const Walk *walk, int column)
{
	bool		isnull;

	return *DatumGetUUIDP(slot_getattr(walk->slot, column, &isnull));
}
