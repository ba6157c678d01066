/*
 * lint.c
 *	  oms.lint: what is wrong with a workflow, as rows.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "workflow_lint.h"

static LintEntity entity_argument(FunctionCallInfo fcinfo, int n);

PG_FUNCTION_INFO_V1(oms_lint);

/* oms_lint is oms.lint(workflow, entity): a row for each finding. */
Datum
oms_lint(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	LintEntity	entity = entity_argument(fcinfo, 1);
	LintReport *report;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	report = oms_workflow_lint(PG_GETARG_WORKFLOW(0), entity, NULL);
	for (int i = 0; i < report->count; i++)
	{
		const LintFinding *finding = &report->findings[i];
		Datum		values[4];
		bool		nulls[4] = {false};

		values[0] = CStringGetTextDatum(finding->is_error ? "error" : "warning");
		values[1] = CStringGetTextDatum(finding->code);
		values[2] = CStringGetTextDatum(finding->subject);
		values[3] = CStringGetTextDatum(finding->message);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	oms_lint_free(report);
	return (Datum) 0;
}

/* entity_argument reads whose rows the workflow is for; NULL is anybody's. */
static LintEntity
entity_argument(FunctionCallInfo fcinfo, int n)
{
	char	   *entity;

	if (PG_ARGISNULL(n))
		return LINT_ANY;
	entity = text_to_cstring(PG_GETARG_TEXT_PP(n));
	if (strcmp(entity, "order") == 0)
		return LINT_ORDER;
	if (strcmp(entity, "fulfillment") == 0)
		return LINT_FULFILLMENT;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown entity \"%s\"", entity),
			 errhint("It is order or fulfillment; leave it out for a table of your own.")));
}
