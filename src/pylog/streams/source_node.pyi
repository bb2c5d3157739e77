from collections.abc import Iterable
from typing import Any, final

from pylog.streams.node import Node
from pylog.streams.serde import Serde

@final
class SourceNode(Node):
    @property
    def timestamp_extractor(self) -> Any: ...
    @property
    def topics(self) -> tuple[str, ...]: ...
    @property
    def key_serde(self) -> Serde: ...
    @property
    def value_serde(self) -> Serde: ...
    def __init__(
        self,
        key_serde: Any,
        value_serde: Any,
        timestamp_extractor: Any = None,
        topics: Iterable[str] = (),
    ) -> None: ...
