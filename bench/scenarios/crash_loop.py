"""A child that ends at once, started again without a pause."""

from harness.container import Container, Failed, Work
from harness.peers import Cannot, Process
from harness.scenario import Column, Goal, Scenario


class CrashLoop(Scenario):
    name = "crash-loop"
    title = "a crash loop without back-off"
    about = (
        "The child ends with 1 at once and is started again with the least pause that the supervisor knows. Time and "
        "CPU of PID 1 per restart, over three seconds; CPU of helpers such as s6-supervise and runsv is not in it."
    )
    reference = "dinit"
    peers = ("procession", "dinit", "s6", "runit", "supervisord", "circus", "honcho", "pm2")
    columns = (
        Column("wall", "time per restart", "ms", 3),
        Column("cpu", "CPU of PID 1 per restart", "µs", 0),
        Column("restarts", "restarts in 3 s", "", 0, ratio=False),
    )
    goals = (Goal("wall", 1.5, "dinit"), Goal("cpu", 1.5, "dinit"))
    rounds = (6, 2)
    slow_every = 3
    window = 3.0

    def measure(self, peer, note):
        work = Work()
        try:
            launch = peer.configured(work, [Process("child", work.child("exit", 1), restart=True)])
            refused = peer.refuses(launch) if hasattr(peer, "refuses") else None
            if refused:
                raise Cannot(f"does not take a delay of 0 s: {refused}")
            with Container(work, launch) as container:
                return self.watch(container)
        finally:
            work.close()

    def watch(self, container):
        container.await_events("child")
        container.poll(0.5)
        before, first = container.cpu(), len(container.seen("child"))
        container.poll(self.window)
        if container.gone:
            raise Failed(f"gave up with {container.gone.code} after {len(container.seen('child'))} starts")
        used, born = container.cpu() - before, container.seen("child")[first:]
        if len(born) < 2:
            raise Failed(f"{len(born)} restarts in {self.window:g} s")
        if len({event.pid for event in born}) != len(born):
            raise Failed("a pid came twice")
        wall = (born[-1].at - born[0].at) / (len(born) - 1)
        return {"wall": wall / 1e6, "cpu": used / 1e3 / len(born), "restarts": len(born)}
