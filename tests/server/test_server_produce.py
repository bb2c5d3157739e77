"""Produce: what is taken, what is refused and with which code, and when it is answered."""

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
import threading

import pytest
from produced import (
    create,
    fetch,
    make_batch,
    now_ms,
    partitions_of,
    produce,
    produce_request,
    values_of,
    wanted,
)
from wire_client import WireClient

import pylog.server.broker
import pylog.server.listener
from logcore import codecs
from logcore.batch import crc32c
from pylog import Producer
from pylog.errors import KafkaError, KafkaException
from pylog.server.produced_batch import ProducedBatch
from pylog.testing import Server

E = KafkaError


def patched(batch, position, size, value, *, seal=True):
    """A batch with a number in its header changed, and the CRC that fits."""
    changed = bytearray(batch)
    changed[position : position + size] = value.to_bytes(size, "big", signed=True)
    if seal:
        changed[17:21] = crc32c(bytes(changed[21:])).to_bytes(4, "big")
    return bytes(changed)


def read(client, topic):
    (answer,) = partitions_of(fetch(client, (topic, [wanted(0, 0)])))
    return values_of(answer)


GOOD = make_batch(b"a", b"b", timestamp_ms=now_ms())

BAD = {
    "nothing": (None, E.INVALID_RECORD),
    "no bytes": (b"", E.INVALID_RECORD),
    "half a header": (GOOD[:30], E.INVALID_RECORD),
    "one byte missing": (GOOD[:-1], E.INVALID_RECORD),
    "one byte more": (GOOD + b"x", E.INVALID_RECORD),
    "two batches": (GOOD + GOOD, E.INVALID_RECORD),
    "a wrong checksum": (patched(GOOD, 17, 4, 1, seal=False), E.INVALID_MSG),
    "a tiny length": (patched(GOOD, 8, 4, 10), E.INVALID_MSG),
    "a huge length": (patched(GOOD, 8, 4, 1 << 30), E.INVALID_RECORD),
    "magic 1": (patched(GOOD, 16, 1, 1), E.INVALID_RECORD),
    "magic 3": (patched(GOOD, 16, 1, 3), E.INVALID_MSG),
    "a record count too many": (patched(GOOD, 57, 4, 3), E.INVALID_RECORD),
    "no records": (patched(patched(GOOD, 57, 4, 0), 23, 4, -1), E.INVALID_RECORD),
    "a last offset too far": (patched(GOOD, 23, 4, 5), E.INVALID_RECORD),
    "counts that agree and lie": (
        patched(patched(GOOD, 23, 4, 4), 57, 4, 5), E.INVALID_RECORD),
    "codec 5": (patched(GOOD, 21, 2, 5), E.INVALID_RECORD),
    "lz4 that is none": (patched(GOOD, 21, 2, 3), E.INVALID_RECORD),
    "the control bit": (patched(GOOD, 21, 2, 0x20), E.INVALID_RECORD),
    "a delete horizon": (patched(GOOD, 21, 2, 0x40), E.INVALID_RECORD),
    "a bit that is not in use": (patched(GOOD, 21, 2, 0x100), E.INVALID_RECORD),
    "offsets from 7 on": (patched(GOOD, 0, 8, 7), E.INVALID_RECORD),
    "a producer without a sequence": (patched(GOOD, 43, 8, 5), E.INVALID_RECORD),
    "a transaction of nobody": (
        patched(GOOD, 21, 2, 0x10), E.TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
    "a time in the far future": (
        make_batch(b"a", timestamp_ms=now_ms() + 2 * 3_600_000), E.INVALID_TIMESTAMP),
}  # fmt: skip


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_batch_is_refused_with_kafkas_code_and_the_connection_goes_on(client, topic, fault):
    records, code = BAD[fault]
    answer = produce(client, topic, records)
    assert (answer.error_code, answer.base_offset) == (code, -1)
    assert produce(client, topic, GOOD).error_code == 0
    assert read(client, topic) == [b"a", b"b"]


@pytest.mark.parametrize("codec", range(5))
def test_batches_of_each_codec_are_stored_as_they_came(client, topic, codec):
    values = [b"%d" % i * 100 for i in range(50)]
    batch = make_batch(*values, codec=codec)
    answer = produce(client, topic, batch)
    assert (answer.error_code, answer.base_offset, answer.log_append_time_ms) == (0, 0, -1)
    (stored,) = partitions_of(fetch(client, (topic, [wanted(0, 0)])))
    data = bytes(stored.records)
    assert data[8:12] + data[16:] == batch[8:12] + batch[16:]  # but for base offset and epoch


@pytest.mark.parametrize("codec", range(1, 5))
def test_compressed_records_are_counted(client, topic, codec):
    batch = make_batch(b"a", b"b", codec=codec)
    for lie in (
        patched(patched(batch, 23, 4, 4), 57, 4, 5),
        patched(patched(batch, 23, 4, 0), 57, 4, 1),
    ):
        assert produce(client, topic, lie).error_code == E.INVALID_RECORD


@pytest.mark.parametrize("codec", [3, 4])
def test_a_batch_that_unpacks_to_much_is_taken_in_its_order(client, topic, codec):
    large = make_batch(bytes(4 << 20), codec=codec)
    for index in range(4):
        client.send(produce_request(topic, large if index % 2 == 0 else make_batch(b"s")), 9)
    offsets = [client.receive().responses[0].partition_responses[0].base_offset for _ in range(4)]
    assert offsets == [0, 1, 2, 3]


def test_a_decompression_bomb_is_refused(client, topic):
    bomb = make_batch(bytes(60 << 20), codec=4)
    assert len(bomb) < 100_000
    two = patched(bomb, 57, 4, 1)
    assert produce(client, topic, two).error_code == 0  # what readers take, the log takes
    packed = codecs.compress(4, bytes(70 << 20))
    grown = bomb[:61] + packed
    grown = grown[:8] + (len(grown) - 12).to_bytes(4, "big") + grown[12:]
    assert produce(client, topic, patched(grown, 57, 4, 1)).error_code == E.INVALID_RECORD


def bomb_of(codec):
    """A batch that unpacks to more than readers take; snappy packs nothing to less than a 20th."""
    packed = codecs.compress(codec, bytes((70 if codec == 2 else 200) << 20))
    batch = patched(make_batch(b"x"), 21, 2, codec)[:61] + packed
    return patched(batch, 8, 4, len(batch) - 12)


def largest_resident_bytes():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmHWM"))


@pytest.mark.parametrize("codec", range(1, 5))
def test_many_bombs_for_a_partition_take_the_memory_of_one_that_is_allowed(server, client, codec):
    create(client, f"bombed-{codec}", max_message_bytes=str(8 << 20))
    bomb = bomb_of(codec)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(WireClient(server)) for _ in range(8)]
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # begin anew with the largest size
        before = largest_resident_bytes()
        for each in clients:
            each.send(produce_request(f"bombed-{codec}", bomb), 9)
        for each in clients:
            answer = each.receive().responses[0].partition_responses[0]
            assert answer.error_code == E.INVALID_RECORD
    assert largest_resident_bytes() - before < 150 << 20
    assert produce(client, f"bombed-{codec}", GOOD).error_code == 0


