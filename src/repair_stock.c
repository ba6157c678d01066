/*
 * repair_stock.c
 *	  Stock as the ledger and fulfillments say, where both can be right.
 *
 * The ledger is the truth about what is there, fulfillments about what is
 * reserved.  Where they say that more is reserved than there is, the row first
 * becomes as if there were enough, and then allocations give way, as to a count.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/resowner.h"

#include "giveway.h"
#include "oms.h"
#include "plan.h"
#include "repair.h"
#include "verify.h"

static const StoreQuery set_row = {
	"UPDATE @.stock s SET on_hand = $3, unavailable = $4, reserved = $5, revision = s.revision" PLUS "1"
	" WHERE s.sku" EQ "$1 AND s.location" EQ "$2",
	5, {TEXTOID, TEXTOID, INT8OID, INT8OID, INT8OID}
};

static const StoreQuery read_row = {
	"SELECT s.on_hand, s.unavailable, s.reserved FROM @.stock s WHERE s.sku" EQ "$1 AND s.location" EQ "$2",
	2, {TEXTOID, TEXTOID}
};

/*
 * oms_repair_stock_source returns a query for the right values of every stock
 * row that has a wrong one.
 */
char *
oms_repair_stock_source(const Store *store)
{
	return psprintf("SELECT s.sku, s.location, coalesce(h.counted, s.on_hand) AS on_hand, coalesce(u.counted, s.unavailable)"
					" AS unavailable, coalesce(r.counted, s.reserved) AS reserved FROM %s.stock s"
					" LEFT JOIN (%s) h ON h.sku = s.sku AND h.location = s.location"
					" LEFT JOIN (%s) u ON u.sku = s.sku AND u.location = s.location"
					" LEFT JOIN (%s) r ON r.sku = s.sku AND r.location = s.location"
					" WHERE h.sku IS NOT NULL OR u.sku IS NOT NULL OR r.sku IS NOT NULL",
					store->quoted_name, oms_rule_query(store, "stock on hand is the sum of its movements"),
					oms_rule_query(store, "stock unavailable is the sum of its movements"),
					oms_rule_query(store, "stock reserved is what fulfillments and stock holds hold"));
}

/*
 * oms_repair_make_stock makes rows that the ledger or fulfillments speak of and
 * that are not there.
 */
void
oms_repair_make_stock(const Store *store)
{
	if (SPI_execute(psprintf("INSERT INTO %s.stock (sku, location) SELECT sku, location FROM (%s) h UNION SELECT sku, location"
							 " FROM (%s) r ON CONFLICT DO NOTHING",
							 store->quoted_name, oms_rule_query(store, "stock on hand is the sum of its movements"),
							 oms_rule_query(store, "stock reserved is what fulfillments and stock holds hold")), false, 0) != SPI_OK_INSERT)
		elog(ERROR, "rows of stock cannot be made");
}

/*
 * set_level has a stock row become what it must be.
 */
static void
set_level(Store *store, const StockLevel *level)
{
	StockLevel	levels[1] = {*level};
	Quiet		quiet;

	levels[0].old_on_hand = level->unavailable + level->reserved;
	oms_repair_quietly(&quiet);
	if (oms_run(store, &set_row, (Datum[]) {
		CStringGetTextDatum(level->sku), CStringGetTextDatum(level->location), Int64GetDatum(levels[0].old_on_hand),
		Int64GetDatum(level->unavailable), Int64GetDatum(level->reserved)
	}) != 1)
		elog(ERROR, "a stock row is missing");
	oms_repair_aloud(&quiet);
	oms_set_levels(store, levels, 1);
}

/*
 * try_level does so in a subtransaction; a WARNING says why where it cannot.
 */
static void
try_level(Store *store, const StockLevel *level)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		set_level(store, level);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			ReThrowError(error);
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("stock of sku \"%s\" at location \"%s\" stays as it is: %s", level->sku, level->location, error->message),
				 errhint("The ledger leaves less than is reserved: count the units, or cancel, reject or ship what holds them.")));
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
}

/*
 * read_counters reads a row's counters.
 */
static void
read_counters(Store *store, const StockLevel *level, int64 *counters)
{
	(void) oms_run(store, &read_row, (Datum[]) {CStringGetTextDatum(level->sku), CStringGetTextDatum(level->location)});
	for (int i = 0; i < 3; i++)
		counters[i] = oms_column_int64(0, i + 1);
}

/*
 * oms_repair_give_way has allocations give way where the ledger leaves less than
 * they hold, and notes what became of the row.
 */
void
oms_repair_give_way(Store *store, Repairs *repairs)
{
	static const char *const columns[] = {"on_hand", "unavailable", "reserved"};
	Quiet		quiet;
	uint64		found;
	StockLevel *levels;

	oms_repair_quietly(&quiet);
	if (SPI_execute(psprintf("SELECT sku, location, on_hand::bigint, unavailable::bigint, reserved::bigint FROM (%s) c"
							 " WHERE unavailable >= 0 AND unavailable <= on_hand AND unavailable + reserved > on_hand"
							 " ORDER BY sku, location", oms_repair_stock_source(store)), false, 0) != SPI_OK_SELECT)
		elog(ERROR, "stock cannot be read");
	oms_repair_aloud(&quiet);
	found = SPI_processed;
	levels = palloc0(Max(1, found) * sizeof(StockLevel));
	for (uint64 i = 0; i < found; i++)
	{
		levels[i].sku = oms_column_text(i, 1);
		levels[i].location = oms_column_text(i, 2);
		levels[i].on_hand = oms_column_int64(i, 3);
		levels[i].old_unavailable = levels[i].unavailable = oms_column_int64(i, 4);
		levels[i].reserved = oms_column_int64(i, 5);
	}
	for (uint64 i = 0; i < found; i++)
	{
		int64		was[3];
		int64		became[3];
		char	   *key = psprintf("%s at %s", levels[i].sku, levels[i].location);

		read_counters(store, &levels[i], was);
		try_level(store, &levels[i]);
		read_counters(store, &levels[i], became);
		for (int j = 0; j < 3; j++)
		{
			if (was[j] != became[j])
				oms_repair_note(repairs, "stock", key, columns[j], psprintf(INT64_FORMAT, was[j]),
								psprintf(INT64_FORMAT, became[j]), NULL);
		}
	}
}
