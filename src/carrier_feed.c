/*
 * carrier_feed.c
 *	  oms.record_carrier_events: what a carrier tells of many packages at once.
 *
 * The events are inserted as the caller, by one statement, whose trigger does
 * the rest (carrier.c).  One that is there already, by the carrier's names for it
 * and its parcel, is left out; its fulfillment is tried again, so that a feed which is sent again
 * moves what could not move before.  Rows are inserted in order of their names:
 * two feeds that tell the same wait for each other in one order.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"

#include "carrier.h"
#include "document.h"
#include "import.h"
#include "oms.h"
#include "packages.h"
#include "plan.h"

#define MAX_EVENTS 100000		/* MAX_DOCUMENT comes first, as a rule */

PG_FUNCTION_INFO_V1(oms_record_carrier_events);

/* As the caller. */
static const StoreQuery find_packages = {
	"SELECT p.id FROM ROWS FROM (pg_catalog.unnest($2)) WITH ORDINALITY AS w(tracking_number, n)"
	" LEFT JOIN LATERAL (SELECT p.id FROM @.packages p WHERE p.carrier" EQ "$1 AND p.tracking_number" EQ "w.tracking_number"
	" AND p.voided_at IS NULL ORDER BY (p.delivered_at IS NULL) DESC, p.created_at DESC, p.id DESC LIMIT 1) p ON true ORDER BY w.n",
	2, {TEXTOID, TEXTARRAYOID}
};

static const StoreQuery insert_events = {
	"INSERT INTO @.carrier_events (carrier, package_id, tracking_number, code, at, external_ref, description, status, reason)"
	" SELECT $1, e.package_id, e.tracking_number, e.code, e.at, e.external_ref, e.description, e.status, e.reason"
	" FROM ROWS FROM (pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4), pg_catalog.unnest($5),"
	" pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8), pg_catalog.unnest($9)) WITH ORDINALITY"
	" AS e(package_id, tracking_number, code, at, external_ref, description, status, reason, n)"
	" ORDER BY e.external_ref, e.tracking_number, e.n"
	" ON CONFLICT (carrier, external_ref, tracking_number) WHERE external_ref IS NOT NULL DO NOTHING",
	9, {
		TEXTOID, UUIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TIMESTAMPTZARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
		TEXTARRAYOID
	}
};

/* As the owner. */
static const StoreQuery find_unknown_reason = {
	"SELECT w.code FROM ROWS FROM (pg_catalog.unnest($1)) AS w(code) WHERE w.code IS NOT NULL"
	" AND NOT EXISTS (SELECT FROM @.reasons r WHERE r.code" EQ "w.code) LIMIT 1",
	1, {TEXTARRAYOID}
};

enum
{
	TRACKING_NUMBER, CODE, AT, EXTERNAL_REF, DESCRIPTION, STATUS, REASON, EVENT_FIELDS
};

static const Field event_fields[EVENT_FIELDS] = {
	[TRACKING_NUMBER] = {"tracking_number", FIELD_REFERENCE, true},
	[CODE] = {"code", FIELD_CODE, true},
	[AT] = {"at", FIELD_TIME, true},
	[EXTERNAL_REF] = {"external_ref", FIELD_REFERENCE, true},
	[DESCRIPTION] = {"description", FIELD_TEXT},
	[STATUS] = {"status", FIELD_CODE},
	[REASON] = {"reason", FIELD_CODE}
};

typedef struct CarrierFeed
{
	const char *carrier;
	int			count;
	JsonbContainer **items;		/* the events as they were sent */
	Array	   *fields[EVENT_FIELDS];	/* a column an array */
	Array	   *package_ids;	/* of those that are known */
	int64		recorded;
	int64		unknown;
	StringInfoData unknown_items;
} CarrierFeed;

/*
 * require_code refuses what is no code of an event.
 */
static void
require_code(const char *code, const char *path)
{
	if (oms_carrier_rank(code) < 0)
		oms_document_fault(path, "code", "must be in_transit, out_for_delivery, attempted, exception, lost, returned or delivered");
}

/*
 * parse_feed reads the document.
 */
static void
parse_feed(CarrierFeed *feed, Jsonb *document)
{
	static const Field fields[] = {
		{"carrier", FIELD_CODE, true},
		{"events", FIELD_ARRAY, true}
	};
	FieldValue	values[lengthof(fields)];
	TimestampTz now = GetCurrentTimestamp();

	oms_parse_object(oms_document_root(document, "", false), "", fields, lengthof(fields), values);
	feed->carrier = values[0].text;
	feed->count = oms_array_length(values[1].container, "events", MAX_EVENTS);
	feed->items = palloc(Max(1, feed->count) * sizeof(JsonbContainer *));
	for (int f = 0; f < EVENT_FIELDS; f++)
		feed->fields[f] = oms_array(f == AT ? TIMESTAMPTZOID : TEXTOID, feed->count);
	for (int i = 0; i < feed->count; i++)
	{
		FieldValue	event[EVENT_FIELDS];
		char	   *path = psprintf("events[%d]", i);

		feed->items[i] = oms_array_object(values[1].container, i, "events");
		oms_parse_object(feed->items[i], path, event_fields, EVENT_FIELDS, event);
		require_code(event[CODE].text, path);
		if (event[AT].time > now + INT64CONST(24) * USECS_PER_HOUR)
			oms_document_fault(path, "at", "is more than a day in the future");
		for (int f = 0; f < EVENT_FIELDS; f++)
		{
			if (f == AT)
				oms_array_add(feed->fields[f], TimestampTzGetDatum(event[f].time));
			else
				oms_array_add_text(feed->fields[f], event[f].is_set ? event[f].text : NULL);
		}
	}
}

