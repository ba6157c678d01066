/*
 * workflow_draw.c
 *	  Workflows as pictures: Mermaid and Graphviz.
 *
 * For documentation and for whoever edits a workflow.  An edge says
 * "[guards] / actions", as UML does.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "workflow.h"

/*
 * Names that mermaid cannot take for a state's id: its keywords, what it calls
 * its own nodes, and a property that every JavaScript object has.
 */
static const char *const mermaid_words[] = {
	"acc_descr", "acc_title", "accdescr", "acctitle", "as", "choice", "class",
	"classdef", "click", "constructor", "default", "direction", "end", "fork",
	"hide", "href", "join", "note", "root", "root_end", "root_start", "scale",
	"state", "statediagram", "style"
};

static void draw_mermaid_state(StringInfo drawing, const Workflow *workflow, int state);
static const char *mermaid_prefix(const Workflow *workflow, int state);
static bool has_label(const WorkflowMove *move);
static void draw_label(StringInfo drawing, const Workflow *workflow,
					   const WorkflowMove *move);

PG_FUNCTION_INFO_V1(oms_to_mermaid);
PG_FUNCTION_INFO_V1(oms_to_dot);

/* oms_to_mermaid draws a Mermaid state diagram. */
Datum
oms_to_mermaid(PG_FUNCTION_ARGS)
{
	Workflow   *workflow = PG_GETARG_WORKFLOW(0);
	StringInfoData drawing;

	initStringInfo(&drawing);
	appendStringInfoString(&drawing, "stateDiagram-v2");
	for (int state = 0; state < workflow->nstates; state++)
	{
		const char *prefix = mermaid_prefix(workflow, state);
		const char *name = oms_workflow_state_name(workflow, state);

		if (*prefix != '\0')
			appendStringInfo(&drawing, "\n    state \"%s\" as %s%s", name, prefix, name);
	}

	appendStringInfoString(&drawing, "\n    [*] --> ");
	draw_mermaid_state(&drawing, workflow, workflow->initial);
	for (int i = 0; i < workflow->nmoves; i++)
	{
		const WorkflowMove *move = oms_workflow_move(workflow, i);

		appendStringInfoString(&drawing, "\n    ");
		draw_mermaid_state(&drawing, workflow, move->from);
		appendStringInfoString(&drawing, " --> ");
		draw_mermaid_state(&drawing, workflow, move->to);
		if (has_label(move))
			appendStringInfoString(&drawing, " : ");
		draw_label(&drawing, workflow, move);
	}
	for (int state = 0; state < workflow->nstates; state++)
	{
		if (!oms_workflow_is_final(workflow, state))
			continue;
		appendStringInfoString(&drawing, "\n    ");
		draw_mermaid_state(&drawing, workflow, state);
		appendStringInfoString(&drawing, " --> [*]");
	}
	PG_RETURN_TEXT_P(cstring_to_text_with_len(drawing.data, drawing.len));
}

/* draw_mermaid_state writes the id of a state. */
static void
draw_mermaid_state(StringInfo drawing, const Workflow *workflow, int state)
{
	appendStringInfo(drawing, "%s%s", mermaid_prefix(workflow, state),
					 oms_workflow_state_name(workflow, state));
}

/*
 * mermaid_prefix returns what makes a state's name safe as an id: nothing, as
 * a rule.  No state's name has an upper-case letter, so the id is not taken.
 */
static const char *
mermaid_prefix(const Workflow *workflow, int state)
{
	const char *name = oms_workflow_state_name(workflow, state);

	for (int i = 0; i < lengthof(mermaid_words); i++)
		if (strcmp(name, mermaid_words[i]) == 0)
			return "S_";

	/*
	 * A line that ends in "direction", as a label may, and a next one that
	 * begins with one of these are a command together: mermaid looks for
	 * direction\s+TB.
	 */
	if (strncmp(name, "tb", 2) == 0 || strncmp(name, "bt", 2) == 0 ||
		strncmp(name, "lr", 2) == 0 || strncmp(name, "rl", 2) == 0)
		return "S_";
	return "";
}

/* oms_to_dot draws a Graphviz digraph. */
Datum
oms_to_dot(PG_FUNCTION_ARGS)
{
	Workflow   *workflow = PG_GETARG_WORKFLOW(0);
	StringInfoData drawing;

	initStringInfo(&drawing);
	appendStringInfoString(&drawing,
						   "digraph workflow {\n"
						   "    node [shape=ellipse];\n"
						   "    \"\" [shape=point];\n");
	for (int state = 0; state < workflow->nstates; state++)
		appendStringInfo(&drawing, "    \"%s\"%s;\n", oms_workflow_state_name(workflow, state),
						 oms_workflow_is_final(workflow, state) ? " [shape=doublecircle]" : "");

	appendStringInfo(&drawing, "    \"\" -> \"%s\";\n",
					 oms_workflow_state_name(workflow, workflow->initial));
	for (int i = 0; i < workflow->nmoves; i++)
	{
		const WorkflowMove *move = oms_workflow_move(workflow, i);

		appendStringInfo(&drawing, "    \"%s\" -> \"%s\"",
						 oms_workflow_state_name(workflow, move->from),
						 oms_workflow_state_name(workflow, move->to));
		if (has_label(move))
		{
			appendStringInfoString(&drawing, " [label=\"");
			draw_label(&drawing, workflow, move);
			appendStringInfo(&drawing, "\"%s]", move->automatic ? ", style=dashed" : "");
		}
		appendStringInfoString(&drawing, ";\n");
	}
	appendStringInfoString(&drawing, "}");
	PG_RETURN_TEXT_P(cstring_to_text_with_len(drawing.data, drawing.len));
}

/* has_label tells whether a move is more than an arrow. */
static bool
has_label(const WorkflowMove *move)
{
	return move->automatic || move->nguards > 0 || move->nactions > 0;
}

/* draw_label writes "auto [guards] / actions"; no language needs escapes in it. */
static void
draw_label(StringInfo drawing, const Workflow *workflow, const WorkflowMove *move)
{
	if (move->automatic)
		appendStringInfoString(drawing, "auto");
	for (int i = 0; i < move->nguards; i++)
		appendStringInfo(drawing, "%s%s",
						 i > 0 ? ", " : move->automatic ? " [" : "[",
						 oms_workflow_guard(workflow, move, i));
	if (move->nguards > 0)
		appendStringInfoChar(drawing, ']');
	for (int i = 0; i < move->nactions; i++)
		appendStringInfo(drawing, "%s%s",
						 i > 0 ? ", " : move->automatic || move->nguards > 0 ? " / " : "/ ",
						 oms_workflow_action(workflow, move, i));
}
