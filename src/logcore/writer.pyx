"""SegmentWriter: appending to the active segment's files, with the writer lock held.

Nothing here takes the GIL. What the next writer must know travels in the commit record, since it
may be another process: how far the indexes go, the largest timestamp, when the segment was begun.
"""

cimport cython
from libc cimport errno
from libc.stdint cimport int64_t, uint8_t, uint32_t
from posix.fcntl cimport O_CREAT, O_RDWR, O_TRUNC
from posix.unistd cimport close

from logcore._c cimport (
    PL_BASE_OFFSET_AT, PL_LEADER_EPOCH_AT, PL_OFFSET_ENTRY_SIZE, PL_TIME_ENTRY_SIZE,
    PL_TXN_ENTRY_SIZE, pl_batch, pl_commit, pl_crc32c_init, pl_file_size, pl_load_batch,
    pl_load_io_error, pl_open_at, pl_pread, pl_publish_commit, pl_put_offset_entry,
    pl_put_time_entry, pl_put_txn_entry, pl_pwrite_all, pl_read_commit, pl_segment_name,
    pl_stamp_log_append_time, pl_state, pl_store_u32, pl_store_u64, pl_truncate,
    pl_txn_entry_last_offset, pl_unlink_at,
)

pl_crc32c_init()

cdef int64_t MAX_OFFSETS_IN_SEGMENT = 0x7fffffff


