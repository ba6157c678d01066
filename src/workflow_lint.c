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
 *	 interpretation): guards and actions change what it has, as the tables
 *	 below say.  Guards may hold or not; names that are not built in leave
 *	 stock alone.  Where an action finds nothing to act on, the engine
 *	 refuses the move, so the walk ends there.
 *
 * Each walk passes each move once for each thing that a row may have.
 */
#ifndef OMS_STANDALONE
#include "postgres.h"
#endif

#include "workflow_lint.h"

#define NODES	(WORKFLOW_MAX_STATES * HOLDINGS)
#define NODE(state, holding)	((state) * HOLDINGS + (holding))

/* What comes of a holding, in a byte. */
#define FAULT	0x80			/* the action finds not what it is to act on */
#define NOWHERE 0x7f			/* so no row gets there */
#define NONE	(FAULT | NOWHERE)
#define STAYS	{UNTAKEN, HELD, LEFT, DELIVERED, ENDED}

typedef struct LintAction
{
	const char *name;
	uint8		next[HOLDINGS];
} LintAction;

/*
 * What guards.c has, with what follows when they hold.  Which of them hold at
 * once matters for circles of automatic moves; a bit stands for each.
 */
typedef struct LintGuard
{
	const char *name;
	bool		ends_holding;	/* when it holds, nothing is held any more */
	uint8		implies;
	uint8		excludes;
} LintGuard;

enum
{
	UNHELD = 1, PAYABLE = 2, PAID = 4, FULFILLED = 8, UNSHIPPED = 16, ALLOCATED = 32, ALL_CANCELED = 64
};

static const LintGuard order_guards[] = {
	{"unheld", false, 0, 0},
	{"payable", false, 0, 0},
	{"paid", false, PAYABLE, 0},
	{"fulfilled", true, 0, ALL_CANCELED},
	{"unshipped", false, 0, 0},
	{"allocated", false, 0, 0},
	{"all_canceled", true, UNSHIPPED | ALLOCATED, FULFILLED},
	{NULL, false, 0, 0}
};

static const LintGuard fulfillment_guards[] = {
	{"order_confirmed", false, 0, 0},
	{"order_unheld", false, 0, 0},
	{"group_complete", false, 0, 0},
	{NULL, false, 0, 0}
};

static const LintAction order_actions[] = {
	{"reserve", {HELD, HELD, LEFT, DELIVERED, ENDED}},
	{"confirm", STAYS},
	{"release", {UNTAKEN, ENDED, LEFT, DELIVERED, ENDED}},
	{NULL, STAYS}
};

static const LintAction fulfillment_actions[] = {
	{"issue", {NONE, LEFT, NONE, NONE, NONE}},
	{"deliver", {NONE, FAULT | HELD, DELIVERED, NONE, NONE}},
	{"release", {NONE, ENDED, NONE, NONE, NONE}},
	{"reroute", {NONE, ENDED, NONE, NONE, NONE}},
	{"restock", {NONE, FAULT | HELD, ENDED, ENDED, NONE}},
	{NULL, STAYS}
};

static const LintGuard no_guards[] = {{NULL, false, 0, 0}};
static const LintAction no_actions[] = {{NULL, STAYS}};

/* A move, as far as lint is concerned. */
typedef struct Effect
{
	uint8		next[HOLDINGS];
	uint8		found[HOLDINGS];	/* where at fault: what was there then */
	const char *culprit[HOLDINGS];	/* and the action that was wrong */
	uint8		guards;			/* built in; a bit each */
	bool		asks_others;	/* it has guards that are not built in */
	bool		releases;		/* what is held before it */
	bool		reroutes;
} Effect;

/* Where a walk came, and how. */
typedef struct Walk
{
	int			count;
	int16		order[NODES];	/* nodes, as they were reached */
	int16		rank[NODES];	/* a node's place there; -1: not reached */
	int16		previous[NODES];	/* -1: it began there */
} Walk;

