# Programs in Perl that need no load: `turns.pl KIND`, ten turns a second. `closures` leaks.
my ($kind, $turn, %cache, @kept) = ($ARGV[0], 0);
srand(7);
while (++$turn) {
    if ($kind eq "cache") {          # 1,100 answers, one of which makes room for each new one: full after two minutes
        $cache{$turn} = "x" x (10_000 + rand 60_000);
        delete $cache{(keys %cache)[0]} if keys %cache > 1100;
    }
    if ($kind eq "closures") {       # each remembers its request
        for (1 .. 1 + rand 6) { my $body = "x" x (1_000 + rand 14_000); push @kept, sub { length $body } }
    }
    select(undef, undef, undef, 0.02 + rand 0.16);
}
