/*
 * axes.h
 *	  An order's derived axes: payment, fulfillment and return status.
 */
#ifndef OMS_AXES_H
#define OMS_AXES_H

#include "shape.h"

extern void oms_fill_axes(const Shape *shape, RowValues *row, TupleDesc tupdesc,
						  HeapTuple *tuple);

#endif							/* OMS_AXES_H */
