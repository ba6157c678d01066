-- Where an order is sent from: what each way costs, and why it is this one
\i test/demo.d/style

\echo 'Parcels cost money. From the harbor they are dearer to pack, but it is nearer to half of the customers.'
UPDATE shop.locations SET fixed_cost = 1.50, pick_cost = CASE code WHEN 'harbor' THEN 0.80 ELSE 0.30 END
	WHERE code IN ('warehouse', 'harbor');
INSERT INTO shop.zones (code, country, postal_prefix) VALUES ('north', 'DE', '2'), ('germany', 'DE', NULL);
INSERT INTO shop.shipping_rates (method, location, destination_zone, fixed, per_kg, transit_days) VALUES
	('ship', NULL, NULL, 5.90, 0.50, 3), ('ship', 'harbor', 'north', 2.90, 0.50, 1);
INSERT INTO shop.skus (code, name, weight_grams) VALUES ('LAMP', 'Lamp for the music stand', 400), ('STAND', 'Music stand', 2500);
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES
	('LAMP', 'warehouse', 'receipt', 10), ('LAMP', 'harbor', 'receipt', 10), ('STAND', 'warehouse', 'receipt', 10), ('STAND', 'harbor', 'receipt', 2);

\echo 'A cart, before checkout: two lamps and three stands to Hamburg. The harbor has two stands only.'
SELECT q ->> 'cost' AS cost, q ->> 'shipments' AS shipments, l ->> 'sku' AS sku, l ->> 'quantity' AS units, l ->> 'location' AS "from"
FROM shop.quote('{"channel": "web", "ship_to": {"country": "DE", "postal_code": "20095", "city": "Hamburg"},
	"lines": [{"sku": "LAMP", "quantity": 2}, {"sku": "STAND", "quantity": 3}]}') q, jsonb_array_elements(q -> 'lines') l;

\echo 'Two stands would do. Then the harbor has all of it, and the parcel is there two days sooner.'
SELECT order_id, number AS "order" FROM shop.place_order('{"channel": "web", "external_ref": "W-9", "currency": "EUR",
	"ship_to": {"country": "DE", "postal_code": "20095", "city": "Hamburg"}, "holds": [{"kind": "address"}],
	"lines": [{"sku": "LAMP", "quantity": 2, "unit_price": 25}, {"sku": "STAND", "quantity": 2, "unit_price": 40}]}') \gset
SELECT f.number, f.location, f.units, f.promised_at::date - current_date AS "days on the way" FROM shop.fulfillment_facts f WHERE f.order_number = :'order';
\echo 'A draft to the same address: from where it would be sent, and why not from elsewhere.'
INSERT INTO shop.orders (channel, external_ref, currency, ship_to_id) SELECT 'web', 'W-10', 'EUR', ship_to_id FROM shop.orders WHERE number = :'order' RETURNING id \gset
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) VALUES (:'id', 1, 'LAMP', 2, 25);
SELECT location, verdict, forced_cost, detail FROM shop.explain_plan(:'id') ORDER BY verdict, location;

\set ECHO none
SELECT (SELECT array_agg(location) FROM shop.fulfillments WHERE order_id = :'order_id') = '{harbor}' AS nearest,
	(SELECT array_agg(DISTINCT location) FROM shop.plan_order(:'id')) = '{harbor}' AS planned \gset
DO $$ BEGIN ASSERT (SELECT count(*) FROM shop.fulfillments WHERE promised_at IS NOT NULL) >= 1, 'nothing was promised'; END $$;
\if :nearest
\else
	DO $$ BEGIN RAISE EXCEPTION 'the order is not sent from where it is cheapest'; END $$;
\endif
\if :planned
\else
	DO $$ BEGIN RAISE EXCEPTION 'the plan is not the cheapest'; END $$;
\endif
DELETE FROM shop.order_lines WHERE order_id = :'id';
DELETE FROM shop.orders WHERE id = :'id';
