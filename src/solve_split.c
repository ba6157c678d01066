/*
 * solve_split.c
 *	  oms.solve_split: the kernel that splits orders, for SQL.
 *
 * Takes its arguments apart, says what is wrong with them, and hands them to
 * split.c.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "split.h"

PG_FUNCTION_INFO_V1(oms_solve_split);

/* The arguments, by number. */
enum
{
	QUANTITY, PENALTY, FIXED_COST, ARC_LINE, ARC_LOCATION, ARC_AVAILABLE, ARC_COST, CAPACITY, PRIORITY,
	OBJECTIVE, MAX_SHIPMENTS, NODE_LIMIT
};

static const char *const argument_names[] = {
	"quantity", "penalty", "fixed_cost", "arc_line", "arc_location", "arc_available", "arc_cost", "capacity", "priority",
	"objective", "max_shipments", "node_limit"
};

/* What is wrong, and with which argument's element. */
static const struct
{
	int			argument;
	const char *is_wrong;
}			faults[] =

{
	[SPLIT_NEGATIVE_QUANTITY] = {QUANTITY, "must not be negative"},
	[SPLIT_NEGATIVE_PENALTY] = {PENALTY, "must not be negative"},
	[SPLIT_NEGATIVE_FIXED_COST] = {FIXED_COST, "must not be negative"},
	[SPLIT_NEGATIVE_CAPACITY] = {CAPACITY, "must not be negative"},
	[SPLIT_NEGATIVE_AVAILABLE] = {ARC_AVAILABLE, "must not be negative"},
	[SPLIT_NEGATIVE_COST] = {ARC_COST, "must not be negative"},
	[SPLIT_NO_SUCH_LINE] = {ARC_LINE, "is no line"},
	[SPLIT_NO_SUCH_LOCATION] = {ARC_LOCATION, "is no location"},
	[SPLIT_ARC_TWICE] = {ARC_LOCATION, "stands twice for its line"}
};

/*
 * elements returns an array argument's elements.
 */
static Datum *
elements(FunctionCallInfo fcinfo, int argument, Oid type, int *count, bool **nulls)
{
	ArrayType  *array;
	Datum	   *values;

	if (PG_ARGISNULL(argument))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", argument_names[argument])));
	CHECK_FOR_INTERRUPTS();
	array = PG_GETARG_ARRAYTYPE_P(argument);
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%s must have one dimension, not %d", argument_names[argument], ARR_NDIM(array))));
	deconstruct_array(array, type, type == INT8OID ? 8 : 4, type == INT8OID ? FLOAT8PASSBYVAL : true, type == INT8OID ? TYPALIGN_DOUBLE : TYPALIGN_INT,
					  &values, nulls, count);
	for (int i = 0; argument != CAPACITY && i < *count; i++)
	{
		if ((*nulls)[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s[%d] must not be null", argument_names[argument], i + 1)));
	}
	return values;
}

/*
 * require_length refuses arrays that are not as long as the one they go with.
 */
static void
require_length(int argument, int count, int with, int expected)
{
	if (count != expected)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%s has %d elements, but %s has %d", argument_names[argument], count, argument_names[with], expected)));
}

/*
 * bigints reads an array of bigint; with: the argument that it must be as long
 * as, which has so many elements.
 */
static int64 *
bigints(FunctionCallInfo fcinfo, int argument, int with, int *count)
{
	bool	   *nulls;
	int			length;
	Datum	   *values = elements(fcinfo, argument, INT8OID, &length, &nulls);
	int64	   *numbers = palloc((length + 1) * sizeof(int64));

	if (with != argument)
		require_length(argument, length, with, *count);
	*count = length;
	for (int i = 0; i < length; i++)
	{
		numbers[i] = nulls[i] ? SPLIT_UNLIMITED : DatumGetInt64(values[i]);
		/* what stands for no limit is none when it is written */
		if (argument == CAPACITY && !nulls[i] && numbers[i] < 0)
			numbers[i] = SPLIT_UNLIMITED - 1;
	}
	return numbers;
}

/*
 * integers reads an array of integer likewise; base is taken off each.
 */
static int32 *
integers(FunctionCallInfo fcinfo, int argument, int with, int *count, int base)
{
	bool	   *nulls;
	int			length;
	Datum	   *values = elements(fcinfo, argument, INT4OID, &length, &nulls);
	int32	   *numbers = palloc((length + 1) * sizeof(int32));

	if (with != argument)
		require_length(argument, length, with, *count);
	*count = length;
	for (int i = 0; i < length; i++)
	{
		numbers[i] = DatumGetInt32(values[i]);
		if (numbers[i] != PG_INT32_MIN)
			numbers[i] -= base;
	}
	return numbers;
}

/*
 * positive reads a number that must be 1 or more; absent where it is NULL.
 */
static int
positive(FunctionCallInfo fcinfo, int argument, int absent)
{
	int			number;

	if (PG_ARGISNULL(argument))
		return absent;
	number = PG_GETARG_INT32(argument);
	if (number < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be 1 or more, not %d", argument_names[argument], number)));
	return number;
}

/*
 * read_objective reads what comes first.
 */
static bool
read_objective(FunctionCallInfo fcinfo)
{
	char	   *objective = PG_ARGISNULL(OBJECTIVE) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(OBJECTIVE));

	if (strcmp(objective, "shipments") == 0)
		return true;
	if (strcmp(objective, "cost") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("objective must be 'cost' or 'shipments', not \"%.64s\"", objective)));
	return false;
}

/*
 * read_problem reads all arguments.
 */
static void
read_problem(FunctionCallInfo fcinfo, SplitProblem *problem)
{
	memset(problem, 0, sizeof(SplitProblem));
	problem->quantity = bigints(fcinfo, QUANTITY, QUANTITY, &problem->nlines);
	problem->penalty = bigints(fcinfo, PENALTY, QUANTITY, &problem->nlines);
	problem->fixed_cost = bigints(fcinfo, FIXED_COST, FIXED_COST, &problem->nlocations);
	problem->arc_line = integers(fcinfo, ARC_LINE, ARC_LINE, &problem->narcs, 1);
	problem->arc_location = integers(fcinfo, ARC_LOCATION, ARC_LINE, &problem->narcs, 1);
	problem->arc_available = bigints(fcinfo, ARC_AVAILABLE, ARC_LINE, &problem->narcs);
	problem->arc_cost = bigints(fcinfo, ARC_COST, ARC_LINE, &problem->narcs);
	if (!PG_ARGISNULL(CAPACITY))
		problem->capacity = bigints(fcinfo, CAPACITY, FIXED_COST, &problem->nlocations);
	if (!PG_ARGISNULL(PRIORITY))
		problem->priority = integers(fcinfo, PRIORITY, FIXED_COST, &problem->nlocations, 0);
	problem->by_shipments = read_objective(fcinfo);
	problem->max_shipments = positive(fcinfo, MAX_SHIPMENTS, 0);
	problem->node_limit = positive(fcinfo, NODE_LIMIT, PG_INT32_MAX);
	problem->forced = -1;
}

/*
 * refuse_size raises what is wrong with a problem as a whole.
 */
static void
refuse_size(const SplitProblem *problem, SplitFault fault, int element)
{
	if (fault == SPLIT_TOO_MANY_LINES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("there are %d lines, more than %d", problem->nlines, SPLIT_MAX_LINES)));
	if (fault == SPLIT_TOO_MANY_LOCATIONS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("there are %d locations, more than %d", problem->nlocations, SPLIT_MAX_LOCATIONS)));
	if (fault == SPLIT_TOO_MANY_ARCS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("there are %d pairs, more than %d", problem->narcs, SPLIT_MAX_ARCS)));
	if (fault == SPLIT_LINE_OVERFLOWS)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("quantities and penalties up to element %d add up to more than can be computed with", element + 1),
				 errhint("Use a larger unit of money or of quantity.")));
	if (fault == SPLIT_LOCATION_OVERFLOWS)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 element < 0 ? errmsg("costs of all units and locations add up to more than can be computed with") :
				 errmsg("costs up to fixed_cost[%d] add up to more than can be computed with", element + 1),
				 errhint("Use a larger unit of money or of quantity.")));
}

