/*
 * import.c
 *	  oms.begin_import: rows of the past come in as they are.
 *
 * In the transaction that called it, and in that alone, the owner inserts
 * orders, lines, charges, holds, fulfillments and their lines in any state,
 * with the times and counters that history gave them.  Each trigger that would
 * judge, count or act on such an INSERT asks oms_is_importing and lets it be;
 * verify_store tells afterwards whether what came in agrees with itself.
 *
 * Whether a transaction imports is known here, in the backend's memory, which
 * no dump and no replica carries along.  settings.import_xid only records it,
 * and its row's lock has imports of one store take turns.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/xid8.h"

#include "axes.h"
#include "import.h"
#include "judge_case.h"
#include "oms.h"
#include "plan.h"
#include "store.h"

PG_FUNCTION_INFO_V1(oms_begin_import);

static const StoreQuery record_import = {
	"UPDATE @.settings SET import_xid = $1 WHERE import_xid IS DISTINCT FROM $1", 1, {XID8OID}
};

/* A store that this transaction imports into. */
typedef struct Import
{
	Oid			namespace_oid;
	SubTransactionId since;		/* undone if this one is */
	struct Import *next;
} Import;

/* imports is valid as long as importing_xid is the transaction's */
static FullTransactionId importing_xid = {0};
static Import *imports = NULL;

/*
 * current_imports returns the imports of this transaction.
 */
static Import *
current_imports(void)
{
	if (!FullTransactionIdIsValid(importing_xid) ||
		!FullTransactionIdEquals(importing_xid, GetTopFullTransactionIdIfAny()))
		return NULL;
	return imports;
}

/*
 * subtransaction_ended forgets imports that are rolled back.
 */
static void
subtransaction_ended(SubXactEvent event, SubTransactionId ended, SubTransactionId parent, void *arg)
{
	for (Import *import = current_imports(); import; import = import->next)
	{
		if (import->since != ended)
			continue;
		if (event == SUBXACT_EVENT_COMMIT_SUB)
			import->since = parent;
		else if (event == SUBXACT_EVENT_ABORT_SUB)
			import->namespace_oid = InvalidOid;
	}
}

/*
 * oms_import_init asks to be told of savepoints.
 */
void
oms_import_init(void)
{
	RegisterSubXactCallback(subtransaction_ended, NULL);
}

/*
 * is_begun tells whether this transaction imports into a store.
 */
static bool
is_begun(const Store *store)
{
	for (Import *import = current_imports(); import; import = import->next)
	{
		if (import->namespace_oid == store->namespace_oid)
			return true;
	}
	return false;
}

/*
 * oms_is_importing tells whether what is being written comes in as it is: the
 * owner's statement does so, what the engine writes meanwhile does not.
 */
bool
oms_is_importing(const Store *store)
{
	return is_begun(store) && !oms_in_engine(store) && oms_is_owner_of(store);
}

/*
 * has_counters tells whether all is there that an order's axes follow from;
 * else NOT NULL will say so.
 */
static bool
has_counters(const Case *c)
{
	for (int column = ORDER_UNITS; column <= ORDER_RETURN_STATUS; column++)
	{
		if (oms_row_is_null(c->shape, &c->new, column))
			return false;
	}
	return true;
}

/*
 * last_time returns the last time that a fulfillment's row knows of.
 */
static TimestampTz
last_time(const Case *c)
{
	static const int columns[] = {FULFILLMENT_DELIVERED_AT, FULFILLMENT_SHIPPED_AT, FULFILLMENT_CREATED_AT};

	for (int i = 0; i < (int) lengthof(columns); i++)
	{
		if (!oms_row_is_null(c->shape, &c->new, columns[i]))
			return DatumGetTimestampTz(oms_row_value(c->shape, &c->new, columns[i]));
	}
	return GetCurrentTransactionStartTimestamp();
}

/*
 * oms_fill_import fills in what follows from a row alone.
 */
void
oms_fill_import(Case *c)
{
	if (c->entity == ENTITY_FULFILLMENT && oms_row_is_null(c->shape, &c->new, FULFILLMENT_CLOSED_AT))
		oms_fill_closed(c, last_time(c));
	if (c->entity == ENTITY_ORDER && has_counters(c))
		oms_fill_axes(c->shape, &c->new, RelationGetDescr(c->rel), &c->new_tuple);
}

/*
 * oms_judge_import judges a row of the past: it is in a state of its workflow.
 */
void
oms_judge_import(const Case *c)
{
	int			workflow = c->entity == ENTITY_ORDER ? (int) ORDER_WORKFLOW : (int) FULFILLMENT_WORKFLOW;
	char	   *number = oms_row_text(c->shape, &c->new, c->entity == ENTITY_ORDER ? (int) ORDER_NUMBER : (int) FULFILLMENT_NUMBER);
	char	   *status = oms_row_text(c->shape, &c->new, c->status);

	if (status && !oms_row_is_null(c->shape, &c->new, workflow))
	{
		Machine    *machine = oms_machine(c->store, oms_row_text(c->shape, &c->new, workflow), c->entity);

		if (oms_machine_state(machine, status) < 0)
			ereport(ERROR,
					(errcode(ERRCODE_OMS_ILLEGAL_MOVE),
					 errmsg("%s \"%s\" cannot be imported in \"%s\": workflow \"%s\" has no such state",
							oms_entity_name(c->entity), number ? number : "", status, machine->name),
					 errhint("SELECT oms.states(compiled) FROM workflows lists those that it has."),
					 errtablecol(c->rel, c->shape->number[c->status])));
	}
	oms_require_form(c);
}

/*
 * oms_require_no_import refuses to place orders among rows of the past: what
 * place_order inserts must be counted.
 */
void
oms_require_no_import(const Store *store)
{
	if (is_begun(store))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this transaction imports into store \"%s\" and cannot place orders in it", store->name),
				 errhint("Place them in another transaction.")));
}

/*
 * oms_begin_import is oms.begin_import(store).
 */
Datum
oms_begin_import(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 1);
	FullTransactionId xid;
	OwnerScope	scope;
	Import	   *import;

	oms_require_owner_of(store);
	PreventCommandIfReadOnly("oms.begin_import");
	if (is_begun(store))
		PG_RETURN_VOID();

	xid = GetTopFullTransactionId();
	oms_become_owner(store, &scope);
	oms_spi_begin();
	(void) oms_run(store, &record_import, (Datum[]) {FullTransactionIdGetDatum(xid)});
	oms_spi_end();
	oms_leave_owner(&scope);

	import = MemoryContextAlloc(TopTransactionContext, sizeof(Import));
	import->namespace_oid = store->namespace_oid;
	import->since = GetCurrentSubTransactionId();
	import->next = current_imports();
	imports = import;
	importing_xid = xid;
	PG_RETURN_VOID();
}
