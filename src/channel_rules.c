/*
 * channel_rules.c
 *	  From where a channel may take stock, and what it must leave there.
 *
 * Asked by the plan (sourcing_plan.c): of each location and SKU whether the channel may
 * take there, and how many units have to stay available; the UPDATE that takes
 * the units asks for the latter again (stock.c).  The rules are rows of
 * channel_stock_rules, whose comments say what they mean.
 *
 * Most stores have none, so whether there are any is remembered with the
 * store's handle, until the table changes.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"

#include "channel_rules.h"
#include "plan.h"

static const StoreQuery find_any = {
	"SELECT 1 FROM @.channel_stock_rules LIMIT 1", 0, {0}
};

static const StoreQuery read_rules = {
	"SELECT r.channel, r.sku, r.location, r.effect, COALESCE(r.units, 0) FROM @.channel_stock_rules r WHERE r.sku IS NULL"
	" UNION ALL SELECT r.channel, r.sku, r.location, r.effect, COALESCE(r.units, 0)"
	" FROM (SELECT DISTINCT u.sku FROM ROWS FROM (pg_catalog.unnest($1)) AS u(sku)) w"
	" JOIN @.channel_stock_rules r ON r.sku" EQ "w.sku",
	1, {TEXTARRAYOID}
};

static const StoreQuery read_places = {
	"SELECT l.code, p.is_partner FROM @.locations l CROSS JOIN LATERAL (VALUES (" IS_PARTNER("l") "))"
	" AS p(is_partner) WHERE l.active AND l.tracked ORDER BY p.is_partner, l.code",
	0, {0}
};

/*
 * oms_has_channel_rules tells whether the store has any.  The caller acts as the
 * owner.
 */
bool
oms_has_channel_rules(Store *store)
{
	/* a transaction that has all its locks hears of nothing by itself */
	AcceptInvalidationMessages();
	if (!store->rules_read)
	{
		uint64		changes = store->rules_changes;

		store->rules_relid = get_relname_relid("channel_stock_rules", store->namespace_oid);
		store->has_rules = oms_run_latest(store, &find_any, NULL) > 0;
		store->rules_read = changes == store->rules_changes;
	}
	return store->has_rules;
}

/*
 * compare_rules orders by SKU, those on all first.
 */
static int
compare_rules(const void *a, const void *b)
{
	return strcmp(((const ChannelRule *) a)->sku, ((const ChannelRule *) b)->sku);
}

/*
 * oms_channel_rules reads the rules on these SKUs, those on all included; NULL
 * where there are none.
 */
ChannelRules *
oms_channel_rules(Store *store, const Array *skus)
{
	ChannelRules *list;
	uint64		count;

	count = oms_run(store, &read_rules, (Datum[]) {oms_array_datum(skus)});
	if (count == 0)
		return NULL;
	list = palloc0(sizeof(ChannelRules));
	list->rules = palloc_extended(count * sizeof(ChannelRule), MCXT_ALLOC_HUGE);
	list->count = (int) count;
	for (uint64 i = 0; i < count; i++)
	{
		ChannelRule *rule = &list->rules[i];

		rule->channel = oms_column_text(i, 1);
		rule->sku = oms_column_is_null(i, 2) ? "" : oms_column_text(i, 2);
		rule->location = oms_column_text(i, 3);
		rule->effect = oms_column_text(i, 4);
		rule->units = oms_column_int64(i, 5);
	}
	qsort(list->rules, count, sizeof(ChannelRule), compare_rules);
	return list;
}

/*
 * first_rule finds the first rule on a SKU, "" for those on all.
 */
