/*
 * repair_bundle.c
 *	  What bundles come to, made out anew where it is not what their items say.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "bundle.h"
#include "plan.h"
#include "repair.h"
#include "verify.h"

static const StoreQuery read_components = {
	"SELECT c.bundle, c.sku, c.quantity::pg_catalog.text, c.share::pg_catalog.text FROM @.bundle_components c"
	" WHERE c.bundle" EQ "ANY ($1)",
	1, {TEXTARRAYOID}
};

static const StoreQuery compare_components = {
	"SELECT COALESCE(w.sku, c.sku) OPERATOR(pg_catalog.||) ' in ' OPERATOR(pg_catalog.||) COALESCE(w.bundle, c.bundle),"
	" w.quantity, c.quantity::pg_catalog.text, w.share, c.share::pg_catalog.text"
	" FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5))"
	" AS w(bundle, sku, quantity, share) FULL JOIN (SELECT * FROM @.bundle_components b WHERE b.bundle" EQ "ANY ($1)) AS c"
	" ON c.bundle" EQ "w.bundle AND c.sku" EQ "w.sku ORDER BY 1",
	5, {TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID}
};

/*
 * make_out makes out one bundle, and what holds it.
 */
static void
make_out(Store *store, void *argument)
{
	oms_make_out_bundle(store, argument);
}

/*
 * note_column notes what a column of a component was and became, NULL where
 * there is no row.
 */
static void
note_column(Repairs *repairs, uint64 row, const char *column, int was_column)
{
	char	   *was = oms_column_text(row, was_column);
	char	   *became = oms_column_text(row, was_column + 1);

	if ((was == NULL) != (became == NULL) || (was && strcmp(was, became) != 0))
		oms_repair_note(repairs, "bundle_components", oms_column_text(row, 1), column, was, became, NULL);
}

/*
 * oms_repair_bundles makes out the bundles that the rule finds, one by one:
 * where items are corrupt themselves, the others.
 */
void
oms_repair_bundles(Store *store, Repairs *repairs)
{
	Datum		args[5];
	Array	   *codes;
	Array	   *columns[4];
	uint64		count;

	if (SPI_execute(psprintf("SELECT DISTINCT c.bundle FROM (%s) c ORDER BY c.bundle",
							 oms_rule_query(store, "what bundles come to follows from their items")), false, 0) != SPI_OK_SELECT)
		elog(ERROR, "bundles cannot be read");
	count = SPI_processed;
	if (count == 0)
		return;
	codes = oms_array(TEXTOID, count);
	for (uint64 i = 0; i < count; i++)
		oms_array_add_text(codes, oms_column_text(i, 1));

	args[0] = oms_array_datum(codes);
	count = oms_run(store, &read_components, args);
	for (int j = 0; j < 4; j++)
	{
		columns[j] = oms_array(TEXTOID, count);
		for (uint64 i = 0; i < count; i++)
			oms_array_add_text(columns[j], oms_column_text(i, j + 1));
		args[j + 1] = oms_array_datum(columns[j]);
	}
	for (int i = 0; i < codes->count; i++)
	{
		ErrorData  *error = oms_try(make_out, store, TextDatumGetCString(codes->values[i]));

		if (error && !oms_repair_is_refusal(error))
			ReThrowError(error);
	}
	count = oms_run(store, &compare_components, args);
	for (uint64 i = 0; i < count; i++)
	{
		note_column(repairs, i, "quantity", 2);
		note_column(repairs, i, "share", 4);
	}
}
