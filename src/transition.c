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
#include "utils/datum.h"
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
 * oms_require_column returns the number of a column that the layout promises,
 * with its type: the owner of a store may have altered the table, or made one
 * of another kind fire our functions.
 */
int
oms_require_column(TupleDesc tupdesc, const char *name, Oid type)
{
	int			number = SPI_fnumber(tupdesc, name);

	if (number <= 0 || TupleDescAttr(tupdesc, number - 1)->atttypid != type)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_STORE_LAYOUT),
				 errmsg("the table has no column \"%s\" of type %s", name, format_type_be(type)),
				 errhint("The engine's triggers work on a store's own tables, as oms.create_store makes them.")));
	return number;
}

/*
 * oms_walk_column does so for the table that is walked.
 */
int
oms_walk_column(const Walk *walk, const char *name, Oid type)
{
	return oms_require_column(walk->tupdesc, name, type);
}

/*
 * oms_field returns a column of a row by name.
 */
Datum
oms_field(TupleDesc tupdesc, HeapTuple row, const char *name, Oid type, bool *isnull)
{
	return SPI_getbinval(row, tupdesc, oms_require_column(tupdesc, name, type), isnull);
}

/*
 * oms_text_field returns a column of the row that the trigger was given, as text.
 */
char *
oms_text_field(const TriggerData *trigger, const char *name)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);

	return SPI_getvalue(trigger->tg_trigtuple, tupdesc, SPI_fnumber(tupdesc, name));
}

/*
 * oms_walk_value and the others return a field of the current row, the last
 * three of columns that are not NULL; a NULL text comes back as NULL.
 */
Datum
oms_walk_value(const Walk *walk, int column, bool *isnull)
{
	Form_pg_attribute attribute = TupleDescAttr(walk->tupdesc, column - 1);
	Datum		value = slot_getattr(walk->slot, column, isnull);

	/* the row may be gone once the walk goes on */
	return *isnull ? (Datum) 0 : datumCopy(value, attribute->attbyval, attribute->attlen);
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
	Datum		value = slot_getattr(walk->slot, column, &isnull);

	/* not so where somebody has dropped the NOT NULL */
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("column \"%s\" is null", NameStr(TupleDescAttr(walk->tupdesc, column - 1)->attname))));
	return *DatumGetUUIDP(value);
}
