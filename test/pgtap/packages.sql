-- Packages and carrier events: what is packed, what carriers tell in whatever
-- order, and which fulfillments follow.
BEGIN;
SET client_min_messages = error;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name) VALUES ('web', 'Web');
INSERT INTO shop.locations (code, name, priority) VALUES ('a', 'A', 1), ('b', 'B', 2);
INSERT INTO shop.skus (code, name) VALUES ('hat', 'Hat'), ('cup', 'Cup');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT s, l, 'receipt', 100 FROM unnest(ARRAY['hat', 'cup']) s, unnest(ARRAY['a', 'b']) l;

CREATE FUNCTION pg_temp.place(hats bigint, cups bigint) RETURNS uuid LANGUAGE plpgsql
AS $$
DECLARE
	placed uuid;
BEGIN
	SELECT order_id INTO placed FROM oms.place_order('shop', jsonb_build_object('channel', 'web', 'currency', 'EUR', 'lines', jsonb_build_array(
		jsonb_build_object('sku', 'hat', 'quantity', hats, 'unit_price', 10), jsonb_build_object('sku', 'cup', 'quantity', cups, 'unit_price', 10))));
	RETURN (SELECT id FROM shop.fulfillments WHERE order_id = placed);
END $$;
-- packs units of a fulfillment, by line, into a new package
CREATE FUNCTION pg_temp.pack(fulfillment uuid, number text, hats bigint, cups bigint DEFAULT 0) RETURNS uuid LANGUAGE plpgsql
AS $$
DECLARE
	package uuid;
BEGIN
	INSERT INTO shop.packages (fulfillment_id, carrier, tracking_number) VALUES (fulfillment, 'dhl', number) RETURNING id INTO package;
	INSERT INTO shop.package_lines SELECT package, l.id, u.units FROM shop.fulfillments f JOIN shop.order_lines l ON l.order_id = f.order_id
		JOIN (VALUES (1, hats), (2, cups)) u(line_no, units) ON u.line_no = l.line_no AND u.units > 0 WHERE f.id = fulfillment;
	RETURN package;
END $$;
CREATE FUNCTION pg_temp.event(number text, code text, at text, ref text, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql
AS $$ SELECT jsonb_build_object('tracking_number', $1, 'code', $2, 'at', $3, 'external_ref', $4) || $5 $$;
CREATE FUNCTION pg_temp.feeds(VARIADIC events jsonb[]) RETURNS text LANGUAGE sql
AS $$ SELECT concat_ws('; ', format('%s new, %s again, %s unknown, %s moved', recorded, repeated, unknown, moved),
	'unknown ' || nullif(unknown_items::text, '[]'), 'unmoved ' || nullif(unmoved_items::text, '[]'))
	FROM oms.record_carrier_events('shop', jsonb_build_object('carrier', 'dhl', 'events', to_jsonb($1))) $$;
CREATE FUNCTION pg_temp.parcel(number text) RETURNS text LANGUAGE sql
AS $$ SELECT concat_ws(' ', status, 'shipped ' || to_char(shipped_at, 'DD'), 'delivered ' || to_char(delivered_at, 'DD')) FROM shop.packages WHERE tracking_number = $1 AND voided_at IS NULL $$;
CREATE FUNCTION pg_temp.look(fulfillment uuid) RETURNS text LANGUAGE sql
AS $$ SELECT f.status || ': ' || string_agg(format('%s of %s packed', l.packed, l.quantity), ', ' ORDER BY l.sku DESC)
	FROM shop.fulfillments f JOIN shop.fulfillment_lines l ON l.fulfillment_id = f.id WHERE f.id = $1 GROUP BY f.id $$;
CREATE FUNCTION pg_temp.fault(statement text) RETURNS text LANGUAGE plpgsql
AS $$
DECLARE
	state text;
	message text;
BEGIN
	EXECUTE statement;
	RETURN 'none';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
	RETURN state || ' ' || message;
END $$;
CREATE FUNCTION pg_temp.sound(what text) RETURNS text LANGUAGE sql
AS $$ SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL, 'verify_store: ' || what) $$;

-- ---- packing

SELECT pg_temp.place(3, 2) AS f \gset
SELECT pg_temp.pack(:'f', 'T1', 2) AS p \gset
SELECT is(pg_temp.look(:'f'), 'released: 2 of 3 packed, 0 of 2 packed', 'units are packed');
SELECT is(pg_temp.fault(format('SELECT pg_temp.pack(%L, %L, 2)', :'f', 'T2')),
	'OM002 2 units of line 1 of fulfillment "S-1000-1" cannot be packed: it has 1 that are in no package', 'no unit is in two packages');
