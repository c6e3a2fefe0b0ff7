"""A whole life: levels, a leak, orphans, a clean stop, and exit codes."""

import time

from figures import MIB
from house import House

PROCESSES = """\
exit_code_from: main
processes:
  main: {command: [sh, -c, "trap 'exit 7' TERM; while :; do (sleep 0.2 &); sleep 0.1; done"]}
  steps: {command: [eat, "4096", "8192", "0", "0"], memory: {warning: 8MiB, critical: 16MiB}}
  leaky: {command: [eat, "4096", "0", "256", "200"], memory: {warning: 100MiB, critical: 150MiB}}
"""


def play(guest, report):
    exit_codes(guest, report)
    house = House(guest, "life", "ro", PROCESSES, {"memory.max": 256 * MIB})
    report.comes("it runs and is scraped", lambda: (bool(house.metrics()), house.log()[-500:]), 120)
    for level, order in (("normal", "USR1"), ("warning", "USR1"), ("critical", "USR2"), ("warning", "USR2"), ("normal", None)):
        report.comes_to(f"level {level}", lambda level=level: house.metric(
            "process_memory_level", process="steps", level=level), 1)
        if order:
            house.cli("signal", order, "steps")
    report.comes_to("the leak is confirmed", lambda: house.metric("process_leak_confirmed", process="leaky"), 1, 180)
    report.equal("no other is", [house.metric("process_leak_confirmed", process=name) for name in ("main", "steps")
                                 if house.metric("process_leak_confirmed", process=name)], [])
    report.holds("its words tell the growth", "MiB" in house.cli("memory", "explain", "leaky"),
                 house.cli("memory", "explain", "leaky"))
    report.equal("no zombie stays", lasting_zombies(house), set())
    report.equal("the code of its main process is that of the container", house.end(), 7)
    report.equal("nobody is left", house.members(), [])


def lasting_zombies(house):
    """Who is dead in two looks, a second apart; who has just died is reaped in the next moment."""
    def dead():
        pids = house.guest.sh(f"cat {house.group}/cgroup.procs").split()
        return set(house.guest.sh(f"for pid in {' '.join(pids)}; do grep -q '^State:.Z' /proc/$pid/status && "
                                  "echo $pid; done 2>/dev/null; true").split())
    first = dead()
    time.sleep(1)
    return first & dead()


def exit_codes(guest, report):
    for number, (script, code) in enumerate((("exit 42", 42), ("kill -9 $$", 137), ("kill $$", 143))):
        house = House(guest, f"one{number}", "ro", "", {"memory.max": 64 * MIB},
                      f"/procession --listen off -- sh -c '{script}'")
        report.comes_to(f"one command: `{script}`", house.ended, code)
