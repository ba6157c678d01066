# Every default workflow, walked from its initial to its final states on each of
# its paths that visits no state twice, by orders that are paid in every way.
# After each step everything is compared with a model (OrderModel.pm): rows,
# counters, stock, axes, money, what is due back, and where each row can go; at
# the end of a path the log, and of each workflow verify_store.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;
use Walker;

my $node = PostgreSQL::Test::Cluster->new('walks');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\njit = off\n");
$node->start;
my $s = Session->new($node);
$s->run('CREATE EXTENSION oms');
my $w = Walker->new($s, 'shop');

# parcels, the ways to pay by turns; then held anew before each move that comes
# after confirmation; orders, each path in each way to pay
my @methods = map { $_->[0] } @{ $s->run('SELECT code FROM shop.methods ORDER BY code')->{rows} };
$w->walk_methods(methods => \@methods);
$w->walk_methods(methods => \@methods, before => \&Walker::hold_again, note => ', held anew');
$w->walk_all(title => 'standard', row => 'order', modes => [ WaysToPay::names() ]);

# as docs/operations.md says of holds
is($s->value(q{SELECT string_agg(DISTINCT w.name, ' ' ORDER BY w.name) FROM shop.workflows w, oms.moves(w.compiled) m WHERE 'issue' = ANY (m.actions) AND 'order_unheld' <> ALL (m.guards)}),
	'counter dropship service third_party', 'where goods leave though the order is held anew');
is(join(' ', sort keys %{ $w->{walked} }), $s->value("SELECT string_agg(name, ' ' ORDER BY name COLLATE \"C\") FROM shop.workflows"), 'every default workflow was walked');
cmp_ok((sort { $a <=> $b } values %{ $w->{modes} })[0], '>', 10, 'paid in each way');
note "$w->{steps} steps; ", join ', ', map { "$_ $w->{walked}{$_}" } sort keys %{ $w->{walked} };
done_testing;
