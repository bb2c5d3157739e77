"""Faults: the Python side of faults.c, which makes a child's system calls fail."""

import ctypes
import enum
import errno
import mmap
import os
import struct
import subprocess
from pathlib import Path

_CONTROL = struct.Struct("=IiqqqqqII")


class Call(enum.IntFlag):
    """Calls that count. Those on files outside the folder never do."""

    WRITE = 1
    OPEN = 2
    TRUNCATE = 4
    SYNC = 8
    MMAP = 16
    RENAME = 32
    UNLINK = 64
    MKDIR = 128
    ANY = 255


class Way(enum.IntEnum):
    """How the call that is due fails."""

    BEFORE = 0
    HALF = 1
    KILL_BEFORE = 2
    KILL_HALF = 3
    KILL_AFTER = 4


def build_library(folder: Path) -> Path:
    """Compile faults.c into a folder."""
    library = folder / "faults.so"
    source = Path(__file__).with_name("faults.c")
    subprocess.run(
        ["gcc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source, "-lpthread"],
        check=True,
    )
    return library


class FaultSwitch:
    """The page that switches faults: the test has it mapped, and each child."""

    def __init__(self, path: str | os.PathLike[str]):
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(fd).st_size < mmap.PAGESIZE:
                os.pwrite(fd, bytes(mmap.PAGESIZE), 0)
            self._page = mmap.mmap(fd, mmap.PAGESIZE)
        finally:
            os.close(fd)

    def fail(
        self,
        calls: Call,
        nth: int = 1,
        error: int = errno.EIO,
        times: int = 1,
        way: Way = Way.BEFORE,
    ) -> None:
        """From now on the nth of these calls fails, and the `times` - 1 after it."""
        self.off()
        _CONTROL.pack_into(self._page, 0, calls, error, nth, times, 0, 0, 0, way, 1)

    def off(self) -> None:
        """Let every call through; the counts stay."""
        struct.pack_into("=I", self._page, _CONTROL.size - 4, 0)

    @property
    def _fields(self) -> tuple[int, ...]:
        return _CONTROL.unpack_from(self._page)

    @property
    def failed(self) -> int:
        """How many calls failed since `fail`."""
        return self._fields[5]

    @property
    def seen(self) -> int:
        """How many calls counted since `fail`."""
        return self._fields[4]

    @property
    def syncs(self) -> int:
        """How often fdatasync or fsync reached the kernel since `fail`."""
        return self._fields[6]


class Faults(FaultSwitch):
    """A switch, and the environment in which a child obeys it."""

    def __init__(self, library: Path, control: Path):
        super().__init__(control)
        self.library = library
        self.control = control

    def environment(self, folder: Path, trace: Path | None = None) -> dict[str, str]:
        """For a child: calls on `folder` may fail, and are written down in `trace`."""
        variables = {
            "LD_PRELOAD": str(self.library),
            "FAULTS_FOLDER": os.path.realpath(folder),
            "FAULTS_CONTROL": str(self.control),
        }
        if trace is not None:
            variables["FAULTS_TRACE"] = str(trace)
        return variables


def own_switch() -> FaultSwitch:
    """The switch of this process, which is a child."""
    return FaultSwitch(os.environ["FAULTS_CONTROL"])


def note(number: int) -> None:
    """Write a number into this child's trace."""
    ctypes.CDLL(os.environ["LD_PRELOAD"]).faults_note(ctypes.c_int64(number))