def test_zstd_needs_version_7(client, topic):
    batch = make_batch(b"a", codec=4)
    assert produce(client, topic, batch, version=6).error_code == E.UNSUPPORTED_COMPRESSION_TYPE
    assert produce(client, topic, batch, version=7).error_code == 0


def test_keyless_records_are_refused_by_a_compacted_topic(client):
    create(client, "compacted", cleanup_policy="compact")
    for codec in (0, 3):
        answer = produce(client, "compacted", make_batch(b"a", b"b", codec=codec))
        assert answer.error_code == E.INVALID_RECORD
        assert [error.batch_index for error in answer.record_errors] == [0, 1]
    assert produce(client, "compacted", make_batch(b"a", key=b"k")).error_code == 0


def test_old_records_are_refused_where_the_topic_says_so(client):
    create(client, "young", message_timestamp_before_max_ms="1000")
    old = make_batch(b"a", timestamp_ms=now_ms() - 60_000)
    answer = produce(client, "young", old)
    assert answer.error_code == E.INVALID_TIMESTAMP
    assert [error.batch_index for error in answer.record_errors] == [0]
    assert produce(client, "young", make_batch(b"a")).error_code == 0


def test_a_largest_timestamp_that_lies_is_corrected(client, topic):
    time_ms = now_ms()
    batch = make_batch(b"a", timestamp_ms=time_ms)
    assert produce(client, topic, patched(batch, 35, 8, time_ms + 99)).error_code == 0
    assert produce(client, topic, patched(batch, 21, 2, 8)).error_code == 0  # LogAppendTime's bit
    (answer,) = partitions_of(fetch(client, (topic, [wanted(0, 0)])))
    size = len(batch)
    for start in (0, size):
        stored = bytes(answer.records)[start : start + size]
        assert stored[17:] == batch[17:]


