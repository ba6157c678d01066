/*
 * number.h
 *	  The numbers of new orders.
 */
#ifndef OMS_NUMBER_H
#define OMS_NUMBER_H

#include "store.h"

extern char *oms_next_number(const Store *store);

#endif							/* OMS_NUMBER_H */
