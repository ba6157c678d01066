-- what the session's backend has used so far
CREATE FUNCTION bench.used(OUT cpu bigint, OUT elapsed bigint, OUT wal bigint) LANGUAGE sql AS $$
	SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint, (extract(epoch FROM clock_timestamp()) * 1e6)::bigint,
		(pg_current_wal_insert_lsn() - '0/0')::bigint
$$;
