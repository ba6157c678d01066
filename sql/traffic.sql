-- A store's workflow with what has become of its rows. traffic.c.

CREATE FUNCTION oms.to_mermaid(store text, name text) RETURNS text
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_to_mermaid_of_store';
COMMENT ON FUNCTION oms.to_mermaid(text, text) IS 'A Mermaid state diagram of a store''s workflow that also says how many rows are in each state now, in parentheses, and how often each move was made, as 12x, by the log. Reads all rows and events, as the caller. A manual and an automatic move between the same two states both show what they have together; rows that were imported began nowhere. Errors: OM010 no such store; 22023 no such workflow';
