/*
 * event.h
 *	  Collecting events and writing them in one statement.
 */
#ifndef OMS_EVENT_H
#define OMS_EVENT_H

#include "rows.h"
#include "store.h"

typedef struct Events
{
	Array	   *order_ids;
	Array	   *entities;
	Array	   *entity_ids;
	Array	   *events;
	Array	   *from_statuses;
	Array	   *to_statuses;
	Array	   *reasons;
	Array	   *details;
} Events;

extern Events *oms_events(int capacity);
extern void oms_event_add(Events *events, const pg_uuid_t *order_id, const char *entity,
						  const pg_uuid_t *entity_id, const char *event, const char *from,
						  const char *to, const char *reason, const char *detail);
extern void oms_events_write(Store *store, const Events *events);

#endif							/* OMS_EVENT_H */
