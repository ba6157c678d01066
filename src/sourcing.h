/*
 * sourcing.h
 *	  Where units come from: planning, taking the stock, making fulfillments.
 */
#ifndef OMS_SOURCING_H
#define OMS_SOURCING_H

#include "datatype/timestamp.h"

#include "channel_rules.h"
#include "event.h"
#include "facts.h"
#include "rulebook.h"
#include "stock.h"
#include "store.h"
#include "units.h"

/* Units of an order line that need a place to come from. */
typedef struct Demand
{
	pg_uuid_t	order_id;
	pg_uuid_t	line_id;
	const char *order_number;
	const char *channel;		/* whose stock rules hold, or NULL */
	int			line_no;
	const char *sku;
	bool		tracked;		/* the SKU is counted in stock */
	int64		quantity;
	const char *method;
	const char *workflow;		/* of the method */
	bool		by_partner;		/* the method: a partner does it */
	const char *location;		/* the only one asked for, or NULL */
	const char *pickup_location;	/* or NULL */
	const char *ship_group;		/* or NULL */
	pg_uuid_t	ship_to;
	bool		has_ship_to;
	TimestampTz requested_at;	/* the same never share a fulfillment with
								 * others; 0 without ... */
	bool		has_requested_at;
	bool		is_bundle;		/* until it is expanded */
	bool		is_warranty;
	int			bundle_line;	/* of a component: the bundle's line_no; or 0 */
	int64		per_kit;		/* of a component: units in one kit */
	int64		ready;			/* of a component that waits: units of its
								 * line that do not */
	int			goods_line;		/* of a warranty: what it is for; or 0 */
	bool		may_be_short;	/* what is not found becomes short */
	bool		may_be_backordered; /* a policy may serve what is not found */
	bool		is_backordered; /* what waits: not short */
	bool		is_whole;		/* all that its order waits for, or nothing */
	const char **excluded;		/* locations that will not do */
	int			nexcluded;
	int64		found;			/* out: units that have a place */
	int			fewest;			/* out: of the first that goes this way, the
								 * fewest places for what was found */
	int64		backordered;	/* out: units that a policy serves */
	pg_uuid_t	policy_id;		/* that; of is_backordered the line's */
} Demand;

/* Where a cart goes, which is in no table yet. */
typedef struct CartAddress
{
	pg_uuid_t	id;				/* that demands say; first: sorted by it */
	const char *country;
	const char *region;
	const char *postal_code;
	bool		has_point;
	double		latitude;
	double		longitude;
} CartAddress;

/* Units of one demand from one place. */
typedef struct Piece
{
	Demand	   *demand;
	const char *location;
	int			place;			/* its rank among those of the plan */
	bool		tracked;		/* stock is taken for it */
	int64		quantity;
	int64		held;			/* of it, units that were held for the order */
	int64		leaves;			/* units that the rest must leave available */
	int64		unit_cost;		/* money a unit, in 1/10,000 */
	int64		shipment_cost;	/* and the shipment, once for all in it */
	bool		is_limited;		/* the place has a daily capacity: ... */
	DateADT		load_day;		/* ... that of this day ... */
	int64		most;			/* ... so many units; */
	bool		is_first_load;	/* nothing was given to it yet */
	TimestampTz promised_at;	/* when the customer may expect it ... */
	bool		has_promise;	/* ... where that is known */
} Piece;

typedef struct Sourcing
{
	Demand	   *demands;		/* an order's together, by line */
	int			count;
	bool		is_first;		/* the orders have no fulfillments yet */
	bool		counts_fewest;	/* from how few places it could come is asked
								 * too */
	bool		never_waits;	/* stock rows are locked already, out of order */
	const StockChanges *arriving;	/* units that are about to be there:
									 * on_hand */
	bool		is_hold;		/* for a stock hold, not for orders */
	bool		all_places;		/* each active location is looked at */
	const CartAddress *addresses;	/* of a cart; NULL: they are in the table */
	int			naddresses;
	bool		whole_kits;		/* kits that ship together get units that
								 * complete them, no others */
	ChannelRules *rules;		/* on the SKUs, once planned; or NULL */
	const RuleBook *book;		/* what costs what; once planned, unless the
								 * caller gives it */

	/* what happens to stock in the same statement, or NULL */
	StockChanges *given_back;
	StockChanges *held;			/* units of the order's own hold, which it may
								 * have again */
	const char *own_hold;		/* ref of the hold, where it is still there */
	StockChanges *expired;		/* of holds whose time is over, for anybody */
	struct Loads *loads_back;	/* units of locations' days */

	Piece	   *pieces;			/* the plan, once stock is taken */
	int			npieces;
	int			capacity;
	bool		takes_policies; /* units are backordered */
	bool		may_go_on;		/* a fulfillment was made that may move on by
								 * itself */
} Sourcing;

/*
 * Columns of a query for demands, for oms_read_kit: units of line l in a kit, and
 * the number of the line that it is a component of or, a warranty, is for; s is
 * its SKU.
 */
#define KIT_COLUMNS(l) \
	l ".per_kit, CASE WHEN " l ".per_kit IS NOT NULL OR s.kind" EQ "'warranty' THEN" \
	" (SELECT g.line_no::pg_catalog.int8 FROM @.order_lines g WHERE g.id" EQ l ".parent_line_id) END"

/* sourcing.c */
extern void oms_source_take(Store *store, Sourcing *sourcing);
extern void oms_source_try(Store *store, Sourcing *sourcing);
extern void oms_source_in_thought(Store *store, Sourcing *sourcing);
extern void oms_source_events(const Sourcing *sourcing, bool shorted, Events *events);
extern char *oms_waiting_detail(int line_no, int64 quantity, const pg_uuid_t *policy_id);
extern int64 oms_lacking(const Demand *demand);
extern void oms_read_demand(Demand *demand, uint64 row);
extern void oms_read_kit(Demand *demand, uint64 row, int column);
extern void oms_read_requested(Demand *demand, uint64 row, int column);
extern bool oms_same_request(const Demand *a, const Demand *b);

/* refusals.c */
extern void oms_source_exclude(Store *store, Sourcing *sourcing);

/* making.c */
extern void oms_source_make(Store *store, Sourcing *sourcing, const OrderFactsList *facts, Events *events);
extern void oms_source_finish(Store *store, UnitChanges *changes, Sourcing *sourcing, Events *events);

/* plan_order.c */
extern bool oms_plan_in_thought(Store *store, const pg_uuid_t *id, Sourcing *sourcing, bool *is_placed);

/* keep_method.c */
extern void oms_keep_methods(Store *store, const Sourcing *sourcing);

/* warranty.c */
extern void oms_drop_empty_pieces(Sourcing *sourcing);

/* fewest.c */
extern int64 oms_fewest_shipments(const Sourcing *sourcing);
extern OrderStamp *oms_sum_fewest(const Sourcing *sourcing, int *count);
extern void oms_stamp_fewest(const Sourcing *sourcing, const OrderStamp *sums, int count, UnitChanges *units);

/* sourcing_plan.c */
extern void oms_plan_sourcing(Store *store, Sourcing *sourcing, bool lock);

#endif							/* OMS_SOURCING_H */
