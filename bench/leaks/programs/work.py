"""A worker that needs no load: `work.py jobs|late|churn|queue|steps_ok|batch`. One turn a tenth of a second."""
import collections, random, sys, time

kind = sys.argv[1]
kept, cache, began = [], collections.OrderedDict(), time.monotonic()
random.seed(7)
turn = 0
while True:
    turn += 1
    age = time.monotonic() - began
    scratch = [bytes(random.randrange(2_000, 60_000)) for _ in range(40)]
    if kind == "jobs" and turn % 120 == 0:           # each job leaves 3 MB behind
        kept.append([random.random() for _ in range(96_000)])
    if kind == "late" and age > 200:                 # nothing is kept for the first 200 s
        kept.append(bytes(bytearray(60_000)))
    if kind == "churn":                              # a slow leak below much churn
        if turn % 5 == 0:
            kept.append(bytes(bytearray(70_000)))
        burst = [bytes(bytearray(300_000)) for _ in range(random.randrange(0, 60))]
    if kind == "queue":                              # fills and is emptied every 70 s
        if turn % 700 < 500:
            kept.append(bytes(bytearray(120_000)))
        else:
            del kept[-3:]
    if kind == "cap":                                # a cache that fills to its cap in 4 minutes
        cache[turn] = bytes(bytearray(50_000))
        if len(cache) > 2400:
            cache.popitem(last=False)
    if kind == "batch" and turn % 300 == 0:          # a big job every 30 s that gives all back
        frame = [[random.random() for _ in range(1000)] for _ in range(800)]
        time.sleep(2)
        del frame
    if kind == "tenants" and turn % 400 == 0 and len(kept) < 8:   # loads a tenant, and another
        kept.append([random.random() for _ in range(150_000)])
    time.sleep(0.1)
