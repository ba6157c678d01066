-- Do both functions leave the same rows?  Modulo ids, times, revision and the
-- document's hash, which is theirs to compute.
\set ON_ERROR_STOP 1
SET client_min_messages = warning;

CREATE TEMP TABLE documents AS
SELECT i, jsonb_build_object('channel', 'web', 'external_ref', 'same-' || i, 'currency', 'EUR', 'lines', (
	SELECT jsonb_agg(jsonb_build_object('sku', 'SKU-' || 10001 + (i * 37 + l * 611 + (i * l) % 7) % 2000, 'quantity', 1 + (i + l) % 4,
		'unit_price', round((0.99 + i * l % 50)::numeric, 2)) ORDER BY l)
	FROM generate_series(1, 5) AS l)) AS document
FROM generate_series(1, 200) AS i;

-- each once, and every tenth again
DO $$
DECLARE
	d record;
	a record;
	b record;
BEGIN
	FOR d IN SELECT * FROM documents UNION ALL SELECT * FROM documents WHERE i % 10 = 0 ORDER BY i LOOP
		SELECT * INTO a FROM oms.place_order('shop', d.document);
		SELECT * INTO b FROM plain.place(d.document);
		IF (a.status, a.total, a.short, a.backordered, a.repeated) IS DISTINCT FROM (b.status, b.total, b.short, b.backordered, b.repeated) THEN
			RAISE EXCEPTION 'answers differ: % and %', a, b;
		END IF;
	END LOOP;
END $$;

-- a store's rows as JSON, without what may differ; ids become what people see
CREATE FUNCTION pg_temp.rows(store text) RETURNS TABLE (part text, content jsonb) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('search_path', store || ', pg_temp', true);
	RETURN QUERY EXECUTE $q$
	WITH o AS (SELECT id, external_ref FROM orders WHERE external_ref LIKE 'same-%')
	SELECT 'orders', to_jsonb(t) - '{id,number,document_hash,created_at,ordered_at,placed_at,confirmed_at,revision}'::text[]
		|| jsonb_build_object('times', ARRAY[ordered_at = created_at, placed_at = created_at, confirmed_at = created_at])
	FROM orders t JOIN o USING (id)
	UNION ALL
	SELECT 'order_lines', to_jsonb(t) - '{id,order_id,revision}'::text[] || jsonb_build_object('order', o.external_ref)
	FROM order_lines t JOIN o ON o.id = order_id
	UNION ALL
	SELECT 'fulfillments', to_jsonb(t) - '{id,order_id,number,created_at,revision}'::text[]
		|| jsonb_build_object('order', o.external_ref, 'suffix', substring(t.number FROM '-[0-9]+$'))
	FROM fulfillments t JOIN o ON o.id = order_id
	UNION ALL
	SELECT 'fulfillment_lines', to_jsonb(t) - '{id,fulfillment_id,order_line_id}'::text[]
		|| jsonb_build_object('order', o.external_ref, 'line', l.line_no)
	FROM fulfillment_lines t JOIN order_lines l ON l.id = order_line_id JOIN fulfillments f ON f.id = fulfillment_id AND f.order_id = l.order_id
	JOIN o ON o.id = l.order_id
	UNION ALL
	SELECT 'order_events', to_jsonb(t) - '{id,at,xid,order_id,entity_id}'::text[] || jsonb_build_object('order', o.external_ref,
		'place', row_number() OVER (PARTITION BY o.id ORDER BY t.id), 'of', CASE t.entity_id WHEN o.id THEN 'order' WHEN f.id THEN 'fulfillment' END)
	FROM order_events t JOIN o ON o.id = t.order_id LEFT JOIN fulfillments f ON f.id = t.entity_id
	UNION ALL
	SELECT 'stock', to_jsonb(t) - 'revision' FROM stock t
	$q$;
END $$;

CREATE TEMP TABLE ours AS SELECT * FROM pg_temp.rows('shop');
CREATE TEMP TABLE theirs AS SELECT * FROM pg_temp.rows('plain');
CREATE TEMP TABLE differing AS
	(TABLE ours EXCEPT ALL TABLE theirs) UNION ALL (TABLE theirs EXCEPT ALL TABLE ours);
SELECT * FROM differing LIMIT 4;
DO $$ BEGIN
	ASSERT NOT EXISTS (SELECT FROM differing), 'rows differ';
	ASSERT (SELECT count(*) FROM ours WHERE part = 'order_lines') = 1000, 'orders are missing';
	ASSERT NOT EXISTS (SELECT FROM oms.verify_store('shop') WHERE violations > 0), 'the store does not verify';
END $$;
