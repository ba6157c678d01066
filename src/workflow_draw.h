/*
 * workflow_draw.h
 *	  Workflows as pictures, with what has become of their rows.
 */
#ifndef OMS_WORKFLOW_DRAW_H
#define OMS_WORKFLOW_DRAW_H

#include "workflow.h"

/* How much there is where. */
typedef struct Traffic
{
	int64		created;		/* rows that began in the initial state */
	int64	   *in_state;		/* rows that are in it now, by state */
	int64	   *moved;			/* how often it was made, by move */
} Traffic;

extern char *oms_draw_mermaid(const Workflow *workflow, const Traffic *traffic);

#endif							/* OMS_WORKFLOW_DRAW_H */