/*
 * check_problem raises what is wrong with it.
 */
static void
check_problem(const SplitProblem *problem)
{
	int			element;
	SplitFault	fault = oms_split_check(problem, &element);
	int			argument;
	int64		number;

	if (fault == SPLIT_SOUND)
		return;
	refuse_size(problem, fault, element);
	argument = faults[fault].argument;
	number = argument == ARC_LINE ? (int64) problem->arc_line[element] + 1 :
		argument == ARC_LOCATION ? (int64) problem->arc_location[element] + 1 :
		argument == QUANTITY ? problem->quantity[element] :
		argument == PENALTY ? problem->penalty[element] :
		argument == FIXED_COST ? problem->fixed_cost[element] :
		argument == ARC_AVAILABLE ? problem->arc_available[element] : problem->arc_cost[element];
	if (argument == CAPACITY)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("capacity[%d] %s", element + 1, faults[fault].is_wrong),
				 errhint("NULL is without limit.")));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s[%d] %s: " INT64_FORMAT, argument_names[argument], element + 1, faults[fault].is_wrong, number)));
}

/*
 * array_of makes an array of a plan's flows.
 */
static Datum
array_of(const SplitPlan *plan, int which)
{
	Datum	   *values = palloc((plan->nflows + 1) * sizeof(Datum));

	CHECK_FOR_INTERRUPTS();
	for (int i = 0; i < plan->nflows; i++)
	{
		const SplitFlow *flow = &plan->flows[i];

		values[i] = which == 0 ? Int32GetDatum(flow->line + 1) :
			which == 1 ? Int32GetDatum(flow->location + 1) : Int64GetDatum(flow->quantity);
	}
	if (which < 2)
		return PointerGetDatum(construct_array(values, plan->nflows, INT4OID, 4, true, TYPALIGN_INT));
	return PointerGetDatum(construct_array(values, plan->nflows, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/*
 * oms_solve_split is oms.solve_split.
 */
Datum
oms_solve_split(PG_FUNCTION_ARGS)
{
	SplitProblem problem;
	SplitPlan	plan;
	TupleDesc	tupdesc;
	Datum		values[8];
	bool		nulls[8] = {false};

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "oms.solve_split must return oms.split_plan");
	read_problem(fcinfo, &problem);
	check_problem(&problem);
	oms_split_solve(&problem, &plan);
	values[0] = Int64GetDatum(plan.objective);
	values[1] = Int64GetDatum(plan.bound);
	values[2] = BoolGetDatum(plan.proven);
	values[3] = Int32GetDatum(plan.shipments);
	values[4] = Int64GetDatum(plan.unfilled);
	for (int i = 0; i < 3; i++)
		values[5 + i] = array_of(&plan, i);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(tupdesc), values, nulls)));
}
