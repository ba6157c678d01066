-- oms.create_store: what it makes and what it refuses; the store's rows, keys,
-- functions, and what verify_store says of it.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();

SELECT oms.create_store('shop');

-- ---- what is there

SELECT tables_are('shop', ARRAY['settings', 'workflows', 'methods', 'channels', 'locations', 'skus', 'reasons', 'customers', 'addresses', 'stock', 'stock_movements', 'stock_feeds', 'stock_feed_items', 'repairs', 'inbound', 'stock_holds', 'channel_stock_rules', 'zones', 'shipping_rates', 'sourcing_rules', 'sourcing_policies',
	'backorder_policies', 'orders', 'order_lines', 'order_charges', 'order_holds', 'order_events', 'fulfillments', 'fulfillment_lines', 'packages', 'package_lines', 'carrier_events', 'location_loads', 'payments', 'payment_transactions', 'bundle_items', 'bundle_components']);
SELECT views_are('shop', ARRAY['order_summary', 'order_line_facts', 'fulfillment_facts', 'fulfillment_performance', 'backlog', 'package_facts', 'stock_position', 'availability', 'in_transit', 'order_timeline', 'backorders', 'refunds_due', 'bundle_lines', 'workflow_paths', 'workflow_dwell', 'workflow_conformance']);
-- the column sheet of the design
SELECT is((SELECT string_agg(t || '.' || c, ' ' ORDER BY t, c) FROM (VALUES
	('settings', 'id layout_version number_prefix import_xid'),
	('channels', 'code name kind order_workflow default_method payment_required if_short priority active attributes'),
	('locations', 'code name kind tracked country region city postal_code latitude longitude time_zone priority methods fixed_cost pick_cost daily_capacity cutoff active'),
	('zones', 'code name country region postal_prefix'), ('shipping_rates', 'id method location origin_zone destination_zone fixed per_unit per_kg transit_days'),
	('sourcing_rules', 'id channel sku tag method destination_zone location effect cost valid_from valid_until'), ('sourcing_policies', 'id channel objective max_shipments node_limit unfilled_penalty per_km_cost'),
	('methods', 'code name workflow'), ('skus', 'code name kind tracked weight_grams default_method tags active attributes'),
	('customers', 'id code name email phone parent_id credit_limit terms_days attributes'),
	('addresses', 'id name company line1 line2 city region postal_code country latitude longitude phone email'),
	('workflows', 'name entity definition compiled description revision'), ('reasons', 'code entity description stock_effect'),
	('stock', 'sku location on_hand unavailable reserved safety_stock available revision'),
	('stock_movements', 'id at sku location kind quantity on_hand_change unavailable_change reason entity entity_id external_ref actor xid'),
	('orders', 'id number channel external_ref customer_id workflow status status_reason currency tax_included po_number priority ship_complete if_short source_order_id source_kind ship_to_id bill_to_id requested_at document_hash payment_required credit_approved units units_canceled units_allocated units_backordered units_short units_shipped units_delivered units_returned fewest_shipments total credited authorized captured refunded charged_back open_holds payment_status fulfillment_status return_status created_at ordered_at placed_at confirmed_at closed_at canceled_at attributes revision'),
	('order_lines', 'id order_id line_no external_ref parent_line_id source_line_id sku description quantity unit_price discount tax method location pickup_location ship_to_id ship_group requested_at canceled allocated backordered short shipped delivered returned backorder_policy_id attributes revision'),
	('backorder_policies', 'id sku policy limit_units valid_from valid_until backordered revision'),
	('order_charges', 'id order_id kind label amount tax'), ('order_holds', 'id order_id kind reason placed_by placed_at expires_at released_at released_by'),
	('order_events', 'id at xid order_id entity entity_id event from_status to_status reason actor detail'),
	('fulfillments', 'id number order_id location pickup_location method workflow status status_reason stock_state ship_to_id requested_at promised_at carrier tracking_number partner_ref created_at shipped_at delivered_at attributes revision'),
	('payments', 'id order_id method amount status authorized captured refunded charged_back revision'),
	('payment_transactions', 'id at payment_id kind outcome amount gateway_ref fulfillment_id reason'),
	('location_loads', 'location day units'), ('fulfillment_lines', 'id fulfillment_id order_line_id sku quantity')) AS sheet(t, columns), unnest(string_to_array(columns, ' ')) AS c
	WHERE NOT EXISTS (SELECT FROM information_schema.columns WHERE table_schema = 'shop' AND table_name = t AND column_name = c)), NULL, 'no column of the sheet is missing');
