/*
 * cancel.c
 *	  oms.cancel_lines: canceling some or all units that have not shipped.
 *
 * Units that nobody has yet go first (short, then backordered), then those of
 * the least advanced fulfillments, which are divided where only a part goes.
 * A fulfillment is canceled by its own move that does release, so its workflow
 * has its say.  Of bundles whole kits go, and warranties with what they are for.
 * Who may update the order's status may call this; the order is
 * locked as the caller, the rest is done as the owner.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"

#include "document.h"
#include "event.h"
#include "facts.h"
#include "fill.h"
#include "holdings.h"
#include "moves.h"
#include "oms.h"
#include "plan.h"
#include "units.h"

PG_FUNCTION_INFO_V1(oms_cancel_lines);

/* As the caller. */
static const StoreQuery lock_order = {
	"SELECT o.number FROM @.orders o WHERE o.id" EQ "$1 FOR NO KEY UPDATE", 1, {UUIDOID}
};

static const StoreQuery find_reason = {
	"SELECT r.code FROM @.reasons r WHERE r.code" EQ "$1", 1, {TEXTOID}
};

static const StoreQuery read_lines = {
	"SELECT l.id, l.line_no::pg_catalog.int8, l.short, l.backordered, l.allocated, l.quantity, l.canceled, l.shipped, l.per_kit,"
	" l.expanded, l.parent_line_id, s.kind" EQ "'warranty' FROM @.order_lines l JOIN @.skus s ON s.code" EQ "l.sku WHERE l.order_id" EQ "$1 ORDER BY l.id",
	1, {UUIDOID}
};

/* What is canceled of a line. */
typedef struct LineCancel
{
	pg_uuid_t	id;				/* first: searched by it */
	int64		line_no;
	int64		short_units;
	int64		backordered;
	int64		allocated;
	int64		wanted;			/* still to be canceled */
	int64		quantity;
	int64		canceled;		/* before */
	int64		shipped;
	int64		per_kit;		/* of a component; or 0 */
	bool		is_bundle;		/* its components count instead */
	bool		loses;			/* kits of it, or parts of some, are canceled */
	bool		has_parent;
	pg_uuid_t	parent_id;
	bool		is_warranty;	/* of the parent, and of no kit */
	int64		from_short;		/* of what is canceled */
	int64		from_backordered;
} LineCancel;

static LineCancel *choose_lines(Store *store, const pg_uuid_t *order_id, Jsonb *wanted, int *count);
static void choose_waiting(LineCancel *lines, int count);
static int64 cancel_waiting(Store *store, const pg_uuid_t *order_id, LineCancel *lines, int count,
							const char *reason);
static int64 cancel_allocated(Store *store, const pg_uuid_t *order_id, LineCancel *lines, int count,
							  const char *reason);

/*
 * oms_cancel_lines is oms.cancel_lines(store, order_id, lines, reason).
 */
Datum
oms_cancel_lines(PG_FUNCTION_ARGS)
{
	Store	   *store;
	pg_uuid_t  *order_id;
	char	   *reason = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));
	OwnerScope	scope;
	OrderFactsList *orders;
	LineCancel *lines;
	int			count;
	Array	   *ids;
	int64		canceled;
	int			guc_level;

	store = oms_store_argument(fcinfo, 2);
	order_id = PG_GETARG_UUID_P(1);
	oms_require_status(store, "orders");
	guc_level = oms_pin_search_path(store);
	oms_spi_begin();
	if (oms_run(store, &lock_order, (Datum[]) {UUIDPGetDatum(order_id)}) == 0)
		oms_document_fault("order_id", NULL, psprintf("unknown order \"%s\"", oms_uuid_out(order_id)));
	oms_become_owner(store, &scope);
	if (reason && oms_run(store, &find_reason, (Datum[]) {CStringGetTextDatum(reason)}) == 0)
		oms_document_fault("reason", NULL, psprintf("unknown reason \"%s\"", oms_clip(reason)));
	ids = oms_array(UUIDOID, 1);
	oms_array_add_uuid(ids, order_id);
	orders = oms_lock_orders(store, ids);
	if (!orders->orders[0].is_placed)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_GUARD_REFUSED),
				 errmsg("order \"%s\" is not placed yet, so there is nothing to cancel", orders->orders[0].number),
				 errhint("Change or delete its lines instead.")));

	lines = choose_lines(store, order_id, PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2), &count);
	choose_waiting(lines, count);
	/* gives stock back, which is locked before policies */
	canceled = cancel_allocated(store, order_id, lines, count, reason);
	canceled += cancel_waiting(store, order_id, lines, count, reason);
	if (orders->orders[0].units_short > 0 && orders->orders[0].open_holds > 0)
		oms_release_stock_holds(store, ids);
	oms_leave_owner(&scope);
	oms_spi_end();
	AtEOXact_GUC(true, guc_level);
	PG_RETURN_INT64(canceled);
}

