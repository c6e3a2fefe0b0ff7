"""SIGTERM while the supervisor is still starting: is it honoured, every time?"""

from harness.container import Container, Failed, Work
from harness.peers import Process
from harness.scenario import Column, Goal, Scenario

MILLI = 1e6
# Long enough for every honest stop, and short enough for many rounds.
PATIENCE = 4

COLUMNS = (
    Column("honoured", "honoured", "%", 1),
    Column("unasked", "child killed unasked", "%", 1),
    Column("gone", "TERM to gone"),
)


class Early(Scenario):
    columns = COLUMNS
    delay_us = 0

    def launch(self, peer, work):
        raise NotImplementedError

    def measure(self, peer, note):
        work = Work()
        try:
            with Container(work, self.launch(peer, work), term_after_us=self.delay_us) as container:
                return self.watch(container)
        finally:
            work.close()

    @staticmethod
    def watch(container):
        container.poll(PATIENCE + 0.02)
        if container.gone is None:
            return {"honoured": 0.0}
        if container.sent_at is None or container.sent_at > container.gone.at:
            raise Failed(f"gone before it was asked{container.last_words()}")
        # A child that told of itself had its handler, so only SIGKILL can have kept it silent.
        unasked = len(container.seen("child")) > len(container.seen("term"))
        return {
            "honoured": 100.0,
            "unasked": 100.0 * unasked,
            "gone": (container.gone.at - container.sent_at) / MILLI,
        }


class OneCommand(Early):
    name = "early-term-one"
    title = "SIGTERM 5 ms after exec, one command"
    about = "How often the supervisor is gone within 4 s of a SIGTERM that comes 5 ms after its exec. A child that had installed its handler must have been asked."
    reference = "tini"
    peers = ("procession", "tini", "dumb-init", "catatonit")
    delay_us = 5_000
    goals = (Goal("honoured", bound=100, at_least=True, which="least"), Goal("unasked", bound=0, which="most"))
    rounds = (100, 20)

    def launch(self, peer, work):
        return peer.one(work, work.child("wait", 0))


class FromConfig(Early):
    name = "early-term-config"
    title = "SIGTERM 20 ms after exec, from a configuration"
    about = "The same from a configuration, 20 ms after exec."
    reference = "dinit"
    peers = ("procession", "dinit", "s6", "runit", "supervisord", "circus", "honcho", "pm2")
    delay_us = 20_000
    goals = OneCommand.goals
    rounds = (60, 12)
    slow_every = 15

    def launch(self, peer, work):
        return peer.configured(work, [Process("child", work.child("wait", 0))])
