/*
 * follow.h
 *	  Reading the log to its end, wherever its store has been.
 */
#ifndef OMS_FOLLOW_H
#define OMS_FOLLOW_H

#include "store.h"

extern char *oms_server(void);
extern void oms_move_in(Store *store);

#endif							/* OMS_FOLLOW_H */
