/*
 * rulebook_parts.h
 *	  What a book of sourcing rules is made of; for rulebook_read.c, which makes
 *	  it, and rulebook.c, which is asked.
 *
 * Codes are numbered, so that rows are found by numbers.  A row names some of a
 * few things and leaves others NULL.  Rows that name the same things are in one
 * hash table under what they name; to find the rows that fit, each set of things
 * that any row names is tried once, however many rows there are.
 */
#ifndef OMS_RULEBOOK_PARTS_H
#define OMS_RULEBOOK_PARTS_H

#include "postgres.h"

#include "common/hashfn.h"
#include "utils/timestamp.h"

#include "rulebook.h"

#define INDEX_PARTS 6
#define MAX_PREFIX 16

/*
 * What rows name, by its bit in a set.  Of rates, the greater set is the more
 * specific one.
 */
enum
{
	RATE_METHOD, RATE_DESTINATION, RATE_ORIGIN, RATE_LOCATION
};
enum
{
	RULE_CHANNEL, RULE_SKU, RULE_TAG, RULE_METHOD, RULE_DESTINATION, RULE_LOCATION
};
enum
{
	ZONE_COUNTRY, ZONE_REGION, ZONE_PREFIX
};

typedef struct CodeEntry
{
	const char *text;			/* key */
	int			id;				/* from 1 */
	uint32		hash;
	char		status;
} CodeEntry;

#define SH_PREFIX codes
#define SH_ELEMENT_TYPE CodeEntry
#define SH_KEY_TYPE const char *
#define SH_KEY text
#define SH_HASH_KEY(table, key) hash_bytes((const unsigned char *) (key), (int) strlen(key))
#define SH_EQUAL(table, a, b) (strcmp(a, b) == 0)
#define SH_SCOPE static inline
#define SH_STORE_HASH
#define SH_GET_HASH(table, entry) (entry)->hash
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* The numbers of what a row names, 0 for the rest. */
typedef struct RowKey
{
	int			part[INDEX_PARTS];
} RowKey;

typedef struct KeyEntry
{
	RowKey		key;
	int			first;			/* of the rows */
	uint32		hash;
	char		status;
} KeyEntry;

#define SH_PREFIX keys
#define SH_ELEMENT_TYPE KeyEntry
#define SH_KEY_TYPE RowKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) hash_bytes((const unsigned char *) &(key), sizeof(RowKey))
#define SH_EQUAL(table, a, b) (memcmp(&(a), &(b), sizeof(RowKey)) == 0)
#define SH_SCOPE static inline
#define SH_STORE_HASH
#define SH_GET_HASH(table, entry) (entry)->hash
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* Rows by what they name. */
typedef struct RowIndex
{
	keys_hash  *keys;			/* NULL: there are none */
	int			sets[1 << INDEX_PARTS]; /* that rows name, the greatest first */
	int			nsets;
} RowIndex;

typedef struct Rate
{
	int64		fixed;
	int64		per_unit;
	int64		per_kg;
	int			transit_days;	/* -1: unknown */
} Rate;

typedef struct SourcingRule
{
	enum
	{
		DENY, ALLOW, PREFER
	}			effect;
	int64		cost;
	TimestampTz valid_from;
	TimestampTz valid_until;
	const char *why;			/* what it denies is denied */
	int			next;			/* that names the same; -1: none */
} SourcingRule;

struct RuleBook
{
	MemoryContext context;		/* of all of it */
	codes_hash *codes;
	int			ncodes;
	bool		is_empty;
	bool		asks_where_to;

	RowIndex	zones;			/* first is the number of the zone's code */
	const char **text_of;		/* of each number */
	bool		has_length[MAX_PREFIX + 1]; /* a postal_prefix has it */

	SourceLocation *locations;	/* by rank */
	int			nlocations;
	SourceLocation **location_of;	/* by number; NULL: no such location */
	SourcingPolicy **policy_of; /* by number of the channel */
	SourcingPolicy policy;		/* of others */

	RowIndex	rates;
	Rate	   *rate;

	RowIndex	rules;
	RowIndex	elsewhere;		/* allow rules, as if they named no location */
	SourcingRule *rule;
};

extern RuleBook *oms_read_rule_book(Store *store);

#endif							/* OMS_RULEBOOK_PARTS_H */
