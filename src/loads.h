/*
 * loads.h
 *	  How much of a location's day is taken.
 */
#ifndef OMS_LOADS_H
#define OMS_LOADS_H

#include "utils/date.h"

#include "supply.h"

/* Units that are added to a location's day, or taken off it. */
typedef struct Load
{
	const char *location;
	DateADT		day;
	int64		units;
	int64		most;			/* that the day may have by then */
	bool		is_limited;		/* it may not have more */
	bool		is_first;		/* there was no row yet */
} Load;

typedef struct Loads
{
	int			count;
	int			capacity;
	Load	   *loads;
} Loads;

/* What is done about the rows while they are read. */
typedef enum LoadsLock
{
	LOADS_READ,
	LOADS_LOCK,					/* made and locked, in their order */
	LOADS_LOCK_AT_HAND			/* those that nobody has locked; the others
								 * are full */
} LoadsLock;

#define LOADS_RULE "a location's day is loaded with what its fulfillments carry"

extern void oms_read_loads(Store *store, const Sourcing *sourcing, World *world, LoadsLock lock);
extern DateADT oms_day_of(const SourceLocation *location);
extern TimestampTz oms_end_of_day(const SourceLocation *location, DateADT day);
extern Loads *oms_loads(int capacity);
extern Load *oms_load(Loads *list, const char *location, DateADT day, int64 units);
extern Loads *oms_loads_of_plan(const Sourcing *sourcing);
extern bool oms_loads_apply(Store *store, Loads *list);
extern void oms_loads_give_back(Store *store, Loads *list);
extern void oms_make_missing_loads(const Store *store);

#endif							/* OMS_LOADS_H */
