# oms.upgrade_store beside other sessions: open ones notice what gets lost and
# what comes back, whatever waits for whom; a store that lost the extension can
# be dumped and made whole elsewhere; and no extension's script may do it.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Shelves;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('upgrade');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\n");
$node->start;

my $dir = PostgreSQL::Test::Utils::tempdir();
my $admin = Session->new($node);
$admin->run('CREATE EXTENSION oms');
$admin->run("CREATE DATABASE $_") for 'copy', 'inherited';
$admin->run('CREATE ROLE heir LOGIN; GRANT CREATE ON DATABASE inherited TO heir');
Session::make_store($admin, 'shop', 'X', 'Y');
Session::receive($admin, 'shop', 'A', X => 1000, Y => 1000);
Shelves::fill($admin, 'shop', 'web');

my $clerk = Session->new($node);
my $place = Session::place('shop', '"if_short": "hold"', X => 2, Y => 1);
my $lacking = 'SELECT count(*) FROM oms.layout_repairs(\'shop\')';
my $upgrade = 'SELECT oms.upgrade_store(\'shop\')';

# notices($sql): what psql hears
sub notices
{
	my ($sql, $database) = @_;
	my ($status, $out, $err) = $node->psql($database // 'postgres', $sql);
	return $err;
}

# ---- a store that is whole

is($clerk->state($place), '00000', 'an order');
is(notices($upgrade), 'psql:<stdin>:1: NOTICE:  store shop is whole', 'upgrade_store says that nothing is lacking');
$admin->run('BEGIN');
$admin->run($upgrade);
is($admin->value('SELECT pg_current_xact_id_if_assigned() IS NULL'), 't', 'and writes nothing at all');
is($clerk->state($place), '00000', 'and keeps nobody waiting');
$admin->run('COMMIT');
$clerk->run('BEGIN');
$clerk->run($place);
is($admin->state("SET lock_timeout = '10s'; $upgrade"), '00000', 'nor waits for anybody');
$clerk->run('COMMIT');

# ---- open sessions notice

for my $loss ('DROP TRIGGER oms_act ON shop.stock_movements', 'DROP TRIGGER oms_guard ON shop.orders', 'DROP TRIGGER oms_act_insert ON shop.order_lines',
	'ALTER TABLE shop.fulfillments DISABLE TRIGGER oms_guard', 'ALTER TABLE shop.order_events DISABLE TRIGGER USER',
	'ALTER TABLE shop.order_lines ALTER COLUMN id DROP DEFAULT', 'ALTER TABLE shop.workflows DROP COLUMN compiled',
	'DROP EXTENSION oms CASCADE; CREATE EXTENSION oms')
{
	$admin->run($loss);
	my $result = $clerk->try($place);
	is($result->{state}, 'OM008', "an open session cannot place: $loss");
	like($result->{message}, qr/^store "shop" has lost what it works by: table "\w+" lacks (triggers, or|a default of column "\w+")/, 'and is told why: ' . $result->{message});
	cmp_ok($admin->value($lacking), '>', 0, 'the store lacks something');
	$admin->run($upgrade);
	is($admin->value($lacking), 0, 'and nothing once it is upgraded');
	is($clerk->state($place), '00000', 'the open session goes on');
	is(Session::violations($admin, 'shop'), '', 'and verify_store is content');
}
$admin->run('ALTER TABLE shop.fulfillments DISABLE TRIGGER oms_guard; DROP FUNCTION shop.verify_store()');
like(notices($upgrade), qr/NOTICE:  store shop is whole again\nDETAIL:  It lacked: function verify_store\(\), trigger oms_guard on fulfillments\.\nHINT:  .*verify_store\('shop'\)/,
	'upgrade_store sums up');

# what the owner does by hand while a trigger is gone is not hindered
$admin->run('ALTER TABLE shop.fulfillments DISABLE TRIGGER oms_guard');
is($admin->state("UPDATE shop.skus SET name = 'x'; INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('X', 'A', 'receipt', 1)"), '00000',
	'plain statements work in a store that lacks a trigger elsewhere');

# ---- in use: whoever writes is waited for, and two do not do it twice

$clerk->run('BEGIN');
$clerk->run("UPDATE shop.fulfillments SET carrier = 'x'");
my $second = Session->new($node);
$admin->send($upgrade);
$second->await_waiting($admin);
my $third = Session->new($node);
$third->send($upgrade);
$second->await_waiting($third);
$clerk->run('COMMIT');
is($admin->result->{state}, undef, 'upgrade_store waits for writers');
is($third->result->{state}, undef, 'and another for it');
is($admin->value($lacking), 0, 'the store is whole');

# ---- renamed, it answers by its new name

$admin->run("ALTER SCHEMA shop RENAME TO retail; SELECT oms.upgrade_store('retail')");
is($admin->value("SELECT count(*) FROM pg_proc WHERE pronamespace = 'retail'::regnamespace AND prosrc LIKE '%shop%'"), 0, 'no function of a renamed store spells the old name');
is($admin->value("SELECT count(*) FROM pg_views WHERE schemaname = 'retail' AND definition LIKE '%shop%'"), 0, 'nor does a view');
is($clerk->state("SELECT * FROM retail.availability"), '00000', 'its availability is told');
is($clerk->state("SELECT * FROM retail.hold_stock('later', '[{\"sku\": \"BULB\", \"quantity\": 1}]'); SELECT retail.release_hold('later')"), '00000', 'and held');
is(Session::violations($admin, 'retail'), '', 'verify_store is clean');
$admin->run("ALTER SCHEMA retail RENAME TO shop; SELECT oms.upgrade_store('shop')");

# ---- lost, dumped, restored, made whole

$admin->run('CREATE VIEW shop.names AS SELECT code FROM shop.skus; ALTER TABLE shop.orders ADD COLUMN note text');
my $rows = sub {
	my ($session) = @_;
	return join "\n", map { $_->[0] } @{ $session->run(
			"SELECT to_jsonb(o)::text FROM shop.orders o UNION ALL SELECT to_jsonb(s)::text FROM shop.stock s UNION ALL SELECT to_jsonb(e)::text FROM shop.order_events e"
			  . ' UNION ALL SELECT (to_jsonb(w) - \'compiled\')::text FROM shop.workflows w UNION ALL SELECT to_jsonb(f)::text FROM shop.fulfillments f ORDER BY 1')->{rows} };
};
my $before = $rows->($admin);
$admin->run('DROP EXTENSION oms CASCADE');
my @connection = ('-h', $node->host, '-p', $node->port);
command_ok([ 'pg_dump', @connection, '-U', 'postgres', '-f', "$dir/plain.sql", 'postgres' ], 'a store without the extension is dumped');
command_ok([ 'pg_dump', @connection, '-U', 'postgres', '--no-owner', '-f', "$dir/no_owner.sql", 'postgres' ], 'twice');
my @psql = ('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', @connection);
command_ok([ @psql, '-U', 'postgres', '-d', 'copy', '-f', "$dir/plain.sql" ], 'restored');
command_ok([ @psql, '-U', 'heir', '-d', 'inherited', '-f', "$dir/no_owner.sql" ], 'restored by another owner, no superuser');
for my $case ([ 'postgres', 'postgres' ], [ 'copy', 'postgres' ], [ 'inherited', 'heir' ])
{
	my ($database, $user) = @$case;
	my $session = Session->new($node, $database, $user);
	$session->run('CREATE EXTENSION oms');
	is($session->state($place), 'OM008', "$database: it is refused");
	is($session->state($upgrade), '00000', "$database: upgrade_store");
	is($rows->($session), $before, "$database: no row changed");
	is(Session::violations($session, 'shop'), '', "$database: verify_store is clean");
	is($session->state($place), '00000', "$database: the next order works");
	is($session->value("SELECT count(*) FROM shop.names WHERE code = 'X'"), 1, "$database: and so does the users' view");
	is($session->value("SELECT count(*) FROM pg_class c WHERE relnamespace = 'shop'::regnamespace AND relowner <> '$user'::regrole"), 0, "$database: all is $user\'s");
	is(Session::violations($session, 'shop'), '', "$database: verify_store is clean again");
	is(Shelves::goes_on($session, 'shop', 'web'), '', "$database: what was held, on its way, waited for, told or mended goes on");
	$session->close;
}

# ---- not by an extension's script

SKIP:
{
	my ($share) = run_command([ 'pg_config', '--sharedir' ]);
	my $folder = "$share/extension";
	skip 'the extensions\' folder cannot be written', 3 unless -w $folder;
	append_to_file("$folder/oms_thief.control", "default_version = '1'\nrelocatable = true\n");
	append_to_file("$folder/oms_thief--1.sql", "$upgrade;\n");
	$admin->run('ALTER TABLE shop.orders DISABLE TRIGGER oms_guard');
	is($admin->state('CREATE EXTENSION oms_thief'), '55000', 'an extension\'s script is refused');
	is($admin->value($lacking), 1, 'and nothing is made');
	is($admin->state($upgrade), '00000', 'the same statement is not refused otherwise');
	unlink "$folder/oms_thief.control", "$folder/oms_thief--1.sql";
}

$_->close for $admin, $clerk, $second, $third;
$node->stop;
done_testing();
