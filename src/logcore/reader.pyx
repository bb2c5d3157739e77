"""LogReader: a cursor over one partition's records.

Batches are copied out of the mapping into a private buffer (under the SIGBUS guard), checked there
- bounds, CRC, epoch, offset continuity - and decoded from there: what is handed out was checked
after it was copied, and nothing that another process does to the file can change it. One copy of
64 KiB costs about 4 µs, some 7 ns a record of 100 bytes.
"""

import os

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_RawFree, PyMem_RawRealloc
from libc.stdint cimport int64_t, uint32_t

from logcore._c cimport (
    PL_BATCH_HEADER_SIZE, PL_BATCH_INCOMPLETE, PL_BATCH_OK, PL_BATCH_PREFIX_SIZE, PL_CODEC_MASK,
    PL_CONTROL_BIT, PL_TRANSACTIONAL_BIT, pl_batch, pl_batch_size, pl_batch_status, pl_check_batch,
    pl_check_batch_header, pl_crc32c_init, pl_get_record, pl_record, pl_record_timestamp,
)
from logcore.batch cimport corrupt_batch, decode_headers, decompress_records
from logcore.log cimport Log
from logcore.segment cimport SegmentMap
from logcore.shared cimport fork_count

from logcore import layout
from logcore.batch import Record
from logcore.errors import CorruptRecordError, LogClosedError, OffsetOutOfRangeError
from logcore.index import OffsetIndex
from logcore.transaction_index import AbortedTransactions

pl_crc32c_init()

RELIST_ATTEMPTS = 100   # a file that is gone from the list when it is looked at again


