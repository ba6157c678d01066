/*
 * rows.h
 *	  Reading rows that a query returned, and building arrays to send to one.
 *
 * A set of rows goes to SQL as one array a column: one statement then does
 * what a loop would do with many.
 */
#ifndef OMS_ROWS_H
#define OMS_ROWS_H

#include "executor/spi.h"
#include "utils/uuid.h"

typedef struct Array
{
	Oid			type;			/* of an element */
	int			count;
	int			capacity;
	Datum	   *values;
	bool	   *nulls;
} Array;

extern Array *oms_array(Oid type, int capacity);
extern void oms_array_add(Array *array, Datum value);
extern void oms_array_add_null(Array *array);
extern void oms_array_add_text(Array *array, const char *value);
extern void oms_array_add_uuid(Array *array, const pg_uuid_t *value);
extern void oms_array_add_int64(Array *array, int64 value);
extern Datum oms_array_datum(const Array *array);

extern Datum oms_column(uint64 row, int column, Oid type, bool *isnull);
extern bool oms_column_is_null(uint64 row, int column);
extern bool oms_column_bool(uint64 row, int column);
extern int64 oms_column_int64(uint64 row, int column);
extern Datum oms_column_numeric(uint64 row, int column);
extern char *oms_column_text(uint64 row, int column);
extern char *oms_column_name(uint64 row, int column);
extern pg_uuid_t oms_column_uuid(uint64 row, int column);
extern void oms_require_types(TupleDesc result);
extern int64 oms_field_int64(TupleTableSlot *row, int column);
extern void oms_field_name(TupleTableSlot *row, int column, StringInfo buffer);

extern int	oms_uuid_cmp(const void *a, const void *b);
extern int	oms_compare_texts(const void *a, const void *b);
extern bool oms_uuid_is_nil(const pg_uuid_t *uuid);
extern char *oms_json_text(const char *text);
extern char *oms_uuid_out(const pg_uuid_t *uuid);

#endif							/* OMS_ROWS_H */
