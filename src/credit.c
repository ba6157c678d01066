/*
 * credit.c
 *	  Orders on credit: what customers on terms may owe.
 *
 * Reached from order_actions.c when orders are placed, with the orders locked
 * and before any stock is taken.  An order whose channel requires payment, of a
 * customer who has a credit_limit, and that is not secured by payments, either
 * fits into the limit and is approved, or is held until a person releases it
 * (hold.c).  What counts is what the customer's open approved orders still
 * lack; it only ever falls but by approving another, so a sum over them is
 * safe where approving has the customer's row to itself.  The row is written,
 * not only locked: a session at REPEATABLE READ whose snapshot is too old to
 * see the last order approved gets 40001.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "lines.h"
#include "oms.h"
#include "payment.h"
#include "plan.h"

#define UNPAID(o) "GREATEST(" o ".total" MINUS o ".credited" MINUS o ".captured, 0)"

static const StoreQuery find_unsecured = {
	"SELECT o.id, o.customer_id, " UNPAID("o")
	" FROM ROWS FROM (pg_catalog.unnest($1)) AS w(id) JOIN @.orders o ON o.id" EQ "w.id"
	" JOIN @.customers c ON c.id" EQ "o.customer_id JOIN @.channels n ON n.code" EQ "o.channel"
	" WHERE n.payment_required AND c.credit_limit IS NOT NULL AND NOT o.credit_approved"
	" AND o.authorized" PLUS "o.captured" LT "(o.total" MINUS "o.credited) ORDER BY o.priority, o.id",
	1, {UUIDARRAYOID}
};

static const StoreQuery lock_customers = {
	"SELECT c.id FROM @.customers c WHERE c.id" EQ "ANY ($1) ORDER BY c.id FOR NO KEY UPDATE",
	1, {UUIDARRAYOID}
};

static const StoreQuery touch_customers = {
	"UPDATE @.customers c SET credit_limit = c.credit_limit WHERE c.id" EQ "ANY ($1)", 1, {UUIDARRAYOID}
};

static const StoreQuery read_room = {
	"SELECT c.id, c.credit_limit" MINUS "COALESCE((SELECT pg_catalog.sum(" UNPAID("o") ") FROM @.orders o"
	" WHERE o.customer_id" EQ "c.id AND o.credit_approved AND o.closed_at IS NULL), 0)"
	" FROM @.customers c WHERE c.id" EQ "ANY ($1) AND c.credit_limit IS NOT NULL ORDER BY c.id",
	1, {UUIDARRAYOID}
};

/* before the hold is there, lest counting it opens a move that asks for money */
static const StoreQuery require_payment = {
	"UPDATE @.orders o SET status = o.status, payment_required = true, revision = o.revision" PLUS "1 WHERE o.id" EQ "ANY ($1)",
	1, {UUIDARRAYOID}
};

static const StoreQuery find_terms = {
	"SELECT FROM @.customers c WHERE c.code" EQ "$1 AND c.credit_limit IS NOT NULL", 1, {TEXTOID}
};

/* A customer, and how much more they may owe. */
typedef struct Room
{
	pg_uuid_t	customer_id;	/* first: sorted and searched by it */
	Datum		left;			/* numeric */
} Room;

/* An order that wants credit. */
typedef struct Applicant
{
	pg_uuid_t	order_id;
	pg_uuid_t	customer_id;
	Datum		unpaid;			/* numeric */
} Applicant;

/*
 * lock_room locks the applicants' customers and reads how much more they may
 * owe.
 */
static Room *
lock_room(Store *store, const Applicant *applicants, int count, int *nrooms)
{
	Array	   *ids = oms_array(UUIDOID, count);
	Room	   *rooms;
	Datum		arg;

	for (int i = 0; i < count; i++)
		oms_array_add_uuid(ids, &applicants[i].customer_id);
	arg = oms_array_datum(ids);
	(void) oms_run(store, &lock_customers, &arg);
	(void) oms_run(store, &touch_customers, &arg);
	*nrooms = (int) oms_run(store, &read_room, &arg);
	rooms = palloc(Max(1, *nrooms) * sizeof(Room));
	for (int i = 0; i < *nrooms; i++)
	{

		rooms[i].customer_id = oms_column_uuid(i, 1);
		rooms[i].left = oms_column_numeric(i, 2);
	}
	return rooms;
}

/*
 * oms_judge_credit decides which of these orders are on credit, and which are
 * beyond it; most are neither.  Those of lower priority numbers come first.
 */
Credit
oms_judge_credit(Store *store, const Array *order_ids)
{
	Credit		credit = {oms_array(UUIDOID, 4), oms_array(UUIDOID, 4)};
	int			count = (int) oms_run(store, &find_unsecured, (Datum[]) {oms_array_datum(order_ids)});
	Applicant  *applicants = palloc_extended(Max(1, count) * sizeof(Applicant), MCXT_ALLOC_HUGE);
	int			nrooms;
	Room	   *rooms;

	if (count == 0)
		return credit;
	for (int i = 0; i < count; i++)
	{

		applicants[i].order_id = oms_column_uuid(i, 1);
		applicants[i].customer_id = oms_column_uuid(i, 2);
		applicants[i].unpaid = oms_column_numeric(i, 3);
	}
	rooms = lock_room(store, applicants, count, &nrooms);
	for (int i = 0; i < count; i++)
	{
		Room	   *room = bsearch(&applicants[i].customer_id, rooms, nrooms, sizeof(Room), oms_uuid_cmp);

		if (!room)
			continue;			/* on terms no more */
		if (DatumGetBool(DirectFunctionCall2(numeric_lt, room->left, applicants[i].unpaid)))
			oms_array_add_uuid(credit.refused, &applicants[i].order_id);
		else
		{
			room->left = DirectFunctionCall2(numeric_sub, room->left, applicants[i].unpaid);
			oms_array_add_uuid(credit.approved, &applicants[i].order_id);
		}
	}
	return credit;
}

/*
 * oms_hold_credit holds orders that are beyond their customers' limits.
 */
void
oms_hold_credit(Store *store, const Array *order_ids)
{
	(void) oms_run(store, &require_payment, (Datum[]) {oms_array_datum(order_ids)});
	oms_place_holds(store, order_ids, "credit", "the customer's credit limit does not cover it");
}

/*
 * oms_is_on_terms tells whether a customer, by code, has a credit_limit.
 */
bool
oms_is_on_terms(Store *store, const char *customer)
{
	return oms_run(store, &find_terms, (Datum[]) {CStringGetTextDatum(customer)}) > 0;
}
