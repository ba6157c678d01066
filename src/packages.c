/*
 * packages.c
 *	  Packages and what they hold: judging their rows, counting packed units.
 *
 * Reached by the triggers on packages and package_lines.  Units are counted into
 * fulfillment_lines.packed, which a CHECK keeps within quantity, so that no unit
 * is in two packages and none leaves its fulfillment while it is in one
 * (fulfillment.c).
 *
 * Packages are locked after fulfillments.  Who packs locks both in that order and
 * may wait.  Who voids a package holds it when this begins, and does
 * not wait for its fulfillment (40001).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"

#include "import.h"
#include "oms.h"
#include "packages.h"
#include "plan.h"
#include "rows.h"
#include "transition.h"

static const StoreQuery lock_fulfillments = {
	"SELECT f.id FROM @.fulfillments f WHERE f.id IN (SELECT p.fulfillment_id FROM @.packages p WHERE p.id" EQ "ANY ($1))"
	" ORDER BY f.id FOR NO KEY UPDATE",
	1, {UUIDARRAYOID}
};

/* Which a merge has moved while its old fulfillment was waited for. */
static const StoreQuery find_moved = {
	"SELECT p.id FROM @.packages p WHERE p.id" EQ "ANY ($1) AND p.fulfillment_id" NE "ALL ($2) LIMIT 1", 2, {UUIDARRAYOID, UUIDARRAYOID}
};

static const StoreQuery find_busy = {
	"WITH locked AS (SELECT f.id FROM @.fulfillments f WHERE f.id IN (SELECT p.fulfillment_id FROM @.packages p"
	" WHERE p.id" EQ "ANY ($1)) ORDER BY f.id FOR NO KEY UPDATE SKIP LOCKED)"
	" SELECT f.number FROM @.fulfillments f JOIN @.packages p ON p.fulfillment_id" EQ "f.id LEFT JOIN locked k ON k.id" EQ "f.id"
	" WHERE p.id" EQ "ANY ($1) AND k.id IS NULL LIMIT 1",
	1, {UUIDARRAYOID}
};

/* A write, so that who voids one by an older snapshot notices what came into it. */
static const StoreQuery open_packages = {
	"UPDATE @.packages p SET revision = p.revision" PLUS "1 FROM ROWS FROM (pg_catalog.unnest($1)) AS w(id)"
	" WHERE p.id" EQ "w.id AND p.status" EQ "'packed' AND p.voided_at IS NULL",
	1, {UUIDARRAYOID}
};

static const StoreQuery find_shut = {
	"SELECT COALESCE(p.tracking_number, p.id::pg_catalog.text), p.voided_at IS NOT NULL FROM @.packages p"
	" WHERE p.id" EQ "ANY ($1) AND (p.status" NE "'packed' OR p.voided_at IS NOT NULL) ORDER BY p.id LIMIT 1",
	1, {UUIDARRAYOID}
};

#define PACKED \
	"(SELECT p.fulfillment_id, w.line_id, pg_catalog.sum(w.quantity)::pg_catalog.int8 AS quantity" \
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3)) AS w(package_id, line_id, quantity)" \
	" JOIN @.packages p ON p.id" EQ "w.package_id GROUP BY p.fulfillment_id, w.line_id ORDER BY p.fulfillment_id, w.line_id)"

static const StoreQuery find_unfit = {
	"SELECT f.number, f.stock_state, ol.line_no::pg_catalog.int8, c.quantity, COALESCE(l.quantity" MINUS "l.packed, 0)"
	" FROM " PACKED " c JOIN @.fulfillments f ON f.id" EQ "c.fulfillment_id JOIN @.order_lines ol ON ol.id" EQ "c.line_id"
	" LEFT JOIN @.fulfillment_lines l ON l.fulfillment_id" EQ "f.id AND l.order_line_id" EQ "c.line_id"
	" WHERE l.id IS NULL OR l.packed" PLUS "c.quantity" GT "l.quantity"
	" OR (c.quantity" GT "0 AND f.stock_state NOT IN ('reserved', 'issued'))"
	" ORDER BY f.number, ol.line_no LIMIT 1",
	3, {UUIDARRAYOID, UUIDARRAYOID, INT8ARRAYOID}
};

