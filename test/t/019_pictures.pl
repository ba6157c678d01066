# The pictures in docs/ show the default workflows as they are: each state, guard
# and action, no others, and each move.  make pictures draws them anew.

use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = "$FindBin::RealBin/../..";
my $page = slurp_file("$top/docs/pictures.md");
my %definition = slurp_file("$top/sql/defaults.sql") =~ /^\s*\('(\w+)', '(?:order|fulfillment)'.*?\$\$(.*?)\$\$/msg;
is(scalar keys %definition, 10, 'there are ten');

for my $name (sort keys %definition)
{
	my $picture = slurp_file("$top/docs/pictures/$name.svg");
	my %drawn = map { $_ => 1 } map { /([a-z_]{2,})/g } $picture =~ />([^<]*)<\/text>/g;
	my %said = map { $_ => 1 } grep { !/^(initial|final|when|do)$/ } $definition{$name} =~ s/--.*//gr =~ /([a-z_]{2,})/g;
	is(join(' ', sort keys %drawn), join(' ', sort keys %said), "$name: all names and no others");

	my %moves;
	for my $statement (split /;/, $definition{$name})
	{
		my ($states) = $statement =~ /^\s*(.*->.*?)(?: when | do | auto|$)/s or next;
		my ($from, @to) = map { s/\s//gr } split /->/, $states;
		for my $to (@to)
		{
			$moves{"$_ $to"}++ for split /,/, $from;
			$from = $to;
		}
	}
	my %arrows;
	$arrows{"$1 $2"}++ while $picture =~ /<title>(\w+)&#45;&gt;(\w+)<\/title>/g;
	is_deeply(\%arrows, \%moves, "$name: all moves and no others");
	like($page, qr/pictures\/$name\.svg/, "$name is on the page");
}
done_testing();
