# Workflows as people edit them, saved as rows and then walked along every path
# like the default ones (016_walks.pl): what lint lets pass must run.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;
use Walker;

my $node = PostgreSQL::Test::Cluster->new('edited');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\njit = off\n");
$node->start;
my $s = Session->new($node);
$s->run('CREATE EXTENSION oms');
my $w = Walker->new($s, 'shop');

# edited($text, from => to...): replaced, all of which must be there
sub edited
{
	my ($text, @edits) = @_;
	while (my ($from, $to) = splice @edits, 0, 2)
	{
		die "no $from in $text" if index($text, $from) < 0;
		$text =~ s/\Q$from\E/$to/g;
	}
	return $text;
}

sub definition { my ($name) = @_; return $s->value("SELECT definition FROM shop.workflows WHERE name = '$name'") }

# edit($name, from => to...): the row itself
sub edit
{
	my ($name, @edits) = @_;
	$s->run("UPDATE shop.workflows SET definition = \$\$" . edited(definition($name), @edits) . "\$\$ WHERE name = '$name'");
}

# order_workflow($name, $definition): a new one, which the channels' new orders follow
sub order_workflow
{
	my ($name, $definition) = @_;
	$s->run("INSERT INTO shop.workflows (name, entity, definition) VALUES ('$name', 'order', \$\$$definition\$\$)");
	$s->run("UPDATE shop.channels SET order_workflow = '$name'");
}
my $standard = definition('standard');

# ---- parcels

# a gift is wrapped before it leaves, once a function of the store finds it ready
$s->run(q{CREATE FUNCTION shop.gift_ready(shop.fulfillments) RETURNS boolean LANGUAGE sql AS $$ SELECT ($1.attributes ->> 'gift_ready')::boolean $$});
edit('ship', 'packed -> picking -> released;' => 'packed -> picking -> released; packed -> wrapped; wrapped -> packed;',
	'released, picking, packed -> shipped when order_unheld do issue;' => 'wrapped -> shipped when order_unheld, gift_ready do issue;',
	'open, released, picking, packed ->' => 'open, released, picking, packed, wrapped ->');
$w->walk_methods(methods => ['ship']);

# it is packed by itself as soon as all is scanned
$s->run(q{CREATE FUNCTION shop.is_scanned(shop.fulfillments) RETURNS boolean LANGUAGE sql AS $$ SELECT ($1.attributes ->> 'is_scanned')::boolean $$});
edit('local_delivery', 'released -> picking -> packed;' => 'released -> picking; picking -> packed when is_scanned auto;',
	'packed -> picking -> released;' => 'picking -> released;', 'out_for_delivery, attempted -> returned_to_sender do restock;' => 'attempted -> returned_to_sender do restock;');
$w->walk_methods(methods => ['local_delivery']);

# the customs have a look, and a second person looks into the bag
edit('pickup', 'released -> picking -> ready_for_pickup;' => 'released -> picking -> customs -> checked -> ready_for_pickup; customs -> picking;',
	'ready_for_pickup -> picking -> released;' => 'picking -> released;', 'open, released, picking, ready_for_pickup ->' => 'open, released, picking, customs, checked, ready_for_pickup ->');
$w->walk_methods(methods => ['pickup']);

# what has been sent back is inspected and filed, what was handed over can come back
edit('counter', 'final handed_over, canceled, rejected;' => 'handed_over -> returned do restock; handed_over, returned -> filed; final filed, canceled, rejected;');
$w->walk_methods(methods => ['counter']);

