"""The supervisors: how each runs one command, and how each is configured for several."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
from dataclasses import dataclass

from . import tools
from .container import Launch


class Cannot(Exception):
    """A peer does not have what a scenario needs; said in the results."""


@dataclass(frozen=True)
class Process:
    """What a supervisor shall run."""

    name: str
    argv: list
    # Seconds between the request to stop and the kill.
    grace: int = 5
    # Started again whenever it ends, as soon as the supervisor is able to.
    restart: bool = False
    # What becomes of its output: None (nobody reads it) or a mode of scenarios/output.py.
    output: str | None = None


class Peer:
    """A supervisor. `slow` ones do not take part in every round."""

    name = ""
    slow = False
    # Takes part wherever procession does.
    is_build = False

    def version(self):
        """What it says of itself, in one line."""
        try:
            argv = [str(word) for word in self.version_words()]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=30, env=self.environment())
        except (OSError, tools.Absent, subprocess.TimeoutExpired) as error:
            return f"unknown ({type(error).__name__})"
        said = (line.strip() for line in (done.stdout + done.stderr).splitlines())
        numbered = [line for line in said if re.search(r"\d+\.\d+", line)]
        return numbered[0][:80] if numbered and done.returncode == 0 else "unknown"

    def version_words(self):
        return [*self.program(), "--version"]

    def program(self):
        """The words that start it; raises Absent."""
        raise NotImplementedError

    def environment(self):
        """What it needs beside our own environment."""
        return dict(os.environ)

    def extra(self):
        """Variables inside the container."""
        return {}

    def one(self, work, argv):
        """One command in front of which it stands."""
        raise Cannot("runs no single command")

    def configured(self, work, processes):
        """Several processes from a configuration."""
        raise Cannot("runs one command only")

    def launch(self, *words, stop=signal.SIGTERM):
        return Launch([*map(str, self.program()), *map(str, words)], self.extra(), stop)


def package(name):
    """The version of an installed Debian package, as words that print it."""
    return ["dpkg-query", "--showformat", "${Version}\n", "--show", name]


class Nothing(Peer):
    """No supervisor at all: what the kernel alone takes."""

    name = "none"

    def version(self):
        return "the command itself as PID 1"

    def program(self):
        return []

    def one(self, work, argv):
        return self.launch(*argv)


class Small(Peer):
    """tini and its like: options, `--`, the command."""

    def __init__(self, name):
        self.name = name

    def program(self):
        return [tools.find(self.name)]

    def version_words(self):
        return package(self.name)

    def one(self, work, argv):
        return self.launch("--", *argv)


def free_port():
    """A port of the loopback that nobody had just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Procession(Peer):
    """The one that this is about, with everything that it has on by default."""

    is_build = True

    def __init__(self, name="procession", binary=None):
        self.name = name
        self.binary = binary
        self.port = None

    def program(self):
        return [self.binary or tools.procession()]

    def listen(self):
        self.port = free_port()
        return f"127.0.0.1:{self.port}"

    def one(self, work, argv):
        return self.launch("--listen", self.listen(), "--", *argv)

    def configured(self, work, processes):
        path = work.path / "config.yaml"
        # JSON is YAML; a list is taken word by word.
        path.write_text(json.dumps(self.document(work, processes), indent=1))
        return self.launch("run", "-c", path)

    def document(self, work, processes):
        return {
            "metrics": {"listen": self.listen()},
            "store": {"sqlite": str(work.path / "history.db")},
            "processes": {process.name: self.entry(process) for process in processes},
        }

    def entry(self, process):
        entry = {"command": process.argv, "stop_grace_period": f"{process.grace}s"}
        if process.restart:
            entry["restart"] = "always"
            entry["restart_policy"] = {"delay": "0s"}
        if process.output:
            entry["output"] = {"mode": process.output}
        return entry

    def refuses(self, launch):
        """Why it does not take a configuration yet, or None."""
        words = [*launch.argv[:1], "check", *launch.argv[2:]]
        done = subprocess.run(words, capture_output=True, text=True, timeout=30)
        if done.returncode == 0:
            return None
        places = (line.partition("config.yaml:") for line in (done.stderr + done.stdout).splitlines())
        faults = [rest for _, found, rest in places if found and " warning: " not in rest]
        return faults[0] if faults else f"check ended with {done.returncode}"


class AsTini(Procession):
    """procession called under tini's name, where it is nothing but tini's replacement."""

    is_build = False

    def __init__(self):
        super().__init__("procession-as-tini")

    def one(self, work, argv):
        link = work.path / "tini"
        link.symlink_to(self.program()[0])
        return Launch([str(link), "--", *argv], {})


class Dinit(Peer):
    name = "dinit"

    def program(self):
        return [tools.find("dinit", "dinit")]

    def configured(self, work, processes):
        folder = work.path / "dinit.d"
        folder.mkdir()
        waits = "".join(f"waits-for = {process.name}\n" for process in processes)
        (folder / "boot").write_text(f"type = internal\n{waits}")
        for process in processes:
            (folder / process.name).write_text(self.service(process))
        socket_path = work.path / "dinitctl"
        return self.launch("--container", "--quiet", "-d", folder, "-p", socket_path, "boot")

    @staticmethod
    def service(process):
        lines = [
            "type = process",
            f"command = {shlex.join(process.argv)}",
            f"stop-timeout = {process.grace}",
            f"restart = {'yes' if process.restart else 'no'}",
            "restart-delay = 0",
            "restart-limit-interval = 0",
        ]
        if process.output:
            lines.append("options = shares-console")
        return "\n".join(lines) + "\n"


def script(path, text):
    path.write_text(text)
    path.chmod(0o755)


