/*
 * workflow.c
 *	  The type oms.workflow, and what SQL can ask of one.
 *
 * The functions here stand between SQL (sql/workflow.sql) and the pure parser
 * and form: they take datums apart, and turn what the parser says into errors.
 * Drawings are in workflow_draw.c; what the engine does with a workflow is in
 * lifecycle.c.
 *
 * Everything is immutable: casts to oms.workflow compute generated columns.
 * Order and hash are those of the canonical text, not of the stored bytes, so
 * that indexes survive a new format.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "funcapi.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "nodes/execnodes.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "workflow.h"

/* errors that are returned rather than thrown came with PostgreSQL 16 */
#if PG_VERSION_NUM < 160000
#define ereturn(context, dummy, ...) ereport(ERROR, __VA_ARGS__)
#endif

#define SEND_VERSION 1			/* of the binary form */

static Workflow *parse(const char *text, size_t length, Node *context);
static bool same(const Workflow *a, const Workflow *b);
static int	compare(const Workflow *a, const Workflow *b);
static int	compare_arguments(FunctionCallInfo fcinfo);
static bool equal_arguments(FunctionCallInfo fcinfo);
static int	require_state_text(const Workflow *workflow, text *name);
static Datum names_datum(const Workflow *workflow, int index, int count);

PG_FUNCTION_INFO_V1(oms_workflow_in);
PG_FUNCTION_INFO_V1(oms_workflow_out);
PG_FUNCTION_INFO_V1(oms_workflow_recv);
PG_FUNCTION_INFO_V1(oms_workflow_send);
PG_FUNCTION_INFO_V1(oms_workflow_eq);
PG_FUNCTION_INFO_V1(oms_workflow_ne);
PG_FUNCTION_INFO_V1(oms_workflow_lt);
PG_FUNCTION_INFO_V1(oms_workflow_le);
PG_FUNCTION_INFO_V1(oms_workflow_ge);
PG_FUNCTION_INFO_V1(oms_workflow_gt);
PG_FUNCTION_INFO_V1(oms_workflow_cmp);
PG_FUNCTION_INFO_V1(oms_workflow_hash);
PG_FUNCTION_INFO_V1(oms_workflow_hash_extended);
PG_FUNCTION_INFO_V1(oms_states);
PG_FUNCTION_INFO_V1(oms_moves);
PG_FUNCTION_INFO_V1(oms_allows);
PG_FUNCTION_INFO_V1(oms_next_states);

/* oms_workflow_in reads a workflow's text. */
Datum
oms_workflow_in(PG_FUNCTION_ARGS)
{
	char	   *source = PG_GETARG_CSTRING(0);
	Workflow   *workflow = parse(source, strlen(source), fcinfo->context);

	if (workflow == NULL)
		PG_RETURN_NULL();
	PG_RETURN_WORKFLOW(workflow);
}

/* oms_workflow_out writes the canonical text. */
Datum
oms_workflow_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(oms_workflow_print(PG_GETARG_WORKFLOW(0), NULL));
}

/*
 * oms_workflow_recv reads the binary form.  Its text is ASCII in every client
 * encoding, so it needs no conversion, and the parser refuses all else.
 */
Datum
oms_workflow_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	int			version = message->cursor < message->len ? pq_getmsgbyte(message) : 0;
	int			length = message->len - message->cursor;

	if (version != SEND_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("workflow in unknown binary version %d", version),
				 errhint("This version of oms reads version %d.", SEND_VERSION)));
	PG_RETURN_WORKFLOW(parse(pq_getmsgbytes(message, length), length, NULL));
}

/* oms_workflow_send writes the binary form: a version, then the canonical text. */
Datum
oms_workflow_send(PG_FUNCTION_ARGS)
{
	StringInfoData message;
	size_t		length;
	char	   *canonical = oms_workflow_print(PG_GETARG_WORKFLOW(0), &length);

	pq_begintypsend(&message);
	pq_sendbyte(&message, SEND_VERSION);
	pq_sendbytes(&message, canonical, length);
	PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

/* oms_workflow_from_text compiles a text, or raises what is wrong with it. */
Workflow *
oms_workflow_from_text(text *source)
{
	return parse(VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source), NULL);
}

