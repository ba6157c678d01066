/*
 * bundle.c
 *	  What bundles come to, through all levels.
 *
 * Reached by the statement triggers of bundle_items.  Whatever holds the
 * bundles that were changed is made out anew and written to bundle_components,
 * so that placing and availability read one row a component, however deep.
 *
 * Two sessions that each add an item could close a circle that neither sees.
 * So who edits locks bundle_components first, which nobody else writes, and
 * everything here reads and writes with the latest snapshot: at every
 * isolation level it sees what those before have committed.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/rel.h"

#include "bundle.h"
#include "bundle_parts.h"
#include "plan.h"

#define MOST_WAYS 10000			/* components of a bundle, each as often as it
								 * is in an item of another */
#define MOST_UNITS INT64CONST(1000000000)	/* of a component in one bundle */
#define SHARE_SCALE 40

static const StoreQuery delete_components = {
	"DELETE FROM @.bundle_components c WHERE c.bundle" EQ "ANY ($1)", 1, {TEXTARRAYOID}
};

static const StoreQuery insert_components = {
	"INSERT INTO @.bundle_components (bundle, sku, quantity, share) SELECT c.* FROM ROWS FROM (pg_catalog.unnest($1),"
	" pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4)) AS c",
	4, {TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, NUMERICARRAYOID}
};

static const StoreQuery count_components = {
	"SELECT pg_catalog.count(*) FROM @.bundle_components c WHERE c.bundle" EQ "ANY ($1)", 1, {TEXTARRAYOID}
};

static void make_out(Bundles *bundles, Bundle *bundle, Bundle *from);

/*
 * oms_queue_bundles waits for others who edit bundles, until they commit.
 */
void
oms_queue_bundles(Store *store)
{
	Oid			relid = get_relname_relid("bundle_components", store->namespace_oid);

	if (OidIsValid(relid))
		LockRelationOid(relid, ShareRowExclusiveLock);
}

/*
 * refuse_circle names the bundles through which one holds itself.
 */
static void
refuse_circle(const Bundles *bundles, Bundle *bundle, Bundle *last)
{
	char	   *names = psprintf("\"%s\"", bundle->code);
	int			shown = 0;

	for (Bundle *b = last; b != bundle; b = b->from)
	{
		if (++shown <= 20)
			names = psprintf("\"%s\" -> %s", b->code, names);
		else if (shown == 21)
			names = psprintf("... -> %s", names);
	}
	oms_refuse_bundle(bundles, ERRCODE_CHECK_VIOLATION,
					  psprintf("bundle \"%s\" would hold itself: \"%s\" -> %s", bundle->code, bundle->code, names),
					  "Remove one of these items first.");
}

/*
 * compare_components orders by SKU.
 */
static int
compare_components(const void *a, const void *b)
{
	return strcmp(((const Component *) a)->sku, ((const Component *) b)->sku);
}

/*
 * merge leaves each of a bundle's components once.
 */
static void
merge(const Bundles *bundles, Bundle *bundle)
{
	int			kept = 0;

	qsort(bundle->components, bundle->ncomponents, sizeof(Component), compare_components);
	for (int i = 0; i < bundle->ncomponents; i++)
	{
		const Component *next = &bundle->components[i];
		Component  *last = kept > 0 ? &bundle->components[kept - 1] : NULL;

		if (last && strcmp(last->sku, next->sku) == 0)
		{
			last->quantity += next->quantity;
			last->share = DirectFunctionCall2(numeric_add, last->share, next->share);
		}
		else
		{
			bundle->components[kept] = *next;
			last = &bundle->components[kept++];
		}
		if (last->quantity > MOST_UNITS)
			oms_refuse_bundle(bundles, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
							  psprintf("bundle \"%s\" would hold more than " INT64_FORMAT " units of sku \"%s\"", bundle->code,
									   MOST_UNITS, last->sku), "Lower a quantity.");
	}
	bundle->ncomponents = kept;
}

/*
 * find_bundle finds a bundle that has items.
 */
static Bundle *
find_bundle(const Bundles *bundles, const char *code)
{
	return bsearch(&code, bundles->list, bundles->count, sizeof(Bundle), oms_compare_codes);
}

/*
 * gather writes what the items of a bundle come to one after the other; the
 * bundles among them are made out by then.
 */
static void
gather(const Bundles *bundles, Bundle *bundle)
{
	int64		ways = 0;
	int64		count = 0;

	for (int i = 0; i < bundle->nitems; i++)
	{
		const Bundle *inner = bundle->items[i].is_bundle ? find_bundle(bundles, bundle->items[i].sku) : NULL;

		ways += inner ? inner->ways : 1;
		count += inner ? inner->ncomponents : 1;
	}
	if (ways > MOST_WAYS)
		oms_refuse_bundle(bundles, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
						  psprintf("bundle \"%s\" would come to more than %d components, counted as often as they are in an item of it",
								   bundle->code, MOST_WAYS), "Sell it as several bundles.");
	bundle->ways = (int) ways;
	bundle->components = palloc(Max(1, count) * sizeof(Component));
	for (int i = 0; i < bundle->nitems; i++)
	{
		const BundleItem *item = &bundle->items[i];
		const Bundle *inner = item->is_bundle ? find_bundle(bundles, item->sku) : NULL;

		if (!inner)
			bundle->components[bundle->ncomponents++] = (Component) {item->sku, item->quantity, item->weight};
		for (int j = 0; inner && j < inner->ncomponents; j++)
		{
			const Component *part = &inner->components[j];
			Datum		share = DirectFunctionCall2(numeric_mul, item->weight, part->share);

			/*
			 * both are at most 10^9: their product does not overflow, nor
			 * does the sum of ten thousand that are cut to just above that
			 */
			bundle->components[bundle->ncomponents++] = (Component) {
				part->sku, Min(item->quantity * part->quantity, MOST_UNITS + 1),
				DirectFunctionCall2(numeric_round, share, Int32GetDatum(SHARE_SCALE))
			};
		}
	}
}

