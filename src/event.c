/*
 * event.c
 *	  The log of what happened: order_events.
 *
 * Whoever has something to tell adds it to a list, and the list is written
 * by one statement, whatever its length.  Details are JSON objects without
 * personal data; texts and amounts that people typed stay in their tables.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "event.h"
#include "follow.h"
#include "oms.h"
#include "plan.h"

static const StoreQuery insert_events = {
	"INSERT INTO @.order_events (order_id, entity, entity_id, event, from_status, to_status, reason, actor, detail)"
	" SELECT e.order_id, e.entity, e.entity_id, e.event, e.from_status, e.to_status, e.reason, $8, e.detail::pg_catalog.jsonb"
	" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4),"
	" pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($9))"
	" AS e(order_id, entity, entity_id, event, from_status, to_status, reason, detail)",
	9, {
		UUIDARRAYOID, TEXTARRAYOID, UUIDARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
		TEXTARRAYOID, TEXTOID, TEXTARRAYOID
	}
};

/*
 * oms_events makes an empty list.
 */
Events *
oms_events(int capacity)
{
	Events	   *events = palloc(sizeof(Events));

	events->order_ids = oms_array(UUIDOID, capacity);
	events->entities = oms_array(TEXTOID, capacity);
	events->entity_ids = oms_array(UUIDOID, capacity);
	events->events = oms_array(TEXTOID, capacity);
	events->from_statuses = oms_array(TEXTOID, capacity);
	events->to_statuses = oms_array(TEXTOID, capacity);
	events->reasons = oms_array(TEXTOID, capacity);
	events->details = oms_array(TEXTOID, capacity);
	return events;
}

/*
 * oms_event_add adds one; statuses, reason and detail may be NULL.
 */
void
oms_event_add(Events *events, const pg_uuid_t *order_id, const char *entity,
			  const pg_uuid_t *entity_id, const char *event, const char *from,
			  const char *to, const char *reason, const char *detail)
{
	oms_array_add_uuid(events->order_ids, order_id);
	oms_array_add_text(events->entities, entity);
	oms_array_add_uuid(events->entity_ids, entity_id);
	oms_array_add_text(events->events, event);
	oms_array_add_text(events->from_statuses, from);
	oms_array_add_text(events->to_statuses, to);
	oms_array_add_text(events->reasons, reason);
	oms_array_add_text(events->details, detail);
}

/*
 * oms_events_write writes the list, if there is anything in it.  The caller
 * acts as the owner.
 */
void
oms_events_write(Store *store, const Events *events)
{
	Datum		args[9];

	if (events->order_ids->count == 0)
		return;
	if (!store->is_here)
		oms_move_in(store);
	args[0] = oms_array_datum(events->order_ids);
	args[1] = oms_array_datum(events->entities);
	args[2] = oms_array_datum(events->entity_ids);
	args[3] = oms_array_datum(events->events);
	args[4] = oms_array_datum(events->from_statuses);
	args[5] = oms_array_datum(events->to_statuses);
	args[6] = oms_array_datum(events->reasons);
	args[7] = CStringGetTextDatum(oms_current_actor());
	args[8] = oms_array_datum(events->details);
	if (oms_run(store, &insert_events, args) != events->order_ids->count)
		oms_refuse_interference("order_events");
}
