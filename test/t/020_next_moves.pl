# next_moves against the UPDATE itself: orders and fulfillments are walked at
# random through states, holds, rejects, short stock and functions of the
# store's own; for each row as it then is, every state that next_moves lists is
# tried, by an UPDATE that is taken back: allowed = it succeeds, why_not = what
# it said.  OMS_COUNT: how many orders.  OMS_SEED: another walk.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;

my $count = $ENV{OMS_COUNT} // 200;
my $seed = $ENV{OMS_SEED} // 0.42;
my $node = PostgreSQL::Test::Cluster->new('next_moves');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\n");
$node->start;
my $s = Session->new($node);
$s->run('CREATE EXTENSION oms');
Session::make_store($s, 'shop', 'X', 'Y');
$s->run(<<'SQL');
INSERT INTO shop.skus (code, name, kind) VALUES ('download', 'Download', 'digital'), ('old', 'No more sold', 'physical'), ('rare', 'Rare', 'physical');
UPDATE shop.skus SET active = false WHERE code = 'old';
INSERT INTO shop.locations (code, name, kind) VALUES ('partner', 'Partner', 'supplier') ON CONFLICT DO NOTHING;
INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT 'X', code, 'receipt', 40 FROM shop.locations;
INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT 'Y', code, 'receipt', 400 FROM shop.locations;

