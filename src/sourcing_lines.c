/*
 * sourcing_lines.c
 *	  From what an order wants to the lines of a problem.
 *
 * Demands for the same SKU that may come from the same places are one line,
 * since they draw on the same stock.  In the first round all of a ship group is
 * one line of quantity 1, which a place has or has not; in the first two, kits
 * of a bundle are a line, of which a place has as many as of the scarcest
 * component.  What takes no stock wants no units but a place: quantity 1 too.
 *
 * Lines are sorted by what they are and by SKU, so that the plan does not depend
 * on the order in which rows were read.
 */
#include "postgres.h"

#include "oms.h"
#include "sourcing_plan.h"

/* A demand on its way into a line. */
typedef struct Member
{
	PlanLineKind kind;
	const char *group;			/* of LINE_TOGETHER: the ship group, ""
								 * without */
	int			bundle_line;	/* of LINE_KITS */
	Demand	   *demand;
} Member;

/*
 * oms_compare_optional orders texts that may be NULL, which comes last.
 */
int
oms_compare_optional(const char *a, const char *b)
{
	if (!a || !b)
		return (a == NULL) - (b == NULL);
	return strcmp(a, b);
}

/*
 * compare_lines tells members of different lines apart.
 */
static int
compare_lines(const Member *left, const Member *right, bool by_sku)
{
	int			order;

	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	if (left->kind == LINE_KITS)
		return left->bundle_line - right->bundle_line;
	if ((order = oms_compare_optional(left->group, right->group)) != 0)
		return order;
	if (left->group && left->group[0] != '\0')
		return 0;
	if ((left->kind == LINE_UNITS || by_sku) && (order = strcmp(left->demand->sku, right->demand->sku)) != 0)
		return order;
	return oms_compare_optional(left->demand->location, right->demand->location);
}

/*
 * compare_members sorts them into their lines, by SKU, then as the lines of the
 * order.  That SKUs without stock share a line is decided afterwards.
 */
static int
compare_members(const void *a, const void *b)
{
	const Member *left = a;
	const Member *right = b;
	int			order = compare_lines(left, right, false);

	if (order == 0)
		order = strcmp(left->demand->sku, right->demand->sku);
	if (order == 0)
		order = left->demand < right->demand ? -1 : left->demand > right->demand;
	return order;
}

/*
 * sort_demand says what sort of line a demand belongs to in a round.
 */
static void
sort_demand(Member *member, Demand *demand, PlanRound round)
{
	member->demand = demand;
	member->kind = LINE_UNITS;
	member->group = NULL;
	member->bundle_line = 0;
	if (demand->ship_group && round == ROUND_WHOLE)
	{
		member->kind = LINE_TOGETHER;
		member->group = demand->ship_group;
	}
	else if (demand->per_kit > 0 && round <= ROUND_KITS)
	{
		member->kind = LINE_KITS;
		member->bundle_line = demand->bundle_line;
	}
	else if (!demand->tracked)
	{
		member->kind = LINE_TOGETHER;
		member->group = "";
	}
}

/*
 * kits_of returns how many whole kits the members of a line still want.
 */
static int64
kits_of(const PlanLine *line)
{
	int64		kits = PG_INT64_MAX;

	for (int i = 0; i < line->nmembers; i++)
		kits = Min(kits, (line->members[i]->quantity - line->members[i]->found) / line->members[i]->per_kit);
	return kits;
}

/*
 * want says how many of a line are wanted.
 */
static void
want(PlanLine *line)
{
	line->quantity = line->kind == LINE_TOGETHER ? 1 : 0;
	if (line->kind == LINE_KITS)
		line->quantity = kits_of(line);
	for (int i = 0; line->kind == LINE_UNITS && i < line->nmembers; i++)
		line->quantity += line->members[i]->quantity - line->members[i]->found;
}

/*
 * goes_with_goods tells whether a demand is left to go where goods go: a warranty,
 * and where nothing costs anything whatever takes no stock.
 */
static bool
goes_with_goods(const Planner *planner, const PlanProblem *problem, const Demand *demand)
{
	if (demand->tracked || problem->round == ROUND_REST)
		return false;
	if (!planner->costs && (!demand->ship_group || problem->round > ROUND_WHOLE))
		return true;
	for (int i = 0; demand->goods_line > 0 && i < problem->count; i++)
	{
		if (problem->demands[i]->line_no == demand->goods_line)
			return true;
	}
	return false;
}

/*
 * oms_plan_lines makes the lines of a problem's round.  The caller's memory holds
 * them.
 */
void
oms_plan_lines(Planner *planner, PlanProblem *problem)
{
	Member	   *members = palloc((problem->count + 1) * sizeof(Member));
	Demand	  **list = palloc((problem->count + 1) * sizeof(Demand *));
	bool		by_sku = planner->sourcing->rules || planner->costs;
	int			count = 0;

	for (int i = 0; i < problem->count; i++)
	{
		Demand	   *demand = problem->demands[i];

		if (demand->found < demand->quantity && !goes_with_goods(planner, problem, demand))
			sort_demand(&members[count++], demand, problem->round);
	}
	if (count > 1)
		qsort(members, count, sizeof(Member), compare_members);
	problem->lines = palloc((count + 1) * sizeof(PlanLine));
	problem->nlines = 0;
	for (int i = 0; i < count; i++)
	{
		PlanLine   *line;

		list[i] = members[i].demand;
		if (i == 0 || compare_lines(&members[i - 1], &members[i], by_sku) != 0)
		{
			line = &problem->lines[problem->nlines++];
			line->kind = members[i].kind;
			line->members = &list[i];
			line->nmembers = 0;
		}
		line = &problem->lines[problem->nlines - 1];
		line->nmembers++;
	}
	for (int i = 0; i < problem->nlines; i++)
		want(&problem->lines[i]);
}
