-- Payments: rules of money, requests and answers, replays, what is counted into
-- orders and opens moves, credit, payments in documents, grants.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, payment_required) VALUES ('web', 'Web', true), ('desk', 'Desk', false);
INSERT INTO shop.locations (code, name) VALUES ('a', 'A');
INSERT INTO shop.skus (code, name) VALUES ('shirt', 'Shirt');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('shirt', 'a', 'receipt', 1000);

CREATE FUNCTION pg_temp.place(quantity bigint, more jsonb DEFAULT '{}') RETURNS uuid LANGUAGE sql
AS $$ SELECT order_id FROM oms.place_order('shop', jsonb_build_object('channel', 'web', 'currency', 'EUR', 'lines', jsonb_build_array(
	jsonb_build_object('sku', 'shirt', 'quantity', quantity, 'unit_price', 10))) || more) $$;
CREATE FUNCTION pg_temp.pay(order_id uuid, amount numeric) RETURNS uuid LANGUAGE sql
AS $$ INSERT INTO shop.payments (order_id, method, amount) VALUES (order_id, 'card', amount) RETURNING id $$;
-- one transaction; returns how many rows it wrote
CREATE FUNCTION pg_temp.do(payment uuid, kind text, amount numeric, ref text DEFAULT NULL, outcome text DEFAULT 'succeeded') RETURNS bigint LANGUAGE sql
AS $$ WITH t AS (INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount, gateway_ref) VALUES (payment, kind, outcome, amount, ref) RETURNING 1)
	SELECT count(*) FROM t $$;
CREATE FUNCTION pg_temp.money(payment uuid) RETURNS text LANGUAGE sql
AS $$ SELECT concat_ws(' ', status, 'a' || trim_scale(authorized), 'c' || trim_scale(captured), 'v' || trim_scale(voided), 'r' || trim_scale(refunded), 'b' || trim_scale(charged_back),
	'?' || trim_scale(capture_requested) || ',' || trim_scale(refund_requested) || ',' || open_requests, 'f' || failures) FROM shop.payments WHERE id = payment $$;
CREATE FUNCTION pg_temp.order(order_id uuid) RETURNS text LANGUAGE sql
AS $$ SELECT concat_ws(' ', status, payment_status, trim_scale(authorized), trim_scale(captured), trim_scale(refunded), trim_scale(charged_back)) FROM shop.orders WHERE id = order_id $$;
CREATE FUNCTION pg_temp.sound(what text) RETURNS text LANGUAGE sql
AS $$ SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL, 'verify_store: ' || what) $$;
CREATE FUNCTION pg_temp.fault(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text) LANGUAGE plpgsql
AS $$
BEGIN
	EXECUTE statement;
	state := 'ok';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END $$;

-- ---- authorize, capture, refund: the payment, its order, and what moves

SELECT pg_temp.place(2) AS o \gset
SELECT is(pg_temp.order(:'o'), 'placed unpaid 0 0 0 0', 'unpaid, it waits');
SELECT pg_temp.pay(:'o', 20) AS p \gset
SELECT is(pg_temp.money(:'p'), 'pending a0 c0 v0 r0 b0 ?0,0,0 f0', 'a payment begins with nothing');
SELECT pg_temp.do(:'p', 'authorize', 15);
SELECT is(pg_temp.order(:'o'), 'placed authorized 15 0 0 0', 'part of the money is not enough');
SELECT pg_temp.do(:'p', 'authorize', 5);
SELECT is(pg_temp.order(:'o'), 'confirmed authorized 20 0 0 0', 'all of it: confirmed in that statement');
SELECT is(pg_temp.money(:'p'), 'authorized a20 c0 v0 r0 b0 ?0,0,0 f0', 'and the payment says so');
SELECT is((SELECT string_agg(status, ' ') FROM shop.fulfillments WHERE order_id = :'o'), 'released', 'its fulfillment is released');
UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = :'o';
SELECT pg_temp.do(:'p', 'capture', 12);
SELECT is(pg_temp.order(:'o') || ', ' || pg_temp.money(:'p'), 'confirmed partially_paid 8 12 0 0, partially_captured a8 c12 v0 r0 b0 ?0,0,0 f0', 'captured in part');
SELECT pg_temp.do(:'p', 'capture', 8);
SELECT is(pg_temp.order(:'o') || ', ' || pg_temp.money(:'p'), 'completed paid 0 20 0 0, captured a0 c20 v0 r0 b0 ?0,0,0 f0', 'all: fulfilled and paid, it completes');
SELECT pg_temp.do(:'p', 'refund', 5);
SELECT is(pg_temp.order(:'o') || ', ' || pg_temp.money(:'p'), 'completed partially_refunded 0 20 5 0, partially_refunded a0 c20 v0 r5 b0 ?0,0,0 f0', 'refunded in part');
SELECT pg_temp.do(:'p', 'refund', 15);
SELECT is(pg_temp.order(:'o') || ', ' || pg_temp.money(:'p'), 'completed refunded 0 20 20 0, refunded a0 c20 v0 r20 b0 ?0,0,0 f0', 'and in full');
SELECT pg_temp.do(:'p', 'chargeback', 20);
SELECT is(pg_temp.order(:'o') || ', ' || pg_temp.money(:'p'), 'completed charged_back 0 20 20 20, charged_back a0 c20 v0 r20 b20 ?0,0,0 f0', 'a chargeback is a fact, of refunded money too');
SELECT pg_temp.do(:'p', 'chargeback', 1000);
SELECT is(pg_temp.money(:'p'), 'charged_back a0 c20 v0 r20 b1020 ?0,0,0 f0', 'of whatever amount');
SELECT pg_temp.do(:'p', 'chargeback_reversal', 1020);
SELECT is(pg_temp.order(:'o'), 'completed refunded 0 20 20 0', 'reversed, it is as before');
SELECT is((SELECT count(*) FROM shop.order_events e JOIN shop.payment_transactions t ON t.id = (e.detail ->> 'transaction')::bigint WHERE e.order_id = :'o' AND e.event = 'payment' AND e.entity = 'payment'
	AND e.entity_id = :'p' AND t.payment_id = :'p' AND e.detail = jsonb_build_object('transaction', t.id, 'kind', t.kind, 'outcome', t.outcome, 'amount', t.amount)), 9::bigint, 'an event for each transaction');
