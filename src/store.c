/*
 * store.c
 *	  The handle of a store, and acting as its owner.
 *
 * A store is a schema.  Triggers come here with the relation that fired and
 * take the store from its namespace; verbs come with a name.  Handles live as
 * long as the backend and are keyed by the schema's OID.  Invalidation
 * callbacks only mark what is stale; it is read again at the next use.
 * Memory that somebody further up the stack may still look at is handed to
 * the transaction, which frees it at its end.
 *
 * The engine acts as the store's owner the way foreign keys do: the user id is
 * switched and the security context marked, both of which an abort restores by
 * itself, and search_path is pinned at a GUC nest level of its own.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "oms.h"
#include "plan.h"
#include "rows.h"
#include "store.h"

static HTAB *stores = NULL;

static const StoreQuery read_settings = {
	"SELECT s.layout_version::pg_catalog.int8, s.number_prefix FROM @.settings s", 0, {0}
};

static Store *store_by_oid(Oid namespace_oid);
static void read_name(Store *store);
static void read_layout(Store *store);
static void namespace_changed(Datum arg, int cacheid, uint32 hashvalue);
static void relation_changed(Datum arg, Oid relid);

/*
 * oms_store_init makes the table of handles and asks to be told of changes.
 */
void
oms_store_init(void)
{
	HASHCTL		control = {0};

	control.keysize = sizeof(Oid);
	control.entrysize = sizeof(Store);
	stores = hash_create("oms stores", 16, &control, HASH_ELEM | HASH_BLOBS);
	CacheRegisterSyscacheCallback(NAMESPACEOID, namespace_changed, (Datum) 0);
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
}

/*
 * oms_store_by_name finds the store that a verb names; OM010 where there is
 * none, OM008 where its layout is another.
 */
Store *
oms_store_by_name(const char *name)
{
	Oid			namespace_oid = get_namespace_oid(name, true);
	AclResult	allowed;

	if (!OidIsValid(namespace_oid))
		ereport(ERROR,
				(errcode(ERRCODE_OMS_UNKNOWN_STORE),
				 errmsg("store \"%s\" does not exist", name),
				 errhint("Create it with SELECT oms.create_store(%s).",
						 quote_literal_cstr(name))));
#if PG_VERSION_NUM >= 160000
	allowed = object_aclcheck(NamespaceRelationId, namespace_oid, GetUserId(), ACL_USAGE);
#else
	allowed = pg_namespace_aclcheck(namespace_oid, GetUserId(), ACL_USAGE);
#endif
	if (allowed != ACLCHECK_OK)
		aclcheck_error(allowed, OBJECT_SCHEMA, name);
	return store_by_oid(namespace_oid);
}

/*
 * oms_store_argument finds the store that a verb's first argument names; of its
 * arguments so many must not be NULL, lest a mistyped variable look like
 * success.
 */
Store *
oms_store_argument(FunctionCallInfo fcinfo, int required)
{
	for (int i = 0; i < required; i++)
	{
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument %d of function %s must not be null", i + 1,
							format_procedure(fcinfo->flinfo->fn_oid))));
	}
	return oms_store_by_name(text_to_cstring(PG_GETARG_TEXT_PP(0)));
}

/*
 * oms_store_of_trigger finds the store whose table fired.  A table in it that
 * is not its owner's is not the engine's business: anybody with CREATE on the
 * schema could have made it to borrow the owner's rights.
 */
Store *
oms_store_of_trigger(const TriggerData *trigger)
{
	Relation	rel = trigger->tg_relation;
	Store	   *store = store_by_oid(RelationGetNamespace(rel));

	if (rel->rd_rel->relowner != store->owner)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_UNKNOWN_STORE),
				 errmsg("table \"%s\" does not belong to the owner of store \"%s\"",
						RelationGetRelationName(rel), store->name),
				 errhint("The engine's triggers work on a store's own tables only; "
						 "use oms.enforce_workflow on others.")));
	return store;
}

/*
 * oms_require_trigger refuses a call of a trigger function by anything else.
 */
void
oms_require_trigger(FunctionCallInfo fcinfo, const char *function)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function oms.%s can only be called as a trigger", function)));
}

/*
 * store_by_oid returns a schema's handle with all of it fresh.
 */
static Store *
store_by_oid(Oid namespace_oid)
{
	bool		found;
	Store	   *store = hash_search(stores, &namespace_oid, HASH_ENTER, &found);

	if (!found)
	{
		memset(store, 0, sizeof(Store));
		store->namespace_oid = namespace_oid;
	}
	if (!store->named)
		read_name(store);
	if (!store->set)
		read_layout(store);
	return store;
}

/*
 * read_name reads the schema's name and owner; a new name makes all plans,
 * which spell the old one, useless.
 */
static void
read_name(Store *store)
{
	HeapTuple	tuple = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(store->namespace_oid));
	Form_pg_namespace form;
	MemoryContext caller;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for schema %u", store->namespace_oid);
	form = (Form_pg_namespace) GETSTRUCT(tuple);

	if (store->name && strcmp(store->name, NameStr(form->nspname)) != 0)
	{
		oms_forget_plans(store);
		store->machines_read = false;
	}
	if (store->context)
		MemoryContextSetParent(store->context, TopTransactionContext);
	store->context = AllocSetContextCreate(TopMemoryContext, "oms store",
										   ALLOCSET_SMALL_SIZES);
	caller = MemoryContextSwitchTo(store->context);
	store->name = pstrdup(NameStr(form->nspname));
	store->quoted_name = pstrdup(quote_identifier(store->name));
	store->search_path = psprintf("pg_catalog, %s, pg_temp", store->quoted_name);
	store->number_prefix = NULL;
	MemoryContextSwitchTo(caller);
	store->owner = form->nspowner;
	ReleaseSysCache(tuple);
	store->set = false;
	store->named = true;
}

