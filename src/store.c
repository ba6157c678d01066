/*
 * store.c
 *	  The handle of a store.
 *
 * A store is a schema.  Triggers come here with the relation that fired and
 * take the store from its namespace; verbs come with a name.  Handles live as
 * long as the backend and are keyed by the schema's OID.  Invalidation
 * callbacks only mark what is stale; it is read again at the next use.
 * Memory that somebody further up the stack may still look at is handed to
 * the transaction, which frees it at its end.
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

#include "follow.h"
#include "oms.h"
#include "plan.h"
#include "rows.h"
#include "store.h"

static HTAB *stores = NULL;

static const StoreQuery read_settings = {
	"SELECT s.layout_version::pg_catalog.int8, s.number_prefix, s.server FROM @.settings s", 0, {0}
};

/*
 * What verbs need of what can get lost while rows stay: so many triggers, these
 * defaults.  sql/upgrade.sql says which they are and makes them again; a number
 * that does not agree makes every verb fail.
 */
typedef struct Fittings
{
	const char *table;
	int			ntriggers;
	const char *defaults[2];
	enum
	{
		ELSEWHERE, BY_CALLER, BY_ENGINE
	}			written;		/* in steps that direct.c leaves out, or not */
} Fittings;

static const Fittings fittings[] = {
	{"settings", 3, {NULL}, ELSEWHERE}, {"workflows", 3, {"compiled"}, ELSEWHERE}, {"methods", 3, {NULL}, ELSEWHERE},
	{"channels", 2, {NULL}, ELSEWHERE}, {"locations", 3, {NULL}, ELSEWHERE}, {"skus", 3, {NULL}, ELSEWHERE},
	{"reasons", 1, {NULL}, ELSEWHERE}, {"customers", 1, {"id"}, ELSEWHERE}, {"addresses", 1, {"id"}, ELSEWHERE},
	{"stock", 5, {NULL}, BY_ENGINE}, {"stock_movements", 3, {"actor"}, ELSEWHERE},
	{"stock_holds", 2, {"id"}, ELSEWHERE}, {"channel_stock_rules", 1, {"id"}, ELSEWHERE},
	{"zones", 2, {NULL}, ELSEWHERE}, {"shipping_rates", 1, {"id"}, ELSEWHERE},
	{"sourcing_rules", 1, {"id"}, ELSEWHERE}, {"sourcing_policies", 1, {"id"}, ELSEWHERE},
	{"backorder_policies", 5, {"id"}, BY_ENGINE},
	{"inbound", 5, {"id"}, ELSEWHERE},
	{"stock_feeds", 2, {NULL}, ELSEWHERE}, {"stock_feed_items", 2, {NULL}, ELSEWHERE},
	{"orders", 5, {"id"}, BY_CALLER}, {"order_lines", 6, {"id"}, BY_CALLER}, {"order_charges", 4, {"id"}, BY_CALLER},
	{"order_holds", 5, {"id", "placed_by"}, BY_CALLER}, {"order_events", 3, {NULL}, BY_ENGINE},
	{"fulfillments", 5, {"id"}, ELSEWHERE}, {"fulfillment_lines", 2, {"id"}, ELSEWHERE},
	{"packages", 4, {"id"}, ELSEWHERE}, {"package_lines", 4, {NULL}, ELSEWHERE}, {"carrier_events", 4, {NULL}, ELSEWHERE},
	{"location_loads", 2, {NULL}, ELSEWHERE},
	{"payments", 3, {"id"}, ELSEWHERE}, {"payment_transactions", 4, {NULL}, ELSEWHERE}, {"repairs", 2, {NULL}, ELSEWHERE},
	{"bundle_items", 5, {NULL}, ELSEWHERE}, {"bundle_components", 2, {NULL}, ELSEWHERE},
};

StaticAssertDecl(lengthof(fittings) <= OMS_MAX_TABLES, "a store's handle has room for its tables");

static Store *store_by_oid(Oid namespace_oid);
static Store *store_in_name_only(Oid namespace_oid);
static void read_name(Store *store);
static Oid	settings_of(const Store *store);
static void read_layout(Store *store);
static void look_for_gaps(Store *store);
static bool is_watched(Relation rel, bool by_caller);
static bool gives_terms(Relation rel);
static const char *gap_of(Relation rel, const Fittings *fitting);
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
 * namespace_argument finds the schema that a verb's first argument names; of its
 * arguments so many must not be NULL, lest a mistyped variable look like
 * success.
 */
static Oid
namespace_argument(FunctionCallInfo fcinfo, int required)
{
	char	   *name;
	Oid			namespace_oid;
	AclResult	allowed;

	for (int i = 0; i < required; i++)
	{
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument %d of function %s must not be null", i + 1,
							format_procedure(fcinfo->flinfo->fn_oid))));
	}

	name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	namespace_oid = get_namespace_oid(name, true);
	if (!OidIsValid(namespace_oid))
		ereport(ERROR,
				(errcode(ERRCODE_OMS_UNKNOWN_STORE),
				 errmsg("store \"%s\" does not exist", oms_clip(name)),
				 errhint("Create it with SELECT oms.create_store(%s).",
						 quote_literal_cstr(oms_clip(name)))));
