-- Northwind's orders as history, in one transaction.
BEGIN;
SET LOCAL search_path = northwind_import;

-- ---- what each row of the files becomes, before anything is inserted

-- of lines that have not shipped, as many units are reserved as are in stock,
-- the oldest order first
CREATE TEMP TABLE line ON COMMIT DROP AS
SELECT d.order_id AS reference, oms.uuid7() AS id, row_number() OVER (PARTITION BY d.order_id ORDER BY d.product) AS line_no,
	d.product, d.quantity, d.unit_price, round(d.quantity * d.unit_price * d.discount, 4) AS discount,
	CASE WHEN o.shipped IS NULL THEN 0 ELSE d.quantity END AS shipped,
	CASE WHEN o.shipped IS NULL THEN greatest(least(d.quantity, p.in_stock
		- coalesce(sum(d.quantity) FILTER (WHERE o.shipped IS NULL) OVER before, 0)), 0) ELSE 0 END AS allocated
FROM order_details d JOIN orders o ON o.id = d.order_id JOIN products p ON p.id = d.product
WINDOW before AS (PARTITION BY d.product ORDER BY o.ordered, o.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING);

CREATE TEMP TABLE piece ON COMMIT DROP AS
SELECT o.id AS reference, oms.uuid7() AS id, oms.uuid7() AS fulfillment_id, oms.uuid7() AS address_id, o.customer, o.ship_via,
	o.ordered::timestamp AT TIME ZONE 'UTC' AS ordered_at, o.required::timestamp AT TIME ZONE 'UTC' AS promised_at,
	o.shipped::timestamp AT TIME ZONE 'UTC' AS shipped_at, o.freight,
	sum(l.quantity) AS units, sum(l.allocated) AS allocated, sum(l.shipped) AS shipped,
	sum(l.quantity - l.allocated - l.shipped) AS short, sum(l.quantity * l.unit_price - l.discount) + o.freight AS total
FROM orders o JOIN line l ON l.reference = o.id GROUP BY o.id;

-- ---- reference data

INSERT INTO northwind.skus (code, name, active, attributes)
SELECT id::text, name, discontinued = 0, jsonb_build_object('quantity_per_unit', quantity_per_unit) FROM products;
INSERT INTO northwind.customers (code, name, phone, attributes)
SELECT code, company, phone, jsonb_build_object('contact', contact, 'title', title) FROM customers;
INSERT INTO northwind.addresses (id, company, line1, city, region, postal_code, country, latitude, longitude)
SELECT p.address_id, o.name, o.address, o.city, o.region, o.postal_code, c.iso, c.latitude, c.longitude
FROM piece p JOIN orders o ON o.id = p.reference
	LEFT JOIN cities c ON (c.city, coalesce(c.region, ''), c.country) = (o.city, coalesce(o.region, ''), o.country);

-- ---- the past

SELECT northwind.begin_import();

-- shipped: completed; all its units reserved: confirmed; some short: placed, and held
INSERT INTO northwind.orders (id, number, channel, external_ref, customer_id, status, currency, ship_to_id, total, units,
	units_allocated, units_short, units_shipped, open_holds, created_at, ordered_at, placed_at, confirmed_at, closed_at)
SELECT p.id, 'NW-' || p.reference, 'sales', p.reference::text, c.id,
	CASE WHEN p.shipped_at IS NOT NULL THEN 'completed' WHEN p.short > 0 THEN 'placed' ELSE 'confirmed' END,
	'USD', p.address_id, p.total, p.units, p.allocated, p.short, p.shipped, CASE WHEN p.short > 0 THEN 1 ELSE 0 END,
	p.ordered_at, p.ordered_at, p.ordered_at, CASE WHEN p.short = 0 THEN p.ordered_at END, p.shipped_at
FROM piece p JOIN northwind.customers c ON c.code = p.customer;

INSERT INTO northwind.order_lines (id, order_id, line_no, sku, quantity, unit_price, discount, allocated, short, shipped)
SELECT l.id, p.id, l.line_no, l.product::text, l.quantity, l.unit_price, l.discount, l.allocated,
	l.quantity - l.allocated - l.shipped, l.shipped
FROM line l JOIN piece p USING (reference);
INSERT INTO northwind.order_charges (order_id, kind, label, amount) SELECT id, 'shipping', 'Freight', freight FROM piece;
INSERT INTO northwind.order_holds (order_id, kind, placed_at) SELECT id, 'stock', ordered_at FROM piece WHERE short > 0;

INSERT INTO northwind.fulfillments (id, number, order_id, location, method, workflow, status, stock_state, ship_to_id, promised_at,
	carrier, created_at, shipped_at)
SELECT p.fulfillment_id, 'NW-' || p.reference || '-1', p.id, 'main', 'ship', 'ship',
	CASE WHEN p.shipped_at IS NOT NULL THEN 'shipped' WHEN p.short > 0 THEN 'open' ELSE 'released' END,
	CASE WHEN p.shipped_at IS NOT NULL THEN 'issued' ELSE 'reserved' END,
	p.address_id, p.promised_at, s.name, p.ordered_at, p.shipped_at
FROM piece p JOIN shippers s ON s.id = p.ship_via WHERE p.allocated + p.shipped > 0;
INSERT INTO northwind.fulfillment_lines (fulfillment_id, order_line_id, sku, quantity, tracked)
SELECT p.fulfillment_id, l.id, l.product::text, l.allocated + l.shipped, true
FROM line l JOIN piece p USING (reference) WHERE l.allocated + l.shipped > 0;

-- stock as it is, and a ledger that leads to it: what there must have been, and
-- what left
INSERT INTO northwind.stock (sku, location, on_hand, reserved)
SELECT p.id::text, 'main', p.in_stock, coalesce(sum(l.allocated), 0)
FROM products p LEFT JOIN line l ON l.product = p.id GROUP BY p.id;
INSERT INTO northwind.stock_movements (at, sku, location, kind, quantity, on_hand_change, unavailable_change)
SELECT '1996-07-01 00:00Z', p.id::text, 'main', 'count', q.units, q.units, 0
FROM products p CROSS JOIN LATERAL (SELECT p.in_stock + coalesce(sum(l.shipped), 0) AS units FROM line l WHERE l.product = p.id) q;
INSERT INTO northwind.stock_movements (at, sku, location, kind, quantity, on_hand_change, unavailable_change, entity, entity_id)
SELECT p.shipped_at, l.product::text, 'main', 'issue', l.shipped, -l.shipped, 0, 'fulfillment', p.fulfillment_id
FROM line l JOIN piece p USING (reference) WHERE l.shipped > 0 ORDER BY p.shipped_at, l.product;

-- numbers go on where they were
SELECT setval('northwind.order_number', max(id)) FROM orders;
COMMIT;
