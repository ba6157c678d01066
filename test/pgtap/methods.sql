-- Ways to deliver, as customers see them: each default method from the document to
-- its end, several on one order, and what a shop does to methods that are in use.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, kind, default_method, payment_required) VALUES ('web', 'Web shop', 'web', 'ship', false),
	('till', 'Till in the old town', 'pos', 'counter', true), ('none', 'Says nothing', 'web', NULL, false);
INSERT INTO shop.locations (code, name, kind, priority, tracked) VALUES ('main', 'Warehouse', 'warehouse', 1, true),
	('oldtown', 'Shop in the old town', 'store', 2, true), ('newtown', 'Shop in the new town', 'store', 3, true),
	('acme', 'Acme', 'supplier', 4, false), ('best', 'Best & Co.', 'supplier', 5, false),
	('dock', 'Logistics partner', 'third_party', 6, true), ('pier', 'Another one', 'third_party', 7, true);
INSERT INTO shop.skus (code, name, kind, default_method) VALUES ('PIANO', 'Piano', 'physical', 'pickup'), ('TSHIRT', 'T-shirt', 'physical', 'ship'),
	('MUG', 'Mug', 'physical', NULL), ('SOFA', 'Sofa', 'physical', 'local_delivery'), ('LAMP', 'Lamp', 'physical', 'dropship'),
	('BOOK', 'Book', 'physical', 'third_party'), ('SONG', 'A song', 'digital', 'digital'), ('TUNING', 'Tuning', 'service', 'service'),
	('CARE', '5 years of care', 'warranty', NULL);
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('PIANO', 'oldtown', 'receipt', 2), ('TSHIRT', 'main', 'receipt', 50),
	('MUG', 'main', 'receipt', 50), ('MUG', 'oldtown', 'receipt', 50), ('SOFA', 'main', 'receipt', 9), ('BOOK', 'dock', 'receipt', 9), ('BOOK', 'pier', 'receipt', 3);

CREATE FUNCTION pg_temp.place(ref text, lines jsonb, more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql
AS $$ SELECT status FROM oms.place_order('shop', jsonb_build_object('channel', 'web', 'external_ref', ref, 'currency', 'EUR', 'lines', lines) || more) $$;
-- what the customer is told: the order, and each parcel or the like that was not given to somebody else
CREATE FUNCTION pg_temp.told(ref text) RETURNS text LANGUAGE sql
AS $$ SELECT format('%s, %s', o.status, o.fulfillment_status) || coalesce((SELECT string_agg(format(' | %s %s%s', w.what, f.status,
		coalesce(' at ' || f.pickup_location, '')), '' ORDER BY f.id) FROM shop.fulfillments f CROSS JOIN LATERAL
		(SELECT string_agg(l.quantity || ' ' || l.sku, ' + ' ORDER BY l.sku) AS what FROM shop.fulfillment_lines l WHERE l.fulfillment_id = f.id) w
		WHERE f.order_id = o.id AND NOT f.rerouted), '') FROM shop.orders o WHERE o.external_ref = ref $$;
CREATE FUNCTION pg_temp.move(ref text, sku text, status text) RETURNS void LANGUAGE sql
AS $$ UPDATE shop.fulfillments f SET status = $3 FROM shop.orders o WHERE o.id = f.order_id AND o.external_ref = ref AND f.closed_at IS NULL
	AND EXISTS (SELECT FROM shop.fulfillment_lines l WHERE l.fulfillment_id = f.id AND l.sku = $2) $$;
-- moves what carries a SKU from status to status; what the customer is told before and after each
CREATE FUNCTION pg_temp.story(ref text, sku text, statuses text) RETURNS text LANGUAGE plpgsql
AS $$
DECLARE
	told text := pg_temp.told(ref);
	step text;
BEGIN
	FOREACH step IN ARRAY string_to_array(statuses, ' ') LOOP
		PERFORM pg_temp.move(ref, sku, step);
		told := told || E'\n' || pg_temp.told(ref);
	END LOOP;
	RETURN told;
END $$;
CREATE FUNCTION pg_temp.units(ref text) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(concat_ws(' ', l.sku, 'canceled ' || nullif(canceled, 0), 'allocated ' || nullif(allocated, 0), 'backordered ' || nullif(backordered, 0),
	'short ' || nullif(short, 0), 'shipped ' || nullif(shipped, 0), 'delivered ' || nullif(delivered, 0), 'returned ' || nullif(returned, 0)), ', ' ORDER BY line_no)
	FROM shop.order_lines l JOIN shop.orders o ON o.id = l.order_id WHERE o.external_ref = ref $$;
CREATE FUNCTION pg_temp.ways(ref text) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(format('%s by %s from %s', (SELECT string_agg(l.sku, ' + ' ORDER BY l.sku) FROM shop.fulfillment_lines l WHERE l.fulfillment_id = f.id),
	f.method, f.location), ', ' ORDER BY f.id) FROM shop.fulfillments f JOIN shop.orders o ON o.id = f.order_id WHERE o.external_ref = ref AND NOT f.rerouted $$;
CREATE FUNCTION pg_temp.sound(what text) RETURNS text LANGUAGE sql
AS $$ SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL, 'verify_store: ' || what) $$;

