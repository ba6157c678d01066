/*
 * replace.c
 *	  oms.replace_workflow: a definition whose states differ from those that
 *	  rows are in.
 *
 * The definition is saved by the caller's own UPDATE, so that whoever may edit
 * workflows may call this, and saving is judged as ever (workflow_save.c),
 * with each row where the map puts it.  Then the rows follow by one statement
 * of the engine's.  That is no move: no guard is asked, no action runs and
 * nothing moves by itself; judge.c and moves.c let pass what they find by
 * oms_is_migrated.
 *
 * By then the entity's table is locked against writers.  A row can still be
 * locked by who is about to write it, and so waits for us: for such a row
 * nobody waits, it raises 40001.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

#include "machine.h"
#include "oms.h"
#include "plan.h"
#include "queue.h"
#include "replace.h"
#include "rows.h"

PG_FUNCTION_INFO_V1(oms_replace_workflow);

/* As the caller. */
static const StoreQuery read_workflow = {
	"SELECT w.entity, w.definition FROM @.workflows w WHERE w.name" EQ "$1", 1, {TEXTOID}
};

static const StoreQuery save_workflow = {
	"UPDATE @.workflows SET definition = $2 WHERE name" EQ "$1", 2, {TEXTOID, TEXTOID}
};

/* $1 the workflow; $2, $3 a status before and after; $4 whether the latter is final. */
#define MAP \
	" ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4)) AS m(before, after, is_final)"
#define ORDER_CHANGES \
	" o.workflow" EQ "$1 AND o.status" EQ "m.before" \
	" AND (m.before" NE "m.after OR m.is_final" NE "(o.closed_at IS NOT NULL))"
#define FULFILLMENT_CHANGES \
	" f.workflow" EQ "$1 AND f.status" EQ "m.before" \
	" AND (m.before" NE "m.after OR m.is_final" NE "(f.closed_at IS NOT NULL))"
#define BUSY(table, changes) \
	"SELECT (SELECT pg_catalog.count(*) FROM " table "," MAP " WHERE" changes ")" \
	MINUS "(SELECT pg_catalog.count(*) FROM (SELECT FROM " table "," MAP " WHERE" changes " FOR NO KEY UPDATE OF "
#define MAP_ARGS {TEXTOID, TEXTARRAYOID, TEXTARRAYOID, BOOLARRAYOID}

static const StoreQuery count_busy[] = {
	{BUSY("@.orders o", ORDER_CHANGES) "o SKIP LOCKED) x)", 4, MAP_ARGS},
	{BUSY("@.fulfillments f", FULFILLMENT_CHANGES) "f SKIP LOCKED) x)", 4, MAP_ARGS}
};

#define LOG_MOVES(entity) \
	" INSERT INTO @.order_events (order_id, entity, entity_id, event, from_status, to_status, reason, actor, detail)" \
	" SELECT c.order_id, '" entity "', c.id, 'moved', c.before, c.after, c.status_reason, $5," \
	" pg_catalog.jsonb_build_object('workflow', $1) FROM changed c WHERE c.before" NE "c.after ORDER BY c.id"

static const StoreQuery migrate_rows[] = {
	{
		"WITH changed AS (UPDATE @.orders o SET status = m.after, revision = o.revision" PLUS "1,"
		" closed_at = CASE WHEN m.is_final THEN COALESCE(o.closed_at, pg_catalog.now()) END FROM" MAP " WHERE" ORDER_CHANGES
		" RETURNING o.id, o.id AS order_id, m.before, m.after, o.status_reason)" LOG_MOVES("order"),
		5, {TEXTOID, TEXTARRAYOID, TEXTARRAYOID, BOOLARRAYOID, TEXTOID}
	},
	{
		"WITH changed AS (UPDATE @.fulfillments f SET status = m.after, revision = f.revision" PLUS "1,"
		" closed_at = CASE WHEN m.is_final THEN COALESCE(f.closed_at, pg_catalog.now()) END FROM" MAP " WHERE" FULFILLMENT_CHANGES
		" RETURNING f.id, f.order_id, m.before, m.after, f.status_reason)" LOG_MOVES("fulfillment"),
		5, {TEXTOID, TEXTARRAYOID, TEXTARRAYOID, BOOLARRAYOID, TEXTOID}
	}
};