#if PG_VERSION_NUM >= 160000
	allowed = object_aclcheck(NamespaceRelationId, namespace_oid, GetUserId(), ACL_USAGE);
#else
	allowed = pg_namespace_aclcheck(namespace_oid, GetUserId(), ACL_USAGE);
#endif
	if (allowed != ACLCHECK_OK)
		aclcheck_error(allowed, OBJECT_SCHEMA, name);
	return namespace_oid;
}

/*
 * oms_store_argument finds the store that a verb's first argument names; OM010
 * where there is none, OM008 where its layout is another or it has gaps.
 */
Store *
oms_store_argument(FunctionCallInfo fcinfo, int required)
{
	Store	   *store = oms_store_with_gaps(fcinfo, required);

	if (!store->whole)
		look_for_gaps(store);
	return store;
}

/*
 * oms_store_with_gaps does the same for what can do without triggers.
 */
Store *
oms_store_with_gaps(FunctionCallInfo fcinfo, int required)
{
	return store_by_oid(namespace_argument(fcinfo, required));
}

/*
 * oms_store_of_any_layout does the same for what mends a store; of its handle
 * only name and owner are known.
 */
Store *
oms_store_of_any_layout(FunctionCallInfo fcinfo, int required)
{
	Store	   *store = store_in_name_only(namespace_argument(fcinfo, required));

	(void) settings_of(store);
	return store;
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
	if (rel->rd_rel->relispartition)
		oms_refuse_parent(rel);
	return store;
}

/*
 * oms_refuse_parent refuses to work on a table that can be written through
 * another one: of the triggers here, those FOR EACH STATEMENT would not fire.
 */
void
oms_refuse_parent(Relation rel)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table \"%s\" of a store cannot be a partition or child of another table",
					RelationGetRelationName(rel)),
			 errhint("Detach it; to read several stores as one, create a view."),
			 errtable(rel)));
}

/*
 * oms_is_owner_of tells whether the current user owns the store.
 */
bool
oms_is_owner_of(const Store *store)
{
#if PG_VERSION_NUM >= 160000
	return object_ownercheck(NamespaceRelationId, store->namespace_oid, GetUserId());
#else
	return pg_namespace_ownercheck(store->namespace_oid, GetUserId());
#endif
}

/*
 * oms_require_owner_of refuses who does not own the store, in PostgreSQL's words.
 */
void
oms_require_owner_of(const Store *store)
{
	if (!oms_is_owner_of(store))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_SCHEMA, store->name);
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
	Store	   *store = store_in_name_only(namespace_oid);

	if (!store->set)
		read_layout(store);
	return store;
}

/*
 * store_in_name_only returns a schema's handle with name and owner fresh.
 */
static Store *
store_in_name_only(Oid namespace_oid)
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
	store->whole = false;
	store->named = true;
}

/*
 * settings_of returns the OID of a store's table settings; OM010 where the
 * schema is no store.
 */
static Oid
settings_of(const Store *store)
{
	Oid			relid = get_relname_relid("settings", store->namespace_oid);

	if (!OidIsValid(relid) || get_rel_relkind(relid) != RELKIND_RELATION ||
		!OidIsValid(get_relname_relid("workflows", store->namespace_oid)))
		ereport(ERROR,
				(errcode(ERRCODE_OMS_UNKNOWN_STORE),
				 errmsg("schema \"%s\" is not a store", store->name),
				 errhint("A store is a schema made by oms.create_store.")));
	return relid;
}

/*
 * read_layout reads settings, as the owner: who may use a store need not be
 * allowed to read them.
 */
static void
read_layout(Store *store)
{
	OwnerScope	scope;
	int64		version;
	uint64		changes;
	char	   *server;

	store->settings_relid = settings_of(store);
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
	store->number_prefix = MemoryContextStrdup(store->context, oms_column_name(0, 2));
	server = oms_column_text(0, 3);
	store->is_here = server && strcmp(server, oms_server()) == 0;
	oms_spi_end();
	oms_leave_owner(&scope);

	if (version != OMS_LAYOUT_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_STORE_LAYOUT),
				 errmsg("store \"%s\" has layout " INT64_FORMAT ", but this version of oms works on layout %d",
						store->name, version, OMS_LAYOUT_VERSION),
				 version < OMS_LAYOUT_VERSION ?
				 errhint("Run SELECT oms.upgrade_store(%s).", quote_literal_cstr(store->name)) :
				 errhint("Install the version of oms that the store was upgraded by.")));
	store->set = changes == store->settings_changes;
}

