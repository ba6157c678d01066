/*
 * judge_case.h
 *	  What judge.c, judge_fill.c and form.c know of the row that they judge.
 */
#ifndef OMS_JUDGE_CASE_H
#define OMS_JUDGE_CASE_H

#include "commands/trigger.h"
#include "placing.h"
#include "shape.h"

/* One judgement: the row before and after, and what is known of its table. */
typedef struct Case
{
	Store	   *store;
	TriggerData *trigger;
	Relation	rel;
	const Shape *shape;
	EntityKind	entity;
	const ColumnRule *rules;
	int			ncolumns;
	int			workflow;		/* column numbers of this entity */
	int			status;
	int			status_reason;
	int			closed_at;
	int			revision;
	HeapTuple	new_tuple;
	RowValues	old;			/* values NULL at INSERT */
	RowValues	new;
} Case;

/* judge_fill.c */
extern void oms_fill_order(Case *c);
extern void oms_fill_placed(Case *c, const Placing *placing);
extern void oms_fill_closed(Case *c, TimestampTz at);
extern void oms_fill_move(Case *c);
extern void oms_move_by_itself(Case *c);

/* form.c */
extern void oms_require_form(const Case *c);

/* import.c */
extern void oms_fill_import(Case *c);
extern void oms_judge_import(const Case *c);

#endif							/* OMS_JUDGE_CASE_H */
