/*
 * shape.h
 *	  The columns of orders and fulfillments: whose each is, and where.
 */
#ifndef OMS_SHAPE_H
#define OMS_SHAPE_H

#include "access/htup.h"
#include "machine.h"
#include "utils/relcache.h"

/* Who may write a column. */
typedef enum ColumnOwner
{
	PEOPLE,						/* anybody with the privilege */
	FIXED,						/* written once, at INSERT: OM006 */
	ENGINE						/* the engine alone: OM005 */
} ColumnOwner;

/* The columns that C code names, by number; judge.c has their names. */
typedef enum OrderColumn
{
	ORDER_ID, ORDER_NUMBER, ORDER_CHANNEL, ORDER_WORKFLOW, ORDER_STATUS,
	ORDER_STATUS_REASON, ORDER_PRIORITY, ORDER_IF_SHORT, ORDER_SHIP_COMPLETE,
	ORDER_SHIP_TO_ID, ORDER_PAYMENT_REQUIRED, ORDER_CREDIT_APPROVED, ORDER_UNITS,
	ORDER_UNITS_CANCELED, ORDER_UNITS_ALLOCATED, ORDER_UNITS_BACKORDERED,
	ORDER_UNITS_SHORT, ORDER_UNITS_SHIPPED, ORDER_UNITS_DELIVERED, ORDER_UNITS_RETURNED,
	ORDER_TOTAL, ORDER_CREDITED, ORDER_AUTHORIZED, ORDER_CAPTURED, ORDER_REFUNDED,
	ORDER_CHARGED_BACK, ORDER_OPEN_HOLDS, ORDER_PAYMENT_STATUS,
	ORDER_FULFILLMENT_STATUS, ORDER_RETURN_STATUS, ORDER_PLACED_AT, ORDER_CONFIRMED_AT,
	ORDER_CLOSED_AT, ORDER_CANCELED_AT, ORDER_REVISION, ORDER_CURRENCY,
	ORDER_TAX_INCLUDED, ORDER_EXTERNAL_REF, ORDER_DOCUMENT_HASH, ORDER_SOURCE_ORDER,
	ORDER_CREATED_AT, ORDER_SOURCE_KIND, ORDER_ORDERED_AT, ORDER_CUSTOMER_ID,
	ORDER_REQUESTED_AT, ORDER_FEWEST_SHIPMENTS, ORDER_COLUMNS
} OrderColumn;

typedef enum FulfillmentColumn
{
	FULFILLMENT_ID, FULFILLMENT_NUMBER, FULFILLMENT_ORDER_ID, FULFILLMENT_WORKFLOW,
	FULFILLMENT_STATUS, FULFILLMENT_STATUS_REASON, FULFILLMENT_LOCATION,
	FULFILLMENT_PICKUP_LOCATION, FULFILLMENT_METHOD, FULFILLMENT_STOCK_STATE,
	FULFILLMENT_REROUTED, FULFILLMENT_GAVE_WAY, FULFILLMENT_SHIP_TO_ID, FULFILLMENT_REQUESTED_AT, FULFILLMENT_CREATED_AT,
	FULFILLMENT_SHIPPED_AT, FULFILLMENT_DELIVERED_AT, FULFILLMENT_CLOSED_AT, FULFILLMENT_LOAD_DAY, FULFILLMENT_REVISION,
	FULFILLMENT_COLUMNS
} FulfillmentColumn;

#define MAX_COLUMNS ORDER_COLUMNS

/* Where a table has the columns above; users may have added others. */
typedef struct Shape
{
	Oid			relid;			/* key */
	bool		is_valid;
	EntityKind	entity;
	AttrNumber	number[MAX_COLUMNS];
} Shape;

/* A row taken apart. */
typedef struct RowValues
{
	Datum	   *values;
	bool	   *nulls;
} RowValues;

typedef struct ColumnRule
{
	const char *name;
	Oid			type;
	ColumnOwner owner;
	const char *start;			/* of an engine column of text: its value at
								 * INSERT; others start as zero or NULL */
} ColumnRule;

extern void oms_shape_init(void);
extern const ColumnRule *oms_column_rules(EntityKind entity, int *count);
extern const Shape *oms_shape(Relation rel, EntityKind entity);
extern RowValues oms_row_values(HeapTuple tuple, TupleDesc tupdesc);
extern char *oms_row_text(const Shape *shape, const RowValues *row, int column);
extern int64 oms_row_int64(const Shape *shape, const RowValues *row, int column);
extern bool oms_row_is_null(const Shape *shape, const RowValues *row, int column);
extern Datum oms_row_value(const Shape *shape, const RowValues *row, int column);
extern char *oms_edited_columns(Relation rel, const RowValues *old, const RowValues *new);

#endif							/* OMS_SHAPE_H */
