/*
 * workflow_draw.c
 *	  Workflows as pictures: Mermaid and Graphviz.
 *
 * For documentation and for whoever edits a workflow.  An edge says
 * "[guards] / actions", as UML does; one that is made by itself begins with
 * "auto".  traffic.c adds how much there is where.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "workflow.h"
#include "workflow_draw.h"

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

/*
 * How to_dot paints: states as boxes, final ones gray with a double border,
 * automatic moves dashed and blue.
 */
#define DOT_HEAD \
	"digraph workflow {\n" \
	"    node [shape=box, style=\"rounded,filled\", fillcolor=\"#e8f0fe\", color=\"#3b5b92\", fontname=\"Helvetica\", fontsize=12];\n" \
	"    edge [color=\"#444444\", fontname=\"Helvetica\", fontsize=10];\n" \
	"    \"\" [shape=circle, style=filled, fillcolor=black, width=0.15, label=\"\"];\n"
#define DOT_FINAL " [peripheries=2, fillcolor=\"#dddddd\", color=\"#555555\"]"
#define DOT_AUTOMATIC ", style=dashed, color=\"#1a73e8\", fontcolor=\"#1a73e8\""

static void draw_mermaid_states(StringInfo drawing, const Workflow *workflow, const Traffic *traffic);
static void draw_mermaid_state(StringInfo drawing, const Workflow *workflow, int state);
static const char *mermaid_prefix(const Workflow *workflow, int state);
static bool has_label(const WorkflowMove *move);
static void draw_label(StringInfo drawing, const Workflow *workflow,
					   const WorkflowMove *move, const char *comma, const char *gap);

PG_FUNCTION_INFO_V1(oms_to_mermaid);
PG_FUNCTION_INFO_V1(oms_to_dot);

/* oms_to_mermaid draws a Mermaid state diagram. */
Datum
oms_to_mermaid(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(oms_draw_mermaid(PG_GETARG_WORKFLOW(0), NULL)));
}

/*
 * oms_draw_mermaid draws a Mermaid state diagram, and on it how much there is
 * where, unless traffic is NULL.
 */
char *
oms_draw_mermaid(const Workflow *workflow, const Traffic *traffic)
{
	StringInfoData drawing;

	initStringInfo(&drawing);
	appendStringInfoString(&drawing, "stateDiagram-v2");
	draw_mermaid_states(&drawing, workflow, traffic);
	appendStringInfoString(&drawing, "\n    [*] --> ");
	draw_mermaid_state(&drawing, workflow, workflow->initial);
	if (traffic)
		appendStringInfo(&drawing, " : " INT64_FORMAT "x", traffic->created);
	for (int i = 0; i < workflow->nmoves; i++)
	{
		const WorkflowMove *move = oms_workflow_move(workflow, i);

		appendStringInfoString(&drawing, "\n    ");
		draw_mermaid_state(&drawing, workflow, move->from);
		appendStringInfoString(&drawing, " --> ");
		draw_mermaid_state(&drawing, workflow, move->to);
		if (has_label(move) || traffic)
			appendStringInfoString(&drawing, " : ");
		draw_label(&drawing, workflow, move, ", ", " ");
		if (traffic)
			appendStringInfo(&drawing, "%s" INT64_FORMAT "x", has_label(move) ? " " : "", traffic->moved[i]);
	}
	for (int state = 0; state < workflow->nstates; state++)
	{
		if (!oms_workflow_is_final(workflow, state))
			continue;
		appendStringInfoString(&drawing, "\n    ");
		draw_mermaid_state(&drawing, workflow, state);
		appendStringInfoString(&drawing, " --> [*]");
	}
	return drawing.data;
}

/*
 * draw_mermaid_states names the states whose names are no ids, or all, with
 * how many rows are in each.
 */
static void
draw_mermaid_states(StringInfo drawing, const Workflow *workflow, const Traffic *traffic)
{
	for (int state = 0; state < workflow->nstates; state++)
	{
		const char *prefix = mermaid_prefix(workflow, state);
		const char *name = oms_workflow_state_name(workflow, state);

		if (traffic)
			appendStringInfo(drawing, "\n    state \"%s (" INT64_FORMAT ")\" as %s%s", name,
							 traffic->in_state[state], prefix, name);
		else if (*prefix != '\0')
			appendStringInfo(drawing, "\n    state \"%s\" as %s%s", name, prefix, name);
	}
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
	appendStringInfoString(&drawing, DOT_HEAD);
	for (int state = 0; state < workflow->nstates; state++)
		appendStringInfo(&drawing, "    \"%s\"%s;\n", oms_workflow_state_name(workflow, state),
						 oms_workflow_is_final(workflow, state) ? DOT_FINAL : "");

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
			draw_label(&drawing, workflow, move, ",\\n", "\\n");
			appendStringInfo(&drawing, "\"%s]", move->automatic ? DOT_AUTOMATIC : "");
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

/*
 * draw_label writes "auto [guards] / actions", with that between two names and
 * that between the parts; no language needs escapes in it.
 */
static void
draw_label(StringInfo drawing, const Workflow *workflow, const WorkflowMove *move,
		   const char *comma, const char *gap)
{
	if (move->automatic)
		appendStringInfo(drawing, "auto%s", move->nguards > 0 ? gap : "");
	for (int i = 0; i < move->nguards; i++)
		appendStringInfo(drawing, "%s%s", i > 0 ? comma : "[", oms_workflow_guard(workflow, move, i));
	if (move->nguards > 0)
		appendStringInfoChar(drawing, ']');
	if (move->nactions > 0 && (move->automatic || move->nguards > 0))
		appendStringInfoString(drawing, gap);
	for (int i = 0; i < move->nactions; i++)
		appendStringInfo(drawing, "%s%s", i > 0 ? comma : "/ ", oms_workflow_action(workflow, move, i));
}
