-- The kernel that splits orders (src/split.c), for SQL (src/solve_split.c).

CREATE TYPE oms.split_plan AS (
	objective bigint,
	bound bigint,
	proven boolean,
	shipments integer,
	unfilled bigint,
	line integer[],
	location integer[],
	quantity bigint[]
);
COMMENT ON TYPE oms.split_plan IS 'Which location ships what, as oms.solve_split found it';
COMMENT ON COLUMN oms.split_plan.objective IS 'What the plan costs: fixed costs of the locations that ship, costs of units, and, where objective is cost, penalties of units that nobody ships';
COMMENT ON COLUMN oms.split_plan.bound IS 'No plan is better than this: of objective cost a cost, of objective shipments a number of locations';
COMMENT ON COLUMN oms.split_plan.proven IS 'The plan is the best there is; false: the search ended at node_limit';
COMMENT ON COLUMN oms.split_plan.shipments IS 'Locations that ship';
COMMENT ON COLUMN oms.split_plan.unfilled IS 'Units that nobody ships';
COMMENT ON COLUMN oms.split_plan.line IS 'Of each pair of a line and a location that ships some of it, by location, then line: the line, from 1';
COMMENT ON COLUMN oms.split_plan.location IS 'Of each such pair: the location, from 1';
COMMENT ON COLUMN oms.split_plan.quantity IS 'Of each such pair: units';

CREATE FUNCTION oms.solve_split(
	quantity bigint[],
	penalty bigint[],
	fixed_cost bigint[],
	arc_line integer[],
	arc_location integer[],
	arc_available bigint[],
	arc_cost bigint[],
	capacity bigint[] DEFAULT NULL,
	priority integer[] DEFAULT NULL,
	objective text DEFAULT 'cost',
	max_shipments integer DEFAULT NULL,
	node_limit integer DEFAULT 5000)
RETURNS oms.split_plan
LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'oms_solve_split';
COMMENT ON FUNCTION oms.solve_split(bigint[], bigint[], bigint[], integer[], integer[], bigint[], bigint[], bigint[], integer[], text, integer, integer) IS
'The best way to ship lines from locations. quantity and penalty: of each line, units wanted and the cost of each unit left; fixed_cost, capacity, priority: of each location, its cost once it ships, the most units it ships (NULL: no limit) and its rank, 1 first (NULL: its position); arc_*: of each pair of a line and a location that has some of it, both counted from 1, units there and the cost of each. objective cost: least fixed costs, costs and penalties; shipments: fewest units left, then fewest locations, then least costs. max_shipments: locations that may ship; node_limit: nodes of the search before it gives up proving. All are integers in units of yours. Errors: 22023 a number that makes no sense, 2202E arrays that do not fit together, 22004 a NULL, 22003 sums beyond 64 bits, 54000 more than 10,000 lines, 1024 locations or 1,000,000 pairs';
