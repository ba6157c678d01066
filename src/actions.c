/*
 * actions.c
 *	  Finding a built-in action by its name.
 */
#include "postgres.h"

#include "actions.h"

/*
 * oms_find_action returns an entity's built-in action of that name, or NULL.
 */
const Action *
oms_find_action(EntityKind entity, const char *name)
{
	const Action *action = entity == ENTITY_ORDER ? oms_order_actions : oms_fulfillment_actions;

	for (; action->name; action++)
	{
		if (strcmp(action->name, name) == 0)
			return action;
	}
	return NULL;
}
