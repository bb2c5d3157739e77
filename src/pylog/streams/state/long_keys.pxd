from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE

cdef enum:
    LONG = 511                           # bytes; so long is the row of a bucket, and of no other


cdef inline bytes physical(bytes key):
    """The key as LMDB has it, not yet cut if it is long."""
    if PyBytes_GET_SIZE(key) and PyBytes_AS_STRING(key)[0]:
        return key
    return b"\0" + key


cdef inline bytes logical(bytes row):
    """The key of a row; of a bucket, what its keys begin with."""
    return row if PyBytes_AS_STRING(row)[0] else row[1:]


cdef list bucket_entries(object transaction, object handle, bytes row)
cdef int put_into_bucket(object transaction, object handle, bytes long_row,
                         object value) except -1
