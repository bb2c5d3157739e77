from collections.abc import Iterable
from typing import Any, final

@final
class SortedKeys:
    def __init__(self, keys: Iterable[Any]) -> None: ...
