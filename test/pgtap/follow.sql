-- oms.events_after: what it takes and returns, and who may ask. That it
-- delivers each event once is for test/t/018_follow.
BEGIN;
SET client_min_messages = warning;
SELECT no_plan();
SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name) VALUES ('web', 'Web');
SELECT is((SELECT server FROM shop.settings), (SELECT system_identifier::text FROM pg_control_system()), 'a store is at home where it was made');

-- ---- arguments

SELECT lives_ok(format('SELECT * FROM shop.events_after(%L)', p), 'position ' || coalesce(p, 'NULL'))
FROM unnest(ARRAY[NULL, '', '0/0', '1/1', '18446744073709551/9223372036854775']) AS p;
SELECT throws_ok(format('SELECT * FROM shop.events_after(%L)', p), '22023', '"' || left(p, 64) || '" is no position', 'no position: ' || left(p, 30))
FROM unnest(ARRAY['1', '/', '1/', '/1', '1/1/1', '-1/1', '1/-1', ' 1/1', '1/1 ', '1.5/1', 'a/b', 'NULL', '99999999999999999999/1', '1/99999999999999999999', repeat('9', 100000)]) AS p;
SELECT throws_ok(format('SELECT * FROM shop.events_after(NULL, %s)', n), '22023', 'max_rows must be 1 to 100000', 'max_rows ' || n)
FROM unnest(ARRAY['0', '-1', '100001', '2147483647', 'NULL']) AS n;
SELECT throws_ok($$ SELECT * FROM oms.events_after(NULL) $$, '22004', NULL, 'store NULL');
SELECT throws_ok($$ SELECT * FROM oms.events_after('nowhere') $$, 'OM010', NULL, 'no such store');

-- ---- columns are those of the log; what is not committed waits

INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR'), ('web', 'EUR');
SELECT is_empty($$ SELECT * FROM shop.events_after() $$, 'what is not committed waits');
-- as if it had been restored from a server that has counted less
ALTER TABLE shop.order_events DISABLE TRIGGER oms_log;
UPDATE shop.order_events SET xid = '3', reason = 'r', detail = '{"a": 1}';
ALTER TABLE shop.order_events ENABLE TRIGGER oms_log;
SELECT set_eq($$ SELECT id, at, order_id, entity, entity_id, event, from_status, to_status, reason, actor, detail FROM shop.events_after() $$,
	$$ SELECT id, at, order_id, entity, entity_id, event, from_status, to_status, reason, actor, detail FROM shop.order_events ORDER BY id $$, 'all of the log''s columns but xid');
SELECT results_eq($$ SELECT next_position FROM shop.events_after() $$, $$ SELECT '3/' || id FROM shop.order_events ORDER BY id $$, 'next_position');
SELECT is((SELECT next_position FROM shop.events_after(max_rows => 1)), '3/1', 'max_rows');
SELECT is((SELECT string_agg(id::text, ' ') FROM oms.events_after('shop', '3/1')), '2', 'after a position');

-- what verify_store finds where settings.moved_after is this; the settings are the owner's to spoil
CREATE FUNCTION pg_temp.moved_after(moves text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL session_replication_role = replica;
	UPDATE shop.settings SET moved_after = moves::bigint[];
	RESET session_replication_role;
	RETURN (SELECT nullif(violations, 0) FROM oms.verify_store('shop') WHERE rule LIKE 'moves of the store%');
END $$;

-- a store from a server with the same identifier: the owner says that it has moved
SAVEPOINT moved;
UPDATE shop.settings SET server = NULL;
SELECT set_eq($$ SELECT id FROM shop.events_after() $$, $$ SELECT id FROM shop.order_events $$, 'all that came with it is delivered');
INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR');
SELECT ok(server = (SELECT system_identifier::text FROM pg_control_system()) AND moved_after = '{2}', 'the first event after that notes the move') FROM shop.settings;
SELECT set_eq($$ SELECT id FROM shop.events_after() $$, $$ VALUES (1::bigint), (2) $$, 'and is of another count of transactions');
ROLLBACK TO moved;

-- ---- who may ask

CREATE ROLE oms_test_follower;
GRANT USAGE ON SCHEMA shop TO oms_test_follower;
SET ROLE oms_test_follower;
SELECT throws_ok($$ SELECT * FROM shop.events_after() $$, '42501', NULL, 'needs SELECT on the log');
RESET ROLE;
GRANT SELECT ON shop.order_events TO oms_test_follower;
SET ROLE oms_test_follower;
SELECT is((SELECT count(*) FROM shop.events_after()), 2::bigint, 'and no more');
RESET ROLE;
ALTER TABLE shop.order_events ENABLE ROW LEVEL SECURITY;
CREATE POLICY second ON shop.order_events FOR SELECT TO oms_test_follower USING (id = 2);
SET ROLE oms_test_follower;
SELECT is((SELECT string_agg(id::text, ' ') FROM shop.events_after()), '2', 'policies apply');
RESET ROLE;
SELECT is((SELECT count(*) FROM shop.events_after()), 2::bigint, 'to those they are for');
SELECT is(verdict, wanted, 'verify_store of moves after ' || moves) FROM (VALUES ('{}', NULL), ('{1}', NULL), ('{1,2}', NULL), ('{2,1}', 1::bigint), ('{1,1}', 1), ('{3}', 1)) AS v(moves, wanted), LATERAL (
	SELECT pg_temp.moved_after(moves) AS verdict) x;
SET TRANSACTION READ ONLY;
SELECT is((SELECT count(*) FROM shop.events_after()), 2::bigint, 'it writes nothing');

SELECT * FROM finish();
ROLLBACK;