static const StoreQuery pack_units = {
	"UPDATE @.fulfillment_lines l SET packed = l.packed" PLUS "c.quantity FROM " PACKED " c"
	" WHERE l.fulfillment_id" EQ "c.fulfillment_id AND l.order_line_id" EQ "c.line_id AND l.packed" PLUS "c.quantity" LE "l.quantity",
	3, {UUIDARRAYOID, UUIDARRAYOID, INT8ARRAYOID}
};

static const StoreQuery unpack_units = {
	"UPDATE @.fulfillment_lines l SET packed = l.packed" MINUS "c.quantity FROM (SELECT p.fulfillment_id, pl.order_line_id,"
	" pg_catalog.sum(pl.quantity)::pg_catalog.int8 AS quantity FROM @.packages p JOIN @.package_lines pl ON pl.package_id" EQ "p.id"
	" WHERE p.id" EQ "ANY ($1) GROUP BY p.fulfillment_id, pl.order_line_id ORDER BY p.fulfillment_id, pl.order_line_id) c"
	" WHERE l.fulfillment_id" EQ "c.fulfillment_id AND l.order_line_id" EQ "c.order_line_id",
	1, {UUIDARRAYOID}
};

/* A row of package_lines, and all that a statement has changed, a column an array. */
typedef struct PackedRow
{
	pg_uuid_t	package_id;
	pg_uuid_t	line_id;
	int64		quantity;
} PackedRow;

typedef struct Repacking
{
	Array	   *packages;
	Array	   *lines;
	Array	   *quantities;		/* less than 0 where units were taken out */
} Repacking;

typedef struct PackageColumn
{
	const char *name;
	Oid			type;
	enum
	{
		FIXED, UNTIL_DELIVERED, ONCE, ENGINE
	}			whose;
} PackageColumn;

static const PackageColumn columns[] = {
	{"id", UUIDOID, FIXED}, {"created_at", TIMESTAMPTZOID, FIXED}, {"fulfillment_id", UUIDOID, FIXED},
	{"carrier", TEXTOID, UNTIL_DELIVERED}, {"tracking_number", TEXTOID, UNTIL_DELIVERED},
	{"weight_grams", INT8OID, UNTIL_DELIVERED}, {"voided_at", TIMESTAMPTZOID, ONCE},
	{"status", TEXTOID, ENGINE}, {"shipped_at", TIMESTAMPTZOID, ENGINE}, {"delivered_at", TIMESTAMPTZOID, ENGINE},
	{"last_event_at", TIMESTAMPTZOID, ENGINE}, {"last_event_id", INT8OID, ENGINE}, {"revision", INT8OID, ENGINE},
};

static void judge_new(Store *store, TriggerData *trigger);
static void judge_change(Store *store, TriggerData *trigger);

/*
 * oms_lock_packed locks the fulfillments that packages are of.
 */
void
oms_lock_packed(Store *store, Datum package_ids)
{
	Array	   *ids;

	do
	{
		uint64		found = oms_run(store, &lock_fulfillments, &package_ids);

		ids = oms_array(UUIDOID, (int) found);
		for (uint64 i = 0; i < found; i++)
		{
			pg_uuid_t	id = oms_column_uuid(i, 1);

			oms_array_add_uuid(ids, &id);
		}
	} while (oms_run(store, &find_moved, (Datum[]) {package_ids, oms_array_datum(ids)}) > 0);
}

/*
 * oms_lock_packed_at_hand is that for who holds packages already, and so must not
 * wait for their fulfillments: 40001 where one is busy.
 */
void
oms_lock_packed_at_hand(Store *store, Datum package_ids)
{
	if (oms_run(store, &find_busy, &package_ids) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("fulfillment \"%s\" is being changed by another session", oms_column_text(0, 1)),
				 errhint("Retry the transaction.")));
}

