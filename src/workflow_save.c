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

#include "functions.h"
#include "machine.h"
#include "oms.h"
#include "plan.h"
#include "replace.h"
#include "rows.h"
#include "workflow_lint.h"

/* Which states rows are in, what they hold (see Holding), and whether they are closed. */
static const StoreQuery count_rows[] = {
	{
		"SELECT o.status, CASE WHEN o.placed_at IS NULL THEN 'untaken'"
		" WHEN o.units_allocated" PLUS "o.units_backordered" PLUS "o.units_short" GT "0 THEN 'held' ELSE 'ended' END,"
		" o.closed_at IS NOT NULL, pg_catalog.count(*) FROM @.orders o WHERE o.workflow" EQ "$1 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
		1, {TEXTOID}
	},
	{
		"SELECT f.status, CASE f.stock_state WHEN 'reserved' THEN 'held' WHEN 'released' THEN 'ended'"
		" WHEN 'issued' THEN CASE WHEN f.delivered_at IS NULL THEN 'left' ELSE 'delivered' END END,"
		" f.closed_at IS NOT NULL, pg_catalog.count(*) FROM @.fulfillments f WHERE f.workflow" EQ "$1 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
		1, {TEXTOID}
	}
};

/* What lint and the search for names have found. */
typedef struct Findings
{
	StringInfoData errors;		/* one a line */
	StringInfoData warnings;
	int			count;			/* of errors */
} Findings;

static void lock_entity(Store *store, EntityKind entity);
static void find_unknown_names(Store *store, EntityKind entity, const Workflow *workflow,
							   Findings *findings);
static void find_faults(EntityKind entity, const Workflow *workflow, const uint8 *rows,
						Findings *findings);
static void require_sound(const char *name, const Findings *findings, const char *hint);
static char *require_states_of_rows(Store *store, EntityKind entity, const char *name,
									const Workflow *workflow, uint8 *rows);
static void refuse_states(EntityKind entity, const char *name, const char *what, const char *where,
						  const char *hint);
static Findings *no_findings(void);

/*
 * oms_guard_workflow judges a workflow before it is saved: the text must
 * parse, each guard and action must exist, lint must find no error, and no row
 * may be left in a state that is gone, or from where it would come to harm.
 * The entity's table is locked against writers first, so that no row enters
 * such a state meanwhile and no move is judged half by the old definition and
 * half by the new.
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
	Findings   *findings = no_findings();
	OwnerScope	scope;

	if (!name || !entity_name || !definition)
		return;					/* NOT NULL says so better */
	if (strcmp(entity_name, "order") != 0 && strcmp(entity_name, "fulfillment") != 0)
		return;					/* and a CHECK this */
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
	find_unknown_names(store, entity, workflow, findings);
	find_faults(entity, workflow, NULL, findings);
	require_sound(name, findings, "SELECT * FROM oms.lint(...) says the same before you save. Correct the text, or create the functions first.");
	oms_become_owner(store, &scope);
	lock_entity(store, entity);
	if (is_update)
	{
		uint8		rows[WORKFLOW_MAX_STATES] = {0};
		char	   *turned = require_states_of_rows(store, entity, name, workflow, rows);

		findings = no_findings();
		find_faults(entity, workflow, rows, findings);
		require_sound(name, findings, "New rows do well by it; those that are in the first state of each of these ways now, or are put there by a map, do not.");
		if (turned)
			refuse_states(entity, name, "keep whether a state that %ss are in is final: %s", turned,
						  "Save it with oms.replace_workflow, which closes or opens those rows.");
	}
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
	Oid			relid = get_relname_relid(oms_entity_table(entity), store->namespace_oid);
	Oid			other = get_relname_relid(oms_entity_table(entity == ENTITY_ORDER ? ENTITY_FULFILLMENT : ENTITY_ORDER),
										  store->namespace_oid);
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
 * no_findings makes an empty list.
 */
static Findings *
no_findings(void)
{
	Findings   *findings = palloc0(sizeof(Findings));

	initStringInfo(&findings->errors);
	initStringInfo(&findings->warnings);
	return findings;
}

/*
 * note_unknown adds a name to the findings, once.
 */
static void
note_unknown(Findings *findings, const char *what, const char *name,
			 const char *store, const char *table, const char *result)
{
	char	   *finding = psprintf("unknown_%s: %s \"%s\" is neither built in nor a function %s(%s.%s) returning %s that the store's owner owns\n",
								   what, what, name, quote_qualified_identifier(store, name),
								   quote_identifier(store), table, result);

	if (strstr(findings->errors.data, finding) == NULL)
	{
		appendStringInfoString(&findings->errors, finding);
		findings->count++;
	}
}

/*
 * find_unknown_names finds guards and actions that are neither built in nor
 * functions of the store.
 */
