"""What a reader must know of the machine, and nothing that tells which one it is."""

import os
import platform
import re
import subprocess
from pathlib import Path

from .tools import BENCH


def description():
    """Processor, cores, memory, kernel; never a name, an address or a path."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(_memory_kib() / 1024 / 1024, 1),
        "architecture": platform.machine(),
        # Without what a builder added behind the number.
        "kernel": re.match(r"[\d.]*\d", platform.release())[0],
        "system": _system(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def commit():
    """What was checked out, so that a result can be traced: git's short name, `+` when changed."""
    words = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=BENCH)
    return done.stdout.strip() or "unknown"


def _cpu():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(("model name", "Model")):
            return line.split(":", 1)[1].strip()
    return "unknown"


def _memory_kib():
    return int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1])


def _system():
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return "unknown"
