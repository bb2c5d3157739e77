from typing import Any

from typing_extensions import disjoint_base

@disjoint_base
class Cursor: ...

@disjoint_base
class ListCursor(Cursor):
    def __init__(self, entries: list[tuple[bytes, Any, int, int]]) -> None: ...
