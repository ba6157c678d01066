/*
 * workflow_lint.c
 *	  Whether a workflow makes sense: what no text may do to an order's life.
 *
 * Reached through oms.lint (lint.c) and whenever a workflow is saved
 * (workflow_save.c).  Two walks, breadth first from the initial state, so that
 * the way back from wherever they came is a shortest witness:
 *
 * - over the states, as the moves lead;
 * - over pairs of a state and what a row has of stock there (an abstract
 *	 interpretation): guards and actions change what it has, as
 *	 workflow_stock.c says.
 *
 * Each walk passes each move once for each thing that a row may have.  Here are
 * the walks, and what follows from states and moves alone; circles of
 * automatic moves are in workflow_loops.c.
 */
#ifndef OMS_STANDALONE
#include "postgres.h"
#endif

#include "workflow_lint_parts.h"

static void sort_by(Ends *ends, const Workflow *w, bool by_target);
static void walk_moves(const Lint *lint, Walk *walk, bool with_holdings, const uint8 *rows);
static void reach(Walk *walk, int node, int previous);
static void find_dead_ends(Lint *lint);
static void find_exits(Lint *lint);
static void find_pathless(Lint *lint);
static void find_unreachable(Lint *lint);
static void find_unknown(Lint *lint, bool actions);

/*
 * oms_workflow_lint returns all that is wrong.  "rows" has for each state a bit
 * for each holding that rows in it have, or is NULL: they too must get on, in
 * states that nothing else leads to any more.
 */
LintReport *
oms_workflow_lint(const Workflow *workflow, LintEntity entity, const uint8 *rows)
{
	Lint	   *lint = palloc0(sizeof(Lint));
	LintReport *report = oms_lint_report();

	lint->w = workflow;
	lint->entity = entity;
	lint->report = report;
	oms_lint_learn(lint);
	sort_by(&lint->from, workflow, false);
	sort_by(&lint->to, workflow, true);
	walk_moves(lint, &lint->graph, false, rows);
	walk_moves(lint, &lint->flow, true, rows);

	find_dead_ends(lint);
	find_exits(lint);
	find_pathless(lint);
	oms_lint_loops(lint);
	oms_lint_stock(lint);
	find_unreachable(lint);
	find_unknown(lint, false);
	find_unknown(lint, true);
	oms_lint_stuck(lint);
	pfree(lint->effects);
	pfree(lint);
	return report;
}

/* sort_by orders moves by an end, each state's as they stand in the text. */
static void
sort_by(Ends *ends, const Workflow *w, bool by_target)
{
	uint16		next[WORKFLOW_MAX_STATES];

	for (int i = 0; i < w->nmoves; i++)
		ends->first[(by_target ? w->moves[i].to : w->moves[i].from) + 1]++;
	for (int state = 0; state < w->nstates; state++)
	{
		ends->first[state + 1] += ends->first[state];
		next[state] = ends->first[state];
	}
	for (int i = 0; i < w->nmoves; i++)
		ends->moves[next[by_target ? w->moves[i].to : w->moves[i].from]++] = (uint16) i;
}

/*
 * walk_moves goes from the initial state, and then from what rows have, wherever
 * moves lead.
 */
static void
walk_moves(const Lint *lint, Walk *walk, bool with_holdings, const uint8 *rows)
{
	Holding		start = lint->entity == LINT_FULFILLMENT ? HELD : UNTAKEN;

	memset(walk->rank, -1, sizeof(walk->rank));
	reach(walk, NODE(lint->w->initial, with_holdings ? start : 0), -1);
	for (int i = 0; i < walk->count || rows != NULL; i++)
	{
		int			state;
		int			holding;

		if (i == walk->count)
		{
			for (int s = 0; s < lint->w->nstates; s++)
				for (int h = 0; h < HOLDINGS; h++)
					if (rows[s] & (1 << h))
						reach(walk, NODE(s, with_holdings ? h : 0), -1);
			rows = NULL;
			if (i == walk->count)
				break;
		}
		state = walk->order[i] / HOLDINGS;
		holding = walk->order[i] % HOLDINGS;
		for (int k = lint->from.first[state]; k < lint->from.first[state + 1]; k++)
		{
			int			move = lint->from.moves[k];
			int			next = with_holdings ? lint->effects[move].next[holding] : 0;

			if (next != NOWHERE)
				reach(walk, NODE(lint->w->moves[move].to, next), walk->order[i]);
		}
	}
}

/* reach notes a node, the first time. */
static void
reach(Walk *walk, int node, int previous)
{
	if (walk->rank[node] >= 0)
		return;
	walk->rank[node] = (int16) walk->count;
	walk->previous[node] = (int16) previous;
	walk->order[walk->count++] = (int16) node;
}

/* oms_lint_is_reached tells whether a state is. */
bool
oms_lint_is_reached(const Lint *lint, int state)
{
	return lint->graph.rank[NODE(state, 0)] >= 0;
}

/* has_exit tells whether a move leaves a state. */
static bool
has_exit(const Lint *lint, int state)
{
	return lint->from.first[state] < lint->from.first[state + 1];
}

/* oms_lint_state returns a state's name. */
const char *
oms_lint_state(const Lint *lint, int state)
{
	return oms_workflow_state_name(lint->w, state);
}

/* oms_lint_find_state begins a finding about a state. */
void
oms_lint_find_state(Lint *lint, bool is_error, const char *code, int state)
{
	oms_lint_find(lint->report, is_error, code);
	oms_lint_subject(lint->report, "%s", oms_lint_state(lint, state));
}