SELECT pg_temp.sound('a payment''s life');

-- ---- what is refused, with nothing written

SELECT pg_temp.place(3) AS o \gset
SELECT pg_temp.pay(:'o', 30) AS p \gset
SELECT pg_temp.do(:'p', 'authorize', 30), pg_temp.do(:'p', 'capture', 10);
CREATE TEMP TABLE before AS SELECT pg_temp.money(:'p') AS money, count(*) AS n FROM shop.payment_transactions;
SELECT is((f).state || ': ' || coalesce((f).message, ''), 'OM011: ' || message, kind || ' ' || amount || ' ' || outcome)
FROM (SELECT v.*, pg_temp.fault(format('SELECT pg_temp.do(%L, %L, %L, NULL, %L)', :'p', kind, amount, outcome)) AS f FROM (SELECT number FROM shop.orders WHERE id = :'o') o(n), LATERAL (VALUES
	('capture', '20.0001', 'succeeded', format('payment of order "%s": captures and voids exceed what is authorized by 0.0001', n)),
	('void', '21', 'succeeded', format('payment of order "%s": captures and voids exceed what is authorized by 1.0000', n)),
	('capture', '21', 'requested', format('payment of order "%s": requests to capture or void come to 21.0000, but 20.0000 is authorized', n)),
	('refund', '10.0001', 'succeeded', format('payment of order "%s": refunds come to 10.0001, but 10.0000 is captured', n)),
	('refund', '11', 'requested', format('payment of order "%s": refunds and requests for some come to 11.0000, but 10.0000 is captured', n)),
	('chargeback_reversal', '1', 'succeeded', format('payment of order "%s": reversals exceed what is charged back by 1.0000', n)),
	('sale', '0', 'succeeded', 'an amount must be more than 0, not 0.0000'),
	('refund', '-5', 'succeeded', 'an amount must be more than 0, not -5.0000'),
	('chargeback', '-5', 'failed', 'an amount must be more than 0, not -5.0000'),
	('sale', '0.00004', 'requested', 'an amount must be more than 0, not 0.0000'),
	('sale', 'NaN', 'succeeded', 'an amount must be more than 0, not NaN')) AS v(kind, amount, outcome, message)) x;
SELECT is((pg_temp.fault(format('SELECT pg_temp.do(%L, %L, %L)', :'p', 'sale', amount))).state, state, 'amount ' || amount) FROM (VALUES ('Infinity', '22003'), ('-Infinity', '22003'), ('1e15', '22003'), (NULL, '23502')) AS v(amount, state);
SELECT is((pg_temp.fault(format('SELECT pg_temp.do(%L, %L, 999999999999999)', :'p', 'sale') || format(', pg_temp.do(%L, %L, 999999999999999)', :'p', 'sale'))).state, '22003', 'more than can be counted');
SELECT is((pg_temp.fault(format('SELECT pg_temp.do(%L, %L, 5)', :'p', 'gift'))).state, '23514', 'an unknown kind');
SELECT is((pg_temp.fault(format('SELECT pg_temp.do(%L, %L, 5, NULL, %L)', :'p', 'sale', 'maybe'))).state, '23514', 'an unknown outcome');
SELECT is((pg_temp.fault(format('SELECT pg_temp.do(%L, %L, 5, %L)', :'p', 'sale', ''))).state, '23514', 'an empty reference');
SELECT is((pg_temp.fault(format('SELECT pg_temp.do(%L, %L, 5, %L)', :'p', 'sale', repeat('x', 201)))).state, '23514', 'one that is too long');
SELECT is((pg_temp.fault($$SELECT pg_temp.do(oms.uuid7(), 'sale', 5)$$)).state, '23503', 'no such payment');
SELECT is((pg_temp.fault($$SELECT pg_temp.do(NULL, 'sale', 5)$$)).state, '23502', 'none');
SELECT is((pg_temp.fault(format('SELECT pg_temp.pay(%L, %L)', :'o', amount))).state, state, 'a payment of ' || amount) FROM (VALUES ('0', 'OM011'), ('-1', 'OM011'), ('NaN', 'OM011'), ('Infinity', '22003'), (NULL, '23502')) AS v(amount, state);
SELECT is((pg_temp.fault(format('INSERT INTO shop.payments (order_id, method, amount) VALUES (%L, %L, 5)', :'o', ''))).state, '23514', 'a payment without method');
SELECT is((pg_temp.fault($$INSERT INTO shop.payments (order_id, method, amount) VALUES (oms.uuid7(), 'card', 5)$$)).state, '23503', 'of no order');
SELECT matches((pg_temp.fault(format('SELECT pg_temp.do(%L, %L, 21)', :'p', 'capture'))).detail, 'Payment [0-9a-f-]{36} before: 20.0000 authorized, 10.0000 captured, 0.0000 refunded, 0.0000 charged back; open requests would capture or void 0.0000 and refund 0.0000.', 'the detail says how it stands');
SELECT isnt((pg_temp.fault(format('SELECT pg_temp.do(%L, %L, 21)', :'p', 'capture'))).hint, NULL, 'the hint what to do');
SELECT is(pg_temp.money(:'p'), money, 'nothing has changed') FROM before;
SELECT is((SELECT count(*) FROM shop.payment_transactions), n, 'nothing is written') FROM before;
-- several rows of a statement count together, whatever their order
SELECT throws_ok(format($$ INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount) VALUES (%1$L, 'capture', 'succeeded', 10), (%1$L, 'void', 'succeeded', 11) $$, :'p'), 'OM011', NULL, 'two that are too much together');
SELECT lives_ok(format($$ INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount) VALUES (%1$L, 'refund', 'succeeded', 30), (%1$L, 'capture', 'succeeded', 20) $$, :'p'), 'two that are not');
SELECT is(pg_temp.money(:'p'), 'refunded a0 c30 v0 r30 b0 ?0,0,0 f0', 'both are counted');
SELECT pg_temp.pay(:'o', 10) AS p \gset
SELECT pg_temp.do(:'p', 'authorize', 10), pg_temp.do(:'p', 'void', 10);
SELECT is(pg_temp.money(:'p'), 'voided a0 c0 v10 r0 b0 ?0,0,0 f0', 'voided');
SELECT pg_temp.do(:'p', 'sale', 10);
SELECT is(pg_temp.money(:'p'), 'captured a0 c10 v10 r0 b0 ?0,0,0 f0', 'a sale needs no authorization');
SELECT pg_temp.sound('after refusals');

