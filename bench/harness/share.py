"""A cgroup with a great weight, so that other work on the machine is not measured as well.

It is also how a container lives: in a group of its own, where the kernel does not group by session.
Where no such group can be made, everything shares the processor as usual; the results say so."""

import os
from contextlib import contextmanager, suppress
from pathlib import Path

# With our pid behind it: two runs at once do not share one.
NAME = "procession-bench-"
# The file with the weight and its largest value, for cgroup v1 and v2.
CONTROLLERS = (
    (Path("/sys/fs/cgroup/cpu"), "cpu.shares", "262144"),
    (Path("/sys/fs/cgroup"), "cpu.weight", "10000"),
)

_folder = None


def folder():
    """The folder of the group, or `-`."""
    return str(_folder or "-")


def join(pid):
    """Puts a process of ours into the group."""
    if _folder:
        (_folder / "cgroup.procs").write_text(str(pid))


@contextmanager
def taken():
    """The group exists inside of this."""
    global _folder
    _folder = _make()
    try:
        yield
    finally:
        made, _folder = _folder, None
        if made:
            made.rmdir()


def _make():
    for root, file, weight in CONTROLLERS:
        if not (root / "cgroup.procs").exists():
            continue
        _sweep(root)
        group = root / f"{NAME}{os.getpid()}"
        try:
            group.mkdir(exist_ok=True)
            (group / file).write_text(weight)
            return group
        except OSError:
            if group.is_dir():
                group.rmdir()
    return None


def _sweep(root):
    """Takes away what a killed run left: groups are empty when their run is gone."""
    for group in root.glob(f"{NAME}*"):
        if not Path("/proc", group.name.removeprefix(NAME)).exists():
            with suppress(OSError):
                group.rmdir()
