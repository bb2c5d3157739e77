from collections.abc import Mapping
from typing import Any, final

@final
class Shape:
    cls: type
    names: tuple[str, ...]
    def __init__(self, cls: type, defaults: Mapping[str, object]) -> None: ...

class Struct:
    def __init__(self, *args: Any, **fields: Any) -> None: ...
    def __eq__(self, other: object, /) -> bool: ...
