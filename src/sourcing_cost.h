/*
 * sourcing_cost.h
 *	  What it costs to serve a demand from a place, and who may.
 */
#ifndef OMS_SOURCING_COST_H
#define OMS_SOURCING_COST_H

#include "rulebook.h"
#include "supply.h"

/* What rules ask of a SKU. */
typedef struct SkuFacts
{
	const char *sku;			/* first: sorted by it */
	int64		weight_grams;
	const char **tags;
	int			ntags;
} SkuFacts;

/* Where a shipment goes. */
typedef struct Destination
{
	pg_uuid_t	address_id;		/* first: sorted by it */
	const char *zone;			/* NULL: none */
	bool		has_point;
	double		latitude;
	double		longitude;
} Destination;

/*
 * All that costs and rules of a plan depend on.  The target is that of the problem
 * that is planned at the moment.
 */
typedef struct Costs
{
	const RuleBook *book;
	const SourceLocation **locations;	/* of each place; NULL: made meanwhile */
	SkuFacts   *skus;
	int			nskus;
	const char *asked;			/* the SKU that was asked about last ... */
	const SkuFacts *facts;		/* ... and what rules ask of it, or NULL */
	Destination *destinations;
	int			ndestinations;
	TimestampTz at;

	Target		target;
	const SourcingPolicy *policy;
	Terms	   *terms;			/* of each place, once asked for */
	bool	   *has_terms;
} Costs;

extern Costs *oms_read_costs(Store *store, const Sourcing *sourcing, const World *world);
extern void oms_aim_costs(Costs *costs, const World *world, const Demand *demand);
extern bool oms_denies(Costs *costs, int place, const Demand *demand, const char **why);
extern void oms_require_allowed(Store *store, const Sourcing *sourcing, const Demand *demand, int line_no);
extern int64 oms_shipment_cost(Costs *costs, int place);
extern bool oms_promise(Costs *costs, int place, const Demand *demand, TimestampTz *at);
extern int64 oms_demand_cost(Costs *costs, int place, const Demand *demand);

#endif							/* OMS_SOURCING_COST_H */