/* Moves by one of their ends: those of a state follow each other. */
typedef struct Ends
{
	uint16		first[WORKFLOW_MAX_STATES + 1];
	uint16		moves[WORKFLOW_MAX_MOVES];
} Ends;

typedef struct Loop
{
	int			length;			/* states in it; 0: there is no loop */
	uint8		guards;			/* that keep it going */
	uint8		states[WORKFLOW_MAX_STATES];
} Loop;

typedef struct Lint
{
	const Workflow *w;
	LintEntity	entity;
	const LintGuard *guards;
	const LintAction *actions;
	LintReport *report;
	Ends		from;
	Ends		to;
	Walk		graph;			/* states, as if all had HOLDING 0 */
	Walk		flow;
	Loop		loops[WORKFLOW_MAX_STATES]; /* by the state that is reached
											 * first */
	Effect	   *effects;		/* of each move */
} Lint;

static void learn_move(Lint *lint, const WorkflowMove *move, Effect *effect);
static void run_action(const LintAction *action, Effect *effect);
static void sort_by(Ends *ends, const Workflow *w, bool by_target);
static void walk_moves(const Lint *lint, Walk *walk, bool with_holdings, const uint8 *rows);
static void reach(Walk *walk, int node, int previous);
static void find_dead_ends(Lint *lint);
static void find_exits(Lint *lint);
static void find_pathless(Lint *lint);
static void spread_back(const Lint *lint, bool *marks, bool while_held);
static void find_loops(Lint *lint);
static bool is_possible(const Lint *lint, int guards);
static void choose_moves(const Lint *lint, int guards, int16 *next);
static void note_loops(Lint *lint, const int16 *next);
static void note_loop(Lint *lint, const int16 *next, int state);
static void report_loop(Lint *lint, int state);
static void find_leaks(Lint *lint);
static void find_twice(Lint *lint);
static void report_twice(Lint *lint, const WorkflowMove *move, const Effect *effect, Holding before);
static void find_unreachable(Lint *lint);
static void find_unknown(Lint *lint, bool actions);
static void find_stuck(Lint *lint, bool reroute);
static void say_path(Lint *lint, const Walk *walk, int node, int then);

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
	lint->guards = entity == LINT_ORDER ? order_guards : entity == LINT_FULFILLMENT ? fulfillment_guards : no_guards;
	lint->actions = entity == LINT_ORDER ? order_actions : entity == LINT_FULFILLMENT ? fulfillment_actions : no_actions;
	lint->effects = palloc0((workflow->nmoves + 1) * sizeof(Effect));
	for (int i = 0; i < workflow->nmoves; i++)
		learn_move(lint, oms_workflow_move(workflow, i), &lint->effects[i]);
	sort_by(&lint->from, workflow, false);
	sort_by(&lint->to, workflow, true);
	walk_moves(lint, &lint->graph, false, rows);
	walk_moves(lint, &lint->flow, true, rows);

	find_dead_ends(lint);
	find_exits(lint);
	find_pathless(lint);
	find_loops(lint);
	find_leaks(lint);
	find_twice(lint);
	find_unreachable(lint);
	find_unknown(lint, false);
	find_unknown(lint, true);
	find_stuck(lint, true);
	find_stuck(lint, false);
	pfree(lint->effects);
	pfree(lint);
	return report;
}

/* guard_number returns which of these guards has a name, or -1. */
static int
guard_number(const LintGuard *guards, const char *name)
{
	for (int i = 0; guards[i].name != NULL; i++)
		if (strcmp(guards[i].name, name) == 0)
			return i;
	return -1;
}

/* find_action returns the one of these actions that has a name, or NULL. */
static const LintAction *
find_action(const LintAction *actions, const char *name)
{
	for (; actions->name != NULL; actions++)
		if (strcmp(actions->name, name) == 0)
			return actions;
	return NULL;
}

/* is_built_in tells whether a name is, for any entity where none was given. */
static bool
is_built_in(const Lint *lint, const char *name, bool action)
{
	bool		for_order = action ? find_action(order_actions, name) != NULL : guard_number(order_guards, name) >= 0;
	bool		for_fulfillment = action ? find_action(fulfillment_actions, name) != NULL
		: guard_number(fulfillment_guards, name) >= 0;

	return (for_order && lint->entity != LINT_FULFILLMENT) || (for_fulfillment && lint->entity != LINT_ORDER);
}

