"""How keys of any length lie in LMDB, which takes 1 to 511 bytes, in the order of their bytes.

    key                            row of LMDB
    empty, or its first byte is 0  a byte 0 and the key
    other                          the key
    then, if it has 511 or more    the first 511 bytes: a bucket of all keys that begin so

    bucket   size of the rest(4) rest of the key  size of the value(4) value, in order of the keys
"""

from struct import Struct

cdef object SIZE = Struct(">I")


cdef list bucket_entries(object transaction, object handle, bytes row):
    """The (key, value) of a bucket, in order; none if there is no such row."""
    cdef bytes beginning = logical(row)
    cdef bytes data = transaction.get(row, b"", handle)
    cdef Py_ssize_t at = 0
    cdef list entries = []
    while at < len(data):
        rest = data[at + 4:at + 4 + SIZE.unpack_from(data, at)[0]]
        at += 4 + len(rest)
        value = data[at + 4:at + 4 + SIZE.unpack_from(data, at)[0]]
        at += 4 + len(value)
        entries.append((beginning + rest, value))
    return entries


cdef int put_into_bucket(object transaction, object handle, bytes long_row,
                         object value) except -1:
    """Write a long key, given as a row that was not cut; None deletes it."""
    cdef bytes row = long_row[:LONG], key = logical(long_row)
    cdef Py_ssize_t beginning = len(logical(row))
    cdef dict entries = dict(bucket_entries(transaction, handle, row))
    cdef list parts = []
    entries.pop(key, None)
    if value is not None:
        entries[key] = value
    if not entries:
        transaction.delete(row, b"", handle)
        return 0
    for key in sorted(entries):
        for part in (key[beginning:], entries[key]):
            parts.append(SIZE.pack(len(part)))
            parts.append(part)
    transaction.put(row, b"".join(parts), True, True, False, handle)
    return 0
