-- oms.plan_order, and locations' days: what they tell, who may ask, and what is
-- given back.
BEGIN;
SET client_min_messages = error;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, default_method, if_short) VALUES ('web', 'Web', 'ship', 'hold');
INSERT INTO shop.locations (code, name, priority, fixed_cost, pick_cost) VALUES ('a', 'A', 1, 4, 0.5), ('b', 'B', 2, 1, 0.25), ('c', 'C', 3, 9, 0);
INSERT INTO shop.skus (code, name, kind) VALUES ('mug', 'Mug', 'physical'), ('cup', 'Cup', 'physical'), ('late', 'Late', 'physical'), ('none', 'None', 'physical'), ('fit', 'Fitting', 'service'), ('set', 'Set', 'bundle');
INSERT INTO shop.bundle_items (bundle, sku, quantity) VALUES ('set', 'mug', 2), ('set', 'cup', 1);
INSERT INTO shop.backorder_policies (sku, policy, limit_units) VALUES ('late', 'backorder', 3);
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('mug', 'a', 'receipt', 5), ('mug', 'b', 'receipt', 9), ('cup', 'a', 'receipt', 5), ('cup', 'c', 'receipt', 5);

CREATE FUNCTION pg_temp.draft(lines text) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE o uuid;
BEGIN
	INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR') RETURNING id INTO o;
	INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, ship_group)
	SELECT o, n, split_part(l, ' ', 1), split_part(l, ' ', 2)::bigint, 1, nullif(split_part(l, ' ', 3), '') FROM unnest(string_to_array(lines, ', ')) WITH ORDINALITY AS u(l, n);
	RETURN o;
END $$;
CREATE FUNCTION pg_temp.plan(o uuid) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', line_no, sku, quantity, location, trim_scale(unit_cost), disposition), ', ' ORDER BY line_no, sku, location) FROM oms.plan_order('shop', o) $$;
CREATE FUNCTION pg_temp.carried(o uuid) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', f.location, l.sku, l.quantity), ', ' ORDER BY f.location, l.sku) FROM shop.fulfillments f JOIN shop.fulfillment_lines l ON l.fulfillment_id = f.id WHERE f.order_id = o AND f.stock_state = 'reserved' $$;
CREATE FUNCTION pg_temp.days() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(location || ' ' || units, ', ' ORDER BY location, day) FROM shop.location_loads $$;

-- ---- what it tells

SELECT pg_temp.draft('mug 2') AS o \gset
SELECT is(pg_temp.plan(:'o'), '1 mug 2 b 0.25 allocate', 'the cheapest, not the first');
SELECT is((SELECT promised_at FROM oms.plan_order('shop', :'o')), NULL, 'until when is not known');
SAVEPOINT dated;
INSERT INTO shop.shipping_rates (location, transit_days) VALUES ('b', 2);
SELECT is((SELECT promised_at FROM oms.plan_order('shop', :'o')), ((now() AT TIME ZONE 'UTC')::date + 2 + time '23:59:59') AT TIME ZONE 'UTC', 'or is, where the days on the way are');
SELECT promised_at AS at FROM oms.plan_order('shop', :'o') \gset
UPDATE shop.orders SET status = 'placed' WHERE id = :'o';
SELECT is((SELECT promised_at FROM shop.fulfillments WHERE order_id = :'o'), :'at'::timestamptz, 'and kept');
ROLLBACK TO dated;
SELECT pg_temp.draft('mug 2, cup 1') AS o \gset
SELECT is(pg_temp.plan(:'o'), '1 mug 2 a 0.5 allocate, 2 cup 1 a 0.5 allocate', 'one shipment rather than two');
SELECT is((SELECT string_agg(DISTINCT concat_ws(' ', p.method, p.pickup_location, (l.id = p.order_line_id)::text), ', ') FROM oms.plan_order('shop', :'o') p JOIN shop.order_lines l ON l.order_id = :'o' AND l.line_no = p.line_no), 'ship true', 'with the line and how it goes');
SELECT pg_temp.draft('mug 12, late 5, none 1, fit 1') AS o \gset
SELECT is(pg_temp.plan(:'o'), '1 mug 3 a 0.5 allocate, 1 mug 9 b 0.25 allocate, 2 late 3 backorder, 2 late 2 short, 3 none 1 short, 4 fit 1 a 0 allocate', 'what stock has, a policy allows, nobody has, and what takes no stock');
SELECT is((SELECT count(*) FROM shop.fulfillments), 0::bigint, 'nothing is made');
SELECT is((SELECT sum(reserved) FROM shop.stock), 0::numeric, 'nor taken');
UPDATE shop.orders SET status = 'placed' WHERE id = :'o';
SELECT is(pg_temp.carried(:'o'), 'a fit 1, a mug 3, b mug 9', 'reserve does what it said');
SELECT is(pg_temp.plan(:'o'), '2 late 3 backorder, 2 late 2 short, 3 none 1 short', 'then it tells of what waits');
INSERT INTO shop.skus (code, name) VALUES ('other', 'Other');
UPDATE shop.locations SET active = false WHERE code = 'c';
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('none', 'c', 'receipt', 4);
UPDATE shop.locations SET active = true WHERE code = 'c';
SELECT is(pg_temp.plan(:'o'), '2 late 3 backorder, 2 late 2 short, 3 none 1 c 0 allocate', 'and what would be given to it');
SELECT pg_temp.draft('set 1') AS o \gset
SELECT is(pg_temp.plan(:'o'), '1 cup 1 a 0.5 allocate, 1 mug 2 a 0.5 allocate', 'components under the bundle''s line');
UPDATE shop.orders SET status = 'canceled' WHERE id = :'o';
SELECT is(pg_temp.plan(:'o'), NULL, 'nothing for a draft that is canceled');
INSERT INTO shop.skus (code, name, kind) VALUES ('care', 'Care', 'warranty');
SELECT pg_temp.draft('set 9, care 9') AS o \gset
UPDATE shop.order_lines SET parent_line_id = (SELECT id FROM shop.order_lines WHERE order_id = :'o' AND line_no = 1) WHERE order_id = :'o' AND line_no = 2;
SELECT is(pg_temp.plan(:'o') LIKE '%, 2 care 1 a 0 allocate, 2 care 8 short', true, 'a warranty waits with the kits that it is for');
SELECT pg_temp.draft('cup 2 g, mug 2 g, cup 3') AS o \gset
SELECT is(pg_temp.plan(:'o'), '1 cup 2 a 0.5 allocate, 2 mug 2 a 0.5 allocate, 3 cup 3 a 0.5 allocate', 'a ship group together, where stock is shared with a line beside it');

