"""A short life: up to the first instruction of the child, then down again."""

from harness.container import Container, Failed, Work
from harness.peers import Process
from harness.scenario import Column, Goal, Scenario

MILLI = 1e6
# What the child ends with: a code that nobody else uses.
CODE = 42

COLUMNS = (
    Column("start", "exec to first instruction"),
    Column("term", "TERM to handler", digits=3),
    Column("gone", "TERM to gone"),
)


def life(launch, work, settle, note, told_by_code):
    """Times in ms. The end counts only when the child was asked; `told_by_code` says that the
    child's exit code has to come out."""
    with Container(work, launch) as container:
        born = container.await_events("child")[0]
        # What the supervisor still does at the start is another question; let it finish.
        container.poll(settle)
        if len(container.seen("child")) != 1:
            raise Failed("more than one child")
        sent = container.stop()
        gone = container.await_gone(15, "not gone after TERM")
        figures = {"start": (born.at - container.exec_at) / MILLI}
        asked = container.seen("term")
        if not asked:
            note("the child was killed without being asked, so its end does not count")
            return figures
        if gone.code != CODE and told_by_code:
            raise Failed(f"exit code {gone.code} instead of the child's {CODE}")
        if gone.code != CODE:
            note(f"exit code {gone.code} instead of the child's {CODE}")
        return {**figures, "term": (asked[0].at - sent) / MILLI, "gone": (gone.at - sent) / MILLI}


class OneCommand(Scenario):
    name = "one-command"
    title = "one command, up and down"
    about = "From exec of PID 1 to the first instruction of its child; then SIGTERM, which the child handles and ends."
    reference = "tini"
    peers = ("none", "procession", "procession-as-tini", "tini", "dumb-init", "catatonit")
    columns = COLUMNS
    goals = (
        Goal("start", 1.3, "tini"),
        Goal("term", 1.25, "tini"),
        Goal("gone", 1.5, "tini"),
    )
    rounds = (60, 15)

    def measure(self, peer, note):
        work = Work()
        try:
            return life(peer.one(work, work.child("wait", CODE)), work, 0.1, note, True)
        finally:
            work.close()


class FromConfig(Scenario):
    name = "from-config"
    title = "one process from a configuration, up and down"
    about = "The same for supervisors that read a configuration; each is asked to stop as its users do it."
    reference = "dinit"
    peers = ("procession", "dinit", "s6", "runit", "supervisord", "circus", "honcho", "pm2")
    columns = COLUMNS
    goals = (Goal("start", 1, "dinit"), Goal("term", 1.25, "dinit"), Goal("gone", 1, "dinit"))
    rounds = (30, 8)
    slow_every = 6

    def measure(self, peer, note):
        work = Work()
        try:
            launch = peer.configured(work, [Process("child", work.child("wait", CODE))])
            # Python and Node are still busy for a while after they have started a child.
            return life(launch, work, 1.5 if peer.slow else 0.2, note, peer.is_build)
        finally:
            work.close()
