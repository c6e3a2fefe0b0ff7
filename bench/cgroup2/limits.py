"""Limits that change while it runs, limits of groups above, and the levels that follow them."""

from figures import MIB, NEAR, PROCESSES, ready
from house import ROOT, House


def play(guest, report):
    changing(guest, report)
    nested(guest, report)


def changing(guest, report):
    """24 MiB are 19 % of 128, 60 % of 40, 83 % of 29."""
    house = House(guest, "limits", "ro", PROCESSES, {"memory.max": 128 * MIB})
    ready(report, house)
    for limit, level in ((128 * MIB, "normal"), (40 * MIB, "warning"), (29 * MIB, "critical"), (128 * MIB, "normal")):
        house.limit("memory.max", limit)
        follows(report, house, limit, level)
    house.limit("memory.max", "max")
    machine = int(guest.read("/proc/meminfo")[0].split()[1]) * 1024
    follows(report, house, machine, "normal")
    house.limit("memory.max", 128 * MIB)
    follows(report, house, 128 * MIB, "normal")
    report.equal("it ends", house.end(), 0)


def follows(report, house, limit, level):
    def look():
        of = lambda name, **labels: house.metric(f"process_memory_{name}", process="holder", **labels)  # noqa: E731
        levels = {name for name in ("normal", "warning", "critical") if of("level", level=name)}
        found = [house.metric("container_memory_limit_bytes"), of("threshold_bytes", level="warning"), levels]
        return found == [limit, limit // 2, {level}], f"{found}, expected {limit} and {level}"
    report.comes(f"a limit of {limit // MIB} MiB, half of it as threshold, and the level {level}", look)


def nested(guest, report):
    """A pod of 96 MiB around a container of 200: what a view shows of that is the limit that is told."""
    guest.sh(f"mkdir {ROOT}/pod; echo {96 * MIB} > {ROOT}/pod/memory.max\n"
             f"echo '+memory' > {ROOT}/pod/cgroup.subtree_control")
    for view, limit, why in (("host", 96, "all groups above are seen"), ("ro", 200, "its own is all that is seen"),
                             ("bare", 200, "its own is all that is mounted, under another name")):
        house = House(guest, f"pod/{view}", view, PROCESSES, {"memory.max": 200 * MIB})
        ready(report, house)
        report.comes_to(f"{why}: limit", lambda: house.metric("container_memory_limit_bytes"), limit * MIB)
        report.comes(f"{why}: usage is that of its own group", lambda: near(house))
        report.equal(f"{why}: it ends", house.end(), 0)


def near(house):
    found, says = house.metric("container_memory_usage_bytes"), int(house.own("memory.current"))
    return abs((found or 0) - says) <= NEAR, f"{found}, the kernel says {says}"
