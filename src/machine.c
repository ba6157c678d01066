/*
 * machine.c
 *	  A store's workflows as the engine runs them.
 *
 * Each backend keeps all workflows of a store it works on, compiled and with
 * guards and actions resolved, so that checking a move costs no query.  They
 * are read with the latest snapshot (a REPEATABLE READ transaction would
 * otherwise keep the old text for good) and read again once the row trigger on
 * workflows has invalidated them (oms.invalidate, through the relcache).
 *
 * A move is judged by one definition from BEFORE to AFTER: saving a workflow
 * takes a lock on the entity's table that conflicts with writers, so it waits
 * for transactions that move rows and they for it.
 */
#include "postgres.h"

#include <limits.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "machine.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"

static const StoreQuery read_workflows = {
	"SELECT w.name, w.entity, w.definition FROM @.workflows w", 0, {0}
};

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

static void read_machines(Store *store);
static void build_machine(Machine *machine);
static void measure_distances(Machine *machine);
static void require_known_names(Store *store, EntityKind entity, const char *name,
								const Workflow *workflow);
static void require_states_of_rows(Store *store, EntityKind entity, const char *name,
								   const Workflow *workflow);

/*
 * oms_entity_name returns an entity's name as columns and messages say it.
 */
const char *
oms_entity_name(EntityKind entity)
{
	return entity == ENTITY_ORDER ? "order" : "fulfillment";
}

/*
 * oms_machine returns the store's workflow of that name, which must be one for
 * this entity.
 */
Machine *
oms_machine(Store *store, const char *name, EntityKind entity)
{
	Machine    *machine;
	char		key[sizeof(machine->name)] = {0};

	if (!store->machines_read)
		read_machines(store);
	strlcpy(key, name, sizeof(key));
	machine = hash_search(store->machines, key, HASH_FIND, NULL);
	if (!machine)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_WORKFLOW_UNSOUND),
				 errmsg("workflow \"%s\" does not exist in store \"%s\"", name, store->name),
				 errhint("Insert it into workflows first.")));
	if (machine->entity != entity)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_WORKFLOW_UNSOUND),
				 errmsg("workflow \"%s\" is for entity \"%s\", not \"%s\"", name,
						oms_entity_name(machine->entity), oms_entity_name(entity))));
	return machine;
}

/*
 * oms_machine_state returns a status's number, -1 where the workflow has no
 * such state.
 */
int
oms_machine_state(const Machine *machine, const char *status)
{
	return oms_workflow_state(machine->workflow, status, strlen(status));
}

/*
 * oms_machine_state_name returns a state's name.
 */
const char *
oms_machine_state_name(const Machine *machine, int state)
{
	return oms_workflow_state_name(machine->workflow, state);
}

/*
 * does tells whether a move has an action.
 */
static bool
does(const MachineMove *move, const char *action)
{
	for (int i = 0; i < move->nactions; i++)
	{
		if (strcmp(move->actions[i].name, action) == 0)
			return true;
	}
	return false;
}

/*
 * oms_machine_move_by_action returns the move by which a row leaves a state
 * with this action.  Where there are several, the one to where the initial
 * state's goes is preferred (a pickup that is canceled becomes canceled, not
 * uncollected), then the first that a person may make, then the first.
 */
const MachineMove *
oms_machine_move_by_action(const Machine *machine, int from, const char *action)
{
	const MachineMove *best = NULL;
	int			usual = -1;
	int			best_rank = -1;

	for (int i = 0; i < machine->workflow->nmoves && usual < 0; i++)
	{
		const MachineMove *move = &machine->moves[i];

		if (move->from == machine->workflow->initial && does(move, action))
			usual = move->to;
	}
	for (int i = 0; i < machine->workflow->nmoves; i++)
	{
		const MachineMove *move = &machine->moves[i];
		int			rank = (move->is_automatic ? 0 : 2) + (move->to == usual ? 1 : 0);

		if (move->from != from || !does(move, action) || rank <= best_rank)
			continue;
		best = move;
		best_rank = rank;
	}
	return best;
}

/*
 * read_machines reads all workflows of a store.  The flag is set before
 * reading: an invalidation that arrives meanwhile clears it again.
 */
