/*
 * split_flow.c
 *	  Shipping from given locations where these can ship only so much: the
 *	  cheapest flow, by shortest paths one after the other.
 *
 * Lines are served in turn.  A unit goes from its line to a location that has
 * room, or, where that is cheaper, takes another line's unit's place, which then
 * goes elsewhere; or it is not shipped at all, for its line's penalty.
 *
 * Each line has a price for a unit, and each location a toll, 0 as long as it has
 * room.  A pair that could ship more costs, with the toll, no less than its line's
 * price; one that ships, no more.  So what a way costs beyond the prices is never
 * negative, and the cheapest way is found nearest first; the prices of what is
 * nearer than its end then rise by as much as it is.  By these prices the flow is
 * proven to be the cheapest, and a location that is not open is judged.
 */
#include "split_parts.h"

#define FAR (PG_INT64_MAX / 2)

typedef struct FlowWork
{
	int64	   *flow;			/* of each pair, by location */
	int64	   *load;			/* of each location */
	int64	   *unshipped;		/* of each line */
	int64	   *price;			/* of each line */
	int64	   *toll;			/* of each location */
	int64	   *line_far;		/* the way from the line in hand to each */
	int64	   *location_far;
	int		   *line_by;		/* the pair by which it got there */
	int		   *location_by;
	int		   *lines;			/* that ways have come to */
	int			nlines;
	uint8	   *line_done;		/* ways from there have been looked at */
	uint8	   *location_done;
	int		   *arc_at;			/* of a pair by line: its place by location */
	int		   *owner;			/* of each pair by location */
	int		   *sequence;		/* lines as they are served */
	int64		steps;			/* pairs and places looked at */
} FlowWork;

/* The end of the cheapest way so far. */
typedef struct End
{
	int64		far;
	int			location;		/* that has room, or -1 */
	int			giver;			/* line whose unit is not shipped then */
} End;

static void serve(FlowWork *work, const Model *m, const uint8 *open, int line);
static int64 serve_directly(FlowWork *work, const Model *m, const uint8 *open, int line);
static void find_way(FlowWork *work, const Model *m, const uint8 *open, int line, End *end);
static int64 push(FlowWork *work, const Model *m, int line, int location, int64 most);

typedef struct Ranked
{
	int64		penalty;
	int			line;
} Ranked;

static int
compare_ranked(const void *a, const void *b)
{
	const Ranked *left = a;
	const Ranked *right = b;

	if (left->penalty != right->penalty)
		return left->penalty > right->penalty ? -1 : 1;
	return left->line - right->line;
}

/*
 * rank_lines returns the lines in the sequence in which they are best served: with
 * those first that others make way for.
 */
static int *
rank_lines(const Model *m)
{
	Ranked	   *ranked = palloc((m->nlines + 1) * sizeof(Ranked));
	int		   *sequence = palloc((m->nlines + 1) * sizeof(int));

	for (int i = 0; i < m->nlines; i++)
		ranked[i] = (Ranked) {.penalty = m->penalty[i], .line = i};
	qsort(ranked, m->nlines, sizeof(Ranked), compare_ranked);
	for (int i = 0; i < m->nlines; i++)
		sequence[i] = ranked[i].line;
	pfree(ranked);
	return sequence;
}

/*
 * oms_split_flow_work makes room to work in.
 */
FlowWork *
oms_split_flow_work(const Model *m)
{
	FlowWork   *work = palloc0(sizeof(FlowWork));
	int			nodes = m->nlines + m->nlocations + 1;
	int		   *next = palloc((m->nlines + 1) * sizeof(int));
	int		   *at;

	work->flow = palloc((m->narcs + 1) * sizeof(int64));
	work->load = palloc(nodes * sizeof(int64));
	work->unshipped = palloc(nodes * sizeof(int64));
	work->price = palloc(nodes * sizeof(int64));
	work->toll = palloc(nodes * sizeof(int64));
	work->line_far = palloc(nodes * sizeof(int64));
	work->location_far = palloc(nodes * sizeof(int64));
	work->line_by = palloc(nodes * sizeof(int));
	work->location_by = palloc(nodes * sizeof(int));
	work->lines = palloc(nodes * sizeof(int));
	work->line_done = palloc(nodes);
	work->location_done = palloc(nodes);
	work->arc_at = palloc((m->narcs + 1) * sizeof(int));
	for (int i = 0; i < m->nlines; i++)
		next[i] = m->line_arcs[i];
	work->owner = palloc((m->narcs + 1) * sizeof(int));
	for (int j = 0; j < m->nlocations; j++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int a = m->location_arcs[j]; a < m->location_arcs[j + 1]; a++)
		{
			work->owner[a] = j;
			work->arc_at[next[m->by_location[a].other]++] = a;
		}
	}
	work->sequence = rank_lines(m);
	/* by location so far; by cost, as the pairs by line are */
	at = palloc((m->nlocations + 1) * sizeof(int));
	for (int i = 0; i < m->nlines; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int k = m->line_arcs[i]; k < m->line_arcs[i + 1]; k++)
			at[work->owner[work->arc_at[k]]] = work->arc_at[k];
		for (int k = m->line_arcs[i]; k < m->line_arcs[i + 1]; k++)
			work->arc_at[k] = at[m->by_line[k].other];
	}
	pfree(at);
	pfree(next);
	return work;
}

