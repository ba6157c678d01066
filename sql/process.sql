-- What analysts read of how workflows are lived: from the log and the workflows
-- as they are now. These views call functions of the extension, so they can get
-- lost with it; oms.layout_repairs makes them again.

CREATE FUNCTION oms.layout_process_views(store text, OUT name text, OUT statement text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE
AS $layout$
SELECT v.name, pg_catalog.replace(pg_catalog.replace(v.statement, '@rows', $rows$(
		SELECT o.id, o.number, o.workflow, o.status FROM @.orders o
		UNION ALL SELECT f.id, f.number, f.workflow, f.status FROM @.fulfillments f)$rows$), '@', pg_catalog.quote_ident(store))
FROM (VALUES
	('workflow_paths', $view$
	CREATE VIEW @.workflow_paths WITH (security_invoker = true) AS
	WITH finals AS MATERIALIZED (
		SELECT w.name, s.state FROM @.workflows w CROSS JOIN LATERAL oms.states(w.definition::oms.workflow) s WHERE s.is_final
	), walk AS (
		SELECT e.entity, r.workflow, r.status, string_agg(e.to_status, ' -> ' ORDER BY e.id) AS path,
			CASE WHEN NOT bool_or(e.event = 'imported') THEN extract(epoch FROM max(e.at) - min(e.at))::double precision / 3600 END AS hours
		FROM @.order_events e JOIN @rows r ON r.id = e.entity_id
		WHERE e.event IN ('created', 'moved', 'imported')
		GROUP BY e.entity, e.entity_id, r.workflow, r.status
	)
	SELECT walk.entity, walk.workflow, walk.path, finals.state IS NOT NULL AS is_final, count(*) AS rows,
		round(percentile_cont(0.5) WITHIN GROUP (ORDER BY walk.hours)::numeric, 4) AS median_hours,
		round(percentile_cont(0.9) WITHIN GROUP (ORDER BY walk.hours)::numeric, 4) AS p90_hours
	FROM walk LEFT JOIN finals ON finals.name = walk.workflow AND finals.state = walk.status
	GROUP BY walk.entity, walk.workflow, walk.path, finals.state;
	COMMENT ON VIEW @.workflow_paths IS 'The paths that orders and fulfillments have taken through their workflow, one row a path; basis: the log, all of it';
	COMMENT ON COLUMN @.workflow_paths.entity IS 'What took it: order or fulfillment';
	COMMENT ON COLUMN @.workflow_paths.workflow IS 'Name of the workflow that they follow';
	COMMENT ON COLUMN @.workflow_paths.path IS 'The states in the order in which they were entered, repeated ones too, with -> between them';
	COMMENT ON COLUMN @.workflow_paths.is_final IS 'Whether it ends in a state that is final in the workflow as it is now; false: those who took it are on their way';
	COMMENT ON COLUMN @.workflow_paths.rows IS 'Orders or fulfillments that took exactly this path so far';
	COMMENT ON COLUMN @.workflow_paths.median_hours IS 'Hours from their beginning to the last state of the path: half of them took no longer; NULL: they were imported, so the log does not know';
	COMMENT ON COLUMN @.workflow_paths.p90_hours IS 'The same hours: nine in ten took no longer'
	$view$),
	('workflow_dwell', $view$
	CREATE VIEW @.workflow_dwell WITH (security_invoker = true) AS
	WITH stay AS (
		SELECT e.entity, r.workflow, e.to_status AS state, e.event, e.at, lead(e.at) OVER (PARTITION BY e.entity_id ORDER BY e.id) AS left_at
		FROM @.order_events e JOIN @rows r ON r.id = e.entity_id
		WHERE e.event IN ('created', 'moved', 'imported')
	), timed AS (
		SELECT stay.*, CASE WHEN event <> 'imported' THEN extract(epoch FROM left_at - at)::double precision / 3600 END AS hours FROM stay
	)
	SELECT entity, workflow, state, count(*) AS visits, count(*) FILTER (WHERE left_at IS NULL) AS rows_now,
		round(percentile_cont(0.5) WITHIN GROUP (ORDER BY hours)::numeric, 4) AS median_hours,
		round(percentile_cont(0.9) WITHIN GROUP (ORDER BY hours)::numeric, 4) AS p90_hours
	FROM timed GROUP BY entity, workflow, state;
	COMMENT ON VIEW @.workflow_dwell IS 'How long orders and fulfillments stay in each state, one row a state that any has been in; basis: the log, all of it';
	COMMENT ON COLUMN @.workflow_dwell.entity IS 'What stays: order or fulfillment';
	COMMENT ON COLUMN @.workflow_dwell.workflow IS 'Name of the workflow that they follow';
	COMMENT ON COLUMN @.workflow_dwell.state IS 'The state, also one that the workflow has no more';
	COMMENT ON COLUMN @.workflow_dwell.visits IS 'How often it was entered, by one row several times perhaps';
	COMMENT ON COLUMN @.workflow_dwell.rows_now IS 'Orders or fulfillments that are in it now';
	COMMENT ON COLUMN @.workflow_dwell.median_hours IS 'Hours from entering to leaving it, of stays that are over: half were no longer; NULL: none is over, or of imported rows only, whose beginning the log does not know';
	COMMENT ON COLUMN @.workflow_dwell.p90_hours IS 'The same hours: nine in ten were no longer'
	$view$),
	('workflow_conformance', $view$
	CREATE VIEW @.workflow_conformance WITH (security_invoker = true) AS
	WITH moves AS MATERIALIZED (
		SELECT DISTINCT w.name, m.from_state, m.to_state FROM @.workflows w CROSS JOIN LATERAL oms.moves(w.definition::oms.workflow) m
	), states AS MATERIALIZED (
		SELECT w.name, s.state, s.is_initial FROM @.workflows w CROSS JOIN LATERAL oms.states(w.definition::oms.workflow) s
	)
	SELECT e.id AS position, e.at, e.entity, r.number, r.workflow, e.event, e.from_status, e.to_status, e.actor,
		CASE WHEN s.state IS NULL THEN 'no such state' WHEN e.event = 'moved' THEN 'no such move' ELSE 'not the initial state' END AS problem
	FROM @.order_events e JOIN @rows r ON r.id = e.entity_id
		LEFT JOIN moves m ON m.name = r.workflow AND m.from_state = e.from_status AND m.to_state = e.to_status
		LEFT JOIN states s ON s.name = r.workflow AND s.state = e.to_status
	WHERE e.event IN ('created', 'moved', 'imported')
		AND CASE WHEN e.detail ? 'workflow' THEN s.state IS NULL	-- it followed oms.replace_workflow
			WHEN e.event = 'moved' THEN m.name IS NULL
			WHEN e.event = 'created' AND e.entity = 'order' THEN s.is_initial IS NOT TRUE
			ELSE s.state IS NULL END;
	COMMENT ON VIEW @.workflow_conformance IS 'What happened and could not happen by the workflow as it is now, guards aside, one row an event; none where it was never edited; basis: the event''s time';
	COMMENT ON COLUMN @.workflow_conformance.position IS 'order_events.id: sorts events of one order as they happened';
	COMMENT ON COLUMN @.workflow_conformance.at IS 'When it happened, by the clock';
	COMMENT ON COLUMN @.workflow_conformance.entity IS 'What it happened to: order or fulfillment';
	COMMENT ON COLUMN @.workflow_conformance.number IS 'What people call that';
	COMMENT ON COLUMN @.workflow_conformance.workflow IS 'Name of the workflow that it follows';
	COMMENT ON COLUMN @.workflow_conformance.event IS 'created, moved or imported';
	COMMENT ON COLUMN @.workflow_conformance.from_status IS 'What status was before, of moved';
	COMMENT ON COLUMN @.workflow_conformance.to_status IS 'What status was after';
	COMMENT ON COLUMN @.workflow_conformance.actor IS 'Who did it';
	COMMENT ON COLUMN @.workflow_conformance.problem IS 'no such state: the workflow lacks to_status; no such move: it has no move between the two, manual or automatic; not the initial state: orders begin in another one now'
	$view$)) AS v(name, statement)
$layout$;
COMMENT ON FUNCTION oms.layout_process_views(text) IS 'The store''s views of how workflows are lived; see oms.layout_repairs';
