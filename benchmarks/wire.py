"""The wire codec beside kio: `python -m benchmarks.wire`, microseconds a message.

A server's half: requests as they come in a frame, header included; responses to the list of
buffers that is sent. kio has the message alone to read and write. The best of several rounds.
"""

import argparse
import io
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from kio.index import load_request_schema, load_response_schema
from kio.serial import entity_reader, entity_writer

from pylog.wire import APIS, Message, Request, decode_request, encode_request, encode_response
from pylog.wire.encoder import encode
from pylog.wire.messages import api_00_produce as produce
from pylog.wire.messages import api_01_fetch as fetch
from pylog.wire.messages import api_03_metadata as metadata
from pylog.wire.messages import api_08_offset_commit as offset_commit
from pylog.wire.planner import plan_of

ROUNDS = 9
RECORDS = memoryview(bytes(64 << 10))
MANY = 100


def microseconds(work: Callable[[], object], calls: int) -> float:
    """The best round's time a call, without what calling costs."""

    def best(what: Callable[[], object]) -> float:
        times = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            for _ in range(calls):
                what()
            times.append((time.perf_counter() - start) / calls)
        return min(times)

    return max(best(work) - best(lambda: None), 0.0) * 1e6


def requests() -> list[tuple[str, int, Message]]:
    """What is asked: a label, the version, the message."""
    partition = produce.PartitionProduceData(index=3, records=RECORDS)
    topic = produce.TopicProduceData(name="clicks", partition_data=[partition])
    wanted = fetch.FetchPartition(partition=3, fetch_offset=9, partition_max_bytes=1 << 20)
    commits = [
        offset_commit.OffsetCommitRequestPartition(
            partition_index=number, committed_offset=9, committed_metadata=""
        )
        for number in range(MANY)
    ]
    return [
        ("Produce, 64 KiB", 9, produce.ProduceRequest(acks=-1, topic_data=[topic])),
        (
            "Fetch, 1 partition",
            12,
            fetch.FetchRequest(topics=[fetch.FetchTopic(topic="clicks", partitions=[wanted])]),
        ),
        (
            f"OffsetCommit, {MANY} partitions",
            8,
            offset_commit.OffsetCommitRequest(
                group_id="g",
                topics=[offset_commit.OffsetCommitRequestTopic(name="clicks", partitions=commits)],
            ),
        ),
    ]


def responses() -> list[tuple[str, int, Message]]:
    """What is answered: a label, the version, the message."""
    stored = produce.PartitionProduceResponse(index=3, base_offset=12)
    fetched = fetch.PartitionData(partition_index=3, high_watermark=12, records=RECORDS)
    topics = [
        metadata.MetadataResponseTopic(
            name=f"topic-{number}",
            partitions=[
                metadata.MetadataResponsePartition(
                    partition_index=index, replica_nodes=[0], isr_nodes=[0]
                )
                for index in range(3)
            ],
        )
        for number in range(MANY)
    ]
    return [
        (
            "Produce",
            9,
            produce.ProduceResponse(
                responses=[
                    produce.TopicProduceResponse(name="clicks", partition_responses=[stored])
                ]
            ),
        ),
        (
            "Fetch, 64 KiB",
            12,
            fetch.FetchResponse(
                responses=[fetch.FetchableTopicResponse(topic="clicks", partitions=[fetched])]
            ),
        ),
        (f"Metadata, {MANY} topics of 3", 12, metadata.MetadataResponse(topics=topics)),
    ]


def key_of(message: Message) -> int:
    return next(api.key for api in APIS.values() if type(message) in (api.request, api.response))


def body_of(message: Message, version: int) -> bytes:
    return b"".join(encode(plan_of(type(message), version), message))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=2000, help="a round")
    calls = parser.parse_args().calls
    print(f"{'':32}{'pylog.wire':>12}{'kio':>12}{'ratio':>9}")
    for label, version, message in requests():
        key = key_of(message)
        frame = b"".join(encode_request(Request(key, version, 7, "client", message)))[4:]
        read: Any = entity_reader(load_request_schema(key, version))
        ours = microseconds(partial(decode_request, frame), calls)
        theirs = microseconds(partial(read, body_of(message, version), 0), calls)
        print(f"{'read ' + label:32}{ours:>12.2f}{theirs:>12.2f}{theirs / ours:>8.1f}x")
    for label, version, message in responses():
        key = key_of(message)
        entity = load_response_schema(key, version)
        other, _ = entity_reader(entity)(body_of(message, version), 0)
        write: Any = entity_writer(entity)
        ours = microseconds(partial(encode_response, Request(key, version, 7), message), calls)
        theirs = microseconds(lambda w=write, o=other: w(io.BytesIO(), o), max(calls // 20, 1))
        print(f"{'write ' + label:32}{ours:>12.2f}{theirs:>12.2f}{theirs / ours:>8.1f}x")


if __name__ == "__main__":
    main()
