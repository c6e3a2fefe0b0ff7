"""SIGTERM while the supervisor is still starting: is it honoured, every time?"""

from harness.container import Container, Failed, Work
from harness.peers import Process
from harness.scenario import Column, Goal, Scenario

MILLI = 1e6
# Long enough for every honest stop, and short enough for many rounds.
PATIENCE = 4

COLUMNS = (
    Column("honoured", "honoured", "%", 1, share=True),
    Column("deaf", "not honoured in spite of its handler", "%", 1, share=True),
    Column("unasked", "child killed unasked", "%", 1, share=True),
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
                return self.watch(container, note)
        finally:
            work.close()

    @staticmethod
    def watch(container, note):
        container.poll(PATIENCE + 0.02)
        if container.gone is None:
            cpu = container.cpu_when_sent / MILLI
            what = "had its handler" if container.was_ready else f"had no handler yet, after {cpu:.0f} ms of CPU"
            note(f"not honoured; it {what}")
            return {"honoured": 0.0, "deaf": 100.0 * container.was_ready}
        if container.sent_at is None or container.sent_at > container.gone.at:
            raise Failed(f"gone before it was asked{container.last_words()}")
        # A child that told of itself had its handler, so only SIGKILL can have kept it silent.
        unasked = len(container.seen("child")) > len(container.seen("term"))
        figures = {"honoured": 100.0, "deaf": 0.0, "unasked": 100.0 * unasked}
        if unasked:
            return figures
        return {**figures, "gone": (container.gone.at - container.sent_at) / MILLI}


class OneCommand(Early):
    name = "early-term-one"
    title = "SIGTERM 5 ms after exec, one command"
    about = "How often the supervisor is gone within 4 s of a SIGTERM that comes 5 ms after its exec. A child that had installed its handler must have been asked."
    reference = "tini"
    peers = ("procession", "procession-as-tini", "tini", "dumb-init", "catatonit")
    delay_us = 5_000
    # On a busy machine it may not have run at all by then; then its peers miss as often.
    goals = (
        Goal("honoured", bound=100, at_least=True, which="least"),
        Goal("honoured", 1, "tini", at_least=True, which="mean"),
        Goal("deaf", bound=0, which="most"),
        Goal("unasked", bound=0, which="most"),
    )
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
    goals = (
        Goal("honoured", bound=100, at_least=True, which="least"),
        Goal("honoured", 1, "dinit", at_least=True, which="mean"),
        Goal("deaf", bound=0, which="most"),
        Goal("unasked", bound=0, which="most"),
    )
    rounds = (60, 12)
    slow_every = 15

    def launch(self, peer, work):
        return peer.configured(work, [Process("child", work.child("wait", 0))])
