"""A procession that is the first process of a container in the guest."""

import json
import time

ROOT = "/sys/fs/cgroup"
CONFIG = """\
metrics: {{listen: "0.0.0.0:{port}"}}
control: {folder}/control.sock
state_dir: {folder}/state
store: memory
memory: {{interval: 200ms, warning: 50%, critical: 80%}}
{rest}
"""


class House:
    """A container with its control group. `group` is its path below the root of the hierarchy; its
    parents hand the controllers on, itself does not."""

    def __init__(self, guest, group, view, rest, limits=(), command=None):
        self.guest, self.group, self.port = guest, f"{ROOT}/{group}", next(guest.ports)
        self.folder = f"/tmp/{group.replace('/', '-')}"
        config = CONFIG.format(port=self.port, folder=self.folder, rest=rest)
        guest.sh(f"mkdir -p {self.group} {self.folder}\n"
                 f"cat > {self.folder}/config.yaml <<'END'\n{config}\nEND")
        for file, text in dict(limits).items():
            guest.write(f"{self.group}/{file}", text)
        command = command or f"/procession run -c {self.folder}/config.yaml"
        guest.sh(f"(contain {self.group} {view} {command} >{self.folder}/log 2>&1 </dev/null; "
                 f"echo $? >{self.folder}/code) >/dev/null 2>&1 </dev/null &")

    def own(self, *files):
        """The kernel's files of the container's group."""
        texts = self.guest.read(*(f"{self.group}/{file}" for file in files))
        return texts[0] if len(files) == 1 else texts

    def limit(self, file, text):
        self.guest.write(f"{self.group}/{file}", text)

    def metrics(self):
        return self.guest.scrape(self.port)

    def metric(self, name, **labels):
        """One series; None where there is none."""
        wanted = set(labels.items())
        found = [value for (its, *has), value in self.metrics().items()
                 if its == f"procession_{name}" and wanted <= set(has)]
        return sum(found) if found else None

    def cli(self, *words):
        """What a verb prints, asked through the control socket."""
        return self.guest.sh(f"PROCESSION_SOCKET={self.folder}/control.sock /procession {' '.join(words)}")

    def memory(self):
        return json.loads(self.cli("memory", "--json"))

    def sessions(self, process):
        """The ends of a process's runs, the newest first."""
        listed = json.loads(self.cli("sessions", "list", "--json"))["sessions"]
        return [session["state"] for session in listed if session.get("process") == process]

    def members(self):
        """Command lines of everybody in its group and below, with the group of each."""
        script = (f"for group in $(find {self.group} -type d); do for pid in $(cat $group/cgroup.procs); do "
                  "echo \"$group|$(cut -d' ' -f3 /proc/$pid/stat)|$(tr '\\0' ' ' </proc/$pid/cmdline)\"; done; done")
        lines = self.guest.sh(script).splitlines()
        return [line.removeprefix(self.group).split("|", 2) for line in lines if "|" in line]

    def log(self):
        return self.guest.read(f"{self.folder}/log")[0] or ""

    def ended(self):
        """Its exit code, or None while it runs."""
        text, = self.guest.read(f"{self.folder}/code")
        return int(text) if text and text.strip() else None

    def end(self, seconds=30):
        """Asks it to end as a runtime does; its exit code."""
        first = f"for pid in $(cat {self.group}/cgroup.procs {self.group}/procession-self/cgroup.procs 2>/dev/null)"
        # The first process of a namespace is the one whose number within is 1.
        self.guest.sh(f"{first}; do grep -q '^NSpid:.*[[:space:]]1$' /proc/$pid/status && kill -TERM $pid; done; true")
        until = time.monotonic() + seconds
        while (code := self.ended()) is None and time.monotonic() < until:
            time.sleep(0.1)
        return code