SELECT pg_temp.place(1, 1) AS other \gset
SELECT is(pg_temp.fault(format('INSERT INTO shop.package_lines SELECT %L, l.id, 1 FROM shop.order_lines l JOIN shop.fulfillments f ON f.order_id = l.order_id WHERE f.id = %L', :'p', :'other')),
	'OM002 1 units of line 1 of fulfillment "S-1000-1" cannot be packed: it has 0 that are in no package', 'nor in the package of another order');
SELECT is(pg_temp.fault(format('SELECT oms.split_fulfillment(%L, %L, %L)', 'shop', :'f', '[{"line": 1, "quantity": 2}]')),
	'OM002 fulfillment "S-1000-1" cannot give up 2 of its 3 units of line 1: 2 are in packages', 'what is packed is not divided off');
SELECT is(pg_temp.fault(format('SELECT oms.cancel_lines(%L, order_id, %L) FROM shop.fulfillments WHERE id = %L', 'shop', '[{"line": 1, "quantity": 2}]', :'f')),
	'OM002 fulfillment "S-1000-1" cannot give up 2 of its 3 units of line 1: 2 are in packages', 'nor canceled out of its parcel');
SELECT oms.split_fulfillment('shop', :'f', '[{"line": 1, "quantity": 1}, {"line": 2, "quantity": 1}]') AS part \gset
SELECT is(pg_temp.look(:'f') || '; ' || pg_temp.look(:'part'), 'released: 2 of 2 packed, 0 of 1 packed; released: 0 of 1 packed, 0 of 1 packed', 'what is in none is');
SELECT is(pg_temp.look(oms.merge_fulfillments('shop', ARRAY[:'part'::uuid, :'f'::uuid])), 'released: 2 of 3 packed, 0 of 2 packed', 'and merged again');
SELECT pg_temp.place(1, 1) AS f2 \gset
SELECT oms.split_fulfillment('shop', :'f2', '[{"line": 1, "quantity": 1}]') AS part \gset
SELECT pg_temp.pack(:'part', 'T9', 1) AS p9 \gset
SELECT oms.merge_fulfillments('shop', ARRAY[:'f2'::uuid, :'part'::uuid]) AS merged \gset
SELECT is(pg_temp.look(:'f2'), 'released: 1 of 1 packed, 0 of 1 packed', 'merging takes what is packed along');
SELECT is((SELECT fulfillment_id FROM shop.packages WHERE id = :'p9'), :'f2'::uuid, 'with its package');
SELECT pg_temp.sound('packed');

UPDATE shop.packages SET voided_at = now() WHERE id = :'p';
SELECT is(pg_temp.look(:'f'), 'released: 0 of 3 packed, 0 of 2 packed', 'a package that is voided holds nothing');
SELECT is(pg_temp.fault(format('INSERT INTO shop.package_lines SELECT %L, l.id, 1 FROM shop.order_lines l JOIN shop.fulfillments f ON f.order_id = l.order_id WHERE f.id = %L', :'p', :'other')), 'OM002 what is in package "T1" cannot change: it is voided', 'and takes nothing more');
SELECT is(pg_temp.fault(format('UPDATE shop.packages SET voided_at = NULL WHERE id = %L', :'p')), 'OM006 column "voided_at" of packages cannot change again', 'for good');
SELECT pg_temp.pack(:'f', 'T1', 3, 1) AS p \gset
SELECT pg_temp.pack(:'f', 'T2', 0, 1) AS q \gset
SELECT matches(pg_temp.fault(format('SELECT pg_temp.pack(%L, %L, 0)', :'f', 'T2')), '^23505', 'a tracking number is one parcel''s while it is under way');

