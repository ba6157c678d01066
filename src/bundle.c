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

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/rel.h"

#include "bundle.h"
#include "plan.h"
#include "rows.h"
#include "transition.h"

#define MOST_LEVELS 8
#define MOST_WAYS 10000			/* components of a bundle, each as often as it
								 * is in an item of another */
#define MOST_UNITS INT64CONST(1000000000)	/* of a component in one bundle */
#define SHARE_SCALE 40
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

static const StoreQuery delete_components = {
	"DELETE FROM @.bundle_components c WHERE c.bundle" EQ "ANY ($1)", 1, {TEXTARRAYOID}
};

static const StoreQuery insert_components = {
	"INSERT INTO @.bundle_components (bundle, sku, quantity, share) SELECT c.* FROM ROWS FROM (pg_catalog.unnest($1),"
	" pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4)) AS c",
	4, {TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, NUMERICARRAYOID}
};

typedef struct Component
{
	const char *sku;
	int64		quantity;
	Datum		share;			/* numeric */
} Component;

typedef struct BundleItem
{
	const char *bundle;			/* sorted by it ... */
	const char *sku;			/* ... and this */
	int64		quantity;
	Datum		weight;			/* numeric */
	bool		is_bundle;
} BundleItem;

typedef struct Bundle
{
	const char *code;			/* first: searched by it */
	BundleItem *items;
	int			nitems;
	bool		is_changed;		/* it holds one that was changed */
	enum
	{
		UNKNOWN, BEGUN, DONE
	}			state;
	struct Bundle *from;		/* which one is being made out for, while
								 * begun */
	int			levels;
	int			ways;			/* in which it holds what is no bundle */
	Component  *components;		/* by SKU, each once */
	int			ncomponents;
} Bundle;

typedef struct Bundles
{
	Relation	rel;			/* for messages */
	Bundle	   *list;			/* by code */
	int			count;
	BundleItem *items;
	int			nitems;
	int			capacity;
} Bundles;

/* Codes, sorted, each once. */
typedef struct Codes
{
	const char **list;
	int			count;
} Codes;

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
 * compare_codes orders by the text that comes first in a struct.
 */
static int
compare_codes(const void *a, const void *b)
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
		qsort(found, count, sizeof(char *), compare_codes);
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
 * changed_bundles returns the bundles of which a statement changed items.
 */
static Array *
changed_bundles(TriggerData *trigger, Codes *set)
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
 * refuse raises an error of bundle_items.
 */
static void
refuse(const Bundles *bundles, int code, const char *message, const char *hint)
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
	refuse(bundles, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
		   psprintf("bundles would hold each other more than %d levels deep, and %d are the most", MOST_STEPS, MOST_LEVELS),
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
			refuse(bundles, ERRCODE_CHECK_VIOLATION, psprintf("sku \"%s\" is no bundle and has no items", item->bundle),
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
 * read_bundles reads all bundles that hold changed ones, and what is in those.
 */
static void
read_bundles(Store *store, Array *changed, Codes *holders, Bundles *bundles)
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
			bundle->is_changed = bsearch(&item->bundle, holders->list, holders->count, sizeof(char *), compare_codes) != NULL;
		}
		bundle->nitems++;
	}
	for (int i = 0; i < bundles->count; i++)
		weigh(&bundles->list[i]);
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
	refuse(bundles, ERRCODE_CHECK_VIOLATION,
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
			refuse(bundles, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
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
	return bsearch(&code, bundles->list, bundles->count, sizeof(Bundle), compare_codes);
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
		refuse(bundles, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
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
			refuse(bundles, ERRCODE_CHECK_VIOLATION,
				   psprintf("bundle \"%s\" would hold bundle \"%s\", which has no items", bundle->code, bundle->items[i].sku),
				   "Give it items first, or put other items in their place by one statement.");
		make_out(bundles, inner, bundle);
		bundle->levels = Max(bundle->levels, inner->levels + 1);
	}
	if (bundle->levels > MOST_LEVELS)
		refuse(bundles, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
			   psprintf("bundle \"%s\" would be %d levels deep, and %d are the most", bundle->code, bundle->levels, MOST_LEVELS),
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
	if (codes->count > 0)
		(void) oms_write_latest(store, &insert_components, (Datum[]) {
			oms_array_datum(codes), oms_array_datum(skus), oms_array_datum(quantities), oms_array_datum(shares)
		});
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
	changed = changed_bundles(trigger, &holders);
	if (changed->count > 0)
	{
		oms_become_owner(store, &scope);
		read_bundles(store, changed, &holders, &bundles);
		for (int i = 0; i < bundles.count; i++)
			make_out(&bundles, &bundles.list[i], NULL);
		write_components(store, &bundles, &holders);
		oms_leave_owner(&scope);
	}
	oms_spi_end();
}
