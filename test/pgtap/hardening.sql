-- What once broke the engine: each stays refused, or right.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();
SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name) VALUES ('web', 'Web');
INSERT INTO shop.locations (code, name) VALUES ('a', 'A');
INSERT INTO shop.skus (code, name) VALUES ('sku', 'Sku');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('sku', 'a', 'receipt', 100);

CREATE FUNCTION pg_temp.broken() RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(rule, ', ') FROM oms.verify_store('shop') WHERE violations > 0 $$;

-- one statement whose moves have different lists of actions
INSERT INTO shop.workflows (name, entity, definition) VALUES ('odd', 'order',
	'initial draft; draft -> a do reserve; draft -> b do reserve, release; a -> c do release; final b, c;');
INSERT INTO shop.channels (code, name, order_workflow) VALUES ('odd', 'Odd', 'odd');
INSERT INTO shop.orders (number, channel, currency) VALUES ('O-1', 'odd', 'EUR'), ('O-2', 'odd', 'EUR');
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) SELECT id, 1, 'sku', 1, 1 FROM shop.orders;
SELECT lives_ok($$ UPDATE shop.orders SET status = CASE number WHEN 'O-1' THEN 'a' ELSE 'b' END $$,
	'one order is reserved, another reserved and released, in one statement');
SELECT is((SELECT string_agg(format('%s %s %s', number, units_allocated, units_canceled), ', ' ORDER BY number) FROM shop.orders),
	'O-1 1 0, O-2 0 1', 'each as its move says');
SELECT is(pg_temp.broken(), NULL, 'and nothing leaks');

-- a transition table that does not fit in memory
SET LOCAL work_mem = '64kB';
INSERT INTO shop.orders (number, channel, currency, tax_included) VALUES ('D-1', 'web', 'EUR', true);
INSERT INTO shop.order_charges (order_id, kind, amount) SELECT id, 'fee', n FROM shop.orders, generate_series(1, 3000) n WHERE number = 'D-1';
SELECT is((SELECT total FROM shop.orders WHERE number = 'D-1'), 4501500.0000, 'three thousand charges add up');
RESET work_mem;

-- functions that run with the owner's rights are not the engine
CREATE FUNCTION shop.reship(o shop.orders) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO shop.orders (number, channel, currency, status, total) VALUES ('X-1', 'web', 'EUR', 'completed', 1);
END $$;
CREATE FUNCTION shop.receive(o shop.orders) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO shop.stock_movements (sku, location, kind, quantity, on_hand_change, unavailable_change) VALUES ('sku', 'a', 'receipt', 5, 0, 0);
END $$;
INSERT INTO shop.workflows (name, entity, definition) VALUES ('own', 'order', 'initial draft; draft -> x do reship; draft -> y do receive; final x, y;');
INSERT INTO shop.channels (code, name, order_workflow) VALUES ('own', 'Own', 'own');
INSERT INTO shop.orders (number, channel, currency) VALUES ('U-1', 'own', 'EUR');
SELECT throws_ok($$ UPDATE shop.orders SET status = 'x' WHERE number = 'U-1' $$, 'OM001', NULL, 'an action cannot make an order in a later state');
SELECT throws_ok($$ UPDATE shop.orders SET status = 'y' WHERE number = 'U-1' $$, 'OM005', NULL, 'nor write the effect of a movement');
CREATE FUNCTION shop.definer() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO shop.order_events (order_id, entity, entity_id, event, actor) VALUES (oms.uuid7(), 'order', oms.uuid7(), 'moved', 'nobody');
END $$;
SELECT throws_ok('SELECT shop.definer()', 'OM005', NULL, 'nor does SECURITY DEFINER make anybody the engine');

-- tables of another shape
CREATE TABLE shop.m2 (id int, sku text);
CREATE TRIGGER z BEFORE INSERT ON shop.m2 FOR EACH ROW EXECUTE FUNCTION oms.guard('address');
SELECT throws_ok('INSERT INTO shop.m2 VALUES (1, ''x'')', '39P01', NULL, 'a guard refuses an event that it is not for');
CREATE TABLE shop.m3 (id bigint, sku int, location int, kind int, quantity bigint, on_hand_change bigint);
CREATE TRIGGER z AFTER INSERT ON shop.m3 REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION oms.act('movement');
SELECT throws_ok('INSERT INTO shop.m3 VALUES (1, 2, 3, 4, 5, NULL)', 'OM008', NULL, 'columns of other types are refused');
SELECT oms.create_store('altered');
ALTER TABLE altered.orders ALTER COLUMN authorized TYPE bigint;
INSERT INTO altered.channels (code, name) VALUES ('web', 'Web');
SELECT throws_ok($$ INSERT INTO altered.orders (channel, currency) VALUES ('web', 'EUR') $$, 'OM008', NULL, 'also of our own table, altered');

-- a trigger that swallows what the engine writes
CREATE FUNCTION shop.swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER a BEFORE INSERT ON shop.fulfillment_lines FOR EACH ROW EXECUTE FUNCTION shop.swallow();
SELECT throws_ok($$ SELECT * FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR", "lines": [{"sku": "sku", "quantity": 1, "unit_price": 1}]}') $$,
	'27000', NULL, 'no order is placed without its fulfillment''s lines');
