-- What guards know of orders that are not placed yet: whether they are to be
-- paid is their channel's word of now, in every way in which guards are asked.
BEGIN;
SET client_min_messages = error;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.workflows (name, entity, definition) VALUES
	('prepaid', 'order', 'initial draft; draft -> placed when paid do reserve; placed -> done when fulfilled; placed -> canceled do release; draft -> canceled; final done, canceled'),
	('payable', 'order', 'initial draft; draft -> placed when payable do reserve; placed -> done when fulfilled; placed -> canceled do release; final done, canceled'),
	('byitself', 'order', 'initial draft; draft -> ready when paid, unheld auto; ready -> placed do reserve; placed -> done when fulfilled; placed -> canceled do release; final done, canceled'),
	('reserving', 'order', 'initial draft; draft -> cart; cart -> placed when paid, unheld do reserve auto; placed -> done when fulfilled; placed -> canceled do release; final done, canceled');
INSERT INTO shop.channels (code, name, order_workflow, payment_required) VALUES
	('prepaid', 'P', 'prepaid', true), ('payable', 'Y', 'payable', true), ('byitself', 'B', 'byitself', true), ('reserving', 'R', 'reserving', true), ('free', 'F', 'prepaid', false);
INSERT INTO shop.locations (code, name) VALUES ('a', 'A');
INSERT INTO shop.skus (code, name) VALUES ('shirt', 'Shirt');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('shirt', 'a', 'receipt', 1000);

CREATE FUNCTION pg_temp.doc(channel text, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql
AS $$ SELECT jsonb_build_object('channel', channel, 'currency', 'EUR', 'lines', '[{"sku": "shirt", "quantity": 2, "unit_price": 10}]'::jsonb) || more $$;
CREATE FUNCTION pg_temp.draft(channel text) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE made uuid;
BEGIN
	INSERT INTO shop.orders (channel, currency) VALUES (channel, 'EUR') RETURNING id INTO made;
	INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) VALUES (made, 1, 'shirt', 2, 10);
	RETURN made;
END $$;
CREATE FUNCTION pg_temp.pay(o uuid, kind text, amount numeric) RETURNS void LANGUAGE sql AS $$
	INSERT INTO shop.payments (order_id, method, amount) VALUES (o, 'card', amount);
	INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount, gateway_ref)
	SELECT payments.id, kind, 'succeeded', amount, payments.id::text FROM shop.payments WHERE order_id = o ORDER BY shop.payments.id DESC LIMIT 1 $$;
CREATE FUNCTION pg_temp.status(o uuid) RETURNS text LANGUAGE sql AS $$ SELECT status FROM shop.orders WHERE id = o $$;
CREATE FUNCTION pg_temp.why_not(o uuid, target text) RETURNS text LANGUAGE sql AS $$ SELECT why_not FROM shop.next_moves('order', o) WHERE to_state = target $$;
CREATE FUNCTION pg_temp.move(o uuid, target text) RETURNS text LANGUAGE sql AS $$ SELECT format('UPDATE shop.orders SET status = %L WHERE id = %L', target, o) $$;
CREATE FUNCTION pg_temp.sound(what text) RETURNS text LANGUAGE sql
AS $$ SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL, 'verify_store: ' || what) $$;

-- ---- placing that asks for money

SELECT pg_temp.draft('prepaid') AS o \gset
SELECT alike(pg_temp.why_not(:'o', 'placed'), '%guard "paid" refuses, because 0.0000 of the 20.0000 due is captured', 'next_moves tells that a draft is not paid');
SELECT throws_ok(pg_temp.move(:'o', 'placed'), 'OM002', pg_temp.why_not(:'o', 'placed'), 'which the UPDATE says too');
SELECT pg_temp.pay(:'o', 'sale', 19.99);
SELECT throws_like(pg_temp.move(:'o', 'placed'), '%19.9900 of the 20.0000 due is captured', 'nor is it for a cent less');
SELECT pg_temp.pay(:'o', 'sale', 0.01);
SELECT is(pg_temp.why_not(:'o', 'placed'), NULL, 'what is captured on a draft opens the move');
SELECT lives_ok(pg_temp.move(:'o', 'placed'), 'and it is made');
SELECT ok(payment_required AND placed_at IS NOT NULL, 'it is placed') FROM shop.orders WHERE id = :'o';

