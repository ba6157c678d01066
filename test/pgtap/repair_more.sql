-- What a superuser plants past the triggers into a store with kits, warranties,
-- backorders, stock holds, transfers and feeds: each is found, and mended or reported.
BEGIN;
SET client_min_messages = error;
SELECT no_plan();

SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name, if_short) VALUES ('web', 'Web', 'hold');
INSERT INTO shop.locations (code, name, priority) VALUES ('north', 'North', 1), ('south', 'South', 2);
INSERT INTO shop.skus (code, name) VALUES ('cam', 'Camera'), ('lens', 'Lens'), ('bag', 'Bag'), ('cap', 'Cap');
INSERT INTO shop.skus (code, name, kind) VALUES ('kit', 'Kit', 'bundle'), ('big', 'Big kit', 'bundle'), ('care', 'Care', 'warranty');
INSERT INTO shop.bundle_items VALUES ('kit', 'cam', 1, 3), ('kit', 'lens', 2, 1), ('big', 'kit', 1, 2), ('big', 'bag', 1, 1), ('big', 'care', 1, 0);
INSERT INTO shop.backorder_policies (sku, policy, limit_units) VALUES ('lens', 'backorder', 50), ('cap', 'preorder', NULL), ('cam', 'backorder', 0);
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('cam', 'north', 'receipt', 10), ('lens', 'north', 'receipt', 10), ('lens', 'south', 'receipt', 4), ('bag', 'south', 'receipt', 12), ('cap', 'north', 'receipt', 3);
CREATE FUNCTION pg_temp.place(lines text, more jsonb DEFAULT '{}') RETURNS uuid LANGUAGE sql
AS $$ SELECT order_id FROM oms.place_order('shop', jsonb_build_object('channel', 'web', 'currency', 'EUR', 'lines', lines::jsonb) || more) $$;
CREATE FUNCTION pg_temp.broken() RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0 $$;

SELECT oms.hold_stock('shop', 'cart', '[{"sku": "lens", "quantity": 2}, {"sku": "bag", "quantity": 2}]', '1 hour') IS NOT NULL AS held \gset
SELECT pg_temp.place('[{"sku": "big", "quantity": 6, "unit_price": 99.99, "tax": 7.77}, {"sku": "care", "quantity": 2, "unit_price": 5, "parent": 1}]') AS kits \gset
SELECT pg_temp.place('[{"sku": "kit", "quantity": 7, "unit_price": 20}, {"sku": "cap", "quantity": 8, "unit_price": 3}, {"sku": "care", "quantity": 7, "unit_price": 1, "parent": 2}]') AS later \gset
SELECT oms.cancel_lines('shop', :'later', '[{"line": 1, "quantity": 1}, {"line": 2, "quantity": 2}]') AS canceled \gset
INSERT INTO shop.inbound (ref, sku, location, quantity, expected_at) VALUES ('po 1', 'lens', 'north', 5, now() + interval '9 days'), ('po 2', 'cap', 'north', 2, NULL);
INSERT INTO shop.inbound (ref, sku, location, from_location, quantity, status) VALUES ('truck', 'bag', 'north', 'south', 1, 'in_transit');
UPDATE shop.inbound SET status = 'received' WHERE ref = 'po 2';
SELECT oms.receive_inbound('shop', id, 2) FROM shop.inbound WHERE ref = 'po 1';
SELECT oms.set_stock('shop', '{"ref": "feed", "location": "south", "as_of": "2026-01-01", "basis": "on_hand", "items": [{"sku": "lens", "quantity": 9}]}') IS NOT NULL AS fed \gset
SELECT pg_temp.place('[{"sku": "bag", "quantity": 1, "unit_price": 1}]') AS done \gset
UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = :'done';
UPDATE shop.fulfillments SET status = 'delivered' WHERE order_id = :'done';
SELECT is(pg_temp.broken(), NULL, 'all is right');
SELECT is((SELECT count(*) FROM shop.order_lines WHERE backordered > 0 AND per_kit IS NOT NULL), 1::bigint, 'components are backordered');
SELECT ok(EXISTS (SELECT FROM shop.order_lines WHERE short > 0 AND per_kit IS NOT NULL), 'and short');
SELECT ok(EXISTS (SELECT FROM shop.order_lines WHERE backordered > 0 AND per_kit IS NULL), 'so are others');

-- all that the engine keeps, as text
CREATE FUNCTION pg_temp.kept() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(row, E'\n' ORDER BY row) FROM (SELECT 'o' || (to_jsonb(o) - 'revision')::text FROM shop.orders o UNION ALL SELECT 'l' || (to_jsonb(l) - 'revision')::text FROM shop.order_lines l
		UNION ALL SELECT 's' || (to_jsonb(s) - 'revision')::text FROM shop.stock s UNION ALL SELECT 'h' || to_jsonb(h)::text FROM shop.stock_holds h
		UNION ALL SELECT 'f' || (to_jsonb(f) - 'revision')::text FROM shop.fulfillments f UNION ALL SELECT 'p' || (to_jsonb(p) - 'revision')::text FROM shop.backorder_policies p
		UNION ALL SELECT 'i' || (to_jsonb(i) - 'revision')::text FROM shop.inbound i UNION ALL SELECT 'c' || to_jsonb(c)::text FROM shop.bundle_components c) k(row) $$;
