-- Reading the log to its end, each event once. follow.c.

CREATE FUNCTION oms.events_after(
	store text,
	"position" text DEFAULT NULL,
	max_rows integer DEFAULT 1000,
	OUT next_position text,
	OUT id bigint,
	OUT at timestamptz,
	OUT order_id uuid,
	OUT entity text,
	OUT entity_id uuid,
	OUT event text,
	OUT from_status text,
	OUT to_status text,
	OUT reason text,
	OUT actor text,
	OUT detail jsonb)
RETURNS SETOF record
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_events_after';
COMMENT ON FUNCTION oms.events_after(text, text, integer) IS 'The events of a store that come after a position, NULL being the beginning, at most max_rows of them (1 to 100000): each event once, in an order in which nothing comes in later before what was delivered, also where transactions commit late. next_position of the last row is the position to ask with next time. Reads as the caller, writes nothing. Errors: OM010 no such store; 22023 no position of this function''s, or max_rows; 55000 the events are being replicated from another server';
