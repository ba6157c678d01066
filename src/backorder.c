/*
 * backorder.c
 *	  Units that are sold without stock, counted in their policies.
 *
 * Reached from sourcing.c: where stock does not serve all that an order wants,
 * the policy of the SKU that is in force may.  As with stock, what is read is
 * advice, and the guarantee is one conditional UPDATE of all the policies,
 * sorted by id, whose row count is tested.  Policies come last in the order of
 * locks: whoever waits for one has all the stock that it will have.
 *
 * units.c comes here once backordered units have got stock or were canceled.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "backorder.h"
#include "fill.h"
#include "oms.h"
#include "plan.h"
#include "queue.h"
#include "rows.h"

#define LEFT_UNITS "COALESCE(p.limit_units" MINUS "p.backordered, 9223372036854775807)"

static const StoreQuery read_policies = {
	"SELECT w.sku, p.id, p.units FROM ROWS FROM (pg_catalog.unnest($1)) AS w(sku) CROSS JOIN LATERAL (SELECT p.id, " LEFT_UNITS
	" AS units FROM @.backorder_policies p WHERE p.sku" EQ "w.sku AND " IN_FORCE("p") " ORDER BY p.valid_from DESC LIMIT 1) p",
	1, {TEXTARRAYOID}
};

static const StoreQuery lock_policies = {
	"SELECT p.id, CASE WHEN " IN_FORCE("p") " THEN " LEFT_UNITS " ELSE 0 END FROM @.backorder_policies p WHERE p.id" EQ "ANY ($1)"
	" ORDER BY p.id FOR NO KEY UPDATE",
	1, {UUIDARRAYOID}
};

#define CHANGE_POLICIES \
	"UPDATE @.backorder_policies p SET backordered = p.backordered" PLUS "c.units, revision = p.revision" PLUS "1" \
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS c(id, units) WHERE p.id" EQ "c.id"

static const StoreQuery take_units = {
	CHANGE_POLICIES " AND " IN_FORCE("p") " AND (p.limit_units IS NULL OR p.backordered" PLUS "c.units" LE "p.limit_units)",
	2, {UUIDARRAYOID, INT8ARRAYOID}
};

static const StoreQuery give_units_back = {
	CHANGE_POLICIES, 2, {UUIDARRAYOID, INT8ARRAYOID}
};

static const StoreQuery find_busy = {
	"WITH locked AS (SELECT p.id FROM @.backorder_policies p WHERE p.id" EQ "ANY ($1) ORDER BY p.id FOR NO KEY UPDATE SKIP LOCKED)"
	" SELECT p.sku FROM @.backorder_policies p WHERE p.id" EQ "ANY ($1) AND NOT (p.id" EQ "ANY (SELECT k.id FROM locked k)) LIMIT 1",
	1, {UUIDARRAYOID}
};

/* those that note what is given back */
static Deferral *deferrals = NULL;

/* What the policy in force lets a SKU do. */
typedef struct Policy
{
	const char *sku;			/* first: sorted by it */
	pg_uuid_t	id;
	int64		left;			/* units that may still be sold */
} Policy;

/*
 * wants_policy tells whether a policy may serve what a demand lacks.
 */
static bool
wants_policy(const Demand *demand)
{
	return demand->may_be_backordered && demand->tracked && demand->found < demand->quantity;
}

/*
 * compare_ids orders policies by id, in which they are locked.
 */
static int
compare_ids(const void *a, const void *b)
{
	return oms_uuid_cmp(&((const Policy *) a)->id, &((const Policy *) b)->id);
}

/*
 * lacking_skus returns the SKUs that demands lack, each once, in order.
 */
static Array *
lacking_skus(const Sourcing *sourcing)
{
	const char **skus = palloc(Max(1, sourcing->count) * sizeof(char *));
	Array	   *array;
	int			count = 0;

	for (int i = 0; i < sourcing->count; i++)
	{
		if (wants_policy(&sourcing->demands[i]))
			skus[count++] = sourcing->demands[i].sku;
	}
	array = oms_array(TEXTOID, count);
	qsort(skus, count, sizeof(char *), oms_compare_texts);
	for (int i = 0; i < count; i++)
	{
		if (i == 0 || strcmp(skus[i - 1], skus[i]) != 0)
			oms_array_add_text(array, skus[i]);
	}
	return array;
}

