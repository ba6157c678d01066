-- oms.quote and oms.place_order of the same random documents: what the quote says
-- happens.  Kits, warranties, pickups, named places, several addresses, stock holds,
-- lines that do not stand in the order of their numbers, and too little stock.
BEGIN;
SET client_min_messages = error;
SET timezone = 'UTC';
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, default_method, if_short) VALUES ('web', 'Web', 'ship', 'hold'), ('b2b', 'B2B', 'ship', 'hold');
INSERT INTO shop.locations (code, name, kind, tracked, country, region, latitude, longitude, priority, fixed_cost, pick_cost, time_zone, methods, cutoff, daily_capacity) VALUES
	('a', 'A', 'warehouse', true, 'DE', 'HH', 53.5, 10, 1, 3, 0.5, 'Asia/Tokyo', NULL, '12:00', NULL), ('b', 'B', 'warehouse', true, 'DE', 'BY', 48.1, 11.5, 2, 1, 0.25, 'America/Lima', '{ship,pickup,service}', NULL, 40),
	('c', 'C', 'store', true, 'FR', NULL, NULL, NULL, 3, 2, 0.1, 'UTC', '{ship,pickup,digital}', '00:00', 15), ('d', 'D', 'supplier', true, 'DE', NULL, NULL, NULL, 5, 1, 0, 'UTC', NULL, NULL, NULL),
	('e', 'E', 'third_party', false, 'DE', NULL, NULL, NULL, 6, 1, 0, 'UTC', NULL, NULL, 30);
INSERT INTO shop.skus (code, name, weight_grams, tags) SELECT 'g' || i, 'G', i * 100, CASE WHEN i % 3 = 0 THEN '{frail}'::text[] ELSE '{}' END FROM generate_series(1, 5) i;
INSERT INTO shop.skus (code, name, kind, default_method, ship_together) VALUES ('fit', 'Fitting', 'service', 'service', true), ('care', 'Care', 'warranty', NULL, true), ('set', 'Set', 'bundle', NULL, true), ('mix', 'Mix', 'bundle', NULL, false);
INSERT INTO shop.bundle_items (bundle, sku, quantity) VALUES ('set', 'g1', 2), ('set', 'g2', 1), ('mix', 'g3', 1), ('mix', 'g4', 2), ('mix', 'fit', 1);
INSERT INTO shop.backorder_policies (sku, policy, limit_units) VALUES ('g1', 'backorder', 5), ('g4', 'backorder', NULL);
INSERT INTO shop.zones (code, country, region) VALUES ('germany', 'DE', NULL), ('bavaria', 'DE', 'BY'), ('france', 'FR', NULL);
INSERT INTO shop.shipping_rates (method, location, origin_zone, destination_zone, fixed, per_unit, per_kg, transit_days) VALUES
	('ship', NULL, NULL, 'germany', 2, 0.1, 1, 2), ('ship', NULL, NULL, 'france', 7, 0.1, 1, NULL), ('ship', NULL, 'bavaria', 'bavaria', 0.5, 0, 0, 1), ('pickup', NULL, NULL, NULL, 0, 0, 0, 0), ('dropship', NULL, NULL, NULL, 1, 1, 1, 9);
INSERT INTO shop.sourcing_policies (channel, per_km_cost) VALUES (NULL, 0.01);
INSERT INTO shop.sourcing_rules (tag, location, effect, cost) VALUES ('frail', 'b', 'deny', NULL), (NULL, 'a', 'prefer', 0.05);
INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT 'g' || i, l, 'receipt', (i * 7 + ascii(l) * 3) % 9 + 1 FROM generate_series(1, 5) i, unnest('{a,b,c,d}'::text[]) l WHERE (i + ascii(l)) % 4 <> 0;

CREATE FUNCTION pg_temp.one_of(list anyarray) RETURNS anyelement LANGUAGE sql AS $$ SELECT list[1 + floor(random() * array_length(list, 1))::int] $$;
CREATE FUNCTION pg_temp.address() RETURNS jsonb LANGUAGE sql AS $$ SELECT pg_temp.one_of('{"{\"country\": \"DE\", \"region\": \"BY\", \"latitude\": 48, \"longitude\": 11}","{\"country\": \"FR\", \"latitude\": 48.8, \"longitude\": 2.3}","{\"country\": \"DE\"}"}'::text[])::jsonb $$;
CREATE FUNCTION pg_temp.document() RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	numbers int[] := (SELECT array_agg(n ORDER BY CASE WHEN random() < 0.5 THEN n ELSE random() * 5 END) FROM generate_series(1, 1 + floor(random() * 5)::int) n);
	lines jsonb := '[]';
	goods int[] := '{}';
	line jsonb;