SELECT is(left(pg_temp.fault(statement), 5), state, statement) FROM (VALUES
	('DELETE FROM shop.packages', 'OM006'), ('TRUNCATE shop.packages, shop.package_lines, shop.carrier_events', 'OM006'),
	('UPDATE shop.packages SET status = ''delivered''', 'OM005'), ('UPDATE shop.packages SET delivered_at = now()', 'OM005'),
	('UPDATE shop.packages SET revision = revision + 1', 'OM005'), ('UPDATE shop.packages SET id = oms.uuid7()', 'OM006'),
	('UPDATE shop.packages SET fulfillment_id = (SELECT id FROM shop.fulfillments WHERE number = ''S-1001-1'')', 'OM006'),
	('INSERT INTO shop.packages (fulfillment_id, status) SELECT id, ''lost'' FROM shop.fulfillments LIMIT 1', 'OM005'),
	('INSERT INTO shop.packages (fulfillment_id, shipped_at) SELECT id, now() FROM shop.fulfillments LIMIT 1', 'OM005'),
	('UPDATE shop.package_lines SET quantity = 1', 'OM002'), ('DELETE FROM shop.package_lines', 'OM002'), ('TRUNCATE shop.package_lines', 'OM006'),
	('UPDATE shop.packages SET voided_at = ''infinity'' WHERE tracking_number = ''T2''', '23514'),
	('UPDATE shop.fulfillment_lines SET packed = 0', 'OM005'), ('INSERT INTO shop.packages (tracking_number) VALUES (''x'')', '23502')) AS v(statement, state);
-- what is in a parcel that is still here is changed like any row
SELECT is(pg_temp.fault(format($$ UPDATE shop.package_lines l SET quantity = l.quantity + 1 WHERE package_id = %L AND quantity = 3 $$, :'p')),
	'OM002 1 units of line 1 of fulfillment "S-1000-1" cannot be packed: it has 0 that are in no package', 'no more of a line than there is');
UPDATE shop.package_lines SET quantity = 1 WHERE package_id = :'p' AND quantity = 3;
SELECT is(pg_temp.look(:'f'), 'released: 1 of 3 packed, 2 of 2 packed', 'less of a line');
INSERT INTO shop.package_lines AS l SELECT :'p', order_line_id, 1 FROM shop.package_lines WHERE package_id = :'p' ON CONFLICT (package_id, order_line_id) DO NOTHING;
INSERT INTO shop.package_lines AS l SELECT :'p', order_line_id, 1 FROM shop.fulfillment_lines WHERE fulfillment_id = :'f' AND sku = 'hat'
	ON CONFLICT (package_id, order_line_id) DO UPDATE SET quantity = l.quantity + excluded.quantity;
SELECT is(pg_temp.look(:'f'), 'released: 2 of 3 packed, 2 of 2 packed', 'more of it');
DELETE FROM shop.package_lines WHERE package_id = :'q';
SELECT is(pg_temp.look(:'f'), 'released: 2 of 3 packed, 1 of 2 packed', 'a line is taken out');
UPDATE shop.package_lines SET package_id = :'q' WHERE package_id = :'p' AND quantity = 1;
SELECT is((SELECT string_agg(p.tracking_number || ' ' || l.quantity, ', ' ORDER BY 1) FROM shop.packages p JOIN shop.package_lines l ON l.package_id = p.id WHERE p.id IN (:'p', :'q')) || '; ' || pg_temp.look(:'f'),
	'T1 2, T2 1; released: 2 of 3 packed, 1 of 2 packed', 'or put into another parcel');
SELECT is(pg_temp.fault(format('UPDATE shop.package_lines SET package_id = %L WHERE package_id = %L', :'p9', :'q')),
	'OM002 1 units of line 2 of fulfillment "S-1002-1" cannot be packed: it has 0 that are in no package', 'of its own fulfillment');
SELECT pg_temp.sound('packed otherwise');
UPDATE shop.package_lines SET quantity = 3 WHERE package_id = :'p';
INSERT INTO shop.package_lines SELECT :'p', order_line_id, 1 FROM shop.package_lines WHERE package_id = :'q';
SELECT lives_ok($$ UPDATE shop.packages SET weight_grams = 1200, attributes = '{"box": "M"}' $$, 'people write what is theirs');

-- ---- events, in any order

UPDATE shop.fulfillments SET status = 'shipped' WHERE id = :'f';
SELECT is(pg_temp.feeds(pg_temp.event('T1', 'out_for_delivery', '2026-01-05', 'e3'), pg_temp.event('T1', 'in_transit', '2026-01-03', 'e1'),
	pg_temp.event('nobody''s', 'lost', '2026-01-03', 'e9')),
	'2 new, 0 again, 1 unknown, 0 moved; unknown [{"at": "2026-01-03", "code": "lost", "external_ref": "e9", "tracking_number": "nobody''s"}]', 'what no package is about is reported');
