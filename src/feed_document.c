/*
 * feed_document.c
 *	  A feed as users send it, checked.
 *
 * What a document alone can tell is judged here, before anything is locked;
 * whether there are such a location and such SKUs, feed.c asks.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "document.h"
#include "feed.h"

#define MAX_ITEMS 1000000		/* MAX_DOCUMENT comes first, as a rule */

/*
 * parse_items reads the items and sorts them.
 */
static void
parse_items(Feed *feed, JsonbContainer *array)
{
	static const Field fields[] = {
		{"sku", FIELD_CODE, true},
		{"quantity", FIELD_UNITS, true}
	};

	feed->count = oms_array_length(array, "items", MAX_ITEMS);
	feed->items = palloc_extended(Max(1, feed->count) * sizeof(FeedItem), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < feed->count; i++)
	{
		FieldValue	values[lengthof(fields)];
		char		path[32];

		snprintf(path, sizeof(path), "items[%d]", i);
		oms_parse_object(oms_array_object(array, i, "items"), path, fields, lengthof(fields), values);
		feed->items[i].sku = values[0].text;
		feed->items[i].quantity = values[1].integer;
		feed->items[i].place = i;
	}
	oms_feed_sort(feed);
	for (int i = 1; i < feed->count; i++)
	{
		const FeedItem *item = &feed->items[i];

		if (strcmp(item->sku, item[-1].sku) == 0)
			oms_document_fault(psprintf("items[%d]", Max(item->place, item[-1].place)), "sku",
							   psprintf("sku \"%s\" is there twice", item->sku));
	}
}

/*
 * oms_parse_feed reads the document.
 */
void
oms_parse_feed(Feed *feed, Jsonb *document)
{
	enum
	{
		REF, LOCATION, AS_OF, SEQUENCE, BASIS, FULL, ITEMS, FIELDS
	};
	static const Field fields[] = {
		[REF] = {"ref", FIELD_REFERENCE, true},
		[LOCATION] = {"location", FIELD_CODE, true},
		[AS_OF] = {"as_of", FIELD_TIME, false},
		[SEQUENCE] = {"sequence", FIELD_SEQUENCE, false},
		[BASIS] = {"basis", FIELD_CODE, true},
		[FULL] = {"full", FIELD_BOOLEAN, false},
		[ITEMS] = {"items", FIELD_ARRAY, true}
	};
	FieldValue	values[FIELDS];
	TimestampTz now = GetCurrentTimestamp();

	oms_parse_object(oms_document_root(document, "", false), "", fields, FIELDS, values);
	feed->ref = values[REF].text;
	if (pg_mbstrlen(feed->ref) > 190)
		oms_document_fault("", "ref", "is longer than 190 characters");
	feed->location = values[LOCATION].text;
	if (!values[AS_OF].is_set && !values[SEQUENCE].is_set)
		oms_document_fault("", "as_of", "is required where there is no sequence");
	if (values[AS_OF].is_set && values[AS_OF].time > now)
		oms_document_fault("", "as_of", "is in the future");
	feed->as_of = values[AS_OF].is_set ? values[AS_OF].time : now;
	feed->has_sequence = values[SEQUENCE].is_set;
	feed->sequence = values[SEQUENCE].integer;
	feed->is_sellable = strcmp(values[BASIS].text, "sellable") == 0;
	if (!feed->is_sellable && strcmp(values[BASIS].text, "on_hand") != 0)
		oms_document_fault("", "basis", "must be \"on_hand\" or \"sellable\"");
	feed->is_full = values[FULL].boolean;
	feed->hash = oms_document_hash(document);
	parse_items(feed, values[ITEMS].container);
}
