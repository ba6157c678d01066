-- Keys in order of time: version, order, and the lowest id of an instant.
BEGIN;
SELECT plan(28);

-- what an id looks like
SELECT matches(oms.uuid7()::text, '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$',
	'version 7, variant 10');
SELECT isnt(oms.uuid7(), oms.uuid7(), 'two of one statement differ');

-- its time is the clock's: the first 48 bits are milliseconds since 1970
CREATE TEMP TABLE clock AS
SELECT clock_timestamp() AS before, oms.uuid7() AS id, clock_timestamp() AS after;
CREATE FUNCTION pg_temp.milliseconds(id uuid) RETURNS bigint LANGUAGE sql
AS $$ SELECT ('x0000' || left(replace(id::text, '-', ''), 12))::bit(64)::bigint $$;
SELECT cmp_ok(pg_temp.milliseconds(id), '>=', floor(extract(epoch FROM before) * 1000)::bigint, 'not before it was made') FROM clock;
SELECT cmp_ok(pg_temp.milliseconds(id), '<=', floor(extract(epoch FROM after) * 1000)::bigint + 1000, 'nor long after') FROM clock;

-- order within a session, many in each microsecond
CREATE TEMP TABLE ids AS SELECT n, oms.uuid7() AS id FROM generate_series(1, 100000) AS n;
SELECT is((SELECT count(*) FROM (SELECT id <= lag(id) OVER (ORDER BY n) AS wrong FROM ids) AS steps WHERE wrong), 0::bigint,
	'100,000 ids ascend strictly');
SELECT is((SELECT count(DISTINCT id) FROM ids), 100000::bigint, 'and are all different');
SELECT is((SELECT count(DISTINCT right(id::text, 16)) FROM ids), 100000::bigint, 'with randomness of their own');
SELECT cmp_ok((SELECT id FROM ids ORDER BY id DESC LIMIT 1), '<', oms.uuid7(), 'the next statement goes on from there');
SELECT cmp_ok(pg_temp.milliseconds(oms.uuid7()), '<=', floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint + 1000,
	'the clock is not left behind');

-- the lowest id of an instant
SELECT is(oms.uuid7_at('1970-01-01 00:00:00+00'), '00000000-0000-7000-8000-000000000000', 'the first one');
SELECT is(oms.uuid7_at('1970-01-01 00:00:00.001+00'), '00000000-0001-7000-8000-000000000000', 'a millisecond later');
SELECT is(oms.uuid7_at('1970-01-01 00:00:00.000999+00'), '00000000-0000-7000-8000-000000000000', 'parts of a millisecond do not count');
SELECT is(oms.uuid7_at('1999-12-31 23:59:59.999999+00'), '00dc6acf-abff-7000-8000-000000000000', 'nor do they before 2000, where timestamps are negative');
SELECT is(oms.uuid7_at('2000-01-01 00:00:00+00'), '00dc6acf-ac00-7000-8000-000000000000', 'and at 2000');
-- RFC 9562, A.6: 2022-02-22 14:22:22 -05:00 is 017F22E2-79B0
SELECT is(oms.uuid7_at('2022-02-22 14:22:22-05'), '017f22e2-79b0-7000-8000-000000000000', 'the example in RFC 9562');
SELECT is(oms.uuid7_at('10889-08-02 05:31:50.655+00'), 'ffffffff-ffff-7000-8000-000000000000', 'the last one');
SELECT is(oms.uuid7_at(NULL), NULL, 'NULL is NULL');

SELECT throws_ok($$ SELECT oms.uuid7_at('1969-12-31 23:59:59.999999+00') $$, '22008', NULL, 'a microsecond before 1970 is refused');
SELECT throws_ok($$ SELECT oms.uuid7_at('10889-08-02 05:31:50.656+00') $$, '22008', NULL, 'a millisecond past 48 bits is refused');
SELECT throws_ok($$ SELECT oms.uuid7_at('4713-01-01 BC') $$, '22008', NULL, 'antiquity is refused');
SELECT throws_ok($$ SELECT oms.uuid7_at('294276-12-31') $$, '22008', NULL, 'the last of timestamps is refused');
SELECT throws_ok($$ SELECT oms.uuid7_at('infinity') $$, '22008', 'timestamp out of range for a UUID of version 7: "infinity"', 'infinity is refused');
SELECT throws_ok($$ SELECT oms.uuid7_at('-infinity') $$, '22008', NULL, '-infinity is refused');

-- both together: a range of time is a range of ids
SELECT cmp_ok(oms.uuid7_at(clock_timestamp()), '<=', oms.uuid7(), 'an id made at or after t is not below uuid7_at(t)');
SELECT is((SELECT count(*) FROM (SELECT oms.uuid7_at(clock_timestamp()) AS low, oms.uuid7() AS id FROM generate_series(1, 10000)) AS pairs WHERE id < low),
	0::bigint, 'not once in 10,000');
SELECT is((SELECT count(*) FROM ids WHERE id >= oms.uuid7_at(now()) AND id < oms.uuid7_at(now() + interval '1 hour')), 100000::bigint,
	'a range finds what was made in it');

-- what the catalog says
SELECT is((SELECT array_agg(format('%s %s %s', proname, provolatile, proparallel) ORDER BY proname) FROM pg_proc
	WHERE pronamespace = 'oms'::regnamespace AND proname IN ('uuid7', 'uuid7_at')), '{uuid7 v s,uuid7_at i s}', 'volatility and parallelism');
SELECT is((SELECT count(*) FROM pg_proc WHERE pronamespace = 'oms'::regnamespace AND proname IN ('uuid7', 'uuid7_at')
	AND obj_description(oid, 'pg_proc') IS NULL), 0::bigint, 'both are commented');

SELECT * FROM finish();
ROLLBACK;