/*
 * read_layout reads settings, as the owner: who may use a store need not be
 * allowed to read them.
 */
static void
read_layout(Store *store)
{
	Oid			relid = get_relname_relid("settings", store->namespace_oid);
	OwnerScope	scope;
	int64		version;
	uint64		changes;

	if (!OidIsValid(relid) || get_rel_relkind(relid) != RELKIND_RELATION ||
		!OidIsValid(get_relname_relid("workflows", store->namespace_oid)))
		ereport(ERROR,
				(errcode(ERRCODE_OMS_UNKNOWN_STORE),
				 errmsg("schema \"%s\" is not a store", store->name),
				 errhint("A store is a schema made by oms.create_store.")));
	store->settings_relid = relid;
	store->number_sequence = get_relname_relid("order_number", store->namespace_oid);
	changes = store->settings_changes;

	oms_become_owner(store, &scope);
	oms_spi_begin();
	if (oms_run_latest(store, &read_settings, NULL) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_STORE_LAYOUT),
				 errmsg("store \"%s\" has no row in its table settings", store->name),
				 errhint("Restore the row, or run SELECT oms.upgrade_store(%s).",
						 quote_literal_cstr(store->name))));
	version = oms_column_int64(0, 1);
	store->number_prefix = MemoryContextStrdup(store->context, oms_column_text(0, 2));
	oms_spi_end();
	oms_leave_owner(&scope);

	if (version != OMS_LAYOUT_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_STORE_LAYOUT),
				 errmsg("store \"%s\" has layout " INT64_FORMAT ", but this version of oms works on layout %d",
						store->name, version, OMS_LAYOUT_VERSION),
				 errhint("Run SELECT oms.upgrade_store(%s).", quote_literal_cstr(store->name))));
	store->set = changes == store->settings_changes;
}

/*
 * namespace_changed marks handles whose schema may have a new name or owner.
 */
static void
namespace_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	HASH_SEQ_STATUS status;
	Store	   *store;

	hash_seq_init(&status, stores);
	while ((store = hash_seq_search(&status)) != NULL)
		store->named = false;
}

/*
 * relation_changed marks what was read from a table as stale; InvalidOid means
 * all tables.  oms.invalidate causes this by hand when rows changed.
 */
static void
relation_changed(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	Store	   *store;

	hash_seq_init(&status, stores);
	while ((store = hash_seq_search(&status)) != NULL)
	{
		if (!OidIsValid(relid) || relid == store->settings_relid)
		{
			store->set = false;
			store->settings_changes++;
		}
		if (!OidIsValid(relid) || relid == store->workflows_relid)
		{
			store->machines_read = false;
			store->workflows_changes++;
		}
	}
}

/*
 * oms_pin_search_path pins search_path for a verb that acts as its caller, and
 * returns the GUC nest level that undoes it.  The engine's part of the same
 * call pins it anyway; one path throughout spares foreign keys, whose plans
 * are kept with the path they were made in, from being planned twice a call.
 */
int
oms_pin_search_path(Store *store)
{
	int			guc_level = NewGUCNestLevel();

	if (!namespace_search_path || strcmp(namespace_search_path, store->search_path) != 0)
		(void) set_config_option("search_path", store->search_path, PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	return guc_level;
}

/*
 * oms_become_owner makes the engine act as the store's owner: with the owner's
 * rights on the store, with names looked up in pg_catalog and the store alone,
 * past the row level security that is forced on owners, as foreign keys are.
 * The actor is written down first, since the user is about to change.
 */
void
oms_become_owner(Store *store, OwnerScope *scope)
{
	bool		path_is_pinned = namespace_search_path &&
		strcmp(namespace_search_path, store->search_path) == 0;

	scope->guc_level = 0;
	if (!path_is_pinned || !oms_in_engine(store))
	{
		char	   *actor = pstrdup(oms_current_actor());

		scope->guc_level = NewGUCNestLevel();
		(void) set_config_option("oms.actor", actor, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
		(void) set_config_option("search_path", store->search_path, PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
		pfree(actor);
	}
	GetUserIdAndSecContext(&scope->user, &scope->sec_context);
	SetUserIdAndSecContext(store->owner,
						   scope->sec_context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
}

/*
 * oms_leave_owner undoes oms_become_owner.  An error needs no such call.
 */
void
oms_leave_owner(const OwnerScope *scope)
{
	SetUserIdAndSecContext(scope->user, scope->sec_context);
	if (scope->guc_level != 0)
		AtEOXact_GUC(true, scope->guc_level);
}

/*
 * oms_in_engine tells whether the engine is acting as the store's owner.  The
 * owner's own statements are not the engine's: what the engine keeps is
 * refused to the owner as well.
 */
bool
oms_in_engine(const Store *store)
{
	return InLocalUserIdChange() && GetUserId() == store->owner;
}
