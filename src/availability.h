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
	Datum		method;			/* the channel's default_method */
	bool		has_method;
	Datum		location;
	bool		has_location;
	bool		is_closed;		/* channel or location is not active */
	bool		is_unlimited;	/* the location keeps its own books */
} Question;

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
	bool		is_coming;
	TimestampTz next_expected_at;
} Answer;

/* the kind of location that serves methods by_partner */
#define IS_PARTNER "(l.kind" EQ "'supplier' OR l.kind" EQ "'third_party')"

/* what has left, or comes from outside, by a time that has not passed */
#define IS_COMING \
	"i.closed_at IS NULL AND i.outstanding" GT "0 AND (i.from_location IS NULL OR i.sent_at IS NOT NULL)" \
	" AND i.expected_at" GT "pg_catalog.now()"

extern void oms_read_question(Store *store, FunctionCallInfo fcinfo, int first, Question *question);
extern Answer *oms_ask(Store *store, Datum skus, const Question *question, int *count);

#endif							/* OMS_AVAILABILITY_H */
