"""Messages to bytes. What comes out is a list of buffers for writev: records are not copied."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove

from pylog.wire._c cimport (
    Py_EQ, Py_None, Py_TYPE, PyFloat_AsDouble, PyLong_AsLongLong, PyObject, PyObject_IsTrue,
    PyObject_RichCompareBool, PyUnicode_AsUTF8AndSize, PW_UVARINT_MAX_BYTES, pw_store_f64,
    pw_store_i16, pw_store_i32, pw_store_i64, pw_store_uvarint,
)
from pylog.wire.plan cimport (
    BOOL, FLOAT64, INT8, INT16, INT32, INT64, MAX_NESTING, Op, Plan, RECORDS, STRING, STRUCT, UUID,
)
from pylog.wire.shape cimport slot_at

from pylog.wire.errors import WireError

cdef enum:
    ROOM_BYTES = 1024           # on the stack: enough for nearly all messages
    MAX_FRAME_BYTES = 0x7fffffff
    MAX_STRING_BYTES = 0x7fff
    SIZE_BYTES = 4

cdef struct Step:
    PyObject *name
    Py_ssize_t index            # in an array, -1 outside

cdef struct Sink:
    uint8_t *data
    Py_ssize_t size
    Py_ssize_t capacity
    int64_t total               # of the parts, without `data`
    PyObject *parts             # buffers that are complete, borrowed; records stand between
    int depth
    Step trail[MAX_NESTING]
    uint8_t room[ROOM_BYTES]


def encode(Plan plan, message):
    """Return the message's bytes as a list of buffers, without a frame.

    Raises:
        WireError: the version cannot carry the message.
    """
    return _write(plan, message, NULL, 0, False)


cdef list write_frame(Plan plan, object message, const uint8_t *head, Py_ssize_t head_size):
    """Return size, head and message as a list of buffers."""
    return _write(plan, message, head, head_size, True)


cdef list _write(Plan plan, object message, const uint8_t *head, Py_ssize_t head_size,
                 bint is_framed):
    cdef Sink sink
    cdef list parts = []
    sink.data = sink.room
    sink.capacity = ROOM_BYTES
    sink.size = 0
    sink.total = 0
    sink.parts = <PyObject *> parts
    sink.depth = -1
    try:
        if is_framed:
            _reserve(&sink, SIZE_BYTES)
            sink.size = SIZE_BYTES
        if head_size:
            memcpy(_reserve(&sink, head_size), head, head_size)
            sink.size += head_size
        _write_struct(&sink, plan, <PyObject *> message)
        if sink.size or not parts:
            _end_part(&sink)
        if sink.total > MAX_FRAME_BYTES:
            raise WireError(f"a message of {sink.total} bytes", message_name=plan.label)
        if is_framed:
            pw_store_i32(<uint8_t *> <char *> <bytes> parts[0], <int32_t> (sink.total - SIZE_BYTES))
        return parts
    except (BufferError, OverflowError, TypeError, UnicodeEncodeError) as error:
        raise WireError(str(error), _where(&sink), -1, plan.label) from error
    except WireError as error:
        error.message_name = plan.label
        raise
    finally:
        if sink.data != sink.room:
            free(sink.data)


cdef str _where(Sink *sink):
    """The path to the field that is being written."""
    steps = []
    for depth in range(sink.depth + 1):
        name = <str> sink.trail[depth].name
        index = sink.trail[depth].index
        steps.append(name if index < 0 else f"{name}[{index}]")
    return ".".join(steps)


cdef object _unfit(Sink *sink, str reason):
    return WireError(reason, _where(sink))


cdef uint8_t *_reserve(Sink *sink, Py_ssize_t size) except NULL:
    """Return where `size` bytes may be written."""
    cdef uint8_t *grown
    cdef Py_ssize_t capacity
    if size <= sink.capacity - sink.size:
        return sink.data + sink.size
    capacity = max(2 * sink.capacity, sink.size + size)
    if sink.total + capacity > 2 * <int64_t> MAX_FRAME_BYTES:
        raise _unfit(sink, "a message of more than 2 GiB")
    grown = <uint8_t *> malloc(capacity)
    if grown == NULL:
        raise MemoryError
    memcpy(grown, sink.data, sink.size)
    if sink.data != sink.room:
        free(sink.data)
    sink.data = grown
    sink.capacity = capacity
    return grown + sink.size


cdef int _end_part(Sink *sink) except -1:
    """What was written becomes a buffer of the answer."""
    (<list> sink.parts).append(PyBytes_FromStringAndSize(<char *> sink.data, sink.size))
    sink.total += sink.size
    sink.size = 0
    return 0


cdef int _write_uvarint(Sink *sink, int64_t value) except -1:
    cdef uint8_t *at = _reserve(sink, PW_UVARINT_MAX_BYTES)
    sink.size += pw_store_uvarint(at, <unsigned int> value) - at
    return 0


cdef int _write_size(Sink *sink, int64_t size, bint is_flexible, bint is_short) except -1:
    """Write a length or count; -1 is null."""
    if size > (MAX_STRING_BYTES if is_short else MAX_FRAME_BYTES):
        raise _unfit(sink, f"a length of {size}")
    if is_flexible:
        return _write_uvarint(sink, size + 1)
    if is_short:
        pw_store_i16(_reserve(sink, 2), <short> size)
        sink.size += 2
    else:
        pw_store_i32(_reserve(sink, 4), <int32_t> size)
        sink.size += 4
    return 0


cdef int _write_bytes(Sink *sink, const void *data, Py_ssize_t size) except -1:
    memcpy(_reserve(sink, size), data, size)
    sink.size += size
    return 0


cdef int64_t _integer(Sink *sink, PyObject *value, int64_t least, int64_t most) except? -1:
    cdef int64_t number = PyLong_AsLongLong(value)
    if number < least or number > most:
        raise _unfit(sink, f"{number} is not within {least} and {most}")
    return number


cdef Py_ssize_t _buffer_size(object buffer) except -1:
    cdef Py_buffer view
    cdef Py_ssize_t size
    PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE)
    size = view.len
    PyBuffer_Release(&view)
    return size


cdef int _write_records(Sink *sink, object records, bint is_flexible) except -1:
    """Write the size; the records, one buffer or several, go into the answer as they are."""
    cdef int64_t size = 0
    cdef list buffers = list(records) if isinstance(records, (list, tuple)) else [records]
    for buffer in buffers:
        size += _buffer_size(buffer)
    _write_size(sink, size, is_flexible, False)
    if size:
        _end_part(sink)
        (<list> sink.parts).extend(buffers)
        sink.total += size
    return 0


cdef int _write_sized(Sink *sink, Op *op, PyObject *value, bint is_flexible) except -1:
    cdef Py_ssize_t size
    cdef const char *text
    cdef Py_buffer view
    if op.kind == STRING:
        if not isinstance(<object> value, str):
            raise _unfit(sink, f"{type(<object> value).__name__} is no text")
        text = PyUnicode_AsUTF8AndSize(value, &size)
        _write_size(sink, size, is_flexible, True)
        return _write_bytes(sink, text, size)
    if op.kind == RECORDS:
        return _write_records(sink, <object> value, is_flexible)
    PyObject_GetBuffer(<object> value, &view, PyBUF_SIMPLE)
    try:
        _write_size(sink, view.len, is_flexible, False)
        return _write_bytes(sink, view.buf, view.len)
    finally:
        PyBuffer_Release(&view)


cdef int _write_uuid(Sink *sink, object value) except -1:
    if not isinstance(value, bytes) or len(<bytes> value) != 16:
        raise _unfit(sink, f"{value!r} is not 16 bytes")
    return _write_bytes(sink, <char *> <bytes> value, 16)


cdef int _write_value(Sink *sink, Op *op, PyObject *value, bint is_flexible) except -1:
    """Write one value that is not null, or one element of an array."""
    cdef uint8_t *at = _reserve(sink, 8)
    if op.kind == INT32:
        pw_store_i32(at, <int32_t> _integer(sink, value, -0x80000000, 0x7fffffff))
        sink.size += 4
    elif op.kind == INT16:
        pw_store_i16(at, <short> _integer(sink, value, -0x8000, 0x7fff))
        sink.size += 2
    elif op.kind == INT64:
        pw_store_i64(at, PyLong_AsLongLong(value))
        sink.size += 8
    elif op.kind == INT8:
        at[0] = <uint8_t> _integer(sink, value, -0x80, 0x7f)
        sink.size += 1
    elif op.kind == BOOL:
        at[0] = PyObject_IsTrue(value)
        sink.size += 1
    elif op.kind == FLOAT64:
        pw_store_f64(at, PyFloat_AsDouble(value))
        sink.size += 8
    elif op.kind == UUID:
        _write_uuid(sink, <object> value)
    elif op.kind == STRUCT:
        _write_struct(sink, <Plan> op.plan, value)
    else:
        _write_sized(sink, op, value, is_flexible)
    return 0


cdef int _write_array(Sink *sink, Op *op, object values, bint is_flexible) except -1:
    cdef Step *step = &sink.trail[sink.depth]
    if not isinstance(values, (list, tuple)):
        raise _unfit(sink, f"{type(values).__name__} is no list")
    _write_size(sink, len(values), is_flexible, False)
    for value in values:
        step.index += 1
        if value is None:
            raise _unfit(sink, "null where it may not be")
        _write_value(sink, op, <PyObject *> value, is_flexible)
    return 0


cdef int _write_null(Sink *sink, Op *op, bint is_flexible) except -1:
    if not op.is_nullable:
        raise _unfit(sink, "null where it may not be")
    if op.kind == STRUCT and not op.is_array:
        _reserve(sink, 1)[0] = 0xff
        sink.size += 1
        return 0
    return _write_size(sink, -1, is_flexible, op.kind == STRING and not op.is_array)


cdef int _write_field(Sink *sink, Op *op, PyObject *value, bint is_flexible) except -1:
    if value == Py_None:
        return _write_null(sink, op, is_flexible)
    if op.is_array:
        return _write_array(sink, op, <object> value, is_flexible)
    if op.kind == STRUCT and op.is_nullable:
        _reserve(sink, 1)[0] = 1
        sink.size += 1
    return _write_value(sink, op, value, is_flexible)


cdef PyObject *_field(Sink *sink, Op *op, PyObject *struct) except NULL:
    """Return a field's value, borrowed, and remember where we are."""
    cdef Step *step = &sink.trail[sink.depth]
    cdef PyObject *value = slot_at(struct, op.slot)[0]
    step.name = op.name
    step.index = -1
    if value == NULL:
        raise _unfit(sink, "the attribute was deleted")
    return value