/* Rows that an older snapshot did not show. */
static const StoreQuery count_left[] = {
	{
		"SELECT pg_catalog.count(*) FROM @.orders o LEFT JOIN ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3))"
		" AS s(state, is_final) ON s.state" EQ "o.status WHERE o.workflow" EQ "$1"
		" AND (s.state IS NULL OR s.is_final" NE "(o.closed_at IS NOT NULL))",
		3, {TEXTOID, TEXTARRAYOID, BOOLARRAYOID}
	},
	{
		"SELECT pg_catalog.count(*) FROM @.fulfillments f LEFT JOIN ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3))"
		" AS s(state, is_final) ON s.state" EQ "f.status WHERE f.workflow" EQ "$1"
		" AND (s.state IS NULL OR s.is_final" NE "(f.closed_at IS NOT NULL))",
		3, {TEXTOID, TEXTARRAYOID, BOOLARRAYOID}
	}
};

/* What becomes of a workflow's states: those not named stay. */
typedef struct Replacement
{
	const Store *store;
	const char *workflow;
	int			count;
	const char **before;
	const char **after;
} Replacement;

/* the one that is being made in this session, or NULL */
static const Replacement *replacement = NULL;

static void require_edit(const Store *store);
static void read_map(Jsonb *map, const Workflow *old, const Workflow *new, Replacement *r);
static int64 replace(Store *store, EntityKind entity, const char *definition, const Workflow *old,
					 const Workflow *new, const Replacement *r);
static int64 migrate(Store *store, EntityKind entity, const Workflow *old, const Workflow *new,
					 const Replacement *r);

/*
 * oms_replace_workflow is oms.replace_workflow(store, name, definition, map).
 */
Datum
oms_replace_workflow(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 3);
	char	   *definition = text_to_cstring(PG_GETARG_TEXT_PP(2));
	Replacement r = {.store = store, .workflow = text_to_cstring(PG_GETARG_TEXT_PP(1))};
	Workflow   *old;
	Workflow   *new;
	EntityKind	entity;
	int64		migrated;

	require_edit(store);
	(void) oms_stand_in_line(store, QUEUE_WORKFLOWS, "workflows", "");
	oms_spi_begin();
	if (oms_run(store, &read_workflow, (Datum[]) {CStringGetTextDatum(r.workflow)}) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_WORKFLOW_UNSOUND),
				 errmsg("workflow \"%s\" does not exist in store \"%s\"", r.workflow, store->name),
				 errhint("Insert it into workflows first.")));
	entity = strcmp(oms_column_name(0, 1), "order") == 0 ? ENTITY_ORDER : ENTITY_FULFILLMENT;
	old = oms_workflow_from_text(cstring_to_text(oms_column_name(0, 2)));
	new = oms_workflow_from_text(cstring_to_text(definition));
	if (!PG_ARGISNULL(3))
		read_map(PG_GETARG_JSONB_P(3), old, new, &r);
	migrated = replace(store, entity, definition, old, new, &r);
	oms_spi_end();
	PG_RETURN_INT64(migrated);
}

/*
 * require_edit asks whether the caller may edit workflows, before standing in
 * the way of those who may.
 */
static void
require_edit(const Store *store)
{
	Oid			relid = get_relname_relid("workflows", store->namespace_oid);

	if (OidIsValid(relid) &&
		pg_class_aclcheck(relid, GetUserId(), ACL_UPDATE) != ACLCHECK_OK &&
		pg_attribute_aclcheck(relid, get_attnum(relid, "definition"), GetUserId(), ACL_UPDATE) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, "workflows");
}

/*
 * read_map reads {"old state": "new state"}; both must exist.
 */
static void
read_map(Jsonb *map, const Workflow *old, const Workflow *new, Replacement *r)
{
	JsonbIterator *iterator = JsonbIteratorInit(&map->root);
	JsonbIteratorToken token;
	JsonbValue	value;

	if (!JB_ROOT_IS_OBJECT(map))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("map must be an object"),
				 errhint("Write {\"old state\": \"new state\"}.")));
	r->before = palloc((JB_ROOT_COUNT(map) + 1) * sizeof(char *));
	r->after = palloc((JB_ROOT_COUNT(map) + 1) * sizeof(char *));
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			(void) oms_workflow_require_state(old, value.val.string.val, value.val.string.len);
			r->before[r->count] = pnstrdup(value.val.string.val, value.val.string.len);
		}
		else if (token == WJB_VALUE)
		{
			if (value.type != jbvString)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("map must say a state by name for \"%s\"", r->before[r->count]),
						 errhint("Write {\"old state\": \"new state\"}.")));
			(void) oms_workflow_require_state(new, value.val.string.val, value.val.string.len);
			r->after[r->count++] = pnstrdup(value.val.string.val, value.val.string.len);
		}
	}
}

