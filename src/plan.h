/*
 * plan.h
 *	  Queries and their kept plans: the SPI ceremony, in one place.
 *
 * A file states its queries as constants at its top and runs them by
 * oms_run(store, &query, args).  In the text, "@." stands for the store's
 * quoted name and a dot.  Operators are written with the macros below: a
 * kept plan does not pin search_path, so a bare operator could be hijacked.
 */
#ifndef OMS_PLAN_H
#define OMS_PLAN_H

#include "executor/spi.h"

#include "store.h"

#define OMS_MAX_ARGS 24

typedef struct StoreQuery
{
	const char *text;
	int			nargs;
	Oid			args[OMS_MAX_ARGS];
} StoreQuery;

#define EQ " OPERATOR(pg_catalog.=) "
#define NE " OPERATOR(pg_catalog.<>) "
#define LT " OPERATOR(pg_catalog.<) "
#define LE " OPERATOR(pg_catalog.<=) "
#define GT " OPERATOR(pg_catalog.>) "
#define GE " OPERATOR(pg_catalog.>=) "
#define PLUS " OPERATOR(pg_catalog.+) "
#define MINUS " OPERATOR(pg_catalog.-) "
#define TIMES " OPERATOR(pg_catalog.*) "
#define OVER " OPERATOR(pg_catalog./) "
#define CONCAT " OPERATOR(pg_catalog.||) "

/* Takes a row of a query that is running. */
typedef void (*RowReader) (TupleTableSlot *row, void *state);

extern void oms_plan_init(void);
extern void oms_spi_begin(void);
extern void oms_spi_end(void);
extern uint64 oms_run(Store *store, const StoreQuery *query, const Datum *args);
extern uint64 oms_run_nulls(Store *store, const StoreQuery *query, const Datum *args,
							const char *nulls);
extern uint64 oms_run_each(Store *store, const StoreQuery *query, const Datum *args, RowReader read, void *state);
extern uint64 oms_run_latest(Store *store, const StoreQuery *query, const Datum *args);
extern uint64 oms_write_latest(Store *store, const StoreQuery *query, const Datum *args);
extern uint64 oms_run_reading(Store *store, const StoreQuery *query, const Datum *args);
extern uint64 oms_run_reading_nulls(Store *store, const StoreQuery *query, const Datum *args,
									const char *nulls);
extern ErrorData *oms_try(void (*run) (Store *store, void *argument), Store *store, void *argument);
extern void oms_forget_plans(Store *store);
extern void oms_refuse_interference(const char *table);

#endif							/* OMS_PLAN_H */
