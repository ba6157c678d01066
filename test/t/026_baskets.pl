# Sixteen sessions want baskets of twelve hot SKUs from twenty locations, one
# statement each.  Who is served is served whole; who is refused was refused for a
# reason that still holds at the end, since nothing is given back: what is there only
# became less.  Some locations do so many units a day, some do not serve some SKUs.
#
# A basket can be served if and only if for each set of its lines the locations that
# may serve them have as much as the set wants together, each giving no more than
# what is left of its day (as a flow that is as large as the smallest cut).

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use List::Util qw(min sum0);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;

use constant { SESSIONS => 16, ORDERS => 300, PROBES => 50 };

my $seed = $ENV{OMS_SEED} // int(rand(1_000_000));
srand($seed);
note "OMS_SEED=$seed";

my @skus = map { "H$_" } 10 .. 21;
my @locations = map { "L$_" } 10 .. 29;

my $node = PostgreSQL::Test::Cluster->new('baskets');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\ndeadlock_timeout = 200ms\nlog_line_prefix = '%m [%p] %e '\n");
$node->start;
my $admin = Session->new($node);
$admin->run('CREATE EXTENSION oms');
my @sessions = map { Session->new($node) } 1 .. SESSIONS;

# where it is about noon, so that no other day begins meanwhile
my $noon = sprintf 'Etc/GMT%+d', (gmtime)[2] - 12;

# make_store(): some units of each SKU in six locations; eight locations do twelve units a
# day, three do not serve half of the SKUs
sub make_store
{
	$admin->run("SELECT oms.create_store('shop')");
	$admin->run("INSERT INTO shop.channels (code, name) VALUES ('web', 'Web')");
	$admin->run('INSERT INTO shop.locations (code, name, priority, time_zone, daily_capacity) VALUES '
		  . join ', ', map { "('$_', '$_', @{[ int rand 3 ]}, '$noon', @{[ /[0369]$/ ? 12 : 'NULL' ]})" } @locations);
	$admin->run('INSERT INTO shop.skus (code, name) VALUES ' . join ', ', map { "('$_', '$_')" } @skus);
	$admin->run('INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ' . join ', ',
		map { my $sku = $_; map { "('$sku', '$_', 'receipt', @{[ 4 + int rand 10 ]})" } (sort { rand() <=> 0.5 } @locations)[ 0 .. 5 ] } @skus);
	$admin->run('INSERT INTO shop.sourcing_rules (sku, location, effect) VALUES '
		  . join ', ', map { my $location = $_; map { "('$_', '$location', 'deny')" } @skus[ 0 .. 5 ] } @locations[ 0 .. 2 ]);
	return;
}

# basket(): SKU => units, of one to five
sub basket
{
	my @names = (sort { rand() <=> 0.5 } @skus)[ 0 .. int rand 5 ];
	return { map { $_ => 1 + int rand 4 } @names };
}

# rest(): what may still be taken: of SKUs where they may be served from, and of days
sub rest
{
	my %rest;
	my $rows = $admin->run(<<END)->{rows};
SELECT s.location, s.sku, s.available, l.daily_capacity - coalesce((SELECT sum(c.units) FROM shop.location_loads c WHERE c.location = l.code), 0)
FROM shop.stock s JOIN shop.locations l ON l.code = s.location
WHERE NOT EXISTS (SELECT FROM shop.sourcing_rules r WHERE r.sku = s.sku AND r.location = s.location)
END
	for (@$rows)
	{
		my ($location, $sku, $available, $room) = @$_;
		$rest{$location}{units}{$sku} = $available;
		$rest{$location}{room} = $room;
	}
	return \%rest;
}

