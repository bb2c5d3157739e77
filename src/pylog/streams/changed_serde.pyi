from typing import final

from pylog.streams.serde import NativeSerde, Serde

@final
class ChangedSerde(NativeSerde):
    @property
    def inner(self) -> Serde | None: ...
    def __init__(self, inner: Serde | None) -> None: ...
