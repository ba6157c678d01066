/*
 * wave.h
 *	  Splitting many orders at once that draw on the same stock.
 *
 * Each order is a problem of split.h.  What a line takes from a location, though,
 * is shared: stock of SKUs, and units that the location can ship.  Planned one by
 * one, an order takes what another one needs more; oms_wave_solve plans all of
 * them together, and says how far from the best that can still be.
 *
 * All numbers are integers.  Like the kernel, it knows nothing of tables: it takes
 * arrays and leaves plans, all in the caller's memory context.
 */
#ifndef OMS_WAVE_H
#define OMS_WAVE_H

#include "split.h"

/* of all orders together: lines; locations; pairs, each counted for every part of
 * its line */
#define WAVE_MAX_ITEMS	20000000

/* So many of a SKU in each unit of a line. */
typedef struct WavePart
{
	int32		sku;			/* from 0 */
	int64		units;			/* 1 or more */
} WavePart;

typedef struct WaveOrder
{
	/*
	 * Its lines, locations, pairs and costs; not read: arc_available and
	 * capacity, which are shared, and forced.  by_shipments must be false.
	 */
	SplitProblem split;
	const int32 *location;		/* of each of its locations: which of the
								 * wave's it is; none twice */

	/*
	 * what its lines draw: those of line i are parts[first_part[i]] up to,
	 * not with, parts[first_part[i + 1]]; every line has one at least.  A
	 * unit of a line counts as all the units in it where locations can ship
	 * only so many
	 */
	const int  *first_part;
	const WavePart *parts;

	/* what is planned now, by its own lines and locations */
	int			nflows;
	const SplitFlow *flows;
} WaveOrder;

/* Units of a SKU at a location, which the orders may use up together: what is free
 * and what they hold by what is planned now. */
typedef struct WaveStock
{
	int32		sku;
	int32		location;
	int64		units;
} WaveStock;

typedef struct WaveProblem
{
	int			nskus;
	int			nlocations;
	const int64 *capacity;		/* of each location: units that it can ship
								 * for these orders together, SPLIT_UNLIMITED;
								 * NULL: all are */
	int			nstock;
	const WaveStock *stock;		/* in any order, a pair once */
	int			norders;
	const WaveOrder *orders;
	bool		is_planned;		/* the orders' flows are what is planned now;
								 * else begin with plans made one by one */

	/*
	 * Asked every few milliseconds whether to go on; what the plan says of
	 * costs and bound is then what has been found so far.  Once it says no,
	 * no more is sought, and the best plan so far is the result.  Orders for
	 * which there was no plan yet, where none is given, then have nothing.
	 * NULL: go on.
	 */
	bool		(*go_on) (void *arg);
	void	   *arg;
} WaveProblem;

typedef struct WaveOrderPlan
{
	int64		cost;
	bool		changed;		/* it is not what was planned */
	int			nflows;
	SplitFlow  *flows;			/* by the order's own lines and locations; by
								 * location, then line */
} WaveOrderPlan;

typedef struct WavePlan
{
	int64		cost_before;	/* of all orders, as planned or one by one */
	int64		cost_after;		/* no more than that */
	int64		lower_bound;	/* no plan is cheaper */
	int			nchanged;		/* orders that are */
	WaveOrderPlan *orders;
	int64		solved;			/* single orders solved on the way */
} WavePlan;

/* What is wrong with a wave. */
typedef enum WaveFault
{
	WAVE_SOUND,
	WAVE_TOO_LARGE,				/* more than WAVE_MAX_ITEMS */
	WAVE_BAD_ORDER,				/* what oms_split_check says is wrong with it,
								 * or by_shipments */
	WAVE_NO_SUCH_LOCATION,		/* of an order, or of stock where order is -1 */
	WAVE_LOCATION_TWICE,		/* in an order */
	WAVE_NO_SUCH_SKU,			/* of an order, or of stock where order is -1 */
	WAVE_BAD_PART,				/* a line has none, one of less than a unit,
								 * or a SKU twice */
	WAVE_NEGATIVE_STOCK,
	WAVE_STOCK_TWICE,
	WAVE_NEGATIVE_CAPACITY,
	WAVE_BAD_FLOW,				/* of no pair, of less than a unit, or more of
								 * a line than it wants */
	WAVE_TOO_MANY_SHIPMENTS,	/* an order's flows come from more locations
								 * than it may */
	WAVE_STOCK_EXCEEDED,		/* the flows together take more than there is */
	WAVE_CAPACITY_EXCEEDED,
	WAVE_OVERFLOWS				/* costs add up to more than can be computed
								 * with */
} WaveFault;

/*
 * oms_wave_check says what is wrong: with which order (-1: none of them), and
 * which of its elements: a line, location, pair or flow, as the fault says, or of
 * the wave's stock or locations.  *split: out, what is wrong with a bad order.
 */
extern WaveFault oms_wave_check(const WaveProblem *problem, int *order, int *element, SplitFault *split);

/*
 * oms_wave_solve plans all orders.  The problem has been checked.  The same
 * problem has the same plan, unless go_on ends it.
 */
extern void oms_wave_solve(const WaveProblem *problem, WavePlan *plan);

#endif							/* OMS_WAVE_H */
