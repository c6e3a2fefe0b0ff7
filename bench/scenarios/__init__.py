"""Every scenario, in the order of a whole run."""

from . import early, idle, life, orphans

ALL = [
    life.OneCommand(),
    life.FromConfig(),
    early.OneCommand(),
    early.FromConfig(),
    orphans.Orphans(),
    idle.Idle(1),
    idle.Idle(100),
    idle.Idle(1000),
]
