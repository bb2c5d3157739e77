"""Cursor, a way through the entries of a store of bytes.

`advance` goes to the next entry and says whether there was one; the entry is in the fields. A store
may change while a cursor is open: a change of what lies ahead may be seen or not, but no entry that
stays is left out or seen twice.
"""


cdef class Cursor:
    """A cursor over nothing, and the base of the others."""

    cdef bint advance(self) except -1:
        return False


cdef class ListCursor(Cursor):
    """A cursor over entries that are all there already."""

    def __init__(self, list entries not None):
        self.entries = entries

    cdef bint advance(self) except -1:
        cdef tuple entry
        if self.index >= len(self.entries):
            return False
        entry = self.entries[self.index]
        self.index += 1
        self.key, self.value, self.start_ms, self.end_ms = entry
        return True