# lacks(\%rest, \%basket): lines that want more together than there is for them, or ''
sub lacks
{
	my ($rest, $basket) = @_;
	my @names = sort keys %$basket;
	for my $set (1 .. 2**@names - 1)
	{
		my @some = map { $set & 1 << $_ ? $names[$_] : () } 0 .. $#names;
		my $there = 0;
		for my $location (values %$rest)
		{
			my $units = sum0 map { $location->{units}{$_} // 0 } @some;
			$there += defined $location->{room} ? min($units, $location->{room}) : $units;
		}
		return "@some" if sum0(@$basket{@some}) > $there;
	}
	return '';
}

# place(\%basket): the statement; carts are in any order
sub place
{
	my ($basket) = @_;
	return Session::place('shop', '"if_short": "refuse"', map { $_ => $basket->{$_} } sort { rand() <=> 0.5 } keys %$basket);
}

# crowd(): all sessions at once.  Returns what was refused, and how many were served
sub crowd
{
	my (%seen, @refused);
	my $left = ORDERS;
	my $next = sub {
		my ($session) = @_;
		return if $left-- <= 0;
		$session->{basket} = basket();
		$session->send(place($session->{basket}));
	};
	my $done = sub {
		my ($session, $result) = @_;
		my $state = $result->{state} // 'served';
		diag "$state: $result->{message}" if $state !~ /^(served|OM003|OM009)$/;
		$seen{$state}++;
		push @refused, $session->{basket} if $state =~ /^OM/;
		$next->($session);
	};
	$next->($_) for @sessions;
	Session::drive($done, @sessions);
	is_deeply([ grep { !/^(served|OM003|OM009)$/ } keys %seen ],
		[], 'baskets are served, or refused for want of stock: nobody deadlocks or has to retry');
	return (\@refused, $seen{served} // 0);
}

make_store();
my ($refused, $served) = crowd();
note "$served served, " . @$refused . ' refused';
cmp_ok($served, '>', 20, 'many are served');
cmp_ok(scalar @$refused, '>', 20, 'many are refused');
is($admin->value('SELECT count(*) FROM shop.orders'), $served, 'as many orders as were served');
is($admin->value('SELECT count(*) FROM shop.order_lines WHERE allocated <> quantity'), 0, 'all whole');
is($admin->value('SELECT count(*) FROM shop.fulfillments f JOIN shop.fulfillment_lines l ON l.fulfillment_id = f.id JOIN shop.sourcing_rules r USING (location, sku)'),
	0, 'nothing from where it is denied');
cmp_ok($admin->value('SELECT count(*) FROM shop.location_loads c JOIN shop.locations l ON l.code = c.location AND c.units = l.daily_capacity'),
	'>', 0, 'days are full');
is($admin->value('SELECT count(*) FROM shop.location_loads c JOIN shop.locations l ON l.code = c.location WHERE c.units > l.daily_capacity'),
	0, 'none is more than full');
is(Session::violations($admin, 'shop'), '', 'counters equal recounts');

my $rest = rest();
is_deeply([ grep { !lacks($rest, $_) } @$refused ], [], "whoever was refused could not be served (OMS_SEED=$seed)");

# with nobody else there, the verdict is right in both ways each time: a few units come
# in, or a day becomes longer
my (@wrong, %verdicts);
for (1 .. PROBES)
{
	my $basket = basket();
	my $location = $locations[ rand @locations ];
	Session::receive($admin, 'shop', $location, map { $_ => 1 + int rand 3 } keys %$basket);
	$admin->run("UPDATE shop.locations SET daily_capacity = daily_capacity + @{[ int rand 4 ]} WHERE code = '$location'");
	my $lacks = lacks(rest(), $basket);
	my $state = $admin->state(place($basket));
	my $verdict = $state eq '00000' ? 'served' : $state =~ /^OM00[39]$/ ? 'refused' : $state;
	$verdicts{$verdict}++;
	push @wrong, { basket => $basket, lacks => $lacks, state => $state } if $verdict ne ($lacks ? 'refused' : 'served');
}
note explain \%verdicts;
cmp_ok($verdicts{$_} // 0, '>', 5, "many are $_") for qw(served refused);
is_deeply(\@wrong, [], "whoever can be served is, and nobody else (OMS_SEED=$seed)");

is($admin->value('SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()'), 0, 'nobody deadlocked');
unlike(slurp_file($node->logfile), qr/ (40P01|XX000) |PANIC|TRAP/, 'nor does the log tell of it, or of internal errors');
$_->close for @sessions, $admin;
$node->stop;
done_testing();
