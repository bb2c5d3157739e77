"""Slices: whole batches as they stand in a segment's mapping, to be sent on without a copy.

A Slice is a read-only buffer that keeps its mapping, and with it the bytes, though the segment be
deleted. What is in it was looked at under the SIGBUS guard, by its headers: where batches begin,
which offsets they hold. Their CRC is for who reads the records, at the other end of a wire.

Pages that a disk cannot deliver later are no signal to a process that gives the buffer to the
kernel (write, send): that call fails with EFAULT. Who loads from the buffer takes `tobytes`, a copy
made under the guard.
"""

cimport cython
from cpython.buffer cimport PyBuffer_FillInfo
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint64_t

from logcore._c cimport (
    PL_BATCH_INCOMPLETE, PL_BATCH_OK, PL_BATCH_PREFIX_SIZE, PL_TRANSACTIONAL_BIT, pl_batch,
    pl_batch_status, pl_check_batch_header, pl_commit,
)
from logcore.batch cimport corrupt_batch
from logcore.log cimport Log
from logcore.reader cimport LogReader

from logcore.errors import OffsetOutOfRangeError

cdef enum:
    MAX_PLACES = 256     # of one log: where so many readers go on


@cython.final
@cython.freelist(64)
cdef class Slice:
    """Whole batches of one segment; a read-only buffer.

    Attributes:
        base_offset: of the first batch, which may begin below the offset that was asked for.
        next_offset: where the next slice begins.
        has_transactional: whether a batch is part of a transaction, or ends one.
        segment_list_generation: of the commit record under which it was found; while it is the
            log's, no compaction has replaced the file.
    """

    def __len__(self):
        return self.size

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, <void *>self.data, self.size, True, flags)

    def tobytes(self):
        """A copy.

        Raises:
            CorruptRecordError: the bytes cannot be loaded any more.
        """
        copied = PyBytes_FromStringAndSize(NULL, self.size)
        self.segment.copy(PyBytes_AS_STRING(copied), self.data - self.segment.start, self.size)
        return copied


@cython.final
@cython.freelist(64)
cdef class Place:
    """Where the batch with some base offset stands."""


cdef struct Walk:
    # of the bytes from `data` on, which are `available`: whole batches, not more than wanted
    const uint8_t *data
    int64_t available
    int64_t max_bytes
    int64_t end_offset
    int64_t expected_offset
    int64_t last_leader_epoch
    bint allows_gaps
    bint at_least_one
    # what was found
    int64_t size
    int64_t base_offset
    bint has_transactional
    bint is_misplaced
    pl_batch_status status
    pl_batch batch


cdef void _walk(void *argument) noexcept nogil:
    """By headers. `status` is of the batch at `size` where that is not sound."""
    cdef Walk *walk = <Walk *>argument
    cdef int64_t left, size
    cdef pl_batch *batch = &walk.batch
    while walk.size < walk.available:
        left = walk.available - walk.size
        walk.status = pl_check_batch_header(walk.data + walk.size, left, batch)
        if walk.status != PL_BATCH_OK:
            return
        size = <int64_t>batch.batch_length + PL_BATCH_PREFIX_SIZE
        if size > left:
            walk.status = PL_BATCH_INCOMPLETE
            return
        if (batch.base_offset < walk.expected_offset
                or (batch.base_offset > walk.expected_offset and not walk.allows_gaps)
                or batch.leader_epoch > walk.last_leader_epoch or batch.leader_epoch < -1):
            walk.is_misplaced = True
            return
        if batch.base_offset >= walk.end_offset:
            return
        if walk.size + size > walk.max_bytes and not (walk.size == 0 and walk.at_least_one):
            return
        if walk.size == 0:
            walk.base_offset = batch.base_offset
        if batch.attributes & PL_TRANSACTIONAL_BIT:
            walk.has_transactional = True
        walk.size += size
        walk.expected_offset = batch.base_offset + batch.last_offset_delta + 1


cdef Slice find_slice(Log log, int64_t offset, int64_t max_bytes, int64_t end_offset,
                      bint at_least_one):
    """See Log.read_slice."""
    cdef LogReader reader
    cdef Walk walk
    cdef Slice found
    cdef Place place
    reader = _stand(log, offset)
    if offset >= end_offset or not reader.refresh():
        return None
    walk.data = reader.segment.start + reader.position
    walk.available = reader.segment_end - reader.position
    walk.max_bytes = max_bytes
    walk.end_offset = end_offset
    walk.expected_offset = reader.expected_offset
    walk.last_leader_epoch = reader.commit.leader_epoch
    walk.allows_gaps = reader.allows_gaps
    walk.at_least_one = at_least_one
    walk.size = walk.base_offset = 0
    walk.has_transactional = walk.is_misplaced = False
    walk.status = PL_BATCH_OK
    reader.segment.call(_walk, &walk)
    if walk.size == 0:
        if walk.status != PL_BATCH_OK:
            raise corrupt_batch(walk.status, reader.segment.path, reader.position,
                                reader.expected_offset)
        if walk.is_misplaced:
            reader.check_place(&walk.batch, reader.position)
        return None
    found = Slice.__new__(Slice)
    found.segment = reader.segment
    found.data = walk.data
    found.size = walk.size
    found.base_offset = walk.base_offset
    found.next_offset = walk.expected_offset
    found.has_transactional = walk.has_transactional
    found.segment_list_generation = reader.standing_generation
    place = Place.__new__(Place)
    place.segment = reader.segment
    place.position = reader.position + walk.size
    if len(log.places) >= MAX_PLACES:
        log.places.pop(next(iter(log.places)), None)
    log.places[found.next_offset] = place
    return found


cdef LogReader _stand(Log log, int64_t offset):
    """A reader that stands at the batch that holds `offset`: found anew, or where the one before
    has left off."""
    cdef LogReader reader
    cdef pl_commit commit
    cdef uint64_t seq = log.load_commit(&commit)
    if log.places is None or log.places_generation != commit.segment_list_generation:
        log.places = {}
        log.places_generation = commit.segment_list_generation
    place = log.places.get(offset)
    if place is None:
        return LogReader(log, offset)
    if not commit.log_start_offset <= offset <= commit.log_end_offset:
        raise OffsetOutOfRangeError(
            f"{log.path}: offset {offset} is not within "
            f"[{commit.log_start_offset}, {commit.log_end_offset}]")
    reader = LogReader.__new__(LogReader)
    reader.log = log
    reader.allows_gaps = log.allows_gaps
    reader.seq = seq
    reader.commit = commit
    reader.segment = (<Place>place).segment
    reader.position = (<Place>place).position
    reader.expected_offset = reader.next_offset = offset
    reader.standing_generation = commit.segment_list_generation
    reader._find_end()
    return reader
