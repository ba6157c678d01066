# Sixteen sessions pay, capture, void, refund and charge back the same few
# payments at random, at any isolation level, some of it delivered twice or
# rolled back, while orders are held, released, shipped, canceled, and placed on
# credit.  Afterwards money adds up, what was acknowledged is there once, no
# automatic move was lost, no credit limit passed, and nobody deadlocked.
#
# OMS_SEED=n repeats a run as far as timing allows; OMS_SECONDS=n makes it long.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;

my $seed = $ENV{OMS_SEED} // int(rand(1_000_000));
my $seconds = $ENV{OMS_SECONDS} // 8;
srand($seed);
note "OMS_SEED=$seed";

use constant { SESSIONS => 16, ORDERS => 12, LIMIT => 500 };

my $node = PostgreSQL::Test::Cluster->new('money');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nlog_line_prefix = '%m [%p] %e '\n");
$node->start;

my $admin = Session->new($node);
$admin->run('CREATE EXTENSION oms');
Session::make_store($admin, 'shop', 'X');
Session::receive($admin, 'shop', 'A', X => 100_000);
$admin->run('UPDATE shop.channels SET payment_required = true');
$admin->run("INSERT INTO shop.customers (code, credit_limit) VALUES ('acme', @{[ LIMIT ]})");

my @payments;

# more orders, each with two payments of half of what it costs
sub make_orders
{
	$admin->run(Session::place('shop', '"holds": [{"kind": "manual"}]', X => 4)) for 1 .. ORDERS;
	my $made = $admin->run('INSERT INTO shop.payments (order_id, method, amount) SELECT o.id, n, 20 FROM'
		  . ' (SELECT id FROM shop.orders WHERE customer_id IS NULL ORDER BY id DESC LIMIT '
		  . ORDERS
		  . ") o, unnest(ARRAY['card', 'gift']) n RETURNING id")->{rows};
	@payments = map { $_->[0] } @$made;
}
make_orders();

sub pick { return $_[ int rand @_ ] }

my $last = 0;
my %sent;    # statement that carries one reference => [its key, amount]
my @recent;    # such statements, to be delivered again

# a transaction with a reference, or one that was sent before
sub transaction
{
	return pick(@recent) if @recent && rand() < 0.4;
	my ($kind, $outcome) = (pick(qw(authorize authorize capture capture sale void refund refund chargeback chargeback_reversal)),
		pick(qw(succeeded succeeded succeeded requested failed)));
	# often the answer to, or the request for, one of the same number
	my $number = rand() < 0.4 && $last > 20 ? $last - int rand 20 : ++$last;
	my $payment = $payments[ $number % @payments ];
	my $amount = 1 + $number % 13;
	my $sql = 'INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount, gateway_ref)'
	  . " VALUES ('$payment', '$kind', '$outcome', $amount, 'g$number')";
	$sent{$sql} = [ "$payment $kind $outcome g$number", $amount ];
	push @recent, $sql;
	shift @recent if @recent > 200;
	return $sql;
}