/*
 * is_part_of tells whether a line is a component of a bundle's line.
 */
static bool
is_part_of(const LineCancel *line, const LineCancel *bundle)
{
	return line->per_kit > 0 && line->has_parent && oms_uuid_cmp(&line->parent_id, &bundle->id) == 0;
}

/*
 * whole_kits returns of how many kits of a bundle's line no unit has shipped or is
 * canceled.
 */
static int64
whole_kits(const LineCancel *lines, int count, const LineCancel *bundle)
{
	int64		whole = bundle->quantity;

	for (int i = 0; i < count; i++)
	{
		int64		gone = lines[i].shipped + lines[i].canceled;

		if (is_part_of(&lines[i], bundle))
			whole = Min(whole, bundle->quantity - gone / lines[i].per_kit - (gone % lines[i].per_kit > 0));
	}
	return whole;
}

/*
 * left_of_broken returns how many units of a component neither are of whole kits
 * nor have shipped or been canceled.
 */
static int64
left_of_broken(const LineCancel *component, int64 whole)
{
	return component->quantity - component->shipped - component->canceled - whole * component->per_kit;
}

/*
 * want_component has units of a component canceled, which must be of kits that are
 * not whole any more: nothing else can cancel what is left of those.
 */
static void
want_component(LineCancel *lines, int count, LineCancel *component, const LineQuantity *asked, int position)
{
	LineCancel *bundle = bsearch(&component->parent_id, lines, count, sizeof(LineCancel), oms_uuid_cmp);
	int64		whole = bundle ? whole_kits(lines, count, bundle) : 0;
	int64		most = left_of_broken(component, whole);

	if (most == 0 && whole > 0)
		oms_document_fault(psprintf("lines[%d]", position), "line",
						   psprintf("line " INT64_FORMAT " is a part of bundle line " INT64_FORMAT
									": cancel whole kits by that line's number", component->line_no, bundle->line_no));
	if (asked->quantity > most)
		oms_document_fault(psprintf("lines[%d]", position), "quantity",
						   psprintf("only " INT64_FORMAT " units of line " INT64_FORMAT
									" are of kits that are not whole any more and neither shipped nor canceled, not " INT64_FORMAT
									"%s", most, asked->line, asked->quantity,
									whole == 0 ? "" : psprintf(": cancel whole kits by line " INT64_FORMAT, bundle->line_no)));
	component->wanted += asked->quantity;
	if (bundle)
		bundle->loses = true;
}

/*
 * want_kits has so many kits canceled of which no unit has shipped or is
 * canceled.
 */
static void
want_kits(LineCancel *lines, int count, LineCancel *bundle, const LineQuantity *asked, int position)
{
	int64		most = whole_kits(lines, count, bundle);
	bool		is_left = false;

	for (int i = 0; i < count; i++)
		is_left |= is_part_of(&lines[i], bundle) && left_of_broken(&lines[i], most) > 0;
	if (asked->quantity > most)
		oms_document_fault(psprintf("lines[%d]", position), "quantity",
						   psprintf("only " INT64_FORMAT " kits of line " INT64_FORMAT
									" are whole, with no unit shipped or canceled, not " INT64_FORMAT "%s", most, asked->line,
									asked->quantity,
									is_left ? ": cancel what is left of the others by the lines of their components" : ""));
	bundle->loses = true;
	for (int i = 0; i < count; i++)
	{
		if (is_part_of(&lines[i], bundle))
			lines[i].wanted += asked->quantity * lines[i].per_kit;
	}
}

/*
 * left_of returns how many units, or kits, of a line will be neither canceled
 * nor about to be.
 */