-- ---- who may ask

CREATE ROLE plan_reader;
SELECT oms.grant_store('shop', 'plan_reader', 'reader');
SET ROLE plan_reader;
SELECT is(pg_temp.plan(:'o'), '1 cup 2 a 0.5 allocate, 2 mug 2 a 0.5 allocate, 3 cup 3 a 0.5 allocate', 'a reader');
RESET ROLE;
SAVEPOINT read_only;
SET TRANSACTION READ ONLY;
SELECT is(pg_temp.plan(:'o'), '1 cup 2 a 0.5 allocate, 2 mug 2 a 0.5 allocate, 3 cup 3 a 0.5 allocate', 'also where nothing may be written');
ROLLBACK TO read_only;

-- ---- who may serve

INSERT INTO shop.sourcing_rules (sku, effect) VALUES ('other', 'deny');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('other', 'a', 'receipt', 4);
SELECT throws_like($$ SELECT oms.place_order('shop', '{"channel": "web", "currency": "EUR", "if_short": "refuse", "lines": [{"sku": "other", "quantity": 1, "unit_price": 1}]}') $$, '%no location may serve sku "other"%sourcing rule%denies it', 'why nobody may serve it');
SELECT throws_ok($$ SELECT oms.place_order('shop', '{"channel": "web", "currency": "EUR", "if_short": "refuse", "lines": [{"sku": "other", "quantity": 1, "unit_price": 1}]}') $$, 'OM009');
SELECT throws_ok($$ SELECT oms.place_order('shop', '{"channel": "web", "currency": "EUR", "if_short": "refuse", "lines": [{"sku": "cup", "quantity": 100, "unit_price": 1}]}') $$, 'OM003', NULL, 'want of stock is another matter');
SELECT is((SELECT short FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "other", "quantity": 1, "unit_price": 1}]}')), 1::bigint, 'an order that may wait does');
UPDATE shop.locations SET methods = '{pickup}';
SELECT throws_like($$ SELECT oms.place_order('shop', '{"channel": "web", "currency": "EUR", "if_short": "refuse", "lines": [{"sku": "cup", "quantity": 1, "unit_price": 1}]}') $$, '%no location may serve sku "cup"%the location does not offer the method', 'or by its methods');
UPDATE shop.locations SET methods = NULL;
SAVEPOINT dear;
UPDATE shop.locations SET pick_cost = 100000000000;
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('cup', 'a', 'receipt', 1000000), ('cup', 'c', 'receipt', 1000000);
SELECT throws_like($$ SELECT oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "cup", "quantity": 1000000, "unit_price": 1}]}') $$, 'what sku "cup" of order % could cost is more than can be computed with', 'costs beyond 64 bits');
ROLLBACK TO dear;

-- ---- a location's day

