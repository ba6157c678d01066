-- Recounting everything. verify.c has the rules.

CREATE FUNCTION oms.workflow_is_readable(definition text) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'oms_workflow_is_readable';
COMMENT ON FUNCTION oms.workflow_is_readable(text) IS 'Whether a text can be cast to oms.workflow';

CREATE FUNCTION oms.verify_store(store text, OUT rule text, OUT violations bigint, OUT query text)
RETURNS SETOF record
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_verify_store';
COMMENT ON FUNCTION oms.verify_store(text) IS 'Recounts a store from its sources: one row a rule, kept or not, with the number of violations and the query that shows them. Reads as the caller; a store that is kept right has 0 everywhere. Error: OM010 no such store';
