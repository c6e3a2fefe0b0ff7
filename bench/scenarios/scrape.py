"""/metrics with a thousand processes."""

import gzip
import http.client
import re
import statistics
import subprocess
import threading
import time

from harness import own, share, tools
from harness.container import Container, Failed, Work, now
from harness.peers import Process, free_port
from harness.scenario import Column, Goal, Scenario

# What Prometheus sends.
HEADERS = {
    "Accept": "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
    "Accept-Encoding": "gzip",
}


class Exporter:
    """prometheus-process-exporter, looking at the /proc of a namespace, one group for each pid."""

    def __init__(self, work, proc):
        self.port = free_port()
        path = work.path / "exporter.yml"
        path.write_text("process_names:\n  - name: '{{.Comm}}:{{.PID}}'\n    cmdline:\n      - '.+'\n")
        binary = tools.find("prometheus-process-exporter", "debian/usr/bin")
        # It ends with us, however we end.
        argv = ["setpriv", "--pdeathsig", "KILL", binary, "-config.path", str(path), "-procfs", str(proc), "-children=false"]
        argv += ["-web.listen-address", f"127.0.0.1:{self.port}"]
        self._log = open(work.path / "exporter.log", "wb")
        self._process = subprocess.Popen(argv, stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL)
        share.join(self._process.pid)

    def cpu(self):
        return time.clock_gettime_ns((~self._process.pid) << 3 | 2)

    def pss_kib(self):
        with open(f"/proc/{self._process.pid}/smaps_rollup") as file:
            return int(re.search(r"Pss:\s+(\d+)", file.read())[1])

    def close(self):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._log.close()


def scrape(connection):
    """One scrape over a kept connection, as Prometheus does it: seconds, and the body."""
    began = now()
    connection.request("GET", "/metrics", headers=HEADERS)
    answer = connection.getresponse()
    body = answer.read()
    took = (now() - began) / 1e9
    if answer.status != 200:
        raise Failed(f"/metrics answered {answer.status}")
    if answer.getheader("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    return took, body


def scrapes(port, count):
    """The times of so many scrapes in a row, and the last body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        seen = [scrape(connection) for _ in range(count)]
        return [took for took, _ in seen], seen[-1][1]
    finally:
        connection.close()


def await_answer(port):
    """Until somebody listens."""
    end = time.monotonic() + 20
    while True:
        try:
            return scrapes(port, 1)
        except OSError as error:
            if time.monotonic() > end:
                raise Failed(f"no answer on /metrics: {error}") from None
            time.sleep(0.1)


class Scrape(Scenario):
    name = "scrape"
    title = "/metrics with 1,000 processes"
    about = (
        "Time and the exporter's CPU for one scrape, gzip over a kept connection: one scraper, then ten at once. "
        "prometheus-process-exporter looks at 1,000 processes under dinit, one group for each; all of them have to be "
        "in the answer."
    )
    reference = "process-exporter"
    peers = ("procession", "process-exporter")
    columns = (
        Column("one", "one scraper, median"),
        Column("one_cpu", "CPU per scrape"),
        Column("ten", "ten scrapers, median"),
        Column("ten_cpu", "CPU per scrape of ten"),
        Column("bytes", "answer", "KiB", 0),
        Column("pss", "PSS", "KiB", 0),
    )
    goals = (
        Goal("one", bound=10),
        Goal("ten", bound=10),
        Goal("one_cpu", 1 / 20, "process-exporter"),
        Goal("ten_cpu", 1 / 20, "process-exporter"),
    )
    rounds = (2, 1)
    count = 1000
    times = 16

    def quick(self):
        self.times = 8

    def measure(self, peer, note):
        work = Work()
        try:
            processes = [Process(f"p{at}", work.child("wait", 0)) for at in range(self.count)]
            with Container(work, peer.configured(work, processes)) as container:
                container.await_events("child", self.count, seconds=120)
                # Two samples of memory, so that everything is known that ever will be.
                container.poll(11)
                return self.watch(peer, work, container)
        finally:
            work.close()

    def watch(self, peer, work, container):
        if peer.is_build:
            pss = own.measure(container.proc()).pss_kib
            return {**self.figures(peer.port, container.cpu), "pss": pss}
        exporter = Exporter(work, container.proc())
        try:
            await_answer(exporter.port)
            figures = self.figures(exporter.port, exporter.cpu)
            return {**figures, "pss": exporter.pss_kib()}
        finally:
            exporter.close()

    def figures(self, port, cpu):
        _, body = await_answer(port)
        self.check(body)
        before = cpu()
        one, body = scrapes(port, self.times)
        between = cpu()
        ten = self.at_once(port, 10)
        after = cpu()
        self.check(body)
        return {
            "one": statistics.median(one) * 1e3,
            "one_cpu": (between - before) / 1e6 / len(one),
            "ten": statistics.median(ten) * 1e3,
            "ten_cpu": (after - between) / 1e6 / len(ten),
            "bytes": len(body) / 1024,
        }

    def at_once(self, port, scrapers):
        """The times of all scrapes of so many scrapers together."""
        took, faults = [], []

        def work():
            try:
                took.extend(scrapes(port, max(2, self.times // 4))[0])
            except (OSError, Failed, http.client.HTTPException) as error:
                faults.append(str(error))

        threads = [threading.Thread(target=work) for _ in range(scrapers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if faults:
            raise Failed(f"{len(faults)} of {scrapers} scrapers failed: {faults[0]}")
        return took

    def check(self, body):
        names = set(re.findall(rb'(?:process="(p\d+)"|groupname="(child:\d+)")', body))
        if len(names) < self.count:
            raise Failed(f"only {len(names)} of {self.count} processes are in the answer")
