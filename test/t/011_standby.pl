# A streaming standby: all that reads works on it, all that writes says that it
# cannot; promoted while orders are placed, it has every one that was
# acknowledged, and goes on.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Crowd;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Shelves;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', "fsync = off\nmax_connections = 20\nshared_buffers = 16MB\n");
$primary->start;
$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
# long reports shall not hold up the replay, nor be canceled for it
$standby->append_conf('postgresql.conf', "hot_standby_feedback = on\n");
$standby->start;

my $admin = Session->new($primary);
$admin->run('CREATE EXTENSION oms; CREATE ROLE analyst LOGIN');
my $crowd = Crowd->new($admin, 'shop');
Shelves::fill($admin, 'shop', 'web');
# what is planned: a draft, for which an expired hold gives way
$admin->run($_) for split /;\n/, <<'END';
WITH o AS (INSERT INTO shop.orders (channel, currency, external_ref, if_short) VALUES ('web', 'EUR', 'draft', 'hold') RETURNING id)
INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) SELECT id, n, sku, n * 5, 1 FROM o, (VALUES (1, 'X'), (2, 'SET'), (3, 'BULB')) l (n, sku);
SELECT oms.hold_stock('shop', 'late', '[{"sku": "BULB", "quantity": 3}]', '1 s');
END
$admin->run("SELECT oms.grant_store('shop', 'analyst', 'reader'); GRANT USAGE ON SCHEMA shop TO analyst");
# whoever is told of a commit is told of what the standby has, too
$primary->append_conf('postgresql.conf', "synchronous_standby_names = '*'\n");
$admin->close;
$primary->stop;
$primary->start;    # pg_ctl restart would not go through the wrapper of test/asan
$primary->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync' AND backend_xmin IS NOT NULL") or die 'no standby';

$admin = Session->new($primary);
$crowd->join_in($primary);
$crowd->work(80);
is($crowd->faults($admin), '', 'orders on the primary');
$primary->wait_for_catchup($standby);

# ---- reading

my $planned = "(SELECT id, external_ref FROM shop.orders WHERE external_ref IN ('draft', 'waits', 'sets')) o";
my @reading = (
	'SELECT * FROM oms.states((SELECT compiled FROM shop.workflows WHERE name = \'standard\'))',
	'SELECT * FROM oms.moves((SELECT compiled FROM shop.workflows WHERE name = \'ship\'))',
	'SELECT oms.next_states(compiled, \'open\'), oms.allows(compiled, \'open\', \'released\') FROM shop.workflows WHERE name = \'ship\'',
	'SELECT oms.to_mermaid(compiled), oms.to_dot(compiled) FROM shop.workflows ORDER BY name',
	'SELECT oms.to_mermaid(\'initial a; a -> b; final b\')',
	'SELECT name FROM shop.workflows WHERE compiled OPERATOR(oms.<>) definition::oms.workflow',
	'SELECT oms.workflow_is_readable(definition) FROM shop.workflows',
	'SELECT count(*) FROM shop.orders WHERE id >= oms.uuid7_at(now() - interval \'1 day\')',
	'SELECT * FROM oms.layout_repairs(\'shop\')',
	'SELECT shop.to_mermaid(\'ship\')',
	'SELECT rule, violations FROM shop.verify_store()',
	'SELECT * FROM oms.events_after(\'shop\', NULL, 100000)',
	'SELECT * FROM shop.events_after(NULL, 100000)',
	'SELECT * FROM shop.availability(\'{LAMP,BULB,SET}\', \'web\')',
	'SELECT shop.available_to_promise(\'LAMP\', 1)',
	"SELECT m.* FROM $planned, shop.next_moves('order', o.id) m ORDER BY o.external_ref, 1",
	"SELECT o.external_ref, p.* FROM $planned, shop.plan_order(o.id) p ORDER BY 1, 3, 4, 6",
	"SELECT o.external_ref, p.* FROM $planned, shop.explain_plan(o.id) p ORDER BY 1, 2, 3",
	'SELECT * FROM shop.explain_source(\'BULB\', \'dock\', \'ship\', \'web\', \'DE\')',
	"SELECT shop.quote('" . Session::document('', LAMP => 1, BULB => 40, SET => 1, VASE => 1) . "')",
	'SELECT * FROM shop.wave_progress()');
my @refused = @{ refused() };

