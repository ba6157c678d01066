/*
 * shape.c
 *	  The columns of orders and fulfillments: whose each is, and where.
 *
 * Users may add columns to a store's tables, so ours are found by name, once a
 * backend and table; a change of the table has them found again.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/json.h"
#include "utils/rel.h"

#include "oms.h"
#include "shape.h"

static const ColumnRule order_rules[ORDER_COLUMNS] = {
	[ORDER_ID] = {"id", FIXED},
	[ORDER_NUMBER] = {"number", FIXED},
	[ORDER_CHANNEL] = {"channel", FIXED},
	[ORDER_WORKFLOW] = {"workflow", FIXED},
	[ORDER_STATUS] = {"status", PEOPLE},
	[ORDER_STATUS_REASON] = {"status_reason", PEOPLE},
	[ORDER_PRIORITY] = {"priority", PEOPLE},
	[ORDER_IF_SHORT] = {"if_short", PEOPLE},
	[ORDER_SHIP_COMPLETE] = {"ship_complete", PEOPLE},
	[ORDER_SHIP_TO_ID] = {"ship_to_id", PEOPLE},
	[ORDER_PAYMENT_REQUIRED] = {"payment_required", ENGINE},
	[ORDER_CREDIT_APPROVED] = {"credit_approved", ENGINE},
	[ORDER_UNITS] = {"units", ENGINE},
	[ORDER_UNITS_CANCELED] = {"units_canceled", ENGINE},
	[ORDER_UNITS_ALLOCATED] = {"units_allocated", ENGINE},
	[ORDER_UNITS_BACKORDERED] = {"units_backordered", ENGINE},
	[ORDER_UNITS_SHORT] = {"units_short", ENGINE},
	[ORDER_UNITS_SHIPPED] = {"units_shipped", ENGINE},
	[ORDER_UNITS_DELIVERED] = {"units_delivered", ENGINE},
	[ORDER_UNITS_RETURNED] = {"units_returned", ENGINE},
	[ORDER_TOTAL] = {"total", ENGINE},
	[ORDER_CREDITED] = {"credited", ENGINE},
	[ORDER_AUTHORIZED] = {"authorized", ENGINE},
	[ORDER_CAPTURED] = {"captured", ENGINE},
	[ORDER_REFUNDED] = {"refunded", ENGINE},
	[ORDER_CHARGED_BACK] = {"charged_back", ENGINE},
	[ORDER_OPEN_HOLDS] = {"open_holds", ENGINE},
	[ORDER_PAYMENT_STATUS] = {"payment_status", ENGINE, "unpaid"},
	[ORDER_FULFILLMENT_STATUS] = {"fulfillment_status", ENGINE, "unfulfilled"},
	[ORDER_RETURN_STATUS] = {"return_status", ENGINE, "none"},
	[ORDER_PLACED_AT] = {"placed_at", ENGINE},
	[ORDER_CONFIRMED_AT] = {"confirmed_at", ENGINE},
	[ORDER_CLOSED_AT] = {"closed_at", ENGINE},
	[ORDER_CANCELED_AT] = {"canceled_at", ENGINE},
	[ORDER_REVISION] = {"revision", ENGINE},
	[ORDER_CURRENCY] = {"currency", FIXED},
	[ORDER_TAX_INCLUDED] = {"tax_included", FIXED},
	[ORDER_EXTERNAL_REF] = {"external_ref", FIXED},
	[ORDER_DOCUMENT_HASH] = {"document_hash", FIXED},
	[ORDER_SOURCE_ORDER] = {"source_order_id", FIXED},
	[ORDER_CREATED_AT] = {"created_at", FIXED},
};

static const ColumnRule fulfillment_rules[FULFILLMENT_COLUMNS] = {
	[FULFILLMENT_ID] = {"id", FIXED},
	[FULFILLMENT_NUMBER] = {"number", FIXED},
	[FULFILLMENT_ORDER_ID] = {"order_id", FIXED},
	[FULFILLMENT_WORKFLOW] = {"workflow", FIXED},
	[FULFILLMENT_STATUS] = {"status", PEOPLE},
	[FULFILLMENT_STATUS_REASON] = {"status_reason", PEOPLE},
	[FULFILLMENT_LOCATION] = {"location", FIXED},
	[FULFILLMENT_PICKUP_LOCATION] = {"pickup_location", FIXED},
	[FULFILLMENT_METHOD] = {"method", FIXED},
	[FULFILLMENT_STOCK_STATE] = {"stock_state", ENGINE, "none"},
	[FULFILLMENT_REROUTED] = {"rerouted", ENGINE},
	[FULFILLMENT_SHIP_TO_ID] = {"ship_to_id", PEOPLE},
	[FULFILLMENT_CREATED_AT] = {"created_at", FIXED},
	[FULFILLMENT_SHIPPED_AT] = {"shipped_at", ENGINE},
	[FULFILLMENT_DELIVERED_AT] = {"delivered_at", ENGINE},
	[FULFILLMENT_REVISION] = {"revision", ENGINE},
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
	for (int i = 0; i < count; i++)
	{
		int			number = SPI_fnumber(RelationGetDescr(rel), rules[i].name);

		if (number <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_OMS_STORE_LAYOUT),
					 errmsg("table \"%s\" has no column \"%s\"",
							RelationGetRelationName(rel), rules[i].name)));
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
 * field; text as NULL where it is NULL.
 */
bool
oms_row_is_null(const Shape *shape, const RowValues *row, int column)
{
	return row->nulls[shape->number[column] - 1];
}

Datum
oms_row_value(const Shape *shape, const RowValues *row, int column)
{
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
