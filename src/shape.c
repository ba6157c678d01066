/*
 * shape.c
 *	  The columns of orders and fulfillments: whose each is, and where.
 *
 * Users may add columns to a store's tables, so ours are found by name, once a
 * backend and table; a change of the table has them found again.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "oms.h"
#include "shape.h"
#include "store.h"

static const ColumnRule order_rules[ORDER_COLUMNS] = {
	[ORDER_ID] = {"id", UUIDOID, FIXED},
	[ORDER_NUMBER] = {"number", TEXTOID, FIXED},
	[ORDER_CHANNEL] = {"channel", TEXTOID, FIXED},
	[ORDER_WORKFLOW] = {"workflow", TEXTOID, FIXED},
	[ORDER_STATUS] = {"status", TEXTOID, PEOPLE},
	[ORDER_STATUS_REASON] = {"status_reason", TEXTOID, PEOPLE},
	[ORDER_PRIORITY] = {"priority", INT4OID, PEOPLE},
	[ORDER_IF_SHORT] = {"if_short", TEXTOID, PEOPLE},
	[ORDER_SHIP_COMPLETE] = {"ship_complete", BOOLOID, PEOPLE},
	[ORDER_SHIP_TO_ID] = {"ship_to_id", UUIDOID, PEOPLE},
	[ORDER_PAYMENT_REQUIRED] = {"payment_required", BOOLOID, ENGINE},
	[ORDER_CREDIT_APPROVED] = {"credit_approved", BOOLOID, ENGINE},
	[ORDER_UNITS] = {"units", INT8OID, ENGINE},
	[ORDER_UNITS_CANCELED] = {"units_canceled", INT8OID, ENGINE},
	[ORDER_UNITS_ALLOCATED] = {"units_allocated", INT8OID, ENGINE},
	[ORDER_UNITS_BACKORDERED] = {"units_backordered", INT8OID, ENGINE},
	[ORDER_UNITS_SHORT] = {"units_short", INT8OID, ENGINE},
	[ORDER_UNITS_SHIPPED] = {"units_shipped", INT8OID, ENGINE},
	[ORDER_UNITS_DELIVERED] = {"units_delivered", INT8OID, ENGINE},
	[ORDER_UNITS_RETURNED] = {"units_returned", INT8OID, ENGINE},
	[ORDER_TOTAL] = {"total", NUMERICOID, ENGINE},
	[ORDER_CREDITED] = {"credited", NUMERICOID, ENGINE},
	[ORDER_AUTHORIZED] = {"authorized", NUMERICOID, ENGINE},
	[ORDER_CAPTURED] = {"captured", NUMERICOID, ENGINE},
	[ORDER_REFUNDED] = {"refunded", NUMERICOID, ENGINE},
	[ORDER_CHARGED_BACK] = {"charged_back", NUMERICOID, ENGINE},
	[ORDER_OPEN_HOLDS] = {"open_holds", INT4OID, ENGINE},
	[ORDER_PAYMENT_STATUS] = {"payment_status", TEXTOID, ENGINE, "unpaid"},
	[ORDER_FULFILLMENT_STATUS] = {"fulfillment_status", TEXTOID, ENGINE, "unfulfilled"},
	[ORDER_RETURN_STATUS] = {"return_status", TEXTOID, ENGINE, "none"},
	[ORDER_PLACED_AT] = {"placed_at", TIMESTAMPTZOID, ENGINE},
	[ORDER_CONFIRMED_AT] = {"confirmed_at", TIMESTAMPTZOID, ENGINE},
	[ORDER_CLOSED_AT] = {"closed_at", TIMESTAMPTZOID, ENGINE},
	[ORDER_CANCELED_AT] = {"canceled_at", TIMESTAMPTZOID, ENGINE},
	[ORDER_REVISION] = {"revision", INT8OID, ENGINE},
	[ORDER_CURRENCY] = {"currency", BPCHAROID, FIXED},
	[ORDER_TAX_INCLUDED] = {"tax_included", BOOLOID, FIXED},
	[ORDER_EXTERNAL_REF] = {"external_ref", TEXTOID, FIXED},
	[ORDER_DOCUMENT_HASH] = {"document_hash", BYTEAOID, FIXED},
	[ORDER_SOURCE_ORDER] = {"source_order_id", UUIDOID, FIXED},
	[ORDER_CREATED_AT] = {"created_at", TIMESTAMPTZOID, FIXED},
	[ORDER_SOURCE_KIND] = {"source_kind", TEXTOID, PEOPLE},
	[ORDER_ORDERED_AT] = {"ordered_at", TIMESTAMPTZOID, PEOPLE},
	[ORDER_CUSTOMER_ID] = {"customer_id", UUIDOID, PEOPLE},
	[ORDER_REQUESTED_AT] = {"requested_at", TIMESTAMPTZOID, PEOPLE},
	[ORDER_FEWEST_SHIPMENTS] = {"fewest_shipments", INT8OID, ENGINE},
};

static const ColumnRule fulfillment_rules[FULFILLMENT_COLUMNS] = {
	[FULFILLMENT_ID] = {"id", UUIDOID, FIXED},
	[FULFILLMENT_NUMBER] = {"number", TEXTOID, FIXED},
	[FULFILLMENT_ORDER_ID] = {"order_id", UUIDOID, FIXED},
	[FULFILLMENT_WORKFLOW] = {"workflow", TEXTOID, FIXED},
	[FULFILLMENT_STATUS] = {"status", TEXTOID, PEOPLE},
	[FULFILLMENT_STATUS_REASON] = {"status_reason", TEXTOID, PEOPLE},
	[FULFILLMENT_LOCATION] = {"location", TEXTOID, FIXED},
	[FULFILLMENT_PICKUP_LOCATION] = {"pickup_location", TEXTOID, FIXED},
	[FULFILLMENT_METHOD] = {"method", TEXTOID, FIXED},
	[FULFILLMENT_STOCK_STATE] = {"stock_state", TEXTOID, ENGINE, "none"},
	[FULFILLMENT_REROUTED] = {"rerouted", BOOLOID, ENGINE},
	[FULFILLMENT_GAVE_WAY] = {"gave_way", BOOLOID, ENGINE},
	[FULFILLMENT_SHIP_TO_ID] = {"ship_to_id", UUIDOID, PEOPLE},
	[FULFILLMENT_REQUESTED_AT] = {"requested_at", TIMESTAMPTZOID, PEOPLE},
	[FULFILLMENT_CREATED_AT] = {"created_at", TIMESTAMPTZOID, FIXED},
	[FULFILLMENT_SHIPPED_AT] = {"shipped_at", TIMESTAMPTZOID, ENGINE},
	[FULFILLMENT_DELIVERED_AT] = {"delivered_at", TIMESTAMPTZOID, ENGINE},
	[FULFILLMENT_CLOSED_AT] = {"closed_at", TIMESTAMPTZOID, ENGINE},
	[FULFILLMENT_LOAD_DAY] = {"load_day", DATEOID, ENGINE},
	[FULFILLMENT_REVISION] = {"revision", INT8OID, ENGINE},
};

static HTAB *shapes = NULL;

/*
 * oms_column_rules returns the rules of an entity's columns, by number.
 */
