/*
 * grants.c
 *	  Who may grant privileges on a store: its owner.
 *
 * oms.grant_store itself is SQL (sql/grants.sql), since all it does is GRANT.
 * What is asked here first is what a GRANT would not refuse: one by somebody
 * who may not grant but has a privilege himself does nothing and only warns.
 */
#include "postgres.h"

#include "fmgr.h"

#include "oms.h"
#include "store.h"

PG_FUNCTION_INFO_V1(oms_require_owner);

/*
 * oms_require_owner is oms.require_owner(store).
 */
Datum
oms_require_owner(PG_FUNCTION_ARGS)
{
	oms_require_owner_of(oms_store_argument(fcinfo, 1));
	PG_RETURN_VOID();
}
