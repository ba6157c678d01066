/*
 * feed_levels.c
 *	  What a feed makes of the stock that is there.
 *
 * Reached from feed.c, twice: all items are read without a lock, which finds
 * the few that differ; those are locked, in the order that everybody keeps, and
 * read again.  An item that did not differ when it was read is as if the feed
 * had come in at that moment.
 *
 * Where quantities are what the sender would still sell, the sender has taken
 * off the units of fulfillments that it knows, and units that are unavailable.
 * It knows a fulfillment that had left its initial state by then; one that was
 * divided off since is known by the one that it was a part of.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "feed.h"
#include "fill.h"
#include "machine.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"

static const StoreQuery read_named = {
	"SELECT s.sku, s.on_hand, s.unavailable FROM ROWS FROM (pg_catalog.unnest($1)) AS w(sku)"
	" JOIN @.stock s ON s.sku" EQ "w.sku AND s.location" EQ "$2 WHERE s.on_hand" GT "0",
	2, {TEXTARRAYOID, TEXTOID}
};

static const StoreQuery read_location = {
	"SELECT s.sku, s.on_hand, s.unavailable FROM @.stock s WHERE s.location" EQ "$1 AND s.on_hand" GT "0", 1, {TEXTOID}
};

static const StoreQuery make_stock_rows = {
	"INSERT INTO @.stock (sku, location) SELECT w.sku, $2 FROM ROWS FROM (pg_catalog.unnest($1)) AS w(sku)"
	" WHERE NOT EXISTS (SELECT FROM @.stock s WHERE s.sku" EQ "w.sku AND s.location" EQ "$2) ON CONFLICT DO NOTHING",
	2, {TEXTARRAYOID, TEXTOID}
};

static const StoreQuery lock_rows = {
	"SELECT s.sku, s.on_hand, s.unavailable FROM ROWS FROM (pg_catalog.unnest($1)) WITH ORDINALITY AS w(sku, place)"
	" JOIN @.stock s ON s.sku" EQ "w.sku AND s.location" EQ "$2 ORDER BY w.place FOR NO KEY UPDATE OF s",
	2, {TEXTARRAYOID, TEXTOID}
};

static const StoreQuery read_reserved = {
	"SELECT l.sku, f.id, l.quantity FROM @.fulfillments f JOIN @.fulfillment_lines l ON l.fulfillment_id" EQ "f.id"
	" WHERE f.location" EQ "$1 AND f.stock_state" EQ "'reserved' AND l.tracked",
	1, {TEXTOID}
};

static const StoreQuery read_statuses = {
	"SELECT w.place, f.workflow,"
	" (SELECT e.to_status FROM @.order_events e WHERE e.order_id" EQ "f.order_id AND e.entity_id" EQ "f.id"
	" AND e.event" EQ "ANY (ARRAY['created', 'moved', 'imported']) AND e.at" LE "$2 ORDER BY e.id DESC LIMIT 1),"
	" (SELECT p.id FROM @.order_events e JOIN @.fulfillments p ON p.number" EQ "(e.detail OPERATOR(pg_catalog.->>) 'split_from')"
	" WHERE e.order_id" EQ "f.order_id AND e.entity_id" EQ "f.id AND e.event" EQ "'created' LIMIT 1)"
	" FROM ROWS FROM (pg_catalog.unnest($1)) WITH ORDINALITY AS w(id, place) JOIN @.fulfillments f ON f.id" EQ "w.id",
	2, {UUIDARRAYOID, TIMESTAMPTZOID}
};

/* Reserved units of which the sender may know. */
typedef struct Claim
{
	pg_uuid_t	fulfillment_id; /* or the one that it was a part of */
	FeedItem   *item;
	int64		quantity;
} Claim;

/*
 * compare_items orders as the columns' collation "C" does.
 */
static int
compare_items(const void *a, const void *b)
{
	return strcmp(((const FeedItem *) a)->sku, ((const FeedItem *) b)->sku);
}

/*
 * oms_feed_sort puts the items into the order in which stock is locked.
 */
void
oms_feed_sort(Feed *feed)
{
	qsort(feed->items, feed->count, sizeof(FeedItem), compare_items);
}

/*
 * oms_feed_item finds what the feed says of a SKU, or NULL.
 */
FeedItem *
oms_feed_item(const Feed *feed, const char *sku)
{
	FeedItem	wanted = {.sku = sku};

	return bsearch(&wanted, feed->items, feed->count, sizeof(FeedItem), compare_items);
}

/*
 * oms_feed_target returns how many units are to be on hand.
 */
int64
oms_feed_target(const Feed *feed, const FeedItem *item)
{
	return item->quantity + (feed->is_sellable ? item->known + item->unavailable : 0);
}

/*
 * skus_of lists the SKUs that the feed is to change, or all of them.
 */
static Array *
skus_of(const Feed *feed, bool only_changed)
{
	Array	   *skus = oms_array(TEXTOID, feed->count);

	for (int i = 0; i < feed->count; i++)
	{
		if (!only_changed || feed->items[i].is_changed)
			oms_array_add_text(skus, feed->items[i].sku);
	}
	return skus;
}

/*
 * note_levels writes the stock rows just read down at their items; a full feed
 * gets items for what it does not name.
 */
static void
note_levels(Feed *feed, uint64 found)
{
	int			named = feed->count;

	if (feed->is_full)
		feed->items = repalloc_huge(feed->items, (named + found + 1) * sizeof(FeedItem));
	for (uint64 i = 0; i < found; i++)
	{
		char	   *sku = oms_column_text(i, 1);
		FeedItem	wanted = {.sku = sku};
		FeedItem   *item = bsearch(&wanted, feed->items, named, sizeof(FeedItem), compare_items);

		if (!item && !feed->is_full)
			continue;
		if (!item)
		{
			item = &feed->items[feed->count++];
			*item = wanted;
			item->place = -1;
		}
		item->on_hand = oms_column_int64(i, 2);
		item->unavailable = oms_column_int64(i, 3);
	}
	oms_feed_sort(feed);
}