SELECT is((SELECT string_agg(c.relname, ' ') FROM pg_class c WHERE relnamespace = 'shop'::regnamespace AND relkind IN ('r', 'p')
	AND NOT EXISTS (SELECT FROM pg_constraint p WHERE p.conrelid = c.oid AND contype = 'p')), NULL, 'every table has a primary key');
SELECT is((SELECT string_agg(objid::regclass::text, ' ') FROM pg_depend WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass
	AND classid = 'pg_class'::regclass AND objid IN (SELECT oid FROM pg_class WHERE relnamespace = 'shop'::regnamespace)), NULL, 'no table, view, index or sequence of it is a member of the extension');
SELECT is((SELECT count(*) FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid JOIN pg_class c ON c.oid = d.objid WHERE d.deptype = 'e' AND e.extname = 'oms' AND d.refclassid = 'pg_extension'::regclass
	AND d.classid = 'pg_class'::regclass AND c.relkind IN ('r', 'v', 'S', 'm', 'p')), 0::bigint, 'the extension owns no table at all');
SELECT is((SELECT string_agg(p.proname, ' ') FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid WHERE d.deptype = 'e' AND d.classid = 'pg_proc'::regclass AND p.pronamespace = 'shop'::regnamespace), NULL, 'nor the store''s functions');
SELECT is((SELECT extconfig::text FROM pg_extension WHERE extname = 'oms'), NULL, 'nor rows of any table');
SELECT is((SELECT string_agg(DISTINCT relowner::regrole::text, ' ') FROM pg_class WHERE relnamespace = 'shop'::regnamespace), quote_ident(current_user), 'all belongs to whoever made it');
SELECT is((SELECT string_agg(attrelid::regclass || '.' || attname, ' ') FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE relnamespace = 'shop'::regnamespace AND attidentity <> ''), NULL, 'no IDENTITY columns');
SELECT is((SELECT string_agg(attrelid::regclass || '.' || attname, ' ') FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace n ON n.oid = t.typnamespace
	WHERE relnamespace = 'shop'::regnamespace AND relkind = 'r' AND attnum > 0 AND nspname <> 'pg_catalog' AND attgenerated = ''), NULL, 'only built-in types hold what cannot be made again');
SELECT throws_ok($$ DROP EXTENSION oms $$, '2BP01', NULL, 'the extension is not dropped while a store exists');

-- ---- the rows it begins with

