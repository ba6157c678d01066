-- Reading and linting workflows as large as can be, 64 states and 1024 moves, in
-- shapes that are hard for one or the other: CPU of one, over 500 of them.
\set ON_ERROR_STOP 1
\set QUIET 1

-- every state leads to the sixteen after it, in a ring; one more is final
CREATE TEMP TABLE moves AS SELECT i, d, format('s%s -> s%s', i, (i + d) % 63) AS move,
	(ARRAY['unheld, payable', 'paid, unshipped', 'allocated, unheld', 'payable, paid, allocated'])[1 + (i * d) % 4] AS guards,
	(ARRAY['confirm', 'reserve, confirm', 'reserve, release'])[1 + (i + d) % 3] AS actions,
	(ARRAY['issue', 'deliver', 'release', 'reroute', 'restock', 'issue, deliver'])[1 + (i * d) % 6] AS parcel_actions
FROM generate_series(0, 62) i, generate_series(1, 17) d WHERE d < 17 OR i < 15;
CREATE TEMP TABLE shapes AS
SELECT shape, entity, 'initial s0; ' || string_agg(text, '; ' ORDER BY i, d) || '; s0 -> t; final t' AS definition
FROM moves, LATERAL (VALUES
	('moves alone', NULL, move),
	('an order''s, guarded', 'order', format('%s when %s do %s', move, guards, actions)),
	('an order''s, automatic', 'order', format('%s when %s auto', move, guards)),
	('each with a function of its own', 'order', format('%s when function_number_%s', move, i * 17 + d)),
	('a parcel''s', 'fulfillment', format('%s when order_unheld do %s', move, parcel_actions))) AS s(shape, entity, text)
GROUP BY shape, entity;

CREATE FUNCTION pg_temp.cost(statement text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	before bigint;
BEGIN
	EXECUTE statement;
	before := split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint;
	EXECUTE statement;
	RETURN (split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint - before) / 1e6 / 500;
END $$;

SELECT format('limits: a workflow of %s states and %s moves (%s) is read in %s ms and linted in %s ms, with %s findings',
	(SELECT count(*) FROM oms.states(definition::oms.workflow)), (SELECT count(*) FROM oms.moves(definition::oms.workflow)), shape,
	round(pg_temp.cost(format('SELECT count(((%L || repeat('' '', i))::text)::oms.workflow) FROM generate_series(1, 500) i', definition)), 2),
	round(pg_temp.cost(format('SELECT count(*) FROM (SELECT %L::oms.workflow AS w OFFSET 0) x, generate_series(1, 500) i,'
		' LATERAL oms.lint(CASE WHEN i > 0 THEN w END, %L)', definition, entity)), 2),
	(SELECT count(*) FROM oms.lint(definition::oms.workflow, entity)))
FROM shapes ORDER BY shape;
