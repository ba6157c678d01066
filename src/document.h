/*
 * document.h
 *	  JSON that users send: checked against tables of fields.
 */
#ifndef OMS_DOCUMENT_H
#define OMS_DOCUMENT_H

#include "utils/jsonb.h"
#include "utils/timestamp.h"

#define MAX_LINES 10000
#define MAX_DEPTH 32
#define MAX_DOCUMENT (16 * 1024 * 1024) /* bytes, its numbers written out */
#define MAX_TOTAL INT64CONST(999999999999999)

typedef enum FieldType
{
	FIELD_TEXT,					/* up to 1000 characters */
	FIELD_CODE,					/* 1 .. 64 characters */
	FIELD_REFERENCE,			/* 1 .. 200 characters */
	FIELD_QUANTITY,				/* a whole number, 1 .. 10^12 */
	FIELD_UNITS,				/* a whole number, 0 .. 10^12 */
	FIELD_SEQUENCE,				/* a whole number, 0 .. 2^63 - 1 */
	FIELD_INTEGER,				/* a whole number of 32 bits */
	FIELD_MONEY,				/* 0 or more, 4 decimals */
	FIELD_DEGREES,				/* a number */
	FIELD_BOOLEAN,
	FIELD_TIME,
	FIELD_OBJECT,
	FIELD_ARRAY,
	FIELD_TEXT_OR_OBJECT,
	FIELD_ATTRIBUTES			/* an object, kept as it is */
} FieldType;

typedef struct Field
{
	const char *name;
	FieldType	type;
	bool		is_required;
} Field;

/* The value of a field; what is absent or JSON null is not set. */
typedef struct FieldValue
{
	bool		is_set;
	char	   *text;			/* texts, codes, references */
	int64		integer;
	Datum		number;			/* numeric */
	bool		boolean;
	TimestampTz time;
	JsonbContainer *container;	/* objects, arrays */
	char	   *json;			/* attributes as text */
} FieldValue;

/* An element of a lines argument. */
typedef struct LineQuantity
{
	int64		line;
	int64		quantity;
} LineQuantity;

extern void oms_parse_object(JsonbContainer *object, const char *path, const Field *fields,
							 int nfields, FieldValue *values);
extern JsonbContainer *oms_document_root(Jsonb *document, const char *what, bool is_array);
extern int	oms_array_length(JsonbContainer *array, const char *path, int limit);
extern JsonbContainer *oms_array_object(JsonbContainer *array, int i, const char *path);
extern JsonbValue *oms_array_element(JsonbContainer *array, int i);
extern LineQuantity *oms_parse_line_quantities(Jsonb *lines, int *count);
extern bytea *oms_document_hash(Jsonb *document);
extern void oms_document_fault(const char *path, const char *name, const char *fault) pg_attribute_noreturn();

#endif							/* OMS_DOCUMENT_H */
