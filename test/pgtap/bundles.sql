-- Bundles: what they hold, what becomes of them when an order is placed and
-- canceled, to the last digit; warranties; what takes no stock.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name) VALUES ('web', 'Web'), ('bare', 'Bare');
UPDATE shop.channels SET default_method = NULL WHERE code = 'bare';
INSERT INTO shop.locations (code, name, priority) VALUES ('a', 'A', 1), ('b', 'B', 2);
INSERT INTO shop.skus (code, name) VALUES ('cam', 'Camera'), ('lens', 'Lens'), ('bag', 'Bag'), ('card', 'Card');
INSERT INTO shop.skus (code, name, kind) VALUES ('kit', 'Kit', 'bundle'), ('big', 'Big kit', 'bundle'), ('free', 'Free kit', 'bundle'), ('care', 'Care', 'warranty'),
	('app', 'App', 'digital'), ('setup', 'Setup', 'service'), ('box', 'Box', 'subscription'), ('empty', 'Empty', 'bundle');

CREATE FUNCTION pg_temp.rows(query text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE list text; BEGIN EXECUTE format('SELECT string_agg(r::text, '' '') FROM (%s) AS r', query) INTO list; RETURN list; END $$;
CREATE FUNCTION pg_temp.components(code text) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(sku || ' ' || quantity || ' ' || round(share, 6), ', ' ORDER BY sku) FROM shop.bundle_components WHERE bundle = $1 $$;
CREATE FUNCTION pg_temp.place(lines text, more jsonb DEFAULT '{}') RETURNS uuid LANGUAGE sql
AS $$ SELECT order_id FROM oms.place_order('shop', jsonb_build_object('channel', 'web', 'currency', 'EUR', 'lines', lines::jsonb) || more) $$;
CREATE FUNCTION pg_temp.lines(o uuid) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(format('%s %s %s', line_no, sku, quantity) || CASE WHEN expanded THEN ' expanded' ELSE format(': %s canceled, %s allocated, %s short, %s shipped', canceled, allocated, short, shipped) END, '; ' ORDER BY line_no)
	FROM shop.order_lines WHERE order_id = o $$;
CREATE FUNCTION pg_temp.carried(o uuid) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(format('%s %s %s: %s', location, status, method, items), '; ' ORDER BY number) FROM shop.fulfillments f, LATERAL (SELECT string_agg(sku || ' ' || quantity, ', ' ORDER BY sku) AS items
	FROM shop.fulfillment_lines l WHERE l.fulfillment_id = f.id) l WHERE f.order_id = o $$;
CREATE FUNCTION pg_temp.broken() RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(rule || ': ' || violations, E'\n') FROM oms.verify_store('shop') WHERE violations > 0 $$;

-- ---- what bundles hold

INSERT INTO shop.bundle_items (bundle, sku, quantity, price_share) VALUES ('big', 'kit', 2, NULL), ('big', 'bag', 1, NULL), ('kit', 'cam', 1, 3), ('kit', 'lens', 2, 1);
SELECT is(pg_temp.components('kit'), 'cam 1 0.750000, lens 2 0.250000', 'shares are in proportion');
SELECT is(pg_temp.components('big'), 'bag 1 0.333333, cam 2 0.500000, lens 4 0.166667', 'a bundle in a bundle, by quantity where no share is given; one statement in any order');
INSERT INTO shop.bundle_items (bundle, sku, quantity, price_share) VALUES ('big', 'lens', 1, 0);
SELECT is(pg_temp.components('big'), 'bag 1 0.333333, cam 2 0.500000, lens 5 0.166667', 'what is held twice is added up');
UPDATE shop.bundle_items SET quantity = 3 WHERE bundle = 'kit' AND sku = 'lens';
SELECT is(pg_temp.components('big'), 'bag 1 0.333333, cam 2 0.500000, lens 7 0.166667', 'a change goes up to what holds the bundle');
DELETE FROM shop.bundle_items WHERE bundle = 'big' AND sku = 'lens';
UPDATE shop.bundle_items SET quantity = 2, price_share = 1 WHERE bundle = 'kit' AND sku = 'lens';
INSERT INTO shop.bundle_items VALUES ('free', 'cam', 1, 0), ('free', 'lens', 3, 0);
SELECT is(pg_temp.components('free'), 'cam 1 0.250000, lens 3 0.750000', 'all shares 0: by quantity');
UPDATE shop.bundle_items SET bundle = 'empty' WHERE bundle = 'free' AND sku = 'lens';
SELECT is(concat_ws('; ', pg_temp.components('free'), pg_temp.components('empty')), 'cam 1 1.000000; lens 3 1.000000', 'an item changes bundles');
DELETE FROM shop.bundle_items WHERE bundle IN ('empty', 'free');
SELECT is(concat(pg_temp.components('free'), pg_temp.components('empty')), '', 'without items no components');

SELECT throws_ok($$ INSERT INTO shop.bundle_items VALUES ('kit', 'kit') $$, '23514', 'bundle "kit" would hold itself: "kit" -> "kit"', 'itself');
SELECT throws_ok($$ INSERT INTO shop.bundle_items VALUES ('kit', 'big') $$, '23514', 'bundle "big" would hold itself: "big" -> "kit" -> "big"', 'a circle is named');
SELECT throws_ok($$ UPDATE shop.bundle_items SET sku = 'big' WHERE bundle = 'kit' AND sku = 'cam' $$, '23514', NULL, 'by UPDATE too');
SELECT throws_ok($$ INSERT INTO shop.bundle_items VALUES ('cam', 'bag') $$, '23514', 'sku "cam" is no bundle and has no items', 'only bundles have items');
SELECT throws_ok($$ INSERT INTO shop.bundle_items VALUES ('big', 'empty') $$, '23514', 'bundle "big" would hold bundle "empty", which has no items', 'an empty bundle in a bundle');
SELECT throws_ok($$ DELETE FROM shop.bundle_items WHERE bundle = 'kit' $$, '23514', 'bundle "big" would hold bundle "kit", which has no items', 'nor by removing its last item');
SELECT throws_ok($$ INSERT INTO shop.bundle_items VALUES ('kit', 'nothing') $$, '23503', NULL, 'an unknown SKU');
SELECT throws_ok(format('INSERT INTO shop.bundle_items VALUES (''kit'', ''card'', %s)', q), sqlstate, NULL, q) FROM (VALUES
	('0', '23514'), ('-1', '23514'), ('NULL', '23502'), ('1000000001', '23514'), ('1, -0.1', '23514'), ('1, ''NaN''', '23514'), ('1, ''Infinity''', '22003'), ('1, 1e300', '22003')) AS v(q, sqlstate);
SELECT throws_ok($$ INSERT INTO shop.bundle_items VALUES ('free', 'kit', 1000000000), ('free', 'lens', 1) $$, '22003', 'bundle "free" would hold more than 1000000000 units of sku "lens"', 'quantities are multiplied');
SELECT throws_ok($$ UPDATE shop.bundle_components SET quantity = 1 $$, 'OM005', NULL, 'components follow');
SELECT throws_ok($$ TRUNCATE shop.bundle_items $$, 'OM005', NULL, 'TRUNCATE');
SELECT throws_ok($$ DELETE FROM shop.skus WHERE code = 'kit' $$, '23503', NULL, 'a SKU that items name stays');
SELECT throws_ok(format('UPDATE shop.skus SET kind = %L WHERE code = %L', k, c), 'OM006', NULL, c || ' cannot become ' || k) FROM (VALUES ('kit', 'physical'), ('cam', 'bundle'), ('empty', 'service'), ('cam', 'warranty'), ('care', 'digital')) AS v(c, k);
SELECT lives_ok($$ UPDATE shop.skus SET kind = 'subscription' WHERE code = 'card' $$, 'other kinds change');
UPDATE shop.skus SET kind = 'physical' WHERE code = 'card';

-- levels, ways
INSERT INTO shop.skus (code, name, kind) SELECT 'n' || n, 'N', 'bundle' FROM generate_series(1, 9) n;
INSERT INTO shop.bundle_items SELECT 'n' || n, CASE n WHEN 8 THEN 'cam' ELSE 'n' || n + 1 END, 2 FROM generate_series(1, 8) n;
SELECT is(pg_temp.components('n1'), 'cam 256 1.000000', '8 levels');
SELECT throws_ok($$ INSERT INTO shop.bundle_items VALUES ('n9', 'n1') $$, '54000', 'bundle "n9" would be 9 levels deep, and 8 are the most', 'a ninth above');
SELECT throws_ok($$ INSERT INTO shop.bundle_items VALUES ('n9', 'bag'), ('n8', 'n9') $$, '54000', 'bundle "n1" would be 9 levels deep, and 8 are the most', 'a ninth below');
SELECT throws_ok($$ INSERT INTO shop.bundle_items VALUES ('n8', 'n1') $$, '23514', 'bundle "n1" would hold itself: "n1" -> "n2" -> "n3" -> "n4" -> "n5" -> "n6" -> "n7" -> "n8" -> "n1"', 'a circle through all');
INSERT INTO shop.skus (code, name, kind) SELECT 'w' || level || '-' || n, 'W', 'bundle' FROM generate_series(1, 8) level, generate_series(1, 30) n;
SELECT throws_ok($$ INSERT INTO shop.bundle_items SELECT 'w' || level || '-' || n, CASE level WHEN 8 THEN 'cam' ELSE 'w' || level + 1 || '-' || m END
	FROM generate_series(1, 8) level, generate_series(1, 30) n, generate_series(1, 30) m WHERE level < 8 OR m = 1 $$, '54000', NULL, 'a thicket of bundles');

SELECT is(pg_temp.broken(), NULL, 'what bundles come to is recounted');

-- ---- what takes no stock

SELECT is((SELECT string_agg(code, ' ' ORDER BY code) FROM shop.skus WHERE NOT tracked AND code NOT LIKE 'n_' AND code NOT LIKE 'w%'), 'app big box care empty free kit setup', 'not counted in stock');
SELECT throws_ok(format('INSERT INTO shop.skus (code, name, kind, tracked) VALUES (''x'', ''X'', %L, true)', k), '23514', NULL, 'never: ' || k) FROM unnest(ARRAY['digital', 'service', 'warranty', 'bundle']) k;
SELECT lives_ok($$ INSERT INTO shop.skus (code, name, kind, tracked) VALUES ('x', 'X', 'subscription', true), ('y', 'Y', 'physical', false) $$, 'others as one says');

-- ---- placing

INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('cam', 'a', 'receipt', 10), ('lens', 'a', 'receipt', 20), ('bag', 'a', 'receipt', 10), ('cam', 'b', 'receipt', 10), ('lens', 'b', 'receipt', 20);
SELECT is(pg_temp.rows('SELECT sku, available FROM shop.availability WHERE sku IN (''kit'', ''big'') ORDER BY sku'), '(big,10) (kit,20)', 'how many could be sold');
SELECT pg_temp.place('[{"sku": "big", "quantity": 3, "unit_price": 99.99, "discount": 0.01, "tax": 7.77}, {"sku": "bag", "quantity": 1, "unit_price": 1}]', '{"external_ref": "r1"}') AS o \gset
SELECT is(pg_temp.lines(:'o'), '1 big 3 expanded; 2 bag 1: 0 canceled, 1 allocated, 0 short, 0 shipped; 3 bag 3: 0 canceled, 3 allocated, 0 short, 0 shipped; 4 cam 6: 0 canceled, 6 allocated, 0 short, 0 shipped; 5 lens 12: 0 canceled, 12 allocated, 0 short, 0 shipped', 'components count instead of the bundle');
SELECT is(pg_temp.rows(format('SELECT line_no, unit_price, discount, tax, per_kit, ship_group FROM shop.order_lines WHERE order_id = %L AND line_no > 2 ORDER BY 1', :'o')),
	'(3,33.3289,0.0000,2.5900,1,"bundle line 1") (4,24.9967,0.0002,3.8850,2,"bundle line 1") (5,4.1662,0.0011,1.2950,4,"bundle line 1")', 'and carry its money');
SELECT is(pg_temp.rows(format('SELECT units, units_allocated, total, status FROM shop.orders WHERE id = %L', :'o')), '(22,22,308.7300,confirmed)', 'the total stays, units are those that are sent');
SELECT is(pg_temp.carried(:'o'), 'a released ship: bag 3, cam 6, lens 12; a released ship: bag 1', 'kits go together');
SELECT is(pg_temp.rows('SELECT line_no, sku, quantity, canceled, allocated, shipped, net_amount, tax FROM shop.bundle_lines'), '(1,big,3,0,3,0,299.9600,7.7700)', 'bundle_lines');
SELECT is((SELECT sum(net_amount + tax) FROM shop.order_line_facts), 308.73, 'order_line_facts adds up');
SELECT is(pg_temp.rows('SELECT bundle, count(*), sum(quantity) FROM shop.order_line_facts GROUP BY 1 ORDER BY 1'), '(big,3,21) (,1,1)', 'and says which bundle it was');
SELECT is(pg_temp.rows(format('SELECT event, detail FROM shop.order_events WHERE order_id = %L AND event = ''expanded''', :'o')), '(expanded,"{""line"": 1, ""quantity"": 3, ""components"": 3}")', 'the log tells');
SELECT is((SELECT repeated FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "external_ref": "r1", "lines": [{"sku": "big", "quantity": 3, "unit_price": 99.99, "discount": 0.01, "tax": 7.77}, {"sku": "bag", "quantity": 1, "unit_price": 1}]}')), true, 'a repeat finds it');
SELECT throws_ok($$ SELECT pg_temp.place('[{"sku": "bag", "quantity": 1, "unit_price": 1}, {"sku": "kit", "quantity": 12, "unit_price": 1}, {"sku": "kit", "quantity": 3, "unit_price": 1}]') $$, 'OM003', NULL, 'two kits that share components are judged together');
CREATE FUNCTION pg_temp.detail(statement text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE d text; BEGIN EXECUTE statement; RETURN NULL; EXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL; RETURN d; END $$;
SELECT is(pg_temp.detail($$ SELECT pg_temp.place('[{"sku": "bag", "quantity": 1, "unit_price": 1}, {"sku": "kit", "quantity": 12, "unit_price": 1}, {"sku": "kit", "quantity": 3, "unit_price": 1}]') $$),
	'[{"line":2,"sku":"cam","location":null,"wanted":12,"available":11},{"line":2,"sku":"lens","location":null,"wanted":24,"available":22}]', 'and what is lacking is told of the bundle''s line: the other could be kept together');
SELECT throws_ok($$ SELECT pg_temp.place('[{"sku": "empty", "quantity": 1, "unit_price": 1}]') $$, 'OM012', 'lines[0].sku: bundle "empty" has no items in bundle_items', 'a bundle of nothing');
SELECT throws_ok($$ SELECT pg_temp.place('[{"sku": "kit", "quantity": 1000000000000, "unit_price": 0}]') $$, 'OM012', 'lines[0].quantity: 1000000000000 of bundle "kit" hold more than 1000000000000 units of sku "lens"', 'too many units');
SELECT throws_ok($$ SELECT pg_temp.place('[{"line": 2147483647, "sku": "kit", "quantity": 1, "unit_price": 0}]') $$, 'OM012', NULL, 'no number is left');
SELECT throws_ok($$ SELECT pg_temp.place('[{"sku": "kit", "quantity": 1, "unit_price": 0}]', '{"channel": "bare"}') $$, 'OM009', 'line 1 of order "' || (SELECT number_prefix || last_value + 1 FROM shop.settings, shop.order_number) || '" has no method for sku "cam", which bundle "kit" holds', 'no method');
UPDATE shop.skus SET active = false WHERE code = 'lens';
SELECT throws_ok($$ SELECT pg_temp.place('[{"sku": "kit", "quantity": 1, "unit_price": 0}]') $$, 'OM012', 'lines[0].sku: sku "lens", which bundle "kit" holds, is not active', 'a component that is not sold');
UPDATE shop.skus SET active = true WHERE code = 'lens';
SELECT throws_ok(format('UPDATE shop.order_lines SET %s WHERE order_id = %L AND line_no = %s', change, :'o', line), state, NULL, change) FROM (VALUES
	('expanded = false', 'OM005', 1), ('per_kit = 1', 'OM005', 4), ('per_kit = NULL', 'OM005', 4), ('quantity = 7', 'OM006', 4), ('parent_line_id = NULL', 'OM006', 4)) AS v(change, state, line);
SELECT throws_ok($$ INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, expanded) SELECT id, 99, 'bag', 1, 1, true FROM shop.orders $$, 'OM005', NULL, 'by hand: expanded');
SELECT throws_ok($$ INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, per_kit) SELECT id, 99, 'bag', 1, 1, 1 FROM shop.orders $$, 'OM005', NULL, 'by hand: per_kit');
UPDATE shop.bundle_items SET quantity = 9 WHERE bundle = 'kit' AND sku = 'lens';
SELECT is(pg_temp.broken(), NULL, 'a bundle that changes leaves placed orders alone');
UPDATE shop.bundle_items SET quantity = 2 WHERE bundle = 'kit' AND sku = 'lens';

-- ---- canceling

SELECT throws_ok(format('SELECT oms.cancel_lines(''shop'', %L, %L)', :'o', '[{"line": 4, "quantity": 1}]'), 'OM012', 'lines[0].line: line 4 is a part of bundle line 1: cancel whole kits by that line''s number', 'not by the component');
SELECT throws_ok(format('SELECT oms.cancel_lines(''shop'', %L, %L)', :'o', '[{"line": 1, "quantity": 4}]'), 'OM012', 'lines[0].quantity: only 3 kits of line 1 are whole, with no unit shipped or canceled, not 4', 'not more kits than there are');
SELECT is(oms.cancel_lines('shop', :'o', '[{"line": 1, "quantity": 1}]'), 7::bigint, 'a kit');
SELECT is(pg_temp.lines(:'o'), '1 big 3 expanded; 2 bag 1: 0 canceled, 1 allocated, 0 short, 0 shipped; 3 bag 3: 1 canceled, 2 allocated, 0 short, 0 shipped; 4 cam 6: 2 canceled, 4 allocated, 0 short, 0 shipped; 5 lens 12: 4 canceled, 8 allocated, 0 short, 0 shipped', 'of every component');
SELECT id AS f FROM shop.fulfillments WHERE order_id = :'o' AND status = 'released' AND id IN (SELECT fulfillment_id FROM shop.fulfillment_lines WHERE sku = 'cam') \gset
SELECT oms.split_fulfillment('shop', :'f', '[{"line": 4, "quantity": 1}]') AS part \gset
UPDATE shop.fulfillments SET status = 'shipped' WHERE id = :'part';
SELECT throws_ok(format('SELECT oms.cancel_lines(''shop'', %L, %L)', :'o', '[{"line": 1, "quantity": 2}]'), 'OM012', 'lines[0].quantity: only 1 kits of line 1 are whole, with no unit shipped or canceled, not 2: cancel what is left of the others by the lines of their components', 'a kit of which a unit has left stays');
SELECT is(oms.cancel_lines('shop', :'o', '[{"line": 1, "quantity": 1}]'), 7::bigint, 'another goes');
SELECT is(pg_temp.rows('SELECT quantity, canceled, allocated, shipped FROM shop.bundle_lines'), '(3,2,1,0)', 'kits by state');
UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = :'o' AND status = 'released';
UPDATE shop.fulfillments SET status = 'delivered' WHERE id = :'f';
SELECT is(pg_temp.rows('SELECT quantity, canceled, allocated, shipped, delivered FROM shop.bundle_lines'), '(3,2,0,1,0)', 'shipped, not wholly delivered');
UPDATE shop.fulfillments SET status = 'delivered' WHERE id = :'part';
SELECT is(pg_temp.rows('SELECT shipped, delivered FROM shop.bundle_lines'), '(1,1)', 'delivered');
SELECT is((SELECT status FROM shop.orders WHERE id = :'o'), 'completed', 'and the order is complete');

SELECT pg_temp.place('[{"sku": "kit", "quantity": 3, "unit_price": 0.3333, "tax": 0.1}, {"sku": "bag", "quantity": 1, "unit_price": 5}]') AS o \gset
SELECT oms.cancel_lines('shop', :'o', '[{"line": 1, "quantity": 1}]'), oms.cancel_lines('shop', :'o', '[{"line": 1, "quantity": 2}]');
SELECT is((SELECT credited FROM shop.orders WHERE id = :'o'), 1.0999, 'all kits canceled: exactly their price');
SELECT oms.cancel_lines('shop', :'o');
SELECT is(pg_temp.rows(format('SELECT status, credited = total FROM shop.orders WHERE id = %L', :'o')), '(canceled,t)', 'canceled wholly');

-- ---- where kits come from

UPDATE shop.stock SET safety_stock = available - 3 WHERE sku IN ('cam', 'lens') AND location = 'a';
UPDATE shop.stock SET safety_stock = available - 6 WHERE sku IN ('cam', 'lens') AND location = 'b';
SELECT pg_temp.place('[{"sku": "kit", "quantity": 3, "unit_price": 3}]') AS o \gset
SELECT is(pg_temp.carried(:'o'), 'b released ship: cam 3, lens 6', 'from one location that has all');
SELECT oms.cancel_lines('shop', :'o');
SELECT pg_temp.place('[{"sku": "kit", "quantity": 4, "unit_price": 3}]') AS o \gset
SELECT is(pg_temp.carried(:'o'), 'a released ship: cam 1, lens 2; b released ship: cam 3, lens 6', 'else whole kits from each');
UPDATE shop.fulfillments SET status = 'rejected' WHERE order_id = :'o' AND location = 'a';
SELECT is(pg_temp.lines(:'o'), '1 kit 4 expanded; 2 cam 4: 0 canceled, 4 allocated, 0 short, 0 shipped; 3 lens 8: 0 canceled, 6 allocated, 2 short, 0 shipped', 'a reject: elsewhere, as far as there is stock');
SELECT is(pg_temp.carried(:'o'), 'a rejected ship: cam 1, lens 2; b released ship: cam 3, lens 6; b open ship: cam 1', 'what is complete waits for what is not');
SELECT oms.cancel_lines('shop', :'o', '[{"line": 1, "quantity": 1}]');
SELECT is(pg_temp.lines(:'o'), '1 kit 4 expanded; 2 cam 4: 1 canceled, 3 allocated, 0 short, 0 shipped; 3 lens 8: 2 canceled, 6 allocated, 0 short, 0 shipped', 'a kit that is short in part goes as a whole, short units first');
SELECT is(pg_temp.broken(), NULL, 'everything agrees');
SELECT oms.cancel_lines('shop', :'o');
UPDATE shop.stock SET safety_stock = 0;

INSERT INTO shop.locations (code, name, priority) VALUES ('c', 'C', 3);
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('cam', 'c', 'receipt', 2), ('lens', 'c', 'receipt', 4);
SELECT pg_temp.place('[{"sku": "kit", "quantity": 3, "unit_price": 3}]') AS o \gset
UPDATE shop.stock SET safety_stock = safety_stock + available - CASE sku WHEN 'cam' THEN 3 ELSE 2 END WHERE sku IN ('cam', 'lens') AND location = 'b';
UPDATE shop.fulfillments SET status = 'rejected' WHERE order_id = :'o';
SELECT is((SELECT string_agg(location || ' ' || sku || ' ' || quantity, ', ' ORDER BY location, sku) FROM shop.fulfillments f JOIN shop.fulfillment_lines l ON l.fulfillment_id = f.id WHERE order_id = :'o' AND stock_state = 'reserved'),
	'b cam 1, b lens 2, c cam 2, c lens 4', 'a reject: whole kits from each location first');
SELECT oms.cancel_lines('shop', :'o');
UPDATE shop.stock SET safety_stock = 0;
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('cam', 'c', 'count', 0), ('lens', 'c', 'count', 0);
UPDATE shop.locations SET active = false WHERE code = 'c';

-- without ship_together, and with the methods of lines, bundles and components
UPDATE shop.skus SET ship_together = false WHERE code = 'kit';
INSERT INTO shop.bundle_items VALUES ('kit', 'app', 1, 0);
UPDATE shop.skus SET default_method = 'digital' WHERE code = 'app';
SELECT pg_temp.place('[{"sku": "kit", "quantity": 1, "unit_price": 3}]') AS o \gset
SELECT is(pg_temp.carried(:'o'), 'a delivered digital: app 1; a released ship: cam 1, lens 2', 'a component goes by its own method');
SELECT is((SELECT count(ship_group) FROM shop.order_lines WHERE order_id = :'o'), 0::bigint, 'apart');
SELECT pg_temp.place('[{"sku": "kit", "quantity": 1, "unit_price": 3, "method": "pickup", "pickup_location": "b", "ship_group": "g"}]') AS o \gset
SELECT is(pg_temp.carried(:'o'), 'b released pickup: app 1, cam 1, lens 2', 'unless the line says one');
SELECT is(pg_temp.rows(format('SELECT ship_group, method, pickup_location, count(*) FROM shop.order_lines WHERE order_id = %L GROUP BY 1, 2, 3', :'o')), '(g,pickup,b,4)', 'what the line says is its components''');
DELETE FROM shop.bundle_items WHERE bundle = 'kit' AND sku = 'app';
UPDATE shop.skus SET ship_together = true WHERE code = 'kit';

-- short components wait together, and receipts fill them
INSERT INTO shop.bundle_items VALUES ('free', 'bag', 1), ('free', 'card', 2);
SELECT pg_temp.place('[{"sku": "free", "quantity": 2, "unit_price": 3}]', '{"if_short": "hold"}') AS o \gset
SELECT is(pg_temp.lines(:'o'), '1 free 2 expanded; 2 bag 2: 0 canceled, 2 allocated, 0 short, 0 shipped; 3 card 4: 0 canceled, 0 allocated, 4 short, 0 shipped', 'short components');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('card', 'a', 'receipt', 4);
SELECT is(pg_temp.carried(:'o'), 'a released ship: bag 2; a released ship: card 4', 'go on when the last has come');
SELECT is(pg_temp.broken(), NULL, 'everything agrees');

-- plain SQL makes the same, and oms.next_moves leaves no trace
INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR') RETURNING id AS p \gset
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, discount) VALUES (:'p', 7, 'kit', 2, 10, 3);
SELECT is(pg_temp.rows(format('SELECT * FROM oms.next_moves(''shop'', ''order'', %L) WHERE to_state = ''placed''', :'p')), '(placed,t,)', 'next_moves: it can be placed');
SELECT is(pg_temp.lines(:'p'), '7 kit 2: 0 canceled, 0 allocated, 0 short, 0 shipped', 'and nothing has happened');
UPDATE shop.orders SET status = 'placed' WHERE id = :'p';
SELECT is(pg_temp.lines(:'p'), '7 kit 2 expanded; 8 cam 2: 0 canceled, 2 allocated, 0 short, 0 shipped; 9 lens 4: 0 canceled, 4 allocated, 0 short, 0 shipped', 'placed by UPDATE');
SELECT is((SELECT total FROM shop.orders WHERE id = :'p'), 17.0000, 'its total');
INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR') RETURNING id AS p \gset
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) VALUES (:'p', 1, 'kit', 99, 10);
SELECT is(pg_temp.rows(format('SELECT allowed FROM oms.next_moves(''shop'', ''order'', %L) WHERE to_state = ''placed''', :'p')), '(f)', 'next_moves: it cannot');
SELECT throws_ok(format('UPDATE shop.orders SET status = ''placed'' WHERE id = %L', :'p'), 'OM003', NULL, 'short by UPDATE');

