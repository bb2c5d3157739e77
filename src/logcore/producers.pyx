"""Producers: what a partition knows of the producers that write to it with an id.

Each process keeps a table of its own (c/producers.h) and catches up from the log, with the writer
lock held, when others appended: `producer_batch_count` in the commit record says whether any did.
No table is shared, so none can be left half written. A cold start reads the newest `.snapshot`
and the headers of the batches after it. Source: Kafka ProducerStateManager.
"""

import os

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from logcore._c cimport (
    PL_BATCH_HEADER_SIZE, PL_BATCH_OK, PL_BATCH_PREFIX_SIZE, PL_CODEC_MASK, PL_CONTROL_BIT,
    PL_PRODUCER_COORDINATOR_FENCED, PL_PRODUCER_DUPLICATE, PL_PRODUCER_NOT_TRANSACTIONAL,
    PL_PRODUCER_OK, PL_PRODUCER_OLD_EPOCH, PL_PRODUCER_OUT_OF_ORDER, PL_TRANSACTIONAL_BIT,
    pl_batch, pl_bell_ring, pl_check_batch_header, pl_check_marker, pl_check_producer,
    pl_clock_ns, pl_commit, pl_expire_producers, pl_find_producer, pl_first_unstable_offset,
    pl_get_record, pl_load_i32, pl_load_u32, pl_lock_writer, pl_note_batch, pl_note_marker,
    pl_producer, pl_producers_free, pl_producers_reserve, pl_put_producer, pl_read_commit,
    pl_record, pl_state, pl_unlock_writer, pl_wake_followers, pl_wall_clock_ms,
)
from logcore.log cimport Log
from logcore.reader cimport LogReader
from logcore.segment cimport SegmentMap
from logcore.shared cimport SharedState
from logcore.writer cimport BEGINS_HERE, ProducerStamp

from logcore import layout, producer_snapshots, transaction_index
from logcore.errors import (
    CorruptRecordError, InvalidProducerEpochError, InvalidTxnStateError, OutOfOrderSequenceError,
)
from logcore.producer_snapshots import ProducerInfo

DEFAULT_EXPIRATION_MS = 86_400_000   # Kafka's producer.id.expiration.ms

cdef enum:
    MAX_MARKER_BYTES = 256   # a marker has 78; others are not about transactions

cdef int64_t SLICE_NS = 50_000_000
cdef int64_t EXPIRY_INTERVAL_MS = 600_000


cdef int32_t _marker_of(const uint8_t *data, size_t size,
                        int32_t *coordinator_epoch) noexcept nogil:
    """Type of a control batch's record, 0 abort and 1 commit, or -1 for what is none of both."""
    cdef pl_record record
    coordinator_epoch[0] = -1
    if pl_get_record(data + PL_BATCH_HEADER_SIZE, data + size, &record) == NULL:
        return -1
    if record.key_size < 4:
        return -1
    if record.value_size >= 6:
        coordinator_epoch[0] = pl_load_i32(record.value + 2)
    return <int32_t>(pl_load_u32(record.key) & 0xffff)


