/*
 * upgrade.c
 *	  oms.upgrade_store: letting its owner in.
 *
 * What it does is SQL (sql/upgrade.sql).  It is done as the store's owner,
 * whoever of the owner's role calls, a superuser too: so that what is made is
 * the owner's, and so are the rights of triggers that the owner has put on the
 * store's tables.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "oms.h"
#include "plan.h"
#include "store.h"

PG_FUNCTION_INFO_V1(oms_upgrade_store);
PG_FUNCTION_INFO_V1(oms_layout_version);
PG_FUNCTION_INFO_V1(oms_require_no_extension_script);

/*
 * oms_upgrade_store is oms.upgrade_store(store).
 */
Datum
oms_upgrade_store(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_of_any_layout(fcinfo, 1);
	Oid			types[] = {TEXTOID};
	Datum		values[1];
	OwnerScope	scope;

	oms_require_owner_of(store);
	values[0] = CStringGetTextDatum(store->name);
	oms_become_owner(store, &scope);
	oms_spi_begin();
	if (SPI_execute_with_args("SELECT oms.layout_upgrade($1)", 1, types, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "store \"%s\" cannot be upgraded", store->name);
	oms_spi_end();
	oms_leave_owner(&scope);
	PG_RETURN_VOID();
}

/*
 * oms_layout_version is oms.layout_version().
 */
Datum
oms_layout_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(OMS_LAYOUT_VERSION);
}

/*
 * oms_require_no_extension_script refuses to make a store's objects while an
 * extension's script runs: they would become members of that extension.
 */
Datum
oms_require_no_extension_script(PG_FUNCTION_ARGS)
{
	if (creating_extension)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a store cannot be made or upgraded by an extension's script"),
				 errhint("Its objects would belong to the extension; do it afterwards.")));
	PG_RETURN_VOID();
}
