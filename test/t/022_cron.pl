# pg_cron calls oms.tick, as docs/operations.md has it: as a clerk who is
# nobody's superuser, and with nobody else there.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('cron');
$node->init;
plan skip_all => 'no pg_cron (Debian: postgresql-MAJOR-cron)'
  if !-e $node->config_data('--sharedir') . '/extension/pg_cron.control';
$node->append_conf('postgresql.conf', <<'END');
fsync = off
shared_preload_libraries = 'pg_cron'
cron.database_name = 'postgres'
cron.use_background_workers = on
END
$node->start;

my $admin = Session->new($node);
$admin->run('CREATE EXTENSION pg_cron');
$admin->run('CREATE EXTENSION oms');
Session::make_store($admin, 'shop', 'X');
Session::receive($admin, 'shop', 'A', X => 10);
$admin->run($_) for 'CREATE ROLE ticker LOGIN', q{SELECT shop.grant_store('ticker', 'clerk')}, 'GRANT USAGE ON SCHEMA cron TO ticker';

my $ticker = Session->new($node, 'postgres', 'ticker');
is($ticker->state(q{SELECT cron.schedule('tick of shop', '* * * * *', 'SELECT shop.tick()')}), '00000', 'a clerk schedules it, every minute');
# nobody waits a minute here: the same job as soon as the server is up
is($ticker->state(q{SELECT cron.schedule('tick of shop', '@reboot', 'SELECT shop.tick()')}), '00000', 'and otherwise');
is($admin->value('SELECT count(*) FROM cron.job'), 1, 'which is the same job');

my $order = $admin->run(Session::place('shop', '"holds": [{"kind": "remorse", "expires_at": "2020-01-01"}]', X => 2))->{rows}[0];
is($order->[2], 'placed', 'an order may be taken back until some time, which has passed');
$_->close for $admin, $ticker;
$node->restart;

ok($node->poll_query_until('postgres', "SELECT status = 'confirmed' FROM shop.orders"), 'pg_cron has called tick, and the order goes on');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM cron.job_run_details WHERE status = 'succeeded'}), 'the run succeeded');
$admin = Session->new($node);
is($admin->value("SELECT string_agg(concat_ws(' ', event, to_status, actor), ', ' ORDER BY id) FROM shop.order_events WHERE entity <> 'order_line' AND actor = 'ticker'"),
	'unheld ticker, moved confirmed ticker, moved released ticker', 'the log says what it did, and as whom');
is($admin->value('SELECT username FROM cron.job_run_details'), 'ticker', 'nobody else');
is(Session::violations($admin, 'shop'), '', 'verify_store is clean');

$admin->close;
$node->stop;
done_testing();
