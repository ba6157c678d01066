# Statements that hold what the other wants.  Each case lets single statements
# of several sessions meet half-way; none may deadlock, whatever waits, is
# refused or is told to try again (40001).

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('waits');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\ndeadlock_timeout = 100ms\n");
$node->start;

my $admin = Session->new($node);
$admin->run('CREATE EXTENSION oms');
my ($a, $b, $c) = map { Session->new($node) } 1 .. 3;
my $case = 0;
my $store;

# a store of its own for a case, with units of X and Y at A and B
sub fresh
{
	$store = 'w' . ++$case;
	Session::make_store($admin, $store, 'X', 'Y');
	for my $location ('A', 'B')
	{
		Session::receive($admin, $store, $location, X => 10, Y => 10);
	}
}

# settled($what, @sessions): all of them end, and nothing is broken
sub settled
{
	my ($what, @sessions) = @_;
	my @states = map { $_->result->{state} // '00000' } @sessions;
	my @odd = grep { !/^(00000|40001|OM00\d)$/ } @states;
	is("@odd", '', "$what: no deadlock, no internal error (@states)")
	  or diag map { ($_->{result}{message} // '') . "\n" } @sessions;
	$_->run('ROLLBACK') for grep { $_->{transaction} ne 'I' } @sessions;
	is(Session::violations($admin, $store), '', "$what: nothing is broken");
	return @states;
}

# A draft is deleted, which removes its lines, then its holds, while a hold is
# released, which has the hold and wants the order.
fresh();
$admin->run(<<END);
INSERT INTO $store.orders (channel, currency) VALUES ('web', 'EUR');
INSERT INTO $store.order_lines (order_id, line_no, sku, quantity, unit_price) SELECT id, 1, 'X', 1, 10 FROM $store.orders;
INSERT INTO $store.order_holds (order_id, kind) SELECT id, 'manual' FROM $store.orders;
END
$c->run("BEGIN; SELECT FROM $store.order_lines FOR KEY SHARE");
$a->send("DELETE FROM $store.orders");
$admin->await("SELECT cardinality(pg_blocking_pids($a->{pid})) > 0 OR (SELECT state = 'idle' FROM pg_stat_activity WHERE pid = $a->{pid})");
$b->send("UPDATE $store.order_holds SET released_at = now()");
$admin->await("SELECT cardinality(pg_blocking_pids($b->{pid})) > 0 OR (SELECT state = 'idle' FROM pg_stat_activity WHERE pid = $b->{pid})");
$c->run('COMMIT');
settled('a draft is deleted while its hold is released', $a, $b);

# The same with a line that is changed.
fresh();
$admin->run(<<END);
INSERT INTO $store.orders (channel, currency) VALUES ('web', 'EUR');
INSERT INTO $store.order_lines (order_id, line_no, sku, quantity, unit_price) SELECT id, n, 'X', 1, 10 FROM $store.orders, generate_series(1, 2) n;
END
$c->run("BEGIN; SELECT FROM $store.order_lines WHERE line_no = 1 FOR KEY SHARE");
$a->send("DELETE FROM $store.orders");
$admin->await("SELECT cardinality(pg_blocking_pids($a->{pid})) > 0 OR (SELECT state = 'idle' FROM pg_stat_activity WHERE pid = $a->{pid})");
$b->send("UPDATE $store.order_lines SET quantity = 2 WHERE line_no = 2");
$admin->await("SELECT cardinality(pg_blocking_pids($b->{pid})) > 0 OR (SELECT state = 'idle' FROM pg_stat_activity WHERE pid = $b->{pid})");
$c->run('COMMIT');
settled('a draft is deleted while its line is changed', $a, $b);

# All workflows are edited in one statement, which locks the tables of both
# entities, one after the other, while orders are placed (orders, then
# fulfillments) or parcels ship (fulfillments, then orders).
for my $way ('ships', 'is placed')
{
	for my $order ('standard', 'ship')
	{
		fresh();
		$admin->run(Session::place($store, '', X => 1));
		# an update moves a row to the end: the row that is edited first decides
		# which table is locked first
		$admin->run("UPDATE $store.workflows SET description = '' WHERE name <> '$order'");
		# this holds the mover after it has locked its own table: a parcel wants
		# its order then, a new order wants stock
		$c->run($way eq 'ships' ? "BEGIN; SELECT FROM $store.orders FOR NO KEY UPDATE" : "BEGIN; UPDATE $store.stock SET safety_stock = 0");
		$a->send($way eq 'ships' ? "UPDATE $store.fulfillments SET status = 'shipped'" : Session::place($store, '', X => 1));
		$admin->await_waiting($a);
		$b->send("UPDATE $store.workflows SET description = 'edited'");
		$admin->await_waiting_or_done($b);
		$c->run('COMMIT');
		settled("an order $way while all workflows are edited, $order first", $a, $b);
	}
}

# One statement ships one parcel and cancels another: if each action took its
# stock by itself, two such statements would take it crosswise.  A lock on an
# order's line holds each of them between its two actions.
for my $table ('fulfillments', 'orders')
{
	fresh();
	for my $sku ('X', 'Y', 'Y', 'X')
	{
		$admin->run(Session::place($store, '', $sku => 1));
		# the last two are drafts, to be placed
		next unless $table eq 'orders';
		$admin->run("INSERT INTO $store.orders (channel, currency) VALUES ('web', 'EUR')");
		$admin->run("INSERT INTO $store.order_lines (order_id, line_no, sku, quantity, unit_price)"
			  . " SELECT id, 1, '$sku', 1, 10 FROM $store.orders WHERE placed_at IS NULL ORDER BY id DESC LIMIT 1");
	}
	my @numbers = map { $_->[0] } @{ $admin->run("SELECT number FROM $store.$table ORDER BY id")->{rows} };
	# fulfillments: 1 X, 2 Y, 3 Y, 4 X; orders: each placed one is followed by a draft
	my ($first, $second) =
	  $table eq 'fulfillments'
	  ? ([ @numbers[ 0, 1 ] ], [ @numbers[ 2, 3 ] ])
	  : ([ @numbers[ 0, 3 ] ], [ @numbers[ 4, 7 ] ]);
	my $to = $table eq 'fulfillments' ? 'shipped' : 'placed';
	my $move = sub {
		my ($cancel, $other) = @_;
		return "UPDATE $store.$table SET status = CASE number WHEN '$cancel' THEN 'canceled' ELSE '$to' END"
		  . " WHERE number IN ('$cancel', '$other')";
	};
	$c->run("BEGIN; SELECT FROM $store.order_lines FOR NO KEY UPDATE");
	$a->send($move->(@$first));
	$admin->await_waiting_or_done($a);
	$b->send($move->(@$second));
	$admin->await_waiting_or_done($b);
	$c->run('COMMIT');
	settled("two statements each cancel some $table and have others $to, crosswise", $a, $b);
}

# Damage reads the allocations, a division of one of them commits, damage locks
# them: what it read is not what is there.
fresh();
$admin->run(Session::place($store, '', X => 10));
my $id = $admin->value("SELECT id FROM $store.fulfillments");
$b->run("BEGIN; SELECT oms.split_fulfillment('$store', '$id', '[{\"line\": 1, \"quantity\": 4}]')");
$b->run("LOCK TABLE $store.fulfillments IN EXCLUSIVE MODE");    # damage can read but not lock
$a->send("INSERT INTO $store.stock_movements (sku, location, kind, quantity) VALUES ('X', 'A', 'damage', 10)");
$admin->await_waiting($a);
$b->run('COMMIT');
settled('a fulfillment is divided while its units break', $a);

# The same where it is divided and shipped in part.
fresh();
$admin->run(Session::place($store, '', X => 10));
$id = $admin->value("SELECT id FROM $store.fulfillments");
$b->run("BEGIN; SELECT oms.split_fulfillment('$store', '$id', '[{\"line\": 1, \"quantity\": 4}]')");
$b->run("LOCK TABLE $store.fulfillments IN EXCLUSIVE MODE");
$a->send("INSERT INTO $store.stock_movements (sku, location, kind, quantity) VALUES ('X', 'A', 'damage', 7)");
$admin->await_waiting($a);
$b->run('COMMIT');
settled('a fulfillment is divided while some of its units break', $a);

# Two parcels of one order go to two clerks, and the order's hold is released:
# each session holds a row and wants the order.
fresh();
$admin->run(Session::place($store, '"holds": [{"kind": "manual"}]', X => 15));
$c->run("BEGIN; SELECT FROM $store.orders FOR NO KEY UPDATE");
$a->send("UPDATE $store.order_holds SET released_at = now()");
$admin->await_waiting($a);
$b->send("UPDATE $store.fulfillments SET status = 'rejected' WHERE location = 'A'");
$admin->await_waiting($b);
$c->run('COMMIT');
settled('a parcel is rejected while the hold of its order is released', $a, $b);

# Receipts of many SKUs in opposite orders, and an order of them.
fresh();
$c->run("BEGIN; UPDATE $store.stock SET safety_stock = 0");
$a->send("INSERT INTO $store.stock_movements (sku, location, kind, quantity) VALUES ('Y', 'B', 'receipt', 1), ('X', 'A', 'receipt', 1)");
$b->send("INSERT INTO $store.stock_movements (sku, location, kind, quantity) VALUES ('X', 'A', 'count', 5), ('Y', 'B', 'count', 5)");
$admin->await_waiting($a);
$admin->await_waiting($b);
my $d = Session->new($node);
$d->send(Session::place($store, '', Y => 12, X => 12));
$admin->await_waiting($d);
$c->run('COMMIT');
settled('receipts, counts and an order cross', $a, $b, $d);
$d->close;

# A person notes something on all lines of an order, in the order in which they
# lie, while their units are canceled, in order of their ids.
fresh();
$admin->run("BEGIN; INSERT INTO $store.orders (channel, currency) VALUES ('web', 'EUR')");
$admin->run("INSERT INTO $store.order_lines (order_id, line_no, sku, quantity, unit_price) SELECT id, n, 'X', 2, 10 FROM $store.orders, generate_series(1, 3) n ORDER BY n");
$admin->run("UPDATE $store.orders SET status = 'placed'; COMMIT");
# so that they lie in order 2, 3, 1
$admin->run("UPDATE $store.order_lines SET description = '' WHERE line_no = $_") for 2, 3, 1;
$c->run("BEGIN; SELECT FROM $store.order_lines WHERE line_no = 3 FOR SHARE");
$a->run('SET enable_indexscan = off; SET enable_bitmapscan = off');
$a->send("UPDATE $store.order_lines SET description = 'x'");
$admin->await_waiting($a);
$b->send("SELECT oms.cancel_lines('$store', id, '[{\"line\": 1, \"quantity\": 1}, {\"line\": 2, \"quantity\": 1}]') FROM $store.orders");
$admin->await("SELECT cardinality(pg_blocking_pids($b->{pid})) > 0 OR (SELECT state = 'idle' FROM pg_stat_activity WHERE pid = $b->{pid})");
$c->run('COMMIT');
settled('lines are noted on while their units are canceled', $a, $b);

# The same order from two sessions at once: whoever comes second has written
# nothing, no address and no customer either.
fresh();
my $again = Session::place($store, '"external_ref": "1", "customer": {"code": "C", "name": "Ann"}, "ship_to": {"name": "Ann"}', X => 1);
$a->run("BEGIN; $again");
$b->send($again);
$admin->await_waiting($b);
$a->run('COMMIT');
settled('an order is placed twice at once', $b);
is($admin->value("SELECT count(*) FROM $store.orders"), 1, 'it is one order');
is($admin->value("SELECT count(*) FROM $store.addresses"), 1, 'with one address');

# Two deliveries of the same receipts, in opposite orders: the second statement of
# either would wait for the other's first.
fresh();
my %receipt = map { $_ => "INSERT INTO $store.stock_movements (sku, location, kind, quantity, external_ref) VALUES ('X', 'A', 'receipt', 1, '$_')" } 'D-1', 'D-2';
$a->run("BEGIN; $receipt{'D-1'}");
$b->send("BEGIN; $receipt{'D-2'}; $receipt{'D-1'}");
$admin->await_waiting($b);
is($a->state($receipt{'D-2'}), '40001', 'who would cross another session that records the same receipts is told to retry');
$a->run('ROLLBACK');
settled('and lets the other go on', $b);

# A repair waits for who is placing, counts what he has placed, and lets nobody
# write before it has committed.
fresh();
my $repair = "SELECT count(*) FROM oms.repair_store('$store')";
$a->run('BEGIN; ' . Session::place($store, '', X => 2));
$b->send("BEGIN; $repair");
$admin->await_waiting($b);
$a->run('COMMIT');
is($b->result->{rows}[0][0], 0, 'a repair finds what was placed meanwhile counted');
$a->send(Session::place($store, '', X => 3));
$admin->await_waiting($a);
$b->run('COMMIT');
settled('a repair beside placing', $a);
is($admin->value("SELECT sum(units) FROM $store.orders"), 5, 'both orders are there');

is($admin->value('SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()'), 0,
	'nobody deadlocked');

$_->close for $a, $b, $c, $admin;
$node->stop;
done_testing();
