"""Metrics: what a server counts, in Prometheus' text, by the names that Kafka's exporters give.

What the requests were is counted here as they are answered; what the folder holds is read when
somebody asks (folder_metrics.py). Names are those of the JMX exporter with the usual rules
(kafka_server_..., kafka_network_...) and those of kafka_exporter (kafka_topic_..., and
kafka_consumergroup_...).

Source: the JMX exporter's kafka-2_0_0.yml, kafka_exporter's README, Kafka's docs on monitoring.
"""

import os
import resource
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pylog.errors import KafkaError
from pylog.server.request import RequestContext
from pylog.wire import APIS, Message

if TYPE_CHECKING:
    from pylog.server.broker import Broker

PRODUCE, FETCH = 0, 1
BUCKETS_MS = tuple(base * 10.0**power for power in range(-2, 4) for base in (1.0, 2.5, 5.0))
"""Upper bounds of the times that requests take: 10 µs to 5 s."""

QUANTILES = (0.5, 0.75, 0.95, 0.98, 0.99, 0.999)

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Text:
    """Prometheus' text format, line by line."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def family(self, name: str, kind: str, about: str) -> None:
        """Begin a family of samples: counter, gauge, summary, histogram."""
        self._lines.append(f"# HELP {name} {about}\n# TYPE {name} {kind}\n")

    def sample(self, name: str, value: float, /, **labels: object) -> None:
        """Write one sample."""
        pairs = ",".join(f'{key}="{str(text).translate(_ESCAPES)}"' for key, text in labels.items())
        number = str(int(value)) if float(value).is_integer() else repr(float(value))
        self._lines.append(f"{name}{{{pairs}}} {number}\n" if pairs else f"{name} {number}\n")

    def single(self, name: str, kind: str, about: str, value: float) -> None:
        """Write a family of one sample."""
        self.family(name, kind, about)
        self.sample(name, value)

    def __str__(self) -> str:
        return "".join(self._lines)


class _Api:
    """What is counted of an API."""

    __slots__ = ("buckets", "errors", "request_bytes", "response_bytes", "total_ms", "versions")

    def __init__(self) -> None:
        self.versions: Counter[int] = Counter()
        self.errors: Counter[int] = Counter()
        self.buckets = [0] * (len(BUCKETS_MS) + 1)
        self.total_ms = 0.0
        self.request_bytes = 0
        self.response_bytes = 0

    @property
    def count(self) -> int:
        return sum(self.buckets)

    def quantile(self, fraction: float) -> float:
        """A time in ms that so many requests did not exceed, by the bucket that it is in."""
        wanted = fraction * self.count
        seen = 0
        for bound, count in zip((*BUCKETS_MS, BUCKETS_MS[-1]), self.buckets, strict=True):
            seen += count
            if seen >= wanted:
                return bound
        return BUCKETS_MS[-1]


class Metrics:
    """Counts what a server does. It belongs to the loop's thread.

    Attributes:
        address: host and port of the page for Prometheus.
    """

    def __init__(self) -> None:
        self.address = ("", 0)
        self._apis: dict[int, _Api] = {}
        self._failed_authentications = 0
        self._started_s = time.time()

    def request_done(
        self, context: RequestContext, response: Message | None, response_bytes: int
    ) -> None:
        """Count a request that was answered, or that wants no answer."""
        api = self._apis.get(context.api_key)
        if api is None:
            api = self._apis[context.api_key] = _Api()
        took_ms = (time.monotonic_ns() - context.received_ns) / 1e6
        api.versions[context.version] += 1
        api.buckets[bisect_left(BUCKETS_MS, took_ms)] += 1
        api.total_ms += took_ms
        api.request_bytes += context.request_bytes
        api.response_bytes += response_bytes
        for code in _error_codes(context.api_key, response):
            api.errors[code] += 1

    def authentication_failed(self) -> None:
        """Count a client that did not prove who it is."""
        self._failed_authentications += 1

    def write(self, text: Text, broker: "Broker") -> None:
        """Write what was counted."""
        self._write_requests(text)
        self._write_topics(text)
        name = "kafka_server_socket_server_metrics_connection_count"
        text.family(name, "gauge", "Connections that are open.")
        connections = Counter(one.listener_name for one in broker.connections)
        for listener in broker.nodes:
            text.sample(name, connections[listener], listener=listener)
        text.single(
            "kafka_server_socket_server_metrics_failed_authentication_total",
            "counter",
            "Clients that did not prove who they are.",
            self._failed_authentications,
        )
        _write_process(text, self._started_s)

    def _write_requests(self, text: Text) -> None:
        apis = {APIS[key].name: api for key, api in sorted(self._apis.items())}
        name = "kafka_network_requestmetrics_requests_total"
        text.family(name, "counter", "Requests that were answered.")
        for request, api in apis.items():
            for version, count in sorted(api.versions.items()):
                text.sample(name, count, request=request, version=version)
        name = "kafka_network_requestmetrics_errors_total"
        text.family(name, "counter", "Error codes in responses.")
        for request, api in apis.items():
            for code, count in sorted(api.errors.items()):
                error = "NONE" if code == 0 else KafkaError(code).name()
                text.sample(name, count, request=request, error=error)
        name = "kafka_network_requestmetrics_totaltimems"
        text.family(name, "summary", "Time from a request to its response, since the start.")
        for request, api in apis.items():
            for fraction in QUANTILES:
                text.sample(name, api.quantile(fraction), request=request, quantile=fraction)
            text.sample(f"{name}_sum", api.total_ms, request=request)
            text.sample(f"{name}_count", api.count, request=request)
        name = "pylog_request_duration_seconds"
        text.family(name, "histogram", "The same, by bounds.")
        for request, api in apis.items():
            seen = 0
            for bound, count in zip(BUCKETS_MS, api.buckets, strict=False):
                seen += count
                text.sample(f"{name}_bucket", seen, request=request, le=f"{bound / 1000:g}")
            text.sample(f"{name}_bucket", api.count, request=request, le="+Inf")
            text.sample(f"{name}_sum", api.total_ms / 1000, request=request)
            text.sample(f"{name}_count", api.count, request=request)

    def _write_topics(self, text: Text) -> None:
        produce, fetch = (self._apis.get(key) or _Api() for key in (PRODUCE, FETCH))
        stem = "kafka_server_brokertopicmetrics"
        rows: Mapping[str, tuple[str, int]] = {
            "bytesin": ("Bytes of Produce requests.", produce.request_bytes),
            "bytesout": ("Bytes of Fetch responses.", fetch.response_bytes),
            "totalproducerequests": ("Produce requests.", produce.count),
            "totalfetchrequests": ("Fetch requests.", fetch.count),
            "failedproducerequests": ("Partitions of Produce with an error.", _failures(produce)),
            "failedfetchrequests": ("Partitions of Fetch with an error.", _failures(fetch)),
        }
        for name, (about, value) in rows.items():
            text.single(f"{stem}_{name}_total", "counter", about, value)


def _failures(api: _Api) -> int:
    return sum(count for code, count in api.errors.items() if code)


def _error_codes(api_key: int, response: Any) -> Iterable[int]:
    """The error codes of a response: for Produce and Fetch those of the partitions."""
    if response is None:
        return ()
    if api_key == PRODUCE:
        return [row.error_code for each in response.responses for row in each.partition_responses]
    if api_key == FETCH and not response.error_code:
        return [row.error_code for each in response.responses for row in each.partitions]
    code = getattr(response, "error_code", None)
    return () if code is None else (code,)


def _write_process(text: Text, started_s: float) -> None:
    """What Prometheus' clients tell of a process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    single = text.single
    cpu_s = usage.ru_utime + usage.ru_stime
    single("process_cpu_seconds_total", "counter", "Time on processors.", cpu_s)
    single("process_start_time_seconds", "gauge", "When the server started.", started_s)
    with open("/proc/self/statm", encoding="ascii") as file:
        pages = int(file.read().split()[1])
    resident_bytes = pages * os.sysconf("SC_PAGE_SIZE")
    single("process_resident_memory_bytes", "gauge", "Memory in use.", resident_bytes)
    open_fds = len(os.listdir("/proc/self/fd"))
    single("process_open_fds", "gauge", "Files that are open.", open_fds)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    single("process_max_fds", "gauge", "Files that may be open.", limit)
