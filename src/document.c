/*
 * document.c
 *	  JSON that users send: checked against tables of fields.
 *
 * Each kind of object has a table of its fields; parsing fills a value for
 * each.  Whatever is not in the table, of another type or out of range is a
 * fault, raised as OM012 with a message that begins with the path, such as
 * lines[3].quantity, and a DETAIL that a program can read.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/numeric.h"

#include "document.h"
#include "oms.h"

/*
 * oms_document_fault raises OM012 for a field; name may be NULL for the whole.
 */
void
oms_document_fault(const char *path, const char *name, const char *fault)
{
	char	   *full = name ? psprintf("%s%s%s", path, path[0] ? "." : "", name) : pstrdup(path);
	StringInfoData detail;

	initStringInfo(&detail);
	appendStringInfoString(&detail, "[{\"path\":");
	escape_json(&detail, full);
	appendStringInfoString(&detail, ",\"fault\":");
	escape_json(&detail, fault);
	appendStringInfoString(&detail, "}]");
	ereport(ERROR,
			(errcode(ERRCODE_OMS_DOCUMENT),
			 errmsg("%s: %s", full[0] ? full : "document", fault),
			 errdetail_internal("%s", detail.data)));
}

/*
 * parse_text takes a string of limited length.
 */
static void
parse_text(const JsonbValue *v, const char *path, const Field *field, FieldValue *value)
{
	int			limit = field->type == FIELD_CODE ? 64 : field->type == FIELD_REFERENCE ? 200 : 1000;
	int			length;

	if (v->type != jbvString)
		oms_document_fault(path, field->name, "must be a text");
	length = pg_mbstrlen_with_len(v->val.string.val, v->val.string.len);
	if (length > limit)
		oms_document_fault(path, field->name, psprintf("is longer than %d characters", limit));
	if (length == 0 && field->type != FIELD_TEXT)
		oms_document_fault(path, field->name, "is empty");
	value->text = pnstrdup(v->val.string.val, v->val.string.len);
}

/*
 * numeric_text returns a number as text for a message.
 */
static char *
numeric_text(Datum number)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, number));

	return strlen(text) > 40 ? psprintf("%.40s...", text) : text;
}

/*
 * compare compares a number with a whole one.
 */
static int
compare(Datum number, int64 with)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, number,
											 DirectFunctionCall1(int8_numeric, Int64GetDatum(with))));
}

/*
 * parse_number takes a number within the bounds of its field.
 */
static void
parse_number(const JsonbValue *v, const char *path, const Field *field, FieldValue *value)
{
	Datum		number;
	Datum		rounded;
	bool		is_whole = field->type == FIELD_QUANTITY || field->type == FIELD_INTEGER ||
		field->type == FIELD_UNITS || field->type == FIELD_SEQUENCE;
	int64		low = field->type == FIELD_QUANTITY ? 1 : field->type == FIELD_INTEGER ? PG_INT32_MIN
		: field->type == FIELD_DEGREES ? -180 : 0;
	int64		high = field->type == FIELD_QUANTITY || field->type == FIELD_UNITS ? INT64CONST(1000000000000)
		: field->type == FIELD_SEQUENCE ? PG_INT64_MAX : field->type == FIELD_INTEGER ? PG_INT32_MAX
		: field->type == FIELD_DEGREES ? 180 : MAX_TOTAL;

	if (v->type != jbvNumeric)
		oms_document_fault(path, field->name, "must be a number");
	number = NumericGetDatum(v->val.numeric);
	if (numeric_is_nan(v->val.numeric) || numeric_is_inf(v->val.numeric))
		oms_document_fault(path, field->name, "must be a finite number");
	if (compare(number, low) < 0)
		oms_document_fault(path, field->name,
						   psprintf("%s is less than " INT64_FORMAT, numeric_text(number), low));
	if (compare(number, high) > 0)
		oms_document_fault(path, field->name,
						   psprintf("%s is more than " INT64_FORMAT, numeric_text(number), high));
	/* a double precision column holds no more of a degree, and no 1e-400 */
	rounded = DirectFunctionCall2(numeric_round, number,
								  Int32GetDatum(is_whole ? 0 : field->type == FIELD_DEGREES ? 15 : 4));
	if (field->type != FIELD_DEGREES &&
		!DatumGetBool(DirectFunctionCall2(numeric_eq, number, rounded)))
		oms_document_fault(path, field->name, psprintf("%s has more than %d decimals",
													   numeric_text(number), is_whole ? 0 : 4));
	value->number = rounded;
	if (is_whole)
		value->integer = DatumGetInt64(DirectFunctionCall1(numeric_int8, rounded));
}

/*
 * parse_time takes a time stamp as PostgreSQL reads it, by the same functions
 * as its type's, which report what they cannot read and raise no error.
 */
