/*
 * making.c
 *	  Making fulfillments for stock that was taken.
 *
 * The pieces of a plan that go the same way from one location become one
 * fulfillment, in the state in which it would be a moment later.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "facts.h"
#include "fulfillment.h"
#include "machine.h"
#include "moves.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"
#include "sourcing.h"
#include "uuid7.h"

/*
 * One statement, since the triggers of fulfillments, which fire at its end,
 * may issue what was just made and then must find its lines.
 */
static const StoreQuery insert_fulfillments = {
	"WITH made AS (INSERT INTO @.fulfillments (id, number, order_id, location, pickup_location, method, workflow, status,"
	" stock_state, ship_to_id, requested_at, load_day, promised_at)"
	" SELECT f.id, f.number, f.order_id, f.location, f.pickup_location, f.method, f.workflow, f.status, 'reserved', f.ship_to_id,"
	" f.requested_at, f.load_day, f.promised_at"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4),"
	" pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8), pg_catalog.unnest($9),"
	" pg_catalog.unnest($15), pg_catalog.unnest($16), pg_catalog.unnest($17)) AS f(id, number, order_id, location, pickup_location, method,"
	" workflow, status, ship_to_id, requested_at, load_day, promised_at))"
	" INSERT INTO @.fulfillment_lines (fulfillment_id, order_line_id, sku, quantity, tracked)"
	" SELECT l.fulfillment_id, l.order_line_id, l.sku, l.quantity, l.tracked"
	" FROM ROWS FROM (pg_catalog.unnest($10), pg_catalog.unnest($11), pg_catalog.unnest($12), pg_catalog.unnest($13),"
	" pg_catalog.unnest($14)) AS l(fulfillment_id, order_line_id, sku, quantity, tracked)",
	17, {
		UUIDARRAYOID, TEXTARRAYOID, UUIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
		TEXTARRAYOID, UUIDARRAYOID, UUIDARRAYOID, UUIDARRAYOID, TEXTARRAYOID, INT8ARRAYOID, BOOLARRAYOID, TIMESTAMPTZARRAYOID,
		DATEARRAYOID, TIMESTAMPTZARRAYOID
	}
};

static const StoreQuery read_due = {
	"SELECT w.place, " IS_DUE("w.at", "w.method")
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) WITH ORDINALITY AS w(at, method, place)",
	2, {TIMESTAMPTZARRAYOID, TEXTARRAYOID}
};

/* A fulfillment about to be made. */
typedef struct Making
{
	pg_uuid_t	id;
	const Piece *first;			/* says what it is */
	const char *number;
	const char *status;
	bool		is_due;
} Making;

/*
 * belongs tells whether a piece goes into a fulfillment.
 */
static bool
belongs(const Making *making, const Piece *piece)
{
	const Demand *a = making->first->demand;
	const Demand *b = piece->demand;

	return oms_uuid_cmp(&a->order_id, &b->order_id) == 0 &&
		strcmp(making->first->location, piece->location) == 0 &&
		strcmp(a->method, b->method) == 0 &&
		strcmp(a->pickup_location ? a->pickup_location : "", b->pickup_location ? b->pickup_location : "") == 0 &&
		strcmp(a->ship_group ? a->ship_group : "", b->ship_group ? b->ship_group : "") == 0 &&
		oms_same_request(a, b) &&
		a->has_ship_to == b->has_ship_to &&
		(!a->has_ship_to || oms_uuid_cmp(&a->ship_to, &b->ship_to) == 0);
}

/*
 * group_pieces sorts the pieces into fulfillments; target tells each piece's.
 */
