# What must come out of the import, reckoned without the store, the import's SQL
# or any database: from the file alone, by docs/import.md's rules.  t/010_import.pl
# compares.
#
# It leans on one location, on receipts that all come first and on nothing ever
# leaving: so stock is one number a SKU, and an order has one live fulfillment.

package Model;

use strict;
use warnings;

# new(file): read it and play it through.
sub new
{
	my ($class, $file) = @_;
	my $self = bless {
		invoices => read_invoices($file),
		on_hand => {},		# by SKU
		reserved => {},		# by SKU
		orders => [],		# in order of placing
		outcome => {},		# by invoice
		matches => [],		# [invoice, line, quantity, outcome, order, order's line]
	}, $class;

	$self->receive;
	for my $invoice (@{ $self->{invoices} })
	{
		my $play = "play_$invoice->{kind}";
		$self->$play($invoice);
	}
	return $self;
}

# Goods are what the shop numbers; the import goes by a list of what is none.
sub is_goods
{
	return $_[0] =~ /^(?:[0-9]{5}|DCGS)/;
}

sub fields
{
	my ($line) = @_;
	my @fields;

	while ($line =~ /\G(?:"((?:[^"]|"")*)"|([^,\r\n]*))(,|\r?\n?$)/g)
	{
		my ($quoted, $plain, $end) = ($1, $2, $3);
		$quoted =~ s/""/"/g if defined $quoted;
		push @fields, $quoted // $plain;
		last if $end ne ',';
	}
	die "not eight fields: $line" if @fields != 8;
	return @fields;
}

