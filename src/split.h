/*
 * split.h
 *	  Splitting what is wanted over locations at the least cost.
 *
 * Lines want units; locations have some of them, at a cost each, and a cost of
 * their own once they ship anything.  A plan says how many units of each line
 * come from where.  oms_split_solve finds the cheapest, and says whether it has
 * proven that there is none better.
 *
 * All numbers are integers.  A unit that nobody ships costs its line's penalty.
 *
 * The kernel knows nothing of tables or of the server: it takes arrays and
 * leaves a plan.  Compiled with -DOMS_STANDALONE it stands alone, for
 * benchmarks and tests.
 */
#ifndef OMS_SPLIT_H
#define OMS_SPLIT_H

#ifdef OMS_STANDALONE
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t uint8;
typedef uint32_t uint32;
typedef int32_t int32;
typedef int64_t int64;

#define Assert(condition)	assert(condition)
#define Min(a, b)			((a) < (b) ? (a) : (b))
#define Max(a, b)			((a) > (b) ? (a) : (b))
#define INT64CONST(x)		INT64_C(x)
#define PG_INT32_MAX		INT32_MAX
#define PG_INT64_MAX		INT64_MAX
#ifndef palloc
#define palloc(size)		malloc(size)
#define palloc0(size)		calloc(1, size)
#define pfree(pointer)		free(pointer)
#endif
#ifndef AllocSetContextCreate
typedef void *MemoryContext;

#define ALLOCSET_DEFAULT_SIZES	0
#define AllocSetContextCreate(parent, name, sizes)	NULL
#define MemoryContextSwitchTo(context)	(context)
#define MemoryContextReset(context) ((void) (context))
#define MemoryContextDelete(context)	((void) (context))
#endif
#ifndef CHECK_FOR_INTERRUPTS
#define CHECK_FOR_INTERRUPTS()	((void) 0)
#endif
#endif

#define SPLIT_MAX_LINES		10000
#define SPLIT_MAX_LOCATIONS 1024
#define SPLIT_MAX_ARCS		1000000
#define SPLIT_UNLIMITED		(-1)

typedef struct SplitProblem
{
	int			nlines;
	const int64 *quantity;		/* of each line: units wanted */
	const int64 *penalty;		/* of each line: cost of a unit not shipped */

	int			nlocations;
	const int64 *fixed_cost;	/* of each location, once it ships */
	const int64 *capacity;		/* units that each can ship, SPLIT_UNLIMITED;
								 * NULL: all are */
	const int32 *priority;		/* of each, 1 is best; NULL: their position */

	/* pairs of a line and a location that could ship units of it */
	int			narcs;
	const int32 *arc_line;		/* from 0 */
	const int32 *arc_location;	/* from 0 */
	const int64 *arc_available; /* units */
	const int64 *arc_cost;		/* of each unit */

	bool		by_shipments;	/* fewest units left, then fewest locations,
								 * then cost */
	int			max_shipments;	/* locations that may ship; 0: all */
	int			node_limit;		/* of the search, before it gives up proving */
	int			forced;			/* a location that must ship at least a unit;
								 * -1: none */
} SplitProblem;

/* So many units of a line from a location. */
typedef struct SplitFlow
{
	int32		line;
	int32		location;
	int64		quantity;
} SplitFlow;

typedef struct SplitPlan
{
	int64		objective;
	int64		bound;			/* no plan is better than this */
	bool		proven;			/* the plan is the best there is */
	bool		impossible;		/* there is none: the forced location has
								 * nothing that is wanted, or ships nothing */
	int			shipments;		/* locations that ship */
	int64		unfilled;		/* units that nobody ships */
	int			nflows;
	SplitFlow  *flows;			/* by location, then line */
	int			nodes;			/* of the search */
} SplitPlan;

/* What is wrong with a problem. */
typedef enum SplitFault
{
	SPLIT_SOUND,
	SPLIT_TOO_MANY_LINES,
	SPLIT_TOO_MANY_LOCATIONS,
	SPLIT_TOO_MANY_ARCS,
	SPLIT_NEGATIVE_QUANTITY,
	SPLIT_NEGATIVE_PENALTY,
	SPLIT_NEGATIVE_FIXED_COST,
	SPLIT_NEGATIVE_CAPACITY,
	SPLIT_NEGATIVE_AVAILABLE,
	SPLIT_NEGATIVE_COST,
	SPLIT_NO_SUCH_LINE,
	SPLIT_NO_SUCH_LOCATION,
	SPLIT_ARC_TWICE,
	SPLIT_LINE_OVERFLOWS,
	SPLIT_LOCATION_OVERFLOWS,
	SPLIT_NEGATIVE_LIMIT
} SplitFault;

extern SplitFault oms_split_check(const SplitProblem *problem, int *element);
extern void oms_split_solve(const SplitProblem *problem, SplitPlan *plan);

#endif							/* OMS_SPLIT_H */
