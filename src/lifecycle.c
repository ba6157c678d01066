/*
 * lifecycle.c
 *	  The store's trigger functions: which subject does what at which moment.
 *
 * A store's tables have three kinds of triggers of ours.  oms.guard fires
 * BEFORE ROW: it fills in and refuses, and has no effect beyond its row.
 * oms.recheck fires AFTER ROW and judges what came of it.  oms.act fires AFTER
 * STATEMENT with transition tables and does everything else, as the store's
 * owner.  Their argument names the subject; the tables below say whose code
 * that is.  oms.refuse and oms.invalidate are small and stand here.
 */
#include "postgres.h"

#include <ctype.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "bundle.h"
#include "carrier.h"
#include "import.h"
#include "inbound.h"
#include "judge.h"
#include "lines.h"
#include "location.h"
#include "machine.h"
#include "moves.h"
#include "oms.h"
#include "packages.h"
#include "payment.h"
#include "placing.h"
#include "queue.h"
#include "stock.h"
#include "stock_hold.h"
#include "store.h"
#include "transition.h"

PG_FUNCTION_INFO_V1(oms_guard);
PG_FUNCTION_INFO_V1(oms_recheck);
PG_FUNCTION_INFO_V1(oms_act);
PG_FUNCTION_INFO_V1(oms_refuse);
PG_FUNCTION_INFO_V1(oms_invalidate);

static HeapTuple guard_order(Store *store, TriggerData *trigger);
static HeapTuple guard_fulfillment(Store *store, TriggerData *trigger);
static HeapTuple guard_engine_row(Store *store, TriggerData *trigger);
static HeapTuple guard_line(Store *store, TriggerData *trigger);
static HeapTuple guard_workflow(Store *store, TriggerData *trigger);
static HeapTuple guard_channel(Store *store, TriggerData *trigger);
static HeapTuple guard_method(Store *store, TriggerData *trigger);
static HeapTuple guard_sku(Store *store, TriggerData *trigger);
static HeapTuple guard_address(Store *store, TriggerData *trigger);
static void guard_kept(const Store *store, TriggerData *trigger);

typedef struct GuardEntry
{
	const char *subject;
	HeapTuple	(*guard) (Store *store, TriggerData *trigger);
	const char *events;			/* that it is for: i, u, d */
} GuardEntry;

static const GuardEntry guards[] = {
	{"order", guard_order, "iud"},
	{"fulfillment", guard_fulfillment, "iud"},
	{"fulfillment_line", guard_engine_row, "iud"},
	{"event", guard_engine_row, "i"},
	{"line", guard_line, "id"},
	{"hold", oms_guard_hold, "iu"},
	{"movement", oms_guard_movement, "iud"},
	{"inbound", oms_guard_inbound, "iud"},
	{"workflow", guard_workflow, "iu"},
	{"channel", guard_channel, "iu"},
	{"method", guard_method, "iu"},
	{"sku", guard_sku, "i"},
	{"address", guard_address, "u"},
	{"payment", oms_guard_payment, "iud"},
	{"payment_transaction", oms_guard_transaction, "i"},
	{"package", oms_guard_package, "iud"},
	{"carrier_event", oms_guard_carrier_event, "i"},
};

/*
 * subject returns the trigger's argument.
 */
static const char *
subject(const TriggerData *trigger)
{
	if (trigger->tg_trigger->tgnargs < 1)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" names no subject", trigger->tg_trigger->tgname)));
	return trigger->tg_trigger->tgargs[0];
}

/*
 * require_event refuses a trigger that somebody made for another moment than
 * the function is for.
 */
static void
require_event(const TriggerData *trigger, bool is_right)
{
	if (!is_right)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" fires at a moment that its function is not for",
						trigger->tg_trigger->tgname),
				 errhint("The engine's triggers are made by oms.create_store and oms.upgrade_store.")));
}

/*
 * unknown_subject refuses a trigger whose argument is none of ours.
 */
static void
unknown_subject(const TriggerData *trigger)
{
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("trigger \"%s\" names an unknown subject \"%s\"",
					trigger->tg_trigger->tgname, subject(trigger))));
}

/*
 * oms_guard is trigger function oms.guard: BEFORE ROW.
 */
