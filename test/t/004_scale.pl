# Placing, shipping and moving are a fixed number of statements whatever the
# number of lines, and read nothing but by an index: what they cost does not
# depend on how much history there is.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('scale');
$node->init;
$node->append_conf('postgresql.conf', <<END);
fsync = off
autovacuum = off
shared_preload_libraries = 'pg_stat_statements'
pg_stat_statements.track = all
pg_stat_statements.max = 10000
END
$node->start;

my @skus = map { sprintf 'S%03d', $_ } 1 .. 200;
my $admin = Session->new($node);
$admin->run('CREATE EXTENSION oms; CREATE EXTENSION pg_stat_statements');
Session::make_store($admin, 'shop', @skus);
$admin->run("INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT code, l, 'receipt', 100000 FROM shop.skus, unnest('{A,B}'::text[]) l");
# plans are made while the tables are small, and must serve when they are not
$admin->run('VACUUM ANALYZE');

my $session = Session->new($node);

# calls($what): how many statements ran within, foreign keys aside: those are
# PostgreSQL's own, one a row
sub calls
{
	my ($what) = @_;
	$admin->run('SELECT pg_stat_statements_reset()');
	$what->();
	return $admin->run("SELECT query, calls FROM pg_stat_statements WHERE query NOT LIKE 'SELECT % FROM ONLY %'"
		  . " AND query NOT LIKE '%pg_stat_statements%' AND NOT toplevel ORDER BY query")->{rows};
}

sub total { my ($rows) = @_; my $sum = 0; $sum += $_->[1] for @$rows; return $sum }

my %last;
sub place { my ($lines, @fields) = @_; $last{$lines} = $session->run(Session::place('shop', join(', ', @fields), map { $_ => 2 } @skus[ 0 .. $lines - 1 ]))->{rows}[0][0] }
sub move { my ($lines, $to) = @_; $session->run("UPDATE shop.fulfillments SET status = '$to' WHERE order_id = '$last{$lines}' AND stock_state IN ('reserved', 'issued')") }

my @steps = (
	[ 'place_order' => sub { place($_[0]) } ],
	[ 'a move without actions' => sub { move($_[0], 'picking') } ],
	[ 'oms.split_fulfillment' => sub {
		my ($lines) = @_;
		my $parts = join ', ', map { "{\"line\": $_, \"quantity\": 1}" } 1 .. $lines;
		$session->run("SELECT oms.split_fulfillment('shop', id, '[$parts]') FROM shop.fulfillments WHERE order_id = '$last{$lines}'");
	} ],
	[ 'oms.cancel_lines' => sub {
		my ($lines) = @_;
		my $parts = join ', ', map { "{\"line\": $_, \"quantity\": 1}" } 1 .. $lines;
		$session->run("SELECT oms.cancel_lines('shop', '$last{$lines}', '[$parts]')");
	} ],
	[ 'shipping' => sub { move($_[0], 'shipped') } ],
	[ 'delivering' => sub { move($_[0], 'delivered') } ],
	[ 'place_order, again' => sub { place($_[0]) } ],
	[ 'a reject' => sub { move($_[0], 'rejected') } ],
	[ 'a cancel' => sub { $session->run("UPDATE shop.orders SET status = 'canceled' WHERE id = '$last{$_[0]}'") } ],
	[ 'place_order, on hold' => sub { place($_[0], '"holds": [{"kind": "manual"}]') } ],
	[ 'the release of a hold' => sub { $session->run("UPDATE shop.order_holds SET released_at = now() WHERE order_id = '$last{$_[0]}'") } ],
	[ 'plain SQL' => sub {
		my ($lines) = @_;
		$last{$lines} = $session->value("INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR') RETURNING id");
		$session->run('INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) SELECT'
			  . " '$last{$lines}', row_number() OVER (), code, 1, 5 FROM shop.skus ORDER BY code LIMIT $lines");
		$session->run("UPDATE shop.orders SET status = 'placed' WHERE id = '$last{$lines}'");
	} ],
	[ 'receipts' => sub {
		my ($lines) = @_;
		$session->run('INSERT INTO shop.stock_movements (sku, location, kind, quantity)'
			  . " SELECT code, 'C', 'receipt', 5 FROM shop.skus ORDER BY code LIMIT $lines");
	} ]);

