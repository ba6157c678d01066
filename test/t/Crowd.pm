# Sessions that place, ship and cancel until the server goes down under them,
# with an account of what it had acknowledged by then: that must be there when
# it comes up again, the rest either whole or not at all.

package Crowd;

use strict;
use warnings;

use IO::Select;
use Session;

use constant { SESSIONS => 6, PATIENCE => 180 };

my @skus = ('X', 'Y', 'Z');

# Crowd->new($admin, $store): make the store, with stock that lasts
sub new
{
	my ($class, $admin, $store) = @_;
	Session::make_store($admin, $store, @skus);
	Session::receive($admin, $store, $_, map { $_ => 2000 } @skus) for 'A', 'B';
	return bless { store => $store, last => 0, orders => {}, sessions => [], acknowledged => 0, bad => [] }, $class;
}

# join_in($node): connect
sub join_in
{
	my ($self, $node) = @_;
	$self->{sessions} = [ map { Session->new($node) } 1 .. SESSIONS ];
}

# A deed is a transaction: its statements, and what is true of which orders
# once it is acknowledged.  Each order is placed by one deed, and another may
# end it.  "known" of it is what must be found, "doubt" what may be found too.
sub deed
{
	my ($self) = @_;
	my $store = $self->{store};
	my $orders = $self->{orders};
	my @open = grep { $orders->{$_}{known} eq 'placed' && !$orders->{$_}{doubt} } keys %$orders;
	if (@open > 10 && rand() < 0.55)
	{
		my $ref = $open[ rand @open ];
		my ($fate, @statements) =
		    rand() < 0.5 ? ('shipped', "UPDATE $store.fulfillments f SET status = 'shipped' FROM $store.orders o WHERE o.id = f.order_id AND o.external_ref = '$ref'")
		  : rand() < 0.5 ? ('canceled', "UPDATE $store.orders SET status = 'canceled' WHERE external_ref = '$ref'")
		  :                ('canceled', "SELECT oms.cancel_lines('$store', id) FROM $store.orders WHERE external_ref = '$ref'");
		return $self->begin($fate, [$ref], @statements);
	}
	my (@refs, @statements);
	# two orders of a transaction want the same SKU, or they might deadlock
	my $many = rand() < 0.3 ? 2 : 1;
	for (1 .. $many)
	{
		my $ref = ++$self->{last};
		my %basket = map { $_ => 1 + int rand 3 } grep { $many == 1 && rand() < 0.6 } @skus;
		%basket = (X => 2) unless %basket;
		$orders->{$ref} = { basket => join(' ', map { "$_:$basket{$_}" } sort keys %basket), known => 'absent' };
		push @refs, $ref;
		push @statements, Session::place($store, qq("external_ref": "$ref"), %basket);
	}
	return $self->begin('placed', \@refs, @statements);
}

sub begin
{
	my ($self, $fate, $refs, @statements) = @_;
	$self->{orders}{$_}{doubt} = $fate for @$refs;
	@statements = ('BEGIN', @statements, 'COMMIT') if @statements > 1 || rand() < 0.5;
	return { fate => $fate, refs => $refs, statements => \@statements };
}

# a deed has ended, well or with an error
sub end
{
	my ($self, $deed, $well) = @_;
	for my $order (map { $self->{orders}{$_} } @{ $deed->{refs} })
	{
		delete $order->{doubt};
		$order->{known} = $deed->{fate} if $well;
	}
	$self->{acknowledged}++ if $well;
}

# answered($session): it is not busy any more; what is there to do next
sub answered
{
	my ($self, $session) = @_;
	my $deed = $session->{deed};
	my $result = $session->{result};
	if ($result->{state})
	{
		push @{ $self->{bad} }, "$result->{state} $result->{message}" unless $result->{state} eq '40001';
		$deed->{failed} = 1;
		$deed->{statements} = $session->{transaction} eq 'I' ? [] : ['ROLLBACK'];
	}
	if (@{ $result->{rows} } && $result->{sql} =~ /oms.place_order.*"external_ref": "(\d+)"/)
	{
		$self->{orders}{$1}{number} = $result->{rows}[0][1];
	}
	return if @{ $deed->{statements} };
	$self->end($deed, !$deed->{failed});
	delete $session->{deed};
}

