/*
 * explain_outcome.c
 *	  What a plan comes to, and how much worse another is.
 */
#include "postgres.h"

#include "common/int.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "explain_plan.h"
#include "oms.h"

/*
 * add_cost adds so many units at a cost each.
 */
static void
add_cost(Outcome *outcome, const PlanProblem *problem, int64 units, int64 cost)
{
	int64		product;

	if (pg_mul_s64_overflow(units, cost, &product) || pg_add_s64_overflow(outcome->cost, product, &outcome->cost))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("what order \"%s\" could cost is more than can be computed with", problem->demands[0]->order_number),
				 errhint("See quantities, shipping_rates, sourcing_rules.cost, sourcing_policies.unfilled_penalty and the costs of locations.")));
}

/*
 * oms_read_outcome adds up what a problem's plan comes to, whose pieces are those
 * from first on.  Of units without stock the policy says what they cost, if anything.
 */
void
oms_read_outcome(const Planner *planner, const PlanProblem *problem, int first, Outcome *outcome)
{
	const Sourcing *sourcing = planner->sourcing;
	int			nplaces = planner->world->nplaces;

	memset(outcome, 0, sizeof(Outcome));
	outcome->ships = palloc0((nplaces + 1) * sizeof(bool));
	outcome->units = palloc_extended((nplaces + 1) * sizeof(int64), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = first; i < sourcing->npieces; i++)
	{
		const Piece *piece = &sourcing->pieces[i];

		add_cost(outcome, problem, piece->quantity, piece->unit_cost);
		outcome->units[piece->place] += piece->quantity;
		if (outcome->ships[piece->place])
			continue;
		outcome->ships[piece->place] = true;
		outcome->shipments++;
		if (planner->costs)
			add_cost(outcome, problem, 1, oms_shipment_cost(planner->costs, piece->place));
	}
	for (int i = 0; i < problem->count; i++)
		outcome->unfilled += problem->demands[i]->quantity - problem->demands[i]->found;
	if (planner->costs && planner->costs->policy->unfilled_penalty > 0)
		add_cost(outcome, problem, outcome->unfilled, planner->costs->policy->unfilled_penalty);
}

/*
 * difference_of tells how much more of something another plan has.
 */
static char *
difference_of(int64 more, const char *verb, const char *one, const char *many, const char *rest)
{
	int64		count = more < 0 ? -more : more;

	return psprintf("%s " INT64_FORMAT " %s %s%s", verb, count, count == 1 ? one : many, more < 0 ? "fewer" : "more", rest);
}

/*
 * oms_compare_outcomes says in words what makes another plan worse.
 */
char *
oms_compare_outcomes(const Planner *planner, const Outcome *plan, const Outcome *other)
{
	StringInfoData text;
	int64		money = other->cost - plan->cost;

	initStringInfo(&text);
	if (other->unfilled != plan->unfilled)
		appendStringInfo(&text, ", %s", difference_of(other->unfilled - plan->unfilled, "leaves", "unit", "units", " without stock"));
	if (other->shipments != plan->shipments)
		appendStringInfo(&text, ", %s", difference_of(other->shipments - plan->shipments, "makes", "shipment", "shipments", ""));
	if (money != 0)
		appendStringInfo(&text, ", costs %s %s",
						 DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(int64_div_fast_to_numeric(money < 0 ? -money : money, 4)))),
						 money < 0 ? "less" : "more");
	if (text.len == 0)
		return "the best plan with it costs the same, and what it ships the plan has from a location that is preferred";
	return psprintf("the best plan with it %s", text.data + 2);
}
