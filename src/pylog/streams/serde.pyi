from collections.abc import Callable
from typing import Any, final

from typing_extensions import disjoint_base

@disjoint_base
class Serde:
    name: str
    def serialize(self, topic: str | None, data: Any) -> bytes | None: ...
    def deserialize(self, topic: str | None, data: Any) -> Any: ...
    def resolve(self, config: Any) -> Serde: ...
    @staticmethod
    def of(
        serialize: Callable[[Any], bytes | None],
        deserialize: Callable[[bytes], Any],
        name: str | None = None,
    ) -> Serde: ...

def encode(serde: Serde, topic: str | None, data: Any) -> bytes | None: ...
def decode(serde: Serde, topic: str | None, data: Any) -> Any: ...

@final
class FunctionSerde(Serde):
    def __init__(
        self,
        serialize: Callable[[Any], bytes | None],
        deserialize: Callable[[bytes], Any],
        name: str | None = None,
    ) -> None: ...

class NativeSerde(Serde): ...

@final
class BytesSerde(NativeSerde):
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

@final
class StringSerde(NativeSerde):
    def __init__(self, encoding: str = "utf-8", errors: str = "strict", hint: str = "") -> None: ...

@final
class IntegerSerde(NativeSerde):
    @property
    def size(self) -> int: ...
    def __init__(self, size: int) -> None: ...

@final
class DoubleSerde(NativeSerde):
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

@final
class FloatSerde(NativeSerde):
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

@final
class BooleanSerde(NativeSerde):
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

@final
class UuidSerde(NativeSerde):
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

@final
class VoidSerde(NativeSerde):
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
