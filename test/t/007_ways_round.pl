# Ways round the rules that need a login, a transaction or a session of their
# own; test/pgtap/ways_round.sql has the others.  And what the library exports.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('ways_round');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nmax_prepared_transactions = 5\n");
$node->start;

my $admin = Session->new($node);
$admin->run('CREATE EXTENSION oms');
$admin->run("CREATE ROLE $_ LOGIN") for 'shopkeeper', 'clerk', 'manager';
$admin->run('GRANT CREATE ON DATABASE postgres TO shopkeeper');
my $owner = Session->new($node, 'postgres', 'shopkeeper');
Session::make_store($owner, 'shop', 'X');
Session::receive($owner, 'shop', 'A', X => 1000);
$owner->run("SELECT shop.grant_store('$_', '$_')") for 'clerk', 'manager';
my $clerk = Session->new($node, 'postgres', 'clerk');
my $manager = Session->new($node, 'postgres', 'manager');
my %session = (clerk => $clerk, manager => $manager, owner => $owner);

sub sound
{
	my ($what) = @_;
	is(Session::violations($admin, 'shop'), '', "verify_store: $what");
}

sub order
{
	my ($session) = @_;
	return $session->value('SELECT number FROM (' . Session::place('shop', '', X => 2) . ') AS o');
}

# ---- logins

for my $who ('clerk', 'manager', 'owner')
{
	my $session = $session{$who};
	is($session->state('SET session_replication_role = replica'), '42501', "$who: session_replication_role");
	is($session->state('SET SESSION AUTHORIZATION postgres'), '42501', "$who: SET SESSION AUTHORIZATION");
	is($session->state('SET ROLE shopkeeper'), $who eq 'owner' ? '00000' : '42501', "$who: SET ROLE to the owner");
	$session->run('RESET ROLE');
	is($session->state("LOAD 'oms'"), $who eq 'owner' ? '42501' : '42501', "$who: LOAD");
	is($session->state("SET oms.actor = 'the boss'"), '00000', "$who: sets a label");
	my $number = order($session);
	is($admin->value("SELECT string_agg(DISTINCT actor, ',') FROM shop.order_events WHERE order_id = (SELECT id FROM shop.orders WHERE number = '$number')"),
		'the boss', "$who: which the log has");
	$session->run('RESET oms.actor');
	$number = order($session);
	my $name = $who eq 'owner' ? 'shopkeeper' : $who;
	is($admin->value("SELECT string_agg(DISTINCT actor, ',') FROM shop.order_events WHERE order_id = (SELECT id FROM shop.orders WHERE number = '$number')"),
		$name, "$who: else the log has the user");
}
sound('logins');

# ---- two-phase commit and savepoints

for my $who ('clerk', 'manager', 'owner')
{
	my $session = $session{$who};
	for my $end ('COMMIT', 'ROLLBACK')
	{
		my $before = $admin->value("SELECT reserved FROM shop.stock WHERE location = 'A'");
		$session->run('BEGIN');
		my $number = order($session);
		is($session->state("UPDATE shop.fulfillments SET status = 'shipped' WHERE number = '$number-1'"), '00000', "$who: ships");
		$session->run("PREPARE TRANSACTION 'p'");
		is($admin->value("SELECT count(*) FROM shop.orders WHERE number = '$number'"), '0', "$who: PREPARE TRANSACTION");
		sound('prepared');
		$session->run("$end PREPARED 'p'");
		is($admin->value("SELECT count(*) FROM shop.orders WHERE number = '$number' AND status = 'completed'"), $end eq 'COMMIT' ? '1' : '0', "$who: $end PREPARED");
		is($admin->value("SELECT reserved FROM shop.stock WHERE location = 'A'"), $before, "$who: and nothing stays reserved");
		sound("$end PREPARED");
	}

	# the engine's work goes with the savepoint, and so does whom it acted as
	$session->run('BEGIN');
	$session->run('SAVEPOINT a');
	order($session);
	$session->run('SAVEPOINT b');
	is($session->state(Session::place('shop', '', X => 1_000_000)), 'OM003', "$who: fails inside the engine");
	$session->run('ROLLBACK TO b');
	is($session->value('SELECT current_user = session_user'), 't', "$who: is who it was");
	is($session->value('SHOW search_path'), '"$user", public', "$who: with its own path");
	$session->run('ROLLBACK TO a');
	my $number = order($session);
	$session->run('SAVEPOINT c');
	is($session->state("UPDATE shop.orders SET status = 'canceled' WHERE number = '$number'"), '00000', "$who: cancels");
	$session->run('ROLLBACK TO c');
	is($session->state("UPDATE shop.fulfillments SET status = 'shipped' WHERE number = '$number-1'"), '00000', "$who: and ships after all");
	$session->run('COMMIT');
	is($admin->value("SELECT status FROM shop.orders WHERE number = '$number'"), 'completed', "$who: as if nothing had been");
	sound('savepoints');

	# a cursor of an older snapshot does not undo what came later
	$number = order($session);
	$session->run('BEGIN');
	$session->run("DECLARE c CURSOR FOR SELECT number FROM shop.fulfillments WHERE number = '$number-1' FOR UPDATE");
	$session->run('FETCH c');
	is($session->state("UPDATE shop.fulfillments SET status = 'packed' WHERE CURRENT OF c"), 'OM001', "$who: WHERE CURRENT OF, no move");
	$session->run('ROLLBACK');
	$session->run('BEGIN');
	$session->run("DECLARE c CURSOR FOR SELECT number FROM shop.fulfillments WHERE number = '$number-1' FOR UPDATE");
	$session->run('FETCH c');
	$session->run("UPDATE shop.fulfillments SET status = 'picking' WHERE CURRENT OF c");
	$session->run("UPDATE shop.fulfillments SET status = 'shipped' WHERE CURRENT OF c");
	$session->run('COMMIT');
	is($admin->value("SELECT units_shipped FROM shop.orders WHERE number = '$number'"), '2', "$who: WHERE CURRENT OF, two moves");
	sound('cursors');
}

