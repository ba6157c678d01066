/*
 * policies.h
 *	  What row level security will say to an UPDATE of status.
 */
#ifndef OMS_POLICIES_H
#define OMS_POLICIES_H

#include "machine.h"
#include "store.h"

extern void oms_suppose_policies(Store *store, const OwnerScope *scope, EntityKind entity, const Mover *mover);

#endif							/* OMS_POLICIES_H */
