#!/usr/bin/env python3
"""Series of the generator in other ranges: `ranges.py GEN.py OUTDIR EXTRA` (needs numpy).

Each EXTRA draws ranges of its own, wider than the generator's: intervals from 0.25 s to 60 s, 250 to 2200
samples, noise with heavy tails, longer ramps and fills, more and longer periods, more gaps. A rule that was
fitted to the generator's ranges does badly here.
"""
import importlib.util, random, sys


def main():
    path, out, extra = sys.argv[1], sys.argv[2], int(sys.argv[3])
    spec = importlib.util.spec_from_file_location("gen", path)
    gen = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gen)
    r = random.Random(extra)
    u = r.uniform
    gen.PAR["public"] = dict(
        dt=r.sample([0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60], 4), n=(int(u(250, 600)), int(u(900, 2200))),
        snr=[r.choice([3, 4, 5]), 8, 16, r.choice([24, 40, 60])], gcp=(u(5, 12), u(40, 110)),
        gca=(u(0.06, 0.2), u(0.5, 1.0)), per=(u(1.2, 2.0), u(4, 10)), fill=(u(0.02, 0.08), u(0.25, 0.42)),
        ramp=(u(0.02, 0.06), u(0.15, 0.28)), tau=(u(0.02, 0.05), u(0.15, 0.28)), fast=(u(0.08, 0.15), u(0.4, 0.6)),
        late=(u(0.15, 0.3), u(0.6, 0.78)), reb=(u(10, 25), u(60, 110)), ouT=(u(40, 90), u(8, 16)),
        spike=u(0.1, 0.6), dof=r.choice([0, 0, 3, 4, 6]), miss=u(0, 0.06))
    sys.argv = ["gen", "public", out, str(extra)]
    gen.main()


if __name__ == "__main__":
    main()
