-- Keys in order of time (src/uuid7.c).

CREATE FUNCTION oms.uuid7() RETURNS uuid
LANGUAGE C VOLATILE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'oms_uuid7_next';
COMMENT ON FUNCTION oms.uuid7() IS
'A new key: an RFC 9562 UUID of version 7, the time in milliseconds and 1/4096 of them, then 62 random bits. In one session each is greater than the one before, also when the clock is set back';

CREATE FUNCTION oms.uuid7_at(at timestamptz) RETURNS uuid
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'oms_uuid7_at';
COMMENT ON FUNCTION oms.uuid7_at(timestamptz) IS
'The lowest version 7 UUID of the millisecond that an instant lies in, so that id >= oms.uuid7_at(t) finds all rows made from t on by their primary key. An instant before 1970, after the year 10889, or infinite is an error (22008)';
