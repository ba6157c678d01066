# Every default workflow, walked from its initial to its final states on each of
# its paths that visits no state twice.  After each step everything is compared
# with a model that is written here anew, from what the reference says each
# action does: the row, its order, line, stock, axes, what is credited, and at
# the end the log and verify_store.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('walks');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\njit = off\n");
$node->start;
my $s = Session->new($node);
$s->run('CREATE EXTENSION oms');
$s->run(<<'SQL');
SELECT oms.create_store('shop');
INSERT INTO shop.channels (code, name) VALUES ('web', 'Web');
INSERT INTO shop.locations (code, name, kind, priority) VALUES ('here', 'Here', 'store', 1), ('there', 'There', 'warehouse', 2),
	('partner', 'Partner', 'supplier', 3), ('other', 'Other partner', 'third_party', 4);
INSERT INTO shop.skus (code, name, kind) VALUES ('mug', 'Mug', 'physical'), ('song', 'Song', 'digital'), ('repair', 'Repair', 'service');
INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT 'mug', code, 'receipt', 5000 FROM shop.locations;
SQL

# ---- the paths: lists of moves, each with what it asks and does

# moves($workflow): {state => [move...]}, and which states are final
sub moves
{
	my ($workflow) = @_;
	my (%from, %final, $initial);
	for (@{ $s->run("SELECT m.* FROM shop.workflows w, oms.moves(w.compiled) m WHERE w.name = '$workflow'")->{rows} })
	{
		my ($source, $target, $guards, $actions, $automatic) = @$_;
		push @{ $from{$source} },
		  { from => $source, to => $target, actions => [ split /,/, $actions =~ tr/{}//dr ], automatic => $automatic eq 't' };
	}
	for (@{ $s->run("SELECT x.* FROM shop.workflows w, oms.states(w.compiled) x WHERE w.name = '$workflow'")->{rows} })
	{
		$initial = $_->[0] if $_->[1] eq 't';
		$final{ $_->[0] } = 1 if $_->[2] eq 't';
	}
	return ($initial, \%final, \%from);
}

# paths($workflow): all paths from its initial state to a final one
sub paths
{
	my ($initial, $final, $from) = moves(@_);
	my @found;
	my $walk;
	$walk = sub {
		my ($state, $seen, @path) = @_;
		push @found, [@path] if $final->{$state};
		for my $move (@{ $from->{$state} // [] })
		{
			$walk->($move->{to}, { %$seen, $move->{to} => 1 }, @path, $move) unless $seen->{ $move->{to} };
		}
	};
	$walk->($initial, { $initial => 1 });
	return @found;
}

sub title
{
	my (@path) = @_;
	return join ' ', $path[0]{from}, map { ($_->{automatic} ? '=>' : '->') . " $_->{to}" } @path;
}

# ---- the model

my $units = 3;
my %on_hand = map { $_ => 5000 } qw(here there partner other);
my %reserved = map { $_ => 0 } keys %on_hand;

# What an action does to the model of a fulfillment of all of an order's units.
# $m: at, stock_state, and the line's counters; for what has no stock at is ''.
my %does = (
	issue => sub {
		my ($m) = @_;
		die 'issued what is not reserved' if $m->{stock_state} ne 'reserved';
		$m->{stock_state} = 'issued';
		$m->{allocated} -= $units;
		$m->{shipped} += $units;
		$m->{has_left} = 1;
		return unless $m->{at};
		$on_hand{ $m->{at} } -= $units;
		$reserved{ $m->{at} } -= $units;
	},
	deliver => sub {
		my ($m) = @_;
		die 'delivered what has not left' if $m->{stock_state} ne 'issued';
		$m->{delivered} += $units;
	},
	release => sub {
		my ($m) = @_;
		die 'released what is not reserved' if $m->{stock_state} ne 'reserved';
		$m->{stock_state} = 'released';
		$m->{allocated} -= $units;
		$m->{canceled} += $units;
		$reserved{ $m->{at} } -= $units if $m->{at};
	},
	reroute => sub {
		my ($m) = @_;
		die 'rerouted what is not reserved' if $m->{stock_state} ne 'reserved';
		$m->{stock_state} = 'released';
		$m->{elsewhere} = 1;
		return unless $m->{at};    # what takes no stock is served by the next location
		$reserved{ $m->{at} } -= $units;
		$reserved{ { here => 'there', partner => 'other' }->{ $m->{at} } } += $units;
	},
	restock => sub {
		my ($m) = @_;
		die 'restocked what has not left' if $m->{stock_state} ne 'issued';
		$m->{stock_state} = 'released';
		$m->{returned} += $units;
		$on_hand{ $m->{at} } += $units if $m->{at};
	});

# what the model expects to be read
sub expected
{
	my ($m, $status) = @_;
	my %e = %$m;
	my $owed = $units - $e{canceled};
	my $order = $e{order} // ($e{canceled} == $units ? 'canceled' : $e{shipped} == $units ? 'completed' : $e{held} ? 'placed' : 'confirmed');
	return join ' ', $status, "stock_state=$e{stock_state}",
	  (map { "$_=$e{$_}" } qw(canceled allocated shipped delivered returned short)),
	  "order=$order", 'held=' . ($e{held} ? 1 : 0), 'axes=' . join('/', 'unpaid',
		$e{shipped} == 0 ? 'unfulfilled' : $e{shipped} < $owed ? 'partial' : $e{delivered} >= $owed ? 'delivered' : 'fulfilled',
		$e{returned} == 0 ? 'none' : $e{returned} < $e{shipped} ? 'partial' : 'returned'),
	  'credited=' . 10 * $e{canceled}, 'closed=' . ($order =~ /completed|canceled/ ? 't' : 'f'),
	  map { "$_=$on_hand{$_}/$reserved{$_}" } sort keys %on_hand;
}

# found($order, $fulfillment): the same, as the store has it; the order's own units
# must be those of its line
sub found
{
	my ($order, $number) = @_;
	return $s->value(<<SQL);
SELECT concat_ws(' ', f.status, 'stock_state=' || f.stock_state, 'canceled=' || l.canceled, 'allocated=' || l.allocated, 'shipped=' || l.shipped,
	'delivered=' || l.delivered, 'returned=' || l.returned, 'short=' || l.short + l.backordered, 'order=' || o.status, 'held=' || o.open_holds,
	'axes=' || concat_ws('/', o.payment_status, o.fulfillment_status, o.return_status), 'credited=' || o.credited::bigint, 'closed=' || left((o.closed_at IS NOT NULL)::text, 1),
	(SELECT string_agg(s.location || '=' || s.on_hand || '/' || s.reserved, ' ' ORDER BY s.location) FROM shop.stock s WHERE s.sku = 'mug'),
	CASE WHEN (o.units_canceled, o.units_allocated, o.units_shipped, o.units_delivered, o.units_returned)
		IS DISTINCT FROM (l.canceled, l.allocated, l.shipped, l.delivered, l.returned) THEN 'the order counts otherwise' END,
	CASE WHEN (f.shipped_at IS NOT NULL) <> (l.shipped > 0) OR (f.delivered_at IS NOT NULL) <> (l.delivered > 0) OR (o.placed_at IS NULL) <> (f.id IS NULL)
		OR f.rerouted AND NOT EXISTS (SELECT FROM shop.fulfillments g WHERE g.order_id = o.id AND g.location <> f.location AND g.stock_state = 'reserved')
		AND f.method NOT IN ('digital', 'service') THEN 'times or places are wrong' END)
FROM shop.orders o JOIN shop.order_lines l ON l.order_id = o.id LEFT JOIN shop.fulfillments f ON f.number = '$number' WHERE o.id = '$order'
SQL
}

# place($method, $sku): an order that is held; its id and its fulfillment's number
sub place
{
	my ($method, $sku) = @_;
	my $row = $s->run(qq{SELECT order_id, number || '-1' FROM oms.place_order('shop', '{"channel": "web", "currency": "EUR",
		"lines": [{"sku": "$sku", "quantity": $units, "unit_price": 10, "method": "$method"}], "holds": [{"kind": "manual"}]}')})->{rows}[0];
	return @$row;
}

# what is left is done away with, so that the next path begins with a clean table
sub clear
{
	my ($order, $m) = @_;
	$s->run("UPDATE shop.fulfillments SET status = 'cancel_requested' WHERE order_id = '$order' AND status = 'requested'");
	$s->run("SELECT shop.cancel_lines('$order')") if $m->{elsewhere};
	return unless $m->{elsewhere} && $m->{at};
	$reserved{ { here => 'there', partner => 'other' }->{ $m->{at} } } -= $units;
}

sub sound
{
	return Session::violations($s, 'shop');
}

# ---- fulfillments

my %count;
for my $row (@{ $s->run('SELECT m.code, m.workflow, m.by_partner FROM shop.methods m ORDER BY m.code')->{rows} })
{
	my ($method, $workflow, $by_partner) = @$row;
	my $sku = { digital => 'song', service => 'repair' }->{$method} // 'mug';
	my $at = $sku ne 'mug' ? '' : $by_partner eq 't' ? 'partner' : 'here';

	for my $path (paths($workflow))
	{
		my @wrong;
		my ($order, $number) = place($method, $sku);
		my %m = (at => $at, stock_state => 'reserved', allocated => $units, held => 1, map { $_ => 0 } qw(canceled shipped delivered returned short));
		my $state = $path->[0]{from};
		$reserved{$at} += $units if $at;
		my $see = sub {
			my ($what) = @_;
			my ($found, $expected) = (found($order, $number), expected(\%m, $state));
			push @wrong, "$what:\n  found    $found\n  expected $expected" if $found ne $expected;
		};
		my $release = sub {
			$s->run("UPDATE shop.order_holds SET released_at = now() WHERE order_id = '$order'");
			$m{held} = 0;
		};

		$see->('placed');
		for my $move (@$path)
		{
			# an automatic move comes of the last hold's release; others a person makes
			my $result = {};
			if ($move->{automatic}) { $release->() }
			else { $result = $s->try("UPDATE shop.fulfillments SET status = '$move->{to}' WHERE number = '$number'") }
			push @wrong, "$move->{from} -> $move->{to}: $result->{state} $result->{message}" if $result->{state};
			$state = $move->{to};
			$does{$_}->(\%m) for @{ $move->{actions} };
			$see->("$move->{from} -> $move->{to}");
		}
		my $log = $s->value("SELECT string_agg(e.to_status, ' ' ORDER BY e.id) FROM shop.order_events e JOIN shop.fulfillments f ON f.id = e.entity_id WHERE f.number = '$number'");
		push @wrong, "logged $log" if $log ne join ' ', $path->[0]{from}, map { $_->{to} } @$path;
		my $on = $s->value("SELECT string_agg(to_state, ' ') FROM shop.next_moves('fulfillment', (SELECT id FROM shop.fulfillments WHERE number = '$number'))");
		push @wrong, "there is still a way on: $on" if defined $on;
		my $broken = sound();
		push @wrong, "verify_store: $broken" if $broken ne '';
		clear($order, \%m);
		is(join("\n", @wrong), '', "$method: " . title(@$path));
		$count{$workflow}++;
	}
}

# ---- orders

for my $path (paths('standard'))
{
	my @wrong;
	my %m = (at => 'here', stock_state => '', held => 1, order => 'draft', map { $_ => 0 } qw(allocated canceled shipped delivered returned short));
	my $order = $s->value(q{INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR') RETURNING id});
	$s->run("INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price, method) VALUES ('$order', 1, 'mug', $units, 10, 'ship')");
	$s->run("INSERT INTO shop.order_holds (order_id, kind) VALUES ('$order', 'manual')");
	my $number = $s->value("SELECT number || '-1' FROM shop.orders WHERE id = '$order'");
	my $see = sub {
		my ($what, $parcel) = @_;
		my ($found, $expected) = (found($order, $number), expected(\%m, $parcel));
		$expected =~ s/^ stock_state= // if $parcel eq '';
		push @wrong, "$what:\n  found    $found\n  expected $expected" if $found ne $expected;
	};
	# what brings each move about, and what becomes of its parcel
	my %bring = (
		'draft -> placed' => sub { $s->run("UPDATE shop.orders SET status = 'placed' WHERE id = '$order'"); $m{allocated} = $units; $reserved{here} += $units; $m{stock_state} = 'reserved'; 'open' },
		'placed => confirmed' => sub { $s->run("UPDATE shop.order_holds SET released_at = now() WHERE order_id = '$order'"); $m{held} = 0; 'released' },
		'confirmed => completed' => sub { $s->run("UPDATE shop.fulfillments SET status = 'shipped' WHERE order_id = '$order'"); $does{issue}->(\%m); 'shipped' },
		'draft -> canceled' => sub { $s->run("UPDATE shop.orders SET status = 'canceled' WHERE id = '$order'"); '' },
		'-> canceled' => sub { $s->run("UPDATE shop.orders SET status = 'canceled' WHERE id = '$order'"); $does{release}->(\%m); 'canceled' },
		'=> canceled' => sub { $s->run("SELECT shop.cancel_lines('$order')"); $does{release}->(\%m); 'canceled' });

	$see->('draft', '');
	for my $move (@$path)
	{
		my $way = ($move->{automatic} ? '=>' : '->') . " $move->{to}";
		my $bring = $bring{"$move->{from} $way"} // $bring{$way} or die "nothing brings about $move->{from} $way";
		my $parcel = $bring->();
		$m{order} = $move->{to};
		$see->("$move->{from} $way", $parcel);
	}
	my $log = $s->value("SELECT string_agg(e.to_status, ' ' ORDER BY e.id) FROM shop.order_events e WHERE e.entity_id = '$order' AND to_status IS NOT NULL");
	push @wrong, "logged $log" if $log ne join ' ', $path->[0]{from}, map { $_->{to} } @$path;
	my $broken = sound();
	push @wrong, "verify_store: $broken" if $broken ne '';
	is(join("\n", @wrong), '', 'standard: ' . title(@$path));
	$count{standard}++;
}

is(join(' ', sort keys %count), $s->value("SELECT string_agg(name, ' ' ORDER BY name COLLATE \"C\") FROM shop.workflows"), 'every default workflow was walked');
note join ', ', map { "$_ $count{$_}" } sort keys %count;
done_testing;
