/*
 * workflow_lint_parts.h
 *	  What the files of lint share: moves as it sees them, and its two walks.
 */
#ifndef OMS_WORKFLOW_LINT_PARTS_H
#define OMS_WORKFLOW_LINT_PARTS_H

#include "workflow_lint.h"

#define NODES	(WORKFLOW_MAX_STATES * HOLDINGS)
#define NODE(state, holding)	((state) * HOLDINGS + (holding))

/* What comes of a holding, in a byte. */
#define FAULT	0x80			/* the action finds not what it is to act on */
#define NOWHERE 0x7f			/* so no row gets there */

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

/* workflow_lint.c */
extern bool oms_lint_is_reached(const Lint *lint, int state);
extern const char *oms_lint_state(const Lint *lint, int state);
extern void oms_lint_find_state(Lint *lint, bool is_error, const char *code, int state);
extern void oms_lint_say_path(Lint *lint, const Walk *walk, int node, int then);
extern void oms_lint_spread_back(const Lint *lint, bool *marks, bool while_held);

/* workflow_loops.c */
extern void oms_lint_loops(Lint *lint);

/* workflow_stock.c */
extern void oms_lint_learn(Lint *lint);
extern bool oms_lint_is_built_in(const Lint *lint, const char *name, bool action);
extern bool oms_lint_guards_fit(const Lint *lint, int guards);
extern void oms_lint_stock(Lint *lint);
extern void oms_lint_stuck(Lint *lint);

#endif							/* OMS_WORKFLOW_LINT_PARTS_H */
