/*
 * split_flow.c
 *	  Shipping from given locations where these can ship only so much: the
 *	  cheapest flow, by shortest paths one after the other.
 *
 * Lines are served in turn.  A unit goes from its line to a location that has
 * room, or, where that is cheaper, takes another line's unit's place, which then
 * goes elsewhere; or it is not shipped at all, for its line's penalty.  What one
 * more unit of each line would cost is its price: by these prices the flow is
 * proven to be the cheapest, and a location that is not open is judged.
 */
#include "split_parts.h"

#define FAR (PG_INT64_MAX / 2)

typedef struct FlowWork
{
	int64	   *flow;			/* of each pair, by location */
	int64	   *load;			/* of each location */
	int64	   *unshipped;		/* of each line */
	int64	   *line_cost;		/* the way from the line in hand to each */
	int64	   *location_cost;
	int		   *line_by;		/* the pair by which it got there */
	int		   *location_by;
	int		   *queue;			/* lines and locations, a ring */
	uint8	   *queued;
	int			size;
	int			head;
	int			nqueued;
	int		   *arc_at;			/* of a pair by line: its place by location */
	int		   *owner;			/* of each pair by location */
} FlowWork;

static void serve(FlowWork *work, const Model *m, const uint8 *open, int line);
static void find_ways(FlowWork *work, const Model *m, const uint8 *open, int line);
static int64 push(FlowWork *work, const Model *m, int line, int location, int64 most);
static void set_prices(FlowWork *work, const Model *m, const uint8 *open, int64 *price);

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
	work->line_cost = palloc(nodes * sizeof(int64));
	work->location_cost = palloc(nodes * sizeof(int64));
	work->line_by = palloc(nodes * sizeof(int));
	work->location_by = palloc(nodes * sizeof(int));
	work->size = nodes;
	work->queue = palloc(nodes * sizeof(int));
	work->queued = palloc0(nodes);
	work->arc_at = palloc((m->narcs + 1) * sizeof(int));
	for (int i = 0; i < m->nlines; i++)
		next[i] = m->line_arcs[i];
	work->owner = palloc((m->narcs + 1) * sizeof(int));
	for (int j = 0; j < m->nlocations; j++)
	{
		for (int a = m->location_arcs[j]; a < m->location_arcs[j + 1]; a++)
		{
			work->owner[a] = j;
			work->arc_at[next[m->by_location[a].other]++] = a;
		}
	}
	/* by location so far; by cost, as the pairs by line are */
	at = palloc((m->nlocations + 1) * sizeof(int));
	for (int i = 0; i < m->nlines; i++)
	{
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
	for (int i = 0; i < m->nlines; i++)
		work->unshipped[i] = 0;
	for (int i = 0; i < m->nlines; i++)
	{
		serve(work, m, open, i);
	}
	for (int i = 0; i < m->nlines; i++)
		value += work->unshipped[i] * m->penalty[i];
	for (int a = 0; a < m->narcs; a++)
		value += work->flow[a] * m->by_location[a].cost;
	if (price)
		set_prices(work, m, open, price);
	if (shipped)
		memcpy(shipped, work->flow, m->narcs * sizeof(int64));
	return value;
}

/*
 * cheapest_end returns where the ways end best: at a location with room, or -1
 * where a unit is better given up; giver is then the line that gives one up.
 */
static int
cheapest_end(const FlowWork *work, const Model *m, const uint8 *open, int line, int *giver)
{
	int64		cheapest = m->penalty[line];
	int			where = -1;

	*giver = line;
	for (int i = 0; i < m->nlines; i++)
	{
		if (work->line_cost[i] < FAR && work->line_cost[i] + m->penalty[i] < cheapest)
		{
			cheapest = work->line_cost[i] + m->penalty[i];
			*giver = i;
		}
	}
	for (int j = 0; j < m->nlocations; j++)
	{
		if (open[j] && work->load[j] < m->capacity[j] && work->location_cost[j] < cheapest)
		{
			cheapest = work->location_cost[j];
			where = j;
		}
	}
	return where;
}

/*
 * serve_directly takes a line's cheapest units as long as their locations have
 * room.  No way is cheaper: making way for a unit never saves anything, as the
 * flow so far is the cheapest.  Returns how many units are left.
 */
