"""Every figure of the container against the kernel's own files, read in the same moments."""

from house import ROOT, House

MIB = 1 << 20
# Between two readings somebody may have been given a few pages; the kernel itself counts in batches.
NEAR = MIB
# What is cached of a disk goes when nobody has it open any more.
PROCESSES = """\
processes:
  holder: {command: [eat, "24576", "32768", "0", "0"]}
  reader: {command: [sh, -c, "exec 3</dev/ram1; dd if=/dev/ram1 of=/dev/null bs=1M count=16 2>/dev/null; exec sleep 100000"]}
"""
PARTS = {"anonymous": "anon", "file": "file", "shmem": "shmem", "slab": "slab"}
FAMILIES = ["container_memory_usage_bytes", "container_memory_working_set_bytes", "container_memory_swap_bytes",
            "container_memory_peak_bytes", "container_memory_part_bytes", "container_memory_events_total",
            "container_memory_high_bytes"]


def flat(text):
    """A file of lines with a word and a number."""
    return {word: int(number) for word, number in (line.split() for line in (text or "").splitlines())}


def pressure(text):
    """{share: {word: number}} of a pressure file."""
    lines = (line.split() for line in text.splitlines())
    return {share: {name: float(value) for name, value in (word.split("=") for word in words)}
            for share, *words in lines}


def play(guest, report):
    guest.sh(f"mkdir {ROOT}/figures; echo '+memory' > {ROOT}/figures/cgroup.subtree_control")
    house = House(guest, "figures/it", "ro", PROCESSES,
                  {"memory.max": 128 * MIB, "memory.swap.max": 64 * MIB})
    ready(report, house)
    report.comes_to("its mode is v2", lambda: house.metric("container_cgroup_mode", mode="v2"), 1)
    sizes(report, house)
    cached = flat(house.own("memory.stat"))["inactive_file"]
    report.holds("there was a cache to leave out of the working set", cached > 8 * MIB, cached)
    report.equal("no memory.high is no figure", house.metric("container_memory_high_bytes"), None)
    events(report, house, "while nothing was met")
    squeeze(report, house)
    sizes(report, house)
    pressures(report, house)
    at_other_doors(report, house)
    report.equal("nobody is left", (house.end(), house.members()), (0, []))


def ready(report, house):
    """Up, and all have taken what they take first."""
    report.comes("it runs and is scraped", lambda: (bool(house.metrics()), house.log()[-500:]), 120)
    report.comes("the processes hold their memory", lambda: settled(house))


def settled(house):
    held = house.metric("process_memory_anonymous_bytes", process="holder") or 0
    return held >= 24 * MIB - NEAR, held


def sizes(report, house):
    def near(what, name, kernel, **labels):
        def look():
            found, says = house.metric(name, **labels), kernel()
            return None not in (found, says) and abs(found - says) <= NEAR, f"{found}, the kernel says {says}"
        report.comes(what, look)

    stat = lambda word: flat(house.own("memory.stat"))[word]  # noqa: E731
    near("usage", "container_memory_usage_bytes", lambda: int(house.own("memory.current")))
    near("peak", "container_memory_peak_bytes", lambda: int(house.own("memory.peak")))
    near("swap", "container_memory_swap_bytes", lambda: int(house.own("memory.swap.current")))
    near("working set", "container_memory_working_set_bytes",
         lambda: int(house.own("memory.current")) - stat("inactive_file"))
    for part, word in PARTS.items():
        near(f"part {part}", "container_memory_part_bytes", lambda word=word: stat(word), part=part)
    report.comes_to("limit", lambda: house.metric("container_memory_limit_bytes"), int(house.own("memory.max")))


def events(report, house, when):
    def look():
        says, figures = flat(house.own("memory.events")), house.metrics()
        found = {name: figures.get(("procession_container_memory_events_total", ("event", name))) for name in says}
        return found == says, f"{found}, the kernel says {says}"
    report.comes(f"every event of memory.events {when}", look)