-- ---- warranties

SELECT throws_ok($$ SELECT pg_temp.place('[{"sku": "care", "quantity": 1, "unit_price": 3}]') $$, 'OM012', 'lines[0].parent: sku "care" is a warranty and needs the line of the order that it is for', 'a warranty of nothing');
SELECT throws_ok($$ SELECT pg_temp.place('[{"sku": "cam", "quantity": 1, "unit_price": 3}, {"sku": "care", "quantity": 2, "unit_price": 3, "parent": 1}]') $$, 'OM012', 'lines[1].quantity: is more than the 1 units of line 1, which the warranty is for', 'more than the goods');
SELECT throws_ok(format($$ INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, parent_line_id) SELECT %L, 2, 'care', 1, 1, id FROM shop.order_lines WHERE order_id = %L LIMIT 1; UPDATE shop.orders SET status = 'placed' WHERE id = %1$L $$, :'p', :'o'),
	'OM012', NULL, 'of a line of another order');
SELECT throws_ok(format($$ WITH w AS (INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, parent_line_id) SELECT %L, 2, 'care', 1, 1, id FROM shop.order_lines WHERE order_id = %1$L RETURNING id)
	INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, parent_line_id) SELECT %1$L, 3, 'care', 1, 1, id FROM w; UPDATE shop.orders SET status = 'placed' WHERE id = %1$L $$, :'p'), 'OM012', 'lines[2].parent: line 2 is a warranty itself', 'of a warranty');
