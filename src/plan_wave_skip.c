/*
 * plan_wave_skip.c
 *	  Orders of which oms.plan_wave left something as it is, and why.
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "oms.h"
#include "plan_wave.h"

/* In the order of WaveSkip. */
static const char *const names[] = {
	"", "released", "workflow", "partner", "package", "written", "no_stock", "apart", "location", "objective", "large", "busy",
	"changed", "rules", "gone"
};

StaticAssertDecl(lengthof(names) == SKIP_GONE + 1, "every reason has a name");

/*
 * oms_wave_skip_named returns the reason of a name.
 */
WaveSkip
oms_wave_skip_named(const char *name)
{
	for (int skip = 0; skip < (int) lengthof(names); skip++)
	{
		if (strcmp(names[skip], name) == 0)
			return skip;
	}
	elog(ERROR, "unknown reason \"%s\"", name);
}

/*
 * oms_wave_skip notes why something of an order is left as it is.
 */
void
oms_wave_skip(JointPlan *joint, const pg_uuid_t *order_id, WaveSkip why)
{
	if (joint->nskipped == joint->skipped_room)
	{
		joint->skipped_room = Max(64, joint->skipped_room * 2);
		joint->skipped = joint->skipped ? repalloc_huge(joint->skipped, joint->skipped_room * sizeof(SkippedOrder))
			: palloc(joint->skipped_room * sizeof(SkippedOrder));
	}
	joint->skipped[joint->nskipped].order_id = *order_id;
	joint->skipped[joint->nskipped++].why = why;
}

/*
 * compare_skipped orders by order, then reason.
 */
static int
compare_skipped(const void *a, const void *b)
{
	const SkippedOrder *left = a;
	const SkippedOrder *right = b;
	int			order = oms_uuid_cmp(&left->order_id, &right->order_id);

	return order != 0 ? order : (int) left->why - (int) right->why;
}

/*
 * oms_wave_count_skipped returns of how many orders something was left, and for each
 * reason of how many: {"partner": 3, ...}.
 */
int64
oms_wave_count_skipped(JointPlan *joint, char **by_reason)
{
	int64		counts[lengthof(names)] = {0};
	int64		orders = 0;
	StringInfoData json;

	if (joint->nskipped > 0)
		qsort(joint->skipped, joint->nskipped, sizeof(SkippedOrder), compare_skipped);
	for (int i = 0; i < joint->nskipped; i++)
	{
		const SkippedOrder *skipped = &joint->skipped[i];
		const SkippedOrder *last = i > 0 ? skipped - 1 : NULL;

		orders += !last || oms_uuid_cmp(&last->order_id, &skipped->order_id) != 0;
		counts[skipped->why] += !last || compare_skipped(last, skipped) != 0;
	}
	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	for (int skip = 0; skip < (int) lengthof(names); skip++)
	{
		if (counts[skip] > 0)
			appendStringInfo(&json, "%s\"%s\": " INT64_FORMAT, json.len > 1 ? ", " : "", names[skip], counts[skip]);
	}
	appendStringInfoChar(&json, '}');
	*by_reason = json.data;
	return orders;
}