/* parse compiles a text, or raises or, where the context asks for that, saves an error. */
static Workflow *
parse(const char *text, size_t length, Node *context)
{
	WorkflowError error;
	Workflow   *workflow = oms_workflow_parse(text, length, &error);

	if (workflow == NULL)
		ereturn(context, NULL,
				(errcode(error.too_large ? ERRCODE_PROGRAM_LIMIT_EXCEEDED :
						 ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid workflow at line %d, column %d: %s",
						error.line, error.column, error.message),
				 error.hint != NULL ? errhint("%s", error.hint) : 0));
	return workflow;
}

/* oms_workflow_from_datum returns a workflow ready to read; it may be a copy. */
Workflow *
oms_workflow_from_datum(Datum datum)
{
	Workflow   *workflow = (Workflow *) PG_DETOAST_DATUM(datum);

	if (workflow->format != WORKFLOW_FORMAT)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("workflow stored in unknown format %d", workflow->format),
				 errhint("A newer version of oms wrote it; install that version again.")));
	Assert(oms_workflow_valid(workflow, VARSIZE(workflow)));
	return workflow;
}

/* same tells whether two workflows are one machine; there is one format so far. */
static bool
same(const Workflow *a, const Workflow *b)
{
	return VARSIZE(a) == VARSIZE(b) && memcmp(a, b, VARSIZE(a)) == 0;
}

/* compare orders workflows as their canonical texts under COLLATE "C". */
static int
compare(const Workflow *a, const Workflow *b)
{
	char	   *a_text;
	char	   *b_text;
	int			result;

	if (same(a, b))
		return 0;
	a_text = oms_workflow_print(a, NULL);
	b_text = oms_workflow_print(b, NULL);
	result = strcmp(a_text, b_text);
	pfree(a_text);
	pfree(b_text);
	return result < 0 ? -1 : 1;
}

/* compare_arguments compares both and, for btree, leaks nothing. */
static int
compare_arguments(FunctionCallInfo fcinfo)
{
	Workflow   *a = PG_GETARG_WORKFLOW(0);
	Workflow   *b = PG_GETARG_WORKFLOW(1);
	int			result = compare(a, b);

	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return result;
}

/* equal_arguments does so for equality, which needs no texts. */
static bool
equal_arguments(FunctionCallInfo fcinfo)
{
	Workflow   *a = PG_GETARG_WORKFLOW(0);
	Workflow   *b = PG_GETARG_WORKFLOW(1);
	bool		result = same(a, b);

	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return result;
}

/* oms_workflow_eq is =. */
Datum
oms_workflow_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(equal_arguments(fcinfo));
}

/* oms_workflow_ne is <>. */
Datum
oms_workflow_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(!equal_arguments(fcinfo));
}

/* oms_workflow_lt is <. */
Datum
oms_workflow_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) < 0);
}

/* oms_workflow_le is <=. */
Datum
oms_workflow_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) <= 0);
}

/* oms_workflow_ge is >=. */
Datum
oms_workflow_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) >= 0);
}

/* oms_workflow_gt is >. */
Datum
oms_workflow_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_arguments(fcinfo) > 0);
}

/* oms_workflow_cmp compares for btree. */
Datum
oms_workflow_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare_arguments(fcinfo));
}

/* oms_workflow_hash hashes the canonical text. */
Datum
oms_workflow_hash(PG_FUNCTION_ARGS)
{
	Workflow   *workflow = PG_GETARG_WORKFLOW(0);
	size_t		length;
	char	   *canonical = oms_workflow_print(workflow, &length);
	Datum		result = hash_any((unsigned char *) canonical, length);

	pfree(canonical);
	PG_FREE_IF_COPY(workflow, 0);
	return result;
}

/* oms_workflow_hash_extended hashes it with a seed. */
Datum
oms_workflow_hash_extended(PG_FUNCTION_ARGS)
{
	Workflow   *workflow = PG_GETARG_WORKFLOW(0);
	size_t		length;
	char	   *canonical = oms_workflow_print(workflow, &length);
	Datum		result = hash_any_extended((unsigned char *) canonical, length,
										   PG_GETARG_INT64(1));

	pfree(canonical);
	PG_FREE_IF_COPY(workflow, 0);
	return result;
}

