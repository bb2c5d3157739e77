"""SortedKeys, the keys of a map in order, for maps that are asked for ranges.

Blocks of sorted keys with a list of their last keys. What is added or removed waits until somebody
asks for a range; so a map that is only written and read by key pays an append.
"""

cimport cython

from bisect import bisect_left, bisect_right, insort

cdef enum:
    BLOCK = 512                          # keys; a block is split when it has twice as many
    CHUNK = 128                          # keys handed out at once


@cython.final
cdef class SortedKeys:
    """The keys of a map in order. The owner reports each key that is new and each that has gone."""

    def __init__(self, keys):
        self.removed = set()
        self.added = list(keys)
        self.blocks = []
        self.lasts = []
        self.settle()

    cdef int add(self, object key) except -1:
        """The map has this key, and did not have it before."""
        if self.removed and key in self.removed:
            self.removed.discard(key)
        else:
            self.added.append(key)
        return 0

    cdef int discard(self, object key) except -1:
        """The map no longer has this key."""
        self.removed.add(key)
        return 0

    cdef list chunk(self, object first, bint is_inclusive):
        """Return some keys in order from `first` on, which is None for the beginning.

        An empty list is the end.
        """
        cdef Py_ssize_t block, start
        cdef list keys
        self.settle()
        if first is None:
            return self.blocks[0][:CHUNK] if self.blocks else []
        block = bisect_left(self.lasts, first)
        if block < len(self.lasts) and not is_inclusive and self.lasts[block] == first:
            block += 1
        if block == len(self.lasts):
            return []
        keys = self.blocks[block]
        start = bisect_left(keys, first) if is_inclusive else bisect_right(keys, first)
        return keys[start:start + CHUNK]

    cdef list chunk_backwards(self, object last, bint is_inclusive):
        """Return some keys in order that end at `last`, which is None for the end."""
        cdef Py_ssize_t block, end
        cdef list keys
        self.settle()
        if last is None:
            return self.blocks[len(self.blocks) - 1][-CHUNK:] if self.blocks else []
        block = min(<Py_ssize_t>bisect_left(self.lasts, last), <Py_ssize_t>len(self.lasts) - 1)
        while block >= 0:
            keys = self.blocks[block]
            end = bisect_right(keys, last) if is_inclusive else bisect_left(keys, last)
            if end:
                return keys[max(0, end - CHUNK):end]
            block -= 1
        return []

    cdef int settle(self) except -1:
        """Bring what was added into its block, and take out what was removed."""
        cdef Py_ssize_t block
        cdef list keys
        if not self.added and not self.removed:
            return 0
        if 4 * (len(self.added) + len(self.removed)) > self.count:
            return self.rebuild()
        for key in self.added:
            if key in self.removed:
                self.removed.discard(key)
                continue
            block = bisect_left(self.lasts, key)
            if block == len(self.lasts):
                block -= 1
                keys = self.blocks[block]
                keys.append(key)
                self.lasts[block] = key
            else:
                keys = self.blocks[block]
                insort(keys, key)
            self.count += 1
            if len(keys) > 2 * BLOCK:
                self.blocks[block:block + 1] = [keys[:BLOCK], keys[BLOCK:]]
                self.lasts.insert(block, keys[BLOCK - 1])
        self.added = []
        for key in self.removed:
            block = bisect_left(self.lasts, key)
            keys = self.blocks[block]
            del keys[bisect_left(keys, key)]
            self.count -= 1
            if not keys:
                del self.blocks[block]
                del self.lasts[block]
            else:
                self.lasts[block] = keys[len(keys) - 1]
        self.removed = set()
        return 0

    cdef int rebuild(self) except -1:
        cdef list keys = []
        cdef Py_ssize_t first
        for block in self.blocks:
            keys.extend(block)
        keys.extend(self.added)
        if self.removed:
            keys = [key for key in keys if key not in self.removed]
            self.removed = set()
        keys.sort()
        self.added = []
        self.count = len(keys)
        self.blocks = [keys[first:first + BLOCK] for first in range(0, self.count, BLOCK)]
        self.lasts = [block[len(block) - 1] for block in self.blocks]
        return 0
