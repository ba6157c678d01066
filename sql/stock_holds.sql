-- Units set aside before there is an order, for so long. stock_hold.c makes and
-- ends holds, reclaim.c takes back what nobody has a right to any more.

CREATE FUNCTION oms.layout_stock_holds() RETURNS void
LANGUAGE plpgsql
AS $layout$
BEGIN
	CREATE TABLE stock_holds (
		id uuid PRIMARY KEY,
		ref text COLLATE "C" NOT NULL CHECK (length(ref) BETWEEN 1 AND 200),
		sku text COLLATE "C" NOT NULL REFERENCES skus,
		location text COLLATE "C" NOT NULL REFERENCES locations,
		quantity bigint NOT NULL CHECK (quantity > 0),
		expires_at timestamptz NOT NULL CHECK (isfinite(expires_at)),
		items_hash bytea NOT NULL,
		UNIQUE (ref, sku, location)
	);
	-- of a stock row, those that expire first or last
	CREATE INDEX ON stock_holds (sku, location, expires_at);
	CREATE INDEX ON stock_holds (expires_at);
	CREATE INDEX ON stock_holds (location);
	COMMENT ON TABLE stock_holds IS 'Units set aside for a while before there is an order, such as for a cart; made by oms.hold_stock, written by the engine alone. They are part of stock.reserved, expired or not, until oms.release_hold, an order, oms.tick or whoever needs an expired one''s units removes the row';
	COMMENT ON COLUMN stock_holds.id IS 'Key, oms.uuid7()';
	COMMENT ON COLUMN stock_holds.ref IS 'What the caller calls the hold, such as a cart''s id; its rows are one hold';
	COMMENT ON COLUMN stock_holds.sku IS 'What is set aside';
	COMMENT ON COLUMN stock_holds.location IS 'Where it is';
	COMMENT ON COLUMN stock_holds.quantity IS 'Units set aside there, counted in stock.reserved; fewer than were asked where a movement left too little';
	COMMENT ON COLUMN stock_holds.expires_at IS 'From when on anybody who needs the units may have them';
	COMMENT ON COLUMN stock_holds.items_hash IS 'SHA-256 of the items that the hold was asked for, by which a repeated call is told from another one';
END
$layout$;
COMMENT ON FUNCTION oms.layout_stock_holds() IS 'Creates the table of stock holds in the first schema of search_path; called by oms.create_store';

CREATE FUNCTION oms.layout_stock_holds_triggers(OUT relation text, OUT name text, OUT fires text, OUT does text, OUT comment text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE
AS $layout$
VALUES
	('stock_holds', 'oms_guard', 'BEFORE INSERT OR DELETE OR UPDATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.guard('kept', 'Call oms.hold_stock, oms.extend_hold or oms.release_hold instead')$$,
		'Has the engine alone write the table (OM005)'),
	('stock_holds', 'oms_truncate', 'BEFORE TRUNCATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('engine', 'call oms.release_hold instead')$$,
		'Refuses TRUNCATE (OM005)')
$layout$;
COMMENT ON FUNCTION oms.layout_stock_holds_triggers() IS 'The triggers of stock holds; see oms.layout_triggers';

CREATE FUNCTION oms.hold_stock(
	store text,
	ref text,
	items jsonb,
	ttl interval DEFAULT '15 minutes',
	channel text DEFAULT NULL,
	OUT expires_at timestamptz,
	OUT units bigint,
	OUT repeated boolean)
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_hold_stock';
COMMENT ON FUNCTION oms.hold_stock(text, text, jsonb, interval, text) IS 'Sets units aside for ttl, all of them or none, where an order of the channel would take them from. items is an array of {"sku": code, "quantity": units, "location": code, optional}; a bundle is held as its components; what is not counted in stock needs no hold and is passed over. The same ref with the same items again extends the hold and makes whole what is lacking of it. Returns until when it lasts, its units, and whether it was there already. Needs UPDATE of status on orders. Errors: OM003 not enough stock, OM007 ref in use with other items, OM012 a fault in the arguments, 22023 ttl not above 0 or above 366 days, OM010 no such store';

CREATE FUNCTION oms.extend_hold(store text, ref text, ttl interval DEFAULT '15 minutes', OUT expires_at timestamptz, OUT units bigint)
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_extend_hold';
COMMENT ON FUNCTION oms.extend_hold(text, text, interval) IS 'Has a stock hold last for ttl from now on, unless it lasts longer anyway, and returns until when and how many units it has. Of one that expired what is still there is revived; NULL and 0 where nothing is. Needs UPDATE of status on orders. Errors: 22023 ttl not above 0 or above 366 days, OM010 no such store';

CREATE FUNCTION oms.release_hold(store text, ref text)
RETURNS bigint
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_release_hold';
COMMENT ON FUNCTION oms.release_hold(text, text) IS 'Ends a stock hold and returns how many units that freed, 0 where there is none of this ref. Needs UPDATE of status on orders. Errors: OM010 no such store';
