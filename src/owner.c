/*
 * owner.c
 *	  Acting as a store's owner.
 *
 * The engine acts as the store's owner the way foreign keys do: the user id is
 * switched and the security context marked, both of which an abort restores by
 * itself, and search_path is pinned at a GUC nest level of its own.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "oms.h"
#include "store.h"

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
 * refused to the owner as well, also inside an owner's SECURITY DEFINER
 * function, which changes the user but does not go past forced policies.
 */
bool
oms_in_engine(const Store *store)
{
	return InLocalUserIdChange() && InNoForceRLSOperation() && GetUserId() == store->owner;
}

/*
 * oms_may_update_status tells whether the caller may update the column status of a
 * table, as the executor would ask; SELECT ... FOR UPDATE is content with any
 * column.
 */
bool
oms_may_update_status(const Store *store, const char *table)
{
	Oid			relid = get_relname_relid(table, store->namespace_oid);

	return !OidIsValid(relid) ||
		pg_class_aclcheck(relid, GetUserId(), ACL_UPDATE) == ACLCHECK_OK ||
		pg_attribute_aclcheck(relid, get_attnum(relid, "status"), GetUserId(), ACL_UPDATE) == ACLCHECK_OK;
}

/*
 * oms_require_status refuses a caller who may not.
 */
void
oms_require_status(const Store *store, const char *table)
{
	if (!oms_may_update_status(store, table))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, table);
}

/*
 * oms_leave_engine has what follows run as the owner and no more as the engine:
 * the store's own guards and actions.  Returns the security context to go back
 * to by oms_enter_engine.
 */
int
oms_leave_engine(void)
{
	Oid			user;
	int			sec_context;

	GetUserIdAndSecContext(&user, &sec_context);
	SetUserIdAndSecContext(user, sec_context & ~SECURITY_NOFORCE_RLS);
	return sec_context;
}

/*
 * oms_enter_engine undoes oms_leave_engine.  An error needs no such call.
 */
void
oms_enter_engine(int sec_context)
{
	SetUserIdAndSecContext(GetUserId(), sec_context);
}
