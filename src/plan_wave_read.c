/*
 * plan_wave_read.c
 *	  What oms.plan_wave may plan anew: fulfillments that nobody has begun with.
 *
 * Left out is whatever people or partners know of already, and what takes no
 * stock, unless it goes with what does.  docs/sourcing.md lists it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "loads.h"
#include "machine.h"
#include "oms.h"
#include "plan.h"
#include "plan_wave.h"
#include "rows.h"

/* What goes one way has one number, and stands together, by line. */
static const StoreQuery read_held = {
	"SELECT f.order_id, l.order_line_id, ol.line_no::pg_catalog.int8, ol.sku, l.tracked AND s.tracked, l.quantity, f.method, f.workflow,"
	" m.by_partner, ol.location, f.pickup_location, ol.ship_group, f.ship_to_id, " KIT_COLUMNS("ol") ", o.number, o.channel, f.requested_at,"
	" pg_catalog.dense_rank() OVER (ORDER BY f.order_id, f.method, f.pickup_location, f.ship_to_id, f.requested_at),"
	" f.id, f.number, f.status, f.location, f.load_day, f.revision, o.revision, COALESCE(f.promised_at, 'infinity'),"
	" CASE WHEN m.by_partner THEN 'partner' WHEN f.workflow" NE "m.workflow THEN 'workflow'"
	" WHEN f.carrier IS NOT NULL OR f.tracking_number IS NOT NULL OR f.partner_ref IS NOT NULL"
	" OR f.attributes" NE "'{}'::pg_catalog.jsonb THEN 'written'"
	" WHEN EXISTS (SELECT FROM @.packages p WHERE p.fulfillment_id" EQ "f.id) THEN 'package'"
	" WHEN NOT (l.tracked AND s.tracked) AND s.kind" NE "'warranty' THEN 'no_stock' ELSE '' END"
	" FROM @.fulfillments f JOIN @.fulfillment_lines l ON l.fulfillment_id" EQ "f.id JOIN @.orders o ON o.id" EQ "f.order_id"
	" JOIN @.order_lines ol ON ol.id" EQ "l.order_line_id JOIN @.skus s ON s.code" EQ "ol.sku JOIN @.methods m ON m.code" EQ "f.method"
	" WHERE f.id" EQ "ANY ($1) AND f.stock_state" EQ "'reserved' ORDER BY 19, ol.line_no, l.order_line_id, f.id",
	1, {UUIDARRAYOID}
};

/*
 * skip_of says why a fulfillment may not be planned anew, by why its row says that:
 * something has been done about it, or its workflow may not let it end without its
 * units.
 */
static WaveSkip
skip_of(Store *store, const char *workflow, const char *status, const char *why)
{
	Machine    *machine = oms_machine(store, workflow, ENTITY_FULFILLMENT);
	int			state = oms_machine_state(machine, status);
	const MachineMove *move;

	if (state != machine->workflow->initial)
		return SKIP_RELEASED;
	if (why[0] != '\0')
		return oms_wave_skip_named(why);
	move = oms_machine_move_by_action(machine, state, "release");
	return move && move->nguards == 0 ? SKIP_NONE : SKIP_WORKFLOW;
}

/*
 * read_holding reads a row.
 */
static void
read_holding(Store *store, WaveHolding *holding, uint64 row)
{
	bool		isnull;
	Datum		day = oms_column(row, 24, DATEOID, &isnull);

	holding->line_id = oms_column_uuid(row, 2);
	holding->quantity = oms_column_int64(row, 6);
	holding->workflow = oms_column_text(row, 8);
	holding->fulfillment_id = oms_column_uuid(row, 20);
	holding->number = oms_column_text(row, 21);
	holding->status = oms_column_text(row, 22);
	holding->location = oms_column_text(row, 23);
	holding->has_day = !isnull;
	holding->day = isnull ? 0 : DatumGetDateADT(day);
	holding->revision = oms_column_int64(row, 25);
	holding->order_revision = oms_column_int64(row, 26);
	holding->promised_at = DatumGetTimestampTz(oms_column(row, 27, TIMESTAMPTZOID, &isnull));
	holding->skip = skip_of(store, holding->workflow, holding->status, oms_column_name(row, 28));
}

/*
 * oms_read_wave_holdings reads what some fulfillments hold, and whether it may be
 * planned anew; whose units they are, a demand each; and unless ways is NULL which
 * way those go, by number.
 */