@cython.final
cdef class Producers:
    """The table of one Log handle. Everything here is used with the writer lock held."""

    def __cinit__(self):
        self.forget()

    def __dealloc__(self):
        pl_producers_free(&self.table)

    cdef void forget(self) noexcept:
        pl_producers_free(&self.table)
        self.is_loaded = False
        self.known_count = self.end_offset = self.snapshot_base = -1
        self.expiry_due_ms = 0

    # ---- append ----

    cdef int64_t append(self, Log log, uint8_t *data, size_t size, pl_batch *batch,
                        int64_t expected_offset, int64_t lock_timeout_ms) except? -1:
        """Append a sealed batch that has a producer id: its offset, or the writer's codes.

        Raises what a broker answers a producer that is not in step.
        """
        cdef SharedState shared = log.shared
        cdef pl_state *state = shared.state
        cdef pl_commit commit
        cdef uint64_t owner = 0
        cdef int64_t result = 0, log_end_offset = 0, now_ms = 0, deadline_ns = 0
        cdef int64_t slice_ns = min(SLICE_NS, lock_timeout_ms * 1_000_000)
        cdef int status
        cdef bint is_stale
        while True:
            is_stale = False
            with nogil:
                status = pl_lock_writer(state, shared.fd, shared.self_word, slice_ns, &owner)
                if status >= 0:
                    now_ms = pl_wall_clock_ms()
                    pl_read_commit(state, &commit)
                    is_stale = (not self.is_loaded
                                or self.known_count != commit.producer_batch_count
                                or now_ms > self.expiry_due_ms)
                    if not is_stale:
                        result = self._append_locked(log, &commit, data, size, batch,
                                                     expected_offset, now_ms, &log_end_offset)
                        pl_unlock_writer(state)
            if status >= 0:
                break
            log.check_waiting()
            if deadline_ns == 0:
                deadline_ns = pl_clock_ns() + lock_timeout_ms * 1_000_000 - slice_ns
            if pl_clock_ns() >= deadline_ns:
                raise shared.lock_timeout(owner, lock_timeout_ms)
        if is_stale:
            try:
                self._catch_up(log, &commit)
                if now_ms > self.expiry_due_ms:
                    self.expiry_due_ms = now_ms + EXPIRY_INTERVAL_MS
                    if pl_expire_producers(&self.table, now_ms - DEFAULT_EXPIRATION_MS) < 0:
                        raise MemoryError("no memory for the table of producers")
                result = self._append_locked(log, &commit, data, size, batch, expected_offset,
                                             now_ms, &log_end_offset)
            finally:
                pl_unlock_writer(state)
        if result >= 0:
            pl_wake_followers(state)
            if log.notify is not None:
                pl_bell_ring(log.notify.bell)
            if log.writer.active_base_offset != self.snapshot_base:
                self._try_snapshot(log)
            return result
        self._raise(log, batch, result)
        log.raise_refused(result, expected_offset, log_end_offset)

    cdef int64_t _append_locked(self, Log log, pl_commit *commit, uint8_t *data, size_t size,
                                pl_batch *batch, int64_t expected_offset, int64_t now_ms,
                                int64_t *log_end_offset) noexcept nogil:
        cdef ProducerStamp stamp
        cdef int64_t base_offset = 0, result
        cdef int32_t coordinator_epoch = -1, marker = -1
        cdef pl_producer *entry
        cdef bint is_control = batch.attributes & PL_CONTROL_BIT
        if pl_producers_reserve(&self.table) < 0:
            return -12   # ENOMEM
        if is_control:
            marker = _marker_of(data, size, &coordinator_epoch)
            result = pl_check_marker(&self.table, batch, coordinator_epoch)
        else:
            result = pl_check_producer(&self.table, batch, &base_offset)
        if result == PL_PRODUCER_DUPLICATE:
            return base_offset
        if result != PL_PRODUCER_OK:
            return result
        stamp.aborted_producer_id = -1
        stamp.first_unstable_offset = commit.first_unstable_offset
        entry = pl_find_producer(&self.table, batch.producer_id)
        if is_control:
            stamp.first_unstable_offset = pl_first_unstable_offset(&self.table, batch.producer_id)
            if marker == 0 and entry != NULL and entry.transaction_first_offset >= 0:
                stamp.aborted_producer_id = batch.producer_id
                stamp.aborted_first_offset = entry.transaction_first_offset
        elif batch.attributes & PL_TRANSACTIONAL_BIT and stamp.first_unstable_offset < 0:
            stamp.first_unstable_offset = BEGINS_HERE
        result = log.writer.append(log.shared.state, data, size, expected_offset, now_ms, &stamp,
                                   log_end_offset)
        if result < 0:
            return result
        batch.base_offset = result
        if is_control:
            pl_note_marker(&self.table, batch, coordinator_epoch, now_ms)
        else:
            pl_note_batch(&self.table, batch, now_ms)
        self.known_count = commit.producer_batch_count + 1
        self.end_offset = result + batch.last_offset_delta + 1
        return result

    cdef _raise(self, Log log, pl_batch *batch, int64_t result):
        who = f"{log.path}: producer {batch.producer_id} epoch {batch.producer_epoch}"
        if result == PL_PRODUCER_OUT_OF_ORDER:
            raise OutOfOrderSequenceError(
                f"{who}: a batch with sequence {batch.base_sequence} does not follow the last one")
        if result == PL_PRODUCER_OLD_EPOCH:
            raise InvalidProducerEpochError(
                f"{who}: a newer epoch has written; another producer took over its id")
        if result == PL_PRODUCER_NOT_TRANSACTIONAL:
            raise InvalidTxnStateError(
                f"{who}: a batch outside of the transaction that is open")
        if result == PL_PRODUCER_COORDINATOR_FENCED:
            raise InvalidProducerEpochError(f"{who}: a newer coordinator has written a marker")

    # ---- catch up ----

    cdef int _catch_up(self, Log log, pl_commit *commit) except -1:
        """Have the table stand for the whole log."""
        cdef int64_t seen_ms
        if self.is_loaded and self.known_count == commit.producer_batch_count:
            return 0
        if commit.producer_batch_count > 0:
            seen_ms = pl_wall_clock_ms()
            if not self.is_loaded:
                self._load(log.path, commit.log_end_offset)
                seen_ms = commit.segment_created_ms
            self.is_loaded = False    # until the walk has reached the end
            self._walk(log, commit, seen_ms)
        self.is_loaded = True
        self.known_count = commit.producer_batch_count
        self.end_offset = commit.log_end_offset
        return 0

    cdef int _load(self, object folder, int64_t log_end_offset) except -1:
        """Begin with the newest snapshot."""
        cdef pl_producer *entry
        pl_producers_free(&self.table)
        self.end_offset, producers = producer_snapshots.read_newest(folder, log_end_offset)
        for info in producers:
            if pl_producers_reserve(&self.table) < 0:
                raise MemoryError("no memory for the table of producers")
            entry = pl_put_producer(&self.table, info.producer_id)
            entry.epoch = info.producer_epoch
            entry.coordinator_epoch = info.coordinator_epoch
            entry.last_timestamp_ms = info.last_timestamp_ms
            entry.transaction_first_offset = info.transaction_first_offset
            if info.transaction_first_offset >= 0:
                self.table.open_transactions += 1
            if info.last_sequence >= 0:
                entry.batch_count = 1
                entry.batch[0].last_offset = info.last_offset
                entry.batch[0].offset_delta = info.offset_delta
                entry.batch[0].timestamp_ms = info.last_timestamp_ms
                entry.batch[0].last_sequence = info.last_sequence
        return 0

    cdef int64_t _take_in(self, SegmentMap segment, int64_t position, int64_t size,
                          pl_batch *batch, int64_t seen_ms, bint *is_abort) except -2:
        """Note a batch: first offset of the transaction that it ends, -1 for none."""
        cdef uint8_t marker[MAX_MARKER_BYTES]
        cdef int32_t coordinator_epoch, kind
        is_abort[0] = False
        if pl_producers_reserve(&self.table) < 0:
            raise MemoryError("no memory for the table of producers")
        if not batch.attributes & PL_CONTROL_BIT:
            # What compaction emptied keeps its header: it is there for this.
            pl_note_batch(&self.table, batch, seen_ms)
            return -1
        if (batch.record_count == 0 or batch.attributes & PL_CODEC_MASK
                or size > MAX_MARKER_BYTES):
            return -1
        segment.copy(marker, position, size)
        kind = _marker_of(marker, size, &coordinator_epoch)
        if kind != 0 and kind != 1:
            return -1
        is_abort[0] = kind == 0
        return pl_note_marker(&self.table, batch, coordinator_epoch, seen_ms)

    def _walk_file(self, folder, int64_t base_offset, int64_t begin, int64_t log_end_offset):
        """Take in the batches of a segment that nobody writes. Returns its aborted transactions."""
        cdef pl_batch batch
        cdef int64_t position = 0, size, end, first
        cdef uint8_t header[PL_BATCH_HEADER_SIZE]
        cdef bint is_abort = False
        cdef list aborted = []
        path = os.path.join(folder, layout.segment_file_name(base_offset, layout.LOG_SUFFIX))
        cdef SegmentMap segment = SegmentMap(path, base_offset, 0)
        end = segment.file_size()
        while position + PL_BATCH_HEADER_SIZE <= end:
            segment.copy(header, position, PL_BATCH_HEADER_SIZE)
            if pl_check_batch_header(header, PL_BATCH_HEADER_SIZE, &batch) != PL_BATCH_OK:
                break   # the scan has said what is to be said
            size = <int64_t>batch.batch_length + PL_BATCH_PREFIX_SIZE
            if position + size > end or batch.base_offset >= log_end_offset:
                break
            # By its last offset: the log may begin in the middle of a batch.
            if batch.producer_id >= 0 and batch.base_offset + batch.last_offset_delta >= begin:
                first = self._take_in(segment, position, size, &batch, -1, &is_abort)
                if is_abort and first >= 0:
                    unstable = pl_first_unstable_offset(&self.table, -1)
                    last = batch.base_offset + batch.last_offset_delta
                    aborted.append((batch.producer_id, first, last,
                                    last + 1 if unstable < 0 else unstable))
            position += size
        return aborted

    cdef int _walk(self, Log log, pl_commit *commit, int64_t seen_ms) except -1:
        """Take in the batches from where the table ends. `seen_ms`: those in the active segment
        were not appended before."""
        cdef int64_t offset = max(self.end_offset, commit.log_start_offset)
        cdef int64_t end_offset = commit.log_end_offset
        cdef int64_t active_base = commit.segment_base_offset
        cdef LogReader reader
        cdef pl_batch batch
        cdef int64_t size
        cdef bint is_abort
        if offset >= end_offset:
            return 0
        reader = LogReader(log, offset, allows_gaps=True)
        while reader.expected_offset < end_offset and reader.refresh():
            size = reader.peek_batch(&batch)
            if batch.producer_id >= 0 and batch.base_offset + batch.last_offset_delta >= offset:
                self._take_in(reader.segment, reader.position, size, &batch,
                              -1 if reader.segment.base_offset < active_base else seen_ms,
                              &is_abort)
            reader.position += size
            reader.expected_offset = batch.base_offset + batch.last_offset_delta + 1
        self.end_offset = max(self.end_offset, reader.expected_offset)
        return 0

    # ---- look, keep ----

    def describe(self, Log log not None):
        """ProducerInfo of every producer that the partition knows."""
        cdef pl_commit commit
        cdef pl_producer *entry
        cdef size_t place
        cdef int last
        log._lock_writer()
        try:
            pl_read_commit(log.shared.state, &commit)
            self._catch_up(log, &commit)
            found = []
            for place in range(self.table.capacity):
                entry = &self.table.table[place]
                if entry.producer_id == -1:
                    continue
                last = entry.batch_count - 1
                found.append(ProducerInfo(
                    producer_id=entry.producer_id, producer_epoch=entry.epoch,
                    last_sequence=entry.batch[last].last_sequence if last >= 0 else -1,
                    last_offset=entry.batch[last].last_offset if last >= 0 else -1,
                    offset_delta=entry.batch[last].offset_delta if last >= 0 else 0,
                    last_timestamp_ms=entry.last_timestamp_ms,
                    coordinator_epoch=entry.coordinator_epoch,
                    transaction_first_offset=entry.transaction_first_offset))
            return sorted(found, key=lambda info: info.producer_id), commit.log_end_offset
        finally:
            log._unlock_writer()

    def _try_snapshot(self, Log log):
        """Once a segment, so that a cold start reads little. Where it fails, the older one counts:
        the records are written, and their producer is told so."""
        self.snapshot_base = log.writer.active_base_offset
        try:
            producers, offset = self.describe(log)
            producer_snapshots.write(log.path, offset, producers)
        except Exception:   # whatever it is: the batch is in the log
            return


