"""The supervisor's own processes in a namespace: everything but what it supervises."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Own:
    """Sums over all of a supervisor's own processes."""

    processes: int
    pss_kib: int
    switches: int
    cpu_ticks: int


def folders(proc):
    """Their folders in /proc."""
    for entry in proc.iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "comm").read_text().strip() != "child":
                    yield entry
            except OSError:
                continue


def measure(proc, memory=True):
    """One look at all of them. Memory is left out where only the others matter: it is slow."""
    count = pss = switches = ticks = 0
    for folder in folders(proc):
        count += 1
        rest = (folder / "stat").read_text().rpartition(")")[2].split()
        ticks += int(rest[11]) + int(rest[12])
        for task in (folder / "task").iterdir():
            switches += sum(map(int, re.findall(r"voluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text())))
        if memory:
            pss += int(re.search(r"Pss:\s+(\d+)", (folder / "smaps_rollup").read_text())[1])
    return Own(count, pss, switches, ticks)
