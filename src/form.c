/*
 * form.c
 *	  Judging what people write into an order's columns.
 *
 * judge.c comes here BEFORE and AFTER a person's write.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "judge_case.h"
#include "oms.h"

/*
 * refuse_form raises a check violation for a column.
 */
static void
refuse_form(const Case *c, int column, const char *fault)
{
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("%s of an order %s", c->rules[column].name, fault),
			 errtablecol(c->rel, c->shape->number[column])));
}

/*
 * require_word has a column hold one of a few words, or NULL.
 */
static void
require_word(const Case *c, int column, const char *const *words)
{
	char	   *text = oms_row_text(c->shape, &c->new, column);

	for (; text && *words; words++)
	{
		if (strcmp(*words, text) == 0)
			return;
	}
	if (text)
		refuse_form(c, column, psprintf("cannot be \"%s\"", text));
}

/*
 * require_length has a text be so many characters long, or NULL.
 */
static void
require_length(const Case *c, int column, int longest)
{
	char	   *text = oms_row_text(c->shape, &c->new, column);
	int			length = text ? pg_mbstrlen(text) : 1;

	if (length < 1 || length > longest)
		refuse_form(c, column, psprintf("must have 1 to %d characters", longest));
}

/*
 * oms_require_form judges what people write into an order's columns, here and not
 * by CHECKs, which every statement that writes orders would read anew.
 */
void
oms_require_form(const Case *c)
{
	static const char *const if_shorts[] = {"refuse", "hold", NULL};
	static const char *const kinds[] = {"replacement", "exchange", "subscription", "reorder", NULL};
	char	   *currency;

	if (c->entity != ENTITY_ORDER)
		return;
	require_word(c, ORDER_IF_SHORT, if_shorts);
	require_word(c, ORDER_SOURCE_KIND, kinds);
	if (!oms_row_is_null(c->shape, &c->new, ORDER_ORDERED_AT) &&
		TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(oms_row_value(c->shape, &c->new, ORDER_ORDERED_AT))))
		refuse_form(c, ORDER_ORDERED_AT, "must be finite");
	if (c->old.values)
		return;					/* the others are fixed */
	currency = oms_row_text(c->shape, &c->new, ORDER_CURRENCY);
	if (currency && (strlen(currency) != 3 || strspn(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3))
		refuse_form(c, ORDER_CURRENCY, psprintf("must be three letters A to Z, not \"%s\"", currency));
	require_length(c, ORDER_NUMBER, 64);
	require_length(c, ORDER_EXTERNAL_REF, 200);
}