SELECT is(pg_temp.parcel('T1'), 'out_for_delivery shipped 03', 'a package is where the last event says');
SELECT is(pg_temp.feeds(pg_temp.event('T1', 'exception', '2026-01-04', 'e2'), pg_temp.event('T1', 'in_transit', '2026-01-03', 'e1')), '1 new, 1 again, 0 unknown, 0 moved', 'one event comes late, one again');
SELECT is(pg_temp.parcel('T1'), 'out_for_delivery shipped 03', 'and the package does not go back');
SELECT is(pg_temp.fault(format('UPDATE shop.packages SET voided_at = now() WHERE id = %L', :'p')), 'OM002 package "T1" cannot be voided: its carrier says "out_for_delivery"', 'nor can it be voided');
SELECT is(pg_temp.fault(format('INSERT INTO shop.package_lines SELECT %L, l.id, 1 FROM shop.order_lines l JOIN shop.fulfillments f ON f.order_id = l.order_id WHERE f.id = %L', :'p', :'other')), 'OM002 what is in package "T1" cannot change: it has left', 'or filled');
SELECT is(pg_temp.feeds(pg_temp.event('T1', 'delivered', '2026-01-06', 'e4')), '1 new, 0 again, 0 unknown, 0 moved', 'the first of two parcels');
SELECT is(pg_temp.look(:'f'), 'shipped: 3 of 3 packed, 2 of 2 packed', 'the fulfillment waits for the other');
SELECT is(pg_temp.feeds(pg_temp.event('T2', 'delivered', '2026-01-07', 'e5'), pg_temp.event('T2', 'delivered', '2026-01-07', 'e5')), '1 new, 1 again, 0 unknown, 1 moved', 'the second, told twice');
SELECT is((SELECT status || ' ' || (delivered_at IS NOT NULL) FROM shop.fulfillments WHERE id = :'f'), 'delivered true', 'and the fulfillment is delivered');
SELECT is((SELECT array_agg(delivered) FROM shop.order_lines l JOIN shop.fulfillments f ON f.order_id = l.order_id WHERE f.id = :'f'), '{3,2}', 'and its units');
SELECT is(pg_temp.feeds(pg_temp.event('T2', 'delivered', '2026-01-07', 'e5'), pg_temp.event('T2', 'delivered', '2026-01-08', 'e6')), '1 new, 1 again, 0 unknown, 0 moved', 'once');
SELECT is(pg_temp.fault($$ UPDATE shop.packages SET carrier = 'ups' WHERE tracking_number = 'T2' $$), 'OM006 column "carrier" of packages cannot change once the package is delivered', 'what is delivered stays');
SELECT pg_temp.place(1, 1) AS f3 \gset
SELECT lives_ok(format('SELECT pg_temp.pack(%L, %L, 1, 1)', :'f3', 'T2'), 'the carrier uses the number again');
SELECT is(pg_temp.feeds(pg_temp.event('T2', 'in_transit', '2026-02-01', 'e7')), '1 new, 0 again, 0 unknown, 0 moved', 'and means the new parcel');
SELECT is((SELECT status FROM shop.packages WHERE fulfillment_id = :'f3'), 'in_transit', 'which follows');
SELECT pg_temp.sound('delivered');

-- ---- what cannot move is reported, and moves when it is told again

SELECT is(pg_temp.feeds(pg_temp.event('T2', 'delivered', '2026-02-02', 'e8')),
	'1 new, 0 again, 0 unknown, 0 moved; unmoved [{"why": "no move of workflow \"ship\" leaves \"released\" and does deliver", "fulfillment": "S-1003-1"}]', 'delivered before it was shipped');
UPDATE shop.fulfillments SET status = 'shipped' WHERE id = :'f3';
SELECT is(pg_temp.feeds(pg_temp.event('T2', 'delivered', '2026-02-02', 'e8')), '0 new, 1 again, 0 unknown, 1 moved', 'told again, it follows');
SELECT pg_temp.place(1, 1) AS f4 \gset
SELECT pg_temp.pack(:'f4', 'T4', 1, 1) AS p4 \gset
UPDATE shop.fulfillments SET status = 'shipped' WHERE id = :'f4';
SELECT is(pg_temp.feeds(pg_temp.event('T4', 'lost', '2026-03-01', 'l1')), '1 new, 0 again, 0 unknown, 0 moved', 'lost alone moves nothing');
SELECT is(pg_temp.feeds(pg_temp.event('T4', 'lost', '2026-03-02', 'l2', '{"status": "lost"}')), '1 new, 0 again, 0 unknown, 1 moved', 'but for the status that an event names');
SELECT is(pg_temp.feeds(pg_temp.event('T4', 'exception', '2026-03-03', 'l3', '{"status": "nowhere"}')),
	'1 new, 0 again, 0 unknown, 0 moved; unmoved [{"why": "it cannot move from \"lost\" to \"nowhere\"", "fulfillment": "S-1004-1"}]', 'if there is such a move');