static void
parse_time(const JsonbValue *v, const char *path, const Field *field, FieldValue *value)
{
	const char *fault = "must be a time, such as \"2026-11-27T09:30:00Z\"";
	char		work[MAXDATELEN + MAXDATEFIELDS];
	char	   *parts[MAXDATEFIELDS];
	int			kinds[MAXDATEFIELDS];
	int			nparts;
	int			kind;
	int			zone = 0;
	struct pg_tm tm;
	fsec_t		fraction;
#if PG_VERSION_NUM >= 160000
	DateTimeErrorExtra extra;
#endif

	if (v->type != jbvString || v->val.string.len > MAXDATELEN ||
		ParseDateTime(pnstrdup(v->val.string.val, v->val.string.len), work, sizeof(work), parts, kinds,
					  MAXDATEFIELDS, &nparts) != 0)
		oms_document_fault(path, field->name, fault);
#if PG_VERSION_NUM >= 160000
	if (DecodeDateTime(parts, kinds, nparts, &kind, &tm, &fraction, &zone, &extra) != 0)
#else
	if (DecodeDateTime(parts, kinds, nparts, &kind, &tm, &fraction, &zone) != 0)
#endif
		oms_document_fault(path, field->name, fault);
	if (kind == DTK_LATE || kind == DTK_EARLY)
		oms_document_fault(path, field->name, "must be a finite time");
	if (kind != DTK_DATE || tm2timestamp(&tm, fraction, &zone, &value->time) != 0 ||
		!IS_VALID_TIMESTAMP(value->time))
		oms_document_fault(path, field->name, fault);
}

/*
 * require_depth refuses attributes that are nested too deeply.
 */
static void
require_depth(JsonbContainer *container, const char *path, const char *name)
{
	JsonbIterator *iterator = JsonbIteratorInit(container);
	JsonbValue	v;
	JsonbIteratorToken token;
	int			depth = 0;

	while ((token = JsonbIteratorNext(&iterator, &v, false)) != WJB_DONE)
	{
		if ((token == WJB_BEGIN_OBJECT || token == WJB_BEGIN_ARRAY) && ++depth > MAX_DEPTH)
			oms_document_fault(path, name, psprintf("is nested more than %d levels deep", MAX_DEPTH));
		if (token == WJB_END_OBJECT || token == WJB_END_ARRAY)
			depth--;
	}
}

/*
 * parse_container takes an object or array.
 */
static void
parse_container(const JsonbValue *v, const char *path, const Field *field, FieldValue *value)
{
	bool		wants_array = field->type == FIELD_ARRAY;

	if (v->type != jbvBinary || (JsonContainerIsArray(v->val.binary.data) != 0) != wants_array)
		oms_document_fault(path, field->name, wants_array ? "must be an array"
						   : field->type == FIELD_TEXT_OR_OBJECT ? "must be a text or an object"
						   : "must be an object");
	value->container = v->val.binary.data;
	if (field->type == FIELD_ATTRIBUTES)
	{
		require_depth(value->container, path, field->name);
		value->json = JsonbToCString(NULL, value->container, v->val.binary.len);
	}
}

/*
 * parse_value takes a value as its field says.
 */
static void
parse_value(const JsonbValue *v, const char *path, const Field *field, FieldValue *value)
{
	if (v->type == jbvNull)
		return;
	value->is_set = true;
	switch (field->type)
	{
		case FIELD_TEXT:
		case FIELD_CODE:
		case FIELD_REFERENCE:
			parse_text(v, path, field, value);
			break;
		case FIELD_QUANTITY:
		case FIELD_UNITS:
		case FIELD_SEQUENCE:
		case FIELD_INTEGER:
		case FIELD_MONEY:
		case FIELD_DEGREES:
			parse_number(v, path, field, value);
			break;
		case FIELD_BOOLEAN:
			if (v->type != jbvBool)
				oms_document_fault(path, field->name, "must be true or false");
			value->boolean = v->val.boolean;
			break;
		case FIELD_TIME:
			parse_time(v, path, field, value);
			break;
		case FIELD_TEXT_OR_OBJECT:
			if (v->type == jbvString)
			{
				Field		code = {field->name, FIELD_CODE, false};

				parse_text(v, path, &code, value);
				break;
			}
			/* FALLTHROUGH */
		case FIELD_OBJECT:
		case FIELD_ARRAY:
		case FIELD_ATTRIBUTES:
			parse_container(v, path, field, value);
			break;
	}
}

/*
 * oms_parse_object parses an object; path is where it stands, empty for the
 * whole document.
 */
void
oms_parse_object(JsonbContainer *object, const char *path, const Field *fields, int nfields,
				 FieldValue *values)
{
	JsonbIterator *iterator = JsonbIteratorInit(object);
	JsonbValue	key;
	JsonbValue	v;
	JsonbIteratorToken token = JsonbIteratorNext(&iterator, &key, true);

	memset(values, 0, nfields * sizeof(FieldValue));
	while ((token = JsonbIteratorNext(&iterator, &key, true)) == WJB_KEY)
	{
		const Field *field = fields;

		(void) JsonbIteratorNext(&iterator, &v, true);
		while (field < fields + nfields &&
			   (strlen(field->name) != key.val.string.len ||
				memcmp(field->name, key.val.string.val, key.val.string.len) != 0))
			field++;
		if (field == fields + nfields)
			oms_document_fault(path, pnstrdup(key.val.string.val, pg_mbcliplen(key.val.string.val, key.val.string.len, 64)), "unknown key");
		parse_value(&v, path, field, &values[field - fields]);
	}
	for (int i = 0; i < nfields; i++)
	{
		if (fields[i].is_required && !values[i].is_set)
			oms_document_fault(path, fields[i].name, "is required");
	}
}

