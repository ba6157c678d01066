/*
 * quote.h
 *	  A cart, before it is an order.
 */
#ifndef OMS_QUOTE_H
#define OMS_QUOTE_H

#include "explain_plan.h"
#include "order.h"

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
} Cart;

/* quote_demands.c */
extern void oms_read_cart(Store *store, Jsonb *document, Cart *cart);

#endif							/* OMS_QUOTE_H */
