/*
 * direct.c
 *	  Placing a document's order by writing each of its rows once.
 *
 * In steps, an order is inserted as a draft, its lines are inserted and counted
 * into it, it is moved, its lines and it are counted again and it moves on:
 * every row is written two to four times, and PostgreSQL asks foreign keys and
 * CHECKs of rows that are new in a transaction each time.  Nobody sees those
 * states unless the store's owner has triggers, rules or policies on the
 * tables.  So where there are none, the same questions are asked in the same
 * order of what the document says, the stock is taken, and then the rows are
 * inserted as they end up.  What follows is the same: rows, events, errors,
 * privileges (tests run documents both ways and compare).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"

#include "actions.h"
#include "giveway.h"
#include "lines.h"
#include "moves.h"
#include "number.h"
#include "oms.h"
#include "order.h"
#include "payment.h"
#include "placing.h"
#include "plan.h"
#include "stock_hold.h"
#include "uuid7.h"

#define TOTAL_TYPMOD (((19 << 16) | 4) + VARHDRSZ)	/* numeric(19,4) */

/* An order on its way. */
typedef struct Direct
{
	Store	   *store;
	const OrderDocument *doc;
	const OrderFrame *frame;
	Machine    *machine;
	OrderFacts	order;			/* as it is by now */
	Mover		mover;
	int			state;
	pg_uuid_t  *line_ids;		/* in the document's order, as all below */
	const Demand **demands;
	Sourcing	sourcing;
	OrderBefore before;
	Events	   *created;		/* events that come before the document's
								 * holds ... */
	Events	   *reserved;		/* ... before the hold for what is short ... */
	Events	   *events;			/* ... and after; maybe the same list */
} Direct;

/*
 * only_does tells whether a move has no other actions than these, which change
 * the order alone.
 */
static bool
only_does(const MachineMove *move, const char *first, const char *second)
{
	for (int i = 0; i < move->nactions; i++)
	{
		if (strcmp(move->actions[i].name, first) != 0 && strcmp(move->actions[i].name, second) != 0)
			return false;
	}
	return true;
}

/*
 * wants_credit tells whether placing the order asks for its customer's credit.
 */
static bool
wants_credit(Store *store, const OrderDocument *doc, const OrderFrame *frame)
{
	const FieldValue *customer = &doc->fields[DOC_CUSTOMER];

	return frame->payment_required && customer->is_set &&
		((!customer->text && store->gives_terms) ||
		 oms_is_on_terms(store, customer->text ? customer->text : doc->customer[CUSTOMER_CODE].text));
}

/*
 * steps_show tells whether anybody watches the steps of placing.  Who has come
 * to do so since the tables were looked at has committed before they are
 * locked, orders by oms_keep_workflows; who comes later waits for us.
 */
static bool
steps_show(Store *store, const OrderDocument *doc)
{
	LockRelationOid(get_relname_relid("order_lines", store->namespace_oid), RowExclusiveLock);
	if (doc->ncharges > 0)
		LockRelationOid(get_relname_relid("order_charges", store->namespace_oid), RowExclusiveLock);
	if (doc->nholds > 0)
		LockRelationOid(get_relname_relid("order_holds", store->namespace_oid), RowExclusiveLock);
	return oms_is_watched(store);
}

/*
 * oms_is_direct tells whether an order can be placed directly: nobody watches
 * the steps, it comes without payments, bundles and warranties, needs no credit, and its workflow
 * asks and calls no functions of the store's and does not move a draft by
 * itself, which would be before its lines are there.
 */
bool
oms_is_direct(Store *store, const OrderDocument *doc, const OrderFrame *frame)
{
	Machine    *machine = oms_machine(store, frame->workflow, ENTITY_ORDER);
	const MachineMove *placing = oms_reserving_move(store, frame->workflow);

	if (store->is_watched || oms_stock_is_locked() || doc->nlines == 0 || doc->npayments > 0 || wants_credit(store, doc, frame) ||
		machine->has_automatic[machine->workflow->initial] || steps_show(store, doc))
		return false;
	for (int i = 0; i < doc->nlines; i++)
	{
		if (!frame->lines[i].method || frame->lines[i].needs_steps)
			return false;
	}
	for (int i = 0; i < machine->workflow->nmoves; i++)
	{
		const MachineMove *move = &machine->moves[i];

		for (int j = 0; j < move->nguards; j++)
		{
			if (!move->guards[j].guard)
				return false;
		}
		for (int j = 0; j < move->nactions; j++)
		{
			if (!move->actions[j].action)
				return false;
		}
		if (move->from == placing->from && move->to == placing->to &&
			(!only_does(move, "reserve", "confirm") || move->nactions == 0 ||
			 strcmp(move->actions[0].name, "reserve") != 0))
			return false;
	}
	return true;
}

