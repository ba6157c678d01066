# oms.events_after delivers every event exactly once: while transactions commit
# in another order than they write, to followers who share a position, and after
# the store was restored on a server that counts transactions from elsewhere,
# and back.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;

my %node;
for my $name ('first', 'second')
{
	$node{$name} = PostgreSQL::Test::Cluster->new($name);
	$node{$name}->init;
	$node{$name}->append_conf('postgresql.conf', "fsync = off\nmax_connections = 20\nshared_buffers = 16MB\n");
	$node{$name}->start;
}
my $dir = PostgreSQL::Test::Utils::tempdir();

# count_on($session, $transactions): the server has had so many more
sub count_on
{
	my ($session, $transactions) = @_;
	$session->run("CREATE TEMP TABLE IF NOT EXISTS spent (); DO \$\$ BEGIN FOR i IN 1 .. $transactions LOOP BEGIN INSERT INTO spent DEFAULT VALUES;"
		  . " EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END \$\$");
}

# A follower: what it was given, by id, and where it is
sub follower { return { given => {}, position => undef, doubles => 0 } }

# follow($follower, $session, $most): ask until there is no more for now
sub follow
{
	my ($follower, $session, $most) = @_;
	while (1)
	{
		my $position = defined $follower->{position} ? "'$follower->{position}'" : 'NULL';
		my $rows = $session->run("SELECT next_position, id FROM oms.events_after('shop', $position, $most)")->{rows};
		die 'too many' if @$rows > $most;
		$follower->{doubles}++ for grep { $follower->{given}{ $_->[1] }++ } @$rows;
		last if !@$rows;
		$follower->{position} = $rows->[-1][0];
	}
}

# has_all($follower, $session, $what): each event once
sub has_all
{
	my ($follower, $session, $what) = @_;
	my %there = map { $_->[0] => 1 } @{ $session->run('SELECT id FROM shop.order_events')->{rows} };
	my @missed = grep { !$follower->{given}{$_} } keys %there;
	my @invented = grep { !$there{$_} } keys %{ $follower->{given} };
	is("$follower->{doubles} twice, " . @missed . ' missed, ' . @invented . ' invented', '0 twice, 0 missed, 0 invented',
		"$what: each of " . keys(%there) . ' events once');
}

# write_at_random($node, $database, $steps, $read): sessions begin, write and end
# in any order; $read->() is called now and then
sub write_at_random
{
	my ($node, $database, $steps, $read) = @_;
	my @writers = map { Session->new($node, $database) } 1 .. 5;
	for (1 .. $steps)
	{
		my $writer = $writers[ rand @writers ];
		my $dice = rand;
		if ($writer->{transaction} eq 'I')
		{
			$writer->run('BEGIN');
		}
		elsif ($dice < 0.6)
		{
			$writer->run('SAVEPOINT s') if $dice < 0.1;
			$writer->run("INSERT INTO shop.orders (channel, currency) SELECT 'web', 'EUR' FROM generate_series(1, " . (1 + int rand 3) . ')');
			$writer->run('ROLLBACK TO s') if $dice < 0.05;
		}
		else
		{
			$writer->run($dice < 0.9 ? 'COMMIT' : 'ROLLBACK');
		}
		$read->() if rand() < 0.3;
	}
	$_->run('COMMIT'), $_->close for @writers;
}

srand 4711;
my $admin = Session->new($node{first});
$admin->run('CREATE EXTENSION oms');
Session::make_store($admin, 'shop', 'X');
count_on($admin, 20000);

# ---- one who commits late

my ($early, $late) = map { Session->new($node{first}) } 1 .. 2;
my $insert = "INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR')";
my $one = follower();
$early->run("BEGIN; $insert");
$late->run($insert);
follow($one, $admin, 10);
is(keys(%{ $one->{given} }), 0, 'what an open transaction may still come before waits');
is($late->value("BEGIN; $insert; SELECT count(*) FROM oms.events_after('shop')"), 0, 'one\'s own as well');
$late->run('ROLLBACK');
$early->run('COMMIT');
follow($one, $admin, 1);
has_all($one, $admin, 'committed late');
is(join(' ', sort { $a <=> $b } keys %{ $one->{given} }), '1 2', 'and in two steps');

