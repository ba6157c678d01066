/*
 * transition.h
 *	  Walking a statement's transition table in C, column by name.
 */
#ifndef OMS_TRANSITION_H
#define OMS_TRANSITION_H

#include "commands/trigger.h"
#include "executor/tuptable.h"
#include "utils/tuplestore.h"
#include "utils/uuid.h"

typedef struct Walk
{
	TupleDesc	tupdesc;
	Tuplestorestate *rows;
	TupleTableSlot *slot;
} Walk;

extern void oms_walk_begin(Walk *walk, const TriggerData *trigger, Tuplestorestate *rows);
extern bool oms_walk_next(Walk *walk);
extern void oms_walk_end(Walk *walk);
extern int	oms_walk_column(const Walk *walk, const char *name, Oid type);
extern int	oms_require_column(TupleDesc tupdesc, const char *name, Oid type);
extern Datum oms_field(TupleDesc tupdesc, HeapTuple row, const char *name, Oid type, bool *isnull);
extern char *oms_text_field(const TriggerData *trigger, const char *name);
extern Datum oms_walk_value(const Walk *walk, int column, bool *isnull);
extern char *oms_walk_text(const Walk *walk, int column);
extern int64 oms_walk_int64(const Walk *walk, int column);
extern pg_uuid_t oms_walk_uuid(const Walk *walk, int column);

#endif							/* OMS_TRANSITION_H */
