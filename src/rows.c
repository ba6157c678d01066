/*
 * rows.c
 *	  Reading rows that a query returned, and building arrays to send to one.
 *
 * The readers look at SPI_tuptable, which oms_run has just filled; what they
 * return is a copy in the current context.  A text that is NULL comes back as
 * a NULL pointer; the others must not be NULL, which the queries see to.
 * Types are asked at each field.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

#include "oms.h"
#include "rows.h"

/*
 * oms_array makes an empty array of a type, with room for so many elements.
 */
Array *
oms_array(Oid type, int capacity)
{
	Array	   *array = palloc(sizeof(Array));

	array->type = type;
	array->count = 0;
	array->capacity = Max(capacity, 4);
	array->values = palloc(array->capacity * sizeof(Datum));
	array->nulls = palloc(array->capacity * sizeof(bool));
	return array;
}

/*
 * grow makes room for one element more.
 */
static void
grow(Array *array)
{
	if (array->count < array->capacity)
		return;
	array->capacity *= 2;
	array->values = repalloc(array->values, array->capacity * sizeof(Datum));
	array->nulls = repalloc(array->nulls, array->capacity * sizeof(bool));
}

/*
 * oms_array_add appends a value, which is not copied.
 */
void
oms_array_add(Array *array, Datum value)
{
	grow(array);
	array->values[array->count] = value;
	array->nulls[array->count++] = false;
}

/*
 * oms_array_add_null appends a NULL.
 */
void
oms_array_add_null(Array *array)
{
	grow(array);
	array->values[array->count] = (Datum) 0;
	array->nulls[array->count++] = true;
}

/*
 * oms_array_add_text appends a text, or NULL for a NULL pointer.
 */
void
oms_array_add_text(Array *array, const char *value)
{
	if (value)
		oms_array_add(array, CStringGetTextDatum(value));
	else
		oms_array_add_null(array);
}

/*
 * oms_array_add_uuid appends a copy of a uuid, or NULL for a NULL pointer.
 */
void
oms_array_add_uuid(Array *array, const pg_uuid_t *value)
{
	pg_uuid_t  *copy;

	if (!value)
	{
		oms_array_add_null(array);
		return;
	}
	copy = palloc(sizeof(pg_uuid_t));
	*copy = *value;
	oms_array_add(array, UUIDPGetDatum(copy));
}

/*
 * oms_array_add_int64 appends a bigint.
 */
void
oms_array_add_int64(Array *array, int64 value)
{
	oms_array_add(array, Int64GetDatum(value));
}

/*
 * oms_array_datum returns the SQL array.
 */
Datum
oms_array_datum(const Array *array)
{
	int16		length;
	bool		by_value;
	char		align;
	int			dims[1];
	int			bounds[1] = {1};

	get_typlenbyvalalign(array->type, &length, &by_value, &align);
	if (array->count == 0)
		return PointerGetDatum(construct_empty_array(array->type));
	dims[0] = array->count;
	return PointerGetDatum(construct_md_array(array->values, array->nulls, 1, dims, bounds,
											  array->type, length, by_value, align));
}

/*
 * require_type refuses a column of another type than the query promises: who
 * owns a schema owns the tables in it, and may make of them what they like.
 */
static void
require_type(TupleDesc row, int column, Oid type)
{
	Oid			found = TupleDescAttr(row, column - 1)->atttypid;

	if (likely(found == type))
		return;
	found = getBaseType(found);
	if (found == type || (type == TEXTOID && (found == VARCHAROID || found == BPCHAROID)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OMS_STORE_LAYOUT),
			 errmsg("column \"%s\" of a store's table has type %s, not %s",
					NameStr(TupleDescAttr(row, column - 1)->attname), format_type_be(found), format_type_be(type)),
			 errhint("Change it back by ALTER TABLE.")));
}

/*
 * oms_column returns a field of this type, columns counting from 1.
 */
Datum
oms_column(uint64 row, int column, Oid type, bool *isnull)
{
	require_type(SPI_tuptable->tupdesc, column, type);
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

/*
 * oms_column_is_null tells whether a field is NULL.
 */
bool
oms_column_is_null(uint64 row, int column)
{
	bool		isnull;

	(void) SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);
	return isnull;
}

