-- oms.solve_split: plans worked out by hand, and what it refuses.
-- test/t/024_split.pl compares it with an exhaustive search.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

-- The plan is written (objective, bound, proven, shipments, unfilled, line, location, quantity)

-- ---- one line

SELECT is(oms.solve_split('{2}', '{100}', '{5,1}', '{1,1}', '{1,2}', '{2,2}', '{1,4}')::text, '(7,7,t,1,0,{1},{1},{2})', '5 + 2 x 1 is less than 1 + 2 x 4');
SELECT is(oms.solve_split('{1}', '{100}', '{5,1}', '{1,1}', '{1,2}', '{2,2}', '{1,4}')::text, '(5,5,t,1,0,{1},{2},{1})', 'but 5 + 1 is more than 1 + 4');
SELECT is(oms.solve_split('{5}', '{100}', '{1,1}', '{1,1}', '{1,2}', '{3,4}', '{1,2}')::text, '(9,9,t,2,0,"{1,1}","{1,2}","{3,2}")', 'a quantity that nobody has is divided, the cheapest units first');
SELECT is(oms.solve_split('{5}', '{100}', '{1,1}', '{1,1}', '{1,2}', '{3,4}', '{1,2}', max_shipments => 1)::text, '(109,109,t,1,1,{1},{2},{4})', 'unless only one may ship: most of it, then');
SELECT is(oms.solve_split('{5}', '{100}', '{1,1}', '{1,1}', '{1,2}', '{3,4}', '{1,2}', objective => 'shipments', max_shipments => 1)::text, '(9,1,t,1,1,{1},{2},{4})', 'of objective shipments, without the penalty');
SELECT is(oms.solve_split('{9}', '{100}', '{1,1}', '{1,1}', '{1,2}', '{3,4}', '{1,2}')::text, '(213,213,t,2,2,"{1,1}","{1,2}","{3,4}")', 'what there is not is left');
SELECT is(oms.solve_split('{9}', '{100}', '{1,1}', '{1,1}', '{1,2}', '{3,4}', '{1,2}', objective => 'shipments')::text, '(13,2,t,2,2,"{1,1}","{1,2}","{3,4}")', 'also with objective shipments');

-- ---- penalties

SELECT is(oms.solve_split('{2}', '{2}', '{0}', '{1}', '{1}', '{2}', '{3}')::text, '(4,4,t,0,2,{},{},{})', 'a unit that costs more than its penalty stays');
SELECT is(oms.solve_split('{2}', '{3}', '{0}', '{1}', '{1}', '{2}', '{3}')::text, '(6,6,t,0,2,{},{},{})', 'and one that costs as much');
SELECT is(oms.solve_split('{2}', '{4}', '{0}', '{1}', '{1}', '{2}', '{3}')::text, '(6,6,t,1,0,{1},{1},{2})', 'one that costs less is shipped');
SELECT is(oms.solve_split('{2}', '{4}', '{3}', '{1}', '{1}', '{2}', '{3}')::text, '(8,8,t,0,2,{},{},{})', 'unless the location costs more than that saves');
SELECT is(oms.solve_split('{2}', '{2}', '{9}', '{1}', '{1}', '{2}', '{3}', objective => 'shipments')::text, '(15,1,t,1,0,{1},{1},{2})', 'objective shipments ships at any cost');
SELECT is(oms.solve_split('{1,1}', '{9,2}', '{5}', '{1,2}', '{1,1}', '{1,1}', '{0,1}')::text, '(6,6,t,1,0,"{1,2}","{1,1}","{1,1}")', 'a line that pays for a location takes others along');

-- ---- several lines