my %action = (
	transaction => \&transaction,
	# another amount under a reference that is known
	other_amount => sub {
		return transaction() unless @recent;
		return pick(@recent) =~ s/, (\d+), '(g\d+)'/', ' . ($1 + 1) . ", '$2'"/er =~ s/', ', /', /r;
	},
	# several payments, of several orders, in one statement
	many => sub {
		my $kind = pick(qw(authorize capture sale refund chargeback));
		my $rows = join ', ', map { "('@{[ pick(@payments) ]}', '$kind', 'succeeded', @{[ 1 + int rand 5 ]})" } 1 .. 2 + int rand 3;
		return "INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount) VALUES $rows";
	},
	# several references in any order, which others are recording too
	batch => sub {
		my $first = $last - $last % 10;
		my $rows = join ', ', map { "('$payments[ $_ % @payments ]', 'authorize', 'failed', 1, 'batch$_')" } map { $first + int rand 10 } 1 .. 5;
		return "INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount, gateway_ref) VALUES $rows";
	},
	hold => sub {
		return 'INSERT INTO shop.order_holds (order_id, kind) SELECT order_id, \'fraud\' FROM shop.payments WHERE id = '
		  . "'@{[ pick(@payments) ]}'";
	},
	release => sub {
		return 'UPDATE shop.order_holds h SET released_at = clock_timestamp() FROM shop.payments p WHERE p.order_id = h.order_id'
		  . " AND released_at IS NULL AND p.id = '@{[ pick(@payments) ]}'";
	},
	ship => sub {
		return "UPDATE shop.fulfillments f SET status = 'shipped' FROM shop.payments p WHERE p.order_id = f.order_id"
		  . " AND f.status = 'released' AND p.id = '@{[ pick(@payments) ]}'";
	},
	cancel => sub {
		return "UPDATE shop.orders o SET status = 'canceled' FROM shop.payments p WHERE p.order_id = o.id"
		  . " AND o.status IN ('placed', 'confirmed') AND p.id = '@{[ pick(@payments) ]}'";
	},
	cancel_lines => sub {
		return "SELECT oms.cancel_lines('shop', order_id, '[{\"line\": 1, \"quantity\": 1}]') FROM shop.payments WHERE id = '@{[ pick(@payments) ]}'";
	},
	credit => sub { return Session::place('shop', '"customer": "acme"', X => 1 + int rand 6) },
	# makes room: an order on credit is paid, or canceled
	room => sub {
		my $order = "SELECT id FROM shop.orders WHERE credit_approved AND status = 'confirmed' ORDER BY random() LIMIT 1";
		return "UPDATE shop.orders SET status = 'canceled' WHERE id = ($order)" if rand() < 0.5;
		return "WITH p AS (INSERT INTO shop.payments (order_id, method, amount) SELECT id, 'wire', total FROM shop.orders WHERE id = ($order)"
		  . ' RETURNING id, amount) INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount)'
		  . " SELECT id, 'sale', 'succeeded', amount FROM p";
	});
my %weight = (transaction => 20, other_amount => 1, many => 4, batch => 4, hold => 1, release => 3, ship => 2, cancel => 0.3, cancel_lines => 0.5,
	credit => 4, room => 1.5);
my @wheel = map { ($_) x (10 * $weight{$_}) } sort keys %action;

my %done;    # action => SQLSTATE or ended => how often
my %acknowledged;    # key => amount
my @bad;
my $until = time + $seconds;
my %plan;

my $next = sub {
	my ($session) = @_;
	return if time >= $until;
	my $name = pick(@wheel);
	my $level = pick(('READ COMMITTED') x 3, 'REPEATABLE READ', 'SERIALIZABLE');
	my $end = rand() < 0.1 ? 'ROLLBACK' : 'COMMIT';
	my $sql = $action{$name}->();
	@$session{qw(action statement commits)} = ($name, $sql, $end eq 'COMMIT');
	$plan{$session} = rand() < 0.4 ? [$sql] : [ "BEGIN ISOLATION LEVEL $level", $sql, $end ];
	$session->{commits} = 1 if @{ $plan{$session} } == 1;
	$session->send(shift @{ $plan{$session} });
};
my $ended = sub {
	my ($session, $result) = @_;
	if (my $state = $result->{state})
	{
		$done{ $session->{action} }{$state}++;
		$session->{commits} = 0;
		push @bad, "$state $result->{message} in: $result->{sql}" unless $state =~ /^(40001|OM00[1237]|OM01[12])$/;
		$plan{$session} = $session->{transaction} eq 'I' ? [] : ['ROLLBACK'];
	}
	if (@{ $plan{$session} })
	{
		$session->send(shift @{ $plan{$session} });
		return;
	}
	$done{ $session->{action} }{ended}++;
	if ($session->{commits} && (my $what = $sent{ $session->{statement} }))
	{
		$acknowledged{ $what->[0] } = $what->[1];
	}
	$next->($session);
};

my @sessions = map { Session->new($node) } 1 .. SESSIONS;
$_->run('SELECT setseed(' . rand() . ')') for @sessions;
for my $round (1 .. 4)
{
	# new orders, since those before are soon completed or canceled
	make_orders() if $round > 1;
	$until = Time::HiRes::time() + $seconds / 4;
	$next->($_) for @sessions;
	Session::drive($ended, @sessions);
}