def rebuild_producers(folder, bases, commit, durable_offset, *, is_writable):
    """After a crash of the machine: which transactions are open, and which were aborted.

    From the newest sound snapshot on. The transaction indexes of the segments looked at are written
    anew, and snapshots from beyond the log's end deleted. Only for who has the partition alone.

    Args:
        folder: of the partition.
        bases: of its segments.
        commit: where the log ends; `first_unstable_offset` and `last_stable_offset` are set.
        durable_offset: the indexes are known to be on the disk for what lies below.
        is_writable: False changes no file.

    Raises:
        OSError: a file could not be read or written.
    """
    cdef Producers producers = Producers()
    log_end_offset = commit["log_end_offset"]
    if is_writable and not transaction_index.are_sound(folder):
        durable_offset = 0   # all of it is in the log itself
    producers._load(folder, min(durable_offset, log_end_offset))
    begin = max(producers.end_offset, commit["log_start_offset"])
    first = max((base for base in bases if base <= begin), default=begin)
    aborted = {}
    for base in bases:
        if base >= first:
            aborted[base] = producers._walk_file(folder, base, begin, log_end_offset)
    if is_writable:
        producer_snapshots.delete_above(folder, log_end_offset)
        for base, entries in aborted.items():
            path = transaction_index.path_of(folder, base)
            try:
                found = {(entry[0], entry[2]) for entry in entries}
                known = [
                    entry for entry in transaction_index.read(path)
                    # Or begun before what was walked, and not to be found there.
                    if entry[2] < begin or (entry[1] < begin and entry[2] < log_end_offset
                                            and (entry[0], entry[2]) not in found)
                ]
            except CorruptRecordError:
                known = []
            transaction_index.write(folder, base, known + entries)
    unstable = pl_first_unstable_offset(&producers.table, -1)
    commit["first_unstable_offset"] = unstable
    commit["last_stable_offset"] = log_end_offset if unstable < 0 else unstable
