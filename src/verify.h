/*
 * verify.h
 *	  The rules that a store keeps.
 */
#ifndef OMS_VERIFY_H
#define OMS_VERIFY_H

#include "store.h"

extern char *oms_rule_query(const Store *store, const char *name);

#endif							/* OMS_VERIFY_H */
