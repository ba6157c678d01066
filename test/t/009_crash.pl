# A server that dies in the middle of things: a backend is killed while it
# places, ships or cancels, or all of them stop at once under load.  What was
# committed is there afterwards, nothing else is, and the next order works.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Crowd;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('crash');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nrestart_after_crash = on\nmax_prepared_transactions = 10\n");
$node->start;

my $admin = Session->new($node);
$admin->run('CREATE EXTENSION oms');
my ($doomed, $blocker);

# up(): connect again
sub up
{
	$node->poll_query_until('postgres', 'SELECT true') or die 'the server did not come back';
	($admin, $doomed, $blocker) = map { Session->new($node) } 1 .. 3;
}

# next_order($store, $what): it works, under a number that is new
sub next_order
{
	my ($store, $what) = @_;
	my $last = $admin->value("SELECT coalesce(max(substr(number, 3)::bigint), 0) FROM $store.orders");
	my $row = $admin->run(Session::place($store, '', X => 1))->{rows}[0];
	is($row->[2], 'confirmed', "$what: the next order works");
	cmp_ok(substr($row->[1], 2), '>', $last, "$what: and has a number of its own");
	is($admin->state("UPDATE $store.fulfillments SET status = 'shipped' WHERE order_id = '$row->[0]'"), '00000', "$what: and ships");
	is(Session::violations($admin, $store), '', "$what: and verify_store is clean");
}

# ---- a backend is killed

Session::make_store($admin, 'shop', 'X', 'Y');
Session::receive($admin, 'shop', $_, X => 100, Y => 100) for 'A', 'B';
$admin->run(Session::place('shop', '', X => 2, Y => 1)) for 1 .. 3;
up();

my $document = '"external_ref": "lost", "customer": {"code": "C-lost", "name": "Ann"}, "ship_to": {"name": "Ann"},'
  . ' "charges": [{"kind": "shipping", "amount": 5}], "holds": [{"kind": "manual"}]';
my $place = Session::place('shop', $document, X => 3, Y => 2);
my $ship = "UPDATE shop.fulfillments SET status = 'shipped' WHERE number = 'S-1001-1'";
my $cancel = "UPDATE shop.orders SET status = 'canceled' WHERE number = 'S-1001'";
my $count = "INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('Y', 'A', 'count', 1)";
my $hold_stock = "SELECT FROM shop.stock WHERE sku = 'Y' FOR NO KEY UPDATE";

# what it does, and what another session holds so that it must wait, if any
for my $case (
	[ 'orders are placed and not committed', [ 'BEGIN', 'SAVEPOINT s', $place, 'RELEASE s', Session::place('shop', '', Y => 1) ] ],
	[ 'placing waits for stock', [$place], $hold_stock ],
	[ 'placing waits for the same order', [$place], $place ],
	[ 'shipping waits for stock', [ 'BEGIN', $ship ], $hold_stock ],
	[ 'canceling waits for stock', [$cancel], $hold_stock ],
	[ 'allocations that give way wait for stock', [ 'BEGIN', $count ], $hold_stock ])
{
	my ($what, $statements, $held) = @$case;
	my $before = Crowd::fingerprint($admin, 'shop');
	$blocker->run("BEGIN; $held") if $held;
	my @statements = @$statements;
	my $last = pop @statements;
	$doomed->run($_) for @statements;
	$doomed->send($last);
	if ($held)
	{
		$admin->await_waiting($doomed);
	}
	else
	{
		is($doomed->result->{state}, undef, "$what: it has been done");
	}
	kill 'KILL', $doomed->{pid};
	# the postmaster ends every other session before it starts anew
	eval { $admin->value('SELECT pg_sleep(60)') };
	up();
	is_deeply(Crowd::fingerprint($admin, 'shop'), $before, "$what: the killed backend leaves no row, no unit");
	is(Session::violations($admin, 'shop'), '', "$what: verify_store is clean");
	next_order('shop', $what);
}
is($admin->run($place)->{rows}[0][6], 'f', 'the order that was lost each time can be placed');
is($admin->run($place)->{rows}[0][6], 't', 'once');

# ---- all stop at once, under load

my $crowd = Crowd->new($admin, 'busy');
$admin->run("INSERT INTO busy.skus (code, name) VALUES ('P', 'P')");
Session::receive($admin, 'busy', 'A', P => 20);
my $doubtful = 0;
for my $round (1 .. 3)
{
	# transactions that are prepared outlive it
	if ($round == 3)
	{
		$admin->run('BEGIN; ' . Session::place('busy', '"external_ref": "kept"', P => 5) . "; PREPARE TRANSACTION 'kept'");
		$blocker->send(Session::place('busy', '"external_ref": "waits"', P => 5));
		$admin->await_waiting($blocker);
	}
	$crowd->join_in($node);
	my $done = $crowd->{acknowledged};
	# so that they stop in the midst of different things
	$crowd->work(40 + 7 * $round, sub { $node->stop('immediate') });
	cmp_ok($crowd->{acknowledged} - $done, '>=', 40, "round $round: the server stops under load");
	$doubtful += $crowd->in_doubt;
	$node->start;
	up();
	is($crowd->faults($admin), '', "round $round: what was acknowledged is there, the rest is whole or absent");
	is(Session::violations($admin, 'busy'), '', "round $round: verify_store is clean");
	next_order('busy', "round $round");
}
cmp_ok($doubtful, '>', 0, "there was something under way ($doubtful)");
is($admin->value('SELECT count(*) - count(DISTINCT number) FROM busy.orders'), 0, 'numbers are unique');
is($admin->value("SELECT count(*) FROM busy.order_events e WHERE entity = 'order' AND NOT EXISTS (SELECT FROM busy.orders o WHERE o.id = e.order_id)"),
	0, 'the log tells of no order that is not there');

$admin->run("COMMIT PREPARED 'kept'");
is($admin->value("SELECT string_agg(external_ref || ' ' || units_allocated, ', ') FROM busy.orders WHERE external_ref !~ '^[0-9]'"), 'kept 5',
	'an order that was prepared before is committed after');
is(Session::violations($admin, 'busy'), '', 'and verify_store is clean');

my $log = slurp_file($node->logfile);
my $recoveries = () = $log =~ /automatic recovery in progress/g;
is($recoveries, 6 + 3, 'each time the server had to recover');
unlike($log, qr/PANIC|TRAP|XX000|terminated by signal (?!9)/, 'the log tells of no internal error');

$_->close for $admin, $doomed, $blocker;
$node->stop;
done_testing();
