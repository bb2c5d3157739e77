"""Bytes that end where the memory ends: reading one more is a crash, not an accident."""

import ctypes
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager

PAGE_BYTES = mmap.PAGESIZE
PROT_NONE = 0

_libc = ctypes.CDLL(None, use_errno=True)


class GuardedBytes:
    """Memory with a page behind it that cannot be read."""

    def __init__(self, capacity: int) -> None:
        self._size = -(-capacity // PAGE_BYTES) * PAGE_BYTES
        self._memory = mmap.mmap(-1, self._size + PAGE_BYTES)
        last_page = ctypes.c_char.from_buffer(self._memory, self._size)
        address = ctypes.c_void_p(ctypes.addressof(last_page))
        if _libc.mprotect(address, ctypes.c_size_t(PAGE_BYTES), PROT_NONE):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        del last_page

    @contextmanager
    def holding(self, data: bytes) -> Iterator[memoryview]:
        """Give the bytes, at the end of what can be read."""
        start = self._size - len(data)
        self._memory[start : self._size] = data
        with memoryview(self._memory) as whole, whole[start : self._size] as part:
            yield part