cdef bint _is_default(Op *op, PyObject *value) except -1:
    """Whether Kafka would leave the field out; a tagged struct may be None for that."""
    default = <object> op.initial
    if <PyObject *> default == value:
        return True
    if default is None and op.kind == STRUCT and not op.is_nullable and not op.is_array:
        return <object> value == (<Plan> op.plan).shape.cls()
    if default is ():
        return isinstance(<object> value, (list, tuple)) and not <object> value
    if isinstance(default, type):
        return <object> value == default()
    return PyObject_RichCompareBool(value, <PyObject *> default, Py_EQ)


cdef int _write_tagged_fields(Sink *sink, Plan plan, PyObject *struct) except -1:
    """Write those that have not their default. A field's size is known when it is written."""
    cdef int64_t count = 0
    cdef int place
    cdef Op *op
    cdef PyObject *value
    for place in range(plan.present_count, plan.present_count + plan.tagged_count):
        op = &plan.ops[place]
        count += not _is_default(op, _field(sink, op, struct))
    _write_uvarint(sink, count)
    for place in range(plan.present_count, plan.present_count + plan.tagged_count):
        op = &plan.ops[place]
        value = _field(sink, op, struct)
        if not _is_default(op, value):
            _write_tagged_field(sink, op, value)
    return 0


