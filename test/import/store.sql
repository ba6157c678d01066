-- The store "retail": channels, a location, SKUs under their most frequent name,
-- and the stock that was there before the first invoice.

SET search_path = retail_import;

SELECT oms.create_store('retail') WHERE to_regnamespace('retail') IS NULL;

INSERT INTO retail.channels (code, name, kind, if_short) VALUES
	('web', 'Web shop', 'web', 'refuse'),
	('phone', 'Orders by phone', 'phone', 'hold')
ON CONFLICT DO NOTHING;

INSERT INTO retail.locations (code, name, country, time_zone) VALUES ('main', 'Warehouse', 'GB', 'Europe/London')
ON CONFLICT DO NOTHING;

-- Codes that differ only by case are different SKUs.  Descriptions of stock that
-- vanished ("damages", "?") name no product, so sales have the first word.
INSERT INTO retail.skus (code, name, kind)
SELECT code, coalesce(
		mode() WITHIN GROUP (ORDER BY description) FILTER (WHERE quantity > 0 AND unit_price > 0),
		mode() WITHIN GROUP (ORDER BY description) FILTER (WHERE unit_price > 0),
		code), 'physical'
FROM lines
WHERE charge IS NULL
GROUP BY code
ON CONFLICT DO NOTHING;

-- The file has no stock, so this is made up: of each SKU the units that are sold
-- in the whole file, or those written off if that is more.  It is enough for
-- every sale until units are written off, and too little from then on.
INSERT INTO retail.stock_movements (at, sku, location, kind, quantity, reason, external_ref)
SELECT (SELECT min(at) FROM invoices) - interval '1 day', l.code, 'main', 'receipt',
	greatest(sum(quantity) FILTER (WHERE i.kind = 'sale'), -sum(quantity) FILTER (WHERE i.kind = 'stock')),
	'opening stock', 'opening'
FROM lines l JOIN invoices i USING (invoice)
WHERE l.charge IS NULL AND i.kind IN ('sale', 'stock')
GROUP BY l.code;