def squeeze(report, house):
    """Lets it meet memory.high, memory.low and memory.max."""
    house.limit("memory.high", 40 * MIB)
    house.cli("signal", "USR1", "holder")
    report.comes("memory.high was met", lambda: rises(house, "high"))
    report.comes_to("memory.high", lambda: house.metric("container_memory_high_bytes"), 40 * MIB)
    report.comes("something is swapped out", lambda: (int(house.own("memory.swap.current")) > MIB, ""))
    house.limit("memory.high", "max")
    report.comes_to("memory.high is taken away", lambda: house.metric("container_memory_high_bytes"), None)
    house.limit("memory.low", 120 * MIB)
    # From above, where nobody else could give anything; all of it is not to be had.
    house.guest.sh(f"echo 4M > {ROOT}/figures/memory.reclaim || true")
    report.comes("memory.low was met", lambda: rises(house, "low"))
    house.limit("memory.low", 0)
    house.limit("memory.max", 60 * MIB)
    house.cli("signal", "USR1", "holder")
    report.comes("memory.max was met", lambda: rises(house, "max"))
    events(report, house, "after its limits were met")


def rises(house, event):
    says = flat(house.own("memory.events"))
    return says[event] > 0, says


def pressures(report, house):
    def look(share, word, metric, scale, near, labels):
        says = pressure(house.own("memory.pressure"))[share][word] * scale
        found = house.metric(metric, scope="container", share=share, **labels)
        return found is not None and abs(found - says) <= near, f"{found}, the kernel says {says}"

    for share in ("some", "full"):
        report.comes(f"seconds of pressure, {share}", lambda share=share: look(
            share, "total", "container_memory_pressure_seconds_total", 1e-6, 1e-3, {}))
        for window in ("10", "60"):
            report.comes(f"pressure over {window} s, {share}", lambda share=share, window=window: look(
                share, f"avg{window}", "container_memory_pressure_ratio", 0.01, 0.005, {"window": f"{window}s"}))
    stalled = pressure(house.own("memory.pressure"))["some"]["total"]
    report.holds("there was pressure to compare", stalled > 0, stalled)
    house.limit("cgroup.pressure", 0)
    report.comes_to("where the group tells no pressure, the machine's is told, and says so", lambda: [
        house.metric("container_memory_pressure_seconds_total", scope=scope, share="some") is not None
        for scope in ("container", "machine")], [False, True])
    house.limit("cgroup.pressure", 1)


def at_other_doors(report, house):
    """The API says what /metrics says."""
    def look():
        said, figures = house.memory()["container"], house.metrics()
        of = lambda name: figures.get((f"procession_container_memory_{name}",))  # noqa: E731
        wrong = {name: (said.get(name), of(name)) for name in
                 ("usage_bytes", "limit_bytes", "working_set_bytes", "swap_bytes", "peak_bytes")
                 if abs(said.get(name, -1) - (of(name) or 0)) > NEAR}
        for event, count in said["events"].items():
            if figures.get(("procession_container_memory_events_total", ("event", event))) != count:
                wrong[event] = count
        return not wrong and said["mode"] == "v2" and len(said["events"]) >= 6, wrong or said
    report.comes("`procession memory --json` says the same", look)


def absent(guest, report):
    """What is not there is not told, and nothing is told as 0 in its place."""
    guest.sh(f"mkdir -p {ROOT}/plain/inner")
    for what, group, view in (("no hierarchy is mounted", "unmounted", "none"),
                              ("the group has no memory controller", "plain/inner", "ro")):
        house = House(guest, group, view, PROCESSES)
        ready(report, house)
        report.comes_to(f"{what}: the mode is none", lambda: house.metric("container_cgroup_mode", mode="none"), 1)
        told = [name for name in FAMILIES if house.metric(name) is not None]
        report.equal(f"{what}: no figure", told, [])
        machine = int(guest.read("/proc/meminfo")[0].split()[1]) * 1024
        report.equal(f"{what}: the limit is the machine's memory", house.metric("container_memory_limit_bytes"), machine)
        report.equal(f"{what}: the processes are counted as ever", settled(house)[0], True)
        report.equal(f"{what}: it ends", house.end(), 0)


def no_pressure(guest, report):
    """A kernel that was told to count no pressure: all but that is told."""
    house = House(guest, "psi", "ro", PROCESSES, {"memory.max": 128 * MIB})
    ready(report, house)
    sizes(report, house)
    events(report, house, "without pressure")
    told = [name for name, *_ in house.metrics() if "pressure" in name]
    report.equal("no pressure is told, neither the group's nor the machine's", told, [])
    said = house.memory()["container"]
    report.equal("nor by the API", (said["mode"], said.get("pressure")), ("v2", None))
    report.equal("it ends", house.end(), 0)
