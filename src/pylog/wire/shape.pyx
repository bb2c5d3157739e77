"""Struct: what every message and every struct inside one is. Shape: where its fields lie.

A class of messages is an ordinary Python class with __slots__, so that handlers read its fields at
the speed of slots; the codec writes them straight to their places, which Shape finds once a class.
"""

cimport cython
from libc.stdlib cimport calloc, free

from pylog.wire._c cimport (
    Py_EQ, Py_INCREF, Py_TYPE, Py_XDECREF, PyDict_GetItemWithError, PyDict_Next,
    PyMemberDescr_Type, PyMemberDescrObject, PyObject, PyObject_RichCompareBool, PyTypeObject,
)

cdef dict _shapes = {}


@cython.final
cdef class Shape:
    """The fields of one class, in order, with their slots and defaults.

    Args:
        cls: a subclass of Struct with a slot for each name.
        defaults: of the fields, by name; `()` stands for a new list, a class for a new object.
    """

    def __cinit__(self):
        self.places = NULL

    def __init__(self, cls, dict defaults):
        cdef Place *place
        self.cls = cls
        self.kind = <PyTypeObject *> cls
        self.names = tuple(defaults)
        self.defaults = list(defaults.values())
        self.indexes = {name: index for index, name in enumerate(defaults)}
        self.count = 0
        free(self.places)
        self.places = <Place *> calloc(len(defaults) + 1, sizeof(Place))
        if self.places == NULL:
            raise MemoryError
        for name, default in defaults.items():
            member = cls.__dict__[name]
            if Py_TYPE(<PyObject *> member) != &PyMemberDescr_Type:
                raise TypeError(f"{cls.__name__}.{name} is no slot")
            place = &self.places[self.count]
            place.offset = (<PyMemberDescrObject *> member).d_member.offset
            place.initial = <PyObject *> default
            place.is_shared = default != () and not isinstance(default, type)
            self.count += 1
        _shapes[cls] = self

    def __dealloc__(self):
        free(self.places)

    cdef int fill(self, PyObject *target) except -1:
        """Give every field its default."""
        cdef PyObject **slot
        cdef PyObject *before
        cdef PyObject *value
        cdef Place *place
        for place in self.places[:self.count]:
            if place.is_shared:
                value = place.initial
                Py_INCREF(value)
            else:
                value = fresh_default(<object> place.initial)
            slot = slot_at(target, place.offset)
            before = slot[0]
            slot[0] = value
            Py_XDECREF(before)
        return 0

    cdef Py_ssize_t offset_of(self, str name) except -1:
        return self.places[<Py_ssize_t> self.indexes[name]].offset


cdef PyObject *fresh_default(object default) except NULL:
    """Return a new reference to a field's default."""
    made = default
    if default is ():
        made = []
    elif isinstance(default, type):
        made = default()
    Py_INCREF(<PyObject *> made)
    return <PyObject *> made


cdef Shape _shape_of(object struct):
    cdef PyObject *cls = <PyObject *> Py_TYPE(<PyObject *> struct)
    cdef PyObject *shape = PyDict_GetItemWithError(_shapes, cls)
    if shape == NULL:
        raise TypeError(f"{type(struct).__name__} has no fields")
    return <Shape> shape


cdef class Struct:
    """Base of all messages: fields by keyword, defaults for the others, equality, repr."""

    def __init__(self, **fields):
        cdef Shape shape = _shape_of(self)
        cdef PyObject **slot
        cdef PyObject *before
        cdef PyObject *name
        cdef PyObject *value
        cdef PyObject *index
        cdef Py_ssize_t position = 0
        shape.fill(<PyObject *> self)
        while PyDict_Next(fields, &position, &name, &value):
            index = PyDict_GetItemWithError(shape.indexes, name)
            if index == NULL:
                raise TypeError(f"{type(self).__name__} has no field {<object> name!r}")
            slot = slot_at(<PyObject *> self, shape.places[<Py_ssize_t> <object> index].offset)
            before = slot[0]
            Py_INCREF(value)
            slot[0] = value
            Py_XDECREF(before)

    def __eq__(self, other):
        cdef Shape shape
        cdef PyObject *mine
        cdef PyObject *theirs
        cdef Place *place
        if type(self) is not type(other):
            return NotImplemented
        shape = _shape_of(self)
        for place in shape.places[:shape.count]:
            mine = slot_at(<PyObject *> self, place.offset)[0]
            theirs = slot_at(<PyObject *> other, place.offset)[0]
            if mine == NULL or theirs == NULL:
                if mine != theirs:
                    return False
            elif not PyObject_RichCompareBool(mine, theirs, Py_EQ):
                return False
        return True

    def __repr__(self):
        fields = [f"{name}={getattr(self, name)!r}" for name in _shape_of(self).names]
        return f"{type(self).__name__}({', '.join(fields)})"
