-- What partners say of their stock. feed.c takes feeds in.

CREATE FUNCTION oms.layout_feeds() RETURNS void
LANGUAGE plpgsql
AS $layout$
BEGIN
	CREATE TABLE stock_feeds (
		id bigserial PRIMARY KEY,
		at timestamptz NOT NULL DEFAULT clock_timestamp(),
		location text COLLATE "C" NOT NULL REFERENCES locations,
		ref text COLLATE "C" NOT NULL CHECK (length(ref) BETWEEN 1 AND 190),
		as_of timestamptz NOT NULL,
		sequence bigint CHECK (sequence >= 0),
		basis text COLLATE "C" NOT NULL CHECK (basis IN ('on_hand', 'sellable')),
		is_full boolean NOT NULL,
		applied bigint NOT NULL,
		emptied bigint NOT NULL,
		unchanged bigint NOT NULL,
		ignored bigint NOT NULL,
		ignored_items jsonb NOT NULL,
		document_hash bytea NOT NULL,
		actor text NOT NULL,
		UNIQUE (location, ref)
	);
	CREATE INDEX ON stock_feeds (location, id);
	-- what a later feed must not be older than
	CREATE INDEX ON stock_feeds (location, as_of) WHERE is_full;
	CREATE INDEX ON stock_feeds (location, sequence) WHERE is_full;
	COMMENT ON TABLE stock_feeds IS 'The feeds that oms.set_stock has taken in, one row each, append-only: the engine writes them, integrators read here what became of a feed';
	COMMENT ON COLUMN stock_feeds.id IS 'Key, ascending; feeds of one location in the order in which they were taken in';
	COMMENT ON COLUMN stock_feeds.at IS 'When it was taken in, by the clock';
	COMMENT ON COLUMN stock_feeds.location IS 'Whose stock it tells of';
	COMMENT ON COLUMN stock_feeds.ref IS 'The sender''s reference: the same document again is a replay, another one with it OM007. Movements that it caused have external_ref feed: and the ref';
	COMMENT ON COLUMN stock_feeds.as_of IS 'The moment that it tells of; the clock when it came, where it gave a sequence alone';
	COMMENT ON COLUMN stock_feeds.sequence IS 'Its place among the sender''s feeds, which decides what is older between two that have one; NULL: as_of decides';
	COMMENT ON COLUMN stock_feeds.basis IS 'What its quantities count. on_hand: units that are there; sellable: units that the sender would still sell';
	COMMENT ON COLUMN stock_feeds.is_full IS 'Whether a SKU that it does not name has no units at the location';
	COMMENT ON COLUMN stock_feeds.applied IS 'SKUs it named whose units on hand it changed, by a movement of kind count each';
	COMMENT ON COLUMN stock_feeds.emptied IS 'SKUs that a full feed did not name and whose units on hand it changed, by a movement each';
	COMMENT ON COLUMN stock_feeds.unchanged IS 'SKUs it named whose units on hand were right';
	COMMENT ON COLUMN stock_feeds.ignored IS 'SKUs left as they were, a newer feed having told of them before';
	COMMENT ON COLUMN stock_feeds.ignored_items IS 'Those, a JSON array: [{sku, quantity, ref, as_of, sequence}], quantity as this feed said (absent where it named the SKU not), the others of the newer feed';
	COMMENT ON COLUMN stock_feeds.document_hash IS 'SHA-256 of the feed, to tell a replay from another one';
	COMMENT ON COLUMN stock_feeds.actor IS 'Who sent it: setting oms.actor, else the user';
	COMMENT ON SEQUENCE stock_feeds_id_seq IS 'Numbers the feeds';

	CREATE TABLE stock_feed_items (
		location text COLLATE "C" NOT NULL REFERENCES locations,
		sku text COLLATE "C" NOT NULL REFERENCES skus,
		as_of timestamptz NOT NULL,
		sequence bigint,
		ref text COLLATE "C" NOT NULL,
		PRIMARY KEY (location, sku)
	) WITH (fillfactor = 70);
	CREATE INDEX ON stock_feed_items (sku);
	COMMENT ON TABLE stock_feed_items IS 'The feed that last told of a SKU at a location, of feeds that were not full; a full one tells of all at once, see stock_feeds. Kept by the engine';
	COMMENT ON COLUMN stock_feed_items.location IS 'Where the SKU is';
	COMMENT ON COLUMN stock_feed_items.sku IS 'What the feed told of';
	COMMENT ON COLUMN stock_feed_items.as_of IS 'The moment that the feed told of; what is older is ignored';
	COMMENT ON COLUMN stock_feed_items.sequence IS 'The feed''s place among the sender''s; NULL: it gave none';
	COMMENT ON COLUMN stock_feed_items.ref IS 'Which feed of the location it was';
END
$layout$;
COMMENT ON FUNCTION oms.layout_feeds() IS 'Creates the tables of stock feeds in the first schema of search_path; called by oms.create_store';

CREATE FUNCTION oms.layout_feeds_triggers(OUT relation text, OUT name text, OUT fires text, OUT does text, OUT comment text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE
AS $layout$
VALUES
	('stock_feeds', 'oms_guard', 'BEFORE INSERT OR DELETE OR UPDATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.guard('kept', 'Call oms.set_stock instead')$$,
		'Refuses feeds by hand and changes of the log (OM005)'),
	('stock_feeds', 'oms_truncate', 'BEFORE TRUNCATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('log')$$,
		'Refuses TRUNCATE (OM005)'),
	('stock_feed_items', 'oms_guard', 'BEFORE INSERT OR DELETE OR UPDATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.guard('kept', 'Call oms.set_stock instead')$$,
		'Refuses to change by hand what the engine keeps (OM005)'),
	('stock_feed_items', 'oms_truncate', 'BEFORE TRUNCATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('engine', 'call oms.set_stock instead')$$,
		'Refuses TRUNCATE (OM005)')
$layout$;
COMMENT ON FUNCTION oms.layout_feeds_triggers() IS 'The triggers of the tables of stock feeds; see oms.layout_triggers';

CREATE FUNCTION oms.set_stock(
	store text,
	feed jsonb,
	OUT applied bigint,
	OUT emptied bigint,
	OUT unchanged bigint,
	OUT ignored bigint,
	OUT repeated boolean,
	OUT ignored_items jsonb)
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_set_stock';
COMMENT ON FUNCTION oms.set_stock(text, jsonb) IS 'Sets the stock of one location to what a feed says: a count by people, or a partner''s message. applied and emptied are SKUs whose units on hand changed, by a movement of kind count each; unchanged those that were right; ignored those of which a newer feed has told, with that feed in ignored_items; repeated whether the same feed had come before, and nothing was done. Needs INSERT on stock_movements. Errors: OM012 a fault in the feed, with its path; OM007 its ref used with another feed; OM003 units reserved that cannot give way; 40001 another session is changing what must give way; OM010 no such store';
