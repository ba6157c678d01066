/*
 * plan_order.c
 *	  oms.plan_order: where an order's units would come from, at what cost, and when
 *	  they would be there.
 *
 * Of a draft it is what its move with the action reserve would take now, of a
 * placed order what would be given to its units that wait: the same code plans
 * (sourcing_plan.c), and nothing is taken or locked.  It reads as the caller; only
 * the book of sourcing rules, which is kept for all who plan in a session, is
 * read as the owner.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "actions.h"
#include "document.h"
#include "fill.h"
#include "oms.h"
#include "plan.h"
#include "rulebook.h"
#include "sourcing.h"

PG_FUNCTION_INFO_V1(oms_plan_order);

static const StoreQuery find_order = {
	"SELECT o.placed_at IS NOT NULL FROM @.orders o WHERE o.id" EQ "$1 AND (o.placed_at IS NOT NULL OR o.closed_at IS NULL)",
	1, {UUIDOID}
};

static const StoreQuery find_any = {
	"SELECT FROM @.orders o WHERE o.id" EQ "$1", 1, {UUIDOID}
};

static const StoreQuery read_lines = {
	"SELECT l.line_no::pg_catalog.int8, l.id FROM @.order_lines l WHERE l.order_id" EQ "$1 ORDER BY l.line_no", 1, {UUIDOID}
};

/* A line of the order, by number. */
typedef struct LineId
{
	int64		line_no;
	pg_uuid_t	id;
} LineId;

/* A row of the result. */
typedef struct PlannedRow
{
	const Demand *demand;
	pg_uuid_t	line_id;
	int			line_no;
	const Piece *piece;			/* NULL: no stock */
	bool		is_backordered;
	int64		quantity;
} PlannedRow;

static void return_rows(const Sourcing *sourcing, const LineId *lines, int nlines, ReturnSetInfo *result);

/*
 * read_line_ids reads the numbers of the order's lines: components of a draft have no
 * lines yet, and are told under their bundle's.
 */
static LineId *
read_line_ids(Store *store, const Sourcing *sourcing, const pg_uuid_t *id, int *count)
{
	bool		is_needed = false;
	LineId	   *lines;

	*count = 0;
	for (int i = 0; i < sourcing->count; i++)
		is_needed |= sourcing->demands[i].bundle_line > 0;
	if (!is_needed)
		return NULL;
	*count = (int) oms_run(store, &read_lines, (Datum[]) {UUIDPGetDatum(id)});
	lines = palloc_extended((*count + 1) * sizeof(LineId), MCXT_ALLOC_HUGE);
	for (int i = 0; i < *count; i++)
		lines[i] = (LineId) {oms_column_int64(i, 1), oms_column_uuid(i, 2)};
	return lines;
}

/*
 * oms_plan_in_thought plans what an order wants now.  Returns false where it is a
 * draft that is closed; refuses an order that is not there.
 */
bool
oms_plan_in_thought(Store *store, const pg_uuid_t *id, Sourcing *sourcing, bool *is_placed)
{
	OwnerScope	scope;

	if (oms_run(store, &find_order, (Datum[]) {UUIDPGetDatum(id)}) == 0)
	{
		if (oms_run(store, &find_any, (Datum[]) {UUIDPGetDatum(id)}) == 0)
			oms_document_fault("order_id", NULL, psprintf("unknown order \"%s\"", oms_uuid_out(id)));
		return false;
	}
	*is_placed = oms_column_bool(0, 1);
	oms_become_owner(store, &scope);
	sourcing->book = oms_rule_book(store);
	oms_leave_owner(&scope);
	if (*is_placed)
		oms_read_waiting_demands(store, id, sourcing);
	else
		oms_read_draft_demands(store, id, sourcing);
	sourcing->is_first = !*is_placed;
	oms_source_in_thought(store, sourcing);
	return true;
}

/*
 * oms_plan_order is oms.plan_order(store, order_id).
 */
Datum
oms_plan_order(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 2);
	pg_uuid_t  *id = PG_GETARG_UUID_P(1);
	Sourcing	sourcing = {0};
	LineId	   *lines;
	int			nlines = 0;
	bool		is_placed;

	InitMaterializedSRF(fcinfo, 0);
	oms_spi_begin();
	if (oms_plan_in_thought(store, id, &sourcing, &is_placed))
	{
		lines = is_placed ? NULL : read_line_ids(store, &sourcing, id, &nlines);
		return_rows(&sourcing, lines, nlines, (ReturnSetInfo *) fcinfo->resultinfo);
	}
	oms_spi_end();
	return (Datum) 0;
}

