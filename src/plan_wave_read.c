/*
 * plan_wave_read.c
 *	  What oms.plan_wave may plan anew: fulfillments that nobody has begun with.
 *
 * Left out is whatever people or partners know of already, and what takes more
 * than costs to decide: kits, ship groups, warranties, and what takes no stock;
 * with them all of their order.  docs/sourcing.md lists them.
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
	"SELECT f.order_id, l.order_line_id, ol.line_no::pg_catalog.int8, ol.sku, l.tracked, l.quantity, f.method, f.workflow,"
	" m.by_partner, ol.location, f.pickup_location, ol.ship_group, f.ship_to_id, o.number, o.channel, f.requested_at,"
	" pg_catalog.dense_rank() OVER (ORDER BY f.order_id, f.method, f.pickup_location, f.ship_to_id, f.requested_at),"
	" f.id, f.number, f.status, f.location, f.load_day, f.revision, o.revision,"
	" COALESCE(f.promised_at, 'infinity')"
	" FROM @.fulfillments f JOIN @.fulfillment_lines l ON l.fulfillment_id" EQ "f.id JOIN @.orders o ON o.id" EQ "f.order_id"
	" JOIN @.order_lines ol ON ol.id" EQ "l.order_line_id JOIN @.methods m ON m.code" EQ "f.method"
	" WHERE f.id" EQ "ANY ($1) AND f.stock_state" EQ "'reserved' AND f.workflow" EQ "m.workflow"
	" AND f.carrier IS NULL AND f.tracking_number IS NULL AND f.partner_ref IS NULL"
	" AND f.attributes" EQ "'{}'::pg_catalog.jsonb"
	" AND NOT EXISTS (SELECT FROM @.packages p WHERE p.fulfillment_id" EQ "f.id)"
	" AND NOT EXISTS (SELECT FROM @.fulfillments g JOIN @.fulfillment_lines gl ON gl.fulfillment_id" EQ "g.id"
	" JOIN @.order_lines gol ON gol.id" EQ "gl.order_line_id JOIN @.skus gs ON gs.code" EQ "gol.sku"
	" JOIN @.methods gm ON gm.code" EQ "g.method WHERE g.order_id" EQ "f.order_id AND g.stock_state" EQ "'reserved'"
	" AND (NOT gl.tracked OR NOT gs.tracked OR gol.per_kit IS NOT NULL OR gol.ship_group IS NOT NULL"
	" OR gs.kind" EQ "'warranty' OR gm.by_partner))"
	" ORDER BY 17, ol.line_no, l.order_line_id, f.id",
	1, {UUIDARRAYOID}
};

/*
 * is_unreleased tells whether nothing has been done about a fulfillment yet, and its
 * workflow lets it end without its units.
 */
static bool
is_unreleased(Store *store, const char *workflow, const char *status)
{
	Machine    *machine = oms_machine(store, workflow, ENTITY_FULFILLMENT);
	int			state = oms_machine_state(machine, status);

	return state == machine->workflow->initial && oms_machine_move_by_action(machine, state, "release") != NULL;
}

/*
 * read_holding reads a row.
 */
static void
read_holding(WaveHolding *holding, uint64 row)
{
	bool		isnull;
	Datum		day = oms_column(row, 22, DATEOID, &isnull);

	holding->line_id = oms_column_uuid(row, 2);
	holding->quantity = oms_column_int64(row, 6);
	holding->workflow = oms_column_text(row, 8);
	holding->fulfillment_id = oms_column_uuid(row, 18);
	holding->number = oms_column_text(row, 19);
	holding->status = oms_column_text(row, 20);
	holding->location = oms_column_text(row, 21);
	holding->has_day = !isnull;
	holding->day = isnull ? 0 : DatumGetDateADT(day);
	holding->revision = oms_column_int64(row, 23);
	holding->order_revision = oms_column_int64(row, 24);
	holding->promised_at = DatumGetTimestampTz(oms_column(row, 25, TIMESTAMPTZOID, &isnull));
}

/*
 * oms_read_wave_holdings reads what may be planned anew of some fulfillments.  With
 * demands it also returns whose units they are, a demand each, and which way those
 * go, by number.
 */
WaveHolding *
oms_read_wave_holdings(Store *store, const Array *fulfillments, Demand **demands, int **ways, int *count)
{
	uint64		found = oms_run(store, &read_held, (Datum[]) {oms_array_datum(fulfillments)});
	WaveHolding *list = palloc_extended((found + 1) * sizeof(WaveHolding), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	*count = 0;
	if (demands)
	{
		*demands = palloc_extended((found + 1) * sizeof(Demand), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
		*ways = palloc_extended((found + 1) * sizeof(int), MCXT_ALLOC_HUGE);
	}
	for (uint64 i = 0; i < found; i++)
	{
		WaveHolding *holding = &list[*count];

		read_holding(holding, i);
		if (!is_unreleased(store, holding->workflow, holding->status))
			continue;
		if (demands)
		{
			Demand	   *demand = &(*demands)[*count];

			oms_read_demand(demand, i);
			demand->order_number = oms_column_text(i, 14);
			demand->channel = oms_column_text(i, 15);
			oms_read_requested(demand, i, 16);
			(*ways)[*count] = (int) oms_column_int64(i, 17);
		}
		(*count)++;
	}
	return list;
}

/*
 * sort_ways makes one demand of the units of a line that go one way, and a way of
 * the demands that do.
 */
static void
sort_ways(JointPlan *joint, WaveHolding *holdings, const int *numbers, int count)
{
	Sourcing   *sourcing = &joint->sourcing;
	WaveWay    *way = NULL;

	joint->ways = palloc_extended((count + 1) * sizeof(WaveWay), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	joint->nways = 0;
	for (int i = 0; i < count; i++)
	{
		Demand	   *last = way ? &way->demands[way->ndemands - 1] : NULL;
		bool		is_new = i == 0 || numbers[i] != numbers[i - 1];

		if (is_new)
		{
			way = &joint->ways[joint->nways++];
			way->holdings = &holdings[i];
			way->demands = &sourcing->demands[sourcing->count];
		}
		way->nholdings++;
		if (!is_new && oms_uuid_cmp(&last->line_id, &holdings[i].line_id) == 0)
			last->quantity += holdings[i].quantity;
		else
		{
			sourcing->demands[sourcing->count++] = sourcing->demands[i];
			way->ndemands++;
		}
		holdings[i].demand = way->ndemands - 1;
	}
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

	oms_keep_workflows(store, ENTITY_FULFILLMENT);
	holdings = oms_read_wave_holdings(store, fulfillments, &sourcing->demands, &numbers, &count);
	sort_ways(joint, holdings, numbers, count);
	sourcing->held = oms_stock_changes(count);
	for (int i = 0; i < joint->nways; i++)
	{
		note_promises(&joint->ways[i]);
		for (int k = 0; k < joint->ways[i].nholdings; k++)
		{
			const WaveHolding *holding = &joint->ways[i].holdings[k];

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
