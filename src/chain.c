/*
 * chain.c
 *	  Moves that lead to other moves, and how many may.
 *
 * A move may lead to others: automatic ones, those that an action of the
 * engine's makes of other rows, and whatever a function of the store or a
 * trigger of a user's updates.  Each statement's moves are a link of a chain
 * that hangs on the C stack.  Where rows move each other without end, the
 * chain would end in an overflow of that stack; it is refused before, with the
 * links, so that people see where it goes round.
 */
#include "postgres.h"

#include "chain.h"
#include "oms.h"

/*
 * More than a workflow has states, so that automatic moves may lead through
 * all of them; and few enough for max_stack_depth as PostgreSQL sets it.
 */
#define MOST_LINKS 80

/* how many links are told, of those that came last: by the message, the detail */
#define TOLD_LINKS 3
#define DETAILED_LINKS 20

/* the statement whose moves are being followed up; NULL: none is */
static MoveLink *innermost = NULL;

/*
 * tell_link says what a link is, and whom it called.
 */
static void
tell_link(StringInfo text, const MoveLink *link)
{
	link->tell(text, link);
	if (link->function)
		appendStringInfo(text, ", by function \"%s\"", link->function);
}

/*
 * refuse_chain raises OM004 with the chain: its end in the message, how it
 * began and more of its end in the detail.
 */
static void
refuse_chain(MoveLink *last)
{
	MoveLink  **links = palloc(last->depth * sizeof(MoveLink *));
	StringInfoData end;
	StringInfoData all;

	for (MoveLink *link = last; link; link = link->outer)
		links[link->depth - 1] = link;
	initStringInfo(&end);
	initStringInfo(&all);
	for (int i = 0; i < last->depth; i++)
	{
		if (i >= last->depth - TOLD_LINKS)
		{
			appendStringInfoString(&end, end.len == 0 ? "" : "; ");
			tell_link(&end, links[i]);
		}
		if (i > 0 && i < last->depth - DETAILED_LINKS)
			continue;
		appendStringInfoString(&all, i == 0 ? "" : i == last->depth - DETAILED_LINKS ? "\n...\n" : "\n");
		tell_link(&all, links[i]);
	}
	ereport(ERROR,
			(errcode(ERRCODE_OMS_WORKFLOW_UNSOUND),
			 errmsg("moves lead to each other without end, at last: %s", end.data),
			 errdetail("Each led to the next:\n%s", all.data),
			 errhint("Have the guard, action or trigger that goes round update only rows that are not there yet, or the workflow not lead back.")));
}

/*
 * oms_chain_enter adds a statement's moves to the chain.  The caller takes them
 * off by oms_chain_leave, after an error too.
 */
void
oms_chain_enter(MoveLink *link)
{
	link->outer = innermost;
	link->depth = innermost ? innermost->depth + 1 : 1;
	link->function = NULL;
	if (link->depth > MOST_LINKS)
		refuse_chain(link);
	innermost = link;
}

/*
 * oms_chain_leave takes them off.
 */
void
oms_chain_leave(const MoveLink *link)
{
	innermost = link->outer;
}

/*
 * oms_chain_call notes which function of the store is being called, NULL for none
 * any more, and returns which one was.
 */
const char *
oms_chain_call(const char *function)
{
	const char *before = NULL;

	if (innermost)
	{
		before = innermost->function;
		innermost->function = function;
	}
	return before;
}