-- times that are lost become those of what happened
CREATE FUNCTION pg_temp.timeless(text) RETURNS text LANGUAGE sql AS $$ SELECT regexp_replace($1, '"(closed_at|sent_at|shipped_at)": "[^"]*"', '"\1": "then"', 'g') $$;
SELECT set_config('test.right', pg_temp.kept(), true) IS NOT NULL AS set \gset
SELECT is((SELECT count(*) FROM shop.repair_store()), 0::bigint, 'there is nothing to mend');
SELECT is(pg_temp.kept(), current_setting('test.right'), 'nothing is changed');

-- ---- each by itself, in every row that a CHECK lets have another value

CREATE FUNCTION pg_temp.plant(table_name text, column_name text, expressions text[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	id text;
	expression text;
	changed bigint;
	planted bigint := 0;
BEGIN
	SET LOCAL session_replication_role = replica;
	FOR id IN EXECUTE format('SELECT ctid::text FROM shop.%I', table_name) LOOP
		FOREACH expression IN ARRAY expressions LOOP
			BEGIN
				EXECUTE format('UPDATE shop.%I t SET %I = %s WHERE ctid = %L AND %2$I IS DISTINCT FROM %3$s', table_name, column_name, expression, id);
				GET DIAGNOSTICS changed = ROW_COUNT;
				planted := planted + changed;
				EXIT WHEN changed > 0;
			EXCEPTION WHEN check_violation OR unique_violation OR not_null_violation THEN
			END;
		END LOOP;
	END LOOP;
	SET LOCAL session_replication_role = origin;
	RETURN planted;
END $$;
CREATE TEMP TABLE plants (table_name text, column_name text, expressions text[]);
INSERT INTO plants SELECT t, c, ARRAY[c || ' + 1', c || ' - 1'] FROM (VALUES ('stock', 'reserved'), ('order_lines', 'canceled allocated backordered short delivered returned'),
	('orders', 'units total credited'), ('backorder_policies', 'backordered'), ('inbound', 'sent received returned'), ('bundle_components', 'quantity share')) v(t, columns), regexp_split_to_table(columns, ' ') c;
INSERT INTO plants VALUES ('order_lines', 'backordered', '{backordered - 1}'), ('order_lines', 'short', '{short - 1}'), ('backorder_policies', 'backordered', '{backordered - 1}'), ('inbound', 'received', '{received - 1}');
INSERT INTO plants VALUES ('fulfillments', 'shipped_at', '{"CASE stock_state WHEN ''issued'' THEN NULL ELSE shipped_at END"}'), ('order_lines', 'expanded', '{"NOT expanded"}'), ('order_lines', 'per_kit', '{"CASE WHEN per_kit IS NULL THEN 1 END"}'), ('order_lines', 'per_kit', '{"per_kit + 1"}'),
	('order_lines', 'backorder_policy_id', '{"NULL"}'), ('order_lines', 'backorder_policy_id', '{"(SELECT max(id::text)::uuid FROM shop.backorder_policies p WHERE p.sku <> t.sku)"}'),
	('inbound', 'sent_at', '{"CASE WHEN sent_at IS NULL THEN now() END"}'), ('inbound', 'closed_at', '{"CASE WHEN closed_at IS NULL THEN now() END"}'),
	('fulfillments', 'closed_at', '{"CASE WHEN closed_at IS NULL THEN now() END"}'), ('orders', 'closed_at', '{"CASE WHEN closed_at IS NULL THEN now() END"}');

CREATE FUNCTION pg_temp.mends(table_name text, column_name text, expressions text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	IF pg_temp.plant(table_name, column_name, expressions) = 0 THEN
		result := 'nothing could be planted';
	ELSIF NOT EXISTS (SELECT FROM shop.repair_store() r WHERE r.table_name = $1 AND r.column_name = $2) THEN
		result := 'not mended';
	ELSIF pg_temp.timeless(pg_temp.kept()) <> pg_temp.timeless(current_setting('test.right')) THEN
		SELECT 'not as it was: ' || string_agg(r, E'\n') INTO result FROM (SELECT r FROM regexp_split_to_table(pg_temp.timeless(pg_temp.kept()), E'\n') r
			EXCEPT SELECT r FROM regexp_split_to_table(pg_temp.timeless(current_setting('test.right')), E'\n') r) d;
	END IF;
	RAISE SQLSTATE 'DONE0' USING MESSAGE = coalesce(result, 'mended');
EXCEPTION WHEN SQLSTATE 'DONE0' THEN
	RETURN SQLERRM;
END $$;
SELECT is(pg_temp.mends(table_name, column_name, expressions), 'mended', table_name || '.' || column_name || ' ' || expressions[1]) FROM plants;

-- ---- all of them at once, and components that are gone

SELECT bool_and(pg_temp.plant(table_name, column_name, expressions) >= 0) AS planted FROM plants \gset
SET LOCAL session_replication_role = replica;
DELETE FROM shop.bundle_components WHERE bundle = 'kit' AND sku = 'lens';
INSERT INTO shop.bundle_components VALUES ('kit', 'cap', 1, 0.5);
SET LOCAL session_replication_role = origin;
SELECT isnt(pg_temp.broken(), NULL, 'everything is wrong');
CREATE TEMP TABLE repaired AS SELECT * FROM shop.repair_store();
SELECT is(pg_temp.broken(), NULL, 'verify_store is clean after repair_store');
SELECT is(pg_temp.timeless(pg_temp.kept()), pg_temp.timeless(current_setting('test.right')), 'all is as it was');
SELECT is((SELECT string_agg(concat_ws(' ', key, column_name, was, '->', trim_scale(round(became::numeric, 4))), ', ' ORDER BY key, column_name) FROM repaired WHERE key IN ('lens in kit', 'cap in kit')),
	'cap in kit quantity 1 ->, cap in kit share 0.5 ->, lens in kit quantity -> 2, lens in kit share -> 0.25', 'what is gone and what should not be there');
SELECT is((SELECT count(*) FROM shop.repair_store()), 0::bigint, 'a second one has nothing to do');

-- ---- what has no other source is reported, the rest is mended

CREATE FUNCTION pg_temp.reports(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	found text;
BEGIN
	SET LOCAL session_replication_role = replica;
	EXECUTE statement;
	SET LOCAL session_replication_role = origin;
	PERFORM shop.repair_store();
	SELECT string_agg(rule, '; ') INTO found FROM oms.verify_store('shop') WHERE violations <> 0;
	RAISE SQLSTATE 'DONE0' USING MESSAGE = coalesce(found, 'nothing');
EXCEPTION WHEN SQLSTATE 'DONE0' THEN
	RETURN SQLERRM;
END $$;
SELECT alike(pg_temp.reports(statement), '%' || rule || '%', statement) FROM (VALUES
	('UPDATE shop.order_lines SET parent_line_id = NULL WHERE sku = ''care'' AND per_kit IS NULL AND quantity = 7', 'a warranty is for a line of its order, and for no more units than that has'),
	('UPDATE shop.order_lines SET quantity = 8, short = 6 WHERE sku = ''care'' AND quantity = 2', 'a warranty is for a line of its order, and for no more units than that has'),
	('UPDATE shop.order_lines w SET parent_line_id = (SELECT max(id::text)::uuid FROM shop.order_lines o WHERE o.order_id <> w.order_id) WHERE sku = ''care'' AND per_kit IS NULL', 'a warranty is for a line of its order, and for no more units than that has'),
	('DELETE FROM shop.order_lines WHERE sku = ''lens'' AND per_kit = 2 AND shipped = 0', 'the components of a bundle''s line carry its price and its tax'),
	('INSERT INTO shop.bundle_items VALUES (''kit'', ''big'', 1)', 'what bundles come to follows from their items'),
	('DELETE FROM shop.backorder_policies WHERE sku = ''lens''', 'backordered units were sold under the policy that the log says, of their SKU'),
	('UPDATE shop.stock_movements SET location = ''north'' WHERE kind = ''transfer_out''', 'what is on its way has left, arrived or been given up as its status says'),
	('UPDATE shop.stock_movements SET sku = ''cam'' WHERE entity = ''inbound'' AND kind = ''receipt''', 'a movement that names what is on its way is of its SKU and locations'),
	('UPDATE shop.inbound SET status = ''expected'' WHERE status = ''in_transit''', 'what is on its way has left, arrived or been given up as its status says'),
	('UPDATE shop.fulfillments SET stock_state = ''issued'' WHERE stock_state = ''reserved''', 'what became of a fulfillment''s stock agrees with its times'),
	('DELETE FROM shop.stock_movements WHERE kind = ''issue''', 'what fulfillments have sent, and got back, is in the ledger'),
	('UPDATE shop.fulfillments SET location = ''north'' WHERE stock_state = ''issued''', 'what fulfillments have sent, and got back, is in the ledger'),
	('UPDATE shop.fulfillments SET stock_state = ''released'' WHERE stock_state = ''issued''', 'what fulfillments have sent, and got back, is in the ledger'),
	('DELETE FROM shop.stock_feeds', 'the feed that last told of a SKU is in the log'),
	('UPDATE shop.stock_feeds SET applied = applied + 1', 'every change that a feed reports is in the ledger')) AS v(statement, rule);
SELECT is(pg_temp.reports(statement), 'nothing', statement) FROM (VALUES ('DELETE FROM shop.stock_holds'), ('UPDATE shop.stock_holds SET quantity = 1000000')) AS v(statement);
SET LOCAL session_replication_role = replica;
UPDATE shop.fulfillments SET stock_state = 'issued' WHERE stock_state = 'reserved';
SET LOCAL session_replication_role = origin;
SELECT is((SELECT count(*) FROM shop.repair_store() WHERE table_name = 'order_lines'), 0::bigint, 'where nobody can say who has the units, none becomes short to be sent again');

SELECT * FROM finish();
ROLLBACK;
