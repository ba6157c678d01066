-- next_moves and row level security: what it says is what the caller's UPDATE
-- says, policies that are permissive or not, for UPDATE, for SELECT and for all.
BEGIN;
SET client_min_messages = error;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name) VALUES ('web', 'Web'), ('phone', 'Phone');
INSERT INTO shop.locations (code, name) VALUES ('a', 'A');
INSERT INTO shop.skus (code, name) VALUES ('shirt', 'Shirt');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('shirt', 'a', 'receipt', 1000);
SELECT order_id AS web FROM shop.place_order('{"channel": "web", "currency": "EUR", "lines": [{"sku": "shirt", "quantity": 2, "unit_price": 10}], "holds": [{"kind": "manual"}]}') \gset
SELECT order_id AS phone FROM shop.place_order('{"channel": "phone", "currency": "EUR", "lines": [{"sku": "shirt", "quantity": 2, "unit_price": 10}]}') \gset
CREATE ROLE t_clerk; CREATE ROLE t_team; CREATE ROLE t_other;
SELECT shop.grant_store('t_clerk', 'clerk'), shop.grant_store('t_other', 'clerk');
GRANT t_team TO t_clerk;

-- what next_moves and an UPDATE say of each state, by row; NULL: nothing differs
CREATE FUNCTION pg_temp.try(entity text, row_id uuid, target text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE moved bigint;
BEGIN
	EXECUTE format('UPDATE shop.%ss SET status = $1 WHERE id = $2', entity) USING target, row_id;
	GET DIAGNOSTICS moved = ROW_COUNT;
	RAISE EXCEPTION USING ERRCODE = 'TAKE0', MESSAGE = moved;
EXCEPTION
	WHEN SQLSTATE 'TAKE0' THEN RETURN CASE WHEN SQLERRM = '0' THEN 'hidden' END;
	WHEN OTHERS THEN RETURN SQLERRM;
END $$;
CREATE FUNCTION pg_temp.differs(who text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE told text;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', who);
	SELECT string_agg(format('%s to %s: %s, but %s', number, to_state, coalesce(why_not, 'allowed'), coalesce(said, 'done')), '; ') INTO told
	FROM (SELECT r.number, m.to_state, m.why_not, pg_temp.try(r.entity, r.id, m.to_state) AS said
		FROM (SELECT 'order' AS entity, id, number FROM shop.orders UNION ALL SELECT 'fulfillment', id, number FROM shop.fulfillments) r, shop.next_moves(r.entity, r.id) m) t
	WHERE said IS DISTINCT FROM CASE WHEN why_not LIKE 'row level security keeps you%' THEN 'hidden' ELSE why_not END;
	RESET ROLE;
	RETURN told;
END $$;
CREATE FUNCTION pg_temp.say(who text, entity text, o uuid) RETURNS text LANGUAGE plpgsql AS $$
DECLARE said text;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', who);
	SELECT string_agg(to_state || ': ' || coalesce(why_not, 'yes'), ', ') INTO said FROM shop.next_moves(entity, o);
	RESET ROLE;
	RETURN said;
END $$;

SELECT is(pg_temp.differs('t_clerk'), NULL, 'without policies');
ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON shop.orders FOR SELECT USING (true);
SELECT is(pg_temp.say('t_clerk', 'order', :'phone'), 'completed: row level security keeps you from updating order "S-1001", canceled: row level security keeps you from updating order "S-1001"', 'who may only see moves nothing');
SELECT is(pg_temp.differs('t_clerk'), NULL, 'as the UPDATE finds nothing');
CREATE POLICY web ON shop.orders FOR UPDATE TO t_team USING (channel = 'web' AND EXISTS (SELECT FROM shop.order_holds h WHERE h.order_id = orders.id));
SELECT alike(pg_temp.say('t_clerk', 'order', :'web'), '%canceled: yes%', 'a policy for a role of his');
SELECT is(pg_temp.differs('t_clerk'), NULL, 'for some orders');
SELECT is(pg_temp.differs('t_other'), NULL, 'and for none of another''s');
CREATE POLICY all_phone ON shop.orders TO t_clerk USING (orders.channel = 'phone') WITH CHECK (status <> 'completed' AND closed_at IS NULL);
SELECT is(pg_temp.say('t_clerk', 'order', :'phone'), 'completed: new row violates row-level security policy for table "orders", canceled: new row violates row-level security policy for table "orders"', 'one that checks the new row');
SELECT is(pg_temp.differs('t_clerk'), NULL, 'likewise');
CREATE FUNCTION shop.may(o shop.orders, who name) RETURNS boolean LANGUAGE sql AS $$ SELECT o.status <> 'canceled' AND who = 't_clerk' $$;
DROP POLICY all_phone ON shop.orders;
CREATE POLICY phone ON shop.orders FOR ALL TO t_clerk USING (channel = 'phone');
CREATE POLICY zz_may ON shop.orders AS RESTRICTIVE FOR UPDATE USING (shop.may(orders, current_user));
CREATE POLICY aa_reason ON shop.orders AS RESTRICTIVE FOR UPDATE USING (true) WITH CHECK (status_reason IS NULL);
SELECT alike(pg_temp.say('t_clerk', 'order', :'phone'), '%canceled: new row violates row-level security policy "zz_may" for table "orders"', 'a restrictive one, of the whole row, by its name');
SELECT is(pg_temp.differs('t_clerk'), NULL, 'as the UPDATE says');
DROP POLICY zz_may ON shop.orders; DROP POLICY see ON shop.orders;
CREATE POLICY see ON shop.orders FOR SELECT USING (status <> 'canceled');
SELECT alike(pg_temp.say('t_clerk', 'order', :'web'), '%canceled: new row violates row-level security policy for table "orders"', 'what he would see no more he cannot make');
SELECT is(pg_temp.differs('t_clerk'), NULL, 'by the UPDATE neither');
CREATE POLICY broken ON shop.orders FOR UPDATE TO t_clerk USING (1 / (priority - priority) = 1);
SELECT is(pg_temp.differs('t_clerk'), NULL, 'a policy that raises');
DROP POLICY broken ON shop.orders;

-- fulfillments, and privileges on columns alone
ALTER TABLE shop.fulfillments ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON shop.fulfillments USING (location = 'a') WITH CHECK (status NOT IN ('picking', 'canceled') AND closed_at IS NULL);
SELECT alike(pg_temp.say('t_clerk', 'fulfillment', id), '%picking: new row violates%', 'fulfillments') FROM shop.fulfillments WHERE order_id = :'phone';
SELECT is(pg_temp.differs('t_clerk'), NULL, 'as well');
REVOKE SELECT ON shop.orders, shop.fulfillments FROM t_clerk;
GRANT SELECT (id, number, status) ON shop.orders TO t_clerk; GRANT SELECT (id, number, order_id, status) ON shop.fulfillments TO t_clerk;
SELECT is(pg_temp.differs('t_clerk'), NULL, 'who may not read what policies read');
REVOKE UPDATE (status) ON shop.orders FROM t_clerk;
SELECT is(pg_temp.differs('t_clerk'), NULL, 'who may not write status');
SELECT is(pg_temp.say('t_other', 'order', :'web'), 'confirmed: row level security keeps you from updating order "S-1000", canceled: row level security keeps you from updating order "S-1000"', 'the owner of a policy is asked, not of another');
SELECT is(pg_temp.differs(current_user::text), NULL, 'a superuser goes past policies');

SELECT * FROM finish();
ROLLBACK;
