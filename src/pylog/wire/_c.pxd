"""Every C function and struct of pylog.wire, declared once."""

from cpython.ref cimport PyObject
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t


cdef extern from "wire/c/primitives.h" nogil:
    enum: PW_UVARINT_MAX_BYTES
    int16_t pw_load_i16(const uint8_t *p)
    int32_t pw_load_i32(const uint8_t *p)
    int64_t pw_load_i64(const uint8_t *p)
    double pw_load_f64(const uint8_t *p)
    void pw_store_i16(uint8_t *p, int16_t value)
    void pw_store_i32(uint8_t *p, int32_t value)
    void pw_store_i64(uint8_t *p, int64_t value)
    void pw_store_f64(uint8_t *p, double value)
    const uint8_t *pw_load_uvarint(const uint8_t *p, const uint8_t *end, uint32_t *value)
    uint8_t *pw_store_uvarint(uint8_t *p, uint32_t value)


# Python's API with plain pointers: the codec owns its references by hand.
cdef extern from "structmember.h":
    pass


cdef extern from "Python.h":
    ctypedef struct PyTypeObject:
        PyObject *(*tp_alloc)(PyTypeObject *kind, Py_ssize_t items) except NULL
    ctypedef struct PyMemberDef:
        Py_ssize_t offset
    ctypedef struct PyMemberDescrObject:
        PyMemberDef *d_member
    PyTypeObject PyMemberDescr_Type
    PyObject *PyDict_GetItemWithError(object mapping, PyObject *key)
    int PyDict_Next(object mapping, Py_ssize_t *position, PyObject **key, PyObject **value)
    PyObject *Py_None
    PyObject *Py_True
    PyObject *Py_False
    PyTypeObject *Py_TYPE(PyObject *value)
    Py_ssize_t Py_REFCNT(PyObject *value)
    void Py_INCREF(PyObject *value)
    void Py_XDECREF(PyObject *value)
    PyObject *PyLong_FromLong(long value) except NULL
    PyObject *PyLong_FromLongLong(long long value) except NULL
    PyObject *PyFloat_FromDouble(double value) except NULL
    PyObject *PyBytes_FromStringAndSize(const char *data, Py_ssize_t size) except NULL
    PyObject *PyUnicode_DecodeUTF8(const char *data, Py_ssize_t size, const char *e) except NULL
    list PyList_New(Py_ssize_t size)
    void PyList_SET_ITEM(PyObject *values, Py_ssize_t index, PyObject *value)
    long long PyLong_AsLongLong(PyObject *value) except? -1
    double PyFloat_AsDouble(PyObject *value) except? -1
    int PyObject_IsTrue(PyObject *value) except -1
    int PyObject_RichCompareBool(PyObject *left, PyObject *right, int how) except -1
    const char *PyUnicode_AsUTF8AndSize(PyObject *value, Py_ssize_t *size) except NULL
    enum: Py_EQ
