-- oms.quote, and when an order is promised: what a cart is told is what placing it
-- does.
BEGIN;
SET client_min_messages = error;
SET timezone = 'UTC';
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, default_method, if_short) VALUES ('web', 'Web', 'ship', 'hold'), ('bare', 'Bare', NULL, 'hold');
INSERT INTO shop.locations (code, name, country, latitude, longitude, priority, fixed_cost, pick_cost, time_zone, methods) VALUES
	('north', 'North', 'DE', 53.55, 9.99, 1, 4, 0.5, 'Asia/Tokyo', '{ship,pickup}'), ('south', 'South', 'DE', 48.14, 11.58, 2, 1, 0.25, 'America/Lima', '{ship,pickup,service}');
INSERT INTO shop.skus (code, name, kind) VALUES ('mug', 'Mug', 'physical'), ('cup', 'Cup', 'physical'), ('late', 'Late', 'physical'), ('fit', 'Fitting', 'service'), ('set', 'Set', 'bundle'), ('care', 'Care', 'warranty');
INSERT INTO shop.bundle_items (bundle, sku, quantity) VALUES ('set', 'mug', 2), ('set', 'cup', 1);
INSERT INTO shop.backorder_policies (sku, policy, limit_units) VALUES ('late', 'backorder', 3);
INSERT INTO shop.zones (code, country) VALUES ('germany', 'DE'), ('france', 'FR');
INSERT INTO shop.shipping_rates (method, destination_zone, fixed, transit_days) VALUES ('ship', 'germany', 2, 2), ('ship', 'france', 9, NULL), ('pickup', NULL, 0, 0);
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('mug', 'north', 'receipt', 5), ('mug', 'south', 'receipt', 9), ('cup', 'north', 'receipt', 5);

-- end_of(location, days): the last second of the day that is so many after today there
CREATE FUNCTION pg_temp.end_of(place text, days int) RETURNS timestamptz LANGUAGE sql AS $$
	SELECT ((now() AT TIME ZONE time_zone)::date + days + time '23:59:59') AT TIME ZONE time_zone FROM shop.locations WHERE code = place $$;