SELECT pg_temp.place('[{"sku": "cam", "quantity": 3, "unit_price": 3, "method": "pickup", "pickup_location": "b", "ship_group": "g"}, {"sku": "care", "quantity": 2, "unit_price": 1, "parent": 1}]') AS o \gset
SELECT is(pg_temp.rows(format('SELECT method, location, sku, sum(quantity) FROM shop.fulfillments f JOIN shop.fulfillment_lines l ON l.fulfillment_id = f.id WHERE order_id = %L GROUP BY 1, 2, 3 ORDER BY 3', :'o')), '(pickup,b,cam,3) (pickup,b,care,2)', 'a warranty goes the way of its goods');
SELECT is((SELECT count(*) FROM shop.fulfillments WHERE order_id = :'o'), 1::bigint, 'with them');
SELECT is(oms.cancel_lines('shop', :'o', '[{"line": 1, "quantity": 1}]'), 1::bigint, 'as long as goods are left for it');
SELECT is(oms.cancel_lines('shop', :'o', '[{"line": 1, "quantity": 1}]'), 2::bigint, 'it stays, then it is canceled with them');
SELECT is(oms.cancel_lines('shop', :'o', '[{"line": 1, "quantity": 1}, {"line": 2, "quantity": 1}]'), 2::bigint, 'named both');
SELECT is((SELECT status FROM shop.orders WHERE id = :'o'), 'canceled', 'all is canceled');
SELECT pg_temp.place('[{"sku": "kit", "quantity": 2, "unit_price": 3}, {"sku": "care", "quantity": 2, "unit_price": 1, "parent": 1}]') AS o \gset
SELECT is(pg_temp.carried(:'o'), 'a released ship: cam 2, care 2, lens 4', 'of a bundle');
SELECT is((SELECT string_agg(DISTINCT ship_group, ' ') || count(ship_group) FROM shop.order_lines WHERE order_id = :'o'), 'bundle line 13', 'in one group');
SELECT is(oms.cancel_lines('shop', :'o', '[{"line": 1, "quantity": 1}]'), 4::bigint, 'a kit and its warranty');
UPDATE shop.fulfillments SET status = 'rejected' WHERE order_id = :'o' AND status = 'released';
SELECT is(pg_temp.carried(:'o'), 'a rejected ship: cam 1, care 1, lens 2; a canceled ship: cam 1, care 1, lens 2; b released ship: cam 1, care 1, lens 2', 'and it goes along elsewhere');
UPDATE shop.stock SET safety_stock = available - 2 WHERE sku = 'cam' AND location <> 'c';
SELECT pg_temp.place('[{"sku": "cam", "quantity": 3, "unit_price": 3}, {"sku": "care", "quantity": 3, "unit_price": 1, "parent": 1}]') AS o \gset
SELECT is(pg_temp.carried(:'o'), 'a released ship: cam 2, care 2; b released ship: cam 1, care 1', 'goods from two locations: each with its warranty');

