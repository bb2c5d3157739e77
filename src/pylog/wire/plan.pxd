cimport cython

from pylog.wire._c cimport PyObject, PyTypeObject
from pylog.wire.shape cimport Shape

cdef enum:
    MAX_NESTING = 16

# What the bytes of a value, or of an array's element, are.
cdef enum Kind:
    BOOL = 1
    INT8
    INT16
    INT32
    INT64
    FLOAT64
    UUID
    STRING
    BYTES
    RECORDS
    STRUCT

cdef struct Op:
    Kind kind
    bint is_array
    bint is_nullable
    bint is_ignorable
    unsigned int tag
    Py_ssize_t slot         # offset in the object
    Py_ssize_t least        # bytes that a value takes at least; of an array, one element
    PyObject *plan          # of a struct; this and the next two are borrowed from Plan.kept
    PyObject *initial       # as in Shape
    PyObject *name


@cython.final
cdef class Plan:
    cdef Shape shape
    cdef PyTypeObject *kind
    cdef readonly str label
    cdef readonly Py_ssize_t least
    cdef bint is_flexible
    cdef Op *ops                # present, then tagged, then absent
    cdef int present_count
    cdef int tagged_count
    cdef int field_count
    cdef list kept

    cdef int add(self, Op *op, tuple field) except -1
