# 200 units, 64 sessions, 400 attempts to buy one: exactly 200 are sold and 200
# refused, at every isolation level, by one call and by plain statements, and
# inside a subtransaction; nobody deadlocks, whatever else is done to the stock.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;

use constant { UNITS => 200, SESSIONS => 64, ATTEMPTS => 400 };

my $node = PostgreSQL::Test::Cluster->new('race');
$node->init;
$node->append_conf('postgresql.conf', "max_connections = 80\nfsync = off\nlog_line_prefix = '%m [%p] %e '\n");
$node->start;

my $admin = Session->new($node);
$admin->run('CREATE EXTENSION oms');
my @sessions = map { Session->new($node) } 1 .. SESSIONS;

# How an attempt is made: the statements of one transaction, to be stopped at
# the first error.
my %way = (
	'one call' => sub { return (Session::place($_[0], '', X => 1)) },
	'plain statements' => sub {
		my ($store, $n) = @_;
		my $id = sprintf '00000000-0000-7000-8000-%012d', $n;
		return (
			"INSERT INTO $store.orders (id, channel, currency) VALUES ('$id', 'web', 'EUR')",
			"INSERT INTO $store.order_lines (order_id, line_no, sku, quantity, unit_price) VALUES ('$id', 1, 'X', 1, 10)",
			"UPDATE $store.orders SET status = 'placed' WHERE id = '$id'");
	},
	'a subtransaction' => sub {
		my ($store) = @_;
		my $document = Session::document('', X => 1);
		return (<<END);
DO \$do\$
BEGIN
	PERFORM oms.place_order('$store', '$document');
EXCEPTION WHEN SQLSTATE 'OM003' THEN
	PERFORM set_config('race.refused', 'yes', true);
END \$do\$;
SELECT 1 / (coalesce(current_setting('race.refused', true), '') <> 'yes')::int;
END
	});

my $number = 0;

sub race
{
	my ($level, $way, $store) = @_;
	my %seen;
	my $left = ATTEMPTS;
	my %plan;    # session => the statements still to come
	my %again;    # session => how this attempt begins

	my $begin = sub {
		my ($session) = @_;
		$plan{$session} = [ "BEGIN ISOLATION LEVEL $level", @{ $again{$session} }, 'COMMIT' ];
		$session->send(shift @{ $plan{$session} });
	};
	my $next = sub {
		my ($session) = @_;
		return if $left-- <= 0;
		$again{$session} = [ $way{$way}->($store, ++$number) ];
		$begin->($session);
	};
	my $done = sub {
		my ($session, $result) = @_;
		my $state = $result->{state};
		if (defined $state)
		{
			$seen{$state}++;
			$plan{$session} = ['ROLLBACK'];
			$session->{failed} = $state;
		}
		if (@{ $plan{$session} })
		{
			$session->send(shift @{ $plan{$session} });
			return;
		}
		my $failed = delete $session->{failed};
		$seen{sold}++ unless defined $failed;
		if (defined $failed && $failed eq '40001')
		{
			$begin->($session);
		}
		else
		{
			$next->($session);
		}
	};

	my $before = $admin->value("SELECT coalesce(sum(reserved), 0) FROM $store.stock");
	Session::receive($admin, $store, 'A', X => UNITS);
	$next->($_) for @sessions;
	Session::drive($done, @sessions);

	my $retries = delete $seen{40001} // 0;
	my $refused = delete($seen{OM003}) // 0;
	$refused += delete($seen{22012}) // 0 if $way eq 'a subtransaction';
	is(delete($seen{sold}), UNITS, "$level, $way: as many sold as there are ($retries retries)");
	is($refused, ATTEMPTS - UNITS, "$level, $way: and the others refused");
	is_deeply(\%seen, {}, "$level, $way: no other error");
	is($retries, 0, "$level, $way: nothing to retry") if $level eq 'READ COMMITTED';
	my $all = $before + UNITS;
	is_deeply($admin->run("SELECT on_hand, reserved, available FROM $store.stock")->{rows},
		[ [ $all, $all, 0 ] ], "$level, $way: the stock is all reserved");
	is($admin->value("SELECT count(*) FROM $store.orders WHERE placed_at IS NOT NULL"), $all,
		"$level, $way: as many orders");
	is($admin->value("SELECT sum(quantity) FROM $store.fulfillment_lines"), $all,
		"$level, $way: as many units in fulfillments");
	is(Session::violations($admin, $store), '', "$level, $way: counters equal recounts");
}

# one store for all, since every session plans its queries for each
Session::make_store($admin, 'shop', 'X');
race('READ COMMITTED', 'one call', 'shop');
race('READ COMMITTED', 'plain statements', 'shop');
race('READ COMMITTED', 'a subtransaction', 'shop');
race('REPEATABLE READ', 'one call', 'shop');
race('SERIALIZABLE', 'one call', 'shop');