my %seen;
for my $round ('warm up', 'measure')
{
	for my $step (@steps)
	{
		my ($name, $do) = @$step;
		for my $lines (2, 200)
		{
			$seen{$name}{$lines} = calls(sub { $do->($lines) });
		}
	}
}
for my $step (@steps)
{
	my ($name) = @$step;
	my ($few, $many) = map { total($seen{$name}{$_}) } 2, 200;
	is($many, $few, "$name: as many statements for 200 lines as for 2 ($few)");
	next if $few == $many;
	my %few = map { @$_ } @{ $seen{$name}{2} };
	my %many = map { @$_ } @{ $seen{$name}{200} };
	for my $query (sort keys %{ { %few, %many } })
	{
		my ($f, $m) = ($few{$query} // 0, $many{$query} // 0);
		diag "2 lines: $f, 200 lines: $m: $query" if $f != $m;
	}
}
cmp_ok(total($seen{'place_order'}{2}), '>', 5, 'they are counted at all');
is(Session::violations($admin, 'shop'), '', 'everything adds up');

# ---- history

my @tables = ('orders', 'order_lines', 'order_charges', 'order_holds', 'order_events', 'fulfillments',
	'fulfillment_lines', 'stock', 'stock_movements', 'addresses', 'customers');

# scans(): sequential scans of each table so far, foreign keys' own among them:
# whoever plans those on small tables reads all of history for each row
sub scans
{
	$_->run('SELECT pg_stat_force_next_flush()') for @_, $admin;
	return { map { $_->[0] => $_->[1] } @{ $admin->run('SELECT relname, seq_scan FROM pg_stat_user_tables'
				  . " WHERE schemaname = 'shop'")->{rows} } };
}
sub scanned
{
	my ($before, $after) = @_;
	return join ', ', map { $after->{$_} - $before->{$_} . " of $_" } grep { $after->{$_} != $before->{$_} } @tables;
}

sub one_order
{
	my ($session, $n) = @_;
	my $id = $session->run('SELECT order_id FROM oms.place_order(\'shop\', \'' . Session::document(
		qq("external_ref": "H-$n", "customer": {"code": "C$n", "name": "N"}, "ship_to": {"name": "N", "city": "Ulm"}, )
		  . '"charges": [{"kind": "shipping", "amount": 5}]', map { $skus[ ($n * 7 + $_) % 200 ] => 1 } 1 .. 3) . "')")->{rows}[0][0];
	# what a person's own statement scans in a young store is not the engine's doing
	$session->run('SET enable_seqscan = off');
	$session->run("UPDATE shop.fulfillments SET status = '$_' WHERE order_id = '$id'") for 'picking', 'packed', 'shipped', 'delivered';
	$session->run('RESET enable_seqscan');
	if ($n % 10 == 0)
	{
		my $canceled = $session->run(Session::place('shop', '', $skus[0] => 3))->{rows}[0][0];
		$session->run('SET enable_seqscan = off');
		$session->run("SELECT oms.cancel_lines('shop', '$canceled', '[{\"line\": 1, \"quantity\": 1}]')");
		$session->run("UPDATE shop.fulfillments SET status = 'rejected', status_reason = 'no_capacity' WHERE order_id = '$canceled' AND stock_state = 'reserved'");
		$session->run("UPDATE shop.orders SET status = 'canceled' WHERE id = '$canceled'");
		$session->run('RESET enable_seqscan');
	}
}

# pages($session, from, to): pages that so many orders touch
sub pages
{
	my ($session, $from, $to) = @_;
	my $sql = "SELECT sum(shared_blks_hit + shared_blks_read) FROM pg_stat_statements WHERE toplevel AND query NOT LIKE '%pg_stat_%'";
	$admin->run('SELECT pg_stat_statements_reset()');
	one_order($session, $_) for $from .. $to;
	my $pages = $admin->value($sql);
	note join ' ', map { $_ // '' } @$_
	  for @{ $admin->run('SELECT calls, shared_blks_hit + shared_blks_read, query FROM pg_stat_statements WHERE NOT toplevel'
		  . ' ORDER BY 2 DESC LIMIT 5')->{rows} };
	return $pages;
}

my $worker = Session->new($node);
one_order($worker, $_) for 1 .. 10;
my $before = scans($session, $worker);
my $early = pages($worker, 11, 60);
one_order($worker, $_) for 61 .. 500;
my $late = pages($worker, 501, 550);
my $after = scans($worker);
is(scanned($before, $after), '', 'no table is scanned for 540 orders');
cmp_ok($late, '<', $early * 1.5, "an order touches no more pages after 500 others ($early for the first 50, then $late)");

# A session that begins late makes its plans on full tables, one that begins
# early on empty ones: neither scans.
$admin->run('ANALYZE');
my $fresh = Session->new($node);
one_order($fresh, 1000);
$before = scans($fresh, $worker);
one_order($fresh, $_) for 1001 .. 1020;
one_order($worker, $_) for 2001 .. 2020;
$after = scans($fresh, $worker);
is(scanned($before, $after), '', 'nor after tables have been analyzed');

# counters can fail: a scan is seen
$admin->run('SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off');
$admin->run("SELECT FROM shop.orders WHERE number = 'x'");
cmp_ok(scans()->{orders}, '>', $after->{orders}, 'a scan would have been seen');
is(Session::violations($admin, 'shop'), '', 'everything adds up');

# A store that was analyzed when it had eight orders has statistics that say so:
# each order holds an eighth of all lines.  Plans must not believe it.
Session::make_store($admin, 'young', @skus[ 0 .. 19 ]);
$admin->run("INSERT INTO young.stock_movements (sku, location, kind, quantity) SELECT code, 'A', 'receipt', 100000 FROM young.skus");
$admin->run(Session::place('young', '', map { $_ => 1 } @skus[ 0 .. 9 ])) for 1 .. 8;
$admin->run('ANALYZE');
my $late_comer = Session->new($node);
my $young_pages = sub {
	my ($orders) = @_;
	$admin->run('SELECT pg_stat_statements_reset()');
	$late_comer->run(Session::place('young', '', map { $_ => 1 } @skus[ 0 .. 2 ])) for 1 .. $orders;
	return $admin->value("SELECT sum(shared_blks_hit + shared_blks_read) FROM pg_stat_statements WHERE toplevel AND query LIKE '%place_order%'");
};
$young_pages->(20);
my $first = $young_pages->(50);
$young_pages->(400);
my $last = $young_pages->(50);
cmp_ok($last, '<', $first * 1.5, "nor in a store that was analyzed very young ($first pages for 50 orders, then $last)");
$late_comer->close;

$_->close for $session, $worker, $fresh, $admin;
$node->stop;
done_testing();