Datum
oms_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Store	   *store;

	oms_require_trigger(fcinfo, "guard");
	if (TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) && strcmp(subject(trigger), "workflow") == 0)
	{
		/* who edits locks a row and then a table: not two at a time */
		(void) oms_stand_in_line(oms_store_of_trigger(trigger), QUEUE_WORKFLOWS, "workflows", "");
		return PointerGetDatum(NULL);
	}
	if (TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) && strcmp(subject(trigger), "kept") == 0)
	{
		guard_kept(oms_store_of_trigger(trigger), trigger);
		return PointerGetDatum(NULL);
	}
	if (TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) && strcmp(subject(trigger), "bundle_item") == 0)
	{
		oms_queue_bundles(oms_store_of_trigger(trigger));
		return PointerGetDatum(NULL);
	}
	require_event(trigger, TRIGGER_FIRED_BEFORE(trigger->tg_event) && TRIGGER_FIRED_FOR_ROW(trigger->tg_event));
	store = oms_store_of_trigger(trigger);
	for (int i = 0; i < (int) lengthof(guards); i++)
	{
		if (strcmp(guards[i].subject, subject(trigger)) != 0)
			continue;
		require_event(trigger, strchr(guards[i].events, TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ? 'i'
									  : TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? 'u' : 'd') != NULL);
		return PointerGetDatum(guards[i].guard(store, trigger));
	}
	unknown_subject(trigger);
	PG_RETURN_NULL();
}

/*
 * oms_recheck is trigger function oms.recheck: AFTER ROW.
 */
Datum
oms_recheck(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Store	   *store;
	const char *what;

	oms_require_trigger(fcinfo, "recheck");
	what = subject(trigger);
	require_event(trigger, TRIGGER_FIRED_AFTER(trigger->tg_event) && TRIGGER_FIRED_FOR_ROW(trigger->tg_event) &&
				  TRIGGER_FIRED_BY_DELETE(trigger->tg_event) == (strcmp(what, "method") == 0));
	store = oms_store_of_trigger(trigger);
	if (strcmp(what, "order") == 0)
		oms_recheck_row(store, trigger, ENTITY_ORDER);
	else if (strcmp(what, "fulfillment") == 0)
		oms_recheck_row(store, trigger, ENTITY_FULFILLMENT);
	else if (strcmp(what, "line") == 0)
		oms_recheck_line(store, trigger, false);
	else if (strcmp(what, "charge") == 0)
		oms_recheck_line(store, trigger, true);
	else if (strcmp(what, "payment") == 0)
		oms_recheck_payment(store, trigger);
	else if (strcmp(what, "inbound") == 0)
		oms_recheck_inbound(store, trigger);
	else if (strcmp(what, "location") == 0)
		oms_recheck_location(store, trigger);
	else if (strcmp(what, "method") == 0)
		oms_recheck_method(store, trigger);
	else if (strcmp(what, "package") == 0)
		oms_recheck_package(store, trigger);
	else
		unknown_subject(trigger);
	return PointerGetDatum(NULL);
}

/*
 * oms_act is trigger function oms.act: AFTER STATEMENT.
 */
Datum
oms_act(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Store	   *store;
	const char *what;

	oms_require_trigger(fcinfo, "act");
	require_event(trigger, TRIGGER_FIRED_AFTER(trigger->tg_event) && TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event) &&
				  (trigger->tg_newtable || trigger->tg_oldtable));
	store = oms_store_of_trigger(trigger);
	what = subject(trigger);
	if (strcmp(what, "order") == 0)
		oms_act_moves(store, trigger, ENTITY_ORDER);
	else if (strcmp(what, "fulfillment") == 0)
		oms_act_moves(store, trigger, ENTITY_FULFILLMENT);
	else if (strcmp(what, "line") == 0)
		oms_act_lines(store, trigger, false);
	else if (strcmp(what, "charge") == 0)
		oms_act_lines(store, trigger, true);
	else if (strcmp(what, "hold") == 0)
		oms_act_holds(store, trigger);
	else if (strcmp(what, "movement") == 0)
		oms_act_movement(store, trigger);
	else if (strcmp(what, "inbound") == 0)
		oms_act_inbound(store, trigger);
	else if (strcmp(what, "payment_transaction") == 0)
		oms_act_transactions(store, trigger);
	else if (strcmp(what, "bundle_item") == 0)
		oms_act_bundle_items(store, trigger);
	else if (strcmp(what, "package") == 0)
		oms_act_packages(store, trigger);
	else if (strcmp(what, "package_line") == 0)
		oms_act_package_lines(store, trigger);
	else if (strcmp(what, "carrier_event") == 0)
		oms_act_carrier_events(store, trigger);
	else
		unknown_subject(trigger);
	return PointerGetDatum(NULL);
}