/*
 * make_out makes out a bundle's components, those of the bundles in it first.
 */
static void
make_out(Bundles *bundles, Bundle *bundle, Bundle *from)
{
	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (bundle->state == DONE)
		return;
	if (bundle->state == BEGUN)
		refuse_circle(bundles, bundle, from);
	bundle->state = BEGUN;
	bundle->from = from;
	bundle->levels = 1;
	for (int i = 0; i < bundle->nitems; i++)
	{
		Bundle	   *inner;

		if (!bundle->items[i].is_bundle)
			continue;
		inner = find_bundle(bundles, bundle->items[i].sku);
		if (!inner)
			oms_refuse_bundle(bundles, ERRCODE_CHECK_VIOLATION,
							  psprintf("bundle \"%s\" would hold bundle \"%s\", which has no items", bundle->code, bundle->items[i].sku),
							  "Give it items first, or put other items in their place by one statement.");
		make_out(bundles, inner, bundle);
		bundle->levels = Max(bundle->levels, inner->levels + 1);
	}
	if (bundle->levels > MOST_BUNDLE_LEVELS)
		oms_refuse_bundle(bundles, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
						  psprintf("bundle \"%s\" would be %d levels deep, and %d are the most", bundle->code, bundle->levels, MOST_BUNDLE_LEVELS),
						  "Put what the inner bundles hold into the outer ones.");
	gather(bundles, bundle);
	merge(bundles, bundle);
	bundle->state = DONE;
}

/*
 * write_components writes what the bundles come to that hold changed ones.
 */
static void
write_components(Store *store, const Bundles *bundles, const Codes *holders)
{
	Array	   *gone = oms_array(TEXTOID, holders->count);
	Array	   *codes = oms_array(TEXTOID, 64);
	Array	   *skus = oms_array(TEXTOID, 64);
	Array	   *quantities = oms_array(INT8OID, 64);
	Array	   *shares = oms_array(NUMERICOID, 64);

	for (int i = 0; i < holders->count; i++)	/* some may have no items left */
		oms_array_add_text(gone, holders->list[i]);
	for (int i = 0; i < bundles->count; i++)
	{
		const Bundle *bundle = &bundles->list[i];

		for (int j = 0; bundle->is_changed && j < bundle->ncomponents; j++)
		{
			oms_array_add_text(codes, bundle->code);
			oms_array_add_text(skus, bundle->components[j].sku);
			oms_array_add_int64(quantities, bundle->components[j].quantity);
			oms_array_add(shares, bundle->components[j].share);
		}
	}
	(void) oms_write_latest(store, &delete_components, (Datum[]) {oms_array_datum(gone)});
	if (codes->count > 0 && oms_write_latest(store, &insert_components, (Datum[]) {
			oms_array_datum(codes), oms_array_datum(skus), oms_array_datum(quantities), oms_array_datum(shares)
		}) != codes->count)
		oms_refuse_interference("bundle_components");
	(void) oms_write_latest(store, &count_components, (Datum[]) {oms_array_datum(gone)});
	if (oms_column_int64(0, 1) != codes->count)
		oms_refuse_interference("bundle_components");
}

/*
 * oms_make_out_bundle makes out one bundle, and what holds it, whatever is
 * written of them.
 */
void
oms_make_out_bundle(Store *store, const char *code)
{
	Relation	items = table_open(get_relname_relid("bundle_items", store->namespace_oid), AccessShareLock);
	Bundles		bundles = {.rel = items};
	Codes		holders = {palloc(sizeof(char *)), 1};
	Array	   *changed = oms_array(TEXTOID, 1);

	holders.list[0] = code;
	oms_array_add_text(changed, code);
	oms_read_bundles(store, changed, &holders, &bundles);
	for (int i = 0; i < bundles.count; i++)
		make_out(&bundles, &bundles.list[i], NULL);
	write_components(store, &bundles, &holders);
	table_close(items, AccessShareLock);
}

/*
 * oms_act_bundle_items follows a change of items, by whomever.
 */
void
oms_act_bundle_items(Store *store, TriggerData *trigger)
{
	Bundles		bundles = {.rel = trigger->tg_relation};
	Codes		holders = {NULL, 0};
	OwnerScope	scope;
	Array	   *changed;

	oms_spi_begin();
	changed = oms_changed_bundles(trigger, &holders);
	if (changed->count > 0)
	{
		oms_become_owner(store, &scope);
		oms_read_bundles(store, changed, &holders, &bundles);
		for (int i = 0; i < bundles.count; i++)
			make_out(&bundles, &bundles.list[i], NULL);
		write_components(store, &bundles, &holders);
		oms_leave_owner(&scope);
	}
	oms_spi_end();
}
