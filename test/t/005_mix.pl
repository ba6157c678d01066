# Eight sessions do everything at random for a while: on few SKUs, so that they
# meet, at any isolation level, and some of it rolled back.  Afterwards
# everything adds up, and nobody deadlocked, was stuck or met an internal error.
#
# OMS_SEED=n repeats a run as far as timing allows; OMS_SECONDS=n makes it long.

use strict;
use warnings;

use FindBin;
use List::Util 'shuffle';
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;

my $seed = $ENV{OMS_SEED} // int(rand(1_000_000));
my $seconds = $ENV{OMS_SECONDS} // 10;
srand($seed);
note "OMS_SEED=$seed";

use constant SESSIONS => 8;
my @skus = map { "S$_" } 0 .. 9;
my @locations = ('A' .. 'D');

my $node = PostgreSQL::Test::Cluster->new('mix');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nlog_line_prefix = '%m [%p] %e '\n");
$node->start;

my $admin = Session->new($node);
$admin->run('CREATE EXTENSION oms');
Session::make_store($admin, 'shop', @skus);
for my $location (@locations)
{
	Session::receive($admin, 'shop', $location, map { $_ => 200 } @skus);
}
sub pick { return $_[ int rand @_ ] }

# a row's id, by chance among the youngest that fit
sub some
{
	my ($table, $condition) = @_;
	return "(SELECT id FROM (SELECT id FROM shop.$table WHERE $condition ORDER BY id DESC LIMIT 30) r ORDER BY random() LIMIT 1)";
}