@cython.final
cdef class LogReader:
    """Reads one partition forward from an offset, following it as it grows.

    Iterating yields batch.Record up to the log end and then stops; iterating again goes on. Not for
    several threads at once.

    Args:
        log: to read.
        offset: first wanted.
        fetch_bytes: how many bytes of small batches to copy at a time.
        read_committed: stop at the last stable offset, and leave out what was aborted.
        allows_gaps: offsets may be missing; by default as the topic's cleanup.policy says.

    Raises:
        OffsetOutOfRangeError: not within [log_start_offset, log_end_offset].
    """

    def __init__(self, Log log not None, int64_t offset, int64_t fetch_bytes=256 << 10, *,
                 bint read_committed=False, allows_gaps=None):
        self.log = log
        self.fetch_bytes = max(fetch_bytes, 4096)
        self.read_committed = read_committed
        self.has_own_gap_rule = allows_gaps is not None
        self.allows_gaps = allows_gaps is not None and allows_gaps
        self.seek(offset)

    def __dealloc__(self):
        PyMem_RawFree(self.buffer)

    def seek(self, int64_t offset):
        """Go to `offset`: the next record handed out is the first at or after it."""
        self.seq = self.log.load_commit(&self.commit)
        if not self.commit.log_start_offset <= offset <= self.commit.log_end_offset:
            raise OffsetOutOfRangeError(
                f"{self.log.path}: offset {offset} is not within "
                f"[{self.commit.log_start_offset}, {self.commit.log_end_offset}]")
        self.records_left = 0
        self.filled = self.cursor = 0
        self.aborted = None
        self._stand_at(offset)
        self.next_offset = offset

    cdef int _stand_at(self, int64_t offset) except -1:
        """Stand at the batch that holds `offset`, or at the end of the segment that would."""
        for _attempt in range(RELIST_ATTEMPTS):
            base_offset = max((base for base in self.log._bases() if base <= offset), default=None)
            if base_offset is None:
                self._check_deleted()
                raise OffsetOutOfRangeError(f"{self.log.path}: no segment holds offset {offset}")
            if self._enter(base_offset):
                self.skip_to(offset)
                return 0
        self._check_deleted()
        raise OffsetOutOfRangeError(
            f"{self.log.path}: the segment at offset {base_offset} was deleted")

    cdef bint _enter(self, int64_t base_offset) except -1:
        """Stand at the first byte of a segment. False when its file is gone: look again which
        segments there are, retention or compaction took it."""
        try:
            self.segment = self.log.map_segment(base_offset)
        except FileNotFoundError:
            self.log.forget_bases()
            return False
        if not self.has_own_gap_rule:
            self.allows_gaps = self.log.allows_gaps
        self.position = 0
        self.expected_offset = base_offset
        self.standing_generation = self.commit.segment_list_generation
        self._find_end()
        return True

    cdef bint _advance(self) except -1:
        """From the end of a sealed segment to where the log goes on: False when nothing follows.

        That is the segment which holds the next offset, and that may be an earlier one than the
        one after this: compaction puts several segments into the first of them, whose name may be
        the one that this reader stands in, of a file that is there no more.
        """
        cdef int64_t expected = self.expected_offset
        cdef SegmentMap segment
        for _attempt in range(RELIST_ATTEMPTS):
            bases = self.log._bases()
            base_offset = max((base for base in bases if base <= expected), default=None)
            if base_offset is not None:
                try:
                    segment = self.log.map_segment(base_offset)
                except FileNotFoundError:
                    self.log.forget_bases()
                    continue
                if segment.inode == self.segment.inode:
                    base_offset = None   # read to its end
            if base_offset is None:
                base_offset = min((base for base in bases if base > self.segment.base_offset
                                   and base > expected), default=None)
                if base_offset is None:
                    return False
                if not self.allows_gaps or self.log.log_start_offset > expected:
                    self._raise_gap(expected, base_offset)
            if self._enter(base_offset):
                self.skip_to(expected)
                self.expected_offset = max(self.expected_offset, expected)
                return True
        self._check_deleted()
        return False

    cdef int _find_end(self) except -1:
        if self.segment.base_offset == self.commit.segment_base_offset:
            self.segment_end = self.commit.end_position
        else:
            self.segment_end = self.segment.file_size()
        if self.segment_end > self.segment.mapped_size:
            # a larger segment.bytes came into force after the mapping was made
            self.log.maps.pop(self.segment.base_offset, None)
            inode = self.segment.inode
            self.segment = SegmentMap(self.segment.path, self.segment.base_offset,
                                      self.segment_end * 2)
            if self.segment.inode != inode:
                self._stand_at(self.expected_offset)   # compacted meanwhile
        return 0

    cdef int skip_to(self, int64_t offset) except -1:
        """Move `position` to the batch that holds `offset`, by the index and by headers."""
        cdef int64_t position
        cdef pl_batch batch
        if offset <= self.segment.base_offset:
            return 0
        is_active = self.segment.base_offset == self.commit.segment_base_offset
        path = os.path.join(self.log.path, layout.segment_file_name(self.segment.base_offset,
                                                                    layout.INDEX_SUFFIX))
        index = OffsetIndex(path, self.segment.base_offset,
                            self.commit.offset_index_size if is_active else None)
        position = index.lookup(offset - 1)   # entries name last offsets: below, or exactly before
        if 0 < position < self.segment_end:
            # Only a hint: believe it when a sound batch at or below the target starts there.
            self.position = position
            if self._is_sound_start(offset):
                self.peek_batch(&batch)
                self.expected_offset = batch.base_offset
            else:
                self.position = 0
        while self.position < self.segment_end:
            size = self.peek_batch(&batch)
            if batch.base_offset + batch.last_offset_delta >= offset:
                return 0
            self.position += size
            self.expected_offset = batch.base_offset + batch.last_offset_delta + 1
        return 0

    cdef bint _is_sound_start(self, int64_t offset) except -1:
        cdef uint8_t header[64]
        cdef pl_batch batch
        if self.segment_end - self.position < PL_BATCH_HEADER_SIZE:
            return False
        self.segment.copy(header, self.position, PL_BATCH_HEADER_SIZE)
        if pl_check_batch_header(header, PL_BATCH_HEADER_SIZE, &batch) != PL_BATCH_OK:
            return False
        return self.segment.base_offset <= batch.base_offset <= offset

    cdef bint refresh(self) except -1:
        """Look for more: True when there are bytes to read at `position`."""
        cdef uint64_t seq
        while True:
            if self.position < self.segment_end:
                return True
            if self.log.is_closed:
                raise LogClosedError(f"{self.log.path}: the log is closed")
            seq = self.log.load_seq()
            if seq != self.seq or self.log.fork_count != fork_count():
                self.seq = self.log.load_commit(&self.commit)
                self._find_end()
                if self.position < self.segment_end:
                    return True
            if self.segment.base_offset >= self.commit.segment_base_offset:
                self._check_deleted()
                return False
            # A sealed segment is read to its end: on to the next one.
            self._find_end()
            if self.position < self.segment_end:
                return True
            if not self._advance():
                return False

    cdef int _check_deleted(self) except -1:
        if self.log.is_deleted():
            raise LogClosedError(f"{self.log.path}: the partition was deleted")
        return 0

    cdef object _raise_gap(self, int64_t expected, int64_t base_offset):
        if self.log.log_start_offset > expected:
            raise OffsetOutOfRangeError(
                f"{self.log.path}: offset {expected} was deleted, the log begins at "
                f"{self.log.log_start_offset}")
        raise CorruptRecordError(
            f"the segment ends at offset {expected}, but the next one begins at {base_offset}",
            path=self.segment.path, offset=expected)

    cdef int64_t peek_batch(self, pl_batch *batch) except -1:
        """Header of the batch at `position`, checked without its CRC; returns its size in bytes."""
        cdef uint8_t header[64]
        cdef int64_t left = self.segment_end - self.position, size
        cdef pl_batch_status status = PL_BATCH_INCOMPLETE
        if left >= PL_BATCH_HEADER_SIZE:
            self.segment.copy(header, self.position, PL_BATCH_HEADER_SIZE)
            status = pl_check_batch_header(header, PL_BATCH_HEADER_SIZE, batch)
        if status == PL_BATCH_OK:
            size = <int64_t>batch.batch_length + PL_BATCH_PREFIX_SIZE
            if size > left:
                status = PL_BATCH_INCOMPLETE
        if status != PL_BATCH_OK:
            raise corrupt_batch(status, self.segment.path, self.position, self.expected_offset)
        return size

    cdef int check_place(self, const pl_batch *batch, int64_t position) except -1:
        """Whether a sound batch is the one that belongs here: these fields have no CRC."""
        if (batch.base_offset < self.expected_offset
                or (batch.base_offset > self.expected_offset and not self.allows_gaps)):
            raise CorruptRecordError(
                f"a batch claims offset {batch.base_offset} where {self.expected_offset} was "
                "expected",
                path=self.segment.path, position=position, offset=self.expected_offset)
        if batch.leader_epoch > self.commit.leader_epoch or batch.leader_epoch < -1:
            raise CorruptRecordError(
                f"a batch claims leader epoch {batch.leader_epoch}, the log is at "
                f"{self.commit.leader_epoch}",
                path=self.segment.path, position=position, offset=self.expected_offset)
        return 0

    cdef bint fill(self) except -1:
        """Copy the next run of whole batches into the buffer: False at the log end."""
        cdef pl_batch batch
        cdef int64_t size, available
        cdef uint8_t *grown
        if not self.refresh():
            return False
        size = self.peek_batch(&batch)
        available = self.segment_end - self.position
        if size < self.fetch_bytes:
            size = min(self.fetch_bytes, available)
        if size > self.capacity:
            grown = <uint8_t *>PyMem_RawRealloc(self.buffer, size)
            if grown == NULL:
                raise MemoryError(f"no memory for a batch of {size} bytes")
            self.buffer = grown
            self.capacity = size
        self.filled = self.cursor = 0
        self.segment.copy(self.buffer, self.position, size)
        self.filled = size
        return True

    cdef bint open_batch(self) except -1:
        """Check and open the next batch: False at the log end. Control batches are passed over."""
        cdef pl_batch_status status
        cdef const uint8_t *start
        cdef bint is_left_out
        cdef int64_t size
        while True:
            if self.read_committed and not self.is_stable(self.expected_offset):
                return False
            if self.filled - self.cursor < PL_BATCH_HEADER_SIZE or (
                    <int64_t>pl_batch_size(self.buffer + self.cursor)
                    > self.filled - self.cursor):
                # The buffer holds no further whole batch (peek_batch checked the first).
                if not self.fill():
                    return False
            start = self.buffer + self.cursor
            with nogil:
                status = pl_check_batch(start, self.filled - self.cursor, &self.batch)
            if status != PL_BATCH_OK:
                raise corrupt_batch(status, self.segment.path, self.position,
                                    self.expected_offset)
            if (self.batch.base_offset != self.expected_offset
                    or <int64_t>self.batch.leader_epoch > self.commit.leader_epoch
                    or self.batch.leader_epoch < -1):
                self.check_place(&self.batch, self.position)
                # over a gap, it may lie beyond what is stable
                if self.read_committed and not self.is_stable(self.batch.base_offset):
                    return False
            size = <int64_t>self.batch.batch_length + PL_BATCH_PREFIX_SIZE
            is_left_out = (self.batch.attributes & PL_CONTROL_BIT != 0
                           or self.batch.record_count == 0)
            if (self.read_committed and not is_left_out
                    and self.batch.attributes & PL_TRANSACTIONAL_BIT):
                if self.has_moved():
                    continue
                is_left_out = self.is_aborted(&self.batch)
                if self.has_moved():   # while the index was read
                    continue
            if is_left_out:
                self.cursor += size
                self.position += size
                self.expected_offset = self.batch.base_offset + self.batch.last_offset_delta + 1
                self.next_offset = max(self.next_offset, self.expected_offset)
                continue
            if self.batch.attributes & PL_CODEC_MASK:
                self.unpacked = decompress_records(start, &self.batch)
                self.record_cursor = <const uint8_t *>PyBytes_AS_STRING(self.unpacked)
                self.records_end = self.record_cursor + PyBytes_GET_SIZE(self.unpacked)
            else:
                self.record_cursor = start + PL_BATCH_HEADER_SIZE
                self.records_end = start + size
            self.cursor += size
            self.position += size
            self.expected_offset = self.batch.base_offset + self.batch.last_offset_delta + 1
            self.records_left = self.batch.record_count
            return True

    cdef bint is_stable(self, int64_t offset) except -1:
        """Whether the transactions of a record at `offset` have ended, as far as is known now."""
        cdef uint64_t seq
        if offset < self.commit.last_stable_offset:
            return True
        if self.log.is_closed:
            raise LogClosedError(f"{self.log.path}: the log is closed")
        seq = self.log.load_seq()
        if seq != self.seq or self.log.fork_count != fork_count():
            self.seq = self.log.load_commit(&self.commit)
            self._find_end()
        if offset < self.commit.last_stable_offset:
            return True
        self._check_deleted()
        return False

    cdef bint has_moved(self) except -1:
        """Whether segments came or went since this one was entered; then stand at the open batch
        anew. The mapping may be of a file that is gone, and what its transaction index said with
        it: what is aborted is told by the files of today for the bytes of today only."""
        cdef pl_commit commit
        cdef int64_t offset = self.batch.base_offset
        cdef uint64_t seq = self.log.load_commit(&commit)
        if commit.segment_list_generation == self.standing_generation:
            return False
        self.seq = seq
        self.commit = commit
        self.filled = self.cursor = 0
        self.aborted = None
        self._stand_at(max(offset, self.next_offset))
        return True

    cdef bint is_aborted(self, const pl_batch *batch) except -1:
        """Whether a stable, transactional batch belongs to an aborted transaction."""
        if self.aborted is None:
            self.aborted = AbortedTransactions(self.log)
        return self.aborted.covers(batch.producer_id, batch.base_offset,
                                   self.commit.log_end_offset)

    cdef int next_record(self, pl_record *record, int64_t *offset) except -1:
        """The next record at or after next_offset: 1, or 0 at the log end.

        The pointers in `record` are good until the next call.
        """
        cdef const uint8_t *after
        while True:
            while self.records_left == 0:
                if not self.open_batch():
                    return 0
            after = pl_get_record(self.record_cursor, self.records_end, record)
            if after == NULL:
                raise self._malformed()
            self.record_cursor = after
            self.records_left -= 1
            if self.records_left == 0 and after != self.records_end:
                raise self._malformed()
            if <uint32_t>record.offset_delta > <uint32_t>self.batch.last_offset_delta:
                raise self._malformed()   # it would hide the records of later batches
            offset[0] = self.batch.base_offset + record.offset_delta
            if offset[0] >= self.next_offset:
                self.next_offset = offset[0] + 1
                if self.records_left == 0:
                    self.next_offset = self.expected_offset
                return 1

    def _malformed(self):
        self.records_left = 1    # so that the next call says it again
        self.record_cursor = self.records_end
        return CorruptRecordError(
            "malformed records in a batch", path=self.segment.path, offset=self.batch.base_offset)

    def __iter__(self):
        return self

    def __next__(self):
        cdef pl_record raw
        cdef int64_t offset
        if not self.next_record(&raw, &offset):
            raise StopIteration
        return Record(
            offset, pl_record_timestamp(&self.batch, &raw),
            None if raw.key_size < 0 else (<const char *>raw.key)[:raw.key_size],
            None if raw.value_size < 0 else (<const char *>raw.value)[:raw.value_size],
            decode_headers(raw.headers, self.record_cursor, raw.header_count))

    def read_batches(self, int64_t max_bytes):
        """Bytes of whole batches from here on, at least one, checked; b"" at the log end."""
        cdef int64_t size = 0
        cdef pl_batch batch
        self.filled = self.cursor = 0
        if not self.refresh():
            return b""
        first = self.peek_batch(&batch)
        available = self.segment_end - self.position
        copied = PyBytes_FromStringAndSize(NULL, max(first, min(max_bytes, available)))
        cdef uint8_t *target = <uint8_t *>PyBytes_AS_STRING(copied)
        cdef int64_t copied_size = len(copied)
        self.segment.copy(target, self.position, copied_size)
        cdef pl_batch_status status
        while size < copied_size:
            status = pl_check_batch(target + size, copied_size - size, &batch)
            if status == PL_BATCH_INCOMPLETE and size > 0:
                break
            if status != PL_BATCH_OK:
                raise corrupt_batch(status, self.segment.path, self.position,
                                    self.expected_offset)
            self.check_place(&batch, self.position)
            size += batch.batch_length + PL_BATCH_PREFIX_SIZE
            self.position += batch.batch_length + PL_BATCH_PREFIX_SIZE
            self.expected_offset = batch.base_offset + batch.last_offset_delta + 1
        self.next_offset = max(self.next_offset, self.expected_offset)
        return copied if size == copied_size else copied[:size]
