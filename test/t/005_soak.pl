# Eight sessions do everything at random, in transactions of all kinds, while
# sessions are canceled and terminated and the server is killed; in every snapshot of it
# everything adds up, and what was acknowledged is there.
#
# OMS_SECONDS=n makes it long; OMS_SEED=n repeats a run as far as timing allows.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Soak;
use Test::More;

my $seed = $ENV{OMS_SEED} // int(rand(1_000_000));
my $seconds = $ENV{OMS_SECONDS} // 8;
srand($seed);
note "OMS_SEED=$seed";

my $node = PostgreSQL::Test::Cluster->new('soak');
$node->init;
$node->append_conf('postgresql.conf', <<END);
fsync = off
restart_after_crash = on
max_prepared_transactions = 20
deadlock_timeout = 200ms
log_statement = none
log_line_prefix = '%m [%p] %e '
END
$node->start;

my $soak = Soak->new($node);
my $fault = $soak->run($seconds);
diag "caught $fault" if $fault;
is($fault, undef, "everything adds up all the time (OMS_SEED=$seed)");
note explain { done => $soak->{done}, planned_anew => $soak->{mix}{planned_anew}, map { $_ => $soak->{$_} } qw(orders snapshots recounts canceled terminated crashes) };

SKIP:
{
	skip 'the run was cut short', 4 if $fault;
	is_deeply([ $soak->idle ], [], 'every kind of statement had a turn');
	cmp_ok($soak->{snapshots} + $soak->{recounts}, '>', 10, 'the snapshots were many');
	cmp_ok($soak->{crashes}, '>', 0, 'the server was killed');
	cmp_ok($soak->{orders}, '>', 20, 'orders were placed');
}
my $log = slurp_file($node->logfile);
# one that is leaving while the server is brought down has nobody to tell so any more
$log =~ s/^.* could not send data to client: .*\n//mg;
my @internal = $log =~ /^.* (?:XX000 |PANIC|TRAP).*$|^.*terminated by signal (?!9).*$/mg;
is_deeply(\@internal, [], 'the log tells of no internal error');

if (!$fault)
{
	my $admin = Session->new($node);
	is($admin->value('SELECT count(*) FROM pg_prepared_xacts'), 0, 'no prepared transaction is left');
	is($admin->value('SELECT count(*) FROM pg_locks WHERE NOT granted'), 0, 'nobody waits');
	$admin->close;
}
$node->stop($fault ? 'immediate' : 'fast');
done_testing();
