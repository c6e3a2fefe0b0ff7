"""A cgroup with a great weight, so that other work on the machine is not measured as well.

It is also how a container lives: in a group of its own, where the kernel does not group by session.
Where no such group can be made, everything shares the processor as usual; the results say so."""

from contextlib import contextmanager, suppress
from pathlib import Path

NAME = "procession-bench"
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
        # Another run beside this one may still be in it, and takes it away then.
        with suppress(OSError):
            if made:
                made.rmdir()


def _make():
    for root, file, weight in CONTROLLERS:
        if not (root / "cgroup.procs").exists():
            continue
        group = root / NAME
        try:
            group.mkdir(exist_ok=True)
            (group / file).write_text(weight)
            return group
        except OSError:
            if group.is_dir():
                group.rmdir()
    return None
