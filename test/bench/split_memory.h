/*
 * split_memory.h
 *	  Memory for the kernel of oms.solve_split in its benchmark: included before
 *	  its own files, so that what these allocate is forgotten after each problem.
 */
#include <stddef.h>

extern void *bench_palloc(size_t size);
extern void *bench_palloc0(size_t size);

#define palloc(size)	bench_palloc(size)
#define palloc0(size)	bench_palloc0(size)
#define pfree(pointer)	((void) (pointer))
