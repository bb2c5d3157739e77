"""What the ways to append to a file cost here: the figures of docs/adr/0003 and 0005.

    python benchmarks/adr/write_paths.py [--dir FOLDER] [--rounds N]

Needs gcc. The ways take turns, forwards in one round and backwards in the next; medians over the
rounds. A minute or two. The full-disk part needs the right to mount a small tmpfs in a namespace
of its own and is left out where that is not given.
"""

import argparse
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

SOURCE = Path(__file__).with_name("write_paths.c")
COST_SIZES = {128: 200_000, 1024: 100_000, 4096: 30_000, 16384: 8_000, 1 << 20: 128}
SYNC_SIZES = {1024: 50, 65536: 50}
SYNC_ROUNDS = 3  # times as many: a disk is less steady than a processor


def measure(program: Path, *words: object) -> float:
    command = [str(program), *map(str, words)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def compare(program: Path, folder: Path, kind: str, ways: list[str], size: int, count: int,
            rounds: int) -> dict[str, float]:  # fmt: skip
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds):
        for way in ways if number % 2 == 0 else reversed(ways):
            taken[way].append(measure(program, kind, folder / "file", way, size, count))
    return {way: median(values) for way, values in taken.items()}


def rows(program: Path, folder: Path, rounds: int) -> Iterator[str]:
    yield "| batch | pwrite, ns | store into a mapping, ns |"
    yield "|---|---|---|"
    for size, count in COST_SIZES.items():
        cost = compare(program, folder, "cost", ["pwrite", "mmap"], size, count, rounds)
        yield f"| {size:,} B | {cost['pwrite']:,.0f} | {cost['mmap']:,.0f} |"
    yield ""
    yield "| append + fdatasync | file grows, µs | KEEP_SIZE reserve, µs | zeros before, µs |"
    yield "|---|---|---|---|"
    for size, count in SYNC_SIZES.items():
        ways = ["grow", "reserve", "zeros"]
        cost = compare(program, folder, "sync", ways, size, count, rounds * SYNC_ROUNDS)
        yield f"| {size:,} B | " + " | ".join(f"{cost[way]:,.0f}" for way in ways) + " |"
    yield ""
    for way in ("pwrite", "mmap"):
        yield f"full disk, {way}: {fill(program, folder, way)}"


def fill(program: Path, folder: Path, way: str) -> str:
    """How a program ends that fills a tmpfs of 8 MiB."""
    mount = folder / "small"
    mount.mkdir(exist_ok=True)
    script = f"mount -t tmpfs -o size=8m none {mount} && exec {program} full {mount}/file {way}"
    script += " || exit 99"
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", script], capture_output=True, text=True, check=False
    )
    if done.returncode < 0:
        return signal.Signals(-done.returncode).name
    return "not measured: no right to mount" if done.returncode else done.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, help="where to write (the system's scratch folder)")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if shutil.which("gcc") is None:
        parser.error("gcc is not there")
    with tempfile.TemporaryDirectory(dir=options.dir) as name:
        program = Path(name) / "write_paths"
        subprocess.run(["gcc", "-O2", "-o", str(program), str(SOURCE)], check=True)
        for row in rows(program, Path(name), options.rounds):
            print(row, flush=True)


if __name__ == "__main__":
    main()