my $reference = 0;
my %action = (
	place => sub {
		my %basket = map { pick(@skus) => 1 + int rand 4 } 1 .. 1 + int rand 4;
		my @fields = ('"external_ref": "' . (rand() < 0.1 ? int rand(1 + $reference) : ++$reference) . '"');
		push @fields, '"if_short": "' . pick('hold', 'refuse') . '"';
		push @fields, '"ship_complete": true' if rand() < 0.2;
		push @fields, '"holds": [{"kind": "manual"}]' if rand() < 0.2;
		return 'SELECT number FROM ' . Session::place('shop', join(', ', @fields), %basket) =~ s/^SELECT \* FROM //r;
	},
	draft => sub {
		return 'WITH o AS (INSERT INTO shop.orders (channel, currency, if_short) VALUES '
		  . "('market', 'EUR', 'hold') RETURNING id)"
		  . ' INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price)'
		  . " SELECT o.id, n, 'S' || (n * 7 + @{[ int rand 10 ]}) % 10, n, 5 FROM o, generate_series(1, 3) n";
	},
	line => sub {
		return 'INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) SELECT id, '
		  . "10 + @{[ int rand 1_000_000 ]}, '@{[ pick(@skus) ]}', 1, 3 FROM shop.orders WHERE id = "
		  . some('orders', "status = 'draft'");
	},
	place_drafts => sub {
		return "UPDATE shop.orders SET status = 'placed' WHERE id IN ("
		  . some('orders', "status = 'draft'") . ', ' . some('orders', "status = 'draft'") . ')';
	},
	delete_draft => sub { return 'DELETE FROM shop.orders WHERE id = ' . some('orders', "status = 'draft'") },
	cancel => sub {
		my $reason = pick('NULL', "'customer_request'", "'fraud'");
		return "UPDATE shop.orders SET status = 'canceled', status_reason = $reason WHERE id = "
		  . some('orders', "status IN ('placed', 'confirmed')");
	},
	cancel_lines => sub {
		return "SELECT oms.cancel_lines('shop', id, (SELECT jsonb_agg(jsonb_build_object('line', line_no, 'quantity', 1))"
		  . ' FROM shop.order_lines l WHERE l.order_id = o.id), \'other\') FROM shop.orders o WHERE id = '
		  . some('orders', "status IN ('placed', 'confirmed')")
		  if rand() < 0.6;
		return "SELECT oms.cancel_lines('shop', id) FROM shop.orders WHERE id = "
		  . some('orders', "status IN ('placed', 'confirmed')");
	},
	ship => sub {
		return "UPDATE shop.fulfillments SET status = 'shipped' WHERE id = "
		  . some('fulfillments', "status IN ('released', 'picking', 'packed')");
	},
	step => sub {
		return "UPDATE shop.fulfillments SET status = CASE status WHEN 'released' THEN 'picking' WHEN 'picking' THEN"
		  . " 'packed' WHEN 'packed' THEN 'picking' WHEN 'shipped' THEN '@{[ pick('delivered', 'lost', 'returned_to_sender') ]}'"
		  . ' ELSE status END WHERE id IN ('
		  . some('fulfillments', "status IN ('released', 'picking', 'packed', 'shipped')") . ')';
	},
	reject => sub {
		my $reason = pick('NULL', "'not_found'", "'damaged'", "'no_capacity'");
		return "UPDATE shop.fulfillments SET status = 'rejected', status_reason = $reason WHERE id = "
		  . some('fulfillments', "stock_state = 'reserved'");
	},
	split => sub {
		return "SELECT oms.split_fulfillment('shop', f.id, jsonb_build_array(jsonb_build_object('line',"
		  . ' (SELECT min(ol.line_no) FROM shop.fulfillment_lines l JOIN shop.order_lines ol ON ol.id = l.order_line_id'
		  . " WHERE l.fulfillment_id = f.id), 'quantity', 1))) FROM shop.fulfillments f WHERE id = "
		  . some('fulfillments', "stock_state = 'reserved'");
	},
	movement => sub {
		my $kind = pick('receipt', 'receipt', 'receipt', 'damage', 'damage', 'count', 'quarantine', 'unquarantine', 'adjustment',
			'transfer_out', 'return');
		my $rows = join ', ', map {
			my $quantity = $kind eq 'count' ? int rand 60 : 1 + int rand($kind eq 'receipt' ? 40 : 15);
			"('@{[ pick(@skus) ]}', '@{[ pick(@locations) ]}', '$kind', $quantity)"
		} 1 .. pick(1, 1, 1, 3);
		return "INSERT INTO shop.stock_movements (sku, location, kind, quantity) VALUES $rows";
	},
	transfer => sub {
		my $rows = join ', ', map {
			my ($from, $to) = shuffle(@locations);
			"('@{[ pick(@skus) ]}', '$to', '$from', @{[ 1 + int rand 5 ]}, '@{[ pick('expected', 'in_transit', 'in_transit', 'received') ]}')"
		} 1 .. pick(1, 2, 5);
		return "INSERT INTO shop.inbound (sku, location, from_location, quantity, status) VALUES $rows";
	},
	delivery => sub {
		my $rows = join ', ', map { "('@{[ pick(@skus) ]}', '@{[ pick(@locations) ]}', @{[ 1 + int rand 10 ]})" } 1 .. pick(1, 3);
		return "INSERT INTO shop.inbound (sku, location, quantity) VALUES $rows";
	},
	arrive => sub {
		my $row = some('inbound', 'closed_at IS NULL');
		return "SELECT oms.receive_inbound('shop', $row, @{[ pick('NULL', 1 + int rand 5) ]}) WHERE EXISTS (SELECT FROM shop.inbound WHERE closed_at IS NULL)"
		  if rand() < 0.4;
		return "UPDATE shop.inbound SET status = '@{[ pick('in_transit', 'received', 'received', 'canceled') ]}' WHERE id = $row";
	},
	hold => sub {
		return "INSERT INTO shop.order_holds (order_id, kind) SELECT id, 'fraud' FROM shop.orders WHERE id = "
		  . some('orders', "status IN ('draft', 'placed', 'confirmed')");
	},
	release_hold => sub {
		return 'UPDATE shop.order_holds SET released_at = clock_timestamp() WHERE id IN ('
		  . some('order_holds', 'released_at IS NULL') . ', ' . some('order_holds', 'released_at IS NULL') . ')';
	},
	notes => sub {
		return "UPDATE shop.fulfillments SET carrier = 'x' WHERE id = " . some('fulfillments', 'true')
		  if rand() < 0.5;
		return "UPDATE shop.order_lines SET description = 'x' WHERE order_id = " . some('orders', 'true');
	},
	workflow => sub {
		return "UPDATE shop.workflows SET description = clock_timestamp()::text WHERE name = '@{[ pick('ship', 'standard') ]}'";
	});