CREATE TEMP TABLE expected (name text, entity text, definition text);
INSERT INTO expected VALUES
('standard', 'order', $$initial draft;
draft -> placed do reserve;
placed -> confirmed when unheld, payable do confirm auto;
confirmed -> completed when fulfilled, paid auto;
draft -> canceled;
placed, confirmed -> canceled when unshipped do release;
placed, confirmed -> canceled when all_canceled do release auto;
final completed, canceled;$$),
('ship', 'fulfillment', $$initial open;
open -> released when order_confirmed, order_unheld, group_complete auto;
released -> picking -> packed;
packed -> picking -> released;
released, picking, packed -> shipped when order_unheld do issue;
shipped, lost -> delivered do deliver;
shipped -> lost;
shipped, lost -> returned_to_sender do restock;
open, released, picking, packed -> canceled do release;
open, released, picking, packed -> rejected do reroute;
final delivered, returned_to_sender, canceled, rejected;$$),
('pickup', 'fulfillment', $$initial open;
open -> released when order_confirmed, order_unheld, group_complete auto;
released -> picking -> ready_for_pickup;
ready_for_pickup -> picking -> released;
ready_for_pickup -> collected when order_unheld do issue, deliver;
ready_for_pickup -> uncollected do release;
open, released, picking, ready_for_pickup -> canceled do release;
open, released, picking, ready_for_pickup -> rejected do reroute;
final collected, uncollected, canceled, rejected;$$),
('curbside', 'fulfillment', $$initial open;
open -> released when order_confirmed, order_unheld, group_complete auto;
released -> picking -> ready_for_pickup;
ready_for_pickup -> picking -> released;
ready_for_pickup -> customer_waiting -> ready_for_pickup;
ready_for_pickup, customer_waiting -> collected when order_unheld do issue, deliver;
ready_for_pickup -> uncollected do release;
open, released, picking, ready_for_pickup, customer_waiting -> canceled do release;
open, released, picking, ready_for_pickup, customer_waiting -> rejected do reroute;
final collected, uncollected, canceled, rejected;$$),
('local_delivery', 'fulfillment', $$initial open;
open -> released when order_confirmed, order_unheld, group_complete auto;
released -> picking -> packed;
packed -> picking -> released;
released, picking, packed -> out_for_delivery when order_unheld do issue;
out_for_delivery, attempted -> delivered do deliver;
out_for_delivery -> attempted -> out_for_delivery;
out_for_delivery, attempted -> returned_to_sender do restock;
open, released, picking, packed -> canceled do release;
open, released, picking, packed -> rejected do reroute;
final delivered, returned_to_sender, canceled, rejected;$$),
('dropship', 'fulfillment', $$initial open;
open -> requested when order_confirmed, order_unheld, group_complete auto;
requested -> accepted;
requested, accepted, cancel_requested -> shipped do issue;
requested, accepted -> declined do reroute;
requested, accepted -> cancel_requested;
cancel_requested -> accepted;
cancel_requested -> declined do reroute;
open, cancel_requested -> canceled do release;
open -> rejected do reroute;
shipped, lost -> delivered do deliver;
shipped -> lost;
shipped, lost -> returned_to_sender do restock;
final delivered, returned_to_sender, declined, rejected, canceled;$$),
('third_party', 'fulfillment', $$initial open;
open -> requested when order_confirmed, order_unheld, group_complete auto;
requested -> accepted;
requested, accepted, cancel_requested -> shipped do issue;
requested, accepted -> declined do reroute;
requested, accepted -> cancel_requested;
cancel_requested -> accepted;
cancel_requested -> declined do reroute;
open, cancel_requested -> canceled do release;
open -> rejected do reroute;
shipped, lost -> delivered do deliver;
shipped -> lost;
shipped, lost -> returned_to_sender do restock;
final delivered, returned_to_sender, declined, rejected, canceled;$$),
('digital', 'fulfillment', $$initial open;
open -> delivered when order_confirmed, order_unheld do issue, deliver auto;
open -> canceled do release;
open -> rejected do reroute;
final delivered, canceled, rejected;$$),
('counter', 'fulfillment', $$initial open;
open -> handed_over when order_confirmed do issue, deliver auto;
open -> canceled do release;
open -> rejected do reroute;
final handed_over, canceled, rejected;$$),
('service', 'fulfillment', $$initial open;
open -> released when order_confirmed, order_unheld, group_complete auto;
released -> scheduled;
scheduled -> released;
scheduled -> performed do issue, deliver;
open, released, scheduled -> canceled do release;
open, released, scheduled -> rejected do reroute;
final performed, canceled, rejected;$$);
SELECT set_eq($$ SELECT name::text, entity::text FROM shop.workflows $$, $$ SELECT name, entity FROM expected $$, 'the workflows');
SELECT is(trim(w.definition, E'\n'), e.definition, 'text of ' || name) FROM shop.workflows w JOIN expected e USING (name) ORDER BY name;
SELECT ok(w.compiled OPERATOR(oms.=) e.definition::oms.workflow, name || ' is compiled from it') FROM shop.workflows w JOIN expected e USING (name) ORDER BY name;
SELECT set_eq($$ SELECT code::text, workflow::text FROM shop.methods $$, $$ SELECT name AS method, name FROM expected WHERE entity = 'fulfillment' $$, 'a method for each of fulfillment');
SELECT set_has($$ SELECT code::text, stock_effect::text FROM shop.reasons $$, $$ VALUES ('not_found', 'quarantine'), ('damaged', 'write_off'), ('other', 'none') $$, 'reasons with their effect on stock');
SELECT is((SELECT format('%s %s %s', id, number_prefix, import_xid) FROM shop.settings), '1 S- ', 'one row of settings');
SELECT throws_ok($$ INSERT INTO shop.settings (id, layout_version) VALUES (2, 1) $$, '23514', NULL, 'and no other');
SELECT throws_ok($$ DELETE FROM shop.settings $$, 'OM006', NULL, 'nor none');
SELECT is((SELECT sum(n) FROM (SELECT count(*) AS n FROM shop.orders UNION ALL SELECT count(*) FROM shop.channels UNION ALL SELECT count(*) FROM shop.skus UNION ALL SELECT count(*) FROM shop.locations UNION ALL
	SELECT count(*) FROM shop.order_events UNION ALL SELECT count(*) FROM shop.stock_movements) AS x), 0::numeric, 'everything else is empty');

