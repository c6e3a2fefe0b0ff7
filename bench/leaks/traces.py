#!/usr/bin/env python3
"""The recorded traces as one set: `traces.py OUTDIR [LABELS.csv FOLDER] [--thin] [--leaks] [--only I/N]`.

Writes meta.csv, labels.csv and series.csv.gz as the generator does. --thin adds each trace with every second
and every third sample only, and with a third of the limit: the same programs sampled more slowly, and in
smaller containers. --leaks adds to each healthy one, three times over, a leak that was made: a program's own
noise, teeth and warm-up below a slope that is known. --only leaves out every program but those of part I of N
(or, with -I, those of it), for a check with programs that were not seen; which part is by the name's checksum.
"""
import csv, gzip, io, os, random, statistics, sys, zlib

HERE = os.path.dirname(os.path.abspath(__file__))


def read(path):
    text = gzip.open(path, "rt") if path.endswith(".gz") else open(path)
    return [(float(t), int(y)) for t, y in list(csv.reader(text))[1:]]


def leaking(row, samples):
    """The trace with leaks from an onset in its first half on: half of to four times what it moves by, and enough to matter."""
    r = random.Random(row["name"])
    late = sorted(y for _, y in samples[len(samples) // 3:])
    moves = max(late[len(late) * 9 // 10] - late[len(late) // 10], late[len(late) // 2] // 20)
    for nth in range(3):
        onset = r.choice([0, r.uniform(0.1, 0.5)]) * samples[-1][0]
        room = int(row["limit_bytes"]) - late[len(late) // 2]
        growth = max(moves * 2 ** r.uniform(-1, 2), 0.04 * room)
        slope = growth / (samples[-1][0] - onset)
        made = [(t, int(y + slope * max(0, t - onset))) for t, y in samples]
        known = dict(row, name=f"{row['name']}+{nth}", leak="1", onset_s=f"{onset:.1f}", slope_bytes_per_s=f"{slope:.1f}")
        known["exhaustion_s"] = f"{onset + max(0, room) / slope:.1f}"
        yield known, made


def exhaustion(row, limit):
    """When a smaller limit is reached: sooner by what the leak needs for the difference."""
    if row["leak"] == "0":
        return row["exhaustion_s"]
    sooner = (int(row["limit_bytes"]) - limit) / float(row["slope_bytes_per_s"])
    return f"{max(float(row['exhaustion_s']) - sooner, float(row['onset_s']) + 1):.1f}"


def wanted(name, only):
    if not only:
        return True
    part, parts = map(int, only.lstrip("-").split("/"))
    return (zlib.crc32(name.encode()) % parts == part) != only.startswith("-")


def main():
    words, flags, only = [], set(), None
    given = iter(sys.argv[1:])
    for word in given:
        if word == "--only":
            only = next(given)
        elif word.startswith("--"):
            flags.add(word)
        else:
            words.append(word)
    thin, out = "--thin" in flags, words[0]
    labels, folder = words[1:] or (os.path.join(HERE, "traces", "labels.csv"), os.path.join(HERE, "traces"))
    os.makedirs(out, exist_ok=True)
    series, meta, known = io.StringIO(), [], []
    series.write("series_id,timestamp_s,rss_bytes\n")

    def add(row, samples, step, part):
        limit = int(row["limit_bytes"]) // part
        kept = [(t, y) for t, y in samples[::step] if y < limit]
        if thin and len(kept) <= 130:
            return
        name = f"{row['name']}-{step}-{part}" if thin else row["name"]
        interval = statistics.median(b[0] - a[0] for a, b in zip(kept, kept[1:]))
        meta.append([name, f"{interval:.2f}", limit, len(kept)])
        family = "recorded_leak" if row["leak"] == "1" else "recorded_ok"
        known.append([name, family, row["leak"], row["onset_s"], row["slope_bytes_per_s"], limit, exhaustion(row, limit), f"{kept[-1][0]:.1f}", "real"])
        series.writelines(f"{name},{t},{y}\n" for t, y in kept)

    for row in csv.DictReader(open(labels)):
        if not wanted(row["name"], only):
            continue
        path = os.path.join(folder, row["name"] + ".csv")
        samples = read(path if os.path.exists(path) else path + ".gz")
        every = [(row, samples)]
        if "--leaks" in flags and row["leak"] == "0":
            every += leaking(row, samples)
        for row, samples in every:
            for step in (1, 2, 3) if thin else (1,):
                for part in (1, 3) if thin else (1,):
                    add(row, samples, step, part)
    with gzip.open(os.path.join(out, "series.csv.gz"), "wt") as f:
        f.write(series.getvalue())
    for name, head, rows in (("meta.csv", "series_id,interval_s,limit_bytes,samples", meta),
                             ("labels.csv", "series_id,family,leak,onset_s,slope_bytes_per_s,limit_bytes,exhaustion_s,end_s,source", known)):
        with open(os.path.join(out, name), "w", newline="") as f:
            f.write(head + "\n")
            csv.writer(f, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    main()