static void
find_unknown_names(Store *store, EntityKind entity, const Workflow *workflow, Findings *findings)
{
	const char *table = oms_entity_table(entity);

	for (int i = 0; i < workflow->nmoves; i++)
	{
		const WorkflowMove *move = oms_workflow_move(workflow, i);

		for (int j = 0; j < move->nguards; j++)
		{
			const char *guard = oms_workflow_guard(workflow, move, j);

			if (!oms_find_guard(entity, guard) &&
				!OidIsValid(oms_store_function(store, entity, guard, BOOLOID)))
				note_unknown(findings, "guard", guard, store->name, table, "boolean");
		}
		for (int j = 0; j < move->nactions; j++)
		{
			const char *action = oms_workflow_action(workflow, move, j);

			if (!oms_find_action(entity, action) &&
				!OidIsValid(oms_store_function(store, entity, action, VOIDOID)))
				note_unknown(findings, "action", action, store->name, table, "void");
		}
	}
}

/*
 * find_faults adds what lint finds, for new rows or for those that there are.
 * Names were looked up in the store, so lint's word on them does not count.
 */
static void
find_faults(EntityKind entity, const Workflow *workflow, const uint8 *rows, Findings *findings)
{
	LintReport *report = oms_workflow_lint(workflow, entity == ENTITY_ORDER ? LINT_ORDER : LINT_FULFILLMENT, rows);

	for (int i = 0; i < report->count; i++)
	{
		const LintFinding *finding = &report->findings[i];

		if (strncmp(finding->code, "unknown_", strlen("unknown_")) == 0)
			continue;
		if (finding->is_error)
			appendStringInfo(&findings->errors, "%s: %s\n", finding->code, finding->message);
		else
			appendStringInfo(&findings->warnings, "warning %s: %s\n", finding->code, finding->message);
		findings->count += finding->is_error;
	}
	oms_lint_free(report);
}

/*
 * require_sound refuses a workflow with errors; warnings alone do no harm.
 */
static void
require_sound(const char *name, const Findings *findings, const char *hint)
{
	char	   *first;
	char	   *all;

	if (findings->count == 0)
		return;
	first = pnstrdup(findings->errors.data, strcspn(findings->errors.data, "\n"));
	all = psprintf("%s%s", findings->errors.data, findings->warnings.data);
	all[strlen(all) - 1] = '\0';
	ereport(ERROR,
			(errcode(ERRCODE_OMS_WORKFLOW_UNSOUND),
			 findings->count == 1 ? errmsg("workflow \"%s\" is unsound: %s", name, first)
			 : errmsg("workflow \"%s\" is unsound: %s (and %d more)", name, first, findings->count - 1),
			 errdetail("%s", all),
			 errhint("%s", hint)));
}

/*
 * holding_bit returns lint's bit for what count_rows says a row has.
 */
static uint8
holding_bit(const char *word)
{
	static const char *const words[HOLDINGS] = {"untaken", "held", "left", "delivered", "ended"};

	for (int holding = 0; holding < HOLDINGS; holding++)
	{
		if (strcmp(words[holding], word) == 0)
			return (uint8) (1 << holding);
	}
	elog(ERROR, "rows hold what lint does not know: %s", word);
}

/*
 * require_states_of_rows refuses a definition without a state that rows are in,
 * and returns the states by which rows that are closed would not be, or the
 * other way round, NULL for none; oms.replace_workflow sees to both.  It fills in
 * what rows hold in each state.
 */
static char *
require_states_of_rows(Store *store, EntityKind entity, const char *name,
					   const Workflow *workflow, uint8 *rows)
{
	bool		is_replaced = oms_is_replacing(store, name);
	StringInfoData gone;
	StringInfoData turned;
	char	   *last = NULL;
	int64		total = 0;
	uint64		count;

	initStringInfo(&gone);
	initStringInfo(&turned);
	oms_spi_begin();
	count = oms_run_latest(store, &count_rows[entity], (Datum[]) {CStringGetTextDatum(name)});
	for (uint64 i = 0; i < count; i++)
	{
		char	   *old_status = oms_column_text(i, 1);
		const char *status = oms_replaced_status(store, name, old_status);
		int			state = oms_workflow_state(workflow, status, strlen(status));

		total = (last && strcmp(last, old_status) == 0 ? total : 0) + oms_column_int64(i, 4);
		last = old_status;
		if (state >= 0 && !oms_column_is_null(i, 2))
			rows[state] |= holding_bit(oms_column_text(i, 2));
		else if (state < 0 && (i + 1 == count || strcmp(oms_column_text(i + 1, 1), old_status) != 0))
			appendStringInfo(&gone, "%s" INT64_FORMAT " in \"%s\"", gone.len == 0 ? "" : ", ", total, old_status);
		if (state >= 0 && !is_replaced &&
			oms_column_bool(i, 3) != oms_workflow_is_final(workflow, state))
			appendStringInfo(&turned, "%s" INT64_FORMAT " in \"%s\"", turned.len == 0 ? "" : ", ",
							 oms_column_int64(i, 4), status);
	}
	if (gone.len > 0)
		refuse_states(entity, name, "keep the states that %ss are in: %s", gone.data,
					  "Keep the state, move those rows out of it first, or say what becomes of it in the map of oms.replace_workflow.");
	oms_spi_end();
	return turned.len > 0 ? turned.data : NULL;
}

/*
 * refuse_states says which rows stand against a definition.
 */
static void
refuse_states(EntityKind entity, const char *name, const char *what, const char *where, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_OMS_WORKFLOW_UNSOUND),
			 errmsg("workflow \"%s\" must %s", name, psprintf(what, oms_entity_name(entity), where)),
			 errhint("%s", hint)));
}
