"""Build the extension modules into src/, each replaced at once.

setuptools' own --inplace copies into the existing file, which crashes programs that run from it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = ROOT / "build" / "inplace"


def main() -> None:
    """Compile what changed and move the results beside their sources."""
    command = [sys.executable, "setup.py", "-q", "build_ext", "--build-lib", str(LIBRARY)]
    subprocess.run(command, cwd=ROOT, check=True)
    for built in LIBRARY.rglob("*.so"):
        target = ROOT / "src" / built.relative_to(LIBRARY)
        if not target.exists() or target.stat().st_mtime < built.stat().st_mtime:
            partial = target.with_suffix(".partial")
            shutil.copy2(built, partial)
            os.replace(partial, target)


if __name__ == "__main__":
    main()
