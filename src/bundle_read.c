/*
 * bundle_read.c
 *	  Reading the bundles that a change of bundle_items concerns.
 *
 * bundle.c comes here.  Whatever holds a bundle that was changed comes to
 * something else now, and to make that out takes what is in those.  Both are
 * followed step by step, a query a step, and each bundle is looked at once.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/rel.h"

#include "bundle_parts.h"
#include "plan.h"
#include "transition.h"

#define MOST_STEPS 64			/* from bundle to bundle, in what is looked at */

static const StoreQuery read_holders = {
	"SELECT i.bundle FROM ROWS FROM (pg_catalog.unnest($1)) AS w(code) JOIN @.bundle_items i ON i.sku" EQ "w.code",
	1, {TEXTARRAYOID}
};

static const StoreQuery read_items = {
	"SELECT i.bundle, i.sku, i.quantity, i.price_share, b.kind" EQ "'bundle', s.kind" EQ "'bundle'"
	" FROM ROWS FROM (pg_catalog.unnest($1)) AS w(code) JOIN @.bundle_items i ON i.bundle" EQ "w.code"
	" JOIN @.skus b ON b.code" EQ "i.bundle JOIN @.skus s ON s.code" EQ "i.sku",
	1, {TEXTARRAYOID}
};

/*
 * oms_compare_codes orders by the text that comes first in a struct.
 */