-- ---- what it refuses

SELECT throws_ok($$ SELECT oms.create_store('shop') $$, '42P06', NULL, 'a store that exists');
SELECT throws_ok($$ SELECT oms.create_store('public') $$, '42P06', NULL, 'a schema that exists');
SELECT throws_ok($$ SELECT oms.create_store(NULL) $$, '22004', NULL, 'no name');
SELECT throws_ok($$ SELECT oms.create_store('') $$, '22004', NULL, 'an empty one');
SELECT throws_ok($$ SELECT oms.create_store('pg_shop') $$, '42939', NULL, 'a name that PostgreSQL keeps for itself');
SELECT throws_ok(format($$ SELECT oms.create_store(%L) $$, repeat('x', 64)), '42622', NULL, 'a name that is too long');
SELECT throws_ok(format($$ SELECT %s $$, call), 'OM010', NULL, 'no store: ' || call)
FROM unnest(ARRAY['FROM oms.verify_store(''nowhere'')', 'FROM oms.verify_store(''public'')', 'FROM oms.place_order(''oms'', ''{}'')', 'oms.cancel_lines(''public'', oms.uuid7())', 'FROM oms.verify_store('''')']) AS call;
SELECT layout_version AS version FROM shop.settings \gset
UPDATE shop.settings SET layout_version = 0;
SELECT throws_ok($$ SELECT FROM oms.verify_store('shop') $$, 'OM008', NULL, 'a store of another layout');
SELECT throws_ok($$ SELECT FROM oms.place_order('shop', '{}') $$, 'OM008', NULL, 'whatever the verb');
UPDATE shop.settings SET layout_version = :version;
CREATE ROLE oms_test_stranger;
GRANT CREATE, USAGE ON SCHEMA shop TO oms_test_stranger;
SET ROLE oms_test_stranger;
CREATE TABLE shop.mine (id uuid, status text);
CREATE TRIGGER t BEFORE INSERT ON shop.mine FOR EACH ROW EXECUTE FUNCTION oms.guard('order');
RESET ROLE;
SELECT throws_ok($$ INSERT INTO shop.mine VALUES (oms.uuid7(), 'x') $$, 'OM010', NULL, 'a stranger''s table in the store is not the engine''s business');
DROP TABLE shop.mine;

-- ---- verify_store

SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM oms.verify_store('shop') WHERE violations <> 0), NULL, 'an empty store has no violations');
SELECT cmp_ok((SELECT count(*) FROM oms.verify_store('shop')), '>=', 15::bigint, 'a row for each rule, kept or not');
SELECT is((SELECT count(*) - count(DISTINCT rule) FROM oms.verify_store('shop')), 0::bigint, 'each rule once');
SELECT lives_ok(query, 'its query runs: ' || rule) FROM oms.verify_store('shop');
-- what is broken on purpose is found
CREATE FUNCTION pg_temp.broken(change text) RETURNS text LANGUAGE plpgsql
AS $$
DECLARE found text;
BEGIN
	BEGIN
		SET LOCAL session_replication_role = replica;
		EXECUTE change;
		SELECT string_agg(rule, '; ') INTO found FROM oms.verify_store('shop') WHERE violations > 0;
		RAISE EXCEPTION 'undo' USING ERRCODE = 'P9999';
	EXCEPTION WHEN SQLSTATE 'P9999' THEN RETURN found; END;
END $$;
INSERT INTO shop.channels (code, name) VALUES ('web', 'Web');
INSERT INTO shop.locations (code, name) VALUES ('a', 'A');
INSERT INTO shop.skus (code, name) VALUES ('shirt', 'Shirt');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('shirt', 'a', 'receipt', 10);
SELECT order_id AS o FROM shop.place_order('{"channel": "web", "currency": "EUR", "lines": [{"sku": "shirt", "quantity": 4, "unit_price": 2.5}], "charges": [{"kind": "fee", "amount": 1}]}') \gset
SELECT shop.split_fulfillment((SELECT id FROM shop.fulfillments WHERE order_id = :'o'), '[{"line": 1, "quantity": 1}]') AS part \gset
UPDATE shop.fulfillments SET status = 'shipped' WHERE id = :'part';
SELECT is(shop.cancel_lines(:'o', '[{"line": 1, "quantity": 1}]'), 1::bigint, 'cancel_lines by the store''s own function');
SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM shop.verify_store() WHERE violations <> 0), NULL, 'verify_store by the store''s own function');
SET CONSTRAINTS ALL IMMEDIATE;
SELECT isnt(pg_temp.broken(change), NULL, 'found: ' || change) FROM unnest(ARRAY[
	'UPDATE shop.stock SET on_hand = on_hand + 1', 'UPDATE shop.stock SET unavailable = 1', 'UPDATE shop.stock SET reserved = reserved - 1', 'DELETE FROM shop.stock', 'DELETE FROM shop.stock_movements WHERE kind = ''issue''',
	'UPDATE shop.stock_movements SET on_hand_change = NULL WHERE kind = ''receipt''', 'UPDATE shop.order_lines SET allocated = allocated - 1', 'UPDATE shop.order_lines SET canceled = canceled - 1, short = 1',
	'UPDATE shop.order_lines SET shipped = 0, allocated = 3', 'UPDATE shop.order_lines SET delivered = 1', 'UPDATE shop.orders SET units = units + 1', 'UPDATE shop.orders SET units_shipped = 0', 'UPDATE shop.orders SET total = total + 0.0001',
	'UPDATE shop.orders SET credited = 0', 'UPDATE shop.orders SET open_holds = 1', 'UPDATE shop.orders SET payment_status = ''paid''', 'UPDATE shop.orders SET fulfillment_status = ''fulfilled''', 'UPDATE shop.orders SET return_status = ''returned''',
	'UPDATE shop.orders SET status = ''nonsense''', 'UPDATE shop.orders SET status = ''completed''', 'UPDATE shop.orders SET closed_at = now()', 'UPDATE shop.fulfillments SET status = ''nonsense''', 'UPDATE shop.fulfillments SET stock_state = ''released'' WHERE stock_state = ''reserved''',
	'UPDATE shop.fulfillments SET stock_state = ''issued'' WHERE stock_state = ''reserved''', 'DELETE FROM shop.fulfillment_lines', 'UPDATE shop.fulfillment_lines SET quantity = quantity + 1', 'DELETE FROM shop.order_events WHERE event = ''moved'' AND entity = ''order''',
	'INSERT INTO shop.order_charges (order_id, kind, amount) SELECT id, ''fee'', 1 FROM shop.orders', 'ALTER TABLE shop.orders DISABLE TRIGGER oms_guard', 'ALTER TABLE shop.stock_movements DISABLE TRIGGER oms_act', 'DROP TRIGGER oms_act_update ON shop.orders',
	'UPDATE shop.fulfillments SET status = ''delivered'' WHERE status = ''shipped''']) AS change;