# The same stock in three locations, by baskets that name it in any order.
sub crossing
{
	my ($level, @sessions) = @_;
	my $store = 'x_' . lc($level =~ s/ /_/r);
	my %seen;
	my $number = 0;
	my $next = sub {
		my ($session) = @_;
		return if $number >= ATTEMPTS;
		my @skus = $number++ % 2 ? ('X', 'Y', 'Z') : ('Z', 'Y', 'X');
		$session->{again} = Session::place($store, '', map { $_ => 2 } @skus);
		$session->send("BEGIN ISOLATION LEVEL $level; $session->{again}; COMMIT");
	};
	my $done = sub {
		my ($session, $result) = @_;
		my $state = $result->{state} // 'sold';
		if ($session->{transaction} eq 'E')
		{
			$session->{failed} = $state;
			$session->send('ROLLBACK');
			return;
		}
		$state = delete $session->{failed} // $state;
		$seen{$state}++;
		if ($state eq '40001')
		{
			$session->send("BEGIN ISOLATION LEVEL $level; $session->{again}; COMMIT");
		}
		else
		{
			$next->($session);
		}
	};

	Session::make_store($admin, $store, 'X', 'Y', 'Z');
	for my $location ('A', 'B', 'C')
	{
		Session::receive($admin, $store, $location, X => 67, Y => 67, Z => 67);
	}
	$next->($_) for @sessions;
	Session::drive($done, @sessions);
	my $retries = delete $seen{40001} // 0;
	is_deeply(\%seen, { sold => 100, OM003 => 300 },
		"$level, three SKUs in three places: every whole basket is sold ($retries retries)")
	  or diag explain \%seen;
	is(Session::violations($admin, $store), '', "$level, three SKUs in three places: counters equal recounts");
}

crossing('READ COMMITTED', @sessions);
crossing('REPEATABLE READ', @sessions[ 0 .. 15 ]);

# Ten hot SKUs: baskets, counts, receipts, damage and transfers that name them in any
# order, while whatever arrives goes to who waits, and parcels are shipped, rejected and
# canceled many at once, in their order.  Each is one statement.
sub hot
{
	my (@sessions) = @_;
	my @skus = map { "H$_" } 0 .. 9;
	my @locations = ('A' .. 'D');
	my $pick = sub { return $_[ int rand @_ ] };
	my $some = sub { return (sort { rand() <=> 0.5 } @skus)[ 0 .. 2 + int rand 4 ] };
	my $moved = sub {
		my ($kind, $most) = @_;
		return 'INSERT INTO hot.stock_movements (sku, location, kind, quantity) VALUES '
		  . join ', ', map { "('$_', '@{[ $pick->(@locations) ]}', '$kind', @{[ 1 + int rand $most ]})" } $some->();
	};
	my $number = 0;
	my %way = (
		place => sub { return Session::place('hot', '"if_short": "hold", "external_ref": "' . ++$number . '"', map { $_ => 1 + int rand 2 } $some->()) },
		receive => sub { return $moved->('receipt', 6) },
		count => sub { return $moved->('count', 12) },
		break => sub { return $moved->('damage', 2) },
		send => sub {
			my ($from, $to) = (sort { rand() <=> 0.5 } @locations)[ 0, 1 ];
			$number++;
			return 'INSERT INTO hot.inbound (ref, sku, location, from_location, quantity, status) VALUES '
			  . join ', ', map { "('$number', '$_', '$to', '$from', 1, '@{[ $pick->('in_transit', 'received') ]}')" } $some->();
		},
		arrive => sub { return "UPDATE hot.inbound SET status = 'received' WHERE id = (SELECT id FROM hot.inbound WHERE closed_at IS NULL ORDER BY random() LIMIT 1)" },
		leave => sub {
			return "WITH mine AS (SELECT id FROM hot.fulfillments WHERE status = 'released' AND random() < 0.3 ORDER BY id LIMIT 5 FOR NO KEY UPDATE)"
			  . " UPDATE hot.fulfillments f SET status = '@{[ $pick->('shipped', 'rejected', 'canceled') ]}' FROM mine WHERE f.id = mine.id";
		});
	my @ways = (('place') x 6, ('receive') x 4, ('count') x 3, ('send') x 2, 'break', 'arrive', ('leave') x 3);
	my (%seen, $sent);
	my $next = sub { $_[0]->send($way{ $_[0]->{way} = $pick->(@ways) }->()) if $sent++ < ATTEMPTS };
	my $done = sub {
		my ($session, $result) = @_;
		$seen{ $session->{way} }{ $result->{state} // 'done' }++;
		$next->($session);
	};

	Session::make_store($admin, 'hot', @skus);
	$admin->run('INSERT INTO hot.stock_movements (sku, location, kind, quantity) VALUES '
		  . join ', ', map { my $sku = $_; map { "('$sku', '$_', 'receipt', 5)" } @locations } @skus);
	$admin->run("INSERT INTO hot.backorder_policies (sku, policy, limit_units) SELECT code, 'backorder', 30 FROM hot.skus WHERE code < 'H5'");
	$next->($_) for @sessions;
	Session::drive($done, @sessions);
	is_deeply([ grep { !$seen{$_}{done} } keys %way ], [], 'ten hot SKUs: something of each kind is done');
	is_deeply([ grep { !/^(done|40001|OM003)$/ } map { keys %$_ } values %seen ], [], 'ten hot SKUs: nobody deadlocks, no other error')
	  or diag explain \%seen;
	note explain \%seen;
	is(Session::violations($admin, 'hot'), '', 'ten hot SKUs: counters equal recounts');
}

hot(@sessions[ 0 .. 11 ]);

is($admin->value('SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()'), 0,
	'nobody deadlocked');
my $log = slurp_file($node->logfile);
unlike($log, qr/ (40P01|XX000) |PANIC|TRAP/, 'nor does the log tell of it, or of internal errors');

$_->close for @sessions, $admin;
$node->stop;
done_testing();
