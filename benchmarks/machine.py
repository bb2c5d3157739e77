"""Facts of the machine that a figure needs beside it; neither host names nor paths."""

import os
import platform
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def facts(folder: Path) -> dict[str, object]:
    """Return what a reader needs to judge a figure measured in `folder`."""
    return {
        "cpu": _cpu_model(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "compiler": platform.python_compiler(),
        "file_system": file_system(folder),
        "commit": _commit(),
        "load_average": round(os.getloadavg()[0], 2),
    }


def describe(machine: dict[str, object]) -> str:
    """Return the facts as one line for a table or a picture."""
    return (
        f"{machine['cpu']}, {machine['cpus']} CPUs, {machine['memory_gib']} GiB, "
        f"{machine['kernel']}, {machine['file_system']}, {machine['python']}"
    )


def file_system(folder: Path) -> str:
    """Return the type of the file system that holds `folder`, such as ext4."""
    real = os.path.realpath(folder)
    best, answer = -1, "unknown"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, tail = line.partition(" - ")
        mount_point = fields.split()[4].replace("\\040", " ")
        inside = mount_point == "/" or real == mount_point or real.startswith(mount_point + "/")
        # A later mount at the same place hides an earlier one: hence "at least as long".
        if inside and len(mount_point) >= best:
            best, answer = len(mount_point), tail.split()[0]
    return answer


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()
