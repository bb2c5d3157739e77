"""What a consumer handed out, sorted by partition, without a Python step for each message."""

from pylog.message cimport Message


def split_by_partition(list messages):
    """The runs of messages that come from one partition, and the events between them.

    Args:
        messages: of Consumer.consume.

    Returns:
        ([(topic, partition, [Message, ...]), ...], [Message with an error, ...]). A partition may
        come more than once; the order of its messages is kept.
    """
    cdef Message message
    cdef list runs = [], events = [], run = None
    cdef object topic = None
    cdef int partition = -1
    cdef object own_topic
    cdef int own_partition
    for item in messages:
        message = <Message>item
        if message._peer is None:
            if message._error is not None:
                events.append(message)
                continue
            own_topic = message._topic
            own_partition = message._partition
        else:
            if message._peer.error() is not None:
                events.append(message)
                continue
            own_topic = message._peer.topic()
            own_partition = message._peer.partition()
        if run is None or own_partition != partition or (
                own_topic is not topic and own_topic != topic):
            topic = own_topic
            partition = own_partition
            run = []
            runs.append((topic, partition, run))
        run.append(message)
    return runs, events


def as_rows(list messages):
    """Messages as the (key, value, timestamp_ms, headers) that a store's restore_batch takes."""
    cdef Message message
    cdef list rows = []
    for item in messages:
        message = <Message>item
        if message._peer is None:
            rows.append((message._key, message._value, message._timestamp_ms, message._headers))
        else:
            rows.append((message.key(), message.value(), message.timestamp()[1],
                         message.headers()))
    return rows


def last_offset(list messages not None):
    """Offset of the last message, -1 of an empty list."""
    return messages[-1].offset() if messages else -1