/* learn_move works out what a move does to what a row has. */
static void
learn_move(Lint *lint, const WorkflowMove *move, Effect *effect)
{
	for (int holding = 0; holding < HOLDINGS; holding++)
		effect->next[holding] = (uint8) holding;
	for (int i = 0; i < move->nguards; i++)
	{
		int			number = guard_number(lint->guards, oms_workflow_guard(lint->w, move, i));

		if (number < 0)
			effect->asks_others = true;
		else
		{
			effect->guards |= (uint8) (1 << number);
			if (lint->guards[number].ends_holding)
				effect->next[HELD] = ENDED;
		}
	}
	for (int i = 0; i < move->nactions; i++)
	{
		const LintAction *action = find_action(lint->actions, oms_workflow_action(lint->w, move, i));

		if (action != NULL)
			run_action(action, effect);
	}
}

/* run_action adds what an action does to what was done before it. */
static void
run_action(const LintAction *action, Effect *effect)
{
	if (effect->next[HELD] == HELD)
	{
		effect->releases |= strcmp(action->name, "release") == 0;
		effect->reroutes |= strcmp(action->name, "reroute") == 0;
	}
	for (int holding = 0; holding < HOLDINGS; holding++)
	{
		int			now = effect->next[holding] & NOWHERE;
		int			next;

		if (now == NOWHERE)
			continue;
		next = action->next[now];
		if ((next & FAULT) && effect->culprit[holding] == NULL)
		{
			effect->culprit[holding] = action->name;
			effect->found[holding] = (uint8) now;
		}
		effect->next[holding] = (uint8) (next & NOWHERE);
	}
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

/* is_reached tells whether a state is. */
static bool
is_reached(const Lint *lint, int state)
{
	return lint->graph.rank[NODE(state, 0)] >= 0;
}

/* has_exit tells whether a move leaves a state. */
static bool
has_exit(const Lint *lint, int state)
{
	return lint->from.first[state] < lint->from.first[state + 1];
}

/* name returns a state's. */
static const char *
name(const Lint *lint, int state)
{
	return oms_workflow_state_name(lint->w, state);
}

/* find_state begins a finding about a state. */
static void
find_state(Lint *lint, bool is_error, const char *code, int state)
{
	oms_lint_find(lint->report, is_error, code);
	oms_lint_subject(lint->report, "%s", name(lint, state));
}

/* find_dead_ends: where a row would stay for good. */
static void
find_dead_ends(Lint *lint)
{
	for (int state = 0; state < lint->w->nstates; state++)
	{
		if (!is_reached(lint, state) || oms_workflow_is_final(lint->w, state) || has_exit(lint, state))
			continue;
		find_state(lint, true, "dead_end", state);
		oms_lint_say(lint->report, "no move leaves \"%s\", and it is not final", name(lint, state));
		say_path(lint, &lint->graph, NODE(state, 0), -1);
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

		if (!is_reached(lint, state) || !oms_workflow_is_final(lint->w, state) || !has_exit(lint, state))
			continue;
		next = lint->w->moves[lint->from.moves[lint->from.first[state]]].to;
		find_state(lint, true, "final_with_exit", state);
		oms_lint_say(lint->report, "\"%s\" is final, but a move leads from it to \"%s\"", name(lint, state), name(lint, next));
		say_path(lint, &lint->graph, NODE(state, 0), next);
		oms_lint_say(lint->report, ": take the move out, or let \"%s\" not be final", name(lint, state));
	}
}

/* find_pathless: where moves lead on and on, but never to an end. */
static void
find_pathless(Lint *lint)
{
	bool		ends[WORKFLOW_MAX_STATES] = {false};

	for (int state = 0; state < lint->w->nstates; state++)
		ends[state] = oms_workflow_is_final(lint->w, state);
	spread_back(lint, ends, false);
	for (int state = 0; state < lint->w->nstates; state++)
	{
		if (!is_reached(lint, state) || ends[state] || !has_exit(lint, state))
			continue;
		find_state(lint, true, "no_path_to_final", state);
		oms_lint_say(lint->report, "no way leads from \"%s\" to a final state", name(lint, state));
		say_path(lint, &lint->graph, NODE(state, 0), -1);
		oms_lint_say(lint->report, ": add a move towards one, or name one by \"final\"");
	}
}

/*
 * spread_back marks all states from which marked ones can be reached, by any
 * move or by those that leave what is held alone.
 */
static void
spread_back(const Lint *lint, bool *marks, bool while_held)
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

/*
 * find_loops: circles of automatic moves.  The engine makes the first automatic
 * move whose guards hold, and the built-in ones answer the same all the way
 * round; so for each set of them that can hold at once there is one way on
 * from a state.  A guard that is not built in may say no, and stops it.
 */
static void
find_loops(Lint *lint)
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

		if (!is_possible(lint, guards))
			continue;
		choose_moves(lint, guards, next);
		note_loops(lint, next);
	}
	for (int state = 0; state < lint->w->nstates; state++)
		if (lint->loops[state].length > 0)
			report_loop(lint, state);
}