-- ---- kits that wait for components

UPDATE shop.stock SET safety_stock = available + safety_stock;
SELECT pg_temp.place('[{"sku": "kit", "quantity": 3, "unit_price": 3}]', '{"if_short": "hold"}') AS o \gset
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('cam', 'a', 'receipt', 2), ('lens', 'a', 'receipt', 2), ('cam', 'b', 'receipt', 1), ('lens', 'b', 'receipt', 2);
SELECT is(pg_temp.carried(:'o'), 'a open ship: cam 1, lens 2; b open ship: cam 1, lens 2', 'are given what completes some, and wait for the rest');
SELECT is(oms.cancel_lines('shop', :'o', '[{"line": 1, "quantity": 1}]'), 3::bigint, 'a kit of which a component is lacking');
SELECT is(pg_temp.lines(:'o'), '1 kit 3 expanded; 2 cam 3: 1 canceled, 2 allocated, 0 short, 0 shipped; 3 lens 6: 2 canceled, 4 allocated, 0 short, 0 shipped', 'is canceled by what is lacking');
SELECT is((SELECT string_agg(DISTINCT status, ' ') FROM shop.fulfillments WHERE order_id = :'o' AND stock_state = 'reserved'), 'released', 'so that the others go');
SELECT oms.cancel_lines('shop', :'o');
UPDATE shop.stock SET safety_stock = available + safety_stock;
SELECT pg_temp.place('[{"sku": "kit", "quantity": 2, "unit_price": 3}]', '{"if_short": "hold"}') AS o \gset
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('cam', 'a', 'receipt', 2), ('lens', 'a', 'receipt', 3), ('cam', 'b', 'receipt', 1), ('lens', 'b', 'receipt', 2);
SELECT is(pg_temp.carried(:'o'), 'a released ship: cam 1, lens 2; b released ship: cam 1, lens 2', 'whole kits from each place, as when they are placed');
UPDATE shop.stock SET safety_stock = 0;
SELECT is(pg_temp.broken(), NULL, 'everything agrees');

