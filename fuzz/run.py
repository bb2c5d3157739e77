"""Fuzz the C headers: `make fuzz`, or `python fuzz/run.py --seconds 600 --seed 7`.

With clang each target runs under libFuzzer for --seconds; what it finds stays in build/fuzz. With
gcc alone the corpus, and --runs mutations of each file, are replayed (fuzz/driver.h). The corpus is
what a real Kafka wrote, tests/golden. All is built with address and undefined-behaviour sanitizers
and every warning an error.
"""

import argparse
import random
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "fuzz"
CORPORA = {
    "fuzz_batch": ("*.log",),
    "fuzz_record": ("*.log",),
    "fuzz_index": ("*.*index",),
    "fuzz_producers": ("*.log",),  # any bytes: they are read as steps
}
WARNINGS = ("-Wall", "-Wextra", "-Wno-unused-function", "-Werror")


def corpus(target: str) -> list[Path]:
    """Return the golden files that are of the target's kind."""
    golden = ROOT / "tests" / "golden"
    return sorted(path for pattern in CORPORA[target] for path in golden.rglob(pattern))


def compile_target(target: str, clang: str | None) -> Path:
    """Build one target; a warning fails it."""
    sanitize = "address,undefined" + (",fuzzer" if clang else "")
    program = BUILD / target
    command = [
        clang or "gcc", "-std=gnu11", "-O1", "-g", *WARNINGS, f"-fsanitize={sanitize}",
        "-fno-sanitize-recover=all", *([] if clang else ["-DFUZZ_REPLAY"]),
        str(ROOT / "fuzz" / f"{target}.c"), "-o", str(program),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return program


def fuzz_command(program: Path, arguments: argparse.Namespace, clang: str | None) -> list[str]:
    """What to run: libFuzzer on a folder of inputs, or the replay of each file."""
    files = corpus(program.name)
    if not clang:
        return [
            str(program), f"-runs={arguments.runs}", f"-seed={arguments.seed}", *map(str, files),
        ]  # fmt: skip
    inputs = BUILD / f"{program.name}.corpus"
    inputs.mkdir(exist_ok=True)
    for number, path in enumerate(files):
        shutil.copy(path, inputs / f"golden-{number}")
    return [
        str(program), f"-max_total_time={arguments.seconds}", f"-seed={arguments.seed}",
        f"-artifact_prefix={BUILD}/{program.name}-", "-max_len=65536", str(inputs),
    ]  # fmt: skip


def main() -> int:
    """Build and run every target; 1 when one of them found something."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60, help="of libFuzzer, a target")
    parser.add_argument("--runs", type=int, default=2000, help="mutations a file, without clang")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 1 << 31))
    arguments = parser.parse_args()
    clang = shutil.which("clang")
    BUILD.mkdir(parents=True, exist_ok=True)
    print(f"{'libFuzzer' if clang else 'replay with gcc (no clang)'}, --seed {arguments.seed}")
    failed = []
    for target in CORPORA:
        program = compile_target(target, clang)
        if subprocess.run(fuzz_command(program, arguments, clang)).returncode:
            failed.append(target)
    if failed:
        print(f"failed: {', '.join(failed)}; replay with --seed {arguments.seed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
