"""Builds the Cython modules of logcore and pylog.

Environment switches: PYLOG_DEBUG_BUILD=1 keeps symbols and asserts, PYLOG_SANITIZE=address builds
with that sanitizer, PYLOG_ANNOTATE=1 writes Cython's annotated HTML beside each module.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

SOURCE = Path("src")
JOBS = len(os.sched_getaffinity(0))

# -O3: encoding a record takes two thirds of the time it takes with -O2.
flags = ["-std=gnu11", "-O3", "-g0", "-fno-strict-aliasing", "-fvisibility=hidden"]
flags += ["-Wall", "-Wextra", "-Wno-unused-function", "-Wno-unused-parameter", "-Wno-sign-compare"]
flags += ["-Wno-missing-field-initializers", "-Wno-cast-function-type"]
flags += ["-Wno-discarded-qualifiers"]  # of what Cython writes; make fuzz warns of the headers
link = ["-pthread"]
if os.environ.get("PYLOG_DEBUG_BUILD"):
    flags += ["-O1", "-g3", "-UNDEBUG"]
if sanitizer := os.environ.get("PYLOG_SANITIZE"):
    flags += [f"-fsanitize={sanitizer}", "-fno-omit-frame-pointer", "-O1", "-g1"]
    link += [f"-fsanitize={sanitizer}"]

headers = [str(path) for path in SOURCE.rglob("c/*.h")]
extensions = [
    Extension(
        ".".join(path.relative_to(SOURCE).with_suffix("").parts),
        [str(path)],
        include_dirs=["src/logcore", "src/pylog"],
        depends=headers,
        extra_compile_args=flags,
        extra_link_args=link,
    )
    for path in sorted(SOURCE.rglob("*.pyx"))
]

if __name__ == "__main__":  # cythonize's workers may import this file again
    setup(
        ext_modules=cythonize(
            extensions,
            include_path=["src"],
            nthreads=JOBS,
            annotate=bool(os.environ.get("PYLOG_ANNOTATE")),
            compiler_directives={
                "language_level": "3",
                "cdivision": True,
                "auto_pickle": False,
                "embedsignature": True,
            },
        ),
        options={"build_ext": {"parallel": JOBS}},
    )
