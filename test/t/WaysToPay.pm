# The ways in which the orders of the walks are paid; Walker.pm carries them out.

package WaysToPay;

use strict;
use warnings;

# channel, customer: of the order.  document: it is placed by place_order, else in
# steps.  opens: what comes last before it is confirmed, money or the hold's
# release; ends: what comes last before it is completed, money or goods.
# secure, pay: what makes it payable, and paid.
our %ways = (
	free => { channel => 'free', opens => 'hold', ends => 'goods', document => 1 },

	# paid although nothing need be, a unit is canceled then
	gift => { channel => 'free', opens => 'hold', ends => 'goods', early => sub {
		my ($w) = @_;
		$w->pay_by('gift card', 300_000);
		$w->transact('sale', 300_000);
		$w->cancel_one;
	} },

	# in parts: the second authorization opens the move, the second capture ends it
	card => { channel => 'online', opens => 'money', ends => 'money', document => 1, secure => \&authorize_in_parts, pay => \&capture_in_parts },
	card_first => { channel => 'online', opens => 'hold', ends => 'goods', secure => \&authorize_in_parts, pay => \&capture_in_parts },

	# authorized for what is due once a unit is canceled, which opens the move
	card_less => { channel => 'online', opens => 'money', ends => 'goods', pay => \&capture_in_parts, secure => sub {
		my ($w) = @_;
		my $o = $w->{order};
		$w->pay_by('card', $o->total - 118_967);
		$w->transact('authorize', $o->total - 118_967);
		$w->cancel_one;
		$w->transact('authorize', $o->due - $o->sum('authorized')) if !$o->payable;
	} },

	# cash, of which a part goes back for a unit that is canceled
	sale => { channel => 'online', opens => 'money', ends => 'money', secure => \&sell_in_parts, pay => \&sell_in_parts },
	sale_less => { channel => 'online', opens => 'hold', ends => 'goods', pay => \&sell_in_parts, secure => sub {
		my ($w) = @_;
		sell_in_parts($w);
		$w->cancel_one;
	} },
	in_document => { channel => 'online', opens => 'hold', ends => 'goods', document => 1, paid => 415_200 },
	deposit => { channel => 'online', opens => 'money', ends => 'money', document => 1, paid => 100_000, secure => \&sell_in_parts, pay => \&sell_in_parts },

	# a gateway is asked, says no, is asked again; a gift card pays the rest
	gateway => { channel => 'online', opens => 'money', ends => 'money', secure => sub {
		my ($w) = @_;
		$w->pay_by('gift card', 100_000);
		$w->transact('sale', 100_000);
		$w->pay_by('card', $w->{order}->total - 100_000);
		$w->ask('authorize', 315_200, 'failed');
		$w->ask('authorize', 315_200, 'succeeded');
	}, pay => sub {
		my ($w) = @_;
		my $rest = $w->{order}->due - $w->{order}->sum('captured');
		return sell_in_parts($w) if $rest > $w->{order}->sum('authorized');
		$w->ask('capture', $rest, $_) for 'failed', 'succeeded';
	} },

	# customers on terms, within their limit and beyond it
	terms => { channel => 'online', customer => 'rich', limit => 1e9, opens => 'hold', ends => 'money', pay => \&sell_in_parts, document => 1 },
	beyond => { channel => 'online', customer => 'poor', limit => 100_000, opens => 'hold', ends => 'money', secure => sub { $_[0]->release_hold('credit') }, pay => \&sell_in_parts },
	# paid after all: the hold stays until somebody releases it
	beyond_paid => { channel => 'online', customer => 'poor', limit => 100_000, opens => 'hold', ends => 'goods', document => 1, secure => \&sell_in_parts });

sub names { return sort keys %ways }

sub authorize_in_parts
{
	my ($w) = @_;
	my $due = $w->{order}->due;
	$w->pay_by('card', $due);
	$w->transact('authorize', 200_000);
	$w->transact('authorize', $due - 200_000);
}

sub capture_in_parts
{
	my ($w) = @_;
	my $o = $w->{order};
	my $rest = $o->due - $o->sum('captured');
	return if $rest <= 0;
	return sell_in_parts($w) if $o->sum('authorized') < $rest;
	$w->transact('capture', 50_001);
	$w->transact('capture', $rest - 50_001);
}

sub sell_in_parts
{
	my ($w) = @_;
	my $o = $w->{order};
	my $rest = $o->due - $o->sum('captured');
	return if $rest <= 0;
	$w->pay_by('cash', $rest);
	$w->transact('sale', 70_000);
	$w->transact('sale', $rest - 70_000);
}

1;
