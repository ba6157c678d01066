-- What the import made of the file.

SET search_path = retail_import;

\pset footer off
\pset null ''

\echo
SELECT o.kind AS "invoices", o.outcome, count(DISTINCT o.invoice) AS "number", count(*) AS "lines",
	sum(l.quantity) FILTER (WHERE l.charge IS NULL) AS "units of goods", sum(l.quantity * l.unit_price) AS "GBP"
FROM outcomes o JOIN lines l USING (invoice)
GROUP BY o.kind, o.outcome
ORDER BY o.kind DESC, o.outcome;

SELECT outcome AS "canceled units", count(DISTINCT (invoice, line_no)) AS "lines", sum(quantity) AS "number",
	sum(quantity * unit_price) AS "GBP"
FROM cancellations
GROUP BY outcome
ORDER BY outcome;

SELECT status AS "orders", channel, count(*) AS "number", sum(units) AS "units", sum(units_allocated) AS "allocated",
	sum(units_short) AS "short", sum(units_canceled) AS "canceled", sum(total) AS "total", sum(credited) AS "credited"
FROM retail.orders
GROUP BY status, channel
ORDER BY status, channel;
