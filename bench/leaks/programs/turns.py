"""Programs in Python that need no load: `turns.py KIND`, where KIND is one of the functions below. Those under
KEEPS leak."""
import asyncio, collections, ctypes, functools, gc, json, logging, logging.handlers, multiprocessing, os, random, sqlite3, sys, tempfile, threading, time, types

random.seed(7)
began = time.monotonic()
kept = []


def block(low, high):
    return bytes(bytearray(random.randrange(low, high)))


def rest(rate):
    """As long as the next of `rate` visitors a second takes to come."""
    time.sleep(random.expovariate(rate))


def lru():
    """Pages of all sizes, at most 70 MB of them: full after some 50 s."""
    pages, size, n = collections.OrderedDict(), 0, 0
    while True:
        n += 1
        pages[n] = block(20_000, 200_000)
        size += len(pages[n])
        while size > 70e6:
            size -= len(pages.popitem(last=False)[1])
        rest(12)


def popular():
    """functools.lru_cache, where some keys are asked for much more often than others."""
    @functools.lru_cache(maxsize=700)
    def page(key):
        return block(40_000, 80_000)
    while True:
        page(int(random.paretovariate(0.3)) % 1_000_000)
        rest(25)


def slow_fill():
    """A ring of 100 s of measurements, below the garbage of the turns: grows as slowly as a slow leak."""
    ring = collections.deque(maxlen=1000)
    while True:
        ring.append(block(25_000, 31_000))
        scratch = [block(2_000, 60_000) for _ in range(60)]
        time.sleep(0.1)


def job(n):
    rows = [{"id": i, "text": f"row {i * n}"} for i in range(6_000 + n % 7 * 1_000)]
    return len(json.loads(json.dumps(rows)))


def pool():
    """Two workers that live for 15 jobs each."""
    with multiprocessing.Pool(2, maxtasksperchild=15) as workers:
        for n in range(10**9):
            workers.apply(job, (n,))
            time.sleep(0.25)


def threads():
    """Threads that come, take a buffer, and go."""
    def visit():
        own = [block(10_000, 400_000) for _ in range(12)]
        time.sleep(random.uniform(1, 8))
        own.clear()
    while True:
        threading.Thread(target=visit, daemon=True).start()
        rest(2)


def page_cache():
    """SQLite that reads a file at random: its page cache of 48 MB fills, more and more slowly."""
    with tempfile.NamedTemporaryFile() as file:
        db = sqlite3.connect(file.name)
        db.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB)")
        db.executemany("INSERT INTO t VALUES (?, ?)", ((i, os.urandom(3000)) for i in range(20_000)))
        db.commit()
        db.close()
        db = sqlite3.connect(file.name)
        db.execute("PRAGMA cache_size = -48000")
        while True:
            for _ in range(25):
                db.execute("SELECT length(b) FROM t WHERE a = ?", (random.randrange(20_000),)).fetchone()
            time.sleep(0.1)


def queue():
    """A producer that is faster than its consumer, until the queue of 700 is full after some 70 s."""
    async def main():
        waiting = asyncio.Queue(maxsize=700)
        async def produce():
            while True:
                await waiting.put(block(40_000, 90_000))
                await asyncio.sleep(random.expovariate(30))
        async def consume():
            while True:
                await waiting.get()
                await asyncio.sleep(random.expovariate(20))
        await asyncio.gather(produce(), consume())
    asyncio.run(main())


class Page:
    """One that knows itself, so that only the collector frees it."""
    def __init__(self):
        self.me, self.body = self, block(4_000, 12_000)


def cycles():
    """Garbage in cycles, which is collected late."""
    gc.set_threshold(6_000, 5, 5)
    while True:
        for _ in range(30):
            Page()
        rest(10)


def reports():
    """A report of 40 MB that is built for 12 s and dropped, again and again."""
    while True:
        parts = []
        while len(parts) < 240:
            parts.append(block(100_000, 240_000))
            rest(20)
        del parts
        time.sleep(random.uniform(2, 6))


def warm():
    """Loads its tables for half a minute, in pieces of all sizes, and then works."""
    while True:
        if len(kept) < 60:
            kept.append([random.random() for _ in range(random.randrange(3_000, 50_000))])
        scratch = [block(2_000, 80_000) for _ in range(40)]
        rest(2)


# KEEPS


def uncollected():
    """The same garbage in cycles with the collector switched off."""
    gc.disable()
    while True:
        for _ in range(5):
            Page()
        rest(10)


def modules():
    """Rules that are compiled as modules for each request, and never forgotten."""
    for n in range(10**9):
        module = types.ModuleType(f"rule{n}")
        exec("".join(f"def check{i}(a, b=({n}, {i})):\n    return a.get('field{i}', b[0]) > {n + i}\n" for i in range(40)), module.__dict__)
        sys.modules[module.__name__] = module
        rest(8)


def logs():
    """A log whose handler waits for an error that never comes, below a batch every 15 s."""
    log = logging.getLogger("work")
    log.setLevel(logging.INFO)
    log.addHandler(logging.handlers.MemoryHandler(10**9, target=None))
    while True:
        for _ in range(12):
            log.info("request %s of %s", block(500, 3_000), time.monotonic())
        batch = [block(1_000, 250_000) for _ in range(80)] if time.monotonic() % 15 < 4 else []
        rest(8)


def sessions():
    """Visitors whose sessions nobody ends; for eight of 25 s nobody comes."""
    known = {}
    while True:
        if (time.monotonic() - began) % 25 < 17:
            known[random.random()] = {"basket": [random.random() for _ in range(800)], "page": block(5_000, 30_000)}
        rest(12)


def foreign():
    """A binding that forgets to free what it took: 240 kB a second."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    while True:
        for _ in range(6):
            ctypes.memset(libc.malloc(4000), 1, 4000)
        scratch = [block(2_000, 90_000) for _ in range(40)]
        time.sleep(0.1)


def tasks():
    """After a minute its other side stops answering, and every task waits for ever."""
    async def ask(answer):
        body = block(8_000, 40_000)
        await answer
        return body
    async def main():
        while True:
            answer = asyncio.get_running_loop().create_future()
            if time.monotonic() - began < 60:
                answer.set_result(None)
            kept.append(asyncio.create_task(ask(answer)))
            kept[:] = [task for task in kept if not task.done()]
            await asyncio.sleep(random.expovariate(20))
    asyncio.run(main())


def tracebacks():
    """A log of errors that holds their frames, below bursts of 15 MB."""
    def handle(n):
        body = block(20_000, 70_000)
        raise ValueError(n)
    for n in range(10**9):
        try:
            handle(n)
        except ValueError as error:
            kept.append(error)
        burst = [block(10_000, 250_000) for _ in range(random.randrange(0, 120))]
        rest(9)


globals()[sys.argv[1]]()
