/*
 * workflow_loops.c
 *	  Circles of automatic moves, in which a row would go round for ever.
 */
#ifndef OMS_STANDALONE
#include "postgres.h"
#endif

#include "workflow_lint_parts.h"

static void choose_moves(const Lint *lint, int guards, int16 *next);
static void note_loops(Lint *lint, const int16 *next);
static void note_loop(Lint *lint, const int16 *next, int state);
static void report_loop(Lint *lint, int state);

/*
 * oms_lint_loops: circles of automatic moves.  The engine makes the first automatic
 * move whose guards hold, and the built-in ones answer the same all the way
 * round; so for each set of them that can hold at once there is one way on
 * from a state.  A guard that is not built in may say no, and stops it.
 */
void
oms_lint_loops(Lint *lint)
{
	int			nguards = 0;
	bool		any = false;

	for (int i = 0; i < lint->w->nmoves; i++)
		any |= lint->w->moves[i].automatic;
	if (!any)
		return;
	while (lint->guards[nguards].name != NULL)
		nguards++;
	for (int guards = 0; guards < 1 << nguards; guards++)
	{
		int16		next[WORKFLOW_MAX_STATES];

		if (!oms_lint_guards_fit(lint, guards))
			continue;
		choose_moves(lint, guards, next);
		note_loops(lint, next);
	}
	for (int state = 0; state < lint->w->nstates; state++)
		if (lint->loops[state].length > 0)
			report_loop(lint, state);
}

/* choose_moves finds each state's automatic move when these guards hold, or -1. */
static void
choose_moves(const Lint *lint, int guards, int16 *next)
{
	memset(next, -1, WORKFLOW_MAX_STATES * sizeof(int16));
	for (int i = 0; i < lint->w->nmoves; i++)
	{
		const WorkflowMove *move = &lint->w->moves[i];
		const Effect *effect = &lint->effects[i];

		if (move->automatic && next[move->from] < 0 && !effect->asks_others && (effect->guards & ~guards) == 0)
			next[move->from] = (int16) i;
	}
}

/* note_loops follows the chosen moves from every state. */
static void
note_loops(Lint *lint, const int16 *next)
{
	uint8		seen[WORKFLOW_MAX_STATES] = {0};

	for (int start = 0; start < lint->w->nstates; start++)
	{
		int			state = start;

		if (!oms_lint_is_reached(lint, start))
			continue;
		while (next[state] >= 0 && seen[state] == 0)
		{
			seen[state] = (uint8) (start + 1);
			state = lint->w->moves[next[state]].to;
		}
		if (next[state] >= 0 && seen[state] == start + 1)
			note_loop(lint, next, state);
	}
}

/* note_loop keeps the loop that a state is in, where none so short is known. */
static void
note_loop(Lint *lint, const int16 *next, int state)
{
	Loop		loop = {0};
	int			first = state;
	int			at = state;

	do
	{
		at = lint->w->moves[next[at]].to;
		if (lint->graph.rank[NODE(at, 0)] < lint->graph.rank[NODE(first, 0)])
			first = at;
	} while (at != state);

	at = first;
	do
	{
		loop.states[loop.length++] = (uint8) at;
		loop.guards |= lint->effects[next[at]].guards;
		at = lint->w->moves[next[at]].to;
	} while (at != first);

	if (lint->loops[first].length == 0 || loop.length < lint->loops[first].length)
		lint->loops[first] = loop;
}

/* report_loop tells of a loop: the way there, and once round. */
static void
report_loop(Lint *lint, int state)
{
	const Loop *loop = &lint->loops[state];
	int			way[WORKFLOW_MAX_STATES];
	int			length = 0;
	bool		first = true;

	oms_lint_find_state(lint, true, "auto_loop", state);
	oms_lint_say(lint->report, "automatic moves go round without end");
	for (int i = 0; lint->guards[i].name != NULL; i++)
	{
		if (!((loop->guards >> i) & 1))
			continue;
		oms_lint_say(lint->report, "%s%s", first ? " while these hold: " : ", ", lint->guards[i].name);
		first = false;
	}
	for (int node = NODE(state, 0); node >= 0; node = lint->graph.previous[node])
		way[length++] = node / HOLDINGS;
	oms_lint_say(lint->report, " (");
	while (length > 0)
		oms_lint_say(lint->report, "%s -> ", oms_lint_state(lint, way[--length]));
	for (int i = 1; i < loop->length; i++)
		oms_lint_say(lint->report, "%s -> ", oms_lint_state(lint, loop->states[i]));
	oms_lint_say(lint->report, "%s): make one of them manual, or guard it by what the others rule out", oms_lint_state(lint, state));
}
