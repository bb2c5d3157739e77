"""Bytes to messages. Every length and count is checked against what is left before it is used.

Records are not copied: they become slices of a memoryview of what was given.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t, uint32_t

from pylog.wire._c cimport (
    Py_False, Py_INCREF, Py_None, Py_True, Py_XDECREF, PyBytes_FromStringAndSize,
    PyFloat_FromDouble, PyList_New, PyList_SET_ITEM, PyLong_FromLong, PyLong_FromLongLong, PyObject,
    PyUnicode_DecodeUTF8, pw_load_f64, pw_load_i16, pw_load_i32, pw_load_i64, pw_load_uvarint,
)
from pylog.wire.plan cimport (
    BOOL, FLOAT64, INT8, INT16, INT32, INT64, MAX_NESTING, Op, Plan, RECORDS, STRING, STRUCT, UUID,
)
from pylog.wire.shape cimport fresh_default, slot_at

from pylog.wire.errors import WireError

cdef enum:
    MAX_ELEMENTS = 1 << 18      # of all arrays of one message: bounds what a small frame may become
    MAX_TAGGED_FIELDS = 64
    MAX_STRING_BYTES = 0x7fff   # in flexible versions too, as Kafka

cdef str _TAGGED_FIELDS = "tagged fields"


def decode(Plan plan, data):
    """Read a message that fills `data`.

    Args:
        plan: of the message's class and version.
        data: anything with bytes; records are slices of a memoryview of it.

    Raises:
        WireError: `data` is not that message.
    """
    cdef Source source
    cdef Py_buffer view
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    open_source(&source, data, <const uint8_t *> view.buf, view.len)
    try:
        message = read_message(&source, plan)
        if source.at != source.end:
            raise WireError(
                f"{source.end - source.at} bytes after the message", "",
                source.at - source.start, plan.label,
            )
        return message
    finally:
        close_source(&source)
        PyBuffer_Release(&view)


cdef int open_source(Source *source, object owner, const uint8_t *data, Py_ssize_t size) except -1:
    source.start = source.at = data
    source.end = data + size
    source.owner = <PyObject *> owner
    source.view = NULL
    source.elements = MAX_ELEMENTS
    source.depth = -1
    return 0


cdef void close_source(Source *source) noexcept:
    Py_XDECREF(source.view)
    source.view = NULL


cdef object read_message(Source *source, Plan plan):
    """Read a message; what follows it stays in the source."""
    try:
        return _read_struct(source, plan)
    except WireError as error:
        error.message_name = plan.label
        raise
    except UnicodeDecodeError as error:
        raise WireError(
            f"not UTF-8: {error.reason}", _where(source), source.at - source.start, plan.label
        ) from None


cdef str _where(Source *source):
    """The path to the field that is being read."""
    steps = []
    for depth in range(source.depth + 1):
        name = <str> source.trail[depth].name
        index = source.trail[depth].index
        steps.append(name if index < 0 else f"{name}[{index}]")
    return ".".join(steps)


cdef object broken(Source *source, str reason):
    """Return the error for the field that is being read."""
    return WireError(reason, _where(source), source.at - source.start)


cdef const uint8_t *take(Source *source, Py_ssize_t size) except NULL:
    """Return where the next `size` bytes are, and go past them."""
    cdef const uint8_t *at = source.at
    if size > source.end - at:
        raise broken(source, f"{size} bytes needed, {source.end - at} left")
    source.at = at + size
    return at


cdef inline PyObject *_new_reference(object value) noexcept:
    Py_INCREF(<PyObject *> value)
    return <PyObject *> value


cdef int64_t _read_uvarint(Source *source) except -1:
    cdef uint32_t value = 0
    cdef const uint8_t *after
    after = pw_load_uvarint(source.at, source.end, &value)
    if after == NULL:
        raise broken(source, f"no varint in the {source.end - source.at} bytes left")
    source.at = after
    return value


cdef int64_t _read_size(Source *source, bint is_flexible, bint is_short) except? -2:
    """Return a length or count, -1 for null; not yet compared with what is left."""
    if is_flexible:
        return _read_uvarint(source) - 1
    if is_short:
        return pw_load_i16(take(source, 2))
    return pw_load_i32(take(source, 4))


cdef PyObject *_null(Source *source, int64_t size, bint is_nullable) except NULL:
    """Return None for a field that may be null."""
    if size != -1 or not is_nullable:
        raise broken(source, "null where it may not be" if size == -1 else f"a length of {size}")
    Py_INCREF(Py_None)
    return Py_None


cdef PyObject *_read_records(Source *source, int64_t size) except NULL:
    """Return a slice of the owner's bytes, not a copy."""
    cdef Py_ssize_t start = take(source, size) - source.start
    if source.view == NULL:
        source.view = _new_reference(memoryview(<object> source.owner))
    return _new_reference((<object> source.view)[start:start + size])