UPDATE shop.locations SET daily_capacity = 5, fixed_cost = 0, pick_cost = 0 WHERE code = 'c';
SELECT order_id AS o FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "cup", "quantity": 3, "unit_price": 1}]}') \gset
SELECT is(pg_temp.carried(:'o') || ': ' || pg_temp.days(), 'c cup 3: c 3', 'the day is counted');
SELECT order_id AS p FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "none", "quantity": 4, "unit_price": 1}]}') \gset
SELECT is(pg_temp.carried(:'p') || ': ' || pg_temp.days(), 'c none 2: c 5', 'no more than it has');
SELECT is((SELECT units_short FROM shop.orders WHERE id = :'p'), 2::bigint, 'the rest waits');
SELECT throws_ok($$ SELECT oms.place_order('shop', '{"channel": "web", "currency": "EUR", "if_short": "refuse", "lines": [{"sku": "none", "quantity": 1, "unit_price": 1}]}') $$, 'OM003', NULL, 'or is refused');
SELECT is((SELECT count(*) FROM (SELECT oms.split_fulfillment('shop', id, '[{"line": 1, "quantity": 1}]') FROM shop.fulfillments WHERE order_id = :'o') x), 1::bigint, 'divided');
UPDATE shop.fulfillments SET status = 'canceled' WHERE id = (SELECT max(id::text)::uuid FROM shop.fulfillments WHERE order_id = :'o');
SELECT is(pg_temp.days(), 'c 4', 'canceled units leave it');
UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = :'o' AND stock_state = 'reserved';
SELECT is(pg_temp.days(), 'c 4', 'shipped ones do not');
UPDATE shop.fulfillments SET status = 'returned_to_sender' WHERE order_id = :'o' AND stock_state = 'issued';
SELECT is(pg_temp.days(), 'c 4', 'nor when they come back');
UPDATE shop.locations SET daily_capacity = 6 WHERE code = 'c';
SELECT is((SELECT orders_filled FROM oms.tick('shop')), 2::bigint, 'what waits is given what there is');
SELECT is(pg_temp.days(), 'c 6', 'within the day');
UPDATE shop.fulfillments SET status = 'rejected' WHERE order_id = :'p' AND stock_state = 'reserved';
SELECT is(pg_temp.days(), 'c 3', 'rejected units leave it too');
UPDATE shop.locations SET cutoff = '00:00' WHERE code = 'c';
SELECT order_id AS o FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "cup", "quantity": 1, "unit_price": 1}]}') \gset
SELECT is((SELECT load_day FROM shop.fulfillments WHERE order_id = :'o'), (now() AT TIME ZONE 'UTC')::date + 1, 'after the cutoff it is the next day''s');
UPDATE shop.locations SET cutoff = NULL, time_zone = 'Pacific/Kiritimati' WHERE code = 'c';
SELECT order_id AS o FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "cup", "quantity": 1, "unit_price": 1}]}') \gset
SELECT is((SELECT load_day FROM shop.fulfillments WHERE order_id = :'o'), (now() AT TIME ZONE 'Pacific/Kiritimati')::date, 'by its own clock');
SELECT throws_ok('UPDATE shop.location_loads SET units = 0', 'OM005', NULL, 'nobody writes it');
SELECT throws_ok(format('UPDATE shop.fulfillments SET load_day = NULL WHERE order_id = %L', :'o'), 'OM005', NULL, 'nor the day');
-- ---- a capacity that is lowered

INSERT INTO shop.locations (code, name, priority, daily_capacity) VALUES ('x', 'X', 1, 8), ('y', 'Y', 2, NULL);
INSERT INTO shop.skus (code, name) VALUES ('day', 'Day');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('day', 'x', 'receipt', 20), ('day', 'y', 'receipt', 3);
CREATE FUNCTION pg_temp.place(units int) RETURNS uuid LANGUAGE sql AS $$
	SELECT order_id FROM oms.place_order('shop', jsonb_build_object('channel', 'web', 'currency', 'EUR', 'ship_to', '{"name": "M"}'::jsonb, 'lines', jsonb_build_array(jsonb_build_object('sku', 'day', 'quantity', units, 'unit_price', 1)))) $$;
SELECT pg_temp.place(4) AS stays, pg_temp.place(4) AS leaves, pg_temp.place(3) AS waits \gset
SELECT is(pg_temp.carried(:'waits') || ': ' || (SELECT units FROM shop.location_loads WHERE location = 'x'), 'y day 3: 8', 'x is full');
UPDATE shop.locations SET daily_capacity = 2 WHERE code = 'x';
SELECT is(oms.change_delivery('shop', :'stays', ship_to => '{"name": "N"}'), 4::bigint, 'another address');
SELECT is(pg_temp.carried(:'stays'), 'x day 4', 'does not drive units from where they are');
UPDATE shop.fulfillments SET status = 'rejected' WHERE order_id IN (:'leaves', :'waits') AND stock_state = 'reserved';
SELECT is(pg_temp.carried(:'waits'), NULL, 'but what another order gives up is not room in a day that has too much');
SELECT is((SELECT units FROM shop.location_loads WHERE location = 'x'), 4::bigint, 'it has what is left');
UPDATE shop.locations SET daily_capacity = 6 WHERE code = 'x';
SELECT oms.tick('shop');
SELECT is(pg_temp.carried(:'waits'), 'x day 2', 'with more room as much is given as there is');
SELECT is((SELECT string_agg(rule, '; ') FROM oms.verify_store('shop') WHERE violations > 0), NULL, 'all adds up');
SELECT * FROM finish();
ROLLBACK;
