# Sessions that do everything at once, and one that watches them.
#
# Deeds (Mix.pm) are done in transactions of all kinds: at any isolation level,
# rolled back, behind a savepoint, prepared and ended by somebody else.  Sessions are
# canceled and terminated, and the server is killed and recovers.  Meanwhile another session
# asks, in one snapshot each time, whether everything adds up (Snapshot.pm), and the
# account of what was acknowledged is compared with what is there.  Whatever is
# wrong ends the run: fault() says when and what.
#
# A run goes in rounds, which end quietly or by a crash.  In some, a transaction does
# two deeds: only there may sessions deadlock, since single statements promise not to.

package Soak;

use strict;
use warnings;

use IO::Select;
use Mix;
use Session;
use Snapshot;
use Time::HiRes qw(time);

use constant {
	SESSIONS => 8,
	PATIENCE => 30,    # seconds: a statement that takes longer is stuck
	ROUND => 4,    # seconds, about
	STORE => 600,    # seconds that a store is used for
	OFTEN => 0.1,    # seconds between snapshots, at least
	DEEP => 1.5    # seconds between those that recount everything, at least
};

# who writes to a session that was terminated is told by hear()
$SIG{PIPE} = 'IGNORE';

sub pick { return $_[ int rand @_ ] }

# Soak->new($node): with the store made
sub new
{
	my ($class, $node) = @_;
	my $self = bless {
		node => $node, workers => [], prepared => [], last_gid => 0, done => {}, begun => time, crashes => 0,
		terminated => 0, canceled => 0, snapshots => 0, recounts => 0, orders => 0
	}, $class;
	my $admin = Session->new($node);
	$admin->run('CREATE EXTENSION oms');
	$self->open_store($admin);
	$admin->close;
	return $self;
}

# open_store($admin): and an account of it
sub open_store
{
	my ($self, $admin) = @_;
	$self->{mix} = Mix->new;
	$self->{mix}->set_up($admin);
	Mix::learn_shipping($admin);
	$self->{snapshot} = Snapshot->new;
	$self->{sent} = {};    # fact => how many deeds that may have done it
	$self->{value} = {};    # fact => value
	$self->{acknowledged} = {};    # fact => 1
	$self->{store_until} = time + STORE;
	return;
}

# renew(): the more there is, the longer it takes to recount
sub renew
{
	my ($self) = @_;
	$self->disconnect;
	my $admin = Session->new($self->{node});
	$admin->run('DROP SCHEMA shop CASCADE');
	$self->open_store($admin);
	$admin->close;
	return;
}

# fault($what): the first thing that is wrong ends the run
sub fault
{
	my ($self, $what) = @_;
	my $statements = 0;
	$statements += $_ for map { values %$_ } values %{ $self->{done} };
	$self->{fault} //= sprintf 'after %.1f s, %d statements: %s', time - $self->{begun}, $statements, $what;
	return;
}

# ---- a transaction

# A job is a transaction under way: steps that are still to be sent, each with the
# deed it is of, and the deeds that it has done so far.
sub steps
{
	my ($deed) = @_;
	return map { { sql => $_, deed => $deed } } @{ $deed->{sql} };
}

sub job
{
	my ($self) = @_;
	my $deed = $self->{mix}->draw;
	my $single = @{ $deed->{sql} } == 1;
	my $is_plain = $deed->{meets} && rand() < 0.6;
	my $chance = $is_plain ? 1 : rand;
	my $begin = 'BEGIN ISOLATION LEVEL ' . ($is_plain ? 'READ COMMITTED' : pick(('READ COMMITTED') x 3, 'REPEATABLE READ', 'SERIALIZABLE'));
	my @steps = steps($deed);
	# now and then an application thinks before it commits, and others wait
	my $job = { deeds => [], end => 'COMMIT', pause => rand() < 0.06 ? rand 0.25 : 0 };

	if ($deed->{lingers})
	{
		$job->{pause} = 0.02 + rand 0.04;
	}
	elsif ($single && $chance < 0.25)
	{
		$job->{end} = '';
	}
	elsif ($chance < 0.33)
	{
		$job->{end} = 'ROLLBACK';
	}
	elsif ($chance < 0.37)
	{
		$job->{gid} = 'p' . ++$self->{last_gid};
		$job->{end} = "PREPARE TRANSACTION '$job->{gid}'";
	}
	elsif ($chance < 0.47)
	{
		# who waits for a row of it goes on waiting for the whole transaction, so
		# only in pairs does another deed follow
		@steps = ({ sql => 'SAVEPOINT s' }, (map { { %$_, undone => 1 } } @steps), { sql => 'ROLLBACK TO SAVEPOINT s', undoes => 1 });
		push @steps, steps($self->{mix}->draw) if $self->{pairs};
	}
	elsif ($chance < 0.52)
	{
		@steps = ({ sql => 'SAVEPOINT s' }, @steps, { sql => 'RELEASE SAVEPOINT s' });
	}
	elsif ($self->{pairs} && $chance < 0.8)
	{
		push @steps, { sql => 'SAVEPOINT s' }, steps($self->{mix}->draw), { sql => 'RELEASE SAVEPOINT s' };
	}
	unshift @steps, { sql => $begin } if $job->{end};
	push @steps, { sql => $job->{end}, ends => 1 } if $job->{end};
	$job->{steps} = \@steps;
	return $job;
}

