# Many orders planned together by a session while another one looks on: it sees
# how far the first is, and may cancel it, which leaves all as it was.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('waves');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\n");
$node->start;

my $admin = Session->new($node);
$admin->run('CREATE EXTENSION oms');
$admin->run(<<'END');
SELECT oms.create_store('w'), setseed(0.5);
INSERT INTO w.channels (code, name, default_method) VALUES ('web', 'Web', 'ship');
INSERT INTO w.locations (code, name, priority, fixed_cost) SELECT 'L' || l, 'L', l, 4 + random() FROM generate_series(1, 20) l;
INSERT INTO w.skus (code, name) SELECT 'S' || s, 'S' FROM generate_series(1, 60) s;
INSERT INTO w.zones (code, country, postal_prefix) SELECT 'Z' || z, 'US', z::text FROM generate_series(0, 9) z;
INSERT INTO w.shipping_rates (location, destination_zone, fixed, per_unit) SELECT 'L' || l, 'Z' || z, 4 * random(), random() FROM generate_series(1, 20) l, generate_series(0, 9) z;
INSERT INTO w.stock_movements (sku, location, kind, quantity) SELECT 'S' || s, 'L' || l, 'receipt', 1 + floor(random() * 5) FROM generate_series(1, 60) s, generate_series(1, 20) l WHERE random() < 0.5;
SELECT count(w.place_order(jsonb_build_object('channel', 'web', 'currency', 'EUR', 'if_short', 'hold', 'holds', '[{"kind": "fraud"}]'::jsonb,
	'ship_to', jsonb_build_object('country', 'US', 'postal_code', (o % 10) || '000'), 'lines', lines)))
FROM (SELECT o, jsonb_agg(jsonb_build_object('sku', 'S' || s, 'quantity', 1, 'unit_price', 1)) AS lines
	FROM (SELECT o, s FROM generate_series(1, 400) o, generate_series(1, 60) s WHERE random() < 0.05) p GROUP BY o) l;
END

# all that a wave could write
sub digest
{
	return $admin->run(q{SELECT md5(string_agg(t, '|' ORDER BY t)) FROM (SELECT f::text FROM w.fulfillments f UNION ALL SELECT l::text FROM w.fulfillment_lines l
		UNION ALL SELECT o::text FROM w.orders o UNION ALL SELECT s::text FROM w.stock s UNION ALL SELECT e::text FROM w.order_events e) r(t)})->{rows}[0][0];
}

my $planner = Session->new($node);
my $before = digest();
my $idle = "(SELECT state = 'idle' AND query LIKE '%plan_wave%' FROM pg_stat_activity WHERE pid = $planner->{pid})";

$planner->send("SELECT * FROM oms.plan_wave('w', budget => '1 hour')");
$admin->await("SELECT EXISTS (SELECT FROM oms.wave_progress('w')) OR $idle");
my $progress = $admin->run("SELECT * FROM oms.wave_progress('w')")->{rows};
is(scalar @$progress, 1, 'another session sees it');
is($progress->[0][0], $planner->{pid}, 'which it is');
cmp_ok($progress->[0][2], '>', 300, 'how many orders it plans');
cmp_ok($progress->[0][4], '>', 0, 'what they cost before');
cmp_ok($progress->[0][5], '<=', $progress->[0][4], 'and would now');
cmp_ok($progress->[0][6], '<=', $progress->[0][5], 'at least so much');
is_deeply($admin->run("SELECT * FROM oms.wave_progress('v')")->{rows}, [], 'it is not at another store');

$admin->run("SELECT pg_cancel_backend($planner->{pid})");
is($planner->result->{state}, '57014', 'it is canceled');
is(digest(), $before, 'all is as it was');
$admin->await("SELECT $idle");
is_deeply($admin->run("SELECT query FROM pg_stat_activity WHERE pid = $planner->{pid}")->{rows}, [["SELECT * FROM oms.plan_wave('w', budget => '1 hour')"]], 'the statement has its text again');

# nor does anything stay of a session that ends in the middle
my $victim = Session->new($node);
$victim->send("SELECT * FROM oms.plan_wave('w', budget => '1 hour')");
$admin->await("SELECT pid = $victim->{pid} FROM oms.wave_progress('w')");
$admin->run("SELECT pg_terminate_backend($victim->{pid})");
$admin->await("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $victim->{pid})");
is_deeply($admin->run("SELECT * FROM oms.wave_progress('w')")->{rows}, [], 'a session that is ended is seen no more');
is(digest(), $before, 'and leaves all as it was');

my $row = $planner->run("SELECT * FROM oms.plan_wave('w', budget => '2 s')")->{rows}[0];
cmp_ok($row->[1], '<', $row->[0], 'orders cost less afterwards');
cmp_ok($row->[2], '<=', $row->[1], 'not less than the bound');
cmp_ok($row->[3], '>', 0, 'orders changed');
is_deeply($admin->run("SELECT * FROM oms.wave_progress('w')")->{rows}, [], 'nobody is at it any more');
is(Session::violations($admin, 'w'), '', 'nothing is broken');

done_testing();