/*
 * oms_refuse is trigger function oms.refuse.  Its first argument says why:
 * engine (a column or table that the engine keeps, the second being the hint),
 * log (append-only), keep (never removed), key (never changed, the second
 * being the column).
 */
Datum
oms_refuse(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	char	   *table;
	const char *why;
	const char *more;

	oms_require_trigger(fcinfo, "refuse");
	table = RelationGetRelationName(trigger->tg_relation);
	why = subject(trigger);
	more = trigger->tg_trigger->tgnargs > 1 ? trigger->tg_trigger->tgargs[1] : "";
	if (strcmp(why, "engine") == 0 && TRIGGER_FIRED_FOR_ROW(trigger->tg_event) &&
		!TRIGGER_FIRED_BY_DELETE(trigger->tg_event) && oms_is_importing(oms_store_of_trigger(trigger)))
		return PointerGetDatum(TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple);
	if (strcmp(why, "engine") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_ENGINE_COLUMN),
				 errmsg("what the engine keeps in table \"%s\" cannot be written by hand", table),
				 more[0] != '\0' ? errhint("%c%s.", toupper((unsigned char) more[0]), more + 1) : 0,
				 errtable(trigger->tg_relation)));
	if (strcmp(why, "log") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_ENGINE_COLUMN),
				 errmsg("table \"%s\" is append-only", table),
				 errhint("What is written there stays; insert another row that sets it right."),
				 errtable(trigger->tg_relation)));
	if (strcmp(why, "key") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_IMMUTABLE),
				 errmsg("%s of table \"%s\" cannot change", more, table),
				 errhint("Other rows point to it; insert another row instead."),
				 errtable(trigger->tg_relation)));
	ereport(ERROR,
			(errcode(ERRCODE_OMS_IMMUTABLE),
			 errmsg("rows of table \"%s\" cannot be removed", table),
			 errhint("Orders are canceled, not removed; only drafts can be deleted, one by one."),
			 errtable(trigger->tg_relation)));
}

/*
 * oms_invalidate is trigger function oms.invalidate: it has every backend read
 * the store's workflows and settings again.  Both the relation that fired and
 * the store's table of that name are invalidated, which may not be the same
 * one (a shard has a name of its own).
 */
Datum
oms_invalidate(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Oid			namespace_oid;
	Oid			relid;

	oms_require_trigger(fcinfo, "invalidate");
	namespace_oid = RelationGetNamespace(trigger->tg_relation);
	CacheInvalidateRelcache(trigger->tg_relation);
	relid = get_relname_relid("workflows", namespace_oid);
	if (OidIsValid(relid) && relid != RelationGetRelid(trigger->tg_relation))
		CacheInvalidateRelcacheByRelid(relid);
	return PointerGetDatum(NULL);
}

/*
 * guard_order and guard_fulfillment judge a row of those.
 */
static HeapTuple
guard_order(Store *store, TriggerData *trigger)
{
	return oms_guard_row(store, trigger, ENTITY_ORDER);
}

static HeapTuple
guard_fulfillment(Store *store, TriggerData *trigger)
{
	return oms_guard_row(store, trigger, ENTITY_FULFILLMENT);
}

/*
 * guard_engine_row lets the engine alone write a table.
 */
static HeapTuple
guard_engine_row(Store *store, TriggerData *trigger)
{
	bool		is_event = strcmp(subject(trigger), "event") == 0;
	bool		may_come_in = TRIGGER_FIRED_BY_INSERT(trigger->tg_event) && !is_event;

	if (!oms_in_engine(store) && !(may_come_in && oms_is_importing(store)))
		ereport(ERROR,
				(errcode(TRIGGER_FIRED_BY_DELETE(trigger->tg_event) && !is_event ? ERRCODE_OMS_IMMUTABLE : ERRCODE_OMS_ENGINE_COLUMN),
				 errmsg("rows of table \"%s\" are written by the engine alone",
						RelationGetRelationName(trigger->tg_relation)),
				 errhint("Set orders.status or fulfillments.status, or call oms.split_fulfillment or oms.cancel_lines."),
				 errtable(trigger->tg_relation)));
	return TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
}