/*
 * oms_guard_package judges a package BEFORE it is written.
 */
HeapTuple
oms_guard_package(Store *store, TriggerData *trigger)
{
	if (TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_OMS_IMMUTABLE),
				 errmsg("packages cannot be deleted"),
				 errhint("Set voided_at."),
				 errtable(trigger->tg_relation)));
	oms_recheck_package(store, trigger);
	return TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
}

/*
 * oms_recheck_package judges it, BEFORE and AFTER it is written.
 */
void
oms_recheck_package(Store *store, TriggerData *trigger)
{
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		judge_change(store, trigger);
	else if (!oms_is_importing(store))
		judge_new(store, trigger);
}

/*
 * refuse_column refuses a change of a column.
 */
static void
refuse_column(const TriggerData *trigger, const PackageColumn *column)
{
	int			number = SPI_fnumber(RelationGetDescr(trigger->tg_relation), column->name);

	if (column->whose == ENGINE)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_ENGINE_COLUMN),
				 errmsg("column \"%s\" of packages is kept by the engine and cannot be written by hand", column->name),
				 errhint("Insert a row into carrier_events instead."),
				 errtablecol(trigger->tg_relation, number)));
	ereport(ERROR,
			(errcode(ERRCODE_OMS_IMMUTABLE),
			 errmsg("column \"%s\" of packages cannot change%s", column->name,
					column->whose == UNTIL_DELIVERED ? " once the package is delivered" : column->whose == ONCE ? " again" : ""),
			 column->whose == FIXED ? errhint("Void the package, and insert another.") : 0,
			 errtablecol(trigger->tg_relation, number)));
}

/*
 * judge_new judges a new package: nothing has happened to it yet.
 */
static void
judge_new(Store *store, TriggerData *trigger)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);

	for (int i = 0; i < (int) lengthof(columns); i++)
	{
		bool		isnull;
		Datum		value = oms_field(tupdesc, trigger->tg_trigtuple, columns[i].name, columns[i].type, &isnull);

		if (columns[i].whose != ENGINE || isnull)
			continue;
		if (columns[i].type == TEXTOID ? strcmp(TextDatumGetCString(value), "packed") != 0
			: strcmp(columns[i].name, "revision") != 0 || DatumGetInt64(value) != 0)
			refuse_column(trigger, &columns[i]);
	}
}

/*
 * require_here refuses to void a package that a carrier has told of.
 */
static void
require_here(const TriggerData *trigger)
{
	char	   *status = oms_text_field(trigger, "status");
	char	   *name = oms_text_field(trigger, "tracking_number");

	if (strcmp(status, "packed") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_GUARD_REFUSED),
				 errmsg("package \"%s\" cannot be voided: its carrier says \"%s\"", name ? name : oms_text_field(trigger, "id"), status),
				 errhint("Only a package that no carrier event is about can be voided."),
				 errtable(trigger->tg_relation)));
}

/*
 * judge_change judges a change: engine columns change by its hand alone, and
 * others as long as they may.
 */
static void
judge_change(Store *store, TriggerData *trigger)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	bool		isnull;
	bool		is_under_way;
	int64		before = DatumGetInt64(oms_field(tupdesc, trigger->tg_trigtuple, "revision", INT8OID, &isnull));
	int64		after = DatumGetInt64(oms_field(tupdesc, trigger->tg_newtuple, "revision", INT8OID, &isnull));
	bool		by_engine = !isnull && after == before + 1 && oms_in_engine(store);

	(void) oms_field(tupdesc, trigger->tg_trigtuple, "delivered_at", TIMESTAMPTZOID, &is_under_way);
	for (int i = 0; i < (int) lengthof(columns); i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, oms_require_column(tupdesc, columns[i].name, columns[i].type) - 1);
		bool		old_null;
		bool		new_null;
		Datum		old = oms_field(tupdesc, trigger->tg_trigtuple, columns[i].name, columns[i].type, &old_null);
		Datum		new = oms_field(tupdesc, trigger->tg_newtuple, columns[i].name, columns[i].type, &new_null);

		if (old_null == new_null && (old_null || datum_image_eq(old, new, attribute->attbyval, attribute->attlen)))
			continue;
		if (columns[i].whose == ONCE && old_null)
			require_here(trigger);
		else if (!by_engine && (columns[i].whose != UNTIL_DELIVERED || !is_under_way))
			refuse_column(trigger, &columns[i]);
	}
}

