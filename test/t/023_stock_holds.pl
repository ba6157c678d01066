# 24 sessions hold, let expire, release, order from holds and buy what others
# held, over 300 units at 2 locations, with ticks and counts among them: nothing
# is sold twice, nobody deadlocks, and expired holds keep nobody from buying.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;

use constant { SESSIONS => 24, DEEDS => 1200, SEED => 7 };

my $node = PostgreSQL::Test::Cluster->new('stock_holds');
$node->init;
$node->append_conf('postgresql.conf', "max_connections = 40\nfsync = off\nlog_line_prefix = '%m [%p] %e '\n");
$node->start;

my $admin = Session->new($node);
$admin->run('CREATE EXTENSION oms');
Session::make_store($admin, 'shop', 'X', 'Y', 'Z');
for my $location ('A', 'B')
{
	Session::receive($admin, 'shop', $location, X => 50, Y => 50, Z => 50);
}
my @sessions = map { Session->new($node) } 1 .. SESSIONS;

srand SEED;
my @skus = ('X', 'Y', 'Z');
my $number = 0;
my %seen;
my $sold = 0;

sub pick { return $_[ int rand @_ ] }

# items: one to three SKUs in any order
sub items
{
	my @some = sort { rand() <=> 0.5 } @skus;
	return map { $_ => 1 + int rand 3 } @some[ 0 .. int rand 3 ];
}

sub hold
{
	my ($ref, $ttl, @items) = @_;
	my @elements;
	while (my ($sku, $quantity) = splice @items, 0, 2)
	{
		push @elements, qq({"sku": "$sku", "quantity": $quantity});
	}
	return "SELECT * FROM oms.hold_stock('shop', '$ref', '[" . join(', ', @elements) . "]', '$ttl')";
}

# deed: the statement of one attempt, and how many units it sells
sub deed
{
	my $kind = rand;
	my $ref = 'cart ' . int rand 30;
	my $ttl = pick('1 ms', '5 ms', '20 ms', '1 hour');
	my @items = items();
	my %items = @items;
	my $units = 0;
	$units += $_ for values %items;
	return (hold($ref, $ttl, @items), 0) if $kind < 0.5;
	return (Session::place('shop', qq("stock_hold": "$ref"), @items), $units) if $kind < 0.6;
	return (Session::place('shop', '', @items), $units) if $kind < 0.65;
	return ("SELECT oms.release_hold('shop', '$ref')", 0) if $kind < 0.8;
	return ("SELECT * FROM oms.extend_hold('shop', '$ref', '$ttl')", 0) if $kind < 0.9;
	return ("SELECT oms.tick('shop', 5)", 0) if $kind < 0.95;
	# what is there is counted: nothing changes, whatever is reserved
	return ("INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES ('" . pick(@skus) . "', '" . pick('A', 'B') . "', 'count', 50)", 0);
}

my $begin = sub {
	my ($session) = @_;
	$session->send(join '; ', "BEGIN ISOLATION LEVEL $session->{level}", $session->{deed}, 'COMMIT');
};
my $next = sub {
	my ($session) = @_;
	return if $number++ >= DEEDS;
	($session->{deed}, $session->{units}) = deed();
	$session->{level} = $number % 4 ? 'READ COMMITTED' : 'REPEATABLE READ';
	$begin->($session);
};
my $done = sub {
	my ($session, $result) = @_;
	if ($session->{transaction} eq 'E')
	{
		$session->{failed} = $result->{state};
		$seen{ $result->{state} }++;
		diag "$session->{level}: $session->{deed}: $result->{message}" if $result->{state} !~ /^(40001|OM00[37])$/;
		$session->send('ROLLBACK');
		return;
	}
	my $failed = delete $session->{failed};
	return $begin->($session) if ($failed // '') eq '40001';
	$sold += $session->{units} unless $failed;
	$next->($session);
};

$next->($_) for @sessions;
Session::drive($done, @sessions);
my $retries = delete $seen{40001} // 0;
my $refused = delete $seen{OM003} // 0;
my $reused = delete $seen{OM007} // 0;
is_deeply(\%seen, {}, "holding and buying: no error but for want of stock ($refused), other items ($reused), retries ($retries)");
cmp_ok($refused, '>', 0, 'stock was scarce');
is($admin->value('SELECT sum(quantity) FROM shop.fulfillment_lines'), $sold, "as many units in fulfillments as were sold ($sold)");
is(Session::violations($admin, 'shop'), '', 'counters equal recounts');

# All holds run out, and all sessions buy what is left, one by one.
my $left = $admin->value('SELECT sum(on_hand) FROM shop.stock') - $sold;
Session::receive($admin, 'shop', 'B', X => 40, Y => 40, Z => 40);
$left += 120;
$admin->run("SELECT oms.release_hold('shop', ref) FROM shop.stock_holds WHERE expires_at > now() GROUP BY ref");
$admin->run("SELECT " . join(', ', map { "oms.hold_stock('shop', 'last $_', '[{\"sku\": \"$skus[$_ % 3]\", \"quantity\": 3}]', '1 ms')" } 1 .. 36));
select undef, undef, undef, 0.02;
my $held = $admin->value('SELECT sum(quantity) FROM shop.stock_holds');
cmp_ok($held, '>=', 108, "units of holds that expired are among what is left ($held of $left)");
$number = 0;
%seen = ();
my $buy = sub {
	my ($session) = @_;
	return if $session->{out};
	$session->{deed} = Session::place('shop', '', $session->{sku} => 1);
	$begin->($session);
};
$done = sub {
	my ($session, $result) = @_;
	if ($session->{transaction} eq 'E')
	{
		$session->{failed} = $result->{state};
		$session->send('ROLLBACK');
		return;
	}
	my $failed = delete $session->{failed} // 'sold';
	$seen{$failed}++;
	$session->{out} = 1 if $failed eq 'OM003';
	$buy->($session);
};
for my $i (0 .. $#sessions)
{
	$sessions[$i]{sku} = $skus[ $i % 3 ];
	$sessions[$i]{level} = 'READ COMMITTED';
	$buy->($sessions[$i]);
}
Session::drive($done, @sessions);
$retries = delete $seen{40001} // 0;
is_deeply(\%seen, { sold => $left, OM003 => SESSIONS }, "expired holds are all sold, and once ($retries retries)");
is($admin->value('SELECT count(*) FROM shop.stock_holds'), 0, 'none is left');
is(Session::violations($admin, 'shop'), '', 'counters equal recounts again');
is($admin->value('SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()'), 0, 'nobody deadlocked');
my $log = slurp_file($node->logfile);
unlike($log, qr/ (40P01|XX000) |PANIC|TRAP/, 'nor does the log tell of it, or of internal errors');

$_->close for @sessions, $admin;
$node->stop;
done_testing();
