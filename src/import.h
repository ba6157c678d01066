/*
 * import.h
 *	  Rows of the past come in as they are.
 */
#ifndef OMS_IMPORT_H
#define OMS_IMPORT_H

#include "store.h"

extern void oms_import_init(void);
extern bool oms_is_importing(const Store *store);
extern void oms_require_no_import(const Store *store);

#endif							/* OMS_IMPORT_H */
