-- A "C" invoice cancels units that the same customer bought before, of the same
-- SKU, the most recent purchase first.  It names no original, so this is a rule,
-- and what it does not find is kept as such.

SET search_path = retail_import;

CREATE OR REPLACE FUNCTION match_cancellation(i invoices) RETURNS SETOF cancellations
LANGUAGE sql STABLE
SET search_path = retail_import, pg_temp
-- a plan made while the store was small would be kept
SET plan_cache_mode = force_custom_plan
AS $$
	-- Units asked for and units there are, each laid end to end within a SKU: where
	-- two stretches overlap, they match.
	WITH asked AS (
		SELECT l.*, -l.quantity AS units, sum(-l.quantity) OVER (PARTITION BY l.code ORDER BY l.line_no) AS upto
		FROM lines l
		WHERE l.invoice = i.invoice
	), there AS (
		SELECT ol.sku, ol.order_id, ol.line_no, ol.quantity - ol.canceled - ol.shipped AS units,
			sum(ol.quantity - ol.canceled - ol.shipped)
				OVER (PARTITION BY ol.sku ORDER BY o.ordered_at DESC, o.id DESC, ol.line_no) AS upto
		FROM retail.customers c JOIN retail.orders o ON o.customer_id = c.id JOIN retail.order_lines ol ON ol.order_id = o.id
		WHERE c.code = i.customer AND o.ordered_at <= i.at AND o.placed_at IS NOT NULL
			AND ol.quantity > ol.canceled + ol.shipped
			AND ol.sku IN (SELECT code FROM asked WHERE charge IS NULL)
	), matched AS (
		SELECT a.line_no, t.order_id, t.line_no AS order_line,
			(least(a.upto, t.upto) - greatest(a.upto - a.units, t.upto - t.units))::bigint AS units
		FROM asked a JOIN there t ON t.sku = a.code AND t.upto > a.upto - a.units AND a.upto > t.upto - t.units
	)
	SELECT a.invoice, a.line_no, a.code, m.units, a.unit_price, 'matched', m.order_id, m.order_line
	FROM asked a JOIN matched m USING (line_no)
	UNION ALL
	SELECT a.invoice, a.line_no, a.code, a.units - coalesce(m.units, 0), a.unit_price,
		CASE WHEN a.charge IS NOT NULL THEN 'no goods' WHEN i.customer IS NULL THEN 'no customer'
			ELSE 'no earlier purchase' END, NULL, NULL
	FROM asked a LEFT JOIN (SELECT line_no, sum(units)::bigint AS units FROM matched GROUP BY line_no) m USING (line_no)
	WHERE a.units > coalesce(m.units, 0)
$$;

-- Returns what became of it.  cancel_lines has no reference by which it would
-- know a repetition, so the import remembers, in the same transaction.
CREATE OR REPLACE FUNCTION import_cancellation(i invoices) RETURNS text
LANGUAGE plpgsql
SET search_path = retail_import, pg_temp
AS $$
DECLARE
	one record;
BEGIN
	INSERT INTO outcomes (invoice, kind, outcome) VALUES (i.invoice, i.kind, 'reported') ON CONFLICT DO NOTHING;
	IF NOT FOUND THEN
		RETURN 'left alone';
	END IF;
	INSERT INTO cancellations SELECT * FROM match_cancellation(i);
	FOR one IN
		SELECT l.order_id, sum(l.units)::bigint AS units,
			jsonb_agg(jsonb_build_object('line', l.order_line, 'quantity', l.units)) AS lines
		FROM (SELECT order_id, order_line, sum(quantity) AS units FROM cancellations
			WHERE invoice = i.invoice AND outcome = 'matched' GROUP BY order_id, order_line) l
		GROUP BY l.order_id
		ORDER BY l.order_id
	LOOP
		IF oms.cancel_lines('retail', one.order_id, one.lines, 'customer_request') <> one.units THEN
			RAISE EXCEPTION 'invoice %: the store canceled another number of units than asked', i.invoice;
		END IF;
		UPDATE outcomes SET outcome = 'canceled' WHERE invoice = i.invoice;
	END LOOP;
	RETURN (SELECT outcome FROM outcomes WHERE invoice = i.invoice);
END
$$;