static void
read_machines(Store *store)
{
	HASHCTL		control = {0};
	OwnerScope	scope;
	MemoryContext context;
	MemoryContext caller;
	uint64		count;

	store->workflows_relid = get_relname_relid("workflows", store->namespace_oid);
	store->machines_read = true;

	context = AllocSetContextCreate(CurrentMemoryContext, "oms machines",
									ALLOCSET_DEFAULT_SIZES);
	control.keysize = sizeof(((Machine *) NULL)->name);
	control.entrysize = sizeof(Machine);
	control.hcxt = context;

	oms_become_owner(store, &scope);
	oms_spi_begin();
	count = oms_run_latest(store, &read_workflows, NULL);
	caller = MemoryContextSwitchTo(context);
	{
		HTAB	   *machines = hash_create("oms machines", 32, &control,
										   HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);

		for (uint64 i = 0; i < count; i++)
		{
			bool		isnull;
			bool		found;
			char	   *name = oms_column_text(i, 1);
			Machine    *machine = hash_search(machines, name, HASH_ENTER, &found);

			machine->entity = strcmp(oms_column_text(i, 2), "order") == 0
				? ENTITY_ORDER : ENTITY_FULFILLMENT;
			machine->workflow = oms_workflow_from_text(DatumGetTextPP(oms_column(i, 3, &isnull)));
			build_machine(machine);
		}
		if (store->machines_context)
			MemoryContextSetParent(store->machines_context, TopTransactionContext);
		MemoryContextSetParent(context, TopMemoryContext);
		store->machines_context = context;
		store->machines = machines;
	}
	MemoryContextSwitchTo(caller);
	oms_spi_end();
	oms_leave_owner(&scope);
}

/*
 * build_machine resolves the names of a workflow's guards and actions.
 */
static void
build_machine(Machine *machine)
{
	const Workflow *workflow = machine->workflow;

	machine->moves = palloc0(Max(1, workflow->nmoves) * sizeof(MachineMove));
	machine->has_automatic = palloc0(workflow->nstates * sizeof(bool));
	for (int i = 0; i < workflow->nmoves; i++)
	{
		const WorkflowMove *move = oms_workflow_move(workflow, i);
		MachineMove *built = &machine->moves[i];

		built->from = move->from;
		built->to = move->to;
		built->is_automatic = move->automatic;
		built->nguards = move->nguards;
		built->nactions = move->nactions;
		built->guards = palloc(Max(1, move->nguards) * sizeof(GuardUse));
		built->actions = palloc(Max(1, move->nactions) * sizeof(ActionUse));
		for (int j = 0; j < move->nguards; j++)
		{
			built->guards[j].name = oms_workflow_guard(workflow, move, j);
			built->guards[j].guard = oms_find_guard(machine->entity, built->guards[j].name);
		}
		for (int j = 0; j < move->nactions; j++)
		{
			built->actions[j].name = oms_workflow_action(workflow, move, j);
			built->actions[j].action = oms_find_action(machine->entity, built->actions[j].name);
		}
		if (move->automatic)
			machine->has_automatic[move->from] = true;
	}
	measure_distances(machine);
}

/*
 * measure_distances counts, for each state, the moves until goods have left:
 * breadth first, backwards from the moves that do issue.
 */
static void
measure_distances(Machine *machine)
{
	const Workflow *workflow = machine->workflow;
	bool		changed = true;

	machine->distance = palloc(workflow->nstates * sizeof(int));
	for (int state = 0; state < workflow->nstates; state++)
		machine->distance[state] = INT_MAX;

	while (changed)
	{
		changed = false;
		for (int i = 0; i < workflow->nmoves; i++)
		{
			const MachineMove *move = &machine->moves[i];
			int			distance = machine->distance[move->to];

			if (does(move, "issue"))
				distance = 0;
			if (distance != INT_MAX && distance + 1 < machine->distance[move->from])
			{
				machine->distance[move->from] = distance + 1;
				changed = true;
			}
		}
	}
}

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
	LockRelationOid(get_relname_relid(entity == ENTITY_ORDER ? "orders" : "fulfillments",
									  store->namespace_oid), ShareRowExclusiveLock);
	if (is_update)
		require_states_of_rows(store, entity, name, workflow);
	oms_leave_owner(&scope);
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
