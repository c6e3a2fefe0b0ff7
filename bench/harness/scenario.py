"""What a scenario is, and how its rounds are run: every peer once, then every peer again."""

import sys
import tempfile
import traceback
from collections import Counter
from dataclasses import dataclass, field

from . import stats, tools
from .container import Failed
from .peers import Cannot


@dataclass(frozen=True)
class Column:
    """A figure of each run: the key under which `measure` gives it, and how it is shown."""

    key: str
    title: str
    unit: str = "ms"
    digits: int = 2
    # Whether a ratio to the reference tells anything.
    ratio: bool = True
    # A share of all runs: shown as their mean.
    share: bool = False


@dataclass(frozen=True)
class Goal:
    """What procession shall reach: a multiple of a peer's median, or a plain bound on its own.

    `which` is the summary that is compared: `median`, `mean`, or `least` or `most` for "every time"."""

    key: str
    factor: float | None = None
    peer: str | None = None
    bound: float | None = None
    at_least: bool = False
    which: str = "median"


@dataclass
class Outcome:
    """What came of one peer in one scenario."""

    series: dict = field(default_factory=dict)
    failures: Counter = field(default_factory=Counter)
    notes: Counter = field(default_factory=Counter)
    cannot: str | None = None
    rounds: int = 0

    def summary(self, key):
        return stats.summary(self.series.get(key, []))


class Scenario:
    """One question. `measure` runs a peer once and gives its figures by key; it raises Cannot
    when the peer has no such ability and Failed when the work was not done."""

    name = ""
    title = ""
    about = ""
    # The peer that ratios are taken against.
    reference = ""
    peers: tuple = ()
    columns: tuple = ()
    goals: tuple = ()
    # Rounds of a whole run, and of a quick one.
    rounds = (20, 5)
    # Slow peers take part in every so-manieth round.
    slow_every = 4

    def measure(self, peer, note):
        raise NotImplementedError

    def takes(self, peer):
        """Other builds of procession take part wherever it does."""
        return peer.name in self.peers or ("procession" in self.peers and peer.is_build)


def play(scenario, peers, rounds, say):
    """Runs all rounds; outcomes by the peer's name. A peer that failed three times and never
    succeeded is not tried again."""
    taking = [peer for peer in peers if scenario.takes(peer)]
    outcomes = {peer.name: Outcome() for peer in taking}
    for turn in range(rounds):
        # Each round begins with another peer, so that nobody always follows the same one.
        for at in range(len(taking)):
            peer = taking[(at + turn) % len(taking)]
            outcome = outcomes[peer.name]
            if outcome.cannot or (peer.slow and turn % scenario.slow_every):
                continue
            if not outcome.series and sum(outcome.failures.values()) >= 3:
                continue
            _once(scenario, peer, outcome)
        say(f"\r{scenario.name}: round {turn + 1} of {rounds} ")
    say("\n")
    return outcomes


def _once(scenario, peer, outcome):
    def note(text):
        outcome.notes[text] += 1

    outcome.rounds += 1
    try:
        figures = scenario.measure(peer, note)
    except (Cannot, tools.Absent) as reason:
        outcome.cannot = _plain(reason)
    except Failed as reason:
        outcome.failures[_plain(reason)] += 1
    except (OSError, ValueError, LookupError) as error:
        traceback.print_exc(file=sys.stderr)
        outcome.failures[_plain(f"{type(error).__name__}: {error}")] += 1
    else:
        for key, value in figures.items():
            outcome.series.setdefault(key, []).append(value)


def _plain(reason):
    """One line, without the folders of this machine."""
    text = " ".join(str(reason).split()).replace("|", "/")
    for folder in (str(tools.TOOLS), tempfile.gettempdir()):
        text = text.replace(folder, "…")
    return text[:300]