/*
 * oms_split_flow returns the cost of the cheapest flow from the open locations,
 * theirs not counted.  price: out, of each line; shipped: out, of each pair by
 * location; both may be NULL.
 */
int64
oms_split_flow(FlowWork *work, const Model *m, const uint8 *open, int64 *price, int64 *shipped)
{
	int64		value = 0;

	memset(work->flow, 0, m->narcs * sizeof(int64));
	memset(work->load, 0, m->nlocations * sizeof(int64));
	memset(work->toll, 0, m->nlocations * sizeof(int64));
	memset(work->unshipped, 0, m->nlines * sizeof(int64));
	for (int i = 0; i < m->nlines; i++)
	{
		CHECK_FOR_INTERRUPTS();
		serve(work, m, open, work->sequence[i]);
	}
	for (int i = 0; i < m->nlines; i++)
		value += work->unshipped[i] * m->penalty[i];
	for (int a = 0; a < m->narcs; a++)
		value += work->flow[a] * m->by_location[a].cost;
	work->steps += m->narcs;
	if (price)
		memcpy(price, work->price, m->nlines * sizeof(int64));
	if (shipped)
		memcpy(shipped, work->flow, m->narcs * sizeof(int64));
	return value;
}

/*
 * oms_split_flow_steps returns what the flows so far have taken.
 */
int64
oms_split_flow_steps(const FlowWork *work)
{
	return work->steps;
}

/*
 * serve finds places for all units of a line.
 */
static void
serve(FlowWork *work, const Model *m, const uint8 *open, int line)
{
	for (int64 left = serve_directly(work, m, open, line); left > 0;)
	{
		int64		pushed = left;
		End			end;

		CHECK_FOR_INTERRUPTS();
		find_way(work, m, open, line, &end);
		if (end.location >= 0)
		{
			pushed = push(work, m, line, end.location, Min(left, m->capacity[end.location] - work->load[end.location]));
			work->load[end.location] += pushed;
		}
		else
		{
			if (end.giver != line)
			{
				/* the way ends with a unit that leaves the location before it */
				int			arc = work->line_by[end.giver];

				pushed = push(work, m, line, work->owner[arc], Min(left, work->flow[arc]));
				work->flow[arc] -= pushed;
			}
			work->unshipped[end.giver] += pushed;
		}
		left -= pushed;
	}
}

/*
 * serve_directly takes a line's cheapest units, tolls included, as long as their
 * locations have room: no way over other lines can be cheaper.  Returns how many
 * units are left, and leaves the line's price as what the next one would cost.
 */
static int64
serve_directly(FlowWork *work, const Model *m, const uint8 *open, int line)
{
	int64		left = m->wanted[line];

	for (;;)
	{
		int			best = -1;
		int64		pushed;

		work->price[line] = m->penalty[line];
		for (int k = m->line_arcs[line]; k < m->line_arcs[line + 1]; k++)
		{
			const Arc  *arc = &m->by_line[k];

			/* the rest costs more still */
			if (arc->cost >= work->price[line])
				break;
			if (!open[arc->other] || arc->cost + work->toll[arc->other] >= work->price[line] ||
				work->flow[work->arc_at[k]] >= arc->units)
				continue;
			work->price[line] = arc->cost + work->toll[arc->other];
			best = k;
		}
		work->steps += m->line_arcs[line + 1] - m->line_arcs[line];
		if (best < 0)
		{
			work->unshipped[line] += left;
			return 0;
		}
		pushed = Min(m->by_line[best].units - work->flow[work->arc_at[best]],
					 m->capacity[m->by_line[best].other] - work->load[m->by_line[best].other]);
		pushed = Min(pushed, left);
		work->flow[work->arc_at[best]] += pushed;
		work->load[m->by_line[best].other] += pushed;
		left -= pushed;
		if (left == 0 || pushed == 0)
			return left;
	}
}

/*
 * go_on_from_line goes to locations by pairs that have units left, or gives a
 * unit up.
 */