/*
 * oms_act_packages unpacks the units of a statement's packages that were voided.
 */
void
oms_act_packages(Store *store, TriggerData *trigger)
{
	Array	   *ids;
	Walk		old;
	Walk		new;
	int			id;
	int			voided_at;
	OwnerScope	scope;

	oms_spi_begin();
	ids = oms_array(UUIDOID, 4);
	oms_walk_begin(&old, trigger, trigger->tg_oldtable);
	oms_walk_begin(&new, trigger, trigger->tg_newtable);
	id = oms_walk_column(&new, "id", UUIDOID);
	voided_at = oms_walk_column(&new, "voided_at", TIMESTAMPTZOID);
	while (oms_walk_next(&new) && oms_walk_next(&old))
	{
		bool		was_open;
		bool		is_open;
		pg_uuid_t	package = oms_walk_uuid(&new, id);

		(void) oms_walk_value(&old, voided_at, &was_open);
		(void) oms_walk_value(&new, voided_at, &is_open);
		if (was_open && !is_open)
			oms_array_add_uuid(ids, &package);
	}
	oms_walk_end(&new);
	oms_walk_end(&old);
	if (ids->count > 0)
	{
		oms_become_owner(store, &scope);
		oms_lock_packed_at_hand(store, oms_array_datum(ids));
		(void) oms_run(store, &unpack_units, (Datum[]) {oms_array_datum(ids)});
		oms_leave_owner(&scope);
	}
	oms_spi_end();
}

/*
 * refuse_unfit raises OM002 for units that cannot go into a package.
 */
static void
refuse_unfit(void)
{
	const char *state = oms_column_name(0, 2);

	if (strcmp(state, "reserved") != 0 && strcmp(state, "issued") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_GUARD_REFUSED),
				 errmsg("units of fulfillment \"%s\" cannot be packed: they are %s", oms_column_name(0, 1), state),
				 errhint("Pack what is reserved or has left.")));
	ereport(ERROR,
			(errcode(ERRCODE_OMS_GUARD_REFUSED),
			 errmsg(INT64_FORMAT " units of line " INT64_FORMAT " of fulfillment \"%s\" cannot be packed: it has " INT64_FORMAT
					" that are in no package", oms_column_int64(0, 4), oms_column_int64(0, 3), oms_column_name(0, 1),
					oms_column_int64(0, 5)),
			 errhint("Take them out of the package that they are in, or divide or merge fulfillments first.")));
}

/*
 * require_open locks the packages and refuses those whose contents are settled.
 */
static void
require_open(Store *store, const Array *ids)
{
	pg_uuid_t  *sorted = palloc_extended(ids->count * sizeof(pg_uuid_t), MCXT_ALLOC_HUGE);
	Array	   *distinct = oms_array(UUIDOID, ids->count);

	for (int i = 0; i < ids->count; i++)
		sorted[i] = *DatumGetUUIDP(ids->values[i]);
	qsort(sorted, ids->count, sizeof(pg_uuid_t), oms_uuid_cmp);
	for (int i = 0; i < ids->count; i++)
	{
		if (i == 0 || oms_uuid_cmp(&sorted[i], &sorted[i - 1]) != 0)
			oms_array_add_uuid(distinct, &sorted[i]);
	}
	if (oms_run(store, &open_packages, (Datum[]) {oms_array_datum(distinct)}) == distinct->count)
		return;
	/* of a package that there is not the foreign key has told */
	if (oms_run(store, &find_shut, (Datum[]) {oms_array_datum(distinct)}) == 0)
		oms_refuse_interference("packages");
	ereport(ERROR,
			(errcode(ERRCODE_OMS_GUARD_REFUSED),
			 errmsg("what is in package \"%s\" cannot change: it %s", oms_column_text(0, 1),
					oms_column_bool(0, 2) ? "is voided" : "has left"),
			 errhint("Insert another package.")));
}