/* is_possible tells whether these guards, and no others, can hold at once. */
static bool
is_possible(const Lint *lint, int guards)
{
	for (int i = 0; lint->guards[i].name != NULL; i++)
		if ((guards >> i) & 1 &&
			((lint->guards[i].implies & ~guards) != 0 || (lint->guards[i].excludes & guards) != 0))
			return false;

	/* an order with nothing to ship aside, what is fulfilled waits for nothing */
	return lint->entity != LINT_ORDER || (guards & (FULFILLED | UNSHIPPED | ALLOCATED)) != FULFILLED;
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

		if (!is_reached(lint, start))
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

	find_state(lint, true, "auto_loop", state);
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
		oms_lint_say(lint->report, "%s -> ", name(lint, way[--length]));
	for (int i = 1; i < loop->length; i++)
		oms_lint_say(lint->report, "%s -> ", name(lint, loop->states[i]));
	oms_lint_say(lint->report, "%s): make one of them manual, or guard it by what the others rule out", name(lint, state));
}

/* find_leaks: an end with stock still held, which nobody would give back. */
static void
find_leaks(Lint *lint)
{
	if (lint->entity == LINT_ANY)
		return;
	for (int state = 0; state < lint->w->nstates; state++)
	{
		if (lint->flow.rank[NODE(state, HELD)] < 0 || !oms_workflow_is_final(lint->w, state))
			continue;
		if (lint->entity == LINT_ORDER)
		{
			find_state(lint, true, "reservation_leak", state);
			oms_lint_say(lint->report, "\"%s\" is final, and the order can still hold stock then", name(lint, state));
			say_path(lint, &lint->flow, NODE(state, HELD), -1);
			oms_lint_say(lint->report, ": have a move on the way do release, or guard it by fulfilled or all_canceled");
		}
		else
		{
			find_state(lint, true, "stock_leak", state);
			oms_lint_say(lint->report, "\"%s\" is final, and stock can still be held then", name(lint, state));
			say_path(lint, &lint->flow, NODE(state, HELD), -1);
			oms_lint_say(lint->report, ": have a move on the way do issue, release or reroute");
		}
	}
}

/* find_twice: actions that find nothing to act on. */
static void
find_twice(Lint *lint)
{
	if (lint->entity == LINT_ANY)
		return;
	for (int i = 0; i < lint->w->nmoves; i++)
	{
		const WorkflowMove *move = &lint->w->moves[i];
		const Effect *effect = &lint->effects[i];
		int			before = -1;

		for (int holding = 0; holding < HOLDINGS; holding++)
		{
			int			rank = lint->flow.rank[NODE(move->from, holding)];

			if (rank >= 0 && effect->culprit[holding] != NULL &&
				(before < 0 || rank < lint->flow.rank[NODE(move->from, before)]))
				before = holding;
		}
		if (before >= 0)
			report_twice(lint, move, effect, before);
	}
}