class S6(Peer):
    name = "s6"

    def program(self):
        return [tools.find("s6-svscan")]

    def version_words(self):
        return package("s6")

    def configured(self, work, processes):
        scan = work.path / "scan"
        for process in processes:
            folder = scan / process.name
            folder.mkdir(parents=True)
            quoted = " ".join(f'"{word}"' for word in process.argv)
            script(folder / "run", f"#!{tools.find('execlineb')} -P\n{quoted}\n")
            (folder / "timeout-kill").write_text(f"{process.grace * 1000}\n")
            if process.output:
                (folder / "log").mkdir()
                script(folder / "log/run", f"#!{tools.find('execlineb')} -P\n{tools.find('s6-log')} 1\n")
        return self.launch("-c", 4000, scan)


class Runit(Peer):
    name = "runit"

    def program(self):
        return [tools.find("runsvdir")]

    def version_words(self):
        return package("runit")

    def configured(self, work, processes):
        scan = work.path / "service"
        for process in processes:
            folder = scan / process.name
            folder.mkdir(parents=True)
            script(folder / "run", f"#!/bin/sh\nexec {shlex.join(process.argv)}\n")
        # In the second in which its folder was changed, runsvdir waits for more changes.
        os.utime(scan, (0, 0))
        # TERM ends runsvdir alone; HUP also sends TERM to every runsv.
        return self.launch("-P", scan, stop=signal.SIGHUP)


class Supervisord(Peer):
    name = "supervisord"
    slow = True

    def program(self):
        return ["/usr/bin/python3", tools.find("supervisord", "debian/usr/bin")]

    def extra(self):
        return {"PYTHONPATH": str(tools.TOOLS / "debian/usr/lib/python3/dist-packages")}

    def environment(self):
        return {**os.environ, **self.extra()}

    def configured(self, work, processes):
        path = work.path / "supervisord.conf"
        head = "[supervisord]\nnodaemon=true\nsilent=true\nuser=root\nlogfile=/dev/null\nlogfile_maxbytes=0\n"
        head += "pidfile=/run/supervisord.pid\nminfds=8192\n"
        path.write_text(head + "".join(map(self.section, processes)))
        return self.launch("-c", path)

    @staticmethod
    def section(process):
        where = "/dev/fd/1" if process.output else "NONE"
        return (
            f"[program:{process.name}]\ncommand={shlex.join(process.argv)}\nstartsecs=0\n"
            f"autorestart={'true' if process.restart else 'false'}\nstopwaitsecs={process.grace}\n"
            f"stdout_logfile={where}\nstdout_logfile_maxbytes=0\nstderr_logfile=NONE\n"
        )


class Circus(Peer):
    name = "circus"
    slow = True

    def program(self):
        return [tools.find("circusd", "venv/bin")]

    def configured(self, work, processes):
        path = work.path / "circus.ini"
        doors = "".join(f"{door} = ipc://{work.path}/{door}\n" for door in ("endpoint", "pubsub_endpoint"))
        path.write_text(f"[circus]\nstatsd = False\n{doors}" + "".join(map(self.section, processes)))
        return self.launch(path)

    @staticmethod
    def section(process):
        return (
            f"[watcher:{process.name}]\ncmd = {shlex.join(process.argv)}\ncopy_env = True\n"
            f"graceful_timeout = {process.grace}\nrespawn = {process.restart}\nmax_retry = -1\n"
            + ("stdout_stream.class = StdoutStream\n" if process.output else "")
        )


class Honcho(Peer):
    name = "honcho"
    slow = True

    def program(self):
        return [tools.find("honcho", "venv/bin")]

    def configured(self, work, processes):
        if any(process.restart for process in processes):
            raise Cannot("never starts a process again")
        path = work.path / "Procfile"
        path.write_text("".join(f"{p.name}: exec {shlex.join(p.argv)}\n" for p in processes))
        return self.launch("-f", path, "start")


class Pm2(Peer):
    name = "pm2"
    slow = True

    def program(self):
        return [tools.find("pm2-runtime", "npm/node_modules/.bin")]

    def extra(self):
        return {"PM2_HOME": "/run/pm2"}

    def environment(self):
        return {**os.environ, "PM2_HOME": str(tools.TOOLS / "pm2")}

    def version_words(self):
        package = tools.TOOLS / "npm/node_modules/pm2/package.json"
        return ["node", "-p", f"require({json.dumps(str(package))}).version"]

    def configured(self, work, processes):
        path = work.path / "pm2.config.json"
        path.write_text(json.dumps({"apps": [self.app(process) for process in processes]}))
        return self.launch("start", path, *(["--raw"] if processes[0].output else []))

    @staticmethod
    def app(process):
        return {
            "name": process.name,
            "script": process.argv[0],
            "args": process.argv[1:],
            "interpreter": "none",
            "exec_mode": "fork",
            "autorestart": process.restart,
            "min_uptime": 0,
            "max_restarts": 1_000_000,
            "kill_timeout": process.grace * 1000,
        }


class ProcessExporter(Dinit):
    """prometheus-process-exporter beside a supervisor that has no metrics; scenarios/scrape.py
    starts it."""

    name = "process-exporter"

    def version_words(self):
        return ["cat", tools.TOOLS / "debian/.prometheus-process-exporter"]


def everybody():
    """All of them, in the order of the tables."""
    small = [Small(name) for name in ("tini", "dumb-init", "catatonit")]
    return [
        Nothing(), Procession(), AsTini(), *small,
        Dinit(), S6(), Runit(), Supervisord(), Circus(), Honcho(), Pm2(), ProcessExporter(),
    ]
