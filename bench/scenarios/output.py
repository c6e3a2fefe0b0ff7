"""Two hundred megabytes of lines, through the supervisor and out."""

import select
import subprocess

from harness import own, share, tools
from harness.container import Container, Failed, Work
from harness.peers import Cannot, Process
from harness.scenario import Column, Goal, Scenario

LINE = 100
# How long a supervisor may be silent before the lines that are missing count as lost.
PATIENCE = 5

COLUMNS = (
    Column("rate", "through", "MB/s", 0),
    Column("cpu", "CPU of own processes", "s", 3),
    Column("lost", "lines lost", "", 0, ratio=False),
    Column("broken", "lines broken", "", 0, ratio=False),
    Column("doubled", "lines doubled", "", 0, ratio=False),
)
WHOLE = (Goal("lost", bound=0, which="most"), Goal("broken", bound=0, which="most"))


class Sink:
    """The reader at the other end of PID 1's standard output."""

    def __init__(self, per_writer, writers, form):
        argv = [str(tools.program("sink")), str(per_writer), str(writers), form]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        share.join(self._process.pid)

    @property
    def end(self):
        return self._process.stdin

    def ours_only(self):
        """From here on only the supervisor holds the pipe, so it ends with it."""
        self._process.stdin.close()

    def complete(self, seconds):
        """Whether every line came in time."""
        return bool(select.select([self._process.stdout], [], [], seconds)[0])

    def judgement(self):
        """Good, broken, doubled, foreign, and when the last good one came."""
        try:
            said = self._process.stdout.read().decode().split("\n")
            self._process.wait(timeout=10)
        finally:
            self.close()
        return [int(word) for word in said[-2].split()]

    def close(self):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process.stdout.close()


class Output(Scenario):
    columns = COLUMNS
    rounds = (4, 1)
    slow_every = 1
    megabytes = 200
    writers = 1
    form = "text"

    def quick(self):
        self.title = self.title.replace(f"{self.megabytes} MB", "40 MB")
        self.megabytes = 40

    def launch(self, peer, work, commands, note):
        raise NotImplementedError

    def commands(self, work, per_writer):
        return [work.child("lines", per_writer, writer) for writer in range(self.writers)]

    def measure(self, peer, note):
        per_writer = self.megabytes * 1_000_000 // LINE // self.writers
        form = "json" if self.form == "json" and peer.is_build else "text"
        work = Work()
        try:
            launch = self.launch(peer, work, self.commands(work, per_writer), note)
            sink = Sink(per_writer, self.writers, form)
            try:
                with Container(work, launch, stdout=sink.end) as container:
                    sink.ours_only()
                    began, cpu = self.write(container, sink, note)
                good, broken, doubled, foreign, last = sink.judgement()
            finally:
                sink.close()
        finally:
            work.close()
        if not good:
            raise Failed(f"no line came; {broken} broken, {foreign} foreign")
        sent = per_writer * self.writers
        rate = good * LINE / 1e6 / ((last - began) / 1e9)
        return {"rate": rate, "cpu": cpu, "lost": sent - good, "broken": broken, "doubled": doubled}

    def write(self, container, sink, note):
        """Lets the writers write; when they began, and the supervisor's CPU in seconds."""
        container.await_events("child", self.writers)
        container.poll(1.0)
        before = own.measure(container.proc(), memory=False).cpu_ns
        container.go()
        began = min(event.at for event in container.await_events("begun", self.writers))
        self.await_done(container)
        if not sink.complete(PATIENCE):
            note(f"not complete {PATIENCE} s after the last line was written")
        used = own.measure(container.proc(), memory=False).cpu_ns - before
        container.stop()
        container.await_gone(20, "not gone after TERM")
        return began, used / 1e9


    def await_done(self, container):
        def over():
            told = sum(len(container.seen(name)) for name in ("done", "failed", "nonblocking"))
            return told >= self.writers

        container.until(over, 120, "the lines were not all taken")
        if container.seen("nonblocking"):
            raise Failed("a write of the child failed with EAGAIN: its output was made non-blocking")
        if container.seen("failed"):
            raise Failed("a write of the child failed")


class Passthrough(Output):
    name = "output-passthrough"
    title = "200 MB of lines, output inherited"
    about = (
        "One writer of 100-byte lines in blocks of 4,096 bytes, whose standard output is PID 1's. Those "
        "that are no configured supervisors run it as their one command."
    )
    reference = "tini"
    peers = ("procession", "tini", "dinit")
    # Nothing is between the writer and the reader, so nothing may be spent there.
    goals = (Goal("cpu", bound=0.02), Goal("rate", 0.9, "tini", at_least=True), *WHOLE)

    def launch(self, peer, work, commands, note):
        if peer.name == "tini":
            return peer.one(work, commands[0])
        launch = peer.configured(work, [Process("child", commands[0], output="passthrough")])
        if hasattr(peer, "refuses") and peer.refuses(launch):
            note("has no key `output` yet; it is inherited")
            launch = peer.configured(work, [Process("child", commands[0])])
        return launch


class Lines(Output):
    def __init__(self, mode, writers):
        self.form = mode
        self.writers = writers
        many = f"-{writers}" if writers > 1 else ""
        self.name = f"output-{mode}{many}"
        word = "JSON" if mode == "json" else mode
        self.title = f"200 MB of lines, {word}, {writers} writer" + ("s" if writers > 1 else "")
        self.about = (
            "Lines of 100 bytes in blocks of 4,096, which end in the middle of a line, through the supervisor; with "
            f"procession {word}, with the others as they are. Each line is checked at the other end."
        )
        self.reference = "supervisord"
        self.peers = ("procession", "supervisord", "s6", "pm2")
        self.goals = (Goal("rate", 1, "supervisord", at_least=True), Goal("cpu", 1, "supervisord"), *WHOLE)

    def launch(self, peer, work, commands, note):
        processes = [Process(f"w{at}", words, output=self.form) for at, words in enumerate(commands)]
        launch = peer.configured(work, processes)
        refused = peer.refuses(launch) if hasattr(peer, "refuses") else None
        if refused:
            raise Cannot(f"does not take `output` yet: {refused}")
        return launch