# nothing that a store offers is left out
my @offered = map { $_->[0] } @{ $admin->run("SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'shop'::regnamespace ORDER BY 1")->{rows} };
my @left_out = grep { my $name = $_; !grep { /\b(?:oms|shop)\.$name\(/ } @reading, @refused } @offered;
is_deeply(\@left_out, [], 'each function of a store is tried');
push @reading, map { "SELECT * FROM shop.$_->[0] v ORDER BY v::text" }
  @{ $admin->run("SELECT relname FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relkind = 'v' ORDER BY 1")->{rows} };

my $reader = Session->new($standby);
is($reader->value('SELECT pg_is_in_recovery()'), 't', 'the standby is one');
is_deeply(Crowd::fingerprint($reader, 'shop'), Crowd::fingerprint($admin, 'shop'), 'it has every row');
for my $level ('READ COMMITTED', 'REPEATABLE READ')
{
	$reader->run("BEGIN ISOLATION LEVEL $level");
	is(Session::violations($reader, 'shop'), '', "$level: verify_store is clean on the standby");
	is($reader->value('SELECT sum(violations) FROM shop.verify_store()'), 0, "$level: and so is the store's own");
	$reader->run('COMMIT');
}
for my $sql (@reading)
{
	my ($here, $there) = map { $_->run($sql)->{rows} } $reader, $admin;
	is_deeply($here, $there, "the standby answers as the primary does: $sql");
}
# of a store that lacks nothing there is nothing to write, and repair asks for READ COMMITTED first
my @writing = grep { !/(?:upgrade|repair)_store/ } @refused;
for my $how ('READ ONLY', 'ISOLATION LEVEL SERIALIZABLE READ ONLY')
{
	$admin->run("BEGIN $how");
	my @failed = grep { $admin->state("SAVEPOINT s; $_; RELEASE SAVEPOINT s") ne '00000' && $admin->run('ROLLBACK TO SAVEPOINT s') } @reading;
	is_deeply(\@failed, [], "on the primary all that answers in a transaction $how");
	my @allowed = grep { my $state = $admin->state("SAVEPOINT s; $_"); $admin->run('ROLLBACK TO SAVEPOINT s'); $state ne '25006' } @writing;
	is_deeply(\@allowed, [], "and all else is refused, $how");
	$admin->run('ROLLBACK');
}
like($reader->value('SELECT oms.uuid7()'), qr/^.{14}7/, 'uuid7');
is($reader->value("SET oms.actor = 'ann'; SELECT oms.actor()"), 'ann', 'oms.actor');

# what the docs offer analysts, word by word
my @examples = slurp_file("$FindBin::RealBin/../../docs/analysts.md") =~ /^```sql\n(.*?)^```/msg;
cmp_ok(scalar @examples, '>=', 7, 'docs/analysts.md has examples');
my $analyst = Session->new($standby, 'postgres', 'analyst');
for my $sql (@examples)
{
	my $result = $analyst->try($sql);
	is($result->{state}, undef, 'an analyst reads on the standby: ' . (split /\n/, $sql)[0]) or diag($result->{message});
}
for my $sql (grep { /plan|quote|source/ } @reading)
{
	is_deeply($analyst->run($sql)->{rows}, $admin->run($sql)->{rows}, "an analyst plans as the owner does: $sql");
}
is(Session::violations($analyst, 'shop'), '', 'an analyst verifies there');

# ---- writing

for my $sql (@refused)
{
	my $result = $reader->try($sql);
	is($result->{state}, '25006', "the standby refuses: $sql");
	like($result->{message} // '', qr/^cannot execute .* (in a read-only transaction|during recovery)$/, 'and says why: ' . ($result->{message} // ''));
}

# ---- promoted under load

# this session has read the store; what it keeps of it changes on the primary
$admin->run(<<'END');
UPDATE shop.settings SET number_prefix = 'T-';
UPDATE shop.workflows SET definition = replace(definition, 'draft -> canceled;', 'draft -> canceled; draft -> void; final void;') WHERE name = 'standard';
END
$primary->wait_for_catchup($standby);
is(Session::violations($reader, 'shop'), '', 'a workflow and the prefix were edited: verify_store on the standby');
is($reader->value("SELECT oms.next_states(compiled, 'draft') FROM shop.workflows WHERE name = 'standard'"), '{placed,canceled,void}', 'has the new workflow');
# and this one is in the middle of reading when it comes
$analyst->run('BEGIN ISOLATION LEVEL REPEATABLE READ');
my $count = $analyst->value('SELECT count(*) FROM shop.orders');

$crowd->work(100, sub { $standby->promote; $primary->stop('immediate') });
note "the standby was promoted under load, and the primary died: " . $crowd->in_doubt . " orders in doubt";
is($analyst->value('SELECT count(*) FROM shop.orders'), $count, 'who was reading reads on');
is(Session::violations($analyst, 'shop'), '', 'and can verify what he sees');
$analyst->run('COMMIT');
cmp_ok($analyst->value('SELECT count(*) FROM shop.orders'), '>', $count, 'then sees the rest');

# no standby has the new one's
$standby->append_conf('postgresql.conf', "synchronous_standby_names = ''\n");
$standby->reload;
$reader->await("SELECT current_setting('synchronous_standby_names') = ''");
is($crowd->faults($reader), '', 'every order that was acknowledged is there, every other one is whole or absent');
is(Session::violations($reader, 'shop'), '', 'verify_store is clean');
is($reader->state("UPDATE shop.orders SET status = 'void' WHERE status = 'draft'"), '00000', 'a session that was open writes now');
my $last = $reader->value("SELECT max(substr(number, 3)::int) FROM shop.orders");
my $next = $reader->run(Session::place('shop', '', X => 1))->{rows}[0];
like($next->[1], qr/^T-/, 'the next order has the new prefix');
cmp_ok(substr($next->[1], 2), '>', $last, 'and a new number');
is($next->[2], 'confirmed', 'and is confirmed');
is($reader->state("INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR'); UPDATE shop.orders SET status = 'void' WHERE status = 'draft'"), '00000',
	'the new workflow is in force in it');
is($reader->state("UPDATE shop.orders SET status = 'completed' WHERE status = 'void'"), 'OM001', 'in all it says');

is($reader->value(q(SELECT oms.release_hold('shop', 'late'))), 3, 'a hold that expired is there');
is(Shelves::goes_on($reader, 'shop', 'web'), '', 'what was held, on its way, waited for, told or mended goes on');
$crowd->join_in($standby);
$crowd->work(60);
is($crowd->faults($reader), '', 'the crowd goes on there');
is($reader->value('SELECT count(*) - count(DISTINCT number) FROM shop.orders'), 0, 'numbers are unique');
is(Session::violations($reader, 'shop'), '', 'verify_store is clean');

for my $node ($primary, $standby)
{
	unlike(slurp_file($node->logfile), qr/PANIC|TRAP|XX000|terminated by signal/, 'the log of the ' . $node->name . ' tells of no internal error');
}
$_->close for $reader, $analyst;
$standby->stop;
done_testing();

# refused(): what writes, each with something to write
sub refused
{
	my $row = "(SELECT id FROM shop.orders WHERE closed_at IS NULL AND status <> 'draft' LIMIT 1)";
	my $parcel = "(SELECT id FROM shop.fulfillments WHERE stock_state = 'reserved' LIMIT 1)";
	my $units = '[{"line": 1, "quantity": 1}]';
	my $document = Session::document('"external_ref": "new"', X => 1);
	my $known = $admin->value('SELECT external_ref FROM shop.orders LIMIT 1');
	return [
		"SELECT * FROM oms.place_order('shop', '$document')",
		"SELECT * FROM shop.place_order('$document')",
		Session::place('shop', '', X => 1),
		Session::place('shop', qq("external_ref": "$known"), X => 1),
		"SELECT oms.cancel_lines('shop', $row)",
		"SELECT oms.split_fulfillment('shop', $parcel, '$units')",
		"SELECT oms.merge_fulfillments('shop', ARRAY(SELECT id FROM shop.fulfillments WHERE stock_state = 'reserved' LIMIT 2))",
		"SELECT oms.short_pick('shop', $parcel, '$units')",
		"SELECT oms.change_delivery('shop', $row, method => 'local_delivery')",
		"SELECT oms.record_carrier_events('shop', '{\"carrier\": \"post\", \"events\": [{\"tracking_number\": \"P1\", \"code\": \"lost\", \"at\": \"2026-01-01\", \"external_ref\": \"p9\"}]}')",
		"SELECT oms.hold_stock('shop', 'later', '[{\"sku\": \"BULB\", \"quantity\": 1}]')",
		"SELECT oms.extend_hold('shop', 'cart')",
		"SELECT oms.release_hold('shop', 'cart')",
		"SELECT oms.receive_inbound('shop', id) FROM shop.inbound WHERE ref = 'PO-1'",
		"SELECT oms.set_stock('shop', '{\"ref\": \"feed 3\", \"location\": \"partner\", \"sequence\": 3, \"basis\": \"on_hand\", \"items\": [{\"sku\": \"BULB\", \"quantity\": 1}]}')",
		"SELECT oms.plan_wave('shop', budget => '0.1 s')",
		"SELECT oms.tick('shop')",
		"SELECT oms.repair_store('shop')",
		"SELECT oms.begin_import('shop')",
		"SELECT oms.replace_workflow('shop', 'ship', (SELECT definition FROM shop.workflows WHERE name = 'ship'))",
		"UPDATE shop.inbound SET status = 'received' WHERE ref = 'PO-1'",
		"INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR')",
		"UPDATE shop.orders SET status = 'canceled' WHERE id = $row",
		"UPDATE shop.fulfillments SET status = 'shipped' WHERE stock_state = 'reserved'",
		"INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('X', 'A', 'receipt', 1)",
		"UPDATE shop.workflows SET description = 'x'",
		"SELECT oms.grant_store('shop', 'analyst', 'clerk')",
		"SELECT oms.create_store('another')",
		"SELECT oms.upgrade_store('shop')"
	];
}