SELECT is(oms.solve_split('{1,1}', '{100,100}', '{5,5,5}', '{1,2,1,2}', '{1,2,3,3}', '{1,1,1,1}', '{0,0,3,3}')::text, '(10,10,t,2,0,"{1,2}","{1,2}","{1,1}")', 'two cheap shipments cost 10');
SELECT is(oms.solve_split('{1,1}', '{100,100}', '{5,5,5}', '{1,2,1,2}', '{1,2,3,3}', '{1,1,1,1}', '{0,0,3,3}', objective => 'shipments')::text, '(11,1,t,1,0,"{1,2}","{3,3}","{1,1}")', 'one costs 11');
SELECT is(oms.solve_split('{1,1}', '{100,100}', '{5,5,5}', '{1,2,1,2}', '{1,2,3,3}', '{1,1,1,1}', '{0,0,3,3}', max_shipments => 1)::text, '(11,11,t,1,0,"{1,2}","{3,3}","{1,1}")', 'as where one is all that may be');
-- the nearest for each would be 1, 2 and 3: 3 x 10 + 3; 4 has all at 10 + 3 x 3
SELECT is(oms.solve_split('{1,1,1}', '{100,100,100}', '{10,10,10,10}', '{1,2,3,1,2,3}', '{1,2,3,4,4,4}', '{1,1,1,1,1,1}', '{1,1,1,3,3,3}')::text, '(19,19,t,1,0,"{1,2,3}","{4,4,4}","{1,1,1}")', 'one that has everything beats the cheapest of each');
-- any two of the three cover it; 1 and 2 cost 2 + 1 + 1 + 2, with 3 it is 2 + 1 + 1 + 1
SELECT is(oms.solve_split('{1,1,1}', '{100,100,100}', '{1,1,1}', '{1,2,2,3,3,1}', '{1,1,2,2,3,3}', '{1,1,1,1,1,1}', '{1,1,2,2,1,1}')::text, '(5,5,t,2,0,"{1,2,3}","{1,1,3}","{1,1,1}")', 'two of three that overlap');

-- ---- what may not matter

SELECT is(oms.solve_split('{}', '{}', '{}', '{}', '{}', '{}', '{}')::text, '(0,0,t,0,0,{},{},{})', 'nothing at all');
SELECT is(oms.solve_split('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', 'shipments', 1, 1)::text, '(0,0,t,0,0,{},{},{})', 'nothing, with objective shipments');
SELECT is(oms.solve_split('{3}', '{7}', '{}', '{}', '{}', '{}', '{}')::text, '(21,21,t,0,3,{},{},{})', 'no location');
SELECT is(oms.solve_split('{3}', '{7}', '{}', '{}', '{}', '{}', '{}', objective => 'shipments')::text, '(0,0,t,0,3,{},{},{})', 'no location, with objective shipments');
SELECT is(oms.solve_split('{}', '{}', '{7}', '{}', '{}', '{}', '{}')::text, '(0,0,t,0,0,{},{},{})', 'no line');
SELECT is(oms.solve_split('{1}', '{9}', '{0,1}', '{1}', '{2}', '{1}', '{1}')::text, '(2,2,t,1,0,{1},{2},{1})', 'a location without pairs');
SELECT is(oms.solve_split('{0,1}', '{9,9}', '{1}', '{1,2}', '{1,1}', '{5,5}', '{0,0}')::text, '(1,1,t,1,0,{2},{1},{1})', 'a line of which none are wanted');
SELECT is(oms.solve_split('{0}', '{9223372036854775807}', '{1}', '{1}', '{1}', '{5}', '{0}')::text, '(0,0,t,0,0,{},{},{})', 'whatever its penalty is');
SELECT is(oms.solve_split('{1}', '{9}', '{0,1}', '{1,1}', '{1,2}', '{0,1}', '{0,1}')::text, '(2,2,t,1,0,{1},{2},{1})', 'a location that has none');
SELECT is(oms.solve_split('{1}', '{9}', '{0,1}', '{1,1}', '{1,2}', '{1,1}', '{0,1}', '{0,NULL}')::text, '(2,2,t,1,0,{1},{2},{1})', 'a location that can ship none');
SELECT is(oms.solve_split('{1}', '{9}', '{0}', '{1}', '{1}', '{9223372036854775807}', '{1}')::text, '(1,1,t,1,0,{1},{1},{1})', 'a location that has any number');
SELECT is(oms.solve_split('{3}', '{0}', '{0}', '{1}', '{1}', '{3}', '{0}')::text, '(0,0,t,0,3,{},{},{})', 'costs of nothing: shipping saves nothing');
SELECT is(oms.solve_split('{3}', '{0}', '{0,0}', '{1,1}', '{1,2}', '{2,3}', '{0,0}', objective => 'shipments')::text, '(0,1,t,1,0,{1},{2},{3})', 'costs of nothing, with objective shipments');
SELECT is(oms.solve_split('{3}', '{1}', '{0,0}', '{1,1}', '{1,2}', '{2,3}', '{0,0}')::text, '(0,0,t,1,0,{1},{2},{3})', 'shipments that cost nothing');