-- functions of the store's: one that says no, one that raises, one that says no to
-- the state it is asked for, one that writes
CREATE FUNCTION shop.says_no(o shop.orders) RETURNS boolean LANGUAGE sql AS $$ SELECT o.priority % 2 = 0 $$;
CREATE FUNCTION shop.raises(o shop.orders) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN IF o.priority % 3 = 0 THEN RAISE EXCEPTION 'priority % of % will not do', o.priority, o.number; END IF; RETURN true; END $$;
CREATE FUNCTION shop.sees(o shop.orders) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT o.status IN ('checked', 'gone', 'closed') AND (o.closed_at IS NOT NULL) = (o.status <> 'checked') AND o.status_reason IS NULL $$;
CREATE FUNCTION shop.writes(f shop.fulfillments) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN UPDATE shop.fulfillments SET carrier = 'asked' WHERE id = f.id; RETURN f.status = 'sent' OR length(f.number) % 2 = 0; END $$;
-- 'odd' has moves whose actions find nothing to do, which lint would not let in
SET session_replication_role = replica;
INSERT INTO shop.workflows (name, entity, definition) VALUES
('own', 'order', 'initial draft; draft -> placed when raises do reserve; placed -> checked when says_no, sees; placed -> checked when unheld, all_canceled auto;
	checked -> confirmed when unheld do confirm; placed, checked, confirmed -> gone when sees, unshipped do release; checked -> draft_again -> placed;
	confirmed -> closed when sees, fulfilled; confirmed -> closed when sees, all_canceled auto; final closed, gone'),
('odd', 'fulfillment', 'initial open; open -> ready; ready -> stuck -> ready; ready -> sent when writes, order_unheld do issue; sent -> done do deliver;
	done -> back do restock; sent -> again do issue; stuck -> nowhere do reroute, release; open, ready -> canceled when order_unheld do release; ready -> rejected do reroute; final back, canceled, rejected, nowhere, again');
RESET session_replication_role;
INSERT INTO shop.methods (code, name, workflow) VALUES ('odd', 'Odd', 'odd');
INSERT INTO shop.channels (code, name, order_workflow, default_method) VALUES ('own', 'Own', 'own', 'odd');
INSERT INTO shop.channels (code, name, payment_required, if_short, default_method) VALUES ('paid', 'Paid', true, 'hold', 'ship');

CREATE FUNCTION one(variadic what text[]) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT what[1 + floor(random() * cardinality(what))::int] $$;

CREATE FUNCTION make() RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
	made uuid;
BEGIN
	INSERT INTO shop.orders (channel, currency, priority, if_short, ship_complete)
	VALUES (one('web', 'web', 'own', 'own', 'paid'), 'EUR', floor(random() * 9), one('refuse', 'refuse', 'hold'), random() < 0.2) RETURNING id INTO made;
	INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, method, ship_group)
	SELECT made, n, CASE WHEN random() < 0.02 THEN 'old' WHEN random() < 0.04 THEN 'rare' ELSE one('X', 'Y', 'Y', 'Y', 'download') END, 1 + floor(random() * random() * 30), 10,
		one('ship', 'pickup', 'curbside', 'local_delivery', 'dropship', 'third_party', 'digital', 'counter', 'service', 'odd', 'odd', NULL), one('g', NULL, NULL)
	FROM generate_series(1, floor(random() * 4)::int) n;
	IF random() < 0.05 THEN
		INSERT INTO shop.order_charges (order_id, kind, amount) VALUES (made, one('fee', 'discount'), 5);
	END IF;
	RETURN made;
END $$;

-- something happens to an order
CREATE FUNCTION step(o uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	f uuid := (SELECT id FROM shop.fulfillments WHERE order_id = o ORDER BY random() LIMIT 1);
	entity text := CASE WHEN f IS NULL OR random() < 0.3 THEN 'order' ELSE 'fulfillment' END;
	target text := (SELECT to_state FROM shop.next_moves(entity, CASE entity WHEN 'order' THEN o ELSE f END) WHERE allowed ORDER BY to_state IN ('canceled', 'gone', 'rejected', 'stuck') AND random() < 0.8, random() LIMIT 1);
	dice float8 := random();
BEGIN
	IF dice < 0.08 THEN
		INSERT INTO shop.order_holds (order_id, kind) VALUES (o, one('manual', 'fraud'));
	ELSIF dice < 0.16 THEN
		UPDATE shop.order_holds SET released_at = now() WHERE order_id = o AND released_at IS NULL;
	ELSIF dice < 0.2 THEN
		PERFORM shop.cancel_lines(o);
	ELSIF dice < 0.24 THEN
		INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT sku, location, 'count', greatest(0, on_hand - 5) FROM shop.stock WHERE sku = 'X' LIMIT 1;
	ELSIF entity = 'order' AND target IS NOT NULL THEN
		UPDATE shop.orders SET status = target, status_reason = one('other', NULL) WHERE id = o;
	ELSIF target IS NOT NULL THEN
		UPDATE shop.fulfillments SET status = target, status_reason = one('damaged', 'not_found', NULL) WHERE id = f;
	END IF;
EXCEPTION WHEN SQLSTATE 'OM002' OR SQLSTATE 'OM012' OR SQLSTATE 'OM003' THEN
	NULL;
END $$;

-- what an UPDATE to that state says, and nothing of it stays
CREATE FUNCTION try(entity text, row_id uuid, target text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	IF entity = 'order' THEN
		UPDATE shop.orders SET status = target WHERE id = row_id;
	ELSE
		UPDATE shop.fulfillments SET status = target WHERE id = row_id;
	END IF;
	RAISE EXCEPTION USING ERRCODE = 'TAKE0';
EXCEPTION
	WHEN SQLSTATE 'TAKE0' THEN RETURN NULL;
	WHEN OTHERS THEN RETURN SQLERRM;
END $$;

CREATE TABLE told (entity text, number text, workflow text, status text, to_state text, allowed boolean, why_not text, said text);
CREATE FUNCTION walk(count int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	o uuid;
BEGIN
	FOR i IN 1 .. count LOOP
		o := make();
		IF i % 10 = 0 THEN
			INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('Y', one('A', 'B', 'partner'), 'receipt', 150), ('X', one('A', 'B', 'partner'), 'receipt', 8);
		END IF;
		FOR j IN 1 .. floor(random() * 14)::int LOOP
			PERFORM step(o);
		END LOOP;
		INSERT INTO told
		SELECT r.entity, r.number, r.workflow, r.status, m.to_state, m.allowed, m.why_not, try(r.entity, r.id, m.to_state)
		FROM (SELECT 'order' AS entity, id, number, workflow, status FROM shop.orders WHERE id = o
			UNION ALL SELECT 'fulfillment', id, number, workflow, status FROM shop.fulfillments WHERE order_id = o) r, shop.next_moves(r.entity, r.id) m;
	END LOOP;
END $$;
SQL

$s->run("SELECT setseed($seed)");
for (my $left = $count; $left > 0; $left -= 20)
{
	$s->run('SELECT walk(' . ($left < 20 ? $left : 20) . ')');
}
is($s->value(q{SELECT string_agg(format('%s %s in %s of %s to %s: %s, but %s', entity, number, status, workflow, to_state, coalesce(why_not, 'allowed'), coalesce(said, 'done')), E'\n')
	FROM (SELECT * FROM told WHERE why_not IS DISTINCT FROM said OR allowed <> (said IS NULL) ORDER BY number LIMIT 9) t}), undef,
	"next_moves says what the UPDATE does (OMS_SEED=$seed)");
my ($states, $allowed, $refused) = @{ $s->try(q{SELECT count(DISTINCT (workflow, status, to_state)), count(*) FILTER (WHERE allowed), count(*) FILTER (WHERE NOT allowed) FROM told})->{rows}[0] };
note "$states pairs of states, $allowed allowed, $refused refused";
cmp_ok($states, '>', 80, 'in many states');
cmp_ok($refused, '>', $count / 2, 'of which many are refused');
is($s->value(q{SELECT string_agg(DISTINCT k, ' ' ORDER BY k) FROM (SELECT CASE WHEN why_not LIKE 'not enough stock%' THEN 'stock' WHEN why_not LIKE '%cannot be released from%' THEN 'stuck'
	WHEN why_not LIKE '%has nothing to%' THEN 'nothing' WHEN why_not LIKE 'priority%' THEN 'raised' WHEN why_not LIKE '%says no' THEN 'own' WHEN why_not LIKE '%because%' THEN 'guard' END AS k FROM told) t}),
	'guard nothing own raised stock stuck', 'for every kind of reason');
is(Session::violations($s, 'shop'), 'every workflow is sound: 2', 'verify_store, which names the two moves');

# ---- who asks, and how

$s->run('CREATE ROLE reader LOGIN; CREATE ROLE clerk LOGIN; CREATE ROLE nobody LOGIN');
$s->run("SELECT shop.grant_store('reader', 'reader'); SELECT shop.grant_store('clerk', 'clerk')");
my $id = $s->value(q{SELECT o.id FROM shop.orders o JOIN told t USING (number) WHERE t.allowed AND t.entity = 'order' AND o.workflow = 'standard' LIMIT 1});
my $ask = "SELECT to_state, allowed, why_not FROM oms.next_moves('shop', 'order', '$id')";
my $clerk = Session->new($node, 'postgres', 'clerk');
is_deeply($clerk->try($ask)->{rows}, $s->try($ask)->{rows}, 'a clerk sees what the owner sees');
my $reader = Session->new($node, 'postgres', 'reader');
is($reader->value("SELECT string_agg(DISTINCT allowed::text || ' ' || why_not, ', ') FROM ($ask) t"), 'false permission denied for table orders',
	'a reader may make none of the moves');
is($reader->state("UPDATE shop.orders SET status = 'canceled' WHERE id = '$id'"), '42501', 'nor does the UPDATE let him');
is(Session->new($node, 'postgres', 'nobody')->state($ask), '42501', 'others see nothing');
is($s->state("SELECT * FROM oms.next_moves('shop', 'parcel', '$id')"), '22023', 'an unknown entity');
like($s->try("SELECT * FROM oms.next_moves('shop', repeat('ä', 100000), '$id')")->{message}, qr/^.{1,150}$/, 'is not echoed whole');
is($s->state("SELECT * FROM oms.next_moves('shop', 'order', oms.uuid7())"), 'OM012', 'an unknown order');
is($s->state("SELECT * FROM oms.next_moves('shop', 'fulfillment', '$id')"), 'OM012', 'an order is no fulfillment');
is($s->state("SELECT * FROM oms.next_moves('shop', 'order', NULL)"), '22004', 'NULL');
is($s->state("SELECT * FROM oms.next_moves('none', 'order', '$id')"), 'OM010', 'an unknown store');

# without locks, where nothing may be written
my $rows = $s->try($ask)->{rows};
my $other = Session->new($node);
$other->run('BEGIN');
$other->run("SELECT FROM shop.orders WHERE id = '$id' FOR UPDATE; SELECT FROM shop.fulfillments WHERE order_id = '$id' FOR UPDATE");
is_deeply($s->try($ask)->{rows}, $rows, 'locks of others are not waited for');
$other->run('ROLLBACK');
$s->run('BEGIN READ ONLY');
is_deeply($s->try($ask)->{rows}, $rows, 'in a read-only transaction');
is($s->value("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'shop.orders'::regclass AND mode <> 'AccessShareLock'"), 0, 'it takes no lock but that of reading');
is($s->value('SELECT pg_current_xact_id_if_assigned() IS NULL'), 't', 'nor a transaction id');
$s->run('ROLLBACK');
$s->run('BEGIN ISOLATION LEVEL SERIALIZABLE');
is_deeply($s->try($ask)->{rows}, $rows, 'in a serializable one');
$s->run('ROLLBACK');

done_testing;
