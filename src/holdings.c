/*
 * holdings.c
 *	  What an order's fulfillments hold, and dividing off what is to leave them.
 *
 * Who cancels units, or sends them another way, takes them from the least
 * advanced fulfillments first.  A fulfillment moves as a whole, so what is taken
 * of one is divided off.  The caller acts as the owner and holds the order, so
 * fulfillments are not waited for (40001).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "facts.h"
#include "fulfillment.h"
#include "holdings.h"
#include "machine.h"
#include "plan.h"

/*
 * What holds units, and whether it goes a way already.  A package that says
 * nothing of what it holds may hold all of them.
 */
static const StoreQuery read_reserved = {
	"WITH locked AS (SELECT f.id FROM @.fulfillments f WHERE f.order_id" EQ "$1 AND f.stock_state" EQ "'reserved'"
	" ORDER BY f.id FOR NO KEY UPDATE SKIP LOCKED)"
	" SELECT f.id, f.number, f.workflow, f.status, l.order_line_id, l.quantity,"
	" CASE WHEN EXISTS (SELECT FROM @.packages p WHERE p.fulfillment_id" EQ "f.id AND p.voided_at IS NULL"
	" AND NOT EXISTS (SELECT FROM @.package_lines c WHERE c.package_id" EQ "p.id)) THEN l.quantity ELSE l.packed END,"
	" NOT EXISTS (SELECT FROM locked k WHERE k.id" EQ "f.id),"
	" f.method" EQ "COALESCE($2, f.method) AND f.ship_to_id IS NOT DISTINCT FROM COALESCE($3, f.ship_to_id)"
	" AND (NOT $5 OR f.pickup_location IS NOT DISTINCT FROM $4)"
	" FROM @.fulfillments f JOIN @.fulfillment_lines l ON l.fulfillment_id" EQ "f.id"
	" WHERE f.order_id" EQ "$1 AND f.stock_state" EQ "'reserved'",
	5, {UUIDOID, TEXTOID, UUIDOID, TEXTOID, BOOLOID}
};

/*
 * oms_way_args sets the arguments that say which way, from the second on, and
 * returns which of five are NULL.
 */
const char *
oms_way_args(const Way *way, Datum *args)
{
	args[1] = way->method ? CStringGetTextDatum(way->method) : (Datum) 0;
	args[2] = UUIDPGetDatum(&way->ship_to);
	args[3] = way->pickup_location ? CStringGetTextDatum(way->pickup_location) : (Datum) 0;
	args[4] = BoolGetDatum(way->sets_pickup);
	return psprintf(" %c%c%c ", way->method ? ' ' : 'n', way->has_ship_to ? ' ' : 'n', way->pickup_location ? ' ' : 'n');
}

/*
 * compare_holdings puts first what is taken first: the least advanced, then the
 * youngest; lines of one fulfillment stand together.
 */
static int
compare_holdings(const void *a, const void *b)
{
	const Holding *left = a;
	const Holding *right = b;

	if (left->distance != right->distance)
		return left->distance > right->distance ? -1 : 1;
	if (oms_uuid_cmp(a, b) != 0)
		return -oms_uuid_cmp(a, b);
	return -oms_uuid_cmp(&left->line_id, &right->line_id);
}

/*
 * oms_read_holdings locks the order's fulfillments that hold units and reads what
 * that is, sorted.
 */
Holding *
oms_read_holdings(Store *store, const pg_uuid_t *order_id, const Way *way, int *count)
{
	Datum		args[5] = {UUIDPGetDatum(order_id)};
	Holding    *list;

	oms_keep_workflows(store, ENTITY_FULFILLMENT);
	*count = (int) oms_run_nulls(store, &read_reserved, args, oms_way_args(way, args));
	list = palloc0(Max(1, *count) * sizeof(Holding));
	for (int i = 0; i < *count; i++)
	{
		Holding    *holding = &list[i];
		Machine    *machine = oms_machine(store, oms_column_name(i, 3), ENTITY_FULFILLMENT);
		const MachineMove *move;
		int			state;

		holding->fulfillment_id = oms_column_uuid(i, 1);
		holding->number = oms_column_name(i, 2);
		holding->workflow = oms_column_name(i, 3);
		holding->status = oms_column_name(i, 4);
		holding->line_id = oms_column_uuid(i, 5);
		holding->quantity = oms_column_int64(i, 6);
		holding->packed = oms_column_int64(i, 7);
		if (oms_column_bool(i, 8))
			oms_busy(holding->number);
		holding->is_right = oms_column_bool(i, 9);
		state = oms_machine_state(machine, holding->status);
		move = oms_machine_move_by_action(machine, state, "release");
		holding->target = move ? oms_machine_state_name(machine, move->to) : NULL;
		holding->distance = state < 0 ? 0 : machine->distance[state];
	}
	qsort(list, *count, sizeof(Holding), compare_holdings);
	return list;
}

/*
 * oms_divide_holdings returns the fulfillments that hold just what was taken, in
 * the order of the list: those of which all was, and what is divided off the
 * others.
 */
Portion *
oms_divide_holdings(Store *store, const pg_uuid_t *order_id, const Holding *list, int count, int *nportions)
{
	SplitPart  *parts = palloc0(Max(1, count) * sizeof(SplitPart));
	Portion    *portions = palloc(Max(1, count) * sizeof(Portion));
	int		   *first_part = palloc(Max(1, count) * sizeof(int));
	int			nparts = 0;

	*nportions = 0;
	for (int i = 0, next; i < count; i = next)
	{
		bool		whole = true;
		int			before = nparts;
		int64		taken = 0;

		for (next = i; next < count && oms_uuid_cmp(&list[next], &list[i]) == 0; next++)
		{
			whole &= list[next].taken == list[next].quantity;
			taken += list[next].taken;
		}
		for (int j = i; j < next && !whole; j++)
		{
			if (list[j].taken > 0)
				parts[nparts++] = (SplitPart) {
					.fulfillment_id = list[j].fulfillment_id, .order_id = *order_id, .line_id = list[j].line_id,
					.quantity = list[j].taken
				};
		}
		if (taken == 0)
			continue;
		first_part[*nportions] = whole ? -1 : before;
		portions[*nportions].id = list[i].fulfillment_id;
		portions[(*nportions)++].from = &list[i];
	}
	oms_split(store, parts, nparts);
	for (int i = 0; i < *nportions; i++)
	{
		if (first_part[i] >= 0)
			portions[i].id = parts[first_part[i]].new_id;
	}
	return portions;
}