/*
 * find_known keeps the events of packages that there are, and lists the others as
 * they were sent, so that they can be sent again.
 */
static void
find_known(Store *store, CarrierFeed *feed)
{
	int			kept = 0;

	(void) oms_run(store, &find_packages, (Datum[]) {
		CStringGetTextDatum(feed->carrier), oms_array_datum(feed->fields[TRACKING_NUMBER])
	});
	feed->package_ids = oms_array(UUIDOID, feed->count);
	initStringInfo(&feed->unknown_items);
	for (int i = 0; i < feed->count; i++)
	{
		pg_uuid_t	id;

		if (oms_column_is_null(i, 1))
		{
			if (feed->unknown++ > 0)
				appendStringInfoString(&feed->unknown_items, ", ");
			(void) JsonbToCString(&feed->unknown_items, feed->items[i], 256);
			continue;
		}
		id = oms_column_uuid(i, 1);
		oms_array_add_uuid(feed->package_ids, &id);
		for (int f = 0; f < EVENT_FIELDS; f++)
		{
			feed->fields[f]->values[kept] = feed->fields[f]->values[i];
			feed->fields[f]->nulls[kept] = feed->fields[f]->nulls[i];
		}
		kept++;
	}
	for (int f = 0; f < EVENT_FIELDS; f++)
		feed->fields[f]->count = kept;
}

/*
 * write_events inserts them, and has fulfillments follow.
 */
static void
write_events(Store *store, CarrierFeed *feed, Following *following)
{
	static const int order[] = {TRACKING_NUMBER, CODE, AT, EXTERNAL_REF, DESCRIPTION, STATUS, REASON};
	Following  *before = oms_report_following(following);
	Datum		args[9];

	args[0] = CStringGetTextDatum(feed->carrier);
	args[1] = oms_array_datum(feed->package_ids);
	for (int i = 0; i < (int) lengthof(order); i++)
		args[i + 2] = oms_array_datum(feed->fields[order[i]]);
	PG_TRY();
	{
		feed->recorded = (int64) oms_run(store, &insert_events, args);
		if (feed->recorded < feed->package_ids->count)
		{
			OwnerScope	scope;

			/*
			 * all are looked at again, for those that could not move before;
			 * by now we hold packages
			 */
			following->nunmoved = 0;
			resetStringInfo(&following->unmoved);
			oms_become_owner(store, &scope);
			oms_lock_packed_at_hand(store, oms_array_datum(feed->package_ids));
			oms_follow_packages(store, feed->package_ids, following);
			oms_leave_owner(&scope);
		}
	}
	PG_FINALLY();
	{
		(void) oms_report_following(before);
	}
	PG_END_TRY();
}

/*
 * list_datum returns items as a jsonb array.
 */
static Datum
list_datum(const StringInfoData *items)
{
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(psprintf("[%s]", items->data)));
}

/*
 * oms_record_carrier_events is oms.record_carrier_events(store, feed).
 */
Datum
oms_record_carrier_events(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 2);
	MemoryContext caller = CurrentMemoryContext;
	CarrierFeed feed = {0};
	Following	following = {0};
	TupleDesc	tupdesc;
	HeapTuple	row;
	int			guc_level;

	if (get_call_result_type(fcinfo, NULL, &tupdesc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "record_carrier_events must return a row");
	tupdesc = BlessTupleDesc(tupdesc);
	if (oms_is_importing(store))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this transaction imports into store \"%s\" and cannot follow carriers", store->name),
				 errhint("Do it in another transaction, or insert packages and carrier_events as they were.")));
	parse_feed(&feed, PG_GETARG_JSONB_P(1));
	guc_level = oms_pin_search_path(store);
	oms_spi_begin();
	initStringInfo(&following.unmoved);
	following.context = CurrentMemoryContext;
	if (oms_run(store, &find_unknown_reason, (Datum[]) {oms_array_datum(feed.fields[REASON])}) > 0)
		oms_document_fault("events", NULL, psprintf("unknown reason \"%s\"", oms_clip(oms_column_text(0, 1))));
	find_known(store, &feed);
	write_events(store, &feed, &following);
	MemoryContextSwitchTo(caller);
	row = heap_form_tuple(tupdesc, (Datum[]) {
		Int64GetDatum(feed.recorded), Int64GetDatum(feed.package_ids->count - feed.recorded), Int64GetDatum(feed.unknown),
		Int64GetDatum(following.moved), list_datum(&feed.unknown_items), list_datum(&following.unmoved)
	}, (bool[6]) {false});
	oms_spi_end();
	AtEOXact_GUC(true, guc_level);
	PG_RETURN_DATUM(HeapTupleGetDatum(row));
}
