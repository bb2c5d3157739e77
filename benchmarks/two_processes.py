"""Measurements across two processes: throughput end to end, and the latency of following.

Times are CLOCK_MONOTONIC (`perf_counter_ns`), which all processes of a machine share. The writer
of a latency run spins until each message is due, so the pace does not depend on how well this
machine sleeps; the first tenth of the messages is not counted.
"""

import mmap
import os
import struct
import subprocess
from collections.abc import Callable
from time import perf_counter_ns

from benchmarks.measure import read_figures, say_ready, start, wait_ready
from benchmarks.workload import TOPIC, Figures, Order, check_count, make_pairs

STAMP = struct.Struct("<q")
WARM_UP_SHARE = 0.1
_WAIT_S = 60


def end_to_end(order: Order) -> Figures:
    """Produce in this process while another consumes; ends when it has the last record."""
    import pylog
    from benchmarks.clients import create_topic

    create_topic(order)
    pairs = make_pairs(order.value_bytes)
    with start("end_to_end_reader", order) as reader:
        wait_ready("end_to_end_reader", reader)
        producer = pylog.Producer({"log.dir": order.log_dir, "acks": 1})
        send = producer.produce
        start_ns = perf_counter_ns()
        for _ in range(order.blocks):
            for key, value in pairs:
                send(TOPIC, value=value, key=key)
        producer.flush()
        written_ns = perf_counter_ns()
        seen = _figures_of("end_to_end_reader", reader)
    seconds = (seen["end_ns"] - start_ns) / 1e9
    return {
        "records": order.total,
        "seconds": seconds,
        "rate": order.total / seconds,
        "write_rate": order.total / ((written_ns - start_ns) / 1e9),
    }


def end_to_end_reader(order: Order) -> Figures:
    """Consume until every record was seen; the value of each is taken."""
    from benchmarks.clients import CONSUME_COUNT, open_consumer

    consumer, count = open_consumer(order), 0
    take, total = consumer.consume, order.total
    consumer.consume(1, 0)
    say_ready()
    while count < total:
        messages = take(CONSUME_COUNT, _WAIT_S)
        if not messages:
            break
        for message in messages:
            message.value()
        count += len(messages)
    end_ns = perf_counter_ns()
    check_count(order, count)
    return {"end_ns": end_ns}


def latency(order: Order) -> Figures:
    """Send at a steady pace; the other process tells how old each message was on arrival."""
    import pylog
    from benchmarks.clients import create_topic

    create_topic(order)
    with start("latency_reader", order) as reader:
        wait_ready("latency_reader", reader)
        producer = pylog.Producer({"log.dir": order.log_dir, "acks": 1, "linger.ms": 0})
        send = producer.produce
        late = _send_paced(order, lambda value: send(TOPIC, value=value))
        producer.flush()
        figures = _figures_of("latency_reader", reader)
    return {**figures, "late_share": late}


def latency_reader(order: Order) -> Figures:
    """Poll one message at a time and note how old it is."""
    from benchmarks.clients import open_consumer

    busy = bool(order.extra["busy_poll"])
    consumer = open_consumer(order, **{"busy.poll": busy})
    poll, unpack_from, ages_ns = consumer.poll, STAMP.unpack_from, []
    poll(0)
    say_ready()
    for _ in range(order.total):
        message = poll(_WAIT_S)
        now_ns = perf_counter_ns()
        if message is None:
            break
        ages_ns.append(now_ns - unpack_from(message.value())[0])
    return _percentiles(order, ages_ns)


def raw_pipe_latency(order: Order) -> Figures:
    """Send the same messages through a pipe: what waking a sleeping reader costs here."""
    with start("pipe_latency_reader", order) as reader:
        wait_ready("pipe_latency_reader", reader)
        assert reader.stdin is not None
        write_end = reader.stdin.fileno()
        late = _send_paced(order, lambda value: os.write(write_end, value))
        figures = _figures_of("pipe_latency_reader", reader)
    return {**figures, "late_share": late}


def pipe_latency_reader(order: Order) -> Figures:
    """Read one message at a time from the standard input and note how old it is."""
    read, unpack_from, ages_ns = os.read, STAMP.unpack_from, []
    say_ready()
    for _ in range(order.total):
        value = read(0, order.value_bytes)
        now_ns = perf_counter_ns()
        if not value:
            break
        ages_ns.append(now_ns - unpack_from(value)[0])
    return _percentiles(order, ages_ns)


def raw_spin_latency(order: Order) -> Figures:
    """Write the same messages to a file and a shared word; the reader spins on the word.

    That is the least a log can do: one pwrite a message, one pread by who saw its end move.
    """
    with open(order.raw_path, "wb") as file, _shared_word(order) as word:
        counter = memoryview(word).cast("q")
        with start("spin_latency_reader", order) as reader:
            wait_ready("spin_latency_reader", reader)
            fd, size = file.fileno(), order.value_bytes

            def send(value: bytes) -> None:
                os.pwrite(fd, value, counter[0] * size)
                counter[0] += 1

            late = _send_paced(order, send)
            figures = _figures_of("spin_latency_reader", reader)
        counter.release()
    return {**figures, "late_share": late}


def spin_latency_reader(order: Order) -> Figures:
    """Spin on the shared word, and read each message from the file."""
    size, pread, unpack_from, ages_ns = order.value_bytes, os.pread, STAMP.unpack_from, []
    with open(order.raw_path, "rb") as file, _shared_word(order) as word:
        counter, fd = memoryview(word).cast("q"), file.fileno()
        say_ready()
        for number in range(order.total):
            while counter[0] <= number:
                pass
            value = pread(fd, size, number * size)
            ages_ns.append(perf_counter_ns() - unpack_from(value)[0])
        counter.release()
    return _percentiles(order, ages_ns)


def _shared_word(order: Order) -> mmap.mmap:
    path = order.raw_path.with_suffix(".word")
    with open(path, "a+b") as file:
        file.truncate(mmap.PAGESIZE)
        return mmap.mmap(file.fileno(), mmap.PAGESIZE)


def _send_paced(order: Order, send: Callable[[bytes], object]) -> float:
    """Send one stamped value each 1/rate seconds; return the share that left late."""
    interval_ns = int(1e9 / float(str(order.extra["messages_per_s"])))
    padding = bytes(order.value_bytes - STAMP.size)
    pack, now, late = STAMP.pack, perf_counter_ns, 0
    due_ns = now() + 100_000_000
    for _ in range(order.total):
        while (now_ns := now()) < due_ns:
            pass
        late += now_ns - due_ns > interval_ns
        send(pack(now()) + padding)
        due_ns += interval_ns
    return late / order.total


def _percentiles(order: Order, ages_ns: list[int]) -> Figures:
    check_count(order, len(ages_ns))
    counted = sorted(ages_ns[int(len(ages_ns) * WARM_UP_SHARE) :])
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}
    figures = {
        f"{name}_us": counted[min(int(len(counted) * share), len(counted) - 1)] / 1e3
        for name, share in shares.items()
    }
    return {"records": order.total, **figures, "max_us": counted[-1] / 1e3}


def _figures_of(name: str, process: "subprocess.Popen[str]") -> Figures:
    output, errors = process.communicate(timeout=_WAIT_S * 10)
    return read_figures(name, process.returncode, output, errors)
