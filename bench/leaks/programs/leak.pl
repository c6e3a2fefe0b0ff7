# Objects that hold each other, as Perl never frees: 25 a turn, ten turns a second.
while (1) {
    for (1 .. 25) { my $one = { text => "x" x 900 }; my $other = { peer => $one }; $one->{peer} = $other; }
    select(undef, undef, undef, 0.1);
}
