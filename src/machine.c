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

#include "machine.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"

static const StoreQuery read_workflows = {
	"SELECT w.name, w.entity, w.definition FROM @.workflows w", 0, {0}
};

static void read_machines(Store *store);
static void build_machine(Machine *machine);
static void measure_distances(Machine *machine);

/*
 * oms_entity_name returns an entity's name as columns and messages say it.
 */
const char *
oms_entity_name(EntityKind entity)
{
	return entity == ENTITY_ORDER ? "order" : "fulfillment";
}

/*
 * oms_entity_table returns the name of the table that an entity's rows are in.
 */
const char *
oms_entity_table(EntityKind entity)
{
	return entity == ENTITY_ORDER ? "orders" : "fulfillments";
}

/*
 * oms_keep_workflows takes the lock that writing an entity's rows takes anyway,
 * before anything is decided by a workflow: an edit that waits for us or that
 * we wait for is then seen whole or not at all.
 */
void
oms_keep_workflows(const Store *store, EntityKind entity)
{
	Oid			relid = get_relname_relid(oms_entity_table(entity), store->namespace_oid);

	if (OidIsValid(relid))
		LockRelationOid(relid, RowExclusiveLock);
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

	while (!store->machines_read)
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
 * oms_automatic_states returns the states of an entity's workflows that automatic
 * moves leave, each as its name, a blank and that of the workflow.
 */
Array *
oms_automatic_states(Store *store, EntityKind entity)
{
	Array	   *states = oms_array(TEXTOID, 16);
	HASH_SEQ_STATUS scan;
	Machine    *machine;

	while (!store->machines_read)
		read_machines(store);
	hash_seq_init(&scan, store->machines);
	while ((machine = hash_seq_search(&scan)) != NULL)
	{
		for (int state = 0; machine->entity == entity && state < machine->workflow->nstates; state++)
		{
			if (machine->has_automatic[state])
				oms_array_add_text(states, psprintf("%s %s", oms_machine_state_name(machine, state), machine->name));
		}
	}
	return states;
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
 * read_machines reads all workflows of a store.  What it has read counts only
 * where nothing changed meanwhile.
 */
static void
read_machines(Store *store)
{
	HASHCTL		control = {0};
	OwnerScope	scope;
	MemoryContext context;
	MemoryContext caller;
	uint64		changes;
	uint64		count;

	store->workflows_relid = get_relname_relid("workflows", store->namespace_oid);
	changes = store->workflows_changes;

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
			bool		found;
			char	   *name = oms_column_name(i, 1);
			Machine    *machine = hash_search(machines, name, HASH_ENTER, &found);

			machine->entity = strcmp(oms_column_name(i, 2), "order") == 0
				? ENTITY_ORDER : ENTITY_FULFILLMENT;
			machine->workflow = oms_workflow_from_text(cstring_to_text(oms_column_name(i, 3)));
			build_machine(machine);
		}
		if (store->machines_context)
			MemoryContextSetParent(store->machines_context, TopTransactionContext);
		MemoryContextSetParent(context, TopMemoryContext);
		store->machines_context = context;
		store->machines = machines;
		store->machines_read = changes == store->workflows_changes;
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
	machine->asks_functions = palloc0(workflow->nstates * sizeof(bool));
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
			machine->asks_functions[move->from] |= move->automatic && !built->guards[j].guard;
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
