/*
 * workflow_save.c
 *	  Judging a row of table workflows before it is saved.
 *
 * Reached by trigger oms_guard on workflows through lifecycle.c.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "machine.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"

static const StoreQuery count_rows_in_states[] = {
	{
		"SELECT o.status, pg_catalog.count(*) FROM @.orders o"
		" WHERE o.workflow" EQ "$1 AND NOT (o.status" EQ "ANY ($2)) GROUP BY o.status ORDER BY o.status",
		2, {TEXTOID, TEXTARRAYOID}
	},
	{
		"SELECT f.status, pg_catalog.count(*) FROM @.fulfillments f"
		" WHERE f.workflow" EQ "$1 AND NOT (f.status" EQ "ANY ($2)) GROUP BY f.status ORDER BY f.status",
		2, {TEXTOID, TEXTARRAYOID}
	}
};

static void lock_entity(Store *store, EntityKind entity);
static void require_known_names(Store *store, EntityKind entity, const char *name,
								const Workflow *workflow);
static void require_states_of_rows(Store *store, EntityKind entity, const char *name,
								   const Workflow *workflow);

/*
 * oms_guard_workflow judges a workflow before it is saved: the text must
 * parse, each guard and action must exist, and no row may be left in a state
 * that is gone.  The entity's table is locked against writers first, so that
 * no row enters such a state meanwhile and no move is judged half by the old
 * definition and half by the new.
 */
void
oms_guard_workflow(Store *store, TriggerData *trigger)
{
	TupleDesc	tupdesc = RelationGetDescr(trigger->tg_relation);
	bool		is_update = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	HeapTuple	row = is_update ? trigger->tg_newtuple : trigger->tg_trigtuple;
	char	   *name = SPI_getvalue(row, tupdesc, SPI_fnumber(tupdesc, "name"));
	char	   *entity_name = SPI_getvalue(row, tupdesc, SPI_fnumber(tupdesc, "entity"));
	char	   *definition = SPI_getvalue(row, tupdesc, SPI_fnumber(tupdesc, "definition"));
	EntityKind	entity;
	Workflow   *workflow;
	OwnerScope	scope;

	if (!name || !entity_name || !definition)
		return;					/* NOT NULL says so better */
	entity = strcmp(entity_name, "order") == 0 ? ENTITY_ORDER : ENTITY_FULFILLMENT;
	if (is_update)
	{
		char	   *old_name = SPI_getvalue(trigger->tg_trigtuple, tupdesc, SPI_fnumber(tupdesc, "name"));
		char	   *old_entity = SPI_getvalue(trigger->tg_trigtuple, tupdesc, SPI_fnumber(tupdesc, "entity"));

		if (strcmp(old_name, name) != 0 || strcmp(old_entity, entity_name) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_OMS_IMMUTABLE),
					 errmsg("name and entity of workflow \"%s\" cannot change", old_name),
					 errhint("Insert a workflow of the new name and have channels or methods point to it.")));
	}

	workflow = oms_workflow_from_text(cstring_to_text(definition));
	require_known_names(store, entity, name, workflow);
	oms_become_owner(store, &scope);
	lock_entity(store, entity);
	if (is_update)
		require_states_of_rows(store, entity, name, workflow);
	oms_leave_owner(&scope);
}

/*
 * lock_entity locks the entity's table against writers.  A transaction that
 * has locked the other's already does not wait for this one: who moves rows
 * locks both, in either order.
 */
static void
lock_entity(Store *store, EntityKind entity)
{
	Oid			relid = get_relname_relid(entity == ENTITY_ORDER ? "orders" : "fulfillments", store->namespace_oid);
	Oid			other = get_relname_relid(entity == ENTITY_ORDER ? "fulfillments" : "orders", store->namespace_oid);
	LOCKTAG		tag;
	bool		holds_other;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, other);
#if PG_VERSION_NUM >= 170000
	holds_other = LockHeldByMe(&tag, ShareRowExclusiveLock, false);
#else
	holds_other = LockHeldByMe(&tag, ShareRowExclusiveLock);