/* find_dead_ends: where a row would stay for good. */
static void
find_dead_ends(Lint *lint)
{
	for (int state = 0; state < lint->w->nstates; state++)
	{
		if (!oms_lint_is_reached(lint, state) || oms_workflow_is_final(lint->w, state) || has_exit(lint, state))
			continue;
		oms_lint_find_state(lint, true, "dead_end", state);
		oms_lint_say(lint->report, "no move leaves \"%s\", and it is not final", oms_lint_state(lint, state));
		oms_lint_say_path(lint, &lint->graph, NODE(state, 0), -1);
		oms_lint_say(lint->report, ": add a move from it, or make it final");
	}
}

/* find_exits: an end that is none. */
static void
find_exits(Lint *lint)
{
	for (int state = 0; state < lint->w->nstates; state++)
	{
		int			next;

		if (!oms_lint_is_reached(lint, state) || !oms_workflow_is_final(lint->w, state) || !has_exit(lint, state))
			continue;
		next = lint->w->moves[lint->from.moves[lint->from.first[state]]].to;
		oms_lint_find_state(lint, true, "final_with_exit", state);
		oms_lint_say(lint->report, "\"%s\" is final, but a move leads from it to \"%s\"", oms_lint_state(lint, state), oms_lint_state(lint, next));
		oms_lint_say_path(lint, &lint->graph, NODE(state, 0), next);
		oms_lint_say(lint->report, ": take the move out, or let \"%s\" not be final", oms_lint_state(lint, state));
	}
}

/* find_pathless: where moves lead on and on, but never to an end. */
static void
find_pathless(Lint *lint)
{
	bool		ends[WORKFLOW_MAX_STATES] = {false};

	for (int state = 0; state < lint->w->nstates; state++)
		ends[state] = oms_workflow_is_final(lint->w, state);
	oms_lint_spread_back(lint, ends, false);
	for (int state = 0; state < lint->w->nstates; state++)
	{
		if (!oms_lint_is_reached(lint, state) || ends[state] || !has_exit(lint, state))
			continue;
		oms_lint_find_state(lint, true, "no_path_to_final", state);
		oms_lint_say(lint->report, "no way leads from \"%s\" to a final state", oms_lint_state(lint, state));
		oms_lint_say_path(lint, &lint->graph, NODE(state, 0), -1);
		oms_lint_say(lint->report, ": add a move towards one, or name one by \"final\"");
	}
}

/*
 * oms_lint_spread_back marks all states from which marked ones can be reached, by any
 * move or by those that leave what is held alone.
 */
void
oms_lint_spread_back(const Lint *lint, bool *marks, bool while_held)
{
	int			queue[WORKFLOW_MAX_STATES];
	int			count = 0;

	for (int state = 0; state < lint->w->nstates; state++)
		if (marks[state])
			queue[count++] = state;
	for (int i = 0; i < count; i++)
		for (int k = lint->to.first[queue[i]]; k < lint->to.first[queue[i] + 1]; k++)
		{
			int			move = lint->to.moves[k];
			int			from = lint->w->moves[move].from;

			if (marks[from] || (while_held && lint->effects[move].next[HELD] != HELD))
				continue;
			marks[from] = true;
			queue[count++] = from;
		}
}

/* find_unreachable: states that no row can come to. */
static void
find_unreachable(Lint *lint)
{
	for (int state = 0; state < lint->w->nstates; state++)
	{
		if (oms_lint_is_reached(lint, state))
			continue;
		oms_lint_find_state(lint, false, "unreachable_state", state);
		oms_lint_say(lint->report, "no way leads from \"%s\" to \"%s\": add a move to it, or take it out",
					 oms_lint_state(lint, lint->w->initial), oms_lint_state(lint, state));
	}
}

/* find_unknown: guards or actions that are not built in, each name once. */
static void
find_unknown(Lint *lint, bool actions)
{
	const Workflow *w = lint->w;
	const uint16 *references = oms_workflow_offsets(w) + w->nstates;
	uint8	   *seen = palloc0((UINT16_MAX + 1) / 8);

	for (int i = 0; i < w->nmoves; i++)
	{
		const WorkflowMove *move = &w->moves[i];
		int			first = actions ? move->first + move->nguards : move->first;

		for (int k = first; k < first + (actions ? move->nactions : move->nguards); k++)
		{
			const char *word = oms_workflow_name(w, w->nstates + k);
			int			offset = references[k];

			if (seen[offset / 8] & (1 << offset % 8) || oms_lint_is_built_in(lint, word, actions))
				continue;
			seen[offset / 8] |= (uint8) (1 << offset % 8);
			oms_lint_find(lint->report, false, actions ? "unknown_action" : "unknown_guard");
			oms_lint_subject(lint->report, "%s -> %s", oms_lint_state(lint, move->from), oms_lint_state(lint, move->to));
			oms_lint_say(lint->report, "%s \"%s\" is not built in", actions ? "action" : "guard", word);
			if (oms_lint_is_reached(lint, move->from))
				oms_lint_say_path(lint, &lint->graph, NODE(move->from, 0), move->to);
			oms_lint_say(lint->report, ": correct the name, or create a function of this name");
		}
	}
	pfree(seen);
}

/* oms_lint_say_path writes the way to a node, and perhaps one step more. */
void
oms_lint_say_path(Lint *lint, const Walk *walk, int node, int then)
{
	int			way[NODES];
	int			length = 0;

	for (; node >= 0; node = walk->previous[node])
		way[length++] = node / HOLDINGS;
	oms_lint_say(lint->report, " (%s", oms_lint_state(lint, way[--length]));
	while (length-- > 0)
		oms_lint_say(lint->report, " -> %s", oms_lint_state(lint, way[length]));
	if (then >= 0)
		oms_lint_say(lint->report, " -> %s", oms_lint_state(lint, then));
	oms_lint_say(lint->report, ")");
}