const ColumnRule *
oms_column_rules(EntityKind entity, int *count)
{
	*count = entity == ENTITY_ORDER ? (int) ORDER_COLUMNS : (int) FULFILLMENT_COLUMNS;
	return entity == ENTITY_ORDER ? order_rules : fulfillment_rules;
}

/*
 * shape_changed marks a table's shape as stale.
 */
static void
shape_changed(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS status;
	Shape	   *shape;

	hash_seq_init(&status, shapes);
	while ((shape = hash_seq_search(&status)) != NULL)
	{
		if (!OidIsValid(relid) || shape->relid == relid)
			shape->is_valid = false;
	}
}

/*
 * oms_shape_init makes the table of shapes.
 */
void
oms_shape_init(void)
{
	HASHCTL		control = {0};

	control.keysize = sizeof(Oid);
	control.entrysize = sizeof(Shape);
	shapes = hash_create("oms shapes", 16, &control, HASH_ELEM | HASH_BLOBS);
	CacheRegisterRelcacheCallback(shape_changed, (Datum) 0);
}

/*
 * oms_shape returns where a table has the columns we know.
 */
const Shape *
oms_shape(Relation rel, EntityKind entity)
{
	Oid			relid = RelationGetRelid(rel);
	bool		found;
	Shape	   *shape = hash_search(shapes, &relid, HASH_ENTER, &found);
	int			count;
	const ColumnRule *rules = oms_column_rules(entity, &count);

	if (found && shape->is_valid && shape->entity == entity)
		return shape;
	shape->is_valid = false;
	shape->entity = entity;
	if (has_superclass(relid))
		oms_refuse_parent(rel);
	for (int i = 0; i < count; i++)
	{
		int			number = SPI_fnumber(RelationGetDescr(rel), rules[i].name);

		if (number <= 0 || TupleDescAttr(RelationGetDescr(rel), number - 1)->atttypid != rules[i].type)
			ereport(ERROR,
					(errcode(ERRCODE_OMS_STORE_LAYOUT),
					 errmsg("table \"%s\" has no column \"%s\" of type %s", RelationGetRelationName(rel), rules[i].name,
							format_type_be(rules[i].type))));
		shape->number[i] = number;
	}
	shape->is_valid = true;
	return shape;
}

