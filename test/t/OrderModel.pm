# What an order should be, kept beside the store: a model written from what the
# reference says each guard and action means, not from how the engine does it.
# An order has one line of UNITS units and a charge; money is counted in
# hundredths of a cent, since the store keeps four decimals.
#
# Moves come from oms.moves, as lists of {from, to, guards, actions, automatic}
# in the order of the text; what they mean is written here.

package OrderModel;

use strict;
use warnings;

use constant {
	UNITS => 3,
	LINE => 356_900,    # 3 x 10.33 - 1.00 + 5.70 tax: a third of it is no whole number
	CHARGES => 58_300,    # 4.90 + 0.93 tax
};

# where a location's rerouted units are found next
our %next_place = (here => 'there', partner => 'other');

# new(%what): a draft. $what{machines}{$workflow}: its initial state, final ones
# and moves; $what{stock}{$location}: [on hand, reserved], which orders share
sub new
{
	my ($class, %what) = @_;
	my $self = bless {
		%what,
		(map { $_ => 0 } qw(placed confirmed canceled_at required approved canceled allocated shipped delivered returned)),
		attributes => {}, holds => {}, payments => [], parcels => [] }, $class;

	$self->enter($self->{machines}{ $what{workflow} }{initial});
	return $self;
}

sub enter
{
	my ($row, $state) = @_;
	$row->{status} = $state;
	push @{ $row->{trail} }, $state;
}

sub machine { my ($self, $row) = @_; return $self->{machines}{ $row->{workflow} } }

sub is_closed { my ($self) = @_; return exists $self->machine($self)->{final}{ $self->{status} } }

# ---- money

sub sum { my ($self, $what) = @_; my $sum = 0; $sum += $_->{$what} for @{ $self->{payments} }; return $sum }

sub total { return LINE + CHARGES }

# what is owed no more: canceled units in proportion, the charges with the last
sub credited
{
	my ($self) = @_;
	return LINE + CHARGES if $self->{canceled} == UNITS;
	return int(LINE * $self->{canceled} / UNITS + 0.5);
}

sub due { my ($self) = @_; return total() - $self->credited }

sub refund_due
{
	my ($self) = @_;
	my $much = $self->sum('captured') - $self->sum('refunded') - $self->sum('charged_back') - $self->due;
	return $self->sum('captured') > 0 && $much > 0 ? $much : 0;
}

sub payment_status
{
	my ($self) = @_;
	my ($captured, $refunded) = ($self->sum('captured'), $self->sum('refunded'));
	return 'charged_back' if $self->sum('charged_back') > 0;
	return 'refunded' if $captured > 0 && $refunded == $captured;
	return 'partially_refunded' if $refunded > 0;
	return $captured >= $self->due ? 'paid' : 'partially_paid' if $captured > 0;
	return $self->sum('authorized') > 0 ? 'authorized' : 'unpaid';
}

sub status_of_payment
{
	my ($p) = @_;
	return 'charged_back' if $p->{charged_back} > 0;
	return 'refunded' if $p->{captured} > 0 && $p->{refunded} == $p->{captured};
	return 'partially_refunded' if $p->{refunded} > 0;
	return 'captured' if $p->{captured} > 0 && $p->{captured} >= $p->{amount};
	return 'partially_captured' if $p->{captured} > 0;
	return 'authorized' if $p->{authorized} > 0;
	return 'voided' if $p->{voided} > 0;
	return $p->{failures} > 0 && !$p->{open} ? 'failed' : 'pending';
}

sub add_payment
{
	my ($self, $amount) = @_;
	push @{ $self->{payments} }, { amount => $amount, open => 0, map { $_ => 0 } qw(authorized captured voided refunded charged_back failures refund_requested) };
}

