# What the sessions of a soak do: a table of verbs, each an entry, drawn by
# weight, half of them from a theme that changes.
#
# An entry makes a deed: a statement, or several that only go together, as
#
#	{ sql => text or [texts], facts => { key => value }, learn => sub, lingers => 1, meets => 1 }
#
# facts are what must be in the store, once and with this value, when the deed
# is acknowledged, and must not be there when it is known to have failed (Soak.pm
# says where it looks).  learn->(rows) returns more of them, which only the answer
# tells, or dies saying what is wrong with the answer.  What lingers is not committed
# at once, so that another session comes to wait for it.  What meets another deed is
# most often READ COMMITTED and committed, as those are that go on after a wait.
#
# setup makes what an entry wants to find; errors are SQLSTATEs that its statements
# may end with besides those that all may.

package Mix;

use strict;
use warnings;

my @skus = map { "S$_" } 0 .. 9;    # few, so that sessions meet
my @plenty = map { "M$_" } 0 .. 3;    # of which there is always enough, to meet for sure
my @puzzle = map { "W$_" } 0 .. 7;    # of which there is little everywhere, so that it takes waves long to plan
my @locations = ('A' .. 'D');
my @shippings;    # definitions of workflow ship, without and with a state more
my %verbs;

# verbs that want the same rows: all sessions are at them together now and then
my @themes = (
	[qw(draft line place_drafts delete_draft)],
	[qw(place meet hold hold_again release_hold lock)],
	[qw(place_in_steps cancel cancel_lines ship ship_and_cancel)],
	[qw(split meet_parcel ship reject step cancel_lines cancel_parcel)],
	[qw(place reject movement movement_again trickle transfer feed feed_again)],
	[qw(place stock_hold stock_hold_again stock_hold_ends tick)],
	[qw(deliver send arrive backorder cancel_lines movement)],
	[qw(kit kit place_drafts cancel_lines ship backorder)],
	[qw(pay transaction transaction_again answer)],
	[qw(credit credit credit settle)],
	[qw(merge merge pack pack void carrier carrier_again ship short_pick)],
	[qw(load load sourcing place change_delivery plan)],
	[qw(wave wave sourcing release_hold cancel change_delivery)],
	[qw(place step workflow)]);

# where the bugs lie that only sessions find that meet
my @meetings = qw(meet meet meet meet meet meet meet_parcel meet_parcel meet_parcel draft stock_hold backorder load load load meet_credit meet_credit meet_credit meet_limit meet_limit meet_limit merge merge pack wave wave wave wave wave wave change_delivery);

use constant CREDIT_LIMIT => 300;

sub pick { return $_[ int rand @_ ] }

sub shuffled
{
	my %place = map { $_ => rand } 0 .. $#_;
	return @_[ sort { $place{$a} <=> $place{$b} } keys %place ];
}

# Mix->new: who remembers what was sent, for whoever sends it again
sub new
{
	my ($class) = @_;
	return bless { last => 0, recent => {}, numbers => {}, payments => [], holds => [], parcels => [], next => [] }, $class;
}

# how such deeds are told apart
sub ref_of
{
	my ($self, $prefix) = @_;
	return $prefix . ++$self->{last};
}

# again($name, $deed): keep a deed, for others to send again at the same time
sub again
{
	my ($self, $name, $deed) = @_;
	my $recent = $self->{recent}{$name} //= [];
	push @$recent, $deed;
	shift @$recent if @$recent > 30;
	# the next session that is free does the same
	push @{ $self->{next} }, deed($name, $deed) if rand() < 0.15;
	return $deed;
}

# one that was sent, most often one that is still under way
sub repeat
{
	my ($self, $name) = @_;
	my $recent = $self->{recent}{$name} // [];
	return undef unless @$recent;
	return $recent->[ rand() < 0.7 && @$recent > 6 ? $#$recent - int rand 6 : int rand @$recent ];
}

# set_up($admin): the store that the verbs expect
sub set_up
{
	my ($self, $admin) = @_;
	Session::make_store($admin, 'shop', @skus);
	$admin->run(<<'END' . "INSERT INTO shop.customers (code, credit_limit) SELECT 'acme' || n, @{[ CREDIT_LIMIT ]} FROM generate_series(1, 3) n");
INSERT INTO shop.channels (code, name, payment_required) VALUES ('paid', 'Paid', true);
INSERT INTO shop.skus (code, name, kind, tracked, default_method) VALUES ('CARE', 'Care', 'service', false, 'service'), ('COVER', 'Cover', 'warranty', false, NULL);
END
	for my $location (@locations)
	{
		Session::receive($admin, 'shop', $location, map { $_ => 25 } @skus);
	}
	for my $name (sort keys %verbs)
	{
		$admin->run($verbs{$name}{setup}) if $verbs{$name}{setup};
	}
	$self->{wheel} = $self->wheel(sort keys %verbs);
	$self->{deck} = [ shuffled($self->verbs) ];
	$self->{opening} = [ shuffled(@meetings) ];
	$self->{wheels} = [ map { $self->wheel(@$_) } @themes ];
	return;
}

# wheel(@names): to draw them from, by weight
sub wheel
{
	my ($self, @names) = @_;
	return [ map { ($_) x (10 * $verbs{$_}{weight}) } @names ];
}

# verbs(): the names of those that take part
sub verbs
{
	my ($self) = @_;
	my %names = map { $_ => 1 } @{ $self->{wheel} };
	return sort keys %names;
}

# draw(): one deed, often such as the last, which another session does now; else every
# other one of what is the theme for a while
sub draw
{
	my ($self) = @_;
	return shift @{ $self->{next} } if @{ $self->{next} };
	$self->{theme} = pick(@{ $self->{wheels} }) if $self->{drawn}++ % 40 == 0;
	# each once at first, and those that meet more often: they are not left to chance
	my $first = rand() < 0.3 ? pop @{ $self->{deck} } : rand() < 0.15 ? pop @{ $self->{opening} } : undef;
	my $name = $first // ($self->{name} && rand() < 0.35 ? $self->{name} : pick(@{ rand() < 0.5 ? $self->{theme} : $self->{wheel} }));
	$self->{name} = $name;
	return deed($name, $verbs{$name}{make}->($self));
}

# deed($name, $made): what a verb has made, with its name
sub deed
{
	my ($name, $made) = @_;
	my %deed = ref $made ? %$made : (sql => $made);
	@deed{qw(verb errors)} = ($name, $verbs{$name}{errors});
	$deed{sql} = [ $deed{sql} ] unless ref $deed{sql};
	return \%deed;
}

# a row's id, by chance among the youngest that fit: often so few that sessions meet
sub some
{
	my ($table, $condition) = @_;
	my $few = pick(2, 4, 30);
	return "(SELECT id FROM (SELECT id FROM shop.$table WHERE $condition ORDER BY id DESC LIMIT $few) r ORDER BY random() LIMIT 1)";
}

# one or two ids
sub several
{
	my ($table, $condition) = @_;
	return '(' . join(', ', map { some($table, $condition) } 1 .. pick(1, 2)) . ')';
}

# what a cart holds: SKU => quantity
sub basket
{
	return map { pick(@skus) => 1 + int rand 4 } 1 .. 1 + int rand 4;
}

# the same with what is no plain SKU
sub cart
{
	my %cart = basket();
	$cart{ pick('KIT', 'BOX', 'LATE', 'SOON') } = 1 + int rand 2 if rand() < 0.2;
	return %cart;
}

# what two sessions turn to: scarce things too now and then
sub meeting_basket
{
	return (pick(@plenty) => 2 + int rand 3, pick(rand() < 0.4 ? @skus : @plenty) => 2);
}

sub basket_text
{
	my (%basket) = @_;
	return join ' ', map { "$_:$basket{$_}" } sort keys %basket;
}

# document($ref, \%basket, field...): of an order
sub document
{
	my ($ref, $basket, @fields) = @_;
	# in any order, since a cart is
	my @names = sort { rand() <=> 0.5 } keys %$basket;
	my $rest = '"unit_price": 10' . (rand() < 0.08 ? ', "ship_group": "together"' : '');
	my @lines = map { qq({"sku": "$_", "quantity": $basket->{$_}, $rest}) } @names;
	$lines[ int rand @lines ] =~ s/\}$/', "location": "' . pick(@locations) . '"}'/e if rand() < 0.08;
	push @lines, qq({"sku": "COVER", "quantity": $basket->{ $names[0] }, "unit_price": 2, "parent": 1}) if rand() < 0.1 && $names[0] =~ /^S\d/;
	my $lines = join ', ', @lines;
	push @fields, '"priority": ' . int rand 3 if rand() < 0.2;
	return '{' . join(', ', qq("external_ref": "$ref"), '"currency": "EUR"', @fields, qq("lines": [$lines])) . '}';
}