static int64
left_of(const LineCancel *lines, int count, const LineCancel *line)
{
	int64		canceled = line->quantity;

	if (!line->is_bundle)
		return line->quantity - line->canceled - line->wanted;
	for (int i = 0; i < count; i++)
	{
		if (is_part_of(&lines[i], line))
			canceled = Min(canceled, (lines[i].canceled + lines[i].wanted) / lines[i].per_kit);
	}
	return line->quantity - canceled;
}

/*
 * want_warranties has warranties canceled of which there would be more than of
 * what they are for.
 */
static void
want_warranties(LineCancel *lines, int count)
{
	for (int i = 0; i < count; i++)
	{
		LineCancel *line = &lines[i];
		const LineCancel *parent;
		int64		excess;

		if (!line->is_warranty)
			continue;
		parent = bsearch(&line->parent_id, lines, count, sizeof(LineCancel), oms_uuid_cmp);
		if (!parent || (parent->wanted == 0 && !parent->loses))
			continue;
		excess = left_of(lines, count, line) - left_of(lines, count, parent);
		if (excess > 0)
			line->wanted += Min(excess, line->short_units + line->backordered + line->allocated - line->wanted);
	}
}

/*
 * choose_lines reads the order's lines and sets what is wanted of each: all
 * that has not shipped, or what the argument says.
 */
static LineCancel *
choose_lines(Store *store, const pg_uuid_t *order_id, Jsonb *wanted, int *count)
{
	LineQuantity *asked = NULL;
	int			nasked = 0;
	LineCancel *lines;

	if (wanted)
		asked = oms_parse_line_quantities(wanted, &nasked);
	*count = (int) oms_run(store, &read_lines, (Datum[]) {UUIDPGetDatum(order_id)});
	lines = palloc0(Max(1, *count) * sizeof(LineCancel));
	for (int i = 0; i < *count; i++)
	{
		lines[i].id = oms_column_uuid(i, 1);
		lines[i].line_no = oms_column_int64(i, 2);
		lines[i].short_units = oms_column_int64(i, 3);
		lines[i].backordered = oms_column_int64(i, 4);
		lines[i].allocated = oms_column_int64(i, 5);
		lines[i].quantity = oms_column_int64(i, 6);
		lines[i].canceled = oms_column_int64(i, 7);
		lines[i].shipped = oms_column_int64(i, 8);
		lines[i].per_kit = oms_column_is_null(i, 9) ? 0 : oms_column_int64(i, 9);
		lines[i].is_bundle = oms_column_bool(i, 10);
		lines[i].has_parent = !oms_column_is_null(i, 11);
		if (lines[i].has_parent)
			lines[i].parent_id = oms_column_uuid(i, 11);
		lines[i].is_warranty = lines[i].has_parent && lines[i].per_kit == 0 && oms_column_bool(i, 12);
		if (!wanted)
			lines[i].wanted = lines[i].short_units + lines[i].backordered + lines[i].allocated;
	}
	for (int i = 0; i < nasked; i++)
	{
		LineCancel *line = NULL;
		int64		most;

		for (int j = 0; j < *count && !line; j++)
			line = lines[j].line_no == asked[i].line ? &lines[j] : NULL;
		if (!line)
			oms_document_fault(psprintf("lines[%d]", i), "line",
							   psprintf("the order has no line " INT64_FORMAT, asked[i].line));
		if (line->per_kit > 0 || line->is_bundle)
		{
			(line->is_bundle ? want_kits : want_component) (lines, *count, line, &asked[i], i);
			continue;
		}
		most = line->short_units + line->backordered + line->allocated;
		if (asked[i].quantity > most)
			oms_document_fault(psprintf("lines[%d]", i), "quantity",
							   psprintf("only " INT64_FORMAT " units of line " INT64_FORMAT " are neither shipped nor canceled, not "
										INT64_FORMAT, most, asked[i].line, asked[i].quantity));
		line->wanted = asked[i].quantity;
	}
	want_warranties(lines, *count);
	return lines;
}

/*
 * choose_waiting has units that have no stock canceled first.
 */
static void
choose_waiting(LineCancel *lines, int count)
{
	for (int i = 0; i < count; i++)
	{
		lines[i].from_short = Min(lines[i].wanted, lines[i].short_units);
		lines[i].from_backordered = Min(lines[i].wanted - lines[i].from_short, lines[i].backordered);
		lines[i].wanted -= lines[i].from_short + lines[i].from_backordered;
	}
}

