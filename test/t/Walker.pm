# Walks orders and parcels along the paths of their workflows, a step at a time,
# and compares the store with OrderModel.pm after each.

package Walker;

use strict;
use warnings;

use OrderModel;
use Session;
use Test::More;
use WaysToPay;

# ---- the store

# new($session, $store): a store with what the walks need in it
sub new
{
	my ($class, $s, $store) = @_;
	my $self = bless { s => $s, store => $store, machines => {}, stock => {}, walked => {}, turn => 0 }, $class;

	$s->run(<<SQL);
SELECT oms.create_store('$store');
INSERT INTO $store.channels (code, name, payment_required) VALUES ('free', 'Free', false), ('online', 'Online', true);
INSERT INTO $store.locations (code, name, kind, priority) VALUES ('here', 'Here', 'store', 1), ('there', 'There', 'warehouse', 2),
	('partner', 'Partner', 'supplier', 3), ('other', 'Other partner', 'third_party', 4);
INSERT INTO $store.skus (code, name, kind) VALUES ('mug', 'Mug', 'physical'), ('song', 'Song', 'digital'), ('repair', 'Repair', 'service');
INSERT INTO $store.customers (code, credit_limit) VALUES ('rich', 100000), ('poor', 10);
INSERT INTO $store.stock_movements (sku, location, kind, quantity) SELECT 'mug', code, 'receipt', 5000 FROM $store.locations;
SQL
	$self->{stock} = { map { $_ => [ 5000, 0 ] } qw(here there partner other) };

	# what a store has of an order, as OrderModel's expected() says it
	$s->run(<<SQL);
CREATE FUNCTION $store.seen_moves(entity text, id uuid) RETURNS text LANGUAGE plpgsql AS \$\$
BEGIN
	RETURN (SELECT string_agg(m.to_state || ':' || CASE WHEN m.allowed THEN '+' ELSE coalesce(substring(m.why_not FROM 'guard "([a-z_]+)" refuses'), 'stuck') END, ' ' ORDER BY n)
		FROM oms.next_moves('$store', entity, id) WITH ORDINALITY AS m(to_state, allowed, why_not, n));
END \$\$;
CREATE FUNCTION $store.seen(which uuid) RETURNS text LANGUAGE plpgsql AS \$\$
BEGIN
	RETURN (SELECT concat_ws(E'\\n',
		concat_ws(' ', 'order', o.status, 'holds=' || o.open_holds,
			'units=' || concat_ws('/', l.canceled, l.allocated, l.shipped, l.delivered, l.returned, l.short + l.backordered),
			'money=' || concat_ws('/', o.total, o.credited, o.authorized, o.captured, o.refunded, o.charged_back),
			'axes=' || concat_ws('/', o.payment_status, o.fulfillment_status, o.return_status),
			'placed=' || num_nonnulls(o.placed_at), 'confirmed=' || num_nonnulls(o.confirmed_at), 'closed=' || num_nonnulls(o.closed_at),
			'canceled_at=' || num_nonnulls(o.canceled_at), 'required=' || o.payment_required::int, 'approved=' || o.credit_approved::int,
			CASE WHEN (o.units, o.units_canceled, o.units_allocated, o.units_shipped, o.units_delivered, o.units_returned, o.units_short + o.units_backordered)
				IS DISTINCT FROM (l.quantity, l.canceled, l.allocated, l.shipped, l.delivered, l.returned, l.short + l.backordered) THEN 'the order counts otherwise' END),
		concat_ws(' ', 'can', $store.seen_moves('order', o.id)),
		(SELECT string_agg(concat_ws(' ', 'parcel', n, f.location, f.status, f.stock_state, (SELECT sum(i.quantity) FROM $store.fulfillment_lines i WHERE i.fulfillment_id = f.id),
				'left=' || num_nonnulls(f.shipped_at), 'arrived=' || num_nonnulls(f.delivered_at), 'can', $store.seen_moves('fulfillment', f.id)), E'\\n' ORDER BY n)
			FROM $store.fulfillments f, LATERAL (SELECT split_part(f.number, '-', 3)::int AS n) AS x WHERE f.order_id = o.id),
		(SELECT string_agg(concat_ws(' ', 'payment', p.status, p.authorized, p.captured, p.voided, p.refunded, p.charged_back, p.refund_requested, p.open_requests, p.failures),
			E'\\n' ORDER BY p.id) FROM $store.payments p WHERE p.order_id = o.id),
		(SELECT 'refund due ' || r.refund_due || CASE WHEN r.due <> o.total - o.credited THEN ' of another due' ELSE '' END FROM $store.refunds_due r WHERE r.order_id = o.id::text),
		(SELECT 'stock ' || string_agg(concat(s.location, '=', s.on_hand, '/', s.reserved), ' ' ORDER BY s.location) FROM $store.stock s WHERE s.sku = 'mug'))
		FROM $store.orders o JOIN $store.order_lines l ON l.order_id = o.id WHERE o.id = which);
END \$\$;
CREATE FUNCTION $store.seen_trails(which uuid) RETURNS text LANGUAGE plpgsql AS \$\$
BEGIN
	RETURN (SELECT string_agg(trail, E'\\n' ORDER BY n) FROM (
		SELECT coalesce(split_part(f.number, '-', 3)::int, 0) AS n, string_agg(e.to_status, ' ' ORDER BY e.id) AS trail
		FROM $store.order_events e LEFT JOIN $store.fulfillments f ON f.id = e.entity_id
		WHERE e.order_id = which AND e.to_status IS NOT NULL GROUP BY 1) t);
END \$\$;
SQL
	return $self;
}

