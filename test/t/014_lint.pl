# oms.lint against brute force.  Random workflows on small graphs are linted,
# and then played through here: every walk that comes to no state twice with
# the same row is walked, with rows that are what the engine keeps (where the
# stock is, how many units, how much money) and guards and actions that do what
# the reference says.  Nothing of this is how lint does it.  Each finding must
# be one of these, each of these a finding, the witness a walk that shows it,
# and none shorter.

use strict;
use warnings;

use List::Util qw(shuffle);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{OMS_SEED} || time;
my $count = $ENV{OMS_COUNT} || 1500;
note("OMS_SEED=$seed");
srand($seed);

my %guards = (
	order => [qw(unheld payable paid fulfilled unshipped allocated all_canceled)],
	fulfillment => [qw(order_confirmed order_unheld group_complete due)]);
my %actions = (
	order => [qw(reserve confirm release)],
	fulfillment => [qw(issue deliver release reroute restock)]);

sub pick { return $_[ rand @_ ] }

# a random workflow: {entity, states, final, moves, text}
sub make
{
	my $entity = pick('order', 'order', 'fulfillment', 'fulfillment', '');
	my $n = 2 + int rand 4;
	my @states = map { "s$_" } 0 .. $n - 1;
	my %final = map { $_ => 1 } grep { rand() < 0.3 } @states;
	my (@moves, %taken);
	my $autos = pick(0.1, 0.3, 0.7);
	my $strange = pick(0, 0.05, 0.3);

	for (1 .. 2 + int rand 2 * $n)
	{
		# mostly where moves have led already
		my $from = rand() < 0.15 ? pick(@states) : pick('s0', map { $_->{to} } @moves);
		my $to = pick(@states);
		my $auto = rand() < $autos ? 1 : 0;
		my @names = $entity ? ($guards{$entity}, $actions{$entity}) : (map { [ map { @$_ } values %$_ ] } \%guards, \%actions);
		my (%guard, %action);

		next if $from eq $to || $taken{"$from $to $auto"}++ || $final{$from} && rand() < 0.7;
		$guard{ rand() < $strange ? 'mine' : pick(@{ $names[0] }) } = 1 while rand() < 0.4;
		$action{ rand() < $strange ? 'ours' : pick(@{ $names[1] }) } = 1 while rand() < 0.35;
		push @moves, { from => $from, to => $to, auto => $auto, guards => [ sort keys %guard ], actions => [ shuffle keys %action ] };
	}
	my $text = 'initial s0; ' . join('', map {
		"$_->{from} -> $_->{to}" . (@{ $_->{guards} } ? ' when ' . join(', ', @{ $_->{guards} }) : '')
		  . (@{ $_->{actions} } ? ' do ' . join(', ', @{ $_->{actions} }) : '') . ($_->{auto} ? ' auto' : '') . '; '
	} @moves);
	$text .= 'final ' . join(', ', sort keys %final) if %final;
	my %there = map { $_ => 1 } 's0', keys %final, map { ($_->{from}, $_->{to}) } @moves;
	return { entity => $entity, states => [ sort keys %there ], final => \%final, moves => \@moves, text => $text };
}

# ---- rows and what becomes of them

# act(entity, action, stock): what the stock is then; undef: there was nothing
# to act on, and the engine refuses the move
sub act
{
	my ($entity, $action, $stock) = @_;

	if ($entity eq 'order')
	{
		return 'taken' if $action eq 'reserve' && $stock eq 'draft';
		return 'none' if $action eq 'release' && $stock eq 'taken';
	}
	elsif ($entity eq 'fulfillment')
	{
		return $stock eq 'reserved' ? 'issued' : undef if $action eq 'issue';
		return $stock eq 'reserved' ? 'released' : undef if $action =~ /^(release|reroute)$/;
		return $stock eq 'issued' ? 'issued delivered' : undef if $action eq 'deliver';
		return $stock =~ /^issued/ ? 'released' : undef if $action eq 'restock';
	}
	return $stock;
}

