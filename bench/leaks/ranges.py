#!/usr/bin/env python3
"""Series of the generator in other ranges: `ranges.py GEN.py OUTDIR EXTRA [--quiet] [--usual]` (needs numpy).

Each EXTRA draws ranges of its own, wider than the generator's: intervals from 0.25 s to 60 s, 250 to 2200
samples, noise with heavy tails, longer ramps and fills, more and longer periods, more gaps. A rule that was
fitted to the generator's ranges does badly here.

--quiet takes up to 99.7 % of the noise away, series by series, from leaks and from what is well alike: the generator's
slow leaks are noisy, and who learns from it alone holds a clean line for a cache that fills. With --usual the
ranges stay those of the generator.
"""
import importlib.util, random, sys

NOISE = 8             # correlated over so many samples at most; what is slower is the series' own shape
QUIETEST = 2.5        # the largest power of ten that noise is divided by


def quiet(gen, r):
    loud = gen.ar1

    def ar1(rng, n, sigma, ell, dof):
        return loud(rng, n, sigma * (10 ** -r.uniform(0, QUIETEST) if ell < NOISE else 1), ell, dof)
    gen.ar1 = ar1


def wide(r):
    u = r.uniform
    return dict(
        dt=r.sample([0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60], 4), n=(int(u(250, 600)), int(u(900, 2200))),
        snr=[r.choice([3, 4, 5]), 8, 16, r.choice([24, 40, 60])], gcp=(u(5, 12), u(40, 110)),
        gca=(u(0.06, 0.2), u(0.5, 1.0)), per=(u(1.2, 2.0), u(4, 10)), fill=(u(0.02, 0.08), u(0.25, 0.42)),
        ramp=(u(0.02, 0.06), u(0.15, 0.28)), tau=(u(0.02, 0.05), u(0.15, 0.28)), fast=(u(0.08, 0.15), u(0.4, 0.6)),
        late=(u(0.15, 0.3), u(0.6, 0.78)), reb=(u(10, 25), u(60, 110)), ouT=(u(40, 90), u(8, 16)),
        spike=u(0.1, 0.6), dof=r.choice([0, 0, 3, 4, 6]), miss=u(0, 0.06))


def main():
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    path, out, extra = words[0], words[1], int(words[2])
    spec = importlib.util.spec_from_file_location("gen", path)
    gen = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gen)
    r = random.Random(extra)
    if "--usual" not in sys.argv:
        gen.PAR["public"] = wide(r)
    if "--quiet" in sys.argv:
        quiet(gen, r)
    sys.argv = ["gen", "public", out, str(extra)]
    gen.main()


if __name__ == "__main__":
    main()
