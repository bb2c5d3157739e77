"""AdminBase: what every part of AdminClient stands on: the folder, futures, the end."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, Self, TypeVar

from logcore.errors import LogError
from pylog.admin_types import Node
from pylog.errors import KafkaException
from pylog.folder_errors import as_kafka_exception
from pylog.log_dir import LogDir
from pylog.metadata import BROKER_ID

_Key = TypeVar("_Key")
_Item = TypeVar("_Item")


class AdminBase:
    """A folder, open until `close`; made by AdminClient."""

    _log_dir: LogDir
    _is_closed: bool

    def _node(self) -> Node:
        return Node(BROKER_ID, self._log_dir.path, 0)

    def close(self) -> None:
        """Give up the folder. Idempotent; without it the object's end does."""
        if not self._is_closed:
            self._is_closed = True
            self._log_dir.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "_is_closed", True):
            self.close()

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return True

    def _check_open(self) -> None:
        if self._is_closed:
            raise RuntimeError("AdminClient closed")

    def _each(
        self,
        items: Iterable[_Item],
        key_of: Callable[[_Item], _Key],
        work: Callable[[_Item], Any],
    ) -> dict[_Key, "Future[Any]"]:
        """Do each item's work: done futures by key. Of items with one key each is done."""
        self._check_open()
        futures: dict[_Key, Future[Any]] = {}
        for item in items:
            future: Future[Any] = Future()
            future.set_running_or_notify_cancel()
            try:
                future.set_result(work(item))
            except KafkaException as error:
                future.set_exception(error)
            except (LogError, OSError) as error:
                future.set_exception(as_kafka_exception(error, self._log_dir.path))
            previous = futures.get(key_of(item))
            if previous is None or previous.exception() is None:
                futures[key_of(item)] = future
        return futures