/*
 * read_left reads what the policies in force leave of the SKUs, with lock as it
 * stays until the transaction ends.
 */
static Policy *
read_left(Store *store, const Array *skus, bool lock, int *count)
{
	uint64		found = oms_run(store, &read_policies, (Datum[]) {oms_array_datum(skus)});
	Policy	   *policies = palloc(Max(1, found) * sizeof(Policy));

	for (uint64 i = 0; i < found; i++)
	{
		policies[i].sku = oms_column_text(i, 1);
		policies[i].id = oms_column_uuid(i, 2);
		policies[i].left = oms_column_int64(i, 3);
	}
	*count = (int) found;
	if (lock && found > 0)
	{
		Array	   *ids = oms_array(UUIDOID, found);
		uint64		locked;

		qsort(policies, found, sizeof(Policy), compare_ids);
		for (uint64 i = 0; i < found; i++)
			oms_array_add_uuid(ids, &policies[i].id);
		locked = oms_run(store, &lock_policies, (Datum[]) {oms_array_datum(ids)});
		for (uint64 i = 0, j = 0; i < found; i++)
		{
			pg_uuid_t	id = {{0}};

			if (j < locked)
				id = oms_column_uuid(j, 1);
			policies[i].left = oms_uuid_cmp(&policies[i].id, &id) == 0 ? oms_column_int64(j++, 2) : 0;
		}
	}
	qsort(policies, *count, sizeof(Policy), oms_compare_texts);
	return policies;
}

/*
 * plan_policies says which units that the plan found no stock for a policy lets
 * be sold all the same; those that come first, as far as its limit goes.
 */
static void
plan_policies(Store *store, Sourcing *sourcing, bool lock)
{
	Array	   *skus = NULL;
	Policy	   *policies;
	int			count;

	sourcing->takes_policies = false;
	for (int i = 0; i < sourcing->count; i++)
	{
		sourcing->demands[i].backordered = 0;
		if (!skus && wants_policy(&sourcing->demands[i]))
			skus = lacking_skus(sourcing);
	}
	if (!skus)
		return;
	policies = read_left(store, skus, lock, &count);
	for (int i = 0; i < sourcing->count; i++)
	{
		Demand	   *demand = &sourcing->demands[i];
		Policy	   *policy = wants_policy(demand) ? bsearch(&demand->sku, policies, count, sizeof(Policy), oms_compare_texts) : NULL;

		/* nothing that comes could serve what its channel may take nowhere */
		if (!policy || (sourcing->rules && !oms_channel_may_ever_take(store, sourcing->rules, demand->channel, demand->sku,
																	  demand->location, demand->by_partner)))
			continue;
		demand->backordered = Min(demand->quantity - demand->found, Max(0, policy->left));
		demand->policy_id = policy->id;
		policy->left -= demand->backordered;
		sourcing->takes_policies |= demand->backordered > 0;
	}
}

/*
 * oms_backorder_plan says which units of a plan wait: under a policy, or with
 * the goods that they are a warranty of.
 */
void
oms_backorder_plan(Store *store, Sourcing *sourcing, bool lock)
{
	if (sourcing->whole_kits)
		oms_keep_whole_kits(sourcing);
	plan_policies(store, sourcing, lock);
	oms_warranties_wait(store, sourcing);
}

/*
 * oms_backorder_queue waits for those who are selling under the same policies.
 */
void
oms_backorder_queue(const Store *store, const Sourcing *sourcing)
{
	Array	   *skus = lacking_skus(sourcing);

	/* no location has an empty name: these are lines of their own */
	for (int i = 0; i < skus->count; i++)
		(void) oms_stand_in_line(store, QUEUE_STOCK, TextDatumGetCString(skus->values[i]), "");
}

/*
 * change_policies adds units to policies, each once and in order of their ids.
 * Returns whether all were found, as the query asks for them.
 */
