/*
 * channel_rules.h
 *	  From where a channel may take stock, and what it must leave there.
 */
#ifndef OMS_CHANNEL_RULES_H
#define OMS_CHANNEL_RULES_H

#include "rows.h"
#include "store.h"

/* A kind of location: those that serve methods by_partner, and no others. */
#define IS_PARTNER(l) "(" l ".kind" EQ "'supplier' OR " l ".kind" EQ "'third_party')"

typedef struct ChannelRule
{
	const char *channel;
	const char *sku;			/* "": all */
	const char *location;		/* NULL: each */
	const char *effect;
	int64		units;
} ChannelRule;

/* The rules on some SKUs. */
typedef struct ChannelRules
{
	ChannelRule *rules;			/* by SKU */
	int			count;
	const char **places;		/* active locations that stock is counted at,
								 * partners last; once asked for */
	int			nplaces;
	int			first_partner;
} ChannelRules;

extern bool oms_has_channel_rules(Store *store);
extern ChannelRules *oms_channel_rules(Store *store, const Array *skus);
extern bool oms_channel_may_take(const ChannelRules *rules, const char *channel, const char *sku, const char *location);
extern bool oms_channel_may_ever_take(Store *store, ChannelRules *rules, const char *channel, const char *sku, const char *location,
									  bool by_partner);
extern int64 oms_channel_leaves(const ChannelRules *rules, const char *channel, const char *sku, const char *location);
extern int64 oms_channel_keeps(const ChannelRules *rules, const char *sku);

#endif							/* OMS_CHANNEL_RULES_H */