# ---- what other sessions do to the tables meanwhile

order($clerk);    # plans are kept
$owner->run('CREATE RULE r AS ON UPDATE TO shop.stock DO INSTEAD NOTHING');
is($clerk->state(Session::place('shop', '', X => 1)), '55000', 'a rule that loses writes of stock');
$owner->run('DROP RULE r ON shop.stock');
is($clerk->state(Session::place('shop', '', X => 1)), '00000', 'is forgotten once it is dropped');
sound('rules');

$owner->run('ALTER SCHEMA shop RENAME TO shop2');
is($clerk->state(Session::place('shop', '', X => 1)), 'OM010', 'a renamed store has no old name');
is($clerk->state(Session::place('shop2', '', X => 1)), '00000', 'but a new one');
$owner->run('ALTER SCHEMA shop2 RENAME TO "we""ird; --"');
is($clerk->state(Session::place('we"ird; --', '', X => 1)), '00000', 'even one that needs quoting');
is($clerk->state(q(UPDATE "we""ird; --".fulfillments SET status = 'packed')), 'OM001', 'with the same rules');
$owner->run('ALTER SCHEMA "we""ird; --" RENAME TO shop');
is($clerk->state(Session::place('shop', '', X => 1)), '00000', 'and its old one again');
sound('names');

$owner->run('ALTER TABLE shop.orders DISABLE TRIGGER oms_recheck');
like(Session::violations($admin, 'shop'), qr/triggers/, 'a disabled trigger is seen');
$owner->run('ALTER TABLE shop.orders ENABLE TRIGGER oms_recheck');
sound('enabled again');

# ---- a superuser is not held, but seen

my $number = order($clerk);
$admin->run('BEGIN');
$admin->run('SET LOCAL session_replication_role = replica');
$admin->run("UPDATE shop.orders SET status = 'completed' WHERE number = '$number'");
like(Session::violations($admin, 'shop'), qr/log's last word/, 'a superuser in session_replication_role = replica is seen');
$admin->run('ROLLBACK');
$admin->run('BEGIN');
$admin->run('SET LOCAL session_replication_role = replica');
$admin->run("DELETE FROM shop.orders WHERE number = '$number'");
isnt(Session::violations($admin, 'shop'), '', 'a removed order is seen');
$admin->run('ROLLBACK');
sound('rolled back');

# ---- what the library exports: another one's helper of the same name must
# not be ours, nor ours its (a name with __ is the compiler's)

my $library = $node->config_data('--pkglibdir') . '/oms.so';
SKIP:
{
	skip 'no nm', 2 unless -e $library && `nm --version 2>/dev/null`;
	my @symbols = map { (split)[2] } grep { /^\S+ [A-Z] / } split /\n/, `nm -D --defined-only $library`;
	cmp_ok(scalar @symbols, '>', 50, 'nm lists symbols');
	is(join(' ', grep { !/^(oms_\w+|__.*|pg_finfo_oms_\w+|Pg_magic_func|_PG_init)$/ } @symbols), '', 'all exported symbols are named oms_');
}

done_testing();