-- ---- the piano and the T-shirt

SELECT is(pg_temp.place('piano', '[{"sku": "PIANO", "quantity": 1, "unit_price": 3200, "pickup_location": "oldtown"},
	{"sku": "TSHIRT", "quantity": 1, "unit_price": 19.9}]', '{"ship_to": {"name": "Ben", "city": "Bonn"}}'), 'confirmed', 'a piano and a T-shirt on one order');
SELECT is(pg_temp.ways('piano'), 'PIANO by pickup from oldtown, TSHIRT by ship from main', 'they cannot go the same way');
SELECT is(pg_temp.story('piano', 'TSHIRT', 'picking packed shipped'),
'confirmed, unfulfilled | 1 PIANO released at oldtown | 1 TSHIRT released
confirmed, unfulfilled | 1 PIANO released at oldtown | 1 TSHIRT picking
confirmed, unfulfilled | 1 PIANO released at oldtown | 1 TSHIRT packed
confirmed, partial | 1 PIANO released at oldtown | 1 TSHIRT shipped', 'the T-shirt is picked, packed and on its way');
SELECT is(pg_temp.units('piano'), 'PIANO allocated 1, TSHIRT shipped 1', 'one unit has left');
SELECT is(pg_temp.story('piano', 'PIANO', 'picking ready_for_pickup'),
'confirmed, partial | 1 PIANO released at oldtown | 1 TSHIRT shipped
confirmed, partial | 1 PIANO picking at oldtown | 1 TSHIRT shipped
confirmed, partial | 1 PIANO ready_for_pickup at oldtown | 1 TSHIRT shipped', 'the piano is ready in the old town');
SELECT is(pg_temp.story('piano', 'TSHIRT', 'delivered'),
'confirmed, partial | 1 PIANO ready_for_pickup at oldtown | 1 TSHIRT shipped
confirmed, partial | 1 PIANO ready_for_pickup at oldtown | 1 TSHIRT delivered', 'the T-shirt is there');
SELECT is(pg_temp.story('piano', 'PIANO', 'collected'),
'confirmed, partial | 1 PIANO ready_for_pickup at oldtown | 1 TSHIRT delivered
completed, delivered | 1 PIANO collected at oldtown | 1 TSHIRT delivered', 'the piano is collected: the customer has all of it');
SELECT is(pg_temp.units('piano'), 'PIANO shipped 1 delivered 1, TSHIRT shipped 1 delivered 1', 'both have left and arrived');
SELECT is((SELECT string_agg(format('%s %s', regexp_replace(t.number, '^.*-(?=[0-9]+$)', CASE t.entity WHEN 'order' THEN 'order ' ELSE '' END),
	coalesce(t.to_status, t.event)), ', ' ORDER BY t.position) FROM shop.order_timeline t JOIN shop.orders o ON o.number = t.order_number
	WHERE o.external_ref = 'piano' AND t.entity = 'fulfillment'),
	'1 open, 1 released, 2 open, 2 released, 2 picking, 2 packed, 2 shipped, 1 picking, 1 ready_for_pickup, 2 delivered, 1 collected', 'the timeline tells it as it happened');
SELECT is((SELECT string_agg(format('%s %s', t.event, t.to_status), ', ' ORDER BY t.position) FROM shop.order_timeline t JOIN shop.orders o ON o.number = t.order_number
	WHERE o.external_ref = 'piano' AND t.entity = 'order' AND t.to_status IS NOT NULL), 'created draft, moved placed, moved confirmed, moved completed', 'and so of the order');

-- ---- which method a line goes by

SELECT pg_temp.place('who says', '[{"sku": "PIANO", "quantity": 1, "unit_price": 1, "pickup_location": "oldtown"}, {"sku": "TSHIRT", "quantity": 1, "unit_price": 1, "method": "curbside", "pickup_location": "oldtown"},
	{"sku": "MUG", "quantity": 1, "unit_price": 1}]');
SELECT is((SELECT string_agg(format('%s %s', l.sku, f.method), ', ' ORDER BY l.sku) FROM shop.fulfillments f JOIN shop.fulfillment_lines l ON l.fulfillment_id = f.id
	JOIN shop.orders o ON o.id = f.order_id WHERE o.external_ref = 'who says'), 'MUG ship, PIANO pickup, TSHIRT curbside', 'the line says, else its SKU, else the channel');
SELECT throws_ok($$ SELECT pg_temp.place('nobody', '[{"sku": "MUG", "quantity": 1, "unit_price": 1}]', '{"channel": "none"}') $$, 'OM009', NULL, 'where nobody says it is refused');
SELECT throws_ok($$ SELECT pg_temp.place('owl', '[{"sku": "MUG", "quantity": 1, "unit_price": 1, "method": "owl"}]') $$, 'OM012', 'lines[0].method: unknown method "owl"', 'and a way there is not');

-- ---- from a shop, to a shop, at the curb

SELECT pg_temp.place('from store', '[{"sku": "MUG", "quantity": 2, "unit_price": 8, "location": "oldtown"}]');
SELECT is(pg_temp.ways('from store'), 'MUG by ship from oldtown', 'ship from store: a shop sends a parcel');
SELECT is(pg_temp.story('from store', 'MUG', 'picking packed shipped delivered'),
'confirmed, unfulfilled | 2 MUG released
confirmed, unfulfilled | 2 MUG picking
confirmed, unfulfilled | 2 MUG packed
completed, fulfilled | 2 MUG shipped
completed, delivered | 2 MUG delivered', 'which is told like any other');

SELECT pg_temp.place('to store', '[{"sku": "TSHIRT", "quantity": 1, "unit_price": 20, "method": "pickup", "pickup_location": "newtown"}]');
SELECT is(pg_temp.ways('to store'), 'TSHIRT by pickup from main', 'ship to store: the new town has none, so the warehouse sends it there');
SELECT is(pg_temp.story('to store', 'TSHIRT', 'picking ready_for_pickup collected'),
'confirmed, unfulfilled | 1 TSHIRT released at newtown
confirmed, unfulfilled | 1 TSHIRT picking at newtown
confirmed, unfulfilled | 1 TSHIRT ready_for_pickup at newtown
completed, delivered | 1 TSHIRT collected at newtown', 'by workflow pickup it is picking until it is there: the way to the shop does not show');
-- who wants it to show gives it a method of its own, by which the goods leave the warehouse when they do
INSERT INTO shop.workflows (name, entity, description, definition) VALUES ('ship_to_store', 'fulfillment', 'Sent to the shop where the customer collects', $$initial open;
open -> released when order_confirmed, order_unheld, group_complete auto;
released -> picking -> packed;
packed -> picking -> released;
released, picking, packed -> in_transit when order_unheld do issue;
in_transit -> ready_for_pickup;
in_transit -> lost;
lost -> in_transit;
ready_for_pickup -> collected do deliver;
ready_for_pickup, lost -> sent_back do restock;
open, released, picking, packed -> canceled do release;
open, released, picking, packed -> rejected do reroute;
final collected, sent_back, canceled, rejected;$$);
INSERT INTO shop.methods (code, name, workflow) VALUES ('ship_to_store', 'Sent to the shop', 'ship_to_store');
SELECT pg_temp.place('to store 2', '[{"sku": "TSHIRT", "quantity": 1, "unit_price": 20, "method": "ship_to_store", "pickup_location": "newtown"}]');
SELECT is(pg_temp.story('to store 2', 'TSHIRT', 'in_transit ready_for_pickup collected'),
'confirmed, unfulfilled | 1 TSHIRT released at newtown
completed, fulfilled | 1 TSHIRT in_transit at newtown
completed, fulfilled | 1 TSHIRT ready_for_pickup at newtown
completed, delivered | 1 TSHIRT collected at newtown', 'with a method of its own the way shows');
SELECT pg_temp.place('to store 3', '[{"sku": "TSHIRT", "quantity": 1, "unit_price": 20, "method": "ship_to_store", "pickup_location": "newtown"}]');
SELECT is(pg_temp.story('to store 3', 'TSHIRT', 'in_transit ready_for_pickup sent_back'),
'confirmed, unfulfilled | 1 TSHIRT released at newtown
completed, fulfilled | 1 TSHIRT in_transit at newtown
completed, fulfilled | 1 TSHIRT ready_for_pickup at newtown
completed, fulfilled | 1 TSHIRT sent_back at newtown', 'nobody came: it goes back to the warehouse');
SELECT is((SELECT on_hand || ' ' || reserved FROM shop.stock WHERE sku = 'TSHIRT' AND location = 'main'), '47 1', 'and is in stock there');

SELECT pg_temp.place('curb', '[{"sku": "MUG", "quantity": 1, "unit_price": 8, "method": "curbside", "pickup_location": "oldtown"}]');
SELECT is(pg_temp.story('curb', 'MUG', 'picking ready_for_pickup customer_waiting collected'),
'confirmed, unfulfilled | 1 MUG released at oldtown
confirmed, unfulfilled | 1 MUG picking at oldtown
confirmed, unfulfilled | 1 MUG ready_for_pickup at oldtown
confirmed, unfulfilled | 1 MUG customer_waiting at oldtown
completed, delivered | 1 MUG collected at oldtown', 'curbside: the customer is waiting in the car');
SELECT pg_temp.place('curb 2', '[{"sku": "MUG", "quantity": 1, "unit_price": 8, "method": "curbside", "pickup_location": "oldtown"}]');
SELECT is(pg_temp.story('curb 2', 'MUG', 'picking ready_for_pickup uncollected'),
'confirmed, unfulfilled | 1 MUG released at oldtown
confirmed, unfulfilled | 1 MUG picking at oldtown
confirmed, unfulfilled | 1 MUG ready_for_pickup at oldtown
canceled, unfulfilled | 1 MUG uncollected at oldtown', 'nobody came: there is nothing left to collect or pay for');

-- ---- our own driver, somebody's work, a download, the till

SELECT pg_temp.place('sofa', '[{"sku": "SOFA", "quantity": 1, "unit_price": 900}]');
SELECT is(pg_temp.story('sofa', 'SOFA', 'picking packed out_for_delivery attempted out_for_delivery attempted out_for_delivery delivered'),
'confirmed, unfulfilled | 1 SOFA released
confirmed, unfulfilled | 1 SOFA picking
confirmed, unfulfilled | 1 SOFA packed
completed, fulfilled | 1 SOFA out_for_delivery
completed, fulfilled | 1 SOFA attempted
completed, fulfilled | 1 SOFA out_for_delivery
completed, fulfilled | 1 SOFA attempted
completed, fulfilled | 1 SOFA out_for_delivery
completed, delivered | 1 SOFA delivered', 'local delivery: nobody was in, twice');
SELECT is((SELECT count(*) FROM shop.order_timeline t JOIN shop.orders o ON o.number = t.order_number WHERE o.external_ref = 'sofa' AND t.to_status = 'attempted'),
	2::bigint, 'the timeline has both attempts');
SELECT pg_temp.place('sofa 2', '[{"sku": "SOFA", "quantity": 1, "unit_price": 900}]');
SELECT is(pg_temp.story('sofa 2', 'SOFA', 'out_for_delivery attempted returned_to_sender'),
'confirmed, unfulfilled | 1 SOFA released
completed, fulfilled | 1 SOFA out_for_delivery
completed, fulfilled | 1 SOFA attempted
completed, fulfilled | 1 SOFA returned_to_sender', 'or he gives up');
SELECT is(pg_temp.units('sofa 2') || ' ' || (SELECT return_status FROM shop.orders WHERE external_ref = 'sofa 2'), 'SOFA shipped 1 returned 1 returned', 'and it is back');

SELECT pg_temp.place('tuning', '[{"sku": "TUNING", "quantity": 1, "unit_price": 120, "requested_at": "2027-01-12T10:00:00Z"}]');
SELECT is(pg_temp.story('tuning', 'TUNING', 'scheduled released scheduled performed'),
'confirmed, unfulfilled | 1 TUNING released
confirmed, unfulfilled | 1 TUNING scheduled
confirmed, unfulfilled | 1 TUNING released
confirmed, unfulfilled | 1 TUNING scheduled
completed, delivered | 1 TUNING performed', 'a service is scheduled, put off, scheduled again and performed');
SELECT is((SELECT requested_at FROM shop.fulfillment_facts WHERE method = 'service'), '2027-01-12T10:00:00Z', 'its appointment stands on it');

SELECT pg_temp.place('tuning 2', '[{"sku": "TUNING", "quantity": 1, "unit_price": 120, "location": "oldtown"}]');
SELECT is(pg_temp.story('tuning 2', 'TUNING', 'rejected') || ' ' || pg_temp.units('tuning 2'), 'confirmed, unfulfilled | 1 TUNING released
confirmed, unfulfilled TUNING short 1', 'where nobody else may do it, it is owed');
SELECT pg_temp.place('tuning 3', '[{"sku": "TUNING", "quantity": 1, "unit_price": 120}]');
SELECT pg_temp.story('tuning 3', 'TUNING', 'rejected rejected rejected rejected rejected');
SELECT is((SELECT orders_filled FROM oms.tick('shop')), 0::bigint, 'all have refused another');
INSERT INTO shop.locations (code, name, kind, priority) VALUES ('studio', 'Studio', 'store', 9);
SELECT is((SELECT orders_filled FROM oms.tick('shop')), 1::bigint, 'somebody new can');
SELECT is(pg_temp.told('tuning 3') || ' ' || pg_temp.ways('tuning 3'), 'confirmed, unfulfilled | 1 TUNING released TUNING by service from studio', 'and does');
SELECT pg_temp.place('song', '[{"sku": "SONG", "quantity": 1, "unit_price": 1}, {"sku": "TSHIRT", "quantity": 1, "unit_price": 20}, {"sku": "CARE", "quantity": 1, "unit_price": 5, "parent": 2}]');
SELECT is(pg_temp.story('song', 'TSHIRT', 'shipped delivered'),
'confirmed, partial | 1 SONG delivered | 1 CARE + 1 TSHIRT released
completed, fulfilled | 1 SONG delivered | 1 CARE + 1 TSHIRT shipped
completed, delivered | 1 SONG delivered | 1 CARE + 1 TSHIRT delivered', 'a download is there at once; a warranty goes with its goods');

SELECT is(pg_temp.place('till', '[{"sku": "MUG", "quantity": 2, "unit_price": 8, "location": "oldtown"}]', '{"channel": "till", "payments": [{"method": "cash", "kind": "sale", "amount": 16}]}'),
	'completed', 'cash and carry');
SELECT is(pg_temp.told('till') || ' ' || (SELECT payment_status FROM shop.orders WHERE external_ref = 'till'), 'completed, delivered | 2 MUG handed_over paid', 'is done with the document');
SELECT is(pg_temp.place('till 2', '[{"sku": "MUG", "quantity": 1, "unit_price": 8, "location": "oldtown"}, {"sku": "SOFA", "quantity": 1, "unit_price": 900}]',
	'{"channel": "till", "payments": [{"method": "card", "kind": "sale", "amount": 908}]}'), 'confirmed', 'of two things bought at the till');
SELECT is(pg_temp.told('till 2'), 'confirmed, partial | 1 MUG handed_over | 1 SOFA released', 'one is carried home, the other is brought');
SELECT pg_temp.place('till 3', '[{"sku": "MUG", "quantity": 1, "unit_price": 8, "location": "oldtown"}]', '{"channel": "till"}');
SELECT is(pg_temp.told('till 3'), 'placed, unfulfilled | 1 MUG open', 'nothing is handed over before it is paid');

-- ---- partners

SELECT pg_temp.place('lamp', '[{"sku": "LAMP", "quantity": 3, "unit_price": 40}]');
SELECT is(pg_temp.ways('lamp'), 'LAMP by dropship from acme', 'the first supplier is asked');
SELECT is(pg_temp.story('lamp', 'LAMP', 'accepted shipped delivered'),
'confirmed, unfulfilled | 3 LAMP requested
confirmed, unfulfilled | 3 LAMP accepted
completed, fulfilled | 3 LAMP shipped
completed, delivered | 3 LAMP delivered', 'dropship: requested, accepted, sent');
SELECT pg_temp.place('lamp 2', '[{"sku": "LAMP", "quantity": 3, "unit_price": 40}]');
SELECT is(pg_temp.story('lamp 2', 'LAMP', 'declined accepted'),
'confirmed, unfulfilled | 3 LAMP requested
confirmed, unfulfilled | 3 LAMP requested
confirmed, unfulfilled | 3 LAMP accepted', 'one declines: the next is asked, and the customer is not bothered');
SELECT is(pg_temp.ways('lamp 2'), 'LAMP by dropship from best', 'that is another supplier');
SELECT is(pg_temp.story('lamp 2', 'LAMP', 'declined'),
'confirmed, unfulfilled | 3 LAMP accepted
confirmed, unfulfilled', 'that one, having accepted, declines as well, and there is nobody else');
SELECT is(pg_temp.units('lamp 2'), 'LAMP short 3', 'so the units are short');
SELECT is((SELECT string_agg(t.event || coalesce(' ' || t.to_status, ''), ', ' ORDER BY t.position) FROM (SELECT * FROM shop.order_timeline t JOIN shop.orders o ON o.number = t.order_number
	WHERE o.external_ref = 'lamp 2' ORDER BY t.position DESC LIMIT 2) t), 'moved declined, shorted', 'and the timeline says so');
SELECT is((SELECT orders_filled FROM oms.tick('shop')), 0::bigint, 'nobody is asked twice');
INSERT INTO shop.locations (code, name, kind, priority, tracked) VALUES ('cosy', 'Cosy Lights', 'supplier', 8, false);
SELECT is((SELECT orders_filled FROM oms.tick('shop')), 1::bigint, 'a third supplier is found: tick asks it');
SELECT is(pg_temp.told('lamp 2') || ' ' || pg_temp.ways('lamp 2'), 'confirmed, unfulfilled | 3 LAMP requested LAMP by dropship from cosy', 'and the order goes on');
SELECT pg_temp.place('lamp 3', '[{"sku": "LAMP", "quantity": 1, "unit_price": 40}]');
SELECT is(pg_temp.story('lamp 3', 'LAMP', 'cancel_requested accepted cancel_requested shipped'),
'confirmed, unfulfilled | 1 LAMP requested
confirmed, unfulfilled | 1 LAMP cancel_requested
confirmed, unfulfilled | 1 LAMP accepted
confirmed, unfulfilled | 1 LAMP cancel_requested
completed, fulfilled | 1 LAMP shipped', 'we ask the supplier to cancel: it says no, and is asked again too late');
SELECT pg_temp.place('lamp 4', '[{"sku": "LAMP", "quantity": 1, "unit_price": 40}, {"sku": "MUG", "quantity": 1, "unit_price": 8}]');
SELECT throws_ok($$ UPDATE shop.orders SET status = 'canceled' WHERE external_ref = 'lamp 4' $$, 'OM002', NULL, 'what a partner was asked for cannot just be canceled');
SELECT is(pg_temp.story('lamp 4', 'LAMP', 'cancel_requested canceled'),
'confirmed, unfulfilled | 1 LAMP requested | 1 MUG released
confirmed, unfulfilled | 1 LAMP cancel_requested | 1 MUG released
confirmed, unfulfilled | 1 LAMP canceled | 1 MUG released', 'or it says yes, and the rest goes on');
-- a supplier that keeps its own books is taken to have anything
INSERT INTO shop.channel_stock_rules (channel, sku, location, effect) VALUES ('web', 'BOOK', 'acme', 'deny'), ('web', 'BOOK', 'best', 'deny'), ('web', 'BOOK', 'cosy', 'deny');
SELECT pg_temp.place('book', '[{"sku": "BOOK", "quantity": 2, "unit_price": 15}]');
SELECT is(pg_temp.ways('book'), 'BOOK by third_party from dock', 'a logistics partner sends from our stock');
SELECT is(pg_temp.story('book', 'BOOK', 'declined'),
'confirmed, unfulfilled | 2 BOOK requested
confirmed, unfulfilled | 2 BOOK requested', 'it declines');
SELECT is(pg_temp.ways('book'), 'BOOK by third_party from pier', 'another has them too');
SELECT is(pg_temp.story('book', 'BOOK', 'accepted cancel_requested declined'),
'confirmed, unfulfilled | 2 BOOK requested
confirmed, unfulfilled | 2 BOOK accepted
confirmed, unfulfilled | 2 BOOK cancel_requested
confirmed, unfulfilled', 'and cannot after all');
SELECT is((SELECT string_agg(location || ' ' || on_hand || ' ' || reserved, ', ' ORDER BY location) FROM shop.stock WHERE sku = 'BOOK'), 'dock 9 0, pier 3 0', 'what it holds is free again');
SELECT pg_temp.sound('after a day''s work');

-- ---- what leaves together

SELECT pg_temp.place('gift', '[{"sku": "TSHIRT", "quantity": 1, "unit_price": 20, "ship_group": "gift"}, {"sku": "MUG", "quantity": 1, "unit_price": 8, "ship_group": "gift"}, {"sku": "MUG", "quantity": 1, "unit_price": 8}]');
SELECT is(pg_temp.told('gift'), 'confirmed, unfulfilled | 1 MUG + 1 TSHIRT released | 1 MUG released', 'a ship group is a parcel of its own');
INSERT INTO shop.skus (code, name) VALUES ('RARE', 'Not there yet');
INSERT INTO shop.backorder_policies (sku, policy) VALUES ('RARE', 'backorder');
SELECT pg_temp.place('gift 2', '[{"sku": "RARE", "quantity": 1, "unit_price": 20, "ship_group": "gift", "method": "pickup", "pickup_location": "oldtown"}, {"sku": "MUG", "quantity": 1, "unit_price": 8, "ship_group": "gift"}, {"sku": "SONG", "quantity": 1, "unit_price": 1}]');
SELECT is(pg_temp.told('gift 2'), 'confirmed, partial | 1 MUG open | 1 SONG delivered', 'a group waits for what is not there, by whatever method that goes');
SELECT pg_temp.place('all', '[{"sku": "RARE", "quantity": 1, "unit_price": 20, "method": "pickup", "pickup_location": "oldtown"}, {"sku": "MUG", "quantity": 1, "unit_price": 8}]', '{"ship_complete": true}');
SELECT is(pg_temp.told('all'), 'confirmed, unfulfilled | 1 MUG open', 'ship_complete: the parcel waits for what is collected');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('RARE', 'oldtown', 'receipt', 2);
SELECT is(pg_temp.told('gift 2') || E'\n' || pg_temp.told('all'), 'confirmed, partial | 1 MUG released | 1 SONG delivered | 1 RARE released at oldtown
confirmed, unfulfilled | 1 MUG released | 1 RARE released at oldtown', 'and all is released once it is there');

-- ---- what a shop does to methods in the middle of it

SELECT pg_temp.place('waits', '[{"sku": "RARE", "quantity": 2, "unit_price": 20}, {"sku": "MUG", "quantity": 1, "unit_price": 8}]');
SELECT is((SELECT string_agg(coalesce(l.method, '-'), ' ' ORDER BY line_no) FROM shop.order_lines l JOIN shop.orders o ON o.id = l.order_id WHERE o.external_ref = 'waits'),
	'ship -', 'units that wait have their method written down');
UPDATE shop.skus SET default_method = 'local_delivery' WHERE code IN ('RARE', 'MUG', 'TSHIRT');
UPDATE shop.channels SET default_method = NULL WHERE code = 'web';
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('RARE', 'main', 'receipt', 1);
UPDATE shop.skus SET default_method = NULL WHERE code = 'RARE';
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('RARE', 'main', 'receipt', 1);
SELECT is(pg_temp.ways('waits'), 'MUG by ship from main, RARE by ship from main, RARE by ship from main', 'and go by it, whatever SKU and channel say by then');
SELECT pg_temp.story('waits', 'MUG', 'rejected');
SELECT is(pg_temp.ways('waits'), 'RARE by ship from main, RARE by ship from main, MUG by ship from oldtown', 'what is sourced anew goes as it did');
SELECT pg_temp.story('waits', 'MUG', 'rejected');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('MUG', 'newtown', 'receipt', 1);
SELECT is(pg_temp.ways('waits'), 'RARE by ship from main, RARE by ship from main, MUG by ship from newtown', 'also where it was short in between');
UPDATE shop.channels SET default_method = 'ship' WHERE code = 'web';
UPDATE shop.skus SET default_method = NULL WHERE code IN ('MUG', 'TSHIRT');

SELECT throws_ok($$ DELETE FROM shop.methods WHERE code = 'curbside' $$, '23503', NULL, 'a method that orders went by cannot be removed');
SELECT throws_ok($$ UPDATE shop.methods SET code = 'car' WHERE code = 'curbside' $$, 'OM006', NULL, 'nor renamed');
SELECT pg_temp.place('mid', '[{"sku": "MUG", "quantity": 1, "unit_price": 8}]');
UPDATE shop.methods SET workflow = 'ship_to_store' WHERE code = 'ship';
SELECT is(pg_temp.story('mid', 'MUG', 'picking packed shipped delivered'), 'confirmed, unfulfilled | 1 MUG released
confirmed, unfulfilled | 1 MUG picking
confirmed, unfulfilled | 1 MUG packed
completed, fulfilled | 1 MUG shipped
completed, delivered | 1 MUG delivered', 'what is under way keeps the workflow that it began with');
UPDATE shop.methods SET workflow = 'ship' WHERE code = 'ship';

SELECT pg_temp.place('nowhere', '[{"sku": "MUG", "quantity": 1, "unit_price": 8, "method": "pickup"}]');
SELECT is(pg_temp.told('nowhere') || ', from ' || (SELECT f.location FROM shop.fulfillments f JOIN shop.orders o ON o.id = f.order_id WHERE o.external_ref = 'nowhere'),
	'confirmed, unfulfilled | 1 MUG released, from main', 'pickup without a place to collect waits where it is');
UPDATE shop.locations SET active = false WHERE code = 'newtown';
SELECT throws_ok($$ SELECT pg_temp.place('closed', '[{"sku": "MUG", "quantity": 1, "unit_price": 8, "method": "pickup", "pickup_location": "newtown"}]') $$, 'OM012', NULL, 'nobody collects in a shop that is closed');
UPDATE shop.locations SET active = true WHERE code = 'newtown';
INSERT INTO shop.orders (channel, external_ref, currency) VALUES ('web', 'closed', 'EUR');
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, method, pickup_location)
	SELECT id, 1, 'MUG', 1, 8, 'pickup', 'newtown' FROM shop.orders WHERE external_ref = 'closed';
UPDATE shop.locations SET active = false WHERE code = 'newtown';
SELECT throws_ok($$ UPDATE shop.orders SET status = 'placed' WHERE external_ref = 'closed' $$, 'OM012', 'lines[0].pickup_location: location "newtown" is not active', 'in plain SQL neither');
UPDATE shop.order_lines l SET pickup_location = 'oldtown' FROM shop.orders o WHERE o.id = l.order_id AND o.external_ref = 'closed';
UPDATE shop.orders SET status = 'placed' WHERE external_ref = 'closed';
SELECT is(pg_temp.told('closed'), 'confirmed, unfulfilled | 1 MUG released at oldtown', 'so another one is chosen');
SELECT pg_temp.place('desk', '[{"sku": "MUG", "quantity": 1, "unit_price": 8, "method": "pickup", "pickup_location": "acme"}]');
SELECT is(pg_temp.told('desk') || ', from ' || (SELECT f.location FROM shop.fulfillments f JOIN shop.orders o ON o.id = f.order_id WHERE o.external_ref = 'desk'),
	'confirmed, unfulfilled | 1 MUG released at acme, from main', 'it can be collected at a partner''s desk, which does not serve it');
-- a method is taken out of a partner's hands while one has been asked
SELECT pg_temp.place('lamp 5', '[{"sku": "LAMP", "quantity": 1, "unit_price": 40}]');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('LAMP', 'main', 'receipt', 5);
UPDATE shop.methods SET by_partner = false WHERE code = 'dropship';
SELECT pg_temp.story('lamp 5', 'LAMP', 'declined');
SELECT is(pg_temp.ways('lamp 5'), 'LAMP by dropship from main', 'then we serve what the partner declines');
SELECT is(pg_temp.told('lamp 5'), 'confirmed, unfulfilled | 1 LAMP requested', 'by the same workflow');
UPDATE shop.methods SET by_partner = true WHERE code = 'dropship';
SELECT pg_temp.sound('after all that');

SELECT * FROM finish();
ROLLBACK;
