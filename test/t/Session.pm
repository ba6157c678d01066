# Sessions that speak PostgreSQL's protocol themselves, over the test server's
# socket: one script drives dozens of them without a process each, sees every
# SQLSTATE, and may send a statement now and read its answer later.

package Session;

use strict;
use warnings;

use IO::Select;
use IO::Socket::UNIX;
use Time::HiRes ();

use constant PATIENCE => 180;    # seconds: whatever takes longer is stuck

# Session->new($node, $database, $user): connect
sub new
{
	my ($class, $node, $database, $user) = @_;
	my $path = $node->host . '/.s.PGSQL.' . $node->port;
	my $socket = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path)
	  or die "$path: $!";
	my $self = bless { socket => $socket, buffer => '', name => $user // 'postgres' }, $class;

	binmode $socket;
	my $startup = pack('N', 196608) . join("\0", user => $user // 'postgres',
		database => $database // 'postgres', '', '');
	$self->put(pack('N', length($startup) + 4) . $startup);
	$self->{result} = {};
	$self->{busy} = 1;
	my $result = $self->result;
	die "connection refused: $result->{message}" if $result->{state};
	return $self;
}

sub put
{
	my ($self, $bytes) = @_;
	for (my $sent = 0; $sent < length $bytes;)
	{
		my $n = syswrite($self->{socket}, $bytes, length($bytes) - $sent, $sent);
		die "write: $!" unless defined $n;
		$sent += $n;
	}
}

# send($sql): begin a statement, or several; the answer is result's
sub send
{
	my ($self, $sql) = @_;
	die "a statement is still running" if $self->{busy};
	utf8::encode($sql) if utf8::is_utf8($sql);
	$self->{result} = { rows => [], sql => $sql };
	$self->{busy} = 1;
	$self->put('Q' . pack('N', length($sql) + 5) . $sql . "\0");
}

# read what is there; true once the statement has ended
sub read_some
{
	my ($self) = @_;
	my $n = sysread($self->{socket}, $self->{buffer}, 65536, length $self->{buffer});
	die 'the server closed the connection during: ' . ($self->{result}{sql} // 'connect')
	  unless $n;
	while (length($self->{buffer}) >= 5)
	{
		my ($type, $length) = unpack 'aN', $self->{buffer};
		last if length($self->{buffer}) < $length + 1;
		my $body = substr($self->{buffer}, 5, $length - 4);
		substr($self->{buffer}, 0, $length + 1) = '';
		$self->message($type, $body);
	}
	return !$self->{busy};
}

sub message
{
	my ($self, $type, $body) = @_;
	my $result = $self->{result};
	if ($type eq 'D')
	{
		my $columns = unpack 'n', $body;
		my $at = 2;
		my @row;
		for (1 .. $columns)
		{
			my $length = unpack 'N!', substr($body, $at, 4);
			$at += 4;
			push @row, $length < 0 ? undef : substr($body, $at, $length);
			$at += $length if $length > 0;
		}
		push @{ $result->{rows} }, \@row;
	}
	elsif ($type eq 'C')
	{
		$result->{tag} = unpack 'Z*', $body;
	}
	elsif ($type eq 'E')
	{
		my %field = map { (substr($_, 0, 1), substr($_, 1)) } grep { length } split /\0/, $body;
		$result->{state} = $field{C};
		$result->{message} = $field{M};
		$result->{detail} = $field{D};
		$result->{context} = $field{W};
	}
	elsif ($type eq 'K')
	{
		$self->{pid} = unpack 'N', $body;
	}
	elsif ($type eq 'Z')
	{
		$self->{transaction} = $body;    # I, T or E
		$self->{busy} = 0;
	}
}

# result: wait for the end of the statement and return what it said
sub result
{
	my ($self) = @_;
	my $select = IO::Select->new($self->{socket});
	my $until = time + PATIENCE;
	while ($self->{busy})
	{
		die 'stuck: ' . ($self->{result}{sql} // 'connect') if time > $until;
		$self->read_some if $select->can_read(1);
	}
	return $self->{result};
}

# try($sql): run it; what it said, error or not
sub try
{
	my ($self, $sql) = @_;
	$self->send($sql);
	return $self->result;
}

# run($sql): run it, which must succeed
sub run
{
	my ($self, $sql) = @_;
	my $result = $self->try($sql);
	die "$result->{state} $result->{message}\nin: $sql" if $result->{state};
	return $result;
}

# value($sql): the first column of the first row
sub value
{
	my ($self, $sql) = @_;
	my $rows = $self->run($sql)->{rows};
	return @$rows ? $rows->[0][0] : undef;
}

# state($sql): the SQLSTATE it ends with, 00000 where it succeeds
sub state
{
	my ($self, $sql) = @_;
	return $self->try($sql)->{state} // '00000';
}

# await($condition): until this query says t
sub await
{
	my ($self, $sql) = @_;
	my $until = time + PATIENCE;
	while (($self->value($sql) // '') ne 't')
	{
		die "never came true: $sql" if time > $until;
		Time::HiRes::sleep(0.01);
	}
}

# await_waiting($other): until that session waits for a lock
sub await_waiting
{
	my ($self, $other) = @_;
	$self->await("SELECT cardinality(pg_blocking_pids($other->{pid})) > 0");
}

# await_waiting_or_done($other): until that session waits for a lock, or has
# found that it must not and is done
sub await_waiting_or_done
{
	my ($self, $other) = @_;
	$self->await("SELECT cardinality(pg_blocking_pids($other->{pid})) > 0"
		  . " OR (SELECT state LIKE 'idle%' FROM pg_stat_activity WHERE pid = $other->{pid})");
}

# drive($done, @sessions): as each session's statement ends, call $done->($session,
# $result), which may send the next; until none is running
sub drive
{
	my ($done, @sessions) = @_;
	my %of = map { fileno($_->{socket}) => $_ } @sessions;
	my $select = IO::Select->new(map { $_->{socket} } grep { $_->{busy} } @sessions);
	my $last = time;
	while ($select->count)
	{
		my @ready = $select->can_read(1);
		$last = time if @ready;
		die 'stuck: ' . join('; ', map { $_->{result}{sql} } grep { $_->{busy} } @sessions)
		  if time - $last > PATIENCE;
		for my $socket (@ready)
		{
			my $session = $of{ fileno $socket };
			next unless $session->read_some;
			$done->($session, $session->{result});
			$select->remove($socket) unless $session->{busy};
		}
	}
}

sub close
{
	my ($self) = @_;
	$self->put('X' . pack('N', 4));
	CORE::close($self->{socket});
}

# ---- what the tests have in common

# make_store($session, $store, @sku): a store with a channel, locations A to D
# in order of priority, and these SKUs
sub make_store
{
	my ($session, $store, @skus) = @_;
	my $skus = join ', ', map { "('$_', '$_')" } @skus;
	$session->run(<<END);
SELECT oms.create_store('$store');
INSERT INTO $store.channels (code, name) VALUES ('web', 'Web'), ('market', 'Market');
INSERT INTO $store.locations (code, name, priority) VALUES ('A', 'A', 1), ('B', 'B', 2), ('C', 'C', 3), ('D', 'D', 4);
INSERT INTO $store.skus (code, name) VALUES $skus;
END
}

# receive($session, $store, $location, sku => quantity...)
sub receive
{
	my ($session, $store, $location, @stock) = @_;
	while (my ($sku, $quantity) = splice @stock, 0, 2)
	{
		$session->run("INSERT INTO $store.stock_movements (sku, location, kind, quantity)"
			  . " VALUES ('$sku', '$location', 'receipt', $quantity)");
	}
}

# document($fields, sku => quantity...): an order's document; $fields is JSON's
# inside, such as '"if_short": "hold"', or ''
sub document
{
	my ($fields, @lines) = @_;
	my @elements;
	while (my ($sku, $quantity) = splice @lines, 0, 2)
	{
		push @elements, qq({"sku": "$sku", "quantity": $quantity, "unit_price": 10});
	}
	$fields = ", $fields" if $fields ne '';
	return qq({"channel": "web", "currency": "EUR"$fields, "lines": [) . join(', ', @elements) . ']}';
}

# place($store, $fields, sku => quantity...): the statement that places it
sub place
{
	my ($store, @document) = @_;
	return "SELECT * FROM oms.place_order('$store', '" . document(@document) . "')";
}

# violations($session, $store): the rules that are broken, as one text
sub violations
{
	my ($session, $store) = @_;
	my $rows = $session->run("SELECT rule, violations FROM oms.verify_store('$store') WHERE violations > 0")->{rows};
	return join '; ', map { "$_->[0]: $_->[1]" } @$rows;
}

1;