-- ---- requests and answers

SELECT pg_temp.place(4) AS o \gset
SELECT pg_temp.pay(:'o', 40) AS p \gset
SELECT pg_temp.do(:'p', 'authorize', 40, 'auth-1', 'requested');
SELECT is(pg_temp.money(:'p') || ', ' || pg_temp.order(:'o'), 'pending a0 c0 v0 r0 b0 ?0,0,1 f0, placed unpaid 0 0 0 0', 'what is asked for is no money');
SELECT pg_temp.do(:'p', 'authorize', 40, 'auth-1', 'failed');
SELECT is(pg_temp.money(:'p'), 'failed a0 c0 v0 r0 b0 ?0,0,0 f1', 'the answer: failed');
INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount) VALUES (:'p', 'authorize', 'requested', 40) RETURNING gateway_ref AS ref \gset
SELECT matches(:'ref'::text, '^[0-9a-f-]{36}$', 'a request without a reference is given one');
SELECT is(pg_temp.money(:'p'), 'pending a0 c0 v0 r0 b0 ?0,0,1 f1', 'asked again, it is pending');
SELECT pg_temp.do(:'p', 'authorize', 40, :'ref');
SELECT is(pg_temp.money(:'p') || ', ' || pg_temp.order(:'o'), 'authorized a40 c0 v0 r0 b0 ?0,0,0 f1, confirmed authorized 40 0 0 0', 'the answer: succeeded');
SELECT pg_temp.do(:'p', 'capture', 30, 'c-1', 'requested');
SELECT throws_ok(format('SELECT pg_temp.do(%L, %L, 11, NULL, %L)', :'p', 'void', 'requested'), 'OM011', NULL, 'what is being captured cannot be voided as well');
SELECT is((pg_temp.fault(format('SELECT pg_temp.do(%L, %L, 11)', :'p', 'void'))).hint, 'Answer open requests first: insert them again with outcome succeeded or failed.', 'and the hint says what is in the way');
SELECT pg_temp.do(:'p', 'capture', 30, 'c-2', 'failed');
SELECT is(pg_temp.money(:'p'), 'authorized a40 c0 v0 r0 b0 ?30,0,1 f2', 'another reference answers nothing');
SELECT pg_temp.do(:'p', 'void', 10, 'c-1');
SELECT is(pg_temp.money(:'p'), 'authorized a30 c0 v10 r0 b0 ?30,0,1 f2', 'nor does another kind');
SELECT pg_temp.do(:'p', 'capture', 25, 'c-1');
SELECT is(pg_temp.money(:'p'), 'partially_captured a5 c25 v10 r0 b0 ?0,0,0 f2', 'less than was asked for: all of the request is answered');
SELECT pg_temp.do(:'p', 'refund', 20, 'r-1', 'requested');
SELECT throws_ok(format('SELECT pg_temp.do(%L, %L, 6, %L, %L)', :'p', 'refund', 'r-2', 'requested'), 'OM011', NULL, 'open refund requests count');
SELECT throws_ok(format('SELECT pg_temp.do(%L, %L, 6, %L)', :'p', 'refund', 'r-2'), 'OM011', NULL, 'against refunds too');
SELECT pg_temp.do(:'p', 'refund', 5, 'r-3');
SELECT is(pg_temp.money(:'p'), 'partially_refunded a5 c25 v10 r5 b0 ?0,20,1 f2', 'what is left can be');
SELECT pg_temp.do(:'p', 'refund', 20, 'r-1', 'failed'), pg_temp.do(:'p', 'refund', 20, 'r-1');
SELECT is(pg_temp.money(:'p'), 'refunded a5 c25 v10 r25 b0 ?0,0,0 f3', 'failed and succeeded after all');
SELECT pg_temp.do(:'p', 'void', 5, 'v-1'), pg_temp.do(:'p', 'void', 5, 'v-1', 'requested');
SELECT is(pg_temp.money(:'p'), 'refunded a0 c25 v15 r25 b0 ?0,0,0 f3', 'an answer that comes before its request');
INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount, gateway_ref)
	VALUES (:'p', 'sale', 'requested', 5, 's-1'), (:'p', 'sale', 'succeeded', 5, 's-1'), (:'p', 'refund', 'failed', 5, 's-2'), (:'p', 'refund', 'requested', 5, 's-2'), (:'p', 'sale', 'requested', 5, 's-3');