/*
 * amount_of returns an amount of the document, 0 where it gives none.
 */
static Datum
amount_of(const FieldValue *value)
{
	return value->is_set ? value->number : DirectFunctionCall1(int4_numeric, Int32GetDatum(0));
}

/*
 * count adds what a line or charge is worth to the order.
 */
static void
count(Direct *d, Worth worth)
{
	d->order.units += worth.units;
	d->order.total = DirectFunctionCall2(numeric_add, d->order.total,
										 d->doc->fields[DOC_TAX_INCLUDED].boolean ? worth.net : worth.gross);
}

/*
 * begin_order makes out what the order is as a draft.
 */
static void
begin_order(Direct *d, const pg_uuid_t *id)
{
	const FieldValue *f = d->doc->fields;
	OrderFacts *order = &d->order;
	Datum		zero = DirectFunctionCall2(numeric, DirectFunctionCall1(int4_numeric, Int32GetDatum(0)), Int32GetDatum(TOTAL_TYPMOD));

	order->id = *id;
	order->number = oms_next_number(d->store);
	order->workflow = (char *) d->frame->workflow;
	order->ship_complete = f[DOC_SHIP_COMPLETE].boolean;
	order->hold_if_short = strcmp(f[DOC_IF_SHORT].is_set ? f[DOC_IF_SHORT].text : d->frame->if_short, "hold") == 0;
	order->priority = (int) (f[DOC_PRIORITY].is_set ? f[DOC_PRIORITY].integer : d->frame->priority);
	order->payment_required = d->frame->payment_required;
	order->open_holds = d->doc->nholds;
	order->total = order->credited = order->authorized = order->captured = zero;
	order->is_new = true;
	for (int i = 0; i < d->doc->nlines; i++)
	{
		const FieldValue *line = d->doc->lines[i];

		count(d, oms_worth_of_line(*id, line[LINE_QUANTITY].integer, line[LINE_UNIT_PRICE].number,
								   amount_of(&line[LINE_DISCOUNT]), amount_of(&line[LINE_TAX])));
	}
	for (int i = 0; i < d->doc->ncharges; i++)
	{
		const FieldValue *charge = d->doc->charges[i];

		count(d, oms_worth_of_charge(*id, charge[CHARGE_KIND].text, charge[CHARGE_AMOUNT].number,
									 amount_of(&charge[CHARGE_TAX])));
	}
	order->total = DirectFunctionCall2(numeric, order->total, Int32GetDatum(TOTAL_TYPMOD));
	d->state = d->machine->workflow->initial;
	order->status = (char *) oms_machine_state_name(d->machine, d->state);
}

/*
 * tell adds an event of the order.
 */
static void
tell(Direct *d, const char *event, const char *from, const char *to)
{
	oms_event_add(d->events, &d->order.id, "order", &d->order.id, event, from, to, NULL, NULL);
}

/*
 * go moves the order; what the move does besides reserving is done here.
 */
static void
go(Direct *d, const MachineMove *move)
{
	const char *from = d->order.status;

	d->state = move->to;
	d->order.status = (char *) oms_machine_state_name(d->machine, move->to);
	for (int i = 0; i < move->nactions; i++)
		d->order.is_confirmed |= strcmp(move->actions[i].name, "confirm") == 0;
	tell(d, "moved", from, d->order.status);
}

/*
 * by_line_no orders demands as they are served.
 */
static int
by_line_no(const void *a, const void *b)
{
	return ((const Demand *) a)->line_no - ((const Demand *) b)->line_no;
}

/*
 * want makes out what the lines want.
 */
