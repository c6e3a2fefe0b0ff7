#!/usr/bin/env python3
"""The recorded traces as one set: `traces.py OUTDIR [LABELS.csv FOLDER] [--thin]`.

Writes meta.csv, labels.csv and series.csv.gz as the generator does. --thin adds each trace with every second
and every third sample only, and with a third of the limit: the same programs sampled more slowly, and in
smaller containers.
"""
import csv, gzip, io, os, statistics, sys

HERE = os.path.dirname(os.path.abspath(__file__))


def read(path):
    text = gzip.open(path, "rt") if path.endswith(".gz") else open(path)
    return [(float(t), int(y)) for t, y in list(csv.reader(text))[1:]]


def main():
    words = [word for word in sys.argv[1:] if word != "--thin"]
    thin, out = "--thin" in sys.argv, words[0]
    labels, folder = words[1:] or (os.path.join(HERE, "traces", "labels.csv"), os.path.join(HERE, "traces"))
    os.makedirs(out, exist_ok=True)
    series, meta, known = io.StringIO(), [], []
    series.write("series_id,timestamp_s,rss_bytes\n")
    for row in csv.DictReader(open(labels)):
        path = os.path.join(folder, row["name"] + ".csv")
        samples = read(path if os.path.exists(path) else path + ".gz")
        for step in (1, 2, 3) if thin else (1,):
            for part in (1, 3) if thin else (1,):
                limit = int(row["limit_bytes"]) // part
                kept = [(t, y) for t, y in samples[::step] if y < limit]
                if thin and len(kept) <= 130:
                    continue
                name = f"{row['name']}-{step}-{part}" if thin else row["name"]
                interval = statistics.median(b[0] - a[0] for a, b in zip(kept, kept[1:]))
                meta.append([name, f"{interval:.2f}", limit, len(kept)])
                family = "recorded_leak" if row["leak"] == "1" else "recorded_ok"
                known.append([name, family, row["leak"], row["onset_s"], row["slope_bytes_per_s"], limit, row["exhaustion_s"], f"{kept[-1][0]:.1f}", "real"])
                series.writelines(f"{name},{t},{y}\n" for t, y in kept)
    with gzip.open(os.path.join(out, "series.csv.gz"), "wt") as f:
        f.write(series.getvalue())
    for name, head, rows in (("meta.csv", "series_id,interval_s,limit_bytes,samples", meta),
                             ("labels.csv", "series_id,family,leak,onset_s,slope_bytes_per_s,limit_bytes,exhaustion_s,end_s,source", known)):
        with open(os.path.join(out, name), "w", newline="") as f:
            f.write(head + "\n")
            csv.writer(f, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    main()
