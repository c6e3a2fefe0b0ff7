"""Every scenario, in the order of a whole run."""

from . import crash_loop, early, idle, life, orphans, output, scrape, stubborn

ALL = [
    life.OneCommand(),
    life.FromConfig(),
    early.OneCommand(),
    early.FromConfig(),
    orphans.OneCommand(),
    orphans.FromConfig(),
    stubborn.Stubborn(),
    crash_loop.CrashLoop(),
    idle.Idle(1),
    idle.Idle(100),
    idle.Idle(1000),
    output.Passthrough(),
    output.Lines("prefixed", 1),
    output.Lines("prefixed", 4),
    output.Lines("json", 1),
    output.Lines("json", 4),
    scrape.Scrape(),
]