SELECT is(pg_temp.feeds(pg_temp.event('T4', 'returned', '2026-03-04', 'l4', '{"reason": "damaged"}')), '1 new, 0 again, 0 unknown, 1 moved', 'it came back');
SELECT is((SELECT status || ' ' || stock_state || ' ' || status_reason FROM shop.fulfillments WHERE id = :'f4'), 'returned_to_sender released damaged', 'by the move that does restock, for the reason');
SELECT is((SELECT string_agg(kind, ' ' ORDER BY id) FROM shop.stock_movements WHERE entity_id = :'f4' AND sku = 'hat'), 'issue return damage', 'whose effect it has');

-- one that is refused does not keep others back
CREATE FUNCTION shop.never(shop.fulfillments) RETURNS boolean LANGUAGE sql AS 'SELECT false';
SELECT lives_ok($$ UPDATE shop.workflows SET definition = replace(definition, 'shipped -> delivered do deliver', 'shipped -> delivered when never do deliver') WHERE name = 'local_delivery' $$, 'a guard');
SELECT pg_temp.place(1, 1) AS f5 \gset
SELECT pg_temp.place(1, 1) AS f6 \gset
SELECT pg_temp.pack(:'f5', 'T5', 1, 1) AS p5, pg_temp.pack(:'f6', 'T6', 1, 1) AS p6 \gset
UPDATE shop.fulfillments SET status = 'shipped' WHERE id IN (:'f5', :'f6');
CREATE FUNCTION shop.veto() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.number = 'S-1005-1' AND NEW.status = 'delivered' THEN RAISE 'not this one'; END IF; RETURN NEW; END $$;
CREATE TRIGGER veto BEFORE UPDATE ON shop.fulfillments FOR EACH ROW EXECUTE FUNCTION shop.veto();
SELECT is(pg_temp.feeds(pg_temp.event('T5', 'delivered', '2026-04-01', 'm1'), pg_temp.event('T6', 'delivered', '2026-04-01', 'm2')),
	'2 new, 0 again, 0 unknown, 1 moved; unmoved [{"why": "not this one", "fulfillment": "S-1005-1"}]', 'a refusal is undone by itself');
SELECT is((SELECT string_agg(status, ' ' ORDER BY number) FROM shop.fulfillments WHERE id IN (:'f5', :'f6')), 'shipped delivered', 'the other has moved');
DROP TRIGGER veto ON shop.fulfillments;
SELECT lives_ok(format($$ UPDATE shop.fulfillments SET status = 'delivered' WHERE id = %L $$, :'f5'), 'people move it as ever');

-- what was told before there was a label is sent again as it was returned
SELECT pg_temp.place(1, 1) AS early \gset
UPDATE shop.fulfillments SET status = 'shipped' WHERE id = :'early';
SELECT unknown_items AS items FROM oms.record_carrier_events('shop', jsonb_build_object('carrier', 'dhl', 'events', jsonb_build_array(
	pg_temp.event('E1', 'in_transit', '2026-04-02', 'x1', '{"description": "on \"board\""}'), pg_temp.event('E1', 'delivered', '2026-04-03', 'x2')))) \gset
SELECT pg_temp.pack(:'early', 'E1', 1, 1) AS pe \gset
SELECT is((SELECT format('%s %s %s', recorded, unknown, moved) FROM oms.record_carrier_events('shop', jsonb_build_object('carrier', 'dhl', 'events', :'items'::jsonb))), '2 0 1', 'and is followed then');
SELECT is((SELECT string_agg(concat_ws(' ', code, description), ', ' ORDER BY at) FROM shop.carrier_events WHERE tracking_number = 'E1'), 'in_transit on "board", delivered', 'as it was told');