# place($ref, \%basket, field...): the deed that places it, sent once or more
sub place
{
	my ($self, $ref, $basket, @fields) = @_;
	return {
		sql => "SELECT number, repeated FROM oms.place_order('shop', '" . document($ref, $basket, @fields) . "')",
		facts => { "order $ref" => basket_text(%$basket) },
		learn => sub {
			my ($number, $repeated) = @{ $_[0][0] };
			my $known = $self->{numbers}{$ref} //= $number;
			die "order $ref was acknowledged as $known and as $number\n" if $known ne $number;
			die "order $ref was acknowledged twice as new\n" if $repeated eq 'f' && $self->{news}{$ref}++;
			return ();
		}
	};
}

# moved($status, $sql): an UPDATE of status, which is logged once for each row
sub moved
{
	my ($status, $sql) = @_;
	return { sql => "$sql RETURNING id", learn => sub { return map { ("moved $_->[0] $status" => 1) } @{ $_[0] } } };
}

# cancel_and_ship($order): the order's part is first to be acted on, though its row is
# locked after its fulfillments; arrays have each part done before the next
sub cancel_and_ship
{
	my ($order) = @_;
	return "WITH f AS (SELECT id, order_id FROM shop.fulfillments WHERE order_id = $order AND status IN ('released', 'picking', 'packed')"
	  . " ORDER BY id FOR NO KEY UPDATE), o AS (UPDATE shop.orders SET status = 'canceled' WHERE id = ANY (ARRAY(SELECT order_id FROM f)) RETURNING id)"
	  . " UPDATE shop.fulfillments SET status = 'shipped' WHERE id IN (SELECT id FROM f) AND order_id = ANY (ARRAY(SELECT id FROM o))";
}

# line_of($order): one more
sub line_of
{
	my ($order) = @_;
	return 'INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price) SELECT id, '
	  . "10 + @{[ int rand 1_000_000 ]}, '@{[ pick(@skus) ]}', 1, 3 FROM shop.orders WHERE id = $order";
}

# split_of($fulfillment): a unit of its first line leaves it
sub split_of
{
	my ($fulfillment) = @_;
	return "SELECT oms.split_fulfillment('shop', f.id, jsonb_build_array(jsonb_build_object('line',"
	  . ' (SELECT min(ol.line_no) FROM shop.fulfillment_lines l JOIN shop.order_lines ol ON ol.id = l.order_line_id'
	  . " WHERE l.fulfillment_id = f.id), 'quantity', 1))) FROM shop.fulfillments f WHERE id = $fulfillment";
}

# merge_of(@columns): reserved fulfillments that agree in these, of one of the youngest
# orders that have several
sub merge_of
{
	my ($condition, @columns) = @_;
	my $few = pick(1, 2, 10);
	return "SELECT oms.merge_fulfillments('shop', ids) FROM (SELECT ids FROM (SELECT array_agg(id ORDER BY random()) AS ids, max(created_at) AS at"
	  . " FROM shop.fulfillments WHERE stock_state = 'reserved' AND $condition GROUP BY @{[ join ', ', @columns ]} HAVING count(*) > 1"
	  . " ORDER BY at DESC LIMIT $few) r ORDER BY random() LIMIT 1) m";
}

# pack_of($fulfillment): a package of what is in none, or of a unit of each line
sub pack_of
{
	my ($self, $fulfillment) = @_;
	my $number = $self->ref_of('k');
	return {
		sql => "WITH p AS (INSERT INTO shop.packages (fulfillment_id, carrier, tracking_number) SELECT id, 'c', '$number' FROM shop.fulfillments"
		  . " WHERE id = $fulfillment RETURNING id, fulfillment_id) INSERT INTO shop.package_lines (package_id, order_line_id, quantity)"
		  . " SELECT p.id, l.order_line_id, @{[ pick('1', 'l.quantity - l.packed') ]} FROM p JOIN shop.fulfillment_lines l USING (fulfillment_id)"
		  . ' WHERE l.packed < l.quantity RETURNING package_id',
		learn => sub {
			my ($rows) = @_;
			return () unless @$rows;
			push @{ $self->{parcels} }, $number;
			shift @{ $self->{parcels} } if @{ $self->{parcels} } > 40;
			# its carrier tells of it twice at a time, or while it is unpacked, or sent
			if (rand() < 0.4)
			{
				my $parcel = "'$rows->[0][0]'";
				push @{ $self->{next} }, deed('carrier', $self->again(carrier => $self->carrier_feed($number))),
				  pick(
					deed('carrier', $self->carrier_feed($number)),
					deed('void', { sql => void_of($parcel) }),
					deed('ship', moved('shipped', "UPDATE shop.fulfillments SET status = 'shipped' WHERE id = (SELECT fulfillment_id FROM shop.packages WHERE id = $parcel)")));
			}
			return ("package $number" => 'c');
		}
	};
}

# void_of($package): it holds nothing any more
sub void_of
{
	my ($package) = @_;
	return "UPDATE shop.packages SET voided_at = clock_timestamp() WHERE id = $package";
}

# divided(): a parcel of which a unit is divided off and packed, before both come
# together again while another session turns to them
sub divided
{
	my ($self) = @_;
	my $large = "stock_state = 'reserved' AND (SELECT sum(l.quantity) FROM shop.fulfillment_lines l WHERE l.fulfillment_id = fulfillments.id) > 1";
	my $deed = { sql => split_of(some('fulfillments', $large)) };
	$deed->{learn} = sub {
		my ($rows) = @_;
		my $part = @$rows ? "'$rows->[0][0]'" : return ();
		my $same = "order_id = (SELECT order_id FROM shop.fulfillments WHERE id = $part)";
		my $pack = $self->pack_of($part);
		my $learn = $pack->{learn};
		my $meets = pick(
			[ ship => moved('shipped', "UPDATE shop.fulfillments SET status = 'shipped' WHERE id = $part") ],
			[ pack => $self->pack_of("(SELECT id FROM shop.fulfillments WHERE $same LIMIT 1)") ],
			[ void => void_of("(SELECT id FROM shop.packages WHERE fulfillment_id = $part LIMIT 1)") ],
			[ short_pick => short_pick_of($part) ]);
		$pack->{learn} = sub {
			push @{ $self->{next} }, deed('merge', { sql => merge_of($same, qw(order_id location status)), lingers => rand() < 0.5 }), deed(@$meets);
			return $learn->(@_);
		};
		push @{ $self->{next} }, deed('pack', $pack);
		return ();
	};
	return $deed;
}

# short_pick_of($fulfillment): a unit of its first line is not found
sub short_pick_of
{
	my ($fulfillment) = @_;
	return {
		sql => "SELECT p.rejected_fulfillment_id FROM (SELECT f.id, (SELECT min(ol.line_no) FROM shop.fulfillment_lines l"
		  . ' JOIN shop.order_lines ol ON ol.id = l.order_line_id WHERE l.fulfillment_id = f.id) AS line'
		  . " FROM shop.fulfillments f WHERE id = $fulfillment OFFSET 0) f,"
		  . " oms.short_pick('shop', f.id, jsonb_build_array(jsonb_build_object('line', f.line, 'quantity', 1)), @{[ pick('NULL', q('not_found'), q('damaged')) ]}) p",
		learn => sub { return map { ("moved $_->[0] rejected" => 1) } @{ $_[0] } }
	};
}

