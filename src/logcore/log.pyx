"""Log: the segments of one partition; append, flush, roll, read, wait.

Any number of Log handles, in any number of processes and threads, may be open on one folder. The
life of an append: take the writer lock (c/shared.h), pwrite the batch at the published end, write
the sparse index entries, publish the commit record, wake. Everything below the published end is
immutable. What is decided once a segment or once an open stands in Python beside this file:
opening.py, recovery.py, retention.py.
"""

import errno
import os

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memset
from posix.unistd cimport close, usleep

from logcore._c cimport (
    PL_BATCH_HEADER_SIZE, PL_BATCH_OK, PL_BATCH_PREFIX_SIZE, PL_CODEC_MASK, PL_RESERVED_BITS,
    PL_TRANSACTIONAL_BIT, pl_batch, pl_bell_ring, pl_check_batch, pl_check_records, pl_clock_ns,
    pl_commit, pl_crc32c_init, pl_load_batch, pl_load_durable_offset, pl_load_io_error,
    pl_load_seq, pl_lock_writer, pl_poison, pl_publish_commit, pl_read_commit, pl_state,
    pl_unlock_writer, pl_wait_for_publish, pl_wake_followers, pl_wall_clock_ms,
)
from logcore.batch cimport decompress_records
from logcore.flusher cimport Flusher
from logcore.producers cimport Producers
from logcore.reader cimport LogReader
from logcore.segment cimport SegmentMap
from logcore.shared cimport SharedState, fork_count
from logcore.slices cimport find_slice
from logcore.writer cimport POISONED, WRONG_OFFSET, SegmentWriter

from logcore import (
    cleaner_checkpoint, layout, opening, recovery_mark, segments, timestamps, transaction_index,
)
from logcore.batch import control_batch
from logcore.config import LogConfig
from logcore.errors import (
    CorruptRecordError, FsyncError, InvalidRecordError, LogClosedError, OffsetMismatchError,
    OffsetOutOfRangeError, ReadOnlyError, RecordTooLargeError, error_from_errno,
)

pl_crc32c_init()

DEFAULT_LOCK_TIMEOUT_MS = 60_000
DELETE_ATTEMPTS = 100   # 10 ms apart
MAPPED_SEGMENTS = 16   # kept mapped by one handle; readers keep theirs beyond that

cdef int64_t SLICE_NS = 50_000_000      # between two looks at pending signals
cdef int64_t MAX_OFFSET = 0x7fffffffffffffff


cdef int _check_client_batch(const uint8_t *data, size_t size, pl_batch *header) except -1:
    """What a client may append: a batch that every reader can read. Source: Kafka LogValidator."""
    cdef const uint8_t *records = data + PL_BATCH_HEADER_SIZE
    cdef const uint8_t *end = data + size
    cdef bytes unpacked
    cdef bint is_sound
    if header.record_count != header.last_offset_delta + 1 or header.record_count < 1:
        raise InvalidRecordError("record_count is not last_offset_delta + 1")
    if header.attributes & PL_RESERVED_BITS:
        raise InvalidRecordError(
            f"attributes {header.attributes:#x}: clients write neither control batches nor bits "
            "that are not in use")
    if header.producer_id >= 0 and (header.producer_epoch < 0 or header.base_sequence < 0):
        raise InvalidRecordError("a batch with a producer id has an epoch and a sequence")
    if header.producer_id < 0 and header.attributes & PL_TRANSACTIONAL_BIT:
        raise InvalidRecordError("a transactional batch has a producer id")
    if header.attributes & PL_CODEC_MASK:
        try:
            unpacked = decompress_records(data, header)
        except CorruptRecordError as error:
            raise InvalidRecordError(str(error)) from None
        records = <const uint8_t *>PyBytes_AS_STRING(unpacked)
        end = records + len(unpacked)
    with nogil:
        is_sound = pl_check_records(records, end, header.record_count)
    if not is_sound:
        raise InvalidRecordError(
            "the records of the batch are malformed, not consecutive, or not record_count many")
    return 0


