# Hostile input at random: bytes through COPY BINARY into columns of type
# oms.workflow and into every table of a store, and order documents that are
# right, then damaged.  The server lives, errors are those of bad input, what is
# placed comes to what the document says, and in the end everything adds up.
#
# OMS_SEED=n repeats a run as far as timing allows; OMS_SECONDS=n makes it long.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use Math::BigFloat;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;
use Time::HiRes 'time';

my $seed = $ENV{OMS_SEED} // int(rand(1_000_000));
my $seconds = $ENV{OMS_SECONDS} // 8;
srand($seed);
note "OMS_SEED=$seed";

# A session that copies: what comes is kept; what goes is sent after the COPY.
package Copying
{
	our @ISA = ('Session');

	sub message
	{
		my ($self, $type, $body) = @_;
		$self->{result}{copied} .= $body if $type eq 'd';
		$self->SUPER::message($type, $body);
	}

	sub copy_in
	{
		my ($self, $sql, $bytes) = @_;
		$self->send($sql);
		$self->put('d' . pack('N', length($bytes) + 4) . $bytes . 'c' . pack('N', 4));
		return $self->result;
	}
}

package main;

my $node = PostgreSQL::Test::Cluster->new('hostile');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nlog_line_prefix = '%m [%p] %e '\nlog_min_error_statement = panic\n");
$node->start;

my @skus = map { "S$_" } 0 .. 9;
my $s = Copying->new($node);
$s->run('CREATE EXTENSION oms');
Session::make_store($s, 'shop', @skus);
Session::receive($s, 'shop', $_, map { $_ => 100_000 } @skus) for 'A' .. 'D';
$s->run("INSERT INTO shop.customers (code, name) VALUES ('c0', 'Zero')");
$s->run("UPDATE shop.channels SET if_short = 'hold' WHERE code = 'web'");
$s->run('CREATE TABLE machines (machine oms.workflow)');
$s->run('INSERT INTO machines SELECT compiled FROM shop.workflows');

sub pick { return $_[ int rand @_ ] }

# ---- order documents: hashes and arrays; a string is a text, a reference to a
# string goes into the JSON as it is

