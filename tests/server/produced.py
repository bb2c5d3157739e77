"""What tests of the data APIs share: requests in one line, batches, answers as tuples."""

import time
from typing import Any

from wire_client import WireClient, api

from logcore.batch import BatchBuilder, iter_batches

PRODUCE, FETCH, LIST, TOPICS = api(0), api(1), api(2), api(19)
INIT, ADD, ADD_OFFSETS, END, COMMIT = api(22), api(24), api(25), api(26), api(28)


def make_batch(*values: bytes, key: bytes | None = None, codec: int = 0, **fields: Any) -> bytes:
    """A batch as a producer sends it; `producer` is (id, epoch, sequence)."""
    builder = BatchBuilder(codec)
    if "producer" in fields:
        builder.set_producer(*fields["producer"], fields.get("transactional", False))
    for value in values:
        builder.append(fields.get("timestamp_ms") or now_ms(), key, value)
    return builder.build()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def create(client: WireClient, name: str, partitions: int = 1, **configs: str) -> bytes:
    """Make a topic and return its id."""
    topic = TOPICS.CreatableTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=1,
        configs=[
            TOPICS.CreatableTopicConfig(name=key.replace("_", "."), value=value)
            for key, value in configs.items()
        ],
    )
    answer = client.ask(TOPICS.CreateTopicsRequest(topics=[topic], timeout_ms=10_000), 7).topics[0]
    assert answer.error_code == 0, answer
    return answer.topic_id


def produce_request(topic: str | bytes, *records: bytes | None, **fields: Any) -> Any:
    """A request with one batch for each of the first partitions."""
    named = {"topic_id": topic} if isinstance(topic, bytes) else {"name": topic}
    first = fields.get("partition", 0)
    return PRODUCE.ProduceRequest(
        transactional_id=fields.get("transactional_id"),
        acks=fields.get("acks", 1),
        timeout_ms=10_000,
        topic_data=[
            PRODUCE.TopicProduceData(
                partition_data=[
                    PRODUCE.PartitionProduceData(
                        index=first + index, records=None if data is None else [data]
                    )
                    for index, data in enumerate(records)
                ],
                **named,
            )
        ],
    )


def produce(client: WireClient, topic: str | bytes, records: bytes | None, **fields: Any) -> Any:
    """Produce one batch; the answer of its partition."""
    version = fields.pop("version", 9)
    response = client.ask(produce_request(topic, records, **fields), version)
    return response.responses[0].partition_responses[0]


def wanted(partition: int, offset: int, max_bytes: int = 1 << 20, **fields: Any) -> Any:
    return FETCH.FetchPartition(
        partition=partition, fetch_offset=offset, partition_max_bytes=max_bytes, **fields
    )


def fetch_request(*topics: tuple[str | bytes, list[Any]], **fields: Any) -> Any:
    asked = []
    for name, partitions in topics:
        named = {"topic_id": name} if isinstance(name, bytes) else {"topic": name}
        asked.append(FETCH.FetchTopic(partitions=partitions, **named))
    fields = {"max_wait_ms": 0, "min_bytes": 0, "max_bytes": 1 << 26, **fields}
    return FETCH.FetchRequest(topics=asked, **fields)


def fetch(client: WireClient, *topics: tuple[str | bytes, list[Any]], **fields: Any) -> Any:
    version = fields.pop("version", 12)
    return client.ask(fetch_request(*topics, **fields), version)


def partitions_of(response: Any) -> list[Any]:
    return [partition for topic in response.responses for partition in topic.partitions]


def values_of(partition: Any) -> list[bytes]:
    """The values of records that a Fetch answered, markers left out."""
    data = bytes(partition.records)
    return [
        record.value
        for batch in iter_batches(data)
        if not batch.is_control
        for record in batch.records()
    ]


def list_offset(client: WireClient, topic: str, timestamp: int, **fields: Any) -> tuple[int, ...]:
    """(error, offset, timestamp) of partition 0."""
    version = fields.pop("version", 7)
    partition = LIST.ListOffsetsPartition(partition_index=0, timestamp=timestamp)
    request = LIST.ListOffsetsRequest(
        replica_id=-1,
        topics=[LIST.ListOffsetsTopic(name=topic, partitions=[partition])],
        **fields,
    )
    answer = client.ask(request, version).topics[0].partitions[0]
    return answer.error_code, answer.offset, answer.timestamp


# ---- transactions -------------------------------------------------------------------------------


class Transactional:
    """A transactional producer that does what it is told, at the versions it is told."""

    def __init__(self, client: WireClient, transactional_id: str, timeout_ms: int = 60_000):
        self.client = client
        self.transactional_id = transactional_id
        self.sequences: dict[str, int] = {}
        self.producer_id = self.epoch = -1
        assert self.init(timeout_ms) == 0

    def init(self, timeout_ms: int = 60_000, version: int = 4, **fields: Any) -> int:
        answer = self.client.ask(
            INIT.InitProducerIdRequest(
                transactional_id=self.transactional_id,
                transaction_timeout_ms=timeout_ms,
                **fields,
            ),
            version,
        )
        if not answer.error_code:
            self.producer_id, self.epoch = answer.producer_id, answer.producer_epoch
            self.sequences.clear()
        return int(answer.error_code)

    def add(self, topic: str, *partitions: int, version: int = 3) -> list[int]:
        asked = ADD.AddPartitionsToTxnTopic(name=topic, partitions=list(partitions) or [0])
        response = self.client.ask(
            ADD.AddPartitionsToTxnRequest(
                v3_and_below_transactional_id=self.transactional_id,
                v3_and_below_producer_id=self.producer_id,
                v3_and_below_producer_epoch=self.epoch,
                v3_and_below_topics=[asked],
            ),
            version,
        )
        (answer,) = response.results_by_topic_v3_and_below
        return [one.partition_error_code for one in answer.results_by_partition]

    def batch(self, topic: str, *values: bytes) -> bytes:
        sequence = self.sequences.get(topic, 0)
        stamp = (self.producer_id, self.epoch, sequence)
        return make_batch(*values, producer=stamp, transactional=True)

    def put(self, topic: str, *values: bytes, version: int = 9) -> int:
        answer = produce(
            self.client,
            topic,
            self.batch(topic, *values),
            acks=-1,
            transactional_id=self.transactional_id,
            version=version,
        )
        if not answer.error_code:
            self.sequences[topic] = self.sequences.get(topic, 0) + len(values)
        return int(answer.error_code)

    def end(self, is_commit: bool, version: int = 3) -> int:
        response = self.client.ask(
            END.EndTxnRequest(
                transactional_id=self.transactional_id,
                producer_id=self.producer_id,
                producer_epoch=self.epoch,
                committed=is_commit,
            ),
            version,
        )
        if version >= 5 and not response.error_code:
            self.producer_id, self.epoch = response.producer_id, response.producer_epoch
            self.sequences.clear()
        return int(response.error_code)


def committed(client: WireClient, topic: str) -> list[bytes]:
    """The values that read_committed sees, as a client filters them."""
    (answer,) = partitions_of(fetch(client, (topic, [wanted(0, 0)]), isolation_level=1))
    assert answer.error_code == 0
    aborted = sorted(
        (one.first_offset, one.producer_id) for one in answer.aborted_transactions or ()
    )
    found, out = [], set()
    for batch in iter_batches(bytes(answer.records)):
        while aborted and aborted[0][0] <= batch.base_offset:
            out.add(aborted.pop(0)[1])
        if batch.is_control:
            out.discard(batch.producer_id)
        elif not (batch.is_transactional and batch.producer_id in out):
            found += [record.value for record in batch.records()]
    return found
