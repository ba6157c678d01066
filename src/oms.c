/*
 * oms.c
 *	  The module's entry: what happens when a backend loads the library.
 *
 * Nothing here is needed for correctness.  The one setting only labels the
 * events that a session causes.
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "import.h"
#include "oms.h"
#include "plan.h"
#include "shape.h"
#include "store.h"

/* bytes of a caller's text that a message repeats */
#define MOST_REPEATED 64

PG_MODULE_MAGIC;

char	   *oms_actor_setting = NULL;

void		_PG_init(void);

PG_FUNCTION_INFO_V1(oms_actor);

/*
 * _PG_init defines the setting and has stores told of changes to the catalog.
 */
void
_PG_init(void)
{
	DefineCustomStringVariable("oms.actor",
							   "Who acts, as order_events and stock_movements record it.",
							   "Empty means the current user.",
							   &oms_actor_setting,
							   "",
							   PGC_USERSET,
							   0,
							   NULL, NULL, NULL);
	MarkGUCPrefixReserved("oms");
	oms_plan_init();
	oms_store_init();
	oms_shape_init();
	oms_import_init();
}

/*
 * oms_current_actor returns who acts.  While the engine acts as the owner it
 * is still who called: oms_become_owner sees to that.
 */
const char *
oms_current_actor(void)
{
	if (oms_actor_setting && oms_actor_setting[0] != '\0')
		return oms_actor_setting;
	return GetUserNameFromId(GetUserId(), false);
}

/*
 * oms_clip returns as much of what a caller gave as a message should repeat.
 */
const char *
oms_clip(const char *text)
{
	int			length = strlen(text);

	return length <= MOST_REPEATED ? text : pnstrdup(text, pg_mbcliplen(text, length, MOST_REPEATED));
}

/*
 * oms_actor is oms_current_actor in SQL, for columns' defaults.
 */
Datum
oms_actor(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(oms_current_actor()));
}
