/*
 * quote.h
 *	  A cart, before it is an order.
 */
#ifndef OMS_QUOTE_H
#define OMS_QUOTE_H

#include "lib/stringinfo.h"

#include "order.h"
#include "sourcing_plan.h"

typedef struct Cart
{
	Store	   *store;
	const OrderDocument *doc;
	const OrderFrame *frame;
	const RuleBook *book;
	CartAddress *addresses;
	int			naddresses;
	Demand	   *demands;		/* bundles as their components */
	int			count;
	StockChanges *held;			/* what its stock hold would give back; NULL:
								 * it names none */
} Cart;

/* What it comes to. */
typedef struct Quote
{
	Sourcing	sourcing;
	int64		cost;			/* in 1/10,000 */
	int			shipments;
	bool		has_promise;
	TimestampTz promised_at;
	const Demand *lacking;		/* the first that has not all; NULL: none */
} Quote;

/* quote.c */
extern void oms_plan_cart(const Cart *cart, Demand *demands, Quote *quote);
extern void oms_add_money(StringInfo json, const char *name, int64 amount);
extern void oms_add_time(StringInfo json, const char *name, bool is_known, TimestampTz at);
extern void oms_add_text(StringInfo json, const char *name, const char *text);

/* quote_demands.c */
extern void oms_read_cart(Store *store, Jsonb *document, Cart *cart);

/* quote_options.c */
extern void oms_write_options(const Cart *cart, StringInfo json);

#endif							/* OMS_QUOTE_H */