-- carriers tell the minute, and number the events of each parcel
SELECT pg_temp.place(1, 1) AS f12 \gset
SELECT pg_temp.pack(:'f12', 'R1', 1, 0) AS r1, pg_temp.pack(:'f12', 'R2', 0, 1) AS r2 \gset
UPDATE shop.fulfillments SET status = 'shipped' WHERE id = :'f12';
SELECT is(pg_temp.feeds(pg_temp.event('R1', 'delivered', '2026-04-03 10:00', '1'), pg_temp.event('R1', 'out_for_delivery', '2026-04-03 10:00', '2'),
	pg_temp.event('R2', 'in_transit', '2026-04-03 09:00', '1')), '3 new, 0 again, 0 unknown, 0 moved', 'one name for an event of each parcel');
SELECT is(pg_temp.feeds(pg_temp.event('R2', 'delivered', '2026-04-03 10:00', '2')) || ' ' || pg_temp.feeds(pg_temp.event('R2', 'exception', '2026-04-03 10:00', '3')),
	'1 new, 0 again, 0 unknown, 1 moved 1 new, 0 again, 0 unknown, 0 moved', 'of one minute the furthest on is last');
SELECT is(pg_temp.parcel('R1') || ', ' || pg_temp.parcel('R2'), 'delivered shipped 03 delivered 03, delivered shipped 03 delivered 03', 'in a feed and after it');
SELECT is(pg_temp.feeds(pg_temp.event('R2', 'delivered', '2026-04-03 10:00', '2')), '0 new, 1 again, 0 unknown, 0 moved', 'and once');
-- a label that was given up
SELECT pg_temp.place(1, 1) AS f13 \gset
SELECT pg_temp.pack(:'f13', 'V1', 1, 1) AS v1 \gset
UPDATE shop.packages SET voided_at = now() WHERE id = :'v1';
SELECT is(pg_temp.fault(format('INSERT INTO shop.carrier_events (package_id, code, at) VALUES (%L, ''delivered'', now())', :'v1')), 'OM002 package "V1" is voided, so no carrier has it', 'is nowhere');
SELECT is(pg_temp.feeds(pg_temp.event('V1', 'delivered', '2026-04-03', '1')), '0 new, 0 again, 1 unknown, 0 moved; unknown [{"at": "2026-04-03", "code": "delivered", "external_ref": "1", "tracking_number": "V1"}]', 'nor known');
SELECT pg_temp.sound('told in minutes');

-- what analysts read
UPDATE shop.fulfillments SET promised_at = '2026-04-02 22:00' WHERE id = :'f12';
SELECT is((SELECT string_agg(format('%s %s %s %s %s %s %s late %s', order_number, carrier, tracking_number, status, units, hours_in_transit, hours_late, overdue), ', ' ORDER BY tracking_number) FROM shop.package_facts WHERE fulfillment_number = (SELECT number FROM shop.fulfillments WHERE id = :'f12')),
	'S-1008 dhl R1 delivered 1 0.00 12.00 late f, S-1008 dhl R2 delivered 1 1.00 12.00 late f', 'package_facts: a row a package');
SELECT is((SELECT count(*) FROM shop.package_facts WHERE package_id = :'v1'), 0::bigint, 'none of one that is voided');
UPDATE shop.fulfillments SET promised_at = now() - interval '1 hour' WHERE id = :'f13';
INSERT INTO shop.packages (fulfillment_id) VALUES (:'f13');
SELECT is((SELECT concat_ws(' ', status, coalesce(units::text, 'unknown'), overdue) FROM shop.package_facts WHERE fulfillment_number = (SELECT number FROM shop.fulfillments WHERE id = :'f13')), 'packed unknown t', 'one that nobody has fetched is overdue');
SELECT is((SELECT last_event FROM shop.package_facts WHERE tracking_number = 'E1'), NULL, 'the last event says nothing');

-- ---- by INSERT, and without contents