SELECT is((SELECT string_agg(rule || ': ' || violations, '; ') FROM shop.verify_store() WHERE violations <> 0), NULL, 'and is gone again');

-- ---- two stores, and names that need quoting

SELECT lives_ok(format('SELECT oms.create_store(%L)', name), 'a store named ' || name) FROM unnest(ARRAY['Shop EU', 'o''hara', 'quo"te', 'select', '@.', 'back\slash', '$sql$', 'lädchen', '%s']) AS name;
CREATE FUNCTION pg_temp.day(store text) RETURNS text LANGUAGE plpgsql
AS $$
DECLARE
	o record;
	report text;
BEGIN
	EXECUTE format($q$ INSERT INTO %1$I.channels (code, name) VALUES ('web', 'Web'); INSERT INTO %1$I.locations (code, name, priority) VALUES ('a', 'A', 1), ('b', 'B', 2); INSERT INTO %1$I.skus (code, name) VALUES ('hat', 'Hat');
		INSERT INTO %1$I.stock_movements (sku, location, kind, quantity) VALUES ('hat', 'a', 'receipt', 5), ('hat', 'b', 'receipt', 5); $q$, store);
	EXECUTE format($q$ SELECT * FROM %I.place_order('{"channel": "web", "currency": "EUR", "external_ref": "1", "customer": {"code": "c"}, "ship_to": {"city": "x"}, "lines": [{"sku": "hat", "quantity": 3, "unit_price": 1}]}') $q$, store) INTO o;
	EXECUTE format($q$ UPDATE %1$I.fulfillments SET status = 'rejected', status_reason = 'not_found'; SELECT %1$I.split_fulfillment((SELECT id FROM %1$I.fulfillments WHERE status = 'released'), '[{"line": 1, "quantity": 1}]');
		UPDATE %1$I.fulfillments SET status = 'shipped' WHERE id = (SELECT max(id::text)::uuid FROM %1$I.fulfillments); SELECT %1$I.cancel_lines(%2$L); $q$, store, o.order_id);
	EXECUTE format($q$ INSERT INTO %1$I.workflows (name, entity, definition) VALUES ('own', 'order', 'initial a; a -> b do reserve; b -> c do release; final c') $q$, store);
	EXECUTE format($q$ SELECT concat_ws(' ', number, status, units_shipped, units_canceled, (SELECT count(*) > 10 FROM %1$I.order_timeline), (SELECT sum(on_hand) FROM %1$I.stock), (SELECT sum(violations) FROM %1$I.verify_store())) FROM %1$I.orders $q$, store) INTO report;
	RETURN report;
END $$;
SELECT is(pg_temp.day(name), 'S-1000 completed 1 2 t 9 0', 'a day in store ' || name) FROM unnest(ARRAY['Shop EU', 'o''hara', 'quo"te', 'select', '@.', 'back\slash', '$sql$', 'lädchen', '%s']) AS name;
SELECT is((SELECT count(*) FROM shop.orders) || ' ' || (SELECT sum(violations) FROM shop.verify_store()), '1 0', 'the first store knows nothing of it');

-- a renamed store works on under its new name
ALTER SCHEMA "Shop EU" RENAME TO shop_us;
SELECT lives_ok($$ SELECT * FROM oms.place_order('shop_us', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "hat", "quantity": 1, "unit_price": 1}]}') $$, 'a store that was renamed');
SELECT is((SELECT string_agg(rule, ' ') FROM oms.verify_store('shop_us') WHERE violations > 0), 'the store''s functions, defaults and column compiled are there', 'is as sound as before, but that its functions spell the old name');

SELECT * FROM finish();
ROLLBACK;