-- ---- capacities

SELECT is(oms.solve_split('{2,2}', '{100,100}', '{1,1}', '{1,2,1,2}', '{1,1,2,2}', '{9,9,9,9}', '{0,0,5,6}', '{3,NULL}')::text, '(7,7,t,2,0,"{1,2,1}","{1,1,2}","{1,2,1}")', 'one unit more than location 1 can ship: the one that is cheaper elsewhere');
SELECT is(oms.solve_split('{2,2}', '{100,100}', '{1,1}', '{1,2,1,2}', '{1,1,2,2}', '{9,9,9,9}', '{0,0,5,6}', '{3,NULL}', objective => 'shipments')::text, '(23,1,t,1,0,"{1,2}","{2,2}","{2,2}")', 'or all from where no limit is');
SELECT is(oms.solve_split('{2,2}', '{100,100}', '{1,1}', '{1,2,1,2}', '{1,1,2,2}', '{9,9,9,9}', '{0,0,5,6}', '{4,NULL}')::text, '(1,1,t,1,0,"{1,2}","{1,1}","{2,2}")', 'a capacity that suffices');
SELECT is(oms.solve_split('{1,1}', '{100,100}', '{0,0}', '{1,1,2}', '{1,2,1}', '{1,1,1}', '{0,1,0}', '{1,1}')::text, '(1,1,t,2,0,"{2,1}","{1,2}","{1,1}")', 'line 1 makes way for line 2, which has no other place');
-- 3 lines in a chain, each taking the place of the next
SELECT is(oms.solve_split('{1,1,1}', '{100,100,100}', '{0,0,0}', '{1,1,2,2,3}', '{1,2,2,3,1}', '{1,1,1,1,1}', '{0,1,0,1,0}', '{1,1,1}')::text, '(2,2,t,3,0,"{3,1,2}","{1,2,3}","{1,1,1}")', 'over two places');
SELECT is(oms.solve_split('{2,2}', '{10,20}', '{0}', '{1,2}', '{1,1}', '{2,2}', '{0,0}', '{3}')::text, '(10,10,t,1,1,"{1,2}","{1,1}","{1,2}")', 'what is left is what costs least');
SELECT is(oms.solve_split('{2,2}', '{10,20}', '{0}', '{1,2}', '{1,1}', '{2,2}', '{5,7}', '{0}')::text, '(60,60,t,0,4,{},{},{})', 'nothing can ship');
SELECT is(oms.solve_split('{5}', '{100}', '{1,1}', '{1,1}', '{1,2}', '{3,4}', '{1,2}', '{NULL,NULL}'), oms.solve_split('{5}', '{100}', '{1,1}', '{1,1}', '{1,2}', '{3,4}', '{1,2}'), 'capacities of NULL are none');
SELECT is(oms.solve_split('{5}', '{100}', '{1,1}', '{1,1}', '{1,2}', '{3,4}', '{1,2}', '{9223372036854775807,4}'), oms.solve_split('{5}', '{100}', '{1,1}', '{1,1}', '{1,2}', '{3,4}', '{1,2}'), 'nor are those that suffice');

-- ---- ties, and the same again

SELECT is(oms.solve_split('{1}', '{9}', '{1,1}', '{1,1}', '{2,1}', '{1,1}', '{1,1}')::text, '(2,2,t,1,0,{1},{1},{1})', 'of two that are the same, the first');
SELECT is(oms.solve_split('{1}', '{9}', '{1,1}', '{1,1}', '{2,1}', '{1,1}', '{1,1}', priority => '{2,1}')::text, '(2,2,t,1,0,{1},{2},{1})', 'or the one with the better priority');
SELECT is(oms.solve_split('{1}', '{9}', '{1,1}', '{1,1}', '{2,1}', '{1,1}', '{1,1}', priority => '{-5,2147483647}')::text, '(2,2,t,1,0,{1},{1},{1})', 'which may be any number');
SELECT is(oms.solve_split('{1}', '{9}', '{1,1}', '{1,1}', '{2,1}', '{1,1}', '{1,1}', priority => '{-2147483648,-2147483648}')::text, '(2,2,t,1,0,{1},{1},{1})', 'of equal priority, the first');
SELECT is(oms.solve_split('{1}', '{9}', '{1,1}', '{1,1}', '{2,1}', '{1,1}', '{1,0}', priority => '{1,2}')::text, '(1,1,t,1,0,{1},{1},{1})', 'what costs less goes before');

