-- A sales invoice becomes an order, by one call of oms.place_order.

SET search_path = retail_import;

-- The document.  The same invoice must give the same document on every machine
-- and in every time zone, or sending it again would be another order's.
CREATE OR REPLACE FUNCTION document(i invoices) RETURNS jsonb
LANGUAGE sql STABLE
SET search_path = retail_import, pg_temp
AS $$
	SELECT jsonb_strip_nulls(jsonb_build_object(
		'channel', i.channel,
		'external_ref', i.invoice,
		'ordered_at', to_char(i.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
		'currency', 'GBP',
		'customer', CASE WHEN i.customer IS NOT NULL THEN jsonb_build_object('code', i.customer) END,
		'ship_to', (SELECT jsonb_build_object('country', c.iso2) FROM countries c
			WHERE c.source_country = i.country AND c.iso2 IS NOT NULL),
		-- the file's number of a line is the order's; charges leave gaps
		'lines', coalesce(jsonb_agg(jsonb_build_object('line', l.line_no, 'sku', l.code, 'quantity', l.quantity,
			'unit_price', l.unit_price, 'description', l.description) ORDER BY l.line_no)
			FILTER (WHERE l.charge IS NULL), '[]'),
		-- what is less than nothing is a discount, whatever its code
		'charges', jsonb_agg(jsonb_build_object(
			'kind', CASE WHEN l.quantity * l.unit_price < 0 THEN 'discount' ELSE l.charge END,
			'label', concat_ws(' ', l.code, l.description, CASE WHEN l.quantity <> 1 THEN 'x ' || l.quantity END),
			'amount', abs(l.quantity * l.unit_price)) ORDER BY l.line_no)
			FILTER (WHERE l.charge IS NOT NULL),
		-- the store refuses the document where it reckons otherwise
		'total', sum(l.quantity * l.unit_price),
		'attributes', jsonb_build_object('country', i.country)))
	FROM lines l
	WHERE l.invoice = i.invoice
$$;

-- Returns what became of it.  An invoice that was placed is sent again and must
-- be recognized by the store itself.  A refused one stays refused: by now there
-- may be stock for it, which its customer was not promised.
CREATE OR REPLACE FUNCTION import_sale(i invoices) RETURNS text
LANGUAGE plpgsql
SET search_path = retail_import, pg_temp
AS $$
DECLARE
	placed record;
	result outcomes;
BEGIN
	IF EXISTS (SELECT FROM outcomes o WHERE o.invoice = i.invoice AND o.outcome <> 'placed') THEN
		RETURN 'left alone';
	END IF;
	result.invoice := i.invoice;
	result.kind := i.kind;
	BEGIN
		SELECT * INTO placed FROM oms.place_order('retail', document(i));
		IF placed.repeated THEN
			RETURN 'repeated';
		END IF;
		result.outcome := 'placed';
		result.order_id := placed.order_id;
	EXCEPTION
		WHEN SQLSTATE 'OM003' THEN	-- not enough stock
			result.outcome := 'refused';
			GET STACKED DIAGNOSTICS result.message = MESSAGE_TEXT, result.detail = PG_EXCEPTION_DETAIL;
		WHEN SQLSTATE 'OM012' THEN	-- not such as an order can be
			result.outcome := 'faulty';
			GET STACKED DIAGNOSTICS result.message = MESSAGE_TEXT, result.detail = PG_EXCEPTION_DETAIL;
	END;
	INSERT INTO outcomes VALUES (result.*);
	RETURN result.outcome;
END
$$;
