/*
 * change_delivery.c
 *	  oms.change_delivery: units that have not left go another way, or elsewhere.
 *
 * Which units that is, delivery_lines.c says; redirect.c has them go.  Who may
 * update the order's status may call this.  The order is held from the start, so
 * fulfillments are not waited for (40001).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"

#include "change_delivery.h"
#include "document.h"
#include "facts.h"
#include "oms.h"
#include "order.h"
#include "plan.h"

PG_FUNCTION_INFO_V1(oms_change_delivery);

/* As the caller. */
static const StoreQuery lock_order = {
	"SELECT o.id FROM @.orders o WHERE o.id" EQ "$1 FOR NO KEY UPDATE", 1, {UUIDOID}
};

static const StoreQuery find_address = {
	"SELECT a.id FROM @.addresses a WHERE a.id" EQ "$1", 1, {UUIDOID}
};

static const StoreQuery find_codes = {
	"SELECT EXISTS (SELECT FROM @.methods m WHERE m.code" EQ "$1),"
	" EXISTS (SELECT FROM @.locations l WHERE l.code" EQ "$2 AND l.active), EXISTS (SELECT FROM @.reasons r WHERE r.code" EQ "$3)",
	3, {TEXTOID, TEXTOID, TEXTOID}
};

/*
 * read_address finds or inserts the address, as the caller.
 */
static void
read_address(Store *store, DeliveryChange *change, Jsonb *ship_to)
{
	JsonbValue	scalar;

	if (!ship_to)
		return;
	change->way.has_ship_to = true;
	if (!JB_ROOT_IS_SCALAR(ship_to))
	{
		OrderDocument *document = oms_parse_ship_to(ship_to);

		change->way.ship_to = oms_write_addresses(store, document)[document->ship_to];
		return;
	}
	if (!JsonbExtractScalar(&ship_to->root, &scalar) || scalar.type != jbvString || scalar.val.string.len != 36)
		oms_document_fault("ship_to", NULL, "must be an address or the id of one");
	change->way.ship_to = *DatumGetUUIDP(DirectFunctionCall1(uuid_in,
															 CStringGetDatum(pnstrdup(scalar.val.string.val, scalar.val.string.len))));
	if (oms_run(store, &find_address, (Datum[]) {UUIDPGetDatum(&change->way.ship_to)}) == 0)
		oms_document_fault("ship_to", NULL, psprintf("unknown address \"%s\"", oms_uuid_out(&change->way.ship_to)));
}

/*
 * require_codes refuses codes that the store does not know.
 */
static void
require_codes(Store *store, const DeliveryChange *change)
{
	const char *codes[] = {change->way.method, change->way.pickup_location, change->reason};
	static const char *const names[] = {"method", "pickup_location", "reason"};
	static const char *const kinds[] = {"method", "location", "reason"};
	Datum		args[3];
	char		nulls[4] = "   ";

	for (int i = 0; i < 3; i++)
	{
		args[i] = codes[i] ? CStringGetTextDatum(codes[i]) : (Datum) 0;
		nulls[i] = codes[i] ? ' ' : 'n';
	}
	(void) oms_run_nulls(store, &find_codes, args, nulls);
	for (int i = 0; i < 3; i++)
	{
		if (codes[i] && !oms_column_bool(0, i + 1))
			oms_document_fault(names[i], NULL, psprintf("unknown %s \"%s\"", kinds[i], oms_clip(codes[i])));
	}
}

/*
 * change_units does it all, as the owner.  Returns how many units go the new way.
 */
static int64
change_units(Store *store, DeliveryChange *change, Jsonb *wanted)
{
	Array	   *ids = oms_array(UUIDOID, 1);
	OrderFactsList *orders;
	DeliveryLine *lines;
	int			count;

	require_codes(store, change);
	oms_array_add_uuid(ids, &change->order_id);
	orders = oms_lock_orders(store, ids);
	change->order_number = orders->orders[0].number;
	if (!orders->orders[0].is_placed)
		ereport(ERROR,
				(errcode(ERRCODE_OMS_GUARD_REFUSED),
				 errmsg("order \"%s\" is not placed yet, so nothing is on its way", change->order_number),
				 errhint("Change its ship_to_id and its lines instead.")));
	lines = oms_delivery_lines(store, change, wanted, &count);
	return oms_redirect(store, change, lines, count, wanted == NULL);
}

/*
 * oms_change_delivery is oms.change_delivery(store, order_id, lines, method,
 * ship_to, pickup_location, reason).
 */
Datum
oms_change_delivery(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 2);
	DeliveryChange change = {
		.order_id = *PG_GETARG_UUID_P(1),
		.way.method = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3)),
		.way.pickup_location = PG_ARGISNULL(5) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(5)),
		.reason = PG_ARGISNULL(6) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(6))
	};
	OwnerScope	scope;
	int64		units;
	int			guc_level;

	change.way.sets_pickup = change.way.method || change.way.pickup_location;
	if (!change.way.sets_pickup && PG_ARGISNULL(4))
		oms_document_fault("method", NULL, "nothing is to change: give a method, ship_to or pickup_location");
	oms_require_status(store, "orders");
	guc_level = oms_pin_search_path(store);
	oms_spi_begin();
	if (oms_run(store, &lock_order, (Datum[]) {UUIDPGetDatum(&change.order_id)}) == 0)
		oms_document_fault("order_id", NULL, psprintf("unknown order \"%s\"", oms_uuid_out(&change.order_id)));
	read_address(store, &change, PG_ARGISNULL(4) ? NULL : PG_GETARG_JSONB_P(4));
	oms_become_owner(store, &scope);
	units = change_units(store, &change, PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2));
	oms_leave_owner(&scope);
	oms_spi_end();
	AtEOXact_GUC(true, guc_level);
	PG_RETURN_INT64(units);
}