SELECT is(pg_temp.money(:'p'), 'partially_refunded a0 c30 v15 r25 b0 ?0,0,1 f4', 'request and answer in one statement');
SELECT pg_temp.do(:'p', 'chargeback', 3, 'd-1', 'requested'), pg_temp.do(:'p', 'chargeback', 3, 'd-1', 'failed');
SELECT is(pg_temp.money(:'p'), 'partially_refunded a0 c30 v15 r25 b0 ?0,0,1 f5', 'a dispute that came to nothing');
-- a key of the caller's, and a trigger that answers what is asked before the asking statement ends
SELECT pg_temp.do(:'p', 'sale', 2, 's-4', 'requested');
INSERT INTO shop.payment_transactions (id, payment_id, kind, outcome, amount, gateway_ref) VALUES (0, :'p', 'sale', 'succeeded', 2, 's-4');
SELECT is(pg_temp.money(:'p'), 'partially_refunded a0 c32 v15 r25 b0 ?0,0,1 f5', 'an answer of any id is one');
CREATE FUNCTION shop.answer() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount, gateway_ref) VALUES (NEW.payment_id, NEW.kind, 'succeeded', NEW.amount, NEW.gateway_ref);
	RETURN NULL;
END $$;
CREATE TRIGGER answer AFTER INSERT ON shop.payment_transactions FOR EACH ROW WHEN (NEW.outcome = 'requested' AND NEW.reason = 'now') EXECUTE FUNCTION shop.answer();
INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount, gateway_ref, reason)
	VALUES (:'p', 'refund', 'requested', 1, 'r-5', 'now'), (:'p', 'refund', 'requested', 2, 'r-6', 'later'), (:'p', 'sale', 'requested', 3, NULL, 'now');
SELECT is(pg_temp.money(:'p'), 'partially_refunded a0 c35 v15 r26 b0 ?0,2,2 f5', 'answered within the statement that asks, others stay open');
DROP TRIGGER answer ON shop.payment_transactions;
SELECT pg_temp.sound('requests');

-- ---- replays

SELECT pg_temp.place(1) AS o \gset
SELECT pg_temp.pay(:'o', 10) AS p \gset
SELECT pg_temp.pay(:'o', 10) AS q \gset
SELECT is(pg_temp.do(:'p', 'sale', 10, 'ch_1'), 1::bigint, 'first delivery');
SELECT is(pg_temp.do(:'p', 'sale', 10.0, 'ch_1'), 0::bigint, 'a second one writes nothing');
SELECT is((pg_temp.fault(format('SELECT pg_temp.do(%L, %L, 11, %L)', :'p', 'sale', 'ch_1'))).message, 'gateway_ref "ch_1" was used before, for sale succeeded of 10.0000', 'another amount is told');
SELECT is((pg_temp.fault(format('SELECT pg_temp.do(%L, %L, 11, %L)', :'p', 'sale', 'ch_1'))).state, 'OM007', 'and refused');
SELECT is(pg_temp.do(:'p', 'refund', 10, 'ch_1'), 1::bigint, 'another kind is another transaction');
SELECT is(pg_temp.do(:'q', 'sale', 10, 'ch_1'), 1::bigint, 'another payment too');
SELECT is(pg_temp.do(:'p', 'refund', 10, 'ch_1'), 0::bigint, 'a refund once more, of which there would not be enough');
WITH t AS (INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount, gateway_ref) SELECT :'q', 'refund', 'succeeded', 2, 'rf' FROM generate_series(1, 3) RETURNING 1) SELECT count(*) AS n FROM t \gset
SELECT is(:n, 1, 'three times in one statement');
SELECT is(pg_temp.do(:'q', 'refund', 1) + pg_temp.do(:'q', 'refund', 1), 2::bigint, 'without a reference nothing is a replay');
SELECT is(pg_temp.money(:'p') || ', ' || pg_temp.money(:'q'), 'refunded a0 c10 v0 r10 b0 ?0,0,0 f0, partially_refunded a0 c10 v0 r4 b0 ?0,0,0 f0', 'each is counted once');
SELECT pg_temp.sound('replays');

-- ---- many payments of many orders at once

