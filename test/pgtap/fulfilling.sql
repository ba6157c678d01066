-- Fulfillments: every default method on its way, splitting, rejecting and
-- canceling; stock, units, axes and money after each step.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, if_short) VALUES ('web', 'Web', 'refuse'), ('late', 'May be late', 'hold');
INSERT INTO shop.locations (code, name, kind, priority, tracked) VALUES ('a', 'A', 'warehouse', 1, true), ('b', 'B', 'store', 2, true),
	('c', 'C', 'warehouse', 3, true), ('supplier', 'Supplier', 'supplier', 4, false);
INSERT INTO shop.skus (code, name) SELECT 'sku' || n, 'SKU ' || n FROM generate_series(188, 200) AS n
	UNION ALL SELECT 'new' || n, 'New ' || n FROM generate_series(1, 300) AS n;
INSERT INTO shop.skus (code, name, kind) VALUES ('song', 'A song', 'digital'), ('tuning', 'Tuning a piano', 'service');
CREATE TEMP SEQUENCE next_sku;

CREATE FUNCTION pg_temp.stock(sku text, location text, quantity bigint) RETURNS text LANGUAGE sql
AS $$ INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ($1, $2, 'receipt', $3) RETURNING sku $$;
-- a new sku with so many units at A
CREATE FUNCTION pg_temp.fresh(quantity bigint DEFAULT 5) RETURNS text LANGUAGE sql
AS $$ SELECT pg_temp.stock('new' || nextval('next_sku'), 'a', $1) $$;
CREATE FUNCTION pg_temp.place(lines jsonb, more jsonb DEFAULT '{}') RETURNS uuid LANGUAGE sql
AS $$ SELECT order_id FROM oms.place_order('shop', jsonb_build_object('channel', 'web', 'currency', 'EUR', 'lines', $1) || $2) $$;
CREATE FUNCTION pg_temp.line(sku text, quantity bigint, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql
AS $$ SELECT jsonb_build_array(jsonb_build_object('sku', $1, 'quantity', $2, 'unit_price', 10) || $3) $$;
CREATE FUNCTION pg_temp.units(order_id uuid, line_no integer DEFAULT 1) RETURNS text LANGUAGE sql
AS $$ SELECT concat_ws(', ', 'canceled ' || nullif(canceled, 0), 'allocated ' || nullif(allocated, 0),
	'backordered ' || nullif(backordered, 0), 'short ' || nullif(short, 0), 'shipped ' || nullif(shipped, 0),
	'delivered ' || nullif(delivered, 0), 'returned ' || nullif(returned, 0))
	FROM shop.order_lines l WHERE l.order_id = $1 AND l.line_no = $2 $$;
CREATE FUNCTION pg_temp.level(sku text, location text DEFAULT 'a') RETURNS text LANGUAGE sql
AS $$ SELECT format('%s/%s/%s', on_hand, unavailable, reserved) FROM shop.stock s WHERE s.sku = $1 AND s.location = $2 $$;
CREATE FUNCTION pg_temp.fulfillments(order_id uuid) RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(format('%s %s at %s', f.status, (SELECT sum(l.quantity) FROM shop.fulfillment_lines l
	WHERE l.fulfillment_id = f.id), f.location), ', ' ORDER BY f.id) FROM shop.fulfillments f WHERE f.order_id = $1 $$;
CREATE FUNCTION pg_temp.axes(order_id uuid) RETURNS text LANGUAGE sql
AS $$ SELECT format('%s, %s, %s, due %s', status, fulfillment_status, return_status, round(total - credited, 2)) FROM shop.orders WHERE id = $1 $$;
CREATE FUNCTION pg_temp.fulfillment(order_id uuid, status text DEFAULT NULL) RETURNS uuid LANGUAGE sql
AS $$ SELECT id FROM shop.fulfillments f WHERE f.order_id = $1 AND ($2 IS NULL OR f.status = $2) ORDER BY id LIMIT 1 $$;
-- all that a fulfillment's step changes: its state; stock at A (on hand/unavailable/reserved); the line's units; the order
CREATE FUNCTION pg_temp.look(order_id uuid) RETURNS text LANGUAGE sql
AS $$ SELECT format('%s %s | %s | %s | %s', f.status, f.stock_state, coalesce(pg_temp.level(l.sku, f.location), '-'), pg_temp.units($1), pg_temp.axes($1))
	FROM shop.fulfillments f JOIN shop.fulfillment_lines l ON l.fulfillment_id = f.id WHERE f.order_id = $1 ORDER BY f.id LIMIT 1 $$;
-- places an order of two units and moves its fulfillment; what it looked like at each step
CREATE FUNCTION pg_temp.walk(line jsonb, statuses text DEFAULT '') RETURNS text LANGUAGE plpgsql
AS $$
DECLARE
	placed uuid := pg_temp.place(line);
	looks text := pg_temp.look(placed);
	step text;
BEGIN
	FOREACH step IN ARRAY string_to_array(statuses, ', ') LOOP
		UPDATE shop.fulfillments f SET status = split_part(step, ' ', 1), status_reason = nullif(split_part(step, ' ', 2), '')
		WHERE f.id = pg_temp.fulfillment(placed);
		looks := looks || E'\n' || pg_temp.look(placed);
	END LOOP;
	RETURN looks;
END $$;
CREATE FUNCTION pg_temp.sound(what text) RETURNS text LANGUAGE sql
AS $$ SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL,
	'verify_store: ' || what) $$;