@cython.final
cdef class SegmentWriter:
    """The active segment's open files, as this handle last saw them. One a Log."""

    def __cinit__(self):
        self.directory_fd = -1
        self.forget()

    def __dealloc__(self):
        self.close_files()

    def configure(self, config, int64_t roll_jitter_ms):
        """Use these topic configs."""
        self.segment_bytes = config.segment_size_bytes
        self.segment_ms = config.max_segment_ms - roll_jitter_ms
        self.max_index_size = config.segment_index_bytes
        self.index_interval_bytes = config.index_interval_bytes
        self.uses_log_append_time = config.message_timestamp_type == "LogAppendTime"

    cdef void forget(self) noexcept nogil:
        """Drop the files without closing them: in a forked child they are its parent's."""
        self.active_base_offset = -1
        self.log_fd = self.offset_index_fd = self.time_index_fd = -1

    cdef int64_t append(self, pl_state *state, uint8_t *data, size_t size,
                        int64_t expected_offset, int64_t now_ms, const ProducerStamp *stamp,
                        int64_t *log_end_offset) noexcept nogil:
        """Append a sealed batch: its offset, -errno, POISONED or WRONG_OFFSET.

        `stamp` is NULL for a batch without a producer id. `log_end_offset` receives where the log
        ended before.
        """
        cdef pl_commit commit
        cdef pl_batch batch
        cdef int64_t status
        if pl_load_io_error(state):
            return POISONED
        pl_read_commit(state, &commit)
        log_end_offset[0] = commit.log_end_offset
        status = self.use_active(state, &commit)
        if status < 0:
            return status
        if expected_offset >= 0 and expected_offset != commit.log_end_offset:
            return WRONG_OFFSET
        if self.uses_log_append_time:
            pl_stamp_log_append_time(data, size, now_ms)
        pl_load_batch(data, &batch)
        if self._must_roll(&commit, &batch, size, now_ms):
            status = self.roll(state, &commit, now_ms)
            if status < 0:
                return status
        pl_store_u64(data + PL_BASE_OFFSET_AT, commit.log_end_offset)
        pl_store_u32(data + PL_LEADER_EPOCH_AT, <uint32_t>commit.leader_epoch)
        if stamp != NULL and stamp.aborted_producer_id >= 0:
            status = self._index_aborted(&commit, stamp)
            if status < 0:
                return status
        status = pl_pwrite_all(self.log_fd, data, size, commit.end_position)
        if status < 0:
            if pl_truncate(self.log_fd, commit.end_position) < 0 or stamp != NULL:
                state.needs_repair = 1
            return status
        self._index_batch(&commit, &batch)
        commit.unindexed_bytes += size
        if commit.end_position == 0:
            commit.first_timestamp_ms = batch.max_timestamp_ms
        commit.end_position += size
        commit.log_end_offset += batch.last_offset_delta + 1
        self._stamp_commit(&commit, log_end_offset[0], stamp)
        pl_publish_commit(state, &commit)
        return log_end_offset[0]

    cdef void _stamp_commit(self, pl_commit *commit, int64_t base_offset,
                            const ProducerStamp *stamp) noexcept nogil:
        if stamp != NULL:
            commit.producer_batch_count += 1
            commit.first_unstable_offset = stamp.first_unstable_offset
            if stamp.first_unstable_offset == BEGINS_HERE:
                commit.first_unstable_offset = base_offset
        commit.last_stable_offset = commit.log_end_offset
        if commit.first_unstable_offset >= 0:
            commit.last_stable_offset = commit.first_unstable_offset

    cdef int64_t _index_aborted(self, pl_commit *commit,
                                const ProducerStamp *stamp) noexcept nogil:
        """Note the transaction that the marker about to be appended aborts. Before the marker is
        published: no reader may take the records for committed ones. The file is opened each time,
        since aborts are rare."""
        cdef uint8_t entry[PL_TXN_ENTRY_SIZE]
        cdef char name[64]
        cdef int fd
        cdef int64_t size, status
        cdef int64_t last_stable_offset = stamp.first_unstable_offset
        if last_stable_offset < 0:
            last_stable_offset = commit.log_end_offset + 1
        pl_segment_name(name, commit.segment_base_offset, b".txnindex")
        fd = pl_open_at(self.directory_fd, name, O_RDWR | O_CREAT, 0o600)
        if fd < 0:
            return fd
        pl_put_txn_entry(entry, stamp.aborted_producer_id, stamp.aborted_first_offset,
                         commit.log_end_offset, last_stable_offset)
        size = pl_file_size(fd)
        size -= size % PL_TXN_ENTRY_SIZE
        status = pl_pwrite_all(fd, entry, PL_TXN_ENTRY_SIZE, size)
        if status < 0:
            pl_truncate(fd, size)
        close(fd)
        return status

    cdef int64_t use_active(self, pl_state *state, pl_commit *commit) noexcept nogil:
        """Have the active segment's files open, and nothing beyond the end in the folder."""
        cdef int64_t status
        if self.active_base_offset != commit.segment_base_offset:
            status = self._open_active(commit.segment_base_offset, 0)
            if status < 0:
                return status
        return self._repair(state, commit) if state.needs_repair else 0

    cdef int64_t _repair(self, pl_state *state, pl_commit *commit) noexcept nogil:
        """Cut what a dead or failed writer left beyond the end. Until that is done, nobody appends:
        a shorter batch would not cover it."""
        cdef int64_t status = pl_truncate(self.log_fd, commit.end_position)
        if status == 0:
            status = pl_truncate(self.offset_index_fd, commit.offset_index_size)
        if status == 0:
            status = pl_truncate(self.time_index_fd, commit.time_index_size)
        if status == 0 and commit.producer_batch_count > 0:
            status = self._repair_txn_index(commit)
        if status == 0 and commit.log_end_offset != commit.segment_base_offset:
            status = self._unlink_segment(commit.log_end_offset)   # a roll that was not published
        if status == 0:
            state.needs_repair = 0
        return status

    cdef int64_t _repair_txn_index(self, pl_commit *commit) noexcept nogil:
        """Cut the entry of a marker that was not published."""
        cdef uint8_t entry[PL_TXN_ENTRY_SIZE]
        cdef char name[64]
        cdef int fd
        cdef int64_t size, status
        pl_segment_name(name, commit.segment_base_offset, b".txnindex")
        fd = pl_open_at(self.directory_fd, name, O_RDWR, 0)
        if fd < 0:
            return 0 if fd == -errno.ENOENT else fd
        size = pl_file_size(fd)
        size -= size % PL_TXN_ENTRY_SIZE
        while size > 0:
            status = pl_pread(fd, entry, PL_TXN_ENTRY_SIZE, size - PL_TXN_ENTRY_SIZE)
            if status < 0 or pl_txn_entry_last_offset(entry) < commit.log_end_offset:
                break
            size -= PL_TXN_ENTRY_SIZE
        status = pl_truncate(fd, size)
        close(fd)
        return status

    cdef int64_t _unlink_segment(self, int64_t base_offset) noexcept nogil:
        cdef char name[64]
        cdef int status
        pl_segment_name(name, base_offset, b".log")
        status = pl_unlink_at(self.directory_fd, name)
        pl_segment_name(name, base_offset, b".index")
        if status == 0:
            status = pl_unlink_at(self.directory_fd, name)
        pl_segment_name(name, base_offset, b".timeindex")
        if status == 0:
            status = pl_unlink_at(self.directory_fd, name)
        pl_segment_name(name, base_offset, b".txnindex")
        if status == 0:
            status = pl_unlink_at(self.directory_fd, name)
        return status

    cdef int64_t _open_active(self, int64_t base_offset, int extra_flags) noexcept nogil:
        cdef char name[64]
        self.close_files()
        pl_segment_name(name, base_offset, b".log")
        self.log_fd = pl_open_at(self.directory_fd, name, O_RDWR | extra_flags, 0o600)
        if self.log_fd < 0:
            return self.log_fd
        pl_segment_name(name, base_offset, b".index")
        self.offset_index_fd = pl_open_at(self.directory_fd, name, O_RDWR | O_CREAT | extra_flags,
                                          0o600)
        if self.offset_index_fd < 0:
            return self.offset_index_fd
        pl_segment_name(name, base_offset, b".timeindex")
        self.time_index_fd = pl_open_at(self.directory_fd, name, O_RDWR | O_CREAT | extra_flags,
                                        0o600)
        if self.time_index_fd < 0:
            return self.time_index_fd
        self.active_base_offset = base_offset
        return 0

    cdef void close_files(self) noexcept nogil:
        if self.log_fd >= 0:
            close(self.log_fd)
        if self.offset_index_fd >= 0:
            close(self.offset_index_fd)
        if self.time_index_fd >= 0:
            close(self.time_index_fd)
        self.log_fd = self.offset_index_fd = self.time_index_fd = -1
        self.active_base_offset = -1

    cdef void _index_batch(self, pl_commit *commit, pl_batch *batch) noexcept nogil:
        """Sparse entries for the batch about to be published. An index is a hint: where the disk
        has no room for an entry, the next batch tries again."""
        cdef uint8_t entry[16]
        cdef int64_t last_offset = commit.log_end_offset + batch.last_offset_delta
        if batch.max_timestamp_ms > commit.max_timestamp_ms:
            commit.max_timestamp_ms = batch.max_timestamp_ms
            commit.max_timestamp_offset = last_offset
        if commit.unindexed_bytes <= self.index_interval_bytes:
            return
        pl_put_offset_entry(entry, <uint32_t>(last_offset - commit.segment_base_offset),
                            <uint32_t>commit.end_position)
        if pl_pwrite_all(self.offset_index_fd, entry, PL_OFFSET_ENTRY_SIZE,
                         commit.offset_index_size) < 0:
            pl_truncate(self.offset_index_fd, commit.offset_index_size)
            return
        commit.offset_index_size += PL_OFFSET_ENTRY_SIZE
        self._index_time(commit)
        commit.unindexed_bytes = 0

    cdef int64_t _index_time(self, pl_commit *commit) noexcept nogil:
        cdef uint8_t entry[16]
        cdef int64_t status
        if commit.max_timestamp_ms <= commit.time_index_last_ms:
            return 0
        pl_put_time_entry(entry, commit.max_timestamp_ms,
                          <uint32_t>(commit.max_timestamp_offset - commit.segment_base_offset))
        status = pl_pwrite_all(self.time_index_fd, entry, PL_TIME_ENTRY_SIZE,
                               commit.time_index_size)
        if status < 0:
            pl_truncate(self.time_index_fd, commit.time_index_size)
            return status
        commit.time_index_size += PL_TIME_ENTRY_SIZE
        commit.time_index_last_ms = commit.max_timestamp_ms
        return 0

    cdef bint _must_roll(self, pl_commit *commit, pl_batch *batch, size_t size,
                         int64_t now_ms) noexcept nogil:
        """Source: Kafka LogSegment.shouldRoll."""
        cdef int64_t waited_ms
        if commit.end_position == 0:
            return False
        if commit.end_position + <int64_t>size > self.segment_bytes:
            return True
        if commit.first_timestamp_ms >= 0 and batch.max_timestamp_ms >= 0:
            waited_ms = batch.max_timestamp_ms - commit.first_timestamp_ms
        else:
            waited_ms = now_ms - commit.segment_created_ms
        return (
            waited_ms > self.segment_ms
            or commit.offset_index_size + PL_OFFSET_ENTRY_SIZE > self.max_index_size
            # the last slot is kept for the entry that a roll adds
            or commit.time_index_size + 2 * PL_TIME_ENTRY_SIZE > self.max_index_size
            or (commit.log_end_offset + batch.last_offset_delta - commit.segment_base_offset
                > MAX_OFFSETS_IN_SEGMENT)
        )

    cdef int64_t roll(self, pl_state *state, pl_commit *commit, int64_t now_ms) noexcept nogil:
        """Seal the active segment and begin one at the log end. Published at once."""
        # The last entry of a sealed time index is the segment's largest timestamp: look-ups by time
        # and retention count on it.
        cdef int64_t status = self._index_time(commit)
        if status < 0:
            return status
        # No O_EXCL: a file of this name is the leftover of a roll that died before its publish.
        status = self._open_active(commit.log_end_offset, O_CREAT | O_TRUNC)
        if status < 0:
            self.close_files()
            # A leftover would stand for a segment once the log has grown past it.
            if self._unlink_segment(commit.log_end_offset) < 0:
                state.needs_repair = 1
            return status
        commit.segment_base_offset = commit.log_end_offset
        commit.end_position = 0
        commit.offset_index_size = 0
        commit.time_index_size = 0
        commit.unindexed_bytes = 0
        commit.max_timestamp_ms = -1
        commit.max_timestamp_offset = -1
        commit.time_index_last_ms = -1
        commit.first_timestamp_ms = -1
        commit.segment_created_ms = now_ms
        commit.segment_list_generation += 1
        pl_publish_commit(state, commit)
        return 0