int
oms_compare_codes(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/*
 * add_codes adds codes to a set and returns those that are new in it; the list
 * given is sorted on the way.
 */
static Array *
add_codes(Codes *set, const char **found, int count)
{
	Array	   *fresh = oms_array(TEXTOID, 8);
	const char **merged = palloc_extended((set->count + count + 1) * sizeof(char *), MCXT_ALLOC_HUGE);
	int			kept = 0;
	int			next = 0;

	if (count > 0)
		qsort(found, count, sizeof(char *), oms_compare_codes);
	for (int i = 0; i < count; i++)
	{
		while (next < set->count && strcmp(set->list[next], found[i]) < 0)
			merged[kept++] = set->list[next++];
		if ((kept > 0 && strcmp(merged[kept - 1], found[i]) == 0) ||
			(next < set->count && strcmp(set->list[next], found[i]) == 0))
			continue;
		merged[kept++] = found[i];
		oms_array_add_text(fresh, found[i]);
	}
	while (next < set->count)
		merged[kept++] = set->list[next++];
	set->list = merged;
	set->count = kept;
	return fresh;
}

/*
 * oms_changed_bundles returns the bundles of which a statement changed items.
 */
Array *
oms_changed_bundles(TriggerData *trigger, Codes *set)
{
	Tuplestorestate *tables[2] = {trigger->tg_oldtable, trigger->tg_newtable};
	const char **list = NULL;
	int			count = 0;
	int			capacity = 0;

	for (int i = 0; i < 2; i++)
	{
		Walk		walk;
		int			column;

		if (!tables[i])
			continue;
		oms_walk_begin(&walk, trigger, tables[i]);
		column = oms_walk_column(&walk, "bundle", TEXTOID);
		while (oms_walk_next(&walk))
		{
			const char *code = oms_walk_text(&walk, column);

			if (!code || (count > 0 && strcmp(list[count - 1], code) == 0))
				continue;
			if (count == capacity)
			{
				capacity = Max(16, capacity * 2);
				list = list ? repalloc_huge(list, capacity * sizeof(char *)) : palloc(capacity * sizeof(char *));
			}
			list[count++] = code;
		}
		oms_walk_end(&walk);
	}
	return add_codes(set, list, count);
}

/*
 * oms_refuse_bundle raises an error of bundle_items.
 */
void
oms_refuse_bundle(const Bundles *bundles, int code, const char *message, const char *hint)
{
	ereport(ERROR,
			(errcode(code), errmsg("%s", message), errhint("%s", hint), errtable(bundles->rel)));
}

/*
 * weigh says what each item of a bundle carries of its price.
 */
static void
weigh(Bundle *bundle)
{
	Datum		zero = DirectFunctionCall1(int4_numeric, Int32GetDatum(0));
	Datum		sum = zero;

	for (int i = 0; i < bundle->nitems; i++)
		sum = DirectFunctionCall2(numeric_add, sum, bundle->items[i].weight);
	if (DatumGetBool(DirectFunctionCall2(numeric_eq, sum, zero)))
	{
		for (int i = 0; i < bundle->nitems; i++)
		{
			bundle->items[i].weight = DirectFunctionCall1(int8_numeric, Int64GetDatum(bundle->items[i].quantity));
			sum = DirectFunctionCall2(numeric_add, sum, bundle->items[i].weight);
		}
	}
	for (int i = 0; i < bundle->nitems; i++)
		bundle->items[i].weight = DirectFunctionCall2(numeric_div, bundle->items[i].weight, sum);
}

/*
 * refuse_steps refuses what is no bundle any more, or a circle of that size.
 */
static void
refuse_steps(const Bundles *bundles)
{
	oms_refuse_bundle(bundles, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
					  psprintf("bundles would hold each other more than %d levels deep, and %d are the most", MOST_STEPS, MOST_BUNDLE_LEVELS),
					  "Put what the inner bundles hold into the outer ones.");
}

/*
 * find_holders adds to the set of changed bundles whatever holds one of them.
 */
static void
find_holders(Store *store, const Bundles *bundles, Array *changed, Codes *set)
{
	Array	   *fresh = changed;

	for (int step = 0; fresh->count > 0; step++)
	{
		uint64		found = oms_write_latest(store, &read_holders, (Datum[]) {oms_array_datum(fresh)});
		const char **codes = palloc_extended((found + 1) * sizeof(char *), MCXT_ALLOC_HUGE);

		if (step == MOST_STEPS)
			refuse_steps(bundles);
		for (uint64 i = 0; i < found; i++)
			codes[i] = oms_column_text(i, 1);
		fresh = add_codes(set, codes, (int) found);
	}
}

/*
 * read_step reads the items of some bundles, and returns the bundles in them
 * that are not in the set yet, to which they are added.
 */
static Array *
read_step(Store *store, Bundles *bundles, const Array *codes, Codes *set)
{
	uint64		found = oms_write_latest(store, &read_items, (Datum[]) {oms_array_datum(codes)});
	const char **inner = palloc_extended((found + 1) * sizeof(char *), MCXT_ALLOC_HUGE);
	int			ninner = 0;

	if (bundles->nitems + found > bundles->capacity)
	{
		bundles->capacity = (int) (2 * bundles->nitems + found);
		bundles->items = bundles->items ? repalloc_huge(bundles->items, bundles->capacity * sizeof(BundleItem))
			: palloc_extended(bundles->capacity * sizeof(BundleItem), MCXT_ALLOC_HUGE);
	}
	for (uint64 i = 0; i < found; i++)
	{
		BundleItem *item = &bundles->items[bundles->nitems++];

		item->bundle = oms_column_text(i, 1);
		item->sku = oms_column_text(i, 2);
		item->quantity = oms_column_int64(i, 3);
		item->weight = oms_column_is_null(i, 4) ? DirectFunctionCall1(int8_numeric, Int64GetDatum(item->quantity))
			: oms_column_numeric(i, 4);
		item->is_bundle = oms_column_bool(i, 6);
		if (item->is_bundle)
			inner[ninner++] = item->sku;
		if (!oms_column_bool(i, 5))
			oms_refuse_bundle(bundles, ERRCODE_CHECK_VIOLATION, psprintf("sku \"%s\" is no bundle and has no items", item->bundle),
							  "Only a SKU of kind bundle has items; insert one.");
	}
	return add_codes(set, inner, ninner);
}

/*
 * compare_items orders by bundle, then SKU.
 */
static int
compare_items(const void *a, const void *b)
{
	const BundleItem *left = a;
	const BundleItem *right = b;
	int			order = strcmp(left->bundle, right->bundle);

	return order != 0 ? order : strcmp(left->sku, right->sku);
}

/*
 * oms_read_bundles reads all bundles that hold changed ones, and what is in those.
 */
void
oms_read_bundles(Store *store, Array *changed, Codes *holders, Bundles *bundles)
{
	Codes		known;
	Array	   *fresh = oms_array(TEXTOID, 8);

	find_holders(store, bundles, changed, holders);
	known = *holders;
	for (int i = 0; i < holders->count; i++)
		oms_array_add_text(fresh, holders->list[i]);
	for (int step = 0; fresh->count > 0; step++)
	{
		if (step == MOST_STEPS)
			refuse_steps(bundles);
		fresh = read_step(store, bundles, fresh, &known);
	}

	qsort(bundles->items, bundles->nitems, sizeof(BundleItem), compare_items);
	bundles->list = palloc_extended(Max(1, bundles->nitems) * sizeof(Bundle), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < bundles->nitems; i++)
	{
		BundleItem *item = &bundles->items[i];
		Bundle	   *bundle = &bundles->list[Max(0, bundles->count - 1)];

		if (bundles->count == 0 || strcmp(bundle->code, item->bundle) != 0)
		{
			bundle = &bundles->list[bundles->count++];
			bundle->code = item->bundle;
			bundle->items = item;
			bundle->is_changed = bsearch(&item->bundle, holders->list, holders->count, sizeof(char *), oms_compare_codes) != NULL;
		}
		bundle->nitems++;
	}
	for (int i = 0; i < bundles->count; i++)
		weigh(&bundles->list[i]);
}