SELECT pg_temp.place(1, 1) AS f7 \gset
SELECT pg_temp.pack(:'f7', 'T7', 0) AS p7 \gset
UPDATE shop.fulfillments SET status = 'shipped' WHERE id = :'f7';
INSERT INTO shop.carrier_events (carrier, tracking_number, code, at) VALUES ('dhl', 'T7', 'in_transit', '2026-05-01'), ('dhl', 'T7', 'delivered', '2026-05-02');
SELECT is((SELECT f.status || ' ' || pg_temp.parcel('T7') FROM shop.fulfillments f WHERE id = :'f7'), 'delivered delivered shipped 01 delivered 02', 'one that says nothing of its contents is the whole');
INSERT INTO shop.carrier_events (package_id, code, at, external_ref) VALUES (:'p7', 'in_transit', '2026-05-03', 'n1');
INSERT INTO shop.carrier_events (package_id, code, at, carrier, external_ref) VALUES (:'p7', 'lost', '2026-05-04', 'dhl', 'n1') ON CONFLICT DO NOTHING;
SELECT is((SELECT carrier || ' ' || tracking_number || ' ' || (SELECT count(*) FROM shop.carrier_events WHERE external_ref = 'n1') FROM shop.carrier_events WHERE external_ref = 'n1'), 'dhl T7 1', 'a package says whose and which it is');
SELECT is(pg_temp.parcel('T7'), 'in_transit shipped 01 delivered 02', 'what was left out has no effect');
SELECT pg_temp.place(2, 1) AS f8 \gset
SELECT pg_temp.pack(:'f8', 'T8', 1, 1) AS p8 \gset
UPDATE shop.fulfillments SET status = 'shipped' WHERE id = :'f8';
SELECT is(pg_temp.feeds(pg_temp.event('T8', 'delivered', '2026-05-02', 'o1')) || ' ' || pg_temp.look(:'f8'), '1 new, 0 again, 0 unknown, 0 moved shipped: 1 of 2 packed, 1 of 1 packed', 'units that are in no package are not delivered');
SELECT is(left(pg_temp.fault(statement), 5), state, statement) FROM (VALUES
	('INSERT INTO shop.carrier_events (carrier, tracking_number, code, at) VALUES (''dhl'', ''nobody'', ''lost'', now())', 'OM012'),
	('INSERT INTO shop.carrier_events (carrier, code, at) VALUES (''dhl'', ''lost'', now())', 'OM012'),
	('INSERT INTO shop.carrier_events (carrier, tracking_number, code, at) VALUES (''dhl'', ''T8'', ''eaten'', now())', '23514'),
	('INSERT INTO shop.carrier_events (carrier, tracking_number, code, at) VALUES (''dhl'', ''T8'', ''lost'', now() + interval ''2 days'')', '22023'),
	('INSERT INTO shop.carrier_events (carrier, tracking_number, code, at) VALUES (''dhl'', ''T8'', ''lost'', ''infinity'')', '23514'),
	('INSERT INTO shop.carrier_events (carrier, tracking_number, code, at, external_ref) VALUES (''dhl'', ''T8'', ''lost'', now(), ''o1'')', '23505'),
	('INSERT INTO shop.carrier_events (package_id, code, at, external_ref) SELECT id, ''lost'', now(), ''o1'' FROM shop.packages WHERE tracking_number = ''T8''', '23505'),
	('UPDATE shop.carrier_events SET code = ''lost''', 'OM005'), ('DELETE FROM shop.carrier_events', 'OM005'), ('TRUNCATE shop.carrier_events', 'OM005')) AS v(statement, state);
SELECT is(pg_temp.fault(format('SELECT oms.record_carrier_events(%L, %L)', 'shop', feed)), 'OM012 ' || fault, fault) FROM (VALUES
	('[]', 'document: must be an object'), ('{"events": []}', 'carrier: is required'), ('{"carrier": "dhl", "events": [{}]}', 'events[0].tracking_number: is required'),
	('{"carrier": "dhl", "events": [{"tracking_number": "T8", "code": "eaten", "at": "2026-01-01", "external_ref": "x"}]}',
		'events[0].code: must be in_transit, out_for_delivery, attempted, exception, lost, returned or delivered'),
	('{"carrier": "dhl", "events": [{"tracking_number": "T8", "code": "lost", "at": "2999-01-01", "external_ref": "x"}]}', 'events[0].at: is more than a day in the future'),
	('{"carrier": "dhl", "events": [{"tracking_number": "T8", "code": "lost", "at": "2026-01-01", "external_ref": "x", "reason": "y"}]}', 'events: unknown reason "y"')) AS v(feed, fault);
SELECT is(oms.record_carrier_events('shop', '{"carrier": "dhl", "events": []}')::text, '(0,0,0,0,[],[])', 'a feed may be empty');
SELECT pg_temp.sound('all');

