/*
 * chain.h
 *	  Moves that lead to other moves, and how many may.
 */
#ifndef OMS_CHAIN_H
#define OMS_CHAIN_H

#include "postgres.h"

#include "lib/stringinfo.h"

/* A statement's moves, inside those that led to them. */
typedef struct MoveLink
{
	void		(*tell) (StringInfo text, const struct MoveLink *link);
	const void *what;			/* for tell, which reads it only when it must */
	const char *function;		/* of the store, that is being called; or NULL */

	struct MoveLink *outer;		/* set by oms_chain_enter, as is depth */
	int			depth;
} MoveLink;

extern void oms_chain_enter(MoveLink *link);
extern void oms_chain_leave(const MoveLink *link);
extern const char *oms_chain_call(const char *function);

#endif							/* OMS_CHAIN_H */
