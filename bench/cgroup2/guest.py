"""The virtual machine: booted, asked and ended."""

import re
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

DOOR = 9000
# Where each container's procession listens, in the order in which they are started.
PORTS = range(9917, 9937)


class Broken(Exception):
    """The guest did not do what it was told: nothing can be said of procession."""


class Guest:
    """A machine with Debian's kernel, emulated. Use it in `with`: leaving ends it."""

    def __init__(self, kernel, root, options=""):
        self.forwards = {port: free_port() for port in [DOOR, *PORTS]}
        forwarded = ",".join(
            f"hostfwd=tcp:127.0.0.1:{here}-10.0.2.15:{there}" for there, here in self.forwards.items())
        self.words = [
            "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "1024", "-smp", "1",
            "-nographic", "-nodefaults", "-no-reboot", "-serial", "stdio", "-monitor", "none",
            "-kernel", str(kernel), "-initrd", str(root),
            # A busy machine is late for the test of the timer, which the kernel takes for a broken one.
            "-append", f"console=ttyS0 quiet panic=-1 no_timer_check {options}",
            "-netdev", f"user,id=net,restrict=on,{forwarded}", "-device", "virtio-net-pci,netdev=net,romfile=",
        ]
        self.console, self.ports = [], iter(PORTS)

    def __enter__(self):
        self.machine = subprocess.Popen(
            self.words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace")
        threading.Thread(target=lambda: self.console.extend(self.machine.stdout), daemon=True).start()
        end = time.monotonic() + 120
        while not any("guest is up" in line for line in list(self.console)):
            if time.monotonic() > end or self.machine.poll() is not None:
                words = "".join(self.console[-20:])
                self.__exit__()
                raise Broken(f"the guest does not come up:\n{words}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.machine.kill()
        self.machine.wait()

    def sh(self, script, timeout=60):
        """Runs a script in the guest, outside of all containers, and returns what it prints."""
        with socket.create_connection(("127.0.0.1", self.forwards[DOOR]), timeout=timeout) as door:
            door.sendall(f"({script}\n) 2>&1 </dev/null; code=$?; echo; echo =$code; exit\n".encode())
            said = b""
            while not re.search(rb"\n=\d+\n$", said):
                more = door.recv(65536)
                if not more:
                    raise Broken(f"no answer to {script!r} but {said!r}")
                said += more
        text, _, code = said.decode().rpartition("\n=")
        if int(code):
            raise Broken(f"{script!r} failed with {code.strip()}: {text}")
        return text[:-1] if text.endswith("\n") else text

    def read(self, *paths):
        """The text of files, read one right after the other; None for each that cannot be read."""
        each = "; ".join(f"echo '@@{path}'; cat '{path}' 2>/dev/null || echo @@none" for path in paths)
        parts = re.split(r"^@@(?=/)", self.sh(each), flags=re.MULTILINE)[1:]
        texts = (part.partition("\n")[2] for part in parts)
        return [None if "@@none" in text else text for text in texts]

    def write(self, path, text):
        self.sh(f"echo '{text}' > '{path}'")

    def scrape(self, port):
        """Every series of a container's /metrics: {(name, (label, value), …): number}."""
        address = f"http://127.0.0.1:{self.forwards[port]}/metrics"
        try:
            with urllib.request.urlopen(address, timeout=20) as page:
                text = page.read().decode()
        except (urllib.error.URLError, OSError):
            return {}
        found = re.findall(r"^(\w+)(?:\{(.*)\})? (\S+)$", text, re.MULTILINE)
        return {(name, *re.findall(r'(\w+)="([^"]*)"', labels)): float(value) for name, labels, value in found}


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
