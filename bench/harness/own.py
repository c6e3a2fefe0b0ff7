"""The supervisor's own processes in a namespace: everything but what it supervises."""

import os
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Own:
    """Sums over all of a supervisor's own processes."""

    processes: int
    pss_kib: int
    # Voluntary context switches: each is a sleep, and so a wake-up.
    wakeups: int
    cpu_ns: int


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
    count = pss = wakeups = cpu = 0
    for folder in folders(proc):
        count += 1
        for task in (folder / "task").iterdir():
            cpu += int((task / "schedstat").read_text().split()[0])
            wakeups += sum(map(int, re.findall(r"^voluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text(), re.M)))
        if memory:
            pss += int(re.search(r"Pss:\s+(\d+)", (folder / "smaps_rollup").read_text())[1])
    return Own(count, pss, wakeups, cpu)


def strangers(pid):
    """How many processes outside of PID 1's namespace run the same binary: what they map as well
    counts only in part for it."""
    count = 0
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and not os.path.samefile(folder / "ns/pid", f"/proc/{pid}/ns/pid"):
                count += os.path.samefile(folder / "exe", f"/proc/{pid}/exe")
        except OSError:
            # A kernel thread, or one that has just ended.
            continue
    return count