/*
 * cancel_waiting cancels those, and says how many.
 */
static int64
cancel_waiting(Store *store, const pg_uuid_t *order_id, LineCancel *lines, int count, const char *reason)
{
	UnitChanges *changes = oms_unit_changes(count);
	Events	   *events = oms_events(4);
	int64		canceled = 0;

	for (int i = 0; i < count; i++)
	{
		UnitChange *change;

		if (lines[i].from_short + lines[i].from_backordered == 0)
			continue;
		change = oms_unit_change(changes, order_id, &lines[i].id);
		change->short_units = -lines[i].from_short;
		change->backordered = -lines[i].from_backordered;
		change->canceled = lines[i].from_short + lines[i].from_backordered;
		canceled += change->canceled;
		oms_event_add(events, order_id, "order_line", &lines[i].id, "canceled_units", NULL, NULL, reason,
					  psprintf("{\"line\": " INT64_FORMAT ", \"quantity\": " INT64_FORMAT "}",
							   lines[i].line_no, change->canceled));
	}
	oms_events_write(store, events);
	oms_units_apply(store, changes);
	return canceled;
}

/*
 * find_line finds a line by id, by which they are sorted.
 */
static LineCancel *
find_line(LineCancel *lines, int count, const pg_uuid_t *id)
{
	LineCancel *line = bsearch(id, lines, count, sizeof(LineCancel), oms_uuid_cmp);

	if (line)
		return line;
	elog(ERROR, "a fulfillment holds a line of another order");
}

/*
 * refuse_stuck says why units that are allocated cannot be canceled: their
 * fulfillment has no move for it, or is still to be made, by the statement that
 * a trigger of the store's called us from.
 */
static void
refuse_stuck(const LineCancel *line, const Holding *stuck)
{
	if (stuck)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_GUARD_REFUSED),
				 errmsg("fulfillment \"%s\" cannot be released from \"%s\"", stuck->number, stuck->status),
				 errhint("Move the fulfillment to a state from which it can be released first.")));
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("units of line " INT64_FORMAT " have stock, and no fulfillment yet", line->line_no),
			 errhint("Cancel them once the statement has ended that gives them to the order, not in a trigger that it fires.")));
}

/*
 * take_units takes what is wanted from those that hold units, and says how many.
 */
static int64
take_units(Holding *list, int nholdings, LineCancel *lines, int count)
{
	const Holding *stuck = NULL;
	int64		taken = 0;

	for (int i = 0; i < nholdings; i++)
	{
		LineCancel *line = find_line(lines, count, &list[i].line_id);

		if (line->wanted > 0 && !list[i].target)
			stuck = &list[i];
		if (!list[i].target)
			continue;
		list[i].taken = Min(line->wanted, list[i].quantity);
		line->wanted -= list[i].taken;
		taken += list[i].taken;
	}
	for (int i = 0; i < count; i++)
	{
		if (lines[i].wanted > 0)
			refuse_stuck(&lines[i], stuck);
	}
	return taken;
}

/*
 * cancel_allocated cancels units that fulfillments hold, and says how many.
 */
static int64
cancel_allocated(Store *store, const pg_uuid_t *order_id, LineCancel *lines, int count, const char *reason)
{
	Way			any = {0};
	int			nholdings;
	Holding    *holdings = oms_read_holdings(store, order_id, &any, &nholdings);
	int64		canceled = take_units(holdings, nholdings, lines, count);
	int			nportions;
	Portion    *portions = oms_divide_holdings(store, order_id, holdings, nholdings, &nportions);
	Array	   *ids = oms_array(UUIDOID, nportions);
	Array	   *from = oms_array(TEXTOID, nportions);
	Array	   *to = oms_array(TEXTOID, nportions);
	Array	   *reasons = oms_array(TEXTOID, nportions);

	for (int i = 0; i < nportions; i++)
	{
		oms_array_add_uuid(ids, &portions[i].id);
		oms_array_add_text(from, portions[i].from->status);
		oms_array_add_text(to, portions[i].from->target);
		oms_array_add_text(reasons, reason);
	}
	oms_move_fulfillments(store, ids, from, to, reasons);
	return canceled;
}
