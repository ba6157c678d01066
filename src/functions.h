/*
 * functions.h
 *	  Guards and actions that are functions of the store.
 */
#ifndef OMS_FUNCTIONS_H
#define OMS_FUNCTIONS_H

#include "machine.h"

extern Datum oms_suppose_row(Datum row, const Mover *mover);
extern Oid	oms_store_function(Store *store, EntityKind entity, const char *name, Oid result);
extern bool oms_ask_function(Store *store, FunctionCalls *calls, EntityKind entity, const Mover *row,
							 const MachineMove *move, const char *name, StringInfo why);
extern void oms_call_function(Store *store, FunctionCalls *calls, EntityKind entity, const Mover *row,
							  const char *name);

#endif							/* OMS_FUNCTIONS_H */
