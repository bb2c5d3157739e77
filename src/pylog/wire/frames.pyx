"""Frames: the size and bytes of one message after another, as they come in.

```
size      int32, of what follows
bytes     a request or a response with its header
```

FrameReader has the methods of asyncio's BufferedProtocol, so that a socket receives straight into
the memory that frames are then cut from. A frame is a window on that memory, and so are the
records decoded from it: while one of them lives, its memory is not used again.
"""

cimport cython
from cpython.buffer cimport PyBuffer_FillInfo
from cpython.mem cimport PyMem_RawFree, PyMem_RawMalloc
from libc.stdint cimport int32_t, uint8_t
from libc.string cimport memcpy, memmove

from pylog.wire._c cimport Py_REFCNT, PyObject, pw_load_i32

from pylog.wire.errors import WireError

cdef enum:
    SIZE_BYTES = 4
    FIRST_CHUNK_BYTES = 64 << 10
    TRUSTED_BYTES = 1 << 20     # a size is believed so far; beyond, memory follows what came in
    LEAST_FREE_BYTES = 4 << 10  # to receive into, when no size says how much is to come
    PIPELINED_BYTES = 256 << 10  # a frame so large may have others of its size behind it
    PIPELINED_FRAMES = 4


@cython.final
cdef class Chunk:
    """Memory to receive into; its buffer is the part that is still free."""

    cdef uint8_t *memory
    cdef Py_ssize_t capacity
    cdef Py_ssize_t filled

    def __cinit__(self, Py_ssize_t capacity):
        self.memory = <uint8_t *> PyMem_RawMalloc(capacity)
        if self.memory == NULL:
            raise MemoryError
        self.capacity = capacity
        self.filled = 0

    def __dealloc__(self):
        PyMem_RawFree(self.memory)

    def __len__(self):
        return self.capacity - self.filled

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(
            view, self, self.memory + self.filled, self.capacity - self.filled, False, flags
        )


@cython.final
@cython.freelist(64)
cdef class Frame:
    """The bytes of one frame, without its size. A buffer, read only."""

    cdef Chunk chunk
    cdef const uint8_t *data
    cdef Py_ssize_t size

    def __len__(self):
        return self.size

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, <void *> self.data, self.size, True, flags)


@cython.final
cdef class FrameReader:
    """Cuts what one connection receives into frames.

    Args:
        max_frame_bytes: a frame that says it is larger is an error.
    """

    cdef Chunk chunk            # None when there is nothing to keep
    cdef Py_ssize_t start       # of what was received and not yet cut off
    cdef public Py_ssize_t max_frame_bytes

    def __init__(self, Py_ssize_t max_frame_bytes):
        self.max_frame_bytes = max_frame_bytes
        self.chunk = None
        self.start = 0

    @property
    def held_bytes(self):
        """Memory that the reader holds, without that of frames that still live."""
        return 0 if self.chunk is None else self.chunk.capacity

    @property
    def pending_bytes(self):
        """What was received of a frame that is not complete, or not yet taken."""
        return 0 if self.chunk is None else self.chunk.filled - self.start

    @property
    def frame_bytes(self):
        """Size of the frame that has begun, with its head; 0 when it is not known, or no size."""
        cdef int32_t size
        if self.chunk is None or self.chunk.filled - self.start < SIZE_BYTES:
            return 0
        size = pw_load_i32(self.chunk.memory + self.start)
        return SIZE_BYTES + <Py_ssize_t> size if 0 <= size <= self.max_frame_bytes else 0

    def get_buffer(self, sizehint=-1):
        """Return where to receive: at least one byte, as much as the frame lacks if that is known.

        Raises:
            WireError: the frame that has begun is too large.
        """
        cdef Py_ssize_t pending = 0 if self.chunk is None else self.chunk.filled - self.start
        cdef Py_ssize_t frame = self._frame_bytes()
        self._make_room(pending, pending + LEAST_FREE_BYTES if frame < 0 else frame)
        return self.chunk

    def buffer_updated(self, Py_ssize_t received):
        """Take note of what was received; next_frame() has what became complete."""
        if self.chunk is None or not 0 <= received <= self.chunk.capacity - self.chunk.filled:
            raise ValueError(f"{received} bytes were not received into the buffer")
        self.chunk.filled += received

    def next_frame(self):
        """Return the next complete Frame, None when there is none.

        Raises:
            WireError: its size is negative or too large; the connection is then of no more use.
        """
        cdef Frame frame
        cdef Py_ssize_t size = self._frame_bytes()
        if size < 0 or self.chunk.filled - self.start < size:
            return None
        frame = Frame.__new__(Frame)
        frame.chunk = self.chunk
        frame.data = self.chunk.memory + self.start + SIZE_BYTES
        frame.size = size - SIZE_BYTES
        self.start += size
        return frame

    def trim(self):
        """Give back memory that is not needed now; for connections that rest."""
        cdef Py_ssize_t pending
        if self.chunk is None:
            return
        pending = self.chunk.filled - self.start
        if not pending:
            self.chunk = None
            self.start = 0
        elif self.chunk.capacity > 2 * max(pending, FIRST_CHUNK_BYTES):
            self._move(pending, max(pending, FIRST_CHUNK_BYTES))

    cdef Py_ssize_t _frame_bytes(self) except -2:
        """Size of the frame that begins at `start`, with its head; -1 when that is not known."""
        cdef int32_t size
        if self.chunk is None or self.chunk.filled - self.start < SIZE_BYTES:
            return -1
        size = pw_load_i32(self.chunk.memory + self.start)
        if size < 0 or size > self.max_frame_bytes:
            raise WireError(f"a frame of {size} bytes, at most {self.max_frame_bytes} are taken")
        return SIZE_BYTES + <Py_ssize_t> size

    cdef int _make_room(self, Py_ssize_t pending, Py_ssize_t wanted) except -1:
        """See to it that `wanted` bytes from `start` on fit, or as many as are trusted."""
        cdef bint is_ours
        wanted = max(min(wanted, max(2 * pending, TRUSTED_BYTES)), pending + 1)
        if self.chunk is None:
            self.chunk = Chunk.__new__(Chunk, max(wanted, FIRST_CHUNK_BYTES))
            self.start = 0
            return 0
        is_ours = Py_REFCNT(<PyObject *> self.chunk) == 1   # no frame and no buffer of it lives
        if is_ours and not pending:
            self.start = self.chunk.filled = 0
        if wanted <= self.chunk.capacity - self.start:
            return 0
        if is_ours and wanted <= self.chunk.capacity:
            memmove(self.chunk.memory, self.chunk.memory + self.start, pending)
            self.chunk.filled = pending
            self.start = 0
            return 0
        if FIRST_CHUNK_BYTES < wanted <= PIPELINED_BYTES:
            wanted *= PIPELINED_FRAMES
        self._move(pending, max(wanted, FIRST_CHUNK_BYTES))
        return 0

    cdef int _move(self, Py_ssize_t pending, Py_ssize_t capacity) except -1:
        """Go on in another chunk; the old one lives as long as its frames."""
        cdef Chunk larger = Chunk.__new__(Chunk, capacity)
        memcpy(larger.memory, self.chunk.memory + self.start, pending)
        larger.filled = pending
        self.chunk = larger
        self.start = 0
        return 0
