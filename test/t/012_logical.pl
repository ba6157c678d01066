# Logical replication carries a store to another database, as docs/dba.md says:
# its statements are run from there.  Rows that arrive are not counted again;
# the store goes on over there, moved in peace or rescued after a crash.

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

my ($section) = slurp_file("$FindBin::RealBin/../../docs/dba.md") =~ /^## Replication\n(.*?)^## /ms;
my @statements = $section =~ /^```sql\n(.*?)^```/msg;
is(scalar @statements, 7, 'docs/dba.md says how');
my ($publish, $subscribe, $copied, $arrived, $sequences, $drop, $abandon) = @statements;
my ($dump) = $section =~ /^    (pg_dump .*) \|/m;

my $old = PostgreSQL::Test::Cluster->new('old');
$old->init(allows_streaming => 'logical');
$old->append_conf('postgresql.conf', "fsync = off\nmax_connections = 20\nshared_buffers = 16MB\n");
$old->start;
my $new = PostgreSQL::Test::Cluster->new('new');
$new->init;
$new->append_conf('postgresql.conf', "fsync = off\nmax_connections = 20\nmax_worker_processes = 16\n"
	  . "max_logical_replication_workers = 12\nmax_sync_workers_per_subscription = 4\n");
$new->start;

my $there = Session->new($old);
$there->run('CREATE EXTENSION oms; CREATE ROLE keeper; GRANT CREATE ON DATABASE postgres TO keeper; SET ROLE keeper');
my $crowd = Crowd->new($there, 'shop');
Shelves::fill($there, 'shop', 'web');
$there->run('ALTER TABLE shop.orders ADD COLUMN gift_note text; RESET ROLE');
$crowd->join_in($old);
$crowd->work(30);
$there->run($publish);

# The store is subscribed to by two databases of the new server, so that it can
# move twice.
my $roles = Session->new($new);
$roles->run('CREATE ROLE keeper');
my %here;
my $dir = PostgreSQL::Test::Utils::tempdir();
$dump =~ s/ mydb$// or die $dump;
command_ok([ split(/ /, $dump), '-h', $old->host, '-p', $old->port, '-f', "$dir/shop.sql", 'postgres' ], $dump);
for my $name ('moved', 'rescued')
{
	$roles->run("CREATE DATABASE $name");
	$here{$name} = Session->new($new, $name);
	$here{$name}->run('CREATE EXTENSION oms');
	command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', $new->host, '-p', $new->port, '-d', $name, '-f', "$dir/shop.sql" ],
		"$name: the store without rows");
	is($here{$name}->value("SELECT string_agg(DISTINCT tgname, ', ') FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid"
			. " WHERE relnamespace = 'shop'::regnamespace AND NOT tgisinternal AND tgenabled <> 'O'"), 'oms_invalidate',
		"$name: only oms_invalidate fires when rows arrive");
	# each database's subscription has a slot, so a name, of its own
	my $sql = $subscribe =~ s/SUBSCRIPTION shop/SUBSCRIPTION $name/r;
	$sql =~ s/'host=.*?'/"'" . $old->connstr('postgres') =~ s{'}{''}gr . "'"/e;
	$here{$name}->run($sql);
}