my %weight = (place => 8, draft => 2, line => 1, place_drafts => 2, cancel => 2, cancel_lines => 3, ship => 4, step => 3,
	reject => 3, split => 3, movement => 6, transfer => 3, delivery => 1, arrive => 5, hold => 1, release_hold => 3, notes => 1, delete_draft => 0.3, workflow => 0.2);
my @wheel = map { ($_) x (10 * $weight{$_}) } sort keys %action;

my %done;    # action => SQLSTATE => how often
my @bad;
my $until = time + $seconds;
my %plan;

# A transaction does one action, since only single statements promise not to
# deadlock.
# A slow machine goes on until everything has been tried, within limits.
my $enough = sub {
	return 0 if time < $until;
	return 1 if time >= $until + 60;
	return ($done{ship}{ended} // 0) > 20
	  && !grep { ($done{$_}{ended} // 0) <= ($done{$_}{40001} // 0) } keys %action;
};
my $next = sub {
	my ($session) = @_;
	return if $enough->();
	my $name = pick(@wheel);
	my $level = pick(('READ COMMITTED') x 3, 'REPEATABLE READ', 'SERIALIZABLE');
	my $end = rand() < 0.1 ? 'ROLLBACK' : 'COMMIT';
	$session->{action} = $name;
	$plan{$session} = rand() < 0.3 ? [ $action{$name}->() ] : [ "BEGIN ISOLATION LEVEL $level", $action{$name}->(), $end ];
	$session->send(shift @{ $plan{$session} });
};
my $ended = sub {
	my ($session, $result) = @_;
	if (my $state = $result->{state})
	{
		$done{ $session->{action} }{$state}++;
		push @bad, "$state $result->{message} in: $result->{sql}"
		  unless $state =~ /^(40001|OM00[1-9]|OM012)$/
		  || $result->{message} =~ /foreign key constraint "order_(lines|holds)_order_id_fkey"/;    # of a draft that was deleted
		$plan{$session} = $session->{transaction} eq 'I' ? [] : ['ROLLBACK'];
	}
	if (@{ $plan{$session} })
	{
		$session->send(shift @{ $plan{$session} });
	}
	else
	{
		$done{ $session->{action} }{ended}++;
		$next->($session);
	}
};

my @sessions = map { Session->new($node) } 1 .. SESSIONS;
$_->run('SELECT setseed(' . rand() . ')') for @sessions;
$next->($_) for @sessions;
Session::drive($ended, @sessions);

note explain \%done;
my %idle = map { $_ => 1 } grep { !(($done{$_}{ended} // 0) > ($done{$_}{40001} // 0)) } keys %action;
is_deeply(\%idle, {}, 'every kind of statement had a turn');
cmp_ok(($done{ship}{ended} // 0), '>', 20, 'there was something to do');
my %kinds;
for my $bad (@bad)
{
	push @{ $kinds{ substr($bad, 0, 60) } }, $bad;
}
is_deeply([ map { scalar(@{ $kinds{$_} }) . " x $kinds{$_}[0]" } sort keys %kinds ], [], "no other error than those promised (OMS_SEED=$seed)");
is(Session::violations($admin, 'shop'), '', "everything adds up (OMS_SEED=$seed)");
is($admin->value('SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()'), 0, 'nobody deadlocked');
is($admin->value("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND state <> 'idle' AND pid <> pg_backend_pid()"),
	0, 'nobody is stuck');
is($admin->value('SELECT count(*) FROM pg_locks WHERE NOT granted'), 0, 'nobody waits');
my $log = slurp_file($node->logfile);
unlike($log, qr/ (40P01|XX000) |PANIC|TRAP|terminated by signal/, 'the log tells of no internal error');

$_->close for @sessions, $admin;
$node->stop;
done_testing();