static bool
change_policies(Store *store, const StoreQuery *query, PolicyUnits *list, int count)
{
	Array	   *ids = oms_array(UUIDOID, count);
	Array	   *units = oms_array(INT8OID, count);

	qsort(list, count, sizeof(PolicyUnits), oms_uuid_cmp);
	for (int i = 0; i < count; i++)
	{
		if (i > 0 && oms_uuid_cmp(&list[i - 1], &list[i]) == 0)
			units->values[units->count - 1] = Int64GetDatum(DatumGetInt64(units->values[units->count - 1]) + list[i].units);
		else
		{
			oms_array_add_uuid(ids, &list[i].policy_id);
			oms_array_add_int64(units, list[i].units);
		}
	}
	return ids->count == 0 ||
		oms_run(store, query, (Datum[]) {oms_array_datum(ids), oms_array_datum(units)}) == ids->count;
}

/*
 * oms_backorder_take counts what is planned into the policies.  Returns false
 * where one has less left by now, or is not in force any more; the others are
 * written then, and the caller rolls back.
 */
bool
oms_backorder_take(Store *store, const Sourcing *sourcing)
{
	PolicyUnits *list;
	int			count = 0;

	if (!sourcing->takes_policies)
		return true;
	list = palloc_extended(sourcing->count * sizeof(PolicyUnits), MCXT_ALLOC_HUGE);
	for (int i = 0; i < sourcing->count; i++)
	{
		const Demand *demand = &sourcing->demands[i];

		if (demand->backordered > 0 && demand->tracked)
			list[count++] = (PolicyUnits) {demand->policy_id, demand->backordered};
	}
	return change_policies(store, &take_units, list, count);
}

/*
 * oms_backorder_defer has what is given back in a store noted, to be written at
 * once: who writes policies twice, others between, could wait for one that was
 * there first and waits for him.  The caller ends it by oms_backorder_defer_no_more,
 * after an error too.
 */
void
oms_backorder_defer(Deferral *deferral, const Store *store)
{
	deferral->store = store;
	deferral->count = 0;
	deferral->capacity = 64;
	deferral->list = palloc(deferral->capacity * sizeof(PolicyUnits));
	deferral->outer = deferrals;
	deferrals = deferral;
}

/*
 * oms_backorder_defer_no_more has it written at once again.
 */
void
oms_backorder_defer_no_more(const Deferral *deferral)
{
	deferrals = deferral->outer;
}

/*
 * give_back writes what does not wait any more.
 */
static void
give_back(Store *store, PolicyUnits *list, int count)
{
	if (!change_policies(store, &give_units_back, list, count))
		oms_refuse_interference("backorder_policies");
}

/*
 * oms_backorder_give_back takes units that do not wait any more off their
 * policies, or notes them for later.
 */
void
oms_backorder_give_back(Store *store, const PolicyUnits *list, int count)
{
	Deferral   *deferral = deferrals;

	while (deferral && deferral->store != store)
		deferral = deferral->outer;
	if (!deferral)
	{
		PolicyUnits *own = palloc_extended(Max(1, count) * sizeof(PolicyUnits), MCXT_ALLOC_HUGE);

		memcpy(own, list, count * sizeof(PolicyUnits));
		give_back(store, own, count);
		return;
	}
	while (deferral->count + count > deferral->capacity)
	{
		deferral->capacity *= 2;
		deferral->list = repalloc_huge(deferral->list, deferral->capacity * sizeof(PolicyUnits));
	}
	memcpy(&deferral->list[deferral->count], list, count * sizeof(PolicyUnits));
	deferral->count += count;
}

/*
 * oms_backorder_settle writes what was noted.  Whoever may hold policies already
 * does not wait for others (40001).
 */
void
oms_backorder_settle(Store *store, Deferral *deferral, bool may_wait)
{
	Array	   *ids = oms_array(UUIDOID, deferral->count);

	if (deferral->count == 0)
		return;
	for (int i = 0; i < deferral->count; i++)
		oms_array_add_uuid(ids, &deferral->list[i].policy_id);
	if (!may_wait && oms_run(store, &find_busy, (Datum[]) {oms_array_datum(ids)}) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("a backorder policy of sku \"%s\" is being changed by another session", oms_column_text(0, 1)),
				 errhint("Retry the transaction.")));
	give_back(store, deferral->list, deferral->count);
}