/*
 * look_for_gaps refuses a store that has lost what it works by.  Triggers that
 * are called all the same do not ask, so that owners can mend rows by hand.
 */
static void
look_for_gaps(Store *store)
{
	uint64		changes;

	store->ntables = lengthof(fittings);
	for (int i = 0; i < store->ntables; i++)
		store->tables[i] = get_relname_relid(fittings[i].table, store->namespace_oid);
	changes = store->table_changes;

	for (int i = 0; i < store->ntables; i++)
	{
		/* PostgreSQL has read it or soon will; a lock would wait for others */
		Relation	rel = OidIsValid(store->tables[i]) ? RelationIdGetRelation(store->tables[i]) : NULL;
		const char *gap = rel ? gap_of(rel, &fittings[i]) : "its rows";

		if (i == 0)
			store->is_watched = false;
		if (rel && fittings[i].written != ELSEWHERE)
			store->is_watched |= is_watched(rel, fittings[i].written == BY_CALLER);
		if (rel && strcmp(fittings[i].table, "customers") == 0)
			store->gives_terms = gives_terms(rel);
		if (gap)
			ereport(ERROR,
					(errcode(ERRCODE_OMS_STORE_LAYOUT),
					 errmsg("store \"%s\" has lost what it works by: table \"%s\" lacks %s",
							store->name, fittings[i].table, gap),
					 errhint("Run SELECT oms.upgrade_store(%s).", quote_literal_cstr(store->name))));
		RelationClose(rel);
	}
	store->whole = changes == store->table_changes;
}

/*
 * oms_is_watched tells whether the steps in which an order is placed show to
 * anybody, now that the tables they write are locked.
 */
bool
oms_is_watched(Store *store)
{
	if (!store->whole)
		look_for_gaps(store);
	return store->is_watched;
}

/*
 * is_watched tells whether the steps in which a table is written show to
 * anybody: to triggers that are not ours or to rules, and where the caller
 * writes it, to policies and to a default that a step would fill in after.
 */
static bool
is_watched(Relation rel, bool by_caller)
{
	Oid			ours = get_namespace_oid("oms", false);
	AttrNumber	number = get_attnum(RelationGetRelid(rel), "number");

	for (int i = 0; rel->trigdesc && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (!trigger->tgisinternal && get_func_namespace(trigger->tgfoid) != ours)
			return true;
	}
	if (by_caller && (rel->rd_rel->relrowsecurity || (number > 0 && TupleDescAttr(RelationGetDescr(rel), number - 1)->atthasdef)))
		return true;
	return rel->rd_rules != NULL || rel->rd_rel->relkind != RELKIND_RELATION || rel->rd_rel->relhassubclass;
}

/*
 * gives_terms tells whether a customer who is inserted without credit_limit may
 * have one: by a default, or what triggers and rules do.
 */
static bool
gives_terms(Relation rel)
{
	AttrNumber	number = get_attnum(RelationGetRelid(rel), "credit_limit");

	return is_watched(rel, true) ||
		(number != InvalidAttrNumber && TupleDescAttr(RelationGetDescr(rel), number - 1)->atthasdef);
}

/*
 * gap_of tells what a table lacks of its fittings, NULL where nothing.
 */
static const char *
gap_of(Relation rel, const Fittings *fitting)
{
	int			ntriggers = 0;

	for (int i = 0; rel->trigdesc && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		if (strncmp(trigger->tgname, "oms_", 4) == 0 && !trigger->tgisinternal &&
			(trigger->tgenabled == TRIGGER_FIRES_ON_ORIGIN || trigger->tgenabled == TRIGGER_FIRES_ALWAYS))
			ntriggers++;
	}
	if (ntriggers < fitting->ntriggers)
		return "triggers, or they are disabled";

	for (int i = 0; i < (int) lengthof(fitting->defaults) && fitting->defaults[i]; i++)
	{
		AttrNumber	number = get_attnum(RelationGetRelid(rel), fitting->defaults[i]);

		if (number == InvalidAttrNumber || !TupleDescAttr(RelationGetDescr(rel), number - 1)->atthasdef)
			return psprintf("a default of column \"%s\"", fitting->defaults[i]);
	}
	return NULL;
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
		if (!OidIsValid(relid) || relid == store->rules_relid || relid == store->workflows_relid)
		{
			store->rules_read = false;
			store->rules_changes++;
		}
		for (int i = 0; i < OMS_BOOK_TABLES; i++)
		{
			if (!OidIsValid(relid) || relid == store->book_relids[i] || relid == store->workflows_relid)
			{
				store->book_read = false;
				store->book_changes++;
				break;
			}
		}
		for (int i = 0; i < store->ntables; i++)
		{
			if (!OidIsValid(relid) || relid == store->tables[i])
			{
				store->whole = false;
				store->table_changes++;
				break;
			}
		}
	}
}