# make_move(workflow, move, stock): (the stock after it, undef where the move is
# refused or leads nowhere; whether an action had nothing to act on)
sub make_move
{
	my ($w, $move, $stock) = @_;
	my $wrong = 0;

	$stock = 'none' if $w->{entity} eq 'order' && $stock eq 'taken' && grep { /^(fulfilled|all_canceled)$/ } @{ $move->{guards} };
	for my $action (@{ $move->{actions} })
	{
		my $next = act($w->{entity}, $action, $stock);

		if (!defined $next)
		{
			$wrong = 1;

			# goods that never left cannot arrive or return: they stay
			# reserved, and lint follows where to
			return (undef, 1) unless $action =~ /^(deliver|restock)$/ && $stock eq 'reserved';
			$next = $stock;
		}
		$stock = $next;
	}
	return ($stock, $wrong);
}

sub first_stock { return { order => 'draft', fulfillment => 'reserved', '' => 'x' }->{ $_[0]->{entity} } }
sub is_held { return $_[0] =~ /^(taken|reserved)$/ }

# walk_all(workflow, found, plain, state, stock, length, seen): every walk; found
# collects the length of the shortest that shows something
sub walk_all
{
	my ($w, $found, $plain, $state, $stock, $length, $seen) = @_;
	my $note = sub {
		my ($what, $n) = @_;
		$found->{$what} = $n if !exists $found->{$what} || $found->{$what} > $n;
	};

	return if $seen->{"$state $stock"};
	local $seen->{"$state $stock"} = 1;
	$note->($plain ? "at $state" : is_held($stock) ? "held $state" : 'any', $length);
	for my $move (grep { $_->{from} eq $state } @{ $w->{moves} })
	{
		my ($next, $wrong) = $plain ? ('', 0) : make_move($w, $move, $stock);

		$note->("wrong $state -> $move->{to} $move->{auto}", $length + 1) if $wrong;
		walk_all($w, $found, $plain, $move->{to}, $next, $length + 1, $seen) if defined $next;
	}
	return;
}

# calls_back(workflow, action, state, seen): a held row can come to such a move
sub calls_back
{
	my ($w, $action, $state, $seen) = @_;
	my $held = $w->{entity} eq 'order' ? 'taken' : 'reserved';

	return 0 if $seen->{$state}++;
	for my $move (grep { $_->{from} eq $state } @{ $w->{moves} })
	{
		my ($stock, @done) = ($held);

		$stock = 'none' if $w->{entity} eq 'order' && grep { /^(fulfilled|all_canceled)$/ } @{ $move->{guards} };
		for (@{ $move->{actions} })
		{
			return 1 if $_ eq $action && $stock eq $held;
			$stock = act($w->{entity}, $_, $stock) // (/^(deliver|restock)$/ ? $stock : 'none');
		}
		return 1 if $stock eq $held && calls_back($w, $action, $move->{to}, $seen);
	}
	return 0;
}

# ---- automatic moves, on orders as they may be

