"""The kernel of the virtual machine, and the archive that it starts from."""

import gzip
import lzma
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from harness.tools import TOOLS, Absent

HERE = Path(__file__).resolve().parent
FOLDER = TOOLS / "cgroup2"
# In the order in which they need each other: a network card on the PCI bus, and disks of memory.
MODULES = ["failover", "net_failover", "virtio_ring", "virtio", "virtio_pci_legacy_dev",
           "virtio_pci_modern_dev", "virtio_pci", "virtio_net", "brd"]
# Two of 96 MiB that take memory only where they are written: one for swap, one to read from.
PARAMETERS = {"brd": "rd_nr=2 rd_size=98304"}
BUSYBOX = Path("/bin/busybox")
PACKAGES = {"qemu-system-x86_64": "qemu-system-x86", "gcc": "gcc", "strip": "binutils"}


def apt(*words):
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]
    subprocess.run([*sudo, *quiet, *words], check=True, stdout=subprocess.DEVNULL)


def install():
    """The Debian packages that are not there yet; none of them starts anything."""
    missing = [package for name, package in PACKAGES.items() if not shutil.which(name)]
    if not BUSYBOX.exists() or libraries_of(BUSYBOX):
        missing.append("busybox-static")
    if not Path("/usr/lib/x86_64-linux-gnu/libc.a").exists():
        missing.append("libc6-dev")
    if missing:
        apt("update")
        apt("install", "-y", "--no-install-recommends", *missing)


def kernel():
    """Debian's kernel for virtual machines, of which a few files are unpacked: the image, and the folder
    of those and of the modules. Nothing of it is installed."""
    folder = FOLDER / "kernel"
    if not folder.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as work:
            part = Path(work) / "kernel"
            part.mkdir()
            unpack(download(Path(work)), part)
            part.rename(folder)
    return next(folder.glob("vmlinuz-*")), folder


def download(folder):
    if not kernel_package():
        apt("update")
    package = kernel_package()
    if not package:
        raise Absent("Debian's linux-image-cloud-amd64 cannot be found")
    subprocess.run(["apt-get", "-qq", "download", package], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    return next(folder.glob("*.deb"))


def unpack(package, folder):
    with subprocess.Popen(["dpkg", "--fsys-tarfile", package], stdout=subprocess.PIPE) as content:
        with tarfile.open(fileobj=content.stdout, mode="r|") as files:
            for file in files:
                name = Path(file.name).name
                if file.isfile() and (name.startswith("vmlinuz-") or name.partition(".ko")[0] in MODULES):
                    (folder / name).write_bytes(files.extractfile(file).read())
    if content.returncode:
        raise Absent(f"{package.name} cannot be unpacked")


def kernel_package():
    """The package that the newest kernel is in, by the name that always means the newest one."""
    asked = subprocess.run(["apt-cache", "depends", "linux-image-cloud-amd64"], capture_output=True, text=True)
    found = re.search(r"Depends: (linux-image-\S+)", asked.stdout)
    return found and found[1]


def with_libraries(program):
    """{path in the guest: bytes} of a program and of whatever it is linked with at its start."""
    slim = FOLDER / "procession"
    subprocess.run(["strip", "-o", slim, program], check=True)
    libraries = {path[1:]: Path(path).read_bytes() for path in libraries_of(program)}
    return {"procession": slim.read_bytes(), **libraries}


def libraries_of(program):
    linked = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    return re.findall(r"(/\S+) \(0x", linked)


def archive(kernel_folder, procession):
    """The root of the guest: a static busybox, our two programs, modules, and procession."""
    files = {"init": (HERE / "guest/init").read_bytes(), "bin/busybox": BUSYBOX.read_bytes(),
             "etc/passwd": b"root:x:0:0::/:/bin/sh\n", "etc/group": b"root:x:0:\n",
             "etc/hosts": b"127.0.0.1 localhost\n"}
    for name in ("contain", "eat"):
        program = FOLDER / name
        subprocess.run(["gcc", "-O1", "-static", "-Wall", "-Wextra", "-o", program, HERE / f"guest/{name}.c"], check=True)
        files[f"bin/{name}"] = program.read_bytes()
    order = []
    for name in MODULES:
        # What is built into the kernel needs no file.
        for path in kernel_folder.glob(f"{name}.ko*"):
            packed = path.read_bytes()
            files[f"modules/{name}.ko"] = lzma.decompress(packed) if path.suffix == ".xz" else packed
            files[f"modules/{name}.words"] = PARAMETERS.get(name, "").encode()
            order.append(name)
    files["modules/order"] = "\n".join(order).encode()
    files |= with_libraries(procession)
    folders = {str(parent) for name in files for parent in Path(name).parents} - {"."}
    path = FOLDER / "root.gz"
    with gzip.open(path, "wb", compresslevel=1) as packed:
        for folder in sorted(folders | {"dev", "proc", "run", "sys", "tmp"}):
            packed.write(entry(folder, 0o040755, b""))
        for name, content in files.items():
            packed.write(entry(name, 0o100755, content))
        packed.write(entry("TRAILER!!!", 0, b""))
    return path


def entry(name, mode, content):
    """A file as cpio's `newc` format has it (cpio(5)): numbers in hexadecimal, padded to four bytes."""
    fields = [0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + content + b"\0" * (-len(content) % 4)