CREATE TEMP TABLE crowd AS SELECT pg_temp.place(1) AS o FROM generate_series(1, 20);
INSERT INTO shop.payments (order_id, method, amount) SELECT o, 'card', 5 FROM crowd, generate_series(1, 2);
INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount) SELECT p.id, 'authorize', 'succeeded', 5 FROM shop.payments p JOIN crowd ON o = p.order_id;
SELECT is((SELECT string_agg(DISTINCT pg_temp.order(o), ', ') FROM crowd), 'confirmed authorized 10 0 0 0', 'all are confirmed in that statement');
WITH p AS (INSERT INTO shop.payments (order_id, method, amount) SELECT o, 'tip', 1 FROM crowd RETURNING id)
INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount) SELECT id, 'sale', 'succeeded', 1 FROM p;
SELECT is((SELECT string_agg(DISTINCT pg_temp.order(o), ', ') FROM crowd), 'confirmed partially_paid 10 1 0 0', 'a payment and its transaction in one statement');
SELECT pg_temp.sound('many at once');

-- ---- fulfillments

SELECT f.id AS mine FROM shop.fulfillments f JOIN crowd ON o = f.order_id LIMIT 1 \gset
SELECT p.id AS p FROM shop.payments p JOIN shop.fulfillments f ON f.order_id = p.order_id WHERE f.id = :'mine' AND p.method = 'card' LIMIT 1 \gset
SELECT lives_ok(format($$ INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount, fulfillment_id) VALUES (%L, 'capture', 'succeeded', 5, %L) $$, :'p', :'mine'), 'captured for a parcel');
SELECT throws_ok(format($$ INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount, fulfillment_id) SELECT %L, 'sale', 'succeeded', 5, id FROM shop.fulfillments WHERE id <> %L LIMIT 1 $$, :'p', :'mine'), '23503', NULL, 'not for another order''s');

-- ---- what nobody writes by hand

SELECT is((pg_temp.fault(statement)).state, state, statement) FROM (VALUES
	('UPDATE shop.payments SET captured = 5', 'OM005'), ('UPDATE shop.payments SET status = ''captured''', 'OM005'), ('UPDATE shop.payments SET captured = captured + 1, revision = revision + 1', 'OM005'),
	('UPDATE shop.payments SET open_requests = 7', 'OM005'), ('UPDATE shop.payments SET revision = revision + 1', 'OM005'), ('UPDATE shop.payments SET amount = amount + 1', 'OM006'),
	('UPDATE shop.payments SET method = ''x''', 'OM006'), ('UPDATE shop.payments SET order_id = oms.uuid7()', 'OM006'), ('UPDATE shop.payments SET id = oms.uuid7()', 'OM006'),
	('UPDATE shop.payments SET captured = captured', 'ok'), ('DELETE FROM shop.payments', 'OM006'), ('TRUNCATE shop.payments CASCADE', 'OM006'),
	('INSERT INTO shop.payments (order_id, method, amount, captured) SELECT id, ''x'', 5, 5 FROM shop.orders LIMIT 1', 'OM005'), ('INSERT INTO shop.payments (order_id, method, amount, status) SELECT id, ''x'', 5, ''captured'' FROM shop.orders LIMIT 1', 'OM005'),
	('INSERT INTO shop.payments (order_id, method, amount, revision) SELECT id, ''x'', 5, 1 FROM shop.orders LIMIT 1', 'OM005'), ('INSERT INTO shop.payments (order_id, method, amount, failures) SELECT id, ''x'', 5, 1 FROM shop.orders LIMIT 1', 'OM005'),
	('UPDATE shop.payment_transactions SET amount = 1', 'OM005'), ('DELETE FROM shop.payment_transactions', 'OM005'), ('TRUNCATE shop.payment_transactions', 'OM005'),
	('UPDATE shop.orders SET captured = 5', 'OM005'), ('UPDATE shop.orders SET credit_approved = true', 'OM005')) AS v(statement, state);
-- a trigger of the user's that fires after ours
CREATE FUNCTION shop.rich() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.captured := 1000; RETURN NEW; END $$;
CREATE TRIGGER zz_rich BEFORE INSERT ON shop.payments FOR EACH ROW EXECUTE FUNCTION shop.rich();
SELECT throws_ok(format('SELECT pg_temp.pay(%L, 5)', :'o'), 'OM005', NULL, 'cannot make a payment rich');
DROP TRIGGER zz_rich ON shop.payments;
SELECT pg_temp.pay(:'o', 5) AS p \gset
CREATE TRIGGER zz_rich BEFORE UPDATE ON shop.payments FOR EACH ROW EXECUTE FUNCTION shop.rich();
SELECT throws_ok(format('SELECT pg_temp.do(%L, %L, 5)', :'p', 'sale'), '27000', 'a trigger keeps the engine from writing table "payments"', 'nor add to what the engine counts');
CREATE OR REPLACE FUNCTION shop.rich() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.status := 'captured'; RETURN NEW; END $$;
SELECT throws_ok(format('SELECT pg_temp.do(%L, %L, 5)', :'p', 'authorize'), 'OM005', NULL, 'nor say that it is paid');
DROP TRIGGER zz_rich ON shop.payments;
-- a draft that is paid for stays
INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR') RETURNING id AS d \gset
SELECT pg_temp.pay(:'d', 5) AS p \gset
SELECT throws_ok(format('DELETE FROM shop.orders WHERE id = %L', :'d'), '23503', NULL, 'a draft with a payment cannot be deleted');
SELECT pg_temp.do(:'p', 'sale', 5);
SELECT is(pg_temp.order(:'d'), 'draft paid 0 5 0 0', 'a draft may be paid before it is placed');

