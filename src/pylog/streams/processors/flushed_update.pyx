"""What goes downstream of an update that a store's cache wrote through."""

from pylog.streams.record cimport Change, Record, ValueAndTimestamp


cpdef Record record_of_flush(Record record):
    """What to forward of an update that a cache wrote through.

    Args:
        record: a Change of ValueAndTimestamp.

    Returns:
        A Change of values, at the time of the new one if there is one.
    """
    cdef Change change = record.value
    cdef Change plain = Change.__new__(Change)
    cdef ValueAndTimestamp new = change.new_value, old = change.old_value
    cdef Record update
    if new is not None:
        plain.new_value = new.value
    if old is not None:
        plain.old_value = old.value
    plain.is_latest = change.is_latest
    update = record.derive(record.key, plain)
    if new is not None:
        if new.timestamp < 0:
            raise ValueError(f"a record's timestamp is not negative: {new.timestamp}")
        update.timestamp = new.timestamp
    return update