note explain \%done;
cmp_ok($done{transaction}{ended} // 0, '>', 100, 'there was something to do');
is_deeply([ grep { !(($done{$_}{ended} // 0) > ($done{$_}{40001} // 0)) } sort keys %action ], [], 'every kind of statement had a turn');
my %kinds;
push @{ $kinds{ substr($_, 0, 60) } }, $_ for @bad;
is_deeply([ map { scalar(@{ $kinds{$_} }) . " x $kinds{$_}[0]" } sort keys %kinds ], [], "no other error than those promised (OMS_SEED=$seed)");
is(Session::violations($admin, 'shop'), '', "everything adds up (OMS_SEED=$seed)");

my %there;
for my $row (@{ $admin->run("SELECT concat_ws(' ', payment_id, kind, outcome, gateway_ref), trim_scale(amount) FROM shop.payment_transactions WHERE gateway_ref LIKE 'g%'")->{rows} })
{
	$there{ $row->[0] }{count}++;
	$there{ $row->[0] }{amount} = $row->[1];
}
is_deeply([ grep { ($there{$_}{count} // 0) != 1 || $there{$_}{amount} != $acknowledged{$_} } sort keys %acknowledged ], [],
	scalar(keys %acknowledged) . ' transactions that were acknowledged are there, once');
is_deeply([ grep { $there{$_}{count} > 1 } sort keys %there ], [], 'and none twice');
is($admin->value("SELECT count(*) FROM shop.orders WHERE status = 'placed' AND open_holds = 0 AND (credit_approved OR authorized + captured >= total - credited)"),
	0, 'no order waits that is payable');
is($admin->value("SELECT count(*) FROM shop.orders WHERE status = 'confirmed' AND units_shipped > 0 AND units_shipped + units_canceled = units AND captured >= total - credited"),
	0, 'none that is fulfilled and paid');
cmp_ok($admin->value("SELECT count(*) FROM shop.orders WHERE credit_approved"), '>', 5, 'some orders were on credit');
cmp_ok($admin->value("SELECT count(*) FROM shop.order_holds WHERE kind = 'credit'"), '>', 0, 'some were beyond it');
cmp_ok($admin->value('SELECT coalesce(sum(greatest(total - credited - captured, 0)), 0) FROM shop.orders WHERE credit_approved AND closed_at IS NULL'),
	'<=', LIMIT, 'the limit was kept');
is($admin->value('SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()'), 0, 'nobody deadlocked');
is($admin->value('SELECT count(*) FROM pg_locks WHERE NOT granted'), 0, 'nobody waits');
unlike(slurp_file($node->logfile), qr/ (40P01|XX000) |PANIC|TRAP|terminated by signal/, 'the log tells of no internal error');

$_->close for @sessions, $admin;

# ---- the examples of docs/payments.md do what they say, from top to bottom

my @examples = slurp_file("$FindBin::RealBin/../../docs/payments.md") =~ /^```sql\n(.*?)^```/msg;
cmp_ok(scalar @examples, '>=', 9, 'docs/payments.md has examples');
$node->safe_psql('postgres', 'CREATE DATABASE page');
$node->safe_psql('page', "CREATE EXTENSION oms; SELECT oms.create_store('shop')");
my $said = '';
for my $example (@examples)
{
	$said .= $node->safe_psql('page', $example) . "\n";
}
$said =~ s/\n+\z/\n/;
$said =~ s/[0-9a-f]{8}-[0-9a-f-]{27}/UUID/g;
is($said, <<'END', 'they say what the page says');
S-1000|placed
confirmed|authorized|60.0000|authorized

2|UUID|capture|60.0000|EUR|UUID

1
S-1000|30.0000|60.0000|30.0000|0.0000
S-1000|30.0000|30.0000
charged_back
S-1001|confirmed
S-1002|placed
S-1003|confirmed
END
is($node->safe_psql('page', "SELECT string_agg(concat_ws(' ', number, status, payment_status, credit_approved), ', ' ORDER BY number) FROM shop.orders"),
	'S-1000 confirmed paid f, S-1001 confirmed unpaid t, S-1002 confirmed unpaid t, S-1003 confirmed partially_paid f', 'and leave this behind');
$node->stop;
done_testing();