def test_log_append_time_is_told_and_stored(client):
    create(client, "stamped", message_timestamp_type="LogAppendTime")
    before_ms = now_ms()
    answer = produce(client, "stamped", make_batch(b"a", timestamp_ms=1))
    assert before_ms <= answer.log_append_time_ms <= now_ms()
    (stored,) = partitions_of(fetch(client, (("stamped"), [wanted(0, 0)])))
    assert int.from_bytes(bytes(stored.records)[35:43], "big") == answer.log_append_time_ms


def test_large_batches_are_refused_by_the_topics_limits(client):
    create(client, "small", max_message_bytes="200")
    create(client, "low", segment_bytes=str(1 << 20), max_message_bytes=str(4 << 20))
    assert produce(client, "small", make_batch(bytes(300))).error_code == E.MSG_SIZE_TOO_LARGE
    large = make_batch(bytes(2 << 20))
    assert produce(client, "low", large).error_code == E.RECORD_LIST_TOO_LARGE


def test_a_retry_of_an_idempotent_producer_gets_the_offset_it_has(client, topic):
    def put(sequence, epoch=0):
        batch = make_batch(b"a", b"b", producer=(4000, epoch, sequence))
        answer = produce(client, topic, batch)
        return answer.error_code, answer.base_offset

    assert put(0) == (0, 0)
    assert put(2) == (0, 2)
    assert put(0) == (0, 0)
    assert put(9) == (E.OUT_OF_ORDER_SEQUENCE_NUMBER, -1)
    assert put(0, epoch=1) == (0, 4)
    assert put(4, epoch=0) == (E.INVALID_PRODUCER_EPOCH, -1)
    assert len(read(client, topic)) == 6


def test_topics_and_partitions_that_are_not_there(client, topic):
    assert produce(client, "missing", GOOD).error_code == E.UNKNOWN_TOPIC_OR_PART
    assert produce(client, topic, GOOD, partition=1).error_code == E.UNKNOWN_TOPIC_OR_PART
    assert produce(client, topic, GOOD, partition=-1).error_code == E.UNKNOWN_TOPIC_OR_PART
    assert produce(client, bytes(16), GOOD, version=13).error_code == E.UNKNOWN_TOPIC_ID
    assert produce(client, b"1" * 16, GOOD, version=13).error_code == E.UNKNOWN_TOPIC_ID
    assert produce(client, "__consumer_offsets", GOOD).error_code == E.TOPIC_EXCEPTION
    assert produce(client, topic, GOOD, acks=2).error_code == E.INVALID_REQUIRED_ACKS


