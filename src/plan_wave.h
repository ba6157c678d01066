/*
 * plan_wave.h
 *	  What the files of oms.plan_wave share: orders that are planned together.
 */
#ifndef OMS_PLAN_WAVE_H
#define OMS_PLAN_WAVE_H

#include "sourcing_plan.h"
#include "wave.h"

/* Why something of an order is left as it is. */
typedef enum WaveSkip
{
	SKIP_NONE,
	SKIP_RELEASED,				/* somebody has begun with it */
	SKIP_WORKFLOW,				/* another than its method's, or it has no
								 * move that gives the units back for sure */
	SKIP_PARTNER,				/* a partner does it */
	SKIP_PACKAGE,				/* it is in a package */
	SKIP_WRITTEN,				/* people have written something down */
	SKIP_NO_STOCK,				/* it takes no stock */
	SKIP_APART,					/* what belongs together comes from several
								 * places */
	SKIP_LOCATION,				/* its location would not be given it today */
	SKIP_OBJECTIVE,				/* costs do not decide for its channel */
	SKIP_LARGE,					/* more than the kernel takes */
	SKIP_BUSY,					/* another session has it */
	SKIP_CHANGED,				/* it has changed meanwhile */
	SKIP_RULES,					/* rules or costs have */
	SKIP_GONE					/* stock or room is gone meanwhile */
} WaveSkip;

typedef struct SkippedOrder
{
	pg_uuid_t	order_id;
	WaveSkip	why;
} SkippedOrder;

/* A line of a fulfillment that may go from elsewhere. */
typedef struct WaveHolding
{
	pg_uuid_t	fulfillment_id; /* first: sorted by it, then by ... */
	pg_uuid_t	line_id;
	WaveSkip	skip;			/* why it may not, or SKIP_NONE */
	int			demand;			/* of its way, whose units they are; as read:
								 * of all */
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

/* A line of the problem: what goes from one place by the unit, kit or group. */
typedef struct WaveLine
{
	PlanLineKind kind;
	int			first;			/* of its members */
	int		   *members;		/* demands of the way ... */
	int			nmembers;
	int			nfollowers;		/* ... and then warranties that go with them */
} WaveLine;

/* Units of a demand at a place. */
typedef struct WaveUnits
{
	int			place;
	int			parcel;
	int			demand;			/* of the way */
	int64		quantity;
} WaveUnits;

/* What of an order goes one way: an order of the wave's. */
typedef struct WaveWay
{
	Demand	   *demands;		/* by line */
	int			ndemands;
	WaveHolding *holdings;
	int			nholdings;
	bool		is_partial;		/* other fulfillments go that way too, and are
								 * left as they are */
	TimestampTz *promised_at;	/* of each demand, what was promised first */
	WaveLine   *lines;
	int			nlines;
	int		   *line_of;		/* of each demand: its line */
	int		   *parcels;		/* of each demand: what has the same from a
								 * place is in one fulfillment */
	int		   *members;		/* of all lines */
	WaveUnits  *held;			/* where units come from now, by place,
								 * parcel, demand */
	int			nheld;
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
	SkippedOrder *skipped;
	int			nskipped;
	int			skipped_room;
} JointPlan;

/* What came of it, in 1/10,000 of the store's money. */
typedef struct JointResult
{
	int64		cost_before;
	int64		cost_after;
	int64		lower_bound;
	int64		orders_changed;
	int64		orders_planned;
	int64		orders_skipped;
	char	   *skipped;		/* JSON */
} JointResult;

/* Units of a demand at a place, before and after. */
typedef struct WaveMove
{
	int			demand;			/* of the way */
	int			place;
	int			parcel;
	int			cell;			/* supply of the world; -1: it takes no stock */
	int64		before;
	int64		after;
	int64		money;			/* a unit */
	bool		stays;			/* all of the parcel does */
} WaveMove;

/* A way that is to change. */
typedef struct WayChange
{
	const WaveWay *way;
	WaveMove   *moves;			/* by place, then parcel */
	int			nmoves;
	int64		gain;
	bool		is_out;			/* it stays as it is after all ... */
	WaveSkip	why;			/* ... for this reason; SKIP_NONE: it is not
								 * worth it */
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

/* plan_wave_skip.c */
extern WaveSkip oms_wave_skip_named(const char *name);
extern void oms_wave_skip(JointPlan *joint, const pg_uuid_t *order_id, WaveSkip why);
extern int64 oms_wave_count_skipped(JointPlan *joint, char **by_reason);

/* plan_wave_lines.c */
extern WaveSkip oms_wave_sort_lines(WaveWay *way);
extern int64 oms_wave_units_in(const WaveWay *way, int demand);
extern int64 oms_wave_held_at(const WaveWay *way, int demand, int place);
extern WaveUnits *oms_wave_units_of(const WaveWay *way, const SplitFlow *flows, int nflows, int *count);
extern int	oms_compare_wave_units(const void *a, const void *b);

/* plan_wave_read.c */
extern WaveHolding *oms_read_wave_holdings(Store *store, const Array *fulfillments, Demand **demands, int **ways, int *count);
extern void oms_read_joint_plan(JointPlan *joint, const Array *fulfillments);

/* plan_wave_pose.c */
extern void oms_pose_joint_plan(JointPlan *joint);
extern int	oms_wave_pair(const WaveOrder *order, int line, int location);
extern bool oms_wave_keeps_promise(const JointPlan *joint, const WaveWay *way, int demand, int place);

/* plan_wave_share.c */
extern void oms_wave_number_skus(JointPlan *joint);
extern void oms_wave_share(JointPlan *joint);

/* plan_wave_price.c */
extern void oms_wave_price(JointPlan *joint, WaveOrder *orders);

/* plan_wave_choose.c */
extern int	oms_compare_wave_holdings(const void *a, const void *b);
extern void oms_lock_joint_plan(WaveApplier *applier, OwnerScope *scope);

/* plan_wave_check.c */
extern void oms_wave_check_rules(WaveApplier *applier);

/* plan_wave_apply.c */
extern int64 oms_wave_money(const WaveWay *way, const WaveOrder *order, const SplitFlow *flows, int nflows);
extern void oms_apply_joint_plan(JointPlan *joint, const WavePlan *plan, OwnerScope *scope, JointResult *result);

#endif							/* OMS_PLAN_WAVE_H */