WaveHolding *
oms_read_wave_holdings(Store *store, const Array *fulfillments, Demand **demands, int **ways, int *count)
{
	uint64		found = oms_run(store, &read_held, (Datum[]) {oms_array_datum(fulfillments)});
	WaveHolding *list = palloc_extended((found + 1) * sizeof(WaveHolding), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	*demands = palloc_extended((found + 1) * sizeof(Demand), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	if (ways)
		*ways = palloc_extended((found + 1) * sizeof(int), MCXT_ALLOC_HUGE);
	for (uint64 i = 0; i < found; i++)
	{
		Demand	   *demand = &(*demands)[i];

		read_holding(store, &list[i], i);
		list[i].demand = (int) i;
		oms_read_demand(demand, i);
		oms_read_kit(demand, i, 14);
		demand->order_number = oms_column_text(i, 16);
		demand->channel = oms_column_text(i, 17);
		oms_read_requested(demand, i, 18);
		if (ways)
			(*ways)[i] = (int) oms_column_int64(i, 19);
	}
	*count = (int) found;
	return list;
}

/*
 * add_holding adds units to a way: one demand is what the units of a line are that
 * go one way.
 */
static void
add_holding(Sourcing *sourcing, WaveWay *way, WaveHolding *holding, const Demand *demand)
{
	Demand	   *last = way->ndemands > 0 ? &way->demands[way->ndemands - 1] : NULL;

	if (last && oms_uuid_cmp(&last->line_id, &holding->line_id) == 0)
		last->quantity += holding->quantity;
	else
	{
		sourcing->demands[sourcing->count++] = *demand;
		way->ndemands++;
	}
	way->holdings[way->nholdings] = *holding;
	way->holdings[way->nholdings++].demand = way->ndemands - 1;
}

/*
 * sort_ways makes ways of what may be planned anew, and notes what may not.  What
 * is kept moves to the front.  Returns how many holdings.
 */
static int
sort_ways(JointPlan *joint, WaveHolding *holdings, const int *numbers, int count)
{
	Sourcing   *sourcing = &joint->sourcing;
	int			kept = 0;

	joint->ways = palloc_extended((count + 1) * sizeof(WaveWay), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	joint->nways = 0;
	for (int i = 0, next; i < count; i = next)
	{
		WaveWay    *way = &joint->ways[joint->nways];
		bool		takes_no_stock = false;

		for (next = i; next < count && numbers[next] == numbers[i]; next++)
		{
			WaveSkip	skip = holdings[next].skip;

			takes_no_stock |= skip == SKIP_NO_STOCK;
			way->is_partial |= skip != SKIP_NONE;
			if (skip != SKIP_NONE)
				oms_wave_skip(joint, &sourcing->demands[next].order_id, skip);
		}
		way->holdings = &holdings[kept];
		way->demands = &sourcing->demands[sourcing->count];
		for (int k = i; k < next && !takes_no_stock; k++)
		{
			if (holdings[k].skip == SKIP_NONE)
				add_holding(sourcing, way, &holdings[k], &sourcing->demands[k]);
		}
		kept += way->nholdings;
		joint->nways += way->nholdings > 0;
		if (way->nholdings == 0)
			memset(way, 0, sizeof(WaveWay));
	}
	return kept;
}

/*
 * note_promises notes of each demand of a way until when it was promised, the first
 * of all days where it comes in parts.
 */
static void
note_promises(WaveWay *way)
{
	way->promised_at = palloc((way->ndemands + 1) * sizeof(TimestampTz));
	for (int i = 0; i < way->ndemands; i++)
		way->promised_at[i] = DT_NOEND;
	for (int k = 0; k < way->nholdings; k++)
	{
		TimestampTz *promised_at = &way->promised_at[way->holdings[k].demand];

		*promised_at = Min(*promised_at, way->holdings[k].promised_at);
	}
}

/*
 * oms_read_joint_plan reads what the fulfillments hold, and what there is besides.
 * The caller acts as the owner.
 */
void
oms_read_joint_plan(JointPlan *joint, const Array *fulfillments)
{
	Store	   *store = joint->store;
	Sourcing   *sourcing = &joint->sourcing;
	int		   *numbers;
	int			count;
	WaveHolding *holdings;

	holdings = oms_read_wave_holdings(store, fulfillments, &sourcing->demands, &numbers, &count);
	count = sort_ways(joint, holdings, numbers, count);
	sourcing->held = oms_stock_changes(count);
	for (int i = 0; i < joint->nways; i++)
	{
		note_promises(&joint->ways[i]);
		for (int k = 0; k < joint->ways[i].nholdings; k++)
		{
			const WaveHolding *holding = &joint->ways[i].holdings[k];

			if (joint->ways[i].demands[holding->demand].tracked)
				oms_stock_change(sourcing->held, joint->ways[i].demands[holding->demand].sku, holding->location)->reserved
					= -holding->quantity;
		}
	}
	oms_stock_merge(sourcing->held);
	oms_source_exclude(store, sourcing);
	oms_read_world(store, sourcing, false, &joint->world);
	for (int i = 0; i < count; i++)
		holdings[i].place = oms_find_place(&joint->world, holdings[i].location);
	joint->planner.store = store;
	joint->planner.sourcing = sourcing;
	joint->planner.world = &joint->world;
	joint->planner.context = CurrentMemoryContext;
	joint->planner.costs = oms_read_costs(store, sourcing, &joint->world);
}
