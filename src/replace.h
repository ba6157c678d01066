/*
 * replace.h
 *	  Telling rows that oms.replace_workflow migrates from rows that move.
 */
#ifndef OMS_REPLACE_H
#define OMS_REPLACE_H

#include "store.h"

extern bool oms_is_replacing(const Store *store, const char *workflow);
extern const char *oms_replaced_status(const Store *store, const char *workflow, const char *status);
extern bool oms_is_migrated(const Store *store, const char *workflow, const char *from, const char *to);

#endif							/* OMS_REPLACE_H */
