/*
 * split_parts.h
 *	  What the files of the kernel share: the problem as they see it, and the
 *	  search.
 */
#ifndef OMS_SPLIT_PARTS_H
#define OMS_SPLIT_PARTS_H

#ifndef OMS_STANDALONE
#include "postgres.h"

#include "miscadmin.h"
#endif

#include "split.h"

/*
 * A pair of a line and a location.  Every pair stands twice: with those of its
 * line, the cheapest first and ties by location, and with those of its location.
 */
typedef struct Arc
{
	int64		cost;			/* of a unit */
	int64		units;			/* at most what the line wants */
	int32		other;			/* location, or line */
} Arc;

/*
 * The problem, as it is solved:
 * - Costs are multiplied by unit, so that the multipliers of a bound have
 *	 fractions and yet all sums are exact.
 * - Locations stand in order of priority, then position, and only those that
 *	 have anything.
 * - Pairs that are dearer than the line's penalty are left out.
 */
typedef struct Model
{
	int64		unit;
	int			nlines;
	int			nlocations;
	int			narcs;
	int64	   *wanted;			/* of each line */
	int64	   *penalty;
	int64	   *fixed;			/* of each location */
	int64	   *capacity;
	bool		is_limited;		/* some capacity is less than could be shipped */
	int			max_open;
	int			forced;			/* location, or -1 */
	int			most_of_location;	/* arcs that one has */
	int		   *line_arcs;		/* first of each line; one more at the end */
	Arc		   *by_line;
	int		   *location_arcs;
	Arc		   *by_location;
	int		   *given;			/* which location of the caller's each is */
} Model;

/* What is decided of a location. */
enum
{
	FREE,
	OPEN,
	SHUT
};

/* Units of a line that cost the same, with some locations open. */
typedef struct Layer
{
	int64		cost;
	int64		units;
	int32		line;			/* of a margin: whose units they are; else the
								 * location that they come from, or -1 */
} Layer;

/* Locations that outdo one (split_outdo.c). */
typedef struct Outdone
{
	int			count;
	int		   *by;
} Outdone;

/*
 * The search.  Its state is that of each location; whatever is decided is noted
 * on a trail, so that going back costs no more than going there.
 */
typedef struct Search
{
	const Model *m;
	uint8	   *state;
	uint8	   *open;			/* 1 where the state is OPEN */
	int			nopen;
	int		   *trail;
	int			ntrail;
	int		   *live;			/* locations that are not shut */
	int			nlive;
	int			nfree;

	/* what is left of the model: not what the root has shut for good */
	bool		at_root;		/* what is shut is so for good */
	int		   *kept;			/* locations */
	int			nkept;
	int			narcs;			/* of these */
	int		   *line_arcs;		/* they and by_line as in the model */
	Arc		   *by_line;

	/* the bound */
	int64	   *u;				/* multiplier of each line */
	int64	   *best_u;
	int64	   *rho;			/* of each location: what opening it costs at
								 * u */
	int64	   *slope;			/* of each line: units that nobody offers at u */
	uint8	   *chosen;			/* locations that the bound opens */
	uint8	   *tried;			/* those last tried as a plan */
	int64		last_in;		/* rho of the last that is chosen, where they
								 * must be few; else 0 */
	int64		first_out;		/* rho of the first that is not */

	/* what oms_split_count has found at this node */
	int			most_affordable;	/* locations that a better plan may open
									 * besides */
	Outdone    *outdone;		/* of each location; NULL: not known */

	/* the best plan so far */
	int64		best;
	uint8	   *best_open;

	/* with the open locations only: units of each line by cost */
	Layer	   *layers;			/* from line_arcs[line] + line on */
	int		   *nlayers;
	int64	   *price;			/* where limited: what one unit more costs */

	/* room to work */
	uint8	   *set;
	int64	   *amounts;		/* of each location */
	int64	   *sums;			/* of each location, and one more */
	int64	   *eased;			/* of each location: what it takes off a loss */
	Layer	   *margins;		/* of one location */
	Layer	   *beside;			/* of one line, with a location closed */
	struct FlowWork *flow;

	int			exchanges;		/* that may still be tried */
	int64		steps;			/* pairs looked at, flows' left out */
	int64		most_steps;		/* at which the search gives up proving */
	int			nodes;
	int			node_limit;
	int64		bound;			/* out: no plan is better */
} Search;

/* split.c */
extern void oms_split_open(const SplitProblem *problem, SplitPlan *plan);

/* split_forced.c */
extern void oms_split_forced(const SplitProblem *problem, SplitPlan *plan);

/* split_check.c */
extern int64 oms_split_most(const SplitProblem *problem);
extern int64 oms_split_costs(const SplitProblem *problem, const int64 *penalty, bool counts, int *element);
extern int64 oms_split_dearest(const SplitProblem *problem, int max_open);

/* split_model.c */
extern Model *oms_split_model(const SplitProblem *problem, const int64 *penalty, bool counts, int max_open);

/* split_value.c */
extern int64 oms_split_value(Search *s, const uint8 *open);
extern int64 oms_split_layers(Search *s, const uint8 *open);
extern int	oms_split_line(const Search *s, const uint8 *open, int line, Layer *layers, int64 *value);
extern int64 oms_split_saving(const Arc *arc, const Layer *layers, int count);
extern int64 oms_split_fill(Layer *margins, int count, int64 capacity);
extern int64 oms_split_gain(const Search *s, int location);
extern void oms_split_offer(Search *s, const uint8 *open, int64 value);

/* split_improve.c */
extern void oms_split_improve(Search *s, uint8 *open);
extern void oms_split_begin(Search *s);
extern void oms_split_greedy(Search *s);

/* split_flow.c */
extern struct FlowWork *oms_split_flow_work(const Model *m);
extern int64 oms_split_flow_steps(const struct FlowWork *work);
extern int64 oms_split_flow(struct FlowWork *work, const Model *m, const uint8 *open, int64 *price, int64 *shipped);

/* split_bound.c */
extern void oms_split_ascend(Search *s);
extern bool oms_split_relax(Search *s, int steps, int64 *lower);

/* split_count.c */
extern bool oms_split_count(Search *s, int64 *lower);

/* split_outdo.c */
extern void oms_split_note_outdone(Search *s);
extern void oms_split_shut_outdone(Search *s);

/* split_search.c */
extern bool oms_split_is_spent(const Search *s, int part);
extern Search *oms_split_search(const Model *m, int node_limit);
extern void oms_split_decide(Search *s, int location, int state);
extern void oms_split_note_live(Search *s);
extern void oms_split_run(Search *s);

/*
 * is_beaten tells whether no plan at least this dear is better than the best.
 */
static inline bool
is_beaten(const Search *s, int64 lower)
{
	return lower > s->best - s->m->unit;
}

#endif							/* OMS_SPLIT_PARTS_H */