/* report_twice tells of one. */
static void
report_twice(Lint *lint, const WorkflowMove *move, const Effect *effect, Holding before)
{
	static const char *const why[HOLDINGS] = {
		"nothing is held", "stock has not left", "stock has left already", "stock was delivered already",
		"stock was given back already"
	};
	const char *from = name(lint, move->from);
	const char *to = name(lint, move->to);

	oms_lint_find(lint->report, true, "stock_twice");
	oms_lint_subject(lint->report, "%s -> %s", from, to);
	oms_lint_say(lint->report, "the move from \"%s\" to \"%s\"", from, to);
	oms_lint_say(lint->report, " does %s, but %s", effect->culprit[before], why[effect->found[before]]);
	say_path(lint, &lint->flow, NODE(move->from, before), move->to);
	oms_lint_say(lint->report, ": take the action out, or use two states instead of \"%s\"", from);
}

/* find_unreachable: states that no row can come to. */
static void
find_unreachable(Lint *lint)
{
	for (int state = 0; state < lint->w->nstates; state++)
	{
		if (is_reached(lint, state))
			continue;
		find_state(lint, false, "unreachable_state", state);
		oms_lint_say(lint->report, "no way leads from \"%s\" to \"%s\": add a move to it, or take it out",
					 name(lint, lint->w->initial), name(lint, state));
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

			if (seen[offset / 8] & (1 << offset % 8) || is_built_in(lint, word, actions))
				continue;
			seen[offset / 8] |= (uint8) (1 << offset % 8);
			oms_lint_find(lint->report, false, actions ? "unknown_action" : "unknown_guard");
			oms_lint_subject(lint->report, "%s -> %s", name(lint, move->from), name(lint, move->to));
			oms_lint_say(lint->report, "%s \"%s\" is not built in", actions ? "action" : "guard", word);
			if (is_reached(lint, move->from))
				say_path(lint, &lint->graph, NODE(move->from, 0), -1);
			oms_lint_say(lint->report, ": correct the name, or create a function of this name");
		}
	}
	pfree(seen);
}

/* find_stuck: states that hold stock which nothing could call back. */
static void
find_stuck(Lint *lint, bool reroute)
{
	bool		free_from[WORKFLOW_MAX_STATES] = {false};
	const char *action = reroute ? "reroute" : "release";

	if (lint->entity == LINT_ANY || (reroute && lint->entity == LINT_ORDER))
		return;
	for (int i = 0; i < lint->w->nmoves; i++)
		if (reroute ? lint->effects[i].reroutes : lint->effects[i].releases)
			free_from[lint->w->moves[i].from] = true;
	spread_back(lint, free_from, true);
	for (int state = 0; state < lint->w->nstates; state++)
	{
		if (lint->flow.rank[NODE(state, HELD)] < 0 || free_from[state] || oms_workflow_is_final(lint->w, state))
			continue;
		find_state(lint, false, reroute ? "cannot_reroute" : "cannot_release", state);
		oms_lint_say(lint->report, "stock is held in \"%s\", and no way leads to a move that does %s", name(lint, state), action);
		say_path(lint, &lint->flow, NODE(state, HELD), -1);
		oms_lint_say(lint->report, reroute ? ": add one, or no other location can take over"
					 : ": add one, or it cannot be canceled");
	}
}

/* say_path writes the way to a node, and perhaps one step more. */
static void
say_path(Lint *lint, const Walk *walk, int node, int then)
{
	int			way[NODES];
	int			length = 0;

	for (; node >= 0; node = walk->previous[node])
		way[length++] = node / HOLDINGS;
	oms_lint_say(lint->report, " (%s", name(lint, way[--length]));
	while (length-- > 0)
		oms_lint_say(lint->report, " -> %s", name(lint, way[length]));
	if (then >= 0)
		oms_lint_say(lint->report, " -> %s", name(lint, then));
	oms_lint_say(lint->report, ")");
}