#endif
	if (!holds_other)
		LockRelationOid(relid, ShareRowExclusiveLock);
	else if (!ConditionalLockRelationOid(relid, ShareRowExclusiveLock))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("%ss of store \"%s\" are being changed by another session", oms_entity_name(entity), store->name),
				 errhint("Retry the transaction, or edit the workflows of one entity at a time.")));
}

/*
 * note_unknown adds a name to the findings, once.
 */
static void
note_unknown(StringInfo findings, int *count, const char *what, const char *name,
			 const char *store, const char *table, const char *result)
{
	char	   *finding = psprintf("unknown %s \"%s\": neither built in nor a function %s(%s.%s) returning %s that the store's owner owns\n",
								   what, name, quote_qualified_identifier(store, name),
								   quote_identifier(store), table, result);

	if (strstr(findings->data, finding) == NULL)
	{
		appendStringInfoString(findings, finding);
		(*count)++;
	}
}

/*
 * require_known_names refuses guards and actions that are neither built in nor
 * functions of the store, all of them at once.
 */
static void
require_known_names(Store *store, EntityKind entity, const char *name,
					const Workflow *workflow)
{
	const char *table = entity == ENTITY_ORDER ? "orders" : "fulfillments";
	StringInfoData findings;
	int			count = 0;

	initStringInfo(&findings);
	for (int i = 0; i < workflow->nmoves; i++)
	{
		const WorkflowMove *move = oms_workflow_move(workflow, i);

		for (int j = 0; j < move->nguards; j++)
		{
			const char *guard = oms_workflow_guard(workflow, move, j);

			if (!oms_find_guard(entity, guard) &&
				!OidIsValid(oms_store_function(store, entity, guard, BOOLOID)))
				note_unknown(&findings, &count, "guard", guard, store->name, table, "boolean");
		}
		for (int j = 0; j < move->nactions; j++)
		{
			const char *action = oms_workflow_action(workflow, move, j);

			if (!oms_find_action(entity, action) &&
				!OidIsValid(oms_store_function(store, entity, action, VOIDOID)))
				note_unknown(&findings, &count, "action", action, store->name, table, "void");
		}
	}
	if (count > 0)
	{
		char	   *first = pnstrdup(findings.data, strcspn(findings.data, "\n"));

		findings.data[findings.len - 1] = '\0';
		ereport(ERROR,
				(errcode(ERRCODE_OMS_WORKFLOW_UNSOUND),
				 count == 1 ? errmsg("workflow \"%s\" is unsound: %s", name, first)
				 : errmsg("workflow \"%s\" is unsound: %s (and %d more)", name, first, count - 1),
				 errdetail("%s", findings.data),
				 errhint("Correct the names, or create the functions first.")));
	}
}

/*
 * require_states_of_rows refuses a definition without a state that rows are in.
 */
static void
require_states_of_rows(Store *store, EntityKind entity, const char *name,
					   const Workflow *workflow)
{
	Array	   *states = oms_array(TEXTOID, workflow->nstates);
	Datum		args[2];
	uint64		count;

	for (int state = 0; state < workflow->nstates; state++)
		oms_array_add_text(states, oms_workflow_state_name(workflow, state));
	args[0] = CStringGetTextDatum(name);
	args[1] = oms_array_datum(states);

	oms_spi_begin();
	count = oms_run_latest(store, &count_rows_in_states[entity], args);
	if (count > 0)
	{
		StringInfoData where;

		initStringInfo(&where);
		for (uint64 i = 0; i < count; i++)
			appendStringInfo(&where, "%s" INT64_FORMAT " in \"%s\"", i == 0 ? "" : ", ",
							 oms_column_int64(i, 2), oms_column_text(i, 1));
		ereport(ERROR,
				(errcode(ERRCODE_OMS_WORKFLOW_UNSOUND),
				 errmsg("workflow \"%s\" must keep the states that %ss are in: %s", name,
						oms_entity_name(entity), where.data),
				 errhint("Keep the state, or move those rows out of it first.")));
	}
	oms_spi_end();
}
