/*
 * sourcing_plan.h
 *	  The plan: which location serves which units.
 *
 * What demands of one order go the same way, by method and destination, is a
 * problem: lines that want units, places that have some.  It is solved by the
 * kernel (split.h), in rounds: what a round leaves over, the next one asks for
 * in smaller parts.
 */
#ifndef OMS_SOURCING_PLAN_H
#define OMS_SOURCING_PLAN_H

#include "sourcing_cost.h"
#include "split.h"
#include "supply.h"

/* What a plan is made with. */
typedef struct Planner
{
	Store	   *store;
	Sourcing   *sourcing;
	World	   *world;
	MemoryContext context;		/* in which the pieces lie */
	MemoryContext scratch;		/* for one problem */
	int		   *untracked;		/* places that keep their own books */
	int			nuntracked;
	Costs	   *costs;			/* NULL: nothing costs anything */
	bool		counts_places;	/* the fewest places are asked for, whatever
								 * they cost */
} Planner;

#define DEFAULT_NODE_LIMIT 5000

/* How far a round takes apart what belongs together. */
typedef enum PlanRound
{
	ROUND_WHOLE,				/* ship groups from one place */
	ROUND_KITS,					/* kits from one place each */
	ROUND_UNITS,				/* whatever there is */
	ROUND_REST					/* and warranties whose goods have no place */
} PlanRound;

typedef enum PlanLineKind
{
	LINE_TOGETHER,				/* all from one place: quantity 1 */
	LINE_KITS,					/* whole kits of a bundle */
	LINE_UNITS					/* units of one SKU */
} PlanLineKind;

/* A line as the kernel sees it: members are demands, by SKU. */
typedef struct PlanLine
{
	PlanLineKind kind;
	Demand	  **members;
	int			nmembers;
	int64		quantity;
} PlanLine;

/*
 * A problem of one order.  Locations of the kernel are the places that any line
 * could use, in the order in which the plan prefers them.
 */
typedef struct PlanProblem
{
	Demand	  **demands;		/* that go the same way, by line */
	int			count;
	int			pickup;			/* place where the customer collects, or -1 */
	int			forced;			/* place that must ship something, or -1 */
	uint8	   *is_open;		/* of each place: ships already */
	int			nopen;

	PlanRound	round;
	PlanLine   *lines;			/* of this round, by SKU */
	int			nlines;
	int		   *places;			/* of each location of the kernel */
	int64		scale;			/* of its costs: what the least money counts */
	SplitProblem split;
} PlanProblem;

/*
 * To solve an order's problems without taking anything: oms_read_world,
 * oms_plan_begin, oms_plan_problems; then for each oms_plan_problem,
 * oms_plan_lines and, unless oms_plan_pose finds nothing, oms_split_solve, with
 * split.forced set where one wants.  What a plan costs in money is its objective
 * over scale, without penalties: oms_shipment_cost and oms_demand_cost say it exactly.
 */

/* sourcing_plan.c */
extern void oms_plan_begin(Planner *planner, Store *store, Sourcing *sourcing, World *world);
extern void oms_plan_problem(Planner *planner, PlanProblem *problem);
extern PlanProblem *oms_plan_problems(const Planner *planner, int first, int next, int *count);
extern void oms_solve_problem(Planner *planner, PlanProblem *problem);
extern void oms_plan_rounds(Planner *planner, PlanProblem *problem, int first);
extern int	oms_compare_ways(const Demand *a, const Demand *b);
extern bool oms_is_same_way(const Demand *a, const Demand *b);

/* fewest.c */
extern int	oms_plan_fewest(Planner *planner, PlanProblem *problem, int first);

/* sourcing_lines.c */
extern int	oms_compare_optional(const char *a, const char *b);
extern void oms_plan_lines(Planner *planner, PlanProblem *problem);

/* sourcing_problem.c */
extern bool oms_plan_pose(const Planner *planner, PlanProblem *problem);

/* sourcing_price.c */
extern void oms_plan_price(const Planner *planner, PlanProblem *problem, int64 most);

/* sourcing_apply.c */
extern bool oms_plan_apply(Planner *planner, PlanProblem *problem, const SplitPlan *plan);

/* sourcing_pieces.c */
extern bool oms_may_serve(const Planner *planner, int place, const Demand *demand);
extern int64 oms_can_give(const Planner *planner, int place, const Demand *demand);
extern int64 oms_given_by(const Planner *planner, int place, const Demand *demand, const Supply *supply);
extern bool oms_can_give_all(const Planner *planner, int place, Demand **demands, int count);
extern int64 oms_kits_at(const Planner *planner, const PlanLine *line, int place);
extern int64 oms_take_piece(Planner *planner, Demand *demand, int place, int64 most, bool only_held);
extern bool oms_take_all(Planner *planner, Demand **demands, int count, int place);
extern void oms_take_back(Planner *planner, int before);
extern void oms_take_again(Planner *planner, const Piece *pieces, int count);
extern void oms_join_pieces(Sourcing *sourcing, int first);

#endif							/* OMS_SOURCING_PLAN_H */
