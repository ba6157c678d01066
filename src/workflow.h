/*
 * workflow.h
 *	  The compiled workflow: a state machine as one flat value.
 *
 * A Workflow is at once what the parser makes, what the engine runs and what
 * lies on disk in columns of type oms.workflow.  It is therefore a DISK
 * FORMAT: whatever changes the meaning or the place of a byte below needs a
 * new WORKFLOW_FORMAT and code that still reads the old one.
 *
 * Invariants, made by oms_workflow_parse and told by oms_workflow_valid:
 *
 * - It holds offsets and no pointers, needs an alignment of 4 bytes at most,
 *	 and every byte of it is determined, those reserved included.
 * - It follows the canonical text (see oms_workflow_print) from left to
 *	 right: states are numbered, and names lie in the pool, in the order of
 *	 their first appearance there, states before guards and actions.  So two
 *	 machines are equal exactly when their bytes are, and the initial state is
 *	 state 0 (say w->initial all the same).
 * - A name is in the pool once, with its NUL.
 * - Moves stand in the order of their first appearance.  Where a pair of
 *	 states has two, one is automatic and the other is not.
 * - No move leads from a state to itself.
 * - The canonical text fits in WORKFLOW_MAX_TEXT, so it can be read again,
 *	 and offsets into the pool fit in 16 bits.
 *
 * The pure part (workflow_parse.c, workflow_form.c) knows nothing of the
 * server.  Compiled with -DOMS_STANDALONE it stands alone, for fuzzing and
 * benchmarks.
 */
#ifndef OMS_WORKFLOW_H
#define OMS_WORKFLOW_H

#ifdef OMS_STANDALONE
#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t uint8;
typedef uint16_t uint16;
typedef int16_t int16;
typedef int32_t int32;
typedef uint32_t uint32;

#define FLEXIBLE_ARRAY_MEMBER
#define Assert(condition)			assert(condition)
#define pg_attribute_printf(f, a)	__attribute__((format(printf, f, a)))
#define VARSIZE(pointer)			(*(const uint32 *) (pointer))
#define SET_VARSIZE(pointer, size)	(*(uint32 *) (pointer) = (uint32) (size))
#define palloc(size)				malloc(size)
#define palloc0(size)				calloc(1, size)
#define pfree(pointer)				free(pointer)
#else
#include "fmgr.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif
#endif

#define WORKFLOW_FORMAT		1
#define WORKFLOW_MAX_STATES 64
#define WORKFLOW_MAX_MOVES	1024
#define WORKFLOW_MAX_NAME	63
#define WORKFLOW_MAX_TEXT	65536

typedef struct WorkflowMove
{
	uint8		from;			/* state */
	uint8		to;				/* state */
	uint8		automatic;		/* 1: the engine makes it by itself; 0 */
	uint8		reserved;		/* 0 */
	uint16		nguards;
	uint16		nactions;
	uint16		first;			/* its first guard among the references; its
								 * actions follow its guards */
} WorkflowMove;

typedef struct Workflow
{
	int32		vl_len_;		/* varlena header, do not touch directly */
	uint8		format;			/* WORKFLOW_FORMAT */
	uint8		nstates;		/* 1 .. WORKFLOW_MAX_STATES */
	uint8		initial;		/* state */
	uint8		reserved;		/* 0 */
	uint16		nmoves;			/* 0 .. WORKFLOW_MAX_MOVES */
	uint16		nreferences;	/* guards and actions of all moves */
	uint32		finals[2];		/* bit set of states */
	WorkflowMove moves[FLEXIBLE_ARRAY_MEMBER];

	/*
	 * Behind the moves, without a gap: uint16 states[nstates], then uint16
	 * references[nreferences], both offsets into what follows: the pool.
	 */
} Workflow;

/* What is wrong with a text, and where; line and column count from 1. */
typedef struct WorkflowError
{
	int			line;
	int			column;
	bool		too_large;		/* a limit is exceeded, rather than a syntax
								 * or sense error */
	const char *hint;			/* a constant, or NULL */
	char		message[256];	/* ASCII: what was expected and found */
} WorkflowError;

/* workflow_parse.c: pure */
extern Workflow *oms_workflow_parse(const char *text, size_t length,
									WorkflowError *error);

/* workflow_form.c: pure */
extern char *oms_workflow_print(const Workflow *workflow, size_t *length);
extern bool oms_workflow_valid(const Workflow *workflow, size_t size);
extern int	oms_workflow_state(const Workflow *workflow, const char *name,
							   size_t length);
extern int	oms_workflow_find_move(const Workflow *workflow, int from, int to,
								   int after);

/* oms_workflow_offsets returns where the states' names, then the references begin. */
static inline const uint16 *
oms_workflow_offsets(const Workflow *workflow)
{
	return (const uint16 *) &workflow->moves[workflow->nmoves];
}

/* oms_workflow_name returns the name behind one of these offsets. */
static inline const char *
oms_workflow_name(const Workflow *workflow, int index)
{
	const uint16 *offsets = oms_workflow_offsets(workflow);

	return (const char *) (offsets + workflow->nstates + workflow->nreferences) +
		offsets[index];
}

/* oms_workflow_state_name returns a state's name, NUL-terminated, inside the workflow. */
static inline const char *
oms_workflow_state_name(const Workflow *workflow, int state)
{
	return oms_workflow_name(workflow, state);
}

/* oms_workflow_is_final tells whether a state ends the machine's life. */
static inline bool
oms_workflow_is_final(const Workflow *workflow, int state)
{
	return ((workflow->finals[state >> 5] >> (state & 31)) & 1) != 0;
}

/* oms_workflow_move returns a move by number, 0 .. nmoves - 1. */
static inline const WorkflowMove *
oms_workflow_move(const Workflow *workflow, int move)
{
	return &workflow->moves[move];
}

/* oms_workflow_guard returns the name of a move's guard, 0 .. nguards - 1. */
static inline const char *
oms_workflow_guard(const Workflow *workflow, const WorkflowMove *move, int i)
{
	return oms_workflow_name(workflow, workflow->nstates + move->first + i);
}

/* oms_workflow_action returns the name of a move's action, 0 .. nactions - 1. */
static inline const char *
oms_workflow_action(const Workflow *workflow, const WorkflowMove *move, int i)
{
	return oms_workflow_name(workflow,
							 workflow->nstates + move->first + move->nguards + i);
}

#ifndef OMS_STANDALONE

/* workflow.c: the type oms.workflow */
extern Workflow *oms_workflow_from_text(text *source);
extern Workflow *oms_workflow_from_datum(Datum datum);
extern int	oms_workflow_require_state(const Workflow *workflow,
									   const char *name, size_t length);

#define DatumGetWorkflow(datum)		oms_workflow_from_datum(datum)
#define WorkflowGetDatum(workflow)	PointerGetDatum(workflow)
#define PG_GETARG_WORKFLOW(n)		DatumGetWorkflow(PG_GETARG_DATUM(n))
#define PG_RETURN_WORKFLOW(x)		PG_RETURN_POINTER(x)

#endif

#endif							/* OMS_WORKFLOW_H */