# go_on($worker): send its job's next step
sub go_on
{
	my ($self, $worker) = @_;
	my $job = $worker->{job};
	my $step = shift @{ $job->{steps} };
	my $deed = $step->{deed};
	if ($deed && !$step->{undone} && (!@{ $job->{deeds} } || $job->{deeds}[-1]{of} != $deed))
	{
		push @{ $job->{deeds} }, { of => $deed };
		$self->{sent}{$_}++, $self->{value}{$_} = $deed->{facts}{$_} for keys %{ $deed->{facts} // {} };
	}
	$worker->{step} = $step;
	$worker->{since} = time;
	# to one that was terminated meanwhile; hear() finds out
	eval { $worker->send($step->{sql}) };
	return;
}

# end_job($job, $how): what is true afterwards; $how is well, not or unknown
sub end_job
{
	my ($self, $job, $how) = @_;
	for my $done (@{ $job->{deeds} })
	{
		my $facts = $done->{of}{facts} // {};
		$self->{sent}{$_} -= $how eq 'not' for keys %$facts;
		next unless $how eq 'well';
		my $learn = $done->{of}{learn};
		my %more = $learn ? eval { $learn->($done->{rows}) } : ();
		$self->fault('account: ' . $@ =~ s/\n//r) if $learn && $@;
		for (keys %more)
		{
			$self->{value}{$_} = $more{$_};
			$self->{sent}{$_}++;
		}
		$self->{acknowledged}{$_} = 1 for keys %$facts, keys %more;
		$self->{orders} += grep { /^order/ } keys %$facts;
	}
	return;
}

# is_promised($worker, $state, $message, $deed): an error that a statement may end with
sub is_promised
{
	my ($self, $worker, $state, $message, $deed) = @_;
	return 1 if $state =~ /^(40001|OM00[1-4]|OM006|OM009|OM01[12])$/;
	# who is out of time may be so again while the transaction ends
	return 1 if $state eq '57014' && (!$deed || time - ($worker->{canceled_at} // 0) < PATIENCE);
	return 1 if $state eq '40P01' && $self->{pairs};
	return 1 if $deed && $deed->{errors} && $state =~ $deed->{errors};
	# of a draft that was deleted
	return $message =~ /foreign key constraint "order_(lines|holds)_order_id_fkey"/;
}

# answered($worker): its statement has ended
sub answered
{
	my ($self, $worker) = @_;
	my ($job, $step, $result) = @$worker{qw(job step result)};
	my $name = $step->{deed} ? $step->{deed}{verb} : '';
	if (my $state = $result->{state})
	{
		$self->{done}{$name}{$state}++ if $name;
		$self->fault("error: $state $result->{message} in $name: " . substr($result->{sql}, 0, 300))
		  unless $self->is_promised($worker, $state, $result->{message}, $step->{deed});
		if ($step->{undone})
		{
			shift @{ $job->{steps} } while !$job->{steps}[0]{undoes};
			return;
		}
		$job->{failed} = 1;
		delete $job->{gid};
		$job->{steps} = $worker->{transaction} eq 'I' ? [] : [ { sql => 'ROLLBACK' } ];
	}
	elsif ($name)
	{
		$self->{done}{$name}{done}++;
		$job->{deeds}[-1]{rows} = $result->{rows} unless $step->{undone};
	}
	$worker->{ready} = time + $job->{pause} if @{ $job->{steps} } == 1;
	return if @{ $job->{steps} };

	delete $worker->{job};
	if ($job->{gid})
	{
		push @{ $self->{prepared} }, { job => $job, due => time + rand 0.15 };
		return;
	}
	# a COMMIT that answers ROLLBACK is none
	my $rolled_back = $job->{failed} || ($result->{tag} // '') eq 'ROLLBACK';
	$self->end_job($job, $rolled_back ? 'not' : 'well');
	return;
}

# lost($worker): its connection is gone; what it had sent may have come to its end
sub lost
{
	my ($self, $worker) = @_;
	my $job = delete $worker->{job};
	$worker->{gone} = 1;
	return unless $job;
	my $ending = $worker->{step}{ends} || !$job->{end};
	if ($ending && $job->{gid})
	{
		push @{ $self->{prepared} }, { job => $job, due => time, doubt => 1 };
		return;
	}
	$self->end_job($job, $ending && $job->{end} ne 'ROLLBACK' && !$job->{failed} ? 'unknown' : 'not');
	return;
}

# ---- what happens besides

# The watcher sends snapshots; the hand ends prepared transactions and terminates
# sessions.  What they do when answered is in {then}.
sub look
{
	my ($self) = @_;
	my $watcher = $self->{watcher};
	return if $watcher->{busy} || time < $self->{look_at};
	my $deep = time >= $self->{deep_at};
	my %acknowledged = $deep ? %{ $self->{acknowledged} } : ();
	my $since = time;
	$watcher->{since} = $since;
	$watcher->{then} = sub {
		my ($result) = @_;
		$self->judge($result, $deep, \%acknowledged);
		# so that it has a share of the machine, not most of it
		$self->{look_at} = time + (time - $since > OFTEN ? time - $since : OFTEN);
		$self->{deep_at} = time + (2 * (time - $since) > DEEP ? 2 * (time - $since) : DEEP) if $deep;
	};
	$watcher->send($deep ? $self->{snapshot}->recount : $self->{snapshot}->glance);
	return;
}

# judge($result, $deep, \%acknowledged): what a snapshot says, and whether what
# had been acknowledged before it is in it
sub judge
{
	my ($self, $result, $deep, $acknowledged) = @_;
	return $self->fault("error: $result->{state} $result->{message} in a snapshot") if $result->{state};
	my %found;
	for my $row (@{ $result->{rows} })
	{
		my ($kind, $what, $value) = @$row;
		if ($kind ne 'fact')
		{
			$self->fault("$kind: $what: $value");
			next;
		}
		$self->fault("account: $what is there twice") if exists $found{$what};
		$found{$what} = $value;
	}
	$self->{ $deep ? 'recounts' : 'snapshots' }++;
	return unless $deep;
	for my $fact (keys %$acknowledged)
	{
		$self->fault("account: $fact was acknowledged and is not there") unless exists $found{$fact};
	}
	for my $fact (keys %found)
	{
		if (exists $self->{value}{$fact})
		{
			$self->fault("account: $fact is there as $found{$fact}, not $self->{value}{$fact}") if $found{$fact} ne $self->{value}{$fact};
			$self->fault("account: $fact is there and was never committed") unless $self->{sent}{$fact} > 0;
		}
		elsif ($fact =~ /^order/)
		{
			$self->fault("account: $fact was never placed");
		}
	}
	return;
}

sub end_prepared
{
	my ($self, $now) = @_;
	my $hand = $self->{hand};
	return if $hand->{busy};
	my ($one) = grep { $now || $_->{due} <= time } @{ $self->{prepared} };
	return unless $one;
	my $job = $one->{job};
	my $how = rand() < 0.3 ? 'ROLLBACK' : 'COMMIT';
	$hand->{since} = time;
	$hand->{then} = sub {
		my ($result) = @_;
		@{ $self->{prepared} } = grep { $_ != $one } @{ $self->{prepared} };
		my $state = $result->{state} // '';
		$self->fault("error: $state $result->{message} in: $result->{sql}") if $state && !($state eq '42704' && $one->{doubt});
		$self->end_job($job, $state && $one->{unsure} ? 'unknown' : $state || $how eq 'ROLLBACK' ? 'not' : 'well');
	};
	$hand->{ends} = $one;    # maybe, if the server dies before it answers
	$hand->send("$how PREPARED '$job->{gid}'");
	return;
}

# end_somebody(): a session is terminated, or its statement canceled, most likely one
# that plans a wave, which takes longest
sub end_somebody
{
	my ($self) = @_;
	my $hand = $self->{hand};
	return if $hand->{busy} || !$self->{terminates} || time < $self->{terminate_at};
	my @busy = grep { $_->{busy} && !$_->{gone} } @{ $self->{workers} };
	return unless @busy;
	my @waves = grep { (($_->{step}{deed} // {})->{verb} // '') eq 'wave' } @busy;
	my $one = pick(@waves && rand() < 0.7 ? @waves : @busy);
	my $ends = rand() < (@waves ? 0.3 : 0.6);
	$self->{terminate_at} = time + 0.5 + rand 1.5;
	$self->{ $ends ? 'terminated' : 'canceled' }++;
	$one->{canceled_at} = time unless $ends;
	$hand->{since} = time;
	$hand->{then} = sub { };
	delete $hand->{ends};
	$hand->send('SELECT ' . ($ends ? 'pg_terminate_backend' : 'pg_cancel_backend') . "($one->{pid})");
	return;
}

# ---- a round

sub connect
{
	my ($self) = @_;
	@$self{qw(watcher hand)} = map { Session->new($self->{node}) } 1 .. 2;
	$self->{workers} = [ map { $self->worker } 1 .. SESSIONS ];
	return;
}

sub worker
{
	my ($self) = @_;
	my $worker = Session->new($self->{node});
	$worker->run('SELECT setseed(' . rand() . ')');
	return $worker;
}

sub disconnect
{
	my ($self) = @_;
	for my $session (grep { $_ && !$_->{gone} } @{ $self->{workers} }, delete @$self{qw(watcher hand)})
	{
		eval { $session->close };
	}
	$self->{workers} = [];
	return;
}

# hear($seconds): let whoever has something to say say it
sub hear
{
	my ($self, $seconds) = @_;
	my %of = map { fileno($_->{socket}) => $_ } grep { !$_->{gone} && $_->{busy} } @{ $self->{workers} }, @$self{qw(watcher hand)};
	my $select = IO::Select->new(map { $_->{socket} } values %of);
	for my $socket ($select->can_read($seconds))
	{
		my $session = $of{ fileno $socket };
		my $answer = eval { $session->read_some };
		my $state = $session->{result}{state} // '';
		if (!defined $answer || $state =~ /^57P0/)
		{
			# only workers are terminated, and nobody else goes away
			$self->fault('crash: ' . ($session->{result}{message} // $@)) if $session->{then} || $state ne '57P01';
			$self->lost($session);
			next;
		}
		next unless $answer;
		if (my $then = delete $session->{then})
		{
			$then->($session->{result});
		}
		else
		{
			$self->answered($session);
		}
	}
	my ($stuck) = grep { $_->{busy} && !$_->{gone} && time - $_->{since} > PATIENCE } @{ $self->{workers} }, @$self{qw(watcher hand)};
	$self->fault("stuck: $stuck->{result}{sql}") if $stuck;
	return !$stuck;
}

# round($seconds, $end): $end is quiet, or how the server goes down
sub round
{
	my ($self, $seconds, $end) = @_;
	$self->connect unless $self->{hand};
	$self->{look_at} = 0;
	$self->{deep_at} = time + 0.5;
	$self->{terminate_at} = time + 0.5;
	my $until = time + $seconds;
	while (time < $until && !$self->{fault})
	{
		for my $worker (@{ $self->{workers} })
		{
			$worker = $self->worker if $worker->{gone};
			next if $worker->{busy} || ($worker->{ready} // 0) > time;
			$worker->{job} //= $self->job;
			$self->go_on($worker);
		}
		$self->look;
		$self->end_prepared;
		$self->end_somebody;
		$self->hear(0.05);
	}
	if (!$self->{fault})
	{
		$end eq 'quiet' ? $self->drain : $self->crash($end);
	}
	return;
}

# drain(): let everything end, and recount
sub drain
{
	my ($self) = @_;
	while (grep { $_->{busy} || $_->{job} } grep { !$_->{gone} } @{ $self->{workers} })
	{
		$self->go_on($_) for grep { $_->{job} && !$_->{busy} && !$_->{gone} } @{ $self->{workers} };
		$self->end_prepared;
		return unless $self->hear(0.05);
	}
	$self->settle_account;
	$self->plan_again;
	$self->repair;
	return;
}

# plan_again(): with nobody at work, what a wave says orders cost afterwards is what
# the next finds they cost before
sub plan_again
{
	my ($self) = @_;
	return if $self->{fault};
	my $wave = q(SELECT cost_before, cost_after FROM oms.plan_wave('shop', budget => '0.1 s'));
	my ($first, $second, $end) = map { $self->{hand}->try($_) } "BEGIN; $wave", $wave, 'COMMIT';
	my ($failed) = grep { $_->{state} } $first, $second, $end;
	return $self->fault("error: $failed->{state} $failed->{message} in plan_wave") if $failed;
	$self->fault("wave: orders cost $first->{rows}[0][1] after one and $second->{rows}[0][0] before the next")
	  if $first->{rows}[0][1] != $second->{rows}[0][0];
	return;
}

# repair(): where everything adds up there is nothing to mend
sub repair
{
	my ($self) = @_;
	return if $self->{fault};
	my $result = $self->{hand}->try("SELECT table_name, key, column_name, was, became FROM oms.repair_store('shop')");
	$self->fault("error: $result->{state} $result->{message} in repair_store") if $result->{state};
	$self->fault('repair: ' . join ' ', map { $_ // 'NULL' } @{ $result->{rows}[0] }) if @{ $result->{rows} // [] };
	return;
}

# settle_account(): with nobody at work
sub settle_account
{
	my ($self) = @_;
	while (@{ $self->{prepared} } || $self->{hand}{busy} || $self->{watcher}{busy})
	{
		$self->end_prepared(1);
		return unless $self->hear(0.05);
	}
	$self->{look_at} = $self->{deep_at} = 0;
	$self->look;
	while ($self->{watcher}{busy})
	{
		return unless $self->hear(0.05);
	}
	return;
}

# crash($how): the server dies under all of them, comes up again, and is asked
sub crash
{
	my ($self, $how) = @_;
	my $node = $self->{node};
	$self->{crashes}++;
	if ($how eq 'kill a session')
	{
		kill 'KILL', pick(grep { !$_->{gone} } @{ $self->{workers} })->{pid};
	}
	else
	{
		my $postmaster = $node->{_pid};
		my @children = grep { parent_of($_) == $postmaster } map { m,(\d+), } glob '/proc/[0-9]*';
		$node->kill9;
		kill 'KILL', @children;
		Time::HiRes::usleep(10_000) while grep { kill 0, $_ } $postmaster, @children;
	}
	for my $worker (grep { !$_->{gone} } @{ $self->{workers} })
	{
		# what it had been told by then
		while ($worker->{busy} && !$worker->{gone})
		{
			my $answer = eval { $worker->read_some };
			$self->lost($worker) if !defined $answer || ($worker->{result}{state} // '') =~ /^57P0/;
			$self->answered($worker) if $answer && !$worker->{gone};
		}
		$self->lost($worker) unless $worker->{gone};
	}
	my $under_way = $self->{hand}{busy} ? $self->{hand}{ends} : undef;
	@$under_way{qw(doubt unsure)} = (1, 1) if $under_way;
	$self->disconnect;
	$node->start if $how ne 'kill a session';
	$node->poll_query_until('postgres', 'SELECT true') or return $self->fault('crash: the server did not come back');
	$self->connect;
	$self->settle_account;
	return;
}

sub parent_of
{
	my ($pid) = @_;
	open my $stat, '<', "/proc/$pid/stat" or return -1;
	my $line = <$stat> // '';
	close $stat;
	return $line =~ /^\d+ \(.*\) \S (\d+)/s ? $1 : -1;
}

# idle(): the verbs that have not been answered yet, but for 40001
sub idle
{
	my ($self) = @_;
	return grep {
		my $answers = $self->{done}{$_} // {};
		!grep { $_ ne '40001' } keys %$answers
	} $self->{mix}->verbs;
}

# run($seconds): rounds until then, or until something is wrong; at least three, so
# that each kind has its turn.  A slow machine goes on until everything has been
# tried, within limits.
sub run
{
	my ($self, $seconds) = @_;
	my $until = time + $seconds;
	$self->{begun} = time;
	for (my $round = 1; !$self->{fault} && ($round <= 3 || time < $until || $self->idle && time < $until + 60); $round++)
	{
		$self->renew if time > $self->{store_until};
		$self->{pairs} = $round % 3 == 0;
		$self->{terminates} = $round % 3 != 1;
		# sessions are slow after a crash, since all they had planned is gone
		my $end = $round % 12 == 2 ? 'kill the server' : $round % 12 == 8 ? 'kill a session' : 'quiet';
		$self->round($seconds < 3 * ROUND ? $seconds / 3 : ROUND, $end);
	}
	$self->disconnect;
	return $self->{fault};
}

1;
