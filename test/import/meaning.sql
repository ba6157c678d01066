-- What the file's lines mean.  docs/import.md has each rule and why.

SET search_path = retail_import;

-- Codes that are no goods: the kind of charge, or NULL.  One of them occurs in
-- lower case too.
CREATE OR REPLACE FUNCTION charge_kind(code text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE
	WHEN upper(code) IN ('POST', 'DOT', 'C2') THEN 'shipping'
	WHEN upper(code) IN ('M', 'D', 'S', 'B', 'AMAZONFEE', 'BANK CHARGES', 'CRUK', 'PADS') THEN 'fee'
	WHEN code ^@ 'gift_' THEN 'fee'
END;

INSERT INTO lines (invoice, line_no, code, charge, description, quantity, unit_price)
SELECT "InvoiceNo", row_number() OVER (PARTITION BY "InvoiceNo" ORDER BY line), "StockCode", charge_kind("StockCode"),
	"Description", "Quantity", "UnitPrice"
FROM raw;

-- An invoice is one moment, its first: some were keyed in over two minutes.  The
-- file's clock is a shop's in London.
INSERT INTO invoices (seq, invoice, kind, at, customer, country, channel)
SELECT row_number() OVER (ORDER BY min("InvoiceDate"), min(line)), "InvoiceNo",
	CASE
		WHEN "InvoiceNo" LIKE 'A%' OR bool_or("UnitPrice" < 0) THEN 'bad debt'
		WHEN "InvoiceNo" LIKE 'C%' THEN 'cancellation'
		WHEN bool_and("Quantity" < 0 AND "UnitPrice" = 0) THEN 'stock'
		ELSE 'sale'
	END,
	min("InvoiceDate") AT TIME ZONE 'Europe/London',
	-- 17850.0 is customer 17850
	regexp_replace(min("CustomerID"), '\.0$', ''),
	min("Country"),
	-- made up, so that the import meets both ways of being short of stock
	CASE WHEN right("InvoiceNo", 6)::bigint % 3 = 0 THEN 'phone' ELSE 'web' END
FROM raw
GROUP BY "InvoiceNo";

ANALYZE lines, invoices;
