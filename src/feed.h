/*
 * feed.h
 *	  Stock as a partner or a count says it is.
 */
#ifndef OMS_FEED_H
#define OMS_FEED_H

#include "store.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

/* What a feed says of a SKU, and what follows from it. */
typedef struct FeedItem
{
	const char *sku;			/* first: sorted and searched by it */
	int			place;			/* in the document; -1: a full feed does not
								 * name it */
	int64		quantity;
	int64		on_hand;		/* as read */
	int64		unavailable;
	int64		known;			/* reserved units that the sender has taken
								 * off already */
	bool		is_ignored;		/* a newer feed has told of it */
	bool		is_changed;		/* has other units on hand */
} FeedItem;

typedef struct Feed
{
	Store	   *store;
	const char *ref;
	const char *location;
	bool		is_sellable;
	bool		is_full;
	TimestampTz as_of;
	bool		has_sequence;
	int64		sequence;
	bytea	   *hash;
	FeedItem   *items;			/* sorted by SKU */
	int			count;
} Feed;

extern void oms_parse_feed(Feed *feed, Jsonb *document);

/* feed_levels.c */
extern void oms_feed_read(Feed *feed);
extern void oms_feed_compare(Feed *feed);
extern void oms_feed_lock(Feed *feed);
extern int64 oms_feed_target(const Feed *feed, const FeedItem *item);
extern FeedItem *oms_feed_item(const Feed *feed, const char *sku);
extern void oms_feed_sort(Feed *feed);

#endif							/* OMS_FEED_H */
