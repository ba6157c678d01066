/*
 * bundle_parts.h
 *	  Bundles with their items, between those who read them and who make them out.
 */
#ifndef OMS_BUNDLE_PARTS_H
#define OMS_BUNDLE_PARTS_H

#include "commands/trigger.h"
#include "rows.h"
#include "store.h"

#define MOST_BUNDLE_LEVELS 8

typedef struct Component
{
	const char *sku;
	int64		quantity;
	Datum		share;			/* numeric */
} Component;

typedef struct BundleItem
{
	const char *bundle;			/* sorted by it ... */
	const char *sku;			/* ... and this */
	int64		quantity;
	Datum		weight;			/* numeric */
	bool		is_bundle;
} BundleItem;

typedef struct Bundle
{
	const char *code;			/* first: searched by it */
	BundleItem *items;
	int			nitems;
	bool		is_changed;		/* it holds one that was changed */
	enum
	{
		UNKNOWN, BEGUN, DONE
	}			state;
	struct Bundle *from;		/* which one is being made out for, while
								 * begun */
	int			levels;
	int			ways;			/* in which it holds what is no bundle */
	Component  *components;		/* by SKU, each once */
	int			ncomponents;
} Bundle;

typedef struct Bundles
{
	Relation	rel;			/* for messages */
	Bundle	   *list;			/* by code */
	int			count;
	BundleItem *items;
	int			nitems;
	int			capacity;
} Bundles;

/* Codes, sorted, each once. */
typedef struct Codes
{
	const char **list;
	int			count;
} Codes;

/* bundle_read.c */
extern int	oms_compare_codes(const void *a, const void *b);
extern void oms_refuse_bundle(const Bundles *bundles, int code, const char *message, const char *hint);
extern Array *oms_changed_bundles(TriggerData *trigger, Codes *set);
extern void oms_read_bundles(Store *store, Array *changed, Codes *holders, Bundles *bundles);

#endif							/* OMS_BUNDLE_PARTS_H */