cdef PyObject *_read_sized(Source *source, Op *op, bint is_flexible) except NULL:
    cdef int64_t size = _read_size(source, is_flexible, op.kind == STRING)
    cdef const uint8_t *data
    if size < 0:
        return _null(source, size, op.is_nullable and not op.is_array)
    if op.kind == RECORDS:
        return _read_records(source, size)
    if op.kind == STRING and size > MAX_STRING_BYTES:
        raise broken(source, f"a string of {size} bytes")
    data = take(source, size)
    if op.kind == STRING:
        return PyUnicode_DecodeUTF8(<const char *> data, size, NULL)
    return PyBytes_FromStringAndSize(<const char *> data, size)


cdef PyObject *_read_value(Source *source, Op *op, bint is_flexible) except NULL:
    """Return a new reference to one value, or one element of an array."""
    cdef PyObject *known
    if op.kind == INT32:
        return PyLong_FromLong(pw_load_i32(take(source, 4)))
    elif op.kind == INT16:
        return PyLong_FromLong(pw_load_i16(take(source, 2)))
    elif op.kind == INT64:
        return PyLong_FromLongLong(pw_load_i64(take(source, 8)))
    elif op.kind == INT8:
        return PyLong_FromLong((<const signed char *> take(source, 1))[0])
    elif op.kind == BOOL:
        known = Py_True if take(source, 1)[0] else Py_False
        Py_INCREF(known)
        return known
    elif op.kind == FLOAT64:
        return PyFloat_FromDouble(pw_load_f64(take(source, 8)))
    elif op.kind == UUID:
        return PyBytes_FromStringAndSize(<const char *> take(source, 16), 16)
    elif op.kind == STRUCT:
        return _new_reference(_read_struct(source, <Plan> op.plan))
    return _read_sized(source, op, is_flexible)


cdef PyObject *_read_array(Source *source, Op *op, bint is_flexible) except NULL:
    cdef int64_t count = _read_size(source, is_flexible, False)
    cdef Py_ssize_t index
    cdef Step *step = &source.trail[source.depth]
    if count < 0:
        return _null(source, count, op.is_nullable)
    if count > (source.end - source.at) // op.least:
        raise broken(source, f"{count} elements in {source.end - source.at} bytes")
    source.elements -= count
    if source.elements < 0:
        raise broken(source, f"more than {MAX_ELEMENTS} elements in one message")
    values = PyList_New(count)
    for index in range(count):
        step.index = index
        PyList_SET_ITEM(<PyObject *> values, index, _read_value(source, op, is_flexible))
    return _new_reference(values)


cdef PyObject *_read_field(Source *source, Op *op, bint is_flexible) except NULL:
    cdef Step *step = &source.trail[source.depth]
    step.name = op.name
    step.index = -1
    if op.is_array:
        return _read_array(source, op, is_flexible)
    if op.kind == STRUCT and op.is_nullable and (<const signed char *> take(source, 1))[0] < 0:
        return _null(source, -1, True)
    return _read_value(source, op, is_flexible)


cdef int skip_tagged_fields(Source *source) except -1:
    """Go past fields of which none is known."""
    cdef int64_t count = _read_uvarint(source)
    if count > MAX_TAGGED_FIELDS:
        raise broken(source, f"{count} tagged fields")
    while count > 0:
        count -= 1
        _read_uvarint(source)
        take(source, _read_uvarint(source))
    return 0


cdef int _read_tagged_fields(Source *source, Plan plan, PyObject *struct) except -1:
    """Read the fields that may follow, skip those that are not known."""
    cdef int64_t count
    cdef int64_t tag, size
    cdef const uint8_t *outer_end
    cdef PyObject **slot
    cdef Op *op
    cdef int place
    source.trail[source.depth].name = <PyObject *> _TAGGED_FIELDS
    source.trail[source.depth].index = -1
    count = _read_uvarint(source)
    if count > MAX_TAGGED_FIELDS:
        raise broken(source, f"{count} tagged fields")
    while count > 0:
        count -= 1
        tag = _read_uvarint(source)
        size = _read_uvarint(source)
        take(source, size)
        for place in range(plan.tagged_count):
            op = &plan.ops[plan.present_count + place]
            if op.tag != tag:
                continue
            slot = slot_at(struct, op.slot)
            source.at -= size
            if slot[0] != NULL:
                raise broken(source, f"tag {tag} twice")
            outer_end = source.end
            source.end = source.at + size
            slot[0] = _read_field(source, op, True)
            if source.at != source.end:
                raise broken(source, f"tag {tag}: {source.end - source.at} bytes left over")
            source.end = outer_end
            break
    return 0


cdef object _read_struct(Source *source, Plan plan):
    cdef PyObject *struct = plan.kind.tp_alloc(plan.kind, 0)
    cdef object made = <object> struct      # which drops it when something is wrong
    cdef Op *op
    cdef PyObject **slot
    cdef int place
    Py_XDECREF(struct)
    source.depth += 1
    if source.depth >= MAX_NESTING:
        raise broken(source, "nested too deep")
    for place in range(plan.present_count):
        op = &plan.ops[place]
        slot_at(struct, op.slot)[0] = _read_field(source, op, plan.is_flexible)
    if plan.is_flexible:
        _read_tagged_fields(source, plan, struct)
    for place in range(plan.present_count, plan.field_count):
        op = &plan.ops[place]
        slot = slot_at(struct, op.slot)
        if slot[0] == NULL:
            slot[0] = fresh_default(<object> op.initial)
    source.depth -= 1
    return made
