/*
 * machine.h
 *	  A store's workflows as the engine runs them: names resolved, distances
 *	  computed; and the tables of built-in guards and actions.
 */
#ifndef OMS_MACHINE_H
#define OMS_MACHINE_H

#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/uuid.h"

#include "rows.h"
#include "store.h"
#include "workflow.h"

typedef enum EntityKind
{
	ENTITY_ORDER,
	ENTITY_FULFILLMENT
} EntityKind;

/* An order as the guards see it: its row, locked. */
typedef struct OrderFacts
{
	pg_uuid_t	id;				/* first: sorted and searched by it */
	char	   *number;
	char	   *workflow;
	char	   *status;
	char	   *status_reason;	/* or NULL */
	bool		is_placed;
	bool		is_confirmed;
	bool		ship_complete;
	bool		hold_if_short;
	bool		payment_required;
	bool		credit_approved;
	int			priority;
	int			open_holds;
	int64		units;
	int64		units_canceled;
	int64		units_allocated;
	int64		units_backordered;
	int64		units_short;
	int64		units_shipped;
	Datum		total;			/* numeric */
	Datum		credited;
	Datum		authorized;
	Datum		captured;
	bool		is_new;			/* made by this transaction */
} OrderFacts;

struct Machine;
struct MachineMove;

/* A row on its way through act: which it is, how it moved, what it is now. */
typedef struct Mover
{
	pg_uuid_t	id;				/* first: sorted and searched by it */
	pg_uuid_t	order_id;		/* its own for an order */
	const char *number;
	struct Machine *machine;
	const char *from;			/* NULL: the row is new */
	const char *to;
	const char *reason;			/* status_reason, or NULL */
	const struct MachineMove *move; /* the one taken; NULL: none */

	/* as the locked row says */
	const OrderFacts *order;
	const char *status;
	bool		group_complete; /* fulfillments */
	bool		is_due;			/* fulfillments: it is time for them, by
								 * requested_at */
	const char *requested_at;	/* or NULL */
	bool		is_reserved;
	const char *stock_effect;	/* of the reason, or NULL */
	const char *location;
	bool		is_supposed;	/* the row has not moved: functions of the
								 * store are shown what it would be */
} Mover;

/*
 * A built-in guard says whether it holds for a row; where it does not, why,
 * in words that follow "because".
 */
typedef struct Guard
{
	const char *name;
	bool		(*holds) (const Mover *row, StringInfo why);
} Guard;

/* A built-in action is done for all rows of a statement at once. */
typedef struct Action
{
	const char *name;
	void		(*act) (Store *store, Mover **rows, int count);
} Action;

typedef struct GuardUse
{
	const char *name;
	const Guard *guard;			/* NULL: a function of that name in the store */
} GuardUse;

typedef struct ActionUse
{
	const char *name;
	const Action *action;		/* NULL: a function of that name in the store */
} ActionUse;

typedef struct MachineMove
{
	int			from;
	int			to;
	bool		is_automatic;
	int			nguards;
	int			nactions;
	GuardUse   *guards;
	ActionUse  *actions;
} MachineMove;

/* The store's functions that a statement has made ready: functions.c. */
typedef struct FunctionCalls
{
	struct FunctionCall *first;
} FunctionCalls;

/*
 * Lives in the store's machines_context, which a transaction that was using
 * it keeps until its end when the workflows are read anew.
 */
typedef struct Machine
{
	char		name[264];		/* key: up to 64 characters */
	EntityKind	entity;
	Workflow   *workflow;
	MachineMove *moves;			/* as many as the workflow's */
	bool	   *has_automatic;	/* by state: an automatic move leaves it */
	bool	   *asks_functions; /* by state: such a move asks the store's own
								 * functions */
	int		   *distance;		/* by state: moves until one that does issue;
								 * INT_MAX where there is no way */
} Machine;

/* machine.c */
extern const char *oms_entity_name(EntityKind entity);
extern const char *oms_entity_table(EntityKind entity);
extern void oms_keep_workflows(const Store *store, EntityKind entity);
extern Machine *oms_machine(Store *store, const char *name, EntityKind entity);
extern Array *oms_automatic_states(Store *store, EntityKind entity);
extern int	oms_machine_state(const Machine *machine, const char *status);
extern const MachineMove *oms_machine_move_by_action(const Machine *machine, int from,
													 const char *action);
extern const MachineMove *oms_open_automatic_move(const Machine *machine, int state,
												  const Mover *row);
extern const char *oms_machine_state_name(const Machine *machine, int state);
extern void oms_guard_workflow(Store *store, TriggerData *trigger);

/* guards.c */
extern const Guard *oms_find_guard(EntityKind entity, const char *name);
extern bool oms_guards_hold(Store *store, FunctionCalls *calls, const MachineMove *move, const Mover *row,
							EntityKind entity, const char **guard, StringInfo why);

/* actions.c */
extern const Action *oms_find_action(EntityKind entity, const char *name);

#endif							/* OMS_MACHINE_H */