SELECT throws_ok($$ SELECT * FROM shop.place_order(pg_temp.doc('prepaid')) $$, 'OM002', NULL, 'a document without payments, placed directly');
SELECT throws_like($$ SELECT * FROM shop.place_order(pg_temp.doc('prepaid')) $$, '%because 0.0000 of the 20.0000 due is captured', 'is told what a draft is told');
SELECT throws_ok($$ SELECT * FROM shop.place_order(pg_temp.doc('prepaid', '{"payments": [{"method": "card", "kind": "authorize", "amount": 20}]}')) $$, 'OM002', NULL, 'and one that only promises, in steps');
SELECT is((SELECT status FROM shop.place_order(pg_temp.doc('prepaid', '{"payments": [{"method": "card", "kind": "sale", "amount": 20}]}'))), 'placed', 'one that is paid');
SELECT throws_ok($$ SELECT * FROM shop.place_order(pg_temp.doc('payable')) $$, 'OM002', NULL, 'payable asks likewise');
SELECT is((SELECT status FROM shop.place_order(pg_temp.doc('payable', '{"payments": [{"method": "card", "kind": "authorize", "amount": 20}]}'))), 'placed', 'and is content with a promise');
SELECT is((SELECT status FROM shop.place_order(pg_temp.doc('free'))), 'placed', 'where the channel does not ask, nothing is to be paid');

-- ---- the channel's word of now

SELECT pg_temp.draft('free') AS o \gset
UPDATE shop.channels SET payment_required = true WHERE code = 'free';
SELECT throws_ok(pg_temp.move(:'o', 'placed'), 'OM002', NULL, 'a draft is to be paid from when its channel says so');
UPDATE shop.channels SET payment_required = false WHERE code = 'free';
SELECT lives_ok(pg_temp.move(:'o', 'placed'), 'and no more when it takes that back');
UPDATE shop.channels SET payment_required = true WHERE code = 'free';
SELECT ok(NOT payment_required, 'what is placed keeps what was said then') FROM shop.orders WHERE id = :'o';

-- ---- automatic moves of drafts

INSERT INTO shop.orders (channel, currency) VALUES ('byitself', 'EUR') RETURNING id AS o \gset
SELECT is(pg_temp.status(:'o'), 'draft', 'what has no lines yet is not paid');
SELECT alike(pg_temp.why_not(:'o', 'ready'), '%has nothing to pay for yet', 'since nothing is to be paid for');
DELETE FROM shop.orders WHERE id = :'o';
SELECT pg_temp.draft('byitself') AS o \gset
SELECT is(pg_temp.status(:'o'), 'draft', 'a draft with its line, not paid, stays');
SELECT throws_ok(pg_temp.move(:'o', 'ready'), 'OM002', NULL, 'by hand too');
INSERT INTO shop.order_holds (order_id, kind) VALUES (:'o', 'manual');
UPDATE shop.order_holds SET released_at = now() WHERE order_id = :'o';
UPDATE shop.orders SET priority = 3 WHERE id = :'o';
SELECT is(pg_temp.status(:'o'), 'draft', 'counting holds, and edits, do not move it');
SELECT is((oms.tick('shop')).moves, 0::bigint, 'nor does tick');
SELECT pg_temp.sound('unpaid drafts');
SELECT pg_temp.pay(:'o', 'sale', 20);
SELECT is(pg_temp.status(:'o'), 'ready', 'being paid does');

SELECT pg_temp.draft('reserving') AS o \gset
SELECT lives_ok(pg_temp.move(:'o', 'cart'), 'a cart that is placed once it is paid');
SELECT is(pg_temp.status(:'o'), 'cart', 'waits');
SELECT pg_temp.pay(:'o', 'authorize', 20);
SELECT is(pg_temp.status(:'o'), 'cart', 'also when payment is promised');
SELECT pg_temp.pay(:'o', 'sale', 20);
SELECT ok(status = 'placed' AND placed_at IS NOT NULL AND units_allocated = 2, 'and is placed by its payment') FROM shop.orders WHERE id = :'o';

SELECT pg_temp.draft('byitself') AS o \gset
UPDATE shop.channels SET payment_required = false WHERE code = 'byitself';
SELECT is((SELECT violations FROM oms.verify_store('shop') WHERE rule = 'no automatic move is left undone'), 1::bigint, 'a channel that asks for money no more opens a move, which verify_store sees');
SELECT is((oms.tick('shop')).moves, 1::bigint, 'and tick makes');
SELECT is(pg_temp.status(:'o'), 'ready', 'so');
SELECT pg_temp.sound('drafts');

SELECT * FROM finish();
ROLLBACK;