# ---- in any order

my @followers = ($one, follower(), follower());
write_at_random($node{first}, 'postgres', 400, sub { follow($followers[ rand @followers ], $admin, 1 + int rand 20) });
follow($_, $admin, 7), has_all($_, $admin, 'in any order') for @followers;
cmp_ok($admin->value('SELECT count(*) FROM (SELECT xid < lag(xid) OVER (ORDER BY id) AS back FROM shop.order_events) x WHERE back'), '>', 5,
	'ids and transactions did not go the same way');

# ---- who share a position

$admin->run(<<'END');
CREATE SCHEMA crm;
CREATE TABLE crm.follower (name text PRIMARY KEY, position text);
INSERT INTO crm.follower VALUES ('crm', NULL);
CREATE TABLE crm.seen (id bigint PRIMARY KEY);
CREATE PROCEDURE crm.consume(max_rows int) LANGUAGE plpgsql AS $$
DECLARE place text; BEGIN
	SELECT f.position INTO place FROM crm.follower f WHERE name = 'crm' FOR UPDATE;
	WITH e AS MATERIALIZED (SELECT * FROM shop.events_after(place, max_rows)), s AS (INSERT INTO crm.seen SELECT id FROM e)
	SELECT next_position INTO place FROM e ORDER BY split_part(next_position, '/', 1)::bigint DESC, id DESC LIMIT 1;
	UPDATE crm.follower f SET position = coalesce(place, f.position) WHERE name = 'crm';
	COMMIT;