# arrive($name): all that was written on the old server
sub arrive
{
	my ($name) = @_;
	$here{$name}->await($copied =~ s/;\s*$//r);
	$there->await($arrived =~ s/'shop'/'$name'/r);
}

# alike($name, $what): both have the same rows, and all is right
sub alike
{
	my ($name, $what) = @_;
	arrive($name);
	is_deeply(Crowd::fingerprint($here{$name}, 'shop'), Crowd::fingerprint($there, 'shop'), "$name, $what: every row is as on the old server");
	is(Session::violations($here{$name}, 'shop'), '', "$name, $what: verify_store is clean");
}

# orders are placed, shipped and canceled while tables are copied, and after
$crowd->work(40);
alike($_, 'copied') for 'moved', 'rescued';
$crowd->work(40);
is(Session::violations($here{moved}, 'shop'), '', 'moved, on the way: verify_store is clean whenever it looks');
my $document = '"external_ref": "gift", "customer": {"code": "C", "name": "Ann"}, "ship_to": {"name": "Ann"}, "if_short": "hold",'
  . ' "charges": [{"kind": "shipping", "amount": 5}], "holds": [{"kind": "fraud"}]';
$there->run("INSERT INTO shop.skus (code, name) VALUES ('RARE', 'Rare')");
Session::receive($there, 'shop', 'A', RARE => 30);
$there->run(Session::place('shop', $document, RARE => 50, Y => 1));
$there->run("UPDATE shop.orders SET gift_note = 'from Bob' WHERE external_ref = 'gift'");
$there->run("SELECT oms.cancel_lines('shop', id, '[{\"line\": 1, \"quantity\": 7}]') FROM shop.orders WHERE external_ref = 'gift'");
Session::receive($there, 'shop', 'A', RARE => 5, Y => 20);
$there->run("UPDATE shop.fulfillments SET status = 'rejected', status_reason = 'damaged' WHERE order_id = (SELECT id FROM shop.orders WHERE external_ref = 'gift')");
$there->run("INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR'); DELETE FROM shop.orders WHERE status = 'draft'");
$there->run("UPDATE shop.addresses SET name = NULL; UPDATE shop.skus SET name = 'Xylophone' WHERE code = 'X'");
alike($_, 'applied') for 'moved', 'rescued';
is($crowd->faults($here{moved}), '', 'the account is right on the new server');

# A session there has the workflows in use, in a transaction that it takes back,
# with ids that are not taken.
$here{moved}->run("SELECT setval('shop.order_events_id_seq', 1000000)");
my $void = "BEGIN; INSERT INTO shop.orders (channel, currency, number) VALUES ('web', 'EUR', 'void'); UPDATE shop.orders SET status = 'void' WHERE number = 'void'";
is($here{moved}->state("SELECT oms.events_after('shop')"), '55000', 'events are followed where they are written');
is($here{moved}->state($void), 'OM001', 'a session on the new server knows the workflow');
$here{moved}->run('ROLLBACK');
$there->run("UPDATE shop.workflows SET definition = replace(definition, 'draft -> canceled;', 'draft -> canceled; draft -> void; final void;') WHERE name = 'standard'");
$there->run("UPDATE shop.settings SET number_prefix = 'T-'");
arrive('moved');
is($here{moved}->state($void), '00000', 'and follows its edit on the old one');
$here{moved}->run('ROLLBACK');

# next_order($name, $number): it works, and what follows
sub next_order
{
	my ($name, $number) = @_;
	my $session = $here{$name};
	is($session->value("SELECT count(*) FROM oms.layout_repairs('shop')"), 0, "$name: the store lacks nothing");
	is($session->state("SELECT oms.upgrade_store('shop')"), '00000', "$name: upgrade_store");
	is(Session::violations($session, 'shop'), '', "$name: verify_store is clean");
	my $row = $session->run(Session::place('shop', '"external_ref": "next"', X => 1, Y => 1))->{rows}[0];
	is("$row->[1] $row->[2]", "$number confirmed", "$name: the next order works");
	is($session->value("SELECT repeated FROM oms.place_order('shop', '" . Session::document('"external_ref": "next"', X => 1, Y => 1) . "')"), 't',
		"$name: once");
	is($session->value("SELECT repeated FROM oms.place_order('shop', '" . Session::document($document, RARE => 50, Y => 1) . "')"), 't',
		"$name: one that was placed on the old server is known");
	is($session->state("UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = '$row->[0]'"), '00000', "$name: it ships");
	is($session->state("UPDATE shop.orders SET status = 'canceled' WHERE id = (SELECT id FROM shop.orders WHERE units = units_allocated LIMIT 1)"), '00000',
		"$name: another that came is canceled");
	is($session->state("INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('X', 'B', 'receipt', 10)"), '00000', "$name: units come in");
	is(Session::violations($session, 'shop'), '', "$name: verify_store is clean again");
	is(Shelves::goes_on($session, 'shop', 'web'), '', "$name: what was held, on its way, waited for, told or mended goes on");
}

# ---- moved in peace

my $count = $there->value('SELECT last_value FROM shop.order_number');
arrive('moved');
$here{moved}->run($_->[0]) for @{ $there->run($sequences)->{rows} };
$here{moved}->run($drop =~ s/shop/moved/r);
is_deeply($here{moved}->run("SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'shop' ORDER BY 1")->{rows},
	$there->run("SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'shop' ORDER BY 1")->{rows}, 'every sequence is where it was');
is($here{moved}->value("SELECT count(*) FROM oms.events_after('shop', NULL, 100000)"), $here{moved}->value('SELECT count(*) FROM shop.order_events'),
	'its events can be followed here from now on');
next_order('moved', 'T-' . ($count + 1));
is($here{moved}->value("SELECT count(DISTINCT id) FROM oms.events_after('shop', NULL, 100000)"), $here{moved}->value('SELECT count(*) FROM shop.order_events'),
	'those written here as well');

# ---- rescued

$crowd->work(40, sub { $old->stop('immediate') });
my $session = $here{rescued};
for my $sql ($abandon =~ /(.*?;)\n/gs)
{
	$session->run($sql =~ s/SUBSCRIPTION shop/SUBSCRIPTION rescued/r);
}
cmp_ok($session->value("SELECT count(*) FROM shop.orders WHERE number LIKE 'T-%'"), '>', 0, 'orders came until the old server died');
is($session->value("SELECT count(*) FROM shop.orders WHERE units = 0 OR units <> (SELECT coalesce(sum(quantity), 0) FROM shop.order_lines l WHERE l.order_id = orders.id AND NOT l.expanded)"),
	0, 'whole ones');
$count = $session->value("SELECT 1000 + max(substr(number, 3)::int) FROM shop.orders WHERE number LIKE 'T-%'");
next_order('rescued', 'T-' . ($count + 1));
is($session->value('SELECT count(*) - count(DISTINCT number) FROM shop.orders'), 0, 'numbers are unique');

for my $node ($old, $new)
{
	unlike(slurp_file($node->logfile), qr/PANIC|TRAP|XX000|terminated by signal/, 'the log of the ' . $node->name . ' server tells of no internal error');
}
unlike(slurp_file($new->logfile), qr/ERROR:.*(duplicate key|violates|OM0)/, 'nor of rows that could not be applied');

$_->close for values %here, $roles;
$new->stop;
done_testing();
