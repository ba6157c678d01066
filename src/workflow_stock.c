/*
 * workflow_stock.c
 *	  What guards and actions do to what a row has of stock, and what comes of
 *	  it: leaks, and actions that find nothing to act on.
 *
 * Guards may hold or not; names that are not built in leave stock alone.  Where
 * an action finds nothing to act on, the engine refuses the move, so no row
 * gets to its other end that way.
 */
#ifndef OMS_STANDALONE
#include "postgres.h"
#endif

#include "workflow_lint_parts.h"

#define NONE	(FAULT | NOWHERE)
#define STAYS	{UNTAKEN, HELD, LEFT, DELIVERED, ENDED}

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
	{"due", false, 0, 0},
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

static void learn_move(Lint *lint, const WorkflowMove *move, Effect *effect);
static void run_action(const LintAction *action, Effect *effect);
static void find_leaks(Lint *lint);
static void find_twice(Lint *lint);
static void report_twice(Lint *lint, const WorkflowMove *move, const Effect *effect, Holding before);
static void find_stuck(Lint *lint, bool reroute);

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

/* oms_lint_is_built_in tells whether a name is, for any entity where none was given. */
bool
oms_lint_is_built_in(const Lint *lint, const char *name, bool action)
{
	bool		for_order = action ? find_action(order_actions, name) != NULL : guard_number(order_guards, name) >= 0;
	bool		for_fulfillment = action ? find_action(fulfillment_actions, name) != NULL
		: guard_number(fulfillment_guards, name) >= 0;

	return (for_order && lint->entity != LINT_FULFILLMENT) || (for_fulfillment && lint->entity != LINT_ORDER);
}

/* oms_lint_guards_fit tells whether these guards, and no others, can hold at once. */
bool
oms_lint_guards_fit(const Lint *lint, int guards)
{
	for (int i = 0; lint->guards[i].name != NULL; i++)
		if ((guards >> i) & 1 &&
			((lint->guards[i].implies & ~guards) != 0 || (lint->guards[i].excludes & guards) != 0))
			return false;

	/*
	 * an order with nothing to ship aside, what is fulfilled waits for
	 * nothing
	 */
	return lint->entity != LINT_ORDER || (guards & (FULFILLED | UNSHIPPED | ALLOCATED)) != FULFILLED;
}

/* oms_lint_learn works out what each move does. */
void
oms_lint_learn(Lint *lint)
{
	const Workflow *w = lint->w;

	lint->guards = lint->entity == LINT_ORDER ? order_guards
		: lint->entity == LINT_FULFILLMENT ? fulfillment_guards : no_guards;
	lint->actions = lint->entity == LINT_ORDER ? order_actions
		: lint->entity == LINT_FULFILLMENT ? fulfillment_actions : no_actions;
	lint->effects = palloc0((w->nmoves + 1) * sizeof(Effect));
	for (int i = 0; i < w->nmoves; i++)
		learn_move(lint, oms_workflow_move(w, i), &lint->effects[i]);
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

/* oms_lint_stock finds what goes wrong with stock. */
void
oms_lint_stock(Lint *lint)
{
	if (lint->entity == LINT_ANY)
		return;
	find_leaks(lint);
	find_twice(lint);
}

/* find_leaks: an end with stock still held, which nobody would give back. */
static void
find_leaks(Lint *lint)
{
	for (int state = 0; state < lint->w->nstates; state++)
	{
		if (lint->flow.rank[NODE(state, HELD)] < 0 || !oms_workflow_is_final(lint->w, state))
			continue;
		if (lint->entity == LINT_ORDER)
		{
			oms_lint_find_state(lint, true, "reservation_leak", state);
			oms_lint_say(lint->report, "\"%s\" is final, and the order can still hold stock then", oms_lint_state(lint, state));
			oms_lint_say_path(lint, &lint->flow, NODE(state, HELD), -1);
			oms_lint_say(lint->report, ": have a move on the way do release, or guard it by fulfilled or all_canceled");
		}
		else
		{
			oms_lint_find_state(lint, true, "stock_leak", state);
			oms_lint_say(lint->report, "\"%s\" is final, and stock can still be held then", oms_lint_state(lint, state));
			oms_lint_say_path(lint, &lint->flow, NODE(state, HELD), -1);
			oms_lint_say(lint->report, ": have a move on the way do issue, release or reroute");
		}
	}
}

/* find_twice: actions that find nothing to act on. */
static void
find_twice(Lint *lint)
{
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
	const char *from = oms_lint_state(lint, move->from);
	const char *to = oms_lint_state(lint, move->to);

	oms_lint_find(lint->report, true, "stock_twice");
	oms_lint_subject(lint->report, "%s -> %s", from, to);
	oms_lint_say(lint->report, "the move from \"%s\" to \"%s\"", from, to);
	oms_lint_say(lint->report, " does %s, but %s", effect->culprit[before], why[effect->found[before]]);
	oms_lint_say_path(lint, &lint->flow, NODE(move->from, before), move->to);
	oms_lint_say(lint->report, ": take the action out, or use two states instead of \"%s\"", from);
}

/* oms_lint_stuck finds where stock cannot be called back from. */
void
oms_lint_stuck(Lint *lint)
{
	if (lint->entity == LINT_FULFILLMENT)
		find_stuck(lint, true);
	if (lint->entity != LINT_ANY)
		find_stuck(lint, false);
}

/* find_stuck: states that hold stock which nothing could call back. */
static void
find_stuck(Lint *lint, bool reroute)
{
	bool		free_from[WORKFLOW_MAX_STATES] = {false};
	const char *action = reroute ? "reroute" : "release";

	for (int i = 0; i < lint->w->nmoves; i++)
		if (reroute ? lint->effects[i].reroutes : lint->effects[i].releases)
			free_from[lint->w->moves[i].from] = true;
	oms_lint_spread_back(lint, free_from, true);
	for (int state = 0; state < lint->w->nstates; state++)
	{
		if (lint->flow.rank[NODE(state, HELD)] < 0 || free_from[state] || oms_workflow_is_final(lint->w, state))
			continue;
		oms_lint_find_state(lint, false, reroute ? "cannot_reroute" : "cannot_release", state);
		oms_lint_say(lint->report, "stock is held in \"%s\", and no way leads to a move that does %s", oms_lint_state(lint, state), action);
		oms_lint_say_path(lint, &lint->flow, NODE(state, HELD), -1);
		oms_lint_say(lint->report, reroute ? ": add one, or no other location can take over"
					 : ": add one, or it cannot be canceled");
	}
}