/* oms_states returns a row for each state. */
Datum
oms_states(PG_FUNCTION_ARGS)
{
	Workflow   *workflow = PG_GETARG_WORKFLOW(0);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int state = 0; state < workflow->nstates; state++)
	{
		Datum		values[3];
		bool		nulls[3] = {false};

		values[0] = CStringGetTextDatum(oms_workflow_state_name(workflow, state));
		values[1] = BoolGetDatum(state == workflow->initial);
		values[2] = BoolGetDatum(oms_workflow_is_final(workflow, state));
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* oms_moves returns a row for each move. */
Datum
oms_moves(PG_FUNCTION_ARGS)
{
	Workflow   *workflow = PG_GETARG_WORKFLOW(0);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < workflow->nmoves; i++)
	{
		const WorkflowMove *move = oms_workflow_move(workflow, i);
		int			guards = workflow->nstates + move->first;
		Datum		values[5];
		bool		nulls[5] = {false};

		values[0] = CStringGetTextDatum(oms_workflow_state_name(workflow, move->from));
		values[1] = CStringGetTextDatum(oms_workflow_state_name(workflow, move->to));
		values[2] = names_datum(workflow, guards, move->nguards);
		values[3] = names_datum(workflow, guards + move->nguards, move->nactions);
		values[4] = BoolGetDatum(move->automatic);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* names_datum makes a text[] of names that follow each other in a workflow. */
static Datum
names_datum(const Workflow *workflow, int index, int count)
{
	Datum	   *names = palloc(Max(count, 1) * sizeof(Datum));

	for (int i = 0; i < count; i++)
		names[i] = CStringGetTextDatum(oms_workflow_name(workflow, index + i));
	return PointerGetDatum(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT));
}

/* oms_allows tells whether there is a move between two states. */
Datum
oms_allows(PG_FUNCTION_ARGS)
{
	Workflow   *workflow = PG_GETARG_WORKFLOW(0);
	int			from = require_state_text(workflow, PG_GETARG_TEXT_PP(1));
	int			to = require_state_text(workflow, PG_GETARG_TEXT_PP(2));

	PG_RETURN_BOOL(oms_workflow_find_move(workflow, from, to, -1) >= 0);
}

/* oms_next_states returns where the moves from a state lead, each state once. */
Datum
oms_next_states(PG_FUNCTION_ARGS)
{
	Workflow   *workflow = PG_GETARG_WORKFLOW(0);
	int			from = require_state_text(workflow, PG_GETARG_TEXT_PP(1));
	Datum		targets[WORKFLOW_MAX_STATES];
	bool		seen[WORKFLOW_MAX_STATES] = {false};
	int			ntargets = 0;

	for (int i = 0; i < workflow->nmoves; i++)
	{
		const WorkflowMove *move = oms_workflow_move(workflow, i);

		if (move->from != from || seen[move->to])
			continue;
		seen[move->to] = true;
		targets[ntargets++] = CStringGetTextDatum(oms_workflow_state_name(workflow, move->to));
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(targets, ntargets, TEXTOID, -1, false, TYPALIGN_INT));
}

/* require_state_text returns the state of that name, or raises an error. */
static int
require_state_text(const Workflow *workflow, text *name)
{
	return oms_workflow_require_state(workflow, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
}

/*
 * oms_workflow_require_state returns the number of the state of that name, or
 * raises an error that says which ones there are.
 */
int
oms_workflow_require_state(const Workflow *workflow, const char *name, size_t length)
{
	int			state = oms_workflow_state(workflow, name, length);
	StringInfoData known;

	if (state >= 0)
		return state;

	initStringInfo(&known);
	for (int i = 0; i < workflow->nstates; i++)
		appendStringInfo(&known, "%s%s", i > 0 ? ", " : "", oms_workflow_state_name(workflow, i));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("workflow has no state \"%.*s\"", pg_mbcliplen(name, length, 64), name),
			 errhint("Its states are: %s.", known.data)));
	return -1;					/* not reached */
}
