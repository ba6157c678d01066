/*
 * oms.h
 *	  What every file of the extension may use: SQLSTATEs and the actor.
 */
#ifndef OMS_H
#define OMS_H

#include "postgres.h"

#include "utils/elog.h"

/* SQLSTATE class OM; docs/reference.md says when each is raised */
#define ERRCODE_OMS_ILLEGAL_MOVE		MAKE_SQLSTATE('O', 'M', '0', '0', '1')
#define ERRCODE_OMS_GUARD_REFUSED		MAKE_SQLSTATE('O', 'M', '0', '0', '2')
#define ERRCODE_OMS_INSUFFICIENT_STOCK	MAKE_SQLSTATE('O', 'M', '0', '0', '3')
#define ERRCODE_OMS_WORKFLOW_UNSOUND	MAKE_SQLSTATE('O', 'M', '0', '0', '4')
#define ERRCODE_OMS_ENGINE_COLUMN		MAKE_SQLSTATE('O', 'M', '0', '0', '5')
#define ERRCODE_OMS_IMMUTABLE			MAKE_SQLSTATE('O', 'M', '0', '0', '6')
#define ERRCODE_OMS_REFERENCE_REUSED	MAKE_SQLSTATE('O', 'M', '0', '0', '7')
#define ERRCODE_OMS_STORE_LAYOUT		MAKE_SQLSTATE('O', 'M', '0', '0', '8')
#define ERRCODE_OMS_NO_LOCATION			MAKE_SQLSTATE('O', 'M', '0', '0', '9')
#define ERRCODE_OMS_UNKNOWN_STORE		MAKE_SQLSTATE('O', 'M', '0', '1', '0')
#define ERRCODE_OMS_PAYMENT				MAKE_SQLSTATE('O', 'M', '0', '1', '1')
#define ERRCODE_OMS_DOCUMENT			MAKE_SQLSTATE('O', 'M', '0', '1', '2')

/* the layout of a store that this library works on */
#define OMS_LAYOUT_VERSION 1

/* setting oms.actor; empty where it is not set */
extern PGDLLIMPORT char *oms_actor_setting;

extern const char *oms_current_actor(void);
extern const char *oms_clip(const char *text);

#endif							/* OMS_H */