/*
 * disposition_of says what becomes of the units of a row.
 */
static const char *
disposition_of(const PlannedRow *row)
{
	return row->piece ? "allocate" : row->is_backordered ? "backorder" : "short";
}

/*
 * compare_rows orders rows by line, SKU, what becomes of them, and location.
 */
static int
compare_rows(const void *a, const void *b)
{
	const PlannedRow *left = a;
	const PlannedRow *right = b;
	int			order;

	if (left->line_no != right->line_no)
		return left->line_no < right->line_no ? -1 : 1;
	if ((order = strcmp(left->demand->sku, right->demand->sku)) != 0)
		return order;
	if ((order = strcmp(disposition_of(left), disposition_of(right))) != 0)
		return order;
	return left->piece ? left->piece->place - right->piece->place : 0;
}

/*
 * compare_line_ids orders lines by number.
 */
static int
compare_line_ids(const void *a, const void *b)
{
	int64		left = ((const LineId *) a)->line_no;
	int64		right = ((const LineId *) b)->line_no;

	return left < right ? -1 : left > right;
}

/*
 * add_row adds a row, unless it has no units.
 */
static void
add_row(PlannedRow *rows, int *count, const LineId *lines, int nlines, const PlannedRow *row)
{
	PlannedRow *next = &rows[*count];
	LineId		key = {.line_no = row->demand->bundle_line};
	const LineId *bundle = nlines == 0 || row->demand->bundle_line == 0 ? NULL
		: bsearch(&key, lines, nlines, sizeof(LineId), compare_line_ids);

	if (row->quantity <= 0)
		return;
	*next = *row;
	next->line_id = bundle ? bundle->id : row->demand->line_id;
	next->line_no = bundle ? (int) bundle->line_no : row->demand->line_no;
	(*count)++;
}

/*
 * put_row returns a row.
 */
static void
put_row(const PlannedRow *row, int64 quantity, ReturnSetInfo *result)
{
	const Demand *demand = row->demand;
	Datum		values[10];
	bool		nulls[10] = {false};

	values[0] = UUIDPGetDatum(&row->line_id);
	values[1] = Int32GetDatum(row->line_no);
	values[2] = CStringGetTextDatum(demand->sku);
	values[3] = CStringGetTextDatum(demand->method);
	nulls[4] = row->piece == NULL;
	values[4] = row->piece ? CStringGetTextDatum(row->piece->location) : (Datum) 0;
	nulls[5] = demand->pickup_location == NULL;
	values[5] = demand->pickup_location ? CStringGetTextDatum(demand->pickup_location) : (Datum) 0;
	values[6] = Int64GetDatum(quantity);
	nulls[7] = row->piece == NULL;
	values[7] = row->piece ? NumericGetDatum(int64_div_fast_to_numeric(row->piece->unit_cost, 4)) : (Datum) 0;
	values[8] = CStringGetTextDatum(disposition_of(row));
	nulls[9] = !row->piece || !row->piece->has_promise;
	values[9] = nulls[9] ? (Datum) 0 : TimestampTzGetDatum(row->piece->promised_at);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/*
 * return_rows returns the plan, units of a line that are alike in one row.
 */
static void
return_rows(const Sourcing *sourcing, const LineId *lines, int nlines, ReturnSetInfo *result)
{
	PlannedRow *rows = palloc_extended((sourcing->npieces + 2 * (Size) sourcing->count + 1) * sizeof(PlannedRow), MCXT_ALLOC_HUGE);
	int			count = 0;

	for (int i = 0; i < sourcing->npieces; i++)
	{
		const Piece *piece = &sourcing->pieces[i];

		add_row(rows, &count, lines, nlines, &(PlannedRow) {.demand = piece->demand, .piece = piece, .quantity = piece->quantity});
	}
	for (int i = 0; i < sourcing->count; i++)
	{
		const Demand *demand = &sourcing->demands[i];

		add_row(rows, &count, lines, nlines, &(PlannedRow) {.demand = demand, .is_backordered = true, .quantity = demand->backordered});
		add_row(rows, &count, lines, nlines, &(PlannedRow) {
			.demand = demand, .is_backordered = demand->is_backordered, .quantity = oms_lacking(demand)
		});
	}
	qsort(rows, count, sizeof(PlannedRow), compare_rows);
	for (int i = 0, next; i < count; i = next)
	{
		int64		quantity = 0;

		for (next = i; next < count && compare_rows(&rows[i], &rows[next]) == 0; next++)
			quantity += rows[next].quantity;
		put_row(&rows[i], quantity, result);
	}
}
