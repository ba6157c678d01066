/*
 * ledger.h
 *	  A statement's payment transactions, between reading and writing.
 */
#ifndef OMS_LEDGER_H
#define OMS_LEDGER_H

#include "commands/trigger.h"
#include "rows.h"
#include "store.h"

/* What is counted of a payment, in the order of lock_payments' columns. */
typedef enum Money
{
	AUTHORIZED, CAPTURED, VOIDED, REFUNDED, CHARGED_BACK, CAPTURE_REQUESTED, REFUND_REQUESTED, MONEYS
} Money;

/* What a kind of transaction does: added where it succeeds, asked for where it is requested. */
typedef struct Kind
{
	const char *name;
	int			effect[MONEYS];
	Money		requested;		/* MONEYS: nothing is set aside */
} Kind;

/* A row of the statement. */
typedef struct Transaction
{
	pg_uuid_t	payment_id;		/* first: sorted by it, then kind, reference */
	const Kind *kind;
	char	   *gateway_ref;	/* or NULL */
	int64		id;
	char	   *outcome;
	Datum		amount;			/* numeric */
} Transaction;

/* A payment concerned, as it is and what is added to it. */
typedef struct Payment
{
	pg_uuid_t	id;				/* first: sorted and searched by it */
	pg_uuid_t	order_id;
	char	   *order_number;
	Datum		now[MONEYS];
	Datum		change[MONEYS];
	int64		open_before;
	int64		open_requests;	/* added */
	int64		failures;		/* added */
} Payment;

typedef struct Ledger
{
	Store	   *store;
	TriggerData *trigger;
	int			count;
	Transaction *rows;
	int64	   *ids;			/* of the rows, sorted */
	Array	   *paying;			/* rows with a fulfillment: their payments */
	Array	   *fulfillments;	/* and those */
	int			npayments;
	Payment    *payments;
} Ledger;

extern Datum oms_plus(Datum a, Datum b);
extern Datum oms_minus(Datum a, Datum b);
extern void oms_ledger_write_events(const Ledger *ledger);
extern void oms_ledger_write_payments(const Ledger *ledger);
extern void oms_ledger_write_orders(const Ledger *ledger);

/* requests.c */
extern void oms_ledger_add_requests(Ledger *ledger);

/* transactions.c */
extern int	oms_compare_ids(const void *a, const void *b);
extern const Kind *oms_find_kind(const char *name);
extern Payment *oms_find_payment(const Ledger *ledger, const pg_uuid_t *id);
extern Payment *oms_payment_of(const Ledger *ledger, const Transaction *row);

#endif							/* OMS_LEDGER_H */
