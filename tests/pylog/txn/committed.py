"""What a folder shows: values by isolation level, waiting for a condition."""

import time

DEADLINE_S = 20.0


def committed(log_dir, partition=0, topic="t"):
    """The values that a read_committed reader sees."""
    return values(log_dir, partition, topic, read_committed=True)


def uncommitted(log_dir, partition=0, topic="t"):
    """All values, whatever became of their transactions."""
    return values(log_dir, partition, topic, read_committed=False)


def values(log_dir, partition, topic, read_committed):
    log = log_dir.partition(topic, partition)
    reader = log.reader(log.log_start_offset, read_committed=read_committed)
    return [record.value.decode() for record in reader]


def wait_for(condition):
    """Wait until a condition holds; it must within DEADLINE_S."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s, "it never came"
        time.sleep(0.01)


def code_of(call, *args, **kwargs):
    """The KafkaError that a call raises."""
    from pylog import KafkaException

    try:
        call(*args, **kwargs)
    except KafkaException as error:
        return error.args[0]
    raise AssertionError("no error")