# what guards say of each order that there can be, without repeats
my %orders;
for my $units (0 .. 2)
{
	for my $placed (0, 1)
	{
		for my $shipped (0 .. ($placed ? $units : 0))
		{
			for my $canceled (0 .. ($placed ? $units - $shipped : 0))
			{
				for my $waiting (0 .. ($placed ? $units - $shipped - $canceled : 0))
				{
					for my $money (0 .. 53)
					{
						my ($required, $due, $captured, $authorized) = ($money % 2, int($money / 2) % 3, int($money / 6) % 3, int($money / 18) % 3);
						my %g = (
							payable => !$required || $authorized + $captured >= $due,
							paid => !$required || $captured >= $due,
							fulfilled => $units == 0 || ($canceled + $shipped == $units && $shipped > 0),
							unshipped => $shipped == 0,
							allocated => $placed && $waiting == 0,
							all_canceled => $units > 0 && $canceled == $units);
						for my $unheld (0, 1)
						{
							my $key = join ' ', sort((grep { $g{$_} } keys %g), $unheld ? 'unheld' : ());
							$orders{$key} = { map { $_ => 1 } split / /, $key };
						}
					}
				}
			}
		}
	}
}
my @parcels = map { my $n = $_; +{ map { $guards{fulfillment}[$_] => 1 } grep { $n >> $_ & 1 } 0 .. $#{ $guards{fulfillment} } } } 0 .. 2 ** @{ $guards{fulfillment} } - 1;

# loops(workflow, reached): the states of each circle, sorted and joined
sub loops
{
	my ($w, $reached) = @_;
	my %loops;

	for my $facts ($w->{entity} eq 'order' ? values %orders : $w->{entity} ? @parcels : {})
	{
		my $next = sub {
			my ($state) = @_;
			for my $move (grep { $_->{from} eq $state && $_->{auto} } @{ $w->{moves} })
			{
				return $move->{to} if !grep { !$facts->{$_} } @{ $move->{guards} };
			}
			return;
		};
		for my $start (@$reached)
		{
			my ($state, @trail) = ($start);
			for (1 .. 2 * @{ $w->{states} })
			{
				push @trail, $state;
				$state = $next->($state);
				last if !defined $state;
			}
			next if !defined $state;
			my (%circle, $at);
			$at = $state;
			do { $circle{$at} = 1; $at = $next->($at) } until $at eq $state;
			$loops{ join ' ', sort keys %circle } = 1;
		}
	}
	return keys %loops;
}

# expected(workflow): code and subject => length of the shortest witness
sub expected
{
	my ($w) = @_;
	my (%plain, %flow, %expected, %unknown);

	walk_all($w, \%plain, 1, 's0', '', 0, {});
	walk_all($w, \%flow, 0, 's0', first_stock($w), 0, {});
	for my $state (@{ $w->{states} })
	{
		my @out = grep { $_->{from} eq $state } @{ $w->{moves} };
		my $at = $plain{"at $state"};
		my $held = $flow{"held $state"};
		my %onward;

		if (!defined $at) { $expected{"unreachable_state $state"} = ''; next }
		walk_all($w, \%onward, 1, $state, '', 0, {});
		if ($w->{final}{$state}) { $expected{"final_with_exit $state"} = $at + 1 if @out }
		elsif (!@out) { $expected{"dead_end $state"} = $at }
		elsif (!grep { exists $onward{"at $_"} } keys %{ $w->{final} }) { $expected{"no_path_to_final $state"} = $at }
		next if !$w->{entity} || !defined $held;
		if ($w->{final}{$state}) { $expected{ ($w->{entity} eq 'order' ? 'reservation_leak' : 'stock_leak') . " $state" } = $held; next }
		$expected{"cannot_release $state"} = $held if !calls_back($w, 'release', $state, {});
		$expected{"cannot_reroute $state"} = $held if $w->{entity} eq 'fulfillment' && !calls_back($w, 'reroute', $state, {});
	}
	for my $what (grep { /^wrong / } keys %flow)
	{
		my ($from, $to, $auto) = $what =~ /^wrong (\w+) -> (\w+) (\d)/;
		my $key = "stock_twice $from -> $to";
		push @{ $expected{$key} }, $flow{$what};
	}
	$_ = ref $_ ? join(' ', sort { $a <=> $b } @$_) : $_ for values %expected;

	my %known = map { $_ => 1 } map { @$_ } $w->{entity} ? ($guards{ $w->{entity} }) : values %guards;
	my %known_actions = map { $_ => 1 } map { @$_ } $w->{entity} ? ($actions{ $w->{entity} }) : values %actions;
	for my $move (@{ $w->{moves} })
	{
		my $at = defined $plain{"at $move->{from}"} ? $plain{"at $move->{from}"} + 1 : '';
		$unknown{"guard $_"} //= [ "unknown_guard $move->{from} -> $move->{to}", $at ] for grep { !$known{$_} } @{ $move->{guards} };
		$unknown{"action $_"} //= [ "unknown_action $move->{from} -> $move->{to}", $at ] for grep { !$known_actions{$_} } @{ $move->{actions} };
	}
	$expected{ $_->[0] } = $_->[1] for values %unknown;
	return \%expected;
}

# ---- is a witness one?

# shows(workflow, code, subject, states): the walk is one and ends in the fault
sub shows
{
	my ($w, $code, $subject, @walk) = @_;
	my %stock = (first_stock($w) => 1);

	return 0 if $walk[0] ne 's0';
	for my $n (1 .. $#walk)
	{
		my (%next, $any, $wrong);
		for my $move (grep { $_->{from} eq $walk[ $n - 1 ] && $_->{to} eq $walk[$n] } @{ $w->{moves} })
		{
			$any = 1;
			for my $stock (keys %stock)
			{
				my ($after, $is_wrong) = make_move($w, $move, $stock);
				$wrong ||= $is_wrong;
				$next{$after} = 1 if defined $after;
			}
		}
		return 0 if !$any;
		return $wrong && $subject eq "$walk[-2] -> $walk[-1]" if $code eq 'stock_twice' && $n == $#walk;
		%stock = %next;
	}
	return $walk[-1] eq $subject && grep { is_held($_) } keys %stock if $code =~ /_leak$|^cannot_/;
	return $walk[-2] eq $subject if $code eq 'final_with_exit';
	return $subject eq "$walk[-2] -> $walk[-1]" if $code =~ /^unknown_/;
	return $walk[-1] eq $subject;
}

# ---- play

my @made = map { make() } 1 .. $count;
my $node = PostgreSQL::Test::Cluster->new('lint');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION oms');
my $answer = $node->safe_psql('postgres', "SELECT n, l.code, l.subject, l.message FROM (VALUES "
	  . join(', ', map { "($_, '$made[$_]{text}', '$made[$_]{entity}')" } 0 .. $#made)
	  . ") AS w(n, definition, entity), oms.lint(definition::oms.workflow, nullif(entity, '')) AS l");
$node->stop;

my (@found, %seen);
for (split /\n/, $answer)
{
	my ($n, $code, $subject, $message) = split /\|/, $_, 4;
	push @{ $found[$n] }, [ $code, $subject, $message ];
	$seen{$code}++;
}

my @wrong;
for my $n (0 .. $#made)
{
	my $w = $made[$n];
	my $expected = expected($w);
	my (%got, @loops, @faults, %plain);

	for my $finding (@{ $found[$n] || [] })
	{
		my ($code, $subject, $message) = @$finding;
		my @walk = $message =~ /\((s\d(?: -> s\d)*)\)/ ? split / -> /, $1 : ();
		my $length = @walk ? $#walk : '';

		if ($code eq 'auto_loop') { push @loops, [ $subject, @walk ]; next }
		push @faults, "no witness: $code $subject: $message" if @walk && !shows($w, $code, $subject, @walk);
		my $key = "$code $subject";
		$got{$key} = $code eq 'stock_twice' && exists $got{$key} ? join(' ', sort { $a <=> $b } $got{$key}, $length) : $length;
	}
	for (sort { $a cmp $b } keys %{ { %got, %$expected } })
	{
		my ($is, $should) = map { $_ // 'none' } $got{$_}, $expected->{$_};
		push @faults, "$_: lint says $is, brute force $should" if $is ne $should;
	}

	walk_all($w, \%plain, 1, 's0', '', 0, {});
	my @circles = loops($w, [ grep { exists $plain{"at $_"} } @{ $w->{states} } ]);
	for my $loop (@loops)
	{
		my ($subject, @walk) = @$loop;
		my ($first) = grep { $walk[$_] eq $subject } 0 .. $#walk;
		my $circle = join ' ', sort @walk[ $first + 1 .. $#walk ];
		push @faults, "no loop: @walk" if $walk[-1] ne $subject || $plain{"at $subject"} != $first || !shows($w, 'auto_loop', $subject, @walk) || !grep { $_ eq $circle } @circles;
	}
	for my $circle (@circles)
	{
		push @faults, "loop $circle not found" if !grep { my $s = $_->[0]; grep { $_ eq $s } split / /, $circle } @loops;
	}
	push @wrong, map { "$w->{entity}: $w->{text}: $_" } @faults;
}
is(scalar @wrong, 0, "$count workflows, each linted as it is played through") or diag(join "\n", @wrong[ 0 .. ($#wrong < 9 ? $#wrong : 9) ]);
for my $code (qw(unreachable_state dead_end final_with_exit no_path_to_final auto_loop unknown_guard unknown_action stock_leak stock_twice reservation_leak cannot_reroute cannot_release))
{
	cmp_ok($seen{$code} // 0, '>', $count / 200, "$code: $seen{$code} times");
}

done_testing();
