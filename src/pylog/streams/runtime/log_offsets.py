"""Where partitions begin and end, asked for in one request."""

import time

from pylog import AdminClient, KafkaError, KafkaException, TopicPartition
from pylog.admin import IsolationLevel, OffsetSpec
from pylog.streams.errors import StreamsError
from pylog.streams.runtime.assignment import Partition

_TIMEOUT_S = 60.0
_GONE_AFTER_S = 5.0  # by then every broker has heard of a topic that was just made
_RETRY_S = 0.05


def log_ends(admin: AdminClient, places: set[Partition]) -> dict[Partition, int]:
    """High watermarks of partitions."""
    return _offsets(admin, places, OffsetSpec.latest())


def log_bounds(
    admin: AdminClient, places: set[Partition]
) -> tuple[dict[Partition, int], dict[Partition, int]]:
    """First offsets and high watermarks of partitions."""
    starts = _offsets(admin, places, OffsetSpec.earliest())
    return starts, _offsets(admin, places, OffsetSpec.latest())


def _offsets(admin: AdminClient, places: set[Partition], spec: OffsetSpec) -> dict[Partition, int]:
    if not places:
        return {}
    wanted = {TopicPartition(*place): spec for place in places}
    began_s = time.monotonic()
    while True:
        try:
            found = admin.list_offsets(wanted, isolation_level=IsolationLevel.READ_UNCOMMITTED)
            return {
                (place.topic, place.partition): future.result().offset
                for place, future in found.items()
            }
        except KafkaException as error:
            kafka_error = error.args[0]
            # A topic that was just made may have no leader yet, or not as far as a broker knows.
            is_unknown = kafka_error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART
            limit_s = _GONE_AFTER_S if is_unknown else _TIMEOUT_S
            is_late = time.monotonic() - began_s > limit_s
            if is_late or not KafkaError(kafka_error.code()).retriable():
                topics = ", ".join(sorted({topic for topic, _ in places}))
                raise StreamsError(f"offsets of {topics}: {kafka_error.str()}") from error
        time.sleep(_RETRY_S)
