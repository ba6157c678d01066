/*
 * form.c
 *	  Judging what people write into an order's columns.
 *
 * judge.c comes here BEFORE and AFTER a person's write.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
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
			 errmsg("%s of %s %s", c->rules[column].name, c->entity == ENTITY_ORDER ? "an order" : "a fulfillment", fault),
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
 * require_finite has the times of a row be some time: of a new one all of them,
 * of one that is there what people can change.
 */
static void
require_finite(const Case *c)
{
	for (int i = 0; i < c->ncolumns; i++)
	{
		if (c->rules[i].type == TIMESTAMPTZOID && (!c->old.values || c->rules[i].owner == PEOPLE) &&
			!oms_row_is_null(c->shape, &c->new, i) &&
			TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(oms_row_value(c->shape, &c->new, i))))
			refuse_form(c, i, "must be finite");
	}
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

	require_finite(c);
	if (c->entity != ENTITY_ORDER)
		return;
	require_word(c, ORDER_IF_SHORT, if_shorts);
	require_word(c, ORDER_SOURCE_KIND, kinds);
	if (c->old.values)
		return;					/* the others are fixed */
	currency = oms_row_text(c->shape, &c->new, ORDER_CURRENCY);
	if (currency && (strlen(currency) != 3 || strspn(currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 3))
		refuse_form(c, ORDER_CURRENCY, psprintf("must be three letters A to Z, not \"%s\"", currency));
	require_length(c, ORDER_NUMBER, 64);
	require_length(c, ORDER_EXTERNAL_REF, 200);
}