sub encode
{
	my ($v) = @_;
	return 'null' unless defined $v;
	return $$v if ref $v eq 'SCALAR';
	return '[' . join(',', map { encode($_) } @$v) . ']' if ref $v eq 'ARRAY';
	if (ref $v eq 'HASH')
	{
		my @members = map { encode($_) . ':' . encode($v->{$_}) } sort keys %$v;
		# the last of a key that repeats is meant, so this says nothing
		unshift @members, encode((keys %$v)[0]) . ':' . encode(pick(\'true', \'-1', 'x', [], {})) if %$v && rand() < 0.02;
		return '{' . join(',', @members) . '}';
	}
	$v =~ s/([\\"])/\\$1/g;
	$v =~ s/([\x00-\x1f])/sprintf '\\u%04x', ord $1/ge;
	return qq("$v");
}

# money: at most so much, with 0 to 4 decimals
sub money
{
	my ($most) = @_;
	my $decimals = int rand 5;
	return \sprintf("%.${decimals}f", rand($most) * 0.99);
}

my $reference = 0;
sub good_document
{
	my %doc = (channel => 'web', currency => pick('EUR', 'USD', 'JPY'));
	$doc{external_ref} = 'r' . ++$reference if rand() < 0.5;
	$doc{tax_included} = \pick('true', 'false') if rand() < 0.5;
	$doc{customer} = pick('c0', { code => 'c' . int(rand 5), name => pick('A', 'B') }) if rand() < 0.5;
	$doc{ship_to} = { city => pick('Ulm', 'Ghent'), country => 'DE', latitude => \'48.4' } if rand() < 0.5;
	$doc{attributes} = { a => [ \'1', { b => undef } ] } if rand() < 0.2;
	$doc{ordered_at} = '2026-11-27T09:30:00Z' if rand() < 0.2;
	$doc{requested_at} = '2027-01-12T10:00:00Z' if rand() < 0.1;
	$doc{holds} = [ { kind => 'manual' } ] if rand() < 0.1;
	for (1 .. 1 + int rand 6)
	{
		my %line = (sku => pick(@skus), quantity => \(1 + int rand 20), unit_price => money(1000));
		$line{discount} = money(${ $line{quantity} } * ${ $line{unit_price} }) if rand() < 0.3;
		$line{tax} = money(100) if rand() < 0.5;
		$line{line} = \(10 * (1 + @{ $doc{lines} // [] })) if rand() < 0.1;
		push @{ $doc{lines} }, \%line;
	}
	push @{ $doc{charges} }, { kind => pick('shipping', 'fee', 'tip', 'duty', 'discount'), amount => money(20), (rand() < 0.3 ? (tax => money(5)) : ()) }
	  for 1 .. int rand 3;
	return \%doc;
}

# something that hardly any place wants
sub hostile
{
	return pick(undef, \'true', \'0', \'1', \'2', \'-1', \'-0.0', \'0.5', \'1e2', \'1e-4', \'0.00001', \'1e15', \'1e300', \'-1e300', \'1e130000', \'1e-400', \'1e999999',
		\'9223372036854775808', \'"\\u0000"', \'"\\ud800"', \'NaN', 'NaN', 'Infinity', '', ' ', '1', "a\x01b", "\xc3\xa9" x 300, "\xff", 'x' x 70, 'x' x 1100, 'EUR', 'web', 'S1',
		[], {}, [ [] ], [undef], { a => {} }, \('[' x 40 . ']' x 40), \('{"a":' x 40 . '1' . '}' x 40));
}

# damage($v): one change at a random place in a hash or array
sub damage
{
	my ($v) = @_;
	my @places = ref $v eq 'HASH' ? sort keys %$v : 0 .. $#$v;
	return unless @places;
	my $place = pick(@places);
	my $inner = ref $v eq 'HASH' ? $v->{$place} : $v->[$place];
	return damage($inner) if (ref $inner eq 'HASH' || ref $inner eq 'ARRAY') && rand() < 0.75;
	my $kind = int rand 5;
	if (ref $v eq 'ARRAY')
	{
		if ($kind == 0) { splice @$v, $place, 1 }
		elsif ($kind == 1) { push @$v, $inner }
		else { $v->[$place] = hostile() }
		return;
	}
	if ($kind == 0) { delete $v->{$place} }
	elsif ($kind == 1) { $v->{ pick('', 'x', 'Sku', 'line', 'parent', 'total', 'tax', 'location', 'stock_hold', "\xff") } = hostile() }
	else { $v->{$place} = hostile() }
}

# a number that a document says, or 0; dies where it is none
sub number
{
	my ($v) = @_;
	return Math::BigFloat->new(0) unless defined $v;
	die 'not a number' unless ref $v eq 'SCALAR' && $$v =~ /^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$/;
	return Math::BigFloat->new($$v);
}

# total($doc): what it comes to, as reference.md says
sub total
{
	my ($doc) = @_;
	my $included = ref $doc->{tax_included} && ${ $doc->{tax_included} } eq 'true';
	my $sum = Math::BigFloat->new(0);
	for my $line (@{ $doc->{lines} })
	{
		$sum += number($line->{quantity}) * number($line->{unit_price}) - number($line->{discount});
		$sum += number($line->{tax}) unless $included;
	}
	for my $charge (@{ $doc->{charges} // [] })
	{
		my $amount = number($charge->{amount}) + ($included ? 0 : number($charge->{tax}));
		$sum += $charge->{kind} eq 'discount' ? -$amount : $amount;
	}
	return $sum->bfround(-4)->bstr;
}

my (%states, @bad, %placed);
my $lines = 0;

# try_document($doc, $json): place it, and judge what comes
sub try_document
{
	my ($doc, $json) = @_;
	my $quoted = $json =~ s/'/''/gr;
	my $result = $s->try("SELECT order_id, total, repeated FROM oms.place_order('shop', '$quoted')");
	my $state = $result->{state} // '00000';
	$states{document}{$state}++;
	if ($state ne '00000')
	{
		push @bad, "$state $result->{message}: $json" unless $state =~ /^(OM003|OM007|OM012|22P02|22P05|22003|22021|54000)$/;
		push @bad, "no path: $result->{message}: $json" if $state eq 'OM012' && $result->{message} !~ /^(document|[^:]+): /;
		return;
	}
	my ($id, $total, $repeated) = @{ $result->{rows}[0] };
	push @bad, "repeated: $json" if ($repeated eq 't') != exists $placed{$id};
	$placed{$id} = 1;
	return $id unless $doc;
	my $right = eval { total($doc) } // "none: $@";
	push @bad, "total $total, not $right: $json" if $total ne $right;
	$lines += @{ $doc->{lines} } if $repeated eq 'f';
	return $id;
}

my $until = time + $seconds / 2;
my $good = 0;
while (time < $until)
{
	my $doc = good_document();
	my $changes = pick(0, 1, 1, 1, 2, 3);
	damage($doc) for 1 .. $changes;
	my $json = encode($doc);
	my $id = try_document($doc, $json);
	$good++ if $changes == 0;
	push @bad, "not placed: $json" if $changes == 0 && !$id && $json !~ /"discount"/;
	if ($id && $doc->{external_ref} && rand() < 0.2)
	{
		my $again = try_document($doc, $json) // 'none';
		push @bad, "$again is not the same order: $json" if $again ne $id;
	}
}
note explain $states{document};
cmp_ok($good, '>', 20, 'documents were tried');
is(scalar(@bad), 0, "documents: placed as they say, or refused (OMS_SEED=$seed)") or diag join "\n", map { substr $_, 0, 600 } @bad[ 0 .. ($#bad < 4 ? $#bad : 4) ];
is($s->value('SELECT count(*) FROM shop.orders'), scalar keys %placed, 'what was refused left no order');
is($s->value('SELECT count(*) FROM shop.order_lines'), $lines, 'and no line');
is(Session::violations($s, 'shop'), '', "everything adds up (OMS_SEED=$seed)");

# ---- bytes

# damage_bytes($bytes, $from): changes some, from a place on
sub damage_bytes
{
	my ($bytes, $from) = @_;
	for (1 .. 1 + int rand 4)
	{
		my $at = $from + int rand(1 + length($bytes) - $from);
		my $kind = int rand 6;
		my $noise = join '', map { chr int rand 256 } 1 .. 1 + int rand 12;
		if ($kind == 0) { substr($bytes, $at) = '' }
		elsif ($kind == 1) { substr($bytes, $at, 0) = $noise }
		elsif ($kind == 2 && $at < length $bytes) { substr($bytes, $at, 1) = chr int rand 256 }
		elsif ($kind == 3 && $at < length $bytes) { vec($bytes, $at * 8 + int rand 8, 1) ^= 1 }
		elsif ($kind == 4) { substr($bytes, $at, 4) = pick("\xff\xff\xff\xff", "\0\0\0\0", "\x7f\xff\xff\xff", "\x80\0\0\0") }
		else { substr($bytes, $at, length $noise) = $noise }
	}
	return $bytes;
}

my $header = "PGCOPY\n\xff\r\n\0" . pack('NN', 0, 0);
my $end = pack 'n', 0xffff;

# one value in a row of its own
sub row
{
	return $header . pack('nN', 1, length $_[0]) . $_[0] . $end;
}

my @tables = map { $_->[0] } @{ $s->run("SELECT relname FROM pg_class WHERE relnamespace = 'shop'::regnamespace AND relkind = 'r' ORDER BY 1")->{rows} };
my %whole = map { $_ => $s->run("COPY (SELECT * FROM shop.$_ LIMIT 3) TO STDOUT (FORMAT binary)")->{copied} } @tables;
my %columns = map {
	$_ => $s->value("SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'shop.$_'::regclass AND attnum > 0 AND attgenerated = ''")
} @tables;
$whole{$_} = $s->run("COPY (SELECT $columns{$_} FROM shop.$_ LIMIT 3) TO STDOUT (FORMAT binary)")->{copied} for @tables;
my @machines = map { pack 'H*', substr $_->[0], 2 } @{ $s->run('SELECT oms.workflow_send(machine) FROM machines')->{rows} };

# try_copy($what, $columns, $bytes): copy it, and judge what comes
sub try_copy
{
	my ($what, $columns, $bytes) = @_;
	my $result = $s->copy_in("COPY $what ($columns) FROM STDIN (FORMAT binary)", $bytes);
	my $state = $result->{state} // '00000';
	$states{$what}{$state}++;
	# what is not well-formed, not allowed, or not there; of what our own types
	# read, only what they say
	my $clean = $what eq 'machines' ? qr/^(00000|22P0[234]|22021|54000|08P01)$/ : qr/^(00000|OM0..|2[123]...|08P01|54000|42804|0A000|55000)$/;
	return if $state =~ $clean || $result->{message} =~ /^unsupported jsonb version number/;    # PostgreSQL's own words
	push @bad, "$what: $state $result->{message}: " . unpack 'H*', $bytes;
}

@bad = ();
$until = time + $seconds / 2;
my $copies = 0;
while (time < $until)
{
	$copies++;
	if ($copies % 2)
	{
		# a workflow, damaged, or nothing but noise; sometimes the rows themselves
		my $machine = rand() < 0.1 ? join('', map { chr int rand 256 } 0 .. int rand 50) : damage_bytes(pick(@machines), 0);
		my $bytes = row($machine);
		$bytes = damage_bytes($bytes, length $header) if rand() < 0.1;
		try_copy('machines', 'machine', $bytes);
	}
	else
	{
		my $table = pick(@tables);
		try_copy("shop.$table", $columns{$table}, damage_bytes($whole{$table}, rand() < 0.05 ? 0 : length $header));
	}
}
note explain \%states;
try_copy('machines', 'machine', row($_)) for @machines;
cmp_ok($copies, '>', 100, 'bytes were tried');
is(scalar(@bad), 0, "bytes: read, or refused (OMS_SEED=$seed)") or diag join "\n", map { substr $_, 0, 600 } @bad[ 0 .. ($#bad < 4 ? $#bad : 4) ];
is($s->value('SELECT count(*) FROM machines WHERE machine::text::oms.workflow OPERATOR(oms.<>) machine'), 0, 'what was read as a workflow is one');
cmp_ok($s->value('SELECT count(*) FROM machines'), '>=', 2 * @machines, 'and those that are whole are read');
is(Session::violations($s, 'shop'), '', "everything still adds up (OMS_SEED=$seed)");

my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|TRAP|terminated by signal/, 'the server lives');
is(scalar(grep { / XX000 ERROR/ && !/unsupported jsonb version number/ } split /\n/, $log), 0, 'the log tells of no internal error');

$s->close;
$node->stop;
done_testing();