# carrier_feed(@numbers): what a carrier tells of them, in no order
sub carrier_feed
{
	my ($self, @numbers) = @_;
	my (@events, %facts);
	for my $number (map { ($_) x pick(1, 1, 2, 3) } @numbers)
	{
		my $ref = $self->ref_of('e');
		my $code = pick(qw(in_transit in_transit in_transit out_for_delivery exception delivered delivered delivered returned lost));
		my $status = $code eq 'in_transit' && rand() < 0.6 ? ', "status": "shipped"' : '';
		push @events, sprintf '{"tracking_number": "%s", "code": "%s", "at": "2026-01-%02dT10:00:00Z", "external_ref": "%s"%s}', $number, $code, 1 + int rand 9,
		  $ref, $status;
		$facts{"told $ref"} = "$number $code";
	}
	return {
		sql => "SELECT recorded, repeated, unknown FROM oms.record_carrier_events('shop', '{\"carrier\": \"c\", \"events\": [@{[ join ', ', sort { rand() <=> 0.5 } @events ]}]}')",
		learn => sub {
			my ($recorded, $repeated, $unknown) = @{ $_[0][0] };
			die "of @{[ scalar @events ]} events $recorded were recorded, $repeated repeated, $unknown unknown\n" if $recorded + $repeated + $unknown != @events;
			return $unknown == 0 ? %facts : ();
		}
	};
}

# far(): an order of what one location alone has, whose day is nearly full
sub far
{
	my ($self) = @_;
	my $ref = $self->ref_of('o');
	my %basket = (pick('FAR', 'WIDE') => 1 + int rand 3, rand() < 0.5 ? (FAR => 1 + int rand 3) : ());
	my $deed = $self->place($ref, \%basket, '"channel": "web"', '"if_short": "' . pick('refuse', 'refuse', 'hold') . '"');
	my $learn = $deed->{learn};
	# once it has its part of the day, it goes another way
	$deed->{learn} = sub {
		push @{ $self->{next} }, deed('change_delivery', "SELECT oms.change_delivery('shop', id, method => 'local_delivery') FROM shop.orders WHERE external_ref = '$ref'");
		return $learn->(@_);
	  }
	  if rand() < 0.5;
	return $self->again(place => $deed);
}

# wave(): of orders that are held, or of all
sub wave
{
	my ($self) = @_;
	my $orders = pick('NULL', 'NULL', "(SELECT array_agg(id) FROM (SELECT id FROM shop.orders WHERE status = 'placed' ORDER BY id DESC LIMIT @{[ pick(5, 20) ]}) r)");
	my $sql = "SELECT cost_before, cost_after, lower_bound, orders_changed FROM oms.plan_wave('shop', $orders, '@{[ pick('0.05 s', '0.2 s', '0.5 s') ]}')";
	return { sql => [ "SET LOCAL statement_timeout = '@{[ pick(4, 15, 50) ]}ms'", $sql, 'SET LOCAL statement_timeout = 0' ] } if rand() < 0.15;
	return { sql => $sql, learn => sub { return $self->heard_of_wave(@_) }, lingers => rand() < 0.2, meets => 1 };
}

# heard_of_wave(\@rows): what any wave says of itself
sub heard_of_wave
{
	my ($self, $rows) = @_;
	my ($before, $after, $bound, $changed) = @{ $rows->[0] };
	$self->{planned_anew} += $changed;
	die "a wave cost $after after $before, at least $bound, and changed $changed orders\n"
	  if $after > $before || $bound > $after || ($changed > 0) != ($after < $before);
	return ();
}

# held(): an order that is held for now
sub held
{
	my ($self) = @_;
	my $ref = $self->ref_of('o');
	my %basket = (rand() < 0.2 ? (pick('FAR', 'WIDE') => 1) : (), map { pick(@puzzle) => 1 + int rand 1.3 } 1 .. pick(2, 4, 6));
	return ($ref, $self->place($ref, \%basket, '"channel": "bulk"', '"if_short": "refuse"', '"holds": [{"kind": "manual"}]'));
}

# turn_to($order): what becomes of an order that is held
sub turn_to
{
	my ($order) = @_;
	return pick(
		deed('release_hold', { sql => "UPDATE shop.order_holds SET released_at = clock_timestamp() WHERE released_at IS NULL AND order_id = $order", meets => 1 }),
		deed('cancel', { %{ moved('canceled', "UPDATE shop.orders SET status = 'canceled' WHERE id = $order") }, meets => 1 }),
		deed('cancel_lines', { sql => "SELECT oms.cancel_lines('shop', $order, '[{\"line\": 1, \"quantity\": 1}]')", meets => 1 }),
		deed('change_delivery', "SELECT oms.change_delivery('shop', $order, method => 'local_delivery')"));
}

# rush(): such orders come; once one is there, costs change, a wave plans it
# anew, and other sessions turn to it and to others
sub rush
{
	my ($self) = @_;
	if (rand() < 0.2)
	{
		my $deed = movements($self->ref_of('m'), map { [ $_, pick(@locations, 'F'), 'receipt', 2 ] } @puzzle);
		$deed->{learn} = sub { push @{ $self->{next} }, deed('wave', $self->rush); return () };
		return $deed;
	}
	push @{ $self->{next} }, map { deed('place', ($self->held)[1]) } 1 .. 3;
	my ($ref, $deed) = $self->held;
	my $learn = $deed->{learn};
	my $order = "(SELECT id FROM shop.orders WHERE external_ref = '$ref')";
	$deed->{learn} = sub {
		my @facts = $learn->(@_);
		my $location = pick(@locations, 'F', 'F');
		push @{ $self->{next} }, deed('sourcing', "UPDATE shop.locations SET fixed_cost = @{[ pick(0, 3, 6, 12) ]}, daily_capacity = daily_capacity + 2 WHERE code = '$location'")
		  if rand() < 0.7;
		push @{ $self->{next} }, deed('wave', $self->wave), map { turn_to(some('orders', "status = 'placed' AND open_holds > 0 AND channel = 'bulk'")) } 1, 2;
		push @{ $self->{next} }, turn_to($order) if rand() < 0.6;
		return @facts;
	};
	return $deed;
}

# want_all($name, $sku, $units): two sessions want all that there is, at the same time
sub want_all
{
	my ($self, $name, $sku, $units) = @_;
	for my $lingers (1, 0)
	{
		my $deed = $self->place($self->ref_of('o'), { $sku => $units }, '"channel": "web"', '"if_short": "' . pick('refuse', 'refuse', 'hold') . '"');
		push @{ $self->{next} }, deed($name, { %$deed, lingers => $lingers, meets => 1 });
	}
	return ();
}

# end_of_hold($ref, \%basket): how a stock hold ends, or lasts
sub end_of_hold
{
	my ($self, $ref, $basket) = @_;
	my $chance = rand;
	return "SELECT oms.extend_hold('shop', '$ref', '@{[ pick('0.5 s', '1 s') ]}')" if $chance < 0.2;
	return $self->again(stock_hold_ends => "SELECT oms.release_hold('shop', '$ref')") if $chance < 0.5;
	my %basket = (%$basket, rand() < 0.3 ? (pick(@skus) => 1 + int rand 4) : ());
	return $self->again(
		place => $self->place($self->ref_of('o'), \%basket, '"channel": "web"', '"if_short": "' . pick('hold', 'refuse') . '"', qq("stock_hold": "$ref")));
}

# on_credit($customer): an order of one who pays later
sub on_credit
{
	my ($self, $customer) = @_;
	my %basket = basket();
	return $self->again(place => $self->place($self->ref_of('o'), \%basket, '"channel": "paid"', qq("customer": "acme$customer"), '"if_short": "hold"'));
}

# sold_out(): an order of what is to be backordered
sub sold_out
{
	my ($self) = @_;
	my %basket = (LATE => 1 + int rand 4, rand() < 0.5 ? (SOON => 1 + int rand 3) : (), rand() < 0.5 ? (pick(@skus) => 1) : ());
	return $self->again(
		place => $self->place($self->ref_of('o'), \%basket, '"channel": "web"', '"if_short": "' . pick('refuse', 'refuse', 'hold') . '"',
			'"ship_complete": ' . pick('true', 'false')));
}