/*
 * add_row notes the units of a row of package_lines; sign is -1 where they leave
 * the package.
 */
static void
add_row(Repacking *repacking, const PackedRow *row, int sign)
{
	oms_array_add_uuid(repacking->packages, &row->package_id);
	oms_array_add_uuid(repacking->lines, &row->line_id);
	oms_array_add_int64(repacking->quantities, sign * row->quantity);
}

/*
 * read_row reads the next row, where there is one.
 */
static bool
read_row(Walk *walk, const int *columns_of, PackedRow *row)
{
	if (!oms_walk_next(walk))
		return false;
	row->package_id = oms_walk_uuid(walk, columns_of[0]);
	row->line_id = oms_walk_uuid(walk, columns_of[1]);
	row->quantity = oms_walk_int64(walk, columns_of[2]);
	return true;
}

/*
 * read_repacking reads what a statement has put in and taken out.  A row that says
 * what it said is none of it: people note what they like in columns of theirs,
 * whatever has become of the package.
 */
static void
read_repacking(TriggerData *trigger, Repacking *repacking)
{
	Tuplestorestate *tables[2] = {trigger->tg_oldtable, trigger->tg_newtable};
	Walk		walks[2];
	int			numbers[2][3];
	PackedRow	rows[2];
	bool		found[2] = {false, false};

	for (int i = 0; i < 2; i++)
	{
		if (!tables[i])
			continue;
		oms_walk_begin(&walks[i], trigger, tables[i]);
		numbers[i][0] = oms_walk_column(&walks[i], "package_id", UUIDOID);
		numbers[i][1] = oms_walk_column(&walks[i], "order_line_id", UUIDOID);
		numbers[i][2] = oms_walk_column(&walks[i], "quantity", INT8OID);
	}
	for (;;)
	{
		for (int i = 0; i < 2; i++)
			found[i] = tables[i] && read_row(&walks[i], numbers[i], &rows[i]);
		if (!found[0] && !found[1])
			break;
		if (found[0] && found[1] && oms_uuid_cmp(&rows[0].package_id, &rows[1].package_id) == 0 &&
			oms_uuid_cmp(&rows[0].line_id, &rows[1].line_id) == 0 && rows[0].quantity == rows[1].quantity)
			continue;
		for (int i = 0; i < 2; i++)
		{
			if (found[i])
				add_row(repacking, &rows[i], i == 0 ? -1 : 1);
		}
	}
	for (int i = 0; i < 2; i++)
	{
		if (tables[i])
			oms_walk_end(&walks[i]);
	}
}

/*
 * oms_act_package_lines counts the units that a statement has packed, and those
 * that it has taken out again.
 */
void
oms_act_package_lines(Store *store, TriggerData *trigger)
{
	Repacking	repacking;
	OwnerScope	scope;
	Datum		args[3];

	if (oms_is_importing(store))
		return;					/* fulfillment_lines.packed counts it already */
	oms_spi_begin();
	repacking.packages = oms_array(UUIDOID, 8);
	repacking.lines = oms_array(UUIDOID, 8);
	repacking.quantities = oms_array(INT8OID, 8);
	read_repacking(trigger, &repacking);
	if (repacking.packages->count > 0)
	{
		oms_become_owner(store, &scope);
		args[0] = oms_array_datum(repacking.packages);
		args[1] = oms_array_datum(repacking.lines);
		args[2] = oms_array_datum(repacking.quantities);
		oms_lock_packed(store, args[0]);
		require_open(store, repacking.packages);
		if (oms_run(store, &find_unfit, args) > 0)
			refuse_unfit();
		if (oms_run(store, &pack_units, args) == 0)
			oms_refuse_interference("fulfillment_lines");
		oms_leave_owner(&scope);
	}
	oms_spi_end();
}