-- ---- canceled: refunds_due

SELECT pg_temp.place(5, '{"payments": [{"method": "card", "kind": "sale", "amount": 50, "gateway_ref": "x"}]}') AS o \gset
SELECT is_empty(format($$ SELECT FROM shop.refunds_due WHERE order_id = %L $$, :'o'), 'what is paid and owed is not due back');
SELECT oms.cancel_lines('shop', :'o', '[{"line": 1, "quantity": 2}]', 'customer_request');
SELECT is((SELECT refund_due FROM shop.refunds_due WHERE order_id = :'o'), 20::numeric, 'two of five canceled');
SELECT id AS p FROM shop.payments WHERE order_id = :'o' \gset
SELECT pg_temp.do(:'p', 'refund', 5), pg_temp.do(:'p', 'chargeback', 3), pg_temp.do(:'p', 'refund', 4, NULL, 'requested');
SELECT is((SELECT concat_ws(' ', trim_scale(due), trim_scale(captured), trim_scale(refunded), trim_scale(charged_back), trim_scale(refund_requested), trim_scale(refund_due)) FROM shop.refunds_due WHERE order_id = :'o'), '30 50 5 3 4 12', 'less what went back');
UPDATE shop.orders SET status = 'canceled' WHERE id = :'o';
SELECT is((SELECT refund_due FROM shop.refunds_due WHERE order_id = :'o'), 42::numeric, 'all canceled');
SELECT pg_temp.do(:'p', 'refund', 38);
SELECT is((SELECT refund_due FROM shop.refunds_due WHERE order_id = :'o'), 4::numeric, 'a canceled order is refunded as any other');
SELECT pg_temp.sound('canceled');

-- ---- payments in a document

