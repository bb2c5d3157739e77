"""SharedState: the mapped `.state` page of a partition, and WakeWord: the bell of a folder.

The page's layout, and who may write which word of it when, stand in c/shared.h. This module owns
the descriptor, the mapping (stdlib mmap) and the slot, and gives them up in a forked child.
"""

import errno
import fcntl
import mmap
import os

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.exc cimport PyErr_CheckSignals
from libc.string cimport memcmp, memcpy, memset
from posix.fcntl cimport O_CREAT, O_RDONLY, O_RDWR
from posix.unistd cimport close

from logcore._c cimport (
    PL_BOOT_ID_SIZE, PL_BYTE_ORDER_MARK, PL_CLEANING_BYTE, PL_FIRST_OPENER_BYTE,
    PL_MAINTENANCE_BYTE, PL_PHASE_POISONED, PL_PHASE_READY, PL_PHASE_RECOVERING, PL_STATE_MAGIC,
    PL_STATE_SIZE, PL_STATE_VERSION, pl_bell, pl_bell_load, pl_bell_ring, pl_bell_wait,
    pl_claim_slot, pl_clock_ns, pl_commit, pl_commit_crc, pl_crc32c_init, pl_fork_count,
    pl_fork_forget, pl_fork_init, pl_fork_register, pl_load_durable_offset, pl_load_io_error,
    pl_load_phase, pl_lock_writer, pl_ofd_lock, pl_open_at, pl_publish_commit, pl_read_commit,
    pl_state, pl_store_durable_offset, pl_store_phase, pl_unlock_writer,
)
from logcore.errors import (
    LockTimeoutError, LogClosedError, LogError, ReadOnlyError, UnsupportedFormatError,
    error_from_errno,
)

pl_crc32c_init()
pl_fork_init()

cdef enum:
    AT_FDCWD = -100
    LOCKS_BEGIN = 0x40      # lock, lock_waiters
    LOCKS_END = 0xc0
    FLUSH_BEGIN = 0x280     # the flush, wake words
    FLUSH_END = 0x400

cdef int64_t LOCK_SLICE_NS = 50_000_000  # between two looks at pending signals
BOOT_ID_PATH = "/proc/sys/kernel/random/boot_id"
COMMIT_FIELDS = (
    "segment_base_offset", "end_position", "log_end_offset", "log_start_offset",
    "offset_index_size", "time_index_size", "unindexed_bytes", "max_timestamp_ms",
    "max_timestamp_offset", "time_index_last_ms", "first_timestamp_ms", "segment_created_ms",
    "segment_list_generation", "last_stable_offset", "leader_epoch", "first_unstable_offset",
    "producer_batch_count",
)


def boot_id():
    """The kernel's id of this boot, 16 bytes: what is in memory survives a process, not a boot."""
    with open(BOOT_ID_PATH) as file:
        return bytes.fromhex(file.read().strip().replace("-", ""))


cdef uint32_t fork_count() noexcept nogil:
    return pl_fork_count


cdef pl_state *_address(object mapping, bint writable) except NULL:
    """The mapping's first byte; the caller keeps `mapping` alive as long as it is used."""
    cdef Py_buffer view
    PyObject_GetBuffer(mapping, &view, PyBUF_WRITABLE if writable else PyBUF_SIMPLE)
    cdef void *address = view.buf
    PyBuffer_Release(&view)
    return <pl_state *>address