-- ---- another order's line is no component, whatever it says that it belongs to

INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR') RETURNING id AS o \gset
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, parent_line_id) SELECT :'o', 900 + row_number() OVER (), 'bag', 4, 1, id FROM shop.order_lines WHERE expanded;
SELECT is(pg_temp.broken(), NULL, 'everything agrees');
SELECT is((SELECT count(*) FROM shop.repair_store()), 0::bigint, 'and nothing is mended');

-- ---- what verify_store would find

SET session_replication_role = replica;
SELECT order_id AS o FROM shop.order_lines WHERE per_kit IS NOT NULL AND canceled = 0 ORDER BY id LIMIT 1 \gset
CREATE FUNCTION pg_temp.found(damage text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE list text; BEGIN
	EXECUTE damage;
	SELECT string_agg(rule, '; ') INTO list FROM oms.verify_store('shop') WHERE violations > 0 AND rule ~ 'bundle';
	RAISE EXCEPTION USING ERRCODE = 'ZZZZZ', MESSAGE = coalesce(list, 'nothing');
EXCEPTION WHEN SQLSTATE 'ZZZZZ' THEN RETURN SQLERRM; END $$;
SELECT is(pg_temp.found(damage), wanted, damage) FROM (VALUES
	('UPDATE shop.order_lines SET per_kit = per_kit + 1 WHERE per_kit IS NOT NULL', 'a line is a bundle''s or a component''s as the log says; a bundle''s line in a placed order has lines of its components, so many units a kit'),
	('UPDATE shop.order_lines SET parent_line_id = NULL WHERE per_kit IS NOT NULL', 'a line is a bundle''s or a component''s as the log says; a bundle''s line in a placed order has lines of its components, so many units a kit; the components of a bundle''s line carry its price and its tax'),
	('UPDATE shop.order_lines SET tax = tax + 0.0001 WHERE expanded', 'the components of a bundle''s line carry its price and its tax'),
	('UPDATE shop.order_lines SET discount = discount + 0.0001 WHERE per_kit IS NOT NULL AND unit_price > 1', 'the components of a bundle''s line carry its price and its tax'),
	('UPDATE shop.bundle_components SET quantity = quantity + 1', 'what bundles come to follows from their items'),
	('UPDATE shop.bundle_components SET share = share + 0.01 WHERE sku = ''cam''', 'what bundles come to follows from their items'),
	('DELETE FROM shop.bundle_components WHERE bundle = ''big'' AND sku = ''bag''', 'what bundles come to follows from their items'),
	('INSERT INTO shop.bundle_items VALUES (''kit'', ''big'', 1)', 'what bundles come to follows from their items'),
	('SELECT 1', 'nothing')) AS v(damage, wanted);
SET session_replication_role = origin;

-- ---- money, to the last digit: whatever prices, shares and kits

CREATE FUNCTION pg_temp.money(orders int) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	b text; o uuid; doc jsonb; kits int; price numeric; vat numeric; rebate numeric; included boolean; want numeric; got numeric; n int; c int;
BEGIN
	FOR i IN 1 .. orders LOOP
		b := 'm' || i;
		INSERT INTO shop.skus (code, name, kind) VALUES (b, 'M', 'bundle');
		n := 1 + floor(random() * 12);
		INSERT INTO shop.bundle_items SELECT b, 'p' || p, 1 + floor(random() ^ 3 * 50), CASE WHEN random() < 0.3 THEN NULL WHEN random() < 0.2 THEN 0 ELSE round((random() * 10 ^ floor(random() * 6 - 3))::numeric, 6) END
		FROM generate_series(1, n) p;
		IF i > 1 AND random() < 0.4 THEN INSERT INTO shop.bundle_items SELECT b, bundle, 2 FROM shop.bundle_items WHERE bundle = 'm' || i - 1 AND sku LIKE 'p%' LIMIT 1; END IF;
		kits := 1 + floor(random() ^ 4 * 500);
		price := round((random() * 10 ^ floor(random() * 9 - 4))::numeric, 4);
		rebate := round(price * kits * (random() ^ 4)::numeric, 4);
		vat := round(price * (random())::numeric, 4);
		included := random() < 0.5;
		want := price * kits - rebate + CASE WHEN included THEN 0 ELSE vat END;
		o := pg_temp.place(jsonb_build_array(jsonb_build_object('sku', b, 'quantity', kits, 'unit_price', price, 'discount', rebate, 'tax', vat))::text, jsonb_build_object('tax_included', included, 'total', want));
		SELECT total INTO got FROM shop.orders WHERE id = o;
		IF got <> want THEN RETURN NEXT format('total %s, not %s', got, want); END IF;
		SELECT sum(quantity * l.unit_price - l.discount) + CASE WHEN included THEN 0 ELSE sum(l.tax) END INTO got FROM shop.order_lines l WHERE order_id = o AND per_kit IS NOT NULL;
		IF got <> want THEN RETURN NEXT format('components %s, not %s', got, want); END IF;
		SELECT max(abs(l.quantity * l.unit_price - l.discount - (price * kits - rebate) * k.share)) INTO got FROM shop.order_lines l JOIN shop.bundle_components k ON k.bundle = b AND k.sku = l.sku WHERE order_id = o AND per_kit IS NOT NULL;
		IF got > 0.0001 THEN RETURN NEXT format('off by %s', got); END IF;
		c := floor(random() * kits);
		IF c > 0 THEN
			PERFORM oms.cancel_lines('shop', o, jsonb_build_array(jsonb_build_object('line', 1, 'quantity', c)));
			SELECT abs(credited - want * c / kits) INTO got FROM shop.orders WHERE id = o;
			IF got > 0.0002 * 13 THEN RETURN NEXT format('credited is off by %s', got); END IF;
		END IF;
		PERFORM oms.cancel_lines('shop', o, jsonb_build_array(jsonb_build_object('line', 1, 'quantity', kits - c)));
		SELECT credited INTO got FROM shop.orders WHERE id = o;
		IF got <> want THEN RETURN NEXT format('credited %s, not %s', got, want); END IF;
	END LOOP;
END $$;
INSERT INTO shop.skus (code, name, tracked) SELECT 'p' || p, 'P', false FROM generate_series(1, 12) p;
SELECT setseed(0.25);
SELECT is((SELECT string_agg(m, E'\n') FROM pg_temp.money(60) m), NULL, 'sums agree exactly for 60 bundles');
SELECT is(pg_temp.broken(), NULL, 'verify_store says so too');

-- ---- large ones

INSERT INTO shop.skus (code, name) SELECT 'q' || q, 'Q' FROM generate_series(1, 1000) q;
INSERT INTO shop.skus (code, name, kind) VALUES ('huge', 'Huge', 'bundle'), ('shed', 'Shed', 'bundle');
INSERT INTO shop.bundle_items SELECT 'huge', 'q' || q, 1 + q % 3 FROM generate_series(1, 1000) q;
INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT 'q' || q, 'a', 'receipt', 3000 FROM generate_series(1, 1000) q;
SELECT pg_temp.place('[{"sku": "huge", "quantity": 1000, "unit_price": 12345.6789, "tax": 999.99}]') AS o \gset
SELECT is(pg_temp.rows(format('SELECT units, units_allocated, total FROM shop.orders WHERE id = %L', :'o')), '(2000000,2000000,12346678.8900)', '1,000 kits of 1,000 components');
SELECT is(oms.cancel_lines('shop', :'o', '[{"line": 1, "quantity": 999}]'), 1998000::bigint, 'canceled');
SELECT throws_ok(format('SELECT pg_temp.place(%L)', (SELECT jsonb_agg(jsonb_build_object('sku', 'huge', 'quantity', 1, 'unit_price', 1)) FROM generate_series(1, 101))), 'OM012', 'lines: the bundles come to 101000 lines, and 100000 are the most', 'more lines than an order may have');
SELECT is(pg_temp.broken(), NULL, 'everything agrees');

SELECT * FROM finish();
ROLLBACK;