/*
 * guard_kept lets the engine alone write a table, asked once a statement; the
 * second argument is the hint.
 */
static void
guard_kept(const Store *store, TriggerData *trigger)
{
	if (!oms_in_engine(store))
		ereport(ERROR,
				(errcode(ERRCODE_OMS_ENGINE_COLUMN),
				 errmsg("table \"%s\" is written by the engine alone", RelationGetRelationName(trigger->tg_relation)),
				 trigger->tg_trigger->tgnargs > 1 ? errhint("%s.", trigger->tg_trigger->tgargs[1]) : 0,
				 errtable(trigger->tg_relation)));
}

/*
 * guard_line judges a line that is new or goes.
 */
static HeapTuple
guard_line(Store *store, TriggerData *trigger)
{
	return TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ? oms_guard_new_line(store, trigger) : oms_guard_line(store, trigger);
}

/*
 * guard_workflow judges a workflow before it is saved and counts the change.
 */
static HeapTuple
guard_workflow(Store *store, TriggerData *trigger)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	int			column = oms_require_column(tupdesc, "revision", INT8OID);
	bool		isnull;
	int64		revision = 1;

	oms_guard_workflow(store, trigger);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		revision = DatumGetInt64(SPI_getbinval(trigger->tg_trigtuple, tupdesc, column, &isnull)) + 1;
	return heap_modify_tuple_by_cols(TRIGGER_FIRED_BY_UPDATE(trigger->tg_event)
									 ? trigger->tg_newtuple : trigger->tg_trigtuple,
									 tupdesc, 1, &column, (Datum[]) {Int64GetDatum(revision)}, (bool[]) {false});
}

/*
 * require_workflow has a column name a workflow of an entity.
 */
static HeapTuple
require_workflow(Store *store, TriggerData *trigger, const char *column, EntityKind entity)
{
	HeapTuple	row = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	char	   *name = SPI_getvalue(row, tupdesc, SPI_fnumber(tupdesc, column));

	if (name)
		(void) oms_machine(store, name, entity);
	return row;
}

/*
 * guard_channel and guard_method have them name a workflow that orders or
 * fulfillments can follow.
 */
static HeapTuple
guard_channel(Store *store, TriggerData *trigger)
{
	return require_workflow(store, trigger, "order_workflow", ENTITY_ORDER);
}

static HeapTuple
guard_method(Store *store, TriggerData *trigger)
{
	return require_workflow(store, trigger, "workflow", ENTITY_FULFILLMENT);
}

/*
 * guard_sku says of a SKU that does not whether it is counted in stock: goods
 * are, what is downloaded or done is not, nor a bundle, whose components are.
 */
static HeapTuple
guard_sku(Store *store, TriggerData *trigger)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	int			column = oms_require_column(tupdesc, "tracked", BOOLOID);
	char	   *kind = SPI_getvalue(trigger->tg_trigtuple, tupdesc, SPI_fnumber(tupdesc, "kind"));
	bool		tracked = !kind || strcmp(kind, "physical") == 0;

	return heap_modify_tuple_by_cols(trigger->tg_trigtuple, tupdesc, 1, &column,
									 (Datum[]) {BoolGetDatum(tracked)}, (bool[]) {false});
}

/*
 * guard_address lets an address change only by erasure: a field may become
 * NULL and nothing else.
 */
static HeapTuple
guard_address(Store *store, TriggerData *trigger)
{
	static const char *const names[] = {
		"id", "name", "company", "line1", "line2", "city", "region", "postal_code", "country",
		"latitude", "longitude", "phone", "email"
	};
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);

	for (int i = 0; i < (int) lengthof(names); i++)
	{
		int			column = SPI_fnumber(tupdesc, names[i]);
		char	   *old = SPI_getvalue(trigger->tg_trigtuple, tupdesc, column);
		char	   *new = SPI_getvalue(trigger->tg_newtuple, tupdesc, column);

		if (new && (!old || strcmp(old, new) != 0))
			ereport(ERROR,
					(errcode(ERRCODE_OMS_IMMUTABLE),
					 errmsg("column \"%s\" of an address cannot change", names[i]),
					 errhint("Insert another address and point to it; to erase a person's data, set columns to NULL."),
					 errtablecol(trigger->tg_relation, column)));
	}
	return trigger->tg_newtuple;
}
