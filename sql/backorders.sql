-- What may be sold without stock, and who waits for it. backorder.c counts,
-- fill.c serves those who wait.

CREATE FUNCTION oms.layout_backorders() RETURNS void
LANGUAGE plpgsql
AS $layout$
BEGIN
	CREATE TABLE backorder_policies (
		id uuid PRIMARY KEY,
		sku text COLLATE "C" NOT NULL REFERENCES skus,
		policy text COLLATE "C" NOT NULL CHECK (policy IN ('backorder', 'preorder')),
		limit_units bigint CHECK (limit_units BETWEEN 0 AND 1000000000000),
		valid_from timestamptz NOT NULL DEFAULT now() CHECK (isfinite(valid_from)),
		valid_until timestamptz CHECK (isfinite(valid_until)),
		expected_at timestamptz CHECK (isfinite(expected_at)),
		backordered bigint NOT NULL DEFAULT 0 CHECK (backordered >= 0),
		revision bigint NOT NULL DEFAULT 0,
		-- of several that are valid the one that began last counts: never two
		UNIQUE (sku, valid_from),
		CONSTRAINT backorder_policies_valid_until_is_after_valid_from CHECK (valid_until > valid_from),
		CONSTRAINT backorder_policies_limit_units_is_at_least_backordered CHECK (backordered <= limit_units)
	) WITH (fillfactor = 80);
	COMMENT ON TABLE backorder_policies IS 'Which SKUs may be sold without stock, how many units and when; a SKU without a valid row may not. Of several valid ones that which began last counts. A policy that was used is ended by valid_until, not deleted (23503)';
	COMMENT ON COLUMN backorder_policies.id IS 'Key, oms.uuid7() unless the INSERT gives one; never changes (OM006)';
	COMMENT ON COLUMN backorder_policies.sku IS 'What may be sold; never changes (OM006). Of SKUs that are not tracked no policy is asked';
	COMMENT ON COLUMN backorder_policies.policy IS 'What customers are told: backorder (sold out, more is on its way) or preorder (not released yet). Both take units that are there first';
	COMMENT ON COLUMN backorder_policies.limit_units IS 'How many units may wait under it at a time; NULL: any number; not less than backordered (23514)';
	COMMENT ON COLUMN backorder_policies.valid_from IS 'Orders placed from then on may use it: the time of the INSERT unless given';
	COMMENT ON COLUMN backorder_policies.valid_until IS 'Orders placed from then on may not; NULL: no end. Units sold by then keep waiting';
	COMMENT ON COLUMN backorder_policies.expected_at IS 'When customers are told that the units come; NULL: nobody knows; people write it';
	COMMENT ON COLUMN backorder_policies.backordered IS 'Units that wait under it now, the sum of order_lines.backordered; kept by the engine';
	COMMENT ON COLUMN backorder_policies.revision IS 'How often the engine has written the row; a change by hand must leave it as it is (OM005)';
END
$layout$;
COMMENT ON FUNCTION oms.layout_backorders() IS 'Creates backorder policies in the first schema of search_path; called by oms.create_store';

CREATE FUNCTION oms.layout_backorders_triggers(OUT relation text, OUT name text, OUT fires text, OUT does text, OUT comment text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE
AS $layout$
VALUES
	('backorder_policies', 'oms_insert', 'BEFORE INSERT', $$FOR EACH ROW WHEN (NEW.backordered <> 0 OR NEW.revision <> 0)
			EXECUTE FUNCTION oms.refuse('engine', 'insert the policy without backordered and revision')$$,
		'Refuses a policy that begins with units (OM005)'),
	('backorder_policies', 'oms_engine', 'AFTER UPDATE', $$FOR EACH ROW WHEN (NEW.revision <> OLD.revision + 1
			AND (OLD.backordered IS DISTINCT FROM NEW.backordered OR OLD.revision IS DISTINCT FROM NEW.revision))
			EXECUTE FUNCTION oms.refuse('engine', 'place or cancel orders, or insert rows into stock_movements, instead')$$,
		'Refuses to change by hand what the engine keeps (OM005)'),
	('backorder_policies', 'oms_fixed', 'AFTER UPDATE', $$FOR EACH ROW WHEN (OLD.id <> NEW.id OR OLD.sku <> NEW.sku)
			EXECUTE FUNCTION oms.refuse('key', 'id and sku')$$,
		'Refuses another id or sku (OM006)'),
	('backorder_policies', 'oms_keep', 'BEFORE DELETE', $$FOR EACH ROW WHEN (OLD.backordered <> 0)
			EXECUTE FUNCTION oms.refuse('engine', 'set valid_until: units wait under this policy')$$,
		'Refuses to remove a policy that units wait under (OM005)'),
	('backorder_policies', 'oms_truncate', 'BEFORE TRUNCATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('engine', 'set valid_until, or delete those that were not used')$$,
		'Refuses TRUNCATE (OM005)')
$layout$;
COMMENT ON FUNCTION oms.layout_backorders_triggers() IS 'The triggers of backorder policies; see oms.layout_triggers';

CREATE FUNCTION oms.layout_backorders_views() RETURNS void
LANGUAGE plpgsql
AS $layout$
BEGIN
	CREATE VIEW backorders WITH (security_invoker = true) AS
	SELECT o.id::text AS order_id, o.number AS order_number, o.channel, l.line_no::bigint AS line_no, l.id::text AS order_line_id,
		l.sku, s.name AS sku_name, l.backordered AS quantity, p.policy, o.priority::bigint AS priority, o.ship_complete,
		o.placed_at AS since, p.expected_at
	FROM order_lines l JOIN orders o ON o.id = l.order_id JOIN skus s ON s.code = l.sku
		LEFT JOIN backorder_policies p ON p.id = l.backorder_policy_id
	WHERE l.backordered + l.short > 0 AND l.backordered > 0;
	COMMENT ON VIEW backorders IS 'One row an order line that units are backordered of; basis: units, now. They are served by priority, then since';
	COMMENT ON COLUMN backorders.order_id IS 'orders.id';
	COMMENT ON COLUMN backorders.order_number IS 'What people call the order';
	COMMENT ON COLUMN backorders.channel IS 'Code of the channel that the order comes from';
	COMMENT ON COLUMN backorders.line_no IS 'The line''s number in its order';
	COMMENT ON COLUMN backorders.order_line_id IS 'order_lines.id';
	COMMENT ON COLUMN backorders.sku IS 'Code of what is waited for';
	COMMENT ON COLUMN backorders.sku_name IS 'Its name as it is now';
	COMMENT ON COLUMN backorders.quantity IS 'Units of the line that wait';
	COMMENT ON COLUMN backorders.policy IS 'backorder or preorder, as the policy says now that they were sold under; NULL: a warranty, which waits for its goods';
	COMMENT ON COLUMN backorders.priority IS 'The order''s: the lowest number is served first';
	COMMENT ON COLUMN backorders.ship_complete IS 'true: the order is served once all that it waits for is there';
	COMMENT ON COLUMN backorders.since IS 'When the order was placed';
	COMMENT ON COLUMN backorders.expected_at IS 'When the policy says now that units come; NULL: nobody knows';
END
$layout$;
COMMENT ON FUNCTION oms.layout_backorders_views() IS 'Creates the view of who waits in the first schema of search_path; called by oms.create_store';