cdef class SharedState:
    """One open handle on a partition's `.state` page.

    The life of a handle: `open_exclusive_or_shared`, and when that answers True (nobody else has
    the partition open) the caller makes the page true and calls `publish_ready`; then
    `claim_slot`. A handle without a slot may look but not lock.
    """

    def __cinit__(self):
        self.fd = -1
        self.fork_place = -1

    def __init__(self, path):
        self.path = path
        self.fork_count = pl_fork_count

    def __dealloc__(self):
        self._forget_fd()

    cdef int _open_fd(self, int flags) except -1:
        """Open the file and register it, without letting another thread fork in between."""
        cdef int fd = pl_open_at(AT_FDCWD, os.fsencode(self.path), flags, 0o600)
        if fd < 0:
            raise OSError(-fd, os.strerror(-fd), self.path)
        self.fd = fd
        self.fork_place = pl_fork_register(fd)
        if self.fork_place < 0:
            raise LogError("too many partitions are open in this process")
        return 0

    cdef void _forget_fd(self) noexcept:
        if self.fd >= 0 and self.fork_count == pl_fork_count:
            pl_fork_forget(self.fork_place)
            close(self.fd)   # not os.close: it would let another thread fork in between
        self.fd = -1
        self.fork_place = -1

    cdef bint is_forked(self) noexcept nogil:
        return self.fork_count != pl_fork_count

    def close(self):
        """Give up the slot and the mapping. Idempotent."""
        self._forget_fd()
        self.state = NULL
        self.self_word = 0
        self.mapping = None

    # ---- open ----

    def open_exclusive_or_shared(self):
        """Open the page and take part in it.

        Returns:
            True when no other handle lives: the page holds whatever it held, and the caller must
            rebuild or confirm it before anybody else gets in. False when it is in use and ready.

        Raises:
            UnsupportedFormatError: another version of the library has the partition open.
        """
        self._open_fd(O_RDWR | O_CREAT)
        while True:
            if self._try_lock(fcntl.F_WRLCK):
                if os.fstat(self.fd).st_size < PL_STATE_SIZE:
                    # Written, not truncated to size: every page has its block before it is mapped,
                    # so a store into it cannot meet a full disk.
                    self._write_zeros()
                self._map(True)
                return True
            self._wait_for_shared_lock()
            if os.fstat(self.fd).st_size >= PL_STATE_SIZE:
                self._map(True)
                if pl_load_phase(self.state) in (PL_PHASE_READY, PL_PHASE_POISONED):
                    self._check_version()
                    return False
            # Its first opener gave up half-way: try to be the first.
            pl_ofd_lock(self.fd, fcntl.F_UNLCK, PL_FIRST_OPENER_BYTE, 0)

    def _write_zeros(self):
        done = 0
        while done < PL_STATE_SIZE:
            done += os.pwrite(self.fd, bytes(PL_STATE_SIZE - done), done)

    cdef bint _try_lock(self, int lock_type) except -1:
        cdef int status = pl_ofd_lock(self.fd, lock_type, PL_FIRST_OPENER_BYTE, 0)
        if status == 0:
            return True
        if status == -errno.EAGAIN:
            return False
        raise error_from_errno(-status, "lock", self.path)

    cdef int _wait_for_shared_lock(self) except -1:
        cdef int status
        cdef int fd = self.fd
        cdef int read_lock = fcntl.F_RDLCK
        while True:
            with nogil:
                status = pl_ofd_lock(fd, read_lock, PL_FIRST_OPENER_BYTE, 1)
            if status == 0:
                return 0
            if status != -errno.EINTR:
                raise error_from_errno(-status, "lock", self.path)
            PyErr_CheckSignals()

    cdef int _map(self, bint writable) except -1:
        """Map the page by another open file. A mapping keeps its file open, in forked children too,
        and the lock on the slot's byte would live as long as the longest-lived child."""
        cdef int access = O_RDWR if writable else O_RDONLY
        cdef int fd = pl_open_at(AT_FDCWD, os.fsencode(self.path), access, 0)
        if fd < 0:
            raise OSError(-fd, os.strerror(-fd), self.path)
        try:
            if not os.path.sameopenfile(fd, self.fd):
                raise OSError(errno.ESTALE, "the file was replaced while it was opened", self.path)
            self.mapping = mmap.mmap(
                fd, PL_STATE_SIZE, access=mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ)
        finally:
            close(fd)
        self.state = _address(self.mapping, writable)
        return 0

    cdef int _check_version(self) except -1:
        if (memcmp(self.state.magic, PL_STATE_MAGIC, 8) != 0
                or self.state.byte_order != PL_BYTE_ORDER_MARK):
            raise UnsupportedFormatError(f"{self.path}: in use by a program that is not pylog")
        if self.state.version != PL_STATE_VERSION:
            raise UnsupportedFormatError(
                f"{self.path}: in use by a version of pylog with shared state version "
                f"{self.state.version}; this one has {PL_STATE_VERSION}. Close the other program, "
                "or run both with the same version"
            )
        return 0

    def open_read_only(self):
        """Map the page for looking: True when it is live (this boot, this file, ready)."""
        try:
            self._open_fd(O_RDONLY)
        except FileNotFoundError:
            return False
        if os.fstat(self.fd).st_size < PL_STATE_SIZE:
            return False
        self._map(False)
        return self.is_of_this_boot() and pl_load_phase(self.state) == PL_PHASE_READY

    def is_of_this_boot(self):
        """True when the page was made in this boot, for this very file, and its commit is whole."""
        cdef pl_commit commit
        info = os.fstat(self.fd)
        if (memcmp(self.state.magic, PL_STATE_MAGIC, 8) != 0
                or self.state.version != PL_STATE_VERSION
                or self.state.byte_order != PL_BYTE_ORDER_MARK
                or (<char *>self.state.boot_id)[:PL_BOOT_ID_SIZE] != boot_id()
                or self.state.device != info.st_dev or self.state.inode != info.st_ino):
            return False
        cdef uint64_t seq = pl_read_commit(self.state, &commit)
        if commit.crc != pl_commit_crc(&commit):
            return False
        # The other record is the one before, or unfinished. A later one, or a durable offset beyond
        # the end, says that `seq` is damaged: the files then tell where the log ends.
        cdef pl_commit other = self.state.commit[(seq + 1) & 1]
        return (pl_load_durable_offset(self.state) <= commit.log_end_offset
                and (other.crc != pl_commit_crc(&other)
                     or other.log_end_offset <= commit.log_end_offset))

    def publish_ready(self, commit, durable_offset, durable_segment_base_offset, durable_position):
        """Fill the page anew and let others in. Only for who was answered True at open.

        Args:
            commit: dict of COMMIT_FIELDS.
            durable_offset: records below it are known to be on the disk.
            durable_segment_base_offset: the segment that `durable_position` is a byte of.
            durable_position: bytes of that segment that are on the disk.
        """
        cdef pl_commit record
        info = os.fstat(self.fd)
        identity = boot_id()
        # Slot generations stay: they only ever rise. So do seq and the commit records, which a
        # read-only handle may be looking at.
        pl_store_phase(self.state, PL_PHASE_RECOVERING)
        memset(<char *>self.state + LOCKS_BEGIN, 0, LOCKS_END - LOCKS_BEGIN)
        memset(<char *>self.state + FLUSH_BEGIN, 0, FLUSH_END - FLUSH_BEGIN)
        memcpy(self.state.magic, PL_STATE_MAGIC, 8)
        self.state.version = PL_STATE_VERSION
        self.state.byte_order = PL_BYTE_ORDER_MARK
        memcpy(self.state.boot_id, <char *>identity, PL_BOOT_ID_SIZE)
        self.state.device = info.st_dev
        self.state.inode = info.st_ino
        memset(&record, 0, sizeof(record))
        _fill_commit(&record, commit)
        pl_publish_commit(self.state, &record)
        pl_store_durable_offset(self.state, durable_offset)
        self.state.durable_segment_base_offset = durable_segment_base_offset
        self.state.durable_position = durable_position
        self.state.synced_segment_base_offset = -1
        pl_store_phase(self.state, PL_PHASE_READY)

    def downgrade(self):
        """From alone to one of many."""
        cdef int status = pl_ofd_lock(self.fd, fcntl.F_RDLCK, PL_FIRST_OPENER_BYTE, 0)
        if status != 0:
            raise error_from_errno(-status, "lock", self.path)

    def claim_slot(self):
        """Become able to lock."""
        self.self_word = pl_claim_slot(self.state, self.fd)
        if self.self_word == 0:
            raise LogError(f"{self.path}: all slots are taken by living processes")

    # ---- look ----

    cdef int _check_mapped(self) except -1:
        if self.state == NULL:
            raise LogClosedError(f"{self.path}: closed")
        return 0

    @property
    def phase(self):
        """0 empty, 1 recovering, 2 ready, 3 poisoned."""
        self._check_mapped()
        return pl_load_phase(self.state)

    @property
    def io_error(self):
        """errno of the flush that poisoned the partition, or 0."""
        self._check_mapped()
        return pl_load_io_error(self.state)

    def commit(self):
        """The published commit record, as a dict of COMMIT_FIELDS."""
        cdef pl_commit commit
        self._check_mapped()
        pl_read_commit(self.state, &commit)
        return _commit_dict(&commit)

    def durable(self):
        """(offset, segment_base_offset, position) up to which the disk is known to hold the log."""
        self._check_mapped()
        return (pl_load_durable_offset(self.state), self.state.durable_segment_base_offset,
                self.state.durable_position)

    # ---- locks ----

    cdef int lock(self, int64_t timeout_ms) except -1:
        """Take the writer lock. Only while something keeps this handle from being closed."""
        cdef uint64_t owner = 0
        cdef int status
        cdef int64_t deadline_ns = pl_clock_ns() + timeout_ms * 1_000_000
        if self.self_word == 0:
            raise ReadOnlyError(f"{self.path}: opened for reading only")
        while True:
            with nogil:
                status = pl_lock_writer(self.state, self.fd, self.self_word, LOCK_SLICE_NS, &owner)
            if status >= 0:
                return 0
            PyErr_CheckSignals()
            if pl_clock_ns() > deadline_ns:
                raise self.lock_timeout(owner, timeout_ms)

    cdef void unlock(self) noexcept:
        pl_unlock_writer(self.state)

    def lock_timeout(self, uint64_t owner, timeout_ms):
        """The error that says who holds the writer lock."""
        cdef uint32_t slot = (owner & 0xffffffff) - 1
        process_id = self.state.slot[slot].process_id if slot < 768 else 0
        return LockTimeoutError(
            f"{os.path.dirname(self.path)}: the writer lock is held for {timeout_ms / 1000:g} s by "
            f"process {process_id} (slot {slot}), which is alive; it may be stopped",
            pid=process_id or None, seconds=timeout_ms / 1000)

    def try_maintenance(self):
        """True when this handle may do the partition's housekeeping now (one at a time)."""
        # The kernel would give the lock to another thread of this handle once more.
        if self.is_maintaining or pl_ofd_lock(self.fd, fcntl.F_WRLCK, PL_MAINTENANCE_BYTE, 0) != 0:
            return False
        self.is_maintaining = True
        return True

    def end_maintenance(self):
        """Let another handle do the housekeeping."""
        pl_ofd_lock(self.fd, fcntl.F_UNLCK, PL_MAINTENANCE_BYTE, 0)
        self.is_maintaining = False

    def try_cleaning(self):
        """True when this handle may compact the partition now (one at a time)."""
        if self.is_cleaning or pl_ofd_lock(self.fd, fcntl.F_WRLCK, PL_CLEANING_BYTE, 0) != 0:
            return False
        self.is_cleaning = True
        return True

    def end_cleaning(self):
        """Let another handle compact it."""
        pl_ofd_lock(self.fd, fcntl.F_UNLCK, PL_CLEANING_BYTE, 0)
        self.is_cleaning = False