static void
want(Direct *d)
{
	int			nlines = d->doc->nlines;
	Demand	   *demands = palloc0(nlines * sizeof(Demand));

	d->line_ids = palloc(nlines * sizeof(pg_uuid_t));
	for (int i = 0; i < nlines; i++)
	{
		const FieldValue *line = d->doc->lines[i];
		const LineFrame *frame = &d->frame->lines[i];
		Demand	   *demand = &demands[i];
		int			address = d->doc->line_ship_to[i] >= 0 ? d->doc->line_ship_to[i] : d->doc->ship_to;
		const FieldValue *request;

		oms_uuid7(&d->line_ids[i]);
		demand->order_id = d->order.id;
		demand->line_id = d->line_ids[i];
		demand->order_number = d->order.number;
		demand->channel = d->doc->fields[DOC_CHANNEL].text;
		demand->line_no = (int) line[LINE_LINE].integer;
		demand->sku = line[LINE_SKU].text;
		demand->tracked = frame->tracked;
		demand->quantity = line[LINE_QUANTITY].integer;
		demand->method = frame->method;
		demand->workflow = frame->workflow;
		demand->by_partner = frame->by_partner;
		demand->location = line[LINE_LOCATION].text;
		demand->pickup_location = line[LINE_PICKUP_LOCATION].text;
		demand->ship_group = line[LINE_SHIP_GROUP].text;
		demand->has_ship_to = address >= 0;
		if (address >= 0)
			demand->ship_to = d->before.addresses[address];
		request = line[LINE_REQUESTED_AT].is_set ? &line[LINE_REQUESTED_AT] : &d->doc->fields[DOC_REQUESTED_AT];
		demand->has_requested_at = request->is_set;
		demand->requested_at = request->is_set ? request->time : 0;
		demand->may_be_short = d->order.hold_if_short;
		demand->may_be_backordered = true;
	}
	qsort(demands, nlines, sizeof(Demand), by_line_no);
	d->sourcing.demands = demands;
	d->sourcing.count = nlines;
	d->sourcing.is_first = d->sourcing.counts_fewest = true;
}

/*
 * reserve takes the stock, and says what the order is by then.
 */
static void
reserve(Direct *d)
{
	int			count = d->sourcing.count;
	Demand		wanted;

	if (d->doc->fields[DOC_STOCK_HOLD].is_set)
		oms_take_hold(d->store, d->doc->fields[DOC_STOCK_HOLD].text, &d->sourcing);
	oms_source_take(d->store, &d->sourcing);
	d->demands = palloc(count * sizeof(Demand *));
	for (int i = 0; i < count; i++)
	{
		wanted.line_no = (int) d->doc->lines[i][LINE_LINE].integer;
		d->demands[i] = bsearch(&wanted, d->sourcing.demands, count, sizeof(Demand), by_line_no);
		d->order.units_allocated += d->demands[i]->found;
		d->order.units_backordered += d->demands[i]->backordered;
		d->order.units_short += oms_lacking(d->demands[i]);
	}
	d->order.is_placed = true;
	oms_source_events(&d->sourcing, true, d->events);
	if (d->order.units_short > 0)
	{
		d->order.open_holds++;
		d->events = oms_events(8);
	}
}

/*
 * go_on makes the automatic moves that are open by now.  Returns false where
 * one has to be left to the triggers, for what it does.
 */
static bool
go_on(Direct *d)
{
	for (int i = 0; i < d->machine->workflow->nmoves && d->machine->has_automatic[d->state]; i++)
	{
		const MachineMove *move = oms_open_automatic_move(d->machine, d->state, &d->mover);

		if (!move)
			return true;
		if (!only_does(move, "confirm", "confirm"))
			return false;
		go(d, move);
	}
	return !d->machine->has_automatic[d->state] || !oms_open_automatic_move(d->machine, d->state, &d->mover);
}

/*
 * move_order asks whether the order may be placed, takes its stock and moves it as far
 * as it goes.  Returns false where the triggers have to go on.
 */
static bool
move_order(Direct *d)
{
	OwnerScope	scope;
	bool		is_done;
	Mover	   *mover = &d->mover;

	d->created = d->events = oms_events(16);
	tell(d, "created", NULL, d->order.status);
	if (d->doc->nholds > 0)
		d->events = oms_events(16);
	d->reserved = d->events;

	mover->id = mover->order_id = d->order.id;
	mover->number = d->order.number;
	mover->machine = d->machine;
	mover->order = &d->order;
	mover->from = mover->status = d->order.status;
	mover->to = oms_machine_state_name(d->machine, oms_reserving_move(d->store, d->frame->workflow)->to);
	oms_choose_moves(d->store, ENTITY_ORDER, mover, 1);
	oms_require_content(d->store, &mover, 1, NULL);
	go(d, mover->move);

	want(d);
	oms_become_owner(d->store, &scope);
	reserve(d);
	is_done = go_on(d);
	oms_leave_owner(&scope);
	return is_done;
}