END $$;
END
my @busy = map { Session->new($node{first}) } 1 .. 6;
for my $i (0 .. 2)
{
	$busy[$i]->send('DO $$ BEGIN FOR i IN 1 .. 60 LOOP CALL crm.consume(13); END LOOP; END $$');
	$busy[ $i + 3 ]->send("DO \$\$ BEGIN FOR i IN 1 .. 60 LOOP $insert; IF i % 3 = 0 THEN COMMIT; ELSIF i % 7 = 0 THEN ROLLBACK; END IF; END LOOP; END \$\$");
}
is(join(' ', map { $_->result->{message} // 'ok' } @busy), 'ok ok ok ok ok ok', 'three write, three read with one position');
$_->close for @busy;
$admin->run('CALL crm.consume(10000)');
is($admin->value('SELECT string_agg(id::text, \' \') FROM (SELECT id FROM shop.order_events EXCEPT SELECT id FROM crm.seen) x'), undef,
	'nothing is missed, and nothing came twice, which the primary key of what was seen would have refused');

# ---- as docs/analysts.md says

my ($section) = slurp_file("$FindBin::RealBin/../../docs/analysts.md") =~ /^## Into another system\n(.*)/ms;
my ($tables, $step) = $section =~ /^((?:    .*\n)+)/mg;
$admin->run("CREATE SCHEMA copier; SET search_path = copier; $tables");
my $steps = 0;
while ($admin->run($step =~ s/COMMIT;//r)->{tag} ne 'UPDATE 0')
{
	$admin->run(++$steps == 1 ? 'ROLLBACK' : 'COMMIT');
}
$admin->run('COMMIT; RESET search_path');
cmp_ok($steps, '>', 1, 'a copy is made in several steps, of which one was taken back');
is($admin->value('SELECT count(*) FROM (SELECT id, at, order_id, event, to_status FROM shop.order_events EXCEPT SELECT * FROM copier.copied) x'), 0, 'and has all');

# ---- it reads no more than it delivers

follow($one, $admin, 1000);
$admin->run("INSERT INTO shop.orders (channel, currency) SELECT 'web', 'EUR' FROM generate_series(1, 3000)");
my $reads = sub {
	my ($position, $most) = @_;
	my @before = @{ $admin->run("SELECT seq_tup_read, idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = 'shop.order_events'::regclass")->{rows}[0] };
	$admin->run("SELECT * FROM oms.events_after('shop', '$position', $most)");
	my @after = @{ $admin->run("SELECT seq_tup_read, idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = 'shop.order_events'::regclass")->{rows}[0] };
	return ($after[0] - $before[0], $after[1] - $before[1]);
};
$admin->run('BEGIN');
is(join(' ', $reads->($one->{position}, 50)), '0 50', '50 events of 3,000 cost 50 rows');
is(join(' ', $reads->($admin->value("SELECT next_position FROM oms.events_after('shop', NULL, 100000) ORDER BY id DESC LIMIT 1"), 50)), '0 0', 'none at the end costs none');
$admin->run('COMMIT');

# ---- restored on a server that has counted less

# move($from, $database, $to, $database): by dump and restore
sub move
{
	my ($from, $source, $to, $target) = @_;
	my $session = Session->new($to);
	$session->run("CREATE DATABASE $target");
	$session->close;
	command_ok([ 'pg_dump', '-h', $from->host, '-p', $from->port, '-f', "$dir/$target.sql", $source ], "dump for $target");
	command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', $to->host, '-p', $to->port, '-d', $target, '-f', "$dir/$target.sql" ], "restored as $target");
	return Session->new($to, $target);
}

# one has the beginning, one has almost all, one has all
$followers[1] = follower();
$followers[1]{position} = $admin->value("SELECT next_position FROM oms.events_after('shop', NULL, 40) OFFSET 39");
$followers[1]{given}{ $_->[0] } = 1 for @{ $admin->run("SELECT id FROM oms.events_after('shop', NULL, 40)")->{rows} };
follow($followers[2], $admin, 1000);
my $there = move($node{first}, 'postgres', $node{second}, 'second');
cmp_ok($there->value('SELECT min(xid) FROM shop.order_events'), '>', $there->value('SELECT pg_current_xact_id()'), 'all of its events seem to come from the future');
my $fresh = follower();
follow($fresh, $there, 1000);
has_all($fresh, $there, 'restored, not yet written');
follow($followers[1], $there, 11);

# the first two to write there
($early, $late) = map { Session->new($node{second}, 'second') } 1 .. 2;
$early->run("BEGIN; $insert");
is($late->state($insert), '40001', 'who comes second does not wait for the first');
$early->run('ROLLBACK');
is($late->state("BEGIN; $insert"), '00000', 'and may be the first then');
follow($fresh, $there, 1000);
$early->run('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM shop.settings');
$late->run('COMMIT');
is($early->state($insert), '00000', 'from then on everybody writes, with an older snapshot too');
$early->run('COMMIT');
write_at_random($node{second}, 'second', 200, sub { follow($_, $there, 1 + int rand 50) for $fresh, @followers });
follow($_, $there, 1000), has_all($_, $there, 'restored and written') for $fresh, @followers, my $newcomer = follower();
is($there->value('SELECT cardinality(moved_after) FROM shop.settings'), 1, 'it has moved once');
is(Session::violations($there, 'shop'), '', 'verify_store is clean');

# its count reaches that of the restored events
count_on($there, 25000);
write_at_random($node{second}, 'second', 100, sub { follow($_, $there, 1 + int rand 50) for $fresh, @followers });
follow($_, $there, 1000), has_all($_, $there, 'past the numbers it came with') for $fresh, @followers, $newcomer, follower();

# ---- and back

$followers[1] = { %{ $followers[0] }, given => { %{ $followers[0]{given} } } };
$there->run($insert) for 1 .. 3;
follow($followers[2], $there, 1000);
my $back = move($node{second}, 'second', $node{first}, 'back');
write_at_random($node{first}, 'back', 100, sub { follow($_, $back, 1 + int rand 50) for $fresh, @followers });
follow($_, $back, 1000), has_all($_, $back, 'and back') for $fresh, @followers, follower();
is($back->value('SELECT cardinality(moved_after) FROM shop.settings'), 2, 'it has moved twice');

for my $node (values %node)
{
	unlike(slurp_file($node->logfile), qr/PANIC|TRAP|XX000|terminated by signal/, 'the log of the ' . $node->name . ' server tells of no internal error');
}
$_->close for $admin, $there, $back, $early, $late;
$_->stop for values %node;
done_testing();
