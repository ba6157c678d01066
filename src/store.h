/*
 * store.h
 *	  The handle of a store, and acting as its owner.
 */
#ifndef OMS_STORE_H
#define OMS_STORE_H

#include "postgres.h"

#include "commands/trigger.h"
#include "nodes/bitmapset.h"
#include "utils/hsearch.h"

#define OMS_MAX_TABLES 64
#define OMS_BOOK_TABLES 5

/*
 * What this backend knows of a store.  All of it can be read anew at any time
 * and hangs on the schema's OID, so one store never serves another; the flags
 * say which parts a catalog change has made stale.
 */
typedef struct Store
{
	Oid			namespace_oid;	/* key */

	bool		named;			/* name, quoted_name, owner are true */
	char	   *name;
	char	   *quoted_name;
	char	   *search_path;	/* pg_catalog, the store, pg_temp */
	Oid			owner;

	bool		set;			/* what settings says is true */
	Oid			settings_relid;
	Oid			number_sequence;
	char	   *number_prefix;
	bool		is_here;		/* its events are written on this server */

	bool		whole;			/* no trigger, default or column is lacking */
	bool		is_watched;		/* then: how an order is written shows to
								 * others */
	bool		gives_terms;	/* and new customers may have a credit_limit */
	Oid			tables[OMS_MAX_TABLES]; /* whose triggers those are */
	int			ntables;

	bool		machines_read;	/* machines holds what workflows says */
	Oid			workflows_relid;
	MemoryContext machines_context;
	HTAB	   *machines;		/* by workflow name */

	bool		rules_read;		/* has_rules is true to channel_stock_rules */
	bool		has_rules;
	Oid			rules_relid;

	bool		book_read;		/* book is true to the tables it is of */
	struct RuleBook *book;		/* NULL: never read */
	Oid			book_relids[OMS_BOOK_TABLES];

	HTAB	   *plans;			/* by query; plan.c */

	/* counted up by each change, so that a reader notices one meanwhile */
	uint64		settings_changes;
	uint64		workflows_changes;
	uint64		table_changes;
	uint64		rules_changes;
	uint64		book_changes;

	MemoryContext context;		/* of the names above */
} Store;

/* What to restore when the engine stops acting as the owner. */
typedef struct OwnerScope
{
	Oid			user;
	int			sec_context;
	int			guc_level;		/* 0: nothing was set */
} OwnerScope;

extern void oms_store_init(void);
extern Store *oms_store_argument(FunctionCallInfo fcinfo, int required);
extern Store *oms_store_with_gaps(FunctionCallInfo fcinfo, int required);
extern Store *oms_store_of_any_layout(FunctionCallInfo fcinfo, int required);
extern Store *oms_store_of_trigger(const TriggerData *trigger);
extern void oms_refuse_parent(Relation rel);
extern bool oms_is_watched(Store *store);
extern bool oms_is_owner_of(const Store *store);
extern void oms_require_owner_of(const Store *store);
extern void oms_require_trigger(FunctionCallInfo fcinfo, const char *function);

/* owner.c */
extern int	oms_pin_search_path(Store *store);
extern void oms_become_owner(Store *store, OwnerScope *scope);
extern void oms_leave_owner(const OwnerScope *scope);
extern bool oms_in_engine(const Store *store);
extern int	oms_leave_engine(void);
extern void oms_enter_engine(int sec_context);
extern bool oms_may_update_status(const Store *store, const char *table);
extern void oms_require_status(const Store *store, const char *table);

#endif							/* OMS_STORE_H */
