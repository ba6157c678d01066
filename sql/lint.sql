-- Proving that a workflow makes sense (src/workflow_lint.c), and replacing one
-- that rows follow (src/replace.c).

CREATE FUNCTION oms.lint(workflow oms.workflow, entity text DEFAULT NULL)
RETURNS TABLE (severity text, code text, subject text, message text)
LANGUAGE C IMMUTABLE PARALLEL SAFE ROWS 5
AS 'MODULE_PATHNAME', 'oms_lint';
COMMENT ON FUNCTION oms.lint(oms.workflow, text) IS
'What is wrong with a workflow, errors first: severity is error or warning, subject a state or a move, message says what, by which shortest way from the initial state (a -> b -> c), and what to change. entity is order or fulfillment, whose stock is then followed too; NULL for a table of your own. No rows: nothing is wrong. Another entity is an error (22023)';

CREATE FUNCTION oms.replace_workflow(store text, name text, definition text, map jsonb DEFAULT '{}')
RETURNS bigint
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_replace_workflow';
COMMENT ON FUNCTION oms.replace_workflow(text, text, text, jsonb) IS 'Saves another definition of a workflow and has its rows follow in the same transaction; returns how many have another status now. map is {"old state": "new state"}; states not in it stay. Rows change their status without guards and actions, each logged as moved with detail {"workflow": name}; closed_at follows. Needs UPDATE on workflows. Errors: OM004 an unsound definition, or rows in a state that is gone and not in map, with counts; 22023 a state in map that does not exist; 22P02 no workflow; 40001 rows that another session is changing';
