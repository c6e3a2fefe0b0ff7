"""Where things are: our own programs, and the peers that bench/setup brought."""

import os
import shutil
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or BENCH.parent / "target")
TOOLS = TARGET / "bench"


class Absent(Exception):
    """Something is not on this machine."""


def program(name):
    """One of our own programs, compiled by bench/setup."""
    path = TOOLS / "programs" / name
    if not path.exists():
        raise Absent(f"{name} is not compiled: run bench/setup")
    return path


def find(name, *below):
    """A peer's program: below our tools, or on the PATH."""
    for folder in below:
        path = TOOLS / folder / name
        if path.exists():
            return str(path)
    found = shutil.which(name)
    if not found:
        raise Absent(f"{name} is not installed")
    return found


def procession():
    """The binary under test: PROCESSION_BIN, or the static release build of bench/setup."""
    chosen = os.environ.get("PROCESSION_BIN")
    if chosen:
        return str(Path(chosen).resolve())
    built = sorted(TARGET.glob("*/release/procession"), key=lambda path: path.stat().st_mtime)
    if not built:
        raise Absent("procession is not built: run bench/setup, or set PROCESSION_BIN")
    return str(built[-1])