# nobody picks: a parcel leaves when its order is confirmed
$s->run(q{INSERT INTO shop.workflows (name, entity, definition) VALUES ('at_once', 'fulfillment',
	'initial waiting; waiting -> gone when order_confirmed, order_unheld, group_complete do issue auto; gone -> there do deliver;
	waiting -> off do release; waiting -> no do reroute; gone -> back do restock; final there, off, no, back')});
$s->run(q{INSERT INTO shop.methods (code, name, workflow) VALUES ('at_once', 'At once', 'at_once')});
$w->walk_methods(methods => ['at_once']);
is(join(' ', sort keys %{ $w->{walked} }), 'at_once counter local_delivery pickup ship', 'all of these were walked');

# ---- orders

# somebody else must approve, who is asked by a hold
$s->run(q{CREATE FUNCTION shop.ask_approval(shop.orders) RETURNS void LANGUAGE sql AS $$ INSERT INTO shop.order_holds (order_id, kind, reason) VALUES ($1.id, 'approval', 'a second pair of eyes') $$});
my $money = [qw(free card_less gateway beyond)];
my %orders = (
	approved => [ edited($standard, 'placed -> confirmed when unheld, payable do confirm auto;' =>
		  'placed -> checked when unheld, payable do ask_approval auto; checked -> confirmed when unheld, payable do confirm auto;',
		'placed, confirmed ->' => 'placed, checked, confirmed ->') ],

	# parcels go as soon as the order is placed and not held
	unconfirmed => [ edited($standard, 'do reserve;' => 'do reserve, confirm;', 'placed -> confirmed when unheld, payable do confirm auto;' => '',
		'confirmed -> completed' => 'placed -> completed', 'placed, confirmed ->' => 'placed ->') ],

	# all by hand
	by_hand => [ edited($standard, ' auto' => '', 'placed, confirmed -> canceled when all_canceled do release;' => '') ],

	# money first
	prepaid => [ edited($standard, 'when unheld, payable' => 'when unheld, paid') ],

	# what has not left is called off, also after a part has
	stopped => [ edited($standard, 'final completed' => 'confirmed -> stopped do release; final stopped, completed'), before => \&ship_one ],

	# a bill is sent between the goods and the money
	billed => [ edited($standard, 'confirmed -> completed when fulfilled, paid auto;' => 'confirmed -> billed when fulfilled auto; billed -> completed when paid auto;') ],

	# guards seen at every step: states that only next_moves looks at
	asked => [ edited($standard, 'final completed' => 'placed, confirmed -> is_payable when payable; placed, confirmed -> is_paid when paid;
		placed, confirmed -> is_whole when allocated; is_payable, is_paid, is_whole -> canceled do release; final completed'),
		modes => [ WaysToPay::names() ], only => sub { return !grep { $_->{to} =~ /^is_/ } @{ $_[0] } } ]);

# ship_one: a unit leaves before the rest is stopped
sub ship_one
{
	my ($walker, $row, $move) = @_;
	my $o = $walker->{order};
	return if $move->{to} ne 'stopped';
	my ($f) = grep { $_->{stock_state} eq 'reserved' } @{ $o->{parcels} };
	my ($table, $which) = $walker->where($f);
	$walker->step('a unit is divided off', qq{SELECT shop.split_fulfillment((SELECT id FROM shop.fulfillments WHERE $which), '[{"line": 1, "quantity": 1}]')}, sub { $_[0]->divide($f, 1) });
	my $new = $o->{parcels}[-1];
	$walker->bring($new, ($walker->way($new, Walker::does('issue')))[0]) while $new->{stock_state} eq 'reserved';
}

for my $name (sort keys %orders)
{
	my ($definition, %what) = @{ $orders{$name} };
	order_workflow($name, $definition);
	$w->walk_all(title => $name, row => 'order', modes => $money, method => 'local_delivery', %what);
}
note join ', ', "$w->{steps} steps", map { "$_ $w->{walked}{$_}" } sort keys %{ $w->{walked} };

# ---- other names for all states

my $other = Walker->new($s, 'other');
for my $row (@{ $s->run('SELECT name, definition, (SELECT string_agg(state, \'|\') FROM oms.states(compiled)) FROM other.workflows')->{rows} })
{
	my ($name, $text, $states) = @$row;
	$text =~ s/\b($states)\b/'z_' . reverse($1) . '_9'/ge;
	$s->run("UPDATE other.workflows SET definition = \$\$$text\$\$ WHERE name = '$name'");
}
is($s->value(q{SELECT count(*) FROM other.workflows, oms.states(compiled) WHERE state !~ '^z_.*_9$'}), 0, 'no state has kept its name');
$other->walk_methods(methods => [ map { $_->[0] } @{ $s->run('SELECT code FROM other.methods ORDER BY code')->{rows} } ]);
$other->walk_all(title => 'standard', row => 'order', modes => $money);
is(join(' ', sort keys %{ $other->{walked} }), $s->value("SELECT string_agg(name, ' ' ORDER BY name COLLATE \"C\") FROM other.workflows"), 'every renamed workflow was walked');
note join ', ', "$other->{steps} steps", map { "$_ $other->{walked}{$_}" } sort keys %{ $other->{walked} };
done_testing;