# machine($workflow): its moves, as the store has them now
sub machine
{
	my ($self, $workflow) = @_;
	my $s = $self->{s};
	my %m = (final => {}, from => {});

	for (@{ $s->run("SELECT m.* FROM $self->{store}.workflows w, oms.moves(w.compiled) m WHERE w.name = '$workflow'")->{rows} })
	{
		my ($from, $to, $guards, $actions, $automatic) = @$_;
		push @{ $m{from}{$from} },
		  { from => $from, to => $to, guards => [ split /,/, $guards =~ tr/{}//dr ], actions => [ split /,/, $actions =~ tr/{}//dr ], automatic => $automatic eq 't' };
	}
	for (@{ $s->run("SELECT x.* FROM $self->{store}.workflows w, oms.states(w.compiled) x WHERE w.name = '$workflow'")->{rows} })
	{
		$m{initial} = $_->[0] if $_->[1] eq 't';
		$m{final}{ $_->[0] } = 1 if $_->[2] eq 't';
	}
	return $self->{machines}{$workflow} = \%m;
}

# paths($workflow): all paths from its initial state to a final one that come to
# no state twice
sub paths
{
	my ($self, $workflow) = @_;
	my $m = $self->machine($workflow);
	my @found;
	my $walk;
	$walk = sub {
		my ($state, $seen, @path) = @_;
		push @found, [@path] if $m->{final}{$state};
		for my $move (@{ $m->{from}{$state} // [] })
		{
			$walk->($move->{to}, { %$seen, $move->{to} => 1 }, @path, $move) unless $seen->{ $move->{to} };
		}
	};
	$walk->($m->{initial}, { $m->{initial} => 1 });
	return @found;
}

sub title
{
	my (@path) = @_;
	return join ' ', $path[0]{from}, map { ($_->{automatic} ? '=>' : '->') . " $_->{to}" } @path;
}

# ---- steps

# step($what, $sql, $change): run it, change the model, compare
sub step
{
	my ($self, $what, $sql, $change) = @_;
	my $o = $self->{order};
	my $result = $self->{s}->try("$sql; SELECT $self->{store}.seen('$o->{id}')");
	if ($result->{state})
	{
		# what follows would differ too
		push @{ $self->{wrong} }, "$what: $result->{state} $result->{message}";
		die "stop\n";
	}
	$change->($o) if $change;
	$o->settle;
	my ($found, $expected) = ($result->{rows}[-1][0], $o->expected);
	$self->{steps}++;
	return if $found eq $expected;
	push @{ $self->{wrong} }, "$what:\n  found\n" . ($found =~ s/^/    /mgr) . "\n  expected\n" . ($expected =~ s/^/    /mgr);
	die "stop\n";
}

# where($row): the table and the condition of the order or a parcel
sub where
{
	my ($self, $row) = @_;
	my $o = $self->{order};
	return ('orders', "id = '$o->{id}'") if $row == $o;
	my ($n) = grep { $o->{parcels}[$_] == $row } 0 .. $#{ $o->{parcels} };
	return ('fulfillments', "number = '$o->{number}-" . ($n + 1) . "'");
}

sub make_move
{
	my ($self, $row, $move) = @_;
	my ($table, $which) = $self->where($row);
	$self->step("$move->{from} -> $move->{to}", "UPDATE $self->{store}.$table SET status = '$move->{to}' WHERE $which", sub { $_[0]->move($row, $move) });
}

sub release_hold
{
	my ($self, $kind) = @_;
	return if !$self->{order}{holds}{$kind};
	$self->step("the $kind hold is released", "UPDATE $self->{store}.order_holds SET released_at = now() WHERE order_id = '$self->{order}{id}' AND kind = '$kind' AND released_at IS NULL", sub {
		my ($o) = @_;
		delete $o->{holds}{$kind};
		$o->{approved} = 1 if $kind eq 'credit';
	});
}

sub cancel
{
	my ($self, $units) = @_;
	my $o = $self->{order};
	$self->step("$units canceled", qq{SELECT $self->{store}.cancel_lines('$o->{id}', '[{"line": 1, "quantity": $units}]')}, sub { $_[0]->cancel($units) });
}

# cancel_one: one unit of a parcel that is whole and may let it go
sub cancel_one
{
	my ($self) = @_;
	my $o = $self->{order};
	my @reserved = grep { $_->{stock_state} eq 'reserved' } @{ $o->{parcels} };
	$self->cancel(1) if @reserved == 1 && $o->releasing($reserved[0]);
}

sub pay_by
{
	my ($self, $method, $amount) = @_;
	$self->step("payment by $method", "INSERT INTO $self->{store}.payments (order_id, method, amount) VALUES ('$self->{order}{id}', '$method', " . OrderModel::money($amount) . ')',
		sub { $_[0]->add_payment($amount) });
}

# transact($kind, $amount, $outcome, $ref, $number): a transaction of the last payment, or of this one
sub transact
{
	my ($self, $kind, $amount, $outcome, $ref, $number) = @_;
	my $o = $self->{order};
	$outcome //= 'succeeded';
	$number //= $#{ $o->{payments} };
	my $answers = defined $ref && $outcome ne 'requested';
	$self->step("$kind $outcome", "INSERT INTO $self->{store}.payment_transactions (payment_id, kind, outcome, amount, gateway_ref)"
		  . " SELECT id, '$kind', '$outcome', " . OrderModel::money($amount) . ', ' . (defined $ref ? "'$ref'" : 'NULL')
		  . " FROM $self->{store}.payments WHERE order_id = '$o->{id}' ORDER BY id OFFSET $number LIMIT 1",
		sub { $_[0]->transact($number, $kind, $outcome, $amount, $answers) });
}

# ask($kind, $amount, $outcome): of the gateway, which answers
sub ask
{
	my ($self, $kind, $amount, $outcome, $number) = @_;
	my $ref = 'ref' . ++$self->{refs};
	$self->transact($kind, $amount, 'requested', $ref, $number);
	$self->transact($kind, $amount, $outcome, $ref, $number);
}

# ---- what brings a move about

# way($row, $test): the moves to the first that is wanted, by the shortest way
sub way
{
	my ($self, $row, $test) = @_;
	my $from = $self->{order}->machine($row)->{from};
	my @queue = ([ $row->{status} ]);
	my %seen;
	while (my $at = shift @queue)
	{
		my ($state, @path) = @$at;
		next if $seen{$state}++;
		for my $move (@{ $from->{$state} // [] })
		{
			return (@path, $move) if $test->($move);
			push @queue, [ $move->{to}, @path, $move ];
		}
	}
	die "no way from $row->{status}\n";
}

sub does { my ($action) = @_; return sub { return grep { $_ eq $action } @{ $_[0]{actions} } } }

my %remedies = (
	unheld => sub { my ($w) = @_; $w->release_hold($_) for sort keys %{ $w->{order}{holds} } },
	payable => sub { my ($w) = @_; ($w->{mode}{secure} // $w->{mode}{pay})->($w) },
	paid => sub { my ($w) = @_; ($w->{mode}{pay} // \&WaysToPay::sell_in_parts)->($w) },
	order_confirmed => sub {
		my ($w) = @_;
		my $o = $w->{order};
		$w->bring($o, ($w->way($o, does('confirm')))[0]) until $o->{confirmed};
	},
	fulfilled => sub {
		my ($w) = @_;
		for my $f (@{ $w->{order}{parcels} })
		{
			$w->bring($f, ($w->way($f, does('issue')))[0]) while $f->{stock_state} eq 'reserved';
		}
	},
	all_canceled => sub { $_[0]->cancel_rest });
$remedies{order_unheld} = $remedies{unheld};

# cancel_rest: all that is reserved, from where that can be done
sub cancel_rest
{
	my ($self) = @_;
	for my $f (@{ $self->{order}{parcels} })
	{
		next if $f->{stock_state} ne 'reserved';
		my @way = $self->way($f, does('release'));
		pop @way;
		$self->bring($f, $_) for @way;
		$self->cancel($f->{units});
	}
}

sub remedy
{
	my ($self, $row, $guard) = @_;
	return $remedies{$guard}->($self) if $remedies{$guard};
	my ($table, $which) = $self->where($row);
	$self->step("$guard is written down", qq{UPDATE $self->{store}.$table SET attributes = attributes || '{"$guard": true}' WHERE $which}, sub { $row->{attributes}{$guard} = 1 });
}

# bring($row, $move): about, by whatever its guards ask for
sub bring
{
	my ($self, $row, $move) = @_;
	my $o = $self->{order};
	my $last = $self->{mode}{ grep({ $_ eq 'fulfilled' } @{ $move->{guards} }) ? 'ends' : 'opens' };
	my %rank = (order_confirmed => 0, payable => $last eq 'money' ? 2 : 0, paid => $last eq 'money' ? 2 : 0);
	my @guards = sort { ($rank{$a} // 1) <=> ($rank{$b} // 1) } @{ $move->{guards} };

	if (!$move->{automatic} && defined $o->refusing($row, $move))
	{
		my ($table, $which) = $self->where($row);
		my $state = $self->{s}->state("UPDATE $self->{store}.$table SET status = '$move->{to}' WHERE $which");
		push @{ $self->{wrong} }, "$move->{from} -> $move->{to}: $state though a guard refuses" if $state ne 'OM002';
	}
	for my $guard (@guards)
	{
		$self->remedy($row, $guard) if $row->{status} eq $move->{from} && defined $o->refusing($row, { guards => [$guard] });
	}
	$self->make_move($row, $move) if !$move->{automatic} && $row->{status} eq $move->{from};
	# or it has been there, and went on by itself
	return if $row->{status} eq $move->{to} || ($row->{trail}[-2] // '') eq $move->{to};
	push @{ $self->{wrong} }, "$move->{from} to $move->{to} was not brought about: it is $row->{status}";
	die "stop\n";
}

# ---- walks

# begin(%what): an order, held, with what there is of money at first
sub begin
{
	my ($self, %what) = @_;
	my ($s, $store) = @$self{qw(s store)};
	my $mode = $self->{mode} = $WaysToPay::ways{ $what{mode} };
	my $customer = $mode->{customer};
	my ($order_workflow) = $s->value("SELECT order_workflow FROM $store.channels WHERE code = '$mode->{channel}'");
	my $parcel_workflow = $s->value("SELECT workflow FROM $store.methods WHERE code = '$what{method}'");
	$self->machine($_) for grep { !$self->{machines}{$_} } $order_workflow, $parcel_workflow;
	my $o = $self->{order} = OrderModel->new(
		machines => $self->{machines}, stock => $self->{stock}, workflow => $order_workflow, parcel_workflow => $parcel_workflow,
		at => $what{at}, is_tracked => $what{sku} eq 'mug', channel_requires => $mode->{channel} eq 'online', credit_limit => $mode->{limit});

	$o->{holds}{manual} = 1;
	if ($what{is_placed} && $mode->{document})
	{
		my $fields = defined $customer ? qq{, "customer": "$customer"} : '';
		$fields .= sprintf ', "payments": [{"method": "cash", "kind": "sale", "amount": %s}]', OrderModel::money($mode->{paid}) if $mode->{paid};
		@$o{qw(id number)} = @{ $s->run(qq{SELECT order_id, number FROM oms.place_order('$store', '{"channel": "$mode->{channel}", "currency": "EUR",
			"lines": [{"sku": "$what{sku}", "quantity": 3, "unit_price": 10.33, "discount": 1, "tax": 5.70, "method": "$what{method}"}],
			"charges": [{"kind": "shipping", "amount": 4.90, "tax": 0.93}], "holds": [{"kind": "manual"}]$fields}')})->{rows}[0] };
		if ($mode->{paid})
		{
			$o->add_payment($mode->{paid});
			$o->transact(0, 'sale', 'succeeded', $mode->{paid});
		}
		$self->step('placed', 'SELECT', sub { $_[0]->move($_[0], ($self->way($_[0], does('reserve')))[0]) });
	}
	else
	{
		@$o{qw(id number)} = @{ $s->run("INSERT INTO $store.orders (channel, currency, customer_id) VALUES ('$mode->{channel}', 'EUR', "
			  . (defined $customer ? "(SELECT id FROM $store.customers WHERE code = '$customer')" : 'NULL') . ') RETURNING id, number')->{rows}[0] };
		$self->step('draft', "INSERT INTO $store.order_lines (order_id, line_no, sku, quantity, unit_price, discount, tax, method)"
			  . " VALUES ('$o->{id}', 1, '$what{sku}', 3, 10.33, 1, 5.70, '$what{method}');"
			  . " INSERT INTO $store.order_charges (order_id, kind, amount, tax) VALUES ('$o->{id}', 'shipping', 4.90, 0.93);"
			  . " INSERT INTO $store.order_holds (order_id, kind) VALUES ('$o->{id}', 'manual')");
		if ($mode->{paid})
		{
			$self->pay_by('cash', $mode->{paid});
			$self->transact('sale', $mode->{paid});
		}
		$self->make_move($o, ($self->way($o, does('reserve')))[0]) if $what{is_placed};
	}
}

# settle_up: the money, once goods have gone or come back
sub settle_up
{
	my ($self) = @_;
	my $o = $self->{order};

	$self->cancel_rest;
	$self->remedy($o, 'paid') if !$o->is_closed && !$o->paid && $o->{shipped} > 0;
	for my $n (0 .. $#{ $o->{payments} })
	{
		my $p = $o->{payments}[$n];
		$self->transact('void', $p->{authorized}, 'succeeded', undef, $n) if $p->{authorized} > 0;
		next if $o->refund_due == 0 || $p->{captured} == 0;
		my $back = $o->refund_due < $p->{captured} ? $o->refund_due : $p->{captured};
		my $part = int($back / 3);

		$self->ask('refund', $part, 'failed', $n);
		$self->ask('refund', $part, 'succeeded', $n);
		$self->transact('refund', $back - $part, 'succeeded', undef, $n);
	}
	return if !@{ $o->{payments} } || $o->{payments}[0]{captured} == 0;
	$self->transact($_, 10_000, 'succeeded', undef, 0) for qw(chargeback chargeback_reversal);
}

# walk(%what): one path; path, row ('order' or 'parcel'), mode, method, sku, at;
# before($walker, $row, $move): what is to happen before a move
sub walk
{
	my ($self, %what) = @_;
	my ($s, $store) = @$self{qw(s store)};
	my @path = @{ $what{path} };

	$self->{wrong} = [];
	$what{mode} //= $self->next_mode;
	eval {
		$self->begin(%what, is_placed => $what{row} eq 'parcel');
		my $o = $self->{order};
		my $row = $what{row} eq 'order' ? $o : $o->{parcels}[0];
		my $reserves = $what{row} eq 'order' ? does('reserve') : sub { return };
		$self->{mode}{early}->($self) if $self->{mode}{early} && $what{row} eq 'parcel';
		for my $move (@path)
		{
			$what{before}->($self, $row, $move) if $what{before};
			$self->bring($row, $move);
			$self->{mode}{early}->($self) if $self->{mode}{early} && $reserves->($move);
		}
		push @{ $self->{wrong} }, "it is $row->{status} in the end" if $row->{status} ne $path[-1]{to};
		$self->settle_up;
		push @{ $self->{wrong} }, "the order stays $o->{status}" if !$o->is_closed;
		my $log = $s->value("SELECT $store.seen_trails('$o->{id}')");
		push @{ $self->{wrong} }, "logged\n$log\nexpected\n" . $o->trails if $log ne $o->trails;
		1;
	} or $@ eq "stop\n" or push @{ $self->{wrong} }, $@;
	is(join("\n", @{ $self->{wrong} }), '', "$what{title}: " . title(@path) . ", $what{mode}" . ($what{note} // ''));
	$self->{walked}{ $what{title} }++;
	$self->{modes}{ $what{mode} }++;
}

# walk_all(%what): every path of a workflow, title, which the method's parcels or
# the orders have; in each of modes, or in all of them by turns. Only paths that
# only($path) says yes to
sub walk_all
{
	my ($self, %what) = @_;
	for my $path (grep { !$what{only} || $what{only}->($_) } $self->paths($what{title}))
	{
		$self->walk(method => 'ship', sku => 'mug', at => 'here', %what, path => $path, mode => $_) for $what{modes} ? @{ $what{modes} } : (undef);
	}
	is(Session::violations($self->{s}, $self->{store}), '', "$what{title}: verify_store");
}

# hold_again: before a move of a parcel whose order is confirmed already
sub hold_again
{
	my ($self, $row) = @_;
	my $o = $self->{order};
	return if !$o->{confirmed} || %{ $o->{holds} };
	$self->step('a fraud hold', "INSERT INTO $self->{store}.order_holds (order_id, kind) VALUES ('$o->{id}', 'fraud')", sub { $_[0]{holds}{fraud} = 1 });
}

# walk_methods(%what, methods): the paths of their parcels
sub walk_methods
{
	my ($self, %what) = @_;
	for my $method (@{ delete $what{methods} })
	{
		my ($workflow, $by_partner) = @{ $self->{s}->run("SELECT workflow, by_partner FROM $self->{store}.methods WHERE code = '$method'")->{rows}[0] };
		$self->walk_all(%what, title => $workflow, row => 'parcel', method => $method,
			sku => { digital => 'song', service => 'repair' }->{$method} // 'mug', at => $by_partner eq 't' ? 'partner' : 'here');
	}
}

# the ways to pay, in turn
sub next_mode
{
	my ($self) = @_;
	my @names = WaysToPay::names();
	return $names[ $self->{turn}++ % @names ];
}

1;
