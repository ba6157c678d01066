/*
 * rulebook.h
 *	  What a shipment from a location costs, and which may serve what: the rows of
 *	  shipping_rates, zones, sourcing_rules, sourcing_policies and locations, ready
 *	  to be asked.
 *
 * Money is in 1/10,000 of the currency's unit, as in the split kernel.
 */
#ifndef OMS_RULEBOOK_H
#define OMS_RULEBOOK_H

#include "postgres.h"

#include "utils/date.h"
#include "utils/timestamp.h"

#include "store.h"

/* All of it; see oms_rule_book for how long it lives. */
typedef struct RuleBook RuleBook;

/* One (order, method, destination). */
typedef struct Target
{
	const char *channel;		/* NULL: none; concerned by no row that names
								 * one */
	const char *method;			/* NULL: none */
	const char *destination_zone;	/* NULL: none */
	bool		has_point;
	double		latitude;
	double		longitude;
} Target;

typedef struct SourceLocation
{
	const char *code;
	const char *zone;			/* that its address is in; NULL: none */
	const char *const *methods; /* that it offers, sorted */
	int			nmethods;		/* -1: all */
	int64		fixed_cost;
	int64		pick_cost;
	int64		daily_capacity; /* -1: no limit */
	bool		has_cutoff;
	TimeADT		cutoff;			/* in its time zone */
	const char *time_zone;
	bool		has_point;
	double		latitude;
	double		longitude;

	bool		is_active;
	bool		tracked;
	bool		is_partner;
	int			rank;			/* among all, by priority, then code */

	/* of the book alone */
	int			code_id;
	int			zone_id;
} SourceLocation;

/* What it costs to send from a location to a target. */
typedef struct Terms
{
	int64		fixed;			/* a shipment: the location's and the rate's,
								 * or the distance's */
	int64		per_unit;		/* the rate's */
	int64		per_kg;			/* the rate's */
	int64		pick;			/* the location's, a unit */
	int			transit_days;	/* -1: unknown */
	double		km;				/* between the two; -1: unknown */
} Terms;

typedef struct Verdict
{
	bool		denied;
	const char *why;			/* where it is: in words that follow "because" */
	int64		prefer;			/* added to the cost of each unit; 0 where it
								 * is denied */
} Verdict;

typedef struct SourcingPolicy
{
	bool		by_shipments;	/* fewest of them first, then cost */
	int			max_shipments;	/* 0: no limit */
	int			node_limit;
	int64		unfilled_penalty;	/* of a unit; -1: whatever it takes */
	double		per_km_cost;	/* of a shipment without a rate */
} SourcingPolicy;

extern const RuleBook *oms_rule_book(Store *store);
extern bool oms_rules_are_empty(const RuleBook *book);
extern bool oms_rules_ask_where_to(const RuleBook *book);
extern const char *oms_zone_of(const RuleBook *book, const char *country, const char *region, const char *postal_code);
extern const SourceLocation *oms_source_location(const RuleBook *book, const char *code);
extern const SourceLocation *oms_source_locations(const RuleBook *book, int *count);
extern const SourcingPolicy *oms_sourcing_policy(const RuleBook *book, const char *channel);
extern void oms_terms(const RuleBook *book, const SourceLocation *location, const Target *target, Terms *terms);
extern void oms_judge_source(const RuleBook *book, const SourceLocation *location, const Target *target, const char *sku,
							 const char *const *tags, int ntags, TimestampTz at, Verdict *verdict);
extern int64 oms_unit_cost(const Terms *terms, const SourceLocation *location, const char *sku, int64 weight_grams, int64 prefer);

#endif							/* OMS_RULEBOOK_H */
