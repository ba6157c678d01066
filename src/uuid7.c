/*
 * uuid7.c
 *	  Keys in order of time: RFC 9562 UUIDs of version 7.
 *
 * Reached from SQL as the default of every id, and from the engine where it
 * makes rows by itself.
 *
 * The first 60 bits that are not fixed count time, in ticks of 1/4096 ms: 48
 * bits of Unix milliseconds, then the 12 of rand_a as a fraction (RFC 9562,
 * section 6.2, method 3).  The 62 bits of rand_b are random.  A tick is never
 * used twice in a backend, so its ids ascend: where the clock stands still or
 * steps back, ticks go on from the last one, at most some milliseconds ahead
 * of the clock unless it was set back.  PostgreSQL 18's uuidv7() lays its bits
 * out the same way.
 */
#include "postgres.h"

#include <time.h>

#include "datatype/timestamp.h"
#include "fmgr.h"
#include "utils/timestamp.h"

#include "uuid7.h"

#define TICKS_PER_MS		INT64CONST(4096)
#define NS_PER_MS			INT64CONST(1000000)
#define MAX_MS				((INT64CONST(1) << 48) - 1)
#define EPOCH_DIFFERENCE_MS \
	((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (int64) SECS_PER_DAY * 1000)

#define RANDOM_BYTES		8	/* for one id */
#define RANDOM_BATCH		64	/* ids that one batch is for */

static int64 next_tick(void);
static const uint8 *next_random(void);
static void set_uuid(pg_uuid_t *uuid, int64 tick, const uint8 *random);

PG_FUNCTION_INFO_V1(oms_uuid7_next);
PG_FUNCTION_INFO_V1(oms_uuid7_at);

/* oms_uuid7_next is oms.uuid7(): oms_uuid7 in SQL. */
Datum
oms_uuid7_next(PG_FUNCTION_ARGS)
{
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	oms_uuid7(uuid);
	PG_RETURN_UUID_P(uuid);
}

/*
 * oms_uuid7_at returns the lowest id of an instant.  It goes by the
 * millisecond, so that ids which others made, with nothing but milliseconds
 * in them, are not lower.
 */
Datum
oms_uuid7_at(PG_FUNCTION_ARGS)
{
	static const uint8 zero[RANDOM_BYTES] = {0};
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(0);
	pg_uuid_t  *uuid;
	int64		ms;

	/* a division that rounds down, also before 2000 */
	ms = at / 1000 - (at % 1000 < 0 ? 1 : 0);
	if (TIMESTAMP_NOT_FINITE(at) || ms < -EPOCH_DIFFERENCE_MS || ms > MAX_MS - EPOCH_DIFFERENCE_MS)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range for a UUID of version 7: \"%s\"",
						timestamptz_to_str(at)),
				 errhint("It counts 48 bits of milliseconds from 1970, up to the year 10889.")));

	uuid = palloc(sizeof(pg_uuid_t));
	set_uuid(uuid, (ms + EPOCH_DIFFERENCE_MS) * TICKS_PER_MS, zero);
	PG_RETURN_UUID_P(uuid);
}

/* oms_uuid7 makes an id greater than every one before it in this backend. */
void
oms_uuid7(pg_uuid_t *uuid)
{
	const uint8 *random = next_random();

	set_uuid(uuid, next_tick(), random);
}

/* next_tick returns the time, or the tick after the last one where that is later. */
static int64
next_tick(void)
{
	static int64 last = 0;
	struct timespec now;
	int64		ms;
	int64		fraction;

	clock_gettime(CLOCK_REALTIME, &now);
	ms = now.tv_sec * INT64CONST(1000) + now.tv_nsec / NS_PER_MS;
	fraction = now.tv_nsec % NS_PER_MS * TICKS_PER_MS / NS_PER_MS;
	last = Max(ms * TICKS_PER_MS + fraction, last + 1);
	return last;
}

/*
 * next_random returns bytes for one id.  Asking for many at a time costs
 * least; no process inherits the rest, for only backends ask.
 */
static const uint8 *
next_random(void)
{
	static uint8 batch[RANDOM_BATCH * RANDOM_BYTES];
	static int	left = 0;

	if (left == 0)
	{
		if (!pg_strong_random(batch, sizeof(batch)))
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not generate random values")));
		left = RANDOM_BATCH;
	}
	left--;
	return batch + left * RANDOM_BYTES;
}

/* set_uuid puts together time, version, variant and randomness. */
static void
set_uuid(pg_uuid_t *uuid, int64 tick, const uint8 *random)
{
	int64		ms = tick / TICKS_PER_MS;
	int			fraction = tick % TICKS_PER_MS;

	for (int i = 0; i < 6; i++)
		uuid->data[i] = (ms >> (40 - 8 * i)) & 0xFF;
	uuid->data[6] = 0x70 | (fraction >> 8);
	uuid->data[7] = fraction & 0xFF;
	memcpy(uuid->data + 8, random, RANDOM_BYTES);
	uuid->data[8] = 0x80 | (uuid->data[8] & 0x3F);
}
