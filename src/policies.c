/*
 * policies.c
 *	  What row level security will say to an UPDATE of status.
 *
 * Called by next_moves.c for each state that a row might be moved to, within its
 * subtransaction.  PostgreSQL adds policies to a statement when it plans it, and
 * has no way to ask them of a row.  So their expressions are read from the
 * catalog and put together as it would (rowsecurity.c): those that are
 * permissive by OR, the others by AND; of the row as it is, and of the row as the
 * UPDATE would leave it, where those for SELECT count too.  They are asked as
 * the caller, of a row that was read as the owner, since columns that only
 * policies read need no privilege.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

#include "functions.h"
#include "oms.h"
#include "plan.h"
#include "policies.h"

static const StoreQuery read_row[] = {
	{"SELECT o FROM @.orders o WHERE o.id" EQ "$1", 1, {UUIDOID}},
	{"SELECT f FROM @.fulfillments f WHERE f.id" EQ "$1", 1, {UUIDOID}}
};

/*
 * The policies of a table that are for the caller, as an expression that says by
 * which the row is hidden, and one that says by which a new row is refused: NULL
 * by none, '' by those that permit, else by that of this name.  They come in the
 * order in which PostgreSQL asks them, since one may raise.
 */
#define PERMIT(expression, commands) \
	"(SELECT COALESCE(pg_catalog.string_agg('('" CONCAT expression CONCAT "')', ' OR ' ORDER BY p.polname DESC), 'false') FROM p WHERE p.polpermissive AND p.polcmd" EQ "ANY (" commands "))"
#define RESTRICT(expression, commands) \
	"(SELECT COALESCE(pg_catalog.string_agg(' WHEN ('" CONCAT expression CONCAT "') IS NOT TRUE THEN '" CONCAT \
	"pg_catalog.quote_literal(p.polname::text), '' ORDER BY p.polname), '') FROM p WHERE NOT p.polpermissive AND p.polcmd" EQ "ANY (" commands "))"
#define REFUSED(expression, commands) \
	"' WHEN (' " CONCAT PERMIT(expression, commands) CONCAT "') IS NOT TRUE THEN ''''' " CONCAT RESTRICT(expression, commands)
#define UPDATES "'{w,*}'"
#define SELECTS "'{r,*}'"

static const StoreQuery read_policies = {
	"WITH p AS (SELECT y.polname, y.polpermissive, y.polcmd, pg_catalog.pg_get_expr(y.polqual, y.polrelid) AS old,"
	" COALESCE(pg_catalog.pg_get_expr(y.polwithcheck, y.polrelid), pg_catalog.pg_get_expr(y.polqual, y.polrelid)) AS new"
	" FROM pg_catalog.pg_policy y WHERE y.polrelid" EQ "$1 AND ('0'" EQ "ANY (y.polroles)"
	" OR EXISTS (SELECT FROM pg_catalog.unnest(y.polroles) r WHERE r" NE "'0' AND pg_catalog.pg_has_role(r, 'USAGE'))))"
	" SELECT 'CASE' " CONCAT REFUSED("p.old", UPDATES) CONCAT "' END',"
	" 'CASE' " CONCAT REFUSED("p.new", UPDATES) CONCAT REFUSED("p.old", SELECTS) CONCAT "' END'",
	1, {OIDOID}
};

/*
 * ask evaluates an expression of a row.  Returns its text, NULL for NULL.
 */
static char *
ask(const char *expression, const char *table, Oid type, Datum row)
{
	char	   *query = psprintf("SELECT %s FROM pg_catalog.jsonb_populate_record($1, '{}') AS %s", expression, quote_identifier(table));
	bool		isnull;
	Datum		answer;

	if (SPI_execute_with_args(query, 1, &type, &row, NULL, true, 0) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "policies of table \"%s\" cannot be asked", table);
	answer = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	return isnull ? NULL : TextDatumGetCString(answer);
}

/*
 * refuse_by_policies raises what the UPDATE would be refused with; where it would
 * find no row, that.
 */
static void
refuse_by_policies(Store *store, EntityKind entity, const Mover *mover, Oid relid, Datum row)
{
	const char *table = oms_entity_table(entity);
	Oid			type = get_rel_type_id(relid);
	char	   *hides;
	char	   *checks;
	char	   *policy;

	if (oms_run(store, &read_policies, (Datum[]) {ObjectIdGetDatum(relid)}) != 1)
		return;
	hides = oms_column_text(0, 1);
	checks = oms_column_text(0, 2);
	if (ask(hides, table, type, row))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("row level security keeps you from updating %s \"%s\"", oms_entity_name(entity), mover->number)));
	policy = ask(checks, table, type, oms_suppose_row(row, mover));
	if (policy && *policy)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("new row violates row-level security policy \"%s\" for table \"%s\"", policy, table)));
	if (policy)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("new row violates row-level security policy for table \"%s\"", table)));
}

/*
 * oms_suppose_policies raises what policies would refuse the caller, whom scope
 * remembers, where he moves a row.
 */
void
oms_suppose_policies(Store *store, const OwnerScope *scope, EntityKind entity, const Mover *mover)
{
	Oid			relid = get_relname_relid(oms_entity_table(entity), store->namespace_oid);
	Oid			user;
	int			sec_context;
	bool		isnull;
	Datum		row;

	GetUserIdAndSecContext(&user, &sec_context);
	SetUserIdAndSecContext(scope->user, scope->sec_context);
	if (check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
	{
		SetUserIdAndSecContext(user, sec_context);
		if (oms_run(store, &read_row[entity], (Datum[]) {UUIDPGetDatum(&mover->id)}) != 1)
			return;
		row = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
		SetUserIdAndSecContext(scope->user, scope->sec_context);
		refuse_by_policies(store, entity, mover, relid, row);
	}
	SetUserIdAndSecContext(user, sec_context);
}