CREATE FUNCTION pg_temp.lines(q jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', l->>'line', l->>'sku', l->>'quantity', l->>'method', l->>'location', l->>'pickup_location', l->>'disposition', trim_scale((l->>'unit_cost')::numeric)), ', ' ORDER BY n) FROM jsonb_array_elements(q->'lines') WITH ORDINALITY AS x(l, n) $$;
CREATE FUNCTION pg_temp.options(q jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', o->>'method', o->>'pickup_location', CASE WHEN o->>'possible' = 'true' THEN trim_scale((o->>'cost')::numeric)::text ELSE 'no' END, o->>'distance_km', o->>'in_stock'), ', ' ORDER BY n) FROM jsonb_array_elements(q->'options') WITH ORDINALITY AS x(o, n) $$;
CREATE FUNCTION pg_temp.carried(o uuid) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', f.location, l.sku, l.quantity, f.promised_at), ', ' ORDER BY f.location, l.sku) FROM shop.fulfillments f JOIN shop.fulfillment_lines l ON l.fulfillment_id = f.id WHERE f.order_id = o $$;
CREATE FUNCTION pg_temp.told(q jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', l->>'location', l->>'sku', l->>'quantity', (l->>'promised_at')::timestamptz), ', ' ORDER BY l->>'location', l->>'sku') FROM jsonb_array_elements(q->'lines') l WHERE l->>'disposition' = 'allocate' $$;
CREATE FUNCTION pg_temp.place(d jsonb) RETURNS uuid LANGUAGE sql AS $$
	SELECT order_id FROM oms.place_order('shop', jsonb_set(d || '{"currency": "EUR"}', '{lines}', (SELECT jsonb_agg(l || '{"unit_price": 1}' ORDER BY n) FROM jsonb_array_elements(d->'lines') WITH ORDINALITY AS x(l, n)))) $$;

-- ---- what it tells

\set berlin '"ship_to": {"name": "B", "country": "DE", "latitude": 52.52, "longitude": 13.40}'
SELECT oms.quote('shop', ('{"channel": "web", ' || :'berlin' || ', "lines": [{"sku": "mug", "quantity": 2}]}')::jsonb) AS q \gset
SELECT is(pg_temp.lines(:'q'), '1 mug 2 ship south allocate 0.25', 'from where it costs least');
SELECT is(:'q'::jsonb - 'lines' - 'options' - 'promised_at', '{"cost": 3.5000, "complete": true, "shipments": 1}', 'what that costs');
SELECT is((:'q'::jsonb->>'promised_at')::timestamptz, pg_temp.end_of('south', 2), 'when it is there, by the location''s clock');
SELECT is((:'q'::jsonb#>>'{lines,0,promised_at}')::timestamptz, pg_temp.end_of('south', 2), 'and of each line');
SELECT is(pg_temp.options(:'q'), 'pickup north 1.5 255.1 {"mug": 5}, pickup south 1.5 503.8 {"mug": 9}, service 1.5, ship 3.5', 'other ways, pickups by distance, with what is there') ;
SELECT is((SELECT o->>'why_not' FROM jsonb_array_elements(:'q'::jsonb->'options') o WHERE o->>'method' = 'service'), NULL, 'no reason where it can be');
SELECT oms.quote('shop', ('{"channel": "web", ' || :'berlin' || ', "lines": [{"sku": "set", "quantity": 1}, {"sku": "fit", "quantity": 1}, {"sku": "late", "quantity": 5}, {"sku": "care", "quantity": 1, "parent": 1}]}')::jsonb) AS q \gset
SELECT matches(pg_temp.lines(:'q'), '^1 cup 1 ship north allocate 0.5, 1 mug 2 ship north allocate 0.5, 2 fit 1 ship north allocate 0, 3 late 3 ship backorder, 3 late 2 ship short', 'kits as their components, what is backordered and short');
SELECT is(:'q'::jsonb->'complete', 'false', 'which is not complete');
SELECT is(:'q'::jsonb->>'promised_at', NULL, 'and not promised');
SELECT matches((SELECT o->>'why_not' FROM jsonb_array_elements(:'q'::jsonb->'options') o WHERE o->>'method' = 'ship'), '^5 of 5 units of sku "late"', 'a way that cannot be says why');
SELECT is((oms.quote('shop', '{"channel": "web", "ship_to": {"name": "F", "country": "FR"}, "lines": [{"sku": "mug", "quantity": 1}]}')->>'promised_at'), NULL, 'no date where the days on the way are unknown');
SELECT is((oms.quote('shop', ('{"channel": "web", "requested_at": "2099-05-01 10:00+00", ' || :'berlin' || ', "lines": [{"sku": "mug", "quantity": 1}]}')::jsonb)->>'promised_at')::timestamptz, '2099-05-01 10:00+00', 'not before it is wanted');

-- ---- placing does the same

CREATE FUNCTION pg_temp.same(d jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE told text := pg_temp.told(oms.quote('shop', d)); carried text;
BEGIN
	carried := pg_temp.carried(pg_temp.place(d));
	RETURN CASE WHEN told IS DISTINCT FROM carried THEN told || ' but ' || carried ELSE 'same' END;
END $$;
SELECT is(pg_temp.same(('{"channel": "web", ' || :'berlin' || ', "lines": [{"sku": "mug", "quantity": 2}, {"sku": "cup", "quantity": 1}, {"sku": "mug", "quantity": 1, "method": "pickup", "pickup_location": "north"}]}')::jsonb), 'same', 'lines that go two ways, placed at once');
SELECT is(pg_temp.same(('{"channel": "web", ' || :'berlin' || ', "lines": [{"sku": "set", "quantity": 1}, {"sku": "late", "quantity": 1}]}')::jsonb), 'same', 'a bundle, placed in steps');
SELECT is(pg_temp.same(('{"channel": "web", "requested_at": "2099-05-01", ' || :'berlin' || ', "lines": [{"sku": "mug", "quantity": 1}]}')::jsonb), 'same', 'what is wanted later');
UPDATE shop.fulfillments SET promised_at = '2030-01-01' WHERE number = (SELECT min(number) FROM shop.fulfillments);
SELECT is((SELECT count(*) FROM shop.fulfillments WHERE promised_at = '2030-01-01'), 1::bigint, 'people change it');
UPDATE shop.locations SET cutoff = '00:00' WHERE code = 'south';
SELECT is((oms.quote('shop', ('{"channel": "web", ' || :'berlin' || ', "lines": [{"sku": "mug", "quantity": 1}]}')::jsonb)->>'promised_at')::timestamptz, pg_temp.end_of('south', 3), 'after the cutoff a day later');


-- ---- units that are held for the cart

INSERT INTO shop.skus (code, name) VALUES ('rare', 'Rare');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('rare', 'south', 'receipt', 3);
SELECT oms.hold_stock('shop', 'mine', '[{"sku": "rare", "quantity": 3}]');
\set held '{"channel": "web", "stock_hold": "mine", "ship_to": {"name": "B", "country": "DE"}, "lines": [{"sku": "rare", "quantity": 4}]}'
SELECT is(pg_temp.lines(oms.quote('shop', :'held'::jsonb - 'stock_hold')), '1 rare 4 ship short', 'nobody else is told that he may have them');
SELECT is(pg_temp.lines(oms.quote('shop', :'held')), '1 rare 3 ship south allocate 0.25, 1 rare 1 ship short', 'the cart is');
SELECT is((SELECT o->>'in_stock' FROM jsonb_array_elements(oms.quote('shop', :'held')->'options') o WHERE o->>'method' = 'pickup' AND o->>'pickup_location' = 'south'), '{"rare": 3}', 'they are in stock for it');
SELECT is(pg_temp.lines(oms.quote('shop', :'held'::jsonb || '{"stock_hold": "other"}')), '1 rare 4 ship short', 'a hold that is not there gives nothing');
SELECT oms.release_hold('shop', 'mine');
SELECT oms.hold_stock('shop', 'mine', '[{"sku": "rare", "quantity": 2}]', '1 microsecond');
SELECT is(pg_temp.lines(oms.quote('shop', :'held')), '1 rare 3 ship south allocate 0.25, 1 rare 1 ship short', 'once it has expired each unit still counts once');
SELECT is(pg_temp.same(:'held'), 'same', 'placing does so');

-- ---- warranties go as their goods do

SELECT is(pg_temp.lines(oms.quote('shop', '{"channel": "web", "ship_to": {"name": "B", "country": "DE"}, "lines": [{"sku": "care", "quantity": 2, "parent": 2}, {"sku": "late", "quantity": 2, "line": 2}]}')),
	'1 care 2 ship backorder, 2 late 2 ship backorder', 'a warranty waits with its goods');
SELECT is(pg_temp.same('{"channel": "web", "ship_to": {"name": "B", "country": "DE"}, "lines": [{"sku": "set", "quantity": 50}, {"sku": "care", "quantity": 50, "parent": 1}]}'), 'same', 'as many as there are whole kits');
SELECT is(pg_temp.same('{"channel": "bare", "ship_to": {"name": "B", "country": "DE"}, "lines": [{"sku": "mug", "quantity": 1, "method": "ship"}, {"sku": "care", "quantity": 1, "parent": 1}]}'), 'same', 'a method of its own it need not have');
SELECT throws_ok($$SELECT pg_temp.place('{"channel": "bare", "lines": [{"sku": "mug", "quantity": 1}, {"sku": "care", "quantity": 1, "parent": 1, "method": "ship"}]}')$$, 'OM009', NULL, 'but its goods must');

-- ---- what cannot be computed with

SAVEPOINT dear;
INSERT INTO shop.sourcing_policies (channel, unfilled_penalty) VALUES ('web', 80000000000);
SELECT throws_ok($$SELECT oms.quote('shop', '{"channel": "web", "lines": [{"sku": "rare", "quantity": 6000}, {"sku": "rare", "quantity": 6000, "requested_at": "2099-01-01"}]}')$$, '22003', 'what the cart could cost is more than can be computed with', 'ways that each can be and together cannot');
ROLLBACK TO dear;
SELECT throws_like($$SELECT oms.quote('shop', '{"channel": "web", "lines": [{"sku": "set", "quantity": 1}, {"sku": "mug", "quantity": 1, "line": 2147483646}]}')$$, '%numbered after line 2147483646, which leaves no numbers for them', 'numbers that run out');

-- ---- faults, and who may ask

SELECT throws_ok($$SELECT oms.quote('shop', '{"channel": "web", "lines": [{"sku": "nix", "quantity": 1}]}')$$, 'OM012', 'lines[0].sku: unknown sku "nix"');
SELECT throws_ok($$SELECT oms.quote('shop', '{"channel": "web", "lines": [{"sku": "mug"}]}')$$, 'OM012', NULL, 'a line without a quantity');
SELECT throws_ok($$SELECT oms.quote('shop', '{"lines": []}')$$, 'OM012', NULL, 'no channel');
SELECT throws_ok($$SELECT oms.quote('shop', '{"channel": "bare", "lines": [{"sku": "mug", "quantity": 1}]}')$$, 'OM009', NULL, 'no method');
SELECT throws_ok($$SELECT oms.quote('shop', '{"channel": "web", "lines": [{"sku": "care", "quantity": 1}]}')$$, 'OM012', NULL, 'a warranty for nothing');
SELECT lives_ok($$SELECT oms.quote('shop', '{"channel": "web", "lines": [], "charges": [{"kind": "fee", "amount": 1}]}')$$, 'a charge alone');
SELECT count(*) AS orders, (SELECT count(*) FROM shop.addresses) AS addresses, (SELECT sum(reserved) FROM shop.stock) AS reserved FROM shop.orders \gset
CREATE ROLE quote_reader;
SELECT oms.grant_store('shop', 'quote_reader', 'reader');
SET ROLE quote_reader;
SET transaction_read_only = on;
SELECT isnt(oms.quote('shop', ('{"channel": "web", ' || :'berlin' || ', "lines": [{"sku": "mug", "quantity": 2}]}')::jsonb), NULL, 'a reader, in a transaction that only reads');
SELECT is((SELECT concat_ws(' ', count(*), (SELECT count(*) FROM shop.addresses), (SELECT sum(reserved) FROM shop.stock)) FROM shop.orders), concat_ws(' ', :orders, :addresses, :reserved), 'nothing is written');
SELECT * FROM finish();
ROLLBACK;