static Making *
group_pieces(Store *store, const Sourcing *sourcing, int *target, int *count)
{
	Making	   *makings = palloc(Max(1, sourcing->npieces) * sizeof(Making));
	pg_uuid_t  *order_ids = palloc(Max(1, sourcing->npieces) * sizeof(pg_uuid_t));
	char	  **numbers;
	int			of_order = 0;	/* the first making of the current order */

	*count = 0;
	for (int i = 0; i < sourcing->npieces; i++)
	{
		const Piece *piece = &sourcing->pieces[i];
		const pg_uuid_t *order_id = &piece->demand->order_id;
		int			j;

		if (*count > of_order &&
			oms_uuid_cmp(&makings[of_order].first->demand->order_id, order_id) != 0)
			of_order = *count;
		for (j = of_order; j < *count && !belongs(&makings[j], piece); j++)
			;
		target[i] = j;
		if (j < *count)
			continue;
		oms_uuid7(&makings[j].id);
		makings[j].first = piece;
		order_ids[j] = *order_id;
		(*count)++;
	}
	if (sourcing->is_first)
	{
		for (int i = 0, n = 0; i < *count; i++)
		{
			n = i > 0 && oms_uuid_cmp(&order_ids[i], &order_ids[i - 1]) == 0 ? n + 1 : 1;
			makings[i].number = psprintf("%s-%d", makings[i].first->demand->order_number, n);
		}
		return makings;
	}
	numbers = oms_number_fulfillments(store, order_ids, *count);
	for (int i = 0; i < *count; i++)
		makings[i].number = numbers[i];
	return makings;
}

/*
 * choose_status says in which state a fulfillment is made: the initial one, or
 * that to which an automatic move would take it at once.  A move with actions,
 * or a guard that must ask elsewhere, is left to the triggers.
 */
static void
choose_status(Store *store, Sourcing *sourcing, Making *making, const OrderFacts *order, Events *events)
{
	const Demand *demand = making->first->demand;
	Machine    *machine = oms_machine(store, demand->workflow, ENTITY_FULFILLMENT);
	int			initial = machine->workflow->initial;
	Mover		mover = {.order = order, .number = making->number, .is_due = making->is_due};
	const MachineMove *move = NULL;

	mover.group_complete = order->units_backordered + order->units_short == 0 ||
		(!order->ship_complete && !demand->ship_group);
	if (machine->has_automatic[initial])
		move = oms_open_automatic_move(machine, initial, &mover);
	making->status = oms_machine_state_name(machine, initial);
	oms_event_add(events, &demand->order_id, "fulfillment", &making->id, "created", NULL, making->status, NULL, NULL);
	sourcing->may_go_on |= machine->has_automatic[move && move->nactions == 0 ? move->to : initial];
	if (!move || move->nactions > 0)
		return;
	making->status = oms_machine_state_name(machine, move->to);
	oms_event_add(events, &demand->order_id, "fulfillment", &making->id, "moved",
				  oms_machine_state_name(machine, initial), making->status, NULL, NULL);
}

/*
 * add_request adds to an array when a fulfillment is wanted.
 */
static void
add_request(Array *array, const Making *making)
{
	const Demand *demand = making->first->demand;

	if (demand->has_requested_at)
		oms_array_add(array, TimestampTzGetDatum(demand->requested_at));
	else
		oms_array_add_null(array);
}

/*
 * learn_due says for which fulfillments it is time; most are wanted as soon as
 * may be, and nothing need be read.
 */
static void
learn_due(Store *store, Making *makings, int count)
{
	Array	   *times = oms_array(TIMESTAMPTZOID, count);
	Array	   *methods = oms_array(TEXTOID, count);
	bool		waits = false;
	uint64		found;

	for (int i = 0; i < count; i++)
	{
		makings[i].is_due = true;
		waits |= makings[i].first->demand->has_requested_at;
		add_request(times, &makings[i]);
		oms_array_add_text(methods, makings[i].first->demand->method);
	}
	if (!waits)
		return;
	found = oms_run(store, &read_due, (Datum[]) {oms_array_datum(times), oms_array_datum(methods)});
	for (uint64 i = 0; i < found; i++)
		makings[oms_column_int64(i, 1) - 1].is_due = oms_column_bool(i, 2);
}

/*
 * choose_statuses does so for all.
 */
static void
choose_statuses(Store *store, Sourcing *sourcing, Making *makings, int count, const OrderFactsList *facts, Events *events)
{
	if (!facts)
	{
		Array	   *orders = oms_array(UUIDOID, count);

		for (int i = 0; i < count; i++)
			oms_array_add_uuid(orders, &makings[i].first->demand->order_id);
		facts = oms_read_orders(store, orders);
	}
	learn_due(store, makings, count);
	for (int i = 0; i < count; i++)
		choose_status(store, sourcing, &makings[i], oms_find_order(facts, &makings[i].first->demand->order_id), events);
}

