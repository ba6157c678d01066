/*
 * repair.h
 *	  Mending what follows from something else.
 */
#ifndef OMS_REPAIR_H
#define OMS_REPAIR_H

#include "rows.h"
#include "store.h"

/* What was changed, a column of a row at a time. */
typedef struct Repairs
{
	Array	   *tables;
	Array	   *keys;
	Array	   *columns;
	Array	   *was;
	Array	   *became;
	Array	   *order_ids;		/* NULL: of no order */
} Repairs;

/* While it lasts, no trigger fires and names are PostgreSQL's own. */
typedef struct Quiet
{
	int			guc_level;
} Quiet;

extern void oms_repair_quietly(Quiet *quiet);
extern void oms_repair_aloud(const Quiet *quiet);
extern void oms_repair_note(Repairs *repairs, const char *table, const char *key, const char *column,
							const char *was, const char *became, const pg_uuid_t *order_id);

extern bool oms_repair_is_refusal(const ErrorData *error);

/* repair_bundle.c */
extern void oms_repair_bundles(Store *store, Repairs *repairs);

/* repair_stock.c */
extern char *oms_repair_stock_source(const Store *store);
extern void oms_repair_make_stock(const Store *store);
extern void oms_repair_give_way(Store *store, Repairs *repairs);

#endif							/* OMS_REPAIR_H */