DROP TRIGGER a ON shop.fulfillment_lines;

-- a receipt of one unit serves the first of many who wait
UPDATE shop.channels SET if_short = 'hold' WHERE code = 'web';
INSERT INTO shop.skus (code, name) VALUES ('rare', 'Rare');
SELECT count(oms.place_order('shop', format('{"channel": "web", "external_ref": "w%s", "currency": "EUR", "lines": [{"sku": "rare", "quantity": 2, "unit_price": 1}]}', n)::jsonb))
FROM generate_series(1, 20) n \gset
INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('rare', 'a', 'receipt', 3);
SELECT is((SELECT string_agg(format('%s %s', external_ref, units_short), ', ' ORDER BY id) FROM shop.orders WHERE external_ref LIKE 'w%' AND units_short < 2),
	'w1 0, w2 1', 'three units: two for the first, one for the second');
SELECT is(pg_temp.broken(), NULL, 'everything adds up');

-- what has no foreign key or counter of its own is recounted too
UPDATE shop.fulfillments SET status = 'shipped' WHERE status = 'released';
SET LOCAL session_replication_role = replica;
UPDATE shop.fulfillments SET rerouted = true WHERE stock_state = 'issued';
SELECT is(pg_temp.broken(), 'what became of a fulfillment''s stock agrees with its times', 'a parcel that left was not rerouted');
UPDATE shop.fulfillments SET rerouted = false WHERE stock_state = 'issued';
UPDATE shop.fulfillment_lines SET sku = 'sku' WHERE sku = 'rare' AND fulfillment_id IN (SELECT id FROM shop.fulfillments WHERE stock_state = 'issued');
SELECT is(pg_temp.broken(), 'a fulfillment carries lines of its own order, by their SKU, what fulfillments have sent, and got back, is in the ledger', 'nor does it carry what was not ordered');
RESET session_replication_role;

SELECT throws_like($$ SELECT * FROM oms.place_order('shop', jsonb_build_object('a' || repeat('é', 40), 1)) $$, '%unknown key', 'a long key is cut between characters');

-- tables that their owner has changed, in a store or in a schema that only looks like one, end no server
CREATE SCHEMA oms_fake;
CREATE TABLE oms_fake.settings AS SELECT layout_version, 1::bigint AS number_prefix, server, moved_after FROM shop.settings;
CREATE TABLE oms_fake.workflows ();
SELECT throws_ok($$ SELECT * FROM oms.events_after('oms_fake') $$, 'OM008', 'column "number_prefix" of a store''s table has type bigint, not text', 'a prefix that is no text');
ALTER TABLE oms_fake.settings ALTER COLUMN number_prefix TYPE text, ALTER COLUMN moved_after TYPE integer USING 5;
SELECT throws_ok($$ SELECT * FROM oms.events_after('oms_fake') $$, 'OM008', 'column "moved_after" of a store''s table has type integer, not bigint[]', 'eras that are no array');
ALTER TABLE oms_fake.settings ALTER COLUMN moved_after TYPE bigint[] USING '{}';
CREATE TABLE oms_fake.order_events AS SELECT id, at, '1'::xid8 AS xid, order_id, entity, entity_id, event, from_status, to_status, 7 AS reason, actor, detail FROM shop.order_events;
SELECT throws_ok($$ SELECT * FROM oms.events_after('oms_fake') $$, 'OM008', 'column "reason" of a store''s table has type integer, not text', 'a reason that is no text');
CREATE DOMAIN oms_fake.word AS text;
ALTER TABLE oms_fake.order_events ALTER COLUMN reason TYPE oms_fake.word;
SELECT isnt_empty($$ SELECT * FROM oms.events_after('oms_fake') $$, 'a domain over it is as good');
ALTER TABLE oms_fake.workflows ADD COLUMN name text DEFAULT 'w', ADD COLUMN entity text, ADD COLUMN definition text;
INSERT INTO oms_fake.workflows DEFAULT VALUES;
SELECT throws_ok($$ SELECT oms.to_mermaid('oms_fake', 'w') $$, '23502', NULL, 'a workflow that says nothing');
UPDATE oms_fake.settings SET number_prefix = NULL;
SELECT throws_ok(format('SELECT * FROM oms.place_order(%L, ''{}'')', 'oms_fake'), 'OM008', NULL, 'what lacks triggers is no store to place in');
CREATE FUNCTION oms_fake.insert(statement text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	ALTER TABLE shop.order_lines ALTER COLUMN order_id DROP NOT NULL;
	ALTER TABLE shop.orders ALTER COLUMN total DROP NOT NULL, ALTER COLUMN captured DROP NOT NULL;
	EXECUTE statement;
END $$;
SELECT throws_ok(format('SELECT oms_fake.insert(%L)', s), '23502', NULL, s) FROM unnest(ARRAY[
	'INSERT INTO shop.order_lines (line_no, sku, quantity, unit_price) VALUES (1, ''sku'', 1, 1)',
	'INSERT INTO shop.orders (channel, currency, total) VALUES (''web'', ''EUR'', NULL)',
	'INSERT INTO shop.orders (channel, currency, captured) VALUES (''web'', ''EUR'', NULL)']) AS s;

SELECT * FROM finish();
ROLLBACK;