static void
go_on_from_line(FlowWork *work, const Model *m, const uint8 *open, int line, End *end)
{
	int64		base = work->line_far[line] - work->price[line];

	work->line_done[line] = 1;
	work->steps += m->line_arcs[line + 1] - m->line_arcs[line];
	if (base + m->penalty[line] < end->far)
		*end = (End) {.far = base + m->penalty[line], .location = -1, .giver = line};
	for (int k = m->line_arcs[line]; k < m->line_arcs[line + 1]; k++)
	{
		const Arc  *arc = &m->by_line[k];
		int			j = arc->other;
		int64		far = base + arc->cost + work->toll[j];

		if (base + arc->cost >= end->far)
			break;
		if (!open[j] || far >= work->location_far[j] || far >= end->far || work->flow[work->arc_at[k]] >= arc->units)
			continue;
		work->location_far[j] = far;
		work->location_by[j] = work->arc_at[k];
		if (work->load[j] < m->capacity[j])
			*end = (End) {.far = far, .location = j};
	}
}

/*
 * go_on_from_location goes to lines whose units could make way.
 */
static void
go_on_from_location(FlowWork *work, const Model *m, int location, const End *end)
{
	int64		base = work->location_far[location] - work->toll[location];

	work->location_done[location] = 1;
	work->steps += m->location_arcs[location + 1] - m->location_arcs[location];
	for (int a = m->location_arcs[location]; a < m->location_arcs[location + 1]; a++)
	{
		int			i = m->by_location[a].other;
		int64		far;

		if (work->flow[a] == 0)
			continue;
		far = base + work->price[i] - m->by_location[a].cost;
		if (far >= work->line_far[i] || far >= end->far)
			continue;
		if (work->line_far[i] == FAR)
			work->lines[work->nlines++] = i;
		work->line_far[i] = far;
		work->line_by[i] = a;
	}
}

/*
 * nearest returns the nearest place whose ways have not been looked at yet: a
 * line, or -1 - a location; far is left alone where there is none nearer.
 */
static int
nearest(FlowWork *work, const Model *m, int64 *far)
{
	int			place = 0;

	for (int j = 0; j < m->nlocations; j++)
	{
		if (work->location_far[j] < *far && !work->location_done[j])
		{
			*far = work->location_far[j];
			place = -1 - j;
		}
	}
	for (int k = 0; k < work->nlines; k++)
	{
		int			i = work->lines[k];

		if (work->line_far[i] < *far && !work->line_done[i])
		{
			*far = work->line_far[i];
			place = i;
		}
	}
	work->steps += m->nlocations + work->nlines;
	return place;
}

/*
 * find_way finds the cheapest way for a unit of a line, and raises the prices of
 * all that is nearer than its end.
 */
static void
find_way(FlowWork *work, const Model *m, const uint8 *open, int line, End *end)
{
	for (int i = 0; i < m->nlines; i++)
		work->line_far[i] = FAR;
	for (int j = 0; j < m->nlocations; j++)
		work->location_far[j] = FAR;
	memset(work->line_done, 0, m->nlines);
	memset(work->location_done, 0, m->nlocations);
	work->steps += m->nlines;
	work->line_far[line] = 0;
	work->lines[0] = line;
	work->nlines = 1;
	*end = (End) {.far = FAR, .location = -1, .giver = line};
	go_on_from_line(work, m, open, line, end);
	for (;;)
	{
		int64		far = end->far;
		int			place = nearest(work, m, &far);

		if (far == end->far)
			break;
		if (place < 0)
			go_on_from_location(work, m, -1 - place, end);
		else
			go_on_from_line(work, m, open, place, end);
	}
	for (int k = 0; k < work->nlines; k++)
	{
		int			i = work->lines[k];

		work->price[i] += Max(0, end->far - work->line_far[i]);
	}
	for (int j = 0; j < m->nlocations; j++)
		work->toll[j] += Max(0, end->far - work->location_far[j]);
}

/*
 * push sends units along the way to a location, as many as fit.  Returns how
 * many.
 */
static int64
push(FlowWork *work, const Model *m, int line, int location, int64 most)
{
	for (int j = location;;)
	{
		int			in = work->location_by[j];
		int			i = m->by_location[in].other;

		most = Min(most, m->by_location[in].units - work->flow[in]);
		if (i == line)
			break;
		most = Min(most, work->flow[work->line_by[i]]);
		j = work->owner[work->line_by[i]];
	}
	for (int j = location;;)
	{
		int			in = work->location_by[j];
		int			i = m->by_location[in].other;

		work->flow[in] += most;
		if (i == line)
			return most;
		work->flow[work->line_by[i]] -= most;
		j = work->owner[work->line_by[i]];
	}
}
