from typing import final

from typing_extensions import disjoint_base

from pylog.streams.serde import NativeSerde, Serde
from pylog.streams.window import Windowed

@disjoint_base
class WindowedSerde(NativeSerde):
    @property
    def inner(self) -> Serde | None: ...
    def serialize_base_key(self, topic: str | None, windowed: Windowed) -> bytes: ...

@final
class TimeWindowedSerde(WindowedSerde):
    @property
    def window_size_ms(self) -> int: ...
    @property
    def reads_changelog(self) -> bool: ...
    def __init__(
        self, inner: Serde | None, window_size_ms: int, *, reads_changelog: bool = False
    ) -> None: ...

@final
class SessionWindowedSerde(WindowedSerde):
    def __init__(self, inner: Serde | None) -> None: ...
