-- The table of ratios: each is at least 1 where oms is at least as good
\pset footer off
\pset null ''
CREATE TEMP VIEW pairs AS
SELECT o.what AS ours, t.what AS theirs, o.plans, o.fsync, o.clients, o.round,
	o.tps / t.tps AS rate, t.p50 / o.p50 AS p50, t.p99 / o.p99 AS p99
FROM bench.results o JOIN bench.results t USING (plans, fsync, clients, round)
WHERE (o.what, t.what) IN (('place', 'plpgsql'), ('place', 'floor'), ('place', 'socket'), ('hot', 'update'));
CREATE TEMP VIEW used AS
WITH per AS (
	SELECT plans, what, max(round) AS rounds, percentile_cont(0.5) WITHIN GROUP (ORDER BY cpu) AS cpu,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY wal) AS wal
	FROM bench.costs GROUP BY plans, what
)
SELECT p.plans, p.what, p.rounds, p.cpu - e.cpu AS cpu, p.wal - e.wal AS wal
FROM per p JOIN per e ON e.plans = p.plans AND e.what = 'nothing' WHERE p.what <> 'nothing';

WITH measured AS (
	SELECT ours, theirs, plans, fsync, clients, count(*) AS rounds,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY rate) AS rate, min(rate) AS lowest, max(rate) AS highest,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY p50) AS p50,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY p99) AS p99, NULL::float8 AS cpu, NULL::float8 AS wal
	FROM pairs GROUP BY ours, theirs, plans, fsync, clients
	UNION ALL
	SELECT o.what, t.what, o.plans, 'off', 1, o.rounds, NULL, NULL, NULL, NULL, NULL, t.cpu / o.cpu, t.wal / o.wal
	FROM used o JOIN used t USING (plans)
	WHERE (o.what, t.what) IN (('place', 'plpgsql'), ('place', 'floor'), ('place', 'socket'))
)
SELECT CASE ours WHEN 'hot' THEN 'hot SKU' ELSE '5 lines' END AS "place_order",
	CASE theirs WHEN 'plpgsql' THEN 'PL/pgSQL' WHEN 'floor' THEN 'one statement' WHEN 'socket' THEN '18 statements'
		ELSE 'one UPDATE' END AS "against",
	CASE plans WHEN 'auto' THEN plans ELSE 'generic' END AS plans, fsync, clients, max(rounds) AS rounds,
	round(max(rate)::numeric, 2) AS "orders/s",
	round(min(lowest), 2) || ' - ' || round(max(highest), 2) AS "from - to",
	round(max(p50)::numeric, 2) AS p50, round(max(p99)::numeric, 2) AS p99,
	round(max(cpu)::numeric, 2) AS "CPU", round(max(wal)::numeric, 2) AS "WAL"
FROM measured
GROUP BY ours, theirs, plans, fsync, clients
ORDER BY ours DESC, array_position('{plpgsql,floor,socket,update}', theirs), plans, fsync, clients;