/*
 * ask_claims asks which claims are of fulfillments that had left their initial
 * state by the feed's moment, and adds their units to the items.  Leaves those of
 * parts that were divided off since, to be asked of what they were a part of.
 */
static Claim *
ask_claims(Feed *feed, const Claim *claims, int *count)
{
	Array	   *ids = oms_array(UUIDOID, *count);
	Claim	   *rest = palloc_extended(*count * sizeof(Claim), MCXT_ALLOC_HUGE);
	uint64		found;
	int			left = 0;

	for (int i = 0; i < *count; i++)
		oms_array_add_uuid(ids, &claims[i].fulfillment_id);
	found = oms_run(feed->store, &read_statuses, (Datum[]) {oms_array_datum(ids), TimestampTzGetDatum(feed->as_of)});
	for (uint64 i = 0; i < found; i++)
	{
		Claim		claim = claims[oms_column_int64(i, 1) - 1];
		Machine    *machine = oms_machine(feed->store, oms_column_name(i, 2), ENTITY_FULFILLMENT);
		char	   *status = oms_column_text(i, 3);

		if (status && strcmp(status, oms_machine_state_name(machine, machine->workflow->initial)) != 0)
			claim.item->known += claim.quantity;
		else if (!status && !oms_column_is_null(i, 4))
		{
			claim.fulfillment_id = oms_column_uuid(i, 4);
			rest[left++] = claim;
		}
	}
	*count = left;
	return rest;
}

/*
 * note_known counts for each item the reserved units that the sender knows.
 */
static void
note_known(Feed *feed, bool only_changed)
{
	uint64		found = oms_run(feed->store, &read_reserved, (Datum[]) {CStringGetTextDatum(feed->location)});
	Claim	   *claims = palloc_extended(Max(1, found) * sizeof(Claim), MCXT_ALLOC_HUGE);
	int			count = 0;

	for (int i = 0; i < feed->count; i++)
		feed->items[i].known = 0;
	for (uint64 i = 0; i < found; i++)
	{
		FeedItem   *item = oms_feed_item(feed, oms_column_text(i, 1));

		if (!item || item->is_ignored || (only_changed && !item->is_changed))
			continue;
		claims[count].item = item;
		claims[count].fulfillment_id = oms_column_uuid(i, 2);
		claims[count++].quantity = oms_column_int64(i, 3);
	}
	while (count > 0)
		claims = ask_claims(feed, claims, &count);
}

/*
 * oms_feed_read reads what is there.
 */
void
oms_feed_read(Feed *feed)
{
	uint64		found;

	if (feed->is_full)
		found = oms_run(feed->store, &read_location, (Datum[]) {CStringGetTextDatum(feed->location)});
	else
		found = oms_run(feed->store, &read_named, (Datum[]) {
			oms_array_datum(skus_of(feed, false)), CStringGetTextDatum(feed->location)
		});
	note_levels(feed, found);
}

/*
 * oms_feed_compare says which items are to change.
 */
void
oms_feed_compare(Feed *feed)
{
	if (feed->is_sellable)
	{
		oms_keep_workflows(feed->store, ENTITY_FULFILLMENT);
		note_known(feed, false);
	}
	for (int i = 0; i < feed->count; i++)
	{
		FeedItem   *item = &feed->items[i];

		item->is_changed = !item->is_ignored && oms_feed_target(feed, item) != item->on_hand;
	}
}

/*
 * lock_waiting locks the orders that wait for units of which there will be
 * more: orders are locked before stock, as everywhere.
 */
static void
lock_waiting(Feed *feed)
{
	Array	   *skus = oms_array(TEXTOID, 8);
	StockChanges *arriving = oms_stock_changes(8);

	for (int i = 0; i < feed->count; i++)
	{
		const FeedItem *item = &feed->items[i];
		int64		more = oms_feed_target(feed, item) - item->on_hand;

		if (!item->is_changed || more <= 0)
			continue;
		oms_array_add_text(skus, item->sku);
		oms_stock_change(arriving, item->sku, feed->location)->on_hand = more;
	}
	if (skus->count > 0)
	{
		oms_stock_merge(arriving);
		(void) oms_fill_lock(feed->store, skus, arriving, true);
	}
}

/*
 * oms_feed_lock locks the stock rows of items that are to change, and reads
 * them again: some need no change any more.
 */
void
oms_feed_lock(Feed *feed)
{
	Array	   *skus = skus_of(feed, true);
	Datum		args[2];

	if (skus->count == 0)
		return;
	lock_waiting(feed);
	args[0] = oms_array_datum(skus);
	args[1] = CStringGetTextDatum(feed->location);
	(void) oms_run(feed->store, &make_stock_rows, args);
	if (oms_run(feed->store, &lock_rows, args) != skus->count)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("a row of stock was deleted by another session meanwhile"),
				 errhint("Retry the transaction.")));
	for (int i = 0; i < skus->count; i++)
	{
		FeedItem   *item = oms_feed_item(feed, oms_column_text(i, 1));

		item->on_hand = oms_column_int64(i, 2);
		item->unavailable = oms_column_int64(i, 3);
	}
	if (feed->is_sellable)
		note_known(feed, true);
	for (int i = 0; i < feed->count; i++)
	{
		FeedItem   *item = &feed->items[i];

		if (item->is_changed)
			item->is_changed = oms_feed_target(feed, item) != item->on_hand;
	}
}
