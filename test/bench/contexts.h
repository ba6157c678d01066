/*
 * contexts.h
 *	  Memory contexts for what is compiled without a server: the little of the
 *	  server's that the wave uses (src/wave*.c), by its names.  Included before
 *	  its files.
 */
#ifndef OMS_CONTEXTS_H
#define OMS_CONTEXTS_H

#include <stddef.h>

typedef struct Context *MemoryContext;

#define CurrentMemoryContext	((MemoryContext) 0)
#define ALLOCSET_DEFAULT_SIZES	0
#define AllocSetContextCreate(parent, name, sizes)	context_create()

extern MemoryContext context_create(void);
extern MemoryContext MemoryContextSwitchTo(MemoryContext context);
extern void MemoryContextReset(MemoryContext context);
extern void MemoryContextDelete(MemoryContext context);
extern void *context_alloc(size_t size);
extern void *context_alloc0(size_t size);

#define palloc(size)	context_alloc(size)
#define palloc0(size)	context_alloc0(size)
#define pfree(pointer)	((void) (pointer))

#endif							/* OMS_CONTEXTS_H */