SELECT is((SELECT status FROM oms.place_order('shop', '{"channel": "web", "external_ref": "w1", "currency": "EUR", "lines": [{"sku": "shirt", "quantity": 2, "unit_price": 10}],
	"payments": [{"method": "card", "kind": "authorize", "amount": 15, "gateway_ref": "a1"}, {"method": "gift card", "kind": "sale", "amount": 5}]}')), 'confirmed', 'paid in the document, it is confirmed at once');
SELECT is((SELECT string_agg(concat_ws(' ', method, p.status, trim_scale(p.amount), kind, outcome, gateway_ref), ', ' ORDER BY method) FROM shop.payments p JOIN shop.payment_transactions t ON payment_id = p.id JOIN shop.orders o ON o.id = order_id WHERE external_ref = 'w1'),
	'card authorized 15 authorize succeeded a1, gift card captured 5 sale succeeded', 'both are recorded');
SELECT is((SELECT repeated FROM oms.place_order('shop', '{"channel": "web", "external_ref": "w1", "currency": "EUR", "lines": [{"sku": "shirt", "quantity": 2, "unit_price": 10}],
	"payments": [{"method": "card", "kind": "authorize", "amount": 15, "gateway_ref": "a1"}, {"method": "gift card", "kind": "sale", "amount": 5}]}')), true, 'the document again is the same order');
SELECT is(pg_temp.order(pg_temp.place(2, '{"payments": [{"method": "card", "kind": "sale", "amount": 19}]}')), 'placed partially_paid 0 19 0 0', 'less than it costs: it waits');
SELECT is(pg_temp.order(pg_temp.place(2, '{"channel": "desk", "payments": [{"method": "cash", "kind": "sale", "amount": 20}]}')), 'confirmed paid 0 20 0 0', 'where no payment is required it is recorded too');
SELECT is(pg_temp.order(pg_temp.place(2, '{"payments": []}')), 'placed unpaid 0 0 0 0', 'none');
SELECT is((SELECT count(*) FROM shop.orders WHERE external_ref = 'w1'), 1::bigint, 'one order');
SELECT pg_temp.sound('documents');

-- ---- credit

INSERT INTO shop.customers (code, name, credit_limit) VALUES ('acme', 'Acme', 100), ('none', 'None', NULL), ('zero', 'Zero', 0);
CREATE FUNCTION pg_temp.credit(order_id uuid) RETURNS text LANGUAGE sql
AS $$ SELECT concat_ws(' ', status, payment_status, credit_approved::text, open_holds, (SELECT string_agg(h.kind, ' ') FROM shop.order_holds h WHERE h.order_id = o.id AND released_at IS NULL)) FROM shop.orders o WHERE id = $1 $$;
SELECT pg_temp.place(6, '{"customer": "acme"}') AS a \gset
SELECT is(pg_temp.credit(:'a'), 'confirmed unpaid true 0', 'within the limit: approved and confirmed unpaid');
SELECT pg_temp.place(5, '{"customer": "acme"}') AS b \gset
SELECT is(pg_temp.credit(:'b'), 'placed unpaid false 1 credit', 'beyond it: held');
SELECT is((SELECT string_agg(status, ' ') FROM shop.fulfillments WHERE order_id = :'b'), 'open', 'with its stock');
SELECT is(pg_temp.credit(pg_temp.place(4, '{"customer": "acme"}')), 'confirmed unpaid true 0', 'what is held uses nothing of it: a smaller one fits to the cent');
SELECT is(pg_temp.credit(pg_temp.place(1, '{"customer": "acme"}')), 'placed unpaid false 1 credit', 'then nothing');
SELECT is(pg_temp.credit(pg_temp.place(1, '{"customer": "acme", "payments": [{"method": "card", "kind": "sale", "amount": 10}]}')), 'confirmed paid false 0', 'what is paid needs none');
SELECT is(pg_temp.credit(pg_temp.place(1, '{"customer": "acme", "channel": "desk"}')), 'confirmed unpaid false 0', 'nor where no payment is required');
SELECT is(pg_temp.credit(pg_temp.place(1, '{"customer": "none"}')), 'placed unpaid false 0', 'a customer who is not on terms pays');
SELECT is(pg_temp.credit(pg_temp.place(1, '{"customer": "zero"}')), 'placed unpaid false 1 credit', 'a limit of 0 is one');
UPDATE shop.order_holds SET released_at = now() WHERE order_id = :'b' AND kind = 'credit';
SELECT is(pg_temp.credit(:'b'), 'confirmed unpaid true 0', 'a person releases the hold: approved');
SELECT pg_temp.pay(:'a', 60) AS p \gset
SELECT pg_temp.do(:'p', 'sale', 60);
SELECT is(pg_temp.credit(pg_temp.place(1, '{"customer": "acme"}')), 'confirmed unpaid true 0', 'what is paid makes room: 90 of 100 are used');
UPDATE shop.orders SET status = 'canceled' WHERE id = :'b';
SELECT is(pg_temp.credit(pg_temp.place(5, '{"customer": "acme"}')), 'confirmed unpaid true 0', 'what is canceled too');
-- what is owed stays the debtor's
SELECT is((pg_temp.fault(format('UPDATE shop.orders SET customer_id = %s WHERE id = %L', customer, :'a'))).state, 'OM006', 'an order on credit is not given to ' || customer)
FROM (VALUES ('NULL'), ('(SELECT id FROM shop.customers WHERE code = ''none'')')) AS v(customer);
UPDATE shop.orders SET customer_id = (SELECT id FROM shop.customers WHERE code = 'none') WHERE id = :'b';
SELECT is((SELECT c.code FROM shop.orders o JOIN shop.customers c ON c.id = customer_id WHERE o.id = :'b'), 'none', 'a closed one may be');
SELECT pg_temp.place(2, '{"customer": "acme"}') AS b \gset
UPDATE shop.orders SET status = 'canceled' WHERE id = :'b';
SELECT is(pg_temp.credit(:'b'), 'canceled unpaid false 1 credit', 'a held order can be canceled');
-- a customer who is new in the document, with the limit that is everybody's
ALTER TABLE shop.customers ALTER credit_limit SET DEFAULT 15;
SELECT is(pg_temp.credit(pg_temp.place(1, '{"customer": {"code": "new"}}')), 'confirmed unpaid true 0', 'a new customer has the default limit');
SELECT is(pg_temp.credit(pg_temp.place(2, '{"customer": {"code": "newer"}}')), 'placed unpaid false 1 credit', 'and no more than that');
ALTER TABLE shop.customers ALTER credit_limit DROP DEFAULT;
-- drafts placed by one statement, by priority
INSERT INTO shop.customers (code, credit_limit) VALUES ('bulk', 30);
CREATE TEMP TABLE drafts AS WITH o AS (INSERT INTO shop.orders (channel, currency, priority, customer_id) SELECT 'web', 'EUR', 10 - n, (SELECT id FROM shop.customers WHERE code = 'bulk') FROM generate_series(1, 4) n RETURNING id, priority) SELECT * FROM o;
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) SELECT id, 1, 'shirt', 1, 10 FROM drafts;
UPDATE shop.orders SET status = 'placed' WHERE id IN (SELECT id FROM drafts);
SELECT is((SELECT string_agg(pg_temp.credit(id), ', ' ORDER BY priority) FROM drafts), 'confirmed unpaid true 0, confirmed unpaid true 0, confirmed unpaid true 0, placed unpaid false 1 credit', 'three of four fit, by priority');
-- a workflow that asks payable alone
INSERT INTO shop.workflows (name, entity, definition) VALUES ('quick', 'order', 'initial draft; draft -> placed do reserve; placed -> confirmed when payable do confirm auto; confirmed -> completed when fulfilled, paid auto; placed, confirmed -> canceled when unshipped do release; final completed, canceled');
UPDATE shop.channels SET order_workflow = 'quick' WHERE code = 'web';
SELECT pg_temp.place(1, '{"customer": "zero"}') AS o \gset
SELECT is(pg_temp.credit(:'o'), 'placed unpaid false 1 credit', 'holds or not, it is not payable');
SELECT is((SELECT string_agg(to_status, ' ' ORDER BY id) FROM shop.order_events WHERE order_id = :'o' AND entity = 'order' AND event = 'moved'), 'placed', 'nor was it ever confirmed');
UPDATE shop.order_holds SET released_at = now() WHERE order_id = :'o';
SELECT is(pg_temp.credit(:'o'), 'confirmed unpaid true 0', 'until it is released');
SELECT pg_temp.sound('credit');

-- ---- who may

CREATE ROLE t_clerk;
CREATE ROLE t_reader;
SELECT oms.grant_store('shop', 't_clerk', 'clerk'), oms.grant_store('shop', 't_reader', 'reader');
SELECT pg_temp.place(2) AS o \gset
SET ROLE t_clerk;
INSERT INTO shop.payments (order_id, method, amount) VALUES (:'o', 'card', 20) RETURNING id AS p \gset
INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount, gateway_ref) VALUES (:'p', 'authorize', 'succeeded', 20, 'z');
INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount, gateway_ref) VALUES (:'p', 'authorize', 'succeeded', 20, 'z');
SELECT order_id AS placed FROM oms.place_order('shop', '{"channel": "web", "customer": "acme", "currency": "EUR", "lines": [{"sku": "shirt", "quantity": 1, "unit_price": 10}], "payments": [{"method": "card", "kind": "sale", "amount": 10}]}') \gset
RESET ROLE;
SELECT is(pg_temp.order(:'o') || ', ' || pg_temp.order(:'placed'), 'confirmed authorized 20 0 0 0, confirmed paid 0 10 0 0', 'a clerk takes payments, also in documents');
SET ROLE t_clerk;
SELECT is((pg_temp.fault(statement)).state, '42501', 'a clerk: ' || statement) FROM (VALUES ('UPDATE shop.payments SET captured = 5'), ('INSERT INTO shop.payments (order_id, method, amount, captured) VALUES (oms.uuid7(), ''x'', 1, 1)'),
	('UPDATE shop.payment_transactions SET amount = 1'), ('DELETE FROM shop.payment_transactions'), ('DELETE FROM shop.payments')) AS v(statement);
RESET ROLE;
-- a gateway worker locks requests, by a right to a column that it cannot use
SELECT pg_temp.do(:'p', 'capture', 20, 'w', 'requested');
GRANT UPDATE (reason) ON shop.payment_transactions TO t_clerk;
SET ROLE t_clerk;
SELECT is((SELECT count(*) FROM (SELECT t.id FROM shop.payments p JOIN shop.payment_transactions t ON t.payment_id = p.id WHERE p.open_requests > 0 AND p.id = :'p' AND t.outcome = 'requested' FOR UPDATE OF t SKIP LOCKED) r), 1::bigint, 'a worker locks a request');
SELECT is((pg_temp.fault('UPDATE shop.payment_transactions SET reason = ''x''')).state, 'OM005', 'and cannot change it');
RESET ROLE;
SET ROLE t_reader;
SELECT is((pg_temp.fault(statement)).state, state, 'a reader: ' || statement) FROM (VALUES ('SELECT count(*) FROM shop.payments, shop.payment_transactions, shop.refunds_due', 'ok'),
	('INSERT INTO shop.payments (order_id, method, amount) VALUES (oms.uuid7(), ''x'', 1)', '42501'), ('INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount) VALUES (oms.uuid7(), ''sale'', ''succeeded'', 1)', '42501')) AS v(statement, state);
RESET ROLE;
SELECT pg_temp.sound('at the end');

-- ---- verify_store sees what is wrong

ALTER TABLE shop.payments DISABLE TRIGGER USER;
UPDATE shop.payments SET captured = captured + 1, status = 'pending' WHERE id = :'p';
ALTER TABLE shop.payments ENABLE TRIGGER USER;
SELECT is((SELECT string_agg(rule, '; ' ORDER BY rule) FROM oms.verify_store('shop') WHERE violations = 1),
	'a payment''s money and requests are its transactions''; a payment''s status follows from its money; an order''s money is the sum of its payments', 'verify_store finds money that nobody paid');

ALTER TABLE shop.payments DISABLE TRIGGER USER;
UPDATE shop.payments SET captured = captured - 1, status = 'authorized' WHERE id = :'p';
ALTER TABLE shop.payments ENABLE TRIGGER USER;
SELECT pg_temp.sound('mended');
-- money that is taken out everywhere but in the log
SELECT pg_temp.place(1, '{"payments": [{"method": "card", "kind": "sale", "amount": 4}]}') AS o \gset
ALTER TABLE shop.payment_transactions DISABLE TRIGGER USER;
ALTER TABLE shop.payments DISABLE TRIGGER USER;
ALTER TABLE shop.orders DISABLE TRIGGER USER;
UPDATE shop.payment_transactions SET amount = 3 WHERE payment_id = (SELECT id FROM shop.payments WHERE order_id = :'o');
UPDATE shop.payments SET captured = 3, status = 'partially_captured' WHERE order_id = :'o';
UPDATE shop.orders SET captured = 3 WHERE id = :'o';
SELECT is((SELECT string_agg(rule, '; ') FROM oms.verify_store('shop') WHERE violations > 0 AND rule NOT LIKE '%triggers%'),
	'every payment''s transaction that is logged is there as it was', 'verify_store knows what was paid');
DELETE FROM shop.payment_transactions WHERE payment_id = (SELECT id FROM shop.payments WHERE order_id = :'o');
DELETE FROM shop.payments WHERE order_id = :'o';
UPDATE shop.orders SET captured = 0, payment_status = 'unpaid' WHERE id = :'o';
SELECT is((SELECT string_agg(rule, '; ') FROM oms.verify_store('shop') WHERE violations > 0 AND rule NOT LIKE '%triggers%'),
	'every payment''s transaction that is logged is there as it was', 'and that it was');

UPDATE shop.orders SET credit_approved = true, customer_id = NULL WHERE id = :'o';
SELECT is((SELECT violations FROM oms.verify_store('shop') WHERE rule LIKE 'credit is approved%'), 1::bigint, 'credit that nobody has');

SELECT * FROM finish();
ROLLBACK;
