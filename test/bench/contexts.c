/*
 * contexts.c
 *	  Memory contexts for what is compiled without a server: a list of chunks, of
 *	  which a reset keeps the first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contexts.h"

#define LEAST_CHUNK ((size_t) 1 << 18)

struct Chunk
{
	struct Chunk *before;
	size_t		size;
	size_t		used;
	char		bytes[];
};

struct Context
{
	struct Chunk *last;
};

static struct Context outermost;
static MemoryContext current = &outermost;

MemoryContext
context_create(void)
{
	return calloc(1, sizeof(struct Context));
}

MemoryContext
MemoryContextSwitchTo(MemoryContext context)
{
	MemoryContext before = current;

	current = context;
	return before;
}

void
MemoryContextReset(MemoryContext context)
{
	while (context->last && context->last->before)
	{
		struct Chunk *chunk = context->last;

		context->last = chunk->before;
		free(chunk);
	}
	if (context->last)
		context->last->used = 0;
}

void
MemoryContextDelete(MemoryContext context)
{
	MemoryContextReset(context);
	free(context->last);
	free(context);
}

void *
context_alloc(size_t size)
{
	struct Chunk *chunk = current->last;
	void	   *place;

	size = (size + 15) & ~(size_t) 15;
	if (!chunk || chunk->size - chunk->used < size)
	{
		size_t		room = size > LEAST_CHUNK ? size : LEAST_CHUNK;

		chunk = malloc(sizeof(struct Chunk) + room);
		if (!chunk)
		{
			fprintf(stderr, "out of memory\n");
			exit(1);
		}
		chunk->before = current->last;
		chunk->size = room;
		chunk->used = 0;
		current->last = chunk;
	}
	place = chunk->bytes + chunk->used;
	chunk->used += size;
	return place;
}

void *
context_alloc0(size_t size)
{
	return memset(context_alloc(size), 0, size);
}