/*
 * oms_source_make makes the fulfillments for the stock that was taken.  The
 * lines' counters must count it by then.  facts are the orders as they are by
 * then; NULL to have them read, of orders that the transaction has written.  What
 * happened goes after events, all of which are written.
 */
void
oms_source_make(Store *store, Sourcing *sourcing, const OrderFactsList *facts, Events *events)
{
	static const Oid types[17] = {
		UUIDOID, TEXTOID, UUIDOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, UUIDOID,
		UUIDOID, UUIDOID, TEXTOID, INT8OID, BOOLOID, TIMESTAMPTZOID, DATEOID,
		TIMESTAMPTZOID
	};
	int		   *target = palloc(Max(1, sourcing->npieces) * sizeof(int));
	int			count = 0;
	Making	   *makings = NULL;
	Array	   *arrays[17];
	Datum		args[17];

	if (sourcing->npieces > 0)
	{
		oms_keep_workflows(store, ENTITY_FULFILLMENT);
		makings = group_pieces(store, sourcing, target, &count);
		choose_statuses(store, sourcing, makings, count, facts, events);
	}
	oms_events_write(store, events);
	if (sourcing->npieces == 0)
		return;
	for (int i = 0; i < 17; i++)
		arrays[i] = oms_array(types[i], i < 9 || i >= 14 ? count : sourcing->npieces);
	for (int i = 0; i < count; i++)
	{
		const Demand *demand = makings[i].first->demand;

		oms_array_add_uuid(arrays[0], &makings[i].id);
		oms_array_add_text(arrays[1], makings[i].number);
		oms_array_add_uuid(arrays[2], &demand->order_id);
		oms_array_add_text(arrays[3], makings[i].first->location);
		oms_array_add_text(arrays[4], demand->pickup_location);
		oms_array_add_text(arrays[5], demand->method);
		oms_array_add_text(arrays[6], demand->workflow);
		oms_array_add_text(arrays[7], makings[i].status);
		oms_array_add_uuid(arrays[8], demand->has_ship_to ? &demand->ship_to : NULL);
		add_request(arrays[14], &makings[i]);
		if (makings[i].first->has_promise)
			oms_array_add(arrays[16], TimestampTzGetDatum(makings[i].first->promised_at));
		else
			oms_array_add_null(arrays[16]);
		if (makings[i].first->is_limited)
			oms_array_add(arrays[15], DateADTGetDatum(makings[i].first->load_day));
		else
			oms_array_add_null(arrays[15]);
	}
	for (int i = 0; i < sourcing->npieces; i++)
	{
		const Piece *piece = &sourcing->pieces[i];

		oms_array_add_uuid(arrays[9], &makings[target[i]].id);
		oms_array_add_uuid(arrays[10], &piece->demand->line_id);
		oms_array_add_text(arrays[11], piece->demand->sku);
		oms_array_add_int64(arrays[12], piece->quantity);
		oms_array_add(arrays[13], BoolGetDatum(piece->tracked));
	}
	for (int i = 0; i < 17; i++)
		args[i] = oms_array_datum(arrays[i]);
	if (oms_run(store, &insert_fulfillments, args) != sourcing->npieces)
		oms_refuse_interference("fulfillment_lines");
}

/*
 * oms_source_finish counts what was sourced into lines and orders and makes the
 * fulfillments.  An automatic move that this opens to an order waits until they
 * are there: its actions must find them.
 */
void
oms_source_finish(Store *store, UnitChanges *changes, Sourcing *sourcing, Events *events)
{
	Postponement waiting;

	oms_events_write(store, events);
	oms_postpone(&waiting, store, false);
	PG_TRY();
	{
		oms_units_apply(store, changes);
	}
	PG_FINALLY();
	{
		oms_postpone_no_more(&waiting);
	}
	PG_END_TRY();
	oms_source_make(store, sourcing, NULL, oms_events(4));
	oms_settle_or_postpone(store, ENTITY_ORDER, waiting.orders, waiting.orders);
}
