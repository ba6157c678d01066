/*
 * availability.h
 *	  What could be sold of SKUs now.
 */
#ifndef OMS_AVAILABILITY_H
#define OMS_AVAILABILITY_H

#include "fmgr.h"
#include "utils/timestamp.h"

#include "rows.h"
#include "store.h"

/* Who asks: the arguments channel and location. */
typedef struct Question
{
	bool		is_particular;	/* either is given */
	Datum		channel;
	bool		has_channel;
	Datum		method;			/* the channel's default_method */
	bool		has_method;
	Datum		location;
	bool		has_location;
	bool		is_closed;		/* channel or location is not active */
	bool		is_unlimited;	/* the location keeps its own books */
} Question;

struct Answer;

/* A component of a bundle. */
typedef struct Part
{
	struct Answer *answer;
	int64		quantity;		/* units of it in one bundle */
} Part;

/* What there is of one SKU. */
typedef struct Answer
{
	const char *sku;
	bool		is_closed;		/* nothing can be sold */
	bool		is_unlimited;	/* anything can */
	bool		by_partner;		/* partners' units alone will do */
	int64		on_hand;
	int64		reserved;
	int64		held;
	int64		safety_stock;
	int64		available;		/* what its stock has; the above aside */
	int64		backorderable;
	bool		has_no_limit;	/* of what can be sold for later */
	bool		is_bundle;		/* of parts, whose the above are */
	Part	   *parts;
	int			nparts;
	bool		is_coming;
	TimestampTz next_expected_at;
} Answer;

/* what has left, or comes from outside, by a time that has not passed */
#define IS_COMING \
	"i.closed_at IS NULL AND i.outstanding" GT "0 AND (i.from_location IS NULL OR i.sent_at IS NOT NULL)" \
	" AND i.expected_at" GT "pg_catalog.now()"

/*
 * Units of stock s that holds whose time has passed still keep: whoever needs
 * them takes them.  They are reserved, so where nothing is there are none.
 */
#define EXPIRED \
	"CASE WHEN s.reserved" EQ "0 THEN 0 ELSE COALESCE((SELECT pg_catalog.sum(h.quantity)::pg_catalog.int8 FROM @.stock_holds h" \
	" WHERE h.sku" EQ "s.sku AND h.location" EQ "s.location AND h.expires_at" LE "pg_catalog.clock_timestamp()), 0) END"

/* the rules of channel $4 for a SKU at a location: whether it may take there ... */
#define OF_RULE(sku, location) \
	"(r.sku IS NULL OR r.sku" EQ sku ") AND (r.location IS NULL OR r.location" EQ location ")"
#define ALLOWED(sku, location) \
	" AND NOT EXISTS (SELECT FROM @.channel_stock_rules r WHERE r.channel" EQ "$4 AND r.effect" EQ "'deny' AND " \
	OF_RULE(sku, location) ") AND (NOT EXISTS (SELECT FROM @.channel_stock_rules r WHERE r.channel" EQ "$4 AND r.effect" EQ \
	"'only' AND (r.sku IS NULL OR r.sku" EQ sku ")) OR EXISTS (SELECT FROM @.channel_stock_rules r WHERE r.channel" EQ \
	"$4 AND r.effect" EQ "'only' AND " OF_RULE(sku, location) "))"

/* ... whether it may not everywhere ... */
#define IS_LIMITED(sku) \
	"EXISTS (SELECT FROM @.channel_stock_rules r WHERE r.channel" EQ "$4 AND (r.effect" EQ "'deny' OR r.effect" EQ "'only')" \
	" AND (r.sku IS NULL OR r.sku" EQ sku "))"

/* ... and how many units it must leave there */
#define KEPT(sku, location) \
	"(SELECT COALESCE(pg_catalog.max(r.units) FILTER (WHERE r.effect" EQ "'keep_from' AND r.channel" EQ "$4), 0)" \
	PLUS "COALESCE(pg_catalog.max(r.units) FILTER (WHERE r.effect" EQ "'keep_for' AND r.channel" NE "$4), 0)" \
	" FROM @.channel_stock_rules r WHERE " OF_RULE(sku, location) ")"

extern void oms_read_question(Store *store, FunctionCallInfo fcinfo, int first, Question *question);
extern Answer *oms_ask(Store *store, Datum skus, const Question *question, int *count);

#endif							/* OMS_AVAILABILITY_H */
