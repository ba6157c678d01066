/*
 * order.h
 *	  A parsed order document, between its parser and its writer.
 */
#ifndef OMS_ORDER_H
#define OMS_ORDER_H

#include "document.h"
#include "machine.h"
#include "store.h"
#include "utils/uuid.h"

enum OrderField
{
	DOC_CHANNEL, DOC_EXTERNAL_REF, DOC_ORDERED_AT, DOC_CURRENCY, DOC_TAX_INCLUDED, DOC_CUSTOMER,
	DOC_SHIP_TO, DOC_BILL_TO, DOC_PO_NUMBER, DOC_PRIORITY, DOC_SHIP_COMPLETE, DOC_IF_SHORT,
	DOC_SOURCE_ORDER, DOC_SOURCE_KIND, DOC_LINES, DOC_CHARGES, DOC_HOLDS, DOC_STOCK_HOLD,
	DOC_PAYMENTS, DOC_TOTAL, DOC_ATTRIBUTES, DOC_REQUESTED_AT, DOC_FIELDS
};

enum LineField
{
	LINE_LINE, LINE_EXTERNAL_REF, LINE_PARENT, LINE_SKU, LINE_QUANTITY, LINE_UNIT_PRICE,
	LINE_DISCOUNT, LINE_TAX, LINE_DESCRIPTION, LINE_METHOD, LINE_LOCATION,
	LINE_PICKUP_LOCATION, LINE_SHIP_TO, LINE_SHIP_GROUP, LINE_ATTRIBUTES, LINE_REQUESTED_AT, LINE_FIELDS
};

enum CustomerField
{
	CUSTOMER_CODE, CUSTOMER_NAME, CUSTOMER_EMAIL, CUSTOMER_PHONE, CUSTOMER_ATTRIBUTES, CUSTOMER_FIELDS
};

enum AddressField
{
	ADDRESS_NAME, ADDRESS_COMPANY, ADDRESS_LINE1, ADDRESS_LINE2, ADDRESS_CITY, ADDRESS_REGION,
	ADDRESS_POSTAL_CODE, ADDRESS_COUNTRY, ADDRESS_LATITUDE, ADDRESS_LONGITUDE, ADDRESS_PHONE,
	ADDRESS_EMAIL, ADDRESS_FIELDS
};

enum ChargeField
{
	CHARGE_KIND, CHARGE_LABEL, CHARGE_AMOUNT, CHARGE_TAX, CHARGE_FIELDS
};

enum HoldField
{
	HOLD_KIND, HOLD_REASON, HOLD_EXPIRES_AT, HOLD_FIELDS
};

enum PaymentField
{
	PAYMENT_METHOD, PAYMENT_KIND, PAYMENT_AMOUNT, PAYMENT_GATEWAY_REF, PAYMENT_FIELDS
};

typedef FieldValue LineValues[LINE_FIELDS];
typedef FieldValue ChargeValues[CHARGE_FIELDS];
typedef FieldValue HoldValues[HOLD_FIELDS];
typedef FieldValue PaymentValues[PAYMENT_FIELDS];
typedef FieldValue AddressValues[ADDRESS_FIELDS];

typedef struct OrderDocument
{
	FieldValue	fields[DOC_FIELDS];
	FieldValue	customer[CUSTOMER_FIELDS];	/* where customer is an object */
	int			nlines;
	LineValues *lines;
	int			ncharges;
	ChargeValues *charges;
	int			nholds;
	HoldValues *holds;
	int			npayments;
	PaymentValues *payments;

	/* the distinct addresses, and which of them goes where; -1: none */
	int			naddresses;
	AddressValues *addresses;
	int			ship_to;
	int			bill_to;
	int		   *line_ship_to;

	Datum		total;			/* numeric: of all amounts, discounts left out */
	bytea	   *hash;
} OrderDocument;

/* What the store says of a line's codes. */
typedef struct LineFrame
{
	bool		tracked;		/* the SKU */
	const char *method;			/* the line's, the SKU's or the channel's; or
								 * NULL */
	const char *workflow;		/* of the method */
	bool		by_partner;		/* the method */
	bool		needs_steps;	/* the SKU is a bundle or a warranty */
} LineFrame;

/* What the store says of an order's channel and lines. */
typedef struct OrderFrame
{
	const char *workflow;
	const char *if_short;
	int64		priority;
	bool		payment_required;
	LineFrame  *lines;
} OrderFrame;

/* What an order's row points to, written or found before it. */
typedef struct OrderBefore
{
	pg_uuid_t	customer;
	pg_uuid_t	source;
	bool		has_customer;
	bool		has_source;
	pg_uuid_t  *addresses;
} OrderBefore;

/* order_document.c */
extern OrderDocument *oms_parse_order(Jsonb *document);
extern OrderDocument *oms_parse_cart(Jsonb *document);
extern OrderDocument *oms_parse_ship_to(Jsonb *address);

/* codes.c */
extern OrderFrame *oms_look_up_codes(Store *store, const OrderDocument *doc);

/* order_write.c */
extern void oms_write_before(Store *store, const OrderDocument *doc, OrderBefore *before);
extern bool oms_write_row(Store *store, const OrderDocument *doc, const OrderFrame *frame, const pg_uuid_t *id,
						  const OrderBefore *before);
extern pg_uuid_t *oms_write_addresses(Store *store, const OrderDocument *doc);
extern void oms_forget_addresses(Store *store, const pg_uuid_t *ids, int count);
extern void oms_write_lines(Store *store, const OrderDocument *doc, const pg_uuid_t *id, const pg_uuid_t *ids,
							const pg_uuid_t *addresses);
extern void oms_write_charges(Store *store, const OrderDocument *doc, const pg_uuid_t *id);
extern void oms_write_holds(Store *store, const OrderDocument *doc, const pg_uuid_t *id);
extern void oms_write_payments(Store *store, const OrderDocument *doc, const pg_uuid_t *id);

/* order.c */
extern const MachineMove *oms_reserving_move(Store *store, const char *workflow);
extern void oms_require_total(const OrderDocument *doc, Datum real);
extern void oms_refuse_hidden(const char *what) pg_attribute_noreturn();
extern void oms_refuse_meanwhile(const OrderDocument *doc) pg_attribute_noreturn();

/* direct.c */
extern bool oms_is_direct(Store *store, const OrderDocument *doc, const OrderFrame *frame);
extern bool oms_place_directly(Store *store, const OrderDocument *doc, const OrderFrame *frame, const pg_uuid_t *id,
							   HeapTuple *result);

#endif							/* OMS_ORDER_H */
