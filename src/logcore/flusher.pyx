"""Flusher: making the log durable, one fdatasync for all threads and processes that wait.

Who finds the flush lock free leads: it reads the published end, syncs, and publishes the durable
offset; the others sleep until theirs is covered. A failed sync poisons the partition for good: a
second one would say yes while the data is gone. Source: storage engines' group commit.
"""

import errno
import os

cimport cython
from libc.stdint cimport int64_t
from posix.fcntl cimport O_RDONLY
from posix.unistd cimport close

from logcore._c cimport (
    pl_commit, pl_fdatasync, pl_fsync, pl_join_flush, pl_leave_flush, pl_open_at,
    pl_poison, pl_read_commit, pl_segment_name, pl_state, pl_store_durable_offset,
)
from logcore.shared cimport SharedState

from logcore import layout, segments
from logcore.errors import error_from_errno

cdef int64_t SLICE_NS = 50_000_000      # between two looks at pending signals


@cython.final
cdef class Flusher:
    """The file to sync, as this handle last saw it: touched with the flush lock held. One a Log."""

    def __cinit__(self):
        self.directory_fd = -1
        self.forget()

    def __dealloc__(self):
        self.close_file()

    cdef void forget(self) noexcept nogil:
        """Drop the file without closing it: in a forked child it is its parent's."""
        self.base_offset = -1
        self.fd = -1

    cdef void close_file(self) noexcept nogil:
        if self.fd >= 0:
            close(self.fd)
        self.forget()

    cdef int flush_to(self, SharedState shared, int64_t offset, str folder) except -2:
        """Wait until records below `offset` are durable: 0, or 1 when the partition is poisoned, or
        -1 after a slice of waiting. The caller keeps the handle open."""
        cdef int status, error
        cdef pl_state *state = shared.state
        while True:
            with nogil:
                status = pl_join_flush(state, shared.fd, shared.self_word, offset, SLICE_NS)
            if status == 0:
                return 0
            if status == -errno.EIO:
                return 1
            if status != 1:
                return -1
            error = 0
            try:
                error = self._sync_as_leader(state, folder)
            finally:
                if error != 0:
                    pl_poison(state, error, shared.self_word)
                pl_leave_flush(state)

    cdef int _sync_as_leader(self, pl_state *state, str folder) except -1:
        """fdatasync up to the published end: 0, or the errno of a sync that failed.

        With the flush lock held. A file that cannot be opened is an error, and poisons nothing.
        """
        cdef pl_commit commit
        cdef char name[64]
        cdef int status = 0
        pl_read_commit(state, &commit)
        if state.durable_segment_base_offset != commit.segment_base_offset:
            status = self._sync_sealed(folder, state.durable_segment_base_offset,
                                       commit.segment_base_offset)
            if status != 0:
                return status
        if self.base_offset != commit.segment_base_offset:
            if self.fd >= 0:
                close(self.fd)
            pl_segment_name(name, commit.segment_base_offset, b".log")
            self.fd = pl_open_at(self.directory_fd, name, O_RDONLY, 0)
            self.base_offset = commit.segment_base_offset
            if self.fd < 0:
                status = self.fd
                self.forget()
                raise error_from_errno(-status, "open", f"{folder}/{name.decode()}")
        with nogil:
            status = pl_fdatasync(self.fd)
            if status == 0 and state.synced_segment_base_offset != commit.segment_base_offset:
                status = pl_fsync(self.directory_fd)
        if status == 0:
            state.synced_segment_base_offset = commit.segment_base_offset
            state.durable_segment_base_offset = commit.segment_base_offset
            state.durable_position = commit.end_position
            pl_store_durable_offset(state, commit.log_end_offset)
        return -status

    cdef int _sync_sealed(self, str folder, int64_t first_base_offset,
                          int64_t active_base_offset) except -1:
        """Sync the segments that were sealed since the last flush, indexes too."""
        cdef int fd, status
        for base_offset in segments.list_bases(folder):
            if not first_base_offset <= base_offset < active_base_offset:
                continue
            for suffix in (layout.LOG_SUFFIX, layout.INDEX_SUFFIX, layout.TIME_INDEX_SUFFIX):
                name = os.fsencode(layout.segment_file_name(base_offset, suffix))
                fd = pl_open_at(self.directory_fd, name, O_RDONLY, 0)
                if fd == -errno.ENOENT:
                    continue   # deleted by retention meanwhile, or never indexed
                if fd < 0:
                    raise error_from_errno(-fd, "open", f"{folder}/{os.fsdecode(name)}")
                with nogil:
                    status = pl_fdatasync(fd)
                    close(fd)
                if status < 0:
                    return -status
        return 0
