/*
 * explain_plan.h
 *	  Why a plan has units come from where it does.
 */
#ifndef OMS_EXPLAIN_PLAN_H
#define OMS_EXPLAIN_PLAN_H

#include "sourcing_plan.h"

/* A plan of one problem: what it comes to. */
typedef struct Outcome
{
	int64		cost;			/* money, in 1/10,000 */
	int64		unfilled;		/* units */
	int			shipments;
	bool	   *ships;			/* of each place */
	int64	   *units;			/* of each place */
} Outcome;

/* What a place could do for a problem, before anything of it is planned. */
typedef struct Standing
{
	bool		may_serve;		/* something of it */
	bool		has;			/* something that it may serve, its day aside */
	bool		is_full;		/* its day */
	const char *why;			/* it may not serve what it has, or all */
	int64	   *gives;			/* of each demand; 0 where it may not */
	int64	   *costs;			/* a unit of each demand */
	int64		shipment;		/* what one from there costs */
} Standing;

/* explain_standing.c */
extern Standing *oms_read_standings(const Planner *planner, const PlanProblem *problem);
extern int	oms_dominator(const Planner *planner, const PlanProblem *problem, const Standing *standings, const bool *ships, int place);

/* explain_outcome.c */
extern void oms_read_outcome(const Planner *planner, const PlanProblem *problem, int first, Outcome *outcome);
extern char *oms_compare_outcomes(const Planner *planner, const Outcome *plan, const Outcome *other);

#endif							/* OMS_EXPLAIN_PLAN_H */
