/*
 * workflow_fuzzer.c
 *	  Any bytes as the text of a workflow: libFuzzer's way into the parser.
 *
 * Built by test/fuzz/run from the files that the extension itself is made of.
 * Beyond what the sanitizers see, this holds for every text:
 *
 * - It is a workflow, or there is an error that says where and what.
 * - A workflow is valid; its canonical text is read again as the same bytes,
 *	 and every state is found by its name.
 * - A workflow whose bytes were damaged is invalid, or still safe to print.
 */
#include "workflow.h"

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
		free(oms_workflow_print((const Workflow *) bytes, NULL));
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
	damage(workflow, data, size);
	free(workflow);
	return 0;
}
