"""One supervisor as PID 1 of a fresh namespace: started, watched, asked to end, and always ended."""

import os
import select
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from . import share, tools

NANO = 1_000_000_000


class Failed(Exception):
    """This run did not do its work, so it has no figures."""


@dataclass(frozen=True)
class Launch:
    """How a supervisor is started, and how its users ask it to end."""

    argv: list
    environment: dict
    stop: int = signal.SIGTERM


@dataclass(frozen=True)
class Event:
    """Something that a supervised process told: a name, CLOCK_MONOTONIC in ns, its pid inside."""

    name: str
    at: int
    pid: int


@dataclass(frozen=True)
class Gone:
    """The end of PID 1: CLOCK_MONOTONIC in ns, its exit code as a shell tells it, its CPU in ns."""

    at: int
    code: int
    cpu: int


def now():
    """CLOCK_MONOTONIC in nanoseconds: the clock that the programs stamp with."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


class Work:
    """A folder of one run, with the FIFO that its processes tell events through."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        self.path = Path(self._folder.name)
        self.events = self.path / "events"
        os.mkfifo(self.events)
        os.mkfifo(str(self.events) + ".go")

    def child(self, *words):
        """The command line of the supervised program."""
        return [str(tools.program("child")), str(self.events), *map(str, words)]

    def close(self):
        self._folder.cleanup()


class Container:
    """A supervisor in its namespace. Use it in `with`: leaving ends it, whatever happened."""

    def __init__(self, work, launch, term_after_us=0, stdout=None):
        self.work = work
        self.launch = launch
        self.events = []
        self.exec_at = self.gone = self.pid = None
        # Of an early SIGTERM: when, whether PID 1 had a handler by then, and its CPU so far in ns.
        self.sent_at = self.was_ready = self.cpu_when_sent = None
        self._texts = {}
        # Read and write, so that it never ends and nobody waits for a reader.
        self._fifo = os.open(work.events, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._go = None
        _enlarge(self._fifo)
        self._report, write = os.pipe()
        os.set_blocking(self._report, False)
        self.log = open(work.path / "log", "w+b")
        environment = {"PATH": os.environ["PATH"], "HOME": str(work.path), "LANG": "C.UTF-8"}
        environment.update(launch.environment)
        argv = [str(tools.program("ns")), str(write), str(int(term_after_us)), share.folder(), *launch.argv]
        try:
            self._ns = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=self.log if stdout is None else stdout,
                stderr=self.log,
                pass_fds=[write],
                env=environment,
                cwd=work.path,
                start_new_session=True,
            )
        finally:
            os.close(write)

    def __enter__(self):
        try:
            self.until(lambda: self.pid is not None, 10, "no namespace")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends whatever is left. The namespace dies with its PID 1, and that with `ns`."""
        if self._ns.poll() is None:
            self._ns.kill()
        self._ns.wait()
        if self.gone is None and self.pid is not None:
            _await_absence(self.pid)
        for fd in (self._fifo, self._report, self._go):
            if fd is not None:
                os.close(fd)
        self._fifo = self._report = self._go = None
        self.log.close()

    def until(self, done, seconds, what):
        """Reads events and reports until `done()`; Failed with `what` after `seconds`, or when the
        supervisor is gone and everything that was told is read."""
        end = time.monotonic() + seconds
        while not done():
            left = end - time.monotonic()
            if left <= 0:
                raise Failed(f"{what} within {seconds} s")
            ready, _, _ = select.select([self._fifo, self._report], [], [], left)
            for fd in ready:
                self._read(fd)
            if self.gone is not None:
                self._read(self._fifo)
                if not done():
                    raise Failed(f"{what}: it ended with {self.gone.code}{self.last_words()}")

    def seen(self, name):
        """Every event of that name so far."""
        return [event for event in self.events if event.name == name]

    def await_events(self, name, count=1, seconds=30):
        """The first `count` events of a name, in the order in which they were told."""
        self.until(lambda: len(self.seen(name)) >= count, seconds, f"fewer than {count} x {name}")
        return self.seen(name)[:count]

    def poll(self, seconds):
        """Lets time pass and reads what is told meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and self.gone is None:
            for fd in select.select([self._fifo, self._report], [], [], left)[0]:
                self._read(fd)

    def go(self):
        """Lets a process that waits for it begin."""
        self._go = os.open(str(self.work.events) + ".go", os.O_WRONLY | os.O_CLOEXEC)

    def stop(self):
        """Asks the supervisor to end as its users do; the time just before, in ns."""
        sent = now()
        os.kill(self.pid, self.launch.stop)
        return sent

    def await_gone(self, seconds, what="not gone"):
        """The end of PID 1, and with it of the namespace."""
        if self.gone is None:
            self.until(lambda: self.gone is not None, seconds, what)
        return self.gone

    def cpu(self):
        """CPU time that PID 1 has used, all its threads, in ns."""
        return time.clock_gettime_ns((~self.pid) << 3 | 2)

    def proc(self):
        """The /proc of the namespace."""
        return Path(f"/proc/{self.pid}/root/proc")

    def last_words(self):
        """The end of what it wrote, for a person who wonders why it failed."""
        self.log.flush()
        text = (self.work.path / "log").read_text(errors="replace").strip()
        return f": {text[-300:]}" if text else ""

    def _read(self, fd):
        try:
            data = os.read(fd, 1 << 20)
        except BlockingIOError:
            return
        text = self._texts.get(fd, "") + data.decode()
        *lines, self._texts[fd] = text.split("\n")
        for line in lines:
            self._heard(line.split())
        if fd == self._report and not data and self.gone is None:
            raise Failed(f"the launcher ended{self.last_words()}")

    def _heard(self, words):
        match words:
            case ["pid", pid]:
                self.pid = int(pid)
            case ["exec", at]:
                self.exec_at = int(at)
            case ["sent", at, ready, cpu]:
                self.sent_at, self.was_ready, self.cpu_when_sent = int(at), ready == "1", int(cpu)
            case ["gone", at, status, cpu]:
                code = os.waitstatus_to_exitcode(int(status))
                self.gone = Gone(int(at), code if code >= 0 else 128 - code, int(cpu))
            case [name, at, pid]:
                self.events.append(Event(name, int(at), int(pid)))


def _enlarge(fd):
    """A FIFO that takes the lines of a whole scenario without anyone reading."""
    import fcntl

    fcntl.fcntl(fd, 1031, 1 << 20)  # F_SETPIPE_SZ


def _await_absence(pid):
    """Until the kernel has ended a namespace whose launcher was killed."""
    end = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.005)