BEGIN
	FOR i IN 1 .. array_length(numbers, 1) LOOP
		line := jsonb_build_object('line', numbers[i], 'sku', pg_temp.one_of('{g1,g2,g3,g4,g5,g1,g2,fit,set,mix,care,care}'::text[]), 'quantity', 1 + floor(random() * random() * 12)::int, 'unit_price', 1);
		IF line->>'sku' = 'care' AND goods <> '{}' THEN
			line := line || jsonb_build_object('parent', pg_temp.one_of(goods), 'quantity', 1);
		ELSE
			line := CASE WHEN line->>'sku' = 'care' THEN line || '{"sku": "g2"}' ELSE line END;
			goods := goods || numbers[i];
			line := line || CASE floor(random() * 12) WHEN 0 THEN jsonb_build_object('method', 'pickup', 'pickup_location', pg_temp.one_of('{a,b,c}'::text[])) WHEN 1 THEN '{"method": "dropship"}' WHEN 2 THEN '{"method": "pickup"}'
				WHEN 3 THEN jsonb_build_object('location', pg_temp.one_of('{a,b,c,e}'::text[])) WHEN 4 THEN jsonb_build_object('ship_to', pg_temp.address()) WHEN 5 THEN jsonb_build_object('requested_at', pg_temp.one_of('{2099-01-01,1999-01-01}'::text[]))
				WHEN 6 THEN '{"ship_group": "x"}' WHEN 7 THEN '{"ship_group": "x"}' ELSE '{}' END;
		END IF;
		lines := lines || line;
	END LOOP;
	RETURN jsonb_build_object('channel', pg_temp.one_of('{web,b2b}'::text[]), 'currency', 'EUR', 'lines', lines) || CASE WHEN random() < 0.8 THEN jsonb_build_object('ship_to', pg_temp.address()) ELSE '{}' END;
END $$;

-- units by where they come from, shipments, and what these cost
CREATE FUNCTION pg_temp.told(q jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(x, ', ' ORDER BY x) || format(': %s shipments, %s', q->>'shipments', q->>'cost') FROM (SELECT concat_ws(' ', l->>'sku', l->>'method', l->>'location', CASE WHEN l->>'location' IS NOT NULL THEN l->>'pickup_location' END, l->>'disposition', sum((l->>'quantity')::bigint), (l->>'promised_at')::timestamptz) AS x
		FROM jsonb_array_elements(q->'lines') l GROUP BY l->>'sku', l->>'method', l->>'location', l->>'pickup_location', l->>'disposition', l->>'promised_at') y $$;
CREATE FUNCTION pg_temp.made(o uuid) RETURNS text LANGUAGE sql AS $$
	WITH sent AS (SELECT f.location, f.method, f.pickup_location, f.promised_at, l.sku, l.quantity, s.tracked, e.fixed, e.per_unit, concat_ws('|', f.location, f.method, f.pickup_location, f.ship_to_id, f.requested_at) AS shipment
		FROM shop.fulfillments f JOIN shop.orders o ON o.id = f.order_id JOIN shop.fulfillment_lines l ON l.fulfillment_id = f.id JOIN shop.skus s ON s.code = l.sku LEFT JOIN shop.addresses a ON a.id = f.ship_to_id AND f.pickup_location IS NULL LEFT JOIN shop.locations p ON p.code = f.pickup_location,
			shop.explain_source(l.sku, f.location, f.method, o.channel, coalesce(p.country, a.country), coalesce(p.region, a.region), NULL, now(), coalesce(p.latitude, a.latitude), coalesce(p.longitude, a.longitude)) e WHERE f.order_id = $1)
	SELECT (SELECT string_agg(x, ', ' ORDER BY x) FROM (SELECT concat_ws(' ', sku, method, location, pickup_location, 'allocate', sum(quantity), promised_at) AS x FROM sent GROUP BY sku, method, location, pickup_location, promised_at
		UNION ALL SELECT concat_ws(' ', l.sku, l.method, d.disposition, sum(d.units)) FROM shop.order_lines l, LATERAL (VALUES ('backorder', l.backordered), ('short', l.short)) AS d(disposition, units) WHERE l.order_id = $1 AND d.units > 0 GROUP BY l.sku, l.method, d.disposition) y)
		|| format(': %s shipments, %s', (SELECT count(DISTINCT shipment) FROM sent), (SELECT coalesce(sum(quantity * per_unit), 0) + (SELECT coalesce(sum(fixed), 0) FROM (SELECT DISTINCT shipment, fixed FROM sent) x) FROM sent)::numeric(19,4)) $$;
CREATE FUNCTION pg_temp.differing(number_of int) RETURNS TABLE (document jsonb, told text, made text) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. number_of LOOP
		document := pg_temp.document();
		BEGIN
			IF i % 3 = 0 THEN
				PERFORM oms.hold_stock('shop', 'cart ' || i, (SELECT jsonb_agg(jsonb_build_object('sku', l->'sku', 'quantity', 1)) FROM jsonb_array_elements(document->'lines') l WHERE l->>'sku' <> 'care'), pg_temp.one_of('{1 hour,1 microsecond}'::text[])::interval);
				document := document || jsonb_build_object('stock_hold', 'cart ' || i);
			END IF;
		EXCEPTION WHEN SQLSTATE 'OM003' THEN	-- there is not so much
		END;
		told := pg_temp.told(oms.quote('shop', document));
		made := pg_temp.made((SELECT order_id FROM oms.place_order('shop', document)));
		IF told IS DISTINCT FROM made THEN
			RETURN NEXT;
		END IF;
		IF i % 8 = 0 THEN	-- there is enough again for a while
			INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES (pg_temp.one_of('{g1,g2,g3,g4,g5}'::text[]), pg_temp.one_of('{a,b,c,d}'::text[]), 'receipt', 6);
		END IF;
	END LOOP;
END $$;

SELECT setseed(0.6);
SELECT is_empty('SELECT * FROM pg_temp.differing(60)', 'placing does what the quote says');
SELECT cmp_ok((SELECT count(*) FROM shop.order_lines WHERE short + backordered > 0), '>', 20::bigint, 'also of what is lacking');
SELECT cmp_ok((SELECT count(*) FROM (SELECT FROM shop.fulfillments GROUP BY order_id HAVING count(*) > 1) x), '>', 10::bigint, 'and of several shipments');
SELECT * FROM finish();
ROLLBACK;
