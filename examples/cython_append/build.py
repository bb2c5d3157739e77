"""Builds sensor_log.pyx against an installed pylog-stream.

    python examples/cython_append/build.py [FOLDER]      # the module's place; here by default

What a project's own setup.py needs are the two lines about `headers`: the .pxd files and the C
headers they name lie in logcore's folder of the wheel.
"""

import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

import logcore

HERE = Path(__file__).resolve().parent
headers = Path(logcore.__file__).parent  # c/*.h, and logcore/*.pxd one folder up


def build(target: Path) -> None:
    """Build the module into `target`, with what the compiler leaves behind in target/build."""
    extension = Extension(
        "sensor_log",
        [str(HERE / "sensor_log.pyx")],
        include_dirs=[str(headers)],
        extra_compile_args=["-O2", "-fno-strict-aliasing", "-Wno-unused-function"],
    )
    setup(
        name="sensor_log",
        ext_modules=cythonize(
            [extension],
            include_path=[str(headers.parent)],
            build_dir=str(target / "build"),
            quiet=True,
        ),
        script_args=[
            "-q", "build_ext", "--build-lib", str(target), "--build-temp", str(target / "build"),
        ],
    )  # fmt: skip


if __name__ == "__main__":
    build(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else HERE)