/*
 * replace saves the definition and has the rows follow.
 */
static int64
replace(Store *store, EntityKind entity, const char *definition, const Workflow *old,
		const Workflow *new, const Replacement *r)
{
	const Replacement *before = replacement;
	int64		migrated = 0;

	replacement = r;
	PG_TRY();
	{
		OwnerScope	scope;

		if (oms_run(store, &save_workflow, (Datum[]) {CStringGetTextDatum(r->workflow), CStringGetTextDatum(definition)}) != 1)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("workflow \"%s\" cannot be edited by you", r->workflow)));
		oms_become_owner(store, &scope);
		migrated = migrate(store, entity, old, new, r);
		oms_leave_owner(&scope);
	}
	PG_FINALLY();
	{
		replacement = before;
	}
	PG_END_TRY();
	return migrated;
}

/*
 * migrate has rows follow, and says how many have another status now.
 */
static int64
migrate(Store *store, EntityKind entity, const Workflow *old, const Workflow *new, const Replacement *r)
{
	Array	   *before = oms_array(TEXTOID, old->nstates);
	Array	   *after = oms_array(TEXTOID, old->nstates);
	Array	   *ends = oms_array(BOOLOID, old->nstates);
	Array	   *states = oms_array(TEXTOID, new->nstates);
	Array	   *finals = oms_array(BOOLOID, new->nstates);
	Datum		args[5];
	int64		migrated;

	for (int i = 0; i < old->nstates; i++)
	{
		const char *name = oms_workflow_state_name(old, i);
		const char *status = oms_replaced_status(store, r->workflow, name);
		int			state = oms_workflow_state(new, status, strlen(status));

		if (state < 0)
			continue;			/* no row is in it: the guard saw to that */
		oms_array_add_text(before, name);
		oms_array_add_text(after, status);
		oms_array_add(ends, BoolGetDatum(oms_workflow_is_final(new, state)));
	}
	args[0] = CStringGetTextDatum(r->workflow);
	args[1] = oms_array_datum(before);
	args[2] = oms_array_datum(after);
	args[3] = oms_array_datum(ends);
	args[4] = CStringGetTextDatum(oms_current_actor());
	(void) oms_run(store, &count_busy[entity], args);
	if (oms_column_int64(0, 1) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("%ss of workflow \"%s\" are being changed by another session", oms_entity_name(entity), r->workflow),
				 errhint("Retry the transaction.")));
	migrated = (int64) oms_run(store, &migrate_rows[entity], args);

	for (int i = 0; i < new->nstates; i++)
	{
		oms_array_add_text(states, oms_workflow_state_name(new, i));
		oms_array_add(finals, BoolGetDatum(oms_workflow_is_final(new, i)));
	}
	args[1] = oms_array_datum(states);
	args[2] = oms_array_datum(finals);
	(void) oms_run_latest(store, &count_left[entity], args);
	if (oms_column_int64(0, 1) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("%ss of workflow \"%s\" were changed since this transaction began", oms_entity_name(entity), r->workflow),
				 errhint("Retry the transaction.")));
	return migrated;
}

/*
 * oms_is_replacing tells whether a workflow is being replaced, and its rows will
 * follow.
 */
bool
oms_is_replacing(const Store *store, const char *workflow)
{
	return replacement && replacement->store == store && strcmp(replacement->workflow, workflow) == 0;
}

/*
 * oms_replaced_status returns what a status becomes: itself, as a rule.
 */
const char *
oms_replaced_status(const Store *store, const char *workflow, const char *status)
{
	if (!oms_is_replacing(store, workflow))
		return status;
	for (int i = 0; i < replacement->count; i++)
	{
		if (strcmp(replacement->before[i], status) == 0)
			return replacement->after[i];
	}
	return status;
}

/*
 * oms_is_migrated tells whether a row of a workflow that the engine has written
 * only follows a new definition.
 */
bool
oms_is_migrated(const Store *store, const char *workflow, const char *from, const char *to)
{
	return oms_is_replacing(store, workflow) && strcmp(oms_replaced_status(store, workflow, from), to) == 0;
}
