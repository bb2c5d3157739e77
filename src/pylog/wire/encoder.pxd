from libc.stdint cimport uint8_t

from pylog.wire.plan cimport Plan


cdef list write_frame(Plan plan, object message, const uint8_t *head, Py_ssize_t head_size)