/*
 * refuse_null refuses a NULL in a field that the query promises not to be it.
 */
static void
refuse_null(TupleDesc row, int column)
{
	ereport(ERROR,
			(errcode(ERRCODE_NOT_NULL_VIOLATION),
			 errmsg("column \"%s\" of a store's table is null", NameStr(TupleDescAttr(row, column - 1)->attname))));
}

/*
 * not_null returns a field that the query promises not to be NULL.
 */
static Datum
not_null(uint64 row, int column, Oid type)
{
	bool		isnull;
	Datum		value = oms_column(row, column, type, &isnull);

	if (isnull)
		refuse_null(SPI_tuptable->tupdesc, column);
	return value;
}

/*
 * oms_column_bool returns a boolean field.
 */
bool
oms_column_bool(uint64 row, int column)
{
	return DatumGetBool(not_null(row, column, BOOLOID));
}

/*
 * oms_column_int64 returns a bigint field.
 */
int64
oms_column_int64(uint64 row, int column)
{
	return DatumGetInt64(not_null(row, column, INT8OID));
}

/*
 * oms_column_numeric returns a numeric field.
 */
Datum
oms_column_numeric(uint64 row, int column)
{
	return not_null(row, column, NUMERICOID);
}

/*
 * oms_column_text returns a text field, NULL for NULL.
 */
char *
oms_column_text(uint64 row, int column)
{
	bool		isnull;
	Datum		value = oms_column(row, column, TEXTOID, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/*
 * oms_column_name returns a text field that is not NULL.
 */
char *
oms_column_name(uint64 row, int column)
{
	return TextDatumGetCString(not_null(row, column, TEXTOID));
}

/*
 * oms_require_types refuses rows that are not of a result's type, each column
 * of which is one of the query's.
 */
void
oms_require_types(TupleDesc result)
{
	for (int i = 1; i <= result->natts; i++)
		require_type(SPI_tuptable->tupdesc, i, TupleDescAttr(result, i - 1)->atttypid);
}

/*
 * oms_column_uuid returns a uuid field.
 */
pg_uuid_t
oms_column_uuid(uint64 row, int column)
{
	return *DatumGetUUIDP(not_null(row, column, UUIDOID));
}

/*
 * field returns a field of a row that is being read, of this type and not NULL.
 */
static Datum
field(TupleTableSlot *row, int column, Oid type)
{
	bool		isnull;
	Datum		value;

	require_type(row->tts_tupleDescriptor, column, type);
	value = slot_getattr(row, column, &isnull);
	if (isnull)
		refuse_null(row->tts_tupleDescriptor, column);
	return value;
}

/*
 * oms_field_int64 returns a bigint field of a row that is being read
 * (oms_run_each).
 */
int64
oms_field_int64(TupleTableSlot *row, int column)
{
	return DatumGetInt64(field(row, column, INT8OID));
}

/*
 * oms_field_name copies a text field of such a row, which is not NULL, into a
 * buffer.
 */
void
oms_field_name(TupleTableSlot *row, int column, StringInfo buffer)
{
	text	   *name = DatumGetTextPP(field(row, column, TEXTOID));

	resetStringInfo(buffer);
	appendBinaryStringInfo(buffer, VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
}

/*
 * oms_uuid_cmp orders uuids as SQL does, for qsort and bsearch.
 */
int
oms_uuid_cmp(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(pg_uuid_t));
}

/*
 * oms_compare_texts orders pointers to texts, or structs that begin with one, as
 * collation "C" does.
 */
int
oms_compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/*
 * oms_uuid_is_nil tells whether all of it is 0, which stands for none.
 */
bool
oms_uuid_is_nil(const pg_uuid_t *uuid)
{
	static const pg_uuid_t nil = {{0}};

	return oms_uuid_cmp(uuid, &nil) == 0;
}

/*
 * oms_uuid_out returns a uuid's text.
 */
char *
oms_uuid_out(const pg_uuid_t *uuid)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(uuid)));
}

/*
 * oms_json_text returns a text as JSON writes it.
 */
char *
oms_json_text(const char *text)
{
	StringInfoData json;

	initStringInfo(&json);
	escape_json(&json, text);
	return json.data;
}