-- what is packed gives way as a whole
INSERT INTO shop.skus (code, name) VALUES ('pin', 'Pin');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('pin', 'a', 'receipt', 3), ('pin', 'b', 'receipt', 5);
SELECT order_id AS o FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "pin", "quantity": 3, "unit_price": 1}]}') \gset
SELECT id AS f9 FROM shop.fulfillments WHERE order_id = :'o' \gset
SELECT pg_temp.pack(:'f9', 'T10', 2) AS p10 \gset
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('pin', 'a', 'damage', 1);
SELECT is((SELECT string_agg(status || ' ' || location || ' ' || (SELECT sum(quantity) FROM shop.fulfillment_lines l WHERE l.fulfillment_id = f.id), ', ' ORDER BY number) FROM shop.fulfillments f WHERE order_id = :'o'), 'released a 2, rejected a 1, released b 1', 'what is in no package gives way first');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('pin', 'a', 'damage', 1);
SELECT is((SELECT string_agg(status || ' ' || location || ' ' || (SELECT sum(quantity) FROM shop.fulfillment_lines l WHERE l.fulfillment_id = f.id), ', ' ORDER BY number) FROM shop.fulfillments f WHERE order_id = :'o'), 'rejected a 2, rejected a 1, released b 1, released b 2', 'then the parcel, unopened');
SELECT pg_temp.sound('given way');

-- ---- many at once

CREATE TEMP TABLE many AS SELECT n, pg_temp.pack(pg_temp.place(1, 1), 'M' || n, 1, 1) AS package FROM generate_series(1, 60) AS n;
UPDATE shop.fulfillments SET status = 'shipped' WHERE id IN (SELECT fulfillment_id FROM shop.packages WHERE tracking_number LIKE 'M%');
SELECT is((SELECT format('%s %s %s', recorded, unknown, moved) FROM oms.record_carrier_events('shop', jsonb_build_object('carrier', 'dhl', 'events', (SELECT jsonb_agg(
	pg_temp.event('M' || (i % 100 + 1), CASE i / 100 WHEN 99 THEN 'delivered' ELSE 'in_transit' END, (timestamptz '2026-06-01' + i * interval '1 second')::text, 'r' || i)) FROM generate_series(0, 9999) AS i)))),
	'6000 4000 60', '10,000 events of 100 parcels, 40 of them unknown');
SELECT is((SELECT count(*) FROM shop.packages WHERE tracking_number LIKE 'M%' AND status = 'delivered'), 60::bigint, 'each has its last');
SELECT pg_temp.sound('many');

-- ---- history, and a mistake of a superuser's

SELECT is((SELECT count(*) FROM oms.repair_store('shop')), 0::bigint, 'there is nothing to repair');
SET LOCAL session_replication_role = replica;
UPDATE shop.packages SET status = 'lost', delivered_at = NULL WHERE tracking_number = 'T7';
UPDATE shop.fulfillment_lines SET packed = 0 WHERE fulfillment_id = :'f8';
SET LOCAL session_replication_role = origin;
SELECT is((SELECT string_agg(violations || ' ' || rule, ', ' ORDER BY rule) FROM oms.verify_store('shop') WHERE violations > 0),
	'2 a fulfillment''s packed units are those of its packages, 1 a package is where its carrier''s last event says', 'verify_store sees it');
SELECT is((SELECT string_agg(concat_ws(' ', table_name, column_name, was, became), ', ' ORDER BY table_name, column_name) FROM oms.repair_store('shop') WHERE column_name <> 'delivered_at'),
	'fulfillment_lines packed 0 1, fulfillment_lines packed 0 1, packages status lost in_transit', 'repair_store mends it');
SELECT pg_temp.sound('repaired');

SELECT oms.begin_import('shop');
INSERT INTO shop.packages (id, fulfillment_id, carrier, tracking_number, status, shipped_at, delivered_at, last_event_at, last_event_id)
	VALUES ('00000000-0000-7000-8000-000000000001', :'f', 'dhl', 'old', 'delivered', '2020-01-01', '2020-01-01', '2020-01-01', 1000000);
INSERT INTO shop.carrier_events (id, package_id, carrier, tracking_number, code, at) VALUES (1000000, '00000000-0000-7000-8000-000000000001', 'dhl', 'old', 'delivered', '2020-01-01');
SELECT is(left(pg_temp.fault($$ SELECT oms.record_carrier_events('shop', '{"carrier": "dhl", "events": []}') $$), 5), '55000', 'a feed is not history');
SELECT pg_temp.sound('imported');

SELECT * FROM finish();
ROLLBACK;
