"""Clients of `pylog cat`: where they find their log, and what went wrong, in one line.

librdkafka tells its troubles in a log and to `error_cb`; an exception at the end says no more than
that the time is over. So its log is off, unless `debug` or `log_level` asks for it, and the last
reason it gave becomes the command's line.
"""

import argparse
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pylog.cli import DEFAULT_FOLDER, console, failures, options, produce
from pylog.cli.failures import CommandError

if TYPE_CHECKING:
    from pylog import AdminClient, Consumer, KafkaError

_SERVERS = ("bootstrap.servers", "metadata.broker.list")


def find_place(place: str, folder: str = "") -> dict[str, str]:
    """The property that a client finds its log with.

    >>> find_place("127.0.0.1:9092"), find_place("./data")
    ({'bootstrap.servers': '127.0.0.1:9092'}, {'log.dir': './data'})
    """
    if not place:
        place = folder or os.environ.get("PYLOG_DIR") or DEFAULT_FOLDER
        return {"log.dir": place}
    if os.path.isdir(place) or "/" in place:
        return {"log.dir": place}
    return {"bootstrap.servers": place}


def read_properties(given: argparse.Namespace, folder: str = "") -> dict[str, str]:
    """The properties of the client that the options ask for.

    -b says where the log is; else servers that -X or -F name; else the folder. $KCAT_CONFIG is
    read where -F is absent, and no folder is named.

    Args:
        given: the command's options.
        folder: of `pylog --dir`, if any.
    """
    named = find_place(given.place) if given.place else {}
    file = given.file
    if not file and not folder and "log.dir" not in named:
        file = os.environ.get("KCAT_CONFIG")
    found = parse_file(Path(file)) if file else {}
    found |= options.parse_pairs(given.properties, "-X")
    if given.debug:
        found["debug"] = given.debug
    if named:
        # What the command line says outright counts, not what a file says of another place.
        return {k: v for k, v in found.items() if k not in (*_SERVERS, "log.dir")} | named
    if any(found.get(name) for name in _SERVERS) or found.get("log.dir"):
        return found
    return found | find_place("", folder)


def parse_file(path: Path) -> dict[str, str]:
    """The properties in a file: NAME=VALUE, one a line; a line that begins with # is a note."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return options.parse_pairs((line for line in lines if line and line[0] != "#"), "-F")


class Place:
    """A folder or servers, and what was told of them last.

    Args:
        properties: of the client, with log.dir or bootstrap.servers.
        timeout_s: seconds that a question to the servers may take.
        quiet: no note of a trouble that comes once the servers have answered.
    """

    def __init__(self, properties: Mapping[str, str], timeout_s: float, quiet: bool) -> None:
        self.properties = dict(properties)
        self.timeout_s = timeout_s
        self.servers = next((properties[name] for name in _SERVERS if properties.get(name)), None)
        self.name = self.servers or properties["log.dir"]
        self._quiet = quiet
        self._reason: KafkaError | None = None
        self._was_reached = False
        self._noted: set[int] = set()

    @property
    def reason(self) -> str | None:
        """What the servers' client told last, None for nothing."""
        return None if self._reason is None else self._reason.str()

    def configuration(self) -> dict[str, Any]:
        """What a client is made with."""
        if self.servers is None:
            return dict(self.properties)
        quiet: dict[str, Any] = {"error_cb": self._take_reason}
        if "debug" not in self.properties:
            quiet["log_level"] = "0"
        return quiet | self.properties

    def require(self) -> None:
        """Check that a folder is there: who only reads must not make one.

        Raises:
            CommandError: it is not.
        """
        if self.servers is None:
            options.require_folder(self.name)

    def open_consumer(self, group: str, **defaults: str) -> "Consumer":
        """A consumer; `defaults` are properties with _ for the dot, and -X may overrule them."""
        from pylog import Consumer

        self.require()
        named = {name.replace("_", "."): value for name, value in defaults.items()}
        if self.servers is None and not options.is_writable(self.name):
            named["read.only"] = "true"  # a snapshot, a read-only mount
        return Consumer({"group.id": group} | named | self.configuration())

    def open_admin(self) -> "AdminClient":
        """A client that lists."""
        from pylog import AdminClient

        self.require()
        return AdminClient(self.configuration())

    def reach(self, client: Any) -> None:
        """Ask the servers for something, that one which nobody reaches is told of at once.

        Raises:
            CommandError: no server answers; why.
        """
        if self.servers is not None:
            with self.explain(client):
                client.list_topics(timeout=self.timeout_s)

    @contextmanager
    def explain(self, client: Any) -> Iterator[None]:
        """Let an error of the body be the reason that the servers' client told, if it told one."""
        from pylog import KafkaException

        try:
            yield
        except KafkaException as exc:
            if self.servers is None:
                raise
            # Only a poll has the client call error_cb.
            client.poll(0)
            told = self.reason or f"{self.name}: {failures.describe(exc)[0]}"
            raise CommandError(told) from exc
        self._was_reached = True

    def _take_reason(self, error: "KafkaError") -> None:
        from pylog import KafkaError

        code = error.code()
        if self._was_reached and not self._quiet and code not in self._noted:
            # The client goes on trying, in silence: once of a kind is enough for who waits.
            self._noted.add(code)
            console.note(f"% {self.name}: {error.str()}")
        # That all servers are down follows from each one's own reason, which says more; a login
        # that failed says more than the connection that was closed after it.
        if self._reason is not None and (
            code == KafkaError._ALL_BROKERS_DOWN
            or self._reason.code() == KafkaError._AUTHENTICATION
        ):
            return
        self._reason = error


class ServerSender(produce._Sender):
    """A sender that is told of every message: a server's client raises nothing at a flush."""

    def __init__(self, place: Place, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._place = place
        self._reasons: Counter[str] = Counter()
        self._arguments.pop("on_delivery", None)  # the client's own does for all

    def open(self, configuration: Mapping[str, Any]) -> None:
        """Make the producer, and see that a server answers it."""
        super().open(
            dict(configuration)
            | {
                "on_delivery": self._take_delivery,
                # A call for each message that went well would cost more than the message.
                "delivery.report.only.error": not self._verbose,
            }
        )
        self._place.reach(self._producer)

    def _take_delivery(self, error: Any, message: Any) -> None:
        if error is not None:
            from pylog import KafkaException

            self._reasons[failures.describe(KafkaException(error))[0]] += 1
            if not self._verbose:
                self._failed_count += 1
        if self._verbose:
            self._report_delivery(error, message)

    def _finish(self) -> None:
        try:
            super()._finish()
        except CommandError as exc:
            raise CommandError(self._failure() or f"{exc}: {self._place.reason}") from None

    def _failure(self) -> str:
        if not self._reasons:
            return ""
        counted = [f"{reason} ({count})" for reason, count in self._reasons.most_common()]
        told = "; ".join(counted if len(counted) > 1 else self._reasons)
        total = sum(self._reasons.values())
        return f"{total} of {self._sent_count} messages to {self._topic} were not stored: {told}"