# work($deeds, $down): at it, until so many more deeds are acknowledged; then
# call $down while others are under way, and hear what still comes of them.
# Without $down they are let end.
sub work
{
	my ($self, $deeds, $down) = @_;
	my $until = $self->{acknowledged} + $deeds;
	my %of = map { fileno($_->{socket}) => $_ } @{ $self->{sessions} };
	my $select = IO::Select->new(map { $_->{socket} } values %of);
	my $last = time;
	my $over = 0;
	my $go_on = sub {
		my ($session) = @_;
		return 0 if !$session->{deed} && $over;
		$session->{deed} //= $self->deed;
		$session->send(shift @{ $session->{deed}{statements} });
		return 1;
	};
	$go_on->($_) for values %of;
	while ($select->count)
	{
		my @ready = $select->can_read(1);
		$last = time if @ready;
		die 'stuck: ' . join('; ', map { $_->{result}{sql} } grep { $_->{busy} } values %of) if time - $last > PATIENCE;
		for my $socket (@ready)
		{
			my $session = $of{ fileno $socket };
			# at the end of the connection: what is under way stays in doubt
			my $answer = eval { $session->read_some };
			if (!defined $answer || ($session->{result}{state} // '') =~ /^57P/)
			{
				die $@ || $session->{result}{message} unless $over && $down;
				$select->remove($socket);
				next;
			}
			next unless $answer;
			$self->answered($session);
			$select->remove($socket) unless ($over && $down) || $go_on->($session);
		}
		if (!$over && $self->{acknowledged} >= $until)
		{
			$over = 1;
			$down->() if $down;
		}
	}
	delete $_->{deed} for values %of;
}

# in_doubt(): of how many orders nobody knows what became of them
sub in_doubt
{
	my ($self) = @_;
	return scalar grep { $_->{doubt} } values %{ $self->{orders} };
}

# faults($session): where the store differs from the account.  What was in
# doubt is known afterwards.
sub faults
{
	my ($self, $session) = @_;
	my $store = $self->{store};
	my @faults = splice @{ $self->{bad} };
	my %found;
	my $rows = $session->run(<<END)->{rows};
SELECT o.external_ref, o.number, string_agg(l.sku || ':' || l.quantity, ' ' ORDER BY l.sku), o.units,
	CASE o.units WHEN sum(l.shipped) THEN 'shipped' WHEN sum(l.canceled) THEN 'canceled' WHEN sum(l.allocated) THEN 'placed' ELSE 'torn' END,
	(SELECT sum(fl.quantity) FROM $store.fulfillments f JOIN $store.fulfillment_lines fl ON fl.fulfillment_id = f.id WHERE f.order_id = o.id),
	(SELECT count(*) FROM $store.order_events e WHERE e.order_id = o.id AND e.event IN ('created', 'allocated') AND e.entity = 'order')
FROM $store.orders o LEFT JOIN $store.order_lines l ON l.order_id = o.id WHERE o.external_ref ~ '^[0-9]+\$' GROUP BY o.id
END
	for (@$rows)
	{
		my ($ref, $number, $basket, $units, $fate, $carried, $events) = @$_;
		my $order = $self->{orders}{$ref} or push @faults, "order $ref was never placed" and next;
		$found{$ref} = $fate;
		push @faults, "order $ref has lines $basket, not $order->{basket}" if ($basket // 'none') ne $order->{basket};
		push @faults, "order $ref is $number, not $order->{number}" if $order->{number} && $number ne $order->{number};
		push @faults, "order $ref has $units units and $carried in fulfillments" if $units != ($carried // 0);
		push @faults, "order $ref has $events events of its making" if $events != 2;
	}
	while (my ($ref, $order) = each %{ $self->{orders} })
	{
		my $fate = $found{$ref} // 'absent';
		push @faults, "order $ref is $fate, not $order->{known}" . ($order->{doubt} ? " or $order->{doubt}" : '')
		  if $fate ne $order->{known} && $fate ne ($order->{doubt} // '');
		$order->{known} = $fate;
		delete $order->{doubt};
	}
	return join '; ', sort @faults;
}

# fingerprint($session, $store): each table's name, number of rows and what is in them
sub fingerprint
{
	my ($session, $store) = @_;
	my $tables = $session->run("SELECT relname FROM pg_class WHERE relnamespace = '$store'::regnamespace AND relkind = 'r' ORDER BY 1")->{rows};
	my $sql = join ' UNION ALL ',
	  map { "SELECT '$_->[0] ' || count(*) || ' ' || coalesce(md5(string_agg(t::text, ';' ORDER BY t::text)), '') FROM $store.$_->[0] t" } @$tables;
	return [ map { $_->[0] } @{ $session->run($sql)->{rows} } ];
}

1;