@cython.final
cdef class Log:
    """One partition: a folder of segments that only grows at its end.

    Args:
        path: the partition's folder; made when missing.
        config: Kafka's topic configs.
        read_only: look only. Works on a read-only file system, takes no slot and no lock.
        create: False raises FileNotFoundError where there is no partition.
        recovery: after a crash of the machine, "strict" refuses a log that lost records which
            were durable; "point_in_time" keeps what stands before the damage. Cut bytes go to
            quarantine/, never away.
        notify: a folder's WakeWord, rung with each append.
        topic_id: uuid.UUID for a new partition's metadata; a random one by default.
        lock_timeout_ms: how long to wait for a writer that is alive and does not move.

    Raises:
        CorruptRecordError, UnsupportedFormatError, UnsupportedFileSystemError, DiskFullError,
        LogIOError: with the place and what to do.
    """

    def __cinit__(self):
        self.directory_fd = -1
        self.writer = SegmentWriter()
        self.flusher = Flusher()
        self.known_producers = Producers()
        self.segments_generation = -1

    def __init__(self, path, config=None, *, read_only=False, create=True, recovery="strict",
                 notify=None, topic_id=None, lock_timeout_ms=DEFAULT_LOCK_TIMEOUT_MS,
                 allow_network_file_system=False):
        self.path = os.path.abspath(os.fspath(path))
        self.is_read_only = read_only
        self.recovery_mode = opening.check_recovery_mode(recovery)
        self.notify = notify
        self.lock_timeout_ms = lock_timeout_ms
        self.is_closed = True
        self.maps = {}
        self.reconfigure(config if config is not None else LogConfig())
        opening.prepare_folder(self.path, create=create and not read_only, topic_id=topic_id,
                               allow_network_file_system=allow_network_file_system)
        self._attach()

    def _attach(self):
        """Open the folder and the shared page: at first, and again in a forked child."""
        self.writer.forget()
        self.flusher.forget()
        self.known_producers.forget()
        self.directory_fd = -1
        self.users = 0
        self.maps.clear()
        self.places = None
        self.aborted_ranges = None
        self.segments_generation = -1
        self.shared = SharedState(os.path.join(self.path, layout.STATE_FILE))
        memset(&self.fixed_commit, 0, sizeof(self.fixed_commit))
        try:
            self.directory_fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self.writer.directory_fd = self.flusher.directory_fd = self.directory_fd
            if self.is_read_only:
                self.is_live = self.shared.open_read_only()
                if not self.is_live:
                    self._fix_commit(opening.look(self.path, self.config))
            else:
                self.is_live = True
                self.recovered = opening.attach(self.shared, self.path, self.config,
                                                self.recovery_mode)
        except BaseException as error:
            self.shared.close()
            if self.directory_fd >= 0:
                close(self.directory_fd)
            self.directory_fd = -1
            if isinstance(error, OSError):
                raise error_from_errno(error.errno or 0, "open", self.path) from error
            raise
        self.fork_count = fork_count()   # only now: where it failed, the next call tries again
        self.is_closed = False

    def _fix_commit(self, commit):
        self.fixed_commit.segment_base_offset = commit["segment_base_offset"]
        self.fixed_commit.end_position = commit["end_position"]
        self.fixed_commit.log_end_offset = commit["log_end_offset"]
        self.fixed_commit.log_start_offset = commit["log_start_offset"]
        self.fixed_commit.max_timestamp_ms = commit["max_timestamp_ms"]
        self.fixed_commit.leader_epoch = commit["leader_epoch"]
        self.fixed_commit.last_stable_offset = commit["last_stable_offset"]
        self.fixed_commit.first_unstable_offset = commit["first_unstable_offset"]
        # Indexes of files that nobody owns: as long as they are; look-ups are checked anyway.
        self.fixed_commit.offset_index_size = 1 << 40
        self.fixed_commit.time_index_size = 1 << 40

    cdef int check_open(self) except -1:
        if self.is_closed:
            raise LogClosedError(f"{self.path}: the log is closed")
        if self.fork_count != fork_count():
            self._attach()   # a forked child: its parent's locks are not ours
        return 0

    cdef int check_writable(self) except -1:
        self.check_open()
        if self.is_read_only:
            raise ReadOnlyError(f"{self.path}: opened for reading only")
        return 0

    cdef int enter(self) except -1:
        """Keep the descriptors and the slot until `leave`, even if another thread closes."""
        self.check_open()
        self.users += 1
        return 0

    cdef void leave(self) noexcept:
        if self.users > 0:
            self.users -= 1
        if self.is_closed and self.users == 0:
            self._release()

    cdef int check_waiting(self) except -1:
        """Between two slices of waiting: signals, and a close by another thread."""
        PyErr_CheckSignals()
        if self.is_closed or self.fork_count != fork_count():
            raise LogClosedError(f"{self.path}: the log was closed meanwhile")
        return 0

    cdef int _lock_writer(self) except -1:
        """Take the writer lock for something other than an append."""
        self.check_writable()
        self.enter()
        try:
            self.shared.lock(self.lock_timeout_ms)
        except BaseException:
            self.leave()
            raise
        return 0

    cdef void _unlock_writer(self) noexcept:
        self.shared.unlock()
        self.leave()

    def reconfigure(self, config):
        """Use other topic configs from now on."""
        self.config = config
        self.segment_bytes = config.segment_size_bytes
        self.max_message_bytes = config.max_message_bytes
        self.requires_keys = "compact" in config.cleanup_policy
        self.allows_gaps = cleaner_checkpoint.may_have_gaps(self.path, config)
        self.writer.configure(config, segments.roll_jitter_ms(config))

    def close(self):
        """Give up this handle. Idempotent. The files end at the last batch: nothing to trim.

        What other threads are doing with it is done first: the last of them gives it up.
        """
        if self.is_closed:
            return
        self.is_closed = True
        if self.users == 0 or self.fork_count != fork_count():
            self._release()

    cdef void _release(self) noexcept:
        if self.fork_count == fork_count():
            self.writer.close_files()
            self.flusher.close_file()
            if self.directory_fd >= 0:
                close(self.directory_fd)
        self.writer.forget()
        self.flusher.forget()
        self.known_producers.forget()
        self.directory_fd = -1
        self.maps.clear()
        self.places = None
        self.shared.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def __dealloc__(self):
        if not self.is_closed and self.directory_fd >= 0 and self.fork_count == fork_count():
            close(self.directory_fd)

    def __repr__(self):
        state = "closed" if self.is_closed else "read-only" if self.is_read_only else "open"
        return f"<Log {self.path!r} {state}>"

    # ---- where the log stands ----

    cdef uint64_t load_commit(self, pl_commit *commit) except? 0:
        self.check_open()
        if not self.is_live:
            commit[0] = self.fixed_commit
            return 1
        return pl_read_commit(self.shared.state, commit)

    cdef uint64_t load_seq(self) noexcept nogil:
        return pl_load_seq(self.shared.state) if self.is_live else 1

    def commit(self):
        """The published commit record as a dict (see shared.COMMIT_FIELDS)."""
        self.check_open()
        if self.is_live:
            return self.shared.commit()
        return {"segment_base_offset": self.fixed_commit.segment_base_offset,
                "end_position": self.fixed_commit.end_position,
                "log_end_offset": self.fixed_commit.log_end_offset,
                "log_start_offset": self.fixed_commit.log_start_offset,
                "max_timestamp_ms": self.fixed_commit.max_timestamp_ms,
                "leader_epoch": self.fixed_commit.leader_epoch,
                "last_stable_offset": self.fixed_commit.last_stable_offset,
                "first_unstable_offset": self.fixed_commit.first_unstable_offset,
                "segment_list_generation": 0}

    @property
    def log_start_offset(self):
        """First offset that may be read."""
        cdef pl_commit commit
        self.load_commit(&commit)
        return commit.log_start_offset

    @property
    def log_end_offset(self):
        """Offset of the next record to be written."""
        cdef pl_commit commit
        self.load_commit(&commit)
        return commit.log_end_offset

    @property
    def high_watermark(self):
        """Records below it may be read: with one copy of the log, its end."""
        return self.log_end_offset

    @property
    def last_stable_offset(self):
        """Records below it belong to no open transaction: how far read_committed reads."""
        cdef pl_commit commit
        self.load_commit(&commit)
        return max(commit.last_stable_offset, commit.log_start_offset)

    @property
    def durable_offset(self):
        """Records below it survive a power cut, as far as the disk keeps its word."""
        self.check_open()
        if not self.is_live:
            return self.fixed_commit.log_end_offset
        return pl_load_durable_offset(self.shared.state)

    @property
    def leader_epoch(self):
        """How often the log was recovered after a crash of the machine."""
        cdef pl_commit commit
        self.load_commit(&commit)
        return commit.leader_epoch

    @property
    def size_bytes(self):
        """Bytes of all .log files."""
        return sum(segment.size_bytes for segment in self.segments())

    # ---- producers ----

    def producers(self):
        """producer_snapshots.ProducerInfo of every producer id that wrote here of late."""
        self.check_writable()
        return self.known_producers.describe(self)[0]

    def append_marker(self, int64_t producer_id, int16_t producer_epoch, bint is_commit, *,
                      int32_t coordinator_epoch=0, timestamp_ms=None):
        """End a producer's transaction in this partition: its records count from now on, or never.

        Args:
            producer_id: of the producer.
            producer_epoch: not below the one that wrote. A higher one fences those below it, also
                where no transaction is open.
            is_commit: False aborts.
            coordinator_epoch: of who decided; a lower one than the last marker's is refused.
            timestamp_ms: of the marker, None for now.

        Returns:
            The marker's offset.

        Raises:
            InvalidProducerEpochError: a newer epoch, or a newer coordinator, has written.
        """
        marker = control_batch(producer_id, producer_epoch, is_commit, coordinator_epoch,
                               pl_wall_clock_ms() if timestamp_ms is None else timestamp_ms)
        return self.append_raw(<uint8_t *>PyBytes_AS_STRING(marker), len(marker), -1)

    def aborted_transactions(self, int64_t first_offset, int64_t end_offset):
        """(producer_id, first_offset, last_offset) of the aborted ones that reach into a range.

        The last offset is the marker's. Source: Kafka UnifiedLog.collectAbortedTransactions.
        """
        cdef pl_commit commit
        self.load_commit(&commit)
        if commit.producer_batch_count == 0:
            return []   # no producer with an id has ever written here
        if self.aborted_ranges is None:
            self.aborted_ranges = transaction_index.AbortedRanges()
        return self.aborted_ranges.between(self, first_offset, end_offset)

    # ---- append ----

    def append(self, batch, int64_t expected_offset=-1):
        """Append one record batch v2 as a producer sends it; its base offset is set here.

        A batch with a producer id is held against that producer's last ones: a retry is answered
        with the offset it has, and nothing is written.

        Args:
            batch: bytes-like; copied first, so a later change of it does no harm.
            expected_offset: append only if this is the log end offset; -1 for any.

        Returns:
            The offset of the batch's first record. The records are in the page cache: they survive
            the death of every process, and a power cut after `flush`.

        Raises:
            InvalidRecordError: the batch is malformed or not for clients to write.
            RecordTooLargeError, OffsetMismatchError, DiskFullError, FsyncError, LockTimeoutError.
            OutOfOrderSequenceError, InvalidProducerEpochError, InvalidTxnStateError: what a broker
                answers a producer that is not in step.
        """
        cdef Py_buffer view
        cdef pl_batch header
        cdef int status
        PyObject_GetBuffer(batch, &view, PyBUF_SIMPLE)
        try:
            copied = PyBytes_FromStringAndSize(<const char *>view.buf, view.len)
        finally:
            PyBuffer_Release(&view)
        cdef uint8_t *data = <uint8_t *>PyBytes_AS_STRING(copied)
        cdef size_t size = len(copied)
        with nogil:
            status = pl_check_batch(data, size, &header)
        if status != PL_BATCH_OK or header.batch_length + PL_BATCH_PREFIX_SIZE != size:
            raise InvalidRecordError("append takes exactly one whole record batch v2 with its CRC")
        _check_client_batch(data, size, &header)
        return self.append_raw(data, size, expected_offset)

    cdef int check_keys(self, bint lacks_key) except -1:
        """What clients ask before they append a batch. Source: Kafka LogValidator."""
        if lacks_key and self.requires_keys:
            raise InvalidRecordError(
                f"{self.path}: a compacted topic (cleanup.policy) takes no record without a key: "
                "compaction would drop it")
        return 0

    cdef int64_t append_raw(self, uint8_t *batch, size_t size, int64_t expected_offset) except -1:
        """Append a sealed batch; its base offset, epoch and maybe timestamp are written into it."""
        return self.append_within(batch, size, expected_offset, self.lock_timeout_ms)

    cdef int64_t append_within(self, uint8_t *batch, size_t size, int64_t expected_offset,
                               int64_t lock_timeout_ms) except -1:
        """The same, with how long to wait for who has the writer lock and is alive."""
        cdef int64_t slice_ns = min(SLICE_NS, lock_timeout_ms * 1_000_000)
        cdef int64_t result = 0, now_ms
        cdef int64_t log_end_offset = 0
        cdef uint64_t owner = 0
        cdef int status
        cdef int64_t deadline_ns = 0
        cdef pl_state *state
        cdef pl_batch header
        cdef SharedState shared
        self.check_writable()
        if <int64_t>size > self.max_message_bytes or <int64_t>size > self.segment_bytes:
            raise RecordTooLargeError(
                f"a batch of {size} bytes is over max.message.bytes={self.max_message_bytes} "
                f"or segment.bytes={self.segment_bytes}")
        self.enter()
        try:
            pl_load_batch(batch, &header)
            if header.producer_id >= 0:
                return self.known_producers.append(self, batch, size, &header, expected_offset,
                                                   lock_timeout_ms)
            shared = self.shared
            state = shared.state
            while True:
                with nogil:
                    status = pl_lock_writer(state, shared.fd, shared.self_word, slice_ns, &owner)
                    if status >= 0:
                        now_ms = pl_wall_clock_ms()
                        result = self.writer.append(state, batch, size, expected_offset, now_ms,
                                                    NULL, &log_end_offset)
                        pl_unlock_writer(state)
                        if result >= 0:
                            pl_wake_followers(state)
                            if self.notify is not None:
                                pl_bell_ring(self.notify.bell)
                if status >= 0:
                    break
                self.check_waiting()
                if deadline_ns == 0:
                    deadline_ns = pl_clock_ns() + lock_timeout_ms * 1_000_000 - slice_ns
                if pl_clock_ns() >= deadline_ns:
                    raise shared.lock_timeout(owner, lock_timeout_ms)
        finally:
            self.leave()
        if result >= 0:
            return result
        self.raise_refused(result, expected_offset, log_end_offset)

    cdef raise_refused(self, int64_t result, int64_t expected_offset, int64_t log_end_offset):
        """The error for what SegmentWriter.append answered."""
        if result == WRONG_OFFSET:
            raise OffsetMismatchError(
                f"{self.path}: expected to append at offset {expected_offset}, the log ends at "
                f"{log_end_offset}", expected_offset=expected_offset,
                log_end_offset=log_end_offset)
        if result == POISONED:
            raise self._poisoned()
        raise error_from_errno(-result, "append to", self.path)

    def roll(self):
        """Seal the active segment if it holds anything. Returns the active base offset."""
        cdef pl_commit commit
        cdef int64_t status = 0
        cdef pl_state *state
        self._lock_writer()
        try:
            state = self.shared.state
            if pl_load_io_error(state):
                raise self._poisoned()
            pl_read_commit(state, &commit)
            status = self.writer.use_active(state, &commit)
            if status == 0 and commit.end_position > 0:
                status = self.writer.roll(state, &commit, pl_wall_clock_ms())
        finally:
            self._unlock_writer()
        if status < 0:
            raise error_from_errno(-status, "roll", self.path)
        return commit.segment_base_offset

    def _poisoned(self):
        code = self.shared.io_error
        if code == errno.ENOENT:
            return LogClosedError(f"{self.path}: the partition was deleted")
        return FsyncError(
            f"{self.path}: a flush failed ({os.strerror(code)}); what was not durable may be gone. "
            "The partition takes no more records until every program on it has closed it and it "
            "is opened anew, which checks what the disk really holds",
            errno=code, path=self.path)

    cdef bint is_deleted(self) noexcept:
        """True when the partition's folder was deleted, or is about to be."""
        return self.is_live and pl_load_io_error(self.shared.state) == errno.ENOENT

    @property
    def was_deleted(self):
        """Whether the partition's folder was deleted, or is about to be."""
        return self.is_deleted()

    def mark_deleted(self):
        """Make every handle on the partition refuse appends: its folder is about to go."""
        self.check_writable()
        pl_poison(self.shared.state, errno.ENOENT, self.shared.self_word)
        pl_wake_followers(self.shared.state)

    # ---- flush ----

    def flush(self):
        """Make everything that is in the log now durable: one fdatasync for all who wait.

        Returns:
            The durable offset.

        Raises:
            FsyncError: the disk failed. It stays so for every process: a second fdatasync would
                say yes while the data is gone.
        """
        cdef pl_commit commit
        self.load_commit(&commit)
        if self.is_live and not self.is_read_only:
            self.flush_to(commit.log_end_offset)
        return self.durable_offset

    cdef int64_t flush_to(self, int64_t offset) except -1:
        """Wait until records below `offset` are durable, as the leader of a flush or a follower."""
        cdef int status
        self.check_writable()
        self.enter()
        try:
            while True:
                status = self.flusher.flush_to(self.shared, offset, self.path)
                if status == 0:
                    return pl_load_durable_offset(self.shared.state)
                if status > 0:
                    raise self._poisoned()
                self.check_waiting()
        finally:
            self.leave()

    def write_recovery_mark(self):
        """Note on disk up to where the log is durable, so that recovery begins there."""
        self.check_open()
        if self.is_live and not self.is_read_only:
            self._write_mark()

    cdef int _write_mark(self) except -1:
        self.enter()
        try:
            recovery_mark.write_for(self, self.shared)
        finally:
            self.leave()
        return 0

    # ---- read ----

    def _bases(self):
        """Base offsets of the published segments, ascending."""
        cdef pl_commit commit
        self.load_commit(&commit)
        if self.segments_generation != commit.segment_list_generation or not self.is_live:
            self.segment_bases = [base for base in segments.list_bases(self.path)
                                  if base <= commit.segment_base_offset]
            self.segments_generation = commit.segment_list_generation
            self._drop_replaced_maps()
        return self.segment_bases

    cdef int _drop_replaced_maps(self) except -1:
        """Forget mappings of files that compaction has replaced; who reads them keeps them."""
        self.allows_gaps = cleaner_checkpoint.may_have_gaps(self.path, self.config)
        for base_offset in list(self.maps):
            path = os.path.join(self.path,
                                layout.segment_file_name(base_offset, layout.LOG_SUFFIX))
            try:
                inode = os.stat(path).st_ino
            except FileNotFoundError:
                inode = None
            segment = self.maps.get(base_offset)
            if segment is not None and segment.inode != inode:
                self.maps.pop(base_offset, None)
        return 0

    cdef void forget_bases(self) noexcept:
        """Look at the folder again: a file that should be there is not."""
        self.segments_generation = -1

    cdef SegmentMap map_segment(self, int64_t base_offset):
        cdef SegmentMap segment = self.maps.pop(base_offset, None)
        if segment is None:
            path = os.path.join(self.path,
                                layout.segment_file_name(base_offset, layout.LOG_SUFFIX))
            try:
                segment = SegmentMap(path, base_offset, self.segment_bytes)
            except FileNotFoundError:
                raise   # deleted: the caller knows what that means
            except OSError as error:
                raise error_from_errno(error.errno or 0, "open", path) from error
            if len(self.maps) >= MAPPED_SEGMENTS:
                del self.maps[next(iter(self.maps))]
        self.maps[base_offset] = segment
        return segment

    def reader(self, int64_t offset, int64_t fetch_bytes=256 << 10, *, bint read_committed=False):
        """A cursor that begins at `offset`.

        Args:
            offset: first wanted.
            fetch_bytes: how many bytes of small batches to copy at a time.
            read_committed: stop at last_stable_offset, and leave out what was aborted.

        Raises:
            OffsetOutOfRangeError: not within [log_start_offset, log_end_offset].
        """
        return LogReader(self, offset, fetch_bytes, read_committed=read_committed)

    def read(self, int64_t offset, int64_t max_bytes):
        """Whole batches as they stand in the log, from the one that holds `offset`.

        Returns:
            At least one batch, however large, and others within max_bytes; b"" at the log end.
        """
        return LogReader(self, offset, max_bytes).read_batches(max_bytes)

    def read_slice(self, int64_t offset, int64_t max_bytes, int64_t end_offset=MAX_OFFSET, *,
                   bint at_least_one=True):
        """Whole batches from the one that holds `offset` on, not copied: see slices.Slice.

        Args:
            offset: first wanted.
            max_bytes: of the slice; it ends with a segment in any case.
            end_offset: batches that begin there or later are left out.
            at_least_one: the first batch is in it however large it is.

        Returns:
            A Slice, or None when there is no batch to put into it.

        Raises:
            OffsetOutOfRangeError: not within [log_start_offset, log_end_offset].
            CorruptRecordError: the first batch is not sound.
        """
        return find_slice(self, offset, max_bytes, end_offset, at_least_one)

    def read_columns(self, int64_t offset, int64_t max_records=65536, int64_t max_bytes=64 << 20,
                     *, bint read_committed=False):
        """Records as numpy arrays of offsets, timestamps and the places of keys and values.

        See columns.Columns. Returns at least one batch's records, empty at the log end; at a
        segment's end it stops short: go on at `columns.next_offset`.
        """
        from logcore.columns import read_columns
        return read_columns(LogReader(self, offset, read_committed=read_committed), max_records,
                            max_bytes)

    def offset_for_timestamp(self, int64_t timestamp_ms):
        """(offset, timestamp_ms) of the first record at or after a time, None when there is none.

        Source: Kafka UnifiedLog.fetchOffsetByTimestamp.
        """
        return timestamps.find_timestamp(self, timestamp_ms)

    def max_timestamp(self):
        """(offset, timestamp_ms) of the first record with the largest time, None without records.

        Source: Kafka UnifiedLog.fetchOffsetByTimestamp, ListOffsetsRequest.MAX_TIMESTAMP.
        """
        return timestamps.find_largest(self)

    def segments(self):
        """retention.SegmentInfo of each segment, oldest first."""
        # The commit first: with a roll in between, the old active segment would seem to end where
        # the log ends, and retention count fresh records to it.
        commit = self.commit()
        return segments.describe(
            self, [base for base in self._bases() if base <= commit["segment_base_offset"]], commit)

    # ---- shorten ----

    def raise_log_start(self, int64_t offset):
        """Raise log_start_offset to `offset` if it is below: True when it changed."""
        cdef pl_commit commit
        cdef pl_state *state
        self.check_writable()
        if not 0 <= offset <= self.log_end_offset:
            raise OffsetOutOfRangeError(
                f"{self.path}: cannot begin the log at offset {offset}, it ends at "
                f"{self.log_end_offset}")
        self._lock_writer()
        try:
            state = self.shared.state
            pl_read_commit(state, &commit)
            changed = offset > commit.log_start_offset
            if changed:
                commit.log_start_offset = offset
                commit.segment_list_generation += 1
                pl_publish_commit(state, &commit)
        finally:
            self._unlock_writer()
        return changed

    def delete_records(self, int64_t before_offset):
        """Forget the records below an offset, -1 for all; whole segments below it are unlinked.

        Returns:
            The new log_start_offset, durable.
        """
        self.raise_log_start(self.log_end_offset if before_offset == -1 else before_offset)
        self._write_mark()
        # Not while a compaction swaps segments: the name of one that may go is then another's.
        # Where that lasts, retention deletes what lies below the start.
        for _attempt in range(DELETE_ATTEMPTS):
            if self.try_maintenance():
                try:
                    segments.delete_below(self, self.log_start_offset)
                finally:
                    self.end_maintenance()
                break
            with nogil:
                usleep(10_000)
        return self.log_start_offset

    def apply_retention(self, now_ms=None):
        """Delete what retention.ms and retention.bytes let go. Returns the deleted SegmentInfos."""
        self.check_writable()
        return segments.apply_retention(self, pl_wall_clock_ms() if now_ms is None else now_ms)

    def seal_checksums(self):
        """Write the .sum file of each sealed segment without one. Returns how many."""
        from logcore import seal
        self.check_writable()
        return seal.write_missing(self.path, self._bases()[:-1])

    def try_maintenance(self):
        """True when this handle may do the partition's housekeeping (one handle at a time)."""
        self.check_open()
        return self.is_live and not self.is_read_only and self.shared.try_maintenance()

    def end_maintenance(self):
        """Let another handle do the housekeeping."""
        self.shared.end_maintenance()

    def try_cleaning(self):
        """True when this handle may compact the partition (one handle at a time)."""
        self.check_open()
        if not self.is_live or self.is_read_only or not self.shared.try_cleaning():
            return False
        self.enter()   # a close by another thread lets go of the lock only afterwards
        return True

    def end_cleaning(self):
        """Let another handle compact it."""
        self.shared.end_cleaning()
        self.leave()

    def publish_segments(self):
        """Tell every handle that files of sealed segments came or went."""
        cdef pl_commit commit
        self._lock_writer()
        try:
            pl_read_commit(self.shared.state, &commit)
            commit.segment_list_generation += 1
            pl_publish_commit(self.shared.state, &commit)
        finally:
            self._unlock_writer()

    # ---- wait ----

    cdef int wait_for_publish(self, uint64_t seen_seq, int64_t spin_ns,
                              int64_t timeout_ns) except -1:
        """Sleep until something was published after `seen_seq`: 1, or 0 after the timeout."""
        cdef int64_t deadline_ns = pl_clock_ns() + timeout_ns
        cdef int64_t left_ns = timeout_ns
        self.check_open()
        cdef SharedState shared = self.shared
        _mapping = shared.mapping   # outlives a close() by another thread
        cdef pl_state *state = shared.state
        cdef int published = 0
        while True:
            with nogil:
                if self.is_live and not self.is_read_only:
                    published = pl_wait_for_publish(state, seen_seq, spin_ns,
                                                    min(left_ns, SLICE_NS))
                else:
                    published = self._poll_for_publish(state, seen_seq, min(left_ns, SLICE_NS))
            if published:
                return 1
            self.check_waiting()
            left_ns = deadline_ns - pl_clock_ns()
            if left_ns <= 0:
                return 0

    cdef int _poll_for_publish(self, pl_state *state, uint64_t seen_seq,
                               int64_t timeout_ns) noexcept nogil:
        """A read-only page cannot count its sleepers: look every millisecond."""
        cdef int64_t deadline_ns = pl_clock_ns() + timeout_ns
        while True:
            if self.is_live and pl_load_seq(state) != seen_seq:
                return 1
            if pl_clock_ns() >= deadline_ns:
                return 0
            usleep(1000)

    def wait(self, int64_t offset, double timeout_s):
        """Sleep until the log holds a record at `offset`: True, or False after the timeout."""
        cdef pl_commit commit
        cdef uint64_t seq
        cdef int64_t deadline_ns = pl_clock_ns() + <int64_t>(timeout_s * 1e9)
        while True:
            seq = self.load_commit(&commit)
            if commit.log_end_offset > offset:
                return True
            left_ns = deadline_ns - pl_clock_ns()
            if left_ns <= 0 or not self.wait_for_publish(seq, 20_000, left_ns):
                return self.log_end_offset > offset
