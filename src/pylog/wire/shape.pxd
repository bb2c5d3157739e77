cimport cython

from pylog.wire._c cimport PyObject, PyTypeObject


cdef struct Place:
    Py_ssize_t offset       # of the slot in an object
    PyObject *initial       # the default, borrowed from Shape.defaults
    bint is_shared          # the default is immutable; else each object gets its own


@cython.final
cdef class Shape:
    cdef readonly object cls
    cdef readonly tuple names
    cdef PyTypeObject *kind
    cdef Place *places
    cdef Py_ssize_t count
    cdef list defaults
    cdef dict indexes       # name to the index of its place

    cdef int fill(self, PyObject *target) except -1
    cdef Py_ssize_t offset_of(self, str name) except -1


cdef class Struct:
    pass


cdef PyObject *fresh_default(object default) except NULL


cdef inline PyObject **slot_at(PyObject *target, Py_ssize_t offset) noexcept:
    return <PyObject **> (<char *> target + offset)
