-- (b): the fastest function we could write that leaves the same rows
--
-- It knows the shop: no workflow to interpret, one method, one parcel, no
-- addresses, customers, charges, holds or payments, no division of an order
-- among locations, no faults told by their path.  So the order, its lines and
-- its parcel are written once, in their last state.  One statement reads the
-- document into arrays, one chooses the location, one writes everything:
-- arrays, because the rows of unnest are estimated so low that its plans look
-- rows up by index; one statement, because each costs its start and end.  LIMIT
-- p_lines limits nothing: it makes the plan for any document look cheaper than
-- one for this document, or PostgreSQL would plan anew in every call.

CREATE FUNCTION plain.place(document jsonb, OUT order_id uuid, OUT number text, OUT status text, OUT total numeric,
	OUT short bigint, OUT backordered bigint, OUT repeated boolean)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
	p_channel text := document ->> 'channel';
	p_ref text := document ->> 'external_ref';
	p_hash bytea := sha256(convert_to(document::text, 'UTF8'));
	p_order uuid := oms.uuid7();
	p_parcel uuid := oms.uuid7();
	p_total numeric(19,4);
	p_units bigint;
	p_lines integer;
	p_known integer;
	p_skus text[];
	p_quantities bigint[];
	p_prices numeric[];
	p_ids uuid[];
	p_location text;
	p_taken bigint;
	c record;
BEGIN
	SELECT array_agg(l.sku), array_agg(l.quantity), array_agg(l.unit_price), array_agg(oms.uuid7()),
		sum(l.quantity), sum(l.quantity * l.unit_price), count(*)
	INTO p_skus, p_quantities, p_prices, p_ids, p_units, p_total, p_lines
	FROM jsonb_to_recordset(document -> 'lines') AS l(sku text, quantity bigint, unit_price numeric);

	SELECT n.order_workflow, n.default_method, n.if_short, n.priority, n.payment_required, n.active, m.workflow,
		s.number_prefix || nextval('plain.order_number') AS number,
		(SELECT count(*) FROM (SELECT * FROM unnest(p_skus) LIMIT p_lines) AS u(sku)
		 WHERE (SELECT k.active AND k.tracked FROM plain.skus k WHERE k.code = u.sku)) AS known,
		(SELECT l.code
		 FROM (SELECT code FROM plain.locations WHERE active AND tracked ORDER BY priority, code) AS l
		 WHERE NOT EXISTS (
			SELECT FROM (SELECT * FROM unnest(p_skus, p_quantities) LIMIT p_lines) AS u(sku, quantity)
			LEFT JOIN plain.stock k ON k.sku = u.sku AND k.location = l.code
			WHERE k.available < u.quantity OR k.available IS NULL)
		 LIMIT 1) AS location
	INTO c
	FROM plain.channels n JOIN plain.methods m ON m.code = n.default_method, plain.settings s
	WHERE n.code = p_channel AND n.active;
	IF c.known IS DISTINCT FROM p_lines THEN
		RAISE EXCEPTION 'unknown channel or sku';
	ELSIF c.location IS NULL THEN
		RAISE EXCEPTION 'not enough stock';
	END IF;

	WITH o AS (
		INSERT INTO plain.orders (id, number, channel, external_ref, workflow, status, currency, priority, if_short, document_hash,
			payment_required, units, units_allocated, total, placed_at, confirmed_at, revision)
		VALUES (p_order, c.number, p_channel, p_ref, c.order_workflow, 'confirmed', document ->> 'currency', c.priority, c.if_short,
			p_hash, c.payment_required, p_units, p_units, p_total, now(), now(), 1)
		ON CONFLICT (channel, external_ref) DO NOTHING RETURNING id
	), l AS (
		INSERT INTO plain.order_lines (id, order_id, line_no, sku, quantity, unit_price, allocated, revision)
		SELECT u.id, o.id, u.line_no, u.sku, u.quantity, u.unit_price, u.quantity, 1
		FROM o, unnest(p_ids, p_skus, p_quantities, p_prices) WITH ORDINALITY AS u(id, sku, quantity, unit_price, line_no)
	), f AS (
		INSERT INTO plain.fulfillments (id, number, order_id, location, method, workflow, status, stock_state, revision)
		SELECT p_parcel, c.number || '-1', o.id, c.location, c.default_method, c.workflow, 'released', 'reserved', 1 FROM o
	), fl AS (
		INSERT INTO plain.fulfillment_lines (id, fulfillment_id, order_line_id, sku, quantity, tracked)
		SELECT oms.uuid7(), p_parcel, u.id, u.sku, u.quantity, true FROM o, unnest(p_ids, p_skus, p_quantities) AS u(id, sku, quantity)
	), e AS (
		INSERT INTO plain.order_events (order_id, entity, entity_id, event, from_status, to_status, actor, detail)
		SELECT o.id, v.entity, v.id, v.event, v.from_status, v.to_status, oms.actor(), v.detail
		FROM o, (VALUES
			('order', p_order, 'created', NULL, 'draft', NULL),
			('order', p_order, 'moved', 'draft', 'placed', NULL),
			('order', p_order, 'allocated', NULL, NULL, jsonb_build_object('units', p_units, 'lines',
				(SELECT jsonb_agg(jsonb_build_object('line', u.line_no, 'location', c.location, 'quantity', u.quantity))
				 FROM unnest(p_quantities) WITH ORDINALITY AS u(quantity, line_no)))),
			('order', p_order, 'moved', 'placed', 'confirmed', NULL),
			('fulfillment', p_parcel, 'created', NULL, 'open', NULL),
			('fulfillment', p_parcel, 'moved', 'open', 'released', NULL)
		) AS v(entity, id, event, from_status, to_status, detail)
	), w AS (
		SELECT u.sku, sum(u.quantity)::bigint AS quantity FROM o, (SELECT * FROM unnest(p_skus, p_quantities) LIMIT p_lines) AS u(sku, quantity)
		GROUP BY u.sku ORDER BY u.sku
	), s AS (
		UPDATE plain.stock k SET reserved = k.reserved + w.quantity, revision = k.revision + 1
		FROM w WHERE k.sku = w.sku AND k.location = c.location AND k.available >= w.quantity
		RETURNING w.quantity
	)
	SELECT COALESCE(sum(s.quantity), 0), (SELECT count(*) FROM o) INTO p_taken, p_known FROM s;

	IF p_known = 0 THEN
		SELECT o.id, o.number, o.status, o.total, o.units_short, o.units_backordered, true
		INTO order_id, number, status, total, short, backordered, repeated
		FROM plain.orders o WHERE o.channel = p_channel AND o.external_ref = p_ref AND o.document_hash = p_hash FOR KEY SHARE;
		IF NOT FOUND THEN
			RAISE EXCEPTION 'external_ref used before, with another document';
		END IF;
		RETURN;
	ELSIF p_taken <> p_units THEN
		RAISE EXCEPTION 'not enough stock';
	END IF;
	order_id := p_order;
	number := c.number;
	status := 'confirmed';
	total := p_total;
	short := 0;
	backordered := 0;
	repeated := false;
END $$;