cdef int _write_tagged_field(Sink *sink, Op *op, PyObject *value) except -1:
    cdef uint8_t size[PW_UVARINT_MAX_BYTES]
    cdef Py_ssize_t start, length, width
    _write_uvarint(sink, op.tag)
    start = sink.size
    _write_field(sink, op, value, True)
    length = sink.size - start
    width = pw_store_uvarint(size, <unsigned int> length) - size
    _reserve(sink, width)
    memmove(sink.data + start + width, sink.data + start, length)
    memcpy(sink.data + start, size, width)
    sink.size += width
    return 0


cdef int _write_struct(Sink *sink, Plan plan, PyObject *struct) except -1:
    cdef Op *op
    cdef PyObject *value
    cdef int place
    if Py_TYPE(struct) != plan.kind:
        raise _unfit(
            sink, f"{type(<object> struct).__name__} is no {plan.shape.cls.__name__}"
        )
    sink.depth += 1
    if sink.depth >= MAX_NESTING:
        raise _unfit(sink, "nested too deep")
    for place in range(plan.present_count):
        op = &plan.ops[place]
        _write_field(sink, op, _field(sink, op, struct), plan.is_flexible)
    for place in range(plan.present_count + plan.tagged_count, plan.field_count):
        op = &plan.ops[place]
        value = _field(sink, op, struct)
        if not op.is_ignorable and not _is_default(op, value):
            raise _unfit(sink, "the version has no such field")
    if plan.is_flexible:
        _write_tagged_fields(sink, plan, struct)
    sink.depth -= 1
    return 0
