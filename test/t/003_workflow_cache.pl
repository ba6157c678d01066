# Each session keeps the workflows it has read.  An edit is in force in every
# open session at its next statement, whatever its isolation level; it waits
# for transactions that have moved rows; one that is rolled back leaves no
# trace.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('workflow_cache');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nrestart_after_crash = on\n");
$node->start;

my $admin = Session->new($node);
$admin->run('CREATE EXTENSION oms');
Session::make_store($admin, 'shop', 'X');
Session::make_store($admin, 'other', 'X');
for my $store ('shop', 'other')
{
	Session::receive($admin, $store, 'A', X => 1000);
	$admin->run(Session::place($store, '', X => 1)) for 1 .. 6;
}

my @levels = ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE');
my %session = map { $_ => Session->new($node) } @levels, 'idle';

# move($session, $n, $to): the nth parcel; the SQLSTATE it ends with
sub move
{
	my ($session, $n, $to, $store) = @_;
	$store //= 'shop';
	return $session->state("UPDATE $store.fulfillments SET status = '$to' WHERE number = 'S-" . (999 + $n) . "-1'");
}

# edit($session, from, to): replace a part of the parcel's workflow
sub edit
{
	my ($session, $from, $to) = @_;
	$session->run("UPDATE shop.workflows SET definition = replace(definition, '$from', '$to') WHERE name = 'ship'");
}

# every session has read the workflows
for my $name (sort keys %session)
{
	is(move($session{$name}, 1, 'picking'), '00000', "$name: a move");
	is(move($session{$name}, 1, 'released'), '00000', "$name: and back");
	is(move($session{$name}, 1, 'packed'), 'OM001', "$name: what is no move");
}

# An edit, with transactions open that have a snapshot but have moved nothing.
for my $level (@levels)
{
	$session{$level}->run("BEGIN ISOLATION LEVEL $level");
	$session{$level}->run('SELECT count(*) FROM shop.fulfillments');
}
edit($admin, 'released -> picking -> packed', 'released -> packed');
my $n = 1;
for my $level (@levels)
{
	my $session = $session{$level};
	$session->run('SAVEPOINT s');
	is(move($session, ++$n, 'picking'), 'OM001', "$level, open: an old move is none at the next statement");
	$session->run('ROLLBACK TO s');
	is(move($session, $n, 'packed'), '00000', "$level, open: a new one is");
	$session->run('COMMIT');
}
is(move($session{idle}, 1, 'picking'), 'OM001', 'between transactions: an old move is none');
is(move($session{idle}, 1, 'packed'), '00000', 'between transactions: a new one is');
is(move($session{idle}, 1, 'packed', 'other'), 'OM001', 'the other store kept its own');

# one that never looked, and one that looks at two stores
my $late = Session->new($node);
is(move($late, 1, 'picking'), '00000', 'a session that begins later');
is(move($late, 1, 'picking', 'other'), '00000', 'and the other store');

# An edit waits for transactions that have moved rows, at every level ...
for my $level (@levels)
{
	my $session = $session{$level};
	$session->run("BEGIN ISOLATION LEVEL $level");
	is(move($session, 5, 'packed'), '00000', "$level: a move");
	$admin->send("UPDATE shop.workflows SET definition = replace(definition, 'do issue;', 'do issue ;') WHERE name = 'ship'");
	$session{idle}->await_waiting($admin);
	is(move($session, 5, 'picking'), '00000', "$level: the mover goes on while the edit waits for it");
	is(move($session, 5, 'released'), '00000', "$level: and on");
	$session->run('COMMIT');
	is($admin->result->{state}, undef, "$level: then the edit is done");
}

# ... and moves wait for an edit that is under way, and follow it.
$admin->run('BEGIN');
edit($admin, 'released, picking, packed -> shipped', 'packed -> shipped');
$_->send("UPDATE shop.fulfillments SET status = 'shipped' WHERE number = 'S-1005-1'") for $session{idle};
$late->await_waiting($session{idle});
$admin->run('COMMIT');
is($session{idle}->result->{state}, 'OM001', 'a move that waited is judged by the new definition');

# A rolled-back edit leaves no trace: in the session itself ...
$admin->run('BEGIN');
is(move($admin, 6, 'shipped'), 'OM001', 'before an edit');
$admin->run('ROLLBACK; BEGIN');
edit($admin, 'packed -> shipped', 'released, packed -> shipped');
$admin->run('SAVEPOINT s');
is(move($admin, 6, 'shipped'), '00000', 'an edit is in force in its own transaction');
$admin->run('ROLLBACK TO s');
is(move($admin, 6, 'shipped'), '00000', 'still, after a savepoint before the move');
$admin->run('ROLLBACK');
is(move($admin, 6, 'shipped'), 'OM001', 'and not after it was rolled back');

