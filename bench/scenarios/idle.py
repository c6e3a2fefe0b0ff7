"""Many quiet processes: what does it cost to watch over them?"""

import time

from harness import own
from harness.container import Container, Failed, Work
from harness.peers import Cannot, Process
from harness.scenario import Column, Goal, Scenario

# The bounds on procession's memory in KiB, by the number of processes.
MEMORY = {1: 8 * 1024, 100: 9 * 1024, 1000: 12 * 1024}
# Memory is sampled every five seconds; a tick may wake the few threads that it passes through.
WAKEUPS = 1


class Idle(Scenario):
    reference = "dinit"
    peers = ("procession", "dinit", "s6", "runit", "supervisord", "circus", "honcho", "pm2")
    columns = (
        Column("up", "until all are up", "s", 3),
        Column("pss", "PSS of own processes", "KiB", 0),
        Column("own", "own processes", "", 0, ratio=False),
        Column("wakeups", "wake-ups per second", "", 1, ratio=False),
        Column("cpu", "CPU per second", "ms", 2),
        Column("gone", "TERM to gone", "s", 3),
    )

    def __init__(self, count):
        self.count = count
        self.name = f"idle-{count}"
        self.title = f"{count} quiet process" + ("es" if count > 1 else "")
        self.about = (
            "From exec of PID 1 to the first instruction of the last process; after a rest, the proportional memory "
            "of all the supervisor's own processes, and their wake-ups and CPU over ten seconds (five in a "
            "quick run); then the stop."
        )
        self.goals = (Goal("pss", bound=MEMORY[count]), Goal("wakeups", bound=WAKEUPS))
        if count == 1000:
            self.goals += (Goal("up", 1, "dinit"),)
        self.rounds = (3, 1)
        self.slow_every = 3
        self.window = 10.0

    def quick(self):
        self.window = 5.0

    def measure(self, peer, note):
        if self.count > 100 and peer.name in ("circus", "honcho"):
            raise Cannot("left out: takes minutes")
        work = Work()
        try:
            processes = [Process(f"p{at}", work.child("wait", 0)) for at in range(self.count)]
            with Container(work, peer.configured(work, processes)) as container:
                figures, strangers = self.watch(container, note)
                if strangers and peer.is_build:
                    raise Failed("its binary runs elsewhere too, which would hide part of its memory")
                return figures
        finally:
            work.close()

    def watch(self, container, note):
        children = container.await_events("child", self.count, seconds=120)
        last = max(event.at for event in children)
        # Let everything that belongs to starting come to rest.
        container.poll(min(self.window, 3))
        if len(container.seen("child")) != self.count:
            raise Failed("more children than asked for")
        strangers = own.strangers(container.pid)
        before, began = own.measure(container.proc()), time.monotonic()
        container.poll(self.window)
        after, took = own.measure(container.proc(), memory=False), time.monotonic() - began
        sent = container.stop()
        gone = container.await_gone(60, "not gone after TERM")
        asked = len(container.seen("term")) == self.count
        if not asked:
            note("children were killed without being asked, so the stop does not count")
        stop = {"gone": (gone.at - sent) / 1e9} if asked else {}
        figures = {
            **stop,
            "up": (last - container.exec_at) / 1e9,
            "pss": before.pss_kib,
            "own": before.processes,
            "wakeups": (after.wakeups - before.wakeups) / took,
            "cpu": (after.cpu_ns - before.cpu_ns) / 1e6 / took,
        }
        return figures, strangers