# feed_of($location, $sequence, @skus): one of a warehouse
sub feed_of
{
	my ($self, $location, $sequence, @named) = @_;
	my $ref = $self->ref_of('f');
	my $items = join ', ', map { qq({"sku": "$_", "quantity": @{[ int rand 40 ]}}) } @named;
	my $full = rand() < 0.07 ? ', "full": true' : '';
	return $self->again(
		feed => {
			sql => "SELECT oms.set_stock('shop', '{\"ref\": \"$ref\", \"location\": \"$location\", \"sequence\": $sequence,"
			  . qq| "basis": "@{[ pick('on_hand', 'sellable') ]}"$full, "items": [$items]}')|,
			facts => { "feed $ref" => $location }
		});
}

# transaction($payment, $number): of a payment, the same for the same number
sub transaction
{
	my ($self, $payment, $number, $kind, $outcome) = @_;
	my $amount = 1 + $number % 13;
	return $self->again(
		transaction => {
			sql => 'INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount, gateway_ref)'
			  . " VALUES ('$payment', '$kind', '$outcome', $amount, 'g$number')",
			facts => { "transaction $kind $outcome g$number" => $amount }
		});
}

# any_transaction($payment): of any kind
sub any_transaction
{
	my ($self, $payment) = @_;
	return $self->transaction($payment, ++$self->{last},
		pick(qw(authorize authorize capture capture sale void refund refund chargeback chargeback_reversal)),
		pick(qw(succeeded succeeded succeeded requested failed)));
}

# movement row(s): their text and what must be there
sub movements
{
	my ($ref, @rows) = @_;
	return {
		sql => 'INSERT INTO shop.stock_movements (sku, location, kind, quantity, external_ref) VALUES '
		  . join(', ', map { "('$_->[0]', '$_->[1]', '$_->[2]', $_->[3], '$ref')" } @rows),
		facts => { map { ("movement $ref $_->[2] $_->[0] $_->[1]" => $_->[3]) } @rows }
	};
}

