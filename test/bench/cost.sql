-- CPU, time and WAL of an order: medians over all orders of all rounds
\pset footer off
WITH per AS (
	SELECT plans, what, count(*) AS orders, percentile_cont(0.5) WITHIN GROUP (ORDER BY cpu) AS cpu,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY elapsed) AS elapsed, percentile_cont(0.5) WITHIN GROUP (ORDER BY wal) AS wal
	FROM bench.costs GROUP BY plans, what
), net AS (
	-- less what it takes to ask
	SELECT p.plans, p.what, p.orders, p.cpu - e.cpu AS cpu, p.elapsed - e.elapsed AS elapsed, p.wal - e.wal AS wal
	FROM per p JOIN per e ON e.plans = p.plans AND e.what = 'nothing' WHERE p.what <> 'nothing'
)
SELECT n.plans, n.what, n.orders, round(n.cpu::numeric / 1000) AS "CPU us", round(n.elapsed::numeric) AS "elapsed us", n.wal AS "WAL bytes",
	round((n.cpu / p.cpu)::numeric, 2) AS "CPU / ours", round((n.elapsed / p.elapsed)::numeric, 2) AS "elapsed / ours",
	round((n.wal / p.wal)::numeric, 2) AS "WAL / ours"
FROM net n JOIN net p ON p.plans = n.plans AND p.what = 'place'
ORDER BY n.plans, array_position('{place,watched,plpgsql,floor,socket}', n.what);
