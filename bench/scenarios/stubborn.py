"""A child that will not end, with a grandchild in a session of its own."""

from harness.container import Container, Work
from harness.peers import Process
from harness.scenario import Column, Goal, Scenario


class Stubborn(Scenario):
    name = "stubborn"
    title = "a stubborn child with a grandchild in another session, grace 1 s"
    about = (
        "The child ignores SIGTERM and has one second until it is killed. Its child, in another session, would end "
        "when asked: is it, before the namespace ends?"
    )
    reference = "dinit"
    peers = ("procession", "dinit", "s6", "runit", "supervisord", "circus", "honcho", "pm2")
    columns = (
        Column("gone", "TERM to gone", "s", 3),
        Column("refused", "TERM to the child", "ms"),
        Column("asked", "grandchild asked", "%", 0, share=True),
        Column("asked_after", "TERM to the grandchild", "ms"),
    )
    # Gone at 1.0 s, and not before: the second is the child's.
    goals = (
        Goal("gone", bound=1.1),
        Goal("gone", bound=0.95, at_least=True, which="least"),
        Goal("asked", bound=100, at_least=True, which="least"),
    )
    rounds = (6, 2)
    slow_every = 3

    def measure(self, peer, note):
        work = Work()
        try:
            process = Process("child", work.child("stubborn"), grace=1)
            with Container(work, peer.configured(work, [process])) as container:
                container.await_events("child")
                container.poll(1.5 if peer.slow else 0.3)
                sent = container.stop()
                gone = container.await_gone(20, "not gone after TERM")
                return self.figures(container, sent, gone, note)
        finally:
            work.close()

    @staticmethod
    def figures(container, sent, gone, note):
        refused, asked = container.seen("refused"), container.seen("asked")
        figures = {"gone": (gone.at - sent) / 1e9, "asked": 100.0 * bool(asked)}
        if refused:
            figures["refused"] = (refused[0].at - sent) / 1e6
        else:
            note("the child was killed without being asked")
        if asked:
            figures["asked_after"] = (asked[0].at - sent) / 1e6
        return figures
