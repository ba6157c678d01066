/*
 * workflow_fuzzer.c
 *	  Any bytes as the text of a workflow: libFuzzer's way into the parser and
 *	  what works on its result.
 *
 * Built by test/fuzz/run from the files that the extension itself is made of.
 * Beyond what the sanitizers see, this holds for every text:
 *
 * - It is a workflow, or there is an error that says where and what.
 * - A workflow is valid; its canonical text is read again as the same bytes,
 *	 and every state is found by its name.
 * - Lint says of each finding what it is about, and what to change.  What one
 *	 entity's rows get wrong by leading nowhere, those of others do too.
 * - A workflow whose bytes were damaged is invalid, or still safe to print and
 *	 to lint.
 */
#include "workflow_lint.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* require ends the run where something does not hold. */
static void
require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "workflow_fuzzer: not so: %s\n", what);
	abort();
}

/* judge_error asks whether an error is one to show: a place, and ASCII. */
static void
judge_error(const WorkflowError *error)
{
	size_t		length = strnlen(error->message, sizeof(error->message));

	require(error->line >= 1 && error->column >= 1, "an error says where");
	require(length > 0 && length < sizeof(error->message), "an error has a message, which ends");
	for (size_t i = 0; i < length; i++)
		require(error->message[i] >= ' ' && error->message[i] <= '~', "a message is ASCII");
}

/* judge_workflow asks whether a workflow keeps what workflow.h promises. */
static void
judge_workflow(const Workflow *workflow)
{
	WorkflowError error;
	size_t		length;
	char	   *canonical = oms_workflow_print(workflow, &length);
	Workflow   *again;

	require(oms_workflow_valid(workflow, VARSIZE(workflow)), "the parser makes valid workflows");
	require(length == strlen(canonical) && length <= WORKFLOW_MAX_TEXT, "the canonical text fits");
	again = oms_workflow_parse(canonical, length, &error);
	require(again != NULL, "the canonical text is a workflow");
	require(VARSIZE(again) == VARSIZE(workflow) && memcmp(again, workflow, VARSIZE(workflow)) == 0,
			"the canonical text is that of the same workflow");
	for (int state = 0; state < workflow->nstates; state++)
	{
		const char *name = oms_workflow_state_name(workflow, state);

		require(oms_workflow_state(workflow, name, strlen(name)) == state, "a state has a name of its own");
	}
	free(again);
	free(canonical);
}

/* is_of_graph tells whether a finding follows from the states and moves alone. */
static bool
is_of_graph(const LintFinding *finding)
{
	return strcmp(finding->code, "dead_end") == 0 || strcmp(finding->code, "final_with_exit") == 0 ||
		strcmp(finding->code, "no_path_to_final") == 0 || strcmp(finding->code, "unreachable_state") == 0;
}

/* judge_lint asks whether findings are what workflow_lint.h promises; returns how many are of the graph. */
static int
judge_lint(const Workflow *workflow, LintEntity entity, const uint8 *rows)
{
	LintReport *report = oms_workflow_lint(workflow, entity, rows);
	bool		warned = false;
	int			of_graph = 0;

	for (int i = 0; i < report->count; i++)
	{
		const LintFinding *finding = &report->findings[i];

		require(!(finding->is_error && warned), "errors come first");
		require(strlen(finding->subject) > 0, "a finding has a subject");
		require(strstr(finding->message, ": ") != NULL, "a finding says what to change");
		require(strchr(finding->message, '\n') == NULL, "a finding is a line");
		warned |= !finding->is_error;
		of_graph += is_of_graph(finding);
	}
	oms_lint_free(report);
	return of_graph;
}

/* judge_lints does so for every entity, and with rows as the input's bytes say. */
static void
judge_lints(const Workflow *workflow, const uint8_t *data, size_t size)
{
	uint8		rows[WORKFLOW_MAX_STATES] = {0};
	int			of_graph = judge_lint(workflow, LINT_ANY, NULL);

	for (size_t i = 0; i < size; i++)
		rows[i % WORKFLOW_MAX_STATES] ^= data[i];
	require(judge_lint(workflow, LINT_ORDER, NULL) == of_graph, "the graph is the same for orders");
	require(judge_lint(workflow, LINT_FULFILLMENT, NULL) == of_graph, "the graph is the same for fulfillments");
	(void) judge_lint(workflow, rows[0] & 1 ? LINT_ORDER : LINT_FULFILLMENT, rows);
}

/* damage changes bytes of a workflow, as the input's own bytes say. */
static void
damage(const Workflow *workflow, const uint8_t *data, size_t size)
{
	uint32		length = VARSIZE(workflow);
	uint8	   *bytes = malloc(length);
	uint32		chance = 2166136261u;

	memcpy(bytes, workflow, length);
	for (size_t i = 0; i < size; i++)
		chance = (chance ^ data[i]) * 16777619u;
	for (int i = 0; i < 1 + (int) (chance & 3); i++)
	{
		chance = chance * 1664525u + 1013904223u;
		/* its length is the server's to know */
		bytes[sizeof(int32) + (chance >> 8) % (length - sizeof(int32))] ^= (uint8) (1 << (chance & 7));
	}
	if (oms_workflow_valid((const Workflow *) bytes, length))
	{
		free(oms_workflow_print((const Workflow *) bytes, NULL));
		oms_lint_free(oms_workflow_lint((const Workflow *) bytes, (LintEntity) (chance % 3), NULL));
	}
	free(bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	WorkflowError error;
	Workflow   *workflow = oms_workflow_parse((const char *) data, size, &error);

	if (workflow == NULL)
	{
		judge_error(&error);
		return 0;
	}
	judge_workflow(workflow);
	judge_lints(workflow, data, size);
	damage(workflow, data, size);
	free(workflow);
	return 0;
}
