# What knows nothing of the server, compiled without it, and compared with what is
# found by trying all: test/kernels/*.c.

use strict;
use warnings;

use FindBin;
use File::Temp;
use Test::More;

my $top = "$FindBin::RealBin/../..";
my $cc = $ENV{CC} || 'cc';
my $work = File::Temp->newdir;

plan skip_all => "skipped: no compiler: $cc" if system("$cc --version >/dev/null 2>&1") != 0;
plan skip_all => "skipped: no sources in $top/src" unless -r "$top/src/split.c";

for (['split', 1000], ['wave', 150, "$top/src/wave.c", glob("$top/src/wave_*.c")])
{
	my ($name, $count, @sources) = @$_;
	my @build = ($cc, qw(-std=gnu99 -O1 -g -Wall -Wextra -Werror -Wno-sign-compare -DOMS_STANDALONE), '-include', "$top/test/bench/contexts.h",
		"-I$top/src", '-o', "$work/$name", "$top/test/kernels/$name.c", "$top/test/bench/contexts.c",
		"$top/src/split.c", glob("$top/src/split_*.c"), @sources);
	subtest $name => sub {
		is(system(@build), 0, 'it builds');
		my @lines = `$work/$name $count`;
		is($?, 0, 'it ends');
		my $planned = (grep { /^1\.\.\d+$/ } @lines)[0] // '1..0';
		is(scalar(grep { /^(not )?ok / } @lines), substr($planned, 3) + 0, 'all that was planned has run');
		for (grep { /^(not )?ok / } @lines)
		{
			my ($failed, $what) = /^(not )?ok \d+ - (.*)/;
			ok(!$failed, $what);
		}
		note(grep { /^#/ } @lines);
	};
}

done_testing();
