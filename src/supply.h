/*
 * supply.h
 *	  What there is to plan by.
 */
#ifndef OMS_SUPPLY_H
#define OMS_SUPPLY_H

#include "utils/date.h"

#include "sourcing.h"

typedef struct Place
{
	const char *code;
	const SourceLocation *location; /* in the world's book */
	bool		tracked;
	bool		is_partner;

	/* where it has a daily capacity; see loads.c */
	bool		is_limited;
	bool		has_row;		/* something was given to it on the day */
	DateADT		day;			/* in which it does what it is given now */
	int64		most;			/* units of the day */
	int64		room;			/* of them, not taken yet */
} Place;

typedef struct Supply
{
	const char *sku;
	int			sku_no;			/* among those of which there is any */
	int			place;			/* its rank */
	int64		left;
	int64		held;			/* more than that, for the order alone */
} Supply;

typedef struct World
{
	Place	   *places;			/* by priority, then code */
	int			nplaces;
	Supply	   *supplies;		/* by SKU, then place */
	int			nsupplies;
	const RuleBook *book;		/* that it was read with */
} World;

extern bool oms_is_fit(const Place *place, const Demand *demand);
extern void oms_read_world(Store *store, Sourcing *sourcing, bool lock, World *world);
extern const SourceLocation *oms_location_of(const World *world, int place, const RuleBook *book);
extern int	oms_find_place(const World *world, const char *code);
extern Supply *oms_find_supply(const World *world, const char *sku, int place);
extern int	oms_first_supply(const World *world, const char *sku);

#endif							/* OMS_SUPPLY_H */
