from libc.stdint cimport uint8_t

from pylog.wire._c cimport PyObject
from pylog.wire.plan cimport MAX_NESTING, Plan


cdef struct Step:
    PyObject *name
    Py_ssize_t index        # in an array, -1 outside


cdef struct Source:
    const uint8_t *at
    const uint8_t *end
    const uint8_t *start
    PyObject *owner         # whose bytes they are, borrowed
    PyObject *view          # a memoryview of the owner, made when records are first met
    Py_ssize_t elements     # that arrays may still have
    int depth
    Step trail[MAX_NESTING]


cdef int open_source(Source *source, object owner, const uint8_t *data, Py_ssize_t size) except -1
cdef void close_source(Source *source) noexcept
cdef object read_message(Source *source, Plan plan)
cdef const uint8_t *take(Source *source, Py_ssize_t size) except NULL
cdef int skip_tagged_fields(Source *source) except -1
cdef object broken(Source *source, str reason)