$admin->run('BEGIN; SAVEPOINT s');
edit($admin, 'packed -> shipped', 'released, packed -> shipped');
is(move($admin, 6, 'shipped'), '00000', 'an edit in a subtransaction');
$admin->run('ROLLBACK TO s');
is(move($admin, 6, 'shipped'), 'OM001', 'rolled back to its savepoint');
$admin->run('ROLLBACK');

# ... and in others, that waited for it or came later
$admin->run('BEGIN');
edit($admin, 'packed -> shipped', 'released, packed -> shipped');
$session{idle}->send("UPDATE shop.fulfillments SET status = 'shipped' WHERE number = 'S-1005-1'");
$late->await_waiting($session{idle});
$admin->run('ROLLBACK');
is($session{idle}->result->{state}, 'OM001', 'a move that waited for an edit that was rolled back');
is(move($late, 6, 'shipped'), 'OM001', 'and one that came later');

# An edit that fails leaves none either.
is($admin->state("UPDATE shop.workflows SET definition = replace(definition, 'packed -> shipped', 'released, packed -> shipped')"
	  . " || 'open -> nowhere do conjure' WHERE name = 'ship'"), 'OM004', 'an unsound edit');
is(move($admin, 6, 'shipped'), 'OM001', 'is not in force');

# A prefix of numbers, which is kept in the same way.
$late->run(Session::place('shop', '', X => 1));
$admin->run("UPDATE shop.settings SET number_prefix = 'T-'");
like($late->run(Session::place('shop', '', X => 1))->{rows}[0][1], qr/^T-/, 'a new prefix is in force in open sessions');

# A workflow of a user's own, with a function of the store as guard and action
$admin->run(<<'END');
CREATE FUNCTION shop.even(shop.fulfillments) RETURNS boolean LANGUAGE sql AS 'SELECT right($1.number, 3) IN (''0-1'', ''2-1'')';
UPDATE shop.workflows SET definition = replace(definition, 'released -> packed', 'released -> packed when even') WHERE name = 'ship';
END
is(move($late, 6, 'packed'), 'OM002', 'a new guard is asked in open sessions');
$admin->run("CREATE OR REPLACE FUNCTION shop.even(shop.fulfillments) RETURNS boolean LANGUAGE sql AS 'SELECT true'");
is(move($late, 6, 'packed'), '00000', 'and so is its new body');

# A column that users add or drop
$admin->run('ALTER TABLE shop.orders ADD COLUMN gift text; ALTER TABLE shop.fulfillments ADD COLUMN zone int; ALTER TABLE shop.stock ADD COLUMN aisle int');
is($late->state(Session::place('shop', '', X => 1)), '00000', 'columns were added: open sessions go on');
$admin->run('ALTER TABLE shop.orders DROP COLUMN gift; ALTER TABLE shop.fulfillments DROP COLUMN zone');
is($late->state(Session::place('shop', '', X => 1)), '00000', 'and dropped');

# A store that is renamed, or made anew under the same name
is($late->state('SELECT * FROM oms.verify_store(\'other\')'), '00000', 'a store');
$admin->run('ALTER SCHEMA other RENAME TO another');
is(move($late, 2, 'picking', 'another'), '00000', 'renamed, it works in open sessions');
is($late->state('SELECT * FROM oms.verify_store(\'other\')'), 'OM010', 'and its old name is gone');
$admin->run('DROP SCHEMA another CASCADE');
Session::make_store($admin, 'another', 'X');
Session::receive($admin, 'another', 'A', X => 10);
is($late->state(Session::place('another', '', X => 1)), '00000', 'made anew, it works in open sessions');

# Reading workflows may fail, here for want of time: it is done again at the
# next statement, by a session that has read them before and one that has not.
$admin->run("UPDATE shop.workflows SET definition = replace(definition, 'draft -> canceled;', 'draft -> canceled; draft -> void; final void;') WHERE name = 'standard'");
$admin->run("INSERT INTO shop.orders (channel, currency) VALUES ('web', 'EUR')");
my $new = Session->new($node);
$admin->run('BEGIN; LOCK TABLE shop.workflows IN ACCESS EXCLUSIVE MODE');
for my $session ($late, $new)
{
	$session->run("SET statement_timeout = '100ms'");
	is($session->state("UPDATE shop.orders SET status = 'void' WHERE status = 'draft'"), '57014', 'workflows cannot be read');
	$session->run('RESET statement_timeout');
}
$admin->run('COMMIT');
for my $session ($late, $new)
{
	my $name = $session == $late ? 'an old session' : 'a new session';
	is(eval { $session->state("BEGIN; UPDATE shop.orders SET status = 'void' WHERE status = 'draft'; ROLLBACK") } // $@, '00000',
		"$name reads them at its next statement");
}

# sessions do not outlive a crash
$node->poll_query_until('postgres', 'SELECT true');
$admin = Session->new($node);
is(Session::violations($admin, 'shop'), '', 'everything adds up');
is(Session::violations($admin, 'another'), '', 'in the other store too');

$node->stop;
done_testing();
