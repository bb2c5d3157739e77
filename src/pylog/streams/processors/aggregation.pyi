from collections.abc import Callable
from typing import Any, final

from typing_extensions import disjoint_base

@disjoint_base
class Aggregation:
    def functions(self) -> tuple[Callable[..., Any], ...]: ...

@final
class Aggregating(Aggregation):
    def __init__(
        self, initializer: Callable[[], Any], aggregator: Callable[[Any, Any, Any], Any]
    ) -> None: ...

@final
class Reducing(Aggregation):
    def __init__(self, reducer: Callable[[Any, Any], Any]) -> None: ...

@final
class Counting(Aggregation): ...
