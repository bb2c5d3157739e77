"""Plan: one struct at one version, field by field, in a form that the codec can walk.

Made by pylog.wire.planner from the fields of a class, once a version, when it is first needed.
"""

cimport cython
from libc.stdlib cimport calloc, free

from pylog.wire._c cimport PyObject
from pylog.wire.shape cimport Shape

cdef dict _KINDS = {
    "bool": BOOL, "int8": INT8, "int16": INT16, "int32": INT32, "int64": INT64,
    "float64": FLOAT64, "uuid": UUID, "string": STRING, "bytes": BYTES, "records": RECORDS,
}
cdef dict _FIXED = {"bool": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "float64": 8,
                    "uuid": 16}


@cython.final
cdef class Plan:
    """The layout of one struct at one version.

    Args:
        shape: of the class.
        label: what errors call the message.
        is_flexible: whether lengths are compact and tagged fields may follow.
        present: fields in the order of the bytes.
        tagged: fields that may follow, by tag.
        absent: fields that the version lacks.

    A field is a tuple: name, kind or the Plan of its struct, whether it is an array, nullable,
    ignorable, its tag, its default.
    """

    def __cinit__(self):
        self.ops = NULL

    def __init__(self, Shape shape, str label, bint is_flexible, list present, list tagged,
                 list absent):
        cdef Py_ssize_t place = 0
        self.shape = shape
        self.kind = shape.kind
        self.label = label
        self.is_flexible = is_flexible
        self.kept = []
        free(self.ops)
        self.ops = <Op *> calloc(len(present) + len(tagged) + len(absent) + 1, sizeof(Op))
        if self.ops == NULL:
            raise MemoryError
        self.least = 1 if is_flexible else 0
        for field in present + tagged + absent:
            self.add(&self.ops[place], field)
            if place < len(present):
                self.least += _least_field_bytes(&self.ops[place], is_flexible)
            place += 1
        self.present_count = len(present)
        self.tagged_count = len(tagged)
        self.field_count = place

    def __dealloc__(self):
        free(self.ops)

    cdef int add(self, Op *op, tuple field) except -1:
        """Fill one Op from a field's tuple."""
        name, kind, is_array, is_nullable, is_ignorable, tag, default = field
        op.is_array = is_array
        op.is_nullable = is_nullable
        op.is_ignorable = is_ignorable
        op.tag = tag
        op.slot = self.shape.offset_of(name)
        op.least = _least_bytes(kind, self.is_flexible)
        self.kept += [name, default, kind]
        op.name = <PyObject *> name
        op.initial = <PyObject *> default
        if isinstance(kind, Plan):
            op.kind = STRUCT
            op.plan = <PyObject *> kind
        else:
            op.kind = _KINDS[kind]
        return 0


cdef Py_ssize_t _least_bytes(object kind, bint is_flexible) except -1:
    """Bytes that one value takes at least."""
    if isinstance(kind, Plan):
        return max(1, (<Plan> kind).least)
    if kind in _FIXED:
        return _FIXED[kind]
    return 1 if is_flexible else 2 if kind == "string" else 4


cdef Py_ssize_t _least_field_bytes(Op *op, bint is_flexible) noexcept:
    """The same, of a field: an array may be empty, a struct null."""
    if op.is_array:
        return 1 if is_flexible else 4
    return 1 if op.kind == STRUCT and op.is_nullable else op.least
