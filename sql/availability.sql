-- What could be sold now, and from when on so much could be: availability.c.

CREATE FUNCTION oms.availability(store text, skus text[], channel text DEFAULT NULL, location text DEFAULT NULL,
	OUT sku text, OUT on_hand bigint, OUT reserved bigint, OUT held bigint, OUT safety_stock bigint, OUT available bigint,
	OUT backorderable bigint, OUT next_expected_at timestamptz)
RETURNS SETOF record
LANGUAGE C VOLATILE ROWS 10
AS 'MODULE_PATHNAME', 'oms_availability';
COMMENT ON FUNCTION oms.availability(text, text[], text, text) IS 'What there is of SKUs, a row each in their order: units on hand, reserved, held of those, safety stock, all in every location or the one given; available, which an order of the channel, by its rules, or of any could take now, NULL without limit; what could be sold beyond that for later, NULL without limit; when the next arrives. A bundle is what can be made of its components. Errors: 22023 an unknown sku, channel or location; OM010 no such store';

CREATE FUNCTION oms.available_to_promise(store text, sku text, quantity bigint, channel text DEFAULT NULL, location text DEFAULT NULL)
RETURNS timestamptz
LANGUAGE C VOLATILE
AS 'MODULE_PATHNAME', 'oms_available_to_promise';
COMMENT ON FUNCTION oms.available_to_promise(text, text, bigint, text, text) IS 'The earliest time at which so many units can be promised: now() where they are available, else the expected_at of the arrival with which there are enough besides those that orders wait for; NULL: never, by what is known. Errors: 22023 an unknown sku, channel or location, or a quantity that is none; OM010 no such store';

-- Like the views of process.sql, it calls a function of the extension. That
-- takes the store's name, which may change: it is looked up.
CREATE FUNCTION oms.layout_availability_views(store text, OUT name text, OUT statement text)
RETURNS SETOF record
LANGUAGE sql IMMUTABLE
AS $layout$
SELECT v.name, pg_catalog.format(v.statement, pg_catalog.quote_ident(store),
	pg_catalog.quote_literal(pg_catalog.format('%I.skus', store)))
FROM (VALUES
	('availability', $view$
	CREATE VIEW %1$s.availability WITH (security_invoker = true) AS
	SELECT k.code AS sku, a.on_hand, a.reserved, a.held, a.safety_stock, a.available, a.backorderable, a.next_expected_at
	FROM %1$s.skus k CROSS JOIN LATERAL oms.availability(
		(SELECT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = %2$s::regclass),
		ARRAY[k.code]) a;
	COMMENT ON VIEW %1$s.availability IS 'One row a SKU, as oms.availability says for no particular channel or location; basis: units, now';
	COMMENT ON COLUMN %1$s.availability.sku IS 'Code of what is sold';
	COMMENT ON COLUMN %1$s.availability.on_hand IS 'Units that are there, sold or not, in all locations';
	COMMENT ON COLUMN %1$s.availability.reserved IS 'Units of on_hand that are set aside for orders';
	COMMENT ON COLUMN %1$s.availability.held IS 'Units of reserved that stock holds keep whose time has not passed';
	COMMENT ON COLUMN %1$s.availability.safety_stock IS 'Units that orders must leave alone, in all locations';
	COMMENT ON COLUMN %1$s.availability.available IS 'Units that an order could take now: stock.available, with what holds keep whose time has passed, of active, counted locations where it is more than 0, of partners alone where the SKU''s method is theirs; of a bundle, how many can be made of its components; NULL: without limit, as it takes no stock or a partner keeps its own books; 0 where the SKU is not active';
	COMMENT ON COLUMN %1$s.availability.backorderable IS 'Units that could be sold beyond available, for later, by a policy in force; NULL: without limit';
	COMMENT ON COLUMN %1$s.availability.next_expected_at IS 'When the next of it arrives; NULL: nothing is on its way, or nobody knows when, or it is late';
	$view$)) AS v(name, statement)
$layout$;
COMMENT ON FUNCTION oms.layout_availability_views(text) IS 'The store''s view availability; see oms.layout_repairs';