@pytest.mark.parametrize("version", range(3, 14))
def test_every_version_appends(client, version):
    name = f"version-{version}"
    topic_id = create(client, name)
    answer = produce(client, topic_id if version >= 13 else name, GOOD, version=version)
    assert (answer.error_code, answer.base_offset) == (0, 0)
    assert read(client, name) == [b"a", b"b"]


def test_acks_0_is_not_answered_and_a_refusal_closes_the_connection(server, client, topic):
    client.socket.sendall(client.frame(produce_request(topic, GOOD, acks=0), 9))
    client.forget()
    assert produce(client, topic, GOOD).base_offset == 2
    with WireClient(server) as other:
        other.send(produce_request("missing", GOOD, acks=0), 9)
        assert other.is_closed()


def test_acks_all_is_durable_when_it_is_answered(server, client, topic):
    assert produce(client, topic, GOOD, acks=-1).error_code == 0
    log = server.broker.log_dir.partition(topic, 0)
    assert log.durable_offset == log.log_end_offset == 2


def test_pipelined_requests_are_appended_and_answered_in_their_order(client):
    create(client, "piped", 3)
    for index in range(60):
        acks = (-1, 1, -1, 1)[index % 4]
        batches = [make_batch(b"%d" % index)] * 3
        client.send(produce_request("piped", *batches, acks=acks), 9)
    for index in range(60):
        answers = client.receive().responses[0].partition_responses
        assert [(one.error_code, one.base_offset) for one in answers] == [(0, index)] * 3


def test_a_client_that_always_has_requests_under_way_does_not_stay_with_the_threads(
    server, client, topic
):
    before = server.call(lambda: server.broker.appends.count_in_threads)
    for _ in range(5):
        client.send(produce_request(topic, GOOD), 9)
    for index in range(200):  # the first opens the partition, in a thread; the others wait for it
        (answer,) = client.receive().responses[0].partition_responses
        assert (answer.error_code, answer.base_offset) == (0, 2 * index)
        client.send(produce_request(topic, GOOD), 9)
    assert server.call(lambda: server.broker.appends.count_in_threads) < before + 100


def test_a_full_disk_is_a_storage_error_and_the_server_goes_on(client, topic):
    large = make_batch(os.urandom(40_000))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        codes = [produce(client, topic, large).error_code for _ in range(4)]
        assert codes == [0, 0, E.KAFKA_STORAGE_ERROR, E.KAFKA_STORAGE_ERROR]
        assert produce(client, topic, GOOD).error_code == 0  # there is room for a small one
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert produce(client, topic, large).base_offset == 4


def test_clients_and_embedded_programs_write_the_same_partition(server, client, topic):
    with Producer({"log.dir": server.folder, "acks": "1"}) as producer:
        for index in range(50):
            producer.produce(topic, b"embedded")
            producer.flush()
            assert produce(client, topic, make_batch(b"wire")).base_offset == 2 * index + 1
    assert read(client, topic) == [b"embedded", b"wire"] * 50


def test_a_topic_that_is_deleted_is_not_known(server, client, topic):
    assert produce(client, topic, GOOD).error_code == 0
    server.broker.log_dir.delete_topic(topic)
    assert produce(client, topic, GOOD).error_code == E.UNKNOWN_TOPIC_OR_PART


# ---- topics that are another one by now ----

MAKE_ANEW = """
import sys
from pylog.log_dir import LogDir
with LogDir.open(sys.argv[1]) as log_dir:
    log_dir.delete_topic(sys.argv[2])
    log_dir.create_topic(sys.argv[2], 1)
"""


@pytest.fixture
def never_looks(server, client, monkeypatch):
    """The server looked for topics just now, and does not again for as long as a test takes."""
    monkeypatch.setattr(pylog.server.broker, "LOOK_INTERVAL_S", 60.0)
    return lambda: server.call(server.broker.topics)