/*
 * oms_row_values takes a tuple apart.
 */
RowValues
oms_row_values(HeapTuple tuple, TupleDesc tupdesc)
{
	RowValues	row;

	row.values = palloc(tupdesc->natts * sizeof(Datum));
	row.nulls = palloc(tupdesc->natts * sizeof(bool));
	heap_deform_tuple(tuple, tupdesc, row.values, row.nulls);
	return row;
}

/*
 * oms_row_is_null, oms_row_value, oms_row_text and oms_row_int64 return a
 * field; text as NULL where it is NULL, the others must not be.
 */
bool
oms_row_is_null(const Shape *shape, const RowValues *row, int column)
{
	return row->nulls[shape->number[column] - 1];
}

Datum
oms_row_value(const Shape *shape, const RowValues *row, int column)
{
	/* not so where somebody has dropped the NOT NULL */
	if (oms_row_is_null(shape, row, column))
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("column %d of table \"%s\" is null", shape->number[column], get_rel_name(shape->relid))));
	return row->values[shape->number[column] - 1];
}

char *
oms_row_text(const Shape *shape, const RowValues *row, int column)
{
	if (oms_row_is_null(shape, row, column))
		return NULL;
	return TextDatumGetCString(oms_row_value(shape, row, column));
}

int64
oms_row_int64(const Shape *shape, const RowValues *row, int column)
{
	return DatumGetInt64(oms_row_value(shape, row, column));
}

/*
 * oms_edited_columns lists the columns that a person's update changed, as JSON,
 * or returns NULL where it changed none.  Names alone: no personal data.
 */
char *
oms_edited_columns(Relation rel, const RowValues *old, const RowValues *new)
{
	TupleDesc	tupdesc = RelationGetDescr(rel);
	StringInfoData names;

	initStringInfo(&names);
	for (int i = 0; i < tupdesc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(tupdesc, i);

		if (attribute->attisdropped || attribute->attgenerated ||
			(old->nulls[i] && new->nulls[i]))
			continue;
		if (old->nulls[i] != new->nulls[i] ||
			!datum_image_eq(old->values[i], new->values[i], attribute->attbyval, attribute->attlen))
		{
			appendStringInfoString(&names, names.len == 0 ? "{\"columns\": [" : ", ");
			escape_json(&names, NameStr(attribute->attname));
		}
	}
	if (names.len == 0)
		return NULL;
	appendStringInfoString(&names, "]}");
	return names.data;
}
