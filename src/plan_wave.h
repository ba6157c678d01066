/*
 * plan_wave.h
 *	  What the files of oms.plan_wave share: orders that are planned together.
 */
#ifndef OMS_PLAN_WAVE_H
#define OMS_PLAN_WAVE_H

#include "sourcing_plan.h"
#include "wave.h"

/* A line of a fulfillment that may go from elsewhere. */
typedef struct WaveHolding
{
	pg_uuid_t	fulfillment_id; /* first: sorted by it, then by ... */
	pg_uuid_t	line_id;
	int			demand;			/* of its way, whose units they are */
	const char *number;
	const char *workflow;
	const char *status;
	const char *location;
	int			place;			/* -1: none that could be chosen today */
	int64		quantity;
	int64		revision;		/* of the fulfillment */
	int64		order_revision;
	bool		has_day;		/* it counts into a location's day: ... */
	DateADT		day;			/* ... that one */
	TimestampTz promised_at;	/* DT_NOEND: it was not */
} WaveHolding;

/* What of an order goes one way: an order of the wave's. */
typedef struct WaveWay
{
	Demand	   *demands;		/* lines of the problem, by their numbers */
	int			ndemands;
	WaveHolding *holdings;
	int			nholdings;
	TimestampTz *promised_at;	/* of each demand, what was promised first */
	int		   *places;			/* of each of its locations, the best first */
	int64	   *fixed_money;	/* of each of its locations, in 1/10,000 */
	int64	   *pair_money;		/* of each of its pairs, likewise */
} WaveWay;

/* Orders that are planned together. */
typedef struct JointPlan
{
	Store	   *store;
	Sourcing	sourcing;		/* all demands */
	World		world;
	Planner		planner;
	WaveWay    *ways;
	int			nways;
	int			norders;
	int		   *sku_of;			/* of each supply, from 0 */
	int64		scale;			/* of the problem's costs: what the least
								 * money counts; 1: ties are not broken */
	int64		most_shipments; /* that any plan has */
	WaveProblem problem;
} JointPlan;

/* What came of it, in 1/10,000 of the store's money. */
typedef struct JointResult
{
	int64		cost_before;
	int64		cost_after;
	int64		lower_bound;
	int64		orders_changed;
} JointResult;

/* Units of a demand at a place, before and after. */
typedef struct WaveMove
{
	int			demand;			/* of the way */
	int			place;
	int			cell;			/* supply of the world */
	int64		before;
	int64		after;
	int64		money;			/* a unit */
	bool		stays;			/* all that comes from the place does */
} WaveMove;

/* A way that is to change. */
typedef struct WayChange
{
	const WaveWay *way;
	WaveMove   *moves;			/* by place */
	int			nmoves;
	int64		gain;
	bool		is_out;			/* it stays as it is after all */
} WayChange;

/* A supply that changes touch, all added up. */
typedef struct WaveCell
{
	bool		is_touched;
	bool		is_there;		/* its row is locked */
	int64		available;
	int64		net;			/* units that are taken more */
	int			takers;			/* moves that get more there than before */
	int64		leaves;			/* what the channels of those must leave */
} WaveCell;

typedef struct WaveApplier
{
	JointPlan  *joint;
	WayChange  *changes;
	int			count;
	WaveCell   *cells;			/* of each supply */
	int64	   *loads;			/* of each place: units that its day gets more */
} WaveApplier;

/* plan_wave_read.c */
extern WaveHolding *oms_read_wave_holdings(Store *store, const Array *fulfillments, Demand **demands, int **ways, int *count);
extern void oms_read_joint_plan(JointPlan *joint, const Array *fulfillments);

/* plan_wave_pose.c */
extern void oms_pose_joint_plan(JointPlan *joint);
extern int	oms_wave_pair(const WaveOrder *order, int line, int location);

/* plan_wave_share.c */
extern void oms_wave_number_skus(JointPlan *joint);
extern void oms_wave_share(JointPlan *joint);

/* plan_wave_price.c */
extern void oms_wave_price(JointPlan *joint, WaveOrder *orders);

/* plan_wave_choose.c */
extern int	oms_compare_wave_holdings(const void *a, const void *b);
extern void oms_lock_joint_plan(WaveApplier *applier, OwnerScope *scope);

/* plan_wave_apply.c */
extern int64 oms_wave_money(const WaveWay *way, const WaveOrder *order, const SplitFlow *flows, int nflows);
extern void oms_apply_joint_plan(JointPlan *joint, const WavePlan *plan, OwnerScope *scope, JointResult *result);

#endif							/* OMS_PLAN_WAVE_H */