/*
 * write_events writes a list of events as the owner.
 */
static void
write_events(Direct *d, Events *events)
{
	OwnerScope	scope;

	oms_become_owner(d->store, &scope);
	oms_events_write(d->store, events);
	oms_leave_owner(&scope);
}

/*
 * write_holds inserts the document's holds as the caller, and that for what is
 * short as the owner.
 */
static void
write_holds(Direct *d)
{
	if (d->doc->nholds > 0)
	{
		write_events(d, d->created);
		oms_write_holds(d->store, d->doc, &d->order.id);
	}
	if (d->order.units_short > 0)
	{
		OwnerScope	scope;
		Array	   *ids = oms_array(UUIDOID, 1);

		write_events(d, d->reserved);
		oms_array_add_uuid(ids, &d->order.id);
		oms_become_owner(d->store, &scope);
		oms_place_holds(d->store, ids, "stock", SHORT_REASON);
		oms_leave_owner(&scope);
	}
}

/*
 * write_rows inserts the order and what goes with it as the caller.  Returns
 * what became of the order's row.
 */
static HeapTuple
write_rows(Direct *d, const Placing *placing)
{
	HeapTuple	result;

	if (!oms_write_row(d->store, d->doc, d->frame, &d->order.id, &d->before))
	{
		if (d->doc->fields[DOC_EXTERNAL_REF].is_set)
			oms_refuse_meanwhile(d->doc);
		oms_refuse_hidden("inserted");
	}
	result = SPI_copytuple(SPI_tuptable->vals[0]);
	oms_write_lines(d->store, d->doc, &d->order.id, d->line_ids, d->before.addresses);
	oms_write_charges(d->store, d->doc, &d->order.id);
	write_holds(d);
	if (!oms_placing_is_over(placing))
		ereport(ERROR,
				(errcode(ERRCODE_OMS_STORE_LAYOUT),
				 errmsg("triggers of store \"%s\" have not seen all of order \"%s\"", d->store->name, d->order.number),
				 errhint("Run SELECT oms.upgrade_store(%s).", quote_literal_cstr(d->store->name))));
	return result;
}

/*
 * oms_place_directly places a document's order under this id.  Returns whether
 * result, the row as inserted, still tells how the order ended up.
 */
bool
oms_place_directly(Store *store, const OrderDocument *doc, const OrderFrame *frame, const pg_uuid_t *id,
				   HeapTuple *result)
{
	Direct		d = {.store = store, .doc = doc, .frame = frame};
	OrderFactsList facts = {1, &d.order};
	Placing		placing;
	Placing    *outer;
	OwnerScope	scope;
	bool		is_done;

	d.machine = oms_machine(store, frame->workflow, ENTITY_ORDER);
	oms_write_before(store, doc, &d.before);
	begin_order(&d, id);
	oms_require_total(doc, d.order.total);
	is_done = move_order(&d);

	placing = (Placing) {
		.order = &d.order, .tax_included = doc->fields[DOC_TAX_INCLUDED].boolean,
		.is_final = oms_workflow_is_final(d.machine->workflow, d.state), .demands = d.demands, .nlines = doc->nlines,
		.fewest_shipments = oms_fewest_shipments(&d.sourcing),
		.context = CurrentMemoryContext, .row_is_due = true, .units_due = d.order.units,
		.holds_due = d.order.open_holds, .total_due = d.order.total
	};
	outer = oms_placing_set(&placing);
	PG_TRY();
	{
		*result = write_rows(&d, &placing);
	}
	PG_FINALLY();
	{
		(void) oms_placing_set(outer);
	}
	PG_END_TRY();

	oms_become_owner(store, &scope);
	oms_source_make(store, &d.sourcing, &facts, d.events);
	oms_keep_methods(store, &d.sourcing);
	if (!is_done)
	{
		Array	   *ids = oms_array(UUIDOID, 1);

		oms_array_add_uuid(ids, id);
		oms_settle(store, ENTITY_ORDER, ids, ids);
	}
	oms_leave_owner(&scope);
	return is_done && !d.sourcing.may_go_on;
}
