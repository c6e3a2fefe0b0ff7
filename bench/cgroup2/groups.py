"""A group for each run where the hierarchy can be written, and what does in its place elsewhere."""

from figures import MIB, ready
from house import House

# Two that hide in a session of their own, with nobody above them; one that does not want to end.
PROCESSES = """\
processes:
  holder: {command: [eat, "24576", "0", "0", "0"]}
  tree: {command: [sh, -c, "(setsid sh -c 'sleep 70001 & sleep 70002 &' &); exec eat 1024 0 0 0"]}
  stubborn:
    command: [sh, -c, "trap '' TERM; (setsid sh -c 'while :; do sleep 1; done' &); while :; do sleep 1; done"]
    stop_grace_period: 500ms
"""
LIMITS = {"memory.max": 128 * MIB, "memory.swap.max": 0, "pids.max": 200}
HANDED_ON = ("memory.max", "memory.swap.max", "pids.max")
LEAF = "/procession-self"


def play(guest, report):
    house = House(guest, "groups", "rw", PROCESSES, LIMITS)
    ready(report, house)
    each_has_its_own(report, house)
    # Looked at again when the rest is done: it may take half a minute.
    house.limit("memory.max", 112 * MIB)
    whole_trees_end(report, house, "in a group of its own")
    left = {house.group + where for where in (LEAF, place(house, "eat 24576"))}
    report.equal("the group goes with its run", set(below(house)), left)
    report.comes("a limit that was changed reaches those who run, and whoever comes after us", lambda: said_below(
        house, {LEAF, place(house, "eat 24576")}, {"memory.max": 112 * MIB}), 60)
    report.equal("it ends", house.end(), 0)
    report.equal("no group is left", below(house), [])
    unlimited(guest, report)
    elsewhere(guest, report)


def places(house):
    return [where for where, _, _ in house.members()]


def place(house, line):
    """The group of whoever has such a command line."""
    return next((where for where, _, its in house.members() if its.startswith(line)), None)


def below(house):
    return house.guest.sh(f"find {house.group} -mindepth 1 -type d").split()


def each_has_its_own(report, house):
    own = {name: place(house, line) for name, line in
           (("holder", "eat 24576"), ("tree", "eat 1024"), ("stubborn", "sh -c trap"))}
    report.holds("each run has a group of its own", len(set(own.values())) == 3
                 and all(where and where.startswith("/procession-0") for where in own.values()), own)
    report.equal("we are in a leaf", place(house, "/procession"), LEAF)
    hidden = [place(house, f"sleep {name}") for name in ("70001", "70002")]
    report.equal("who hides is in the group all the same", hidden, [own["tree"]] * 2)
    report.comes_to("who hides is counted", lambda: house.metric("process_tree_processes", process="tree"), 3)
    report.holds(*("limits are said below", *said_below(house, {LEAF, *own.values()}, LIMITS)))


def said_below(house, groups, limits):
    wrong = {}
    for group in groups:
        texts = house.own(*(f"{group[1:]}/{file}" for file in HANDED_ON))
        said = {file: text and text.strip() for file, text in zip(HANDED_ON, texts)}
        wrong |= {(group, file): said[file] for file, limit in limits.items() if said[file] != str(limit)}
    return not wrong, wrong


def whole_trees_end(report, house, where):
    house.cli("stop", "tree")
    house.cli("stop", "stubborn")
    left = [line for _, _, line in house.members() if not line.startswith(("eat 24576", "/procession"))]
    report.equal(f"{where}: nobody of what was stopped is left, wherever they hid", left, [])
    alive = house.metric("process_tree_processes", process="holder")
    report.equal(f"{where}: the others live", alive, 1)


def unlimited(guest, report):
    """Nothing to hand on: nobody moves, until a limit comes."""
    house = House(guest, "unlimited", "rw", PROCESSES)
    ready(report, house)
    report.equal("without a limit we stay where we are", place(house, "/procession"), "")
    report.holds("without a limit each run has a group too", (place(house, "eat 1024") or "").startswith("/procession-0"),
                 house.members())
    house.limit("memory.max", 112 * MIB)
    whole_trees_end(report, house, "without a limit")
    report.comes("a first limit that comes later reaches those who run, and us", lambda: said_below(
        house, {LEAF, place(house, "eat 24576")}, {"memory.max": 112 * MIB}), 60)
    report.equal("without a limit: it ends, and no group is left", (house.end(), below(house)), (0, []))


def elsewhere(guest, report):
    """Read-only, and with somebody else in our group: there are no groups, and lineage has to do."""
    for what, group, view in (("read-only", "shown", "ro"), ("with somebody else in our group", "shared", "rw")):
        if view == "rw":
            # As a program that was brought into the container before we looked.
            guest.sh(f"mkdir /sys/fs/cgroup/{group}\n(echo 0 > /sys/fs/cgroup/{group}/cgroup.procs; "
                     "exec sleep 60000) >/dev/null 2>&1 </dev/null &")
        house = House(guest, group, view, PROCESSES, LIMITS)
        ready(report, house)
        report.equal(f"{what}: no groups", (set(places(house)), below(house)), ({""}, []))
        report.equal(f"{what}: nothing is turned on", house.own("cgroup.subtree_control").strip(), "")
        guest.sh(f"for pid in $(cat {house.group}/cgroup.procs); do grep -q 60000 /proc/$pid/cmdline && kill $pid; done; true")
        report.comes_to(f"{what}: who hides is counted", lambda: house.metric("process_tree_processes", process="tree"), 3)
        whole_trees_end(report, house, what)
        report.equal(f"{what}: it ends", house.end(), 0)
