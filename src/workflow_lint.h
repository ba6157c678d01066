/*
 * workflow_lint.h
 *	  What is wrong with a workflow, proved on its graph.
 *
 * Pure, as the parser is: compiled with -DOMS_STANDALONE it stands alone.
 */
#ifndef OMS_WORKFLOW_LINT_H
#define OMS_WORKFLOW_LINT_H

#include "workflow.h"

/* Whose rows a workflow is for; it decides which names are built in. */
typedef enum LintEntity
{
	LINT_ANY,					/* a table of a user's own: no name is known */
	LINT_ORDER,
	LINT_FULFILLMENT
} LintEntity;

/* What a row has of stock. */
typedef enum Holding
{
	UNTAKEN,					/* an order before reserve */
	HELD,
	LEFT,						/* issued */
	DELIVERED,
	ENDED,						/* given back, or of an order: nothing is left
								 * to hold */
	HOLDINGS
} Holding;

typedef struct LintFinding
{
	const char *code;
	bool		is_error;
	char	   *subject;		/* a state, or a move "a -> b" */
	char	   *message;		/* what, (a witness path): what to change */
} LintFinding;

typedef struct LintReport
{
	int			count;
	int			capacity;
	LintFinding *findings;		/* errors first */
} LintReport;

/* workflow_lint.c */
extern LintReport *oms_workflow_lint(const Workflow *workflow, LintEntity entity,
									 const uint8 *rows);

/* workflow_report.c */
extern LintReport *oms_lint_report(void);
extern void oms_lint_free(LintReport *report);
extern void oms_lint_find(LintReport *report, bool is_error, const char *code);
extern void oms_lint_subject(LintReport *report, const char *format,...) pg_attribute_printf(2, 3);
extern void oms_lint_say(LintReport *report, const char *format,...) pg_attribute_printf(2, 3);

#endif							/* OMS_WORKFLOW_LINT_H */