static int
first_rule(const ChannelRules *rules, const char *sku)
{
	int			low = 0;
	int			high = rules->count;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (strcmp(rules->rules[middle].sku, sku) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * next_rule goes through the rules that concern a SKU: those on all, then its
 * own.  Begin with at = -1; returns NULL after the last.
 */
static const ChannelRule *
next_rule(const ChannelRules *rules, const char *sku, int *at)
{
	const char *last = *at < 0 ? "" : rules->rules[*at].sku;

	(*at)++;
	if (last[0] == '\0' && (*at == rules->count || rules->rules[*at].sku[0] != '\0'))
		*at = first_rule(rules, last = sku);
	else if (last[0] == '\0')
		return &rules->rules[*at];
	return *at < rules->count && strcmp(rules->rules[*at].sku, sku) == 0 ? &rules->rules[*at] : NULL;
}

/*
 * oms_channel_may_take tells whether a channel may take a SKU at a location at
 * all.  What is taken for no channel may.
 */
bool
oms_channel_may_take(const ChannelRules *rules, const char *channel, const char *sku, const char *location)
{
	bool		is_limited = false;
	bool		is_named = false;
	int			at = -1;
	const ChannelRule *rule;

	while (channel && (rule = next_rule(rules, sku, &at)) != NULL)
	{
		bool		is_here = !rule->location || strcmp(rule->location, location) == 0;

		if (strcmp(rule->channel, channel) != 0)
			continue;
		if (strcmp(rule->effect, "deny") == 0 && is_here)
			return false;
		if (strcmp(rule->effect, "only") == 0)
		{
			is_limited = true;
			is_named |= is_here;
		}
	}
	return !is_limited || is_named;
}

/*
 * is_limited tells whether any rule says where a channel may take a SKU.
 */
static bool
is_limited(const ChannelRules *rules, const char *channel, const char *sku)
{
	int			at = -1;
	const ChannelRule *rule;

	while (channel && (rule = next_rule(rules, sku, &at)) != NULL)
	{
		if (strcmp(rule->channel, channel) == 0 &&
			(strcmp(rule->effect, "deny") == 0 || strcmp(rule->effect, "only") == 0))
			return true;
	}
	return false;
}

/*
 * read_all_places reads the locations that may be asked.
 */
static void
read_all_places(Store *store, ChannelRules *rules)
{
	uint64		count = oms_run(store, &read_places, NULL);

	rules->places = palloc_extended(Max(1, count) * sizeof(char *), MCXT_ALLOC_HUGE);
	rules->nplaces = (int) count;
	rules->first_partner = 0;
	for (uint64 i = 0; i < count; i++)
	{
		rules->places[i] = oms_column_text(i, 1);
		rules->first_partner += !oms_column_bool(i, 2);
	}
}

/*
 * oms_channel_may_ever_take tells whether there is a location, or the one that
 * is named, where a channel could take a SKU once units are there.
 */
bool
oms_channel_may_ever_take(Store *store, ChannelRules *rules, const char *channel, const char *sku, const char *location,
						  bool by_partner)
{
	if (!is_limited(rules, channel, sku))
		return true;
	if (location)
		return oms_channel_may_take(rules, channel, sku, location);
	if (!rules->places)
		read_all_places(store, rules);
	for (int i = by_partner ? rules->first_partner : 0; i < rules->nplaces; i++)
	{
		if (oms_channel_may_take(rules, channel, sku, rules->places[i]))
			return true;
	}
	return false;
}

/*
 * oms_channel_leaves returns how many units of a SKU a channel, or no channel,
 * must leave available at a location.
 */
int64
oms_channel_leaves(const ChannelRules *rules, const char *channel, const char *sku, const char *location)
{
	int64		kept_from = 0;
	int64		kept_for = 0;
	int			at = -1;
	const ChannelRule *rule;

	while ((rule = next_rule(rules, sku, &at)) != NULL)
	{
		bool		is_own = channel && strcmp(rule->channel, channel) == 0;

		if (rule->location && strcmp(rule->location, location) != 0)
			continue;
		if (strcmp(rule->effect, "keep_from") == 0 && is_own)
			kept_from = Max(kept_from, rule->units);
		if (strcmp(rule->effect, "keep_for") == 0 && !is_own)
			kept_for = Max(kept_for, rule->units);
	}
	return kept_from + kept_for;
}

/*
 * oms_channel_keeps returns how many units of a SKU rules keep at a location at
 * most.
 */
int64
oms_channel_keeps(const ChannelRules *rules, const char *sku)
{
	int64		kept = 0;
	int			at = -1;
	const ChannelRule *rule;

	while ((rule = next_rule(rules, sku, &at)) != NULL)
		kept = Max(kept, rule->units);
	return 2 * kept;
}