-- pseudo-random, and hard: 40 lines, of each of which 60 locations have about 1 in 12
CREATE FUNCTION pg_temp.cover(seed integer, node_limit integer, objective text DEFAULT 'shipments', turned boolean DEFAULT false) RETURNS oms.split_plan LANGUAGE sql AS $$
	SELECT oms.solve_split(array_fill(1::bigint, '{40}'), array_fill(1000::bigint, '{40}'), array_fill(100::bigint, '{60}'),
		array_agg(i ORDER BY k), array_agg(j ORDER BY k), array_agg(1::bigint ORDER BY k), array_agg((i * j % 7)::bigint ORDER BY k), objective => objective, node_limit => node_limit)
	FROM (SELECT i, j, CASE WHEN turned THEN -n ELSE n END AS k FROM (SELECT i, j, i * 60 + j AS n, ((i * 7919::bigint + j * 104729::bigint + seed) * 2654435761 % 4294967296) / 65536 % 12 AS luck FROM generate_series(1, 40) AS i, generate_series(1, 60) AS j) AS x WHERE luck = 0) AS pairs
$$;
SELECT is(pg_temp.cover(s, 20), pg_temp.cover(s, 20), 'the same again, seed ' || s) FROM generate_series(1, 3) AS s;
SELECT is(pg_temp.cover(s, 20, 'cost', true), pg_temp.cover(s, 20, 'cost'), 'pairs in another order, seed ' || s) FROM generate_series(1, 3) AS s;
SELECT ok((pg_temp.cover(s, 1)).bound <= b.bound AND b.bound <= b.shipments AND b.shipments <= (pg_temp.cover(s, 1)).shipments, 'more nodes bring bound and plan together, seed ' || s) FROM generate_series(1, 3) AS s, pg_temp.cover(s, 200) AS b;
SELECT ok(a.bound <= b.bound AND b.bound <= b.objective AND b.objective <= a.objective, 'of costs too, seed ' || s) FROM generate_series(1, 3) AS s, pg_temp.cover(s, 1, 'cost') AS a, pg_temp.cover(s, 200, 'cost') AS b;
SELECT is((pg_temp.cover(1, 1)).proven, false, 'one node proves nothing here');

-- a search that would go on for days, ended
CREATE TEMP TABLE hard AS SELECT array_fill(1::bigint, '{200}') AS quantity, array_fill(1000::bigint, '{200}') AS penalty, array_fill(100::bigint, '{1000}') AS fixed_cost,
	array_agg(i) AS arc_line, array_agg(j) AS arc_location, array_agg(1::bigint) AS available, array_agg(0::bigint) AS cost