# transact($payment, $kind, $outcome, $amount, $answers): a transaction, which may answer the open request
sub transact
{
	my ($self, $number, $kind, $outcome, $amount, $answers) = @_;
	my $p = $self->{payments}[$number];

	if ($outcome eq 'requested' || $answers)
	{
		my $sign = $outcome eq 'requested' ? 1 : -1;
		$p->{open} += $sign;
		$p->{refund_requested} += $sign * $amount if $kind eq 'refund';
	}
	$p->{failures}++ if $outcome eq 'failed';
	return if $outcome ne 'succeeded';
	$p->{ { sale => 'captured', capture => 'captured', authorize => 'authorized', void => 'voided', refund => 'refunded' }->{$kind} // 'charged_back' } +=
	  $kind eq 'chargeback_reversal' ? -$amount : $amount;
	$p->{authorized} -= $amount if $kind =~ /^(capture|void)$/;
}

# ---- guards

sub payable
{
	my ($self) = @_;
	return !$self->{required} || $self->{approved} || $self->sum('authorized') + $self->sum('captured') >= $self->due;
}

sub paid { my ($self) = @_; return !$self->{required} || $self->sum('captured') >= $self->due }

my %guards = (
	unheld => sub { my ($o) = @_; return !%{ $o->{holds} } },
	payable => \&payable,
	paid => \&paid,
	allocated => sub { my ($o) = @_; return $o->{placed} },
	unshipped => sub { my ($o) = @_; return $o->{shipped} == 0 },
	fulfilled => sub { my ($o) = @_; return $o->{shipped} > 0 && $o->{shipped} + $o->{canceled} == UNITS },
	all_canceled => sub { my ($o) = @_; return $o->{canceled} == UNITS },
	order_confirmed => sub { my ($o) = @_; return $o->{confirmed} },
	order_unheld => sub { my ($o) = @_; return !%{ $o->{holds} } },
	group_complete => sub { return 1 });

# refusing($row, $move): the first of a move's guards that says no; $row is the
# order itself or one of its parcels. A guard that is not built in holds where
# the row's attributes have its name.
sub refusing
{
	my ($self, $row, $move) = @_;
	for my $guard (@{ $move->{guards} })
	{
		my $holds = $guards{$guard};
		return $guard if !($holds ? $holds->($self) : $row->{attributes}{$guard});
	}
	return;
}

sub moves_from { my ($self, $row) = @_; return @{ $self->machine($row)->{from}{ $row->{status} } // [] } }

# ---- actions

my %actions = (
	issue => sub {
		my ($o, $f) = @_;
		$o->take($f, 'issued');
		$o->{shipped} += $f->{units};
		$f->{has_left} = 1;
		$o->{stock}{ $f->{at} }[0] -= $f->{units} if $o->{is_tracked};
	},
	deliver => sub {
		my ($o, $f) = @_;
		die 'delivered what has not left' if $f->{stock_state} ne 'issued' || $f->{has_arrived}++;
		$o->{delivered} += $f->{units};
	},
	release => sub {
		my ($o, $f) = @_;
		$o->take($f, 'released');
		$o->{canceled} += $f->{units};
	},
	reroute => sub {
		my ($o, $f) = @_;
		$o->take($f, 'released');
		$o->new_parcel($next_place{ $f->{at} }, $f->{units});
	},
	restock => sub {
		my ($o, $f) = @_;
		die 'restocked what has not left' if $f->{stock_state} ne 'issued';
		$f->{stock_state} = 'released';
		$o->{returned} += $f->{units};
		$o->{stock}{ $f->{at} }[0] += $f->{units} if $o->{is_tracked};
	});

my %order_actions = (
	reserve => sub {
		my ($o) = @_;
		return if $o->{placed}++;
		$o->new_parcel($o->{at}, UNITS);
		$o->{required} = $o->{channel_requires};
		return if !defined $o->{credit_limit} || !$o->{required} || $o->sum('authorized') + $o->sum('captured') >= $o->due;
		if ($o->due - $o->sum('captured') <= $o->{credit_limit}) { $o->{approved} = 1 }
		else { $o->{holds}{credit} = 1 }
	},
	confirm => sub { my ($o) = @_; $o->{confirmed} = 1 },
	release => sub {
		my ($o) = @_;
		$o->{canceled_at} = 1;
		$o->move($_, $o->releasing($_)) for grep { $_->{stock_state} eq 'reserved' } @{ $o->{parcels} };
	},
	# a function of the store, see 021_edited.pl
	ask_approval => sub { my ($o) = @_; $o->{holds}{approval} = 1 });

# take what is reserved, for good
sub take
{
	my ($self, $f, $state) = @_;
	die "$state what is $f->{stock_state}" if $f->{stock_state} ne 'reserved';
	$f->{stock_state} = $state;
	$self->{allocated} -= $f->{units};
	$self->{stock}{ $f->{at} }[1] -= $f->{units} if $self->{is_tracked};
}

sub new_parcel
{
	my ($self, $at, $units) = @_;
	my $f = { workflow => $self->{parcel_workflow}, at => $at, units => $units, stock_state => 'reserved', has_left => 0, has_arrived => 0, attributes => {} };

	enter($f, $self->machine($f)->{initial});
	$self->{allocated} += $units;
	$self->{stock}{$at}[1] += $units if $self->{is_tracked};
	push @{ $self->{parcels} }, $f;
	return $f;
}

# divide($f, $units): so many go into a parcel of their own, in the same state
sub divide
{
	my ($self, $f, $units) = @_;
	my $new = { %$f, units => $units, trail => [ $f->{status} ], attributes => { %{ $f->{attributes} } } };

	$f->{units} -= $units;
	push @{ $self->{parcels} }, $new;
	return $new;
}

# the move by which a parcel gives its units up
sub releasing
{
	my ($self, $f) = @_;
	my ($move) = grep { grep { $_ eq 'release' } @{ $_->{actions} } } $self->moves_from($f);
	return $move;
}

# move($row, $move): make it
sub move
{
	my ($self, $row, $move) = @_;
	enter($row, $move->{to});
	($row == $self ? $order_actions{$_} : $actions{$_})->($self, $row) for @{ $move->{actions} };
}

# settle: make the automatic moves that are open, of the order and its parcels,
# until none is
sub settle
{
	my ($self) = @_;
	for (1 .. 50)
	{
		my $made = 0;
		for my $row ($self, @{ $self->{parcels} })
		{
			my ($move) = grep { $_->{automatic} && !defined $self->refusing($row, $_) } $self->moves_from($row);
			next if !$move;
			$self->move($row, $move);
			$made = 1;
		}
		return if !$made;
	}
	die 'the model moves without end';
}

# cancel($units): so many of what has not left
sub cancel
{
	my ($self, $units) = @_;
	my ($f) = grep { $_->{stock_state} eq 'reserved' } @{ $self->{parcels} };
	$f = $self->divide($f, $units) if $units < $f->{units};
	$self->move($f, $self->releasing($f));
}

# ---- to compare

sub money { my ($n) = @_; return sprintf '%.4f', $n / 10_000 }

# open_moves($row): where it can go by the first move whose guards hold; else the
# guard that the first move fails by, or that some parcel has no way to let go
sub open_moves
{
	my ($self, $row) = @_;
	my (@targets, %says, %chosen);
	for my $move ($self->moves_from($row))
	{
		my $guard = $self->refusing($row, $move);
		push @targets, $move->{to} if !exists $says{ $move->{to} };
		$says{ $move->{to} } //= $guard;
		next if defined $guard || $chosen{ $move->{to} }++;
		my $is_stuck = $row == $self && grep({ $_ eq 'release' } @{ $move->{actions} })
		  && grep { $_->{stock_state} eq 'reserved' && !$self->releasing($_) } @{ $self->{parcels} };
		$says{ $move->{to} } = $is_stuck ? 'stuck' : '+';
	}
	return join ' ', map { "$_:$says{$_}" } @targets;
}

# expected: what seen() of Walker.pm should say of the order
sub expected
{
	my ($self) = @_;
	my $owed = UNITS - $self->{canceled};
	my ($n, @lines) = (0);
	push @lines, join ' ', 'order', $self->{status}, 'holds=' . keys %{ $self->{holds} },
	  'units=' . join('/', @$self{qw(canceled allocated shipped delivered returned)}, 0),
	  'money=' . join('/', map { money($_) } total(), $self->credited, map { $self->sum($_) } qw(authorized captured refunded charged_back)),
	  'axes=' . join('/', $self->payment_status,
		$self->{shipped} == 0 ? 'unfulfilled' : $self->{shipped} < $owed ? 'partial' : $self->{delivered} >= $owed ? 'delivered' : 'fulfilled',
		$self->{returned} == 0 ? 'none' : $self->{returned} < $self->{shipped} ? 'partial' : 'returned'),
	  map { "$_=" . (($_ eq 'closed' ? $self->is_closed : $self->{$_}) ? 1 : 0) } qw(placed confirmed closed canceled_at required approved);
	push @lines, 'can ' . $self->open_moves($self);
	push @lines, join ' ', 'parcel', ++$n, @$_{qw(at status stock_state units)}, "left=$_->{has_left}", "arrived=$_->{has_arrived}", 'can', $self->open_moves($_)
	  for @{ $self->{parcels} };
	push @lines, join ' ', 'payment', status_of_payment($_), (map { money($_) } @$_{qw(authorized captured voided refunded charged_back refund_requested)}), $_->{open}, $_->{failures}
	  for @{ $self->{payments} };
	push @lines, 'refund due ' . money($self->refund_due) if $self->refund_due;
	push @lines, join ' ', 'stock', map { "$_=" . join('/', @{ $self->{stock}{$_} }) } sort keys %{ $self->{stock} };
	return join "\n", map { s/ +$//r } @lines;
}

# where every row has been, in order
sub trails { my ($self) = @_; return join "\n", map { join ' ', @{ $_->{trail} } } $self, @{ $self->{parcels} } }

1;
