-- Bundles: SKUs that are sold as one and sent as several. bundle.c keeps what
-- they come to, expand.c makes lines of it when an order is placed.

CREATE FUNCTION oms.layout_bundles() RETURNS void
LANGUAGE plpgsql
AS $layout$
BEGIN
	CREATE TABLE bundle_items (
		bundle text COLLATE "C" NOT NULL REFERENCES skus,
		sku text COLLATE "C" NOT NULL REFERENCES skus,
		quantity bigint NOT NULL DEFAULT 1 CHECK (quantity BETWEEN 1 AND 1000000000),
		price_share numeric(19,6) CHECK (price_share >= 0 AND price_share <> 'NaN'),
		PRIMARY KEY (bundle, sku)
	);
	CREATE INDEX ON bundle_items (sku);
	COMMENT ON TABLE bundle_items IS 'What bundles are made of, a row an item, which may be a bundle itself, 8 levels deep; what is changed holds for orders that are placed from then on';
	COMMENT ON COLUMN bundle_items.bundle IS 'The SKU that is sold, of kind bundle (23514)';
	COMMENT ON COLUMN bundle_items.sku IS 'What one of the bundle holds; no bundle that holds this one, and none without items (23514)';
	COMMENT ON COLUMN bundle_items.quantity IS 'Units of sku in one of the bundle';
	COMMENT ON COLUMN bundle_items.price_share IS 'How much of the bundle''s price all units of the item carry, in proportion to the bundle''s other items: 2 carries twice as much as 1, whatever the sum; NULL: as its quantity; if all items of a bundle have 0, all go by quantity';

	-- the keys exist by the foreign keys of bundle_items, which this follows from
	CREATE TABLE bundle_components (
		bundle text COLLATE "C" NOT NULL,
		sku text COLLATE "C" NOT NULL,
		quantity bigint NOT NULL,
		share numeric NOT NULL,
		PRIMARY KEY (bundle, sku)
	);
	CREATE INDEX ON bundle_components (sku);
	COMMENT ON TABLE bundle_components IS 'What bundles come to in the end, through all levels, a row a SKU that is no bundle; follows from bundle_items; kept by the engine';
	COMMENT ON COLUMN bundle_components.bundle IS 'The SKU that is sold';
	COMMENT ON COLUMN bundle_components.sku IS 'What is sent, no bundle';
	COMMENT ON COLUMN bundle_components.quantity IS 'Units of sku in one of the bundle, over all ways in which it is contained; kept by the engine';
	COMMENT ON COLUMN bundle_components.share IS 'Part of the bundle''s price that these units carry, from 0 to 1; kept by the engine';

	CREATE VIEW bundle_lines WITH (security_invoker = true) AS
	SELECT l.id::text AS order_line_id, o.number AS order_number, o.channel, (o.ordered_at AT TIME ZONE 'UTC')::date AS order_date,
		l.line_no::bigint AS line_no, l.sku, l.quantity, c.canceled, c.ready - c.shipped AS allocated, c.shipped, c.delivered,
		l.unit_price, l.quantity * l.unit_price - l.discount - CASE WHEN o.tax_included THEN l.tax ELSE 0 END AS net_amount,
		l.tax, o.currency::text AS currency
	FROM order_lines l JOIN orders o ON o.id = l.order_id
		CROSS JOIN LATERAL (SELECT min(p.canceled / p.per_kit) AS canceled, min((p.allocated + p.shipped) / p.per_kit) AS ready,
			min(p.shipped / p.per_kit) AS shipped, min(p.delivered / p.per_kit) AS delivered
			FROM order_lines p WHERE p.parent_line_id = l.id AND p.per_kit IS NOT NULL) c
	WHERE l.expanded;
	COMMENT ON VIEW bundle_lines IS 'How far the kits have come that customers ordered, one row a line of a bundle in a placed order; basis: the order date. The money is in order_line_facts too, with the components: do not add the two';
	COMMENT ON COLUMN bundle_lines.order_line_id IS 'order_lines.id';
	COMMENT ON COLUMN bundle_lines.order_number IS 'What people call the order';
	COMMENT ON COLUMN bundle_lines.channel IS 'Code of the channel that the order comes from';
	COMMENT ON COLUMN bundle_lines.order_date IS 'Day of orders.ordered_at in UTC';
	COMMENT ON COLUMN bundle_lines.line_no IS 'The line''s number in its order, as oms.cancel_lines calls it';
	COMMENT ON COLUMN bundle_lines.sku IS 'Code of the bundle';
	COMMENT ON COLUMN bundle_lines.quantity IS 'Kits ordered, canceled ones included';
	COMMENT ON COLUMN bundle_lines.canceled IS 'Kits of which every component is canceled';
	COMMENT ON COLUMN bundle_lines.allocated IS 'Kits that have stock in full and have not left in full';
	COMMENT ON COLUMN bundle_lines.shipped IS 'Kits that have left in full, returned ones included';
	COMMENT ON COLUMN bundle_lines.delivered IS 'Kits of shipped that the customer has in full';
	COMMENT ON COLUMN bundle_lines.unit_price IS 'Money for one kit, before discount; with tax where the order''s prices include it';
	COMMENT ON COLUMN bundle_lines.net_amount IS 'Money for quantity, canceled kits included: quantity x unit_price - discount, without tax';
	COMMENT ON COLUMN bundle_lines.tax IS 'Money, the tax on net_amount';
	COMMENT ON COLUMN bundle_lines.currency IS 'ISO 4217 code of unit_price, net_amount and tax';
END
$layout$;
COMMENT ON FUNCTION oms.layout_bundles() IS 'Creates bundles in the first schema of search_path; called by oms.create_store';

CREATE FUNCTION oms.layout_bundles_triggers(OUT relation text, OUT name text, OUT fires text, OUT does text, OUT comment text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE
AS $layout$
VALUES
	('bundle_items', 'oms_queue', 'BEFORE INSERT OR DELETE OR UPDATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.guard('bundle_item')$$,
		'Has statements that edit bundles wait for each other'),
	('bundle_items', 'oms_act_insert', 'AFTER INSERT', $$REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION oms.act('bundle_item')$$,
		'Refuses bundles that hold themselves, are too deep or are none (23514, 54000), makes out their components'),
	('bundle_items', 'oms_act_update', 'AFTER UPDATE', $$REFERENCING OLD TABLE AS o NEW TABLE AS n
			FOR EACH STATEMENT EXECUTE FUNCTION oms.act('bundle_item')$$,
		'Refuses bundles that hold themselves, are too deep or are none (23514, 54000), makes out their components'),
	('bundle_items', 'oms_act_delete', 'AFTER DELETE', $$REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION oms.act('bundle_item')$$,
		'Makes out the bundles'' components anew'),
	('bundle_items', 'oms_truncate', 'BEFORE TRUNCATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('engine', 'delete rows instead, from which bundle_components follows')$$,
		'Refuses TRUNCATE (OM005)'),
	('bundle_components', 'oms_guard', 'BEFORE INSERT OR DELETE OR UPDATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.guard('kept', 'Change bundle_items, from which they follow')$$,
		'Refuses changes by hand (OM005)'),
	('bundle_components', 'oms_truncate', 'BEFORE TRUNCATE', $$FOR EACH STATEMENT EXECUTE FUNCTION oms.refuse('engine', 'change bundle_items instead')$$,
		'Refuses TRUNCATE (OM005)')
$layout$;
COMMENT ON FUNCTION oms.layout_bundles_triggers() IS 'The triggers of bundles; see oms.layout_triggers';
