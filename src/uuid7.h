/*
 * uuid7.h
 *	  Keys of rows: RFC 9562 version 7, in order of time.
 */
#ifndef OMS_UUID7_H
#define OMS_UUID7_H

#include "utils/uuid.h"

/*
 * Each is greater than the one before it in this backend.  Cheap enough to
 * make millions: about a clock reading each, randomness comes in batches.
 */
extern void oms_uuid7(pg_uuid_t *uuid);

#endif							/* OMS_UUID7_H */
