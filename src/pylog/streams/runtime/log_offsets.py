"""Where partitions begin and end, asked for in one request."""

from pylog import AdminClient, KafkaException, TopicPartition
from pylog.admin import IsolationLevel, OffsetSpec
from pylog.streams.errors import StreamsError
from pylog.streams.runtime.assignment import Partition


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
    try:
        found = admin.list_offsets(wanted, isolation_level=IsolationLevel.READ_UNCOMMITTED)
        return {
            (place.topic, place.partition): future.result().offset
            for place, future in found.items()
        }
    except KafkaException as error:
        topics = ", ".join(sorted({topic for topic, _ in places}))
        raise StreamsError(f"offsets of {topics}: {error.args[0].str()}") from error
