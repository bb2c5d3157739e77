from libc.stdint cimport int64_t

from pylog.streams.state.cursor cimport Cursor
from pylog.streams.state.sorted_keys cimport SortedKeys
from pylog.streams.state.table cimport Table


cdef class DiskTable(Table):
    cdef object disk                     # disk.StoreDisk
    cdef object lock                     # of the disk
    cdef object handle                   # lmdb's of the table
    cdef object transaction              # to read with
    cdef dict dirty                      # by key: value, None for a deletion; not in LMDB yet
    cdef SortedKeys dirty_keys           # in order; None until a range was asked for
    cdef dict recent                     # what was read or written out lately, as LMDB has it
    cdef dict older                      # what was recent
    cdef int64_t skipped                 # deletions in the dict that cursors have come across
    cdef int64_t dirty_size
    cdef int64_t growth                  # about how many entries more than LMDB has
    cdef int64_t recent_size
    cdef int64_t older_size
    cdef unsigned long thread            # that writes: others leave the dicts alone

    cdef bint exists(self, bytes key, bint otherwise) except -1
    cdef object read(self, bytes key)
    cdef int remember(self, bytes key, object value) except -1
    cdef int age(self, dict entries, int64_t size) except -1
    cdef list rows(self, bytes first, bint is_inclusive, Py_ssize_t count, bint is_reverse)


cdef class DiskCursor(Cursor):
    cdef DiskTable table
    cdef bytes first                     # where the next chunk begins
    cdef bytes last                      # the other end, None for none
    cdef bint first_is_inclusive
    cdef bint last_is_inclusive
    cdef bint is_reverse
    cdef bint is_at_end
    cdef Py_ssize_t chunk_size
    cdef list chunk                      # (key, value)
    cdef Py_ssize_t index

    cdef bint is_beyond(self, bytes key) except -1
    cdef bint next_chunk(self) except -1
    cdef int add_dirty(self, dict merged, bytes end) except -1
