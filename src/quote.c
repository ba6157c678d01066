/*
 * quote.c
 *	  oms.quote: what a cart would cost to send, from where, and when it is there.
 *
 * The cart is planned in thought, by the code that plans it when it is placed
 * (sourcing.c); then once more for each other way in which all of it could go
 * (quote_options.c).  It reads as the caller; only the book of sourcing rules is read
 * as the owner, as in plan_order.c.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "oms.h"
#include "plan.h"
#include "quote.h"

PG_FUNCTION_INFO_V1(oms_quote);

/*
 * promise_all says when the last piece is there, if that is known of all.
 */
static void
promise_all(Quote *quote)
{
	const Sourcing *sourcing = &quote->sourcing;

	quote->has_promise = sourcing->npieces > 0 && !quote->lacking;
	for (int i = 0; i < sourcing->npieces; i++)
	{
		const Piece *piece = &sourcing->pieces[i];

		quote->has_promise &= piece->has_promise;
		if (i == 0 || piece->promised_at > quote->promised_at)
			quote->promised_at = piece->promised_at;
	}
}

/*
 * add_cost adds so many units at a cost each.
 */
static void
add_cost(Quote *quote, int64 units, int64 cost)
{
	int64		product;

	if (pg_mul_s64_overflow(units, cost, &product) || pg_add_s64_overflow(quote->cost, product, &quote->cost))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("what the cart could cost is more than can be computed with"),
				 errhint("See quantities, shipping_rates, sourcing_rules.cost, sourcing_policies.unfilled_penalty and the costs of locations.")));
}

/*
 * compare_shipments orders pieces by the shipment that they are in.
 */
static int
compare_shipments(const void *a, const void *b)
{
	const Piece *left = *(Piece *const *) a;
	const Piece *right = *(Piece *const *) b;
	int			order = oms_compare_ways(left->demand, right->demand);

	return order != 0 ? order : left->place - right->place;
}

/*
 * add_up counts shipments and costs.  What the units without stock count is in the
 * policy, as in the plan.
 */
static void
add_up(Quote *quote)
{
	const Sourcing *sourcing = &quote->sourcing;
	const Piece **pieces = palloc_extended((sourcing->npieces + 1) * sizeof(Piece *), MCXT_ALLOC_HUGE);
	int64		penalty = oms_sourcing_policy(sourcing->book, sourcing->demands[0].channel)->unfilled_penalty;

	for (int i = 0; i < sourcing->npieces; i++)
	{
		pieces[i] = &sourcing->pieces[i];
		add_cost(quote, pieces[i]->quantity, pieces[i]->unit_cost);
	}
	qsort(pieces, sourcing->npieces, sizeof(Piece *), compare_shipments);
	for (int i = 0; i < sourcing->npieces; i++)
	{
		if (i > 0 && compare_shipments(&pieces[i - 1], &pieces[i]) == 0)
			continue;
		quote->shipments++;
		add_cost(quote, 1, pieces[i]->shipment_cost);
	}
	for (int i = 0; i < sourcing->count; i++)
	{
		const Demand *demand = &sourcing->demands[i];

		if (demand->found == demand->quantity)
			continue;
		if (!quote->lacking)
			quote->lacking = demand;
		add_cost(quote, demand->quantity - demand->found, Max(0, penalty));
	}
	pfree(pieces);
}

/*
 * oms_plan_cart plans demands of the cart, which are changed, and adds up what that
 * costs.
 */
void
oms_plan_cart(const Cart *cart, Demand *demands, Quote *quote)
{
	Sourcing   *sourcing = &quote->sourcing;

	memset(quote, 0, sizeof(Quote));
	if (cart->count == 0)
		return;
	sourcing->demands = demands;
	sourcing->count = cart->count;
	sourcing->is_first = true;
	sourcing->book = cart->book;
	sourcing->addresses = cart->addresses;
	sourcing->naddresses = cart->naddresses;
	sourcing->held = cart->held;
	sourcing->own_hold = cart->doc->fields[DOC_STOCK_HOLD].text;
	oms_source_in_thought(cart->store, sourcing);
	add_up(quote);
	promise_all(quote);
}

