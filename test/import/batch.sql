-- The import runs in batches of invoices, each a transaction: what is done stays
-- done when the next one fails.  Needs psql variables: rewind, which the progress
-- line begins with to overwrite itself.

SET search_path = retail_import;

-- Imports the invoices of a stretch and returns a line to show.
CREATE OR REPLACE FUNCTION import_batch(first bigint, last bigint) RETURNS text
LANGUAGE plpgsql
SET search_path = retail_import, pg_temp
AS $$
DECLARE
	i invoices;
	results text[] := '{}';
BEGIN
	FOR i IN SELECT * FROM invoices WHERE seq BETWEEN first AND last ORDER BY seq LOOP
		CASE i.kind
			WHEN 'sale' THEN
				results := results || import_sale(i);
			WHEN 'cancellation' THEN
				results := results || import_cancellation(i);
			WHEN 'stock' THEN
				results := results || import_movement(i);
			ELSE
				INSERT INTO outcomes (invoice, kind, outcome) VALUES (i.invoice, i.kind, 'reported')
				ON CONFLICT DO NOTHING;
				results := results || CASE WHEN FOUND THEN 'reported' ELSE 'left alone' END;
		END CASE;
	END LOOP;
	-- the three most frequent results: the line must fit a terminal's
	RETURN (SELECT format('%s of %s invoices, %s: %s', least(last, max(seq)), max(seq),
			(max(at) FILTER (WHERE seq <= last) AT TIME ZONE 'Europe/London')::date,
			(SELECT string_agg(n || ' ' || result, ', ' ORDER BY n DESC, result)
			FROM (SELECT result, count(*) AS n FROM unnest(results) AS result GROUP BY result ORDER BY n DESC, result LIMIT 3) r))
		FROM invoices);
END
$$;

SELECT format('SELECT %L || import_batch(%s, %s)', CASE WHEN first > 1 THEN :'rewind' ELSE '' END, first, first + 249)
FROM generate_series(1, (SELECT max(seq) FROM invoices), 250) AS first
\gexec