def fetch_error(client, topic_id):
    (answer,) = partitions_of(fetch(client, (topic_id, [wanted(0, 0)]), version=13))
    return answer.error_code


def test_a_topic_that_this_server_deleted_is_unknown_at_once(server, client, never_looks):
    topic_id = create(client, "gone-at-once")
    assert produce(client, topic_id, GOOD, version=13).error_code == 0
    never_looks()
    server.broker.log_dir.delete_topic("gone-at-once")
    assert produce(client, topic_id, GOOD, version=13).error_code == E.UNKNOWN_TOPIC_ID
    assert fetch_error(client, topic_id) == E.UNKNOWN_TOPIC_ID


@pytest.mark.parametrize("is_open", [False, True])
def test_records_for_a_topic_do_not_get_into_one_that_was_made_anew(
    server, client, never_looks, is_open
):
    name = f"anew-{is_open}"
    topic_id = create(client, name)
    if is_open:
        assert produce(client, topic_id, GOOD, version=13).error_code == 0
    never_looks()
    subprocess.run([sys.executable, "-c", MAKE_ANEW, server.folder, name], check=True)
    answer = produce(client, topic_id, GOOD, version=13)
    assert answer.error_code == (E.UNKNOWN_TOPIC_OR_PART if is_open else E.UNKNOWN_TOPIC_ID)
    server.call(server.broker.topics)
    assert read(client, name) == []


def test_who_reads_a_topic_that_was_made_anew_is_told_so(server, client, never_looks):
    topic_id = create(client, "read-anew")
    assert produce(client, topic_id, GOOD, version=13).error_code == 0
    never_looks()
    subprocess.run([sys.executable, "-c", MAKE_ANEW, server.folder, "read-anew"], check=True)
    assert fetch_error(client, topic_id) == E.UNKNOWN_TOPIC_ID


# ---- queues ----


class UnreadableBatch:
    """A batch that there is no memory to check."""

    def check(self, log, most_bytes=0):
        raise MemoryError


def test_a_batch_that_fails_in_any_way_lets_those_behind_it_go_on(server, client, topic):
    appends, partition = server.broker.appends, (topic, 0)

    def append_three():
        return [
            appends.append(partition, None, batch)
            for batch in (
                ProducedBatch(bytearray(GOOD)),
                UnreadableBatch(),
                ProducedBatch(bytearray(GOOD)),
            )
        ]

    async def results_of(futures):
        return await asyncio.gather(*futures, return_exceptions=True)

    futures = server.call(append_three)
    done = asyncio.run_coroutine_threadsafe(results_of(futures), server._loop)
    first, failed, last = done.result(20)
    assert (first, last) == (0, 2)
    assert isinstance(failed, MemoryError)
    assert produce(client, topic, GOOD).base_offset == 4


def test_what_waits_for_a_partition_when_the_server_ends_is_refused(monkeypatch, caplog):
    monkeypatch.setattr(pylog.server.listener, "STOP_TIMEOUT_S", 0.1)
    begun, may_end = threading.Event(), threading.Event()

    def wait():
        begun.set()
        may_end.wait(20)
        raise KafkaException(KafkaError(E.INVALID_TXN_STATE))

    server = Server().start()
    with WireClient(server) as client:
        create(client, "ends")

    def append_three():
        return [
            server.broker.appends.append(("ends", 0), None, ProducedBatch(bytearray(GOOD)), wait)
            for _ in range(3)
        ]

    futures = server.call(append_three)
    begun.wait(20)
    broker = server.broker
    threading.Thread(target=lambda: (broker_ended(broker), may_end.set())).start()
    server.stop()
    codes = [future.exception().args[0].code() for future in futures]
    assert codes == [E.INVALID_TXN_STATE, E._STATE, E._STATE]
    assert caplog.records == []


def broker_ended(broker):
    """Wait until a broker takes no more work."""
    while not broker._is_closed:
        pass