/*
 * oms_document_root returns a document's outermost object or array.
 */
JsonbContainer *
oms_document_root(Jsonb *document, const char *what, bool is_array)
{
	bool		is_right = is_array ? JB_ROOT_IS_ARRAY(document) && !JB_ROOT_IS_SCALAR(document)
		: JB_ROOT_IS_OBJECT(document);

	if (!is_right)
		oms_document_fault(what, NULL, is_array ? "must be an array" : "must be an object");
	return &document->root;
}

/*
 * oms_array_length returns how many elements there are, at most the limit.
 */
int
oms_array_length(JsonbContainer *array, const char *path, int limit)
{
	int			length = JsonContainerSize(array);

	if (length > limit)
		oms_document_fault(path, NULL, psprintf("has %d elements, more than %d", length, limit));
	return length;
}

/*
 * oms_array_element returns an element.
 */
JsonbValue *
oms_array_element(JsonbContainer *array, int i)
{
	return getIthJsonbValueFromContainer(array, i);
}

/*
 * oms_array_object returns an element that must be an object.
 */
JsonbContainer *
oms_array_object(JsonbContainer *array, int i, const char *path)
{
	JsonbValue *v = oms_array_element(array, i);

	if (v->type != jbvBinary || !JsonContainerIsObject(v->val.binary.data))
		oms_document_fault(psprintf("%s[%d]", path, i), NULL, "must be an object");
	return v->val.binary.data;
}

/*
 * oms_parse_line_quantities parses a lines argument: an array of
 * {"line": line_no, "quantity": n}, each line once.
 */
LineQuantity *
oms_parse_line_quantities(Jsonb *lines, int *count)
{
	static const Field fields[] = {
		{"line", FIELD_QUANTITY, true},
		{"quantity", FIELD_QUANTITY, true}
	};
	JsonbContainer *array = oms_document_root(lines, "lines", true);
	LineQuantity *list;

	*count = oms_array_length(array, "lines", MAX_LINES);
	if (*count == 0)
		oms_document_fault("lines", NULL, "is empty");
	list = palloc(*count * sizeof(LineQuantity));
	for (int i = 0; i < *count; i++)
	{
		FieldValue	values[lengthof(fields)];
		char	   *path = psprintf("lines[%d]", i);

		oms_parse_object(oms_array_object(array, i, "lines"), path, fields, lengthof(fields), values);
		list[i].line = values[0].integer;
		list[i].quantity = values[1].integer;
		for (int j = 0; j < i; j++)
		{
			if (list[j].line == list[i].line)
				oms_document_fault(path, "line", psprintf("line " INT64_FORMAT " is there twice", list[i].line));
		}
	}
	return list;
}

/*
 * append_limited adds to a document that is written out, up to its limit.
 */
static void
append_limited(StringInfo canonical, const char *bytes, int length)
{
	if (length > MAX_DOCUMENT - canonical->len)
		oms_document_fault("", NULL, psprintf("is larger than %d MB", MAX_DOCUMENT / (1024 * 1024)));
	appendBinaryStringInfo(canonical, bytes, length);
}

/*
 * oms_document_hash returns a hash that is equal for documents that are equal
 * as jsonb: 1.0 and 1.00 are, whatever the order of keys was.  It refuses what
 * is too large written out, as 1e100000 in its few bytes is: whoever handles a
 * document writes all of it out, several times.
 */
bytea *
oms_document_hash(Jsonb *document)
{
	StringInfoData canonical;
	JsonbIterator *iterator = JsonbIteratorInit(&document->root);
	JsonbValue	v;
	JsonbIteratorToken token;

	initStringInfo(&canonical);
	while ((token = JsonbIteratorNext(&iterator, &v, false)) != WJB_DONE)
	{
		append_limited(&canonical, (char[]) {'a' + token}, 1);
		if (token != WJB_KEY && token != WJB_VALUE && token != WJB_ELEM)
			continue;
		appendStringInfoChar(&canonical, (char) ('0' + v.type));
		if (v.type == jbvString)
		{
			appendStringInfo(&canonical, "%d:", v.val.string.len);
			append_limited(&canonical, v.val.string.val, v.val.string.len);
		}
		else if (v.type == jbvNumeric)
		{
			char	   *number = numeric_normalize(v.val.numeric);

			append_limited(&canonical, number, strlen(number));
			appendStringInfoChar(&canonical, ';');
			pfree(number);
		}
		else if (v.type == jbvBool)
			appendStringInfoChar(&canonical, v.val.boolean ? 't' : 'f');
	}
	return DatumGetByteaPP(DirectFunctionCall1(sha256_bytea,
											   PointerGetDatum(cstring_to_text_with_len(canonical.data, canonical.len))));
}