%verbs = (

	# ---- orders

	place => {
		weight => 8,
		make => sub {
			my ($self) = @_;
			my %basket = cart();
			$basket{CARE} = 1 if rand() < 0.1;
			my @fields = ('"channel": "' . pick('web', 'web', 'market', 'paid') . '"', '"if_short": "' . pick('hold', 'refuse') . '"');
			push @fields, '"ship_complete": true' if rand() < 0.2;
			push @fields, '"holds": [{"kind": "manual"}]' if rand() < 0.2;
			push @fields, '"charges": [{"kind": "shipping", "amount": 5}]' if rand() < 0.3;
			return $self->again(place => $self->place($self->ref_of('o'), \%basket, @fields));
		}
	},
	place_again => { weight => 2, make => sub { return $_[0]->repeat('place') // $verbs{place}{make}->(@_) } },
	place_in_steps => {
		weight => 3,
		make => sub {
			my ($self) = @_;
			my $ref = $self->ref_of('o');
			my %basket = cart();
			my $line = 0;
			my $lines = join ', ', map { "('$_', $basket{$_}, @{[ ++$line ]})" } sort { rand() <=> 0.5 } keys %basket;
			my $place = "UPDATE shop.orders SET status = 'placed' WHERE channel = 'market' AND external_ref = '$ref'";
			return {
				sql => [
					"WITH o AS (INSERT INTO shop.orders (channel, currency, external_ref, if_short) VALUES ('market', 'EUR', '$ref',"
					  . " '@{[ pick('hold', 'refuse') ]}') RETURNING id) INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price)"
					  . " SELECT o.id, n, sku, quantity, 10 FROM o, (VALUES $lines) l (sku, quantity, n)",
					rand() < 0.9 ? $place : ("$place AND false") ],
				facts => { "order $ref" => basket_text(%basket) }
			};
		}
	},
	line => { weight => 2, make => sub { return line_of(some('orders', "status = 'draft' AND external_ref IS NULL")) } },
	draft => {
		weight => 2,
		make => sub {
			my ($self) = @_;
			my $deed = {
				sql => "WITH o AS (INSERT INTO shop.orders (channel, currency, if_short) VALUES ('market', 'EUR', 'hold') RETURNING id)"
				  . ' INSERT INTO shop.order_lines (order_id, line_no, sku, quantity, unit_price)'
				  . " SELECT o.id, n, CASE n WHEN 4 THEN '@{[ pick('KIT', 'BOX', 'LATE') ]}' ELSE 'S' || (n * 7 + @{[ int rand 10 ]}) % 10 END, n, 5"
				  . " FROM o, generate_series(1, @{[ pick(3, 3, 4) ]}) n RETURNING order_id"
			};
			# once it is there, one session places it and another adds a line
			$deed->{learn} = sub {
				my ($rows) = @_;
				push @{ $self->{next} },
				  deed('place_drafts', { sql => "UPDATE shop.orders SET status = 'placed' WHERE id = '$rows->[0][0]' AND status = 'draft'", lingers => 1 }),
				  deed('line', line_of("'$rows->[0][0]'"));
				return ();
			  }
			  if rand() < 0.3;
			return $deed;
		}
	},
	place_drafts => {
		weight => 3,
		make => sub {
			return "UPDATE shop.orders SET status = 'placed' WHERE id IN " . several('orders', "status = 'draft'");
		}
	},
	delete_draft => { weight => 0.3, make => sub { return 'DELETE FROM shop.orders WHERE id = ' . some('orders', "status = 'draft' AND external_ref IS NULL") } },
	cancel => {
		weight => 3,
		make => sub {
			my $reason = pick('NULL', "'customer_request'", "'fraud'");
			return moved('canceled',
				"UPDATE shop.orders SET status = 'canceled', status_reason = $reason WHERE id = " . some('orders', "status IN ('placed', 'confirmed')"));
		}
	},
	cancel_lines => {
		weight => 3,
		make => sub {
			my $order = some('orders', "status IN ('placed', 'confirmed')");
			return "SELECT oms.cancel_lines('shop', id) FROM shop.orders WHERE id = $order" if rand() < 0.4;
			return "SELECT oms.cancel_lines('shop', id, (SELECT jsonb_agg(jsonb_build_object('line', line_no, 'quantity', 1))"
			  . " FROM shop.order_lines l WHERE l.order_id = o.id@{[ rand() < 0.9 ? ' AND l.per_kit IS NULL' : '' ]}), 'other') FROM shop.orders o WHERE id = $order";
		}
	},
	hold => {
		weight => 2,
		make => sub {
			my $expires = pick('NULL', "clock_timestamp() + interval '0.3 s' * random()");
			# with an id, so that it can be sent again
			my ($self) = @_;
			return $self->again(hold => "INSERT INTO shop.order_holds (id, order_id, kind, expires_at) SELECT md5('@{[ ++$self->{last} ]}' || n)::uuid, id, 'fraud', $expires"
				  . " FROM shop.orders, generate_series(1, @{[ pick(1, 2) ]}) n WHERE id = " . some('orders', "status IN ('draft', 'placed', 'confirmed')") . ' ON CONFLICT DO NOTHING');
		}
	},
	hold_again => { weight => 0.7, make => sub { return $_[0]->repeat('hold') // $verbs{hold}{make}->(@_) } },
	# once an order is there, two sessions or three turn to it at the same time
	meet => {
		weight => 4,
		setup => "INSERT INTO shop.skus (code, name) VALUES @{[ join ', ', map { qq(('$_', '$_')) } @plenty ]};"
		  . " INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT k.code, l.code, 'receipt', 100000 FROM shop.skus k, shop.locations l"
		  . " WHERE k.code ~ '^M[0-9]' AND l.code ~ '^[A-D]\$'",
		make => sub {
			my ($self) = @_;
			my $ref = $self->ref_of('o');
			my @kinds = @{ pick(['manual'], [qw(manual fraud)], [qw(manual fraud address)]) };
			my $deed = $self->place($ref, { meeting_basket() }, '"channel": "web"', '"if_short": "refuse"',
				'"holds": [' . join(', ', map { qq({"kind": "$_"}) } @kinds) . ']');
			my $learn = $deed->{learn};
			my $order = "(SELECT id FROM shop.orders WHERE external_ref = '$ref')";
			my @meeting = map { "UPDATE shop.order_holds SET released_at = clock_timestamp() WHERE kind = '$_' AND order_id = $order" } @kinds;
			unshift @meeting, "SELECT id FROM shop.fulfillments WHERE id = (SELECT id FROM shop.fulfillments WHERE order_id = $order LIMIT 1) FOR UPDATE" if @kinds == 1;
			$deed->{learn} = sub {
				my @facts = $learn->(@_);
				push @{ $self->{next} }, map { deed('release_hold', { sql => $_, lingers => $_ eq $meeting[0] && rand() < 0.8, meets => 1 }) } @meeting;
				return @facts;
			};
			return $deed;
		}
	},
	# once a parcel is there, one session divides it and takes its time, and another
	# moves the whole of it; or one does two things at once
	meet_parcel => {
		weight => 4,
		make => sub {
			my ($self) = @_;
			my $ref = $self->ref_of('o');
			my $deed = $self->place($ref, { meeting_basket() }, '"channel": "web"', '"if_short": "refuse"');
			my $learn = $deed->{learn};
			my $order = "(SELECT id FROM shop.orders WHERE external_ref = '$ref')";
			my $parcel = "(SELECT id FROM shop.fulfillments WHERE order_id = $order ORDER BY id LIMIT 1)";
			my $status = pick('shipped', 'shipped', 'rejected', 'canceled');
			my @meeting = (
				deed('split', { sql => split_of($parcel), lingers => 1 }),
				deed($status eq 'shipped' ? 'ship' : $status eq 'rejected' ? 'reject' : 'cancel_parcel',
					moved($status, "UPDATE shop.fulfillments SET status = '$status' WHERE id = $parcel")));
			$deed->{learn} = sub {
				my @facts = $learn->(@_);
				push @{ $self->{next} }, rand() < 0.3 ? deed('ship_and_cancel', cancel_and_ship($order)) : @meeting;
				return @facts;
			};
			return $deed;
		}
	},
	release_hold => {
		weight => 3,
		make => sub {
			return 'UPDATE shop.order_holds SET released_at = clock_timestamp() WHERE id IN ' . several('order_holds', 'released_at IS NULL');
		}
	},
	tick => { weight => 0.3, make => sub { return "SELECT oms.tick('shop', @{[ pick(3, 1000) ]})" } },
	notes => {
		weight => 0.7,
		make => sub {
			return "UPDATE shop.fulfillments SET carrier = 'x' WHERE id = " . some('fulfillments', 'true') if rand() < 0.5;
			return "UPDATE shop.order_lines SET description = 'x' WHERE order_id = " . some('orders', 'true');
		}
	},
	# as an application does that reads before it writes
	lock => {
		weight => 1,
		make => sub {
			my ($table, $condition) = @{ pick([ 'fulfillments', "status = 'open'" ], [ 'fulfillments', "status = 'open'" ], [ 'orders', 'open_holds > 0' ]) };
			return "SELECT status FROM shop.$table WHERE id = " . some($table, $condition) . ' FOR UPDATE';
		}
	},
	ask => {
		weight => 0.5,
		make => sub {
			my $entity = pick('order', 'fulfillment');
			return "SELECT m.* FROM (SELECT id FROM shop.${entity}s ORDER BY id DESC LIMIT 3) o, oms.next_moves('shop', '$entity', o.id) m";
		}
	},

	# ---- fulfillments

	ship => {
		weight => 5,
		make => sub {
			return moved('shipped', "UPDATE shop.fulfillments SET status = 'shipped' WHERE id = "
				  . some('fulfillments', "status IN ('released', 'picking', 'packed')"));
		}
	},
	step => {
		weight => 3,
		make => sub {
			return "UPDATE shop.fulfillments SET status = CASE status WHEN 'released' THEN '@{[ pick('picking', 'checked') ]}' WHEN 'checked' THEN 'picking'"
			  . " WHEN 'picking' THEN 'packed' WHEN 'packed' THEN 'picking' WHEN 'shipped' THEN '@{[ pick('delivered', 'lost', 'returned_to_sender') ]}'"
			  . " ELSE status END WHERE id = "
			  . some('fulfillments', "status IN ('released', 'checked', 'picking', 'packed', 'shipped')");
		}
	},
	# in one statement, of which either half is untrue after the other
	ship_and_cancel => {
		weight => 1,
		make => sub {
			return cancel_and_ship(some('orders', "status = 'confirmed'")) if rand() < 0.5;
			my $ship = "UPDATE shop.fulfillments SET status = 'shipped' WHERE id = " . some('fulfillments', "status IN ('released', 'picking', 'packed')");
			return "WITH f AS ($ship RETURNING order_id) UPDATE shop.orders SET status = 'canceled' WHERE id IN (SELECT order_id FROM f)";
		}
	},
	cancel_parcel => {
		weight => 1,
		make => sub {
			return moved('canceled', "UPDATE shop.fulfillments SET status = 'canceled', status_reason = 'customer_request' WHERE id = "
				  . some('fulfillments', "stock_state = 'reserved'"));
		}
	},
	send_back => {
		weight => 1,
		make => sub {
			return moved('returned_to_sender', "UPDATE shop.fulfillments SET status = 'returned_to_sender' WHERE id = "
				  . some('fulfillments', "status IN ('shipped', 'lost')"));
		}
	},
	reject => {
		weight => 3,
		make => sub {
			my $reason = pick('NULL', "'not_found'", "'damaged'", "'no_capacity'");
			return moved('rejected', "UPDATE shop.fulfillments SET status = 'rejected', status_reason = $reason WHERE id = "
				  . some('fulfillments', "stock_state = 'reserved'"));
		}
	},
	split => { weight => 2, make => sub { return split_of(some('fulfillments', "stock_state = 'reserved'")) } },

	merge => {
		weight => 1.2,
		make => sub {
			my ($self) = @_;
			return $self->divided if rand() < 0.6;
			return merge_of('true', 'order_id', rand() < 0.8 ? qw(location method pickup_location ship_to_id status load_day) : ());
		}
	},
	short_pick => { weight => 1, make => sub { return short_pick_of(some('fulfillments', "stock_state = 'reserved'")) } },
	change_delivery => {
		weight => 1,
		make => sub {
			my $way = pick(q(method => 'local_delivery'), q(method => 'ship'), q(method => 'ship'),
				qq(method => 'pickup', pickup_location => '@{[ pick(@locations) ]}'), q(ship_to => '{"city": "Bonn"}'));
			my $lines = rand() < 0.6 ? '' : "(SELECT jsonb_agg(jsonb_build_object('line', line_no, 'quantity', 1)) FROM shop.order_lines l"
			  . ' WHERE l.order_id = o.id AND l.allocated > 0 AND l.per_kit IS NULL), ';
			return "SELECT oms.change_delivery('shop', o.id, $lines$way) FROM shop.orders o WHERE id = " . some('orders', "status IN ('placed', 'confirmed')");
		}
	},
	pack => {
		weight => 2,
		errors => qr/^23505$/,    # the line is in the package
		make => sub {
			my ($self) = @_;
			return $self->pack_of(some('fulfillments', "stock_state IN ('reserved', 'issued')")) if rand() < 0.75;
			return 'INSERT INTO shop.package_lines (package_id, order_line_id, quantity) SELECT p.id, l.order_line_id, 1'
			  . ' FROM shop.packages p JOIN shop.fulfillment_lines l USING (fulfillment_id) WHERE p.id = '
			  . some('packages', "voided_at IS NULL AND status = 'packed'") . ' ORDER BY random() LIMIT 1';
		}
	},
	repack => {
		weight => 0.6,
		make => sub {
			my $package = some('packages', "voided_at IS NULL AND status = 'packed'");
			return "UPDATE shop.package_lines SET quantity = greatest(1, quantity @{[ pick('+', '-') ]} 1) WHERE package_id = $package" if rand() < 0.7;
			# not the last line, by which the account knows the package
			return "DELETE FROM shop.package_lines l WHERE package_id = $package"
			  . ' AND order_line_id > (SELECT k.order_line_id FROM shop.package_lines k WHERE k.package_id = l.package_id ORDER BY 1 LIMIT 1)';
		}
	},
	void => { weight => 0.8, make => sub { return void_of(some('packages', "voided_at IS NULL AND status = 'packed'")) } },
	carrier => {
		weight => 2,
		make => sub {
			my ($self) = @_;
			my @parcels = @{ $self->{parcels} } or return $verbs{pack}{make}->($self);
			my %some = map { (pick(@parcels) => 1) } 1 .. pick(1, 1, 3);
			return $self->again(carrier => $self->carrier_feed(keys %some));
		}
	},
	carrier_again => { weight => 0.7, make => sub { return $_[0]->repeat('carrier') // $verbs{carrier}{make}->(@_) } },

	# ---- where units come from

	# E alone has some SKUs, and as much as one wants, but its days are never long enough
	load => {
		weight => 1.5,
		setup => "INSERT INTO shop.locations (code, name, priority, daily_capacity) VALUES ('E', 'E', 5, 12);"
		  . " INSERT INTO shop.skus (code, name) VALUES ('FAR', 'Far'), ('WIDE', 'Wide');"
		  . " INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT code, 'E', 'receipt', CASE WHEN code ~ '^S' THEN 3 ELSE 100000 END"
		  . " FROM shop.skus WHERE code ~ '^(S[0-9]|FAR|WIDE)\$'",
		make => sub {
			my ($self) = @_;
			# several sessions want the rest of the day
			push @{ $self->{next} }, map { deed('load', $self->far) } 1 .. 3 if rand() < 0.5;
			return $self->far if rand() < 0.6;
			# never less than it was, so that no day is ever beyond it
			my $more = 1 + int rand 4;
			return {
				sql => "UPDATE shop.locations SET daily_capacity = daily_capacity + $more WHERE code = 'E'",
				learn => sub { return $self->want_all(load => pick('FAR', 'WIDE') => $more) }
			};
		}
	},
	# what sourcing goes by changes while orders are placed
	sourcing => {
		weight => 0.8,
		make => sub {
			my $location = pick(@locations);
			my $chance = rand;
			return "UPDATE shop.locations SET fixed_cost = @{[ int rand 5 ]}, pick_cost = @{[ int rand 2 ]} WHERE code = '$location'" if $chance < 0.25;
			if ($chance < 0.5)
			{
				my $taken = '(SELECT coalesce(max(l.units), 0) FROM shop.location_loads l WHERE l.location = locations.code)';
				return "UPDATE shop.locations SET daily_capacity = @{[ pick('NULL', qq(greatest(0, $taken + @{[ int(rand 12) - 2 ]}))) ]} WHERE code = 'D'";
			}
			return 'DELETE FROM shop.shipping_rates WHERE id = ' . some('shipping_rates', 'true') if $chance < 0.53;
			return "UPDATE shop.shipping_rates SET fixed = @{[ int rand 5 ]}, per_unit = @{[ int rand 3 ]} WHERE id = " . some('shipping_rates', 'true') if $chance < 0.58;
			# it is closed for a while
			return "UPDATE shop.locations SET active = @{[ rand() < 0.7 ? 'true' : 'false' ]} WHERE code = 'D'" if $chance < 0.6;
			return "INSERT INTO shop.shipping_rates (method, location, fixed, per_unit) VALUES (@{[ pick('NULL', q('ship')) ]}, '$location',"
			  . " @{[ int rand 5 ]}, @{[ int rand 3 ]}) ON CONFLICT DO NOTHING" if $chance < 0.67;
			return 'DELETE FROM shop.sourcing_rules WHERE id = ' . some('sourcing_rules', 'true') if $chance < 0.8;
			return "INSERT INTO shop.sourcing_policies (channel, objective, max_shipments) VALUES (@{[ pick('NULL', q('web')) ]}, '@{[ pick('cost', 'shipments') ]}',"
			  . " @{[ pick('NULL', 'NULL', 2) ]}) ON CONFLICT ON CONSTRAINT sourcing_policies_channel DO UPDATE SET objective = excluded.objective, max_shipments = excluded.max_shipments"
			  if $chance < 0.9;
			my ($effect, $cost) = @{ pick([ 'deny', 'NULL' ], [ 'allow', 'NULL' ], [ 'prefer', 2 ]) };
			return "INSERT INTO shop.sourcing_rules (channel, sku, location, effect, cost) VALUES (@{[ pick('NULL', q('web'), q('market')) ]},"
			  . " '@{[ pick(@skus) ]}', '$location', '$effect', $cost) ON CONFLICT DO NOTHING";
		}
	},
	# what is held back is planned anew, together, while other sessions turn to it
	wave => {
		weight => 1.5,
		# whatever becomes of other channels' policies, here money counts, which waves are for
		setup => "INSERT INTO shop.channels (code, name) VALUES ('bulk', 'Bulk');"
		  . " INSERT INTO shop.sourcing_policies (channel, objective) VALUES ('bulk', 'cost');"
		  . " INSERT INTO shop.locations (code, name, priority, daily_capacity) VALUES ('F', 'F', 6, 20);"
		  . " INSERT INTO shop.skus (code, name) VALUES @{[ join ', ', map { qq(('$_', '$_')) } @puzzle ]};"
		  . " INSERT INTO shop.stock_movements (sku, location, kind, quantity) SELECT k.code, l.code, 'receipt', CASE l.code WHEN 'F' THEN 8 ELSE 3 END"
		  . " FROM shop.skus k, shop.locations l WHERE k.code ~ '^W[0-9]' AND l.code <> 'E'",
		errors => qr/^57014$/,    # out of time
		make => sub { return rand() < 0.2 ? $_[0]->wave : $_[0]->rush }
	},
	plan => {
		weight => 0.5,
		make => sub {
			my ($self) = @_;
			my $chance = rand;
			my $orders = '(SELECT id FROM shop.orders ORDER BY id DESC LIMIT 3) o';
			return "SELECT p.* FROM $orders, oms.plan_order('shop', o.id) p" if $chance < 0.3;
			return "SELECT p.* FROM $orders, oms.explain_plan('shop', o.id) p" if $chance < 0.5;
			return "SELECT oms.quote('shop', '" . document($self->ref_of('q'), { cart() }, '"channel": "web"') . "')" if $chance < 0.7;
			return "SELECT * FROM oms.explain_source('shop', '@{[ pick(@skus, 'FAR') ]}', '@{[ pick(@locations, 'E') ]}', channel => 'web')";
		}
	},

	# ---- stock

	movement => {
		weight => 6,
		make => sub {
			my ($self) = @_;
			my $kind = pick('receipt', 'receipt', 'receipt', 'damage', 'damage', 'count', 'quarantine', 'unquarantine', 'adjustment', 'return');
			my %rows;
			for (1 .. pick(1, 1, 1, 3))
			{
				my $quantity = $kind eq 'count' ? int rand 30 : 1 + int rand($kind eq 'receipt' ? 25 : 10);
				my @place = (pick(@skus), pick(@locations));
				$rows{"@place"} = [ @place, $kind, $quantity ];
			}
			return $self->again(movement => movements($self->ref_of('m'), values %rows));
		}
	},
	# as rows come in one by one; another session has them from the last to the first
	trickle => {
		weight => 1.5,
		make => sub {
			my ($self) = @_;
			my %rows = map { (pick(@skus) => [ pick(@locations), $self->ref_of('m'), 1 + int rand 3 ]) } 1 .. 4;
			my @rows = map { [ $_, @{ $rows{$_} } ] } keys %rows;
			my @deeds = map {
				{
					sql => 'INSERT INTO shop.stock_movements (sku, location, kind, quantity, external_ref)'
					  . " SELECT sku, location, 'receipt', quantity, ref FROM (VALUES "
					  . join(', ', map { "('$_->[0]', '$_->[1]', '$_->[2]', $_->[3])" } @$_)
					  . ') m (sku, location, ref, quantity) WHERE pg_sleep(0.004) IS NOT NULL',
					facts => { map { ("movement $_->[2] receipt $_->[0] $_->[1]" => $_->[3]) } @rows }
				}
			} \@rows, [ reverse @rows ];
			push @{ $self->{next} }, deed('trickle', $deeds[1]);
			return $deeds[0];
		}
	},
	movement_again => { weight => 1, make => sub { return $_[0]->repeat('movement') // $verbs{movement}{make}->(@_) } },
	transfer => {
		weight => 1.5,
		make => sub {
			my ($self) = @_;
			my ($from, $to) = sort { rand() <=> 0.5 } @locations;
			my $quantity = 1 + int rand 5;
			my @skus_moved = pick(0, 1) ? pick(@skus) : do { my %some = map { pick(@skus) => 1 } 1 .. 3; keys %some };
			return movements($self->ref_of('m'), map { ([ $_, $from, 'transfer_out', $quantity ], [ $_, $to, 'transfer_in', $quantity ]) } @skus_moved);
		}
	},
	safety => {
		weight => 0.3,
		make => sub {
			return "UPDATE shop.stock SET safety_stock = @{[ int rand 4 ]} WHERE sku = '@{[ pick(@skus) ]}' AND location = '@{[ pick(@locations) ]}'";
		}
	},

	# ---- money

	pay => {
		weight => 3,
		make => sub {
			my ($self) = @_;
			my $number = ++$self->{last};
			my ($kind, $amount) = (pick('authorize', 'sale'), pick(20, 60, 200));
			return {
				sql => "WITH p AS (INSERT INTO shop.payments (order_id, method, amount) SELECT id, 'card', $amount FROM shop.orders WHERE id = "
				  . some('orders', 'payment_required AND captured + authorized < total - credited')
				  . ' RETURNING id) INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount, gateway_ref)'
				  . " SELECT id, '$kind', 'succeeded', $amount, 'g$number' FROM p RETURNING payment_id",
				learn => sub {
					my ($rows) = @_;
					return () unless @$rows;
					push @{ $self->{payments} }, $rows->[0][0];
					return ("transaction $kind succeeded g$number" => $amount);
				}
			};
		}
	},
	transaction => {
		weight => 4,
		make => sub {
			my ($self) = @_;
			my @payments = @{ $self->{payments} } or return $verbs{pay}{make}->($self);
			splice @payments, 0, @payments - 10 if @payments > 10;
			my $payment = pick(@payments);
			# another of the same payment comes in meanwhile
			my $lingers = rand() < 0.3;
			push @{ $self->{next} }, deed('transaction', $self->any_transaction($payment)) if $lingers;
			return { %{ $self->any_transaction($payment) }, lingers => $lingers };
		}
	},
	transaction_again => { weight => 1.5, make => sub { return $_[0]->repeat('transaction') // $verbs{pay}{make}->(@_) } },
	# the request's answer
	answer => {
		weight => 1,
		make => sub {
			my $outcome = pick('succeeded', 'failed');
			return 'INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount, gateway_ref)'
			  . " SELECT payment_id, kind, '$outcome', amount, gateway_ref FROM shop.payment_transactions WHERE outcome = 'requested'"
			  . ' ORDER BY id DESC LIMIT 1';
		}
	},
	credit => {
		weight => 3,
		make => sub {
			my ($self) = @_;
			my $customer = 1 + int rand 3;
			# another order of the customer comes in meanwhile
			my $lingers = rand() < 0.3;
			push @{ $self->{next} }, deed('credit', $self->on_credit($customer)) if $lingers;
			return { %{ $self->on_credit($customer) }, lingers => $lingers };
		}
	},
	# two orders at once of a customer who has credit for either, and not for both
	meet_credit => {
		weight => 1,
		make => sub {
			my ($self) = @_;
			my $code = 'ltd' . ++$self->{last};
			return {
				sql => "INSERT INTO shop.customers (code, credit_limit) VALUES ('$code', 50)",
				learn => sub {
					for my $lingers (1, 0)
					{
						my $deed = $self->place($self->ref_of('o'), { pick(@plenty) => 4 }, '"channel": "paid"', qq("customer": "$code"), '"if_short": "refuse"');
						push @{ $self->{next} }, deed('credit', { %$deed, lingers => $lingers, meets => 1 });
					}
					return ();
				}
			};
		}
	},
	settle => {
		weight => 1,
		make => sub {
			return moved('canceled', "UPDATE shop.orders SET status = 'canceled' WHERE id = "
				  . some('orders', "credit_approved AND status IN ('placed', 'confirmed')"))
			  if rand() < 0.3;
			return "WITH p AS (INSERT INTO shop.payments (order_id, method, amount) SELECT id, 'wire', total FROM shop.orders WHERE id = "
			  . some('orders', 'credit_approved AND closed_at IS NULL AND captured = 0')
			  . ' RETURNING id, amount) INSERT INTO shop.payment_transactions (payment_id, kind, outcome, amount, gateway_ref)'
			  . " SELECT id, 'sale', 'succeeded', amount, 'g@{[ ++$_[0]->{last} ]}' FROM p";
		}
	},

	# ---- workflows

	# a state comes and goes, and rows are in it now and then
	workflow => {
		weight => 0.6,
		errors => qr/^22023$/,    # the state that is to go has gone
		make => sub {
			my ($without, $with) = @shippings;
			return "SELECT oms.replace_workflow('shop', 'ship', \$\$$with\$\$)" if rand() < 0.5;
			return "SELECT oms.replace_workflow('shop', 'ship', \$\$$without\$\$, '{\"checked\": \"released\"}')" if rand() < 0.7;
			return "UPDATE shop.workflows SET definition = \$\$$without\$\$ WHERE name = 'ship'";
		}
	},
	describe => { weight => 0.1, make => sub { return "UPDATE shop.workflows SET description = clock_timestamp()::text WHERE name = 'standard'" } },

	# ---- stock that is promised otherwise

	stock_hold => {
		weight => 2,
		make => sub {
			my ($self) = @_;
			my $ref = $self->ref_of('h');
			my %basket = map { pick(@skus) => 1 + int rand 2 } 1 .. pick(1, 2, 3);
			push @{ $self->{holds} }, [ $ref, \%basket ];
			shift @{ $self->{holds} } if @{ $self->{holds} } > 12;
			my $items = join ', ', map { qq({"sku": "$_", "quantity": $basket{$_}}) } sort { rand() <=> 0.5 } keys %basket;
			my $deed = { sql => "SELECT oms.hold_stock('shop', '$ref', '[$items]', '@{[ pick('0.2 s', '0.6 s', '2 s', '1 hour') ]}')" };
			# once it is there, two sessions end it at the same time
			$deed->{learn} = sub {
				my @ends = map { deed('stock_hold_ends', $self->end_of_hold($ref, \%basket)) } 1 .. 2;
				$ends[0]{lingers} = rand() < 0.5;
				push @{ $self->{next} }, @ends;
				return ();
			  }
			  if rand() < 0.5;
			return $self->again(stock_hold => $deed);
		}
	},
	stock_hold_again => { weight => 0.7, make => sub { return $_[0]->repeat('stock_hold') // $verbs{stock_hold}{make}->(@_) } },
	stock_hold_ends => {
		weight => 2,
		make => sub {
			my ($self) = @_;
			my @holds = @{ $self->{holds} } or return $verbs{stock_hold}{make}->($self);
			return $self->end_of_hold(@{ pick(@holds, $holds[-1], $holds[-1]) });
		}
	},
	feed => {
		weight => 2,
		make => sub {
			my ($self) = @_;
			my $location = pick(@locations);
			my %named = map { pick(@skus) => 1 } 1 .. 1 + int rand 5;
			my $sequence = $self->{last} + 10;
			# the one before it comes after it, or at the same time
			push @{ $self->{next} }, deed('feed', $self->feed_of($location, $sequence - 1 - int rand 9, keys %named)) if rand() < 0.5;
			return $self->feed_of($location, $sequence, keys %named);
		}
	},
	feed_again => { weight => 0.7, make => sub { return $_[0]->repeat('feed') // $verbs{feed}{make}->(@_) } },
	# two orders at once of what is not there, and may be sold ahead to either of them
	meet_limit => {
		weight => 1,
		make => sub {
			my ($self) = @_;
			my $sku = 'AHEAD' . ++$self->{last};
			return {
				sql => [ "INSERT INTO shop.skus (code, name) VALUES ('$sku', 'Ahead')",
					"INSERT INTO shop.backorder_policies (sku, policy, limit_units) VALUES ('$sku', 'backorder', 3)" ],
				learn => sub { return $self->want_all(backorder => $sku => pick(2, 3)) }
			};
		}
	},
	backorder => {
		weight => 3,
		setup => "INSERT INTO shop.skus (code, name) VALUES ('LATE', 'Late'), ('SOON', 'Soon');"
		  . " INSERT INTO shop.backorder_policies (sku, policy, limit_units) VALUES ('LATE', 'backorder', 12), ('SOON', 'preorder', 5), ('S4', 'backorder', 6)",
		make => sub {
			my ($self) = @_;
			if (rand() < 0.4)
			{
				my ($sku, $units) = (pick('LATE', 'SOON'), 1 + int rand 6);
				my $deed = movements($self->ref_of('m'), [ $sku, pick(@locations), 'receipt', $units ]);
				# who waits has it, which lets as many be sold: two want them all
				$deed->{learn} = sub { return $self->want_all(backorder => $sku => $units) };
				return $deed;
			}
			# several sessions want the last of what may still be sold
			push @{ $self->{next} }, map { deed('backorder', $self->sold_out) } 1 .. 3 if rand() < 0.5;
			return $self->sold_out;
		}
	},
	policy => {
		weight => 0.5,
		errors => qr/^23514$/,    # a limit below what waits
		make => sub {
			my $sku = pick('LATE', 'SOON', 'S4');
			return "UPDATE shop.backorder_policies SET limit_units = @{[ rand() < 0.1 ? 'NULL' : 3 + int rand 12 ]} WHERE sku = '$sku'" if rand() < 0.6;
			return "UPDATE shop.backorder_policies SET valid_until = clock_timestamp() WHERE sku = '$sku' AND valid_until IS NULL AND valid_from < clock_timestamp()"
			  if rand() < 0.3;
			return "INSERT INTO shop.backorder_policies (sku, policy, limit_units) VALUES ('$sku', 'backorder', 9) ON CONFLICT DO NOTHING";
		}
	},
	kit => {
		weight => 3,
		setup => "INSERT INTO shop.skus (code, name, kind) VALUES ('KIT', 'Kit', 'bundle'), ('BOX', 'Box', 'bundle');"
		  . " INSERT INTO shop.bundle_items (bundle, sku, quantity, price_share) VALUES ('KIT', 'S1', 1, 0.5), ('KIT', 'S2', 2, 0.5);"
		  . " INSERT INTO shop.bundle_items (bundle, sku, quantity) VALUES ('BOX', 'KIT', 1), ('BOX', 'S2', 1), ('BOX', 'LATE', 1)",
		make => sub {
			my ($self) = @_;
			my %basket = (pick('KIT', 'BOX') => 1 + int rand 3, rand() < 0.5 ? (KIT => 1) : (), pick('S1', 'S2', 'S3') => 1);
			return $self->again(place => $self->place($self->ref_of('o'), \%basket, '"channel": "web"', '"if_short": "' . pick('hold', 'refuse') . '"'));
		}
	},
	bundle_edit => {
		weight => 0.2,
		make => sub { return "UPDATE shop.bundle_items SET quantity = @{[ pick(1, 2) ]} WHERE bundle = '@{[ pick('KIT', 'BOX') ]}' AND sku = 'S2'" }
	},
	rule => {
		weight => 0.3,
		make => sub {
			return 'DELETE FROM shop.channel_stock_rules WHERE id = ' . some('channel_stock_rules', 'true') if rand() < 0.6;
			my ($effect, $units) = @{ pick([ 'deny', 'NULL' ], [ 'only', 'NULL' ], [ 'keep_from', 5 ], [ 'keep_for', 3 ]) };
			return "INSERT INTO shop.channel_stock_rules (channel, sku, location, effect, units) VALUES"
			  . " ('@{[ pick('web', 'market') ]}', '@{[ pick(@skus) ]}', '@{[ pick(@locations) ]}', '$effect', $units) ON CONFLICT DO NOTHING";
		}
	},

	# ---- what is on its way

	send => {
		weight => 2,
		make => sub {
			my ($self) = @_;
			my ($from, $to) = sort { rand() <=> 0.5 } @locations;
			my $ref = $self->ref_of('t');
			my %units = map { pick(@skus) => 1 + int rand 5 } 1 .. pick(1, 2, 5);
			my $status = pick('expected', 'in_transit', 'in_transit', 'received');
			return $self->again(
				inbound => {
					sql => 'INSERT INTO shop.inbound (ref, sku, location, from_location, quantity, status) VALUES '
					  . join(', ', map { "('$ref', '$_', '$to', '$from', $units{$_}, '$status')" } keys %units),
					facts => { map { ("inbound $ref $_ $to" => $units{$_}) } keys %units }
				});
		}
	},
	deliver => {
		weight => 1,
		make => sub {
			my ($self) = @_;
			my $ref = $self->ref_of('t');
			my $to = pick(@locations);
			my %units = map { pick(@skus, 'LATE', 'SOON') => 1 + int rand 10 } 1 .. pick(1, 3);
			return $self->again(
				inbound => {
					sql => 'INSERT INTO shop.inbound (ref, sku, location, quantity, expected_at) VALUES '
					  . join(', ', map { "('$ref', '$_', '$to', $units{$_}, now() + interval '1 day')" } keys %units),
					facts => { map { ("inbound $ref $_ $to" => $units{$_}) } keys %units }
				});
		}
	},
	inbound_again => { weight => 0.5, make => sub { return $_[0]->repeat('inbound') // $verbs{send}{make}->(@_) } },
	arrive => {
		weight => 4,
		errors => qr/^(23514|OM007)$/,    # missing of what has not left; another row with this ref
		make => sub {
			my ($self) = @_;
			my $row = some('inbound', 'closed_at IS NULL');
			if (rand() < 0.4)
			{
				my $ref = rand() < 0.7 ? "'@{[ $self->ref_of('r') ]}'" : 'NULL';
				return $self->again(
					arrive => "SELECT oms.receive_inbound('shop', id, @{[ pick('NULL', 1 + int rand 4) ]}, $ref) FROM shop.inbound WHERE id = $row");
			}
			return "UPDATE shop.inbound SET missing = least(quantity, missing + 1) WHERE id = $row" if rand() < 0.1;
			return "UPDATE shop.inbound SET status = '@{[ pick('in_transit', 'received', 'received', 'canceled') ]}' WHERE id = $row";
		}
	},
	arrive_again => { weight => 0.5, errors => qr{^(23514|OM007)$}, make => sub { return $_[0]->repeat('arrive') // $verbs{arrive}{make}->(@_) } },
	promise => {
		weight => 0.3,
		make => sub { return "SELECT oms.available_to_promise('shop', '@{[ pick(@skus, 'KIT', 'LATE') ]}', @{[ 1 + int rand 40 ]})" }
	},
	availability => {
		weight => 0.5,
		make => sub { return "SELECT * FROM oms.availability('shop', ARRAY['@{[ join q(', '), @skus, 'KIT', 'BOX', 'LATE' ]}'], @{[ pick('NULL', q('web')) ]})" }
	});

# learn_shipping($admin): how workflow ship reads, and with a state more, which it has
# from now on
sub learn_shipping
{
	my ($admin) = @_;
	my $without = $admin->value("SELECT definition FROM shop.workflows WHERE name = 'ship'");
	my $with = $without =~ s/released -> picking -> packed;/released -> picking -> packed; released -> checked -> picking; checked -> shipped when order_unheld do issue; checked -> canceled do release; checked -> rejected do reroute;/r;
	die "workflow ship is not as expected" if $with eq $without;
	@shippings = ($without, $with);
	# so that what sessions learn first is what is taken away
	$admin->run("UPDATE shop.workflows SET definition = \$\$$with\$\$ WHERE name = 'ship'");
	return;
}

1;
