/*
 * codes.c
 *	  Looking up the codes in an order's document.
 *
 * One query for the channel and all lines: which codes are unknown, and what
 * the store says of those that are not.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "oms.h"
#include "order.h"
#include "plan.h"
#include "rows.h"

#define CHANNEL_COLUMNS \
	"SELECT c.order_workflow, c.if_short, c.priority::pg_catalog.int8, c.active, c.payment_required"
#define LINE_COLUMNS \
	", w.place, COALESCE(s.active, false), s.tracked, m.code, m.workflow, m.by_partner, w.method IS NOT NULL AND m.code IS NULL"
#define KIND_COLUMN ", s.kind" EQ "'bundle' OR s.kind" EQ "'warranty'"
#define LINE_TABLES \
	" LEFT JOIN @.skus s ON s.code" EQ "w.sku" \
	" LEFT JOIN @.methods m ON m.code" EQ "COALESCE(w.method, s.default_method, c.default_method)"

static const StoreQuery look_up = {
	CHANNEL_COLUMNS LINE_COLUMNS ", false, false" KIND_COLUMN " FROM @.channels c"
	" LEFT JOIN ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3)) WITH ORDINALITY AS w(sku, method, place) ON true"
	LINE_TABLES " WHERE c.code" EQ "$1",
	3, {TEXTOID, TEXTARRAYOID, TEXTARRAYOID}
};

/* The same where lines name locations. */
static const StoreQuery look_up_with_locations = {
	CHANNEL_COLUMNS LINE_COLUMNS
	", w.location IS NOT NULL AND l.active IS NOT TRUE, w.pickup_location IS NOT NULL AND p.active IS NOT TRUE" KIND_COLUMN
	" FROM @.channels c LEFT JOIN ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4),"
	" pg_catalog.unnest($5)) WITH ORDINALITY AS w(sku, method, location, pickup_location, place) ON true"
	LINE_TABLES " LEFT JOIN @.locations l ON l.code" EQ "w.location LEFT JOIN @.locations p ON p.code" EQ "w.pickup_location"
	" WHERE c.code" EQ "$1",
	5, {TEXTOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID}
};

/* A code that the store does not know, or that is not active. */
typedef struct Unknown
{
	int			line;			/* from 0; -1: none */
	int			field;			/* LINE_SKU ... */
	const char *name;			/* of the field */
	const char *what;
} Unknown;

/*
 * run asks for the channel and the lines.
 */
static uint64
run(Store *store, const OrderDocument *doc)
{
	static const int fields[] = {LINE_SKU, LINE_METHOD, LINE_LOCATION, LINE_PICKUP_LOCATION};
	Array	   *codes[4];
	Datum		args[5];
	bool		has_locations = false;

	for (int k = 0; k < 4; k++)
	{
		codes[k] = oms_array(TEXTOID, doc->nlines);
		for (int i = 0; i < doc->nlines; i++)
		{
			oms_array_add_text(codes[k], doc->lines[i][fields[k]].text);
			has_locations |= k > 1 && doc->lines[i][fields[k]].is_set;
		}
		args[k + 1] = oms_array_datum(codes[k]);
	}
	args[0] = CStringGetTextDatum(doc->fields[DOC_CHANNEL].text);
	return oms_run(store, has_locations ? &look_up_with_locations : &look_up, args);
}

/*
 * note_unknown remembers the first code of the first line that is unknown.
 */
static void
note_unknown(Unknown *unknown, uint64 row, int line)
{
	Unknown		found = {line, LINE_SKU, "sku", "sku"};

	if (unknown->line >= 0 && unknown->line <= line)
		return;
	if (!oms_column_bool(row, 7))
		*unknown = found;
	else if (oms_column_bool(row, 12))
		*unknown = (Unknown) {line, LINE_METHOD, "method", "method"};
	else if (oms_column_bool(row, 13))
		*unknown = (Unknown) {line, LINE_LOCATION, "location", "location"};
	else if (oms_column_bool(row, 14))
		*unknown = (Unknown) {line, LINE_PICKUP_LOCATION, "pickup_location", "location"};
}

/*
 * oms_look_up_codes returns what the store says of a document's codes, and
 * refuses the first that it does not know (OM012).
 */
OrderFrame *
oms_look_up_codes(Store *store, const OrderDocument *doc)
{
	OrderFrame *frame = palloc(sizeof(OrderFrame));
	const char *channel = doc->fields[DOC_CHANNEL].text;
	Unknown		unknown = {-1, 0, NULL, NULL};
	uint64		rows = run(store, doc);

	if (rows == 0)
		oms_document_fault("channel", NULL, psprintf("unknown channel \"%s\"", channel));
	if (!oms_column_bool(0, 4))
		oms_document_fault("channel", NULL, psprintf("channel \"%s\" is not active", channel));
	frame->workflow = oms_column_name(0, 1);
	frame->if_short = oms_column_name(0, 2);
	frame->priority = oms_column_int64(0, 3);
	frame->payment_required = oms_column_bool(0, 5);
	frame->lines = palloc0(Max(1, doc->nlines) * sizeof(LineFrame));
	for (uint64 i = 0; i < rows && doc->nlines > 0; i++)
	{
		int			line = (int) oms_column_int64(i, 6) - 1;
		LineFrame  *to = &frame->lines[line];

		note_unknown(&unknown, i, line);
		if (unknown.line >= 0)
			continue;
		to->tracked = oms_column_bool(i, 8);
		to->method = oms_column_text(i, 9);
		to->workflow = oms_column_text(i, 10);
		to->by_partner = to->method && oms_column_bool(i, 11);
		to->needs_steps = oms_column_bool(i, 15);
	}
	if (unknown.line >= 0)
		oms_document_fault(psprintf("lines[%d]", unknown.line), unknown.name,
						   psprintf("unknown %s \"%s\"", unknown.what, doc->lines[unknown.line][unknown.field].text));
	return frame;
}
