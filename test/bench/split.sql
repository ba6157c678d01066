-- CPU of oms.solve_split against the usual rule, written in PL/pgSQL over the
-- same arrays: from the nearest location that has everything, else from one
-- after the other by distance.
--
-- test/bench/split fills split_bench.problems with the rows that split.c wrote,
-- and calls split_bench.measure.
\set ON_ERROR_STOP 1
\set QUIET 1
SET client_min_messages = warning;

CREATE SCHEMA split_bench;
CREATE UNLOGGED TABLE split_bench.problems (
	id integer,
	quantity bigint[],
	penalty bigint[],
	fixed_cost bigint[],
	arc_line integer[],
	arc_location integer[],
	arc_available bigint[],
	arc_cost bigint[],
	capacity bigint[],
	priority integer[],
	distance bigint[],
	max_shipments integer
);

-- the rule: what the plan costs.  Arcs stand line by line, so they are sorted
-- into locations first, in the order in which these are asked.
CREATE FUNCTION split_bench.by_rule(quantity bigint[], fixed_cost bigint[], arc_line integer[], arc_location integer[], arc_available bigint[], arc_cost bigint[],
	capacity bigint[], distance bigint[], max_shipments integer, OUT cost bigint, OUT line integer[], OUT location integer[], OUT units bigint[])
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	complete integer;
	nearest bigint;
	lines integer[] := array_fill(0, ARRAY[cardinality(fixed_cost)]);
	opened integer[] := array_fill(0, ARRAY[cardinality(fixed_cost)]);
	wanted bigint := 0;
	shipments integer := 0;
	part bigint;
	a integer;
	j integer;
	arcs integer[];
BEGIN
	cost := 0;
	line := '{}';
	location := '{}';
	units := '{}';
	-- the nearest that has everything
	FOR a IN 1 .. cardinality(arc_line) LOOP
		j := arc_location[a];
		IF arc_available[a] >= quantity[arc_line[a]] THEN
			lines[j] := lines[j] + 1;
			IF lines[j] = cardinality(quantity) AND (complete IS NULL OR distance[j] < nearest) THEN
				complete := j;
				nearest := distance[j];
			END IF;
		END IF;
	END LOOP;
	IF complete IS NOT NULL THEN
		cost := fixed_cost[complete];
		FOR a IN 1 .. cardinality(arc_line) LOOP
			IF arc_location[a] = complete THEN
				line := line || arc_line[a];
				location := location || complete;
				units := units || quantity[arc_line[a]];
				cost := cost + quantity[arc_line[a]] * arc_cost[a];
			END IF;
		END LOOP;
		RETURN;
	END IF;

	-- else all of them, by distance
	arcs := ARRAY(SELECT n FROM generate_subscripts(arc_line, 1) AS n ORDER BY distance[arc_location[n]], arc_location[n]);
	SELECT sum(q) INTO wanted FROM unnest(quantity) AS q;
	FOREACH a IN ARRAY arcs LOOP
		EXIT WHEN wanted = 0;
		j := arc_location[a];
		part := least(quantity[arc_line[a]], arc_available[a], capacity[j]);
		CONTINUE WHEN part = 0;
		IF opened[j] = 0 THEN
			EXIT WHEN shipments = max_shipments;
			shipments := shipments + 1;
			opened[j] := 1;
			cost := cost + fixed_cost[j];
		END IF;
		line := line || arc_line[a];
		location := location || j;
		units := units || part;
		cost := cost + part * arc_cost[a];
		wanted := wanted - part;
		quantity[arc_line[a]] := quantity[arc_line[a]] - part;
		IF capacity[j] IS NOT NULL THEN
			capacity[j] := capacity[j] - part;
		END IF;
	END LOOP;
END $$;

-- what the session's backend has used so far, in ns
CREATE FUNCTION split_bench.cpu() RETURNS bigint LANGUAGE sql AS $$
	SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint
$$;

-- both in turn, over all problems, several times; nothing: reading the rows
CREATE FUNCTION split_bench.measure(rounds integer, OUT nothing bigint, OUT ours bigint, OUT theirs bigint) LANGUAGE plpgsql AS $$
DECLARE
	p split_bench.problems;
	began bigint;
	plan oms.split_plan;
	rule record;
	read integer;
	n bigint;
	o bigint;
	t bigint;
BEGIN
	FOR round IN 0 .. rounds LOOP
		n := 0;
		o := 0;
		t := 0;
		began := split_bench.cpu();
		FOR p IN TABLE split_bench.problems LOOP
			read := cardinality(p.arc_line) + cardinality(p.arc_available) + cardinality(p.quantity);
		END LOOP;
		n := split_bench.cpu() - began;
		began := split_bench.cpu();
		FOR p IN TABLE split_bench.problems LOOP
			plan := oms.solve_split(p.quantity, p.penalty, p.fixed_cost, p.arc_line, p.arc_location, p.arc_available, p.arc_cost, p.capacity, p.priority, 'cost', nullif(p.max_shipments, 0), 5000);
		END LOOP;
		o := split_bench.cpu() - began;
		began := split_bench.cpu();
		FOR p IN TABLE split_bench.problems LOOP
			rule := split_bench.by_rule(p.quantity, p.fixed_cost, p.arc_line, p.arc_location, p.arc_available, p.arc_cost, p.capacity, p.distance, nullif(p.max_shipments, 0));
		END LOOP;
		t := split_bench.cpu() - began;
		-- the first round warms up; of the others, the least that each took
		IF round > 0 THEN
			nothing := least(nothing, n);
			ours := least(ours, o);
			theirs := least(theirs, t);
		END IF;
	END LOOP;
END $$;
