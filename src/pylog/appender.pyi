from collections.abc import Iterable, Mapping
from typing import TypeAlias

from typing_extensions import Buffer, disjoint_base

from logcore.log import Log

_Data: TypeAlias = Buffer | str | None
_Headers: TypeAlias = Mapping[str, _Data] | Iterable[tuple[str, _Data]]

@disjoint_base
class Appender:
    @property
    def topic_name(self) -> str: ...
    def _configure(
        self, topic_name: str, logs: list[Log], acks: int, codec: int, partitioner_kind: int
    ) -> None: ...
    def append(
        self,
        value: _Data,
        key: _Data = None,
        headers: _Headers | None = None,
        *,
        timestamp_ms: int | None = None,
        partition: int | None = None,
        expected_offset: int | None = None,
    ) -> int: ...
    def append_many(
        self,
        records: Iterable[_Data] | Iterable[tuple[_Data, _Data]],
        *,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        expected_offset: int | None = None,
    ) -> int: ...