FROM generate_series(1, 200) AS i, generate_series(1, 1000) AS j WHERE ((i * 7919::bigint + j * 104729::bigint) * 2654435761 % 4294967296) / 65536 % 12 = 0;
CREATE FUNCTION pg_temp.canceled(call text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE call;
	RETURN false;
EXCEPTION WHEN query_canceled THEN
	RETURN true;
END $$;
CREATE TEMP TABLE began AS SELECT clock_timestamp() AS at;
SET statement_timeout = '100ms';
SELECT ok(pg_temp.canceled($$ SELECT oms.solve_split(quantity, penalty, fixed_cost, arc_line, arc_location, available, cost, node_limit => NULL) FROM hard $$), 'is canceled');
SET statement_timeout = 0;
SELECT cmp_ok(clock_timestamp() - at, '<', interval '5 s', 'at once') FROM began;

-- ---- sizes

SELECT is(oms.solve_split('{1}', '{768000000000000000}', '{0}', '{1}', '{1}', '{1}', '{767999999999999999}')::text, '(767999999999999999,767999999999999999,t,1,0,{1},{1},{1})', 'costs near the limit are exact');
SELECT is((oms.solve_split(array_fill(1::bigint, '{10000}'), array_fill(9::bigint, '{10000}'), array_fill(1::bigint, '{1024}'), array_agg(i), array_agg(1 + i % 1024), array_agg(1::bigint), array_agg(1::bigint))).objective, 11024::bigint, '10,000 lines from 1,024 locations') FROM generate_series(1, 10000) AS i;
SELECT throws_ok($$ SELECT oms.solve_split(array_fill(1::bigint, '{10001}'), array_fill(9::bigint, '{10001}'), '{}', '{}', '{}', '{}', '{}') $$, '54000', 'there are 10001 lines, more than 10000', 'not one line more');
SELECT throws_ok($$ SELECT oms.solve_split('{1}', '{1}', array_fill(1::bigint, '{1025}'), '{}', '{}', '{}', '{}') $$, '54000', 'there are 1025 locations, more than 1024', 'nor location');
SELECT throws_ok($$ SELECT oms.solve_split('{1}', '{1}', '{1}', array_fill(1, '{1000001}'), array_fill(1, '{1000001}'), array_fill(1::bigint, '{1000001}'), array_fill(1::bigint, '{1000001}')) $$, '54000', 'there are 1000001 pairs, more than 1000000', 'nor pair');
SELECT is(oms.solve_split('[0:1]={1,1}', '[-5:-4]={100,100}', '[7:9]={5,5,5}', '[0:3]={1,2,1,2}', '[2:5]={1,2,3,3}', '[3:6]={1,1,1,1}', '[4:7]={0,0,3,3}')::text, '(10,10,t,2,0,"{1,2}","{1,2}","{1,1}")', 'elements count from 1, whatever their subscripts');

-- ---- what is refused: SQLSTATE, and which element

CREATE FUNCTION pg_temp.call(changed text, VARIADIC other text[] DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
	SELECT 'SELECT oms.solve_split(' || string_agg(name || ' => ' || coalesce((SELECT split_part(c, '=', 2) FROM unnest(ARRAY[changed] || other) AS c WHERE split_part(c, '=', 1) = name), given), ', ') || ')'
	FROM (VALUES ('quantity', '''{1,2}'''), ('penalty', '''{9,9}'''), ('fixed_cost', '''{1,1,1}'''), ('arc_line', '''{1,2}'''), ('arc_location', '''{1,3}'''), ('arc_available', '''{1,2}'''), ('arc_cost', '''{1,1}'''),
		('capacity', '''{5,NULL,5}'''), ('priority', '''{1,2,3}'''), ('objective', '''cost'''), ('max_shipments', '2'), ('node_limit', '9')) AS arguments (name, given)
$$;
SELECT lives_ok(pg_temp.call(''), 'as it stands it is solved');
SELECT throws_ok(pg_temp.call(changed), state, message, changed) FROM (VALUES
	('quantity=NULL', '22004', 'quantity must not be null'),
	('penalty=NULL', '22004', 'penalty must not be null'),
	('fixed_cost=NULL', '22004', 'fixed_cost must not be null'),
	('arc_line=NULL', '22004', 'arc_line must not be null'),
	('arc_location=NULL', '22004', 'arc_location must not be null'),
	('arc_available=NULL', '22004', 'arc_available must not be null'),
	('arc_cost=NULL', '22004', 'arc_cost must not be null'),
	('quantity=''{1,NULL}''', '22004', 'quantity[2] must not be null'),
	('penalty=''{NULL,1}''', '22004', 'penalty[1] must not be null'),
	('fixed_cost=''{1,1,NULL}''', '22004', 'fixed_cost[3] must not be null'),
	('arc_line=''{1,NULL}''', '22004', 'arc_line[2] must not be null'),
	('arc_location=''{1,NULL}''', '22004', 'arc_location[2] must not be null'),
	('arc_available=''{1,NULL}''', '22004', 'arc_available[2] must not be null'),
	('arc_cost=''{1,NULL}''', '22004', 'arc_cost[2] must not be null'),
	('priority=''{1,NULL,1}''', '22004', 'priority[2] must not be null'),
	('quantity=''{{1,2}}''', '2202E', 'quantity must have one dimension, not 2'),
	('capacity=''{{1,2,3}}''', '2202E', 'capacity must have one dimension, not 2'),
	('quantity=''{1}''', '2202E', 'penalty has 2 elements, but quantity has 1'),
	('penalty=''{1,2,3}''', '2202E', 'penalty has 3 elements, but quantity has 2'),
	('arc_line=''{1}''', '2202E', 'arc_location has 2 elements, but arc_line has 1'),
	('arc_location=''{}''', '2202E', 'arc_location has 0 elements, but arc_line has 2'),
	('arc_available=''{1}''', '2202E', 'arc_available has 1 elements, but arc_line has 2'),
	('arc_cost=''{1}''', '2202E', 'arc_cost has 1 elements, but arc_line has 2'),
	('capacity=''{1}''', '2202E', 'capacity has 1 elements, but fixed_cost has 3'),
	('priority=''{1}''', '2202E', 'priority has 1 elements, but fixed_cost has 3'),
	('quantity=''{1,-2}''', '22023', 'quantity[2] must not be negative: -2'),
	('penalty=''{-1,2}''', '22023', 'penalty[1] must not be negative: -1'),
	('fixed_cost=''{1,2,-9223372036854775808}''', '22023', 'fixed_cost[3] must not be negative: -9223372036854775808'),
	('capacity=''{1,2,-1}''', '22023', 'capacity[3] must not be negative'),
	('capacity=''{-2,2,1}''', '22023', 'capacity[1] must not be negative'),
	('arc_available=''{1,-2}''', '22023', 'arc_available[2] must not be negative: -2'),
	('arc_cost=''{-3,2}''', '22023', 'arc_cost[1] must not be negative: -3'),
	('arc_line=''{1,0}''', '22023', 'arc_line[2] is no line: 0'),
	('arc_line=''{3,1}''', '22023', 'arc_line[1] is no line: 3'),
	('arc_location=''{1,4}''', '22023', 'arc_location[2] is no location: 4'),
	('arc_location=''{-1,1}''', '22023', 'arc_location[1] is no location: -1'),
	('arc_location=''{2147483647,1}''', '22023', 'arc_location[1] is no location: 2147483647'),
	('objective=''speed''', '22023', 'objective must be ''cost'' or ''shipments'', not "speed"'),
	('objective=NULL', '22023', 'objective must be ''cost'' or ''shipments'', not ""'),
	('max_shipments=0', '22023', 'max_shipments must be 1 or more, not 0'),
	('max_shipments=-1', '22023', 'max_shipments must be 1 or more, not -1'),
	('node_limit=0', '22023', 'node_limit must be 1 or more, not 0'),
	('quantity=''{1,9223372036854775807}''', '22003', 'quantities and penalties up to element 2 add up to more than can be computed with'),
	('penalty=''{1,9223372036854775807}''', '22003', 'quantities and penalties up to element 2 add up to more than can be computed with'),
	('fixed_cost=''{1,9223372036854775807,1}''', '22003', 'costs up to fixed_cost[2] add up to more than can be computed with')) AS wrong (changed, state, message);
SELECT throws_ok(pg_temp.call('quantity=''{600000000000,600000000000}''', 'penalty=''{500000,500000}'''), '22003', 'quantities and penalties up to element 2 add up to more than can be computed with', 'two products that only fit one at a time');
SELECT throws_ok(pg_temp.call('arc_cost=''{1,9223372036854775807}''', 'objective=''shipments'''), '22003', 'costs of all units and locations add up to more than can be computed with', 'units that objective shipments would have to ship');
SELECT lives_ok(pg_temp.call('arc_cost=''{1,9223372036854775807}'''), 'but objective cost never would');
SELECT lives_ok(pg_temp.call('arc_cost=''{1,9223372036854775807}''', 'objective=''shipments''', 'arc_available=''{1,0}'''), 'nor are there any to ship if none are there');
SELECT throws_ok(pg_temp.call('arc_line=''{2,2}''', 'arc_location=''{3,3}'''), '22023', 'arc_location[2] stands twice for its line: 3', 'a pair twice');
SELECT throws_ok($$ SELECT oms.solve_split('{1,1}', '{9,9}', '{1,1}', '{1,2,1,2,1}', '{1,1,2,2,1}', '{1,1,1,1,1}', '{1,1,1,1,1}') $$, '22023', 'arc_location[5] stands twice for its line: 1', 'a pair twice, far apart');

SELECT * FROM finish();
ROLLBACK;