# Money in ten-thousandths, so that it adds up.
sub money
{
	my ($text) = @_;
	my ($sign, $whole, $part) = $text =~ /^(-?)([0-9]+)(?:\.([0-9]{1,4}))?$/ or die "no money: $text";
	return ($sign ? -1 : 1) * ($whole * 10000 + substr(($part // '') . '0000', 0, 4));
}

sub read_invoices
{
	my ($file) = @_;
	my (%found, @invoices);

	open my $csv, '<:raw', $file or die "$file: $!";
	<$csv>;
	while (my $text = <$csv>)
	{
		my ($number, $code, undef, $quantity, $at, $price, $customer) = fields($text);
		my $invoice = $found{$number};

		if (!$invoice)
		{
			$invoice = $found{$number} = {
				number => $number, place => scalar @invoices, at => $at, customer => $customer, lines => [],
				kind => $number =~ /^A/ ? 'bad_debt' : $number =~ /^C/ ? 'cancellation' : $quantity < 0 ? 'stock' : 'sale',
			};
			push @invoices, $invoice;
		}
		$invoice->{at} = $at if $at lt $invoice->{at};
		push @{ $invoice->{lines} },
		  { number => 1 + @{ $invoice->{lines} }, code => $code, quantity => $quantity, price => money($price) };
	}
	return [ sort { $a->{at} cmp $b->{at} || $a->{place} <=> $b->{place} } @invoices ];
}

sub goods
{
	my ($invoice) = @_;
	return grep { is_goods($_->{code}) } @{ $invoice->{lines} };
}

# Of each SKU what is sold, or what is written off if that is more.
sub receive
{
	my ($self) = @_;
	my (%sold, %gone);

	for my $invoice (@{ $self->{invoices} })
	{
		for my $line (goods($invoice))
		{
			$sold{ $line->{code} } += $line->{quantity} if $invoice->{kind} eq 'sale';
			$gone{ $line->{code} } -= $line->{quantity} if $invoice->{kind} eq 'stock';
		}
	}
	for my $sku (keys %sold, keys %gone)
	{
		my ($sold, $gone) = ($sold{$sku} // 0, $gone{$sku} // 0);
		$self->{on_hand}{$sku} = $sold > $gone ? $sold : $gone;
		$self->{reserved}{$sku} = 0;
	}
	return;
}

sub available
{
	my ($self, $sku) = @_;
	return $self->{on_hand}{$sku} - $self->{reserved}{$sku};
}

sub min
{
	return $_[0] < $_[1] ? $_[0] : $_[1];
}

# All of it, or nothing; by phone, what there is.
sub play_sale
{
	my ($self, $invoice) = @_;
	my $may_be_short = $invoice->{number} % 3 == 0;
	my (%wanted, $is_short);

	$wanted{ $_->{code} } += $_->{quantity} for goods($invoice);
	$is_short = grep { $self->available($_) < $wanted{$_} } keys %wanted;
	if ($is_short && !$may_be_short)
	{
		$self->{outcome}{ $invoice->{number} } = 'refused';
		return;
	}
	$self->{outcome}{ $invoice->{number} } = 'placed';
	$invoice->{held} = $is_short;
	push @{ $self->{orders} }, $invoice;
	for my $line (goods($invoice))
	{
		$line->{allocated} = min($self->available($line->{code}), $line->{quantity});
		$line->{short} = $line->{quantity} - $line->{allocated};
		$line->{canceled} = 0;
		$self->{reserved}{ $line->{code} } += $line->{allocated};
		push @{ $self->{sold}{ $line->{code} } }, [ $invoice, $line ];
	}
	return;
}

# Units are gone, promised or not: orders on hold lose theirs first, whose parcel
# has not even been released, then the youngest.
sub play_stock
{
	my ($self, $invoice) = @_;

	for my $line (goods($invoice))
	{
		my $sku = $line->{code};
		my $missing;

		die "more of $sku is written off than there is" if $self->{on_hand}{$sku} < -$line->{quantity};
		$self->{on_hand}{$sku} += $line->{quantity};
		$missing = -$self->available($sku);
		for my $held (1, 0)
		{
			for my $sold (reverse @{ $self->{sold}{$sku} // [] })
			{
				my ($order, $of) = @$sold;
				my $taken = min($missing, $of->{allocated});

				next if ($order->{held} ? 1 : 0) != $held || $taken <= 0;
				$of->{allocated} -= $taken;
				$of->{short} += $taken;
				$self->{reserved}{$sku} -= $taken;
				$missing -= $taken;
			}
		}
	}
	$self->{outcome}{ $invoice->{number} } = 'moved';
	return;
}

# The customer's most recent purchase first, an order's lines from the top; of a
# line, units that it waits for before those it has.
sub play_cancellation
{
	my ($self, $invoice) = @_;
	my $number = $invoice->{number};

	$self->{outcome}{$number} = 'reported';
	for my $line (@{ $invoice->{lines} })
	{
		my $left = -$line->{quantity};
		my @sold = $invoice->{customer} ne ''
		  ? grep { $_->[0]{customer} eq $invoice->{customer} } @{ $self->{sold}{ $line->{code} } // [] } : ();

		for my $sold (sort { $b->[0]{at} cmp $a->[0]{at} || $b->[0]{place} <=> $a->[0]{place}
				|| $a->[1]{number} <=> $b->[1]{number} } @sold)
		{
			my ($order, $of) = @$sold;
			my $taken = min($left, $of->{short} + $of->{allocated});
			my $waited = min($taken, $of->{short});

			next if $taken == 0;
			$of->{short} -= $waited;
			$of->{allocated} -= $taken - $waited;
			$of->{canceled} += $taken;
			$self->{reserved}{ $line->{code} } -= $taken - $waited;
			$left -= $taken;
			# the last short unit takes the hold with it
			$order->{held} = 0 if $waited > 0 && !grep { $_->{short} > 0 } goods($order);
			$self->{outcome}{$number} = 'canceled';
			push @{ $self->{matches} }, [ $number, $line->{number}, $taken, 'matched', $order->{number}, $of->{number} ];
		}
		push @{ $self->{matches} }, [ $number, $line->{number}, $left,
			!is_goods($line->{code}) ? 'no goods' : $invoice->{customer} eq '' ? 'no customer' : 'no earlier purchase',
			'', '' ] if $left > 0;
	}
	return;
}

sub play_bad_debt
{
	my ($self, $invoice) = @_;
	$self->{outcome}{ $invoice->{number} } = 'reported';
	return;
}

# ---- what came out, as rows to compare, each a line of text

sub outcome_rows
{
	my ($self) = @_;
	return map { "$_|$self->{outcome}{$_}" } keys %{ $self->{outcome} };
}

sub match_rows
{
	my ($self) = @_;
	return map { join '|', @$_ } @{ $self->{matches} };
}

sub stock_rows
{
	my ($self) = @_;
	return map { "$_|$self->{on_hand}{$_}|$self->{reserved}{$_}" } keys %{ $self->{on_hand} };
}

# By SKU: which of an order's lines of one SKU loses its units is nobody's promise.
sub sku_rows
{
	my ($self) = @_;
	my @rows;

	for my $order (@{ $self->{orders} })
	{
		my %of;

		for my $line (goods($order))
		{
			$of{ $line->{code} }{$_} += $line->{$_} for qw(quantity allocated short canceled);
		}
		push @rows, join '|', $order->{number}, $_, @{ $of{$_} }{qw(quantity allocated short canceled)} for sort keys %of;
	}
	return @rows;
}

# An order of charges alone has nothing to wait for; one that lost every unit is
# canceled, and its charges with it.
sub order_rows
{
	my ($self) = @_;
	my @rows;

	for my $order (@{ $self->{orders} })
	{
		my ($total, $credited, $units, $canceled) = (0, 0, 0, 0);
		my $status;

		$total += $_->{quantity} * $_->{price} for @{ $order->{lines} };
		for my $line (goods($order))
		{
			$units += $line->{quantity};
			$canceled += $line->{canceled};
			$credited += $line->{canceled} * $line->{price};
		}
		$credited = $total if $units > 0 && $canceled == $units;
		$status = $units == 0 ? 'completed' : $canceled == $units ? 'canceled' : $order->{held} ? 'placed' : 'confirmed';
		push @rows, join '|', $order->{number}, $status, $total, $credited;
	}
	return @rows;
}

1;
