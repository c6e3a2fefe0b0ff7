"""Who killed: the kernel for want of memory, or somebody by hand."""

from figures import MIB, ready
from house import ROOT, House

# Each takes more than there is when it is told to.
PROCESSES = """\
processes:
  holder: {command: [eat, "24576", "0", "0", "0"]}
  greedy: {command: [eat, "1024", "131072", "0", "0"]}
  family: {command: [sh, -c, "eat 1024 131072 0 0 & setsid sh -c 'sleep 70001 & sleep 70002' & wait"]}
"""
LIMITS = {"memory.max": 96 * MIB, "memory.swap.max": 0}


def play(guest, report):
    shared(guest, report)
    of_the_pod(guest, report)
    own(guest, report)
    whole(guest, report)


def outcome(house, process):
    counts = {name: house.metric("process_exits_total", process=process, outcome=name) for name in
              ("completed", "failed", "timed_out", "killed", "oom", "lost")}
    return {name: count for name, count in counts.items() if count}


def dies(report, house, what, process, expected):
    report.comes_to(f"{what}: outcome", lambda: outcome(house, process), expected)
    report.equal(f"{what}: its session", house.sessions(process)[0], "oom")


def kills(house):
    """What the kernel counts, and what is told."""
    says = dict(line.split() for line in house.own("memory.events").splitlines())
    return int(says["oom_kill"]), house.metric("container_memory_events_total", event="oom_kill")


def shared(guest, report):
    """One group for all: a SIGKILL with a rise of the container's count."""
    house = House(guest, "deaths", "ro", PROCESSES, LIMITS)
    ready(report, house)
    by_hand(report, house, {"failed": 1})
    again(report, house)
    house.cli("signal", "USR1", "greedy")
    dies(report, house, "over the limit", "greedy", {"failed": 1, "oom": 1})
    report.comes("the kernel's count is told", lambda: ((found := kills(house))[0] == found[1] == 1, found))
    again(report, house)
    by_hand(report, house, {"failed": 2, "oom": 1})
    ends(report, house)


def ends(report, house):
    """With the code of the process that failed, which every kill is."""
    report.equal("the others live", outcome(house, "holder"), {})
    report.equal("procession ends as ever", house.end(), 128 + 9)


def by_hand(report, house, expected):
    """A kill that somebody else asked for is none of the kernel's."""
    house.cli("signal", "KILL", "greedy")
    report.comes_to("killed by hand: outcome", lambda: outcome(house, "greedy"), expected)


def again(report, house):
    """Started anew, and so far that it hears what it is told."""
    house.cli("start", "greedy")
    report.comes("it was started anew", lambda: (
        (held := house.metric("process_memory_anonymous_bytes", process="greedy") or 0) > MIB / 2, held))


def of_the_pod(guest, report):
    """The limit that is met is that of a group above, which is not seen."""
    guest.sh(f"mkdir {ROOT}/small; echo {96 * MIB} > {ROOT}/small/memory.max; echo 0 > {ROOT}/small/memory.swap.max\n"
             f"echo '+memory' > {ROOT}/small/cgroup.subtree_control")
    house = House(guest, "small/it", "ro", PROCESSES, {"memory.max": 512 * MIB})
    ready(report, house)
    house.cli("signal", "USR1", "greedy")
    dies(report, house, "over the limit of a group above", "greedy", {"oom": 1})
    ends(report, house)


def own(guest, report):
    """Each run has a group of its own, which a limit from outside can end as a whole."""
    house = House(guest, "own", "rw", PROCESSES, LIMITS)
    ready(report, house)
    house.cli("signal", "USR1", "greedy")
    dies(report, house, "over the container's limit, in its own group", "greedy", {"oom": 1})
    group = next(where for where, _, line in house.members() if line.startswith("sleep 70001"))
    house.limit(f"{group}/memory.oom.group", 1)
    house.limit(f"{group}/memory.max", 20 * MIB)
    guest.sh("kill -USR1 " + member(house, group, "eat"))
    dies(report, house, "a group that is killed as a whole", "family", {"oom": 1})
    report.comes_to("nobody of it is left, wherever they hid", lambda: [
        line for _, _, line in house.members() if "7000" in line], [])
    report.comes("groups that were killed are told", lambda: (
        house.metric("container_memory_events_total", event="oom_group_kill") == 1, house.own("memory.events")))
    ends(report, house)


def whole(guest, report):
    """Kubernetes has the kernel end a container as a whole: we are killed with the others."""
    house = House(guest, "whole", "rw", PROCESSES, {**LIMITS, "memory.oom.group": 1})
    ready(report, house)
    house.cli("signal", "USR1", "greedy")
    report.comes_to("a container that is killed as a whole ends by a SIGKILL", house.ended, 128 + 9)
    report.comes_to("nobody of it is left", house.members, [])


def member(house, group, name):
    """The number of a process of a group, by the beginning of its command line."""
    return house.guest.sh(f"for pid in $(cat {house.group}{group}/cgroup.procs); do "
                          f"grep -q '^{name}' /proc/$pid/cmdline && echo $pid; done; true").strip()
