-- The engine's trigger functions. A store's triggers name their subject in the
-- argument; the store is the schema of the table that fired. lifecycle.c.

CREATE FUNCTION oms.actor() RETURNS text
LANGUAGE C STABLE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'oms_actor';
COMMENT ON FUNCTION oms.actor() IS 'Who acts, as events record it: setting oms.actor where it is set, else the current user';

CREATE FUNCTION oms.guard() RETURNS trigger
LANGUAGE C
AS 'MODULE_PATHNAME', 'oms_guard';
COMMENT ON FUNCTION oms.guard() IS 'BEFORE ROW trigger of a store''s tables: fills defaults and refuses what the subject named in its argument does not allow (OM001, OM004, OM005, OM006)';

CREATE FUNCTION oms.recheck() RETURNS trigger
LANGUAGE C
AS 'MODULE_PATHNAME', 'oms_recheck';
COMMENT ON FUNCTION oms.recheck() IS 'AFTER ROW trigger of a store''s tables: judges the row as it was written in the end, after every other BEFORE trigger (OM001, OM005, OM006)';

CREATE FUNCTION oms.act() RETURNS trigger
LANGUAGE C
AS 'MODULE_PATHNAME', 'oms_act';
COMMENT ON FUNCTION oms.act() IS 'AFTER STATEMENT trigger of a store''s tables: tests guards (OM002), runs actions, counts, logs events and makes automatic moves for all rows of the statement at once, as the store''s owner';

CREATE FUNCTION oms.refuse() RETURNS trigger
LANGUAGE C
AS 'MODULE_PATHNAME', 'oms_refuse';
COMMENT ON FUNCTION oms.refuse() IS 'Trigger that refuses a statement by hand on what the engine keeps (OM005), or the removal of what is kept for good (OM006); its argument says which';

CREATE FUNCTION oms.invalidate() RETURNS trigger
LANGUAGE C
AS 'MODULE_PATHNAME', 'oms_invalidate';
COMMENT ON FUNCTION oms.invalidate() IS 'AFTER ROW trigger, enabled always: makes every session read workflows and settings anew';

CREATE FUNCTION oms.enforce_workflow() RETURNS trigger
LANGUAGE C
AS 'MODULE_PATHNAME', 'oms_enforce_workflow';
COMMENT ON FUNCTION oms.enforce_workflow() IS 'Trigger for your own tables: arguments are the status column and a workflow definition. BEFORE INSERT OR UPDATE FOR EACH ROW refuses what is no move (OM001) or whose guard says no (OM002); AFTER ROW it checks again and runs the actions';
