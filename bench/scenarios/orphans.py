"""Twenty thousand orphans, as fast as they can be made."""

import signal
import subprocess
import time

from harness import share, tools
from harness.container import Container, Failed, Work
from harness.peers import Process
from harness.scenario import Column, Goal, Scenario

# How long a supervisor has to come clean after the last orphan.
PATIENCE = 5


def zombies(proc):
    """How many zombies wait for PID 1 now."""
    count = 0
    for entry in proc.iterdir():
        if entry.name.isdigit():
            try:
                rest = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            count += rest[0] == "Z" and rest[1] == "1"
    return count


class Orphans(Scenario):
    about = (
        "Two forkers double-fork 20,000 processes that end at once; PID 1 has to reap each. CPU time of PID 1 "
        "meanwhile, and the most zombies that waited for it, looked for every half millisecond."
    )
    reference = "tini"
    columns = (
        Column("cpu", "CPU of PID 1", "s", 3),
        Column("most", "most zombies at once", "", 0, ratio=False),
        Column("wall", "until all were reaped", "s"),
        Column("looks", "looks", "", 0, ratio=False),
    )
    goals = (Goal("cpu", 1, "tini"), Goal("most", bound=50, which="median"))
    rounds = (5, 2)
    slow_every = 4
    count = 20_000
    forkers = 2

    def measure(self, peer, note):
        work = Work()
        try:
            with Container(work, self.launch(peer, work)) as container:
                return self.watch(container)
        finally:
            work.close()

    def storm(self, work):
        return work.child("storm", self.count, self.forkers)

    def launch(self, peer, work):
        raise NotImplementedError

    def watch(self, container):
        container.await_events("child")
        container.poll(0.5)
        looker = subprocess.Popen(
            [str(tools.program("zombies")), str(container.proc()), "500"], stdout=subprocess.PIPE, text=True
        )
        try:
            share.join(looker.pid)
            before = container.cpu()
            container.go()
            begun = container.await_events("begun")[0].at
            container.until(lambda: container.seen("done") or container.seen("failed"), 120, "storm not over")
            if container.seen("failed"):
                raise Failed("the storm could not fork any more")
            wall = self.come_clean(container, begun)
            used = container.cpu() - before
        finally:
            looker.send_signal(signal.SIGTERM)
            said = looker.communicate(timeout=10)[0]
        most, _, looks = map(int, said.split())
        return {"cpu": used / 1e9, "most": most, "wall": wall, "looks": looks}

    @staticmethod
    def come_clean(container, begun):
        end = time.monotonic() + PATIENCE
        while left := zombies(container.proc()):
            if time.monotonic() > end:
                raise Failed(f"never came clean: {left} zombies {PATIENCE} s after the last orphan")
            time.sleep(0.005)
        return (time.clock_gettime_ns(time.CLOCK_MONOTONIC) - begun) / 1e9


class OneCommand(Orphans):
    name = "orphans-one"
    title = "20,000 orphans at once, one command"
    peers = ("procession", "procession-as-tini", "tini", "dumb-init", "catatonit")

    def launch(self, peer, work):
        return peer.one(work, self.storm(work))


class FromConfig(Orphans):
    name = "orphans-config"
    title = "20,000 orphans at once, from a configuration"
    # tini, that it can be compared with in the same rounds.
    peers = ("procession", "tini", "dinit", "s6", "runit", "supervisord", "circus", "honcho", "pm2")
    rounds = (4, 1)

    def launch(self, peer, work):
        if peer.name == "tini":
            return peer.one(work, self.storm(work))
        return peer.configured(work, [Process("child", self.storm(work))])