/*
 * oms_add_money, oms_add_time and oms_add_text add members of a JSON object, null where
 * there is nothing.
 */
void
oms_add_money(StringInfo json, const char *name, int64 amount)
{
	appendStringInfo(json, ",\"%s\":%s", name,
					 DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(int64_div_fast_to_numeric(amount, 4)))));
}

void
oms_add_time(StringInfo json, const char *name, bool is_known, TimestampTz at)
{
	char		text[MAXDATELEN + 1];

	if (!is_known)
		appendStringInfo(json, ",\"%s\":null", name);
	else
		appendStringInfo(json, ",\"%s\":\"%s\"", name, JsonEncodeDateTime(text, TimestampTzGetDatum(at), TIMESTAMPTZOID, NULL));
}

void
oms_add_text(StringInfo json, const char *name, const char *text)
{
	appendStringInfo(json, ",\"%s\":%s", name, text ? oms_json_text(text) : "null");
}

/*
 * write_units writes units of a demand that come from one place, NULL: from none.
 */
static void
write_units(StringInfo json, const Demand *demand, const Piece *piece, const char *disposition, int64 quantity)
{
	if (quantity <= 0)
		return;
	appendStringInfo(json, "%s{\"line\":%d", json->data[json->len - 1] == '[' ? "" : ",",
					 demand->bundle_line > 0 ? demand->bundle_line : demand->line_no);
	oms_add_text(json, "sku", demand->sku);
	appendStringInfo(json, ",\"quantity\":" INT64_FORMAT, quantity);
	oms_add_text(json, "method", demand->method);
	oms_add_text(json, "location", piece ? piece->location : NULL);
	oms_add_text(json, "pickup_location", demand->pickup_location);
	oms_add_text(json, "disposition", disposition);
	if (piece)
		oms_add_money(json, "unit_cost", piece->unit_cost);
	else
		appendStringInfoString(json, ",\"unit_cost\":null");
	oms_add_time(json, "promised_at", piece && piece->has_promise, piece ? piece->promised_at : 0);
	appendStringInfoChar(json, '}');
}

/*
 * write_lines writes from where the units come, as the lines stand.
 */
static void
write_lines(const Quote *quote, StringInfo json)
{
	const Sourcing *sourcing = &quote->sourcing;
	int			next = 0;

	for (int i = 0; i < sourcing->count; i++)
	{
		const Demand *demand = &sourcing->demands[i];

		for (; next < sourcing->npieces && sourcing->pieces[next].demand == demand; next++)
			write_units(json, demand, &sourcing->pieces[next], "allocate", sourcing->pieces[next].quantity);
		write_units(json, demand, NULL, "backorder", demand->backordered);
		write_units(json, demand, NULL, "short", oms_lacking(demand));
	}
}

/*
 * oms_quote is oms.quote(store, document).
 */
Datum
oms_quote(PG_FUNCTION_ARGS)
{
	Store	   *store = oms_store_argument(fcinfo, 2);
	MemoryContext caller = CurrentMemoryContext;
	Cart		cart = {0};
	Quote		quote;
	Demand	   *demands;
	StringInfoData json;
	char	   *text;

	oms_spi_begin();
	oms_read_cart(store, PG_GETARG_JSONB_P(1), &cart);
	demands = palloc_extended((cart.count + 1) * sizeof(Demand), MCXT_ALLOC_HUGE);
	memcpy(demands, cart.demands, cart.count * sizeof(Demand));
	initStringInfo(&json);
	appendStringInfoString(&json, "{\"lines\":[");
	oms_plan_cart(&cart, demands, &quote);
	write_lines(&quote, &json);
	appendStringInfoChar(&json, ']');
	oms_add_money(&json, "cost", quote.cost);
	appendStringInfo(&json, ",\"shipments\":%d", quote.shipments);
	oms_add_time(&json, "promised_at", quote.has_promise, quote.promised_at);
	appendStringInfo(&json, ",\"complete\":%s,\"options\":[", quote.lacking ? "false" : "true");
	oms_write_options(&cart, &json);
	appendStringInfoString(&json, "]}");
	MemoryContextSwitchTo(caller);
	text = pstrdup(json.data);
	oms_spi_end();
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
}
