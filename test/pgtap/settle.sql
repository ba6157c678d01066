-- Automatic moves that wait: for fulfillments that are being made, and for what
-- an order has to be counted.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop'), oms.create_store('other');
CREATE FUNCTION pg_temp.both(statement text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE replace(statement, '@.', 'shop.');
	EXECUTE replace(statement, '@.', 'other.');
END $$;
CREATE FUNCTION pg_temp.sound(store text) RETURNS text LANGUAGE sql
AS $$ SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store(store) WHERE violations <> 0), NULL, 'verify_store: ' || store) $$;
SELECT pg_temp.both($q$
	INSERT INTO @.workflows (name, entity, definition) VALUES
		('pulled', 'order', 'initial draft; draft -> placed do reserve; placed -> dropped when allocated, unheld do release auto; placed -> done when fulfilled;'
			' placed -> dropped do release; final done, dropped'),
		('paid', 'order', 'initial draft; draft -> placed do reserve; placed -> confirmed when payable do confirm auto; confirmed -> done when fulfilled auto;'
			' placed, confirmed -> dropped do release; final done, dropped');
	INSERT INTO @.channels (code, name, if_short, order_workflow, payment_required) VALUES ('pulled', 'Pulled back', 'hold', 'pulled', false), ('paid', 'Pays first', 'hold', 'paid', true);
	INSERT INTO @.locations (code, name) VALUES ('a', 'A');
	INSERT INTO @.skus (code, name) VALUES ('hat', 'Hat'), ('none', 'Has none');
	INSERT INTO @.stock_movements (sku, location, kind, quantity) VALUES ('hat', 'a', 'receipt', 1000)
$q$);

-- ---- more orders at once than fit in a block of memory

INSERT INTO shop.orders (channel, currency) SELECT 'pulled', 'EUR' FROM generate_series(1, 2000);
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) SELECT id, n, 'hat', 1, 1 FROM shop.orders, generate_series(1, 2) AS n;
UPDATE shop.orders SET status = 'placed';
SELECT is((SELECT string_agg(status || ' ' || n, ', ' ORDER BY status) FROM (SELECT status, count(*) AS n FROM shop.orders GROUP BY 1) AS s), 'dropped 500, placed 1500',
	'each of the orders that have all their units has moved on');
SELECT is((SELECT string_agg(status || ' ' || n, ', ' ORDER BY status) FROM (SELECT status, count(*) AS n FROM shop.fulfillments GROUP BY 1) AS s), 'canceled 500',
	'and its action has found its parcel');
SELECT pg_temp.sound('shop');

-- ---- what another store's orders do meanwhile is theirs

SELECT * FROM oms.place_order('other', '{"channel": "pulled", "currency": "EUR", "holds": [{"kind": "manual"}], "lines": [{"sku": "hat", "quantity": 1, "unit_price": 1}]}') \gset
CREATE FUNCTION shop.let_go() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE other.order_holds SET released_at = now(); RETURN NULL; END $$;
CREATE TRIGGER let_go AFTER UPDATE ON shop.orders FOR EACH ROW WHEN (OLD.placed_at IS NULL AND NEW.placed_at IS NOT NULL) EXECUTE FUNCTION shop.let_go();
SELECT is((SELECT status FROM other.orders), 'placed', 'an order of another store is held');
SELECT is(status, 'placed', 'an order of this one is placed meanwhile') FROM oms.place_order('shop', '{"channel": "pulled", "currency": "EUR", "lines": [{"sku": "none", "quantity": 1, "unit_price": 1}]}');
SELECT is((SELECT status FROM other.orders), 'dropped', 'a trigger has released it, and it has moved on');
SELECT pg_temp.sound('other');
DROP TRIGGER let_go ON shop.orders;

-- ---- short units hold an order before it is known that it must be paid

INSERT INTO shop.orders (channel, currency) VALUES ('paid', 'EUR') RETURNING id \gset
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) VALUES (:'id', 1, 'none', 1, 10);
UPDATE shop.orders SET status = 'placed' WHERE id = :'id';
SELECT is(row(status, open_holds, confirmed_at)::text, '(placed,1,)', 'so nothing takes it for paid') FROM shop.orders WHERE id = :'id';
INSERT INTO shop.payments (order_id, method, amount) VALUES (:'id', 'card', 10) RETURNING id AS payment \gset
INSERT INTO shop.payment_transactions (payment_id, kind, amount, outcome) VALUES (:'payment', 'authorize', 10, 'succeeded');
SELECT is(row(status, open_holds, confirmed_at IS NULL)::text, '(confirmed,1,f)', 'until it is') FROM shop.orders WHERE id = :'id';
SELECT pg_temp.sound('shop');

-- ---- all actions of a move come before the automatic move that the first has opened

CREATE TABLE shop.told (status text, units_allocated bigint);
CREATE FUNCTION shop.tell(o shop.orders) RETURNS void LANGUAGE sql AS $$ INSERT INTO shop.told VALUES (o.status, o.units_allocated) $$;
INSERT INTO shop.workflows (name, entity, definition) VALUES
	('telling', 'order', 'initial draft; draft -> placed do reserve, tell; placed -> seen when allocated auto; seen -> done when fulfilled; placed, seen -> dropped do release; final done, dropped');
INSERT INTO shop.orders (channel, currency, workflow) VALUES ('pulled', 'EUR', 'telling') RETURNING id \gset
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) VALUES (:'id', 1, 'hat', 1, 10);
UPDATE shop.orders SET status = 'placed' WHERE id = :'id';
SELECT is((SELECT string_agg(t::text, ' ') FROM shop.told AS t), '(placed,1)', 'the second action sees the state that the move led to');
SELECT is((SELECT status FROM shop.orders WHERE id = :'id'), 'seen', 'and then the order goes on');
SELECT pg_temp.sound('shop');

SELECT * FROM finish();
ROLLBACK;
