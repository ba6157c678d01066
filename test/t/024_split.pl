# oms.solve_split against an exhaustive search written here, and against optima
# that others have proven, where those lie beside the tree; then the examples of
# docs/sourcing.md.

use strict;
use warnings;

use FindBin;
use lib $FindBin::RealBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Session;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('split');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\n");
$node->start;
my $sql = Session->new($node);
$sql->run('CREATE EXTENSION oms');

# ---- asking

sub list
{
	my ($type, @values) = @_;
	return "'{" . join(',', map { $_ // 'NULL' } @values) . "}'::${type}[]";
}

# solve($problem, $objective, $node_limit): the plan, its flows as [line, location, units]
sub solve
{
	my ($p, $objective, $node_limit) = @_;
	my @arcs = @{ $p->{arcs} };
	my $call = 'oms.solve_split(' . join(', ',
		list('bigint', @{ $p->{wanted} }), list('bigint', @{ $p->{penalty} }), list('bigint', @{ $p->{fixed} }),
		list('integer', map { $_->[0] + 1 } @arcs), list('integer', map { $_->[1] + 1 } @arcs),
		list('bigint', map { $_->[2] } @arcs), list('bigint', map { $_->[3] } @arcs),
		$p->{capacity} ? list('bigint', @{ $p->{capacity} }) : 'NULL',
		$p->{priority} ? list('integer', @{ $p->{priority} }) : 'NULL',
		"'$objective'", $p->{most} || 'NULL', $node_limit || 'NULL') . ')';
	my $text = $sql->value("SELECT concat_ws('|', objective, bound, proven, shipments, unfilled, array_to_string(line, ','),
		array_to_string(location, ','), array_to_string(quantity, ',')) FROM $call");
	my ($cost, $bound, $proven, $shipments, $unfilled, @flows) = split /\|/, $text, -1;
	my ($line, $location, $units) = map { [ split /,/ ] } @flows;
	return { cost => $cost, bound => $bound, proven => $proven eq 't', shipments => $shipments, unfilled => $unfilled, text => $text,
		flows => [ map { [ $line->[$_] - 1, $location->[$_] - 1, $units->[$_] ] } 0 .. $#$line ] };
}

# what is wrong with a plan by itself, or nothing
sub fault
{
	my ($p, $plan, $objective) = @_;
	my (%available, %cost, %from, %of);
	my ($sum, $unfilled) = (0, 0);

	for (@{ $p->{arcs} })
	{
		$available{"$_->[0] $_->[1]"} = $_->[2];
		$cost{"$_->[0] $_->[1]"} = $_->[3];
	}
	my $before = -1;
	for (@{ $plan->{flows} })
	{
		my ($i, $j, $units) = @$_;
		return 'order of flows' if $j * 100_000 + $i <= $before;
		$before = $j * 100_000 + $i;
		return 'more than there is' if $units < 1 || $units > ($available{"$i $j"} // 0);
		$sum += $units * $cost{"$i $j"};
		$sum += $p->{fixed}[$j] unless $from{$j};
		$from{$j} += $units;
		$of{$i} += $units;
	}
	for my $j (keys %from)
	{
		return 'more than a location ships' if $p->{capacity} && defined $p->{capacity}[$j] && $from{$j} > $p->{capacity}[$j];
	}
	for my $i (0 .. $#{ $p->{wanted} })
	{
		my $left = $p->{wanted}[$i] - ($of{$i} // 0);
		return 'more than wanted' if $left < 0;
		$unfilled += $left;
		$sum += $left * $p->{penalty}[$i] if $objective eq 'cost';
	}
	return 'too many locations' if $p->{most} && keys %from > $p->{most};
	return "units left: $unfilled" if $unfilled != $plan->{unfilled};
	return 'shipments: ' . keys %from if keys %from != $plan->{shipments};
	return "cost: $sum" if $sum != $plan->{cost};
	return '';
}

# ---- the exhaustive search

use constant DEAR => 1_000_000_000;    # more than all else costs

# with_limits: the least cost of lines from $i on and units of it, from
# locations from $j on; tries every way to ship
sub with_limits
{
	my ($p, $penalty, $table, $room, $i, $j, $left, $open) = @_;
	if ($j == @$room)
	{
		my $cost = $left * $penalty->[$i];
		return $cost if $i + 1 == @{ $p->{wanted} };
		return $cost + with_limits($p, $penalty, $table, $room, $i + 1, 0, $p->{wanted}[ $i + 1 ], $open);
	}
	my $best;
	my ($available, $each) = @{ $table->{"$i $j"} // [ 0, 0 ] };
	for my $units (0 .. $left)
	{
		last if $units && ($units > $available || !($open >> $j & 1) || $units > $room->[$j]);
		$room->[$j] -= $units;
		my $cost = $units * $each + with_limits($p, $penalty, $table, $room, $i, $j + 1, $left - $units, $open);
		$room->[$j] += $units;
		$best = $cost if !defined $best || $cost < $best;
	}
	return $best;
}

# of_set: what it costs to ship from these locations
sub of_set
{
	my ($p, $penalty, $open) = @_;
	my $cost = 0;
	$cost += $p->{fixed}[$_] for grep { $open >> $_ & 1 } 0 .. $#{ $p->{fixed} };
	if ($p->{capacity})
	{
		my %table = map { ("$_->[0] $_->[1]" => [ $_->[2], $_->[3] ]) } @{ $p->{arcs} };
		return $cost unless @{ $p->{wanted} };
		return $cost + with_limits($p, $penalty, \%table, [ map { $_ // DEAR } @{ $p->{capacity} } ], 0, 0, $p->{wanted}[0], $open);
	}
	for my $i (0 .. $#{ $p->{wanted} })
	{
		my $left = $p->{wanted}[$i];
		for (sort { $a->[3] <=> $b->[3] } grep { $_->[0] == $i && $open >> $_->[1] & 1 && $_->[3] < $penalty->[$i] } @{ $p->{arcs} })
		{
			my $units = $left < $_->[2] ? $left : $_->[2];
			$cost += $units * $_->[3];
			$left -= $units;
		}
		$cost += $left * $penalty->[$i];
	}
	return $cost;
}

# truth: least cost, locations that takes, units left; for objective cost, the
# cost only
sub truth
{
	my ($p, $objective) = @_;
	my @penalty = $objective eq 'cost' ? @{ $p->{penalty} } : (DEAR) x @{ $p->{wanted} };
	my $best;
	for my $open (0 .. (1 << @{ $p->{fixed} }) - 1)
	{
		my $count = sprintf('%b', $open) =~ tr/1//;
		next if $p->{most} && $count > $p->{most};
		my $cost = of_set($p, \@penalty, $open);
		my $rank = $objective eq 'cost' ? [ 0, 0, $cost ] : [ int($cost / DEAR), $count, $cost % DEAR ];
		$best = $rank if !$best || ($rank->[0] <=> $best->[0] || $rank->[1] <=> $best->[1] || $rank->[2] <=> $best->[2]) < 0;
	}
	return { unfilled => $best->[0], shipments => $best->[1], cost => $best->[2] };
}

# ---- tiny problems of all shapes

srand(20261126);

sub below { return int rand $_[0] }

sub tiny
{
	my ($limited, $money) = @_;
	my $lines = below($limited ? 4 : 5);
	my $locations = below($limited ? 4 : 6);
	my $p = { wanted => [ map { below($limited ? 3 : 6) } 1 .. $lines ], penalty => [ map { below($money * 4) } 1 .. $lines ],
		fixed => [ map { below($money * 2) } 1 .. $locations ], arcs => [] };
	for my $i (0 .. $lines - 1)
	{
		push @{ $p->{arcs} }, map { [ $i, $_, below(5), below($money) ] } grep { below(4) } 0 .. $locations - 1;
	}
	@{ $p->{arcs} } = sort { $a->[4] <=> $b->[4] } map { [ @$_, rand ] } @{ $p->{arcs} };
	$p->{capacity} = [ map { below(5) ? below(4) : undef } 1 .. $locations ] if $limited;
	$p->{priority} = [ map { below(3) } 1 .. $locations ] if below(2);
	$p->{most} = 1 + below(3) if below(2);
	return $p;
}

# judge: what is wrong with the kernel's answers to a problem
sub judge
{
	my ($p, $objective) = @_;
	my $truth = truth($p, $objective);
	my $plan = solve($p, $objective);
	my $fault = fault($p, $plan, $objective);
	return $fault if $fault;
	return 'not proven' unless $plan->{proven};
	for my $what ($objective eq 'cost' ? 'cost' : ('unfilled', 'shipments', 'cost'))
	{
		return "$what: $plan->{$what}, but there is $truth->{$what}" if $plan->{$what} != $truth->{$what};
	}
	return 'bound' if $plan->{bound} != $plan->{ $objective eq 'cost' ? 'cost' : 'shipments' };
	return 'not the same again' if solve($p, $objective)->{text} ne $plan->{text};

	my $early = solve($p, $objective, 1);
	$fault = fault($p, $early, $objective);
	return "one node: $fault" if $fault;
	return 'one node: a bound above the truth' if $early->{bound} > $truth->{ $objective eq 'cost' ? 'cost' : 'shipments' };
	return 'one node: proves what is not so' if $early->{proven} && $early->{cost} != $truth->{cost};
	return '';
}

for my $objective ('cost', 'shipments')
{
	for my $limited (0, 1)
	{
		for my $money (2, 5, 1000)
		{
			my @wrong;
			my $solved = 0;
			for (1 .. 250)
			{
				my $p = tiny($limited, $money);
				my $fault = judge($p, $objective);
				$solved++;
				push @wrong, $fault . ' ' . join(' ', map { "$_: " . (ref $p->{$_} ? join(',', map { ref $_ ? "(@$_[0 .. 3])" : $_ // '-' } @{ $p->{$_} }) : $p->{$_}) } sort keys %$p) if $fault;
			}
			is(join("\n", @wrong), '', "$solved tiny problems, objective $objective, " . ($limited ? 'with' : 'without') . " limits, costs below $money");
		}
	}
}

# ---- larger ones, which others have solved

my $data = $ENV{OMS_DATA} || "$FindBin::Bin/../../../shared/data";
my $split = "$data/../split";

sub read_problems
{
	my ($family, $count) = @_;
	my $seed = $family eq 'tiny' ? 11 : 7;
	my ($p, @problems);
	open my $in, '-|', 'python3', "$split/gen.py", $family, $count, $seed or die "python3: $!";
	while (<$in>)
	{
		my ($what, @n) = split;
		if ($what eq 'I') { push @problems, $p = { wanted => [], penalty => [], fixed => [], capacity => [], priority => [], arcs => [], most => $n[4] } }
		elsif ($what eq 'L') { push @{ $p->{wanted} }, $n[1]; push @{ $p->{penalty} }, $n[2] }
		elsif ($what eq 'J') { push @{ $p->{fixed} }, $n[1]; push @{ $p->{capacity} }, $n[2] < 0 ? undef : $n[2]; push @{ $p->{priority} }, $n[3] }
		elsif ($what eq 'A') { push @{ $p->{arcs} }, [@n] }
	}
	close $in;
	return @problems;
}

SKIP:
{
	skip "skipped: no proven optima in $split", 1 unless -r "$split/gen.py" && -d "$split/truth" && `python3 --version 2>&1` =~ /^Python 3/;
	for (['typical', 150], ['basket8', 40], ['scarce', 40], ['maxk', 40], ['cap', 40], ['ties', 10], ['retail', 10], ['tiny', 300], ['huge', 1])
	{
		my ($family, $count) = @$_;
		my @problems = read_problems($family, $count);
		is(scalar @problems, $count, "$family: $count problems");
		for my $objective ('cost', 'shipments')
		{
			my @wrong;
			open my $in, '<', "$split/truth/$family." . ($objective eq 'cost' ? 'weighted' : 'lex') or die $!;
			for my $p (@problems)
			{
				my ($id, $cost, $shipments, $unfilled, $status) = split ' ', <$in>;
				my $plan = solve($p, $objective, 5000);
				my $fault = fault($p, $plan, $objective);
				my $same = $plan->{cost} == $cost && ($objective eq 'cost' || ($plan->{shipments} == $shipments && $plan->{unfilled} == $unfilled));
				push @wrong, "$id: $fault" if $fault;
				push @wrong, "$id: not proven" unless $plan->{proven} || $family eq 'ties';
				push @wrong, "$id: $plan->{cost}, not $cost" if $status == 0 && $plan->{proven} && !$same;
			}
			is(join("\n", @wrong), '', "$family, objective $objective: proven, and true");
		}
	}
}

# ---- the examples of docs/sourcing.md do what they say, from top to bottom

my @examples = slurp_file("$FindBin::RealBin/../../docs/sourcing.md") =~ /^```sql\n(.*?)^```/msg;
cmp_ok(scalar @examples, '>=', 8, 'docs/sourcing.md has examples');
$node->safe_psql('postgres', 'CREATE DATABASE page');
$node->safe_psql('page', "CREATE EXTENSION oms; SELECT oms.create_store('shop')");
is(join("\n", grep { $_ ne '' } map { $node->safe_psql('page', $_) } @examples), <<'END' =~ s/\n\z//r, 'they say what the page says');
t|bavaria|3.0000|1.0000|1
munich|25.5000
hamburg|31.2000
f|allows
t|1.1750
f|denies
f|the location does not offer the method
7.93
15.36
1|TOWEL|munich|2|0.9250|allocate
munich|chosen|4.8500|ships 2 units
hamburg|costlier|6.3500|the best plan with it costs 1.5000 more
4.8500|1|true
pickup|hamburg|1.1000
pickup|munich|2.1000
ship||4.8500
0.0000|0.0000|0.0000|0|0|0|{}
END

# ---- its picture shows the plan as it is (make pictures)

$node->safe_psql('postgres', 'CREATE DATABASE picture');
$node->safe_psql('picture', 'CREATE EXTENSION oms');
my $graph = $node->safe_psql('picture', slurp_file("$FindBin::RealBin/../plan_picture.sql"));
my $picture = slurp_file("$FindBin::RealBin/../../docs/pictures/plan.svg") =~ s/&#45;/-/gr =~ s/&gt;/>/gr;
my @said = map { split /\\n/ } $graph =~ /label="([^"]*)"/g;
is(join("\n", sort $picture =~ />([^<]*)<\/text>/g), join("\n", sort @said), 'docs/pictures/plan.svg: lines, locations, costs, and why not');
my @arrows = map { my ($from, $to, $is_drawn) = @$_; "$from->$to $is_drawn" } map { [/^"(line \d)" -> "(\w+)" .*?(dashed|dotted|penwidth)/m ? ($1, $2, $3) : ()] } grep { /->/ } split /\n/, $graph;
my @drawn = map { my ($title, $stroke) = @$_; "$title " . ($stroke =~ /stroke-dasharray="5,2"/ ? 'dashed' : $stroke =~ /stroke-dasharray="1,5"/ ? 'dotted' : 'penwidth') }
	map { [/<title>(.*?)<\/title>\s*(<path[^>]*>)/s] } grep { /class="edge"/ } split /(?=<g id=)/, $picture;
is(join("\n", sort @drawn), join("\n", sort @arrows), 'and each arrow, the chosen ones drawn through');
like(slurp_file("$FindBin::RealBin/../../docs/sourcing.md"), qr/pictures\/plan\.svg/, 'it is on the page');

done_testing();