CREATE FUNCTION pg_temp.fault(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql
AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;

-- ---- the main path of every method, and its returns

SELECT is(pg_temp.walk(pg_temp.line(pg_temp.fresh(), 2), 'picking, packed, picking, released, picking, packed, shipped, delivered'),
'released reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
picking reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
packed reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
picking reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
released reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
picking reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
packed reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
shipped issued | 3/0/0 | shipped 2 | completed, fulfilled, none, due 20.00
delivered issued | 3/0/0 | shipped 2, delivered 2 | completed, delivered, none, due 20.00', 'ship: picked, packed, shipped, delivered');
SELECT is(pg_temp.walk(pg_temp.line(pg_temp.fresh(), 2), 'shipped, lost, delivered'),
'released reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
shipped issued | 3/0/0 | shipped 2 | completed, fulfilled, none, due 20.00
lost issued | 3/0/0 | shipped 2 | completed, fulfilled, none, due 20.00
delivered issued | 3/0/0 | shipped 2, delivered 2 | completed, delivered, none, due 20.00', 'ship: lost and found');
SELECT is(pg_temp.walk(pg_temp.line(pg_temp.fresh(), 2), 'shipped, returned_to_sender'),
'released reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
shipped issued | 3/0/0 | shipped 2 | completed, fulfilled, none, due 20.00
returned_to_sender released | 5/0/0 | shipped 2, returned 2 | completed, fulfilled, returned, due 20.00', 'ship: returned to sender');
SELECT is(pg_temp.walk(pg_temp.line(pg_temp.fresh(), 2), 'shipped, lost, returned_to_sender damaged'),
'released reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
shipped issued | 3/0/0 | shipped 2 | completed, fulfilled, none, due 20.00
lost issued | 3/0/0 | shipped 2 | completed, fulfilled, none, due 20.00
returned_to_sender released | 3/0/0 | shipped 2, returned 2 | completed, fulfilled, returned, due 20.00', 'ship: returned damaged, so written off');
SELECT is(pg_temp.walk(pg_temp.line(pg_temp.fresh(), 2), 'shipped, returned_to_sender not_found'),
'released reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
shipped issued | 3/0/0 | shipped 2 | completed, fulfilled, none, due 20.00
returned_to_sender released | 5/2/0 | shipped 2, returned 2 | completed, fulfilled, returned, due 20.00', 'ship: returned to be looked at, so set aside');
SELECT is(pg_temp.walk(pg_temp.line(pg_temp.fresh(), 2, '{"method": "pickup", "pickup_location": "a"}'), 'picking, ready_for_pickup, picking, ready_for_pickup, collected'),
'released reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
picking reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
ready_for_pickup reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
picking reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
ready_for_pickup reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
collected issued | 3/0/0 | shipped 2, delivered 2 | completed, delivered, none, due 20.00', 'pickup: collected');
SELECT is(pg_temp.walk(pg_temp.line(pg_temp.fresh(), 2, '{"method": "pickup", "pickup_location": "a"}'), 'picking, ready_for_pickup, uncollected'),
'released reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
picking reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
ready_for_pickup reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
uncollected released | 5/0/0 | canceled 2 | canceled, unfulfilled, none, due 0.00', 'pickup: nobody came');
SELECT is(pg_temp.walk(pg_temp.line(pg_temp.fresh(), 2, '{"method": "curbside"}'), 'picking, ready_for_pickup, customer_waiting, ready_for_pickup, customer_waiting, collected'),
'released reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
picking reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
ready_for_pickup reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
customer_waiting reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
ready_for_pickup reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
customer_waiting reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
collected issued | 3/0/0 | shipped 2, delivered 2 | completed, delivered, none, due 20.00', 'curbside: collected');
SELECT is(pg_temp.walk(pg_temp.line(pg_temp.fresh(), 2, '{"method": "local_delivery"}'), 'out_for_delivery, attempted, out_for_delivery, delivered'),
'released reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
out_for_delivery issued | 3/0/0 | shipped 2 | completed, fulfilled, none, due 20.00
attempted issued | 3/0/0 | shipped 2 | completed, fulfilled, none, due 20.00
out_for_delivery issued | 3/0/0 | shipped 2 | completed, fulfilled, none, due 20.00
delivered issued | 3/0/0 | shipped 2, delivered 2 | completed, delivered, none, due 20.00', 'local delivery: at the second attempt, issued once');
SELECT is(pg_temp.walk(pg_temp.line(pg_temp.fresh(), 2, '{"method": "local_delivery"}'), 'picking, packed, out_for_delivery, attempted, returned_to_sender'),
'released reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
picking reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
packed reserved | 5/0/2 | allocated 2 | confirmed, unfulfilled, none, due 20.00
out_for_delivery issued | 3/0/0 | shipped 2 | completed, fulfilled, none, due 20.00
attempted issued | 3/0/0 | shipped 2 | completed, fulfilled, none, due 20.00
returned_to_sender released | 5/0/0 | shipped 2, returned 2 | completed, fulfilled, returned, due 20.00', 'local delivery: nobody was there');
SELECT is(pg_temp.walk(pg_temp.line('sku200', 2, jsonb_build_object('method', method)), 'accepted, cancel_requested, accepted, shipped, delivered'),
'requested reserved | - | allocated 2 | confirmed, unfulfilled, none, due 20.00
accepted reserved | - | allocated 2 | confirmed, unfulfilled, none, due 20.00
cancel_requested reserved | - | allocated 2 | confirmed, unfulfilled, none, due 20.00
accepted reserved | - | allocated 2 | confirmed, unfulfilled, none, due 20.00
shipped issued | - | shipped 2 | completed, fulfilled, none, due 20.00
delivered issued | - | shipped 2, delivered 2 | completed, delivered, none, due 20.00', method || ': too late to cancel')
FROM unnest(ARRAY['dropship', 'third_party']) AS method;
SELECT is(pg_temp.walk(pg_temp.line('sku200', 2, jsonb_build_object('method', method)), 'cancel_requested, canceled customer_request'),
'requested reserved | - | allocated 2 | confirmed, unfulfilled, none, due 20.00
cancel_requested reserved | - | allocated 2 | confirmed, unfulfilled, none, due 20.00
canceled released | - | canceled 2 | canceled, unfulfilled, none, due 0.00', method || ': the partner agrees to cancel')
FROM unnest(ARRAY['dropship', 'third_party']) AS method;
SELECT is(pg_temp.walk(pg_temp.line('sku200', 2, jsonb_build_object('method', method)), 'shipped, lost, returned_to_sender'),
'requested reserved | - | allocated 2 | confirmed, unfulfilled, none, due 20.00
shipped issued | - | shipped 2 | completed, fulfilled, none, due 20.00
lost issued | - | shipped 2 | completed, fulfilled, none, due 20.00
returned_to_sender released | - | shipped 2, returned 2 | completed, fulfilled, returned, due 20.00', method || ': returned to the partner')
FROM unnest(ARRAY['dropship', 'third_party']) AS method;
SELECT is(pg_temp.walk(pg_temp.line('sku200', 2, jsonb_build_object('method', method)), 'declined declined'),
'requested reserved | - | allocated 2 | confirmed, unfulfilled, none, due 20.00
declined released | - | short 2 | confirmed, unfulfilled, none, due 20.00', method || ': the only partner declines')
FROM unnest(ARRAY['dropship', 'third_party']) AS method;
SELECT is_empty($$ SELECT FROM shop.stock WHERE location = 'supplier' $$, 'a location that keeps its own books gets no stock row');
SELECT is_empty($$ SELECT FROM shop.stock_movements WHERE location = 'supplier' $$, 'nor a movement');
SELECT is(pg_temp.walk(pg_temp.line('song', 2, '{"method": "digital"}')),
'delivered issued | - | shipped 2, delivered 2 | completed, delivered, none, due 20.00', 'digital: all by itself');
SELECT is(pg_temp.walk(pg_temp.line(pg_temp.fresh(), 2, '{"method": "counter"}')),
'handed_over issued | 3/0/0 | shipped 2, delivered 2 | completed, delivered, none, due 20.00', 'counter: all by itself, from stock');
SELECT is(pg_temp.walk(pg_temp.line('tuning', 2, '{"method": "service"}'), 'scheduled, released, scheduled, performed'),
'released reserved | - | allocated 2 | confirmed, unfulfilled, none, due 20.00
scheduled reserved | - | allocated 2 | confirmed, unfulfilled, none, due 20.00
released reserved | - | allocated 2 | confirmed, unfulfilled, none, due 20.00
scheduled reserved | - | allocated 2 | confirmed, unfulfilled, none, due 20.00
performed issued | - | shipped 2, delivered 2 | completed, delivered, none, due 20.00', 'service: scheduled and performed');
SELECT is((SELECT count(*) FROM shop.stock_movements WHERE kind = 'issue' AND entity = 'fulfillment' AND entity_id IN
	(SELECT id FROM shop.fulfillments WHERE stock_state = 'issued')), (SELECT count(*) FROM shop.fulfillment_lines l JOIN shop.fulfillments f
	ON f.id = l.fulfillment_id WHERE stock_state = 'issued' AND tracked), 'every tracked line that left has its movement, once');
SELECT is_empty($$ SELECT FROM shop.fulfillments WHERE (shipped_at IS NOT NULL) <> (status IN ('shipped', 'lost', 'delivered', 'returned_to_sender',
	'collected', 'handed_over', 'performed', 'out_for_delivery', 'attempted')) $$, 'shipped_at says whether it left');
SELECT is_empty($$ SELECT FROM shop.fulfillments WHERE (delivered_at IS NOT NULL) <> (status IN ('delivered', 'collected', 'handed_over', 'performed')) $$,
	'delivered_at says whether it arrived');
SELECT pg_temp.sound('main paths and returns');

-- ---- from every state of every method that has a release or a reroute

-- the shortest way, by hand, from where a fulfillment stands after placing to a state, without leaving the house
CREATE FUNCTION pg_temp.way(w oms.workflow, start text, goal text) RETURNS text[] LANGUAGE sql
AS $$ WITH RECURSIVE ways AS (SELECT ARRAY[]::text[] AS way, start AS state
		UNION ALL SELECT way || m.to_state, m.to_state FROM ways JOIN oms.moves(w) AS m ON m.from_state = ways.state
		WHERE NOT automatic AND actions = '{}' AND m.to_state <> start AND m.to_state <> ALL (way))
	SELECT way FROM ways WHERE state = goal ORDER BY array_length(way, 1) NULLS FIRST LIMIT 1 $$;
CREATE FUNCTION pg_temp.leave(method text, state text, target text, action text, reason text) RETURNS text LANGUAGE plpgsql
AS $$
DECLARE
	kind text := CASE method WHEN 'digital' THEN 'song' WHEN 'service' THEN 'tuning' ELSE pg_temp.fresh() END;
	held boolean := state = 'open';
	placed uuid;
	w oms.workflow := (SELECT compiled FROM shop.workflows WHERE name = (SELECT workflow FROM shop.methods WHERE code = method));
	start text;
	step text;
BEGIN
	placed := pg_temp.place(pg_temp.line(kind, 2, jsonb_build_object('method', method)), CASE WHEN held THEN '{"holds": [{"kind": "manual"}]}' ELSE '{}' END::jsonb);
	start := (SELECT status FROM shop.fulfillments f WHERE f.order_id = placed);
	FOREACH step IN ARRAY pg_temp.way(w, start, state) LOOP
		UPDATE shop.fulfillments f SET status = step WHERE f.order_id = placed;
	END LOOP;
	IF (SELECT status FROM shop.fulfillments f WHERE f.order_id = placed) IS DISTINCT FROM state THEN
		RETURN 'is not there';
	END IF;
	UPDATE shop.fulfillments f SET status = target, status_reason = reason WHERE f.order_id = placed;
	RETURN regexp_replace(pg_temp.look(placed), '^[a-z_]+ ', '');
END $$;
CREATE TEMP TABLE exits AS
SELECT m.code AS method, v.from_state, v.to_state, a.action FROM shop.methods m JOIN shop.workflows w ON w.name = m.workflow,
	oms.moves(w.compiled) AS v, unnest(v.actions) AS a(action) WHERE a.action IN ('release', 'reroute');
SELECT is((SELECT count(*) FROM exits), 58::bigint, 'there are so many');
SELECT is(pg_temp.leave(method, from_state, to_state, action, reason),
	CASE WHEN method IN ('dropship', 'third_party', 'digital', 'service') THEN 'released | - | ' ELSE 'released | ' || level || ' | ' END
	|| CASE action WHEN 'release' THEN 'canceled 2 | canceled, unfulfilled, none, due 0.00'
		ELSE 'short 2 | ' || CASE from_state WHEN 'open' THEN 'placed' ELSE 'confirmed' END || ', unfulfilled, none, due 20.00' END,
	format('%s: %s -> %s%s', method, from_state, to_state, ' because of ' || reason))
FROM exits, (VALUES (NULL, '5/0/0'), ('closed', '5/0/0'), ('not_found', '5/2/0'), ('damaged', '3/0/0')) AS r(reason, level)
WHERE NOT (method IN ('digital', 'service') AND action = 'reroute')
ORDER BY method, from_state, to_state, reason NULLS FIRST;
SELECT pg_temp.sound('every exit');
SELECT is((SELECT count(*) FROM shop.stock_movements WHERE reason = 'not_found' AND kind = 'quarantine'),
	(SELECT count(*) FROM shop.stock_movements WHERE reason = 'damaged' AND kind = 'damage' ),
	'reasons are in the ledger');

-- ---- three, four and five units in three locations

SELECT pg_temp.stock('sku190', 'a', 3), pg_temp.stock('sku190', 'b', 4), pg_temp.stock('sku190', 'c', 5);
SELECT pg_temp.place(pg_temp.line('sku190', 5)) AS five \gset
SELECT is(pg_temp.fulfillments(:'five'), 'released 5 at c', 'five come from where there are five');
SELECT pg_temp.sound('five of 3 + 4 + 5');
UPDATE shop.orders SET status = 'canceled' WHERE id = :'five';
SELECT is(concat_ws(' ', pg_temp.level('sku190', 'a'), pg_temp.level('sku190', 'b'), pg_temp.level('sku190', 'c')), '3/0/0 4/0/0 5/0/0', 'and go back');
SELECT throws_ok($$ SELECT pg_temp.place(pg_temp.line('sku190', 13)) $$, 'OM003', 'not enough stock: sku "sku190" wants 13, 12 available', 'thirteen are refused');
SELECT is(concat_ws(' ', pg_temp.level('sku190', 'a'), pg_temp.level('sku190', 'b'), pg_temp.level('sku190', 'c')), '3/0/0 4/0/0 5/0/0', 'and change nothing');
SELECT is((SELECT count(*) FROM shop.orders o JOIN shop.order_lines l ON l.order_id = o.id WHERE sku = 'sku190'), 1::bigint, 'leaving no order');
SELECT pg_temp.place(pg_temp.line('sku190', 12)) AS twelve \gset
SELECT is(pg_temp.fulfillments(:'twelve'), 'released 3 at a, released 4 at b, released 5 at c', 'twelve come from all three');
SELECT is((SELECT string_agg(number, ' ' ORDER BY id) FROM shop.fulfillments WHERE order_id = :'twelve'),
	(SELECT format('%1$s-1 %1$s-2 %1$s-3', number) FROM shop.orders WHERE id = :'twelve'), 'numbered after the order');
SELECT pg_temp.sound('twelve of 3 + 4 + 5');
UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = :'twelve' AND location = 'b';
SELECT is(pg_temp.units(:'twelve') || '; ' || pg_temp.axes(:'twelve'), 'allocated 8, shipped 4; confirmed, partial, none, due 120.00', 'one parcel is gone');
SELECT throws_ok(format($$ UPDATE shop.orders SET status = 'canceled' WHERE id = %L $$, :'twelve'), 'OM002', NULL, 'now it cannot be canceled');
UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = :'twelve' AND status = 'released';
SELECT is(pg_temp.units(:'twelve') || '; ' || pg_temp.axes(:'twelve'), 'shipped 12; completed, fulfilled, none, due 120.00', 'two in one statement follow');
UPDATE shop.fulfillments SET status = 'delivered' WHERE order_id = :'twelve' AND location <> 'c';
SELECT is(pg_temp.axes(:'twelve'), 'completed, fulfilled, none, due 120.00', 'not all have arrived');
UPDATE shop.fulfillments SET status = 'delivered' WHERE order_id = :'twelve' AND location = 'c';
SELECT is(pg_temp.axes(:'twelve'), 'completed, delivered, none, due 120.00', 'all have');
SELECT is(concat_ws(' ', pg_temp.level('sku190', 'a'), pg_temp.level('sku190', 'b'), pg_temp.level('sku190', 'c')), '0/0/0 0/0/0 0/0/0', 'nothing is left');
SELECT pg_temp.sound('twelve shipped');
SELECT throws_ok(format($$ UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = %L AND location = 'a' $$, :'twelve'), 'OM001', NULL, 'goods leave once');

-- ---- a reject is sourced elsewhere, never at the same location for this order

SELECT pg_temp.stock('sku191', 'a', 2), pg_temp.stock('sku191', 'b', 1), pg_temp.stock('sku191', 'c', 2);
SELECT pg_temp.place(pg_temp.line('sku191', 2)) AS moving \gset
UPDATE shop.fulfillments SET status = 'picking' WHERE order_id = :'moving';
UPDATE shop.fulfillments SET status = 'rejected', status_reason = 'no_capacity' WHERE order_id = :'moving';
SELECT is(pg_temp.fulfillments(:'moving'), 'rejected 2 at a, released 2 at c', 'rejected at A, it goes to C, which has both');
SELECT is(pg_temp.level('sku191', 'a') || ' ' || pg_temp.level('sku191', 'c'), '2/0/0 2/0/2', 'A has its units back');
UPDATE shop.fulfillments SET status = 'rejected' WHERE order_id = :'moving' AND location = 'c';
SELECT is(pg_temp.fulfillments(:'moving'), 'rejected 2 at a, rejected 2 at c, released 1 at b', 'rejected there too, it gets what B has');
SELECT is(pg_temp.units(:'moving'), 'allocated 1, short 1', 'although A and C have units');
UPDATE shop.fulfillments SET status = 'rejected' WHERE order_id = :'moving' AND location = 'b';
SELECT is(pg_temp.units(:'moving'), 'short 2', 'rejected everywhere, it is short');
SELECT is(pg_temp.axes(:'moving'), 'confirmed, unfulfilled, none, due 20.00', 'and stays open');
SELECT lives_ok($$ SELECT pg_temp.place(pg_temp.line('sku191', 2)) $$, 'another order may have A''s units');
SELECT is((SELECT string_agg(coalesce(status_reason, '-'), ' ' ORDER BY id) FROM shop.fulfillments WHERE order_id = :'moving'), 'no_capacity - -', 'reasons stay with their move');
SELECT pg_temp.sound('rejected everywhere');

-- ---- until people say otherwise

SELECT pg_temp.fresh(2) AS sku \gset
SELECT pg_temp.place(pg_temp.line(:'sku', 2)) AS o \gset
SELECT throws_ok(format($$ UPDATE shop.fulfillments SET ask_again = true WHERE order_id = %L $$, :'o'), '23514', NULL, 'nothing was refused yet');
UPDATE shop.fulfillments SET status = 'rejected' WHERE order_id = :'o';
SELECT pg_temp.stock('new299', 'a', 1), pg_temp.stock(:'sku', 'b', 1);
SELECT oms.tick('shop');
SELECT is(pg_temp.fulfillments(:'o'), 'rejected 2 at a, released 1 at b', 'another location and other goods change nothing about it');
UPDATE shop.fulfillments SET ask_again = true WHERE order_id = :'o' AND status = 'rejected';
SELECT is((SELECT string_agg(disposition || ' ' || quantity || ' ' || location, ', ') FROM oms.plan_order('shop', :'o')), 'allocate 1 a', 'people have it asked again');
SELECT oms.tick('shop');
SELECT is(pg_temp.fulfillments(:'o'), 'rejected 2 at a, released 1 at b, released 1 at a', 'tick does so');
UPDATE shop.fulfillments SET status = 'rejected' WHERE order_id = :'o' AND status = 'released' AND location = 'a';
SELECT oms.tick('shop');
SELECT is(pg_temp.units(:'o'), 'allocated 1, short 1', 'it may refuse again');
SELECT pg_temp.stock(:'sku', 'a', 1);
SELECT is(pg_temp.units(:'o'), 'allocated 1, short 1', 'and keeps to it, whatever it receives');
SELECT pg_temp.sound('asked again');

-- one statement rejects two orders' fulfillments: what one gives back, the other may not count on, but nothing is taken twice
SELECT pg_temp.stock('sku192', 'a', 4), pg_temp.stock('sku192', 'b', 3);
SELECT pg_temp.place(pg_temp.line('sku192', 2)) AS one \gset
SELECT pg_temp.place(pg_temp.line('sku192', 2)) AS two \gset
UPDATE shop.fulfillments SET status = 'rejected' WHERE order_id IN (:'one', :'two');
SELECT is(pg_temp.units(:'one') || '; ' || pg_temp.units(:'two'), 'allocated 2; allocated 1, short 1', 'B''s three units go to the two orders by age');
SELECT is(pg_temp.level('sku192', 'a') || ' ' || pg_temp.level('sku192', 'b'), '4/0/0 3/0/3', 'the books agree');
SELECT pg_temp.sound('two rejects in one statement');

-- ---- dividing

SELECT pg_temp.stock('sku193', 'a', 5), pg_temp.stock('sku194', 'a', 5);
SELECT order_id AS whole FROM oms.place_order('shop', jsonb_build_object('channel', 'web', 'currency', 'EUR', 'lines',
	pg_temp.line('sku193', 3) || pg_temp.line('sku194', 2))) \gset
SELECT pg_temp.fulfillment(:'whole') AS f \gset
UPDATE shop.fulfillments SET status = 'picking', carrier = 'post' WHERE id = :'f';
SELECT oms.split_fulfillment('shop', :'f', '[{"line": 1, "quantity": 2}]') AS part \gset
SELECT is(pg_temp.fulfillments(:'whole'), 'picking 3 at a, picking 2 at a', 'two units are on their own');
SELECT is((SELECT concat_ws(' ', location, method, workflow, status, stock_state, carrier, number = (SELECT number || '-2' FROM shop.orders WHERE id = :'whole'))
	FROM shop.fulfillments WHERE id = :'part'), 'a ship ship picking reserved post t', 'in the same state at the same place');
SELECT is(pg_temp.level('sku193') || ' ' || pg_temp.units(:'whole'), '5/0/3 allocated 3', 'no counter has changed');
UPDATE shop.fulfillments SET status = 'packed' WHERE id = :'part';
UPDATE shop.fulfillments SET status = 'shipped' WHERE id = :'part';
SELECT is(pg_temp.units(:'whole') || '; ' || pg_temp.axes(:'whole'), 'allocated 1, shipped 2; confirmed, partial, none, due 50.00', 'a partial shipment');
SELECT shop.split_fulfillment(:'f', '[{"line": 1, "quantity": 1}]') AS part2 \gset
SELECT is(pg_temp.fulfillments(:'whole'), 'picking 2 at a, shipped 2 at a, picking 1 at a', 'a line may leave as a whole');
SELECT pg_temp.sound('divided');
SELECT throws_ok(format($$ SELECT oms.split_fulfillment('shop', %L, %L) $$, :'f', lines), 'OM012', message, 'split: ' || lines)
FROM (VALUES
	('{}', 'lines: must be an array'), ('1', 'lines: must be an array'), ('[]', 'lines: is empty'), ('[1]', 'lines[0]: must be an object'),
	('[{"line": 2}]', 'lines[0].quantity: is required'), ('[{"quantity": 1}]', 'lines[0].line: is required'),
	('[{"line": 2, "quantity": 0}]', 'lines[0].quantity: 0 is less than 1'), ('[{"line": 2, "quantity": -1}]', 'lines[0].quantity: -1 is less than 1'),
	('[{"line": 2, "quantity": 1.5}]', 'lines[0].quantity: 1.5 has more than 0 decimals'), ('[{"line": 2, "quantity": "1"}]', 'lines[0].quantity: must be a number'),
	('[{"line": 2, "quantity": 1, "sku": "sku194"}]', 'lines[0].sku: unknown key'),
	('[{"line": 2, "quantity": 1}, {"line": 2, "quantity": 1}]', 'lines[1].line: line 2 is there twice'),
	('[{"line": 2, "quantity": 3}]', NULL), ('[{"line": 1, "quantity": 1}]', NULL), ('[{"line": 9, "quantity": 1}]', NULL),
	('[{"line": 2, "quantity": 2}]', NULL)) AS v(lines, message);
SELECT alike((pg_temp.fault(format($$ SELECT oms.split_fulfillment('shop', %L, '[{"line": 2, "quantity": 3}]') $$, :'f'))).message,
	'lines[0].quantity: %2 units of line 2%', 'the message says how many there are');
SELECT throws_ok(format($$ SELECT oms.split_fulfillment('shop', %L, '[{"line": 1, "quantity": 1}]') $$, :'part'), 'OM002', NULL, 'what has shipped is not divided');
SELECT throws_ok($$ SELECT oms.split_fulfillment('shop', oms.uuid7(), '[{"line": 1, "quantity": 1}]') $$, 'OM012', NULL, 'nor what does not exist');
SELECT throws_ok(format($$ SELECT oms.split_fulfillment('nowhere', %L, '[{"line": 1, "quantity": 1}]') $$, :'f'), 'OM010', NULL, 'nor in a store that does not');
UPDATE shop.fulfillments SET status = 'canceled' WHERE id = :'part2';
SELECT throws_ok(format($$ SELECT oms.split_fulfillment('shop', %L, '[{"line": 1, "quantity": 1}]') $$, :'part2'), 'OM002', NULL, 'nor what is canceled');
SELECT is(pg_temp.axes(:'whole'), 'confirmed, partial, none, due 40.00', 'a part that is canceled is credited');
UPDATE shop.fulfillments SET status = 'packed' WHERE id = :'f';
UPDATE shop.fulfillments SET status = 'shipped' WHERE id = :'f';
SELECT is(pg_temp.axes(:'whole'), 'completed, fulfilled, none, due 40.00', 'the rest completes the order');
SELECT pg_temp.sound('divided, shipped and canceled');

-- ---- cancel_lines

SELECT pg_temp.stock('sku195', 'a', 3), pg_temp.stock('sku195', 'b', 3);
SELECT pg_temp.place(pg_temp.line('sku195', 8, '{"discount": 1, "tax": 2, "method": "pickup"}'), '{"channel": "late", "charges": [{"kind": "shipping", "amount": 7, "tax": 1}]}') AS c \gset
SELECT is(pg_temp.units(:'c') || '; ' || pg_temp.axes(:'c'), 'allocated 6, short 2; placed, unfulfilled, none, due 89.00', 'six of eight, so held');
SELECT is(oms.cancel_lines('shop', :'c', '[{"line": 1, "quantity": 1}]', 'out_of_stock'), 1::bigint, 'a short unit goes first');
SELECT is(pg_temp.units(:'c') || '; ' || pg_temp.axes(:'c'), 'canceled 1, allocated 6, short 1; placed, unfulfilled, none, due 78.88',
	'and is credited in proportion: 81 / 8');
SELECT is((SELECT credited FROM shop.orders WHERE id = :'c'), 10.1250, 'to four decimals');
UPDATE shop.order_holds SET released_at = clock_timestamp() WHERE order_id = :'c';
-- pickup goes from released by picking to ready_for_pickup and only then leaves, so released is less advanced than picking
UPDATE shop.fulfillments SET status = 'picking' WHERE order_id = :'c' AND location = 'b';
SELECT is(shop.cancel_lines(:'c', '[{"line": 1, "quantity": 3}]'), 3::bigint, 'then the other short one and two of the least advanced');
SELECT is(pg_temp.fulfillments(:'c'), 'released 1 at a, picking 3 at b, canceled 2 at a', 'which are divided off');
SELECT is(pg_temp.units(:'c'), 'canceled 4, allocated 4', 'eight are accounted for');
SELECT is(oms.cancel_lines('shop', :'c', '[{"line": 1, "quantity": 2}]', 'damaged'), 2::bigint, 'with a reason of the stock');
SELECT is(pg_temp.fulfillments(:'c'), 'canceled 1 at a, picking 2 at b, canceled 2 at a, canceled 1 at b', 'a whole one and a part');
SELECT is(pg_temp.level('sku195', 'a') || ' ' || pg_temp.level('sku195', 'b'), '2/0/0 2/0/2', 'it is obeyed: damaged units are written off');
SELECT is((SELECT string_agg(coalesce(status_reason, '-'), ' ' ORDER BY id) FROM shop.fulfillments WHERE order_id = :'c'), 'damaged - - damaged', 'and noted');
SELECT is((SELECT string_agg(coalesce(reason, '-') || ' ' || (detail ->> 'quantity'), ', ' ORDER BY id) FROM shop.order_events WHERE order_id = :'c' AND event = 'canceled_units'),
	'out_of_stock 1, - 2, - 1, damaged 1, damaged 1', 'in the log too, stock that comes back before what had none');
SELECT pg_temp.sound('canceled in part');
SELECT throws_ok(format($$ SELECT oms.cancel_lines('shop', %L, %L) $$, :'c', lines), 'OM012', message, 'cancel: ' || lines)
FROM (VALUES ('{}', 'lines: must be an array'), ('[]', 'lines: is empty'), ('[{"line": 1, "quantity": 3}]', NULL), ('[{"line": 2, "quantity": 1}]', NULL),
	('[{"line": 1, "quantity": 1}, {"line": 1, "quantity": 1}]', 'lines[1].line: line 1 is there twice'),
	('[{"line": 1, "quantity": 1, "reason": "x"}]', 'lines[0].reason: unknown key'), ('[{"line": 1, "quantity": 0}]', 'lines[0].quantity: 0 is less than 1'),
	('["1"]', 'lines[0]: must be an object')) AS v(lines, message);
SELECT throws_ok(format($$ SELECT oms.cancel_lines('shop', %L, NULL, 'whim') $$, :'c'), 'OM012', 'reason: unknown reason "whim"', 'a reason must be known');
SELECT throws_ok($$ SELECT oms.cancel_lines('shop', oms.uuid7()) $$, 'OM012', NULL, 'so must the order');
SELECT throws_ok($$ SELECT oms.cancel_lines('shop', NULL) $$, '22004', NULL, 'and not be null');
SELECT throws_ok(format($$ SELECT oms.cancel_lines('nowhere', %L) $$, :'c'), 'OM010', NULL, 'nor the store unknown');
SELECT is(oms.cancel_lines('shop', :'c'), 2::bigint, 'all that is left');
SELECT is(pg_temp.units(:'c') || '; ' || pg_temp.axes(:'c'), 'canceled 8; canceled, unfulfilled, none, due 0.00', 'cancels the order, charges and all');
SELECT ok(closed_at IS NOT NULL AND canceled_at IS NOT NULL, 'it is closed') FROM shop.orders WHERE id = :'c';
SELECT is(oms.cancel_lines('shop', :'c'), 0::bigint, 'there is no more to cancel');
SELECT pg_temp.sound('canceled as a whole');
INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR') RETURNING id AS draft \gset
SELECT throws_ok(format($$ SELECT oms.cancel_lines('shop', %L) $$, :'draft'), 'OM002', NULL, 'a draft has nothing to cancel');

-- of shipped and canceled units none is left to cancel, and what is canceled completes the order
SELECT pg_temp.place(pg_temp.line(pg_temp.fresh(), 4)) AS p \gset
SELECT oms.split_fulfillment('shop', pg_temp.fulfillment(:'p'), '[{"line": 1, "quantity": 3}]') AS gone \gset
UPDATE shop.fulfillments SET status = 'shipped' WHERE id = :'gone';
SELECT throws_ok(format($$ SELECT oms.cancel_lines('shop', %L, '[{"line": 1, "quantity": 2}]') $$, :'p'), 'OM012', NULL, 'what has shipped cannot be canceled');
SELECT is(oms.cancel_lines('shop', :'p'), 1::bigint, 'the rest can');
SELECT is(pg_temp.units(:'p') || '; ' || pg_temp.axes(:'p'), 'canceled 1, shipped 3; completed, fulfilled, none, due 30.00', 'and the order is complete');

-- credits: the last unit takes the rounding; with tax included tax is in the price
SELECT pg_temp.place(pg_temp.line(pg_temp.fresh(), 3, '{"unit_price": 10, "discount": 1, "tax": 2}'), jsonb_build_object('tax_included', included)) AS id, included
INTO TEMP credits FROM unnest(ARRAY[false, true]) AS included;
CREATE FUNCTION pg_temp.credit(order_id uuid) RETURNS numeric LANGUAGE sql
AS $$ SELECT oms.cancel_lines('shop', $1, '[{"line": 1, "quantity": 1}]'); SELECT credited FROM shop.orders WHERE id = $1 $$;
SELECT is((SELECT string_agg(c, ' ') FROM (SELECT pg_temp.credit(id)::text AS c FROM credits, generate_series(1, 3) AS n WHERE NOT included) AS x), '10.3333 20.6667 31.0000', 'a third each of 31');
SELECT is((SELECT string_agg(c, ' ') FROM (SELECT pg_temp.credit(id)::text AS c FROM credits, generate_series(1, 3) AS n WHERE included) AS x), '9.6667 19.3333 29.0000', 'of 29 with tax included');
SELECT pg_temp.sound('credits');

-- ---- canceling an order

SELECT pg_temp.stock('sku196', 'a', 2), pg_temp.stock('sku196', 'b', 2);
SELECT pg_temp.place(pg_temp.line('sku196', 4)) AS o \gset
UPDATE shop.fulfillments SET status = 'picking' WHERE order_id = :'o' AND location = 'b';
UPDATE shop.orders SET status = 'canceled', status_reason = 'fraud' WHERE id = :'o';
SELECT is(pg_temp.fulfillments(:'o'), 'canceled 2 at a, canceled 2 at b', 'all its fulfillments are canceled');
SELECT is((SELECT string_agg(stock_state || ' ' || coalesce(status_reason, '-'), ', ') FROM shop.fulfillments WHERE order_id = :'o'), 'released fraud, released fraud', 'for the same reason');
SELECT is(pg_temp.units(:'o') || '; ' || pg_temp.axes(:'o'), 'canceled 4; canceled, unfulfilled, none, due 0.00', 'nothing is due');
SELECT is(pg_temp.level('sku196', 'a') || ' ' || pg_temp.level('sku196', 'b'), '2/0/0 2/0/0', 'stock is free');
SELECT pg_temp.place(pg_temp.line('sku196', 6), '{"if_short": "hold"}') AS s \gset
UPDATE shop.orders SET status = 'canceled' WHERE id = :'s';
SELECT is(pg_temp.units(:'s') || '; ' || pg_temp.axes(:'s'), 'canceled 6; canceled, unfulfilled, none, due 0.00', 'short units are canceled too');
SELECT pg_temp.sound('orders canceled');

SELECT order_id AS d, number AS dn FROM oms.place_order('shop', jsonb_build_object('channel', 'web', 'currency', 'EUR', 'lines',
	pg_temp.line(pg_temp.fresh(), 1) || pg_temp.line('sku200', 1, '{"method": "dropship"}'))) \gset
SELECT is(pg_temp.fulfillments(:'d'), 'released 1 at a, requested 1 at supplier', 'a parcel of ours and one of the supplier''s');
SELECT throws_ok(format($$ UPDATE shop.orders SET status = 'canceled' WHERE id = %L $$, :'d'), 'OM002', format('fulfillment "%s-2" cannot be released from "requested"', :'dn'),
	'what a partner is at cannot be canceled over its head');
SELECT is(pg_temp.fulfillments(:'d') || '; ' || pg_temp.axes(:'d'), 'released 1 at a, requested 1 at supplier; confirmed, unfulfilled, none, due 20.00', 'nothing has changed');
SELECT throws_ok(format($$ SELECT oms.cancel_lines('shop', %L) $$, :'d'), 'OM002', format('fulfillment "%s-2" cannot be released from "requested"', :'dn'), 'not by cancel_lines either');
SELECT throws_ok(format($$ SELECT oms.cancel_lines('shop', %L, '[{"line": 2, "quantity": 1}]') $$, :'d'), 'OM002', NULL, 'nor line by line');
SELECT is(oms.cancel_lines('shop', :'d', '[{"line": 1, "quantity": 1}]'), 1::bigint, 'ours can go');
UPDATE shop.fulfillments SET status = 'cancel_requested' WHERE order_id = :'d' AND location = 'supplier';
SELECT lives_ok(format($$ UPDATE shop.orders SET status = 'canceled' WHERE id = %L $$, :'d'), 'once the partner was asked, so can the order');
SELECT is(pg_temp.axes(:'d'), 'canceled, unfulfilled, none, due 0.00', 'canceled');

-- one statement that ships a fulfillment and cancels its order does neither
SELECT pg_temp.place(pg_temp.line(pg_temp.fresh(), 4)) AS torn \gset
SELECT throws_ok(format($$ WITH s AS (UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = %1$L RETURNING id),
	c AS (UPDATE shop.orders SET status = 'canceled' WHERE id = %1$L RETURNING id) SELECT * FROM s, c $$, :'torn'), 'OM002', NULL, 'shipping and canceling at once');
SELECT throws_ok(format($$ WITH c AS (UPDATE shop.orders SET status = 'canceled' WHERE id = %1$L RETURNING id),
	s AS (UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = %1$L RETURNING id) SELECT * FROM c, s $$, :'torn'), 'OM002', NULL, 'in any order');
SELECT is(pg_temp.units(:'torn'), 'allocated 4', 'changes nothing');
SELECT pg_temp.sound('torn');

-- ---- what must leave together

SELECT pg_temp.stock('sku197', 'a', 2), pg_temp.stock('sku198', 'a', 1);
SELECT order_id AS together FROM oms.place_order('shop', jsonb_build_object('channel', 'late', 'currency', 'EUR', 'ship_complete', true, 'lines',
	pg_temp.line('sku197', 1) || pg_temp.line('sku198', 2))) \gset
UPDATE shop.order_holds SET released_at = clock_timestamp() WHERE order_id = :'together';
SELECT is(pg_temp.fulfillments(:'together') || '; ' || pg_temp.axes(:'together'), 'open 2 at a; confirmed, unfulfilled, none, due 30.00', 'ship_complete waits for the short unit');
SELECT throws_ok(format($$ UPDATE shop.fulfillments SET status = 'released' WHERE order_id = %L $$, :'together'), 'OM002', NULL, 'by hand too');
SELECT ok(strpos((pg_temp.fault(format($$ UPDATE shop.fulfillments SET status = 'released' WHERE order_id = %L $$, :'together'))).message, 'guard "group_complete" refuses') > 0, 'group_complete says so');
SELECT oms.cancel_lines('shop', :'together', '[{"line": 2, "quantity": 1}]');
SELECT is(pg_temp.fulfillments(:'together'), 'released 2 at a', 'and goes when nothing is missing any more');
SELECT pg_temp.stock('sku198', 'a', 1);
SELECT order_id AS patient FROM oms.place_order('shop', jsonb_build_object('channel', 'late', 'currency', 'EUR', 'ship_complete', true, 'lines',
	pg_temp.line('sku197', 1) || pg_temp.line('sku198', 2))) \gset
UPDATE shop.order_holds SET released_at = clock_timestamp() WHERE order_id = :'patient';
UPDATE shop.orders SET ship_complete = false WHERE id = :'patient';
SELECT is(pg_temp.fulfillments(:'patient'), 'released 2 at a', 'or when it need not leave together after all');

SELECT pg_temp.stock('sku188', 'a', 2), pg_temp.stock('sku189', 'a', 1);
SELECT order_id AS groups FROM oms.place_order('shop', jsonb_build_object('channel', 'late', 'currency', 'EUR', 'lines',
	pg_temp.line('sku188', 1, '{"ship_group": "gift"}') || pg_temp.line('sku189', 2, '{"ship_group": "gift"}') || pg_temp.line('sku188', 1))) \gset
UPDATE shop.order_holds SET released_at = clock_timestamp() WHERE order_id = :'groups';
SELECT is(pg_temp.fulfillments(:'groups'), 'open 2 at a, released 1 at a', 'only the group that lacks a unit waits');
SELECT throws_ok(format($$ UPDATE shop.fulfillments SET status = 'released' WHERE order_id = %L AND status = 'open' $$, :'groups'), 'OM002', NULL, 'by hand too');
SELECT oms.cancel_lines('shop', :'groups', '[{"line": 2, "quantity": 1}]');
SELECT is(pg_temp.fulfillments(:'groups'), 'released 2 at a, released 1 at a', 'and goes when it is complete');
SELECT pg_temp.sound('groups');

-- ---- who ships what to where

SELECT pg_temp.stock('sku199', 'a', 3), pg_temp.stock('sku199', 'b', 1);
SELECT pg_temp.place(pg_temp.line('sku199', 1, '{"method": "pickup", "pickup_location": "b"}')) AS near \gset
SELECT is(pg_temp.fulfillments(:'near'), 'released 1 at b', 'pickup takes the shop''s own unit first');
SELECT pg_temp.place(pg_temp.line('sku199', 1, '{"method": "pickup", "pickup_location": "b"}')) AS far \gset
SELECT is((SELECT location || ' ' || pickup_location FROM shop.fulfillments WHERE order_id = :'far'), 'a b', 'else another location sends it to the shop');
UPDATE shop.fulfillments SET status = 'rejected' WHERE order_id = :'near';
SELECT is((SELECT string_agg(status || ' ' || location || ' ' || pickup_location, ', ' ORDER BY id) FROM shop.fulfillments WHERE order_id = :'near'), 'rejected b b, released a b',
	'a reroute changes where it comes from, not where it is collected');
SELECT pg_temp.place(pg_temp.line('sku199', 1, '{"location": "b"}')) AS none FROM (SELECT pg_temp.stock('sku199', 'b', 0 + 1)) AS s \gset
SELECT is(pg_temp.fulfillments(:'none'), 'released 1 at b', 'a line that names its location is served there');
SELECT is((pg_temp.fault($$ SELECT pg_temp.place(pg_temp.line('sku199', 2, '{"location": "b"}')) $$)).detail,
	'[{"line":1,"sku":"sku199","location":"b","wanted":2,"available":1}]', 'or not at all');
SELECT pg_temp.place(pg_temp.line('song', 1, '{"method": "digital"}') || pg_temp.line(pg_temp.fresh(), 1)) AS mixed \gset
SELECT is(pg_temp.fulfillments(:'mixed') || '; ' || pg_temp.axes(:'mixed'), 'delivered 1 at a, released 1 at a; confirmed, partial, none, due 20.00', 'a download does not wait for the parcel');

-- ship_to may change until the goods have left
INSERT INTO shop.addresses (city) VALUES ('Ghent') RETURNING id AS ghent \gset
INSERT INTO shop.addresses (city) VALUES ('Bruges') RETURNING id AS bruges \gset
SELECT pg_temp.place(pg_temp.line(pg_temp.fresh(), 1), '{"ship_to": {"city": "Paris"}}') AS sent \gset
SELECT is((SELECT city FROM shop.addresses a JOIN shop.fulfillments f ON f.ship_to_id = a.id WHERE f.order_id = :'sent'), 'Paris', 'ship_to is copied from the order');
SELECT lives_ok(format($$ UPDATE shop.fulfillments SET ship_to_id = %L WHERE order_id = %L $$, :'ghent', :'sent'), 'it may change');
UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = :'sent';
SELECT throws_ok(format($$ UPDATE shop.fulfillments SET ship_to_id = %L WHERE order_id = %L $$, :'bruges', :'sent'), 'OM006', NULL, 'until it has shipped');
UPDATE shop.fulfillments SET status = 'returned_to_sender' WHERE order_id = :'sent';
SELECT throws_ok(format($$ UPDATE shop.fulfillments SET ship_to_id = %L WHERE order_id = %L $$, :'bruges', :'sent'), 'OM006', NULL, 'where it went stays true when it came back');

-- ---- fulfillments belong to the engine

SELECT throws_ok(format($$ INSERT INTO shop.fulfillments (number, order_id, location, method, workflow, status) VALUES ('X-1', %L, 'a', 'ship', 'ship', 'open') $$, :'far'),
	'OM005', NULL, 'INSERT by hand');
SELECT throws_ok(format($$ DELETE FROM shop.fulfillments WHERE order_id = %L $$, :'far'), 'OM006', NULL, 'DELETE');
SELECT throws_ok($$ TRUNCATE shop.fulfillments CASCADE $$, 'OM006', NULL, 'TRUNCATE');
SELECT throws_ok(format($$ UPDATE shop.fulfillments SET %s WHERE order_id = %L $$, change, :'far'), 'OM005', NULL, 'engine column: ' || change)
FROM unnest(ARRAY['stock_state = ''issued''', 'shipped_at = now()', 'delivered_at = now()', 'revision = revision + 1', 'revision = revision - 1',
	'stock_state = ''released'', revision = revision + 1', 'shipped_at = now(), revision = revision + 1']) AS change;
SELECT throws_ok(format($$ UPDATE shop.fulfillments SET %s WHERE order_id = %L $$, change, :'far'), 'OM006', NULL, 'fixed column: ' || change)
FROM unnest(ARRAY['id = oms.uuid7()', 'number = ''X-1''', 'order_id = (SELECT id FROM shop.orders WHERE id <> order_id LIMIT 1)', 'location = ''c''', 'pickup_location = NULL',
	'method = ''ship''', 'workflow = ''ship''', 'created_at = now() - interval ''1 day''']) AS change;
SELECT lives_ok(format($$ UPDATE shop.fulfillments SET carrier = 'post', tracking_number = '1', partner_ref = 'x', promised_at = now(), attributes = '{"a": 1}' WHERE order_id = %L $$, :'far'),
	'people''s columns are theirs');
SELECT throws_ok($$ INSERT INTO shop.fulfillment_lines (fulfillment_id, order_line_id, sku, quantity, tracked) SELECT fulfillment_id, order_line_id, sku, 1, true FROM shop.fulfillment_lines LIMIT 1 $$,
	'OM005', NULL, 'INSERT of a fulfillment''s line');
SELECT throws_ok($$ UPDATE shop.fulfillment_lines SET quantity = quantity + 1 $$, 'OM005', NULL, 'UPDATE of one');
SELECT throws_ok($$ DELETE FROM shop.fulfillment_lines $$, 'OM006', NULL, 'DELETE of one');
SELECT throws_ok($$ TRUNCATE shop.fulfillment_lines $$, 'OM006', NULL, 'TRUNCATE of them');
SELECT pg_temp.sound('in the end');

SELECT * FROM finish();
ROLLBACK;