static int64
serve_directly(FlowWork *work, const Model *m, const uint8 *open, int line)
{
	int64		left = m->wanted[line];

	for (int k = m->line_arcs[line]; k < m->line_arcs[line + 1] && left > 0; k++)
	{
		const Arc  *arc = &m->by_line[k];
		int64		pushed = Min(left, arc->units);

		if (!open[arc->other])
			continue;
		pushed = Min(pushed, m->capacity[arc->other] - work->load[arc->other]);
		work->flow[work->arc_at[k]] += pushed;
		work->load[arc->other] += pushed;
		left -= pushed;
		if (work->flow[work->arc_at[k]] < arc->units)
			break;
	}
	return left;
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
		int			giver;
		int			where;

		CHECK_FOR_INTERRUPTS();
		find_ways(work, m, open, line);
		where = cheapest_end(work, m, open, line, &giver);
		if (where >= 0)
		{
			pushed = push(work, m, line, where, Min(left, m->capacity[where] - work->load[where]));
			work->load[where] += pushed;
		}
		else
		{
			if (giver != line)
			{
				/* the way ends with a unit that leaves the location before it */
				int			arc = work->line_by[giver];

				pushed = push(work, m, line, work->owner[arc], Min(left, work->flow[arc]));
				work->flow[arc] -= pushed;
			}
			work->unshipped[giver] += pushed;
		}
		left -= pushed;
	}
}

/*
 * go_to puts a node, a line or a location after the lines, into the queue.
 */
static void
go_to(FlowWork *work, int node)
{
	if (work->queued[node])
		return;
	work->queued[node] = 1;
	work->queue[(work->head + work->nqueued++) % work->size] = node;
}

/*
 * go_on_from_line goes to locations by pairs that have units left.
 */
static void
go_on_from_line(FlowWork *work, const Model *m, const uint8 *open, int line)
{
	for (int k = m->line_arcs[line]; k < m->line_arcs[line + 1]; k++)
	{
		int			a = work->arc_at[k];
		int			j = work->owner[a];
		int64		cost = work->line_cost[line] + m->by_location[a].cost;

		if (!open[j] || work->flow[a] >= m->by_location[a].units || cost >= work->location_cost[j])
			continue;
		work->location_cost[j] = cost;
		work->location_by[j] = a;
		go_to(work, m->nlines + j);
	}
}

/*
 * go_on_from_location goes to lines whose units make way.  A location that has
 * room needs none to: the flow so far is the cheapest.
 */
static void
go_on_from_location(FlowWork *work, const Model *m, int location)
{
	if (work->load[location] < m->capacity[location])
		return;
	for (int a = m->location_arcs[location]; a < m->location_arcs[location + 1]; a++)
	{
		int			i = m->by_location[a].other;
		int64		cost = work->location_cost[location] - m->by_location[a].cost;

		if (work->flow[a] == 0 || cost >= work->line_cost[i])
			continue;
		work->line_cost[i] = cost;
		work->line_by[i] = a;
		go_to(work, i);
	}
}

/*
 * find_ways finds the cheapest way from a line to every location and, over
 * units that make way, to other lines.
 */
static void
find_ways(FlowWork *work, const Model *m, const uint8 *open, int line)
{
	for (int i = 0; i < m->nlines; i++)
		work->line_cost[i] = FAR;
	for (int j = 0; j < m->nlocations; j++)
		work->location_cost[j] = FAR;
	work->line_cost[line] = 0;
	work->head = work->nqueued = 0;
	go_to(work, line);
	while (work->nqueued > 0)
	{
		int			node = work->queue[work->head];

		CHECK_FOR_INTERRUPTS();
		work->head = (work->head + 1) % work->size;
		work->nqueued--;
		work->queued[node] = 0;
		if (node < m->nlines)
			go_on_from_line(work, m, open, node);
		else
			go_on_from_location(work, m, node - m->nlines);
	}
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

/*
 * set_prices finds what one more unit of each line would cost: by its own pairs
 * or its penalty, or by those of a line whose unit makes way, until nothing
 * changes.
 */
static void
set_prices(FlowWork *work, const Model *m, const uint8 *open, int64 *price)
{
	int64	   *room = work->location_cost; /* one unit more of a location */

	for (int i = 0; i < m->nlines; i++)
		price[i] = m->penalty[i];
	for (bool changed = true; changed;)
	{
		changed = false;
		CHECK_FOR_INTERRUPTS();
		for (int j = 0; j < m->nlocations; j++)
		{
			room[j] = FAR;
			if (!open[j])
				continue;
			if (work->load[j] < m->capacity[j])
				room[j] = 0;
			for (int a = m->location_arcs[j]; a < m->location_arcs[j + 1]; a++)
			{
				if (work->flow[a] > 0)
					room[j] = Min(room[j], price[m->by_location[a].other] - m->by_location[a].cost);
			}
			if (room[j] == FAR)
				continue;
			for (int a = m->location_arcs[j]; a < m->location_arcs[j + 1]; a++)
			{
				int64	   *other = &price[m->by_location[a].other];

				if (work->flow[a] < m->by_location[a].units && room[j] + m->by_location[a].cost < *other)
				{
					*other = room[j] + m->by_location[a].cost;
					changed = true;
				}
			}
		}
	}
}