cdef void _fill_commit(pl_commit *commit, dict fields) except *:
    cdef int64_t *words = <int64_t *>commit
    for i, name in enumerate(COMMIT_FIELDS):
        words[i] = fields[name]


cdef dict _commit_dict(pl_commit *commit):
    cdef int64_t *words = <int64_t *>commit
    return {name: words[i] for i, name in enumerate(COMMIT_FIELDS)}


cdef class WakeWord:
    """One word that a folder's processes share: it rises whenever a partition grew.

    A follower of several partitions loads it, looks at them all, and sleeps until it changes.
    """

    def __init__(self, path):
        self.path = path
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            # Written, not truncated to size, and only what is missing: see SharedState.
            while (size := os.fstat(fd).st_size) < mmap.PAGESIZE:
                os.pwrite(fd, bytes(mmap.PAGESIZE - size), size)
            self.mapping = mmap.mmap(fd, mmap.PAGESIZE)
        finally:
            os.close(fd)
        self.bell = <pl_bell *>_address(self.mapping, True)

    def load(self):
        """The word now: pass it to `wait` after looking."""
        return pl_bell_load(self.bell)

    def ring(self):
        """Say that something changed."""
        pl_bell_ring(self.bell)

    def wait(self, uint32_t seen, double timeout_s):
        """Sleep until the word is not `seen`: True, or False after the timeout or a signal."""
        cdef int status
        cdef int64_t timeout_ns = <int64_t>(timeout_s * 1e9)
        with nogil:
            status = pl_bell_wait(self.bell, seen, timeout_ns)
        PyErr_CheckSignals()
        return status == 1
