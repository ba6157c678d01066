/*
 * bundle.h
 *	  Bundles: what they are made of, and lines of that in orders.
 */
#ifndef OMS_BUNDLE_H
#define OMS_BUNDLE_H

#include "commands/trigger.h"
#include "event.h"
#include "rows.h"
#include "sourcing.h"
#include "store.h"
#include "units.h"

#define MOST_COMPONENTS 100000	/* of components, in one statement */
#define MOST_LINE_UNITS INT64CONST(1000000000000)	/* of a line, by its CHECK */

/* Lines of components, to be inserted. */
typedef struct Expansion
{
	int			count;
	struct ComponentLine *lines;
	int			nbundles;
	struct BundleLine *bundles; /* those that they are in */
	Array	   *grouped;		/* lines of warranties that get a ship_group
								 * ... */
	Array	   *groups;			/* ... their goods' */
} Expansion;

/* bundle.c */
extern void oms_queue_bundles(Store *store);
extern void oms_make_out_bundle(Store *store, const char *code);
extern void oms_act_bundle_items(Store *store, TriggerData *trigger);

/* expand.c */
extern Expansion *oms_expand_demands(Store *store, Sourcing *sourcing);
extern void oms_expansion_write(Store *store, const Expansion *expansion, UnitChanges *units, Events *events);

#endif							/* OMS_BUNDLE_H */
