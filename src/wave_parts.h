/*
 * wave_parts.h
 *	  What the files of the wave share: the problem as they see it, and plans in
 *	  the making.
 */
#ifndef OMS_WAVE_PARTS_H
#define OMS_WAVE_PARTS_H

#ifndef OMS_STANDALONE
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"
#endif

#include "split_parts.h"
#include "wave.h"

#define GUIDED_NODES 100		/* of the search for one order, where it is
								 * one of many */

/* A pair of a line and a location of its order. */
typedef struct WaveArc
{
	int64		cost;
	int32		line;			/* of the order */
	int32		location;		/* of the order */
	int			first_cell;		/* in Wave.cells: one for each part of the
								 * line */
} WaveArc;

typedef struct WaveFlow
{
	int			arc;			/* of all */
	int64		units;
} WaveFlow;

/*
 * The problem, as it is solved.  Costs are multiplied by scale, so that prices
 * have fractions and yet all sums are exact.  Orders' lines, locations and pairs
 * stand in arrays one after the other; a cell is stock of a SKU at a location.
 */
typedef struct Wave
{
	const WaveProblem *problem;
	WavePlan   *result;
	int64		scale;
	int			norders;
	int			ncells;
	int			nlocations;
	int		   *first_line;		/* of each order; one more at the end; and so
								 * on */
	int		   *first_source;
	int		   *first_flow;		/* of the room for its flows */
	int64	   *quantity;		/* of each line */
	int64	   *penalty;
	int64	   *size;			/* units that it counts as */
	int64	   *fixed;			/* of each location of each order */
	int		   *line_arcs;		/* of each line: its first pair, by location */
	WaveArc    *arcs;
	int		   *cells;
	int64	   *stock;			/* of each cell: no more than could be used */
	int64	   *capacity;		/* of each location; likewise */
	int		   *scarce;			/* cells that could be used up */
	int			nscarce;
	int		   *limited;		/* locations likewise */
	int			nlimited;
	uint8	   *is_tangled;		/* the order draws a SKU by two lines or parts */
	int64	   *wants;			/* of each order: all units in it */

	/* prices, and what a plan earns at most by them */
	int64	   *price;			/* of a unit of each cell */
	int64	   *toll;			/* of a unit that a location ships */
	int64		most_price;
	int64	   *best_price;
	int64	   *best_toll;
	int64		bound;

	/* room to work */
	MemoryContext scratch;
	SplitProblem split;
	int64	   *costs;			/* what split reads */
	int64	   *available;
	int32	   *lines;
	int32	   *locations;
	int64	   *limits;
	int64	   *drawn;			/* of each cell, by a tangled order */
	int64		work;			/* since go_on was asked */
	bool		is_over;		/* go_on has said no */
} Wave;

/* What single orders have: plans in the making. */
typedef struct WaveState
{
	int		   *nflows;			/* of each order */
	WaveFlow   *flows;			/* from first_flow on */
	int64	   *cost;			/* of each order */
	int64		total;
	int64	   *free;			/* of each cell */
	int64	   *room;			/* of each location */
} WaveState;

/* What an order is solved against. */
typedef struct WaveTerms
{
	const int64 *free;			/* of each cell */
	const int64 *room;			/* of each location */
	const int64 *price;			/* NULL: costs only */
	const int64 *toll;
	int			node_limit;
	bool		is_bound;		/* a bound is wanted: nothing may be left out */
} WaveTerms;

typedef struct WaveSolution
{
	int64		cost;			/* prices left out */
	int64		bound;			/* prices included */
	int			nflows;
	WaveFlow   *flows;
} WaveSolution;

/* wave_check.c */
extern int64 oms_wave_planned(const WaveOrder *order);

/* wave.c */
extern void oms_wave_report(Wave *w, const WaveState *best);

/* wave_model.c */
extern Wave *oms_wave_model(const WaveProblem *problem);

/* wave_state.c */
extern WaveState *oms_wave_state(const Wave *w);
extern void oms_wave_clear(const Wave *w, WaveState *state);
extern void oms_wave_copy(const Wave *w, WaveState *to, const WaveState *from);
extern void oms_wave_take(const Wave *w, WaveState *state, int order, const WaveSolution *solution);
extern void oms_wave_release(const Wave *w, WaveState *state, int order);
extern void oms_wave_keep(const Wave *w, const WaveState *state, int order, WaveSolution *solution);
extern WaveSolution *oms_wave_solution(const Wave *w);
extern int64 oms_wave_most_held(const Wave *w);
extern int64 oms_wave_cost(const Wave *w, int order, const WaveFlow *flows, int nflows);

/* wave_order.c */
extern void oms_wave_order(Wave *w, int order, const WaveTerms *terms, WaveSolution *solution);
extern int	oms_wave_find(const Wave *w, int order, int line, int location);
extern bool oms_wave_goes_on(Wave *w);

/* wave_price.c */
extern void oms_wave_prices(Wave *w, WaveState *best, WaveState *trial);

/* wave_improve.c */
extern void oms_wave_pass(Wave *w, WaveState *state, const int *sequence, const WaveTerms *terms);
extern bool oms_wave_fits(const Wave *w, WaveState *state, int order, const WaveSolution *solution);
extern bool oms_wave_again(Wave *w, WaveState *state, int order, WaveSolution *before, WaveSolution *now);
extern void oms_wave_polish(Wave *w, WaveState *state);

/* wave_regroup.c */
extern void oms_wave_regroup(Wave *w, WaveState *state);

#endif							/* OMS_WAVE_PARTS_H */
